/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.c: senders that meet a full send buffer: partial writes, atomic sends, and every
 * byte exactly once.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "sink.h"

enum {
	STREAM = 300000,
	TINY = 2304, /* SO_SNDBUF: Linux doubles it, and has no less */
	WINDOW = 4000,
};

/* A nonblocking writer with little room and a slow reader: each byte arrives once. */
static void
nonblocking_stream(const struct variant *v, int sndbuf, size_t piece_max, size_t read_max)
{
	static uint8_t data[STREAM];
	static struct sink sink;
	struct keys k;
	size_t written = 0, refused = 0;
	int fd[2];

	narrow_pair(fd, v->suite, &k, sndbuf, WINDOW);
	set_nonblocking(fd[1], true);
	random_bytes(data, sizeof(data));
	sink = (struct sink){
		.k = &k, .data = data, .len = STREAM, .type = TLS_RLTYPE_APP};
	while (sink.done < STREAM) {
		size_t piece = 1 + random_below((uint32_t)piece_max);
		if (piece > STREAM - written)
			piece = STREAM - written;
		ssize_t n = piece > 0 ? write(fd[1], data + written, piece) : 0;
		if (n < 0) {
			check_eq(errno, EAGAIN);
			refused++;
		} else {
			check(n > 0 || piece == 0);
			check((size_t)n <= piece);
			written += (size_t)n;
		}
		/* A byte that is held back may have arrived, but is not accepted. */
		check(sink.done <= written + 1);
		if (n > 0 && random_below(4) != 0)
			continue;
		if (sink_read(&sink, fd[0], 1 + random_below((uint32_t)read_max)) ||
		    written == STREAM || poll_for(fd[1], POLLOUT, 1) == 0)
			continue;
		/* Said to be writable, it must take a byte. */
		check_eq(write(fd[1], data + written, 1), 1);
		written++;
	}
	check_eq(written, STREAM);
	check(refused > 0);
	check_silent(fd[0]);
}

static void
tiny_buffer(const struct variant *v)
{
	nonblocking_stream(v, TINY, 20000, 5000);
}

static void
small_buffer(const struct variant *v)
{
	nonblocking_stream(v, 40000, 50000, 20000);
}

static void
tiny_pieces(const struct variant *v)
{
	nonblocking_stream(v, TINY, 600, 3000);
}

struct reader {
	struct sink *sink;
	int fd;
	unsigned delay_us;
};

static void *
read_slowly(void *arg)
{
	struct reader *r = arg;

	while (r->sink->done < r->sink->len) {
		poll_for(r->fd, POLLIN, -1);
		if (r->delay_us > 0)
			nanosleep(&(struct timespec){.tv_nsec = r->delay_us * 1000L},
				  NULL);
		sink_read(r->sink, r->fd, sizeof(r->sink->r.wire));
	}
	return NULL;
}

/* A blocking write returns when all is written. */
static void
blocking_write(const struct variant *v)
{
	static uint8_t data[STREAM];
	static struct sink sink;
	struct keys k;
	pthread_t thread;
	struct iovec iov[3] = {{data, 7}, {data + 7, 100000}, {data + 100007, 199993}};
	int fd[2];

	narrow_pair(fd, v->suite, &k, TINY, WINDOW);
	random_bytes(data, sizeof(data));
	sink = (struct sink){
		.k = &k, .data = data, .len = STREAM, .type = TLS_RLTYPE_APP};
	struct reader r = {&sink, fd[0], 100};
	check_eq(pthread_create(&thread, NULL, read_slowly, &r), 0);
	check_eq(writev(fd[1], iov, 3), STREAM);
	pthread_join(thread, NULL);
	check_silent(fd[0]);
}

/* With a type, more than SO_SNDBUF can never fit at once. */
static void
atomic_too_long(const struct variant *v)
{
	static uint8_t data[400000];
	struct keys k;
	int fd[2], sndbuf;

	tx_pair(fd, v->suite, &k);
	set_int(fd[1], SOL_SOCKET, SO_SNDBUF, 40000);
	sndbuf = get_int(fd[1], SOL_SOCKET, SO_SNDBUF);
	random_bytes(data, sizeof(data));
	check((size_t)sndbuf < sizeof(data));
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		set_nonblocking(fd[1], nonblocking);
		check_errno(send_typed(fd[1], 22, data, (size_t)sndbuf + 1, 0), EMSGSIZE);
		check_errno(send_typed(fd[1], 22, data, sizeof(data), 0), EMSGSIZE);
	}
	check_silent(fd[0]);
	set_nonblocking(fd[1], false);
	/* What was asked for is half of what Linux reports: that much must go. */
	check_eq(send_typed(fd[1], 22, data, 40000, 0), 40000);
	expect_records(fd[0], &k, 22, data, 40000);
}

/* Writes until there is no room; how much it was. */
static size_t
fill(int fd, const uint8_t *data, size_t len)
{
	size_t done = 0;

	for (;;) {
		ssize_t n = send(fd, data + done, len - done, MSG_DONTWAIT);
		if (n < 0) {
			check_eq(errno, EAGAIN);
			return done;
		}
		done += (size_t)n;
		check(done < len);
	}
}

