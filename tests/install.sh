#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install.sh: the installed tree is complete, and a program outside of it finds it with
# pkg-config and with CMake.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DESTDIR="$work/root" cmake --install "$KTLS_BUILD_DIR" >"$work/log"
pc=$(find "$work/root" -name ktls.pc)
prefix=$work/root$(pkg-config --variable=prefix "$pc")
libdir=$work/root$(pkg-config --variable=libdir "$pc")

for file in "$libdir/libktls.so" "$libdir/ktls-engines/engine_libcrypto.so" \
	"$prefix/include/sys/ktls_compat.h" "$prefix/bin/ktls"; do
	[ -e "$file" ] || {
		echo "not installed: ${file#"$work/root"}" >&2
		exit 1
	}
done

cat >"$work/consumer.c" <<'END'
#include <stdio.h>
#include <sys/ktls_compat.h>

int
main(void)
{
	int maxlen = 0;
	size_t len = sizeof(maxlen);

	if (sysctlbyname("kern.ipc.tls.maxlen", &maxlen, &len, NULL, 0) != 0)
		return 1;
	printf("%d\n", maxlen);
	return maxlen != 16384;
}
END
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$work/root"
# shellcheck disable=SC2046 # a list of options
cc -o "$work/consumer" "$work/consumer.c" $(pkg-config --cflags --libs ktls)
LD_LIBRARY_PATH=$libdir "$work/consumer"

cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(ktls 0.1 REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE ktls::ktls)
END
cmake -G Ninja -S "$work" -B "$work/build" -D CMAKE_PREFIX_PATH="$prefix" >>"$work/log"
cmake --build "$work/build" >>"$work/log"
"$work/build/consumer"
