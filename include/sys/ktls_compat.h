/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <sys/ktls_compat.h>: FreeBSD's kernel TLS interface, ktls(4), for Linux programs.
 *
 * Include it where a FreeBSD program includes <sys/ktls.h>, <netinet/tcp.h> (for the
 * option names) and <crypto/cryptodev.h> (for the algorithm names), and link with
 * -lktls. Names, values and layouts are FreeBSD's, so source written for FreeBSD
 * compiles as it is. It may be mixed with <netinet/tcp.h>, <linux/tcp.h> and
 * <linux/tls.h> in any order; the socket calls and IPPROTO_TCP need <sys/socket.h> and
 * <netinet/in.h> as always.
 *
 * The program does the TLS handshake; then it hands over keys per direction and uses
 * the socket calls it knows. All socket calls take and give plaintext from then on:
 *
 *	struct tls_enable en = {
 *		.cipher_key = key, .cipher_key_len = 16,
 *		.iv = iv, .iv_len = TLS_1_3_GCM_IV_LEN,
 *		.cipher_algorithm = CRYPTO_AES_NIST_GCM_16,
 *		.tls_vmajor = TLS_MAJOR_VER_ONE, .tls_vminor = TLS_MINOR_VER_THREE,
 *	};
 *	setsockopt(fd, IPPROTO_TCP, TCP_TXTLS_ENABLE, &en, sizeof(en));
 *
 * State belongs to the socket, not to the descriptor: dup(2) and fork(2) share it.
 * Not yet exec and SCM_RIGHTS: mark TLS sockets close-on-exec. accept(2) never yields a
 * TLS socket. Keys are copied during setsockopt(2) and wiped when the socket is closed
 * for the last time.
 *
 * Rules come from FreeBSD's ktls(4) and its kernel; where a record's shape is meant,
 * from RFC 5246 (TLS 1.2), RFC 5288 (GCM), RFC 7905 (ChaCha20-Poly1305) and RFC 8446
 * (TLS 1.3). errno names are given, not numbers: those differ between the systems.
 */
#ifndef SYS_KTLS_COMPAT_H
#define SYS_KTLS_COMPAT_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off: tables read better in columns than in 90-column paragraphs. */

