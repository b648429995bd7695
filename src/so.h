/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * so.h: what the socket calls mean on a TLS socket; the entry points call these.
 *
 * All return what the libc call of that name returns, or -errno.
 */
#ifndef KTLS_SO_H
#define KTLS_SO_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "session.h"

/* sosend.c: the direction TX has keys. `msg` brings the control messages or is NULL. */
ssize_t so_send(struct session *so, int fd, const struct iovec *iov, size_t count,
		const struct msghdr *msg, int flags);
ssize_t so_sendto(struct session *so, int fd, const void *buf, size_t n, int flags,
		  const struct sockaddr *addr, socklen_t len);
ssize_t so_sendmsg(struct session *so, int fd, const struct msghdr *msg, int flags);
int so_sendmmsg(struct session *so, int fd, struct mmsghdr *vec, unsigned n, int flags);
ssize_t so_sendfile(struct session *so, int fd, int in, off_t *off, size_t n);
ssize_t so_splice_in(struct session *so, int fd, int pipe, size_t n, unsigned flags);

/* Whether a message for a socket without TX keys asks for a TLS record type, which is
 * EINVAL then (FreeBSD), lest it goes out in the clear: Linux ignores what it does not
 * know. */
bool so_sets_record_type(const struct msghdr *msg);
/* Any session; the direction need not have keys. */
int so_connect(struct session *so, int fd, const struct sockaddr *addr, socklen_t len);

/* soreceive.c: the direction RX has keys. `msg` takes the control messages or is NULL. */
ssize_t so_receive(struct session *so, int fd, const struct iovec *iov, size_t count,
		   struct msghdr *msg, int flags);
ssize_t so_recvmsg(struct session *so, int fd, struct msghdr *msg, int flags);
int so_recvmmsg(struct session *so, int fd, struct mmsghdr *vec, unsigned n, int flags,
		struct timespec *timeout);
ssize_t so_splice_out(struct session *so, int fd, int pipe, size_t n, unsigned flags);

/* Readable bytes as FIONREAD counts them. */
int so_readable_bytes(struct session *so, int fd, int *bytes);

/*
 * sockopt.c. These look at options and sockets of every kind; SOCKOPT_PASS means: not one
 * of ours, ask the real function.
 */
enum {
	SOCKOPT_PASS = 1
};
int so_setsockopt(int fd, int level, int name, const void *val, socklen_t len);
int so_getsockopt(int fd, int level, int name, void *val, socklen_t *len);

#endif
