/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soreceive.c: what a receive means on a TLS socket, in FreeBSD's dialect and in Linux's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/tls.h>
#include <string.h>
#include <sys/ktls_compat.h>

#include "backend.h"
#include "real.h"
#include "scratch.h"
#include "so.h"
#include "sw_rx.h"
#include "uaccess.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

static bool
is_linux(const struct session *so)
{
	return so->sock->rules == RULES_LINUX;
}

/*
 * Linux's put_cmsg(): as much of the message as there is room for, with MSG_CTRUNC when
 * that is not all. Returns how far msg_control was used.
 */
static size_t
put_cmsg(struct msghdr *msg, size_t room, int level, int type, const void *data,
	 size_t len)
{
	struct cmsghdr c = {
		.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};

	if (msg->msg_control == NULL || room < sizeof(c)) {
		msg->msg_flags |= MSG_CTRUNC;
		return 0;
	}
	if (room < c.cmsg_len) {
		msg->msg_flags |= MSG_CTRUNC;
		c.cmsg_len = room;
	}
	memcpy(msg->msg_control, &c, sizeof(c));
	memcpy((char *)msg->msg_control + CMSG_LEN(0), data, c.cmsg_len - CMSG_LEN(0));
	return room < CMSG_SPACE(len) ? room : CMSG_SPACE(len);
}

static void
linux_results(const struct rx_request *rq, struct msghdr *msg)
{
	size_t room = msg->msg_controllen;

	msg->msg_controllen = 0;
	if (!rq->touched)
		return;
	msg->msg_controllen =
		put_cmsg(msg, room, SOL_TLS, TLS_GET_RECORD_TYPE, &rq->type, 1);
	if (rq->end)
		msg->msg_flags |= MSG_EOR;
}

/* FreeBSD gives the header once, with the first bytes of a record, and all of it or
 * nothing (soreceive_stream, recvit). */
static void
freebsd_results(const struct rx_request *rq, struct msghdr *msg)
{
	struct tls_get_record header;
	size_t room = msg->msg_controllen;

	memset(&header, 0, sizeof(header)); /* its padding byte too */
	header.tls_type = rq->type;
	header.tls_vmajor = TLS_MAJOR_VER_ONE;
	header.tls_vminor = rq->wire_minor;
	header.tls_length = htons(rq->record_len);
	msg->msg_controllen = 0;
	if (rq->touched && rq->first && msg->msg_control != NULL) {
		if (room < CMSG_SPACE(sizeof(header)))
			msg->msg_flags |= MSG_CTRUNC;
		else
			msg->msg_controllen =
				put_cmsg(msg, room, IPPROTO_TCP, TLS_GET_RECORD, &header,
					 sizeof(header));
	}
	/* An empty record has no last byte to mark. */
	if (rq->touched && rq->end && rq->record_len > 0)
		msg->msg_flags |= MSG_EOR;
}

/* Linux gives a record that is not data only to a caller who can learn its type. */
static bool
takes_any_type(const struct session *so, const struct msghdr *msg)
{
	if (!is_linux(so))
		return true;
	return msg != NULL && msg->msg_control != NULL &&
	       msg->msg_controllen >= CMSG_LEN(1);
}

/* FreeBSD's urgent byte goes past TLS; Linux ignores the flag. */
static ssize_t
receive_urgent(int fd, const struct iovec *iov, size_t count, struct msghdr *msg,
	       int flags)
{
	struct msghdr own = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			     .msg_iovlen = count};
	ssize_t n = real.recvmsg(fd, msg != NULL ? msg : &own, flags);

	return n < 0 ? -errno : n;
}

ssize_t
so_receive(struct session *so, int fd, const struct iovec *iov, size_t count,
	   struct msghdr *msg, int flags)
{
	struct rx_request rq = {
		.merge = is_linux(so),
		.any_type = takes_any_type(so, msg),
		.peek = (flags & MSG_PEEK) != 0,
		.waitall = (flags & MSG_WAITALL) != 0,
		.whole = is_linux(so) && msg != NULL && msg->msg_controllen > 0,
		.flags = flags,
	};
	int r = iov_cursor_init(&rq.to, iov, count);

	if (so == &session_closing)
		return -EBADF;
	if (r < 0)
		return r;
	if (!is_linux(so) && (flags & MSG_OOB) != 0)
		return receive_urgent(fd, iov, count, msg, flags);
	if (is_linux(so) && rq.to.left == 0) {
		if (msg != NULL)
			msg->msg_controllen = 0;
		return 0;
	}
	ssize_t n = backend_sw.receive(so, fd, &rq);
	if (n == -ENOTSOCK && msg == NULL && flags == 0) {
		/* As in sosend.c: a stale slot. */
		session_forget(fd);
		n = real.readv(fd, iov, (int)count);
		return n < 0 ? -errno : n;
	}
	if (n < 0 || msg == NULL)
		return n;
	msg->msg_flags = 0;
	msg->msg_namelen = 0;
	if (is_linux(so))
		linux_results(&rq, msg);
	else
		freebsd_results(&rq, msg);
	return n;
}

