/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_error.c: what a receiver is told of bad records and ends, how often, and what the
 * socket is good for afterwards.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static uint8_t data[FULL], buf[FULL + 512];

/* Builds a record and spoils it. */
struct spoiler {
	const char *name;
	unsigned groups;
	int error;
	void (*spoil)(struct keys *k, uint8_t *wire, size_t *len);
};

static void
set_length(uint8_t *wire, size_t length)
{
	wire[3] = (uint8_t)(length >> 8);
	wire[4] = (uint8_t)length;
}

static void
spoil_data(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)len;
	wire[k->o.row->hlen + 1] ^= 0x80;
}

static void
spoil_end(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	wire[*len - 1] ^= 1;
}

static void
spoil_type(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	(void)len;
	wire[0] ^= 2; /* authenticated, but not looked at */
}

/* As if the record before had been sent twice. */
static void
spoil_sequence(struct keys *k, uint8_t *wire, size_t *len)
{
	k->seq -= 2;
	*len = build_plain(k, TLS_RLTYPE_APP, data, 64, wire);
}

static void
spoil_short(struct keys *k, uint8_t *wire, size_t *len)
{
	size_t length = (size_t)k->o.row->smallest - 1;

	if (is_cbc(k))
		length = (size_t)k->o.row->smallest - 16;
	set_length(wire, length);
	*len = 5 + length;
}

static void
spoil_blocks(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	set_length(wire, *len - 5 + 1);
	wire[(*len)++] = 0;
}

static void
spoil_mac(struct keys *k, uint8_t *wire, size_t *len)
{
	struct oracle_record r = {
		.type = TLS_RLTYPE_APP, .payload = data, .len = 64, .bad_mac = true};

	k->seq--;
	*len = build(k, &r, wire);
}

static void
spoil_padding(struct keys *k, uint8_t *wire, size_t *len)
{
	struct oracle_record r = {.type = TLS_RLTYPE_APP,
				  .payload = data,
				  .len = 64,
				  .padding = 32,
				  .bad_padding = 1 + random_below(32)};

	k->seq--;
	*len = build(k, &r, wire);
}

static void
spoil_no_type(struct keys *k, uint8_t *wire, size_t *len)
{
	struct oracle_record r = {.type = TLS_RLTYPE_APP,
				  .payload = data,
				  .len = 0,
				  .padding = random_below(100) + 1,
				  .no_type = true};

	k->seq--;
	*len = build(k, &r, wire);
}

static const struct spoiler skipped[] = {
	{"data", G_RX, EBADMSG, spoil_data},
	{"end", G_RX, EBADMSG, spoil_end},
	{"type", G_EXPLICIT | G_CC12, EBADMSG, spoil_type},
	{"sequence", G_RX, EBADMSG, spoil_sequence},
	{"short", G_RX, EMSGSIZE, spoil_short},
	{"blocks", G_CBC, EMSGSIZE, spoil_blocks},
	{"mac", G_CBC, EBADMSG, spoil_mac},
	{"padding", G_CBC, EBADMSG, spoil_padding},
	{"no_type", G_T13, EBADMSG, spoil_no_type},
};

enum {
	SKIPPED_KINDS = sizeof(skipped) / sizeof(skipped[0]),
};

static void
spoil_major(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	(void)len;
	wire[1] ^= 1;
}

static void
spoil_minor(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	(void)len;
	wire[2] ^= 1;
}

static void
spoil_outer_type(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)k;
	(void)len;
	wire[0] = 20; /* ChangeCipherSpec: too late */
}

static void
spoil_long(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)len;
	set_length(wire, (size_t)k->o.row->largest + 1);
}

static void
spoil_no_explicit(struct keys *k, uint8_t *wire, size_t *len)
{
	(void)len;
	set_length(wire, (size_t)k->o.row->hlen - 5 - 1);
}

