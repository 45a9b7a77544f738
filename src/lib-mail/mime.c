/* SPDX-License-Identifier: MIT */
/*
 * One pass from the front to the back.  A stack holds the boundaries of the multiparts that are open; the body of any
 * part inside ends at the first line that begins with one of them, wherever in the stack it is.  Sizes with CRLF line
 * ends and line counts come from one counter that moves along with the parser: a part remembers what it showed at its
 * beginning.
 */
#include "lib-mail/mime.h"

#include "lib-mail/crlf.h"
#include "lib-mail/lex.h"
#include "lib/encode.h"
#include "lib/lane.h"

/* More than RFC 2046 allows (70), and short enough that comparing a line with the whole stack stays cheap. */
enum { BOUNDARY_OCTETS = 1000 };

struct boundary {
	struct span text;
	struct mime_part *part;
};

struct parser {
	struct arena *arena;
	struct span msg;
	const struct mail_limits *lim;
	struct param_budget budget;
	struct boundary *stack;
	unsigned open, parts;
	struct crlf_count count;	/* of msg up to `counted` */
	size_t counted;
	mime_on_field on_field;
	void *ctx;
	bool nul;			/* there is one somewhere */
};

/* Where a line begins that has a boundary of the stack. */
struct delimiter {
	size_t offset, end;	/* of the line; end is behind its LF */
	unsigned idx;		/* in the stack */
	bool closing;
};

static void
count_to(struct parser *ps, size_t offset)
{
	if (offset <= ps->counted)
		return;
	crlf_count(&ps->count, span_of(ps->msg.p + ps->counted, offset - ps->counted),
		ps->counted == 0 ? '\0' : ps->msg.p[ps->counted - 1]);
	ps->counted = offset;
}

/* Until extent_end() the extent holds what the counter showed at its beginning. */
static void
extent_begin(struct parser *ps, struct mime_extent *x, size_t offset)
{
	count_to(ps, offset);
	*x = (struct mime_extent){ .offset = offset, .virt = ps->count.bare, .lines = ps->count.lines };
}

static void
extent_end(struct parser *ps, struct mime_extent *x, size_t offset)
{
	count_to(ps, offset);
	x->size = offset - x->offset;
	x->virt = x->size + ps->count.bare - x->virt;
	x->lines = ps->count.lines - x->lines;
}

static struct span
extent_span(const struct parser *ps, const struct mime_extent *x)
{
	return span_of(ps->msg.p + x->offset, x->size);
}

static size_t
line_end(const struct parser *ps, size_t offset)
{
	const char *lf = memchr(ps->msg.p + offset, '\n', ps->msg.n - offset);

	return lf == NULL ? ps->msg.n : (size_t)(lf - ps->msg.p) + 1;
}

/*
 * Does the line at offset, which begins with "--", have a boundary?  It is enough that it begins with it (RFC 2046
 * section 5.1.1); where one boundary is the beginning of another, the longer one is meant; of equal ones the innermost.
 */
static bool
delimiter_at(const struct parser *ps, size_t offset, struct delimiter *out)
{
	struct span line = span_of(ps->msg.p + offset, ps->msg.n - offset);
	size_t best = 0;

	for (unsigned i = ps->open; i-- > 0;) {
		struct span b = ps->stack[i].text;

		if (b.n > best && line.n - 2 >= b.n && line.p[2] == b.p[0] && memcmp(line.p + 2, b.p, b.n) == 0) {
			best = b.n;
			out->idx = i;
		}
	}
	if (best == 0)
		return false;
	line = span_from(line, 2 + best);
	out->closing = line.n >= 2 && line.p[0] == '-' && line.p[1] == '-';
	out->offset = offset;
	out->end = line_end(ps, offset);
	return true;
}

/* The index of the next "\n--" in s, or s.n. */
static size_t
find_dashes(struct span s)
{
	size_t i = 0;

	while (s.n - i >= sizeof(lane) + 2) {
		lane a = lane_load(s.p + i), b = lane_load(s.p + i + 1), c = lane_load(s.p + i + 2);

		if (lane_any((lane)((a == lane_of('\n')) & (b == lane_of('-')) & (c == lane_of('-')))))
			break;
		i += sizeof(lane);
	}
	for (; s.n - i >= 3; i++) {
		if (s.p[i] == '\n' && s.p[i + 1] == '-' && s.p[i + 2] == '-')
			return i;
	}
	return s.n;
}

