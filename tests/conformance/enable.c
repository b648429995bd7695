/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enable.c: TCP_TXTLS_ENABLE and TCP_RXTLS_ENABLE: what they refuse, and that of several
 * things wrong at once the first in FreeBSD's order is told.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "knobs.h"
#include "peer.h"

/* One call, to be spoilt. */
struct call {
	int option;
	int fd[2];
	int sock; /* one of fd[], or a socket of its own */
	struct keys k;
	struct tls_enable en;
	const void *val;
	socklen_t len;
};

static void
call_make(struct call *c, int option, const struct suite *suite)
{
	memset(c, 0, sizeof(*c));
	c->option = option;
	tcp_pair(c->fd);
	c->sock = c->fd[1];
	keys_make(&c->k, suite);
	keys_enable(&c->k, &c->en);
	c->val = &c->en;
	c->len = sizeof(c->en);
}

static int
call(const struct call *c)
{
	return setsockopt(c->sock, IPPROTO_TCP, c->option, c->val, c->len);
}

static void
dead(struct call *c)
{
	uint8_t byte;

	close_hard(c->fd[0]);
	check_errno(read(c->sock, &byte, 1), ECONNRESET);
}

static void
null_value(struct call *c)
{
	c->val = NULL;
}

static void
bad_value(struct call *c)
{
	c->val = bad_address();
}

static void
short_value(struct call *c)
{
	c->len = sizeof(c->en) - 1;
}

static void
no_key(struct call *c)
{
	c->en.cipher_key_len = 0;
}

static void
negative_key(struct call *c)
{
	c->en.cipher_key_len = -1;
}

static void
long_key(struct call *c)
{
	c->en.cipher_key_len = TLS_MAX_PARAM_SIZE + 1;
}

static void
negative_iv(struct call *c)
{
	c->en.iv_len = -1;
}

static void
long_iv(struct call *c)
{
	c->en.iv_len = 17;
}

static void
negative_auth_key(struct call *c)
{
	c->en.auth_key_len = -1;
}

static void
long_auth_key(struct call *c)
{
	c->en.auth_key_len = TLS_MAX_PARAM_SIZE + 1;
}

static void
bad_key_pointer(struct call *c)
{
	c->en.cipher_key = bad_address();
}

static void
bad_iv_pointer(struct call *c)
{
	c->en.iv = bad_address();
}

static void
null_auth_pointer(struct call *c)
{
	c->en.auth_key = NULL;
}

static void
switched_off(struct call *c)
{
	(void)c;
	sysctl_set_bool("kern.ipc.tls.enable", false);
}

static void
rx_switched_off(struct call *c)
{
	(void)c;
	sysctl_set_bool("kern.ipc.tls.rx_enable", false);
}

static void
already_on(struct call *c)
{
	must(enable(c->sock, c->option, &c->k));
}

static void
cbc_switched_off(struct call *c)
{
	(void)c;
	sysctl_set_bool("kern.ipc.tls.cbc_enable", false);
}

static void
no_ext_pgs(struct call *c)
{
	(void)c;
	sysctl_set_int("kern.ipc.mb_use_ext_pgs", 0);
}

static void
major_2(struct call *c)
{
	c->en.tls_vmajor = 2;
}

static void
minor_0(struct call *c)
{
	c->en.tls_vminor = 0;
}

static void
minor_5(struct call *c)
{
	c->en.tls_vminor = 5;
}

static void
flags_1(struct call *c)
{
	c->en.flags = 1;
}

static void
unknown_auth(struct call *c)
{
	c->en.auth_algorithm = CRYPTO_SHA2_512_HMAC;
}

static void
no_auth_key(struct call *c)
{
	c->en.auth_key_len = 0;
}

static void
aes_192(struct call *c)
{
	c->en.cipher_key_len = 24;
}

static void
tls_1_0(struct call *c)
{
	c->en.tls_vminor = TLS_MINOR_VER_ZERO;
	if (c->en.auth_algorithm == CRYPTO_SHA2_256_HMAC)
		c->en.auth_algorithm = CRYPTO_SHA1_HMAC;
}

static void
listening(struct call *c)
{
	struct sockaddr_storage addr;
	socklen_t len;

	c->sock = tcp_listener(AF_INET, &addr, &len);
}

/* What can be wrong, in the order in which FreeBSD looks, for an AES-CBC suite. `what`
 * holds those together of which a call can have but one. */
