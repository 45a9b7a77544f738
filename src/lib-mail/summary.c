/* SPDX-License-Identifier: MIT */
/*
 * The encoding, numbers big-endian:
 *
 *	"CVS" and the version	4	| checksum of the rest of the head	4
 *	flags			4	| zone of the sent date		4 (minutes, plus 1440)
 *	sent date		8	| size				8
 *	virtual size		8	| header size			8
 *	virtual header size	8	| sizes of the five pieces	5 x 4
 *	checksum of the pieces	4
 *
 * and the pieces: kept fields, ENVELOPE, BODYSTRUCTURE, holes (offset 4, size 4 each), entries (enum header_id 1,
 * octets of the field 3 each).
 */
#include "lib-mail/summary-priv.h"

#include "lib-mail/header.h"
#include "lib-mail/imap-mime.h"
#include "lib-mail/mime.h"

enum { HEAD = SUMMARY_HEAD, PIECES = SUMMARY_PIECES, ENTRY = 4, HOLE = 8, FIELD_MAX = 0xffffff, TZ_BIAS = SUMMARY_TZ_BIAS };

#define MAGIC 0x43565302u	/* the last octet is the version: 2 */

/* Fills in the head of the summary that begins at start, when its pieces are written. */
static void
head_put(struct buf *out, size_t start, const struct summary_view *v)
{
	char *p = out->p + start;

	be32_put(p, MAGIC);
	be32_put(p + 8, v->flags);
	be32_put(p + 12, (uint32_t)(v->sent.tz + TZ_BIAS));
	be64_put(p + 16, (uint64_t)v->sent.time);
	be64_put(p + 24, v->size);
	be64_put(p + 32, v->virtual_size);
	be64_put(p + 40, v->header_size);
	be64_put(p + 48, v->header_virtual);
	be32_put(p + 56, (uint32_t)v->fields.n);
	be32_put(p + 60, (uint32_t)v->envelope.n);
	be32_put(p + 64, (uint32_t)v->bodystructure.n);
	be32_put(p + 68, (uint32_t)v->holes.n);
	be32_put(p + 72, (uint32_t)v->entries.n);
	be32_put(p + 76, summary_checksum(p + HEAD, out->n - start - HEAD));
	be32_put(p + 4, summary_checksum(p + 8, HEAD - 8));
}

void
summary_encode(struct buf *out, const struct summary_view *v)
{
	static const char zero[HEAD];
	size_t start = out->n;

	buf_add(out, span_of(zero, HEAD));
	buf_add(out, v->fields);
	buf_add(out, v->envelope);
	buf_add(out, v->bodystructure);
	buf_add(out, v->holes);
	buf_add(out, v->entries);
	if (!out->failed)
		head_put(out, start, v);
}

/* Do the holes lie in order inside the structure, and the entries add up to the fields?  Else they are not followed. */
bool
summary_is_sound(const struct summary_view *v)
{
	uint64_t end = 0, total = 0;

	if (v->holes.n % HOLE != 0 || v->entries.n % ENTRY != 0 || v->sent.tz < -TZ_BIAS || v->sent.tz > TZ_BIAS)
		return false;
	for (size_t i = 0; i < v->holes.n; i += HOLE) {
		uint64_t offset = be32_get(v->holes.p + i);

		if (offset < end)
			return false;
		end = offset + be32_get(v->holes.p + i + 4);
	}
	for (size_t i = 0; i < v->entries.n; i += ENTRY)
		total += be32_get(v->entries.p + i) & FIELD_MAX;
	return end <= v->bodystructure.n && total == v->fields.n;
}

bool
summary_head(struct span value, struct summary_view *out)
{
	const char *p = value.p;

	if (value.n < HEAD || be32_get(p) != MAGIC || be32_get(p + 4) != summary_checksum(p + 8, HEAD - 8))
		return false;
	*out = (struct summary_view){
		.flags = be32_get(p + 8), .sent = { (int64_t)be64_get(p + 16), (int32_t)be32_get(p + 12) - TZ_BIAS },
		.size = be64_get(p + 24), .virtual_size = be64_get(p + 32),
		.header_size = be64_get(p + 40), .header_virtual = be64_get(p + 48),
	};
	return true;
}

