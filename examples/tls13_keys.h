/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls13_keys.h: take the traffic keys of a TLS 1.3 connection out of OpenSSL and give
 * them to the socket.
 */
#ifndef TLS13_KEYS_H
#define TLS13_KEYS_H

#include <openssl/ssl.h>
#include <stdint.h>

/* client_ and server_application_traffic_secret_0 (RFC 8446 7.1). */
struct tls13_secrets {
	uint8_t client[EVP_MAX_MD_SIZE];
	uint8_t server[EVP_MAX_MD_SIZE];
	size_t client_len; /* bytes; 0 until OpenSSL told us */
	size_t server_len;
};

/*
 * Has OpenSSL write the secrets of this connection to *secrets, which must live until the
 * handshake is done. To be called before the handshake.
 */
void tls13_catch_secrets(SSL *ssl, struct tls13_secrets *secrets);

/*
 * Turns kernel TLS on in both directions of the socket of `ssl`, whose handshake is done
 * and which has neither sent nor read anything since: both sequence numbers are 0.
 * Wipes *secrets. Returns 0, or -1 having said why on stderr.
 */
int tls13_enable_ktls(SSL *ssl, struct tls13_secrets *secrets);

#endif
