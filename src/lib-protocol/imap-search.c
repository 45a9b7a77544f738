/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-search.h"

#include "lib-mail/date.h"

struct parser {
	struct imap_in *in;
	const struct search_limits *lim;
	struct search_query *q;
	size_t keys;
};

enum args { ARGS_NONE, ARGS_DATE, ARGS_NUMBER, ARGS_TEXT, ARGS_FIELD, ARGS_ATOM, ARGS_UID, ARGS_MODSEQ, ARGS_NOT, ARGS_OR,
	ARGS_ID };

static const struct search_word {
	struct span word;
	enum args args;
	enum search_type type;
	bool negated;
	enum search_flag flag;
	struct span field;
} words[] = {
	{ SPAN("ALL"), ARGS_NONE, SEARCH_ALL, false, 0, SPAN_NONE },
	{ SPAN("ANSWERED"), ARGS_NONE, SEARCH_FLAG, false, SEARCH_ANSWERED, SPAN_NONE },
	{ SPAN("BCC"), ARGS_TEXT, SEARCH_HEADER, false, 0, SPAN("Bcc") },
	{ SPAN("BEFORE"), ARGS_DATE, SEARCH_BEFORE, false, 0, SPAN_NONE },
	{ SPAN("BODY"), ARGS_TEXT, SEARCH_BODY, false, 0, SPAN_NONE },
	{ SPAN("CC"), ARGS_TEXT, SEARCH_HEADER, false, 0, SPAN("Cc") },
	{ SPAN("DELETED"), ARGS_NONE, SEARCH_FLAG, false, SEARCH_DELETED, SPAN_NONE },
	{ SPAN("DRAFT"), ARGS_NONE, SEARCH_FLAG, false, SEARCH_DRAFT, SPAN_NONE },
	{ SPAN("EMAILID"), ARGS_ID, SEARCH_EMAILID, false, 0, SPAN_NONE },
	{ SPAN("FLAGGED"), ARGS_NONE, SEARCH_FLAG, false, SEARCH_FLAGGED, SPAN_NONE },
	{ SPAN("FROM"), ARGS_TEXT, SEARCH_HEADER, false, 0, SPAN("From") },
	{ SPAN("HEADER"), ARGS_FIELD, SEARCH_HEADER, false, 0, SPAN_NONE },
	{ SPAN("KEYWORD"), ARGS_ATOM, SEARCH_KEYWORD, false, 0, SPAN_NONE },
	{ SPAN("LARGER"), ARGS_NUMBER, SEARCH_LARGER, false, 0, SPAN_NONE },
	{ SPAN("MODSEQ"), ARGS_MODSEQ, SEARCH_MODSEQ, false, 0, SPAN_NONE },
	{ SPAN("NOT"), ARGS_NOT, SEARCH_ALL, false, 0, SPAN_NONE },
	{ SPAN("OLD"), ARGS_NONE, SEARCH_RECENT, true, 0, SPAN_NONE },
	{ SPAN("ON"), ARGS_DATE, SEARCH_ON, false, 0, SPAN_NONE },
	{ SPAN("OR"), ARGS_OR, SEARCH_OR, false, 0, SPAN_NONE },
	{ SPAN("RECENT"), ARGS_NONE, SEARCH_RECENT, false, 0, SPAN_NONE },
	{ SPAN("SEEN"), ARGS_NONE, SEARCH_FLAG, false, SEARCH_SEEN, SPAN_NONE },
	{ SPAN("SENTBEFORE"), ARGS_DATE, SEARCH_SENTBEFORE, false, 0, SPAN_NONE },
	{ SPAN("SENTON"), ARGS_DATE, SEARCH_SENTON, false, 0, SPAN_NONE },
	{ SPAN("SENTSINCE"), ARGS_DATE, SEARCH_SENTSINCE, false, 0, SPAN_NONE },
	{ SPAN("SINCE"), ARGS_DATE, SEARCH_SINCE, false, 0, SPAN_NONE },
	{ SPAN("SMALLER"), ARGS_NUMBER, SEARCH_SMALLER, false, 0, SPAN_NONE },
	{ SPAN("SUBJECT"), ARGS_TEXT, SEARCH_HEADER, false, 0, SPAN("Subject") },
	{ SPAN("TEXT"), ARGS_TEXT, SEARCH_TEXT, false, 0, SPAN_NONE },
	{ SPAN("THREADID"), ARGS_ID, SEARCH_ALL, true, 0, SPAN_NONE },	/* no message has one */
	{ SPAN("TO"), ARGS_TEXT, SEARCH_HEADER, false, 0, SPAN("To") },
	{ SPAN("UID"), ARGS_UID, SEARCH_UID, false, 0, SPAN_NONE },
	{ SPAN("UNANSWERED"), ARGS_NONE, SEARCH_FLAG, true, SEARCH_ANSWERED, SPAN_NONE },
	{ SPAN("UNDELETED"), ARGS_NONE, SEARCH_FLAG, true, SEARCH_DELETED, SPAN_NONE },
	{ SPAN("UNDRAFT"), ARGS_NONE, SEARCH_FLAG, true, SEARCH_DRAFT, SPAN_NONE },
	{ SPAN("UNFLAGGED"), ARGS_NONE, SEARCH_FLAG, true, SEARCH_FLAGGED, SPAN_NONE },
	{ SPAN("UNKEYWORD"), ARGS_ATOM, SEARCH_KEYWORD, true, 0, SPAN_NONE },
	{ SPAN("UNSEEN"), ARGS_NONE, SEARCH_FLAG, true, SEARCH_SEEN, SPAN_NONE },
};

