/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sw_tx.h: sending by records sealed in user space.
 */
#ifndef KTLS_SW_TX_H
#define KTLS_SW_TX_H

#include "backend.h"

ssize_t sw_send(struct session *so, int fd, struct tx_request *rq);

#endif
