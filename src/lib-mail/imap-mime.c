/* SPDX-License-Identifier: MIT */
#include "lib-mail/imap-mime.h"

#include "lib-mail/address.h"
#include "lib-mail/lex.h"

/* Quoted strings are parts of a line, so that long ones are sent as literals. */
enum { QUOTED_OCTETS = 4096 };

enum { SCRATCH_MAX = 16 << 20 };	/* of memory for the addresses of one attached message */

/* How a field's value is made presentable. */
enum tidy {
	TIDY_UNFOLD,	/* line ends out, a bare CR becomes a space */
	TIDY_SPACES,	/* for text that people read: runs of white space become one space */
};

struct writer {
	struct buf *out;
	const struct mail_limits *lim;
	struct arena *scratch;		/* for envelopes of attached messages; made when one is met */
	struct buf text;		/* a value being made presentable */
	struct array *holes;
	bool failed;
};

enum { OCTET_PLAIN = 0, OCTET_ESCAPE = 1, OCTET_LITERAL = 2, OCTET_NUL = 4 };

static const unsigned char octets[256] = {
	['"'] = OCTET_ESCAPE, ['\\'] = OCTET_ESCAPE,
	['\r'] = OCTET_LITERAL, ['\n'] = OCTET_LITERAL, ['\0'] = OCTET_LITERAL | OCTET_NUL,
	[0x80 ... 0xff] = OCTET_LITERAL,
};

static void
add_literal(struct buf *out, struct span s, bool nul)
{
	size_t size = s.n, n;

	for (size_t i = 0; nul && i < s.n; i++)
		size += s.p[i] == '\0' ? 2 : 0;
	buf_addc(out, '{');
	buf_add_u64(out, size);
	buf_add(out, SPAN("}\r\n"));
	while ((n = span_chr(s, '\0')) < s.n) {
		buf_add(out, span_of(s.p, n));
		buf_add(out, SPAN("\xef\xbf\xbd"));
		s = span_from(s, n + 1);
	}
	buf_add(out, s);
}

void
imap_string_write(struct buf *out, struct span s)
{
	unsigned seen = s.n > QUOTED_OCTETS ? OCTET_LITERAL : 0;

	for (size_t i = 0; i < s.n; i++)
		seen |= octets[(unsigned char)s.p[i]];
	if ((seen & OCTET_LITERAL) != 0) {
		add_literal(out, s, (seen & OCTET_NUL) != 0);
		return;
	}
	buf_addc(out, '"');
	while ((seen & OCTET_ESCAPE) != 0 && s.n > 0) {
		size_t n = 0;

		while (n < s.n && octets[(unsigned char)s.p[n]] == OCTET_PLAIN)
			n++;
		buf_add(out, span_of(s.p, n));
		if (n < s.n) {
			buf_addc(out, '\\');
			buf_addc(out, s.p[n++]);
		}
		s = span_from(s, n);
	}
	buf_add(out, s);
	buf_addc(out, '"');
}

void
imap_nstring_write(struct buf *out, struct span s)
{
	if (s.p == NULL)
		buf_add(out, SPAN("NIL"));
	else
		imap_string_write(out, s);
}

/* Is s already as `how` would make it? */
static bool
is_tidy(struct span s, enum tidy how)
{
	char before = ' ';

	for (size_t i = 0; i < s.n; before = s.p[i++]) {
		char c = s.p[i];

		if (c == '\r' || c == '\n')
			return false;
		if (how == TIDY_SPACES && (c == '\t' || (c == ' ' && before == ' ')))
			return false;
	}
	return how == TIDY_UNFOLD || s.n == 0 || before != ' ';
}

