/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt_freebsd.c: TCP_TXTLS_ENABLE and its three sisters (FreeBSD ktls(4),
 * sys/kern/uipc_ktls.c), with FreeBSD's order of errors.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/random.h>

#include "so.h"
#include "sockopt.h"
#include "stats.h"
#include "sysctl.h"
#include "uaccess.h"

/* What Linux's TCP-AO (since 6.7) passes under the same numbers: see ktls_compat.h. */
enum {
	AO_DEL_KEY_LEN = 144,  /* set 39 */
	AO_INFO_LEN = 48,      /* set and get 40 */
	AO_GET_KEYS_LEN = 304, /* get 41 */
	AO_REPAIR_LEN = 16,    /* set and get 42 */
};

/* The caller's bytes, copied before any is judged: another thread may change them. */
struct enable_copy {
	struct tls_enable en;
	uint8_t key[TLS_MAX_PARAM_SIZE];
	uint8_t iv[TLS_CBC_IMPLICIT_IV_LEN];
	uint8_t auth_key[TLS_MAX_PARAM_SIZE];
};

static socklen_t
tcp_ao_len(int name, bool set)
{
	switch (name) {
	case TCP_TXTLS_ENABLE:
		return set ? AO_DEL_KEY_LEN : 0;
	case TCP_TXTLS_MODE:
		return AO_INFO_LEN;
	case TCP_RXTLS_ENABLE:
		return set ? 0 : AO_GET_KEYS_LEN;
	default:
		return AO_REPAIR_LEN;
	}
}

static bool
is_tcp_ao(int fd, int name, bool set, socklen_t len)
{
	if (len == 0 || len != tcp_ao_len(name, set))
		return false;
	struct session *so = session_get(fd);
	if (so != NULL)
		session_put(so);
	return so == NULL;
}

/* The connection's state, or the errno for a socket that can have no TLS. */
static int
connection_state(int fd, int *state)
{
	struct session *so = session_get(fd);
	struct tcp_summary info;
	int r = sockopt_tcp_summary(fd, &info);
	bool dropped = so != NULL && so != &session_closing && so->sock->dropped;

	if (so != NULL)
		session_put(so);
	if (r < 0)
		return r == -EBADF || r == -ENOTSOCK ? r : -EINVAL;
	*state = info.state;
	/* Closed, though it has sent a segment: torn down. A new socket has sent none. */
	if (dropped || (info.state == CONNECTION_CLOSED && info.has_spoken))
		return -ECONNRESET;
	return 0;
}

static int
copy_struct(struct enable_copy *c, const void *val, socklen_t len)
{
	if (val == NULL && len > 0)
		return -EFAULT;
	if (len < sizeof(c->en) && len != sizeof(struct tls_enable_v0))
		return -EINVAL;
	memset(&c->en, 0, sizeof(c->en));
	if (user_copy_in(&c->en, val, len < sizeof(c->en) ? len : sizeof(c->en)) < 0)
		return -EFAULT;
	/* The bytes behind v0's last field are padding there and rec_seq here. */
	if (len == sizeof(struct tls_enable_v0))
		memset(c->en.rec_seq, 0, sizeof(c->en.rec_seq));
	return 0;
}

static int
copy_secrets(struct enable_copy *c)
{
	const struct tls_enable *en = &c->en;

	if (en->cipher_key_len <= 0 || en->cipher_key_len > TLS_MAX_PARAM_SIZE ||
	    en->iv_len < 0 || en->iv_len > (int)sizeof(c->iv) || en->auth_key_len < 0 ||
	    en->auth_key_len > TLS_MAX_PARAM_SIZE)
		return -EINVAL;
	if (user_copy_in(c->key, en->cipher_key, (size_t)en->cipher_key_len) < 0 ||
	    user_copy_in(c->iv, en->iv, (size_t)en->iv_len) < 0 ||
	    user_copy_in(c->auth_key, en->auth_key, (size_t)en->auth_key_len) < 0)
		return -EFAULT;
	return 0;
}

/* GMAC's ids came with GCM from programs of FreeBSD 12. */
static int
auth_algorithm(const struct tls_enable *en)
{
	bool gmac = en->auth_algorithm >= CRYPTO_AES_128_NIST_GMAC &&
		    en->auth_algorithm <= CRYPTO_AES_256_NIST_GMAC;

	return gmac && en->cipher_algorithm == CRYPTO_AES_NIST_GCM_16
		       ? 0
		       : en->auth_algorithm;
}

static int
required_iv_len(const struct suite *suite, uint8_t version)
{
	if (suite_is_cbc(suite))
		return version == TLS_V10 ? TLS_CBC_IMPLICIT_IV_LEN : -1;
	if (suite->id == SUITE_CHACHA20_POLY1305)
		return TLS_CHACHA20_IV_LEN;
	return version == TLS_V13 ? TLS_1_3_GCM_IV_LEN : TLS_AEAD_GCM_LEN;
}

static int
check_suite(const struct tls_enable *en, enum engine_direction dir,
	    const struct suite **suite)
{
	const struct suite *s;
	int iv_len;

	if (en->tls_vmajor != TLS_MAJOR_VER_ONE || en->tls_vminor < TLS_MINOR_VER_ZERO ||
	    en->tls_vminor > TLS_MINOR_VER_THREE || en->flags != 0)
		return -EINVAL;
	s = suite_by_freebsd(en->cipher_algorithm, en->cipher_key_len,
			     auth_algorithm(en));
	if (s == NULL || (s->tx_versions & VERSION_BIT(en->tls_vminor)) == 0 ||
	    suite_is_cbc(s) != (en->auth_key_len > 0))
		return -EINVAL;
	iv_len = required_iv_len(s, en->tls_vminor);
	if (iv_len >= 0 && en->iv_len != iv_len)
		return -EINVAL;
	if (dir == RX && (s->rx_versions & VERSION_BIT(en->tls_vminor)) == 0)
		return -EPROTONOSUPPORT;
	*suite = s;
	return 0;
}

