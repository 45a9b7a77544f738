/* SPDX-License-Identifier: MIT */
/* imap4flags (RFC 5232): lists of flags are strings of words, in the internal variable or in one of "variables". */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-storage/mailbox.h"

#define FLAGS_MAX 100		/* of one message */
#define FLAG_OCTETS 100

struct flag_list {
	struct span words[FLAGS_MAX];
	size_t count;
};

/* A system flag that a client may set, or a keyword (RFC 3501 section 9, flag). */
static bool
is_flag(struct span f)
{
	static const char *const system[] = { "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft" };

	if (f.n == 0 || f.n > FLAG_OCTETS)
		return false;
	for (size_t i = 0; f.p[0] == '\\' && i < sizeof(system) / sizeof(system[0]); i++)
		if (span_ieq(f, span_str(system[i])))
			return true;
	for (size_t i = 0; i < f.n; i++)
		if (f.p[i] <= ' ' || f.p[i] >= 0x7f || strchr("(){%*\"\\]", f.p[i]) != NULL)
			return false;
	return true;
}

static void
list_remove(struct flag_list *l, struct span f)
{
	for (size_t i = 0; i < l->count; i++)
		if (span_ieq(l->words[i], f)) {
			memmove(l->words + i, l->words + i + 1, (l->count - i - 1) * sizeof(f));
			l->count--;
			return;
		}
}

static bool
list_has(const struct flag_list *l, struct span f)
{
	for (size_t i = 0; i < l->count; i++)
		if (span_ieq(l->words[i], f))
			return true;
	return false;
}

/* What is no flag is passed over (RFC 5232 section 2). */
static void
list_change(struct flag_list *l, struct span text, bool add)
{
	struct span word;

	while (span_next(&text, ' ', &word)) {
		if (!is_flag(word))
			continue;
		if (!add)
			list_remove(l, word);
		else if (l->count < FLAGS_MAX && !list_has(l, word))
			l->words[l->count++] = word;
	}
}

static int
list_change_all(struct sieve_run *r, const struct sieve_node *n, struct flag_list *l, const struct sieve_arg *arg, bool add)
{
	for (size_t i = 0; i < arg->count; i++) {
		struct span text;

		if (sieve_run_string(r, n, arg->strings[i], &text) == -1)
			return -1;
		list_change(l, text, add);
	}
	return 0;
}

