/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose.h: how an entry point is written.
 *
 * Each is a function ktls_NAME, exported under libc's name by EXPORT: so the library's
 * own code can never call a wrapper by accident. A wrapper looks the session up, calls
 * what the call means on a TLS socket or the real function, and translates -errno. No
 * rule of TLS lives here.
 */
#ifndef KTLS_INTERPOSE_H
#define KTLS_INTERPOSE_H

#include <errno.h>

#include "libc_table.h"
#include "real.h"
#include "session.h"

#define EXPORT_AS(symbol, name)                                         \
	extern __typeof__(ktls_##name) export_##symbol __asm__(#symbol) \
		__attribute__((alias("ktls_" #name), visibility("default")));
#define EXPORT(ret, name, ...) EXPORT_AS(name, name)

#define DECLARE(ret, name, params, ...) ret ktls_##name params;

/* The edge where -errno becomes errno. */
static inline ssize_t
edge(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/* The same, giving up the session. */
static inline ssize_t
finish(struct session *so, ssize_t r)
{
	session_put(so);
	return edge(r);
}

#endif
