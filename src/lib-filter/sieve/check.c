/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/encode.h"
#include "lib-filter/sieve/script.h"

enum {
	GROUP_NONE, GROUP_MATCH, GROUP_PART, GROUP_SIZE, GROUP_CASE, GROUP_FIRST, GROUP_QUOTE, GROUP_LENGTH,
	GROUP_PERIOD, GROUP_ZONE, GROUP_LOCATION, GROUP_UNIQUE, GROUP_BOX,
};
enum { GROUP_TRANSFORM = 100, GROUP_MIME, GROUP_IMPORTANCE, GROUP_BYTIME, GROUP_INPUT };

static const struct {
	const char *name;
	char value;
	int group;
} tags[TAG_COUNT] = {
#define TAG_NAME(id, name, value, group) [TAG_##id] = { name, value, group },
#include "lib-filter/sieve/tag.def"
#undef TAG_NAME
};

int
sieve_fail(struct sieve_checker *c, const struct sieve_node *n, const char *fmt, ...)
{
	char text[SIEVE_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sieve_mistake(c->mistakes, n->line, "%.*s: %s", SPAN_ARG(span_sub(n->name, 0, 60)), text);
}

/* Whether the extension is there.  That it is not is told once: one require mends all its words. */
static bool
has_ext(struct sieve_checker *c, const struct sieve_node *n, enum sieve_ext e, const char *colon, struct span what)
{
	if (extset_has(&c->required, e))
		return true;
	if (extset_has(&c->lacking, e) || c->requires_unsure)
		return false;
	extset_add(&c->lacking, e);
	sieve_fail(c, n, "%s%.*s%sneeds require \"%s\"", colon, SPAN_ARG(what), what.n > 0 ? " " : "", sieve_extensions[e].name);
	return false;
}

bool
sieve_is_constant(const struct sieve_checker *c, struct span s)
{
	return !extset_has(&c->required, EXT_VARIABLES) || span_find(s, SPAN("${")) == SIZE_MAX;
}

int
sieve_check_require(struct sieve_checker *c, const struct sieve_node *n, enum sieve_ext e)
{
	/* Old forms that have the words of what came later. */
	static const enum sieve_ext pairs[][2] = {
		{ EXT_NOTIFY, EXT_ENOTIFY }, { EXT_IMAPFLAGS, EXT_IMAP4FLAGS }, { EXT_VND_DUPLICATE, EXT_DUPLICATE },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((e == pairs[i][0] && extset_has(&c->required, pairs[i][1])) ||
		    (e == pairs[i][1] && extset_has(&c->required, pairs[i][0])))
			return sieve_fail(c, n, "\"%s\" and \"%s\" can not be together", sieve_extensions[pairs[i][0]].name,
			    sieve_extensions[pairs[i][1]].name);
	extset_add(&c->required, e);
	return 0;
}

bool
sieve_check_has(struct sieve_checker *c, const struct sieve_node *n, enum sieve_ext e)
{
	return has_ext(c, n, e, "", SPAN(""));
}

static bool
has_type(const struct sieve_arg *arg, char type)
{
	switch (type) {
	case 'N':
		return arg->type == SIEVE_NUMBER;
	case 'L':
		return arg->type == SIEVE_STRINGS;
	default:
		return arg->type == SIEVE_STRINGS && !arg->is_list;
	}
}

static const char *
type_name(char type)
{
	return type == 'N' ? "a number" : type == 'L' ? "a string list" : "a string";
}

static const char *
found_name(const struct sieve_arg *arg)
{
	return arg->type == SIEVE_NUMBER ? "a number" : arg->is_list ? "a string list" : "a string";
}

/* A mistake of how a word is used: "the header test TEXT". */
#define WORD_FMT "%.*s %s"
#define WORD_ARG(n) SPAN_ARG(span_sub((n)->name, 0, 60)), (n)->is_test ? "test" : "command"

static int
check_strings(struct sieve_checker *c, const struct sieve_node *n, struct sieve_arg *arg)
{
	/* Octets that are not UTF-8 are no mistake: "${hex:}" makes them, and scripts in Latin-1 are in use. */
	for (size_t i = 0; i < arg->count; i++) {
		if (!arg->decoded && extset_has(&c->required, EXT_ENCODED_CHARACTER) && !sieve_decode_characters(c->a, &arg->strings[i]))
			return sieve_fail(c, n, "${unicode:} names no character, or the script is too large");
		if (extset_has(&c->required, EXT_VARIABLES) && sieve_check_references(c, n, arg->strings[i]) == -1)
			return -1;
	}
	arg->decoded = true;
	return 0;
}

/* NULL: the word takes no such tag. */
static const struct sieve_tag_use *
tag_of(const struct sieve_word *w, struct span name)
{
	const struct sieve_tag_use *use = w->tags;

	while (use != NULL && use->tag != TAG_NONE && !span_ieq(name, span_str(tags[use->tag].name)))
		use++;
	return use != NULL && use->tag != TAG_NONE ? use : NULL;
}

/* The tag at arg, with its value behind it; *arg is the last that was taken. */
static int
take_tag(struct sieve_checker *c, struct sieve_node *n, struct sieve_arg **arg)
{
	struct span name = (*arg)->tag;
	const struct sieve_tag_use *use = tag_of(n->word, name);
	struct sieve_tagged *t;

	if (use == NULL)
		return sieve_mistake(c->mistakes, n->line, "unknown tagged argument ':%.*s' for the " WORD_FMT " (it takes no such tag)",
		    SPAN_ARG(span_sub(name, 0, 60)), WORD_ARG(n));
	if (!has_ext(c, n, use->ext, ":", name))
		return -1;
	for (t = n->tags; t != NULL; t = t->next)
		if (t->tag == use->tag || (tags[t->tag].group != GROUP_NONE && tags[t->tag].group == tags[use->tag].group))
			return sieve_fail(c, n, ":%.*s and :%s can not be together", SPAN_ARG(name), tags[t->tag].name);
	t = arena_alloc(c->a, 1, sizeof(*t));
	if (t == NULL)
		return sieve_fail(c, n, "the script is too large");
	t->tag = use->tag;
	t->next = n->tags;
	if (tags[use->tag].value != '-') {
		*arg = (*arg)->next;
		if (*arg == NULL || !has_type(*arg, tags[use->tag].value))
			return sieve_fail(c, n, ":%.*s takes %s", SPAN_ARG(name), type_name(tags[use->tag].value));
		t->value = *arg;
		if (check_strings(c, n, *arg) == -1)
			return -1;
	}
	/* Other words may look at it from here on (mime.c): it has the value that it takes. */
	n->tags = t;
	return 0;
}

static int
too_few(struct sieve_checker *c, const struct sieve_node *n, size_t given)
{
	const char *want = n->word->args;
	size_t all = strlen(want) - (strchr(want, '?') != NULL ? 2 : 0);

	return sieve_mistake(c->mistakes, n->line, "the " WORD_FMT " requires %zu positional argument%s, but %zu %s specified", WORD_ARG(n),
	    all, all == 1 ? "" : "s", given, given == 1 ? "is" : "are");
}

static int
wrong_type(struct sieve_checker *c, const struct sieve_node *n, size_t at, char type)
{
	const char *name = at < 2 ? n->word->arg_names[at] : NULL;

	return sieve_mistake(c->mistakes, n->line, "the " WORD_FMT " expects %s as argument %zu%s%s%s, but %s was found", WORD_ARG(n),
	    type_name(type), at + 1, name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "",
	    found_name(n->pos[at]));
}

static int
check_arguments(struct sieve_checker *c, struct sieve_node *n)
{
	const char *want = n->word->args;
	size_t given = 0, optional = strcspn(want, "?"), all = strlen(want) - (want[optional] == '?');
	char types[8];

	for (size_t i = 0, k = 0; k < all && k < sizeof(types); i++)
		if (want[i] != '?')
			types[k++] = want[i];
	for (struct sieve_arg *arg = n->args; arg != NULL; arg = arg->next)
		if (arg->type == SIEVE_TAG) {
			struct span name = arg->tag;

			if (take_tag(c, n, &arg) == -1)
				return -1;
			/* RFC 5228 section 2.6.2 */
			if (given > 0 && !n->word->late_tags)
				return sieve_mistake(c->mistakes, n->line, "unexpected tagged argument ':%.*s' behind an argument "
				    "without a tag of the " WORD_FMT, SPAN_ARG(span_sub(name, 0, 60)), WORD_ARG(n));
		} else if (given == 4) {
			return sieve_fail(c, n, "there are too many arguments");
		} else {
			n->pos[given++] = arg;
		}
	if (want[optional] == '?' && given + 1 == all) {
		for (size_t i = given; i > optional; i--)
			n->pos[i] = n->pos[i - 1];
		n->pos[optional] = NULL;
		given++;
	}
	if (given > all)
		return sieve_fail(c, n, "there are too many arguments");
	if (given < all)
		return too_few(c, n, given);
	for (size_t i = 0; i < given; i++) {
		if (n->pos[i] == NULL)
			continue;
		if (!has_type(n->pos[i], types[i]))
			return wrong_type(c, n, i, types[i]);
		if (check_strings(c, n, n->pos[i]) == -1)
			return -1;
	}
	return 0;
}

/* Tests, where it takes none: an unknown name is told, since it may be what was meant to be an argument. */
static void
check_stray(struct sieve_checker *c, const struct sieve_node *n, const struct sieve_node *t)
{
	for (; t != NULL; t = t->tests) {
		if (sieve_word_find(t->name, true, &c->required) != NULL)
			continue;
		if (tag_of(n->word, t->name) != NULL)
			sieve_mistake(c->mistakes, t->line, "missing colon before '%.*s', a tag of the " WORD_FMT,
			    SPAN_ARG(span_sub(t->name, 0, 60)), WORD_ARG(n));
		else
			sieve_mistake(c->mistakes, t->line, "%.*s is no test", SPAN_ARG(span_sub(t->name, 0, 60)));
		return;
	}
}

/* A command that is followed by what is no test is one that was not ended. */
static int
unwanted_test(struct sieve_checker *c, const struct sieve_node *n)
{
	if (!n->is_test && !n->has_test_list && sieve_word_find(n->tests->name, true, &c->required) == NULL)
		return sieve_mistake(c->mistakes, n->line, "missing semicolon behind the " WORD_FMT, WORD_ARG(n));
	return sieve_mistake(c->mistakes, n->line, "the " WORD_FMT " accepts no sub-tests, but one is specified", WORD_ARG(n));
}

/* Arguments, tests and block are those that the word takes. */
static int
check_form(struct sieve_checker *c, struct sieve_node *n)
{
	int rc = check_arguments(c, n);

	if (rc == -1 && n->word->tests == TESTS_NONE)
		check_stray(c, n, n->tests);
	/* What stands between arguments and block may be another command, and the block its own. */
	if (rc == 0)
		switch (n->word->tests) {
		case TESTS_NONE:
			if (n->tests != NULL)
				return unwanted_test(c, n);
			break;
		case TESTS_ONE:
			if (n->tests == NULL || n->has_test_list)
				return sieve_fail(c, n, "takes one test");
			break;
		case TESTS_LIST:
			if (!n->has_test_list)
				return sieve_fail(c, n, "takes a list of tests in parentheses");
			break;
		}
	if (n->word->block != n->has_block && !n->is_test)
		return sieve_fail(c, n, n->has_block ? "takes no block" : "takes a block");
	return rc;
}

static int check_node(struct sieve_checker *c, struct sieve_node *n, bool reached);

/*
 * The tests of a test.  What "ihave" has decided already is not looked at any more: there may be words in it that nobody
 * knows (RFC 5463 section 4).  Such tests have no word, and are never run.
 */
static int
check_tests(struct sieve_checker *c, struct sieve_node *n)
{
	bool all = span_ieq(n->name, SPAN("allof")), always = true, never = false, some = false, open = true;
	int rc = 0;

	for (struct sieve_node *t = n->tests; t != NULL && open && !c->mistakes->over; t = t->next) {
		if (check_node(c, t, true) == -1) {
			t->holds = SIEVE_VARIES;
			rc = -1;
		}
		always = always && t->holds == SIEVE_ALWAYS;
		some = some || t->holds == SIEVE_ALWAYS;
		never = never || t->holds == SIEVE_NEVER;
		open = n->word->tests != TESTS_LIST || t->holds != (all ? SIEVE_NEVER : SIEVE_ALWAYS);
	}
	if (n->tests == NULL)
		return rc;
	if (n->word->tests == TESTS_LIST) {
		bool no = true;

		for (struct sieve_node *t = n->tests; t != NULL; t = t->next)
			no = no && t->holds == SIEVE_NEVER;
		n->holds = all ? (never ? SIEVE_NEVER : always ? SIEVE_ALWAYS : SIEVE_VARIES) :
		    some ? SIEVE_ALWAYS : no ? SIEVE_NEVER : SIEVE_VARIES;
	} else if (n->tests->holds != SIEVE_VARIES) {
		n->holds = (n->tests->holds == SIEVE_ALWAYS) != span_ieq(n->name, SPAN("not")) ? SIEVE_ALWAYS : SIEVE_NEVER;
	}
	return rc;
}

/* When all that is required is known: what has no use without something else (RFC 5703 section 5). */
static int
check_required(struct sieve_checker *c, const struct sieve_node *n)
{
	if (c->requires_unsure || !extset_has(&c->required, EXT_EXTRACTTEXT) ||
	    (extset_has(&c->required, EXT_FOREVERYPART) && extset_has(&c->required, EXT_VARIABLES)))
		return 0;
	extset_add(&c->lacking, EXT_FOREVERYPART);
	extset_add(&c->lacking, EXT_VARIABLES);
	return sieve_mistake(c->mistakes, n->line, "\"extracttext\" needs require \"foreverypart\" and \"variables\"");
}

static int check_list(struct sieve_checker *c, struct sieve_node *n);

static int
check_word(struct sieve_checker *c, struct sieve_node *n)
{
	n->word = sieve_word_find(n->name, n->is_test, &c->required);
	if (n->word == NULL && sieve_word_find(n->name, !n->is_test, &c->required) != NULL)
		return sieve_mistake(c->mistakes, n->line, "can not use %s '%.*s' as a %s", n->is_test ? "command" : "test",
		    SPAN_ARG(span_sub(n->name, 0, 60)), n->is_test ? "test" : "command");
	if (n->word == NULL)
		return sieve_mistake(c->mistakes, n->line, "%.*s is no %s", SPAN_ARG(span_sub(n->name, 0, 60)),
		    n->is_test ? "test" : "command");
	return sieve_check_has(c, n, n->word->ext) ? 0 : -1;
}

/* reached: false for a branch that is never taken, since "ihave" has decided for another. */
static int
check_node(struct sieve_checker *c, struct sieve_node *n, bool reached)
{
	bool is_require = !n->is_test && span_ieq(n->name, SPAN("require"));
	int rc;

	for (struct sieve_node *t = n->tests; t != NULL; t = t->next)
		t->parent = n;
	for (struct sieve_node *b = n->block; b != NULL; b = b->next)
		b->parent = n;
	if (check_word(c, n) == -1) {
		/* Whatever it may be meant to be, what is in its block is commands. */
		if (!c->mistakes->over && reached)
			check_list(c, n->block);
		return -1;
	}
	rc = n->broken ? -1 : 0;
	if (!is_require && !c->requires_over) {
		c->requires_over = true;
		rc = check_required(c, n) == -1 ? -1 : rc;
	}
	if (!n->broken && check_form(c, n) == -1) {
		n->broken = true;
		rc = -1;
	}
	if (is_require && rc == -1)
		c->requires_unsure = true;
	if (c->mistakes->over)
		return -1;
	if (!reached)
		return rc;
	if (n->word->tests != TESTS_NONE && check_tests(c, n) == -1)
		rc = -1;
	if ((n->is_test || n->holds != SIEVE_NEVER) && check_list(c, n->block) == -1)
		rc = -1;
	return rc == -1 || n->word->check == NULL ? rc : n->word->check(c, n);
}

static bool
is_branch(const struct sieve_node *n)
{
	return span_ieq(n->name, SPAN("if")) || span_ieq(n->name, SPAN("elsif"));
}

/* The depth is that of the parsed tree: SIEVE_DEPTH_MAX. */
static int
check_list(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_node *before = NULL;
	bool decided = false;		/* a branch before this one is always taken */
	int rc = 0;

	for (; n != NULL && !c->mistakes->over; before = n, n = n->next) {
		bool follows = !n->is_test && (span_ieq(n->name, SPAN("elsif")) || span_ieq(n->name, SPAN("else")));

		decided = decided && follows;
		if (follows && (before == NULL || !is_branch(before)))
			rc = sieve_fail(c, n, "there is no if before it");
		else if (check_node(c, n, !decided) == -1)
			rc = -1;
		decided = decided || (is_branch(n) && n->holds == SIEVE_ALWAYS);
	}
	return c->mistakes->over ? -1 : rc;
}

int
sieve_check(struct sieve_checker *c, struct sieve_node *script)
{
	return check_list(c, script);
}

int
sieve_check_index(struct sieve_checker *c, const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag_get(n, TAG_INDEX);

	if (t == NULL && sieve_tag_get(n, TAG_LAST) != NULL)
		return sieve_fail(c, n, ":last needs :index");
	if (t != NULL && (t->value->number == 0 || t->value->number > 1000000))
		return sieve_fail(c, n, ":index counts from 1");
	return 0;
}

int
sieve_check_field_names(struct sieve_checker *c, const struct sieve_node *n, const struct sieve_arg *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct span s = list->strings[i];

		if (!sieve_is_constant(c, s))
			continue;
		for (size_t k = 0; k < s.n; k++)
			if (s.p[k] <= ' ' || s.p[k] >= 0x7f || s.p[k] == ':')
				return sieve_fail(c, n, "the field name \"%.*s\" is invalid", SPAN_ARG(span_sub(s, 0, 60)));
		if (s.n == 0)
			return sieve_fail(c, n, "a header field has a name");
	}
	return 0;
}

bool
sieve_is_address(struct span s)
{
	size_t at = SIZE_MAX;

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || strchr("<>(),;:\\\"[]", s.p[i]) != NULL)
			return false;
		if (s.p[i] == '@')
			at = i;
	}
	return at != SIZE_MAX && at > 0 && at + 1 < s.n && s.p[at + 1] != '.' && s.p[s.n - 1] != '.';
}
