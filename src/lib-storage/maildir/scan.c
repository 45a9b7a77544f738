/* SPDX-License-Identifier: MIT */
/*
 * Seeing what other programs did.  The index keeps the modification times of new/ and cur/ as they were when it last
 * agreed with them; while they are the same, a sync is two stats.
 *
 * Such a time is worth something only if every later change gives another one, and a file system's clock ticks in
 * milliseconds.  So a scan first sets the directory's time itself, to the nanosecond: whatever changes afterwards, even in
 * the same tick, leaves a different time ("sealing").  The list is exact when the seal is still there at its end; if not,
 * it is read again, and a message is taken for expunged only when an exact list does not have it (a rename by somebody
 * else, while the directory is read, can hide a file).
 *
 * Changes of our own (commit.c) are made in a write transaction: the seal is looked at before, and set anew behind them.
 * Another program's change in the microseconds between the two is noticed by nobody: IDX_STATE_WINDOW remembers that
 * this can have been, and maintenance scans again, when it is cheap or some minutes have gone by.
 *
 * A file whose name is as the index has it is done with at once (known.c); those that are left are compared with the records
 * that are left by the base of their names, in a hash table.  The list is read before the write transaction; if the index
 * has moved when that begins, it is read again within it.
 *
 * A file is new when its base is not in the index (scan-match.c); which UID it gets is scan-new.c's.
 */
#include "lib-storage/maildir/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/hash.h"

#define LIST_TRIES 4
#define COARSE_AGE 3	/* seconds: FAT's clock ticks in two */
#define FILES_MAX 50000000u
#define NAMES_MAX ((size_t)4 << 30)
#define WINDOW_RENAMES 64	/* with more renames than this the directory is read again instead of sealed */

/*
 * Sets the directory's time to now, and says what it then is.  Where that can not be done (coarse times, a directory of
 * somebody else) the time counts once it has been the same for a while.  False: it can not be relied on.
 */
static bool
seal(struct maildir_box *box, int sub, bool coarse, struct idx_stamp *out)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb;
	bool fine;

	clock_gettime(CLOCK_REALTIME, &ts[1]);
	fine = !coarse && !index_is_private(box->store->ix) && utimensat(box->fd, maildir_subdirs[sub], ts, 0) == 0;
	if (fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == -1)
		return false;
	*out = (struct idx_stamp){ .sec = sb.st_mtim.tv_sec, .nsec = (uint32_t)sb.st_mtim.tv_nsec,
		.ino = (uint64_t)sb.st_ino };
	if (fine && sb.st_mtim.tv_sec == ts[1].tv_sec && sb.st_mtim.tv_nsec == ts[1].tv_nsec)
		return true;
	return sb.st_mtim.tv_sec + COARSE_AGE < ts[1].tv_sec;
}

static bool
stamp_eq(struct maildir_box *box, int sub, const struct idx_stamp *s)
{
	struct stat sb;

	return fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == 0 && s->sec == sb.st_mtim.tv_sec &&
	    s->nsec == (uint32_t)sb.st_mtim.tv_nsec && s->ino == (uint64_t)sb.st_ino;
}

bool
maildir_stamp_holds(struct maildir_box *box, const struct idx_state *st, int sub)
{
	return !(st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) && stamp_eq(box, sub, &st->stamp[sub]);
}

void
maildir_stamp_set(struct maildir_box *box, struct idx_state *st, int sub)
{
	if (!seal(box, sub, (st->bits & IDX_STATE_COARSE) != 0, &st->stamp[sub]))
		st->bits |= IDX_STATE_COARSE;
	st->bits |= IDX_STATE_WINDOW;
}

static bool
file_add(struct scan *s, int sub, struct span name)
{
	struct maildir_name n;
	struct scan_file *f;

	if (maildir_known_match(&s->recs, sub, name, ++s->listed) || !maildir_name_parse(name, &n))
		return true;
	if (s->count == s->cap) {
		size_t cap = s->cap == 0 ? 1024 : s->cap * 2;
		struct scan_file *more = cap > FILES_MAX ? NULL : realloc(s->files, cap * sizeof(*more));

		if (more == NULL)
			return false;
		s->files = more;
		s->cap = cap;
	}
	f = &s->files[s->count++];
	maildir_known_want(&s->recs, n.base);
	*f = (struct scan_file){ .name = s->names.n, .hash = hash_of(n.base), .order = s->listed, .len = (uint16_t)name.n,
		.base_len = (uint16_t)n.base.n, .sub = (uint8_t)sub };
	buf_add(&s->names, name);
	buf_addc(&s->names, '\0');
	return !s->names.failed;
}

