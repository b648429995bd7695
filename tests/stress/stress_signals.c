/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_signals.c: a signal handler that uses the TLS socket which the code it
 * interrupts uses; and threads that are cancelled inside their calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tls_pair.h"

enum {
	MESSAGES = 1500,
	CANCELS = 30,
	MAIN = 0, /* senders */
	HANDLER = 1,
	PEER = 2,
};

static struct tls_pair pair;
static uint32_t seed;
static volatile sig_atomic_t handler_sent, handler_busy, handler_got, main_got;
static uint32_t arrived[3];
static _Atomic bool done;

/* The peer gives small messages, one a record; a call with this much room gets one whole
 * record at least, so what it got is whole messages. */
static int
count_messages(const uint8_t *m, size_t have)
{
	uint32_t sender, number;
	size_t n;
	int count = 0;

	for (; have > 0; m += n, have -= n, count++) {
		n = message_check(m, have, &sender, &number);
		if (n == 0 || sender != PEER)
			die("torn: %zu bytes read are no message", have);
	}
	return count;
}

static void
on_alarm(int number)
{
	int saved = errno;
	uint8_t m[600];
	size_t n = MESSAGE_HEADER + (size_t)handler_sent * 37 % 500;

	(void)number;
	message_make(m, n, HANDLER, (uint32_t)handler_sent);
	ssize_t r = write(pair.fd, m, n);
	if (r >= 0 && (size_t)r != n)
		die("the handler's write is short: %zd of %zu", r, n);
	if (r < 0 && errno != EAGAIN && errno != EINTR)
		die("the handler's write: %s", strerror(errno));
	if (r < 0)
		handler_busy++;
	else
		handler_sent++;
	r = recv(pair.fd, m, 300, MSG_DONTWAIT);
	if (r < 0 && errno != EAGAIN)
		die("the handler's read: %s", strerror(errno));
	if (r > 0)
		handler_got += count_messages(m, (size_t)r);
	errno = saved;
}

