/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.c: what was measured, for programs: scripts/bench-plot.py and yours.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

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

/* As it can be given again: where the JSON went does not matter. */
static void
json_command(FILE *out, int argc, char **argv)
{
	fputs("\"command\": \"", out);
	for (int i = 0; i < argc; i++) {
		if (i > 0 && strcmp(argv[i], "--json") == 0)
			i++;
		else
			fprintf(out, "%s%s", i ? " " : "",
				i ? argv[i] : program_invocation_short_name);
	}
	fputc('"', out);
}

void
json_begin(FILE *out, int argc, char **argv)
{
	struct utsname u;

	uname(&u);
	fputs("{\n", out);
	json_command(out, argc, argv);
	fprintf(out, ",\n\"machine\": {\"cpu\": ");
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
	if (r->counted)
		fprintf(out, ", \"syscalls_per_mib\": [%.2f, %.2f]",
			r->syscalls[peer][SENDER], r->syscalls[peer][RECEIVER]);
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
json_target(FILE *out, const char *what, const char *ratio, double limit, struct spread s)
{
	fprintf(out, "%s\n {\"target\": ", json_items++ ? "," : "");
	json_string(out, what);
	fprintf(out, ", \"ratio\": ");
	json_string(out, ratio);
	fprintf(out, ", \"limit\": %.2f, \"measured\": [%.4f, %.4f, %.4f]}", limit,
		s.median, s.min, s.max);
	fflush(out);
}

void
json_end(FILE *out)
{
	fprintf(out, "\n]\n}\n");
}
