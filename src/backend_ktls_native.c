/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_ktls_native.c: hands Linux-dialect sockets to the kernel's own TLS.
 */
#include "backend_ktls_native.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "real.h"
#include "stats.h"

/* Once the kernel has said that it knows no "tls" it is not asked again: for root each
 * question makes it run modprobe(8), which takes milliseconds. */
static _Atomic bool not_there;

void
native_init(void)
{
	const char *choice = secure_getenv("KTLS_BACKEND");

	if (choice != NULL && strcmp(choice, "sw") == 0)
		not_there = true;
}

int
native_set_ulp(int fd)
{
	static const char name[] = "tls";
	int saved = errno, r = 0;

	if (not_there)
		return -ENOENT;
	if (real.setsockopt(fd, IPPROTO_TCP, TCP_ULP, name, sizeof(name)) < 0)
		r = -errno;
	errno = saved;
	if (r == -ENOENT)
		not_there = true;
	else if (r == 0)
		stats_add(STAT_NATIVE, 1);
	return r;
}
