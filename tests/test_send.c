/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_send.c: whatever the kernel takes of what is sent, the peer gets one valid stream
 * of records with every accepted byte once and no sequence number twice.
 *
 * The test plays the kernel: `real.send` and `real.poll` are its own, and what it takes
 * goes to the oracle. Records are made short, so that every place where the kernel can
 * stop is tried.
 */
#include <errno.h>
#include <limits.h>
#include <linux/tls.h>
#include <signal.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "real.h"
#include "session_fixture.h"
#include "so.h"
#include "sockopt.h"
#include "sysctl.h"

enum {
	SHORT_RECORD = 48, /* payload of a full one, most of the time */
	WIRE_MAX = 1 << 20,
};

/* What the kernel does next, and what it has got. */
static struct {
	uint8_t wire[WIRE_MAX];
	size_t len;
	size_t room;      /* bytes to take from now on */
	int error;        /* with no room: this errno */
	bool writable;    /* what a poll says when there is room */
	size_t new_room;  /* comes when somebody waits */
	int calls, waits; /* sends with bytes in them; waits for room */
	int error_once;   /* the next send fails with it */
	int last_flags;
	int sndbuf;
} net;

static uint8_t text[300000];

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

static void
set_up(void)
{
	prepare_library();
	real.send = net_send;
	real.poll = net_poll;
	real.getsockopt = net_getsockopt;
	fill_pattern(text, sizeof(text), 0);
	signal(SIGPIPE, SIG_IGN);
}

static void
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

TestSuite(send, .init = set_up, .timeout = 120);

/* Suites whose nonces work in four ways: counted apart, by sequence number, random, and
 * chained from record to record. */
static const struct kind {
	const char *suite;
	int minor;
} kinds[] = {
	{"AES-128-GCM", TLS_V12},
	{"CHACHA20-POLY1305", TLS_V13},
	{"AES-128-CBC-SHA1", TLS_V12},
	{"AES-128-CBC-SHA1", TLS_V10},
};
enum {
	KINDS = sizeof(kinds) / sizeof(kinds[0]),
	GCM = 0,
	CHACHA = 1,
	CBC10 = 3,
};

static void
open_kind(struct tls_end *end, int kind, enum record_rules rules)
{
	open_alone(end, kinds[kind].suite, kinds[kind].minor, rules, WITH_TX);
	tunables[TUNABLE_MAXLEN] = SHORT_RECORD;
}

/* What the peer makes of the wire: the plaintext, and each record's type and length. */
static struct {
	uint8_t plain[WIRE_MAX];
	size_t len;
	int count;
	uint8_t type[4096];
	size_t record[4096];
	size_t rest; /* bytes of a record that is not complete */
} peer;

/* True when all that is on the wire are valid records in order. */
static bool
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

static ssize_t
send_bytes(struct tls_end *end, size_t from, size_t n, int flags)
{
	struct iovec iov = {text + from, n};

	return so_send(end->so, end->fd, &iov, 1, NULL, flags);
}

/* A send with a record type set. */
static ssize_t
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

/* Sends text[0..n) as a nonblocking program does: from where the last call got to, with
 * more room each time. Returns what all calls together said. */
static size_t
send_all(struct tls_end *end, size_t n, size_t more_room)
{
	size_t at = 0;

	for (int calls = 0; at < n; calls++) {
		ssize_t r = send_bytes(end, at, n - at, MSG_DONTWAIT);
		cr_assert(r > 0 || r == -EAGAIN, "send said %zd at %zu", r, at);
		cr_assert_lt(calls, 10000, "no progress at %zu", at);
		at += r > 0 ? (size_t)r : 0;
		net.room += at < n ? more_room : 0;
	}
	return at;
}

static bool
peer_has_text(size_t n)
{
	return peer.len == n && memcmp(peer.plain, text, n) == 0;
}

/* The kernel stops at every byte of a batch of five records, the last a short one, and
 * goes on in one step, in tiny ones, and in such that stop in the next record again. */
Test(send, cut_everywhere)
{
	static const size_t steps[] = {WIRE_MAX, 7, 61};
	const size_t n = 4 * SHORT_RECORD + 5;
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		size_t total = 1;
		for (size_t cut = 0; cut <= total; cut++) {
			size_t step = steps[cut % 3];
			open_kind(&end, kind, RULES_LINUX);
			reset_net(cut);
			send_all(&end, n, step);
			cr_expect(read_wire(&end), "kind %d, cut %zu: bad stream", kind,
				  cut);
			cr_expect(peer_has_text(n) && peer.rest == 0,
				  "kind %d, cut %zu: %zu bytes and %zu left over", kind,
				  cut, peer.len, peer.rest);
			total = net.len;
			close_end(&end);
		}
		cr_expect_gt(total, n);
	}
}

