/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_send.c: whatever the kernel takes of what is sent, the peer gets one valid stream
 * of records with every accepted byte once and no sequence number twice.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "send_fixture.h"
#include "so.h"
#include "sockopt.h"

TestSuite(send, .init = prepare_send, .timeout = 120);

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

	for (enum record_rules rules = RULES_LINUX; rules <= RULES_FREEBSD; rules++) {
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
