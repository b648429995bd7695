/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalogue_receive.c: what FreeBSD's own tests ask of a receiver, case by case.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

enum {
	LONG = 64 * 1024,
	LONG_WIRE = 8 * WIRE_MAX,
	OVERSIZED = 32768,
};

static void
pair(int fd[2], const struct variant *v, struct keys *k)
{
	rx_pair(fd, v->suite, k);
	set_nonblocking(fd[0], true);
	set_nonblocking(fd[1], true);
}

/* A readable event: it must be one whole record, all of `left` asked for. */
static size_t
receive_event(int fd, const struct keys *k, uint8_t *out, size_t left)
{
	struct received r;

	check(receive(fd, out, left, 0, &r) > 0);
	check((r.flags & MSG_EOR) != 0);
	check_header(&r, k, TLS_RLTYPE_APP, (size_t)r.n);
	return (size_t)r.n;
}

/* Writes `wire` in pieces, waits for events on both ends, and compares. */
static void
event_loop(int fd[2], const struct keys *k, const uint8_t *wire, size_t wire_len,
	   const uint8_t *data, size_t len)
{
	static uint8_t out[LONG];
	size_t written = 0, have = 0;

	while (have < len) {
		struct pollfd p[2] = {{.fd = fd[0], .events = POLLIN},
				      {.fd = fd[1], .events = POLLOUT}};
		must(poll(p, written < wire_len ? 2 : 1, -1));
		check_eq(p[0].revents & ~POLLIN, 0);
		if (p[0].revents != 0)
			have += receive_event(fd[0], k, out + have, len - have);
		if (p[1].revents != 0) {
			size_t piece = 1 + random_below(random_below(2) ? 8000 : 24);
			if (piece > wire_len - written)
				piece = wire_len - written;
			ssize_t n = write(fd[1], wire + written, piece);
			check(n > 0);
			written += (size_t)n;
		}
	}
	check_eq(written, wire_len);
	check_bytes(out, data, len);
	check_eq(poll_for(fd[0], POLLIN, 0), 0);
}

/* `len` bytes in records of at most `cut`, each with that much more padding. */
static void
receive_data(const struct variant *v, size_t len, size_t cut, size_t padding)
{
	static uint8_t data[LONG], wire[LONG_WIRE];
	struct keys k;
	size_t wire_len = 0;
	int fd[2];

	pair(fd, v, &k);
	random_bytes(data, len);
	for (size_t at = 0; at < len; at += cut) {
		struct oracle_record r = {.type = TLS_RLTYPE_APP,
					  .payload = data + at,
					  .len = len - at < cut ? len - at : cut,
					  .padding = padding};
		check(wire_len + WIRE_MAX <= sizeof(wire));
		wire_len += build(&k, &r, wire + wire_len);
	}
	event_loop(fd, &k, wire, wire_len, data, len);
}

static void
receive_short(const struct variant *v)
{
	receive_data(v, 64, FULL, 0);
}

static void
receive_long(const struct variant *v)
{
	receive_data(v, LONG, FULL, 0);
}

static void
receive_short_padded(const struct variant *v)
{
	receive_data(v, 64, FULL, 16);
}

static void
receive_long_padded(const struct variant *v)
{
	receive_data(v, LONG, FULL - 15, 15);
}

static void
receive_padding(const struct variant *v)
{
	receive_data(v, (size_t)v->n, FULL, 0);
}

static void
receive_padding_16_extra(const struct variant *v)
{
	receive_data(v, 16, FULL, 16);
}

static void
receive_padding_32_extra(const struct variant *v)
{
	receive_data(v, 16, FULL, 32);
}

/* How a record is spoilt. */
struct spoilt {
	int fd[2];
	struct keys k;
	uint8_t wire[5 + OVERSIZED];
	size_t len;
};

static void
spoilt_make(struct spoilt *s, const struct variant *v)
{
	uint8_t data[64];

	pair(s->fd, v, &s->k);
	random_bytes(data, sizeof(data));
	s->len = build_plain(&s->k, TLS_RLTYPE_APP, data, sizeof(data), s->wire);
}

static void
spoilt_send(struct spoilt *s, int error)
{
	uint8_t buf[64];
	struct received r;

	write_all(s->fd[1], s->wire, s->len);
	set_nonblocking(s->fd[0], false);
	check_errno(receive(s->fd[0], buf, sizeof(buf), 0, &r), error);
	close(s->fd[0]);
	close(s->fd[1]);
}

