/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h: the state of one TLS socket, who owns it, and how descriptors lead to it.
 *
 * A TLS socket's state is in two parts. `struct tls_socket` is what belongs to the
 * socket: shared memory, common to all processes that inherited the descriptor. `struct
 * session` is one process's handle on it: reference count and engine contexts.
 *
 * Lifetime. An option that turns TLS on creates the session. Each descriptor slot holds a
 * reference and so does each call in progress. The last one to go wipes the keys and
 * frees both parts. After fork(2) each process has its own handles with its own counts.
 *
 * Lock order: tx.lock before rx.lock; never a lock while waiting for the peer.
 */
#ifndef KTLS_SESSION_H
#define KTLS_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cipher.h"
#include "lock.h"
#include "record_rx.h"

struct backend;

/* Directions, as the engines number them. */
#define TX ENGINE_SEAL
#define RX ENGINE_OPEN

/* What tls_socket.tx.buffer holds. */
enum tx_holds {
	TX_NOTHING,
	TX_OPEN, /* plaintext of a record kept open by MSG_MORE: buffer[0..len) */
	TX_TAIL, /* ciphertext that the kernel did not take yet: buffer[off..len) */
};

/* What tls_socket.rx.buffer holds. */
enum rx_holds {
	RX_NOTHING,
	RX_PREFIX, /* the first `len` bytes of a record whose last byte has not come */
	RX_PLAIN,  /* a record's plaintext: buffer[off..len) is still to be delivered, and
		    * its  last `queued` bytes of ciphertext are still in the kernel */
};

/*
 * Locking key: (c) constant after the option that set it; (t) tx.lock; (r) rx.lock;
 * (a) atomic. The states of rx are explained in sw_rx.c, those of tx in sw_tx.c.
 */
struct tls_socket {
	uint32_t magic;        /* (c) TLS_SOCKET_MAGIC while in use */
	_Atomic uint8_t rules; /* (a) enum record_rules: which dialect turned it on */
	_Atomic bool ulp;      /* (a) TCP_ULP "tls" is set */
	_Atomic bool dropped;  /* (a) FreeBSD: connection dropped after a bad header */
	_Atomic bool poisoned; /* (a) a process died inside: EIO for ever */
	_Atomic int error;     /* (a) so_error: one errno, handed out once */
	_Atomic int app_lowat; /* (a) SO_RCVLOWAT as the program set it, 0: never */
	_Atomic uint32_t zerocopy_ro;   /* (a) TLS_TX_ZEROCOPY_RO */
	_Atomic uint32_t expect_no_pad; /* (a) TLS_RX_EXPECT_NO_PAD */

	struct {
		struct owner_lock lock;
		_Atomic bool on;   /* (a) keys are set */
		uint8_t backend;   /* (c) index of the backend */
		uint8_t holds;     /* (t) enum tx_holds */
		bool held_back;    /* (t) TX_TAIL: its last plaintext byte is not yet
				    * reported as sent */
		uint32_t off, len; /* (t) into buffer */
		uint32_t tail;     /* (t) number of the last TX_TAIL, never 0 */
		uint32_t sndbuf;   /* (t) SO_SNDBUF when last asked, 0: unknown */
		uint32_t sends;    /* (t) since sndbuf was asked */
		bool blocking;     /* (t) O_NONBLOCK was off then: only a hint */
		uint8_t *buffer;   /* (t) shm_buffer_alloc()ed or NULL */
		struct cipher_state cipher; /* (t) */
	} tx;

	struct {
		struct owner_lock lock;
		_Atomic bool on;    /* (a) keys are set */
		uint8_t backend;    /* (c) */
		uint8_t holds;      /* (r) enum rx_holds */
		uint8_t type;       /* (r) RX_PLAIN: content type */
		uint8_t wire_minor; /* (r) RX_PLAIN: minor version in its header */
		bool told;          /* (r) RX_PLAIN: FreeBSD's header cmsg is delivered */
		_Atomic bool rekey_pending; /* (a) KeyUpdate received: EKEYEXPIRED */
		int failed;         /* (r) errno: no record after this one can be read */
		bool failed_header; /* (r) because of its header, not its tag */
		bool failed_told;   /* (r) and a receive has reported it */
		uint32_t off, len;  /* (r) into buffer */
		uint32_t queued;    /* (r) RX_PLAIN */
		_Atomic int lowat;  /* (a) SO_RCVLOWAT in the kernel, 0: untouched */
		uint8_t *buffer;    /* (r) */
		struct cipher_state cipher; /* (r) */
	} rx;
};

