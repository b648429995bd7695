/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_receive.c: records that arrive in any pieces are delivered whole, once and in
 * order; and the kernel calls the socket readable exactly when there is something.
 *
 * Most tests play the kernel: a queue behind `real.recv` and `real.recvmsg`, with
 * SO_RCVLOWAT as tcp(7) has it. Bytes arrive when the test says so, or when a call
 * blocks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "real.h"
#include "session_fixture.h"
#include "so.h"
#include "sockopt.h"
#include "sw_rx.h"

enum {
	WIRE_MAX = 1 << 20,
	NOT_THERE = -1,
	RCVBUF = 131072,
	GUARD = 0xa5,
};

/* The kernel's receive queue: wire[taken..come); up to `len` more arrives later. */
static struct {
	uint8_t wire[WIRE_MAX];
	size_t taken, come, len;
	size_t step; /* bytes that arrive when a call blocks; 0: none may */
	bool fin;    /* what comes behind `len` */
	int error;   /* or this, once */
	int lowat, lowat_calls;
} net;

static uint8_t text[200000];
static uint8_t got[200000];

static size_t
net_queued(void)
{
	return net.come - net.taken;
}

static void
net_arrive(size_t n)
{
	net.come = net.len - net.come < n ? net.len : net.come + n;
}

static bool
net_at_end(void)
{
	return net.come == net.len && (net.fin || net.error != 0);
}

/* tcp_poll(): enough bytes, or the end. */
static bool
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

static struct real_calls libc;

static void
set_up(void)
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

TestSuite(receive, .init = set_up, .timeout = 120);

static const struct kind {
	const char *suite;
	int minor;
	enum record_rules rules;
} kinds[] = {
	{"CHACHA20-POLY1305", TLS_V13, RULES_LINUX},
	{"CHACHA20-POLY1305", TLS_V12, RULES_LINUX},
	{"AES-128-GCM", TLS_V12, RULES_LINUX},
	{"CHACHA20-POLY1305", TLS_V13, RULES_FREEBSD},
	{"AES-128-GCM", TLS_V12, RULES_FREEBSD},
	{"AES-128-CBC-SHA1", TLS_V12, RULES_FREEBSD},
};
enum {
	KINDS = sizeof(kinds) / sizeof(kinds[0]),
	CHACHA13 = 0,
	CHACHA12 = 1,
	GCM12 = 2,
	BSD13 = 3,
	BSD12 = 4,
	BSD_CBC = 5,
};

static void
reset_net(void)
{
	net.taken = net.come = net.len = net.step = 0;
	net.fin = false;
	net.error = 0;
	net.lowat = 1;
	net.lowat_calls = 0;
}

static void
open_kind(struct tls_end *end, int kind)
{
	reset_net();
	open_alone(end, kinds[kind].suite, kinds[kind].minor, kinds[kind].rules, WITH_RX);
}

/* The peer sends a record of text[from..from + n), which does not arrive yet. Where it
 * ends on the wire. */
static size_t
peer_sends(struct tls_end *end, uint8_t type, size_t from, size_t n)
{
	net.len += peer_seals(end, type, text + from, n, net.wire + net.len);
	return net.len;
}

static ssize_t
receive(struct tls_end *end, void *buf, size_t n, int flags)
{
	struct iovec iov = {buf, n};

	return so_receive(end->so, end->fd, &iov, 1, NULL, flags);
}

/* recvmsg with a control buffer. */
struct message {
	ssize_t n;
	int flags;
	size_t controllen;
	int type;  /* content type, NOT_THERE without a control message */
	int len;   /* FreeBSD: tls_length */
	int minor; /* FreeBSD */
};

static struct message
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

static bool
is_text(const uint8_t *p, size_t from, size_t n)
{
	return memcmp(p, text + from, n) == 0;
}

/* The stream that most tests use: where each record's plaintext and wire end. */
enum {
	RECORDS = 6,
};
static const size_t record_lens[RECORDS] = {1, 40, 7, 300, 2, 61};

struct stream {
	size_t plain_end[RECORDS], wire_end[RECORDS];
	size_t total;
};

static struct stream
send_stream(struct tls_end *end)
{
	struct stream s = {.total = 0};

	for (int i = 0; i < RECORDS; i++) {
		s.wire_end[i] = peer_sends(end, 23, s.total, record_lens[i]);
		s.total += record_lens[i];
		s.plain_end[i] = s.total;
	}
	return s;
}

/* Plaintext bytes of the records that have come whole. */
static size_t
complete(const struct stream *s)
{
	size_t n = 0;

	for (int i = 0; i < RECORDS && s->wire_end[i] <= net.come; i++)
		n = s->plain_end[i];
	return n;
}

/* What a call that asks for `want` may bring: no record's border is crossed on FreeBSD.
 */
static size_t
limit(const struct tls_end *end, const struct stream *s, size_t at, size_t want)
{
	size_t n = complete(s) - at;

	if (end->so->sock->rules == RULES_FREEBSD)
		for (int i = 0; i < RECORDS; i++)
			if (s->plain_end[i] > at) {
				n = n < s->plain_end[i] - at ? n : s->plain_end[i] - at;
				break;
			}
	return n < want ? n : want;
}

/* Never silent when there is something to have. */
static void
check_readiness(const struct stream *s, size_t at, const char *when)
{
	if (complete(s) > at)
		cr_assert(net_readable(),
			  "%s: %zu bytes are there and the kernel says no (%zu queued, "
			  "lowat %d)",
			  when, complete(s) - at, net_queued(), net.lowat);
}

