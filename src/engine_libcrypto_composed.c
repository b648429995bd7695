/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_libcrypto_composed.c: GCM and CCM made from a block cipher's counter and CBC
 * modes, for SM4, whose AEAD modes libcrypto lacks before OpenSSL 3.2.
 */
#include "engine_libcrypto.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

#if defined(KTLS_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(address, len) ((void)0)
#endif

#define BLOCK_LEN 16

/* ---- GCM ---- */

/*
 * Encrypts counter blocks `counter`, `counter` + 1, ... onto `in`. EVP counts in 128 bits
 * and GCM in the last 32, which differ only after 2^32 blocks: a record has 1025.
 */
static void
counter_stream(const unsigned char *in, unsigned char *out, size_t blocks,
	       const void *context, const unsigned char counter[BLOCK_LEN])
{
	struct context *c = (struct context *)(uintptr_t)context;

	if (!restart(c, c->cipher, counter) ||
	    !update(c->cipher, out, in, blocks * BLOCK_LEN))
		c->failed = true;
}

/* The bare cipher is its key stream for one counter block. */
static void
cipher_block(const unsigned char in[BLOCK_LEN], unsigned char out[BLOCK_LEN],
	     const void *context)
{
	static const uint8_t zero[BLOCK_LEN];

	counter_stream(zero, out, 1, context, in);
}

static bool
composed_gcm_setup(struct context *c, const struct engine_key *key)
{
	/* The counter mode always encrypts; `encrypt` is only EVP's. */
	c->encrypt = 1;
	c->cipher = keyed_cipher(c->algorithm->cipher, key->key, 1);
	if (c->cipher == NULL)
		return false;
	c->gcm = CRYPTO_gcm128_new(c, cipher_block);
	return c->gcm != NULL && !c->failed;
}

/* The tag of the message so far. GHASH multiplies halves of vector registers whose other
 * halves are leftovers; memcheck tracks only whole ones and calls the product undefined.
 */
static void
gcm_tag(struct context *c, uint8_t tag[AEAD_TAG_LEN])
{
	CRYPTO_gcm128_tag(c->gcm, tag, AEAD_TAG_LEN);
	(void)VALGRIND_MAKE_MEM_DEFINED(tag, AEAD_TAG_LEN);
}

static ssize_t
composed_gcm_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad,
		  size_t aad_len, const struct iovec *iov, int iovcnt, uint8_t *out)
{
	uint8_t *end = out;

	CRYPTO_gcm128_setiv(c->gcm, nonce, NONCE_LEN);
	if (CRYPTO_gcm128_aad(c->gcm, aad, aad_len) != 0)
		return -EIO;
	for (int i = 0; i < iovcnt; i++) {
		if (CRYPTO_gcm128_encrypt_ctr32(c->gcm, iov[i].iov_base, end,
						iov[i].iov_len, counter_stream) != 0)
			return -EIO;
		end += iov[i].iov_len;
	}
	gcm_tag(c, end);
	return c->failed ? -EIO : end - out + AEAD_TAG_LEN;
}

static ssize_t
composed_gcm_open(struct context *c, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
		  const uint8_t *in, size_t in_len, uint8_t *out)
{
	size_t len = in_len - AEAD_TAG_LEN;
	uint8_t expected[AEAD_TAG_LEN];

	CRYPTO_gcm128_setiv(c->gcm, nonce, NONCE_LEN);
	if (CRYPTO_gcm128_aad(c->gcm, aad, aad_len) != 0 ||
	    CRYPTO_gcm128_decrypt_ctr32(c->gcm, in, out, len, counter_stream) != 0)
		return -EBADMSG;
	gcm_tag(c, expected);
	if (CRYPTO_memcmp(in + len, expected, AEAD_TAG_LEN) != 0 || c->failed)
		return -EBADMSG;
	return (ssize_t)len;
}

const struct mode composed_gcm_mode = {composed_gcm_setup, composed_gcm_seal,
				       composed_gcm_open};

/* ---- CCM ---- */

