/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h: what sealing and opening share: the record header and the AAD made of it.
 */
#ifndef KTLS_RECORD_H
#define KTLS_RECORD_H

#include <endian.h>
#include <string.h>

#include "cipher.h"

enum {
	RECORD_TYPE_APPLICATION_DATA = 23,
	RECORD_SEQ_LEN = 8,
	RECORD_AAD_MAX = RECORD_SEQ_LEN + RECORD_HEADER_LEN,
};

/* TLS 1.3 calls itself 1.2 on the wire (RFC 8446 5.1). */
static inline uint8_t
record_wire_minor(uint8_t version)
{
	return version == TLS_V13 ? TLS_V12 : version;
}

static inline void
record_put_header(uint8_t *p, uint8_t version, uint8_t type, size_t len)
{
	p[0] = type;
	p[1] = 3;
	p[2] = record_wire_minor(version);
	p[3] = (uint8_t)(len >> 8);
	p[4] = (uint8_t)len;
}

static inline void
record_put64(uint8_t *p, uint64_t value)
{
	value = htobe64(value);
	memcpy(p, &value, sizeof(value));
}

/*
 * The AAD (RFC 8446 5.2, RFC 5246 6.2.3.3) or MAC prefix (RFC 5246 6.2.3.1) of the
 * record that `state` comes to next. `len` is the plaintext's, in TLS 1.3 the wire's.
 * Returns its length.
 */
static inline size_t
record_aad(const struct cipher_state *state, uint8_t type, size_t len,
	   uint8_t aad[RECORD_AAD_MAX])
{
	if (state->version == TLS_V13) {
		record_put_header(aad, TLS_V13, RECORD_TYPE_APPLICATION_DATA, len);
		return RECORD_HEADER_LEN;
	}
	record_put64(aad, state->seq);
	record_put_header(aad + RECORD_SEQ_LEN, state->version, type, len);
	return RECORD_AAD_MAX;
}

#endif
