/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * receive_fixture.h: the test as the kernel of a receiving socket: a queue behind
 * `real.recv` and `real.recvmsg`, with SO_RCVLOWAT as tcp(7) has it. Bytes arrive when
 * the test says so, or when a call blocks.
 */
#ifndef KTLS_TESTS_RECEIVE_FIXTURE_H
#define KTLS_TESTS_RECEIVE_FIXTURE_H

#include "real.h"
#include "session_fixture.h"

enum {
	WIRE_MAX = 1 << 20,
	NOT_THERE = -1,
	TEXT_LEN = 200000,
	GUARD = 0xa5,
};

/* The receive queue is wire[taken..come); up to `len` more arrives later. */
extern struct receive_net {
	uint8_t wire[WIRE_MAX];
	size_t taken, come, len;
	size_t step; /* bytes that arrive when a call blocks; 0: none may */
	bool fin;    /* what comes behind `len` */
	int error;   /* or this, once */
	int lowat, lowat_calls;
} net;

extern uint8_t text[TEXT_LEN];
extern uint8_t got[TEXT_LEN];
extern struct real_calls libc; /* to play with the real kernel */

size_t net_queued(void);
void net_arrive(size_t n);
/* tcp_poll(): enough bytes, or the end. */
bool net_readable(void);

enum {
	CHACHA13 = 0,
	CHACHA12 = 1,
	GCM12 = 2,
	LINUX_KINDS = 3,
	BSD13 = LINUX_KINDS,
	BSD12 = 4,
	BSD_CBC = 5,
	KINDS,
};
struct kind {
	const char *suite;
	int minor;
	enum record_rules rules;
};
extern const struct kind kinds[KINDS];

/* For TestSuite's .init. */
void prepare_receive(void);

void open_kind(struct tls_end *end, int kind);

/* The peer sends a record of text[from..from + n), which does not arrive yet. Where it
 * ends on the wire. */
size_t peer_sends(struct tls_end *end, uint8_t type, size_t from, size_t n);

ssize_t receive(struct tls_end *end, void *buf, size_t n, int flags);

/* recvmsg with a control buffer. */
struct message {
	ssize_t n;
	int flags;
	size_t controllen;
	int type;  /* content type, NOT_THERE without a control message */
	int len;   /* FreeBSD: tls_length */
	int minor; /* FreeBSD */
};
struct message receive_message(struct tls_end *end, void *buf, size_t n,
			       size_t controllen, int flags);

bool is_text(const uint8_t *p, size_t from, size_t n);

#endif