static const struct wrong {
	void (*spoil)(struct call *c);
	int tx, rx; /* 0: nothing wrong */
	char what;
} wrongs[] = {
	{dead, ECONNRESET, ECONNRESET, 's'},
	{null_value, EFAULT, EFAULT, 'v'},
	{bad_value, EFAULT, EFAULT, 'v'},
	{short_value, EINVAL, EINVAL, 'v'},
	{no_key, EINVAL, EINVAL, 'k'},
	{negative_key, EINVAL, EINVAL, 'k'},
	{long_key, EINVAL, EINVAL, 'k'},
	{negative_iv, EINVAL, EINVAL, 'i'},
	{long_iv, EINVAL, EINVAL, 'i'},
	{negative_auth_key, EINVAL, EINVAL, 'a'},
	{long_auth_key, EINVAL, EINVAL, 'a'},
	{bad_key_pointer, EFAULT, EFAULT, 'k'},
	{bad_iv_pointer, EFAULT, EFAULT, 'i'},
	{null_auth_pointer, EFAULT, EFAULT, 'a'},
	{switched_off, EOPNOTSUPP, EOPNOTSUPP, 'e'},
	{rx_switched_off, 0, EOPNOTSUPP, 'r'},
	{already_on, EALREADY, EALREADY, 's'},
	{cbc_switched_off, EOPNOTSUPP, EOPNOTSUPP, 'c'},
	{no_ext_pgs, ENXIO, 0, 'x'},
	{major_2, EINVAL, EINVAL, '3'},
	{minor_0, EINVAL, EINVAL, 'm'},
	{minor_5, EINVAL, EINVAL, 'm'},
	{flags_1, EINVAL, EINVAL, 'f'},
	{unknown_auth, EINVAL, EINVAL, 'u'},
	{no_auth_key, EINVAL, EINVAL, 'a'},
	{aes_192, EINVAL, EINVAL, 'k'},
	{tls_1_0, 0, EPROTONOSUPPORT, 'm'},
	{listening, ENOTCONN, EINVAL, 's'},
};

enum {
	WRONGS = sizeof(wrongs) / sizeof(wrongs[0]),
};

static int
wrong_errno(const struct wrong *w, int option)
{
	return option == TCP_TXTLS_ENABLE ? w->tx : w->rx;
}

static void
switch_all_on(void)
{
	sysctl_set_bool("kern.ipc.tls.enable", true);
	sysctl_set_bool("kern.ipc.tls.rx_enable", true);
	sysctl_set_bool("kern.ipc.tls.cbc_enable", true);
	sysctl_set_int("kern.ipc.mb_use_ext_pgs", 1);
}

static void
call_close(struct call *c)
{
	if (c->sock != c->fd[1])
		close(c->sock);
	close(c->fd[0]);
	close(c->fd[1]);
}

/* Two wrongs make the errno of the first; with itself, or with none, just its own. */
static void
try_wrongs(int option, int first, int second)
{
	static struct call c;
	const struct wrong *a = &wrongs[first], *b = &wrongs[second];
	int want = wrong_errno(a, option);

	if (want == 0)
		want = wrong_errno(b, option);
	call_make(&c, option, suite_named("aes128_cbc_1_2_sha256"));
	/* Before the switches: keys are put on a socket by a good call. */
	bool on_first = b->spoil == already_on;
	(on_first ? b : a)->spoil(&c);
	if (second != first)
		(on_first ? a : b)->spoil(&c);
	int r = call(&c), error = errno;
	switch_all_on();
	if (want == 0 ? r != 0 : r != -1 || error != want)
		fail("wrongs %d and %d: %d (%s), should be %s", first, second, r,
		     r < 0 ? strerrorname_np(error) : "", strerrorname_np(want));
	call_close(&c);
}

static void
wrong_pairs(const struct variant *v, int option)
{
	int first = v->n - 1;

	check(v->n <= WRONGS);
	for (int second = first; second < WRONGS; second++)
		if (second == first || wrongs[first].what != wrongs[second].what)
			try_wrongs(option, first, second);
}

static void
wrong_pairs_tx(const struct variant *v)
{
	wrong_pairs(v, TCP_TXTLS_ENABLE);
}

static void
wrong_pairs_rx(const struct variant *v)
{
	wrong_pairs(v, TCP_RXTLS_ENABLE);
}

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

