/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/rc.h"

#include "lib/buf.h"

struct parser {
	struct span in;
	size_t i;
	unsigned line;
	struct arena *a;
	struct procmail_rc *rc;
	struct procmail_problem **last_problem;
	unsigned depth;
	size_t statements;
	bool failed;		/* the arena is full */
};

static void
problem(struct parser *p, unsigned line, const char *what, struct span about)
{
	struct procmail_problem *x;
	char text[100];
	size_t n = 0;

	if (p->rc->problem_count++ >= PROCMAIL_RC_PROBLEMS)
		return;
	/* It quotes the file, and goes into logs of one line. */
	for (; n < about.n && n < sizeof(text) - 1; n++)
		text[n] = (unsigned char)about.p[n] < ' ' || about.p[n] == 0x7f ? '?' : about.p[n];
	text[n] = '\0';
	x = arena_alloc(p->a, 1, sizeof(*x));
	if (x == NULL) {
		p->failed = true;
		return;
	}
	x->line = line;
	x->text = about.n == 0 ? what : arena_printf(p->a, "%s: \"%s\"", what, text);
	if (x->text == NULL)
		x->text = what;
	*p->last_problem = x;
	p->last_problem = &x->next;
}

static bool
at_end(const struct parser *p)
{
	return p->i >= p->in.n;
}

static char
here(const struct parser *p)
{
	return at_end(p) ? '\0' : p->in.p[p->i];
}

static void
advance(struct parser *p, size_t n)
{
	for (; n > 0 && !at_end(p); n--)
		p->line += p->in.p[p->i++] == '\n';
}

static void
skip_blanks(struct parser *p)
{
	while (!at_end(p) && ascii_is_wsp(here(p)))
		p->i++;
}

static void
skip_line(struct parser *p)
{
	advance(p, span_chr(span_from(p->in, p->i), '\n') + 1);
}

/* White space, empty lines, comments. */
static void
skip_space(struct parser *p)
{
	while (!at_end(p)) {
		char c = here(p);

		if (c == '#')
			skip_line(p);
		else if (ascii_is_wsp(c) || c == '\n' || c == '\r' || c == '\0')
			advance(p, 1);
		else if (c == '\\' && p->i + 1 < p->in.n && p->in.p[p->i + 1] == '\n')
			advance(p, 2);
		else
			break;
	}
}

