/* SPDX-License-Identifier: MIT */
/*
 * Adding messages at the end: under the lock for writing they are written with their UIDs and flags, synced, then recorded.
 * When that fails the file is cut to what it was.
 *
 * A crash in the middle leaves a message that is not whole: intent.c.  Once all is written the messages are there, whatever
 * happens: they carry their UIDs, and a sync takes them in.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define BUFFER ((size_t)1 << 20)
#define SENDER_MAX 300

struct writer {
	struct mbox_box *box;
	struct buf b;
	uint64_t at;		/* where b goes */
};

static int
flush(struct writer *w, struct err *e)
{
	if (w->b.failed)
		return err_set(e, ERR_TEMP, "out of memory");
	if (mbox_pwrite(w->box->fd, buf_span(&w->b), w->at, w->box->path, e) == -1)
		return -1;
	w->at += w->b.n;
	buf_reset(&w->b);
	return 0;
}

/* The sender, as the delivery noted it: Return-Path is the first field then. */
static struct span
sender_of(struct mbox_stage *st, char room[SENDER_MAX])
{
	struct err e = ERR_INIT;
	size_t n = st->size < SENDER_MAX ? (size_t)st->size : SENDER_MAX;
	struct span s = SPAN("MAILER-DAEMON"), line;

	if (mbox_stage_read(st, 0, room, n, &e) == -1)
		return s;
	line = span_sub(span_of(room, n), 0, span_chr(span_of(room, n), '\n'));
	if (line.n == n || !span_istarts(line, SPAN("Return-Path:")))
		return s;
	line = span_trim(span_from(line, 12));
	if (line.n < 3 || line.p[0] != '<' || line.p[line.n - 1] != '>')
		return s;
	line = span_sub(line, 1, line.n - 2);
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] <= ' ' || (unsigned char)line.p[i] >= 0x7f)
			return s;
	return line;
}

