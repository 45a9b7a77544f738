/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/regex.h"

#include <stdlib.h>
#include "lib/array.h"

#define STATES_MEMORY ((size_t)8 << 20)	/* of the automaton, which is thrown away and begun anew when it is larger */
#define NONE UINT32_MAX

enum op { OP_SET, OP_SPLIT, OP_BEGIN, OP_END, OP_MARK, OP_ACCEPT };

/* One of the machine: a set takes a character and goes on to `next'; a split goes on to both. */
struct node {
	enum op op;
	uint32_t next, other;
	uint32_t set;
};

struct set {
	uint64_t bits[4];
};

/* A set of nodes that the search is in, and where each class of characters leads from it. */
struct state {
	uint32_t first, count;	/* in `members' */
	uint32_t hash_next;
	uint32_t moves;		/* in `table': one a class */
	bool accepts;
};

struct procmail_regex {
	struct array nodes, sets;
	uint32_t start;
	bool marked;
	bool fold;
	uint8_t class_of[256];
	unsigned classes;

	/* The automaton, made as the text needs it. */
	struct array states, members, table;
	uint32_t *hash;
	uint32_t *seen;		/* a node: the last round in which it was put into a set */
	uint32_t *list, *stack;
	uint32_t round;
};

#define HASH_SIZE 1024

struct parser {
	struct procmail_regex *r;
	struct span in;
	size_t i;
	unsigned depth;
	const char *why;
};

/* A piece of the machine whose exit is not known yet: the last node, whose `next' it is. */
struct piece {
	uint32_t in, out;
};

static struct node *
node_at(const struct procmail_regex *r, uint32_t idx)
{
	return array_at(&r->nodes, idx);
}

static uint32_t
node_new(struct parser *p, enum op op)
{
	struct node *n = array_push(&p->r->nodes);

	if (n == NULL) {
		p->why = "it is too large";
		return 0;
	}
	*n = (struct node){ .op = op, .next = NONE, .other = NONE };
	return (uint32_t)(p->r->nodes.n - 1);
}

static void
set_add(struct set *s, unsigned char c)
{
	s->bits[c >> 6] |= (uint64_t)1 << (c & 63);
}

static bool
set_has(const struct set *s, unsigned char c)
{
	return s->bits[c >> 6] >> (c & 63) & 1;
}

static struct piece
piece_set(struct parser *p, const struct set *s)
{
	uint32_t n = node_new(p, OP_SET);
	struct set *room;

	for (size_t i = p->r->sets.n; i-- > 0 && i + 8 > p->r->sets.n; )
		if (memcmp(array_at(&p->r->sets, i), s, sizeof(*s)) == 0) {
			node_at(p->r, n)->set = (uint32_t)i;
			return (struct piece){ n, n };
		}
	room = array_push(&p->r->sets);
	if (room == NULL) {
		p->why = "it is too large";
		return (struct piece){ n, n };
	}
	*room = *s;
	node_at(p->r, n)->set = (uint32_t)(p->r->sets.n - 1);
	return (struct piece){ n, n };
}

static struct piece
piece_char(struct parser *p, char c)
{
	struct set s = { { 0 } };

	set_add(&s, (unsigned char)c);
	if (p->r->fold) {
		set_add(&s, (unsigned char)ascii_lower(c));
		set_add(&s, (unsigned char)ascii_upper(c));
	}
	return piece_set(p, &s);
}

/* Neither a letter nor a digit nor _: \< and \>. */
static struct piece
piece_word_edge(struct parser *p)
{
	struct set s = { { 0 } };

	for (unsigned c = 0; c < 256; c++)
		if (!ascii_is_alpha((char)c) && !ascii_is_digit((char)c) && c != '_')
			set_add(&s, (unsigned char)c);
	return piece_set(p, &s);
}