/* When a send has returned, all that it said was sent is whole on the wire, and of the
 * byte held back nothing is missing but the tail. */
Test(send, what_is_told_is_sent)
{
	const size_t n = 3 * SHORT_RECORD;
	struct tls_end end;
	size_t overhead = 5 + 17, record = SHORT_RECORD + overhead;

	for (size_t cut = 1; cut <= 3 * record; cut++) {
		open_kind(&end, CHACHA, RULES_LINUX);
		reset_net(cut);
		ssize_t r = send_bytes(&end, 0, n, MSG_DONTWAIT);
		size_t whole = cut / record, torn = cut % record != 0;
		ssize_t expected = (ssize_t)((whole + torn) * SHORT_RECORD - torn);
		cr_expect_eq(r, expected, "cut %zu: %zd, not %zd", cut, r, expected);
		cr_expect_eq(end.so->sock->tx.held_back, torn == 1);
		cr_expect_eq(end.so->sock->tx.holds, torn ? TX_TAIL : TX_NOTHING);
		cr_expect_eq(end.so->sock->tx.cipher.seq, FIRST_SEQ + whole + torn);
		close_end(&end);
	}
}

/* A record of one byte that was cut has no byte to report: EAGAIN, and the byte counts
 * when the program comes back for it, with whatever it then has. */
Test(send, one_byte_held_back)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		open_kind(&end, kind, RULES_LINUX);
		reset_net(9);
		cr_expect_eq(send_bytes(&end, 0, 1, MSG_DONTWAIT), -EAGAIN);
		cr_expect_eq(send_bytes(&end, 0, 1, MSG_DONTWAIT), -EAGAIN);
		net.room = 3;
		cr_expect_eq(send_bytes(&end, 0, 1, MSG_DONTWAIT), -EAGAIN);
		net.room = WIRE_MAX;
		cr_expect_eq(send_bytes(&end, 0, 20, MSG_DONTWAIT), 20);
		cr_expect(read_wire(&end) && peer_has_text(20), "kind %d", kind);
		cr_expect_eq(peer.count, 2);
		/* Now with nothing but that byte to send. */
		reset_net(9);
		cr_expect_eq(send_bytes(&end, 0, 1, MSG_DONTWAIT), -EAGAIN);
		net.room = WIRE_MAX;
		cr_expect_eq(send_bytes(&end, 0, 1, MSG_DONTWAIT), 1);
		cr_expect(read_wire(&end) && peer_has_text(1), "kind %d", kind);
		close_end(&end);
	}
}

/* A blocking send meets the same and waits itself. */
Test(send, blocking_waits)
{
	const size_t n = 4 * SHORT_RECORD + 5;
	struct tls_end end;

	for (size_t cut = 0; cut < 300; cut += 11) {
		open_kind(&end, GCM, RULES_LINUX);
		reset_net(cut);
		net.new_room = 13 + cut % 100;
		cr_expect_eq(send_bytes(&end, 0, n, 0), (ssize_t)n, "cut %zu", cut);
		cr_expect(read_wire(&end) && peer_has_text(n) && peer.rest == 0,
			  "cut %zu", cut);
		cr_expect_gt(net.waits, 0);
		close_end(&end);
	}
}

/* Where poll(2) says no, nothing is sealed. */
Test(send, no_room_seals_nothing)
{
	struct tls_end end;

	open_kind(&end, GCM, RULES_LINUX);
	reset_net(0);
	net.writable = false;
	cr_expect_eq(send_bytes(&end, 0, 1000, MSG_DONTWAIT), -EAGAIN);
	cr_expect_eq(net.calls, 0);
	cr_expect_eq(end.so->sock->tx.cipher.seq, FIRST_SEQ);
	close_end(&end);
}

/* The kernel refuses with each errno, as the first answer, behind a whole record and in
 * the middle of one. The call tells what has gone, or the error. The sequence number is
 * not lost, so a later call completes the stream. */