static const struct spoiler fatal[] = {
	{"major", G_RX, EINVAL, spoil_major},
	{"minor", G_RX, EINVAL, spoil_minor},
	{"outer_type", G_T13, EINVAL, spoil_outer_type},
	{"long", G_RX, EMSGSIZE, spoil_long},
	{"no_explicit", G_EXPLICIT, EMSGSIZE, spoil_no_explicit},
};

enum {
	FATAL_KINDS = sizeof(fatal) / sizeof(fatal[0]),
};

/* Not every kind of error exists in every suite. */
static bool
applies(const struct spoiler *s, const struct variant *v)
{
	return (s->groups & v->suite->groups) != 0;
}

/* A record that is bad in that way, taking one sequence number. */
static size_t
build_bad(const struct spoiler *s, struct keys *k, uint8_t *wire)
{
	uint64_t seq = k->seq;
	size_t len = build_plain(k, TLS_RLTYPE_APP, data, 64, wire);

	s->spoil(k, wire, &len);
	k->seq = seq + 1;
	return len;
}

static void
pair(int fd[2], const struct variant *v, struct keys *k)
{
	rx_pair(fd, v->suite, k);
	random_bytes(data, sizeof(data));
}

/* One bad record among good ones: theirs before it, its error, theirs behind it. */
static void
bad_record_skipped(const struct variant *v, const struct spoiler *s, bool at_once)
{
	static uint8_t wire[4 * WIRE_MAX];
	struct keys k;
	size_t len = 0;
	int fd[2];

	pair(fd, v, &k);
	len += build_plain(&k, TLS_RLTYPE_APP, data, 100, wire + len);
	if (!at_once) {
		write_all(fd[1], wire, len);
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 100);
		len = 0;
	}
	len += build_bad(s, &k, wire + len);
	len += build_plain(&k, TLS_RLTYPE_HANDSHAKE, data, 50, wire + len);
	len += build_bad(s, &k, wire + len);
	write_all(fd[1], wire, len);
	if (at_once)
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 100);
	check_errno(read(fd[0], buf, sizeof(buf)), s->error);
	expect_received(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data, 50);
	check_eq(poll_for(fd[0], POLLIN, 1000) & POLLIN, POLLIN);
	check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), s->error);
	/* Once; and the connection stays. */
	check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), EAGAIN);
	check_eq(get_int(fd[0], SOL_SOCKET, SO_ERROR), 0);
	check_eq(poll_for(fd[0], POLLIN, 0), 0);
	check_eq(write(fd[0], "alive", 5), 5);
	read_all(fd[1], buf, 5);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 70);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 70);
	must(shutdown(fd[1], SHUT_WR));
	check_eq(read(fd[0], buf, sizeof(buf)), 0);
}

static void
skips(const struct variant *v)
{
	for (int i = 0; i < SKIPPED_KINDS; i++)
		if (applies(&skipped[i], v)) {
			bad_record_skipped(v, &skipped[i], false);
			bad_record_skipped(v, &skipped[i], true);
		}
}

/* Good records before a bad header are delivered; the rest of the stream is not. Then the
 * error, once, then the end; the peer is reset. */
static void
bad_header(const struct variant *v, const struct spoiler *s, bool good_before)
{
	static uint8_t wire[3 * WIRE_MAX];
	struct keys k;
	size_t len = 0;
	int fd[2], one = 1;

	pair(fd, v, &k);
	if (good_before)
		len += build_plain(&k, TLS_RLTYPE_APP, data, 100, wire + len);
	size_t bad = len;
	len += build_bad(s, &k, wire + len);
	memset(wire + len, 0, (size_t)FULL * 2);
	write_all(fd[1], wire, len + (s->spoil == spoil_long ? (size_t)FULL + 300 : 0));
	if (bad > 0)
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 100);
	check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
	check_errno(read(fd[0], buf, sizeof(buf)), s->error);
	for (int i = 0; i < 3; i++) {
		check_eq(read(fd[0], buf, sizeof(buf)), 0);
		check_eq(recv(fd[0], buf, 10, MSG_DONTWAIT), 0);
		check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
		check_errno(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	}
	check_eq(get_int(fd[0], SOL_SOCKET, SO_ERROR), 0);
	check_errno(enable(fd[0], TCP_TXTLS_ENABLE, &k), ECONNRESET);
	check_errno(setsockopt(fd[0], IPPROTO_TCP, TCP_TXTLS_MODE, &one, sizeof(one)),
		    ECONNRESET);
	check(shutdown(fd[0], SHUT_RDWR) == -1 &&
	      (errno == ENOTCONN || errno == ECONNRESET));
	check((poll_for(fd[1], POLLIN, 1000) & POLLIN) != 0);
	check_errno(read(fd[1], buf, 10), ECONNRESET);
	must(close(fd[0]));
	must(close(fd[1]));
}

