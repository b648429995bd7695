/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_compat.c: the public header has FreeBSD's values and layouts, compared with a
 * table written down here by hand from FreeBSD's headers and not from ours.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <sys/ktls_compat.h>

struct value {
	const char *name;
	long actual, expected;
};

#define VALUE(n, value)                                    \
	{                                                  \
		.name = #n, .actual = n, .expected = value \
	}

static const struct value values[] = {
	VALUE(IPPROTO_TCP, 6),
	VALUE(TCP_TXTLS_ENABLE, 39),
	VALUE(TCP_TXTLS_MODE, 40),
	VALUE(TCP_RXTLS_ENABLE, 41),
	VALUE(TCP_RXTLS_MODE, 42),
	VALUE(TCP_TLS_MODE_NONE, 0),
	VALUE(TCP_TLS_MODE_SW, 1),
	VALUE(TCP_TLS_MODE_IFNET, 2),
	VALUE(TCP_TLS_MODE_TOE, 3),
	VALUE(TLS_SET_RECORD_TYPE, 1),
	VALUE(TLS_GET_RECORD, 2),
	VALUE(CRYPTO_SHA1_HMAC, 7),
	VALUE(CRYPTO_AES_CBC, 11),
	VALUE(CRYPTO_SHA2_256_HMAC, 18),
	VALUE(CRYPTO_SHA2_384_HMAC, 19),
	VALUE(CRYPTO_SHA2_512_HMAC, 20),
	VALUE(CRYPTO_AES_NIST_GCM_16, 25),
	VALUE(CRYPTO_AES_128_NIST_GMAC, 26),
	VALUE(CRYPTO_AES_192_NIST_GMAC, 27),
	VALUE(CRYPTO_AES_256_NIST_GMAC, 28),
	VALUE(CRYPTO_CHACHA20_POLY1305, 41),
	VALUE(TLS_MAJOR_VER_ONE, 3),
	VALUE(TLS_MINOR_VER_ZERO, 1),
	VALUE(TLS_MINOR_VER_ONE, 2),
	VALUE(TLS_MINOR_VER_TWO, 3),
	VALUE(TLS_MINOR_VER_THREE, 4),
	VALUE(TLS_RLTYPE_ALERT, 21),
	VALUE(TLS_RLTYPE_HANDSHAKE, 22),
	VALUE(TLS_RLTYPE_APP, 23),
	VALUE(TLS_MAX_MSG_SIZE_V10_2, 16384),
	VALUE(TLS_MAX_PARAM_SIZE, 1024),
	VALUE(TLS_AEAD_GCM_LEN, 4),
	VALUE(TLS_1_3_GCM_IV_LEN, 12),
	VALUE(TLS_CHACHA20_IV_LEN, 12),
	VALUE(TLS_CBC_IMPLICIT_IV_LEN, 16),
};

Test(compat, values)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		cr_expect_eq(values[i].actual, values[i].expected, "%s is %ld, not %ld",
			     values[i].name, values[i].actual, values[i].expected);
}

struct field {
	const char *name;
	size_t offset, size;
	size_t expected_offset, expected_size;
};

#define FIELD(type, member, at, bytes)                                                \
	{                                                                             \
		.name = #type "." #member, .offset = offsetof(struct type, member),   \
		.size = sizeof(((struct type *)NULL)->member), .expected_offset = at, \
		.expected_size = bytes                                                \
	}
#define WHOLE(type, bytes)                                                         \
	{                                                                          \
		.name = #type, .size = sizeof(struct type), .expected_size = bytes \
	}