static int
list_sub(struct scan *s, int sub, struct err *e)
{
	int fd = openat(s->box->fd, maildir_subdirs[sub], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		err_errno(e, "open %s/%s", s->box->path, maildir_subdirs[sub]);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
		/* A message is a plain file: a symbolic link could lead anywhere, and opening a FIFO would never end. */
		if (d->d_type != DT_REG && d->d_type != DT_UNKNOWN)
			continue;
		if (!file_add(s, sub, span_str(d->d_name)))
			rc = err_set(e, ERR_LIMIT, "%s: too many files", s->box->path);
	}
	if (rc == 0 && errno != 0)
		rc = err_errno(e, "read %s/%s", s->box->path, maildir_subdirs[sub]);
	closedir(dir);
	return rc;
}

/*
 * Reads both directories, in the light of what the transaction's records say; files has what they do not know.  Exact when
 * nobody changed anything meanwhile.
 */
static int
list_files(struct scan *s, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	for (int try = 0; try < LIST_TRIES; try++) {
		if (maildir_known_load(&s->recs, t, st, e) == -1)
			return -1;
		s->count = 0;
		s->listed = 0;
		buf_reset(&s->names);
		s->coarse = false;
		for (int sub = 0; sub < 2; sub++)
			if (!seal(s->box, sub, s->was_coarse, &s->seal[sub]))
				s->coarse = true;
		/* new/ first: a file that moves on to cur/ meanwhile is seen twice, not never. */
		if (list_sub(s, SUB_NEW, e) == -1 || list_sub(s, SUB_CUR, e) == -1)
			return -1;
		s->exact = stamp_eq(s->box, SUB_NEW, &s->seal[SUB_NEW]) && stamp_eq(s->box, SUB_CUR, &s->seal[SUB_CUR]);
		if (s->exact)
			break;
	}
	return 0;
}

