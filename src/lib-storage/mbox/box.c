/* SPDX-License-Identifier: MIT */
/*
 * Opening a mailbox: its state in the index.  Most times the index knows the name; else the control file and the mbox file
 * itself (X-IMAPbase) tell who this is: a mailbox that the index has lost, one that another program made and numbered, or a
 * new one.
 *
 * Order of locks: the box's, the file's, then the write transaction; nothing is synced within that.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define BEGIN_TRIES 8
#define LAST_UID_MAX 0xf0000000u	/* an X-IMAPbase above that is somebody's joke */

enum drv_rc
mbox_rc(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return DRV_OK;
	case ERR_QUOTA:
		return DRV_FULL;
	case ERR_GONE:
	case ERR_NOTFOUND:
		return DRV_GONE;
	case ERR_INUSE:
		return DRV_UNAVAILABLE;
	default:
		/* DRV_CORRUPT is said of the index alone: a file that is no mbox does not get better by a new index. */
		return DRV_ERROR;
	}
}

void
mbox_box_close(void *b)
{
	struct mbox_box *box = b;

	if (box == NULL)
		return;
	if (box->locked != MBOX_UNLOCKED)
		mbox_unlock(box);
	if (box->fd != -1)
		close(box->fd);
	if (box->control_fd != -1)
		close(box->control_fd);
	if (box->intent_fd != -1)
		close(box->intent_fd);
	if (box->watch_fd != -1)
		close(box->watch_fd);
	free(box->name);
	free(box->path);
	free(box->control_path);
	free(box);
}

/* ---- keywords ---- */

void
mbox_keywords_clear(struct mbox_keywords *k)
{
	buf_clear(&k->text);
	*k = (struct mbox_keywords){ 0 };
}

int
mbox_keywords_load(struct mbox_keywords *k, struct mbox_box *box, struct index_txn *t, struct err *e)
{
	struct span value = SPAN_NONE;
	int count;

	*k = (struct mbox_keywords){ .max = mbox_keywords_max(box) };
	buf_init(&k->text, 65536);
	if (!buf_grow(&k->text, 65536))		/* spans into it stay */
		return err_set(e, ERR_TEMP, "out of memory");
	if (index_keywords_get(t, box->id, &value, e) == -1)
		return -1;
	buf_add(&k->text, value);
	count = idx_keywords_unpack(buf_span(&k->text), k->name);
	if (count == -1 || k->text.failed)
		return err_set(e, ERR_CORRUPT, "index: the keywords of %s are damaged", box->name);
	k->count = (size_t)count;
	return 0;
}

static int
keyword_bit(struct mbox_keywords *k, struct span word, bool create)
{
	size_t at = k->text.n;

	for (size_t i = 0; i < k->count; i++)
		if (k->name[i].n > 0 && span_ieq(k->name[i], word))
			return (int)i;
	if (!create || k->count >= k->max || word.n > 500)
		return -1;
	for (size_t i = 0; i < word.n; i++)
		if ((unsigned char)word.p[i] <= ' ' || (unsigned char)word.p[i] >= 0x7f || strchr("(){%*\"\\]", word.p[i]) != NULL)
			return -1;
	buf_add(&k->text, word);
	buf_addc(&k->text, '\0');
	if (k->text.failed)
		return -1;
	k->name[k->count] = span_of(k->text.p + at, word.n);
	k->changed = true;
	return (int)k->count++;
}

uint64_t
mbox_keywords_mask(struct mbox_keywords *k, struct span text, bool *passed_out)
{
	uint64_t mask = 0;

	while (text.n > 0) {
		size_t n = 0;
		int bit;

		while (n < text.n && (unsigned char)text.p[n] > ' ')
			n++;
		if (n > 0 && span_ieq(span_sub(text, 0, n), SPAN("$Forwarded")))
			*passed_out = true;
		else if (n > 0 && (bit = keyword_bit(k, span_sub(text, 0, n), true)) != -1)
			mask |= (uint64_t)1 << bit;
		text = span_from(text, n + 1);
	}
	return mask;
}

int
mbox_keywords_store(const struct mbox_keywords *k, struct mbox_box *box, struct index_txn *t, struct err *e)
{
	return k->changed ? index_keywords_put(t, box->id, buf_span(&k->text), e) : 0;
}

unsigned
mbox_keywords_max(void *b)
{
	struct mbox_box *box = b;

	return box->store->p.max_keywords < INDEX_KEYWORDS ? box->store->p.max_keywords : INDEX_KEYWORDS;
}

