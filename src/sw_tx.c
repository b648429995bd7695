/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sw_tx.c: cuts plaintext into records, seals a batch of them and hands it to the kernel.
 *
 * When a send has returned n, the kernel has the ciphertext of those n bytes; so nothing
 * has to be flushed later and no exit, exec or crash loses what was accepted. The kernel
 * may take a part of a batch only. Then
 *
 *  - records of which it took nothing are taken back, with their sequence numbers: their
 *    ciphertext never left the process, so no nonce is used twice for different bytes on
 *    the wire;
 *  - the record that was cut leaves its tail in the session (TX_TAIL) and one byte of its
 *    plaintext is reported as not sent (`held_back`). The caller must come back for that
 *    byte; the call that does sends the tail first and counts the byte as sealed already.
 *
 * To make that rare, a batch is sealed only when poll(2) says that a good part of the
 * send buffer is free. A record with a type that the caller set is all or nothing: its
 * call stays until the tail is gone.
 *
 * TX_OPEN is the plaintext of a record that MSG_MORE keeps open, already reported as sent
 * (as Linux does); the next record starts with it.
 */
#include "sw_tx.h"

#include <errno.h>
#include <linux/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

#include "real.h"
#include "record_tx.h"
#include "scratch.h"
#include "shm.h"
#include "stats.h"
#include "sysctl.h"

enum {
	BATCH_MAX = SCRATCH_RECORDS,
	LEAST_PAYLOAD = 512, /* bytes; below that it would be all overhead */
	SNDBUF_REFRESH = 64, /* sends after which autotuning may have moved SO_SNDBUF */
};

struct batch_record {
	struct record_mark mark; /* before it was sealed */
	uint32_t wire_len;
	uint32_t fresh; /* plaintext bytes that this call brought */
	uint32_t plain; /* all its plaintext bytes */
};

struct batch {
	uint8_t *out;
	size_t len;
	int count;
	size_t fresh; /* plaintext bytes that this call brought, of all records */
	bool opened;  /* the first record holds what TX_OPEN held */
	struct batch_record record[BATCH_MAX];
};

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Plaintext bytes of a full record. FreeBSD's records also depend on the room there is in
 * the send buffer (sosend_generic()), so that a socket that poll(2) calls writable takes
 * one; on Linux, and with a set type, they are always full.
 */
static size_t
max_payload(const struct tls_socket *sock, const struct tx_request *rq)
{
	size_t most = min_size(RECORD_MAX_PLAINTEXT, (size_t)tunable(TUNABLE_MAXLEN));
	size_t fitting = sock->tx.sndbuf / 4;

	if (sock->rules == RULES_LINUX || rq->atomic || sock->tx.sndbuf == 0)
		return most;
	return min_size(most, fitting < LEAST_PAYLOAD ? LEAST_PAYLOAD : fitting);
}

/* What the socket looks like is asked now and then only: a stale answer costs a cut
 * record at most. */
static void
refresh(struct tls_socket *sock, int fd)
{
	int sndbuf = 0;

	if (sock->tx.sndbuf != 0 && ++sock->tx.sends < SNDBUF_REFRESH)
		return;
	sock_get_int(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf);
	sock->tx.sndbuf = sndbuf > 0 ? (uint32_t)sndbuf : 1;
	sock->tx.blocking = !sock_nonblocking(fd);
	sock->tx.sends = 0;
}

/* Records that one send may carry: a quarter of the send buffer never failed to be taken
 * whole when poll(2) had said yes; at least one. */
static int
batch_limit(const struct tls_socket *sock)
{
	size_t records = sock->tx.sndbuf / 4 / RECORD_MAX_LEN;

	return records < 1 ? 1 : (int)min_size(records, BATCH_MAX);
}

/*
 * Collects `n` bytes as pieces for the codec, straight from the caller's memory; when
 * there are too many of them, as one copy at `in_place`. The number of pieces or -EFAULT.
 */
