/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cipher.c: installs keys, and counts sequence numbers and nonces.
 */
#include "cipher.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines.h"

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

/* Fills `context` from `state`. 0, -ENOENT or -ENOMEM; then unchanged. */
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
	const struct engine *engine = engine_for(state->suite);
	int rc = engine == NULL ? -EOPNOTSUPP : init_context(context, engine, &key, dir);

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
		engine = engine_for(params->suite->id);
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
