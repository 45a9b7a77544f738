/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_VIEW_MODEL_H
#define CULVER_TESTS_VIEW_MODEL_H
/*
 * What a user's mailboxes must hold, kept as simply as can be: arrays of messages.  What sessions do is done to the model
 * as well; what programs outside do is noted as something that the next scan may find.  model_absorb() compares the index
 * with the model after each step, and takes in what it found of the latter.
 */
#include "storage-fixture.h"

#define MODEL_NAMES 5		/* "INBOX" and four folders */
#define MODEL_KEYWORDS 6	/* k0 ... */
#define MODEL_MOST 60		/* messages a mailbox is let grow to */

extern const char *const model_names[MODEL_NAMES];

struct model_msg {
	uint32_t uid;
	unsigned content;		/* its number: see save_numbered() */
	uint64_t modseq;
	/* What its flags and keywords may be; more than one while an outside rename has not been seen. */
	unsigned flags[2], keywords;
	unsigned choices;
	bool file_gone;			/* removed outside, which nobody has seen yet */
	bool touched;			/* changed by the step that is going on */
};

struct model_box {
	uint32_t uidvalidity, uidnext;
	bool renamed;		/* a mailbox of another name before: its UIDVALIDITY may be less than that of one deleted here */
	uint64_t highest;
	struct model_msg msgs[4 * MODEL_MOST];
	size_t count;
	unsigned arrived[2 * MODEL_MOST];	/* numbers of files put there from outside, not seen yet */
	unsigned arrived_flags[2 * MODEL_MOST];
	size_t arrived_count;
	unsigned *history;			/* by UID: number + 1 of the message that it stood for */
	size_t history_cap;
	bool lost;				/* the index was removed, and this mailbox's part is not yet made anew */
	unsigned references;			/* sessions that have it open, and the name */
};

struct model {
	struct fixture f;
	struct storage *observer, *reader;
	bool mbox;			/* else Maildir; outside programs only append to it */
	struct model_box *names[MODEL_NAMES];	/* NULL: there is no such mailbox */
	uint32_t validity_before[MODEL_NAMES];	/* of a mailbox of that name that was deleted */
	unsigned next_content;
	uint64_t seed, steps, random;
	struct arena *a;
};

void model_begin(struct model *m, uint64_t seed, bool mbox);
void model_end(struct model *m);
unsigned model_roll(struct model *m, unsigned n);	/* 0 .. n - 1 */

/* Notes what is done, to be shown when something is wrong. */
void model_note(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void model_fail(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
#define MODEL_CHECK(m, ok, ...) do { if (!(ok)) model_fail((m), __VA_ARGS__); } while (0)

/* As MUST of the fixture, with what was done before. */
void model_must(int rc, const struct err *e, const char *what);
#undef MUST
#define MUST(call, e) model_must((call), (e), #call)

struct model_msg *model_find(struct model_box *b, uint32_t uid);	/* NULL: it is not there */
struct model_msg *model_add(struct model *m, struct model_box *b, uint32_t uid, unsigned content);
void model_remove(struct model_box *b, struct model_msg *msg);
struct model_box *model_box_new(struct model *m);
void model_box_drop(struct model_box *b);	/* one reference less */

/* Compares the index with the model.  settled: a sync has just looked, so that nothing of the outside may be left unseen. */
void model_absorb(struct model *m, int name, bool settled);
/* The bits of k0 ... in the order of the names, of keywords as a mailbox numbers them. */
unsigned model_keywords(const struct span *names, size_t count, uint64_t mask);

/* What programs outside do. */
void model_outside(struct model *m);
void model_lose_index(struct model *m);
#endif
