/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_suite.c: the suite table and record sizes against an independent copy; keys,
 * nonces and sequence numbers; engines that are there or not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "cipher.h"
#include "engines.h"
#include "oracle.h"

static const struct suite *
suite_of(const struct oracle_row *row)
{
	return row->linux_id != 0 ? suite_by_linux((uint16_t)row->linux_id)
				  : suite_by_freebsd(row->freebsd_id, row->key_len,
						     row->freebsd_auth);
}

Test(suite, table)
{
	uint8_t tx[SUITE_COUNT] = {0}, rx[SUITE_COUNT] = {0};

	for (int i = 0; i < oracle_row_count; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		const struct suite *s = suite_of(row);
		cr_assert_not_null(s, "%s", row->name);
		cr_expect_str_eq(s->name, row->name);
		cr_expect_eq(s->key_len, row->key_len);
		cr_expect_eq(s->mac_len, row->mac_len);
		cr_expect_eq(s->linux_cipher, row->linux_id);
		cr_expect_eq(s->freebsd_cipher, row->freebsd_id);
		cr_expect_eq(s->freebsd_auth, row->freebsd_auth);
		cr_expect_eq(suite_is_cbc(s), row->mode == ORACLE_CBC);
		cr_expect_eq(suite_by_id(s->id), s);
		if (row->freebsd_id != 0)
			cr_expect_eq(suite_by_freebsd(row->freebsd_id, row->key_len,
						      row->freebsd_auth),
				     s);
		tx[s->id] |= (uint8_t)VERSION_BIT(row->minor);
		rx[s->id] |= (uint8_t)(row->rx ? VERSION_BIT(row->minor) : 0);
	}
	/* No suite and no version beside these. */
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		cr_expect_neq(tx[id], 0, "%s is not documented", suite_by_id(id)->name);
		cr_expect_eq(suite_by_id(id)->tx_versions, tx[id], "%s",
			     suite_by_id(id)->name);
		cr_expect_eq(suite_by_id(id)->rx_versions, rx[id], "%s",
			     suite_by_id(id)->name);
	}
}

/* Every combination of ids and key lengths that is not in the table is no suite. */
Test(suite, unknown)
{
	for (int id = 0; id < 65536; id++)
		if (id < 51 || id > 58)
			cr_expect_null(suite_by_linux((uint16_t)id), "%d", id);
	for (int cipher = -1; cipher < 64; cipher++) {
		for (int auth = -1; auth < 64; auth++) {
			for (int key_len = 0; key_len < 70; key_len++) {
				bool known = false;
				for (int i = 0; i < oracle_row_count; i++)
					known |= oracle_rows[i].freebsd_id == cipher &&
						 oracle_rows[i].freebsd_auth == auth &&
						 oracle_rows[i].key_len == key_len &&
						 cipher != 0;
				cr_expect_eq(suite_by_freebsd(cipher, key_len, auth) !=
						     NULL,
					     known, "%d/%d/%d", cipher, key_len, auth);
			}
		}
	}
}

Test(suite, geometry)
{
	for (int i = 0; i < oracle_row_count; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		struct geometry g = suite_geometry(suite_of(row), (uint8_t)row->minor);
		cr_expect_eq(g.hlen, row->hlen, "%s 1.%d", row->name, row->minor - 1);
		cr_expect_eq(g.tlen, row->tlen, "%s 1.%d", row->name, row->minor - 1);
		cr_expect_eq(g.explicit_len, row->hlen - 5);
		cr_expect_eq(g.inner_type, row->minor == 4);
		cr_expect_eq(g.cbc, row->mode == ORACLE_CBC);
		cr_expect_leq(5 + row->largest, RECORD_MAX_LEN);
	}
}

static struct cipher_params
params_of(enum suite_id id, uint8_t version)
{
	static const uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	struct cipher_params p = {
		.suite = suite_by_id(id),
		.version = version,
		.key = bytes + 1,
		.iv = bytes,
		.iv_len = 12,
		.mac_key = bytes,
		.mac_key_len = suite_by_id(id)->mac_len,
		.seq = 0x0102030405060708,
		.explicit_nonce = 77,
	};

	return p;
}

