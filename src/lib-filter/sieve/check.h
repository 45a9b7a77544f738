/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_CHECK_H
#define CULVER_LIB_FILTER_SIEVE_CHECK_H
/* The meaning of a parsed script: every word is known, has the arguments it takes, and its extension was required. */
#include "lib-filter/sieve/match.h"
#include "lib-filter/sieve/word.h"

struct sieve_script;
struct sieve_compile_options;

struct sieve_checker {
	struct arena *a;
	const struct sieve_compile_options *options;
	struct sieve_script *unit, *main;	/* what is checked; the script that includes it, or itself */
	unsigned depth;			/* of includes */
	struct sieve_extset available, required;
	struct sieve_extset lacking;	/* that it has been told of that they are not required, or not there */
	struct sieve_mistakes *mistakes;
	struct sieve_names *variables;	/* that are set, without those of a namespace */
	size_t variable_count;
	bool requires_over;		/* a command that is not require was there */
	bool requires_unsure;		/* a require has a mistake: nobody knows what it would have required */
};

/* All mistakes are found, as far as one is no consequence of another.  -1: there are some. */
int sieve_check(struct sieve_checker *c, struct sieve_node *script);

/* For the words' own checks. */
int sieve_fail(struct sieve_checker *c, const struct sieve_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Whether the extension was required.  That it was not is told, unless it has been. */
bool sieve_check_has(struct sieve_checker *c, const struct sieve_node *n, enum sieve_ext e);
/* Whether a string is the same whenever the script runs: it has no variables in it. */
bool sieve_is_constant(const struct sieve_checker *c, struct span s);
/* Match type, comparator, address part of a test: n->extra becomes a struct sieve_match.  The keys are the last argument. */
int sieve_check_match(struct sieve_checker *c, struct sieve_node *n);
#define SIEVE_MODIFIER_TAGS                                                                                            \
	{ TAG_LOWER, EXT_VARIABLES }, { TAG_UPPER, EXT_VARIABLES }, { TAG_LOWERFIRST, EXT_VARIABLES },                       \
	{ TAG_UPPERFIRST, EXT_VARIABLES }, { TAG_QUOTEWILDCARD, EXT_VARIABLES }, { TAG_LENGTH, EXT_VARIABLES },              \
	{ TAG_QUOTEREGEX, EXT_REGEX }, { TAG_ENCODEURL, EXT_ENOTIFY }
/* regex.c: the keys of a :regex, as far as they are constant. */
int sieve_check_regex(struct sieve_checker *c, struct sieve_node *n, struct sieve_match *m);
/* The tags that sieve_check_match looks at, for the tables of words. */
#define SIEVE_MATCH_TAGS                                                                                               \
	{ TAG_IS, EXT_CORE }, { TAG_CONTAINS, EXT_CORE }, { TAG_MATCHES, EXT_CORE }, { TAG_COMPARATOR, EXT_CORE },      \
	{ TAG_COUNT_REL, EXT_RELATIONAL }, { TAG_VALUE_REL, EXT_RELATIONAL },                                          \
	{ TAG_REGEX, EXT_REGEX }, { TAG_LIST, EXT_EXTLISTS }
#define SIEVE_PART_TAGS                                                                                                \
	{ TAG_LOCALPART, EXT_CORE }, { TAG_DOMAIN, EXT_CORE }, { TAG_ALL, EXT_CORE }, { TAG_USER, EXT_SUBADDRESS },      \
	{ TAG_DETAIL, EXT_SUBADDRESS }
#define SIEVE_INDEX_TAGS { TAG_INDEX, EXT_INDEX }, { TAG_LAST, EXT_INDEX }
/* :last needs :index, which counts from 1 (RFC 5260 section 6). */
int sieve_check_index(struct sieve_checker *c, const struct sieve_node *n);
/* mailbox.c: every constant string of the list is the name of a special use. */
int sieve_check_special_use(struct sieve_checker *c, const struct sieve_node *n, const struct sieve_arg *list);
/* Every constant string of the list is a header field's name (RFC 5322 section 2.2). */
int sieve_check_field_names(struct sieve_checker *c, const struct sieve_node *n, const struct sieve_arg *list);
/* variables.c: a name of a variable without namespace; one that a command sets, with it: they are counted. */
bool sieve_is_variable(struct span name);
int sieve_check_variable(struct sieve_checker *c, const struct sieve_node *n, struct span name);
/* What ${} in a string names can be there: no namespace of an extension that was not required (RFC 5229 section 3). */
int sieve_check_references(struct sieve_checker *c, const struct sieve_node *n, struct span s);
/* The extension is one of the script's from here on.  -1: it can not be together with another of them. */
int sieve_check_require(struct sieve_checker *c, const struct sieve_node *n, enum sieve_ext e);
/* One address of the form local@domain. */
bool sieve_is_address(struct span s);
#endif
