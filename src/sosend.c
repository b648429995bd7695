/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sosend.c: what a send means on a TLS socket, in FreeBSD's dialect and in Linux's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/tls.h>
#include <signal.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/syscall.h>

#include "backend.h"
#include "real.h"
#include "scratch.h"
#include "so.h"
#include "sockopt.h"
#include "stats.h"
#include "uaccess.h"

#ifndef MSG_CMSG_COMPAT
#define MSG_CMSG_COMPAT 0x80000000u
#endif

/* What a call's flags and control messages ask for. */
struct send_meaning {
	int type; /* the record type that was set, -1: none */
	bool more;
};

/* A failed call raises SIGPIPE here and not in the kernel: there a lock would be held
 * while the handler runs. */
static ssize_t
pipe_signal(ssize_t r, int flags)
{
	if (r == -EPIPE && (flags & MSG_NOSIGNAL) == 0)
		raise(SIGPIPE);
	return r;
}

/* Linux walks all control messages; the last record type wins (net/tls
 * tls_process_cmsg()). */
static int
linux_control(const struct msghdr *msg, int flags, int *type)
{
	const char *at = msg->msg_control;
	size_t left = msg->msg_controllen;

	*type = -1;
	if (left < sizeof(struct cmsghdr))
		return -EINVAL;
	while (left >= sizeof(struct cmsghdr)) {
		struct cmsghdr c;
		memcpy(&c, at, sizeof(c));
		if (c.cmsg_len < sizeof(c) || c.cmsg_len > left)
			return -EINVAL;
		if (c.cmsg_level == SOL_TLS) {
			if (c.cmsg_type != TLS_SET_RECORD_TYPE ||
			    c.cmsg_len < CMSG_LEN(sizeof(uint8_t)) ||
			    (flags & MSG_MORE) != 0)
				return -EINVAL;
			*type = *(const uint8_t *)(at + CMSG_LEN(0));
		}
		size_t step = CMSG_ALIGN(c.cmsg_len);
		if (step >= left)
			break;
		at += step;
		left -= step;
	}
	return *type < 0 ? -EINVAL : 0;
}

/* FreeBSD looks at the first one only (sosend of uipc_socket.c). Unlike FreeBSD we check
 * level and length: an SCM_RIGHTS message is no record type. */
static int
freebsd_control(const struct msghdr *msg, int *type)
{
	struct cmsghdr c;

	if (msg->msg_controllen < sizeof(c))
		return -EINVAL;
	memcpy(&c, msg->msg_control, sizeof(c));
	if (c.cmsg_level != IPPROTO_TCP || c.cmsg_type != TLS_SET_RECORD_TYPE ||
	    c.cmsg_len < CMSG_LEN(sizeof(uint8_t)) || c.cmsg_len > msg->msg_controllen)
		return -EINVAL;
	*type = *((const uint8_t *)msg->msg_control + CMSG_LEN(0));
	return 0;
}

bool
so_sets_record_type(const struct msghdr *msg)
{
	int type;

	return user_readable(msg, sizeof(*msg)) && msg->msg_controllen > 0 &&
	       user_readable(msg->msg_control, msg->msg_controllen) &&
	       freebsd_control(msg, &type) == 0;
}

static bool
is_linux(const struct session *so)
{
	return so->sock->rules == RULES_LINUX;
}

static int
check_flags(const struct session *so, int flags)
{
	const unsigned linux_allows =
		MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR | MSG_CMSG_COMPAT;

	if (!is_linux(so))
		return (flags & MSG_EOR) != 0 ? -EINVAL : 0;
	if (((unsigned)flags & ~linux_allows) != 0)
		return -EOPNOTSUPP;
	if ((flags & MSG_EOR) != 0 && (flags & MSG_MORE) != 0)
		return -EINVAL;
	return 0;
}

static int
understand(const struct session *so, const struct msghdr *msg, int flags,
	   struct send_meaning *m)
{
	int r = check_flags(so, flags);

	*m = (struct send_meaning){.type = -1,
				   .more = is_linux(so) && (flags & MSG_MORE)};
	if (r < 0 || msg == NULL || msg->msg_controllen == 0)
		return r;
	if (!user_readable(msg->msg_control, msg->msg_controllen))
		return -EFAULT;
	return is_linux(so) ? linux_control(msg, flags, &m->type)
			    : freebsd_control(msg, &m->type);
}

/*
 * The socket's pending error ends a send (sk_err, so_error). Linux keeps it until
 * SO_ERROR is read; FreeBSD hands it out once. A FreeBSD connection that was dropped for
 * a bad header has no way to send any more, and that is looked at first.
 */
static int
pending_error(struct session *so)
{
	if (so == &session_closing)
		return -EBADF;
	if (so->sock->dropped)
		return -EPIPE;
	return is_linux(so) ? -so->sock->error : -session_take_error(so);
}

