/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c: the owner-aware futex lock, and telling processes and threads apart.
 */
#include "lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

/*
 * One word that the kernel zeroes in a forked child (MADV_WIPEONFORK), however it was
 * forked, and leaves alone in a vfork child. pthread_atfork() handlers would miss _Fork()
 * and clone(2).
 */
static _Atomic(_Atomic uint32_t *) fork_word;
static _Atomic uint32_t generation;
static _Atomic int process_id;

static __thread uint32_t thread_id __attribute__((tls_model("initial-exec")));
static __thread uint32_t thread_generation __attribute__((tls_model("initial-exec")));

static _Atomic uint32_t *
fork_word_get(void)
{
	_Atomic uint32_t *word = atomic_load_explicit(&fork_word, memory_order_acquire);
	_Atomic uint32_t *none = NULL;

	if (word != NULL)
		return word;
	long page = sysconf(_SC_PAGESIZE);
	void *p = (void *)raw_syscall(SYS_mmap, NULL, page, (PROT_READ | PROT_WRITE),
				      (MAP_PRIVATE | MAP_ANONYMOUS), -1, 0);
	if ((intptr_t)p < 0 && (intptr_t)p > -4096) {
		/* No memory for a page: believe that nobody forks. */
		static _Atomic uint32_t unwiped;
		word = &unwiped;
	} else {
		raw_syscall(SYS_madvise, p, page, MADV_WIPEONFORK);
		word = p;
	}
	if (!atomic_compare_exchange_strong(&fork_word, &none, word))
		return none;
	return word;
}

uint32_t
self_generation(void)
{
	_Atomic uint32_t *word = fork_word_get();
	uint32_t zero = 0;

	if (atomic_load_explicit(word, memory_order_acquire) == 0) {
		process_id = (int)raw_syscall(SYS_getpid);
		/* Generations start at 1, so a thread's zeroed copy never matches. */
		if (atomic_compare_exchange_strong(word, &zero, 1))
			atomic_fetch_add(&generation, 1);
	}
	return atomic_load(&generation);
}

uint32_t
self_thread(void)
{
	uint32_t now = self_generation();

	if (thread_generation != now) {
		thread_id = (uint32_t)raw_syscall(SYS_gettid);
		thread_generation = now;
	}
	return thread_id;
}

bool
self_is_vfork_child(void)
{
	self_generation();
	return raw_syscall(SYS_getpid) != process_id;
}

static bool
thread_is_dead(uint32_t tid)
{
	return raw_syscall(SYS_tkill, tid, 0) == -ESRCH;
}

/* Sleeps until the word changes; now and then looks whether its owner still lives. */
static int
lock_sleep(struct owner_lock *lock, uint32_t seen, uint32_t self)
{
	const struct timespec patience = {.tv_nsec = 100000000L};
	uint32_t waited = seen | FUTEX_WAITERS;

	if (seen != waited && !atomic_compare_exchange_strong(&lock->word, &seen, waited))
		return -EAGAIN;
	if (raw_syscall(SYS_futex, &lock->word, FUTEX_WAIT, waited, &patience) !=
	    -ETIMEDOUT)
		return -EAGAIN;
	if (!thread_is_dead(waited & FUTEX_TID_MASK) ||
	    !atomic_compare_exchange_strong(&lock->word, &waited, self | FUTEX_WAITERS))
		return -EAGAIN;
	return -EOWNERDEAD;
}

int
lock_take(struct owner_lock *lock)
{
	uint32_t self = self_thread(), seen = 0, claim = self;

	while (!atomic_compare_exchange_strong_explicit(
		&lock->word, &seen, claim, memory_order_acquire, memory_order_relaxed)) {
		if ((seen & FUTEX_TID_MASK) == self)
			return -EDEADLK;
		if (lock_sleep(lock, seen, self) == -EOWNERDEAD)
			return -EOWNERDEAD;
		/* Others may sleep still: keep the mark when we get it. */
		claim = self | FUTEX_WAITERS;
		seen = 0;
	}
	return 0;
}

void
lock_drop(struct owner_lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) &
	    FUTEX_WAITERS)
		raw_syscall(SYS_futex, &lock->word, FUTEX_WAKE, 1);
}
