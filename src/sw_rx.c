/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sw_rx.c: a receive call on records in user space: what it waits for and when it ends.
 */
#include "sw_rx.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "real.h"
#include "rx_look.h"
#include "rx_open.h"
#include "scratch.h"
#include "stats.h"

static bool
is_linux(const struct tls_socket *sock)
{
	return sock->rules == RULES_LINUX;
}

/* FIN inside a record: FreeBSD says so, once; Linux takes it for the end. */
static int
end_of_file(struct tls_socket *sock)
{
	if (is_linux(sock) || sock->rx.holds != RX_PREFIX)
		return 0;
	stats_add(STAT_CORRUPTED_RECORDS, 1);
	rx_buffer_drop(sock);
	sock->rx.failed = EMSGSIZE;
	sock->rx.failed_told = true;
	return -EMSGSIZE;
}

/* Bytes that end a blocking wait: all that were asked for, or what SO_RCVLOWAT says. */
static size_t
target(const struct tls_socket *sock, const struct rx_request *rq, size_t len)
{
	size_t lowat = sock->app_lowat > 0 ? (size_t)sock->app_lowat : 1;

	if (!rq->merge || len == 0)
		return len > 0;
	return rq->waitall || lowat > len ? len : lowat;
}

/* One attempt under the lock. As sw_receive(), or with *why > 0 what to wait for. */
static size_t
attempt(struct session *so, int fd, struct rx_request *rq, int *why, int *missing)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	size_t got = 0;

	*why = scratch == NULL ? -ENOMEM : session_lock(so, fd, RX);
	if (*why == 0) {
		got = rx_receive_ready(so, fd, rq, scratch, why);
		if (*why == RX_EOF && got == 0)
			*why = end_of_file(sock) < 0 ? -EMSGSIZE : RX_EOF;
		rx_lowat_after_delivery(sock, fd);
		*missing = rx_queue_missing(sock);
		session_unlock(so, RX);
	} else if (*why == -EDEADLK) {
		*why = session_busy_errno(fd, rq->flags);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return got;
}

static void
lowat_set(struct session *so, int fd, void (*set)(struct tls_socket *, int))
{
	if (session_lock(so, fd, RX) == 0) {
		set(so->sock, fd);
		session_unlock(so, RX);
	}
}

/* Nothing is there: 0 after a wait, or what the call answers. */
static int
wait_for_bytes(struct session *so, int fd, const struct rx_request *rq, int missing)
{
	bool polled = so->sock->rx.lowat > RECORD_HEADER_LEN;
	ssize_t r = -EAGAIN;

	/* A raised SO_RCVLOWAT is the mark of a program that polls. Else do not ask for
	 * O_NONBLOCK: the wait itself ends at once if it is set. */
	if ((rq->flags & MSG_DONTWAIT) == 0 && !(polled && sock_nonblocking(fd))) {
		if (polled)
			lowat_set(so, fd, rx_lowat_for_blocking);
		r = sock_wait_readable(fd, (size_t)missing, false);
	}
	if (r == -EAGAIN)
		lowat_set(so, fd, rx_lowat_for_poll);
	return r < 0 ? (int)r : 0;
}

/* MSG_PEEK with MSG_WAITALL: nothing was taken, so start again when more has come. */
static int
wait_behind_peek(int fd, const struct rx_request *rq)
{
	int queued = 0;

	if ((rq->flags & MSG_DONTWAIT) != 0 || sock_nonblocking(fd))
		return -EAGAIN;
	if (raw_syscall(SYS_ioctl, fd, FIONREAD, &queued) < 0)
		return -EAGAIN;
	ssize_t r = sock_wait_readable(fd, (size_t)queued + 1, true);
	return r < 0 ? (int)r : r <= queued ? -EAGAIN : 0;
}

ssize_t
sw_receive(struct session *so, int fd, struct rx_request *rq)
{
	const struct iov_cursor start = rq->to;
	size_t done = 0;

	for (;;) {
		int why, missing = 1;
		done += attempt(so, fd, rq, &why, &missing);
		if (why < 0 && done == 0)
			return why;
		if (why < 0 || why == RX_STOP || why == RX_EOF)
			return (ssize_t)done;
		size_t enough = target(so->sock, rq, start.left);
		if (done >= enough && (done > 0 || start.left == 0))
			return (ssize_t)done;
		if (rq->peek && done > 0) {
			if (wait_behind_peek(fd, rq) < 0)
				return (ssize_t)done;
			rq->to = start;
			rq->touched = false;
			done = 0;
			continue;
		}
		int r = wait_for_bytes(so, fd, rq, missing);
		if (r < 0)
			return done > 0 ? (ssize_t)done : r;
	}
}

int
sw_bytes_queued(struct session *so, int fd, int *bytes)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	int r = scratch == NULL ? -ENOMEM : session_lock(so, fd, RX);

	if (r == 0) {
		if (!is_linux(sock))
			*bytes = (int)rx_plaintext_queued(so, fd, scratch);
		else if (sock->rx.holds == RX_PREFIX)
			*bytes += (int)sock->rx.len;
		else if (sock->rx.holds == RX_PLAIN)
			*bytes -= (int)sock->rx.queued;
		rx_lowat_after_delivery(sock, fd);
		session_unlock(so, RX);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return r == -EDEADLK ? -EAGAIN : r;
}

void
sw_look_for_error(struct session *so, int fd)
{
	int bytes = 0;

	(void)sw_bytes_queued(so, fd, &bytes);
}

void
sw_rx_rekeyed(struct tls_socket *sock, int fd)
{
	sock->rx.rekey_pending = false;
	/* Lowering it makes the kernel look again and wake who sleeps in poll or epoll.
	 */
	rx_lowat_for_poll(sock, fd);
}

int
sw_readable(struct session *so, int fd)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	int r = scratch == NULL ? -ENOMEM : session_lock(so, fd, RX);

	if (r == 0) {
		struct rx_found f;
		size_t have;
		if (sock->rx.holds == RX_PLAIN || sock->rx.failed != 0)
			r = RX_FOUND;
		else if (sock->rx.rekey_pending)
			r = rx_lowat_is_highest(sock, fd) ? RX_FOUND : RX_NEED_BYTES;
		else
			r = rx_queue_head(sock, fd, scratch, RECORD_MAX_LEN, &f, &have);
		if (r == RX_NEED_BYTES)
			rx_lowat_for_poll(sock, fd);
		session_unlock(so, RX);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return r == RX_NEED_BYTES ? 0 : 1;
}
