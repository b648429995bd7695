/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer_tls.c: keys and records for the scenarios.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <string.h>

#include "check.h"

void
keys_make(struct keys *k, const struct suite *suite)
{
	memset(k, 0, sizeof(*k));
	k->suite = suite;
	k->o.row = oracle_find(suite->row, suite->row_minor);
	check(k->o.row != NULL);
	random_bytes(k->o.key, sizeof(k->o.key));
	random_bytes(k->o.iv, sizeof(k->o.iv));
	k->o.mac_key_len = (size_t)k->o.row->mac_len;
	random_bytes(k->o.mac_key, k->o.mac_key_len);
	/* OpenSSL passes 16 bytes for CBC of every version. */
	k->iv_len = is_cbc(k) ? TLS_CBC_IMPLICIT_IV_LEN : k->o.row->iv_len;
	k->seq = random_below(INT32_MAX);
}

bool
is_cbc(const struct keys *k)
{
	return k->o.row->mode == ORACLE_CBC;
}

int
wire_minor(const struct keys *k)
{
	return k->suite->minor == TLS_MINOR_VER_THREE ? TLS_MINOR_VER_TWO
						      : k->suite->minor;
}

void
keys_enable(const struct keys *k, struct tls_enable *en)
{
	*en = (struct tls_enable){
		.cipher_key = k->o.key,
		.iv = k->o.iv,
		.auth_key = k->o.mac_key,
		.cipher_algorithm = k->o.row->freebsd_id,
		.cipher_key_len = k->o.row->key_len,
		.iv_len = k->iv_len,
		.auth_algorithm = k->o.row->freebsd_auth,
		.auth_key_len = (int)k->o.mac_key_len,
		.tls_vmajor = TLS_MAJOR_VER_ONE,
		.tls_vminor = (uint8_t)k->suite->minor,
	};
	for (int i = 0; i < 8; i++)
		en->rec_seq[i] = (uint8_t)(k->seq >> (56 - 8 * i));
}

int
enable(int fd, int option, const struct keys *k)
{
	struct tls_enable en;

	keys_enable(k, &en);
	return setsockopt(fd, IPPROTO_TCP, option, &en, sizeof(en));
}

void
enable_tx(int fd, const struct suite *suite, struct keys *k)
{
	keys_make(k, suite);
	must(enable(fd, TCP_TXTLS_ENABLE, k));
}

void
enable_rx(int fd, const struct suite *suite, struct keys *k)
{
	keys_make(k, suite);
	must(enable(fd, TCP_RXTLS_ENABLE, k));
}

void
tx_pair(int fd[2], const struct suite *suite, struct keys *k)
{
	tcp_pair(fd);
	enable_tx(fd[1], suite, k);
}

void
rx_pair(int fd[2], const struct suite *suite, struct keys *k)
{
	tcp_pair(fd);
	enable_rx(fd[0], suite, k);
}

/* TLS 1.0: the next record's IV is the end of this one (RFC 2246 6.2.3.2). */
static void
record_passed(struct keys *k, const uint8_t *wire, size_t len)
{
	k->seq++;
	if (k->o.row->minor == TLS_MINOR_VER_ZERO)
		memcpy(k->o.iv, wire + len - 16, 16);
}

void
open_record(struct keys *k, struct wire_record *r)
{
	ssize_t len = oracle_open(&k->o, k->seq, r->wire, r->wire_len, &r->opened);

	if (len < 0)
		fail("record %llu of %zu bytes does not open", (unsigned long long)k->seq,
		     r->wire_len);
	r->len = (size_t)len;
	check(r->len <= FULL);
	check(r->wire_len <= (size_t)k->o.row->hlen + FULL + (size_t)k->o.row->tlen);
	check(r->opened.padding <= (is_cbc(k) ? 16 : 0));
	record_passed(k, r->wire, r->wire_len);
}

void
read_record(int fd, struct keys *k, struct wire_record *r)
{
	read_all(fd, r->wire, 5);
	r->wire_len = 5u + (size_t)(r->wire[3] << 8 | r->wire[4]);
	check(r->wire_len <= sizeof(r->wire));
	read_all(fd, r->wire + 5, r->wire_len - 5);
	open_record(k, r);
}

