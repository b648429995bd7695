/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readiness.h: takes away the one false "readable": the first bytes of a record.
 *
 * Nothing depends on it but the absence of that: a program that waits by other means is
 * woken once too often and loses nothing.
 */
#ifndef KTLS_READINESS_H
#define KTLS_READINESS_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

/* As the libc functions, but -errno; NULL timeouts wait for ever. ready_pselect leaves in
 * *timeout what was not slept. */
int ready_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *set);
int ready_pselect(int n, fd_set *r, fd_set *w, fd_set *x, struct timespec *timeout,
		  const sigset_t *set);
int ready_epoll_wait(int ep, struct epoll_event *events, int max,
		     const struct timespec *timeout, const sigset_t *set);

/* The program's epoll_ctl(2) succeeded: remember which descriptor an event belongs to. */
void ready_epoll_ctl(int ep, int op, int fd, const struct epoll_event *event);

#endif
