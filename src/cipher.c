/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cipher.c: finds crypto engines, installs keys, and counts sequence numbers and nonces.
 */
#include "cipher.h"

#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of preference. */
static const struct {
	const char *name; /* as KTLS_CIPHER says it */
	const char *file;
} candidates[] = {
	{"ipsec-mb", "engine_ipsec_mb.so"},
	{"libcrypto", "engine_libcrypto.so"},
};
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

	if (dladdr((void *)cipher_load_engines, &info) == 0)
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
cipher_init(void)
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

	cipher_init();
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
cipher_load_engines(void)
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

const struct engine *
cipher_engine(const struct suite *suite)
{
	cipher_load_engines();
	for (size_t i = 0; i < CANDIDATE_COUNT && engines[i] != NULL; i++)
		if (engines[i]->context_size(suite->id) != 0)
			return engines[i];
	return NULL;
}

/* Frees memory that held, or was about to hold, a key schedule. */
static void
free_wiped(void *memory, size_t size)
{
	secure_wipe(memory, size);
	free(memory);
}

/* Fills `context` with this engine's. 0, -EOPNOTSUPP or -ENOMEM; then unchanged. */
static int
init_context(struct cipher_context *context, const struct engine *engine,
	     const struct engine_key *key, enum engine_direction dir)
{
	size_t size = engine->context_size(key->suite);
	void *memory;
	int rc;

	if (size == 0)
		return -EOPNOTSUPP;
	size = (size + KTLS_ENGINE_ALIGN - 1) & ~(size_t)(KTLS_ENGINE_ALIGN - 1);
	memory = aligned_alloc(KTLS_ENGINE_ALIGN, size);
	if (memory == NULL)
		return -ENOMEM;
	rc = engine->init(memory, key, dir);
	if (rc < 0) {
		free_wiped(memory, size);
		return rc;
	}
	context->engine = engine;
	context->memory = memory;
	context->memory_size = (uint32_t)size;
	return 0;
}

/* Fills `context` from `state` with the first engine that takes it. 0, -ENOENT or
 * -ENOMEM; then unchanged. */
static int
make_context(struct cipher_context *context, const struct cipher_state *state,
	     enum engine_direction dir)
{
	const struct engine_key key = {
		.suite = state->suite,
		.version = state->version,
		.mac_key_len = state->mac_key_len,
		.key = state->key,
		.mac_key = state->mac_key,
	};
	int rc = -EOPNOTSUPP;

	cipher_load_engines();
	for (size_t i = 0; i < CANDIDATE_COUNT && engines[i] != NULL; i++) {
		rc = init_context(context, engines[i], &key, dir);
		if (rc != -EOPNOTSUPP)
			break;
	}
	if (rc < 0)
		return rc == -EOPNOTSUPP ? -ENOENT : rc;
	context->generation = state->generation;
	return 0;
}

/* Copies the MAC key, or its hash if it is too long to keep. 0 or -ENOENT. */
static int
set_mac_key(struct cipher_state *state, const struct cipher_params *params)
{
	const struct engine *engine;
	ssize_t n = (ssize_t)params->mac_key_len;

	if (params->mac_key_len <= SUITE_MAX_MAC_KEY) {
		if (n > 0)
			memcpy(state->mac_key, params->mac_key, params->mac_key_len);
	} else {
		engine = cipher_engine(params->suite);
		if (engine == NULL)
			return -ENOENT;
		n = engine->fold_mac_key(params->suite->id, params->mac_key,
					 params->mac_key_len, state->mac_key);
		if (n < 0)
			return -ENOENT;
	}
	state->mac_key_len = (uint8_t)n;
	return 0;
}

int
cipher_set_key(struct cipher_state *state, struct cipher_context *context,
	       const struct cipher_params *params, enum engine_direction dir)
{
	struct cipher_state next = {
		.suite = (uint8_t)params->suite->id,
		.version = params->version,
		.iv_len = params->iv_len,
		.geo = suite_geometry(params->suite, params->version),
		.generation = state->generation + 1,
		.seq = params->seq,
		.explicit_nonce = params->explicit_nonce,
	};
	struct cipher_context made = {0};
	int rc;

	if (params->iv_len > 0)
		memcpy(next.iv, params->iv, params->iv_len);
	memcpy(next.key, params->key, params->suite->key_len);
	rc = set_mac_key(&next, params);
	if (rc == 0)
		rc = make_context(&made, &next, dir);
	if (rc == 0) {
		/* The commit point: nothing fails from here on. */
		cipher_context_release(context);
		*context = made;
		*state = next;
	}
	secure_wipe(&next, sizeof(next));
	return rc;
}

int
cipher_context_sync(struct cipher_context *context, const struct cipher_state *state,
		    enum engine_direction dir)
{
	struct cipher_context made = {0};
	int rc;

	/* Both 0: no keys yet. */
	if (context->generation == state->generation)
		return 0;
	rc = make_context(&made, state, dir);
	if (rc < 0)
		return rc;
	cipher_context_release(context);
	*context = made;
	return 0;
}

void
cipher_context_release(struct cipher_context *context)
{
	if (context->engine == NULL)
		return;
	context->engine->wipe(context->memory);
	free_wiped(context->memory, context->memory_size);
	*context = (struct cipher_context){0};
}

void
cipher_state_wipe(struct cipher_state *state)
{
	/* The count goes on, so that no process takes a context of the old key for one of
	 * the next key. */
	uint32_t generation = state->generation + 1;

	secure_wipe(state, sizeof(*state));
	state->generation = generation;
}

void
secure_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

void
cipher_nonce(const struct cipher_state *state, const uint8_t *explicit_nonce,
	     uint8_t nonce[NONCE_LEN])
{
	const size_t salt_len = NONCE_LEN - sizeof(uint64_t);
	uint64_t low;

	memcpy(nonce, state->iv, salt_len);
	if (explicit_nonce != NULL) {
		memcpy(nonce + salt_len, explicit_nonce, sizeof(low));
		return;
	}
	memcpy(&low, state->iv + salt_len, sizeof(low));
	low ^= htobe64(state->seq);
	memcpy(nonce + salt_len, &low, sizeof(low));
}

void
cipher_advance(struct cipher_state *state)
{
	/* Past the last number it reads 0, as Linux's rec_seq does. */
	if (++state->seq == 0)
		state->exhausted = true;
}
