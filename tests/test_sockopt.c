/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sockopt.c: what both dialects' options answer, in which order, and that the keys
 * which they take are those on the wire. Where an option is the kernel's, the kernel is
 * asked, as the entry points do.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/tls.h>
#include <poll.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "real.h"
#include "session_fixture.h"
#include "so.h"
#include "sockopt.h"
#include "sysctl.h"

enum {
	ULP = 31, /* TCP_ULP */
	ZEROCOPY_RO = 3,
	EXPECT_NO_PAD = 4,
	V12 = 0x0303,
	V13 = 0x0304,
};

static void
set_up(void)
{
	prepare_library();
}

TestSuite(sockopt, .init = set_up, .timeout = 120);

static int
set(int fd, int level, int name, const void *val, size_t len)
{
	int r = so_setsockopt(fd, level, name, val, (socklen_t)len);

	if (r != SOCKOPT_PASS)
		return r;
	return real.setsockopt(fd, level, name, val, (socklen_t)len) < 0 ? -errno : 0;
}

static int
get(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = so_getsockopt(fd, level, name, val, len);

	if (r != SOCKOPT_PASS)
		return r;
	return real.getsockopt(fd, level, name, val, len) < 0 ? -errno : 0;
}

static int
tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
listening_socket(void)
{
	int fd = tcp_socket();

	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

/* A connection whose peer has reset it; nothing is left of it. */
static int
reset_socket(void)
{
	const struct linger at_once = {.l_onoff = 1};
	int fd, peer;

	tcp_pair(&fd, &peer);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(peer);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert(p.revents & POLLHUP);
	return fd;
}

static void
drop(int fd)
{
	session_forget(fd);
	close(fd);
}

/* `n` bytes that end where a page nobody may read begins. */
static uint8_t *
at_the_edge(const void *bytes, size_t n)
{
	static uint8_t *two;

	if (two == NULL) {
		two = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_eq(mprotect(two + 4096, 4096, PROT_NONE), 0);
	}
	memcpy(two + 4096 - n, bytes, n);
	return two + 4096 - n;
}

/* --- Linux: TCP_ULP (linux-ktls 2.1) --- */

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

/* --- Linux: TLS_TX and TLS_RX (2.2) --- */

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

static void
ulp_pair(int *fd, int *peer)
{
	tcp_pair(fd, peer);
	cr_assert_eq(set(*fd, IPPROTO_TCP, ULP, "tls", 4), 0);
}

/* A socket's state, to see that a failed call has changed none of it. The locks' words
 * and the counts of waiters are no state. */
static struct tls_socket
snapshot(int fd)
{
	struct session *so = session_get(fd);
	struct tls_socket copy;

	cr_assert_not_null(so);
	memcpy(&copy, so->sock, sizeof(copy));
	session_put(so);
	return copy;
}

static bool
unchanged(int fd, const struct tls_socket *before)
{
	struct tls_socket now = snapshot(fd);

	return memcmp(&now, before, sizeof(now)) == 0;
}

/* A record each way, by which the peer sees that the keys are right. */
static void
check_wire(int fd, int peer, const struct oracle *oracle, uint64_t seq, const char *name)
{
	static struct oracle_opened opened;
	uint8_t wire[300], text[100];
	struct tls_end end = {.fd = fd, .oracle = *oracle, .seq = seq};
	struct iovec iov = {text, sizeof(text)};
	size_t used;

	end.so = session_get(fd);
	cr_assert_not_null(end.so);
	if (end.so->sock->tx.on) {
		fill_pattern(text, sizeof(text), 9);
		cr_expect_eq(so_send(end.so, fd, &iov, 1, NULL, 0), 100, "%s", name);
		ssize_t n = recv(peer, wire, sizeof(wire), 0);
		n = peer_opens(&end, wire, (size_t)n, &used, &opened);
		cr_expect(n == 100 && memcmp(opened.payload, text, 100) == 0, "%s: %zd",
			  name, n);
	}
	if (end.so->sock->rx.on) {
		end.oracle = *oracle;
		end.seq = seq;
		fill_pattern(text, sizeof(text), 9);
		size_t len = peer_seals(&end, 23, text, 100, wire);
		cr_assert_eq(write(peer, wire, len), (ssize_t)len);
		memset(text, 0, sizeof(text));
		cr_expect_eq(so_receive(end.so, fd, &iov, 1, NULL, 0), 100, "%s", name);
		fill_pattern(wire, 100, 9);
		cr_expect_eq(memcmp(text, wire, 100), 0, "%s", name);
	}
	session_put(end.so);
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
		size_t iv_len =
			info.size - 24 == (size_t)row->key_len && row->linux_id == 54 ? 12
										      : 8;
		bool counts = row->minor == 3 && iv_len == 8;
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

/* --- FreeBSD (freebsd-ktls 3.1) --- */

static uint8_t secrets[2048];

static struct tls_enable
make_enable(int cipher, int key_len, int auth, int mac_len, int iv_len, int minor)
{
	struct tls_enable en = {
		.cipher_key = secrets,
		.iv = secrets + 100,
		.auth_key = secrets + 200,
		.cipher_algorithm = cipher,
		.cipher_key_len = key_len,
		.iv_len = iv_len,
		.auth_algorithm = auth,
		.auth_key_len = mac_len,
		.tls_vmajor = TLS_MAJOR_VER_ONE,
		.tls_vminor = (uint8_t)minor,
		.rec_seq = {1, 2, 3, 4, 0xff, 0xff, 0xff, 0xfe},
	};

	fill_pattern(secrets, sizeof(secrets), 5);
	return en;
}

static struct tls_enable
enable_of(const struct oracle_row *row)
{
	return make_enable(row->freebsd_id, row->key_len, row->freebsd_auth, row->mac_len,
			   row->iv_len, row->minor);
}

static struct oracle
oracle_of(const struct oracle_row *row, int mac_len)
{
	struct oracle o = {.row = row, .mac_key_len = (size_t)mac_len};

	memcpy(o.key, secrets, (size_t)row->key_len);
	memcpy(o.iv, secrets + 100, (size_t)row->iv_len);
	memcpy(o.mac_key, secrets + 200, o.mac_key_len);
	return o;
}

/* Every combination of algorithms, key lengths and versions: exactly the documented ones
 * are taken, by either direction. */
Test(sockopt, freebsd_combinations)
{
	static const int keys[] = {16, 24, 32}, auths[] = {0, 7, 18, 19, 20, 26};
	int fd = tcp_socket(), taken = 0;

	for (int n = 0; n < 43 * 3 * 6 * 6; n++) {
		int cipher = n % 43, key = keys[n / 43 % 3], auth = auths[n / 129 % 6];
		int minor = n / 774;
		const struct oracle_row *row = NULL;
		int gmac = auth == 26 && cipher == CRYPTO_AES_NIST_GCM_16;
		for (int i = 0; i < oracle_row_count; i++)
			if (oracle_rows[i].freebsd_id == cipher && cipher != 0 &&
			    oracle_rows[i].key_len == key &&
			    oracle_rows[i].freebsd_auth == (gmac ? 0 : auth) &&
			    oracle_rows[i].minor == minor)
				row = &oracle_rows[i];
		struct tls_enable en = make_enable(cipher, key, auth,
						   row != NULL ? row->mac_len
						   : auth      ? 20
							       : 0,
						   row != NULL ? row->iv_len : 12, minor);
		for (int name = TCP_TXTLS_ENABLE; name <= TCP_RXTLS_ENABLE; name += 2) {
			bool rx = name == TCP_RXTLS_ENABLE;
			int r = set(fd, IPPROTO_TCP, name, &en, sizeof(en));
			int expected = row == NULL      ? -EINVAL
				       : rx && !row->rx ? -EPROTONOSUPPORT
							: 0;
			cr_expect_eq(r, expected,
				     "%d: cipher %d, key %d, auth %d, 1.%d: %d, not %d",
				     name, cipher, key, auth, minor - 1, r, expected);
			taken += r == 0;
		}
		if (row != NULL) {
			drop(fd);
			fd = tcp_socket();
		}
	}
	cr_expect_gt(taken, 20);
	close(fd);
}

/* The keys are those on the wire, whatever was enabled; MAC keys of any length. */
Test(sockopt, freebsd_suites)
{
	int fd, peer;

	for (int i = 0; i < oracle_row_count; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		if (row->freebsd_id == 0)
			continue;
		for (int mac_len = row->mac_len; mac_len <= 1024;
		     mac_len = mac_len == 0 ? 2000 : mac_len * 7) {
			struct tls_enable en = enable_of(row);
			en.auth_key_len = mac_len;
			struct oracle oracle = oracle_of(row, mac_len);
			tcp_pair(&fd, &peer);
			cr_expect_eq(
				set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, sizeof(en)),
				0);
			if (row->rx)
				cr_expect_eq(set(fd, IPPROTO_TCP, TCP_RXTLS_ENABLE, &en,
						 sizeof(en)),
					     0);
			check_wire(fd, peer, &oracle, 0x01020304fffffffe, row->name);
			drop(fd);
			close(peer);
		}
	}
}

/* Of the struct itself. Nothing is changed by a failure. */
Test(sockopt, freebsd_malformed)
{
	const struct tls_enable good =
		make_enable(CRYPTO_AES_NIST_GCM_16, 16, 0, 0, 4, 3);
	const struct tls_enable cbc = enable_of(oracle_find("AES-128-CBC-SHA1", 3));
	const struct {
		size_t offset;
		int value, expected;
	} fields[] = {
#define INT_FIELD(member, v, e) {offsetof(struct tls_enable, member), v, e}
		INT_FIELD(cipher_key_len, -1, -EINVAL),
		INT_FIELD(cipher_key_len, 0, -EINVAL),
		INT_FIELD(cipher_key_len, 1025, -EINVAL),
		INT_FIELD(cipher_key_len, 15, -EINVAL),
		INT_FIELD(iv_len, -1, -EINVAL),
		INT_FIELD(iv_len, 17, -EINVAL),
		INT_FIELD(iv_len, 0, -EINVAL),
		INT_FIELD(iv_len, 12, -EINVAL),
		INT_FIELD(auth_key_len, -1, -EINVAL),
		INT_FIELD(auth_key_len, 1025, -EINVAL),
		INT_FIELD(auth_key_len, 1, -EINVAL),
		INT_FIELD(flags, 1, -EINVAL),
		INT_FIELD(auth_algorithm, 25, -EINVAL),
		INT_FIELD(cipher_algorithm, 24, -EINVAL),
		INT_FIELD(auth_algorithm, 28, 0),
#undef INT_FIELD
	};
	int fd = tcp_socket();

	for (int name = TCP_TXTLS_ENABLE; name <= TCP_RXTLS_ENABLE; name += 2) {
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			struct tls_enable en = good;
			memcpy((char *)&en + fields[i].offset, &fields[i].value,
			       sizeof(int));
			int r = set(fd, IPPROTO_TCP, name, &en, sizeof(en));
			cr_expect_eq(r, fields[i].expected, "field %zu: %d", i, r);
			cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1) >= 0, r == 0);
		}
		drop(fd);
		fd = tcp_socket();
		for (int which = 0; which < 3; which++) {
			struct tls_enable en = which == 2 ? cbc : good;
			if (which == 0)
				en.cipher_key = bad_page();
			else if (which == 1)
				en.iv = bad_page();
			else
				en.auth_key = bad_page();
			cr_expect_eq(set(fd, IPPROTO_TCP, name, &en, sizeof(en)), -EFAULT,
				     "pointer %d", which);
		}
		struct tls_enable en = cbc; /* its iv is not used, and yet read */
		en.iv_len = 16;
		en.iv = bad_page();
		cr_expect_eq(set(fd, IPPROTO_TCP, name, &en, sizeof(en)), -EFAULT);
		en = good;
		en.tls_vmajor = 2;
		cr_expect_eq(set(fd, IPPROTO_TCP, name, &en, sizeof(en)), -EINVAL);
		cr_expect_eq(set(fd, IPPROTO_TCP, name, NULL, 64), -EFAULT);
		cr_expect_eq(set(fd, IPPROTO_TCP, name, NULL, 0), -EINVAL);
		cr_expect_eq(set(fd, IPPROTO_TCP, name, bad_page(), 64), -EFAULT);
		cr_expect_eq(set(fd, IPPROTO_TCP, name, at_the_edge(&good, 40), 64),
			     -EFAULT);
		for (size_t len = 0; len < 64; len++)
			if (len != sizeof(struct tls_enable_v0))
				cr_expect_eq(set(fd, IPPROTO_TCP, name, &good, len),
					     -EINVAL, "length %zu", len);
		cr_expect_eq(session_next_fd(0, FDTAB_SIZE - 1), -1);
	}
	close(fd);
}

