/* SPDX-License-Identifier: MIT */
/* replace and enclose (RFC 5703 sections 6 and 7). */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-mail/date.h"
#include "lib-mail/encoded-word.h"
#include "lib/encode.h"

#define FIELDS_MAX 100000
#define HEADER_MAX ((size_t)16 << 20)
#define TEXT_MAX ((size_t)8 << 20)

static int
finish(struct sieve_run *r, const struct sieve_node *n, struct buf *b, struct span *out)
{
	int rc = b->failed ? sieve_run_fail(r, n, "the message grows too large") : sieve_run_dup(r, n, buf_span(b), out);

	buf_clear(b);
	return rc;
}

/* "Name: text" of a script: no line ends get into it but those of folding. */
static void
put_field(const struct sieve_run *r, struct buf *out, const char *name, struct span text)
{
	struct buf plain = BUF_INIT(TEXT_MAX), encoded = BUF_INIT(4 * TEXT_MAX);

	for (size_t i = 0; i < text.n; i++)
		buf_addc(&plain, (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i]);
	encoded_word_encode(&encoded, span_trim(buf_span(&plain)));
	buf_addf(out, "%s: ", name);
	sieve_message_put_lines(r, out, buf_span(&encoded));
	buf_add(out, sieve_message_eol(r));
	out->failed = out->failed || plain.failed || encoded.failed;
	buf_clear(&plain);
	buf_clear(&encoded);
}

static void
put_raw(const struct sieve_run *r, struct buf *out, struct span raw)
{
	sieve_message_put_lines(r, out, raw);
	if (raw.n > 0 && raw.p[raw.n - 1] != '\n')
		buf_add(out, sieve_message_eol(r));
}

static bool
has_dashes(struct span text)
{
	return span_starts(text, SPAN("--")) || span_find(text, SPAN("\n--")) != SIZE_MAX;
}

static bool
is_ascii(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] >= 0x80 || text.p[i] == '\0')
			return false;
	return true;
}

/* The fields of a text part, an empty line, and the text.  Lines that could be a boundary are hidden in base64. */
static void
put_text_entity(const struct sieve_run *r, struct buf *out, struct span text)
{
	struct span eol = sieve_message_eol(r);
	bool hide = has_dashes(text);

	buf_addf(out, "Content-Type: text/plain; charset=utf-8%.*sContent-Transfer-Encoding: %s%.*s", SPAN_ARG(eol),
	    hide ? "base64" : is_ascii(text) ? "7bit" : "8bit", SPAN_ARG(eol));
	buf_add(out, eol);
	if (!hide) {
		sieve_message_put_lines(r, out, text);
		return;
	}
	for (size_t at = 0; at < text.n; at += 57) {
		base64_encode(out, span_sub(text, at, 57));
		buf_add(out, eol);
	}
}

/* ---- replace ---- */

static int
argument(struct sieve_run *r, const struct sieve_node *n, enum sieve_tag tag, struct span *out)
{
	const struct sieve_tagged *t = sieve_tag_get(n, tag);

	*out = SPAN_NONE;
	return t == NULL ? 0 : sieve_run_string(r, n, t->value->strings[0], out);
}

/* A field that is given anew keeps its old value under another name. */
static bool
put_renamed(const struct sieve_run *r, struct buf *out, const struct header_field *f, const char *name, struct span given)
{
	if (given.p == NULL || !span_ieq(f->name, span_str(name)))
		return false;
	buf_adds(out, "Original-");
	put_raw(r, out, f->raw);
	return true;
}

/* The message's own fields, without those that say what its body was. */
static void
put_kept_fields(const struct sieve_run *r, struct buf *out, struct span subject, struct span from)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, r->message->header, FIELDS_MAX, HEADER_MAX);
	while (header_next(&it, &f)) {
		if (span_istarts(f.name, SPAN("Content-")) || span_ieq(f.name, SPAN("MIME-Version")))
			continue;
		if (put_renamed(r, out, &f, "Subject", subject) || put_renamed(r, out, &f, "From", from))
			continue;
		put_raw(r, out, f.raw);
	}
	if (subject.p != NULL)
		put_field(r, out, "Subject", subject);
	if (from.p != NULL)
		put_field(r, out, "From", from);
	buf_adds(out, "MIME-Version: 1.0");
	buf_add(out, sieve_message_eol(r));
}

/* The message itself: its header stays. */
static int
replace_all(struct sieve_run *r, const struct sieve_node *n, struct span text)
{
	struct buf out = BUF_INIT(2 * HEADER_MAX + 2 * TEXT_MAX);
	struct span subject, from, whole;

	if (argument(r, n, TAG_SUBJECT, &subject) == -1 || argument(r, n, TAG_FROM, &from) == -1)
		return -1;
	put_kept_fields(r, &out, subject, from);
	if (sieve_tag_get(n, TAG_MIME) == NULL) {
		put_text_entity(r, &out, text);
	} else {
		struct header_iter it;
		struct header_field f;

		header_begin(&it, text, FIELDS_MAX, HEADER_MAX);
		while (header_next(&it, &f))
			if (span_istarts(f.name, SPAN("Content-")))
				put_raw(r, &out, f.raw);
		buf_add(&out, sieve_message_eol(r));
		sieve_message_put_lines(r, &out, span_from(text, it.pos));
	}
	return finish(r, n, &out, &whole) == -1 ? -1 : sieve_message_set_text(r, n, whole);
}

