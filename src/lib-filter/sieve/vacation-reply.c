/* SPDX-License-Identifier: MIT */
/* Whether a message may be answered (RFC 3834 section 2, RFC 5230 sections 4.5 and 4.6), and the answer. */
#include "lib-filter/sieve/compose.h"
#include "lib-filter/sieve/setting.h"
#include "lib-filter/sieve/vacation.h"
#include "lib-mail/address.h"
#include "lib-mail/encoded-word.h"
#include "lib-mail/header.h"

#define FIELDS_MAX 10000
#define HEADER_MAX ((size_t)1 << 20)
#define ADDRESSES_MAX 5000
#define REFERENCES_MAX 16384
#define SUBJECT_MAX 4096
#define REPLY_MAX ((size_t)4 << 20)

/* ---- may it be answered? ---- */

static struct span
local_part(struct span address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return span_sub(address, 0, at == 0 ? address.n : at - 1);
}

/* Addresses behind which is a program, not a person. */
static bool
is_system(struct span address)
{
	static const char *const whole[] = { "mailer-daemon", "listserv", "majordomo", "listproc", "mailman" };
	struct span local = local_part(address), tail = local.n < 8 ? SPAN("") : span_from(local, local.n - 8);

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (span_ieq(local, span_str(whole[i])))
			return true;
	return span_istarts(local, SPAN("owner-")) || span_ieq(tail, SPAN("-request"));
}

static bool
is_list_field(struct span name)
{
	static const char *const names[] = {
		"List-Id", "List-Owner", "List-Subscribe", "List-Post", "List-Unsubscribe", "List-Archive", "List-Help",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(name, span_str(names[i])))
			return true;
	return false;
}

/* The first word, without comments' and parameters' start. */
static struct span
first_word(struct span value)
{
	size_t n = 0;

	while (n < value.n && !ascii_is_wsp(value.p[n]) && value.p[n] != ';' && value.p[n] != '(' && value.p[n] != '\r' &&
	    value.p[n] != '\n')
		n++;
	return span_sub(value, 0, n);
}

static bool
suppresses(struct span value)
{
	struct span word;

	while (span_next(&value, ',', &word)) {
		word = span_trim(word);
		if (span_ieq(word, SPAN("all")) || span_ieq(word, SPAN("oof")) || span_ieq(word, SPAN("autoreply")))
			return true;
	}
	return false;
}

