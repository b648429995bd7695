/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_rx.c: judges and opens TLS records.
 */
#include "record_rx.h"

#include <errno.h>

#include "record.h"

/* The length field of the longest record that either kernel takes: neither grants the
 * 256 bytes that RFC 8446 5.2 leaves for padding. */
static uint32_t
largest_body(const struct geometry *geo)
{
	return (uint32_t)(geo->explicit_len + RECORD_MAX_PLAINTEXT + geo->tlen);
}

/* The length field that leaves room for tag or for MAC and padding, but no content.
 * tlen without the rest of a block is the tag, or the MAC padded to whole blocks. */
static uint32_t
smallest_body(const struct geometry *geo)
{
	return geo->explicit_len + (geo->tlen & ~(uint32_t)(CBC_BLOCK_LEN - 1));
}

static bool
wrong_version(const struct cipher_state *state, const uint8_t *header)
{
	return header[1] != 3 || header[2] != record_wire_minor(state->version);
}

static bool
ragged_cbc(const struct geometry *geo, uint32_t body)
{
	return geo->cbc && body % CBC_BLOCK_LEN != 0;
}

/* The errno of a header that ends the stream, or 0. The outer type is not looked at:
 * Linux leaves it to the tag. */
static int
linux_fatal(const struct cipher_state *state, const uint8_t *header, uint32_t body)
{
	const struct geometry *geo = &state->geo;

	if (body > largest_body(geo))
		return EMSGSIZE;
	if (body < smallest_body(geo) || ragged_cbc(geo, body))
		return EBADMSG;
	if (wrong_version(state, header))
		return EINVAL;
	return 0;
}

/* The errno of a header that ends the stream, or 0. */
static int
freebsd_fatal(const struct cipher_state *state, const uint8_t *header, uint32_t body)
{
	const struct geometry *geo = &state->geo;

	if (wrong_version(state, header))
		return EINVAL;
	if (geo->inner_type && header[0] != RECORD_TYPE_APPLICATION_DATA)
		return EINVAL;
	if (body < geo->explicit_len || body > largest_body(geo))
		return EMSGSIZE;
	return 0;
}

/* The errno of a complete record that cannot hold what it must, or 0. */
static int
freebsd_skip(const struct cipher_state *state, uint32_t body)
{
	const struct geometry *geo = &state->geo;

	if (body < smallest_body(geo) + geo->inner_type || ragged_cbc(geo, body))
		return EMSGSIZE;
	return 0;
}

struct record_header
record_parse(const struct cipher_state *state, enum record_rules rules,
	     const uint8_t *bytes, size_t have)
{
	struct record_header h = {
		.verdict = RECORD_INCOMPLETE,
		.length = RECORD_HEADER_LEN,
	};
	uint32_t body;

	if (have < RECORD_HEADER_LEN)
		return h;
	body = (uint32_t)(bytes[3] << 8 | bytes[4]);
	h.length = RECORD_HEADER_LEN + body;
	h.error = rules == RULES_LINUX ? linux_fatal(state, bytes, body)
				       : freebsd_fatal(state, bytes, body);
	if (h.error != 0) {
		/* Linux judges once the explicit nonce is there as well: a plaintext
		 * ChangeCipherSpec of 6 bytes makes it wait. */
		if (rules == RULES_LINUX && have < state->geo.hlen) {
			h.error = 0;
			h.length = state->geo.hlen;
			return h;
		}
		h.verdict = RECORD_FATAL;
		return h;
	}
	if (have < h.length)
		return h;
	if (rules == RULES_FREEBSD)
		h.error = freebsd_skip(state, body);
	h.verdict = h.error != 0 ? RECORD_SKIP : RECORD_COMPLETE;
	return h;
}

size_t
record_open_slack(const struct cipher_state *state)
{
	const struct geometry *geo = &state->geo;

	/* CBC: the MAC and one byte of padding. */
	return geo->cbc ? geo->tlen - CBC_BLOCK_LEN + 1u : geo->inner_type;
}

size_t
record_plaintext_bound(const struct cipher_state *state, uint32_t length)
{
	const struct geometry *geo = &state->geo;
	size_t least = geo->hlen + record_open_slack(state) +
		       (geo->cbc ? 0u : (size_t)AEAD_TAG_LEN);

	return length > least ? length - least : 0;
}

/*
 * Takes TLS 1.3's zeros and content type off `inner` (RFC 8446 5.4). The type must lie
 * in the inner plaintext itself: an all-zero one has none.
 */
static ssize_t
strip_inner(const uint8_t *inner, ssize_t len, uint8_t *type)
{
	while (len > 0 && inner[len - 1] == 0)
		len--;
	if (len == 0)
		return -EBADMSG;
	*type = inner[len - 1];
	return len - 1;
}

ssize_t
record_open_split(struct cipher_state *state, const struct cipher_context *context,
		  const uint8_t *header, const uint8_t *body, uint32_t body_len,
		  uint8_t *out, uint8_t *type)
{
	const struct geometry *geo = &state->geo;
	const uint8_t *explicit_nonce = header + RECORD_HEADER_LEN;
	size_t out_len = geo->cbc ? body_len : body_len - AEAD_TAG_LEN;
	uint8_t found_type = header[0];
	uint8_t aad[RECORD_AAD_MAX];
	uint8_t nonce[NONCE_LEN];
	size_t aad_len;
	ssize_t n;

	if (state->exhausted)
		return -EBADMSG;
	aad_len =
		record_aad(state, found_type,
			   geo->inner_type ? body_len + geo->explicit_len : out_len, aad);
	if (!geo->cbc)
		cipher_nonce(state, geo->explicit_len ? explicit_nonce : NULL, nonce);
	/* CBC is never received in TLS 1.0, so its IV is always in the record. */
	n = context->engine->open(context->memory, geo->cbc ? explicit_nonce : nonce, aad,
				  aad_len, body, body_len, out);
	if (n >= 0 && geo->inner_type)
		n = strip_inner(out, n, &found_type);
	/* More than 16384 is possible in CBC, where content may take the room that the
	 * largest length leaves for padding (RFC 5246 6.2.1). */
	if (n < 0 || n > RECORD_MAX_PLAINTEXT) {
		secure_wipe(out, out_len);
		return -EBADMSG;
	}
	*type = found_type;
	/* Only to be told: Linux's getsockopt(TLS_RX) shows its iv advance. */
	if (!geo->cbc && geo->explicit_len != 0)
		state->explicit_nonce++;
	cipher_advance(state);
	return n;
}

ssize_t
record_open(struct cipher_state *state, const struct cipher_context *context,
	    const uint8_t *record, uint32_t length, uint8_t *out, uint8_t *type)
{
	uint8_t hlen = state->geo.hlen;

	return record_open_split(state, context, record, record + hlen, length - hlen,
				 out, type);
}

void
record_skip(struct cipher_state *state)
{
	cipher_advance(state);
}