static struct search_key *
new_key(struct parser *p, enum search_type type)
{
	struct search_key *k;

	if (p->keys == p->lim->keys) {
		imap_fail(p->in, "Too many search keys");
		return NULL;
	}
	p->keys++;
	k = arena_alloc(p->in->a, 1, sizeof(*k));
	if (k == NULL)
		imap_fail(p->in, "Too long command");
	else
		k->type = type;
	return k;
}

static bool take_key(struct parser *p, size_t depth, struct search_key **out);

static bool
take_set(struct parser *p, struct search_key *k)
{
	bool uid = k->type == SEARCH_UID;
	struct span text;

	if (!imap_set_text(p->in, &text))
		return false;
	switch (imap_set_parse(text, uid ? p->lim->last_uid : p->lim->last_seq, p->lim->ranges, p->in->a, &k->set)) {
	case IMAP_SET_BAD:
		return imap_fail(p->in, uid ? "Invalid UID set" : "Invalid messageset");
	case IMAP_SET_LIMIT:
		return imap_fail(p->in, "Too many ranges in a set");
	case IMAP_SET_OK:
		break;
	}
	if (!uid && k->set.n > 0 && k->set.r[k->set.n - 1].last > p->lim->last_seq)
		return imap_fail(p->in, "Invalid messageset");
	return true;
}

static bool
take_date(struct parser *p, struct search_key *k)
{
	struct span text;
	int32_t day;

	if (!imap_astring(p->in, &text))
		return false;
	if (!date_search_parse(text, &day))
		return imap_fail(p->in, "Invalid search date");
	k->number = day;
	return true;
}

/* search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer: flags have one mod-sequence here. */
static bool
take_modseq(struct parser *p, struct search_key *k)
{
	struct span entry;
	uint64_t modseq;

	if (imap_peek(p->in, '"')) {
		if (!imap_string(p->in, &entry) || !imap_sp(p->in))
			return false;
		if (!span_istarts(entry, SPAN("/flags/")))
			return imap_fail(p->in, "Unknown metadata entry");
		if (!imap_word(p->in, SPAN("all")) && !imap_word(p->in, SPAN("priv")) && !imap_word(p->in, SPAN("shared")))
			return imap_fail(p->in, "Unknown metadata type");
		if (!imap_sp(p->in))
			return false;
	}
	if (!imap_number(p->in, INT64_MAX, &modseq))
		return false;
	k->number = (int64_t)modseq;
	p->q->modseq = true;
	return true;
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 section 7) */
static bool
take_id(struct parser *p, struct search_key *k)
{
	if (!imap_astring(p->in, &k->text))
		return false;
	for (size_t i = 0; i < k->text.n; i++)
		if (!ascii_is_alpha(k->text.p[i]) && !ascii_is_digit(k->text.p[i]) && k->text.p[i] != '_' && k->text.p[i] != '-')
			return imap_fail(p->in, "Invalid object id");
	return k->text.n >= 1 && k->text.n <= 255 ? true : imap_fail(p->in, "Invalid object id");
}

/* Keys up to ")" (nested) or the end, as one SEARCH_AND. */
static bool
take_keys(struct parser *p, size_t depth, bool nested, struct search_key **out)
{
	struct search_key *all = new_key(p, SEARCH_AND), **tail;

	if (all == NULL)
		return false;
	tail = &all->child;
	for (;;) {
		if (!take_key(p, depth, tail))
			return false;
		tail = &(*tail)->next;
		if (nested ? imap_peek(p->in, ')') : imap_end(p->in))
			break;
		if (!imap_sp(p->in))
			return false;
		if (nested && imap_peek(p->in, ')'))
			break;
	}
	*out = all;
	return true;
}