/*
 * Records come in pieces of `piece` bytes; after each the program is woken or not, and
 * reads `want` at a time: until EAGAIN, or (lazy) once, as one does who trusts poll(2).
 */
static void
drip(int kind, size_t piece, size_t want, bool lazy, int flags)
{
	struct tls_end end;
	size_t at = 0;

	open_kind(&end, kind);
	struct stream s = send_stream(&end);
	while (net.come < net.len || (lazy && at < s.total)) {
		net_arrive(piece);
		check_readiness(&s, at, "arrived");
		if (lazy && !net_readable())
			continue;
		for (;;) {
			size_t expected = limit(&end, &s, at, want);
			memset(got, GUARD, want + 32);
			ssize_t n = receive(&end, got, want, flags);
			if (expected == 0) {
				cr_assert_eq(n, -EAGAIN, "kind %d: %zd", kind, n);
				cr_assert(!net_readable(), "%zu queued, lowat %d",
					  net_queued(), net.lowat);
				break;
			}
			cr_assert_eq(n, (ssize_t)expected,
				     "kind %d, piece %zu, want %zu: %zd, not %zu", kind,
				     piece, want, n, expected);
			cr_assert(is_text(got, at, expected));
			cr_assert_eq(got[want], GUARD);
			at += expected;
			check_readiness(&s, at, "read");
			if (lazy)
				break;
		}
	}
	cr_expect_eq(at, s.total);
	close_end(&end);
}

Test(receive, in_pieces)
{
	static const size_t pieces[] = {1, 2, 3, 5, 13, 17, 29, 64, 100, 333, 10000};
	static const size_t wants[] = {1, 2, 39, 40, 41, 56, 57, 64, 300, 316, 1000};

	for (int kind = 0; kind < KINDS; kind++)
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
			for (size_t w = 0; w < sizeof(wants) / sizeof(wants[0]); w++)
				drip(kind, pieces[p], wants[w], false, MSG_DONTWAIT);
}

/* A program that reads once per wake-up, as level-triggered ones do, is woken for each
 * thing that is left. */
Test(receive, read_once_when_readable)
{
	static const size_t wants[] = {1, 39, 57, 1000};

	for (int kind = 0; kind < KINDS; kind++)
		for (size_t piece = 1; piece < 120; piece++)
			for (size_t w = 0; w < sizeof(wants) / sizeof(wants[0]); w++)
				drip(kind, piece, wants[w], true, MSG_DONTWAIT);
}

/* All but the last bytes of a record come with the one before it; a program that reads
 * once, and more than there is, waits for the kernel to tell of those last bytes. */
Test(receive, last_bytes_wake)
{
	for (int kind = 0; kind < KINDS; kind++) {
		for (int i = 0; i + 1 < RECORDS; i++) {
			for (size_t last = 1; last < 24; last++) {
				struct tls_end end;
				open_kind(&end, kind);
				struct stream s = send_stream(&end);
				net_arrive(i == 0 ? 0 : s.wire_end[i - 1]);
				while (receive(&end, got, 500, MSG_DONTWAIT) > 0)
					continue;
				net_arrive(s.wire_end[i + 1] - last - net.come);
				cr_expect_gt(receive(&end, got, 500, MSG_DONTWAIT), 0);
				net_arrive(last);
				cr_expect(
					net_readable(),
					"kind %d, record %d, last %zu: %zu queued, lowat "
					"%d",
					kind, i, last, net_queued(), net.lowat);
				close_end(&end);
			}
		}
	}
}

/* A record that was looked at, refused or measured is still something to be had. */
Test(receive, refused_stays_readable)
{
	enum {
		PLAIN_RECEIVE,
		BAD_MEMORY,
		NO_ROOM,
		BYTES,
		PEEK,
		WAYS,
	};
	struct tls_end end;
	int bytes;

	for (int kind = 0; kind < KINDS; kind++) {
		for (int way = 0; way < WAYS; way++) {
			for (size_t last = 1; last < 24; last++) {
				open_kind(&end, kind);
				size_t first = peer_sends(&end, 23, 0, 10);
				peer_sends(&end, 22, 0, 3);
				receive(&end, got, 9, MSG_DONTWAIT);
				net_arrive(net.len - last);
				cr_expect_eq(receive(&end, got, 50, MSG_DONTWAIT), 10);
				/* FreeBSD's call ends with its record: the next
				 * moves the beginning of the other to us. */
				if (kinds[kind].rules == RULES_FREEBSD && last % 2)
					receive(&end, got, 50, MSG_DONTWAIT);
				net_arrive(last);
				cr_expect(net_readable() && first > 0);
				switch (way) {
				case PLAIN_RECEIVE:
					receive(&end, got, 1, MSG_DONTWAIT);
					break;
				case BAD_MEMORY:
					receive_message(&end, bad_page(), 9, 24, 0);
					break;
				case NO_ROOM:
					receive_message(&end, got, 0, 24, MSG_DONTWAIT);
					break;
				case BYTES:
					so_readable_bytes(end.so, end.fd, &bytes);
					break;
				case PEEK:
					receive_message(&end, got, 9, 24, MSG_PEEK);
					break;
				}
				cr_expect(
					net_readable(),
					"kind %d, way %d, last %zu: %zu queued, lowat %d",
					kind, way, last, net_queued(), net.lowat);
				cr_expect_gt(receive_message(&end, got, 9, 24, 0).n, 1);
				close_end(&end);
			}
		}
	}
}

