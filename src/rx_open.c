/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_open.c: opens records and delivers their plaintext. Where they come from:
 * rx_queue.c.
 */
#include "rx_open.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "real.h"
#include "rx_look.h"
#include "rx_queue.h"
#include "scratch.h"
#include "stats.h"

static bool
is_linux(const struct tls_socket *sock)
{
	return sock->rules == RULES_LINUX;
}

static bool
is_key_update(uint8_t type, const uint8_t *plain, ssize_t len)
{
	return type == CONTENT_HANDSHAKE && len > 0 && plain[0] == HANDSHAKE_KEY_UPDATE;
}

/* May this call have bytes of a record of that type, after what it has got already? */
static int
type_fits(const struct rx_request *rq, uint8_t type)
{
	if (rq->touched && (!rq->merge || rq->type != type || type != CONTENT_DATA))
		return RX_STOP;
	return rq->any_type || type == CONTENT_DATA ? RX_FOUND : -EIO;
}

/* After `type` gave something: may the call go on to the next record? */
static int
next_step(const struct rx_request *rq)
{
	return rq->merge && rq->type == CONTENT_DATA && rq->to.left > 0 ? RX_FOUND
									: RX_STOP;
}

static void
note_record(struct rx_request *rq, uint8_t type, uint8_t minor, size_t len)
{
	rq->touched = true;
	rq->type = type;
	rq->wire_minor = minor;
	rq->record_len = (uint16_t)len;
}

/* Delivers from RX_PLAIN. Bytes; an rx_outcome or -errno in *why. */
static size_t
deliver_plain(struct tls_socket *sock, int fd, struct rx_request *rq, int *why)
{
	uint32_t left = sock->rx.len - sock->rx.off;

	*why = type_fits(rq, sock->rx.type);
	if (*why != RX_FOUND)
		return 0;
	ssize_t n = iov_cursor_put(&rq->to, sock->rx.buffer + sock->rx.off, left);
	if (n < 0) {
		*why = (int)n;
		return 0;
	}
	note_record(rq, sock->rx.type, sock->rx.wire_minor, sock->rx.len);
	rq->first = rq->first || !sock->rx.told;
	rq->end = rq->end || (uint32_t)n == left;
	*why = next_step(rq);
	if (rq->peek)
		return (size_t)n;
	sock->rx.told = true;
	sock->rx.off += (uint32_t)n;
	if (sock->rx.off == sock->rx.len) {
		sock_discard(fd, sock->rx.queued);
		rx_buffer_drop(sock);
	}
	return (size_t)n;
}

/* Puts an opened record aside, `off` bytes of it being delivered. */
static int
keep_plain(struct tls_socket *sock, const struct rx_found *f, const uint8_t *plain,
	   size_t len, size_t off, uint8_t type)
{
	uint8_t minor = f->bytes[2];

	if (rx_buffer_need(sock) < 0) {
		/* Its sequence number is spent: it cannot be opened again. */
		sock->poisoned = true;
		return -ENOMEM;
	}
	memmove(sock->rx.buffer, plain, len);
	sock->rx.holds = RX_PLAIN;
	sock->rx.type = type;
	sock->rx.wire_minor = minor;
	sock->rx.told = off > 0;
	sock->rx.off = (uint32_t)off;
	sock->rx.len = (uint32_t)len;
	sock->rx.queued = f->queued;
	return 0;
}

/*
 * A bad header: the stream cannot be followed. FreeBSD drops the connection, which on
 * Linux is what connecting to no address does: the peer sees a reset, the descriptor
 * stays.
 */
static int
stream_failed(struct tls_socket *sock, int fd, int error)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	int pending;

	stats_add(STAT_CORRUPTED_RECORDS, 1);
	sock->rx.failed = error;
	sock->rx.failed_header = true;
	if (is_linux(sock))
		return -error;
	sock->dropped = true;
	rx_buffer_drop(sock);
	raw_syscall(SYS_connect, fd, &nowhere, sizeof(nowhere));
	/* Fails with ENOTCONN, but from then on the kernel itself says end of file and
	 * EPIPE, to poll(2) and to other processes too (inet_shutdown()). */
	raw_syscall(SYS_shutdown, fd, SHUT_RDWR);
	/* The reset left ECONNRESET behind: it is told as the header's error. */
	(void)sock_get_int(fd, SOL_SOCKET, SO_ERROR, &pending);
	return -error;
}

