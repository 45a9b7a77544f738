/* SPDX-License-Identifier: MIT */
/* What \/ takes: the machine followed with the places where each of its ways began. */
#include <stdlib.h>
#include "lib-filter/procmail/regex-priv.h"

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
	size_t max;			/* octets of MATCH that anybody wants */
	struct way best;
	size_t best_end;
	bool found;
};

/* Ways are followed best first, so the first that comes to a node is the best. */
static void
follow(struct extract *x, uint32_t node, struct way way, size_t pos, struct regex_place at, uint32_t *count, uint64_t *budget)
{
	struct procmail_regex *r = x->r;
	size_t top = 0;

	r->stack[top] = node;
	x->stack_ways[top++] = way;
	while (top > 0) {
		uint32_t idx = r->stack[--top];
		const struct regex_node *n;

		way = x->stack_ways[top];
		/* A node may be come to again by a better way: with the mark, where the first was without. */
		if (idx == REGEX_NONE || (r->seen[idx] == r->round && !is_better(way, x->ways[idx])))
			continue;
		n = regex_node_at(r, idx);
		if (n->op == OP_SET && r->seen[idx] != r->round)
			r->list[(*count)++] = idx;
		r->seen[idx] = r->round;
		x->ways[idx] = way;
		if (*budget > 0)
			--*budget;
		if ((n->op == OP_ACCEPT || (n->op == OP_END && at.end && n->ends)) && (!x->found || is_better(way, x->best) ||
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
		if (n->op == OP_SPLIT || n->op == OP_MARK || (n->op == OP_BEGIN && at.begin)) {
			r->stack[top] = n->next;
			x->stack_ways[top++] = way;
		}
	}
}

static enum procmail_found
extract_run(struct extract *x, struct span text, size_t pos, uint32_t *now, struct way *now_ways, uint64_t *budget)
{
	struct procmail_regex *r = x->r;
	uint32_t count = 0, live;

	regex_new_round(r);
	for (size_t i = pos;; i++) {
		struct regex_place at = { i == 1, i == text.n + 1 };

		/* Where there is no way yet, to where one may begin. */
		if (!x->found && count == 0 && r->first != -1 && i > 0 && i < text.n && !r->anchored) {
			const char *next = memchr(text.p + i - 1, r->first, text.n - i + 1);
			size_t skipped = next == NULL ? text.n - i : (size_t)(next - (text.p + i - 1));

			skipped = skipped > text.n - i ? text.n - i : skipped;
			*budget -= skipped / 16 < *budget ? skipped / 16 : *budget;
			i += skipped;
			at = (struct regex_place){ i == 1, i == text.n + 1 };
		}
		/* Here r->list has the sets that ways are at; a new match may begin as long as there is none. */
		if (!x->found)
			follow(x, r->start, (struct way){ i, SIZE_MAX }, i, at, &count, budget);
		if (*budget == 0)
			return PROCMAIL_FOUND_TOO_LONG;
		if (i == text.n + 2 || (x->found && (count == 0 || (x->best.mark != SIZE_MAX && i - x->best.mark > x->max))))
			break;
		live = 0;
		for (uint32_t k = 0; k < count; k++) {
			struct way way = x->ways[r->list[k]];

			if (!x->found || !is_better(x->best, way)) {
				now[live] = r->list[k];
				now_ways[live++] = way;
			}
		}
		regex_new_round(r);
		count = 0;
		at = (struct regex_place){ i == 0, i == text.n };
		for (uint32_t k = 0; k < live; k++) {
			const struct regex_node *n = regex_node_at(r, now[k]);

			if (*budget > 0)
				--*budget;
			if (regex_set_has(array_at(&r->sets, n->set), regex_char_at(text, i)))
				follow(x, n->next, now_ways[k], i + 1, at, &count, budget);
		}
	}
	return x->found ? PROCMAIL_FOUND_YES : PROCMAIL_FOUND_NO;
}

enum procmail_found
procmail_regex_extract(struct procmail_regex *r, struct span text, size_t max, size_t *pos, struct span *match_out, uint64_t *budget)
{
	struct extract x = { .r = r, .max = max };
	size_t from, to, n = r->nodes.n;
	uint32_t *now = calloc(n + 1, sizeof(*now)), *stack = NULL;
	struct way *now_ways = calloc(n + 1, sizeof(*now_ways));
	enum procmail_found found = PROCMAIL_FOUND_TOO_LONG;

	*budget -= n < *budget ? n : *budget;	/* for the memory */
	/* A node may be pushed again by each better way; their number is bounded by the two kinds of way a start has. */
	x.ways = calloc(n + 1, sizeof(*x.ways));
	x.stack_ways = calloc(8 * n + 8, sizeof(*x.stack_ways));
	stack = realloc(r->stack, (8 * n + 8) * sizeof(*stack));
	if (stack != NULL)
		r->stack = stack;
	if (now != NULL && now_ways != NULL && x.ways != NULL && x.stack_ways != NULL && stack != NULL)
		found = extract_run(&x, text, *pos, now, now_ways, budget);
	free(now);
	free(now_ways);
	free(x.ways);
	free(x.stack_ways);
	if (found != PROCMAIL_FOUND_YES)
		return found;
	/* As in procmail_regex_next(). */
	if (x.best_end > *pos)
		*pos = x.best_end - (regex_char_at(text, x.best_end - 1) == '\n');
	from = x.best.mark == SIZE_MAX ? x.best_end : x.best.mark;
	to = x.best_end;
	if (from > text.n + 1) {
		*match_out = SPAN_NONE;
		return found;
	}
	from = from == 0 ? 0 : from - 1;
	to = to == 0 ? 0 : to - 1;
	*match_out = text.n == 0 ? SPAN("") : span_sub(text, from, (to > text.n ? text.n : to) < from ? 0 : (to > text.n ? text.n : to) - from);
	return found;
}
