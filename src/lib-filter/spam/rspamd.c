/* SPDX-License-Identifier: MIT */
/* rspamd's HTTP.  Version 1.0 is spoken, so that an answer ends with the connection and comes in one piece. */
#include "lib-filter/spam/spam.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include "lib-mail/header.h"

#define FIELDS_MAX 200
#define SYMBOLS_MAX 1000

void
rspamd_question(struct buf *out, const struct spam_question *q)
{
	static const char *const paths[] = {
		[SPAM_CHECK] = "checkv2", [SPAM_LEARN_SPAM] = "learnspam", [SPAM_LEARN_HAM] = "learnham"
	};

	buf_addf(out, "POST /%s HTTP/1.0\r\nContent-Length: %" PRIu64 "\r\n", paths[q->task], q->size);
	spam_put_field(out, "Password", q->password);
	spam_put_field(out, "Deliver-To", q->user);
	if (q->task == SPAM_CHECK) {
		if (q->sender.n > 0)
			spam_put_field(out, "From", q->sender);
		else
			buf_adds(out, "From: <>\r\n");
		for (size_t i = 0; i < q->recipient_count && i < SPAM_RECIPIENTS_MAX; i++)
			spam_put_field(out, "Rcpt", q->recipients[i]);
		spam_put_field(out, "IP", q->ip);
		spam_put_field(out, "Helo", q->helo);
	}
	buf_adds(out, "\r\n");
}

/* HTTP/1.1 200 OK, and the fields up to the body. */
static int
parse_head(struct span reply, uint32_t *code_out, struct span *body_out, struct err *e)
{
	struct header_field f;
	struct header_iter it;
	struct span line, word;
	size_t used = 0;

	if (!span_line(reply, &used, &line) || !span_next(&line, ' ', &word) || !span_starts(word, SPAN("HTTP/1.")) ||
	    !span_next(&line, ' ', &word) || !span_u32(word, code_out))
		return err_set(e, ERR_SYNTAX, "rspamd: that is no answer");
	header_begin(&it, span_from(reply, used), FIELDS_MAX, SPAM_REPLY_MAX);
	while (header_next(&it, &f))
		if (span_ieq(f.name, SPAN("Transfer-Encoding")) && !span_ieq(f.value, SPAN("identity")))
			return err_set(e, ERR_SYNTAX, "rspamd: an answer in a form that was not asked for");
	if (!it.blank)
		return err_set(e, ERR_SYNTAX, "rspamd: the answer is cut");
	*body_out = span_from(it.text, it.pos);
	return 0;
}

static bool
take_number(const json_t *root, const char *name, int64_t *out)
{
	const json_t *value = json_object_get(root, name);
	double d;

	if (!json_is_number(value))
		return false;
	d = json_number_value(value);
	if (!isfinite(d))
		return false;
	d = (d > 1e6 ? 1e6 : d < -1e6 ? -1e6 : d) * 1000;
	*out = (int64_t)(d < 0 ? d - 0.5 : d + 0.5);
	return true;
}

static void
take_symbols(json_t *symbols, struct arena *a, struct spam_verdict *v)
{
	struct buf names = BUF_INIT(SPAM_TESTS_MAX);
	const char *name;
	json_t *value;
	size_t count = 0;

	json_object_foreach(symbols, name, value) {
		struct span s = span_str(name);
		bool word = s.n > 0;

		(void)value;
		for (size_t i = 0; i < s.n; i++)
			word = word && (ascii_is_alpha(s.p[i]) || ascii_is_digit(s.p[i]) || s.p[i] == '_');
		if (!word || names.n + s.n + 1 > SPAM_TESTS_MAX || count++ == SYMBOLS_MAX)
			continue;
		if (names.n > 0)
			buf_addc(&names, ',');
		buf_add(&names, s);
	}
	if (names.n > 0 && !names.failed)
		v->tests = arena_dup(a, buf_span(&names));
	buf_clear(&names);
}

static int
parse_verdict(const json_t *root, struct arena *a, struct spam_verdict *v, struct err *e)
{
	/* What is thrown away or kept elsewhere in a mail server is kept here as other spam. */
	static const char *const spam_actions[] = { "reject", "add header", "rewrite subject", "quarantine", "discard" };
	const char *action = json_string_value(json_object_get(root, "action"));

	if (action == NULL || !take_number(root, "score", &v->score))
		return err_set(e, ERR_SYNTAX, "rspamd: the answer has no score");
	if (!take_number(root, "required_score", &v->required))
		v->required = SPAM_NO_LIMIT;
	v->reject = strcmp(action, "reject") == 0;
	v->defer = strcmp(action, "soft reject") == 0;
	for (size_t i = 0; i < sizeof(spam_actions) / sizeof(spam_actions[0]); i++)
		v->is_spam = v->is_spam || strcmp(action, spam_actions[i]) == 0;
	take_symbols(json_object_get(root, "symbols"), a, v);
	v->version = SPAN("rspamd");
	return 0;
}

int
rspamd_reply(enum spam_task task, struct span reply, struct arena *a, struct spam_verdict *v, struct err *e)
{
	json_error_t why;
	uint32_t code;
	struct span body = SPAN("");
	json_t *root;
	int rc;

	if (parse_head(reply, &code, &body, e) == -1)
		return -1;
	/* 208: it knew that already. */
	v->nothing_new = task != SPAM_CHECK && code != 200;
	if (code == 200 || (task != SPAM_CHECK && (code == 204 || code == 208)))
		code = 0;
	if (code != 0)
		return err_set(e, ERR_TEMP, "rspamd: status %u", code);
	if (task != SPAM_CHECK)
		return 0;
	root = json_loadb(body.p == NULL ? "" : body.p, body.n, 0, &why);
	if (root == NULL)
		return err_set(e, ERR_SYNTAX, "rspamd: %s", why.text);
	rc = parse_verdict(root, a, v, e);
	json_decref(root);
	return rc;
}
