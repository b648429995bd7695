/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suites.c: the cipher suites and the peers that can be compared.
 */
#include <linux/tls.h>
#include <sys/ktls_compat.h>

#include "bench.h"

#define AEAD(NAME, TLS12, TLS13, GNUTLS, LINUX, INFO, KEY)                            \
	{                                                                             \
		.name = NAME, .tls12 = "ECDHE-ECDSA-" TLS12, .tls13 = TLS13,          \
		.gnutls = GNUTLS, .linux_cipher = TLS_CIPHER_##LINUX,                 \
		.linux_len = sizeof(struct tls12_crypto_info_##INFO), .key_len = KEY, \
	}

#define CBC(NAME, TLS12, GNUTLS, KEY, AUTH, AUTH_LEN)                               \
	{                                                                           \
		.name = NAME, .tls12 = "ECDHE-ECDSA-" TLS12, .gnutls = GNUTLS,      \
		.key_len = KEY, .auth = CRYPTO_##AUTH##_HMAC, .auth_len = AUTH_LEN, \
	}

const struct bench_suite bench_suites[] = {
	AEAD("AES-128-GCM", "AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256",
	     "+AES-128-GCM:+AEAD", AES_GCM_128, aes_gcm_128, 16),
	AEAD("AES-256-GCM", "AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384",
	     "+AES-256-GCM:+AEAD", AES_GCM_256, aes_gcm_256, 32),
	AEAD("CHACHA20-POLY1305", "CHACHA20-POLY1305", "TLS_CHACHA20_POLY1305_SHA256",
	     "+CHACHA20-POLY1305:+AEAD", CHACHA20_POLY1305, chacha20_poly1305, 32),
	AEAD("AES-128-CCM", "AES128-CCM", "TLS_AES_128_CCM_SHA256", "+AES-128-CCM:+AEAD",
	     AES_CCM_128, aes_ccm_128, 16),
	CBC("AES-128-CBC-SHA1", "AES128-SHA", "+AES-128-CBC:+SHA1", 16, SHA1, 20),
	CBC("AES-256-CBC-SHA1", "AES256-SHA", "+AES-256-CBC:+SHA1", 32, SHA1, 20),
	CBC("AES-128-CBC-SHA256", "AES128-SHA256", "+AES-128-CBC:+SHA256", 16, SHA2_256,
	    32),
	CBC("AES-256-CBC-SHA384", "AES256-SHA384", "+AES-256-CBC:+SHA384", 32, SHA2_384,
	    48),
};
const unsigned bench_suite_count = sizeof(bench_suites) / sizeof(bench_suites[0]);

const struct peer peers[] = {
	{
		.name = "openssl",
		.text = "OpenSSL, records in userspace on both ends",
		.transport = TRANSPORT_SSL,
	},
	{
		.name = "ktls",
		.text = "OpenSSL with the library on both ends",
		.transport = TRANSPORT_SSL,
		.ktls = {true, true},
		.preload = {true, true},
	},
	{
		.name = "ktls-tx",
		.text = "the sender in the library, the receiver OpenSSL",
		.transport = TRANSPORT_SSL,
		.ktls = {true, false},
		.preload = {true, false},
	},
	{
		.name = "ktls-rx",
		.text = "the receiver in the library, the sender OpenSSL",
		.transport = TRANSPORT_SSL,
		.ktls = {false, true},
		.preload = {false, true},
	},
	{
		.name = "plain",
		.text = "TCP without TLS",
		.transport = TRANSPORT_PLAIN,
	},
	{
		.name = "plain-lib",
		.text = "TCP without TLS under the library",
		.transport = TRANSPORT_PLAIN,
		.preload = {true, true},
	},
	{
		.name = "raw",
		.text = "keys set by socket option under the library, no libssl",
		.transport = TRANSPORT_RAW,
		.preload = {true, true},
	},
	{
		.name = "native",
		.text = "OpenSSL with the kernel's own TLS",
		.transport = TRANSPORT_SSL,
		.ktls = {true, true},
		.native = true,
	},
	{
		.name = "native-raw",
		.text = "keys set by socket option, the kernel's own TLS",
		.transport = TRANSPORT_RAW,
		.native = true,
	},
	{
		.name = "gnutls",
		.text = "GnuTLS, records in userspace on both ends",
		.transport = TRANSPORT_GNUTLS,
	},
};
const unsigned peer_count = sizeof(peers) / sizeof(peers[0]);

bool
peer_can(const struct peer *peer, const struct bench_case *c)
{
	const struct bench_suite *suite = &bench_suites[c->suite];

	if (peer->transport == TRANSPORT_PLAIN)
		return true;
	if (c->version == 13 && !suite->tls13)
		return false;
	if (peer->transport == TRANSPORT_GNUTLS)
		return suite->gnutls != NULL;
	/* libssl and the Linux kernel leave CBC out of kernel TLS; FreeBSD does not. */
	if (peer->ktls[SENDER] || peer->ktls[RECEIVER] || peer->native)
		return suite->linux_cipher != 0;
	return true;
}
