#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# bench-nginx.sh: nginx serves a file over kept-alive connections to a client outside the
# library: in the clear, with TLS of its own, and with kernel TLS under the library.
#
# Usage: bench-nginx.sh [-d SECONDS] [-r ROUNDS] [-c CONNECTIONS] [-j FILE]
#
# A file of 1 MiB, and one of 1 KiB, where calls count more than bytes; there, nginx and
# the client share one CPU, which keeps the scheduler's luck out. Prints requests per
# second, and processor time per request: nginx's and the client's together, since over
# loopback the kernel charges either with the other's work. In each of ROUNDS (5) every
# server has SECONDS (3). -j writes JSON, too. KTLS_BUILD_DIR: the build to measure,
# default build/release.
set -euo pipefail

cd "$(dirname "$0")/.."
seconds=3 rounds=5 connections=4 json=
while getopts d:r:c:j: option; do
	case $option in
	d) seconds=$OPTARG ;;
	r) rounds=$OPTARG ;;
	c) connections=$OPTARG ;;
	j) json=$OPTARG ;;
	*)
		sed -n '7s/^# *//p' "$0" >&2
		exit 2
		;;
	esac
done
build=${KTLS_BUILD_DIR:-build/release}
library=$(realpath -e "$build/libktls.so")
PATH=$PATH:/usr/sbin
scripts/deps.sh bench

