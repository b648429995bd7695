/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose.c: the libc calls that move bytes or set options.
 */
#include "interpose.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "so.h"

LIBC_IO_CALLS(DECLARE, DECLARE)
long ktls_syscall(long number, long a, long b, long c, long d, long e, long f);
int ktls_dprintf(int fd, const char *format, ...);
int ktls___dprintf_chk(int fd, int flag, const char *format, ...);
int ktls_close(int fd);

static ssize_t
receive_into(struct session *so, int fd, void *buf, size_t n, int flags)
{
	struct iovec iov = {.iov_base = buf, .iov_len = n};

	return finish(so, so_receive(so, fd, &iov, 1, NULL, flags));
}

static ssize_t
send_from(struct session *so, int fd, const void *buf, size_t n, int flags)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};

	return finish(so, so_send(so, fd, &iov, 1, NULL, flags));
}

ssize_t
ktls_read(int fd, void *buf, size_t n)
{
	struct session *so = session_with(fd, RX);

	return so != NULL ? receive_into(so, fd, buf, n, 0) : real.read(fd, buf, n);
}

ssize_t
ktls_write(int fd, const void *buf, size_t n)
{
	struct session *so = session_with(fd, TX);

	return so != NULL ? send_from(so, fd, buf, n, 0) : real.write(fd, buf, n);
}

/* readv(2) and writev(2) count pieces in an int, and too many are EINVAL there. */
static bool
count_fits(int cnt)
{
	return cnt >= 0 && cnt <= IOV_MAX;
}

ssize_t
ktls_readv(int fd, const struct iovec *iov, int cnt)
{
	struct session *so = count_fits(cnt) ? session_with(fd, RX) : NULL;

	return so != NULL ? finish(so, so_receive(so, fd, iov, (size_t)cnt, NULL, 0))
			  : real.readv(fd, iov, cnt);
}

ssize_t
ktls_writev(int fd, const struct iovec *iov, int cnt)
{
	struct session *so = count_fits(cnt) ? session_with(fd, TX) : NULL;

	return so != NULL ? finish(so, so_send(so, fd, iov, (size_t)cnt, NULL, 0))
			  : real.writev(fd, iov, cnt);
}

/* With offset -1 these act as readv and writev; with any other a socket is ESPIPE. */
ssize_t
ktls_preadv2(int fd, const struct iovec *iov, int cnt, off_t off, int flags)
{
	struct session *so = off == -1 && count_fits(cnt) ? session_with(fd, RX) : NULL;
	int how = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0;

	return so != NULL ? finish(so, so_receive(so, fd, iov, (size_t)cnt, NULL, how))
			  : real.preadv2(fd, iov, cnt, off, flags);
}

ssize_t
ktls_pwritev2(int fd, const struct iovec *iov, int cnt, off_t off, int flags)
{
	struct session *so = off == -1 && count_fits(cnt) ? session_with(fd, TX) : NULL;
	int how = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0;

	return so != NULL ? finish(so, so_send(so, fd, iov, (size_t)cnt, NULL, how))
			  : real.pwritev2(fd, iov, cnt, off, flags);
}

ssize_t
ktls_recv(int fd, void *buf, size_t n, int flags)
{
	struct session *so = session_with(fd, RX);

	return so != NULL ? receive_into(so, fd, buf, n, flags)
			  : real.recv(fd, buf, n, flags);
}

ssize_t
ktls_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
	      socklen_t *len)
{
	struct session *so = session_with(fd, RX);

	if (so == NULL)
		return real.recvfrom(fd, buf, n, flags, addr, len);
	ssize_t r = receive_into(so, fd, buf, n, flags);
	if (r >= 0 && addr != NULL && len != NULL)
		*len = 0; /* a connected socket has no source to tell: recv(2) */
	return r;
}

ssize_t
ktls_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct session *so = session_with(fd, RX);

	return so != NULL ? finish(so, so_recvmsg(so, fd, msg, flags))
			  : real.recvmsg(fd, msg, flags);
}

int
ktls_recvmmsg(int fd, struct mmsghdr *vec, unsigned vlen, int flags, struct timespec *tmo)
{
	struct session *so = session_with(fd, RX);

	return so != NULL ? (int)finish(so, so_recvmmsg(so, fd, vec, vlen, flags, tmo))
			  : real.recvmmsg(fd, vec, vlen, flags, tmo);
}

