/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_tx.h: plaintext in, TLS records out.
 *
 * Pure: no descriptor, no lock, no allocation; bytes, a cipher and a sequence number.
 */
#ifndef KTLS_RECORD_TX_H
#define KTLS_RECORD_TX_H

#include <sys/uio.h>

#include "cipher.h"

/* Bytes on the wire of a record with `len` bytes of plaintext, at most 16384. */
size_t record_wire_len(const struct cipher_state *state, size_t len);

/*
 * Writes one record of content type `type`: header, explicit nonce, ciphertext, tag.
 * The plaintext is `iov` whole, `len` bytes in all, at most 16384; a piece may already
 * lie where its ciphertext goes (out + geo.hlen + its offset). At most 8 pieces.
 * `out` has room for record_wire_len() bytes.
 *
 * Returns the record's length; -EBADMSG when the sequence numbers are used up; -EIO
 * when the engine fails. On failure nothing may be sent and `state` is unchanged.
 */
ssize_t record_seal(struct cipher_state *state, const struct cipher_context *context,
		    uint8_t type, const struct iovec *iov, int iovcnt, size_t len,
		    uint8_t *out);

enum {
	RECORD_MAX_PIECES = 8
};

/*
 * Where a sealed record left the cipher, so that records whose ciphertext never left the
 * process can be taken back. Going back is safe for the nonce only then: bytes that the
 * kernel took must never be sealed again under the same sequence number.
 */
struct record_mark {
	uint64_t seq;
	uint64_t explicit_nonce;
	uint8_t iv[16];
};

struct record_mark record_mark(const struct cipher_state *state);
void record_rewind(struct cipher_state *state, const struct record_mark *mark);

#endif
