/* SPDX-License-Identifier: MIT */
#include "adm/query.h"

#include <time.h>
#include "lib/sys.h"
#include "lib-mail/date.h"

#define DEPTH_MAX 50

struct parser {
	struct arena *a;
	char **argv;
	int argc, at;
	unsigned depth;
	struct query *q;
	struct err *e;
};

/* Keys without an argument that ask for flags. */
static const struct {
	const char *word;
	enum search_flag flag;
	bool negated;
} flag_keys[] = {
	{ "answered", SEARCH_ANSWERED, false }, { "deleted", SEARCH_DELETED, false }, { "draft", SEARCH_DRAFT, false },
	{ "flagged", SEARCH_FLAGGED, false }, { "seen", SEARCH_SEEN, false }, { "unanswered", SEARCH_ANSWERED, true },
	{ "undeleted", SEARCH_DELETED, true }, { "undraft", SEARCH_DRAFT, true }, { "unflagged", SEARCH_FLAGGED, true },
	{ "unseen", SEARCH_SEEN, true },
};

static const struct {
	const char *word;
	enum search_type type;
	bool exact;		/* takes a moment, too; others take the day that it is in */
} date_keys[] = {
	{ "before", SEARCH_BEFORE, true }, { "on", SEARCH_ON, false }, { "since", SEARCH_SINCE, true },
	{ "sentbefore", SEARCH_SENTBEFORE, false }, { "senton", SEARCH_SENTON, false },
	{ "sentsince", SEARCH_SENTSINCE, false }, { "savedbefore", SEARCH_SAVEDBEFORE, true },
	{ "savedon", SEARCH_SAVEDON, false }, { "savedsince", SEARCH_SAVEDSINCE, true },
};

static const char *const header_keys[] = { "bcc", "cc", "from", "subject", "to" };

static bool
date_ymd(struct span text, int64_t *out)
{
	struct span rest = text, year, month;
	uint64_t y, m, d;

	if (!span_next(&rest, '-', &year) || year.n != 4 || !span_next(&rest, '-', &month) || !span_u64(year, 9999, &y) ||
	    !span_u64(month, 12, &m) || m == 0 || !span_u64(rest, 31, &d) || d == 0)
		return false;
	*out = date_days((int)y, (int)m, (int)d);
	return true;
}

