#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# compat_orders.sh INCLUDE_DIR: <sys/ktls_compat.h> compiles without a warning before,
# between and after every combination of the system headers that share its name space, in
# C and in C++, and means the same everywhere. CC and CXX choose the compilers.
set -euo pipefail

include=${1:?usage: compat_orders.sh INCLUDE_DIR}
cc=${CC:-cc} cxx=${CXX:-c++}
ours=sys/ktls_compat.h
warnings=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

modes=(
	"$cc -x c -std=c99"
	"$cc -x c -std=c11 -D_GNU_SOURCE"
	"$cxx -x c++ -std=c++11"
)

# Compilers do not warn about what system headers redefine, so the values are checked
# after all of them were read.
cat >"$dir/check" <<'END'
#if TCP_TXTLS_ENABLE != 39 || TCP_TXTLS_MODE != 40 || TCP_RXTLS_ENABLE != 41 || \
	TCP_RXTLS_MODE != 42 || TLS_SET_RECORD_TYPE != 1 || TLS_GET_RECORD != 2
#error "an option or control message has lost its value"
#endif
typedef int enable_is_64[sizeof(struct tls_enable) == 64 ? 1 : -1];
typedef int record_is_6[sizeof(struct tls_get_record) == 6 ? 1 : -1];
END

# compile MODE HEADER...: 0 when a file of these includes and the check compiles.
compile()
{
	local mode=$1
	shift
	{
		printf '#include <%s>\n' "$@"
		cat "$dir/check"
	} >"$dir/file"
	# shellcheck disable=SC2086
	$mode "${warnings[@]}" -I"$include" "$dir/file" 2>"$dir/errors"
}

count=0
# orders "CHOSEN" "LEFT": every order of the headers in LEFT behind those in CHOSEN.
orders()
{
	local chosen=$1 left=$2 header mode

	if [ -z "${left// /}" ]; then
		for mode in "${modes[@]}"; do
			# shellcheck disable=SC2086
			if ! compile "$mode" $chosen; then
				echo "FAIL: $mode:$chosen" >&2
				cat "$dir/errors" >&2
				exit 1
			fi
			count=$((count + 1))
		done
		return
	fi
	for header in $left; do
		# shellcheck disable=SC2086
		orders "$chosen $header" "$(printf '%s\n' $left | grep -vxF "$header" | xargs)"
	done
}

# The check itself must be able to fail.
cat >"$dir/linux_tls.h" <<'END'
#undef TLS_GET_RECORD
#define TLS_GET_RECORD 3
END
if compile "${modes[0]} -I$dir" "$ours" linux_tls.h ||
	! grep -q 'lost its value' "$dir/errors"; then
	echo "FAIL: a changed value went unnoticed" >&2
	exit 1
fi

combinations=("" netinet/in.h linux/tls.h "netinet/in.h linux/tls.h")
for combination in "${combinations[@]}"; do
	# Never both: glibc's <netinet/tcp.h> and the kernel's <linux/tcp.h> define the same
	# structures, and no program can include the two, with or without our header.
	for tcp in "" netinet/tcp.h linux/tcp.h; do
		orders "" "$ours $tcp $combination"
	done
done
compile "${modes[1]}" "$ours" "$ours" # and twice
echo "ok: $count files compiled with $cc and $cxx"
