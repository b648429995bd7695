/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enable.c: TCP_TXTLS_ENABLE and TCP_RXTLS_ENABLE: which sockets and parameters they
 * take.
 */
#include <unistd.h>

#include "check.h"
#include "enable_call.h"

/* A refused call leaves the socket as it was: in the clear, and free to be enabled. */
static void
refused_call_changes_nothing(const struct variant *v)
{
	static const int options[] = {TCP_TXTLS_ENABLE, TCP_RXTLS_ENABLE};
	char buf[4];

	for (int i = 0; i < 2; i++) {
		struct call c;
		call_make(&c, options[i], v->suite);
		c.en.flags = 1;
		check_errno(call(&c), EINVAL);
		check_eq(write(c.fd[1], "out", 3), 3);
		read_all(c.fd[0], buf, 3);
		check_bytes(buf, "out", 3);
		check_eq(write(c.fd[0], "in", 2), 2);
		read_all(c.fd[1], buf, 2);
		check_bytes(buf, "in", 2);
		check_eq(get_int(c.fd[1], IPPROTO_TCP, options[i] + 1), 0);
		c.en.flags = 0;
		must(call(&c));
		check_eq(get_int(c.fd[1], IPPROTO_TCP, options[i] + 1), TCP_TLS_MODE_SW);
		call_close(&c);
	}
}

/* GMAC as the authentication of GCM: programs of FreeBSD 12. */
static void
gmac(const struct variant *v)
{
	for (int id = CRYPTO_AES_128_NIST_GMAC; id <= CRYPTO_AES_256_NIST_GMAC; id++) {
		struct call c;
		call_make(&c, TCP_TXTLS_ENABLE, v->suite);
		c.en.auth_algorithm = id;
		must(call(&c));
		c.option = TCP_RXTLS_ENABLE;
		must(call(&c));
		check_eq(write(c.sock, "gmac", 4), 4);
		expect_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "gmac", 4);
		call_close(&c);
	}
}

/* CBC's iv may have any length from TLS 1.1 on, and its MAC key from 1 to 1024 bytes. */
static void
cbc_odd_lengths(const struct variant *v)
{
	static const size_t lengths[] = {1, 19, 64, 65, 127, 128, 129, 1024};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct call c;
		call_make(&c, TCP_TXTLS_ENABLE, v->suite);
		c.k.o.mac_key_len = lengths[i];
		random_bytes(c.k.o.mac_key, lengths[i]);
		c.k.iv_len = v->suite->minor == TLS_MINOR_VER_ZERO ? 16 : (int)i;
		keys_enable(&c.k, &c.en);
		must(call(&c));
		check_eq(write(c.sock, "mac key", 7), 7);
		expect_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "mac key", 7);
		call_close(&c);
	}
}

/* The structure of before FreeBSD 13: no rec_seq, so it is 0, whatever lies there. */
static void
v0_tx(const struct variant *v)
{
	struct call c;

	call_make(&c, TCP_TXTLS_ENABLE, v->suite);
	c.len = sizeof(struct tls_enable_v0);
	must(call(&c));
	c.k.seq = 0;
	check_eq(write(c.sock, "v0", 2), 2);
	expect_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "v0", 2);
}

static void
v0_rx(const struct variant *v)
{
	struct call c;

	call_make(&c, TCP_RXTLS_ENABLE, v->suite);
	c.len = sizeof(struct tls_enable_v0);
	must(call(&c));
	c.k.seq = 0;
	send_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "v0", 2);
	expect_received(c.sock, &c.k, TLS_RLTYPE_APP, "v0", 2);
}

/* No rekey: not even with the same keys, and never one direction for the other. */
static void
already(const struct variant *v)
{
	struct call c;

	call_make(&c, TCP_TXTLS_ENABLE, v->suite);
	must(call(&c));
	check_errno(call(&c), EALREADY);
	c.option = TCP_RXTLS_ENABLE;
	must(call(&c));
	check_errno(call(&c), EALREADY);
	keys_make(&c.k, v->suite);
	keys_enable(&c.k, &c.en);
	check_errno(call(&c), EALREADY);
	c.option = TCP_TXTLS_ENABLE;
	check_errno(call(&c), EALREADY);
}

static int
enable_on(int domain, int type, const struct keys *k, int option)
{
	int fd = (int)must(socket(domain, type, 0));
	int r = enable(fd, option, k), error = errno;

	close(fd);
	errno = error;
	return r;
}

static void
other_descriptors(const struct variant *v)
{
	struct keys k;
	int pipe_fd[2];

	keys_make(&k, v->suite);
	must(pipe(pipe_fd));
	for (int option = TCP_TXTLS_ENABLE; option <= TCP_RXTLS_ENABLE; option += 2) {
		check_errno(enable(-1, option, &k), EBADF);
		check_errno(enable(1000, option, &k), EBADF);
		check_errno(enable(pipe_fd[0], option, &k), ENOTSOCK);
		check(enable_on(AF_INET, SOCK_DGRAM, &k, option) == -1);
		check(errno == EINVAL || errno == ENOPROTOOPT);
		check(enable_on(AF_UNIX, SOCK_STREAM, &k, option) == -1);
		check(errno == EINVAL || errno == EOPNOTSUPP);
	}
}

