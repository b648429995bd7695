#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# keyupdate.sh: KeyUpdate (RFC 8446 4.6.3) between openssl s_server and s_client of 3.2 or
# later, both inside the library: from either side, with and without asking the other
# side for one. OpenSSL before that does not tell the kernel about it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need openssl
case $(openssl version) in
"OpenSSL 3."[01].*)
	echo "skipped: this OpenSSL cannot update keys that it has given to the kernel"
	exit 77
	;;
esac

make_certificate
export OPENSSL_CONF=$dir/ktls.cnf
port=8443
lines=0

other() # server|client
{
	[ "$1" = client ] && echo server || echo client
}

# tell server|client TEXT: to its standard input.
tell()
{
	case $1 in
	server) echo "$2" >&8 ;;
	client) echo "$2" >&9 ;;
	esac
}

# say server|client: a line, which arrives at the other side.
say()
{
	local other

	other=$(other "$1")
	lines=$((lines + 1))
	tell "$1" "line $lines of the $1"
	retry grep -aq "^line $lines of the $1\$" "$dir/$other.out" ||
		fail "$suite: line $lines does not arrive at the $other"
}

# update server|client LETTER: K updates the sending key and asks the other side to do
# so, which it does when it sends next; k asks for nothing. A command must be read alone,
# so this waits until it has worked.
update()
{
	local side=$1 letter=$2 other

	other=$(other "$side")
	mark "$side"
	mark "$other"
	tell "$side" "$letter"
	expect "$side" shim.rekeys_tx==1 shim.rekeys_rx==0
	expect "$other" shim.rekeys_rx==1
	say "$side"
	say "$other"
	if [ "$letter" = K ]; then
		expect "$side" shim.rekeys_tx==1 shim.rekeys_rx==1
		expect "$other" shim.rekeys_tx==1 shim.rekeys_rx==1
	else
		expect "$side" shim.rekeys_tx==1 shim.rekeys_rx==0
		expect "$other" shim.rekeys_tx==0 shim.rekeys_rx==1
	fi
}

key_updates() # SUITE CIPHERSUITE
{
	local server_pid client_pid side letter

	suite=$1
	mkfifo "$dir/to_client" "$dir/to_server"
	exec 8<>"$dir/to_server" 9<>"$dir/to_client"
	mark server
	mark client
	"${server[@]}" openssl s_server -tls1_3 -ciphersuites "$2" -naccept 1 \
		-accept "$address:$port" -cert "$dir/cert.pem" -key "$dir/key.pem" \
		<"$dir/to_server" >"$dir/server.out" 2>"$dir/s_server.log" 8>&- 9>&- &
	server_pid=$!
	pids+=("$server_pid")
	retry listens $port || fail "s_server does not start"
	"${client[@]}" openssl s_client -tls1_3 -ciphersuites "$2" \
		-connect "$address:$port" -CAfile "$dir/cert.pem" -verify_return_error \
		<"$dir/to_client" >"$dir/client.out" 2>"$dir/s_client.log" 8>&- 9>&- &
	client_pid=$!
	pids+=("$client_pid")
	say client
	say server
	expect server "tx.$1==1" "rx.$1==1"
	expect client "tx.$1==1" "rx.$1==1"
	for letter in K k K; do
		for side in client server; do
			update $side $letter
		done
	done
	tell client Q
	await_exit $client_pid || fail "$1: s_client: status $?"
	await_exit $server_pid || fail "$1: s_server: status $?"
	exec 8>&- 9>&-
	rm "$dir/to_client" "$dir/to_server"
	echo "ok: KeyUpdate, $1"
}

key_updates AES-128-GCM TLS_AES_128_GCM_SHA256
key_updates AES-256-GCM TLS_AES_256_GCM_SHA384
key_updates CHACHA20-POLY1305 TLS_CHACHA20_POLY1305_SHA256
key_updates AES-128-CCM TLS_AES_128_CCM_SHA256
