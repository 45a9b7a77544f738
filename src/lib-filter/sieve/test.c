/* SPDX-License-Identifier: MIT */
/* Tests of the message: address, header, exists, size (RFC 5228 section 5), envelope; :user and :detail (RFC 5233). */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/dsn.h"
#include "lib-filter/sieve/mime.h"
#include "lib-filter/sieve/path.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/address.h"
#include "lib-mail/header.h"

#define ADDRESSES_MAX 5000
#define FIELDS_MAX 10000
#define HEADER_MAX ((size_t)4 << 20)

int
sieve_check_match(struct sieve_checker *c, struct sieve_node *n)
{
	static const struct {
		enum sieve_tag tag;
		enum sieve_match_type type;
	} types[] = {
		{ TAG_IS, SIEVE_IS }, { TAG_CONTAINS, SIEVE_CONTAINS }, { TAG_MATCHES, SIEVE_MATCHES },
		{ TAG_COUNT_REL, SIEVE_COUNT }, { TAG_VALUE_REL, SIEVE_VALUE }, { TAG_REGEX, SIEVE_REGEX }, { TAG_LIST, SIEVE_LIST },
	};
	static const struct {
		enum sieve_tag tag;
		enum sieve_part part;
	} parts[] = {
		{ TAG_LOCALPART, SIEVE_LOCALPART }, { TAG_DOMAIN, SIEVE_DOMAIN }, { TAG_ALL, SIEVE_ALL }, { TAG_USER, SIEVE_USER },
		{ TAG_DETAIL, SIEVE_DETAIL },
	};
	static const enum sieve_ext comparators[] = { EXT_CORE, EXT_CORE, EXT_CMP_NUMERIC, EXT_CMP_UNICODE };
	struct sieve_match *m = n->extra = arena_alloc(c->a, 1, sizeof(*m));
	const struct sieve_tagged *t;

	if (m == NULL)
		return sieve_fail(c, n, "the script is too large");
	m->comparator = SIEVE_CASEMAP;
	if ((t = sieve_tag_get(n, TAG_COMPARATOR)) != NULL) {
		struct span name = t->value->strings[0];

		if (!sieve_comparator_find(name, &m->comparator))
			return sieve_fail(c, n, "there is no comparator \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
		if (!extset_has(&c->required, comparators[m->comparator]))
			return sieve_fail(c, n, "needs require \"%s\"", sieve_extensions[comparators[m->comparator]].name);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if ((t = sieve_tag_get(n, types[i].tag)) == NULL)
			continue;
		m->type = types[i].type;
		if (t->value != NULL && !sieve_relation_find(t->value->strings[0], &m->relation))
			return sieve_fail(c, n, "there is no relation \"%.*s\"", SPAN_ARG(span_sub(t->value->strings[0], 0, 60)));
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (sieve_tag_get(n, parts[i].tag) != NULL)
			m->part = parts[i].part;
	if (m->comparator == SIEVE_NUMERIC && (m->type == SIEVE_CONTAINS || m->type == SIEVE_MATCHES || m->type == SIEVE_REGEX))
		return sieve_fail(c, n, "the comparator i;ascii-numeric knows no substrings");
	return m->type == SIEVE_REGEX ? sieve_check_regex(c, n, m) : 0;
}

static int
check_header(struct sieve_checker *c, struct sieve_node *n)
{
	/* A name that no field has is no mistake: no field has it (RFC 5228 section 2.4.2.2). */
	return sieve_check_index(c, n) == -1 || sieve_check_mime(c, n) == -1 ? -1 : sieve_check_match(c, n);
}

static int
check_exists(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_mime(c, n);
}

/* RFC 5228 section 5.1: only fields that hold addresses. */
static int
check_address(struct sieve_checker *c, struct sieve_node *n)
{
	static const char *const fields[] = {
		"From", "To", "Cc", "Bcc", "Sender", "Reply-To", "Resent-From", "Resent-To", "Resent-Cc", "Resent-Bcc",
		"Resent-Sender", "Resent-Reply-To", "Return-Path", "Delivered-To", "Envelope-To", "X-Original-To", "Errors-To",
		"Mail-Followup-To", "Mail-Reply-To", "Disposition-Notification-To", "Return-Receipt-To", "Abuse-Reports-To",
		"X-Beenthere", "X-Envelope-From", "X-Envelope-To", "List-Post",
	};
	const struct sieve_arg *names = n->pos[0];

	if (check_header(c, n) == -1)
		return -1;
	for (size_t i = 0; i < names->count; i++) {
		size_t k = 0;

		while (k < sizeof(fields) / sizeof(fields[0]) && !span_ieq(names->strings[i], span_str(fields[k])))
			k++;
		if (k == sizeof(fields) / sizeof(fields[0]) && sieve_is_constant(c, names->strings[i]))
			return sieve_mistake(c->mistakes, n->line, "the field '%.*s' is not allowed in the address test: it holds no addresses",
			    SPAN_ARG(span_sub(names->strings[i], 0, 60)));
	}
	return 0;
}

static int
check_envelope(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_arg *names = n->pos[0];

	for (size_t i = 0; i < names->count; i++) {
		struct span name = names->strings[i];

		if (sieve_dsn_item(name) != EXT_CORE) {
			if (!extset_has(&c->required, sieve_dsn_item(name)))
				return sieve_fail(c, n, "\"%.*s\" needs require \"%s\"", SPAN_ARG(name),
				    sieve_extensions[sieve_dsn_item(name)].name);
			continue;
		}
		if (sieve_is_constant(c, name) && !span_ieq(name, SPAN("from")) && !span_ieq(name, SPAN("to")) &&
		    !span_ieq(name, SPAN("auth")) && !span_ieq(name, SPAN("orig_to")))
			return sieve_fail(c, n, "the envelope has no \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
	}
	return sieve_check_match(c, n);
}

static int
check_size(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_tag_get(n, TAG_OVER) == NULL && sieve_tag_get(n, TAG_UNDER) == NULL ?
	    sieve_fail(c, n, "takes :over or :under") : 0;
}

/* The fields of one header that have the name x->field. */
static int
fields_in(struct sieve_matching *x, struct span header)
{
	struct header_iter it;
	struct header_field f;
	int rc = 0;

	if (sieve_run_work(x->r, x->n, 1 + header.n / 1024) == -1)
		return -1;
	header_begin(&it, header, FIELDS_MAX, HEADER_MAX);
	while (rc == 0 && header_next(&it, &f)) {
		if (!span_ieq(f.name, x->field))
			continue;
		x->fields++;
		if (x->on_field != NULL && (x->fields == x->want || x->want == 0))
			rc = x->on_field(x, f.value);
	}
	return rc;
}

static int
fields_named(struct sieve_matching *x, struct span name)
{
	x->field = name;
	return sieve_tag_get(x->n, TAG_MIME) != NULL ? sieve_mime_each_header(x, fields_in) : fields_in(x, x->r->message->header);
}

static int
fields_of(struct sieve_matching *x, const struct sieve_arg *names, sieve_field_fn *fn)
{
	int rc = 0;

	x->fields = 0;
	x->on_field = fn;
	for (size_t i = 0; i < names->count && rc == 0; i++) {
		struct span name;

		rc = sieve_run_string(x->r, x->n, names->strings[i], &name) == -1 ? -1 : fields_named(x, name);
	}
	return rc;
}

/* RFC 5260 section 6: what :index counts is fields that are named, by whichever of the names; those of the first name first. */
int
sieve_each_field(struct sieve_matching *x, const struct sieve_arg *names, sieve_field_fn *fn)
{
	const struct sieve_tagged *index = sieve_tag_get(x->n, TAG_INDEX);

	x->want = index == NULL ? x->only_first : index->value->number;
	if (sieve_tag_get(x->n, TAG_LAST) != NULL) {
		if (fields_of(x, names, NULL) == -1)
			return -1;
		if (x->want > x->fields)
			return 0;
		x->want = x->fields - x->want + 1;
	}
	return fields_of(x, names, fn);
}

static int
on_header(struct sieve_matching *x, struct span raw)
{
	struct span value;

	if (sieve_mime_is_partial(x->n))
		return sieve_mime_value(x, x->field, raw);
	return sieve_run_decode(x->r, x->n, raw, &value) == -1 ? -1 : sieve_matching_value(x, value);
}

static int
test_fields(struct sieve_run *r, const struct sieve_node *n, sieve_field_fn *fn)
{
	struct sieve_matching x;
	int rc;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1)
		return -1;
	rc = sieve_each_field(&x, n->pos[0], fn);
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static int
test_header(struct sieve_run *r, const struct sieve_node *n)
{
	return test_fields(r, n, on_header);
}

/* False: the address has no such part (RFC 5233 section 4: without detail :detail matches nothing). */
static bool
part_of(const struct sieve_matching *x, struct span local, struct span domain, struct span all, struct span *out)
{
	struct span delimiters = sieve_setting_text(x->r->host, "recipient_delimiter");
	size_t plus = 0;

	if (delimiters.n == 0)
		delimiters = SPAN("+");
	while (plus < local.n && span_chr(delimiters, local.p[plus]) == delimiters.n)
		plus++;
	switch (x->m->part) {
	case SIEVE_ALL:
		*out = all;
		return true;
	case SIEVE_LOCALPART:
		*out = local;
		return true;
	case SIEVE_DOMAIN:
		*out = domain;
		return true;
	case SIEVE_USER:
		*out = span_sub(local, 0, plus);
		return true;
	case SIEVE_DETAIL:
		*out = span_from(local, plus + 1);
		return plus < local.n;
	}
	return false;
}

static int
match_address(struct sieve_matching *x, const struct address *ad)
{
	struct buf all = BUF_INIT(65536);
	struct span text, part;

	buf_add(&all, ad->mailbox);
	if (ad->domain.n > 0) {
		buf_addc(&all, '@');
		buf_add(&all, ad->domain);
	}
	text = arena_dup(x->r->a, buf_span(&all));
	buf_clear(&all);
	if (text.p == NULL)
		return sieve_run_fail(x->r, x->n, "the script needs too much memory");
	return part_of(x, ad->mailbox, ad->domain, text, &part) ? sieve_matching_value(x, part) : 0;
}

/* What is no address is compared only as a whole (RFC 5228 section 2.7.4), as it is written. */
static int
match_whole(struct sieve_matching *x, struct span raw)
{
	struct buf line = BUF_INIT(HEADER_MAX);
	struct span text;

	if (x->m->part != SIEVE_ALL)
		return 0;
	header_unfold(&line, raw);
	text = arena_dup(x->r->a, span_trim(buf_span(&line)));
	buf_clear(&line);
	return text.p == NULL ? sieve_run_fail(x->r, x->n, "the script needs too much memory") : sieve_matching_value(x, text);
}

static int
on_address(struct sieve_matching *x, struct span raw)
{
	struct address *list = NULL;
	bool any = false, bad = false;
	int rc = 0;

	if (sieve_run_work(x->r, x->n, raw.n / 64) == -1)
		return -1;
	if (address_parse(x->r->a, raw, ADDRESSES_MAX, &list, NULL) == -1)
		return sieve_run_fail(x->r, x->n, "the script needs too much memory");
	for (const struct address *ad = list; ad != NULL && rc == 0; ad = ad->next) {
		if (address_is_group_start(ad) || address_is_group_end(ad))
			continue;
		bad = bad || (ad->flags & ADDRESS_INVALID) != 0;
		if (!(ad->flags & ADDRESS_INVALID)) {
			any = true;
			rc = match_address(x, ad);
		}
	}
	/* Neither a group without members nor a comment is to be looked at, but a field without anything is empty. */
	return rc != 0 || any || !(bad || span_trim(raw).n == 0) ? rc : match_whole(x, raw);
}

static int
test_address(struct sieve_run *r, const struct sieve_node *n)
{
	return test_fields(r, n, on_address);
}

static int
match_user(struct sieve_matching *x, struct span name)
{
	size_t at = name.n;
	struct span part;

	while (at > 0 && name.p[at - 1] != '@')
		at--;
	return part_of(x, span_sub(name, 0, at == 0 ? name.n : at - 1), at == 0 ? SPAN("") : span_from(name, at), name,
	    &part) ? sieve_matching_value(x, part) : 0;
}

static int
match_path(struct sieve_matching *x, struct span path)
{
	/* The empty path of a bounce is "" in every part (RFC 5228 section 5.4). */
	if (path.n == 0)
		return x->m->part == SIEVE_DETAIL ? 0 : sieve_matching_value(x, SPAN(""));
	/* Who made it no address meant none: it matches nothing. */
	if (!sieve_path_is_valid(path))
		return 0;
	return match_user(x, path);
}

static int
test_envelope(struct sieve_run *r, const struct sieve_node *n)
{
	const struct filter_message *m = r->message;
	struct sieve_matching x;
	int rc = 0;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1)
		return -1;
	for (size_t i = 0; i < n->pos[0]->count && rc == 0; i++) {
		struct span name;

		if (sieve_run_string(r, n, n->pos[0]->strings[i], &name) == -1)
			return -1;
		if (span_ieq(name, SPAN("from")))
			rc = match_path(&x, m->sender);
		else if (span_ieq(name, SPAN("to")))
			rc = match_path(&x, m->recipient);
		else if (span_ieq(name, SPAN("orig_to")))
			rc = match_path(&x, m->orig_recipient.n > 0 ? m->orig_recipient : m->recipient);
		else if (span_ieq(name, SPAN("auth")) && m->auth_user.n > 0)
			rc = match_user(&x, m->auth_user);
		else if (sieve_dsn_item(name) != EXT_CORE && extset_has(&r->script->required, sieve_dsn_item(name)))
			rc = sieve_dsn_match(&x, name);
	}
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static int
on_exists(struct sieve_matching *x, struct span raw)
{
	(void)x;
	(void)raw;
	return 1;
}

static int
test_exists(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_matching x = { .r = r, .n = n, .on_field = on_exists };
	int rc = 1;

	for (size_t i = 0; i < n->pos[0]->count && rc == 1; i++) {
		struct span name;

		rc = sieve_run_string(r, n, n->pos[0]->strings[i], &name) == -1 ? -1 : fields_named(&x, name);
	}
	return rc;
}

static int
test_size(struct sieve_run *r, const struct sieve_node *n)
{
	uint64_t size = r->message->header.n + r->message->body.n, limit = n->pos[0]->number;

	return sieve_tag_get(n, TAG_OVER) != NULL ? size > limit : size < limit;
}

static const struct sieve_tag_use match_tags[] = { SIEVE_MATCH_TAGS, SIEVE_INDEX_TAGS, SIEVE_MIME_TAGS, SIEVE_MIME_FIELD_TAGS,
	{ TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use exists_tags[] = { SIEVE_MIME_TAGS, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use address_tags[] = { SIEVE_MATCH_TAGS, SIEVE_PART_TAGS, SIEVE_INDEX_TAGS, SIEVE_MIME_TAGS,
	{ TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use envelope_tags[] = { SIEVE_MATCH_TAGS, SIEVE_PART_TAGS, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use size_tags[] = { { TAG_OVER, EXT_CORE }, { TAG_UNDER, EXT_CORE }, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_test[] = {
	{ .name = "header", .is_test = true, .args = "LL", .arg_names = { "header names", "key list" }, .tags = match_tags,
	    .check = check_header, .run = test_header },
	{ .name = "address", .is_test = true, .args = "LL", .arg_names = { "header list", "key list" }, .tags = address_tags,
	    .check = check_address, .run = test_address },
	{ .name = "envelope", .is_test = true, .ext = EXT_ENVELOPE, .args = "LL", .arg_names = { "envelope parts", "key list" },
	    .tags = envelope_tags, .check = check_envelope, .run = test_envelope },
	{ .name = "exists", .is_test = true, .args = "L", .tags = exists_tags, .check = check_exists, .run = test_exists },
	{ .name = "size", .is_test = true, .args = "N", .tags = size_tags, .check = check_size, .run = test_size },
	{ .name = NULL },
};
