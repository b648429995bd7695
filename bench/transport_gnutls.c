/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport_gnutls.c: GnuTLS with its records in userspace, for comparison.
 */
#include <err.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport.h"

static gnutls_psk_server_credentials_t server;
static gnutls_psk_client_credentials_t client;
static gnutls_priority_t priority;
static unsigned char *file_buffer;
static size_t file_buffer_len;

static void
check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, gnutls_strerror(result));
}

static int
find_key(gnutls_session_t session, const char *user, gnutls_datum_t *key)
{
	(void)session;
	(void)user;
	key->data = gnutls_malloc(16);
	key->size = 16;
	if (!key->data)
		return -1;
	for (unsigned i = 0; i < key->size; i++)
		key->data[i] = (unsigned char)i;
	return 0;
}

/* A shared key instead of a certificate: the records are the same. */
static void
gnutls_setup(const struct job *job)
{
	static unsigned char hex[] = "000102030405060708090a0b0c0d0e0f";
	const gnutls_datum_t key = {hex, sizeof(hex) - 1};
	char text[256];

	snprintf(text, sizeof(text),
		 "NONE:+VERS-TLS1.%d:%s:+SHA256:+SHA384:+SIGN-ALL:+GROUP-ALL:+COMP-NULL:"
		 "+ECDHE-PSK:+PSK:%%NO_ETM:%%NO_TICKETS",
		 job->c.version % 10, bench_suites[job->c.suite].gnutls);
	check(gnutls_priority_init(&priority, text, NULL), text);
	if (job->side == RECEIVER) {
		check(gnutls_psk_allocate_server_credentials(&server), "credentials");
		gnutls_psk_set_server_credentials_function(server, find_key);
	} else {
		check(gnutls_psk_allocate_client_credentials(&client), "credentials");
		check(gnutls_psk_set_client_credentials(client, "bench", &key,
							GNUTLS_PSK_KEY_HEX),
		      "credentials");
	}
	file_buffer_len = job->c.size;
	file_buffer = malloc(file_buffer_len);
	if (!file_buffer)
		err(1, "malloc");
}

static void
gnutls_open(struct conn *conn, const struct job *job)
{
	gnutls_session_t session;
	bool receiver = job->side == RECEIVER;
	int result;

	check(gnutls_init(&session,
			  (receiver ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS),
	      "gnutls_init");
	check(gnutls_priority_set(session, priority), "gnutls_priority_set");
	check(gnutls_credentials_set(session, GNUTLS_CRD_PSK,
				     receiver ? (void *)server : (void *)client),
	      "gnutls_credentials_set");
	gnutls_transport_set_int(session, conn->fd);
	do
		result = gnutls_handshake(session);
	while (result < 0 && !gnutls_error_is_fatal(result));
	check(result, "handshake");
	conn->tls = session;
}

static size_t
result(const char *what, ssize_t n)
{
	if (n > 0)
		return (size_t)n;
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return 0;
	errx(1, "%s: %s", what,
	     n == 0 ? "the stream has ended" : gnutls_strerror((int)n));
}

static size_t
gnutls_send(struct conn *conn, const void *data, size_t len)
{
	return result("gnutls_record_send", gnutls_record_send(conn->tls, data, len));
}

static size_t
gnutls_receive(struct conn *conn, void *data, size_t len)
{
	return result("gnutls_record_recv", gnutls_record_recv(conn->tls, data, len));
}

static size_t
gnutls_send_a_file(struct conn *conn, int file, off_t offset, size_t len)
{
	if (len > file_buffer_len)
		len = file_buffer_len;
	return gnutls_send(conn, file_buffer,
			   moved("pread", pread(file, file_buffer, len, offset)));
}

const struct transport transport_gnutls = {
	.setup = gnutls_setup,
	.open = gnutls_open,
	.send = gnutls_send,
	.send_file = gnutls_send_a_file,
	.recv = gnutls_receive,
};
