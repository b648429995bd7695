/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.c: finds the functions behind ours; the only file that calls dlsym for them.
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
static inline long
trap(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long
trap(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "raw_syscall() needs this architecture's system call instruction"
#endif

long
raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	return trap(number, a, b, c, d, e, f);
}

static long
errno_edge(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

/* Before the constructor: the system call, or a lookup where there is none. */
#define EARLY_SYSCALL(ret, name, params, args, trap_args)      \
	static ret early_##name params                         \
	{                                                      \
		return (ret)errno_edge(raw_syscall trap_args); \
	}
#define EARLY_LOOKUP(ret, name, params, args) \
	static ret early_##name params        \
	{                                     \
		real_init();                  \
		return real.name args;        \
	}
LIBC_IO_CALLS(EARLY_SYSCALL, EARLY_LOOKUP)
LIBC_FD_CALLS(EARLY_SYSCALL, EARLY_LOOKUP)
LIBC_WAIT_CALLS(EARLY_SYSCALL, EARLY_LOOKUP)

#define EARLY_FIELD(ret, name, ...) .name = early_##name,
struct real_calls real = {LIBC_IO_CALLS(EARLY_FIELD, EARLY_FIELD) LIBC_FD_CALLS(
	EARLY_FIELD, EARLY_FIELD) LIBC_WAIT_CALLS(EARLY_FIELD, EARLY_FIELD)};

/* A name that this libc lacks keeps its early form for system calls; nobody can call the
 * others, since their callers would not have linked. */
#define FIND(ret, name, ...)                                                \
	{                                                                   \
		void *next = dlsym(RTLD_NEXT, #name);                       \
		if (next != NULL)                                           \
			real.name = (__typeof__(real.name))(uintptr_t)next; \
	}

void
real_init(void)
{
	static bool done;
	int saved = errno;

	if (done)
		return;
	LIBC_IO_CALLS(FIND, FIND)
	LIBC_FD_CALLS(FIND, FIND)
	LIBC_WAIT_CALLS(FIND, FIND)
	done = true;
	errno = saved;
}

/*
 * Runs `expr` with cancellation off and errno kept; gives its result or -errno. Send and
 * receive are cancellation points even when they cannot block, and a thread that is
 * cancelled while it holds a session's lock would leave it locked.
 */
#define QUIETLY(type, expr)                                              \
	__extension__({                                                  \
		int saved_ = errno, state_;                              \
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state_); \
		type result_ = (expr);                                   \
		if (result_ < 0)                                         \
			result_ = -errno;                                \
		pthread_setcancelstate(state_, NULL);                    \
		errno = saved_;                                          \
		result_;                                                 \
	})

ssize_t
sock_send(int fd, const void *buf, size_t n, int flags)
{
	return QUIETLY(ssize_t,
		       real.send(fd, buf, n, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t
sock_peek(int fd, void *buf, size_t n)
{
	return QUIETLY(ssize_t, real.recv(fd, buf, n, MSG_PEEK | MSG_DONTWAIT));
}

ssize_t
sock_take(int fd, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			     .msg_iovlen = (size_t)count};

	return QUIETLY(ssize_t, real.recvmsg(fd, &msg, MSG_DONTWAIT));
}

ssize_t
sock_discard(int fd, size_t n)
{
	if (n == 0)
		return 0;
	/* MSG_TRUNC on TCP drops bytes without copying them: tcp(7). */
	return QUIETLY(ssize_t, real.recv(fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT));
}

int
sock_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int r = QUIETLY(int, real.poll(&p, 1, 0));

	return r < 0 ? r : (p.revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
}

int
sock_get_int(int fd, int level, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return QUIETLY(int, real.getsockopt(fd, level, name, value, &len));
}

int
sock_set_int(int fd, int level, int name, int value)
{
	return QUIETLY(int, real.setsockopt(fd, level, name, &value, sizeof(value)));
}

bool
sock_nonblocking(int fd)
{
	int flags = QUIETLY(int, real.fcntl(fd, F_GETFL, NULL));

	return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

ssize_t
sock_wait_readable(int fd, size_t n, bool all)
{
	int saved = errno;
	ssize_t r =
		real.recv(fd, NULL, n, MSG_PEEK | MSG_TRUNC | (all ? MSG_WAITALL : 0));

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

/* An address that no process can read. */
static const void *
unreadable_address(void)
{
	static _Atomic(void *) page;
	void *p = page;

	if (p == NULL) {
		p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		page = p;
	}
	return p;
}

/*
 * poll(2) would wait as well, but knows neither SO_SNDTIMEO nor SA_RESTART. A blocking
 * send does: it first waits for room, then copies from user memory. With an address that
 * cannot be read it ends there, with EFAULT and nothing sent: then there is room.
 */
int
sock_wait_writable(int fd)
{
	int saved = errno, result = 0;

	if (real.send(fd, unreadable_address(), 1, MSG_NOSIGNAL) < 0 && errno != EFAULT)
		result = -errno;
	errno = saved;
	return result;
}

int
sock_poll_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	struct timeval limit = {0};
	socklen_t len = sizeof(limit);
	int saved = errno, r;

	if (real.getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &len) < 0)
		limit = (struct timeval){0};
	long ms = limit.tv_sec * 1000 + (limit.tv_usec + 999) / 1000;
	r = real.poll(&p, 1, ms == 0 || ms > INT_MAX ? -1 : (int)ms);
	r = r < 0 ? -errno : r == 0 ? -EAGAIN : 0;
	errno = saved;
	return r;
}
