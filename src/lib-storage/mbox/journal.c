/* SPDX-License-Identifier: MIT */
/*
 * Changing an mbox in place.  The inode must stay, since others hold it open; so what stands in the file is moved within it,
 * and a crash in the middle would leave a file in which half of the messages are torn.  A journal in the control directory
 * makes such a change whole.
 *
 * A plan says what the new file is: pieces of the old file, and new data (headers), each with the place where it goes; what
 * is in no piece stays as it is.  Pieces are in the order of the file, on both sides.  It is carried out in this order:
 *	1. pieces that move towards the end, the last first, each from its end to its beginning;
 *	2. pieces that move towards the beginning, the first first;
 *	3. new data.
 * Nothing is overwritten before it has been read: a piece that moves to the right can only reach what stood to the right of
 * it, which has moved on already (or stands further right than it will ever go, because it moves left, to a place behind it);
 * the same the other way about.
 *
 * It goes in steps of CHUNK octets.  Before a step is written to the file, the octets to write are in the journal, in one of
 * two slots by turns, and synced; before a slot is used again, the file is synced.  So at any moment the newest whole slot is
 * a step that can be done once more, the one before it is in the file or in the other slot, and the plan tells what comes
 * after it.  Memory and journal are bounded by two steps and the plan.  The file is cut at the very end only: it is never
 * shorter than the mail that is in it.  Then the file is synced, and the journal goes.
 *
 * Who locks the box next finishes what a journal says, before anything else.  When no slot is whole nothing was done yet.
 * When the file has grown meanwhile, another program has added mail behind what was there: that is moved as well.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define NAME ".culver-journal"
#define NAME_NEW ".culver-journal.new"
#define MAGIC 0x43554c564a4e4c31u	/* "CULVJNL1" */
#define CHUNK ((size_t)4 << 20)
#define HEAD 64
#define SLOT_HEAD 56
#define ENTRY 16
#define SEG 32
#define SEGS_MAX 20000000u
#define DATA_MAX ((size_t)2 << 30)

enum phase { PHASE_RIGHT, PHASE_LEFT, PHASE_DATA, PHASE_DONE };

/* Where in the plan: the next octets to be moved. */
struct position {
	enum phase phase;
	uint64_t seg, done;	/* of PHASE_RIGHT: counted from the last; octets of it that are moved */
};

struct run {
	struct mbox_box *box;
	struct mbox_plan *p;
	int fd;			/* of the journal */
	uint64_t slots_at, slot_size;
	uint64_t step;
	struct position pos;
	struct buf entries, bytes;	/* of a step */
	bool sync;
};