/* Blocking calls, with MSG_WAITALL and without, on what comes in any pieces. */
Test(receive, blocking)
{
	static const size_t wants[] = {1, 41, 57, 300, 409, 411};

	for (int kind = 0; kind < KINDS; kind++) {
		bool merges = kinds[kind].rules == RULES_LINUX;
		for (size_t step = 1; step < 100; step += 7) {
			for (size_t w = 0; w < 12; w++) {
				size_t want = wants[w / 2], at = 0;
				int flags = w % 2 ? MSG_WAITALL : 0;
				struct tls_end end;
				open_kind(&end, kind);
				struct stream s = send_stream(&end);
				net.step = step;
				net.fin = true;
				while (at < s.total) {
					ssize_t n = receive(&end, got, want, flags);
					cr_assert_gt(n, 0);
					cr_assert(is_text(got, at, (size_t)n));
					at += (size_t)n;
					if (merges && flags != 0 && at < s.total)
						cr_assert_eq((size_t)n, want);
				}
				cr_expect_eq(receive(&end, got, want, flags), 0);
				close_end(&end);
			}
		}
	}
}

/* SO_RCVLOWAT as the program set it: a blocking call waits for so much plaintext (Linux),
 * never for more than one record (FreeBSD), and no other call is held up by it. */
Test(receive, program_lowat)
{
	for (int kind = 0; kind < KINDS; kind++) {
		bool merges = kinds[kind].rules == RULES_LINUX;
		struct tls_end end;
		open_kind(&end, kind);
		send_stream(&end);
		int lowat = 45;
		cr_expect_eq(so_setsockopt(end.fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
					   sizeof(lowat)),
			     0);
		cr_expect_eq(net.lowat, 1);
		net.step = 1;
		ssize_t n = receive(&end, got, 100, 0);
		cr_expect_eq(n, merges ? 48 : 1, "kind %d: %zd", kind, n);
		cr_expect(is_text(got, 0, (size_t)n));
		net_arrive(100000);
		cr_expect_eq(receive(&end, got, 10, MSG_DONTWAIT), 10);
		close_end(&end);
	}
}

/* MSG_PEEK changes nothing and repeats; Linux's sees several records, FreeBSD's one. */
Test(receive, peek)
{
	static const size_t wants[] = {1, 20, 41, 60, 200, 1000};

	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t piece = 1; piece < 400; piece += piece < 130 ? 1 : 131) {
			struct tls_end end;
			open_kind(&end, kind);
			struct stream s = send_stream(&end);
			size_t at = 0, w = piece;
			while (net.come < net.len || at < s.total) {
				net_arrive(piece);
				size_t want = wants[w++ % 6];
				size_t expected = limit(&end, &s, at, want);
				for (int again = 0; again < 2; again++) {
					ssize_t n = receive(&end, got, want,
							    MSG_PEEK | MSG_DONTWAIT);
					if (expected == 0) {
						cr_assert_eq(n, -EAGAIN);
						continue;
					}
					cr_assert_eq(n, (ssize_t)expected,
						     "kind %d, piece %zu: %zd, not %zu",
						     kind, piece, n, expected);
					cr_assert(is_text(got, at, expected));
				}
				check_readiness(&s, at, "peeked");
				if (expected == 0)
					continue;
				ssize_t n =
					receive(&end, got, want / 2 + 1, MSG_DONTWAIT);
				cr_assert_gt(n, 0);
				cr_assert(is_text(got, at, (size_t)n));
				at += (size_t)n;
				check_readiness(&s, at, "read");
			}
			cr_expect_eq(at, s.total);
			close_end(&end);
		}
	}
}

/* Linux: control records alone, with their type, and only for one who can learn it. */
Test(receive, linux_control)
{
	static const int versions[] = {CHACHA13, CHACHA12, GCM12};
	struct tls_end end;

	for (int v = 0; v < 3; v++) {
		open_kind(&end, versions[v]);
		peer_sends(&end, 23, 0, 10);
		peer_sends(&end, 23, 10, 10);
		peer_sends(&end, 21, 20, 2);
		peer_sends(&end, 21, 22, 2);
		peer_sends(&end, 22, 24, 50);
		peer_sends(&end, 23, 74, 5);
		net_arrive(WIRE_MAX);
		struct message m = receive_message(&end, got, 100, 24, 0);
		cr_expect(m.n == 20 && m.type == 23 && (m.flags & MSG_EOR) != 0);
		cr_expect_eq(m.controllen, 24);
		cr_expect_eq(receive(&end, got, 100, 0), -EIO);
		cr_expect(net_readable());
		cr_expect_eq(receive(&end, got, 100, MSG_PEEK), -EIO);
		m = receive_message(&end, got, 100, 16, 0); /* too small for the type */
		cr_expect_eq(m.n, -EIO);
		m = receive_message(&end, got, 100, 24, MSG_PEEK);
		cr_expect(m.n == 2 && m.type == 21);
		m = receive_message(&end, got, 100, 17, 0);
		cr_expect(m.n == 2 && m.type == 21 && m.controllen == 17);
		m = receive_message(&end, got, 100, 64, MSG_WAITALL);
		cr_expect(m.n == 2 && m.type == 21 && is_text(got, 22, 2));
		m = receive_message(&end, got, 20, 24, 0);
		cr_expect(m.n == 20 && m.type == 22 && (m.flags & MSG_EOR) == 0);
		cr_expect_eq(receive(&end, got, 20, 0), -EIO);
		m = receive_message(&end, got, 100, 24, 0);
		cr_expect(m.n == 30 && m.type == 22 && (m.flags & MSG_EOR) != 0);
		cr_expect(is_text(got, 44, 30));
		/* Data needs no control buffer; that it could not be told shows. */
		m = receive_message(&end, got, 100, 0, 0);
		cr_expect(m.n == 5 && (m.flags & MSG_CTRUNC) != 0);
		m = receive_message(&end, got, 100, 24, MSG_DONTWAIT);
		cr_expect_eq(m.n, -EAGAIN);
		net.fin = true;
		m = receive_message(&end, got, 100, 24, 0);
		cr_expect(m.n == 0 && m.controllen == 0);
		close_end(&end);
	}
}

