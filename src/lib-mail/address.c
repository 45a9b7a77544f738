/* SPDX-License-Identifier: MIT */
#include "lib-mail/address.h"

#define SYNTAX_ERROR "SYNTAX_ERROR"
#define INVALID_ROUTE "INVALID_ROUTE"

struct parser {
	struct arena *arena;
	const char *p, *end;
	struct address *head, **tail;
	size_t count;
	bool in_group, failed;
	bool quote_open;	/* a quoted string did not end: quotes are letters from then on (looked for once) */
};

/* A run of atoms and quoted strings: a display name, a local part or a group's name; what follows tells which. */
struct words {
	struct span all;	/* from the first one's first octet to the last one's last */
	struct span first;	/* the first one; without its quotes if it has them */
	struct span comment;	/* the last comment between or behind them */
	size_t count, quoted;
	bool tidy;		/* only atoms with single spaces between */
	bool joined;		/* the words make one local part: there is a dot wherever two meet */
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Everything that has no meaning between addresses is taken for a letter of an atom: dots, 8-bit octets,
 * brackets.  What RFC 5322 would refuse is kept as the user's mail has it.
 */
static bool
is_atom(char c)
{
	switch (c) {
	case ' ': case '\t': case '\r': case '\n':
	case '(': case ')': case '<': case '>': case ',': case ';': case ':': case '@': case '"':
		return false;
	}
	return true;
}

/* Behind the comment that begins here, or at the end; its content in *out if that is given. */
static void
skip_comment(struct parser *ps, struct span *out)
{
	const char *start = ps->p + 1;
	size_t depth = 0;

	for (; ps->p < ps->end; ps->p++) {
		if (*ps->p == '(') {
			depth++;
		} else if (*ps->p == '\\' && ps->end - ps->p > 1) {
			ps->p++;
		} else if (*ps->p == ')' && --depth == 0) {
			if (out != NULL)
				*out = span_of(start, (size_t)(ps->p - start));
			ps->p++;
			return;
		}
	}
}

static void
skip_cfws(struct parser *ps, struct span *comment)
{
	while (ps->p < ps->end) {
		if (is_space(*ps->p))
			ps->p++;
		else if (*ps->p == '(')
			skip_comment(ps, comment);
		else
			break;
	}
}

/* Over a quoted string; false, and nothing is taken, when it does not end. */
static bool
skip_quoted(struct parser *ps, struct span *inside)
{
	const char *q;

	if (ps->quote_open)
		return false;
	for (q = ps->p + 1; q < ps->end && *q != '"'; q++) {
		if (*q == '\\' && ps->end - q > 1)
			q++;
	}
	if (q >= ps->end) {
		ps->quote_open = true;
		return false;
	}
	*inside = span_of(ps->p + 1, (size_t)(q - ps->p - 1));
	ps->p = q + 1;
	return true;
}

static struct span
take_atom(struct parser *ps)
{
	const char *start = ps->p;

	while (ps->p < ps->end && (is_atom(*ps->p) || (*ps->p == '"' && ps->quote_open)))
		ps->p++;
	return span_of(start, (size_t)(ps->p - start));
}

/* The next word; false at a delimiter or the end. */
static bool
take_word(struct parser *ps, struct span *word, bool *quoted)
{
	if (ps->p >= ps->end)
		return false;
	*quoted = *ps->p == '"' && skip_quoted(ps, word);
	if (!*quoted)
		*word = take_atom(ps);
	return *quoted || word->n > 0;
}

static void
take_words(struct parser *ps, struct words *w)
{
	bool dot = false, quoted;
	struct span word;

	*w = (struct words){ .tidy = true, .joined = true, .all = span_of(ps->p, 0) };
	for (;;) {
		const char *begin = ps->p, *gap = w->all.p + w->all.n;

		if (!take_word(ps, &word, &quoted))
			break;
		if (w->count == 0) {
			w->first = word;
			w->all.p = begin;
		} else {
			if (begin - gap != 1 || *gap != ' ')
				w->tidy = false;
			if (!dot && (quoted || word.p[0] != '.'))
				w->joined = false;
		}
		dot = !quoted && word.p[word.n - 1] == '.';
		w->all.n = (size_t)(ps->p - w->all.p);
		w->quoted += quoted;
		w->count++;
		skip_cfws(ps, &w->comment);
	}
	if (w->quoted > 0)
		w->tidy = false;
}

/* A piece of text that is written anew into the arena. */
struct text {
	char *p;
	size_t n;
};

static bool
text_begin(struct parser *ps, struct text *t, size_t max)
{
	t->n = 0;
	t->p = arena_alloc(ps->arena, max, 1);
	if (t->p == NULL)
		ps->failed = true;
	return t->p != NULL;
}

/* Without line ends, and with `\x' as x. */
static void
text_add(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			t->p[t->n++] = s.p[i];
	}
}