/* The next delimiter at or behind offset, which is where a line begins. */
static bool
find_delimiter(const struct parser *ps, size_t offset, struct delimiter *out)
{
	if (ps->open == 0)
		return false;
	if (ps->msg.n - offset >= 2 && ps->msg.p[offset] == '-' && ps->msg.p[offset + 1] == '-' &&
		delimiter_at(ps, offset, out))
		return true;
	while (offset < ps->msg.n) {
		offset += find_dashes(span_from(ps->msg, offset)) + 1;
		if (offset >= ps->msg.n)
			return false;
		if (delimiter_at(ps, offset, out))
			return true;
	}
	return false;
}

/* Where the body that a delimiter ends has ended: the line end before it is its own (RFC 2046 section 5.1.1). */
static size_t
before_delimiter(const struct parser *ps, const struct delimiter *d)
{
	size_t end = d->offset;

	if (end > 0 && ps->msg.p[end - 1] == '\n')
		end--;
	if (end > 0 && end < d->offset && ps->msg.p[end - 1] == '\r')
		end--;
	return end;
}

static void
add_value(struct parser *ps, struct mime_value **list, struct span text)
{
	struct mime_value *v;

	for (unsigned i = 0; *list != NULL; list = &(*list)->next) {
		if (++i == MIME_VALUES_MAX)
			return;
	}
	v = arena_alloc(ps->arena, 1, sizeof(*v));
	if (v == NULL)
		return;
	v->text = text;
	*list = v;
}

static void
envelope_field(struct parser *ps, struct mime_envelope *env, enum header_id id, struct span value)
{
	switch (id) {
	case HEADER_DATE: env->date = value; break;
	case HEADER_SUBJECT: env->subject = value; break;
	case HEADER_IN_REPLY_TO: env->in_reply_to = value; break;
	case HEADER_MESSAGE_ID: env->message_id = value; break;
	case HEADER_FROM: add_value(ps, &env->from, value); break;
	case HEADER_SENDER: add_value(ps, &env->sender, value); break;
	case HEADER_REPLY_TO: add_value(ps, &env->reply_to, value); break;
	case HEADER_TO: add_value(ps, &env->to, value); break;
	case HEADER_CC: add_value(ps, &env->cc, value); break;
	case HEADER_BCC: add_value(ps, &env->bcc, value); break;
	default: break;
	}
}

/* The raw values of the fields that say what a part is; the first of each name counts. */
struct content {
	struct span type, encoding, disposition, id, description, language, location, md5;
	bool version;
};

static void
content_field(struct content *c, enum header_id id, struct span value)
{
	struct span *where;

	switch (id) {
	case HEADER_MIME_VERSION: c->version = true; return;
	case HEADER_CONTENT_TYPE: where = &c->type; break;
	case HEADER_CONTENT_TRANSFER_ENCODING: where = &c->encoding; break;
	case HEADER_CONTENT_DISPOSITION: where = &c->disposition; break;
	case HEADER_CONTENT_ID: where = &c->id; break;
	case HEADER_CONTENT_DESCRIPTION: where = &c->description; break;
	case HEADER_CONTENT_LANGUAGE: where = &c->language; break;
	case HEADER_CONTENT_LOCATION: where = &c->location; break;
	case HEADER_CONTENT_MD5: where = &c->md5; break;
	default: return;
	}
	if (where->p == NULL)
		*where = value;
}

static bool
is_digest(const struct mime_part *p)
{
	return p != NULL && (p->flags & MIME_MULTIPART) != 0 && span_ieq(p->subtype, SPAN("digest"));
}

