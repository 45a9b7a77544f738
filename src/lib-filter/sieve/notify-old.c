/* SPDX-License-Identifier: MIT */
/* notify and denotify as they were before RFC 5435 (draft-martin-sieve-notify-01), for scripts that still have them. */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/notify.h"
#include "lib-filter/sieve/part.h"
#include "lib-mail/address.h"

#define MESSAGE_MAX 65536

static struct span
importance_of(const struct sieve_node *n)
{
	return sieve_tag_get(n, TAG_HIGH) != NULL ? SPAN("1") : sieve_tag_get(n, TAG_LOW) != NULL ? SPAN("3") : SPAN("2");
}

static int
check_notify(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *method = sieve_tag_get(n, TAG_METHOD), *options = sieve_tag_get(n, TAG_OPTIONS);

	if (method != NULL && sieve_is_constant(c, method->value->strings[0]) && !span_ieq(method->value->strings[0], SPAN("mailto")))
		return sieve_fail(c, n, "the one method is \"mailto\"");
	if (options == NULL || options->value->count > MAILTO_RECIPIENTS_MAX)
		return sieve_fail(c, n, ":options takes the addresses, %d at most", MAILTO_RECIPIENTS_MAX);
	for (size_t i = 0; i < options->value->count; i++)
		if (sieve_is_constant(c, options->value->strings[i]) && !sieve_is_address(options->value->strings[i]))
			return sieve_fail(c, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(options->value->strings[i], 0, 60)));
	return 0;
}

static int
header_text(struct sieve_run *r, const struct sieve_node *n, struct span name, struct span *out)
{
	struct span raw;

	*out = SPAN("");
	return header_get(r->message->header, name, &raw) ? sieve_run_decode(r, n, raw, out) : 0;
}

/* The first text of the message, at most so many characters. */
static int
message_text(struct sieve_run *r, const struct sieve_node *n, uint64_t max, struct span *out)
{
	const struct mime_part *root, *part;
	struct span text;
	size_t end = 0;

	*out = SPAN("");
	if (sieve_message_mime(r, n, &root, &text) == -1)
		return -1;
	for (part = root; part != NULL && !(part->flags & MIME_TEXT); part = sieve_part_next(part, root))
		continue;
	if (part == NULL)
		return 0;
	if (sieve_part_text(r, n, part, text, true, out) == -1)
		return -1;
	for (; end < out->n; end++)
		if (((unsigned char)out->p[end] & 0xc0) != 0x80 && max-- == 0)
			break;
	*out = span_sub(*out, 0, end);
	return 0;
}

/* "$from$", "$env-from$", "$subject$", "$text$", "$text[n]$": the value of what rest begins with; *used 0: it is no such. */
static int
dollar_value(struct sieve_run *r, const struct sieve_node *n, struct span rest, size_t *used, struct span *out)
{
	size_t end = span_chr(span_from(rest, 1), '$') + 1;
	struct span name = span_sub(rest, 1, end - 1);
	uint64_t max = MESSAGE_MAX;

	*used = end < rest.n ? end + 1 : 0;
	if (span_ieq(name, SPAN("from")))
		return header_text(r, n, SPAN("From"), out);
	if (span_ieq(name, SPAN("subject")))
		return header_text(r, n, SPAN("Subject"), out);
	if (span_ieq(name, SPAN("env-from"))) {
		*out = r->message->sender;
		return 0;
	}
	if (span_istarts(name, SPAN("text[")) && span_u64(span_sub(name, 5, name.n - 6), MESSAGE_MAX, &max))
		return message_text(r, n, max, out);
	if (span_ieq(name, SPAN("text")))
		return message_text(r, n, max, out);
	*used = 0;
	return 0;
}

static int
expand(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out)
{
	struct buf b = BUF_INIT(4 * MESSAGE_MAX);
	int rc = 0;

	while (text.n > 0 && rc == 0) {
		size_t at = span_chr(text, '$'), used = 0;
		struct span value;

		buf_add(&b, span_sub(text, 0, at));
		text = span_from(text, at);
		if (text.n == 0)
			break;
		rc = dollar_value(r, n, text, &used, &value);
		if (rc == 0)
			buf_add(&b, used > 0 ? value : SPAN("$"));
		text = span_from(text, used > 0 ? used : 1);
	}
	if (rc == 0)
		rc = b.failed ? sieve_run_fail(r, n, "the notification is too large") : sieve_run_dup(r, n, buf_span(&b), out);
	buf_clear(&b);
	return rc;
}

