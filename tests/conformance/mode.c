/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mode.c: TCP_TXTLS_MODE and TCP_RXTLS_MODE in every state a socket can be in, and what
 * shares their numbers on Linux.
 */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

/* A socket's state, and what the four calls answer there. */
static const struct state {
	const char *name;
	bool tx, rx, connected, listening, dead;
	int get_tx, get_rx;    /* a mode, or 100 times an errno */
	int set_sw, set_ifnet; /* 0 or an errno */
} states[] = {
	{.name = "fresh"},
	{.name = "connected", .connected = true},
	{.name = "tx",
	 .connected = true,
	 .tx = true,
	 .get_tx = 1,
	 .set_ifnet = EOPNOTSUPP},
	{.name = "rx", .connected = true, .rx = true, .get_rx = 1},
	{.name = "both",
	 .connected = true,
	 .tx = true,
	 .rx = true,
	 .get_tx = 1,
	 .get_rx = 1,
	 .set_ifnet = EOPNOTSUPP},
	{.name = "unconnected tx", .tx = true, .get_tx = 1, .set_ifnet = ENXIO},
	{.name = "listening",
	 .listening = true,
	 .get_tx = EINVAL * 100,
	 .get_rx = EINVAL * 100,
	 .set_sw = EINVAL,
	 .set_ifnet = EINVAL},
	{.name = "dead",
	 .connected = true,
	 .dead = true,
	 .get_tx = ECONNRESET * 100,
	 .get_rx = ECONNRESET * 100,
	 .set_sw = ECONNRESET,
	 .set_ifnet = ECONNRESET},
	{.name = "dead tx",
	 .connected = true,
	 .tx = true,
	 .dead = true,
	 .get_tx = ECONNRESET * 100,
	 .get_rx = ECONNRESET * 100,
	 .set_sw = ECONNRESET,
	 .set_ifnet = ECONNRESET},
};

enum {
	STATES = sizeof(states) / sizeof(states[0]),
};

static int
socket_in(const struct state *s, const struct suite *suite)
{
	struct sockaddr_storage addr;
	socklen_t len;
	struct keys k;
	int fd[2] = {-1, -1};
	char byte;

	if (s->listening)
		return tcp_listener(AF_INET, &addr, &len);
	if (s->connected)
		tcp_pair(fd);
	else
		fd[1] = tcp_socket();
	if (s->tx)
		enable_tx(fd[1], suite, &k);
	if (s->rx)
		enable_rx(fd[1], suite, &k);
	if (s->dead) {
		close_hard(fd[0]);
		check_errno(read(fd[1], &byte, 1), ECONNRESET);
	}
	return fd[1];
}

static void
check_get(int fd, int name, int want)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (want >= 100) {
		check_errno(getsockopt(fd, IPPROTO_TCP, name, &value, &len), want / 100);
		return;
	}
	must(getsockopt(fd, IPPROTO_TCP, name, &value, &len));
	check_eq(value, want);
	check_eq(len, sizeof(value));
}

static int
set_mode(int fd, unsigned mode, socklen_t len)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_TXTLS_MODE, &mode, len);
}

static void
check_set(int fd, unsigned mode, int want)
{
	if (want != 0)
		check_errno(set_mode(fd, mode, sizeof(mode)), want);
	else
		check_eq(set_mode(fd, mode, sizeof(mode)), 0);
}

static void
state(const struct variant *v)
{
	const struct state *s = &states[v->n - 1];
	static const unsigned nonsense[] = {TCP_TLS_MODE_NONE, TCP_TLS_MODE_TOE, 4, 0x100,
					    0xffffffff};
	int fd = socket_in(s, v->suite);
	int dead = s->dead ? ECONNRESET : 0, one = 1;

	check_get(fd, TCP_TXTLS_MODE, s->get_tx);
	check_get(fd, TCP_RXTLS_MODE, s->get_rx);
	check_set(fd, TCP_TLS_MODE_SW, s->set_sw);
	check_set(fd, TCP_TLS_MODE_IFNET, s->set_ifnet);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		check_set(fd, nonsense[i], dead ? dead : EINVAL);
	for (socklen_t len = 0; len < sizeof(int); len++)
		check_errno(set_mode(fd, TCP_TLS_MODE_SW, len), dead ? dead : EINVAL);
	check_errno(setsockopt(fd, IPPROTO_TCP, TCP_RXTLS_MODE, &one, sizeof(one)),
		    dead ? dead : ENOPROTOOPT);
	check_get(fd, TCP_TXTLS_ENABLE, (dead ? dead : ENOPROTOOPT) * 100);
	check_get(fd, TCP_RXTLS_ENABLE, (dead ? dead : ENOPROTOOPT) * 100);
	check_get(fd, TCP_TXTLS_MODE, s->get_tx);
	check_get(fd, TCP_RXTLS_MODE, s->get_rx);
}

/* Asking for the mode that is, or for one that cannot be, changes nothing on the wire. */
static void
set_between_records(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	check_eq(write(fd[1], "one", 3), 3);
	check_set(fd[1], TCP_TLS_MODE_SW, 0);
	check_eq(write(fd[1], "two", 3), 3);
	check_set(fd[1], TCP_TLS_MODE_IFNET, EOPNOTSUPP);
	check_eq(write(fd[1], "three", 5), 5);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "one", 3);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "two", 3);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "three", 5);
}

