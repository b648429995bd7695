/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_libcrypto_cbc.c: AES-CBC with HMAC, MAC then encrypt (RFC 5246 6.2.3.2).
 */
#include "engine_libcrypto.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/prov_ssl.h>

#define MAX_HASH_LEN   48 /* SHA-384 */
#define MAX_HASH_BLOCK 128

struct hash {
	size_t len;
	size_t block; /* bytes that it takes at a time */
	void (*init)(union hash_state *state);
	void (*update)(union hash_state *state, const void *data, size_t len);
	void (*final)(union hash_state *state, uint8_t *digest);
};

#define HASH(NAME, PREFIX, LEN, BLOCK)                                                   \
	static void NAME##_init(union hash_state *state)                                 \
	{                                                                                \
		PREFIX##_Init(&state->NAME);                                             \
	}                                                                                \
	static void NAME##_update(union hash_state *state, const void *data, size_t len) \
	{                                                                                \
		PREFIX##_Update(&state->NAME, data, len);                                \
	}                                                                                \
	static void NAME##_final(union hash_state *state, uint8_t *digest)               \
	{                                                                                \
		PREFIX##_Final(digest, &state->NAME);                                    \
	}                                                                                \
	static const struct hash NAME = {LEN, BLOCK, NAME##_init, NAME##_update,         \
					 NAME##_final}

HASH(sha1, SHA1, 20, 64);
HASH(sha256, SHA256, 32, 64);
HASH(sha384, SHA384, 48, 128);

static const struct hash *
hash_of(const EVP_MD *digest)
{
	int len = EVP_MD_get_size(digest);

	return len == 20 ? &sha1 : len == 32 ? &sha256 : &sha384;
}

/*
 * libcrypto adds, and in constant time removes, TLS padding and MAC. It is told TLS 1.0
 * whatever the version is: from 1.1 on it would take the first block for the explicit IV,
 * and ours arrives as the nonce.
 */
static bool
cbc_setup_cipher(struct context *c, const struct engine_key *key)
{
	unsigned int version = TLS1_VERSION;
	size_t mac_len = c->hash->len;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_TLS_VERSION, &version),
		OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_TLS_MAC_SIZE, &mac_len),
		OSSL_PARAM_construct_end(),
	};

	c->cipher = keyed_cipher(c->algorithm->cipher, key->key, c->encrypt);
	return c->cipher != NULL && EVP_CIPHER_CTX_set_params(c->cipher, params) == 1;
}

static bool
cbc_setup_hmac(struct context *c, const uint8_t *key, size_t len)
{
	const char *digest = EVP_MD_get0_name(c->algorithm->digest);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_construct_end(),
	};

	c->hmac = EVP_MAC_CTX_new(c->algorithm->hmac);
	return c->hmac != NULL && EVP_MAC_init(c->hmac, key, len, params) == 1;
}