static bool
is_destination(struct span name)
{
	static const char *const names[] = { "To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(name, span_str(names[i])))
			return true;
	return false;
}

static bool
same_address(struct span own, const struct address *ad)
{
	size_t at = local_part(own).n;

	return at < own.n && span_ieq(span_sub(own, 0, at), ad->mailbox) && span_ieq(span_from(own, at + 1), ad->domain);
}

/* 1: one of the user's addresses is in the field; -1: no memory. */
static int
find_own(struct sieve_run *r, struct vacation *v, struct span value)
{
	struct address *list = NULL;

	if (address_parse(r->a, value, ADDRESSES_MAX, &list, NULL) == -1)
		return -1;
	for (const struct address *ad = list; ad != NULL; ad = ad->next)
		for (size_t i = 0; i < v->own_count; i++)
			if (same_address(v->own[i], ad)) {
				v->matched = v->own[i];
				return 1;
			}
	return 0;
}

static const char *
forbidding_field(const struct header_field *f)
{
	struct span word = first_word(f->value);

	if (is_list_field(f->name))
		return "it comes from a list";
	if (span_ieq(f->name, SPAN("Precedence")) &&
	    (span_ieq(word, SPAN("bulk")) || span_ieq(word, SPAN("list")) || span_ieq(word, SPAN("junk"))))
		return "it is sent in bulk";
	if (span_ieq(f->name, SPAN("Auto-Submitted")) && !span_ieq(word, SPAN("no")))
		return "a program has written it";
	if (span_ieq(f->name, SPAN("X-Auto-Response-Suppress")) && suppresses(f->value))
		return "it asks for no automatic answer";
	return NULL;
}

const char *
vacation_forbidden(struct sieve_run *r, const struct sieve_node *n, struct vacation *v)
{
	bool any = sieve_setting_bool(r->host, "sieve_vacation_dont_check_recipient", false);
	struct header_iter it;
	struct header_field f;

	(void)n;
	if (v->to.n == 0 || span_chr(v->to, '@') == v->to.n)
		return "it has no sender";
	if (is_system(v->to))
		return "its sender is no person";
	for (size_t i = 0; i < v->own_count; i++)
		if (span_ieq(v->own[i], v->to))
			return "its sender is the user";
	header_begin(&it, r->message->header, FIELDS_MAX, HEADER_MAX);
	while (header_next(&it, &f)) {
		const char *why = forbidding_field(&f);

		if (why != NULL)
			return why;
		if (v->matched.p == NULL && is_destination(f.name) && find_own(r, v, f.value) == -1)
			return "it is too large";
	}
	return v->matched.p != NULL || any ? NULL : "it is not addressed to the user";
}

/* ---- the answer ---- */

/* The octets of the first so many characters. */
static size_t
size_of_characters(struct span s, uint64_t max)
{
	size_t n = 0;

	while (n < s.n && (((unsigned char)s.p[n] & 0xc0) == 0x80 || max-- > 0))
		n++;
	return n;
}

/* So many characters at most: what is cut ends in an ellipsis, which is one of them. */
static void
shorten(struct buf *text, uint64_t max)
{
	struct span most = span_sub(buf_span(text), 0, SUBJECT_MAX);

	if (max == 0)
		max = SUBJECT_MAX;
	if (most.n == text->n && size_of_characters(most, max) == most.n)
		return;
	text->n = size_of_characters(most, max - 1);
	/* SUBJECT_MAX may have cut within a character. */
	while (text->n == SUBJECT_MAX || (text->n > 0 && text->n < most.n && ((unsigned char)most.p[text->n] & 0xc0) == 0x80))
		text->n--;
	buf_adds(text, "\xe2\x80\xa6");
}

static int
original_subject(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	struct span raw;

	*out = SPAN("");
	return header_get(r->message->header, SPAN("Subject"), &raw) ? sieve_run_decode(r, n, raw, out) : 0;
}

/* "%$" and "%{subject}" of the template are the subject of the message. */
static void
put_template(struct buf *out, struct span template, struct span subject)
{
	while (template.n > 0) {
		size_t at = span_chr(template, '%');

		buf_add(out, span_sub(template, 0, at));
		template = span_from(template, at);
		if (span_starts(template, SPAN("%$")) || span_starts(template, SPAN("%{subject}"))) {
			buf_add(out, subject);
			template = span_from(template, template.p[1] == '$' ? 2 : 10);
		} else if (template.n > 0) {
			buf_addc(out, '%');
			template = span_from(template, span_starts(template, SPAN("%%")) ? 2 : 1);
		}
	}
}

/* RFC 5230 section 4.4: "Auto: " and the subject, unless something else is wanted. */
static int
put_subject(struct sieve_run *r, const struct sieve_node *n, const struct vacation *v, struct buf *out)
{
	struct span template = sieve_setting_text(r->host, "sieve_vacation_default_subject_template"), subject;
	struct span fallback = sieve_setting_text(r->host, "sieve_vacation_default_subject");
	uint64_t max = sieve_setting_number(r->host, "sieve_vacation_max_subject_codepoints", 256);
	struct buf text = BUF_INIT(4 * REPLY_MAX);

	if (v->subject.p != NULL) {
		/* Scripts that programs have written have it in encoded words. */
		if (sieve_run_decode(r, n, v->subject, &subject) == -1) {
			buf_clear(&text);
			return -1;
		}
		buf_add(&text, subject);
	} else if (original_subject(r, n, &subject) == -1) {
		buf_clear(&text);
		return -1;
	} else if (subject.n > 0) {
		put_template(&text, template.n > 0 ? template : SPAN("Auto: %$"), subject);
	} else {
		buf_add(&text, fallback.n > 0 ? fallback : SPAN("Automated reply"));
	}
	shorten(&text, max);
	sieve_compose_text(out, "Subject", buf_span(&text));
	buf_clear(&text);
	return 0;
}

/* The whole of a field's message ids, one a line; what is none is left out. */
static void
put_ids(struct buf *out, struct span value)
{
	while (value.n > 0) {
		size_t from = span_chr(value, '<'), to = span_chr(value, '>');
		bool ok = to > from && to < value.n && to - from < 300;

		for (size_t i = from; i < to && ok; i++)
			ok = (unsigned char)value.p[i] > ' ' && (unsigned char)value.p[i] < 0x7f;
		if (ok) {
			if (out->n > 0)
				buf_adds(out, "\r\n ");
			buf_add(out, span_sub(value, from, to - from + 1));
		}
		value = span_from(value, to + 1);
	}
}

/* RFC 3834 section 3.1.5, RFC 5322 section 3.6.4. */
static void
put_references(struct buf *out, struct span header)
{
	struct buf refs = BUF_INIT(REFERENCES_MAX), id = BUF_INIT(1000);
	struct span value;

	if (header_get(header, SPAN("Message-ID"), &value))
		put_ids(&id, value);
	if (header_get(header, SPAN("References"), &value) || header_get(header, SPAN("In-Reply-To"), &value))
		put_ids(&refs, span_sub(value, 0, REFERENCES_MAX / 2));
	if (id.n > 0 && !id.failed) {
		buf_addf(out, "In-Reply-To: %.*s\r\n", SPAN_ARG(buf_span(&id)));
		if (refs.failed)
			buf_reset(&refs);
		if (refs.n > 0)
			buf_adds(&refs, "\r\n ");
		buf_add(&refs, buf_span(&id));
		buf_addf(out, "References: %.*s\r\n", SPAN_ARG(buf_span(&refs)));
	}
	buf_clear(&refs);
	buf_clear(&id);
}

/* :mime (RFC 5230 section 4.3): the reason is an entity with its own fields; only those that describe it are taken. */
static void
put_entity(struct buf *out, struct span reason)
{
	struct header_iter it;
	struct header_field f;

	buf_adds(out, "MIME-Version: 1.0\r\n");
	header_begin(&it, reason, FIELDS_MAX, HEADER_MAX);
	while (header_next(&it, &f))
		if (span_istarts(f.name, SPAN("Content-")))
			sieve_compose_lines(out, f.raw);
	buf_adds(out, "\r\n");
	sieve_compose_lines(out, span_from(reason, it.pos));
}

/*
 * Whom the field To names: the envelope's sender, with the name that a field of the message gives to that address; or (a
 * setting) whoever the message itself says that it is from.
 */
static int
put_addressee(struct sieve_run *r, const struct sieve_node *n, const struct vacation *v, struct buf *out)
{
	static const char *const fields[] = { "Sender", "Resent-From", "From" };
	bool any = sieve_setting_bool(r->host, "sieve_vacation_to_header_ignore_envelope", false);
	struct address *list = NULL;
	struct span value;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		list = NULL;
		if (!header_get(r->message->header, span_str(fields[i]), &value))
			continue;
		if (address_parse(r->a, value, 10, &list, NULL) == -1)
			return sieve_run_fail(r, n, "the script needs too much memory");
		for (const struct address *ad = list; ad != NULL; ad = ad->next)
			if (ad->mailbox.n > 0 && ad->domain.n > 0 && (any || same_address(v->to, ad))) {
				sieve_compose_address(r, out, "To", ad);
				return 0;
			}
	}
	list = NULL;
	if (address_parse(r->a, v->to, 1, &list, NULL) == -1)
		return sieve_run_fail(r, n, "the script needs too much memory");
	if (list == NULL || list->mailbox.n == 0)
		return sieve_compose_addresses(r, n, out, "To", v->to);
	sieve_compose_address(r, out, "To", list);
	return 0;
}

