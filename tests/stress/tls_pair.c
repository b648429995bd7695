/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls_pair.c: the peer's view of a TLS connection, and messages that prove themselves.
 */
#include "tls_pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

enum {
	HEADER = 5,
	NONCE = 8, /* TLS 1.2: explicit part */
	TAG = 16,
	CONTENT_DATA = 23,
	RECORD_LARGEST = HEADER + NONCE + RECORD_PAYLOAD + 1 + TAG,
};

void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

void
deadline(unsigned seconds)
{
	alarm(seconds); /* SIGALRM's default action */
}

uint32_t
random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void
tcp_pair(int *a, int *b)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*a = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || *a < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) < 0 ||
	    connect(*a, (struct sockaddr *)&at, len) < 0)
		die("no TCP connection: %s", strerror(errno));
	*b = accept(listener, NULL, NULL);
	if (*b < 0)
		die("accept: %s", strerror(errno));
	close(listener);
}

static int
enable_direction(int fd, int name, int minor, const struct tls_keys *k)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = minor == TLS12 ? TLS_1_2_VERSION : TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128};

	memcpy(info.key, k->key, sizeof(info.key));
	memcpy(info.salt, k->iv, sizeof(info.salt));
	memcpy(info.iv, k->iv + sizeof(info.salt), sizeof(info.iv));
	return setsockopt(fd, SOL_TLS, name, &info, sizeof(info)) < 0 ? errno : 0;
}

int
pair_enable(const struct tls_pair *p, int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		return errno;
	int r = enable_direction(fd, TLS_TX, p->minor, &p->sent);
	return r != 0 ? r : enable_direction(fd, TLS_RX, p->minor, &p->back);
}

static void
keys_make(struct tls_keys *k, uint32_t *seed)
{
	memset(k, 0, sizeof(*k));
	for (size_t i = 0; i < sizeof(k->key); i++)
		k->key[i] = (uint8_t)random_next(seed);
	for (size_t i = 0; i < sizeof(k->iv); i++)
		k->iv[i] = (uint8_t)random_next(seed);
}

void
pair_open(struct tls_pair *p, int minor, uint32_t seed)
{
	seed = seed * 2654435761u + 1;
	p->minor = minor;
	keys_make(&p->sent, &seed);
	keys_make(&p->back, &seed);
	tcp_pair(&p->fd, &p->peer);
	int r = pair_enable(p, p->fd);
	if (r != 0)
		die("TLS cannot be turned on: %s", strerror(r));
}

/* RFC 5288 section 3 and RFC 8446 section 5.3. `explicit` is the record's own part. */
static void
nonce_make(const struct tls_keys *k, int minor, const uint8_t *explicit, uint8_t *nonce)
{
	memcpy(nonce, k->iv, 12);
	if (minor == TLS12) {
		memcpy(nonce + 4, explicit, NONCE);
		return;
	}
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(k->seq >> (56 - 8 * i));
}

/* RFC 5246 section 6.2.3.3: with the plaintext's length; RFC 8446 section 5.2: the
 * header as it is. The number of bytes. */
static int
aad_make(const struct tls_keys *k, int minor, const uint8_t *header, size_t len,
	 uint8_t *aad)
{
	if (minor == TLS13) {
		memcpy(aad, header, HEADER);
		return HEADER;
	}
	for (int i = 0; i < 8; i++)
		aad[i] = (uint8_t)(k->seq >> (56 - 8 * i));
	memcpy(aad + 8, header, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	return 13;
}

static bool
gcm(const struct tls_keys *k, const uint8_t *nonce, const uint8_t *aad, int aad_len,
    uint8_t *data, size_t len, uint8_t *tag, int seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	bool ok = ctx != NULL &&
		  EVP_CipherInit_ex(ctx, EVP_aes_128_gcm(), NULL, k->key, nonce, seal) &&
		  EVP_CipherUpdate(ctx, NULL, &n, aad, aad_len) &&
		  EVP_CipherUpdate(ctx, data, &n, data, (int)len) &&
		  (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag)) &&
		  EVP_CipherFinal_ex(ctx, data + len, &n) &&
		  (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag));
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* All `n` bytes, or as many as come before the end. */
static size_t
read_all(int fd, uint8_t *to, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, to + have, n - have);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno != ECONNRESET)
			die("peer's read: %s", strerror(errno));
		if (r <= 0)
			break;
		have += (size_t)r;
	}
	return have;
}

/* A nonce that comes twice gives the key away: RFC 5116 section 5.1.1. */
static void
nonce_check(struct tls_keys *k, const uint8_t *explicit)
{
	uint64_t nonce = 0;

	for (int i = 0; i < NONCE; i++)
		nonce = nonce << 8 | explicit[i];
	if (k->seen && nonce - k->nonce - 1 >= UINT64_MAX / 2)
		die("record %llu: explicit nonce %llx after %llx",
		    (unsigned long long)k->seq, (unsigned long long)nonce,
		    (unsigned long long)k->nonce);
	k->nonce = nonce;
	k->seen = true;
}

