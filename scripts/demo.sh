#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# demo.sh: Debian's nginx serves a file with kernel TLS on a kernel that may have none.
#
# curl fetches it with TLS 1.3 and 1.2; openssl s_client with TLS 1.2 and the library on
# its side, too. Then: what the library did, from its own counters. Installs and builds
# what is missing; KTLS_BUILD_DIR names a build to take as it is.
set -euo pipefail

cd "$(dirname "$0")/.."
size_mib=64
patience=30 # seconds for any one step, on a slow machine

fail()
{
	echo "demo: $*" >&2
	[ ! -s "${log:-}" ] || sed 's/^/  /' "$log" >&2
	exit 1
}

prepare()
{
	# unit: the preset looks for what its tests need, too.
	scripts/deps.sh demo build unit
	if [ ! -e build/release/build.ninja ]; then
		cmake --preset release >"$log" 2>&1 || fail "cmake --preset release:"
	fi
	# By its file: the target ktls has the name of the command's file.
	cmake --build --preset release --target libktls.so ktls_tool >"$log" 2>&1 ||
		fail "cmake --build --preset release:"
	: >"$log"
}

dir=$(mktemp -d)
log=$dir/build.log # what fail() shows
nginx_pid=
cleanup()
{
	[ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

if [ -z "${KTLS_BUILD_DIR:-}" ]; then
	prepare
fi
ktls=${KTLS_BUILD_DIR:-$PWD/build/release}/ktls
[ -x "$ktls" ] || fail "no $ktls"

# Debian keeps nginx where a plain user's PATH does not look.
PATH=$PATH:/usr/sbin
# nginx's workers give up root: they must get at the file, and count in $dir/nginx.
chmod 755 "$dir"
mkdir "$dir/www" "$dir/nginx" "$dir/s_client"
chmod 1777 "$dir/nginx"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
	-keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$log" || fail "openssl req:"
head -c "${size_mib}M" /dev/urandom >"$dir/www/file"
sum=$(sha256sum <"$dir/www/file")

# What OpenSSL needs to be told so that it asks for kernel TLS in any program.
cat >"$dir/openssl.cnf" <<-'END'
	openssl_conf = conf
	[conf]
	ssl_conf = ssl
	[ssl]
	system_default = sys
	[sys]
	Options = KTLS
END

write_nginx_conf() # PORT
{
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		pid nginx.pid;
		worker_processes 1;
		error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path tmp;
			proxy_temp_path tmp;
			fastcgi_temp_path tmp;
			uwsgi_temp_path tmp;
			scgi_temp_path tmp;
			server {
				listen 127.0.0.1:$1 ssl;
				ssl_certificate cert.pem;
				ssl_certificate_key key.pem;
				ssl_protocols TLSv1.2 TLSv1.3;
				ssl_conf_command Options KTLS;
				sendfile on;
				root www;
			}
		}
	END
}

# nginx writes its pid once it listens. Until then, and until it has ended: the port was
# not free, perhaps.
nginx_listens()
{
	local deadline=$((SECONDS + patience))

	while [ ! -s "$dir/nginx.pid" ]; do
		kill -0 "$nginx_pid" 2>/dev/null || return 1
		[ "$SECONDS" -lt "$deadline" ] || fail "nginx does not start:"
		sleep 0.02
	done
}

start_nginx()
{
	local attempt

	log=$dir/nginx.log
	for attempt in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		write_nginx_conf "$port"
		# Its workers give up root: by then they may not see the build tree any more.
		KTLS_LOAD=eager KTLS_STATS=$dir/nginx "$ktls" run nginx -e stderr -p "$dir" \
			-c "$dir/nginx.conf" 2>>"$log" &
		nginx_pid=$!
		if nginx_listens; then
			return
		fi
		wait "$nginx_pid" || true
		nginx_pid=
		grep -q 'Address already in use' "$log" || break
	done
	fail "nginx does not start, $attempt attempt(s):"
}

stop_nginx()
{
	kill -QUIT "$nginx_pid"
	timeout "$patience" tail --pid="$nginx_pid" -f /dev/null >/dev/null ||
		fail "nginx does not stop:"
	wait "$nginx_pid" || fail "nginx: exit status $?"
	nginx_pid=
}

with_curl() # OPTION...
{
	curl --silent --show-error --max-time "$patience" --cacert "$dir/cert.pem" "$@" \
		"https://127.0.0.1:$port/file"
}

# s_client shows what it receives: the HTTP header, an empty line, the file.
with_s_client()
{
	printf 'GET /file HTTP/1.0\r\n\r\n' |
		OPENSSL_CONF=$dir/openssl.cnf KTLS_STATS=$dir/s_client \
			timeout "$patience" "$ktls" run openssl s_client -quiet -tls1_2 \
			-CAfile "$dir/cert.pem" -verify_return_error \
			-connect "127.0.0.1:$port" 2>"$dir/s_client.log" |
		LC_ALL=C sed '1,/^\r$/d'
}

# fetch NAME COMMAND...: prints how it went; the hash must be the file's.
fetch()
{
	local name=$1 start=${EPOCHREALTIME/[.,]/} us got

	shift
	got=$("$@" | sha256sum) || fail "$name:"
	us=$((${EPOCHREALTIME/[.,]/} - start))
	[ "$got" = "$sum" ] || fail "$name: not the file that nginx has:"
	printf '  %-32s %4d ms   sha256 is right\n' "$name" $((us / 1000))
}

# counter DIRECTORY NAME: the sum of its processes.
counter()
{
	"$ktls" stat --raw "$1" | sed -n "s/^kern\.ipc\.tls\.stats\.shim\.$2: //p"
}

# at_least WHO NAME BYTES
at_least()
{
	local value

	value=$(counter "$dir/$1" "$2")
	[ "${value:-0}" -ge "$3" ] ||
		fail "$1: $2 is ${value:-not there}, not $3: the library was not used"
}

indented()
{
	sed 's/^/  /'
}

echo "nginx serves $size_mib MiB over HTTPS, with kernel TLS by libktls.so:"
echo
echo "  ktls run nginx      with \`ssl_conf_command Options KTLS' and \`sendfile on'"
start_nginx
echo "  $(nginx -v 2>&1 | sed 's/.*: //') listens on https://127.0.0.1:$port/"
echo
fetch "curl, TLS 1.3" with_curl --tlsv1.3
fetch "curl, TLS 1.2" with_curl --tls-max 1.2
log=$dir/s_client.log
fetch "ktls run openssl s_client, 1.2" with_s_client
log=$dir/nginx.log
stop_nginx

echo
echo "What the library did in nginx (ktls stat):"
"$ktls" stat "$dir/nginx" | indented
echo
echo "and in s_client, which received through it:"
"$ktls" stat "$dir/s_client" | indented

log=
bytes=$((size_mib << 20))
at_least nginx sendfile_bytes $((3 * bytes))
at_least nginx tx_bytes $((3 * bytes))
at_least s_client rx_bytes "$bytes"
echo
echo "All bytes went through the library, and all arrived. Next: README.md,
man -l man/ktls.1, man -l man/ktls.7"
