/* SPDX-License-Identifier: MIT */
/* editheader (RFC 5293): fields are put into the header of the message, or taken out of it. */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/encoded-word.h"
#include "lib-mail/header.h"

#define FIELDS_MAX 100000
#define HEADER_MAX ((size_t)16 << 20)
#define FIELD_MAX_DEFAULT 2048
#define FIELD_MAX_LEAST 1024
#define FOLD_AT 78			/* RFC 5322 section 2.1.1 */

/* A word of the settings "Name Name ..." (with an optional colon). */
static bool
is_listed(const struct sieve_run *r, const char *setting, struct span name)
{
	struct span list = sieve_setting_text(r->host, setting), word;

	while (span_next(&list, ' ', &word))
		if (span_ieq(word, name))
			return true;
	return false;
}

/* RFC 5293 section 4: what tells of the message's way, and of answers that programs gave, is never taken out. */
static bool
may_delete(const struct sieve_run *r, struct span name)
{
	if (span_ieq(name, SPAN("Received")) || span_ieq(name, SPAN("Auto-Submitted")))
		return false;
	return span_ieq(name, SPAN("Subject")) ||
	    (!is_listed(r, "sieve_editheader_protected", name) && !is_listed(r, "sieve_editheader_forbid_delete", name));
}

static bool
may_add(const struct sieve_run *r, struct span name)
{
	return span_ieq(name, SPAN("Subject")) ||
	    (!is_listed(r, "sieve_editheader_protected", name) && !is_listed(r, "sieve_editheader_forbid_add", name));
}

static bool
is_field_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':')
			return false;
	return s.n > 0;
}

static int
check_name(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_field_names(c, n, n->pos[0]);
}

static int
check_deleteheader(struct sieve_checker *c, struct sieve_node *n)
{
	if (check_name(c, n) == -1 || sieve_check_index(c, n) == -1)
		return -1;
	/* A match type without values to match has nothing to say. */
	return n->pos[1] == NULL ? 0 : sieve_check_match(c, n);
}

static uint64_t
value_max(const struct filter_host *host)
{
	uint64_t max = sieve_setting_size(host, "sieve_editheader_max_header_size", FIELD_MAX_DEFAULT);

	return max < FIELD_MAX_LEAST ? FIELD_MAX_LEAST : max;
}

static int
check_addheader(struct sieve_checker *c, struct sieve_node *n)
{
	struct span value = n->pos[1]->strings[0];

	if (check_name(c, n) == -1)
		return -1;
	if (!sieve_is_constant(c, value))
		return 0;
	if (span_chr(value, '\0') < value.n)
		return sieve_fail(c, n, "the value \"%.*s\" is invalid: it has a NUL",
		    SPAN_ARG(span_sub(value, 0, span_chr(value, '\0') < 60 ? span_chr(value, '\0') : 60)));
	return c->options->host != NULL && value.n > value_max(c->options->host) ? sieve_fail(c, n, "the value is too long") : 0;
}

static int
field_name(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	if (sieve_run_string(r, n, n->pos[0]->strings[0], out) == -1)
		return -1;
	return is_field_name(*out) ? 0 :
	    sieve_run_fail(r, n, "the field name \"%.*s\" is invalid", SPAN_ARG(span_sub(*out, 0, 60)));
}

/*
 * One line, or folded anew: text that is given folded is unfolded first, and any other line end becomes a space, so that none
 * ends the field early.  What is not ASCII becomes encoded words.
 */
static void
put_value(const struct sieve_run *r, struct buf *out, struct span name, struct span value)
{
	struct buf text = BUF_INIT(1 << 20), encoded = BUF_INIT(4 << 20);
	struct span eol = sieve_message_eol(r), rest;
	size_t column = name.n + 2;

	for (size_t i = 0; i < value.n; i++) {
		bool crlf = value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n', odd = value.p[i] == '\r' ||
		    value.p[i] == '\n' || value.p[i] == '\0';

		if (crlf || (odd && i + 1 < value.n && ascii_is_wsp(value.p[i + 1])))
			continue;
		buf_addc(&text, odd ? ' ' : value.p[i]);
	}
	encoded_word_encode(&encoded, span_trim(buf_span(&text)));
	/* Long lines of plain text are folded at their spaces; encoded words are folded already. */
	rest = buf_span(&encoded);
	while (rest.n > 0) {
		struct span word = span_sub(rest, 0, 1);
		size_t n = 1;

		while (n < rest.n && !ascii_is_wsp(rest.p[n]) && rest.p[n] != '\r')
			n++;
		word = span_sub(rest, 0, n);
		if (span_starts(word, SPAN("\r\n"))) {
			word = span_from(word, 2);
			buf_add(out, eol);
			column = 0;
		} else if (column > name.n + 2 && column + n > FOLD_AT && ascii_is_wsp(word.p[0])) {
			buf_add(out, eol);
			column = 0;
		}
		buf_add(out, word);
		column += word.n;
		rest = span_from(rest, n);
	}
	buf_add(out, eol);
	out->failed = out->failed || text.failed || encoded.failed;
	buf_clear(&text);
	buf_clear(&encoded);
}

static int
store_header(struct sieve_run *r, const struct sieve_node *n, struct buf *text)
{
	struct span header;
	int rc = text->failed ? sieve_run_fail(r, n, "the header grows too large") : sieve_run_dup(r, n, buf_span(text), &header);

	buf_clear(text);
	return rc == -1 ? -1 : sieve_message_set_header(r, n, header);
}

