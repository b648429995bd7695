/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suite.c: the rows of the cipher suite table.
 */
#include "suite.h"

#include <linux/tls.h>
#include <sys/ktls_compat.h>

/* Debian 12's <linux/tls.h> has these; older headers stop before ARIA (Linux 6.1). */
#ifndef TLS_CIPHER_ARIA_GCM_128
#define TLS_CIPHER_ARIA_GCM_128 57
#define TLS_CIPHER_ARIA_GCM_256 58
#endif

#define V12    VERSION_BIT(TLS_V12)
#define V12_13 (VERSION_BIT(TLS_V12) | VERSION_BIT(TLS_V13))
#define V11_12 (VERSION_BIT(TLS_V11) | VERSION_BIT(TLS_V12))
#define V10_12 (VERSION_BIT(TLS_V10) | V11_12)

/* linux: TLS_CIPHER_* suffix; freebsd: CRYPTO_* or 0; explicit: nonce bytes in TLS 1.2 */
#define AEAD(ID, NAME, LINUX, FREEBSD, KEY, EXPLICIT, VERSIONS) \
	[ID] = {                                                \
		.id = ID,                                       \
		.name = NAME,                                   \
		.linux_cipher = TLS_CIPHER_##LINUX,             \
		.freebsd_cipher = FREEBSD,                      \
		.key_len = KEY,                                 \
		.explicit_nonce12 = EXPLICIT,                   \
		.tx_versions = VERSIONS,                        \
		.rx_versions = VERSIONS,                        \
	}

/* TLS 1.0 is for sending only: FreeBSD answers EPROTONOSUPPORT to receiving it, because
 * its chained IV would have to be known for records that arrived before the keys. */
#define CBC(ID, NAME, AUTH, KEY, MAC, TX, RX)      \
	[ID] = {                                   \
		.id = ID,                          \
		.name = NAME,                      \
		.freebsd_cipher = CRYPTO_AES_CBC,  \
		.freebsd_auth = AUTH,              \
		.key_len = KEY,                    \
		.mac_len = MAC,                    \
		.explicit_nonce12 = CBC_BLOCK_LEN, \
		.tx_versions = TX,                 \
		.rx_versions = RX,                 \
	}

static const struct suite suites[SUITE_COUNT] = {
	AEAD(SUITE_AES_128_GCM, "AES-128-GCM", AES_GCM_128, CRYPTO_AES_NIST_GCM_16, 16, 8,
	     V12_13),
	AEAD(SUITE_AES_256_GCM, "AES-256-GCM", AES_GCM_256, CRYPTO_AES_NIST_GCM_16, 32, 8,
	     V12_13),
	AEAD(SUITE_AES_128_CCM, "AES-128-CCM", AES_CCM_128, 0, 16, 8, V12_13),
	AEAD(SUITE_CHACHA20_POLY1305, "CHACHA20-POLY1305", CHACHA20_POLY1305,
	     CRYPTO_CHACHA20_POLY1305, 32, 0, V12_13),
	AEAD(SUITE_SM4_GCM, "SM4-GCM", SM4_GCM, 0, 16, 8, V12_13),
	AEAD(SUITE_SM4_CCM, "SM4-CCM", SM4_CCM, 0, 16, 8, V12_13),
	AEAD(SUITE_ARIA_128_GCM, "ARIA-128-GCM", ARIA_GCM_128, 0, 16, 8, V12),
	AEAD(SUITE_ARIA_256_GCM, "ARIA-256-GCM", ARIA_GCM_256, 0, 32, 8, V12),
	CBC(SUITE_AES_128_CBC_SHA1, "AES-128-CBC-SHA1", CRYPTO_SHA1_HMAC, 16, 20, V10_12,
	    V11_12),
	CBC(SUITE_AES_256_CBC_SHA1, "AES-256-CBC-SHA1", CRYPTO_SHA1_HMAC, 32, 20, V10_12,
	    V11_12),
	CBC(SUITE_AES_128_CBC_SHA256, "AES-128-CBC-SHA256", CRYPTO_SHA2_256_HMAC, 16, 32,
	    V12, V12),
	CBC(SUITE_AES_256_CBC_SHA256, "AES-256-CBC-SHA256", CRYPTO_SHA2_256_HMAC, 32, 32,
	    V12, V12),
	CBC(SUITE_AES_128_CBC_SHA384, "AES-128-CBC-SHA384", CRYPTO_SHA2_384_HMAC, 16, 48,
	    V12, V12),
	CBC(SUITE_AES_256_CBC_SHA384, "AES-256-CBC-SHA384", CRYPTO_SHA2_384_HMAC, 32, 48,
	    V12, V12),
};

const struct suite *
suite_by_id(enum suite_id id)
{
	return &suites[id];
}

const struct suite *
suite_by_linux(uint16_t linux_cipher)
{
	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		if (suites[id].linux_cipher == linux_cipher && linux_cipher != 0)
			return &suites[id];
	return NULL;
}

const struct suite *
suite_by_freebsd(int cipher, int key_len, int auth)
{
	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		const struct suite *s = &suites[id];
		if (s->freebsd_cipher == cipher && cipher != 0 && s->key_len == key_len &&
		    s->freebsd_auth == auth)
			return s;
	}
	return NULL;
}

struct geometry
suite_geometry(const struct suite *suite, uint8_t version)
{
	struct geometry g = {.cbc = suite_is_cbc(suite)};

	if (version == TLS_V11 || version == TLS_V12)
		g.explicit_len = suite->explicit_nonce12;
	g.inner_type = version == TLS_V13;
	g.hlen = (uint8_t)(RECORD_HEADER_LEN + g.explicit_len);
	g.tlen = g.cbc ? (uint8_t)(suite->mac_len + CBC_BLOCK_LEN)
		       : (uint8_t)(AEAD_TAG_LEN + g.inner_type);
	return g;
}
