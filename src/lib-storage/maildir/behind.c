/* SPDX-License-Identifier: MIT */
/*
 * What nobody waits for: flags written into file names, left-over files in tmp/ swept, the change log pruned, directories
 * looked at again.
 *
 * Flags are in the index first, with the record marked dirty.  Renames follow in batches, each in a write transaction, so
 * that nobody sees a name that is not there.  Which records are dirty is known as a range of UIDs; who opens a mailbox
 * with dirty records left by a dead process takes the whole.
 */
#include "lib-storage/maildir/uids-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define BATCH 256
#define RESCAN_CHEAP 2000	/* messages of which a scan costs next to nothing */
#define SWEEP_MAX 20000		/* files in tmp/ that are looked at in one go */
#define RESCAN_AGE 300		/* seconds after which a larger one is looked at again */

void
maildir_dirty(struct maildir_box *box, uint32_t first, uint32_t last)
{
	if (box->dirty_first == 0 || first < box->dirty_first)
		box->dirty_first = first;
	if (last > box->dirty_last)
		box->dirty_last = last;
}

bool
maildir_is_due(void *b)
{
	const struct maildir_box *box = b;

	return (box->dirty_first != 0 || box->blind) && !index_is_private(box->store->ix);
}

/* Brings the name of one file to its record; it tells the UID then, too.  1 renamed, 2 it had the name, 0 it is not there, -1. */
static int
rename_one(struct maildir_box *box, uint32_t uidvalidity, struct change_seen *c, char name[MAILDIR_NAME_MAX + 1],
    struct maildir_own *own, struct err *e)
{
	char from[MAILDIR_NAME_MAX + 8], to[MAILDIR_NAME_MAX + 8], tagged[MAILDIR_NAME_MAX + 1];
	int sub = c->rec.bits & IDX_NEW ? SUB_NEW : SUB_CUR;
	struct maildir_name old;