static int
recipients_of(struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *options, struct mailto *to)
{
	for (size_t i = 0; i < options->count; i++) {
		struct span s;

		if (sieve_run_string(r, n, options->strings[i], &s) == -1)
			return -1;
		if (!sieve_is_address(s))
			return sieve_run_fail(r, n, "\"%.*s\" is no address", SPAN_ARG(span_sub(s, 0, 60)));
		to->recipients[to->recipient_count++] = s;
		to->to = to->to.n == 0 ? s : span_str(arena_printf(r->a, "%.*s, %.*s", SPAN_ARG(to->to), SPAN_ARG(s)));
		if (to->to.p == NULL)
			return sieve_run_fail(r, n, "the script needs too much memory");
	}
	return 0;
}

static int
run_notify(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *message = sieve_tag_get(n, TAG_MESSAGE), *id = sieve_tag_get(n, TAG_ID),
	    *method = sieve_tag_get(n, TAG_METHOD);
	struct sieve_notification x = { .importance = importance_of(n), .old = true };
	struct mailto to = { .recipient_count = 0 };
	struct span text = SPAN("$from$: $subject$");
	size_t end = 0;

	if (method != NULL && (sieve_run_string(r, n, method->value->strings[0], &text) == -1 || !span_ieq(text, SPAN("mailto"))))
		return r->error.text[0] != '\0' ? -1 : sieve_run_fail(r, n, "the one method is \"mailto\"");
	text = SPAN("$from$: $subject$");
	if ((message != NULL && sieve_run_string(r, n, message->value->strings[0], &text) == -1) ||
	    (id != NULL && sieve_run_string(r, n, id->value->strings[0], &x.id) == -1) || expand(r, n, text, &text) == -1 ||
	    recipients_of(r, n, sieve_tag_get(n, TAG_OPTIONS)->value, &to) == -1)
		return -1;
	/* The first line is the subject, all of it the text. */
	while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
		end++;
	x.message = span_sub(text, 0, end);
	x.body = text;
	x.to = &to;
	return sieve_notify_send(r, n, &x, &text);
}

/* The notification's actions are not to be done. */
static void
take_back(struct sieve_run *r, const struct sieve_note *note)
{
	for (struct filter_action **x = &r->actions; *x != NULL; x = &(*x)->next) {
		if (*x != note->action)
			continue;
		*x = note->action->next;
		if (r->tail == &note->action->next)
			r->tail = x;
		r->action_count--;
		return;
	}
}

static int
check_denotify(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_match(c, n);
}

static int
run_denotify(struct sieve_run *r, const struct sieve_node *n)
{
	bool any = sieve_tag_get(n, TAG_HIGH) == NULL && sieve_tag_get(n, TAG_LOW) == NULL && sieve_tag_get(n, TAG_NORMAL) == NULL;
	struct sieve_matching x;

	if (n->pos[0] != NULL && sieve_matching_begin(&x, r, n, n->pos[0]) == -1)
		return -1;
	for (struct sieve_note **at = &r->notes, *note; (note = *at) != NULL;) {
		int rc = any || span_eq(note->importance, importance_of(n));

		if (rc == 1 && n->pos[0] != NULL) {
			x.forget = true;
			rc = note->id.p == NULL ? 0 : sieve_matching_value(&x, note->id);
		}
		if (rc == -1)
			return -1;
		if (rc == 1) {
			take_back(r, note);
			*at = note->next;
		} else {
			at = &note->next;
		}
	}
	return 0;
}

#define LEVELS { TAG_LOW, EXT_NOTIFY }, { TAG_NORMAL, EXT_NOTIFY }, { TAG_HIGH, EXT_NOTIFY }
static const struct sieve_tag_use notify_tags[] = {
	{ TAG_METHOD, EXT_NOTIFY }, { TAG_ID, EXT_NOTIFY }, { TAG_OPTIONS, EXT_NOTIFY }, { TAG_MESSAGE, EXT_NOTIFY }, LEVELS,
	{ TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use denotify_tags[] = {
	{ TAG_IS, EXT_CORE }, { TAG_CONTAINS, EXT_CORE }, { TAG_MATCHES, EXT_CORE }, LEVELS, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_notify_old[] = {
	{ .name = "notify", .ext = EXT_NOTIFY, .args = "", .tags = notify_tags, .check = check_notify, .run = run_notify },
	{ .name = "denotify", .late_tags = true, .ext = EXT_NOTIFY, .args = "?S", .tags = denotify_tags, .check = check_denotify,
	    .run = run_denotify },
	{ .name = NULL },
};
