/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.h: the functions behind ours: the next in the preload chain, usually libc's.
 *
 * `real` works from the first instruction: until real_init() has run its members are bare
 * system calls, because constructors of other libraries and allocators call us earlier
 * than our own constructor runs.
 */
#ifndef KTLS_REAL_H
#define KTLS_REAL_H

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "libc_table.h"

#define REAL_FIELD(ret, name, params, ...) ret(*name) params;
struct real_calls {
	LIBC_IO_CALLS(REAL_FIELD, REAL_FIELD)
	LIBC_FD_CALLS(REAL_FIELD, REAL_FIELD)
	LIBC_WAIT_CALLS(REAL_FIELD, REAL_FIELD)
};
#undef REAL_FIELD

extern struct real_calls real;

/* Finds the next function of each row. Idempotent; keeps errno. */
void real_init(void);

/*
 * raw_syscall(number, up to six arguments): a system call without errno, libc or
 * cancellation: the result or -errno.
 */
long raw_syscall6(long number, long a, long b, long c, long d, long e, long f);
#define RAW_PICK(a, b, c, d, e, f, g, pick, ...) pick
#define RAW_0(n)                                 raw_syscall6(n, 0, 0, 0, 0, 0, 0)
#define RAW_1(n, a)                              raw_syscall6(n, (long)(a), 0, 0, 0, 0, 0)
#define RAW_2(n, a, b)                           raw_syscall6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define RAW_3(n, a, b, c)                        raw_syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define RAW_4(n, a, b, c, d) \
	raw_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define RAW_5(n, a, b, c, d, e) \
	raw_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define RAW_6(n, a, b, c, d, e, f) \
	raw_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw_syscall(...)                                                       \
	RAW_PICK(__VA_ARGS__, RAW_6, RAW_5, RAW_4, RAW_3, RAW_2, RAW_1, RAW_0) \
	(__VA_ARGS__)

/*
 * The calls below are what the data path does while it holds a lock: they never block
 * (MSG_DONTWAIT), raise no SIGPIPE, are no cancellation points, leave errno alone and
 * return -errno.
 */
ssize_t sock_send(int fd, const void *buf, size_t n, int flags);
ssize_t sock_peek(int fd, void *buf, size_t n);
ssize_t sock_take(int fd, const struct iovec *iov, int count);
/* Drops `n` bytes that are known to be queued. */
ssize_t sock_discard(int fd, size_t n);
/* 1 when writable as poll(2) means it, else 0, or -errno. */
int sock_writable(int fd);
int sock_get_int(int fd, int level, int name, int *value);
int sock_set_int(int fd, int level, int name, int value);
/* True when the open file description has O_NONBLOCK. */
bool sock_nonblocking(int fd);

/*
 * The waits, to be called with no lock held: real, cancellable libc calls, so that
 * SO_RCVTIMEO, SO_SNDTIMEO, SA_RESTART and thread cancellation act as on any socket.
 */

/* Until `n` bytes, or if not `all` what SO_RCVLOWAT asks, are queued. Bytes queued (at
 * least 1), 0 at end of file, or -errno. Takes nothing from the queue. */
ssize_t sock_wait_readable(int fd, size_t n, bool all);
/* Until there is room to send. 0 or -errno; raises no SIGPIPE. */
int sock_wait_writable(int fd);
/* The same, but never restarted after a signal. */
int sock_poll_writable(int fd);

#endif
