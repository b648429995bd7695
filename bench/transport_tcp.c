/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport_tcp.c: read(2), write(2) and sendfile(2), in the clear or with TLS keys that
 * were set by socket option, without any TLS library.
 */
#include <err.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

size_t
moved(const char *what, ssize_t n)
{
	if (n > 0)
		return (size_t)n;
	if (n == 0)
		errx(1, "%s: the stream has ended", what);
	if (errno == EAGAIN)
		return 0;
	err(1, "%s", what);
}

static size_t
tcp_send(struct conn *conn, const void *data, size_t len)
{
	return moved("write", write(conn->fd, data, len));
}

static size_t
tcp_send_file(struct conn *conn, int file, off_t offset, size_t len)
{
	return moved("sendfile", sendfile(conn->fd, file, &offset, len));
}

static size_t
tcp_recv(struct conn *conn, void *data, size_t len)
{
	return moved("read", read(conn->fd, data, len));
}

/*
 * Key, IV, salt and first sequence number are the same fixed bytes on both ends, all
 * that a measurement needs. The structures differ in length only.
 */
static void
set_linux_keys(int fd, const struct bench_suite *suite, const struct job *job)
{
	union {
		struct tls_crypto_info info;
		uint8_t bytes[256];
	} keys;

	memset(&keys, 0x2a, sizeof(keys));
	keys.info.version = job->c.version == 13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
	keys.info.cipher_type = suite->linux_cipher;
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err(1, "TCP_ULP tls");
	if (setsockopt(fd, SOL_TLS, job->side == SENDER ? TLS_TX : TLS_RX, &keys,
		       suite->linux_len))
		err(1, "keys for %s", suite->name);
}

static void
set_freebsd_keys(int fd, const struct bench_suite *suite, const struct job *job)
{
	uint8_t secret[64];
	struct tls_enable en = {
		.cipher_key = secret,
		.iv = secret,
		.auth_key = secret,
		.cipher_algorithm = CRYPTO_AES_CBC,
		.cipher_key_len = suite->key_len,
		.iv_len = TLS_CBC_IMPLICIT_IV_LEN,
		.auth_algorithm = suite->auth,
		.auth_key_len = suite->auth_len,
		.tls_vmajor = TLS_MAJOR_VER_ONE,
		.tls_vminor = TLS_MINOR_VER_TWO,
	};
	int option = job->side == SENDER ? TCP_TXTLS_ENABLE : TCP_RXTLS_ENABLE;

	memset(secret, 0x2a, sizeof(secret));
	if (setsockopt(fd, IPPROTO_TCP, option, &en, sizeof(en)))
		err(1, "keys for %s", suite->name);
}

static void
raw_open(struct conn *conn, const struct job *job)
{
	const struct bench_suite *suite = &bench_suites[job->c.suite];

	if (suite->linux_cipher)
		set_linux_keys(conn->fd, suite, job);
	else
		set_freebsd_keys(conn->fd, suite, job);
}

const struct transport transport_plain = {
	.send = tcp_send,
	.send_file = tcp_send_file,
	.recv = tcp_recv,
};

const struct transport transport_raw = {
	.open = raw_open,
	.send = tcp_send,
	.send_file = tcp_send_file,
	.recv = tcp_recv,
};