/* The header's fields, without the empty line at its end, if there is one. */
static struct span
fields_of(struct span header, struct span *blank)
{
	size_t n = header.n;

	if (n > 0 && header.p[n - 1] == '\n') {
		n -= n > 1 && header.p[n - 2] == '\r' ? 2 : 1;
		if (n > 0 && header.p[n - 1] != '\n')
			n = header.n;
	}
	*blank = span_from(header, n);
	return span_sub(header, 0, n);
}

static int
run_addheader(struct sieve_run *r, const struct sieve_node *n)
{
	struct buf text = BUF_INIT(2 * HEADER_MAX);
	struct span name, value, fields, blank;

	if (field_name(r, n, &name) == -1 || sieve_run_string(r, n, n->pos[1]->strings[0], &value) == -1 ||
	    sieve_run_work(r, n, 1 + (r->message->header.n + value.n) / 64) == -1)
		return -1;
	if (value.n > value_max(r->host))
		return sieve_run_fail(r, n, "the value of the field %.*s is too long", SPAN_ARG(span_sub(name, 0, 60)));
	/* Section 6: what may not be changed is left as it is; that is no error. */
	if (!may_add(r, name))
		return 0;
	fields = fields_of(r->message->header, &blank);
	if (sieve_tag_get(n, TAG_LAST) != NULL) {
		buf_add(&text, fields);
		if (fields.n > 0 && fields.p[fields.n - 1] != '\n')
			buf_add(&text, sieve_message_eol(r));
	}
	buf_addf(&text, "%.*s: ", SPAN_ARG(name));
	put_value(r, &text, name, value);
	if (sieve_tag_get(n, TAG_LAST) == NULL)
		buf_add(&text, fields);
	buf_add(&text, r->message->body.n > 0 && blank.n == 0 ? sieve_message_eol(r) : blank);
	return store_header(r, n, &text);
}

/* The fields of that name; their number in *count. */
static struct header_field *
find_fields(struct sieve_run *r, struct span name, size_t *count)
{
	struct header_field *list = NULL, f;
	struct header_iter it;
	size_t seen = 0;

	*count = 0;
	for (int pass = 0; pass < 2; pass++) {
		header_begin(&it, r->message->header, FIELDS_MAX, HEADER_MAX);
		while (header_next(&it, &f)) {
			if (!span_ieq(f.name, name))
				continue;
			if (pass == 0)
				seen++;
			else
				list[(*count)++] = f;
		}
		if (pass == 0 && (list = arena_alloc(r->a, seen + 1, sizeof(*list))) == NULL)
			return NULL;
	}
	return list;
}

/* 1: that field is to go; 0; -1. */
static int
is_meant(struct sieve_run *r, const struct sieve_node *n, const struct header_field *f)
{
	struct sieve_matching x;
	struct span value;

	if (n->pos[1] == NULL)
		return 1;
	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1 || sieve_run_decode(r, n, f->value, &value) == -1)
		return -1;
	x.forget = true;
	return sieve_matching_value(&x, value);
}

/* :count looks at all of them (section 5: as a test would), and then all go or none. */
static int
count_says(struct sieve_run *r, const struct sieve_node *n, size_t count)
{
	struct sieve_matching x;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1)
		return -1;
	x.count = count;
	return sieve_matching_end(&x);
}

static int
run_deleteheader(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *index = sieve_tag_get(n, TAG_INDEX);
	const struct sieve_match *m = n->extra;
	bool by_count = n->pos[1] != NULL && m->type == SIEVE_COUNT;
	struct buf text = BUF_INIT(2 * HEADER_MAX);
	struct header_field *list;
	size_t count, from = 0, to, at = 0;
	struct span name, header = r->message->header;
	int rc = 1;

	if (field_name(r, n, &name) == -1 || sieve_run_work(r, n, 1 + header.n / 64) == -1)
		return -1;
	if (!may_delete(r, name))
		return 0;
	list = find_fields(r, name, &count);
	if (list == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	to = count;
	if (index != NULL) {
		uint64_t k = index->value->number;

		if (k > count)
			return 0;
		from = sieve_tag_get(n, TAG_LAST) != NULL ? count - k : k - 1;
		to = from + 1;
	}
	if (by_count)
		rc = count_says(r, n, to - from);
	for (size_t i = from; i < to && rc != -1; i++) {
		if (!by_count)
			rc = is_meant(r, n, &list[i]);
		if (rc == 1) {
			size_t offset = (size_t)(list[i].raw.p - header.p);

			buf_add(&text, span_sub(header, at, offset - at));
			at = offset + list[i].raw.n;
		}
	}
	if (rc == -1 || at == 0) {
		buf_clear(&text);
		return rc == -1 ? -1 : 0;
	}
	buf_add(&text, span_from(header, at));
	return store_header(r, n, &text);
}

static const struct sieve_tag_use add_tags[] = { { TAG_LAST, EXT_EDITHEADER }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use delete_tags[] = {
	SIEVE_MATCH_TAGS, { TAG_INDEX, EXT_EDITHEADER }, { TAG_LAST, EXT_EDITHEADER }, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_editheader[] = {
	{ .name = "addheader", .ext = EXT_EDITHEADER, .args = "SS", .tags = add_tags, .check = check_addheader, .run = run_addheader },
	{ .name = "deleteheader", .ext = EXT_EDITHEADER, .args = "S?L", .tags = delete_tags, .check = check_deleteheader,
	    .run = run_deleteheader },
	{ .name = NULL },
};