/* Fills in what the content fields say.  The defaults are those of RFC 2045 section 5.2 and RFC 2046 section 5.1.5. */
static void
part_describe(struct parser *ps, struct mime_part *part, const struct content *c)
{
	struct content_type ct = { .type = SPAN_NONE };

	/* A message without MIME-Version and Content-Type knows nothing of MIME. */
	bool mime = c->version || c->type.p != NULL || (part->parent != NULL && part->envelope == NULL);

	/* Parameters for which there is no memory are as those over the budget. */
	if (c->type.p != NULL && content_type_parse(ps->arena, c->type, &ps->budget, &ct) == -1)
		ct.params = (struct params){ .truncated = true };
	part->params = ct.params;
	part->type = ct.type;
	part->subtype = ct.subtype;
	if (ct.type.n == 0) {
		bool digest = c->type.p == NULL && is_digest(part->parent);

		part->type = digest ? SPAN("message") : SPAN("text");
		part->subtype = digest ? SPAN("rfc822") : SPAN("plain");
	}
	if (span_ieq(part->type, SPAN("multipart")))
		part->flags |= MIME_MULTIPART;
	else if (span_ieq(part->type, SPAN("text")))
		part->flags |= MIME_TEXT;
	else if (span_ieq(part->type, SPAN("message")) && span_ieq(part->subtype, SPAN("rfc822")))
		part->flags |= MIME_MESSAGE;
	if (!mime)
		return;
	if (c->encoding.p != NULL) {
		struct span s = c->encoding;

		lex_cfws(&s);
		if (s.n > 0 && s.p[0] == '"')	/* wrong, but seen */
			s = span_from(s, 1);
		part->encoding = lex_until(&s, ";(\"");
		if (part->encoding.n == 0)
			part->encoding = SPAN_NONE;
	}
	part->id = c->id;
	part->description = c->description;
	part->language = c->language;
	part->location = c->location;
	part->md5 = c->md5;
	if (c->disposition.p != NULL && content_disposition_parse(ps->arena, c->disposition, &ps->budget,
		&part->disposition, &part->disposition_params) == -1)
		part->disposition_params = (struct params){ .truncated = true };
}

/* Behind the header whose fields are not looked at any more: at its end, or at a delimiter. */
static size_t
header_rest(const struct parser *ps, size_t offset, struct delimiter *d, bool *delimited)
{
	while (offset < ps->msg.n) {
		const char *p = ps->msg.p + offset;
		size_t left = ps->msg.n - offset;

		if (*p == '\n')
			return offset + 1;
		if (*p == '\r' && left > 1 && p[1] == '\n')
			return offset + 2;
		if (left >= 2 && p[0] == '-' && p[1] == '-' && delimiter_at(ps, offset, d)) {
			*delimited = true;
			return offset;
		}
		offset = line_end(ps, offset);
	}
	return offset;
}

/*
 * The header that begins at offset.  A delimiter ends it, too, since a part may have no header and no empty line at
 * all: then *delimited is true and *d is that.
 */
static void
part_header(struct parser *ps, struct mime_part *part, size_t offset, struct delimiter *d, bool *delimited)
{
	struct header_iter it;
	struct header_field f;
	struct content c = { .version = false };
	size_t end;

	extent_begin(ps, &part->header, offset);
	header_begin(&it, span_from(ps->msg, offset), ps->lim->header_fields, ps->lim->header_octets);
	*delimited = false;
	while (header_next(&it, &f)) {
		enum header_id id;

		if (ps->open > 0 && f.raw.n >= 2 && f.raw.p[0] == '-' && f.raw.p[1] == '-' &&
			delimiter_at(ps, (size_t)(f.raw.p - ps->msg.p), d)) {
			*delimited = true;
			break;
		}
		id = header_id(f.name);
		if (part->parent == NULL && ps->on_field != NULL)
			ps->on_field(ps->ctx, id, &f);
		if (id == HEADER_UNKNOWN)
			continue;
		if (part->envelope != NULL)
			envelope_field(ps, part->envelope, id, f.value);
		content_field(&c, id, f.value);
	}
	if (*delimited) {
		end = d->offset;
	} else if (it.truncated) {
		part->flags |= MIME_HEADER_TRUNCATED;
		end = header_rest(ps, offset + it.pos, d, delimited);
	} else {
		end = offset + it.pos;
	}
	extent_end(ps, &part->header, end);
	extent_begin(ps, &part->body, end);
	if (ps->nul && memchr(ps->msg.p + offset, '\0', end - offset) != NULL)
		part->flags |= MIME_HAS_NUL;
	part_describe(ps, part, &c);
}

/* A new part below parent, behind its last child (which is `last`).  NULL: a limit, or the arena is exhausted. */
static struct mime_part *
part_new(struct parser *ps, struct mime_part *parent, struct mime_part *last)
{
	struct mime_part *part;

	if (ps->parts >= ps->lim->mime_parts)
		return NULL;
	part = arena_alloc(ps->arena, 1, sizeof(*part));
	if (part == NULL)
		return NULL;
	if (parent == NULL || (parent->flags & MIME_MESSAGE) != 0) {
		part->envelope = arena_alloc(ps->arena, 1, sizeof(*part->envelope));
		if (part->envelope == NULL)
			return NULL;
	}
	ps->parts++;
	part->parent = parent;
	if (parent != NULL) {
		part->depth = parent->depth + 1;
		parent->children++;
		if (last != NULL)
			last->next = part;
		else
			parent->child = part;
	}
	return part;
}

