/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sw_rx.h: receiving by records opened in user space.
 */
#ifndef KTLS_SW_RX_H
#define KTLS_SW_RX_H

#include "backend.h"

ssize_t sw_receive(struct session *so, int fd, struct rx_request *rq);

/*
 * Whether a receive would find something: a record, an error or the end of the file. If
 * not, SO_RCVLOWAT is set so that the kernel calls the socket readable once a whole
 * record is there. -errno when the state cannot be looked at.
 */
int sw_readable(struct session *so, int fd);

/*
 * FIONREAD: on entry *bytes is what the kernel has queued. Linux counts ciphertext that
 * is not opened yet; FreeBSD the plaintext of complete records. 0 or -errno.
 */
int sw_bytes_queued(struct session *so, int fd, int *bytes);

/* FreeBSD opens records when they come, so SO_ERROR there knows of a bad one that nobody
 * has received yet: leaves its errno in the socket's error slot. */
void sw_look_for_error(struct session *so, int fd);

/* With rx.lock: new keys are in place of old ones, so readers need not wait any more. */
void sw_rx_rekeyed(struct tls_socket *sock, int fd);

#endif
