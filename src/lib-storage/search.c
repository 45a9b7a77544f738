/* SPDX-License-Identifier: MIT */
#include "lib-storage/search.h"

#include <time.h>

#include "lib/log.h"

/* What the evaluator adds to a key. */
struct prepared {
	struct match_needle *needle;
	enum header_id header;		/* a field of the summary, or HEADER_UNKNOWN */
	uint64_t keywords;		/* of SEARCH_KEYWORD: 0 is a keyword that no message has */
	unsigned flag;
	int64_t from, to;		/* INTERNALDATE and save dates: [from, to) in seconds */
};

/* ---- preparing ---- */

/* What asking a key costs, roughly in the order of magnitude. */
static unsigned
cost(const struct search_key *k)
{
	unsigned most = 0;

	switch (k->type) {
	case SEARCH_ALL:
		return 0;
	case SEARCH_SEQ:
	case SEARCH_UID:
		return 1;
	case SEARCH_FLAG:
	case SEARCH_KEYWORD:
	case SEARCH_RECENT:
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
	case SEARCH_SAVEDBEFORE:
	case SEARCH_SAVEDON:
	case SEARCH_SAVEDSINCE:
	case SEARCH_MODSEQ:
		return 2;
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		return 3;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return 4;
	case SEARCH_HEADER:
		return header_id(k->name) != HEADER_UNKNOWN ? 5 : 6;
	case SEARCH_EMAILID:	/* of what was never asked for its id the mail is read */
		return 6;
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return 7;
	case SEARCH_AND:
	case SEARCH_OR:
		for (const struct search_key *c = k->child; c != NULL; c = c->next)
			if (cost(c) > most)
				most = cost(c);
		return most;
	}
	return most;
}

/* The children in order of cost; those of one cost stay in their order. */
static void
order(struct search_key *k)
{
	struct search_key *buckets[8] = { NULL }, **tails[8], *next, **to = &k->child;

	for (size_t i = 0; i < 8; i++)
		tails[i] = &buckets[i];
	for (struct search_key *c = k->child; c != NULL; c = next) {
		unsigned at = cost(c);

		next = c->next;
		c->next = NULL;
		*tails[at] = c;
		tails[at] = &c->next;
	}
	for (size_t i = 0; i < 8; i++) {
		*to = buckets[i];
		if (buckets[i] != NULL)
			to = tails[i];
	}
}

