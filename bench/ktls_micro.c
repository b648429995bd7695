/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls_micro.c: what the library costs where no byte is encrypted: calls on descriptors
 * that are none of its business, process start, enabling a session, memory.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "micro.h"
#include "report.h"

static const char usage[] =
	"usage: ktls-micro [--rounds N] [--library FILE] [--json FILE]\n"
	"Measures what the library costs where no byte is encrypted, each with its "
	"limit.\n";

struct options {
	unsigned rounds;
	const char *library, *json;
};

static const struct option long_options[] = {
	{"rounds", required_argument, NULL, 'r'},
	{"library", required_argument, NULL, 'l'},
	{"json", required_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

extern char **environ;

static void
parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			o->rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			o->library = optarg;
			break;
		case 'j':
			o->json = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind != argc || o->rounds < 1 || o->rounds > MAX_ROUNDS) {
		fputs(usage, stderr);
		exit(2);
	}
}

/* Runs a worker of micro_worker.c under the library and takes its figures. */
static void
run_worker(const char *name, double *figures, size_t count)
{
	int out[2], status;

	if (pipe2(out, O_CLOEXEC))
		err(1, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("/proc/self/exe", "ktls-micro", "--worker", name, NULL);
		err(1, "exec");
	}
	close(out[1]);
	ssize_t n = read(out[0], figures, count * sizeof(*figures));
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0 ||
	    n != (ssize_t)(count * sizeof(*figures)))
		errx(1, "%s failed", name);
}

static void
show(FILE *json, const char *what, const char *unit, double limit, struct spread s)
{
	if (limit > 0)
		printf("%-52s %8.2f %9.2f %8.2f-%-8.2f %-4s %s\n", what, limit, s.median,
		       s.min, s.max, unit, s.median > limit ? "MISS" : "OK");
	else
		printf("%-52s %8s %9.2f %8.2f-%-8.2f %s\n", what, "-", s.median, s.min,
		       s.max, unit);
	fflush(stdout);
	if (json)
		json_target(json, what, unit, limit, s);
}

static void
measure(const struct micro_figure *figures, size_t count, const char *worker,
	unsigned rounds, FILE *json)
{
	double values[MICRO_FIGURES][MAX_ROUNDS], one[MICRO_FIGURES];

	for (unsigned round = 0; round < rounds; round++) {
		run_worker(worker, one, count);
		for (size_t i = 0; i < count; i++)
			values[i][round] = one[i];
	}
	for (size_t i = 0; i < count; i++)
		show(json, figures[i].what, figures[i].unit, figures[i].limit,
		     spread_of(values[i], rounds));
}

/* posix_spawn(3) to waitpid(2) of a program that does nothing, in microseconds. */
static double
spawn_true(char **environment)
{
	char *argv[] = {"true", NULL};
	pid_t pid;
	int status;
	uint64_t start = micro_now();
	int e = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environment);

	if (e || waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "/bin/true: %s", strerror(e));
	return (double)(micro_now() - start) / 1000;
}

static void
measure_start(unsigned rounds, char **plain, FILE *json)
{
	enum {
		SPAWNS = 300
	};
	double extra[MAX_ROUNDS], with[SPAWNS], without[SPAWNS];

	for (unsigned round = 0; round < rounds; round++) {
		for (int i = 0; i < SPAWNS; i++) {
			without[i] = spawn_true(plain);
			with[i] = spawn_true(environ);
		}
		extra[round] = spread_of(with, SPAWNS).median -
			       spread_of(without, SPAWNS).median;
	}
	show(json, "start of /bin/true: what the library adds", "us", 60,
	     spread_of(extra, rounds));
}

/* The environment without LD_PRELOAD. */
static char **
plain_environment(void)
{
	size_t n = 0, count = 0;

	while (environ[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		err(1, "calloc");
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
			copy[n++] = environ[i];
	return copy;
}

int
main(int argc, char **argv)
{
	struct options o = {.rounds = 7};
	struct rlimit limit;
	FILE *json = NULL;

	if (argc == 3 && strcmp(argv[1], "--worker") == 0)
		return micro_worker(argv[2]);
	parse_options(&o, argc, argv);
	unsetenv("LD_PRELOAD");
	char **plain = plain_environment();
	setenv("LD_PRELOAD", find_library(o.library), 1);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (o.json) {
		json = fopen(o.json, "we");
		if (!json)
			err(1, "%s", o.json);
		json_begin(json, argc, argv);
	}
	printf("%-52s %8s %9s %8s\n", "", "at most", "median", "min-max");
	measure(micro_calls, MICRO_CALLS, "calls", o.rounds, json);
	measure_start(o.rounds, plain, json);
	measure(micro_enable, MICRO_ENABLE, "enable", o.rounds, json);
	measure(micro_memory, MICRO_MEMORY, "memory", o.rounds, json);
	if (json)
		json_end(json);
	return 0;
}
