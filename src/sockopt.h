/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt.h: what the two dialects' options share.
 */
#ifndef KTLS_SOCKOPT_H
#define KTLS_SOCKOPT_H

#include <netinet/in.h>

#include "session.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* Each answers 0, -errno, or SOCKOPT_PASS for what is the kernel's. */
int linux_ulp_set(int fd, const void *val, socklen_t len);
int linux_ulp_get(int fd, void *val, socklen_t *len);
int linux_tls_set(int fd, int name, const void *val, socklen_t len);
int linux_tls_get(int fd, int name, void *val, socklen_t *len);
int freebsd_set(int fd, int name, const void *val, socklen_t len);
int freebsd_get(int fd, int name, void *val, socklen_t *len);

/* Sets or replaces a direction's keys. 0, or -errno and nothing has changed. */
int sockopt_set_key(struct session *so, int fd, enum engine_direction dir,
		    const struct cipher_params *params);

/* Gives up the reference; a session that nothing is turned on in leaves its slot. */
void sockopt_drop_unused(int fd, struct session *so);

/* As the kernel hands out an int: cut to *len, which becomes the length. */
int sockopt_put_int(int value, void *val, socklen_t *len);

/* What matters here of TCP_INFO. */
struct tcp_summary {
	int state;       /* CONNECTION_*, as in the kernel's <net/tcp_states.h> */
	bool has_spoken; /* it has sent or got a segment: it was connected, or tried to be
			  */
};

enum {
	CONNECTION_ESTABLISHED = 1,
	CONNECTION_CLOSED = 7,
	CONNECTION_LISTENING = 10,
};

/* 0, or -errno when `fd` is no TCP socket. */
int sockopt_tcp_summary(int fd, struct tcp_summary *summary);

#endif
