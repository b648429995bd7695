/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c: medians, spreads and pairwise ratios, as a table.
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
struct spread
spread_of(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return (struct spread){
		.median = (values[(count - 1) / 2] + values[count / 2]) / 2,
		.min = values[0],
		.max = values[count - 1],
	};
}

static double
value(const struct sample *s, enum metric metric)
{
	switch (metric) {
	case NS_PER_KIB:
		return s->ns_per_kib;
	case NS_PER_RECORD:
		return s->ns_per_record;
	default:
		return s->mib_per_s;
	}
}

struct spread
result_spread(const struct result *r, unsigned peer, enum metric metric)
{
	double values[MAX_ROUNDS];

	for (unsigned i = 0; i < r->rounds; i++)
		values[i] = value(&r->samples[i][peer], metric);
	return spread_of(values, r->rounds);
}

struct spread
result_ratio(const struct result *r, unsigned peer, unsigned base)
{
	double values[MAX_ROUNDS];

	for (unsigned i = 0; i < r->rounds; i++)
		values[i] =
			r->samples[i][peer].ns_per_kib / r->samples[i][base].ns_per_kib;
	return spread_of(values, r->rounds);
}

int
result_find(const struct result *r, const char *peer)
{
	for (unsigned i = 0; i < r->peers; i++)
		if (strcmp(r->peer[i]->name, peer) == 0)
			return (int)i;
	return -1;
}

const char *
mode_name(enum mode mode)
{
	return mode == MODE_SENDFILE ? "sendfile" : "write";
}

void
case_describe(const struct bench_case *c, char *text, size_t len)
{
	snprintf(text, len, "TLS 1.%d %s, %s %zu, %u connection%s, %llu MiB",
		 c->version % 10, bench_suites[c->suite].name, mode_name(c->mode),
		 c->size, c->connections, c->connections == 1 ? "" : "s",
		 (unsigned long long)(c->bytes >> 20));
}

static void
table_ratio(FILE *out, const struct result *r, unsigned peer, const char *base)
{
	int b = result_find(r, base);

	if (b < 0)
		return;
	if ((unsigned)b == peer) {
		fprintf(out, "  %-18s", "1");
		return;
	}
	struct spread s = result_ratio(r, peer, (unsigned)b);
	fprintf(out, "  %.3f %.3f-%.3f", s.median, s.min, s.max);
}

void
report_table(FILE *out, const struct result *r)
{
	char text[128];

	case_describe(&r->c, text, sizeof(text));
	fprintf(out, "%s, %u rounds\n", text, r->rounds);
	fprintf(out, "%-10s %22s %10s %8s %7s %7s", "peer", "ns/KiB median min-max",
		"ns/record", "MiB/s", "send", "recv");
	if (r->counted)
		fprintf(out, " %13s", "syscalls/MiB");
	if (result_find(r, "openssl") >= 0)
		fprintf(out, "  %-18s", "of openssl");
	if (result_find(r, "plain") >= 0)
		fprintf(out, "  %-18s", "of plain");
	fputc('\n', out);
	for (unsigned i = 0; i < r->peers; i++) {
		struct spread kib = result_spread(r, i, NS_PER_KIB);
		struct spread record = result_spread(r, i, NS_PER_RECORD);
		struct spread rate = result_spread(r, i, MIB_PER_S);
		double cpu[2][MAX_ROUNDS];

		for (unsigned n = 0; n < r->rounds; n++)
			for (int side = 0; side < 2; side++)
				cpu[side][n] =
					(double)r->samples[n][i].side[side].cpu_ns /
					((double)r->c.bytes / 1024);
		fprintf(out, "%-10s %8.1f %6.0f-%6.0f %10.0f %8.0f %7.0f %7.0f",
			r->peer[i]->name, kib.median, kib.min, kib.max, record.median,
			rate.median, spread_of(cpu[0], r->rounds).median,
			spread_of(cpu[1], r->rounds).median);
		if (r->counted)
			fprintf(out, " %6.1f %6.1f", r->syscalls[i][SENDER],
				r->syscalls[i][RECEIVER]);
		table_ratio(out, r, i, "openssl");
		table_ratio(out, r, i, "plain");
		fputc('\n', out);
	}
	fputc('\n', out);
	fflush(out);
}
