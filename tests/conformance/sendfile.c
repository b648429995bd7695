/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendfile.c: sendfile(2) into a TLS socket.
 */
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "check.h"
#include "sink.h"

enum {
	SIZE = 150000,
};

static uint8_t content[SIZE];

static int
file_make(void)
{
	int fd = (int)must(memfd_create("sendfile", 0));

	random_bytes(content, SIZE);
	check_eq(write(fd, content, SIZE), SIZE);
	must(lseek(fd, 0, SEEK_SET));
	return fd;
}

/* Offsets and lengths about pages and records. */
static void
offsets(const struct variant *v)
{
	static const off_t starts[] = {0, 1, 4095, 4096, 4097, 16383, 16384, 100001};
	static const size_t lengths[] = {1, 4095, 4096, 16384, 16385, 40000};
	int file = file_make();
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			off_t off = starts[i];
			check_eq(sendfile(fd[1], file, &off, lengths[j]), lengths[j]);
			check_eq(off, starts[i] + (off_t)lengths[j]);
			expect_records(fd[0], &k, TLS_RLTYPE_APP, content + starts[i],
				       lengths[j]);
		}
	check_eq(lseek(file, 0, SEEK_CUR), 0);
	check_silent(fd[0]);
}

/* Without an offset the file's own is used and moved; at its end there is no more. */
static void
file_position(const struct variant *v)
{
	int file = file_make();
	struct keys k;
	off_t off = SIZE - 10;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	check_eq(sendfile(fd[1], file, NULL, 100), 100);
	check_eq(lseek(file, 0, SEEK_CUR), 100);
	check_eq(sendfile(fd[1], file, NULL, 20000), 20000);
	check_eq(lseek(file, 0, SEEK_CUR), 20100);
	expect_records(fd[0], &k, TLS_RLTYPE_APP, content, 100);
	expect_records(fd[0], &k, TLS_RLTYPE_APP, content + 100, 20000);
	check_eq(sendfile(fd[1], file, &off, 1000), 10);
	check_eq(off, SIZE);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, content + SIZE - 10, 10);
	check_eq(sendfile(fd[1], file, &off, 1000), 0);
	off = SIZE + 5000;
	check_eq(sendfile(fd[1], file, &off, 1000), 0);
	check_eq(sendfile(fd[1], file, &off, 0), 0);
	check_silent(fd[0]);
}

/* Between other sends, with its records in their place. */
static void
between_writes(const struct variant *v)
{
	int file = file_make();
	struct keys k;
	off_t off = 0;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	for (int i = 0; i < 5; i++) {
		off_t start = off;
		check_eq(write(fd[1], "head", 4), 4);
		check_eq(sendfile(fd[1], file, &off, 30000), 30000);
		check_eq(send_typed(fd[1], TLS_RLTYPE_ALERT, "\1\0", 2, 0), 2);
		expect_record(fd[0], &k, TLS_RLTYPE_APP, "head", 4);
		expect_records(fd[0], &k, TLS_RLTYPE_APP, content + start,
			       (size_t)(off - start));
		expect_record(fd[0], &k, TLS_RLTYPE_ALERT, "\1\0", 2);
	}
	check_eq(off, SIZE);
}

/* Nonblocking, with no room: EAGAIN, or as much as went; the offset tells the truth. */
static void
no_room(const struct variant *v)
{
	static struct sink sink;
	int file = file_make(), fd[2], refused = 0;
	struct keys k;
	off_t off = 0;

	narrow_pair(fd, v->suite, &k, 20000, 4000);
	set_nonblocking(fd[1], true);
	sink = (struct sink){
		.k = &k, .type = TLS_RLTYPE_APP, .data = content, .len = SIZE};
	while (off < SIZE) {
		off_t before = off;
		ssize_t n = sendfile(fd[1], file, &off, (size_t)(SIZE - before));
		if (n >= 0) {
			check(n > 0);
			check_eq(off, before + n);
			continue;
		}
		check_eq(errno, EAGAIN);
		check_eq(off, before);
		refused++;
		if (!sink_read(&sink, fd[0], sizeof(sink.r.wire)))
			poll_for(fd[1], POLLOUT, 5);
	}
	check(refused > 0);
	sink_finish(&sink, fd[0]);
	check_silent(fd[0]);
}

static void
wrong(const struct variant *v)
{
	int file = file_make(), fd[2], pipe_fd[2], loose = tcp_socket();
	struct keys k, other;
	off_t off = -1;

	tx_pair(fd, v->suite, &k);
	must(pipe(pipe_fd));
	check_errno(sendfile(fd[1], file, &off, 10), EINVAL);
	off = 0;
	check_errno(sendfile(fd[1], -1, &off, 10), EBADF);
	check_errno(sendfile(fd[1], pipe_fd[0], NULL, 10), EINVAL);
	check_errno(sendfile(fd[1], file, bad_address(), 10), EFAULT);
	check_errno(sendfile(fd[1], fd[0], NULL, 10), EINVAL);
	check_silent(fd[0]);
	enable_tx(loose, v->suite, &other);
	check_errno(sendfile(loose, file, &off, 10), ENOTCONN);
	check_eq(sendfile(fd[1], file, &off, 10), 10);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, content, 10);
	must(shutdown(fd[1], SHUT_WR));
	check_errno(sendfile(fd[1], file, &off, 10), EPIPE);
	check_eq(off, 10);
}

const struct scenario sendfile_scenarios[] = {
	{"sendfile", "offsets", G_TX, 0, offsets},
	{"sendfile", "file_position", G_TX, 0, file_position},
	{"sendfile", "between_writes", G_TX, 0, between_writes},
	{"sendfile", "no_room", G_TX, 0, no_room},
	{"sendfile", "wrong", G_FEW, 0, wrong},
	{0},
};