/* Half closed, by either side, is alive. */
static void
half_closed(const struct variant *v)
{
	struct call c;

	call_make(&c, TCP_RXTLS_ENABLE, v->suite);
	must(shutdown(c.sock, SHUT_WR));
	must(call(&c));
	send_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "half", 4);
	expect_received(c.sock, &c.k, TLS_RLTYPE_APP, "half", 4);
	call_close(&c);

	call_make(&c, TCP_TXTLS_ENABLE, v->suite);
	must(shutdown(c.fd[0], SHUT_WR));
	poll_for(c.sock, 1, -1);
	must(call(&c));
	check_eq(write(c.sock, "half", 4), 4);
	expect_record(c.fd[0], &c.k, TLS_RLTYPE_APP, "half", 4);
}

/* Keys before connect(2); the first byte is TLS already. */
static void
unconnected(const struct variant *v)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int listener = tcp_listener(AF_INET, &addr, &len), fd = tcp_socket(), peer;
	struct keys tx, rx;
	uint8_t byte;

	enable_tx(fd, v->suite, &tx);
	enable_rx(fd, v->suite, &rx);
	check_eq(get_int(fd, IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_SW);
	check_eq(get_int(fd, IPPROTO_TCP, TCP_RXTLS_MODE), TCP_TLS_MODE_SW);
	check_errno(write(fd, "x", 1), ENOTCONN);
	check_errno(send(fd, "x", 1, 0), ENOTCONN);
	check_errno(send_typed(fd, TLS_RLTYPE_ALERT, "x", 1, 0), ENOTCONN);
	check_errno(read(fd, &byte, 1), ENOTCONN);
	must(connect(fd, (struct sockaddr *)&addr, len));
	peer = (int)must(accept(listener, NULL, NULL));
	check_eq(get_int(peer, IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_NONE);
	check_eq(get_int(peer, IPPROTO_TCP, TCP_RXTLS_MODE), TCP_TLS_MODE_NONE);
	check_eq(write(fd, "first", 5), 5);
	expect_record(peer, &tx, TLS_RLTYPE_APP, "first", 5);
	send_record(peer, &rx, TLS_RLTYPE_APP, "reply", 5);
	expect_received(fd, &rx, TLS_RLTYPE_APP, "reply", 5);
}

/* What was sent in the clear before goes in the clear; what comes after does not. */
static void
after_plain_data(const struct variant *v)
{
	uint8_t buf[5];
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	check_eq(write(fd[1], "plain", 5), 5);
	enable_tx(fd[1], v->suite, &k);
	check_eq(write(fd[1], "sealed", 6), 6);
	read_all(fd[0], buf, 5);
	check_bytes(buf, "plain", 5);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "sealed", 6);
}

/* What lies in the receive buffer already counts as records. */
static void
data_already_queued(const struct variant *v)
{
	static uint8_t wire[4 * WIRE_MAX], data[FULL];
	struct keys k, start;
	size_t len = 0;
	int fd[2];

	tcp_pair(fd);
	keys_make(&k, v->suite);
	start = k;
	random_bytes(data, sizeof(data));
	len += build_plain(&k, TLS_RLTYPE_HANDSHAKE, data, 100, wire + len);
	len += build_plain(&k, TLS_RLTYPE_APP, data, FULL, wire + len);
	size_t cut = len + 7;
	len += build_plain(&k, TLS_RLTYPE_APP, data, 10, wire + len);
	write_all(fd[1], wire, cut);
	wait_queued(fd[0], (int)cut);
	must(enable(fd[0], TCP_RXTLS_ENABLE, &start));
	expect_received(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data, 100);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, FULL);
	check_eq(poll_for(fd[0], 1, 5), 0);
	write_all(fd[1], wire + cut, len - cut);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 10);
}

const struct scenario enable_scenarios[] = {
	{"enable", "refused_changes_nothing", G_FEW, 0, refused_call_changes_nothing},
	{"enable", "gmac", G_GCM12 | G_GCM13, 0, gmac},
	{"enable", "odd_lengths", G_CBC10 | G_CBC, 0, cbc_odd_lengths},
	{"enable", "v0_tx", G_TX, 0, v0_tx},
	{"enable", "v0_rx", G_RX, 0, v0_rx},
	{"enable", "already", G_FEW, 0, already},
	{"enable", "other_descriptors", G_ONE, 0, other_descriptors},
	{"enable", "half_closed", G_FEW, 0, half_closed},
	{"enable", "unconnected", G_RX, 0, unconnected},
	{"enable", "after_plain_data", G_TX, 0, after_plain_data},
	{"enable", "data_already_queued", G_RX, 0, data_already_queued},
	{0},
};
