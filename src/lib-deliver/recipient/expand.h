/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_EXPAND_H
#define CULVER_LIB_DELIVER_RECIPIENT_EXPAND_H
/*
 * What the tables make of one recipient: the ends to which its mail goes.  An address is looked for in the virtual tables, then,
 * where its domain is local, in the aliases (user+detail, user+*, user); what it leads to is looked for in the same way.  An
 * address that leads to itself is the user of that name.  Of addresses that lead to each other ("bob: Bob.Smith", "Bob.Smith:
 * bob") whoever is a user has the mail; where none is, it goes nowhere from there.
 */
#include "lib-deliver/recipient/tables.h"
#include "lib-deliver/smtp-path.h"

enum recipient_end {
	RECIPIENT_END_USER,	/* a mailbox here: auth is asked */
	RECIPIENT_END_REMOTE,	/* an address elsewhere */
	RECIPIENT_END_PROGRAM,
	RECIPIENT_END_FILE,
	RECIPIENT_END_DISCARD,	/* /dev/null */
	RECIPIENT_END_LOOP,	/* the first of users whom auth knows; reply where it is the only end and there is none */
	RECIPIENT_END_FAIL,	/* as reply says */
};

struct recipient_leg {
	enum recipient_end end;
	struct span text;		/* the address, the program with its arguments, the file, what failed */
	struct span local, domain;	/* USER, REMOTE */
	struct recipient_reply reply;	/* FAIL, LOOP */
	const struct smtp_path *users;	/* LOOP */
	size_t user_count;
	struct span sender;		/* owner-LIST: of the envelope from here on; p NULL: as it is */
	struct recipient_place place;	/* what led here; path empty: the recipient itself */
};

struct recipient_step {
	unsigned depth;
	struct span address;
	struct recipient_place place;	/* empty path: nothing was found */
	struct span what;
};

struct recipient_expand_options {
	const struct recipient_tables *tables;
	struct span delimiters;		/* recipient_delimiter */
	struct span domains;		/* recipient_domains */
	struct span hostname;
	struct span quarantine;		/* recipient_quarantine */
	size_t max_depth, max_targets;
	bool files, programs;		/* aliases may name them */
	bool explain;			/* steps are wanted */
};

struct recipient_expansion {
	struct recipient_leg *legs;
	size_t leg_count;
	struct recipient_step *steps;
	size_t step_count;
	bool changed;			/* a table knew it */
};

/* Whether there is a user for programs and files of aliases; who owns the server's own files is none. */
bool recipient_user_may_act(const struct set_view *view);
/* Those of the settings; hostname is the view's or the system's. */
void recipient_expand_settings(const struct set_view *view, const struct recipient_tables *t, struct recipient_expand_options *out);

/*
 * Results in a, and spans of the tables (until their next refresh).  At least one leg.  -1: ERR_LIMIT, more than max_targets;
 * ERR_TEMP.
 */
int recipient_expand(const struct recipient_expand_options *o, const struct smtp_path *rcpt, struct arena *a,
    struct recipient_expansion *out, struct err *e);
#endif