static struct piece
piece_any(struct parser *p)
{
	struct set s = { { 0 } };

	for (unsigned c = 0; c < 256; c++)
		if (c != '\n')
			set_add(&s, (unsigned char)c);
	return piece_set(p, &s);
}

static struct piece
piece_one(struct parser *p, enum op op)
{
	uint32_t n = node_new(p, op);

	return (struct piece){ n, n };
}

static void
join(struct parser *p, uint32_t out, uint32_t in)
{
	node_at(p->r, out)->next = in;
}

/* An empty piece: a split with one way. */
static struct piece
piece_empty(struct parser *p)
{
	return piece_one(p, OP_SPLIT);
}

/* [...], without the bracket that opens it.  A "]" in front is itself; a "-" at an end too. */
static struct piece
parse_bracket(struct parser *p)
{
	struct set s = { { 0 } };
	bool invert = false, first = true;

	if (p->i < p->in.n && p->in.p[p->i] == '^') {
		invert = true;
		p->i++;
	}
	for (; p->i < p->in.n && (p->in.p[p->i] != ']' || first); first = false) {
		unsigned char from = (unsigned char)p->in.p[p->i++], to = from;

		if (p->i + 1 < p->in.n && p->in.p[p->i] == '-' && p->in.p[p->i + 1] != ']') {
			to = (unsigned char)p->in.p[p->i + 1];
			p->i += 2;
		}
		for (unsigned c = from; c <= to; c++) {
			set_add(&s, (unsigned char)c);
			if (p->r->fold) {
				set_add(&s, (unsigned char)ascii_lower((char)c));
				set_add(&s, (unsigned char)ascii_upper((char)c));
			}
		}
	}
	if (p->i < p->in.n)
		p->i++;
	if (invert) {
		set_add(&s, '\n');
		for (size_t i = 0; i < 4; i++)
			s.bits[i] = ~s.bits[i];
	}
	return piece_set(p, &s);
}

static struct piece parse_either(struct parser *p, bool front);

/* One that can have a * behind it.  front: nothing of the expression is before it. */
static struct piece
parse_atom(struct parser *p, bool front)
{
	char c = p->in.p[p->i++];
	struct piece inner;

	switch (c) {
	case '(':
		if (++p->depth > PROCMAIL_REGEX_DEPTH) {
			p->why = "its parentheses are too deep";
			return piece_empty(p);
		}
		inner = parse_either(p, front);
		p->depth--;
		if (p->why != NULL)
			return inner;
		if (p->i == p->in.n) {
			p->why = "a ( is not closed";
			return inner;
		}
		p->i++;
		return inner;
	case '.':
		return piece_any(p);
	case '[':
		return parse_bracket(p);
	case '^':
		if (p->i < p->in.n && p->in.p[p->i] == '^') {
			p->i++;
			return piece_one(p, front ? OP_BEGIN : OP_END);
		}
		return piece_char(p, '\n');
	case '$':
		return piece_char(p, '\n');
	case '\\':
		if (p->i == p->in.n)
			return piece_char(p, '\\');
		c = p->in.p[p->i++];
		if (c == '/') {
			p->r->marked = true;
			return piece_one(p, OP_MARK);
		}
		return c == '<' || c == '>' ? piece_word_edge(p) : piece_char(p, c);
	default:
		return piece_char(p, c);
	}
}

/* a, a*, a+, a? */
static struct piece
parse_repeat(struct parser *p, bool front)
{
	struct piece atom = parse_atom(p, front), loop, end;
	char c = p->i < p->in.n ? p->in.p[p->i] : '\0';

	if (p->why != NULL || (c != '*' && c != '+' && c != '?'))
		return atom;
	p->i++;
	loop = piece_one(p, OP_SPLIT);
	end = piece_empty(p);
	if (p->why != NULL)
		return atom;
	node_at(p->r, loop.in)->next = atom.in;
	node_at(p->r, loop.in)->other = end.in;
	join(p, atom.out, c == '?' ? end.in : loop.in);
	return (struct piece){ c == '+' ? atom.in : loop.in, end.out };
}

