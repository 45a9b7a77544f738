/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include "lib-filter/procmail/state.h"

#define REPARSE_MAX 20	/* of "$" and "VAR ??" in one condition */

/* One condition on its way: what was in front is in these, text is what is left. */
struct condition {
	struct span text, area;
	bool inverted, weighted, has_area, distinguish_case;
	double w, x;
};

struct span
procmail_search_header(struct procmail_state *s)
{
	size_t n = 0;

	if (s->search == NULL) {
		s->search = malloc(s->header.n + 1);
		if (s->search == NULL)
			return SPAN_NONE;
		for (size_t i = 0; i < s->header.n; i++) {
			bool joins = s->header.p[i] == '\n' && i + 1 < s->header.n && ascii_is_wsp(s->header.p[i + 1]);

			s->search[n++] = joins ? ' ' : s->header.p[i];
		}
		s->search_n = n;
	}
	return span_of(s->search, s->search_n);
}

static struct span
area_of(struct procmail_state *s, bool header, bool body)
{
	struct span head;
	char *both;

	if (!body)
		return procmail_search_header(s);
	if (!header)
		return s->body;
	head = procmail_search_header(s);
	both = arena_alloc(s->scratch, head.n + s->body.n + 1, 1);
	if (both == NULL) {
		procmail_log(s, "Out of memory");
		return head;
	}
	memcpy(both, head.p, head.n);
	if (s->body.n > 0)
		memcpy(both + head.n, s->body.p, s->body.n);
	return span_of(both, head.n + s->body.n);
}

/* A number in front of s: its length, 0 when there is none.  exponent: it may have one (1e2). */
static size_t
take_real(struct span s, bool exponent, double *out)
{
	char text[64];
	size_t n = 0;
	bool digits = false, dot = false;

	if (n < s.n && (s.p[n] == '-' || s.p[n] == '+'))
		n++;
	for (; n < s.n && n < sizeof(text) - 1 && (ascii_is_digit(s.p[n]) || (s.p[n] == '.' && !dot)); n++) {
		dot |= s.p[n] == '.';
		digits |= ascii_is_digit(s.p[n]);
	}
	if (!digits)
		return 0;
	if (exponent && n + 1 < s.n && (s.p[n] == 'e' || s.p[n] == 'E')) {
		size_t e = n + 1 + (s.p[n + 1] == '-' || s.p[n + 1] == '+'), from = e;

		while (e < s.n && e < sizeof(text) - 1 && ascii_is_digit(s.p[e]))
			e++;
		n = e > from ? e : n;
	}
	memcpy(text, s.p, n);
	text[n] = '\0';
	*out = strtod(text, NULL);	/* no locale is set in what runs this */
	return n;
}

