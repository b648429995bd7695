/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_close.c: descriptors that are closed, replaced and reused under calls in
 * progress.
 *
 * Whatever happens to a number, a connection with TLS never sees a byte that is not of a
 * record of its own, and gives its bytes to nobody else.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_pair.h"

enum {
	MOVERS = 3,
	WRITERS = 3,
	FIRST_SLOT = 200, /* far above what open and socket give out */
	ROUNDS = 250,
	CLOSES = 40,
};

static uint32_t seed;
static _Atomic bool stop;
static _Atomic unsigned written, received;

/*
 * The library's own functions. Closing a number that others use is what this program is
 * for, and what ThreadSanitizer's close() and dup2() report.
 */
static int (*close_used)(int);
static int (*dup2_used)(int, int);

static void
find_functions(void)
{
	void *library = dlopen("libktls.so.0", RTLD_NOW | RTLD_NOLOAD);

	if (library == NULL)
		die("%s", dlerror());
	close_used = (int (*)(int))(uintptr_t)dlsym(library, "close");
	dup2_used = (int (*)(int, int))(uintptr_t)dlsym(library, "dup2");
}

/* Turns that each of the others has had, and the slots that they may use in them. */
static _Atomic unsigned turns[WRITERS + 1];
static _Atomic bool usable[MOVERS];

/*
 * Waits until nobody uses the slot. A call that finds its number closed, and comes to the
 * kernel when the number is a TLS socket, acts without TLS there; no library could see
 * that. So nobody may call on a number from some time after it was closed until it is a
 * TLS socket again.
 */
static void
leave_alone(int slot)
{
	usable[slot - FIRST_SLOT] = false;
	for (int i = 0; i <= WRITERS; i++) {
		unsigned before = turns[i];
		while (turns[i] - before < 2)
			usleep(50);
	}
}

static bool
gone(int error)
{
	return error == EBADF || error == EPIPE || error == ECONNRESET ||
	       error == EAGAIN || error == ENOTCONN;
}

static void *
writer_main(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg, random = seed * 32 + id + 1;
	uint8_t m[4096];

	for (uint32_t i = 0; !stop; i++) {
		size_t n = MESSAGE_HEADER +
			   random_next(&random) % (sizeof(m) - MESSAGE_HEADER);
		int fd = FIRST_SLOT + (int)(random_next(&random) % MOVERS);
		message_make(m, n, id, i);
		turns[id]++;
		if (!usable[fd - FIRST_SLOT])
			continue;
		ssize_t r = write(fd, m, n);
		if (r < 0 && !gone(errno))
			die("write: %s", strerror(errno));
		if (r > 0)
			written++;
	}
	return NULL;
}

/* Alone in reading, and each connection brings one message in one record. */
static void *
reader_main(void *arg)
{
	uint32_t random = seed * 32 + 30, sender, number;
	uint8_t m[RECORD_PAYLOAD];

	(void)arg;
	while (!stop) {
		int fd = FIRST_SLOT + (int)(random_next(&random) % MOVERS);
		turns[WRITERS]++;
		if (!usable[fd - FIRST_SLOT])
			continue;
		ssize_t r = recv(fd, m, sizeof(m), MSG_DONTWAIT);
		if (r < 0 && !gone(errno))
			die("recv: %s", strerror(errno));
		if (r > 0 && message_check(m, (size_t)r, &sender, &number) != (size_t)r)
			die("recv: %zd bytes are no message", r);
		if (r > 0)
			received++;
	}
	return NULL;
}

static void
drain(struct tls_pair *p)
{
	uint8_t payload[RECORD_PAYLOAD];
	uint32_t sender, number;
	ssize_t n;

	while ((n = pair_take(p, payload)) > 0)
		if (message_check(payload, (size_t)n, &sender, &number) != (size_t)n)
			die("a record is no message");
	close(p->peer);
}