static bool
composed_ccm_setup(struct context *c, const struct engine_key *key)
{
	c->encrypt = 1;
	c->cipher = keyed_cipher(c->algorithm->cipher, key->key, 1);
	c->chain = keyed_cipher(c->algorithm->chain, key->key, 1);
	return c->cipher != NULL && c->chain != NULL &&
	       EVP_CIPHER_CTX_set_padding(c->chain, 0) == 1;
}

/* Feeds CBC-MAC; `mac` becomes the last block that came out. EVP keeps part blocks. */
static bool
chain_update(struct context *c, const uint8_t *data, size_t len, uint8_t mac[BLOCK_LEN])
{
	uint8_t blocks[32 * BLOCK_LEN];
	int n;

	while (len != 0) {
		size_t chunk = len < sizeof(blocks) - BLOCK_LEN
				       ? len
				       : sizeof(blocks) - BLOCK_LEN;
		if (!EVP_CipherUpdate(c->chain, blocks, &n, data, (int)chunk))
			return false;
		if (n >= BLOCK_LEN)
			memcpy(mac, blocks + n - BLOCK_LEN, BLOCK_LEN);
		data += chunk;
		len -= chunk;
	}
	return true;
}

/* The CBC-MAC of RFC 3610 2.2 with M = 16, L = 3, which leaves 12 bytes of nonce. */
static bool
ccm_mac(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	const uint8_t *data, size_t len, uint8_t mac[BLOCK_LEN])
{
	static const uint8_t zero[BLOCK_LEN];
	uint8_t first[BLOCK_LEN + 2] = {0x40 | 7 << 3 | 2};

	memcpy(first + 1, nonce, NONCE_LEN);
	first[13] = (uint8_t)(len >> 16);
	first[14] = (uint8_t)(len >> 8);
	first[15] = (uint8_t)len;
	first[16] = (uint8_t)(aad_len >> 8);
	first[17] = (uint8_t)aad_len;
	return restart(c, c->chain, zero) && chain_update(c, first, sizeof(first), mac) &&
	       chain_update(c, aad, aad_len, mac) &&
	       chain_update(c, zero, -(aad_len + 2) % BLOCK_LEN, mac) &&
	       chain_update(c, data, len, mac) &&
	       chain_update(c, zero, -len % BLOCK_LEN, mac);
}

/* Starts the counter mode at A_0 and hides or reveals the tag with its first block; A_1
 * and on are for the message (RFC 3610 2.3). */
static bool
ccm_counter(struct context *c, const uint8_t *nonce, const uint8_t *tag, uint8_t *out)
{
	uint8_t counter[BLOCK_LEN] = {2};

	memcpy(counter + 1, nonce, NONCE_LEN);
	return restart(c, c->cipher, counter) && update(c->cipher, out, tag, BLOCK_LEN);
}

static ssize_t
composed_ccm_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad,
		  size_t aad_len, const struct iovec *iov, int iovcnt, uint8_t *out)
{
	size_t len = gather(iov, iovcnt, out);
	uint8_t mac[BLOCK_LEN];

	if (!ccm_mac(c, nonce, aad, aad_len, out, len, mac) ||
	    !ccm_counter(c, nonce, mac, out + len) || !update(c->cipher, out, out, len))
		return -EIO;
	return (ssize_t)(len + AEAD_TAG_LEN);
}

static ssize_t
composed_ccm_open(struct context *c, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
		  const uint8_t *in, size_t in_len, uint8_t *out)
{
	size_t len = in_len - AEAD_TAG_LEN;
	uint8_t mac[BLOCK_LEN], expected[BLOCK_LEN];

	if (!ccm_counter(c, nonce, in + len, expected) ||
	    !update(c->cipher, out, in, len) ||
	    !ccm_mac(c, nonce, aad, aad_len, out, len, mac) ||
	    CRYPTO_memcmp(mac, expected, BLOCK_LEN) != 0)
		return -EBADMSG;
	return (ssize_t)len;
}

const struct mode composed_ccm_mode = {composed_ccm_setup, composed_ccm_seal,
				       composed_ccm_open};