static void
drops(const struct variant *v)
{
	for (int i = 0; i < FATAL_KINDS; i++)
		if (applies(&fatal[i], v)) {
			bad_header(v, &fatal[i], false);
			bad_header(v, &fatal[i], true);
		}
}

/* SIGPIPE comes with EPIPE after a drop as after any other end. */
static volatile sig_atomic_t pipes;

static void
count_pipe(int signal_number)
{
	(void)signal_number;
	pipes++;
}

static void
pipe_after_drop(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys tx, rx;
	int fd[2];

	tcp_pair(fd);
	enable_tx(fd[0], v->suite, &tx);
	enable_rx(fd[0], v->suite, &rx);
	signal(SIGPIPE, count_pipe);
	write_all(fd[1], wire, build_bad(&fatal[0], &rx, wire));
	check_errno(read(fd[0], buf, 10), EINVAL);
	check_errno(write(fd[0], "x", 1), EPIPE);
	check_eq(pipes, 1);
	check_errno(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	check_eq(pipes, 1);
}

/* The end of the stream inside a record: after any number of its bytes. */
static void
truncated_after(const struct variant *v, size_t bytes, bool good_before)
{
	static uint8_t wire[2 * WIRE_MAX];
	struct keys k;
	size_t len = 0;
	int fd[2];

	pair(fd, v, &k);
	if (good_before)
		len = build_plain(&k, TLS_RLTYPE_APP, data, 100, wire);
	build_plain(&k, TLS_RLTYPE_APP, data, 64, wire + len);
	write_all(fd[1], wire, len + bytes);
	must(shutdown(fd[1], SHUT_WR));
	if (good_before)
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 100);
	check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
	check_errno(read(fd[0], buf, sizeof(buf)), EMSGSIZE);
	for (int i = 0; i < 3; i++) {
		check_eq(read(fd[0], buf, sizeof(buf)), 0);
		check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
	}
	/* Half closed, as usual. */
	check_eq(write(fd[0], "half", 4), 4);
	read_all(fd[1], buf, 4);
	check_bytes(buf, "half", 4);
	must(close(fd[0]));
	must(close(fd[1]));
}

static void
truncated(const struct variant *v)
{
	static const size_t cuts[] = {1, 2, 4, 5, 6, 13, 21, 40};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		truncated_after(v, cuts[i], false);
		truncated_after(v, cuts[i], true);
	}
}

/* FIN at a record's end: what was sent, then 0 for ever. */
static void
clean_end(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 100);
	send_record(fd[1], &k, TLS_RLTYPE_ALERT, "\1\0", 2);
	must(shutdown(fd[1], SHUT_WR));
	check_eq(read(fd[0], buf, 60), 60);
	check_eq(read(fd[0], buf, 60), 40);
	expect_received(fd[0], &k, TLS_RLTYPE_ALERT, "\1\0", 2);
	for (int i = 0; i < 3; i++) {
		struct received r;
		check_eq(receive(fd[0], buf, 10, 0, &r), 0);
		check(!r.has_header);
		check_eq(r.flags, 0);
		check_eq(read(fd[0], buf, 10), 0);
		check_eq(get_int(fd[0], SOL_SOCKET, SO_ERROR), 0);
	}
}

