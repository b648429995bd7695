/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sockopt.c: what Linux's options answer and in which order, that the keys which
 * they take are those on the wire; and the options of no dialect.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "so.h"
#include "sockopt.h"
#include "sockopt_fixture.h"
#include "sysctl.h"

enum {
	ZEROCOPY_RO = 3,
	EXPECT_NO_PAD = 4,
	V12 = 0x0303,
	V13 = 0x0304,
};

TestSuite(sockopt, .init = prepare_library, .timeout = 120);

Test(sockopt, ulp_set)
{
	char long_name[64] = "tls";
	const struct {
		const void *val;
		size_t len;
		int expected;
	} rows[] = {
		{"tls", 0, -EINVAL},
		{NULL, 4, -EFAULT},
		{bad_page(), 4, -EFAULT},
		{"foo", 4, -ENOENT},
		{"tlsx", 5, -ENOENT},
		{"tls", 2, -ENOENT},
		{"tls", (size_t)-1, -EINVAL},
		{"tls", 3, 0},
		{"tls", 4, 0},
		{long_name, 64, 0},
		{at_the_edge("tls", 3), 3, 0},
	};
	int fd, peer;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tcp_pair(&fd, &peer);
		int r = set(fd, IPPROTO_TCP, ULP, rows[i].val, rows[i].len);
		cr_expect_eq(r, rows[i].expected, "row %zu: %d", i, r);
		cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), r == 0 ? fd : -1);
		if (r == 0) {
			/* Set already; another name is still looked up first. */
			cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -EEXIST);
			cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "foo", 4), -ENOENT);
			cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 0), -EINVAL);
		}
		drop(fd);
		close(peer);
	}
}

Test(sockopt, ulp_states)
{
	int pipes[2], fd, peer, one[2];

	fd = tcp_socket();
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOTCONN);
	close(fd);
	fd = listening_socket();
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOTCONN);
	close(fd);
	fd = reset_socket();
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOTCONN);
	close(fd);
	tcp_pair(&fd, &peer);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	struct pollfd p = {.fd = peer, .events = POLLIN};
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOTCONN, "FIN_WAIT");
	cr_expect_eq(set(peer, IPPROTO_TCP, ULP, "tls", 4), -ENOTCONN, "CLOSE_WAIT");
	close(fd);
	close(peer);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOPROTOOPT);
	close(fd);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
	cr_expect_eq(set(one[0], IPPROTO_TCP, ULP, "tls", 4), -EOPNOTSUPP);
	close(one[0]);
	close(one[1]);
	cr_assert_eq(pipe(pipes), 0);
	cr_expect_eq(set(pipes[0], IPPROTO_TCP, ULP, "tls", 4), -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);
	cr_expect_eq(set(-1, IPPROTO_TCP, ULP, "tls", 4), -EBADF);
	/* Switched off, there is no such protocol. */
	tcp_pair(&fd, &peer);
	tunables[TUNABLE_ENABLE] = 0;
	cr_expect_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), -ENOENT);
	close(fd);
	close(peer);
	cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), -1);
}

Test(sockopt, ulp_get)
{
	static const struct {
		int room, expected, len;
	} rows[] = {{0, 0, 0},
		    {1, 0, 1},
		    {3, 0, 3},
		    {16, 0, 16},
		    {64, 0, 16},
		    {-1, -EINVAL, -1},
		    {INT_MIN, -EINVAL, INT_MIN}};
	char name[65];
	int fd, peer;

	tcp_pair(&fd, &peer);
	socklen_t len = sizeof(name);
	cr_expect_eq(get(fd, IPPROTO_TCP, ULP, name, &len), 0);
	cr_expect_eq(len, 0);
	cr_assert_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(name, '#', sizeof(name));
		len = (socklen_t)rows[i].room;
		cr_expect_eq(get(fd, IPPROTO_TCP, ULP, name, &len), rows[i].expected);
		cr_expect_eq((int)len, rows[i].len, "row %zu", i);
		if (rows[i].expected < 0)
			continue;
		cr_expect_eq(memcmp(name, "tls\0\0\0\0\0\0\0\0\0\0\0\0", len), 0);
		cr_expect_eq(name[len], '#');
	}
	cr_expect_eq(get(fd, IPPROTO_TCP, ULP, name, bad_page()), -EFAULT);
	len = 16;
	cr_expect_eq(get(fd, IPPROTO_TCP, ULP, read_only_page(), &len), -EFAULT);
	drop(fd);
	close(peer);
}

