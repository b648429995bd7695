/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record.c: records sealed are opened by the oracle, records built by the oracle are
 * opened, and everything else is refused with the right verdict.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "oracle.h"
#include "record_rx.h"
#include "record_tx.h"

enum {
	BUFFER_LEN = 66000,
	UNTOUCHED = 0xaa, /* what outputs are filled with; never in a payload */
	START_SEQ = 0x7ffffffe,
};
static const uint64_t start_nonce = UINT64_MAX - 1; /* wraps within a test */

static const size_t payload_lens[] = {0, 1, 15, 16, 17, 1000, 16383, 16384};
#define LENS (sizeof(payload_lens) / sizeof(payload_lens[0]))

static uint8_t payload[16384 + 256];
static uint8_t wire[BUFFER_LEN];
static uint8_t plain[BUFFER_LEN];
static struct oracle_opened opened;

/* One suite in one version, as the oracle and as the library see it. */
struct fixture {
	const struct oracle_row *row;
	struct oracle oracle;
	struct cipher_state state;
	struct cipher_context context;
};

static const struct suite *
suite_named(const char *name)
{
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		if (strcmp(suite_by_id(id)->name, name) == 0)
			return suite_by_id(id);
	return NULL;
}

static void
setup(struct fixture *f, const struct oracle_row *row, uint64_t seq,
      enum engine_direction dir)
{
	const struct cipher_params params = {
		.suite = suite_named(row->name),
		.version = (uint8_t)row->minor,
		.key = f->oracle.key,
		.iv = f->oracle.iv,
		.iv_len = (uint8_t)row->iv_len,
		.mac_key = f->oracle.mac_key,
		.mac_key_len = (size_t)row->mac_len,
		.seq = seq,
		.explicit_nonce = start_nonce,
	};

	*f = (struct fixture){.row = row, .oracle.row = row};
	for (size_t i = 0; i < sizeof(f->oracle.key); i++)
		f->oracle.key[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(f->oracle.iv); i++)
		f->oracle.iv[i] = (uint8_t)(i * 11 + 3);
	f->oracle.mac_key_len = params.mac_key_len;
	for (size_t i = 0; i < params.mac_key_len; i++)
		f->oracle.mac_key[i] = (uint8_t)(i * 13 + 5);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i % 113 + 1);
	cr_assert_not_null(params.suite, "%s", row->name);
	cr_assert_eq(cipher_set_key(&f->state, &f->context, &params, dir), 0,
		     "%s: no engine (KTLS_ENGINE_DIR?)", row->name);
}

static struct oracle_record
record_of(uint64_t seq, uint8_t type, size_t len)
{
	struct oracle_record r = {
		.seq = seq, .type = type, .payload = payload, .len = len};

	for (size_t i = 0; i < sizeof(r.explicit_iv); i++)
		r.explicit_iv[i] = (uint8_t)(seq * 3 + i);
	return r;
}

static bool
all_bytes(const uint8_t *p, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Neither a byte of plaintext nor of a wrong decryption is left. */
static bool
clean(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0 && p[i] != UNTOUCHED)
			return false;
	return true;
}

/* Ways to cut the payload; the last two have plaintext where its ciphertext goes. */
enum layout {
	ONE_PIECE,
	THREE_PIECES,
	EIGHT_PIECES,
	IN_PLACE,
	HALF_IN_PLACE,
	LAYOUTS,
};

static int
cut(enum layout layout, size_t len, uint8_t *place, struct iovec iov[8])
{
	static const int pieces[LAYOUTS] = {1, 3, 8, 1, 2};
	int n = pieces[layout];
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		size_t piece = i == n - 1 ? len - at : i == 3 ? 0 : len / (size_t)n;
		iov[i] = (struct iovec){payload + at, piece};
		at += piece;
	}
	if (layout >= IN_PLACE) {
		memcpy(place, payload, len);
		iov[0].iov_base = place;
	}
	return layout == ONE_PIECE && len == 0 ? 0 : n;
}

