#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint-format.sh: all C is as clang-format leaves it.
set -eu

command -v clang-format >/dev/null || exit 77
find src include tests tools examples bench -name '*.[ch]' -exec \
	clang-format --dry-run --Werror {} +
