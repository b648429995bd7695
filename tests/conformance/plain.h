/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.h: behaviours that are TCP's own: run on a plain connection, then on one with TLS
 * at both ends; what they have written down must be the same.
 */
#ifndef KTLS_TESTS_PLAIN_H
#define KTLS_TESTS_PLAIN_H

#include <pthread.h>
#include <stddef.h>

#include "conformance.h"

struct link {
	int fd[2];
	const struct suite *suite; /* NULL: plain */
	pthread_t helper;
};

struct trace {
	char text[8192];
	size_t len;
};

/* The call's result, with its errno when that is -1. */
void note(struct trace *t, const char *what, long result);
/* What poll(2) says at once. */
void note_poll(struct trace *t, const char *what, int fd);
/* Whether it is true. */
void note_true(struct trace *t, const char *what, bool yes);

/* A thread that gets no signals and does this after `ms`; helper_join() waits for it. */
void later(struct link *l, int ms, void *(*what)(void *link));
void helper_join(struct link *l);

long now_ms(void);

/* What a socket does, written down. */
typedef void behaviour(struct link *link, struct trace *trace);

void agrees_with_plain(const struct variant *v, behaviour *what);

/* A behaviour's scenario, and its row. */
#define BEHAVIOUR_RUN(name)                             \
	static void run_##name(const struct variant *v) \
	{                                               \
		agrees_with_plain(v, name);             \
	}
#define BEHAVIOUR_ROW(name) {"plain", #name, G_FEW, 0, run_##name},

#endif
