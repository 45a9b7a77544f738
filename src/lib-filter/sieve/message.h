/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_MESSAGE_H
#define CULVER_LIB_FILTER_SIEVE_MESSAGE_H
/*
 * The message as a script has changed it so far.  Tests and actions look at sieve_run.message, which is the one that came
 * until something is changed.  A changed message is written out whole only when an action or a look at its structure needs
 * that; a changed header alone costs no copy of the body.
 */
#include "lib-filter/filter.h"
#include "lib-mail/mime.h"

struct sieve_run;
struct sieve_node;

struct sieve_replaced {			/* a part that has become another text */
	struct sieve_replaced *next;	/* by their place in the message */
	size_t offset, size;
	struct span text;
};

struct sieve_edits {
	bool changed;			/* the message is not the one that came */
	bool stale;			/* message.text is that of before: header and body count */
	struct filter_message message;
	struct span enclosed;		/* as it was when it was enclosed; p NULL: it was not */
	struct arena *arena;		/* of the structure; NULL: not asked for yet */
	struct mime_part *root;		/* NULL: to be parsed (again) */
	struct span text;		/* what root's extents are of */
	/* foreverypart: while one runs, root stays what it was when the outermost began */
	unsigned loops;
	const struct mime_part *part;	/* the current one; NULL: the message */
	struct sieve_replaced *replaced;
	struct hash *decoded;		/* struct span *, the text of parts (part.c) */
	size_t decoded_octets;
	bool dirty;			/* the message was changed meanwhile */
	bool whole;			/* replaced or enclosed meanwhile: root's extents are not those of the message any more */
};

void sieve_message_begin(struct sieve_run *r, const struct filter_message *m);
void sieve_message_end(struct sieve_run *r);
/* Another message, from here on. */
int sieve_message_use(struct sieve_run *r, const struct sieve_node *n, const struct filter_message *m);

/* All that follow: 0; -1 with the run's error. */
/* The whole of it as it is now; stays valid. */
int sieve_message_text(struct sieve_run *r, const struct sieve_node *n, struct span *out);
/* The header is this now, with its empty line; in the run's arena. */
int sieve_message_set_header(struct sieve_run *r, const struct sieve_node *n, struct span header);
int sieve_message_set_text(struct sieve_run *r, const struct sieve_node *n, struct span text);
/* The structure, and the text that it points into. */
int sieve_message_mime(struct sieve_run *r, const struct sieve_node *n, const struct mime_part **root, struct span *text);
/* The part at work (without foreverypart: the message), as it is now: if it was replaced, what it was replaced by. */
int sieve_message_part(struct sieve_run *r, const struct sieve_node *n, const struct mime_part **part, struct span *text);
/* Whether the part of root is (in) one that was replaced. */
bool sieve_message_was_replaced(const struct sieve_run *r, const struct mime_part *part);
/* text, a MIME entity, in the place of a part of root that is not root itself. */
int sieve_message_replace(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part, struct span text);
/* Around what foreverypart does: the structure stays as it is. */
void sieve_message_loop_begin(struct sieve_run *r);
void sieve_message_loop_end(struct sieve_run *r);
/* "\r\n" or "\n": as the message has it. */
struct span sieve_message_eol(const struct sieve_run *r);
/* Appends text with the line ends that the message has. */
void sieve_message_put_lines(const struct sieve_run *r, struct buf *out, struct span text);
#endif
