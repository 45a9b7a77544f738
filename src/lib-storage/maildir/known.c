/* SPDX-License-Identifier: MIT */
/*
 * What the index knows, laid out for a scan.  Almost every file is as it was: its name carries its UID, so it is compared
 * with one record at once, and nothing is kept of it.  Records of files that other programs named are found by those names.
 */
#include "lib-storage/maildir/maildir.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib/hash.h"

#define SPARSE 16	/* UIDs for each message: with more gaps than this they are searched for */

/* The UID of a tag of this mailbox at the end of base; 0: there is none. */
static uint32_t
tag_uid(const struct maildir_known *k, struct span base)
{
	size_t i = base.n;
	uint64_t uid = 0, scale = 1;

	while (i > 0 && base.p[i - 1] >= '0' && base.p[i - 1] <= '9' && base.n - i < 10) {
		uid += (uint64_t)(base.p[i - 1] - '0') * scale;
		scale *= 10;
		i--;
	}
	if (i == base.n || i < sizeof(k->tag) || memcmp(base.p + i - sizeof(k->tag), k->tag, sizeof(k->tag)) != 0)
		return 0;
	return uid > UINT32_MAX ? 0 : (uint32_t)uid;
}

static struct maildir_known_rec *
find(const struct maildir_known *k, uint32_t uid)
{
	size_t lo = 0, hi = k->count;

	if (uid == 0 || k->count == 0 || uid < k->recs[0].uid || uid > k->recs[k->count - 1].uid)
		return NULL;
	if (k->map != NULL) {
		uint32_t at = k->map[uid - k->recs[0].uid];

		return at == 0 ? NULL : &k->recs[at - 1];
	}
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->recs[mid].uid <= uid)
			lo = mid;
		else
			hi = mid;
	}
	return k->recs[lo].uid == uid ? &k->recs[lo] : NULL;
}

/* The first octets of a base as a number. */
static uint64_t
head_of(struct span name)
{
	uint64_t part[2] = { 0, 0 }, h;
	size_t n = name.n < sizeof(part) ? name.n : sizeof(part);

	n = span_chr(span_sub(name, 0, n), ':');
	memcpy(part, name.p, n);
	h = (part[0] ^ 0x9e3779b97f4a7c15u) * 0x9fb21c651e98df25u;
	h = ((h ^ h >> 32) ^ part[1]) * 0x9fb21c651e98df25u;
	return h ^ h >> 29;
}

static bool
heads_grow(struct maildir_heads *h)
{
	struct maildir_heads more = { .size = h->size == 0 ? 64 : h->size * 2, .count = h->count, .has_zero = h->has_zero };

	more.heads = calloc(more.size, sizeof(*more.heads));
	if (more.heads == NULL)
		return false;
	for (size_t i = 0; i < h->size; i++) {
		size_t at = h->heads[i] & (more.size - 1);

		if (h->heads[i] == 0)
			continue;
		while (more.heads[at] != 0)
			at = (at + 1) & (more.size - 1);
		more.heads[at] = h->heads[i];
	}
	free(h->heads);
	*h = more;
	return true;
}

bool
maildir_heads_add(struct maildir_heads *h, struct span name)
{
	uint64_t head = head_of(name);
	size_t at;

	if (head == 0)
		h->has_zero = true;
	if (h->count * 2 >= h->size && !heads_grow(h))
		return false;
	at = head & (h->size - 1);
	while (head != 0 && h->heads[at] != 0) {
		if (h->heads[at] == head)
			return true;
		at = (at + 1) & (h->size - 1);
	}
	if (head != 0) {
		h->heads[at] = head;
		h->count++;
	}
	return true;
}

static bool
heads_has(const struct maildir_heads *h, struct span name)
{
	uint64_t head = head_of(name);
	size_t at = head & (h->size - 1);

	if (h->size == 0 || head == 0)
		return head == 0 && h->has_zero;
	while (h->heads[at] != 0 && h->heads[at] != head)
		at = (at + 1) & (h->size - 1);
	return h->heads[at] == head;
}

void
maildir_heads_clear(struct maildir_heads *h)
{
	free(h->heads);
	*h = (struct maildir_heads){ NULL };
}

static bool
push(struct maildir_known *k, const struct index_walk *w)
{
	struct maildir_known_rec *r;

	if (k->count == k->cap) {
		size_t cap = k->cap == 0 ? 1024 : k->cap * 2;

		r = realloc(k->recs, cap * sizeof(*r));
		if (r == NULL)
			return false;
		k->recs = r;
		k->cap = cap;
	}
	r = &k->recs[k->count++];
	*r = (struct maildir_known_rec){ .name = w->m.name.p, .uid = w->uid, .len = (uint16_t)w->m.name.n,
		.sub = w->m.bits & IDX_NEW ? SUB_NEW : SUB_CUR };
	r->tagged = tag_uid(k, span_sub(w->m.name, 0, span_chr(w->m.name, ':'))) == w->uid;
	k->untagged += !r->tagged;
	return true;
}