/* Seals one record and lets the oracle open it. */
static void
seal_one(struct fixture *f, uint8_t type, size_t len, enum layout layout)
{
	const struct oracle_row *row = f->row;
	size_t total = record_wire_len(&f->state, len);
	uint64_t seq = f->state.seq;
	struct iovec iov[8];
	int iovcnt;
	ssize_t n;

	memset(wire, UNTOUCHED, sizeof(wire));
	iovcnt = cut(layout, len, wire + row->hlen, iov);
	n = record_seal(&f->state, &f->context, type, iov, iovcnt, len, wire);
	cr_assert_eq(n, (ssize_t)total, "%s 1.%d len %zu layout %d: %zd", row->name,
		     row->minor - 1, len, layout, n);
	cr_expect(all_bytes(wire + total, 64, UNTOUCHED), "%s: wrote too much",
		  row->name);
	n = oracle_open(&f->oracle, seq, wire, total, &opened);
	cr_assert_eq(n, (ssize_t)len, "%s 1.%d len %zu layout %d: oracle says %zd",
		     row->name, row->minor - 1, len, layout, n);
	cr_expect_arr_eq(opened.payload, payload, len);
	cr_expect_eq(opened.type, type);
	cr_expect_eq(wire[0], row->minor == 4 ? 23 : type);
	cr_expect_leq(opened.padding, row->mode == ORACLE_CBC ? 16 : 0);
	cr_expect_eq(f->state.seq, seq + 1);
	if (len == 16384)
		cr_expect_eq((int)total, 5 + row->full);
	if (row->minor == 1)
		memcpy(f->oracle.iv, wire + total - 16, 16);
}

Test(record, seal)
{
	struct fixture f;
	uint8_t seen[16] = {0};
	uint8_t counter[8];

	for (int i = 0; i < oracle_row_count; i++) {
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_SEAL);
		uint64_t nonce = start_nonce;
		for (size_t l = 0; l < LENS * LAYOUTS; l++) {
			seal_one(&f, (uint8_t)(20 + l), payload_lens[l / LAYOUTS],
				 l % LAYOUTS);
			if (f.row->hlen == 13) {
				for (int b = 0; b < 8; b++)
					counter[b] = (uint8_t)(nonce >> (56 - 8 * b));
				cr_expect_arr_eq(wire + 5, counter, 8, "%s %zu",
						 f.row->name, l);
				nonce++;
			}
			if (f.row->hlen == 21) {
				cr_expect_arr_neq(wire + 5, seen, 16, "IV repeated");
				memcpy(seen, wire + 5, 16);
			}
		}
		cr_expect_eq(f.state.explicit_nonce, nonce);
		cipher_context_release(&f.context);
	}
}

/* Parses and opens the record in `wire`; `out` may lie in it. */
static ssize_t
open_wire(struct fixture *f, enum record_rules rules, size_t len, uint8_t *out,
	  uint8_t *type)
{
	struct record_header h = record_parse(&f->state, rules, wire, len);

	cr_assert_eq(h.verdict, RECORD_COMPLETE, "%s 1.%d wire %zu: verdict %d error %d",
		     f->row->name, f->row->minor - 1, len, h.verdict, h.error);
	cr_assert_eq(h.length, len);
	return record_open(&f->state, &f->context, wire, h.length, out, type);
}