/* A bad record with a good header. On Linux it stays at the head and every receive fails;
 * FreeBSD skips it. */
static int
record_failed(struct tls_socket *sock, int fd, const struct rx_found *f, int error)
{
	stats_add(STAT_FAILED_CRYPTO, 1);
	if (is_linux(sock)) {
		sock->rx.failed = error;
		sock->rx.failed_header = false;
		return -error;
	}
	record_skip(&sock->rx.cipher);
	sock_discard(fd, f->queued);
	rx_buffer_drop(sock);
	return -error;
}

/* What a receive answers once the stream has failed. */
static int
failed_answer(struct tls_socket *sock, int fd, const struct rx_request *rq)
{
	bool told = sock->rx.failed_told;

	sock->rx.failed_told = true;
	if (!is_linux(sock))
		return told ? RX_EOF : -sock->rx.failed;
	if (!sock->rx.failed_header) {
		sock->error = sock->rx.failed; /* net/tls tls_err_abort(), each time */
		return -sock->rx.failed;
	}
	/* The kernel tells once and then lets receivers wait for bytes that it will never
	 * look at. A receiver that would hang for ever is told again. */
	if (told && ((rq->flags & MSG_DONTWAIT) != 0 || sock_nonblocking(fd)))
		return RX_NEED_BYTES;
	return -sock->rx.failed;
}

/* Can the record be opened straight into `piece` of the caller's memory? Not CBC, which
 * leaves MAC and padding behind the content. */
static bool
fits_direct(const struct cipher_state *cipher, struct rx_request *rq,
	    const struct iovec *piece, size_t bound)
{
	return !rq->peek && !cipher->geo.cbc && bound > 0 && piece->iov_len == bound &&
	       iov_cursor_writable(&rq->to, bound);
}

/*
 * Opens a complete record and delivers what the caller can have of it; the rest becomes
 * RX_PLAIN. Straight into the caller's memory when it fits there whole. Bytes delivered;
 * an rx_outcome or -errno in *why.
 */
static size_t
open_record(struct session *so, int fd, struct rx_request *rq, const struct rx_found *f,
	    int *why)
{
	struct tls_socket *sock = so->sock;
	struct cipher_state *cipher = &sock->rx.cipher;
	size_t bound = record_plaintext_bound(cipher, f->len) + record_open_slack(cipher);
	struct iovec piece = iov_cursor_piece(&rq->to, bound);
	bool direct = fits_direct(cipher, rq, &piece, bound);
	uint8_t *out = direct ? piece.iov_base : f->bytes + cipher->geo.hlen;
	uint8_t behind = direct ? out[bound - 1] : 0;
	uint8_t type, minor = f->bytes[2];
	ssize_t len = record_open(cipher, &so->context[RX], f->bytes, f->len, out, &type);
	ssize_t given = 0;

	if (len < 0) {
		*why = record_failed(sock, fd, f, (int)-len);
		return 0;
	}
	/* TLS 1.3's content type came to lie behind the content, in the caller's memory.
	 */
	if (direct && cipher->geo.inner_type)
		out[len] = (size_t)len == bound - 1 ? behind : 0;
	stats_records(RX, cipher, 1, (uint64_t)len);
	if (is_linux(sock) && is_key_update(type, out, len))
		sock->rx.rekey_pending = true;
	*why = type_fits(rq, type);
	if (*why == RX_FOUND && !rq->peek) {
		if (direct)
			iov_cursor_advance(&rq->to, (size_t)(given = len));
		else
			given = iov_cursor_put(&rq->to, out, (size_t)len);
		if (given < 0)
			*why = (int)given;
	}
	/* A record with nothing in it that nobody has room for is still to be announced.
	 */
	bool whole = *why == RX_FOUND && !rq->peek && given == len &&
		     (len > 0 || rq->to.left > 0);
	size_t off = given > 0 ? (size_t)given : 0;
	if (!whole) {
		int r = keep_plain(sock, f, out, (size_t)len, off, type);
		if (direct)
			secure_wipe(out + off, (size_t)len - off);
		if (r < 0)
			*why = r;
	}
	if (whole || off > 0) {
		note_record(rq, type, minor, (size_t)len);
		rq->first = true;
		rq->end = rq->end || whole;
		if (*why == RX_FOUND)
			*why = next_step(rq);
	}
	return off;
}

