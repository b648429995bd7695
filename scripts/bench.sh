#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# bench.sh: measures everything that docs/benchmarks.md shows, and writes it there.
#
# Usage: bench.sh [-q] [-o DIR]
#
# Builds the release preset (KTLS_BUILD_DIR names a build to take as it is), prints the
# table of targets, writes JSON and SVG plots to docs/benchmarks/, and the numbers into
# docs/benchmarks.md. Half an hour on two cores, which should have nothing else to do.
#
#   -q      quick: fewer rounds and bytes, to see that it works
#   -o DIR  write to DIR/benchmarks/ and DIR/benchmarks.md instead of docs/
set -eu

cd "$(dirname "$0")/.."
quick=''
out=docs
while getopts qo: option; do
	case $option in
	q) quick=yes ;;
	o) out=$OPTARG ;;
	*)
		sed -n '5s/^# *//p' "$0" >&2
		exit 2
		;;
	esac
done

if [ -z "${KTLS_BUILD_DIR-}" ]; then
	scripts/deps.sh build bench
	cmake --preset release >/dev/null
	cmake --build --preset release >/dev/null
	KTLS_BUILD_DIR=$PWD/build/release
	export KTLS_BUILD_DIR
fi
bench=$KTLS_BUILD_DIR/bench/ktls-bench
data=$out/benchmarks
mkdir -p "$data"
[ "$out" = docs ] || cp docs/benchmarks.md "$out/benchmarks.md"

# measure JSON-NAME OPTION...: prints the table and keeps the JSON.
measure()
{
	name=$1
	shift
	echo "== $name"
	# shellcheck disable=SC2086 # a list of options
	"$bench" "$@" $rounds --json "$data/$name.json"
}

rounds=''
[ -z "$quick" ] || rounds='--rounds 1'
library=$(git describe --always --dirty 2>/dev/null || echo unknown)
printf '{"date": "%s", "library": "%s"}\n' "$(date -u +%Y-%m-%d)" "$library" \
	>"$data/machine.json"

measure targets --targets ${quick:+--quick}
echo "== micro"
# shellcheck disable=SC2086
"$KTLS_BUILD_DIR/bench/ktls-micro" $rounds --json "$data/micro.json"
echo "== nginx"
scripts/bench-nginx.sh ${quick:+-d 1 -r 1} -j "$data/nginx.json"

peers=openssl,ktls,ktls-tx,raw,plain
# On one CPU from here on, which keeps the scheduler's luck out of the curves.
! "$bench" --peers gnutls --bytes 1M --rounds 1 >/dev/null 2>&1 || peers=$peers,gnutls
measure sizes --cpus one --syscalls --peers "$peers" ${quick:+--bytes 4M} \
	--size 64,256,1K,4K,16K,64K,256K,1M
measure suites --cpus one --peers "$peers" --suite all ${quick:+--bytes 4M}
measure modes --cpus one --syscalls --peers openssl,ktls,ktls-tx,raw,plain \
	--tls 1.2,1.3 --mode write,sendfile
measure sessions --cpus one --loop --peers openssl,ktls,raw,plain \
	--connections 1,10,100,1000"$([ -n "$quick" ] || echo ,10000)"
python3 scripts/bench-plot.py "$data" "$out/benchmarks.md"
