#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint-licence.sh: each source file names its licence in one of its first three lines.
set -eu

files=$(find CMakeLists.txt cmake src include tests tools examples bench scripts man .ci \
	-type f \( -name '*.[ch17]' -o -name '*.sh' -o -name '*.cmake' -o -name '*.py' \
	-o -name CMakeLists.txt -o -path .ci/run \))
[ -n "$files" ] || exit 1
status=0
for file in $files; do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || {
		echo "$file: no SPDX line"
		status=1
	}
done
exit $status
