/* SPDX-License-Identifier: MIT */
/* Expressions: read, and made a machine. */
#include <stdlib.h>
#include "lib-filter/procmail/regex-priv.h"

struct parser {
	struct procmail_regex *r;
	struct span in;
	size_t i;
	unsigned depth;
	uint32_t mark;		/* of r->marked */
	const char *why;
};

/* A piece of the machine whose exit is not known yet: the last node, whose `next' it is. */
struct piece {
	uint32_t in, out;
};

static uint32_t
node_new(struct parser *p, enum regex_op op)
{
	struct regex_node *n = array_push(&p->r->nodes);

	if (n == NULL) {
		p->why = "it is too large";
		return 0;
	}
	*n = (struct regex_node){ .op = op, .next = REGEX_NONE, .other = REGEX_NONE };
	return (uint32_t)(p->r->nodes.n - 1);
}

static void
set_add(struct regex_set *s, unsigned char c)
{
	s->bits[c >> 6] |= (uint64_t)1 << (c & 63);
}

static struct piece
piece_set(struct parser *p, const struct regex_set *s)
{
	uint32_t n = node_new(p, OP_SET);
	struct regex_set *room;

	for (size_t i = p->r->sets.n; i-- > 0 && i + 8 > p->r->sets.n; )
		if (memcmp(array_at(&p->r->sets, i), s, sizeof(*s)) == 0) {
			regex_node_at(p->r, n)->set = (uint32_t)i;
			return (struct piece){ n, n };
		}
	room = array_push(&p->r->sets);
	if (room == NULL) {
		p->why = "it is too large";
		return (struct piece){ n, n };
	}
	*room = *s;
	regex_node_at(p->r, n)->set = (uint32_t)(p->r->sets.n - 1);
	return (struct piece){ n, n };
}

static struct piece
piece_char(struct parser *p, char c)
{
	struct regex_set s = { { 0 } };

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
	struct regex_set s = { { 0 } };

	for (unsigned c = 0; c < 256; c++)
		if (!ascii_is_alpha((char)c) && !ascii_is_digit((char)c) && c != '_')
			set_add(&s, (unsigned char)c);
	return piece_set(p, &s);
}

static struct piece
piece_any(struct parser *p)
{
	struct regex_set s = { { 0 } };

	for (unsigned c = 0; c < 256; c++)
		if (c != '\n')
			set_add(&s, (unsigned char)c);
	return piece_set(p, &s);
}

static struct piece
piece_one(struct parser *p, enum regex_op op)
{
	uint32_t n = node_new(p, op);

	return (struct piece){ n, n };
}

static void
join(struct parser *p, uint32_t out, uint32_t in)
{
	regex_node_at(p->r, out)->next = in;
}

/* An empty piece: a split with one way. */
static struct piece
piece_empty(struct parser *p)
{
	return piece_one(p, OP_SPLIT);
}

static void
set_add_folded(const struct parser *p, struct regex_set *s, unsigned char c)
{
	set_add(s, c);
	if (p->r->fold) {
		set_add(s, (unsigned char)ascii_lower((char)c));
		set_add(s, (unsigned char)ascii_upper((char)c));
	}
}

/*
 * [...], without the bracket that opens it.  A "]" in front is itself; a "-" at an end too.  The end of a range may be the
 * beginning of another (a-c-e), and of one the wrong way round both ends are meant.
 */
