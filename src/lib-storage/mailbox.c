/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "lib/sys.h"
#include "lib-index/check.h"
#include "lib-storage/storage-priv.h"

#define MADE_ARENA_MAX ((size_t)64 << 20)
#define MARKED_MAX (sizeof(((struct mailbox *)NULL)->marked) / sizeof(uint32_t))

static int
open_handle(struct mailbox *box, struct err *e)
{
	enum drv_rc drc = box->drv->box_open(box->store->handle, span_str(box->inner), &box->handle, &box->id, e);

	if (drc == DRV_GONE && storage_special(box->ns, span_str(box->inner)) != NULL) {
		if (storage_ensure_auto(box->st, box->ns, span_str(box->inner), e) == -1)
			return -1;
		drc = box->drv->box_open(box->store->handle, span_str(box->inner), &box->handle, &box->id, e);
	}
	if (drc == DRV_OK)
		return 0;
	box->handle = NULL;
	return -1;
}

static int
open_and_load(struct mailbox *box, struct err *e)
{
	if (open_handle(box, e) == -1 || (box->ns->pvt != NULL && private_open(box, e) == -1))
		return -1;
	if (box->mode >= MAILBOX_SAVE)
		return 0;
	if (mailbox_driver_sync(box, false, e) != DRV_OK || view_load(box, e) == -1)
		return -1;
	return mailbox_load_keywords(box, NULL, e);
}

static unsigned
need_of(enum mailbox_mode mode)
{
	switch (mode) {
	case MAILBOX_SAVE:
		return ACL_INSERT;
	case MAILBOX_POST:
		return ACL_POST;
	case MAILBOX_READ:
	case MAILBOX_WRITE:
	case MAILBOX_CHANGE:
		break;
	}
	return ACL_READ;
}

int
mailbox_open(struct storage *st, struct span name, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	return mailbox_open_needing(st, name, mode, need_of(mode), out, e);
}