bool
summary_view(struct span value, struct summary_view *out)
{
	struct summary_view v;
	struct span *const pieces[PIECES] = { &v.fields, &v.envelope, &v.bodystructure, &v.holes, &v.entries };
	const char *p = value.p;
	uint64_t total = HEAD;
	size_t pos = HEAD;

	if (!summary_head(value, &v) || be32_get(p + 76) != summary_checksum(p + HEAD, value.n - HEAD))
		return false;
	for (unsigned i = 0; i < PIECES; i++)
		total += be32_get(p + 56 + i * 4);
	if (total != value.n)
		return false;
	for (unsigned i = 0; i < PIECES; i++) {
		*pieces[i] = span_of(p + pos, be32_get(p + 56 + i * 4));
		pos += pieces[i]->n;
	}
	if (!summary_is_sound(&v))
		return false;
	*out = v;
	return true;
}

/* A summary being made: the pieces go straight to the end of `out`; what comes last is gathered aside. */
struct maker {
	struct buf *out;
	const struct mail_limits *lim;
	struct summary_view v;		/* only the sizes of its spans count */
	size_t fields_start;
	struct buf entries;
};

static void
on_field(void *ctx, enum header_id id, const struct header_field *f)
{
	struct maker *m = ctx;
	size_t start = m->out->n, size;

	if (id == HEADER_UNKNOWN || (m->v.flags & SUMMARY_FIELDS) == 0)
		return;
	if (f->raw.n > m->lim->summary_fields)
		goto full;
	header_field_write(m->out, f->raw);
	size = m->out->n - start;
	if (m->out->n - m->fields_start > m->lim->summary_fields || size > FIELD_MAX)
		goto full;
	buf_add_be32(&m->entries, (uint32_t)id << 24 | (uint32_t)size);
	return;
full:
	/* Some of the fields are as good as none. */
	m->v.flags &= ~(unsigned)SUMMARY_FIELDS;
	m->out->n = m->fields_start;
	buf_reset(&m->entries);
}

static void
maker_begin(struct maker *m, struct buf *out, const struct mail_limits *lim)
{
	static const char zero[HEAD];

	*m = (struct maker){ .out = out, .lim = lim, .entries = BUF_INIT(ENTRY * (lim->header_fields + 1)) };
	m->v.flags = SUMMARY_FIELDS;
	buf_add(out, span_of(zero, HEAD));
	m->fields_start = out->n;
}

/* What was written since start, as a piece of the summary, if it was written whole and is not too large. */
static bool
piece_keep(struct maker *m, size_t start, size_t max, bool whole, struct span *piece)
{
	if (m->out->failed)
		return false;
	if (!whole || m->out->n - start > max) {
		m->out->n = start;
		return false;
	}
	piece->n = m->out->n - start;
	return true;
}

static void
make_header(struct maker *m, struct arena *a, const struct mime_part *root)
{
	const struct mime_envelope *env = root->envelope;
	size_t start = m->out->n;
	bool whole;

	if ((root->flags & MIME_HEADER_TRUNCATED) != 0 && (m->v.flags & SUMMARY_FIELDS) != 0) {
		m->v.flags &= ~(unsigned)SUMMARY_FIELDS;
		m->out->n = start = m->fields_start;
		buf_reset(&m->entries);
	}
	m->v.fields.n = start - m->fields_start;
	if (env->date.p != NULL && date_parse(span_sub(env->date, 0, m->lim->field_octets), &m->v.sent))
		m->v.flags |= SUMMARY_SENT;
	whole = imap_envelope_write(m->out, a, env, m->lim) == 0;
	if (piece_keep(m, start, m->lim->summary_envelope, whole, &m->v.envelope))
		m->v.flags |= SUMMARY_ENVELOPE;
}

static void
make_structure(struct maker *m, const struct mime_part *root, struct buf *holes_out)
{
	struct array holes = ARRAY_INIT(struct imap_hole, (size_t)m->lim->mime_parts * 2 + 2);
	size_t start = m->out->n;
	bool whole = imap_bodystructure_write(m->out, root, m->lim, &holes) == 0;

	if (piece_keep(m, start, m->lim->summary_structure, whole, &m->v.bodystructure)) {
		m->v.flags |= SUMMARY_STRUCTURE;
		for (size_t i = 0; i < holes.n; i++) {
			const struct imap_hole *hole = array_at(&holes, i);

			buf_add_be32(holes_out, hole->offset);
			buf_add_be32(holes_out, hole->size);
		}
	}
	array_clear(&holes);
}