Test(send, errors)
{
	static const int errors[] = {ENOBUFS, EPIPE, ECONNRESET, EINTR, ENOMEM};
	struct tls_end end;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		for (int kind = 0; kind < KINDS; kind++) {
			open_kind(&end, kind, RULES_LINUX);
			reset_net(WIRE_MAX);
			net.error_once = errors[i];
			cr_expect_eq(send_bytes(&end, 0, 100, MSG_NOSIGNAL), -errors[i]);
			cr_expect_eq(end.so->sock->tx.cipher.seq, FIRST_SEQ);
			cr_expect_eq(send_bytes(&end, 0, 100, MSG_NOSIGNAL), 100);
			/* In the middle: the part that went is told first. */
			net.room = 10;
			net.error = errors[i];
			ssize_t r = send_bytes(&end, 100, 100, MSG_NOSIGNAL);
			cr_expect_eq(r, SHORT_RECORD - 1, "%s: %zd", strerror(errors[i]),
				     r);
			cr_expect_eq(send_bytes(&end, 147, 53, MSG_NOSIGNAL), -errors[i]);
			net.room = WIRE_MAX;
			cr_expect_eq(send_bytes(&end, 147, 53, MSG_NOSIGNAL), 53);
			cr_expect(read_wire(&end) && peer_has_text(200), "%s, kind %d",
				  strerror(errors[i]), kind);
			close_end(&end);
		}
	}
}

static volatile sig_atomic_t pipes;

static void
on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

Test(send, sigpipe)
{
	struct tls_end end;

	signal(SIGPIPE, on_pipe);
	/* FreeBSD tells one that was never connected from one that is no more. */
	open_pair(&end, kinds[GCM].suite, kinds[GCM].minor, RULES_FREEBSD, WITH_TX);
	reset_net(WIRE_MAX);
	net.error_once = EPIPE;
	cr_expect_eq(send_bytes(&end, 0, 9, MSG_NOSIGNAL), -EPIPE);
	cr_expect_eq(pipes, 0);
	net.error_once = EPIPE;
	cr_expect_eq(send_bytes(&end, 0, 9, 0), -EPIPE);
	cr_expect_eq(pipes, 1);
	/* The pending error: FreeBSD hands it out once, behind a dropped connection. */
	end.so->sock->error = EBADMSG;
	end.so->sock->dropped = true;
	cr_expect_eq(send_bytes(&end, 0, 9, MSG_NOSIGNAL), -EPIPE);
	end.so->sock->dropped = false;
	cr_expect_eq(send_bytes(&end, 0, 9, 0), -EBADMSG);
	cr_expect_eq(send_bytes(&end, 0, 9, 0), 9);
	close_end(&end);
	/* Linux keeps it until SO_ERROR is read. */
	open_kind(&end, GCM, RULES_LINUX);
	end.so->sock->error = EBADMSG;
	cr_expect_eq(send_bytes(&end, 0, 9, 0), -EBADMSG);
	cr_expect_eq(send_bytes(&end, 0, 9, 0), -EBADMSG);
	cr_expect_eq(session_take_error(end.so), EBADMSG);
	cr_expect_eq(send_bytes(&end, 0, 9, 0), 9);
	close_end(&end);
}

/* MSG_MORE keeps a record open until it is full, a call without it, or a record of
 * another type; an empty call does not end it (linux-ktls: B2, B3). */
Test(send, more)
{
	static const size_t expected[] = {48, 27, 5, 3, 25};
	static const uint8_t types[] = {23, 23, 21, 22, 23};
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		open_kind(&end, kind, RULES_LINUX);
		reset_net(WIRE_MAX);
		cr_expect_eq(send_bytes(&end, 0, 10, MSG_MORE), 10);
		cr_expect_eq(send_bytes(&end, 10, 0, 0), 0);
		cr_expect_eq(net.len, 0);
		cr_expect_eq(send_bytes(&end, 10, 50, MSG_MORE), 50);
		cr_expect(net.last_flags & MSG_MORE);
		cr_expect_eq(send_bytes(&end, 60, 15, 0), 15);
		cr_expect_eq(net.last_flags & MSG_MORE, 0);
		cr_expect_eq(send_typed(&end, 21, 75, 5, 0), 5);
		cr_expect_eq(send_bytes(&end, 80, 0, MSG_MORE), 0);
		cr_expect_eq(send_typed(&end, 22, 80, 3, 0), 3);
		cr_expect_eq(send_bytes(&end, 83, 25, MSG_MORE), 25);
		cr_expect_eq(send_typed(&end, 21, 83, 0, 0), 0); /* flushes, no record */
		cr_expect(read_wire(&end) && peer_has_text(108), "kind %d", kind);
		cr_assert_eq(peer.count, 5, "%d", peer.count);
		for (int i = 0; i < 5; i++)
			cr_expect(peer.record[i] == expected[i] &&
					  peer.type[i] == types[i],
				  "record %d: %zu bytes of type %u", i, peer.record[i],
				  peer.type[i]);
		close_end(&end);
	}
}

/* The same where the kernel stops at every byte: nothing of the open record is lost or
 * doubled, neither by the call that ends it nor by one that is told EAGAIN. */