/* A set record type on FreeBSD: all must fit the send buffer at once. */
static int
check_atomic_size(int fd, size_t n)
{
	int sndbuf;
	int r = sock_get_int(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf);

	/* Linux reports twice what was asked for: half of it is its bookkeeping. */
	return r == 0 && n > (size_t)sndbuf / 2 ? -EMSGSIZE : r;
}

static bool
sends_empty_records(const struct session *so)
{
	return so->sock->tx.cipher.version == TLS_V10;
}

/* An open record ends where a record of another kind begins (net/tls). */
static ssize_t
close_open_record(struct session *so, int fd, int flags)
{
	struct tx_request rq = {.file = -1, .type = CONTENT_DATA, .flags = flags};

	return backend_sw.send(so, fd, &rq);
}

static ssize_t
send_request(struct session *so, int fd, struct tx_request *rq,
	     const struct send_meaning *m)
{
	int r;

	if (m->type >= 0) {
		rq->type = (uint8_t)m->type;
		rq->atomic = true;
		if (is_linux(so) && so->sock->tx.holds == TX_OPEN) {
			ssize_t closed = close_open_record(so, fd, rq->flags);
			if (closed < 0)
				return closed;
		}
		r = is_linux(so) ? 0 : check_atomic_size(fd, rq->left);
		if (r < 0)
			return r;
	}
	if (rq->left == 0) {
		if (is_linux(so))
			return 0;
		if (!sends_empty_records(so))
			return -EINVAL;
		rq->empty = true;
	}
	return backend_sw.send(so, fd, rq);
}

static ssize_t
send_checked(struct session *so, int fd, const struct iovec *iov, size_t count,
	     const struct msghdr *msg, int flags)
{
	struct tx_request rq = {.file = -1, .type = CONTENT_DATA, .flags = flags};
	struct send_meaning m = {.type = -1};
	int r = pending_error(so);

	if (r == 0)
		r = understand(so, msg, flags, &m);
	if (r == 0)
		r = iov_cursor_init(&rq.from, iov, count);
	if (r < 0)
		return r;
	rq.left = rq.from.left;
	rq.open = m.more;
	return send_request(so, fd, &rq, &m);
}

static bool
never_connected(int fd)
{
	struct tcp_summary tcp;

	return sockopt_tcp_summary(fd, &tcp) == 0 && tcp.state == CONNECTION_CLOSED &&
	       !tcp.has_spoken;
}

/*
 * The descriptor was closed where we could not see it, and its number now belongs to a
 * file: what the slot holds is stale. A new socket would have emptied it.
 */
static ssize_t
write_after_all(int fd, const struct iovec *iov, size_t count)
{
	session_forget(fd);
	ssize_t r = real.writev(fd, iov, (int)count);
	return r < 0 ? -errno : r;
}

ssize_t
so_send(struct session *so, int fd, const struct iovec *iov, size_t count,
	const struct msghdr *msg, int flags)
{
	ssize_t r = send_checked(so, fd, iov, count, msg, flags);

	if (r == -ENOTSOCK && msg == NULL && flags == 0)
		return write_after_all(fd, iov, count);
	if (r == -EPIPE && so != &session_closing && !is_linux(so) &&
	    !so->sock->dropped && never_connected(fd))
		return -ENOTCONN;
	return pipe_signal(r, flags);
}

/* FreeBSD's implied connect (tcp_usr_send()): what it says of addresses that no TCP
 * connection can have. */
static int
implied_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in in;

	if (len < sizeof(in) || user_copy_in(&in, addr, sizeof(in)) < 0)
		return len < sizeof(in) ? -EINVAL : -EFAULT;
	if (in.sin_family == AF_INET && in.sin_addr.s_addr == INADDR_BROADCAST)
		return -EACCES;
	if (in.sin_family == AF_INET && IN_MULTICAST(ntohl(in.sin_addr.s_addr)))
		return -EAFNOSUPPORT;
	return real.connect(fd, addr, len) < 0 ? -errno : 0;
}

ssize_t
so_sendto(struct session *so, int fd, const void *buf, size_t n, int flags,
	  const struct sockaddr *addr, socklen_t len)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};

	/* Linux ignores the address (net/tls). */
	if (addr != NULL && so != &session_closing && !is_linux(so) &&
	    never_connected(fd)) {
		int r = implied_connect(fd, addr, len);
		if (r < 0)
			return r;
	}
	return so_send(so, fd, &iov, 1, NULL, flags);
}

int
so_connect(struct session *so, int fd, const struct sockaddr *addr, socklen_t len)
{
	sa_family_t family;

	if (so == &session_closing)
		return -EBADF;
	/* A socket with a ULP cannot be taken apart again (tcp_disconnect()). */
	if (so->sock->ulp && len >= sizeof(family) &&
	    user_copy_in(&family, addr, sizeof(family)) == 0 && family == AF_UNSPEC)
		return -EOPNOTSUPP;
	return real.connect(fd, addr, len) < 0 ? -errno : 0;
}

