/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c: sequence numbers, nonces and initialisation vectors on the wire.
 */
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

/* Takes a record and copies the part of its nonce that is on the wire. */
static void
take_explicit(int fd, struct keys *k, uint8_t out[16])
{
	static struct wire_record r;

	read_record(fd, k, &r);
	memcpy(out, r.wire + 5, (size_t)k->o.row->hlen - 5);
}

static uint64_t
number(const uint8_t p[8])
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | p[i];
	return n;
}

/* TLS 1.2 GCM: the explicit nonce counts from a random start, whatever rec_seq is. */
static void
explicit_nonce_counts(const struct variant *v)
{
	uint64_t starts[4];

	for (int i = 0; i < 4; i++) {
		uint8_t nonce[16];
		struct keys k;
		int fd[2];
		tx_pair(fd, v->suite, &k);
		for (uint64_t n = 0; n < 40; n++) {
			check_eq(write(fd[1], "abc", 3), 3);
			take_explicit(fd[0], &k, nonce);
			if (n == 0)
				starts[i] = number(nonce);
			check(number(nonce) == starts[i] + n);
		}
		close(fd[0]);
		close(fd[1]);
		for (int j = 0; j < i; j++)
			check(starts[j] >> 16 != starts[i] >> 16);
	}
	/* One chance in 2^96 that all four are as small as a sequence number. */
	check((starts[0] | starts[1] | starts[2] | starts[3]) >> 32 != 0);
}

/* TLS 1.1 and 1.2 CBC: a fresh random IV in every record (RFC 5246 6.2.3.2). */
static void
random_ivs(const struct variant *v)
{
	static uint8_t data[3 * FULL];
	uint8_t iv[12][16];
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (int i = 0; i < 9; i++)
		check_eq(write(fd[1], "same", 4), 4);
	check_eq(write(fd[1], data, sizeof(data)), sizeof(data));
	for (int i = 0; i < 12; i++) {
		take_explicit(fd[0], &k, iv[i]);
		check(memcmp(iv[i], k.o.iv, 16) != 0);
		for (int j = 0; j < i; j++)
			check(memcmp(iv[i], iv[j], 16) != 0);
	}
}

/* TLS 1.0 CBC: each record's IV is the end of the one before, across calls of all kinds
 * and across calls that failed (RFC 2246 6.2.3.2). */
static void
chained_iv(const struct variant *v)
{
	static uint8_t data[3 * FULL];
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	random_bytes(data, sizeof(data));
	for (int i = 0; i < 20; i++) {
		size_t len = 1 + random_below(i % 4 == 0 ? 40000 : 100);
		check_eq(write(fd[1], data, len), len);
		expect_records(fd[0], &k, TLS_RLTYPE_APP, data, len);
		check_errno(write(fd[1], bad_address(), 10), EFAULT);
		check_errno(send(fd[1], data, 1, MSG_EOR), EINVAL);
		check_eq(send_typed(fd[1], TLS_RLTYPE_ALERT, data, 2, 0), 2);
		expect_record(fd[0], &k, TLS_RLTYPE_ALERT, data, 2);
		check_eq(write(fd[1], NULL, 0), 0);
		expect_record(fd[0], &k, TLS_RLTYPE_APP, NULL, 0);
	}
}

/* rec_seq: all eight bytes of it count. */
static const uint64_t sequences[] = {
	0,
	1,
	0xff,
	0xffffffff,
	0x100000000,
	0x0102030405060708,
	0x7fffffffffffffff,
	0x8000000000000000,
	UINT64_MAX - 2,
};

enum {
	SEQUENCES = sizeof(sequences) / sizeof(sequences[0]),
};

static void
sequence_tx(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	k.seq = sequences[v->n - 1];
	must(enable(fd[1], TCP_TXTLS_ENABLE, &k));
	for (int i = 0; i < 3; i++) {
		check_eq(write(fd[1], "seq", 3), 3);
		expect_record(fd[0], &k, TLS_RLTYPE_APP, "seq", 3);
	}
}

