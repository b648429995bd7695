/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * receive_fixture.c: a receive queue that fills as the test wants it.
 */
#include "receive_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ktls_compat.h>

#include <criterion/criterion.h>

#include "so.h"
#include "sockopt.h"

enum {
	RCVBUF = 131072,
};

struct receive_net net;
uint8_t text[TEXT_LEN];
uint8_t got[TEXT_LEN];
struct real_calls libc;

const struct kind kinds[KINDS] = {
	{"CHACHA20-POLY1305", TLS_V13, RULES_LINUX},
	{"CHACHA20-POLY1305", TLS_V12, RULES_LINUX},
	{"AES-128-GCM", TLS_V12, RULES_LINUX},
	{"CHACHA20-POLY1305", TLS_V13, RULES_FREEBSD},
	{"AES-128-GCM", TLS_V12, RULES_FREEBSD},
	{"AES-128-CBC-SHA1", TLS_V12, RULES_FREEBSD},
};

size_t
net_queued(void)
{
	return net.come - net.taken;
}

void
net_arrive(size_t n)
{
	net.come = net.len - net.come < n ? net.len : net.come + n;
}

static bool
net_at_end(void)
{
	return net.come == net.len && (net.fin || net.error != 0);
}

bool
net_readable(void)
{
	return net_queued() >= (size_t)net.lowat || net_at_end();
}

static ssize_t
net_empty(void)
{
	if (net.come == net.len && net.error != 0) {
		errno = net.error;
		net.error = 0;
		net.fin = true;
		return -1;
	}
	if (net_at_end())
		return 0;
	errno = EAGAIN;
	return -1;
}

/* tcp_recvmsg() waits for min(lowat, n) bytes, or for all with MSG_WAITALL. */
static void
net_block(size_t n, int flags)
{
	size_t lowat = (size_t)net.lowat < n ? (size_t)net.lowat : n;
	size_t target = (flags & MSG_WAITALL) != 0 ? n : lowat;

	cr_assert_neq(net.step, 0, "a call blocks for ever");
	while (net_queued() < target && net.come < net.len)
		net_arrive(net.step);
	cr_assert(net_queued() >= target || net_at_end(), "a call blocks for ever");
}

static ssize_t
net_recv(int fd, void *buf, size_t n, int flags)
{
	(void)fd;
	if ((flags & MSG_DONTWAIT) == 0)
		net_block(n, flags);
	if (net_queued() == 0)
		return net_empty();
	n = n < net_queued() ? n : net_queued();
	if ((flags & MSG_TRUNC) == 0)
		memcpy(buf, net.wire + net.taken, n);
	if ((flags & MSG_PEEK) == 0)
		net.taken += n;
	return (ssize_t)n;
}

static ssize_t
net_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t done = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		if (i > 0 && net_queued() == 0)
			break;
		ssize_t n = net_recv(fd, msg->msg_iov[i].iov_base,
				     msg->msg_iov[i].iov_len, flags);
		if (n <= 0)
			return done > 0 ? done : n;
		done += n;
	}
	return done;
}

static int
net_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	if (level != SOL_SOCKET || name != SO_RCVLOWAT)
		return setsockopt(fd, level, name, val, len);
	memcpy(&net.lowat, val, sizeof(net.lowat));
	net.lowat_calls++;
	return 0;
}

static int
net_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int rcvbuf = RCVBUF;

	if (level == SOL_SOCKET && name == SO_RCVLOWAT)
		memcpy(val, &net.lowat, sizeof(net.lowat));
	else if (level == SOL_SOCKET && name == SO_RCVBUF)
		memcpy(val, &rcvbuf, sizeof(rcvbuf));
	else
		return getsockopt(fd, level, name, val, len);
	return 0;
}

static int
net_ioctl(int fd, unsigned long request, void *arg)
{
	int queued = (int)net_queued();

	if (request != FIONREAD)
		return ioctl(fd, request, arg);
	memcpy(arg, &queued, sizeof(queued));
	return 0;
}

void
prepare_receive(void)
{
	prepare_library();
	libc = real;
	real.recv = net_recv;
	real.recvmsg = net_recvmsg;
	real.setsockopt = net_setsockopt;
	real.getsockopt = net_getsockopt;
	real.ioctl = net_ioctl;
	fill_pattern(text, sizeof(text), 0);
}

static void
reset_net(void)
{
	net.taken = net.come = net.len = net.step = 0;
	net.fin = false;
	net.error = 0;
	net.lowat = 1;
	net.lowat_calls = 0;
}

void
open_kind(struct tls_end *end, int kind)
{
	reset_net();
	open_alone(end, kinds[kind].suite, kinds[kind].minor, kinds[kind].rules, WITH_RX);
}

size_t
peer_sends(struct tls_end *end, uint8_t type, size_t from, size_t n)
{
	net.len += peer_seals(end, type, text + from, n, net.wire + net.len);
	return net.len;
}

ssize_t
receive(struct tls_end *end, void *buf, size_t n, int flags)
{
	struct iovec iov = {buf, n};

	return so_receive(end->so, end->fd, &iov, 1, NULL, flags);
}

struct message
receive_message(struct tls_end *end, void *buf, size_t n, size_t controllen, int flags)
{
	_Alignas(struct cmsghdr) uint8_t control[64] = {0};
	struct iovec iov = {buf, n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = controllen > 0 ? control : NULL,
			     .msg_controllen = controllen};
	struct message m = {.type = NOT_THERE, .len = NOT_THERE};
	struct tls_get_record header;

	m.n = so_recvmsg(end->so, end->fd, &msg, flags);
	m.flags = msg.msg_flags;
	m.controllen = msg.msg_controllen;
	if (m.n < 0 || msg.msg_controllen < CMSG_LEN(1))
		return m;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c->cmsg_level == SOL_TLS && c->cmsg_type == TLS_GET_RECORD_TYPE &&
	    c->cmsg_len == CMSG_LEN(1))
		m.type = *CMSG_DATA(c);
	if (c->cmsg_level != IPPROTO_TCP || c->cmsg_type != TLS_GET_RECORD ||
	    c->cmsg_len != CMSG_LEN(sizeof(header)))
		return m;
	memcpy(&header, CMSG_DATA(c), sizeof(header));
	m.type = header.tls_type;
	m.minor = header.tls_vminor;
	m.len = ntohs(header.tls_length);
	return m;
}

bool
is_text(const uint8_t *p, size_t from, size_t n)
{
	return memcmp(p, text + from, n) == 0;
}
