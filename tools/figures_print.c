/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures_print.c: counters as a table, as JSON and as sysctl(8) prints them.
 */
#include <inttypes.h>

#include "figures.h"
#include "suite.h"
#include "tool.h"

enum {
	SEND = 0, /* enum direction */
	RECEIVE = 1,
	SIZE_TEXT = 16,
};

static const struct {
	const char *name;
	enum stats_counter records, bytes;
} directions[2] = {
	[SEND] = {"send", STAT_TX_RECORDS, STAT_TX_BYTES},
	[RECEIVE] = {"receive", STAT_RX_RECORDS, STAT_RX_BYTES},
};

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Bytes for people: four digits at most and a binary unit. */
static const char *
size_text(uint64_t n, char text[SIZE_TEXT])
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double value = (double)n;
	size_t unit = 0;

	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return text;
}

static void
print_suites(FILE *out, const struct figures *f, int dir)
{
	const char *comma = "";

	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		if (f->enabled[dir][id] == 0)
			continue;
		fprintf(out, "%s%s (%" PRIu64 "%s%s)", comma,
			suite_by_id((enum suite_id)id)->name, f->enabled[dir][id],
			*f->engine[id] == '\0' ? "" : " by ", f->engine[id]);
		comma = ", ";
	}
}

static void
print_direction(FILE *out, const char *who, const struct figures *f, int dir)
{
	char bytes[SIZE_TEXT];

	fprintf(out, "%-10s %-8s %9" PRIu64 " %11" PRIu64 " %11s  ", who,
		directions[dir].name, figures_sessions(f, dir),
		f->counter[directions[dir].records],
		size_text(f->counter[directions[dir].bytes], bytes));
	print_suites(out, f, dir);
	fputc('\n', out);
}

/* What a reader should not miss; nothing when there is nothing. */
static void
print_remarks(FILE *out, const struct figures *f, const struct style *s)
{
	const uint64_t *c = f->counter;
	uint64_t rekeys = c[STAT_REKEYS_TX] + c[STAT_REKEYS_RX];
	char bytes[SIZE_TEXT];

	if (c[STAT_SENDFILE_CALLS] > 0)
		fprintf(out, "%-10s %s in %" PRIu64 " sendfile call%s\n", "",
			size_text(c[STAT_SENDFILE_BYTES], bytes), c[STAT_SENDFILE_CALLS],
			plural(c[STAT_SENDFILE_CALLS]));
	if (rekeys > 0)
		fprintf(out, "%-10s %" PRIu64 " key%s replaced\n", "", rekeys,
			plural(rekeys));
	if (c[STAT_NATIVE] > 0)
		fprintf(out, "%-10s %" PRIu64 " left to the kernel's own TLS\n", "",
			c[STAT_NATIVE]);
	if (c[STAT_CORRUPTED_RECORDS] > 0)
		fprintf(out, "%-10s %s%" PRIu64 " with a bad header%s\n", "", s->bad,
			c[STAT_CORRUPTED_RECORDS], s->off);
	if (c[STAT_FAILED_CRYPTO] > 0)
		fprintf(out, "%-10s %s%" PRIu64 " failed to decrypt%s\n", "", s->bad,
			c[STAT_FAILED_CRYPTO], s->off);
}

static void
print_block(FILE *out, const char *who, const struct figures *f, const struct style *s)
{
	print_direction(out, who, f, SEND);
	print_direction(out, "", f, RECEIVE);
	print_remarks(out, f, s);
}

void
figures_print_table(FILE *out, const struct figures_list *list)
{
	struct style s = style_for(out);
	struct figures sum = figures_sum(list);
	char who[SIZE_TEXT];

	if (list->count == 0) {
		fputs("No process has turned TLS on.\n", out);
		return;
	}
	fprintf(out, "%s%-10s %-8s %9s %11s %11s  %s%s\n", s.heading, "PROCESS", "",
		"SESSIONS", "RECORDS", "BYTES", "SUITES", s.off);
	for (size_t i = 0; i < list->count; i++) {
		snprintf(who, sizeof(who), "%" PRIu32, list->at[i].pid);
		print_block(out, who, &list->at[i], &s);
	}
	if (list->count > 1)
		print_block(out, "all", &sum, &s);
}

static void
json_direction(FILE *out, const struct figures *f, int dir)
{
	const char *comma = "";

	fprintf(out,
		"\"%s\":{\"sessions\":%" PRIu64 ",\"records\":%" PRIu64
		",\"bytes\":%" PRIu64 ",\"suites\":{",
		directions[dir].name, figures_sessions(f, dir),
		f->counter[directions[dir].records], f->counter[directions[dir].bytes]);
	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		if (f->enabled[dir][id] == 0)
			continue;
		fprintf(out, "%s\"%s\":%" PRIu64, comma,
			suite_by_id((enum suite_id)id)->name, f->enabled[dir][id]);
		comma = ",";
	}
	fputs("},\"engines\":{", out);
	comma = "";
	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++) {
		if (f->enabled[dir][id] == 0 || *f->engine[id] == '\0')
			continue;
		fprintf(out, "%s\"%s\":\"%s\"", comma,
			suite_by_id((enum suite_id)id)->name, f->engine[id]);
		comma = ",";
	}
	fputs("}}", out);
}

/* The members of one object, without its braces. */
static void
json_figures(FILE *out, const struct figures *f)
{
	json_direction(out, f, SEND);
	fputc(',', out);
	json_direction(out, f, RECEIVE);
	fprintf(out,
		",\"sendfile\":{\"calls\":%" PRIu64 ",\"bytes\":%" PRIu64
		"},\"errors\":{\"corrupted_records\":%" PRIu64
		",\"failed_crypto\":%" PRIu64 "},\"counters\":{",
		f->counter[STAT_SENDFILE_CALLS], f->counter[STAT_SENDFILE_BYTES],
		f->counter[STAT_CORRUPTED_RECORDS], f->counter[STAT_FAILED_CRYPTO]);
	for (int c = 0; c < STAT_COUNT; c++)
		fprintf(out, "%s\"kern.ipc.tls.%s\":%" PRIu64, c > 0 ? "," : "",
			stats_name((enum stats_counter)c), f->counter[c]);
	fputc('}', out);
}

void
figures_print_json(FILE *out, const struct figures_list *list)
{
	struct figures sum = figures_sum(list);

	fputs("{\"processes\":[", out);
	for (size_t i = 0; i < list->count; i++) {
		fprintf(out, "%s\n{\"pid\":%" PRIu32 ",", i > 0 ? "," : "",
			list->at[i].pid);
		json_figures(out, &list->at[i]);
		fputc('}', out);
	}
	fputs("],\n\"total\":{", out);
	json_figures(out, &sum);
	fputs("}}\n", out);
}

void
figures_print_raw(FILE *out, const struct figures_list *list)
{
	struct figures sum = figures_sum(list);

	for (int c = 0; c < STAT_COUNT; c++)
		fprintf(out, "kern.ipc.tls.%s: %" PRIu64 "\n",
			stats_name((enum stats_counter)c), sum.counter[c]);
}
