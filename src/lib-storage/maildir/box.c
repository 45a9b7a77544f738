/* SPDX-License-Identifier: MIT */
/*
 * Opening a mailbox: its directory, and its state in the index.  Most times the index knows the name, and cur/ is the
 * inode it was: then nothing else is looked at.  Else the control file tells who this is: a mailbox that was renamed or
 * copied by hand, one that the index has lost, or a new one.
 *
 * The box's lock (flock on its directory, so it dies with its holder) guards the control file.  Order: lock, then write
 * transaction, never the other way about; nothing is synced within a write transaction.
 */
#include "lib-storage/maildir/listing.h"
#include "lib-storage/maildir/uids-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define BEGIN_TRIES 8
#define GUESS_GAP 65536		/* UIDs left out when the mark has been lost: some may have been given */

enum drv_rc
drv_of(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return DRV_OK;
	case ERR_QUOTA:
		return DRV_FULL;
	case ERR_GONE:
	case ERR_NOTFOUND:
		return DRV_GONE;
	case ERR_CORRUPT:
		return DRV_CORRUPT;
	default:
		return DRV_ERROR;
	}
}

int
maildir_box_lock(struct maildir_box *box, struct err *e)
{
	return fd_flock(box->fd, LOCK_EX) == 0 ? 0 : err_errno(e, "lock %s", box->path);
}

void
maildir_box_unlock(struct maildir_box *box)
{
	fd_flock(box->fd, LOCK_UN);
}

