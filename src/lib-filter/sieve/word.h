/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_WORD_H
#define CULVER_LIB_FILTER_SIEVE_WORD_H
/*
 * What the words of Sieve are: extensions, tags, commands and tests.  A command or a test is one line of a table, in the file
 * of its extension: what arguments it takes, what is checked of them when the script is compiled, and what it does.
 */
#include "lib-filter/sieve/ast.h"

/* In the order of sieve_extensions[] (extension.c). */
enum sieve_ext {
	EXT_CORE,
#define EXTENSION(id, name, on) EXT_##id,
#include "lib-filter/sieve/extension.def"
#undef EXTENSION
	EXT_COUNT
};

struct sieve_extension {
	const char *name;
	bool on;			/* available unless sieve_extensions says otherwise */
};
extern const struct sieve_extension sieve_extensions[EXT_COUNT];
/* EXT_CORE: there is no such extension. */
enum sieve_ext sieve_extension_find(struct span name);

struct sieve_extset {
	uint64_t bits[(EXT_COUNT + 63) / 64];
};
static inline bool
extset_has(const struct sieve_extset *s, enum sieve_ext e)
{
	return e == EXT_CORE || (s->bits[e / 64] >> (e % 64) & 1) != 0;
}
static inline void
extset_add(struct sieve_extset *s, enum sieve_ext e)
{
	s->bits[e / 64] |= (uint64_t)1 << e % 64;
}
static inline void
extset_remove(struct sieve_extset *s, enum sieve_ext e)
{
	s->bits[e / 64] &= ~((uint64_t)1 << e % 64);
}
/*
 * The setting sieve_extensions: names alone are the set; "+name" and "-name" change the usual one.  False: *bad_out is a name
 * that is not known (the rest is read all the same).
 */
bool sieve_extset_parse(struct sieve_extset *out, struct span text, struct span *bad_out);

/* In the order of tags[] (check.c). */
enum sieve_tag {
	TAG_NONE,
#define TAG_NAME(id, name, value, group) TAG_##id,
#include "lib-filter/sieve/tag.def"
#undef TAG_NAME
	TAG_COUNT
};

struct sieve_tagged {			/* a tag that was given */
	struct sieve_tagged *next;
	enum sieve_tag tag;
	struct sieve_arg *value;	/* NULL: it takes none */
};

struct sieve_tag_use {			/* a tag that a word takes, and the extension that it comes from */
	enum sieve_tag tag;
	enum sieve_ext ext;
};

struct sieve_checker;
struct sieve_run;

struct sieve_word {
	const char *name;
	bool is_test;
	enum sieve_ext ext;
	const char *args;		/* without tags: S a string, L a list, N a number; one behind a "?" may be left out */
	const char *arg_names[2];	/* of the first two, for messages; NULL: none */
	const struct sieve_tag_use *tags;	/* up to TAG_NONE; NULL: none */
	enum { TESTS_NONE, TESTS_ONE, TESTS_LIST } tests;
	bool block;
	bool late_tags;			/* a tag may stand behind arguments without one */
	/* 0; -1: *c->error is set.  Called when arguments, tests and blocks have been checked.  NULL: nothing more to check. */
	int (*check)(struct sieve_checker *c, struct sieve_node *n);
	/* A command: 0.  A test: 1 or 0.  -1: r->error is set.  NULL: the interpreter's own (control.c). */
	int (*run)(struct sieve_run *r, const struct sieve_node *n);
};

/* One table an extension or family: each ends with a word without name. */
extern const struct sieve_word sieve_words_control[], sieve_words_action[], sieve_words_test[],
    sieve_words_variables[], sieve_words_flags[];
extern const struct sieve_word sieve_words_body[], sieve_words_extlists[], sieve_words_editheader[], sieve_words_mime[],
    sieve_words_replace[], sieve_words_notify[], sieve_words_notify_old[],
    sieve_words_spamtest[], sieve_words_program[], sieve_words_report[];
extern const struct sieve_word sieve_words_vacation[], sieve_words_date[], sieve_words_environment[], sieve_words_include[],
    sieve_words_mailbox[], sieve_words_duplicate[], sieve_words_tester[];
/*
 * encoded-character (RFC 5228 section 2.4.2.4): ${hex: 40 41} and ${unicode: 40}.  What is not of that form stays.  False:
 * no such character, or the arena is full.
 */
bool sieve_decode_characters(struct arena *a, struct span *s);
/* NULL: no such command (test).  Of several with one name (two extensions' "notify") the one that was required. */
const struct sieve_word *sieve_word_find(struct span name, bool is_test, const struct sieve_extset *required);

/* The tag among those of the node, or NULL. */
static inline const struct sieve_tagged *
sieve_tag_get(const struct sieve_node *n, enum sieve_tag tag)
{
	const struct sieve_tagged *t = n->tags;

	while (t != NULL && t->tag != tag)
		t = t->next;
	return t;
}
#endif
