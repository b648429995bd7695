/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sw_rx.c: opens records and delivers their plaintext. Where they come from: rx_queue.c.
 */
#include "sw_rx.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "real.h"
#include "rx_queue.h"
#include "scratch.h"
#include "stats.h"
#include "uaccess.h"

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

/* Copies plaintext to the caller. Bytes copied, fewer than `n` when there is no more
 * room, or -EFAULT when nothing could be. */
static ssize_t
copy_out(struct iov_cursor *to, const uint8_t *plain, size_t n)
{
	size_t done = 0;

	while (done < n && to->left > 0) {
		struct iovec piece = iov_cursor_piece(to, n - done);
		if (!user_writable(piece.iov_base, piece.iov_len))
			return done > 0 ? (ssize_t)done : -EFAULT;
		memcpy(piece.iov_base, plain + done, piece.iov_len);
		iov_cursor_advance(to, piece.iov_len);
		done += piece.iov_len;
	}
	return (ssize_t)done;
}

/* Delivers from RX_PLAIN. Bytes; an rx_outcome or -errno in *why. */
static size_t
deliver_plain(struct tls_socket *sock, int fd, struct rx_request *rq, int *why)
{
	uint32_t left = sock->rx.len - sock->rx.off;

	*why = type_fits(rq, sock->rx.type);
	if (*why != RX_FOUND)
		return 0;
	ssize_t n = copy_out(&rq->to, sock->rx.buffer + sock->rx.off, left);
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

	stats_add(STAT_CORRUPTED_RECORDS, 1);
	sock->rx.failed = error;
	sock->rx.failed_header = true;
	if (is_linux(sock))
		return -error;
	sock->dropped = true;
	rx_buffer_drop(sock);
	raw_syscall(SYS_connect, (long)fd, &nowhere, (long)sizeof(nowhere));
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
fits_direct(const struct cipher_state *cipher, const struct rx_request *rq,
	    const struct iovec *piece, size_t bound)
{
	return !rq->peek && !cipher->geo.cbc && bound > 0 && piece->iov_len == bound &&
	       user_writable(piece->iov_base, bound);
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
			given = copy_out(&rq->to, out, (size_t)len);
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

/* Bytes of the queue worth looking at: as many records as the caller has room for. */
static size_t
look_ahead(const struct tls_socket *sock, const struct rx_request *rq)
{
	size_t one = RECORD_MAX_LEN;
	size_t overhead = (size_t)sock->rx.cipher.geo.hlen + sock->rx.cipher.geo.tlen;

	if (!rq->merge || rq->peek)
		return one;
	size_t room = rq->to.left < SCRATCH_LEN ? rq->to.left : SCRATCH_LEN;
	size_t want =
		room + (room / RECORD_MAX_PLAINTEXT + 1) * overhead + RECORD_HEADER_LEN;
	want = want < one ? one : want;
	return want < SCRATCH_LEN ? want : SCRATCH_LEN;
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
		if (h.verdict == RECORD_INCOMPLETE) {
			if (all_seen &&
			    rx_queue_keep_prefix(sock, f.bytes, have - at) == 0)
				at = have;
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
	sock_discard(fd, at);
	return got;
}

/* Takes the record at the head of the queue and those that follow. */
static size_t
open_queued(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch, int *why)
{
	struct tls_socket *sock = so->sock;
	size_t want = look_ahead(sock, rq), have;
	struct rx_found f;

	*why = rx_queue_head(sock, fd, scratch, want, &f, &have);
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
	return got + open_following(so, fd, rq, scratch, f.len, have, have < want, why);
}

/* A look at the records behind the one in RX_PLAIN: opened with a copy of the cipher's
 * state, then forgotten again. */
struct lookout {
	struct cipher_state cipher;
	uint8_t *bytes;
	size_t at, have;
};

static struct lookout
lookout_open(struct tls_socket *sock, int fd, uint8_t *scratch)
{
	ssize_t n = sock_peek(fd, scratch, SCRATCH_LEN);

	return (struct lookout){.cipher = sock->rx.cipher,
				.bytes = scratch,
				.at = sock->rx.queued,
				.have = n < 0 ? 0 : (size_t)n};
}

/* The next record's plaintext, or -1 when there is none that is complete and good. */
static ssize_t
lookout_next(struct lookout *l, struct session *so, uint8_t **plain, uint8_t *type)
{
	uint8_t *record = l->bytes + l->at;

	if (l->at >= l->have || so->sock->rx.rekey_pending)
		return -1;
	struct record_header h =
		record_parse(&l->cipher, so->sock->rules, record, l->have - l->at);
	if (h.verdict != RECORD_COMPLETE)
		return -1;
	*plain = record + l->cipher.geo.hlen;
	l->at += h.length;
	ssize_t len =
		record_open(&l->cipher, &so->context[RX], record, h.length, *plain, type);
	return len < 0 ? -1 : len;
}

/* MSG_PEEK on Linux sees the data records behind the first one too. */
static size_t
peek_following(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch)
{
	struct lookout l = lookout_open(so->sock, fd, scratch);
	uint8_t *plain, type;
	size_t got = 0;

	while (rq->to.left > 0) {
		ssize_t len = lookout_next(&l, so, &plain, &type);
		if (len < 0 || type != CONTENT_DATA)
			break;
		ssize_t given = copy_out(&rq->to, plain, (size_t)len);
		if (given < 0)
			break;
		got += (size_t)given;
	}
	secure_wipe(&l, sizeof(l));
	return got;
}

static size_t
plaintext_queued(struct session *so, int fd, uint8_t *scratch)
{
	struct tls_socket *sock = so->sock;
	struct rx_request head = {.any_type = true, .peek = true, .flags = MSG_DONTWAIT};
	uint8_t *plain, type;
	size_t sum = 0;
	ssize_t len;
	int why = RX_FOUND;

	if (sock->rx.holds != RX_PLAIN && sock->rx.failed == 0)
		open_queued(so, fd, &head, scratch, &why);
	if (sock->rx.holds != RX_PLAIN)
		return 0;
	struct lookout l = lookout_open(sock, fd, scratch);
	while ((len = lookout_next(&l, so, &plain, &type)) >= 0)
		sum += (size_t)len;
	secure_wipe(&l, sizeof(l));
	return sum + sock->rx.len - sock->rx.off;
}

int
sw_bytes_queued(struct session *so, int fd, int *bytes)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	int r = scratch == NULL ? -ENOMEM : session_lock(so, RX);

	if (r == 0) {
		if (!is_linux(sock))
			*bytes = (int)plaintext_queued(so, fd, scratch);
		else if (sock->rx.holds == RX_PREFIX)
			*bytes += (int)sock->rx.len;
		else if (sock->rx.holds == RX_PLAIN)
			*bytes -= (int)sock->rx.queued;
		session_unlock(so, RX);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return r == -EDEADLK ? -EAGAIN : r;
}

void
sw_rx_rekeyed(struct tls_socket *sock, int fd)
{
	sock->rx.rekey_pending = false;
	/* Lowering it makes the kernel look again and wake who sleeps in poll or epoll.
	 */
	rx_lowat_for_poll(sock, fd);
}

/* The kernel told us of the connection's end while there were bytes to deliver first: it
 * will not tell again. */
static bool
is_connection_error(int why)
{
	return why < 0 && why != -EIO && why != -EFAULT && why != -ENOMEM &&
	       why != -EKEYEXPIRED;
}

/* With rx.lock: all that can be delivered without waiting. */
static size_t
receive_ready(struct session *so, int fd, struct rx_request *rq, uint8_t *scratch,
	      int *why)
{
	struct tls_socket *sock = so->sock;
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
			got += peek_following(so, fd, rq, scratch);
			*why = RX_NEED_BYTES;
		}
	} while (*why == RX_FOUND);
	/* An error that this very call ran into and that belongs behind its bytes. */
	if (*why < 0 && got == 0 && sock->rx.failed != 0)
		*why = failed_answer(sock, fd, rq);
	if (got > 0 && sock->rx.failed == 0 && is_connection_error(*why))
		sock->error = -*why;
	if (got == 0 && !rq->touched && (*why == RX_NEED_BYTES || *why == RX_EOF)) {
		int error = session_take_error(so);
		if (error != 0)
			*why = -error;
	}
	return got;
}

/* FIN inside a record: FreeBSD says so, once; Linux takes it for the end. */
static int
end_of_file(struct tls_socket *sock)
{
	if (is_linux(sock) || sock->rx.holds != RX_PREFIX)
		return 0;
	stats_add(STAT_CORRUPTED_RECORDS, 1);
	rx_buffer_drop(sock);
	sock->rx.failed = EMSGSIZE;
	sock->rx.failed_told = true;
	return -EMSGSIZE;
}

/* Bytes that end a blocking wait: all that were asked for, or what SO_RCVLOWAT says. */
static size_t
target(const struct tls_socket *sock, const struct rx_request *rq, size_t len)
{
	size_t lowat = sock->app_lowat > 0 ? (size_t)sock->app_lowat : 1;

	if (!rq->merge || len == 0)
		return len > 0;
	return rq->waitall || lowat > len ? len : lowat;
}

/* One attempt under the lock. As sw_receive(), or with *why > 0 what to wait for. */
static size_t
attempt(struct session *so, int fd, struct rx_request *rq, int *why, int *missing)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	size_t got = 0;

	*why = scratch == NULL ? -ENOMEM : session_lock(so, RX);
	if (*why == 0) {
		got = receive_ready(so, fd, rq, scratch, why);
		if (*why == RX_EOF && got == 0)
			*why = end_of_file(sock) < 0 ? -EMSGSIZE : RX_EOF;
		if (got > 0)
			rx_lowat_after_delivery(sock, fd);
		*missing = rx_queue_missing(sock);
		session_unlock(so, RX);
	} else if (*why == -EDEADLK) {
		*why = session_busy_errno(fd, rq->flags);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return got;
}

static void
lowat_set(struct session *so, int fd, void (*set)(struct tls_socket *, int))
{
	if (session_lock(so, RX) == 0) {
		set(so->sock, fd);
		session_unlock(so, RX);
	}
}

/* Nothing is there: 0 after a wait, or what the call answers. */
static int
wait_for_bytes(struct session *so, int fd, const struct rx_request *rq, int missing)
{
	if ((rq->flags & MSG_DONTWAIT) != 0 || sock_nonblocking(fd)) {
		lowat_set(so, fd, rx_lowat_for_poll);
		return -EAGAIN;
	}
	if (so->sock->rx.lowat > RECORD_HEADER_LEN)
		lowat_set(so, fd, rx_lowat_for_blocking);
	ssize_t r = sock_wait_readable(fd, (size_t)missing, false);
	return r < 0 ? (int)r : 0;
}

/* MSG_PEEK with MSG_WAITALL: nothing was taken, so start again when more has come. */
static int
wait_behind_peek(int fd, const struct rx_request *rq)
{
	int queued = 0;

	if ((rq->flags & MSG_DONTWAIT) != 0 || sock_nonblocking(fd))
		return -EAGAIN;
	if (raw_syscall(SYS_ioctl, (long)fd, (long)0x541B /* FIONREAD */, &queued) < 0)
		return -EAGAIN;
	ssize_t r = sock_wait_readable(fd, (size_t)queued + 1, true);
	return r < 0 ? (int)r : r <= queued ? -EAGAIN : 0;
}

ssize_t
sw_receive(struct session *so, int fd, struct rx_request *rq)
{
	const struct iov_cursor start = rq->to;
	size_t done = 0;

	for (;;) {
		int why, missing = 1;
		done += attempt(so, fd, rq, &why, &missing);
		if (why < 0 && done == 0)
			return why;
		if (why < 0 || why == RX_STOP || why == RX_EOF)
			return (ssize_t)done;
		size_t enough = target(so->sock, rq, start.left);
		if (done >= enough && (done > 0 || start.left == 0))
			return (ssize_t)done;
		if (rq->peek && done > 0) {
			if (wait_behind_peek(fd, rq) < 0)
				return (ssize_t)done;
			rq->to = start;
			rq->touched = false;
			done = 0;
			continue;
		}
		int r = wait_for_bytes(so, fd, rq, missing);
		if (r < 0)
			return done > 0 ? (ssize_t)done : r;
	}
}

int
sw_readable(struct session *so, int fd)
{
	struct tls_socket *sock = so->sock;
	uint8_t *scratch = scratch_take();
	int r = scratch == NULL ? -ENOMEM : session_lock(so, RX);

	if (r == 0) {
		struct rx_found f;
		size_t have;
		if (sock->rx.holds == RX_PLAIN || sock->rx.failed != 0)
			r = RX_FOUND;
		else if (sock->rx.rekey_pending)
			r = rx_lowat_is_highest(sock, fd) ? RX_FOUND : RX_NEED_BYTES;
		else
			r = rx_queue_head(sock, fd, scratch, RECORD_MAX_LEN, &f, &have);
		if (r == RX_NEED_BYTES)
			rx_lowat_for_poll(sock, fd);
		session_unlock(so, RX);
	}
	if (scratch != NULL)
		scratch_give(scratch);
	return r == RX_NEED_BYTES ? 0 : 1;
}