static void
cbc_setup_hash(struct context *c, const uint8_t *key, size_t len)
{
	uint8_t pad[MAX_HASH_BLOCK];

	for (size_t i = 0; i < c->hash->block; i++)
		pad[i] = (i < len ? key[i] : 0) ^ 0x36;
	c->hash->init(&c->inner);
	c->hash->update(&c->inner, pad, c->hash->block);
	for (size_t i = 0; i < c->hash->block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	c->hash->init(&c->outer);
	c->hash->update(&c->outer, pad, c->hash->block);
	OPENSSL_cleanse(pad, sizeof(pad));
}

static bool
cbc_setup(struct context *c, const struct engine_key *key)
{
	uint8_t mac_key[MAX_HASH_BLOCK] = {0};
	size_t len = key->mac_key_len;
	bool ok = true;

	c->hash = hash_of(c->algorithm->digest);
	/* libcrypto's constant-time HMAC takes no key longer than the hash's block. */
	if (len > c->hash->block) {
		ok = EVP_Digest(key->mac_key, len, mac_key, NULL, c->algorithm->digest,
				NULL) == 1;
		len = c->hash->len;
	} else if (len != 0) {
		memcpy(mac_key, key->mac_key, len);
	}
	ok = ok && cbc_setup_cipher(c, key);
	if (c->encrypt)
		cbc_setup_hash(c, mac_key, len);
	else
		ok = ok && cbc_setup_hmac(c, mac_key, len);
	OPENSSL_cleanse(mac_key, sizeof(mac_key));
	return ok;
}

/* HMAC of `aad` and `data`. */
static void
cbc_mac(const struct context *c, const uint8_t *aad, size_t aad_len, const uint8_t *data,
	size_t len, uint8_t *mac)
{
	union hash_state state = c->inner;
	uint8_t inner[MAX_HASH_LEN];

	c->hash->update(&state, aad, aad_len);
	c->hash->update(&state, data, len);
	c->hash->final(&state, inner);
	state = c->outer;
	c->hash->update(&state, inner, c->hash->len);
	c->hash->final(&state, mac);
	OPENSSL_cleanse(&state, sizeof(state));
}

static ssize_t
cbc_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	 const struct iovec *iov, int iovcnt, uint8_t *out)
{
	size_t len = gather(iov, iovcnt, out);
	int written;

	cbc_mac(c, aad, aad_len, out, len, out + len);
	len += c->hash->len;
	if (!restart(c, c->cipher, nonce) ||
	    !EVP_CipherUpdate(c->cipher, out, &written, out, (int)len))
		return -EIO;
	return written;
}

/* The MAC that a record of `record_len` bytes, padding and all, should have had, in time
 * that does not depend on `len`. A context of this kind serves one record, hence the
 * copy. */
static bool
cbc_expected_mac(struct context *c, const uint8_t *aad, size_t aad_len,
		 const uint8_t *data, size_t len, size_t record_len, uint8_t *mac)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_TLS_DATA_SIZE, &record_len),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *hmac = EVP_MAC_CTX_dup(c->hmac);
	size_t mac_len;
	bool ok;

	ok = hmac != NULL && EVP_MAC_CTX_set_params(hmac, params) &&
	     EVP_MAC_update(hmac, aad, aad_len) && EVP_MAC_update(hmac, data, len) &&
	     EVP_MAC_final(hmac, mac, &mac_len, MAX_HASH_LEN);
	EVP_MAC_CTX_free(hmac);
	return ok;
}

/*
 * libcrypto allocates here, and draws a random MAC to compare with when the padding is
 * wrong (RFC 5246 6.2.3.2): of all that seal and open do, this alone is unfit for a
 * signal handler. After OPENSSL_cleanup() there is no random generator, nor then an open.
 */
static ssize_t
cbc_open(struct context *c, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
	 const uint8_t *in, size_t in_len, uint8_t *out)
{
	uint8_t expected[MAX_HASH_LEN];
	uint8_t *mac = NULL; /* the cipher context's own, until its next record */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_TLS_MAC, (void **)&mac,
					       c->hash->len),
		OSSL_PARAM_construct_end(),
	};
	int len;

	if (!OPENSSL_init_crypto(0, NULL))
		return -EBADMSG;
	if (in != out)
		memcpy(out, in, in_len);
	if (!restart(c, c->cipher, nonce) ||
	    !EVP_CipherUpdate(c->cipher, out, &len, out, (int)in_len) ||
	    !EVP_CIPHER_CTX_get_params(c->cipher, params) || mac == NULL)
		return -EBADMSG;
	aad[aad_len - 2] = (uint8_t)(len >> 8);
	aad[aad_len - 1] = (uint8_t)len;
	if (!cbc_expected_mac(c, aad, aad_len, out, (size_t)len, in_len, expected) ||
	    CRYPTO_memcmp(mac, expected, c->hash->len) != 0)
		return -EBADMSG;
	return len;
}

const struct mode cbc_mode = {cbc_setup, cbc_seal, cbc_open};