Test(send, more_cut_everywhere)
{
	const size_t n = 2 * SHORT_RECORD;
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t cut = 0; cut < 200; cut++) {
			open_kind(&end, kind, RULES_LINUX);
			reset_net(cut);
			cr_expect_eq(send_bytes(&end, 0, 20, MSG_MORE | MSG_DONTWAIT),
				     20);
			size_t at = 20;
			for (int i = 0; at < n && i < 1000; i++) {
				ssize_t r = send_bytes(&end, at, n - at, MSG_DONTWAIT);
				cr_expect(r > 0 || r == -EAGAIN, "%zd", r);
				at += r > 0 ? (size_t)r : 0;
				net.room += 5;
			}
			cr_expect(read_wire(&end) && peer_has_text(n) && peer.rest == 0,
				  "kind %d, cut %zu", kind, cut);
			close_end(&end);
		}
	}
}

/* A record with a set type is all or nothing, at whatever byte the kernel stops and
 * however little it takes then, one record or several. */
Test(send, typed_is_atomic)
{
	static const size_t lens[] = {7, 2 * SHORT_RECORD + 9};
	static const size_t drips[] = {WIRE_MAX, 3, 70};
	struct tls_end end;

	for (int rules = RULES_LINUX; rules <= RULES_FREEBSD; rules++) {
		for (size_t i = 0; i < 2; i++) {
			for (size_t cut = 0; cut < 330; cut++) {
				open_kind(&end, cut & 1 ? GCM : CHACHA, rules);
				reset_net(cut);
				net.new_room = drips[cut % 3];
				ssize_t r =
					send_typed(&end, 22, 0, lens[i], MSG_DONTWAIT);
				cr_expect(read_wire(&end), "cut %zu", cut);
				if (cut == 0)
					cr_expect(r == -EAGAIN && net.len == 0);
				else
					cr_expect(r == (ssize_t)lens[i] &&
							  peer_has_text(lens[i]) &&
							  peer.rest == 0,
						  "%zu bytes, cut %zu: %zd; %zu arrived, "
						  "%zu left over",
						  lens[i], cut, r, peer.len, peer.rest);
				for (int k = 0; k < peer.count; k++)
					cr_expect_eq(peer.type[k], 22);
				close_end(&end);
			}
		}
	}
}

/* Every type goes; a cut data record's tail and its held-back byte survive an alert in
 * between. */
Test(send, typed_between)
{
	struct tls_end end;

	open_kind(&end, GCM, RULES_LINUX);
	reset_net(WIRE_MAX);
	for (int type = 0; type < 256; type++)
		cr_expect_eq(send_typed(&end, (uint8_t)type, 0, 3, 0), 3);
	cr_expect(read_wire(&end));
	cr_assert_eq(peer.count, 256);
	for (int type = 0; type < 256; type++)
		cr_expect_eq(peer.type[type], type);
	reset_net(30);
	cr_expect_eq(send_bytes(&end, 0, 40, MSG_DONTWAIT), 39);
	cr_expect_eq(send_typed(&end, 21, 100, 2, MSG_DONTWAIT), -EAGAIN);
	net.room = WIRE_MAX;
	cr_expect_eq(send_typed(&end, 21, 100, 2, MSG_DONTWAIT), 2);
	cr_expect_eq(send_bytes(&end, 39, 21, MSG_DONTWAIT), 21);
	cr_expect(read_wire(&end));
	cr_assert_eq(peer.count, 3);
	cr_expect(peer.record[0] == 40 && peer.type[0] == 23);
	cr_expect(peer.record[1] == 2 && peer.type[1] == 21);
	cr_expect(peer.record[2] == 20 && peer.type[2] == 23);
	cr_expect_eq(memcmp(peer.plain, text, 40), 0);
	cr_expect_eq(memcmp(peer.plain + 42, text + 40, 20), 0);
	close_end(&end);
}

/* RFC 8446 5.3: sequence numbers must not wrap. The last one is used, then no more, and
 * one that was given back can be used again. */
Test(send, exhaustion)
{
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		open_kind(&end, kind, RULES_LINUX);
		end.seq = end.so->sock->tx.cipher.seq = UINT64_MAX - 1;
		reset_net(WIRE_MAX);
		net.error_once = ENOBUFS; /* both are sealed, and taken back */
		cr_expect_eq(send_bytes(&end, 0, 2 * SHORT_RECORD, 0), -ENOBUFS);
		cr_expect_eq(send_bytes(&end, 0, 3 * SHORT_RECORD, 0), 2 * SHORT_RECORD);
		cr_expect_eq(send_bytes(&end, 0, 1, 0), -EBADMSG);
		cr_expect_eq(send_typed(&end, 21, 0, 1, 0), -EBADMSG);
		cr_expect(read_wire(&end) && peer_has_text(2 * SHORT_RECORD) &&
			  peer.rest == 0);
		close_end(&end);
	}
}

