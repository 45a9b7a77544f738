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
/* 1: it was released, or is coming back: what the index knows of it is from before.  0, -1. */
int maildir_adopt_waits(struct maildir_box *box, struct err *e);
/* What is there to take over.  Sets in c: uidvalidity (0: a new one is needed), uid_start, modseq_start, keywords. */
int maildir_adopt_read(struct maildir_box *box, struct maildir_control *c, struct adoption *a, struct err *e);
/* With c->uidvalidity and a->fence as numbers that are this user's alone: writes all but the control file. */
int maildir_adopt_write(struct maildir_box *box, const struct maildir_control *c, struct adoption *a, struct err *e);
void maildir_adopt_done(struct maildir_box *box, const struct adoption *a);	/* the control file stands */
void maildir_adopt_clear(struct adoption *a);

/* Dovecot was started without a release, so its list is not the fence any more: told by the first scan after it, which
 * takes its new keywords over. */
int maildir_adopt_look(struct maildir_box *box, const struct idx_state *st, struct err *e);

/* Makes dovecot-uidlist an empty one with the UIDVALIDITY number. */
int maildir_fence(struct maildir_box *box, int control_dir, uint32_t number, struct err *e);

/* culver-uidlist: 1, 0 there is none (of this UIDVALIDITY), -1. */
int maildir_facts_read(struct maildir_box *box, uint32_t uidvalidity, struct maildir_list_file *out, struct err *e);

/* facts.c */
void maildir_facts_forget(struct maildir_box *box);
/* Whether the UID in a name may be that file's, by a list of the same UIDVALIDITY. */
bool maildir_facts_tag_fits(const struct uidlist *l, const struct maildir_name *n);
/* What the list says: what POP3 calls a message (in room, or in the list); its size with CRLF when the file has so many
 * octets, or IDX_SIZE_UNKNOWN; its keywords, by the name that it had. */
bool maildir_facts_uidl(const struct uidlist *l, uint32_t uid, struct span base, char room[MAILDIR_NAME_MAX + 1],
    struct span *out);
uint64_t maildir_facts_size(const struct uidlist *l, uint32_t uid, uint64_t file_size);
uint32_t maildir_facts_keywords(const struct uidlist *l, struct span base);
/* release.c.  The directory of a mailbox's control file, without opening it; malloc'ed. */
char *maildir_control_path_of(const struct maildir_store *s, struct span name, struct err *e);
/* With the control file read: a dovecot-uidlist of the same UIDVALIDITY beside it is made the fence again. */
int maildir_release_undo(struct maildir_box *box, const struct maildir_control *c, struct err *e);
/* dovecot-keywords as c has them, where there is a dovecot-uidlist: letters are in names, and mean the same to all. */
int maildir_keywords_tell(struct maildir_box *box, const struct maildir_control *c, struct err *e);

/* A plain file of max octets at most: 1, 0 not there, -1 (ERR_LIMIT: too large, or something else). */
int maildir_read_at(int dir, const char *name, size_t max, struct buf *out, struct err *e);
#endif
