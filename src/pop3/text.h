/* SPDX-License-Identifier: MIT */
#ifndef CULVER_POP3_TEXT_H
#define CULVER_POP3_TEXT_H
/* A stored message as RETR and TOP send it: CRLF line ends, and a dot before each dot at the start of a line. */
#include "lib/span.h"

struct pop3_text {	/* between two pieces of one message; all zero at its start */
	bool in_line;	/* the octet before was no LF */
	bool cr;	/* it was a CR, or a CR has been put out for an LF that is still to come */
	uint64_t dots;	/* that were put in */
	bool no_nuls;	/* NUL is sent as 0x80 (pop3_client_workarounds = outlook-no-nuls) */
};

#define POP3_TEXT_ROOM 4	/* room below which nothing may be written */

/*
 * Takes octets off the front of *in and writes them into room until one of the two is used up (or less than
 * POP3_TEXT_ROOM octets of room are left).  Returns how many octets were written.
 */
size_t pop3_text(struct pop3_text *t, struct span *in, char *room, size_t size);

/*
 * The part of a message that TOP sends: its header with the empty line, and the first `lines` lines of the body.
 * *has_end_out: whether there is an empty line at the header's end.
 */
struct span pop3_top(struct span message, uint64_t lines, bool *has_end_out);
#endif