static struct span
boundary_of(struct parser *ps, const struct mime_part *part)
{
	struct span b = param_raw(&part->params, SPAN("boundary"));
	struct buf joined = BUF_INIT(BOUNDARY_OCTETS);

	if (b.p == NULL && part->params.n > 0 && param_get(NULL, &part->params, SPAN("boundary"), &joined))
		b = arena_dup(ps->arena, buf_span(&joined));
	buf_clear(&joined);
	return span_sub(b, 0, BOUNDARY_OCTETS);
}

/* What is not looked into because of a limit is a lump of octets to the reader, who can still fetch it. */
static void
part_cut(struct mime_part *part)
{
	part->flags = (part->flags & ~(unsigned)(MIME_MULTIPART | MIME_MESSAGE)) | MIME_CUT;
	part->type = SPAN("application");
	part->subtype = SPAN("octet-stream");
	part->params = (struct params){ .n = 0 };
}

/* Puts the boundary of a multipart on the stack, if it has one and does not lie too deep. */
static void
part_open(struct parser *ps, struct mime_part *part)
{
	struct span b;

	if (part->depth >= ps->lim->mime_depth || ps->open >= ps->lim->mime_depth) {
		part_cut(part);
		return;
	}
	b = boundary_of(ps, part);
	if (b.n > 0)
		ps->stack[ps->open++] = (struct boundary){ b, part };
}

/* Ends the bodies of `part` and all around it that are inside `outer` (NULL: all). */
static void
parts_end(struct parser *ps, struct mime_part *part, const struct mime_part *outer, size_t offset)
{
	for (; part != outer; part = part->parent) {
		/* Of an empty body the line end belongs to the header, and that to the body around it. */
		if (offset < part->body.offset)
			offset = part->body.offset;
		extent_end(ps, &part->body, offset);
		if (ps->nul && part->child == NULL && part->body.size > 0 &&
			memchr(extent_span(ps, &part->body).p, '\0', part->body.size) != NULL)
			part->flags |= MIME_HAS_NUL;
	}
}

/*
 * A header has been read; now its body.  From delimiter to delimiter: each ends what is open inside its multipart, and
 * begins a new part there or, with the closing one, the epilogue, which belongs to nothing.
 */
static void
parse(struct parser *ps, struct mime_part *root)
{
	struct mime_part *part = root;
	struct delimiter d;
	bool delimited, fresh = true;	/* fresh: part's header is still to be read */
	size_t offset = 0;

	for (;;) {
		if (fresh) {
			part_header(ps, part, offset, &d, &delimited);
			offset = part->body.offset;
			if (!delimited && (part->flags & MIME_MESSAGE) != 0) {
				struct mime_part *inner = NULL;

				if (part->depth < ps->lim->mime_depth)
					inner = part_new(ps, part, NULL);
				if (inner != NULL) {
					part = inner;
					continue;
				}
				part_cut(part);
			}
			if (!delimited && (part->flags & MIME_MULTIPART) != 0)
				part_open(ps, part);
			fresh = false;
		} else {
			delimited = false;
		}
		if (!delimited && !find_delimiter(ps, offset, &d))
			break;
		struct mime_part *outer = ps->stack[d.idx].part, *last = NULL, *next = NULL;

		/* No further part can be: what would be it stays with the last one. */
		if (!d.closing && ps->parts >= ps->lim->mime_parts) {
			outer->flags |= MIME_CUT;
			offset = d.end;
			continue;
		}

		/* The child of outer that ends here is the last one so far. */
		for (struct mime_part *p = part; p != outer; p = p->parent)
			last = p;
		parts_end(ps, part, outer, before_delimiter(ps, &d));
		part = outer;
		offset = d.end;
		ps->open = d.idx + 1;
		if (!d.closing && (next = part_new(ps, outer, last)) == NULL)
			outer->flags |= MIME_CUT;
		if (next == NULL) {
			ps->open--;
			continue;
		}
		part = next;
		fresh = true;
	}
	parts_end(ps, part, NULL, ps->msg.n);
}

int
mime_parse(struct arena *a, struct span message, const struct mail_limits *lim, mime_on_field on_field, void *ctx,
	struct mime_part **root_out)
{
	struct parser ps = {
		.arena = a,
		.msg = message.p == NULL ? SPAN("") : message,
		.lim = lim,
		.budget = { lim->params, lim->param_octets },
		.on_field = on_field,
		.ctx = ctx,
	};
	struct mime_part *root = part_new(&ps, NULL, NULL);

