/* SPDX-License-Identifier: MIT */
/*
 * How an mbox is kept.
 *
 * The file is the truth; the index has a record for each message, with the place where it stands (read.c), and a stamp: the
 * file's size, time, and inode when the two last agreed.  While the stamp holds, a sync is one stat, and a message is read
 * from where its record says.
 *
 * When it does not hold, the file is read under its lock.  Has it only grown, and does the last known message still stand
 * where it stood, then what is behind that is read (mbox_dirty_syncs; the next SELECT reads the whole, should somebody have
 * changed flags in the middle as well).  Else all is read, and compared with the records in order:
 *	- a message with X-UID is the one of that record, if what clients see of it is the same (a digest of the header and the
 *	  length of the body: somebody may have copied it from elsewhere, X-UID and all);
 *	- one without is the next record with the same digest;
 *	- one that is neither is new, and gets the next UID.  It keeps the UID that it carries if that was not given yet (we died
 *	  between the writing of the file and of the index), or if the index is being rebuilt;
 *	- a record that no message was found for is expunged.
 * UIDs ascend in the file.  What stands behind a new message but has an older UID is new, too.
 *
 * Flags are the file's, unless those in the record wait to be written (IDX_DIRTY): with mail_fsync = always they never do for
 * longer than a STORE takes, so of an index that was damaged or is of an earlier time the file's are newer.  IDX_NEW in a
 * record says that the file does not carry its UID yet.  Both are written behind, rewrite.c, as is O in Status when a message
 * is \Recent no more.
 *
 * In the state: stamp[0] is time and inode, stamp[1].sec the size, stamp[1].ino the device, stamp[1].nsec the UID below which
 * Status has its O, dev the first UID that the file does not carry yet (0: none).
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define TAKE_TRIES 4
#define GIVEN_MOST 1000000	/* UIDs that another program may have given meanwhile: more is a joke */
#define TICK_NS 20000000	/* a file system's clock ticks at least every 20 ms */
#define TICK_COARSE 3		/* seconds: one without nanoseconds */

struct known {
	uint32_t uid;
	bool found;
	uint64_t off, digest;
};

struct taking {
	struct mbox_box *box;
	struct mbox_reading r;
	struct mbox_keywords kw;
	struct arena *a;
	struct known *known;
	size_t known_count, at;		/* at: the first that may still be found */
	size_t *by_digest;		/* indices, by digest; made when needed */
	struct index_txn *t;
	struct idx_state st;
	struct array seen, adds, gone;
	uint32_t prev;			/* the UID before */
	bool trust;			/* X-UID is this mailbox's */
	uint64_t named;			/* keyword bits that had a name: others are left by an index that lost its names */
	bool file_flags;		/* the file's flags are as new as any that were acknowledged */
	uint32_t base_validity, base_last_uid;	/* as the file's head has them */
};

static bool
same_file(const struct idx_state *st, const struct stat *sb)
{
	return st->stamp[0].ino == (uint64_t)sb->st_ino && st->stamp[1].ino == (uint64_t)sb->st_dev;
}

/* The stamp as it is, whatever it is worth. */
bool
mbox_stamp_is(const struct idx_state *st, const struct stat *sb)
{
	return same_file(st, sb) && st->stamp[0].sec == sb->st_mtim.tv_sec &&
	    st->stamp[0].nsec == (uint32_t)sb->st_mtim.tv_nsec && st->stamp[1].sec == (int64_t)sb->st_size;
}

bool
mbox_stamp_holds(const struct idx_state *st, const struct stat *sb)
{
	return !(st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) && mbox_stamp_is(st, sb);
}

/*
 * The file's time is worth something when every later change gives another.  One that was changed in this tick of the clock
 * gets a time of its own, to the nanosecond; where that can not be set the next sync looks again.
 */
