/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls_echo_server.c: a TLS 1.3 echo server in which OpenSSL does the handshake and the
 * socket does everything after it.
 *
 *	ktls_echo_server -c cert.pem -k key.pem -p 4433 &
 *	openssl s_client -tls1_3 -connect 127.0.0.1:4433
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktls_record.h"
#include "tls13_keys.h"

struct options {
	uint16_t port;
	const char *cert, *key;
	const char *ciphersuite; /* NULL: OpenSSL's choice */
	bool once;
};

static const char usage[] =
	"usage: ktls_echo_server -c CERT -k KEY [-p PORT] [-C CIPHERSUITE] [-1]\n"
	"  -c CERT         certificate chain, PEM\n"
	"  -k KEY          its private key, PEM\n"
	"  -p PORT         listen on 127.0.0.1:PORT, 0 (default): any free port\n"
	"  -C CIPHERSUITE  e.g. TLS_AES_128_GCM_SHA256\n"
	"  -1              exit after one connection\n";

static uint16_t
parse_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || *end || port > UINT16_MAX)
		errx(2, "%s: not a port", text);
	return (uint16_t)port;
}

static struct options
parse_options(int argc, char **argv)
{
	struct options o = {0};
	int c;

	while ((c = getopt(argc, argv, "c:k:p:C:1")) != -1) {
		switch (c) {
		case 'c':
			o.cert = optarg;
			break;
		case 'k':
			o.key = optarg;
			break;
		case 'p':
			o.port = parse_port(optarg);
			break;
		case 'C':
			o.ciphersuite = optarg;
			break;
		case '1':
			o.once = true;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (!o.cert || !o.key || optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
	return o;
}

static _Noreturn void
die_openssl(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static SSL_CTX *
make_context(const struct options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		die_openssl("SSL_CTX_new");
	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1)
		die_openssl(o->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1)
		die_openssl(o->key);
	if (o->ciphersuite && SSL_CTX_set_ciphersuites(ctx, o->ciphersuite) != 1)
		die_openssl(o->ciphersuite);
	/*
	 * Session tickets are records under the application keys: with them our first
	 * record would not have sequence number 0 but the number of tickets sent.
	 */
	SSL_CTX_set_num_tickets(ctx, 0);
	return ctx;
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, len) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len))
		err(1, "127.0.0.1:%u", port);
	printf("listening on 127.0.0.1:%u\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

/* The handshake, and then the keys to the socket. Returns 0 or -1. */
static int
handshake(SSL_CTX *ctx, int fd)
{
	struct tls13_secrets secrets;
	SSL *ssl = SSL_new(ctx);
	int rc = -1;

	if (!ssl || !SSL_set_fd(ssl, fd))
		die_openssl("SSL_new");
	tls13_catch_secrets(ssl, &secrets);
	if (SSL_accept(ssl) != 1) {
		ERR_print_errors_fp(stderr);
		warnx("handshake failed");
	} else {
		rc = tls13_enable_ktls(ssl, &secrets);
	}
	/* From here on the socket needs no OpenSSL; SSL_free() sends nothing. */
	SSL_free(ssl);
	return rc;
}

static void
report_mode(int fd)
{
	static const char *const names[] = {"none", "software", "network card", "TOE"};
	int tx = 0, rx = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, IPPROTO_TCP, TCP_TXTLS_MODE, &tx, &len) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_RXTLS_MODE, &rx, &len))
		warn("TCP_TXTLS_MODE, TCP_RXTLS_MODE");
	else
		fprintf(stderr, "kernel TLS: send %s, receive %s\n", names[tx & 3],
			names[rx & 3]);
}

/* Sends back what comes until the peer says goodbye. Returns 0 or -1. */
static int
echo(int fd)
{
	struct record record;
	int rc;

	while ((rc = receive_record(fd, &record)) > 0) {
		if (record.type == TLS_RLTYPE_APP) {
			if (send_data(fd, record.data, record.len)) {
				warn("send");
				return -1;
			}
			continue;
		}
		switch (judge_control(&record)) {
		case CONTROL_IGNORED:
			break;
		case CONTROL_CLOSED:
			return send_close_notify(fd);
		case CONTROL_FATAL:
			warnx("unexpected record of type %u", record.type);
			return -1;
		}
	}
	if (rc < 0)
		warn("recvmsg");
	else
		warnx("closed without close_notify"); /* may be cut off: RFC 8446 6.1 */
	return -1;
}

int
main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	SSL_CTX *ctx = make_context(&o);
	int listener = listen_on(o.port);
	int rc;

	do {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			err(1, "accept");
		rc = handshake(ctx, fd);
		if (rc == 0) {
			report_mode(fd);
			rc = echo(fd);
		}
		close(fd);
	} while (!o.once);
	close(listener);
	SSL_CTX_free(ctx);
	return rc == 0 ? 0 : 1;
}
