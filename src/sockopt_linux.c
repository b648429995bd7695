/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt_linux.c: TCP_ULP and the options of level SOL_TLS (Linux net/tls/tls_main.c).
 */
#include <endian.h>
#include <errno.h>
#include <linux/tls.h>
#include <string.h>

#include "backend_ktls_native.h"
#include "so.h"
#include "sockopt.h"
#include "stats.h"
#include "sysctl.h"
#include "uaccess.h"

#ifndef TLS_TX_ZEROCOPY_RO
#define TLS_TX_ZEROCOPY_RO 3
#endif
#ifndef TLS_RX_EXPECT_NO_PAD
#define TLS_RX_EXPECT_NO_PAD 4
#endif

enum {
	ULP_NAME_MAX = 16, /* TCP_ULP_NAME_MAX of <net/tcp.h>, with the NUL */
	INFO_HEADER = 4,   /* sizeof(struct tls_crypto_info) */
	INFO_MAX = 56,
	SEQ_LEN = 8,
	SALT_LEN = 4,
	WIRE_VERSION_12 = 0x0303,
	WIRE_VERSION_13 = 0x0304,
};

/* Where the parts are in a suite's struct tls12_crypto_info_*: header, iv, key, salt,
 * seq, without padding. */
struct info_layout {
	size_t iv, iv_len, key, key_len, salt, salt_len, seq, size;
};

static struct info_layout
info_layout(const struct suite *suite)
{
	struct info_layout l = {.iv = INFO_HEADER, .key_len = suite->key_len};

	/* ChaCha20-Poly1305 has no salt: its iv is the whole nonce. */
	l.salt_len = suite->id == SUITE_CHACHA20_POLY1305 ? 0 : SALT_LEN;
	l.iv_len = NONCE_LEN - l.salt_len;
	l.key = l.iv + l.iv_len;
	l.salt = l.key + l.key_len;
	l.seq = l.salt + l.salt_len;
	l.size = l.seq + SEQ_LEN;
	return l;
}
_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_128) == 40, "uapi");
_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_256) == INFO_MAX, "uapi");
_Static_assert(sizeof(struct tls12_crypto_info_chacha20_poly1305) == INFO_MAX, "uapi");

static uint64_t
get_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static void
put_be64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* What the struct calls iv is the explicit nonce of the next record where there is one.
 */
static bool
has_explicit_nonce(const struct suite *suite, uint8_t version)
{
	return version == TLS_V12 && suite->explicit_nonce12 > 0;
}

static uint8_t
minor_of(uint16_t wire_version)
{
	return wire_version == WIRE_VERSION_13 ? TLS_V13 : TLS_V12;
}

static const struct cipher_state *
cipher_of(const struct tls_socket *sock, enum engine_direction dir)
{
	return dir == TX ? &sock->tx.cipher : &sock->rx.cipher;
}

static bool
is_on(const struct tls_socket *sock, enum engine_direction dir)
{
	return dir == TX ? sock->tx.on : sock->rx.on;
}

int
linux_ulp_set(int fd, const void *val, socklen_t len)
{
	char name[ULP_NAME_MAX] = {0};
	struct tcp_summary info;
	struct session *so;
	int r;

	/* Bad arguments and other protocols' names are the kernel's to judge. */
	if (len == 0 || (int)len < 0 ||
	    user_copy_in(name, val, len < sizeof(name) ? len : sizeof(name) - 1) < 0 ||
	    strcmp(name, "tls") != 0)
		return SOCKOPT_PASS;
	so = session_get(fd);
	if (so != NULL) {
		session_put(so);
		return -EEXIST;
	}
	r = native_set_ulp(fd);
	if (r != -ENOENT)
		return r;
	if (!tunable(TUNABLE_ENABLE))
		return -ENOENT;
	if (sockopt_tcp_summary(fd, &info) < 0)
		return SOCKOPT_PASS;
	if (info.state != CONNECTION_ESTABLISHED)
		return -ENOTCONN;
	so = session_make(fd, RULES_LINUX);
	if (so == NULL || so == &session_closing)
		return so == NULL ? -ENOENT : -EBADF;
	so->sock->ulp = true;
	session_put(so);
	return 0;
}

