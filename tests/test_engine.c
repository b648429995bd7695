/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine.c: the crypto engines against published vectors, against the oracle, and in
 * the company of each other.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/err.h>

#include "engine_fixture.h"

static const size_t lengths[] = {0, 1, 15, 16, 17, 255, 256, 1023, 4096, 16383, 16384};
#define LENGTHS (sizeof(lengths) / sizeof(*lengths))

TestSuite(engine, .init = load_engines);

/* ---- published vectors ---- */

struct vector {
	enum suite_id suite;
	const char *key, *nonce, *aad, *plaintext, *ciphertext, *tag;
};

#define GCM_PLAINTEXT                                                            \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c" \
	"95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define SM4_PLAINTEXT                                                      \
	"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd" \
	"eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
#define ARIA_PLAINTEXT                                                     \
	"f57af5fd4ae19562976ec57a5a7ad55a5af5c5e5c5fdf5c55ad57a4a7272d572" \
	"62e9729566ed66e97ac54a4a5a7ad5e15ae5fdd5fd5ac5d56ae56ad5c572d54a" \
	"e54ac55a956afd6aed5a4ac562957a9516991691d572fd14e97ae962ed7a9f4a" \
	"955af572e162f57a956666e17ae1f54a95f566d54a66e16e4afd6a9f7ae1c5c5" \
	"5ae5d56afde916c5e94a6ec56695e14afde1148416e94ad57ac5146ed59d1cc5"
#define ARIA_NONCE "000020e8f5eb00000000315e"
#define ARIA_AAD   "8008315ebf2e6fe020e8f5eb"