static uint64_t
mix(uint64_t h, struct span s)
{
	for (; s.n >= 8; s = span_from(s, 8)) {
		uint64_t v;

		memcpy(&v, s.p, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

static int
journal_err(struct run *r, struct err *e)
{
	return err_wrap(e, "%s/%s", r->box->control_path, NAME);
}

/* ---- steps ---- */

static const struct mbox_segment *
seg_at(const struct run *r, uint64_t i)
{
	return array_at(&r->p->segs, (size_t)i);
}

static bool
belongs(const struct mbox_segment *s, enum phase phase)
{
	if (s->is_data || phase == PHASE_DATA)
		return s->is_data && phase == PHASE_DATA;
	return phase == PHASE_RIGHT ? s->to > s->from : s->to < s->from;
}

static int
add_write(struct run *r, uint64_t to, const struct mbox_segment *s, uint64_t at, size_t n, struct err *e)
{
	buf_add_be64(&r->entries, to);
	buf_add_be64(&r->entries, n);
	if (s->is_data) {
		buf_add(&r->bytes, span_of(r->p->data.p + s->data_at + at, n));
	} else {
		if (!buf_grow(&r->bytes, r->bytes.n + n))
			return err_set(e, ERR_TEMP, "out of memory");
		if (mbox_pread(r->box, r->bytes.p + r->bytes.n, n, s->from + at, e) == -1)
			return -1;
		r->bytes.n += n;
	}
	return r->entries.failed || r->bytes.failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

/* Collects the next step's writes, and moves pos behind them. */
static int
next_step(struct run *r, struct err *e)
{
	buf_reset(&r->entries);
	buf_reset(&r->bytes);
	while (r->pos.phase != PHASE_DONE && r->bytes.n < CHUNK) {
		const struct mbox_segment *s;
		uint64_t left, at;
		size_t n;

		if (r->pos.seg == r->p->segs.n) {
			r->pos = (struct position){ .phase = r->pos.phase + 1 };
			continue;
		}
		s = seg_at(r, r->pos.phase == PHASE_RIGHT ? r->p->segs.n - 1 - r->pos.seg : r->pos.seg);
		if (!belongs(s, r->pos.phase) || r->pos.done == s->n) {
			r->pos.seg++;
			r->pos.done = 0;
			continue;
		}
		left = s->n - r->pos.done;
		n = left < CHUNK - r->bytes.n ? (size_t)left : CHUNK - r->bytes.n;
		at = r->pos.phase == PHASE_RIGHT ? left - n : r->pos.done;
		if (add_write(r, s->to + at, s, at, n, e) == -1)
			return -1;
		r->pos.done += n;
	}
	return 0;
}

static int
slot_write(struct run *r, struct err *e)
{
	struct buf head = BUF_INIT(SLOT_HEAD);
	uint64_t at = r->slots_at + (r->step & 1) * r->slot_size;
	int rc;

	buf_add_be64(&head, MAGIC);
	buf_add_be64(&head, r->step);
	buf_add_be64(&head, r->entries.n / ENTRY);
	buf_add_be64(&head, (uint64_t)r->pos.phase);
	buf_add_be64(&head, r->pos.seg);
	buf_add_be64(&head, r->pos.done);
	buf_add_be64(&head, mix(mix(mix(r->step, buf_span(&head)), buf_span(&r->entries)), buf_span(&r->bytes)));
	rc = head.failed ? err_set(e, ERR_TEMP, "out of memory") : mbox_pwrite(r->fd, buf_span(&head), at, NAME, e);
	if (rc == 0)
		rc = mbox_pwrite(r->fd, buf_span(&r->entries), at + SLOT_HEAD, NAME, e);
	if (rc == 0)
		rc = mbox_pwrite(r->fd, buf_span(&r->bytes), at + SLOT_HEAD + r->entries.n, NAME, e);
	buf_clear(&head);
	return rc;
}

static int
step_apply(struct run *r, struct err *e)
{
	uint64_t used = 0;

	for (size_t i = 0; i < r->entries.n; i += ENTRY) {
		uint64_t to = be64_get(r->entries.p + i), n = be64_get(r->entries.p + i + 8);

		if (n > r->bytes.n - used || to > INT64_MAX / 2)
			return err_set(e, ERR_CORRUPT, "%s/%s is damaged", r->box->control_path, NAME);
		if (mbox_pwrite(r->box->fd, span_of(r->bytes.p + used, (size_t)n), to, r->box->path, e) == -1)
			return -1;
		used += n;
	}
	return 0;
}

/* A step that the journal has; 1, 0 it is not whole. */
static int
slot_read(struct run *r, int which, uint64_t *step_out, struct position *pos_out)
{
	char head[SLOT_HEAD], entry[ENTRY];
	uint64_t at = r->slots_at + (uint64_t)which * r->slot_size, count, total = 0;
	ssize_t n = pread(r->fd, head, sizeof(head), (off_t)at);

	buf_reset(&r->entries);
	buf_reset(&r->bytes);
	if (n != (ssize_t)sizeof(head) || be64_get(head) != MAGIC)
		return 0;
	count = be64_get(head + 16);
	if (count > r->slot_size / ENTRY || be64_get(head + 24) > PHASE_DONE)
		return 0;
	for (uint64_t i = 0; i < count; i++) {
		if (pread(r->fd, entry, ENTRY, (off_t)(at + SLOT_HEAD + i * ENTRY)) != ENTRY)
			return 0;
		buf_add(&r->entries, span_of(entry, ENTRY));
		if (be64_get(entry + 8) > CHUNK)
			return 0;
		total += be64_get(entry + 8);
	}
	if (total > CHUNK || r->entries.failed || !buf_grow(&r->bytes, (size_t)total + 1))
		return 0;
	if (total > 0 && pread(r->fd, r->bytes.p, (size_t)total, (off_t)(at + SLOT_HEAD + r->entries.n)) != (ssize_t)total)
		return 0;
	r->bytes.n = (size_t)total;
	*step_out = be64_get(head + 8);
	*pos_out = (struct position){ (enum phase)be64_get(head + 24), be64_get(head + 32), be64_get(head + 40) };
	return mix(mix(mix(*step_out, span_of(head, 48)), buf_span(&r->entries)), buf_span(&r->bytes)) == be64_get(head + 48) &&
	    (*step_out & 1) == (uint64_t)which;
}

static int
sync_fd(struct run *r, int fd, const char *what, struct err *e)
{
	return r->sync && fdatasync(fd) == -1 ? err_errno(e, "sync %s", what) : 0;
}

/* From r->pos to the end; the step in hand is in its slot already, when `pending'. */
static int
run_steps(struct run *r, bool pending, struct err *e)
{
	for (;;) {
		if (!pending) {
			r->step++;
			if (next_step(r, e) == -1)
				return -1;
			if (r->entries.n == 0)
				break;
			if (slot_write(r, e) == -1 || sync_fd(r, r->fd, NAME, e) == -1)
				return journal_err(r, e);
		}
		pending = false;
		mbox_lock_touch(r->box);
		if (step_apply(r, e) == -1 || sync_fd(r, r->box->fd, r->box->path, e) == -1)
			return -1;
	}
	return 0;
}

/* For good: a journal that came back after a power cut would undo what was done since. */
static int
forget(struct run *r, struct err *e)
{
	if (unlinkat(r->box->control_fd, NAME, 0) == -1 && errno != ENOENT)
		return err_errno(e, "remove %s/%s", r->box->control_path, NAME);
	return r->sync && fsync(r->box->control_fd) == -1 ? err_errno(e, "sync %s", r->box->control_path) : 0;
}

static int
finish(struct run *r, struct err *e)
{
	if (r->p->new_size < r->p->old_size && ftruncate(r->box->fd, (off_t)r->p->new_size) == -1)
		return err_errno(e, "cut %s", r->box->path);
	if (r->p->new_size < r->p->old_size && sync_fd(r, r->box->fd, r->box->path, e) == -1)
		return -1;
	return forget(r, e);
}

/* ---- the plan on disk ---- */

static void
put_seg(struct buf *out, const struct mbox_segment *s)
{
	buf_add_be64(out, s->to);
	buf_add_be64(out, s->n);
	buf_add_be64(out, s->is_data ? s->data_at : s->from);
	buf_add_be64(out, s->is_data);
}

static int
plan_write(struct run *r, const struct stat *sb, struct err *e)
{
	struct buf segs = BUF_INIT((size_t)SEGS_MAX * SEG), head = BUF_INIT(HEAD);
	struct mbox_plan *p = r->p;
	int rc = 0;

	for (size_t i = 0; i < p->segs.n; i++)
		put_seg(&segs, array_at(&p->segs, i));
	buf_add_be64(&head, MAGIC);
	buf_add_be64(&head, (uint64_t)sb->st_ino);
	buf_add_be64(&head, p->old_size);
	buf_add_be64(&head, p->new_size);
	buf_add_be64(&head, p->segs.n);
	buf_add_be64(&head, p->data.n);
	buf_add_be64(&head, r->slot_size);
	buf_add_be64(&head, mix(mix(mix(1, buf_span(&head)), buf_span(&segs)), buf_span(&p->data)));
	if (segs.failed || head.failed)
		rc = err_set(e, ERR_LIMIT, "too many messages change at once");
	if (rc == 0)
		rc = mbox_pwrite(r->fd, buf_span(&head), 0, NAME_NEW, e);
	if (rc == 0)
		rc = mbox_pwrite(r->fd, buf_span(&segs), HEAD, NAME_NEW, e);
	if (rc == 0)
		rc = mbox_pwrite(r->fd, buf_span(&p->data), HEAD + segs.n, NAME_NEW, e);
	r->slots_at = HEAD + segs.n + p->data.n;
	buf_clear(&segs);
	buf_clear(&head);
	return rc;
}

static int
plan_read(struct run *r, const struct stat *sb, struct err *e)
{
	struct buf all = BUF_INIT(HEAD + (size_t)SEGS_MAX * SEG + DATA_MAX);
	char head[HEAD];
	uint64_t segs, data;
	int rc = 0;

	if (pread(r->fd, head, HEAD, 0) != HEAD || be64_get(head) != MAGIC || be64_get(head + 8) != (uint64_t)sb->st_ino)
		return 0;
	segs = be64_get(head + 32);
	data = be64_get(head + 40);
	r->slot_size = be64_get(head + 48);
	if (segs > SEGS_MAX || data > DATA_MAX || !buf_grow(&all, (size_t)(segs * SEG + data) + 1) ||
	    pread(r->fd, all.p, (size_t)(segs * SEG + data), HEAD) != (ssize_t)(segs * SEG + data))
		goto out;
	if (mix(mix(mix(1, span_of(head, 56)), span_of(all.p, segs * SEG)), span_of(all.p + segs * SEG, data)) !=
	    be64_get(head + 56))
		goto out;
	r->p->old_size = be64_get(head + 16);
	r->p->new_size = be64_get(head + 24);
	for (uint64_t i = 0; i < segs; i++) {
		const char *s = all.p + i * SEG;
		struct mbox_segment *slot = array_push(&r->p->segs);

		if (slot == NULL) {
			rc = err_set(e, ERR_TEMP, "out of memory");
			goto out;
		}
		*slot = (struct mbox_segment){ .to = be64_get(s), .n = be64_get(s + 8), .is_data = be64_get(s + 24) != 0 };
		if (slot->is_data)
			slot->data_at = (uint32_t)be64_get(s + 16);
		else
			slot->from = be64_get(s + 16);
	}
	buf_add(&r->p->data, span_of(all.p + segs * SEG, data));
	r->slots_at = HEAD + segs * SEG + data;
	rc = r->p->data.failed ? err_set(e, ERR_TEMP, "out of memory") : 1;
out:
	buf_clear(&all);
	return rc;
}

static void
run_init(struct run *r, struct mbox_box *box, struct mbox_plan *p)
{
	*r = (struct run){ .box = box, .p = p, .fd = -1, .sync = box->store->p.fsync != FSYNC_NEVER };
	buf_init(&r->entries, CHUNK * ENTRY);
	buf_init(&r->bytes, CHUNK + 1);
}

static void
run_clear(struct run *r)
{
	buf_clear(&r->entries);
	buf_clear(&r->bytes);
	if (r->fd != -1)
		close(r->fd);
}

/* Octets of all the steps' writes. */
static uint64_t
work_of(const struct mbox_plan *p, uint64_t *entries_out)
{
	uint64_t n = 0;

	*entries_out = 0;
	for (size_t i = 0; i < p->segs.n; i++) {
		const struct mbox_segment *s = array_at(&p->segs, i);

		if (!s->is_data && s->to == s->from)
			continue;
		n += s->n;
		++*entries_out;
	}
	return n;
}

/* The journal with the plan and its first step, on disk. */
static int
begin(struct run *r, struct err *e)
{
	struct stat sb;
	uint64_t entries, n = work_of(r->p, &entries);

	if (mbox_intent_settle(r->box, e) == -1)
		return -1;
	if (fstat(r->box->fd, &sb) == -1)
		return err_errno(e, "stat %s", r->box->path);
	r->fd = openat(r->box->control_fd, NAME_NEW, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd == -1)
		return err_errno(e, "make %s/%s", r->box->control_path, NAME_NEW);
	r->slot_size = SLOT_HEAD + (n < CHUNK ? n : CHUNK) + (entries + 1) * ENTRY;
	if (plan_write(r, &sb, e) == -1 || next_step(r, e) == -1 || slot_write(r, e) == -1)
		return -1;
	/* No step may fail for want of room: it is taken now. */
	if (n > CHUNK && posix_fallocate(r->fd, (off_t)r->slots_at, (off_t)(2 * r->slot_size)) == ENOSPC)
		return err_set(e, ERR_QUOTA, "%s: no room for the journal", r->box->control_path);
	if (sync_fd(r, r->fd, NAME_NEW, e) == -1)
		return -1;
	return 0;
}

static int
begin_visible(struct run *r, struct err *e)
{
	if (renameat(r->box->control_fd, NAME_NEW, r->box->control_fd, NAME) == -1)
		return err_errno(e, "rename %s/%s", r->box->control_path, NAME_NEW);
	return r->sync && fsync(r->box->control_fd) == -1 ? err_errno(e, "sync %s", r->box->control_path) : 0;
}

/* Where the file can not grow, it stays as it is: nothing has been done to it yet. */
static int
enlarge(struct run *r, struct err *e)
{
	struct err ignored = ERR_INIT;
	int why = posix_fallocate(r->box->fd, (off_t)r->p->old_size, (off_t)(r->p->new_size - r->p->old_size));

	if (why == 0 || why == EINVAL || why == EOPNOTSUPP)
		return 0;
	errno = why;
	err_errno(e, "enlarge %s", r->box->path);
	if (ftruncate(r->box->fd, (off_t)r->p->old_size) == 0)
		forget(r, &ignored);
	return -1;
}

/* The file is only cut: there is no half of that, and so nothing to be finished after a crash. */
static int
cut(struct run *r, struct err *e)
{
	if (mbox_intent_settle(r->box, e) == -1)
		return -1;
	if (ftruncate(r->box->fd, (off_t)r->p->new_size) == -1)
		return err_errno(e, "cut %s", r->box->path);
	return sync_fd(r, r->box->fd, r->box->path, e);
}

int
mbox_plan_run(struct mbox_box *box, struct mbox_plan *p, struct err *e)
{
	struct run r;
	int rc;

	if (box->control_fd == -1)
		return err_set(e, ERR_DENIED, "there is no control directory %s", box->control_path);
	run_init(&r, box, p);
	if (p->segs.n == 0 && p->new_size < p->old_size) {
		rc = cut(&r, e);
		run_clear(&r);
		return rc;
	}
	rc = begin(&r, e);
	if (rc == 0 && r.entries.n == 0 && p->new_size == p->old_size) {
		unlinkat(box->control_fd, NAME_NEW, 0);		/* nothing to do */
		run_clear(&r);
		return 0;
	}
	if (rc == -1)
		unlinkat(box->control_fd, NAME_NEW, 0);
	/* From here on the journal stays until all is done, whoever does it. */
	else if ((rc = begin_visible(&r, e)) == 0 && p->new_size > p->old_size)
		rc = enlarge(&r, e);
	if (rc == 0)
		rc = run_steps(&r, r.entries.n > 0, e);
	if (rc == 0)
		rc = finish(&r, e);
	run_clear(&r);
	return rc;
}

/* ---- after a crash ---- */

/* Mail that came behind the old end while nobody was there: the plan gets one more piece, and begins anew with that alone. */
static int
move_tail(struct run *r, uint64_t size, struct err *e)
{
	struct mbox_plan p = { .segs = ARRAY_INIT(struct mbox_segment, 4), .data = BUF_INIT(16), .old_size = size,
		.new_size = r->p->new_size + (size - r->p->old_size) };
	struct mbox_segment *s = array_push(&p.segs);
	int rc;

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*s = (struct mbox_segment){ .from = r->p->old_size, .to = r->p->new_size, .n = size - r->p->old_size };
	rc = mbox_plan_run(r->box, &p, e);
	array_clear(&p.segs);
	return rc;
}

static int
resume(struct run *r, uint64_t size, struct err *e)
{
	uint64_t steps[2] = { 0, 0 };
	struct position pos[2];
	int whole[2], newest;

	for (int i = 0; i < 2; i++)
		whole[i] = slot_read(r, i, &steps[i], &pos[i]);
	if (!whole[0] && !whole[1])
		return err_set(e, ERR_CORRUPT, "%s/%s has no step", r->box->control_path, NAME);
	newest = whole[0] && whole[1] ? steps[1] > steps[0] : whole[1];
	/* The one before it, too: it may not have reached the disk. */
	for (int i = 0; i < 2; i++) {
		int which = i == 0 ? 1 - newest : newest;

		if (whole[which] && (i == 1 || steps[which] + 1 == steps[newest]) &&
		    slot_read(r, which, &steps[which], &pos[which]) && step_apply(r, e) == -1)
			return -1;
	}
	r->step = steps[newest];
	r->pos = pos[newest];
	if (sync_fd(r, r->box->fd, r->box->path, e) == -1 || run_steps(r, false, e) == -1)
		return -1;
	if (size > r->p->old_size && size > r->p->new_size && r->p->new_size < r->p->old_size)
		return move_tail(r, size, e);
	return finish(r, e);
}

bool
mbox_journal_is_there(struct mbox_box *box)
{
	return faccessat(box->control_fd, NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int
mbox_journal_recover(struct mbox_box *box, bool *needed_out, bool may_write, struct err *e)
{
	struct mbox_plan p = { .segs = ARRAY_INIT(struct mbox_segment, SEGS_MAX), .data = BUF_INIT(DATA_MAX) };
	struct run r;
	struct stat sb;
	int rc;

	run_init(&r, box, &p);
	r.fd = openat(box->control_fd, NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (r.fd == -1 && errno == ENOENT) {
		run_clear(&r);
		return 0;
	}
	*needed_out = true;
	rc = r.fd == -1 ? err_errno(e, "open %s/%s", box->control_path, NAME) : 0;
	if (rc == 0 && may_write && (rc = fstat(box->fd, &sb)) == -1)
		err_errno(e, "stat %s", box->path);
	if (rc == 0 && may_write) {
		uint64_t size = (uint64_t)sb.st_size;

		rc = plan_read(&r, &sb, e);
		if (rc == 1 && size >= (p.old_size < p.new_size ? p.old_size : p.new_size)) {
			log_info("%s: finishing a change that was cut short", box->path);
			rc = resume(&r, size, e);
		} else if (rc != -1) {
			/* Not of this file, or of a state that another program has replaced. */
			log_error("%s: a journal that does not fit the file is removed", box->path);
			rc = unlinkat(box->control_fd, NAME, 0) == -1 ? err_errno(e, "remove %s", NAME) : 0;
		}
	}
	run_clear(&r);
	array_clear(&p.segs);
	buf_clear(&p.data);
	return rc;
}
