/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * receive.c: what one receive gives: one record, its header once, in buffers of any size.
 */
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static uint8_t data[FULL], buf[FULL + 512];

static void
pair(int fd[2], const struct variant *v, struct keys *k)
{
	rx_pair(fd, v->suite, k);
	random_bytes(data, sizeof(data));
}

/* A short buffer takes the beginning; the header comes once, MSG_EOR with the end. */
static void
short_buffers(const struct variant *v)
{
	static const size_t lengths[] = {2, 100, 4096, FULL};
	static const size_t rooms[] = {1, 7, 16, 99, 100, 101, 1000, 4095, 16383, 16384};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t j = 0; j < sizeof(rooms) / sizeof(rooms[0]); j++) {
			size_t len = lengths[i], room = rooms[j];
			if (len / room > 1000)
				continue;
			send_record(fd[1], &k, TLS_RLTYPE_APP, data, len);
			for (size_t at = 0; at < len;) {
				struct received r;
				size_t want = len - at < room ? len - at : room;
				check_eq(receive(fd[0], buf, room, 0, &r), want);
				check_bytes(buf, data + at, want);
				if (at == 0)
					check_header(&r, &k, TLS_RLTYPE_APP, len);
				else
					check_eq(r.controllen, 0);
				at += want;
				check_eq(r.flags, at == len ? MSG_EOR : 0);
			}
		}
	check_eq(poll_for(fd[0], POLLIN, 0), 0);
}

/* A buffer of several pieces, some of them empty. */
static void
pieces(const struct variant *v)
{
	uint8_t a[3], b[50], c[1000];
	struct iovec iov[5] = {{a, 3}, {NULL, 0}, {b, 50}, {c, 0}, {c, 1000}};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 200);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data + 200, 10);
	check_eq(readv(fd[0], iov, 5), 200);
	check_bytes(a, data, 3);
	check_bytes(b, data + 3, 50);
	check_bytes(c, data + 53, 147);
	check_eq(readv(fd[0], iov, 5), 10);
	check_bytes(a, data + 200, 3);
	check_bytes(b, data + 203, 7);
}

/* Whatever the call, the flags and the buffer: never of two records. */
static void
one_record_a_call(const struct variant *v)
{
	struct iovec iov = {buf, sizeof(buf)};
	struct mmsghdr vec[3];
	struct received r;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t i = 0; i < 8; i++)
		send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10 + i);
	poll_for(fd[0], POLLIN, -1);
	check_eq(read(fd[0], buf, sizeof(buf)), 10);
	check_eq(readv(fd[0], &iov, 1), 11);
	check_eq(recv(fd[0], buf, sizeof(buf), MSG_WAITALL), 12);
	check_eq(recvfrom(fd[0], buf, sizeof(buf), 0, NULL, NULL), 13);
	check_eq(receive(fd[0], buf, sizeof(buf), MSG_WAITALL, &r), 14);
	check_eq(r.flags & MSG_EOR, MSG_EOR);
	memset(vec, 0, sizeof(vec));
	for (int i = 0; i < 3; i++)
		vec[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	check_eq(recvmmsg(fd[0], vec, 3, 0, NULL), 3);
	for (unsigned i = 0; i < 3; i++) {
		check_eq(vec[i].msg_len, 15 + i);
		check_eq(vec[i].msg_hdr.msg_flags, MSG_EOR);
	}
	check_eq(poll_for(fd[0], POLLIN, 0), 0);
}

/* MSG_WAITALL in the middle of a record waits for no other either. */
static void
waitall(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 100);
	check_eq(recv(fd[0], buf, 30, MSG_WAITALL), 30);
	check_eq(recv(fd[0], buf + 30, 100, MSG_WAITALL), 70);
	check_bytes(buf, data, 100);
}

