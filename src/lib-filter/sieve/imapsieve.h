/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_IMAPSIEVE_H
#define CULVER_LIB_FILTER_SIEVE_IMAPSIEVE_H
/*
 * Scripts that run because of what an IMAP session did (RFC 6785), and which.  What the session does with it:
 *
 *	1. After an APPEND, a COPY or MOVE into a mailbox, or a change of flags has been committed, it makes an event a message.
 *	2. imapsieve_select() gives the scripts, in their order: the administrator's before, the user's, those after.  The user's is
 *	   what the metadata /shared/imapsieve/script of the mailbox names, or else that of the server.
 *	3. They run as a chain (chain.h) with a host whose `environment' asks imapsieve_environment() first.  The envelope is
 *	   empty; the message is the one in the mailbox.
 *	   Its flags are what imap4flags' internal variable begins with.
 *	4. Of the actions: a keep stores only its flags, if it has any; without a keep the message gets \Deleted (RFC 6785
 *	   section 3.8); a fileinto copies; redirect, pipe and what is sent are as in delivery; reject and vacation are errors
 *	   (section 3.9), to be kept from scripts by imapsieve_available().
 *	5. No event comes of what the scripts themselves did.
 */
#include "lib-filter/filter.h"
#include "lib-filter/sieve/word.h"

enum { IMAPSIEVE_APPEND = 1, IMAPSIEVE_COPY = 2, IMAPSIEVE_FLAG = 4 };

struct imapsieve_event {
	unsigned cause;			/* one of the above */
	struct span mailbox;		/* where the message is now */
	struct span from;		/* COPY: where it came from */
	struct span user, email;
	struct span changed_flags;	/* FLAG: words with a space between */
};

/* Rules of the administrator: plugin { imapsieve_mailbox1_name, _from, _causes, _before, _after }, 1 and up without a gap. */
#define IMAPSIEVE_RULES_MAX 100

struct imapsieve_rule {
	struct span name, from;		/* with * and ? as wildcards; from empty: any */
	unsigned causes;
	struct span before, after;	/* locations of scripts; empty: none */
};

struct imapsieve_rules {
	struct imapsieve_rule *v;
	size_t n;
};

/* -1: no memory, or a rule names a cause that there is none of: *e. */
int imapsieve_rules_read(const struct filter_host *host, struct arena *a, struct imapsieve_rules *out, struct err *e);
bool imapsieve_rule_matches(const struct imapsieve_rule *rule, const struct imapsieve_event *event);
/*
 * The locations of the administrator's scripts for an event, at most max of them; those to run before the user's come first,
 * *before_out of them.  Returns how many there are.
 */
size_t imapsieve_select(const struct imapsieve_rules *rules, const struct imapsieve_event *event, struct span *out, size_t max,
    size_t *before_out);
/* The items imap.user, imap.email, imap.cause, imap.mailbox, imap.changedflags, and vnd.dovecot.mailbox-from and -to. */
bool imapsieve_environment(const struct imapsieve_event *event, struct span name, struct span *out);
/* Of the extensions that scripts may have those that mean something here, and "imapsieve". */
struct sieve_extset imapsieve_available(const struct sieve_extset *usual);
#endif
