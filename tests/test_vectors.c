/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vectors.c: published records and AEAD vectors, for the codec and for the oracle
 * that judges it elsewhere.
 */
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>

#include "oracle.h"
#include "record_rx.h"
#include "record_tx.h"

/* RFC 8448 3, "Simple 1-RTT Handshake": TLS_AES_128_GCM_SHA256, application keys. */
#define CLIENT_KEY "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"
#define SERVER_KEY "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"
#define FIFTY                                                              \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
	"202122232425262728292a2b2c2d2e2f3031"

static const struct {
	const char *key, *iv;
	uint64_t seq;
	uint8_t type;
	const char *payload, *record;
} rfc8448[] = {
	{CLIENT_KEY, 0, 23, FIFTY,
	 "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b"
	 "9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aee"
	 "bb21694915e4"},
	{SERVER_KEY, 1, 23, FIFTY,
	 "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e3"
	 "0efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd0"
	 "32e167c2955d"},
	{CLIENT_KEY, 1, 21, "0100", "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"},
	{SERVER_KEY, 2, 21, "0100", "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"},
};

Test(vectors, rfc8448_records)
{
	uint8_t key[16], iv[12], payload[64], record[128], out[128], type;
	struct cipher_params params = {
		.suite = suite_by_id(SUITE_AES_128_GCM),
		.version = TLS_V13,
		.key = key,
		.iv = iv,
		.iv_len = sizeof(iv),
	};

	for (size_t i = 0; i < sizeof(rfc8448) / sizeof(rfc8448[0]); i++) {
		struct cipher_state state = {0};
		struct cipher_context context = {0};
		oracle_unhex(rfc8448[i].key, key);
		oracle_unhex(rfc8448[i].iv, iv);
		size_t len = oracle_unhex(rfc8448[i].payload, payload);
		size_t total = oracle_unhex(rfc8448[i].record, record);
		struct iovec iov = {payload, len};
		params.seq = rfc8448[i].seq;
		cr_assert_eq(cipher_set_key(&state, &context, &params, ENGINE_SEAL), 0);
		ssize_t n =
			record_seal(&state, &context, rfc8448[i].type, &iov, 1, len, out);
		cr_assert_eq(n, (ssize_t)total);
		cr_expect_arr_eq(out, record, total, "row %zu", i);
		cr_assert_eq(cipher_set_key(&state, &context, &params, ENGINE_OPEN), 0);
		n = record_open(&state, &context, record, (uint32_t)total, out, &type);
		cr_assert_eq(n, (ssize_t)len, "row %zu: %zd", i, n);
		cr_expect_arr_eq(out, payload, len);
		cr_expect_eq(type, rfc8448[i].type);
		cipher_context_release(&context);
	}
}

#define GCM_TEXT                                                           \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SM4_TEXT                                                           \
	"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd" \
	"eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define SM4_KEY "0123456789abcdeffedcba9876543210"
#define AAD     "feedfacedeadbeeffeedfacedeadbeefabaddad2"

/* McGrew and Viega's GCM test cases 4 and 16, RFC 8998 A.1 and A.2. */
static const struct {
	const char *suite, *key, *nonce, *text, *ciphertext, *tag;
} aeads[] = {
	{"AES-128-GCM", GCM_KEY, "cafebabefacedbaddecaf888", GCM_TEXT,
	 "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	 "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	 "5bc94fbc3221a5db94fae95ae7121a47"},
	{"AES-256-GCM", GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888", GCM_TEXT,
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
	{"SM4-GCM", SM4_KEY, "00001234567800000000abcd", SM4_TEXT,
	 "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
	 "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
	 "83de3541e4c2b58177e065a9bf7b62ec"},
	{"SM4-CCM", SM4_KEY, "00001234567800000000abcd", SM4_TEXT,
	 "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094"
	 "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b",
	 "16842d4fa186f56ab33256971fa110f4"},
};

Test(vectors, oracle_aeads)
{
	uint8_t key[32], nonce[12], aad[20], text[64], wanted[64], tag[16];
	uint8_t out[64], made[16];

	for (size_t i = 0; i < sizeof(aeads) / sizeof(aeads[0]); i++) {
		const struct oracle_row *row = oracle_find(aeads[i].suite, 3);
		oracle_unhex(aeads[i].key, key);
		oracle_unhex(aeads[i].nonce, nonce);
		oracle_unhex(AAD, aad);
		oracle_unhex(aeads[i].ciphertext, wanted);
		oracle_unhex(aeads[i].tag, tag);
		size_t len = oracle_unhex(aeads[i].text, text);
		oracle_aead(row, key, nonce, aad, 20, text, len, true, out, made);
		cr_expect_arr_eq(out, wanted, len, "row %zu", i);
		cr_expect_arr_eq(made, tag, 16, "row %zu", i);
		cr_expect(oracle_aead(row, key, nonce, aad, 20, wanted, len, false, out,
				      tag));
		cr_expect_arr_eq(out, text, len, "row %zu", i);
		tag[15] ^= 1;
		cr_expect_not(oracle_aead(row, key, nonce, aad, 20, wanted, len, false,
					  out, tag));
	}
}

/* What OpenSSL makes of it with its own mode; CCM wants lengths and tag size first. */
static void
openssl_seal(const char *name, bool ccm, const uint8_t *key, const uint8_t nonce[12],
	     const uint8_t *aad, const uint8_t *text, int len, uint8_t *out,
	     uint8_t tag[16])
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	cr_assert_not_null(cipher, "%s", name);
	cr_assert(EVP_EncryptInit_ex2(ctx, cipher, NULL, NULL, NULL));
	cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL));
	if (ccm)
		cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, NULL));
	cr_assert(EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL));
	if (ccm)
		cr_assert(EVP_EncryptUpdate(ctx, NULL, &n, NULL, len));
	cr_assert(EVP_EncryptUpdate(ctx, NULL, &n, aad, 13));
	cr_assert(EVP_EncryptUpdate(ctx, out, &n, text, len));
	cr_assert(EVP_EncryptFinal_ex(ctx, out + n, &n));
	cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag));
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

Test(vectors, oracle_modes_are_openssls)
{
	static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "AES-128-CCM",
					    "ARIA-128-GCM", "ARIA-256-GCM"};
	static const int lens[] = {1, 15, 16, 17, 255, 16384};
	static uint8_t text[16384], out[16384], wanted[16384 + 16];
	uint8_t key[32], nonce[12], tag[16], wanted_tag[16];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * i);
	memcpy(key, text + 1, sizeof(key));
	memcpy(nonce, text + 100, sizeof(nonce));
	for (size_t i = 0; i < 5; i++) {
		const struct oracle_row *row = oracle_find(names[i], 3);
		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			openssl_seal(names[i], row->mode == ORACLE_CCM, key, nonce,
				     text + 50, text, lens[l], wanted, wanted_tag);
			oracle_aead(row, key, nonce, text + 50, 13, text, (size_t)lens[l],
				    true, out, tag);
			cr_expect_arr_eq(out, wanted, (size_t)lens[l], "%s %d", names[i],
					 lens[l]);
			cr_expect_arr_eq(tag, wanted_tag, 16, "%s %d", names[i], lens[l]);
		}
	}
}