int
mailbox_open_needing(struct storage *st, struct span name, enum mailbox_mode mode, unsigned need, struct mailbox **out,
    struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct mailbox *box = calloc(1, sizeof(*box));
	int rc;

	if (box == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	box->st = st;
	box->mode = mode;
	box->made = ARRAY_INIT(struct made, 1000000);
	buf_init(&box->keyword_text, 65536);
	buf_init(&box->body, BODY_KEEP);
	buf_init(&box->summary_room, SUMMARY_ROOM_MAX);
	rc = storage_resolve(st, name, &box->ns, &inner, e);
	if (rc == 0) {
		box->store = box->ns->store;
		index_private_retry(box->store->ix);
		/* Else the driver's sync looks. */
		if (mode >= MAILBOX_SAVE)
			rc = index_check(box->store->ix, e);
		if ((mode == MAILBOX_WRITE || mode == MAILBOX_CHANGE) && index_is_private(box->store->ix))
			box->mode = MAILBOX_READ;
		box->drv = box->store->drv;
		box->inner = strndup(inner.p, inner.n);
		box->name = strndup(name.p, name.n);
		if (rc == 0 && (box->inner == NULL || box->name == NULL))
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	buf_clear(&inner);
	box->rights = ACL_ALL;
	if (rc == 0 && st->acl != NULL) {
		rc = acl_rights(st, box->ns, span_str(box->inner), &box->rights, e);
		box->rights_at = clock_ms();
		if (rc == 0)
			rc = acl_check(box->rights, need, name, e);
	}
	if (rc == 0 && (rc = open_and_load(box, e)) == -1 && e->code == ERR_CORRUPT && index_mend(box->store->ix, box->id, e) == 0) {
		private_close(box);
		if (box->handle != NULL)
			box->drv->box_close(box->handle);
		box->handle = NULL;
		view_clear(&box->view);
		rc = open_and_load(box, e);
	}
	box->next = st->boxes;
	st->boxes = box;
	if (rc == -1) {
		mailbox_close(box);
		return err_wrap(e, "open %.*s", SPAN_ARG(name));
	}
	if (box->drv->is_due(box->handle) && st->dirty_since == 0)
		st->dirty_since = clock_ms();
	*out = box;
	return 0;
}

/* Sessions that never rest (POP3) prune the log here. */
static bool
log_is_long(struct mailbox *box)
{
	struct err e = ERR_INIT;
	struct index_txn *t;
	struct idx_state st;

	return index_read(box->store->ix, &t, &e) == 0 && index_state_get(t, box->id, &st, &e) == 1 &&
	    st.tombstones > INDEX_LOG_MOST;
}

void
mailbox_close(struct mailbox *box)
{
	struct mailbox **p;
	struct err e = ERR_INIT;

	if (box == NULL)
		return;
	if (box->watch_id != 0)
		mailbox_watch(box, false, &e);
	if (box->handle != NULL) {
		/* What fails here is left for who opens it next. */
		mailbox_made_flush(box, &e);
		if (box->drv->is_due(box->handle) || log_is_long(box))
			box->drv->maintain(box->handle, &e);
		index_read_end(box->store->ix);
		box->drv->box_close(box->handle);
	}
	for (p = &box->st->boxes; *p != NULL; p = &(*p)->next) {
		if (*p == box) {
			*p = box->next;
			break;
		}
	}
	private_close(box);
	mailbox_body_drop(box);
	view_clear(&box->view);
	buf_clear(&box->keyword_text);
	buf_clear(&box->body);
	array_clear(&box->made);
	arena_free(box->made_arena);
	buf_clear(&box->summary_room);
	free(box->name);
	free(box->inner);
	free(box);
}

struct span
mailbox_name(const struct mailbox *box)
{
	return span_str(box->name);
}

bool
mailbox_is_readonly(const struct mailbox *box)
{
	return box->mode == MAILBOX_READ || (box->rights & ACL_CHANGES) == 0;
}

unsigned
mailbox_rights(const struct mailbox *box)
{
	return box->rights;
}

unsigned
mailbox_flags_allowed(const struct mailbox *box)
{
	return (box->rights & ACL_WRITE ? IDX_FLAGS & ~(unsigned)(MSG_SEEN | MSG_DELETED) : 0) |
	    (box->rights & ACL_SEEN ? MSG_SEEN : 0) | (box->rights & ACL_DELETED ? MSG_DELETED : 0);
}

unsigned
mailbox_permanent_flags(const struct mailbox *box, bool *keywords_out)
{
	*keywords_out = !mailbox_is_readonly(box) && box->rights & ACL_WRITE;
	return mailbox_is_readonly(box) ? 0 : mailbox_flags_allowed(box);
}

int
mailbox_load_keywords(struct mailbox *box, bool *changed_out, struct err *e)
{
	struct index_txn *t;
	struct span value = SPAN_NONE;
	int count;

	if (index_read(box->store->ix, &t, e) == -1 || index_keywords_get(t, box->id, &value, e) == -1)
		return -1;
	if (span_eq(value, buf_span(&box->keyword_text)))
		return 0;
	buf_reset(&box->keyword_text);
	buf_add(&box->keyword_text, value);
	count = idx_keywords_unpack(buf_span(&box->keyword_text), box->keywords);
	if (count == -1 || box->keyword_text.failed) {
		index_mark_suspect(box->store->ix);
		return err_set(e, ERR_CORRUPT, "index: the keywords of %s are damaged", box->name);
	}
	box->keyword_count = (size_t)count;
	/* Other servers have a letter for it. */
	box->forwarded = 0;
	for (int i = 0; i < count; i++) {
		if (!span_ieq(box->keywords[i], FORWARDED))
			continue;
		box->forwarded |= (uint64_t)1 << i;
		box->keywords[i] = SPAN_NONE;
	}
	if (changed_out != NULL)
		*changed_out = true;
	return 0;
}

size_t
mailbox_keywords(struct mailbox *box, const struct span **names_out)
{
	*names_out = box->keywords;
	return box->keyword_count;
}

static bool
keyword_bit(const struct mailbox *box, struct span name, uint64_t *mask)
{
	if (span_ieq(name, FORWARDED)) {
		*mask |= box->forwarded;
		return box->forwarded != 0;
	}
	for (size_t i = 0; i < box->keyword_count; i++) {
		if (box->keywords[i].n > 0 && span_ieq(box->keywords[i], name)) {
			*mask |= (uint64_t)1 << i;
			return true;
		}
	}
	return false;
}

int
mailbox_keyword_mask(struct mailbox *box, const struct span *names, size_t count, bool create, uint64_t *out,
    struct err *e)
{
	size_t missing = 0;
	uint64_t mask = 0;

	create = create && (box->rights & ACL_WRITE) != 0;
	if (mailbox_load_keywords(box, NULL, e) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		missing += !keyword_bit(box, names[i], &mask);
	if (missing > 0 && create && !index_is_private(box->store->ix)) {
		for (size_t i = 0; i < count; i++) {
			if (names[i].n == 0 || names[i].n > box->st->conf.max_keyword_length)
				return err_set(e, ERR_LIMIT, "a keyword of %zu octets", names[i].n);
			for (size_t k = 0; k < names[i].n; k++)
				if ((unsigned char)names[i].p[k] <= ' ' || (unsigned char)names[i].p[k] >= 0x7f)
					return err_set(e, ERR_SYNTAX, "a keyword with an octet that can not be in one");
		}
		index_read_end(box->store->ix);
		if (box->drv->keywords_add(box->handle, names, count, e) != DRV_OK)
			return -1;
		if (mailbox_load_keywords(box, NULL, e) == -1)
			return -1;
		mask = 0;
		for (size_t i = 0; i < count; i++)
			if (!keyword_bit(box, names[i], &mask))
				return err_set(e, ERR_TEMP, "a keyword was not made");
	}
	*out = mask;
	return 0;
}

bool
mailbox_keywords_full(struct mailbox *box)
{
	size_t used = 0;

	for (size_t i = 0; i < box->keyword_count; i++)
		used += box->keywords[i].n > 0 || box->forwarded >> i & 1;
	return used >= box->drv->keywords_max(box->handle);
}

int
mailbox_get(struct mailbox *box, uint32_t uid, struct msg_rec *out, struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	int rc;

	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_message_get(t, box->id, uid, &m, e);
	if (rc == 0)
		return err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
	if (rc == -1)
		return -1;
	*out = (struct msg_rec){
		.uid = uid, .flags = m.flags, .keywords = m.keywords, .modseq = m.modseq, .internal_date = m.internal_date,
		.save_date = m.save_date, .size = m.size, .physical_size = m.physical_size,
		.has_uidl = (m.bits & IDX_UIDL) != 0,
	};
	if (m.keywords & box->forwarded) {
		out->flags |= MSG_PASSED;
		out->keywords &= ~box->forwarded;
	}
	/* Sizes that nobody has compared with the file are not told to clients. */
	if (m.bits & IDX_BY_NAME) {
		out->internal_date = DATE_UNKNOWN;
		out->size = SIZE_UNKNOWN;
	}
	if (box->private != NULL)
		out->flags = (out->flags & ~(unsigned)MSG_SEEN) | (private_seen(box, uid) ? MSG_SEEN : 0);
	return 0;
}

static int
may_write(const struct mailbox *box, struct err *e)
{
	return mailbox_is_readonly(box) ? err_set(e, ERR_DENIED, "%s is open for reading only", box->name) : 0;
}

static void
note_dirty(struct mailbox *box)
{
	if (box->st->dirty_since == 0 && box->drv->is_due(box->handle))
		box->st->dirty_since = clock_ms();
}

/* Only what the rights allow.  None of it: to say that it was done would not be true (RFC 4314 section 4). */
static int
restrict_flags(const struct mailbox *box, struct change_flags *f, struct err *e)
{
	uint8_t allowed = (uint8_t)mailbox_flags_allowed(box);
	bool keywords = (box->rights & ACL_WRITE) != 0, asked = f->flags != 0 || f->keywords != 0;

	f->flags &= allowed;
	if (!keywords)
		f->keywords = 0;
	f->keep = (uint8_t)(IDX_FLAGS & ~allowed);
	f->keep_keywords = !keywords;
	if ((asked && f->flags == 0 && f->keywords == 0) || (allowed == 0 && !keywords))
		return err_set(e, ERR_DENIED, "%s: the right to change these flags is missing", box->name);
	return 0;
}

int
mailbox_store(struct mailbox *box, const uint32_t *uids, size_t count, const struct flag_change *fc, struct arena *a,
    struct uid_list *modified, struct uid_list *changed, struct err *e)
{
	struct change_flags f = {
		.uids = uids, .count = count, .flags = (uint8_t)(fc->flags & IDX_FLAGS), .keywords = fc->keywords,
		.op = fc->op == FLAGS_ADD ? CHANGE_ADD : fc->op == FLAGS_REMOVE ? CHANGE_REMOVE : CHANGE_SET,
		.conditional = fc->conditional, .unchanged_since = fc->unchanged_since,
	};
	struct box_change c = { .id = box->id, .flags = &f };
	struct change_set cs = { .box = { &c, NULL }, .driver_box = { box->handle, NULL },
		.durable = box->st->conf.fsync == FSYNC_ALWAYS };

	if (f.op == CHANGE_REMOVE && f.flags & IDX_PASSED)
		f.keywords |= box->forwarded;
	if (may_write(box, e) == -1 || restrict_flags(box, &f, e) == -1)
		return -1;
	if (modified != NULL)
		*modified = (struct uid_list){ NULL, 0 };
	if (changed != NULL)
		*changed = (struct uid_list){ NULL, 0 };
	if (count == 0)
		return 0;
	if (modified != NULL && (f.failed = arena_alloc(a, count, sizeof(uint32_t))) == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	if (changed != NULL && (f.changed = arena_alloc(a, count, sizeof(uint32_t))) == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	index_read_end(box->store->ix);
	if ((box->private != NULL ? private_store(box, &f, &cs, e) : store_commit(box->store, &cs, e)) == -1)
		return -1;
	if (modified != NULL)
		*modified = (struct uid_list){ f.failed, f.failed_count };
	if (changed != NULL)
		*changed = (struct uid_list){ f.changed, f.changed_count };
	note_dirty(box);
	if (f.op != CHANGE_REMOVE && f.flags & IDX_DELETED)
		for (size_t i = count > MARKED_MAX ? count - MARKED_MAX : 0; i < count; i++)
			box->marked[box->marked_count++ % MARKED_MAX] = uids[i];
	if (c.modseq > 0)
		mailbox_announce(box, c.modseq);
	return 0;
}

/* An index that was lost a moment ago, and is not yet made anew, knows no flags. */
static int
make_known(struct mailbox *box, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);

	if (rc == -1 || (rc == 1 && !(st.bits & IDX_STATE_UNSCANNED)))
		return rc == -1 ? -1 : 0;
	index_read_end(box->store->ix);
	return box->drv->sync(box->handle, false, e) == DRV_OK ? 0 : -1;
}

/* Appends those of uids that carry \Deleted. */
static int
pick_deleted(struct mailbox *box, struct index_txn *t, const uint32_t *uids, size_t count, struct array *out, struct err *e)
{
	struct idx_message m;

	for (size_t i = 0; i < count; i++) {
		int rc = index_message_get(t, box->id, uids[i], &m, e);
		uint32_t *slot;

		if (rc == -1)
			return -1;
		if (rc == 0 || !(m.flags & IDX_DELETED))
			continue;
		slot = array_push(out);
		if (slot == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		*slot = uids[i];
	}
	return 0;
}

static int
uid_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Who expunges has mostly flagged before: whether those are all that there are, as an ascending list.  1, 0, -1. */
static int
recall_deleted(struct mailbox *box, struct index_txn *t, uint32_t wanted, struct array *out, struct err *e)
{
	size_t count = box->marked_count < MARKED_MAX ? box->marked_count : MARKED_MAX, kept = 0;
	uint32_t uids[MARKED_MAX];

	memcpy(uids, box->marked, count * sizeof(*uids));
	qsort(uids, count, sizeof(*uids), uid_cmp);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || uids[i] != uids[i - 1])
			uids[kept++] = uids[i];
	if (kept < wanted)
		return 0;
	if (pick_deleted(box, t, uids, kept, out, e) == -1)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		wanted += mailbox_seq(box, ((uint32_t *)out->p)[i]) == 0;	/* not to be had this way */
	if (out->n == wanted)
		return 1;
	out->n = 0;
	return 0;
}

/* Which of uids (NULL: all) carry \Deleted, as an array to free. */
static int
find_deleted(struct mailbox *box, const uint32_t *uids, size_t count, struct array *out, struct err *e)
{
	struct index_txn *t;
	struct index_walk w;
	struct idx_state st;
	uint32_t *slot, found = 0;
	int rc = index_read(box->store->ix, &t, e);

	if (rc == 0 && uids != NULL)
		return pick_deleted(box, t, uids, count, out, e);
	if (rc == 0)
		rc = index_state_get(t, box->id, &st, e);
	/* The index counts them: nothing is looked for that is not there. */
	if (rc != 1 || st.deleted == 0)
		return rc == -1 ? -1 : 0;
	rc = recall_deleted(box, t, st.deleted, out, e);
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	if (index_walk_begin(&w, t, box->id, 1, e) == -1)
		return -1;
	w.brief = true;
	while (found < st.deleted && (rc = index_walk_next(&w, e)) == 1) {
		found += (w.m.flags & IDX_DELETED) != 0;
		/* Only what this session has seen: a message it was never told of is not its to remove. */
		if (!(w.m.flags & IDX_DELETED) || mailbox_seq(box, w.uid) == 0)
			continue;
		slot = array_push(out);
		if (slot == NULL) {
			rc = err_set(e, ERR_TEMP, "out of memory");
			break;
		}
		*slot = w.uid;
	}
	index_walk_end(&w);
	return rc == -1 ? -1 : 0;
}

int
mailbox_expunge(struct mailbox *box, const uint32_t *uids, size_t count, bool any, struct err *e)
{
	struct array deleted = ARRAY_INIT(uint32_t, 0x7fffffff);
	struct box_change c = { .id = box->id, .expunges = uids, .expunge_count = count };
	struct change_set cs = { .box = { &c, NULL }, .driver_box = { box->handle, NULL },
		.durable = box->st->conf.fsync == FSYNC_ALWAYS };
	int rc = may_write(box, e);

	if (rc == 0)
		rc = acl_check(box->rights, ACL_EXPUNGE, span_str(box->name), e);
	if (rc == 0 && !any)
		rc = make_known(box, e);
	if (rc == 0 && !any) {
		rc = find_deleted(box, uids, count, &deleted, e);
		c.expunges = deleted.p;
		c.expunge_count = deleted.n;
	}
	index_read_end(box->store->ix);
	if (rc == 0 && c.expunge_count > 0) {
		struct quota_guard guard;

		quota_guard_init(&guard, box, NULL, false);
		c.guard = quota_guard_of(&guard);
		rc = store_commit(box->store, &cs, e);
		quota_guard_done(&guard, rc == 0);
	}
	if (c.modseq > 0)
		mailbox_announce(box, c.modseq);
	array_clear(&deleted);
	return rc;
}