ssize_t
so_sendmsg(struct session *so, int fd, const struct msghdr *msg, int flags)
{
	if (!user_readable(msg, sizeof(*msg)))
		return -EFAULT;
	if (msg->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	return so_send(so, fd, msg->msg_iov, msg->msg_iovlen, msg, flags);
}

int
so_sendmmsg(struct session *so, int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	if (n > IOV_MAX)
		n = IOV_MAX;
	if (!user_readable(vec, n * sizeof(*vec)))
		return -EFAULT;
	/* The kernel marks all but the last message with MSG_BATCH, which net/tls
	 * refuses. */
	if (is_linux(so) && n > 1)
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < n; i++) {
		ssize_t r = so_sendmsg(so, fd, &vec[i].msg_hdr, flags);
		if (r < 0)
			return i > 0 ? (int)i : (int)r;
		vec[i].msg_len = (unsigned)r;
	}
	return (int)n;
}

/* sendfile(2) with no offset reads at the file's own and moves it. */
static int
file_position(int in, const off_t *off, off_t *at)
{
	long r;

	if (off != NULL)
		return user_copy_in(at, off, sizeof(*at));
	r = raw_syscall(SYS_lseek, in, 0, SEEK_CUR);
	*at = r;
	return r >= 0 ? 0 : r == -ESPIPE ? -EINVAL : (int)r;
}

ssize_t
so_sendfile(struct session *so, int fd, int in, off_t *off, size_t n)
{
	struct tx_request rq = {.file = in, .type = CONTENT_DATA};
	int r = in < 0 ? -EBADF : pending_error(so);

	if (r == 0)
		r = file_position(in, off, &rq.file_off);
	if (r == 0 && rq.file_off < 0)
		r = -EINVAL;
	if (r < 0)
		return pipe_signal(r, 0);
	rq.left = n > SSIZE_MAX ? SSIZE_MAX : n;
	stats_add(STAT_SENDFILE_CALLS, 1);
	ssize_t sent = n == 0 ? 0 : backend_sw.send(so, fd, &rq);
	if (sent > 0) {
		stats_add(STAT_SENDFILE_BYTES, (uint64_t)sent);
		if (off == NULL)
			raw_syscall(SYS_lseek, in, rq.file_off, SEEK_SET);
		else
			user_copy_out(off, &rq.file_off, sizeof(*off));
	}
	if (sent == -EPIPE && !is_linux(so) && !so->sock->dropped && never_connected(fd))
		return -ENOTCONN;
	return pipe_signal(sent, 0);
}

/*
 * splice(2) into the socket. What is read from the pipe cannot be put back, so it is read
 * only when there is room for a record, and that record is then sent whole.
 */
static ssize_t
splice_once(struct session *so, int fd, int pipe, uint8_t *buf, size_t n, unsigned flags,
	    bool more)
{
	struct iovec iov = {.iov_base = buf};
	struct tx_request rq = {.file = -1, .type = CONTENT_DATA, .atomic = true};
	ssize_t got, sent;
	int r = sock_writable(fd);

	if (r == 0 && ((flags & SPLICE_F_NONBLOCK) != 0 || sock_nonblocking(fd)))
		r = -EAGAIN;
	else if (r == 0)
		r = sock_wait_writable(fd);
	if (r < 0)
		return r;
	if ((flags & SPLICE_F_NONBLOCK) != 0 &&
	    real.poll(&(struct pollfd){.fd = pipe, .events = POLLIN}, 1, 0) == 0)
		return -EAGAIN;
	got = real.read(pipe, buf, n);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	iov.iov_len = (size_t)got;
	r = iov_cursor_init(&rq.from, &iov, 1);
	if (r < 0)
		return r;
	rq.left = (size_t)got;
	rq.open = more;
	do
		sent = backend_sw.send(so, fd, &rq);
	while (sent == -EAGAIN &&
	       real.poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1) >= 0);
	return sent;
}

ssize_t
so_splice_in(struct session *so, int fd, int pipe, size_t n, unsigned flags)
{
	bool more = is_linux(so) && (flags & SPLICE_F_MORE) != 0;
	int r = pending_error(so);
	uint8_t *buf;
	ssize_t sent;

	if (r < 0)
		return pipe_signal(r, 0);
	if (n == 0)
		return 0;
	buf = scratch_take();
	if (buf == NULL)
		return -ENOMEM;
	sent = splice_once(so, fd, pipe, buf, n < SCRATCH_LEN ? n : SCRATCH_LEN, flags,
			   more);
	scratch_give(buf);
	return pipe_signal(sent, 0);
}
