#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint-tidy.sh BUILD_DIR: clang-tidy finds nothing in what the build compiles.
set -eu

command -v run-clang-tidy >/dev/null || exit 77
build=$1
[ -e "$build/compile_commands.json" ] || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Options that only gcc knows would each be an error of clang's.
sed 's/ -fno-sanitize-recover=all//g' "$build/compile_commands.json" \
	>"$work/compile_commands.json"
run-clang-tidy -quiet -p "$work" 2>"$work/errors" || {
	cat "$work/errors"
	exit 1
}
