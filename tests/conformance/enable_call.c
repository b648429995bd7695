/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enable_call.c: one call that turns TLS on.
 */
#include "enable_call.h"

#include <string.h>
#include <unistd.h>

void
call_make(struct call *c, int option, const struct suite *suite)
{
	memset(c, 0, sizeof(*c));
	c->option = option;
	tcp_pair(c->fd);
	c->sock = c->fd[1];
	keys_make(&c->k, suite);
	keys_enable(&c->k, &c->en);
	c->val = &c->en;
	c->len = sizeof(c->en);
}

int
call(const struct call *c)
{
	return setsockopt(c->sock, IPPROTO_TCP, c->option, c->val, c->len);
}

void
call_close(struct call *c)
{
	if (c->sock != c->fd[1])
		close(c->sock);
	close(c->fd[0]);
	close(c->fd[1]);
}
