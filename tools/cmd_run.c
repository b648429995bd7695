/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_run.c: `ktls run`: runs a program with the library preloaded.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "tool.h"

const char run_help[] =
	"usage: ktls run [--stats[=FILE]] [--cipher NAME] [--backend NAME] [--] CMD...\n"
	"\n"
	"Runs CMD with libktls.so preloaded, so that its kernel TLS works. CMD and its\n"
	"configuration must ask for kernel TLS; nginx, for one, does so with\n"
	"`ssl_conf_command Options KTLS;'.\n"
	"\n"
	"  -s, --stats[=FILE]  when CMD has ended, print what it and the processes that\n"
	"                      it started did with TLS, to FILE or standard error\n"
	"  -c, --cipher NAME   who encrypts: libcrypto, ipsec-mb or auto (the default)\n"
	"  -b, --backend NAME  sw: the library always; auto (the default): the kernel's\n"
	"                      own TLS where there is one\n"
	"\n"
	"LD_PRELOAD is extended, not replaced. Static and setuid programs ignore it; "
	"see\n"
	"CAVEATS in ktls(7).\n"
	"\n"
	"  ktls run --stats nginx -g 'daemon off;'\n"
	"\n"
	"Exit status: that of CMD; 128 and the number of the signal that ended it\n"
	"(with --stats); 127 when CMD is not found, 126 when it cannot be run, 125 when\n"
	"ktls itself fails.\n";

static const struct option options[] = {
	{"stats", optional_argument, NULL, 's'},
	{"cipher", required_argument, NULL, 'c'},
	{"backend", required_argument, NULL, 'b'},
	{0},
};

static const char *const ciphers[] = {"auto", "ipsec-mb", "libcrypto", NULL};
static const char *const backends[] = {"auto", "sw", NULL};

struct run {
	bool stats;
	const char *stats_file; /* NULL: standard error */
	const char *cipher;
	const char *backend;
};

/* Is libktls.so in `below`, seen from `dir`? Then its absolute path is in `path`. */
static bool
library_in(const char *dir, const char *below, char path[PATH_MAX])
{
	char place[PATH_MAX], real[PATH_MAX];

	if ((size_t)snprintf(place, sizeof(place), "%s/%s", dir, below) >=
		    sizeof(place) ||
	    realpath(place, real) == NULL)
		return false;
	return (size_t)snprintf(path, PATH_MAX, "%s/libktls.so", real) < PATH_MAX &&
	       access(path, R_OK) == 0;
}

/* In the build tree the library is beside the tool. KTLS_LIBDIR is absolute or relative
 * to the prefix, so that an installed tree may be moved. */
static bool
find_library(char path[PATH_MAX])
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	if (n <= 0)
		return false;
	dir[n] = '\0';
	char *slash = strrchr(dir, '/');
	if (slash == NULL)
		return false;
	slash[1] = '\0';
	if (library_in(dir, ".", path))
		return true;
	return KTLS_LIBDIR[0] == '/' ? library_in(KTLS_LIBDIR, ".", path)
				     : library_in(dir, "../" KTLS_LIBDIR, path);
}

/* ld.so(8) takes spaces and colons for separators, and has no escape for them. */
static int
set_preload(void)
{
	char library[PATH_MAX];
	const char *before = getenv("LD_PRELOAD");
	char *list;

	if (!find_library(library)) {
		warnx("run: libktls.so is neither beside this program nor in %s",
		      KTLS_LIBDIR);
		return -1;
	}
	if (strpbrk(library, " \t:") != NULL) {
		warnx("run: LD_PRELOAD cannot hold a path with a space or colon: %s",
		      library);
		return -1;
	}
	if (before == NULL || *before == '\0')
		return setenv("LD_PRELOAD", library, 1);
	if (asprintf(&list, "%s:%s", library, before) < 0) {
		warn("run");
		return -1;
	}
	int r = setenv("LD_PRELOAD", list, 1);
	free(list);
	return r;
}

static int
execute(char **cmd)
{
	execvp(cmd[0], cmd);
	int status = errno == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE;
	warn("%s", cmd[0]);
	return status;
}

/* ---- with --stats: the command is a child ---- */

static volatile pid_t child;

/* What a terminal sends goes to the command as well; what a process sends to us (kill(2),
 * a supervisor) is meant for the command. */
static void
pass_on(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && child > 0) {
		int saved = errno;
		kill(child, sig);
		errno = saved;
	}
}

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(set, passed_on[i]);
}