int
linux_ulp_get(int fd, void *val, socklen_t *len)
{
	static const char name[ULP_NAME_MAX] = "tls";
	struct session *so = session_get(fd);
	socklen_t room;
	bool ulp;

	if (so == NULL)
		return SOCKOPT_PASS;
	ulp = so->sock->ulp;
	session_put(so);
	if (!ulp)
		return SOCKOPT_PASS;
	if (user_copy_in(&room, len, sizeof(room)) < 0)
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	room = room < sizeof(name) ? room : (socklen_t)sizeof(name);
	if (user_copy_out(val, name, room) < 0 ||
	    user_copy_out(len, &room, sizeof(room)) < 0)
		return -EFAULT;
	return 0;
}

/* The checks that need no more than the struct's header, in the kernel's order. */
static int
check_header(const struct tls_socket *sock, enum engine_direction dir,
	     const struct tls_crypto_info *h, const struct suite **suite)
{
	const struct cipher_state *now = cipher_of(sock, dir);
	enum engine_direction other_dir = dir == TX ? RX : TX;
	const struct cipher_state *other = cipher_of(sock, other_dir);

	*suite = suite_by_linux(h->cipher_type);
	if (h->version != WIRE_VERSION_12 && h->version != WIRE_VERSION_13)
		return -EINVAL;
	uint8_t version = minor_of(h->version);
	if (*suite == NULL || ((*suite)->tx_versions & VERSION_BIT(version)) == 0)
		return -EINVAL;
	if (is_on(sock, dir))
		return now->version == version && now->suite == (*suite)->id ? 0
									     : -EINVAL;
	if (is_on(sock, other_dir) &&
	    (other->version != version || other->suite != (*suite)->id))
		return -EINVAL;
	return 0;
}

static void
params_from_info(const struct suite *suite, uint8_t version, const uint8_t *info,
		 uint8_t nonce[NONCE_LEN], struct cipher_params *p)
{
	struct info_layout l = info_layout(suite);

	memcpy(nonce, info + l.salt, l.salt_len);
	memcpy(nonce + l.salt_len, info + l.iv, l.iv_len);
	*p = (struct cipher_params){
		.suite = suite,
		.version = version,
		.key = info + l.key,
		.iv = nonce,
		.iv_len = NONCE_LEN,
		.seq = get_be64(info + l.seq),
	};
	if (has_explicit_nonce(suite, version)) {
		p->iv_len = SALT_LEN;
		p->explicit_nonce = get_be64(info + l.iv);
	}
}

static int
set_key(struct session *so, int fd, enum engine_direction dir, const void *val,
	socklen_t len)
{
	uint8_t info[INFO_MAX], nonce[NONCE_LEN];
	struct tls_crypto_info header;
	struct cipher_params params;
	const struct suite *suite;
	int r;

	if (val == NULL || len < sizeof(header))
		return -EINVAL;
	/* Only TLS 1.3 can replace a key (Linux 6.14). */
	if (is_on(so->sock, dir) && cipher_of(so->sock, dir)->version != TLS_V13)
		return -EBUSY;
	if (user_copy_in(&header, val, sizeof(header)) < 0)
		return -EFAULT;
	stats_add(STAT_ENABLE_CALLS, 1);
	r = check_header(so->sock, dir, &header, &suite);
	if (r < 0)
		return r;
	if (len != info_layout(suite).size)
		return -EINVAL;
	if (user_copy_in(info, val, len) < 0)
		return -EFAULT;
	params_from_info(suite, minor_of(header.version), info, nonce, &params);
	r = sockopt_set_key(so, fd, dir, &params);
	secure_wipe(info, sizeof(info));
	secure_wipe(nonce, sizeof(nonce));
	return r;
}

static int
get_key(struct session *so, enum engine_direction dir, void *val, socklen_t *len)
{
	const struct cipher_state *c = cipher_of(so->sock, dir);
	uint8_t info[INFO_MAX] = {0};
	socklen_t room;
	int r;

	if (user_copy_in(&room, len, sizeof(room)) < 0)
		return -EFAULT;
	if (val == NULL || room < INFO_HEADER)
		return -EINVAL;
	if (!is_on(so->sock, dir))
		return -EBUSY;
	r = session_lock(so, -1, dir);
	if (r < 0)
		return r == -EDEADLK ? -EBUSY : r;
	const struct suite *suite = suite_by_id(c->suite);
	struct info_layout l = info_layout(suite);
	struct tls_crypto_info header = {
		.version = c->version == TLS_V13 ? WIRE_VERSION_13 : WIRE_VERSION_12,
		.cipher_type = suite->linux_cipher,
	};
	memcpy(info, &header, sizeof(header));
	memcpy(info + l.key, c->key, l.key_len);
	memcpy(info + l.salt, c->iv, l.salt_len);
	if (has_explicit_nonce(suite, c->version))
		put_be64(info + l.iv, c->explicit_nonce);
	else
		memcpy(info + l.iv, c->iv + l.salt_len, l.iv_len);
	put_be64(info + l.seq, c->seq);
	session_unlock(so, dir);
	if (room != INFO_HEADER && room != l.size)
		r = -EINVAL;
	else
		r = user_copy_out(val, info, room);
	secure_wipe(info, sizeof(info));
	return r;
}