static int
list_store(struct sieve_run *r, const struct sieve_node *n, const struct flag_list *l, const struct sieve_arg *variable)
{
	struct buf text = BUF_INIT(FLAGS_MAX * (FLAG_OCTETS + 1));
	struct span copy;

	for (size_t i = 0; i < l->count; i++) {
		if (i > 0)
			buf_addc(&text, ' ');
		buf_add(&text, l->words[i]);
	}
	copy = arena_dup(r->a, buf_span(&text));
	buf_clear(&text);
	if (copy.p == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	if (variable != NULL)
		return sieve_variable_set(r, n, variable->strings[0], copy);
	r->flags = copy;
	return 0;
}

static int
run_change(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_arg *variable = n->pos[0];
	struct flag_list l = { .count = 0 };

	if (!span_ieq(n->name, SPAN("setflag")))
		list_change(&l, variable == NULL ? r->flags : sieve_variable_get(r, variable->strings[0]), true);
	if (list_change_all(r, n, &l, n->pos[1], !span_ieq(n->name, SPAN("removeflag"))) == -1)
		return -1;
	return list_store(r, n, &l, variable);
}

/* Variables by name are those of "variables" (RFC 5232 section 3). */
static int
check_variable(struct sieve_checker *c, struct sieve_node *n)
{
	if (n->pos[0] != NULL && !extset_has(&c->required, EXT_VARIABLES))
		return sieve_fail(c, n, "a variable needs require \"variables\"");
	for (size_t i = 0; n->pos[0] != NULL && i < n->pos[0]->count; i++)
		if (sieve_check_variable(c, n, n->pos[0]->strings[i]) == -1)
			return -1;
	return 0;
}

static int
check_hasflag(struct sieve_checker *c, struct sieve_node *n)
{
	return check_variable(c, n) == -1 ? -1 : sieve_check_match(c, n);
}

/* Each flag is a value. */
static int
match_flags(struct sieve_matching *x, struct span text)
{
	struct flag_list l = { .count = 0 };
	int rc = 0;

	list_change(&l, text, true);
	for (size_t i = 0; i < l.count && rc == 0; i++)
		rc = sieve_matching_value(x, l.words[i]);
	return rc;
}

/* A key of several words is several keys (RFC 5232 section 4): of :contains, parts of flags. */
static int
split_keys(struct sieve_matching *x)
{
	struct flag_list l = { .count = 0 };
	struct span word;

	if (x->m->type != SIEVE_IS && x->m->type != SIEVE_CONTAINS)
		return 0;
	for (size_t i = 0; i < x->key_count; i++) {
		struct span rest = x->keys[i];

		if (x->m->type == SIEVE_IS)
			list_change(&l, rest, true);
		else if (span_chr(rest, ' ') == rest.n && l.count < FLAGS_MAX)
			l.words[l.count++] = rest;
		else
			while (l.count < FLAGS_MAX && span_next(&rest, ' ', &word))
				if (word.n > 0)
					l.words[l.count++] = word;
	}
	x->keys = arena_alloc(x->r->a, l.count + 1, sizeof(*x->keys));
	if (x->keys == NULL)
		return sieve_run_fail(x->r, x->n, "the script needs too much memory");
	memcpy(x->keys, l.words, l.count * sizeof(*x->keys));
	x->key_count = l.count;
	return 0;
}

static int
test_hasflag(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_matching x;
	int rc = 0;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1 || split_keys(&x) == -1)
		return -1;
	if (n->pos[0] == NULL)
		rc = match_flags(&x, r->flags);
	for (size_t i = 0; n->pos[0] != NULL && i < n->pos[0]->count && rc == 0; i++)
		rc = match_flags(&x, sieve_variable_get(r, n->pos[0]->strings[i]));
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static const struct {
	const char *name;
	unsigned flag;
} system_flags[] = {
	{ "\\Seen", MSG_SEEN }, { "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED }, { "\\Deleted", MSG_DELETED },
	{ "\\Draft", MSG_DRAFT },
};

void
sieve_flags_write(struct buf *out, const struct filter_flags *f)
{
	const char *before = "";

	for (size_t i = 0; i < sizeof(system_flags) / sizeof(system_flags[0]); i++)
		if ((f->flags & system_flags[i].flag) != 0) {
			buf_addf(out, "%s%s", before, system_flags[i].name);
			before = " ";
		}
	for (size_t i = 0; i < f->keyword_count; i++) {
		buf_addf(out, "%s%.*s", before, SPAN_ARG(f->keywords[i]));
		before = " ";
	}
}

int
sieve_flags_of(struct sieve_run *r, const struct sieve_node *n, struct filter_flags *out)
{
	const struct sieve_tagged *t = sieve_tag_get(n, TAG_FLAGS);
	struct flag_list l = { .count = 0 };

	*out = (struct filter_flags){ .given = extset_has(&r->script->required, EXT_IMAP4FLAGS) ||
	    extset_has(&r->script->required, EXT_IMAPFLAGS) };
	if (!out->given)
		return 0;
	out->of_script = t == NULL;
	if (t == NULL)
		list_change(&l, r->flags, true);
	else if (list_change_all(r, n, &l, t->value, true) == -1)
		return -1;
	out->keywords = arena_alloc(r->a, l.count + 1, sizeof(*out->keywords));
	if (out->keywords == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	for (size_t i = 0; i < l.count; i++) {
		size_t k = 0;

		while (k < sizeof(system_flags) / sizeof(system_flags[0]) && !span_ieq(l.words[i], span_str(system_flags[k].name)))
			k++;
		if (k < sizeof(system_flags) / sizeof(system_flags[0]))
			out->flags |= system_flags[k].flag;
		else
			out->keywords[out->keyword_count++] = l.words[i];
	}
	return 0;
}

static const struct sieve_tag_use hasflag_tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

/* "mark" and "unmark" of the older draft: the flag \Flagged. */
static int
run_mark(struct sieve_run *r, const struct sieve_node *n)
{
	struct flag_list l = { .count = 0 };

	list_change(&l, r->flags, true);
	list_change(&l, SPAN("\\Flagged"), span_ieq(n->name, SPAN("mark")));
	return list_store(r, n, &l, NULL);
}

const struct sieve_word sieve_words_flags[] = {
	{ .name = "setflag", .ext = EXT_IMAP4FLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "addflag", .ext = EXT_IMAP4FLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "removeflag", .ext = EXT_IMAP4FLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "hasflag", .is_test = true, .ext = EXT_IMAP4FLAGS, .args = "?LL", .tags = hasflag_tags, .check = check_hasflag,
	    .run = test_hasflag },
	/* imapflags: draft-melnikov-sieve-imapflags */
	{ .name = "setflag", .ext = EXT_IMAPFLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "addflag", .ext = EXT_IMAPFLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "removeflag", .ext = EXT_IMAPFLAGS, .args = "?SL", .check = check_variable, .run = run_change },
	{ .name = "mark", .ext = EXT_IMAPFLAGS, .args = "", .run = run_mark },
	{ .name = "unmark", .ext = EXT_IMAPFLAGS, .args = "", .run = run_mark },
	{ .name = NULL },
};
