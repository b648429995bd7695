/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c: creates, finds, shares and ends the state of TLS sockets.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "real.h"
#include "shm.h"
#include "stats.h"

_Atomic(struct session *) fdtab[FDTAB_SIZE];
_Atomic uint32_t sessions_live;
_Atomic bool sessions_seen;

/* Which words of fdtab have sessions, so that close_range(2) over everything is quick. */
enum {
	GROUP = 64
};
static _Atomic uint32_t group_live[FDTAB_SIZE / GROUP];

static struct tls_socket closing_socket;
struct session session_closing = {.refs = 1, .sock = &closing_socket};

static pthread_mutex_t make_lock = PTHREAD_MUTEX_INITIALIZER; /* (m) creating sessions */
static _Atomic(struct session *) free_list;
static uint32_t process_generation; /* (m) that shared memory is set up for */

/*
 * A slot whose descriptor is being closed holds the closing thread's id, marked by the
 * lowest bit, which no pointer has.
 */
static struct session *
tombstone(uint32_t thread)
{
	return (struct session *)((uintptr_t)thread << 1 | 1);
}

static bool
is_tombstone(const struct session *so)
{
	return ((uintptr_t)so & 1) != 0;
}

struct session *
session_acquire(int fd, struct session *so)
{
	for (; so != NULL; so = atomic_load(&fdtab[fd])) {
		if (is_tombstone(so)) {
			if (so == tombstone(self_thread()))
				return &session_closing;
			sched_yield();
			continue;
		}
		uint32_t refs = atomic_load(&so->refs);
		if (refs == 0 ||
		    !atomic_compare_exchange_weak(&so->refs, &refs, refs + 1))
			continue;
		/* It may have been freed and reused for another socket in between. */
		if (atomic_load(&fdtab[fd]) == so)
			return so;
		session_put(so);
	}
	return NULL;
}

static void
session_free(struct session *so)
{
	struct tls_socket *sock = so->sock;

	/* A child that closes what its parent turned on must not lower the gauges in its
	 * parent's file. */
	if (stats->pid == 0 || so->made_in == self_generation())
		stats_session_gone(sock);
	atomic_fetch_sub(&sessions_live, 1);
	cipher_context_release(&so->context[TX]);
	cipher_context_release(&so->context[RX]);
	shm_socket_free(sock);
	so->next_free = atomic_load(&free_list);
	while (!atomic_compare_exchange_weak(&free_list, &so->next_free, so))
		;
}

void
session_put(struct session *so)
{
	if (so != &session_closing && atomic_fetch_sub(&so->refs, 1) == 1)
		session_free(so);
}

/* (m) Only one thread pops at a time, so the list has no ABA problem. */
static struct session *
handle_alloc(void)
{
	enum {
		CHUNK = 32
	};
	struct session *so = atomic_load(&free_list);

	while (so != NULL &&
	       !atomic_compare_exchange_weak(&free_list, &so, so->next_free))
		;
	if (so != NULL)
		return so;
	struct session *chunk = calloc(CHUNK, sizeof(*chunk));
	if (chunk == NULL)
		return NULL;
	for (int i = 1; i < CHUNK; i++) {
		chunk[i].next_free = atomic_load(&free_list);
		while (!atomic_compare_exchange_weak(&free_list, &chunk[i].next_free,
						     &chunk[i]))
			;
	}
	return chunk;
}

static void
in_parent(void)
{
	pthread_mutex_unlock(&make_lock);
}

static void
before_fork(void)
{
	pthread_mutex_lock(&make_lock);
	shm_before_fork();
}

static void
in_child(void)
{
	shm_in_child();
	pthread_mutex_unlock(&make_lock);
}

/* (m) A child of _Fork() or clone(2), for which no handler ran, finds out here. */
static void
process_check(void)
{
	uint32_t now = self_generation();

	if (process_generation == now)
		return;
	if (process_generation == 0)
		pthread_atfork(before_fork, in_parent, in_child);
	else
		shm_in_child();
	process_generation = now;
	stats_open();
}

/* (m) */
static struct session *
session_new(enum record_rules rules)
{
	process_check();
	struct tls_socket *sock = shm_socket_alloc();
	struct session *so = sock == NULL ? NULL : handle_alloc();
	if (so == NULL) {
		if (sock != NULL)
			shm_socket_free(sock);
		return NULL;
	}
	sock->magic = TLS_SOCKET_MAGIC;
	sock->rules = rules;
	so->sock = sock;
	so->made_in = process_generation;
	memset(so->context, 0, sizeof(so->context));
	atomic_fetch_add(&sessions_live, 1);
	sessions_seen = true;
	return so;
}

static void
slot_fill(int fd, struct session *so)
{
	atomic_fetch_add(&group_live[fd / GROUP], 1);
	atomic_store_explicit(&fdtab[fd], so, memory_order_release);
}

