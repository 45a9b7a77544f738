/* SPDX-License-Identifier: MIT */
/* COPY and MOVE: within one store the driver does it; between stores the bodies go through a saver. */
#include <stdlib.h>
#include "lib-storage/storage-priv.h"

#define MAP_TRIES 8
/*
 * Messages that one transaction moves.  Each message's move is whole by itself (RFC 6851 section 3.3), so that others need
 * not wait until all are moved; and the index's list of free pages, which every later commit writes, stays short.
 */
#define MOVE_AT_ONCE 4096

/* The target's bits for the source's keywords, of those that the messages have. */
static int
map_keywords(struct mailbox *from, struct mailbox *to, const uint32_t *uids, size_t count, uint8_t map[INDEX_KEYWORDS],
    struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	uint64_t used = 0, bit;
	struct span name;

	memset(map, KEYWORD_UNKNOWN, INDEX_KEYWORDS);
	if (mailbox_load_keywords(from, NULL, e) == -1 || index_read(from->store->ix, &t, e) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int rc = index_message_get(t, from->id, uids[i], &m, e);

		if (rc == -1)
			return -1;
		if (rc == 1)
			used |= m.keywords;
	}
	index_read_end(from->store->ix);
	for (size_t i = 0; i < INDEX_KEYWORDS; i++) {
		if (!(used >> i & 1))
			continue;
		name = from->forwarded >> i & 1 ? FORWARDED : i < from->keyword_count ? from->keywords[i] : SPAN_NONE;
		/* A letter in the name of a file that nobody knows the word of. */
		if (name.n == 0) {
			map[i] = KEYWORD_NONE;
			continue;
		}
		if (mailbox_keyword_mask(to, &name, 1, true, &bit, e) == -1) {
			/* A mailbox full of keywords: the message is more than its label. */
			if (e->code != ERR_LIMIT)
				return -1;
			map[i] = KEYWORD_NONE;
			continue;
		}
		map[i] = (uint8_t)__builtin_ctzll(bit);
	}
	return 0;
}