/* A struct tls12_crypto_info_* as its documentation draws it. */
struct info {
	uint8_t bytes[64];
	size_t size;
	struct oracle oracle;
	uint64_t seq;
};

static struct info
make_info(const struct oracle_row *row, uint8_t salt)
{
	struct info info = {.oracle.row = row, .seq = 0x01020304fffffffe};
	uint16_t version = row->minor == 4 ? V13 : V12, id = (uint16_t)row->linux_id;
	size_t iv_len = row->linux_id == TLS_CIPHER_CHACHA20_POLY1305 ? 12 : 8;
	size_t key_len = (size_t)row->key_len;
	uint64_t seq = htobe64(info.seq);
	uint8_t *p = info.bytes;

	fill_pattern(info.oracle.key, key_len, salt);
	fill_pattern(info.oracle.iv, 12, salt + 50u);
	memcpy(p, &version, 2);
	memcpy(p + 2, &id, 2);
	p += 4;
	memcpy(p, info.oracle.iv + 12 - iv_len, iv_len);
	memcpy(p + iv_len, info.oracle.key, key_len);
	memcpy(p + iv_len + key_len, info.oracle.iv, 12 - iv_len);
	memcpy(p + 12 + key_len, &seq, 8);
	info.size = 4 + 12 + key_len + 8;
	return info;
}

/* Each suite in each version: taken, told again, used, and told as it then is. */
Test(sockopt, linux_suites)
{
	uint8_t told[64];
	int fd, peer;

	for (int i = 0; i < oracle_row_count; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		if (row->linux_id == 0)
			continue;
		struct info info = make_info(row, (uint8_t)i);
		bool counts =
			row->minor == 3 && row->linux_id != TLS_CIPHER_CHACHA20_POLY1305;
		ulp_pair(&fd, &peer);
		for (int dir = TLS_TX; dir <= TLS_RX; dir++)
			cr_expect_eq(set(fd, SOL_TLS, dir, info.bytes, info.size), 0,
				     "%s", row->name);
		for (int dir = TLS_TX; dir <= TLS_RX; dir++) {
			socklen_t len = (socklen_t)info.size;
			memset(told, 0, sizeof(told));
			cr_expect_eq(get(fd, SOL_TLS, dir, told, &len), 0);
			/* The receiver's explicit nonce is in the records; 1.2's iv is
			 * told as it was given. */
			cr_expect_eq(memcmp(told, info.bytes, info.size), 0, "%s",
				     row->name);
		}
		check_wire(fd, peer, &info.oracle, info.seq, row->name);
		/* One record on: the sequence number, and the explicit nonce if any. */
		uint64_t seq, iv, first_iv;
		socklen_t len = (socklen_t)info.size;
		cr_expect_eq(get(fd, SOL_TLS, TLS_TX, told, &len), 0);
		memcpy(&seq, told + info.size - 8, 8);
		cr_expect_eq(be64toh(seq), info.seq + 1);
		memcpy(&iv, told + 4, 8);
		memcpy(&first_iv, info.bytes + 4, 8);
		cr_expect_eq(be64toh(iv), be64toh(first_iv) + counts, "%s", row->name);
		cr_expect_eq(memcmp(told + 12, info.bytes + 12, info.size - 20), 0);
		drop(fd);
		close(peer);
	}
}

