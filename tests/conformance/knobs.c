/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * knobs.c: sysctlbyname(3): what it answers, and what each knob does.
 */
#include "knobs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

void
sysctl_set_bool(const char *name, bool value)
{
	uint8_t byte = value;

	must(sysctlbyname(name, NULL, NULL, &byte, sizeof(byte)));
}

void
sysctl_set_int(const char *name, int value)
{
	must(sysctlbyname(name, NULL, NULL, &value, sizeof(value)));
}

uint64_t
sysctl_counter(const char *name)
{
	char full[96];
	uint64_t value = 0;
	size_t len = sizeof(value);

	snprintf(full, sizeof(full), "kern.ipc.tls.%s", name);
	must(sysctlbyname(full, &value, &len, NULL, 0));
	check_eq(len, sizeof(value));
	return value;
}

static const struct knob {
	const char *name;
	size_t size;
	int value; /* by default */
	bool writable;
} knobs[] = {
	{"kern.ipc.tls.enable", 1, 1, true},
	{"kern.ipc.tls.rx_enable", 1, 1, true},
	{"kern.ipc.tls.cbc_enable", 1, 1, true},
	{"kern.ipc.tls.maxlen", 4, 16384, false},
	{"kern.ipc.tls.ifnet.permitted", 4, 1, true},
	{"kern.ipc.mb_use_ext_pgs", 4, 1, true},
};

static int
knob_value(const struct knob *k)
{
	uint8_t bytes[16];
	size_t len = sizeof(bytes);
	int value;

	memset(bytes, 0xaa, sizeof(bytes));
	must(sysctlbyname(k->name, bytes, &len, NULL, 0));
	check_eq(len, k->size);
	check_eq(bytes[len], 0xaa);
	if (len == 1)
		return bytes[0];
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void
each_knob(const struct knob *k)
{
	uint8_t zero[8] = {0}, one[8] = {1}, small[1];
	size_t len = 0;

	check_eq(knob_value(k), k->value);
	must(sysctlbyname(k->name, NULL, &len, NULL, 0));
	check_eq(len, k->size);
	if (k->size > 1) {
		len = 1;
		check_errno(sysctlbyname(k->name, small, &len, NULL, 0), ENOMEM);
	}
	if (!k->writable) {
		check_errno(sysctlbyname(k->name, NULL, NULL, zero, k->size), EPERM);
		check_eq(knob_value(k), k->value);
		return;
	}
	check_errno(sysctlbyname(k->name, NULL, NULL, zero, k->size + 1), EINVAL);
	check_eq(knob_value(k), k->value);
	/* Old value out and new one in, in one call. */
	len = k->size;
	small[0] = 7;
	must(sysctlbyname(k->name, zero, &len, (uint8_t[8]){0}, k->size));
	check_eq(zero[0], 1);
	check_eq(knob_value(k), 0);
	must(sysctlbyname(k->name, NULL, NULL, one, k->size));
	check_eq(knob_value(k), 1);
}

static void
values(const struct variant *v)
{
	uint8_t byte;
	size_t len = sizeof(byte);
	uint64_t counter = 0;

	(void)v;
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		each_knob(&knobs[i]);
	check_errno(sysctlbyname("kern.ipc.tls.nonsense", &byte, &len, NULL, 0), ENOENT);
	check_errno(sysctlbyname("kern.ipc.tls", &byte, &len, NULL, 0), ENOENT);
	check_errno(sysctlbyname("kern.ostype", &byte, &len, NULL, 0), ENOENT);
	check_errno(sysctlbyname("kern.ipc.tls.stats.enable_calls", NULL, NULL, &counter,
				 sizeof(counter)),
		    EPERM);
}

/* Sessions that are there go on when new ones are no longer allowed. */
static void
existing_sessions(const struct variant *v)
{
	struct keys k;
	int fd[2];

	tx_pair(fd, v->suite, &k);
	sysctl_set_bool("kern.ipc.tls.enable", false);
	sysctl_set_bool("kern.ipc.tls.cbc_enable", false);
	sysctl_set_int("kern.ipc.mb_use_ext_pgs", 0);
	check_eq(write(fd[1], "on", 2), 2);
	expect_record(fd[0], &k, TLS_RLTYPE_APP, "on", 2);
	check_errno(enable(fd[0], TCP_TXTLS_ENABLE, &k), EOPNOTSUPP);
	check_eq(get_int(fd[1], IPPROTO_TCP, TCP_TXTLS_MODE), TCP_TLS_MODE_SW);
}

/* The counters of this process, which has done nothing else. */
static void
counters(const struct variant *v)
{
	static const struct {
		unsigned group;
		const char *gauge, *sealed, *opened;
	} names[] = {
		{G_CBC, "sw.cbc", "tls11_cbc_encrypts", "tls11_cbc_decrypts"},
		{G_GCM12, "sw.gcm", "tls12_gcm_encrypts", "tls12_gcm_decrypts"},
		{G_GCM13, "sw.gcm", "tls13_gcm_encrypts", "tls13_gcm_decrypts"},
		{G_CC12, "sw.chacha20", "tls12_chacha20_encrypts",
		 "tls12_chacha20_decrypts"},
		{G_CC13, "sw.chacha20", "tls13_chacha20_encrypts",
		 "tls13_chacha20_decrypts"},
	};
	uint8_t wire[WIRE_MAX], byte;
	char name[64];
	struct keys tx, rx;
	int fd[2], i = 0;

	while ((names[i].group & v->suite->groups) == 0)
		i++;
	tcp_pair(fd);
	enable_tx(fd[1], v->suite, &tx);
	enable_rx(fd[1], v->suite, &rx);
	check_errno(enable(fd[1], TCP_RXTLS_ENABLE, &rx), EALREADY);
	check_eq(sysctl_counter("stats.enable_calls"), 3);
	check_eq(sysctl_counter("stats.offload_total"), 2);
	check_eq(sysctl_counter("stats.active"), 2);
	check_eq(sysctl_counter(names[i].gauge), 2);
	for (int n = 0; n < 3; n++)
		check_eq(write(fd[1], "abc", 3), 3);
	send_record(fd[0], &rx, TLS_RLTYPE_APP, "x", 1);
	check_eq(read(fd[1], &byte, 1), 1);
	snprintf(name, sizeof(name), "stats.ocf.%s", names[i].sealed);
	check_eq(sysctl_counter(name), 3);
	snprintf(name, sizeof(name), "stats.ocf.%s", names[i].opened);
	check_eq(sysctl_counter(name), 1);
	size_t len = build_plain(&rx, TLS_RLTYPE_APP, "bad", 3, wire);
	wire[len - 1] ^= 1;
	write_all(fd[0], wire, len);
	check_errno(read(fd[1], &byte, 1), EBADMSG);
	check_eq(sysctl_counter("stats.failed_crypto"), 1);
	wire[1] = 9;
	write_all(fd[0], wire, len);
	check_errno(read(fd[1], &byte, 1), EINVAL);
	check_eq(sysctl_counter("stats.corrupted_records"), 1);
	must(close(fd[1]));
	check_eq(sysctl_counter("stats.active"), 0);
	check_eq(sysctl_counter(names[i].gauge), 0);
}

const struct scenario sysctl_scenarios[] = {
	{"sysctl", "values", 0, 0, values},
	{"sysctl", "existing_sessions", G_TX, 0, existing_sessions},
	{"sysctl", "counters", G_FEW, 0, counters},
	{0},
};