size_t
procmail_name_length(struct span s)
{
	size_t n = 0;

	if (s.n == 0 || (!ascii_is_alpha(s.p[0]) && s.p[0] != '_'))
		return 0;
	while (n < s.n && (ascii_is_alpha(s.p[n]) || ascii_is_digit(s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

/* Behind the quote that closes what is opened at s.p[0]. */
static size_t
quoted_length(struct span s, bool *closed)
{
	char quote = s.p[0];
	size_t n = 1;

	while (n < s.n && s.p[n] != quote) {
		if (s.p[n] == '\\' && quote != '\'' && n + 1 < s.n)
			n += 2;
		else if (s.p[n] == '$' && quote == '"' && n + 1 < s.n && s.p[n + 1] == '{')
			n += 1 + span_chr(span_from(s, n + 1), '}');	/* quotes in it are characters like others */
		else if (s.p[n] == '`' && quote == '"')
			n += quoted_length(span_from(s, n), closed);
		else
			n++;
	}
	if (n >= s.n)
		*closed = false;
	return n < s.n ? n + 1 : s.n;
}

size_t
procmail_word_length(struct span s, bool *closed_out)
{
	size_t n = 0;

	*closed_out = true;
	while (n < s.n && !ascii_is_wsp(s.p[n]) && s.p[n] != '\n') {
		char c = s.p[n];

		if (c == '\\')
			n += n + 1 < s.n ? 2 : 1;
		else if (c == '"' || c == '\'' || c == '`')
			n += quoted_length(span_from(s, n), closed_out);
		else
			n++;
	}
	return n;
}

/* The line from here, up to a newline without a backslash in front of it; steps behind it. */
static struct span
take_line(struct parser *p)
{
	size_t from = p->i, n;

	while (!at_end(p) && here(p) != '\n')
		advance(p, here(p) == '\\' && p->i + 1 < p->in.n ? 2 : 1);
	n = p->i - from;
	advance(p, 1);
	return span_sub(p->in, from, n);
}

/* Of a word what is in front of a # that begins a comment, as it does behind what has neither quotes nor variables. */
static size_t
before_comment(struct span word)
{
	for (size_t i = 0; i < word.n && memchr("\"'`\\$", word.p[i], 5) == NULL; i++)
		if (word.p[i] == '#')
			return i;
	return word.n;
}

/* The same for words: a newline in quotes does not end it, a comment does. */
static struct span
take_words(struct parser *p)
{
	size_t from = p->i, end, n, kept;
	unsigned line = p->line;
	bool closed;

	for (;;) {
		end = p->i;
		skip_blanks(p);
		if (here(p) == '#' && p->i > from) {
			skip_line(p);
			break;
		}
		if (at_end(p) || here(p) == '\n') {
			advance(p, 1);
			break;
		}
		n = procmail_word_length(span_from(p->in, p->i), &closed);
		kept = before_comment(span_sub(p->in, p->i, n));
		advance(p, kept);
		if (kept < n && kept > 0) {
			end = p->i;
			skip_line(p);
			break;
		}
		if (!closed)
			problem(p, line, "a quote is not closed", SPAN_NONE);
	}
	return span_sub(p->in, from, end - from);
}

/* Without the backslashes and newlines of continued lines, and without the blanks that lines are indented with. */
static struct span
join_lines(struct parser *p, struct span s, bool keep_indent)
{
	char *out;
	size_t n = 0;

	if (span_find(s, SPAN("\\\n")) == SIZE_MAX)
		return s;
	out = arena_alloc(p->a, s.n, 1);
	if (out == NULL) {
		p->failed = true;
		return SPAN_NONE;
	}
	for (size_t i = 0; i < s.n; ) {
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == '\n') {
			i += 2;
			while (!keep_indent && i < s.n && ascii_is_wsp(s.p[i]))
				i++;
		} else if (s.p[i] == '\\' && i + 1 < s.n) {
			out[n++] = s.p[i++];
			out[n++] = s.p[i++];
		} else {
			out[n++] = s.p[i++];
		}
	}
	return span_of(out, n);
}

static const struct { char letter; unsigned flag; } letters[] = {
	{ 'H', PROCMAIL_FLAG_H }, { 'B', PROCMAIL_FLAG_B }, { 'D', PROCMAIL_FLAG_D }, { 'A', PROCMAIL_FLAG_A },
	{ 'a', PROCMAIL_FLAG_a }, { 'E', PROCMAIL_FLAG_E }, { 'e', PROCMAIL_FLAG_e }, { 'h', PROCMAIL_FLAG_h },
	{ 'b', PROCMAIL_FLAG_b }, { 'f', PROCMAIL_FLAG_f }, { 'c', PROCMAIL_FLAG_c }, { 'w', PROCMAIL_FLAG_w },
	{ 'W', PROCMAIL_FLAG_W }, { 'i', PROCMAIL_FLAG_i }, { 'r', PROCMAIL_FLAG_r },
};

/* ":0 flags : lock"; *count_out: of conditions without an asterisk, in the form of old. */
static void
parse_head(struct parser *p, struct procmail_statement *s, size_t *count_out)
{
	size_t digits = 0, count = 0;

	advance(p, 1);
	skip_blanks(p);
	for (; ascii_is_digit(here(p)); p->i++, digits++)
		count = count < PROCMAIL_RC_CONDITIONS ? count * 10 + (size_t)(here(p) - '0') : count;
	*count_out = digits == 0 ? 1 : count;
	for (; !at_end(p) && here(p) != '\n' && here(p) != '#' && here(p) != ':'; p->i++) {
		size_t i = 0;

		while (i < sizeof(letters) / sizeof(letters[0]) && letters[i].letter != here(p))
			i++;
		if (memchr("{|!*", here(p), 4) != NULL) {
			struct span rest = span_from(p->in, p->i);

			rest = span_trim(span_sub(rest, 0, span_chr(rest, '\n')));
			problem(p, p->line, "what is behind the flags belongs on the next line, and is passed over", rest);
			while (!at_end(p) && here(p) != '\n')
				p->i++;
			break;
		}
		if (i < sizeof(letters) / sizeof(letters[0]))
			s->flags |= letters[i].flag;
		else if (!ascii_is_wsp(here(p)) && here(p) != '\r')
			problem(p, p->line, "not a flag", span_sub(p->in, p->i, 1));
	}
	if (s->flags & PROCMAIL_FLAG_e && s->flags & (PROCMAIL_FLAG_a | PROCMAIL_FLAG_E)) {
		problem(p, p->line, "the flags a and E have no effect with e", SPAN_NONE);
		s->flags &= ~(unsigned)(PROCMAIL_FLAG_a | PROCMAIL_FLAG_E);
	}
	if (here(p) == ':') {
		bool closed;
		size_t n;

		s->locks = true;
		p->i++;
		skip_blanks(p);
		n = here(p) == '#' ? 0 : procmail_word_length(span_from(p->in, p->i), &closed);
		s->lock = span_sub(p->in, p->i, n);
		advance(p, n);
	}
	skip_blanks(p);
	if (!at_end(p) && here(p) != '\n' && here(p) != '#' && here(p) != '\r')
		problem(p, p->line, "not understood behind the flags", span_sub(p->in, p->i, span_chr(span_from(p->in, p->i), '\n')));
	skip_line(p);
}

static bool
is_evaluated(struct span text)
{
	while (text.n > 0 && (text.p[0] == '!' || ascii_is_wsp(text.p[0])))
		text = span_from(text, 1);
	return text.n > 0 && text.p[0] == '$';
}

static void
parse_conditions(struct parser *p, struct procmail_statement *s, size_t bare)
{
	struct procmail_condition **last = &s->conditions, *c;
	size_t count = 0;

	for (;; count++) {
		struct span text;

		skip_space(p);
		if (at_end(p) || (here(p) != '*' && count >= bare))
			return;
		c = arena_alloc(p->a, 1, sizeof(*c));
		if (c == NULL) {
			p->failed = true;
			return;
		}
		c->line = p->line;
		if (here(p) == '*')
			p->i++;
		skip_blanks(p);
		text = take_line(p);
		c->text = span_trim(join_lines(p, text, is_evaluated(text)));
		if (count == PROCMAIL_RC_CONDITIONS)
			problem(p, c->line, "too many conditions", SPAN_NONE);
		if (count >= PROCMAIL_RC_CONDITIONS)
			continue;
		*last = c;
		last = &c->next;
	}
}

static struct procmail_statement *parse_list(struct parser *p, bool in_block);

static void
parse_action(struct parser *p, struct procmail_statement *s)
{
	struct span rest;
	size_t name, i;
	unsigned line;

	skip_space(p);
	s->action_line = line = p->line;
	if (at_end(p)) {
		problem(p, s->line, "a recipe without an action", SPAN_NONE);
		return;
	}
	rest = span_from(p->in, p->i);
	if (rest.p[0] == '{' && (rest.n == 1 || ascii_is_wsp(rest.p[1]) || rest.p[1] == '\n' || rest.p[1] == '\r')) {
		s->action = PROCMAIL_BLOCK;
		advance(p, 1);
		if (p->depth == PROCMAIL_RC_DEPTH) {
			problem(p, line, "blocks too deep in each other; the rest is not read", SPAN_NONE);
			p->rc->cut = true;
			p->i = p->in.n;
			return;
		}
		p->depth++;
		s->block = parse_list(p, true);
		p->depth--;
		if (at_end(p) && !p->rc->cut)
			problem(p, line, "a block without its closing brace", SPAN_NONE);
		advance(p, 1);
		return;
	}
	if (rest.p[0] == '!' || rest.p[0] == '|') {
		s->action = rest.p[0] == '!' ? PROCMAIL_FORWARD : PROCMAIL_PIPE;
		advance(p, 1);
		/* Addresses are words. Of a command newlines behind a backslash are the shell's, or the expansion's. */
		s->text = s->action == PROCMAIL_FORWARD ? take_words(p) : take_line(p);
		return;
	}
	name = i = procmail_name_length(rest);
	while (name > 0 && i < rest.n && ascii_is_wsp(rest.p[i]))
		i++;
	if (name > 0 && i < rest.n && rest.p[i] == '=') {
		for (i++; i < rest.n && ascii_is_wsp(rest.p[i]); )
			i++;
		if (i < rest.n && rest.p[i] == '|') {
			s->action = PROCMAIL_CAPTURE;
			s->name = span_sub(rest, 0, name);
			advance(p, i + 1);
			s->text = take_line(p);
			return;
		}
	}
	if (rest.p[0] == '}' || rest.p[0] == ':') {
		problem(p, s->line, "a recipe without an action", SPAN_NONE);
		return;
	}
	s->action = PROCMAIL_FOLDER;
	s->text = take_words(p);
}

static void
parse_recipe(struct parser *p, struct procmail_statement *s)
{
	size_t bare;

	s->kind = PROCMAIL_RECIPE;
	parse_head(p, s, &bare);
	parse_conditions(p, s, bare);
	parse_action(p, s);
}

/* NAME=value, or NAME alone, which unsets it.  False: neither. */
static bool
parse_assign(struct parser *p, struct procmail_statement *s)
{
	struct span rest = span_from(p->in, p->i);
	size_t name = procmail_name_length(rest), i = name;
	bool closed;

	if (name == 0)
		return false;
	while (i < rest.n && ascii_is_wsp(rest.p[i]))
		i++;
	s->name = span_sub(rest, 0, name);
	if (i == rest.n || rest.p[i] != '=') {
		if (name < rest.n && !ascii_is_wsp(rest.p[name]) && rest.p[name] != '\n' && rest.p[name] != '\r')
			return false;
		s->kind = PROCMAIL_UNSET;
		advance(p, name);
		return true;
	}
	for (i++; i < rest.n && ascii_is_wsp(rest.p[i]); )
		i++;
	advance(p, i);
	s->kind = PROCMAIL_ASSIGN;
	rest = span_from(p->in, p->i);
	i = rest.n > 0 && rest.p[0] == '#' ? 0 : procmail_word_length(rest, &closed);
	if (i > 0 && !closed)
		problem(p, s->line, "a quote is not closed", SPAN_NONE);
	s->text = span_sub(rest, 0, i);
	if (s->text.n > 0 && s->text.p[s->text.n - 1] == '\r')
		s->text.n--;
	advance(p, i);
	return true;
}

/* Statements up to the end, or to the brace that closes the block, which is left. */
static struct procmail_statement *
parse_list(struct parser *p, bool in_block)
{
	struct procmail_statement *first = NULL, **last = &first, *s;

	while (!p->failed) {
		bool known;

		skip_space(p);
		if (at_end(p) || (here(p) == '}' && in_block))
			return first;
		if (p->statements++ == PROCMAIL_RC_STATEMENTS) {
			problem(p, p->line, "too many statements; the rest is not read", SPAN_NONE);
			p->rc->cut = true;
			p->i = p->in.n;
			return first;
		}
		s = arena_alloc(p->a, 1, sizeof(*s));
		if (s == NULL) {
			p->failed = true;
			return first;
		}
		s->line = p->line;
		known = here(p) == ':';
		if (known)
			parse_recipe(p, s);
		else
			known = parse_assign(p, s);
		if (known) {
			*last = s;
			last = &s->next;
		} else {
			bool closed;
			size_t n = procmail_word_length(span_from(p->in, p->i), &closed);

			problem(p, p->line, here(p) == '}' ? "a closing brace without a block" : "skipped", span_sub(p->in, p->i, n));
			advance(p, n == 0 ? 1 : n);
		}
	}
	return first;
}

struct procmail_rc *
procmail_rc_parse(struct span text, struct arena *a)
{
	struct procmail_rc *rc = arena_alloc(a, 1, sizeof(*rc));
	struct parser p = { .in = text, .line = 1, .a = a, .rc = rc };

	if (rc == NULL)
		return NULL;
	p.last_problem = &rc->problems;
	if (text.n > PROCMAIL_RC_MAX) {
		p.in = span_sub(text, 0, PROCMAIL_RC_MAX);
		rc->cut = true;
		problem(&p, 1, "the file is too large; the rest is not read", SPAN_NONE);
	}
	rc->first = parse_list(&p, false);
	return p.failed ? NULL : rc;
}