static int
gather(struct iov_cursor *c, size_t n, struct iovec *pieces, int room, uint8_t *in_place)
{
	int count = 0;
	size_t copied = 0;

	while (n > 0) {
		struct iovec piece = iov_cursor_piece(c, n);
		if (!iov_cursor_readable(c, piece.iov_len))
			return -EFAULT;
		if (copied == 0 && count == room) {
			for (int i = 0; i < count; copied += pieces[i++].iov_len)
				memcpy(in_place + copied, pieces[i].iov_base,
				       pieces[i].iov_len);
		}
		if (copied > 0) {
			memcpy(in_place + copied, piece.iov_base, piece.iov_len);
			copied += piece.iov_len;
		} else {
			pieces[count++] = piece;
		}
		iov_cursor_advance(c, piece.iov_len);
		n -= piece.iov_len;
	}
	if (copied > 0) {
		pieces[0] = (struct iovec){.iov_base = in_place, .iov_len = copied};
		count = 1;
	}
	return count;
}

/* Seals the next record of the batch: `kept` bytes of TX_OPEN and `fresh` new ones, which
 * for a file lie in place already. 0 or -errno. */
static int
batch_add(struct session *so, struct tx_request *rq, struct iov_cursor *c,
	  struct batch *b, size_t kept, size_t fresh)
{
	struct cipher_state *cipher = &so->sock->tx.cipher;
	struct batch_record *rec = &b->record[b->count];
	uint8_t *out = b->out + b->len, *payload = out + cipher->geo.hlen;
	struct iovec pieces[RECORD_MAX_PIECES];
	int n = 0, more = 0;

	if (kept > 0)
		pieces[n++] = (struct iovec){so->sock->tx.buffer, kept};
	if (rq->file >= 0)
		pieces[n++] = (struct iovec){payload + kept, fresh};
	else
		more = gather(c, fresh, pieces + n, RECORD_MAX_PIECES - 2,
			      payload + kept);
	if (more < 0)
		return more;
	rec->mark = record_mark(cipher);
	ssize_t len = record_seal(cipher, &so->context[TX], rq->type, pieces, n + more,
				  kept + fresh, out);
	if (len < 0)
		return (int)len;
	rec->wire_len = (uint32_t)len;
	rec->fresh = (uint32_t)fresh;
	rec->plain = (uint32_t)(kept + fresh);
	b->len += (size_t)len;
	b->fresh += fresh;
	b->count++;
	return 0;
}

/*
 * Reads the payloads of the next records from the file, each to where its ciphertext will
 * be, in one system call. The bytes read; short at the end of the file.
 */
static ssize_t
file_read(struct session *so, struct tx_request *rq, struct batch *b, size_t kept,
	  int limit)
{
	const struct tls_socket *sock = so->sock;
	const struct cipher_state *cipher = &sock->tx.cipher;
	const size_t most = max_payload(sock, rq);
	struct iovec iov[BATCH_MAX];
	size_t full = record_wire_len(cipher, most), left = rq->left;
	int n = 0;

	for (; n < limit && left > 0; n++) {
		size_t skip = n == 0 ? kept : 0;
		iov[n].iov_base = b->out + (size_t)n * full + cipher->geo.hlen + skip;
		iov[n].iov_len = min_size(left, most - skip);
		left -= iov[n].iov_len;
	}
	/* Not preadv(3): that is a cancellation point, and we hold a lock. */
	long got = raw_syscall(SYS_preadv, rq->file, iov, n, rq->file_off, 0);
	return got == -ESPIPE ? -EINVAL : got;
}

/*
 * Fills a batch with up to `limit` records. A last one that is not full is left out when
 * it is to stay open. 0 or what stopped it: the records before that are good.
 */
static int
batch_fill(struct session *so, struct tx_request *rq, struct batch *b, int limit)
{
	struct tls_socket *sock = so->sock;
	const size_t most = max_payload(sock, rq);
	struct iov_cursor c = rq->from;
	size_t kept = sock->tx.holds == TX_OPEN ? sock->tx.len : 0, left = rq->left;
	int r = 0;

	if (rq->file >= 0) {
		ssize_t got = file_read(so, rq, b, kept, limit);
		if (got < 0)
			return (int)got;
		if ((size_t)got < left && (size_t)got < (size_t)limit * most - kept)
			rq->left = (size_t)got; /* the file ends here */
		left = (size_t)got;
	}
	b->opened = kept > 0;
	while (b->count < limit && r == 0) {
		size_t n = min_size(kept + left, most);
		bool wanted = n > 0 || (rq->empty && b->count == 0);
		if (!wanted || (rq->open && n < most))
			break;
		r = batch_add(so, rq, &c, b, kept, n - kept);
		if (r == 0) {
			left -= n - kept;
			kept = 0;
		}
	}
	rq->from.seen = c.seen;
	return r;
}

