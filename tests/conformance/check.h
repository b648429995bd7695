/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h: a check that does not hold ends the case's process and says where.
 */
#ifndef KTLS_TESTS_CHECK_H
#define KTLS_TESTS_CHECK_H

#include <errno.h>
#include <stddef.h>

_Noreturn void fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the case as one that cannot run here. */
_Noreturn void skip(const char *why);

void check_equal(const char *file, int line, const char *what, long long got,
		 long long want);
void check_error(const char *file, int line, const char *what, long long got, int error,
		 int want);
long long check_success(const char *file, int line, const char *what, long long got,
			int error);
void check_same(const char *file, int line, const void *got, const void *want, size_t n);

#define fail(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define check(condition) \
	((condition) ? (void)0 : fail_at(__FILE__, __LINE__, "not true: %s", #condition))
#define check_eq(got, want) \
	check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
/* The call fails with that errno. */
#define check_errno(call, want)                                               \
	do {                                                                  \
		errno = 0;                                                    \
		long long result_ = (long long)(call);                        \
		check_error(__FILE__, __LINE__, #call, result_, errno, want); \
	} while (0)
/* The call does not fail: its result. */
#define must(call)                                                        \
	__extension__({                                                   \
		errno = 0;                                                \
		long long result_ = (long long)(call);                    \
		check_success(__FILE__, __LINE__, #call, result_, errno); \
	})
#define check_bytes(got, want, n) check_same(__FILE__, __LINE__, got, want, n)

#endif