/* Signals that we were told to ignore (nohup(1)) the command ignores as well. */
static void
catch_signals(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction before;

	action.sa_sigaction = pass_on;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (sigaction(passed_on[i], NULL, &before) == 0 &&
		    before.sa_handler != SIG_IGN)
			sigaction(passed_on[i], &action, NULL);
}

/* Starts the command and waits for it. Its exit status as a shell gives it. */
static int
run_child(char **cmd)
{
	sigset_t ours, before;
	int status;

	signal_set(&ours);
	sigprocmask(SIG_BLOCK, &ours, &before);
	catch_signals();
	pid_t pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		_exit(execute(cmd));
	}
	child = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		warn("fork");
		return RUN_FAILED;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			warn("waitpid");
			return RUN_FAILED;
		}
	child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * Where the processes count. Those of root may have become other users by the time of
 * their first session (nginx's workers), so all may write there, but neither list it nor
 * touch each other's files.
 */
static int
make_directory(char path[PATH_MAX])
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || *tmp != '/')
		tmp = "/tmp";
	if ((size_t)snprintf(path, PATH_MAX, "%s/ktls-run.XXXXXX", tmp) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (mkdtemp(path) == NULL)
		return -1;
	return geteuid() == 0 ? chmod(path, 01733) : 0;
}

static void
remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	if (rmdir(path) < 0)
		warn("%s", path);
}

static void
print_summary(FILE *out, const struct figures_list *list)
{
	if (list->count == 0)
		fprintf(out, "ktls: no process turned TLS on: see `ktls help run'\n");
	else
		figures_print_table(out, list);
	if (fflush(out) != 0 || ferror(out))
		warn("run: summary");
}

/* 125 only when the command was not started: its status is worth more than ours. */
static int
run_with_stats(const struct run *run, char **cmd)
{
	struct figures_list list = {0};
	char dir[PATH_MAX];
	FILE *out = stderr;

	if (run->stats_file != NULL) {
		out = fopen(run->stats_file, "we");
		if (out == NULL) {
			warn("%s", run->stats_file);
			return RUN_FAILED;
		}
	}
	int status = RUN_FAILED;
	if (make_directory(dir) < 0 || setenv("KTLS_STATS", dir, 1) < 0) {
		warn("run: directory for --stats");
	} else {
		status = run_child(cmd);
		figures_add(&list, dir);
		remove_directory(dir);
		/* A command that did not start has said so. */
		if (list.count > 0 || status < RUN_FAILED || status > RUN_NOT_FOUND)
			print_summary(out, &list);
	}
	figures_free(&list);
	if (out != stderr)
		fclose(out);
	return status;
}

/* The value itself, or NULL with a message when it is none of `known`. */
static const char *
one_of(const char *option, const char *value, const char *const *known)
{
	for (size_t i = 0; known[i] != NULL; i++)
		if (strcmp(known[i], value) == 0)
			return value;
	fprintf(stderr, "ktls: run: %s is one of:", option);
	for (size_t i = 0; known[i] != NULL; i++)
		fprintf(stderr, " %s", known[i]);
	fputc('\n', stderr);
	return NULL;
}

static bool
parse(struct run *run, int argc, char **argv)
{
	int c;

	/* '+': options behind CMD are CMD's. */
	while ((c = getopt_long(argc, argv, "+s::c:b:", options, NULL)) != -1) {
		switch (c) {
		case 's':
			run->stats = true;
			run->stats_file = optarg;
			break;
		case 'c':
			run->cipher = one_of("--cipher", optarg, ciphers);
			if (run->cipher == NULL)
				return false;
			break;
		case 'b':
			run->backend = one_of("--backend", optarg, backends);
			if (run->backend == NULL)
				return false;
			break;
		default:
			return false;
		}
	}
	if (optind < argc)
		return true;
	warnx("run: which command?");
	return false;
}

int
run_main(int argc, char **argv)
{
	struct run run = {0};

	if (!parse(&run, argc, argv))
		return usage_hint("run", RUN_FAILED);
	if (set_preload() < 0)
		return RUN_FAILED;
	if ((run.cipher != NULL && setenv("KTLS_CIPHER", run.cipher, 1) < 0) ||
	    (run.backend != NULL && setenv("KTLS_BACKEND", run.backend, 1) < 0)) {
		warn("run");
		return RUN_FAILED;
	}
	char **cmd = argv + optind;
	return run.stats ? run_with_stats(&run, cmd) : execute(cmd);
}