/* Old and longer structs: 56 bytes have no sequence number, more than 64 are not read. */
Test(sockopt, freebsd_lengths)
{
	const struct oracle_row *row = oracle_find("AES-128-GCM", 3);
	struct tls_enable en = enable_of(row);
	struct oracle oracle = oracle_of(row, 0);
	int fd, peer;

	for (int i = 0; i < 2; i++) {
		size_t len = i == 0 ? 56 : 200;
		const void *val = at_the_edge(&en, i == 0 ? 56 : 64);
		tcp_pair(&fd, &peer);
		cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, val, len), 0);
		cr_expect_eq(set(fd, IPPROTO_TCP, TCP_RXTLS_ENABLE, val, len), 0);
		check_wire(fd, peer, &oracle, i == 0 ? 0 : 0x01020304fffffffe, "length");
		drop(fd);
		close(peer);
	}
}

/* 3.1 from top to bottom: of two things that are wrong, the upper one is told. */
Test(sockopt, freebsd_order)
{
	enum {
		DISABLED = 1 << 0,
		RX_DISABLED = 1 << 1,
		CBC_DISABLED = 1 << 2,
		NO_EXT_PGS = 1 << 3,
		ALREADY = 1 << 4,
		LISTENING = 1 << 5,
		RESET = 1 << 6,
		BAD_LENGTH = 1 << 7,
		BAD_KEY_LEN = 1 << 8,
		BAD_POINTER = 1 << 9,
		CBC = 1 << 10,
		CBC10 = 1 << 11,
		BAD_SUITE = 1 << 12,
	};
	static const struct {
		int what, tx, rx;
	} rows[] = {
		{0, 0, 0},
		{RESET, -ECONNRESET, -ECONNRESET},
		{RESET | BAD_LENGTH | DISABLED, -ECONNRESET, -ECONNRESET},
		{BAD_LENGTH | DISABLED | BAD_KEY_LEN, -EINVAL, -EINVAL},
		{BAD_KEY_LEN | BAD_POINTER | DISABLED, -EINVAL, -EINVAL},
		{BAD_POINTER | DISABLED | ALREADY, -EFAULT, -EFAULT},
		{DISABLED, -ENOTSUP, -ENOTSUP},
		{DISABLED | ALREADY | BAD_SUITE, -ENOTSUP, -ENOTSUP},
		{RX_DISABLED, 0, -ENOTSUP},
		{RX_DISABLED | ALREADY, -EALREADY, -ENOTSUP},
		{ALREADY, -EALREADY, -EALREADY},
		{ALREADY | CBC | CBC_DISABLED, -EALREADY, -EALREADY},
		{ALREADY | BAD_SUITE | NO_EXT_PGS, -EALREADY, -EALREADY},
		{CBC | CBC_DISABLED, -ENOTSUP, -ENOTSUP},
		{CBC | CBC_DISABLED | NO_EXT_PGS, -ENOTSUP, -ENOTSUP},
		{CBC_DISABLED, 0, 0},
		{NO_EXT_PGS, -ENXIO, 0},
		{NO_EXT_PGS | BAD_SUITE, -ENXIO, -EINVAL},
		{BAD_SUITE, -EINVAL, -EINVAL},
		{BAD_SUITE | LISTENING, -EINVAL, -EINVAL},
		{CBC10, 0, -EPROTONOSUPPORT},
		{CBC10 | LISTENING, -ENOTCONN, -EPROTONOSUPPORT},
		{LISTENING, -ENOTCONN, -EINVAL},
		{LISTENING | NO_EXT_PGS, -ENXIO, -EINVAL},
	};
	const struct tls_enable good = enable_of(oracle_find("AES-128-GCM", 3));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int what = rows[i].what;
		for (int name = TCP_TXTLS_ENABLE; name <= TCP_RXTLS_ENABLE; name += 2) {
			bool rx = name == TCP_RXTLS_ENABLE;
			int expected = rx ? rows[i].rx : rows[i].tx;
			int fd = what & RESET       ? reset_socket()
				 : what & LISTENING ? listening_socket()
						    : tcp_socket();
			struct tls_enable en =
				what & CBC
					? enable_of(oracle_find("AES-256-CBC-SHA256", 3))
				: what & CBC10
					? enable_of(oracle_find("AES-128-CBC-SHA1", 1))
					: good;
			if (what & ALREADY)
				cr_assert_eq(set(fd, IPPROTO_TCP, name, &good, 64), 0);
			if (what & BAD_KEY_LEN)
				en.cipher_key_len = 0;
			if (what & BAD_POINTER)
				en.cipher_key = bad_page();
			if (what & BAD_SUITE)
				en.tls_vminor = 2;
			tunables[TUNABLE_ENABLE] = !(what & DISABLED);
			tunables[TUNABLE_RX_ENABLE] = !(what & RX_DISABLED);
			tunables[TUNABLE_CBC_ENABLE] = !(what & CBC_DISABLED);
			tunables[TUNABLE_MB_USE_EXT_PGS] = !(what & NO_EXT_PGS);
			int r = set(fd, IPPROTO_TCP, name, &en,
				    what & BAD_LENGTH ? 50 : 64);
			tunables[TUNABLE_ENABLE] = tunables[TUNABLE_RX_ENABLE] = 1;
			tunables[TUNABLE_CBC_ENABLE] = tunables[TUNABLE_MB_USE_EXT_PGS] =
				1;
			cr_expect_eq(r, expected, "row %zu, %s: %d, not %d", i,
				     rx ? "RX" : "TX", r, expected);
			drop(fd);
		}
	}
}

