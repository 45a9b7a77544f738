/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_HOST_H
#define CULVER_LIB_DELIVER_HOST_H
/* What a filter may ask of the delivery it is run in (struct filter_host), and what the delivery tells the journal. */
#include "lib-deliver/deliver.h"
#include "lib-deliver/filter-list.h"
#include "lib-deliver/journal.h"
#include "lib-deliver/marks.h"

struct deliver_host {
	struct filter_host table;	/* for the filter; its ctx is this */
	const struct deliver_request *r;
	struct arena *a;
	const char *by;			/* in front of log lines: "sieve: " */
	int dir_fd;			/* of marks and journal; -1: there is none */
	struct marks *marks;		/* opened when first asked for, and locked until the end */
	bool marks_failed;
	struct journal_entry entry;
	struct filter_lists *lists;	/* NULL until one is asked for */
};

/* a: of what the filter is told, and of the journal's lines. */
void deliver_host_begin(struct deliver_host *h, const struct deliver_request *r, struct arena *a);
/* Gives the marks free, and writes the journal. */
void deliver_host_end(struct deliver_host *h);
bool deliver_host_is_marked(struct deliver_host *h, struct span mark, int64_t seconds);
void deliver_host_mark(struct deliver_host *h, struct span mark, int64_t seconds);
/* Who signs what the server writes: postmaster_address with its variables, which may have a name with it; in a. */
int deliver_host_postmaster(struct deliver_host *h, struct span *out, struct err *e);
/* The mailbox with that special use (mailbox: empty: any); in a. */
bool deliver_special_use(struct storage *st, struct span mailbox, struct span use, struct arena *a, struct span *name_out);
/* A step for the journal: what was done, and which rule wanted it (action may be NULL). */
void deliver_host_note(struct deliver_host *h, const struct filter_action *action, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#endif
