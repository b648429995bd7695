/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ready.c: "readable" means a whole record, an error or the end, to every call that
 * waits.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static uint8_t data[FULL], buf[FULL + 512], wire[4 * WIRE_MAX];

static void
pair(int fd[2], const struct variant *v, struct keys *k)
{
	rx_pair(fd, v->suite, k);
	random_bytes(data, sizeof(data));
}

/* The ways to ask whether a descriptor is readable within `ms`. */

static bool
by_poll(int fd, int ms)
{
	return (poll_for(fd, POLLIN, ms) & POLLIN) != 0;
}

static bool
by_ppoll(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDNORM};
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	return must(ppoll(&p, 1, &t, NULL)) > 0;
}

static bool
by_select(int fd, int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	int n = (int)must(select(fd + 1, &set, NULL, NULL, &t));
	check_eq(n, FD_ISSET(fd, &set) != 0);
	return n > 0;
}

static bool
by_pselect(int fd, int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return must(pselect(fd + 1, &set, NULL, NULL, &t, NULL)) > 0;
}

static bool
by_epoll(int fd, int ms)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}}, got;
	int ep = (int)must(epoll_create1(0));

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	int n = (int)must(epoll_wait(ep, &got, 1, ms));
	close(ep);
	return n > 0;
}

static bool (*const ways[])(int fd, int ms) = {
	by_poll, by_ppoll, by_select, by_pselect, by_epoll,
};

enum {
	WAYS = sizeof(ways) / sizeof(ways[0]),
};

/* Byte by byte: not before the last one. */
static void
byte_by_byte(const struct variant *v)
{
	bool (*readable)(int, int) = ways[v->n - 1];
	struct keys k;
	size_t len;
	int fd[2];

	pair(fd, v, &k);
	for (size_t size = 0; size <= 40; size += 8) {
		len = build_plain(&k, TLS_RLTYPE_APP, data, size, wire);
		for (size_t at = 0; at < len; at++) {
			check(!readable(fd[0], 0));
			write_all(fd[1], wire + at, 1);
		}
		check(readable(fd[0], 1000));
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, size);
		check(!readable(fd[0], 0));
	}
}

/* Two records, the second one in pieces: readable for the first, and not for the rest. */
static void
record_and_a_half(const struct variant *v)
{
	bool (*readable)(int, int) = ways[v->n - 1];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t cut = 1; cut <= 60; cut += 4) {
		size_t one = build_plain(&k, TLS_RLTYPE_APP, data, 100, wire);
		size_t two = build_plain(&k, TLS_RLTYPE_APP, data, 50, wire + one);
		size_t part = cut < two ? cut : two - 1;
		write_all(fd[1], wire, one + part);
		check(readable(fd[0], 1000));
		check_eq(read(fd[0], buf, 60), 60);
		check(readable(fd[0], 1000));
		check_eq(read(fd[0], buf, 60), 40);
		check(!readable(fd[0], 2));
		write_all(fd[1], wire + one + part, two - part);
		check(readable(fd[0], 1000));
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 50);
	}
}

/* What has been read in part, and what is there but empty, is readable. */
static void
rest_is_readable(const struct variant *v)
{
	bool (*readable)(int, int) = ways[v->n - 1];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 3);
	for (int i = 0; i < 3; i++) {
		check(readable(fd[0], 1000));
		check_eq(read(fd[0], buf, 1), 1);
	}
	check(!readable(fd[0], 0));
	send_record(fd[1], &k, TLS_RLTYPE_APP, NULL, 0);
	check(readable(fd[0], 1000));
	check_eq(read(fd[0], buf, 1), 0);
	check(!readable(fd[0], 0));
	must(shutdown(fd[1], SHUT_WR));
	check(readable(fd[0], 1000));
	check_eq(read(fd[0], buf, 1), 0);
	check(readable(fd[0], 1000));
}

/* SO_RCVLOWAT reads as it was set, and delays no record. */
static void
low_water_mark(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	set_int(fd[0], SOL_SOCKET, SO_RCVLOWAT, 500);
	enable_rx(fd[0], v->suite, &k);
	check_eq(get_int(fd[0], SOL_SOCKET, SO_RCVLOWAT), 500);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10);
	check(by_poll(fd[0], 1000));
	check_eq(read(fd[0], buf, 100), 10);
	set_int(fd[0], SOL_SOCKET, SO_RCVLOWAT, 1000);
	check_eq(get_int(fd[0], SOL_SOCKET, SO_RCVLOWAT), 1000);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10);
	check(by_epoll(fd[0], 1000));
	check_eq(read(fd[0], buf, 100), 10);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 1);
	check_eq(read(fd[0], buf, 2000), 1);
}