static size_t
body_open(struct tls_pair *p, uint8_t *wire, size_t len, uint8_t *payload)
{
	struct tls_keys *k = &p->sent;
	const size_t own = p->minor == TLS12 ? NONCE : 0;
	uint8_t nonce[12], aad[13], *data = wire + HEADER + own;
	size_t n = len - own - TAG;

	nonce_make(k, p->minor, wire + HEADER, nonce);
	int aad_len = aad_make(k, p->minor, wire, n, aad);
	if (!gcm(k, nonce, aad, aad_len, data, n, data + n, 0))
		die("record %llu of %zu bytes does not authenticate",
		    (unsigned long long)k->seq, len);
	if (p->minor == TLS12)
		nonce_check(k, wire + HEADER);
	else if (data[--n] != CONTENT_DATA)
		die("record %llu has type %d", (unsigned long long)k->seq, data[n]);
	k->seq++;
	memcpy(payload, data, n);
	return n;
}

ssize_t
pair_take(struct tls_pair *p, uint8_t payload[RECORD_PAYLOAD])
{
	static const uint8_t start[] = {CONTENT_DATA, 3, 3};
	uint8_t wire[RECORD_LARGEST];
	size_t have = read_all(p->peer, wire, HEADER);
	const size_t least = TAG + (p->minor == TLS12 ? NONCE : 1);

	if (memcmp(wire, start, have < sizeof(start) ? have : sizeof(start)) != 0)
		die("record %llu starts with %02x %02x %02x",
		    (unsigned long long)p->sent.seq, wire[0], wire[1], wire[2]);
	if (have < HEADER)
		return have == 0 ? PAIR_CLEAN : PAIR_CUT;
	size_t len = (size_t)wire[3] << 8 | wire[4];
	if (len <= least || len > RECORD_PAYLOAD + least)
		die("record %llu has length %zu", (unsigned long long)p->sent.seq, len);
	if (read_all(p->peer, wire + HEADER, len) < len)
		return PAIR_CUT;
	return (ssize_t)body_open(p, wire, len, payload);
}

bool
pair_give(struct tls_pair *p, const void *payload, size_t n)
{
	struct tls_keys *k = &p->back;
	const size_t own = p->minor == TLS12 ? NONCE : 0;
	size_t inner = n + (p->minor == TLS13), len = own + inner + TAG, done = 0;
	uint8_t wire[RECORD_LARGEST] = {CONTENT_DATA, 3, 3, (uint8_t)(len >> 8),
					(uint8_t)len};
	uint8_t nonce[12], aad[13], *data = wire + HEADER + own;

	for (int i = 0; i < (int)own; i++)
		wire[HEADER + i] = (uint8_t)(k->seq >> (56 - 8 * i));
	memcpy(data, payload, n);
	if (p->minor == TLS13)
		data[n] = CONTENT_DATA;
	nonce_make(k, p->minor, wire + HEADER, nonce);
	int aad_len = aad_make(k, p->minor, wire, inner, aad);
	if (!gcm(k, nonce, aad, aad_len, data, inner, data + inner, 1))
		die("the peer cannot seal");
	k->seq++;
	while (done < HEADER + len) {
		ssize_t r = send(p->peer, wire + done, HEADER + len - done, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return false;
		done += (size_t)r;
	}
	return true;
}

static uint8_t
message_byte(uint32_t sender, uint32_t number, size_t at)
{
	return (uint8_t)(sender * 151 + number * 31 + at * 7 + (at >> 8));
}

void
message_make(uint8_t *m, size_t n, uint32_t sender, uint32_t number)
{
	uint32_t head[3] = {sender, number, (uint32_t)n};

	memcpy(m, head, sizeof(head));
	for (size_t i = sizeof(head); i < n; i++)
		m[i] = message_byte(sender, number, i);
}

size_t
message_check(const uint8_t *m, size_t have, uint32_t *sender, uint32_t *number)
{
	uint32_t head[3];

	if (have < sizeof(head))
		return 0;
	memcpy(head, m, sizeof(head));
	if (head[0] > 255 || head[2] < sizeof(head) || head[2] > RECORD_PAYLOAD)
		die("torn: a message starts with %x %x %x", head[0], head[1], head[2]);
	if (have < head[2])
		return 0;
	for (size_t i = sizeof(head); i < head[2]; i++)
		if (m[i] != message_byte(head[0], head[1], i))
			die("torn: byte %zu of %u of sender %u's message %u", i, head[2],
			    head[0], head[1]);
	*sender = head[0];
	*number = head[1];
	return head[2];
}
