/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalogue_misc.c: the two of FreeBSD's own tests that are about no connection.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

static void
sendto_baddst(const struct variant *v)
{
	struct sockaddr_in dst = {.sin_family = AF_INET,
				  .sin_port = htons(12345),
				  .sin_addr = {htonl(INADDR_BROADCAST)}};
	struct keys k;
	char data[32] = "";
	int fd = tcp_socket();

	(void)v;
	enable_tx(fd, suite_named("aes128_gcm_1_3"), &k);
	check_errno(
		sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&dst, sizeof(dst)),
		EACCES);
	must(close(fd));
}

static void
listening_socket(const struct variant *v)
{
	struct sockaddr_storage addr;
	socklen_t len;
	struct keys k;
	int fd;

	(void)v;
	fd = tcp_socket();
	enable_tx(fd, suite_named("aes128_gcm_1_3"), &k);
	check_errno(listen(fd, 1), EINVAL);
	must(close(fd));

	fd = tcp_socket();
	enable_rx(fd, suite_named("aes128_gcm_1_3"), &k);
	check_errno(listen(fd, 1), EINVAL);
	must(close(fd));

	fd = tcp_listener(AF_INET, &addr, &len);
	check_errno(enable(fd, TCP_TXTLS_ENABLE, &k), ENOTCONN);
	check_errno(enable(fd, TCP_RXTLS_ENABLE, &k), EINVAL);
	must(close(fd));
}

const struct scenario catalogue_misc[] = {
	{"ktls_sendto_baddst", NULL, 0, 0, sendto_baddst},
	{"ktls_listening_socket", NULL, 0, 0, listening_socket},
	{0},
};