static void
open_one(struct fixture *f, const struct oracle_record *r, enum record_rules rules,
	 bool in_place)
{
	size_t len = oracle_build(&f->oracle, r, wire);
	size_t tag_len = f->row->mode == ORACLE_CBC ? 0 : 16;
	size_t slack = f->row->mode == ORACLE_CBC ? (size_t)f->row->mac_len + 1
						  : f->row->minor == 4;
	size_t room = len - (size_t)f->row->hlen - tag_len;
	uint8_t *out = in_place ? wire + f->row->hlen : plain;
	uint8_t type = 0;
	ssize_t n;

	memset(plain, UNTOUCHED, sizeof(plain));
	n = open_wire(f, rules, len, out, &type);
	cr_assert_eq(n, (ssize_t)r->len, "%s 1.%d len %zu padding %zu: %zd", f->row->name,
		     f->row->minor - 1, r->len, r->padding, n);
	cr_expect_arr_eq(out, payload, r->len);
	cr_expect_eq(type, r->type);
	cr_expect_eq(record_open_slack(&f->state), slack);
	cr_expect_eq(record_plaintext_bound(&f->state, (uint32_t)len), room - slack);
	cr_expect(all_bytes(plain + room, 64, UNTOUCHED), "%s: wrote too much",
		  f->row->name);
	cr_expect_eq(f->state.seq, r->seq + 1);
}

Test(record, open)
{
	struct fixture f;

	for (int i = 0; i < oracle_row_count; i++) {
		if (!oracle_rows[i].rx)
			continue;
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_OPEN);
		for (size_t l = 0; l < LENS * 4; l++) {
			struct oracle_record r = record_of(f.state.seq, (uint8_t)(20 + l),
							   payload_lens[l / 4]);
			open_one(&f, &r, l & 1 ? RULES_FREEBSD : RULES_LINUX, l & 2);
		}
		/* A skipped record takes a number. */
		record_skip(&f.state);
		struct oracle_record r = record_of(START_SEQ + LENS * 4 + 1, 23, 5);
		open_one(&f, &r, RULES_FREEBSD, false);
		cipher_context_release(&f.context);
	}
}

/* Records taken back and sealed again come out the same, random IVs apart. */
Test(record, rewind)
{
	struct fixture f;
	struct record_mark mark;

	for (int i = 0; i < oracle_row_count; i++) {
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_SEAL);
		seal_one(&f, 23, 100, ONE_PIECE);
		mark = record_mark(&f.state);
		struct cipher_state before = f.state;
		struct oracle oracle = f.oracle;
		seal_one(&f, 23, 100, ONE_PIECE);
		size_t len = record_wire_len(&f.state, 100);
		memcpy(plain, wire, len);
		seal_one(&f, 22, 50, ONE_PIECE);
		record_rewind(&f.state, &mark);
		cr_expect_arr_eq(&f.state, &before, sizeof(before), "%s", f.row->name);
		f.oracle = oracle;
		seal_one(&f, 23, 100, THREE_PIECES);
		if (f.row->hlen != 21)
			cr_expect_arr_eq(plain, wire, len, "%s", f.row->name);
		cipher_context_release(&f.context);
	}
}

Test(record, exhaustion)
{
	const struct oracle_row *row = oracle_find("AES-128-GCM", 3);
	struct iovec iov = {payload, 10};
	struct fixture f;
	uint8_t type = 99;

	setup(&f, row, UINT64_MAX, ENGINE_SEAL);
	const struct record_mark last = record_mark(&f.state);
	cr_expect_eq(record_seal(&f.state, &f.context, 23, &iov, 1, 10, wire), 39);
	cr_expect_eq(oracle_open(&f.oracle, UINT64_MAX, wire, 39, &opened), 10);
	const struct record_mark after = record_mark(&f.state);
	for (int i = 0; i < 2; i++) {
		cr_expect(f.state.exhausted);
		memset(wire, UNTOUCHED, 64);
		cr_expect_eq(record_seal(&f.state, &f.context, 23, &iov, 1, 10, wire),
			     -EBADMSG);
		cr_expect(all_bytes(wire, 64, UNTOUCHED));
		/* Going back to where it was already at an end gives nothing back. */
		record_rewind(&f.state, &after);
	}
	record_rewind(&f.state, &last);
	cr_expect_eq(record_seal(&f.state, &f.context, 23, &iov, 1, 10, wire), 39);
	cr_expect(f.state.exhausted);
	cipher_context_release(&f.context);

	setup(&f, row, UINT64_MAX, ENGINE_OPEN);
	struct oracle_record r = record_of(UINT64_MAX, 23, 10);
	size_t len = oracle_build(&f.oracle, &r, wire);
	cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), 10);
	cr_expect(f.state.exhausted);
	r.seq = 0;
	oracle_build(&f.oracle, &r, wire);
	memset(plain, UNTOUCHED, 64);
	cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), -EBADMSG);
	cr_expect(clean(plain, 64));
	cipher_context_release(&f.context);
}

