/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h: what a crypto plugin offers: one sealing and one opening operation.
 *
 * An engine is a shared object beside libktls.so that exports one symbol,
 * `ktls_engine`, of this type. It is loaded with RTLD_LOCAL when the first keys
 * arrive, so that a program without TLS never carries a crypto library.
 *
 * A context holds one key for one direction in memory that the caller provides; it is
 * private to a process. Calls on one context are serialised by the caller; calls on
 * different contexts may run at once. seal and open neither allocate nor lock nor log:
 * they may run inside a signal handler.
 */
#ifndef KTLS_ENGINE_H
#define KTLS_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "suite.h"

#define KTLS_ENGINE_ABI    1
#define KTLS_ENGINE_SYMBOL "ktls_engine"
#define KTLS_ENGINE_ALIGN  64 /* bytes; what the caller aligns a context to */

enum engine_direction {
	ENGINE_SEAL = 0,
	ENGINE_OPEN = 1,
};

struct engine_key {
	enum suite_id suite;
	uint8_t version;     /* TLS_V10..TLS_V13; CBC needs it for its IV rules */
	uint8_t mac_key_len; /* bytes, 0 for AEAD */
	const uint8_t *key;  /* suite's key_len bytes; not kept after init */
	const uint8_t *mac_key;
};

struct engine {
	uint32_t abi; /* KTLS_ENGINE_ABI */
	const char *name;

	/* Bytes that a context of this suite needs, or 0 when the suite, the machine's
	 * processor or the crypto library does not serve it. Called at any time. */
	size_t (*context_size)(enum suite_id suite);

	/* Makes `context` ready. May allocate. 0, or -ENOMEM or -EOPNOTSUPP. */
	int (*init)(void *context, const struct engine_key *key,
		    enum engine_direction dir);

	/*
	 * AEAD (RFC 5116): encrypts the plaintext pieces in order to `out` and puts the
	 * 16-byte tag behind it. `nonce` is 12 bytes, `aad` 5 or 13 bytes. A piece may be
	 * the very place in `out` where its ciphertext goes; other overlap is not
	 * allowed.
	 *
	 * CBC (RFC 5246 6.2.3.2): `nonce` is the 16-byte IV, `aad` the 13-byte MAC prefix
	 * (sequence number, type, version, plaintext length); writes the encryption of
	 * plaintext, MAC and the least padding.
	 *
	 * Returns the bytes written to `out` or -EIO.
	 */
	ssize_t (*seal)(void *context, const uint8_t *nonce, const uint8_t *aad,
			size_t aad_len, const struct iovec *iov, int iovcnt,
			uint8_t *out);

	/*
	 * AEAD: `in` is ciphertext and tag, `in_len` counts both and is at least 16.
	 * Writes in_len - 16 bytes to `out` and returns that count.
	 *
	 * CBC: `in` is the encryption of plaintext, MAC and padding, a multiple of 16 and
	 * long enough for the MAC and one byte of padding; `aad` the MAC prefix whose
	 * last two bytes the engine sets to the length that it found. Constant time in
	 * the padding and in the MAC (RFC 5246 6.2.3.2, Lucky Thirteen). May write in_len
	 * bytes to `out`. Returns the plaintext length.
	 *
	 * `out` may equal `in`. -EBADMSG when the tag, MAC or padding is wrong: then
	 * `out` holds garbage that the caller must wipe.
	 */
	ssize_t (*open)(void *context, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
			const uint8_t *in, size_t in_len, uint8_t *out);

	/* Erases the key and frees what init allocated; `context` may be anything that
	 * init has succeeded on. */
	void (*wipe)(void *context);

	/* HMAC keys longer than SUITE_MAX_MAC_KEY are replaced by their hash (RFC 2104
	 * 2), written to `out`. Returns its length or -EOPNOTSUPP. */
	ssize_t (*fold_mac_key)(enum suite_id suite, const uint8_t *key, size_t len,
				uint8_t out[SUITE_MAX_MAC_KEY]);
};

#endif