/* LP64: that is where the library runs. */
static const struct field fields[] = {
	WHOLE(tls_enable, 64),
	FIELD(tls_enable, cipher_key, 0, 8),
	FIELD(tls_enable, iv, 8, 8),
	FIELD(tls_enable, auth_key, 16, 8),
	FIELD(tls_enable, cipher_algorithm, 24, 4),
	FIELD(tls_enable, cipher_key_len, 28, 4),
	FIELD(tls_enable, iv_len, 32, 4),
	FIELD(tls_enable, auth_algorithm, 36, 4),
	FIELD(tls_enable, auth_key_len, 40, 4),
	FIELD(tls_enable, flags, 44, 4),
	FIELD(tls_enable, tls_vmajor, 48, 1),
	FIELD(tls_enable, tls_vminor, 49, 1),
	FIELD(tls_enable, rec_seq, 50, 8),
	WHOLE(tls_enable_v0, 56),
	FIELD(tls_enable_v0, cipher_key, 0, 8),
	FIELD(tls_enable_v0, iv, 8, 8),
	FIELD(tls_enable_v0, auth_key, 16, 8),
	FIELD(tls_enable_v0, cipher_algorithm, 24, 4),
	FIELD(tls_enable_v0, cipher_key_len, 28, 4),
	FIELD(tls_enable_v0, iv_len, 32, 4),
	FIELD(tls_enable_v0, auth_algorithm, 36, 4),
	FIELD(tls_enable_v0, auth_key_len, 40, 4),
	FIELD(tls_enable_v0, flags, 44, 4),
	FIELD(tls_enable_v0, tls_vmajor, 48, 1),
	FIELD(tls_enable_v0, tls_vminor, 49, 1),
	WHOLE(tls_get_record, 6),
	FIELD(tls_get_record, tls_type, 0, 1),
	FIELD(tls_get_record, tls_vmajor, 1, 1),
	FIELD(tls_get_record, tls_vminor, 2, 1),
	FIELD(tls_get_record, tls_length, 4, 2),
	WHOLE(tls_record_layer, 5),
	FIELD(tls_record_layer, tls_type, 0, 1),
	FIELD(tls_record_layer, tls_vmajor, 1, 1),
	FIELD(tls_record_layer, tls_vminor, 2, 1),
	FIELD(tls_record_layer, tls_length, 3, 2),
	WHOLE(tls_nonce_data, 12),
	FIELD(tls_nonce_data, fixed, 0, 4),
	FIELD(tls_nonce_data, seq, 4, 8),
	WHOLE(tls_aead_data, 13),
	FIELD(tls_aead_data, seq, 0, 8),
	FIELD(tls_aead_data, type, 8, 1),
	FIELD(tls_aead_data, tls_vmajor, 9, 1),
	FIELD(tls_aead_data, tls_vminor, 10, 1),
	FIELD(tls_aead_data, tls_length, 11, 2),
	WHOLE(tls_aead_data_13, 5),
	FIELD(tls_aead_data_13, type, 0, 1),
	FIELD(tls_aead_data_13, tls_vmajor, 1, 1),
	FIELD(tls_aead_data_13, tls_vminor, 2, 1),
	FIELD(tls_aead_data_13, tls_length, 3, 2),
	WHOLE(tls_mac_data, 13),
	FIELD(tls_mac_data, seq, 0, 8),
	FIELD(tls_mac_data, type, 8, 1),
	FIELD(tls_mac_data, tls_vmajor, 9, 1),
	FIELD(tls_mac_data, tls_vminor, 10, 1),
	FIELD(tls_mac_data, tls_length, 11, 2),
};

Test(compat, layouts)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];

		cr_expect_eq(f->offset, f->expected_offset, "%s is at %zu, not %zu",
			     f->name, f->offset, f->expected_offset);
		cr_expect_eq(f->size, f->expected_size, "%s has %zu bytes, not %zu",
			     f->name, f->size, f->expected_size);
	}
	cr_expect_eq(offsetof(struct tls_record_layer, tls_data), 5);
}

/* A program compiled on FreeBSD would hand over these bytes; each field has its own. */
Test(compat, image_of_tls_enable)
{
	uint8_t image[64];
	struct tls_enable en;

	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)i;
	memcpy(&en, image, sizeof(en));
	cr_expect_eq(memcmp(&en.iv, image + 8, 8), 0);
	cr_expect_eq(memcmp(&en.cipher_algorithm, image + 24, 4), 0);
	cr_expect_eq(memcmp(&en.auth_key_len, image + 40, 4), 0);
	cr_expect_eq(en.tls_vmajor, 48);
	cr_expect_eq(en.tls_vminor, 49);
	cr_expect_eq(en.rec_seq[0], 50);
	cr_expect_eq(en.rec_seq[7], 57);
}

/* Lengths are signed, as the checks for negative ones need; the rest is not. */
Test(compat, signedness)
{
	struct tls_enable en = {.cipher_key_len = -1, .iv_len = -1, .auth_key_len = -1};
	struct tls_get_record rec;

	cr_expect_lt(en.cipher_key_len, 0);
	cr_expect_lt(en.iv_len, 0);
	cr_expect_lt(en.auth_key_len, 0);
	memset(&rec, 0xff, sizeof(rec));
	cr_expect_eq(rec.tls_type, 0xff);
	cr_expect_eq(rec.tls_length, 0xffff);
}

/* OpenSSL sends with CMSG_LEN(1) and receives with CMSG_SPACE(6), on both systems. */
Test(compat, control_message_sizes)
{
	cr_expect_eq(CMSG_LEN(1), 17);
	cr_expect_eq(CMSG_SPACE(1), 24);
	cr_expect_eq(CMSG_LEN(sizeof(struct tls_get_record)), 22);
	cr_expect_eq(CMSG_SPACE(sizeof(struct tls_get_record)), 24);
}
