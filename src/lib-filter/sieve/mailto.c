/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/mailto.h"

#include "lib/encode.h"
#include "lib-filter/sieve/check.h"
#include "lib-mail/address.h"

static const char no_memory[] = "the script needs too much memory";

/* Percent encoding undone; false: it is broken, or the text is not UTF-8.  Line ends stay only in the body. */
static bool
decode(struct arena *a, struct span in, bool lines, struct span *out)
{
	struct buf text = BUF_INIT(MAILTO_MAX);
	bool ok = true;

	for (size_t i = 0; i < in.n && ok; i++) {
		char c = in.p[i];

		if (c == '%') {
			int hi = in.n - i > 2 ? hex_value(in.p[i + 1]) : -1, lo = hi < 0 ? -1 : hex_value(in.p[i + 2]);

			ok = lo >= 0;
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		if ((unsigned char)c < ' ' && !(lines && (c == '\r' || c == '\n')) && c != '\t')
			ok = false;
		if (ok)
			buf_addc(&text, c);
	}
	ok = ok && !text.failed && utf8_is_valid(buf_span(&text));
	*out = ok ? arena_dup(a, buf_span(&text)) : SPAN_NONE;
	buf_clear(&text);
	return out->p != NULL;
}

static const char *
add_recipients(struct arena *a, struct mailto *m, struct span list)
{
	struct address *ad = NULL;
	bool truncated = false;

	if (address_parse(a, list, MAILTO_RECIPIENTS_MAX + 1, &ad, &truncated) == -1)
		return no_memory;
	for (; ad != NULL; ad = ad->next) {
		struct buf bare = BUF_INIT(1000);
		struct span s;
		bool known = false;

		if (ad->flags & ADDRESS_INVALID || address_is_group_start(ad) || address_is_group_end(ad))
			return "it names something that is no address";
		address_write(&bare, ad);
		s = bare.failed ? SPAN_NONE : arena_dup(a, buf_span(&bare));
		buf_clear(&bare);
		if (s.p == NULL)
			return no_memory;
		if (!sieve_is_address(s))
			return "it names something that is no address";
		for (size_t i = 0; i < m->recipient_count; i++)
			known = known || span_ieq(m->recipients[i], s);
		if (known)
			continue;
		if (m->recipient_count == MAILTO_RECIPIENTS_MAX)
			return "it names too many addresses";
		m->recipients[m->recipient_count++] = s;
	}
	return truncated ? "it names too many addresses" : NULL;
}

/* RFC 5436 section 2.5: these are the server's alone. */
static bool
is_ours(struct span name)
{
	static const char *const names[] = { "From", "Sender", "Reply-To", "Date", "Message-ID", "Received", "Return-Path",
		"Auto-Submitted", "Delivered-To", "MIME-Version", "X-Priority", "Importance", "Precedence" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(name, span_str(names[i])))
			return true;
	return span_istarts(name, SPAN("Resent-")) || span_istarts(name, SPAN("Content-"));
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0;
}

static const char *
append_list(struct arena *a, struct span *list, struct span more)
{
	*list = list->n == 0 ? more : span_str(arena_printf(a, "%.*s, %.*s", SPAN_ARG(*list), SPAN_ARG(more)));
	return list->p == NULL ? no_memory : NULL;
}

static const char *
add_field(struct arena *a, struct mailto *m, struct span pair)
{
	size_t eq = span_chr(pair, '=');
	struct span name, value;
	const char *bad;
	bool body;

	if (eq == pair.n || !decode(a, span_sub(pair, 0, eq), false, &name) || !is_name(name))
		return "a field of it has no name";
	body = span_ieq(name, SPAN("body"));
	if (!decode(a, span_from(pair, eq + 1), body, &value))
		return "what is encoded in it is broken";
	if (body) {
		m->body = value;
	} else if (span_ieq(name, SPAN("subject"))) {
		m->subject = value;
	} else if (span_ieq(name, SPAN("to")) || span_ieq(name, SPAN("cc"))) {
		bad = add_recipients(a, m, value);
		return bad != NULL ? bad : append_list(a, ascii_lower(name.p[0]) == 't' ? &m->to : &m->cc, value);
	} else if (span_ieq(name, SPAN("bcc"))) {
		return add_recipients(a, m, value);
	} else if (!is_ours(name)) {
		if (m->field_count == MAILTO_FIELDS_MAX)
			return "it has too many fields";
		m->fields[m->field_count++] = (struct mailto_field){ name, value };
	}
	return NULL;
}

const char *
mailto_parse(struct arena *a, struct span uri, struct mailto *out)
{
	struct span rest, path, pair;
	const char *bad = NULL;

	*out = (struct mailto){ .recipient_count = 0 };
	if (!span_istarts(uri, SPAN("mailto:")))
		return "it is no mailto: URI";
	if (uri.n > MAILTO_MAX)
		return "it is too long";
	rest = span_from(uri, 7);
	path = span_sub(rest, 0, span_chr(rest, '?'));
	rest = span_from(rest, path.n + 1);
	for (size_t i = 0; i < uri.n; i++)
		if (strchr("<>\"", uri.p[i]) != NULL && uri.p[i] != '\0')
			return "it has a character that must be encoded";
	if (span_chr(path, ';') < path.n)
		return "there is a comma between addresses";
	if (!decode(a, path, false, &path))
		return "what is encoded in it is broken";
	if (path.n > 0 && (bad = add_recipients(a, out, path)) != NULL)
		return bad;
	out->to = path;
	/* What follows "#" is for programs that show something. */
	rest = span_sub(rest, 0, span_chr(rest, '#'));
	while (bad == NULL && span_next(&rest, '&', &pair))
		bad = add_field(a, out, pair);
	return bad;
}