/* Linux: empty records (linux-ktls 4, C12). */
Test(receive, linux_empty_records)
{
	struct tls_end end;

	for (int kind = 0; kind < 3; kind++) {
		open_kind(&end, kind);
		peer_sends(&end, 23, 0, 0);
		net_arrive(WIRE_MAX);
		cr_expect_eq(receive(&end, got, 9, MSG_DONTWAIT), -EAGAIN);
		cr_expect_eq(net_queued(), 0, "consumed silently");
		peer_sends(&end, 23, 0, 0);
		peer_sends(&end, 23, 0, 100);
		peer_sends(&end, 23, 0, 0);
		net_arrive(WIRE_MAX);
		struct message m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 60 && m.type == 23, "kind %d: %zd", kind, m.n);
		cr_expect_eq(receive(&end, got, 60, MSG_DONTWAIT), 40);
		peer_sends(&end, 23, 0, 0);
		peer_sends(&end, 21, 0, 2);
		net_arrive(WIRE_MAX);
		m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 0 && m.type == 23 && m.controllen == 24);
		m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 2 && m.type == 21);
		peer_sends(&end, 21, 0, 0);
		net_arrive(WIRE_MAX);
		cr_expect_eq(receive(&end, got, 9, MSG_DONTWAIT), -EIO);
		m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 0 && m.type == 21 && m.controllen == 24);
		peer_sends(&end, 23, 0, 0);
		net.fin = true;
		net_arrive(WIRE_MAX);
		m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 0 && m.type == 23, "kind %d: %zd, %d", kind, m.n,
			  m.type);
		m = receive_message(&end, got, 60, 24, MSG_DONTWAIT);
		cr_expect(m.n == 0 && m.controllen == 0);
		/* A call without room takes nothing and says nothing. */
		m = receive_message(&end, got, 0, 24, MSG_DONTWAIT);
		cr_expect(m.n == 0 && m.controllen == 0);
		close_end(&end);
	}
}

/* FreeBSD: one record a call, its header once, MSG_EOR with its last byte (5.4 to 5.9).
 */
Test(receive, freebsd_records)
{
	static const int versions[] = {BSD13, BSD12, BSD_CBC};
	struct tls_end end;

	for (int v = 0; v < 3; v++) {
		open_kind(&end, versions[v]);
		peer_sends(&end, 23, 0, 100);
		peer_sends(&end, 23, 100, 100);
		peer_sends(&end, 22, 200, 100);
		peer_sends(&end, 21, 300, 0);
		peer_sends(&end, 21, 300, 2);
		net_arrive(WIRE_MAX);
		struct message m = receive_message(&end, got, 100, 24, MSG_PEEK);
		cr_expect(m.n == 100 && m.type == 23 && (m.flags & MSG_EOR) != 0);
		m = receive_message(&end, got, 60, 24, 0);
		cr_expect(m.n == 60 && m.type == 23 && m.len == 100 && m.minor == 3);
		cr_expect(m.controllen == 24 && (m.flags & (MSG_EOR | MSG_TRUNC)) == 0);
		m = receive_message(&end, got, 60, 24, 0);
		cr_expect(m.n == 40 && m.type == NOT_THERE && m.controllen == 0);
		cr_expect((m.flags & MSG_EOR) != 0 && is_text(got, 60, 40));
		/* A small control buffer: the data comes, the header is lost. */
		m = receive_message(&end, got, 500, 23, MSG_WAITALL);
		cr_expect(m.n == 100 && m.controllen == 0 && (m.flags & MSG_CTRUNC) != 0);
		/* A call without room takes the header and leaves the data. */
		m = receive_message(&end, got, 0, 24, 0);
		cr_expect(m.n == 0 && m.type == 22 && m.len == 100);
		m = receive_message(&end, got, 500, 0, 0);
		cr_expect(m.n == 100 && (m.flags & (MSG_EOR | MSG_CTRUNC)) == MSG_EOR);
		cr_expect(is_text(got, 200, 100));
		m = receive_message(&end, got, 500, 24, 0);
		cr_expect(m.n == 0 && m.type == 21 && m.len == 0);
		cr_expect_eq(m.flags & MSG_EOR, 0);
		cr_expect_eq(receive(&end, got, 500, 0), 2);
		cr_expect_eq(receive(&end, got, 0, 0), 0);
		cr_expect_eq(receive(&end, got, 1, MSG_DONTWAIT), -EAGAIN);
		net.fin = true;
		cr_expect_eq(receive(&end, got, 1, 0), 0);
		close_end(&end);
	}
}

/* A damaged record: none of its plaintext, in any of the ways that a record can take. The
 * ones before it come first. */
