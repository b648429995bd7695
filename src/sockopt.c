/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt.c: which socket options are ours, and those that belong to neither dialect.
 */
#include "sockopt.h"

#include <errno.h>
#include <limits.h>
#include <linux/tcp.h> /* all of struct tcp_info */
#include <string.h>
#include <sys/ktls_compat.h>

#include "real.h"
#include "so.h"
#include "stats.h"
#include "sw_rx.h"
#include "uaccess.h"

int
sockopt_tcp_summary(int fd, struct tcp_summary *summary)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int saved = errno, r = 0;

	if (real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		r = -errno;
	errno = saved;
	summary->state = info.tcpi_state;
	summary->has_spoken = info.tcpi_segs_out > 0 || info.tcpi_segs_in > 0;
	return r;
}

/* The program's SO_RCVLOWAT from now on is ours to keep: the kernel's says how much of a
 * record is missing. */
static void
take_over_lowat(struct tls_socket *sock, int fd)
{
	int lowat = 1;

	if (sock_get_int(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat) == 0 && lowat > 1) {
		sock->app_lowat = lowat;
		sock_set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
	}
	sock->rx.lowat = 1;
}

/*
 * The commit point is cipher_set_key(): before it everything that can fail is done, after
 * it nothing fails, because a caller who is told of a failure goes on in the clear.
 */
int
sockopt_set_key(struct session *so, int fd, enum engine_direction dir,
		const struct cipher_params *params)
{
	struct tls_socket *sock = so->sock;
	struct cipher_state *cipher = dir == TX ? &sock->tx.cipher : &sock->rx.cipher;
	_Atomic bool *on = dir == TX ? &sock->tx.on : &sock->rx.on;
	int r = session_lock(so, fd, dir);

	if (r < 0)
		return r;
	bool first = !*on;
	r = cipher_set_key(cipher, &so->context[dir], params, dir);
	if (r == 0 && first) {
		if (dir == RX)
			take_over_lowat(sock, fd);
		*on = true;
		stats_direction_on((int)dir, cipher, so->context[dir].engine->name);
	} else if (r == 0) {
		stats_add(dir == TX ? STAT_REKEYS_TX : STAT_REKEYS_RX, 1);
		if (dir == RX)
			sw_rx_rekeyed(sock, fd);
	}
	session_unlock(so, dir);
	return r;
}

void
sockopt_drop_unused(int fd, struct session *so)
{
	struct tls_socket *sock = so->sock;
	bool unused = !sock->ulp && !sock->tx.on && !sock->rx.on;

	session_put(so);
	if (unused)
		session_forget(fd);
}

/* SO_RCVLOWAT as sock_setsockopt() takes it. */
static int
set_lowat(struct session *so, const void *val, socklen_t len)
{
	int lowat;

	if (len < sizeof(lowat))
		return -EINVAL;
	if (user_copy_in(&lowat, val, sizeof(lowat)) < 0)
		return -EFAULT;
	so->sock->app_lowat = lowat < 0 ? INT_MAX : lowat == 0 ? 1 : lowat;
	return 0;
}

int
sockopt_put_int(int value, void *val, socklen_t *len)
{
	socklen_t room;

	if (user_copy_in(&room, len, sizeof(room)) < 0)
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (room > sizeof(value))
		room = sizeof(value);
	if (user_copy_out(val, &value, room) < 0 ||
	    user_copy_out(len, &room, sizeof(room)) < 0)
		return -EFAULT;
	return 0;
}

/* SOL_SOCKET: three options that our own use of the socket would show through. */
static int
socket_set(int fd, int name, const void *val, socklen_t len)
{
	struct session *so;
	int r = SOCKOPT_PASS;

	if (name != SO_RCVLOWAT && name != SO_PEEK_OFF)
		return SOCKOPT_PASS;
	so = session_with(fd, RX);
	if (so == NULL)
		return SOCKOPT_PASS;
	if (so == &session_closing)
		return -EBADF;
	if (name == SO_RCVLOWAT)
		r = set_lowat(so, val, len);
	else
		r = -EOPNOTSUPP; /* as Linux before 6.9 for every TCP socket */
	session_put(so);
	return r;
}

static int
socket_get(int fd, int name, void *val, socklen_t *len)
{
	struct session *so;
	int r = SOCKOPT_PASS;

	if (name != SO_RCVLOWAT && name != SO_ERROR)
		return SOCKOPT_PASS;
	so = session_get(fd);
	if (so == NULL || so == &session_closing)
		return SOCKOPT_PASS;
	if (name == SO_RCVLOWAT && so->sock->rx.on) {
		int lowat = so->sock->app_lowat;
		r = sockopt_put_int(lowat > 0 ? lowat : 1, val, len);
	} else if (name == SO_ERROR) {
		if (so->sock->rx.on && so->sock->rules == RULES_FREEBSD)
			sw_look_for_error(so, fd);
		if (so->sock->error != 0)
			r = sockopt_put_int(session_take_error(so), val, len);
	}
	session_put(so);
	return r;
}

int
so_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	if (level == SOL_SOCKET)
		return socket_set(fd, name, val, len);
	if (level == SOL_TLS)
		return linux_tls_set(fd, name, val, len);
	if (level != IPPROTO_TCP)
		return SOCKOPT_PASS;
	if (name == TCP_ULP)
		return linux_ulp_set(fd, val, len);
	if (name >= TCP_TXTLS_ENABLE && name <= TCP_RXTLS_MODE)
		return freebsd_set(fd, name, val, len);
	return SOCKOPT_PASS;
}

int
so_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	if (level == SOL_SOCKET)
		return socket_get(fd, name, val, len);
	if (level == SOL_TLS)
		return linux_tls_get(fd, name, val, len);
	if (level != IPPROTO_TCP)
		return SOCKOPT_PASS;
	if (name == TCP_ULP)
		return linux_ulp_get(fd, val, len);
	if (name >= TCP_TXTLS_ENABLE && name <= TCP_RXTLS_MODE)
		return freebsd_get(fd, name, val, len);
	return SOCKOPT_PASS;
}