/*
 * ---- Socket options, level IPPROTO_TCP --------------------------------------------
 *
 *	option			setsockopt(2)		getsockopt(2)
 *	TCP_TXTLS_ENABLE	struct tls_enable	ENOPROTOOPT
 *	TCP_TXTLS_MODE		unsigned int		int
 *	TCP_RXTLS_ENABLE	struct tls_enable	ENOPROTOOPT
 *	TCP_RXTLS_MODE		ENOPROTOOPT		int
 *
 * TCP_TXTLS_ENABLE, TCP_RXTLS_ENABLE: keys for sending, for receiving. Each direction
 * by itself, once; there is no rekey. The socket may be unconnected. On failure the
 * socket stays as it was. Everything sent after TX is enabled is framed in records;
 * all bytes not yet read when RX is enabled count as records, beginning with a record
 * header of sequence number rec_seq. optlen 56 means struct tls_enable_v0; above 64
 * the surplus is not looked at. Errors, in the order they are looked for:
 *
 *	ECONNRESET	the connection is gone
 *	EFAULT		optval, or one of the three pointers, cannot be read
 *	EINVAL		optlen below 64 and not 56; cipher_key_len not in 1..1024;
 *			iv_len not in 0..16; auth_key_len not in 0..1024
 *	EOPNOTSUPP	kern.ipc.tls.enable is 0; RX: kern.ipc.tls.rx_enable is 0
 *	EALREADY	this direction has its keys already, the same or others
 *	EOPNOTSUPP	AES-CBC, and kern.ipc.tls.cbc_enable is 0
 *	ENXIO		TX: kern.ipc.mb_use_ext_pgs is 0
 *	EINVAL		tls_vmajor not 3; tls_vminor not in 1..4; flags not 0; cipher,
 *			version, authentication and lengths are no row of the table below
 *	EPROTONOSUPPORT	RX of TLS 1.0 AES-CBC
 *	ENOMEM		no memory for the session
 *	ENOTCONN	a listening socket (RX: EINVAL, which FreeBSD's tests expect)
 *
 * and from any setsockopt(2): EBADF, ENOTSOCK; on a socket that is not TCP, EINVAL or
 * whatever the kernel says for that level.
 *
 *   cipher_algorithm         key     auth_algorithm auth_key iv_len     versions
 *   CRYPTO_AES_CBC           16, 32  SHA1_HMAC      1..1024  16         1.0, TX only
 *   CRYPTO_AES_CBC           16, 32  SHA1_HMAC      1..1024  0..16 (*)  1.1, 1.2
 *   CRYPTO_AES_CBC           16, 32  SHA2_256_HMAC  1..1024  0..16 (*)  1.2
 *   CRYPTO_AES_CBC           16, 32  SHA2_384_HMAC  1..1024  0..16 (*)  1.2
 *   CRYPTO_AES_NIST_GCM_16   16, 32  0 (+)          0        4          1.2
 *   CRYPTO_AES_NIST_GCM_16   16, 32  0 (+)          0        12         1.3
 *   CRYPTO_CHACHA20_POLY1305 32      0              0        12         1.2, 1.3
 *
 *   (*) read, then ignored: each record has a random IV of its own (RFC 5246 6.2.3.2).
 *   (+) or one of CRYPTO_AES_*_NIST_GMAC, as programs for FreeBSD 12 pass it.
 *
 * TCP_TXTLS_MODE, TCP_RXTLS_MODE: where the work is done, TCP_TLS_MODE_*. Reading it
 * gives TCP_TLS_MODE_NONE when that direction has no keys. Errors: ECONNRESET, the
 * connection is gone; EINVAL, a listening socket. Setting TX moves a session between
 * TCP_TLS_MODE_SW and TCP_TLS_MODE_IFNET, and does nothing when there is none. Errors,
 * besides those two:
 *
 *	EINVAL		optlen below 4; the value is not SW or IFNET
 *	EALREADY	IFNET, and the network card does it already
 *	ENXIO		IFNET, and the connection has no route, or was taken off the card
 *	EOPNOTSUPP	IFNET, and the card or its driver cannot
 *
 * listen(2) on a socket with keys in a direction: EINVAL.
 *
 * The same numbers on Linux: since 6.7 Linux has TCP_AO_DEL_KEY 39, TCP_AO_INFO 40,
 * TCP_AO_GET_KEYS 41 and TCP_AO_REPAIR 42 (RFC 5925) at the same level. The names
 * differ, so headers do not clash; calls are told apart by length and by socket. The
 * structures of TCP-AO have 144 (39), 48 (40), 304 (41) and 16 (42) bytes, TLS has
 * 56 or 64, and 4. A call whose optlen is TCP-AO's, on a socket without keys
 * for TLS, goes to the kernel; any other is for TLS.
 */
#define TCP_TXTLS_ENABLE 39
#define TCP_TXTLS_MODE   40
#define TCP_RXTLS_ENABLE 41
#define TCP_RXTLS_MODE   42

#define TCP_TLS_MODE_NONE  0 /* no TLS in this direction */
#define TCP_TLS_MODE_SW    1 /* the CPU: this library, or the Linux kernel */
#define TCP_TLS_MODE_IFNET 2 /* the network card, on an ordinary TCP connection */
#define TCP_TLS_MODE_TOE   3 /* a card with a TCP stack of its own; never on Linux */

