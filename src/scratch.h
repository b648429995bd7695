/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scratch.h: working memory for one call: records on their way to or from the kernel.
 */
#ifndef KTLS_SCRATCH_H
#define KTLS_SCRATCH_H

#include <stdint.h>

#include "suite.h"

enum {
	/* Measured: more records a send than this gain nothing (docs/benchmarks.md). */
	SCRATCH_RECORDS = 16,
	SCRATCH_LEN = SCRATCH_RECORDS * RECORD_MAX_LEN,
};

/*
 * SCRATCH_LEN bytes, KTLS_ENGINE_ALIGN aligned, of unknown content; NULL when there is no
 * memory. Lock-free, async-signal-safe, usable in any thread. Not kept across a wait.
 */
uint8_t *scratch_take(void);
void scratch_give(uint8_t *scratch);

#endif