static struct span
tidied(struct buf *text, struct span s, enum tidy how)
{
	if (is_tidy(s, how))
		return s;
	buf_reset(text);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\n' || (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')) {
			if (how == TIDY_UNFOLD)
				continue;
			c = ' ';
		}
		if (c == '\r' || (c == '\t' && how == TIDY_SPACES))
			c = ' ';
		if (how == TIDY_SPACES && c == ' ' && (text->n == 0 || text->p[text->n - 1] == ' '))
			continue;
		buf_addc(text, c);
	}
	if (how == TIDY_SPACES && text->n > 0 && text->p[text->n - 1] == ' ')
		text->n--;
	return text->n == 0 ? SPAN("") : buf_span(text);
}

/* A field's value as nstring, cut to the limit. */
static void
add_value(struct writer *w, struct span value, enum tidy how)
{
	imap_nstring_write(w->out, tidied(&w->text, span_sub(value, 0, w->lim->field_octets), how));
	w->failed |= w->text.failed;
}

static void
add_address(struct writer *w, const struct address *ad)
{
	buf_addc(w->out, '(');
	imap_nstring_write(w->out, tidied(&w->text, ad->name, TIDY_SPACES));
	buf_addc(w->out, ' ');
	imap_nstring_write(w->out, ad->route);
	buf_addc(w->out, ' ');
	imap_nstring_write(w->out, ad->mailbox);
	buf_addc(w->out, ' ');
	imap_nstring_write(w->out, ad->domain);
	buf_addc(w->out, ')');
}

static void
add_list(struct writer *w, const struct address *list)
{
	for (; list != NULL; list = list->next)
		add_address(w, list);
}

void
imap_addresses_write(struct buf *out, const struct address *list)
{
	struct writer w = { .out = out, .text = BUF_INIT(SCRATCH_MAX) };

	if (list == NULL) {
		buf_add(out, SPAN("NIL"));
		return;
	}
	buf_addc(out, '(');
	add_list(&w, list);
	buf_addc(out, ')');
	buf_clear(&w.text);
}

/* The addresses of all fields of one name as one list; false when there are none (and then nothing is written). */
static bool
add_addresses(struct writer *w, struct arena *a, const struct mime_value *values)
{
	size_t left = w->lim->addresses;
	bool any = false;

	for (; values != NULL && left > 0; values = values->next) {
		struct address *list = NULL;

		if (address_parse(a, span_sub(values->text, 0, w->lim->field_octets), left, &list, NULL) == -1) {
			w->failed = true;
			return any;
		}
		if (list != NULL && !any) {
			buf_addc(w->out, '(');
			any = true;
		}
		add_list(w, list);
		for (; list != NULL && left > 0; list = list->next)
			left--;
	}
	if (any)
		buf_addc(w->out, ')');
	return any;
}

static void
add_envelope(struct writer *w, struct arena *a, const struct mime_envelope *env)
{
	static const struct mime_envelope none;
	size_t from, from_size;

	if (env == NULL)
		env = &none;
	buf_addc(w->out, '(');
	add_value(w, env->date, TIDY_UNFOLD);
	buf_addc(w->out, ' ');
	add_value(w, env->subject, TIDY_SPACES);
	buf_addc(w->out, ' ');
	from = w->out->n;
	if (!add_addresses(w, a, env->from))
		buf_add(w->out, SPAN("NIL"));
	from_size = w->out->n - from;

	/* Where they are missing, sender and reply-to are as from (RFC 3501 section 7.4.2). */
	const struct mime_value *const senders[] = { env->sender, env->reply_to };
	const struct mime_value *const others[] = { env->to, env->cc, env->bcc };

	for (unsigned i = 0; i < 2; i++) {
		buf_addc(w->out, ' ');
		if (!add_addresses(w, a, senders[i]) && !w->out->failed &&
			(from_size <= w->out->cap - w->out->n || buf_grow(w->out, w->out->n + from_size)))
			buf_add(w->out, span_of(w->out->p + from, from_size));
	}
	for (unsigned i = 0; i < 3; i++) {
		buf_addc(w->out, ' ');
		if (!add_addresses(w, a, others[i]))
			buf_add(w->out, SPAN("NIL"));
	}
	buf_addc(w->out, ' ');
	add_value(w, env->in_reply_to, TIDY_UNFOLD);
	buf_addc(w->out, ' ');
	add_value(w, env->message_id, TIDY_UNFOLD);
	buf_addc(w->out, ')');
}

