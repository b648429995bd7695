/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h: both ends of a connection: the one under test, and the one that builds and
 * opens records by itself (oracle.h).
 */
#ifndef KTLS_TESTS_PEER_H
#define KTLS_TESTS_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ktls_compat.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conformance.h"
#include "oracle.h"

enum {
	FULL = 16384, /* content of a record at most */
	WIRE_MAX = 5 + 16 + FULL + 512,
};

/* ---- Random bytes: the same for the same seed and case. ---- */

void random_seed(uint64_t seed);
uint32_t random_below(uint32_t limit);
void random_bytes(void *p, size_t n);

/* ---- Plain sockets. ---- */

/* fd[0] has connected, fd[1] was accepted; AF_INET or AF_INET6, on loopback. */
void tcp_pair_of(int family, int fd[2]);
void tcp_pair(int fd[2]);
int tcp_socket(void);
/* A listening socket on loopback and its address. */
int tcp_listener(int family, struct sockaddr_storage *addr, socklen_t *len);
void set_nonblocking(int fd, bool on);
void set_int(int fd, int level, int name, int value);
int get_int(int fd, int level, int name);
/* What poll(2) says within `ms`; 0: nothing. */
int poll_for(int fd, int events, int ms);
/* All of it, blocking socket or not. */
void read_all(int fd, void *p, size_t n);
void write_all(int fd, const void *p, size_t n);
/* All there is until the peer's FIN; the number of bytes, at most `n`. */
size_t read_to_end(int fd, void *p, size_t n);
/* No byte has come, and none comes within a few milliseconds. */
void check_silent(int fd);
/* Closes with a reset. */
void close_hard(int fd);
/* A directionless address that nobody can read or write. */
void *bad_address(void);
/* Waits until `n` bytes lie in the kernel's receive queue, ours or not. */
void wait_queued(int fd, int n);

/* ---- Keys of one direction. ---- */

struct keys {
	const struct suite *suite;
	struct oracle o;
	uint64_t seq;
	int iv_len;
};

void keys_make(struct keys *k, const struct suite *suite);
void keys_enable(const struct keys *k, struct tls_enable *en);
/* setsockopt(2); `option` is TCP_TXTLS_ENABLE or TCP_RXTLS_ENABLE. */
int enable(int fd, int option, const struct keys *k);
/* New keys, turned on; must work. */
void enable_tx(int fd, const struct suite *suite, struct keys *k);
void enable_rx(int fd, const struct suite *suite, struct keys *k);
/* A connection whose fd[1] sends (fd[0] receives) records; fd[0] (fd[1]) is raw. */
void tx_pair(int fd[2], const struct suite *suite, struct keys *k);
void rx_pair(int fd[2], const struct suite *suite, struct keys *k);
bool is_cbc(const struct keys *k);
int wire_minor(const struct keys *k);

/* ---- Records on the raw end. ---- */

struct wire_record {
	size_t wire_len, len;
	struct oracle_opened opened;
	uint8_t wire[WIRE_MAX];
};

/* Takes the next record off the wire and opens it; its sequence number must be due. */
void read_record(int fd, struct keys *k, struct wire_record *r);
/* The same, and it must be this one, with no more padding than it needs. */
void expect_record(int fd, struct keys *k, uint8_t type, const void *payload, size_t len);
/* Records of that type until they add up to this. */
void expect_records(int fd, struct keys *k, uint8_t type, const void *payload,
		    size_t len);
/* Opens a whole record; padding must be minimal. */
void open_record(struct keys *k, struct wire_record *r);

/* Builds the next record; r->seq and r->explicit_iv are set here. */
size_t build(struct keys *k, struct oracle_record *r, uint8_t *wire);
size_t build_plain(struct keys *k, uint8_t type, const void *payload, size_t len,
		   uint8_t *wire);
/* Builds and writes it. */
void send_record(int fd, struct keys *k, uint8_t type, const void *payload, size_t len);

/* ---- The end under test. ---- */

ssize_t send_typed(int fd, uint8_t type, const void *p, size_t n, int flags);

struct received {
	ssize_t n;
	int flags;
	size_t controllen;
	bool has_header;
	struct tls_get_record header;
};

/* recvmsg(2) with one piece and a control buffer of CMSG_SPACE(6) bytes. */
ssize_t receive(int fd, void *p, size_t n, int flags, struct received *r);
/* One whole record, its header and MSG_EOR. */
void expect_received(int fd, const struct keys *k, uint8_t type, const void *payload,
		     size_t len);
void check_header(const struct received *r, const struct keys *k, uint8_t type,
		  size_t len);

#endif
