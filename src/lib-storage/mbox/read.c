/* SPDX-License-Identifier: MIT */
/* From the file to a list of its messages, through a window: never more in memory than a header. */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>
#include "lib-mail/crlf.h"
#include "lib-mail/date.h"

#define WINDOW ((size_t)256 << 10)
#define TEXT_MAX ((size_t)1 << 30)
#define BOUNDARY_LOOK (MBOX_FROM_MAX + 8)
#define BODY_LOOK 4096		/* more than a From line, so that one is never cut in two for long */

struct window {
	struct mbox_box *box;
	struct buf b;
	uint64_t at, size;	/* of b in the file; the file's */
};

void
mbox_reading_init(struct mbox_reading *r)
{
	*r = (struct mbox_reading){ .msgs = ARRAY_INIT(struct mbox_msg, MBOX_MESSAGES_MAX), .text = BUF_INIT(TEXT_MAX) };
}

void
mbox_reading_clear(struct mbox_reading *r)
{
	array_clear(&r->msgs);
	buf_clear(&r->text);
}

uint64_t
mbox_msg_end(const struct mbox_msg *m)
{
	return m->off + m->from_len + m->hdr_len + m->body_len + m->blank;
}

int
mbox_pread(struct mbox_box *box, char *room, size_t n, uint64_t at, struct err *e)
{
	while (n > 0) {
		ssize_t got = pread(box->fd, room, n, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return err_errno(e, "read %s", box->path);
		if (got == 0)
			return err_set(e, ERR_CORRUPT, "%s is shorter than it was a moment ago", box->path);
		room += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int
mbox_pwrite(int fd, struct span s, uint64_t at, const char *what, struct err *e)
{
	while (s.n > 0) {
		ssize_t put = pwrite(fd, s.p, s.n, (off_t)at);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return err_errno(e, "write %s", what);
		s = span_from(s, (size_t)put);
		at += (uint64_t)put;
	}
	return 0;
}

/* n octets from off on, or what there is to the end of the file. */
static int
look(struct window *w, uint64_t off, size_t n, struct span *out, struct err *e)
{
	size_t keep, want;

	if (n > w->size - off)
		n = (size_t)(w->size - off);
	if (off >= w->at && off - w->at <= w->b.n && n <= w->b.n - (size_t)(off - w->at)) {
		*out = span_from(buf_span(&w->b), (size_t)(off - w->at));
		return 0;
	}
	keep = off >= w->at && off - w->at < w->b.n ? w->b.n - (size_t)(off - w->at) : 0;
	if (keep > 0)
		memmove(w->b.p, w->b.p + (off - w->at), keep);
	w->at = off;
	w->b.n = keep;
	want = n > WINDOW ? n : WINDOW;
	if (want > w->size - off)
		want = (size_t)(w->size - off);
	if (!buf_grow(&w->b, want == 0 ? 1 : want))
		return err_set(e, ERR_TEMP, "out of memory");
	if (mbox_pread(w->box, w->b.p + keep, want - keep, off + keep, e) == -1)
		return -1;
	w->b.n = want;
	*out = buf_span(&w->b);
	return 0;
}

static bool
is_end(const struct window *w, uint64_t off, struct span s)
{
	return off + s.n >= w->size;
}

static int64_t
date_of(const struct mbox_date *d)
{
	struct tm tm = { .tm_year = d->year - 1900, .tm_mon = d->month - 1, .tm_mday = d->day, .tm_hour = d->hour,
		.tm_min = d->minute, .tm_sec = d->second, .tm_isdst = -1 };

	if (d->has_zone)
		return (date_days(d->year, d->month, d->day) * 24 + d->hour) * 3600 + d->minute * 60 + d->second - d->zone * 60;
	return (int64_t)mktime(&tm);	/* ctime()'s way: the time of the place */
}

/* The From line at m->off.  *rough: any "From " will do, as at the start of a file. */
static int
read_from(struct window *w, struct mbox_msg *m, bool rough, struct err *e)
{
	struct mbox_date date;
	struct span s;
	size_t used, nl;

	if (look(w, m->off, MBOX_FROM_MAX + 1, &s, e) == -1)
		return -1;
	if (mbox_from_line(s, is_end(w, m->off, s), &date, &used) == MBOX_YES) {
		m->date = date_of(&date);
		m->from_len = (uint32_t)used;
		return 0;
	}
	nl = span_chr(span_sub(s, 0, MBOX_FROM_MAX), '\n');
	if (!rough || !span_starts(s, SPAN("From ")) || nl == s.n || nl == MBOX_FROM_MAX)
		return err_set(e, ERR_CORRUPT, "%s is not an mbox file: there is no From line at octet %llu", w->box->path,
		    (unsigned long long)m->off);
	m->from_len = (uint32_t)nl + 1;
	m->date = time(NULL);
	return 0;
}

static int
read_header(struct window *w, struct mbox_msg *m, struct mbox_header *h, struct err *e)
{
	uint64_t at = m->off + m->from_len;

	for (size_t n = 8192;; n *= 4) {
		struct span s;

		if (look(w, at, n, &s, e) == -1)
			return -1;
		if (mbox_header_parse(s, is_end(w, at, s), h) == MBOX_YES)
			break;
	}
	m->hdr_len = (uint32_t)h->length;
	m->flags = h->flags;
	m->old = h->old;
	m->has_status = h->has_status;
	m->uid = h->uid;
	return 0;
}

/* Whether the body ends where Content-Length says; *blank_out: octets behind it. */
static int
length_holds(struct window *w, const struct mbox_header *h, uint64_t body, size_t *blank_out, struct err *e)
{
	uint64_t end = body + h->content_length;
	struct span s;
	char last = '\n';

	if (!h->has_length || !h->ended || h->content_length > w->size - body)
		return 0;
	/* Reading ahead empties the window; where the next message begins in it nothing is lost. */
	if (look(w, h->content_length > 0 ? end - 1 : end, BOUNDARY_LOOK + 1, &s, e) == -1)
		return -1;
	if (h->content_length > 0) {
		last = s.p[0];
		s = span_from(s, 1);
	}
	return mbox_is_boundary(s, last != '\n', is_end(w, end, s), blank_out) == MBOX_YES;
}

static void
count_body(struct mbox_msg *m, uint64_t *bare, struct span part, char prev)
{
	struct crlf_count c = { 0 };

	crlf_count(&c, part, prev);
	*bare += c.bare;
	m->body_len += part.n;
}

/* The last octets of the body are a blank line, which belongs to the file. */
static void
cut_blank(struct mbox_msg *m, uint64_t *bare, const char last[4])
{
	uint64_t n = m->body_len;

	if (n >= 1 && last[3] == '\n' && (n == 1 || last[2] == '\n')) {
		m->blank = 1;
		--*bare;
	} else if (n >= 2 && last[3] == '\n' && last[2] == '\r' && (n == 2 || last[1] == '\n')) {
		m->blank = 2;
	}
	m->body_len -= m->blank;
}

/* Reads the body up to the next message; with known, so many octets. */
static int
read_body(struct window *w, struct mbox_msg *m, uint64_t body, const uint64_t *known, uint64_t *bare, struct err *e)
{
	uint64_t at = body;
	char last[4] = { 0, 0, 0, '\n' };

	for (;;) {
		enum mbox_verdict v = MBOX_MORE;
		struct span s;
		size_t n;

		if (look(w, at, BODY_LOOK, &s, e) == -1)
			return -1;
		if (known != NULL)
			n = *known - m->body_len < s.n ? (size_t)(*known - m->body_len) : s.n;
		else if ((v = mbox_body_scan(s, last[3] == '\n', is_end(w, at, s), &n)) == MBOX_NO)
			n = s.n;
		count_body(m, bare, span_sub(s, 0, n), last[3]);
		for (size_t i = n < 4 ? 0 : n - 4; i < n; i++) {
			memmove(last, last + 1, 3);
			last[3] = s.p[i];
		}
		at += n;
		if (v != MBOX_MORE || (known != NULL && m->body_len == *known) || at >= w->size)
			break;
	}
	if (known == NULL)
		cut_blank(m, bare, last);
	m->unended = known == NULL && m->blank == 0 && last[3] != '\n' && at >= w->size;
	return 0;
}

static int
keep_text(struct mbox_reading *r, struct span s, uint32_t *at, uint32_t *n, struct err *e)
{
	s = span_trim(s);
	*at = (uint32_t)r->text.n;
	*n = (uint32_t)s.n;
	buf_add(&r->text, s);
	return r->text.failed ? err_set(e, ERR_LIMIT, "too many keywords") : 0;
}

static int
take_first(struct mbox_reading *r, const struct mbox_msg *m, const struct mbox_header *h, struct err *e)
{
	r->has_first = true;
	r->pseudo = h->pseudo;
	r->crlf = h->crlf;
	r->uidvalidity = h->uidvalidity;
	r->last_uid = h->last_uid;
	r->last_uid_at = h->last_uid_at == 0 ? 0 : m->off + m->from_len + h->last_uid_at;
	return keep_text(r, h->base_keywords, &r->base_at, &r->base_n, e);
}

static int
read_message(struct window *w, struct mbox_msg *m, struct mbox_reading *r, bool first, struct err *e)
{
	struct mbox_header h;
	uint64_t body, bare;
	size_t blank = 0;
	int holds;

	/* What h points at does not outlive the next look. */
	if (read_from(w, m, first, e) == -1 || read_header(w, m, &h, e) == -1 || (first && take_first(r, m, &h, e) == -1) ||
	    keep_text(r, h.keywords, &m->keywords_at, &m->keywords_n, e) == -1)
		return -1;
	body = m->off + m->from_len + m->hdr_len;
	bare = h.bare;
	holds = length_holds(w, &h, body, &blank, e);
	if (holds == -1 || read_body(w, m, body, holds ? &h.content_length : NULL, &bare, e) == -1)
		return -1;
	if (holds)
		m->blank = (uint8_t)blank;
	m->size = h.visible + m->body_len + m->unended;
	m->virtual_size = m->size + bare + m->unended;
	m->digest = (h.digest ^ (m->body_len + m->unended)) * 0x9e3779b97f4a7c15u;
	return 0;
}

/* Blank lines before the first message: some programs leave one. */
static int
skip_blank(struct window *w, uint64_t *at, struct err *e)
{
	struct span s;

	if (look(w, *at, 64, &s, e) == -1)
		return -1;
	for (size_t i = 0; i < s.n && i < 64 && (s.p[i] == '\n' || s.p[i] == '\r'); i++)
		++*at;
	return 0;
}

int
mbox_read(struct mbox_box *box, uint64_t from, uint64_t size, struct mbox_reading *r, struct err *e)
{
	struct window w = { .box = box, .b = BUF_INIT(MBOX_HEADER_MAX * 8), .size = size };
	uint64_t at = from;
	int rc = from == 0 ? skip_blank(&w, &at, e) : 0;

	while (rc == 0 && at < size) {
		bool first = !r->has_first && from == 0;
		struct mbox_msg m = { .off = at }, *slot;

		rc = read_message(&w, &m, r, first, e);
		at = mbox_msg_end(&m);
		if (rc == 0 && first && r->pseudo)
			r->first = m;
		if (rc == -1 || (first && r->pseudo))
			continue;
		slot = array_push(&r->msgs);
		if (slot == NULL)
			rc = err_set(e, ERR_LIMIT, "%s: too many messages", box->path);
		else
			*slot = m;
	}
	r->end = size;
	buf_clear(&w.b);
	return rc;
}

int
mbox_read_base(struct mbox_box *box, uint64_t size, struct mbox_reading *r, struct err *e)
{
	struct window w = { .box = box, .b = BUF_INIT(MBOX_HEADER_MAX * 8), .size = size };
	struct mbox_msg m = { 0 };
	struct mbox_header h;
	int rc = skip_blank(&w, &m.off, e);

	if (rc == 0 && m.off < size) {
		rc = read_from(&w, &m, true, e);
		if (rc == 0)
			rc = read_header(&w, &m, &h, e);
		if (rc == 0)
			rc = take_first(r, &m, &h, e);
	}
	buf_clear(&w.b);
	return rc;
}

/* ---- records ---- */

static void
hex(struct buf *out, uint64_t v, char end)
{
	char room[20];
	int n = 0;

	do {
		room[n++] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v > 0);
	while (n > 0)
		buf_addc(out, room[--n]);
	buf_addc(out, end);
}

struct span
mbox_place_write(char room[MBOX_PLACE_MAX], const struct mbox_msg *m)
{
	struct buf b = { room, 0, MBOX_PLACE_MAX, MBOX_PLACE_MAX, false, false };

	hex(&b, m->off, '.');
	hex(&b, m->from_len, '.');
	hex(&b, m->hdr_len, '.');
	hex(&b, m->body_len, '.');
	hex(&b, (uint64_t)m->blank << 1 | m->unended, '.');
	hex(&b, m->digest, '.');
	return buf_span(&b);
}

static bool
unhex(struct span *rest, uint64_t *out)
{
	size_t i = 0;
	uint64_t v = 0;

	for (; i < rest->n && i < 17 && rest->p[i] != '.'; i++) {
		char c = rest->p[i];

		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	if (i == 0 || i == rest->n || rest->p[i] != '.')
		return false;
	*rest = span_from(*rest, i + 1);
	*out = v;
	return true;
}

bool
mbox_place_parse(struct span name, struct mbox_msg *out)
{
	uint64_t from_len, hdr_len, tail;

	*out = (struct mbox_msg){ 0 };
	if (!unhex(&name, &out->off) || !unhex(&name, &from_len) || !unhex(&name, &hdr_len) || !unhex(&name, &out->body_len) ||
	    !unhex(&name, &tail) || !unhex(&name, &out->digest) || from_len > MBOX_FROM_MAX || hdr_len > MBOX_HEADER_MAX ||
	    out->off > INT64_MAX / 4 || out->body_len > INT64_MAX / 4 || tail > 9)
		return false;
	out->from_len = (uint32_t)from_len;
	out->hdr_len = (uint32_t)hdr_len;
	out->blank = (uint8_t)(tail >> 1);
	out->unended = tail & 1;
	return true;
}