static const struct vector vectors[] = {
	/* The Galois/Counter Mode of Operation (McGrew, Viega), cases 1, 4, 13 and 16. */
	{SUITE_AES_128_GCM, "00000000000000000000000000000000",
	 "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{SUITE_AES_128_GCM, "feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", GCM_AAD, GCM_PLAINTEXT,
	 "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	 "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	 "5bc94fbc3221a5db94fae95ae7121a47"},
	{SUITE_AES_256_GCM,
	 "0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{SUITE_AES_256_GCM,
	 "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	 "cafebabefacedbaddecaf888", GCM_AAD, GCM_PLAINTEXT,
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
	/* RFC 8439 2.8.2. */
	{SUITE_CHACHA20_POLY1305,
	 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	 "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
	 "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
	 "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
	 "637265656e20776f756c642062652069742e",
	 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	 "3ff4def08e4b7a9de576d26586cec64b6116",
	 "1ae10b594f09e26a7e902ecbd0600691"},
	/* NIST and RFC 3610 publish none with a 12-byte nonce and a 16-byte tag for this
	 * key length; this one was made with OpenSSL 4.0. */
	{SUITE_AES_128_CCM, "404142434445464748494a4b4c4d4e4f",
	 "101112131415161718191a1b", "000102030405060708090a0b0c",
	 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	 "4041424344454647",
	 "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5541bd1d416fa0ce3"
	 "ec37af206e6278ae",
	 "c647d9c392286b12b7a89852a34a62d8"},
	/* RFC 8998 A.1 and A.2. */
	{SUITE_SM4_GCM, "0123456789abcdeffedcba9876543210", "00001234567800000000abcd",
	 GCM_AAD, SM4_PLAINTEXT,
	 "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
	 "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
	 "83de3541e4c2b58177e065a9bf7b62ec"},
	{SUITE_SM4_CCM, "0123456789abcdeffedcba9876543210", "00001234567800000000abcd",
	 GCM_AAD, SM4_PLAINTEXT,
	 "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094"
	 "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b",
	 "16842d4fa186f56ab33256971fa110f4"},
	/* RFC 8269 A.1. */
	{SUITE_ARIA_128_GCM, "e91e5e75da65554a48181f3846349562", ARIA_NONCE, ARIA_AAD,
	 ARIA_PLAINTEXT,
	 "4d8a9a0675550c704b17d8c9ddc81a5cd6f7da34f2fe1b3db7cb3dfb9697102e"
	 "a0f3c1fc2dbc873d44bceeae8e4442974ba21ff6789d3272613fb9631a7cf3f1"
	 "4bacbeb421633a90ffbe58c2fa6bdca534f10d0de0502ce1d531b6336e588782"
	 "78531e5c22bc6c85bbd784d78d9e680aa19031aaf89101d669d7a3965c1f7e16"
	 "229d7463e0535f4e253f5d18187d40b8ae0f564bd970b5e7e2adfb211e89a953",
	 "5abace3f37f5a736f4be984bbffbedc1"},
	{SUITE_ARIA_256_GCM,
	 "0c5ffd37a11edc42c325287fc0604f2e3e8cd5671a00fe3216aa5eb105783b54", ARIA_NONCE,
	 ARIA_AAD, ARIA_PLAINTEXT,
	 "6f9e4bcbc8c85fc0128fb1e4a0a20cb9932ff74581f54fc013dd054b19f99371"
	 "425b352d97d3f337b90b63d1b082adeeea9d2d7391897d591b985e55fb50cb53"
	 "50cf7d38dc27dda127c078a149c8eb98083d66363a46e3726af217d3a00275ad"
	 "5bf772c7610ea4c23006878f0ee69a8397703169a419303f40b72e4573714d19"
	 "e2697df61e7c7252e5abc6bade876ac4961bfac4d5e867afca351a48aed52822",
	 "e210d6ced2cf430ff841472915e7ef48"},
};

static void
check_vector(const struct engine *e, const struct vector *v)
{
	uint8_t key[SUITE_MAX_KEY], iv[16], aad[32];
	uint8_t plaintext[256], ciphertext[256], out[256];
	size_t len = oracle_unhex(v->plaintext, plaintext);
	size_t aad_len = oracle_unhex(v->aad, aad);
	struct engine_key k = {.suite = v->suite, .version = TLS_V12, .key = key};
	struct iovec iov = {plaintext, len};
	ssize_t total = (ssize_t)(len + AEAD_TAG_LEN);
	void *seal, *open;

	oracle_unhex(v->key, key);
	oracle_unhex(v->nonce, iv);
	oracle_unhex(v->ciphertext, ciphertext);
	oracle_unhex(v->tag, ciphertext + len);
	seal = make_context(e, &k, ENGINE_SEAL);
	open = make_context(e, &k, ENGINE_OPEN);
	/* The key is not to be needed after init. */
	memset(key, 0, sizeof(key));
	cr_assert_eq(e->seal(seal, iv, aad, aad_len, &iov, 1, out), total);
	cr_assert_arr_eq(out, ciphertext, (size_t)total, "%s suite %d", e->name,
			 v->suite);
	cr_assert_eq(e->open(open, iv, aad, aad_len, out, (size_t)total, out),
		     (ssize_t)len);
	cr_assert_arr_eq(out, plaintext, len, "%s suite %d", e->name, v->suite);
	drop_context(e, seal);
	drop_context(e, open);
}

Test(engine, gives_what_the_standards_print)
{
	unsigned int checked = 0; /* bit mask of suites */

	for (int i = 0; i < engine_count; i++)
		for (size_t j = 0; j < sizeof(vectors) / sizeof(*vectors); j++) {
			if (engines[i]->context_size(vectors[j].suite) == 0)
				continue;
			check_vector(engines[i], &vectors[j]);
			checked |= 1u << vectors[j].suite;
		}
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		if (!suite_is_cbc(suite_by_id(id)))
			cr_assert(checked & 1u << id, "%s", suite_by_id(id)->name);
}

/* ---- the oracle's records ---- */

Test(engine, agrees_with_the_oracle)
{
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		bool cbc = suite_is_cbc(suite_by_id(id));
		struct engine_key key = key_of(id);
		for (size_t i = 0; i < LENGTHS; i++) {
			size_t total;
			uint8_t aad[13];
			make_aad(aad, lengths[i]);
			total = oracle_body(id, lengths[i], 0, key.mac_key_len, expected);
			for (int j = 0; j < engine_count; j++) {
				const struct engine *e = engines[j];
				void *seal, *open;
				if (e->context_size(id) == 0)
					continue;
				seal = make_context(e, &key, ENGINE_SEAL);
				open = make_context(e, &key, ENGINE_OPEN);
				check_seal(e, seal, lengths[i], total);
				check_open(e, open, cbc, lengths[i], total);
				drop_context(e, seal);
				drop_context(e, open);
			}
		}
	}
}

