#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# needed.sh LIBRARY: the library pulls in libc and nothing else, is bound when loaded and
# read-only then, and a program that it is preloaded into opens no other library.
set -eu

library=$1
dynamic=$(readelf -dW "$library")
fail()
{
	echo "$library: $*" >&2
	exit 1
}

needed=$(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ "$needed" = libc.so.6 ] || fail "needs: $needed"
echo "$dynamic" | grep -q 'BIND_NOW\|FLAGS_1.*NOW' || fail "is bound lazily"
! echo "$dynamic" | grep -q TEXTREL || fail "has text relocations"
readelf -lW "$library" | grep -q GNU_RELRO || fail "has no RELRO segment"
readelf -lW "$library" | grep -q 'GNU_STACK.* RW ' || fail "has an executable stack"

maps=$(LD_PRELOAD=$library cat /proc/self/maps)
echo "$maps" | grep -qF "$(realpath "$library")" || fail "was not loaded"
others=$(echo "$maps" | sed -n 's@.* \(/.*\.so[.0-9]*\)$@\1@p' | sort -u |
	grep -v -e '/libktls\.so' -e '/libc\.so\.6$' -e '/ld-linux' || true)
[ -z "$others" ] || fail "opened: $others"
