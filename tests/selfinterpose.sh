#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# selfinterpose.sh LIBRARY OBJECT...: no object below the libc entry points calls a name
# that the library exports: it would land in our own wrapper and not in libc. They go
# through src/real.h instead.
set -eu

library=$1
shift
status=0
exports=$(mktemp)
trap 'rm -f "$exports"' EXIT
nm -D --defined-only "$library" | awk '{ print $3 }' >"$exports"
[ -s "$exports" ] && [ $# -gt 0 ] || exit 1
for object; do
	if calls=$(nm -u "$object" | awk '{ print $2 }' | grep -Fx -f "$exports"); then
		echo "$(basename "$object") calls: $calls"
		status=1
	fi
done
exit $status