/* The kernel took `fresh` bytes of the request's plaintext, or holds them back. */
static void
request_advance(struct tx_request *rq, size_t fresh)
{
	rq->left -= fresh;
	if (rq->file >= 0)
		rq->file_off += (off_t)fresh;
	else
		iov_cursor_advance(&rq->from, fresh);
}

static void
buffer_drop(struct tls_socket *sock)
{
	if (sock->tx.buffer != NULL)
		shm_buffer_free(sock, sock->tx.buffer);
	sock->tx.buffer = NULL;
	sock->tx.holds = TX_NOTHING;
	sock->tx.off = sock->tx.len = 0;
}

/* Keeps the tail of the record that the kernel cut. There is always a buffer: a socket
 * needs at most two and has two. */
static int
tail_keep(struct tls_socket *sock, const uint8_t *tail, size_t len)
{
	if (sock->tx.buffer == NULL)
		sock->tx.buffer = shm_buffer_alloc(sock);
	if (sock->tx.buffer == NULL) {
		sock->poisoned = true; /* a torn record that nobody can complete */
		return -EIO;
	}
	memcpy(sock->tx.buffer, tail, len);
	sock->tx.holds = TX_TAIL;
	if (++sock->tx.tail == 0)
		sock->tx.tail = 1;
	sock->tx.off = 0;
	sock->tx.len = (uint32_t)len;
	stats_add(STAT_PARTIAL_SENDS, 1);
	return 0;
}

/* Sends what is left of a cut record. 0 when it is gone, -EAGAIN or another -errno. */
static int
tail_flush(struct tls_socket *sock, int fd)
{
	while (sock->tx.holds == TX_TAIL) {
		ssize_t n = sock_send(fd, sock->tx.buffer + sock->tx.off,
				      sock->tx.len - sock->tx.off, 0);
		if (n < 0)
			return (int)n;
		sock->tx.off += (uint32_t)n;
		if (sock->tx.off == sock->tx.len)
			buffer_drop(sock);
	}
	return 0;
}

/* Books a batch of which the kernel took `taken` bytes: returns the plaintext bytes that
 * count as sent. */
static ssize_t
batch_settle(struct session *so, struct tx_request *rq, struct batch *b, size_t taken)
{
	struct tls_socket *sock = so->sock;
	size_t at = 0, sent = 0, plain = 0;
	int i = 0, r = 0;

	if (b->opened && taken > 0)
		buffer_drop(sock); /* what it held is in the first record now */
	for (; i < b->count && at + b->record[i].wire_len <= taken; i++) {
		at += b->record[i].wire_len;
		sent += b->record[i].fresh;
		plain += b->record[i].plain;
	}
	int whole = i;
	if (i < b->count && at < taken) {
		const struct batch_record *cut = &b->record[i++];
		r = tail_keep(sock, b->out + taken, at + cut->wire_len - taken);
		sent += cut->fresh;
		plain += cut->plain;
		if (!rq->atomic && cut->fresh > 0) {
			rq->owed = sock->tx.tail;
			sent--;
		}
	}
	if (i < b->count)
		record_rewind(&sock->tx.cipher, &b->record[i].mark);
	if (i > 0)
		stats_records(TX, &sock->tx.cipher, (uint64_t)i, plain);
	stats_add(rq->file >= 0 ? STAT_INPLACE : STAT_SEPARATE_OUTPUT, (uint64_t)whole);
	request_advance(rq, sent);
	if (i > 0) {
		rq->empty = false;
		rq->begun = true;
	}
	return r < 0 ? r : (ssize_t)sent;
}

