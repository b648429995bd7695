/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport_ssl.c: OpenSSL, as any program uses it. Whether records are made in libssl
 * or by kernel TLS is SSL_OP_ENABLE_KTLS's doing alone.
 */
#include <err.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport.h"

static SSL_CTX *ctx;
static unsigned char *file_buffer;
static size_t file_buffer_len;

static _Noreturn void
die_openssl(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

/* A self-signed certificate; the client does not look at it. */
static void
make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();

	if (!key || !x509 || !X509_gmtime_adj(X509_getm_notBefore(x509), 0) ||
	    !X509_gmtime_adj(X509_getm_notAfter(x509), 24L * 3600) ||
	    !X509_set_pubkey(x509, key) || !X509_sign(x509, key, EVP_sha256()) ||
	    SSL_CTX_use_certificate(ctx, x509) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		die_openssl("certificate");
	X509_free(x509);
	EVP_PKEY_free(key);
}

static void
ssl_setup(const struct job *job)
{
	const struct bench_suite *suite = &bench_suites[job->c.suite];
	int version = job->c.version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	ctx = SSL_CTX_new(TLS_method());
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version))
		die_openssl("SSL_CTX_new");
	if (version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(ctx, suite->tls13) != 1
				      : SSL_CTX_set_cipher_list(ctx, suite->tls12) != 1)
		die_openssl(suite->name);
	/* Tickets would lie unread with the sender. Kernel TLS has no encrypt-then-MAC
	 * (RFC 7366), so nobody gets it. */
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_ENCRYPT_THEN_MAC);
	if (job->ktls)
		SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	if (job->c.loop)
		SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (job->side == RECEIVER)
		make_certificate();
	file_buffer_len = job->c.size;
	file_buffer = malloc(file_buffer_len);
	if (!file_buffer)
		err(1, "malloc");
}

static void
ssl_open(struct conn *conn, const struct job *job)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, conn->fd) ||
	    (job->side == SENDER ? SSL_connect(ssl) : SSL_accept(ssl)) != 1)
		die_openssl("handshake");
	conn->tls = ssl;
}

static size_t
result(const struct conn *conn, const char *what, ssize_t n)
{
	if (n > 0)
		return (size_t)n;
	switch (SSL_get_error(conn->tls, (int)n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_SYSCALL:
		err(1, "%s", what);
	default:
		die_openssl(what);
	}
}

static size_t
ssl_send(struct conn *conn, const void *data, size_t len)
{
	return result(conn, "SSL_write", SSL_write(conn->tls, data, (int)len));
}

static size_t
ssl_recv(struct conn *conn, void *data, size_t len)
{
	return result(conn, "SSL_read", SSL_read(conn->tls, data, (int)len));
}

/* SSL_sendfile(3) exists with kernel TLS only; without, a program reads and writes. */
static size_t
ssl_send_file(struct conn *conn, int file, off_t offset, size_t len)
{
	if (BIO_get_ktls_send(SSL_get_wbio(conn->tls)))
		return result(conn, "SSL_sendfile",
			      SSL_sendfile(conn->tls, file, offset, len, 0));
	if (len > file_buffer_len)
		len = file_buffer_len;
	return ssl_send(conn, file_buffer,
			moved("pread", pread(file, file_buffer, len, offset)));
}

static bool
ssl_uses_ktls(const struct conn *conn, enum side side)
{
	return side == SENDER ? BIO_get_ktls_send(SSL_get_wbio(conn->tls))
			      : BIO_get_ktls_recv(SSL_get_rbio(conn->tls));
}

const struct transport transport_ssl = {
	.setup = ssl_setup,
	.open = ssl_open,
	.send = ssl_send,
	.send_file = ssl_send_file,
	.recv = ssl_recv,
	.uses_ktls = ssl_uses_ktls,
};
