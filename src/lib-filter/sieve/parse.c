/* SPDX-License-Identifier: MIT */
/*
 * start = *command;  command = identifier arguments (";" / block);  block = "{" *command "}"
 * arguments = *argument [test / test-list];  test = identifier arguments;  test-list = "(" test *("," test) ")"
 * argument = string-list / number / tag;  string-list = "[" string *("," string) "]" / string
 */
#include "lib-filter/sieve/parse.h"

#include "lib-filter/sieve/lexer.h"

struct parser {
	struct sieve_lexer lexer;
	struct sieve_token at;
	struct arena *a;
	struct sieve_mistakes *mistakes;
	size_t nodes, strings;
};

static int parse_test(struct parser *p, unsigned depth, struct sieve_node **out);

static int
advance(struct parser *p)
{
	sieve_lexer_next(&p->lexer, &p->at);
	return p->at.type == TOKEN_BAD ? -1 : 0;
}

static bool
is_mark(const struct parser *p, char c)
{
	return p->at.type == TOKEN_MARK && p->at.text.p[0] == c;
}

static int
too_large(struct parser *p)
{
	return sieve_mistake_last(p->mistakes, p->at.line, "the script is too large");
}

static int
unexpected(struct parser *p, const char *wanted)
{
	switch (p->at.type) {
	case TOKEN_BAD:
		return -1;		/* it has been told */
	case TOKEN_END:
		if (p->lexer.lost)
			return -1;
		p->lexer.lost = true;	/* that it ends is told once, whatever is open */
		return sieve_mistake(p->mistakes, p->at.line, "the script ends where %s is expected", wanted);
	case TOKEN_STRING:
		return sieve_mistake(p->mistakes, p->at.line, "a string stands where %s is expected", wanted);
	case TOKEN_NUMBER:
		return sieve_mistake(p->mistakes, p->at.line, "a number stands where %s is expected", wanted);
	case TOKEN_IDENTIFIER:
	case TOKEN_TAG:
	case TOKEN_MARK:
		break;
	}
	return sieve_mistake(p->mistakes, p->at.line, "%s%.*s stands where %s is expected", p->at.type == TOKEN_TAG ? ":" : "",
	    SPAN_ARG(span_sub(p->at.text, 0, 60)), wanted);
}

static struct sieve_node *
new_node(struct parser *p)
{
	struct sieve_node *n = p->nodes++ < SIEVE_NODES_MAX ? arena_alloc(p->a, 1, sizeof(*n)) : NULL;

	if (n == NULL) {
		too_large(p);
		return NULL;
	}
	n->name = p->at.text;
	n->line = p->at.line;
	return n;
}

static int
push_string(struct parser *p, struct sieve_arg *arg, size_t *room)
{
	if (arg->count == *room) {
		size_t more = *room == 0 ? 1 : *room * 4;
		struct span *strings = arena_alloc(p->a, more, sizeof(*strings));

		if (strings == NULL)
			return too_large(p);
		if (arg->count > 0)
			memcpy(strings, arg->strings, arg->count * sizeof(*strings));
		arg->strings = strings;
		*room = more;
	}
	if (++p->strings > SIEVE_STRINGS_MAX)
		return too_large(p);
	arg->strings[arg->count++] = p->at.text;
	return advance(p);
}

static int
parse_list(struct parser *p, struct sieve_arg *arg)
{
	size_t room = 0;

	arg->is_list = true;
	if (advance(p) == -1)
		return -1;
	for (;;) {
		if (p->at.type != TOKEN_STRING)
			return unexpected(p, "a string");
		if (push_string(p, arg, &room) == -1)
			return -1;
		if (is_mark(p, ']'))
			return advance(p);
		if (!is_mark(p, ','))
			return unexpected(p, "\",\" or \"]\"");
		if (advance(p) == -1)
			return -1;
	}
}

/* 1 there was one, 0 there is none, -1. */
static int
parse_argument(struct parser *p, struct sieve_arg ***tail)
{
	struct sieve_arg *arg;
	size_t room = 0;
	int rc;

	if (p->at.type != TOKEN_NUMBER && p->at.type != TOKEN_STRING && p->at.type != TOKEN_TAG && !is_mark(p, '['))
		return 0;
	arg = arena_alloc(p->a, 1, sizeof(*arg));
	if (arg == NULL)
		return too_large(p);
	arg->line = p->at.line;
	arg->type = p->at.type == TOKEN_NUMBER ? SIEVE_NUMBER : p->at.type == TOKEN_TAG ? SIEVE_TAG : SIEVE_STRINGS;
	arg->number = p->at.number;
	if (p->at.type == TOKEN_TAG)
		arg->tag = p->at.text;
	if (is_mark(p, '['))
		rc = parse_list(p, arg);
	else if (p->at.type == TOKEN_STRING)
		rc = push_string(p, arg, &room);
	else
		rc = advance(p);
	**tail = arg;
	*tail = &arg->next;
	return rc == -1 ? -1 : 1;
}

