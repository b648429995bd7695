/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt_fixture.h: sockets in every state, and options asked of us and then of the
 * kernel, as the entry points do.
 */
#ifndef KTLS_TESTS_SOCKOPT_FIXTURE_H
#define KTLS_TESTS_SOCKOPT_FIXTURE_H

#include <sys/socket.h>

#include "session_fixture.h"

enum {
	ULP = 31, /* TCP_ULP */
};

/* 0 or -errno. */
int set(int fd, int level, int name, const void *val, size_t len);
int get(int fd, int level, int name, void *val, socklen_t *len);

int tcp_socket(void);
int listening_socket(void);
/* A connection whose peer has reset it; nothing is left of it. */
int reset_socket(void);
/* A connection with TCP_ULP "tls" on fd. */
void ulp_pair(int *fd, int *peer);
/* Closes a socket of ours as the entry point would. */
void drop(int fd);

/* `n` bytes that end where a page nobody may read begins. */
uint8_t *at_the_edge(const void *bytes, size_t n);

/* A socket's state, to see that a failed call has changed none of it. */
struct tls_socket snapshot(int fd);
bool unchanged(int fd, const struct tls_socket *before);

/* A record each way that is on, by which the peer sees that the keys are right. */
void check_wire(int fd, int peer, const struct oracle *oracle, uint64_t seq,
		const char *name);

#endif
