/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_stat.c: `ktls stat`: shows what processes have done with TLS.
 */
#include <err.h>
#include <getopt.h>
#include <stddef.h>

#include "figures.h"
#include "tool.h"

const char stat_help[] =
	"usage: ktls stat [--json | --raw] FILE|DIRECTORY...\n"
	"\n"
	"Shows what processes have done with TLS: sessions turned on, records and\n"
	"bytes of plaintext per direction, cipher suites, sendfile(2), errors.\n"
	"\n"
	"A process counts where others can see it when the environment variable\n"
	"KTLS_STATS names a directory: there, its first TLS session makes the file\n"
	"ktls.PID. The file outlives its process.\n"
	"\n"
	"  -j, --json  everything, as one JSON object\n"
	"  -r, --raw   the sum of all files, as FreeBSD's `sysctl kern.ipc.tls' has it\n"
	"\n"
	"  mkdir /tmp/stats\n"
	"  KTLS_STATS=/tmp/stats ktls run ./server\n"
	"  ktls stat /tmp/stats\n"
	"\n"
	"Exit status: 0, or 1 when a file could not be read, 2 for bad usage.\n";

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"raw", no_argument, NULL, 'r'},
	{0},
};

int
stat_main(int argc, char **argv)
{
	void (*print)(FILE *, const struct figures_list *) = figures_print_table;
	struct figures_list list = {0};
	int c, status = TOOL_OK;

	while ((c = getopt_long(argc, argv, "jr", options, NULL)) != -1) {
		if (c != 'j' && c != 'r')
			return usage_hint("stat", TOOL_USAGE);
		print = c == 'j' ? figures_print_json : figures_print_raw;
	}
	if (optind == argc) {
		warnx("stat: which file or directory?");
		return usage_hint("stat", TOOL_USAGE);
	}
	for (int i = optind; i < argc; i++)
		if (figures_add(&list, argv[i]) < 0)
			status = TOOL_FAILED;
	if (list.count > 0 || status == TOOL_OK)
		print(stdout, &list);
	figures_free(&list);
	return status;
}
