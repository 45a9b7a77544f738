/* SPDX-License-Identifier: MIT */
/*
 * Bodies, and what is made from them when the index lacks it.  What was made is written a hundred messages at a time, or
 * when the view is brought up to date, by mailbox_sync().
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-mail/crlf.h"
#include "lib-storage/storage-priv.h"

#define READ_WHOLE ((size_t)4 << 20)	/* larger files are mapped */
#define HEADER_STEP 8192
#define MADE_BATCH 100
#define MADE_MOST 4096			/* waiting to be written, at most */
#define MADE_ARENA ((size_t)16 << 20)

void
mailbox_body_drop(struct mailbox *box)
{
	if (box->map != NULL)
		munmap(box->map, box->map_n);
	box->map = NULL;
	box->body_uid = 0;
	box->body_whole = false;
	buf_reset(&box->body);
	if (box->body.cap > BODY_KEEP) {
		buf_clear(&box->body);
		buf_init(&box->body, BODY_KEEP);
	}
}

/* Reads until `most' octets are there or the file ends.  1 at the end. */
static int
fill(struct mailbox *box, int fd, size_t most, struct err *e)
{
	if (!buf_grow(&box->body, most))
		return err_set(e, ERR_TEMP, "out of memory");
	while (box->body.n < most) {
		ssize_t n = pread(fd, box->body.p + box->body.n, most - box->body.n, (off_t)box->body.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(e, "read a message of %s", box->name);
		if (n == 0)
			return 1;
		box->body.n += (size_t)n;
	}
	return 0;
}

static int
read_whole(struct mailbox *box, int fd, uint64_t expected, struct err *e)
{
	struct stat sb;
	int rc;

	/* One octet more than is expected tells that there is no more, without a stat. */
	if (expected < READ_WHOLE) {
		rc = fill(box, fd, (size_t)expected + 1, e);
		if (rc != 0)
			return rc == -1 ? -1 : 0;
	}
	if (fstat(fd, &sb) == -1)
		return err_errno(e, "stat a message of %s", box->name);
	if ((uint64_t)sb.st_size < READ_WHOLE)
		return fill(box, fd, (size_t)sb.st_size + 1, e) == -1 ? -1 : 0;
	box->map_n = (size_t)sb.st_size;
	box->map = mmap(NULL, box->map_n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (box->map == MAP_FAILED) {
		box->map = NULL;
		return err_errno(e, "map a message of %s", box->name);
	}
	return 0;
}

static struct span
body_span(const struct mailbox *box)
{
	if (box->map != NULL)
		return span_of(box->map, box->map_n);
	return box->body.n == 0 ? SPAN("") : buf_span(&box->body);
}

/* A slot for what is found out about uid. */
static struct made *
made_slot(struct mailbox *box, uint32_t uid, struct err *e)
{
	struct made *m = box->made.n == 0 ? NULL : array_at(&box->made, box->made.n - 1);

	if (m != NULL && m->uid == uid)
		return m;
	m = array_push(&box->made);
	if (m == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else
		m->uid = uid;
	return m;
}

/* The file is open, so that nobody need look at it once more; unless too much waits to be written already. */
static void
note_facts(struct mailbox *box, uint32_t uid, const struct extent *x)
{
	struct err none = ERR_INIT;
	struct made *m = x->facts_wanted && box->made.n < MADE_MOST ? made_slot(box, uid, &none) : NULL;

	if (m == NULL)
		return;
	m->what |= MADE_FACTS;
	m->facts = x->facts;
}

int
mailbox_body(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct extent x = { .fd = -1 };
	int rc;

	if (box->body_uid != uid || !box->body_whole) {
		mailbox_body_drop(box);
		if (box->drv->body_open(box->handle, uid, &x, e) != DRV_OK)
			return -1;
		note_facts(box, uid, &x);
		rc = read_whole(box, x.fd, x.length, e);
		close(x.fd);
		if (rc == -1 || (mailbox_is_packed(box) && mailbox_unpack(box, uid, &x, e) == -1))
			return -1;
		box->body_uid = uid;
		box->body_whole = true;
	}
	*out = body_span(box);
	return 0;
}

/* The end of the header in s: behind the empty line; 0 when it is not there. */
static size_t
header_end(struct span s, size_t from)
{
	while (from < s.n) {
		size_t nl = span_chr(span_from(s, from), '\n');

		if (nl == s.n - from)
			return 0;
		from += nl + 1;
		if (from < s.n && s.p[from] == '\n')
			return from + 1;
		if (from + 1 < s.n && s.p[from] == '\r' && s.p[from + 1] == '\n')
			return from + 2;
	}
	return 0;
}

bool
mailbox_has_header(struct span s, size_t from)
{
	return (s.n > 0 && s.p[0] == '\n') || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n') || header_end(s, from) != 0;
}

int
mailbox_header(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	size_t max = box->st->conf.limits.header_octets, looked = 0;
	struct extent x = { .fd = -1 };
	int rc = 0;

	if (box->body_uid == uid) {
		*out = body_span(box);
		return 0;
	}
	mailbox_body_drop(box);
	if (box->drv->body_open(box->handle, uid, &x, e) != DRV_OK)
		return -1;
	note_facts(box, uid, &x);
	for (size_t most = HEADER_STEP; rc == 0; most *= 2) {
		if (most > max)
			most = max;
		rc = fill(box, x.fd, most, e);
		if (rc != -1 && mailbox_is_packed(box)) {
			int done = mailbox_unpack_header(box, uid, rc == 1, e);

			if (done == 0 && most == max)
				done = err_set(e, ERR_LIMIT, "message %u of %s: the header is too large", uid, box->name);
			if (done == 0)
				continue;
			close(x.fd);
			*out = body_span(box);
			return done == 1 ? 0 : -1;
		}
		/* A line end may have been cut in two: look again from a little before. */
		if (rc == 0 && (mailbox_has_header(buf_span(&box->body), looked) || most == max))
			break;
		looked = box->body.n > 4 ? box->body.n - 4 : 0;
	}
	close(x.fd);
	if (rc == -1)
		return -1;
	box->body_uid = uid;
	box->body_whole = rc == 1;
	*out = body_span(box);
	return 0;
}

/* A file that is not as its name says: nothing in the name counts then. */
static void
take_facts(struct idx_state *st, struct idx_message *rec, const struct made *m)
{
	if (!(rec->bits & IDX_BY_NAME))
		return;
	rec->bits &= (uint8_t)~IDX_BY_NAME;
	rec->internal_date = m->facts.internal_date;
	if (rec->physical_size == m->facts.octets)
		return;
	index_count(st, m->uid, rec, -1);
	rec->physical_size = m->facts.octets;
	rec->size = IDX_SIZE_UNKNOWN;
	index_count(st, m->uid, rec, 1);
}

/* One that is too large is made again when it is asked for. */
static int
put_summary(struct mailbox *box, struct index_txn *t, const struct made *m, struct err *e)
{
	struct buf packed = BUF_INIT(SUMMARY_ROOM_MAX);
	int rc = 0;

	summary_pack(&packed, m->summary);
	if (!packed.failed)
		rc = index_summary_put(t, box->id, m->uid, buf_span(&packed), e);
	buf_clear(&packed);
	return rc;
}

static int
write_one(struct mailbox *box, struct index_txn *t, struct idx_state *st, const struct made *m, struct err *e)
{
	struct idx_message rec;
	char name[INDEX_FILE_NAME_MAX], uidl[256];
	int rc = index_message_get(t, box->id, m->uid, &rec, e);

	if (rc != 1)
		return rc;
	if (m->what & MADE_SUMMARY && put_summary(box, t, m, e) == -1)
		return -1;
	if (!(m->what & (MADE_SIZE | MADE_DIGEST | MADE_FACTS)))
		return 0;
	memcpy(name, rec.name.p, rec.name.n);
	rec.name.p = name;
	if (rec.bits & IDX_UIDL) {
		memcpy(uidl, rec.uidl.p, rec.uidl.n);
		rec.uidl.p = uidl;
	}
	if (m->what & MADE_FACTS)
		take_facts(st, &rec, m);
	if (m->what & MADE_SIZE && rec.size == IDX_SIZE_UNKNOWN) {
		index_count(st, m->uid, &rec, -1);
		rec.size = m->size;
		index_count(st, m->uid, &rec, 1);
	}
	if (m->what & MADE_DIGEST) {
		rec.bits |= IDX_DIGEST;
		memcpy(rec.digest, m->digest, sizeof(rec.digest));
	}
	return index_message_put(t, box->id, m->uid, &rec, e);
}

static int
write_made(struct mailbox *box, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc = index_write(box->store->ix, &t, e);

	if (rc == 0) {
		rc = index_state_get(t, box->id, &st, e);
		for (size_t i = 0; i < box->made.n && rc == 1; i++)
			rc = write_one(box, t, &st, array_at(&box->made, i), e) == -1 ? -1 : 1;
		if (rc == 1)
			rc = index_state_put(t, &st, e) == -1 ? -1 : 1;
		if (rc == 1)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	return rc == -1 ? -1 : 0;
}

/* What can not be kept is made again when it is asked for: no reason to fail, but damage is told. */
int
mailbox_made_flush(struct mailbox *box, struct err *e)
{
	int rc = 0;

	if (box->made.n == 0)
		return 0;
	if (write_made(box, e) == -1 && !(index_may_retry(box->store->ix) && write_made(box, e) == 0)) {
		rc = e->code == ERR_CORRUPT ? -1 : 0;
		if (rc == 0)
			*e = (struct err)ERR_INIT;
	}
	box->made.n = 0;
	if (box->made_arena != NULL)
		arena_reset(box->made_arena);
	return rc;
}

void
mailbox_read_end(struct mailbox *box)
{
	struct err e = ERR_INIT;

	/* Not for one message: a write costs as much for a hundred.  What can not be kept is made again next time. */
	if (box->made.n >= MADE_BATCH)
		mailbox_made_flush(box, &e);
	index_read_end(box->store->ix);
}

static bool
is_enough(const struct summary_view *v, unsigned need)
{
	return (!(need & NEED_HEADER) || (v->flags & SUMMARY_ENVELOPE && v->flags & SUMMARY_FIELDS)) &&
	    (!(need & NEED_STRUCTURE) || v->flags & SUMMARY_STRUCTURE);
}

static int
make_summary(struct mailbox *box, uint32_t uid, unsigned need, struct summary_view *out, struct err *e)
{
	struct buf value = BUF_INIT((size_t)1 << 20);
	struct span text;
	struct made *m;
	int rc;

	if (box->made_arena == NULL && (box->made_arena = arena_new(MADE_ARENA)) == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	/* Bounded: what was given out before is valid until here. */
	if ((box->made.n >= MADE_MOST || arena_used(box->made_arena) > MADE_ARENA / 2) && mailbox_made_flush(box, e) == -1)
		return -1;
	rc = need & NEED_STRUCTURE ? mailbox_body(box, uid, &text, e) : mailbox_header(box, uid, &text, e);
	if (rc == -1)
		return -1;
	arena_reset(box->st->work);
	rc = need & NEED_STRUCTURE || box->body_whole ? summary_from_message(&value, box->st->work, text, &box->st->conf.limits) :
	    summary_from_header(&value, box->st->work, text, &box->st->conf.limits);
	arena_reset(box->st->work);
	m = rc == -1 || value.failed ? NULL : made_slot(box, uid, e);
	if (m != NULL)
		m->summary = arena_dup(box->made_arena, buf_span(&value));
	buf_clear(&value);
	if (m == NULL || m->summary.p == NULL || !summary_view(m->summary, out))
		return err_set(e, ERR_LIMIT, "no summary of message %u in %s can be made", uid, box->name);
	m->what |= MADE_SUMMARY;
	if (out->flags & SUMMARY_SIZES) {
		m->what |= MADE_SIZE;
		m->size = out->virtual_size;
	}
	return 0;
}

int
mailbox_summary(struct mailbox *box, uint32_t uid, unsigned need, struct summary_view *out, struct err *e)
{
	struct index_txn *t;
	struct span value;
	int rc;

	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_summary_get(t, box->id, uid, &value, e);
	if (rc == -1)
		return -1;
	if (rc == 1 && need == NEED_NUMBERS && summary_packed_head(value, out) && out->flags & SUMMARY_ENVELOPE)
		return 0;
	if (rc == 1 && need == NEED_FIELDS && summary_unpack_fields(value, out) && is_enough(out, NEED_HEADER))
		return 0;
	need = need == NEED_FIELDS ? NEED_HEADER : need;
	if (rc == 1 && summary_unpack(&box->summary_room, value, out) && is_enough(out, need))
		return 0;
	/* Made a moment ago and not yet written? */
	if (box->made.n > 0) {
		struct made *m = array_at(&box->made, box->made.n - 1);

		if (m->uid == uid && m->what & MADE_SUMMARY && summary_view(m->summary, out) && is_enough(out, need))
			return 0;
	}
	if (make_summary(box, uid, need, out, e) == -1)
		return -1;
	/* A limit of the summary left it out: the caller sees that in the flags. */
	return 0;
}

/* What the file of a record is, that was made of its name alone.  out is valid until the next call. */
static int
look(struct mailbox *box, uint32_t uid, const struct file_facts **out, struct err *e)
{
	struct file_facts facts;
	struct made *m = box->made.n == 0 ? NULL : array_at(&box->made, box->made.n - 1);

	if (m == NULL || m->uid != uid || !(m->what & MADE_FACTS)) {
		if (box->made.n >= MADE_MOST && mailbox_made_flush(box, e) == -1)
			return -1;
		if (box->drv->look(box->handle, uid, &facts, e) != DRV_OK || (m = made_slot(box, uid, e)) == NULL)
			return -1;
		m->what |= MADE_FACTS;
		m->facts = facts;
	}
	*out = &m->facts;
	return 0;
}

/* The record as the index has it.  1: it was made of the file's name alone; 0, -1. */
static int
record_of(struct mailbox *box, uint32_t uid, struct idx_message *out, struct err *e)
{
	struct index_txn *t;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_message_get(t, box->id, uid, out, e);

	if (rc == 0)
		return err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
	return rc == -1 ? -1 : (out->bits & IDX_BY_NAME) != 0;
}

int
mailbox_date(struct mailbox *box, uint32_t uid, int64_t *out, struct err *e)
{
	const struct file_facts *facts;
	struct idx_message rec;
	int rc = record_of(box, uid, &rec, e);

	if (rc == 1 && look(box, uid, &facts, e) == -1)
		return -1;
	if (rc != -1)
		*out = rc == 1 ? facts->internal_date : rec.internal_date;
	return rc == -1 ? -1 : 0;
}

int
mailbox_size(struct mailbox *box, uint32_t uid, uint64_t *out, struct err *e)
{
	const struct file_facts *facts;
	struct idx_message rec;
	struct span text;
	struct made *m;
	int rc = record_of(box, uid, &rec, e);

	if (rc == 1 && look(box, uid, &facts, e) == -1)
		return -1;
	if (rc == -1)
		return -1;
	if (rec.size != IDX_SIZE_UNKNOWN && (rc == 0 || facts->octets == rec.physical_size)) {
		*out = rec.size;
		return 0;
	}
	/* Made a moment ago and not yet written? */
	m = box->made.n == 0 ? NULL : array_at(&box->made, box->made.n - 1);
	if (m != NULL && m->uid == uid && m->what & MADE_SIZE) {
		*out = m->size;
		return 0;
	}
	if (box->made.n >= MADE_MOST && mailbox_made_flush(box, e) == -1)
		return -1;
	if (mailbox_body(box, uid, &text, e) == -1)
		return -1;
	*out = crlf_size(text);
	m = made_slot(box, uid, e);
	if (m == NULL)
		return -1;
	m->what |= MADE_SIZE;
	m->size = *out;
	return 0;
}

int
mailbox_email_id(struct mailbox *box, uint32_t uid, char out[33], struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[IDX_DIGEST_LEN];
	struct index_txn *t;
	struct idx_message rec;
	struct span text;
	int rc;

	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_message_get(t, box->id, uid, &rec, e);
	if (rc != 1)
		return rc == -1 ? -1 : err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
	if (rec.bits & IDX_DIGEST) {
		memcpy(digest, rec.digest, IDX_DIGEST_LEN);
	} else {
		struct made *m;

		if (box->made.n >= MADE_MOST && mailbox_made_flush(box, e) == -1)
			return -1;
		if (mailbox_body(box, uid, &text, e) == -1)
			return -1;
		if (!mailbox_digest(text, digest))
			return err_set(e, ERR_TEMP, "SHA-256 failed");
		m = made_slot(box, uid, e);
		if (m == NULL)
			return -1;
		m->what |= MADE_DIGEST;
		memcpy(m->digest, digest, IDX_DIGEST_LEN);
	}
	for (int i = 0; i < IDX_DIGEST_LEN; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * IDX_DIGEST_LEN] = '\0';
	return 0;
}

int
mailbox_names(struct mailbox *box, uint32_t uid, bool guid, struct mailbox_names *out, struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	int rc;

	*out = (struct mailbox_names){ "", "", "" };
	if (index_read(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_message_get(t, box->id, uid, &m, e);
	if (rc == 0)
		return err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
	if (rc == -1)
		return -1;
	if (m.bits & IDX_UIDL && m.uidl.n > 0 && m.uidl.n < sizeof(out->uidl))
		memcpy(out->uidl, m.uidl.p, m.uidl.n);
	if (box->drv->names == NULL)
		return 0;
	return box->drv->names(box->handle, uid, m.name, out->file, guid ? out->guid : NULL, e) == DRV_OK ? 0 : -1;
}

/* In the index; in the mail's own files by the driver. */
static int
put_uidls(struct mailbox *box, struct index_txn *t, const struct mailbox_uidl *list, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct idx_message rec;
		char name[INDEX_FILE_NAME_MAX];
		int rc = index_message_get(t, box->id, list[i].uid, &rec, e);

		if (rc == -1)
			return -1;
		if (rc == 0 || rec.bits & IDX_UIDL || list[i].uidl.n > 255)
			continue;
		memcpy(name, rec.name.p, rec.name.n);
		rec.name.p = name;
		rec.bits |= IDX_UIDL;
		rec.uidl = list[i].uidl;
		if (index_message_put(t, box->id, list[i].uid, &rec, e) == -1)
			return -1;
	}
	return 0;
}

int
mailbox_save_uidls(struct mailbox *box, const struct mailbox_uidl *list, size_t count, struct err *e)
{
	struct index_txn *t;

	if (count == 0 || box->drv->uidls_save == NULL)
		return 0;
	index_read_end(box->store->ix);
	if (box->drv->uidls_save(box->handle, list, count, e) != DRV_OK || index_write(box->store->ix, &t, e) == -1)
		return -1;
	if (put_uidls(box, t, list, count, e) == -1) {
		index_abort(t);
		return -1;
	}
	return index_commit(t, e);
}

const struct mail_limits *
mailbox_limits(const struct mailbox *box)
{
	return &box->st->conf.limits;
}