Test(receive, tampering)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		bool bsd = kinds[kind].rules == RULES_FREEBSD;
		for (size_t where = 5; where < 80; where++) {
			for (size_t want = 40; want <= 400; want *= 10) {
				open_kind(&end, kind);
				size_t first = peer_sends(&end, 23, 0, 30);
				size_t second = peer_sends(&end, 23, 30, 40);
				peer_sends(&end, 23, 70, 9);
				if (first + where >= second) {
					close_end(&end);
					continue;
				}
				net.wire[first + where] ^= 0x40;
				net_arrive(where % 2 ? WIRE_MAX : first + 20);
				cr_expect_eq(receive(&end, got, want, MSG_DONTWAIT), 30);
				net_arrive(WIRE_MAX);
				memset(got, 0, 60);
				ssize_t n = receive(&end, got, want, MSG_DONTWAIT);
				cr_expect_eq(n, -EBADMSG,
					     "kind %d, byte %zu, want %zu: %zd", kind,
					     where, want, n);
				cr_expect_null(memmem(got, 60, text + 34, 4));
				n = receive(&end, got, want, MSG_DONTWAIT);
				if (bsd)
					cr_expect(n == 9 && is_text(got, 70, 9));
				else
					cr_expect_eq(n, -EBADMSG);
				cr_expect_eq(session_take_error(end.so),
					     bsd ? 0 : EBADMSG);
				close_end(&end);
			}
		}
	}
}

/* Bad headers end the stream: each dialect's errno, and what later calls say. */
Test(receive, bad_headers)
{
	static const struct {
		int kind;
		uint8_t header[5];
		int error;
		bool fatal;
	} rows[] = {
		{CHACHA13, {23, 3, 3, 0x40, 0x12}, EMSGSIZE, true},
		{CHACHA13, {23, 3, 3, 0, 15}, EBADMSG, true},
		{CHACHA13, {23, 3, 4, 0, 30}, EINVAL, true},
		{CHACHA13, {20, 3, 3, 0, 1}, EBADMSG, true},
		{GCM12, {23, 3, 3, 0x40, 0x19}, EMSGSIZE, true},
		{GCM12, {23, 3, 3, 0, 23}, EBADMSG, true},
		{GCM12, {23, 3, 1, 0, 30}, EINVAL, true},
		{BSD13, {22, 3, 3, 0, 30}, EINVAL, true},
		{BSD13, {20, 3, 3, 0, 1}, EINVAL, true},
		{BSD13, {23, 3, 4, 0, 30}, EINVAL, true},
		{BSD13, {23, 3, 3, 0x40, 0x12}, EMSGSIZE, true},
		{BSD13, {23, 3, 3, 0, 16}, EMSGSIZE, false},
		{BSD12, {23, 3, 3, 0, 7}, EMSGSIZE, true},
		{BSD12, {23, 3, 3, 0, 23}, EMSGSIZE, false},
		{BSD_CBC, {23, 3, 3, 0, 65}, EMSGSIZE, false},
		{BSD_CBC, {23, 2, 3, 0, 64}, EINVAL, true},
	};
	struct tls_end end;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool bsd = kinds[rows[i].kind].rules == RULES_FREEBSD;
		open_kind(&end, rows[i].kind);
		peer_sends(&end, 23, 0, 10);
		memset(net.wire + net.len, 0, 100);
		memcpy(net.wire + net.len, rows[i].header, 5);
		net.len += rows[i].fatal ? 40 : 5 + rows[i].header[4];
		end.seq++;
		net_arrive(WIRE_MAX);
		cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 10, "row %zu", i);
		ssize_t n = receive(&end, got, 100, MSG_DONTWAIT);
		cr_expect_eq(n, -rows[i].error, "row %zu: %zd", i, n);
		if (rows[i].fatal) {
			cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT),
				     bsd ? 0 : -EAGAIN, "row %zu", i);
			cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT),
				     bsd ? 0 : -EAGAIN, "row %zu", i);
			cr_expect_eq(end.so->sock->dropped, bsd);
		} else {
			peer_sends(&end, 23, 10, 10);
			net_arrive(WIRE_MAX);
			cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 10);
			cr_expect(is_text(got, 10, 10), "row %zu", i);
		}
		close_end(&end);
	}
}

/* Asking how much is there, or looking at it, must not eat an error that a receive is to
 * report (so_error; freebsd-ktls 3.7: MSG_PEEK leaves it). */
Test(receive, looking_keeps_errors)
{
	struct tls_end end;

	for (int kind = BSD13; kind <= BSD_CBC; kind++) {
		for (int fatal = 0; fatal < 2; fatal++) {
			for (int peek = 0; peek < 2; peek++) {
				open_kind(&end, kind);
				size_t to = peer_sends(&end, 23, 0, 10);
				net.wire[fatal ? 2 : to - 1] ^= 1;
				net_arrive(WIRE_MAX);
				int bytes = 0, error = fatal ? -EINVAL : -EBADMSG;
				ssize_t n = -1;
				if (peek)
					cr_expect_eq(receive(&end, got, 9,
							     MSG_PEEK | MSG_DONTWAIT),
						     error);
				else
					cr_expect_eq(
						so_readable_bytes(end.so, end.fd, &bytes),
						0);
				n = receive(&end, got, 100, MSG_DONTWAIT);
				cr_expect_eq(n, error, "kind %d, fatal %d, peek %d: %zd",
					     kind, fatal, peek, n);
				close_end(&end);
			}
		}
	}
}