static struct piece
parse_sequence(struct parser *p, bool front)
{
	struct piece whole = piece_empty(p), more;

	while (p->why == NULL && p->i < p->in.n && p->in.p[p->i] != '|' && p->in.p[p->i] != ')') {
		more = parse_repeat(p, front);
		if (p->why != NULL)
			break;
		join(p, whole.out, more.in);
		whole.out = more.out;
		front = false;
	}
	return whole;
}

/* a|b|c */
static struct piece
parse_either(struct parser *p, bool front)
{
	struct piece whole = parse_sequence(p, front), more, fork, end;

	if (p->why != NULL || p->i == p->in.n || p->in.p[p->i] != '|')
		return whole;
	end = piece_empty(p);
	if (p->why != NULL)
		return whole;
	join(p, whole.out, end.in);
	while (p->why == NULL && p->i < p->in.n && p->in.p[p->i] == '|') {
		p->i++;
		more = parse_sequence(p, front);
		fork = piece_one(p, OP_SPLIT);
		if (p->why != NULL)
			return whole;
		node_at(p->r, fork.in)->next = whole.in;
		node_at(p->r, fork.in)->other = more.in;
		join(p, more.out, end.in);
		whole.in = fork.in;
	}
	return (struct piece){ whole.in, end.out };
}

/* The macros, as the manual states them. */
#define DAEMON_HEAD "(^(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?("
#define DAEMON_TAIL ")(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$))"
static const struct { const char *name, *text; } macros[] = {
	{ "^TO_", "(^((Original-)?(Resent-)?(To|Cc|Bcc)|(X-Envelope|Apparently(-Resent)?)-To):(.*[^-a-zA-Z0-9_.])?)" },
	{ "^TO", "(^((Original-)?(Resent-)?(To|Cc|Bcc)|(X-Envelope|Apparently(-Resent)?)-To):(.*[^a-zA-Z])?)" },
	{ "^FROM_DAEMON",
	    "(^(Mailing-List:|Precedence:.*(junk|bulk|list)|To: Multiple recipients of |"
	    "(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?("
	    "Post(ma?(st(e?r)?|n)|office)|(send)?Mail(er)?|daemon|m(mdf|ajordomo)|n?uucp|LIST(SERV|proc)|NETSERV|o(wner|ps)|"
	    "r(e(quest|sponse)|oot)|b(ounce|bs\\.smtp)|echo|mirror|s(erv(ices?|er)|mtp(error)?|ystem)|"
	    "A(dmin(istrator)?|MMGR|utoanswer)" DAEMON_TAIL ")" },
	{ "^FROM_MAILER",
	    DAEMON_HEAD "Post(ma(st(er)?|n)|office)|(send)?Mail(er)?|daemon|mmdf|n?uucp|ops|r(esponse|oot)|(bbs\\.)?smtp(error)?|"
	    "s(erv(ices?|er)|ystem)|A(dmin(istrator)?|MMGR)" DAEMON_TAIL },
};

static void
put_macros(struct buf *out, struct span in)
{
	while (in.n > 0) {
		size_t taken = 0;

		for (size_t i = 0; in.p[0] == '^' && taken == 0 && i < sizeof(macros) / sizeof(macros[0]); i++)
			if (span_starts(in, span_str(macros[i].name))) {
				buf_adds(out, macros[i].text);
				taken = strlen(macros[i].name);
			}
		if (taken == 0 && in.p[0] == '\\' && in.n > 1) {
			buf_add(out, span_sub(in, 0, 2));
			taken = 2;
		} else if (taken == 0) {
			buf_addc(out, in.p[0]);
			taken = 1;
		}
		in = span_from(in, taken);
	}
}