/* The checks of 2.2 in their order; nothing is changed by a failure. */
Test(sockopt, linux_key_errors)
{
	struct info gcm = make_info(oracle_find("AES-128-GCM", 3), 1);
	struct info gcm13 = make_info(oracle_find("AES-128-GCM", 4), 1);
	struct info aria13 = make_info(oracle_find("ARIA-128-GCM", 3), 1);
	struct info bad_version = gcm, bad_type = gcm, both_bad = gcm;
	int fd, peer;

	aria13.bytes[0] = 4;
	bad_version.bytes[0] = 2;
	bad_type.bytes[2] = 59;
	both_bad.bytes[0] = 5;
	both_bad.bytes[2] = 50;
	const struct {
		const void *val;
		size_t len;
		int expected;
	} rows[] = {
		{NULL, 40, -EINVAL},
		{gcm.bytes, 3, -EINVAL},
		{gcm.bytes, 0, -EINVAL},
		{bad_page(), 3, -EINVAL},
		{bad_page(), 40, -EFAULT},
		{at_the_edge(gcm.bytes, 3), 40, -EFAULT},
		{bad_version.bytes, 40, -EINVAL},
		{bad_type.bytes, 40, -EINVAL},
		{both_bad.bytes, 40, -EINVAL},
		{aria13.bytes, 40, -EINVAL},
		{gcm.bytes, 4, -EINVAL},
		{gcm.bytes, 39, -EINVAL},
		{gcm.bytes, 41, -EINVAL},
		{gcm.bytes, 56, -EINVAL},
	};
	ulp_pair(&fd, &peer);
	struct tls_socket before = snapshot(fd);
	for (int dir = TLS_TX; dir <= TLS_RX; dir++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int r = set(fd, SOL_TLS, dir, rows[i].val, rows[i].len);
			cr_expect_eq(r, rows[i].expected, "row %zu: %d", i, r);
		}
		/* The header can be read, the rest cannot. */
		cr_expect_eq(set(fd, SOL_TLS, dir, at_the_edge(gcm.bytes, 20), 40),
			     -EFAULT);
		/* Its length is judged before that. */
		cr_expect_eq(set(fd, SOL_TLS, dir, at_the_edge(gcm.bytes, 20), 39),
			     -EINVAL);
		cr_expect(unchanged(fd, &before));
	}
	/* The other direction must agree in version and cipher. */
	struct info other[] = {gcm13, make_info(oracle_find("AES-256-GCM", 3), 2),
			       make_info(oracle_find("CHACHA20-POLY1305", 3), 2)};
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, gcm.bytes, gcm.size), 0);
	before = snapshot(fd);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(set(fd, SOL_TLS, TLS_TX, other[i].bytes, other[i].size),
			     -EINVAL);
	/* TLS 1.2: a second key is refused unseen, but not an impossible call. */
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, gcm.bytes, 3), -EINVAL);
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, NULL, 40), -EINVAL);
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, gcm.bytes, 40), -EBUSY);
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, bad_page(), 40), -EBUSY);
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, both_bad.bytes, 40), -EBUSY);
	cr_expect(unchanged(fd, &before));
	cr_expect_eq(set(fd, SOL_TLS, TLS_TX, gcm.bytes, gcm.size), 0);
	check_wire(fd, peer, &gcm.oracle, gcm.seq, "after all that");
	drop(fd);
	close(peer);
}

/* 2.3: TLS 1.3 takes new keys of the same kind; a refused one leaves the old in force. */
Test(sockopt, linux_rekey)
{
	const struct oracle_row *row = oracle_find("CHACHA20-POLY1305", 4);
	struct info first = make_info(row, 1), second = make_info(row, 77);
	struct info wrong[] = {make_info(oracle_find("CHACHA20-POLY1305", 3), 2),
			       make_info(oracle_find("AES-256-GCM", 4), 2),
			       make_info(oracle_find("AES-128-GCM", 4), 2)};
	uint8_t told[56];
	socklen_t len = sizeof(told);
	int fd, peer;

	ulp_pair(&fd, &peer);
	for (int dir = TLS_TX; dir <= TLS_RX; dir++)
		cr_expect_eq(set(fd, SOL_TLS, dir, first.bytes, first.size), 0);
	struct tls_socket before = snapshot(fd);
	for (int dir = TLS_TX; dir <= TLS_RX; dir++) {
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(set(fd, SOL_TLS, dir, wrong[i].bytes, wrong[i].size),
				     -EINVAL);
		cr_expect_eq(set(fd, SOL_TLS, dir, second.bytes, 55), -EINVAL);
		cr_expect_eq(set(fd, SOL_TLS, dir, bad_page(), 56), -EFAULT);
		cr_expect_eq(set(fd, SOL_TLS, dir, at_the_edge(second.bytes, 30), 56),
			     -EFAULT);
	}
	cr_expect(unchanged(fd, &before));
	check_wire(fd, peer, &first.oracle, first.seq, "first");
	/* No KeyUpdate needs to have been seen; any number of times. */
	for (int i = 0; i < 3; i++)
		for (int dir = TLS_TX; dir <= TLS_RX; dir++)
			cr_expect_eq(set(fd, SOL_TLS, dir, second.bytes, second.size), 0);
	cr_expect_eq(get(fd, SOL_TLS, TLS_RX, told, &len), 0);
	cr_expect_eq(memcmp(told, second.bytes, 56), 0);
	check_wire(fd, peer, &second.oracle, second.seq, "second");
	drop(fd);
	close(peer);
}

