/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_fixture.c: loads the engines and checks one record at a time.
 */
#include "engine_fixture.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

enum {
	MAX_PIECES = 8,
	CBC_HLEN = 21, /* header and IV of an oracle's TLS 1.2 record */
	UNTOUCHED = 0xaa,
};

const struct engine *engines[2];
int engine_count;

uint8_t key_bytes[SUITE_MAX_KEY];
uint8_t mac_key_bytes[1024];
uint8_t nonce[CBC_BLOCK_LEN];
uint8_t message[BUFFER_LEN];
uint8_t expected[BUFFER_LEN];
uint8_t sealed[BUFFER_LEN];
uint8_t opened[BUFFER_LEN];

static void
load_engine(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	cr_assert_not_null(object, "%s", dlerror());
	engines[engine_count] = dlsym(object, KTLS_ENGINE_SYMBOL);
	cr_assert_not_null(engines[engine_count], "%s", path);
	cr_assert_eq(engines[engine_count]->abi, KTLS_ENGINE_ABI);
	engine_count++;
}

void
load_engines(void)
{
	load_engine(ENGINE_LIBCRYPTO_PATH);
#ifdef ENGINE_IPSEC_MB_PATH
	load_engine(ENGINE_IPSEC_MB_PATH);
#endif
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(mac_key_bytes); i++)
		mac_key_bytes[i] = (uint8_t)(i * 5 + 2);
	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(i * 3 + 3);
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 13 + i / 251);
}

void *
make_context(const struct engine *e, const struct engine_key *key,
	     enum engine_direction dir)
{
	size_t size = e->context_size(key->suite);
	void *context;

	cr_assert_gt(size, 0u);
	size = (size + KTLS_ENGINE_ALIGN - 1) / KTLS_ENGINE_ALIGN * KTLS_ENGINE_ALIGN;
	context = aligned_alloc(KTLS_ENGINE_ALIGN, size);
	cr_assert_not_null(context);
	cr_assert_eq(e->init(context, key, dir), 0);
	return context;
}

void
drop_context(const struct engine *e, void *context)
{
	e->wipe(context);
	free(context);
}

struct engine_key
key_of(enum suite_id suite)
{
	return (struct engine_key){
		.suite = suite,
		.version = TLS_V12,
		.mac_key_len = suite_by_id(suite)->mac_len,
		.key = key_bytes,
		.mac_key = mac_key_bytes,
	};
}

void
make_aad(uint8_t aad[13], size_t len)
{
	static const uint8_t start[] = {1, 2, 3, 4, 5, 6, 7, 8, 23, 3, 3};

	memcpy(aad, start, sizeof(start));
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
}

/* How the pieces of a message lie in memory. */
enum placement {
	ELSEWHERE,
	IN_PLACE,
	MIXED,
	PLACEMENTS,
};

/* Cuts `message` at odd places, the first pieces being empty when there is little. */
static void
cut(size_t len, int count, enum placement placement, uint8_t *out,
    struct iovec iov[MAX_PIECES])
{
	size_t from = 0;

	memset(out, UNTOUCHED, BUFFER_LEN);
	for (int i = 0; i < count; i++) {
		size_t to = i == count - 1 ? len : len * (size_t)(i + 1) / (size_t)count;
		bool in_place = placement == IN_PLACE || (placement == MIXED && i % 2);
		if (i < count - 1 && to > 0)
			to = to > from ? (to - 1) | 1 : to;
		if (to > len)
			to = len;
		if (in_place)
			memcpy(out + from, message + from, to - from);
		iov[i] = (struct iovec){(in_place ? out : message) + from, to - from};
		from = to;
	}
}

static bool
untouched(const uint8_t *buffer, size_t from)
{
	while (from < BUFFER_LEN)
		if (buffer[from++] != UNTOUCHED)
			return false;
	return true;
}

size_t
oracle_body(enum suite_id suite, size_t len, size_t padding, size_t mac_key_len,
	    uint8_t *body)
{
	static uint8_t wire[BUFFER_LEN];
	const struct oracle_row *row = oracle_find(suite_by_id(suite)->name, 3);
	struct oracle o = {.row = row, .mac_key_len = mac_key_len};
	struct oracle_record r = {
		.seq = 0x0102030405060708, /* as in make_aad() */
		.type = 23,
		.payload = message,
		.len = len,
		.padding = padding,
	};

	cr_assert_not_null(row);
	if (!suite_is_cbc(suite_by_id(suite))) {
		uint8_t aad[13];
		make_aad(aad, len);
		cr_assert(oracle_aead(row, key_bytes, nonce, aad, 13, message, len, true,
				      body, body + len));
		return len + AEAD_TAG_LEN;
	}
	memcpy(o.key, key_bytes, sizeof(o.key));
	memcpy(o.mac_key, mac_key_bytes, mac_key_len);
	memcpy(r.explicit_iv, nonce, sizeof(r.explicit_iv));
	len = oracle_build(&o, &r, wire);
	memcpy(body, wire + CBC_HLEN, len - CBC_HLEN);
	return len - CBC_HLEN;
}

void
check_seal(const struct engine *e, void *context, size_t len, size_t total)
{
	struct iovec iov[MAX_PIECES];
	uint8_t aad[13];

	make_aad(aad, len);
	for (int pieces = 1; pieces <= MAX_PIECES; pieces++)
		for (int placement = 0; placement < PLACEMENTS; placement++) {
			cut(len, pieces, (enum placement)placement, sealed, iov);
			cr_assert_eq(
				e->seal(context, nonce, aad, 13, iov, pieces, sealed),
				(ssize_t)total);
			cr_assert_arr_eq(sealed, expected, total,
					 "%s: %zu bytes in %d pieces, placement %d",
					 e->name, len, pieces, placement);
			cr_assert(untouched(sealed, total), "%s: %zu bytes", e->name,
				  len);
		}
}

void
check_open(const struct engine *e, void *context, bool cbc, size_t len, size_t total)
{
	uint8_t aad[13], want_aad[13];

	for (int in_place = 0; in_place < 2; in_place++) {
		const uint8_t *in = in_place ? opened : expected;
		make_aad(want_aad, len);
		make_aad(aad, cbc ? 0xffff : len);
		memset(opened, UNTOUCHED, sizeof(opened));
		if (in_place)
			memcpy(opened, expected, total);
		cr_assert_eq(e->open(context, nonce, aad, 13, in, total, opened),
			     (ssize_t)len, "%s: %zu of %zu bytes", e->name, len, total);
		cr_assert_arr_eq(opened, message, len, "%s: %zu bytes", e->name, len);
		cr_assert_arr_eq(aad, want_aad, 13);
		cr_assert(untouched(opened, cbc || in_place ? total : len));
	}
}
