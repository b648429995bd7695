#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint-scripts.sh: shellcheck finds nothing in the shell scripts.
set -eu

command -v shellcheck >/dev/null || exit 77
find scripts tests examples bench -name '*.sh' -exec shellcheck -x .ci/run {} +
