/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_sw.c: the backend that frames and encrypts records in user space.
 */
#include <sys/ktls_compat.h>

#include "backend.h"
#include "sw_rx.h"
#include "sw_tx.h"

const struct backend backend_sw = {
	.name = "sw",
	.mode = TCP_TLS_MODE_SW,
	.send = sw_send,
	.receive = sw_receive,
};
