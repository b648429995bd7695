#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# e2e_examples.sh BUILD_DIR: the example server and client of BUILD_DIR talk to the
# unmodified openssl(1), in each cipher suite of TLS 1.3, and to each other.
set -euo pipefail

build=${1:?usage: e2e_examples.sh BUILD_DIR}
suites=(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256)
patience=20 # seconds for any one step, on a slow machine

fail()
{
	echo "FAIL: $*" >&2
	for log in "$dir"/*.err; do
		[ -s "$log" ] && tail -n 20 "$log" | sed "s|^|${log##*/}: |" >&2
	done
	exit 1
}

dir=$(mktemp -d)
pids=()
cleanup()
{
	local pid

	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT

# program NAME: where in the build directory it is.
program()
{
	find "$build" -name "$1" -type f -perm -u+x -print -quit
}
ktls_echo_server=$(program ktls_echo_server)
ktls_echo_client=$(program ktls_echo_client)
[[ -n $ktls_echo_server && -n $ktls_echo_client ]] ||
	fail "the examples are not in $build"

openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
	-keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null

# Lines that are empty, that look like commands of s_client, that need several segments;
# more of them than two records hold. 16384 is the longest line s_server reverses whole.
{
	echo hello
	echo
	echo Quit
	echo "$(head -c 3000 /dev/zero | tr '\0' a)z"
	seq 1 4000
	echo "$(head -c 16000 /dev/zero | tr '\0' b)z"
	echo end
} >"$dir/input"

# await FILE PATTERN: the first line in FILE that matches; prints what \1 is.
await()
{
	local deadline=$((SECONDS + patience)) found

	while [ "$SECONDS" -lt "$deadline" ]; do
		found=$(sed -n "s/$2/\\1/p" "$1" 2>/dev/null | head -n 1)
		if [ -n "$found" ]; then
			echo "$found"
			return 0
		fi
		sleep 0.05
	done
	return 1
}

# await_exit PID: its exit status, 124 when it does not end.
await_exit()
{
	timeout "$patience" tail --pid="$1" -f /dev/null || return 124
	wait "$1"
}

# compare WHAT EXPECTED ACTUAL
compare()
{
	cmp "$2" "$3" >&2 || fail "$1: not what was sent came back"
}

# start_server SUITE: an echo server for one connection; sets port and server.
start_server()
{
	: >"$dir/server.out"
	"$ktls_echo_server" -1 -p 0 -c "$dir/cert.pem" -k "$dir/key.pem" -C "$1" \
		>"$dir/server.out" 2>"$dir/server.err" &
	server=$!
	pids+=("$server")
	port=$(await "$dir/server.out" '^listening on 127\.0\.0\.1:\([0-9]*\)$') ||
		fail "the server does not listen"
}

# s_client ends with its stdin and does not wait for answers: keep that open until all
# bytes are back.
server_with_s_client()
{
	local suite=$1 client bytes deadline=$((SECONDS + patience))

	start_server "$suite"
	mkfifo "$dir/stdin"
	openssl s_client -tls1_3 -quiet -no_ign_eof -connect "127.0.0.1:$port" \
		-ciphersuites "$suite" -CAfile "$dir/cert.pem" -verify_return_error \
		<"$dir/stdin" >"$dir/output" 2>"$dir/s_client.err" &
	client=$!
	pids+=("$client")
	exec 3>"$dir/stdin"
	cat "$dir/input" >&3
	bytes=$(stat -c %s "$dir/input")
	while [ "$(stat -c %s "$dir/output")" -lt "$bytes" ] &&
		[ "$SECONDS" -lt "$deadline" ]; do
		sleep 0.05
	done
	exec 3>&-
	rm "$dir/stdin"
	await_exit "$client" || fail "$suite: s_client: status $?"
	await_exit "$server" || fail "$suite: server: status $?"
	compare "$suite, server" "$dir/input" "$dir/output"
	grep -q '^kernel TLS: send [sn]' "$dir/server.err" || fail "no kernel TLS"
}

run_client()
{
	timeout "$patience" "$ktls_echo_client" -p "$port" -c "$dir/cert.pem" -C "$1" \
		<"$dir/input" >"$dir/output" 2>"$dir/client.err" ||
		fail "$1: client: status $?"
}

# s_server -rev sends each line back reversed.
client_with_s_server()
{
	local suite=$1 s_server

	openssl s_server -tls1_3 -rev -naccept 1 -accept 127.0.0.1:0 \
		-cert "$dir/cert.pem" -key "$dir/key.pem" \
		>"$dir/s_server.out" 2>"$dir/s_server.err" &
	s_server=$!
	pids+=("$s_server")
	port=$(await "$dir/s_server.out" '^ACCEPT .*:\([0-9]*\)$') ||
		fail "s_server does not listen"
	run_client "$suite"
	await_exit "$s_server" || fail "$suite: s_server: status $?"
	rev "$dir/input" >"$dir/expected"
	compare "$suite, client" "$dir/expected" "$dir/output"
}

client_with_server()
{
	start_server "$1"
	run_client "$1"
	await_exit "$server" || fail "$1: server: status $?"
	compare "$1, both" "$dir/input" "$dir/output"
}

for suite in "${suites[@]}"; do
	server_with_s_client "$suite"
	client_with_s_server "$suite"
	client_with_server "$suite"
	echo "ok: $suite"
done
