/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h: what the parts of ktls-bench tell each other.
 *
 * One sample is one transfer between two processes over loopback: the runner (pair.c)
 * starts both workers (worker.c), which move bytes through a transport (transport.h).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode {
	MODE_WRITE,
	MODE_SENDFILE
};

enum transport_kind {
	TRANSPORT_PLAIN,
	TRANSPORT_RAW,
	TRANSPORT_SSL,
	TRANSPORT_GNUTLS
};

/* The stream repeats this many bytes, so every size is a multiple of it. */
#define PATTERN_LEN 64
#define MAX_RECORD  16384 /* RFC 8446 5.1 */
#define FILE_LEN    (16u << 20)
#define MAX_ROUNDS  99

struct bench_suite {
	const char *name;
	const char *tls12, *tls13; /* OpenSSL's names; NULL: not in that version */
	const char *gnutls;        /* GnuTLS's name of the cipher and MAC; NULL: none */
	uint16_t linux_cipher; /* TLS_CIPHER_* for SOL_TLS; 0: only FreeBSD's options */
	uint16_t linux_len;    /* of its struct tls12_crypto_info_* */
	uint8_t key_len;
	uint8_t auth; /* CRYPTO_*_HMAC, for suites without linux_cipher */
	uint8_t auth_len;
};

extern const struct bench_suite bench_suites[];
extern const unsigned bench_suite_count;

/* What is transferred, whoever does it. */
struct bench_case {
	unsigned suite; /* index of bench_suites */
	int version;    /* 12 or 13 */
	enum mode mode;
	size_t size; /* of one write; sendfile: of the buffer where a peer has none */
	size_t read_size; /* of the receiver's buffer */
	unsigned connections;
	bool loop; /* an event loop even for one connection */
	uint64_t bytes;
};

/* Who transfers it. Indices: 0 the sender, 1 the receiver. */
enum side {
	SENDER,
	RECEIVER
};

struct peer {
	const char *name;
	const char *text;
	enum transport_kind transport;
	bool ktls[2];    /* SSL_OP_ENABLE_KTLS */
	bool preload[2]; /* runs under the library */
	bool native;     /* needs kernel TLS of the running kernel */
};

extern const struct peer peers[];
extern const unsigned peer_count;

/* Everything a worker needs to know. */
struct job {
	struct bench_case c;
	enum side side;
	enum transport_kind transport;
	bool ktls;
	uint16_t port; /* where the receiver listens, on 127.0.0.1 */
	uint64_t warmup;
};

/* Descriptors a worker finds open. */
enum worker_fd {
	FD_CONTROL = 3,
	FD_LISTENER,
	FD_CREDIT,
	FD_WORKER_END
};

/* What a worker measured between its snapshots. */
struct measure {
	uint64_t cpu_ns; /* user + system */
	uint64_t user_ns, system_ns;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t calls;            /* sends, or receives */
	uint64_t switches;         /* context switches */
	bool ktls[2];              /* libssl uses kernel TLS for sending, receiving */
};

struct sample {
	struct measure side[2];
	double ns_per_kib;    /* CPU of both sides */
	double ns_per_record; /* likewise; a record has at most MAX_RECORD bytes */
	double mib_per_s;
	uint64_t syscalls[2]; /* counted with setup->syscalls only */
};

/* Where both processes run: where the scheduler likes, on one CPU, or on one each. */
enum cpus {
	CPUS_ANY,
	CPUS_ONE,
	CPUS_TWO
};
extern const char *const cpus_names[];

/* Where the runner finds things and how it runs them. */
struct setup {
	const char *library; /* libktls.so */
	const char *engine;  /* KTLS_CIPHER, or NULL */
	enum cpus cpus;
	bool count_syscalls; /* after the rounds */
	bool syscalls;       /* this run is for counting them */
};

/* Runs one transfer. Prints what went wrong and returns -1 if it did not succeed. */
int run_pair(const struct setup *setup, const struct bench_case *c,
	     const struct peer *peer, struct sample *sample);
bool native_ktls_available(void);

/* Can this peer do this case at all? */
bool peer_can(const struct peer *peer, const struct bench_case *c);

/* Its absolute path; `given` may be NULL. Exits if there is none. */
const char *find_library(const char *given);

_Noreturn void worker_main(void);

#endif
