#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint-man.sh: mandoc finds nothing in the manual pages.
set -eu

command -v mandoc >/dev/null || exit 77
mandoc -T lint -W warning man/*.[0-9]