static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	}
	return true;
}

static struct span
unescape(struct parser *ps, struct span s)
{
	struct text t;

	if (is_plain(s))
		return s;
	if (!text_begin(ps, &t, s.n))
		return SPAN_NONE;
	text_add(&t, s);
	return span_of(t.p, t.n);
}

/*
 * The words with sep (a space: a display name; 0: a local part) between two.  w has been parsed once already, so all
 * its quoted strings end.
 */
static struct span
words_text(struct parser *ps, const struct words *w, char sep)
{
	struct parser again = { .p = w->all.p, .end = w->all.p + w->all.n, .quote_open = false };
	struct span word;
	struct text t;
	bool quoted;

	if (w->count == 1 && w->quoted == 1)
		return unescape(ps, w->first);
	if (w->count == 1 || (w->tidy && sep == ' '))
		return w->all;
	if (!text_begin(ps, &t, w->all.n + w->count))
		return SPAN_NONE;
	while (take_word(&again, &word, &quoted)) {
		if (t.n > 0 && sep != 0)
			t.p[t.n++] = sep;
		if (quoted) {
			text_add(&t, word);
		} else {
			memcpy(t.p + t.n, word.p, word.n);
			t.n += word.n;
		}
		skip_cfws(&again, NULL);
	}
	return span_of(t.p, t.n);
}

static struct address *
add(struct parser *ps)
{
	struct address *ad = arena_alloc(ps->arena, 1, sizeof(*ad));

	if (ad == NULL) {
		ps->failed = true;
		return NULL;
	}
	*ps->tail = ad;
	ps->tail = &ad->next;
	ps->count++;
	return ad;
}

/* Behind the "@": a dotted name with white space and comments round the dots, or an address literal.  Empty: none. */
static struct span
take_domain(struct parser *ps, struct span *comment)
{
	const char *start;
	struct text t;
	struct span piece, all;
	bool several = false;

	skip_cfws(ps, comment);
	start = ps->p;
	if (ps->p < ps->end && *ps->p == '[') {
		size_t n = span_chr(span_of(start, (size_t)(ps->end - start)), ']');

		if (n < (size_t)(ps->end - start)) {
			ps->p = start + n + 1;
			all = span_of(start, n + 1);
			skip_cfws(ps, comment);
			return unescape(ps, all);
		}
	}
	piece = all = take_atom(ps);
	for (;;) {
		skip_cfws(ps, comment);
		if (piece.n == 0 || ps->p >= ps->end || (piece.p[piece.n - 1] != '.' && *ps->p != '.'))
			break;
		piece = take_atom(ps);
		if (piece.n > 0) {
			all.n = (size_t)(ps->p - start);
			several = true;
		}
	}
	if (!several)
		return all;
	if (!text_begin(ps, &t, all.n))
		return SPAN_NONE;
	for (struct parser again = { .p = all.p, .end = all.p + all.n }; again.p < again.end; skip_cfws(&again, NULL)) {
		piece = take_atom(&again);
		if (piece.n == 0)
			break;
		memcpy(t.p + t.n, piece.p, piece.n);
		t.n += piece.n;
	}
	return span_of(t.p, t.n);
}

