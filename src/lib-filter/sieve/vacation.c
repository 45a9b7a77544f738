/* SPDX-License-Identifier: MIT */
/* vacation (RFC 5230), :seconds (RFC 6131). */
#include "lib-filter/sieve/vacation.h"

#include <stdio.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/compose.h"
#include "lib-filter/sieve/fcc.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/address.h"

#define DAY 86400
#define PERIOD_DEFAULT (7 * DAY)
#define SECONDS_MAX ((uint64_t)INT32_MAX)	/* RFC 6131 section 2: at least 2^31 - 1 */

/* One mailbox, also with a display name. */
static bool
is_mailbox(struct arena *a, struct span s)
{
	struct address *list;
	bool truncated;

	if (address_parse(a, s, 2, &list, &truncated) == -1 || list == NULL || list->next != NULL || truncated)
		return false;
	return !(list->flags & ADDRESS_INVALID) && list->domain.n > 0 && list->mailbox.n > 0;
}

static int
check_vacation(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *from = sieve_tag_get(n, TAG_FROM), *addresses = sieve_tag_get(n, TAG_ADDRESSES);

	if (from != NULL && sieve_is_constant(c, from->value->strings[0]) && !is_mailbox(c->a, from->value->strings[0]))
		return sieve_fail(c, n, ":from takes one address");
	if (sieve_check_fcc(c, n) == -1)
		return -1;
	if (addresses == NULL)
		return 0;
	if (addresses->value->count > VACATION_ADDRESSES_MAX)
		return sieve_fail(c, n, "there are more than %d :addresses", VACATION_ADDRESSES_MAX);
	for (size_t i = 0; i < addresses->value->count; i++) {
		struct span s = addresses->value->strings[i];

		if (sieve_is_constant(c, s) && !is_mailbox(c->a, s))
			return sieve_fail(c, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(s, 0, 60)));
	}
	return 0;
}

/* Within the bounds of the server (RFC 5230 section 4.1). */
static uint64_t
period_of(const struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *days = sieve_tag_get(n, TAG_DAYS), *seconds = sieve_tag_get(n, TAG_SECONDS);
	uint64_t min = sieve_setting_time(r->host, "sieve_vacation_min_period", DAY);
	uint64_t max = sieve_setting_time(r->host, "sieve_vacation_max_period", 0);
	uint64_t period = sieve_setting_time(r->host, "sieve_vacation_default_period", PERIOD_DEFAULT);

	if (days != NULL)
		period = days->value->number > SECONDS_MAX / DAY ? SECONDS_MAX : days->value->number * DAY;
	else if (seconds != NULL)
		period = seconds->value->number > SECONDS_MAX ? SECONDS_MAX : seconds->value->number;
	if (period < min)
		period = min;
	return max > 0 && period > max ? max : period;
}

static void
add_own(struct vacation *v, struct span address)
{
	if (address.n > 0 && v->own_count < sizeof(v->own) / sizeof(v->own[0]))
		v->own[v->own_count++] = address;
}

static int
collect_own(struct sieve_run *r, const struct sieve_node *n, struct vacation *v)
{
	const struct sieve_tagged *addresses = sieve_tag_get(n, TAG_ADDRESSES);
	const struct filter_host *host = r->host;

	add_own(v, r->message->recipient);
	if (sieve_setting_bool(host, "sieve_vacation_use_original_recipient", false))
		add_own(v, r->message->orig_recipient);
	add_own(v, host->user_address);
	for (size_t i = 0; addresses != NULL && i < addresses->value->count; i++) {
		struct span text;

		if (sieve_run_string(r, n, addresses->value->strings[i], &text) == -1 || sieve_bare_address(r, n, text, &text) == -1)
			return -1;
		add_own(v, text);
	}
	for (size_t i = 0; i < host->alias_count; i++)
		add_own(v, host->aliases[i]);
	return 0;
}

/*
 * Who was answered already: by :handle, or else by all that makes answers differ (RFC 5230 section 4.2).
 */