/*
 * ---- Sending ----------------------------------------------------------------------
 *
 * write, writev, send, sendto, sendmsg, sendmmsg and sendfile on a socket with TX keys
 * send records of type TLS_RLTYPE_APP. Counts are bytes of plaintext. Each call begins
 * a new record; each record has at most kern.ipc.tls.maxlen bytes, 16384 by default.
 *
 * TLS_SET_RECORD_TYPE: sendmsg(2) control message, level IPPROTO_TCP, one byte: the
 * content type for this call alone, any of the 256 values (RFC 8446 5.1). It must be the
 * first control message; msg_controllen CMSG_LEN(1) and CMSG_SPACE(1) are both fine.
 * It makes the call atomic: all bytes or none. More than maxlen bytes become several
 * records of that type. TLS does not close by itself: a close_notify alert (RFC 8446
 * 6.1) is the program's to send, as two bytes of type TLS_RLTYPE_ALERT.
 *
 *	EINVAL		no bytes at all (but TLS 1.0 AES-CBC sends an empty record and
 *			returns 0); MSG_EOR; a control message shorter than its header or
 *			not TLS_SET_RECORD_TYPE; TLS_SET_RECORD_TYPE without TX keys
 *	EMSGSIZE	TLS_SET_RECORD_TYPE, and more bytes than SO_SNDBUF
 *	EAGAIN		nonblocking, and no room; with TLS_SET_RECORD_TYPE: not for all
 *	EPIPE		shut down or gone, with SIGPIPE unless MSG_NOSIGNAL
 *	EBADMSG, EMSGSIZE, EINVAL  an error of the receiving side (see there) that nobody
 *			has taken yet; once
 *	ENOTCONN, EFAULT, ENOBUFS...  as send(2)
 *
 * ---- Receiving --------------------------------------------------------------------
 *
 * read, readv, recv, recvfrom, recvmsg and recvmmsg on a socket with RX keys give the
 * content of records, never of two records in one call, MSG_WAITALL or not.
 *
 * TLS_GET_RECORD: recvmsg(2) control message, level IPPROTO_TCP, struct tls_get_record:
 * header of the record, given once, with its first bytes. The control buffer must have
 * CMSG_SPACE(sizeof(struct tls_get_record)) bytes, 24, for the message to be stored; in a
 * smaller one MSG_CTRUNC is set and the header is lost, the data is not.
 *
 * MSG_EOR is set in msg_flags when the last byte of a record was given. A buffer that is
 * too small takes the beginning (no MSG_TRUNC, nothing is lost); the next calls give the
 * rest, without control message. An empty record gives 0, the control message and no
 * MSG_EOR: only recvmsg(2) with control buffer can tell it from the end of the stream,
 * and only it tells alerts and handshake messages from data: recv and read do not.
 * MSG_PEEK gives header and data and takes nothing.
 *
 *	EAGAIN		nonblocking, and no whole record is there
 *	EBADMSG		the record does not authenticate, has bad padding or, in TLS 1.3,
 *			no type (RFC 8446 5.4). It is skipped, the connection stays
 *	EMSGSIZE	too short for its tag or MAC, or CBC with a broken block: likewise
 *			skipped. Or the stream ended inside a record
 *	EMSGSIZE	the length field is beyond the limits: the connection is reset
 *	EINVAL		the version is not that of the session; in TLS 1.3 the type is not
 *			23 (a late ChangeCipherSpec too): the connection is reset
 *	ECONNRESET, ENOTCONN, EFAULT...  as recv(2)
 *
 * Records before the bad one are delivered first. An error is reported once: by a
 * receive, a send or SO_ERROR, whichever comes first. After a reset receiving gives 0.
 *
 * The socket is readable to poll, select and epoll when a whole record, an error or the
 * end of the stream is there, whatever SO_RCVLOWAT says.
 */
#define TLS_SET_RECORD_TYPE 1
#define TLS_GET_RECORD      2

/*
 * ---- Algorithms -------------------------------------------------------------------
 *
 * FreeBSD's <crypto/cryptodev.h>, as far as ktls(4) takes them; crypto(9).
 */
#define CRYPTO_SHA1_HMAC         7  /* RFC 2104, 20 bytes: auth_algorithm */
#define CRYPTO_AES_CBC           11 /* RFC 5246 6.2.3.2: cipher_algorithm */
#define CRYPTO_SHA2_256_HMAC     18 /* 32 bytes: auth_algorithm */
#define CRYPTO_SHA2_384_HMAC     19 /* 48 bytes: auth_algorithm */
#define CRYPTO_SHA2_512_HMAC     20 /* no TLS suite has it: EINVAL */
#define CRYPTO_AES_NIST_GCM_16   25 /* RFC 5288, RFC 8446 B.4: cipher_algorithm */
#define CRYPTO_AES_128_NIST_GMAC 26 /* auth_algorithm with GCM, tolerated */
#define CRYPTO_AES_192_NIST_GMAC 27 /* likewise */
#define CRYPTO_AES_256_NIST_GMAC 28 /* likewise */
#define CRYPTO_CHACHA20_POLY1305 41 /* RFC 7905, RFC 8446 B.4: cipher_algorithm */

