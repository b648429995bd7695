#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# openssl.sh: openssl s_server and s_client with kernel TLS on, both inside the library:
# files by write and by SSL_sendfile, and both directions at the same time.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need openssl

make_certificate
make_files
port=8443
printf 'HTTP/1.0 200 OK\r\n\r\n' | cat - "$dir/files/16385" >"$dir/files/http"
sum[http]=${sum[16385]}
export OPENSSL_CONF=$dir/ktls.cnf
# The server has the engine that is fastest here; the two need not be the same.
client+=(KTLS_CIPHER=libcrypto)

# VERSION SUITE CIPHERS-OF-OPENSSL RECEIVES: with OpenSSL 3.0 it is 1.2 that receives in
# the library and 1.2 that has CCM; with 3.2 and later (another record layer) 1.3 as well.
suites=(
	"1_2 AES-128-GCM ECDHE-ECDSA-AES128-GCM-SHA256 1"
	"1_2 AES-256-GCM ECDHE-ECDSA-AES256-GCM-SHA384 1"
	"1_2 AES-128-CCM ECDHE-ECDSA-AES128-CCM 1"
	"1_2 CHACHA20-POLY1305 ECDHE-ECDSA-CHACHA20-POLY1305 1"
)
receives13=0
case $(openssl version) in
"OpenSSL 3."[01].*) ;;
*) receives13=1 ;;
esac
suites+=(
	"1_3 AES-128-GCM TLS_AES_128_GCM_SHA256 $receives13"
	"1_3 AES-256-GCM TLS_AES_256_GCM_SHA384 $receives13"
	"1_3 CHACHA20-POLY1305 TLS_CHACHA20_POLY1305_SHA256 $receives13"
)
[ $receives13 = 0 ] || suites+=("1_3 AES-128-CCM TLS_AES_128_CCM_SHA256 1")

# start_server OPTION...: sets pid. Its input is what the caller redirects.
start_server()
{
	: >"$dir/s_server.log"
	case $version in
	1_2) set -- -cipher "$cipher" "$@" ;;
	1_3) set -- -ciphersuites "$cipher" "$@" ;;
	esac
	(
		cd "$dir/files"
		exec "${server[@]}" openssl s_server "-tls$version" \
			-accept "$address:$port" -cert "$dir/cert.pem" \
			-key "$dir/key.pem" "$@" \
			>"$dir/s_server.out" 2>"$dir/s_server.log"
	) <&0 &
	pid=$!
	pids+=("$pid")
	retry listens $port || fail "s_server does not start"
}

run_client() # OPTION...
{
	timeout 60 "${client[@]}" openssl s_client -quiet -cipher ALL:@SECLEVEL=0 \
		-ciphersuites "$cipher13" -CAfile "$dir/cert.pem" -verify_return_error \
		-connect "$address:$port" "$@" 2>"$dir/s_client.log"
}

get() # SIZE
{
	printf 'GET /%s HTTP/1.0\r\n\r\n' "$1" | run_client -ign_eof |
		LC_ALL=C sed '1,/^\r$/d' | hash
}

# The server ends after as many connections as there are files; all were sent by it.
files() # WHAT SENDFILE FILE... -- OPTION...
{
	local what=$1 sendfile=$2 file count=0 names=() got total=0

	shift 2
	while [ "$1" != -- ]; do
		names+=("$1")
		count=$((count + 1))
		shift
	done
	shift
	mark server
	mark client
	start_server -naccept $count "$@" </dev/null
	for file in "${names[@]}"; do
		got=$(get "$file")
		[ "$got" = "${sum[$file]}" ] ||
			fail "$version $suite $what $file: wrong data"
		total=$((total + $(stat -c %s "$dir/files/$file")))
	done
	await_exit "$pid" || fail "$version $suite $what: s_server: status $?"
	expect server "tx.$suite==$count" "rx.$suite==$((count * receives))" \
		"shim.tx_bytes>=$total"
	expect client "tx.$suite==$count" "rx.$suite==$((count * receives))" \
		"shim.rx_bytes>=$((total * receives))"
	if [ "$sendfile" = yes ]; then
		expect server "shim.sendfile_bytes==$total"
	else
		expect server "shim.sendfile_calls==0"
	fi
	echo "ok: TLS $version $suite, $what: ${names[*]}"
}

# 20 MiB each way at the same time. When both have all, the client's input ends. One of
# the two must be nonblocking: else both wait in a write, and nobody reads.
both_ways()
{
	local upload=$dir/files/upload download=$dir/files/download size=20971520
	local what="$version $suite both ways" client_pid

	[ -e "$upload" ] || head -c $size /dev/urandom >"$upload"
	[ -e "$download" ] || head -c $size /dev/urandom >"$download"
	mkfifo "$dir/to_client" "$dir/to_server"
	exec 8<>"$dir/to_client" 9<>"$dir/to_server"
	mark server
	mark client
	start_server -naccept 1 -quiet <"$dir/to_client" 8>&- 9>&-
	run_client -nbio -no_ign_eof -nocommands \
		<"$dir/to_server" >"$dir/s_client.out" 8>&- 9>&- &
	client_pid=$!
	timeout $patience cat "$download" >&8 9>&- &
	timeout $patience cat "$upload" >&9 ||
		fail "$what: the client does not read its input"
	wait $! || fail "$what: the server does not read its input"
	retry cmp -s "$upload" "$dir/s_server.out" ||
		fail "$what: the server has not received what was sent"
	retry cmp -s "$download" "$dir/s_client.out" ||
		fail "$what: the client has not received what was sent"
	exec 9>&-
	await_exit $client_pid || fail "$what: s_client: status $?"
	await_exit "$pid" || fail "$what: s_server: status $?"
	for side in server client; do
		expect $side "tx.$suite==1" "rx.$suite==$receives" \
			"shim.tx_bytes>=$size" "shim.rx_bytes>=$((size * receives))"
	done
	exec 8>&-
	rm "$dir/to_client" "$dir/to_server"
	echo "ok: TLS $version $suite, both ways"
}

cipher13=TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
cipher13+=:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256
for words in "${suites[@]}"; do
	read -r version suite cipher receives <<<"$words"
	files write no "${sizes[@]}" -- -WWW -http_server_binmode
	files sendfile yes "${sizes[@]}" -- -WWW -http_server_binmode -sendfile
	files HTTP no http -- -HTTP -http_server_binmode
	case $suite in
	AES-256-GCM) files write no $big -- -WWW -http_server_binmode ;;
	*) files sendfile yes $big -- -WWW -http_server_binmode -sendfile ;;
	esac
	both_ways
done
