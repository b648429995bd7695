/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_rx.h: TLS records in, plaintext out.
 *
 * Pure: no descriptor, no lock, no allocation; bytes, a cipher and a sequence number.
 */
#ifndef KTLS_RECORD_RX_H
#define KTLS_RECORD_RX_H

#include <sys/types.h>

#include "cipher.h"

/* Which kernel's rules for bad headers: FreeBSD's ktls(4) or Linux's. */
enum record_rules {
	RULES_LINUX,
	RULES_FREEBSD,
};

enum record_verdict {
	RECORD_INCOMPLETE, /* `length` more precise the more bytes are there */
	RECORD_COMPLETE,
	RECORD_FATAL, /* bad header: the stream cannot be followed any more */
	RECORD_SKIP,  /* the record is bad but its end is known */
};

struct record_header {
	enum record_verdict verdict;
	int error;       /* errno of FATAL and SKIP, positive */
	uint32_t length; /* of the whole record with its header; when INCOMPLETE: how many
			  * bytes to wait for, the header's 5 or the whole record */
};

/* Judges the record that starts at `bytes`, of which `have` are there. `have` may be 0.
 */
struct record_header record_parse(const struct cipher_state *state,
				  enum record_rules rules, const uint8_t *bytes,
				  size_t have);

/* The most plaintext that a record of `length` bytes can hold; what record_open may
 * write to `out` is this plus record_open_slack(). */
size_t record_plaintext_bound(const struct cipher_state *state, uint32_t length);

/* Bytes beyond the plaintext that record_open may write to `out`: the inner content type
 * and zeros of TLS 1.3, the MAC and padding of CBC. */
size_t record_open_slack(const struct cipher_state *state);

/*
 * Opens the complete record at `record`, `length` bytes as record_parse found.
 * `out` may be record + geo.hlen. Stores the content type, TLS 1.3's inner one.
 *
 * Returns the plaintext's length, 0 to 16384. -EBADMSG: bad tag, MAC or padding, no
 * content type, or sequence numbers used up; what was written to `out` is wiped. The
 * sequence number is only taken on success; FreeBSD's skipping of a bad record is
 * record_skip().
 */
ssize_t record_open(struct cipher_state *state, const struct cipher_context *context,
		    const uint8_t *record, uint32_t length, uint8_t *out, uint8_t *type);

/* The same for a record in two parts, `header` with geo.hlen bytes and `body` with the
 * `body_len` others. `out` may be `body`. */
ssize_t record_open_split(struct cipher_state *state,
			  const struct cipher_context *context, const uint8_t *header,
			  const uint8_t *body, uint32_t body_len, uint8_t *out,
			  uint8_t *type);

/* Gives up the record at the head: takes its sequence number. */
void record_skip(struct cipher_state *state);

#endif
