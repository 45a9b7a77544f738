/* SPDX-License-Identifier: MIT */
/*
 * Making a change set true.  What is done to files is done inside the write transaction, so that processes of ours never
 * see each other's halves; the order is such that a crash at any point leaves what the next scan puts right:
 *
 * add: the body lies in tmp/ and is synced.  Rename, then record, then commit; then the directory is synced and the caller told.
 *	The rename must come before the commit: after a crash between the two the file's own name still carries the UID,
 *	while a committed record without a file would be a lost message.
 * expunge: unlink, then record, then commit.  A crash between: the scan finds the files missing and expunges the rest of
 *	what was asked for, or nothing.  Were the commit first, a file left behind would come back as a new message.
 * move: rename to the target with its UID, then records of both, then commit.  A crash between: the target's scan takes the
 *	file in with that UID, the source's finds it missing.
 * flags: the record alone, marked dirty; names follow behind (behind.c), or first with maildir_flag_sync = immediate.
 *
 * When something fails in the middle, what was done to files is undone, and the transaction is given up.
 */
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

#define EXPUNGE_BATCH 1000	/* unlinks in one transaction: others wait no longer than that takes */

int
maildir_dirs_sync(struct maildir_box *box, const unsigned events[2], struct err *e)
{
	for (int i = 0; i < 2; i++) {
		if (events[i] == 0)
			continue;
		if (maildir_sub_fd(box, i) == -1 || fsync(box->sub_fd[i]) == -1)
			return err_errno(e, "sync %s/%s", box->path, maildir_subdirs[i]);
	}
	return 0;
}

