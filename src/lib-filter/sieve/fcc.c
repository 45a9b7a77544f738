/* SPDX-License-Identifier: MIT */
/* fcc (RFC 8580): a copy of what a script sends, in a mailbox. */
#include "lib-filter/sieve/fcc.h"

#include "lib/encode.h"
#include "lib-filter/sieve/check.h"

#define MAILBOX_MAX 1000

int
sieve_check_fcc(struct sieve_checker *c, const struct sieve_node *n)
{
	static const enum sieve_tag need[] = { TAG_CREATE, TAG_FLAGS, TAG_SPECIALUSE, TAG_MAILBOXID };
	const struct sieve_tagged *use;

	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]) && sieve_tag_get(n, TAG_FCC) == NULL; i++)
		if (sieve_tag_get(n, need[i]) != NULL)
			return sieve_fail(c, n, ":create, :flags, :specialuse and :mailboxid need :fcc");
	use = sieve_tag_get(n, TAG_SPECIALUSE);
	return use == NULL ? 0 : sieve_check_special_use(c, n, use->value);
}

int
sieve_fcc(struct sieve_run *r, const struct sieve_node *n, struct span text)
{
	const struct sieve_tagged *fcc = sieve_tag_get(n, TAG_FCC), *use = sieve_tag_get(n, TAG_SPECIALUSE),
	    *id = sieve_tag_get(n, TAG_MAILBOXID);
	struct filter_action *action;
	struct filter_flags flags = { .given = true };
	struct span target;

	if (fcc == NULL)
		return 0;
	if (sieve_run_string(r, n, fcc->value->strings[0], &target) == -1)
		return -1;
	if (target.n == 0 || target.n > MAILBOX_MAX || !utf8_is_valid(target))
		return sieve_run_fail(r, n, "\"%.*s\" is an invalid folder name", SPAN_ARG(span_sub(target, 0, 60)));
	/* Flags of the message that came are not those of the copy. */
	if (sieve_tag_get(n, TAG_FLAGS) != NULL && sieve_flags_of(r, n, &flags) == -1)
		return -1;
	action = sieve_run_action(r, n, FILTER_SAVE);
	if (action == NULL)
		return -1;
	action->own = true;
	action->target = target;
	action->message = text;
	action->flags = flags;
	action->create = sieve_tag_get(n, TAG_CREATE) != NULL;
	if (use != NULL && sieve_run_string(r, n, use->value->strings[0], &action->special_use) == -1)
		return -1;
	if (id != NULL && sieve_run_string(r, n, id->value->strings[0], &action->mailbox_id) == -1)
		return -1;
	return 0;
}
