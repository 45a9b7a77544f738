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
 * Changes of our own, those of a scan as well, set the seal anew behind them (own.c).
 *
 * A file whose name is as the index has it is done with at once (known.c); those that are left are compared with the records
 * that are left by the base of their names, in a hash table.  The list is read before the write transaction; if the index
 * has moved when that begins, it is read again within it.
 *
 * A file is new when its base is not in the index (scan-match.c); which UID it gets is scan-new.c's.
 */
#include "lib-storage/maildir/scan.h"

#include <stdlib.h>
#include <time.h>
#include "lib/hash.h"

#define LIST_TRIES 4
#define FILES_MAX 50000000u
#define NAMES_MAX ((size_t)4 << 30)

static bool
file_add(void *ctx, int sub, struct span name, bool regular)
{
	struct scan *s = ctx;
	struct scan_file *f;
	struct span base;

	if (maildir_known_match(&s->recs, sub, name, ++s->listed) || !maildir_name_base(name, &base))
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
	maildir_known_want(&s->recs, base);
	*f = (struct scan_file){ .name = s->names.n, .hash = hash_of(base), .order = s->listed, .len = (uint16_t)name.n,
		.base_len = (uint16_t)base.n, .sub = (uint8_t)sub, .regular = regular };
	buf_add(&s->names, name);
	buf_addc(&s->names, '\0');
	return !s->names.failed;
}

/* The names of both directories.  The list from before the mailbox was known to the index, if it is still true, will do. */
static int
list_names(struct scan *s, struct err *e)
{
	int rc = 0;

	if (maildir_early_seal(s->box, &s->seal) && maildir_seal_holds(s->box, &s->seal)) {
		struct span name;
		bool regular;
		size_t at = 0;
		int sub;

		while (rc == 0 && maildir_early_next(s->box, &at, &sub, &regular, &name))
			rc = !file_add(s, sub, name, regular);
	} else {
		maildir_seal_both(s->box, s->was_coarse, &s->seal);
		/* new/ first: a file that moves on to cur/ meanwhile is seen twice, not never. */
		for (int sub = 0; sub < 2 && rc == 0; sub++)
			rc = maildir_list_dir(s->box, sub, file_add, s, e);
	}
	maildir_early_forget(s->box);
	return rc == 1 ? err_set(e, ERR_LIMIT, "%s: too many files", s->box->path) : rc;
}

static bool
near_add(void *ctx, int sub, struct span name, bool regular)
{
	struct scan *s = ctx;

	(void)sub;
	buf_addc(&s->near, regular ? 'r' : '?');
	buf_add(&s->near, name);
	buf_addc(&s->near, '\0');
	return !s->near.failed && maildir_heads_add(&s->heads, name);
}

/*
 * The same where cur/ is as it was, as it is when mail has come: only new/ is read, and of the records only those of its
 * files, and those in cur/ that one of them may share its base with, which are taken for seen.
 */
static int
list_new_alone(struct scan *s, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	int rc;

	buf_reset(&s->near);
	maildir_heads_clear(&s->heads);
	s->seal = (struct maildir_seal){ .stamp[SUB_CUR] = st->stamp[SUB_CUR] };
	s->seal.coarse = !maildir_seal(s->box, SUB_NEW, false, &s->seal.stamp[SUB_NEW]);
	rc = maildir_list_dir(s->box, SUB_NEW, near_add, s, e);
	if (rc == 0)
		rc = maildir_known_load_near(&s->recs, t, st, &s->heads, e);
	for (size_t at = 0; at < s->near.n && rc == 0;) {
		struct span name = span_str(s->near.p + at + 1);

		rc = !file_add(s, SUB_NEW, name, s->near.p[at] == 'r');
		at += name.n + 2;
	}
	for (size_t i = 0; i < s->recs.count && rc == 0; i++)
		if (s->recs.recs[i].sub == SUB_CUR)
			s->recs.recs[i].order = ++s->listed;
	return rc == 1 ? err_set(e, ERR_LIMIT, "%s: too many files", s->box->path) : rc;
}

/*
 * Reads the directories, in the light of what the transaction's records say; files has what they do not know.  Exact when
 * nobody changed anything meanwhile.
 */
static int
list_files(struct scan *s, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	for (int try = 0; try < LIST_TRIES; try++) {
		int rc = 0;

		s->count = 0;
		s->listed = 0;
		buf_reset(&s->names);
		s->new_alone = s->may_be_near && maildir_stamp_holds(s->box, st, SUB_CUR);
		if (s->new_alone)
			rc = list_new_alone(s, t, st, e);
		else if ((rc = maildir_known_load(&s->recs, t, st, e)) == 0)
			rc = list_names(s, e);
		if (rc == -1)
			return -1;
		s->exact = maildir_seal_holds(s->box, &s->seal);
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
	bool sorted = true;

	s->first = st->bits & IDX_STATE_UNSCANNED;
	if (s->exact)
		st->bits &= ~(uint32_t)IDX_STATE_UNSCANNED;
	/* What may have been overlooked in cur/ has not been looked for. */
	st->bits &= ~(uint32_t)(IDX_STATE_COARSE | (s->new_alone ? 0 : IDX_STATE_WINDOW));
	if (s->seal.coarse || !s->exact)
		st->bits |= IDX_STATE_COARSE;
	for (int sub = 0; sub < 2; sub++)
		st->stamp[sub] = s->seal.stamp[sub];
	maildir_own_begin(&s->own, s->box, st);
	if (scan_take_new(s, t, st, e) == -1)
		return -1;
	maildir_own_end(&s->own, st);
	s->box->blind = st->bits & IDX_STATE_WINDOW;
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
	if (!s->new_alone)
		st->scanned_at = time(NULL);
	if (index_apply(t, &c, st, e) == -1)
		return -1;
	/* Of a Maildir seen for the first time what lies in new/ is \Recent; the mark is one number, so nearly so. */
	for (size_t i = 0; s->first && i < c.add_count; i++)
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
	maildir_own_begin(&s->own, s->box, &st);
	s->uidvalidity = st.uidvalidity;
	rc = maildir_claim_left(s->box, t, &claim, e);
	if (rc == 0 && claim.left != 0)
		s->may_be_near = false;
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
		rc = maildir_dirs_sync(s->box, s->own.events, e);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static enum drv_rc
scan(struct maildir_box *box, bool thorough, struct err *e)
{
	struct scan s = { .box = box, .may_be_near = !thorough, .names = BUF_INIT(NAMES_MAX),
		.near = BUF_INIT(NAMES_MAX), .seen = BUF_INIT(NAMES_MAX),
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
		/* At most as many are new: a list that has been read need not be read once more for want of UIDs. */
		if (drc == DRV_OK && s.count > 0 && !maildir_has_room(&before, (uint32_t)s.count))
			drc = maildir_reserve(box, (uint32_t)s.count, e);
		if (drc == DRV_OK)
			drc = scan_once(&s, &before, &again, e);
	}
	if (s.has_facts)
		maildir_list_file_clear(&s.facts);
	if (s.has_uids)
		maildir_uids_clear(&s.uids);
	buf_clear(&s.names);
	buf_clear(&s.near);
	maildir_heads_clear(&s.heads);
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
	return scan(box, thorough, e);
}