ssize_t
ktls_send(int fd, const void *buf, size_t n, int flags)
{
	struct session *so = session_with(fd, TX);

	return so != NULL ? send_from(so, fd, buf, n, flags)
			  : real.send(fd, buf, n, flags);
}

ssize_t
ktls_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
	    socklen_t len)
{
	struct session *so = session_with(fd, TX);

	return so != NULL ? finish(so, so_sendto(so, fd, buf, n, flags, addr, len))
			  : real.sendto(fd, buf, n, flags, addr, len);
}

ssize_t
ktls_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct session *so = session_with(fd, TX);

	if (so == NULL && sessions_seen && so_sets_record_type(msg))
		return edge(-EINVAL);
	return so != NULL ? finish(so, so_sendmsg(so, fd, msg, flags))
			  : real.sendmsg(fd, msg, flags);
}

int
ktls_sendmmsg(int fd, struct mmsghdr *vec, unsigned vlen, int flags)
{
	struct session *so = session_with(fd, TX);

	return so != NULL ? (int)finish(so, so_sendmmsg(so, fd, vec, vlen, flags))
			  : real.sendmmsg(fd, vec, vlen, flags);
}

ssize_t
ktls_sendfile(int out, int in, off_t *off, size_t n)
{
	struct session *so = session_with(out, TX);

	return so != NULL ? finish(so, so_sendfile(so, out, in, off, n))
			  : real.sendfile(out, in, off, n);
}

/* A socket has no offset: given one, the kernel's ESPIPE is right. */
ssize_t
ktls_splice(int in, off_t *in_off, int out, off_t *out_off, size_t n, unsigned flags)
{
	struct session *so = out_off == NULL ? session_with(out, TX) : NULL;

	if (so != NULL)
		return finish(so, so_splice_in(so, out, in, n, flags));
	so = in_off == NULL ? session_with(in, RX) : NULL;
	if (so != NULL)
		return finish(so, so_splice_out(so, in, out, n, flags));
	return real.splice(in, in_off, out, out_off, n, flags);
}

/* What programs built with _FORTIFY_SOURCE call. An overflow is the real one's to report.
 */
ssize_t
ktls___read_chk(int fd, void *buf, size_t n, size_t size)
{
	return n <= size ? ktls_read(fd, buf, n) : real.__read_chk(fd, buf, n, size);
}

ssize_t
ktls___recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
	return n <= size ? ktls_recv(fd, buf, n, flags)
			 : real.__recv_chk(fd, buf, n, size, flags);
}

ssize_t
ktls___recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags,
		    struct sockaddr *addr, socklen_t *len)
{
	return n <= size ? ktls_recvfrom(fd, buf, n, flags, addr, len)
			 : real.__recvfrom_chk(fd, buf, n, size, flags, addr, len);
}

/* libc's own would write past us: format here, then send all of it. */
__attribute__((format(printf, 2, 0))) static int
print_to(int fd, const char *format, va_list ap)
{
	char *text;
	int len = vasprintf(&text, format, ap);

	for (int done = 0; done < len;) {
		ssize_t n = ktls_write(fd, text + done, (size_t)(len - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			len = -1;
		else
			done += (int)n;
	}
	if (len >= 0)
		free(text);
	return len;
}

static bool
is_tls_output(int fd)
{
	struct session *so = session_with(fd, TX);

	if (so != NULL)
		session_put(so);
	return so != NULL;
}

int
ktls_vdprintf(int fd, const char *format, va_list ap)
{
	return is_tls_output(fd) ? print_to(fd, format, ap)
				 : real.vdprintf(fd, format, ap);
}

int
ktls___vdprintf_chk(int fd, int flag, const char *format, va_list ap)
{
	return is_tls_output(fd) ? print_to(fd, format, ap)
				 : real.__vdprintf_chk(fd, flag, format, ap);
}

int
ktls_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	int r = so_setsockopt(fd, level, name, val, len);

	return r == SOCKOPT_PASS ? real.setsockopt(fd, level, name, val, len)
				 : (int)edge(r);
}

int
ktls_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int r = so_getsockopt(fd, level, name, val, len);

	return r == SOCKOPT_PASS ? real.getsockopt(fd, level, name, val, len)
				 : (int)edge(r);
}

