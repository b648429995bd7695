/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.c: builds and opens TLS records independently of the library under test.
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Columns: minor, iv_len, rx, hlen, tlen, full, largest, smallest, linux_smallest. */
#define NONCE8_12 3, 4, true, 13, 16, 16408, 16408, 24, 24
#define BARE_12   3, 12, true, 5, 16, 16400, 16400, 16, 16
#define ANY_13    4, 12, true, 5, 17, 16401, 16401, 17, 16
#define SHA1_10   1, 16, false, 5, 36, 16416, 0, 0, 0
#define SHA1_11   2, 0, true, 21, 36, 16432, 16436, 48, 48
#define SHA1_12   3, 0, true, 21, 36, 16432, 16436, 48, 48
#define SHA256_12 3, 0, true, 21, 48, 16448, 16448, 64, 64
#define SHA384_12 3, 0, true, 21, 64, 16464, 16464, 80, 80

#define AES128_GCM "AES-128-GCM", ORACLE_GCM, "AES-128-ECB", NULL, 16, 0, 51, 25, 0
#define AES256_GCM "AES-256-GCM", ORACLE_GCM, "AES-256-ECB", NULL, 32, 0, 52, 25, 0
#define AES128_CCM "AES-128-CCM", ORACLE_CCM, "AES-128-ECB", NULL, 16, 0, 53, 0, 0
#define CHACHA \
	"CHACHA20-POLY1305", ORACLE_CHACHA, "ChaCha20-Poly1305", NULL, 32, 0, 54, 41, 0
#define SM4_GCM     "SM4-GCM", ORACLE_GCM, "SM4-ECB", NULL, 16, 0, 55, 0, 0
#define SM4_CCM     "SM4-CCM", ORACLE_CCM, "SM4-ECB", NULL, 16, 0, 56, 0, 0
#define ARIA128_GCM "ARIA-128-GCM", ORACLE_GCM, "ARIA-128-ECB", NULL, 16, 0, 57, 0, 0
#define ARIA256_GCM "ARIA-256-GCM", ORACLE_GCM, "ARIA-256-ECB", NULL, 32, 0, 58, 0, 0
#define CBC(BITS, KEY, SHA, DIGEST, MAC, AUTH)                                        \
	"AES-" BITS "-CBC-" SHA, ORACLE_CBC, "AES-" BITS "-CBC", DIGEST, KEY, MAC, 0, \
		11, AUTH

const struct oracle_row oracle_rows[] = {
	{AES128_GCM, NONCE8_12},
	{AES128_GCM, ANY_13},
	{AES256_GCM, NONCE8_12},
	{AES256_GCM, ANY_13},
	{AES128_CCM, NONCE8_12},
	{AES128_CCM, ANY_13},
	{CHACHA, BARE_12},
	{CHACHA, ANY_13},
	{SM4_GCM, NONCE8_12},
	{SM4_GCM, ANY_13},
	{SM4_CCM, NONCE8_12},
	{SM4_CCM, ANY_13},
	{ARIA128_GCM, NONCE8_12},
	{ARIA256_GCM, NONCE8_12},
	{CBC("128", 16, "SHA1", "SHA1", 20, 7), SHA1_10},
	{CBC("128", 16, "SHA1", "SHA1", 20, 7), SHA1_11},
	{CBC("128", 16, "SHA1", "SHA1", 20, 7), SHA1_12},
	{CBC("256", 32, "SHA1", "SHA1", 20, 7), SHA1_10},
	{CBC("256", 32, "SHA1", "SHA1", 20, 7), SHA1_11},
	{CBC("256", 32, "SHA1", "SHA1", 20, 7), SHA1_12},
	{CBC("128", 16, "SHA256", "SHA256", 32, 18), SHA256_12},
	{CBC("256", 32, "SHA256", "SHA256", 32, 18), SHA256_12},
	{CBC("128", 16, "SHA384", "SHA384", 48, 19), SHA384_12},
	{CBC("256", 32, "SHA384", "SHA384", 48, 19), SHA384_12},
};
const int oracle_row_count = sizeof(oracle_rows) / sizeof(oracle_rows[0]);

const struct oracle_row *
oracle_find(const char *name, int minor)
{
	for (int i = 0; i < oracle_row_count; i++)
		if (strcmp(oracle_rows[i].name, name) == 0 &&
		    oracle_rows[i].minor == minor)
			return &oracle_rows[i];
	return NULL;
}

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "oracle: %s failed\n", what);
	abort();
}
#define must(ok, what) ((ok) ? (void)0 : die(what))

size_t
oracle_unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		must(sscanf(hex + 2 * i, "%2x", &byte) == 1, "hex");
		out[i] = (uint8_t)byte;
	}
	return n;
}