ssize_t
so_recvmsg(struct session *so, int fd, struct msghdr *msg, int flags)
{
	if ((flags & MSG_ERRQUEUE) != 0 && so != &session_closing) {
		ssize_t r = real.recvmsg(fd, msg, flags);
		return r < 0 ? -errno : r;
	}
	/* Nobody receives into constants: that it can be read is enough, and cheaper. */
	if (!user_readable(msg, sizeof(*msg)))
		return -EFAULT;
	if (msg->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (msg->msg_control != NULL && msg->msg_controllen > 0 &&
	    !user_readable(msg->msg_control, msg->msg_controllen))
		return -EFAULT;
	return so_receive(so, fd, msg->msg_iov, msg->msg_iovlen, msg, flags);
}

/*
 * recvmmsg(2): stops at the first failure, which is told only when nothing was received;
 * the timeout is looked at after each message, as the kernel does (its BUGS section).
 */
int
so_recvmmsg(struct session *so, int fd, struct mmsghdr *vec, unsigned n, int flags,
	    struct timespec *timeout)
{
	struct timespec start, now;
	unsigned i;

	if (n > IOV_MAX)
		n = IOV_MAX;
	if (!user_writable(vec, n * sizeof(*vec)) ||
	    (timeout != NULL && !user_writable(timeout, sizeof(*timeout))))
		return -EFAULT;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < n; i++) {
		ssize_t r = so_recvmsg(so, fd, &vec[i].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			return i > 0 ? (int)i : (int)r;
		vec[i].msg_len = (unsigned)r;
		if ((flags & MSG_WAITFORONE) != 0)
			flags |= MSG_DONTWAIT;
		if (timeout == NULL)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > timeout->tv_sec ||
		    (now.tv_sec - start.tv_sec == timeout->tv_sec &&
		     now.tv_nsec - start.tv_nsec >= timeout->tv_nsec))
			return (int)i + 1;
	}
	return (int)i;
}

/*
 * splice(2) from the socket: at most one record, and only as much as the pipe takes,
 * since what was taken from the record cannot go back. A control record is refused and
 * stays.
 */
static ssize_t
splice_record(struct session *so, int fd, int pipe, struct iovec *iov, bool nonblock)
{
	struct rx_request rq = {.peek = true, .flags = nonblock ? MSG_DONTWAIT : 0};
	int r = iov_cursor_init(&rq.to, iov, 1);
	ssize_t n, put;

	if (r < 0)
		return r;
	n = backend_sw.receive(so, fd, &rq);
	if (n == -EIO)
		return -EINVAL;
	if (n < 0 || (n == 0 && !rq.touched))
		return n;
	put = n == 0 ? 0 : real.write(pipe, iov->iov_base, (size_t)n);
	if (put < 0)
		return -errno;
	/* Take what went into the pipe: from the cache, so this neither waits nor fails.
	 */
	struct rx_request take = {.flags = MSG_DONTWAIT};
	iov->iov_len = put == 0 ? 1 : (size_t)put;
	r = iov_cursor_init(&take.to, iov, 1);
	return r < 0 ? r : backend_sw.receive(so, fd, &take) < 0 ? -EIO : put;
}

ssize_t
so_splice_out(struct session *so, int fd, int pipe, size_t n, unsigned flags)
{
	uint8_t *buf;

	if (so == &session_closing)
		return -EBADF;
	if (n == 0)
		return 0;
	if ((flags & SPLICE_F_NONBLOCK) != 0 &&
	    real.poll(&(struct pollfd){.fd = pipe, .events = POLLOUT}, 1, 0) == 0)
		return -EAGAIN;
	buf = scratch_take();
	if (buf == NULL)
		return -ENOMEM;
	struct iovec iov = {buf, n < RECORD_MAX_PLAINTEXT ? n : RECORD_MAX_PLAINTEXT};
	ssize_t r = splice_record(so, fd, pipe, &iov, (flags & SPLICE_F_NONBLOCK) != 0);
	scratch_give(buf);
	return r;
}

int
so_readable_bytes(struct session *so, int fd, int *bytes)
{
	int queued = 0,
	    r = real.ioctl(fd, 0x541B /* FIONREAD */, &queued) < 0 ? -errno : 0;

	if (r == 0)
		r = sw_bytes_queued(so, fd, &queued);
	if (r == 0)
		r = user_copy_out(bytes, &queued, sizeof(queued));
	return r;
}
