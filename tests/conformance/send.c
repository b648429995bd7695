/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send.c: what one send puts on the wire, and what it refuses.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

/* After something was refused: nothing of it went out, and no number was spent. */
static void
check_unharmed(const int fd[2], struct keys *k)
{
	check_silent(fd[0]);
	check_eq(write(fd[1], "next", 4), 4);
	expect_record(fd[0], k, TLS_RLTYPE_APP, "next", 4);
}

static void
any_type(const struct variant *v)
{
	struct keys k;
	int fd[2];
	/* TLS 1.3 cannot tell type 0 from padding (RFC 8446 5.4). */
	int first = v->suite->minor == TLS_MINOR_VER_THREE;

	tx_pair(fd, v->suite, &k);
	for (int type = first; type <= 255; type++) {
		uint8_t byte = (uint8_t)~type;
		check_eq(send_typed(fd[1], (uint8_t)type, &byte, 1, 0), 1);
		expect_record(fd[0], &k, (uint8_t)type, &byte, 1);
	}
	check_unharmed(fd, &k);
}

static void
each_length(const struct variant *v)
{
	static uint8_t data[FULL];
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	random_bytes(data, sizeof(data));
	for (size_t len = 1; len <= FULL; len += len < 80 ? 1 : 1019) {
		check_eq(write(fd[1], data, len), len);
		expect_record(fd[0], &k, TLS_RLTYPE_APP, data, len);
	}
	for (size_t len = FULL - 2; len <= FULL; len++) {
		check_eq(write(fd[1], data, len), len);
		expect_record(fd[0], &k, TLS_RLTYPE_APP, data, len);
	}
}

/* More than a record holds: several, all of that type, only the last one not full. */
static void
long_typed(const struct variant *v)
{
	static uint8_t data[3 * FULL];
	struct keys k;
	size_t len = 2 * FULL + 1 + random_below(FULL - 1);
	int fd[2];

	tx_pair(fd, v->suite, &k);
	random_bytes(data, len);
	check_eq(send_typed(fd[1], TLS_RLTYPE_HANDSHAKE, data, len, 0), len);
	expect_record(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data, FULL);
	expect_record(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data + FULL, FULL);
	expect_record(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data + 2 * FULL, len - 2 * FULL);
	/* For that call alone. */
	check_unharmed(fd, &k);
}

/* Each call begins a record, MSG_MORE or not; the pieces of one call share one. */
static void
calls_and_records(const struct variant *v)
{
	struct iovec iov[5] = {{"a", 1}, {NULL, 0}, {"bc", 2}, {"", 0}, {"def", 3}};
	struct mmsghdr vec[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 1}},
				 {.msg_hdr = {.msg_iov = iov, .msg_iovlen = 5}}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	check_eq(write(fd[1], "one", 3), 3);
	check_eq(send(fd[1], "two", 3, 0), 3);
	check_eq(send(fd[1], "three", 5, MSG_MORE), 5);
	check_eq(sendto(fd[1], "four", 4, MSG_NOSIGNAL, NULL, 0), 4);
	check_eq(writev(fd[1], iov, 5), 6);
	check_eq(sendmsg(fd[1], &msg, MSG_DONTWAIT), 3);
	check_eq(sendmmsg(fd[1], vec, 2, 0), 2);
	check_eq(vec[0].msg_len, 1);
	check_eq(vec[1].msg_len, 6);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "one", 3);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "two", 3);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "three", 5);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "four", 4);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "abcdef", 6);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "abc", 3);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "a", 1);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "abcdef", 6);
	check_silent(fd[0]);
}

/* Many pieces, some of them longer than a record. */
static void
scattered(const struct variant *v)
{
	static uint8_t data[5 * FULL];
	struct iovec iov[200];
	struct keys k;
	size_t len = 0;
	int fd[2], n = 0;

	tx_pair(fd, v->suite, &k);
	random_bytes(data, sizeof(data));
	for (; n < 200; n++) {
		size_t piece = random_below(n % 50 == 49 ? FULL + 100 : 60);
		if (len + piece > sizeof(data))
			break;
		iov[n] = (struct iovec){data + len, piece};
		len += piece;
	}
	check_eq(writev(fd[1], iov, n), len);
	expect_records(fd[0], &k, TLS_RLTYPE_APP, data, len);
	check_unharmed(fd, &k);
}

