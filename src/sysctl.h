/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl.h: the tunables of kern.ipc.tls, one table for code, environment and tool.
 */
#ifndef KTLS_SYSCTL_H
#define KTLS_SYSCTL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum tunable_type {
	TUNABLE_BOOL, /* one byte, as FreeBSD's sysctlbyname(3) hands it out */
	TUNABLE_INT,  /* four bytes */
};

/*
 * T(identifier, type, writable at run time, default, name, environment variable,
 * description). A variable is read once, when the library starts.
 */
#define SYSCTL_TUNABLES(T)                                                               \
	T(ENABLE, BOOL, true, 1, "kern.ipc.tls.enable", "KTLS_ENABLE",                   \
	  "Allow new TLS sessions")                                                      \
	T(RX_ENABLE, BOOL, true, 1, "kern.ipc.tls.rx_enable", "KTLS_RX_ENABLE",          \
	  "Allow new receive sessions")                                                  \
	T(CBC_ENABLE, BOOL, true, 1, "kern.ipc.tls.cbc_enable", "KTLS_CBC_ENABLE",       \
	  "Allow new AES-CBC sessions")                                                  \
	T(MAXLEN, INT, false, 16384, "kern.ipc.tls.maxlen", "KTLS_MAXLEN",               \
	  "Largest record payload to send, bytes, a multiple of 4096")                   \
	T(IFNET_PERMITTED, INT, true, 1, "kern.ipc.tls.ifnet.permitted",                 \
	  "KTLS_IFNET_PERMITTED", "Whether NIC TLS may be used without being asked for") \
	T(MB_USE_EXT_PGS, INT, true, 1, "kern.ipc.mb_use_ext_pgs",                       \
	  "KTLS_MB_USE_EXT_PGS",                                                         \
	  "0 makes new send sessions fail with ENXIO, as on FreeBSD")

enum tunable {
#define TUNABLE_ENUM(id, ...) TUNABLE_##id,
	SYSCTL_TUNABLES(TUNABLE_ENUM)
#undef TUNABLE_ENUM
	TUNABLE_COUNT,
};

struct tunable_row {
	const char *name;
	const char *environment;
	const char *description;
	enum tunable_type type;
	bool writable;
};

extern const struct tunable_row tunable_rows[TUNABLE_COUNT];
extern _Atomic int tunables[TUNABLE_COUNT];

static inline int
tunable(enum tunable t)
{
	return atomic_load_explicit(&tunables[t], memory_order_relaxed);
}

/* Reads the environment variables of the table; ignored in AT_SECURE programs. */
void sysctl_init(void);

#endif
