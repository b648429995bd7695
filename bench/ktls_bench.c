/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls_bench.c: compares the CPU time that bytes cost over TLS, by OpenSSL, by the
 * library and without TLS, side by side.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "report.h"

static const char usage[] =
	"usage: ktls-bench [option...]\n"
	"Lists are separated by commas; every combination of them is one case.\n"
	"  --peers LIST        default openssl,ktls,ktls-tx,plain,raw and,\n"
	"                      where the kernel has it, native; see --list\n"
	"  --suite LIST        default AES-128-GCM; or all; see --list\n"
	"  --tls LIST          1.2 (default), 1.3\n"
	"  --size LIST         bytes per write, 64 to 1M, default 16K\n"
	"  --mode LIST         write (default), sendfile\n"
	"  --connections LIST  on one event loop if more than 1, default 1\n"
	"  --loop              an event loop even for one connection\n"
	"  --bytes N           per transfer, default by size, about 256M\n"
	"  --read-size N       the receiver's buffer, default: the size, at least 16K\n"
	"  --rounds N          default 7\n"
	"  --engine NAME       libcrypto, ipsec-mb or auto, as KTLS_CIPHER\n"
	"  --library FILE      default: libktls.so where the build puts it\n"
	"  --cpus WHERE        any (default), one: both on the same CPU, which keeps "
	"the\n"
	"                      scheduler's luck out, or two: each on its own\n"
	"  --syscalls          count system calls, too, in one more run\n"
	"  --json FILE         also write JSON; -: instead of the table\n"
	"  --targets           the project's targets, each with its limit\n"
	"  --quick             the same with few bytes, only what shows in seconds\n"
	"  --assert            exit status 1 if a target is missed by a wide margin\n"
	"  --list              peers and suites\n"
	"Figures are the CPU time of sender and receiver together, user and system.\n";

#define MAX_LIST MAX_PEERS

struct list {
	unsigned count;
	uint64_t item[MAX_LIST];
};

struct options {
	struct list peers, suites, versions, sizes, modes, connections;
	uint64_t bytes, read_size;
	unsigned rounds;
	struct setup setup;
	const char *json;
	bool cpus_given, loop, targets, quick, assert;
};

static uint64_t
parse_number(const char *text)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (*end == 'K' || *end == 'k')
		n <<= 10, end++;
	else if (*end == 'M' || *end == 'm')
		n <<= 20, end++;
	else if (*end == 'G' || *end == 'g')
		n <<= 30, end++;
	if (errno || end == text || *end)
		errx(2, "'%s' is not a number", text);
	return n;
}

static uint64_t
parse_suite(const char *text)
{
	for (unsigned i = 0; i < bench_suite_count; i++)
		if (strcasecmp(text, bench_suites[i].name) == 0)
			return i;
	errx(2, "no suite '%s'", text);
}

static uint64_t
parse_peer(const char *text)
{
	for (unsigned i = 0; i < peer_count; i++)
		if (strcmp(text, peers[i].name) == 0)
			return i;
	errx(2, "no peer '%s'", text);
}

static uint64_t
parse_version(const char *text)
{
	if (strcmp(text, "1.2") == 0)
		return 12;
	if (strcmp(text, "1.3") == 0)
		return 13;
	errx(2, "TLS is 1.2 or 1.3, not '%s'", text);
}

static uint64_t
parse_mode(const char *text)
{
	if (strcmp(text, "write") == 0)
		return MODE_WRITE;
	if (strcmp(text, "sendfile") == 0)
		return MODE_SENDFILE;
	errx(2, "mode is write or sendfile, not '%s'", text);
}

static enum cpus
parse_cpus(const char *text)
{
	for (enum cpus cpus = CPUS_ANY; cpus <= CPUS_TWO; cpus++)
		if (strcmp(text, cpus_names[cpus]) == 0)
			return cpus;
	errx(2, "cpus is any, one or two, not '%s'", text);
}

static uint64_t
parse_size(const char *text)
{
	uint64_t size = parse_number(text);

	if (size < PATTERN_LEN || size > 1u << 20 || size % PATTERN_LEN)
		errx(2, "size %s: from 64 to 1M, a multiple of %d", text, PATTERN_LEN);
	return size;
}

static void
parse_list(struct list *list, const char *given, uint64_t (*parse)(const char *))
{
	char *copy = strdup(given), *rest = copy;

	if (!copy)
		err(1, "strdup");
	list->count = 0;
	for (char *word; (word = strsep(&rest, ",")) != NULL;) {
		if (list->count == MAX_LIST)
			errx(2, "a list is too long");
		list->item[list->count++] = parse(word);
	}
	free(copy);
}

