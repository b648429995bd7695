/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_readers.c: threads that read and peek on one TLS socket; each byte comes once.
 *
 * The stream is 32-bit words that count up, and every length is whole words. What a call
 * returns was together in the stream, so its words are consecutive.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tls_pair.h"

enum {
	READERS = 4,
	PEEKERS = 2,
	WORDS = 1 << 19,
	WORD = sizeof(uint32_t),
};

static struct tls_pair pair;
static _Atomic uint8_t seen[WORDS];
static _Atomic uint32_t taken;
static uint32_t seed;

static void
check_words(const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i] >= WORDS)
			die("word %x was never sent", words[i]);
		if (i > 0 && words[i] != words[i - 1] + 1)
			die("word %x behind %x in one call", words[i], words[i - 1]);
	}
}

static bool
may_retry(int error)
{
	return error == EAGAIN || error == EINTR;
}

static void *
reader_main(void *arg)
{
	uint32_t random = seed * 64 + (uint32_t)(uintptr_t)arg + 1;
	static const int flags[] = {0, MSG_DONTWAIT, MSG_WAITALL};

	for (;;) {
		uint32_t words[6000];
		size_t want = 1 + random_next(&random) % 6000;
		int how = flags[random_next(&random) % 3];
		ssize_t r = recv(pair.fd, words, want * WORD, how);
		if (r == 0)
			return NULL;
		if (r < 0 && !may_retry(errno))
			die("recv: %s", strerror(errno));
		if (r < 0)
			continue;
		if (r % WORD != 0)
			die("%zd bytes are not whole words", r);
		/* A call that waits for all of it lets others in between. */
		size_t n = (size_t)r / WORD;
		if (how != MSG_WAITALL)
			check_words(words, n);
		for (size_t i = 0; i < n; i++)
			if (words[i] >= WORDS || atomic_fetch_add(&seen[words[i]], 1) > 0)
				die("word %x came twice or never was", words[i]);
		atomic_fetch_add(&taken, (uint32_t)n);
	}
}

static void *
peeker_main(void *arg)
{
	uint32_t random = seed * 64 + (uint32_t)(uintptr_t)arg + 33;

	for (;;) {
		uint32_t words[6000];
		size_t want = 1 + random_next(&random) % 6000;
		int how = MSG_PEEK | (random_next(&random) % 2 ? MSG_DONTWAIT : 0);
		ssize_t r = recv(pair.fd, words, want * WORD, how);
		if (r == 0)
			return NULL;
		if (r < 0 && !may_retry(errno))
			die("peek: %s", strerror(errno));
		if (r > 0)
			check_words(words, (size_t)r / WORD);
		usleep(random_next(&random) % 500);
	}
}

static void
give_all(void)
{
	uint32_t random = seed + 7, next = 0;

	while (next < WORDS) {
		uint32_t words[RECORD_PAYLOAD / WORD];
		uint32_t n = 1 + random_next(&random) % (RECORD_PAYLOAD / WORD);
		if (random_next(&random) % 4 == 0)
			n = n % 16 + 1;
		if (n > WORDS - next)
			n = WORDS - next;
		for (uint32_t i = 0; i < n; i++)
			words[i] = next++;
		if (!pair_give(&pair, words, n * WORD))
			die("the connection is gone");
		/* Longer than the readers' timeout now and then. */
		if (random_next(&random) % 64 == 0)
			usleep(5000);
	}
	shutdown(pair.peer, SHUT_WR);
}

static void
run_once(int minor, long timeout_us)
{
	pthread_t threads[READERS + PEEKERS];
	struct timeval timeout = {.tv_usec = timeout_us};

	pair_open(&pair, minor, seed);
	memset((void *)seen, 0, sizeof(seen));
	taken = 0;
	if (timeout_us > 0 &&
	    setsockopt(pair.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		die("SO_RCVTIMEO: %s", strerror(errno));
	for (uintptr_t i = 0; i < READERS + PEEKERS; i++)
		pthread_create(&threads[i], NULL, i < READERS ? reader_main : peeker_main,
			       (void *)i);
	give_all();
	for (int i = 0; i < READERS + PEEKERS; i++)
		pthread_join(threads[i], NULL);
	if (taken != WORDS)
		die("%u words of %d were received", taken, WORDS);
	close(pair.fd);
	close(pair.peer);
}

int
main(int argc, char **argv)
{
	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	deadline(100);
	for (int minor = TLS12; minor <= TLS13; minor++) {
		run_once(minor, 0);
		run_once(minor, 2000);
	}
	return 0;
}
