/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_send_calls.c: what a send means in each dialect: flags, control messages, open
 * records, memory in many pieces or none at all, errors that wait.
 */
#include <errno.h>
#include <limits.h>
#include <linux/tls.h>
#include <signal.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>

#include <criterion/criterion.h>

#include "send_fixture.h"
#include "so.h"
#include "sockopt.h"
#include "sysctl.h"

TestSuite(send_calls, .init = prepare_send, .timeout = 120);

static volatile sig_atomic_t pipes;

static void
on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

Test(send_calls, sigpipe)
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
Test(send_calls, more)
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

/* Bad memory: records before it go, of that one nothing, and the stream goes on. */
Test(send_calls, efault)
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
Test(send_calls, many_pieces)
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
Test(send_calls, batches)
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
Test(send_calls, dialects)
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
Test(send_calls, control_messages)
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

Test(send_calls, sendmmsg)
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