/* The stream ends: at a record's border, inside a record at every byte, and by a reset.
 */
Test(receive, ends)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		bool bsd = kinds[kind].rules == RULES_FREEBSD;
		size_t total = 2;
		for (size_t cut = 0; cut < total; cut++) {
			for (int reset = 0; reset < 2; reset++) {
				open_kind(&end, kind);
				size_t first = peer_sends(&end, 23, 0, 10);
				total = peer_sends(&end, 23, 10, 10) - first;
				net.len = first + cut;
				net.fin = !reset;
				net.error = reset ? ECONNRESET : 0;
				net_arrive(WIRE_MAX);
				ssize_t n = receive(&end, got, 100, MSG_DONTWAIT);
				cr_expect_eq(n, 10, "kind %d, cut %zu, reset %d: %zd",
					     kind, cut, reset, n);
				int expected = reset            ? -ECONNRESET
					       : bsd && cut > 0 ? -EMSGSIZE
								: 0;
				n = receive(&end, got, 100, MSG_DONTWAIT);
				cr_expect_eq(n, expected,
					     "kind %d, cut %zu, reset %d: %zd", kind, cut,
					     reset, n);
				n = receive(&end, got, 100, MSG_DONTWAIT);
				cr_expect(n == 0 || (reset && bsd && n == -EMSGSIZE),
					  "kind %d, cut %zu, reset %d: %zd", kind, cut,
					  reset, n);
				close_end(&end);
			}
		}
	}
}

/* Bad memory: what fitted before it, or EFAULT; the record stays. */
Test(receive, efault)
{
	uint8_t *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *edge = two + 4096;
	struct tls_end end;

	cr_assert_eq(mprotect(edge, 4096, PROT_NONE), 0);
	for (int kind = 0; kind < KINDS; kind++) {
		open_kind(&end, kind);
		peer_sends(&end, 23, 0, 100);
		net_arrive(WIRE_MAX);
		struct iovec iov[] = {{edge - 40, 40}, {edge, 100}};
		for (int i = 0; i < 2; i++)
			cr_expect_eq(so_receive(end.so, end.fd, &iov[1], 1, NULL,
						MSG_DONTWAIT),
				     -EFAULT);
		cr_expect_eq(receive(&end, read_only_page(), 100, MSG_DONTWAIT), -EFAULT);
		cr_expect_eq(so_receive(end.so, end.fd, iov, 2, NULL, MSG_DONTWAIT), 40);
		cr_expect(is_text(edge - 40, 0, 40));
		cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 60);
		cr_expect(is_text(got, 40, 60));
		cr_expect_eq(so_recvmsg(end.so, end.fd, bad_page(), 0), -EFAULT);
		struct msghdr msg = {.msg_iov = iov,
				     .msg_iovlen = 1,
				     .msg_control = bad_page(),
				     .msg_controllen = 24};
		cr_expect_eq(so_recvmsg(end.so, end.fd, &msg, 0), -EFAULT);
		close_end(&end);
	}
	munmap(two, 8192);
}

/* Scattered memory, empty pieces in it, and not a byte behind the content. */
Test(receive, many_pieces)
{
	struct iovec iov[300];
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t piece = 1; piece < 40; piece += 6) {
			open_kind(&end, kind);
			peer_sends(&end, 23, 0, 120);
			peer_sends(&end, 23, 120, 50);
			net_arrive(WIRE_MAX);
			memset(got, GUARD, 2000);
			for (size_t i = 0; i < 300; i++)
				iov[i] = (struct iovec){got + i * (piece + 3),
							i % 5 == 4 ? 0 : piece};
			ssize_t n =
				so_receive(end.so, end.fd, iov, 300, NULL, MSG_DONTWAIT);
			cr_expect_geq(n, 120);
			size_t at = 0, i = 0;
			for (; at < (size_t)n; i++) {
				size_t have = iov[i].iov_len < (size_t)n - at
						      ? iov[i].iov_len
						      : (size_t)n - at;
				cr_expect(memcmp(iov[i].iov_base, text + at, have) == 0);
				cr_expect_eq(((uint8_t *)iov[i].iov_base)[iov[i].iov_len],
					     GUARD);
				at += have;
			}
			close_end(&end);
		}
	}
}

/* FIONREAD: Linux counts ciphertext that is not opened yet, FreeBSD the plaintext of what
 * is complete; in every state. */
Test(receive, readable_bytes)
{
	struct tls_end end;
	int bytes;

	for (int kind = 0; kind < KINDS; kind++) {
		bool bsd = kinds[kind].rules == RULES_FREEBSD;
		open_kind(&end, kind);
		size_t first = peer_sends(&end, 23, 0, 100);
		size_t second = peer_sends(&end, 23, 100, 50);
		peer_sends(&end, 23, 150, 30);
		cr_expect_eq(so_readable_bytes(end.so, end.fd, &bytes), 0);
		cr_expect_eq(bytes, 0);
		net_arrive(20); /* a prefix, held by us after this */
		cr_expect_eq(receive(&end, got, 9, MSG_DONTWAIT), -EAGAIN);
		cr_expect_eq(so_readable_bytes(end.so, end.fd, &bytes), 0);
		cr_expect_eq(bytes, bsd ? 0 : 20);
		net_arrive(second + 7 - net.come);
		cr_expect_eq(so_readable_bytes(end.so, end.fd, &bytes), 0);
		cr_expect_eq(bytes, bsd ? 150 : (int)second + 7);
		cr_expect_eq(receive(&end, got, 60, MSG_DONTWAIT), 60);
		cr_expect(is_text(got, 0, 60));
		cr_expect_eq(so_readable_bytes(end.so, end.fd, &bytes), 0);
		cr_expect_eq(bytes, bsd ? 90 : (int)(second - first) + 7, "kind %d: %d",
			     kind, bytes);
		net_arrive(WIRE_MAX);
		cr_expect_eq(so_readable_bytes(end.so, end.fd, &bytes), 0);
		cr_expect_eq(bytes, bsd ? 120 : (int)(net.len - first));
		cr_expect_eq(so_readable_bytes(end.so, end.fd, bad_page()), -EFAULT);
		ssize_t n = receive(&end, got, 500, MSG_DONTWAIT);
		cr_expect(n == (bsd ? 40 : 120) && is_text(got, 60, (size_t)n));
		close_end(&end);
	}
}

