/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_libcrypto.c: every cipher suite, on OpenSSL 3's libcrypto.
 *
 * Algorithms come from a library context of our own: the providers and properties that
 * the host program or its openssl.cnf chooses do not change what records look like.
 * All allocation is in init; a record only re-initialises with its nonce. The exceptions
 * are libcrypto's own: see ccm_open() here and cbc_open() beside.
 *
 * The host's error queue is per thread and shared with us, and SSL_get_error() reads it;
 * so whatever may push an error takes it off again.
 */
#include "engine_libcrypto.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

EVP_CIPHER_CTX *
keyed_cipher(const EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL && !EVP_CipherInit_ex2(ctx, cipher, key, NULL, encrypt, NULL)) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

size_t
gather(const struct iovec *iov, int iovcnt, uint8_t *out)
{
	size_t len = 0;

	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len != 0 && iov[i].iov_base != out + len)
			memcpy(out + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return len;
}

static bool
get_tag(EVP_CIPHER_CTX *cipher, uint8_t *tag)
{
	return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, tag) == 1;
}

static bool
expect_tag(EVP_CIPHER_CTX *cipher, const uint8_t *tag)
{
	uint8_t copy[AEAD_TAG_LEN]; /* EVP takes no pointer to const */

	memcpy(copy, tag, sizeof(copy));
	return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof(copy), copy) ==
	       1;
}

/* ---- AEAD that libcrypto has and that takes its input in pieces ---- */

static bool
aead_setup(struct context *c, const struct engine_key *key)
{
	c->cipher = keyed_cipher(c->algorithm->cipher, key->key, c->encrypt);
	return c->cipher != NULL;
}

static ssize_t
aead_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	  const struct iovec *iov, int iovcnt, uint8_t *out)
{
	uint8_t *end = out;
	int n;

	if (!restart(c, c->cipher, nonce) || !update(c->cipher, NULL, aad, aad_len))
		return -EIO;
	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len == 0)
			continue;
		if (!update(c->cipher, end, iov[i].iov_base, iov[i].iov_len))
			return -EIO;
		end += iov[i].iov_len;
	}
	if (!EVP_CipherFinal_ex(c->cipher, end, &n) || !get_tag(c->cipher, end))
		return -EIO;
	return end - out + AEAD_TAG_LEN;
}

static ssize_t
aead_open(struct context *c, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
	  const uint8_t *in, size_t in_len, uint8_t *out)
{
	size_t len = in_len - AEAD_TAG_LEN;
	int n;

	if (!restart(c, c->cipher, nonce) || !expect_tag(c->cipher, in + len) ||
	    !update(c->cipher, NULL, aad, aad_len) ||
	    (len != 0 && !update(c->cipher, out, in, len)) ||
	    !EVP_CipherFinal_ex(c->cipher, out + len, &n))
		return -EBADMSG;
	return (ssize_t)len;
}

static const struct mode aead_mode = {aead_setup, aead_seal, aead_open};

/* ---- CCM that libcrypto has: the length comes first, the message in one call ---- */

static bool
ccm_setup(struct context *c, const struct engine_key *key)
{
	/* The key schedule step fixes both lengths, so they have to come before it. */
	c->cipher = keyed_cipher(c->algorithm->cipher, NULL, c->encrypt);
	return c->cipher != NULL &&
	       EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_IVLEN, NONCE_LEN, NULL) ==
		       1 &&
	       EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN,
				   NULL) == 1 &&
	       EVP_CipherInit_ex2(c->cipher, NULL, key->key, NULL, c->encrypt, NULL) == 1;
}

static bool
ccm_message(struct context *c, const uint8_t *aad, size_t aad_len, const uint8_t *in,
	    size_t len, uint8_t *out)
{
	return update(c->cipher, NULL, NULL, len) &&
	       update(c->cipher, NULL, aad, aad_len) && update(c->cipher, out, in, len);
}

