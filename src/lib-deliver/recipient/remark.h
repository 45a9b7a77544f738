/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_REMARK_H
#define CULVER_LIB_DELIVER_RECIPIENT_REMARK_H
/* What whoever wrote a table should hear of its lines. */
#include "lib/err.h"
#include "lib/span.h"

#define RECIPIENT_REMARKS 20
/* A doubt about an answer, behind its words. */
#define RECIPIENT_REPLY_MENDED "has a status of another class than its code: the code counts"

struct recipient_remark {
	unsigned line;
	bool mistake;		/* the line is not understood; otherwise it is taken, and may not be what somebody meant */
	char what[200];
};

struct recipient_remarks {
	bool go_on;		/* a line that is not understood is a mistake here, not an error of the whole */
	size_t count, mistakes;	/* in all */
	size_t good;		/* lines that are understood */
	struct recipient_remark list[RECIPIENT_REMARKS];	/* the first of them, count at most */
};

/* Before a table is read: nothing was found. */
void recipient_remarks_begin(struct recipient_remarks *r);
/* A doubt: what the key (or name) of a line is. */
void recipient_remark_doubt(struct recipient_remarks *r, unsigned line, struct span key, const char *what);
void recipient_remark_mistake(struct recipient_remarks *r, unsigned line, const struct err *e);
/* For the log: each line that there is something to say about, and how many more there are.  then: what becomes of mistakes. */
void recipient_remarks_log(const struct recipient_remarks *r, const char *path, const char *then);
#endif
