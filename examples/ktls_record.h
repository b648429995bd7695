/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktls_record.h: send and receive single TLS records on a socket with kernel TLS.
 */
#ifndef KTLS_RECORD_H
#define KTLS_RECORD_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <sys/ktls_compat.h>

struct record {
	uint8_t type; /* TLS_RLTYPE_* */
	size_t len;   /* bytes of data */
	uint8_t data[TLS_MAX_MSG_SIZE_V10_2];
};

/*
 * Application data needs no control message: send(2) makes records of it. Returns 0, or
 * -1 and errno.
 */
static inline int
send_data(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* close_notify: a record of type alert, warning (1) and close_notify (0) (RFC 8446 6). */
static inline int
send_close_notify(int fd)
{
	uint8_t alert[2] = {1, 0};
	struct iovec iov = {.iov_base = alert, .iov_len = sizeof(alert)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint8_t))] = {0};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = IPPROTO_TCP;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(uint8_t));
	*CMSG_DATA(cmsg) = TLS_RLTYPE_ALERT;
	/* With a record type sendmsg(2) sends all or nothing: no loop. */
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/*
 * Receives one record, whatever its type. Returns 1, 0 when the peer closed the
 * connection, or -1 and errno.
 */
static inline int
receive_record(int fd, struct record *record)
{
	struct iovec iov = {.iov_base = record->data, .iov_len = sizeof(record->data)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tls_get_record))];
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct tls_get_record header;
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	/* An empty record also gives 0 bytes, but it has a header. */
	cmsg = CMSG_FIRSTHDR(&msg);
	if (n == 0 && !cmsg)
		return 0;
	if (!cmsg || cmsg->cmsg_level != IPPROTO_TCP ||
	    cmsg->cmsg_type != TLS_GET_RECORD ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(header))) {
		errno = EBADMSG;
		return -1;
	}
	/*
	 * MSG_EOR says that the record is complete. In a buffer smaller than the record
	 * it would be missing, and the next calls would give the rest without a header.
	 */
	if (n > 0 && !(msg.msg_flags & MSG_EOR)) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(&header, CMSG_DATA(cmsg), sizeof(header));
	record->type = header.tls_type;
	record->len = (size_t)n;
	return 1;
}

enum control_result {
	CONTROL_IGNORED,
	CONTROL_CLOSED,
	CONTROL_FATAL
};

/* What a record that is no application data means to the connection. */
static inline enum control_result
judge_control(const struct record *record)
{
	const uint8_t *data = record->data;

	/* RFC 8446 6.1: close_notify is the only alert that is no error. */
	if (record->type == TLS_RLTYPE_ALERT && record->len == 2 && data[1] == 0)
		return CONTROL_CLOSED;
	/*
	 * NewSessionTicket (4) comes after the handshake and may be ignored (RFC 8446
	 * 4.6.1). KeyUpdate (24) may not: the peer's next records have new keys (4.6.3),
	 * and ktls(4) has no way to be told them.
	 */
	if (record->type == TLS_RLTYPE_HANDSHAKE && record->len > 0 && data[0] == 4)
		return CONTROL_IGNORED;
	return CONTROL_FATAL;
}

#endif