static void
slot_empty(int fd)
{
	atomic_store_explicit(&fdtab[fd], NULL, memory_order_release);
	atomic_fetch_sub(&group_live[fd / GROUP], 1);
}

struct session *
session_make(int fd, enum record_rules rules)
{
	if ((unsigned)fd >= FDTAB_SIZE)
		return NULL;
	pthread_mutex_lock(&make_lock);
	struct session *so = session_get(fd);
	if (so == NULL) {
		so = session_new(rules);
		if (so != NULL) {
			atomic_store(&so->refs, 2); /* the slot's and the caller's */
			slot_fill(fd, so);
		}
	}
	pthread_mutex_unlock(&make_lock);
	return so;
}

void
session_copy_slot(int from, int to)
{
	struct session *so = session_get(from);

	if (so == NULL)
		return;
	/* A vfork child copies its own descriptors, not those of its parent's table. */
	if (so == &session_closing || (unsigned)to >= FDTAB_SIZE ||
	    self_is_vfork_child()) {
		session_put(so);
		return;
	}
	slot_fill(to, so); /* the reference goes to the slot */
}

struct session *
session_detach(int fd)
{
	struct session *so;

	if ((unsigned)fd >= FDTAB_SIZE || atomic_load(&fdtab[fd]) == NULL)
		return NULL;
	/* A vfork child closes its own copy of the descriptor, but would clear the table
	 * of its parent: both use the same memory. */
	if (self_is_vfork_child())
		return NULL;
	so = atomic_load(&fdtab[fd]);
	while (so != NULL && !is_tombstone(so))
		if (atomic_compare_exchange_weak(&fdtab[fd], &so,
						 tombstone(self_thread())))
			return so;
	return NULL;
}

void
session_detached(int fd, struct session *so, bool closed)
{
	if (so == NULL)
		return;
	if (!closed) {
		atomic_store_explicit(&fdtab[fd], so, memory_order_release);
		return;
	}
	slot_empty(fd);
	session_put(so);
}

void
session_forget(int fd)
{
	session_detached(fd, session_detach(fd), true);
}

int
session_next_fd(unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < FDTAB_SIZE;) {
		if (atomic_load(&group_live[fd / GROUP]) == 0)
			fd = (fd / GROUP + 1) * GROUP;
		else if (atomic_load(&fdtab[fd]) != NULL)
			return (int)fd;
		else
			fd++;
	}
	return -1;
}

int
session_lock(struct session *so, int fd, enum engine_direction dir)
{
	struct tls_socket *sock = so->sock;
	struct owner_lock *lock = dir == TX ? &sock->tx.lock : &sock->rx.lock;
	const struct cipher_state *cipher =
		dir == TX ? &sock->tx.cipher : &sock->rx.cipher;
	int r;

	if (so == &session_closing)
		return -EBADF;
	r = lock_take(lock);
	if (r == -EDEADLK)
		return r;
	if (r == -EOWNERDEAD)
		sock->poisoned = true;
	if (sock->poisoned)
		r = -EIO;
	else if (fd >= 0 && atomic_load(&fdtab[fd]) != so)
		r = -EBADF; /* closed or replaced under the call */
	else
		r = cipher_context_sync(&so->context[dir], cipher, dir);
	if (r < 0)
		lock_drop(lock);
	return r;
}

void
session_quiesce(struct session *so)
{
	struct owner_lock *locks[] = {&so->sock->tx.lock, &so->sock->rx.lock};

	for (int i = 0; i < 2; i++) {
		int r = lock_take(locks[i]);
		if (r == -EOWNERDEAD)
			so->sock->poisoned = true;
		if (r != -EDEADLK)
			lock_drop(locks[i]);
	}
}

bool
session_reserve(int fd)
{
	struct session *none = NULL;

	if ((unsigned)fd >= FDTAB_SIZE || self_is_vfork_child() ||
	    !atomic_compare_exchange_strong(&fdtab[fd], &none, tombstone(self_thread())))
		return false;
	atomic_fetch_add(&group_live[fd / GROUP], 1);
	return true;
}

void
session_replaced(int fd, struct session *old, struct session *so)
{
	if (so == NULL)
		slot_empty(fd);
	else
		atomic_store_explicit(&fdtab[fd], so, memory_order_release);
	if (old != NULL)
		session_put(old);
}

void
session_unlock(struct session *so, enum engine_direction dir)
{
	lock_drop(dir == TX ? &so->sock->tx.lock : &so->sock->rx.lock);
}

int
session_busy_errno(int fd, int flags)
{
	return (flags & MSG_DONTWAIT) != 0 || sock_nonblocking(fd) ? -EAGAIN : -EINTR;
}

int
session_take_error(struct session *so)
{
	return atomic_load(&so->sock->error) == 0 ? 0
						  : atomic_exchange(&so->sock->error, 0);
}
