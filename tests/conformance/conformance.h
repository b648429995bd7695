/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance.h: what a scenario is: a function, the suites it runs with, and its name.
 */
#ifndef KTLS_TESTS_CONFORMANCE_H
#define KTLS_TESTS_CONFORMANCE_H

#include <stdbool.h>

/* Groups of suites, as FreeBSD's own tests divide them. */
enum {
	G_CBC10 = 1 << 0, /* TLS 1.0 CBC: cannot be received */
	G_CBC = 1 << 1,   /* TLS 1.1 and 1.2 CBC */
	G_GCM12 = 1 << 2,
	G_GCM13 = 1 << 3,
	G_CC12 = 1 << 4,
	G_CC13 = 1 << 5,
	G_INVALID = 1 << 6, /* no such suite in that version */

	G_T13 = G_GCM13 | G_CC13,
	G_EXPLICIT = G_CBC | G_GCM12, /* with something of the nonce on the wire */
	G_RX = G_EXPLICIT | G_CC12 | G_T13,
	G_TX = G_RX | G_CBC10,
	G_ONE = 1 << 7, /* one suite will do */
	G_FEW = 1 << 8, /* one suite of each kind that can be received */
};

struct suite {
	const char *name;
	unsigned groups;
	const char *row; /* of the oracle */
	int row_minor;
	int minor; /* 1..4: the version to ask for */
};

struct variant {
	const struct suite *suite; /* NULL: a scenario without suites */
	int n;                     /* which of the numbered variants; 0: none */
};

/* Cases are named PREFIX[_SUITE][_SUFFIX][_N]. */
struct scenario {
	const char *prefix, *suffix;
	unsigned groups;
	int count; /* variants 1..count */
	void (*run)(const struct variant *v);
};

extern const struct suite suites[];
extern const int suite_count;
const struct suite *suite_named(const char *name);

/* Each list ends with a row of zeros. */
extern const struct scenario catalogue_transmit[], catalogue_receive[], catalogue_misc[];
extern const struct scenario enable_scenarios[], enable_wrong_scenarios[];
extern const struct scenario mode_scenarios[], sysctl_scenarios[];
extern const struct scenario send_scenarios[], sendfile_scenarios[], flow_scenarios[];
extern const struct scenario record_scenarios[], receive_scenarios[];
extern const struct scenario rx_error_scenarios[], ready_scenarios[], shared_scenarios[];
extern const struct scenario plain_scenarios[], plain_wait_scenarios[];

#endif