static void
from_line(struct buf *out, struct mbox_stage *st)
{
	char room[SENDER_MAX], date[64];
	time_t t = (time_t)st->date;
	struct span sender = sender_of(st, room);
	struct tm tm;

	/* As ctime() has it: the time of the place. */
	if (st->date < 0 || localtime_r(&t, &tm) == NULL || tm.tm_year + 1900 > 9999 ||
	    strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		memcpy(date, "Thu Jan  1 00:00:00 1970", 25);
	buf_addf(out, "From %.*s %s\n", SPAN_ARG(sender), date);
}

/* All before the message's own octets. */
static void
message_head(struct buf *out, const struct change_add *add, const struct mbox_keywords *kw, const struct idx_state *st,
    uint32_t last_uid, bool base)
{
	struct mbox_stage *stage = add->stage;
	struct mbox_fields f = {
		.uidvalidity = base ? st->uidvalidity : 0, .last_uid = last_uid, .keyword_names = kw->name,
		.keyword_count = kw->count, .uid = add->uid, .flags = add->rec.flags, .keywords = add->rec.keywords,
		.has_length = true, .content_length = stage->size - stage->header,
	};

	from_line(out, stage);
	mbox_fields_write(out, &f, 0);
}

struct appending {
	struct mbox_box *box;
	struct box_change *c;
	struct idx_state st;
	struct mbox_keywords kw;
	struct arena *a;
	uint64_t old_size, new_size;
	size_t lead;		/* line ends that must come first */
	struct buf *heads;	/* one a message: From line and fields */
};

/* The file ends with a blank line before a message begins. */
static int
lead_in(struct appending *p, struct err *e)
{
	char end[2] = { '\n', '\n' };

	p->lead = 0;
	if (p->old_size == 0)
		return 0;
	if (mbox_pread(p->box, end + (p->old_size == 1), p->old_size == 1 ? 1 : 2,
	    p->old_size - (p->old_size == 1 ? 1 : 2), e) == -1)
		return -1;
	p->lead = end[1] != '\n' ? 2 : end[0] != '\n' && !(end[0] == '\r') ? 1 : 0;
	return 0;
}

/* The digest that reading the message would give: of its header, and the length of its body. */
static int
digest_of(struct mbox_stage *st, uint64_t *out, struct err *e)
{
	size_t n = st->header < MBOX_HEADER_MAX ? (size_t)st->header : MBOX_HEADER_MAX;
	char *room = malloc(n + 1);
	struct mbox_header h;

	if (room == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (mbox_stage_read(st, 0, room, n, e) == -1) {
		free(room);
		return -1;
	}
	mbox_header_parse(span_of(room, n), true, &h);
	*out = (h.digest ^ (st->size - st->header)) * 0x9e3779b97f4a7c15u;
	free(room);
	return 0;
}

/* Takes UIDs, and says where each message will stand. */
static int
lay_out(struct appending *p, struct err *e)
{
	uint64_t at = p->old_size + p->lead;

	for (size_t i = 0; i < p->c->add_count; i++) {
		struct change_add *add = &p->c->adds[i];
		struct mbox_stage *st = add->stage;
		struct mbox_msg m = { .off = at };
		char room[MBOX_PLACE_MAX];

		add->uid = p->st.uidnext + (uint32_t)i;
		buf_init(&p->heads[i], 65536 * 4);
		message_head(&p->heads[i], add, &p->kw, &p->st, p->st.uidnext + (uint32_t)p->c->add_count - 1,
		    p->old_size == 0 && i == 0);
		if (p->heads[i].failed)
			return err_set(e, ERR_TEMP, "out of memory");
		m.from_len = (uint32_t)span_chr(buf_span(&p->heads[i]), '\n') + 1;
		m.hdr_len = (uint32_t)(p->heads[i].n - m.from_len + st->header);
		m.body_len = st->size - st->header;
		/* What has no line end gets one that is not part of it: Content-Length says so. */
		m.blank = st->last != '\n' ? 2 : 1;
		if (digest_of(st, &m.digest, e) == -1)
			return -1;
		at = mbox_msg_end(&m);
		if (st->header > MBOX_HEADER_MAX / 2)
			return err_set(e, ERR_LIMIT, "the header of a message is larger than %zu", MBOX_HEADER_MAX / 2);
		add->rec.name = arena_dup(p->a, mbox_place_write(room, &m));
		add->rec.bits &= (uint8_t)~(IDX_NEW | IDX_DIRTY);
		add->rec.physical_size = st->size;
		add->rec.size = st->size + st->bare;
		if (add->rec.name.p == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
	}
	p->new_size = at;
	return 0;
}

static int
write_all(struct appending *p, struct err *e)
{
	struct writer w = { .box = p->box, .b = BUF_INIT(BUFFER * 2), .at = p->old_size };
	int rc = buf_grow(&w.b, 65536) ? 0 : err_set(e, ERR_TEMP, "out of memory");

	for (size_t i = 0; i < p->lead; i++)
		buf_addc(&w.b, '\n');
	for (size_t i = 0; i < p->c->add_count && rc == 0; i++) {
		struct mbox_stage *st = p->c->adds[i].stage;

		buf_add(&w.b, buf_span(&p->heads[i]));
		for (uint64_t at = 0; at < st->size && rc == 0;) {
			size_t n = st->size - at < BUFFER - w.b.n % BUFFER ? (size_t)(st->size - at) : BUFFER - w.b.n % BUFFER;

			if (w.b.n >= BUFFER && (rc = flush(&w, e)) == -1)
				break;
			if (!buf_grow(&w.b, w.b.n + n)) {
				rc = err_set(e, ERR_TEMP, "out of memory");
				break;
			}
			rc = mbox_stage_read(st, at, w.b.p + w.b.n, n, e);
			w.b.n += n;
			at += n;
		}
		buf_adds(&w.b, st->last != '\n' ? "\n\n" : "\n");
		if (rc == 0 && w.b.n >= BUFFER)
			rc = flush(&w, e);
	}
	if (rc == 0)
		rc = flush(&w, e);
	if (rc == 0 && w.at != p->new_size)
		rc = err_set(e, ERR_TEMP, "%s: a message was not written as it was laid out", p->box->path);
	buf_clear(&w.b);
	return rc;
}

static bool
has_word(struct span text, struct span word)
{
	while (text.n > 0) {
		size_t n = 0;

		while (n < text.n && (unsigned char)text.p[n] > ' ')
			n++;
		if (span_ieq(span_sub(text, 0, n), word))
			return true;
		text = span_from(text, n + 1);
	}
	return false;
}

/*
 * The first message tells the last UID and the keywords of all: Dovecot gives other UIDs to those above, and takes keywords
 * away that are not listed.  The number is written over the old one; what needs more room is written behind, with the first
 * message that was added.
 */
static int
raise_base(struct appending *p, struct err *e)
{
	uint32_t last = p->st.uidnext + (uint32_t)p->c->add_count - 1;
	struct mbox_reading r;
	uint64_t keywords = 0;
	uint8_t flags = 0;
	char digits[16];
	struct span names;
	bool behind;
	int rc;

	if (p->old_size == 0)
		return 0;
	mbox_reading_init(&r);
	rc = mbox_read_base(p->box, p->old_size, &r, e);
	for (size_t i = 0; i < p->c->add_count; i++) {
		keywords |= p->c->adds[i].rec.keywords;
		flags |= p->c->adds[i].rec.flags;
	}
	names = span_sub(buf_span(&r.text), r.base_at, r.base_n);
	behind = r.uidvalidity != p->st.uidvalidity || (r.last_uid < last && r.last_uid_at == 0) ||
	    (flags & IDX_PASSED && !has_word(names, SPAN("$Forwarded")));
	for (size_t i = 0; i < p->kw.count; i++)
		behind = behind || (keywords >> i & 1 && !has_word(names, p->kw.name[i]));
	if (rc == 0 && !behind && r.last_uid < last) {
		snprintf(digits, sizeof(digits), "%010u", last);
		rc = mbox_pwrite(p->box->fd, span_str(digits), r.last_uid_at, p->box->path, e);
	}
	mbox_reading_clear(&r);
	if (rc == 0 && behind) {
		p->c->adds[0].rec.bits |= IDX_DIRTY;
		p->box->due = true;
	}
	return rc;
}

static int
record(struct appending *p, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc = -1;

	if (mbox_begin(p->box, (uint32_t)p->c->add_count, &t, &st, e) != DRV_OK)
		return -1;
	/* Only who holds the box's lock gives UIDs out; without a control directory there is none. */
	if (st.uidnext != p->st.uidnext)
		err_set(e, ERR_TEMP, "%s: another process added mail at the same time", p->box->path);
	else if (mbox_stamp_set(p->box, &st, e) == 0)
		rc = index_apply(t, p->c, &st, e);
	if (rc == 0)
		return index_commit(t, e);
	index_abort(t);
	return -1;
}

static void
note(const struct appending *p, struct mbox_intent *in)
{
	struct buf begins = { in->begins, 0, sizeof(in->begins), sizeof(in->begins), false, false };
	struct span head = buf_span(&p->heads[0]);

	for (size_t i = 0; i < p->lead; i++)
		buf_addc(&begins, '\n');
	buf_add(&begins, span_sub(head, 0, begins.max - begins.n));
	in->begins_n = begins.n;
	in->new = p->new_size;
	in->uid = p->st.uidnext;
	in->count = (uint32_t)p->c->add_count;
	for (size_t i = 0; i < p->c->add_count; i++)
		in->nuls += ((const struct mbox_stage *)p->c->adds[i].stage)->nuls;
}

static int
add_locked(struct appending *p, const struct change_set *cs, struct err *e)
{
	bool sync = cs->durable && p->box->store->p.fsync != FSYNC_NEVER;
	struct mbox_intent in = { .old = p->old_size };
	struct err ignored = ERR_INIT;
	int rc = lead_in(p, e);

	if (rc == 0)
		rc = lay_out(p, e);
	if (rc == 0)
		note(p, &in);
	/* A message that is one write is there or not; a larger one may be cut by a loss of power. */
	if (rc == 0)
		rc = mbox_intent_set(p->box, &in,
		    sync && (p->new_size - p->old_size > BUFFER / 4 || p->box->store->p.fsync == FSYNC_ALWAYS), e);
	if (rc == -1)
		return -1;
	rc = write_all(p, e);
	if (rc == 0)
		rc = raise_base(p, e);
	if (rc == 0 && sync && fdatasync(p->box->fd) == -1)
		rc = err_errno(e, "sync %s", p->box->path);
	if (rc == 0)
		rc = record(p, e);
	/* Nothing half-written is kept, and nothing that was not acknowledged; if it can not be cut off now, by who comes next. */
	if (rc == -1 && ftruncate(p->box->fd, (off_t)p->old_size) == -1)
		log_error("%s: can not be cut to %llu octets after a failure", p->box->path, (unsigned long long)p->old_size);
	else
		mbox_intent_clear(p->box, false, &ignored);
	return rc;
}

enum drv_rc
mbox_append(struct mbox_box *box, struct change_set *cs, struct err *e)
{
	struct appending p = { .box = box, .c = cs->box[0] };
	struct index_txn *t;
	struct stat sb;
	enum drv_rc drc;
	int rc;

	p.a = arena_new(SIZE_MAX / 2);
	p.heads = calloc(p.c->add_count, sizeof(*p.heads));
	if (p.a == NULL || p.heads == NULL) {
		arena_free(p.a);
		free(p.heads);
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	}
	if (mbox_lock(box, MBOX_WRITE, -1, e) == -1) {
		drc = mbox_rc(e);
		goto out;
	}
	drc = mbox_sync_locked(box, false, &p.st, e);
	if (drc == DRV_OK && !mbox_has_room(&p.st, (uint32_t)p.c->add_count))
		drc = mbox_reserve(box, (uint32_t)p.c->add_count, e);
	if (drc == DRV_OK) {
		rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &p.st, e);
		if (rc == 1)
			rc = mbox_keywords_load(&p.kw, box, t, e);
		else
			rc = rc == 0 ? err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name) : -1;
		index_read_end(box->store->ix);
		if (rc == 0 && fstat(box->fd, &sb) == -1)
			rc = err_errno(e, "stat %s", box->path);
		p.old_size = rc == 0 ? (uint64_t)sb.st_size : 0;
		if (rc == 0)
			rc = add_locked(&p, cs, e);
		drc = rc == 0 ? DRV_OK : mbox_rc(e);
	}
	mbox_unlock(box);
out:
	for (size_t i = 0; i < p.c->add_count; i++) {
		p.c->adds[i].rec.name = SPAN_NONE;
		buf_clear(&p.heads[i]);
	}
	mbox_keywords_clear(&p.kw);
	arena_free(p.a);
	free(p.heads);
	return drc;
}
