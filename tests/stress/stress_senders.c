/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_senders.c: threads that send on one TLS socket; each message, one call, arrives
 * whole and once.
 *
 * On a nonblocking socket a call may stop in the middle, so there the threads take turns
 * by message, as they would have to on any socket; what one left in the library the next
 * one finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_pair.h"

enum {
	SENDERS = 8,
	MESSAGES = 150,
};

struct run {
	struct tls_pair pair;
	bool nonblocking;
	uint32_t seed;
	pthread_mutex_t turn;
};

struct sender {
	struct run *run;
	uint32_t id;
	pthread_t thread;
};

static void
send_nonblocking(struct run *run, const uint8_t *m, size_t n)
{
	pthread_mutex_lock(&run->turn);
	for (size_t done = 0; done < n;) {
		ssize_t r = send(run->pair.fd, m + done, n - done, 0);
		if (r < 0 && errno != EAGAIN)
			die("nonblocking send: %s", strerror(errno));
		if (r > 0)
			done += (size_t)r;
		else
			poll(&(struct pollfd){run->pair.fd, POLLOUT, 0}, 1, -1);
	}
	pthread_mutex_unlock(&run->turn);
}

static void *
sender_main(void *arg)
{
	struct sender *s = arg;
	uint32_t random = s->run->seed * 16 + s->id + 1;
	uint8_t m[RECORD_PAYLOAD];

	for (uint32_t i = 0; i < MESSAGES; i++) {
		size_t n = MESSAGE_HEADER +
			   random_next(&random) % (RECORD_PAYLOAD - MESSAGE_HEADER + 1);
		if (i % 3 == 0)
			n = MESSAGE_HEADER + n % 100;
		message_make(m, n, s->id, i);
		if (s->run->nonblocking)
			send_nonblocking(s->run, m, n);
		else if (send(s->run->pair.fd, m, n, 0) != (ssize_t)n)
			die("blocking send of %zu is short: %s", n, strerror(errno));
	}
	return NULL;
}

/* Gathers the stream again and takes it apart into messages. */
static void *
reader_main(void *arg)
{
	struct run *run = arg;
	static uint8_t stream[4 * RECORD_PAYLOAD];
	uint32_t next[SENDERS] = {0}, random = run->seed + 99, sender, number;
	size_t have = 0, n, all = 0;
	ssize_t got;

	while (all < SENDERS * MESSAGES &&
	       (got = pair_take(&run->pair, stream + have)) > 0) {
		have += (size_t)got;
		while ((n = message_check(stream, have, &sender, &number)) > 0) {
			if (sender >= SENDERS || number != next[sender])
				die("sender %u: message %u instead of %u", sender, number,
				    sender < SENDERS ? next[sender] : 0);
			next[sender]++;
			all++;
			have -= n;
			memmove(stream, stream + n, have);
		}
		/* Now and then be slow, so that the send buffer fills. */
		if (random_next(&random) % 32 == 0)
			usleep(2000);
	}
	if (all != SENDERS * MESSAGES || have != 0)
		die("%zu messages of %d, and %zu bytes more", all, SENDERS * MESSAGES,
		    have);
	return NULL;
}

static void
run_once(int minor, bool nonblocking, int sndbuf, uint32_t seed)
{
	struct run run = {.nonblocking = nonblocking,
			  .seed = seed,
			  .turn = PTHREAD_MUTEX_INITIALIZER};
	struct sender senders[SENDERS];
	pthread_t reader;

	pair_open(&run.pair, minor, seed);
	if (sndbuf > 0 &&
	    setsockopt(run.pair.fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)) < 0)
		die("SO_SNDBUF: %s", strerror(errno));
	if (nonblocking)
		fcntl(run.pair.fd, F_SETFL, O_NONBLOCK);
	pthread_create(&reader, NULL, reader_main, &run);
	for (uint32_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.run = &run, .id = i};
		pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	pthread_join(reader, NULL);
	close(run.pair.fd);
	close(run.pair.peer);
}

int
main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;

	deadline(100);
	for (int minor = TLS12; minor <= TLS13; minor++) {
		for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
			run_once(minor, nonblocking, 4096, seed);
			run_once(minor, nonblocking, 40000, seed + 1);
			run_once(minor, nonblocking, 0, seed + 2);
		}
	}
	return 0;
}
