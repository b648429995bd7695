/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h: the counters: one table, FreeBSD's names where FreeBSD counts the same.
 */
#ifndef KTLS_STATS_H
#define KTLS_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "suite.h"

struct tls_socket;
struct cipher_state;

/*
 * C(identifier, name below kern.ipc.tls, description). FreeBSD's are in ktls(4) and
 * `sysctl -d kern.ipc.tls`; those under "stats.shim" are this library's own.
 */
#define STATS_COUNTERS(C)                                                                \
	C(ENABLE_CALLS, "stats.enable_calls", "Requests to turn TLS on for a direction") \
	C(OFFLOAD_TOTAL, "stats.offload_total", "Directions that TLS was turned on for") \
	C(ACTIVE, "stats.active", "Directions with TLS now")                             \
	C(CORRUPTED_RECORDS, "stats.corrupted_records", "Records with a bad header")     \
	C(FAILED_CRYPTO, "stats.failed_crypto", "Records that failed to decrypt")        \
	C(SWITCH_TO_IFNET, "stats.switch_to_ifnet", "Sessions moved to the NIC")         \
	C(SWITCH_TO_SW, "stats.switch_to_sw", "Sessions moved to software")              \
	C(SWITCH_FAILED, "stats.switch_failed", "Sessions that could not be moved")      \
	C(SW_CBC, "sw.cbc", "Directions with AES-CBC in software now")                   \
	C(SW_GCM, "sw.gcm", "Directions with GCM in software now")                       \
	C(SW_CHACHA20, "sw.chacha20",                                                    \
	  "Directions with ChaCha20-Poly1305 in software now")                           \
	C(SW_CCM, "sw.ccm", "Directions with CCM in software now")                       \
	C(TLS10_CBC_ENCRYPTS, "stats.ocf.tls10_cbc_encrypts",                            \
	  "TLS 1.0 CBC records sealed")                                                  \
	C(TLS11_CBC_ENCRYPTS, "stats.ocf.tls11_cbc_encrypts",                            \
	  "TLS 1.1 and 1.2 CBC records sealed")                                          \
	C(TLS11_CBC_DECRYPTS, "stats.ocf.tls11_cbc_decrypts",                            \
	  "TLS 1.1 and 1.2 CBC records opened")                                          \
	C(TLS12_GCM_ENCRYPTS, "stats.ocf.tls12_gcm_encrypts",                            \
	  "TLS 1.2 GCM records sealed")                                                  \
	C(TLS12_GCM_DECRYPTS, "stats.ocf.tls12_gcm_decrypts",                            \
	  "TLS 1.2 GCM records opened")                                                  \
	C(TLS12_CHACHA20_ENCRYPTS, "stats.ocf.tls12_chacha20_encrypts",                  \
	  "TLS 1.2 ChaCha20-Poly1305 records sealed")                                    \
	C(TLS12_CHACHA20_DECRYPTS, "stats.ocf.tls12_chacha20_decrypts",                  \
	  "TLS 1.2 ChaCha20-Poly1305 records opened")                                    \
	C(TLS13_GCM_ENCRYPTS, "stats.ocf.tls13_gcm_encrypts",                            \
	  "TLS 1.3 GCM records sealed")                                                  \
	C(TLS13_GCM_DECRYPTS, "stats.ocf.tls13_gcm_decrypts",                            \
	  "TLS 1.3 GCM records opened")                                                  \
	C(TLS13_CHACHA20_ENCRYPTS, "stats.ocf.tls13_chacha20_encrypts",                  \
	  "TLS 1.3 ChaCha20-Poly1305 records sealed")                                    \
	C(TLS13_CHACHA20_DECRYPTS, "stats.ocf.tls13_chacha20_decrypts",                  \
	  "TLS 1.3 ChaCha20-Poly1305 records opened")                                    \
	C(INPLACE, "stats.ocf.inplace", "Records sealed in place (sendfile)")            \
	C(SEPARATE_OUTPUT, "stats.ocf.separate_output",                                  \
	  "Records sealed from the caller's memory")                                     \
	C(TX_RECORDS, "stats.shim.tx_records", "Records sent")                           \
	C(TX_BYTES, "stats.shim.tx_bytes", "Plaintext bytes sent")                       \
	C(RX_RECORDS, "stats.shim.rx_records", "Records opened")                         \
	C(RX_BYTES, "stats.shim.rx_bytes", "Plaintext bytes of opened records")          \
	C(SENDFILE_CALLS, "stats.shim.sendfile_calls",                                   \
	  "sendfile(2) calls on TLS sockets")                                            \
	C(SENDFILE_BYTES, "stats.shim.sendfile_bytes",                                   \
	  "Plaintext bytes sent by sendfile(2)")                                         \
	C(PARTIAL_SENDS, "stats.shim.partial_sends",                                     \
	  "Sends of which the kernel took a part of a record")                           \
	C(REKEYS_TX, "stats.shim.rekeys_tx", "Keys replaced for sending")                \
	C(REKEYS_RX, "stats.shim.rekeys_rx", "Keys replaced for receiving")              \
	C(NATIVE, "stats.shim.native", "Directions that the kernel's own TLS took")

enum stats_counter {
#define STATS_ENUM(id, name, text) STAT_##id,
	STATS_COUNTERS(STATS_ENUM)
#undef STATS_ENUM
	STAT_COUNT,
};

#define STATS_MAGIC   0x3153544154534c54u /* "TLSTATS1", little-endian */
#define STATS_VERSION 2

/* A process's figures, in a file when KTLS_STATS names a directory. No secrets. */
struct stats_segment {
	uint64_t magic;
	uint32_t version;
	uint32_t pid;
	_Atomic uint64_t counter[STAT_COUNT];
	_Atomic uint64_t
		enabled[2][SUITE_COUNT]; /* directions turned on, by enum direction */
	char engine[SUITE_COUNT][16]; /* what serves the suite; lower case, digits, '-' */
};

extern struct stats_segment *stats;

static inline void
stats_add(enum stats_counter c, uint64_t n)
{
	atomic_fetch_add_explicit(&stats->counter[c], n, memory_order_relaxed);
}

/* The name of a counter below "kern.ipc.tls.". */
const char *stats_name(enum stats_counter c);
const char *stats_description(enum stats_counter c);

/* Reads KTLS_STATS; ignored in AT_SECURE programs. */
void stats_init(void);

/* Moves the counters to their file, `DIRECTORY/ktls.PID`, if KTLS_STATS is set. Called
 * for a process's first session. */
void stats_open(void);

/* A direction has got its first keys; a socket is gone. `dir` is an enum direction. */
void stats_direction_on(int dir, const struct cipher_state *cipher, const char *engine);
void stats_session_gone(const struct tls_socket *sock);
/* `records` with `bytes` of plaintext in all went through `cipher`. */
void stats_records(int dir, const struct cipher_state *cipher, uint64_t records,
		   uint64_t bytes);

#endif