/* The path of a new message below its mailbox; in cur/ when it has flags. */
static int
new_path(char out[MAILDIR_NAME_MAX + 8], struct maildir_box *box, const struct idx_state *st, struct change_add *add,
    struct err *e)
{
	char base[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
	bool cur = add->rec.flags != 0 || add->rec.keywords != 0;

	/* S= is the size of the content, whatever the file's is. */
	if (!maildir_name_new(base, ((const struct maildir_stage *)add->stage)->size, add->rec.size, st->uidvalidity, add->uid) ||
	    !maildir_name_info(name, span_str(base), SPAN_NONE, add->rec.flags, add->rec.keywords, cur))
		return err_set(e, ERR_LIMIT, "%s: no name for a file", box->path);
	add->rec.bits = (uint8_t)((add->rec.bits & ~(IDX_NEW | IDX_DIRTY | IDX_MORE)) | (cur ? 0 : IDX_NEW));
	/* What the name can not tell is written behind. */
	if (add->rec.keywords >> MAILDIR_LETTERS != 0)
		add->rec.bits |= IDX_DIRTY;
	snprintf(out, MAILDIR_NAME_MAX + 8, "%s/%s", maildir_subdirs[cur ? SUB_CUR : SUB_NEW], name);
	add->rec.name = span_str(out + 4);
	return 0;
}

typedef char path_room[MAILDIR_NAME_MAX + 8];

static int
add_files(struct maildir_box *box, struct box_change *c, struct maildir_own *own, path_room *paths, size_t *done,
    struct err *e)
{
	for (size_t i = 0; i < c->add_count; i++) {
		struct maildir_stage *stage = c->adds[i].stage;
		int sub;

		c->adds[i].uid = own->st->uidnext + (uint32_t)i;
		if (new_path(paths[i], box, own->st, &c->adds[i], e) == -1)
			return -1;
		sub = c->adds[i].rec.bits & IDX_NEW ? SUB_NEW : SUB_CUR;
		maildir_own_will(own, sub);
		if (renameat(box->fd, stage->tmp, box->fd, paths[i]) == -1) {
			err_errno(e, "rename %s/%s", box->path, stage->tmp);
			/* A server of files may have done it nonetheless. */
			renameat(box->fd, paths[i], box->fd, stage->tmp);
			return -1;
		}
		maildir_own_did(own, sub, 1);
		*done = i + 1;
	}
	return 0;
}

/* Back to where it can be tried again.  False: the name of one may still be there. */
static bool
take_back(struct maildir_box *box, struct box_change *c, path_room *paths, size_t done)
{
	bool all = true;

	for (size_t i = 0; i < done; i++) {
		struct maildir_stage *stage = c->adds[i].stage;

		if (renameat(box->fd, paths[i], box->fd, stage->tmp) == -1 && unlinkat(box->fd, paths[i], 0) == -1)
			all = false;
	}
	return all;
}

void
maildir_added(struct maildir_box *box, const struct box_change *c)
{
	struct err e = ERR_INIT;
	bool due = false;

	for (size_t i = 0; i < c->add_count; i++) {
		if (!(c->adds[i].rec.bits & IDX_DIRTY))
			continue;
		maildir_dirty(box, c->adds[i].uid, c->adds[i].uid);
		due = true;
	}
	/* The mail is there: what fails here is tried again by who opens the mailbox next. */
	if (due && maildir_write_behind(box, NULL, 0, &e) != DRV_OK)
		log_warning("%s: %s", box->path, e.log);
}

static enum drv_rc
commit_add(struct maildir_box *box, struct change_set *cs, struct err *e)
{
	struct box_change *c = cs->box[0];
	struct index_txn *t;
	struct idx_state st;
	struct idx_batch batch;
	struct maildir_own own;
	bool all_back = true;
	struct err none = ERR_INIT;
	path_room *paths;
	size_t done = 0;
	enum drv_rc drc;
	int rc;

	paths = calloc(c->add_count, sizeof(*paths));
	if (paths == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	for (size_t i = 0; i < c->add_count; i++) {
		if (maildir_stage_sync(c->adds[i].stage, e) == 0)
			continue;
		free(paths);
		return drv_of(e);
	}
	drc = maildir_batch_begin(box, c->add_count, &batch, e) == -1 ? drv_of(e) :
	    maildir_begin_naming(box, (uint32_t)c->add_count, &t, &st, e);
	if (drc != DRV_OK) {
		free(paths);
		return drc;
	}
	maildir_own_begin(&own, box, &st);
	rc = add_files(box, c, &own, paths, &done, e);
	maildir_own_end(&own, rc == 0 ? &st : NULL);
	if (rc == 0)
		rc = index_apply(t, c, &st, e);
	if (rc == 0)
		rc = maildir_batch_end(t, &batch, e);
	if (rc == 0) {
		rc = index_commit(t, e);
	} else {
		/* With the lock in hand: nobody is to find the names. */
		all_back = take_back(box, c, paths, done);
		if (all_back)
			index_claim_put(t, 0, 0, &none);
		index_abort(t);
		done = 0;
	}
	/* Durable before it is acknowledged.  Where that fails, none of it is to be seen. */
	if (rc == 0 && cs->durable)
		rc = maildir_dirs_sync(box, own.events, e);
	for (size_t i = 0; i < done && rc == 0; i++)
		((struct maildir_stage *)c->adds[i].stage)->tmp[0] = '\0';	/* it is a message now */
	if (rc == -1 && !(take_back(box, c, paths, done) && all_back))
		batch.count = 0;	/* the note stays: a scan will see to it */
	if (rc == -1)
		maildir_batch_forget(box, &batch);
	else
		maildir_added(box, c);
	for (size_t i = 0; i < c->add_count; i++) {
		c->adds[i].rec.name = SPAN_NONE;
		if (rc == -1)
			c->adds[i].uid = 0;
	}
	if (rc == -1)
		c->modseq = 0;
	free(paths);
	return rc == 0 ? DRV_OK : drv_of(e);
}

/* 0 also when it has gone already; *done tells whether it was there. */
static int
unlink_one(struct maildir_box *box, struct index_txn *t, uint32_t uid, struct maildir_own *own, struct err *e)
{
	char path[MAILDIR_NAME_MAX + 8];
	struct idx_message m;
	int sub, rc = index_message_get(t, box->id, uid, &m, e);

	if (rc != 1)
		return rc;
	sub = m.bits & IDX_NEW ? SUB_NEW : SUB_CUR;
	snprintf(path, sizeof(path), "%s/%.*s", maildir_subdirs[sub], SPAN_ARG(m.name));
	maildir_own_will(own, sub);
	if (unlinkat(box->fd, path, 0) == 0) {
		maildir_own_did(own, sub, 1);
		return 0;
	}
	/* Renamed by another program: the scan is told where it is now. */
	return errno == ENOENT ? 1 : err_errno(e, "remove %s/%s", box->path, path);
}

static enum drv_rc
expunge_batch(struct maildir_box *box, struct change_set *cs, struct box_change *c, bool *renamed_out, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct maildir_own own;
	enum drv_rc drc = maildir_begin_known(box, &t, &st, e);
	size_t count = c->expunge_count;
	int rc = 0;

	if (drc != DRV_OK)
		return drc;
	maildir_own_begin(&own, box, &st);
	for (size_t i = 0; i < count; i++) {
		rc = unlink_one(box, t, c->expunges[i], &own, e);
		if (rc == 0)
			continue;
		if (rc == 1)
			*renamed_out = true;
		/* What was unlinked is gone and must be recorded; the rest stays, and is not. */
		c->expunge_count = i;
		break;
	}
	/* After a failure nobody knows what the directory holds: the next look reads it. */
	maildir_own_end(&own, rc == -1 ? NULL : &st);
	struct err apply_e = ERR_INIT;

	if (index_apply(t, c, &st, &apply_e) == -1) {
		index_abort(t);
		*e = apply_e;
		rc = -1;
	} else if (index_commit(t, &apply_e) == -1) {
		*e = apply_e;
		rc = -1;
	}
	if (rc != -1 && cs->durable && maildir_dirs_sync(box, own.events, e) == -1)
		rc = -1;
	return rc == -1 ? drv_of(e) : DRV_OK;
}

static enum drv_rc
commit_expunge(struct maildir_box *box, struct change_set *cs, struct err *e)
{
	struct box_change *c = cs->box[0], part;
	size_t at = 0;
	int scans = 0;

	c->expunged = 0;
	while (at < c->expunge_count) {
		bool renamed = false;
		enum drv_rc drc;

		part = *c;
		part.expunges = c->expunges + at;
		part.expunge_count = c->expunge_count - at < EXPUNGE_BATCH ? c->expunge_count - at : EXPUNGE_BATCH;
		drc = expunge_batch(box, cs, &part, &renamed, e);
		at += part.expunge_count;
		c->expunged += part.expunged;
		if (part.modseq > 0)
			c->modseq = part.modseq;
		if (drc != DRV_OK)
			return drc;
		if (renamed) {
			drc = scans++ < 3 ? maildir_sync(box, true, e) : (err_set(e, ERR_TEMP,
			    "%s: other programs rename its files all the time", box->path), DRV_UNAVAILABLE);
			if (drc != DRV_OK)
				return drc;
		}
	}
	return DRV_OK;
}

static enum drv_rc
commit_flags(struct maildir_box *box, struct change_set *cs, struct err *e)
{
	struct box_change *c = cs->box[0];
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc = maildir_begin_known(box, &t, &st, e);
	int rc;

	if (drc != DRV_OK)
		return drc;
	c->flags->dirty = true;
	rc = index_apply(t, c, &st, e);
	if (rc == 0 && c->modseq == 0) {
		index_abort(t);		/* nothing changed: nothing to write */
		return DRV_OK;
	}
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	if (rc == -1) {
		c->modseq = 0;
		return drv_of(e);
	}
	if (c->flags->count > 0)
		maildir_dirty(box, c->flags->uids[0], c->flags->uids[c->flags->count - 1]);
	if (box->store->p.flags_immediate || cs->durable)
		return maildir_write_behind(box, NULL, 0, e);
	return DRV_OK;
}

/*
 * A new mailbox is opened at once: that gives it a UIDVALIDITY of its own.  Files that are moved into it before anybody
 * else opens it may carry that of another, or of one of this name that was deleted.
 */
static enum drv_rc
commit_make(struct maildir_store *s, struct change_set *cs, struct err *e)
{
	enum drv_rc drc = maildir_box_make(s, cs->name, cs->only_parent, e);
	void *box;
	uint32_t id;

	if (drc != DRV_OK || cs->only_parent)
		return drc;
	drc = maildir_box_open(s, cs->name, &box, &id, e);
	if (drc == DRV_OK) {
		maildir_box_close(box);
	} else {
		char trash[MAILDIR_TRASH_MAX] = "";
		struct err none = ERR_INIT;

		/* A full disk: what is refused must not be there. */
		if (maildir_box_delete(s, cs->name, trash, &none) == DRV_OK && trash[0] != '\0')
			maildir_trash_empty(s, trash);
	}
	return drc;
}

/* An index that was lost meanwhile must have seen the numbers of a mailbox that goes: the next of its name gets later ones. */
static void
note_numbers(struct maildir_store *s, struct span name)
{
	struct err e = ERR_INIT;
	struct index_txn *t;
	uint32_t id;
	void *box;
	bool known = index_read(s->ix, &t, &e) == 0 && index_mailbox_find(t, name, &id, &e) == 1;

	index_read_end(s->ix);
	if (!known && maildir_box_open(s, name, &box, &id, &e) == DRV_OK)
		maildir_box_close(box);
}

/* Mailboxes made, renamed, deleted. */
static enum drv_rc
commit_mailbox(struct maildir_store *s, struct change_set *cs, struct err *e)
{
	struct index_txn *t;
	char trash[MAILDIR_TRASH_MAX] = "";
	uint32_t id = 0;
	bool gone = false;
	enum drv_rc drc;
	int rc;

	switch (cs->op) {
	case MAILBOX_MAKE:
		return commit_make(s, cs, e);
	case MAILBOX_RENAME:
		if (index_write(s->ix, &t, e) == -1)
			return drv_of(e);
		rc = index_mailbox_find(t, cs->name, &id, e);
		drc = rc == -1 ? drv_of(e) : maildir_box_rename(s, cs->name, cs->new_name, e);
		if (drc == DRV_OK && rc == 1 && index_mailbox_rename(t, id, cs->new_name, e) == -1)
			drc = drv_of(e);
		break;
	case MAILBOX_DELETE:
		if (index_check(s->ix, e) == -1)
			return drv_of(e);
		note_numbers(s, cs->name);
		if (index_write(s->ix, &t, e) == -1)
			return drv_of(e);
		rc = index_mailbox_find(t, cs->name, &id, e);
		drc = rc == -1 ? drv_of(e) : maildir_box_delete(s, cs->name, trash, e);
		if (drc == DRV_OK && rc == 1 && index_mailbox_remove(t, cs->name, e) == -1)
			drc = drv_of(e);
		break;
	case MAILBOX_NONE:
	default:
		return DRV_OK;
	}
	/* The directory has changed already: an index that does not know is put right when the name is opened. */
	if (drc != DRV_OK)
		index_abort(t);
	else if (index_commit(t, e) == -1)
		drc = drv_of(e);
	else
		gone = cs->op == MAILBOX_DELETE && rc == 1;
	if (drc == DRV_OK)
		drc = maildir_sync_moved(s, cs->name, e);
	if (drc == DRV_OK && cs->op == MAILBOX_RENAME)
		drc = maildir_sync_moved(s, cs->new_name, e);
	if (trash[0] != '\0')
		maildir_trash_empty(s, trash);
	if (gone)
		index_mailbox_sweep(s->ix, id);
	return drc;
}

enum drv_rc
maildir_commit(void *store, struct change_set *cs, struct err *e)
{
	struct maildir_box *box = cs->driver_box[0];

	if (cs->op != MAILBOX_NONE)
		return commit_mailbox(store, cs, e);
	if (cs->copy || cs->move)
		return maildir_commit_copy(store, cs, e);
	if (cs->box[0]->add_count > 0)
		return commit_add(box, cs, e);
	if (cs->box[0]->flags != NULL)
		return commit_flags(box, cs, e);
	return commit_expunge(box, cs, e);
}
