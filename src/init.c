/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.c: what happens when the library is loaded: little, quickly and silently.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend_ktls_native.h"
#include "engines.h"
#include "real.h"
#include "session.h"
#include "stats.h"
#include "sysctl.h"

static bool
is_preloaded(void)
{
	const char *list = getenv("LD_PRELOAD");

	return list != NULL && strstr(list, "libktls") != NULL;
}

__attribute__((constructor)) static void
ktls_init(void)
{
	int saved = errno;
	const char *load;

	real_init();
	sysctl_init();
	native_init();
	stats_init();
	engines_init();
	/* A program that links us means to use TLS; one that is given us may not. */
	if (!is_preloaded())
		sessions_seen = true;
	load = secure_getenv("KTLS_LOAD");
	if (load != NULL && strcmp(load, "eager") == 0)
		engines_load();
	errno = saved;
}