/* Into the index at once; into the file with the next message that carries it. */
enum drv_rc
mbox_keywords_add(void *b, const struct span *names, size_t count, struct err *e)
{
	struct mbox_box *box = b;
	struct mbox_keywords k = { 0 };
	struct idx_state st;
	struct index_txn *t;
	enum drv_rc drc = mbox_begin(box, 0, &t, &st, e);
	int rc;

	if (drc != DRV_OK)
		return drc;
	rc = mbox_keywords_load(&k, box, t, e);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (keyword_bit(&k, names[i], true) == -1)
			rc = k.count >= k.max ? err_set(e, ERR_LIMIT, "mailbox %s has %u keywords already", box->name, k.max) :
			    err_set(e, ERR_SYNTAX, "%.*s can not be a keyword in an mbox file", SPAN_ARG(names[i]));
	if (rc == 0)
		rc = mbox_keywords_store(&k, box, t, e);
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	mbox_keywords_clear(&k);
	return rc == 0 ? DRV_OK : mbox_rc(e);
}

/* ---- the state ---- */

static int
state_make(struct index_txn *t, struct mbox_box *box, const struct mbox_control *c, uint32_t uid_start,
    uint64_t modseq_start, struct err *e)
{
	struct idx_state st = {
		.id = c->id,
		.bits = IDX_STATE_UNSCANNED | (c->made_up && index_is_private(box->store->ix) ? IDX_STATE_PRIVATE : 0),
		.uidvalidity = c->uidvalidity,
		.uidnext = uid_start,
		.highestmodseq = modseq_start,
		.uid_reserved = c->uid_reserved,
		.modseq_reserved = c->modseq_reserved,
	};

	idx_state_set_name(&st, span_str(box->name));
	st.recent_uid = st.uidnext;
	st.pruned_to = st.highestmodseq > 1 ? st.highestmodseq : 0;
	/* What is left under the number is of a mailbox that was deleted, or whose state was lost. */
	return index_mailbox_purge(t, c->id, SIZE_MAX, e) == -1 ? -1 : index_mailbox_make(t, &st, e);
}