/* What each kernel says about a header, from their documentation. */
static struct record_header
expected(const struct oracle_row *row, enum record_rules rules, const uint8_t *b,
	 size_t have)
{
	static const uint8_t wire_minor[] = {0, 1, 2, 3, 3};
	struct record_header wait = {RECORD_INCOMPLETE, 0, 5};
	struct record_header h = {RECORD_COMPLETE, 0, 5};
	if (have < 5)
		return wait;
	int len = b[3] * 256 + b[4];
	bool version = b[1] == 3 && b[2] == wire_minor[row->minor];
	bool ragged = row->mode == ORACLE_CBC && len % 16 != 0;
	h.length = wait.length = (uint32_t)len + 5;
	if (rules == RULES_LINUX) {
		if (len > row->largest)
			h.error = EMSGSIZE;
		else if (len < row->linux_smallest || ragged)
			h.error = EBADMSG;
		else if (!version)
			h.error = EINVAL;
		if (h.error != 0 && (int)have < row->hlen)
			return (struct record_header){RECORD_INCOMPLETE, 0,
						      (uint32_t)row->hlen};
	} else if (!version || (row->minor == 4 && b[0] != 23)) {
		h.error = EINVAL;
	} else if (5 + len < row->hlen || len > row->largest) {
		h.error = EMSGSIZE;
	}
	if (h.error != 0)
		h.verdict = RECORD_FATAL;
	else if (have < h.length)
		return wait;
	else if (rules == RULES_FREEBSD && (len < row->smallest || ragged))
		h = (struct record_header){RECORD_SKIP, EMSGSIZE, h.length};
	return h;
}

static struct record_header
check_parse(struct fixture *f, enum record_rules rules, size_t have)
{
	struct record_header want = expected(f->row, rules, wire, have);
	struct record_header got = record_parse(&f->state, rules, wire, have);

	cr_expect(got.verdict == want.verdict && got.error == want.error,
		  "%s 1.%d rules %d header %02x %02x %02x %02x%02x have %zu: "
		  "%d/%d, not %d/%d",
		  f->row->name, f->row->minor - 1, rules, wire[0], wire[1], wire[2],
		  wire[3], wire[4], have, got.verdict, got.error, want.verdict,
		  want.error);
	if (want.verdict != RECORD_FATAL)
		cr_expect_eq(got.length, want.length, "%s have %zu", f->row->name, have);
	return want;
}

static void
sweep(struct fixture *f, enum record_rules rules)
{
	static const uint8_t heads[][3] = {
		{23, 3, 3}, {23, 3, 2}, {23, 3, 1}, {23, 3, 4}, {23, 4, 3},
		{23, 2, 3}, {20, 3, 3}, {24, 3, 3}, {0, 0, 0},
	};

	memset(wire, 0, sizeof(wire));
	for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
		memcpy(wire, heads[h], 3);
		for (unsigned len = 0; len < 65536; len++) {
			if (len == 120)
				len = 16300;
			if (len == 16700)
				len = 65500;
			const size_t haves[] = {
				0,  1,  4,       5,           6,       12,
				13, 20, len + 4, len + 4 + 1, len + 6, BUFFER_LEN};
			wire[3] = (uint8_t)(len >> 8);
			wire[4] = (uint8_t)len;
			for (size_t i = 0; i < sizeof(haves) / sizeof(haves[0]); i++)
				check_parse(f, rules, haves[i]);
		}
	}
}