/* Bad memory: records before it go, of that one nothing, and the stream goes on. */
Test(send, efault)
{
	uint8_t *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *edge = two + 4096;
	struct tls_end end;

	cr_assert_eq(mprotect(edge, 4096, PROT_NONE), 0);
	memcpy(edge - 100, text, 100);
	open_kind(&end, GCM, RULES_LINUX);
	reset_net(WIRE_MAX);
	struct iovec pieces[] = {{edge - 100, 100}, {edge, 10}};
	cr_expect_eq(so_send(end.so, end.fd, &pieces[1], 1, NULL, 0), -EFAULT);
	cr_expect_eq(so_send(end.so, end.fd, pieces, 2, NULL, 0), 2 * SHORT_RECORD);
	cr_expect_eq(so_send(end.so, end.fd, &pieces[1], 1, NULL, MSG_MORE), -EFAULT);
	cr_expect_eq(end.so->sock->tx.holds, TX_NOTHING);
	/* An open record is what it was before the bad call. */
	cr_expect_eq(send_bytes(&end, 96, 4, MSG_MORE), 4);
	cr_expect_eq(so_send(end.so, end.fd, &pieces[1], 1, NULL, MSG_MORE), -EFAULT);
	struct iovec half[] = {{text, 7}, {edge, 10}};
	cr_expect_eq(so_send(end.so, end.fd, half, 2, NULL, MSG_MORE), -EFAULT);
	cr_expect_eq(so_send(end.so, end.fd, half, 2, NULL, 0), -EFAULT);
	cr_expect_eq(send_bytes(&end, 100, 50, 0), 50);
	cr_expect_eq(send_bytes(&end, 150, 0, 0), 0);
	cr_expect(read_wire(&end) && peer_has_text(150));
	/* The message itself, its control buffer and its array. */
	struct msghdr msg = {.msg_iov = bad_page(), .msg_iovlen = 2};
	cr_expect_eq(so_sendmsg(end.so, end.fd, bad_page(), 0), -EFAULT);
	cr_expect_eq(so_sendmsg(end.so, end.fd, NULL, 0), -EFAULT);
	struct iovec nowhere = {NULL, 5};
	cr_expect_eq(so_send(end.so, end.fd, &nowhere, 1, NULL, 0), -EFAULT);
	cr_expect_eq(so_sendmsg(end.so, end.fd, &msg, 0), -EFAULT);
	msg = (struct msghdr){.msg_iov = pieces,
			      .msg_iovlen = 1,
			      .msg_control = bad_page(),
			      .msg_controllen = CMSG_SPACE(1)};
	cr_expect_eq(so_sendmsg(end.so, end.fd, &msg, 0), -EFAULT);
	msg = (struct msghdr){.msg_iov = pieces, .msg_iovlen = IOV_MAX + 1};
	cr_expect_eq(so_sendmsg(end.so, end.fd, &msg, 0), -EMSGSIZE);
	struct iovec long_ones[] = {{text, SSIZE_MAX}, {text, 1}};
	cr_expect_eq(so_send(end.so, end.fd, long_ones, 2, NULL, 0), -EINVAL);
	close_end(&end);
	munmap(two, 8192);
}

/* Messages in many pieces, empty ones among them: records are cut from the whole, not per
 * piece, with more pieces than the codec takes and with less. */
Test(send, many_pieces)
{
	static const size_t sizes[] = {1, 3, 48, 7, 0, 200};
	struct iovec iov[600];
	struct tls_end end;

	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t s = 0; s < 6; s++) {
			size_t at = 0, count = 0;
			while (at + 200 < 500) {
				size_t n = s == 4 ? (count * 5) % 9 : sizes[s];
				iov[count++] = (struct iovec){text + at, n};
				if (count % 7 == 0)
					iov[count++] = (struct iovec){bad_page(), 0};
				at += n;
			}
			open_kind(&end, kind, RULES_LINUX);
			reset_net(WIRE_MAX);
			cr_expect_eq(so_send(end.so, end.fd, iov, count, NULL, 0),
				     (ssize_t)at);
			cr_expect(read_wire(&end) && peer_has_text(at),
				  "kind %d, sizes %zu", kind, s);
			cr_expect_eq((size_t)peer.count,
				     (at + SHORT_RECORD - 1) / SHORT_RECORD);
			close_end(&end);
		}
	}
}