Test(cipher, nonces)
{
	const uint8_t explicit_nonce[8] = {0xa0, 0xa1, 0xa2, 0xa3,
					   0xa4, 0xa5, 0xa6, 0xa7};
	const uint8_t salted[12] = {1,    2,    3,    4,    0xa0, 0xa1,
				    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7};
	/* iv 01 to 0c, sequence number 01 to 08 */
	const uint8_t xored[12] = {1, 2, 3, 4, 4, 4, 4, 12, 12, 12, 12, 4};
	struct cipher_params p = params_of(SUITE_AES_128_GCM, TLS_V13);
	struct cipher_context context = {0};
	struct cipher_state state = {0};
	uint8_t nonce[13] = {[12] = 0x55};

	cr_assert_eq(cipher_set_key(&state, &context, &p, ENGINE_SEAL), 0);
	cipher_nonce(&state, NULL, nonce);
	cr_expect_arr_eq(nonce, xored, 12);
	cipher_nonce(&state, explicit_nonce, nonce);
	cr_expect_arr_eq(nonce, salted, 12);
	cr_expect_eq(nonce[12], 0x55);
	cipher_context_release(&context);
}

Test(cipher, advance_stops_at_the_end)
{
	struct cipher_state state = {.seq = UINT64_MAX - 1};

	cipher_advance(&state);
	cr_expect(state.seq == UINT64_MAX && !state.exhausted);
	cipher_advance(&state);
	cr_expect(state.exhausted);
	cipher_advance(&state);
	cr_expect(state.exhausted);
}

Test(cipher, set_key_and_wipe)
{
	struct cipher_params p = params_of(SUITE_AES_256_GCM, TLS_V12);
	struct cipher_context context = {0}, other = {0};
	struct cipher_state state = {0};
	uint32_t generation;

	p.iv_len = 4;
	cr_assert_eq(cipher_set_key(&state, &context, &p, ENGINE_SEAL), 0);
	cr_expect_eq(state.suite, SUITE_AES_256_GCM);
	cr_expect_eq(state.version, TLS_V12);
	cr_expect_eq(state.iv_len, 4);
	cr_expect_eq(state.seq, p.seq);
	cr_expect_eq(state.explicit_nonce, 77);
	cr_expect_eq(state.geo.hlen, 13);
	cr_expect_arr_eq(state.key, p.key, 32);
	cr_expect_not(state.exhausted);
	cr_expect_eq((uintptr_t)context.memory % KTLS_ENGINE_ALIGN, 0);

	/* Another process's context follows the key. */
	cr_assert_eq(cipher_context_sync(&other, &state, ENGINE_SEAL), 0);
	cr_expect_eq(other.generation, state.generation);
	void *memory = other.memory;
	cr_assert_eq(cipher_context_sync(&other, &state, ENGINE_SEAL), 0);
	cr_expect_eq(other.memory, memory);
	generation = state.generation;
	cr_assert_eq(cipher_set_key(&state, &context, &p, ENGINE_SEAL), 0);
	cr_expect_neq(state.generation, generation);
	cr_expect_eq(context.generation, state.generation);
	cr_assert_eq(cipher_context_sync(&other, &state, ENGINE_SEAL), 0);
	cr_expect_eq(other.generation, state.generation);

	/* After a wipe no secret is left, and old contexts do not fit. */
	generation = state.generation;
	cipher_state_wipe(&state);
	cr_expect_neq(state.generation, generation);
	state.generation = 0;
	cr_expect_arr_eq(&state, &(struct cipher_state){0}, sizeof(state));
	cr_expect_eq(cipher_context_sync(&other, &state, ENGINE_SEAL), -ENOENT);
	cipher_context_release(&other);
	cipher_context_release(&context);
	cipher_context_release(&context);
	cr_expect_null(context.engine);
}