/* No rekey; a refused one changes nothing. The directions are independent. */
Test(sockopt, freebsd_no_rekey)
{
	const struct oracle_row *row = oracle_find("CHACHA20-POLY1305", 4);
	struct tls_enable en = enable_of(row);
	struct oracle oracle = oracle_of(row, 0);
	static uint8_t other_key[32];
	int fd, peer;

	tcp_pair(&fd, &peer);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), 0);
	struct tls_enable other = enable_of(oracle_find("AES-256-GCM", 3));
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_RXTLS_ENABLE, &other, 64), 0);
	struct tls_socket before = snapshot(fd);
	struct tls_enable again = en;
	again.cipher_key = other_key;
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &again, 64), -EALREADY);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), -EALREADY);
	cr_expect(unchanged(fd, &before));
	drop(fd);
	close(peer);
	/* Neither does one dialect take over the other's socket. */
	ulp_pair(&fd, &peer);
	before = snapshot(fd);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), -EALREADY);
	cr_expect(unchanged(fd, &before));
	drop(fd);
	close(peer);
	/* After a shutdown or the peer's FIN it still succeeds. */
	tcp_pair(&fd, &peer);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), 0);
	check_wire(fd, peer, &oracle, 0x01020304fffffffe, "half closed");
	drop(fd);
	close(peer);
}