/* Full records, and as many in a batch as a quarter of the send buffer holds. */
Test(send, batches)
{
	static const struct {
		int sndbuf, per_call;
	} rows[] = {{4096, 1}, {131072, 1}, {262144, 3}, {4 << 20, 16}, {64 << 20, 16}};
	struct tls_end end;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_kind(&end, CHACHA, RULES_LINUX);
		tunables[TUNABLE_MAXLEN] = 65536;
		reset_net(WIRE_MAX);
		net.sndbuf = rows[i].sndbuf;
		cr_expect_eq(send_bytes(&end, 0, 16 * 16384 + 77, MSG_DONTWAIT),
			     16 * 16384 + 77);
		cr_expect(read_wire(&end) && peer_has_text(16 * 16384 + 77));
		cr_expect_eq(peer.count, 17);
		cr_expect_eq(net.calls,
			     17 / rows[i].per_call + (17 % rows[i].per_call != 0),
			     "row %zu: %d sends", i, net.calls);
		close_end(&end);
	}
}

/* What each dialect says to flags, control messages and empty sends. */
Test(send, dialects)
{
	static const struct {
		enum record_rules rules;
		int flags, expected;
	} flags[] = {
		{RULES_LINUX, MSG_EOR, 4},
		{RULES_LINUX, MSG_EOR | MSG_MORE, -EINVAL},
		{RULES_LINUX, MSG_OOB, -EOPNOTSUPP},
		{RULES_LINUX, MSG_ZEROCOPY, -EOPNOTSUPP},
		{RULES_LINUX, MSG_CONFIRM, -EOPNOTSUPP},
		{RULES_LINUX, MSG_FASTOPEN, -EOPNOTSUPP},
		{RULES_LINUX, MSG_WAITALL, -EOPNOTSUPP},
		{RULES_LINUX, MSG_PEEK, -EOPNOTSUPP},
		{RULES_FREEBSD, MSG_EOR, -EINVAL},
		{RULES_FREEBSD, MSG_OOB, 4},
		{RULES_FREEBSD, MSG_WAITALL, 4},
	};
	struct tls_end end;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		open_kind(&end, GCM, flags[i].rules);
		reset_net(WIRE_MAX);
		cr_expect_eq(send_bytes(&end, 0, 4, flags[i].flags), flags[i].expected,
			     "row %zu", i);
		cr_expect_eq(net.len > 0, flags[i].expected > 0, "row %zu", i);
		close_end(&end);
	}
	/* FreeBSD: nothing to send is an error, but an empty record in TLS 1.0 CBC. */
	open_kind(&end, GCM, RULES_FREEBSD);
	reset_net(WIRE_MAX);
	cr_expect_eq(send_bytes(&end, 0, 0, 0), -EINVAL);
	cr_expect_eq(send_typed(&end, 22, 0, 0, 0), -EINVAL);
	cr_expect_eq(net.len, 0);
	/* A typed record must fit the send buffer, half of what Linux reports. */
	net.sndbuf = 200;
	cr_expect_eq(send_typed(&end, 22, 0, 101, 0), -EMSGSIZE);
	cr_expect_eq(send_typed(&end, 22, 0, 100, 0), 100);
	close_end(&end);
	open_kind(&end, CBC10, RULES_FREEBSD);
	reset_net(WIRE_MAX);
	cr_expect_eq(send_bytes(&end, 0, 0, 0), 0);
	cr_expect_eq(send_typed(&end, 22, 0, 0, 0), 0);
	cr_expect_eq(send_bytes(&end, 0, 9, 0), 9);
	cr_expect(read_wire(&end) && peer_has_text(9));
	cr_expect_eq(peer.count, 3);
	cr_expect(peer.record[0] == 0 && peer.type[0] == 23);
	cr_expect(peer.record[1] == 0 && peer.type[1] == 22);
	close_end(&end);
	/* FreeBSD's MSG_MORE does not exist: each call starts a record. */
	open_kind(&end, GCM, RULES_FREEBSD);
	reset_net(WIRE_MAX);
	cr_expect_eq(send_bytes(&end, 0, 5, MSG_MORE), 5);
	cr_expect_eq(send_bytes(&end, 5, 5, 0), 5);
	cr_expect(read_wire(&end) && peer_has_text(10));
	cr_expect_eq(peer.count, 2);
	close_end(&end);
}

