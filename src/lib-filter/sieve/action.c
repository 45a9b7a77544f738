/* SPDX-License-Identifier: MIT */
/* keep, discard, redirect (RFC 5228 section 4), fileinto, reject and ereject (RFC 5429), with :copy, :flags, :create. */
#include "lib/encode.h"
#include "lib-filter/sieve/chain.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/compose.h"
#include "lib-filter/sieve/dsn.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/address-single.h"

#define MAILBOX_MAX 1000

static int
check_redirect(struct sieve_checker *c, struct sieve_node *n)
{
	struct span to = n->pos[0]->strings[0], bare;

	if (sieve_tag_get(n, TAG_LIST) == NULL && sieve_is_constant(c, to) && address_single_parse(c->a, to, &bare) == -1)
		return sieve_fail(c, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(to, 0, 60)));
	return sieve_check_redirect_options(c, n);
}

/* What no mailbox can be called; the rest is for who has the mailboxes. */
static bool
is_mailbox_name(struct span name)
{
	return name.n > 0 && name.n <= MAILBOX_MAX && utf8_is_valid(name);
}

static int
check_fileinto(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *use = sieve_tag_get(n, TAG_SPECIALUSE);
	struct span name = n->pos[0]->strings[0];

	if (use != NULL && sieve_check_special_use(c, n, use->value) == -1)
		return -1;
	return !sieve_is_constant(c, name) || is_mailbox_name(name) ? 0 :
	    sieve_fail(c, n, "\"%.*s\" is an invalid folder name", SPAN_ARG(span_sub(name, 0, 60)));
}

/* RFC 5429 section 2.4: what is refused is not delivered. */
static int
check_not_refused(struct sieve_run *r, const struct sieve_node *n)
{
	for (const struct filter_action *a = r->actions; a != NULL; a = a->next)
		if (a->kind == FILTER_REJECT)
			return sieve_run_fail(r, n, "a message that is refused can not be delivered");
	return 0;
}

/* All that saves where a keep goes is one action: the last one's flags count. */
static void
flags_where_kept(struct sieve_run *r, const struct filter_flags *flags)
{
	for (struct filter_action *a = r->actions; a != NULL; a = a->next)
		if (sieve_action_keeps(a, r->host->keep_mailbox))
			a->flags = *flags;
}

static int
run_keep(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action *action;
	struct filter_flags flags;

	if (check_not_refused(r, n) == -1 || sieve_flags_of(r, n, &flags) == -1)
		return -1;
	r->keep = false;
	flags_where_kept(r, &flags);
	for (action = r->actions; action != NULL; action = action->next)
		if (action->kind == FILTER_SAVE && action->keep)
			return 0;	/* once is enough */
	action = sieve_run_action(r, n, FILTER_SAVE);
	if (action == NULL)
		return -1;
	action->keep = true;
	action->flags = flags;
	/* What was filed there before is this message now, with the changes since then. */
	for (struct filter_action *a = r->actions; a != NULL; a = a->next)
		if (sieve_action_keeps(a, r->host->keep_mailbox))
			a->message = action->message;
	return 0;
}