/* A record of zeros with this length field, then FIN. */
static void
spoilt_size(const struct variant *v, size_t length)
{
	static struct spoilt s;
	uint8_t buf[64];
	struct received r;

	pair(s.fd, v, &s.k);
	s.wire[0] = TLS_RLTYPE_APP;
	s.wire[1] = TLS_MAJOR_VER_ONE;
	s.wire[2] = (uint8_t)wire_minor(&s.k);
	s.wire[3] = (uint8_t)(length >> 8);
	s.wire[4] = (uint8_t)length;
	write_all(s.fd[1], s.wire, 5 + length);
	if (shutdown(s.fd[1], SHUT_WR) < 0)
		check(errno == ENOTCONN || errno == ECONNRESET);
	set_nonblocking(s.fd[0], false);
	check_errno(receive(s.fd[0], buf, sizeof(buf), 0, &r), EMSGSIZE);
}

static void
receive_bad_data(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[s.k.o.row->hlen] ^= 1;
	spoilt_send(&s, EBADMSG);
}

static void
receive_bad_mac(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[is_cbc(&s.k) ? (size_t)s.k.o.row->hlen + 64 : s.len - 16] ^= 1;
	spoilt_send(&s, EBADMSG);
}

static void
receive_truncated(const struct variant *v)
{
	static struct spoilt s;
	uint8_t buf[64];
	struct received r;

	spoilt_make(&s, v);
	write_all(s.fd[1], s.wire, s.len / 2);
	must(shutdown(s.fd[1], SHUT_WR));
	set_nonblocking(s.fd[0], false);
	check_errno(receive(s.fd[0], buf, sizeof(buf), 0, &r), EMSGSIZE);
}

static void
receive_bad_major(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[1]++;
	spoilt_send(&s, EINVAL);
}

static void
receive_bad_minor(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[2]++;
	spoilt_send(&s, EINVAL);
}

static void
receive_bad_type(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[0] = TLS_RLTYPE_APP + 1;
	spoilt_send(&s, EINVAL);
}

static void
receive_bad_iv(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[5] ^= 1;
	spoilt_send(&s, EBADMSG);
}

static void
receive_bad_padding(const struct variant *v)
{
	static struct spoilt s;

	spoilt_make(&s, v);
	s.wire[s.len - 1] ^= 1;
	spoilt_send(&s, EBADMSG);
}

static const struct oracle_row *
row_of(const struct variant *v)
{
	return oracle_find(v->suite->row, v->suite->row_minor);
}

static void
receive_small_record(const struct variant *v)
{
	spoilt_size(v, (size_t)row_of(v)->smallest - 1);
}

static void
receive_oversized(const struct variant *v)
{
	spoilt_size(v, OVERSIZED);
}

static void
receive_non_block_size(const struct variant *v)
{
	spoilt_size(v, (size_t)row_of(v)->smallest + 1);
}

static void
receive_short_header(const struct variant *v)
{
	spoilt_size(v, 6);
}

static void
receive_refused(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	check_errno(enable(fd[1], TCP_RXTLS_ENABLE, &k),
		    (v->suite->groups & G_INVALID) != 0 ? EINVAL : EPROTONOSUPPORT);
}

const struct scenario catalogue_receive[] = {
	{"ktls_receive", "short", G_RX, 0, receive_short},
	{"ktls_receive", "long", G_RX, 0, receive_long},
	{"ktls_receive", "bad_data", G_RX, 0, receive_bad_data},
	{"ktls_receive", "bad_mac", G_RX, 0, receive_bad_mac},
	{"ktls_receive", "truncated_record", G_RX, 0, receive_truncated},
	{"ktls_receive", "bad_major", G_RX, 0, receive_bad_major},
	{"ktls_receive", "bad_minor", G_RX, 0, receive_bad_minor},
	{"ktls_receive", "small_record", G_RX, 0, receive_small_record},
	{"ktls_receive", "oversized_record", G_RX, 0, receive_oversized},
	{"ktls_receive", "padding", G_CBC, 16, receive_padding},
	{"ktls_receive", "padding_16_extra", G_CBC, 0, receive_padding_16_extra},
	{"ktls_receive", "padding_32_extra", G_CBC, 0, receive_padding_32_extra},
	{"ktls_receive", "bad_padding", G_CBC, 0, receive_bad_padding},
	{"ktls_receive", "non_block_size", G_CBC, 0, receive_non_block_size},
	{"ktls_receive", "bad_iv", G_EXPLICIT, 0, receive_bad_iv},
	{"ktls_receive", "short_header", G_EXPLICIT, 0, receive_short_header},
	{"ktls_receive", "short_padded", G_T13, 0, receive_short_padded},
	{"ktls_receive", "long_padded", G_T13, 0, receive_long_padded},
	{"ktls_receive", "bad_type", G_T13, 0, receive_bad_type},
	{"ktls_receive_invalid", NULL, G_INVALID, 0, receive_refused},
	{"ktls_receive_unsupported", NULL, G_CBC10, 0, receive_refused},
	{0},
};