/* TLS 1.3 has an AAD of five bytes (RFC 8446 5.2). */
Test(engine, takes_the_short_aad_and_fresh_nonces)
{
	static const uint8_t aad13[] = {23, 3, 3, 0, 33};
	uint8_t aad[5], iv[NONCE_LEN];

	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		for (int j = 0; j < engine_count; j++) {
			const struct engine *e = engines[j];
			struct engine_key key = key_of(id);
			void *seal, *open;
			if (suite_is_cbc(suite_by_id(id)) || e->context_size(id) == 0)
				continue;
			seal = make_context(e, &key, ENGINE_SEAL);
			open = make_context(e, &key, ENGINE_OPEN);
			for (uint8_t n = 0; n < 4; n++) {
				struct iovec iov = {message, 17};
				memcpy(iv, nonce, sizeof(iv));
				memcpy(aad, aad13, sizeof(aad));
				iv[11] ^= n;
				cr_assert(
					oracle_aead(oracle_find(suite_by_id(id)->name, 3),
						    key_bytes, iv, aad, 5, message, 17,
						    true, expected, expected + 17));
				cr_assert_eq(e->seal(seal, iv, aad, 5, &iov, 1, sealed),
					     33);
				cr_assert_arr_eq(sealed, expected, 33, "%s suite %d",
						 e->name, id);
				cr_assert_eq(
					e->open(open, iv, aad, 5, sealed, 33, opened),
					17);
			}
			drop_context(e, seal);
			drop_context(e, open);
		}
}

/* ---- what must be refused ---- */

/* Opens a copy of expected[] after flipping one bit of `byte`. */
static void
check_flip(const struct engine *e, void *open, uint8_t *byte, uint8_t bit, size_t len,
	   size_t total)
{
	uint8_t aad[13];

	make_aad(aad, len);
	*byte ^= bit;
	cr_assert_eq(e->open(open, nonce, aad, 13, expected, total, opened), -EBADMSG,
		     "%s: %zu bytes in %zu", e->name, len, total);
	*byte ^= bit;
}

static void
check_tampering(const struct engine *e, enum suite_id id, size_t len)
{
	bool cbc = suite_is_cbc(suite_by_id(id));
	size_t step = cbc ? CBC_BLOCK_LEN : 1;
	size_t shortest =
		cbc ? (suite_by_id(id)->mac_len / step + 1) * step : AEAD_TAG_LEN;
	struct engine_key key = key_of(id);
	void *open = make_context(e, &key, ENGINE_OPEN);
	size_t total = oracle_body(id, len, 0, key.mac_key_len, expected);
	uint8_t aad[13];

	for (size_t i = 0; i < total; i++)
		check_flip(e, open, expected + i, (uint8_t)(1 << i % 8), len, total);
	/* A CBC IV reaches the first block, which here is all message or MAC. */
	for (size_t i = 0; i < NONCE_LEN; i++)
		check_flip(e, open, nonce + i, 0x10, len, total);
	/* The last two AAD bytes of CBC are the engine's to fill in. */
	for (size_t i = 0; i < (cbc ? 11 : 13); i++) {
		make_aad(aad, len);
		aad[i] ^= 1;
		cr_assert_eq(e->open(open, nonce, aad, 13, expected, total, opened),
			     -EBADMSG);
	}
	/* Cut short, to any length that the caller may pass. */
	for (size_t n = shortest; n < total; n += step) {
		make_aad(aad, len);
		cr_assert_eq(e->open(open, nonce, aad, 13, expected, n, opened),
			     -EBADMSG);
	}
	/* And the context still works. */
	check_open(e, open, cbc, len, total);
	drop_context(e, open);
}