#define TLS_SOCKET_MAGIC 0x6b746c73u /* "ktls" */

/* One process's handle. Lies in memory that never becomes anything else, so that a lookup
 * may look at it before it holds a reference. */
struct session {
	_Atomic uint32_t refs; /* 0: free */
	struct session *next_free;
	uint32_t made_in;        /* self_generation() of the process that turned TLS on */
	struct tls_socket *sock; /* constant while refs > 0 */
	struct cipher_context context[2]; /* by direction, under that direction's lock */
};

/* Where sessions hang: one slot for each descriptor. */
enum {
	FDTAB_SIZE = 1 << 20
};
extern _Atomic(struct session *) fdtab[FDTAB_SIZE];
/* Sessions of this process: while there are none, nothing else needs a look. */
extern _Atomic uint32_t sessions_live;
extern _Atomic bool sessions_seen; /* there has been one */

/* The slow half of the lookups below. */
struct session *session_acquire(int fd, struct session *seen);

/*
 * The session of `fd` with a reference, or NULL: not a TLS socket. While another thread
 * closes the descriptor this waits; for the closing thread itself (a signal handler in
 * its close) it is session_closing, on which every call fails with EBADF.
 */
static inline struct session *
session_get(int fd)
{
	if ((unsigned)fd >= FDTAB_SIZE)
		return NULL;
	struct session *so = atomic_load_explicit(&fdtab[fd], memory_order_acquire);
	return __builtin_expect(so == NULL, 1) ? NULL : session_acquire(fd, so);
}

extern struct session session_closing;

void session_put(struct session *so);

/* Only when that direction has keys. */
static inline struct session *
session_with(int fd, enum engine_direction dir)
{
	struct session *so = session_get(fd);

	if (__builtin_expect(so == NULL, 1))
		return NULL;
	if (so == &session_closing || (dir == TX ? so->sock->tx.on : so->sock->rx.on))
		return so;
	session_put(so);
	return NULL;
}

/* The session of a socket that is to become a TLS socket: the one there is, or a new one
 * in the slot. With a reference. NULL when there is no memory or `fd` is too large. */
struct session *session_make(int fd, enum record_rules rules);

/* Descriptor `to` is now what `from` is. Either may hold no session. */
void session_copy_slot(int from, int to);

/*
 * close(2) and what replaces a descriptor: session_detach() before, session_detached()
 * after the real call. Between the two, lookups by others wait, so that no byte slips
 * past TLS. `closed` false puts the session back. NULL: nothing there.
 */
struct session *session_detach(int fd);
void session_detached(int fd, struct session *so, bool closed);

/* The number was given to a new socket: whatever the slot holds is stale. */
void session_forget(int fd);

/* The lowest descriptor in [first, last] with a session, or -1. */
int session_next_fd(unsigned first, unsigned last);

/*
 * Take a direction's lock and make this process's engine context fit its keys. 0; -EIO
 * when the state cannot be trusted any more; -EDEADLK inside a signal handler that
 * interrupted the holder; -EBADF for session_closing; -ENOMEM.
 */
int session_lock(struct session *so, int fd, enum engine_direction dir);
/* Waits until no call is inside the session with a descriptor that was just detached. */
void session_quiesce(struct session *so);
/* Makes calls on `fd`, no TLS socket, wait until session_replaced(). */
bool session_reserve(int fd);
/* `fd`, detached from `old` or reserved (NULL), is `so` now (NULL: nothing). Takes the
 * caller's reference on `so`. */
void session_replaced(int fd, struct session *old, struct session *so);
void session_unlock(struct session *so, enum engine_direction dir);

/* What a nonblocking or blocking call answers when session_lock said -EDEADLK. */
int session_busy_errno(int fd, int flags);

/* The socket's pending error, once; 0 when there is none. */
int session_take_error(struct session *so);

#endif