void
expect_record(int fd, struct keys *k, uint8_t type, const void *payload, size_t len)
{
	static struct wire_record r;

	read_record(fd, k, &r);
	check_eq(r.opened.type, type);
	check_eq(r.len, len);
	check_bytes(r.opened.payload, payload, len);
}

void
expect_records(int fd, struct keys *k, uint8_t type, const void *payload, size_t len)
{
	static struct wire_record r;

	for (size_t at = 0; at < len; at += r.len) {
		read_record(fd, k, &r);
		check_eq(r.opened.type, type);
		check(r.len > 0 && r.len <= len - at);
		check_bytes(r.opened.payload, (const uint8_t *)payload + at, r.len);
	}
}

size_t
build(struct keys *k, struct oracle_record *r, uint8_t *wire)
{
	r->seq = k->seq;
	random_bytes(r->explicit_iv, sizeof(r->explicit_iv));
	size_t len = oracle_build(&k->o, r, wire);
	record_passed(k, wire, len);
	return len;
}

size_t
build_plain(struct keys *k, uint8_t type, const void *payload, size_t len, uint8_t *wire)
{
	struct oracle_record r = {.type = type, .payload = payload, .len = len};

	return build(k, &r, wire);
}

void
send_record(int fd, struct keys *k, uint8_t type, const void *payload, size_t len)
{
	static uint8_t wire[WIRE_MAX];

	write_all(fd, wire, build_plain(k, type, payload, len, wire));
}

ssize_t
send_typed(int fd, uint8_t type, const void *p, size_t n, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(1)];
	} control = {.align = {.cmsg_len = CMSG_LEN(1),
			       .cmsg_level = IPPROTO_TCP,
			       .cmsg_type = TLS_SET_RECORD_TYPE}};
	struct iovec iov = {(void *)(uintptr_t)p, n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_LEN(1)};

	*CMSG_DATA(&control.align) = type;
	return sendmsg(fd, &msg, flags);
}

ssize_t
receive(int fd, void *p, size_t n, int flags, struct received *r)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tls_get_record))];
	} control;
	struct iovec iov = {p, n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *c;

	memset(&control, 0x55, sizeof(control));
	memset(r, 0, sizeof(*r));
	r->n = recvmsg(fd, &msg, flags);
	if (r->n < 0)
		return r->n;
	r->flags = msg.msg_flags;
	r->controllen = msg.msg_controllen;
	c = CMSG_FIRSTHDR(&msg);
	if (c == NULL)
		return r->n;
	check_eq(c->cmsg_level, IPPROTO_TCP);
	check_eq(c->cmsg_type, TLS_GET_RECORD);
	check_eq(c->cmsg_len, CMSG_LEN(sizeof(r->header)));
	check_eq(r->controllen, CMSG_SPACE(sizeof(r->header)));
	check(CMSG_NXTHDR(&msg, c) == NULL);
	memcpy(&r->header, CMSG_DATA(c), sizeof(r->header));
	r->has_header = true;
	return r->n;
}

void
check_header(const struct received *r, const struct keys *k, uint8_t type, size_t len)
{
	check(r->has_header);
	check_eq(r->flags & MSG_CTRUNC, 0);
	check_eq(r->header.tls_type, type);
	check_eq(r->header.tls_vmajor, TLS_MAJOR_VER_ONE);
	check_eq(r->header.tls_vminor, wire_minor(k));
	check_eq(((const uint8_t *)&r->header)[3], 0);
	check_eq(ntohs(r->header.tls_length), len);
}

void
expect_received(int fd, const struct keys *k, uint8_t type, const void *payload,
		size_t len)
{
	static uint8_t buf[FULL + 512];
	struct received r;

	check_eq(receive(fd, buf, sizeof(buf), 0, &r), len);
	check_header(&r, k, type, len);
	check_eq(r.flags & (MSG_EOR | MSG_TRUNC), len > 0 ? MSG_EOR : 0);
	check_bytes(buf, payload, len);
}