Test(record, headers)
{
	struct fixture f;

	for (int i = 0; i < oracle_row_count; i++) {
		if (!oracle_rows[i].rx)
			continue;
		setup(&f, &oracle_rows[i], 1, ENGINE_OPEN);
		sweep(&f, RULES_FREEBSD);
		sweep(&f, RULES_LINUX);
		cipher_context_release(&f.context);
	}
}

/* One bit of the record of `len` bytes in `wire` is wrong. */
static void
open_tampered(struct fixture *f, enum record_rules rules, size_t byte, size_t len)
{
	struct cipher_state before = f->state;
	struct record_header h = check_parse(f, rules, len);
	uint8_t type = 99;
	ssize_t n;

	if (h.verdict != RECORD_COMPLETE)
		return;
	memset(plain, UNTOUCHED, 256);
	n = record_open(&f->state, &f->context, wire, h.length, plain, &type);
	if (byte == 0 && f->row->minor == 4) {
		/* Linux: the outer type is not in the AAD. */
		cr_expect(n == 50 && type == 23);
		f->state = before;
		return;
	}
	cr_expect_eq(n, -EBADMSG, "%s 1.%d byte %zu: %zd", f->row->name,
		     f->row->minor - 1, byte, n);
	cr_expect(clean(plain, 256), "%s 1.%d byte %zu leaks", f->row->name,
		  f->row->minor - 1, byte);
	cr_expect_eq(type, 99);
	cr_expect_arr_eq(&f->state, &before, sizeof(before));
}

Test(record, tampered)
{
	struct fixture f;
	uint8_t type;

	for (int i = 0; i < oracle_row_count; i++) {
		if (!oracle_rows[i].rx)
			continue;
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_OPEN);
		struct oracle_record r = record_of(START_SEQ, 23, 50);
		size_t len = oracle_build(&f.oracle, &r, wire);
		for (size_t bit = 0; bit < len * 8; bit++) {
			wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
			open_tampered(&f, RULES_FREEBSD, bit / 8, len);
			open_tampered(&f, RULES_LINUX, bit / 8, len);
			wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		/* Another sequence number is wrong as well; the right one still works. */
		f.state.seq++;
		cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), -EBADMSG,
			     "%s", f.row->name);
		f.state.seq--;
		/* In place, what the tag does not cover is wiped as well. */
		wire[len - 1] ^= 1;
		cr_expect_eq(open_wire(&f, RULES_LINUX, len, wire + f.row->hlen, &type),
			     -EBADMSG);
		cr_expect(
			all_bytes(wire + f.row->hlen, len - (size_t)f.row->hlen - 16, 0));
		oracle_build(&f.oracle, &r, wire);
		cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), 50);
		cipher_context_release(&f.context);
	}
}

/* TLS 1.3: content, type, zeros. */
Test(record, inner_plaintext)
{
	static const size_t zeros[] = {0, 1, 15, 16, 17, 255, 256, 4096};
	struct fixture f;
	struct oracle_record r;
	uint8_t type = 99;

	for (int i = 0; i < oracle_row_count; i++) {
		if (oracle_rows[i].minor != 4)
			continue;
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_OPEN);
		for (size_t z = 0; z < 2 * sizeof(zeros) / sizeof(zeros[0]); z++) {
			r = record_of(f.state.seq, 22, z & 1 ? 0 : 100);
			r.padding = zeros[z / 2];
			open_one(&f, &r, RULES_FREEBSD, z & 2);
		}
		r = record_of(f.state.seq, 21, 100);
		r.padding = 16384 - r.len;
		open_one(&f, &r, RULES_LINUX, false);
		/* Content that ends in zeros keeps them. */
		memset(payload + 90, 0, 10);
		r = record_of(f.state.seq, 23, 100);
		open_one(&f, &r, RULES_LINUX, false);
		/* A type of 0 makes the last non-zero byte the type. */
		r = record_of(f.state.seq, 0, 90);
		size_t len = oracle_build(&f.oracle, &r, wire);
		cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), 89);
		cr_expect_eq(type, payload[89]);
		/* Any outer type will do for Linux. */
		r = record_of(f.state.seq, 23, 90);
		r.outer_type = 22;
		len = oracle_build(&f.oracle, &r, wire);
		cr_expect_eq(open_wire(&f, RULES_LINUX, len, plain, &type), 90);
		cr_expect_eq(type, 23);
		cipher_context_release(&f.context);
	}
}

