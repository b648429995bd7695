/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.c: ends of connections: shutdown, close and reset are what they are on plain TCP.
 */
#include "plain.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static char buf[100];

static void __attribute__((format(printf, 2, 3)))
add(struct trace *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	t->len +=
		(size_t)vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, ap);
	va_end(ap);
	check(t->len < sizeof(t->text));
}

void
note(struct trace *t, const char *what, long result)
{
	add(t, "%s=%ld%s%s\n", what, result, result == -1 ? " " : "",
	    result == -1 ? strerrorname_np(errno) : "");
}

void
note_poll(struct trace *t, const char *what, int fd)
{
	add(t, "%s: poll %#x\n", what,
	    poll_for(fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0));
}

void
note_true(struct trace *t, const char *what, bool yes)
{
	add(t, "%s: %s\n", what, yes ? "yes" : "no");
}

long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct later {
	struct link *link;
	int ms;
	void *(*what)(void *);
};

static void *
wait_and_do(void *arg)
{
	struct later l = *(struct later *)arg;

	nanosleep(&(struct timespec){l.ms / 1000, l.ms % 1000 * 1000000L}, NULL);
	return l.what(l.link);
}

void
later(struct link *l, int ms, void *(*what)(void *link))
{
	static struct later next;
	sigset_t all, before;

	next = (struct later){l, ms, what};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	check_eq(pthread_create(&l->helper, NULL, wait_and_do, &next), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
helper_join(struct link *l)
{
	pthread_join(l->helper, NULL);
}

static void
link_open(struct link *l, const struct suite *suite)
{
	struct keys k;

	tcp_pair(l->fd);
	l->suite = suite;
	for (int i = 0; suite != NULL && i < 2; i++) {
		keys_make(&k, suite);
		must(enable(l->fd[i], TCP_TXTLS_ENABLE, &k));
		must(enable(l->fd[1 - i], TCP_RXTLS_ENABLE, &k));
	}
}

void
agrees_with_plain(const struct variant *v, behaviour *what)
{
	static struct trace plain, tls;
	struct link l;

	link_open(&l, NULL);
	what(&l, &plain);
	close(l.fd[0]);
	close(l.fd[1]);
	link_open(&l, v->suite);
	what(&l, &tls);
	check(plain.len > 0);
	if (strcmp(plain.text, tls.text) != 0)
		fail("plain TCP:\n%s\nwith TLS:\n%s", plain.text, tls.text);
}

/* Until the other end's segment has come: FIN, RST or data. */
static void
settle(int fd)
{
	poll_for(fd, POLLIN, 1000);
}

static void
half_close(struct link *l, struct trace *t)
{
	note(t, "write", write(l->fd[0], "hello", 5));
	note(t, "shutdown", shutdown(l->fd[0], SHUT_WR));
	settle(l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	settle(l->fd[1]);
	note_poll(t, "other end", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "recv", recv(l->fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	note(t, "peek", recv(l->fd[1], buf, sizeof(buf), MSG_PEEK));
	note(t, "write", write(l->fd[0], "x", 1));
	note(t, "answer", write(l->fd[1], "answer", 6));
	settle(l->fd[0]);
	note_poll(t, "this end", l->fd[0]);
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
	note(t, "shutdown", shutdown(l->fd[0], SHUT_WR));
	note(t, "shutdown", shutdown(l->fd[1], SHUT_WR));
	settle(l->fd[0]);
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
	note_poll(t, "this end", l->fd[0]);
	note(t, "SO_ERROR", get_int(l->fd[0], SOL_SOCKET, SO_ERROR));
	note(t, "close", close(l->fd[0]));
	note(t, "close", close(l->fd[1]));
}

static void
shut_reading(struct link *l, struct trace *t)
{
	note(t, "shutdown", shutdown(l->fd[1], SHUT_RD));
	note_poll(t, "this end", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "read", recv(l->fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	note(t, "write", write(l->fd[1], "out", 3));
	settle(l->fd[0]);
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
	note(t, "SO_ERROR", get_int(l->fd[1], SOL_SOCKET, SO_ERROR));
}

static void
shut_both(struct link *l, struct trace *t)
{
	note(t, "shutdown", shutdown(l->fd[1], SHUT_RDWR));
	note_poll(t, "this end", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "write", write(l->fd[1], "x", 1));
	settle(l->fd[0]);
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
	note_poll(t, "other end", l->fd[0]);
	note(t, "bad shutdown", shutdown(l->fd[0], 99));
	note(t, "close", close(l->fd[0]));
	note(t, "shutdown again", shutdown(l->fd[1], SHUT_WR));
}

static void
reset_then_read(struct link *l, struct trace *t)
{
	close_hard(l->fd[0]);
	settle(l->fd[1]);
	note_poll(t, "after reset", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note_poll(t, "after error", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "recv", recv(l->fd[1], buf, sizeof(buf), MSG_DONTWAIT));
	note(t, "write", write(l->fd[1], "x", 1));
	note(t, "write", write(l->fd[1], "x", 1));
	note(t, "SO_ERROR", get_int(l->fd[1], SOL_SOCKET, SO_ERROR));
	note(t, "shutdown", shutdown(l->fd[1], SHUT_WR));
}

static void
reset_then_write(struct link *l, struct trace *t)
{
	close_hard(l->fd[0]);
	settle(l->fd[1]);
	note(t, "write", write(l->fd[1], "x", 1));
	note(t, "write", write(l->fd[1], "x", 1));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note_poll(t, "after error", l->fd[1]);
}

static void
reset_then_so_error(struct link *l, struct trace *t)
{
	close_hard(l->fd[0]);
	settle(l->fd[1]);
	note(t, "SO_ERROR", get_int(l->fd[1], SOL_SOCKET, SO_ERROR));
	note(t, "SO_ERROR", get_int(l->fd[1], SOL_SOCKET, SO_ERROR));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "write", write(l->fd[1], "x", 1));
}

static void
reset_behind_data(struct link *l, struct trace *t)
{
	note(t, "write", write(l->fd[0], "hello", 5));
	settle(l->fd[1]);
	close_hard(l->fd[0]);
	while ((poll_for(l->fd[1], POLLIN, 0) & POLLHUP) == 0)
		;
	note_poll(t, "after reset", l->fd[1]);
	note(t, "read", read(l->fd[1], buf, 2));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "write", write(l->fd[1], "x", 1));
}

static void
peer_closes(struct link *l, struct trace *t)
{
	note(t, "write", write(l->fd[0], "bye", 3));
	note(t, "close", close(l->fd[0]));
	settle(l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	settle(l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note_poll(t, "after end", l->fd[1]);
	note(t, "write", write(l->fd[1], "late", 4));
	while ((poll_for(l->fd[1], 0, 0) & POLLHUP) == 0)
		;
	note_poll(t, "after reset", l->fd[1]);
	note(t, "write", write(l->fd[1], "later", 5));
	note(t, "write", write(l->fd[1], "later", 5));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
}

/* Closing what has not been read resets the peer. */
static void
close_unread(struct link *l, struct trace *t)
{
	note(t, "write", write(l->fd[0], "hello", 5));
	settle(l->fd[1]);
	note(t, "peek", recv(l->fd[1], buf, 2, MSG_PEEK));
	note(t, "close", close(l->fd[1]));
	settle(l->fd[0]);
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
}

static volatile sig_atomic_t pipes;

static void
count_pipe(int signal_number)
{
	(void)signal_number;
	pipes++;
}

static void
broken_pipe_signals(struct link *l, struct trace *t)
{
	struct iovec iov = {buf, 5};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int file = (int)must(open("/proc/self/exe", O_RDONLY));
	off_t off = 0;

	pipes = 0;
	signal(SIGPIPE, count_pipe);
	must(shutdown(l->fd[0], SHUT_WR));
	note(t, "write", write(l->fd[0], buf, 5));
	note(t, "signals", pipes);
	note(t, "writev", writev(l->fd[0], &iov, 1));
	note(t, "signals", pipes);
	note(t, "send", send(l->fd[0], buf, 5, 0));
	note(t, "signals", pipes);
	note(t, "sendmsg", sendmsg(l->fd[0], &msg, 0));
	note(t, "signals", pipes);
	note(t, "quiet send", send(l->fd[0], buf, 5, MSG_NOSIGNAL));
	note(t, "quiet sendmsg", sendmsg(l->fd[0], &msg, MSG_NOSIGNAL));
	note(t, "signals", pipes);
	note(t, "sendfile", sendfile(l->fd[0], file, &off, 5));
	note(t, "signals", pipes);
	close(file);
	signal(SIGPIPE, SIG_IGN);
}

static void
nonblocking(struct link *l, struct trace *t)
{
	static uint8_t block[50000];
	ssize_t n = 0;

	set_nonblocking(l->fd[0], true);
	set_nonblocking(l->fd[1], true);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "peek", recv(l->fd[1], buf, sizeof(buf), MSG_PEEK));
	note_poll(t, "empty", l->fd[1]);
	while (n >= 0)
		n = write(l->fd[0], block, sizeof(block));
	note(t, "full", n);
	note(t, "again", write(l->fd[0], block, 1));
	note_poll(t, "full", l->fd[0]);
	while (poll_for(l->fd[1], POLLIN, 50) != 0)
		n = must(read(l->fd[1], block, sizeof(block)));
	note_true(t, "some", n > 0);
	note_poll(t, "drained", l->fd[0]);
	note(t, "once more", write(l->fd[0], block, 1));
}

/* A connected socket has no source address to tell. */
static void
addresses(struct link *l, struct trace *t)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_name = &from,
			     .msg_namelen = sizeof(from)};

	note(t, "write", write(l->fd[0], "one", 3));
	note(t, "recvfrom",
	     recvfrom(l->fd[1], buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	note(t, "length", (long)len);
	note(t, "write", write(l->fd[0], "two", 3));
	note(t, "recvmsg", recvmsg(l->fd[1], &msg, 0));
	note(t, "length", (long)msg.msg_namelen);
	len = sizeof(from);
	note(t, "getpeername", getpeername(l->fd[1], (struct sockaddr *)&from, &len));
	note(t, "connect", connect(l->fd[1], (struct sockaddr *)&from, len));
	note(t, "sendto", sendto(l->fd[1], "to", 2, 0, (struct sockaddr *)&from, len));
	note(t, "read", read(l->fd[0], buf, sizeof(buf)));
}

/* Calls that are wrong in ways that have nothing to do with TLS. */
static void
wrong_calls(struct link *l, struct trace *t)
{
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 5000};
	int bytes = -1;
	volatile int few = -1, many = 5000;

	note(t, "write", write(l->fd[0], "hello", 5));
	settle(l->fd[1]);
	note(t, "read", read(l->fd[1], bad_address(), 5));
	note(t, "readv", readv(l->fd[1], &iov, few));
	note(t, "readv", readv(l->fd[1], &iov, many));
	note(t, "recvmsg", recvmsg(l->fd[1], &msg, 0));
	note(t, "writev", writev(l->fd[0], &iov, few));
	note(t, "writev", writev(l->fd[0], &iov, many));
	note(t, "sendmsg", sendmsg(l->fd[0], &msg, 0));
	note(t, "lseek", lseek(l->fd[0], 0, SEEK_CUR));
	note(t, "pread", pread(l->fd[1], buf, 1, 0));
	note(t, "pwrite", pwrite(l->fd[0], buf, 1, 0));
	note(t, "ioctl", ioctl(l->fd[1], FIONREAD, &bytes));
	note(t, "bytes", bytes);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "listen", listen(l->fd[1], 1));
	close(l->fd[1]);
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
	note(t, "write", write(l->fd[1], buf, 1));
	note(t, "recv", recv(l->fd[1], buf, 1, 0));
	note(t, "close", close(l->fd[1]));
}

/* In line, an urgent byte is data like any other, and poll(2) tells that it is there. */
static void
urgent_in_line(struct link *l, struct trace *t)
{
	size_t got = 0;

	set_int(l->fd[1], SOL_SOCKET, SO_OOBINLINE, 1);
	note(t, "send", send(l->fd[0], "hurry", 5, MSG_OOB));
	note_true(t, "POLLPRI", (poll_for(l->fd[1], POLLPRI, 1000) & POLLPRI) != 0);
	note(t, "recv MSG_OOB", recv(l->fd[1], buf, 1, MSG_OOB));
	while (got < 5)
		got += (size_t)must(read(l->fd[1], buf + got, sizeof(buf) - got));
	note_true(t, "all", memcmp(buf, "hurry", 5) == 0);
	note_poll(t, "after", l->fd[1]);
	note(t, "send", send(l->fd[0], "slow", 4, 0));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
}

/* With nothing urgent there is nothing to receive out of band. */
static void
nothing_urgent(struct link *l, struct trace *t)
{
	note(t, "recv", recv(l->fd[1], buf, 1, MSG_OOB));
	note(t, "write", write(l->fd[0], "hello", 5));
	settle(l->fd[1]);
	note(t, "recv", recv(l->fd[1], buf, 1, MSG_OOB));
	note(t, "recv", recv(l->fd[1], buf, 1, MSG_OOB | MSG_DONTWAIT));
	note(t, "read", read(l->fd[1], buf, sizeof(buf)));
}

#define ENDS(B)                \
	B(half_close)          \
	B(shut_reading)        \
	B(shut_both)           \
	B(reset_then_read)     \
	B(reset_then_write)    \
	B(reset_then_so_error) \
	B(reset_behind_data)   \
	B(peer_closes)         \
	B(close_unread)        \
	B(broken_pipe_signals) \
	B(nonblocking)         \
	B(addresses)           \
	B(wrong_calls)         \
	B(urgent_in_line)      \
	B(nothing_urgent)

ENDS(BEHAVIOUR_RUN)

const struct scenario plain_scenarios[] = {ENDS(BEHAVIOUR_ROW){0}};