static bool
already_on(int fd, enum engine_direction dir)
{
	struct session *so = session_with(fd, dir);

	if (so != NULL)
		session_put(so);
	return so != NULL;
}

/* ktls_enable_tx() and ktls_enable_rx() up to the session, in their order. */
static int
check_enable(int fd, enum engine_direction dir, const struct enable_copy *c, int state,
	     const struct suite **suite)
{
	int r;

	if (!tunable(TUNABLE_ENABLE) || (dir == RX && !tunable(TUNABLE_RX_ENABLE)))
		return -ENOTSUP;
	stats_add(STAT_ENABLE_CALLS, 1);
	if (already_on(fd, dir))
		return -EALREADY;
	if (c->en.cipher_algorithm == CRYPTO_AES_CBC && !tunable(TUNABLE_CBC_ENABLE))
		return -ENOTSUP;
	if (dir == TX && !tunable(TUNABLE_MB_USE_EXT_PGS))
		return -ENXIO;
	r = check_suite(&c->en, dir, suite);
	if (r < 0)
		return r;
	if (state == CONNECTION_LISTENING)
		return dir == TX ? -ENOTCONN : -EINVAL;
	return 0;
}

static int
install(int fd, enum engine_direction dir, const struct enable_copy *c,
	const struct suite *suite)
{
	struct cipher_params p = {
		.suite = suite,
		.version = c->en.tls_vminor,
		.key = c->key,
		.iv = c->iv,
		.iv_len = (uint8_t)c->en.iv_len,
		.mac_key = c->auth_key,
		.mac_key_len = (size_t)c->en.auth_key_len,
	};
	struct session *so;
	int r;

	memcpy(&p.seq, c->en.rec_seq, sizeof(p.seq));
	p.seq = be64toh(p.seq);
	/* FreeBSD counts the explicit nonce from a random start (ktls_create_session()).
	 */
	if (getrandom(&p.explicit_nonce, sizeof(p.explicit_nonce), 0) !=
	    (ssize_t)sizeof(p.explicit_nonce))
		return -EIO;
	so = session_make(fd, RULES_FREEBSD);
	if (so == NULL)
		return -ENOMEM;
	if (so == &session_closing)
		return -EBADF;
	r = so->sock->ulp ? -EALREADY : sockopt_set_key(so, fd, dir, &p);
	sockopt_drop_unused(fd, so);
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

static int
enable(int fd, enum engine_direction dir, const void *val, socklen_t len)
{
	struct enable_copy c;
	const struct suite *suite;
	int state, r = connection_state(fd, &state);

	if (r == 0)
		r = copy_struct(&c, val, len);
	if (r < 0)
		return r;
	r = copy_secrets(&c);
	if (r == 0)
		r = check_enable(fd, dir, &c, state, &suite);
	if (r == 0)
		r = install(fd, dir, &c, suite);
	secure_wipe(&c, sizeof(c));
	return r;
}

/* ktls_set_tx_mode(): a request for a NIC that there is not. */
static int
set_tx_mode(int fd, const void *val, socklen_t len)
{
	unsigned mode;
	int state, r = connection_state(fd, &state);

	if (r < 0)
		return r;
	if (len < sizeof(mode))
		return -EINVAL;
	if (user_copy_in(&mode, val, sizeof(mode)) < 0)
		return -EFAULT;
	if (state == CONNECTION_LISTENING ||
	    (mode != TCP_TLS_MODE_SW && mode != TCP_TLS_MODE_IFNET))
		return -EINVAL;
	if (!already_on(fd, TX) || mode == TCP_TLS_MODE_SW)
		return 0;
	return state == CONNECTION_CLOSED ? -ENXIO : -EOPNOTSUPP;
}

static int
get_mode(int fd, enum engine_direction dir, void *val, socklen_t *len)
{
	int state, r = connection_state(fd, &state);

	if (r < 0)
		return r;
	if (state == CONNECTION_LISTENING)
		return -EINVAL;
	return sockopt_put_int(already_on(fd, dir) ? TCP_TLS_MODE_SW : TCP_TLS_MODE_NONE,
			       val, len);
}

int
freebsd_set(int fd, int name, const void *val, socklen_t len)
{
	int state;

	if (is_tcp_ao(fd, name, true, len))
		return SOCKOPT_PASS;
	switch (name) {
	case TCP_TXTLS_ENABLE:
		return enable(fd, TX, val, len);
	case TCP_RXTLS_ENABLE:
		return enable(fd, RX, val, len);
	case TCP_TXTLS_MODE:
		return set_tx_mode(fd, val, len);
	default:
		return connection_state(fd, &state) < 0 ? connection_state(fd, &state)
							: -ENOPROTOOPT;
	}
}

int
freebsd_get(int fd, int name, void *val, socklen_t *len)
{
	socklen_t room = 0;
	int state, r;

	if (user_copy_in(&room, len, sizeof(room)) < 0)
		return -EFAULT;
	if (is_tcp_ao(fd, name, false, room))
		return SOCKOPT_PASS;
	if (name == TCP_TXTLS_MODE || name == TCP_RXTLS_MODE)
		return get_mode(fd, name == TCP_TXTLS_MODE ? TX : RX, val, len);
	r = connection_state(fd, &state);
	return r < 0 ? r : -ENOPROTOOPT;
}