/* Midnight of a day since 1970 in the server's zone: INTERNALDATE is compared without time and zone. */
static int64_t
midnight(int64_t day)
{
	time_t noon = (time_t)(day * 86400 + 43200);
	struct tm tm;

	if (gmtime_r(&noon, &tm) == NULL)
		return day * 86400;
	tm.tm_hour = 0;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

static int
prepare_text(struct search *se, struct span charset, struct search_key *k, struct prepared *p, struct err *e)
{
	struct buf utf8 = BUF_INIT(4 * se->text_max + 1024);

	if (charset.n == 0 || span_ieq(charset, SPAN("UTF-8")) || span_ieq(charset, SPAN("US-ASCII")))
		buf_add(&utf8, k->text);
	else
		charset_to_utf8(se->charsets, &utf8, charset, k->text);
	if (!utf8.failed)
		p->needle = match_needle_new(buf_span(&utf8));
	buf_clear(&utf8);
	if (p->needle == NULL)
		return err_set(e, ERR_TEMP, "SEARCH: out of memory");
	if (k->type == SEARCH_HEADER)
		p->header = header_id(k->name);
	return 0;
}

static int
prepare_keyword(struct search *se, struct search_key *k, struct prepared *p, struct err *e)
{
	if (span_ieq(k->text, SPAN("$Forwarded"))) {
		k->type = SEARCH_FLAG;
		p->flag = MSG_PASSED;
		return 0;
	}
	return mailbox_keyword_mask(se->box, &k->text, 1, false, &p->keywords, e);
}

static int
prepare(struct search *se, struct span charset, struct search_key *k, struct err *e)
{
	static const unsigned flags[] = {
		[SEARCH_ANSWERED] = MSG_ANSWERED, [SEARCH_DELETED] = MSG_DELETED, [SEARCH_DRAFT] = MSG_DRAFT,
		[SEARCH_FLAGGED] = MSG_FLAGGED, [SEARCH_SEEN] = MSG_SEEN,
	};
	struct prepared *p = arena_alloc(se->arena, 1, sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_LIMIT, "SEARCH: too many keys");
	k->data = p;
	switch (k->type) {
	case SEARCH_FLAG:
		p->flag = flags[k->flag];
		break;
	case SEARCH_KEYWORD:
		return prepare_keyword(se, k, p, e);
	case SEARCH_BEFORE:
	case SEARCH_SAVEDBEFORE:
		p->from = INT64_MIN;
		p->to = k->exact ? k->number : midnight(k->number);
		break;
	case SEARCH_ON:
	case SEARCH_SAVEDON:
		p->from = midnight(k->number);
		p->to = midnight(k->number + 1);
		break;
	case SEARCH_SINCE:
	case SEARCH_SAVEDSINCE:
		p->from = k->exact ? k->number : midnight(k->number);
		p->to = INT64_MAX;
		break;
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return prepare_text(se, charset, k, p, e);
	case SEARCH_AND:
	case SEARCH_OR:
		for (struct search_key *c = k->child; c != NULL; c = c->next)
			if (prepare(se, charset, c, e) == -1)
				return -1;
		order(k);
		break;
	case SEARCH_ALL:
	case SEARCH_SEQ:
	case SEARCH_UID:
	case SEARCH_RECENT:
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
	case SEARCH_MODSEQ:
	case SEARCH_EMAILID:
		break;
	}
	return 0;
}

int
search_begin(struct search *se, struct mailbox *box, struct search_key *root, struct span charset, size_t text_max,
    struct arena *a, struct err *e)
{
	*se = (struct search){ .box = box, .arena = a, .root = root, .limits = *mailbox_limits(box), .text_max = text_max };
	se->charsets = charset_cache_new();
	if (se->charsets == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	return prepare(se, charset, root, e);
}

static void
clear(struct search_key *k)
{
	struct prepared *p = k->data;

	if (p != NULL)
		match_needle_free(p->needle);
	for (struct search_key *c = k->child; c != NULL; c = c->next)
		clear(c);
}

void
search_end(struct search *se)
{
	clear(se->root);
	charset_cache_free(se->charsets);
}

static bool
seqs_of_uids(struct search *se, const struct imap_set *uids, struct imap_set *out)
{
	uint32_t count = mailbox_count(se->box);

	/* No more ranges than there were: each becomes one range or none. */
	out->n = 0;
	out->r = arena_alloc(se->arena, uids->n + 1, sizeof(*out->r));
	for (size_t i = 0; out->r != NULL && i < uids->n; i++) {
		uint32_t first = mailbox_seq_from(se->box, uids->r[i].first);
		uint32_t past = uids->r[i].last == UINT32_MAX ? count + 1 : mailbox_seq_from(se->box, uids->r[i].last + 1);

		if (first < past)
			out->r[out->n++] = (struct imap_range){ first, past - 1 };
	}
	return out->r != NULL;
}

struct imap_set
search_domain(struct search *se)
{
	uint32_t count = mailbox_count(se->box);
	struct imap_set all = { NULL, 0 };

	/* Children are in order of cost: a set, if there is one, is among the first. */
	for (struct search_key *k = se->root->child; k != NULL; k = k->next) {
		if (k->negated)
			continue;
		if (k->type == SEARCH_SEQ)
			return k->set;
		if (k->type == SEARCH_UID && seqs_of_uids(se, &k->set, &all))
			return all;
	}
	all.r = arena_alloc(se->arena, 1, sizeof(*all.r));
	if (all.r != NULL && count > 0) {
		all.r[0] = (struct imap_range){ 1, count };
		all.n = 1;
	}
	return all;
}

bool
search_is_domain(const struct search *se)
{
	const struct search_key *k = se->root->child;

	return k != NULL && k->next == NULL && !k->negated &&
	    (k->type == SEARCH_ALL || k->type == SEARCH_SEQ || k->type == SEARCH_UID);
}

/* ---- asking ---- */

static int ask(struct search *se, const struct search_key *k, struct err *e);

static int
load_summary(struct search *se, struct err *e)
{
	if (se->has_sum)
		return 0;
	if (mailbox_summary(se->box, se->rec.uid, NEED_HEADER, &se->sum, e) == -1)
		return -1;
	se->has_sum = true;
	return 0;
}

static int
ask_sent(struct search *se, const struct search_key *k, struct err *e)
{
	int32_t day;

	if (load_summary(se, e) == -1)
		return -1;
	if ((se->sum.flags & SUMMARY_SENT) == 0)
		return 0;	/* a mail without a readable Date was sent on no day */
	day = date_day(se->sum.sent);
	return k->type == SEARCH_SENTBEFORE ? day < k->number : k->type == SEARCH_SENTON ? day == k->number :
	    day >= k->number;
}

static int
ask_date(struct search *se, const struct prepared *p, struct err *e)
{
	if (se->rec.internal_date == DATE_UNKNOWN && mailbox_date(se->box, se->rec.uid, &se->rec.internal_date, e) == -1)
		return -1;
	return se->rec.internal_date >= p->from && se->rec.internal_date < p->to;
}

static int
ask_size(struct search *se, const struct search_key *k, struct err *e)
{
	if (se->rec.size == SIZE_UNKNOWN && mailbox_size(se->box, se->rec.uid, &se->rec.size, e) == -1)
		return -1;
	return k->type == SEARCH_LARGER ? se->rec.size > (uint64_t)k->number : se->rec.size < (uint64_t)k->number;
}

static struct span
field_value(struct span raw)
{
	size_t colon = span_chr(raw, ':');

	return span_trim(span_from(raw, colon == raw.n ? raw.n : colon + 1));
}

static int
ask_header(struct search *se, const struct search_key *k, struct err *e)
{
	struct prepared *p = k->data;
	struct span raw;
	enum header_id id;
	struct summary_cursor at = { 0, 0 };

	if (p->header != HEADER_UNKNOWN) {
		if (load_summary(se, e) == -1)
			return -1;
		if ((se->sum.flags & SUMMARY_FIELDS) != 0) {
			while (summary_field_next(&se->sum, &at, &id, &raw))
				if (id == p->header && (k->text.n == 0 || match_value(p->needle, field_value(raw))))
					return 1;
			return 0;
		}
	}
	if (mailbox_header(se->box, se->rec.uid, &raw, e) == -1)
		return -1;
	return match_header(p->needle, raw, k->name, &se->limits);
}

static int
ask_text(struct search *se, const struct search_key *k, struct err *e)
{
	struct prepared *p = k->data;
	struct span body;
	int rc;

	if (mailbox_body(se->box, se->rec.uid, &body, e) == -1)
		return -1;
	mailbox_read_end(se->box);	/* this takes a while */
	se->has_sum = false;
	rc = match_message(p->needle, body, k->type == SEARCH_BODY ? MATCH_BODY : MATCH_TEXT, &se->limits);
	return rc == -1 ? err_set(e, ERR_TEMP, "SEARCH: out of memory") : rc;
}

static int
ask_email_id(struct search *se, const struct search_key *k, struct err *e)
{
	char id[33];

	/* No mail is read for an id that is none of ours. */
	if (k->text.n != sizeof(id) - 1)
		return 0;
	se->has_sum = false;
	if (mailbox_email_id(se->box, se->rec.uid, id, e) == -1)
		return -1;
	return span_eq(k->text, span_of(id, sizeof(id) - 1));
}

static int
ask_children(struct search *se, const struct search_key *k, struct err *e)
{
	bool stop_at = k->type == SEARCH_OR;

	for (const struct search_key *c = k->child; c != NULL; c = c->next) {
		int rc = ask(se, c, e);

		if (rc == -1 || rc == stop_at)
			return rc;
	}
	return !stop_at;
}

static int
ask_key(struct search *se, const struct search_key *k, struct err *e)
{
	const struct prepared *p = k->data;

	switch (k->type) {
	case SEARCH_ALL:
		return 1;
	case SEARCH_SEQ:
		return imap_set_has(&k->set, se->seq);
	case SEARCH_UID:
		return imap_set_has(&k->set, se->rec.uid);
	case SEARCH_FLAG:
		return (se->rec.flags & p->flag) != 0;
	case SEARCH_KEYWORD:
		return (se->rec.keywords & p->keywords) != 0;
	case SEARCH_RECENT:
		return mailbox_is_recent(se->box, se->rec.uid);
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
		return ask_date(se, p, e);
	case SEARCH_SAVEDBEFORE:
	case SEARCH_SAVEDON:
	case SEARCH_SAVEDSINCE:
		return se->rec.save_date >= p->from && se->rec.save_date < p->to;
	case SEARCH_MODSEQ:
		return se->rec.modseq >= (uint64_t)k->number;
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		return ask_size(se, k, e);
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return ask_sent(se, k, e);
	case SEARCH_HEADER:
		return ask_header(se, k, e);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return ask_text(se, k, e);
	case SEARCH_EMAILID:
		return ask_email_id(se, k, e);
	case SEARCH_AND:
	case SEARCH_OR:
		return ask_children(se, k, e);
	}
	return 0;
}

/* The depth is that of the parsed tree: imap_max_search_depth. */
static int
ask(struct search *se, const struct search_key *k, struct err *e)
{
	int rc = ask_key(se, k, e);

	return rc == -1 ? -1 : (rc != 0) != k->negated;
}

int
search_matches(struct search *se, uint32_t seq, uint64_t *modseq_out, struct err *e)
{
	struct err why = ERR_INIT;
	int rc;

	se->seq = seq;
	se->has_sum = false;
	rc = mailbox_get(se->box, mailbox_uid(se->box, seq), &se->rec, &why);
	if (rc == 0)
		rc = ask(se, se->root, &why);
	if (rc == -1) {
		if (why.code == ERR_GONE)
			return 0;
		if (why.code == ERR_TEMP) {
			*e = why;
			return -1;
		}
		log_error("SEARCH: %s", why.log);	/* this message can not be read: others can */
		return 0;
	}
	*modseq_out = se->rec.modseq;
	return rc;
}
