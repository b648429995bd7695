/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_receive.c: records that arrive in any pieces are delivered whole, once and in
 * order; and the kernel calls the socket readable exactly when there is something.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "receive_fixture.h"
#include "so.h"
#include "sw_rx.h"

TestSuite(receive, .init = prepare_receive, .timeout = 120);

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
