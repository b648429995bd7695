#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# nginx.sh: Debian's nginx inside the library, with everybody's clients outside of it and
# OpenSSL's inside: each suite that OpenSSL 3.0 gives to kernel TLS, with and without
# sendfile, one worker and four, many requests on a connection, uploads, and nginx as the
# client of another nginx.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
need nginx curl openssl gnutls-cli wget

make_certificate
make_files
mkdir "$dir/put" "$dir/temp"

# PORT VERSION SUITE CIPHERS-OF-OPENSSL
suites=(
	"8443 1.2 AES-128-GCM ECDHE-ECDSA-AES128-GCM-SHA256"
	"8444 1.2 AES-256-GCM ECDHE-ECDSA-AES256-GCM-SHA384"
	"8445 1.2 AES-128-CCM ECDHE-ECDSA-AES128-CCM"
	"8446 1.2 CHACHA20-POLY1305 ECDHE-ECDSA-CHACHA20-POLY1305"
	"8447 1.3 AES-128-GCM TLS_AES_128_GCM_SHA256"
	"8448 1.3 AES-256-GCM TLS_AES_256_GCM_SHA384"
	"8449 1.3 CHACHA20-POLY1305 TLS_CHACHA20_POLY1305_SHA256"
)
# What clients must be asked for so that they offer CCM, too.
any_cipher=ALL:@SECLEVEL=0
any_priority=NORMAL:+AES-128-CCM:%DISABLE_TLS13_COMPAT_MODE

# Directories by how they are sent: /sendfile/, /write/, /threads/ and /upstream/, which
# nginx gets from itself over TLS 1.2, so that it is a client inside the library as well.
server_block() # PORT VERSION SUITE CIPHERS
{
	cat <<-END
		server {
			listen $address:$1 ssl ${http2:+http2} $reuseport;
			ssl_protocols TLSv$2;
			ssl_conf_command Options KTLS;
			$([ "$2" = 1.3 ] && echo "ssl_conf_command Ciphersuites $4;" ||
				echo "ssl_ciphers $4;")
			location /sendfile/ { alias $dir/files/; sendfile on; }
			location /write/ { alias $dir/files/; sendfile off; }
			location /threads/ { alias $dir/files/; sendfile on;
				aio threads; }
			location /put/ { alias $dir/put/; dav_methods PUT; }
			location /upstream/ {
				proxy_pass https://$address:8444/write/;
				proxy_ssl_conf_command Options KTLS;
				proxy_ssl_protocols TLSv1.2;
				proxy_buffering off;
			}
		}
	END
}