/* Nonblocking, with a type and no room for all: EAGAIN, and nothing of it is sent. */
static void
atomic_no_room(const struct variant *v)
{
	static uint8_t data[8000000];
	static struct sink sink;
	struct keys k;
	size_t filled;
	int fd[2];

	narrow_pair(fd, v->suite, &k, 20000, WINDOW);
	random_bytes(data, sizeof(data));
	filled = fill(fd[1], data, sizeof(data));
	for (int i = 0; i < 3; i++)
		check_errno(send_typed(fd[1], TLS_RLTYPE_HANDSHAKE, data, 15000,
				       MSG_DONTWAIT),
			    EAGAIN);
	set_nonblocking(fd[1], true);
	check_errno(send_typed(fd[1], TLS_RLTYPE_HANDSHAKE, data, 15000, 0), EAGAIN);
	sink = (struct sink){
		.k = &k, .data = data, .len = filled, .type = TLS_RLTYPE_APP};
	/* A record that the kernel cut is complete only after the next send; its last
	 * byte is the one that was not accepted. */
	while (sink.done < filled) {
		if (sink_read(&sink, fd[0], sizeof(sink.r.wire)))
			continue;
		if (poll_for(fd[0], POLLIN, 20) != 0)
			continue;
		ssize_t n = write(fd[1], data + filled, 1);
		if (n == 1)
			sink.len = ++filled;
	}
	set_nonblocking(fd[1], false);
	ssize_t n = send_typed(fd[1], TLS_RLTYPE_HANDSHAKE, data, 5, 0);
	check_eq(n, 5);
	sink = (struct sink){
		.k = &k, .data = data, .len = 5, .type = TLS_RLTYPE_HANDSHAKE};
	sink_finish(&sink, fd[0]);
}

/* Blocking, with a type: waits until all of it fits, and sends all of it. */
static void
atomic_waits(const struct variant *v)
{
	static uint8_t data[STREAM];
	static struct sink sink;
	struct keys k;
	pthread_t thread;
	int fd[2];

	narrow_pair(fd, v->suite, &k, 30000, WINDOW);
	random_bytes(data, sizeof(data));
	sink = (struct sink){.k = &k, .data = data, .len = STREAM, .type = 0x21};
	struct reader r = {&sink, fd[0], 200};
	check_eq(pthread_create(&thread, NULL, read_slowly, &r), 0);
	for (size_t done = 0; done < STREAM; done += 25000)
		check_eq(send_typed(fd[1], 0x21, data + done, 25000, 0), 25000);
	pthread_join(thread, NULL);
	check_silent(fd[0]);
}

/* Nonblocking, with a type, again and again: each is all or nothing. */
static void
atomic_retried(const struct variant *v)
{
	static uint8_t data[STREAM];
	static struct sink sink;
	struct keys k;
	size_t done = 0, refused = 0;
	int fd[2];

	narrow_pair(fd, v->suite, &k, 30000, WINDOW);
	set_nonblocking(fd[1], true);
	random_bytes(data, sizeof(data));
	sink = (struct sink){.k = &k, .data = data, .len = STREAM, .type = 0x21};
	while (sink.done < STREAM) {
		size_t n = done < STREAM ? 1 + random_below(2000) : 0;
		if (n > STREAM - done)
			n = STREAM - done;
		ssize_t sent = n > 0 ? send_typed(fd[1], 0x21, data + done, n, 0) : -2;
		if (sent == -1) {
			check_eq(errno, EAGAIN);
			refused++;
		} else if (sent >= 0) {
			check_eq(sent, n);
			done += n;
			continue;
		}
		sink_read(&sink, fd[0], 1 + random_below(6000));
	}
	check(refused > 0);
}

/* Nonblocking, with a type, until there is no room, nobody reading: never a wait. */
static void
atomic_until_full(const struct variant *v)
{
	static uint8_t data[8000000];
	static struct sink sink;
	struct keys k;
	int fd[2];

	random_bytes(data, sizeof(data));
	for (int sndbuf = TINY; sndbuf < 100000; sndbuf = sndbuf * 3 / 2) {
		size_t done = 0;
		narrow_pair(fd, v->suite, &k, sndbuf, WINDOW);
		set_nonblocking(fd[1], sndbuf % 2);
		for (int refused = 0; refused < 3;) {
			size_t n = 1 + random_below((uint32_t)sndbuf);
			ssize_t sent = send_typed(fd[1], 0x21, data + done, n,
						  sndbuf % 2 ? 0 : MSG_DONTWAIT);
			if (sent < 0) {
				check_eq(errno, EAGAIN);
				refused++;
				continue;
			}
			check_eq(sent, n);
			done += n;
		}
		sink = (struct sink){.k = &k, .data = data, .len = done, .type = 0x21};
		sink_finish(&sink, fd[0]);
		check_silent(fd[0]);
		must(close(fd[0]));
		must(close(fd[1]));
	}
}

const struct scenario flow_scenarios[] = {
	{"flow", "tiny_buffer", G_TX, 0, tiny_buffer},
	{"flow", "small_buffer", G_TX, 0, small_buffer},
	{"flow", "tiny_pieces", G_FEW | G_CBC10, 0, tiny_pieces},
	{"flow", "blocking_write", G_TX, 0, blocking_write},
	{"flow", "atomic_too_long", G_TX, 0, atomic_too_long},
	{"flow", "atomic_no_room", G_TX, 0, atomic_no_room},
	{"flow", "atomic_waits", G_FEW | G_CBC10, 0, atomic_waits},
	{"flow", "atomic_until_full", G_FEW | G_CBC10, 0, atomic_until_full},
	{"flow", "atomic_retried", G_TX, 0, atomic_retried},
	{0},
};
