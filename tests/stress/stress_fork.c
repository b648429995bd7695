/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_fork.c: one TLS socket in several processes, some of which are killed.
 *
 * A message is one record. The peer checks that each record authenticates, that no
 * explicit nonce comes twice and that what is in it is a whole message.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls_pair.h"

enum {
	SENDERS = 3,
	CHILDREN = 6,
	MESSAGES = 60,
	TURNS = 50,
	KILLS = 60,
	SMALL_SNDBUF = 8192,
};

static struct tls_pair pair;
static uint32_t seed;
static uint32_t arrived[256];

static void *
peer_main(void *arg)
{
	uint8_t payload[RECORD_PAYLOAD];
	uint32_t sender, number, random = seed + 3;
	ssize_t n;

	(void)arg;
	while ((n = pair_take(&pair, payload)) > 0) {
		if (message_check(payload, (size_t)n, &sender, &number) != (size_t)n)
			die("a record is no message");
		if (number < arrived[sender])
			die("sender %u: message %u again", sender, number);
		arrived[sender] = number + 1;
		if (random_next(&random) % 32 == 0)
			usleep(1000);
	}
	return NULL;
}

/* 0 or errno. */
static int
send_message(uint32_t sender, uint32_t number, uint32_t *random)
{
	uint8_t m[RECORD_PAYLOAD];
	size_t n = MESSAGE_HEADER +
		   random_next(random) % (RECORD_PAYLOAD - MESSAGE_HEADER + 1);

	message_make(m, n, sender, number);
	ssize_t r = send(pair.fd, m, n, MSG_NOSIGNAL);
	if (r >= 0 && (size_t)r != n)
		die("sender %u: %zd bytes of %zu", sender, r, n);
	return r < 0 ? errno : 0;
}

static void *
sender_main(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg, random = seed * 16 + id + 1;

	for (uint32_t i = 0; i < MESSAGES; i++) {
		int error = send_message(id, i, &random);
		if (error != 0)
			die("sender %u: %s", id, strerror(error));
	}
	return NULL;
}

static void
open_small(int minor, uint32_t more)
{
	const int size = SMALL_SNDBUF;

	memset(arrived, 0, sizeof(arrived));
	pair_open(&pair, minor, seed + more);
	if (setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		die("SO_SNDBUF: %s", strerror(errno));
}

static pid_t
forked(void)
{
	pid_t child = fork();

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		deadline(100); /* alarms are not inherited */
	return child;
}

static void
must_exit_well(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status != 0)
		die("a child failed: %x", (unsigned)status);
}

/* Threads send while the process forks children, which send too. */
static void
fork_under_senders(int minor)
{
	pthread_t threads[SENDERS], peer;
	pid_t children[CHILDREN];

	open_small(minor, 0);
	pthread_create(&peer, NULL, peer_main, NULL);
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&threads[i], NULL, sender_main, (void *)i);
	for (uintptr_t i = 0; i < CHILDREN; i++) {
		children[i] = forked();
		if (children[i] == 0) {
			sender_main((void *)(SENDERS + i));
			_exit(0);
		}
		usleep(2000);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < CHILDREN; i++)
		must_exit_well(children[i]);
	close(pair.fd);
	pthread_join(peer, NULL);
	for (uint32_t i = 0; i < SENDERS + CHILDREN; i++)
		if (arrived[i] != MESSAGES)
			die("sender %u: %u messages arrived", i, arrived[i]);
	close(pair.peer);
}

static void
pass(int to)
{
	if (write(to, "", 1) != 1)
		die("pipe: %s", strerror(errno));
}

static void
await(int from)
{
	char c;

	if (read(from, &c, 1) != 1)
		die("the other process is gone");
}

/* Half of each record for one process, the rest for the other, and an answer by each. */
static void
take_turns(uint32_t id, int from, int to)
{
	uint8_t half[1000];
	uint32_t random = seed + id + 1, head[3];

	for (uint32_t i = 0; i < TURNS; i++) {
		await(from);
		if (recv(pair.fd, half, sizeof(half), MSG_WAITALL) != sizeof(half))
			die("turn %u of %u: %s", i, id, strerror(errno));
		memcpy(head, half, sizeof(head));
		if (id == 0 && (head[0] != 9 || head[1] != i))
			die("turn %u: message %u of %u", i, head[1], head[0]);
		int error = send_message(id, i, &random);
		if (error != 0)
			die("turn %u of %u: %s", i, id, strerror(error));
		pass(to);
	}
}

static void
alternate(int minor)
{
	int there[2], back[2];
	uint8_t m[2000];
	pthread_t peer;
	pid_t child;

	open_small(minor, 1);
	if (pipe(there) < 0 || pipe(back) < 0)
		die("pipe: %s", strerror(errno));
	for (uint32_t i = 0; i < TURNS; i++) {
		message_make(m, sizeof(m), 9, i);
		pair_give(&pair, m, sizeof(m));
	}
	child = forked();
	if (child == 0) {
		take_turns(1, there[0], back[1]);
		_exit(0);
	}
	pthread_create(&peer, NULL, peer_main, NULL);
	pass(back[1]);
	take_turns(0, back[0], there[1]);
	must_exit_well(child);
	close(pair.fd);
	pthread_join(peer, NULL);
	if (arrived[0] != TURNS || arrived[1] != TURNS)
		die("turns: %u and %u messages arrived", arrived[0], arrived[1]);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	close(pair.peer);
}

/* A child is killed while it sends. Its parent can go on, or is told. True: it could. */
static bool
kill_sender(int minor, uint32_t round)
{
	uint32_t random = seed * 1000 + round + 1, sent = 0;
	pthread_t peer;
	pid_t child;
	int error = 0;

	open_small(minor, round + 2);
	child = forked();
	if (child == 0)
		for (uint32_t i = 0;; i++)
			send_message(1, i, &random);
	pthread_create(&peer, NULL, peer_main, NULL);
	usleep(random_next(&random) % 5000);
	kill(child, SIGKILL);
	if (waitpid(child, NULL, 0) != child)
		die("waitpid: %s", strerror(errno));
	for (; sent < 5 && error == 0; sent += error == 0)
		error = send_message(0, sent, &random);
	if (error != 0 && error != EIO && error != EPIPE)
		die("the survivor's send: %s", strerror(error));
	close(pair.fd);
	pthread_join(peer, NULL);
	if (arrived[0] != sent)
		die("the survivor sent %u messages, %u arrived", sent, arrived[0]);
	close(pair.peer);
	return error == 0;
}

int
main(int argc, char **argv)
{
	int survived = 0;

	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	deadline(100);
	for (int minor = TLS12; minor <= TLS13; minor++) {
		fork_under_senders(minor);
		alternate(minor);
	}
	for (uint32_t i = 0; i < KILLS; i++)
		survived += kill_sender(i % 4 == 0 ? TLS13 : TLS12, i);
	printf("%d of %d connections survived their child's death\n", survived, KILLS);
	return 0;
}
