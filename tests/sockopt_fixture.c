/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt_fixture.c: makes sockets, asks for options, and looks at what came of it.
 */
#include "sockopt_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "memcheck.h"
#include "real.h"
#include "so.h"

int
set(int fd, int level, int name, const void *val, size_t len)
{
	int r = so_setsockopt(fd, level, name, val, (socklen_t)len);

	if (r != SOCKOPT_PASS)
		return r;
	MEMCHECK_QUIET_BEGIN();
	r = real.setsockopt(fd, level, name, val, (socklen_t)len) < 0 ? -errno : 0;
	MEMCHECK_QUIET_END();
	return r;
}

int
get(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = so_getsockopt(fd, level, name, val, len);

	if (r != SOCKOPT_PASS)
		return r;
	return real.getsockopt(fd, level, name, val, len) < 0 ? -errno : 0;
}

int
tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

int
listening_socket(void)
{
	int fd = tcp_socket();

	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

int
reset_socket(void)
{
	const struct linger at_once = {.l_onoff = 1};
	int fd, peer;

	tcp_pair(&fd, &peer);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(peer);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert(p.revents & POLLHUP);
	return fd;
}

void
drop(int fd)
{
	session_forget(fd);
	close(fd);
}

uint8_t *
at_the_edge(const void *bytes, size_t n)
{
	static uint8_t *two;

	if (two == NULL) {
		two = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_eq(mprotect(two + 4096, 4096, PROT_NONE), 0);
	}
	memcpy(two + 4096 - n, bytes, n);
	return two + 4096 - n;
}

struct tls_socket
snapshot(int fd)
{
	struct session *so = session_get(fd);
	struct tls_socket copy;

	cr_assert_not_null(so);
	memcpy(&copy, so->sock, sizeof(copy));
	session_put(so);
	return copy;
}

bool
unchanged(int fd, const struct tls_socket *before)
{
	struct tls_socket now = snapshot(fd);

	return memcmp(&now, before, sizeof(now)) == 0;
}

void
check_wire(int fd, int peer, const struct oracle *oracle, uint64_t seq, const char *name)
{
	static struct oracle_opened opened;
	uint8_t wire[300], text[100];
	struct tls_end end = {.fd = fd, .oracle = *oracle, .seq = seq};
	struct iovec iov = {text, sizeof(text)};
	size_t used;

	end.so = session_get(fd);
	cr_assert_not_null(end.so);
	if (end.so->sock->tx.on) {
		fill_pattern(text, sizeof(text), 9);
		cr_expect_eq(so_send(end.so, fd, &iov, 1, NULL, 0), 100, "%s", name);
		ssize_t n = recv(peer, wire, sizeof(wire), 0);
		n = peer_opens(&end, wire, (size_t)n, &used, &opened);
		cr_expect(n == 100 && memcmp(opened.payload, text, 100) == 0, "%s: %zd",
			  name, n);
	}
	if (end.so->sock->rx.on) {
		end.oracle = *oracle;
		end.seq = seq;
		fill_pattern(text, sizeof(text), 9);
		size_t len = peer_seals(&end, 23, text, 100, wire);
		cr_assert_eq(write(peer, wire, len), (ssize_t)len);
		memset(text, 0, sizeof(text));
		cr_expect_eq(so_receive(end.so, fd, &iov, 1, NULL, 0), 100, "%s", name);
		fill_pattern(wire, 100, 9);
		cr_expect_eq(memcmp(text, wire, 100), 0, "%s", name);
	}
	session_put(end.so);
}

void
ulp_pair(int *fd, int *peer)
{
	tcp_pair(fd, peer);
	cr_assert_eq(set(*fd, IPPROTO_TCP, ULP, "tls", 4), 0);
}
