/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sockopt_freebsd.c: what FreeBSD's options answer, in the order of its kernel, and
 * that the keys which they take are those on the wire.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "so.h"
#include "sockopt.h"
#include "sockopt_fixture.h"
#include "sysctl.h"

TestSuite(sockopt_freebsd, .init = prepare_library, .timeout = 120);

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
Test(sockopt_freebsd, combinations)
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
Test(sockopt_freebsd, suites)
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
Test(sockopt_freebsd, malformed)
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
Test(sockopt_freebsd, lengths)
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

/* What can be wrong, or be the case. */
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

/* Asks for TLS when all of `what` is so. */
static int
enable_when(int what, int name)
{
	const struct tls_enable good = enable_of(oracle_find("AES-128-GCM", 3));
	struct tls_enable en = good;
	int fd = what & RESET       ? reset_socket()
		 : what & LISTENING ? listening_socket()
				    : tcp_socket();

	if (what & CBC)
		en = enable_of(oracle_find("AES-256-CBC-SHA256", 3));
	else if (what & CBC10)
		en = enable_of(oracle_find("AES-128-CBC-SHA1", 1));
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
	int r = set(fd, IPPROTO_TCP, name, &en, what & BAD_LENGTH ? 50 : 64);
	tunables[TUNABLE_ENABLE] = tunables[TUNABLE_RX_ENABLE] = 1;
	tunables[TUNABLE_CBC_ENABLE] = tunables[TUNABLE_MB_USE_EXT_PGS] = 1;
	drop(fd);
	return r;
}

/* 3.1 from top to bottom: of two things that are wrong, the upper one is told. */
Test(sockopt_freebsd, order)
{
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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int tx = enable_when(rows[i].what, TCP_TXTLS_ENABLE);
		int rx = enable_when(rows[i].what, TCP_RXTLS_ENABLE);
		cr_expect_eq(tx, rows[i].tx, "row %zu, TX: %d, not %d", i, tx,
			     rows[i].tx);
		cr_expect_eq(rx, rows[i].rx, "row %zu, RX: %d, not %d", i, rx,
			     rows[i].rx);
	}
}

/* No rekey; a refused one changes nothing. The directions are independent. */
Test(sockopt_freebsd, no_rekey)
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

Test(sockopt_freebsd, other_sockets)
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
Test(sockopt_freebsd, modes)
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
Test(sockopt_freebsd, tcp_ao_passes)
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
