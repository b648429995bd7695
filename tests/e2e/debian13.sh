#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# debian13.sh: the library as it was built here, in a Debian 13 root: glibc 2.41, OpenSSL
# 3.5, which receives TLS 1.3 through kernel TLS and tells it about KeyUpdate, and
# Python 3.13. The root is made at the first time, which takes a minute.
set -euo pipefail

: "${KTLS_PRELOAD:?is set by ctest}" "${KTLS_SOURCE_DIR:?}" "${KTLS_BUILD_DIR:?}"
case $KTLS_PRELOAD in
*:*)
	echo "skipped: the sanitizer's run time is of another Debian"
	exit 77
	;;
esac

for test in linux_api.py keyupdate.sh python_ssl.sh openssl.sh; do
	echo "== $test"
	"$KTLS_SOURCE_DIR/scripts/debian13.sh" run \
		"$KTLS_BUILD_DIR" "$KTLS_SOURCE_DIR" -- env \
		KTLS_PRELOAD="$KTLS_PRELOAD" KTLS_BUILD_DIR="$KTLS_BUILD_DIR" \
		"$KTLS_SOURCE_DIR/tests/e2e/$test"
done
