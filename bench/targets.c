/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * targets.c: the ratios the project has set itself, measured and judged.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"

/*
 * Large writes run with both processes busy, each on a CPU of its own. With small ones it
 * is luck whether the reader sleeps at each of them, which costs more than the record; on
 * one CPU it is not, and both processes see the same.
 */
struct target {
	const char *what;
	const char *suite;
	int version;
	enum mode mode;
	size_t size;
	enum cpus cpus;
	const char *peers[4];        /* the worst of them counts */
	double of_openssl, of_plain; /* the limits; 0: none */
	bool quick;
};

#define KTLS           \
	{              \
		"ktls" \
	}
#define KTLS_TX           \
	{                 \
		"ktls-tx" \
	}
#define RAW           \
	{             \
		"raw" \
	}
#define ALL                                         \
	{                                           \
		"ktls", "ktls-tx", "ktls-rx", "raw" \
	}
#define TWO CPUS_TWO
#define ONE CPUS_ONE

/* A suite that merely must not lose, in three sizes. */
#define NOT_WORSE(SUITE)                                                                 \
	{"small writes", SUITE, 12, MODE_WRITE, 64, ONE, ALL, 1.0, 0, false},            \
		{"any direction", SUITE, 12, MODE_WRITE, 1024, ONE, ALL, 1.0, 0, false}, \
	{                                                                                \
		"any direction", SUITE, 12, MODE_WRITE, 16384, ONE, ALL, 1.0, 0, false   \
	}

static const struct target targets[] = {
	/* clang-format off */
	{"SSL, both ends", "AES-128-GCM", 12, MODE_WRITE, 16384, TWO, KTLS, 0.68, 0, true},
	{"SSL, both ends", "AES-256-GCM", 12, MODE_WRITE, 16384, TWO, KTLS, 0.68, 0, false},
	{"SSL, sender", "AES-128-GCM", 12, MODE_WRITE, 16384, TWO, KTLS_TX, 0.86, 0, true},
	{"SSL, sender", "AES-256-GCM", 12, MODE_WRITE, 16384, TWO, KTLS_TX, 0.86, 0, false},
	{"SSL, sender", "AES-128-GCM", 13, MODE_WRITE, 16384, TWO, KTLS_TX, 0.86, 0, false},
	{"SSL, sender", "AES-256-GCM", 13, MODE_WRITE, 16384, TWO, KTLS_TX, 0.86, 0, false},
	{"SSL_sendfile, both ends", "AES-128-GCM", 12, MODE_SENDFILE, 16384, TWO, KTLS, 0.62,
	 0, true},
	{"write(2) and read(2)", "AES-128-GCM", 12, MODE_WRITE, 1 << 20, TWO, RAW, 0.60, 1.25,
	 true},
	{"small writes", "AES-128-GCM", 12, MODE_WRITE, 64, ONE, KTLS, 0.90, 0, true},
	{"small writes", "AES-128-GCM", 12, MODE_WRITE, 256, ONE, KTLS, 0.90, 0, false},
	{"small writes", "AES-128-GCM", 12, MODE_WRITE, 1024, ONE, KTLS, 0.90, 0, true},
	NOT_WORSE("CHACHA20-POLY1305"),
	NOT_WORSE("AES-128-CCM"),
	NOT_WORSE("AES-128-CBC-SHA1"),
	NOT_WORSE("AES-256-CBC-SHA1"),
	NOT_WORSE("AES-128-CBC-SHA256"),
	NOT_WORSE("AES-256-CBC-SHA384"),
	/* clang-format on */
};
static const unsigned target_count = sizeof(targets) / sizeof(targets[0]);

/* Sessions on one event loop, and what a byte may cost more than with one of them. */
static const unsigned many_sessions = 10000;
static const double many_limit = 1.15;

static const struct peer *
peer_named(const char *name)
{
	for (unsigned i = 0; i < peer_count; i++)
		if (strcmp(peers[i].name, name) == 0)
			return &peers[i];
	abort();
}

static unsigned
suite_named(const char *name)
{
	for (unsigned i = 0; i < bench_suite_count; i++)
		if (strcmp(bench_suites[i].name, name) == 0)
			return i;
	abort();
}

static uint64_t
bytes_for(const struct target_options *o, size_t size)
{
	uint64_t bytes = (uint64_t)size * 200000;

	if (bytes > 256u << 20)
		bytes = 256u << 20;
	bytes = (uint64_t)((double)bytes * o->scale);
	return bytes - bytes % PATTERN_LEN;
}

static unsigned
judge(const struct target_options *o, FILE *json, const char *what, const char *ratio,
      double limit, struct spread s)
{
	bool missed = s.median > limit * o->margin;

	printf("%-58s %-16s %5.2f %6.3f %6.3f-%-6.3f %s\n", what, ratio, limit, s.median,
	       s.min, s.max, missed ? "MISS" : "OK");
	fflush(stdout);
	if (json)
		json_target(json, what, ratio, limit, s);
	return missed;
}