static ssize_t
ccm_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	 const struct iovec *iov, int iovcnt, uint8_t *out)
{
	const uint8_t *in = out;
	size_t len;

	if (iovcnt == 1 && iov->iov_len != 0) {
		in = iov->iov_base;
		len = iov->iov_len;
	} else {
		len = gather(iov, iovcnt, out);
	}
	if (!restart(c, c->cipher, nonce) ||
	    !ccm_message(c, aad, aad_len, in, len, out) || !get_tag(c->cipher, out + len))
		return -EIO;
	return (ssize_t)(len + AEAD_TAG_LEN);
}

/* libcrypto reports a wrong CCM tag in the error queue: the mark and the report allocate
 * that queue once for each thread. */
static ssize_t
ccm_open(struct context *c, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
	 const uint8_t *in, size_t in_len, uint8_t *out)
{
	size_t len = in_len - AEAD_TAG_LEN;
	bool good;

	ERR_set_mark();
	good = restart(c, c->cipher, nonce) && expect_tag(c->cipher, in + len) &&
	       ccm_message(c, aad, aad_len, in, len, out);
	ERR_pop_to_mark();
	return good ? (ssize_t)len : -EBADMSG;
}

static const struct mode ccm_mode = {ccm_setup, ccm_seal, ccm_open};

/* ---- which of them serves which suite ---- */

/* Of several rows for one suite the first that libcrypto has all parts of serves. */
static const struct candidate {
	enum suite_id suite;
	const struct mode *mode;
	const char *cipher;
	const char *chain;
	const char *digest;
} candidates[] = {
	{SUITE_AES_128_GCM, &aead_mode, "AES-128-GCM", NULL, NULL},
	{SUITE_AES_256_GCM, &aead_mode, "AES-256-GCM", NULL, NULL},
	{SUITE_AES_128_CCM, &ccm_mode, "AES-128-CCM", NULL, NULL},
	{SUITE_CHACHA20_POLY1305, &aead_mode, "ChaCha20-Poly1305", NULL, NULL},
	{SUITE_SM4_GCM, &aead_mode, "SM4-GCM", NULL, NULL},
	{SUITE_SM4_GCM, &composed_gcm_mode, "SM4-CTR", NULL, NULL},
	{SUITE_SM4_CCM, &ccm_mode, "SM4-CCM", NULL, NULL},
	{SUITE_SM4_CCM, &composed_ccm_mode, "SM4-CTR", "SM4-CBC", NULL},
	{SUITE_ARIA_128_GCM, &aead_mode, "ARIA-128-GCM", NULL, NULL},
	{SUITE_ARIA_256_GCM, &aead_mode, "ARIA-256-GCM", NULL, NULL},
	{SUITE_AES_128_CBC_SHA1, &cbc_mode, "AES-128-CBC", NULL, "SHA1"},
	{SUITE_AES_256_CBC_SHA1, &cbc_mode, "AES-256-CBC", NULL, "SHA1"},
	{SUITE_AES_128_CBC_SHA256, &cbc_mode, "AES-128-CBC", NULL, "SHA2-256"},
	{SUITE_AES_256_CBC_SHA256, &cbc_mode, "AES-256-CBC", NULL, "SHA2-256"},
	{SUITE_AES_128_CBC_SHA384, &cbc_mode, "AES-128-CBC", NULL, "SHA2-384"},
	{SUITE_AES_256_CBC_SHA384, &cbc_mode, "AES-256-CBC", NULL, "SHA2-384"},
};