/* Control messages: what is malformed, what is skipped, and which type wins. */
Test(send, control_messages)
{
	static const struct {
		enum record_rules rules;
		struct {
			size_t len;
			int level, type;
			uint8_t value;
		} cmsg[2];
		size_t controllen;
		int flags, expected, record_type;
	} rows[] = {
		{RULES_LINUX, {{17, SOL_TLS, 1, 21}}, 17, 0, 4, 21},
		{RULES_LINUX, {{17, SOL_TLS, 1, 21}}, 24, 0, 4, 21},
		{RULES_LINUX, {{24, SOL_TLS, 1, 21}}, 24, 0, 4, 21},
		{RULES_LINUX, {{17, SOL_TLS, 1, 21}}, 24, MSG_MORE, -EINVAL, 0},
		{RULES_LINUX, {{16, SOL_TLS, 1, 21}}, 24, 0, -EINVAL, 0},
		{RULES_LINUX, {{17, SOL_TLS, 2, 21}}, 24, 0, -EINVAL, 0},
		{RULES_LINUX, {{15, SOL_TLS, 1, 21}}, 24, 0, -EINVAL, 0},
		{RULES_LINUX, {{25, SOL_TLS, 1, 21}}, 24, 0, -EINVAL, 0},
		{RULES_LINUX, {{17, SOL_TLS, 1, 21}}, 15, 0, -EINVAL, 0},
		{RULES_LINUX, {{17, SOL_TLS, 1, 21}}, 16, 0, -EINVAL, 0},
		{RULES_LINUX, {{20, SOL_SOCKET, 37, 0}}, 24, 0, -EINVAL, 0},
		{RULES_LINUX,
		 {{20, SOL_SOCKET, 37, 0}, {17, SOL_TLS, 1, 22}},
		 48,
		 0,
		 4,
		 22},
		{RULES_LINUX, {{17, SOL_TLS, 1, 22}, {17, SOL_TLS, 1, 21}}, 48, 0, 4, 21},
		{RULES_LINUX,
		 {{17, SOL_TLS, 1, 22}, {9, SOL_TLS, 1, 21}},
		 48,
		 0,
		 -EINVAL,
		 0},
		{RULES_FREEBSD, {{17, IPPROTO_TCP, 1, 33}}, 17, 0, 4, 33},
		{RULES_FREEBSD, {{17, IPPROTO_TCP, 1, 33}}, 24, 0, 4, 33},
		{RULES_FREEBSD, {{17, IPPROTO_TCP, 2, 33}}, 24, 0, -EINVAL, 0},
		{RULES_FREEBSD, {{17, SOL_SOCKET, 1, 33}}, 24, 0, -EINVAL, 0},
		{RULES_FREEBSD, {{16, IPPROTO_TCP, 1, 33}}, 24, 0, -EINVAL, 0},
		{RULES_FREEBSD, {{17, IPPROTO_TCP, 1, 33}}, 15, 0, -EINVAL, 0},
		{RULES_FREEBSD,
		 {{17, IPPROTO_TCP, 1, 33}, {17, IPPROTO_TCP, 1, 21}},
		 48,
		 0,
		 4,
		 33},
	};
	struct iovec iov = {text, 4};
	struct tls_end end;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_Alignas(struct cmsghdr) uint8_t control[48] = {0};
		for (size_t k = 0; k < 2; k++) {
			struct cmsghdr c = {.cmsg_len = rows[i].cmsg[k].len,
					    .cmsg_level = rows[i].cmsg[k].level,
					    .cmsg_type = rows[i].cmsg[k].type};
			memcpy(control + 24 * k, &c, sizeof(c));
			control[24 * k + sizeof(c)] = rows[i].cmsg[k].value;
		}
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = rows[i].controllen};
		open_kind(&end, CHACHA, rows[i].rules);
		reset_net(WIRE_MAX);
		cr_expect_eq(so_sendmsg(end.so, end.fd, &msg, rows[i].flags),
			     rows[i].expected, "row %zu", i);
		cr_expect(read_wire(&end));
		cr_expect_eq(peer.count, rows[i].expected > 0, "row %zu", i);
		if (peer.count > 0)
			cr_expect_eq(peer.type[0], rows[i].record_type, "row %zu", i);
		close_end(&end);
	}
}

