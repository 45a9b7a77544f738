/* SPDX-License-Identifier: MIT */
/* The keys of all messages are made in one pass and then sorted: what is compared often is looked up once. */
#include "lib-storage/sort.h"

#include <stdlib.h>

#include "lib-mail/address.h"
#include "lib-mail/encoded-word.h"
#include "lib-mail/header.h"
#include "lib-mail/subject.h"

#define FIELD_MAX 8192		/* octets of a field that are looked at */
#define BREATH 1000		/* messages after which the index may use its old pages again */

static int
get_record(struct sort_message *m, uint32_t uid, struct err *e)
{
	if (mailbox_get(m->box, uid, &m->rec, e) == -1)
		return -1;
	return m->rec.internal_date != DATE_UNKNOWN ? 0 : mailbox_date(m->box, uid, &m->rec.internal_date, e);
}

int
sort_message_get(struct mailbox *box, uint32_t uid, unsigned need, struct sort_message *out, struct err *e)
{
	unsigned what = need & SORT_FIELDS ? NEED_FIELDS : NEED_NUMBERS;

	*out = (struct sort_message){ .box = box };
	if (need & SORT_RECORD && get_record(out, uid, e) == -1)
		return -1;
	if (need == SORT_RECORD)
		return 0;
	if (mailbox_summary(box, uid, what, &out->sum, e) == -1)
		return -1;
	/* For a message that does not say when it was sent; then the summary once more, which may not be valid any longer. */
	if (need & SORT_SENT && !(need & SORT_RECORD) && !(out->sum.flags & SUMMARY_SENT) &&
	    (get_record(out, uid, e) == -1 || mailbox_summary(box, uid, what, &out->sum, e) == -1))
		return -1;
	if (!(need & SORT_FIELDS) || out->sum.flags & SUMMARY_FIELDS)
		return 0;
	return mailbox_header(box, uid, &out->header, e);
}

struct span
sort_field_value(struct span raw)
{
	return span_sub(span_trim(span_from(raw, span_chr(raw, ':') + 1)), 0, FIELD_MAX);
}

bool
sort_message_field(const struct sort_message *m, enum header_id id, struct span name, struct span *value_out)
{
	bool there = m->header.p != NULL ? header_get(m->header, name, value_out) : summary_field_get(&m->sum, id, value_out);

	if (there)
		*value_out = span_sub(*value_out, 0, FIELD_MAX);
	return there;
}

int64_t
sort_message_date(const struct sort_message *m)
{
	return m->sum.flags & SUMMARY_SENT ? m->sum.sent.time : m->rec.internal_date;
}

/* Text as it is compared, at the end of out. */
static void
fold_into(struct buf *out, struct span utf8)
{
	size_t start = out->n;

	charset_fold(out, utf8);
	if (out->n - start > SORT_TEXT_MAX)
		out->n = start + SORT_TEXT_MAX;
}

bool
sort_subject(struct charset_cache *charsets, struct buf *room, struct span value, struct buf *out)
{
	bool is_reply;

	fold_into(out, subject_base(charsets, room, value, &is_reply));
	return is_reply;
}

struct key {
	int64_t number;
	struct span text;
};

struct entry {
	uint32_t seq;
	struct key *keys;
};

struct sorter {
	const struct sort_criterion *criteria;
	size_t count;
	struct arena *keys, *work;	/* work: of one field */
	struct charset_cache *charsets;
	struct buf text, room;
	unsigned need;			/* enum sort_need, of all criteria */
};

static enum sort_need
need_of(enum sort_type type)
{
	return type == SORT_ARRIVAL || type == SORT_SIZE ? SORT_RECORD : type == SORT_DATE ? SORT_SENT : SORT_FIELDS;
}

/* RFC 5256 section 3: the local part of the first address; RFC 5957 section 3: its display name, or else the address. */
static void
put_address(struct sorter *s, const struct sort_message *m, enum header_id id, struct span name, bool display)
{
	struct buf text = BUF_INIT(16 * FIELD_MAX);
	struct address *list = NULL;
	const struct address *first;
	struct span value;

	arena_reset(s->work);
	if (sort_message_field(m, id, name, &value) && address_parse(s->work, value, 10, &list, NULL) == 0 && list != NULL) {
		first = display ? address_first(list) : list;
		if (first != NULL && display && first->name.n > 0)
			encoded_word_decode(s->charsets, &text, first->name);
		else if (first != NULL && display)
			address_write(&text, first);
		else if (first != NULL)
			buf_add(&text, first->mailbox);
		fold_into(&s->text, buf_span(&text));
	}
	buf_clear(&text);
}

