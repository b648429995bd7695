/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runner.c: runs the cases, each in a process group of its own with a time limit.
 */
#include "conformance.h"
#include "peer.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SKIPPED = 77,
	JOBS_MAX = 32,
	NAME_MAX_LEN = 96,
};

static const struct scenario *const lists[] = {
	catalogue_transmit,     catalogue_receive, catalogue_misc,   enable_scenarios,
	enable_wrong_scenarios, mode_scenarios,    sysctl_scenarios, send_scenarios,
	sendfile_scenarios,     flow_scenarios,    record_scenarios, receive_scenarios,
	rx_error_scenarios,     ready_scenarios,   shared_scenarios, plain_scenarios,
	plain_wait_scenarios,
};

struct test_case {
	char name[NAME_MAX_LEN];
	const struct scenario *scenario;
	struct variant variant;
};

struct job {
	pid_t pid; /* 0: free */
	const struct test_case *test;
	int output;
	struct timespec deadline;
};

static struct test_case *tests;
static int test_count;
static unsigned long long seed;
static int time_limit = 20, passed, failed, skipped;

static void
add_case(const struct scenario *s, const struct suite *suite, int n)
{
	struct test_case *t;
	char number[16] = "";

	tests = realloc(tests, ((size_t)test_count + 1) * sizeof(*tests));
	if (tests == NULL)
		abort();
	t = &tests[test_count++];
	if (n > 0)
		snprintf(number, sizeof(number), "_%d", n);
	snprintf(t->name, sizeof(t->name), "%s%s%s%s%s%s", s->prefix, suite ? "_" : "",
		 suite ? suite->name : "", s->suffix ? "_" : "",
		 s->suffix ? s->suffix : "", number);
	t->scenario = s;
	t->variant = (struct variant){.suite = suite, .n = n};
}

static void
add_variants(const struct scenario *s, const struct suite *suite)
{
	if (s->count == 0)
		add_case(s, suite, 0);
	for (int n = 1; n <= s->count; n++)
		add_case(s, suite, n);
}

static void
collect(void)
{
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (const struct scenario *s = lists[l]; s->run != NULL; s++) {
			if (s->groups == 0)
				add_variants(s, NULL);
			for (int i = 0; i < suite_count; i++)
				if ((s->groups & suites[i].groups) != 0)
					add_variants(s, &suites[i]);
		}
}

static uint64_t
hash(const char *name)
{
	uint64_t h = 1469598103934665603u ^ seed;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u;
	return h;
}

static void
start(struct job *job, const struct test_case *test)
{
	job->test = test;
	job->output = memfd_create("output", 0);
	clock_gettime(CLOCK_MONOTONIC, &job->deadline);
	job->deadline.tv_sec += time_limit;
	fflush(stdout);
	job->pid = fork();
	if (job->pid < 0 || job->output < 0)
		abort();
	if (job->pid > 0) {
		setpgid(job->pid, job->pid);
		return;
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	setpgid(0, 0);
	dup2(job->output, STDERR_FILENO);
	random_seed(hash(test->name));
	test->scenario->run(&test->variant);
	exit(0);
}

/* The case's own words, each line as a comment. */
static void
print_output(int fd)
{
	char line[1024];
	FILE *f = fdopen(fd, "r");

	if (f == NULL)
		abort();
	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL)
		printf("# %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
	fclose(f);
}

static void
report(struct job *job, int status, bool timed_out)
{
	int number = (int)(job->test - tests) + 1;

	job->pid = 0;
	if (!timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		passed++;
		close(job->output);
		return;
	}
	if (!timed_out && WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		skipped++;
		printf("ok %d - %s # SKIP\n", number, job->test->name);
	} else {
		failed++;
		printf("not ok %d - %s\n", number, job->test->name);
	}
	if (timed_out)
		printf("# no end after %d s\n", time_limit);
	else if (WIFSIGNALED(status))
		printf("# killed by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	print_output(job->output);
}

static bool
is_late(const struct job *job)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > job->deadline.tv_sec ||
	       (now.tv_sec == job->deadline.tv_sec &&
		now.tv_nsec >= job->deadline.tv_nsec);
}

/* Ends what has ended or is late, with all it has started. Whether any place is free. */
static bool
look(struct job *jobs, int n)
{
	bool any = false;

	for (int i = 0; i < n; i++) {
		int status = 0;
		if (jobs[i].pid == 0) {
			any = true;
			continue;
		}
		bool late = is_late(&jobs[i]);
		if (late)
			kill(-jobs[i].pid, SIGKILL);
		if (waitpid(jobs[i].pid, &status, late ? 0 : WNOHANG) == 0)
			continue;
		kill(-jobs[i].pid, SIGKILL);
		report(&jobs[i], status, late);
		any = true;
	}
	return any;
}

static void
wait_for_child(void)
{
	struct timespec tick = {.tv_nsec = 50000000};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &tick);
}

static bool
busy(const struct job *jobs, int n)
{
	for (int i = 0; i < n; i++)
		if (jobs[i].pid != 0)
			return true;
	return false;
}

static bool
wanted(const struct test_case *t, char **patterns, int n)
{
	for (int i = 0; i < n; i++)
		if (strstr(t->name, patterns[i]) != NULL)
			return true;
	return n == 0;
}

static void
run_all(int jobs_max, char **patterns, int pattern_count)
{
	struct job jobs[JOBS_MAX] = {{0}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < test_count; i++) {
		int slot = 0;
		if (!wanted(&tests[i], patterns, pattern_count))
			continue;
		while (!look(jobs, jobs_max))
			wait_for_child();
		while (jobs[slot].pid != 0)
			slot++;
		start(&jobs[slot], &tests[i]);
	}
	while (busy(jobs, jobs_max)) {
		look(jobs, jobs_max);
		if (busy(jobs, jobs_max))
			wait_for_child();
	}
}

static int
usage(void)
{
	fprintf(stderr, "usage: conformance_freebsd [-l] [-j jobs] [-t seconds] "
			"[-s seed] [part of a name...]\n");
	return 2;
}

/* As FreeBSD's own suite: without kernel TLS there is nothing to test. */
static bool
have_ktls(void)
{
	uint8_t enabled = 0;
	size_t len = sizeof(enabled);

	return sysctlbyname("kern.ipc.tls.enable", &enabled, &len, NULL, 0) == 0 &&
	       enabled != 0;
}

int
main(int argc, char **argv)
{
	int option, jobs = 4;
	bool list = false;

	seed = (unsigned long long)time(NULL);
	while ((option = getopt(argc, argv, "lj:t:s:")) != -1) {
		switch (option) {
		case 'l':
			list = true;
			break;
		case 'j':
			jobs = atoi(optarg);
			break;
		case 't':
			time_limit = atoi(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			return usage();
		}
	}
	if (jobs < 1 || jobs > JOBS_MAX || time_limit < 1)
		return usage();
	collect();
	for (int i = 0; list && i < test_count; i++)
		if (wanted(&tests[i], argv + optind, argc - optind))
			printf("%s\n", tests[i].name);
	if (list)
		return 0;
	if (!have_ktls()) {
		printf("kern.ipc.tls.enable is 0: nothing to test\n");
		return SKIPPED;
	}
	run_all(jobs, argv + optind, argc - optind);
	if (failed > 0)
		printf("# seed %llu\n", seed);
	if (skipped > 0)
		printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	else
		printf("%d passed, %d failed\n", passed, failed);
	return failed > 0 || passed == 0 ? 1 : 0;
}