int
maildir_sub_fd(struct maildir_box *box, int sub)
{
	if (box->sub_fd[sub] == -1)
		box->sub_fd[sub] = openat(box->fd, maildir_subdirs[sub], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return box->sub_fd[sub];
}

void
maildir_box_close(void *b)
{
	struct maildir_box *box = b;

	if (box == NULL)
		return;
	for (int i = 0; i < 2; i++)
		if (box->sub_fd[i] != -1)
			close(box->sub_fd[i]);
	if (box->fd != -1)
		close(box->fd);
	free(box->name);
	free(box->path);
	free(box->control_path);
	maildir_facts_forget(box);
	maildir_early_forget(box);
	free(box);
}

/*
 * What the files say when the control file is lost: the UIDVALIDITY that most carry, and their highest UID; or that of culver-uids,
 * which nobody else writes.
 */
static void
guess_from_files(struct maildir_box *box, struct maildir_control *c)
{
	struct maildir_uids uids;
	struct err none = ERR_INIT;
	uint32_t validity = 0, highest = 0;
	bool has_uids = maildir_uids_read(box, 0, &uids, &none) == 1;
	long votes = 0;

	if (has_uids) {
		validity = uids.list.uidvalidity;
		highest = uids.list.highest;
		maildir_uids_clear(&uids);
	}
	/* The majority's vote in one pass; the highest UID of it in the other. */
	for (int pass = has_uids ? 1 : 0; pass < 2 && maildir_early_list(box); pass++) {
		struct maildir_name n;
		struct span name;
		bool regular;
		size_t at = 0;
		int sub;

		while (maildir_early_next(box, &at, &sub, &regular, &name)) {
			if (span_find(name, SPAN(",U=")) == SIZE_MAX || !maildir_name_parse(name, &n) || n.uid == 0)
				continue;
			if (pass == 1) {
				if (n.uidvalidity == validity && n.uid > highest)
					highest = n.uid;
				continue;
			}
			if (votes == 0)
				validity = n.uidvalidity;
			votes += n.uidvalidity == validity ? 1 : -1;
		}
		if (pass == 0 && validity == 0)
			break;
	}
	if (validity == 0 || highest == 0 || highest > UINT32_MAX - 4 * GUESS_GAP)
		return;
	c->uidvalidity = validity;
	c->uid_start = highest + 1 + GUESS_GAP;
	/* Higher than any count of changes that was told. */
	c->modseq_start = (uint64_t)time(NULL) << 10;
	log_info("%s: the control file is missing: UIDVALIDITY %u and UIDs are taken from %s", box->path, validity,
	    has_uids ? UIDS_NAME : "the names of the files");
}

/* Whether the mailbox that the index has under the control file's id is another one that is still there. */
static bool
is_copy(struct maildir_box *box, const struct idx_state *st, const struct stat *cur)
{
	struct err e = ERR_INIT;
	char *path, sub[4096];
	struct stat sb;
	bool other = false;

	path = maildir_path(box->store, idx_state_name(st), &e);
	if (path == NULL)
		return false;
	if ((size_t)snprintf(sub, sizeof(sub), "%s/cur", path) < sizeof(sub) && stat(sub, &sb) == 0)
		other = sb.st_ino != cur->st_ino || sb.st_dev != cur->st_dev;
	free(path);
	return other;
}

static int
state_make(struct index_txn *t, struct maildir_box *box, struct maildir_control *c, struct err *e)
{
	struct idx_state st = {
		.id = c->id,
		.bits = IDX_STATE_UNSCANNED | (c->made_up && index_is_private(box->store->ix) ? IDX_STATE_PRIVATE : 0),
		.uidvalidity = c->uidvalidity,
		.uidnext = c->uid_start,
		.highestmodseq = c->modseq_start,
		.uid_reserved = c->uid_reserved,
		.modseq_reserved = c->modseq_reserved,
	};
	struct buf keywords = BUF_INIT(65536);
	int rc;

	idx_state_set_name(&st, span_str(box->name));
	st.recent_uid = st.uidnext;
	st.pruned_to = st.highestmodseq > 1 ? st.highestmodseq : 0;
	maildir_control_keywords(c, &keywords);
	/* What is left under the number is of a mailbox that was deleted, or whose state was lost. */
	rc = index_mailbox_purge(t, c->id, SIZE_MAX, e);
	if (rc != -1)
		rc = index_mailbox_make(t, &st, e);
	if (rc == 0)
		rc = index_keywords_put(t, c->id, buf_span(&keywords), e);
	buf_clear(&keywords);
	return rc;
}

/* With c as the control file says: finds or makes the state.  *rewrite_out: c has changed. */
static int
attach(struct index_txn *t, struct maildir_box *box, struct maildir_control *c, const struct stat *cur,
    bool *rewrite_out, struct err *e)
{
	struct idx_state st;
	uint32_t there;
	int rc = index_mailbox_find(t, span_str(box->name), &there, e), by_id = 0;

	if (rc == -1)
		return -1;
	if ((by_id = index_state_get(t, c->id, &st, e)) == -1)
		return -1;
	if (by_id == 1 && st.uidvalidity != c->uidvalidity)
		by_id = 2;	/* a number that was given twice: this one gets another */
	if (by_id == 1 && !span_eq(idx_state_name(&st), span_str(box->name)) && is_copy(box, &st, cur))
		by_id = 2;
	if (rc == 1 && !(by_id == 1 && there == c->id) && index_mailbox_drop(t, span_str(box->name), e) == -1)
		return -1;
	if (by_id == 1) {
		box->id = c->id;
		return span_eq(idx_state_name(&st), span_str(box->name)) && rc == 1 ? 0 :
		    index_mailbox_rename(t, c->id, span_str(box->name), e);
	}
	if (by_id == 2) {
		*rewrite_out = true;
		if (index_new_number(t, &c->id, e) == -1)
			return -1;
	}
	if (index_number_seen(t, c->id, e) == -1 || index_number_seen(t, c->uidvalidity, e) == -1)
		return -1;
	box->id = c->id;
	return state_make(t, box, c, e);
}

/* Numbers for a mailbox without a control file, in a transaction of their own: what is written next names them. */
static int
take_numbers(struct maildir_box *box, struct maildir_control *c, struct adoption *a, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc = maildir_numbers_begin(box->store, &t, e);

	if (rc == -1)
		return -1;
	c->id = a->id;
	/* The id from before it was released, when nobody has it now; an index that went back to then has the mailbox itself. */
	if (c->id != 0 && (rc = index_state_get(t, c->id, &st, e)) == 1) {
		if (span_eq(idx_state_name(&st), span_str(box->name)))
			rc = index_mailbox_drop(t, span_str(box->name), e);
		else
			c->id = 0;
	}
	if (rc != -1 && (a->highest_validity == 0 || (rc = index_number_seen(t, a->highest_validity, e)) == 0) &&
	    (c->uidvalidity == 0 || (rc = index_number_seen(t, c->uidvalidity, e)) == 0) &&
	    (c->id != 0 || (rc = index_new_number(t, &c->id, e)) == 0) &&
	    (c->uidvalidity != 0 || (rc = index_new_number(t, &c->uidvalidity, e)) == 0) &&
	    (a->from != ADOPT_DOVECOT || (rc = index_new_number(t, &a->fence, e)) == 0))
		return index_commit(t, e);
	index_abort(t);
	return -1;
}

/* Without a control file: what is there is another server's, or ours with the file lost, or new. */
static int
control_make(struct maildir_box *box, struct maildir_control *c, struct err *e)
{
	struct adoption a;
	int rc;

	c->uid_start = 1;
	c->modseq_start = 1;
	if (maildir_adopt_refused(box, e) == -1)
		return -1;
	/* Where nothing can be written nothing can be taken over. */
	if (index_is_private(box->store->ix))
		a = (struct adoption){ 0 }, rc = 0;
	else
		rc = maildir_adopt_read(box, c, &a, e);
	if (rc == 0 && a.from == ADOPT_NOTHING)
		guess_from_files(box, c);
	c->made_up = c->uidvalidity == 0;
	c->uid_reserved = c->uid_start + MAILDIR_RESERVE;
	/* Each file that is there may need one. */
	if (maildir_early_count(box) < UINT32_MAX - c->uid_reserved)
		c->uid_reserved += maildir_early_count(box);
	c->modseq_reserved = c->modseq_start + MAILDIR_RESERVE;
	/* Numbers first, then the files, then the state: a state never stands without its control file. */
	if (rc == 0)
		rc = take_numbers(box, c, &a, e);
	if (rc == 0 && index_is_private(box->store->ix))
		return 0;
	if (rc == 0)
		rc = maildir_adopt_write(box, c, &a, e);
	/* Synced: clients are told these numbers before there is a file whose name could tell them. */
	if (rc == 0)
		rc = maildir_control_write(box, c, true, e);
	if (rc == 0)
		maildir_adopt_done(box, &a);
	maildir_adopt_clear(&a);
	return rc;
}

/* The slow way: with the control file. */
static int
box_identify(struct maildir_box *box, struct err *e)
{
	struct maildir_control c;
	struct index_txn *t = NULL;
	struct stat cur;
	bool rewrite = false;
	int rc, known;

	if (maildir_box_lock(box, e) == -1)
		return -1;
	known = maildir_control_read(box, &c, e);
	rc = known == -1 ? -1 : 0;
	if (known == 0) {
		rc = control_make(box, &c, e);
	} else if (known == 1) {
		c.uid_start = c.uid_reserved;
		c.modseq_start = c.modseq_reserved;
		rc = index_is_private(box->store->ix) ? 0 : maildir_release_undo(box, &c, e);
	}
	if (rc == 0 && fstatat(box->fd, "cur", &cur, 0) == -1)
		rc = err_errno(e, "stat %s/cur", box->path);
	if (rc == 0)
		rc = maildir_numbers_begin(box->store, &t, e);
	if (rc == 0) {
		rc = attach(t, box, &c, &cur, &rewrite, e);
		if (rc == 0)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	if (rc == 0 && rewrite)
		rc = maildir_control_write(box, &c, true, e);
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	box->generation = index_generation(box->store->ix);
	return rc;
}

/* IDX_STATE_DOUBT: the control file's marks are above all that was ever given.  1: it tells of another mailbox. */
static int
box_settle(struct maildir_box *box, uint32_t id, struct err *e)
{
	struct buf keywords = BUF_INIT(65536);
	struct maildir_control c;
	struct index_txn *t;
	struct idx_state st;
	int rc, known, given;

	if (maildir_box_lock(box, e) == -1)
		return -1;
	known = maildir_control_read(box, &c, e);
	/* The system went down behind a release, and the index goes back to before it. */
	given = known == 0 ? maildir_adopt_waits(box, e) : 0;
	rc = known == -1 || given == -1 ? -1 : given == 1 ? 1 : index_write(box->store->ix, &t, e);
	if (rc == 0) {
		rc = index_state_get(t, id, &st, e);
		if (rc == 1 && st.bits & IDX_STATE_DOUBT) {
			/* Without the file: above what the index and the names of the files know. */
			if (known == 0) {
				c.uid_reserved = st.uid_reserved < UINT32_MAX - 4 * GUESS_GAP ? st.uid_reserved + GUESS_GAP : UINT32_MAX - 2;
				c.modseq_reserved = (uint64_t)time(NULL) << 10;
			}
			if (known == 1 && (c.uidvalidity != st.uidvalidity || c.id != st.id))
				rc = 2;
			else
				rc = index_settle(t, &st, c.uid_reserved, c.modseq_reserved, e) == -1 ? -1 : 1;
			maildir_control_keywords(&c, &keywords);
			if (rc == 1 && known == 1 && index_keywords_put(t, id, buf_span(&keywords), e) == -1)
				rc = -1;
		}
		if (rc == 1)
			rc = index_commit(t, e);
		else
			index_abort(t);
		if (rc == 2)
			rc = 1;
	}
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	buf_clear(&keywords);
	return rc;
}

/* An index that is in doubt may know the mailbox by another name. */
static int
identify_and_settle(struct maildir_box *box, struct err *e)
{
	return box_identify(box, e) == -1 || box_settle(box, box->id, e) == -1 ? -1 : 0;
}

static int
box_find(struct maildir_box *box, const struct stat *cur, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	uint32_t id;
	int rc;

	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_mailbox_find(t, span_str(box->name), &id, e);
	if (rc == 1)
		rc = index_state_get(t, id, &st, e);
	if (rc == 1 && st.bits & IDX_STATE_DOUBT) {
		index_read_end(box->store->ix);
		rc = box_settle(box, id, e);
		if (rc != 0)
			return rc == -1 ? -1 : identify_and_settle(box, e);
		rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, id, &st, e);
	}
	if (rc == 1 && (st.bits & IDX_STATE_UNSCANNED || st.stamp[SUB_CUR].ino == (uint64_t)cur->st_ino)) {
		box->id = id;
		box->generation = index_generation(box->store->ix);
		if (st.dirty > 0)
			maildir_dirty(box, 1, UINT32_MAX - 1);	/* left by one that died */
		return 0;
	}
	index_read_end(box->store->ix);
	return rc == -1 ? -1 : identify_and_settle(box, e);
}

char *
maildir_control_path(const struct maildir_store *s, struct span name, bool folder, struct err *e)
{
	char *path = NULL, *out = NULL;

	/* As Dovecot has it: INBOX's is a folder's. */
	if (span_eq(name, SPAN("INBOX"))) {
		bool level = s->p.full_dirname && !folder;

		if (asprintf(&out, "%s%s%s%s", s->control, s->p.fs_layout ? "/INBOX" : "/.INBOX", level ? "/" : "",
		    level ? s->dirname : "") == -1)
			out = NULL;
	} else if ((path = s->p.full_dirname && !folder ? maildir_path(s, name, e) : maildir_folder_path(s, name, e)) == NULL) {
		return NULL;
	} else if (asprintf(&out, "%s%s", s->control, path + strlen(s->root)) == -1) {
		out = NULL;
	}
	if (out == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	free(path);
	return out;
}

/* Opens the directories; makes those of INBOX.  *cur_out: of cur/. */
static int
open_dirs(struct maildir_box *box, struct span name, struct stat *cur_out, struct err *e)
{
	struct maildir_store *s = box->store;
	bool inbox = span_eq(name, SPAN("INBOX"));

	for (int try = 0;; try++) {
		box->fd = open(box->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (box->fd != -1 && fstatat(box->fd, "cur", cur_out, 0) == 0)
			break;
		/* A Maildir++ folder without its directories is one all the same; INBOX is always there. */
		if (try > 0 || (errno != ENOENT && errno != ENOTDIR) || (!inbox && (s->p.fs_layout || box->fd == -1)))
			return err_errno(e, "open %s", box->path);
		if (box->fd != -1)
			close(box->fd);
		if (maildir_make_dirs(s, name, e) == -1)
			return -1;
	}
	box->cur = (struct idx_stamp){ .sec = cur_out->st_mtim.tv_sec, .nsec = (uint32_t)cur_out->st_mtim.tv_nsec,
		.ino = (uint64_t)cur_out->st_ino };
	box->cur_is_fresh = true;
	return 0;
}

const struct maildir_perm *
maildir_box_perm(struct maildir_box *box)
{
	struct stat sb;

	if (box->perm.dir == 0)
		box->perm = fstat(box->fd, &sb) == 0 ? maildir_perm_of(&sb) : box->store->perm;
	return &box->perm;
}

enum drv_rc
maildir_box_open(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e)
{
	struct maildir_store *s = store;
	struct maildir_box *box = calloc(1, sizeof(*box));
	struct stat cur;

	if (box == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	*box = (struct maildir_box){ .store = s, .fd = -1, .sub_fd = { -1, -1 } };
	box->name = strndup(name.n == 0 ? "" : name.p, name.n);
	box->path = maildir_path(s, name, e);
	if (box->name == NULL || box->path == NULL ||
	    (s->control != NULL && (box->control_path = maildir_control_path(s, name, false, e)) == NULL))
		goto fail;
	if (open_dirs(box, name, &cur, e) == -1 || box_find(box, &cur, e) == -1)
		goto fail;
	*box_out = box;
	*id_out = box->id;
	return DRV_OK;
fail:
	maildir_box_close(box);
	return drv_of(e);
}

/* The index does not know the box any more: it was deleted, or the index was lost while we had it open. */
enum drv_rc
maildir_find_again(struct maildir_box *box, struct err *e)
{
	struct stat mine, there;
	uint32_t id = box->id;

	if (fstat(box->fd, &mine) == -1 || stat(box->path, &there) == -1 || mine.st_ino != there.st_ino ||
	    mine.st_dev != there.st_dev || fstatat(box->fd, "cur", &there, 0) == -1)
		return err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name), DRV_GONE;
	if (box_identify(box, e) == -1)
		return drv_of(e);
	if (box->id != id) {
		box->id = id;
		return err_set(e, ERR_NOTFOUND, "mailbox %s is another one now", box->name), DRV_GONE;
	}
	return DRV_OK;
}

bool
maildir_has_room(const struct idx_state *st, uint32_t uids)
{
	return (uint64_t)st->uidnext + uids <= st->uid_reserved && st->highestmodseq + 2 < st->modseq_reserved;
}

/* Moves the marks on, on disk first. */
enum drv_rc
maildir_reserve(struct maildir_box *box, uint32_t uids, struct err *e)
{
	struct maildir_control c;
	struct idx_state st;
	struct index_txn *t = NULL;
	int rc, known;

	if (maildir_box_lock(box, e) == -1)
		return drv_of(e);
	known = maildir_control_read(box, &c, e);
	rc = known == -1 || index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	if (rc == 0)
		rc = err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	if (rc == 1 && known == 0) {
		/* Somebody removed it; the index remembers, but for letters of keywords without a name. */
		struct span v, names[INDEX_KEYWORDS];
		int n = index_keywords_get(t, box->id, &v, e) == 1 ? idx_keywords_unpack(v, names) : 0;

		c.uidvalidity = st.uidvalidity;
		c.id = st.id;
		for (int i = 0; i < n; i++)
			if (names[i].n > 0)
				c.keywords[i] = strndup(names[i].p, names[i].n);
	}
	if (rc == 1) {
		uint64_t uid_mark = (uint64_t)st.uidnext + uids + MAILDIR_RESERVE;
		uint64_t mod_mark = st.highestmodseq + 2 * MAILDIR_RESERVE;

		if (uid_mark > UINT32_MAX)
			uid_mark = UINT32_MAX;
		c.uid_reserved = c.uid_reserved > uid_mark ? c.uid_reserved : (uint32_t)uid_mark;
		c.modseq_reserved = c.modseq_reserved > mod_mark ? c.modseq_reserved : mod_mark;
		rc = maildir_control_write(box, &c, true, e) == -1 || index_write(box->store->ix, &t, e) == -1 ? -1 : 1;
		if (rc == 1) {
			rc = index_state_get(t, box->id, &st, e);
			st.uid_reserved = c.uid_reserved;
			st.modseq_reserved = c.modseq_reserved;
			if (rc == 1)
				rc = index_state_put(t, &st, e) == -1 ? -1 : 1;
			if (rc == 1)
				rc = index_commit(t, e) == -1 ? -1 : 1;
			else
				index_abort(t);
		}
	}
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	if (rc == 0)
		err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	return rc == 1 ? DRV_OK : drv_of(e);
}

enum drv_rc
maildir_begin(struct maildir_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st, struct err *e)
{
	for (int i = 0; i < BEGIN_TRIES; i++) {
		enum drv_rc drc;
		int rc;

		if (index_write(box->store->ix, t, e) == -1)
			return drv_of(e);
		rc = box->generation == index_generation(box->store->ix) ? index_state_get(*t, box->id, st, e) : 0;
		if (rc == 1 && (uint64_t)st->uidnext + uids >= UINT32_MAX)
			rc = err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", box->name);
		if (rc == 1 && !(st->bits & IDX_STATE_DOUBT) && maildir_has_room(st, uids))
			return DRV_OK;
		index_abort(*t);
		if (rc == 1 && st->bits & IDX_STATE_DOUBT) {
			rc = box_settle(box, box->id, e);
			if (rc == 1 && (drc = maildir_find_again(box, e)) != DRV_OK)
				return drc;
			if (rc == -1)
				return drv_of(e);
			continue;
		}
		if (rc == -1)
			return drv_of(e);
		drc = rc == 0 ? maildir_find_again(box, e) : maildir_reserve(box, uids, e);
		if (drc != DRV_OK)
			return drc;
	}
	return err_set(e, ERR_TEMP, "mailbox %s is too busy", box->name), DRV_UNAVAILABLE;
}

/* An index that was just made knows no message yet, and would pass over all that are named. */
enum drv_rc
maildir_begin_known(struct maildir_box *box, struct index_txn **t, struct idx_state *st, struct err *e)
{
	for (int i = 0; i < BEGIN_TRIES; i++) {
		enum drv_rc drc = maildir_begin(box, 0, t, st, e);

		if (drc != DRV_OK || !(st->bits & IDX_STATE_UNSCANNED))
			return drc;
		index_abort(*t);
		drc = maildir_sync(box, true, e);
		if (drc != DRV_OK)
			return drc;
	}
	return err_set(e, ERR_TEMP, "%s: other programs rename its files all the time", box->path), DRV_UNAVAILABLE;
}

unsigned
maildir_keywords_max(void *b)
{
	struct maildir_box *box = b;

	return box->store->p.max_keywords < INDEX_KEYWORDS ? box->store->p.max_keywords : INDEX_KEYWORDS;
}

/* Gives a letter, or a number behind them, to each name that has none.  -1: there are no more. */
static int
take_letters(struct maildir_box *box, struct maildir_control *c, const struct span *names, size_t count, bool *changed,
    struct err *e)
{
	unsigned max = maildir_keywords_max(box);

	for (size_t i = 0; i < count; i++) {
		int free_letter = -1;
		bool there = false;

		for (unsigned k = 0; k < INDEX_KEYWORDS && !there; k++) {
			if (c->keywords[k] != NULL)
				there = span_ieq(span_str(c->keywords[k]), names[i]);
			else if (free_letter == -1 && k < max)
				free_letter = (int)k;
		}
		if (there)
			continue;
		if (free_letter == -1)
			return err_set(e, ERR_LIMIT, "mailbox %s has %u keywords already", box->name, max);
		c->keywords[free_letter] = strndup(names[i].p, names[i].n);
		if (c->keywords[free_letter] == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		*changed = true;
	}
	return 0;
}

enum drv_rc
maildir_keywords_add(void *b, const struct span *names, size_t count, struct err *e)
{
	struct maildir_box *box = b;
	struct maildir_control c;
	struct index_txn *t;
	struct buf value = BUF_INIT(65536);
	bool changed = false;
	enum drv_rc drc;
	int rc;

	/* Makes sure of a control file that is whole. */
	for (int i = 0; i < 2; i++) {
		if (maildir_box_lock(box, e) == -1)
			return drv_of(e);
		rc = maildir_control_read(box, &c, e);
		if (rc != 0 || i == 1)
			break;
		maildir_box_unlock(box);
		drc = maildir_reserve(box, 0, e);
		if (drc != DRV_OK)
			return drc;
	}
	if (rc == 1)
		rc = take_letters(box, &c, names, count, &changed, e);
	if (rc == 0 && changed)
		rc = maildir_control_write(box, &c, true, e) == -1 ? -1 : maildir_keywords_tell(box, &c, e);
	if (rc == 0) {
		maildir_control_keywords(&c, &value);
		rc = value.failed ? err_set(e, ERR_LIMIT, "too many keywords") : index_write(box->store->ix, &t, e);
	}
	if (rc == 0) {
		rc = index_keywords_put(t, box->id, buf_span(&value), e);
		if (rc == 0)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	buf_clear(&value);
	return rc == 0 ? DRV_OK : drv_of(e);
}
