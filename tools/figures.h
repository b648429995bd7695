/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures.h: processes' counters, read from the files that the library keeps for
 * KTLS_STATS. Whatever such a file holds, reading and printing it is safe.
 */
#ifndef KTLS_FIGURES_H
#define KTLS_FIGURES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stats.h"

/* The values of one struct stats_segment at one moment. */
struct figures {
	uint32_t pid; /* as the file says */
	uint64_t counter[STAT_COUNT];
	uint64_t enabled[2][SUITE_COUNT];
	char engine[SUITE_COUNT][16]; /* NUL-terminated, fit to print; empty in a sum */
};

struct figures_list {
	struct figures *at; /* owned */
	size_t count;
};

/* Adds the file at `path` or, when that is a directory, each ktls.PID in it. What cannot
 * be read is reported on stderr; then the result is -1, else 0. */
int figures_add(struct figures_list *list, const char *path);
void figures_free(struct figures_list *list);

struct figures figures_sum(const struct figures_list *list);

/* Directions that were turned on; `dir` is an enum direction. */
uint64_t figures_sessions(const struct figures *f, int dir);

/* A table for people; JSON; FreeBSD's `sysctl kern.ipc.tls` lines of the sum. */
void figures_print_table(FILE *out, const struct figures_list *list);
void figures_print_json(FILE *out, const struct figures_list *list);
void figures_print_raw(FILE *out, const struct figures_list *list);

#endif
