/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cipher.h: one direction's keys, sequence number and nonces, and the engine that uses
 * them.
 */
#ifndef KTLS_CIPHER_H
#define KTLS_CIPHER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "suite.h"

/*
 * Everything secret of one direction, and all that another process needs to carry on.
 * It lies in shared memory, so it holds no pointers. Guarded by the direction's lock.
 */
struct cipher_state {
	uint8_t suite;   /* enum suite_id, SUITE_NONE: no keys */
	uint8_t version; /* TLS_V10..TLS_V13 */
	uint8_t iv_len;  /* bytes of iv that are in use */
	uint8_t mac_key_len;
	bool exhausted;          /* the last sequence number has been used */
	struct geometry geo;     /* of suite and version */
	uint32_t generation;     /* changes with each new key; see cipher_context */
	uint64_t seq;            /* sequence number of the next record */
	uint64_t explicit_nonce; /* TLS 1.2 GCM and CCM: of the next record sent */
	uint8_t iv[16]; /* salt (4), whole nonce (12) or TLS 1.0 CBC chain (16) */
	uint8_t key[SUITE_MAX_KEY];
	uint8_t mac_key[SUITE_MAX_MAC_KEY];
};

/* What cipher_set_key() is told; the pointers are only read during the call. */
struct cipher_params {
	const struct suite *suite;
	uint8_t version;
	const uint8_t *key; /* suite->key_len bytes */
	const uint8_t *iv;
	uint8_t iv_len;
	const uint8_t *mac_key;
	size_t mac_key_len; /* any length; folded when longer than SUITE_MAX_MAC_KEY */
	uint64_t seq;
	uint64_t explicit_nonce;
};

/* A process's own engine context for a cipher_state; its memory is the session's. */
struct cipher_context {
	const struct engine *engine; /* NULL: none yet */
	void *memory;                /* KTLS_ENGINE_ALIGN aligned, owned */
	uint32_t memory_size;
	uint32_t generation; /* of the state it was made from */
};

/*
 * Fills `state` and makes `context` fit it. On failure both are as before.
 * 0, -ENOENT (no engine for the suite) or -ENOMEM.
 */
int cipher_set_key(struct cipher_state *state, struct cipher_context *context,
		   const struct cipher_params *params, enum engine_direction dir);

/*
 * Makes `context` fit `state` again after another process changed the key.
 * 0, -ENOENT or -ENOMEM. Cheap when there is nothing to do.
 */
int cipher_context_sync(struct cipher_context *context, const struct cipher_state *state,
			enum engine_direction dir);

/* Erase and free. A context without an engine is fine. */
void cipher_context_release(struct cipher_context *context);
void cipher_state_wipe(struct cipher_state *state);

/* A memset that the compiler must not drop. */
void secure_wipe(void *p, size_t n);

/*
 * The 12-byte AEAD nonce for the record that `state` comes to next. `explicit_nonce`:
 * the record's own explicit part, 8 bytes, or NULL where the suite has none.
 */
void cipher_nonce(const struct cipher_state *state, const uint8_t *explicit_nonce,
		  uint8_t nonce[NONCE_LEN]);

/* Moves to the next sequence number; after the last one sets `exhausted` (RFC 8446 5.3:
 * sequence numbers must not wrap). */
void cipher_advance(struct cipher_state *state);

#endif
