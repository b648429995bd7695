# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lib.sh: what the tests of real programs have in common. For bash, to be sourced.
#
# Programs run inside the library with "${server[@]}" or "${client[@]}" in front of them,
# everything else is an outsider. The two differ in where they leave their counters.
set -euo pipefail

: "${KTLS_PRELOAD:?is set by ctest}" "${KTLS_BUILD_DIR:?is set by ctest}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
patience=30 # seconds for any one step, on a slow machine
pids=()
dir=$(mktemp -d)
mkdir "$dir/server" "$dir/client"
# An address of our own: tests that run at the same time do not share ports.
address=127.$((64 + ($$ >> 16 & 63))).$(($$ >> 8 & 255)).$(($$ & 255))
# shellcheck disable=SC2034 # for the scripts
{
	server=(env "LD_PRELOAD=$KTLS_PRELOAD" "KTLS_STATS=$dir/server")
	client=(env "LD_PRELOAD=$KTLS_PRELOAD" "KTLS_STATS=$dir/client")
}

cleanup()
{
	local pid

	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT

fail()
{
	echo "FAIL: $*" >&2
	for log in "$dir"/*.log; do
		[ -s "$log" ] && tail -n 20 "$log" | sed "s|^|${log##*/}: |" >&2
	done
	exit 1
}

# need PROGRAM...: the test is skipped where one is missing.
need()
{
	local program

	for program; do
		command -v "$program" >/dev/null || {
			echo "skipped: no $program"
			exit 77
		}
	done
}

# now: milliseconds, for deadlines.
now()
{
	local micro=${EPOCHREALTIME/[.,]/}

	echo "${micro%???}"
}

# retry COMMAND...: until it succeeds or patience ends.
retry()
{
	local deadline=$(($(now) + patience * 1000))

	until "$@"; do
		[ "$(now)" -lt $deadline ] || return 1
		sleep 0.02
	done
}

# listens PORT: somebody does, at our address. Without connecting, which would count.
listens()
{
	local a b c d

	IFS=. read -r a b c d <<<"$address"
	grep -q "$(printf ' %02X%02X%02X%02X:%04X 00000000:0000 0A ' \
		"$d" "$c" "$b" "$a" "$1")" /proc/net/tcp
}

# await_exit PID: its exit status, 124 when it does not end.
await_exit()
{
	timeout $patience tail --pid="$1" -f /dev/null || return 124
	wait "$1"
}

# make_certificate: an ECDSA one, which all suites of TLS 1.2 that we want can use.
make_certificate()
{
	openssl req -x509 -nodes -days 1 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-subj /CN=localhost -addext "subjectAltName=DNS:localhost,IP:$address" \
		-keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
	# What turns kernel TLS on in programs that do not ask for it themselves.
	cat >"$dir/ktls.cnf" <<-END
		openssl_conf = init
		[init]
		ssl_conf = modules
		[modules]
		system_default = sys
		[sys]
		Options = KTLS
	END
}

# make_files: $dir/files/SIZE, and in sum[SIZE] their hashes. An empty record, a short
# one, exactly one full record, one byte more, and what needs many.
sizes=(0 1 16384 16385)
big=104857600
declare -A sum
# shellcheck disable=SC2034 # for the scripts
make_files()
{
	local size

	mkdir -p "$dir/files"
	for size in "${sizes[@]}" $big; do
		head -c "$size" /dev/urandom >"$dir/files/$size"
		sum[$size]=$(hash <"$dir/files/$size")
	done
}

hash()
{
	sha256sum | cut -d ' ' -f 1
}

# mark server|client: remembers the counters as they are.
mark()
{
	"$here/stats.py" mark "$dir/$1" >"$dir/$1.mark"
}

# expect server|client CONDITION...: the counters since mark, see stats.py.
expect()
{
	local side=$1

	shift
	"$here/stats.py" expect "$dir/$side" "$dir/$side.mark" "$@" ||
		fail "$side: the counters do not show it: $*"
}