static struct span
answerer(const struct sieve_run *r, const struct vacation *v)
{
	if (v->from.p != NULL)
		return v->from;
	if (v->matched.p != NULL)
		return v->matched;
	return r->host->user_address.n > 0 ? r->host->user_address : r->message->recipient;
}

int
vacation_compose(struct sieve_run *r, const struct sieve_node *n, const struct vacation *v, struct span *out)
{
	struct buf text = BUF_INIT(REPLY_MAX);
	int rc = -1;

	if (sieve_compose_start(r, n, &text, "vacation", v->to) == -1 ||
	    sieve_compose_addresses(r, n, &text, "From", answerer(r, v)) == -1 ||
	    put_addressee(r, n, v, &text) == -1 || put_subject(r, n, v, &text) == -1)
		goto out;
	put_references(&text, r->message->header);
	buf_adds(&text, "Auto-Submitted: auto-replied (vacation)\r\nX-Auto-Response-Suppress: All\r\nPrecedence: bulk\r\n");
	if (v->mime)
		put_entity(&text, v->reason);
	else
		sieve_compose_body(&text, v->reason);
	rc = text.failed ? sieve_run_fail(r, n, "the answer is too large") : sieve_run_dup(r, n, buf_span(&text), out);
out:
	buf_clear(&text);
	return rc;
}