/* No content type: whatever lies before the inner plaintext must not become one. */
Test(record, no_content_type)
{
	static const size_t zeros[] = {0, 1, 2, 100, 16384};
	struct fixture f;
	struct oracle_record r;
	uint8_t type = 99;
	size_t len;

	for (int i = 0; i < oracle_row_count; i++) {
		if (oracle_rows[i].minor != 4)
			continue;
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_OPEN);
		for (size_t z = 0; z < 2 * sizeof(zeros) / sizeof(zeros[0]); z++) {
			r = record_of(START_SEQ, 0, 0);
			r.no_type = true;
			r.padding = zeros[z / 2];
			len = oracle_build(&f.oracle, &r, wire);
			memset(plain, 23, sizeof(plain));
			/* Linux: FreeBSD's rules skip the empty one beforehand. */
			cr_expect_eq(open_wire(&f, RULES_LINUX, len,
					       z & 1 ? wire + 5 : plain + 100, &type),
				     -EBADMSG, "%s zeros %zu", f.row->name, r.padding);
			cr_expect_eq(type, 99);
			cr_expect_eq(f.state.seq, START_SEQ);
		}
		cipher_context_release(&f.context);
	}
}

static void
expect_bad_cbc(struct fixture *f, const struct oracle_record *r)
{
	size_t len = oracle_build(&f->oracle, r, wire);
	uint8_t type = 99;
	ssize_t n;

	memset(plain, UNTOUCHED, sizeof(plain));
	n = open_wire(f, RULES_FREEBSD, len, plain, &type);
	cr_expect_eq(n, -EBADMSG, "%s 1.%d len %zu padding +%zu byte %zu: %zd",
		     f->row->name, f->row->minor - 1, r->len, r->padding, r->bad_padding,
		     n);
	cr_expect(clean(plain, len + 64));
	cr_expect_eq(f->state.seq, r->seq);
}

Test(record, cbc_padding)
{
	struct fixture f;
	struct oracle_record r;

	for (int i = 0; i < oracle_row_count; i++) {
		if (oracle_rows[i].mode != ORACLE_CBC || !oracle_rows[i].rx)
			continue;
		setup(&f, &oracle_rows[i], START_SEQ, ENGINE_OPEN);
		for (size_t len = 0; len <= 33; len++) {
			size_t least = 16 - (len + (size_t)f.row->mac_len) % 16;
			for (size_t more = 0; least + more <= 256; more += 16) {
				r = record_of(f.state.seq, 23, len);
				r.padding = more;
				open_one(&f, &r, RULES_FREEBSD, more & 16);
				r = record_of(f.state.seq, 23, len);
				r.padding = more;
				r.bad_mac = true;
				expect_bad_cbc(&f, &r);
			}
		}
		for (size_t at = 1; at <= 256; at++) {
			r = record_of(f.state.seq, 23, 16 - (size_t)f.row->mac_len % 16);
			r.padding = 240;
			r.bad_padding = at;
			expect_bad_cbc(&f, &r);
		}
		/* More content than RFC 5246 6.2.1 allows, in place of padding. */
		if (f.row->mac_len == 20) {
			r = record_of(f.state.seq, 23, 16385);
			expect_bad_cbc(&f, &r);
		}
		cipher_context_release(&f.context);
	}
}
