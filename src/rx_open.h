/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx_open.h: opening records and delivering their plaintext, without waiting.
 *
 * All with rx.lock held; `scratch` has SCRATCH_LEN bytes.
 */
#ifndef KTLS_RX_OPEN_H
#define KTLS_RX_OPEN_H

#include "backend.h"
#include "rx_queue.h"

/* Delivers all that can be. Bytes delivered; *why says what ended it: an rx_outcome or
 * -errno. An error behind delivered bytes comes again in the next call. */
size_t rx_receive_ready(struct session *so, int fd, struct rx_request *rq,
			uint8_t *scratch, int *why);

#endif
