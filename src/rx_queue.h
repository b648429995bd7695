/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_queue.h: where in the kernel's receive queue the next record is, and telling the
 * kernel how much of it is missing.
 *
 * All with rx.lock held.
 */
#ifndef KTLS_RX_QUEUE_H
#define KTLS_RX_QUEUE_H

#include "session.h"

/* What looking for a record led to; negative values are -errno. */
enum rx_outcome {
	RX_FOUND = 0,
	RX_NEED_BYTES, /* no complete record is there */
	RX_EOF,
	RX_STOP, /* used by sw_rx.c: enough for this call */
};

/* A record that lies complete in memory, or whose header is bad. */
struct rx_found {
	uint8_t *bytes;
	uint32_t len;    /* with its header */
	uint32_t queued; /* how many of its last bytes are still in the kernel */
	enum record_verdict verdict;
	int error; /* of a bad header */
};

/*
 * Finds the record at the head; never takes its last byte. When it is incomplete its
 * bytes move to the buffer (RX_PREFIX). `scratch` has SCRATCH_LEN bytes; *have is how
 * much of it was filled from the queue, beginning with the record, or 0 when that is in
 * the buffer. `want` bytes are looked at, or all of the first record when it is longer.
 */
int rx_queue_head(struct tls_socket *sock, int fd, uint8_t *scratch, size_t want,
		  struct rx_found *found, size_t *have);

/* Keeps the incomplete record at `bytes`; they may then be discarded. 0 or -ENOMEM. */
int rx_queue_keep_prefix(struct tls_socket *sock, const uint8_t *bytes, size_t n);

/* There is a buffer afterwards, or -ENOMEM. */
int rx_buffer_need(struct tls_socket *sock);
/* RX_NOTHING afterwards. */
void rx_buffer_drop(struct tls_socket *sock);

/* Bytes that must arrive before the record at the head is complete, as far as known. */
int rx_queue_missing(const struct tls_socket *sock);

/* While new keys are awaited: SO_RCVLOWAT cannot keep the kernel any more silent. */
bool rx_lowat_is_highest(const struct tls_socket *sock, int fd);

/* SO_RCVLOWAT for a program that waits for readiness, for one that is served, and for one
 * that blocks in a call. */
void rx_lowat_for_poll(struct tls_socket *sock, int fd);
void rx_lowat_after_delivery(struct tls_socket *sock, int fd);
void rx_lowat_for_blocking(struct tls_socket *sock, int fd);

#endif
