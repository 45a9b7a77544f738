/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/expand.h"

#include "lib-filter/procmail/rc.h"
#include "lib/array.h"

struct piece {
	size_t from, n;		/* in `text' */
	bool is_value;		/* its first character is a variable's or a program's */
};

struct work {
	struct procmail_expander *x;
	bool split;
	struct buf text;
	struct array pieces;
	size_t word_from;
	bool in_word;		/* there is one, be it empty: "" is a word */
	bool is_value;		/* as in struct piece */
};

static void
put(struct work *w, char c)
{
	w->in_word = true;
	if (w->text.n >= w->x->max)
		w->x->overflow = true;
	else
		buf_addc(&w->text, c);
}

static void
end_word(struct work *w)
{
	struct piece *room;

	if (w->in_word) {
		room = array_push(&w->pieces);
		if (room == NULL)
			w->x->overflow = true;
		else
			*room = (struct piece){ w->word_from, w->text.n - w->word_from, w->is_value };
	}
	w->word_from = w->text.n;
	w->in_word = w->is_value = false;
}

/* What comes out of a variable or a program. */
static void
put_value(struct work *w, struct span s, bool quoted)
{
	if (quoted || !w->split) {
		w->is_value |= s.n > 0 && w->text.n == w->word_from;
		if (w->text.n > w->x->max || s.n > w->x->max - w->text.n)
			w->x->overflow = true;
		else
			buf_add(&w->text, s);
		w->in_word |= quoted || s.n > 0;
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		if (ascii_is_wsp(s.p[i]) || s.p[i] == '\n')
			end_word(w);
		else {
			w->is_value |= w->text.n == w->word_from;
			put(w, s.p[i]);
		}
}

static void
put_disarmed(struct work *w, struct span s)
{
	put(w, '(');
	put(w, ')');
	for (size_t i = 0; i < s.n; i++) {
		if (memchr("(|)^$.[*+?\\", s.p[i], 11) != NULL)
			put(w, '\\');
		put(w, s.p[i]);
	}
}

static void expand(struct work *w, struct span s, bool quoted, bool all_quoted);

static void
put_special(struct work *w, char which, bool quoted)
{
	struct buf value = BUF_INIT(w->x->max);

	if (w->x->special != NULL && w->x->special(w->x->ctx, which, &value))
		put_value(w, buf_span(&value), quoted);
	if (value.failed)
		w->x->overflow = true;
	buf_clear(&value);
}

static bool
look_up(struct work *w, struct span name, struct span *out)
{
	uint32_t number;

	if (name.n > 0 && ascii_is_digit(name.p[0])) {
		if (!span_u32(name, &number) || number == 0 || number > w->x->arg_count)
			return false;
		*out = w->x->args[number - 1];
		return true;
	}
	return w->x->get(w->x->ctx, name, out);
}

/* The length of what is between braces: up to the one that closes them. */
static size_t
braced_length(struct span s)
{
	size_t n = 0;
	unsigned depth = 0;

	for (; n < s.n; n++) {
		if (s.p[n] == '\\' && n + 1 < s.n)
			n++;
		else if (s.p[n] == '$' && n + 1 < s.n && s.p[n + 1] == '{')
			depth++;
		else if (s.p[n] == '}' && depth-- == 0)
			return n;
	}
	return s.n;
}

/* ${...} without its braces. */
static void
put_braced(struct work *w, struct span s, bool quoted)
{
	size_t name = procmail_name_length(s);
	struct span value = SPAN_NONE, rest;
	bool set, colon;

	while (name < s.n && (name == 0 || ascii_is_digit(s.p[0])) && ascii_is_digit(s.p[name]))
		name++;
	rest = span_from(s, name);
	if (name == 0 && s.n == 1 && memchr("$#?_-=", s.p[0], 6) != NULL) {
		put_special(w, s.p[0], quoted);
		return;
	}
	set = name > 0 && look_up(w, span_sub(s, 0, name), &value);
	colon = rest.n > 0 && rest.p[0] == ':';
	if (colon)
		rest = span_from(rest, 1);
	if (name == 0 || (rest.n == 0 && colon) || (rest.n > 0 && rest.p[0] != '-' && rest.p[0] != '+')) {
		w->x->why = "a bad substitution";
		return;
	}
	if (colon && value.n == 0)
		set = false;
	if (rest.n == 0 || (rest.p[0] == '-' && set)) {
		put_value(w, value, quoted);
	} else if ((rest.p[0] == '-') != set) {
		if (++w->x->depth > PROCMAIL_EXPAND_DEPTH)
			w->x->overflow = true;
		else
			expand(w, span_from(rest, 1), quoted, quoted);
		w->x->depth--;
	}
}

/* What a $ in front of s stands for; how much of s that takes. */
static size_t
put_dollar(struct work *w, struct span s, bool quoted)
{
	struct span value = SPAN_NONE;
	size_t n;

	if (s.n == 0) {
		put(w, '$');
		return 0;
	}
	if (s.p[0] == '{') {
		n = braced_length(span_from(s, 1));
		put_braced(w, span_sub(s, 1, n), quoted);
		return n + 2 > s.n ? s.n : n + 2;
	}
	if (s.p[0] == '@' && quoted && w->split) {
		for (size_t i = 0; i < w->x->arg_count; i++) {
			if (i > 0)
				end_word(w);
			put_value(w, w->x->args[i], true);
		}
		return 1;
	}
	if (s.p[0] == '@') {	/* elsewhere it has no meaning, and the $ goes */
		if (!quoted)
			put(w, '@');
		return 1;
	}
	if (s.p[0] == '\\') {
		n = procmail_name_length(span_from(s, 1));
		if (n == 0)
			for (; n + 1 < s.n && ascii_is_digit(s.p[n + 1]); n++)
				;
		if (n > 0) {
			(void)look_up(w, span_sub(s, 1, n), &value);
			put_disarmed(w, value);
			return n + 1;
		}
	}
	if (memchr("$#?-=", s.p[0], 5) != NULL) {
		put_special(w, s.p[0], quoted);
		return 1;
	}
	if (s.p[0] == '_') {	/* whatever follows: names that begin with it need braces */
		put_special(w, '_', quoted);
		return 1;
	}
	n = procmail_name_length(s);
	if (n == 0 && ascii_is_digit(s.p[0]))
		n = 1;
	if (n == 0) {
		put(w, '$');
		return 0;
	}
	if (look_up(w, span_sub(s, 0, n), &value))
		put_value(w, value, quoted);
	return n;
}

/* What a program says whose command line s begins with; how much of s that is, with the closing quote. */
static size_t
put_backquote(struct work *w, struct span s, bool quoted)
{
	struct buf command = BUF_INIT(w->x->max), said = BUF_INIT(w->x->max);
	size_t n = 0;

	for (; n < s.n && s.p[n] != '`'; n++) {
		if (s.p[n] == '\\' && n + 1 < s.n && (s.p[n + 1] == '`' || s.p[n + 1] == '\\' || (quoted && s.p[n + 1] == '"')))
			n++;
		buf_addc(&command, s.p[n]);
	}
	if (++w->x->depth > PROCMAIL_EXPAND_DEPTH || command.failed)
		w->x->overflow = true;
	else if (w->x->backquote != NULL)
		w->x->backquote(w->x->ctx, buf_span(&command), &said);
	w->x->depth--;
	w->x->cut |= said.failed;
	put_value(w, buf_span(&said), quoted);
	buf_clear(&command);
	buf_clear(&said);
	return n < s.n ? n + 1 : n;
}

/* all_quoted: a double quote is a character like another, as in the word of "${x:-word}". */
static void
expand(struct work *w, struct span s, bool quoted, bool all_quoted)
{
	size_t i = 0;

	while (i < s.n && !w->x->overflow) {
		char c = s.p[i++];

		if (c == '\\' && i < s.n) {
			c = s.p[i++];
			if (c == '\n')
				continue;
			if (quoted && memchr("$`\"\\", c, 4) == NULL)
				put(w, '\\');
			put(w, c);
		} else if (c == '$') {
			i += put_dollar(w, span_from(s, i), quoted);
		} else if (c == '`') {
			i += put_backquote(w, span_from(s, i), quoted);
		} else if (c == '"' && !all_quoted) {
			quoted = !quoted;
			/* "$@" without arguments is no word at all. */
			if (quoted && !(w->split && w->x->arg_count == 0 && span_starts(span_from(s, i), SPAN("$@\""))))
				w->in_word = true;
		} else if (c == '\'' && !quoted) {
			w->in_word = true;
			while (i < s.n && s.p[i] != '\'')
				put(w, s.p[i++]);
			i += i < s.n;
		} else if (!quoted && w->split && (ascii_is_wsp(c) || c == '\n' || c == '\r')) {
			end_word(w);
		} else {
			put(w, c);
		}
	}
}

int
procmail_expand(struct procmail_expander *x, enum procmail_expand_mode mode, struct span text, struct arena *a,
    struct procmail_words *out)
{
	struct work w = { .x = x, .split = mode == PROCMAIL_EXPAND_WORDS_MODE, .text = BUF_INIT(x->max),
		.pieces = ARRAY_INIT(struct piece, PROCMAIL_EXPAND_WORDS) };
	int rc = -1;
	struct span kept;

	x->overflow = x->cut = false;
	x->why = NULL;
	expand(&w, text, mode == PROCMAIL_EXPAND_QUOTED, false);
	if (!w.split)
		w.in_word = true;
	end_word(&w);
	out->count = w.pieces.n;
	out->word = arena_alloc(a, w.pieces.n + 1, sizeof(*out->word));
	out->is_value = arena_alloc(a, w.pieces.n + 1, sizeof(*out->is_value));
	kept = arena_dup(a, buf_span(&w.text));
	if (out->word != NULL && out->is_value != NULL && kept.p != NULL) {
		for (size_t i = 0; i < w.pieces.n; i++) {
			const struct piece *p = array_at(&w.pieces, i);

			out->word[i] = span_sub(kept, p->from, p->n);
			out->is_value[i] = p->is_value;
		}
		rc = 0;
	}
	buf_clear(&w.text);
	array_clear(&w.pieces);
	return rc;
}