/* Lengths of iv and keys that the table of suites does not have. */
static void
wrong_lengths(const struct variant *v)
{
	struct call c;
	bool cbc, ignores_iv;

	call_make(&c, TCP_TXTLS_ENABLE, v->suite);
	cbc = is_cbc(&c.k);
	ignores_iv = cbc && v->suite->minor != TLS_MINOR_VER_ZERO;
	for (int len = 0; len <= 16; len++) {
		if (ignores_iv || len == c.k.iv_len)
			continue;
		c.en.iv_len = len;
		check_errno(call(&c), EINVAL);
	}
	c.en.iv_len = c.k.iv_len;
	for (int len = 1; len <= 48; len++) {
		if (len == c.k.o.row->key_len ||
		    (c.k.o.row->freebsd_id != CRYPTO_CHACHA20_POLY1305 &&
		     (len == 16 || len == 32)))
			continue;
		c.en.cipher_key = c.k.o.mac_key;
		c.en.cipher_key_len = len;
		check_errno(call(&c), EINVAL);
	}
	c.en.cipher_key_len = c.k.o.row->key_len;
	c.en.auth_key_len = cbc ? 0 : 20;
	check_errno(call(&c), EINVAL);
	call_close(&c);
}

/* All algorithm numbers that there are: only the suite's own is taken. */
static void
wrong_algorithms(const struct variant *v)
{
	struct call c;

	call_make(&c, TCP_RXTLS_ENABLE, v->suite);
	for (int id = -1; id <= 44; id++) {
		/* AES-256-GCM and ChaCha20-Poly1305 look alike in TLS 1.3. */
		bool twin =
			v->suite->minor == TLS_MINOR_VER_THREE &&
			c.en.cipher_key_len == 32 &&
			(id == CRYPTO_AES_NIST_GCM_16 || id == CRYPTO_CHACHA20_POLY1305);
		if (id == c.k.o.row->freebsd_id || twin)
			continue;
		c.en.cipher_algorithm = id;
		check_errno(call(&c), EINVAL);
	}
	c.en.cipher_algorithm = c.k.o.row->freebsd_id;
	for (int id = -1; id <= 44; id++) {
		bool gmac = id >= CRYPTO_AES_128_NIST_GMAC &&
			    id <= CRYPTO_AES_256_NIST_GMAC &&
			    c.en.cipher_algorithm == CRYPTO_AES_NIST_GCM_16;
		bool hmac = is_cbc(&c.k) && v->suite->minor == TLS_MINOR_VER_TWO &&
			    (id == CRYPTO_SHA1_HMAC || id == CRYPTO_SHA2_256_HMAC ||
			     id == CRYPTO_SHA2_384_HMAC);
		if (id == c.k.o.row->freebsd_auth || gmac || hmac)
			continue;
		c.en.auth_algorithm = id;
		check_errno(call(&c), EINVAL);
	}
	call_close(&c);
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

/* Every optlen below the struct's but v0's, and some above, of which 64 bytes count. */
static void
option_lengths(const struct variant *v)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct call c;

	check(page != MAP_FAILED);
	must(mprotect(page + 4096, 4096, PROT_NONE));
	call_make(&c, TCP_TXTLS_ENABLE, v->suite);
	for (socklen_t len = 0; len < sizeof(c.en); len++) {
		if (len == sizeof(struct tls_enable_v0))
			continue;
		c.len = len;
		check_errno(call(&c), EINVAL);
	}
	/* The surplus is not looked at: it need not even be there. */
	c.val = memcpy(page + 4096 - sizeof(c.en), &c.en, sizeof(c.en));
	c.len = 300;
	must(call(&c));
	c.option = TCP_RXTLS_ENABLE;
	c.len = 65;
	must(call(&c));
	call_close(&c);
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
	{"enable_tx", "wrong", 0, WRONGS, wrong_pairs_tx},
	{"enable_rx", "wrong", 0, WRONGS, wrong_pairs_rx},
	{"enable", "refused_changes_nothing", G_FEW, 0, refused_call_changes_nothing},
	{"enable", "wrong_lengths", G_TX, 0, wrong_lengths},
	{"enable", "wrong_algorithms", G_RX, 0, wrong_algorithms},
	{"enable", "gmac", G_GCM12 | G_GCM13, 0, gmac},
	{"enable", "odd_lengths", G_CBC10 | G_CBC, 0, cbc_odd_lengths},
	{"enable", "option_lengths", G_ONE, 0, option_lengths},
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