static bool
take_args(struct parser *p, size_t depth, const struct search_word *w, struct search_key *k)
{
	uint64_t number;
	struct span charset_text;

	if (w->args == ARGS_NONE)
		return true;
	if (!imap_sp(p->in))
		return false;
	switch (w->args) {
	case ARGS_NONE:
		break;
	case ARGS_DATE:
		return take_date(p, k);
	case ARGS_NUMBER:
		if (!imap_number(p->in, INT64_MAX, &number))
			return false;
		k->number = (int64_t)number;
		return true;
	case ARGS_FIELD:
		return imap_astring(p->in, &k->name) && imap_sp(p->in) && imap_astring(p->in, &k->text);
	case ARGS_TEXT:
		k->name = w->field;
		return imap_astring(p->in, &k->text);
	case ARGS_ATOM:
		if (!imap_flag(p->in, &charset_text))
			return false;
		k->text = charset_text;
		return true;
	case ARGS_UID:
		return take_set(p, k);
	case ARGS_MODSEQ:
		return take_modseq(p, k);
	case ARGS_ID:
		return take_id(p, k);
	case ARGS_NOT:
		k->type = SEARCH_AND;
		k->negated = true;
		return take_key(p, depth + 1, &k->child);
	case ARGS_OR:
		return take_key(p, depth + 1, &k->child) && imap_sp(p->in) &&
		    take_key(p, depth + 1, &k->child->next);
	}
	return false;
}

static bool
take_key(struct parser *p, size_t depth, struct search_key **out)
{
	struct search_key *k;
	struct span atom;

	if (depth > p->lim->depth)
		return imap_fail(p->in, "Too deeply nested search keys");
	if (imap_peek(p->in, '('))
		return imap_take(p->in, '(') && take_keys(p, depth + 1, true, out) && imap_take(p->in, ')');
	if (p->in->s.n > 0 && (ascii_is_digit(p->in->s.p[0]) || p->in->s.p[0] == '*')) {
		k = new_key(p, SEARCH_SEQ);
		if (k == NULL || !take_set(p, k))
			return false;
		*out = k;
		return true;
	}
	if (!imap_atom(p->in, &atom))
		return imap_fail(p->in, p->in->s.n == 0 ? "Missing search keys" : "Unknown search key");
	if (span_ieq(atom, SPAN("NEW"))) {	/* (RECENT UNSEEN) */
		struct search_key *recent, *unseen;

		k = new_key(p, SEARCH_AND);
		recent = k == NULL ? NULL : new_key(p, SEARCH_RECENT);
		unseen = recent == NULL ? NULL : new_key(p, SEARCH_FLAG);
		if (unseen == NULL)
			return false;
		unseen->flag = SEARCH_SEEN;
		unseen->negated = true;
		recent->next = unseen;
		k->child = recent;
		*out = k;
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!span_ieq(atom, words[i].word))
			continue;
		k = new_key(p, words[i].type);
		if (k == NULL)
			return false;
		k->negated = words[i].negated;
		k->flag = words[i].flag;
		*out = k;
		return take_args(p, depth, &words[i], k);
	}
	return imap_fail(p->in, "Unknown search key");
}

/* search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" */
static bool
take_returns(struct imap_in *in, struct search_query *out)
{
	static const struct {
		struct span word;
		unsigned bit;
	} opts[] = {
		{ SPAN("MIN"), SEARCH_RETURN_MIN },
		{ SPAN("MAX"), SEARCH_RETURN_MAX },
		{ SPAN("ALL"), SEARCH_RETURN_ALL },
		{ SPAN("COUNT"), SEARCH_RETURN_COUNT },
	};

	out->esearch = true;
	if (!imap_sp(in) || !imap_take(in, '('))
		return false;
	while (!imap_peek(in, ')')) {
		struct span word;
		size_t i = 0;

		if (!imap_atom(in, &word))
			return false;
		while (i < sizeof(opts) / sizeof(opts[0]) && !span_ieq(word, opts[i].word))
			i++;
		if (i == sizeof(opts) / sizeof(opts[0]))
			return imap_fail(in, "Unknown search return option");
		out->returns |= opts[i].bit;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	imap_take(in, ')');
	if (out->returns == 0)
		out->returns = SEARCH_RETURN_ALL;
	return imap_sp(in);
}

bool
imap_search_parse_keys(struct imap_in *in, const struct search_limits *lim, struct search_query *out)
{
	struct parser p = { in, lim, out, 0 };

	return take_keys(&p, 0, false, &out->root);
}

bool
imap_search_parse(struct imap_in *in, const struct search_limits *lim, struct search_query *out)
{
	memset(out, 0, sizeof(*out));
	if (imap_word(in, SPAN("RETURN")) && !take_returns(in, out))
		return false;
	if (imap_word(in, SPAN("CHARSET")) && (!imap_sp(in) || !imap_astring(in, &out->charset) || !imap_sp(in)))
		return false;
	return imap_search_parse_keys(in, lim, out);
}