/* A pending error is one for all who ask: SO_ERROR or a send takes it as well. */
static void
error_by_so_error(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	write_all(fd[1], wire, build_bad(&skipped[0], &k, wire));
	check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
	check_eq(get_int(fd[0], SOL_SOCKET, SO_ERROR), EBADMSG);
	check_eq(get_int(fd[0], SOL_SOCKET, SO_ERROR), 0);
	check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), EAGAIN);
	check_eq(poll_for(fd[0], POLLIN, 0), 0);
}

static void
error_by_send(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys tx, rx;
	int fd[2];

	tcp_pair(fd);
	enable_tx(fd[0], v->suite, &tx);
	enable_rx(fd[0], v->suite, &rx);
	write_all(fd[1], wire, build_bad(&skipped[0], &rx, wire));
	check_errno(recv(fd[0], buf, 1, MSG_PEEK), EBADMSG);
	check_errno(write(fd[0], "x", 1), EBADMSG);
	check_eq(write(fd[0], "x", 1), 1);
	expect_record(fd[1], &tx, TLS_RLTYPE_APP, "x", 1);
	check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), EAGAIN);
}

/* MSG_PEEK tells of an error and leaves it for the call that takes it. */
static void
error_by_peek(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	write_all(fd[1], wire, build_bad(&skipped[0], &k, wire));
	for (int i = 0; i < 3; i++)
		check_errno(recv(fd[0], buf, 10, MSG_PEEK), EBADMSG);
	check_errno(recv(fd[0], buf, 10, 0), EBADMSG);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 10);
}

/* Nothing of a record that does not authenticate reaches the caller's memory. */
static void
no_plaintext_of_bad_record(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	size_t len = build_plain(&k, TLS_RLTYPE_APP, data, FULL, wire);
	wire[len - 1] ^= 1;
	write_all(fd[1], wire, len);
	memset(buf, 0x5a, sizeof(buf));
	check_errno(read(fd[0], buf, sizeof(buf)), EBADMSG);
	check(memcmp(buf, data, 16) != 0);
	check(memmem(buf, sizeof(buf), data + 1000, 16) == NULL);
}

/* TLS 1.3 content and zeros longer than a record, and CBC with a full record and more
 * than one block of padding: FreeBSD refuses both. */
static void
too_much_padding(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct oracle_record r = {
		.type = TLS_RLTYPE_APP, .payload = data, .len = FULL, .padding = 16};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	write_all(fd[1], wire, build(&k, &r, wire));
	check_errno(read(fd[0], buf, sizeof(buf)), EMSGSIZE);
	check_eq(read(fd[0], buf, sizeof(buf)), 0);
}

static void
reset(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10);
	poll_for(fd[0], POLLIN, -1);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 10);
	close_hard(fd[1]);
	check((poll_for(fd[0], POLLIN, 1000) & POLLIN) != 0);
	check_errno(read(fd[0], buf, 10), ECONNRESET);
	check_eq(read(fd[0], buf, 10), 0);
	check_errno(send(fd[0], "x", 1, 0), EPIPE);
}

const struct scenario rx_error_scenarios[] = {
	{"rx_error", "skips", G_RX, 0, skips},
	{"rx_error", "drops", G_RX, 0, drops},
	{"rx_error", "pipe_after_drop", G_FEW, 0, pipe_after_drop},
	{"rx_error", "truncated", G_RX, 0, truncated},
	{"rx_error", "clean_end", G_RX, 0, clean_end},
	{"rx_error", "error_by_so_error", G_FEW, 0, error_by_so_error},
	{"rx_error", "error_by_send", G_FEW, 0, error_by_send},
	{"rx_error", "error_by_peek", G_RX, 0, error_by_peek},
	{"rx_error", "no_plaintext_of_bad_record", G_RX, 0, no_plaintext_of_bad_record},
	{"rx_error", "too_much_padding", G_CBC | G_T13, 0, too_much_padding},
	{"rx_error", "reset", G_RX, 0, reset},
	{0},
};