/* Too short a buffer gets the value's beginning; one that is not there, EFAULT. */
static void
get_lengths(const struct variant *v)
{
	struct keys k;
	int fd[2], value;

	tx_pair(fd, v->suite, &k);
	for (socklen_t room = 0; room <= 8; room++) {
		unsigned char bytes[8];
		int whole = TCP_TLS_MODE_SW;
		socklen_t len = room;
		memset(bytes, 0xaa, sizeof(bytes));
		must(getsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, bytes, &len));
		check_eq(len, room < 4 ? room : 4);
		check_bytes(bytes, &whole, len);
		for (socklen_t i = len; i < sizeof(bytes); i++)
			check_eq(bytes[i], 0xaa);
	}
	socklen_t len = sizeof(value);
	check_errno(getsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, bad_address(), &len),
		    EFAULT);
	check_errno(getsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, &value, bad_address()),
		    EFAULT);
	check_errno(setsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, bad_address(), 4),
		    EFAULT);
}

static void
bad_descriptors(const struct variant *v)
{
	int fd[2], value;
	socklen_t len = sizeof(value);

	(void)v;
	must(pipe(fd));
	for (int name = TCP_TXTLS_MODE; name <= TCP_RXTLS_MODE; name += 2) {
		check_errno(getsockopt(-1, IPPROTO_TCP, name, &value, &len), EBADF);
		check_errno(getsockopt(fd[0], IPPROTO_TCP, name, &value, &len), ENOTSOCK);
		check_errno(setsockopt(999, IPPROTO_TCP, name, &value, len), EBADF);
		check_errno(setsockopt(fd[0], IPPROTO_TCP, name, &value, len), ENOTSOCK);
	}
}

/* Linux's TCP-AO: option, length, and whether it is set or got. */
static const struct {
	int option;
	socklen_t len;
	bool set, get;
} tcp_ao[] = {
	{39, 144, true, false},
	{40, 48, true, true},
	{41, 304, false, true},
	{42, 16, true, true},
};

static int
libc_answer(const char *call, int fd, int option, void *val, socklen_t len)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	int r;

	check(libc != NULL);
	if (strcmp(call, "setsockopt") == 0) {
		__typeof__(setsockopt) *set;
		*(void **)&set = dlsym(libc, call);
		r = set(fd, IPPROTO_TCP, option, val, len);
	} else {
		__typeof__(getsockopt) *get;
		*(void **)&get = dlsym(libc, call);
		r = get(fd, IPPROTO_TCP, option, val, &len);
	}
	return r < 0 ? errno : 0;
}

/* On a socket without keys these go to the kernel, whatever it says of them. */
static void
tcp_ao_lengths(const struct variant *v)
{
	uint8_t val[304] = {0};
	socklen_t len;
	int fd[2], plain[2];

	(void)v;
	tcp_pair(fd);
	tcp_pair(plain);
	for (size_t i = 0; i < sizeof(tcp_ao) / sizeof(tcp_ao[0]); i++) {
		int option = tcp_ao[i].option;
		len = tcp_ao[i].len;
		if (tcp_ao[i].set) {
			int r = setsockopt(fd[0], IPPROTO_TCP, option, val, len);
			int error = r < 0 ? errno : 0;
			check_eq(error,
				 libc_answer("setsockopt", plain[0], option, val, len));
		}
		if (tcp_ao[i].get) {
			int r = getsockopt(fd[0], IPPROTO_TCP, option, val, &len);
			int error = r < 0 ? errno : 0;
			check_eq(error, libc_answer("getsockopt", plain[0], option, val,
						    tcp_ao[i].len));
		}
	}
}

/* On a socket with keys they are for TLS. */
static void
tcp_ao_lengths_with_keys(const struct variant *v)
{
	uint8_t val[144] = {0};
	struct tls_enable en;
	struct keys k;
	int fd[2], mode = TCP_TLS_MODE_SW, got = -1;
	socklen_t len = 48;

	tx_pair(fd, v->suite, &k);
	keys_enable(&k, &en);
	memcpy(val, &en, sizeof(en));
	check_errno(setsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_ENABLE, val, 144), EALREADY);
	memset(val, 0, sizeof(val));
	memcpy(val, &mode, sizeof(mode));
	check_eq(setsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, val, 48), 0);
	must(getsockopt(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE, val, &len));
	check_eq(len, sizeof(int));
	memcpy(&got, val, sizeof(got));
	check_eq(got, TCP_TLS_MODE_SW);
}

const struct scenario mode_scenarios[] = {
	{"mode", "state", G_ONE, STATES, state},
	{"mode", "set_between_records", G_TX, 0, set_between_records},
	{"mode", "get_lengths", G_ONE, 0, get_lengths},
	{"mode", "bad_descriptors", 0, 0, bad_descriptors},
	{"mode", "tcp_ao_lengths", 0, 0, tcp_ao_lengths},
	{"mode", "tcp_ao_lengths_with_keys", G_ONE, 0, tcp_ao_lengths_with_keys},
	{0},
};