enum {
	EMPTY_SENDS = 7,
	EMPTY_TYPED = 6,
};

/* No bytes in every way that there is. */
static ssize_t
send_nothing(int fd, int how)
{
	struct iovec iov[2] = {{"x", 0}, {NULL, 0}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2}, none = {0};

	switch (how) {
	case 0:
		return write(fd, "", 0);
	case 1:
		return send(fd, NULL, 0, 0);
	case 2:
		return writev(fd, iov, 2);
	case 3:
		return writev(fd, iov, 0);
	case 4:
		return sendmsg(fd, &msg, 0);
	case 5:
		return sendmsg(fd, &none, 0);
	default:
		return send_typed(fd, TLS_RLTYPE_ALERT, "", 0, 0);
	}
}

/* An error, but in TLS 1.0 an empty record of the call's type. */
static void
no_bytes(const struct variant *v)
{
	bool tls_1_0 = v->suite->minor == TLS_MINOR_VER_ZERO;
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (int how = 0; how < EMPTY_SENDS; how++) {
		uint8_t type = how == EMPTY_TYPED ? TLS_RLTYPE_ALERT : TLS_RLTYPE_APP;
		if (!tls_1_0) {
			check_errno(send_nothing(fd[1], how), EINVAL);
			continue;
		}
		check_eq(send_nothing(fd[1], how), 0);
		expect_record(fd[0], &k, type, NULL, 0);
	}
	check_unharmed(fd, &k);
}

static void
end_of_record_flag(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	check_errno(send(fd[1], "x", 1, MSG_EOR), EINVAL);
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, "x", 1, MSG_EOR), EINVAL);
	check_unharmed(fd, &k);
}

/* sendmsg(2) with one control message and this much of it. */
static ssize_t
send_control(int fd, int level, int type, size_t len, size_t controllen)
{
	union {
		struct cmsghdr align;
		char bytes[64];
	} control;
	struct iovec iov = {"x", 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = controllen};

	memset(&control, TLS_RLTYPE_ALERT, sizeof(control));
	control.align.cmsg_len = len;
	control.align.cmsg_level = level;
	control.align.cmsg_type = type;
	return sendmsg(fd, &msg, 0);
}

static void
wrong_control(const struct variant *v)
{
	static const struct {
		int level, type;
		size_t len, controllen;
	} rows[] = {
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(1), 1},
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(1),
		 sizeof(struct cmsghdr) - 1},
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(1), sizeof(struct cmsghdr)},
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(0), CMSG_SPACE(1)},
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, 3, CMSG_SPACE(1)},
		{IPPROTO_TCP, TLS_SET_RECORD_TYPE, 4000, CMSG_SPACE(1)},
		{IPPROTO_TCP, TLS_GET_RECORD, CMSG_LEN(1), CMSG_SPACE(1)},
		{IPPROTO_TCP, 0, CMSG_LEN(1), CMSG_SPACE(1)},
		{SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(4), CMSG_SPACE(4)},
		{282 /* SOL_TLS */, TLS_SET_RECORD_TYPE, CMSG_LEN(1), CMSG_SPACE(1)},
	};
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_errno(send_control(fd[1], rows[i].level, rows[i].type, rows[i].len,
					 rows[i].controllen),
			    EINVAL);
	check_unharmed(fd, &k);
	check_eq(send_control(fd[1], IPPROTO_TCP, TLS_SET_RECORD_TYPE, CMSG_LEN(1),
			      CMSG_SPACE(1)),
		 1);
	expect_record(fd[0], &k, TLS_RLTYPE_ALERT, "x", 1);
}

/* A second control message is not looked at. */
static void
second_control(const struct variant *v)
{
	_Alignas(struct cmsghdr) char control[2 * CMSG_SPACE(1)];
	struct cmsghdr c = {.cmsg_len = CMSG_LEN(1),
			    .cmsg_level = IPPROTO_TCP,
			    .cmsg_type = TLS_SET_RECORD_TYPE};
	struct iovec iov = {"x", 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (int i = 0; i < 2; i++) {
		memcpy(control + (size_t)i * CMSG_SPACE(1), &c, sizeof(c));
		control[(size_t)i * CMSG_SPACE(1) + CMSG_LEN(0)] = i == 0 ? 22 : 21;
	}
	check_eq(sendmsg(fd[1], &msg, 0), 1);
	expect_record(fd[0], &k, 22, "x", 1);
}

/* A record type on a socket that sends no records: refused, not sent in the clear. */
static void
type_without_keys(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tcp_pair(fd);
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, "xy", 2, 0), EINVAL);
	check_silent(fd[0]);
	enable_rx(fd[1], v->suite, &k);
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, "xy", 2, 0), EINVAL);
	check_silent(fd[0]);
}

