/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engines.h: the crypto plugins that are there.
 */
#ifndef KTLS_ENGINES_H
#define KTLS_ENGINES_H

#include "engine.h"

/* Reads KTLS_CIPHER and KTLS_ENGINE_DIR, which are ignored in AT_SECURE programs: at
 * load, while the program has not changed its environment. */
void engines_init(void);

/* Loads the engines now, for programs that chroot before their first session. */
void engines_load(void);

/*
 * The engine for `suite`, NULL when there is none. Of several that serve it the one that
 * a short measurement, made once per process, found the fastest here. Loads the engines
 * on first use. Not async-signal-safe.
 */
const struct engine *engine_for(enum suite_id suite);

#endif