/* A u32 of 0 or 1; bytes behind it must be zero. */
static int
read_switch(const void *val, socklen_t len, uint32_t *value)
{
	uint8_t more;

	if (user_copy_in(value, val, sizeof(*value)) < 0)
		return -EFAULT;
	if (*value > 1)
		return -EINVAL;
	for (socklen_t i = sizeof(*value); i < len; i++) {
		if (user_copy_in(&more, (const uint8_t *)val + i, 1) < 0)
			return -EFAULT;
		if (more != 0)
			return -EINVAL;
	}
	return 0;
}

static int
set_zerocopy(struct tls_socket *sock, const void *val, socklen_t len)
{
	uint32_t value;

	if (val == NULL || len != sizeof(value))
		return -EINVAL;
	int r = read_switch(val, len, &value);
	if (r == 0)
		sock->zerocopy_ro = value;
	return r;
}

static bool
rx_is_tls13(const struct tls_socket *sock)
{
	return sock->rx.on && sock->rx.cipher.version == TLS_V13;
}

static int
set_no_pad(struct tls_socket *sock, const void *val, socklen_t len)
{
	uint32_t value;

	if (!rx_is_tls13(sock) || val == NULL || len < sizeof(value))
		return -EINVAL;
	int r = read_switch(val, len, &value);
	if (r == 0)
		sock->expect_no_pad = value;
	return r;
}

static int
get_switch(uint32_t value, bool exact, void *val, socklen_t *len)
{
	socklen_t room, size = sizeof(value);

	if (user_copy_in(&room, len, sizeof(room)) < 0)
		return -EFAULT;
	if (exact ? room != size : room < size)
		return -EINVAL;
	if (user_copy_out(val, &value, size) < 0 ||
	    user_copy_out(len, &size, sizeof(size)) < 0)
		return -EFAULT;
	return 0;
}

static struct session *
session_with_ulp(int fd)
{
	struct session *so = session_get(fd);

	if (so == NULL || so == &session_closing || so->sock->ulp)
		return so;
	session_put(so);
	return NULL;
}

int
linux_tls_set(int fd, int name, const void *val, socklen_t len)
{
	struct session *so = session_with_ulp(fd);
	int r;

	if (so == NULL)
		return SOCKOPT_PASS;
	if (so == &session_closing)
		return -EBADF;
	switch (name) {
	case TLS_TX:
		r = set_key(so, fd, TX, val, len);
		break;
	case TLS_RX:
		r = set_key(so, fd, RX, val, len);
		break;
	case TLS_TX_ZEROCOPY_RO:
		r = set_zerocopy(so->sock, val, len);
		break;
	case TLS_RX_EXPECT_NO_PAD:
		r = set_no_pad(so->sock, val, len);
		break;
	default:
		r = -ENOPROTOOPT;
	}
	session_put(so);
	return r;
}

int
linux_tls_get(int fd, int name, void *val, socklen_t *len)
{
	struct session *so = session_with_ulp(fd);
	int r;

	if (so == NULL)
		return SOCKOPT_PASS;
	if (so == &session_closing)
		return -EBADF;
	switch (name) {
	case TLS_TX:
		r = get_key(so, TX, val, len);
		break;
	case TLS_RX:
		r = get_key(so, RX, val, len);
		break;
	case TLS_TX_ZEROCOPY_RO:
		r = get_switch(so->sock->zerocopy_ro, true, val, len);
		break;
	case TLS_RX_EXPECT_NO_PAD:
		r = rx_is_tls13(so->sock)
			    ? get_switch(so->sock->expect_no_pad, false, val, len)
			    : -EINVAL;
		break;
	default:
		r = -ENOPROTOOPT;
	}
	session_put(so);
	return r;
}
