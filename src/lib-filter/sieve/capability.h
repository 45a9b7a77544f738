/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_CAPABILITY_H
#define CULVER_LIB_FILTER_SIEVE_CAPABILITY_H
/* What ManageSieve says of the Sieve that scripts are written for. */
#include "lib/buf.h"
#include "lib-config/settings.h"

/* Appends the lines IMPLEMENTATION, SIEVE, NOTIFY, MAXREDIRECTS (RFC 5804 section 1.7).  False: no memory. */
bool sieve_capabilities(const struct set_view *view, struct buf *out);
#endif