static int
parse_test_list(struct parser *p, unsigned depth, struct sieve_node **tail)
{
	if (advance(p) == -1)
		return -1;
	for (;;) {
		if (parse_test(p, depth, tail) == -1)
			return -1;
		tail = &(*tail)->next;
		if (is_mark(p, ')'))
			return advance(p);
		if (!is_mark(p, ','))
			return unexpected(p, "\",\" or \")\"");
		if (advance(p) == -1)
			return -1;
	}
}

static int
parse_arguments(struct parser *p, struct sieve_node *n, unsigned depth)
{
	struct sieve_arg **tail = &n->args;
	int rc;

	if (advance(p) == -1)
		return -1;
	while ((rc = parse_argument(p, &tail)) == 1)
		;
	if (rc == -1)
		return -1;
	if (p->at.type == TOKEN_IDENTIFIER)
		return parse_test(p, depth + 1, &n->tests);
	n->has_test_list = is_mark(p, '(');
	return n->has_test_list ? parse_test_list(p, depth + 1, &n->tests) : 0;
}

static int
parse_test(struct parser *p, unsigned depth, struct sieve_node **out)
{
	struct sieve_node *n;

	if (depth > SIEVE_DEPTH_MAX)
		return sieve_mistake(p->mistakes, p->at.line, "tests are nested too deeply");
	if (p->at.type != TOKEN_IDENTIFIER)
		return unexpected(p, "a test");
	n = *out = new_node(p);
	if (n == NULL)
		return -1;
	n->is_test = true;
	n->broken = parse_arguments(p, n, depth) == -1;
	return n->broken ? -1 : 0;
}

static void parse_commands(struct parser *p, unsigned depth, struct sieve_node **tail);

/* To behind the } of the { at hand. */
static void
skip_block(struct parser *p)
{
	unsigned open = 0;

	p->lexer.quiet = true;
	for (; p->at.type != TOKEN_END; advance(p)) {
		open += is_mark(p, '{');
		if (is_mark(p, '}') && --open == 0)
			break;
	}
	p->lexer.quiet = false;
	advance(p);
}

/* The block at hand.  What is wrong in it is no mistake of the command that it belongs to. */
static void
parse_block(struct parser *p, struct sieve_node *n, unsigned depth)
{
	n->has_block = true;
	if (depth > SIEVE_DEPTH_MAX) {
		sieve_mistake(p->mistakes, p->at.line, "blocks are nested too deeply");
		skip_block(p);
		return;
	}
	advance(p);
	parse_commands(p, depth, &n->block);
	if (is_mark(p, '}'))
		advance(p);
	else
		unexpected(p, "a command or \"}\"");
}

/*
 * Behind a mistake: on to the end of the command, which is a ";", its block, or the end of the block that it is in.  n NULL: there
 * was no beginning of one, and the block is skipped as well.
 */
static void
recover(struct parser *p, struct sieve_node *n, unsigned depth)
{
	p->lexer.quiet = true;
	while (p->at.type != TOKEN_END && !is_mark(p, ';') && !is_mark(p, '{') && !is_mark(p, '}'))
		advance(p);
	p->lexer.quiet = false;
	if (is_mark(p, ';'))
		advance(p);
	else if (is_mark(p, '{') && n == NULL)
		skip_block(p);
	else if (is_mark(p, '{'))
		parse_block(p, n, depth + 1);
}

static int
parse_command(struct parser *p, struct sieve_node *n, unsigned depth)
{
	if (parse_arguments(p, n, 0) == -1)
		return -1;
	if (is_mark(p, '{'))
		parse_block(p, n, depth + 1);
	else if (is_mark(p, ';'))
		advance(p);
	else
		return unexpected(p, "\";\" or \"{\"");
	return 0;
}

/* Up to the end of the script, or of the block. */
static void
parse_commands(struct parser *p, unsigned depth, struct sieve_node **tail)
{
	while (p->at.type != TOKEN_END && (depth == 0 || !is_mark(p, '}'))) {
		struct sieve_node *n = NULL;

		if (p->at.type == TOKEN_IDENTIFIER) {
			n = *tail = new_node(p);
			if (n == NULL)
				return;
			tail = &n->next;
			n->broken = parse_command(p, n, depth) == -1;
			if (n->broken)
				recover(p, n, depth);
			continue;
		}
		unexpected(p, depth == 0 ? "a command" : "a command or \"}\"");
		if (is_mark(p, '}'))
			advance(p);
		else
			recover(p, NULL, depth);
	}
}

int
sieve_parse(struct span script, struct arena *a, struct sieve_node **out, struct sieve_mistakes *mistakes)
{
	struct parser p = { .a = a, .mistakes = mistakes };
	unsigned before = mistakes->count;

	*out = NULL;
	sieve_lexer_init(&p.lexer, script, a, mistakes);
	advance(&p);
	parse_commands(&p, 0, out);
	return mistakes->count == before && !mistakes->over ? 0 : -1;
}