/* Puts one connection after the other at its slot. */
static void *
mover_main(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg, random = seed * 32 + id + 20;
	const int slot = FIRST_SLOT + (int)id;
	struct tls_pair now, before = {.peer = -1};
	uint8_t m[2000];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		pair_open(&now, i % 2 == 0 ? TLS12 : TLS13, random_next(&random));
		message_make(m, sizeof(m), 100 + id, i);
		pair_give(&now, m, sizeof(m));
		if (before.peer < 0)
			leave_alone(slot);
		if (dup2_used(now.fd, slot) != slot)
			die("dup2: %s", strerror(errno));
		usable[id] = true;
		close(now.fd);
		if (before.peer >= 0)
			drain(&before);
		before = now;
		usleep(random_next(&random) % 1000);
		if (random_next(&random) % 4 == 0) {
			close_used(slot);
			drain(&before);
			before.peer = -1;
		}
	}
	close_used(slot);
	if (before.peer >= 0)
		drain(&before);
	return NULL;
}

static void
storm(void)
{
	pthread_t movers[MOVERS], others[WRITERS + 1];

	for (uintptr_t i = 0; i < MOVERS; i++)
		pthread_create(&movers[i], NULL, mover_main, (void *)i);
	for (uintptr_t i = 0; i <= WRITERS; i++)
		pthread_create(&others[i], NULL, i < WRITERS ? writer_main : reader_main,
			       (void *)i);
	for (int i = 0; i < MOVERS; i++)
		pthread_join(movers[i], NULL);
	stop = true;
	for (int i = 0; i <= WRITERS; i++)
		pthread_join(others[i], NULL);
	if (written == 0 || received == 0)
		die("nothing was tested: %u writes, %u reads", written, received);
}

struct blocked {
	int fd;
	ssize_t result;
	int error;
	uint8_t m[RECORD_PAYLOAD];
	_Atomic bool started;
};

static void *
blocked_main(void *arg)
{
	struct blocked *b = arg;

	b->started = true;
	b->result = read(b->fd, b->m, sizeof(b->m));
	b->error = errno;
	return NULL;
}

/* close(2) under a blocking read, and the number given to another connection. The read
 * may end with its own connection's message or an error, never with the other's bytes. */
static void
close_under_read(int minor, uint32_t round)
{
	static struct blocked b;
	struct tls_pair old, new;
	uint8_t m[3000], got[RECORD_PAYLOAD];
	uint32_t sender, number;
	pthread_t reader;

	pair_open(&old, minor, seed + round);
	pair_open(&new, minor, seed + round + 1000);
	b.fd = old.fd;
	b.started = false;
	pthread_create(&reader, NULL, blocked_main, &b);
	while (!b.started)
		usleep(100);
	usleep(round % 4 * 700);
	if (round % 2 == 0)
		close_used(old.fd);
	if (dup2_used(new.fd, old.fd) != old.fd)
		die("dup2: %s", strerror(errno));
	message_make(m, sizeof(m), 2, round);
	pair_give(&new, m, sizeof(m));
	message_make(m, sizeof(m), 1, round);
	pair_give(&old, m, sizeof(m));
	shutdown(old.peer, SHUT_WR);
	usleep(2000);
	/* The reader may have been late and be at the new connection rightly. */
	ssize_t n = recv(new.fd, got, sizeof(got), MSG_DONTWAIT);
	bool taken = n < 0 && errno == EAGAIN;
	if (!taken && (n != sizeof(m) ||
		       message_check(got, (size_t)n, &sender, &number) != sizeof(m)))
		die("round %u: the new connection gives %zd: %s", round, n,
		    n < 0 ? strerror(errno) : "");
	close(new.peer);
	close(old.peer);
	pthread_join(reader, NULL);
	if (b.result > 0 &&
	    (message_check(b.m, (size_t)b.result, &sender, &number) != sizeof(m) ||
	     sender != (taken ? 2 : 1)))
		die("round %u: the read got %zd bytes of another kind", round, b.result);
	if (b.result < 0 && (!gone(b.error) || taken))
		die("round %u: the read ends with %s, the message %s", round,
		    strerror(b.error), taken ? "lost" : "there");
	close(new.fd);
	close(old.fd);
}

int
main(int argc, char **argv)
{
	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	find_functions();
	deadline(100);
	signal(SIGPIPE, SIG_IGN);
	for (uint32_t i = 0; i < CLOSES; i++)
		close_under_read(i % 3 == 0 ? TLS12 : TLS13, i);
	storm();
	return 0;
}