Test(sockopt, freebsd_other_sockets)
{
	struct tls_enable en = enable_of(oracle_find("AES-128-GCM", 3));
	int pipes[2], one[2], value = 0, udp = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(value);

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
	const struct {
		int fd, expected;
	} rows[] = {
		{udp, -EINVAL}, {one[0], -EINVAL}, {pipes[0], -ENOTSOCK}, {-1, -EBADF}};
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(set(rows[i].fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64),
			     rows[i].expected);
		cr_expect_eq(set(rows[i].fd, IPPROTO_TCP, TCP_RXTLS_ENABLE, &en, 64),
			     rows[i].expected);
		cr_expect_eq(get(rows[i].fd, IPPROTO_TCP, TCP_TXTLS_MODE, &value, &len),
			     rows[i].expected);
		close(rows[i].fd);
	}
	close(one[1]);
	close(pipes[1]);
}

/* 3.2 and 3.3: the modes. */
Test(sockopt, freebsd_modes)
{
	struct tls_enable en = enable_of(oracle_find("AES-128-GCM", 3));
	static const struct {
		unsigned mode;
		int without, with, alone;
	} rows[] = {{TCP_TLS_MODE_NONE, -EINVAL, -EINVAL, -EINVAL},
		    {TCP_TLS_MODE_SW, 0, 0, 0},
		    {TCP_TLS_MODE_IFNET, 0, -EOPNOTSUPP, -ENXIO},
		    {TCP_TLS_MODE_TOE, -EINVAL, -EINVAL, -EINVAL},
		    {99, -EINVAL, -EINVAL, -EINVAL}};
	int fd, peer, alone = tcp_socket(), value;
	int listener = listening_socket(), gone = reset_socket();
	socklen_t len;

	tcp_pair(&fd, &peer);
	cr_expect_eq(set(alone, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), 0);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(set(peer, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[i].mode, 4),
			     rows[i].without, "row %zu", i);
		cr_expect_eq(set(alone, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[i].mode, 4),
			     rows[i].alone, "row %zu", i);
		cr_expect_eq(set(listener, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[i].mode, 4),
			     -EINVAL);
		cr_expect_eq(set(gone, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[i].mode, 4),
			     -ECONNRESET);
	}
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, 64), 0);
	for (size_t i = 0; i < 5; i++)
		cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[i].mode, 4),
			     rows[i].with, "row %zu", i);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_MODE, &rows[1].mode, 3), -EINVAL);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_TXTLS_MODE, bad_page(), 4), -EFAULT);
	cr_expect_eq(set(fd, IPPROTO_TCP, TCP_RXTLS_MODE, &rows[1].mode, 4),
		     -ENOPROTOOPT);
	/* What is told, cut to the room there is. */
	for (int rx = 0; rx < 2; rx++) {
		int name = rx ? TCP_RXTLS_MODE : TCP_TXTLS_MODE;
		for (socklen_t room = 0; room < 9; room++) {
			value = -1;
			len = room;
			cr_expect_eq(get(fd, IPPROTO_TCP, name, &value, &len), 0);
			cr_expect_eq(len, room < 4 ? room : 4);
			int expected = -1,
			    mode = rx ? TCP_TLS_MODE_NONE : TCP_TLS_MODE_SW;
			memcpy(&expected, &mode, len);
			cr_expect_eq(value, expected);
		}
		len = 4;
		cr_expect_eq(get(listener, IPPROTO_TCP, name, &value, &len), -EINVAL);
		cr_expect_eq(get(gone, IPPROTO_TCP, name, &value, &len), -ECONNRESET);
		cr_expect_eq(get(fd, IPPROTO_TCP, name, read_only_page(), &len), -EFAULT);
		cr_expect_eq(get(fd, IPPROTO_TCP, name, &value, bad_page()), -EFAULT);
	}
	for (int name = TCP_TXTLS_ENABLE; name <= TCP_RXTLS_ENABLE; name += 2) {
		len = 64;
		cr_expect_eq(get(fd, IPPROTO_TCP, name, &en, &len), -ENOPROTOOPT);
	}
	drop(fd);
	drop(alone);
	close(peer);
	close(listener);
	close(gone);
}