dir=$(mktemp -d)
cleanup()
{
	for pid_file in "$dir"/*/pid; do
		[ ! -s "$pid_file" ] || kill "$(cat "$pid_file")" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
chmod 755 "$dir" # nginx's worker gives up root
mkdir "$dir/www"
head -c 1M /dev/urandom >"$dir/www/1MiB"
head -c 1K /dev/urandom >"$dir/www/1KiB"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
	-subj /CN=localhost -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null

# name: what it is. plain-lib is plain HTTP under the library, which must cost nothing.
servers=(plain plain-lib tls ktls)

free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# configuration NAME PORT: one worker, so that its CPU is nginx's.
configuration()
{
	local ssl='' listen=$2
	case $1 in
	tls | ktls)
		listen="$2 ssl"
		ssl="ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;
			ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
			ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
			ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"
		[ "$1" = tls ] || ssl="$ssl ssl_conf_command Options KTLS;"
		;;
	esac
	cat <<-END
		worker_processes 1;
		pid $dir/$1/pid;
		error_log $dir/$1/error.log;
		events { worker_connections 256; }
		http {
			access_log off;
			sendfile on;
			keepalive_requests 100000000;
			server { listen 127.0.0.1:$listen; root $dir/www; $ssl }
		}
	END
}

declare -A url pid
start()
{
	local preload='' scheme=http port
	port=$(free_port)
	mkdir "$dir/$1"
	chmod 1777 "$dir/$1"
	configuration "$1" "$port" >"$dir/$1/nginx.conf"
	case $1 in *lib | ktls) preload=$library ;; esac
	case $1 in tls | ktls) scheme=https ;; esac
	env ${preload:+LD_PRELOAD="$preload" KTLS_STATS="$dir/$1"} \
		nginx -e "$dir/$1/error.log" -c "$dir/$1/nginx.conf"
	url[$1]=$scheme://127.0.0.1:$port
	for _ in $(seq 50); do
		[ -s "$dir/$1/pid" ] && break
		sleep 0.1
	done
	pid[$1]=$(pgrep -P "$(cat "$dir/$1/pid")")
	# It serves the very bytes.
	curl -sk "${url[$1]}/1MiB" | cmp - "$dir/www/1MiB"
}

# Processor time of a process so far, in nanoseconds: /proc/PID/schedstat, proc(5).
cpu()
{
	cut -d ' ' -f 1 "/proc/$1/schedstat"
}

all_cpus=$(taskset -cp $$ | sed 's/.*: //')

# measure NAME FILE: requests per second; CPU microseconds per request, of both, of nginx.
measure()
{
	local before server client cpus=$all_cpus
	[ "$2" != 1KiB ] || cpus=${all_cpus##*[,-]}
	taskset -a -cp "$cpus" "${pid[$1]}" >"$dir/taskset"
	before=$(cpu "${pid[$1]}")
	TIMEFORMAT='%U %S'
	client=$({ time taskset -c "$cpus" wrk -t 1 -c "$connections" -d "${seconds}s" "${url[$1]}/$2" \
		>"$dir/wrk" 2>&1; } 2>&1)
	server=$(($(cpu "${pid[$1]}") - before))
	if grep -q -e 'Non-2xx' -e 'Socket errors' "$dir/wrk"; then
		cat "$dir/wrk" >&2
		exit 1
	fi
	awk -v server="$server" -v client="$client" '
		/requests in/ { requests = $1 }
		/^Requests\/sec/ { rate = $2 }
		END {
			split(client, c)
			nginx = server / 1000 / requests
			both = nginx + (c[1] + c[2]) * 1e6 / requests
			printf "%.1f %.3f %.3f\n", rate, both, nginx
		}' "$dir/wrk"
}

for name in "${servers[@]}"; do
	start "$name"
done
for ((round = 0; round < rounds; round++)); do
	for file in 1MiB 1KiB; do
		for ((i = 0; i < ${#servers[@]}; i++)); do
			name=${servers[(i + round) % ${#servers[@]}]}
			[ ! -t 2 ] || printf '\r\033[Kround %d of %d, %s, %s' \
				$((round + 1)) "$rounds" "$file" "$name" >&2
			echo "$file $name $(measure "$name" "$file")" >>"$dir/samples"
		done
	done
done
[ ! -t 2 ] || printf '\r\033[K' >&2

# Without sessions in the library it would be nginx's own TLS by another name.
"$build/ktls" stat "$dir"/ktls/ktls.* |
	awk '$2 == "send" { sessions += $3 } END { exit !sessions }' || {
	echo "bench-nginx.sh: nginx did not use kernel TLS" >&2
	exit 1
}

python3 - "$dir/samples" "$json" "$connections" "$rounds" "$seconds" <<'END'
import json
import statistics
import sys

path, out, connections, rounds, seconds = sys.argv[1:]
columns = ["requests_per_s", "cpu_us", "cpu_us_nginx"]
samples = {}
for line in open(path):
    file, name, *values = line.split()
    samples.setdefault(file, {}).setdefault(name, []).append(
        dict(zip(columns, map(float, values))))


def ratio(file, a, b, column):
    r = [x[column] / y[column] for x, y in zip(samples[file][a], samples[file][b])]
    return statistics.median(r), min(r), max(r)


print(f"nginx, one worker, {connections} connections, {rounds} rounds of {seconds} s")
print(f"{'file':6}{'server':12}{'requests/s':>11}{'CPU us/request':>16}{'of nginx':>10}")
for file, servers in samples.items():
    for name, values in servers.items():
        rate, cpu, nginx = (statistics.median(v[c] for v in values) for c in columns)
        print(f"{file:6}{name:12}{rate:11.0f}{cpu:16.2f}{nginx:10.2f}")
targets = [
    ("nginx 1 MiB: requests per second", "ktls/tls", "at least", 1.40,
     ratio("1MiB", "ktls", "tls", "requests_per_s")),
    ("nginx 1 KiB, plain HTTP: CPU per request", "plain-lib/plain", "at most", 1.01,
     ratio("1KiB", "plain-lib", "plain", "cpu_us")),
]
for what, names, sense, limit, (median, low, high) in targets:
    met = median >= limit if sense == "at least" else median <= limit
    print(f"{what:42}{names:17}{sense} {limit:.2f} {median:7.3f} {low:6.3f}-{high:<6.3f} "
          f"{'OK' if met else 'MISS'}")
if out:
    with open(out, "w") as f:
        json.dump({
            "connections": int(connections),
            "samples": samples,
            "targets": [{"target": w, "ratio": n, "sense": s, "limit": l,
                         "measured": m} for w, n, s, l, m in targets],
        }, f, indent=1)
END