int
imap_envelope_write(struct buf *out, struct arena *a, const struct mime_envelope *env, const struct mail_limits *lim)
{
	struct writer w = { .out = out, .lim = lim, .text = BUF_INIT(lim->field_octets) };

	add_envelope(&w, a, env);
	buf_clear(&w.text);
	return w.failed ? -1 : 0;
}

/* params_join()'s consumer. */
struct param_list {
	struct writer *w;
	bool any, charset;
};

static void
add_param(void *ctx, struct span name, struct span value)
{
	struct param_list *l = ctx;

	buf_addc(l->w->out, l->any ? ' ' : '(');
	l->any = true;
	l->charset |= span_ieq(name, SPAN("charset"));
	imap_string_write(l->w->out, name);
	buf_addc(l->w->out, ' ');
	imap_string_write(l->w->out, span_sub(value, 0, l->w->lim->field_octets));
}

/* Text has a charset always: the one that is meant when none is given (RFC 2045 section 5.2). */
static void
add_params(struct writer *w, const struct params *ps, bool text)
{
	struct param_list l = { .w = w };

	params_join(ps, add_param, &l);
	if (text && !l.charset)
		add_param(&l, SPAN("charset"), SPAN("us-ascii"));
	buf_add(w->out, l.any ? SPAN(")") : SPAN("NIL"));
}

static void
add_languages(struct writer *w, struct span value)
{
	struct span s = span_sub(value, 0, w->lim->field_octets), tag;
	bool any = false;

	do {
		lex_cfws(&s);
		tag = lex_until(&s, ",;(\"");
		if (tag.n == 0)
			continue;
		buf_addc(w->out, any ? ' ' : '(');
		any = true;
		imap_string_write(w->out, tag);
	} while (lex_char(&s, ','));
	buf_add(w->out, any ? SPAN(")") : SPAN("NIL"));
}

/* Disposition, language and location: what all kinds of parts have at their end. */
static void
add_extension(struct writer *w, const struct mime_part *part)
{
	buf_addc(w->out, ' ');
	if (part->disposition.n == 0 && part->disposition_params.n == 0) {
		buf_add(w->out, SPAN("NIL"));
	} else {
		buf_addc(w->out, '(');
		/* What can not be read is to be kept apart from the text (RFC 2183 section 2.8). */
		imap_string_write(w->out, part->disposition.n == 0 ? SPAN("attachment") : part->disposition);
		buf_addc(w->out, ' ');
		add_params(w, &part->disposition_params, false);
		buf_addc(w->out, ')');
	}
	buf_addc(w->out, ' ');
	add_languages(w, part->language);
	buf_addc(w->out, ' ');
	add_value(w, part->location, TIDY_UNFOLD);
}

/* What was written since start is not in BODY. */
static void
add_hole(struct writer *w, size_t base, size_t start)
{
	struct imap_hole *hole;

	if (w->holes == NULL)
		return;
	hole = array_push(w->holes);
	if (hole == NULL || w->out->n - base > UINT32_MAX) {
		w->failed = true;
		return;
	}
	hole->offset = (uint32_t)(start - base);
	hole->size = (uint32_t)(w->out->n - start);
}

static void add_part(struct writer *w, const struct mime_part *part, bool extended, size_t base);

/* Stands for the part that a multipart or a message must have, where it has none. */
static void
add_empty_part(struct writer *w, bool extended, size_t base)
{
	size_t start;

	buf_add(w->out, SPAN("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0"));
	start = w->out->n;
	if (extended) {
		buf_add(w->out, SPAN(" NIL NIL NIL NIL"));
		add_hole(w, base, start);
	}
	buf_addc(w->out, ')');
}

