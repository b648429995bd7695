/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_ipsec_mb.c: AES-GCM and ChaCha20-Poly1305 on Intel's multi-buffer library,
 * where the processor has the instructions that make it worth while.
 *
 * A manager of that library serves one thread at a time. The functions that it points to
 * keep all they know in memory that the caller hands them, so one manager is made, its
 * choice of functions for this processor noted, and the manager freed.
 */
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The library is built with this macro: without it the header forgets the alignment of
 * gcm_key_data, which the code relies on. */
#define LINUX
#include <intel-ipsec-mb.h>

#include "suite.h"

struct gcm_functions {
	aes_gcm_pre_t expand_key;
	aes_gcm_enc_dec_t seal; /* a whole message */
	aes_gcm_enc_dec_t open;
	aes_gcm_init_t init; /* a message in pieces */
	aes_gcm_enc_dec_update_t seal_update;
	aes_gcm_enc_dec_finalize_t seal_finalize;
};

struct chacha_functions {
	chacha_poly_init_t init;
	chacha_poly_enc_dec_update_t seal_update;
	chacha_poly_enc_dec_update_t open_update;
	chacha_poly_finalize_t finalize;
};

static struct {
	bool usable;
	struct gcm_functions gcm128;
	struct gcm_functions gcm256;
	struct chacha_functions chacha;
} library;

struct context {
	const struct gcm_functions *gcm; /* NULL: ChaCha20-Poly1305 */
	union {
		struct gcm_key_data gcm;
		uint8_t chacha[32];
	} key;
	union {
		struct gcm_context_data gcm;
		struct chacha20_poly1305_context_data chacha;
	} state; /* of the record in hand */
};

_Static_assert(_Alignof(struct context) == KTLS_ENGINE_ALIGN,
	       "the expanded key must keep its alignment");

static void
note_functions(const IMB_MGR *m)
{
	library.gcm128 = (struct gcm_functions){
		m->gcm128_pre,  m->gcm128_enc,        m->gcm128_dec,
		m->gcm128_init, m->gcm128_enc_update, m->gcm128_enc_finalize,
	};
	library.gcm256 = (struct gcm_functions){
		m->gcm256_pre,  m->gcm256_enc,        m->gcm256_dec,
		m->gcm256_init, m->gcm256_enc_update, m->gcm256_enc_finalize,
	};
	library.chacha = (struct chacha_functions){
		m->chacha20_poly1305_init,
		m->chacha20_poly1305_enc_update,
		m->chacha20_poly1305_dec_update,
		m->chacha20_poly1305_finalize,
	};
}

static void
load_library(void)
{
	/* Below AVX the library emulates or gains nothing over libcrypto. */
	const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ |
				IMB_FEATURE_AVX | IMB_FEATURE_SELF_TEST_PASS;
	IMB_MGR *m = alloc_mb_mgr(0);

	if (m == NULL)
		return;
	init_mb_mgr_auto(m, NULL);
	if (imb_get_errno(m) == 0 && (m->features & needed) == needed) {
		note_functions(m);
		library.usable = true;
	}
	free_mb_mgr(m);
}

static bool
library_usable(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load_library);
	return library.usable;
}

static size_t
engine_context_size(enum suite_id suite)
{
	switch (suite) {
	case SUITE_AES_128_GCM:
	case SUITE_AES_256_GCM:
	case SUITE_CHACHA20_POLY1305:
		return library_usable() ? sizeof(struct context) : 0;
	default:
		return 0;
	}
}

static int
engine_init(void *context, const struct engine_key *key, enum engine_direction dir)
{
	struct context *c = context;

	(void)dir; /* counter modes: one key schedule for both */
	if (engine_context_size(key->suite) == 0)
		return -EOPNOTSUPP;
	memset(c, 0, sizeof(*c));
	if (key->suite == SUITE_CHACHA20_POLY1305) {
		memcpy(c->key.chacha, key->key, sizeof(c->key.chacha));
		return 0;
	}
	c->gcm = key->suite == SUITE_AES_128_GCM ? &library.gcm128 : &library.gcm256;
	c->gcm->expand_key(key->key, &c->key.gcm);
	return 0;
}

