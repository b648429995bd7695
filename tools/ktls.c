/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls.c: the ktls command: finds the subcommand and its help.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static int help_main(int argc, char **argv);

static const char help_help[] = "usage: ktls help [COMMAND]\n";

static const struct command commands[] = {
	{"run", run_main, "Run a program with the library preloaded", run_help},
	{"stat", stat_main, "Show what processes have done with TLS", stat_help},
	{"sysctl", sysctl_main, "Show tunables and counters", sysctl_help},
	{"help", help_main, "Explain a command", help_help},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
print_overview(FILE *out)
{
	struct style s = style_for(out);

	fprintf(out, "usage: ktls COMMAND [OPTION...] [ARGUMENT...]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %s%-8s%s  %s\n", s.heading, commands[i].name, s.off,
			commands[i].summary);
	fprintf(out,
		"\n"
		"`ktls help COMMAND' explains a command, `ktls --version' tells the\n"
		"version. See ktls(1), and ktls(7) for the library.\n");
}

static int
unknown_command(const char *name)
{
	fprintf(stderr, "ktls: no command `%s'\n", name);
	fprintf(stderr, "Try `ktls help'.\n");
	return TOOL_USAGE;
}

static int
help_main(int argc, char **argv)
{
	if (argc < 2) {
		print_overview(stdout);
		return TOOL_OK;
	}
	const struct command *c = find_command(argv[1]);
	if (c == NULL)
		return unknown_command(argv[1]);
	fputs(c->help, stdout);
	return TOOL_OK;
}

int
usage_hint(const char *command, int status)
{
	fprintf(stderr, "Try `ktls help %s'.\n", command);
	return status;
}

struct style
style_for(FILE *out)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool plain = !isatty(fileno(out)) || (no_color != NULL && *no_color != '\0') ||
		     term == NULL || strcmp(term, "dumb") == 0;

	return plain ? (struct style){"", "", ""}
		     : (struct style){"\033[1m", "\033[1;31m", "\033[0m"};
}

static bool
wants_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* A full disk or a closed pipe is seen here at the latest. */
static int
flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("ktls: standard output");
	return status == TOOL_OK ? TOOL_FAILED : status;
}

int
main(int argc, char **argv)
{
	const char *name = argc < 2 ? NULL : argv[1];

	if (name == NULL) {
		print_overview(stderr);
		return TOOL_USAGE;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("ktls %s\n", KTLS_VERSION);
		return flushed(TOOL_OK);
	}
	if (wants_help(name))
		return flushed(help_main(1, argv));
	const struct command *c = find_command(name);
	if (c == NULL)
		return unknown_command(name);
	if (argc > 2 && wants_help(argv[2])) {
		fputs(c->help, stdout);
		return flushed(TOOL_OK);
	}
	/* getopt(3) begins its messages with this. */
	char title[32];
	snprintf(title, sizeof(title), "ktls %s", c->name);
	argv[1] = title;
	return flushed(c->main(argc - 1, argv + 1));
}
