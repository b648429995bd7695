/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_fixture.c: takes what it is told to take of what is sent, and reads it back.
 */
#include "send_fixture.h"

#include <endian.h>
#include <errno.h>
#include <linux/tls.h>
#include <signal.h>
#include <string.h>
#include <sys/ktls_compat.h>

#include <criterion/criterion.h>

#include "real.h"
#include "so.h"
#include "sockopt.h"
#include "sysctl.h"

struct send_net net;
struct peer_view peer;
uint8_t text[TEXT_LEN];

const struct kind kinds[KINDS] = {
	{"AES-128-GCM", TLS_V12},
	{"CHACHA20-POLY1305", TLS_V13},
	{"AES-128-CBC-SHA1", TLS_V12},
	{"AES-128-CBC-SHA1", TLS_V10},
};

static ssize_t
net_send(int fd, const void *buf, size_t n, int flags)
{
	(void)fd;
	if ((flags & MSG_DONTWAIT) == 0) { /* sock_wait_writable() */
		net.waits++;
		net.room += net.new_room;
		errno = net.room > 0 ? EFAULT : net.error;
		return -1;
	}
	net.calls++;
	net.last_flags = flags;
	cr_assert(flags & MSG_NOSIGNAL);
	if (net.error_once != 0) {
		errno = net.error_once;
		net.error_once = 0;
		return -1;
	}
	if (net.room == 0) {
		errno = net.error;
		return -1;
	}
	n = n < net.room ? n : net.room;
	cr_assert_leq(net.len + n, sizeof(net.wire));
	memcpy(net.wire + net.len, buf, n);
	net.len += n;
	net.room -= n;
	return (ssize_t)n;
}

static int
net_poll(struct pollfd *p, nfds_t n, int timeout)
{
	cr_assert_eq(n, 1);
	if (timeout != 0) {
		net.waits++;
		net.room += net.new_room;
	}
	p->revents = net.room > 0 || net.writable ? POLLOUT : 0;
	return p->revents != 0;
}

static int
net_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	if (level != SOL_SOCKET || name != SO_SNDBUF)
		return getsockopt(fd, level, name, val, len);
	memcpy(val, &net.sndbuf, sizeof(net.sndbuf));
	return 0;
}

void
prepare_send(void)
{
	prepare_library();
	real.send = net_send;
	real.poll = net_poll;
	real.getsockopt = net_getsockopt;
	fill_pattern(text, sizeof(text), 0);
	signal(SIGPIPE, SIG_IGN);
}

void
reset_net(size_t room)
{
	net.len = 0;
	net.room = room;
	net.error = EAGAIN;
	net.error_once = 0;
	net.new_room = WIRE_MAX;
	net.writable = true;
	net.calls = net.waits = 0;
	net.sndbuf = 4 << 20;
}

void
open_kind(struct tls_end *end, int kind, enum record_rules rules)
{
	open_alone(end, kinds[kind].suite, kinds[kind].minor, rules, WITH_TX);
	tunables[TUNABLE_MAXLEN] = SHORT_RECORD;
}

bool
read_wire(struct tls_end *end)
{
	static struct oracle_opened opened;
	size_t at = 0, used = 0;
	uint64_t nonce = 0, last = 0;

	peer.len = 0;
	peer.count = 0;
	while (at < net.len) {
		if (net.len - at < RECORD_HEADER_LEN ||
		    net.len - at < 5 + ((size_t)net.wire[at + 3] << 8) + net.wire[at + 4])
			break;
		ssize_t n = peer_opens(end, net.wire + at, net.len - at, &used, &opened);
		if (n < 0)
			return false;
		if (end->oracle.row->mode == ORACLE_GCM && end->oracle.row->minor == 3) {
			memcpy(&nonce, net.wire + at + 5, sizeof(nonce));
			nonce = be64toh(nonce);
			if (peer.count > 0 && nonce != last + 1)
				return false;
			last = nonce;
		}
		memcpy(peer.plain + peer.len, opened.payload, (size_t)n);
		peer.len += (size_t)n;
		peer.type[peer.count] = opened.type;
		peer.record[peer.count++] = (size_t)n;
		at += used;
	}
	peer.rest = net.len - at;
	return true;
}

ssize_t
send_bytes(struct tls_end *end, size_t from, size_t n, int flags)
{
	struct iovec iov = {text + from, n};

	return so_send(end->so, end->fd, &iov, 1, NULL, flags);
}

ssize_t
send_typed(struct tls_end *end, uint8_t type, size_t from, size_t n, int flags)
{
	bool is_linux = end->so->sock->rules == RULES_LINUX;
	union {
		char space[CMSG_SPACE(1)];
		struct cmsghdr header;
	} control = {.header = {.cmsg_len = CMSG_LEN(1),
				.cmsg_level = is_linux ? SOL_TLS : IPPROTO_TCP,
				.cmsg_type = TLS_SET_RECORD_TYPE}};
	struct iovec iov = {text + from, n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};

	*CMSG_DATA(&control.header) = type;
	return so_sendmsg(end->so, end->fd, &msg, flags);
}

bool
peer_has_text(size_t n)
{
	return peer.len == n && memcmp(peer.plain, text, n) == 0;
}