/* Whether the control file of that name has this id as well: 1, 0, -1. */
static int
has_id(struct mbox_store *s, struct span name, uint32_t id, struct err *e)
{
	struct mbox_control c;
	struct mbox_box other = { .store = s, .control_path = mbox_control_path(s, name, e) };
	int rc;

	if (other.control_path == NULL)
		return -1;
	other.control_fd = open(other.control_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = other.control_fd == -1 && errno != ENOENT ? err_errno(e, "open %s", other.control_path) :
	    mbox_control_read(&other, &c, e);
	if (other.control_fd != -1)
		close(other.control_fd);
	free(other.control_path);
	return rc == 1 ? c.id == id : rc;
}

/* What stands under this name, or this id, in the index, and is another mailbox, goes. */
static int
make_way(struct index_txn *t, struct mbox_box *box, struct mbox_control *c, bool *new_id, struct err *e)
{
	struct idx_state st;
	uint32_t there;
	int rc = index_mailbox_find(t, span_str(box->name), &there, e);

	if (rc == 1 && index_mailbox_drop(t, span_str(box->name), e) == -1)
		return -1;
	if (rc != -1)
		rc = index_state_get(t, c->id, &st, e);
	/* The index is of a time before a RENAME; or somebody copied a control directory. */
	if (rc == 1 && (rc = has_id(box->store, idx_state_name(&st), c->id, e)) == 0)
		return index_mailbox_remove(t, idx_state_name(&st), e);
	*new_id = rc == 1;
	if (rc == 1 && index_new_number(t, &c->id, e) == -1)
		return -1;
	return rc == -1 ? -1 : 0;
}

/* What numbers there are, wherever they are kept. */
static int
gather(struct mbox_box *box, struct mbox_control *c, uint32_t *uid_start, uint64_t *modseq_start, bool *known_out,
    struct err *e)
{
	struct mbox_reading r;
	struct stat sb;
	int known = mbox_control_read(box, c, e), rc = known == -1 ? -1 : 0;

	mbox_reading_init(&r);
	if (rc == 0 && fstat(box->fd, &sb) == -1)
		rc = err_errno(e, "stat %s", box->path);
	if (rc == 0)
		rc = mbox_read_base(box, (uint64_t)sb.st_size, &r, e);
	if (rc == 0 && r.last_uid > LAST_UID_MAX)
		r.uidvalidity = 0;
	*uid_start = *modseq_start = 1;
	if (rc == 0 && known == 1 && r.uidvalidity != 0 && r.uidvalidity != c->uidvalidity) {
		log_info("%s: another mbox file with UIDVALIDITY %u stands here now", box->path, r.uidvalidity);
		known = 0;
		*c = (struct mbox_control){ 0 };
	}
	if (rc == 0 && known == 1) {
		*uid_start = c->uid_reserved;
		*modseq_start = c->modseq_reserved;
	} else if (rc == 0) {
		if (r.uidvalidity != 0) {
			c->uidvalidity = r.uidvalidity;
			*uid_start = r.last_uid + 1;
			/* Higher than any count of changes that was told. */
			*modseq_start = (uint64_t)time(NULL) << 10;
		}
		c->made_up = r.uidvalidity == 0;
		c->uid_reserved = *uid_start + MBOX_RESERVE;
		c->modseq_reserved = *modseq_start + MBOX_RESERVE;
	}
	*known_out = known == 1;
	mbox_reading_clear(&r);
	return rc;
}

/* A new mailbox: its numbers are in the control file, synced, before anything else tells them to somebody. */
static int
give_numbers(struct mbox_box *box, struct mbox_control *c, struct err *e)
{
	struct index_txn *t;
	int rc = index_write(box->store->ix, &t, e);

	if (rc == -1)
		return -1;
	if (index_new_number(t, &c->id, e) == -1 || (c->uidvalidity == 0 && index_new_number(t, &c->uidvalidity, e) == -1))
		rc = -1;
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	/* Without a place for it the marks are in the index alone. */
	return rc == 0 && box->control_fd != -1 ? mbox_control_write(box, c, true, e) : rc;
}

/* The slow way, with the box's lock. */
static int
identify_locked(struct mbox_box *box, struct err *e)
{
	struct mbox_control c;
	struct index_txn *t = NULL;
	uint32_t uid_start, there;
	uint64_t modseq_start;
	bool known, new_id = false;
	int rc = gather(box, &c, &uid_start, &modseq_start, &known, e);

	if (rc == 0 && !known)
		rc = give_numbers(box, &c, e);
	if (rc == 0)
		rc = index_write(box->store->ix, &t, e);
	if (rc == 0) {
		if (known)
			rc = make_way(t, box, &c, &new_id, e);
		else if ((rc = index_mailbox_find(t, span_str(box->name), &there, e)) == 1)
			rc = index_mailbox_drop(t, span_str(box->name), e);
		if (rc == 0 && (index_number_seen(t, c.id, e) == -1 || index_number_seen(t, c.uidvalidity, e) == -1))
			rc = -1;
		if (rc == 0)
			rc = state_make(t, box, &c, uid_start, modseq_start, e);
		if (rc == 0)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	if (rc == 0)
		box->id = c.id;
	if (rc == 0 && new_id && box->control_fd != -1)
		rc = mbox_control_write(box, &c, true, e);
	return rc;
}

static int
identify(struct mbox_box *box, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	uint32_t id;
	bool had = box->locked != MBOX_UNLOCKED;
	int rc = had ? 0 : mbox_lock(box, MBOX_READ, -1, e);

	if (rc == -1)
		return -1;
	/* While we waited another may have done it. */
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_mailbox_find(t, span_str(box->name), &id, e);
	if (rc == 1)
		rc = index_state_get(t, id, &st, e);
	index_read_end(box->store->ix);
	if (rc == 1)
		box->id = id;
	else if (rc == 0)
		rc = identify_locked(box, e);
	if (!had)
		mbox_unlock(box);
	return rc == -1 ? -1 : 0;
}

enum drv_rc
mbox_replaced(struct mbox_box *box, uint32_t uidvalidity, struct err *e)
{
	struct index_txn *t;
	int rc = index_write(box->store->ix, &t, e);

	if (rc == 0) {
		rc = index_mailbox_drop(t, span_str(box->name), e);
		if (rc == 0)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	if (rc == 0)
		rc = identify_locked(box, e);
	if (rc == -1)
		return mbox_rc(e);
	log_info("%s: the file has been replaced by one with UIDVALIDITY %u", box->path, uidvalidity);
	return err_set(e, ERR_NOTFOUND, "mailbox %s is another one now", box->name), DRV_GONE;
}

/* IDX_STATE_DOUBT: the marks of the control directory are above all that was ever given.  1: it tells of another mailbox. */
static int
settle(struct mbox_box *box, uint32_t id, struct err *e)
{
	bool had = box->locked != MBOX_UNLOCKED;
	struct mbox_control c;
	struct index_txn *t;
	struct idx_state st;
	int rc, known;

	if (!had && mbox_lock_own(box, e) == -1)
		return -1;
	known = mbox_control_read(box, &c, e);
	rc = known == -1 ? -1 : index_write(box->store->ix, &t, e);
	if (rc == 0) {
		rc = index_state_get(t, id, &st, e);
		if (known == 0) {
			c.uid_reserved = st.uid_reserved < LAST_UID_MAX ? st.uid_reserved + MBOX_RESERVE : st.uid_reserved;
			c.modseq_reserved = (uint64_t)time(NULL) << 10;
		}
		if (rc == 1 && known == 1 && (c.uidvalidity != st.uidvalidity || c.id != st.id))
			rc = 2;
		else if (rc == 1 && st.bits & IDX_STATE_DOUBT)
			rc = index_settle(t, &st, c.uid_reserved, c.modseq_reserved, e) == -1 ? -1 : 1;
		if (rc == 2 && index_mailbox_drop(t, span_str(box->name), e) == -1)
			rc = -1;
		if (rc > 0)
			rc = index_commit(t, e) == -1 ? -1 : rc - 1;
		else
			index_abort(t);
	}
	if (!had)
		mbox_unlock_own(box);
	return rc;
}

/* made: its control directory was not there. */
static int
box_find(struct mbox_box *box, bool made, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	uint32_t id;
	int rc;

	if (index_check(box->store->ix, e) == -1 || index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_mailbox_find(t, span_str(box->name), &id, e);
	if (rc == 1)
		rc = index_state_get(t, id, &st, e);
	if (rc == 1 && st.bits & IDX_STATE_DOUBT) {
		index_read_end(box->store->ix);
		rc = settle(box, id, e);
		if (rc != 0)
			return rc == -1 ? -1 : identify(box, e);
		rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, id, &st, e);
	}
	if (rc == 1) {
		struct err ignored = ERR_INIT;

		box->id = id;
		box->due = st.dirty > 0;	/* left by one that died */
		/* It could not be made, or was removed: what it has to tell is in the index. */
		if (made || mbox_control_is_missing(box))
			mbox_reserve(box, 0, &ignored);
		return 0;
	}
	index_read_end(box->store->ix);
	return rc == -1 ? -1 : identify(box, e);
}

/* Made, and then not synced, or not opened: the next one shall see that there was none, and fill it.  Keeps errno. */
static void
unmake_control(const struct mbox_box *box)
{
	int saved = errno;

	rmdir(box->control_path);
	errno = saved;
}

/* The control directory: without one (a file system that is read-only) all is as well as it can be. */
static int
open_control(struct mbox_box *box, bool *made_out, struct err *e)
{
	*made_out = false;
	for (int try = 0; try < 2; try++) {
		struct err why = ERR_INIT;

		box->control_fd = open(box->control_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (box->control_fd != -1 || errno != ENOENT || try > 0)
			break;
		if (dir_make(box->control_path, box->store->dir_mode | 0700, &why) == 0) {
			*made_out = true;
			continue;
		}
		unmake_control(box);
		if (why.code != ERR_DENIED && errno != EROFS) {
			*e = why;
			return -1;
		}
		break;
	}
	if (box->control_fd == -1 && *made_out)
		unmake_control(box);
	return box->control_fd != -1 || errno == EROFS || errno == EACCES || errno == EPERM || errno == ENOENT ? 0 :
	    err_errno(e, "open %s", box->control_path);
}

enum drv_rc
mbox_box_open(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e)
{
	struct mbox_store *s = store;
	struct mbox_box *box = calloc(1, sizeof(*box));
	struct stat sb;
	bool made;

	if (box == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	*box = (struct mbox_box){ .store = s, .fd = -1, .control_fd = -1, .intent_fd = -1, .watch_fd = -1 };
	box->name = strndup(name.n == 0 ? "" : name.p, name.n);
	box->path = mbox_path(s, name, e);
	box->control_path = mbox_control_path(s, name, e);
	if (box->name == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	if (box->name == NULL || box->path == NULL || box->control_path == NULL)
		goto fail;
	if (stat(box->path, &sb) == -1) {
		/* INBOX is always there. */
		if (errno != ENOENT || !span_eq(name, SPAN("INBOX"))) {
			err_errno(e, "open %s", box->path);
			if (errno == ENOTDIR)		/* below a file that holds mail */
				e->code = ERR_NOTFOUND;
			goto fail;
		}
		if (mbox_make_file(s, box->path, e) == -1 && e->code != ERR_EXISTS)
			goto fail;
		e->code = ERR_NONE;
	} else if (!S_ISREG(sb.st_mode)) {
		err_set(e, S_ISDIR(sb.st_mode) ? ERR_NOTFOUND : ERR_DENIED, "%s is no plain file", box->path);
		goto fail;
	}
	if (open_control(box, &made, e) == -1 || box_find(box, made, e) == -1)
		goto fail;
	*box_out = box;
	*id_out = box->id;
	return DRV_OK;
fail:
	mbox_box_close(box);
	return mbox_rc(e);
}

/* The index does not know the box any more: it was deleted, or the index was lost while we had it open. */
enum drv_rc
mbox_find_again(struct mbox_box *box, struct err *e)
{
	struct stat sb;
	uint32_t id = box->id;

	if (stat(box->path, &sb) == -1)
		return err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name), DRV_GONE;
	if (identify(box, e) == -1)
		return mbox_rc(e);
	if (box->id != id) {
		box->id = id;
		return err_set(e, ERR_NOTFOUND, "mailbox %s is another one now", box->name), DRV_GONE;
	}
	return DRV_OK;
}

bool
mbox_has_room(const struct idx_state *st, uint32_t uids)
{
	return (uint64_t)st->uidnext + uids <= st->uid_reserved && st->highestmodseq + 4 < st->modseq_reserved;
}

static int
reserve_locked(struct mbox_box *box, uint32_t uids, struct err *e)
{
	struct mbox_control c;
	struct idx_state st;
	struct index_txn *t = NULL;
	uint64_t uid_mark, mod_mark;
	int known = mbox_control_read(box, &c, e);
	int rc = known == -1 || index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);

	index_read_end(box->store->ix);
	if (rc != 1)
		return rc;
	if (known == 0)		/* somebody removed it; the index remembers */
		c = (struct mbox_control){ .uidvalidity = st.uidvalidity, .id = st.id };
	uid_mark = (uint64_t)st.uidnext + uids + MBOX_RESERVE;
	mod_mark = st.highestmodseq + 2 * MBOX_RESERVE;
	if (uid_mark > UINT32_MAX)
		uid_mark = UINT32_MAX;
	c.uid_reserved = c.uid_reserved > uid_mark ? c.uid_reserved : (uint32_t)uid_mark;
	c.modseq_reserved = c.modseq_reserved > mod_mark ? c.modseq_reserved : mod_mark;
	if (box->control_fd != -1 && mbox_control_write(box, &c, true, e) == -1)
		return -1;
	if (index_write(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	st.uid_reserved = c.uid_reserved;
	st.modseq_reserved = c.modseq_reserved;
	if (rc == 1)
		rc = index_state_put(t, &st, e) == -1 ? -1 : 1;
	if (rc == 1)
		return index_commit(t, e) == -1 ? -1 : 1;
	index_abort(t);
	return rc;
}

/* Moves the marks on, on disk first. */
enum drv_rc
mbox_reserve(struct mbox_box *box, uint32_t uids, struct err *e)
{
	bool had = box->locked != MBOX_UNLOCKED;
	int rc;

	/* Not the file's locks: other programs need not be waited for. */
	if (!had && mbox_lock_own(box, e) == -1)
		return mbox_rc(e);
	rc = reserve_locked(box, uids, e);
	if (!had)
		mbox_unlock_own(box);
	if (rc == 0)
		err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	return rc == 1 ? DRV_OK : mbox_rc(e);
}

enum drv_rc
mbox_begin(struct mbox_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st, struct err *e)
{
	for (int i = 0; i < BEGIN_TRIES; i++) {
		enum drv_rc drc;
		int rc;

		if (index_write(box->store->ix, t, e) == -1)
			return mbox_rc(e);
		rc = index_state_get(*t, box->id, st, e);
		if (rc == 1 && (uint64_t)st->uidnext + uids >= UINT32_MAX)
			rc = err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", box->name);
		if (rc == 1 && !(st->bits & IDX_STATE_DOUBT) && mbox_has_room(st, uids))
			return DRV_OK;
		index_abort(*t);
		if (rc == 1 && st->bits & IDX_STATE_DOUBT) {
			rc = settle(box, box->id, e);
			if (rc == 0)
				continue;
			rc = rc == 1 ? 0 : -1;
		}
		if (rc == -1)
			return mbox_rc(e);
		drc = rc == 0 ? mbox_find_again(box, e) : mbox_reserve(box, uids, e);
		if (drc != DRV_OK)
			return drc;
	}
	return err_set(e, ERR_TEMP, "mailbox %s is too busy", box->name), DRV_UNAVAILABLE;
}