static void
sequence_rx(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	k.seq = sequences[v->n - 1];
	must(enable(fd[0], TCP_RXTLS_ENABLE, &k));
	for (int i = 0; i < 3; i++) {
		send_record(fd[1], &k, TLS_RLTYPE_APP, "seq", 3);
		expect_received(fd[0], &k, TLS_RLTYPE_APP, "seq", 3);
	}
}

/* Sequence numbers do not wrap (RFC 8446 5.3): the last one is used, and then no more.
 * FreeBSD would go on with 0. */
static void
last_sequence_tx(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	k.seq = UINT64_MAX;
	must(enable(fd[1], TCP_TXTLS_ENABLE, &k));
	check_eq(write(fd[1], "last", 4), 4);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "last", 4);
	for (int i = 0; i < 3; i++)
		check_errno(write(fd[1], "more", 4), EBADMSG);
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, "xx", 2, 0), EBADMSG);
	check_silent(fd[0]);
}

static void
last_sequence_rx(const struct variant *v)
{
	uint8_t byte;
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	k.seq = UINT64_MAX;
	must(enable(fd[0], TCP_RXTLS_ENABLE, &k));
	send_record(fd[1], &k, TLS_RLTYPE_APP, "last", 4);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, "last", 4);
	send_record(fd[1], &k, TLS_RLTYPE_APP, "more", 4);
	check_errno(read(fd[0], &byte, 1), EBADMSG);
}

/* The two directions of a socket have keys and numbers of their own. */
static void
both_directions(const struct variant *v)
{
	static uint8_t data[2 * FULL], back[2 * FULL];
	struct keys tx, rx;
	int fd[2];

	tcp_pair(fd);
	enable_tx(fd[1], v->suite, &tx);
	enable_rx(fd[1], v->suite, &rx);
	random_bytes(data, sizeof(data));
	for (int i = 0; i < 20; i++) {
		size_t len = 1 + random_below(FULL);
		send_record(fd[0], &rx, TLS_RLTYPE_APP, data, len);
		check_eq(read(fd[1], back, sizeof(back)), len);
		check_eq(write(fd[1], back, len), len);
		expect_record(fd[0], &tx, TLS_RLTYPE_APP, data, len);
	}
}

/* Different suites in the two directions are nobody's business. */
static void
mixed_suites(const struct variant *v)
{
	const struct suite *other = suite_named("chacha20_poly1305_1_3");
	struct keys tx, rx;
	uint8_t buf[4];
	int fd[2];

	tcp_pair(fd);
	enable_tx(fd[1], v->suite, &tx);
	enable_rx(fd[1], other, &rx);
	send_record(fd[0], &rx, TLS_RLTYPE_APP, "ping", 4);
	check_eq(read(fd[1], buf, sizeof(buf)), 4);
	check_eq(write(fd[1], buf, 4), 4);
	expect_record(fd[0], &tx, TLS_RLTYPE_APP, "ping", 4);
}

static void
ipv6(const struct variant *v)
{
	struct keys tx, rx;
	uint8_t buf[4];
	int fd[2];

	tcp_pair_of(AF_INET6, fd);
	enable_tx(fd[1], v->suite, &tx);
	enable_rx(fd[1], v->suite, &rx);
	send_record(fd[0], &rx, TLS_RLTYPE_APP, "six!", 4);
	check_eq(read(fd[1], buf, sizeof(buf)), 4);
	check_eq(write(fd[1], buf, 4), 4);
	expect_record(fd[0], &tx, TLS_RLTYPE_APP, "six!", 4);
}

const struct scenario record_scenarios[] = {
	{"record", "explicit_nonce_counts", G_GCM12, 0, explicit_nonce_counts},
	{"record", "random_ivs", G_CBC, 0, random_ivs},
	{"record", "chained_iv", G_CBC10, 0, chained_iv},
	{"record", "sequence_tx", G_TX, SEQUENCES, sequence_tx},
	{"record", "sequence_rx", G_RX, SEQUENCES, sequence_rx},
	{"record", "last_sequence_tx", G_TX, 0, last_sequence_tx},
	{"record", "last_sequence_rx", G_RX, 0, last_sequence_rx},
	{"record", "both_directions", G_RX, 0, both_directions},
	{"record", "mixed_suites", G_TX, 0, mixed_suites},
	{"record", "ipv6", G_RX, 0, ipv6},
	{0},
};