static struct span
trim_front(struct span s)
{
	while (s.n > 0 && ascii_is_wsp(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* "w^x " in front. */
static void
take_weight(struct condition *c)
{
	double w, x;
	size_t n = take_real(c->text, true, &w), m;
	struct span rest = trim_front(span_from(c->text, n));

	if (n == 0 || rest.n == 0 || rest.p[0] != '^')
		return;
	rest = trim_front(span_from(rest, 1));
	m = take_real(rest, true, &x);
	if (m == 0)
		return;
	c->weighted = true;
	c->w = w;
	c->x = x;
	c->text = trim_front(span_from(rest, m));
}

/* "VAR ??" in front. */
static bool
take_variable(struct procmail_state *s, struct condition *c)
{
	size_t n = procmail_name_length(c->text);
	struct span rest = trim_front(span_from(c->text, n)), name = span_sub(c->text, 0, n);

	if (n == 0 || !span_starts(rest, SPAN("??")))
		return false;
	c->has_area = true;
	if (span_eq(name, SPAN("H")))
		c->area = area_of(s, true, false);
	else if (span_eq(name, SPAN("B")))
		c->area = area_of(s, false, true);
	else if (span_eq(name, SPAN("HB")) || span_eq(name, SPAN("BH")))
		c->area = area_of(s, true, true);
	else if (!procmail_get(s, name, &c->area))
		c->area = SPAN("");
	c->text = trim_front(span_from(rest, 2));
	return true;
}

/* What is no number at all is the most. */
static double
bounded(double score)
{
	return score > SCORE_MAX || isnan(score) ? SCORE_MAX : score < -SCORE_MAX ? -SCORE_MAX : score;
}

static void
add_score(struct procmail_state *s, const struct condition *c, double added)
{
	s->score = bounded(s->score + added);
	procmail_verbose(s, "Score: %7.0f %7.0f \"%.*s\"", trunc(added), trunc(s->score), SPAN_ARG(c->text));
}

/* w * (1 + x + ... + x^(n-1)), ended where it would not change any more or is too large. */
static double
sum_of(double w, double x, uint64_t n)
{
	double sum = 0;

	for (uint64_t i = 0; i < n && w != 0 && fabs(sum) <= SCORE_MAX * 2; i++) {
		double before = sum;

		sum += w;
		if (sum == before && fabs(x) <= 1)
			break;
		w *= x;
	}
	return sum;
}

/* The same for ever: of an expression that matches nothing where it is, again and again. */
static double
sum_for_ever(double w, double x)
{
	if (w == 0)
		return 0;
	if (x >= 1)
		return w > 0 ? SCORE_MAX + 1 : -SCORE_MAX - 1;
	return x >= 0 ? w / (1 - x) : w;
}

static void
tell_budget(struct procmail_state *s, const struct condition *c)
{
	if (!s->out_of_limits)
		procmail_log(s, "Matching takes too long: \"%.*s\"", SPAN_ARG(c->text));
	s->sh->left.match_work = 0;
}

/* The next match; of an expression with \/ also MATCH. */
static enum procmail_found
find_next(struct procmail_state *s, const struct condition *c, struct procmail_regex *r, size_t *pos)
{
	uint64_t *budget = &s->sh->left.match_work;
	struct span extract;
	size_t at = *pos;
	enum procmail_found found = procmail_regex_next(r, c->area, pos, budget);

	if (found == PROCMAIL_FOUND_YES && procmail_regex_extracts(r)) {
		*pos = at;
		found = procmail_regex_extract(r, c->area, s->sh->left.line, pos, &extract, budget);
		if (found == PROCMAIL_FOUND_YES && extract.p != NULL) {
			procmail_verbose(s, "Matched \"%.*s\"", SPAN_ARG(extract));
			/* What is in a message may be longer than a line; only the memory for it is bounded. */
			(void)procmail_set_plain(s, SPAN("MATCH"), span_sub(extract, 0, s->sh->left.line));
		}
	}
	if (found == PROCMAIL_FOUND_TOO_LONG)
		tell_budget(s, c);
	return found;
}

/* The weights of all matches, of which the first is found. */
static double
sum_matches(struct procmail_state *s, const struct condition *c, struct procmail_regex *r, size_t pos)
{
	double w = c->w, sum = 0;
	size_t before = 0;

	for (;;) {
		if (pos == before)	/* it took nothing, and would again and again */
			return sum + (before > 0 && c->x < 0 ? 0 : sum_for_ever(w, c->x));
		sum += w;
		/* With an exponent below one, what is less than one is the last that is added. */
		if (fabs(sum) > SCORE_MAX || (fabs(c->x) < 1 && fabs(w) < 1))
			return sum;
		w *= c->x;
		before = pos;
		if (w == 0 || find_next(s, c, r, &pos) != PROCMAIL_FOUND_YES)
			return sum;
	}
}

/* One regular expression: matches, or adds to the score. */
static bool
match(struct procmail_state *s, const struct condition *c)
{
	const char *why;
	struct procmail_regex *r = procmail_cache_regex(s->sh->cache, c->text, c->distinguish_case, &why);
	size_t pos = 0;
	bool matches;

	if (r == NULL) {
		procmail_log(s, "Invalid regexp \"%.*s\": %s", SPAN_ARG(c->text), why);
		return false;
	}
	if (procmail_regex_warning(r) != NULL)
		procmail_log(s, "Invalid regexp \"%.*s\": %s", SPAN_ARG(c->text), procmail_regex_warning(r));
	matches = find_next(s, c, r, &pos) == PROCMAIL_FOUND_YES;
	if (c->weighted) {
		add_score(s, c, c->inverted ? (matches ? 0 : c->w) : matches ? sum_matches(s, c, r, pos) : 0);
		return true;
	}
	procmail_verbose(s, "%s %s\"%.*s\"", matches != c->inverted ? "Match on" : "No match on", c->inverted ? "! " : "", SPAN_ARG(c->text));
	return matches != c->inverted;
}

static bool
compare_size(struct procmail_state *s, struct condition *c)
{
	bool less = (c->text.p[0] == '<') != (c->weighted && c->inverted);
	double limit = 0, size = (double)(c->has_area ? c->area.n : s->text.n);
	struct span rest = trim_front(span_from(c->text, 1));
	bool matches;

	(void)take_real(rest, false, &limit);
	if (c->weighted) {
		double quotient = less ? limit / size : size / limit;

		/* More than nothing is the most whatever the weight, and 0/0 is the least. */
		add_score(s, c, !less && limit == 0 ? SCORE_MAX : isnan(quotient) ? -SCORE_MAX : c->w * pow(quotient, c->x));
		return true;
	}
	matches = (less ? size < limit : size > limit) != c->inverted;
	procmail_verbose(s, "%s \"%.*s\"", matches ? "Match on" : "No match on", SPAN_ARG(c->text));
	return matches;
}

static bool
ask_program(struct procmail_state *s, struct condition *c)
{
	struct span line = trim_front(span_from(c->text, 1));
	struct buf out = BUF_INIT(0);
	int status = 0;
	bool matches;

	if (procmail_run_line(s, line, procmail_end_empty(s, c->area), 0, true, &out, &status) == -1)
		status = PROCMAIL_NOT_RUN;
	buf_clear(&out);
	s->exit_code = status;
	if (status != 0)
		procmail_verbose(s, "Non-zero exitcode (%d) from \"%.*s\"", status, SPAN_ARG(line));
	if (c->weighted && c->inverted)
		add_score(s, c, sum_of(c->w, c->x, status < 0 ? 1 : (uint64_t)status));
	else if (c->weighted)
		add_score(s, c, status == 0 ? c->w : c->x);
	matches = (status == 0) != c->inverted;
	if (!c->weighted)
		procmail_verbose(s, "%s \"%.*s\"", matches ? "Match on" : "No match on", SPAN_ARG(line));
	return c->weighted || matches;
}

static bool
condition(struct procmail_state *s, const struct procmail_statement *recipe, struct span text, bool *weighted_out)
{
	struct condition c = { .text = text, .distinguish_case = (recipe->flags & PROCMAIL_FLAG_D) != 0 };

	take_weight(&c);
	*weighted_out |= c.weighted;
	if (c.weighted && s->score >= SCORE_MAX)
		return true;
	for (unsigned round = 0; round < REPARSE_MAX; round++) {
		size_t octets;
		char first;

		c.text = trim_front(c.text);
		first = c.text.n > 0 ? c.text.p[0] : '\0';
		if (first == '!') {
			c.inverted = !c.inverted;
			c.text = span_from(c.text, 1);
			continue;
		}
		if (first == '$') {
			if (!procmail_expand_one(s, PROCMAIL_EXPAND_QUOTED, trim_front(span_from(c.text, 1)), &c.text))
				return false;
			if (s->expander.overflow)
				return false;
			continue;
		}
		octets = c.text.n;
		take_weight(&c);	/* of several the last counts */
		*weighted_out |= c.weighted;
		if (c.text.n < octets)
			continue;
		if (take_variable(s, &c))
			continue;
		if (first == '<' || first == '>')
			return compare_size(s, &c);
		if (!c.has_area)
			c.area = area_of(s, !(recipe->flags & PROCMAIL_FLAG_B) || (recipe->flags & PROCMAIL_FLAG_H),
			    (recipe->flags & PROCMAIL_FLAG_B) != 0);
		if (first == '?')
			return ask_program(s, &c);
		/* It quotes the character behind it, whatever that is: ^ is the beginning of a line as ever, but of no macro. */
		if (first == '\\') {
			c.text = span_from(c.text, 1);
			if (c.text.n > 1 && c.text.p[0] == '^' && ascii_is_alpha(c.text.p[1]))
				c.text = span_str(arena_printf(s->scratch, "(^)%.*s", SPAN_ARG(span_from(c.text, 1))));
			/* An empty expression would match whatever comes. */
			if (c.text.p == NULL) {
				procmail_log(s, "Out of memory for \"%.*s\"", SPAN_ARG(text));
				return false;
			}
		}
		return match(s, &c);
	}
	procmail_log(s, "A condition that has no end: \"%.*s\"", SPAN_ARG(text));
	return false;
}

bool
procmail_conditions(struct procmail_state *s, const struct procmail_statement *recipe)
{
	bool weighted = false, matches = true;

	s->score = 0;
	for (const struct procmail_condition *c = recipe->conditions; c != NULL && matches; c = c->next) {
		if (s->sh->left.steps == 0 || s->stop) {
			matches = false;
			break;
		}
		s->sh->left.steps--;
		matches = condition(s, recipe, c->text, &weighted) && s->score > -SCORE_MAX;
		arena_reset(s->scratch);
	}
	return matches && (!weighted || s->score > 0);
}
