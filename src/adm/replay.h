/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_REPLAY_H
#define CULVER_ADM_REPLAY_H
/*
 * What a filter would make of a message that lies in a mailbox already, as the difference to where it is and how it is
 * flagged.  Pure: it looks at actions and names, and does nothing.
 */
#include "lib/buf.h"
#include "lib-filter/filter.h"

struct replay_flags {
	unsigned flags;			/* enum msg_flag */
	struct span *keywords;
	size_t keyword_count;
};

/* The message as it is. */
struct replay_at {
	struct span mailbox;
	struct span text;
	struct replay_flags flags;
};

/* A mailbox that the message would be in. */
struct replay_place {
	struct replay_place *next;
	struct span mailbox;
	bool here;			/* it is there already */
	bool make;			/* the mailbox must be made first */
	bool there;			/* a copy is: none is made */
	bool set_flags;			/* flags are to be these; else they stay */
	struct replay_flags flags;
};

struct replay_plan {
	struct replay_place *places;	/* the one to move to comes first, unless the message stays */
	bool stays;
	bool changes;			/* anything but "kept" */
	struct span what;		/* "moved to Lists, flags +\Flagged; redirected to <x@example.org>" */
	struct span rules;		/* which lines of which scripts wanted it */
};

/* What the planner asks. */
struct replay_host {
	void *ctx;
	struct span keep;		/* where kept messages go; empty: they stay where they are */
	/* Whether the mailbox has the message already: then it is not copied there once more.  NULL: none has. */
	bool (*has)(void *ctx, struct span mailbox);
	/* The mailbox that a FILTER_SAVE (not a keep) means, in a.  False: there is none, *make_out: and it would be made. */
	bool (*place)(void *ctx, const struct filter_action *action, struct span *name_out, bool *make_out);
};

/* All in a.  False: no memory. */
bool replay_plan(const struct filter_action *actions, const struct replay_at *at, const struct replay_host *host,
    struct arena *a, struct replay_plan *out);

/* The flags as words, for a script to begin with; in a. */
struct span replay_flag_words(const struct replay_flags *flags, struct arena *a);
#endif