/* Versions: TLS 1.x is 3.(x + 1) on the wire and in tls_enable (RFC 8446 4.2.1). */
#define TLS_MAJOR_VER_ONE   3
#define TLS_MINOR_VER_ZERO  1 /* TLS 1.0 */
#define TLS_MINOR_VER_ONE   2 /* TLS 1.1 */
#define TLS_MINOR_VER_TWO   3 /* TLS 1.2 */
#define TLS_MINOR_VER_THREE 4 /* TLS 1.3; on the wire it says 3 (RFC 8446 5.1) */

/* Content types (RFC 8446 B.1). */
#define TLS_RLTYPE_ALERT     21
#define TLS_RLTYPE_HANDSHAKE 22
#define TLS_RLTYPE_APP       23

/* Limits and lengths, in bytes. */
#define TLS_MAX_MSG_SIZE_V10_2  16384 /* content of a record (RFC 8446 5.1) */
#define TLS_MAX_PARAM_SIZE      1024  /* cipher_key_len, auth_key_len */
#define TLS_AEAD_GCM_LEN        4     /* iv_len of TLS 1.2 GCM: the salt (RFC 5288 3) */
#define TLS_1_3_GCM_IV_LEN      12    /* iv_len of TLS 1.3 GCM (RFC 8446 5.3) */
#define TLS_CHACHA20_IV_LEN     12    /* iv_len of ChaCha20-Poly1305 (RFC 7905 2) */
#define TLS_CBC_IMPLICIT_IV_LEN 16    /* iv_len of TLS 1.0 CBC (RFC 2246 6.2.3.2) */

/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Keys of one direction: TCP_TXTLS_ENABLE, TCP_RXTLS_ENABLE. Lengths are in bytes. The
 * pointers stay the caller's and are read during the call only; one whose length is 0
 * is not read. Wipe the buffers after the call.
 */
struct tls_enable {
	const uint8_t *cipher_key; /* RFC 5246 6.3; RFC 8446 7.3, "key" */
	const uint8_t *iv;         /* salt, nonce or first IV; RFC 8446 7.3, "iv" */
	const uint8_t *auth_key;   /* MAC key, CBC only */
	int cipher_algorithm;      /* CRYPTO_AES_CBC... */
	int cipher_key_len;
	int iv_len;
	int auth_algorithm; /* CRYPTO_SHA1_HMAC...; 0 for AEAD */
	int auth_key_len;   /* 0 for AEAD */
	int flags;          /* 0 */
	uint8_t tls_vmajor; /* TLS_MAJOR_VER_ONE */
	uint8_t tls_vminor; /* TLS_MINOR_VER_* */
	uint8_t rec_seq[8]; /* sequence number of the next record, big-endian */
};

/* The same before FreeBSD 13.0, known by its size; rec_seq is 0 then. */
struct tls_enable_v0 {
	const uint8_t *cipher_key;
	const uint8_t *iv;
	const uint8_t *auth_key;
	int cipher_algorithm;
	int cipher_key_len;
	int iv_len;
	int auth_algorithm;
	int auth_key_len;
	int flags;
	uint8_t tls_vmajor;
	uint8_t tls_vminor;
};

/* Payload of the TLS_GET_RECORD control message; its one padding byte is 0. */
struct tls_get_record {
	uint8_t tls_type;    /* content type; in TLS 1.3 the inner, real one */
	uint8_t tls_vmajor;  /* 3 */
	uint8_t tls_vminor;  /* as on the wire: 2 or 3, and 3 for TLS 1.3 */
	uint16_t tls_length; /* of the whole record's content, big-endian: ntohs() it */
};

/*
 * What goes over the wire and into authentication; all numbers are big-endian. The
 * library does this work: programs that check or build records need them.
 */

/* Record header (RFC 8446 5.1); the tls_length bytes of the record follow it. */
struct tls_record_layer {
	uint8_t tls_type;
	uint8_t tls_vmajor;
	uint8_t tls_vminor;
	uint16_t tls_length;
#ifndef __cplusplus /* which has no flexible array members */
	uint8_t tls_data[];
#endif
} __attribute__((__packed__));

/* Nonce of TLS 1.2 GCM: salt and explicit nonce (RFC 5288 3). */
struct tls_nonce_data {
	uint8_t fixed[TLS_AEAD_GCM_LEN];
	uint64_t seq;
} __attribute__((__packed__));

/* Additional data of TLS 1.2 AEAD; tls_length is that of the content (RFC 5246 6.2.3.3).
 */
