/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc_table.h: the one list of the libc functions that the library stands in front of.
 *
 * X(return type, name, (parameters), (arguments), (system call and its arguments)): until
 * the constructor has found the next function in the chain, the bare system call serves.
 * L(return type, name, (parameters), (arguments)): no system call of the same shape; an
 * early caller makes us look the next function up at once.
 * A(alias, name): another exported name of a function above.
 */
#ifndef KTLS_LIBC_TABLE_H
#define KTLS_LIBC_TABLE_H

/* Calls that move bytes or set options: src/interpose.c. */
#define LIBC_IO_CALLS(X, L)                                                              \
	X(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n),                    \
	  (SYS_read, fd, buf, n))                                                        \
	X(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n),             \
	  (SYS_write, fd, buf, n))                                                       \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int cnt), (fd, iov, cnt),    \
	  (SYS_readv, fd, iov, cnt))                                                     \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int cnt), (fd, iov, cnt),   \
	  (SYS_writev, fd, iov, cnt))                                                    \
	L(ssize_t, preadv2,                                                              \
	  (int fd, const struct iovec *iov, int cnt, off_t off, int flags),              \
	  (fd, iov, cnt, off, flags))                                                    \
	L(ssize_t, pwritev2,                                                             \
	  (int fd, const struct iovec *iov, int cnt, off_t off, int flags),              \
	  (fd, iov, cnt, off, flags))                                                    \
	X(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags),  \
	  (SYS_recvfrom, fd, buf, n, flags, NULL, NULL))                                 \
	X(ssize_t, recvfrom,                                                             \
	  (int fd, void *buf, size_t n, int flags, struct sockaddr *addr,                \
	   socklen_t *len),                                                              \
	  (fd, buf, n, flags, addr, len), (SYS_recvfrom, fd, buf, n, flags, addr, len))  \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags),   \
	  (SYS_recvmsg, fd, msg, flags))                                                 \
	X(int, recvmmsg,                                                                 \
	  (int fd, struct mmsghdr *vec, unsigned vlen, int flags, struct timespec *tmo), \
	  (fd, vec, vlen, flags, tmo), (SYS_recvmmsg, fd, vec, vlen, flags, tmo))        \
	X(ssize_t, send, (int fd, const void *buf, size_t n, int flags),                 \
	  (fd, buf, n, flags), (SYS_sendto, fd, buf, n, flags, NULL, 0))                 \
	X(ssize_t, sendto,                                                               \
	  (int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,    \
	   socklen_t len),                                                               \
	  (fd, buf, n, flags, addr, len), (SYS_sendto, fd, buf, n, flags, addr, len))    \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),               \
	  (fd, msg, flags), (SYS_sendmsg, fd, msg, flags))                               \
	X(int, sendmmsg, (int fd, struct mmsghdr *vec, unsigned vlen, int flags),        \
	  (fd, vec, vlen, flags), (SYS_sendmmsg, fd, vec, vlen, flags))                  \
	X(ssize_t, sendfile, (int out, int in, off_t *off, size_t n), (out, in, off, n), \
	  (SYS_sendfile, out, in, off, n))                                               \
	X(ssize_t, splice,                                                               \
	  (int in, off_t *in_off, int out, off_t *out_off, size_t n, unsigned flags),    \
	  (in, in_off, out, out_off, n, flags),                                          \
	  (SYS_splice, in, in_off, out, out_off, n, flags))                              \
	L(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size),               \
	  (fd, buf, n, size))                                                            \
	L(ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t size, int flags),    \
	  (fd, buf, n, size, flags))                                                     \
	L(ssize_t, __recvfrom_chk,                                                       \
	  (int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *addr,   \
	   socklen_t *len),                                                              \
	  (fd, buf, n, size, flags, addr, len))                                          \
	L(int, vdprintf, (int fd, const char *format, va_list ap), (fd, format, ap))     \
	L(int, __vdprintf_chk, (int fd, int flag, const char *format, va_list ap),       \
	  (fd, flag, format, ap))                                                        \
	X(int, setsockopt,                                                               \
	  (int fd, int level, int name, const void *val, socklen_t len),                 \
	  (fd, level, name, val, len), (SYS_setsockopt, fd, level, name, val, len))      \
	X(int, getsockopt, (int fd, int level, int name, void *val, socklen_t *len),     \
	  (fd, level, name, val, len), (SYS_getsockopt, fd, level, name, val, len))      \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg),    \
	  (SYS_ioctl, fd, request, arg))                                                 \
	X(int, connect, (int fd, const struct sockaddr *addr, socklen_t len),            \
	  (fd, addr, len), (SYS_connect, fd, addr, len))                                 \
	X(int, shutdown, (int fd, int how), (fd, how), (SYS_shutdown, fd, how))          \
	X(int, listen, (int fd, int backlog), (fd, backlog), (SYS_listen, fd, backlog))  \
	L(FILE *, fdopen, (int fd, const char *mode), (fd, mode))

