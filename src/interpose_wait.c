/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_wait.c: the libc calls that wait for readiness.
 */
#include "interpose.h"

#include "readiness.h"

LIBC_WAIT_CALLS(DECLARE, DECLARE)

static bool
no_tls_here(void)
{
	return atomic_load_explicit(&sessions_live, memory_order_relaxed) == 0;
}

static const struct timespec *
from_ms(int timeout, struct timespec *t)
{
	t->tv_sec = timeout / 1000;
	t->tv_nsec = timeout % 1000 * 1000000L;
	return timeout < 0 ? NULL : t;
}

int
ktls_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t;

	if (no_tls_here())
		return real.poll(fds, n, timeout);
	return (int)edge(ready_ppoll(fds, n, from_ms(timeout, &t), NULL));
}

int
ktls_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *tmo, const sigset_t *set)
{
	if (no_tls_here())
		return real.ppoll(fds, n, tmo, set);
	return (int)edge(ready_ppoll(fds, n, tmo, set));
}

int
ktls___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	if (n > size / sizeof(*fds))
		return real.__poll_chk(fds, n, timeout, size);
	return ktls_poll(fds, n, timeout);
}

int
ktls___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *tmo,
		 const sigset_t *set, size_t size)
{
	if (n > size / sizeof(*fds))
		return real.__ppoll_chk(fds, n, tmo, set, size);
	return ktls_ppoll(fds, n, tmo, set);
}

int
ktls_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *tmo)
{
	struct timespec t;

	if (no_tls_here() || (tmo != NULL && (tmo->tv_sec < 0 || tmo->tv_usec < 0)))
		return real.select(n, r, w, x, tmo);
	if (tmo == NULL)
		return (int)edge(ready_pselect(n, r, w, x, NULL, NULL));
	t = (struct timespec){tmo->tv_sec + tmo->tv_usec / 1000000,
			      tmo->tv_usec % 1000000 * 1000L};
	int found = ready_pselect(n, r, w, x, &t, NULL);
	/* Linux leaves the time that was not slept: select(2). */
	*tmo = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return (int)edge(found);
}

int
ktls_pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *tmo,
	     const sigset_t *set)
{
	struct timespec t;

	if (no_tls_here())
		return real.pselect(n, r, w, x, tmo, set);
	if (tmo != NULL)
		t = *tmo;
	return (int)edge(ready_pselect(n, r, w, x, tmo != NULL ? &t : NULL, set));
}

int
ktls_epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
	int r = real.epoll_ctl(ep, op, fd, event);

	if (r == 0)
		ready_epoll_ctl(ep, op, fd, event);
	return r;
}

int
ktls_epoll_wait(int ep, struct epoll_event *events, int max, int timeout)
{
	struct timespec t;

	if (no_tls_here())
		return real.epoll_wait(ep, events, max, timeout);
	return (int)edge(ready_epoll_wait(ep, events, max, from_ms(timeout, &t), NULL));
}

int
ktls_epoll_pwait(int ep, struct epoll_event *events, int max, int timeout,
		 const sigset_t *set)
{
	struct timespec t;

	if (no_tls_here())
		return real.epoll_pwait(ep, events, max, timeout, set);
	return (int)edge(ready_epoll_wait(ep, events, max, from_ms(timeout, &t), set));
}

int
ktls_epoll_pwait2(int ep, struct epoll_event *events, int max, const struct timespec *tmo,
		  const sigset_t *set)
{
	if (no_tls_here())
		return real.epoll_pwait2(ep, events, max, tmo, set);
	return (int)edge(ready_epoll_wait(ep, events, max, tmo, set));
}

LIBC_WAIT_CALLS(EXPORT, EXPORT)
LIBC_WAIT_ALIASES(EXPORT_AS)