static void
bad_memory(const struct variant *v)
{
	struct iovec iov[2] = {{"good", 4}, {bad_address(), 4}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 1,
			     .msg_control = bad_address(),
			     .msg_controllen = CMSG_LEN(1)};
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	check_errno(write(fd[1], bad_address(), 10), EFAULT);
	for (uintptr_t low = 0; low < 20; low += 4) {
		const void *volatile p = (const void *)low;
		check_errno(write(fd[1], p, 10), EFAULT);
		check_errno(send(fd[1], p, 10, 0), EFAULT);
	}
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, bad_address(), 2, 0), EFAULT);
	check_errno(writev(fd[1], iov, 2), EFAULT);
	check_errno(writev(fd[1], bad_address(), 2), EFAULT);
	check_errno(sendmsg(fd[1], bad_address(), 0), EFAULT);
	check_errno(sendmsg(fd[1], &msg, 0), EFAULT);
	check_unharmed(fd, &k);
}

/* The urgent byte is framed like any other; the urgent pointer is set. */
static void
urgent(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	set_int(fd[0], SOL_SOCKET, SO_OOBINLINE, 1);
	check_eq(send(fd[1], "urgent", 6, MSG_OOB), 6);
	check((poll_for(fd[0], POLLPRI, 1000) & POLLPRI) != 0);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "urgent", 6);
	check_unharmed(fd, &k);
}

/* What is shut says EPIPE, whatever else is wrong; the peer sees its records, then FIN,
 * and no alert that the program did not send. */
static void
after_shutdown(const struct variant *v)
{
	uint8_t rest[64];
	struct keys k;
	int fd[2], file = (int)must(open("/proc/self/exe", O_RDONLY));

	tx_pair(fd, v->suite, &k);
	check_eq(write(fd[1], "last", 4), 4);
	must(shutdown(fd[1], SHUT_WR));
	check_errno(write(fd[1], "x", 1), EPIPE);
	check_errno(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	check_errno(send_typed(fd[1], TLS_RLTYPE_ALERT, "x", 1, 0), EPIPE);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "last", 4);
	check_eq(read_to_end(fd[0], rest, sizeof(rest)), 0);
	check_eq(get_int(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_SW);
	close(file);
}

/* All that was accepted arrives though the sender closes, or ends, at once. */
static void
close_after_send(const struct variant *v)
{
	static uint8_t data[100000];
	uint8_t rest[64];
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	random_bytes(data, sizeof(data));
	set_nonblocking(fd[1], true);
	ssize_t n = must(write(fd[1], data, sizeof(data)));
	must(close(fd[1]));
	/* The byte that a cut record holds back is not accepted yet, but may be there. */
	if ((size_t)n == sizeof(data))
		expect_records(fd[0], &k, TLS_RLTYPE_APP, data, (size_t)n);
	check_eq(read_to_end(fd[0], rest, sizeof(rest)), 0);
}

const struct scenario send_scenarios[] = {
	{"send", "any_type", G_TX, 0, any_type},
	{"send", "each_length", G_TX, 0, each_length},
	{"send", "long_typed", G_TX, 0, long_typed},
	{"send", "calls_and_records", G_TX, 0, calls_and_records},
	{"send", "scattered", G_TX, 0, scattered},
	{"send", "no_bytes", G_TX, 0, no_bytes},
	{"send", "end_of_record_flag", G_TX, 0, end_of_record_flag},
	{"send", "wrong_control", G_TX, 0, wrong_control},
	{"send", "second_control", G_FEW, 0, second_control},
	{"send", "type_without_keys", G_FEW, 0, type_without_keys},
	{"send", "bad_memory", G_TX, 0, bad_memory},
	{"send", "urgent", G_FEW, 0, urgent},
	{"send", "after_shutdown", G_TX, 0, after_shutdown},
	{"send", "close_after_send", G_TX, 0, close_after_send},
	{0},
};