static void
add_multipart(struct writer *w, const struct mime_part *part, bool extended, size_t base)
{
	size_t start;

	if (part->child == NULL)
		add_empty_part(w, extended, base);
	for (const struct mime_part *child = part->child; child != NULL; child = child->next)
		add_part(w, child, extended, base);
	buf_addc(w->out, ' ');
	imap_string_write(w->out, part->subtype);
	if (!extended)
		return;
	start = w->out->n;
	buf_addc(w->out, ' ');
	add_params(w, &part->params, false);
	add_extension(w, part);
	add_hole(w, base, start);
}

static void
add_message(struct writer *w, const struct mime_part *part, bool extended, size_t base)
{
	if (w->scratch == NULL)
		w->scratch = arena_new(SCRATCH_MAX);
	if (w->scratch == NULL) {
		w->failed = true;
		return;
	}
	buf_addc(w->out, ' ');
	add_envelope(w, w->scratch, part->child == NULL ? NULL : part->child->envelope);
	arena_reset(w->scratch);
	buf_addc(w->out, ' ');
	if (part->child == NULL)
		add_empty_part(w, extended, base);
	else
		add_part(w, part->child, extended, base);
}

static void
add_single(struct writer *w, const struct mime_part *part, bool extended, size_t base)
{
	size_t start;

	imap_string_write(w->out, part->type);
	buf_addc(w->out, ' ');
	imap_string_write(w->out, part->subtype);
	buf_addc(w->out, ' ');
	add_params(w, &part->params, (part->flags & MIME_TEXT) != 0);
	buf_addc(w->out, ' ');
	add_value(w, part->id, TIDY_UNFOLD);
	buf_addc(w->out, ' ');
	add_value(w, part->description, TIDY_UNFOLD);
	buf_addc(w->out, ' ');
	imap_string_write(w->out, part->encoding.p == NULL ? SPAN("7bit") : part->encoding);
	buf_addc(w->out, ' ');
	buf_add_u64(w->out, part->body.virt);
	if ((part->flags & MIME_MESSAGE) != 0)
		add_message(w, part, extended, base);
	if ((part->flags & (MIME_MESSAGE | MIME_TEXT)) != 0) {
		buf_addc(w->out, ' ');
		buf_add_u64(w->out, part->body.lines);
	}
	if (!extended)
		return;
	start = w->out->n;
	buf_addc(w->out, ' ');
	add_value(w, part->md5, TIDY_UNFOLD);
	add_extension(w, part);
	add_hole(w, base, start);
}

/* The recursion is as deep as the parts are: mail_limits' mime_depth. */
static void
add_part(struct writer *w, const struct mime_part *part, bool extended, size_t base)
{
	if (w->failed || w->out->failed)
		return;
	buf_addc(w->out, '(');
	if ((part->flags & MIME_MULTIPART) != 0)
		add_multipart(w, part, extended, base);
	else
		add_single(w, part, extended, base);
	buf_addc(w->out, ')');
}

static int
write_structure(struct writer *w, const struct mime_part *root, bool extended)
{
	w->text = BUF_INIT(w->lim->field_octets);
	add_part(w, root, extended, w->out->n);
	arena_free(w->scratch);
	buf_clear(&w->text);
	return w->failed ? -1 : 0;
}

int
imap_bodystructure_write(struct buf *out, const struct mime_part *root, const struct mail_limits *lim,
	struct array *holes)
{
	struct writer w = { .out = out, .lim = lim, .holes = holes };

	return write_structure(&w, root, true);
}

int
imap_body_write(struct buf *out, const struct mime_part *root, const struct mail_limits *lim)
{
	struct writer w = { .out = out, .lim = lim };

	return write_structure(&w, root, false);
}