/* Header and data as often as one likes, and nothing is taken. */
static void
peek(const struct variant *v)
{
	struct received r;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_HANDSHAKE, data, 100);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 200);
	for (int i = 0; i < 3; i++) {
		check_eq(receive(fd[0], buf, sizeof(buf), MSG_PEEK, &r), 100);
		check_header(&r, &k, TLS_RLTYPE_HANDSHAKE, 100);
		check_eq(r.flags & MSG_EOR, MSG_EOR);
		check_bytes(buf, data, 100);
		check_eq(receive(fd[0], buf, 40, MSG_PEEK, &r), 40);
		check_header(&r, &k, TLS_RLTYPE_HANDSHAKE, 100);
		check_eq(r.flags & (MSG_EOR | MSG_TRUNC), 0);
		check_eq(recv(fd[0], buf, 100, MSG_PEEK), 100);
	}
	check_eq(receive(fd[0], buf, 30, 0, &r), 30);
	check_header(&r, &k, TLS_RLTYPE_HANDSHAKE, 100);
	for (int i = 0; i < 2; i++) {
		check_eq(receive(fd[0], buf, sizeof(buf), MSG_PEEK, &r), 70);
		check(!r.has_header);
		check_eq(r.flags & MSG_EOR, MSG_EOR);
		check_bytes(buf, data + 30, 70);
	}
	check_eq(receive(fd[0], buf, sizeof(buf), 0, &r), 70);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 200);
	check_errno(recv(fd[0], buf, 1, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

/* Nothing in it: 0 with a header and no MSG_EOR; read(2) cannot tell it from the end. */
static void
empty_records(const struct variant *v)
{
	static const uint8_t types[] = {TLS_RLTYPE_APP, TLS_RLTYPE_ALERT,
					TLS_RLTYPE_HANDSHAKE};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t i = 0; i < sizeof(types); i++) {
		send_record(fd[1], &k, types[i], NULL, 0);
		check_eq(poll_for(fd[0], POLLIN, 1000), POLLIN);
		expect_received(fd[0], &k, types[i], NULL, 0);
		check_eq(poll_for(fd[0], POLLIN, 0), 0);
		check_errno(recv(fd[0], buf, 1, MSG_DONTWAIT), EAGAIN);
		send_record(fd[1], &k, types[i], NULL, 0);
		send_record(fd[1], &k, TLS_RLTYPE_APP, data, 5);
		check_eq(read(fd[0], buf, sizeof(buf)), 0);
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 5);
	}
	send_record(fd[1], &k, TLS_RLTYPE_APP, NULL, 0);
	check_eq(recv(fd[0], buf, 10, MSG_WAITALL), 0);
	for (int n = 0; n < 20; n++)
		send_record(fd[1], &k, TLS_RLTYPE_APP, NULL, 0);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 1);
	for (int n = 0; n < 20; n++)
		expect_received(fd[0], &k, TLS_RLTYPE_APP, NULL, 0);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 1);
}

/* A buffer of no bytes takes the header and leaves the data; without a record it gives 0
 * at once. */
static void
no_room(const struct variant *v)
{
	struct received r;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	check_eq(receive(fd[0], buf, 0, 0, &r), 0);
	check(!r.has_header);
	check_eq(read(fd[0], buf, 0), 0);
	send_record(fd[1], &k, TLS_RLTYPE_ALERT, data, 2);
	poll_for(fd[0], POLLIN, -1);
	check_eq(receive(fd[0], buf, 0, 0, &r), 0);
	check_header(&r, &k, TLS_RLTYPE_ALERT, 2);
	check_eq(r.flags & MSG_EOR, 0);
	check_eq(receive(fd[0], buf, 10, 0, &r), 2);
	check(!r.has_header);
	check_eq(r.flags & MSG_EOR, MSG_EOR);
	check_bytes(buf, data, 2);
}

/* recvmsg(2) with this much room for control messages. */
static ssize_t
receive_control(int fd, size_t room, struct msghdr *msg, char *control)
{
	static struct iovec iov = {buf, sizeof(buf)};

	*msg = (struct msghdr){.msg_iov = &iov,
			       .msg_iovlen = 1,
			       .msg_control = room > 0 ? control : NULL,
			       .msg_controllen = room};
	return recvmsg(fd, msg, 0);
}

/* Less than 24 bytes: the header is lost, the data is not. */
static void
control_room(const struct variant *v)
{
	_Alignas(struct cmsghdr) char control[128];
	struct msghdr msg;
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t room = 0; room <= 64; room++) {
		bool fits = room >= CMSG_SPACE(sizeof(struct tls_get_record));
		memset(control, 0x55, sizeof(control));
		send_record(fd[1], &k, TLS_RLTYPE_APP, data, 20);
		check_eq(receive_control(fd[0], room, &msg, control), 20);
		check_bytes(buf, data, 20);
		check_eq(msg.msg_flags, MSG_EOR | (fits || room == 0 ? 0 : MSG_CTRUNC));
		check_eq(msg.msg_controllen, fits ? 24 : 0);
		for (size_t i = msg.msg_controllen; i < sizeof(control); i++)
			check_eq(control[i], 0x55);
	}
}