/* Signals are for the thread that uses the socket. */
static void
thread_without_signals(pthread_t *thread, void *(*body)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(thread, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *
taker_main(void *arg)
{
	uint8_t payload[RECORD_PAYLOAD];
	uint32_t sender, number, random = seed + 5;
	ssize_t n;

	(void)arg;
	while ((n = pair_take(&pair, payload)) > 0) {
		if (message_check(payload, (size_t)n, &sender, &number) != (size_t)n ||
		    sender > HANDLER || number != arrived[sender])
			die("record %llu is no message that was due",
			    (unsigned long long)pair.sent.seq);
		arrived[sender]++;
		if (random_next(&random) % 64 == 0)
			usleep(3000);
	}
	return NULL;
}

/* Messages of 300 bytes: what the handler asks for is one of them exactly. */
static void *
giver_main(void *arg)
{
	uint8_t m[300];

	(void)arg;
	for (uint32_t i = 0; i < MESSAGES; i++) {
		message_make(m, sizeof(m), PEER, i);
		pair_give(&pair, m, sizeof(m));
		usleep(500);
	}
	done = true;
	return NULL;
}

static void
ticks(long microseconds)
{
	struct itimerval tick = {.it_interval.tv_usec = microseconds,
				 .it_value.tv_usec = microseconds};

	setitimer(ITIMER_REAL, &tick, NULL);
}

/* All of it, whatever interrupts. */
static void
main_send(uint32_t number, uint32_t *random)
{
	uint8_t m[RECORD_PAYLOAD];
	size_t n = MESSAGE_HEADER +
		   random_next(random) % (RECORD_PAYLOAD - MESSAGE_HEADER + 1);

	message_make(m, n, MAIN, number);
	for (size_t sent = 0; sent < n;) {
		ssize_t r = write(pair.fd, m + sent, n - sent);
		if (r < 0 && errno != EINTR && errno != EAGAIN)
			die("write: %s", strerror(errno));
		if (r > 0)
			sent += (size_t)r;
	}
}

static void
main_receive(void)
{
	uint8_t m[300];
	ssize_t r = recv(pair.fd, m, sizeof(m), MSG_DONTWAIT);

	if (r < 0 && errno != EAGAIN && errno != EINTR)
		die("recv: %s", strerror(errno));
	if (r > 0)
		main_got += count_messages(m, (size_t)r);
}

static void
handler_run(int minor, int flags)
{
	struct sigaction act = {.sa_handler = on_alarm, .sa_flags = flags};
	const int sndbuf = 16384;
	uint32_t random = seed + 11, sent = 0;
	pthread_t taker, giver;

	memset(arrived, 0, sizeof(arrived));
	handler_sent = handler_busy = handler_got = main_got = 0;
	done = false;
	pair_open(&pair, minor, seed);
	setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	sigaction(SIGALRM, &act, NULL);
	thread_without_signals(&taker, taker_main, NULL);
	thread_without_signals(&giver, giver_main, NULL);
	ticks(1000);
	while (!done || handler_got + main_got < MESSAGES) {
		main_send(sent++, &random);
		main_receive();
	}
	ticks(0);
	pthread_join(giver, NULL);
	shutdown(pair.fd, SHUT_WR);
	pthread_join(taker, NULL);
	if (arrived[MAIN] != sent || arrived[HANDLER] != (uint32_t)handler_sent)
		die("%u of %u messages of the program arrived, %u of %d of the handler",
		    arrived[MAIN], sent, arrived[HANDLER], (int)handler_sent);
	if (handler_sent == 0 || handler_got == 0)
		die("the handler did nothing");
	printf("TLS 1.%d, flags %x: program %u sent, %d got; handler %d sent, %d got, "
	       "%d busy\n",
	       minor - 1, (unsigned)flags, sent, (int)main_got, (int)handler_sent,
	       (int)handler_got, (int)handler_busy);
	close(pair.fd);
	close(pair.peer);
}

static void *
read_for_ever(void *arg)
{
	uint8_t m[300];

	(void)arg;
	for (;;)
		if (read(pair.fd, m, sizeof(m)) > 0)
			die("nothing was sent");
}

static void *
write_for_ever(void *arg)
{
	uint8_t m[RECORD_PAYLOAD];

	for (uint32_t i = 0;; i++) {
		message_make(m, sizeof(m), MAIN, i);
		if (write(pair.fd, m, sizeof(m)) != sizeof(m))
			die("write before the cancellation: %s", strerror(errno));
	}
	return arg;
}

#ifdef __SANITIZE_ADDRESS__
/* AddressSanitizer leaves a cancelled thread's stack poisoned and then, at its end, trips
 * over that itself when it takes its signal stack away. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *
__asan_default_options(void)
{
	return "use_sigaltstack=0";
}
#endif

static void
cancelled(void *(*body)(void *), useconds_t when)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, body, NULL);
	usleep(when);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	if (result != PTHREAD_CANCELED)
		die("the thread ended by itself");
}

/* After a cancelled read, reading works; after a cancelled write so does writing, behind
 * what the thread had sent. */
static void
cancel_run(int minor, uint32_t round)
{
	uint32_t random = seed + round + 1, sender, number, got = 0;
	const int sndbuf = 8192;
	uint8_t m[300], payload[RECORD_PAYLOAD];
	ssize_t n;

	pair_open(&pair, minor, seed + round);
	setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	cancelled(read_for_ever, random_next(&random) % 2000);
	message_make(m, sizeof(m), PEER, 0);
	pair_give(&pair, m, sizeof(m));
	if (read(pair.fd, m, sizeof(m)) != sizeof(m) || count_messages(m, sizeof(m)) != 1)
		die("read after a cancelled read: %s", strerror(errno));
	/* Nobody reads at the other end, so it is blocked sooner or later. */
	cancelled(write_for_ever, 1000 + random_next(&random) % 40000);
	message_make(m, sizeof(m), HANDLER, 0);
	fcntl(pair.fd, F_SETFL, O_NONBLOCK);
	while ((n = write(pair.fd, m, sizeof(m))) < 0 && errno == EAGAIN)
		if (pair_take(&pair, payload) <= 0 ||
		    message_check(payload, RECORD_PAYLOAD, &sender, &number) !=
			    RECORD_PAYLOAD ||
		    number != got++)
			die("before the cancellation: a record is no message");
	if (n != sizeof(m))
		die("write after a cancelled write: %zd, %s", n, strerror(errno));
	shutdown(pair.fd, SHUT_WR);
	while ((n = pair_take(&pair, payload)) > 0)
		if (message_check(payload, (size_t)n, &sender, &number) != (size_t)n)
			die("after the cancellation: a record is no message");
	if (sender != HANDLER)
		die("the message after the cancellation is not the last");
	close(pair.fd);
	close(pair.peer);
}

/* The alarm is the program's subject, so another clock watches over it. */
static void *
watchdog_main(void *arg)
{
	sleep(100);
	die("no end after 100 seconds");
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t watchdog;

	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	thread_without_signals(&watchdog, watchdog_main, NULL);
	for (int minor = TLS12; minor <= TLS13; minor++) {
		handler_run(minor, SA_RESTART);
		handler_run(minor, 0);
		for (uint32_t i = 0; i < CANCELS; i++)
			cancel_run(minor, i);
	}
	return 0;
}