/* Linux, TLS 1.3: behind a KeyUpdate nothing is read until new keys are set, however the
 * KeyUpdate was seen; then the next record is (linux-ktls 2.3). */
Test(receive, rekey)
{
	enum {
		SEEN_BY_MESSAGE,
		SEEN_BY_PEEK,
		SEEN_BY_EIO,
		WAYS,
	};
	static const uint8_t key_update[] = {24, 0, 0, 1, 0};
	struct cipher_params params = {.version = TLS_V13, .iv_len = 12};
	struct tls_end end;

	for (int way = 0; way < WAYS; way++) {
		open_kind(&end, CHACHA13);
		peer_sends(&end, 23, 0, 10);
		net.len += peer_seals(&end, 22, key_update, 5, net.wire + net.len);
		end.oracle.key[3] ^= 1;
		end.seq = 0;
		peer_sends(&end, 23, 10, 10);
		net_arrive(WIRE_MAX);
		cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 10);
		struct message m = {0};
		if (way == SEEN_BY_EIO)
			cr_expect_eq(receive(&end, got, 100, 0), -EIO);
		if (way == SEEN_BY_PEEK) {
			m = receive_message(&end, got, 100, 24, MSG_PEEK);
			cr_expect(m.n == 5 && m.type == 22);
		}
		cr_expect(net_readable());
		m = receive_message(&end, got, 100, 24, 0);
		cr_expect(m.n == 5 && m.type == 22 && got[0] == 24, "way %d", way);
		for (int i = 0; i < 2; i++) {
			cr_expect_eq(receive(&end, got, 9, 0), -EKEYEXPIRED);
			cr_expect_eq(receive(&end, got, 9, MSG_PEEK), -EKEYEXPIRED);
			m = receive_message(&end, got, 9, 24, MSG_DONTWAIT);
			cr_expect_eq(m.n, -EKEYEXPIRED);
		}
		cr_expect_eq(session_take_error(end.so), 0);
		/* Asked for readiness, the socket goes silent. */
		cr_expect_eq(sw_readable(end.so, end.fd), 0);
		cr_expect(!net_readable());
		params.suite = suite_by_id(SUITE_CHACHA20_POLY1305);
		params.key = end.oracle.key;
		params.iv = end.oracle.iv;
		cr_expect_eq(sockopt_set_key(end.so, end.fd, RX, &params), 0);
		cr_expect(net_readable(), "the new key wakes who waits");
		cr_expect_eq(receive(&end, got, 9, MSG_DONTWAIT), 9);
		cr_expect(is_text(got, 10, 9), "way %d", way);
		close_end(&end);
	}
	/* An empty handshake record, another message and FreeBSD's dialect wait for
	 * nothing. */
	for (int i = 0; i < 3; i++) {
		open_kind(&end, i == 2 ? BSD13 : CHACHA13);
		if (i == 1)
			net.len +=
				peer_seals(&end, 22, (const uint8_t *)"\4", 1, net.wire);
		else
			net.len += peer_seals(&end, 22, key_update, i == 0 ? 0 : 5,
					      net.wire);
		peer_sends(&end, 23, 0, 10);
		net_arrive(WIRE_MAX);
		receive_message(&end, got, 100, 24, 0);
		cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 10);
		close_end(&end);
	}
}

/* What the poll filter asks: a whole record, an error or the end, and never a part. */
Test(receive, readable_filter)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		open_kind(&end, kind);
		struct stream s = send_stream(&end);
		size_t at = 0;
		while (net.come < net.len) {
			net_arrive(1);
			if (!net_readable())
				continue;
			bool yes = sw_readable(end.so, end.fd) == 1;
			cr_expect_eq(yes, complete(&s) > at, "kind %d, byte %zu", kind,
				     net.come);
			cr_expect_eq(net_readable(), yes);
			if (yes)
				at += (size_t)receive(&end, got, 1, MSG_DONTWAIT);
		}
		while (at < s.total)
			at += (size_t)receive(&end, got, 1000, MSG_DONTWAIT);
		net.fin = true;
		cr_expect_eq(sw_readable(end.so, end.fd), 1);
		close_end(&end);
	}
}

/* The largest records, several in one call, and the caller's memory untouched behind
 * them. */
