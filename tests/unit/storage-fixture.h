/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_STORAGE_FIXTURE_H
#define CULVER_TESTS_STORAGE_FIXTURE_H
/* A user's mail in a directory of its own, and short ways to do things with it.  Every failure fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib-storage/storage-priv.h"

struct fixture {
	char home[64];			/* a new directory; the mail is in home/Maildir */
	struct storage_conf conf;
	struct storage *st;
	struct arena *a;
};

void fixture_init(struct fixture *f);			/* makes home, opens nothing */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);			/* the storage alone */
void fixture_clear(struct fixture *f);			/* and removes home */
struct storage *fixture_storage(struct fixture *f);	/* another session of the same user */
/* A shell command in home; it must succeed. */
void fixture_run(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A number that a shell command prints. */
long fixture_number(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fixture_lose_index(struct fixture *f);		/* with the storage closed */

void must_say(int rc, const struct err *e, const char *what);
#define MUST(call, e) must_say((call), (e), #call)

struct mailbox *box_of(struct storage *st, const char *name, enum mailbox_mode mode);
/* Saves text; its UID. */
uint32_t save_text(struct mailbox *box, const char *text, unsigned flags);
uint32_t save_numbered(struct mailbox *box, unsigned number);
/* The number that save_numbered put into a message. */
unsigned number_of(struct mailbox *box, uint32_t uid);
void sync_box(struct mailbox *box, struct view_changes *vc);
unsigned flags_of(struct mailbox *box, uint32_t uid);
void add_flags(struct mailbox *box, uint32_t uid, unsigned flags);
void expunge_uid(struct mailbox *box, uint32_t uid);
/* Counts in the state, and in the records, agree. */
void check_counts(struct mailbox *box);
#endif