	maildir_name_parse(c->rec.name, &old);
	if ((old.uid != c->uid || old.uidvalidity != uidvalidity) && maildir_name_tag(tagged, old.base, uidvalidity, c->uid))
		old.base = span_str(tagged);
	if (!maildir_name_info(name, old.base, old.info, c->rec.flags, c->rec.keywords, true))
		return err_set(e, ERR_LIMIT, "%s: no name for a file", box->path);
	snprintf(from, sizeof(from), "%s/%.*s", maildir_subdirs[sub], SPAN_ARG(c->rec.name));
	snprintf(to, sizeof(to), "%s/%s", maildir_subdirs[SUB_CUR], name);
	/* The name that the index has; another program may have given the file one with other flags. */
	if (strcmp(from, to) == 0 && faccessat(box->fd, from, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 2;
	maildir_own_will(own, sub);
	maildir_own_will(own, SUB_CUR);
	if (renameat(box->fd, from, box->fd, to) == -1)
		return errno == ENOENT ? 0 : err_errno(e, "rename %s/%s", box->path, from);
	maildir_own_did(own, sub, 1);
	maildir_own_did(own, SUB_CUR, 1);
	return 1;
}

struct batch {
	struct change_seen seen[BATCH];
	char names[BATCH][MAILDIR_NAME_MAX + 1], uidls[BATCH][256];
	size_t count;
	bool missing;
	struct buf keywords;	/* lines for culver-uids */
};

/* Keywords that have no letter; also that there are none any more. */
static void
note_keywords(struct batch *b, struct change_seen *c)
{
	uint64_t more = c->rec.keywords >> MAILDIR_LETTERS;

	if (more == 0 && !(c->rec.bits & IDX_MORE))
		return;
	uids_put_keywords(&b->keywords, c->uid, more);
	c->rec.bits = (uint8_t)(more != 0 ? c->rec.bits | IDX_MORE : c->rec.bits & ~IDX_MORE);
}

/* Up to BATCH dirty records from uid on, their files renamed.  1 when there may be more. */
static int
fill_batch(struct maildir_box *box, struct index_txn *t, uint32_t uidvalidity, struct batch *b, uint32_t *uid,
    struct maildir_own *own, struct err *e)
{
	struct index_walk w;
	int rc = 0, done = 0;

	b->count = 0;
	b->missing = false;
	buf_reset(&b->keywords);
	if (index_walk_begin(&w, t, box->id, *uid, e) == -1)
		return -1;
	while (b->count < BATCH && (rc = index_walk_next(&w, e)) == 1 && w.uid <= box->dirty_last) {
		struct change_seen *c = &b->seen[b->count];

		*uid = w.uid + 1;
		if (!(w.m.bits & IDX_DIRTY))
			continue;
		*c = (struct change_seen){ .uid = w.uid, .rec = w.m };
		done = rename_one(box, uidvalidity, c, b->names[b->count], own, e);
		if (done == -1)
			break;
		if (done == 0) {
			b->missing = true;
			continue;
		}
		c->rec.bits &= (uint8_t)~(IDX_DIRTY | IDX_NEW);
		c->rec.name = span_str(b->names[b->count]);
		if (c->rec.bits & IDX_UIDL) {
			memcpy(b->uidls[b->count], c->rec.uidl.p, c->rec.uidl.n);
			c->rec.uidl.p = b->uidls[b->count];
		}
		note_keywords(b, c);
		b->count++;
	}
	index_walk_end(&w);
	return rc == -1 || done == -1 ? -1 : b->count == BATCH;
}

static int
write_batch(struct maildir_box *box, struct batch *b, uint32_t *uid, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct box_change c = { .id = box->id };
	struct maildir_own own;
	struct err apply_e = ERR_INIT;
	int more;

	if (maildir_begin(box, 0, &t, &st, e) != DRV_OK)
		return -1;
	if (st.dirty == 0) {
		index_abort(t);
		return 0;
	}
	maildir_own_begin(&own, box, &st);
	more = fill_batch(box, t, st.uidvalidity, b, uid, &own, e);
	maildir_own_end(&own, &st);
	/* Also after a failure in the middle: what was renamed is recorded. */
	c.seen = b->seen;
	c.seen_count = b->count;
	if (b->keywords.n > 0 && maildir_uids_keywords(box, st.uidvalidity, buf_span(&b->keywords), &apply_e) == -1) {
		index_abort(t);
		*e = apply_e;
		return -1;
	}
	if (b->count == 0) {
		index_abort(t);
	} else if (index_apply(t, &c, &st, &apply_e) == -1) {
		index_abort(t);
		*e = apply_e;
		return -1;
	} else if (index_commit(t, &apply_e) == -1) {
		*e = apply_e;
		return -1;
	}
	if (more != -1 && box->store->p.fsync == FSYNC_ALWAYS && (maildir_dirs_sync(box, own.events, e) == -1 ||
	    (b->keywords.n > 0 && maildir_uids_sync(box, e) == -1)))
		return -1;
	return more;
}

enum drv_rc
maildir_write_behind(struct maildir_box *box, const uint32_t *uids, size_t count, struct err *e)
{
	static struct batch b = { .keywords = BUF_INIT(BATCH * 32) };	/* 130 KB: too large for the stack, and used by one at a time */
	uint32_t uid = box->dirty_first;
	bool missing = false;
	int more = 1;

	(void)uids;
	(void)count;
	if (uid == 0 || index_is_private(box->store->ix))
		return DRV_OK;
	while (more == 1) {
		more = write_batch(box, &b, &uid, e);
		missing = missing || b.missing;
	}
	box->dirty_first = box->dirty_last = 0;
	if (more == -1)
		return drv_of(e);
	if (!missing)
		return DRV_OK;
	/* Files that others renamed: a scan finds them, and the flags that wait go into the new names next time. */
	enum drv_rc drc = maildir_sync(box, true, e);

	if (drc == DRV_OK)
		maildir_dirty(box, 1, UINT32_MAX - 1);
	return drc;
}

/*
 * Whether tmp/ is to be looked at now: when nobody has for mail_temp_scan_interval, which its access time tells; and now and
 * then all the same, since others, such as a backup, read it too.
 */
static bool
sweep_is_due(const struct maildir_box *box, int fd)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	struct stat sb;
	uint8_t dice = 1;

	if (fstat(fd, &sb) == -1)
		return false;
	random_bytes(&dice, sizeof(dice));
	if (sb.st_atim.tv_sec + box->store->p.tmp_interval_s > time(NULL) && dice != 0)
		return false;
	futimens(fd, ts);
	return true;
}

/* Removes what programs that died left in tmp/, a bounded number at a time. */
static void
sweep_tmp(struct maildir_box *box)
{
	int64_t age = box->store->p.tmp_age_s;
	int fd = openat(box->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), looked = 0;
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	time_t now = time(NULL);

	box->swept = true;
	if (dir != NULL && !sweep_is_due(box, fd)) {
		closedir(dir);
		return;
	}
	while (dir != NULL && looked++ < SWEEP_MAX && (d = readdir(dir)) != NULL) {
		struct stat sb;

		/* The later of the two times: a message may be given the date of long ago while it is written. */
		if (d->d_name[0] != '.' && fstatat(fd, d->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(sb.st_mode) &&
		    sb.st_ctim.tv_sec + age < now && sb.st_mtim.tv_sec + age < now)
			unlinkat(fd, d->d_name, 0);
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
}

enum drv_rc
maildir_maintain(void *b, struct err *e)
{
	struct maildir_box *box = b;
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc = maildir_write_behind(box, NULL, 0, e);
	int rc;

	if (drc != DRV_OK || index_is_private(box->store->ix))
		return drc;
	if (!box->swept && box->store->p.tmp_age_s > 0) {
		sweep_tmp(box);
		if (strcmp(box->name, "INBOX") == 0)
			maildir_trash_empty(box->store, NULL);
	}
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	index_read_end(box->store->ix);
	if (rc != 1)
		return rc == 0 ? DRV_OK : drv_of(e);
	if (st.bits & IDX_STATE_WINDOW && (st.messages <= RESCAN_CHEAP || st.scanned_at + RESCAN_AGE < time(NULL))) {
		drc = maildir_sync(box, true, e);
		if (drc != DRV_OK)
			return drc;
	}
	if (box->uids_size != 0 && maildir_uids_shrink(box, &st, e) == -1)
		return drv_of(e);
	if (st.tombstones <= INDEX_LOG_MOST)
		return DRV_OK;
	drc = maildir_begin(box, 0, &t, &st, e);
	if (drc != DRV_OK)
		return drc;
	if (index_prune(t, &st, INDEX_LOG_MOST, e) == -1) {
		index_abort(t);
		return drv_of(e);
	}
	return index_commit(t, e) == 0 ? DRV_OK : drv_of(e);
}
