/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain_wait.c: calls that wait: what ends them, and what they answer, is as on plain
 * TCP.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"
#include "plain.h"

enum {
	SOON = 60, /* ms */
	LATER = 180,
	MUCH = 6000000, /* more than any pair of buffers takes */
};

static char buf[100];
static uint8_t much[MUCH];

/* The time since `start` is that long, and not a second longer. */
static void
note_time(struct trace *t, long start, long ms)
{
	long spent = now_ms() - start;

	note_true(t, "in time", spent >= ms - 2 && spent < ms + 1000);
}

static void *
do_write(void *arg)
{
	struct link *l = arg;

	check_eq(write(l->fd[0], "hello", 5), 5);
	return NULL;
}

static void *
do_shutdown_write(void *arg)
{
	struct link *l = arg;

	must(shutdown(l->fd[0], SHUT_WR));
	return NULL;
}

static void *
do_shutdown_own(void *arg)
{
	struct link *l = arg;

	must(shutdown(l->fd[1], SHUT_RDWR));
	return NULL;
}

static void *
do_reset(void *arg)
{
	struct link *l = arg;

	close_hard(l->fd[0]);
	return NULL;
}

static void *
do_drain(void *arg)
{
	static uint8_t room[100000];
	struct link *l = arg;

	while (poll_for(l->fd[0], POLLIN, 500) != 0)
		if (must(read(l->fd[0], room, sizeof(room))) == 0)
			break;
	return NULL;
}

static volatile sig_atomic_t alarms;

static void
count_alarm(int signal_number)
{
	(void)signal_number;
	alarms++;
}

/* Again and again: one that comes while no system call waits ends none. */
static void
alarm_in(int ms, int flags)
{
	struct sigaction act = {.sa_handler = count_alarm, .sa_flags = flags};
	struct itimerval timer = {{.tv_usec = ms * 1000}, {.tv_usec = ms * 1000}};

	alarms = 0;
	must(sigaction(SIGALRM, &act, NULL));
	must(setitimer(ITIMER_REAL, &timer, NULL));
}

static void
alarm_stop(struct trace *t)
{
	struct itimerval never = {0};

	must(setitimer(ITIMER_REAL, &never, NULL));
	note_true(t, "signals", alarms > 0);
}

static void
set_timeout(int fd, int name, int ms)
{
	struct timeval t = {.tv_usec = ms * 1000}, got = {0};
	socklen_t len = sizeof(got);

	must(setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t)));
	must(getsockopt(fd, SOL_SOCKET, name, &got, &len));
	check(got.tv_usec / 1000 >= ms && got.tv_usec / 1000 < ms + 10);
}

static ssize_t
receive_by(int how, int fd)
{
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct mmsghdr one = {.msg_hdr = msg};

	switch (how) {
	case 0:
		return read(fd, buf, sizeof(buf));
	case 1:
		return recv(fd, buf, sizeof(buf), 0);
	case 2:
		return readv(fd, &iov, 1);
	case 3:
		return recvmsg(fd, &msg, 0);
	case 4:
		return recv(fd, buf, sizeof(buf), MSG_PEEK);
	default:
		return recvmmsg(fd, &one, 1, 0, NULL);
	}
}

enum {
	RECEIVERS = 6,
};

static void
read_waits(struct link *l, struct trace *t)
{
	for (int how = 0; how < RECEIVERS; how++) {
		long start = now_ms();
		later(l, SOON, do_write);
		note(t, "receive", receive_by(how, l->fd[1]));
		note_time(t, start, SOON);
		if (how == 4)
			note(t, "after peek", read(l->fd[1], buf, sizeof(buf)));
		helper_join(l);
	}
}

static void
read_ended_by_fin(struct link *l, struct trace *t)
{
	later(l, SOON, do_shutdown_write);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	helper_join(l);
}

static void
read_ended_by_reset(struct link *l, struct trace *t)
{
	later(l, SOON, do_reset);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	helper_join(l);
}

static void
read_ended_by_shutdown(struct link *l, struct trace *t)
{
	later(l, SOON, do_shutdown_own);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "write", write(l->fd[1], "x", 1));
	helper_join(l);
}

static void
read_timeout(struct link *l, struct trace *t)
{
	set_timeout(l->fd[1], SO_RCVTIMEO, SOON);
	for (int how = 0; how < RECEIVERS; how++) {
		long start = now_ms();
		note(t, "receive", receive_by(how, l->fd[1]));
		note_time(t, start, SOON);
	}
	note(t, "write", write(l->fd[0], "hello", 5));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
}

static void
read_interrupted(struct link *l, struct trace *t)
{
	for (int how = 0; how < RECEIVERS; how++) {
		long start = now_ms();
		alarm_in(SOON, 0);
		note(t, "receive", receive_by(how, l->fd[1]));
		note_time(t, start, SOON);
		alarm_stop(t);
	}
	do_write(l);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
}

static void
read_restarted(struct link *l, struct trace *t)
{
	for (int how = 0; how < RECEIVERS; how++) {
		long start = now_ms();
		later(l, LATER, do_write);
		alarm_in(SOON, SA_RESTART);
		note(t, "receive", receive_by(how, l->fd[1]));
		note_time(t, start, LATER);
		alarm_stop(t);
		if (how == 4)
			note(t, "after peek", read(l->fd[1], buf, sizeof(buf)));
		helper_join(l);
	}
}

