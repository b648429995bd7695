/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro_worker.c: the measurements of ktls-micro that have to run under the library.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "micro.h"
#include "report.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

const struct micro_figure micro_calls[MICRO_CALLS] = {
	{"read(2) of /dev/null: what the library adds", "ns", 1},
	{"write(2) to /dev/null: what the library adds", "ns", 1},
	{"read(2) of an empty TCP socket: what it adds", "ns", 1},
	{"write(2) to /dev/null: a direct call", "ns", 0},
};

const struct micro_figure micro_enable[MICRO_ENABLE] = {
	{"enable TX, FreeBSD's option", "us", 5},
	{"enable RX, FreeBSD's option", "us", 5},
	{"enable TX, Linux's two options", "us", 5},
	{"enable RX, Linux's two options", "us", 5},
	{"the first in a process, engines included", "us", 0},
};

const struct micro_figure micro_memory[MICRO_MEMORY] = {
	{"memory of an idle session, both directions", "KiB", 2},
	{"the same after a record of 16 KiB each way", "KiB", 2},
};

#define PAIRS 1000

struct socket_pair {
	int fd[2];
};

uint64_t
micro_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
tell(const double *figures, size_t count)
{
	size_t len = count * sizeof(*figures);

	if (write(STDOUT_FILENO, figures, len) != (ssize_t)len)
		err(1, "stdout");
}

static struct socket_pair *
connect_pairs(unsigned count)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct socket_pair *pairs = calloc(count, sizeof(*pairs));

	if (listener < 0 || !pairs || bind(listener, (struct sockaddr *)&address, len) ||
	    listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		err(1, "listen");
	for (unsigned i = 0; i < count; i++) {
		int *fd = pairs[i].fd;

		fd[0] = socket(AF_INET, SOCK_STREAM, 0);
		if (fd[0] < 0 || connect(fd[0], (struct sockaddr *)&address, len))
			err(1, "connect");
		fd[1] = accept(listener, NULL, NULL);
		if (fd[1] < 0)
			err(1, "accept");
	}
	close(listener);
	return pairs;
}

/*
 * Batches of calls, by turns through the library's function and through libc's own, in
 * the same process on the same descriptor: caches, frequency and addresses are the same.
 */
#define BATCH   64
#define BATCHES 10000

typedef ssize_t read_fn(int, void *, size_t);

static double
batch(read_fn *call, int fd)
{
	char byte = 0;
	uint64_t start = micro_now();

	for (int i = 0; i < BATCH; i++)
		call(fd, &byte, 1);
	return (double)(micro_now() - start) / BATCH;
}

/* The median of the differences between neighbours, in which slow drifts cancel out. */
static double
extra(read_fn *ours, read_fn *direct, int fd, double *direct_ns)
{
	static double difference[BATCHES], without[BATCHES];

	for (int i = 0; i < BATCHES; i++) {
		/* Neither is always the first, which another process may have delayed. */
		double with = i % 2 ? batch(ours, fd) : 0;
		without[i] = batch(direct, fd);
		if (i % 2 == 0)
			with = batch(ours, fd);
		difference[i] = with - without[i];
	}
	*direct_ns = spread_of(without, BATCHES).median;
	return spread_of(difference, BATCHES).median;
}

/* dlsym(3) gives a pointer to data; POSIX promises that it holds a function's. */
static read_fn *
function(void *handle, const char *name)
{
	union {
		void *data;
		read_fn *function;
	} symbol = {.data = dlsym(handle, name)};

	if (!symbol.data)
		errx(1, "%s", dlerror());
	return symbol.function;
}

static void
calls(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	int null = open("/dev/null", O_RDWR);
	struct socket_pair *pair = connect_pairs(1);
	double figures[MICRO_CALLS], ignored;

	if (!libc || null < 0 || fcntl(pair->fd[0], F_SETFL, O_NONBLOCK))
		err(1, "setup");
	if (function(RTLD_DEFAULT, "read") == function(libc, "read"))
		errx(1, "the library is not preloaded");
	figures[0] = extra(function(RTLD_DEFAULT, "read"), function(libc, "read"), null,
			   &ignored);
	figures[1] = extra(function(RTLD_DEFAULT, "write"), function(libc, "write"), null,
			   &figures[3]);
	figures[2] = extra(function(RTLD_DEFAULT, "read"), function(libc, "read"),
			   pair->fd[0], &ignored);
	free(pair);
	tell(figures, MICRO_CALLS);
}