int
ktls_ioctl(int fd, unsigned long request, void *arg)
{
	struct session *so = request == FIONREAD ? session_with(fd, RX) : NULL;

	return so != NULL ? (int)finish(so, so_readable_bytes(so, fd, arg))
			  : real.ioctl(fd, request, arg);
}

int
ktls_shutdown(int fd, int how)
{
	return real.shutdown(fd, how);
}

int
ktls_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct session *so = session_get(fd);
	int r;

	if (so == NULL)
		return real.connect(fd, addr, len);
	r = so_connect(so, fd, addr, len);
	return (int)finish(so, r);
}

/* FreeBSD: a socket with TLS cannot listen. */
int
ktls_listen(int fd, int backlog)
{
	struct session *so = session_get(fd);

	return so != NULL ? (int)finish(so, -EINVAL) : real.listen(fd, backlog);
}

/* stdio on a TLS socket must come back through us: a stream of our own callbacks. */
static ssize_t
cookie_read(void *cookie, char *buf, size_t n)
{
	return ktls_read((int)(intptr_t)cookie, buf, n);
}

static ssize_t
cookie_write(void *cookie, const char *buf, size_t n)
{
	/* fopencookie(3): a write function must not answer -1. */
	ssize_t done = ktls_write((int)(intptr_t)cookie, buf, n);
	return done < 0 ? 0 : done;
}

static int
cookie_close(void *cookie)
{
	return ktls_close((int)(intptr_t)cookie);
}

FILE *
ktls_fdopen(int fd, const char *mode)
{
	const cookie_io_functions_t calls = {
		.read = cookie_read, .write = cookie_write, .close = cookie_close};
	struct session *so = session_get(fd);

	if (so == NULL)
		return real.fdopen(fd, mode);
	session_put(so);
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, calls);
	if (stream != NULL)
		stream->_fileno = fd; /* so that fileno(3) tells the truth */
	return stream;
}

int
ktls_dprintf(int fd, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int r = ktls_vdprintf(fd, format, ap);
	va_end(ap);
	return r;
}

int
ktls___dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int r = ktls___vdprintf_chk(fd, flag, format, ap);
	va_end(ap);
	return r;
}

/*
 * syscall(2): the numbers that move bytes on a descriptor take the same way as the calls
 * of that name; all others pass. Arguments that were not given are read all the same, as
 * libc does.
 */
long
ktls_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	int fd = (int)a, flags = (int)d;

	switch (number) {
	case SYS_read:
		return ktls_read(fd, (void *)b, (size_t)c);
	case SYS_write:
		return ktls_write(fd, (const void *)b, (size_t)c);
	case SYS_readv:
		return ktls_readv(fd, (const struct iovec *)b, (int)c);
	case SYS_writev:
		return ktls_writev(fd, (const struct iovec *)b, (int)c);
	case SYS_recvfrom:
		return ktls_recvfrom(fd, (void *)b, (size_t)c, flags,
				     (struct sockaddr *)e, (socklen_t *)f);
	case SYS_sendto:
		return ktls_sendto(fd, (const void *)b, (size_t)c, flags,
				   (const struct sockaddr *)e, (socklen_t)f);
	case SYS_recvmsg:
		return ktls_recvmsg(fd, (struct msghdr *)b, (int)c);
	case SYS_sendmsg:
		return ktls_sendmsg(fd, (const struct msghdr *)b, (int)c);
	case SYS_sendfile:
		return ktls_sendfile(fd, (int)b, (off_t *)c, (size_t)d);
	case SYS_setsockopt:
		return ktls_setsockopt(fd, (int)b, (int)c, (const void *)d, (socklen_t)e);
	case SYS_getsockopt:
		return ktls_getsockopt(fd, (int)b, (int)c, (void *)d, (socklen_t *)e);
	case SYS_close:
		return ktls_close(fd);
	default:
		return edge(raw_syscall(number, a, b, c, d, e, f));
	}
}

LIBC_IO_CALLS(EXPORT, EXPORT)
LIBC_IO_ALIASES(EXPORT_AS)
LIBC_VARIADIC(EXPORT_AS)