/* "@a,@b:" of RFC 5322 section 4.4, obs-route; false when it is none. */
static bool
take_route(struct parser *ps, struct span *route)
{
	const char *start = ps->p;
	struct text t;

	while (ps->p < ps->end && *ps->p == '@') {
		ps->p++;
		if (take_domain(ps, NULL).n == 0)
			return false;
		while (ps->p < ps->end && *ps->p == ',') {
			ps->p++;
			skip_cfws(ps, NULL);
		}
	}
	if (ps->p >= ps->end || *ps->p != ':' || !text_begin(ps, &t, 2 * (size_t)(ps->p - start)))
		return false;
	for (struct parser again = { .p = start, .end = ps->p }; again.p < again.end; skip_cfws(&again, NULL)) {
		if (*again.p == '@' && t.n > 0)
			t.p[t.n++] = ',';
		if (!is_space(*again.p) && *again.p != '(' && *again.p != ',')
			t.p[t.n++] = *again.p;
		again.p++;
	}
	ps->p++;
	*route = span_of(t.p, t.n);
	return true;
}

static void
invalid(struct address *ad, const char *mailbox, const char *domain)
{
	ad->flags |= ADDRESS_INVALID;
	if (mailbox != NULL)
		ad->mailbox = span_str(mailbox);
	if (domain != NULL)
		ad->domain = span_str(domain);
}

static void
parse_angle(struct parser *ps, struct address *ad)
{
	struct words local;

	ps->p++;
	skip_cfws(ps, NULL);
	if (ps->p < ps->end && *ps->p == '@' && !take_route(ps, &ad->route)) {
		ad->route = span_str(INVALID_ROUTE);
		invalid(ad, ADDRESS_MISSING_MAILBOX, ADDRESS_MISSING_DOMAIN);
		return;
	}
	skip_cfws(ps, NULL);
	take_words(ps, &local);
	if (local.count == 0)
		invalid(ad, ADDRESS_MISSING_MAILBOX, NULL);
	else if (local.joined)
		ad->mailbox = words_text(ps, &local, 0);
	else
		ad->mailbox = local.first;
	if (!local.joined) {
		invalid(ad, NULL, SYNTAX_ERROR);
		return;
	}
	if (ps->p < ps->end && *ps->p == '@') {
		ps->p++;
		ad->domain = take_domain(ps, NULL);
		if (ad->domain.n == 0)
			invalid(ad, NULL, SYNTAX_ERROR);
	} else {
		invalid(ad, NULL, ADDRESS_MISSING_DOMAIN);
	}
	skip_cfws(ps, NULL);
	if (ps->p < ps->end && *ps->p == '>')
		ps->p++;
	else
		invalid(ad, NULL, SYNTAX_ERROR);
}

/* "local@domain (name)", or what lacks a part of that; ps->p is behind the words. */
static void
parse_bare(struct parser *ps, struct words *w, struct address *ad)
{
	bool at = ps->p < ps->end && *ps->p == '@';

	if (!at ? w->count > 1 || w->quoted > 0 : !w->joined) {
		ad->name = words_text(ps, w, ' ');
		invalid(ad, ADDRESS_MISSING_MAILBOX, ADDRESS_MISSING_DOMAIN);
		return;
	}
	if (w->count == 0)
		invalid(ad, ADDRESS_MISSING_MAILBOX, NULL);
	else
		ad->mailbox = words_text(ps, w, 0);
	if (at) {
		ps->p++;
		ad->domain = take_domain(ps, &w->comment);
	}
	if (ad->domain.n == 0)
		invalid(ad, NULL, ADDRESS_MISSING_DOMAIN);
	if (w->comment.p != NULL)
		ad->name = unescape(ps, w->comment);
}

/* To the next comma or semicolon that is not inside a comment or a quoted string. */
static void
skip_junk(struct parser *ps)
{
	struct span inside;

	while (ps->p < ps->end && *ps->p != ',' && *ps->p != ';') {
		if (*ps->p == '(')
			skip_comment(ps, NULL);
		else if (*ps->p != '"' || !skip_quoted(ps, &inside))
			ps->p++;
	}
}