static int
found_bad(struct tls_socket *sock, int fd, const struct rx_found *f)
{
	if (f->verdict == RECORD_FATAL)
		return stream_failed(sock, fd, f->error);
	return record_failed(sock, fd, f, f->error);
}

enum {
	LOOK_MIN = 512
}; /* copying less than that saves nothing */

/* Bytes of the queue worth looking at: as many records as the caller has room for. */
static size_t
look_ahead(const struct tls_socket *sock, const struct rx_request *rq)
{
	size_t overhead = (size_t)sock->rx.cipher.geo.hlen + sock->rx.cipher.geo.tlen;
	size_t room = rq->to.left < SCRATCH_LEN ? rq->to.left : SCRATCH_LEN;
	size_t want =
		room + (room / RECORD_MAX_PLAINTEXT + 1) * overhead + RECORD_HEADER_LEN;

	if (rq->peek || want < LOOK_MIN)
		return rq->peek ? RECORD_MAX_LEN : LOOK_MIN;
	if (!rq->merge && want > RECORD_MAX_LEN)
		return RECORD_MAX_LEN;
	return want < SCRATCH_LEN ? want : SCRATCH_LEN;
}

/*
 * With the type and the nonce in the clear (TLS 1.2 AEAD), a record whose header we hold
 * can be taken from the kernel in one call straight into the caller's memory.
 */
static bool
header_tells_all(const struct cipher_state *cipher)
{
	return cipher->version == TLS_V12 && !cipher->geo.cbc;
}

/* Bytes of the next record to move out of the kernel now: all of one that is incomplete,
 * for readiness' sake; else its header when that makes the next receive one call. */
static size_t
prefix_worth(const struct tls_socket *sock, size_t have, bool incomplete)
{
	size_t hlen = sock->rx.cipher.geo.hlen;

	if (incomplete)
		return have;
	return header_tells_all(&sock->rx.cipher) && have >= hlen ? hlen : 0;
}

/*
 * A caller with a control buffer thinks in records, and in OpenSSL's case offers a little
 * more than one: the kernel would fill that little with the beginning of the next record,
 * and every record would be opened to one side and copied. So it gets the next one only
 * if that fits.
 */
static bool
is_left_for_later(const struct rx_request *rq, const struct cipher_state *cipher,
		  uint32_t length)
{
	return rq->whole && rq->record_len > 0 && !rq->waitall &&
	       record_plaintext_bound(cipher, length) > rq->to.left;
}

/* The records that follow in what was peeked, `at` being where the first one ended. */
static size_t
open_following(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch,
	       size_t at, size_t have, bool all_seen, int *why)
{
	struct tls_socket *sock = so->sock;
	size_t got = 0;

	while (*why == RX_FOUND && sock->rx.holds == RX_NOTHING && at < have) {
		struct record_header h = record_parse(&sock->rx.cipher, sock->rules,
						      scratch + at, have - at);
		struct rx_found f = {scratch + at, h.length, h.length, h.verdict,
				     h.error};
		bool later = is_left_for_later(rq, &sock->rx.cipher, h.length);
		if (later)
			*why = RX_STOP;
		if (later)
			break;
		if (h.verdict == RECORD_INCOMPLETE) {
			size_t keep = prefix_worth(sock, have - at, all_seen);
			if (keep > 0 && rx_queue_keep_prefix(sock, f.bytes, keep) == 0)
				at += keep;
			break;
		}
		if (h.verdict != RECORD_COMPLETE) {
			sock_discard(fd, at);
			*why = found_bad(sock, fd, &f);
			return got;
		}
		got += open_record(so, fd, rq, &f, why);
		if (*why >= 0 && sock->rx.holds == RX_NOTHING)
			at += h.length;
	}
	if (*why == RX_STOP && sock->rx.holds == RX_NOTHING && at < have) {
		size_t keep = prefix_worth(sock, have - at, false);
		if (keep > 0 && rx_queue_keep_prefix(sock, scratch + at, keep) == 0)
			at += keep;
	}
	sock_discard(fd, at);
	if (*why == RX_FOUND && all_seen)
		*why = RX_NEED_BYTES;
	return got;
}

