/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm.h: memory for what belongs to a socket and not to a process, shared across fork(2).
 *
 * It comes in slabs of anonymous shared memory. A slab that a fork(2) has made common to
 * two processes is given to no new socket by either; each unmaps it when its last socket
 * there is gone, and the kernel frees it with the last of them. So nobody has to count
 * references across processes that may be killed.
 */
#ifndef KTLS_SHM_H
#define KTLS_SHM_H

#include <stddef.h>
#include <stdint.h>

struct tls_socket;

/* Room for the longest record and a bit: pages come and go with use. */
enum {
	SHM_BUFFER_LEN = 5 * 4096
};

/* Zeroed; NULL when there is no memory. Not async-signal-safe. */
struct tls_socket *shm_socket_alloc(void);
/* Gives its buffers back and wipes it, unless another process may use it still.
 * Async-signal-safe. */
void shm_socket_free(struct tls_socket *socket);

/* A buffer of SHM_BUFFER_LEN bytes from the socket's slab, not zeroed; there are two for
 * each socket, so a socket that holds at most two always gets them. Lock-free,
 * async-signal-safe. */
uint8_t *shm_buffer_alloc(struct tls_socket *socket);
void shm_buffer_free(struct tls_socket *socket, uint8_t *buffer);

/* Before and after fork(2): slabs in use become common. */
void shm_before_fork(void);
/* In a child, however it was made. */
void shm_in_child(void);

#endif