static void
put_be(uint8_t *p, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		p[i] = (uint8_t)value;
		value >>= 8;
	}
}

/* The block cipher of one key, or CBC: `len` is a multiple of 16. */
static void
blocks(const char *name, const uint8_t *key, const uint8_t *iv, bool encrypt,
       const uint8_t *in, size_t len, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	must(cipher != NULL && ctx != NULL, name);
	must(EVP_CipherInit_ex2(ctx, cipher, key, iv, encrypt, NULL) == 1, name);
	must(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1, name);
	must(EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 && n == (int)len, name);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

/* CTR: the keystream of counters `first`, first + 1, ... of `width` bytes at the end of
 * `block`, XORed to `in`. */
static void
ctr(const struct oracle_row *row, const uint8_t *key, const uint8_t block[16],
    uint64_t first, int width, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t count = (len + 15) / 16;
	uint8_t *stream = calloc(count + 1, 16);

	must(stream != NULL, "calloc");
	for (size_t i = 0; i < count; i++) {
		memcpy(stream + 16 * i, block, 16);
		put_be(stream + 16 * i + 16 - width, first + i, width);
	}
	blocks(row->cipher, key, NULL, true, stream, count * 16, stream);
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] ^ stream[i];
	free(stream);
}

struct field {
	uint64_t hi, lo; /* the first bit is the highest of hi (SP 800-38D 6.3) */
};

static uint64_t
get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* y = (y ^ block) * h, bit by bit (SP 800-38D algorithm 1). */
static void
ghash_block(struct field *y, struct field h, const uint8_t block[16])
{
	struct field z = {0, 0};
	struct field x = {y->hi ^ get_be64(block), y->lo ^ get_be64(block + 8)};

	for (int i = 0; i < 128; i++) {
		uint64_t bit = i < 64 ? x.hi >> (63 - i) & 1 : x.lo >> (127 - i) & 1;
		uint64_t carry = h.lo & 1;
		if (bit) {
			z.hi ^= h.hi;
			z.lo ^= h.lo;
		}
		h.lo = h.lo >> 1 | h.hi << 63;
		h.hi = h.hi >> 1 ^ (carry ? 0xe1ull << 56 : 0);
	}
	*y = z;
}

static void
ghash_padded(struct field *y, struct field h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 16) {
		uint8_t block[16] = {0};
		memcpy(block, p + i, len - i < 16 ? len - i : 16);
		ghash_block(y, h, block);
	}
}

static void
gcm(const struct oracle_row *row, const uint8_t *key, const uint8_t nonce[12],
    const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, bool encrypt,
    uint8_t *out, uint8_t tag[16])
{
	uint8_t block[16] = {0};
	uint8_t *ct = malloc(len + 1);
	struct field h, y = {0, 0};

	must(ct != NULL, "malloc");
	blocks(row->cipher, key, NULL, true, block, 16, block);
	h = (struct field){get_be64(block), get_be64(block + 8)};
	memset(block, 0, 16);
	memcpy(block, nonce, 12);
	if (!encrypt)
		memcpy(ct, in, len);
	ctr(row, key, block, 2, 4, in, len, out);
	if (encrypt)
		memcpy(ct, out, len);
	ghash_padded(&y, h, aad, aad_len);
	ghash_padded(&y, h, ct, len);
	put_be(tag, aad_len * 8, 8);
	put_be(tag + 8, len * 8, 8);
	ghash_block(&y, h, tag);
	put_be(tag, y.hi, 8);
	put_be(tag + 8, y.lo, 8);
	ctr(row, key, block, 1, 4, tag, 16, tag);
	free(ct);
}

static void
cbc_mac(const struct oracle_row *row, const uint8_t *key, const uint8_t *text, size_t len,
	uint8_t tag[16])
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->cipher, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	must(cipher != NULL && ctx != NULL, row->cipher);
	must(EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1, row->cipher);
	memset(tag, 0, 16);
	for (size_t i = 0; i < len; i += 16) {
		for (size_t k = 0; k < 16; k++)
			tag[k] ^= text[i + k];
		must(EVP_EncryptUpdate(ctx, tag, &n, tag, 16) == 1 && n == 16, "block");
	}
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