static int
make(struct buf *out, struct arena *a, struct span message, const struct mail_limits *lim, bool whole)
{
	size_t start = out->n;
	struct mime_part *root;
	struct buf holes = BUF_INIT((size_t)64 << 20);
	struct maker m;
	int rc = -1;

	maker_begin(&m, out, lim);
	if (out->failed || mime_parse(a, message, lim, on_field, &m, &root) == -1)
		goto done;
	make_header(&m, a, root);
	if (whole) {
		m.v.flags |= SUMMARY_SIZES | (mime_has_attachment(root) ? SUMMARY_ATTACHMENT : 0);
		m.v.size = message.n;
		m.v.virtual_size = root->header.virt + root->body.virt;
		m.v.header_size = root->header.size;
		m.v.header_virtual = root->header.virt;
		make_structure(&m, root, &holes);
	}
	if (message.n > 0 && memchr(message.p, '\0', message.n) != NULL)
		m.v.flags |= SUMMARY_HAS_NUL;
	m.v.holes.n = holes.n;
	m.v.entries.n = m.entries.n;
	buf_add(out, buf_span(&holes));
	buf_add(out, buf_span(&m.entries));
	if (!out->failed && !holes.failed && !m.entries.failed) {
		head_put(out, start, &m.v);
		rc = 0;
	}
done:
	buf_clear(&holes);
	buf_clear(&m.entries);
	return rc;
}

int
summary_from_header(struct buf *out, struct arena *a, struct span header, const struct mail_limits *lim)
{
	struct mail_limits undivided = *lim;

	undivided.mime_parts = 1;
	return make(out, a, span_sub(header, 0, header_size(header)), &undivided, false);
}

int
summary_from_message(struct buf *out, struct arena *a, struct span message, const struct mail_limits *lim)
{
	return make(out, a, message, lim, true);
}

void
summary_body_write(struct buf *out, const struct summary_view *v)
{
	size_t pos = 0;

	for (size_t i = 0; i < v->holes.n; i += HOLE) {
		size_t offset = be32_get(v->holes.p + i);

		buf_add(out, span_of(v->bodystructure.p + pos, offset - pos));
		pos = offset + be32_get(v->holes.p + i + 4);
	}
	buf_add(out, span_from(v->bodystructure, pos));
}

bool
summary_fieldset_init(struct summary_fieldset *set, const struct span *names, size_t count)
{
	memset(set, 0, sizeof(*set));
	for (size_t i = 0; i < count; i++) {
		unsigned id = header_id(names[i]);

		if (id == HEADER_UNKNOWN)
			return false;
		set->bits[id / 64] |= (uint64_t)1 << id % 64;
	}
	return true;
}

static bool
is_wanted(const struct summary_fieldset *set, unsigned id)
{
	return (set->bits[id / 64] >> id % 64 & 1) != 0;
}

void
summary_fields_write(struct buf *out, const struct summary_view *v, const struct summary_fieldset *set)
{
	size_t pos = 0, start = 0;	/* start: of a run of wanted fields, which goes out in one piece */

	for (size_t i = 0; i < v->entries.n; i += ENTRY) {
		uint32_t entry = be32_get(v->entries.p + i);

		if (!is_wanted(set, entry >> 24)) {
			buf_add(out, span_of(v->fields.p + start, pos - start));
			start = pos + (entry & FIELD_MAX);
		}
		pos += entry & FIELD_MAX;
	}
	buf_add(out, span_of(v->fields.p + start, pos - start));
	buf_add(out, SPAN("\r\n"));
}

size_t
summary_fields_size(const struct summary_view *v, const struct summary_fieldset *set)
{
	size_t size = 2;

	for (size_t i = 0; i < v->entries.n; i += ENTRY) {
		uint32_t entry = be32_get(v->entries.p + i);

		if (is_wanted(set, entry >> 24))
			size += entry & FIELD_MAX;
	}
	return size;
}

bool
summary_field_next(const struct summary_view *v, struct summary_cursor *at, enum header_id *id_out,
	struct span *raw_out)
{
	uint32_t entry;

	if (at->entry >= v->entries.n)
		return false;
	entry = be32_get(v->entries.p + at->entry);
	at->entry += ENTRY;
	*id_out = (enum header_id)(entry >> 24);
	*raw_out = span_of(v->fields.p + at->offset, entry & FIELD_MAX);
	at->offset += entry & FIELD_MAX;
	return true;
}

bool
summary_field_get(const struct summary_view *v, enum header_id id, struct span *value_out)
{
	struct summary_cursor at = { 0, 0 };
	enum header_id here;
	struct span raw;

	while (summary_field_next(v, &at, &here, &raw)) {
		if (here != id)
			continue;
		*value_out = span_trim(span_from(raw, span_chr(raw, ':') + 1));
		return true;
	}
	return false;
}
