/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enable_call.h: one TCP_TXTLS_ENABLE or TCP_RXTLS_ENABLE, to be spoilt.
 */
#ifndef KTLS_TESTS_ENABLE_CALL_H
#define KTLS_TESTS_ENABLE_CALL_H

#include "peer.h"

struct call {
	int option;
	int fd[2];
	int sock; /* one of fd[], or a socket of its own */
	struct keys k;
	struct tls_enable en;
	const void *val;
	socklen_t len;
};

/* A good call, on a connection of its own. */
void call_make(struct call *c, int option, const struct suite *suite);
int call(const struct call *c);
void call_close(struct call *c);

#endif
