/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_sysctl.c: `ktls sysctl`: shows tunables and counters in the form of FreeBSD's
 * sysctl(8).
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "sysctl.h"
#include "tool.h"

const char sysctl_help[] =
	"usage: ktls sysctl [-dn] [-f FILE|DIRECTORY] -a | NAME...\n"
	"\n"
	"Shows tunables, as the library reads them from this environment, and\n"
	"counters, as `name: value'. NAME may be a node, to show all below it.\n"
	"\n"
	"  -a, --all           all tunables; with -d or -f all counters, too\n"
	"  -d, --descriptions  what they mean instead of their values, with default\n"
	"                      and environment variable\n"
	"  -n, --values        values without names\n"
	"  -f, --file FILE     take counters from there: see `ktls help stat'\n"
	"\n"
	"  KTLS_MAXLEN=4096 ktls sysctl -a\n"
	"  ktls sysctl -f /tmp/stats kern.ipc.tls.stats.ocf\n"
	"\n"
	"Exit status: 0, or 1 when there is no such NAME or FILE, 2 for bad usage.\n";

static const struct option options[] = {
	{"all", no_argument, NULL, 'a'},
	{"descriptions", no_argument, NULL, 'd'},
	{"values", no_argument, NULL, 'n'},
	{"file", required_argument, NULL, 'f'},
	{0},
};

#define TUNABLE_DEFAULT(id, kind, rw, value, ...) value,
static const int defaults[TUNABLE_COUNT] = {SYSCTL_TUNABLES(TUNABLE_DEFAULT)};

struct request {
	bool all, descriptions, values_only;
	const char *file;
};

static bool
below(const char *node, const char *name)
{
	size_t len = strlen(node);

	while (len > 0 && node[len - 1] == '.')
		len--;
	return strncmp(node, name, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

static void
print_tunable(const struct request *rq, enum tunable t)
{
	const struct tunable_row *row = &tunable_rows[t];

	if (!rq->values_only)
		printf("%s: ", row->name);
	if (rq->descriptions)
		printf("%s (%s, default %d)\n", row->description, row->environment,
		       defaults[t]);
	else
		printf("%d\n", tunable(t));
}

static void
print_counter(const struct request *rq, const struct figures *f, enum stats_counter c)
{
	if (!rq->values_only)
		printf("kern.ipc.tls.%s: ", stats_name(c));
	if (rq->descriptions)
		printf("%s\n", stats_description(c));
	else
		printf("%" PRIu64 "\n", f->counter[c]);
}

/* What is at or below `node`; NULL for everything. The number of lines, or -1: counters
 * were asked for by name and it is not said whose. */
static int
print_node(const struct request *rq, const struct figures *f, const char *node)
{
	static const char prefix[] = "kern.ipc.tls.";
	bool have_counters = rq->descriptions || rq->file != NULL;
	int lines = 0, withheld = 0;

	for (int t = 0; t < TUNABLE_COUNT; t++) {
		if (node != NULL && !below(node, tunable_rows[t].name))
			continue;
		print_tunable(rq, (enum tunable)t);
		lines++;
	}
	for (int c = 0; c < STAT_COUNT; c++) {
		char name[128];
		snprintf(name, sizeof(name), "%s%s", prefix,
			 stats_name((enum stats_counter)c));
		if (node != NULL && !below(node, name))
			continue;
		if (have_counters)
			print_counter(rq, f, (enum stats_counter)c);
		lines += have_counters;
		withheld += !have_counters;
	}
	return lines == 0 && withheld > 0 ? -1 : lines;
}

/* The library ignores a value that it does not take, and cannot say so. */
static void
warn_of_ignored(void)
{
	for (int t = 0; t < TUNABLE_COUNT; t++) {
		const char *text = getenv(tunable_rows[t].environment);
		char *end;

		if (text == NULL || *text == '\0')
			continue;
		errno = 0;
		long value = strtol(text, &end, 10);
		if (*end != '\0' || errno != 0 || value != tunable((enum tunable)t))
			warnx("%s=%s: not a value that it takes, ignored",
			      tunable_rows[t].environment, text);
	}
}

static int
print_names(const struct request *rq, const struct figures *f, char **names)
{
	int status = TOOL_OK;

	for (; *names != NULL; names++) {
		int lines = **names == '\0' ? 0 : print_node(rq, f, *names);
		if (lines > 0)
			continue;
		if (lines < 0)
			warnx("%s: a counter; -f FILE says whose", *names);
		else
			warnx("unknown oid '%s'", *names);
		status = TOOL_FAILED;
	}
	return status;
}

int
sysctl_main(int argc, char **argv)
{
	struct figures_list list = {0};
	struct request rq = {0};
	int c;

	while ((c = getopt_long(argc, argv, "adnf:", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			rq.all = true;
			break;
		case 'd':
			rq.descriptions = true;
			break;
		case 'n':
			rq.values_only = true;
			break;
		case 'f':
			rq.file = optarg;
			break;
		default:
			return usage_hint("sysctl", TOOL_USAGE);
		}
	}
	if (rq.all == (optind < argc)) {
		warnx("sysctl: either -a or names");
		return usage_hint("sysctl", TOOL_USAGE);
	}
	if (rq.file != NULL && figures_add(&list, rq.file) < 0) {
		figures_free(&list);
		return TOOL_FAILED;
	}
	struct figures sum = figures_sum(&list);
	figures_free(&list);
	sysctl_init();
	warn_of_ignored();
	if (!rq.all)
		return print_names(&rq, &sum, argv + optind);
	print_node(&rq, &sum, NULL);
	return TOOL_OK;
}
