/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink.h: a raw end that takes bytes as they come and compares what the records among
 * them hold with what was sent.
 */
#ifndef KTLS_TESTS_SINK_H
#define KTLS_TESTS_SINK_H

#include "peer.h"

struct sink {
	struct keys *k;
	uint8_t type;
	const uint8_t *data; /* all that must come */
	size_t len;
	size_t done;
	size_t have; /* bytes of the next record */
	struct wire_record r;
};

/* Reads at most `limit` bytes, without waiting; false when none are there. */
bool sink_read(struct sink *s, int fd, size_t limit);
/* Waits and reads until all has come. */
void sink_finish(struct sink *s, int fd);

/* A connection with small segments and buffers; fd[1] sends records. TCP has to be told
 * of small segments, or it waits for the peer's window to have room for a large one. */
void narrow_pair(int fd[2], const struct suite *suite, struct keys *k, int sndbuf,
		 int rcvbuf);

#endif
