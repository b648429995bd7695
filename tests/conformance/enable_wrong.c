/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enable_wrong.c: what turning TLS on refuses, and that of several things wrong at once
 * the first in FreeBSD's order is told.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "enable_call.h"
#include "knobs.h"

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

const struct scenario enable_wrong_scenarios[] = {
	{"enable_tx", "wrong", 0, WRONGS, wrong_pairs_tx},
	{"enable_rx", "wrong", 0, WRONGS, wrong_pairs_rx},
	{"enable", "wrong_lengths", G_TX, 0, wrong_lengths},
	{"enable", "wrong_algorithms", G_RX, 0, wrong_algorithms},
	{"enable", "option_lengths", G_ONE, 0, option_lengths},
	{0},
};
