/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c: medians, spreads and pairwise ratios, as a table and as JSON.
 */
#include "report.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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

static const char *
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
		table_ratio(out, r, i, "openssl");
		table_ratio(out, r, i, "plain");
		fputc('\n', out);
	}
	fputc('\n', out);
	fflush(out);
}

static unsigned json_items;

static void
json_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		if ((unsigned char)*s >= ' ')
			fputc(*s, out);
	}
	fputc('"', out);
}

/* The CPU as /proc/cpuinfo calls it. */
static void
json_cpu(FILE *out)
{
	char line[256] = "";
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "model name", 10) == 0)
			break;
	if (f)
		fclose(f);
	char *colon = strchr(line, ':');
	json_string(out, colon ? colon + 2 : "unknown");
}

void
json_begin(FILE *out, int argc, char **argv)
{
	struct utsname u;

	uname(&u);
	fprintf(out, "{\n\"command\": \"");
	for (int i = 0; i < argc; i++)
		fprintf(out, "%s%s", i ? " " : "", i ? argv[i] : "ktls-bench");
	fprintf(out, "\",\n\"machine\": {\"cpu\": ");
	json_cpu(out);
	fprintf(out, ", \"cpus\": %ld, \"kernel\": ", sysconf(_SC_NPROCESSORS_ONLN));
	json_string(out, u.release);
	fprintf(out, ", \"openssl\": ");
	json_string(out, OpenSSL_version(OPENSSL_VERSION));
	fprintf(out, "},\n\"results\": [");
	json_items = 0;
}

static void
json_peer(FILE *out, const struct result *r, unsigned peer)
{
	fprintf(out, "%s\n  {\"peer\": ", peer ? "," : "");
	json_string(out, r->peer[peer]->name);
	struct {
		const char *name;
		enum metric metric;
	} metrics[] = {
		{"ns_per_kib", NS_PER_KIB},
		{"ns_per_record", NS_PER_RECORD},
		{"mib_per_s", MIB_PER_S},
	};
	for (unsigned m = 0; m < 3; m++) {
		struct spread s = result_spread(r, peer, metrics[m].metric);
		fprintf(out, ", \"%s\": [%.2f, %.2f, %.2f]", metrics[m].name, s.median,
			s.min, s.max);
	}
	for (int b = 0; b < 2; b++) {
		const char *base = b ? "plain" : "openssl";
		int i = result_find(r, base);

		if (i < 0)
			continue;
		struct spread s = result_ratio(r, peer, (unsigned)i);
		fprintf(out, ", \"of_%s\": [%.4f, %.4f, %.4f]", base, s.median, s.min,
			s.max);
	}
	fprintf(out, ",\n   \"rounds\": [");
	for (unsigned n = 0; n < r->rounds; n++) {
		const struct sample *s = &r->samples[n][peer];
		fprintf(out, "%s{\"ns_per_kib\": %.2f, \"cpu_ns\": [%llu, %llu]}",
			n ? ", " : "", s->ns_per_kib,
			(unsigned long long)s->side[SENDER].cpu_ns,
			(unsigned long long)s->side[RECEIVER].cpu_ns);
	}
	fprintf(out, "]}");
}

/* [median, min, max] each; cpu_ns is [sender, receiver]. */
void
json_result(FILE *out, const struct result *r)
{
	const struct bench_case *c = &r->c;

	fprintf(out, "%s\n {\"suite\": ", json_items++ ? "," : "");
	json_string(out, bench_suites[c->suite].name);
	fprintf(out,
		", \"tls\": \"1.%d\", \"mode\": \"%s\", \"size\": %zu, "
		"\"connections\": %u, \"bytes\": %llu, \"peers\": [",
		c->version % 10, mode_name(c->mode), c->size, c->connections,
		(unsigned long long)c->bytes);
	for (unsigned i = 0; i < r->peers; i++)
		json_peer(out, r, i);
	fprintf(out, "]}");
	fflush(out);
}

void
json_end(FILE *out)
{
	fprintf(out, "\n]\n}\n");
}