/* 2.7 */
Test(sockopt, linux_get_key)
{
	struct info gcm = make_info(oracle_find("AES-128-GCM", 3), 1);
	uint8_t told[64];
	int fd, peer;
	static const struct {
		int room, expected, copied;
	} rows[] = {{0, -EINVAL, 0},  {3, -EINVAL, 0},  {4, 0, 4},
		    {5, -EINVAL, 0},  {39, -EINVAL, 0}, {40, 0, 40},
		    {41, -EINVAL, 0}, {56, -EINVAL, 0}};

	ulp_pair(&fd, &peer);
	for (int dir = TLS_TX; dir <= TLS_RX; dir++) {
		socklen_t len = 3;
		cr_expect_eq(get(fd, SOL_TLS, dir, told, bad_page()), -EFAULT);
		cr_expect_eq(get(fd, SOL_TLS, dir, told, &len), -EINVAL);
		len = 40;
		cr_expect_eq(get(fd, SOL_TLS, dir, NULL, &len), -EINVAL);
		cr_expect_eq(get(fd, SOL_TLS, dir, told, &len), -EBUSY);
		cr_expect_eq(set(fd, SOL_TLS, dir, gcm.bytes, 40), 0);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			memset(told, 0x55, sizeof(told));
			len = (socklen_t)rows[i].room;
			cr_expect_eq(get(fd, SOL_TLS, dir, told, &len), rows[i].expected,
				     "row %zu", i);
			cr_expect_eq((int)len, rows[i].room, "it is not rewritten");
			cr_expect_eq(memcmp(told, gcm.bytes, (size_t)rows[i].copied), 0);
			cr_expect_eq(told[rows[i].copied], 0x55);
		}
		len = 40;
		cr_expect_eq(get(fd, SOL_TLS, dir, read_only_page(), &len), -EFAULT);
		cr_expect_eq(get(fd, SOL_TLS, dir, bad_page(), &len), -EFAULT);
	}
	drop(fd);
	close(peer);
}

