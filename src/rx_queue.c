/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_queue.c: finds records in the kernel's receive queue and keeps its readiness true.
 *
 * One rule does it: we may hold any prefix of the next record, but never its last byte
 * until all of its plaintext has been delivered; and SO_RCVLOWAT is the number of bytes
 * that are missing. Then poll, select, epoll in every mode and other processes see the
 * socket readable exactly when there is something to deliver, with no wrapper of ours.
 *
 *   RX_NOTHING  the next record's first byte, if it has come, is in the kernel
 *   RX_PREFIX   buffer[0..len) are its first bytes, moved out of the kernel so that the
 *               window stays open; it is incomplete
 *   RX_PLAIN    it is complete and opened: buffer[off..len) is plaintext to be delivered;
 *               its last `queued` bytes of ciphertext stay in the kernel until that is
 * done
 *
 * So bytes are peeked, opened, and only then discarded. What was peeked and not used is
 * simply left: a later call, or another process, finds it.
 */
#include "rx_queue.h"

#include <errno.h>
#include <string.h>

#include "real.h"
#include "scratch.h"
#include "shm.h"

void
rx_buffer_drop(struct tls_socket *sock)
{
	if (sock->rx.buffer != NULL)
		shm_buffer_free(sock, sock->rx.buffer);
	sock->rx.buffer = NULL;
	sock->rx.holds = RX_NOTHING;
	sock->rx.off = sock->rx.len = sock->rx.queued = 0;
}

int
rx_buffer_need(struct tls_socket *sock)
{
	if (sock->rx.buffer == NULL)
		sock->rx.buffer = shm_buffer_alloc(sock);
	return sock->rx.buffer == NULL ? -ENOMEM : 0;
}

int
rx_queue_keep_prefix(struct tls_socket *sock, const uint8_t *bytes, size_t n)
{
	if (rx_buffer_need(sock) < 0)
		return -ENOMEM;
	memcpy(sock->rx.buffer, bytes, n);
	sock->rx.holds = RX_PREFIX;
	sock->rx.len = (uint32_t)n;
	return 0;
}

static struct record_header
parse(const struct tls_socket *sock, const uint8_t *bytes, size_t n)
{
	return record_parse(&sock->rx.cipher, sock->rules, bytes, n);
}

static void
describe(struct rx_found *found, uint8_t *bytes, const struct record_header *h,
	 uint32_t queued)
{
	*found = (struct rx_found){.bytes = bytes,
				   .len = h->length,
				   .queued = queued,
				   .verdict = h->verdict,
				   .error = h->error};
}

static int
peek_outcome(ssize_t n)
{
	return n == 0 ? RX_EOF : n == -EAGAIN ? RX_NEED_BYTES : (int)n;
}

/* RX_PREFIX: moves bytes out of the kernel until only the last ones are missing there. */
static int
prefix_head(struct tls_socket *sock, int fd, struct rx_found *found)
{
	struct record_header h = parse(sock, sock->rx.buffer, sock->rx.len);

	while (h.verdict == RECORD_INCOMPLETE) {
		ssize_t n = sock_peek(fd, sock->rx.buffer + sock->rx.len,
				      h.length - sock->rx.len);
		if (n <= 0)
			return peek_outcome(n);
		size_t have = sock->rx.len + (size_t)n;
		h = parse(sock, sock->rx.buffer, have);
		if (h.verdict != RECORD_INCOMPLETE) {
			describe(found, sock->rx.buffer, &h, (uint32_t)n);
			return RX_FOUND;
		}
		sock_discard(fd, (size_t)n);
		sock->rx.len = (uint32_t)have;
	}
	describe(found, sock->rx.buffer, &h, 0);
	return RX_FOUND;
}

int
rx_queue_head(struct tls_socket *sock, int fd, uint8_t *scratch, size_t want,
	      struct rx_found *found, size_t *have)
{
	*have = 0;
	if (sock->rx.holds == RX_PREFIX)
		return prefix_head(sock, fd, found);
	ssize_t n = sock_peek(fd, scratch, want);
	if (n <= 0)
		return peek_outcome(n);
	struct record_header h = parse(sock, scratch, (size_t)n);
	if (h.verdict == RECORD_INCOMPLETE && (size_t)n == want && h.length > want) {
		n = sock_peek(fd, scratch, h.length);
		if (n <= 0)
			return peek_outcome(n);
		h = parse(sock, scratch, (size_t)n);
	}
	if (h.verdict != RECORD_INCOMPLETE) {
		describe(found, scratch, &h, h.length);
		*have = (size_t)n;
		return RX_FOUND;
	}
	int r = rx_queue_keep_prefix(sock, scratch, (size_t)n);
	if (r < 0)
		return r;
	sock_discard(fd, (size_t)n);
	/* Once more: more may have come, and the end of the file shows only now. */
	return prefix_head(sock, fd, found);
}

int
rx_queue_missing(const struct tls_socket *sock)
{
	uint32_t have = sock->rx.holds == RX_PREFIX ? sock->rx.len : 0;

	if (sock->rx.holds == RX_PLAIN)
		return 1;
	struct record_header h = parse(sock, sock->rx.buffer, have);
	return h.length > have ? (int)(h.length - have) : 1;
}

static void
set_lowat(struct tls_socket *sock, int fd, int lowat)
{
	if (sock->rx.lowat != lowat &&
	    sock_set_int(fd, SOL_SOCKET, SO_RCVLOWAT, lowat) == 0)
		sock->rx.lowat = lowat;
}

/* More than half the buffer, and the kernel would grow it. */
static int
highest_lowat(int fd)
{
	int rcvbuf;

	return sock_get_int(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf) == 0 ? rcvbuf / 2 : 1;
}

bool
rx_lowat_is_highest(const struct tls_socket *sock, int fd)
{
	return sock->rx.lowat >= highest_lowat(fd);
}

void
rx_lowat_for_poll(struct tls_socket *sock, int fd)
{
	/* While a KeyUpdate waits for new keys nothing that comes can be read: no length
	 * is enough. */
	bool never = sock->rx.rekey_pending && sock->rx.holds != RX_PLAIN;

	set_lowat(sock, fd, never ? highest_lowat(fd) : rx_queue_missing(sock));
}

void
rx_lowat_after_delivery(struct tls_socket *sock, int fd)
{
	/* What comes next may be short. Never raised here: that would cost a system call
	 * for each delivery. */
	if (sock->rx.lowat <= 1 || (sock->rx.rekey_pending && sock->rx.holds != RX_PLAIN))
		return;
	int missing = rx_queue_missing(sock);
	if (sock->rx.lowat > missing)
		set_lowat(sock, fd, missing);
}

void
rx_lowat_for_blocking(struct tls_socket *sock, int fd)
{
	/* A blocking receive waits for so many bytes even when the window is too small
	 * for them to come; poll(2) does not. */
	if (sock->rx.lowat > RECORD_HEADER_LEN)
		set_lowat(sock, fd, 1);
}
