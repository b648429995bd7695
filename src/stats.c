/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.c: counts, and keeps the counts where the tool can see them.
 */
#include "stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "real.h"
#include "session.h"

static char directory[4000]; /* of KTLS_STATS, empty: not set */
static struct stats_segment unseen;
struct stats_segment *stats = &unseen;

const char *
stats_name(enum stats_counter c)
{
	static const char *const names[STAT_COUNT] = {
#define STATS_NAME(id, name, text) name,
		STATS_COUNTERS(STATS_NAME)
#undef STATS_NAME
	};
	return names[c];
}

const char *
stats_description(enum stats_counter c)
{
	static const char *const texts[STAT_COUNT] = {
#define STATS_TEXT(id, name, text) text,
		STATS_COUNTERS(STATS_TEXT)
#undef STATS_TEXT
	};
	return texts[c];
}

/* The file is mapped and its descriptor closed at once: nothing of ours stays open. */
static struct stats_segment *
segment_map(uint32_t pid)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/ktls.%u", directory, pid);

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	long fd =
		raw_syscall(SYS_openat, AT_FDCWD, path,
			    (O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW), 0600);
	if (fd < 0)
		return NULL;
	void *p = MAP_FAILED;
	if (raw_syscall(SYS_ftruncate, fd, sizeof(struct stats_segment)) == 0)
		p = mmap(NULL, sizeof(struct stats_segment), PROT_READ | PROT_WRITE,
			 MAP_SHARED, (int)fd, 0);
	raw_syscall(SYS_close, fd);
	return p == MAP_FAILED ? NULL : p;
}

void
stats_init(void)
{
	const char *value = secure_getenv("KTLS_STATS");

	if (value != NULL && strlen(value) < sizeof(directory))
		strcpy(directory, value);
}

void
stats_open(void)
{
	uint32_t pid = (uint32_t)raw_syscall(SYS_getpid);
	struct stats_segment *old = stats;

	if (*directory == '\0' || old->pid == pid)
		return;
	struct stats_segment *new = segment_map(pid);
	if (new == NULL)
		return;
	new->version = STATS_VERSION;
	new->pid = pid;
	/* What a parent counted stays the parent's. */
	if (old->pid == 0)
		for (int c = 0; c < STAT_COUNT; c++)
			new->counter[c] = old->counter[c];
	new->magic = STATS_MAGIC;
	stats = new;
}

static enum stats_counter
gauge_of(const struct cipher_state *cipher)
{
	switch (cipher->suite) {
	case SUITE_CHACHA20_POLY1305:
		return STAT_SW_CHACHA20;
	case SUITE_AES_128_CCM:
	case SUITE_SM4_CCM:
		return STAT_SW_CCM;
	default:
		return cipher->geo.cbc ? STAT_SW_CBC : STAT_SW_GCM;
	}
}

void
stats_direction_on(int dir, const struct cipher_state *cipher, const char *engine)
{
	stats_add(STAT_OFFLOAD_TOTAL, 1);
	stats_add(STAT_ACTIVE, 1);
	stats_add(gauge_of(cipher), 1);
	/* Threads may write the same name at once. */
	for (size_t i = 0; engine[i] != '\0' && i < sizeof(stats->engine[0]) - 1; i++)
		__atomic_store_n(&stats->engine[cipher->suite][i], engine[i],
				 __ATOMIC_RELAXED);
	atomic_fetch_add(&stats->enabled[dir][cipher->suite], 1);
}

static void
direction_off(const struct cipher_state *cipher)
{
	stats_add(STAT_ACTIVE, (uint64_t)-1);
	stats_add(gauge_of(cipher), (uint64_t)-1);
}

void
stats_session_gone(const struct tls_socket *sock)
{
	if (sock->tx.on)
		direction_off(&sock->tx.cipher);
	if (sock->rx.on)
		direction_off(&sock->rx.cipher);
}

/* FreeBSD counts AES-GCM, ChaCha20 and CBC; -1 for the suites that it does not have. */
static int
ocf_counter(int dir, const struct cipher_state *cipher)
{
	bool tx = dir == TX, v13 = cipher->version == TLS_V13;

	switch (cipher->suite) {
	case SUITE_AES_128_GCM:
	case SUITE_AES_256_GCM:
		if (v13)
			return tx ? STAT_TLS13_GCM_ENCRYPTS : STAT_TLS13_GCM_DECRYPTS;
		return tx ? STAT_TLS12_GCM_ENCRYPTS : STAT_TLS12_GCM_DECRYPTS;
	case SUITE_CHACHA20_POLY1305:
		if (v13)
			return tx ? STAT_TLS13_CHACHA20_ENCRYPTS
				  : STAT_TLS13_CHACHA20_DECRYPTS;
		return tx ? STAT_TLS12_CHACHA20_ENCRYPTS : STAT_TLS12_CHACHA20_DECRYPTS;
	default:
		if (!cipher->geo.cbc)
			return -1;
		if (cipher->version == TLS_V10)
			return STAT_TLS10_CBC_ENCRYPTS;
		return tx ? STAT_TLS11_CBC_ENCRYPTS : STAT_TLS11_CBC_DECRYPTS;
	}
}

void
stats_records(int dir, const struct cipher_state *cipher, uint64_t records,
	      uint64_t bytes)
{
	int ocf = ocf_counter(dir, cipher);

	stats_add(dir == TX ? STAT_TX_RECORDS : STAT_RX_RECORDS, records);
	stats_add(dir == TX ? STAT_TX_BYTES : STAT_RX_BYTES, bytes);
	if (ocf >= 0)
		stats_add((enum stats_counter)ocf, records);
}