/* 2.4 and 2.5, what SOL_TLS is without the ULP, and the options that are not there. */
Test(sockopt, linux_switches)
{
	struct info v12 = make_info(oracle_find("AES-128-GCM", 3), 1);
	struct info v13 = make_info(oracle_find("AES-128-GCM", 4), 1);
	static const uint32_t on[3] = {1, 0, 0}, dirty[2] = {1, 256};
	uint32_t two = 2, zero = 0, told;
	socklen_t len = 4;
	int fd, peer;

	tcp_pair(&fd, &peer);
	cr_expect_eq(set(fd, SOL_TLS, TLS_TX, v12.bytes, 40), -ENOPROTOOPT);
	cr_expect_eq(get(fd, SOL_TLS, TLS_TX, &told, &len), -EOPNOTSUPP);
	cr_assert_eq(set(fd, IPPROTO_TCP, ULP, "tls", 4), 0);
	for (int name = 0; name < 9; name++) {
		if (name >= TLS_TX && name <= EXPECT_NO_PAD)
			continue;
		cr_expect_eq(set(fd, SOL_TLS, name, on, 4), -ENOPROTOOPT);
		cr_expect_eq(get(fd, SOL_TLS, name, &told, &len), -ENOPROTOOPT);
	}
	const struct {
		const void *val;
		size_t len;
		int zerocopy, no_pad;
	} rows[] = {
		{NULL, 4, -EINVAL, -EINVAL},
		{on, 0, -EINVAL, -EINVAL},
		{on, 3, -EINVAL, -EINVAL},
		{on, 8, -EINVAL, 0},
		{on, 12, -EINVAL, 0},
		{dirty, 8, -EINVAL, -EINVAL},
		{bad_page(), 4, -EFAULT, -EFAULT},
		{&two, 4, -EINVAL, -EINVAL},
		{at_the_edge(on, 4), 5, -EINVAL, -EFAULT},
		{on, 4, 0, 0},
		{&zero, 4, 0, 0},
		{on, 4, 0, 0},
	};
	cr_expect_eq(set(fd, SOL_TLS, EXPECT_NO_PAD, on, 4), -EINVAL, "no keys yet");
	cr_expect_eq(get(fd, SOL_TLS, EXPECT_NO_PAD, &told, &len), -EINVAL);
	cr_expect_eq(set(fd, SOL_TLS, TLS_TX, v13.bytes, 40), 0);
	cr_expect_eq(set(fd, SOL_TLS, EXPECT_NO_PAD, on, 4), -EINVAL, "no RX yet");
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, v13.bytes, 40), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = set(fd, SOL_TLS, ZEROCOPY_RO, rows[i].val, rows[i].len);
		cr_expect_eq(r, rows[i].zerocopy, "row %zu: %d", i, r);
		r = set(fd, SOL_TLS, EXPECT_NO_PAD, rows[i].val, rows[i].len);
		cr_expect_eq(r, rows[i].no_pad, "row %zu: %d", i, r);
		for (int name = ZEROCOPY_RO; r == 0 && name <= EXPECT_NO_PAD; name++) {
			told = 9;
			len = 4;
			cr_expect_eq(get(fd, SOL_TLS, name, &told, &len), 0);
			if (rows[i].len == 4)
				cr_expect_eq(told, *(const uint32_t *)rows[i].val);
		}
	}
	/* Their lengths when asked: exactly 4; at least 4, which becomes 4. */
	uint8_t room[8];
	len = 8;
	cr_expect_eq(get(fd, SOL_TLS, ZEROCOPY_RO, room, &len), -EINVAL);
	cr_expect_eq(get(fd, SOL_TLS, EXPECT_NO_PAD, room, &len), 0);
	cr_expect_eq(len, 4);
	len = 3;
	cr_expect_eq(get(fd, SOL_TLS, ZEROCOPY_RO, room, &len), -EINVAL);
	cr_expect_eq(get(fd, SOL_TLS, EXPECT_NO_PAD, room, &len), -EINVAL);
	drop(fd);
	close(peer);
	ulp_pair(&fd, &peer);
	cr_expect_eq(set(fd, SOL_TLS, TLS_RX, v12.bytes, 40), 0);
	cr_expect_eq(set(fd, SOL_TLS, EXPECT_NO_PAD, on, 4), -EINVAL, "not TLS 1.2's");
	len = 4;
	cr_expect_eq(get(fd, SOL_TLS, EXPECT_NO_PAD, room, &len), -EINVAL);
	drop(fd);
	close(peer);
}

/* SO_RCVLOWAT, SO_PEEK_OFF and SO_ERROR, which our own use of the socket would show
 * through. */
Test(sockopt, socket_level)
{
	static const int values[][2] = {
		{1, 1}, {0, 1}, {7, 7}, {-1, INT_MAX}, {900, 900}};
	struct tls_end end;
	int value = 33;
	socklen_t len = sizeof(value);

	tcp_pair(&end.fd, &end.peer);
	cr_assert_eq(set(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, len), 0);
	turn_on(&end, "AES-128-GCM", TLS_V12, RULES_LINUX, WITH_RX);
	/* What the program had set is kept for it; the kernel's is ours now. */
	cr_expect_eq(get(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len), 0);
	cr_expect_eq(value, 33);
	cr_expect_eq(getsockopt(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len), 0);
	cr_expect_eq(value, 1);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(set(end.fd, SOL_SOCKET, SO_RCVLOWAT, &values[i][0], 4), 0);
		cr_expect_eq(get(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len), 0);
		cr_expect_eq(value, values[i][1]);
		cr_expect_eq(getsockopt(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len),
			     0);
		cr_expect_eq(value, 1);
	}
	cr_expect_eq(set(end.fd, SOL_SOCKET, SO_RCVLOWAT, &value, 3), -EINVAL);
	cr_expect_eq(set(end.fd, SOL_SOCKET, SO_RCVLOWAT, bad_page(), 4), -EFAULT);
	cr_expect_eq(set(end.fd, SOL_SOCKET, SO_PEEK_OFF, &value, 4), -EOPNOTSUPP);
	cr_expect_eq(so_setsockopt(end.fd, SOL_SOCKET, SO_RCVBUF, &value, 4),
		     SOCKOPT_PASS);
	/* The pending error, once. */
	end.so->sock->error = EBADMSG;
	cr_expect_eq(get(end.fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
	cr_expect_eq(value, EBADMSG);
	cr_expect_eq(get(end.fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
	cr_expect_eq(value, 0);
	close_end(&end);
}
