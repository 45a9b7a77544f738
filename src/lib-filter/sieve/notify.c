/* SPDX-License-Identifier: MIT */
/* enotify (RFC 5435) with the one method "mailto" (RFC 5436). */
#include "lib-filter/sieve/notify.h"

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/compose.h"
#include "lib-filter/sieve/fcc.h"
#include "lib-mail/address.h"

#define TEXT_MAX ((size_t)4 << 20)

/* ---- the notification ---- */

/*
 * RFC 5436 section 2.3: that of :from, else one of the server's; none for what came without one, so that there is no loop of
 * failures.  A setting may say something else.
 */
static int
envelope_sender(struct sieve_run *r, const struct sieve_node *n, struct span from, struct span *out)
{
	struct span set = sieve_address_setting(r, "sieve_notify_mailto_envelope_from");

	*out = SPAN("");
	if (r->message->sender.n == 0)
		return 0;
	return sieve_envelope_address(r, n, set.p != NULL ? set : from, out);
}

/* Text of the subject: what the script says, or the URI, or the subject of the message. */
static int
put_subject(struct sieve_run *r, const struct sieve_node *n, const struct sieve_notification *x, struct buf *out)
{
	struct span raw, subject = x->message;

	if (subject.n == 0)
		subject = x->to->subject;
	if (subject.n == 0 && header_get(r->message->header, SPAN("Subject"), &raw)) {
		if (sieve_run_decode(r, n, raw, &subject) == -1)
			return -1;
		subject = span_str(arena_printf(r->a, "Notification: %.*s", SPAN_ARG(span_sub(subject, 0, 1000))));
		if (subject.p == NULL)
			return sieve_run_fail(r, n, "the script needs too much memory");
	}
	sieve_compose_text(out, "Subject", subject.n > 0 ? subject : SPAN("Notification: (no subject)"));
	return 0;
}

static void
put_importance(struct buf *out, struct span importance)
{
	if (span_eq(importance, SPAN("1")))
		buf_adds(out, "X-Priority: 1 (Highest)\r\nImportance: High\r\n");
	else if (span_eq(importance, SPAN("3")))
		buf_adds(out, "X-Priority: 5 (Lowest)\r\nImportance: Low\r\n");
	else
		buf_adds(out, "X-Priority: 3 (Normal)\r\nImportance: Normal\r\n");
}

/* Whom the notification goes to: each once, without those that were told the same already (RFC 5435 section 3.1). */
struct recipients {
	struct span addresses[MAILTO_RECIPIENTS_MAX];
	size_t count;
};

static bool
take_recipient(struct recipients *left, const struct address *ad)
{
	struct buf bare = BUF_INIT(1000);
	size_t i = 0;
	bool found;

	address_write(&bare, ad);
	while (i < left->count && !span_ieq(left->addresses[i], buf_span(&bare)))
		i++;
	found = i < left->count;
	if (found)
		left->addresses[i] = left->addresses[--left->count];
	buf_clear(&bare);
	return found;
}

/* Those of the list that are left, which are not any more then. */
static int
put_recipients(struct sieve_run *r, const struct sieve_node *n, const char *name, struct span text, struct recipients *left,
    struct buf *out)
{
	struct address *list = NULL, **at = &list;

	if (address_parse(r->a, text, 4 * MAILTO_RECIPIENTS_MAX, &list, NULL) == -1)
		return sieve_run_fail(r, n, "the script needs too much memory");
	while (*at != NULL)
		if (take_recipient(left, *at))
			at = &(*at)->next;
		else
			*at = (*at)->next;
	if (list != NULL)
		sieve_compose_list(r, out, name, list);
	return 0;
}

static int
compose(struct sieve_run *r, const struct sieve_node *n, const struct sieve_notification *x, struct span from,
    struct recipients left, struct buf *out)
{
	const struct mailto *to = x->to;
	struct span body = x->body.p != NULL ? x->body : to->body;

	if (sieve_compose_start(r, n, out, "notify", left.addresses[0]) == -1 ||
	    sieve_compose_addresses(r, n, out, "From", from) == -1 ||
	    put_recipients(r, n, "To", to->to, &left, out) == -1 || put_recipients(r, n, "Cc", to->cc, &left, out) == -1 ||
	    put_subject(r, n, x, out) == -1)
		return -1;
	if (x->old)
		buf_adds(out, "Auto-Submitted: auto-generated (notify)\r\n");
	else
		buf_addf(out, "Auto-Submitted: auto-notified; owner-email=\"%.*s\"\r\n", SPAN_ARG(sieve_owner(r)));
	buf_adds(out, "Precedence: bulk\r\n");
	put_importance(out, x->importance);
	for (size_t i = 0; i < to->field_count; i++) {
		char *name = arena_cstr(r->a, to->fields[i].name);

		if (name == NULL)
			return sieve_run_fail(r, n, "the script needs too much memory");
		sieve_compose_text(out, name, to->fields[i].value);
	}
	sieve_compose_body(out, body.p != NULL ? body : SPAN("A new message has come.\r\n"));
	return out->failed ? sieve_run_fail(r, n, "the notification is too large") : 0;
}