static struct piece
parse_bracket(struct parser *p)
{
	struct regex_set s = { { 0 } };
	bool invert = false, first = true;
	unsigned char from = 0;

	if (p->i < p->in.n && p->in.p[p->i] == '^') {
		invert = true;
		p->i++;
	}
	for (; p->i < p->in.n && (p->in.p[p->i] != ']' || first); first = false) {
		unsigned char c = (unsigned char)p->in.p[p->i++];

		if (c == '-' && !first && p->i < p->in.n && p->in.p[p->i] != ']') {
			c = (unsigned char)p->in.p[p->i++];
			for (unsigned k = from; k <= c; k++)
				set_add_folded(p, &s, (unsigned char)k);
		}
		set_add_folded(p, &s, c);
		from = c;
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

/* Of several \/ the last counts. */
static struct piece
piece_mark(struct parser *p)
{
	struct piece mark = piece_one(p, OP_MARK);

	if (p->r->marked)
		regex_node_at(p->r, p->mark)->op = OP_SPLIT;
	p->r->marked = true;
	p->mark = mark.in;
	return mark;
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
		if (p->i == p->in.n)
			p->r->warning = "a ( is not closed";
		else
			p->i++;
		return inner;
	case '.':
		return piece_any(p);
	case '[':
		return parse_bracket(p);
	case '^':
		/* Of more than two in a row the last two, but in front the first two. */
		if (p->i < p->in.n && p->in.p[p->i] == '^' && (front || p->i + 1 == p->in.n || p->in.p[p->i + 1] != '^')) {
			p->i++;
			p->r->anchored = true;
			return piece_one(p, front ? OP_BEGIN : OP_END);
		}
		return piece_char(p, '\n');
	case '$':
		return piece_char(p, '\n');
	case '\\':
		if (p->i == p->in.n)
			return piece_char(p, '\\');
		c = p->in.p[p->i++];
		if (c == '/')
			return piece_mark(p);
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
	regex_node_at(p->r, loop.in)->next = atom.in;
	regex_node_at(p->r, loop.in)->other = end.in;
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
		regex_node_at(p->r, fork.in)->next = whole.in;
		regex_node_at(p->r, fork.in)->other = more.in;
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

/* The members of a set; how many. */
static unsigned
set_members(const struct regex_set *s, uint8_t out[256])
{
	unsigned n = 0;

	for (unsigned word = 0; word < 4; word++)
		for (uint64_t bits = s->bits[word]; bits != 0; bits &= bits - 1)
			out[n++] = (uint8_t)(word * 64 + (unsigned)__builtin_ctzll(bits));
	return n;
}

/* Characters that no set tells apart are one class. */
static void
make_classes(struct procmail_regex *r)
{
	unsigned size[257] = { 256 }, inside[257] = { 0 }, part[257], classes = 1;

	memset(r->class_of, 0, sizeof(r->class_of));
	for (size_t i = 0; i < r->sets.n && classes < 256; i++) {
		uint8_t member[256];
		unsigned n = set_members(array_at(&r->sets, i), member);

		for (unsigned k = 0; k < n; k++)
			inside[r->class_of[member[k]]]++;
		/* The members of a class that are not all of it become one of their own. */
		for (unsigned k = 0; k < n; k++) {
			unsigned old = r->class_of[member[k]];

			if (inside[old] == 0)
				continue;	/* its first member was here, and has said where the rest goes */
			if (inside[old] == size[old]) {
				inside[old] = 0;
				part[old] = old;
			} else {
				part[old] = classes++;
				size[part[old]] = 0;
				inside[part[old]] = 0;
				inside[old] = 0;
			}
		}
		for (unsigned k = 0; k < n; k++) {
			unsigned old = r->class_of[member[k]];

			if (part[old] != old) {
				r->class_of[member[k]] = (uint8_t)part[old];
				size[old]--;
				size[part[old]]++;
				part[part[old]] = part[old];
			}
		}
	}
	r->classes = classes;
}

/*
 * From which nodes nothing need be taken any more.  Most of the machine leads to nodes with higher numbers; what leads back is
 * bounded by the depth of parentheses, and so is the number of rounds.
 */
static void
find_ends(struct procmail_regex *r)
{
	bool more = r->anchored;

	for (unsigned round = 0; more && round < 2 * PROCMAIL_REGEX_DEPTH + 4; round++) {
		more = false;
		for (uint32_t i = (uint32_t)r->nodes.n; i-- > 0; ) {
			struct regex_node *n = regex_node_at(r, i);
			bool ends = n->op == OP_ACCEPT ||
			    (n->op != OP_SET && n->next != REGEX_NONE && regex_node_at(r, n->next)->ends) ||
			    (n->op == OP_SPLIT && n->other != REGEX_NONE && regex_node_at(r, n->other)->ends);

			more |= ends && !n->ends;
			n->ends |= ends;
		}
	}
}

/* r->first: most begin with ^. */
static void
find_first(struct procmail_regex *r)
{
	struct regex_set all = { { 0 } };
	uint32_t count = 0;
	uint64_t budget = UINT64_MAX;
	unsigned found = 0;

	regex_new_round(r);
	if (regex_close_over(r, r->start, (struct regex_place){ false, false }, &count, &budget))
		return;
	for (uint32_t i = 0; i < count; i++)
		for (size_t k = 0; k < 4; k++)
			all.bits[k] |= ((struct regex_set *)array_at(&r->sets, regex_node_at(r, r->list[i])->set))->bits[k];
	for (unsigned c = 0; c < 256; c++)
		if (regex_set_has(&all, (unsigned char)c)) {
			r->first = (int)c;
			found++;
		}
	if (found != 1)
		r->first = -1;
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
	r->nodes = ARRAY_INIT(struct regex_node, PROCMAIL_REGEX_NODES);
	r->sets = ARRAY_INIT(struct regex_set, PROCMAIL_REGEX_NODES);
	r->states = ARRAY_INIT(struct regex_state, 100000);
	r->members = ARRAY_INIT(uint32_t, REGEX_STATES_MEMORY);
	r->table = ARRAY_INIT(uint32_t, REGEX_STATES_MEMORY);
	r->first = -1;
	r->fold = !distinguish_case;
	put_macros(&text, expression);
	if (text.failed)
		p.why = "it is too large";
	p.in = buf_span(&text);
	(void)node_new(&p, OP_ACCEPT);		/* node 0 */
	whole = p.why == NULL ? parse_either(&p, true) : (struct piece){ 0, 0 };
	if (p.why == NULL && p.i < p.in.n)
		r->warning = "a ) is not opened; what is behind it is passed over";
	buf_clear(&text);
	if (p.why == NULL) {
		end = piece_one(&p, OP_ACCEPT);
		if (p.why == NULL)
			join(&p, whole.out, end.in);
	}
	if (p.why == NULL) {
		r->start = whole.in;
		make_classes(r);
		r->hash = calloc(REGEX_HASH_SIZE, sizeof(*r->hash));
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
	find_ends(r);
	find_first(r);
	regex_automaton_clear(r);
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
	size_t octets = sizeof(*r) + REGEX_HASH_SIZE * sizeof(*r->hash) + r->nodes.n * 4 * sizeof(uint32_t);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		octets += all[i]->cap * all[i]->size;
	return octets;
}

const char *
procmail_regex_warning(const struct procmail_regex *r)
{
	return r->warning;
}

bool
procmail_regex_extracts(const struct procmail_regex *r)
{
	return r->marked;
}

