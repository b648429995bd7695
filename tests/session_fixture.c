/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_fixture.c: makes sessions the short way, by the functions below the options.
 */
#include "session_fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "backend_ktls_native.h"
#include "real.h"
#include "sockopt.h"

void
prepare_library(void)
{
	setenv("KTLS_BACKEND", "sw", 1);
	real_init();
	native_init();
}

void
tcp_pair(int *fd, int *peer)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	*peer = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(*peer, (struct sockaddr *)&addr, len), 0);
	*fd = accept(listener, NULL, NULL);
	cr_assert_geq(*fd, 0);
	cr_assert_eq(setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	cr_assert_eq(setsockopt(*peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	close(listener);
}

static const struct suite *
suite_named(const char *name)
{
	for (enum suite_id id = SUITE_NONE + 1; id < SUITE_COUNT; id++)
		if (strcmp(suite_by_id(id)->name, name) == 0)
			return suite_by_id(id);
	return NULL;
}

void
turn_on(struct tls_end *end, const char *suite, int minor, enum record_rules rules,
	int with)
{
	const struct oracle_row *row = oracle_find(suite, minor);
	struct oracle *o = &end->oracle;
	struct cipher_params params = {
		.suite = suite_named(suite),
		.version = (uint8_t)minor,
		.key = o->key,
		.iv = o->iv,
		.mac_key = o->mac_key,
		.seq = FIRST_SEQ,
		.explicit_nonce = UINT64_MAX - 1, /* wraps soon */
	};

	cr_assert(row != NULL && params.suite != NULL, "%s", suite);
	*o = (struct oracle){.row = row, .mac_key_len = (size_t)row->mac_len};
	fill_pattern(o->key, sizeof(o->key), 1);
	fill_pattern(o->iv, sizeof(o->iv), 2);
	fill_pattern(o->mac_key, o->mac_key_len, 3);
	params.iv_len = (uint8_t)row->iv_len;
	params.mac_key_len = o->mac_key_len;
	end->seq = FIRST_SEQ;
	end->so = session_make(end->fd, rules);
	cr_assert_not_null(end->so);
	end->so->sock->ulp = rules == RULES_LINUX;
	if ((with & WITH_TX) != 0)
		cr_assert_eq(sockopt_set_key(end->so, end->fd, TX, &params), 0,
			     "%s: no engine (KTLS_ENGINE_DIR?)", suite);
	if ((with & WITH_RX) != 0)
		cr_assert_eq(sockopt_set_key(end->so, end->fd, RX, &params), 0);
}

void
open_pair(struct tls_end *end, const char *suite, int minor, enum record_rules rules,
	  int with)
{
	tcp_pair(&end->fd, &end->peer);
	turn_on(end, suite, minor, rules, with);
}

void
open_alone(struct tls_end *end, const char *suite, int minor, enum record_rules rules,
	   int with)
{
	end->fd = socket(AF_INET, SOCK_STREAM, 0);
	end->peer = -1;
	turn_on(end, suite, minor, rules, with);
}

void
close_end(struct tls_end *end)
{
	struct session *so = session_detach(end->fd);

	session_put(end->so);
	close(end->fd);
	session_detached(end->fd, so, true);
	if (end->peer >= 0)
		close(end->peer);
}

size_t
peer_seals(struct tls_end *end, uint8_t type, const uint8_t *payload, size_t len,
	   uint8_t *out)
{
	struct oracle_record r = {
		.seq = end->seq++, .type = type, .payload = payload, .len = len};

	fill_pattern(r.explicit_iv, sizeof(r.explicit_iv), (size_t)r.seq);
	return oracle_build(&end->oracle, &r, out);
}

ssize_t
peer_opens(struct tls_end *end, const uint8_t *wire, size_t len, size_t *used,
	   struct oracle_opened *opened)
{
	ssize_t n;

	if (len < RECORD_HEADER_LEN)
		return -1;
	*used = RECORD_HEADER_LEN + ((size_t)wire[3] << 8) + wire[4];
	if (*used > len)
		return -1;
	n = oracle_open(&end->oracle, end->seq++, wire, *used, opened);
	/* TLS 1.0: the next IV is the last block of ciphertext (RFC 2246 6.2.3.2). */
	if (end->oracle.row->minor == 1)
		memcpy(end->oracle.iv, wire + *used - 16, 16);
	return n;
}

void
fill_pattern(uint8_t *p, size_t n, size_t start)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = start + i;
		p[i] = (uint8_t)(at * 31 + (at >> 8) * 7 + 11);
	}
}

static void *
page(int protection)
{
	void *p = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

void *
bad_page(void)
{
	static void *p;

	return p != NULL ? p : (p = page(PROT_NONE));
}

void *
read_only_page(void)
{
	static void *p;

	return p != NULL ? p : (p = page(PROT_READ));
}