int
mbox_stamp_set(struct mbox_box *box, struct idx_state *st, struct err *e)
{
	struct timespec now, ts[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb;
	int64_t age;

	if (fstat(box->fd, &sb) == -1)
		return err_errno(e, "stat %s", box->path);
	clock_gettime(CLOCK_REALTIME, &now);
	age = (now.tv_sec - sb.st_mtim.tv_sec) * 1000000000 + now.tv_nsec - sb.st_mtim.tv_nsec;
	st->bits &= ~(uint32_t)IDX_STATE_COARSE;
	if (age < TICK_NS || (sb.st_mtim.tv_nsec == 0 && age < TICK_COARSE * (int64_t)1000000000)) {
		ts[1] = now;
		if (futimens(box->fd, ts) == -1 || fstat(box->fd, &sb) == -1 || sb.st_mtim.tv_nsec != now.tv_nsec)
			st->bits |= IDX_STATE_COARSE;
	}
	st->stamp[0] = (struct idx_stamp){ .sec = sb.st_mtim.tv_sec, .nsec = (uint32_t)sb.st_mtim.tv_nsec,
		.ino = (uint64_t)sb.st_ino };
	st->stamp[1].sec = (int64_t)sb.st_size;
	st->stamp[1].ino = (uint64_t)sb.st_dev;
	return 0;
}

/* ---- comparing ---- */

static int
load_known(struct taking *k, uint32_t from_uid, struct err *e)
{
	struct index_walk w;
	size_t cap = 0;
	int rc = index_walk_begin(&w, k->t, k->box->id, from_uid, e);

	k->known_count = 0;
	while (rc == 0 && (rc = index_walk_next(&w, e)) == 1) {
		struct mbox_msg place;

		rc = 0;
		if (k->known_count == cap) {
			struct known *more = realloc(k->known, (cap = cap == 0 ? 256 : cap * 2) * sizeof(*more));

			if (more == NULL) {
				rc = err_set(e, ERR_TEMP, "out of memory");
				break;
			}
			k->known = more;
		}
		if (!mbox_place_parse(w.m.name, &place))
			place = (struct mbox_msg){ .off = UINT64_MAX };
		k->known[k->known_count++] = (struct known){ .uid = w.uid, .off = place.off, .digest = place.digest };
	}
	index_walk_end(&w);
	return rc;
}

static struct known *
known_by_uid(struct taking *k, uint32_t uid)
{
	size_t lo = k->at, hi = k->known_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->known[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < k->known_count && k->known[lo].uid == uid ? &k->known[lo] : NULL;
}

static int
digest_cmp(const void *a, const void *b, void *ctx)
{
	const struct taking *k = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (k->known[x].digest != k->known[y].digest)
		return k->known[x].digest < k->known[y].digest ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The first from k->at on. */
static struct known *
known_by_digest(struct taking *k, uint64_t digest)
{
	size_t lo = 0, hi = k->known_count;

	if (k->at < k->known_count && k->known[k->at].digest == digest)
		return &k->known[k->at];
	if (k->at >= k->known_count)
		return NULL;
	if (k->by_digest == NULL) {
		k->by_digest = malloc(k->known_count * sizeof(*k->by_digest));
		if (k->by_digest == NULL)
			return NULL;
		for (size_t i = 0; i < k->known_count; i++)
			k->by_digest[i] = i;
		qsort_r(k->by_digest, k->known_count, sizeof(*k->by_digest), digest_cmp, k);
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2, i = k->by_digest[mid];

		if (k->known[i].digest < digest || (k->known[i].digest == digest && i < k->at))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < k->known_count && k->known[k->by_digest[lo]].digest == digest ? &k->known[k->by_digest[lo]] : NULL;
}

static struct known *
find_known(struct taking *k, const struct mbox_msg *m)
{
	struct known *n = NULL;

	if (m->uid != 0 && k->trust)
		n = known_by_uid(k, m->uid);
	if (n != NULL && n->digest != m->digest)
		n = NULL;
	/* The file may carry a UID that somebody copied here, or none. */
	if (n == NULL)
		n = known_by_digest(k, m->digest);
	return n != NULL && n->uid > k->prev ? n : NULL;
}

static int
take_known(struct taking *k, struct known *n, const struct mbox_msg *m, struct err *e)
{
	char room[MBOX_PLACE_MAX];
	struct span place = mbox_place_write(room, m);
	bool passed = false, carries = m->uid == n->uid && k->trust;
	struct change_seen c = { .uid = n->uid }, *slot;
	uint64_t keywords = mbox_keywords_mask(&k->kw, span_sub(buf_span(&k->r.text), m->keywords_at, m->keywords_n), &passed);
	uint8_t flags = (uint8_t)(m->flags | (passed ? IDX_PASSED : 0));
	int rc = index_message_get(k->t, k->box->id, n->uid, &c.rec, e);

	n->found = true;
	k->at = (size_t)(n - k->known) + 1;
	k->prev = n->uid;
	if (rc != 1)
		return rc;
	if (c.rec.bits & IDX_DIRTY && (k->file_flags || c.rec.keywords & ~k->named) &&
	    (flags != c.rec.flags || keywords != c.rec.keywords))
		c.rec.bits &= (uint8_t)~IDX_DIRTY;
	if (!carries && (k->st.dev == 0 || n->uid < k->st.dev))
		k->st.dev = n->uid;
	if (span_eq(place, c.rec.name) && carries == !(c.rec.bits & IDX_NEW) && c.rec.physical_size == m->size &&
	    (c.rec.bits & IDX_DIRTY || (flags == c.rec.flags && keywords == c.rec.keywords)))
		return 0;
	c.rec.name = arena_dup(k->a, place);
	if (c.rec.bits & IDX_UIDL)
		c.rec.uidl = arena_dup(k->a, c.rec.uidl);
	if (!(c.rec.bits & IDX_DIRTY) && (flags != c.rec.flags || keywords != c.rec.keywords)) {
		c.rec.flags = flags;
		c.rec.keywords = keywords;
		c.flags_changed = true;
	}
	/* A mail program wrote "Lines" anew. */
	if (c.rec.physical_size != m->size) {
		c.rec.physical_size = m->size;
		c.rec.size = m->virtual_size;
		c.rec.bits &= (uint8_t)~IDX_DIGEST;
	}
	c.rec.bits = (uint8_t)((c.rec.bits & ~IDX_NEW) | (carries ? 0 : IDX_NEW));
	slot = array_push(&k->seen);
	if (slot == NULL || c.rec.name.p == NULL)
		return err_set(e, ERR_LIMIT, "%s: too many changes", k->box->path);
	*slot = c;
	return 0;
}

static int
take_new(struct taking *k, const struct mbox_msg *m, struct err *e)
{
	char room[MBOX_PLACE_MAX];
	struct change_add *add;
	struct span place = mbox_place_write(room, m);
	bool passed = false, keeps = m->uid != 0 && k->trust && m->uid > k->prev && m->uid < k->st.uid_reserved &&
	    (m->uid >= k->st.uidnext || k->st.bits & IDX_STATE_UNSCANNED);
	unsigned most = k->kw.max;

	/* A UID that we can not keep would be somebody else's later: without one, the message waits for who may give it. */
	if (!keeps && index_is_private(k->box->store->ix) && !(k->st.bits & IDX_STATE_PRIVATE))
		return 0;
	add = array_push(&k->adds);
	if (add == NULL)
		return err_set(e, ERR_LIMIT, "%s: too many new messages", k->box->path);
	/* A sender can write X-Keywords as well: of mail that nobody here has numbered only known ones count. */
	if (!keeps)
		k->kw.max = (unsigned)k->kw.count;
	add->uid = keeps ? m->uid : k->st.uidnext;
	if (add->uid <= k->prev)
		add->uid = k->prev + 1;
	if (add->uid >= UINT32_MAX - 1)
		return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", k->box->name);
	if (add->uid >= k->st.uidnext)
		k->st.uidnext = add->uid + 1;
	k->prev = add->uid;
	if (!keeps && (k->st.dev == 0 || add->uid < k->st.dev))
		k->st.dev = add->uid;
	add->rec = (struct idx_message){
		.bits = keeps ? 0 : IDX_NEW,
		.keywords = mbox_keywords_mask(&k->kw, span_sub(buf_span(&k->r.text), m->keywords_at, m->keywords_n), &passed),
		.internal_date = m->date,
		.save_date = m->date,
		.size = m->virtual_size,
		.physical_size = m->size,
		.name = arena_dup(k->a, place),
	};
	add->rec.flags = (uint8_t)(m->flags | (passed ? IDX_PASSED : 0));
	k->kw.max = most;
	return add->rec.name.p == NULL ? err_set(e, ERR_LIMIT, "%s: too many new messages", k->box->path) : 0;
}

/* from_uid: of the first message that was read; 1 also when the index has lost that. */
static int
compare(struct taking *k, uint32_t from_uid, struct err *e)
{
	bool passed = false;

	k->at = 0;
	k->st.dev = from_uid <= k->st.dev ? 0 : k->st.dev;
	k->prev = from_uid - 1;
	if (k->r.has_first)
		mbox_keywords_mask(&k->kw, span_sub(buf_span(&k->r.text), k->r.base_at, k->r.base_n), &passed);
	for (size_t i = 0; i < k->r.msgs.n; i++) {
		const struct mbox_msg *m = array_at(&k->r.msgs, i);
		struct known *n = find_known(k, m);

		if ((n != NULL ? take_known(k, n, m, e) : take_new(k, m, e)) == -1)
			return -1;
	}
	for (size_t i = 0; i < k->known_count; i++) {
		uint32_t *slot = k->known[i].found ? NULL : array_push(&k->gone);

		if (slot != NULL)
			*slot = k->known[i].uid;
		else if (!k->known[i].found)
			return err_set(e, ERR_LIMIT, "%s: too many changes", k->box->path);
	}
	return 0;
}

static int
apply(struct taking *k, bool whole, struct err *e)
{
	struct box_change c = { .id = k->box->id, .adds = k->adds.p, .add_count = k->adds.n, .seen = k->seen.p,
		.seen_count = k->seen.n, .expunges = k->gone.p, .expunge_count = k->gone.n };
	struct idx_state *st = &k->st;
	bool first = st->bits & IDX_STATE_UNSCANNED;

	if (whole)
		st->bits &= ~(uint32_t)(IDX_STATE_UNSCANNED | IDX_STATE_WINDOW);
	else if (!k->box->store->p.mbox.very_dirty_syncs)
		st->bits |= IDX_STATE_WINDOW;
	st->scanned_at = time(NULL);
	if (mbox_stamp_set(k->box, st, e) == -1 || mbox_keywords_store(&k->kw, k->box, k->t, e) == -1)
		return -1;
	/* Of a file seen for the first time: what has no O is \Recent; the mark is one number, so nearly so. */
	for (size_t i = 0; first && i < k->r.msgs.n && i < k->adds.n; i++) {
		const struct mbox_msg *m = array_at(&k->r.msgs, i);

		if (m->old && c.adds[i].uid >= st->recent_uid)
			st->recent_uid = c.adds[i].uid + 1;
	}
	if (first)
		st->stamp[1].nsec = st->recent_uid;
	return index_apply(k->t, &c, st, e);
}

static void
taking_clear(struct taking *k)
{
	mbox_reading_clear(&k->r);
	mbox_keywords_clear(&k->kw);
	array_clear(&k->seen);
	array_clear(&k->adds);
	array_clear(&k->gone);
	arena_free(k->a);
	free(k->known);
	free(k->by_digest);
}

/* UIDs that the file's head says were given: by another program, to messages that are gone again. */
static void
take_head(struct taking *k)
{
	uint32_t last = k->base_last_uid;

	if (last >= k->st.uidnext && last - k->st.uidnext < GIVEN_MOST && k->base_validity == k->st.uidvalidity)
		k->st.uidnext = last + 1;
	/* The message that had UIDVALIDITY for all is gone, or others wrote over it: another has to carry it. */
	if (k->base_validity != k->st.uidvalidity && k->r.msgs.n > 0 && k->st.dev == 0)
		k->st.dev = 1;
}

/* Compares what was read with the index, which then has it. */
static enum drv_rc
take_in(struct taking *k, uint32_t from_uid, bool whole, struct idx_state *st_out, struct err *e)
{
	uint32_t need = 0;

	for (int try = 0; try < TAKE_TRIES; try++) {
		enum drv_rc drc = mbox_begin(k->box, need, &k->t, &k->st, e);
		uint32_t uidnext;
		int rc;

		if (drc != DRV_OK)
			return drc;
		uidnext = k->st.uidnext;
		k->seen.n = k->adds.n = k->gone.n = 0;
		free(k->by_digest);
		k->by_digest = NULL;
		arena_reset(k->a);
		mbox_keywords_clear(&k->kw);
		/* An index that a power cut left may be of an earlier time, when other flags waited to be written. */
		k->file_flags = k->st.bits & IDX_STATE_UNSCANNED && !k->box->readonly && k->box->store->p.fsync == FSYNC_ALWAYS;
		k->trust = k->r.uidvalidity == 0 || k->r.uidvalidity == k->st.uidvalidity;
		rc = mbox_keywords_load(&k->kw, k->box, k->t, e);
		k->named = 0;
		for (size_t i = 0; i < k->kw.count && rc == 0; i++)
			k->named |= (uint64_t)(k->kw.name[i].n > 0) << i;
		if (rc == 0)
			rc = load_known(k, from_uid, e);
		if (rc == 0)
			rc = compare(k, from_uid, e);
		if (rc == 0)
			take_head(k);
		if (rc == 0 && k->st.uidnext > k->st.uid_reserved) {
			need = k->st.uidnext - uidnext;
			index_abort(k->t);
			continue;
		}
		if (rc == 0)
			rc = apply(k, whole, e);
		if (rc == 0)
			rc = index_commit(k->t, e);
		else
			index_abort(k->t);
		*st_out = k->st;
		return rc == 0 ? DRV_OK : mbox_rc(e);
	}
	return err_set(e, ERR_TEMP, "mailbox %s is too busy", k->box->name), DRV_UNAVAILABLE;
}

/* Where the last known message stands; 0: the whole must be read. */
static uint64_t
last_place(struct mbox_box *box, uint32_t *uid_out, struct mbox_msg *place, struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	uint32_t first, last;
	uint64_t off = 0;

	if (index_read(box->store->ix, &t, e) == 0 && index_uid_bounds(t, box->id, &first, &last, e) == 0 && last != 0 &&
	    index_message_get(t, box->id, last, &m, e) == 1 && mbox_place_parse(m.name, place)) {
		*uid_out = last;
		off = place->off;
	}
	index_read_end(box->store->ix);
	return off;
}

/* What has been added behind the last known message.  False: that is not all that happened. */
static bool
read_tail(struct taking *k, uint64_t size, uint32_t *from_uid)
{
	struct err e = ERR_INIT;
	struct mbox_msg place, *first;
	uint64_t off = last_place(k->box, from_uid, &place, &e);

	if (off == 0 || off >= size || mbox_read(k->box, off, size, &k->r, &e) == -1 || k->r.msgs.n == 0)
		return false;
	first = array_at(&k->r.msgs, 0);
	return first->digest == place.digest && (first->uid == 0 || first->uid == *from_uid);
}

/* What the first message says of the whole: after its tail alone was read, too. */
static int
read_head(struct taking *k, bool whole, uint64_t size, struct err *e)
{
	struct mbox_reading base;
	int rc = 0;

	if (whole) {
		k->base_validity = k->r.uidvalidity;
		k->base_last_uid = k->r.last_uid;
		return 0;
	}
	mbox_reading_init(&base);
	rc = mbox_read_base(k->box, size, &base, e);
	k->base_validity = base.uidvalidity;
	k->base_last_uid = base.last_uid;
	mbox_reading_clear(&base);
	return rc;
}

enum drv_rc
mbox_sync_locked(struct mbox_box *box, bool thorough, struct idx_state *st, struct err *e)
{
	struct taking k = { .box = box, .seen = ARRAY_INIT(struct change_seen, MBOX_MESSAGES_MAX),
		.adds = ARRAY_INIT(struct change_add, MBOX_MESSAGES_MAX), .gone = ARRAY_INIT(uint32_t, MBOX_MESSAGES_MAX) };
	struct index_txn *t;
	struct stat sb;
	uint32_t from_uid = 1;
	bool whole = true;
	enum drv_rc drc = DRV_OK;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, st, e);

	index_read_end(box->store->ix);
	if (rc == 0)
		return mbox_find_again(box, e) == DRV_OK ? mbox_sync_locked(box, true, st, e) : mbox_rc(e);
	if (rc == -1 || fstat(box->fd, &sb) == -1)
		return rc == -1 ? mbox_rc(e) : (err_errno(e, "stat %s", box->path), mbox_rc(e));
	if (!thorough && mbox_stamp_holds(st, &sb))
		return DRV_OK;
	k.a = arena_new(SIZE_MAX / 2);
	mbox_reading_init(&k.r);
	if (k.a == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	if (!thorough && box->store->p.mbox.dirty_syncs && !(st->bits & (IDX_STATE_UNSCANNED | IDX_STATE_COARSE)) &&
	    same_file(st, &sb) && sb.st_size > st->stamp[1].sec && st->messages > 0)
		whole = !read_tail(&k, (uint64_t)sb.st_size, &from_uid);
	if (whole) {
		mbox_reading_clear(&k.r);
		mbox_reading_init(&k.r);
		from_uid = 1;
		if (mbox_read(box, 0, (uint64_t)sb.st_size, &k.r, e) == -1)
			drc = mbox_rc(e);
	}
	if (drc == DRV_OK && read_head(&k, whole, (uint64_t)sb.st_size, e) == -1)
		drc = mbox_rc(e);
	/* With the same inode it is our file still, and somebody put a header there that he should not have. */
	if (drc == DRV_OK && k.r.uidvalidity != 0 && k.r.uidvalidity != st->uidvalidity && !same_file(st, &sb))
		drc = mbox_replaced(box, k.r.uidvalidity, e);
	if (drc == DRV_OK)
		drc = take_in(&k, from_uid, whole, st, e);
	taking_clear(&k);
	return drc;
}

static void
note_due(struct mbox_box *box, const struct idx_state *st)
{
	box->due = !box->readonly && (st->dirty > 0 || st->dev != 0 || st->stamp[1].nsec < st->uidnext);
}

enum drv_rc
mbox_sync(void *b, bool thorough, struct err *e)
{
	struct mbox_box *box = b;
	struct index_txn *t;
	struct idx_state st;
	struct stat sb;
	enum drv_rc drc;
	int rc;

	if (index_check(box->store->ix, e) == -1 || index_read(box->store->ix, &t, e) == -1)
		return mbox_rc(e);
	rc = index_state_get(t, box->id, &st, e);
	index_read_end(box->store->ix);
	if (rc == -1)
		return mbox_rc(e);
	/* The first sync of a box is SELECT's: what was put off is done now. */
	if (rc == 1 && !box->synced && st.bits & IDX_STATE_WINDOW && !box->store->p.mbox.very_dirty_syncs)
		thorough = true;
	if (rc == 1 && !thorough && stat(box->path, &sb) == 0 && mbox_stamp_holds(&st, &sb)) {
		box->synced = true;
		note_due(box, &st);
		return DRV_OK;
	}
	if (mbox_lock(box, MBOX_READ, -1, e) == -1) {
		/* Deleted by another program: an INBOX comes back, another mailbox does not. */
		if (e->code == ERR_NOTFOUND)
			err_wrap(e, "mailbox %s was deleted", box->name);
		return mbox_rc(e);
	}
	drc = mbox_sync_locked(box, thorough, &st, e);
	mbox_unlock(box);
	if (drc != DRV_OK)
		return drc;
	box->synced = true;
	note_due(box, &st);
	return DRV_OK;
}
