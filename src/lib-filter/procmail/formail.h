/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_FORMAIL_H
#define CULVER_LIB_FILTER_PROCMAIL_FORMAIL_H
/*
 * formail(1), the part of it that edits one message, so that the common "| formail ..." costs no process:
 * -a -A -i -I -u -U -R -x -X -r -t -k -c -z -b -f -p -q -Y.  What splits mailboxes, keeps files or runs programs (-s -d -D
 * -e -l -n -m -B, +skip -total) is not in it.
 */
#include "lib/buf.h"

struct formail_context {
	int64_t now;			/* of a From_ line that is missing */
	struct span host_name;		/* of a Message-ID that is made */
	uint64_t unique;		/* for the same; another each time */
};

enum formail_rc {
	FORMAIL_DONE,
	FORMAIL_NOBODY,		/* done, with -r, but nobody to answer was found; the exit code is 67 */
	FORMAIL_FAILED,		/* with usage that formail refuses; the exit code is 64 */
	FORMAIL_UNKNOWN,	/* an option that is not in here: run the program */
};

bool formail_is(struct span program);	/* whether a command's first word means it */

#define FORMAIL_FIELDS 200	/* named by options */

/* argv without the name of the program.  out: what formail would write; out->failed when that is too large. */
enum formail_rc formail_run(const struct span *argv, size_t argc, struct span in, const struct formail_context *c, struct buf *out);
/* What formail(1) would do otherwise with these; NULL: nothing. */
const char *formail_warning(const struct span *argv, size_t argc);
#endif