/* An HMAC key that is too long to keep is as good as its hash (RFC 2104 2). */
Test(cipher, mac_key_lengths)
{
	static uint8_t mac_key[1024];
	static const size_t lens[] = {1, 20, 64, 65, 127, 128, 129, 1024};
	static const enum suite_id ids[] = {SUITE_AES_128_CBC_SHA1,
					    SUITE_AES_128_CBC_SHA256,
					    SUITE_AES_128_CBC_SHA384};
	const uint8_t aad[13] = {0, 0, 0, 0, 0, 0, 0, 1, 23, 3, 3, 0, 40};
	const uint8_t text[40] = "forty bytes of text, of any kind at all";
	struct iovec iov = {(void *)(uintptr_t)text, sizeof(text)};
	struct oracle_opened opened;
	uint8_t wire[256];

	setenv("KTLS_CIPHER", "auto", 1); /* only libcrypto has CBC */
	memset(mac_key, 'k', sizeof(mac_key));
	for (size_t i = 0; i < 3 * sizeof(lens) / sizeof(lens[0]); i++) {
		struct cipher_params p = params_of(ids[i % 3], TLS_V12);
		struct cipher_context context = {0};
		struct cipher_state state = {0};
		struct oracle o = {.row = oracle_find(p.suite->name, 3)};
		p.mac_key = mac_key;
		p.mac_key_len = o.mac_key_len = lens[i / 3];
		memcpy(o.key, p.key, p.suite->key_len);
		memcpy(o.mac_key, mac_key, lens[i / 3]);
		cr_assert_eq(cipher_set_key(&state, &context, &p, ENGINE_SEAL), 0);
		memcpy(wire, aad + 8, 4); /* type, version and a short length */
		memset(wire + 5, 9, 16);
		ssize_t n = context.engine->seal(context.memory, wire + 5, aad, 13, &iov,
						 1, wire + 21);
		cr_assert_gt(n, 0);
		wire[4] = (uint8_t)(n + 16);
		cr_expect_eq(oracle_open(&o, 1, wire, (size_t)n + 21, &opened), 40,
			     "%s MAC key of %zu", p.suite->name, lens[i / 3]);
		cipher_context_release(&context);
	}
}

static void
expect_no_engine(void)
{
	struct cipher_params p = params_of(SUITE_AES_128_GCM, TLS_V13);
	struct cipher_context context = {.generation = 9}, context_was = context;
	struct cipher_state state = {.seq = 5, .generation = 9}, was = state;

	errno = 1234;
	cr_expect_eq(cipher_set_key(&state, &context, &p, ENGINE_SEAL), -ENOENT);
	cr_expect_null(engine_for(p.suite->id));
	cr_expect_arr_eq(&state, &was, sizeof(state));
	cr_expect_arr_eq(&context, &context_was, sizeof(context));
	cr_expect_eq(errno, 1234);
}

Test(cipher, no_engine_directory)
{
	setenv("KTLS_ENGINE_DIR", "/nonexistent", 1);
	expect_no_engine();
}

Test(cipher, directory_name_too_long)
{
	char dir[5000];

	memset(dir, 'x', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	setenv("KTLS_ENGINE_DIR", dir, 1);
	expect_no_engine();
}

Test(cipher, no_such_engine)
{
	setenv("KTLS_CIPHER", "rot13", 1);
	expect_no_engine();
}

/* The directory holds only one of the engines: it serves all that it can. */
Test(cipher, one_engine_is_missing)
{
	char dir[] = "/tmp/ktls-test-XXXXXX", path[64], target[4096];
	const char *real = getenv("KTLS_ENGINE_DIR");
	const struct engine *engine;

	cr_assert_not_null(real);
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/engine_libcrypto.so", dir);
	snprintf(target, sizeof(target), "%s/engine_libcrypto.so", real);
	cr_assert_eq(symlink(target, path), 0);
	unsetenv("KTLS_CIPHER");
	setenv("KTLS_ENGINE_DIR", dir, 1);
	engine = engine_for(SUITE_AES_128_GCM);
	unlink(path);
	rmdir(dir);
	cr_assert_not_null(engine);
	cr_expect_str_eq(engine->name, "libcrypto");
}

Test(cipher, libcrypto_serves_every_suite)
{
	setenv("KTLS_CIPHER", "libcrypto", 1);
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		const struct engine *engine = engine_for(id);
		cr_assert_not_null(engine, "%s", suite_by_id(id)->name);
		cr_expect_str_eq(engine->name, "libcrypto");
	}
}