static ssize_t
gcm_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	 const struct iovec *iov, int iovcnt, uint8_t *out)
{
	const struct gcm_functions *f = c->gcm;
	struct gcm_context_data *state = &c->state.gcm;
	uint8_t *end = out;

	if (iovcnt == 1) {
		end += iov->iov_len;
		f->seal(&c->key.gcm, state, out, iov->iov_base, iov->iov_len, nonce, aad,
			aad_len, end, AEAD_TAG_LEN);
		return end - out + AEAD_TAG_LEN;
	}
	f->init(&c->key.gcm, state, nonce, aad, aad_len);
	for (int i = 0; i < iovcnt; i++) {
		f->seal_update(&c->key.gcm, state, end, iov[i].iov_base, iov[i].iov_len);
		end += iov[i].iov_len;
	}
	f->seal_finalize(&c->key.gcm, state, end, AEAD_TAG_LEN);
	return end - out + AEAD_TAG_LEN;
}

static ssize_t
chacha_seal(struct context *c, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	    const struct iovec *iov, int iovcnt, uint8_t *out)
{
	const struct chacha_functions *f = &library.chacha;
	uint8_t *end = out;

	f->init(c->key.chacha, &c->state.chacha, nonce, aad, aad_len);
	for (int i = 0; i < iovcnt; i++) {
		f->seal_update(c->key.chacha, &c->state.chacha, end, iov[i].iov_base,
			       iov[i].iov_len);
		end += iov[i].iov_len;
	}
	f->finalize(&c->state.chacha, end, AEAD_TAG_LEN);
	return end - out + AEAD_TAG_LEN;
}

static ssize_t
engine_seal(void *context, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
	    const struct iovec *iov, int iovcnt, uint8_t *out)
{
	struct context *c = context;

	return c->gcm != NULL ? gcm_seal(c, nonce, aad, aad_len, iov, iovcnt, out)
			      : chacha_seal(c, nonce, aad, aad_len, iov, iovcnt, out);
}

/* In time that depends on the length alone. */
static bool
same_tag(const uint8_t *a, const uint8_t *b)
{
	volatile uint8_t difference = 0;

	for (int i = 0; i < AEAD_TAG_LEN; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

static ssize_t
engine_open(void *context, const uint8_t *nonce, uint8_t *aad, size_t aad_len,
	    const uint8_t *in, size_t in_len, uint8_t *out)
{
	struct context *c = context;
	size_t len = in_len - AEAD_TAG_LEN;
	uint8_t tag[AEAD_TAG_LEN];

	if (c->gcm != NULL) {
		c->gcm->open(&c->key.gcm, &c->state.gcm, out, in, len, nonce, aad,
			     aad_len, tag, sizeof(tag));
	} else {
		const struct chacha_functions *f = &library.chacha;
		f->init(c->key.chacha, &c->state.chacha, nonce, aad, aad_len);
		f->open_update(c->key.chacha, &c->state.chacha, out, in, len);
		f->finalize(&c->state.chacha, tag, sizeof(tag));
	}
	return same_tag(tag, in + len) ? (ssize_t)len : -EBADMSG;
}

static void
engine_wipe(void *context)
{
	explicit_bzero(context, sizeof(struct context));
}

static ssize_t
engine_fold_mac_key(enum suite_id suite, const uint8_t *key, size_t len,
		    uint8_t out[SUITE_MAX_MAC_KEY])
{
	(void)suite;
	(void)key;
	(void)len;
	(void)out;
	return -EOPNOTSUPP; /* no suite here has a MAC key */
}

__attribute__((visibility("default"))) extern const struct engine ktls_engine;

const struct engine ktls_engine = {
	.abi = KTLS_ENGINE_ABI,
	.name = "ipsec-mb",
	.context_size = engine_context_size,
	.init = engine_init,
	.seal = engine_seal,
	.open = engine_open,
	.wipe = engine_wipe,
	.fold_mac_key = engine_fold_mac_key,
};
