/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures.c: reads the counter files of processes and adds them up.
 */
#include "figures.h"

#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why a file gave no figures, where that is no matter of errno. */
enum verdict {
	FILE_GOOD,
	FILE_NOT_READY, /* its process is just making it */
	FILE_FOREIGN,
	FILE_OTHER_VERSION,
	FILE_UNREADABLE, /* errno */
};

/* read(2), not mmap(2): the file may shrink while we look at it. */
static ssize_t
read_all(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)buf + done, n - done);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

static enum verdict
judge(const struct stats_segment *s, ssize_t len, off_t size)
{
	const ssize_t prefix = offsetof(struct stats_segment, pid);

	if (size == 0 || (len >= prefix && s->magic == 0))
		return FILE_NOT_READY;
	if (len < prefix || s->magic != STATS_MAGIC)
		return FILE_FOREIGN;
	if (s->version != STATS_VERSION)
		return FILE_OTHER_VERSION;
	return size == sizeof(*s) && len == size ? FILE_GOOD : FILE_FOREIGN;
}

static void
copy_name(char *to, const char *from, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && (islower((unsigned char)from[n]) ||
				isdigit((unsigned char)from[n]) || from[n] == '-'))
		n++;
	memcpy(to, from, n);
	to[n] = '\0';
}

static void
copy_figures(struct figures *f, const struct stats_segment *s)
{
	f->pid = s->pid;
	for (int c = 0; c < STAT_COUNT; c++)
		f->counter[c] = s->counter[c];
	for (int dir = 0; dir < 2; dir++)
		for (int id = 0; id < SUITE_COUNT; id++)
			f->enabled[dir][id] = s->enabled[dir][id];
	for (int id = 0; id < SUITE_COUNT; id++)
		copy_name(f->engine[id], s->engine[id], sizeof(f->engine[id]));
}

/* Takes over `fd`. */
static enum verdict
read_figures(int fd, struct figures *f)
{
	struct stats_segment s = {0};
	struct stat st;
	enum verdict v = FILE_UNREADABLE;

	if (fstat(fd, &st) == 0) {
		ssize_t n = S_ISREG(st.st_mode) ? read_all(fd, &s, sizeof(s)) : 0;
		if (!S_ISREG(st.st_mode))
			v = FILE_FOREIGN;
		else if (n >= 0)
			v = judge(&s, n, st.st_size);
	}
	int saved = errno;
	close(fd);
	errno = saved;
	if (v == FILE_GOOD)
		copy_figures(f, &s);
	return v;
}

static int
append(struct figures_list *list, const struct figures *f)
{
	struct figures *more =
		reallocarray(list->at, list->count + 1, sizeof(struct figures));

	if (more == NULL) {
		warn("figures");
		return -1;
	}
	list->at = more;
	list->at[list->count++] = *f;
	return 0;
}

static int
complain(const char *path, enum verdict v)
{
	switch (v) {
	case FILE_UNREADABLE:
		warn("%s", path);
		break;
	case FILE_OTHER_VERSION:
		warnx("%s: written by another version of libktls.so", path);
		break;
	default:
		warnx("%s: not a statistics file of libktls.so", path);
	}
	return -1;
}

/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
static int
open_file(int at, const char *name, int flags)
{
	return openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
}

static bool
is_segment_name(const char *name)
{
	static const char prefix[] = "ktls.";
	const char *digits = name + sizeof(prefix) - 1;

	return strncmp(name, prefix, sizeof(prefix) - 1) == 0 && *digits != '\0' &&
	       strspn(digits, "0123456789") == strlen(digits);
}

static int
by_number(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int
only_segments(const struct dirent *entry)
{
	return is_segment_name(entry->d_name);
}

/* Others may write to the directory as well: no links, and what is gone is gone. */
static int
add_entry(struct figures_list *list, int dir, const char *name)
{
	struct figures f;
	int fd = open_file(dir, name, O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return 0;
	enum verdict v = fd < 0 ? FILE_UNREADABLE : read_figures(fd, &f);
	if (v == FILE_GOOD)
		return append(list, &f);
	return v == FILE_NOT_READY ? 0 : complain(name, v);
}

/* Takes over `dir`. */
static int
add_directory(struct figures_list *list, int dir, const char *path)
{
	struct dirent **names;
	int result = 0, n = scandirat(dir, ".", &names, only_segments, by_number);

	if (n < 0) {
		warn("%s", path);
		result = -1;
	}
	for (int i = 0; i < n; i++) {
		if (add_entry(list, dir, names[i]->d_name) < 0)
			result = -1;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	close(dir);
	return result;
}

int
figures_add(struct figures_list *list, const char *path)
{
	struct figures f;
	struct stat st;
	int fd = open_file(AT_FDCWD, path, 0);

	if (fd < 0 || fstat(fd, &st) < 0) {
		warn("%s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return add_directory(list, fd, path);
	enum verdict v = read_figures(fd, &f);
	return v == FILE_GOOD ? append(list, &f) : complain(path, v);
}

void
figures_free(struct figures_list *list)
{
	free(list->at);
	*list = (struct figures_list){0};
}

struct figures
figures_sum(const struct figures_list *list)
{
	struct figures sum = {0};

	for (size_t i = 0; i < list->count; i++) {
		const struct figures *f = &list->at[i];
		for (int c = 0; c < STAT_COUNT; c++)
			sum.counter[c] += f->counter[c];
		for (int dir = 0; dir < 2; dir++)
			for (int id = 0; id < SUITE_COUNT; id++)
				sum.enabled[dir][id] += f->enabled[dir][id];
	}
	return sum;
}

uint64_t
figures_sessions(const struct figures *f, int dir)
{
	uint64_t n = 0;

	for (int id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		n += f->enabled[dir][id];
	return n;
}
