/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink.c: a raw end that takes what comes, at its own speed.
 */
#include "sink.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "check.h"

static size_t
wanted(const struct sink *s)
{
	return s->have < 5 ? 5 : 5u + (size_t)(s->r.wire[3] << 8 | s->r.wire[4]);
}

bool
sink_read(struct sink *s, int fd, size_t limit)
{
	size_t want = wanted(s) - s->have;
	ssize_t n =
		recv(fd, s->r.wire + s->have, want < limit ? want : limit, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	check(must(n) > 0);
	s->have += (size_t)n;
	check(wanted(s) <= sizeof(s->r.wire));
	if (s->have < wanted(s) || s->have == 5)
		return true;
	s->r.wire_len = s->have;
	open_record(s->k, &s->r);
	check_eq(s->r.opened.type, s->type);
	check(s->r.len > 0);
	check(s->done + s->r.len <= s->len);
	check_bytes(s->r.opened.payload, s->data + s->done, s->r.len);
	s->done += s->r.len;
	s->have = 0;
	return true;
}

void
sink_finish(struct sink *s, int fd)
{
	while (s->done < s->len)
		if (!sink_read(s, fd, sizeof(s->r.wire)))
			poll_for(fd, POLLIN, -1);
	check_eq(s->have, 0);
}

void
narrow_pair(int fd[2], const struct suite *suite, struct keys *k, int sndbuf, int rcvbuf)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int listener = tcp_listener(AF_INET, &addr, &len);

	fd[0] = tcp_socket();
	set_int(fd[0], IPPROTO_TCP, TCP_MAXSEG, 700);
	set_int(fd[0], SOL_SOCKET, SO_RCVBUF, rcvbuf);
	must(connect(fd[0], (struct sockaddr *)&addr, len));
	fd[1] = (int)must(accept(listener, NULL, NULL));
	close(listener);
	set_int(fd[1], IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd[1], SOL_SOCKET, SO_SNDBUF, sndbuf);
	enable_tx(fd[1], suite, k);
}
