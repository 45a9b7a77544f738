/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/chain.h"

#include "lib-filter/sieve/run.h"

#define FLAG_WORDS_MAX 16384

void
sieve_chain_keep(struct sieve_chain *c)
{
	c->keep = arena_alloc(c->a, 1, sizeof(*c->keep));
	if (c->keep == NULL) {
		c->no_memory = true;
		return;
	}
	c->keep->kind = FILTER_SAVE;
	c->keep->keep = true;
}

void
sieve_chain_begin(struct sieve_chain *c, const struct filter_message *m, const struct filter_host *host,
    const struct sieve_limits *limits, struct arena *a)
{
	*c = (struct sieve_chain){ .message = m, .flags = m->flags, .host = host, .limits = *limits, .a = a };
	c->tail = &c->actions;
	sieve_chain_keep(c);
}

bool
sieve_chain_goes_on(const struct sieve_chain *c)
{
	return c->keep != NULL;
}

/* What a message in a mailbox has for flags now: the next script begins with them. */
static void
take_flags(struct sieve_chain *c, const struct filter_flags *flags)
{
	struct buf words = BUF_INIT(FLAG_WORDS_MAX);

	sieve_flags_write(&words, flags);
	c->flags = words.failed ? c->flags : arena_dup(c->a, buf_span(&words));
	buf_clear(&words);
}

/* Flags of a keep are not forgotten for one that knows of none: implied, or of a script without imap4flags. */
static void
take_keep(struct sieve_chain *c, struct filter_action *keep)
{
	if (c->message->has_flags) {
		if (keep->flags.given)
			take_flags(c, &keep->flags);
		else if (c->keep != NULL)
			keep->flags = c->keep->flags;
	} else if (c->keep != NULL && c->keep->flags.given && (c->keep->flags.flags != 0 || c->keep->flags.keyword_count > 0) &&
	    (keep->verb == NULL || !keep->flags.given) && keep->flags.flags == 0 && keep->flags.keyword_count == 0 &&
	    !(keep->flags.given && c->keep->flags.of_script))
		keep->flags = c->keep->flags;
	if (keep->message.p != NULL) {		/* the next script sees what this one has made of it */
		struct filter_message m = *c->message;

		filter_message_init(&c->changed, keep->message);
		m.text = c->changed.text;
		m.header = c->changed.header;
		m.body = c->changed.body;
		c->changed = m;
		c->message = &c->changed;
	} else {
		keep->message = c->keep == NULL ? SPAN_NONE : c->keep->message;
	}
	/* Who asks why it was kept is told the line that said so, also where scripts behind it say nothing. */
	if (keep->line == 0 && c->keep != NULL && c->keep->line > 0) {
		keep->line = c->keep->line;
		keep->script = c->keep->script;
		keep->within = c->keep->within;
	}
	c->keep = keep;
}

/* A message that a script before this one delivers or answers can not be refused any more (RFC 5429 section 2). */
static bool
conflicts(const struct sieve_chain *c, const struct filter_action *actions)
{
	bool refuses = false, delivers = false;

	for (; actions != NULL; actions = actions->next)
		refuses = refuses || actions->kind == FILTER_REJECT;
	for (const struct filter_action *x = c->actions; x != NULL; x = x->next)
		delivers = delivers || (x->kind == FILTER_SAVE && !x->own) || x->kind == FILTER_REDIRECT || x->kind == FILTER_ANSWER;
	return refuses && delivers;
}

static void
count(struct sieve_chain *c, const struct filter_action *x)
{
	if (c->limits.actions > 0 && x->kind != FILTER_DISCARD)
		c->limits.actions--;
	if (x->kind == FILTER_REDIRECT && c->limits.redirects > 0)
		c->limits.redirects--;
}

bool
sieve_action_keeps(const struct filter_action *x, struct span keep_mailbox)
{
	if (x->kind != FILTER_SAVE || x->own)
		return false;
	return x->keep || (x->special_use.n == 0 && x->mailbox_id.n == 0 && keep_mailbox.n > 0 &&
	    (span_eq(x->target, keep_mailbox) || (span_ieq(keep_mailbox, SPAN("INBOX")) && span_ieq(x->target, keep_mailbox))));
}

