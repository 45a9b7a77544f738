/* SPDX-License-Identifier: MIT */
#include "lib-storage/maildir/uidlist.h"

#include <stdlib.h>
#include "lib/hash.h"

#define NAME_MAX_OCTETS 255
#define KEYWORD_OCTETS 200
#define UID_JUMP 1000000u	/* further above all that were given no UID is believed: two digits got mixed up */

static bool
is_field_value(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' || v.p[i] == 0x7f)
			return false;
	return true;
}

static bool
parse_head_3(struct span line, struct uidlist *out)
{
	struct span word;
	uint32_t v;

	while (span_next(&line, ' ', &word)) {
		struct span value = span_from(word, 1);

		if (word.n < 2)
			continue;
		switch (word.p[0]) {
		case 'V':
			if (span_u32(value, &v))
				out->uidvalidity = v;
			break;
		case 'N':
			if (span_u32(value, &v))
				out->next = v;
			break;
		case 'F':
			if (span_u32(value, &v))
				out->fence = v;
			break;
		case 'G':
			if (value.n <= 64 && is_field_value(value))
				out->guid = value;
			break;
		default:
			break;
		}
	}
	return out->uidvalidity != 0;
}

static bool
parse_head(struct span line, struct uidlist *out)
{
	struct span word;

	if (!span_next(&line, ' ', &word))
		return false;
	out->next = 1;
	if (span_eq(word, SPAN("3"))) {
		out->version = 3;
		return parse_head_3(line, out);
	}
	if (!span_eq(word, SPAN("1")))
		return false;
	out->version = 1;
	if (!span_next(&line, ' ', &word) || !span_u32(word, &out->uidvalidity) || out->uidvalidity == 0)
		return false;
	if (span_next(&line, ' ', &word) && !span_u32(word, &out->next))
		out->next = 1;
	return true;
}

static bool
is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == '/' || name.p[i] == 0x7f)
			return false;
	return name.n <= NAME_MAX_OCTETS;
}

/* "<uid> <fields> :<name>", or "<uid> <name>" of version 1. */
static bool
parse_entry(struct uidlist *l, struct span line, struct uidlist_entry *entry)
{
	size_t sp = span_chr(line, ' ');
	struct span rest = span_from(line, sp + 1), fields = SPAN_NONE, name;
	uint32_t uid;

	if (!span_u32(span_sub(line, 0, sp), &uid) || uid == 0 || uid >= UINT32_MAX - 1)
		return false;
	if (l->version == 3) {
		/* No field begins with a ':', and none has a space in it. */
		size_t at = rest.n > 0 && rest.p[0] == ':' ? 0 : span_find(rest, SPAN(" :"));

		if (at == SIZE_MAX)
			return false;
		fields = span_sub(rest, 0, at);
		name = span_from(rest, rest.p[at] == ':' ? at + 1 : at + 2);
	} else {
		name = rest;
	}
	name = span_sub(name, 0, span_chr(name, ':'));
	if (!is_name(name) || fields.n > UINT16_MAX || (name.n == 0 && l->version != 3))
		return false;
	*entry = (struct uidlist_entry){
		.uid = uid,
		.name = name.n == 0 ? 0 : (uint32_t)(name.p - l->text.p),
		.name_n = (uint16_t)name.n,
		.fields = fields.n == 0 ? 0 : (uint32_t)(fields.p - l->text.p),
		.fields_n = (uint16_t)fields.n,
	};
	return true;
}

static int
entry_cmp(const void *a, const void *b)
{
	const struct uidlist_entry *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	/* in the order of the text */
	return (x->name > x->fields ? x->name : x->fields) < (y->name > y->fields ? y->name : y->fields) ? -1 : 1;
}

/* Of two entries of one UID the name of the first stands; of our own lists the fields of the last. */
static void
merge_doubles(struct uidlist *l)
{
	struct uidlist_entry *list = l->entries.p;
	size_t kept = 0;

	for (size_t i = 0; i < l->entries.n; i++) {
		if (kept == 0 || list[kept - 1].uid != list[i].uid) {
			list[kept++] = list[i];
			continue;
		}
		if (list[i].name_n > 0) {
			l->unsound++;
			continue;
		}
		list[kept - 1].fields = list[i].fields;
		list[kept - 1].fields_n = list[i].fields_n;
	}
	l->entries.n = kept;
}

bool
uidlist_parse(struct span text, struct uidlist *out)
{
	struct span line;
	size_t used = 0;
	uint32_t last = 0;
	bool sorted = true;

	*out = (struct uidlist){ .entries = ARRAY_INIT(struct uidlist_entry, UIDLIST_ENTRIES) };
	if (text.n > UIDLIST_OCTETS) {
		text.n = UIDLIST_OCTETS;
		out->cut = true;
	}
	out->text = text;
	if (!span_line(text, &used, &line) || !parse_head(line, out)) {
		*out = (struct uidlist){ 0 };
		return false;
	}
	while (span_line(text, &used, &line)) {
		struct uidlist_entry entry, *slot;

		if (line.n == 0)
			continue;
		/* Entries are appended without a new head, so those above its "next" are right. */
		if (!parse_entry(out, line, &entry) || (entry.uid >= out->next && entry.uid - out->next > UID_JUMP)) {
			out->unsound++;
			continue;
		}
		slot = array_push(&out->entries);
		if (slot == NULL) {
			out->cut = true;
			break;
		}
		*slot = entry;
		sorted = sorted && entry.uid > last;
		last = entry.uid;
		/* An entry without a name is about a message of ours. */
		if (entry.uid >= out->next && entry.name_n > 0)
			out->next = entry.uid + 1;
	}
	/* A line that was being written when its writer died. */
	if (used < text.n)
		out->cut = true;
	if (!sorted) {
		qsort(out->entries.p, out->entries.n, sizeof(struct uidlist_entry), entry_cmp);
		merge_doubles(out);
	}
	/* Hardly a UID left: no mailbox could go on from there. */
	if (out->next == 0 || out->next > UINT32_MAX - UID_JUMP) {
		uidlist_clear(out);
		return false;
	}
	return true;
}

