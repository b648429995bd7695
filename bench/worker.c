/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c: one end of a transfer, a process of its own so that the runner can start it
 * under the library or not. Handshakes and a warm-up come first, unmeasured.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

/*
 * With many connections the sender runs at most WINDOW bytes ahead of the receiver:
 * otherwise they would fill all socket buffers of the machine, and that would be
 * measured. The receiver gives a credit, one byte in a pipe, for each CREDIT bytes.
 */
#define WINDOW (4u << 20)
#define CREDIT (1u << 20)
#define EVENTS 64

struct worker {
	struct job job;
	const struct transport *transport;
	struct conn *conns;
	int epoll; /* -1: one blocking connection */
	int file;  /* MODE_SENDFILE */
	uint8_t *buffer;
	size_t message; /* what one call is asked to send */
	uint64_t calls;
	uint64_t credits;
	bool check; /* compare what arrives */
};

static const uint8_t pattern[PATTERN_LEN] =
	"The quick brown fox jumps over the lazy dog, 64 bytes at a time.";

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t
timeval_ns(const struct timeval *tv)
{
	return ((uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec) * 1000u;
}

/* Adds sign times the process's use so far: once with -1, once with +1. */
static void
snapshot(struct measure *m, int sign)
{
	uint64_t s = (uint64_t)(int64_t)sign;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	/* The same sum as rusage has, in nanoseconds. */
	m->cpu_ns += s * clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	m->user_ns += s * timeval_ns(&usage.ru_utime);
	m->system_ns += s * timeval_ns(&usage.ru_stime);
	m->switches += s * (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
}

/* Sends on one connection what its socket takes in one call. */
static size_t
send_some(struct worker *w, struct conn *conn, uint64_t *unclaimed)
{
	if (!conn->left) {
		conn->left = *unclaimed < w->message ? (size_t)*unclaimed : w->message;
		*unclaimed -= conn->left;
	}
	if (!conn->left)
		return 0;

	size_t offset = w->message - conn->left;
	size_t n = w->file >= 0
			   ? w->transport->send_file(conn, w->file, (off_t)offset,
						     conn->left)
			   : w->transport->send(conn, w->buffer + offset, conn->left);
	w->calls++;
	conn->left -= n;
	return n;
}

static size_t
recv_some(struct worker *w, struct conn *conn)
{
	size_t n = w->transport->recv(conn, w->buffer, w->job.c.read_size);

	w->calls++;
	for (size_t i = 0; w->check && i < n; i++)
		if (w->buffer[i] != pattern[(conn->pos + i) % PATTERN_LEN])
			errx(1, "byte %" PRIu64 " arrived damaged", conn->pos + i);
	conn->pos += n;
	return n;
}

static void
send_events(struct worker *w, uint64_t bytes)
{
	struct epoll_event events[EVENTS];
	uint64_t unclaimed = bytes;

	for (uint64_t sent = 0; sent < bytes;) {
		int n = epoll_wait(w->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			char credit[WINDOW / CREDIT];

			while (sent >= w->credits * CREDIT + WINDOW)
				w->credits += moved("credit", read(FD_CREDIT, credit,
								   sizeof(credit)));
			sent += send_some(w, &w->conns[events[i].data.u32], &unclaimed);
		}
	}
}

static void
recv_events(struct worker *w, uint64_t bytes)
{
	struct epoll_event events[EVENTS];

	for (uint64_t received = 0; received < bytes;) {
		int n = epoll_wait(w->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			received += recv_some(w, &w->conns[events[i].data.u32]);
		for (; received >= (w->credits + 1) * CREDIT; w->credits++)
			moved("credit", write(FD_CREDIT, "", 1));
	}
}

/* Leftover credits of a phase go with it. */
static void
drain_credits(struct worker *w, uint64_t bytes)
{
	char credit[64];

	while (w->job.side == SENDER && w->credits < bytes / CREDIT)
		w->credits += moved("credit", read(FD_CREDIT, credit, sizeof(credit)));
	w->credits = 0;
}

static void
transfer(struct worker *w, uint64_t bytes)
{
	uint64_t unclaimed = bytes;

	if (w->epoll >= 0)
		(w->job.side == SENDER ? send_events : recv_events)(w, bytes);
	else if (w->job.side == SENDER)
		for (uint64_t sent = 0; sent < bytes;)
			sent += send_some(w, w->conns, &unclaimed);
	else
		for (uint64_t received = 0; received < bytes;)
			received += recv_some(w, w->conns);
}

static int
connect_one(const struct job *job)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(job->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd;

	if (job->side == RECEIVER) {
		fd = accept(FD_LISTENER, NULL, NULL);
	} else {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)))
			err(1, "connect");
	}
	if (fd < 0)
		err(1, job->side == RECEIVER ? "accept" : "socket");
	/* As programs that speak TLS do, so that small writes are not held back. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)))
		err(1, "TCP_NODELAY");
	return fd;
}

static void
open_connections(struct worker *w)
{
	struct epoll_event event = {
		.events = w->job.side == SENDER ? EPOLLOUT : EPOLLIN,
	};

	w->conns = calloc(w->job.c.connections, sizeof(*w->conns));
	w->epoll = w->job.c.loop ? epoll_create1(0) : -1;
	if (!w->conns)
		err(1, "calloc");
	for (unsigned i = 0; i < w->job.c.connections; i++) {
		struct conn *conn = &w->conns[i];

		conn->fd = connect_one(&w->job);
		if (w->transport->open)
			w->transport->open(conn, &w->job);
		if (w->epoll < 0)
			continue;
		event.data.u32 = i;
		if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) ||
		    epoll_ctl(w->epoll, EPOLL_CTL_ADD, conn->fd, &event))
			err(1, "epoll");
	}
}

static void
make_buffers(struct worker *w)
{
	size_t len = w->job.side == SENDER ? w->job.c.size : w->job.c.read_size;

	w->file = -1;
	w->message = w->job.c.size;
	if (w->job.c.mode == MODE_SENDFILE)
		len = w->message = FILE_LEN;
	w->buffer = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (w->buffer == MAP_FAILED)
		err(1, "mmap");
	if (w->job.side == RECEIVER)
		return;
	for (size_t i = 0; i < len; i += PATTERN_LEN)
		memcpy(w->buffer + i, pattern, PATTERN_LEN);
	if (w->job.c.mode != MODE_SENDFILE)
		return;
	w->file = memfd_create("bench", 0);
	if (w->file < 0 || write(w->file, w->buffer, len) != (ssize_t)len)
		err(1, "memfd");
}

static const struct transport *
transport_of(enum transport_kind kind)
{
	switch (kind) {
	case TRANSPORT_PLAIN:
		return &transport_plain;
	case TRANSPORT_RAW:
		return &transport_raw;
	case TRANSPORT_SSL:
		return &transport_ssl;
	case TRANSPORT_GNUTLS:
#ifdef HAVE_GNUTLS
		return &transport_gnutls;
#else
		break;
#endif
	}
	errx(1, "built without this transport");
}

static void
control(ssize_t (*call)(int, void *, size_t), void *data, size_t len)
{
	if (call(FD_CONTROL, data, len) != (ssize_t)len)
		err(1, "the runner is gone");
}

static ssize_t
tell(int fd, void *data, size_t len)
{
	return write(fd, data, len);
}

/* The warm-up lets windows grow, loads engines, and proves that the data is right. */
_Noreturn void
worker_main(void)
{
	struct worker w = {.check = true};
	struct measure m = {0};
	char go = 0;

	control(read, &w.job, sizeof(w.job));
	w.transport = transport_of(w.job.transport);
	make_buffers(&w);
	if (w.transport->setup)
		w.transport->setup(&w.job);
	open_connections(&w);
	for (enum side side = SENDER; w.transport->uses_ktls && side <= RECEIVER; side++)
		m.ktls[side] = w.transport->uses_ktls(w.conns, side);
	transfer(&w, w.job.warmup);
	if (w.epoll >= 0)
		drain_credits(&w, w.job.warmup);
	w.check = false;
	w.calls = 0;

	snapshot(&m, -1); /* before the other side may begin */
	control(tell, &go, sizeof(go));
	control(read, &go, sizeof(go));
	m.start_ns = clock_ns(CLOCK_MONOTONIC);
	transfer(&w, w.job.c.bytes);
	m.end_ns = clock_ns(CLOCK_MONOTONIC);
	snapshot(&m, 1);
	m.calls = w.calls;
	control(tell, &m, sizeof(m));
	control(read, &go, sizeof(go)); /* both are done: closing disturbs nobody */
	exit(0);
}
