/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_tx.c: seals plaintext into TLS records.
 */
#include "record_tx.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

/* Bytes of content up to which copying it is cheaper than a piece more, measured. */
#define GATHER_MAX 512

size_t
record_wire_len(const struct cipher_state *state, size_t len)
{
	const struct geometry *geo = &state->geo;

	/* tlen is MAC plus one block: rounding down leaves 1 to 16 bytes of padding. */
	if (geo->cbc)
		return geo->hlen + ((len + geo->tlen) & ~(size_t)(CBC_BLOCK_LEN - 1));
	return geo->hlen + len + geo->tlen;
}

/*
 * Writes the explicit nonce or IV to `p` and has `nonce` filled with what the engine
 * wants: an AEAD nonce or a CBC IV.
 */
static int
make_nonce(const struct cipher_state *state, uint8_t *p, uint8_t nonce[CBC_BLOCK_LEN])
{
	const struct geometry *geo = &state->geo;

	if (!geo->cbc) {
		if (geo->explicit_len == 0) {
			cipher_nonce(state, NULL, nonce);
			return 0;
		}
		record_put64(p, state->explicit_nonce);
		cipher_nonce(state, p, nonce);
		return 0;
	}
	if (geo->explicit_len == 0) {
		memcpy(nonce, state->iv, CBC_BLOCK_LEN);
		return 0;
	}
	/* RFC 5246 6.2.3.2: the IV must be unpredictable. Unlike getrandom(), this is no
	 * cancellation point: the caller holds locks. */
	if (getentropy(p, CBC_BLOCK_LEN) != 0)
		return -EIO;
	memcpy(nonce, p, CBC_BLOCK_LEN);
	return 0;
}

/*
 * Makes `pieces` the inner plaintext of TLS 1.3, content and type (RFC 8446 5.2). Short
 * content is gathered at `place`, where its ciphertext goes: that costs less than the
 * engine takes for a last piece of one byte. Returns the number of pieces.
 */
static int
inner_plaintext(struct iovec pieces[RECORD_MAX_PIECES + 1], const struct iovec *iov,
		int iovcnt, size_t len, uint8_t *type, uint8_t *place)
{
	uint8_t *end = place;

	if (len > GATHER_MAX) {
		memcpy(pieces, iov, (size_t)iovcnt * sizeof(*iov));
		pieces[iovcnt] = (struct iovec){type, 1};
		return iovcnt + 1;
	}
	for (int i = 0; i < iovcnt; i++) {
		/* A piece may be there already. */
		if (iov[i].iov_base != end && iov[i].iov_len > 0)
			memcpy(end, iov[i].iov_base, iov[i].iov_len);
		end += iov[i].iov_len;
	}
	*end = *type;
	pieces[0] = (struct iovec){place, len + 1};
	return 1;
}

/* Steps nonces, IV chain and sequence number behind the record that ends at `end`. */
static void
advance(struct cipher_state *state, const uint8_t *end)
{
	const struct geometry *geo = &state->geo;

	if (!geo->cbc && geo->explicit_len != 0)
		state->explicit_nonce++;
	/* TLS 1.0: the last ciphertext block is the next IV (RFC 2246 6.2.3.2). */
	if (geo->cbc && geo->explicit_len == 0)
		memcpy(state->iv, end - CBC_BLOCK_LEN, CBC_BLOCK_LEN);
	cipher_advance(state);
}

ssize_t
record_seal(struct cipher_state *state, const struct cipher_context *context,
	    uint8_t type, const struct iovec *iov, int iovcnt, size_t len, uint8_t *out)
{
	const struct geometry *geo = &state->geo;
	size_t total = record_wire_len(state, len);
	size_t body = total - RECORD_HEADER_LEN;
	struct iovec pieces[RECORD_MAX_PIECES + 1];
	uint8_t aad[RECORD_AAD_MAX];
	uint8_t nonce[CBC_BLOCK_LEN];
	uint8_t outer_type = type;
	size_t aad_len;
	ssize_t n;

	if (state->exhausted)
		return -EBADMSG;
	aad_len = record_aad(state, type, geo->inner_type ? body : len, aad);
	if (geo->inner_type) {
		iovcnt =
			inner_plaintext(pieces, iov, iovcnt, len, &type, out + geo->hlen);
		iov = pieces;
		outer_type = RECORD_TYPE_APPLICATION_DATA;
	}
	record_put_header(out, state->version, outer_type, body);
	if (make_nonce(state, out + RECORD_HEADER_LEN, nonce) < 0)
		return -EIO;
	n = context->engine->seal(context->memory, nonce, aad, aad_len, iov, iovcnt,
				  out + geo->hlen);
	/* Another length than the header's would make the stream unreadable. */
	if (n != (ssize_t)(total - geo->hlen))
		return -EIO;
	advance(state, out + total);
	return (ssize_t)total;
}

struct record_mark
record_mark(const struct cipher_state *state)
{
	struct record_mark mark = {
		.seq = state->seq,
		.explicit_nonce = state->explicit_nonce,
	};

	memcpy(mark.iv, state->iv, sizeof(mark.iv));
	return mark;
}

void
record_rewind(struct cipher_state *state, const struct record_mark *mark)
{
	/* A mark made after the last record has the same number as `state` still has:
	 * there is nothing to give back. */
	if (state->seq != mark->seq)
		state->exhausted = false;
	state->seq = mark->seq;
	state->explicit_nonce = mark->explicit_nonce;
	memcpy(state->iv, mark->iv, sizeof(state->iv));
}
