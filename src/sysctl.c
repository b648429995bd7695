/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl.c: sysctlbyname(3) for the names below kern.ipc.tls.
 */
#include "sysctl.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ktls_compat.h>

#include "stats.h"

#define TUNABLE_ROW(id, kind, rw, value, sysctl_name, env, text) \
	{                                                        \
		.name = (sysctl_name),                           \
		.environment = (env),                            \
		.description = (text),                           \
		.type = TUNABLE_##kind,                          \
		.writable = (rw),                                \
	},
const struct tunable_row tunable_rows[TUNABLE_COUNT] = {SYSCTL_TUNABLES(TUNABLE_ROW)};

#define TUNABLE_VALUE(id, kind, rw, value, ...) value,
_Atomic int tunables[TUNABLE_COUNT] = {SYSCTL_TUNABLES(TUNABLE_VALUE)};

/* FreeBSD refuses what is not a multiple of a page; its effect ends at a record's limit.
 */
static bool
acceptable(enum tunable t, long value)
{
	if (t == TUNABLE_MAXLEN)
		return value >= 4096 && value <= 65536 && value % 4096 == 0;
	return tunable_rows[t].type != TUNABLE_BOOL || value == 0 || value == 1;
}

void
sysctl_init(void)
{
	for (int t = 0; t < TUNABLE_COUNT; t++) {
		const char *text = secure_getenv(tunable_rows[t].environment);
		char *end;

		if (text == NULL || *text == '\0')
			continue;
		long value = strtol(text, &end, 10);
		if (*end == '\0' && value >= INT32_MIN && value <= INT32_MAX &&
		    acceptable((enum tunable)t, value))
			tunables[t] = (int)value;
	}
}

/* sysctl(3): the old value is copied as far as it fits; ENOMEM when it does not. */
static int
hand_out(const void *value, size_t size, void *old, size_t *old_len)
{
	if (old_len == NULL)
		return 0;
	size_t room = *old_len;
	*old_len = size;
	if (old == NULL)
		return 0;
	memcpy(old, value, room < size ? room : size);
	*old_len = room < size ? room : size;
	return room < size ? -ENOMEM : 0;
}

static int
tunable_access(enum tunable t, void *old, size_t *old_len, const void *new,
	       size_t new_len)
{
	const struct tunable_row *row = &tunable_rows[t];
	size_t size = row->type == TUNABLE_BOOL ? 1 : sizeof(int);
	int value = tunable(t);
	uint8_t byte = (uint8_t)value;
	int r = hand_out(row->type == TUNABLE_BOOL ? (const void *)&byte : &value, size,
			 old, old_len);

	if (r < 0 || new == NULL)
		return r;
	if (!row->writable)
		return -EPERM;
	if (new_len != size)
		return -EINVAL;
	if (row->type == TUNABLE_BOOL)
		value = *(const uint8_t *)new != 0;
	else
		memcpy(&value, new, sizeof(value));
	if (!acceptable(t, value))
		return -EINVAL;
	tunables[t] = value;
	return 0;
}

static int
by_name(const char *name, void *old, size_t *old_len, const void *new, size_t new_len)
{
	static const char prefix[] = "kern.ipc.tls.";

	for (int t = 0; t < TUNABLE_COUNT; t++)
		if (strcmp(name, tunable_rows[t].name) == 0)
			return tunable_access((enum tunable)t, old, old_len, new,
					      new_len);
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return -ENOENT;
	for (int c = 0; c < STAT_COUNT; c++) {
		if (strcmp(name + sizeof(prefix) - 1,
			   stats_name((enum stats_counter)c)) != 0)
			continue;
		if (new != NULL)
			return -EPERM;
		uint64_t value = stats->counter[c];
		return hand_out(&value, sizeof(value), old, old_len);
	}
	return -ENOENT;
}

__attribute__((visibility("default"))) int
sysctlbyname(const char *name, void *old, size_t *old_len, const void *new,
	     size_t new_len)
{
	int r = by_name(name, old, old_len, new, new_len);

	if (r == 0)
		return 0;
	errno = -r;
	return -1;
}
