/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_QUOTA_PRIV_H
#define CULVER_LIB_STORAGE_QUOTA_PRIV_H
/* Quota's settings and state, for the files of lib-storage. */
#include "lib/arena.h"
#include "lib-config/quota-rule.h"
#include "lib-index/change.h"
#include "lib-storage/quota.h"

#define QUOTA_ROOTS_MAX 8
#define QUOTA_RULES_MAX 100		/* of one root; warnings as many */
#define QUOTA_GRACE_DEFAULT { .n = 10, .is_set = true, .is_percent = true }

struct mailbox;
struct namespace;
struct store;
struct var;

struct quota_root {
	struct quota_root_def def;
	struct quota_limits limits;	/* of the default rule */
	bool yields;			/* no default rule, or "?": limits that the mail itself names are taken */
	struct quota_rule *rules;	/* those for mailboxes */
	size_t rule_count;
	struct quota_warning *warnings;	/* %variables in their commands are expanded */
	size_t warning_count;
	struct quota_amount grace;
	bool has_ignored;
};

/* As read from the settings (quota-settings.c): spans borrowed until storage_open_conf ends.  No roots: no quota. */
struct quota_conf {
	struct quota_root roots[QUOTA_ROOTS_MAX];
	size_t root_count;
	bool is_delivery;		/* the last mail may go over the limit, by quota_grace */
	bool vsizes;			/* sizes with CRLF line ends for maildir roots too */
	uint64_t max_mail_size;		/* 0: any */
	struct span base_dir;		/* of sockets that warnings go to */
	struct span words;		/* quota_exceeded_message; empty: the usual ones */
};

struct quota {
	struct quota_conf conf;		/* owned: in arena */
	struct arena *arena;
	bool needs_falls;		/* somebody wants to know of mail that goes: a warning, or maildirsize */
	bool has_file;			/* a root keeps maildirsize */
	bool recount_file;		/* maildirsize is to be made anew */
};

struct quota_used {
	uint64_t bytes, messages;
};

/* What one change of mailboxes means for the roots.  For the time of the call that commits it. */
struct quota_guard {
	struct change_guard base;
	struct storage *st;
	struct mailbox *box;		/* what changes */
	bool enforce;
	bool is_others;			/* another user's: his limits hold */
	unsigned roots;			/* a bit for each that looks */
	struct {
		bool seen;
		struct quota_used before, after;
	} root[QUOTA_ROOTS_MAX];
	int64_t file_bytes, file_messages;	/* written to maildirsize, in the hope of a commit */
};

/* vars: for the commands of warnings.  In arena, or in the view. */
int quota_settings_read(const struct set_view *v, const struct var *vars, struct arena *a, struct quota_conf *out,
    struct err *e);
int quota_new(const struct quota_conf *c, struct quota **out, struct err *e);
void quota_free(struct quota *q);		/* NULL is fine */

/*
 * Mail comes to box (enforce), or goes from it.  other: where it goes to or comes from, as a move within one store does; what
 * counts on both sides is free.  NULL else.
 */
void quota_guard_init(struct quota_guard *g, struct mailbox *box, struct mailbox *other, bool enforce);
/* For box_change.guard; NULL when nobody looks. */
struct change_guard *quota_guard_of(struct quota_guard *g);
/* After the commit (or its failure): runs warnings. */
void quota_guard_done(struct quota_guard *g, bool committed);

/* Around the deletion of a mailbox. */
void quota_delete_begin(struct storage *st, struct quota_guard *g);
void quota_delete_end(struct quota_guard *g);

/* Of one root.  t: a transaction on s's index that is going on, or NULL. */
int quota_usage(struct storage *st, const struct quota_root *r, struct store *s, struct index_txn *t,
    struct quota_used *out, struct err *e);
bool quota_root_covers(const struct storage *st, const struct quota_root *r, const struct namespace *ns);
bool quota_root_ignores(const struct quota_root *r, struct span visible);

/* quota-owner.c: this user's limits, for others who save to his mailboxes; and theirs.  Within a transaction on box's index,
 * bytes and messages on top of what is there. */
void quota_owner_publish(struct storage *st);
int quota_owner_check(struct mailbox *box, struct index_txn *t, uint64_t bytes, uint64_t messages, struct err *e);

/* quota-warning.c */
void quota_warn(const struct quota *q, const struct quota_root *r, const struct quota_used *before,
    const struct quota_used *after);
/* Whether w is met on the way; for quota_warn and its test. */
bool quota_warning_is_met(const struct quota_warning *w, const struct quota_limits *base, const struct quota_used *before,
    const struct quota_used *after);

/* quota-file.c: maildirsize. */
struct quota_file_limits {
	bool has_bytes, has_messages;
	uint64_t bytes, messages;
};
/* The limits that the file's first line names: "10000S,100C".  False: it is no such file. */
bool quota_file_parse(struct span text, struct quota_file_limits *limits_out, int64_t *bytes_out, int64_t *messages_out);
/* A root that yields takes its limits from the file, if that is there. */
void quota_file_limits(struct storage *st, struct quota_root *r);
/* Within the transaction of a change; what was written is taken back by the negative. */
void quota_file_change(struct storage *st, const struct quota_root *r, int64_t bytes, int64_t messages);
/* Makes it anew where that was found to be due. */
void quota_file_settle(struct storage *st);
#endif
