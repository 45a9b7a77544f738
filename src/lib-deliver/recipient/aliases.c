/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/aliases.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib/hash.h"
#include "lib-deliver/recipient/command.h"
#include "lib-deliver/recipient/lines.h"

#define NAME_MAX_OCTETS 512
#define NAMES_MAX 4000000

struct recipient_aliases {
	struct arena *a;
	struct hash *names;
};

/* The name in front of the colon, in lower case; *rest: what is behind it. */
static int
take_name(struct span line, char name[NAME_MAX_OCTETS], size_t *n_out, struct span *rest, struct err *e)
{
	bool quoted = line.n > 0 && line.p[0] == '"';
	size_t i = quoted ? 1 : 0, n = 0;

	for (; i < line.n && line.p[i] != (quoted ? '"' : ':'); i++) {
		if (quoted && line.p[i] == '\\' && i + 1 < line.n)
			i++;
		if (n == NAME_MAX_OCTETS)
			return err_set(e, ERR_LIMIT, "the name is longer than %d octets", NAME_MAX_OCTETS);
		name[n++] = ascii_lower(line.p[i]);
	}
	if (quoted) {
		for (i++; i < line.n && ascii_is_wsp(line.p[i]); i++)
			;
	}
	while (!quoted && n > 0 && ascii_is_wsp(name[n - 1]))
		n--;
	if (i >= line.n || line.p[i] != ':')
		return err_set(e, ERR_SYNTAX, "no colon behind the name");
	if (n == 0)
		return err_set(e, ERR_SYNTAX, "no name in front of the colon");
	*n_out = n;
	*rest = span_from(line, i + 1);
	return 0;
}

struct parsing {
	struct recipient_aliases *t;
	const struct recipient_limits *limits;
	struct recipient_remarks *remarks;
};

/* What is taken, and works otherwise than was meant, or not at all. */
static void
doubt(struct parsing *p, struct span line, struct span name, const struct recipient_alias *alias)
{
	if (line.p[0] != '"' && span_chr(name, '@') < name.n)
		recipient_remark_doubt(p->remarks, alias->line, name, "has a domain, and names here have none: it is not found");
	for (size_t i = 0; i < alias->targets.count; i++) {
		const struct recipient_target *t = &alias->targets.list[i];
		struct span argv[RECIPIENT_ARGUMENTS];
		struct err e = ERR_INIT;
		char what[160];
		size_t count;

		if (t->kind == RECIPIENT_ERROR && t->reply.mended)
			recipient_remark_doubt(p->remarks, alias->line, t->text, RECIPIENT_REPLY_MENDED);
		if (t->kind != RECIPIENT_PROGRAM || recipient_command_parse(t->text, p->t->a, argv, &count, &e) == 0)
			continue;
		snprintf(what, sizeof(what), "has a program that can not be run, and waits: %.100s", e.log);
		recipient_remark_doubt(p->remarks, alias->line, name, what);
	}
}

static int
take_line(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_aliases *t = p->t;
	char name[NAME_MAX_OCTETS];
	struct recipient_alias *alias;
	struct span list;
	size_t n = 0;

	if (take_name(line, name, &n, &list, e) == -1)
		return -1;
	alias = arena_alloc(t->a, 1, sizeof(*alias));
	if (alias == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	alias->line = number;
	if (recipient_targets_parse(list, number, p->limits->max_list, t->a, &alias->targets, e) == -1)
		return -1;
	if (alias->targets.count == 0)
		return err_set(e, ERR_SYNTAX, "nothing behind the colon");
	p->remarks->good++;
	/* The first one counts, as with newaliases. */
	if (hash_get(t->names, span_of(name, n)) != NULL) {
		recipient_remark_doubt(p->remarks, number, span_of(name, n), "is there already: this line is not used");
		return 0;
	}
	doubt(p, line, span_of(name, n), alias);
	return hash_set(t->names, span_of(name, n), alias) ? 0 : err_set(e, ERR_TEMP, "too many names, or out of memory");
}

/* The name as far as there is one: in front of the colon, or the first word. */
static size_t
guess_name(struct span line, char name[NAME_MAX_OCTETS])
{
	struct err e = ERR_INIT;
	struct span rest;
	size_t n = 0, i = line.n > 0 && line.p[0] == '"' ? 1 : 0;

	if (take_name(line, name, &n, &rest, &e) == 0)
		return n;
	for (n = 0; i < line.n && n < NAME_MAX_OCTETS && !ascii_is_wsp(line.p[i]) && line.p[i] != ':' && line.p[i] != '\0'; i++)
		name[n++] = ascii_lower(line.p[i]);
	return n;
}

static int
take_bad(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_alias *alias;
	char name[NAME_MAX_OCTETS];
	size_t n = guess_name(line, name);

	recipient_remark_mistake(p->remarks, number, e);
	if (n == 0 || hash_get(p->t->names, span_of(name, n)) != NULL)
		return 0;
	alias = arena_alloc(p->t->a, 1, sizeof(*alias));
	if (alias == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	alias->line = number;
	return recipient_targets_wait(&alias->targets, number, p->t->a, e) && hash_set(p->t->names, span_of(name, n), alias) ? 0 :
	    err_set(e, ERR_TEMP, "too many names, or out of memory");
}

int
recipient_aliases_parse(struct span text, const struct recipient_limits *limits, struct recipient_aliases **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e)
{
	struct recipient_aliases *t = calloc(1, sizeof(*t));
	struct recipient_lines lines = { .text = text, .max = limits->max_line };
	struct parsing p = { t, limits, remarks };
	int rc = -1;

	*line_out = 0;
	recipient_remarks_begin(remarks);
	/* The shortest entry, "a:b" and its line end, takes some hundred octets. */
	if (t == NULL || (t->a = arena_new(((size_t)1 << 20) + text.n * 100)) == NULL || (t->names = hash_new(NAMES_MAX)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else
		rc = recipient_lines_each(&lines, t->a, take_line, remarks->go_on ? take_bad : NULL, &p, line_out, e);
	if (rc == 0) {
		*out = t;
		return 0;
	}
	recipient_aliases_free(t);
	return -1;
}

void
recipient_aliases_free(struct recipient_aliases *t)
{
	if (t == NULL)
		return;
	hash_free(t->names);
	arena_free(t->a);
	free(t);
}

size_t
recipient_aliases_count(const struct recipient_aliases *t)
{
	return hash_count(t->names);
}

const struct recipient_alias *
recipient_aliases_find(const struct recipient_aliases *t, struct span name)
{
	char lower[NAME_MAX_OCTETS];

	if (name.n > sizeof(lower))
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	return hash_get(t->names, span_of(lower, name.n));
}

const struct recipient_alias *
recipient_aliases_next(const struct recipient_aliases *t, size_t *pos)
{
	struct span key;
	void *value;

	return hash_next(t->names, pos, &key, &value) ? value : NULL;
}