/* Types that are not data look like it where nobody asks. */
static void
without_control(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (int i = 0; i < 3; i++)
		send_record(fd[1], &k, (uint8_t)(TLS_RLTYPE_ALERT + i), data + i, 2);
	check_eq(read(fd[0], buf, 10), 2);
	check_bytes(buf, data, 2);
	check_eq(recv(fd[0], buf, 10, 0), 2);
	check_bytes(buf, data + 1, 2);
	check_eq(recvfrom(fd[0], buf, 10, 0, NULL, NULL), 2);
	check_bytes(buf, data + 2, 2);
}

static void
any_type(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (int type = v->suite->minor == TLS_MINOR_VER_THREE; type <= 255; type++) {
		send_record(fd[1], &k, (uint8_t)type, data + type, 3);
		expect_received(fd[0], &k, (uint8_t)type, data + type, 3);
	}
}

static void
each_length(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t len = 0; len <= FULL; len += len < 70 ? 1 : len < 16300 ? 1623 : 1) {
		send_record(fd[1], &k, TLS_RLTYPE_APP, data, len);
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, len);
	}
}

/* Padding of every legal length: up to 256 bytes in CBC (RFC 5246 6.2.3.2). */
static void
long_padding(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	for (size_t extra = 0; extra <= 240; extra += 16) {
		static uint8_t wire[WIRE_MAX];
		struct oracle_record r = {.type = TLS_RLTYPE_APP,
					  .payload = data,
					  .len = 1 + random_below(300),
					  .padding = extra};
		write_all(fd[1], wire, build(&k, &r, wire));
		expect_received(fd[0], &k, TLS_RLTYPE_APP, data, r.len);
	}
}

/* TLS 1.3: zeros behind the type, as long as the whole is no longer than a record. */
static void
zeros_behind_type(const struct variant *v)
{
	static const size_t lengths[] = {0, 1, 2, 100, FULL - 1, FULL};
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	memset(data + 90, 0, 20); /* content may end with zeros itself */
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t padding = 0; padding <= FULL - lengths[i];
		     padding += padding < 3 ? 1 : 5001) {
			struct oracle_record r = {.type = TLS_RLTYPE_HANDSHAKE,
						  .payload = data,
						  .len = lengths[i],
						  .padding = padding};
			write_all(fd[1], wire, build(&k, &r, wire));
			expect_received(fd[0], &k, TLS_RLTYPE_HANDSHAKE, data,
					lengths[i]);
		}
}

static void
dontwait(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	size_t len;
	int fd[2];

	pair(fd, v, &k);
	check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), EAGAIN);
	len = build_plain(&k, TLS_RLTYPE_APP, data, 50, wire);
	for (size_t at = 0; at < len; at++) {
		check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT), EAGAIN);
		check_errno(recv(fd[0], buf, 10, MSG_DONTWAIT | MSG_PEEK), EAGAIN);
		write_all(fd[1], wire + at, 1);
	}
	set_nonblocking(fd[0], true);
	check_eq(poll_for(fd[0], POLLIN, 1000), POLLIN);
	check_eq(read(fd[0], buf, 100), 50);
	check_errno(read(fd[0], buf, 100), EAGAIN);
}

/* FIONREAD: the content of all whole records that have not been read. */
static void
bytes_queued(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2], n = -1;

	pair(fd, v, &k);
	must(ioctl(fd[0], FIONREAD, &n));
	check_eq(n, 0);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 10);
	send_record(fd[1], &k, TLS_RLTYPE_ALERT, data, 2);
	send_record(fd[1], &k, TLS_RLTYPE_APP, NULL, 0);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 1000);
	size_t len = build_plain(&k, TLS_RLTYPE_APP, data, 500, wire);
	write_all(fd[1], wire, len - 1);
	poll_for(fd[0], POLLIN, -1);
	for (int i = 0; i < 1000 && n < 1012; i++) {
		must(ioctl(fd[0], FIONREAD, &n));
		poll_for(-1, 0, n < 1012);
	}
	check_eq(n, 1012);
	check_eq(read(fd[0], buf, 4), 4);
	must(ioctl(fd[0], FIONREAD, &n));
	check_eq(n, 1008);
	check_eq(read(fd[0], buf, 100), 6);
	check_eq(read(fd[0], buf, 100), 2);
	must(ioctl(fd[0], FIONREAD, &n));
	check_eq(n, 1000);
	check_eq(read(fd[0], buf, 100), 0);
	check_eq(read(fd[0], buf, 2000), 1000);
	must(ioctl(fd[0], FIONREAD, &n));
	check_eq(n, 0);
	write_all(fd[1], wire + len - 1, 1);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 500);
}