/* sendfile: the file's bytes once, wherever the kernel stops; the offset says how far. */
Test(send, sendfile)
{
	const size_t n = 3 * SHORT_RECORD + 10;
	int file = memfd_create("text", MFD_CLOEXEC);
	struct tls_end end;

	cr_assert_eq(write(file, text, n), (ssize_t)n);
	for (size_t cut = 0; cut < 280; cut++) {
		open_kind(&end, cut & 1 ? GCM : CBC10, RULES_LINUX);
		reset_net(WIRE_MAX);
		/* An open record is joined. */
		cr_expect_eq(send_bytes(&end, 0, 4, MSG_MORE), 4);
		net.room = cut;
		net.new_room = 31;
		off_t off = 4;
		while ((size_t)off < n) {
			off_t before = off;
			ssize_t r = so_sendfile(end.so, end.fd, file, &off, 10000);
			cr_assert_gt(r, 0, "cut %zu: %zd", cut, r);
			cr_expect_eq(off - before, r);
		}
		cr_expect_eq(so_sendfile(end.so, end.fd, file, &off, 10000), 0);
		cr_expect(read_wire(&end) && peer_has_text(n) && peer.rest == 0,
			  "cut %zu: %zu bytes", cut, peer.len);
		close_end(&end);
	}
	/* Without an offset it is the file's own that moves. */
	open_kind(&end, CHACHA, RULES_FREEBSD);
	reset_net(WIRE_MAX);
	cr_expect_eq(lseek(file, 7, SEEK_SET), 7);
	cr_expect_eq(so_sendfile(end.so, end.fd, file, NULL, 60), 60);
	cr_expect_eq(lseek(file, 0, SEEK_CUR), 67);
	cr_expect(read_wire(&end));
	cr_expect(peer.len == 60 && memcmp(peer.plain, text + 7, 60) == 0);
	off_t negative = -1;
	cr_expect_eq(so_sendfile(end.so, end.fd, file, &negative, 5), -EINVAL);
	cr_expect_eq(so_sendfile(end.so, end.fd, file, bad_page(), 5), -EFAULT);
	cr_expect_eq(so_sendfile(end.so, end.fd, -1, NULL, 5), -EBADF);
	close_end(&end);
	close(file);
}

/* A rekey while a cut record's tail waits: the tail is of the old key, then the new. */
Test(send, rekey)
{
	struct tls_end end, next;
	struct cipher_params params = {.version = TLS_V13, .iv_len = 12};

	open_kind(&end, CHACHA, RULES_LINUX);
	reset_net(30);
	cr_expect_eq(send_bytes(&end, 0, 40, MSG_DONTWAIT), 39);
	next = end;
	next.oracle.key[0] ^= 1;
	next.seq = 0;
	params.suite = suite_by_id(SUITE_CHACHA20_POLY1305);
	params.key = next.oracle.key;
	params.iv = next.oracle.iv;
	cr_expect_eq(sockopt_set_key(end.so, end.fd, TX, &params), 0);
	net.room = WIRE_MAX;
	cr_expect_eq(send_bytes(&end, 39, 31, MSG_DONTWAIT), 31);
	size_t total = net.len;
	net.len = 40 + 22;
	cr_expect(read_wire(&end) && peer_has_text(40));
	memmove(net.wire, net.wire + net.len, total - net.len);
	net.len = total - net.len;
	cr_expect(read_wire(&next));
	cr_expect(peer.len == 30 && memcmp(peer.plain, text + 40, 30) == 0);
	close_end(&end);
}

Test(send, sendmmsg)
{
	struct iovec iov[2] = {{text, 10}, {text + 10, 20}};
	struct mmsghdr vec[2] = {{.msg_hdr = {.msg_iov = &iov[0], .msg_iovlen = 1}},
				 {.msg_hdr = {.msg_iov = &iov[1], .msg_iovlen = 1}}};
	struct tls_end end;

	open_kind(&end, GCM, RULES_LINUX);
	reset_net(WIRE_MAX);
	cr_expect_eq(so_sendmmsg(end.so, end.fd, vec, 2, 0), -EOPNOTSUPP);
	cr_expect_eq(net.len, 0);
	cr_expect_eq(so_sendmmsg(end.so, end.fd, vec, 1, 0), 1);
	cr_expect_eq(vec[0].msg_len, 10);
	cr_expect_eq(so_sendmmsg(end.so, end.fd, bad_page(), 1, 0), -EFAULT);
	close_end(&end);
	open_kind(&end, GCM, RULES_FREEBSD);
	reset_net(WIRE_MAX);
	cr_expect_eq(so_sendmmsg(end.so, end.fd, vec, 2, 0), 2);
	cr_expect(vec[0].msg_len == 10 && vec[1].msg_len == 20);
	cr_expect(read_wire(&end) && peer_has_text(30));
	cr_expect_eq(peer.count, 2);
	vec[1].msg_hdr.msg_iov = bad_page();
	vec[1].msg_hdr.msg_iovlen = 2;
	cr_expect_eq(so_sendmmsg(end.so, end.fd, vec, 2, 0), 1);
	close_end(&end);
}