struct writer {
	int fd;
	size_t len, step;
};

static void *
write_slowly(void *arg)
{
	struct writer *w = arg;

	for (size_t at = 0; at < w->len; at += w->step) {
		size_t n = w->len - at < w->step ? w->len - at : w->step;
		write_all(w->fd, wire + at, n);
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	}
	return NULL;
}

/* A waiter sleeps through the pieces and is woken by the last one. */
static void
woken_by_the_last_piece(const struct variant *v)
{
	bool (*readable)(int, int) = ways[v->n - 1];
	pthread_t thread;
	struct writer w;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	set_nonblocking(fd[0], true);
	for (int i = 0; i < 4; i++) {
		size_t size = 10 + random_below(FULL - 10);
		w.fd = fd[1];
		w.len = build_plain(&k, TLS_RLTYPE_APP, data, size, wire);
		w.step = w.len / 9 + 1;
		check_eq(pthread_create(&thread, NULL, write_slowly, &w), 0);
		check(readable(fd[0], 999));
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, size);
		pthread_join(thread, NULL);
	}
}

/* Edge-triggered: an event for each record that comes to an empty socket, and none else.
 */
static void
edge_triggered(const struct variant *v)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET}, got;
	int ep = (int)must(epoll_create1(0)), fd[2];
	struct keys k;

	pair(fd, v, &k);
	set_nonblocking(fd[0], true);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &event));
	check_eq(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 10; i++) {
		size_t len = build_plain(&k, TLS_RLTYPE_APP, data, 200, wire);
		size_t cut = 1 + random_below((uint32_t)len - 1);
		write_all(fd[1], wire, cut);
		check_eq(epoll_wait(ep, &got, 1, 2), 0);
		write_all(fd[1], wire + cut, len - cut);
		check_eq(epoll_wait(ep, &got, 1, 1000), 1);
		check_eq(read(fd[0], buf, sizeof(buf)), 200);
		check_errno(read(fd[0], buf, sizeof(buf)), EAGAIN);
	}
}

/* Both kinds of readiness in one call: a record's beginning hides only its own. */
static void
writable_meanwhile(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	size_t len = build_plain(&k, TLS_RLTYPE_APP, data, 100, wire);
	write_all(fd[1], wire, len - 1);
	for (int i = 0; i < 3; i++)
		check_eq(poll_for(fd[0], POLLIN | POLLOUT, 1000), POLLOUT);
	write_all(fd[1], wire + len - 1, 1);
	check_eq(poll_for(fd[0], POLLIN, 1000), POLLIN);
	check_eq(poll_for(fd[0], POLLIN | POLLOUT, 1000), POLLIN | POLLOUT);
	check_eq(read(fd[0], buf, 200), 100);
}

/* A timeout is not stretched, nor cut short, by beginnings of records. */
static void
timeout_holds(const struct variant *v)
{
	bool (*readable)(int, int) = ways[v->n - 1];
	struct timespec start, end;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	build_plain(&k, TLS_RLTYPE_APP, data, 1000, wire);
	write_all(fd[1], wire, 30);
	clock_gettime(CLOCK_MONOTONIC, &start);
	check(!readable(fd[0], 60));
	clock_gettime(CLOCK_MONOTONIC, &end);
	long ms = (end.tv_sec - start.tv_sec) * 1000 +
		  (end.tv_nsec - start.tv_nsec) / 1000000;
	check(ms >= 59);
	check(ms < 2000);
}

const struct scenario ready_scenarios[] = {
	{"ready", "byte_by_byte", G_RX, WAYS, byte_by_byte},
	{"ready", "record_and_a_half", G_RX, WAYS, record_and_a_half},
	{"ready", "rest_is_readable", G_FEW, WAYS, rest_is_readable},
	{"ready", "low_water_mark", G_RX, 0, low_water_mark},
	{"ready", "woken_by_the_last_piece", G_FEW, WAYS, woken_by_the_last_piece},
	{"ready", "edge_triggered", G_RX, 0, edge_triggered},
	{"ready", "writable_meanwhile", G_RX, 0, writable_meanwhile},
	{"ready", "timeout_holds", G_ONE, WAYS, timeout_holds},
	{0},
};
