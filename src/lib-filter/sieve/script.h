/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SCRIPT_H
#define CULVER_LIB_FILTER_SIEVE_SCRIPT_H
/*
 * Sieve (RFC 5228): from a script's text to the actions for a message.
 *
 *	sieve_compile(text, ...)  ->  script  ->  sieve_script_run(script, message, host, ...)  ->  actions
 */
#include "lib-filter/filter.h"
#include "lib-filter/sieve/ast.h"
#include "lib-filter/sieve/word.h"

struct sieve_script {
	struct arena *a;		/* holds all of it; of an included script: the including one's */
	struct sieve_node *commands;
	struct sieve_extset required;
	struct sieve_names *globals;	/* variables that "global" declares (RFC 6609 section 3.3) */
	/* Scripts that are included, each once, in the order in which they were met. */
	struct sieve_script *included;	/* the list, of the main script */
	struct sieve_script *next;
	enum { SCRIPT_PARSED, SCRIPT_OPEN, SCRIPT_CHECKED, SCRIPT_MISSING, SCRIPT_WRONG } state;	/* OPEN: it is being checked */
	bool personal;			/* of an included script: where it is from */
	struct span name, text;		/* text: as it was compiled; empty when it came from a binary */
	struct span digest;		/* of an included script that came from a binary: of its text */
	size_t idx, include_count;
	bool loaded;			/* from a binary: it knows all that it includes */
};

struct sieve_names {
	struct sieve_names *next;
	struct span name;
};

#define SIEVE_INCLUDES_MAX 255		/* scripts that one may include, all in all */
#define SIEVE_INCLUDE_DEPTH_MAX 10

struct sieve_compile_options {
	struct sieve_extset available;		/* what require may name */
	struct sieve_extset available_global;	/* the same in included scripts of the server */
	const struct filter_host *host;		/* its `script' finds what is included; NULL: there is nothing */
	size_t includes;			/* how many, and how deep; 0: SIEVE_INCLUDES_MAX, SIEVE_INCLUDE_DEPTH_MAX */
	unsigned include_depth;
	size_t variables;			/* that a script may set; 0: as in SIEVE_LIMITS_DEFAULT */
	/* Is told of each mistake, up to SIEVE_MISTAKES_MAX; NULL: the first will do, and nothing is looked at behind it. */
	void (*on_error)(void *ctx, const struct sieve_error *error);
	/* Is told of what is allowed and will not do what it seems to; NULL: nobody is. */
	void (*on_warning)(void *ctx, const struct sieve_error *warning);
	void *on_error_ctx;			/* of both */
	bool upload;				/* a script that is included may still be missing */
	bool tests;				/* it is run by the tester (tester.h) */
	bool test_fails;			/* it is tested: of the tester's words it has "test_fail" */
	bool no_binary;				/* from a file: none is written beside it */
};

struct sieve_limits {
	size_t actions, redirects;	/* a message */
	uint64_t steps;
	uint64_t cpu_us;		/* CPU time of one run, looked at now and then; 0: what the steps take */
	size_t memory;			/* octets of what the script makes */
	size_t variables, variable_octets;
};
#define SIEVE_LIMITS_DEFAULT ((struct sieve_limits){ .actions = 32, .redirects = 4, .steps = 20000000, .cpu_us = 30000000, \
	.memory = (size_t)64 << 20, .variables = 255, .variable_octets = 65536 })

#define SIEVE_SCRIPT_MEMORY ((size_t)64 << 20)

/* available: what require may name.  NULL: *error says where it is wrong. */
struct sieve_script *sieve_compile(struct span text, const struct sieve_extset *available, struct sieve_error *error);
/* The same, with the scripts that it includes. */
struct sieve_script *sieve_compile_with(struct span text, const struct sieve_compile_options *options,
    struct sieve_error *error);
void sieve_script_free(struct sieve_script *s);	/* NULL is fine */

/*
 * The actions of the script for the message, in a (nothing of them is the script's; the message has to stay): the implicit keep among them as a FILTER_SAVE with `keep'.  -1: it
 * failed; *error says where, and *out has the keep alone.
 */
int sieve_script_run(const struct sieve_script *s, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a, struct filter_action **out, struct sieve_error *error);
/* And what imap4flags' variable (RFC 5232 section 2) is in the end, in a: words with a space between. */
int sieve_script_run_flags(const struct sieve_script *s, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a, struct filter_action **out, struct span *flags_out,
    struct sieve_error *error);
#endif