static int
add_cmp(const void *a, const void *b)
{
	const struct change_add *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Within a write transaction, with a list that fits the index: takes it all in. */
static int
apply_scan(struct scan *s, struct index_txn *t, struct idx_state *st, struct err *e)
{
	struct box_change c = { .id = s->box->id };
	bool first = st->bits & IDX_STATE_UNSCANNED, sorted = true;

	if (scan_take_new(s, t, st, e) == -1)
		return -1;
	c.adds = (struct change_add *)(void *)s->adds.p;
	c.add_count = s->adds.n / sizeof(*c.adds);
	for (size_t i = 1; i < c.add_count && sorted; i++)
		sorted = c.adds[i - 1].uid < c.adds[i].uid;
	if (!sorted)
		qsort(c.adds, c.add_count, sizeof(*c.adds), add_cmp);
	c.seen = (struct change_seen *)(void *)s->seen.p;
	c.seen_count = s->seen.n / sizeof(*c.seen);
	if (s->exact) {
		c.expunges = (const uint32_t *)(const void *)s->gone.p;
		c.expunge_count = s->gone.n / sizeof(uint32_t);
	}
	st->bits &= ~(uint32_t)(IDX_STATE_COARSE | IDX_STATE_WINDOW);
	if (s->coarse || !s->exact)
		st->bits |= IDX_STATE_COARSE;
	if (s->exact)
		st->bits &= ~(uint32_t)IDX_STATE_UNSCANNED;
	st->scanned_at = time(NULL);
	for (int sub = 0; sub < 2; sub++) {
		st->stamp[sub] = s->seal[sub];
		/* After a few renames of our own the window was short; after many the next sync reads again. */
		if (s->renamed[sub] > 0 && s->renamed[sub] <= WINDOW_RENAMES)
			maildir_stamp_set(s->box, st, sub);
	}
	if (index_apply(t, &c, st, e) == -1)
		return -1;
	/* Of a Maildir seen for the first time what lies in new/ is \Recent; the mark is one number, so nearly so. */
	for (size_t i = 0; first && i < c.add_count; i++)
		if (!(c.adds[i].rec.bits & IDX_NEW) && c.adds[i].uid >= st->recent_uid)
			st->recent_uid = c.adds[i].uid + 1;
	return index_state_put(t, st, e);
}

static bool
same_state(const struct idx_state *a, const struct idx_state *b)
{
	for (int i = 0; i < 2; i++)
		if (a->stamp[i].sec != b->stamp[i].sec || a->stamp[i].nsec != b->stamp[i].nsec)
			return false;
	return a->highestmodseq == b->highestmodseq && a->uidnext == b->uidnext && a->bits == b->bits && a->dirty == b->dirty;
}

static enum drv_rc
scan_once(struct scan *s, const struct idx_state *before, bool *again_out, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct maildir_claim claim;
	int rc;
	enum drv_rc drc = maildir_begin(s->box, 0, &t, &st, e);

	if (drc != DRV_OK)
		return drc;
	*again_out = false;
	s->renamed[0] = s->renamed[1] = 0;
	s->uidvalidity = st.uidvalidity;
	rc = maildir_claim_left(s->box, t, &claim, e);
	/* What somebody left who died is there by now, whenever the list was read. */
	if (rc == 0 && (!same_state(before, &st) || claim.left != 0))
		rc = list_files(s, t, &st, e);
	if (rc == 0)
		rc = scan_match(s, t, e);
	if (rc == 0 && !maildir_has_room(&st, (uint32_t)s->fresh)) {
		index_abort(t);
		*again_out = true;
		return maildir_reserve(s->box, (uint32_t)s->fresh, e);
	}
	if (rc == 0 && s->fresh > 0 && (drc = maildir_claim_more(s->box, t, &st, (uint32_t)s->fresh, &claim, e)) != DRV_OK) {
		*again_out = drc == DRV_CONFLICT;
		return drc == DRV_CONFLICT ? DRV_OK : drc;
	}
	if (rc == 0)
		rc = apply_scan(s, t, &st, e);
	if (rc == 0)
		rc = maildir_claim_meet(t, &st, &claim, e);
	s->untold = st.dev;
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	/* A UID that a client is told of must be in the file's name after a power cut. */
	if (rc == 0 && s->box->store->p.fsync == FSYNC_ALWAYS)
		rc = maildir_dirs_sync(s->box, (const bool[2]){ s->renamed[0] > 0, s->renamed[1] > 0 }, e);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static enum drv_rc
scan(struct maildir_box *box, struct err *e)
{
	struct scan s = { .box = box, .names = BUF_INIT(NAMES_MAX), .seen = BUF_INIT(NAMES_MAX),
		.gone = BUF_INIT(NAMES_MAX), .adds = BUF_INIT(NAMES_MAX), .text = BUF_INIT(NAMES_MAX) };
	enum drv_rc drc = DRV_OK;
	bool again = true;

	for (int try = 0; try < LIST_TRIES && again && drc == DRV_OK; try++) {
		struct index_txn *t;
		struct idx_state before;
		int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &before, e);

		s.was_coarse = rc == 1 && before.bits & IDX_STATE_COARSE;
		if (rc == 0)
			err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
		if (rc == 1 && maildir_adopt_look(box, &before, e) == -1)
			rc = -1;
		if (rc == 1 && before.bits & IDX_STATE_UNSCANNED && !s.has_facts) {
			int facts = maildir_facts_read(box, before.uidvalidity, &s.facts, e);

			s.has_facts = facts == 1;
			rc = facts == -1 ? -1 : 1;
		}
		if (rc == 1 && before.bits & IDX_STATE_UNSCANNED && !s.has_uids) {
			int uids = maildir_uids_read(box, before.uidvalidity, &s.uids, e);

			s.has_uids = uids == 1;
			rc = uids == -1 ? -1 : 1;
		}
		/* Each may have ended the transaction. */
		if (rc == 1 && index_read(box->store->ix, &t, e) == -1)
			rc = -1;
		drc = rc != 1 || list_files(&s, t, &before, e) == -1 ? drv_of(e) : DRV_OK;
		index_read_end(box->store->ix);
		if (drc == DRV_OK)
			drc = scan_once(&s, &before, &again, e);
	}
	if (s.has_facts)
		maildir_list_file_clear(&s.facts);
	if (s.has_uids)
		maildir_uids_clear(&s.uids);
	buf_clear(&s.names);
	buf_clear(&s.seen);
	buf_clear(&s.gone);
	buf_clear(&s.adds);
	buf_clear(&s.text);
	free(s.files);
	free(s.table);
	maildir_known_clear(&s.recs);
	return drc == DRV_OK && s.untold != 0 ? maildir_uids_tell(box, e) : drc;
}

enum drv_rc
maildir_sync(void *b, bool thorough, struct err *e)
{
	struct maildir_box *box = b;
	struct index_txn *t;
	struct idx_state st;
	bool fresh;
	int rc;

	if (index_check(box->store->ix, e) == -1 || index_read(box->store->ix, &t, e) == -1)
		return drv_of(e);
	rc = box->generation == index_generation(box->store->ix) ? index_state_get(t, box->id, &st, e) : 0;
	if (rc == 0) {
		enum drv_rc drc;

		index_read_end(box->store->ix);
		drc = maildir_find_again(box, e);
		if (drc != DRV_OK || index_read(box->store->ix, &t, e) == -1)
			return drc != DRV_OK ? drc : drv_of(e);
		rc = index_state_get(t, box->id, &st, e);
	}
	if (rc != 1)
		return rc == 0 ? DRV_GONE : drv_of(e);
	/* What opening the mailbox saw of cur/ a moment ago need not be looked at again. */
	fresh = box->cur_is_fresh && !(st.bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) &&
	    box->cur.sec == st.stamp[SUB_CUR].sec && box->cur.nsec == st.stamp[SUB_CUR].nsec &&
	    box->cur.ino == st.stamp[SUB_CUR].ino;
	box->cur_is_fresh = false;
	if (!thorough && maildir_stamp_holds(box, &st, SUB_NEW) && (fresh || maildir_stamp_holds(box, &st, SUB_CUR)))
		return st.dev != 0 ? maildir_uids_tell(box, e) : DRV_OK;
	return scan(box, e);
}