static void
print_list(void)
{
	puts("peers:");
	for (unsigned i = 0; i < peer_count; i++)
		printf("  %-12s %s\n", peers[i].name, peers[i].text);
	puts("suites:");
	for (unsigned i = 0; i < bench_suite_count; i++)
		printf("  %-20s TLS 1.2%s\n", bench_suites[i].name,
		       bench_suites[i].tls13 ? ", 1.3" : "");
}

enum option_code {
	OPT_PEERS = 'p',
	OPT_SUITE = 's',
	OPT_TLS = 't',
	OPT_SIZE = 'b',
	OPT_MODE = 'm',
	OPT_CONNECTIONS = 'c',
	OPT_BYTES = 'n',
	OPT_READ_SIZE = 'R',
	OPT_ROUNDS = 'r',
	OPT_ENGINE = 'e',
	OPT_LIBRARY = 'l',
	OPT_CPUS = 'P',
	OPT_SYSCALLS = 'S',
	OPT_LOOP = 'o',
	OPT_JSON = 'j',
	OPT_TARGETS = 'T',
	OPT_QUICK = 'q',
	OPT_ASSERT = 'a',
	OPT_LIST = 'L',
	OPT_HELP = 'h',
};

static const struct option long_options[] = {
	{"peers", required_argument, NULL, OPT_PEERS},
	{"suite", required_argument, NULL, OPT_SUITE},
	{"tls", required_argument, NULL, OPT_TLS},
	{"size", required_argument, NULL, OPT_SIZE},
	{"mode", required_argument, NULL, OPT_MODE},
	{"connections", required_argument, NULL, OPT_CONNECTIONS},
	{"bytes", required_argument, NULL, OPT_BYTES},
	{"read-size", required_argument, NULL, OPT_READ_SIZE},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"engine", required_argument, NULL, OPT_ENGINE},
	{"library", required_argument, NULL, OPT_LIBRARY},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"loop", no_argument, NULL, OPT_LOOP},
	{"syscalls", no_argument, NULL, OPT_SYSCALLS},
	{"json", required_argument, NULL, OPT_JSON},
	{"targets", no_argument, NULL, OPT_TARGETS},
	{"quick", no_argument, NULL, OPT_QUICK},
	{"assert", no_argument, NULL, OPT_ASSERT},
	{"list", no_argument, NULL, OPT_LIST},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static void
parse_list_option(struct options *o, int option)
{
	switch (option) {
	case OPT_PEERS:
		parse_list(&o->peers, optarg, parse_peer);
		break;
	case OPT_SUITE:
		o->suites.count = 0;
		if (strcmp(optarg, "all") != 0)
			parse_list(&o->suites, optarg, parse_suite);
		for (; o->suites.count == 0;)
			for (unsigned i = 0; i < bench_suite_count; i++)
				o->suites.item[o->suites.count++] = i;
		break;
	case OPT_TLS:
		parse_list(&o->versions, optarg, parse_version);
		break;
	case OPT_SIZE:
		parse_list(&o->sizes, optarg, parse_size);
		break;
	case OPT_MODE:
		parse_list(&o->modes, optarg, parse_mode);
		break;
	default:
		parse_list(&o->connections, optarg, parse_number);
		break;
	}
}

