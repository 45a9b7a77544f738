/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_CHANGE_H
#define CULVER_LIB_INDEX_CHANGE_H
/*
 * Whatever changes mail is a change set, a value: messages added, flags changed, expunged; mailboxes made, renamed,
 * deleted.  A driver makes it true and applies it to the index in one transaction.  Only index_apply() writes `message'
 * and `change'.
 */
#include "lib-index/index.h"
#include "lib-index/total.h"

struct change_add {
	uint32_t uid;			/* 0: the driver's commit takes the next */
	struct idx_message rec;		/* modseq is set by applying */
	struct span summary;		/* empty: none */
	void *stage;			/* the driver's: where the body is (driver.h) */
	uint32_t source_uid;		/* of the source mailbox of a copy */
};

enum change_op { CHANGE_ADD, CHANGE_REMOVE, CHANGE_SET };

/* One thing done to the flags of many: decided message by message with the newest record in hand. */
struct change_flags {
	const uint32_t *uids;		/* ascending */
	size_t count;
	enum change_op op;
	uint8_t flags;
	uint64_t keywords;
	bool conditional;
	uint64_t unchanged_since;
	bool dirty;			/* the driver writes the file's name behind */
	/* CHANGE_SET leaves these as they are. */
	uint8_t keep;
	bool keep_keywords;
	/* Of uids, ascending: these get a new modseq also when nothing in the record changes. */
	const uint32_t *touch;
	size_t touch_count;
	/* Answers; room for count each, or NULL. */
	uint32_t *failed, *changed;
	size_t failed_count, changed_count;
};

/* What a scan found of a message that is known: its new record. */
struct change_seen {
	uint32_t uid;
	struct idx_message rec;
	bool flags_changed;		/* to be told to clients */
};

struct box_change;

/*
 * Asked within the transaction, when all of a change has been applied and nothing is committed: -1 and e when it must not
 * be.  The driver then undoes what it did to files, as with every other failure.  Called again when a commit is tried again.
 */
struct change_guard {
	int (*allows)(struct change_guard *g, struct index_txn *t, const struct box_change *c, struct err *e);
};

struct box_change {			/* what happens in one mailbox */
	uint32_t id;
	struct change_add *adds;	/* UIDs ascending, all new */
	size_t add_count;
	struct change_flags *flags;	/* NULL: none */
	struct change_seen *seen;	/* UIDs ascending */
	size_t seen_count;
	const uint32_t *expunges;	/* ascending; those not there are passed over */
	size_t expunge_count;
	uint64_t modseq;		/* answer: of all this; 0: nothing changed */
	size_t expunged;		/* answer: how many really went */
	struct idx_total delta;		/* answer: what it adds to the mailbox; modulo 2^64 when it takes away */
	struct change_guard *guard;	/* NULL: none */
};

enum { KEYWORD_NONE = 254, KEYWORD_UNKNOWN = 255 };
enum mailbox_op { MAILBOX_NONE, MAILBOX_MAKE, MAILBOX_RENAME, MAILBOX_DELETE };

/* Two mailboxes at most: [0] is changed; of a move [1] is the source. */
struct change_set {
	struct box_change *box[2];
	void *driver_box[2];		/* the driver's handle of each */
	bool copy, move;		/* the bodies of box[0]'s adds come from box[1]'s source_uid */
	/* Of a copy: the target's bit for each of the source's.  NONE: it has no room; UNKNOWN: nobody had it when this was made,
	 * and a message that has it by now is DRV_CONFLICT with keyword_missed. */
	uint8_t keyword_map[INDEX_KEYWORDS];
	bool keyword_missed;
	bool durable;			/* what is added must survive a power cut: mail_fsync */
	enum mailbox_op op;
	struct span name, new_name;
	bool only_parent;		/* make a name that holds no mail, where the layout knows that */
};

/*
 * Applies c to the mailbox of st: writes records, change log, summaries, counts; takes one modseq; writes st, in which the
 * driver may have set its own fields.  st->uidnext moves beyond what is added.
 */
int index_apply(struct index_txn *t, struct box_change *c, struct idx_state *st, struct err *e);
/* Adds one message to the counts of st (sign 1), or takes it away (-1). */
void index_count(struct idx_state *st, uint32_t uid, const struct idx_message *m, int sign);

/* Messages that come all or not at all, while they are under way: see batch.c. */
struct idx_batch {
	uint32_t id;		/* of the mailbox */
	uint32_t pid, count;
	int64_t begun_us;	/* since 1970 */
};
int index_batch_begin(struct index *ix, const struct idx_batch *b, struct err *e);	/* a transaction of its own */
int index_batch_end(struct index_txn *t, const struct idx_batch *b, struct err *e);
int index_batch_list(struct index_txn *t, uint32_t id, struct idx_batch *out, size_t room, size_t *count_out, struct err *e);

/* A mailbox's name, and all of its records. */
int index_mailbox_make(struct index_txn *t, const struct idx_state *st, struct err *e);
int index_mailbox_rename(struct index_txn *t, uint32_t id, struct span to, struct err *e);
/* The name goes at once; records in pieces of `most' at most: 1 while there is more. */
int index_mailbox_remove(struct index_txn *t, struct span name, struct err *e);
int index_mailbox_purge(struct index_txn *t, uint32_t id, size_t most, struct err *e);
/* All records of one that was removed, in transactions of their own, so that nobody waits long.  Where that fails the index
 * is to be verified, which finds them. */
void index_mailbox_sweep(struct index *ix, uint32_t id);
/* Both at once: for one in whose place there is another. */
int index_mailbox_drop(struct index_txn *t, struct span name, struct err *e);

/*
 * The log of what happened since modseq, in its order: on_change is called for each; it returns false to stop.
 * *complete_out false: it has been pruned beyond modseq, nothing was told.
 */
typedef bool change_fn(void *ctx, uint64_t modseq, uint32_t uid, enum idx_change what);
int index_changes_since(struct index_txn *t, uint32_t id, uint64_t modseq, bool *complete_out, change_fn *on_change,
    void *ctx, struct err *e);
#define INDEX_LOG_MOST 20000	/* expunges that are remembered */
/* Drops the older half of the log when it holds more than `most' expunges.  Writes st. */
int index_prune(struct index_txn *t, struct idx_state *st, uint32_t most, struct err *e);

/*
 * For a driver that meets IDX_STATE_DOUBT: numbers go on from uidnext and modseq, its durable marks; each message counts as
 * changed, the log begins anew, and the next sync takes from the mail what is missing.  Writes st.
 */
int index_settle(struct index_txn *t, struct idx_state *st, uint32_t uidnext, uint64_t modseq, struct err *e);
/* Sets the counts of st to what the records say. */
int index_recount(struct index_txn *t, struct idx_state *st, struct err *e);

/* Keyword names as a value: each with a NUL behind it. */
int index_keywords_get(struct index_txn *t, uint32_t id, struct span *value_out, struct err *e);	/* 1, 0, -1 */
int index_keywords_put(struct index_txn *t, uint32_t id, struct span value, struct err *e);
/* The UIDs that a mailbox had at some time: see lib-storage/view-cache.c. */
int index_view_get(struct index_txn *t, uint32_t id, struct span *value_out, struct err *e);	/* 1, 0, -1 */
int index_view_put(struct index_txn *t, uint32_t id, struct span value, struct err *e);
/* A summary made later. */
int index_summary_get(struct index_txn *t, uint32_t id, uint32_t uid, struct span *value_out, struct err *e);
int index_summary_put(struct index_txn *t, uint32_t id, uint32_t uid, struct span value, struct err *e);
#endif