/* RFC 5436 section 2.7.1 and RFC 3834: no program is told of what a program has sent. */
static bool
is_automatic(const struct sieve_run *r)
{
	struct span value;
	size_t end = 0;

	if (!header_get(r->message->header, SPAN("Auto-Submitted"), &value))
		return false;
	while (end < value.n && (ascii_is_alpha(value.p[end]) || value.p[end] == '-'))
		end++;
	return !span_ieq(span_sub(value, 0, end), SPAN("no"));
}

static bool
is_known(const struct sieve_run *r, const struct recipients *known, struct span to, struct span message)
{
	for (size_t i = 0; i < known->count; i++)
		if (span_ieq(known->addresses[i], to))
			return true;
	for (const struct sieve_note *note = r->notes; note != NULL; note = note->next)
		if (span_ieq(note->action->target, to) && span_eq(note->message, message))
			return true;
	return false;
}

static int
send_to(struct sieve_run *r, const struct sieve_node *n, const struct sieve_notification *x, struct span to, struct span sender,
    struct span text)
{
	struct sieve_note *note = arena_alloc(r->a, 1, sizeof(*note));
	struct filter_action *action;

	if (note == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	action = sieve_run_action(r, n, FILTER_SEND);
	if (action == NULL)
		return -1;
	action->target = to;
	action->sender = sender;
	action->text = text;
	*note = (struct sieve_note){ .next = r->notes, .id = x->id, .importance = x->importance, .message = x->message, .action = action };
	r->notes = note;
	return 0;
}

int
sieve_notify_send(struct sieve_run *r, const struct sieve_node *n, const struct sieve_notification *x, struct span *text_out)
{
	/* Whom a setting makes the sender the notification is from, unless the script says who that is. */
	struct span sender, set = sieve_address_setting(r, "sieve_notify_mailto_envelope_from");
	struct span from = x->from.n > 0 ? x->from : set.n > 0 ? set : sieve_postmaster(r);
	struct recipients to = { .count = 0 };
	struct buf text = BUF_INIT(TEXT_MAX);
	int rc;

	*text_out = SPAN_NONE;
	if (sieve_run_work(r, n, 100 + r->message->header.n / 64) == -1)
		return -1;
	for (size_t i = 0; i < x->to->recipient_count; i++)
		if (!is_known(r, &to, x->to->recipients[i], x->message))
			to.addresses[to.count++] = x->to->recipients[i];
	if (to.count == 0)
		return 0;
	if (is_automatic(r)) {
		if (r->host->log != NULL)
			r->host->log(r->host->ctx, SPAN("no notification: a program has written the message"));
		return 0;
	}
	if (envelope_sender(r, n, from, &sender) == -1)
		return -1;
	rc = compose(r, n, x, from, to, &text) == -1 ? -1 : sieve_run_dup(r, n, buf_span(&text), text_out);
	buf_clear(&text);
	for (size_t i = 0; i < to.count && rc == 0; i++)
		rc = send_to(r, n, x, to.addresses[i], sender, *text_out);
	return rc;
}

/* ---- the words ---- */

static bool
is_importance(struct span s)
{
	return s.n == 1 && s.p[0] >= '1' && s.p[0] <= '3';
}

static bool
is_mailbox(struct arena *a, struct span s)
{
	struct address *list;
	bool truncated;

	return address_parse(a, s, 2, &list, &truncated) == 0 && list != NULL && list->next == NULL && !truncated &&
	    !(list->flags & ADDRESS_INVALID) && list->domain.n > 0;
}

/* name=value (RFC 5435 section 3.5). */
static bool
is_option(struct span s)
{
	size_t eq = span_chr(s, '=');

	for (size_t i = 0; i < eq; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && (i == 0 || strchr(".-_", s.p[i]) == NULL))
			return false;
	return eq > 0 && eq < s.n && span_chr(s, '\r') == s.n && span_chr(s, '\n') == s.n;
}

/* There are none that "mailto" knows: they are passed over (RFC 5436 section 2.1). */
static int
check_options(struct sieve_checker *c, const struct sieve_node *n)
{
	const struct sieve_tagged *options = sieve_tag_get(n, TAG_OPTIONS);

	for (size_t i = 0; options != NULL && i < options->value->count; i++) {
		struct span s = options->value->strings[i];

		if (sieve_is_constant(c, s) && !is_option(s))
			return sieve_fail(c, n, "\"%.*s\" is no option of the form name=value", SPAN_ARG(span_sub(s, 0, 60)));
	}
	return 0;
}

static int
check_notify(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *importance = sieve_tag_get(n, TAG_IMPORTANCE), *from = sieve_tag_get(n, TAG_FROM);
	struct span uri = n->pos[0]->strings[0];
	struct mailto m;
	const char *bad;

	if (sieve_is_constant(c, uri) && (bad = mailto_parse(c->a, uri, &m)) != NULL)
		return sieve_fail(c, n, "\"%.*s\" is no method: %s", SPAN_ARG(span_sub(uri, 0, 60)), bad);
	if (importance != NULL && sieve_is_constant(c, importance->value->strings[0]) && !is_importance(importance->value->strings[0]))
		return sieve_fail(c, n, ":importance takes \"1\", \"2\" or \"3\"");
	if (from != NULL && sieve_is_constant(c, from->value->strings[0]) && !is_mailbox(c->a, from->value->strings[0]))
		return sieve_fail(c, n, ":from takes one address");
	return check_options(c, n) == -1 ? -1 : sieve_check_fcc(c, n);
}

static int
tag_string(struct sieve_run *r, const struct sieve_node *n, enum sieve_tag tag, struct span *out)
{
	const struct sieve_tagged *t = sieve_tag_get(n, tag);

	return t == NULL ? 0 : sieve_run_string(r, n, t->value->strings[0], out);
}

static int
run_notify(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_notification x = { .importance = SPAN("2") };
	struct mailto m;
	struct span uri, text;
	const char *bad;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &uri) == -1 || tag_string(r, n, TAG_IMPORTANCE, &x.importance) == -1 ||
	    tag_string(r, n, TAG_FROM, &x.from) == -1 || tag_string(r, n, TAG_MESSAGE, &x.message) == -1 ||
	    sieve_run_work(r, n, 100) == -1)
		return -1;
	if ((bad = mailto_parse(r->a, uri, &m)) != NULL)
		return sieve_run_fail(r, n, "\"%.*s\" is no method: %s", SPAN_ARG(span_sub(uri, 0, 60)), bad);
	if (!is_importance(x.importance))
		return sieve_run_fail(r, n, ":importance \"%.*s\" is not 1, 2 or 3", SPAN_ARG(span_sub(x.importance, 0, 20)));
	/* RFC 5435 section 3.3: an address that can not be used is passed over. */
	if (x.from.n > 0 && !is_mailbox(r->a, x.from))
		x.from = SPAN_NONE;
	x.to = &m;
	if (sieve_notify_send(r, n, &x, &text) == -1)
		return -1;
	return text.p == NULL ? 0 : sieve_fcc(r, n, text);
}