static void
parse_one(struct parser *ps)
{
	struct address *ad;
	struct words w;
	char next;

	take_words(ps, &w);
	next = ps->p < ps->end ? *ps->p : ',';
	if (next == ':') {
		ps->p++;
		if (!ps->in_group && (ad = add(ps)) != NULL) {	/* groups do not nest */
			ad->mailbox = words_text(ps, &w, ' ');
			ps->in_group = true;
		}
		return;
	}
	if (w.count == 0 && next != '<' && next != '@') {
		ps->p++;	/* a stray ")" or ">" */
		return;
	}
	ad = add(ps);
	if (ad == NULL)
		return;
	if (next == '<') {
		if (w.count > 0) {
			ad->name = words_text(ps, &w, ' ');
			if (ad->name.n == 0)
				ad->name = SPAN_NONE;
		}
		parse_angle(ps, ad);
	} else {
		parse_bare(ps, &w, ad);
	}
	skip_junk(ps);
}

int
address_parse(struct arena *a, struct span value, size_t max, struct address **list_out, bool *truncated_out)
{
	struct parser ps = { .arena = a };
	bool truncated = false;

	if (value.n == 0)	/* and p may be NULL */
		value = SPAN("");
	ps.p = value.p;
	ps.end = value.p + value.n;
	ps.tail = &ps.head;
	for (;;) {
		skip_cfws(&ps, NULL);
		if (ps.p >= ps.end || ps.failed)
			break;
		if (*ps.p == ',' || *ps.p == ';') {
			if (*ps.p++ == ';' && ps.in_group) {
				ps.in_group = false;
				add(&ps);
			}
			continue;
		}
		if (ps.count >= max) {
			truncated = true;
			break;
		}
		parse_one(&ps);
	}
	if (ps.in_group)
		add(&ps);
	if (ps.failed)
		return -1;
	*list_out = ps.head;
	if (truncated_out != NULL)
		*truncated_out = truncated;
	return 0;
}

const struct address *
address_first(const struct address *list)
{
	while (list != NULL && list->domain.p == NULL)
		list = list->next;
	return list;
}

/* RFC 5322 section 3.2.3, with 8-bit octets as RFC 6532 allows them. */
static bool
is_dot_atom(struct span s, bool dots)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' && dots && i > 0 && i + 1 < s.n && s.p[i - 1] != '.')
			continue;
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (unsigned char)c < 0x80 &&
			memchr(others, c, sizeof(others) - 1) == NULL)
			return false;
	}
	return s.n > 0;
}

static void
add_quoted(struct buf *out, struct span s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
			buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

static void
add_phrase(struct buf *out, struct span s)
{
	struct span rest = s, word;
	bool plain = s.n > 0 && s.p[s.n - 1] != ' ';

	while (plain && span_next(&rest, ' ', &word))
		plain = is_dot_atom(word, false);
	if (plain)
		buf_add(out, s);
	else
		add_quoted(out, s);
}

void
address_write(struct buf *out, const struct address *ad)
{
	if (ad->domain.p == NULL)
		return;
	if (is_dot_atom(ad->mailbox, true))
		buf_add(out, ad->mailbox);
	else
		add_quoted(out, ad->mailbox);
	buf_addc(out, '@');
	buf_add(out, ad->domain);
}

void
address_write_list(struct buf *out, const struct address *list)
{
	bool comma = false;

	for (const struct address *ad = list; ad != NULL; ad = ad->next) {
		if (address_is_group_end(ad)) {
			buf_addc(out, ';');
			comma = true;
			continue;
		}
		if (comma)
			buf_add(out, SPAN(", "));
		if (address_is_group_start(ad)) {
			add_phrase(out, ad->mailbox);
			buf_add(out, ad->next != NULL && !address_is_group_end(ad->next) ? SPAN(": ") : SPAN(":"));
			comma = false;
			continue;
		}
		if (ad->name.n > 0) {
			add_phrase(out, ad->name);
			buf_add(out, SPAN(" <"));
			address_write(out, ad);
			buf_addc(out, '>');
		} else {
			address_write(out, ad);
		}
		comma = true;
	}
}
