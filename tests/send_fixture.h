/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_fixture.h: the test as the kernel of a sending socket: what it takes goes to the
 * oracle. Records are made short, so that every place where the kernel can stop is tried.
 */
#ifndef KTLS_TESTS_SEND_FIXTURE_H
#define KTLS_TESTS_SEND_FIXTURE_H

#include "session_fixture.h"

enum {
	SHORT_RECORD = 48, /* payload of a full one, most of the time */
	WIRE_MAX = 1 << 20,
	TEXT_LEN = 300000,
};

/* What the kernel does next, and what it has got. */
extern struct send_net {
	uint8_t wire[WIRE_MAX];
	size_t len;
	size_t room;      /* bytes to take from now on */
	int error;        /* with no room: this errno */
	bool writable;    /* what a poll says when there is no room */
	size_t new_room;  /* comes when somebody waits */
	int calls, waits; /* sends with bytes in them; waits for room */
	int error_once;   /* the next send fails with it */
	int last_flags;
	int sndbuf;
} net;

extern uint8_t text[TEXT_LEN];

/* Suites whose nonces work in four ways: counted apart, by sequence number, random, and
 * chained from record to record. */
enum {
	GCM = 0,
	CHACHA = 1,
	CBC12 = 2,
	CBC10 = 3,
	KINDS,
};
struct kind {
	const char *suite;
	int minor;
};
extern const struct kind kinds[KINDS];

/* What the peer makes of the wire: the plaintext, and each record's type and length. */
extern struct peer_view {
	uint8_t plain[WIRE_MAX];
	size_t len;
	int count;
	uint8_t type[4096];
	size_t record[4096];
	size_t rest; /* bytes of a record that is not complete */
} peer;

/* For TestSuite's .init. */
void prepare_send(void);
/* The kernel takes `room` bytes now; all of the rest when it is waited for. */
void reset_net(size_t room);

void open_kind(struct tls_end *end, int kind, enum record_rules rules);

/* True when all that is on the wire are valid records in order. */
bool read_wire(struct tls_end *end);
bool peer_has_text(size_t n);

ssize_t send_bytes(struct tls_end *end, size_t from, size_t n, int flags);
/* A send with a record type set. */
ssize_t send_typed(struct tls_end *end, uint8_t type, size_t from, size_t n, int flags);

#endif
