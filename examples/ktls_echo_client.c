/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls_echo_client.c: a TLS 1.3 client in which OpenSSL does the handshake and the socket
 * does everything after it: sends stdin, prints what comes back.
 *
 *	openssl s_server -tls1_3 -rev -cert cert.pem -key key.pem -accept 4433 &
 *	echo hello | ktls_echo_client -p 4433 -c cert.pem
 */
#include <err.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktls_record.h"
#include "tls13_keys.h"

struct options {
	const char *host, *port;
	const char *ca;          /* NULL: the system's certificates */
	const char *ciphersuite; /* NULL: OpenSSL's choice */
};

static const char usage[] =
	"usage: ktls_echo_client -p PORT [-h HOST] [-c CERT] [-C CIPHERSUITE]\n"
	"  -p PORT         port to connect to\n"
	"  -h HOST         the server, default localhost\n"
	"  -c CERT         trust this certificate, PEM; default: the system's\n"
	"  -C CIPHERSUITE  e.g. TLS_AES_128_GCM_SHA256\n";

static struct options
parse_options(int argc, char **argv)
{
	struct options o = {.host = "localhost"};
	int c;

	while ((c = getopt(argc, argv, "p:h:c:C:")) != -1) {
		switch (c) {
		case 'p':
			o.port = optarg;
			break;
		case 'h':
			o.host = optarg;
			break;
		case 'c':
			o.ca = optarg;
			break;
		case 'C':
			o.ciphersuite = optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (!o.port || optind != argc) {
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
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		die_openssl("SSL_CTX_new");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (o->ca ? SSL_CTX_load_verify_file(ctx, o->ca) != 1
		  : SSL_CTX_set_default_verify_paths(ctx) != 1)
		die_openssl(o->ca ? o->ca : "default certificates");
	if (o->ciphersuite && SSL_CTX_set_ciphersuites(ctx, o->ciphersuite) != 1)
		die_openssl(o->ciphersuite);
	return ctx;
}

static int
connect_to(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int fd = -1;
	int rc = getaddrinfo(host, port, &hints, &list);

	if (rc)
		errx(1, "%s: %s", host, gai_strerror(rc));
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
		if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		err(1, "%s:%s", host, port);
	freeaddrinfo(list);
	return fd;
}

/* The handshake, and then the keys to the socket. */
static void
handshake(SSL_CTX *ctx, int fd, const char *host)
{
	struct tls13_secrets secrets;
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, fd) || !SSL_set1_host(ssl, host))
		die_openssl("SSL_new");
	tls13_catch_secrets(ssl, &secrets);
	if (SSL_connect(ssl) != 1)
		die_openssl("handshake failed");
	/*
	 * The server's session tickets come after its Finished. SSL_connect() does not
	 * wait for them: they stay in the socket, and are ours, from record number 0.
	 */
	if (tls13_enable_ktls(ssl, &secrets))
		exit(1);
	/* From here on the socket needs no OpenSSL; SSL_free() sends nothing. */
	SSL_free(ssl);
}

/* Prints a record that came. Returns 1 when the server has said goodbye. */
static int
receive(int fd)
{
	struct record record;
	int rc = receive_record(fd, &record);

	if (rc < 0)
		err(1, "recvmsg");
	if (rc == 0) /* RFC 8446 6.1: somebody may have cut the connection */
		errx(1, "closed without close_notify");
	if (record.type == TLS_RLTYPE_APP) {
		if (fwrite(record.data, 1, record.len, stdout) < record.len ||
		    fflush(stdout))
			err(1, "stdout");
		return 0;
	}
	switch (judge_control(&record)) {
	case CONTROL_IGNORED:
		return 0;
	case CONTROL_CLOSED:
		return 1;
	default:
		errx(1, "unexpected record of type %u", record.type);
	}
}

/* Sends a piece of stdin. Returns 0 at its end, having said goodbye. */
static int
send_stdin(int fd)
{
	uint8_t data[TLS_MAX_MSG_SIZE_V10_2];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n < 0)
		err(1, "stdin");
	if (n > 0 ? send_data(fd, data, (size_t)n) : send_close_notify(fd))
		err(1, "send");
	return n > 0;
}

/*
 * An event loop as with any socket: poll(2) reports the socket when a whole record is
 * there, so receive_record() does not block. close_notify ends our direction only
 * (RFC 8446 6.1); the server's last lines may still come.
 */
static void
talk(int fd)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if (fds[0].revents && receive(fd))
			return;
		if (fds[1].revents && !send_stdin(fd))
			fds[1].fd = -1;
	}
}

int
main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	SSL_CTX *ctx = make_context(&o);
	int fd = connect_to(o.host, o.port);

	handshake(ctx, fd, o.host);
	talk(fd);
	close(fd);
	SSL_CTX_free(ctx);
	return 0;
}
