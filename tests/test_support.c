/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_support.c: the small parts below: the caller's memory, scratch memory, tunables
 * and counters.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ktls_compat.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "backend.h"
#include "scratch.h"
#include "session_fixture.h"
#include "so.h"
#include "stats.h"
#include "sysctl.h"
#include "uaccess.h"

enum {
	PAGE = 4096,
};

TestSuite(support, .timeout = 60);

/* Three pages; the one in the middle may not be touched. */
static uint8_t *
with_a_hole(void)
{
	uint8_t *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	cr_assert_eq(mprotect(p + PAGE, PAGE, PROT_NONE), 0);
	return p;
}

Test(support, uaccess)
{
	uint8_t *p = with_a_hole(), *ro = read_only_page(), to[3 * PAGE];
	const struct {
		uint8_t *p;
		size_t n;
		bool readable, writable;
	} rows[] = {
		{p, 1, true, true},
		{p, PAGE, true, true},
		{p + PAGE - 1, 1, true, true},
		{p + PAGE - 1, 2, false, false},
		{p + PAGE, 1, false, false},
		{p + 2 * PAGE - 1, 1, false, false},
		{p + 2 * PAGE - 1, 2, false, false},
		{p + 2 * PAGE, PAGE, true, true},
		{p + 3, 5, true, true},
		{p + PAGE, 0, true, true},
		{NULL, 0, true, true},
		{NULL, 1, false, false},
		{NULL, 8, false, false},
		{(uint8_t *)7, 1, false, false},
		{(uint8_t *)8, 1, false, false},
		{(uint8_t *)UINTPTR_MAX, 1, false, false},
		{(uint8_t *)UINTPTR_MAX - 3, 100, false, false},
		{p, SIZE_MAX, false, false},
		{ro, PAGE, true, false},
		{ro + PAGE - 1, 1, true, false},
		{to, sizeof(to), true, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(user_readable(rows[i].p, rows[i].n), rows[i].readable,
			     "row %zu", i);
		cr_expect_eq(user_writable(rows[i].p, rows[i].n), rows[i].writable,
			     "row %zu", i);
		if (rows[i].n > sizeof(to))
			continue;
		cr_expect_eq(user_copy_in(to, rows[i].p, rows[i].n),
			     rows[i].readable ? 0 : -EFAULT, "row %zu", i);
		cr_expect_eq(user_copy_out(rows[i].p, to, rows[i].n),
			     rows[i].writable ? 0 : -EFAULT, "row %zu", i);
	}
	/* Copies ask every page; looking does not change what is there. */
	cr_expect_eq(user_copy_in(to, p, 3 * PAGE), -EFAULT);
	cr_expect_eq(user_copy_out(p, to, 3 * PAGE), -EFAULT);
	memset(p, 0x5a, PAGE);
	for (size_t at = PAGE - 9; at < PAGE; at++) {
		cr_expect(user_writable(p + at, 1) && user_readable(p + at, 1));
		cr_expect_eq(p[at], 0x5a);
	}
	cr_expect_eq(user_copy_out(p, "abc", 3), 0);
	cr_expect_eq(user_copy_in(to, p, 4), 0);
	cr_expect_eq(memcmp(to, "abc\x5a", 4), 0);
	munmap(p, 3 * PAGE);
}

/* Every way to go through scattered memory, compared with the same bytes in a row. */
Test(support, iov_cursor)
{
	static const size_t lens[] = {0, 3, 0, 0, 1, 10, 5, 0};
	enum {
		PIECES = sizeof(lens) / sizeof(lens[0]),
		TOTAL = 19,
	};
	uint8_t flat[TOTAL], memory[PIECES][16], seen[TOTAL];
	struct iovec iov[PIECES];
	struct iov_cursor c;

	fill_pattern(flat, TOTAL, 0);
	for (size_t step = 1; step <= TOTAL; step++) {
		for (size_t max = 1; max < 12; max++) {
			size_t at = 0;
			for (size_t i = 0; i < PIECES; i++) {
				iov[i] = (struct iovec){memory[i], lens[i]};
				memcpy(memory[i], flat + at, lens[i]);
				at += lens[i];
			}
			cr_assert_eq(iov_cursor_init(&c, iov, PIECES), 0);
			cr_expect_eq(c.left, TOTAL);
			for (at = 0; at < TOTAL;) {
				struct iovec piece = iov_cursor_piece(&c, max);
				cr_assert(piece.iov_len > 0 && piece.iov_len <= max);
				cr_expect_eq(
					memcmp(piece.iov_base, flat + at, piece.iov_len),
					0);
				size_t n = step < piece.iov_len ? step : piece.iov_len;
				iov_cursor_advance(&c, n);
				at += n;
				cr_expect_eq(c.left, TOTAL - at);
			}
			cr_expect_eq(iov_cursor_piece(&c, max).iov_len, 0);
			/* In one step over pieces, and written to. */
			cr_assert_eq(iov_cursor_init(&c, iov, PIECES), 0);
			iov_cursor_advance(&c, step);
			memset(seen, 0x77, sizeof(seen));
			cr_expect_eq(iov_cursor_put(&c, seen, max),
				     (ssize_t)(max < TOTAL - step ? max : TOTAL - step));
			size_t flat_at = 0;
			for (size_t i = 0; i < PIECES; i++)
				for (size_t k = 0; k < lens[i]; k++, flat_at++)
					cr_expect_eq(memory[i][k],
						     flat_at >= step &&
								     flat_at < step + max
							     ? 0x77
							     : flat[flat_at]);
		}
	}
	cr_assert_eq(iov_cursor_init(&c, NULL, 0), 0);
	cr_expect(c.left == 0 && iov_cursor_piece(&c, 9).iov_len == 0);
	cr_expect_eq(iov_cursor_put(&c, flat, 9), 0);
	cr_expect_eq(iov_cursor_init(&c, bad_page(), 2), -EFAULT);
	iov[0].iov_len = SSIZE_MAX;
	iov[1].iov_len = 0;
	cr_expect_eq(iov_cursor_init(&c, iov, 2), 0);
	iov[1].iov_len = 1;
	cr_expect_eq(iov_cursor_init(&c, iov, 2), -EINVAL);
	iov[0].iov_len = SIZE_MAX;
	cr_expect_eq(iov_cursor_init(&c, iov, 1), -EINVAL);
	/* Bad memory: what fits before it, then EFAULT. */
	iov[0] = (struct iovec){seen, 4};
	iov[1] = (struct iovec){read_only_page(), 4};
	cr_assert_eq(iov_cursor_init(&c, iov, 2), 0);
	cr_expect(iov_cursor_writable(&c, 4));
	cr_expect_eq(iov_cursor_put(&c, flat, 8), 4);
	cr_expect(!iov_cursor_writable(&c, 1) && iov_cursor_writable(&c, 0));
	cr_expect_eq(iov_cursor_put(&c, flat, 4), -EFAULT);
	cr_expect(iov_cursor_readable(&c, 4));
}

static bool
is_one_of(uint8_t *p, uint8_t *const *set, int count)
{
	for (int i = 0; i < count; i++)
		if (set[i] == p)
			return true;
	return false;
}

Test(support, scratch)
{
	enum {
		AT_ONCE = 12, /* more than are kept */
	};
	uint8_t *taken[AT_ONCE], *again[AT_ONCE];
	int kept = 0;

	for (int i = 0; i < AT_ONCE; i++) {
		taken[i] = scratch_take();
		cr_assert_not_null(taken[i]);
		cr_expect_eq((uintptr_t)taken[i] % KTLS_ENGINE_ALIGN, 0);
		cr_expect(!is_one_of(taken[i], taken, i));
		memset(taken[i], i, SCRATCH_LEN);
	}
	for (int i = 0; i < AT_ONCE; i++)
		cr_expect(taken[i][0] == i && taken[i][SCRATCH_LEN - 1] == i);
	/* In a forked child what the parent's threads hold is free, and its own copy. */
	pid_t child = fork();
	if (child == 0) {
		uint8_t *p = scratch_take();
		if (p == NULL || !is_one_of(p, taken, AT_ONCE))
			_exit(1);
		memset(p, 0xff, SCRATCH_LEN);
		_exit(0);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	for (int i = 0; i < AT_ONCE; i++) {
		cr_expect(taken[i][0] == i && taken[i][SCRATCH_LEN - 1] == i);
		scratch_give(taken[i]);
	}
	for (int i = 0; i < 4; i++) {
		again[i] = scratch_take();
		kept += is_one_of(again[i], taken, AT_ONCE);
	}
	cr_expect_eq(kept, 4);
	for (int i = 0; i < 4; i++)
		scratch_give(again[i]);
}

/* As FreeBSD's sysctlbyname(3) answers, for each tunable of the table. */
Test(support, tunables)
{
	for (enum tunable t = 0; t < TUNABLE_COUNT; t++) {
		const struct tunable_row *row = &tunable_rows[t];
		size_t size = row->type == TUNABLE_BOOL ? 1 : 4;
		uint8_t old[8], zero[8] = {0}, one[8] = {1};
		int value = tunable(t);
		size_t len = sizeof(old);

		memset(old, 0xee, sizeof(old));
		cr_expect_eq(sysctlbyname(row->name, old, &len, NULL, 0), 0);
		cr_expect_eq(len, size, "%s", row->name);
		cr_expect_eq(memcmp(old, &value, size), 0);
		cr_expect_eq(old[size], 0xee);
		len = 0;
		cr_expect_eq(sysctlbyname(row->name, NULL, &len, NULL, 0), 0);
		cr_expect_eq(len, size);
		len = size - 1;
		errno = 0;
		cr_expect_eq(sysctlbyname(row->name, old, &len, NULL, 0), -1);
		cr_expect_eq(errno, ENOMEM);
		cr_expect_eq(sysctlbyname(row->name, NULL, NULL, NULL, 0), 0);
		errno = 0;
		if (!row->writable) {
			cr_expect_eq(sysctlbyname(row->name, NULL, NULL, zero, size), -1);
			cr_expect_eq(errno, EPERM);
			cr_expect_eq(tunable(t), value);
			continue;
		}
		cr_expect_eq(sysctlbyname(row->name, NULL, NULL, zero, size + 1), -1);
		cr_expect_eq(errno, EINVAL);
		cr_expect_eq(tunable(t), value);
		/* The old value and the new one in one call. */
		len = sizeof(old);
		cr_expect_eq(sysctlbyname(row->name, old, &len, zero, size), 0);
		cr_expect_eq(memcmp(old, &value, size), 0);
		cr_expect_eq(tunable(t), 0);
		cr_expect_eq(sysctlbyname(row->name, NULL, NULL, one, size), 0);
		cr_expect_eq(tunable(t), 1);
	}
	static const char *const unknown[] = {"",
					      "kern.ipc.tls",
					      "kern.ipc.tls.",
					      "kern.ipc.tls.enablex",
					      "kern.ipc.tls.stats.nothing",
					      "hw.ncpu"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		errno = 0;
		cr_expect_eq(sysctlbyname(unknown[i], NULL, NULL, NULL, 0), -1);
		cr_expect_eq(errno, ENOENT, "\"%s\"", unknown[i]);
	}
}

/* The environment: what is a good value is taken, everything else is not. */
Test(support, environment)
{
	static const struct {
		const char *name, *value;
		enum tunable t;
		int expected;
	} rows[] = {
		{"KTLS_ENABLE", "0", TUNABLE_ENABLE, 0},
		{"KTLS_ENABLE", "1", TUNABLE_ENABLE, 1},
		{"KTLS_ENABLE", "2", TUNABLE_ENABLE, 1},
		{"KTLS_ENABLE", "", TUNABLE_ENABLE, 1},
		{"KTLS_ENABLE", "no", TUNABLE_ENABLE, 1},
		{"KTLS_RX_ENABLE", "0", TUNABLE_RX_ENABLE, 0},
		{"KTLS_CBC_ENABLE", "0x0", TUNABLE_CBC_ENABLE, 1},
		{"KTLS_CBC_ENABLE", "0", TUNABLE_CBC_ENABLE, 0},
		{"KTLS_MAXLEN", "4096", TUNABLE_MAXLEN, 4096},
		{"KTLS_MAXLEN", "4097", TUNABLE_MAXLEN, 4096},
		{"KTLS_MAXLEN", "0", TUNABLE_MAXLEN, 4096},
		{"KTLS_MAXLEN", "-4096", TUNABLE_MAXLEN, 4096},
		{"KTLS_MAXLEN", "65536", TUNABLE_MAXLEN, 65536},
		{"KTLS_MAXLEN", "69632", TUNABLE_MAXLEN, 65536},
		{"KTLS_MAXLEN", "4294971392", TUNABLE_MAXLEN, 65536},
		{"KTLS_MAXLEN", "99999999999999999999", TUNABLE_MAXLEN, 65536},
		{"KTLS_MAXLEN", "8192 ", TUNABLE_MAXLEN, 65536},
		{"KTLS_MB_USE_EXT_PGS", "0", TUNABLE_MB_USE_EXT_PGS, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv(rows[i].name, rows[i].value, 1);
		sysctl_init();
		cr_expect_eq(tunable(rows[i].t), rows[i].expected, "%s=%s: %d",
			     rows[i].name, rows[i].value, tunable(rows[i].t));
		unsetenv(rows[i].name);
	}
}

static uint64_t
counter(const char *name)
{
	char full[100] = "kern.ipc.tls.";
	uint64_t value = 0;
	size_t len = sizeof(value);

	strcat(full, name);
	cr_assert_eq(sysctlbyname(full, &value, &len, NULL, 0), 0, "%s", full);
	cr_assert_eq(len, sizeof(value));
	errno = 0;
	cr_expect_eq(sysctlbyname(full, NULL, NULL, &value, len), -1);
	cr_expect_eq(errno, EPERM);
	return value;
}

/* One record each way through each suite is counted where it belongs. */
Test(support, counters)
{
	static const struct {
		const char *suite;
		int minor;
		const char *gauge, *sealed, *opened;
	} rows[] = {
		{"AES-128-GCM", 3, "sw.gcm", "stats.ocf.tls12_gcm_encrypts",
		 "stats.ocf.tls12_gcm_decrypts"},
		{"AES-256-GCM", 4, "sw.gcm", "stats.ocf.tls13_gcm_encrypts",
		 "stats.ocf.tls13_gcm_decrypts"},
		{"CHACHA20-POLY1305", 3, "sw.chacha20",
		 "stats.ocf.tls12_chacha20_encrypts",
		 "stats.ocf.tls12_chacha20_decrypts"},
		{"CHACHA20-POLY1305", 4, "sw.chacha20",
		 "stats.ocf.tls13_chacha20_encrypts",
		 "stats.ocf.tls13_chacha20_decrypts"},
		{"AES-128-CBC-SHA1", 2, "sw.cbc", "stats.ocf.tls11_cbc_encrypts",
		 "stats.ocf.tls11_cbc_decrypts"},
		{"AES-128-CBC-SHA256", 3, "sw.cbc", "stats.ocf.tls11_cbc_encrypts",
		 "stats.ocf.tls11_cbc_decrypts"},
		{"AES-128-CCM", 3, "sw.ccm", NULL, NULL},
		{"SM4-CCM", 4, "sw.ccm", NULL, NULL},
	};
	uint8_t text[60] = {1}, wire[200];
	struct iovec iov = {text, sizeof(text)};
	struct tls_end end;

	prepare_library();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t total = counter("stats.offload_total");
		uint64_t sealed = rows[i].sealed ? counter(rows[i].sealed) : 0;
		uint64_t opened = rows[i].opened ? counter(rows[i].opened) : 0;
		uint64_t bytes = counter("stats.shim.tx_bytes");
		open_pair(&end, rows[i].suite, rows[i].minor, RULES_FREEBSD,
			  WITH_TX | WITH_RX);
		cr_expect_eq(counter("stats.offload_total"), total + 2);
		cr_expect_eq(counter("stats.active"), 2);
		cr_expect_eq(counter(rows[i].gauge), 2);
		cr_expect_eq(so_send(end.so, end.fd, &iov, 1, NULL, 0), 60);
		size_t n = peer_seals(&end, 23, text, 60, wire);
		cr_assert_eq(write(end.peer, wire, n), (ssize_t)n);
		cr_expect_eq(so_receive(end.so, end.fd, &iov, 1, NULL, 0), 60);
		if (rows[i].sealed != NULL)
			cr_expect_eq(counter(rows[i].sealed), sealed + 1);
		if (rows[i].opened != NULL)
			cr_expect_eq(counter(rows[i].opened), opened + 1);
		cr_expect_eq(counter("stats.shim.tx_bytes"), bytes + 60);
		cr_expect_eq(counter("stats.shim.tx_records"), i + 1);
		cr_expect_eq(counter("stats.shim.rx_records"), i + 1);
		cr_expect_eq(counter("stats.shim.rx_bytes"), (i + 1) * 60);
		close_end(&end);
		cr_expect_eq(counter("stats.active"), 0);
		cr_expect_eq(counter(rows[i].gauge), 0);
	}
	/* A bad tag and a bad header. */
	open_pair(&end, "CHACHA20-POLY1305", 4, RULES_FREEBSD, WITH_RX);
	size_t n = peer_seals(&end, 23, text, 60, wire);
	wire[n - 1] ^= 1;
	memcpy(wire + n, "\x17\x09\x09\x00\x20", 5);
	cr_assert_eq(write(end.peer, wire, n + 5), (ssize_t)n + 5);
	cr_expect_eq(so_receive(end.so, end.fd, &iov, 1, NULL, 0), -EBADMSG);
	cr_expect_eq(counter("stats.failed_crypto"), 1);
	cr_expect_eq(counter("stats.corrupted_records"), 0);
	cr_expect_eq(so_receive(end.so, end.fd, &iov, 1, NULL, 0), -EINVAL);
	cr_expect_eq(counter("stats.corrupted_records"), 1);
	cr_expect_eq(counter("stats.failed_crypto"), 1);
	close_end(&end);
	/* Every counter has a name of its own, and a text. */
	for (int c = 0; c < STAT_COUNT; c++) {
		cr_expect_gt(strlen(stats_description((enum stats_counter)c)), 5);
		for (int d = 0; d < c; d++)
			cr_expect_str_neq(stats_name((enum stats_counter)c),
					  stats_name((enum stats_counter)d));
	}
}

static struct stats_segment
read_segment(const char *directory, pid_t pid)
{
	struct stats_segment segment = {0};
	char path[200];

	snprintf(path, sizeof(path), "%s/ktls.%d", directory, (int)pid);
	int fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0, "%s", path);
	cr_expect_eq(read(fd, &segment, sizeof(segment)), (ssize_t)sizeof(segment));
	close(fd);
	return segment;
}

/* The file that the tool reads: there from the first session on, and after the end. */
Test(support, stats_file)
{
	char directory[] = "/tmp/ktls-stats-XXXXXX", command[60];
	struct tls_end end, own;

	prepare_library();
	cr_assert_not_null(mkdtemp(directory));
	setenv("KTLS_STATS", directory, 1);
	stats_init();
	stats_add(STAT_ENABLE_CALLS, 3); /* before there is a file */
	open_pair(&end, "CHACHA20-POLY1305", 4, RULES_FREEBSD, WITH_TX);
	struct stats_segment s = read_segment(directory, getpid());
	cr_expect(s.magic == STATS_MAGIC && s.version == STATS_VERSION);
	cr_expect_eq(s.pid, (uint32_t)getpid());
	cr_expect_eq(s.counter[STAT_ENABLE_CALLS], 3);
	cr_expect(s.counter[STAT_ACTIVE] == 1 && s.counter[STAT_SW_CHACHA20] == 1);
	cr_expect_eq(s.enabled[TX][SUITE_CHACHA20_POLY1305], 1);
	cr_expect_eq(s.enabled[RX][SUITE_CHACHA20_POLY1305], 0);

	/* A child with a session of its own has a file of its own, from zero. */
	pid_t child = fork();
	if (child == 0) {
		open_pair(&own, "AES-128-GCM", 3, RULES_LINUX, WITH_RX);
		_exit(0); /* and what it counted stays */
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	s = read_segment(directory, child);
	cr_expect_eq(s.pid, (uint32_t)child);
	cr_expect_eq(s.counter[STAT_ENABLE_CALLS], 0);
	cr_expect_eq(s.counter[STAT_OFFLOAD_TOTAL], 1);
	cr_expect_eq(s.enabled[RX][SUITE_AES_128_GCM], 1);

	/* One that only closes what it inherited takes nothing off its parent's. */
	child = fork();
	if (child == 0) {
		close_end(&end);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	s = read_segment(directory, getpid());
	cr_expect_eq(s.counter[STAT_ACTIVE], 1);
	cr_expect_eq(s.counter[STAT_SW_CHACHA20], 1);
	close_end(&end);
	s = read_segment(directory, getpid());
	cr_expect_eq(s.counter[STAT_ACTIVE], 0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	cr_expect_eq(system(command), 0);
}
