#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh GROUP...: installs, through apt, the packages of these groups that are missing.
#
# The one list of what the project needs from Debian. As root, or with sudo.
set -eu

packages()
{
	case $1 in
	build)
		echo gcc libc6-dev cmake ninja-build pkg-config libssl-dev
		# Intel's library exists for amd64 only; elsewhere libcrypto serves alone.
		[ "$(dpkg --print-architecture)" != amd64 ] || echo libipsec-mb-dev
		;;
	lint) echo clang clang-format clang-tidy shellcheck codespell mandoc ;;
	# libc6-dbg: without it valgrind cannot replace ld.so's string functions.
	unit) echo g++ binutils libcriterion-dev valgrind libc6-dbg ;;
	e2e) echo nginx openssl curl gnutls-bin wget ca-certificates python3 procps ;;
	demo) echo nginx openssl curl ca-certificates ;;
	bench) echo nginx openssl curl wrk libgnutls28-dev python3 procps util-linux ;;
	fuzz) echo clang libclang-rt-14-dev ;;
	kselftest) echo gcc libc6-dev linux-source-6.12 tar xz-utils ;;
	debian13) echo debootstrap debian-archive-keyring util-linux mount ;;
	*)
		echo "deps.sh: no group '$1'" >&2
		return 2
		;;
	esac
}

missing()
{
	for package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) echo "$package" ;;
		esac
	done
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

# Package scripts start their daemons. nginx is wanted as a program, not as a server on
# port 80: say no to that while we install, unless the machine has its own policy.
policy=/usr/sbin/policy-rc.d
install_missing()
{
	if [ ! -e $policy ]; then
		trap 'as_root rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
	fi
	as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

wanted=
for group; do
	wanted="$wanted $(packages "$group")"
done
# shellcheck disable=SC2086 # a list of package names
lacking=$(missing $wanted)
if [ -n "$lacking" ]; then
	echo "installing: $lacking"
	# shellcheck disable=SC2086
	install_missing $lacking >&2
fi
