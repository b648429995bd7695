#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian13.sh: a Debian 13 root to run things in: glibc 2.41 and OpenSSL 3.5, whose
# libssl uses kernel TLS for TLS 1.3 receive, which Debian 12's does not.
#
# Usage: debian13.sh [-d ROOT] make
#        debian13.sh [-d ROOT] run DIR... -- CMD...
#
# `make` builds the root with debootstrap unless it is there. `run` makes it if needed
# and runs CMD in it as root, with each DIR visible under its own absolute path, a fresh
# /tmp and the network of the host. Example:
#
#   scripts/debian13.sh run build/release -- \
#       env LD_PRELOAD="$PWD/build/release/libktls.so" openssl version
#
# Exit status: CMD's; 77 where mount namespaces are not allowed or we cannot be root.
set -eu

usage()
{
	sed -n '6,7s/^# *//p' "$0" >&2
	exit 2
}

skip()
{
	echo "debian13.sh: skipped: $*" >&2
	exit 77
}

here=$(cd "$(dirname "$0")" && pwd)
root=${XDG_CACHE_HOME:-$HOME/.cache}/libktls/debian13
while getopts d: option; do
	case $option in
	d) root=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
case ${1-} in make | run) ;; *) usage ;; esac

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || skip "needs root"
	exec sudo -- "$here/debian13.sh" -d "$root" "$@"
fi
verb=$1
shift

# The mirror of Debian proper that this machine uses.
mirror()
{
	apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1 | grep . ||
		echo http://deb.debian.org/debian
}

make_root()
{
	[ ! -e "$root/etc/debian_version" ] || return 0
	"$here/deps.sh" debian13
	rm -rf "$root.new"
	eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
	[ -z "${http_proxy-}" ] || export http_proxy
	debootstrap --variant=minbase --include=openssl,ca-certificates,python3 \
		trixie "$root.new" "$(mirror)" >"$root.log" 2>&1 || {
		tail -n 20 "$root.log" >&2
		return 1
	}
	rm -f "$root.new"/var/cache/apt/archives/*.deb
	mv "$root.new" "$root" # whole or not at all
}

mkdir -p "$(dirname "$root")"
exec 9>"$root.lock" # two tests may want to make it at once
flock 9
make_root
exec 9>&-
[ "$verb" = run ] || exit 0

dirs=0
for argument; do
	[ "$argument" != -- ] || break
	[ -d "$argument" ] || usage
	dirs=$((dirs + 1))
done
[ $# -gt $((dirs + 1)) ] || usage

# All mounts are made in a namespace of their own: nothing is seen or left outside.
unshare --mount true 2>/dev/null || skip "mount namespaces are not allowed"
# shellcheck disable=SC2016 # the inner shell expands
exec unshare --mount sh -euc '
	root=$1
	shift
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/tmp"
	while [ "$1" != -- ]; do # after /tmp, for a directory may lie below it
		dir=$(realpath "$1")
		mkdir -p "$root$dir"
		mount --bind "$dir" "$root$dir"
		shift
	done
	shift
	export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TMPDIR=/tmp
	exec chroot "$root" "$@"
' debian13 "$root" "$@"
