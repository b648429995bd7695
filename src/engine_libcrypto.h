/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_libcrypto.h: what the parts of the libcrypto engine share: a context, and the
 * modes that make records from libcrypto's algorithms.
 */
#ifndef KTLS_ENGINE_LIBCRYPTO_H
#define KTLS_ENGINE_LIBCRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For <openssl/sha.h>: EVP, which should be used instead, allocates for each message. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/modes.h>
#include <openssl/sha.h>

#include "engine.h"
#include "suite.h"

struct context;
struct hash; /* engine_libcrypto_cbc.c */

union hash_state {
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha384;
};

/* How records of one kind are made from libcrypto's parts. */
struct mode {
	bool (*setup)(struct context *c, const struct engine_key *key);
	ssize_t (*seal)(struct context *c, const uint8_t *nonce, const uint8_t *aad,
			size_t aad_len, const struct iovec *iov, int iovcnt,
			uint8_t *out);
	ssize_t (*open)(struct context *c, const uint8_t *nonce, uint8_t *aad,
			size_t aad_len, const uint8_t *in, size_t in_len, uint8_t *out);
};

/* What serves a suite; fetched once and kept until the process ends. */
struct algorithm {
	const struct mode *mode; /* NULL: the library has nothing for the suite */
	EVP_CIPHER *cipher;
	EVP_CIPHER *chain; /* composed CCM: the cipher in CBC mode, else NULL */
	EVP_MD *digest;    /* CBC suites, else NULL */
	EVP_MAC *hmac;
	bool looked_up;
};

struct context {
	const struct algorithm *algorithm;
	int encrypt; /* 1 or 0, as EVP wants it */
	bool failed; /* a block function that cannot return an error met one */
	EVP_CIPHER_CTX *cipher;
	EVP_CIPHER_CTX *chain;
	GCM128_CONTEXT *gcm; /* composed GCM */
	EVP_MAC_CTX *hmac;   /* opening CBC */
	/* Sealing CBC: the hash after the key's first block, RFC 2104 2. */
	const struct hash *hash;
	union hash_state inner;
	union hash_state outer;
};

/* Starts a record: same key, new nonce. */
static inline bool
restart(struct context *c, EVP_CIPHER_CTX *cipher, const uint8_t *nonce)
{
	return EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, c->encrypt, NULL) == 1;
}

static inline bool
update(EVP_CIPHER_CTX *cipher, uint8_t *out, const uint8_t *in, size_t len)
{
	int n;

	return EVP_CipherUpdate(cipher, out, &n, in, (int)len) == 1;
}

/* A context for `cipher`, keyed unless `key` is NULL. NULL when out of memory. */
EVP_CIPHER_CTX *keyed_cipher(const EVP_CIPHER *cipher, const uint8_t *key, int encrypt);

/* Brings the pieces together in `out`; a piece may be in its place already. Returns their
 * length. */
size_t gather(const struct iovec *iov, int iovcnt, uint8_t *out);

extern const struct mode composed_gcm_mode; /* engine_libcrypto_composed.c */
extern const struct mode composed_ccm_mode;
extern const struct mode cbc_mode; /* engine_libcrypto_cbc.c */

#endif
