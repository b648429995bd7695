/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.c: a few buffers per process that calls take turns with.
 *
 * Neither the stack (signal stacks and small threads have no room) nor one per thread
 * (thousands of idle threads would keep theirs).
 */
#include "scratch.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lock.h"
#include "real.h"

enum {
	PLACES = 8
};

/* `user` is the generation of the process that has it, so that what another thread of the
 * parent held at fork(2) is free in the child. */
static struct {
	_Atomic(uint8_t *) memory;
	_Atomic uint32_t user;
} places[PLACES];

static uint8_t *
map(void)
{
	uintptr_t p = (uintptr_t)raw_syscall(SYS_mmap, NULL, SCRATCH_LEN,
					     (PROT_READ | PROT_WRITE),
					     (MAP_PRIVATE | MAP_ANONYMOUS), -1, 0);

	if (p > (uintptr_t)-4096)
		return NULL;
	raw_syscall(SYS_madvise, p, SCRATCH_LEN, MADV_DONTDUMP);
	return (uint8_t *)p;
}

uint8_t *
scratch_take(void)
{
	uint32_t self = self_generation();

	for (int i = 0; i < PLACES; i++) {
		uint32_t user = atomic_load(&places[i].user);
		if (user == self ||
		    !atomic_compare_exchange_strong(&places[i].user, &user, self))
			continue;
		uint8_t *memory = atomic_load(&places[i].memory);
		if (memory == NULL) {
			memory = map();
			atomic_store(&places[i].memory, memory);
		}
		if (memory == NULL)
			atomic_store(&places[i].user, 0);
		return memory;
	}
	return map();
}

void
scratch_give(uint8_t *scratch)
{
	for (int i = 0; i < PLACES; i++) {
		if (atomic_load(&places[i].memory) == scratch) {
			atomic_store(&places[i].user, 0);
			return;
		}
	}
	raw_syscall(SYS_munmap, scratch, SCRATCH_LEN);
}
