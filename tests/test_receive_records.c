/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_receive_records.c: what a receive makes of each kind of record: data, control,
 * empty, damaged, cut off; how it tells, and where the plaintext goes.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "receive_fixture.h"
#include "so.h"
#include "sockopt.h"
#include "sw_rx.h"

TestSuite(receive_records, .init = prepare_receive, .timeout = 120);

/* Linux: control records alone, with their type, and only for one who can learn it. */
Test(receive_records, linux_control)
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
Test(receive_records, linux_empty_records)
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
Test(receive_records, freebsd_records)
{
	static const int versions[] = {BSD13, BSD12, BSD_CBC};
	struct tls_end end;

	for (int v = 0; v < 3; v++) {
		open_kind(&end, versions[v]);
		/* The header comes once, though nobody has looked at the record before.
		 */
		peer_sends(&end, 22, 0, 50);
		net_arrive(WIRE_MAX);
		struct message m = receive_message(&end, got, 20, 24, 0);
		cr_expect(m.n == 20 && m.type == 22 && m.len == 50);
		m = receive_message(&end, got, 20, 24, 0);
		cr_expect(m.n == 20 && m.type == NOT_THERE);
		m = receive_message(&end, got, 20, 24, 0);
		cr_expect(m.n == 10 && m.type == NOT_THERE && (m.flags & MSG_EOR) != 0);
		peer_sends(&end, 23, 0, 100);
		peer_sends(&end, 23, 100, 100);
		peer_sends(&end, 22, 200, 100);
		peer_sends(&end, 21, 300, 0);
		peer_sends(&end, 21, 300, 2);
		net_arrive(WIRE_MAX);
		m = receive_message(&end, got, 100, 24, MSG_PEEK);
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
Test(receive_records, tampering)
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
Test(receive_records, bad_headers)
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
Test(receive_records, looking_keeps_errors)
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
Test(receive_records, ends)
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
Test(receive_records, efault)
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
Test(receive_records, many_pieces)
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
Test(receive_records, readable_bytes)
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
Test(receive_records, rekey)
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

/* FreeBSD drops a connection whose stream cannot be followed: the peer sees a reset. */
Test(receive_records, freebsd_drop)
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

Test(receive_records, recvmmsg)
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