static double
enable_freebsd(int fd, int option)
{
	static const uint8_t secret[32] = {1, 2, 3};
	struct tls_enable en = {
		.cipher_key = secret,
		.iv = secret,
		.cipher_algorithm = CRYPTO_AES_NIST_GCM_16,
		.cipher_key_len = 16,
		.iv_len = TLS_AEAD_GCM_LEN,
		.tls_vmajor = TLS_MAJOR_VER_ONE,
		.tls_vminor = TLS_MINOR_VER_TWO,
	};
	uint64_t start = micro_now();

	if (setsockopt(fd, IPPROTO_TCP, option, &en, sizeof(en)))
		err(1, "TLS_ENABLE");
	return (double)(micro_now() - start) / 1000;
}

static double
enable_linux(int fd, int option)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = {TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128},
		.key = {1, 2, 3},
	};
	uint64_t start = micro_now();

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
	    setsockopt(fd, SOL_TLS, option, &keys, sizeof(keys)))
		err(1, "TCP_ULP, TLS_TX or TLS_RX");
	return (double)(micro_now() - start) / 1000;
}

static void
enable(void)
{
	struct socket_pair *freebsd = connect_pairs(PAIRS),
			   *linux_ = connect_pairs(PAIRS);
	static double us[4][PAIRS];
	double figures[MICRO_ENABLE];

	for (int i = 0; i < PAIRS; i++) {
		us[0][i] = enable_freebsd(freebsd[i].fd[0], TCP_TXTLS_ENABLE);
		us[1][i] = enable_freebsd(freebsd[i].fd[1], TCP_RXTLS_ENABLE);
		us[2][i] = enable_linux(linux_[i].fd[0], TLS_TX);
		us[3][i] = enable_linux(linux_[i].fd[1], TLS_RX);
	}
	figures[4] = us[0][0];
	for (int kind = 0; kind < 4; kind++)
		figures[kind] = spread_of(us[kind], PAIRS).median;
	free(freebsd);
	free(linux_);
	tell(figures, MICRO_ENABLE);
}

/* The second number of proc(5)'s statm, in pages. */
static double
resident_kib(void)
{
	char text[128], *end;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		err(1, "/proc/self/statm");
	close(fd);
	text[n] = '\0';
	strtoul(text, &end, 10);
	return (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void
enable_both(const struct socket_pair *pair)
{
	for (int side = 0; side < 2; side++) {
		enable_freebsd(pair->fd[side], TCP_TXTLS_ENABLE);
		enable_freebsd(pair->fd[side], TCP_RXTLS_ENABLE);
	}
}

static void
exchange_record(const struct socket_pair *pair)
{
	static char record[MAX_RECORD];

	for (int side = 0; side < 2; side++)
		if (write(pair->fd[side], record, MAX_RECORD) != MAX_RECORD ||
		    recv(pair->fd[!side], record, MAX_RECORD, MSG_WAITALL) != MAX_RECORD)
			err(1, "record");
}

/* The first pair loads the engines and makes the buffers that all sessions share. */
static void
memory(void)
{
	struct socket_pair *pairs = connect_pairs(PAIRS + 1);
	double figures[MICRO_MEMORY];

	enable_both(&pairs[PAIRS]);
	exchange_record(&pairs[PAIRS]);
	double before = resident_kib();
	for (int i = 0; i < PAIRS; i++)
		enable_both(&pairs[i]);
	figures[0] = (resident_kib() - before) / (2 * PAIRS);
	for (int i = 0; i < PAIRS; i++)
		exchange_record(&pairs[i]);
	figures[1] = (resident_kib() - before) / (2 * PAIRS);
	free(pairs);
	tell(figures, MICRO_MEMORY);
}

int
micro_worker(const char *name)
{
	if (strcmp(name, "calls") == 0)
		calls();
	else if (strcmp(name, "enable") == 0)
		enable();
	else if (strcmp(name, "memory") == 0)
		memory();
	else
		return 2;
	return 0;
}
