#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# memcheck.sh COMMAND...: runs it under valgrind; fails if it fails or valgrind complains.
#
# Criterion runs each test in a process of its own and does not look at how it ends, so
# valgrind's exit status gets lost. The logs do not: none may hold a line of an error's,
# which begins with ==; valgrind's remarks on itself begin with --.
set -u

command -v valgrind >/dev/null || exit 77
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
valgrind -q --trace-children=yes --leak-check=full --errors-for-leak-kinds=definite \
	--show-leak-kinds=definite --error-exitcode=99 --num-callers=25 \
	--suppressions="$(dirname "$0")/valgrind.supp" --log-file="$logs/%p.log" "$@"
status=$?
find "$logs" -name '*.log' | grep -q . || status=98 # valgrind did not run at all
for log in "$logs"/*.log; do
	if grep -q '^==' "$log"; then
		cat "$log"
		status=99
	fi
done
exit $status
