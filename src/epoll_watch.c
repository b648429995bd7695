/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll_watch.c: remembers what the program asked of epoll_ctl(2), by descriptor.
 */
#include "epoll_watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "real.h"
#include "session.h"

/* `where` is the set's descriptor + 1 in the upper half, the events in the lower; 0: not
 * known. Written data first, so that a reader who sees `where` twice sees its data. */
struct watch {
	_Atomic uint64_t where;
	_Atomic uint64_t data;
};
static struct watch watches[FDTAB_SIZE];

/* From a hash of set and data to a descriptor: a guess that the watch confirms. */
enum {
	GUESSES = 4096
};
static _Atomic int guesses[GUESSES];

/* Sets whose members from before the first session have been looked up in /proc. */
static _Atomic uint8_t looked_up[FDTAB_SIZE / 8];

static uint64_t
where(int ep, uint32_t events)
{
	return (uint64_t)(uint32_t)(ep + 1) << 32 | events;
}

static _Atomic int *
guess(int ep, uint64_t data)
{
	uint64_t h = (data ^ (uint64_t)(uint32_t)ep << 48) * UINT64_C(0x9e3779b97f4a7c15);

	return &guesses[h >> 52];
}

static void
note(int ep, int fd, uint32_t events, uint64_t data)
{
	atomic_store(&watches[fd].where, 0);
	atomic_store(&watches[fd].data, data);
	atomic_store(&watches[fd].where, where(ep, events));
	atomic_store(guess(ep, data), fd);
}

void
epoll_watch_note(int ep, int fd, const struct epoll_event *event)
{
	if (sessions_seen && (unsigned)fd < FDTAB_SIZE)
		note(ep, fd, event->events, event->data.u64);
}

void
epoll_watch_drop(int ep, int fd)
{
	if (sessions_seen && (unsigned)fd < FDTAB_SIZE &&
	    atomic_load(&watches[fd].where) >> 32 == (uint64_t)(uint32_t)(ep + 1))
		atomic_store(&watches[fd].where, 0);
}

static bool
confirm(int ep, int fd, uint64_t data, struct epoll_event *event)
{
	uint64_t before = atomic_load(&watches[fd].where);

	if (before >> 32 != (uint64_t)(uint32_t)(ep + 1) ||
	    atomic_load(&watches[fd].data) != data ||
	    atomic_load(&watches[fd].where) != before)
		return false;
	event->events = (uint32_t)before;
	event->data.u64 = data;
	return true;
}

static int
find_noted(int ep, uint64_t data, struct epoll_event *event)
{
	int fd = atomic_load(guess(ep, data));

	if (confirm(ep, fd, data, event))
		return fd;
	/* Two share a place: only those with a session are worth finding. */
	for (fd = session_next_fd(0, FDTAB_SIZE - 1); fd >= 0;
	     fd = session_next_fd((unsigned)fd + 1, FDTAB_SIZE - 1)) {
		if (confirm(ep, fd, data, event)) {
			atomic_store(guess(ep, data), fd);
			return fd;
		}
	}
	return -1;
}

/* The number behind `name` in a line of the kernel's, 0 where there is none. */
static uint64_t
field(const char *line, const char *name, int base)
{
	const char *at = strstr(line, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, base);
}

static void
note_line(int ep, const char *line)
{
	uint64_t fd = field(line, "tfd:", 10);

	if (strstr(line, "tfd:") != NULL && fd < FDTAB_SIZE &&
	    atomic_load(&watches[fd].where) == 0)
		note(ep, (int)fd, (uint32_t)field(line, "events:", 16),
		     field(line, "data:", 16));
}

/* Reads "tfd: 5 events: 19 data: 500000005 ..." lines: proc(5). */
static void
look_up(int ep)
{
	char path[64], buf[8192];
	size_t have = 0;
	long n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	long fd = raw_syscall(SYS_openat, AT_FDCWD, path, (O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return;
	while ((n = raw_syscall(SYS_read, fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *line = buf, *end;
		buf[have + (size_t)n] = '\0';
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			*end = '\0';
			note_line(ep, line);
		}
		have = strlen(line);
		memmove(buf, line, have);
	}
	raw_syscall(SYS_close, fd);
}

int
epoll_watch_find(int ep, uint64_t data, struct epoll_event *event)
{
	int fd = find_noted(ep, data, event);
	uint8_t bit = (uint8_t)(1u << (ep & 7));

	if (fd >= 0 || (unsigned)ep >= FDTAB_SIZE ||
	    (atomic_fetch_or(&looked_up[ep / 8], bit) & bit) != 0)
		return fd;
	look_up(ep);
	return find_noted(ep, data, event);
}