/* How a record whose header we hold is taken from the kernel in one call. */
struct taking {
	uint8_t *body; /* where the rest of it goes: the caller's memory or the scratch */
	size_t len;    /* the rest of it, with its tag */
	uint8_t *out;  /* where its plaintext goes: the caller's memory */
	uint8_t *lent; /* AEAD_TAG_LEN bytes behind the plaintext there, or NULL */
};

/*
 * Straight to the caller's memory if there is room for the tag too. False when the record
 * must go another way: it is not data, there is no room, or so much that looking at
 * several records at once is better.
 */
static bool
can_take(const struct tls_socket *sock, struct rx_request *rq, uint8_t *scratch,
	 struct taking *t)
{
	const struct cipher_state *cipher = &sock->rx.cipher;

	if (sock->rx.holds != RX_PREFIX || sock->rx.len != cipher->geo.hlen || rq->peek ||
	    !header_tells_all(cipher) || sock->rx.buffer[0] != CONTENT_DATA ||
	    type_fits(rq, CONTENT_DATA) != RX_FOUND)
		return false;
	struct record_header h =
		record_parse(cipher, sock->rules, sock->rx.buffer, sock->rx.len);
	t->len = h.length - sock->rx.len;
	if (h.verdict != RECORD_INCOMPLETE || t->len <= AEAD_TAG_LEN)
		return false;
	size_t payload = t->len - AEAD_TAG_LEN;
	struct iovec piece = iov_cursor_piece(&rq->to, t->len);
	if (piece.iov_base == NULL || piece.iov_len < payload ||
	    (rq->merge && rq->to.left >= 2 * t->len) ||
	    !iov_cursor_writable(&rq->to, piece.iov_len))
		return false;
	t->out = piece.iov_base;
	t->body = piece.iov_len == t->len ? t->out : scratch;
	t->lent = t->body == t->out ? t->out + payload : NULL;
	return true;
}

/* Less of the record has come than its header says: what was taken becomes its prefix. */
static int
take_back(struct tls_socket *sock, const struct taking *t, size_t n)
{
	memcpy(sock->rx.buffer + sock->rx.len, t->body, n);
	sock->rx.len += (uint32_t)n;
	return RX_FOUND; /* look again: for more, or the end of the file */
}

/*
 * Takes one record and the next one's header with one system call. Its last byte leaves
 * the kernel before it is delivered, but nothing stands between the two.
 */
static size_t
take_record(struct session *so, int fd, struct rx_request *rq, const struct taking *t,
	    int *why)
{
	struct tls_socket *sock = so->sock;
	struct cipher_state *cipher = &sock->rx.cipher;
	uint8_t next[RECORD_HEADER_LEN + CBC_BLOCK_LEN], behind[AEAD_TAG_LEN];
	uint8_t type = CONTENT_DATA;
	struct iovec iov[2] = {{t->body, t->len}, {next, cipher->geo.hlen}};
	ssize_t len = 0;

	if (t->lent != NULL)
		memcpy(behind, t->lent, sizeof(behind));
	ssize_t n = sock_take(fd, iov, 2);
	bool whole = n >= (ssize_t)t->len;
	if (n <= 0)
		*why = n == 0 ? RX_EOF : n == -EAGAIN ? RX_NEED_BYTES : (int)n;
	else if (!whole)
		*why = take_back(sock, t, (size_t)n);
	else
		len = record_open_split(cipher, &so->context[RX], sock->rx.buffer,
					t->body, (uint32_t)t->len, t->out, &type);
	if (t->lent != NULL)
		memcpy(t->lent, behind, sizeof(behind));
	if (!whole)
		return 0;
	size_t more = (size_t)n - t->len;
	if (len < 0) {
		struct rx_found f = {.queued = 0};
		*why = record_failed(sock, fd, &f, (int)-len);
	} else {
		stats_records(RX, cipher, 1, (uint64_t)len);
		iov_cursor_advance(&rq->to, (size_t)len);
		note_record(rq, type, sock->rx.buffer[2], (size_t)len);
		rq->first = rq->end = true;
		*why = next_step(rq);
		if (*why == RX_FOUND && more == 0)
			*why = RX_NEED_BYTES;
	}
	if (more == 0)
		rx_buffer_drop(sock);
	else if (rx_queue_keep_prefix(sock, next, more) < 0)
		sock->poisoned = true;
	return len < 0 ? 0 : (size_t)len;
}

