/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uaccess.h: is the caller's memory there? The kernel answers EFAULT for a bad pointer
 * where a library would crash; these let us answer the same.
 */
#ifndef KTLS_UACCESS_H
#define KTLS_UACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/*
 * Whether the first and the last byte of the range can be read or written; one system
 * call per page asked, about 100 ns, no change to the memory. The pages between are not
 * asked: a hole in the middle of one buffer is the one thing that still crashes.
 * An empty range is fine whatever its address.
 */
bool user_readable(const void *p, size_t n);
bool user_writable(void *p, size_t n);

/* Copies `n` bytes that the kernel itself reads: 0 or -EFAULT. For options. */
int user_copy_in(void *to, const void *from, size_t n);
int user_copy_out(void *to, const void *from, size_t n);

#endif
