/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls.c: counts the system calls of both workers during a transfer, with ptrace(2).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "syscalls.h"

/* <sys/ptrace.h> takes an enum for the request, so ptrace() cannot be wrapped plainly. */
static int
resume(enum __ptrace_request request, pid_t pid, int sig)
{
	return ptrace(request, pid, 0L, (long)sig) ? -errno : 0;
}

/* The worker waits for its "go" in read(2), which the stop makes start anew. */
int
syscalls_attach(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0L, (long)PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0L, 0L))
		return -errno;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -ECHILD;
	return resume(PTRACE_SYSCALL, pid, 0);
}

/*
 * At a stop of a system call. Returns true when the worker tells its measurements: the
 * transfer is over. What it says to the runner does not count.
 */
static bool
count(pid_t pid, uint64_t *calls)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (info.entry.args[0] == FD_CONTROL && info.entry.nr == SYS_write)
		return true;
	if (info.entry.args[0] != FD_CONTROL || info.entry.nr != SYS_read)
		++*calls;
	return false;
}

int
syscalls_count(const pid_t pid[2], uint64_t calls[2])
{
	for (int running = 2; running > 0;) {
		int status;
		pid_t who = waitpid(-1, &status, __WALL);

		if (who < 0)
			return -errno;
		if (!WIFSTOPPED(status))
			return -ECHILD;
		int sig = WSTOPSIG(status);
		if (sig != (SIGTRAP | 0x80)) {
			resume(PTRACE_SYSCALL, who, status >> 16 ? 0 : sig);
		} else if (count(who, &calls[who == pid[RECEIVER]])) {
			resume(PTRACE_DETACH, who, 0);
			running--;
		} else {
			resume(PTRACE_SYSCALL, who, 0);
		}
	}
	return 0;
}