/* With a timeout there is no restart (signal(7)). */
static void
timed_read_interrupted(struct link *l, struct trace *t)
{
	static const int flags[] = {0, SA_RESTART};

	set_timeout(l->fd[1], SO_RCVTIMEO, LATER);
	for (int i = 0; i < 2; i++) {
		long start = now_ms();
		alarm_in(SOON, flags[i]);
		note(t, "read", read(l->fd[1], buf, sizeof(buf)));
		note_time(t, start, SOON);
		alarm_stop(t);
	}
}

/* poll(2) and select(2) are never restarted. */
static void
poll_interrupted(struct link *l, struct trace *t)
{
	struct pollfd p = {.fd = l->fd[1], .events = POLLIN};
	fd_set set;

	alarm_in(SOON, SA_RESTART);
	note(t, "poll", poll(&p, 1, 1000));
	alarm_stop(t);
	alarm_in(SOON, SA_RESTART);
	FD_ZERO(&set);
	FD_SET(l->fd[1], &set);
	note(t, "select", select(l->fd[1] + 1, &set, NULL, NULL, NULL));
	alarm_stop(t);
}

/* Until a blocking call finds no room for a while; windows grow when they are filled. */
static void
fill_up(int fd)
{
	struct timeval a_while = {.tv_usec = 40000}, forever = {0};
	int refused = 0;

	must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &a_while, sizeof(a_while)));
	while (refused < 2) {
		ssize_t n = write(fd, much, MUCH);
		check(n > 0 || errno == EAGAIN);
		refused = n > 0 ? 0 : refused + 1;
	}
	must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever)));
}

static void
write_timeout(struct link *l, struct trace *t)
{
	long start = now_ms();

	set_timeout(l->fd[1], SO_SNDTIMEO, SOON);
	ssize_t n = write(l->fd[1], much, MUCH);
	note_true(t, "a part", n > 0 && n < MUCH);
	note_time(t, start, SOON);
	fill_up(l->fd[1]);
	set_timeout(l->fd[1], SO_SNDTIMEO, SOON);
	start = now_ms();
	note(t, "write", write(l->fd[1], much, MUCH));
	note_time(t, start, SOON);
}

static void
write_interrupted(struct link *l, struct trace *t)
{
	long start = now_ms();

	alarm_in(SOON, 0);
	ssize_t n = write(l->fd[1], much, MUCH);
	note_true(t, "a part", n > 0 && n < MUCH);
	note_time(t, start, SOON);
	alarm_stop(t);
	fill_up(l->fd[1]);
	start = now_ms();
	alarm_in(SOON, 0);
	note(t, "write", write(l->fd[1], much, MUCH));
	note_time(t, start, SOON);
	alarm_stop(t);
}

/* Nothing was sent when the signal came, so the call goes on. */
static void
write_restarted(struct link *l, struct trace *t)
{
	fill_up(l->fd[1]);
	later(l, LATER, do_drain);
	alarm_in(SOON, SA_RESTART);
	note(t, "write", write(l->fd[1], much, 1000));
	alarm_stop(t);
	helper_join(l);
}

/* Something was: the call tells how much. */
static void
write_in_part(struct link *l, struct trace *t)
{
	alarm_in(SOON, SA_RESTART);
	ssize_t n = write(l->fd[1], much, MUCH);
	note_true(t, "a part", n > 0 && n < MUCH);
	alarm_stop(t);
}

static void
write_ended_by_reset(struct link *l, struct trace *t)
{
	fill_up(l->fd[1]);
	later(l, SOON, do_reset);
	note(t, "write", write(l->fd[1], much, 1000));
	note(t, "write", write(l->fd[1], much, 1000));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	helper_join(l);
}

static void
write_ended_by_shutdown(struct link *l, struct trace *t)
{
	fill_up(l->fd[1]);
	later(l, SOON, do_shutdown_own);
	note(t, "write", write(l->fd[1], much, 1000));
	note(t, "write", write(l->fd[1], much, 1000));
	helper_join(l);
}

static void
write_waits(struct link *l, struct trace *t)
{
	later(l, SOON, do_drain);
	note(t, "write", write(l->fd[1], much, MUCH));
	must(shutdown(l->fd[1], SHUT_WR));
	helper_join(l);
}

#define WAITS(B)                   \
	B(read_waits)              \
	B(read_ended_by_fin)       \
	B(read_ended_by_reset)     \
	B(read_ended_by_shutdown)  \
	B(read_timeout)            \
	B(read_interrupted)        \
	B(read_restarted)          \
	B(timed_read_interrupted)  \
	B(poll_interrupted)        \
	B(write_timeout)           \
	B(write_interrupted)       \
	B(write_restarted)         \
	B(write_in_part)           \
	B(write_ended_by_reset)    \
	B(write_ended_by_shutdown) \
	B(write_waits)

WAITS(BEHAVIOUR_RUN)

const struct scenario plain_wait_scenarios[] = {WAITS(BEHAVIOUR_ROW){0}};