static int
mark_of(struct sieve_run *r, const struct sieve_node *n, const struct vacation *v, struct span *out)
{
	const struct sieve_tagged *handle = sieve_tag_get(n, TAG_HANDLE);
	struct span parts[6] = { SPAN("handle") };
	struct buf to = BUF_INIT(4096);
	size_t count = 2;

	for (size_t i = 0; i < v->to.n; i++)
		buf_addc(&to, ascii_lower(v->to.p[i]));
	if (sieve_run_dup(r, n, buf_span(&to), &parts[1]) == -1) {
		buf_clear(&to);
		return -1;
	}
	buf_clear(&to);
	if (handle != NULL) {
		if (sieve_run_string(r, n, handle->value->strings[0], &parts[count++]) == -1)
			return -1;
	} else {
		parts[0] = v->mime ? SPAN("mime") : SPAN("text");
		parts[count++] = v->subject;
		parts[count++] = v->from;
		parts[count++] = v->reason;
	}
	return sieve_run_mark(r, n, "vacation", parts, count, out);
}

static int
arguments_of(struct sieve_run *r, const struct sieve_node *n, struct vacation *v)
{
	const struct sieve_tagged *subject = sieve_tag_get(n, TAG_SUBJECT), *from = sieve_tag_get(n, TAG_FROM);

	v->mime = sieve_tag_get(n, TAG_MIME) != NULL;
	v->to = r->message->sender;
	if (sieve_run_string(r, n, n->pos[0]->strings[0], &v->reason) == -1)
		return -1;
	if (subject != NULL && sieve_run_string(r, n, subject->value->strings[0], &v->subject) == -1)
		return -1;
	if (from == NULL)
		return 0;
	if (sieve_run_string(r, n, from->value->strings[0], &v->from) == -1)
		return -1;
	if (!is_mailbox(r->a, v->from))
		return sieve_run_fail(r, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(v->from, 0, 60)));
	return 0;
}

/* RFC 5230 section 4.7: once in a script, and not with what refuses the message. */
static int
check_others(struct sieve_run *r, const struct sieve_node *n)
{
	if (r->vacation)
		return sieve_run_fail(r, n, "there is one answer to a message");
	for (const struct filter_action *x = r->actions; x != NULL; x = x->next)
		if (x->kind == FILTER_REJECT)
			return sieve_run_fail(r, n, "a message that is refused is not answered");
	r->vacation = true;
	return 0;
}

static int
run_vacation(struct sieve_run *r, const struct sieve_node *n)
{
	struct vacation v = { .own_count = 0 };
	struct filter_action *action;
	uint64_t period = period_of(r, n);
	const char *why;
	struct span mark, text;

	if (check_others(r, n) == -1 || arguments_of(r, n, &v) == -1 || collect_own(r, n, &v) == -1 ||
	    sieve_run_work(r, n, 100 + r->message->header.n / 64) == -1 || mark_of(r, n, &v, &mark) == -1)
		return -1;
	why = vacation_forbidden(r, n, &v);
	if (why == NULL && period > 0 && r->host->is_marked != NULL && r->host->is_marked(r->host->ctx, mark, (int64_t)period))
		why = "it was answered lately";
	if (why != NULL) {
		char line[160];
		int len = snprintf(line, sizeof(line), "no vacation answer: %s", why);

		if (r->host->log != NULL)
			r->host->log(r->host->ctx, span_of(line, (size_t)len));
		return 0;
	}
	if (vacation_compose(r, n, &v, &text) == -1 || (action = sieve_run_action(r, n, FILTER_ANSWER)) == NULL)
		return -1;
	action->target = v.to;
	action->sender = sieve_setting_bool(r->host, "sieve_vacation_send_from_recipient", false) ? r->message->recipient : SPAN("");
	action->text = text;
	if (period > 0) {
		action->mark = mark;
		action->mark_seconds = (int64_t)period;
	}
	return sieve_fcc(r, n, text);
}

static const struct sieve_tag_use tags[] = {
	{ TAG_DAYS, EXT_VACATION }, { TAG_SECONDS, EXT_VACATION_SECONDS }, { TAG_SUBJECT, EXT_VACATION },
	{ TAG_FROM, EXT_VACATION }, { TAG_ADDRESSES, EXT_VACATION }, { TAG_MIME, EXT_VACATION }, { TAG_HANDLE, EXT_VACATION },
	SIEVE_FCC_TAGS, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_vacation[] = {
	{ .name = "vacation", .ext = EXT_VACATION, .args = "S", .tags = tags, .check = check_vacation, .run = run_vacation },
	{ .name = NULL },
};
