/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_ADOPT_H
#define CULVER_LIB_STORAGE_MAILDIR_ADOPT_H
/* Taking a mailbox over from another server, and giving it back; shared by the files of the Maildir driver alone. */
#include "lib-storage/maildir/maildir.h"
#include "lib-storage/maildir/uidlist.h"

#define FACTS_NAME "culver-uidlist"
#define RELEASED_NAME "culver-mailbox.released"		/* the control file of a mailbox that Dovecot has now */
#define RETURNED_NAME "culver-mailbox.returned"		/* the same, when it may be taken back */

struct maildir_list_file {
	struct buf text;
	struct uidlist list;	/* of text */
};
void maildir_list_file_clear(struct maildir_list_file *f);

enum adopt_from { ADOPT_NOTHING, ADOPT_OURS, ADOPT_DOVECOT, ADOPT_COURIER };

struct adoption {
	enum adopt_from from;
	struct buf entries;		/* of the new culver-uidlist */
	char guid[65];
	uint32_t next, fence;
	uint32_t highest_validity;	/* that Dovecot gave to any mailbox; 0: unknown */
	uint32_t id;			/* the mailbox had before it was released; 0: none */
	bool returned;
	size_t count, unsound;
};

/* The box is locked for all of these. */
int maildir_adopt_refused(struct maildir_box *box, struct err *e);	/* -1 and ERR_INUSE: it has been released */
/* What is there to take over.  Sets in c: uidvalidity (0: a new one is needed), uid_start, modseq_start, keywords. */
int maildir_adopt_read(struct maildir_box *box, struct maildir_control *c, struct adoption *a, struct err *e);
/* With c->uidvalidity and a->fence as numbers that are this user's alone: writes all but the control file. */
int maildir_adopt_write(struct maildir_box *box, const struct maildir_control *c, struct adoption *a, struct err *e);
void maildir_adopt_done(struct maildir_box *box, const struct adoption *a);	/* the control file stands */
void maildir_adopt_clear(struct adoption *a);

/* Whether dovecot-uidlist has messages in it and is newer than that, while the mailbox is ours. */
bool maildir_adopt_is_foreign(int control_dir, int64_t since);
/* Takes over keywords of dovecot-keywords whose letters are free here.  The box is not locked. */
int maildir_adopt_keywords(struct maildir_box *box, struct err *e);

/* Makes dovecot-uidlist an empty one with the UIDVALIDITY number. */
int maildir_fence(struct maildir_box *box, int control_dir, uint32_t number, struct err *e);

/* culver-uidlist: 1, 0 there is none (of this UIDVALIDITY), -1. */
int maildir_facts_read(struct maildir_box *box, uint32_t uidvalidity, struct maildir_list_file *out, struct err *e);

/* facts.c */
void maildir_facts_forget(struct maildir_box *box);
/* release.c.  The directory of a mailbox's control file, without opening it; malloc'ed. */
char *maildir_control_path_of(const struct maildir_store *s, struct span name, struct err *e);
/* With the control file read: a dovecot-uidlist of the same UIDVALIDITY beside it is made the fence again. */
int maildir_release_undo(struct maildir_box *box, const struct maildir_control *c, struct err *e);
/* dovecot-keywords as c has them, where there is a dovecot-uidlist: letters are in names, and mean the same to all. */
int maildir_keywords_tell(struct maildir_box *box, const struct maildir_control *c, struct err *e);

/* A plain file of max octets at most: 1, 0 not there, -1 (ERR_LIMIT: too large, or something else). */
int maildir_read_at(int dir, const char *name, size_t max, struct buf *out, struct err *e);
#endif