/* Memory that is not there: EFAULT, and the record can still be had whole. */
static void
bad_memory(const struct variant *v)
{
	struct iovec iov = {bad_address(), 100};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct msghdr bad_control = {.msg_iov = &(struct iovec){buf, 100},
				     .msg_iovlen = 1,
				     .msg_control = bad_address(),
				     .msg_controllen = 24};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 50);
	poll_for(fd[0], POLLIN, -1);
	for (int i = 0; i < 2; i++) {
		check_errno(read(fd[0], bad_address(), 100), EFAULT);
		check_errno(recv(fd[0], bad_address(), 10, 0), EFAULT);
		check_errno(recv(fd[0], bad_address(), 10, MSG_PEEK), EFAULT);
		check_errno(recvmsg(fd[0], &msg, 0), EFAULT);
		check_errno(recvmsg(fd[0], bad_address(), 0), EFAULT);
		check_errno(readv(fd[0], bad_address(), 2), EFAULT);
		check_errno(recvmsg(fd[0], &bad_control, 0), EFAULT);
	}
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 50);
}

static void
bad_vector(const struct variant *v)
{
	struct msghdr msg = {.msg_iov = bad_address(), .msg_iovlen = 1};
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 50);
	poll_for(fd[0], POLLIN, -1);
	check_errno(readv(fd[0], bad_address(), 1), EFAULT);
	check_errno(recvmsg(fd[0], &msg, 0), EFAULT);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 50);
}

/* MSG_TRUNC as an input flag means nothing here. */
static void
trunc_flag(const struct variant *v)
{
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 50);
	check_eq(recv(fd[0], buf, 20, MSG_TRUNC), 20);
	check_bytes(buf, data, 20);
	check_eq(recv(fd[0], buf, 100, MSG_TRUNC), 30);
	check_bytes(buf, data + 20, 30);
}

/* The record's last byte is urgent on the wire and in line: nothing changes. Without
 * urgent data MSG_OOB is the kernel's to answer, and takes no record. */
static void
urgent(const struct variant *v)
{
	static uint8_t wire[WIRE_MAX];
	struct keys k;
	int fd[2];

	pair(fd, v, &k);
	set_int(fd[0], SOL_SOCKET, SO_OOBINLINE, 1);
	check_errno(recv(fd[0], buf, 1, MSG_OOB), EINVAL);
	size_t len = build_plain(&k, TLS_RLTYPE_APP, data, 50, wire);
	check_eq(send(fd[1], wire, len, MSG_OOB), len);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 50);
	send_record(fd[1], &k, TLS_RLTYPE_APP, data, 20);
	poll_for(fd[0], POLLIN, -1);
	check_errno(recv(fd[0], buf, 1, MSG_OOB), EINVAL);
	expect_received(fd[0], &k, TLS_RLTYPE_APP, data, 20);
}

const struct scenario receive_scenarios[] = {
	{"receive", "short_buffers", G_RX, 0, short_buffers},
	{"receive", "pieces", G_RX, 0, pieces},
	{"receive", "one_record_a_call", G_RX, 0, one_record_a_call},
	{"receive", "waitall", G_RX, 0, waitall},
	{"receive", "peek", G_RX, 0, peek},
	{"receive", "empty_records", G_RX, 0, empty_records},
	{"receive", "no_room", G_RX, 0, no_room},
	{"receive", "control_room", G_RX, 0, control_room},
	{"receive", "without_control", G_RX, 0, without_control},
	{"receive", "any_type", G_RX, 0, any_type},
	{"receive", "each_length", G_RX, 0, each_length},
	{"receive", "long_padding", G_CBC, 0, long_padding},
	{"receive", "zeros_behind_type", G_T13, 0, zeros_behind_type},
	{"receive", "dontwait", G_RX, 0, dontwait},
	{"receive", "bytes_queued", G_RX, 0, bytes_queued},
	{"receive", "bad_memory", G_RX, 0, bad_memory},
	{"receive", "bad_vector", G_ONE, 0, bad_vector},
	{"receive", "trunc_flag", G_FEW, 0, trunc_flag},
	{"receive", "urgent", G_FEW, 0, urgent},
	{0},
};
