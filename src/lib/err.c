/* SPDX-License-Identifier: MIT */
#include "lib/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->log, sizeof(e->log), fmt, ap);
	va_end(ap);
	return -1;
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->log)];
	va_list ap;
	int n;

	memcpy(old, e->log, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(e->log, sizeof(e->log), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->log))
		snprintf(e->log + n, sizeof(e->log) - (size_t)n, ": %s", old);
	return -1;
}

static enum err_code
code_of_errno(int error)
{
	switch (error) {
	case ENOENT:
		return ERR_NOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_QUOTA;
	case EEXIST:
		return ERR_EXISTS;
	default:
		return ERR_TEMP;
	}
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	int error = errno;
	va_list ap;
	int n;

	e->code = code_of_errno(error);
	va_start(ap, fmt);
	n = vsnprintf(e->log, sizeof(e->log), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->log))
		snprintf(e->log + n, sizeof(e->log) - (size_t)n, ": %s", strerror(error));
	errno = error;
	return -1;
}