/* Characters that no set tells apart are one class. */
static void
make_classes(struct procmail_regex *r)
{
	uint8_t class_of[256] = { 0 };
	unsigned classes = 1;

	for (size_t i = 0; i < r->sets.n && classes < 256; i++) {
		const struct set *s = array_at(&r->sets, i);
		int split_of[256];

		for (unsigned k = 0; k < 256; k++)
			split_of[k] = -1;
		/* Of each class the members in the set part from those that are not, if there are both. */
		for (unsigned c = 0, have[256] = { 0 }; c < 256; c++)
			have[class_of[c]] |= set_has(s, (unsigned char)c) ? 1u : 2u, split_of[class_of[c]] = have[class_of[c]] == 3 ? -2 : -1;
		for (unsigned c = 0; c < 256; c++)
			if (split_of[class_of[c]] != -1 && set_has(s, (unsigned char)c)) {
				if (split_of[class_of[c]] == -2)
					split_of[class_of[c]] = (int)classes++;
				class_of[c] = (uint8_t)split_of[class_of[c]];
			}
	}
	memcpy(r->class_of, class_of, sizeof(class_of));
	r->classes = classes;
}

static void
automaton_clear(struct procmail_regex *r)
{
	r->states.n = r->members.n = r->table.n = 0;
	for (size_t i = 0; i < HASH_SIZE; i++)
		r->hash[i] = NONE;
}

struct procmail_regex *
procmail_regex_new(struct span expression, bool distinguish_case, const char **why_out)
{
	struct procmail_regex *r = calloc(1, sizeof(*r));
	struct buf text = BUF_INIT(PROCMAIL_REGEX_NODES);
	struct parser p = { .r = r };
	struct piece whole, end;

	*why_out = "no memory";
	if (r == NULL)
		return NULL;
	r->nodes = ARRAY_INIT(struct node, PROCMAIL_REGEX_NODES);
	r->sets = ARRAY_INIT(struct set, PROCMAIL_REGEX_NODES);
	r->states = ARRAY_INIT(struct state, 100000);
	r->members = ARRAY_INIT(uint32_t, STATES_MEMORY);
	r->table = ARRAY_INIT(uint32_t, STATES_MEMORY);
	r->fold = !distinguish_case;
	put_macros(&text, expression);
	if (text.failed)
		p.why = "it is too large";
	p.in = buf_span(&text);
	(void)node_new(&p, OP_ACCEPT);		/* node 0 */
	whole = p.why == NULL ? parse_either(&p, true) : (struct piece){ 0, 0 };
	if (p.why == NULL && p.i < p.in.n)
		p.why = "a ) is not opened";
	buf_clear(&text);
	if (p.why == NULL) {
		end = piece_one(&p, OP_ACCEPT);
		if (p.why == NULL)
			join(&p, whole.out, end.in);
	}
	if (p.why == NULL) {
		r->start = whole.in;
		make_classes(r);
		r->hash = calloc(HASH_SIZE, sizeof(*r->hash));
		r->seen = calloc(r->nodes.n, sizeof(*r->seen));
		r->list = calloc(r->nodes.n + 1, sizeof(*r->list));
		r->stack = calloc(2 * r->nodes.n + 2, sizeof(*r->stack));
		if (r->hash == NULL || r->seen == NULL || r->list == NULL || r->stack == NULL)
			p.why = "no memory";
	}
	if (p.why != NULL) {
		*why_out = p.why;
		procmail_regex_free(r);
		return NULL;
	}
	automaton_clear(r);
	return r;
}

void
procmail_regex_free(struct procmail_regex *r)
{
	if (r == NULL)
		return;
	array_clear(&r->nodes);
	array_clear(&r->sets);
	array_clear(&r->states);
	array_clear(&r->members);
	array_clear(&r->table);
	free(r->hash);
	free(r->seen);
	free(r->list);
	free(r->stack);
	free(r);
}

