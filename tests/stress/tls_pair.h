/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_pair.h: a TLS socket of Linux's dialect and its peer, which is no TLS socket: there
 * every byte on the wire can be seen and is checked. AES-128-GCM by OpenSSL.
 *
 * All that goes wrong here ends the program with a message and status 1.
 */
#ifndef KTLS_TESTS_STRESS_TLS_PAIR_H
#define KTLS_TESTS_STRESS_TLS_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RECORD_PAYLOAD = 16384,
	TLS12 = 3, /* minor version numbers */
	TLS13 = 4,
};

/* One direction of a connection. */
struct tls_keys {
	uint8_t key[16];
	uint8_t iv[12]; /* TLS 1.2: the first 4 are the salt */
	uint64_t seq;   /* of the next record */
	uint64_t nonce; /* TLS 1.2: the last explicit nonce seen */
	bool seen;      /* there was one */
};

struct tls_pair {
	int minor;
	int fd;               /* the TLS socket */
	int peer;             /* the other end */
	struct tls_keys sent; /* by the TLS socket */
	struct tls_keys back; /* to it */
};

/* How a connection's bytes came to an end for the peer. */
enum pair_end {
	PAIR_CLEAN = 0, /* behind a whole record, or by a reset */
	PAIR_CUT = -1,  /* inside a record that was good until there */
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program when it takes longer than this many seconds. */
void deadline(unsigned seconds);
/* xorshift: the same seed, the same numbers. */
uint32_t random_next(uint32_t *state);

/* Two connected TCP sockets on 127.0.0.1. */
void tcp_pair(int *a, int *b);
/* A new connection with keys made from `seed`, TLS on at p->fd. */
void pair_open(struct tls_pair *p, int minor, uint32_t seed);
/* Turns TLS on; 0 or the errno of a call that failed. */
int pair_enable(const struct tls_pair *p, int fd);

/* The peer takes one record. Its payload's length, or an enum pair_end. Anything but a
 * record of application data that authenticates is fatal. */
ssize_t pair_take(struct tls_pair *p, uint8_t payload[RECORD_PAYLOAD]);
/* The peer sends a record; false when the connection is gone. */
bool pair_give(struct tls_pair *p, const void *payload, size_t n);

/* Messages, which tell who sent them and what must be in them. */
enum {
	MESSAGE_HEADER = 12,
};
/* Fills `n` bytes, at least MESSAGE_HEADER. */
void message_make(uint8_t *m, size_t n, uint32_t sender, uint32_t number);
/* Checks what lies at `m`: its length or 0 when `have` bytes are not all of it. */
size_t message_check(const uint8_t *m, size_t have, uint32_t *sender, uint32_t *number);

#endif
