/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalogue_transmit.c: what FreeBSD's own tests ask of a sender, case by case.
 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

enum {
	LONG = 64 * 1024,
	ALERT = 0x21, /* the suite's name for it */
};

static void
pair(int fd[2], const struct variant *v, struct keys *k)
{
	tx_pair(fd, v->suite, k);
	set_nonblocking(fd[0], true);
	set_nonblocking(fd[1], true);
}

static void
transmit_short(const struct variant *v)
{
	uint8_t data[64];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	random_bytes(data, sizeof(data));
	check_eq(write(fd[1], data, sizeof(data)), sizeof(data));
	expect_record(fd[0], &k, TLS_RLTYPE_APP, data, sizeof(data));
	must(close(fd[1]));
	must(close(fd[0]));
}

/* The reader's side of the event loop: header and body as they come. */
struct reading {
	struct wire_record r;
	size_t have, done;
};

static void
read_some(int fd, struct keys *k, struct reading *rd, const uint8_t *data)
{
	struct wire_record *r = &rd->r;
	size_t want = rd->have < 5 ? 5 : 5u + (size_t)(r->wire[3] << 8 | r->wire[4]);

	check(want <= sizeof(r->wire));
	ssize_t n = read(fd, r->wire + rd->have, want - rd->have);
	if (n < 0 && errno == EAGAIN)
		return;
	check(n > 0);
	rd->have += (size_t)n;
	if (rd->have < want || rd->have == 5)
		return;
	r->wire_len = rd->have;
	open_record(k, r);
	check_eq(r->opened.type, TLS_RLTYPE_APP);
	check_eq(r->wire[0], TLS_RLTYPE_APP);
	check(rd->done + r->len <= LONG);
	check_bytes(r->opened.payload, data + rd->done, r->len);
	rd->done += r->len;
	rd->have = 0;
}

static void
transmit_long(const struct variant *v)
{
	static uint8_t data[LONG];
	static struct reading rd;
	struct keys k;
	size_t written = 0;
	int fd[2];

	pair(fd, v, &k);
	random_bytes(data, sizeof(data));
	while (rd.done < LONG) {
		struct pollfd p[2] = {{.fd = fd[0], .events = POLLIN},
				      {.fd = fd[1], .events = POLLOUT}};
		must(poll(p, written < LONG ? 2 : 1, -1));
		check_eq(p[0].revents & ~POLLIN, 0);
		if (p[0].revents != 0)
			read_some(fd[0], &k, &rd, data);
		if (p[1].revents != 0) {
			check_eq(p[1].revents, POLLOUT);
			ssize_t n = write(fd[1], data + written, LONG - written);
			check(n > 0);
			written += (size_t)n;
		}
	}
	check_eq(rd.have, 0);
	check_silent(fd[0]);
}

static void
transmit_control_of(const struct variant *v, size_t len)
{
	uint8_t data[32];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	set_nonblocking(fd[1], false);
	random_bytes(data, len);
	check_eq(send_typed(fd[1], ALERT, data, len, 0), len);
	expect_record(fd[0], &k, ALERT, data, len);
	check_silent(fd[0]);
}

static void
transmit_control(const struct variant *v)
{
	transmit_control_of(v, 32);
}

static void
transmit_padding(const struct variant *v)
{
	transmit_control_of(v, (size_t)v->n);
}

static void
transmit_empty_fragment(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	if ((v->suite->groups & G_CBC10) == 0) {
		check_errno(write(fd[1], NULL, 0), EINVAL);
		check_silent(fd[0]);
		return;
	}
	check_eq(write(fd[1], NULL, 0), 0);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, NULL, 0);
}

static void
transmit_invalid(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	check_errno(enable(fd[1], TCP_TXTLS_ENABLE, &k), EINVAL);
}

const struct scenario catalogue_transmit[] = {
	{"ktls_transmit", "short", G_TX, 0, transmit_short},
	{"ktls_transmit", "long", G_TX, 0, transmit_long},
	{"ktls_transmit", "control", G_TX, 0, transmit_control},
	{"ktls_transmit", "padding", G_CBC10 | G_CBC, 16, transmit_padding},
	{"ktls_transmit", "empty_fragment", G_TX, 0, transmit_empty_fragment},
	{"ktls_transmit_invalid", NULL, G_INVALID, 0, transmit_invalid},
	{0},
};
