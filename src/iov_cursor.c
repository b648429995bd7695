/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iov_cursor.c: walks the caller's scattered memory.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "backend.h"
#include "uaccess.h"

/* Past the pieces that are used up, and the empty ones. */
static void
settle(struct iov_cursor *c)
{
	while (c->count > 0 && c->off == c->iov->iov_len) {
		c->iov++;
		c->count--;
		c->off = 0;
	}
}

int
iov_cursor_init(struct iov_cursor *c, const struct iovec *iov, size_t count)
{
	*c = (struct iov_cursor){.iov = iov, .count = count};
	if (!user_readable(iov, count * sizeof(*iov)))
		return -EFAULT;
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len > (size_t)SSIZE_MAX - c->left)
			return -EINVAL;
		c->left += iov[i].iov_len;
	}
	settle(c);
	return 0;
}

void
iov_cursor_advance(struct iov_cursor *c, size_t n)
{
	c->left -= n;
	while (n > 0) {
		size_t here = c->iov->iov_len - c->off;
		size_t step = n < here ? n : here;
		c->off += step;
		n -= step;
		settle(c);
	}
}

struct iovec
iov_cursor_piece(const struct iov_cursor *c, size_t max)
{
	struct iovec piece = {0};

	if (c->count == 0)
		return piece;
	piece.iov_base = (char *)c->iov->iov_base + c->off;
	piece.iov_len = c->iov->iov_len - c->off;
	if (piece.iov_len > max)
		piece.iov_len = max;
	return piece;
}

bool
iov_cursor_readable(struct iov_cursor *c, size_t n)
{
	if (n == 0 || c->seen == c->iov)
		return true;
	if (user_readable(c->iov->iov_base, c->iov->iov_len)) {
		c->seen = c->iov;
		return true;
	}
	return user_readable((char *)c->iov->iov_base + c->off, n);
}

bool
iov_cursor_writable(struct iov_cursor *c, size_t n)
{
	if (n == 0 || c->seen == c->iov)
		return true;
	if (user_writable(c->iov->iov_base, c->iov->iov_len)) {
		c->seen = c->iov;
		return true;
	}
	return user_writable((char *)c->iov->iov_base + c->off, n);
}

ssize_t
iov_cursor_put(struct iov_cursor *to, const uint8_t *plain, size_t n)
{
	size_t done = 0;

	while (done < n && to->left > 0) {
		struct iovec piece = iov_cursor_piece(to, n - done);
		if (piece.iov_base == NULL || !iov_cursor_writable(to, piece.iov_len))
			return done > 0 ? (ssize_t)done : -EFAULT;
		memcpy(piece.iov_base, plain + done, piece.iov_len);
		iov_cursor_advance(to, piece.iov_len);
		done += piece.iov_len;
	}
	return (ssize_t)done;
}
