/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c: how a check that does not hold is told.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
base_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL ? slash + 1 : file;
}

static const char *
errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name != NULL ? name : "?";
}

void
fail_at(const char *file, int line, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", base_name(file), line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void
skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	exit(77);
}

void
check_equal(const char *file, int line, const char *what, long long got, long long want)
{
	if (got != want)
		fail_at(file, line, "%s is %lld, should be %lld (errno %s)", what, got,
			want, errno_name(errno));
}

void
check_error(const char *file, int line, const char *what, long long got, int error,
	    int want)
{
	if (got != -1)
		fail_at(file, line, "%s gave %lld, should fail with %s", what, got,
			errno_name(want));
	if (error != want)
		fail_at(file, line, "%s failed with %s, should be %s", what,
			errno_name(error), errno_name(want));
}

long long
check_success(const char *file, int line, const char *what, long long got, int error)
{
	if (got < 0)
		fail_at(file, line, "%s failed with %s", what, errno_name(error));
	return got;
}

void
check_same(const char *file, int line, const void *got, const void *want, size_t n)
{
	const unsigned char *g = got, *w = want;

	for (size_t i = 0; i < n; i++)
		if (g[i] != w[i])
			fail_at(file, line, "byte %zu of %zu is %02x, should be %02x", i,
				n, g[i], w[i]);
}