/* The worst peer's CPU as a multiple of the base's. */
static unsigned
judge_against(const struct target_options *o, FILE *json, const struct result *r,
	      const char *what, const char *base, double limit)
{
	unsigned b = (unsigned)result_find(r, base), worst = b;
	struct spread s = {0}, candidate;
	char ratio[32];

	for (unsigned i = 0; i < r->peers; i++) {
		if (r->peer[i]->transport == TRANSPORT_PLAIN || i == b ||
		    strcmp(r->peer[i]->name, "openssl") == 0)
			continue;
		candidate = result_ratio(r, i, b);
		if (worst == b || candidate.median > s.median) {
			worst = i;
			s = candidate;
		}
	}
	snprintf(ratio, sizeof(ratio), "%s/%s", r->peer[worst]->name, base);
	return judge(o, json, what, ratio, limit, s);
}

static unsigned
run_target(const struct target *t, const struct target_options *o,
	   const struct setup *given, FILE *json)
{
	struct setup setup = *given;
	struct result r = {
		.rounds = o->rounds,
		.c =
			{
				.suite = suite_named(t->suite),
				.version = t->version,
				.mode = t->mode,
				.size = t->size,
				.read_size = t->size > MAX_RECORD ? t->size : MAX_RECORD,
				.connections = 1,
				.bytes = bytes_for(o, t->size),
			},
	};
	char what[128];
	unsigned missed = 0;

	if (!o->same_cpus)
		setup.cpus = t->cpus;
	if (t->of_openssl > 0)
		r.peer[r.peers++] = peer_named("openssl");
	if (t->of_plain > 0 && !o->quick)
		r.peer[r.peers++] = peer_named("plain");
	for (unsigned i = 0; i < 4 && t->peers[i]; i++)
		if (peer_can(peer_named(t->peers[i]), &r.c))
			r.peer[r.peers++] = peer_named(t->peers[i]);
	run_case(&r, &setup, "");
	snprintf(what, sizeof(what), "%s: %zu bytes, TLS 1.%d %s", t->what, t->size,
		 t->version % 10, t->suite);
	if (t->of_openssl > 0)
		missed += judge_against(o, json, &r, what, "openssl", t->of_openssl);
	if (t->of_plain > 0 && !o->quick)
		missed += judge_against(o, json, &r, what, "plain", t->of_plain);
	free(r.samples);
	return missed;
}

/*
 * From one session to many. Plain TCP grows, too, with the kernel's working set; its
 * line tells how much of the growth is not ours, and is not judged.
 */
static unsigned
run_sessions(const struct target_options *o, const struct setup *given, FILE *json)
{
	static const char *const names[2] = {"raw", "plain"};
	struct setup setup = *given;
	double ratios[2][MAX_ROUNDS];
	struct bench_case c = {
		.version = 12,
		.size = MAX_RECORD,
		.read_size = MAX_RECORD,
		.bytes = (uint64_t)many_sessions * 4 * MAX_RECORD,
		.loop = true,
	};
	char ratio[32];
	unsigned missed = 0;

	if (!o->same_cpus)
		setup.cpus = ONE;
	for (unsigned round = 0; round < o->rounds; round++) {
		struct result r[2];

		for (int many = 0; many < 2; many++) {
			r[many] = (struct result){.c = c, .rounds = 1};
			r[many].c.connections = many ? many_sessions : 1;
			for (int p = 0; p < 2; p++)
				r[many].peer[r[many].peers++] = peer_named(names[p]);
			run_case(&r[many], &setup, "");
		}
		for (int p = 0; p < 2; p++)
			ratios[p][round] = r[1].samples[0][p].ns_per_kib /
					   r[0].samples[0][p].ns_per_kib;
		free(r[0].samples);
		free(r[1].samples);
	}
	for (int p = 0; p < 2; p++) {
		struct spread s = spread_of(ratios[p], o->rounds);
		snprintf(ratio, sizeof(ratio), "%s, 10000/1", names[p]);
		if (p == 0)
			missed = judge(o, json, "a byte, many sessions on one event loop",
				       ratio, many_limit, s);
		else
			printf("%-58s %-16s %5s %6.3f %6.3f-%-6.3f\n", "", ratio, "-",
			       s.median, s.min, s.max);
	}
	return missed;
}

unsigned
run_targets(const struct target_options *o, const struct setup *setup, FILE *json)
{
	unsigned missed = 0;

	printf("%-58s %-16s %5s %6s %-13s\n", "CPU of sender and receiver", "ratio",
	       "limit", "median", "min-max");
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].quick || !o->quick)
			missed += run_target(&targets[i], o, setup, json);
	if (!o->quick)
		missed += run_sessions(o, setup, json);
	printf("%u missed\n", missed);
	return missed;
}
