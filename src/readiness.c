/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readiness.c: poll, select and epoll without the false "readable".
 *
 * Each waits in the real call and then looks at the TLS sockets that came back readable.
 * Where no whole record is there, the look has moved its first bytes out of the kernel
 * and set SO_RCVLOWAT to what is missing, so that the kernel is silent until the rest
 * comes; the event is taken away, and if it was the only one the wait goes on.
 */
#include "readiness.h"

#include <errno.h>
#include <string.h>

#include "epoll_watch.h"
#include "real.h"
#include "session.h"
#include "sw_rx.h"

enum {
	MAX_SELECT = 16384
}; /* descriptors; a larger set is not filtered */

/* A wait's end, and what is left of it. */
struct deadline {
	bool forever;
	struct timespec end, left;
};

static void
deadline_start(struct deadline *d, const struct timespec *timeout)
{
	d->forever = timeout == NULL;
	if (d->forever)
		return;
	clock_gettime(CLOCK_MONOTONIC, &d->end);
	d->left = *timeout;
	d->end.tv_sec += timeout->tv_sec;
	d->end.tv_nsec += timeout->tv_nsec;
	if (d->end.tv_nsec >= 1000000000L) {
		d->end.tv_nsec -= 1000000000L;
		d->end.tv_sec++;
	}
}

/* False when the time is up. */
static bool
deadline_update(struct deadline *d)
{
	struct timespec now;

	if (d->forever)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	d->left.tv_sec = d->end.tv_sec - now.tv_sec;
	d->left.tv_nsec = d->end.tv_nsec - now.tv_nsec;
	if (d->left.tv_nsec < 0) {
		d->left.tv_nsec += 1000000000L;
		d->left.tv_sec--;
	}
	if (d->left.tv_sec < 0)
		d->left = (struct timespec){0};
	return d->left.tv_sec > 0 || d->left.tv_nsec > 0;
}

static const struct timespec *
deadline_left(const struct deadline *d)
{
	return d->forever ? NULL : &d->left;
}

/* A TLS socket that the kernel calls readable: has it a record? *error says whether an
 * error is pending that the kernel does not know of. */
static bool
has_record(int fd, bool *error)
{
	struct session *so = session_with(fd, RX);
	bool yes = true;

	*error = false;
	if (so == NULL || so == &session_closing)
		return true;
	yes = sw_readable(so, fd) != 0;
	*error = so->sock->error != 0;
	session_put(so);
	return yes;
}

static int
filter_poll(struct pollfd *fds, nfds_t n, int found)
{
	const short in = POLLIN | POLLRDNORM;

	for (nfds_t i = 0; i < n; i++) {
		bool error;
		if (fds[i].fd < 0 || (fds[i].revents & in) == 0 ||
		    (fds[i].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
			continue;
		if (!has_record(fds[i].fd, &error)) {
			fds[i].revents = (short)(fds[i].revents & ~in);
			if (fds[i].revents == 0)
				found--;
		} else if (error) {
			fds[i].revents |= POLLERR;
		}
	}
	return found;
}

int
ready_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	    const sigset_t *set)
{
	struct deadline d;
	int found;

	deadline_start(&d, timeout);
	do {
		found = real.ppoll(fds, n, deadline_left(&d), set);
		if (found <= 0)
			return found < 0 ? -errno : 0;
		found = filter_poll(fds, n, found);
	} while (found == 0 && deadline_update(&d));
	return found;
}

static int
filter_select(int n, fd_set *r, int found)
{
	const long *words = (const long *)r;
	const int bits = 8 * (int)sizeof(long);

	for (int fd = 0; fd < n; fd++) {
		bool error;
		if (words[fd / bits] == 0) {
			fd += bits - 1 - fd % bits;
			continue;
		}
		if ((words[fd / bits] >> fd % bits & 1) != 0 && !has_record(fd, &error)) {
			((long *)r)[fd / bits] &= ~(1L << fd % bits);
			found--;
		}
	}
	return found;
}

int
ready_pselect(int n, fd_set *r, fd_set *w, fd_set *x, struct timespec *timeout,
	      const sigset_t *set)
{
	bool filtered = r != NULL && n > 0 && n <= MAX_SELECT;
	size_t size = filtered ? ((size_t)n + 63) / 64 * 8 : 0;
	char keep[3][MAX_SELECT / 8];
	fd_set *sets[3] = {r, w, x};
	struct deadline d;
	int found;

	for (int i = 0; filtered && i < 3; i++)
		if (sets[i] != NULL)
			memcpy(keep[i], sets[i], size);
	deadline_start(&d, timeout);
	for (;;) {
		found = real.pselect(n, r, w, x, deadline_left(&d), set);
		if (found < 0)
			found = -errno;
		else if (found > 0 && filtered)
			found = filter_select(n, r, found);
		bool more = deadline_update(&d);
		if (found != 0 || !more || !filtered)
			break;
		for (int i = 0; i < 3; i++)
			if (sets[i] != NULL)
				memcpy(sets[i], keep[i], size);
	}
	if (timeout != NULL)
		*timeout = d.left;
	return found;
}

/* 1 when the event stays, 0 when nothing is left of it. */
static int
filter_event(int ep, struct epoll_event *event)
{
	const uint32_t in = EPOLLIN | EPOLLRDNORM;
	struct epoll_event watched;
	bool error;
	int fd;

	if ((event->events & in) == 0 ||
	    (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
		return 1;
	fd = epoll_watch_find(ep, event->data.u64, &watched);
	if (fd < 0 || has_record(fd, &error)) {
		if (fd >= 0 && error)
			event->events |= EPOLLERR;
		return 1;
	}
	event->events &= ~in;
	if (event->events != 0)
		return 1;
	/* The kernel has disarmed it for an event that nobody will see. */
	if ((watched.events & EPOLLONESHOT) != 0)
		real.epoll_ctl(ep, EPOLL_CTL_MOD, fd, &watched);
	return 0;
}

static int
filter_epoll(int ep, struct epoll_event *events, int found)
{
	int kept = 0;

	for (int i = 0; i < found; i++)
		if (filter_event(ep, &events[i]))
			events[kept++] = events[i];
	return kept;
}

/* epoll_wait(2) counts in milliseconds; a rest is rounded up, never cut short. */
static int
to_ms(const struct timespec *t)
{
	if (t == NULL)
		return -1;
	if (t->tv_sec > INT32_MAX / 1000 - 1)
		return INT32_MAX;
	return (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

int
ready_epoll_wait(int ep, struct epoll_event *events, int max,
		 const struct timespec *timeout, const sigset_t *set)
{
	struct deadline d;
	int found;

	deadline_start(&d, timeout);
	do {
		found = real.epoll_pwait(ep, events, max, to_ms(deadline_left(&d)), set);
		if (found <= 0)
			return found < 0 ? -errno : 0;
		found = filter_epoll(ep, events, found);
	} while (found == 0 && deadline_update(&d));
	return found;
}

void
ready_epoll_ctl(int ep, int op, int fd, const struct epoll_event *event)
{
	if (op == EPOLL_CTL_DEL)
		epoll_watch_drop(ep, fd);
	else if (event != NULL)
		epoll_watch_note(ep, fd, event);
}
