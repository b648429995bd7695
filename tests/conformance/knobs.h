/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * knobs.h: the library's sysctls, as a program for FreeBSD reaches them.
 */
#ifndef KTLS_TESTS_KNOBS_H
#define KTLS_TESTS_KNOBS_H

#include <stdbool.h>
#include <stdint.h>

void sysctl_set_bool(const char *name, bool value);
void sysctl_set_int(const char *name, int value);
/* A counter, by its name below "kern.ipc.tls.". */
uint64_t sysctl_counter(const char *name);

#endif