	if (root == NULL || (ps.stack = arena_alloc(a, lim->mime_depth + 1, sizeof(*ps.stack))) == NULL)
		return -1;
	ps.nul = message.n > 0 && memchr(message.p, '\0', message.n) != NULL;
	parse(&ps, root);
	*root_out = root;
	return 0;
}

const struct mime_part *
mime_find(const struct mime_part *root, const uint32_t *path, size_t depth)
{
	const struct mime_part *part = root;

	for (size_t i = 0; i < depth; i++) {
		uint32_t number = path[i];

		/* Below a part that is a message are the parts of the message inside; below another leaf is nothing. */
		if (i > 0 && (part->flags & MIME_MESSAGE) != 0)
			part = part->child;
		else if (i > 0 && (part->flags & MIME_MULTIPART) == 0)
			part = NULL;
		if (part == NULL || number == 0)
			return NULL;
		if ((part->flags & MIME_MULTIPART) == 0) {
			if (number != 1)	/* a message that is no multipart has one part: its text */
				return NULL;
			continue;
		}
		if (number > part->children)
			return NULL;
		for (part = part->child; number > 1; number--)
			part = part->next;
	}
	return part;
}

bool
mime_section(const struct mime_part *root, const uint32_t *path, size_t depth, enum mime_section what,
	struct mime_extent *out)
{
	const struct mime_part *part = mime_find(root, path, depth);

	if (part == NULL)
		return false;
	if (depth > 0 && (what == MIME_SECTION_HEADER || what == MIME_SECTION_TEXT)) {
		part = (part->flags & MIME_MESSAGE) != 0 ? part->child : NULL;
		if (part == NULL)
			return false;
	}
	switch (what) {
	case MIME_SECTION_ALL:
		*out = part->body;
		if (depth == 0) {
			out->offset = 0;
			out->size += part->header.size;
			out->virt += part->header.virt;
			out->lines += part->header.lines;
		}
		return true;
	case MIME_SECTION_HEADER:
		*out = part->header;
		return true;
	case MIME_SECTION_TEXT:
		*out = part->body;
		return true;
	case MIME_SECTION_MIME:
		*out = part->header;
		return depth > 0;
	}
	return false;
}

bool
mime_decode(struct buf *out, struct span message, const struct mime_part *part)
{
	struct span body = span_sub(message, part->body.offset, part->body.size), enc = part->encoding;

	if (span_ieq(enc, SPAN("base64")))
		base64_decode_mime(out, body);
	else if (span_ieq(enc, SPAN("quoted-printable")))
		qp_decode(out, body, false);
	else if (enc.n == 0 || span_ieq(enc, SPAN("7bit")) || span_ieq(enc, SPAN("8bit")) ||
		span_ieq(enc, SPAN("binary")))
		buf_add(out, body);
	else
		return false;
	return true;
}

static bool
part_is_attachment(const struct mime_part *p)
{
	static const char *const signatures[] = { "pgp-signature", "pkcs7-signature", "x-pkcs7-signature",
		"pgp-encrypted", "ms-tnef-correlator" };

	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		if (span_ieq(p->subtype, span_str(signatures[i])))
			return false;
	}
	if (span_ieq(p->disposition, SPAN("attachment")))
		return true;
	if (p->parent == NULL)
		return (p->flags & MIME_TEXT) == 0 && !span_ieq(p->subtype, SPAN("pkcs7-mime")) &&
			!span_ieq(p->subtype, SPAN("x-pkcs7-mime"));
	if ((p->flags & MIME_TEXT) != 0 || span_ieq(p->parent->subtype, SPAN("related")) ||
		span_ieq(p->parent->subtype, SPAN("alternative")) || span_ieq(p->parent->subtype, SPAN("report")))
		return false;
	return !(span_ieq(p->disposition, SPAN("inline")) && p->id.n > 0);
}

bool
mime_has_attachment(const struct mime_part *root)
{
	const struct mime_part *p = root;

	/* Along the tree without recursion; what is inside an attached message is not looked at. */
	while (p != NULL) {
		if ((p->flags & MIME_MULTIPART) == 0 && part_is_attachment(p))
			return true;
		if ((p->flags & MIME_MULTIPART) != 0 && p->child != NULL) {
			p = p->child;
			continue;
		}
		while (p != NULL && p->next == NULL)
			p = p->parent;
		if (p != NULL)
			p = p->next;
	}
	return false;
}