static int
run_replace(struct sieve_run *r, const struct sieve_node *n)
{
	const struct mime_part *part = r->edits.part;
	struct buf out = BUF_INIT(4 * TEXT_MAX);
	struct span text, entity;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &text) == -1 || sieve_run_work(r, n, 1 + r->message->header.n / 64) == -1)
		return -1;
	if (r->edits.whole)
		return sieve_run_fail(r, n, "the message has been replaced or enclosed meanwhile");
	if (part == NULL || part->parent == NULL) {
		r->edits.whole = part != NULL;
		return replace_all(r, n, text);
	}
	if (sieve_tag_get(n, TAG_MIME) != NULL)
		sieve_message_put_lines(r, &out, text);
	else
		put_text_entity(r, &out, text);
	return finish(r, n, &out, &entity) == -1 ? -1 : sieve_message_replace(r, n, part, entity);
}

/* ---- enclose ---- */

static bool
is_named(const struct span *names, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_ieq(names[i], name))
			return true;
	return false;
}

/* The new message's header, up to its type. */
static int
put_enclosing_fields(struct sieve_run *r, const struct sieve_node *n, struct buf *out)
{
	const struct sieve_tagged *t = sieve_tag_get(n, TAG_HEADERS);
	size_t count = t == NULL ? 0 : t->value->count;
	struct span *names = arena_alloc(r->a, count + 1, sizeof(*names)), subject, from = r->host->user_address;
	bool date = false, sender = false;
	struct header_iter it;
	struct header_field f;

	if (names == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	for (size_t i = 0; i < count; i++)
		if (sieve_run_string(r, n, t->value->strings[i], &names[i]) == -1)
			return -1;
	if (argument(r, n, TAG_SUBJECT, &subject) == -1)
		return -1;
	header_begin(&it, r->message->header, FIELDS_MAX, HEADER_MAX);
	while (header_next(&it, &f)) {
		bool is_subject = span_ieq(f.name, SPAN("Subject"));

		if (f.name.n == 0 || span_istarts(f.name, SPAN("Content-")) || span_ieq(f.name, SPAN("MIME-Version")))
			continue;
		if (is_subject ? subject.p != NULL : !is_named(names, count, f.name))
			continue;
		date = date || span_ieq(f.name, SPAN("Date"));
		sender = sender || span_ieq(f.name, SPAN("From"));
		put_raw(r, out, f.raw);
	}
	if (subject.p != NULL)
		put_field(r, out, "Subject", subject);
	if (!sender)
		put_field(r, out, "From", from.n > 0 ? from : r->message->recipient);
	if (!date) {
		buf_adds(out, "Date: ");
		date_write(out, (struct mail_date){ .time = sieve_run_now(r) });
		buf_add(out, sieve_message_eol(r));
	}
	return 0;
}

static int
run_enclose(struct sieve_run *r, const struct sieve_node *n)
{
	struct buf out;
	struct span text, whole, inside, mark, eol = sieve_message_eol(r), boundary;
	int rc = -1;

	if (sieve_run_string(r, n, n->pos[0]->strings[0], &text) == -1 || sieve_message_text(r, n, &whole) == -1 ||
	    sieve_run_work(r, n, 1 + whole.n / 256) == -1)
		return -1;
	inside = whole;
	/* Nobody can write a message that has its own digest in it. */
	if (sieve_run_mark(r, n, "enclose", (struct span[]){ text, whole }, 2, &mark) == -1)
		return -1;
	boundary = span_sub(mark, 8, 32);
	buf_init(&out, whole.n + HEADER_MAX + 2 * TEXT_MAX);
	if (put_enclosing_fields(r, n, &out) == -1)
		goto out;
	buf_addf(&out, "MIME-Version: 1.0%.*sContent-Type: multipart/mixed; boundary=\"=_%.*s\"%.*s%.*s", SPAN_ARG(eol),
	    SPAN_ARG(boundary), SPAN_ARG(eol), SPAN_ARG(eol));
	buf_addf(&out, "--=_%.*s%.*s", SPAN_ARG(boundary), SPAN_ARG(eol));
	put_text_entity(r, &out, text);
	buf_addf(&out, "%.*s--=_%.*s%.*sContent-Type: message/rfc822%.*sContent-Disposition: attachment%.*s%.*s", SPAN_ARG(eol),
	    SPAN_ARG(boundary), SPAN_ARG(eol), SPAN_ARG(eol), SPAN_ARG(eol), SPAN_ARG(eol));
	buf_add(&out, whole);
	buf_addf(&out, "%.*s--=_%.*s--%.*s", SPAN_ARG(eol), SPAN_ARG(boundary), SPAN_ARG(eol));
	rc = out.failed ? sieve_run_fail(r, n, "the message grows too large") : sieve_run_dup(r, n, buf_span(&out), &whole);
out:
	buf_clear(&out);
	if (rc == -1)
		return -1;
	/* What is redirected is not enclosed (RFC 5703 section 6). */
	if (r->edits.enclosed.p == NULL)
		r->edits.enclosed = inside;
	/* In a loop: its parts are those of the message inside, which can not be changed any more. */
	r->edits.whole = r->edits.loops > 0;
	return sieve_message_set_text(r, n, whole);
}

static const struct sieve_tag_use replace_tags[] = {
	{ TAG_MIME, EXT_REPLACE }, { TAG_SUBJECT, EXT_REPLACE }, { TAG_FROM, EXT_REPLACE }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use enclose_tags[] = {
	{ TAG_SUBJECT, EXT_ENCLOSE }, { TAG_HEADERS, EXT_ENCLOSE }, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_replace[] = {
	{ .name = "replace", .ext = EXT_REPLACE, .args = "S", .tags = replace_tags, .run = run_replace },
	{ .name = "enclose", .ext = EXT_ENCLOSE, .args = "S", .tags = enclose_tags, .run = run_enclose },
	{ .name = NULL },
};
