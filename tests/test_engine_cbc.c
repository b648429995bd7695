/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine_cbc.c: CBC suites: which padding is right and which is not, and HMAC keys
 * of odd lengths.
 */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>

#include "engine_fixture.h"

TestSuite(engine_cbc, .init = load_engines);

Test(engine_cbc, opens_every_legal_padding)
{
	for (enum suite_id id = SUITE_AES_128_CBC_SHA1; id < SUITE_COUNT; id++) {
		const struct engine *e = engines[LIBCRYPTO];
		struct engine_key key = key_of(id);
		void *open = make_context(e, &key, ENGINE_OPEN);
		for (size_t len = 0; len <= 81; len++) {
			/* 81 stands for a full record. */
			size_t payload = len == 81 ? RECORD_MAX_PLAINTEXT : len;
			size_t least = CBC_BLOCK_LEN -
				       (payload + key.mac_key_len) % CBC_BLOCK_LEN;
			for (size_t more = 0; least + more <= 256; more += 16) {
				size_t total = oracle_body(id, payload, more,
							   key.mac_key_len, expected);
				cr_assert_eq(total,
					     payload + key.mac_key_len + least + more);
				check_open(e, open, true, payload, total);
			}
		}
		drop_context(e, open);
	}
}

/* AES-CBC of expected[] in place, which is all the reader's to make sense of. */
static void
encrypt_blocks(enum suite_id id, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher =
		suite_by_id(id)->key_len == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
	int n;

	cr_assert(EVP_EncryptInit_ex2(ctx, cipher, key_bytes, nonce, NULL));
	cr_assert(EVP_CIPHER_CTX_set_padding(ctx, 0));
	cr_assert(EVP_EncryptUpdate(ctx, expected, &n, expected, (int)len));
	cr_assert_eq(n, (int)len);
	EVP_CIPHER_CTX_free(ctx);
}

/* Fills expected[] with `len` payload bytes, their MAC and `padding` bytes; its length.
 */
static size_t
plain_record(enum suite_id id, size_t len, size_t padding)
{
	static const char *const digests[] = {"SHA1", "SHA256", "SHA384"};
	size_t mac_len = suite_by_id(id)->mac_len;
	const char *digest = digests[(mac_len > 20) + (mac_len > 32)];
	uint8_t text[13 + 256];

	make_aad(text, len);
	memcpy(text + 13, message, len);
	memcpy(expected, message, len);
	cr_assert_not_null(EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, mac_key_bytes,
				     mac_len, text, 13 + len, expected + len, mac_len,
				     NULL));
	memset(expected + len + mac_len, (int)padding - 1, padding);
	return len + mac_len + padding;
}

static void
check_wrong_padding(enum suite_id id, void *open, size_t len, size_t padding)
{
	size_t total = plain_record(id, len, padding);
	uint8_t aad[13];

	encrypt_blocks(id, total);
	check_open(engines[LIBCRYPTO], open, true, len, total);
	for (size_t i = 1; i <= padding; i++) {
		plain_record(id, len, padding);
		expected[total - i] ^= 0x80;
		encrypt_blocks(id, total);
		make_aad(aad, 0);
		cr_assert_eq(engines[LIBCRYPTO]->open(open, nonce, aad, 13, expected,
						      total, opened),
			     -EBADMSG, "suite %d, byte %zu of %zu", id, i, padding);
	}
	/* Padding that is said to be longer than the record, or to reach into the MAC. */
	for (size_t said = padding; said < 256; said++) {
		plain_record(id, len, padding);
		memset(expected + total - padding, (int)said, padding);
		encrypt_blocks(id, total);
		make_aad(aad, 0);
		cr_assert_eq(engines[LIBCRYPTO]->open(open, nonce, aad, 13, expected,
						      total, opened),
			     -EBADMSG, "suite %d, %zu said, %zu there", id, said,
			     padding);
	}
}

Test(engine_cbc, refuses_every_wrong_padding)
{
	for (enum suite_id id = SUITE_AES_128_CBC_SHA1; id < SUITE_COUNT; id++) {
		struct engine_key key = key_of(id);
		void *open = make_context(engines[LIBCRYPTO], &key, ENGINE_OPEN);
		for (size_t len = 0; len <= 32; len += 5) {
			size_t least =
				CBC_BLOCK_LEN - (len + key.mac_key_len) % CBC_BLOCK_LEN;
			check_wrong_padding(id, open, len, least);
			check_wrong_padding(id, open, len, least + 64);
		}
		drop_context(engines[LIBCRYPTO], open);
	}
}

Test(engine_cbc, takes_hmac_keys_of_any_length)
{
	static const size_t key_lens[] = {0, 1, 20, 64, 65, 128, 129, 1024};

	for (enum suite_id id = SUITE_AES_128_CBC_SHA1; id < SUITE_COUNT; id++)
		for (size_t i = 0; i < sizeof(key_lens) / sizeof(*key_lens); i++) {
			const struct engine *e = engines[LIBCRYPTO];
			struct engine_key key = key_of(id);
			uint8_t folded[SUITE_MAX_MAC_KEY];
			void *seal, *open;
			size_t total;
			key.mac_key_len = (uint8_t)key_lens[i];
			if (key_lens[i] > SUITE_MAX_MAC_KEY) {
				ssize_t n = e->fold_mac_key(id, mac_key_bytes,
							    key_lens[i], folded);
				cr_assert_eq(n, suite_by_id(id)->mac_len);
				key.mac_key_len = (uint8_t)n;
				key.mac_key = folded;
			}
			total = oracle_body(id, 100, 0, key_lens[i], expected);
			seal = make_context(e, &key, ENGINE_SEAL);
			open = make_context(e, &key, ENGINE_OPEN);
			check_seal(e, seal, 100, total);
			check_open(e, open, true, 100, total);
			drop_context(e, seal);
			drop_context(e, open);
		}
}
