/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engines.c: finds the crypto plugins, and which of them is the fastest for a suite.
 */
#include "engines.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* In the order of preference. */
static const struct {
	const char *name; /* as KTLS_CIPHER says it */
	const char *file;
} candidates[] = {
	{"ipsec-mb", "engine_ipsec_mb.so"},
	{"libcrypto", "engine_libcrypto.so"},
};
enum {
	MEASURE_LEN = 4096
}; /* bytes of the longer record that is timed */
#define CANDIDATE_COUNT (sizeof(candidates) / sizeof(candidates[0]))

/* What the environment said; empty: nothing. */
static char engine_choice[32];
static char engine_override[PATH_MAX];
static bool environment_read;

static const struct engine *engines[CANDIDATE_COUNT]; /* in order, then NULL */
static pthread_once_t engines_once = PTHREAD_ONCE_INIT;
static _Thread_local bool engines_loading;

/*
 * Finds the directory of the object that this function is in. The name that the loader
 * knows may be relative to a directory that the program has left since
 * (LD_PRELOAD=./libktls.so and a daemon's chdir), but its $ORIGIN is not.
 */
static bool
own_directory(char dir[PATH_MAX])
{
	Dl_info info;
	void *self;
	char *slash;
	int rc = -1;

	if (dladdr((void *)engines_load, &info) == 0)
		return false;
	self = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (self != NULL) {
		rc = dlinfo(self, RTLD_DI_ORIGIN, dir);
		dlclose(self);
	}
	if (rc == 0)
		return true;
	/* A program that this file is linked into has no handle. */
	if (strlen(info.dli_fname) >= PATH_MAX)
		return false;
	strcpy(dir, info.dli_fname);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static void
read_variable(const char *name, char *to, size_t size)
{
	const char *value = secure_getenv(name);

	if (value != NULL && strlen(value) < size)
		strcpy(to, value);
}

void
engines_init(void)
{
	if (environment_read)
		return;
	environment_read = true;
	read_variable("KTLS_CIPHER", engine_choice, sizeof(engine_choice));
	read_variable("KTLS_ENGINE_DIR", engine_override, sizeof(engine_override));
}

static bool
engine_directory(char dir[PATH_MAX])
{
	size_t len;

	if (*engine_override != '\0') {
		strcpy(dir, engine_override);
		return true;
	}
	if (!own_directory(dir))
		return false;
	len = strlen(dir);
	return (size_t)snprintf(dir + len, PATH_MAX - len, "/ktls-engines") <
	       PATH_MAX - len;
}

/* NULL when the engine, or a library that it needs, is not there. */
static const struct engine *
load_engine(const char *dir, const char *file)
{
	char path[PATH_MAX];
	const struct engine *engine;
	void *object;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return NULL;
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL)
		return NULL;
	engine = dlsym(object, KTLS_ENGINE_SYMBOL);
	if (engine == NULL || engine->abi != KTLS_ENGINE_ABI) {
		dlclose(object);
		return NULL;
	}
	return engine;
}

static void
load_engines(void)
{
	const char *only = engine_choice;
	char dir[PATH_MAX];
	size_t count = 0;

	engines_init();
	if (*only == '\0' || strcmp(only, "auto") == 0)
		only = NULL;
	if (!engine_directory(dir))
		return;
	for (size_t i = 0; i < CANDIDATE_COUNT; i++) {
		if (only != NULL && strcmp(only, candidates[i].name) != 0)
			continue;
		engines[count] = load_engine(dir, candidates[i].file);
		if (engines[count] != NULL)
			count++;
	}
	/* The program must not find our failure in its own dlerror(). */
	(void)dlerror();
}

void
engines_load(void)
{
	int saved = errno;

	/* Constructors of crypto libraries may come back here through an interposed
	 * function: they find no engine instead of a deadlock. */
	if (engines_loading)
		return;
	engines_loading = true;
	pthread_once(&engines_once, load_engines);
	engines_loading = false;
	errno = saved;
}

/*
 * Nanoseconds to seal a small and a middling record with `engine`: the best of a few
 * rounds, so that a disturbance does not count. UINT64_MAX when it cannot.
 */
static uint64_t
measure(const struct engine *engine, enum suite_id suite, void *context, uint8_t *out)
{
	static const uint8_t secret[SUITE_MAX_KEY], nonce[CBC_BLOCK_LEN], aad[13];
	const struct engine_key key = {.suite = suite, .version = TLS_V12, .key = secret};
	const size_t sizes[] = {256, MEASURE_LEN};
	uint64_t best = UINT64_MAX;
	struct timespec from, to;

	if (engine->init(context, &key, ENGINE_SEAL) < 0)
		return UINT64_MAX;
	for (int round = 0; round < 5; round++) {
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct iovec iov = {out + MEASURE_LEN + AEAD_TAG_LEN, sizes[i]};
			engine->seal(context, nonce, aad, sizeof(aad), &iov, 1, out);
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		uint64_t ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
			      (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
		best = ns < best ? ns : best;
	}
	engine->wipe(context);
	return best;
}

/* Sealing a record under a key that protects nothing, once per suite and process. */
static uint64_t
speed(const struct engine *engine, enum suite_id suite)
{
	size_t size = engine->context_size(suite);
	uint8_t *context = aligned_alloc(KTLS_ENGINE_ALIGN,
					 (size + KTLS_ENGINE_ALIGN - 1) &
						 ~(size_t)(KTLS_ENGINE_ALIGN - 1));
	uint8_t *out = calloc(2, MEASURE_LEN + AEAD_TAG_LEN);
	uint64_t ns = UINT64_MAX;

	if (context != NULL && out != NULL)
		ns = measure(engine, suite, context, out);
	free(context);
	free(out);
	return ns;
}

static const struct engine *
fastest(enum suite_id suite)
{
	const struct engine *serving[CANDIDATE_COUNT], *best = NULL;
	uint64_t best_ns = UINT64_MAX;
	size_t count = 0;

	for (size_t i = 0; i < CANDIDATE_COUNT && engines[i] != NULL; i++)
		if (engines[i]->context_size(suite) != 0)
			serving[count++] = engines[i];
	if (count == 0)
		return NULL;
	best = serving[0];
	for (size_t i = 0; count > 1 && i < count; i++) {
		uint64_t ns = speed(serving[i], suite);
		if (ns < best_ns) {
			best_ns = ns;
			best = serving[i];
		}
	}
	return best;
}

const struct engine *
engine_for(enum suite_id suite)
{
	static _Atomic(const struct engine *) chosen[SUITE_COUNT];
	const struct engine *engine = atomic_load(&chosen[suite]);

	if (engine != NULL)
		return engine;
	engines_load();
	/* Two threads may measure at once and disagree: either answer serves. */
	engine = fastest(suite);
	atomic_store(&chosen[suite], engine);
	return engine;
}