/* Puts what remains of a MSG_MORE request, less than a record, into the open record. */
static ssize_t
open_append(struct session *so, struct tx_request *rq)
{
	struct tls_socket *sock = so->sock;
	size_t n = rq->left, at = sock->tx.holds == TX_OPEN ? sock->tx.len : 0;

	if (sock->tx.buffer == NULL)
		sock->tx.buffer = shm_buffer_alloc(sock);
	if (sock->tx.buffer == NULL)
		return -ENOMEM;
	while (rq->left > 0) {
		struct iovec piece = iov_cursor_piece(&rq->from, rq->left);
		if (!iov_cursor_readable(&rq->from, piece.iov_len)) {
			if (sock->tx.holds != TX_OPEN)
				buffer_drop(sock);
			return -EFAULT;
		}
		memcpy(sock->tx.buffer + at, piece.iov_base, piece.iov_len);
		at += piece.iov_len;
		request_advance(rq, piece.iov_len);
	}
	sock->tx.holds = TX_OPEN;
	sock->tx.len = (uint32_t)at;
	return (ssize_t)n;
}

/* One batch: bytes of plaintext that count as sent, 0 when there was nothing to seal. */
static ssize_t
batch_send(struct session *so, int fd, struct tx_request *rq, uint8_t *scratch, int limit)
{
	struct batch b = {.out = scratch};
	int stopped = batch_fill(so, rq, &b, limit);

	if (b.count == 0)
		return stopped;
	/* The urgent pointer goes behind the last byte, wherever the records are cut. */
	int how = rq->open ? MSG_MORE : b.fresh == rq->left ? rq->flags & MSG_OOB : 0;
	ssize_t taken = sock_send(fd, b.out, b.len, how);
	if (taken < 0) {
		record_rewind(&so->sock->tx.cipher, &b.record[0].mark);
		return taken;
	}
	return batch_settle(so, rq, &b, (size_t)taken);
}

static bool
may_block(int fd, const struct tx_request *rq)
{
	return (rq->flags & MSG_DONTWAIT) == 0 && !sock_nonblocking(fd);
}

/*
 * Records to seal next, or -EAGAIN or another -errno. Where poll(2) says no there may
 * still be some room. A caller who cannot wait must not try it: he would meet a cut
 * record. One who can should, with a single record: else he would be waiting for room
 * that is there.
 */
static int
room_for(struct session *so, int fd, const struct tx_request *rq)
{
	struct tls_socket *sock = so->sock;
	int yes;

	refresh(sock, fd);
	/* Not what is all or nothing: if the hint is stale it would wait for the peer. */
	if (sock->tx.blocking && !rq->atomic && (rq->flags & MSG_DONTWAIT) == 0 &&
	    rq->left <= max_payload(sock, rq))
		return 1;
	yes = sock_writable(fd);
	if (yes != 0)
		return yes < 0 ? yes : batch_limit(sock);
	return may_block(fd, rq) ? 1 : -EAGAIN;
}

static bool
nothing_to_seal(const struct tls_socket *sock, const struct tx_request *rq)
{
	size_t kept = sock->tx.holds == TX_OPEN ? sock->tx.len : 0;

	if (rq->open)
		return kept + rq->left < max_payload(sock, rq);
	return kept + rq->left == 0 && !rq->empty;
}

/*
 * With tx.lock: does all that can be done without waiting. Bytes that count as sent;
 * *why is then 0 (all done), -EAGAIN, -EINPROGRESS (no room, but half of what is all or
 * nothing has gone) or the error that ended it.
 */
static size_t
progress(struct session *so, int fd, struct tx_request *rq, uint8_t *scratch, int *why)
{
	struct tls_socket *sock = so->sock;
	size_t done = 0;

	for (;;) {
		*why = tail_flush(sock, fd);
		if (*why < 0) {
			if (*why == -EAGAIN &&
			    (rq->left == 0 || (rq->atomic && rq->begun)))
				*why = -EINPROGRESS;
			return done;
		}
		if (rq->owed != 0 ||
		    (sock->tx.held_back && !rq->begun && !rq->atomic && rq->left > 0)) {
			if (rq->owed == 0)
				sock->tx.held_back = false;
			rq->owed = 0;
			rq->begun = true;
			request_advance(rq, 1);
			done++;
			continue;
		}
		ssize_t n = 0;
		if (nothing_to_seal(sock, rq)) {
			n = rq->open && rq->left > 0 ? open_append(so, rq) : 0;
			*why = n < 0 ? (int)n : 0;
			return done + (n < 0 ? 0 : (size_t)n);
		}
		n = room_for(so, fd, rq);
		if (n > 0)
			n = batch_send(so, fd, rq, scratch, (int)n);
		if (n == -EAGAIN && rq->atomic && rq->begun)
			n = -EINPROGRESS;
		if (n < 0) {
			*why = (int)n;
			return done;
		}
		done += (size_t)n;
	}
}

