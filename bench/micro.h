/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro.h: the figures ktls-micro's workers measure, each in a process under the library.
 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdint.h>

struct micro_figure {
	const char *what;
	const char *unit;
	double limit; /* 0: for information */
};

enum {
	MICRO_CALLS = 4,
	MICRO_ENABLE = 5,
	MICRO_MEMORY = 2,
	MICRO_FIGURES = 8
};
extern const struct micro_figure micro_calls[MICRO_CALLS];
extern const struct micro_figure micro_enable[MICRO_ENABLE];
extern const struct micro_figure micro_memory[MICRO_MEMORY];

/* Nanoseconds, CLOCK_MONOTONIC. */
uint64_t micro_now(void);

/* Measures and writes doubles to stdout, in the order of the table. */
int micro_worker(const char *name);

#endif