static int
test_valid_method(struct sieve_run *r, const struct sieve_node *n)
{
	for (size_t i = 0; i < n->pos[0]->count; i++) {
		struct mailto m;
		struct span uri;

		if (sieve_run_string(r, n, n->pos[0]->strings[i], &uri) == -1 || sieve_run_work(r, n, 20) == -1)
			return -1;
		if (mailto_parse(r->a, uri, &m) != NULL)
			return 0;
	}
	return 1;
}

/* RFC 5435 section 5: of mail nobody knows whether somebody looks at it now. */
static int
test_capability(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_matching x;
	struct mailto m;
	struct span uri, what;
	int rc;

	if (sieve_matching_begin(&x, r, n, n->pos[2]) == -1 || sieve_run_string(r, n, n->pos[0]->strings[0], &uri) == -1 ||
	    sieve_run_string(r, n, n->pos[1]->strings[0], &what) == -1)
		return -1;
	if (mailto_parse(r->a, uri, &m) != NULL || !span_ieq(what, SPAN("online")))
		return 0;
	rc = sieve_matching_value(&x, SPAN("maybe"));
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static const struct sieve_tag_use notify_tags[] = {
	{ TAG_FROM, EXT_ENOTIFY }, { TAG_IMPORTANCE, EXT_ENOTIFY }, { TAG_OPTIONS, EXT_ENOTIFY }, { TAG_MESSAGE, EXT_ENOTIFY },
	SIEVE_FCC_TAGS, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use match_tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_notify[] = {
	{ .name = "notify", .ext = EXT_ENOTIFY, .args = "S", .tags = notify_tags, .check = check_notify, .run = run_notify },
	{ .name = "valid_notify_method", .is_test = true, .ext = EXT_ENOTIFY, .args = "L", .run = test_valid_method },
	{ .name = "notify_method_capability", .is_test = true, .ext = EXT_ENOTIFY, .args = "SSL", .tags = match_tags,
	    .check = sieve_check_match, .run = test_capability },
	{ .name = NULL },
};
