/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.c: one sample: starts a sender and a receiver, holds both at the line until both
 * are warm, and collects what they measured.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "syscalls.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

const char *const cpus_names[] = {"any", "one", "two"};

struct pair {
	pid_t pid[2];
	int control[2];
};

static int
listen_somewhere(uint16_t *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		err(1, "listen");
	*port = ntohs(address.sin_port);
	return fd;
}

bool
native_ktls_available(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	uint16_t port;
	int listener = listen_somewhere(&port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "connect");
	bool available = !setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"));
	close(fd);
	close(listener);
	return available;
}

/* To the nth CPU we may use, from the last one: the first gets most interrupts. */
static void
pin_to(unsigned nth)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all))
		err(1, "sched_getaffinity");
	nth %= (unsigned)CPU_COUNT(&all);
	for (size_t cpu = CPU_SETSIZE; cpu-- > 0;)
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");
}

/* In the child. fds become FD_CONTROL and the following; exec closes all else. */
static _Noreturn void
become_worker(const struct setup *setup, const struct peer *peer, enum side side,
	      const int *fds)
{
	enum {
		COUNT = FD_WORKER_END - FD_CONTROL
	};
	int high[COUNT];

	for (int i = 0; i < COUNT; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_WORKER_END);
	for (int i = 0; i < COUNT; i++)
		if (high[i] < 0 || dup2(high[i], FD_CONTROL + i) < 0)
			err(1, "dup2");
	unsetenv("LD_PRELOAD");
	if (peer->preload[side])
		setenv("LD_PRELOAD", setup->library, 1);
	if (setup->engine)
		setenv("KTLS_CIPHER", setup->engine, 1);
	if (setup->cpus != CPUS_ANY)
		pin_to(setup->cpus == CPUS_TWO && side == RECEIVER);
	execl("/proc/self/exe", "ktls-bench", "--worker", NULL);
	err(1, "exec");
}

static uint64_t
max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
start(struct pair *pair, const struct setup *setup, const struct bench_case *c,
      const struct peer *peer)
{
	int control[2], credit[2];
	struct job job = {.c = *c, .transport = peer->transport};
	int listener = listen_somewhere(&job.port);

	/* A sixteenth of the whole, but something for every connection. */
	job.warmup = max(c->bytes / 16, max(1u << 20, 2 * c->size * c->connections));
	job.warmup -= job.warmup % PATTERN_LEN;
	if (pipe2(credit, O_CLOEXEC))
		err(1, "pipe");
	for (enum side side = SENDER; side <= RECEIVER; side++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
			err(1, "socketpair");
		job.side = side;
		job.ktls = peer->ktls[side];
		pair->control[side] = control[0];
		pair->pid[side] = fork();
		if (pair->pid[side] < 0)
			err(1, "fork");
		if (pair->pid[side] == 0)
			become_worker(setup, peer, side,
				      (int[]){control[1], listener,
					      credit[side == SENDER ? 0 : 1]});
		close(control[1]);
		if (write(control[0], &job, sizeof(job)) < 0)
			warn("worker");
	}
	close(listener);
	close(credit[0]);
	close(credit[1]);
}

static int
hear(struct pair *pair, enum side side, void *data, size_t len)
{
	return read(pair->control[side], data, len) == (ssize_t)len ? 0 : -1;
}

/* Both sides hold at the line; "go", and then what they measured. */
static int
run(struct pair *pair, const struct setup *setup, struct sample *sample)
{
	char go = 0;

	if (hear(pair, SENDER, &go, 1) || hear(pair, RECEIVER, &go, 1))
		return -1;
	if (setup->syscalls)
		for (enum side side = SENDER; side <= RECEIVER; side++)
			if (syscalls_attach(pair->pid[side]) < 0)
				return -1;
	for (enum side side = RECEIVER;; side = SENDER) {
		if (write(pair->control[side], &go, 1) != 1)
			return -1;
		if (side == SENDER)
			break;
	}
	if (setup->syscalls && syscalls_count(pair->pid, sample->syscalls) < 0)
		return -1;
	for (enum side side = SENDER; side <= RECEIVER; side++)
		if (hear(pair, side, &sample->side[side], sizeof(struct measure)))
			return -1;
	for (enum side side = SENDER; side <= RECEIVER; side++)
		if (write(pair->control[side], &go, 1) != 1)
			return -1;
	return 0;
}

/* A peer that quietly is not what it says would be measured as something else. */
static int
check_ktls(const struct bench_case *c, const struct peer *peer, const struct sample *s)
{
	for (enum side side = SENDER; side <= RECEIVER; side++) {
		bool uses = s->side[side].ktls[side];
		/* libssl before 3.2 receives TLS 1.3 in userspace. */
		bool may = side == RECEIVER && c->version == 13 &&
			   OpenSSL_version_num() < 0x30200000UL;

		if (peer->transport == TRANSPORT_SSL && uses != peer->ktls[side] &&
		    !may) {
			warnx("%s: libssl %s kernel TLS for %s", peer->name,
			      uses ? "uses" : "does not use",
			      side == SENDER ? "sending" : "receiving");
			return -1;
		}
	}
	return 0;
}

static void
evaluate(const struct bench_case *c, struct sample *s)
{
	const struct measure *tx = &s->side[SENDER], *rx = &s->side[RECEIVER];
	double cpu = (double)(tx->cpu_ns + rx->cpu_ns);
	double record = (double)(c->size < MAX_RECORD ? c->size : MAX_RECORD);
	uint64_t start = tx->start_ns < rx->start_ns ? tx->start_ns : rx->start_ns;
	uint64_t end = tx->end_ns > rx->end_ns ? tx->end_ns : rx->end_ns;

	s->ns_per_kib = cpu / ((double)c->bytes / 1024);
	s->ns_per_record = cpu / ((double)c->bytes / record);
	s->mib_per_s = (double)c->bytes / (1 << 20) / ((double)(end - start) / 1e9);
}

int
run_pair(const struct setup *setup, const struct bench_case *c, const struct peer *peer,
	 struct sample *sample)
{
	struct pair pair;
	int status, result;

	memset(sample, 0, sizeof(*sample));
	start(&pair, setup, c, peer);
	result = run(&pair, setup, sample);
	for (enum side side = SENDER; side <= RECEIVER; side++) {
		close(pair.control[side]);
		if (result)
			kill(pair.pid[side], SIGKILL);
		if (waitpid(pair.pid[side], &status, 0) < 0 || status != 0)
			result = -1;
	}
	if (result) {
		warnx("%s failed: %s", peer->name, bench_suites[c->suite].name);
		return -1;
	}
	evaluate(c, sample);
	return check_ktls(c, peer, sample);
}
