#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# exports.sh TABLE LIBRARY: what the library exports is what src/libc_table.h lists, and
# our own public API, without symbol versions: a version on an interposed name would keep
# programs that ask for the name's GLIBC version from being bound to it.
set -eu

table=$1
library=$2
api=sysctlbyname

# The rows are X(type, name, ...), L(type, name, ...) and A(name, of).
rows=$(tr '\\\n' '  ' <"$table" | sed -E 's@/\*([^*]|\*+[^*/])*\*+/@ @g')
expected=$({
	echo "$rows" | grep -oE '\b[XL]\([^(),]*,[[:space:]]*\w+' | sed 's/.*[[:space:],]//'
	echo "$rows" | grep -oE '\bA\(\w+,' | sed 's/A(//; s/,//'
	echo $api
} | sort)
echo "$expected" | grep -qx recvmsg || {
	echo "exports.sh: cannot read $table" >&2
	exit 1
}
# `nm -D` prints NAME@@VERSION for a versioned symbol, which is then not in the table.
actual=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort)

[ "$expected" = "$actual" ] || {
	echo "only in the table: $(printf '%s\n' "$expected" "$actual" "$actual" |
		sort | uniq -u)"
	echo "only in the library: $(printf '%s\n' "$actual" "$expected" "$expected" |
		sort | uniq -u)"
	exit 1
}
echo "$actual" | wc -l | xargs printf '%d names\n'
