/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_ktls_native.h: the kernel's own TLS, where it has one.
 */
#ifndef KTLS_BACKEND_KTLS_NATIVE_H
#define KTLS_BACKEND_KTLS_NATIVE_H

/*
 * Gives the socket to the kernel's TLS: setsockopt(TCP_ULP, "tls"). 0: it has it, and
 * everything else about TLS on this socket is between the program and the kernel.
 * -ENOENT: this kernel has none, or KTLS_BACKEND=sw says not to ask. Otherwise the
 * kernel's errno.
 */
int native_set_ulp(int fd);

/* Reads KTLS_BACKEND; ignored in AT_SECURE programs. */
void native_init(void);

#endif
