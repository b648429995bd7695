/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_look.c: looks at records without taking them.
 */
#include "rx_look.h"

#include "real.h"
#include "rx_open.h"
#include "scratch.h"

/* A look at the records behind the one in RX_PLAIN: opened with a copy of the cipher's
 * state, then forgotten again. */
struct lookout {
	struct cipher_state cipher;
	uint8_t *bytes;
	size_t at, have;
};

static struct lookout
lookout_open(struct tls_socket *sock, int fd, uint8_t *scratch)
{
	ssize_t n = sock_peek(fd, scratch, SCRATCH_LEN);

	return (struct lookout){.cipher = sock->rx.cipher,
				.bytes = scratch,
				.at = sock->rx.queued,
				.have = n < 0 ? 0 : (size_t)n};
}

/* The next record's plaintext, or -1 when there is none that is complete and good. */
static ssize_t
lookout_next(struct lookout *l, struct session *so, uint8_t **plain, uint8_t *type)
{
	uint8_t *record = l->bytes + l->at;

	if (l->at >= l->have || so->sock->rx.rekey_pending)
		return -1;
	struct record_header h =
		record_parse(&l->cipher, so->sock->rules, record, l->have - l->at);
	if (h.verdict != RECORD_COMPLETE)
		return -1;
	*plain = record + l->cipher.geo.hlen;
	l->at += h.length;
	ssize_t len =
		record_open(&l->cipher, &so->context[RX], record, h.length, *plain, type);
	return len < 0 ? -1 : len;
}

size_t
rx_peek_following(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch)
{
	struct lookout l = lookout_open(so->sock, fd, scratch);
	uint8_t *plain, type;
	size_t got = 0;

	while (rq->to.left > 0) {
		ssize_t len = lookout_next(&l, so, &plain, &type);
		if (len < 0 || type != CONTENT_DATA)
			break;
		ssize_t given = iov_cursor_put(&rq->to, plain, (size_t)len);
		if (given < 0)
			break;
		got += (size_t)given;
	}
	secure_wipe(&l, sizeof(l));
	return got;
}

size_t
rx_plaintext_queued(struct session *so, int fd, uint8_t *scratch)
{
	struct tls_socket *sock = so->sock;
	struct rx_request head = {.any_type = true, .peek = true, .flags = MSG_DONTWAIT};
	uint8_t *plain, type;
	size_t sum = 0;
	ssize_t len;
	int why;

	/* A peek without room opens the first record and takes nothing. */
	if (sock->rx.holds != RX_PLAIN && sock->rx.failed == 0)
		rx_receive_ready(so, fd, &head, scratch, &why);
	if (sock->rx.holds != RX_PLAIN)
		return 0;
	struct lookout l = lookout_open(sock, fd, scratch);
	while ((len = lookout_next(&l, so, &plain, &type)) >= 0)
		sum += (size_t)len;
	secure_wipe(&l, sizeof(l));
	return sum + sock->rx.len - sock->rx.off;
}
