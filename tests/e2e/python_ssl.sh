#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# python_ssl.sh: python_ssl.py with a certificate.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need openssl

make_certificate
"$here/python_ssl.py" "$dir/cert.pem" "$dir/key.pem"
