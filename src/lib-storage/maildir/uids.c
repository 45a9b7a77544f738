/* SPDX-License-Identifier: MIT */
#include "lib-storage/maildir/uids.h"

#include <stdlib.h>
#include "lib/hash.h"

#define HEAD "culver-uids 1 "
#define NAME_OCTETS 255

static bool
is_name(struct span name)
{
	if (name.n == 0 || name.n > NAME_OCTETS)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '\n' || name.p[i] == '\0' || name.p[i] == '/' || name.p[i] == ':')
			return false;
	return true;
}

static bool
parse_bits(struct span hex, uint64_t *out)
{
	*out = 0;
	if (hex.n == 0 || hex.n > 16)
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		char c = hex.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		*out = *out << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return true;
}

/* False: memory is out. */
static bool
parse_line(struct uids *u, struct span line)
{
	size_t n = 0;
	struct span value;
	uint32_t uid;

	while (n < line.n && line.p[n] >= '0' && line.p[n] <= '9')
		n++;
	if (n + 2 >= line.n || line.p[line.n - 1] != '/' || !span_u32(span_sub(line, 0, n), &uid) || uid == 0 ||
	    uid >= UINT32_MAX - 1) {
		u->unsound++;
		return true;
	}
	value = span_sub(line, n + 1, line.n - n - 2);
	if (line.p[n] == ':' && is_name(value)) {
		struct uids_name *slot = array_push(&u->names);

		if (slot == NULL)
			return false;
		*slot = (struct uids_name){ .uid = uid, .name = (uint32_t)(value.p - u->text.p), .name_n = (uint16_t)value.n };
		if (uid > u->highest)
			u->highest = uid;
		return true;
	}
	struct uids_keywords k = { .uid = uid, .order = (uint32_t)u->keywords.n }, *slot;

	if (line.p[n] != '=' || !parse_bits(value, &k.bits)) {
		u->unsound++;
		return true;
	}
	slot = array_push(&u->keywords);
	if (slot != NULL)
		*slot = k;
	return slot != NULL;
}

static int
keywords_cmp(const void *a, const void *b)
{
	const struct uids_keywords *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
sort_keywords(struct uids *u)
{
	struct uids_keywords *list = u->keywords.p;
	size_t kept = 0;

	if (u->keywords.n == 0)
		return;
	qsort(list, u->keywords.n, sizeof(*list), keywords_cmp);
	for (size_t i = 0; i < u->keywords.n; i++) {
		if (kept > 0 && list[kept - 1].uid == list[i].uid)
			kept--;
		list[kept++] = list[i];
	}
	u->keywords.n = kept;
}

bool
uids_parse(struct span text, struct uids *out)
{
	struct span line;
	size_t used = 0;

	*out = (struct uids){ .names = ARRAY_INIT(struct uids_name, UIDS_ENTRIES),
		.keywords = ARRAY_INIT(struct uids_keywords, UIDS_ENTRIES) };
	if (text.n > UIDS_OCTETS)
		text.n = UIDS_OCTETS;
	out->text = text;
	if (!span_line(text, &used, &line) || !span_starts(line, SPAN(HEAD)) ||
	    !span_u32(span_from(line, sizeof(HEAD) - 1), &out->uidvalidity) || out->uidvalidity == 0) {
		*out = (struct uids){ 0 };
		return false;
	}
	while (span_line(text, &used, &line)) {
		if (line.n > 0 && !parse_line(out, line)) {
			uids_clear(out);
			return false;
		}
	}
	sort_keywords(out);
	return true;
}

void
uids_clear(struct uids *u)
{
	array_clear(&u->names);
	array_clear(&u->keywords);
	free(u->table);
	*u = (struct uids){ 0 };
}

static struct span
name_of(const struct uids *u, size_t i)
{
	const struct uids_name *n = array_at(&u->names, i);

	return span_sub(u->text, n->name, n->name_n);
}

bool
uids_index(struct uids *u)
{
	size_t size = 16;

	while (size < u->names.n * 2)
		size *= 2;
	free(u->table);
	u->table = calloc(size, sizeof(*u->table));
	if (u->table == NULL)
		return false;
	u->mask = size - 1;
	for (size_t i = 0; i < u->names.n; i++) {
		struct span name = name_of(u, i);
		size_t at = hash_of(name) & u->mask;

		while (u->table[at] != 0 && !span_eq(name_of(u, u->table[at] - 1), name))
			at = (at + 1) & u->mask;
		u->table[at] = (uint32_t)i + 1;
	}
	return true;
}

uint32_t
uids_by_name(const struct uids *u, struct span base)
{
	if (u->table == NULL || base.n == 0)
		return 0;
	for (size_t at = hash_of(base) & u->mask; u->table[at] != 0; at = (at + 1) & u->mask)
		if (span_eq(name_of(u, u->table[at] - 1), base))
			return ((const struct uids_name *)array_at(&u->names, u->table[at] - 1))->uid;
	return 0;
}

uint64_t
uids_keywords(const struct uids *u, uint32_t uid)
{
	size_t from = 0, to = u->keywords.n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct uids_keywords *k = array_at(&u->keywords, mid);

		if (k->uid == uid)
			return k->bits;
		if (k->uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return 0;
}

void
uids_put_head(struct buf *out, uint32_t uidvalidity)
{
	buf_adds(out, HEAD);
	buf_add_u64(out, uidvalidity);
	buf_addc(out, '\n');
}

bool
uids_put_name(struct buf *out, uint32_t uid, struct span base)
{
	if (!is_name(base))
		return false;
	buf_add_u64(out, uid);
	buf_addc(out, ':');
	buf_add(out, base);
	buf_adds(out, "/\n");
	return true;
}

void
uids_put_keywords(struct buf *out, uint32_t uid, uint64_t bits)
{
	buf_add_u64(out, uid);
	buf_addf(out, "=%llx/\n", (unsigned long long)bits);
}
