/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls13_keys.c: from the secrets in OpenSSL's key log to TCP_TXTLS_ENABLE and
 * TCP_RXTLS_ENABLE.
 */
#include "tls13_keys.h"

#include <err.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <string.h>
#include <sys/socket.h>

#include <sys/ktls_compat.h>

/* The cipher suites of TLS 1.3 that ktls(4) knows, by their numbers (RFC 8446 B.4). */
static const struct suite {
	uint16_t id;
	int cipher_algorithm;
	int key_len;
	int iv_len;
} suites[] = {
	{0x1301, CRYPTO_AES_NIST_GCM_16, 16, TLS_1_3_GCM_IV_LEN},
	{0x1302, CRYPTO_AES_NIST_GCM_16, 32, TLS_1_3_GCM_IV_LEN},
	{0x1303, CRYPTO_CHACHA20_POLY1305, 32, TLS_CHACHA20_IV_LEN},
};

static const struct suite *
find_suite(uint16_t id)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

/* A line is "LABEL CLIENT_RANDOM SECRET", the last two in hexadecimal. */
static void
on_keylog(const SSL *ssl, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ";
	static const char server[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct tls13_secrets *secrets = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');

	if (!hex)
		return;
	hex++;
	if (!strncmp(line, client, strlen(client)))
		OPENSSL_hexstr2buf_ex(secrets->client, sizeof(secrets->client),
				      &secrets->client_len, hex, '\0');
	else if (!strncmp(line, server, strlen(server)))
		OPENSSL_hexstr2buf_ex(secrets->server, sizeof(secrets->server),
				      &secrets->server_len, hex, '\0');
}

void
tls13_catch_secrets(SSL *ssl, struct tls13_secrets *secrets)
{
	memset(secrets, 0, sizeof(*secrets));
	SSL_set_app_data(ssl, secrets);
	SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), on_keylog);
}

/* HKDF-Expand-Label(secret, label, "", out_len) (RFC 8446 7.1). */
static int
expand_label(const EVP_MD *md, uint8_t *secret, size_t secret_len, char *label,
	     uint8_t *out, size_t out_len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	char prefix[] = "tls13 ";
	char *digest = (char *)EVP_MD_get0_name(md); /* is only read */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, secret_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix,
						  strlen(prefix)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, label,
						  strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ok = ctx && EVP_KDF_derive(ctx, out, out_len, params) > 0;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : -1;
}

/* One direction: `option` is TCP_TXTLS_ENABLE or TCP_RXTLS_ENABLE. */
static int
enable(SSL *ssl, int option, uint8_t *secret, size_t secret_len)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const EVP_MD *md = SSL_CIPHER_get_handshake_digest(cipher);
	const struct suite *suite = find_suite(SSL_CIPHER_get_protocol_id(cipher));
	uint8_t key[32], iv[12];
	/* rec_seq stays 0: the keys are new, no record has been made with them. */
	struct tls_enable en = {
		.cipher_key = key,
		.iv = iv,
		.tls_vmajor = TLS_MAJOR_VER_ONE,
		.tls_vminor = TLS_MINOR_VER_THREE,
	};
	int rc = -1;

	if (!suite || !secret_len) {
		warnx("%s: no keys for kernel TLS", SSL_CIPHER_get_name(cipher));
		return -1;
	}
	en.cipher_algorithm = suite->cipher_algorithm;
	en.cipher_key_len = suite->key_len;
	en.iv_len = suite->iv_len;
	/* RFC 8446 7.3. */
	if (expand_label(md, secret, secret_len, "key", key, (size_t)suite->key_len) ||
	    expand_label(md, secret, secret_len, "iv", iv, (size_t)suite->iv_len))
		warnx("HKDF-Expand-Label failed");
	else if ((rc = setsockopt(SSL_get_fd(ssl), IPPROTO_TCP, option, &en, sizeof(en))))
		warn("%s", option == TCP_TXTLS_ENABLE ? "TCP_TXTLS_ENABLE"
						      : "TCP_RXTLS_ENABLE");
	/* The socket has its own copy. */
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(iv, sizeof(iv));
	return rc;
}

int
tls13_enable_ktls(SSL *ssl, struct tls13_secrets *secrets)
{
	int client_sends = SSL_is_server(ssl) ? TCP_RXTLS_ENABLE : TCP_TXTLS_ENABLE;
	int server_sends = SSL_is_server(ssl) ? TCP_TXTLS_ENABLE : TCP_RXTLS_ENABLE;
	int rc = -1;

	/*
	 * The socket takes over exactly where OpenSSL stopped. What OpenSSL had read from
	 * the socket beyond the handshake would be missing there; it reads record by
	 * record and takes nothing in advance unless SSL_CTX_set_read_ahead() asks for
	 * it.
	 */
	if (SSL_has_pending(ssl))
		warnx("OpenSSL has read beyond the handshake");
	else if (!enable(ssl, client_sends, secrets->client, secrets->client_len) &&
		 !enable(ssl, server_sends, secrets->server, secrets->server_len))
		rc = 0;
	OPENSSL_cleanse(secrets, sizeof(*secrets));
	return rc;
}