start_nginx() # WORKERS
{
	local suite

	reuseport=
	[ "$1" = 1 ] || reuseport=reuseport
	{
		cat <<-END
			daemon off;
			worker_processes $1;
			user root;
			pid $dir/nginx.pid;
			error_log $dir/error.log info;
			events { worker_connections 256; }
			http {
				access_log off;
				ssl_certificate $dir/cert.pem;
				ssl_certificate_key $dir/key.pem;
				keepalive_requests 10000;
				client_max_body_size 0;
				client_body_temp_path $dir/temp/body;
				proxy_temp_path $dir/temp/proxy;
				fastcgi_temp_path $dir/temp/fastcgi;
				uwsgi_temp_path $dir/temp/uwsgi;
				scgi_temp_path $dir/temp/scgi;
		END
		for suite in "${suites[@]}"; do
			# shellcheck disable=SC2086 # four words
			http2='' server_block $suite
		done
		http2=yes server_block 8450 1.3 AES-256-GCM TLS_AES_256_GCM_SHA384
		echo '}'
	} >"$dir/nginx.conf"
	: >"$dir/error.log"
	# Its workers give up root: by then they may not see the build tree any more.
	"${server[@]}" KTLS_LOAD=eager nginx -e "$dir/error.log" -c "$dir/nginx.conf" 2>"$dir/nginx.log" &
	nginx=$!
	pids+=("$nginx")
	retry listens 8450 || fail "nginx does not start"
}

# It ends by itself when asked to, and had nothing to complain of.
stop_nginx()
{
	local status=0

	kill -QUIT "$nginx"
	await_exit "$nginx" || status=$?
	[ $status = 0 ] || fail "nginx: status $status"
	! grep -E '\[(emerg|alert|crit|error)\]' "$dir/error.log" >&2 ||
		fail "nginx complained"
}

# The clients. Each writes the body of https://$address:PORT/PATH to stdout.
get_curl()
{
	curl -sS --fail --max-time 60 --cacert "$dir/cert.pem" --ciphers $any_cipher \
		"https://$address:$1/$2"
}

get_wget()
{
	wget -q --tries=1 --timeout=60 --ca-certificate="$dir/cert.pem" \
		--ciphers=$any_priority -O - "https://$address:$1/$2"
}

request()
{
	printf 'GET /%s HTTP/1.0\r\n\r\n' "$1"
}

body()
{
	LC_ALL=C sed '1,/^\r$/d'
}

# -ign_eof: the end of the request is not the end of the connection.
get_openssl()
{
	request "$2" | timeout 60 openssl s_client -quiet -ign_eof -cipher $any_cipher \
		-CAfile "$dir/cert.pem" -verify_return_error \
		-connect "$address:$1" 2>"$dir/s_client.log" | body
}

get_openssl_inside()
{
	request "$2" | OPENSSL_CONF=$dir/ktls.cnf timeout 60 "${client[@]}" \
		openssl s_client -quiet -ign_eof -cipher $any_cipher \
		-CAfile "$dir/cert.pem" -verify_return_error \
		-connect "$address:$1" 2>"$dir/s_client.log" | body
}

get_gnutls()
{
	request "$2" | timeout 60 gnutls-cli --logfile="$dir/gnutls.log" \
		--priority=$any_priority --x509cafile="$dir/cert.pem" \
		--verify-hostname=localhost -p "$1" "$address" | body
}

check() # WHAT SIZE HASH
{
	[ "$3" = "${sum[$2]}" ] || fail "$1: $2 bytes: what arrived is not what was sent"
}

get() # CLIENT PORT DIRECTORY SIZE
{
	check "$*" "$4" "$("get_$1" "$2" "$3/$4" | hash)"
}

get_python() # PORT DIRECTORY: all sizes
{
	local size urls=() hashes i=0

	for size in "${sizes[@]}"; do
		urls+=("https://$address:$1/$2/$size")
	done
	mapfile -t hashes < <(
		"$here/https_get.py" "$dir/cert.pem" $any_cipher "${urls[@]}"
	)
	for size in "${sizes[@]}"; do
		check "python $*" "$size" "${hashes[i++]-}"
	done
}

# What the sender and, in TLS 1.2, the receiver must have done for COUNT connections on
# which BYTES of content were sent.
expect_connections() # VERSION SUITE COUNT BYTES
{
	expect server "tx.$2>=$3" "shim.tx_bytes>=$4"
	[ "$1" != 1.2 ] || expect server "rx.$2>=$3" "shim.rx_records>=$3"
}

outsiders() # PORT VERSION SUITE
{
	local how size client total=0

	for size in "${sizes[@]}"; do
		total=$((total + size))
	done
	for how in sendfile write; do
		mark server
		for client in curl openssl gnutls wget; do
			for size in "${sizes[@]}"; do
				get $client "$1" $how "$size"
			done
		done
		get_python "$1" $how
		expect_connections "$2" "$3" $((5 * ${#sizes[@]})) $((5 * total))
		if [ $how = sendfile ]; then
			expect server "shim.sendfile_bytes>=$((5 * total))"
		else
			expect server "shim.sendfile_calls==0"
		fi
	done
	echo "ok: TLS $2 $3, clients outside"
}

both_inside() # PORT VERSION SUITE
{
	local size

	mark client
	for size in "${sizes[@]}"; do
		get openssl_inside "$1" sendfile "$size"
	done
	expect client "tx.$3==${#sizes[@]}" "shim.tx_records>=${#sizes[@]}"
	[ "$2" != 1.2 ] || expect client "rx.$3==${#sizes[@]}" "shim.rx_bytes>=32770"
	echo "ok: TLS $2 $3, both inside"
}

large() # CLIENT PORT DIRECTORY VERSION SUITE
{
	mark server
	get "$1" "$2" "$3" $big
	expect_connections "$4" "$5" 1 $big
	[ "$3" = write ] || expect server "shim.sendfile_bytes>=$big"
	echo "ok: TLS $4 $5, 100 MiB by $3 to $1"
}

keepalive() # PORT VERSION SUITE
{
	local urls=() path i n=0

	for ((i = 0; i < 100; i++)); do
		for path in sendfile/16385 write/1 sendfile/0 sendfile/16384; do
			urls+=("https://$address:$1/$path")
		done
	done
	mark server
	while read -r got; do
		[[ " ${sum[16385]} ${sum[1]} ${sum[0]} ${sum[16384]} " = *" $got "* ]] ||
			fail "keepalive on port $1: answer $n is wrong"
		n=$((n + 1))
	done < <("$here/https_get.py" "$dir/cert.pem" $any_cipher --keep "${urls[@]}")
	[ $n = ${#urls[@]} ] || fail "keepalive on port $1: $n answers"
	expect server "tx.$3==1" "shim.tx_bytes>=3277000"
	[ "$2" != 1.2 ] || expect server "rx.$3==1" "shim.rx_records>=$n"
	echo "ok: TLS $2 $3, $n requests on a connection"
}

upload() # PORT VERSION SUITE
{
	local upload=$dir/files/upload

	[ -e "$upload" ] || head -c 20971520 /dev/urandom >"$upload"
	mark server
	curl -sS --fail --max-time 60 --cacert "$dir/cert.pem" --ciphers $any_cipher \
		-T "$upload" "https://$address:$1/put/$1" || fail "upload to port $1"
	cmp "$upload" "$dir/put/$1" >&2 || fail "upload to port $1: not what was sent"
	expect server "tx.$3==1"
	[ "$2" != 1.2 ] || expect server "rx.$3==1" "shim.rx_bytes>=20971520"
	echo "ok: TLS $2 $3, upload"
}

upstream()
{
	mark server
	get curl 8448 upstream $big
	expect server tx.AES-256-GCM==3 rx.AES-256-GCM==2 "shim.rx_bytes>=$big" \
		"shim.tx_bytes>=$((2 * big))"
	echo "ok: nginx as the client of nginx, 100 MiB"
}

http2()
{
	mark server
	[ "$(curl -sS --http2 -o "$dir/h2" -w '%{http_version}' --cacert "$dir/cert.pem" \
		"https://$address:8450/sendfile/$big")" = 2 ] || fail "not HTTP/2"
	check http2 $big "$(hash <"$dir/h2")"
	expect server tx.AES-256-GCM==1 "shim.tx_bytes>=$big"
	echo "ok: HTTP/2, 100 MiB"
}

# Many connections at a time. Each worker has counters of its own.
four_workers()
{
	local suite words size how count=0

	mark server
	for suite in "${suites[@]}"; do
		read -ra words <<<"$suite"
		for size in "${sizes[@]}" "${sizes[@]}" "${sizes[@]}"; do
			for how in sendfile write threads; do
				echo "url = https://$address:${words[0]}/$how/$size"
				count=$((count + 1))
				echo "output = $dir/temp/got.$size.$count"
			done
		done
	done >"$dir/urls"
	curl -sS --fail --max-time 60 --no-progress-meter -Z --parallel-max 32 \
		--cacert "$dir/cert.pem" --ciphers $any_cipher -K "$dir/urls" ||
		fail "four workers: curl"
	for file in "$dir"/temp/got.*; do
		size=${file##*/got.}
		size=${size%.*}
		check "four workers" "$size" "$(hash <"$file")"
		count=$((count - 1))
	done
	[ $count = 0 ] || fail "four workers: $count answers are missing"
	expect server "processes>=2" "offload_total>=40" "shim.sendfile_calls>=40"
	get curl 8443 threads $big
	echo "ok: four workers, many connections at a time"
}

start_nginx 1
for suite in "${suites[@]}"; do
	read -r port version name _ <<<"$suite"
	outsiders "$port" "$version" "$name"
	both_inside "$port" "$version" "$name"
	keepalive "$port" "$version" "$name"
	upload "$port" "$version" "$name"
done
# Not gnutls-cli, which writes what it receives byte by byte.
large curl 8443 sendfile 1.2 AES-128-GCM
large wget 8444 write 1.2 AES-256-GCM
large openssl 8445 sendfile 1.2 AES-128-CCM
large curl 8446 sendfile 1.2 CHACHA20-POLY1305
large openssl 8447 sendfile 1.3 AES-128-GCM
large curl 8448 sendfile 1.3 AES-256-GCM
large wget 8449 write 1.3 CHACHA20-POLY1305
upstream
http2
stop_nginx
start_nginx 4
four_workers
stop_nginx
