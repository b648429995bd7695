/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.h: a second opinion on TLS records, slow and simple, that shares no code, no
 * table and no header with the library.
 *
 * GCM and CCM are put together here from single blocks of the OpenSSL cipher, so that SM4
 * has them as well.
 */
#ifndef KTLS_TESTS_ORACLE_H
#define KTLS_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum oracle_mode {
	ORACLE_GCM,
	ORACLE_CCM,
	ORACLE_CHACHA,
	ORACLE_CBC,
};

/* One suite in one TLS version: what the kernels' documentation says about it. */
struct oracle_row {
	const char *name;
	enum oracle_mode mode;
	const char *cipher; /* OpenSSL's: the block in ECB, or the whole AEAD */
	const char *digest; /* OpenSSL's, NULL for AEAD */
	int key_len;
	int mac_len;
	int linux_id;     /* 0: not Linux's */
	int freebsd_id;   /* 0: not FreeBSD's */
	int freebsd_auth; /* 0: AEAD */
	int minor;        /* 1..4: TLS 1.0 to 1.3 */
	int iv_len;       /* of the secret iv that comes with the key */
	bool rx;          /* may be received */
	/* Sizes on the wire, in bytes. */
	int hlen;
	int tlen;
	int full;           /* length field with 16384 bytes of payload */
	int largest;        /* largest length field accepted */
	int smallest;       /* smallest that FreeBSD does not call EMSGSIZE */
	int linux_smallest; /* smallest that Linux does not call EBADMSG */
};

extern const struct oracle_row oracle_rows[];
extern const int oracle_row_count;

/* NULL when there is no such row. */
const struct oracle_row *oracle_find(const char *name, int minor);

struct oracle {
	const struct oracle_row *row;
	uint8_t key[32];
	uint8_t iv[16]; /* salt, nonce base or, for TLS 1.0 CBC, this record's IV */
	uint8_t mac_key[1024];
	size_t mac_key_len;
};

struct oracle_record {
	uint64_t seq;
	uint8_t type;
	const uint8_t *payload;
	size_t len;
	uint8_t explicit_iv[16]; /* 8 bytes for GCM and CCM, 16 for CBC */
	/* TLS 1.3: zeros behind the type. CBC: bytes more than the least padding, a
	 * multiple of 16. */
	size_t padding;
	/* Ways to go wrong before encryption. */
	bool no_type;       /* TLS 1.3: leave the type byte out */
	bool bad_mac;       /* CBC */
	size_t bad_padding; /* CBC: which byte from the end, counted from 1; 0 none */
	uint8_t outer_type; /* TLS 1.3: instead of 23; 0 for 23. Not in the AAD. */
};

/* Writes a record to `out`, at most 5 + 16 + len + padding + 64 bytes. Its length. */
size_t oracle_build(const struct oracle *o, const struct oracle_record *r, uint8_t *out);

struct oracle_opened {
	uint8_t type;
	size_t padding; /* TLS 1.3: zeros. CBC: padding bytes with the length byte. */
	uint8_t payload[16384 + 512];
};

/* Opens one whole record. The payload's length, or -1 when anything about it is wrong. */
ssize_t oracle_open(const struct oracle *o, uint64_t seq, const uint8_t *wire, size_t len,
		    struct oracle_opened *opened);

/* The AEADs alone; `out` gets `len` bytes. `tag` is written when encrypting, else
 * compared: false when it is wrong. */
bool oracle_aead(const struct oracle_row *row, const uint8_t *key,
		 const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
		 const uint8_t *in, size_t len, bool encrypt, uint8_t *out,
		 uint8_t tag[16]);

/* Hex without blanks to bytes; the number of bytes. */
size_t oracle_unhex(const char *hex, uint8_t *out);

#endif
