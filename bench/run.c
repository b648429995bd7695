/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c: the samples of a case, interleaved: each round runs every peer once, and begins
 * with another one, so that what else the machine does hits all of them alike.
 */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "report.h"

static void
progress_line(const struct result *r, const char *progress, unsigned round,
	      const struct peer *peer)
{
	char text[128];

	if (!isatty(STDERR_FILENO))
		return;
	case_describe(&r->c, text, sizeof(text));
	fprintf(stderr, "\r\033[K%s%s: round %u of %u, %s", progress, text, round + 1,
		r->rounds, peer->name);
}

void
progress_done(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* One more run, whose times are of no use. */
static void
count_syscalls(struct result *r, const struct setup *setup)
{
	struct setup traced = *setup;
	struct bench_case c = r->c;

	traced.syscalls = true;
	if (c.bytes / c.size > 20000)
		c.bytes = 20000 * c.size;
	for (unsigned p = 0; p < r->peers; p++) {
		struct sample s;

		if (run_pair(&traced, &c, r->peer[p], &s))
			exit(1);
		for (int side = 0; side < 2; side++)
			r->syscalls[p][side] =
				(double)s.syscalls[side] / ((double)c.bytes / (1 << 20));
	}
	r->counted = true;
}

void
run_case(struct result *r, const struct setup *setup, const char *progress)
{
	r->samples = calloc(r->rounds, sizeof(*r->samples));
	if (!r->samples)
		err(1, "calloc");
	for (unsigned round = 0; round < r->rounds; round++)
		for (unsigned i = 0; i < r->peers; i++) {
			unsigned p = (i + round) % r->peers;

			progress_line(r, progress, round, r->peer[p]);
			if (run_pair(setup, &r->c, r->peer[p], &r->samples[round][p]))
				exit(1);
		}
	if (setup->count_syscalls)
		count_syscalls(r, setup);
	progress_done();
}
