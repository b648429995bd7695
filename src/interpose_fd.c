/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_fd.c: the libc calls that make, copy and end descriptors.
 */
#include "interpose.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>

LIBC_FD_CALLS(DECLARE, DECLARE)

int
ktls_close(int fd)
{
	struct session *so = session_detach(fd);

	if (so == NULL)
		return real.close(fd);
	session_quiesce(so);
	int r = real.close(fd);
	/* Even when close(2) reports EINTR or EIO the descriptor is gone. */
	session_detached(fd, so, r == 0 || errno != EBADF);
	return r;
}

/* Sessions in the range leave one by one; then one call closes all the rest. */
static void
close_sessions(unsigned first, unsigned last)
{
	for (int fd; (fd = session_next_fd(first, last)) >= 0; first = (unsigned)fd + 1)
		ktls_close(fd);
}

int
ktls_close_range(unsigned first, unsigned last, int flags)
{
	/* With CLOEXEC nothing closes now; UNSHARE closes in a table that is ours alone.
	 */
	if (first <= last && (flags & (int)CLOSE_RANGE_CLOEXEC) == 0 &&
	    !self_is_vfork_child())
		close_sessions(first, last);
	return real.close_range(first, last, flags);
}

void
ktls_closefrom(int first)
{
	if (!self_is_vfork_child())
		close_sessions(first < 0 ? 0 : (unsigned)first, UINT_MAX);
	real.closefrom(first);
}

int
ktls_dup(int fd)
{
	int r = real.dup(fd);

	if (r >= 0) {
		session_forget(r);
		session_copy_slot(fd, r);
	}
	return r;
}

/*
 * `to` becomes a copy of `from`. From before the real call until the slot is right, other
 * threads' calls on `to` wait.
 */
static int
replace(int from, int to, int flags, int (*call)(int, int, int))
{
	struct session *so = from == to ? NULL : session_get(from);
	struct session *old = from == to ? NULL : session_detach(to);
	bool reserved = old == NULL && so != NULL && session_reserve(to);
	int r;

	if (old != NULL)
		session_quiesce(old);
	r = call(from, to, flags);
	if (old == NULL && !reserved) {
		if (so != NULL)
			session_put(so);
	} else if (r >= 0) {
		session_replaced(to, old, so == &session_closing ? NULL : so);
	} else {
		if (so != NULL)
			session_put(so);
		if (reserved)
			session_replaced(to, NULL, NULL);
		else
			session_detached(to, old, false);
	}
	return r;
}

static int
call_dup2(int from, int to, int flags)
{
	(void)flags;
	return real.dup2(from, to);
}

int
ktls_dup2(int fd, int to)
{
	return replace(fd, to, 0, call_dup2);
}

int
ktls_dup3(int fd, int to, int flags)
{
	return replace(fd, to, flags, real.dup3);
}

static int
control(int fd, int command, void *arg, int (*next)(int, int, void *))
{
	int r = next(fd, command, arg);

	if (r >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) {
		session_forget(r);
		session_copy_slot(fd, r);
	}
	return r;
}

int
ktls_fcntl(int fd, int command, void *arg)
{
	return control(fd, command, arg, real.fcntl);
}

int
ktls_fcntl64(int fd, int command, void *arg)
{
	return control(fd, command, arg, real.fcntl64);
}

/* A number that the kernel gives to a new socket was closed before, perhaps where we
 * could not see it. */
static int
fresh(int fd)
{
	if (fd >= 0)
		session_forget(fd);
	return fd;
}

int
ktls_socket(int domain, int type, int protocol)
{
	return fresh(real.socket(domain, type, protocol));
}

int
ktls_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return fresh(real.accept(fd, addr, len));
}

int
ktls_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fresh(real.accept4(fd, addr, len, flags));
}

LIBC_FD_CALLS(EXPORT, EXPORT)
LIBC_FD_ALIASES(EXPORT_AS)