Test(receive, large_records)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		if (kind == GCM12 || kind == BSD12)
			continue; /* the oracle is slow there */
		for (size_t want = 16384; want < 200000; want = want * 3 + 7) {
			open_kind(&end, kind);
			size_t at = 0;
			for (int i = 0; i < 4; i++)
				peer_sends(&end, 23, (size_t)i * 16384, 16384);
			net.step = 5000;
			while (at < 4 * 16384) {
				got[at + want > sizeof(got) - 1 ? sizeof(got) - 1
								: at + want] = GUARD;
				size_t room = at + want > sizeof(got) - 1
						      ? sizeof(got) - 1 - at
						      : want;
				ssize_t n = receive(&end, got + at, room, 0);
				cr_assert_gt(n, 0);
				cr_assert_eq(got[at + room], GUARD);
				at += (size_t)n;
			}
			cr_expect(is_text(got, 0, at));
			close_end(&end);
		}
	}
}

/* A blocking MSG_PEEK | MSG_WAITALL, on a real connection. */
Test(receive, peek_waitall)
{
	static uint8_t wire[2000];
	struct tls_end end;

	real = libc;
	for (int kind = 0; kind < 3; kind++) {
		open_pair(&end, kinds[kind].suite, kinds[kind].minor, RULES_LINUX,
			  WITH_RX);
		size_t n = peer_seals(&end, 23, text, 100, wire);
		n += peer_seals(&end, 23, text + 100, 100, wire + n);
		cr_assert_eq(write(end.peer, wire, n), (ssize_t)n);
		cr_expect_eq(receive(&end, got, 150, MSG_PEEK | MSG_WAITALL), 150);
		cr_expect(is_text(got, 0, 150));
		cr_expect_eq(receive(&end, got, 200, MSG_WAITALL), 200);
		cr_expect(is_text(got, 0, 200));
		/* The end of the file ends it as well. */
		n = peer_seals(&end, 23, text, 10, wire);
		cr_assert_eq(write(end.peer, wire, n), (ssize_t)n);
		cr_assert_eq(shutdown(end.peer, SHUT_WR), 0);
		cr_expect_eq(receive(&end, got, 150, MSG_PEEK | MSG_WAITALL), 10);
		cr_expect_eq(receive(&end, got, 150, MSG_WAITALL), 10);
		cr_expect_eq(receive(&end, got, 150, 0), 0);
		close_end(&end);
	}
}

/* The real kernel: what it says of readiness is what there is to read, byte by byte. */
Test(receive, kernel_readiness)
{
	static uint8_t wire[2000];
	struct tls_end end;

	real = libc;
	for (int kind = 0; kind < KINDS; kind++) {
		open_pair(&end, kinds[kind].suite, kinds[kind].minor, kinds[kind].rules,
			  WITH_RX);
		size_t n = peer_seals(&end, 23, text, 20, wire);
		for (size_t i = 0; i < n; i++) {
			struct pollfd p = {.fd = end.fd, .events = POLLIN};
			int in = 0;
			cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), -EAGAIN);
			cr_expect_eq(poll(&p, 1, 0), 0, "kind %d, byte %zu", kind, i);
			cr_assert_eq(write(end.peer, wire + i, 1), 1);
			/* Whole, it must become readable; else it is a few at most. */
			in = poll(&p, 1, i == n - 1 ? 5000 : 0);
			cr_expect(in == 1 || i < n - 1);
		}
		cr_expect_eq(receive(&end, got, 100, MSG_DONTWAIT), 20);
		cr_expect(is_text(got, 0, 20));
		close_end(&end);
	}
}

/* FreeBSD drops a connection whose stream cannot be followed: the peer sees a reset. */
Test(receive, freebsd_drop)
{
	uint8_t bad[40] = {23, 9, 9, 0, 30}, byte;
	struct tls_end end;

	real = libc;
	open_pair(&end, "CHACHA20-POLY1305", TLS_V13, RULES_FREEBSD, WITH_RX | WITH_TX);
	cr_assert_eq(write(end.peer, bad, sizeof(bad)), (ssize_t)sizeof(bad));
	cr_expect_eq(receive(&end, got, 100, 0), -EINVAL);
	cr_expect_eq(receive(&end, got, 100, 0), 0);
	cr_expect_eq(recv(end.peer, &byte, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
	struct iovec iov = {got, 10};
	ssize_t n = so_send(end.so, end.fd, &iov, 1, NULL, MSG_NOSIGNAL);
	cr_expect_eq(n, -EPIPE, "%zd", n);
	close_end(&end);
}

Test(receive, recvmmsg)
{
	struct iovec iov[3] = {{got, 100}, {got + 100, 100}, {got + 200, 100}};
	struct mmsghdr vec[3] = {0};
	struct tls_end end;

	for (int kind = BSD13; kind <= BSD_CBC; kind++) {
		open_kind(&end, kind);
		peer_sends(&end, 23, 0, 10);
		peer_sends(&end, 23, 10, 20);
		net_arrive(WIRE_MAX);
		for (int i = 0; i < 3; i++)
			vec[i].msg_hdr =
				(struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
		cr_expect_eq(so_recvmmsg(end.so, end.fd, vec, 3, MSG_WAITFORONE, NULL),
			     2);
		cr_expect(vec[0].msg_len == 10 && vec[1].msg_len == 20);
		cr_expect(is_text(got, 0, 10) && is_text(got + 100, 10, 20));
		cr_expect_eq(so_recvmmsg(end.so, end.fd, vec, 3, MSG_DONTWAIT, NULL),
			     -EAGAIN);
		cr_expect_eq(so_recvmmsg(end.so, end.fd, bad_page(), 3, 0, NULL),
			     -EFAULT);
		close_end(&end);
	}
}
