/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_fixture.h: the engines under test, and what a record should be when they seal or
 * open it.
 */
#ifndef KTLS_TESTS_ENGINE_FIXTURE_H
#define KTLS_TESTS_ENGINE_FIXTURE_H

#include "engine.h"
#include "oracle.h"
#include "suite.h"

enum {
	BUFFER_LEN = RECORD_MAX_PLAINTEXT + 512,
	LIBCRYPTO = 0, /* in engines[]: the one that serves every suite */
};

extern const struct engine *engines[2];
extern int engine_count;

/* What all records here are made of, and the buffers that they go to. */
extern uint8_t key_bytes[SUITE_MAX_KEY];
extern uint8_t mac_key_bytes[1024];
extern uint8_t nonce[CBC_BLOCK_LEN];
extern uint8_t message[BUFFER_LEN];
extern uint8_t expected[BUFFER_LEN];
extern uint8_t sealed[BUFFER_LEN];
extern uint8_t opened[BUFFER_LEN];

/* Fills engines[] and the bytes above; for TestSuite's .init. */
void load_engines(void);

void *make_context(const struct engine *e, const struct engine_key *key,
		   enum engine_direction dir);
void drop_context(const struct engine *e, void *context);

/* The key of key_bytes and, for CBC, as many of mac_key_bytes as the MAC is long. */
struct engine_key key_of(enum suite_id suite);

/* RFC 5246 6.2.3.1 and 6.2.3.3: what every MAC and AEAD begins with in TLS 1.2. */
void make_aad(uint8_t aad[13], size_t len);

/* The record body that should come out of the first `len` bytes of message: an oracle's,
 * without header and explicit part. `padding`: CBC, beyond the least. Its length. */
size_t oracle_body(enum suite_id suite, size_t len, size_t padding, size_t mac_key_len,
		   uint8_t *body);

/* Seals `len` bytes in every number of pieces and every placement, and wants the `total`
 * bytes in expected. */
void check_seal(const struct engine *e, void *context, size_t len, size_t total);

/* Opens the `total` bytes in expected, in place and not, and wants `len` of message. */
void check_open(const struct engine *e, void *context, bool cbc, size_t len,
		size_t total);

#endif
