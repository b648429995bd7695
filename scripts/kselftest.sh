#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kselftest.sh: Linux's own kernel TLS selftest, run over libktls.
#
# Usage: kselftest.sh [-m MIN] [-t PATTERN] [BUILD_DIR]
#
# Builds tools/testing/selftests/net/tls.c of Debian's linux-source-6.12 in a temporary
# directory and runs it with BUILD_DIR/libktls.so (build/release) preloaded. Prints the
# cases that do not pass and, last, `N passed, N failed`. A skipped case has failed: the
# test skips, or quietly goes on over plain TCP, where it finds no kernel TLS.
#
#   -m MIN      exit 0 if at least MIN cases pass; without it, if all do
#   -t PATTERN  only the cases whose `fixture.variant.test` matches the regex PATTERN
#
# KTLS_PRELOAD replaces what is preloaded, for sanitizer builds; empty: the bare kernel.
set -eu

package=linux-source-6.12
deadline=900 # seconds for all cases; each has 30 of its own

usage()
{
	sed -n '5s/^# *//p' "$0" >&2
	exit 2
}

min=
pattern=
while getopts m:t: option; do
	case $option in
	m) min=$OPTARG ;;
	t) pattern=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../build/release}
if [ -z "${KTLS_PRELOAD+set}" ]; then
	preload=$(realpath -e "$build/libktls.so")
else
	preload=$KTLS_PRELOAD
fi

"$here/deps.sh" kselftest
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

selftests=tools/testing/selftests
xz -dc "/usr/src/$package.tar.xz" | tar -x -C "$work" --strip-components=1 --occurrence=1 \
	"$package/$selftests/net/tls.c" \
	"$package/$selftests/kselftest.h" "$package/$selftests/kselftest_harness.h" ||
	[ -e "$work/$selftests/net/tls.c" ] # closing the pipe early is no failure

# The packaged file calls tls_crypto_info_init() with three arguments and with four, and
# defines the one with three. The fourth is a key generation: every byte of the key
# material has its value, 0 where it is not given. And listen on loopback only.
sed -e '/^static void tls_crypto_info_init(/,/^}/ {
	s/tls_crypto_info_init(/tls_keys_init(/
	s/\*tls12)$/*tls12, int generation, .../
	/\.\.\.$/s/$/)/
	s/memset(tls12, 0, sizeof(\*tls12));/memset(tls12, generation, sizeof(*tls12));\
	tls12->len = 0;/
	/^}/a #define tls_crypto_info_init(...) tls_keys_init(__VA_ARGS__, 0)
}' -e 's/htonl(INADDR_ANY)/htonl(INADDR_LOOPBACK)/' \
	"$work/$selftests/net/tls.c" >"$work/$selftests/net/tls-fixed.c"
cc -O2 -w -o "$work/tls" "$work/$selftests/net/tls-fixed.c"

# `tls -l` lists each fixture's variants and tests side by side, in columns of 20 and 25.
# A case is one of each.
cases()
{
	"$work/tls" -l 2>&1 | awk '
	function word(s) { gsub(/ /, "", s); return s }
	function flush(   v, t) {
		if (!variants) variant[variants++] = ""
		for (v = 0; v < variants; v++)
			for (t = 0; t < tests; t++)
				print fixture (variant[v] == "" ? "" : ".") variant[v] "." test[t]
		variants = tests = 0
	}
	/^#/ { next }
	/^---/ { flush(); next }
	{
		if (substr($0, 1, 1) != " ") fixture = word(substr($0, 1, 20))
		if ((w = word(substr($0, 22, 25))) != "") variant[variants++] = w
		if ((w = word(substr($0, 48))) != "") test[tests++] = w
	}
	END { flush() }'
}

set --
if [ -n "$pattern" ]; then
	for name in $(cases | grep -E -- "$pattern"); do
		set -- "$@" -r "$name"
	done
	[ $# -gt 0 ] || {
		echo "kselftest.sh: no case matches '$pattern'" >&2
		exit 2
	}
fi

# A session of its own, since the harness gives each case a process group of its own:
# that is how to get at all of them if they hang. Some cases want an O_TMPFILE in /tmp.
cd "$work"
setsid timeout -k 10 $deadline env ${preload:+LD_PRELOAD="$preload"} "$work/tls" "$@" \
	>"$work/log" 2>&1 &
session=$!
wait $session || [ $? -lt 124 ] || {
	echo "kselftest.sh: did not end within $deadline seconds" >&2
	pkill -KILL -s $session || true
}

awk -v min="$min" '
/^1\.\.[0-9]+/ { planned = substr($0, 4) + 0; next }
/^#  RUN /     { detail = ""; lines = plain = 0; running = $3; next }
/^(not )?ok / {
	if (/^ok / && !/# SKIP/ && !plain)
		passed++
	else
		printf "%s\n%s", $0, detail
	running = ""
	next
}
/testing without tls/ { plain = 1 }
# A sanitizer that speaks up in each case would bury the rest.
!/^# +(OK|FAIL) / && lines++ < 15 { detail = detail "    " $0 "\n" }
END {
	if (running != "" || !planned)
		printf "stopped in %s\n%s", running, detail
	failed = planned - passed
	printf "%d passed, %d failed\n", passed, failed
	exit !(planned && (min == "" ? failed == 0 : passed >= min))
}' "$work/log"
