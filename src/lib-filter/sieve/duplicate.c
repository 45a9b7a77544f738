/* SPDX-License-Identifier: MIT */
/*
 * duplicate (RFC 7352).  What is asked is remembered only when the script has ended well and its actions are done: a
 * message that comes again because it could not be delivered is no duplicate.
 */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/header.h"

#define PERIOD_DEFAULT (12 * 3600)
#define PERIOD_MAX (2 * 86400)
#define SECONDS_MAX ((uint64_t)1 << 62)

static int
check_duplicate(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *header = sieve_tag_get(n, TAG_HEADER);

	return header == NULL ? 0 : sieve_check_field_names(c, n, header->value);
}

/* *out has p NULL when the message has no such field: then it is no duplicate. */
static int
unique_id(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	const struct sieve_tagged *header = sieve_tag_get(n, TAG_HEADER), *id = sieve_tag_get(n, TAG_UNIQUEID);
	struct span name = SPAN("message-id"), value;

	*out = SPAN_NONE;
	id = id != NULL ? id : sieve_tag_get(n, TAG_VALUE_OLD);
	if (id != NULL)
		return sieve_run_string(r, n, id->value->strings[0], out);
	if (header != NULL && sieve_run_string(r, n, header->value->strings[0], &name) == -1)
		return -1;
	return header_get(r->message->header, name, &value) ? sieve_run_decode(r, n, value, out) : 0;
}

static int
remember(struct sieve_run *r, const struct sieve_node *n, struct span mark, uint64_t seconds)
{
	struct filter_action *action;

	for (const struct filter_action *x = r->actions; x != NULL; x = x->next)
		if (x->kind == FILTER_MARK && span_eq(x->mark, mark))
			return 0;
	action = sieve_run_action(r, n, FILTER_MARK);
	if (action == NULL)
		return -1;
	action->mark = mark;
	action->mark_seconds = (int64_t)seconds;
	return 0;
}

static int
test_duplicate(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *seconds = sieve_tag_get(n, TAG_SECONDS), *handle = sieve_tag_get(n, TAG_HANDLE);
	uint64_t period = sieve_setting_time(r->host, "sieve_duplicate_default_period", PERIOD_DEFAULT);
	uint64_t max = sieve_setting_time(r->host, "sieve_duplicate_max_period", PERIOD_MAX);
	struct span parts[2], mark;
	bool again;

	if (seconds != NULL)
		period = seconds->value->number > SECONDS_MAX ? SECONDS_MAX : seconds->value->number;
	if (max > 0 && period > max)
		period = max;
	parts[0] = SPAN("");
	if ((handle != NULL && sieve_run_string(r, n, handle->value->strings[0], &parts[0]) == -1) ||
	    unique_id(r, n, &parts[1]) == -1)
		return -1;
	if (parts[1].p == NULL)
		return 0;
	if (sieve_run_mark(r, n, "duplicate", parts, 2, &mark) == -1 || sieve_run_work(r, n, 10) == -1)
		return -1;
	again = r->host->is_marked != NULL && r->host->is_marked(r->host->ctx, mark, (int64_t)period);
	/* With :last the time counts from the last of them, else from the first (RFC 7352 section 3.3). */
	if ((!again || sieve_tag_get(n, TAG_LAST) != NULL) && remember(r, n, mark, period) == -1)
		return -1;
	return again;
}

#define TAGS(ext, id) { { TAG_HANDLE, ext }, { TAG_HEADER, ext }, { id, ext }, { TAG_SECONDS, ext }, { TAG_LAST, ext }, \
	{ TAG_NONE, EXT_CORE } }
static const struct sieve_tag_use tags[] = TAGS(EXT_DUPLICATE, TAG_UNIQUEID), vnd_tags[] = TAGS(EXT_VND_DUPLICATE, TAG_VALUE_OLD);

const struct sieve_word sieve_words_duplicate[] = {
	{ .name = "duplicate", .is_test = true, .ext = EXT_DUPLICATE, .args = "", .tags = tags, .check = check_duplicate,
	    .run = test_duplicate },
	{ .name = "duplicate", .is_test = true, .ext = EXT_VND_DUPLICATE, .args = "", .tags = vnd_tags, .check = check_duplicate,
	    .run = test_duplicate },
	{ .name = NULL },
};
