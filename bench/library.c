/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.c: finds the libktls.so that is measured.
 */
#include <err.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* The build puts the library one directory above this program. */
const char *
find_library(const char *given)
{
	static char path[PATH_MAX];

	if (given) {
		if (!realpath(given, path))
			err(1, "%s", given);
		return path;
	}
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (n < 0)
		err(1, "/proc/self/exe");
	path[n] = '\0';
	for (int up = 0; up < 2; up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/libktls.so");
	if (access(path, R_OK))
		err(1, "%s", path);
	return path;
}
