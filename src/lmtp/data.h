/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_DATA_H
#define CULVER_LMTP_DATA_H
/*
 * The octets behind DATA (RFC 5321 section 4.5.2).  Only CR LF is a line end, so only CR LF . CR LF ends the message, and
 * only a dot behind CR LF is taken away: what another server takes for the end of a message can not be smuggled in as
 * one, nor be hidden from this one.  Bare CRs and LFs stay in the message as they are.
 */
#include "lib/span.h"

struct smtp_data {	/* all zero at the start: DATA's own CR LF is the first line end */
	enum { SMTP_DATA_START, SMTP_DATA_LINE, SMTP_DATA_CR, SMTP_DATA_DOT, SMTP_DATA_DOT_CR, SMTP_DATA_END } state;
};

/*
 * Takes octets off the front of *in, up to the message's end, and writes those of the message to out, which has room for
 * in->n + 1.  Returns how many were written.  At the end d->state is SMTP_DATA_END, and *in is what follows.
 */
size_t smtp_data(struct smtp_data *d, struct span *in, char *out);
#endif
