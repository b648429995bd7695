/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suite.h: the table of cipher suites and what each one's records look like.
 *
 * One row per suite; nothing outside this table switches on a suite.
 */
#ifndef KTLS_SUITE_H
#define KTLS_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TLS versions by their minor number on the wire, 3.x (RFC 8446 4.2.1). */
enum {
	TLS_V10 = 1,
	TLS_V11 = 2,
	TLS_V12 = 3,
	TLS_V13 = 4,
};
#define VERSION_BIT(v) (1u << (v))

enum suite_id {
	SUITE_NONE = 0,
	SUITE_AES_128_GCM,
	SUITE_AES_256_GCM,
	SUITE_AES_128_CCM,
	SUITE_CHACHA20_POLY1305,
	SUITE_SM4_GCM,
	SUITE_SM4_CCM,
	SUITE_ARIA_128_GCM,
	SUITE_ARIA_256_GCM,
	SUITE_AES_128_CBC_SHA1,
	SUITE_AES_256_CBC_SHA1,
	SUITE_AES_128_CBC_SHA256,
	SUITE_AES_256_CBC_SHA256,
	SUITE_AES_128_CBC_SHA384,
	SUITE_AES_256_CBC_SHA384,
	SUITE_COUNT,
};

enum {
	RECORD_HEADER_LEN = 5,
	RECORD_MAX_PLAINTEXT = 16384, /* RFC 8446 5.1 */
	NONCE_LEN = 12,
	AEAD_TAG_LEN = 16,
	CBC_BLOCK_LEN = 16,
	SUITE_MAX_KEY = 32,
	SUITE_MAX_MAC_KEY = 128, /* the longest HMAC block here, SHA-384's */
	/* The longest record that any suite makes or accepts: header 5, explicit IV 16,
	 * content 16384, SHA-384 MAC 48 and CBC padding 16. */
	RECORD_MAX_LEN = 5 + 16 + 16384 + 48 + 16,
};

struct suite {
	enum suite_id id;
	const char *name;         /* as the tool and the statistics print it */
	uint16_t linux_cipher;    /* TLS_CIPHER_* of <linux/tls.h>, 0: not Linux's */
	uint8_t freebsd_cipher;   /* CRYPTO_* of <sys/ktls_compat.h>, 0: not FreeBSD's */
	uint8_t freebsd_auth;     /* CRYPTO_*_HMAC, 0 for AEAD */
	uint8_t key_len;          /* bytes */
	uint8_t mac_len;          /* HMAC output, 0 for AEAD */
	uint8_t explicit_nonce12; /* nonce or IV bytes on the wire in TLS 1.1 and 1.2 */
	uint8_t tx_versions;      /* VERSION_BIT()s that may be sent */
	uint8_t rx_versions;      /* VERSION_BIT()s that may be received */
};

/*
 * Sizes of a suite's records in one TLS version, computed once when keys arrive
 * (FreeBSD's tls_hlen, tls_tlen, tls_bs).
 */
struct geometry {
	uint8_t hlen; /* header and explicit nonce or IV, bytes */
	uint8_t tlen; /* most bytes after the payload: tag or MAC, padding, type */
	uint8_t explicit_len; /* explicit nonce or IV bytes, hlen - 5 */
	uint8_t inner_type;   /* 1 where the content type is inside (TLS 1.3), else 0 */
	bool cbc;
};

/* The row of `id`; never NULL for a valid id. */
const struct suite *suite_by_id(enum suite_id id);
/* NULL when there is no such suite. */
const struct suite *suite_by_linux(uint16_t linux_cipher);
/* NULL when there is no such suite. `key_len` in bytes; `auth` 0 for AEAD. */
const struct suite *suite_by_freebsd(int cipher, int key_len, int auth);

/* `version` is one of TLS_V10..TLS_V13. */
struct geometry suite_geometry(const struct suite *suite, uint8_t version);

static inline bool
suite_is_cbc(const struct suite *suite)
{
	return suite->mac_len != 0;
}

#endif