static bool
date_age(struct span text, int64_t now, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "s", 1 }, { "secs", 1 }, { "m", 60 }, { "mins", 60 }, { "h", 3600 }, { "hours", 3600 }, { "d", 86400 },
		{ "day", 86400 }, { "days", 86400 }, { "w", 604800 }, { "week", 604800 }, { "weeks", 604800 } };
	size_t digits = 0;
	uint64_t n;

	while (digits < text.n && ascii_is_digit(text.p[digits]))
		digits++;
	if (!span_u64(span_of(text.p, digits), 1000000000, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (span_ieq(span_trim(span_from(text, digits)), span_str(units[i].unit))) {
			*out = now - (int64_t)n * units[i].seconds;
			return true;
		}
	return false;
}

bool
query_date(struct span text, int64_t now, int64_t *out, bool *exact_out)
{
	uint64_t stamp;
	int32_t day;

	*exact_out = false;
	if (date_search_parse(text, &day)) {
		*out = day;
		return true;
	}
	if (date_ymd(text, out))
		return true;
	*exact_out = true;
	if (span_u64(text, INT64_MAX, &stamp)) {
		*out = (int64_t)stamp;
		return true;
	}
	return date_age(text, now, out);
}

int
query_flags(struct arena *a, struct span text, unsigned *flags_out, struct span **keywords_out, size_t *count_out,
    struct err *e)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = { { "\\Seen", MSG_SEEN }, { "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED },
		{ "\\Deleted", MSG_DELETED }, { "\\Draft", MSG_DRAFT } };
	struct span rest = text, word;
	struct span *keywords = arena_alloc(a, text.n / 2 + 1, sizeof(*keywords));

	if (keywords == NULL)
		return err_set(e, ERR_LIMIT, "too many flags");
	*flags_out = 0;
	*count_out = 0;
	while (span_next(&rest, ' ', &word)) {
		bool known = word.n == 0;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (span_ieq(word, span_str(names[i].name))) {
				*flags_out |= names[i].flag;
				known = true;
			}
		if (!known && word.p[0] == '\\')
			return err_set(e, ERR_SYNTAX, "there is no flag %.*s", SPAN_ARG(word));
		if (!known)
			keywords[(*count_out)++] = word;
	}
	*keywords_out = keywords;
	return 0;
}

static struct search_key *
key_new(struct parser *p, enum search_type type)
{
	struct search_key *k = arena_alloc(p->a, 1, sizeof(*k));

	if (k == NULL)
		err_set(p->e, ERR_LIMIT, "the query is too long");
	else
		k->type = type;
	return k;
}

static const char *
argument(struct parser *p, const char *word)
{
	if (p->at == p->argc) {
		err_set(p->e, ERR_SYNTAX, "%s needs a value", word);
		return NULL;
	}
	return p->argv[p->at++];
}

/* 1,5:9,20:* */
static int
parse_ranges(struct parser *p, struct span text, struct search_key *k)
{
	struct span rest = text, piece;
	struct imap_range *r = arena_alloc(p->a, text.n / 2 + 1, sizeof(*r));
	size_t n = 0;

	while (r != NULL && span_next(&rest, ',', &piece)) {
		size_t colon = span_chr(piece, ':');
		struct span first = span_of(piece.p, colon), last = colon < piece.n ? span_from(piece, colon + 1) : first;

		if ((!span_u32(first, &r[n].first) && !span_eq(first, SPAN("*"))) ||
		    (!span_u32(last, &r[n].last) && !span_eq(last, SPAN("*"))))
			return err_set(p->e, ERR_SYNTAX, "not a set of numbers: %.*s", SPAN_ARG(text));
		if (span_eq(first, SPAN("*")))
			r[n].first = UINT32_MAX;
		if (span_eq(last, SPAN("*")))
			r[n].last = UINT32_MAX;
		if (r[n].first > r[n].last) {
			uint32_t swap = r[n].first;

			r[n].first = r[n].last;
			r[n].last = swap;
		}
		if (n > 0 && r[n].first <= r[n - 1].last)
			return err_set(p->e, ERR_SYNTAX, "numbers must ascend: %.*s", SPAN_ARG(text));
		n++;
	}
	if (n == 0)
		return err_set(p->e, ERR_SYNTAX, "not a set of numbers: %.*s", SPAN_ARG(text));
	k->set = (struct imap_set){ r, n };
	return 0;
}

static int
parse_size(struct parser *p, struct span text, struct search_key *k)
{
	static const char units[] = "bkmgt";
	uint64_t scale = 1, number;

	if (text.n > 1 && !ascii_is_digit(text.p[text.n - 1])) {
		const char *u = strchr(units, ascii_lower(text.p[text.n - 1]));

		scale = u == NULL ? 0 : (uint64_t)1 << (10 * (u - units));
		text.n--;
	}
	if (scale == 0 || !span_u64(text, INT64_MAX / scale, &number))
		return err_set(p->e, ERR_SYNTAX, "not a size: %.*s", SPAN_ARG(text));
	k->number = (int64_t)(number * scale);
	return 0;
}

static struct search_key *parse_key(struct parser *p);

/* Keys up to the end, or to the ")" that closes a list. */
static struct search_key *
parse_list(struct parser *p, bool closed)
{
	struct search_key *list = key_new(p, SEARCH_AND), **last;

	if (list == NULL)
		return NULL;
	last = &list->child;
	while (p->at < p->argc && !(closed && strcmp(p->argv[p->at], ")") == 0)) {
		*last = parse_key(p);
		if (*last == NULL)
			return NULL;
		last = &(*last)->next;
	}
	if (closed && p->at++ == p->argc) {
		err_set(p->e, ERR_SYNTAX, "a parenthesis is not closed");
		return NULL;
	}
	if (list->child == NULL)
		list->child = key_new(p, SEARCH_ALL);
	return list->child == NULL ? NULL : list;
}

static struct search_key *
parse_compound(struct parser *p, const char *word)
{
	struct search_key *k;

	if (strcmp(word, "(") == 0)
		return parse_list(p, true);
	if (strcasecmp(word, "not") == 0) {
		k = parse_key(p);
		if (k != NULL)
			k->negated = !k->negated;
		return k;
	}
	k = key_new(p, SEARCH_OR);
	if (k == NULL || (k->child = parse_key(p)) == NULL || (k->child->next = parse_key(p)) == NULL)
		return NULL;
	return k;
}

static struct search_key *
parse_dated(struct parser *p, const char *word, size_t idx)
{
	const char *value = argument(p, word);
	struct search_key *k;
	int64_t when;
	bool exact;

	if (value == NULL)
		return NULL;
	if (!query_date(span_str(value), clock_wall_us() / 1000000, &when, &exact)) {
		err_set(p->e, ERR_SYNTAX, "not a date: %s", value);
		return NULL;
	}
	k = key_new(p, date_keys[idx].type);
	if (k == NULL)
		return NULL;
	k->exact = exact && date_keys[idx].exact;
	if (exact && !k->exact) {
		time_t t = (time_t)when;
		struct tm tm;

		if (localtime_r(&t, &tm) == NULL) {
			err_set(p->e, ERR_SYNTAX, "not a date: %s", value);
			return NULL;
		}
		when = date_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	}
	k->number = when;
	return k;
}

static struct search_key *
parse_text(struct parser *p, enum search_type type, const char *header, const char *word)
{
	const char *value = argument(p, word);
	struct search_key *k = value == NULL ? NULL : key_new(p, type);

	if (k != NULL) {
		k->name = span_str(header);
		k->text = span_str(value);
	}
	return k;
}

static struct search_key *
parse_mailbox(struct parser *p)
{
	const char *value = argument(p, "mailbox");

	if (value == NULL)
		return NULL;
	if (p->depth > 1) {
		err_set(p->e, ERR_SYNTAX, "\"mailbox\" can not stand inside OR, NOT or parentheses");
		return NULL;
	}
	if (p->q->mailbox_count == sizeof(p->q->mailboxes) / sizeof(p->q->mailboxes[0])) {
		err_set(p->e, ERR_LIMIT, "too many mailboxes");
		return NULL;
	}
	p->q->mailboxes[p->q->mailbox_count++] = p->argv[p->at - 1];
	return key_new(p, SEARCH_ALL);
}

static struct search_key *
parse_valued(struct parser *p, const char *word)
{
	struct search_key *k;
	const char *value;

	if (strcasecmp(word, "header") == 0) {
		const char *name = argument(p, word);

		return name == NULL ? NULL : parse_text(p, SEARCH_HEADER, name, word);
	}
	if (strcasecmp(word, "body") == 0)
		return parse_text(p, SEARCH_BODY, NULL, word);
	if (strcasecmp(word, "text") == 0)
		return parse_text(p, SEARCH_TEXT, NULL, word);
	if (strcasecmp(word, "keyword") == 0 || strcasecmp(word, "unkeyword") == 0) {
		k = parse_text(p, SEARCH_KEYWORD, NULL, word);
		if (k != NULL)
			k->negated = ascii_lower(word[0]) == 'u';
		return k;
	}
	value = argument(p, word);
	if (value == NULL)
		return NULL;
	k = key_new(p, strcasecmp(word, "larger") == 0 ? SEARCH_LARGER : strcasecmp(word, "smaller") == 0 ? SEARCH_SMALLER :
	    strcasecmp(word, "modseq") == 0 ? SEARCH_MODSEQ : SEARCH_UID);
	if (k == NULL)
		return NULL;
	if (k->type == SEARCH_UID)
		return parse_ranges(p, span_str(value), k) == 0 ? k : NULL;
	return parse_size(p, span_str(value), k) == 0 ? k : NULL;
}

static bool
is_valued(const char *word)
{
	static const char *const words[] = { "header", "body", "text", "keyword", "unkeyword", "larger", "smaller", "modseq",
		"uid" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;
	return false;
}

static struct search_key *
parse_word(struct parser *p, const char *word)
{
	struct search_key *k;

	for (size_t i = 0; i < sizeof(flag_keys) / sizeof(flag_keys[0]); i++)
		if (strcasecmp(word, flag_keys[i].word) == 0) {
			k = key_new(p, SEARCH_FLAG);
			if (k != NULL) {
				k->flag = flag_keys[i].flag;
				k->negated = flag_keys[i].negated;
			}
			return k;
		}
	for (size_t i = 0; i < sizeof(date_keys) / sizeof(date_keys[0]); i++)
		if (strcasecmp(word, date_keys[i].word) == 0)
			return parse_dated(p, word, i);
	for (size_t i = 0; i < sizeof(header_keys) / sizeof(header_keys[0]); i++)
		if (strcasecmp(word, header_keys[i]) == 0)
			return parse_text(p, SEARCH_HEADER, header_keys[i], word);
	if (is_valued(word))
		return parse_valued(p, word);
	if (strcasecmp(word, "all") == 0)
		return key_new(p, SEARCH_ALL);
	if (strcasecmp(word, "recent") == 0 || strcasecmp(word, "old") == 0) {
		k = key_new(p, SEARCH_RECENT);
		if (k != NULL)
			k->negated = ascii_lower(word[0]) == 'o';
		return k;
	}
	if (ascii_is_digit(word[0])) {
		k = key_new(p, SEARCH_SEQ);
		return k != NULL && parse_ranges(p, span_str(word), k) == 0 ? k : NULL;
	}
	err_set(p->e, ERR_SYNTAX, "there is no search key \"%s\"", word);
	return NULL;
}

static struct search_key *
parse_key(struct parser *p)
{
	const char *word = argument(p, "the query");
	struct search_key *k;

	if (word == NULL)
		return NULL;
	if (++p->depth > DEPTH_MAX) {
		err_set(p->e, ERR_LIMIT, "the query is nested more than %d deep", DEPTH_MAX);
		return NULL;
	}
	if (strcasecmp(word, "mailbox") == 0) {
		k = parse_mailbox(p);
	} else {
		p->q->has_keys = true;
		if (strcmp(word, "(") == 0 || strcasecmp(word, "not") == 0 || strcasecmp(word, "or") == 0)
			k = parse_compound(p, word);
		else
			k = parse_word(p, word);
	}
	p->depth--;
	return k;
}

int
query_parse(struct arena *a, int argc, char **argv, struct query *out, struct err *e)
{
	struct parser p = { a, argv, argc, 0, 0, out, e };

	memset(out, 0, sizeof(*out));
	if (argc == 0)
		return err_set(e, ERR_SYNTAX, "the query is empty; \"all\" means every message");
	out->root = parse_list(&p, false);
	return out->root == NULL ? -1 : 0;
}