/* SO_SNDBUF while a call that may not wait brings to an end what is all or nothing. */
struct grown_buffer {
	int size, locked; /* before; 0: not grown */
};

enum {
	SNDBUF_GROWN_MAX =
		212992, /* net.core.wmem_max: more may be made less (socket(7)) */
};

/* Doubles the send buffer, which then has room for all that was allowed into it: Linux
 * adds as much again to what one asks for. False when it is too large for that. */
static bool
buffer_grow(int fd, struct grown_buffer *g)
{
	if (g->size != 0 || sock_get_int(fd, SOL_SOCKET, SO_SNDBUF, &g->size) < 0 ||
	    g->size > SNDBUF_GROWN_MAX)
		return false;
	if (sock_get_int(fd, SOL_SOCKET, SO_BUF_LOCK, &g->locked) < 0)
		g->locked = SOCK_SNDBUF_LOCK;
	return sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, g->size) == 0;
}

static void
buffer_restore(int fd, const struct grown_buffer *g)
{
	if (g->size == 0 || g->size > SNDBUF_GROWN_MAX)
		return;
	sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, g->size / 2);
	sock_set_int(fd, SOL_SOCKET, SO_BUF_LOCK, g->locked);
}

/* Part of what is all or nothing is in the kernel: stay, even on a nonblocking socket.
 * Rare: the room was there before it was sealed. */
static int
wait_to_finish(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int saved = errno;
	int r = real.poll(&p, 1, -1);

	r = r < 0 && errno != EINTR ? -errno : 0;
	errno = saved;
	return r;
}

static int
wait_for_room(int fd, const struct tx_request *rq, bool begun)
{
	if (!may_block(fd, rq))
		return -EAGAIN;
	/* A call that has sent something is ended by any signal, with SA_RESTART too. */
	return begun ? sock_poll_writable(fd) : sock_wait_writable(fd);
}

/*
 * The call ends while it owes a byte. When its tail is still there the caller must come
 * back for the byte; else another call has sent the tail, and the byte counts.
 */
static size_t
owed_settle(struct session *so, int fd, const struct tx_request *rq)
{
	struct tls_socket *sock = so->sock;
	bool there;

	if (rq->owed == 0 || session_lock(so, fd, TX) < 0)
		return 0;
	there = sock->tx.holds == TX_TAIL && sock->tx.tail == rq->owed;
	if (there)
		sock->tx.held_back = true;
	session_unlock(so, TX);
	return there ? 0 : 1;
}

ssize_t
sw_send(struct session *so, int fd, struct tx_request *rq)
{
	struct grown_buffer grown = {0};
	size_t done = 0;
	int why;

	do {
		uint8_t *scratch = scratch_take();
		if (scratch == NULL)
			return done > 0 ? (ssize_t)done : -ENOMEM;
		why = session_lock(so, fd, TX);
		if (why == 0) {
			done += progress(so, fd, rq, scratch, &why);
			session_unlock(so, TX);
		} else if (why == -EDEADLK) {
			why = session_busy_errno(fd, rq->flags);
		}
		scratch_give(scratch);
		if (why == 0)
			break;
		if (why == -EINPROGRESS)
			why = !may_block(fd, rq) && buffer_grow(fd, &grown)
				      ? 0
				      : wait_to_finish(fd);
		else if (why == -EAGAIN)
			why = wait_for_room(fd, rq, done > 0);
	} while (why == 0);
	buffer_restore(fd, &grown);
	done += owed_settle(so, fd, rq);
	return done > 0 ? (ssize_t)done : why;
}
