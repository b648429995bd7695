/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suites.c: the suites under the names that FreeBSD's tests give them.
 */
#include "conformance.h"

#include <stddef.h>
#include <string.h>

#define ROW(name, groups, row, row_minor, minor)                \
	{                                                       \
		name, (unsigned)(groups), row, row_minor, minor \
	}

const struct suite suites[] = {
	ROW("aes128_cbc_1_0_sha1", G_CBC10, "AES-128-CBC-SHA1", 1, 1),
	ROW("aes256_cbc_1_0_sha1", G_CBC10, "AES-256-CBC-SHA1", 1, 1),
	ROW("aes128_cbc_1_1_sha1", G_CBC | G_FEW, "AES-128-CBC-SHA1", 2, 2),
	ROW("aes256_cbc_1_1_sha1", G_CBC, "AES-256-CBC-SHA1", 2, 2),
	ROW("aes128_cbc_1_2_sha1", G_CBC, "AES-128-CBC-SHA1", 3, 3),
	ROW("aes256_cbc_1_2_sha1", G_CBC, "AES-256-CBC-SHA1", 3, 3),
	ROW("aes128_cbc_1_2_sha256", G_CBC, "AES-128-CBC-SHA256", 3, 3),
	ROW("aes256_cbc_1_2_sha256", G_CBC, "AES-256-CBC-SHA256", 3, 3),
	ROW("aes128_cbc_1_2_sha384", G_CBC, "AES-128-CBC-SHA384", 3, 3),
	ROW("aes256_cbc_1_2_sha384", G_CBC | G_FEW, "AES-256-CBC-SHA384", 3, 3),
	ROW("aes128_gcm_1_2", G_GCM12 | G_FEW, "AES-128-GCM", 3, 3),
	ROW("aes256_gcm_1_2", G_GCM12, "AES-256-GCM", 3, 3),
	ROW("aes128_gcm_1_3", G_GCM13, "AES-128-GCM", 4, 4),
	ROW("aes256_gcm_1_3", G_GCM13 | G_FEW | G_ONE, "AES-256-GCM", 4, 4),
	ROW("chacha20_poly1305_1_2", G_CC12 | G_FEW, "CHACHA20-POLY1305", 3, 3),
	ROW("chacha20_poly1305_1_3", G_CC13, "CHACHA20-POLY1305", 4, 4),
	ROW("aes128_cbc_1_0_sha256", G_INVALID, "AES-128-CBC-SHA256", 3, 1),
	ROW("aes128_cbc_1_0_sha384", G_INVALID, "AES-128-CBC-SHA384", 3, 1),
	ROW("aes128_gcm_1_0", G_INVALID, "AES-128-GCM", 3, 1),
	ROW("chacha20_poly1305_1_0", G_INVALID, "CHACHA20-POLY1305", 3, 1),
	ROW("aes128_cbc_1_1_sha256", G_INVALID, "AES-128-CBC-SHA256", 3, 2),
	ROW("aes128_cbc_1_1_sha384", G_INVALID, "AES-128-CBC-SHA384", 3, 2),
	ROW("aes128_gcm_1_1", G_INVALID, "AES-128-GCM", 3, 2),
	ROW("chacha20_poly1305_1_1", G_INVALID, "CHACHA20-POLY1305", 3, 2),
	ROW("aes128_cbc_1_3_sha1", G_INVALID, "AES-128-CBC-SHA1", 3, 4),
	ROW("aes128_cbc_1_3_sha256", G_INVALID, "AES-128-CBC-SHA256", 3, 4),
	ROW("aes128_cbc_1_3_sha384", G_INVALID, "AES-128-CBC-SHA384", 3, 4),
};
const int suite_count = sizeof(suites) / sizeof(suites[0]);

const struct suite *
suite_named(const char *name)
{
	for (int i = 0; i < suite_count; i++)
		if (strcmp(suites[i].name, name) == 0)
			return &suites[i];
	return NULL;
}
