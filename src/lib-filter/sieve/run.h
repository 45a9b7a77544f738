/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_RUN_H
#define CULVER_LIB_FILTER_SIEVE_RUN_H
/*
 * Running a checked script.  What a word uses: strings with their variables, the message's fields, the list of actions.
 * Work is counted in steps, so that no script and no message can make it endless.
 */
#include "lib/array.h"
#include "lib/hash.h"
#include "lib-filter/filter.h"
#include "lib-filter/sieve/match.h"
#include "lib-filter/sieve/message.h"
#include "lib-mail/charset.h"
#include "lib-filter/sieve/script.h"
#include "lib-filter/sieve/word.h"

struct sieve_note {			/* a notification that is to be sent (notify.c) */
	struct sieve_note *next;
	struct span id, importance, message;
	struct filter_action *action;
};

struct sieve_run {
	const struct sieve_script *script;
	const struct filter_message *message;
	const struct filter_host *host;
	struct sieve_limits limits;
	struct arena *a;		/* of the actions, and all that the script makes */
	struct sieve_error error;
	struct charset_cache *charsets;

	struct filter_action *actions, **tail;
	size_t action_count, redirect_count;
	bool keep;			/* the implicit keep stands */
	bool stopped, returned;		/* returned: only from the script that is included */
	uint64_t steps, look_at;	/* look_at: when so many are done, the clock is asked */
	uint64_t cpu_start_us;

	struct hash *variables;		/* struct span *, by lower-case name */
	struct hash *globals;		/* those of "global" (RFC 6609), of all scripts */
	bool *included;			/* by sieve_script.idx: was run already */
	bool vacation;			/* there was one */
	struct sieve_note *notes;
	struct sieve_names *reports;	/* that are sent: "TYPE ADDRESS" */
	struct sieve_captures captures;	/* ${1}...: in a */
	struct span flags;		/* imap4flags' internal variable: words with a space between */

	struct sieve_edits edits;	/* what the script has changed in the message (message.h) */
	unsigned complaints;		/* that were logged */
	unsigned loops;			/* foreverypart in foreverypart, through scripts that are included, too */
	const struct sieve_node *broken;	/* the foreverypart that a "break" leaves */
};

int sieve_run_fail(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A mistake of the script that does not end it: it is logged, unless there were many. */
void sieve_run_complain(struct sieve_run *r, const struct sieve_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Counts work in steps: about one a string compared.  -1: too much. */
int sieve_run_work(struct sieve_run *r, const struct sieve_node *n, uint64_t steps);
uint64_t sieve_cpu_us(void);		/* that the thread has used */
/* s with its variables; the same span where there are none.  -1. */
int sieve_run_string(struct sieve_run *r, const struct sieve_node *n, struct span s, struct span *out);
/* A new action at the end of the list, or NULL with the error set. */
struct filter_action *sieve_run_action(struct sieve_run *r, const struct sieve_node *n, enum filter_kind kind);
/* The value of a header field, decoded and unfolded, in a. */
int sieve_run_decode(struct sieve_run *r, const struct sieve_node *n, struct span raw, struct span *out);

/* Many values against many keys, one value after the other. */
struct sieve_matching;
typedef int sieve_field_fn(struct sieve_matching *x, struct span value);

struct sieve_matching {
	struct sieve_run *r;
	const struct sieve_node *n;
	const struct sieve_match *m;
	struct span *keys;		/* with their variables */
	size_t key_count;
	const struct sieve_regex **regexes;	/* :regex: a key each; NULL: it is none, and matches nothing */
	struct span field;		/* sieve_each_field: the name that is looked for, */
	sieve_field_fn *on_field;	/* what is called; NULL: nothing, they are counted, */
	uint64_t fields, want;		/* how many were there, and the only one that is wanted (0: all) */
	bool only_first;		/* which one is wanted where there is no :index */
	bool forget;			/* what matched sets no ${1} */
	uint64_t count;			/* values seen, for :count */
};
int sieve_matching_begin(struct sieve_matching *x, struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *keys);
int sieve_matching_value(struct sieve_matching *x, struct span value);	/* 1: that is it; 0 go on; -1 */
int sieve_matching_end(struct sieve_matching *x);		/* 1 or 0: what :count says */

/*
 * fn for each field of the header that has one of the names, or for the one that :index and :last of x->n name; it returns 0
 * to go on.
 */
int sieve_each_field(struct sieve_matching *x, const struct sieve_arg *names, sieve_field_fn *fn);

/* What the implicit keep is: its flags, and the message. */
int sieve_run_implicit_keep(struct sieve_run *r, struct filter_action *out);

/* Whether a test holds: 1, 0, -1. */
int sieve_run_test(struct sieve_run *r, const struct sieve_node *n);
/* Commands up to the end of the list or to stop. */
int sieve_run_block(struct sieve_run *r, const struct sieve_node *n);

/* A copy in the arena, or the error. */
int sieve_run_dup(struct sieve_run *r, const struct sieve_node *n, struct span s, struct span *out);
/* What host->is_marked and filter_action.mark get: kind and a digest of the parts. */
int sieve_run_mark(struct sieve_run *r, const struct sieve_node *n, const char *kind, const struct span *parts, size_t count,
    struct span *out);
int64_t sieve_run_now(const struct sieve_run *r);

/* variables.c */
int sieve_variable_set(struct sieve_run *r, const struct sieve_node *n, struct span name, struct span value);
struct span sieve_variable_get(const struct sieve_run *r, struct span name);
/* What the modifiers of "set" (RFC 5229 section 4.1) among n's tags make of a value. */
int sieve_run_modify(struct sieve_run *r, const struct sieve_node *n, struct span value, struct span *out);
int sieve_captures_keep(struct sieve_run *r, const struct sieve_node *n, const struct sieve_captures *c);
/* regex.c: x->regexes for the keys (those that are constant were compiled with the script), and one of them at work. */
int sieve_regex_prepare(struct sieve_matching *x, const struct sieve_arg *keys);
int sieve_regex_run(struct sieve_matching *x, size_t key, struct span value, struct sieve_captures *captures);
/* environment.c: an item (RFC 5183); false: it is not known. */
bool sieve_environment_get(const struct sieve_run *r, struct span name, struct span *out);
/* extlists.c: what a list has in it; whether the list that a key names has the value (1, 0, -1). */
int sieve_list_members(struct sieve_run *r, const struct sieve_node *n, struct span list, struct span **out, size_t *count);
int sieve_list_has(struct sieve_run *r, const struct sieve_node *n, struct span list, struct span value);
/* flags.c: of a command that takes :flags, else those of the internal variable. */
int sieve_flags_of(struct sieve_run *r, const struct sieve_node *n, struct filter_flags *out);
void sieve_flags_write(struct buf *out, const struct filter_flags *flags);	/* words with a space between */
#endif