static void
parse_option(struct options *o, int option)
{
	switch (option) {
	case OPT_BYTES:
		o->bytes = parse_number(optarg);
		break;
	case OPT_READ_SIZE:
		o->read_size = parse_number(optarg);
		break;
	case OPT_ROUNDS:
		o->rounds = (unsigned)parse_number(optarg);
		if (o->rounds < 1 || o->rounds > MAX_ROUNDS)
			errx(2, "rounds: 1 to %d", MAX_ROUNDS);
		break;
	case OPT_ENGINE:
		o->setup.engine = optarg;
		break;
	case OPT_LIBRARY:
		o->setup.library = optarg;
		break;
	case OPT_CPUS:
		o->cpus_given = true;
		o->setup.cpus = parse_cpus(optarg);
		break;
	case OPT_LOOP:
		o->loop = true;
		break;
	case OPT_SYSCALLS:
		o->setup.count_syscalls = true;
		break;
	case OPT_JSON:
		o->json = optarg;
		break;
	case OPT_TARGETS:
		o->targets = true;
		break;
	case OPT_QUICK:
		o->quick = true;
		break;
	case OPT_ASSERT:
		o->assert = true;
		break;
	case OPT_LIST:
		print_list();
		exit(0);
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (strchr("pstbmc", option))
			parse_list_option(o, option);
		else
			parse_option(o, option);
	}
	if (optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

/* Some 200,000 records, as far as they fit in 256 MiB, but some for every connection. */
static uint64_t
default_bytes(size_t size, unsigned connections)
{
	uint64_t bytes = (uint64_t)size * 200000;
	uint64_t rounds = 8 * (uint64_t)size * connections;

	if (bytes > 256u << 20)
		bytes = 256u << 20;
	return bytes > rounds ? bytes : rounds;
}

static void
run_one(const struct options *o, const struct bench_case *c, FILE *table, FILE *json,
	const char *progress)
{
	struct result r = {.c = *c, .rounds = o->rounds ? o->rounds : 7};

	r.c.loop = o->loop || c->connections > 1;
	if (!r.c.bytes)
		r.c.bytes = default_bytes(c->size, c->connections);
	if (!r.c.read_size)
		r.c.read_size = c->size > MAX_RECORD ? c->size : MAX_RECORD;
	for (unsigned i = 0; i < o->peers.count; i++) {
		const struct peer *peer = &peers[o->peers.item[i]];

		if (peer_can(peer, c))
			r.peer[r.peers++] = peer;
	}
	if (r.peers == 0)
		return;
	run_case(&r, &o->setup, progress);
	if (table)
		report_table(table, &r);
	if (json)
		json_result(json, &r);
	free(r.samples);
}

/* The nth combination of all lists, the last of them changing fastest. */
static struct bench_case
nth_case(const struct options *o, unsigned n)
{
	struct bench_case c = {.bytes = o->bytes, .read_size = o->read_size};

	c.size = o->sizes.item[n % o->sizes.count];
	n /= o->sizes.count;
	c.connections = (unsigned)o->connections.item[n % o->connections.count];
	n /= o->connections.count;
	c.mode = (enum mode)o->modes.item[n % o->modes.count];
	n /= o->modes.count;
	c.version = (int)o->versions.item[n % o->versions.count];
	n /= o->versions.count;
	c.suite = (unsigned)o->suites.item[n];
	return c;
}

static void
run_all(const struct options *o, FILE *table, FILE *json)
{
	unsigned count = o->suites.count * o->versions.count * o->modes.count *
			 o->connections.count * o->sizes.count;

	for (unsigned n = 0; n < count; n++) {
		struct bench_case c = nth_case(o, n);
		char progress[32];

		if (c.version == 13 && !bench_suites[c.suite].tls13)
			continue;
		snprintf(progress, sizeof(progress), "[%u/%u] ", n + 1, count);
		run_one(o, &c, table, json, progress);
	}
}

/* A wide margin: the quick run has few bytes and, maybe, bad company on the machine. */
static unsigned
targets(const struct options *o, FILE *json)
{
	struct target_options t = {
		.rounds = o->rounds,
		.scale = o->quick ? 0.125 : 1,
		.margin = o->assert ? 1.3 : 1,
		.quick = o->quick,
		.same_cpus = o->cpus_given,
	};
	struct setup setup = o->setup;

	if (!t.rounds)
		t.rounds = o->quick ? 3 : 9;
	if (o->quick && !o->cpus_given) {
		t.same_cpus = true;
		setup.cpus = CPUS_ONE;
	}
	return run_targets(&t, &setup, json);
}

/* The kernel's own TLS is a peer where there is one. */
static void
choose_peers(struct list *list)
{
	static const uint64_t usual[] = {0, 1, 2, 4, 6};
	bool given = list->count > 0, native = native_ktls_available();

	for (unsigned i = 0; !given && i < sizeof(usual) / sizeof(usual[0]); i++)
		list->item[list->count++] = usual[i];
	for (unsigned i = 0; !given && native && i < peer_count; i++)
		if (peers[i].native)
			list->item[list->count++] = i;
	for (unsigned i = 0; i < list->count; i++)
		if (peers[list->item[i]].native && !native)
			errx(1, "%s: the running kernel has no TLS",
			     peers[list->item[i]].name);
}

static void
allow_many_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	struct options o = {
		.suites = {1, {0}},
		.versions = {1, {12}},
		.sizes = {1, {MAX_RECORD}},
		.modes = {1, {MODE_WRITE}},
		.connections = {1, {1}},
	};
	FILE *json = NULL;
	unsigned missed = 0;

	if (argc == 2 && strcmp(argv[1], "--worker") == 0)
		worker_main();
	parse_options(&o, argc, argv);
	o.setup.library = find_library(o.setup.library);
	allow_many_descriptors();
	choose_peers(&o.peers);
	if (o.json) {
		json = strcmp(o.json, "-") == 0 ? stdout : fopen(o.json, "we");
		if (!json)
			err(1, "%s", o.json);
		json_begin(json, argc, argv);
	}
	if (o.targets || o.quick || o.assert)
		missed = targets(&o, json);
	else
		run_all(&o, json == stdout ? NULL : stdout, json);
	if (json)
		json_end(json);
	return o.assert &&missed;
}