#define LIBC_IO_ALIASES(A)       \
	A(__read, read)          \
	A(__write, write)        \
	A(__send, send)          \
	A(__connect, connect)    \
	A(preadv64v2, preadv2)   \
	A(pwritev64v2, pwritev2) \
	A(sendfile64, sendfile)

/* Functions with a variable number of arguments, which have no shape of their own; also
 * src/interpose.c. */
#define LIBC_VARIADIC(A)                \
	A(dprintf, dprintf)             \
	A(__dprintf_chk, __dprintf_chk) \
	A(syscall, syscall)

/* Calls that make, copy and end descriptors: src/interpose_fd.c. */
#define LIBC_FD_CALLS(X, L)                                                              \
	X(int, close, (int fd), (fd), (SYS_close, fd))                                   \
	X(int, close_range, (unsigned first, unsigned last, int flags),                  \
	  (first, last, flags), (SYS_close_range, first, last, flags))                   \
	L(void, closefrom, (int first), (first))                                         \
	X(int, dup, (int fd), (fd), (SYS_dup, fd))                                       \
	L(int, dup2, (int fd, int to), (fd, to))                                         \
	X(int, dup3, (int fd, int to, int flags), (fd, to, flags),                       \
	  (SYS_dup3, fd, to, flags))                                                     \
	X(int, fcntl, (int fd, int command, void *arg), (fd, command, arg),              \
	  (SYS_fcntl, fd, command, arg))                                                 \
	X(int, fcntl64, (int fd, int command, void *arg), (fd, command, arg),            \
	  (SYS_fcntl, fd, command, arg))                                                 \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol),   \
	  (SYS_socket, domain, type, protocol))                                          \
	X(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len), \
	  (SYS_accept, fd, addr, len))                                                   \
	X(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),      \
	  (fd, addr, len, flags), (SYS_accept4, fd, addr, len, flags))

#define LIBC_FD_ALIASES(A) \
	A(__close, close)  \
	A(__dup2, dup2)    \
	A(__fcntl, fcntl)

/* Calls that wait for readiness: src/interpose_wait.c. */
#define LIBC_WAIT_CALLS(X, L)                                                          \
	L(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))  \
	L(int, ppoll,                                                                  \
	  (struct pollfd * fds, nfds_t n, const struct timespec *tmo,                  \
	   const sigset_t *set),                                                       \
	  (fds, n, tmo, set))                                                          \
	L(int, __poll_chk, (struct pollfd * fds, nfds_t n, int timeout, size_t size),  \
	  (fds, n, timeout, size))                                                     \
	L(int, __ppoll_chk,                                                            \
	  (struct pollfd * fds, nfds_t n, const struct timespec *tmo,                  \
	   const sigset_t *set, size_t size),                                          \
	  (fds, n, tmo, set, size))                                                    \
	L(int, select, (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *tmo),  \
	  (n, r, w, x, tmo))                                                           \
	L(int, pselect,                                                                \
	  (int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *tmo,         \
	   const sigset_t *set),                                                       \
	  (n, r, w, x, tmo, set))                                                      \
	X(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *event),         \
	  (ep, op, fd, event), (SYS_epoll_ctl, ep, op, fd, event))                     \
	L(int, epoll_wait, (int ep, struct epoll_event *events, int max, int timeout), \
	  (ep, events, max, timeout))                                                  \
	L(int, epoll_pwait,                                                            \
	  (int ep, struct epoll_event *events, int max, int timeout,                   \
	   const sigset_t *set),                                                       \
	  (ep, events, max, timeout, set))                                             \
	L(int, epoll_pwait2,                                                           \
	  (int ep, struct epoll_event *events, int max, const struct timespec *tmo,    \
	   const sigset_t *set),                                                       \
	  (ep, events, max, tmo, set))

#define LIBC_WAIT_ALIASES(A) \
	A(__poll, poll)      \
	A(__select, select)

#endif
