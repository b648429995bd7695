/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.h: the ways to move bytes over a TCP connection that are compared.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <sys/types.h>

#include "bench.h"

struct conn {
	int fd;
	void *tls;    /* the TLS library's connection, where there is one */
	size_t left;  /* sender: bytes of the current message not yet sent */
	uint64_t pos; /* receiver: bytes received */
};

/*
 * Sending and receiving return the bytes moved, or 0 where a nonblocking socket would
 * block. Anything else, the end of the stream included, ends the worker with a message.
 */
struct transport {
	void (*setup)(const struct job *job);
	void (*open)(struct conn *conn, const struct job *job);
	size_t (*send)(struct conn *conn, const void *data, size_t len);
	size_t (*send_file)(struct conn *conn, int file, off_t offset, size_t len);
	size_t (*recv)(struct conn *conn, void *data, size_t len);
	bool (*uses_ktls)(const struct conn *conn, enum side side);
};

extern const struct transport transport_plain, transport_raw, transport_ssl;
#ifdef HAVE_GNUTLS
extern const struct transport transport_gnutls;
#endif

/* As read(2) and friends report it: bytes moved, or -1 and errno. */
size_t moved(const char *what, ssize_t n);

#endif
