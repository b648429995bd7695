/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll_watch.h: which descriptor an epoll event is about.
 *
 * An event brings only the data that the program gave epoll_ctl(2). A descriptor that is
 * in several sets is known for the last one; an event that is not known is not filtered.
 */
#ifndef KTLS_EPOLL_WATCH_H
#define KTLS_EPOLL_WATCH_H

#include <stdint.h>
#include <sys/epoll.h>

/* Nothing is noted in a process that has had no TLS yet. */
void epoll_watch_note(int ep, int fd, const struct epoll_event *event);
void epoll_watch_drop(int ep, int fd);

/* The descriptor behind `data` in `ep` and what was asked for it, or -1. */
int epoll_watch_find(int ep, uint64_t data, struct epoll_event *event);

#endif
