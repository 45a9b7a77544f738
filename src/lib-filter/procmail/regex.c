/* SPDX-License-Identifier: MIT */
/* The search: an automaton whose states are sets of the machine's nodes. */
#include <stdlib.h>
#include "lib-filter/procmail/regex-priv.h"

void
regex_automaton_clear(struct procmail_regex *r)
{
	r->states.n = r->members.n = r->table.n = 0;
	r->initial = REGEX_NONE;
	r->generation++;
	for (size_t i = 0; i < REGEX_HASH_SIZE; i++)
		r->hash[i] = REGEX_NONE;
}

void
regex_new_round(struct procmail_regex *r)
{
	if (++r->round == 0) {
		memset(r->seen, 0, r->nodes.n * sizeof(*r->seen));
		r->round = 1;
	}
}

static void
charge(uint64_t *budget, uint64_t steps)
{
	*budget -= *budget < steps ? *budget : steps;
}

bool
regex_close_over(struct procmail_regex *r, uint32_t node, struct regex_place at, uint32_t *count, uint64_t *budget)
{
	bool accepted = false;
	size_t top = 0;

	r->stack[top++] = node;
	while (top > 0) {
		uint32_t idx = r->stack[--top];
		const struct regex_node *n;

		if (idx == REGEX_NONE || r->seen[idx] == r->round)
			continue;
		r->seen[idx] = r->round;
		charge(budget, 1);
		n = regex_node_at(r, idx);
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
		case OP_END:	/* not even the newline that is thought there is taken behind it */
			accepted |= at.end && n->ends;
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

static struct regex_state *
state_at(const struct procmail_regex *r, uint32_t idx)
{
	return array_at(&r->states, idx);
}

static bool
push_number(struct array *a, uint32_t number)
{
	uint32_t *room = array_push(a);

	if (room != NULL)
		*room = number;
	return room != NULL;
}

/* The state for r->list; REGEX_NONE: no memory. */
static uint32_t
state_get(struct procmail_regex *r, uint32_t count, bool accepts, uint64_t *budget)
{
	uint32_t h = accepts;
	struct regex_state *s;

	if (count > 1)
		qsort(r->list, count, sizeof(*r->list), by_number);
	charge(budget, count * 8ull);
	for (uint32_t i = 0; i < count; i++)
		h = (h ^ r->list[i]) * 0x9e3779b1u;
	h = (h >> 16) % REGEX_HASH_SIZE;
	for (uint32_t i = r->hash[h]; i != REGEX_NONE; i = s->hash_next) {
		s = state_at(r, i);
		if (s->count == count && s->accepts == accepts &&
		    (count == 0 || memcmp(array_at(&r->members, s->first), r->list, count * sizeof(*r->list)) == 0))
			return i;
	}
	if ((r->members.n + r->table.n) * sizeof(uint32_t) > REGEX_STATES_MEMORY || r->states.n == r->states.max)
		regex_automaton_clear(r);
	s = array_push(&r->states);
	if (s == NULL)
		return REGEX_NONE;
	*s = (struct regex_state){ .first = (uint32_t)r->members.n, .count = count, .accepts = accepts, .hash_next = r->hash[h] };
	charge(budget, r->classes);
	for (uint32_t i = 0; i < count; i++)
		if (!push_number(&r->members, r->list[i]))
			goto fail;
	for (unsigned i = 0; i < r->classes; i++)
		if (!push_number(&r->table, REGEX_NONE))
			goto fail;
	r->hash[h] = (uint32_t)(r->states.n - 1);
	return r->hash[h];
fail:
	regex_automaton_clear(r);
	return REGEX_NONE;
}

/* From a state over c to the set at the place behind it, in r->list; a match may begin there too. */
static bool
step(struct procmail_regex *r, const struct regex_state *from, unsigned char c, struct regex_place at, uint32_t *count_out,
    uint64_t *budget)
{
	bool accepts = false;
	uint32_t count = 0;

	regex_new_round(r);
	for (uint32_t i = 0; i < from->count; i++) {
		const struct regex_node *n = regex_node_at(r, *(uint32_t *)array_at(&r->members, from->first + i));

		charge(budget, 1);
		if (regex_set_has(array_at(&r->sets, n->set), c))
			accepts |= regex_close_over(r, n->next, at, &count, budget);
	}
	accepts |= regex_close_over(r, r->start, at, &count, budget);
	*count_out = count;
	return accepts;
}

/* From the state at position i over its character; where ^^ may match nothing is kept in the table. */
static uint32_t
move(struct procmail_regex *r, uint32_t state, struct span text, size_t i, uint64_t *budget)
{
	unsigned char c = regex_char_at(text, i);
	struct regex_place at = { i == 0, i == text.n };
	bool keep = !r->anchored || (!at.begin && !at.end), accepts;
	size_t slot = state * (size_t)r->classes + r->class_of[c];
	uint32_t count, next, generation = r->generation, *known = array_at(&r->table, slot);

	if (keep && *known != REGEX_NONE)
		return *known & ~REGEX_ACCEPTS;
	accepts = step(r, state_at(r, state), c, at, &count, budget);
	next = state_get(r, count, accepts, budget);
	if (keep && next != REGEX_NONE && r->generation == generation)
		*(uint32_t *)array_at(&r->table, slot) = next | (accepts ? REGEX_ACCEPTS : 0);
	return next;
}

/* The state of a search that begins here. */
static uint32_t
first_state(struct procmail_regex *r, struct regex_place at, uint64_t *budget)
{
	bool keep = !r->anchored || (!at.begin && !at.end), accepts;
	uint32_t count = 0, state;

	if (keep && r->initial != REGEX_NONE)
		return r->initial;
	regex_new_round(r);
	accepts = regex_close_over(r, r->start, at, &count, budget);
	state = state_get(r, count, accepts, budget);
	if (keep)
		r->initial = state;
	return state;
}

/* Over as many characters as the table knows, without coming to a state that accepts.  Up to position `to' at most. */
static size_t
run_known(const struct procmail_regex *r, uint32_t *state, struct span text, size_t i, size_t to, uint64_t *budget)
{
	const uint32_t *table = r->table.p;
	const unsigned char *text_p = (const unsigned char *)text.p, *p = text_p + i - 1, *end, *from = p;
	uint32_t s = *state, skips = r->first == -1 ? REGEX_NONE : r->initial;
	size_t classes = r->classes;

	if ((to - i) / 16 > *budget)
		to = i + *budget * 16;
	end = text_p + to - 1;
	while (p < end) {
		uint32_t next;

		if (s == skips) {
			p = memchr(p, r->first, (size_t)(end - p));
			if (p == NULL) {
				p = end;
				break;
			}
		}
		next = table[s * classes + r->class_of[*p]];
		if (next >= REGEX_ACCEPTS)
			break;
		s = next;
		p++;
	}
	*state = s;
	charge(budget, (uint64_t)(p - from) / 16 + 1);
	return (size_t)(p - text_p) + 1;
}

enum procmail_found
procmail_regex_next(struct procmail_regex *r, struct span text, size_t *pos, uint64_t *budget)
{
	size_t i = *pos, known_to = r->anchored ? text.n : text.n + 1;
	uint32_t state;

	if (i > text.n + 1)
		return PROCMAIL_FOUND_NO;
	state = first_state(r, (struct regex_place){ i == 1, i == text.n + 1 }, budget);
	for (;;) {
		if (state == REGEX_NONE || *budget == 0)
			return PROCMAIL_FOUND_TOO_LONG;
		if (state_at(r, state)->accepts)
			break;
		if (i == text.n + 2)
			return PROCMAIL_FOUND_NO;
		if (i > 0 && i < known_to)
			i = run_known(r, &state, text, i, known_to, budget);
		state = move(r, state, text, i, budget);
		i++;
	}
	/* The newline at the end may be the one that the next match begins with. */
	if (i > *pos && regex_char_at(text, i - 1) == '\n')
		i--;
	*pos = i;
	return PROCMAIL_FOUND_YES;
}
