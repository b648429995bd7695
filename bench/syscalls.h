/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls.h: counting the workers' system calls.
 */
#ifndef BENCH_SYSCALLS_H
#define BENCH_SYSCALLS_H

#include <stdint.h>
#include <sys/types.h>

/* Both return 0 or -errno: tracing may be forbidden. Attach before the worker's "go". */
int syscalls_attach(pid_t pid);
int syscalls_count(const pid_t pid[2], uint64_t calls[2]);

#endif
