/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_look.h: what is behind the record in RX_PLAIN, for MSG_PEEK and FIONREAD.
 *
 * All with rx.lock held; `scratch` has SCRATCH_LEN bytes.
 */
#ifndef KTLS_RX_LOOK_H
#define KTLS_RX_LOOK_H

#include "backend.h"

/* MSG_PEEK on Linux sees the data records behind the first one too. Bytes copied. */
size_t rx_peek_following(struct session *so, int fd, struct rx_request *rq,
			 uint8_t *scratch);

/* Plaintext bytes of the records that are complete. */
size_t rx_plaintext_queued(struct session *so, int fd, uint8_t *scratch);

#endif
