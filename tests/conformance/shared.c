/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c: TLS belongs to the socket: duplicates, children, threads and whom it is
 * passed to use one and the same.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static uint8_t data[FULL], buf[FULL + 512];

/* A socket with both directions on, and its raw peer. */
static void
pair(int fd[2], const struct variant *v, struct keys *tx, struct keys *rx)
{
	tcp_pair(fd);
	enable_tx(fd[1], v->suite, tx);
	enable_rx(fd[1], v->suite, rx);
	random_bytes(data, sizeof(data));
}

static void
use(int sock, int peer, struct keys *tx, struct keys *rx)
{
	size_t len = 1 + random_below(3000);

	check_eq(write(sock, data, len), len);
	expect_record(peer, tx, TLS_RLTYPE_APP, data, len);
	send_record(peer, rx, TLS_RLTYPE_APP, data, len);
	expect_received(sock, rx, TLS_RLTYPE_APP, data, len);
	check_eq(get_int(sock, IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_SW);
}

static void
duplicates(const struct variant *v)
{
	struct keys tx, rx;
	int fd[2], copy[4];

	pair(fd, v, &tx, &rx);
	copy[0] = (int)must(dup(fd[1]));
	copy[1] = (int)must(dup2(fd[1], 200));
	copy[2] = (int)must(dup3(fd[1], 201, O_CLOEXEC));
	copy[3] = (int)must(fcntl(fd[1], F_DUPFD, 300));
	for (int i = 0; i < 12; i++)
		use(copy[i % 4], fd[0], &tx, &rx);
	use(fd[1], fd[0], &tx, &rx);
	check_errno(enable(copy[0], TCP_TXTLS_ENABLE, &tx), EALREADY);
	/* The rest of a record belongs to whoever reads next. */
	send_record(fd[0], &rx, TLS_RLTYPE_APP, data, 100);
	check_eq(read(fd[1], buf, 30), 30);
	check_eq(read(copy[1], buf + 30, 100), 70);
	check_bytes(buf, data, 100);
	must(close(fd[1]));
	for (int i = 0; i < 4; i++) {
		use(copy[i], fd[0], &tx, &rx);
		must(close(copy[i]));
	}
	check_eq(read(fd[0], buf, 1), 0);
}

/* A number that was a TLS socket's is a stranger's when it is used again. */
static void
number_used_again(const struct variant *v)
{
	struct keys tx, rx;
	int fd[2], other[2];

	pair(fd, v, &tx, &rx);
	tcp_pair(other);
	must(dup2(other[1], fd[1]));
	check_eq(write(fd[1], "plain", 5), 5);
	read_all(other[0], buf, 5);
	check_bytes(buf, "plain", 5);
	check_eq(get_int(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_NONE);
	check_eq(read(fd[0], buf, 1), 0);
	must(close(fd[1]));
	must(close(fd[0]));
	for (int i = 0; i < 10; i++) {
		tcp_pair(fd);
		check_eq(write(fd[1], "plain", 5), 5);
		read_all(fd[0], buf, 5);
		check_bytes(buf, "plain", 5);
		enable_tx(fd[1], v->suite, &tx);
		check_eq(write(fd[1], "tls", 3), 3);
		expect_record(fd[0], &tx, TLS_RLTYPE_APP, "tls", 3);
		close(fd[0]);
		close(fd[1]);
	}
}

static void
child_ok(pid_t pid)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_eq(WEXITSTATUS(status), 0);
}

/* Tells the other process that it is its turn, and waits for ours. */
struct turns {
	int mine[2], its[2];
};

static void
turn_give(struct turns *t, bool parent)
{
	check_eq(write(parent ? t->its[1] : t->mine[1], "", 1), 1);
}

static void
turn_take(struct turns *t, bool parent)
{
	char byte;

	check_eq(read(parent ? t->mine[0] : t->its[0], &byte, 1), 1);
}

/* Parent and child write in turns: one stream of sequence numbers. */
static void
alternate_writes(const struct variant *v)
{
	struct keys tx, rx;
	struct turns t;
	int fd[2];

	pair(fd, v, &tx, &rx);
	must(pipe(t.mine));
	must(pipe(t.its));
	check_eq(write(fd[1], data, 10), 10);
	pid_t pid = (pid_t)must(fork());
	for (size_t i = 1; i <= 20; i++) {
		if (pid == 0)
			turn_take(&t, false);
		check_eq(write(fd[1], data, 100 * i), 100 * i);
		turn_give(&t, pid != 0);
		if (pid != 0)
			turn_take(&t, true);
	}
	if (pid == 0)
		_exit(0);
	child_ok(pid);
	expect_record(fd[0], &tx, TLS_RLTYPE_APP, data, 10);
	for (size_t i = 1; i <= 20; i++)
		for (int n = 0; n < 2; n++)
			expect_record(fd[0], &tx, TLS_RLTYPE_APP, data, 100 * i);
	use(fd[1], fd[0], &tx, &rx);
}

/* Parent and child read in turns, cutting records between them. */
static void
alternate_reads(const struct variant *v)
{
	struct keys tx, rx;
	struct turns t;
	int fd[2];

	pair(fd, v, &tx, &rx);
	must(pipe(t.mine));
	must(pipe(t.its));
	for (int i = 0; i < 20; i++)
		send_record(fd[0], &rx, TLS_RLTYPE_APP, data + 100 * i, 100);
	pid_t pid = (pid_t)must(fork());
	for (size_t i = 0; i < 20; i++) {
		size_t at = 100 * i + (pid == 0 ? 60 : 0), n = pid == 0 ? 40 : 60;
		if (pid == 0)
			turn_take(&t, false);
		check_eq(read(fd[1], buf, n), n);
		check_bytes(buf, data + at, n);
		turn_give(&t, pid != 0);
		if (pid != 0)
			turn_take(&t, true);
	}
	if (pid == 0)
		_exit(0);
	child_ok(pid);
	use(fd[1], fd[0], &tx, &rx);
}

/* Either survives the other: by exit, by SIGKILL. */
static void
one_dies(const struct variant *v)
{
	for (int i = 0; i < 4; i++) {
		struct keys tx, rx;
		int fd[2];
		pair(fd, v, &tx, &rx);
		use(fd[1], fd[0], &tx, &rx);
		pid_t pid = (pid_t)must(fork());
		if (pid == 0) {
			check_eq(write(fd[1], "child", 5), 5);
			if (i % 2 == 0)
				_exit(0);
			raise(SIGKILL);
		}
		expect_record(fd[0], &tx, TLS_RLTYPE_APP, "child", 5);
		check_eq(waitpid(pid, NULL, 0), pid);
		use(fd[1], fd[0], &tx, &rx);
		must(close(fd[1]));
		check_eq(read(fd[0], buf, 1), 0);
		must(close(fd[0]));
	}
}

/* The parent closes its own; the child goes on with the socket. */
static void
child_goes_on(const struct variant *v)
{
	struct keys tx, rx;
	int fd[2];

	pair(fd, v, &tx, &rx);
	use(fd[1], fd[0], &tx, &rx);
	send_record(fd[0], &rx, TLS_RLTYPE_APP, data, 50);
	check_eq(read(fd[1], buf, 20), 20);
	pid_t pid = (pid_t)must(fork());
	if (pid == 0) {
		close(fd[0]);
		check_eq(read(fd[1], buf, 100), 30);
		check_bytes(buf, data + 20, 30);
		while (read(fd[1], buf, sizeof(buf)) > 0)
			check_eq(write(fd[1], buf, 10), 10);
		_exit(0);
	}
	must(close(fd[1]));
	for (int i = 0; i < 10; i++) {
		send_record(fd[0], &rx, TLS_RLTYPE_APP, data, 10);
		expect_record(fd[0], &tx, TLS_RLTYPE_APP, data, 10);
	}
	must(shutdown(fd[0], SHUT_WR));
	child_ok(pid);
	check_eq(read(fd[0], buf, 1), 0);
}

struct sender {
	int fd;
	uint8_t type;
};

enum {
	THREADS = 4,
	ROUNDS = 200,
};

static void *
send_rounds(void *arg)
{
	struct sender *s = arg;

	for (size_t i = 1; i <= ROUNDS; i++)
		check_eq(send_typed(s->fd, s->type, data, i, 0), i);
	return NULL;
}

/* Threads that send: whole records, each thread's in its order. */
static void
threads_send(const struct variant *v)
{
	static struct wire_record r;
	struct sender s[THREADS];
	pthread_t thread[THREADS];
	size_t count[THREADS] = {0};
	struct keys tx, rx;
	int fd[2];

	pair(fd, v, &tx, &rx);
	for (int i = 0; i < THREADS; i++) {
		s[i] = (struct sender){fd[1], (uint8_t)(100 + i)};
		check_eq(pthread_create(&thread[i], NULL, send_rounds, &s[i]), 0);
	}
	for (int n = 0; n < THREADS * ROUNDS; n++) {
		read_record(fd[0], &tx, &r);
		int who = r.opened.type - 100;
		check(who >= 0 && who < THREADS);
		check_eq(r.len, ++count[who]);
		check_bytes(r.opened.payload, data, r.len);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	check_silent(fd[0]);
}

static void *
receive_rounds(void *arg)
{
	struct sender *s = arg;
	uint8_t room[64];
	long sum = 0;

	for (;;) {
		ssize_t n = must(read(s->fd, room, sizeof(room)));
		if (n == 0)
			return (void *)sum;
		check_eq(n, 40);
		for (int i = 1; i < 40; i++)
			check_eq(room[i], room[0]);
		sum += room[0] + 1;
	}
}

/* Threads that receive: each record goes to one of them, whole. */
static void
threads_receive(const struct variant *v)
{
	struct sender s;
	pthread_t thread[THREADS];
	struct keys tx, rx;
	long sum = 0, sent = 0;
	int fd[2];

	pair(fd, v, &tx, &rx);
	s = (struct sender){.fd = fd[1]};
	for (int i = 0; i < THREADS; i++)
		check_eq(pthread_create(&thread[i], NULL, receive_rounds, &s), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t payload[40];
		for (int n = 0; n < 40; n++)
			payload[n] = (uint8_t)i;
		send_record(fd[0], &rx, TLS_RLTYPE_APP, payload, sizeof(payload));
		sent += (uint8_t)i + 1;
	}
	must(shutdown(fd[0], SHUT_WR));
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(thread[i], &result);
		sum += (long)result;
	}
	check_eq(sum, sent);
}

const struct scenario shared_scenarios[] = {
	{"shared", "duplicates", G_RX, 0, duplicates},
	{"shared", "number_used_again", G_FEW, 0, number_used_again},
	{"shared", "alternate_writes", G_RX, 0, alternate_writes},
	{"shared", "alternate_reads", G_RX, 0, alternate_reads},
	{"shared", "one_dies", G_RX, 0, one_dies},
	{"shared", "child_goes_on", G_RX, 0, child_goes_on},
	{"shared", "threads_send", G_FEW, 0, threads_send},
	{"shared", "threads_receive", G_FEW, 0, threads_receive},
	{0},
};
