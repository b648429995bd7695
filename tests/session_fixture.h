/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_fixture.h: a descriptor with TLS on it, and the oracle as its peer.
 */
#ifndef KTLS_TESTS_SESSION_FIXTURE_H
#define KTLS_TESTS_SESSION_FIXTURE_H

#include "oracle.h"
#include "session.h"

enum {
	WITH_TX = 1,
	WITH_RX = 2,
	FIRST_SEQ = 0x7ffffffd, /* carries into the upper half within a few records */
};

struct tls_end {
	int fd;
	int peer; /* -1 where a test plays the kernel itself */
	struct session *so;
	struct oracle oracle; /* the keys, as both sides know them */
	uint64_t seq;         /* of the peer's next record, sent or received */
};

/* Before a suite's tests: only the userspace backend; libc behind `real`. */
void prepare_library(void);

/* Two connected TCP sockets on the loopback interface, without Nagle's delay. */
void tcp_pair(int *fd, int *peer);

/* A session on end->fd with the same key in the directions of `with`. */
void turn_on(struct tls_end *end, const char *suite, int minor, enum record_rules rules,
	     int with);

/* The same on a TCP pair, and on a socket that nothing is connected to. */
void open_pair(struct tls_end *end, const char *suite, int minor, enum record_rules rules,
	       int with);
void open_alone(struct tls_end *end, const char *suite, int minor,
		enum record_rules rules, int with);
void close_end(struct tls_end *end);

/* The peer's next record, built at `out`; its length. */
size_t peer_seals(struct tls_end *end, uint8_t type, const uint8_t *payload, size_t len,
		  uint8_t *out);

/* The peer opens the record at `wire`, of at most `len` bytes. Payload bytes, or -1;
 * *used is the record's length. */
ssize_t peer_opens(struct tls_end *end, const uint8_t *wire, size_t len, size_t *used,
		   struct oracle_opened *opened);

/* Bytes that differ from those around them, and their place in the stream tells them. */
void fill_pattern(uint8_t *p, size_t n, size_t start);

/* A page that nobody may touch, and one that is read-only. */
void *bad_page(void);
void *read_only_page(void);

#endif
