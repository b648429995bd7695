/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool.h: what the subcommands of ktls have in common.
 */
#ifndef KTLS_TOOL_H
#define KTLS_TOOL_H

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses. `ktls run` has those of env(1), since the command's own come through. */
enum {
	TOOL_OK = 0,
	TOOL_FAILED = 1,
	TOOL_USAGE = 2,
	RUN_FAILED = 125,
	RUN_CANNOT_EXECUTE = 126,
	RUN_NOT_FOUND = 127,
};

struct command {
	const char *name;
	int (*main)(int argc, char **argv); /* getopt(3)'s view; the exit status */
	const char *summary;                /* one line */
	const char *help;                   /* a screen at most */
};

int run_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int sysctl_main(int argc, char **argv);

extern const char run_help[];
extern const char stat_help[];
extern const char sysctl_help[];

/* After a message: where to read on. Returns `status`. */
int usage_hint(const char *command, int status);

/* Terminal attributes for `out`: empty unless it is a terminal (and NO_COLOR unset). */
struct style {
	const char *heading;
	const char *bad;
	const char *off;
};
struct style style_for(FILE *out);

#endif