/* Linux's TCP-AO has the same numbers: its structs go to the kernel, unless the socket is
 * ours. */
Test(sockopt, tcp_ao_passes)
{
	static uint8_t ao[304];
	socklen_t len = 48;
	int fd = tcp_socket();

	cr_expect_eq(so_setsockopt(fd, IPPROTO_TCP, 39, ao, 144), SOCKOPT_PASS);
	cr_expect_eq(so_setsockopt(fd, IPPROTO_TCP, 40, ao, 48), SOCKOPT_PASS);
	cr_expect_eq(so_setsockopt(fd, IPPROTO_TCP, 42, ao, 16), SOCKOPT_PASS);
	cr_expect_eq(so_getsockopt(fd, IPPROTO_TCP, 40, ao, &len), SOCKOPT_PASS);
	len = 304;
	cr_expect_eq(so_getsockopt(fd, IPPROTO_TCP, 41, ao, &len), SOCKOPT_PASS);
	len = 16;
	cr_expect_eq(so_getsockopt(fd, IPPROTO_TCP, 42, ao, &len), SOCKOPT_PASS);
	cr_expect_eq(so_setsockopt(fd, IPPROTO_TCP, 1, ao, 4), SOCKOPT_PASS);
	cr_expect_eq(so_setsockopt(fd, IPPROTO_IP, 39, ao, 64), SOCKOPT_PASS);
	close(fd);
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
