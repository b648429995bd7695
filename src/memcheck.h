/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcheck.h: tells valgrind what it cannot know; nothing at all without its header.
 */
#ifndef KTLS_MEMCHECK_H
#define KTLS_MEMCHECK_H

#if defined(KTLS_VALGRIND)
#include <valgrind/valgrind.h>
/* A system call on purpose with memory that may not be there. */
#define MEMCHECK_QUIET_BEGIN() VALGRIND_DISABLE_ERROR_REPORTING
#define MEMCHECK_QUIET_END()   VALGRIND_ENABLE_ERROR_REPORTING
#else
#define MEMCHECK_QUIET_BEGIN() ((void)0)
#define MEMCHECK_QUIET_END()   ((void)0)
#endif

#endif