struct tls_aead_data {
	uint64_t seq;
	uint8_t type;
	uint8_t tls_vmajor;
	uint8_t tls_vminor;
	uint16_t tls_length;
} __attribute__((__packed__));

/* Additional data of TLS 1.3: the record header (RFC 8446 5.2). */
struct tls_aead_data_13 {
	uint8_t type;
	uint8_t tls_vmajor;
	uint8_t tls_vminor;
	uint16_t tls_length;
} __attribute__((__packed__));

/* What the MAC covers before the content (RFC 5246 6.2.3.1). */
struct tls_mac_data {
	uint64_t seq;
	uint8_t type;
	uint8_t tls_vmajor;
	uint8_t tls_vminor;
	uint16_t tls_length;
} __attribute__((__packed__));

/*
 * FreeBSD's sysctlbyname(3) for the names kern.ipc.tls.* and kern.ipc.mb_use_ext_pgs;
 * `man ktls` lists them. oldp (NULL: do not read) has *oldlenp bytes, *oldlenp becomes
 * the value's size; newp (NULL: do not write) is a value of newlen bytes, which takes
 * effect in this process. Returns 0, or -1 with errno:
 *
 *	ENOENT	no such name
 *	ENOMEM	*oldlenp is smaller than the value
 *	EPERM	newp, and the value is read-only
 *	EINVAL	newlen is not the value's size, or the value is not allowed
 *	EFAULT	a pointer that must not be NULL is
 */
int sysctlbyname(const char *name, void *oldp, size_t *oldlenp, const void *newp,
		 size_t newlen);

#ifdef __cplusplus
}
#endif

/* The binary interface, checked by every compiler that sees this file. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define KTLS_ASSERT_(condition, text) static_assert(condition, text)
#elif !defined(__cplusplus)
#define KTLS_ASSERT_(condition, text) __extension__ _Static_assert(condition, text)
#endif

#ifdef KTLS_ASSERT_
#define KTLS_AT_(type, member, offset) \
	KTLS_ASSERT_(offsetof(struct type, member) == (offset), #type "." #member)
#define KTLS_SIZE_(type, size) \
	KTLS_ASSERT_(sizeof(struct type) == (size), "sizeof " #type)

KTLS_AT_(tls_enable, iv, sizeof(void *));
KTLS_AT_(tls_enable, auth_key, 2 * sizeof(void *));
KTLS_AT_(tls_enable, cipher_algorithm, 3 * sizeof(void *));
KTLS_AT_(tls_enable, cipher_key_len, 3 * sizeof(void *) + 4);
KTLS_AT_(tls_enable, iv_len, 3 * sizeof(void *) + 8);
KTLS_AT_(tls_enable, auth_algorithm, 3 * sizeof(void *) + 12);
KTLS_AT_(tls_enable, auth_key_len, 3 * sizeof(void *) + 16);
KTLS_AT_(tls_enable, flags, 3 * sizeof(void *) + 20);
KTLS_AT_(tls_enable, tls_vmajor, 3 * sizeof(void *) + 24);
KTLS_AT_(tls_enable, tls_vminor, 3 * sizeof(void *) + 25);
KTLS_AT_(tls_enable, rec_seq, 3 * sizeof(void *) + 26);
KTLS_SIZE_(tls_enable, sizeof(void *) == 8 ? 64 : 48);
KTLS_AT_(tls_enable_v0, tls_vminor, 3 * sizeof(void *) + 25);
KTLS_SIZE_(tls_enable_v0, sizeof(void *) == 8 ? 56 : 40);
KTLS_AT_(tls_get_record, tls_length, 4);
KTLS_SIZE_(tls_get_record, 6);
KTLS_AT_(tls_record_layer, tls_length, 3);
KTLS_SIZE_(tls_record_layer, 5);
KTLS_AT_(tls_nonce_data, seq, 4);
KTLS_SIZE_(tls_nonce_data, 12);
KTLS_AT_(tls_aead_data, tls_length, 11);
KTLS_SIZE_(tls_aead_data, 13);
KTLS_SIZE_(tls_aead_data_13, 5);
KTLS_AT_(tls_mac_data, tls_length, 11);
KTLS_SIZE_(tls_mac_data, 13);

#undef KTLS_AT_
#undef KTLS_SIZE_
#undef KTLS_ASSERT_
#endif

#endif