static void
fetch(OSSL_LIB_CTX *library, struct algorithm *a, const struct candidate *row)
{
	bool ok;

	a->cipher = EVP_CIPHER_fetch(library, row->cipher, NULL);
	if (row->chain != NULL)
		a->chain = EVP_CIPHER_fetch(library, row->chain, NULL);
	if (row->digest != NULL) {
		a->digest = EVP_MD_fetch(library, row->digest, NULL);
		a->hmac = EVP_MAC_fetch(library, "HMAC", NULL);
	}
	ok = a->cipher != NULL && (row->chain == NULL || a->chain != NULL) &&
	     (row->digest == NULL || (a->digest != NULL && a->hmac != NULL));
	if (ok) {
		a->mode = row->mode;
		return;
	}
	EVP_CIPHER_free(a->cipher);
	EVP_CIPHER_free(a->chain);
	EVP_MD_free(a->digest);
	EVP_MAC_free(a->hmac);
	*a = (struct algorithm){0};
}

/* What serves the suite, or NULL. Takes a lock and may allocate. */
static const struct algorithm *
algorithm_of(enum suite_id suite)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct algorithm algorithms[SUITE_COUNT];
	static OSSL_LIB_CTX *library; /* never freed: exit order is not ours to know */
	struct algorithm *a = &algorithms[suite];

	pthread_mutex_lock(&lock);
	if (library == NULL)
		library = OSSL_LIB_CTX_new();
	if (library != NULL && !a->looked_up) {
		ERR_set_mark();
		for (size_t i = 0; i < sizeof(candidates) / sizeof(*candidates); i++)
			if (candidates[i].suite == suite && a->mode == NULL)
				fetch(library, a, &candidates[i]);
		ERR_pop_to_mark();
		a->looked_up = true;
	}
	pthread_mutex_unlock(&lock);
	return a->mode != NULL ? a : NULL;
}

/* ---- the interface ---- */

static size_t
engine_context_size(enum suite_id suite)
{
	return algorithm_of(suite) != NULL ? sizeof(struct context) : 0;
}

static void
engine_wipe(void *context)
{
	struct context *c = context;

	EVP_CIPHER_CTX_free(c->cipher);
	EVP_CIPHER_CTX_free(c->chain);
	if (c->gcm != NULL)
		CRYPTO_gcm128_release(c->gcm);
	EVP_MAC_CTX_free(c->hmac);
	OPENSSL_cleanse(c, sizeof(*c));
}

static int
engine_init(void *context, const struct engine_key *key, enum engine_direction dir)
{
	struct context *c = context;
	const struct algorithm *a = algorithm_of(key->suite);
	bool ok;

	if (a == NULL)
		return -EOPNOTSUPP;
	*c = (struct context){.algorithm = a, .encrypt = dir == ENGINE_SEAL};
	ERR_set_mark();
	ok = a->mode->setup(c, key);
	ERR_pop_to_mark();
	if (!ok) {
		engine_wipe(c);
		return -ENOMEM;
	}
	return 0;
}

static ssize_t
engine_seal(void *context, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	    const struct iovec *iov, int iovcnt, uint8_t *out)
{
	struct context *c = context;

	return c->algorithm->mode->seal(c, nonce, aad, aad_len, iov, iovcnt, out);
}

static ssize_t
engine_open(void *context, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
	    const uint8_t *in, size_t in_len, uint8_t *out)
{
	struct context *c = context;

	return c->algorithm->mode->open(c, nonce, aad, aad_len, in, in_len, out);
}

static ssize_t
engine_fold_mac_key(enum suite_id suite, const uint8_t *key, size_t len,
		    uint8_t out[SUITE_MAX_MAC_KEY])
{
	const struct algorithm *a = algorithm_of(suite);

	if (a == NULL || a->digest == NULL ||
	    !EVP_Digest(key, len, out, NULL, a->digest, NULL))
		return -EOPNOTSUPP;
	return EVP_MD_get_size(a->digest);
}

__attribute__((visibility("default"))) extern const struct engine ktls_engine;

const struct engine ktls_engine = {
	.abi = KTLS_ENGINE_ABI,
	.name = "libcrypto",
	.context_size = engine_context_size,
	.init = engine_init,
	.seal = engine_seal,
	.open = engine_open,
	.wipe = engine_wipe,
	.fold_mac_key = engine_fold_mac_key,
};
