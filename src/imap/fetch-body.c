/* SPDX-License-Identifier: MIT */
/* FETCH's sections of the mail itself (RFC 3501 sections 6.4.5 and 7.4.2), with CRLF line ends, without NULs. */
#include "imap/fetch.h"
#include "lib/log.h"
#include "lib-mail/crlf.h"
#include "lib-mail/header.h"
#include "lib-protocol/imap-quote.h"

#define CHUNK 65536	/* what stream_reserve() gives at most */

int
fetch_load_text(struct fetch *f, struct err *e)
{
	if (f->needs_body) {
		if (mailbox_body(f->s->box, f->rec.uid, &f->text, e) == -1)
			return -1;
		f->has_body = true;
	} else {
		if (mailbox_header(f->s->box, f->rec.uid, &f->text, e) == -1)
			return -1;
		f->has_header = true;
	}
	return 0;
}

static int
whole_text(struct fetch *f, struct err *e)
{
	if (f->has_body)
		return 0;
	if (mailbox_body(f->s->box, f->rec.uid, &f->text, e) == -1)
		return -1;
	f->has_body = true;
	return 0;
}

static int
parse_mime(struct fetch *f, struct err *e)
{
	struct mime_part *root = NULL;

	if (f->root != NULL)
		return 0;
	if (whole_text(f, e) == -1)
		return -1;
	if (f->mime_arena == NULL)
		f->mime_arena = arena_new(MAIL_ARENA_MAX);
	if (f->mime_arena == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	arena_reset(f->mime_arena);
	if (mime_parse(f->mime_arena, f->text, &f->limits, NULL, NULL, &root) == -1)
		return err_set(e, ERR_LIMIT, "UID %u: MIME structure takes too much memory", f->rec.uid);
	f->root = root;
	return 0;
}

int
fetch_make_envelope(struct fetch *f, struct err *e)
{
	buf_reset(&f->s->scratch);
	if (parse_mime(f, e) == -1)
		return -1;
	if (imap_envelope_write(&f->s->scratch, f->mime_arena, f->root->envelope, &f->limits) == -1)
		return err_set(e, ERR_LIMIT, "UID %u: ENVELOPE takes too much memory", f->rec.uid);
	return 0;
}

int
fetch_make_structure(struct fetch *f, bool extended, struct err *e)
{
	int rc;

	buf_reset(&f->s->scratch);
	if (parse_mime(f, e) == -1)
		return -1;
	rc = extended ? imap_bodystructure_write(&f->s->scratch, f->root, &f->limits, NULL) :
	    imap_body_write(&f->s->scratch, f->root, &f->limits);
	return rc == -1 ? err_set(e, ERR_LIMIT, "UID %u: structure takes too much memory", f->rec.uid) : 0;
}

static void
put_label(struct fetch *f, const struct fetch_section *sec)
{
	if (!f->first)
		stream_put(&f->s->io, SPAN(" "));
	f->first = false;
	stream_put(&f->s->io, sec->label);
}

static void
put_head(struct fetch *f, const struct fetch_section *sec, uint64_t size)
{
	struct imap_session *s = f->s;

	put_label(f, sec);
	stream_put(&s->io, SPAN(" {"));
	stream_put_u64(&s->io, size);
	stream_put(&s->io, SPAN("}\r\n"));
}

static void
put_nil(struct fetch *f, const struct fetch_section *sec)
{
	put_label(f, sec);
	stream_put(&f->s->io, SPAN(" NIL"));
}

/* size octets as sent, from the front of *in; conversion goes on from *state. */
static void
put_converted(struct imap_session *s, struct crlf *state, struct span *in, uint64_t size)
{
	while (size > 0) {
		size_t want = size < CHUNK ? (size_t)size : CHUNK, n;
		char *room = stream_reserve(&s->io, want);

		if (room == NULL)
			return;
		n = crlf_convert(state, in, room, want);
		if (n == 0) {	/* less mail than was announced: the answer can not be finished */
			imap_bye(s, "Message changed while it was sent.", "Disconnected: message changed while it was sent");
			return;
		}
		imap_no_nuls(room, n);
		stream_commit(&s->io, n);
		size -= n;
	}
}

static void
put_text(struct fetch *f, const struct fetch_section *sec, struct span text)
{
	struct imap_session *s = f->s;
	uint64_t size = crlf_size(text);
	struct crlf state = { false };

	put_head(f, sec, size);
	if (size == text.n && span_chr(text, '\0') == text.n)
		stream_put(&s->io, text);	/* it is as it should be already */
	else
		put_converted(s, &state, &text, size);
}

/* A section's name without its "<start>". */
static struct span
spot_label(const struct fetch_section *sec)
{
	size_t n = sec->label.n;

	while (n > 0 && sec->label.p[n - 1] != ']')
		n--;
	return span_sub(sec->label, 0, n);
}

static bool
is_spot(const struct fetch *f, const struct fetch_section *sec)
{
	const struct partial_spot *spot = &f->s->spot;

	return spot->uid == f->rec.uid && span_eq(span_str(spot->label), spot_label(sec)) &&
	    spot->offset + spot->size <= f->text.n;
}

static void
new_spot(struct fetch *f, const struct fetch_section *sec, struct span text)
{
	struct partial_spot *spot = &f->s->spot;
	struct span label = spot_label(sec);

	memset(spot, 0, sizeof(*spot));
	if (label.n < sizeof(spot->label)) {
		memcpy(spot->label, label.p, label.n);
		spot->uid = f->rec.uid;
	}
	spot->offset = (size_t)(text.p - f->text.p);
	spot->size = text.n;
	spot->virt = crlf_size(text);
}

/*
 * Octets start to start + count.  Programs fetch a large part piece by piece: each piece goes on where the one before
 * stopped, so that all pieces together cost one walk through the part.
 */
static void
put_partial(struct fetch *f, const struct fetch_section *sec)
{
	struct partial_spot *spot = &f->s->spot;
	struct span text = span_sub(f->text, spot->offset, spot->size), rest;
	uint64_t size = sec->start >= spot->virt ? 0 : spot->virt - sec->start;
	struct crlf state = { false };

	if (size > sec->count)
		size = sec->count;
	put_head(f, sec, size);
	if (size == 0)
		return;
	if (spot->at_virt > sec->start) {
		spot->at_virt = 0;
		spot->at = 0;
		spot->at_cr = false;
	}
	state.cr = spot->at_cr;
	rest = span_from(text, spot->at);
	crlf_skip(&state, &rest, sec->start - spot->at_virt);
	put_converted(f->s, &state, &rest, size);
	spot->at_virt = sec->start + size;
	spot->at = text.n - rest.n;
	spot->at_cr = state.cr;
}

/* The octets of a section.  1; 0 there is no such part; -1. */
static int
find_section(struct fetch *f, const struct fetch_section *sec, struct span *out, struct err *e)
{
	static const enum mime_section kinds[] = {
		[FETCH_SECTION_ALL] = MIME_SECTION_ALL,
		[FETCH_SECTION_HEADER] = MIME_SECTION_HEADER,
		[FETCH_SECTION_FIELDS] = MIME_SECTION_HEADER,
		[FETCH_SECTION_FIELDS_NOT] = MIME_SECTION_HEADER,
		[FETCH_SECTION_TEXT] = MIME_SECTION_TEXT,
		[FETCH_SECTION_MIME] = MIME_SECTION_MIME,
	};
	struct mime_extent ext;

	if (sec->depth == 0) {
		size_t header = sec->what == FETCH_SECTION_ALL ? 0 : header_size(f->text);

		if (sec->what == FETCH_SECTION_TEXT || sec->what == FETCH_SECTION_ALL)
			*out = span_from(f->text, header);
		else
			*out = span_sub(f->text, 0, header);
		return 1;
	}
	if (parse_mime(f, e) == -1)
		return -1;
	if (!mime_section(f->root, sec->path, sec->depth, kinds[sec->what], &ext))
		return 0;
	*out = span_sub(f->text, ext.offset, ext.size);
	return 1;
}

static void
put_scratch(struct fetch *f, const struct fetch_section *sec)
{
	struct imap_session *s = f->s;
	struct span all = buf_span(&s->scratch), part = all;

	if (s->scratch.failed) {
		put_nil(f, sec);
		return;
	}
	if (sec->partial)
		part = span_sub(all, sec->start, sec->count);
	imap_no_nuls(s->scratch.p + (part.p - all.p), part.n);
	put_head(f, sec, part.n);
	stream_put(&s->io, part);
	s->stats.header_octets += part.n;
}

/* HEADER.FIELDS out of the summary: octet for octet what the mail would give. */
static void
put_summary_fields(struct fetch *f, size_t idx)
{
	const struct fetch_section *sec = &f->items.sections[idx];
	struct imap_session *s = f->s;
	size_t size = summary_fields_size(&f->sum, &f->sets[idx]);

	if (sec->partial || (f->sum.flags & SUMMARY_HAS_NUL) != 0 || size > CHUNK - 1024) {
		buf_reset(&s->scratch);
		summary_fields_write(&s->scratch, &f->sum, &f->sets[idx]);
		mailbox_read_end(s->box);
		f->has_sum = false;
		put_scratch(f, sec);
		return;
	}
	if (s->io.out.n + size + 1024 + sec->label.n > CHUNK * 2) {	/* it would have to be flushed */
		mailbox_read_end(s->box);
		f->has_sum = false;
		put_summary_fields(f, idx);
		return;
	}
	put_head(f, sec, size);
	if (stream_reserve(&s->io, size) != NULL)	/* there is room: straight into the output */
		summary_fields_write(&s->io.out, &f->sum, &f->sets[idx]);
	s->stats.header_octets += size;
}

static void
put_section(struct fetch *f, size_t idx, struct err *e)
{
	const struct fetch_section *sec = &f->items.sections[idx];
	struct imap_session *s = f->s;
	struct span text = SPAN_NONE;
	int rc = 1;

	mailbox_read_end(s->box);	/* what follows may wait for the client */
	f->has_sum = false;
	if (!sec->partial || !is_spot(f, sec))
		rc = find_section(f, sec, &text, e);
	else
		text = span_sub(f->text, s->spot.offset, s->spot.size);
	if (rc == -1) {
		log_error("FETCH: %s", e->log);
		f->failed = true;
	}
	if (rc != 1) {
		put_nil(f, sec);
		return;
	}
	if (sec->what == FETCH_SECTION_FIELDS || sec->what == FETCH_SECTION_FIELDS_NOT) {
		buf_reset(&s->scratch);
		header_fields_write(&s->scratch, text, sec->names, sec->name_count, sec->what == FETCH_SECTION_FIELDS_NOT,
		    f->limits.header_fields, f->limits.header_octets);
		put_scratch(f, sec);
		return;
	}
	s->stats.body_octets += text.n;
	if (!sec->partial) {
		put_text(f, sec, text);
		return;
	}
	if (!is_spot(f, sec))
		new_spot(f, sec, text);
	put_partial(f, sec);
}

void
fetch_put_section(struct fetch *f, size_t idx)
{
	const struct fetch_section *sec = &f->items.sections[idx];
	struct err e = ERR_INIT;

	if (f->sources[idx] != FETCH_FROM_SUMMARY) {
		if (f->sources[idx] == FETCH_FROM_HEADER)
			f->s->stats.header_count++;
		else
			f->s->stats.body_count++;
		put_section(f, idx, &e);
		return;
	}
	f->s->stats.header_count++;
	if (!f->has_sum && fetch_load_summary(f, &e) == -1) {
		f->gone = f->gone || e.code == ERR_GONE;
		put_nil(f, sec);
		return;
	}
	if ((f->sum.flags & SUMMARY_FIELDS) != 0) {
		put_summary_fields(f, idx);
		return;
	}
	/* More fields than a summary takes: from the mail. */
	if (!f->has_body && !f->has_header && mailbox_header(f->s->box, f->rec.uid, &f->text, &e) == -1) {
		f->gone = f->gone || e.code == ERR_GONE;
		put_nil(f, sec);
		return;
	}
	f->has_header = true;
	put_section(f, idx, &e);
}