static int
make_map(struct maildir_known *k, struct err *e)
{
	uint64_t range = k->count == 0 ? 0 : (uint64_t)k->recs[k->count - 1].uid - k->recs[0].uid + 1;

	if (range == 0 || range > (uint64_t)k->count * SPARSE)
		return 0;
	k->map = calloc((size_t)range, sizeof(*k->map));
	if (k->map == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < k->count; i++)
		k->map[k->recs[i].uid - k->recs[0].uid] = (uint32_t)i + 1;
	return 0;
}

static struct span
base_of(const struct maildir_known_rec *r)
{
	struct span name = span_of(r->name, r->len);

	return span_sub(name, 0, span_chr(name, ':'));
}

static int
make_table(struct maildir_known *k, struct err *e)
{
	size_t size = 16;

	if (k->untagged == 0)
		return 0;
	while (size < k->untagged * 2)
		size *= 2;
	k->table = calloc(size, sizeof(*k->table));
	if (k->table == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	k->mask = size - 1;
	for (size_t i = 0; i < k->count; i++) {
		size_t at;

		if (k->recs[i].tagged)
			continue;
		at = hash_of(base_of(&k->recs[i])) & k->mask;
		while (k->table[at] != 0)
			at = (at + 1) & k->mask;
		k->table[at] = (uint32_t)i + 1;
	}
	return 0;
}

static void
begin(struct maildir_known *k, const struct idx_state *st)
{
	char tag[16];

	maildir_known_clear(k);
	snprintf(tag, sizeof(tag), ",U=%08x.", st->uidvalidity);
	memcpy(k->tag, tag, sizeof(k->tag));
}

int
maildir_known_load(struct maildir_known *k, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct index_walk w;
	int rc;

	begin(k, st);
	if (index_walk_begin(&w, t, st->id, 1, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1)
		if (!push(k, &w)) {
			rc = err_set(e, ERR_TEMP, "out of memory");
			break;
		}
	index_walk_end(&w);
	return rc == -1 || make_map(k, e) == -1 ? -1 : make_table(k, e);
}

int
maildir_known_load_near(struct maildir_known *k, struct index_txn *t, const struct idx_state *st,
    const struct maildir_heads *h, struct err *e)
{
	struct index_walk w;
	int rc;

	begin(k, st);
	if (index_walk_begin(&w, t, st->id, 1, e) == -1)
		return -1;
	/* Records that have checksums; what comes of one that is damaged is looked up again, and found out then. */
	w.brief = true;
	while ((rc = index_walk_next(&w, e)) == 1) {
		if (!idx_message_unpack(span_sub(w.raw, 0, w.raw.n - IDX_SUM_LEN), &w.m))
			rc = err_set(e, ERR_CORRUPT, "index: the record of message %u is damaged", w.uid);
		else if ((w.m.bits & IDX_NEW || heads_has(h, w.m.name)) && !push(k, &w))
			rc = err_set(e, ERR_TEMP, "out of memory");
		if (rc == -1)
			break;
	}
	index_walk_end(&w);
	return rc == -1 || make_map(k, e) == -1 ? -1 : make_table(k, e);
}

void
maildir_known_clear(struct maildir_known *k)
{
	free(k->recs);
	free(k->map);
	free(k->table);
	*k = (struct maildir_known){ NULL };
}

static bool
is_as(struct maildir_known_rec *r, int sub, struct span name, uint32_t order)
{
	if (r == NULL || r->sub != sub || r->len != name.n || memcmp(r->name, name.p, name.n) != 0)
		return false;
	r->order = order;
	return true;
}

bool
maildir_known_match(struct maildir_known *k, int sub, struct span name, uint32_t order)
{
	struct span base = span_sub(name, 0, span_chr(name, ':'));

	if (is_as(find(k, tag_uid(k, base)), sub, name, order))
		return true;
	if (k->table == NULL)
		return false;
	for (size_t at = hash_of(base) & k->mask; k->table[at] != 0; at = (at + 1) & k->mask)
		if (is_as(&k->recs[k->table[at] - 1], sub, name, order))
			return true;
	return false;
}

void
maildir_known_want(struct maildir_known *k, struct span base)
{
	struct maildir_known_rec *r = find(k, tag_uid(k, base));

	if (r != NULL)
		r->wanted = true;
	if (k->table == NULL)
		return;
	for (size_t at = hash_of(base) & k->mask; k->table[at] != 0; at = (at + 1) & k->mask) {
		r = &k->recs[k->table[at] - 1];
		if (span_eq(base_of(r), base))
			r->wanted = true;
	}
}