Test(engine, refuses_any_changed_byte)
{
	static const size_t some[] = {0, 1, 17, 255};

	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		for (int j = 0; j < engine_count; j++)
			for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
				if (engines[j]->context_size(id) != 0)
					check_tampering(engines[j], id, some[i]);
	/* The program's own OpenSSL error queue is none of the engine's. */
	cr_assert_eq(ERR_peek_error(), 0ul);
}

Test(engine, keeps_nothing_after_wipe_and_refuses_what_it_lacks)
{
	static const uint8_t zero[4096];
	uint8_t folded[SUITE_MAX_MAC_KEY];

	for (int j = 0; j < engine_count; j++) {
		const struct engine *e = engines[j];
		cr_assert_eq(e->context_size(SUITE_NONE), 0u);
		cr_assert_eq(
			e->fold_mac_key(SUITE_AES_128_GCM, mac_key_bytes, 200, folded),
			-EOPNOTSUPP);
		for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
			struct engine_key key = key_of(id);
			size_t size = e->context_size(id);
			void *context = NULL;
			cr_assert_leq(size, sizeof(zero));
			if (size == 0) {
				cr_assert_eq(e->init(opened, &key, ENGINE_OPEN),
					     -EOPNOTSUPP);
				continue;
			}
			context = make_context(e, &key, ENGINE_SEAL);
			e->wipe(context);
			cr_assert_arr_eq(context, zero, size);
			free(context);
		}
	}
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		cr_assert_gt(engines[LIBCRYPTO]->context_size(id), 0u,
			     "libcrypto lacks %s", suite_by_id(id)->name);
}

/* ---- in the company of others ---- */

struct worker {
	const struct engine *engine;
	enum suite_id suite;
	size_t mistakes;
};

static void *
work(void *argument)
{
	struct worker *w = argument;
	const struct engine *e = w->engine;
	struct engine_key key = key_of(w->suite);
	uint8_t *first = malloc((size_t)2 * BUFFER_LEN), *again = first + BUFFER_LEN;
	void *seal = make_context(e, &key, ENGINE_SEAL);
	void *open = make_context(e, &key, ENGINE_OPEN);
	struct iovec iov = {message, 1000};
	uint8_t aad[13];
	ssize_t total;

	make_aad(aad, 1000);
	total = e->seal(seal, nonce, aad, 13, &iov, 1, first);
	for (int i = 0; i < 200; i++) {
		if (e->seal(seal, nonce, aad, 13, &iov, 1, again) != total ||
		    memcmp(first, again, (size_t)total) != 0 ||
		    e->open(open, nonce, aad, 13, again, (size_t)total, again) != 1000 ||
		    memcmp(again, message, 1000) != 0)
			w->mistakes++;
	}
	drop_context(e, seal);
	drop_context(e, open);
	free(first);
	return NULL;
}

Test(engine, serves_several_threads_at_once)
{
	pthread_t threads[2 * SUITE_COUNT];
	struct worker workers[2 * SUITE_COUNT];
	int n = 0;

	for (int j = 0; j < engine_count; j++)
		for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
			if (engines[j]->context_size(id) == 0)
				continue;
			workers[n] = (struct worker){engines[j], id, 0};
			cr_assert_eq(pthread_create(&threads[n], NULL, work, &workers[n]),
				     0);
			n++;
		}
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_eq(workers[i].mistakes, 0u, "%s, %s", workers[i].engine->name,
			     suite_by_id(workers[i].suite)->name);
	}
}