static bool
is_same(const struct filter_action *x, const struct filter_action *y, struct span keep_mailbox)
{
	if (x->kind != y->kind)
		return false;
	/* One answer is enough (RFC 3834 section 4). */
	if (x->kind == FILTER_REJECT || x->kind == FILTER_DISCARD || x->kind == FILTER_ANSWER)
		return true;
	/* One copy is kept, also when the message was changed between the two. */
	if (sieve_action_keeps(x, keep_mailbox) && sieve_action_keeps(y, keep_mailbox))
		return true;
	if ((x->kind != FILTER_SAVE && x->kind != FILTER_REDIRECT && x->kind != FILTER_MARK) || !span_eq(x->message, y->message))
		return false;
	return x->keep == y->keep && span_eq(x->target, y->target) && span_eq(x->mark, y->mark) &&
	    span_eq(x->special_use, y->special_use) && span_eq(x->mailbox_id, y->mailbox_id);
}

struct filter_action *
sieve_action_known(struct filter_action *list, const struct filter_action *x, struct span keep_mailbox)
{
	while (list != NULL && list != x && !is_same(list, x, keep_mailbox))
		list = list->next;
	return list == x ? NULL : list;
}

int
sieve_chain_run(struct sieve_chain *c, const struct sieve_script *s, struct sieve_error *error)
{
	struct filter_action *actions, *next, *keep = NULL;
	struct filter_message m = *c->message;
	struct span flags, unsent = SPAN_NONE;

	if (!sieve_chain_goes_on(c))
		return 0;
	m.flags = c->flags;
	if (sieve_script_run_flags(s, &m, c->host, &c->limits, c->a, &actions, &flags, error) == -1)
		return -1;
	if (conflicts(c, actions))
		return sieve_error_set(error, 0, "a message can not be refused that another script delivers or answers");
	for (struct filter_action *x = actions; x != NULL; x = next) {
		next = x->next;
		x->next = NULL;
		x->script = c->name;
		if (x->message.p == NULL && !filter_sends(x->kind) && c->message == &c->changed)
			x->message = c->changed.text;
		/* What a script before has set (RFC 5232 section 2) goes along to where one that knows of no flags files it. */
		if (x->kind == FILTER_SAVE && !x->own && !x->keep && !x->flags.given && c->keep->flags.of_script)
			x->flags = c->keep->flags;
		if (x->kind == FILTER_SAVE && x->keep) {
			keep = x;
		} else if (x->own && unsent.p != NULL && span_eq(x->message, unsent)) {
			continue;		/* the copy (RFC 8580) of an answer that is not sent */
		} else if (x->kind == FILTER_ANSWER && sieve_action_known(c->actions, x, c->host->keep_mailbox) != NULL) {
			unsent = x->text;
		} else if (sieve_action_known(c->actions, x, c->host->keep_mailbox) == NULL) {
			count(c, x);
			*c->tail = x;
			c->tail = &x->next;
		}
	}
	/* What one script has set, the next one finds; a message in a mailbox has the flags that a keep gives it. */
	if (!c->message->has_flags)
		c->flags = flags;
	if (keep != NULL)
		take_keep(c, keep);
	else
		c->keep = NULL;
	return 0;
}

int
sieve_chain_run_discard(struct sieve_chain *c, const struct sieve_script *s, struct sieve_error *error)
{
	int rc;

	sieve_chain_keep(c);
	rc = sieve_chain_run(c, s, error);
	if (rc == 0 && c->keep != NULL && c->keep->verb == NULL)
		c->keep = NULL;
	return rc;
}

int
sieve_chain_end(struct sieve_chain *c, struct filter_action **out)
{
	/* A script before has put it there already. */
	if (c->keep != NULL && sieve_action_known(c->actions, c->keep, c->host->keep_mailbox) == NULL) {
		*c->tail = c->keep;
		c->tail = &c->keep->next;
	}
	*out = c->actions;
	return c->no_memory && c->keep == NULL ? -1 : 0;
}