/* The length of the record whose prefix we hold, as far as that tells. */
static uint32_t
held_length(const struct tls_socket *sock)
{
	if (sock->rx.holds != RX_PREFIX)
		return 0;
	return record_parse(&sock->rx.cipher, sock->rules, sock->rx.buffer, sock->rx.len)
		.length;
}

/* Takes the record at the head of the queue and those that follow. */
static size_t
open_queued(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch, int *why)
{
	struct tls_socket *sock = so->sock;
	const struct cipher_state *cipher = &sock->rx.cipher;
	size_t want = look_ahead(sock, rq), have;
	struct taking t;
	struct rx_found f;

	if (can_take(sock, rq, scratch, &t))
		return take_record(so, fd, rq, &t, why);
	if (is_left_for_later(rq, cipher, held_length(sock))) {
		*why = RX_STOP;
		return 0;
	}
	*why = rx_queue_head(sock, fd, scratch, want, &f, &have);
	if (*why == RX_FOUND && is_left_for_later(rq, cipher, f.len))
		*why = RX_STOP;
	if (*why != RX_FOUND)
		return 0;
	if (f.verdict != RECORD_COMPLETE) {
		*why = found_bad(sock, fd, &f);
		return 0;
	}
	bool in_buffer = f.bytes == sock->rx.buffer;
	if (in_buffer)
		sock->rx.holds = RX_NOTHING;
	size_t got = open_record(so, fd, rq, &f, why);
	if (*why < 0 || sock->rx.holds != RX_NOTHING)
		return got;
	if (in_buffer) {
		sock_discard(fd, f.queued);
		rx_buffer_drop(sock);
		return got;
	}
	got += open_following(so, fd, rq, scratch, f.len, have, have < want, why);
	/* Behind nothing but empty records the file may end. */
	if (got == 0 && *why == RX_NEED_BYTES)
		*why = RX_FOUND;
	return got;
}

/* The kernel told us of the connection's end while there were bytes to deliver first: it
 * will not tell again. */
static bool
is_connection_error(int why)
{
	return why < 0 && why != -EIO && why != -EFAULT && why != -ENOMEM &&
	       why != -EKEYEXPIRED;
}

size_t
rx_receive_ready(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch,
		 int *why)
{
	struct tls_socket *sock = so->sock;
	bool failed_before = sock->rx.failed != 0;
	size_t got = 0;

	do {
		if (sock->rx.holds == RX_PLAIN)
			got += deliver_plain(sock, fd, rq, why);
		else if (sock->rx.failed != 0)
			*why = got > 0 ? RX_STOP : failed_answer(sock, fd, rq);
		else if (sock->rx.rekey_pending)
			*why = -EKEYEXPIRED;
		else
			got += open_queued(so, fd, rq, scratch, why);
		if (rq->peek && rq->touched && *why == RX_FOUND) {
			got += rx_peek_following(so, fd, rq, scratch);
			*why = RX_NEED_BYTES;
		}
	} while (*why == RX_FOUND);
	/* An error that this very call ran into and that belongs behind its bytes. */
	if (*why < 0 && got == 0 && sock->rx.failed != 0 && !failed_before)
		*why = failed_answer(sock, fd, rq);
	if (got > 0 && sock->rx.failed == 0 && is_connection_error(*why))
		sock->error = -*why;
	if (got == 0 && !rq->touched && (*why == RX_NEED_BYTES || *why == RX_EOF)) {
		int error = session_take_error(so);
		if (error != 0)
			*why = -error;
	}
	/* Who only looks leaves a record's error to who receives (FreeBSD's so_error). */
	if (*why < 0 && rq->peek && !is_linux(sock) && is_connection_error(*why)) {
		sock->rx.failed_told = false;
		if (sock->rx.failed == 0)
			sock->error = -*why;
	}
	return got;
}