static int
make_key(struct sorter *s, const struct sort_message *m, enum sort_type type, struct key *out, struct err *e)
{
	struct span value;

	buf_reset(&s->text);
	switch (type) {
	case SORT_ARRIVAL:
		out->number = m->rec.internal_date;
		return 0;
	case SORT_DATE:
		out->number = sort_message_date(m);
		return 0;
	case SORT_SIZE: {
		uint64_t size = m->rec.size;

		if (size == SIZE_UNKNOWN && mailbox_size(m->box, m->rec.uid, &size, e) == -1)
			return -1;
		out->number = (int64_t)size;
		return 0;
	}
	case SORT_SUBJECT:
		if (sort_message_field(m, HEADER_SUBJECT, SPAN("Subject"), &value))
			sort_subject(s->charsets, &s->room, value, &s->text);
		break;
	case SORT_CC:
		put_address(s, m, HEADER_CC, SPAN("Cc"), false);
		break;
	case SORT_FROM:
		put_address(s, m, HEADER_FROM, SPAN("From"), false);
		break;
	case SORT_TO:
		put_address(s, m, HEADER_TO, SPAN("To"), false);
		break;
	case SORT_DISPLAYFROM:
		put_address(s, m, HEADER_FROM, SPAN("From"), true);
		break;
	case SORT_DISPLAYTO:
		put_address(s, m, HEADER_TO, SPAN("To"), true);
		break;
	}
	out->text = arena_dup(s->keys, buf_span(&s->text));
	return out->text.p == NULL ? err_set(e, ERR_LIMIT, "SORT: the keys are too large") : 0;
}

/* 0; 1: it is gone, and no part of the answer. */
static int
make_keys(struct sorter *s, struct mailbox *box, uint32_t seq, struct entry *out, struct err *e)
{
	struct sort_message m;

	if (sort_message_get(box, mailbox_uid(box, seq), s->need, &m, e) == -1)
		return e->code == ERR_GONE ? 1 : -1;
	out->seq = seq;
	out->keys = arena_alloc(s->keys, s->count, sizeof(*out->keys));
	if (out->keys == NULL)
		return err_set(e, ERR_LIMIT, "SORT: the keys are too large");
	for (size_t i = 0; i < s->count; i++)
		if (make_key(s, &m, s->criteria[i].type, &out->keys[i], e) == -1)
			return e->code == ERR_GONE ? 1 : -1;
	return 0;
}

static int
entry_cmp(const void *a, const void *b, void *ctx)
{
	const struct entry *x = a, *y = b;
	const struct sorter *s = ctx;

	for (size_t i = 0; i < s->count; i++) {
		const struct key *k = &x->keys[i], *l = &y->keys[i];
		int c = k->number < l->number ? -1 : k->number > l->number ? 1 : span_cmp(k->text, l->text);

		if (c != 0)
			return s->criteria[i].reverse ? -c : c;
	}
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int
sort_messages(struct mailbox *box, const struct sort_criterion *criteria, size_t criteria_count, uint32_t *seqs,
    size_t *count, size_t memory_max, struct err *e)
{
	struct sorter s = {
		.criteria = criteria, .count = criteria_count, .text = BUF_INIT(16 * FIELD_MAX), .room = BUF_INIT(16 * FIELD_MAX),
	};
	struct entry *entries = NULL;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < criteria_count; i++)
		s.need |= need_of(criteria[i].type);
	s.keys = arena_new(memory_max);
	s.work = arena_new((size_t)1 << 20);
	s.charsets = charset_cache_new();
	if (s.keys == NULL || s.work == NULL || s.charsets == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	else if (*count > 0 && (entries = arena_alloc(s.keys, *count, sizeof(*entries))) == NULL)
		rc = err_set(e, ERR_LIMIT, "SORT: too many messages");
	for (size_t i = 0; i < *count && rc != -1; i++) {
		rc = make_keys(&s, box, seqs[i], &entries[n], e);
		n += rc == 0;
		if (i % BREATH == BREATH - 1)
			mailbox_read_end(box);
	}
	mailbox_read_end(box);
	if (rc != -1 && n > 0) {
		qsort_r(entries, n, sizeof(*entries), entry_cmp, &s);
		for (size_t i = 0; i < n; i++)
			seqs[i] = entries[i].seq;
	}
	if (rc != -1)
		*count = n;
	buf_clear(&s.text);
	buf_clear(&s.room);
	charset_cache_free(s.charsets);
	arena_free(s.work);
	arena_free(s.keys);
	return rc == -1 ? -1 : 0;
}
