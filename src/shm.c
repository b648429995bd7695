/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm.c: slabs of shared memory for sockets and their record buffers.
 */
#include "shm.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "real.h"
#include "session.h"

enum {
	SLAB_SOCKETS = 64,
	SLAB_BUFFERS = 2 * SLAB_SOCKETS,
	SLAB_LEN =
		4 << 20, /* its own alignment too, so that a pointer leads to its slab */
	SOCKET_STRIDE = (sizeof(struct tls_socket) + 63) & ~63u, /* whole cache lines */
	BUFFERS_OFFSET = 4096 + SLAB_SOCKETS * SOCKET_STRIDE,
};
_Static_assert(BUFFERS_OFFSET + SLAB_BUFFERS * SHM_BUFFER_LEN <= SLAB_LEN, "all fits");

/* The first page of a slab; shared, so both processes agree on the buffers. */
struct slab {
	_Atomic uint64_t sockets_used;
	_Atomic uint64_t buffers_used[SLAB_BUFFERS / 64];
};

/* This process's view of a slab. Entries are reused, never freed. */
struct slab_view {
	_Atomic(struct slab *) slab; /* NULL: entry free */
	_Atomic uint32_t live;       /* sockets this process uses there */
	_Atomic bool common;         /* another process may use it too: nothing new */
	struct slab_view *next;      /* constant once linked */
};

static pthread_mutex_t grow_lock = PTHREAD_MUTEX_INITIALIZER; /* (g) making slabs */
static _Atomic(struct slab_view *) views;

static struct slab *
slab_of(const void *p)
{
	return (struct slab *)((uintptr_t)p & ~(uintptr_t)(SLAB_LEN - 1));
}

static struct slab_view *
view_of(const struct slab *slab)
{
	struct slab_view *v = atomic_load(&views);

	while (v != NULL && atomic_load(&v->slab) != slab)
		v = v->next;
	return v;
}

static bool
no_memory(const void *p)
{
	return (uintptr_t)p > (uintptr_t)-4096;
}

static struct slab *
slab_map(void)
{
	uint8_t *p = (uint8_t *)raw_syscall(SYS_mmap, NULL, 2 * SLAB_LEN,
					    (PROT_READ | PROT_WRITE),
					    (MAP_SHARED | MAP_ANONYMOUS), -1, 0);
	if (no_memory(p))
		return NULL;
	uint8_t *slab = (uint8_t *)slab_of(p + SLAB_LEN - 1);
	if (slab > p)
		raw_syscall(SYS_munmap, p, (slab - p));
	if (slab < p + SLAB_LEN)
		raw_syscall(SYS_munmap, slab + SLAB_LEN, (p + SLAB_LEN - slab));
	/* Keys live here: out of core dumps. */
	raw_syscall(SYS_madvise, slab, SLAB_LEN, MADV_DONTDUMP);
	return (struct slab *)slab;
}

static void
view_leave(struct slab_view *v)
{
	struct slab *slab = atomic_load(&v->slab);

	if (atomic_fetch_sub(&v->live, 1) != 1 || !atomic_load(&v->common))
		return;
	atomic_store(&v->slab, NULL);
	raw_syscall(SYS_munmap, slab, SLAB_LEN);
}

/* Lowest free bit first, so that few pages see use. -1 when all are taken. */
static int
bit_take(_Atomic uint64_t *bits)
{
	uint64_t seen = atomic_load(bits);

	while (seen != UINT64_MAX) {
		int bit = __builtin_ctzll(~seen);
		if (atomic_compare_exchange_weak(bits, &seen, seen | UINT64_C(1) << bit))
			return bit;
	}
	return -1;
}

static struct tls_socket *
view_take_socket(struct slab_view *v)
{
	struct slab *slab = atomic_load(&v->slab);

	if (slab == NULL || atomic_load(&v->common))
		return NULL;
	int bit = bit_take(&slab->sockets_used);
	if (bit < 0)
		return NULL;
	atomic_fetch_add(&v->live, 1);
	struct tls_socket *socket = (struct tls_socket *)((uint8_t *)slab + 4096 +
							  (size_t)bit * SOCKET_STRIDE);
	memset(socket, 0, sizeof(*socket));
	return socket;
}

/* (g) An entry for a new slab. */
static struct slab_view *
view_new(void)
{
	struct slab_view *v = atomic_load(&views);

	while (v != NULL && atomic_load(&v->slab) != NULL)
		v = v->next;
	if (v == NULL) {
		v = calloc(1, sizeof(*v));
		if (v == NULL)
			return NULL;
		v->next = atomic_load(&views);
		atomic_store(&views, v);
	}
	struct slab *slab = slab_map();
	if (slab == NULL)
		return NULL;
	atomic_store(&v->live, 0);
	atomic_store(&v->common, false);
	atomic_store(&v->slab, slab);
	return v;
}

struct tls_socket *
shm_socket_alloc(void)
{
	struct tls_socket *socket = NULL;

	pthread_mutex_lock(&grow_lock);
	for (struct slab_view *v = atomic_load(&views); v != NULL && socket == NULL;
	     v = v->next)
		socket = view_take_socket(v);
	if (socket == NULL) {
		struct slab_view *v = view_new();
		if (v != NULL)
			socket = view_take_socket(v);
	}
	pthread_mutex_unlock(&grow_lock);
	return socket;
}

void
shm_socket_free(struct tls_socket *socket)
{
	struct slab *slab = slab_of(socket);
	struct slab_view *v = view_of(slab);
	size_t index =
		((size_t)((uint8_t *)socket - (uint8_t *)slab) - 4096) / SOCKET_STRIDE;

	if (!atomic_load(&v->common)) {
		if (socket->tx.buffer != NULL)
			shm_buffer_free(socket, socket->tx.buffer);
		if (socket->rx.buffer != NULL)
			shm_buffer_free(socket, socket->rx.buffer);
		secure_wipe(socket, sizeof(*socket));
		atomic_fetch_and(&slab->sockets_used, ~(UINT64_C(1) << index));
	}
	view_leave(v);
}

uint8_t *
shm_buffer_alloc(struct tls_socket *socket)
{
	struct slab *slab = slab_of(socket);

	for (int word = 0; word < SLAB_BUFFERS / 64; word++) {
		int bit = bit_take(&slab->buffers_used[word]);
		if (bit >= 0)
			return (uint8_t *)slab + BUFFERS_OFFSET +
			       (size_t)(word * 64 + bit) * SHM_BUFFER_LEN;
	}
	return NULL;
}

void
shm_buffer_free(struct tls_socket *socket, uint8_t *buffer)
{
	struct slab *slab = slab_of(socket);
	size_t index =
		(size_t)(buffer - (uint8_t *)slab - BUFFERS_OFFSET) / SHM_BUFFER_LEN;

	atomic_fetch_and(&slab->buffers_used[index / 64], ~(UINT64_C(1) << index % 64));
}

void
shm_before_fork(void)
{
	for (struct slab_view *v = atomic_load(&views); v != NULL; v = v->next)
		if (atomic_load(&v->live) > 0)
			atomic_store(&v->common, true);
}

void
shm_in_child(void)
{
	for (struct slab_view *v = atomic_load(&views); v != NULL; v = v->next)
		atomic_store(&v->common, true);
	pthread_mutex_init(&grow_lock, NULL);
}
