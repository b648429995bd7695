/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c: plain sockets and random bytes for the scenarios.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static uint64_t random_state = 1;

void
random_seed(uint64_t seed)
{
	random_state = seed | 1;
}

/* xorshift64* */
static uint64_t
random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717u;
}

uint32_t
random_below(uint32_t limit)
{
	return (uint32_t)((random_next() >> 32) % limit);
}

void
random_bytes(void *p, size_t n)
{
	uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(random_next() >> 56);
}

int
tcp_socket(void)
{
	return (int)must(socket(AF_INET, SOCK_STREAM, 0));
}

int
tcp_listener(int family, struct sockaddr_storage *addr, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = (int)must(socket(family, SOCK_STREAM, 0));

	memset(addr, 0, sizeof(*addr));
	if (family == AF_INET)
		memcpy(addr, &in, *len = sizeof(in));
	else
		memcpy(addr, &in6, *len = sizeof(in6));
	if (bind(fd, (struct sockaddr *)addr, *len) < 0 && family == AF_INET6)
		skip("no IPv6 on loopback");
	must(listen(fd, 4));
	must(getsockname(fd, (struct sockaddr *)addr, len));
	return fd;
}

void
tcp_pair_of(int family, int fd[2])
{
	struct sockaddr_storage addr;
	socklen_t len;
	int listener = tcp_listener(family, &addr, &len);

	fd[0] = (int)must(socket(family, SOCK_STREAM, 0));
	must(connect(fd[0], (struct sockaddr *)&addr, len));
	fd[1] = (int)must(accept(listener, NULL, NULL));
	close(listener);
	set_int(fd[0], IPPROTO_TCP, 1 /* TCP_NODELAY */, 1);
	set_int(fd[1], IPPROTO_TCP, 1, 1);
}

void
tcp_pair(int fd[2])
{
	tcp_pair_of(AF_INET, fd);
}

void
set_nonblocking(int fd, bool on)
{
	int flags = (int)must(fcntl(fd, F_GETFL));

	must(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

void
set_int(int fd, int level, int name, int value)
{
	must(setsockopt(fd, level, name, &value, sizeof(value)));
}

int
get_int(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	must(getsockopt(fd, level, name, &value, &len));
	check_eq(len, sizeof(value));
	return value;
}

int
poll_for(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};

	return must(poll(&p, 1, ms)) > 0 ? p.revents : 0;
}

void
read_all(int fd, void *p, size_t n)
{
	uint8_t *bytes = p;

	while (n > 0) {
		ssize_t r = read(fd, bytes, n);
		if (r < 0 && errno == EAGAIN) {
			poll_for(fd, POLLIN, -1);
			continue;
		}
		if (r <= 0)
			fail("read: %zd with %zu bytes to come (%s)", r, n,
			     r < 0 ? strerrorname_np(errno) : "end of stream");
		bytes += r;
		n -= (size_t)r;
	}
}

void
write_all(int fd, const void *p, size_t n)
{
	const uint8_t *bytes = p;

	while (n > 0) {
		ssize_t r = write(fd, bytes, n);
		if (r < 0 && errno == EAGAIN) {
			poll_for(fd, POLLOUT, -1);
			continue;
		}
		must(r);
		bytes += r;
		n -= (size_t)r;
	}
}

size_t
read_to_end(int fd, void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, (uint8_t *)p + have, n - have);
		if (r < 0 && errno == EAGAIN) {
			poll_for(fd, POLLIN, -1);
			continue;
		}
		if (must(r) == 0)
			break;
		have += (size_t)r;
	}
	return have;
}

void
check_silent(int fd)
{
	int queued = -1;

	poll_for(fd, 0, 5);
	must(ioctl(fd, FIONREAD, &queued));
	check_eq(queued, 0);
}

void
close_hard(int fd)
{
	struct linger linger = {.l_onoff = 1};

	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	must(close(fd));
}

void *
bad_address(void)
{
	static void *page;

	if (page == NULL) {
		page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(page != MAP_FAILED);
	}
	return page;
}

/* A peek is not TLS's: it goes by the raw end, or before keys are there. */
void
wait_queued(int fd, int n)
{
	for (int queued = 0; queued < n;) {
		must(ioctl(fd, FIONREAD, &queued));
		if (queued < n)
			nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
}
