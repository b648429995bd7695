/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uaccess.c: asks the kernel whether memory is there, with system calls that do nothing.
 */
#include "uaccess.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "memcheck.h"
#include "real.h"

enum {
	PAGE = 4096
}; /* the smallest there is: asking twice in a larger one is harmless */

/*
 * rt_sigprocmask(2) copies the new mask in before it looks at `how`: with an unknown
 * `how` the answer is EFAULT for a bad address and EINVAL for a good one. It reads 8
 * bytes; rounding down keeps them within the page. Every sandbox allows this call.
 */
static bool
byte_readable(uintptr_t p)
{
	p &= ~(uintptr_t)7;
	/* Having no mask at all is allowed there. */
	return p != 0 && raw_syscall(SYS_rt_sigprocmask, -1, p, NULL, 8) != -EFAULT;
}

/* Adds 0 to the word atomically and wakes nobody that waits there. */
static bool
byte_writable(uintptr_t p)
{
	static uint32_t nobody;

	return raw_syscall(SYS_futex, &nobody, (FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG), 0, 0,
			   p & ~(uintptr_t)3,
			   FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0)) != -EFAULT;
}

static bool
ends_there(uintptr_t p, size_t n, bool (*there)(uintptr_t))
{
	uintptr_t last = p + n - 1, here = (uintptr_t)__builtin_frame_address(0) / PAGE;
	bool yes;

	if (n == 0)
		return true;
	if (last < p)
		return false;
	/* Small things mostly lie on the caller's stack, close to where we stand. */
	if (p / PAGE == here && last / PAGE == here)
		return true;
	MEMCHECK_QUIET_BEGIN();
	yes = there(p) && (p / PAGE == last / PAGE || there(last));
	MEMCHECK_QUIET_END();
	return yes;
}

bool
user_readable(const void *p, size_t n)
{
	return ends_there((uintptr_t)p, n, byte_readable);
}

bool
user_writable(void *p, size_t n)
{
	return ends_there((uintptr_t)p, n, byte_writable);
}

/* Options are a few bytes to a kilobyte: asking each page costs nothing that matters. */
static bool
range_there(uintptr_t p, size_t n, bool (*there)(uintptr_t))
{
	for (; n > PAGE; p += PAGE, n -= PAGE)
		if (!ends_there(p, PAGE, there))
			return false;
	return ends_there(p, n, there);
}

int
user_copy_in(void *to, const void *from, size_t n)
{
	if (!range_there((uintptr_t)from, n, byte_readable))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}

int
user_copy_out(void *to, const void *from, size_t n)
{
	if (!range_there((uintptr_t)to, n, byte_writable))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}