static int
run_discard(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action *action;

	r->keep = false;
	for (const struct filter_action *x = r->actions; x != NULL; x = x->next)
		if (x->kind == FILTER_DISCARD)
			return 0;
	action = arena_alloc(r->a, 1, sizeof(*action));
	if (action == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	*action = (struct filter_action){ .kind = FILTER_DISCARD, .line = n->line, .within = r->script->name, .verb = n->word->name };
	*r->tail = action;
	r->tail = &action->next;
	return 0;
}

/* The same target twice is one action (RFC 5228 section 2.10.3). */
static struct filter_action *
find_action(const struct sieve_run *r, const struct filter_action *x)
{
	for (struct filter_action *a = r->actions; a != NULL; a = a->next)
		if (a->kind == x->kind && !a->keep && !a->own && span_eq(a->target, x->target) &&
		    span_eq(a->special_use, x->special_use) && span_eq(a->mailbox_id, x->mailbox_id))
			return a;
	return NULL;
}

static int
fileinto_options(struct sieve_run *r, const struct sieve_node *n, struct filter_action *x)
{
	const struct sieve_tagged *use = sieve_tag_get(n, TAG_SPECIALUSE), *id = sieve_tag_get(n, TAG_MAILBOXID);

	x->create = sieve_tag_get(n, TAG_CREATE) != NULL;
	if (sieve_flags_of(r, n, &x->flags) == -1 ||
	    (use != NULL && sieve_run_string(r, n, use->value->strings[0], &x->special_use) == -1))
		return -1;
	return id == NULL ? 0 : sieve_run_string(r, n, id->value->strings[0], &x->mailbox_id);
}

static int
run_fileinto(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action want = { .kind = FILTER_SAVE }, *action;

	if (check_not_refused(r, n) == -1 || sieve_run_string(r, n, n->pos[0]->strings[0], &want.target) == -1 ||
	    fileinto_options(r, n, &want) == -1)
		return -1;
	if (!is_mailbox_name(want.target))
		return sieve_run_fail(r, n, "\"%.*s\" is an invalid folder name", SPAN_ARG(span_sub(want.target, 0, 60)));
	if (sieve_tag_get(n, TAG_COPY) == NULL)
		r->keep = false;
	if (sieve_action_keeps(&want, r->host->keep_mailbox)) {
		flags_where_kept(r, &want.flags);
		for (action = r->actions; action != NULL; action = action->next)
			if (sieve_action_keeps(action, r->host->keep_mailbox))
				return 0;
	}
	action = find_action(r, &want);
	if (action == NULL && (action = sieve_run_action(r, n, FILTER_SAVE)) == NULL)
		return -1;
	action->target = want.target;
	action->flags = want.flags;
	action->create = action->create || want.create;
	action->special_use = want.special_use;
	action->mailbox_id = want.mailbox_id;
	action->or_keep = true;
	return 0;
}

/* sieve_redirect_envelope_from; else who has sent it.  What came without a sender goes on without one. */
static int
redirect_sender(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	struct span set = r->message->sender.n > 0 ? sieve_address_setting(r, "sieve_redirect_envelope_from") : SPAN("");

	return sieve_envelope_address(r, n, set.p != NULL ? set : r->message->sender, out);
}

static int
redirect_to(struct sieve_run *r, const struct sieve_node *n, struct span target)
{
	struct filter_action want = { .kind = FILTER_REDIRECT }, *action;

	if (address_single_parse(r->a, target, &target) == -1)
		return sieve_run_fail(r, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(target, 0, 60)));
	want.target = target;
	if (find_action(r, &want) != NULL)
		return 0;
	if (r->redirect_count >= r->limits.redirects)
		return sieve_run_fail(r, n, "the number of redirect actions exceeds policy limit (%zu)", r->limits.redirects);
	action = sieve_run_action(r, n, FILTER_REDIRECT);
	if (action == NULL)
		return -1;
	r->redirect_count++;
	action->target = target;
	action->or_keep = true;
	return redirect_sender(r, n, &action->sender) == -1 ? -1 : sieve_redirect_options(r, n, action);
}

static int
run_redirect(struct sieve_run *r, const struct sieve_node *n)
{
	struct span target, *members = &target;
	size_t count = 1;

	if (check_not_refused(r, n) == -1 || sieve_run_string(r, n, n->pos[0]->strings[0], &target) == -1 ||
	    (sieve_tag_get(n, TAG_LIST) != NULL && sieve_list_members(r, n, target, &members, &count) == -1))
		return -1;
	if (count == 0)
		return 0;		/* an empty list delivers to nobody: the message is kept */
	for (size_t i = 0; i < count; i++)
		if (redirect_to(r, n, members[i]) == -1)
			return -1;
	if (sieve_tag_get(n, TAG_COPY) == NULL)
		r->keep = false;
	return 0;
}

/* RFC 5429 section 2: not together with what delivers the message. */
static int
run_reject(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action *action;
	struct span reason;

	for (struct filter_action *a = r->actions; a != NULL; a = a->next)
		if (a->kind == FILTER_REJECT || (a->kind == FILTER_SAVE && !a->own) || a->kind == FILTER_REDIRECT ||
		    a->kind == FILTER_ANSWER)
			return sieve_run_fail(r, n, "a message can not be refused that another action delivers or refuses");
	if (sieve_run_string(r, n, n->pos[0]->strings[0], &reason) == -1)
		return -1;
	action = sieve_run_action(r, n, FILTER_REJECT);
	if (action == NULL)
		return -1;
	action->text = reason;
	action->quiet_bounce = span_ieq(n->name, SPAN("ereject"));
	r->keep = false;
	return 0;
}

static const struct sieve_tag_use keep_tags[] = { { TAG_FLAGS, EXT_IMAP4FLAGS }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use fileinto_tags[] = {
	{ TAG_COPY, EXT_COPY }, { TAG_FLAGS, EXT_IMAP4FLAGS }, { TAG_CREATE, EXT_MAILBOX },
	{ TAG_SPECIALUSE, EXT_SPECIAL_USE }, { TAG_MAILBOXID, EXT_MAILBOXID }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use redirect_tags[] = {
	{ TAG_COPY, EXT_COPY }, { TAG_LIST, EXT_EXTLISTS }, SIEVE_DSN_TAGS, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_action[] = {
	{ .name = "keep", .args = "", .tags = keep_tags, .run = run_keep },
	{ .name = "discard", .args = "", .run = run_discard },
	{ .name = "fileinto", .ext = EXT_FILEINTO, .args = "S", .tags = fileinto_tags, .check = check_fileinto, .run = run_fileinto },
	{ .name = "redirect", .args = "S", .tags = redirect_tags, .check = check_redirect, .run = run_redirect },
	{ .name = "reject", .ext = EXT_REJECT, .args = "S", .run = run_reject },
	{ .name = "ereject", .ext = EXT_EREJECT, .args = "S", .run = run_reject },
	{ .name = NULL },
};
