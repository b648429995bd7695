/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.h: the lock of one direction of a TLS socket: across processes, aware of its
 * owner, usable around a signal handler. Also: which process and thread are we?
 */
#ifndef KTLS_LOCK_H
#define KTLS_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Zero is free; else the owner's thread id, with FUTEX_WAITERS when somebody sleeps. Held
 * only around system calls that do not block, so waiting for it is short.
 */
struct owner_lock {
	_Atomic uint32_t word;
};

/*
 * 0: taken. -EOWNERDEAD: taken, but its owner died in the middle: what it guards may be
 * half done. -EDEADLK: not taken, this very thread holds it: a signal handler interrupted
 * the call that does.
 */
int lock_take(struct owner_lock *lock);
void lock_drop(struct owner_lock *lock);

/* This thread's id; one load after the first call, right after fork(2) too. */
uint32_t self_thread(void);

/* True in a vfork(2) child: it runs in its parent's memory and must not change it. */
bool self_is_vfork_child(void);

/* Counts the forks between the first process and this one. */
uint32_t self_generation(void);

#endif