size_t
procmail_regex_octets(const struct procmail_regex *r)
{
	const struct array *const all[] = { &r->nodes, &r->sets, &r->states, &r->members, &r->table };
	size_t octets = sizeof(*r) + HASH_SIZE * sizeof(*r->hash) + r->nodes.n * 4 * sizeof(uint32_t);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		octets += all[i]->cap * all[i]->size;
	return octets;
}

bool
procmail_regex_extracts(const struct procmail_regex *r)
{
	return r->marked;
}

/* Where a search is: before the text, at its beginning, inside, at its end, behind the newline thought there. */
struct place {
	bool begin, end;
};

/* Adds node and what is reached from it without a character to r->list; the list holds sets alone.  True: accepted. */
static bool
close_over(struct procmail_regex *r, uint32_t node, struct place at, uint32_t *count, uint64_t *budget)
{
	bool accepted = false;
	size_t top = 0;

	r->stack[top++] = node;
	while (top > 0) {
		uint32_t idx = r->stack[--top];
		const struct node *n;

		if (idx == NONE || r->seen[idx] == r->round)
			continue;
		r->seen[idx] = r->round;
		if (*budget > 0)
			--*budget;
		n = node_at(r, idx);
		switch (n->op) {
		case OP_SET:
			r->list[(*count)++] = idx;
			break;
		case OP_SPLIT:
			r->stack[top++] = n->other;
			r->stack[top++] = n->next;
			break;
		case OP_BEGIN:
			if (at.begin)
				r->stack[top++] = n->next;
			break;
		case OP_END:
			if (at.end)
				r->stack[top++] = n->next;
			break;
		case OP_MARK:
			r->stack[top++] = n->next;
			break;
		case OP_ACCEPT:
			accepted = true;
			break;
		}
	}
	return accepted;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
new_round(struct procmail_regex *r)
{
	if (++r->round == 0) {
		memset(r->seen, 0, r->nodes.n * sizeof(*r->seen));
		r->round = 1;
	}
}

/* The state for r->list; NONE: no memory. */
static uint32_t
state_get(struct procmail_regex *r, uint32_t count, bool accepts, uint64_t *budget)
{
	uint32_t h = accepts, *room;
	struct state *s;

	qsort(r->list, count, sizeof(*r->list), by_number);
	*budget -= *budget < count * 8ull ? *budget : count * 8ull;
	for (uint32_t i = 0; i < count; i++)
		h = (h ^ r->list[i]) * 0x9e3779b1u;
	h = (h >> 16) % HASH_SIZE;
	for (uint32_t i = r->hash[h]; i != NONE; i = s->hash_next) {
		s = array_at(&r->states, i);
		if (s->count == count && s->accepts == accepts &&
		    (count == 0 || memcmp(array_at(&r->members, s->first), r->list, count * sizeof(*r->list)) == 0))
			return i;
	}
	if ((r->members.n + r->table.n) * sizeof(uint32_t) > STATES_MEMORY || r->states.n == r->states.max)
		automaton_clear(r);
	s = array_push(&r->states);
	if (s == NULL)
		return NONE;
	*s = (struct state){ .first = (uint32_t)r->members.n, .count = count, .accepts = accepts, .hash_next = r->hash[h],
		.moves = (uint32_t)r->table.n };
	for (uint32_t i = 0; i < count; i++) {
		if ((room = array_push(&r->members)) == NULL)
			return NONE;
		*room = r->list[i];
	}
	for (unsigned i = 0; i < r->classes; i++) {
		if ((room = array_push(&r->table)) == NULL)
			return NONE;
		*room = NONE;
	}
	r->hash[h] = (uint32_t)(r->states.n - 1);
	return r->hash[h];
}

/* From a state over c to the set at the place behind it, in r->list; a match may begin there too. */
static bool
step(struct procmail_regex *r, const struct state *from, unsigned char c, struct place at, uint32_t *count_out, uint64_t *budget)
{
	bool accepts = false;
	uint32_t count = 0;

	new_round(r);
	for (uint32_t i = 0; i < from->count; i++) {
		const struct node *n = node_at(r, *(uint32_t *)array_at(&r->members, from->first + i));

		if (*budget > 0)
			--*budget;
		if (set_has(array_at(&r->sets, n->set), c))
			accepts |= close_over(r, n->next, at, &count, budget);
	}
	accepts |= close_over(r, r->start, at, &count, budget);
	*count_out = count;
	return accepts;
}

/* The character at a position of the text with its newlines. */
static unsigned char
char_at(struct span text, size_t pos)
{
	return pos == 0 || pos == text.n + 1 ? '\n' : (unsigned char)text.p[pos - 1];
}

/* From the state at position i over its character; what is near an end of the text is not kept in the table. */
static uint32_t
move(struct procmail_regex *r, uint32_t state, struct span text, size_t i, uint64_t *budget)
{
	struct state *s = array_at(&r->states, state);
	unsigned char c = char_at(text, i);
	struct place at = { i == 0, i == text.n };
	bool keep = !at.begin && !at.end, accepts;
	uint32_t count, next, *slot = array_at(&r->table, s->moves + r->class_of[c]);
	size_t states = r->states.n;

	if (keep && *slot != NONE)
		return *slot;
	accepts = step(r, s, c, at, &count, budget);
	next = state_get(r, count, accepts, budget);
	if (keep && next != NONE && r->states.n >= states) {	/* else it was begun anew */
		s = array_at(&r->states, state);
		*(uint32_t *)array_at(&r->table, s->moves + r->class_of[c]) = next;
	}
	return next;
}

enum procmail_found
procmail_regex_next(struct procmail_regex *r, struct span text, size_t *pos, uint64_t *budget)
{
	uint32_t count = 0, state;
	struct place at = { *pos == 1, *pos == text.n + 1 };
	size_t i = *pos;
	bool accepts;

	if (i > text.n + 1)
		return PROCMAIL_FOUND_NO;
	new_round(r);
	accepts = close_over(r, r->start, at, &count, budget);
	state = state_get(r, count, accepts, budget);
	for (;;) {
		const struct state *s;

		if (state == NONE || *budget == 0)
			return PROCMAIL_FOUND_TOO_LONG;
		s = array_at(&r->states, state);
		if (s->accepts)
			break;
		if (i == text.n + 2)
			return PROCMAIL_FOUND_NO;
		state = move(r, state, text, i, budget);
		i++;
		if (((i & 15) == 0) && *budget > 0)
			--*budget;
	}
	/* The newline at the end may be the one that the next match begins with. */
	if (i > *pos && char_at(text, i - 1) == '\n')
		i--;
	*pos = i;
	return PROCMAIL_FOUND_YES;
}

/* The way on which a node was reached: where the match began, and where its right part did. */
struct way {
	size_t start, mark;
};

static bool
is_better(struct way a, struct way b)
{
	return a.start != b.start ? a.start < b.start : a.mark < b.mark;
}

struct extract {
	struct procmail_regex *r;
	struct way *ways;		/* of a node in this round */
	struct way *stack_ways;
	struct way best;
	size_t best_end;
	bool found;
};

/* Ways are followed best first, so the first that comes to a node is the best. */
static void
follow(struct extract *x, uint32_t node, struct way way, size_t pos, struct place at, uint32_t *count, uint64_t *budget)
{
	struct procmail_regex *r = x->r;
	size_t top = 0;

	r->stack[top] = node;
	x->stack_ways[top++] = way;
	while (top > 0) {
		uint32_t idx = r->stack[--top];
		const struct node *n;

		way = x->stack_ways[top];
		/* A node may be come to again by a better way: with the mark, where the first was without. */
		if (idx == NONE || (r->seen[idx] == r->round && !is_better(way, x->ways[idx])))
			continue;
		n = node_at(r, idx);
		if (n->op == OP_SET && r->seen[idx] != r->round)
			r->list[(*count)++] = idx;
		r->seen[idx] = r->round;
		x->ways[idx] = way;
		if (*budget > 0)
			--*budget;
		if (n->op == OP_ACCEPT && (!x->found || is_better(way, x->best) ||
		    (way.start == x->best.start && way.mark == x->best.mark && pos > x->best_end))) {
			x->found = true;
			x->best = way;
			x->best_end = pos;
		}
		if (n->op == OP_MARK && way.mark == SIZE_MAX)
			way.mark = pos;
		if (n->op == OP_SPLIT) {
			r->stack[top] = n->other;
			x->stack_ways[top++] = way;
		}
		if (n->op == OP_SPLIT || n->op == OP_MARK || (n->op == OP_BEGIN && at.begin) || (n->op == OP_END && at.end)) {
			r->stack[top] = n->next;
			x->stack_ways[top++] = way;
		}
	}
}

static enum procmail_found
extract_run(struct extract *x, struct span text, uint32_t *now, struct way *now_ways, uint64_t *budget)
{
	struct procmail_regex *r = x->r;
	uint32_t count = 0, live;

	new_round(r);
	for (size_t i = 0;; i++) {
		struct place at = { i == 1, i == text.n + 1 };

		/* Here r->list has the sets that ways are at; a new match may begin as long as there is none. */
		if (!x->found)
			follow(x, r->start, (struct way){ i, SIZE_MAX }, i, at, &count, budget);
		if (*budget == 0)
			return PROCMAIL_FOUND_TOO_LONG;
		if (i == text.n + 2 || (count == 0 && x->found))
			break;
		live = 0;
		for (uint32_t k = 0; k < count; k++) {
			struct way way = x->ways[r->list[k]];

			if (!x->found || !is_better(x->best, way)) {
				now[live] = r->list[k];
				now_ways[live++] = way;
			}
		}
		new_round(r);
		count = 0;
		at = (struct place){ i == 0, i == text.n };
		for (uint32_t k = 0; k < live; k++) {
			const struct node *n = node_at(r, now[k]);

			if (*budget > 0)
				--*budget;
			if (set_has(array_at(&r->sets, n->set), char_at(text, i)))
				follow(x, n->next, now_ways[k], i + 1, at, &count, budget);
		}
	}
	return x->found ? PROCMAIL_FOUND_YES : PROCMAIL_FOUND_NO;
}

enum procmail_found
procmail_regex_extract(struct procmail_regex *r, struct span text, struct span *match_out, uint64_t *budget)
{
	struct extract x = { .r = r };
	size_t from, to, n = r->nodes.n;
	uint32_t *now = calloc(n + 1, sizeof(*now)), *stack = NULL;
	struct way *now_ways = calloc(n + 1, sizeof(*now_ways));
	enum procmail_found found = PROCMAIL_FOUND_TOO_LONG;

	/* A node may be pushed again by each better way; their number is bounded by the two kinds of way a start has. */
	x.ways = calloc(n + 1, sizeof(*x.ways));
	x.stack_ways = calloc(8 * n + 8, sizeof(*x.stack_ways));
	stack = realloc(r->stack, (8 * n + 8) * sizeof(*stack));
	if (stack != NULL)
		r->stack = stack;
	if (now != NULL && now_ways != NULL && x.ways != NULL && x.stack_ways != NULL && stack != NULL)
		found = extract_run(&x, text, now, now_ways, budget);
	free(now);
	free(now_ways);
	free(x.ways);
	free(x.stack_ways);
	if (found != PROCMAIL_FOUND_YES)
		return found;
	from = x.best.mark == SIZE_MAX ? x.best_end : x.best.mark;
	to = x.best_end;
	from = from == 0 ? 0 : from - 1;
	to = to == 0 ? 0 : to - 1;
	*match_out = span_sub(text, from, (to > text.n ? text.n : to) < from ? 0 : (to > text.n ? text.n : to) - from);
	return found;
}