/* RFC 3610 with L = 3, M = 16. */
static void
ccm(const struct oracle_row *row, const uint8_t *key, const uint8_t nonce[12],
    const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, bool encrypt,
    uint8_t *out, uint8_t tag[16])
{
	size_t aad_blocks = (2 + aad_len + 15) / 16;
	size_t total = 16 * (1 + aad_blocks + (len + 15) / 16);
	uint8_t *mac = calloc(1, total);
	uint8_t block[16] = {2}; /* L - 1 */

	must(mac != NULL, "calloc");
	memcpy(block + 1, nonce, 12);
	ctr(row, key, block, 1, 3, in, len, out);
	mac[0] = 0x40 | (16 - 2) / 2 << 3 | 2;
	memcpy(mac + 1, nonce, 12);
	put_be(mac + 13, len, 3);
	put_be(mac + 16, aad_len, 2);
	memcpy(mac + 18, aad, aad_len);
	memcpy(mac + 16 * (1 + aad_blocks), encrypt ? in : out, len);
	cbc_mac(row, key, mac, total, tag);
	ctr(row, key, block, 0, 3, tag, 16, tag);
	free(mac);
}

/* OpenSSL's own. False when it finds the tag wrong. */
static bool
chacha(const struct oracle_row *row, const uint8_t *key, const uint8_t nonce[12],
       const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, bool encrypt,
       uint8_t *out, uint8_t tag[16])
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->cipher, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t none[16];
	int n = 0;
	bool good;

	must(cipher != NULL && ctx != NULL, row->cipher);
	must(EVP_CipherInit_ex2(ctx, cipher, key, nonce, encrypt, NULL) == 1, "init");
	if (!encrypt)
		must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1,
		     "tag");
	must(EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1, "aad");
	if (len > 0)
		must(EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1, "update");
	good = EVP_CipherFinal_ex(ctx, none, &n) == 1;
	if (encrypt)
		must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1,
		     "tag");
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return good;
}

bool
oracle_aead(const struct oracle_row *row, const uint8_t *key, const uint8_t nonce[12],
	    const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len,
	    bool encrypt, uint8_t *out, uint8_t tag[16])
{
	uint8_t made[16];

	if (row->mode == ORACLE_CHACHA)
		return chacha(row, key, nonce, aad, aad_len, in, len, encrypt, out, tag);
	if (row->mode == ORACLE_GCM)
		gcm(row, key, nonce, aad, aad_len, in, len, encrypt, out, made);
	else
		ccm(row, key, nonce, aad, aad_len, in, len, encrypt, out, made);
	if (!encrypt)
		return memcmp(made, tag, 16) == 0;
	memcpy(tag, made, 16);
	return true;
}

/* Header with this length field; TLS 1.3 is 3,3 on the wire. */
static void
header(const struct oracle *o, uint8_t type, size_t len, uint8_t p[5])
{
	static const uint8_t wire_minor[] = {0, 1, 2, 3, 3};

	p[0] = type;
	p[1] = 3;
	p[2] = wire_minor[o->row->minor];
	put_be(p + 3, len, 2);
}

/* The AEAD's nonce and AAD for `len` bytes of plaintext; returns the AAD's length. */
static size_t
nonce_and_aad(const struct oracle *o, uint64_t seq, uint8_t type,
	      const uint8_t explicit_nonce[8], size_t len, uint8_t nonce[12],
	      uint8_t aad[13])
{
	uint8_t counter[12] = {0};

	memcpy(nonce, o->iv, 12);
	if (o->row->hlen == 13) {
		memcpy(nonce + 4, explicit_nonce, 8);
	} else {
		put_be(counter + 4, seq, 8);
		for (int i = 0; i < 12; i++)
			nonce[i] ^= counter[i];
	}
	if (o->row->minor == 4) {
		header(o, 23, len + 16, aad);
		return 5;
	}
	put_be(aad, seq, 8);
	header(o, type, len, aad + 8);
	return 13;
}

static size_t
build_aead(const struct oracle *o, const struct oracle_record *r, uint8_t *out)
{
	int explicit_len = o->row->hlen - 5;
	size_t len = r->len;
	uint8_t *inner = calloc(1, r->len + 1 + r->padding);
	uint8_t nonce[12], aad[13], tag[16];
	uint8_t outer = r->type;
	size_t aad_len;

	must(inner != NULL, "calloc");
	if (r->len > 0)
		memcpy(inner, r->payload, r->len);
	if (o->row->minor == 4) {
		if (!r->no_type)
			inner[len++] = r->type;
		len += r->padding;
		outer = r->outer_type != 0 ? r->outer_type : 23;
	}
	aad_len = nonce_and_aad(o, r->seq, r->type, r->explicit_iv, len, nonce, aad);
	header(o, outer, (size_t)explicit_len + len + 16, out);
	memcpy(out + 5, r->explicit_iv, (size_t)explicit_len);
	out += o->row->hlen;
	oracle_aead(o->row, o->key, nonce, aad, aad_len, inner, len, true, out, tag);
	memcpy(out + len, tag, 16);
	free(inner);
	return (size_t)o->row->hlen + len + 16;
}

