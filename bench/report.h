/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h: what was measured, and how it is shown.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench.h"

#define MAX_PEERS 16

/* One case: rounds, and in each one sample per peer, in an order that changes. */
struct result {
	struct bench_case c;
	unsigned peers, rounds;
	const struct peer *peer[MAX_PEERS];
	struct sample (*samples)[MAX_PEERS]; /* [rounds] */
	double syscalls[MAX_PEERS][2];       /* per MiB */
	bool counted;
};

struct spread {
	double median, min, max;
};

enum metric {
	NS_PER_KIB,
	NS_PER_RECORD,
	MIB_PER_S
};

struct spread spread_of(double *values, unsigned count);
struct spread result_spread(const struct result *r, unsigned peer, enum metric metric);

/* CPU of one peer as a multiple of another's, round by round. */
struct spread result_ratio(const struct result *r, unsigned peer, unsigned base);
int result_find(const struct result *r, const char *peer);

const char *mode_name(enum mode mode);
void case_describe(const struct bench_case *c, char *text, size_t len);
void report_table(FILE *out, const struct result *r);

/* JSON: begin, any number of cases and targets, end. */
void json_begin(FILE *out, int argc, char **argv);
void json_result(FILE *out, const struct result *r);
void json_target(FILE *out, const char *what, const char *ratio, double limit,
		 struct spread s);
void json_end(FILE *out);

/* Runs a case; exits if a peer fails. */
void run_case(struct result *r, const struct setup *setup, const char *progress);
void progress_done(void);

/* The table of targets; returns how many were missed. */
struct target_options {
	unsigned rounds;
	double scale;   /* of the bytes */
	double margin;  /* limits are multiplied with it */
	bool quick;     /* the few rows that are told apart in seconds */
	bool same_cpus; /* setup->cpus for all, not what each target says */
};
unsigned run_targets(const struct target_options *o, const struct setup *setup,
		     FILE *json);

#endif