void
uidlist_clear(struct uidlist *l)
{
	array_clear(&l->entries);
	free(l->table);
	*l = (struct uidlist){ 0 };
}

struct span
uidlist_name(const struct uidlist *l, const struct uidlist_entry *entry)
{
	return span_sub(l->text, entry->name, entry->name_n);
}

bool
uidlist_index(struct uidlist *l)
{
	size_t size = 16;

	while (size < l->entries.n * 2)
		size *= 2;
	free(l->table);
	l->table = calloc(size, sizeof(*l->table));
	if (l->table == NULL)
		return false;
	l->mask = size - 1;
	for (size_t i = 0; i < l->entries.n; i++) {
		struct span name = uidlist_name(l, array_at(&l->entries, i));
		size_t at;

		if (name.n == 0)
			continue;
		at = hash_of(name) & l->mask;
		while (l->table[at] != 0 && !span_eq(uidlist_name(l, array_at(&l->entries, l->table[at] - 1)), name))
			at = (at + 1) & l->mask;
		/* The same name under two UIDs: the newer counts, as the server that wrote it would have it. */
		l->table[at] = (uint32_t)i + 1;
	}
	return true;
}

const struct uidlist_entry *
uidlist_by_name(const struct uidlist *l, struct span base)
{
	if (l->table == NULL || base.n == 0)
		return NULL;
	for (size_t at = hash_of(base) & l->mask; l->table[at] != 0; at = (at + 1) & l->mask) {
		const struct uidlist_entry *entry = array_at(&l->entries, l->table[at] - 1);

		if (span_eq(uidlist_name(l, entry), base))
			return entry;
	}
	return NULL;
}

const struct uidlist_entry *
uidlist_by_uid(const struct uidlist *l, uint32_t uid)
{
	size_t from = 0, to = l->entries.n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct uidlist_entry *entry = array_at(&l->entries, mid);

		if (entry->uid == uid)
			return entry;
		if (entry->uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

bool
uidlist_field(const struct uidlist *l, const struct uidlist_entry *entry, enum uidlist_field f, struct span *out)
{
	struct span rest = span_sub(l->text, entry->fields, entry->fields_n), word;

	while (span_next(&rest, ' ', &word)) {
		if (word.n > 0 && word.p[0] == (char)f && is_field_value(word)) {
			*out = span_from(word, 1);
			return true;
		}
	}
	return false;
}

void
uidlist_put_head(struct buf *out, uint32_t uidvalidity, uint32_t next, struct span guid, uint32_t fence)
{
	buf_adds(out, "3 V");
	buf_add_u64(out, uidvalidity);
	buf_adds(out, " N");
	buf_add_u64(out, next);
	if (guid.n > 0) {
		buf_adds(out, " G");
		buf_add(out, guid);
	}
	if (fence != 0) {
		buf_adds(out, " F");
		buf_add_u64(out, fence);
	}
	buf_addc(out, '\n');
}

bool
uidlist_put_field(struct buf *out, enum uidlist_field f, struct span value)
{
	if (!is_field_value(value))
		return false;
	buf_addc(out, (char)f);
	buf_add(out, value);
	buf_addc(out, ' ');
	return true;
}

void
uidlist_put_uid(struct buf *out, uint32_t uid)
{
	buf_add_u64(out, uid);
	buf_addc(out, ' ');
}

void
uidlist_put_name(struct buf *out, struct span name)
{
	buf_addc(out, ':');
	buf_add(out, name);
	buf_addc(out, '\n');
}

bool
keyword_is_legal(struct span name)
{
	if (name.n == 0 || name.n > KEYWORD_OCTETS)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || memchr("(){%*\"\\]", name.p[i], 8) != NULL)
			return false;
	return true;
}

void
dovecot_keywords_parse(struct span text, struct span names[KEYWORD_LETTERS], size_t *unsound_out)
{
	struct span line;
	size_t used = 0;

	for (size_t i = 0; i < KEYWORD_LETTERS; i++)
		names[i] = SPAN_NONE;
	*unsound_out = 0;
	while (span_line(text, &used, &line)) {
		size_t sp = span_chr(line, ' ');
		struct span name = span_from(line, sp + 1);
		bool twice = false;
		uint32_t i;

		if (!span_u32(span_sub(line, 0, sp), &i) || !keyword_is_legal(name) || (i < KEYWORD_LETTERS && names[i].n > 0)) {
			(*unsound_out)++;
			continue;
		}
		/* Those above 'z' are in no file's name. */
		if (i >= KEYWORD_LETTERS)
			continue;
		for (size_t k = 0; k < KEYWORD_LETTERS; k++)
			twice = twice || span_ieq(names[k], name);
		if (twice)
			(*unsound_out)++;
		else
			names[i] = name;
	}
}
