/* SPDX-License-Identifier: MIT */
/*
 * The settings of quota: amounts are within bounds, and a percentage of anything is; what the parts take is what the check of
 * a setting takes.  And the requests of script services: arguments are NUL-terminated within their room, and come back the
 * same when they are written again.
 */
#include <stdlib.h>
#include "lib-config/quota-rule.h"
#include "lib-config/script-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_amount(const struct quota_amount *a)
{
	int64_t of = quota_amount_of(a, QUOTA_AMOUNT_MAX), none = quota_amount_of(a, 0);

	if (of > QUOTA_AMOUNT_MAX || of < -QUOTA_AMOUNT_MAX || (a->is_percent && none != 0))
		abort();
}

static void
check_request(struct span in)
{
	static char room[SCRIPT_REQUEST_MAX], again_room[SCRIPT_REQUEST_MAX];
	struct script_request q, again;
	struct buf b = BUF_INIT((size_t)2 * SCRIPT_REQUEST_MAX);

	if (script_request_parse(in, room, &q) == SCRIPT_DONE) {
		if (q.used > in.n)
			abort();
		if (q.answered)
			script_request_begin_answered(&b, q.seconds);
		else
			script_request_begin(&b);
		for (size_t i = 0; i < q.count; i++)
			script_request_add(&b, span_str(q.arguments[i]));
		script_request_end(&b);
		/* Another minor version may have been shorter. */
		if (b.n <= SCRIPT_REQUEST_MAX && (script_request_parse(buf_span(&b), again_room, &again) != SCRIPT_DONE ||
		    again.count != q.count || again.answered != q.answered))
			abort();
	}
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size < 16384 ? size : 16384);
	struct quota_root_def root;
	struct quota_rule rule;
	struct quota_warning warning;
	struct quota_amount amount;
	struct err e = ERR_INIT;
	bool known;

	if (quota_amount_parse(in, 1024, &amount, &e) == 0)
		check_amount(&amount);
	if (quota_rule_parse(in, &rule, &e) == 0) {
		check_amount(&rule.limits.bytes);
		check_amount(&rule.limits.messages);
		if (quota_setting_check(SPAN("quota_rule2"), in, &known, &e) != 0)
			abort();
		if (quota_mailbox_matches(rule.mailbox, rule.mailbox) == false && span_chr(rule.mailbox, '*') == rule.mailbox.n)
			abort();
	}
	if (quota_warning_parse(in, &warning, &e) == 0 && warning.command.n == 0)
		abort();
	quota_root_parse(in, &root, &e);
	quota_setting_check(in, SPAN("x"), &known, &e);
	check_request(in);
	return 0;
}
