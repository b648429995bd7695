#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test.sh: everything that is checked before a change goes in. Installs what is missing,
# builds, tests, and prints `N passed, N failed` last. On two cores: below half an hour.
set -u

cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
skipped=0

# Configures and builds a preset. What does not build counts as one failure.
build()
{
	echo "== $1: build"
	if cmake --preset "$1" && cmake --build --preset "$1"; then
		return
	fi
	failed=$((failed + 1))
	return 1
}

# count ATTRIBUTE REPORT: a number from the first lines of ctest's JUnit report.
count()
{
	sed -n "1,/>/s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" "$2"
}

# run PRESET CTEST_OPTION...: adds the results to the sums. No report is one failure.
run()
{
	preset=$1
	report=$PWD/build/$preset/ctest.xml
	shift
	echo "== $preset: ctest $*"
	rm -f "$report"
	# Not --preset: options for labels given beside one are ignored.
	ctest --test-dir "build/$preset" --label-exclude long --no-tests=error \
		--parallel "$(nproc)" --output-on-failure --output-junit "$report" "$@"
	status=$?
	tests=0 bad=0 skips=0
	if [ -s "$report" ]; then
		tests=$(count tests "$report")
		bad=$(count failures "$report")
		skips=$(($(count skipped "$report") + $(count disabled "$report")))
	fi
	# ctest knows best whether something went wrong.
	[ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1 tests=$((tests + 1))
	passed=$((passed + tests - bad - skips))
	failed=$((failed + bad))
	skipped=$((skipped + skips))
}

scripts/deps.sh build unit lint e2e kselftest debian13 || {
	echo "0 passed, 1 failed"
	exit 1
}
! build dev || run dev
# One engine is enough for what memory is read and written.
! build asan || run asan --exclude-regex 'conformance.freebsd_'
! build tsan || run tsan -L stress
# What the release's own flags may break: the library as programs see it.
! build release || run release -L 'e2e|conformance|bench'

[ $skipped -eq 0 ] || echo "$skipped skipped, see above"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