static int
fill_result(struct mailbox *target, const struct box_change *c, struct arena *a, struct copy_result *out, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc;

	out->from.count = out->to.count = c->add_count;
	out->from.uids = arena_alloc(a, c->add_count + 1, sizeof(uint32_t));
	out->to.uids = arena_alloc(a, c->add_count + 1, sizeof(uint32_t));
	if (out->from.uids == NULL || out->to.uids == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	for (size_t i = 0; i < c->add_count; i++) {
		out->from.uids[i] = c->adds[i].source_uid;
		out->to.uids[i] = c->adds[i].uid;
	}
	rc = index_read(target->store->ix, &t, e) == -1 ? -1 : index_state_get(t, target->id, &st, e);
	out->uidvalidity = rc == 1 ? st.uidvalidity : 0;
	index_read_end(target->store->ix);
	return rc == -1 ? -1 : 0;
}

static int
copy_within(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e)
{
	struct box_change add = { .id = target->id, .add_count = count }, gone = { .id = box->id };
	struct quota_guard comes, goes;
	struct change_set cs = { .box = { &add, &gone }, .driver_box = { target->handle, box->handle },
		.copy = !move, .move = move, .durable = box->st->conf.fsync != FSYNC_NEVER };

	int rc = -1;

	add.adds = arena_alloc(a, count + 1, sizeof(*add.adds));
	if (add.adds == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	quota_guard_init(&comes, target, move ? box : NULL, true);
	quota_guard_init(&goes, box, target, false);
	add.guard = quota_guard_of(&comes);
	gone.guard = move ? quota_guard_of(&goes) : NULL;
	/* A keyword may come to a message between the making of the map and the copy. */
	for (int try = 0; try < MAP_TRIES && rc == -1; try++) {
		cs.keyword_missed = false;
		add.add_count = count;
		for (size_t i = 0; i < count; i++)
			add.adds[i].source_uid = uids[i];
		if (map_keywords(box, target, uids, count, cs.keyword_map, e) == -1)
			break;
		index_read_end(box->store->ix);
		rc = store_commit(box->store, &cs, e);
		if (rc == -1 && !cs.keyword_missed)
			break;
	}
	quota_guard_done(&comes, rc == 0);
	if (move)
		quota_guard_done(&goes, rc == 0);
	if (rc == -1)
		return -1;
	if (add.modseq > 0)
		mailbox_announce(target, add.modseq);
	if (gone.modseq > 0)
		mailbox_announce(box, gone.modseq);
	return fill_result(target, &add, a, out, e);
}

static int
move_in_parts(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, struct arena *a,
    struct copy_result *out, struct err *e)
{
	uint32_t *from = arena_alloc(a, count, sizeof(*from)), *to = arena_alloc(a, count, sizeof(*to));
	size_t moved = 0;
	int rc = 0;

	if (from == NULL || to == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	for (size_t at = 0; at < count && rc == 0; at += MOVE_AT_ONCE) {
		size_t n = count - at < MOVE_AT_ONCE ? count - at : MOVE_AT_ONCE;
		struct copy_result part = { 0 };

		rc = copy_within(box, uids + at, n, target, true, a, &part, e);
		if (rc == -1 || part.to.count == 0)
			continue;
		memcpy(from + moved, part.from.uids, part.from.count * sizeof(*from));
		memcpy(to + moved, part.to.uids, part.to.count * sizeof(*to));
		moved += part.to.count;
		out->uidvalidity = part.uidvalidity;
	}
	out->from = (struct uid_list){ from, moved };
	out->to = (struct uid_list){ to, moved };
	return rc;
}

/* Between stores: saved there, then expunged here. */
static int
copy_across(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e)
{
	uint8_t map[INDEX_KEYWORDS];
	struct saver *s = NULL;
	size_t n = 0;
	int rc = map_keywords(box, target, uids, count, map, e);

	out->from.uids = arena_alloc(a, count + 1, sizeof(uint32_t));
	if (rc == 0 && out->from.uids == NULL)
		rc = err_set(e, ERR_LIMIT, "too many messages at once");
	if (rc == 0)
		rc = saver_new(target, &s, e);
	if (rc == 0 && move)
		saver_moves_from(s, box);
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct save_params p = { 0 };
		struct msg_rec rec;
		struct span body;

		if (mailbox_get(box, uids[i], &rec, e) == -1 || mailbox_body(box, uids[i], &body, e) == -1 ||
		    mailbox_date(box, uids[i], &p.internal_date, e) == -1) {
			rc = e->code == ERR_GONE ? 0 : -1;
			continue;
		}
		p.flags = rec.flags;
		for (int k = 0; k < INDEX_KEYWORDS; k++)
			if (rec.keywords >> k & 1 && map[k] < INDEX_KEYWORDS)
				p.keywords |= (uint64_t)1 << map[k];
		out->from.uids[n++] = uids[i];
		if (saver_begin(s, &p, e) == -1 || saver_write(s, body, e) == -1 || saver_finish(s, e) == -1)
			rc = -1;
	}
	out->from.count = n;
	if (rc == 0)
		rc = saver_commit(s, a, &out->uidvalidity, &out->to, e);
	saver_free(s);
	if (rc == 0 && move)
		rc = mailbox_expunge(box, out->from.uids, n, true, e);
	return rc;
}

int
mailbox_copy(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e)
{
	*out = (struct copy_result){ 0 };
	if (target->mode == MAILBOX_READ)
		return err_set(e, ERR_DENIED, "%s is open for reading only", target->name);
	if (move && mailbox_is_readonly(box))
		return err_set(e, ERR_DENIED, "%s is open for reading only", box->name);
	if (move && acl_check(box->rights, ACL_EXPUNGE, span_str(box->name), e) == -1)
		return -1;
	if (box->made.n > 0 && mailbox_made_flush(box, e) == -1)
		return -1;
	/* Where not all flags may be given a message is saved anew: a driver copies it as it is. */
	if (box->store == target->store && box->private == NULL && target->private == NULL && mailbox_flags_allowed(target) == IDX_FLAGS)
		return move && count > MOVE_AT_ONCE ? move_in_parts(box, uids, count, target, a, out, e) :
		    copy_within(box, uids, count, target, move, a, out, e);
	return copy_across(box, uids, count, target, move, a, out, e);
}
