/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h: who carries a direction's records: this library, the kernel, or a NIC.
 *
 * sosend.c and soreceive.c decide what a call means and fill in a request; a backend
 * carries it out. Each direction of a socket has its own.
 */
#ifndef KTLS_BACKEND_H
#define KTLS_BACKEND_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "session.h"

enum {
	CONTENT_CHANGE_CIPHER_SPEC = 20, /* content types, RFC 8446 5.1 */
	CONTENT_ALERT = 21,
	CONTENT_HANDSHAKE = 22,
	CONTENT_DATA = 23,
	HANDSHAKE_KEY_UPDATE = 24, /* RFC 8446 4 */
};

/* The caller's memory, and how far it has been used. */
struct iov_cursor {
	const struct iovec *iov;  /* the current piece */
	size_t count;             /* pieces from here on */
	size_t off;               /* into the current piece */
	size_t left;              /* bytes from here on */
	const struct iovec *seen; /* the piece that has been found to be there, whole */
};

/* Sets up `c`; -EINVAL when the lengths do not fit ssize_t, -EFAULT when the array cannot
 * be read. The memory behind it is looked at when it is used. */
int iov_cursor_init(struct iov_cursor *c, const struct iovec *iov, size_t count);
void iov_cursor_advance(struct iov_cursor *c, size_t n);
/* The longest contiguous piece from here, at most `max` bytes. */
struct iovec iov_cursor_piece(const struct iov_cursor *c, size_t max);

/*
 * Whether the next `n` bytes, all in the current piece, can be read or written. Asks for
 * the whole piece, once; only where that is not there, for the bytes alone.
 */
bool iov_cursor_readable(struct iov_cursor *c, size_t n);
bool iov_cursor_writable(struct iov_cursor *c, size_t n);

/* Copies bytes to it and advances. Bytes copied, fewer than `n` when there is no more
 * room, or -EFAULT when none could be. */
ssize_t iov_cursor_put(struct iov_cursor *to, const uint8_t *bytes, size_t n);

struct tx_request {
	struct iov_cursor from; /* memory, unless `file` >= 0 */
	int file;               /* sendfile(2)'s source or -1 */
	off_t file_off;         /* next byte to read there */
	size_t left;            /* plaintext bytes still to go; less when the file ends */
	uint8_t type;           /* content type */
	bool atomic;            /* a set record type: all of it or nothing */
	bool open;              /* MSG_MORE: keep a last record that is not full */
	bool empty;             /* a record of no bytes is wanted (TLS 1.0 CBC) */
	bool begun;             /* some of it is in the kernel */
	uint32_t owed; /* the tail whose record's last byte is not yet counted, or 0 */
	int flags;     /* of the call: MSG_DONTWAIT, MSG_NOSIGNAL */
};

struct rx_request {
	struct iov_cursor to;
	bool merge;    /* Linux: records of application data run together */
	bool any_type; /* the caller gets to know the content type, or need not (FreeBSD)
			*/
	bool peek;     /* MSG_PEEK */
	bool whole;    /* after a first record, only records that fit whole */
	bool waitall;  /* MSG_WAITALL */
	int flags;     /* of the call: MSG_DONTWAIT */
	/* Results. */
	bool touched;        /* a record gave bytes, or was found empty */
	bool first;          /* FreeBSD: this call is the first to see the record */
	bool end;            /* a record's last byte was delivered */
	uint8_t type;        /* content type, when touched */
	uint8_t wire_minor;  /* minor version in its header */
	uint16_t record_len; /* plaintext bytes of the whole record */
};

struct backend {
	const char *name;
	int mode; /* TCP_TLS_MODE_* */

	/* Bytes of plaintext taken, or -errno. Waits as the socket and flags say. */
	ssize_t (*send)(struct session *so, int fd, struct tx_request *rq);
	/* Bytes delivered; 0 at end of file or for an empty record (rq->touched tells);
	 * or -errno. */
	ssize_t (*receive)(struct session *so, int fd, struct rx_request *rq);
};

extern const struct backend backend_sw;

#endif