static void
mac(const struct oracle *o, uint64_t seq, uint8_t type, const uint8_t *payload,
    size_t len, uint8_t *out)
{
	uint8_t *text = malloc(13 + len);
	unsigned n = 0;

	must(text != NULL, "malloc");
	put_be(text, seq, 8);
	header(o, type, len, text + 8);
	if (len > 0)
		memcpy(text + 13, payload, len);
	must(HMAC(EVP_get_digestbyname(o->row->digest), o->mac_key, (int)o->mac_key_len,
		  text, 13 + len, out, &n) != NULL &&
		     (int)n == o->row->mac_len,
	     "hmac");
	free(text);
}

static size_t
build_cbc(const struct oracle *o, const struct oracle_record *r, uint8_t *out)
{
	size_t explicit_len = (size_t)o->row->hlen - 5;
	size_t mac_len = (size_t)o->row->mac_len;
	size_t unpadded = r->len + mac_len;
	size_t padding = 16 - unpadded % 16 + r->padding;
	size_t len = unpadded + padding;
	uint8_t *text = malloc(len);

	must(text != NULL && padding <= 256, "cbc");
	if (r->len > 0)
		memcpy(text, r->payload, r->len);
	mac(o, r->seq, r->type, r->payload, r->len, text + r->len);
	if (r->bad_mac)
		text[r->len + mac_len / 2] ^= 1;
	memset(text + unpadded, (int)(padding - 1), padding);
	if (r->bad_padding != 0)
		text[len - r->bad_padding] ^= 1;
	header(o, r->type, explicit_len + len, out);
	memcpy(out + 5, r->explicit_iv, explicit_len);
	blocks(o->row->cipher, o->key, explicit_len ? r->explicit_iv : o->iv, true, text,
	       len, out + o->row->hlen);
	free(text);
	return (size_t)o->row->hlen + len;
}

size_t
oracle_build(const struct oracle *o, const struct oracle_record *r, uint8_t *out)
{
	return o->row->mode == ORACLE_CBC ? build_cbc(o, r, out) : build_aead(o, r, out);
}

static ssize_t
open_aead(const struct oracle *o, uint64_t seq, const uint8_t *wire, size_t len,
	  struct oracle_opened *opened)
{
	size_t text_len = len - (size_t)o->row->hlen - 16;
	uint8_t nonce[12], aad[13], tag[16];
	size_t aad_len;

	if (len < (size_t)o->row->hlen + 16)
		return -1;
	aad_len = nonce_and_aad(o, seq, wire[0], wire + 5, text_len, nonce, aad);
	memcpy(tag, wire + len - 16, 16);
	if (!oracle_aead(o->row, o->key, nonce, aad, aad_len, wire + o->row->hlen,
			 text_len, false, opened->payload, tag))
		return -1;
	opened->type = wire[0];
	opened->padding = 0;
	if (o->row->minor != 4)
		return (ssize_t)text_len;
	if (wire[0] != 23)
		return -1;
	for (; text_len > 0; text_len--, opened->padding++) {
		opened->type = opened->payload[text_len - 1];
		if (opened->type != 0)
			return (ssize_t)text_len - 1;
	}
	return -1;
}

static ssize_t
open_cbc(const struct oracle *o, uint64_t seq, const uint8_t *wire, size_t len,
	 struct oracle_opened *opened)
{
	bool explicit_iv = o->row->hlen == 21;
	size_t text_len = len - (size_t)o->row->hlen;
	size_t mac_len = (size_t)o->row->mac_len;
	uint8_t *text = opened->payload;
	uint8_t wanted[64];
	size_t payload_len;

	if (len < (size_t)o->row->hlen + mac_len + 1 || text_len % 16 != 0)
		return -1;
	blocks(o->row->cipher, o->key, explicit_iv ? wire + 5 : o->iv, false,
	       wire + o->row->hlen, text_len, text);
	opened->padding = text[text_len - 1] + 1u;
	if (opened->padding + mac_len > text_len)
		return -1;
	for (size_t i = 1; i <= opened->padding; i++)
		if (text[text_len - i] != opened->padding - 1)
			return -1;
	payload_len = text_len - mac_len - opened->padding;
	mac(o, seq, wire[0], text, payload_len, wanted);
	if (memcmp(wanted, text + payload_len, mac_len) != 0)
		return -1;
	opened->type = wire[0];
	return (ssize_t)payload_len;
}

ssize_t
oracle_open(const struct oracle *o, uint64_t seq, const uint8_t *wire, size_t len,
	    struct oracle_opened *opened)
{
	uint8_t expected[5];

	if (len < 5)
		return -1;
	header(o, wire[0], len - 5, expected);
	if (memcmp(wire, expected, 5) != 0)
		return -1;
	return o->row->mode == ORACLE_CBC ? open_cbc(o, seq, wire, len, opened)
					  : open_aead(o, seq, wire, len, opened);
}
