/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_SCRIPT_REQUEST_H
#define CULVER_LIB_CONFIG_SCRIPT_REQUEST_H
/*
 * What a `script' service is told: which arguments its program shall have, and whether somebody waits for its answer.
 *
 *	request = "VERSION" TAB "script" TAB "4" TAB minor LF
 *		["alarm=" seconds LF] ("noreply" / "-") LF *(argument LF) LF
 *	answer = *octet ("+" / "-") LF
 *
 * In an argument \001 begins an escape: \0011 is \001, t TAB, n LF, r CR; none is empty.  Behind a request with "-" comes what the
 * program reads, up to the end of that direction; the answer is what it writes, and whether it ended well.
 */
#include "lib/buf.h"
#include "lib/err.h"

#define SCRIPT_REQUEST_MAX 65536
#define SCRIPT_ARGUMENTS_MAX 64

/* executable = script /PROGRAM ARGUMENT ...; *command_out: what stands behind the first word.  False: it is no such thing. */
bool script_command(struct span executable, struct span *command_out);

void script_request_begin(struct buf *out);
/* For an answer, which is wanted within so many seconds. */
void script_request_begin_answered(struct buf *out, unsigned seconds);
void script_request_add(struct buf *out, struct span argument);
void script_request_end(struct buf *out);

enum script_parse { SCRIPT_MORE, SCRIPT_DONE, SCRIPT_BAD };

struct script_request {
	const char *arguments[SCRIPT_ARGUMENTS_MAX];	/* their escapes undone, each ended by a NUL, of which none is inside */
	size_t count;
	bool answered;			/* somebody waits; what stands behind the request is the program's */
	unsigned seconds;		/* for so long; 0: it is not said */
	size_t used;			/* octets of the request */
};

/* SCRIPT_DONE: in begins with a request (it is one, where no answer is wanted).  The arguments are in room, SCRIPT_REQUEST_MAX octets. */
enum script_parse script_request_parse(struct span in, char *room, struct script_request *out);
#endif
