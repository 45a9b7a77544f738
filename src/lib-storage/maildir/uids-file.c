/* SPDX-License-Identifier: MIT */
/*
 * culver-uids: the UIDs of files whose names do not tell them.
 *
 * A name tells its file's UID, but who finds a thousand files of another program would have to rename them all before the
 * mailbox can be shown.  So when many come at once they keep their names, and this file tells their UIDs, a line each; it is
 * read when the index is made anew.  A file that is renamed later, for its flags, gets its UID into its name then.
 *
 * Order: the scan gives the UIDs and commits, with st.dev set to the first of them: whoever syncs next, the scan itself first
 * of all, must write the lines before a client hears of the messages (maildir_uids_tell).  So each line is of a UID that was
 * committed, and no crash leaves one that is given again: killed before the lines are there, nobody has heard of those UIDs;
 * killed after them, dev is still set, and they are written once more, which says the same.
 *
 * Where the file can not be written (a full disk) the files are renamed after all, by what writes flags behind.
 *
 * It also tells the keywords of messages that have no letter, since there are 26; those are written behind, with the names
 * that have the letters.
 *
 * The box's lock guards appending of names; keywords are appended within the write transaction that finds them.  A file with
 * more that is of no use than what is is made anew beside it, and takes its place within a write transaction in which nothing
 * has changed since: nobody appends to the old one then.
 */
#include "lib-storage/maildir/uids-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define NEW_NAME UIDS_NAME ".new"
#define TRIES 4
#define LOCK_TRIES 100
#define LOCK_STEP_US 10000
#define SLACK 65536	/* octets below which nobody asks whether they are of use */
#define EACH 150	/* octets that a message may take, by and large, before all of them are looked at */

int
maildir_uids_read(struct maildir_box *box, uint32_t uidvalidity, struct maildir_uids *out, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), rc;

	*out = (struct maildir_uids){ .text = BUF_INIT(UIDS_OCTETS) };
	if (dir == -1)
		return 0;
	rc = maildir_read_at(dir, UIDS_NAME, UIDS_OCTETS - 1, &out->text, e);
	close(dir);
	if (rc == 1 && (!uids_parse(buf_span(&out->text), &out->list) || !uids_index(&out->list))) {
		log_warning("%s/%s is damaged: messages whose file names have no UID get new ones", box->path, UIDS_NAME);
		rc = 0;
	}
	/* Of another mailbox, which was renamed or copied to this place by hand. */
	if (rc == 1 && uidvalidity != 0 && out->list.uidvalidity != uidvalidity)
		rc = 0;
	if (rc != 1)
		maildir_uids_clear(out);
	return rc == -1 && e->code == ERR_LIMIT ? 0 : rc;
}

void
maildir_uids_clear(struct maildir_uids *u)
{
	uids_clear(&u->list);
	buf_clear(&u->text);
}

bool
maildir_is_tagged(struct span base, uint32_t uidvalidity, uint32_t uid)
{
	struct maildir_name n;

	return span_find(base, SPAN(",U=")) != SIZE_MAX && maildir_name_parse(base, &n) && n.uid == uid && n.uidvalidity == uidvalidity;
}

/*
 * Whether it begins as a list of this mailbox.  One that does not is another mailbox's, or was never synced when the power was
 * cut: nothing in it was told to anybody.
 */
static bool
has_head(int fd, uint32_t uidvalidity)
{
	struct buf head = BUF_INIT(64);
	char octets[64];
	ssize_t n;
	bool same;

	uids_put_head(&head, uidvalidity);
	n = pread(fd, octets, head.n, 0);
	same = n >= 0 && span_eq(span_of(octets, (size_t)n), buf_span(&head));
	buf_clear(&head);
	return same;
}

/* Empties the file, unless another process has done so meanwhile and has written its head. */
static int
begin_anew(struct maildir_box *box, int fd, uint32_t uidvalidity, struct err *e)
{
	struct buf head = BUF_INIT(64);
	int rc = 0;

	for (int try = 0; fd_flock(fd, LOCK_EX | LOCK_NB) == -1; try++) {
		if (errno != EWOULDBLOCK || try == LOCK_TRIES)
			return err_errno(e, "lock %s/%s", box->path, UIDS_NAME);
		usleep(LOCK_STEP_US);
	}
	if (!has_head(fd, uidvalidity)) {
		uids_put_head(&head, uidvalidity);
		rc = ftruncate(fd, 0) == -1 ? err_errno(e, "cut %s/%s", box->path, UIDS_NAME) : fd_write_all(fd, buf_span(&head), e);
		buf_clear(&head);
	}
	fd_flock(fd, LOCK_UN);
	return rc;
}

/* Behind what is there, which may end in a line that was cut; *size_out: of all of it then. */
static int
append(struct maildir_box *box, uint32_t uidvalidity, struct span lines, bool sync, uint64_t *size_out, struct err *e)
{
	int dir = maildir_control_dir(box, true, e), fd, rc = 0;
	struct buf head = BUF_INIT(64);
	struct stat sb;
	bool is_new;
	char last;

	if (dir == -1)
		return err_errno(e, "open the control directory of %s", box->path);
	fd = openat(dir, UIDS_NAME, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT)
		fd = maildir_perm_create(dir, UIDS_NAME, O_RDWR | O_APPEND | O_NOFOLLOW, maildir_box_perm(box));
	if (fd == -1 || fstat(fd, &sb) == -1)
		rc = err_errno(e, "open %s/%s", box->path, UIDS_NAME);
	else if (!S_ISREG(sb.st_mode))
		rc = err_set(e, ERR_LIMIT, "%s/%s is no plain file", box->path, UIDS_NAME);
	is_new = rc == 0 && sb.st_size == 0;
	/* One that is empty needs no care: of two that write the first line the second is passed over. */
	if (is_new)
		uids_put_head(&head, uidvalidity);
	else if (rc == 0 && !has_head(fd, uidvalidity))
		rc = begin_anew(box, fd, uidvalidity, e) == -1 ? -1 :
		    fstat(fd, &sb) == -1 ? err_errno(e, "stat %s/%s", box->path, UIDS_NAME) : 0;
	else if (rc == 0 && pread(fd, &last, 1, sb.st_size - 1) == 1 && last != '\n')
		buf_addc(&head, '\n');
	if (rc == 0 && head.n > 0)
		rc = fd_write_all(fd, buf_span(&head), e);
	if (rc == 0)
		rc = fd_write_all(fd, lines, e);
	/* The directory too: who has made the file may not have synced it. */
	if (rc == 0 && sync && (fsync(fd) == -1 || fsync(dir) == -1))
		rc = err_errno(e, "sync %s/%s", box->path, UIDS_NAME);
	*size_out = rc == 0 ? (uint64_t)sb.st_size + head.n + lines.n : 0;
	if (fd != -1)
		close(fd);
	close(dir);
	buf_clear(&head);
	return rc;
}

/* The lines of all messages from first on. */
static int
put_lines(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, uint32_t first, bool keywords,
    struct buf *out, struct err *e)
{
	struct index_walk w;
	int rc;

	if (index_walk_begin(&w, t, box->id, first, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1) {
		struct span base = span_sub(w.m.name, 0, span_chr(w.m.name, ':'));

		if (!maildir_is_tagged(base, st->uidvalidity, w.uid))
			uids_put_name(out, w.uid, base);
		if (keywords && w.m.keywords >> MAILDIR_LETTERS != 0)
			uids_put_keywords(out, w.uid, w.m.keywords >> MAILDIR_LETTERS);
	}
	index_walk_end(&w);
	return rc == 0 && out->failed ? err_set(e, ERR_LIMIT, "%s/%s would be too large", box->path, UIDS_NAME) : rc;
}

/* Reads the state; with first not 0 the lines from it on too.  1, 0 it is gone, -1. */
static int
snapshot(struct maildir_box *box, struct idx_state *st, bool all, struct buf *out, struct err *e)
{
	struct index_txn *t;
	int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, st, e);

	buf_reset(out);
	if (rc == 1 && all)
		uids_put_head(out, st->uidvalidity);
	if (rc == 1 && (all || st->dev != 0) && put_lines(box, t, st, all ? 1 : (uint32_t)st->dev, all, out, e) == -1)
		rc = -1;
	index_read_end(box->store->ix);
	return rc;
}

/* All UIDs below upto are told: those above it are the next ones to be. */
static int
told(struct maildir_box *box, struct index_txn *t, uint32_t upto, struct err *e)
{
	struct idx_state st;
	int rc = index_state_get(t, box->id, &st, e);

	if (rc == 1) {
		st.dev = st.uidnext > upto && st.dev != 0 ? upto : 0;
		rc = index_state_put(t, &st, e) == -1 ? -1 : 1;
	}
	if (rc == 1)
		return index_commit(t, e) == -1 ? -1 : st.dev == 0;
	index_abort(t);
	return rc == -1 ? -1 : 1;
}

/* Within a write transaction, which is ended: the new file takes the old one's place, if it still tells all. */
static int
replace(struct maildir_box *box, int dir, struct index_txn *t, const struct idx_state *before, struct err *e)
{
	struct idx_state st;
	int rc = index_state_get(t, box->id, &st, e);

	if (rc == 1 && st.highestmodseq == before->highestmodseq && st.uidnext == before->uidnext &&
	    renameat(dir, NEW_NAME, dir, UIDS_NAME) == -1)
		rc = err_errno(e, "rename %s/%s", box->path, NEW_NAME);
	else if (rc == 1 && (st.highestmodseq != before->highestmodseq || st.uidnext != before->uidnext))
		rc = 0;
	if (rc == 1)
		return told(box, t, before->uidnext, e) == -1 ? -1 : 1;
	index_abort(t);
	return rc;
}

/* With the box locked: the file with what is of use alone.  1; 0: it stays as it is; -1. */
static int
write_anew(struct maildir_box *box, uint64_t size, struct err *e)
{
	struct buf text = BUF_INIT(UIDS_OCTETS);
	struct idx_state before;
	struct index_txn *t;
	int dir = maildir_control_dir(box, false, e), rc = 0;

	if (dir == -1)
		return 0;
	for (int try = 0; try < TRIES && rc == 0; try++) {
		rc = snapshot(box, &before, true, &text, e);
		if (rc != 1 || text.n >= size / 2) {
			rc = rc == -1 ? -1 : 0;
			break;
		}
		rc = maildir_replace(dir, NEW_NAME, buf_span(&text), maildir_box_perm(box), e);
		if (rc == 0)
			rc = index_write(box->store->ix, &t, e);
		if (rc == 0)
			rc = replace(box, dir, t, &before, e);
	}
	if (rc != 1)
		unlinkat(dir, NEW_NAME, 0);
	else if (box->store->p.fsync != FSYNC_NEVER && fsync(dir) == -1)
		rc = err_errno(e, "sync the control directory of %s", box->path);
	close(dir);
	buf_clear(&text);
	return rc;
}

static uint64_t
size_now(struct maildir_box *box)
{
	struct err none = ERR_INIT;
	int dir = maildir_control_dir(box, false, &none);
	struct stat sb;
	bool there = dir != -1 && fstatat(dir, UIDS_NAME, &sb, AT_SYMLINK_NOFOLLOW) == 0;

	if (dir != -1)
		close(dir);
	return there ? (uint64_t)sb.st_size : 0;
}

/* With the box locked.  1 all is told, 0 more came meanwhile, -1. */
static int
tell_locked(struct maildir_box *box, struct err *e)
{
	struct buf lines = BUF_INIT(UIDS_OCTETS);
	struct index_txn *t;
	struct idx_state st;
	uint64_t size = size_now(box);
	int rc = snapshot(box, &st, false, &lines, e);

	if (rc == 1 && st.dev != 0) {
		if (size > SLACK + (uint64_t)st.messages * EACH && write_anew(box, size + lines.n, e) == 1) {
			buf_clear(&lines);
			return 1;
		}
		if (lines.n > 0)
			rc = append(box, st.uidvalidity, buf_span(&lines), box->store->p.fsync != FSYNC_NEVER, &size, e) == -1 ? -1 : 1;
		if (rc == 1)
			rc = index_write(box->store->ix, &t, e) == -1 ? -1 : told(box, t, st.uidnext, e);
	} else if (rc == 0) {
		rc = 1;		/* it is gone */
	}
	buf_clear(&lines);
	return rc;
}

/* The records whose files are to be renamed: 0, -1. */
static int
list_nameless(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, struct array *seen, struct buf *text,
    struct err *e)
{
	struct index_walk w;
	int rc;

	if (index_walk_begin(&w, t, box->id, (uint32_t)st->dev, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1) {
		struct change_seen *s;

		if (maildir_is_tagged(span_sub(w.m.name, 0, span_chr(w.m.name, ':')), st->uidvalidity, w.uid))
			continue;
		s = array_push(seen);
		if (s == NULL) {
			rc = err_set(e, ERR_TEMP, "out of memory");
			break;
		}
		*s = (struct change_seen){ .uid = w.uid, .rec = w.m };
		s->rec.bits |= IDX_DIRTY;
		s->rec.name.p = (const char *)(uintptr_t)text->n;
		buf_add(text, w.m.name);
		s->rec.uidl.p = (const char *)(uintptr_t)text->n;
		buf_add(text, w.m.uidl);
	}
	index_walk_end(&w);
	for (size_t i = 0; i < seen->n; i++) {
		struct change_seen *s = array_at(seen, i);

		s->rec.name.p = text->p + (uintptr_t)s->rec.name.p;
		s->rec.uidl.p = text->p + (uintptr_t)s->rec.uidl.p;
	}
	return rc == 0 && text->failed ? err_set(e, ERR_TEMP, "out of memory") : rc;
}

/* Names for the files instead: marks their records, so that they are written behind, which is done at once. */
static enum drv_rc
name_files(struct maildir_box *box, struct err *e)
{
	struct array seen = ARRAY_INIT(struct change_seen, UIDS_ENTRIES);
	struct buf text = BUF_INIT(UIDS_OCTETS);
	struct box_change c = { .id = box->id };
	struct index_txn *t;
	struct idx_state st;
	enum drv_rc drc = maildir_begin(box, 0, &t, &st, e);
	int rc;

	if (drc != DRV_OK)
		return drc;
	rc = list_nameless(box, t, &st, &seen, &text, e);
	c.seen = seen.p;
	c.seen_count = seen.n;
	if (rc == 0 && seen.n > 0)
		rc = index_apply(t, &c, &st, e);
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	array_clear(&seen);
	buf_clear(&text);
	if (rc == -1)
		return drv_of(e);
	maildir_dirty(box, st.dev == 0 ? 1 : (uint32_t)st.dev, st.uidnext);
	drc = maildir_write_behind(box, NULL, 0, e);
	if (drc == DRV_OK && (index_write(box->store->ix, &t, e) == -1 || told(box, t, st.uidnext, e) == -1))
		drc = drv_of(e);
	return drc;
}

/* A directory that we may only read. */
static bool
may_only_read(struct maildir_box *box)
{
	struct err none = ERR_INIT;
	int dir = maildir_control_dir(box, false, &none);
	bool readonly = dir == -1 || faccessat(dir, ".", W_OK, AT_EACCESS) == -1;

	if (dir != -1)
		close(dir);
	return readonly;
}

static enum drv_rc
tell(struct maildir_box *box, struct err *e)
{
	struct err why = ERR_INIT;
	struct index_txn *t;
	int rc = 0;

	if (maildir_box_lock(box, e) == -1)
		return drv_of(e);
	for (int try = 0; try < TRIES && rc == 0; try++)
		rc = tell_locked(box, &why);
	maildir_box_unlock(box);
	if (rc != -1)
		return DRV_OK;
	/* Its messages are served all the same, with UIDs that the index alone has. */
	if (why.code == ERR_DENIED && may_only_read(box))
		return index_write(box->store->ix, &t, e) == -1 || told(box, t, UINT32_MAX, e) == -1 ? drv_of(e) : DRV_OK;
	log_warning("%s: files are renamed, since their UIDs can not be written down: %s", box->path, why.log);
	return name_files(box, e);
}

enum drv_rc
maildir_uids_tell(struct maildir_box *box, struct err *e)
{
	enum drv_rc drc;

	/* What writes behind may have to look at the directory, which asks for this. */
	if (index_is_private(box->store->ix) || box->telling)
		return DRV_OK;
	box->telling = true;
	drc = tell(box, e);
	box->telling = false;
	return drc;
}

int
maildir_uids_keywords(struct maildir_box *box, uint32_t uidvalidity, struct span lines, struct err *e)
{
	uint64_t size = 0;
	int rc = append(box, uidvalidity, lines, false, &size, e);

	if (size > SLACK)
		box->uids_size = size;
	return rc;
}

int
maildir_uids_sync(struct maildir_box *box, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), fd = dir == -1 ? -1 : openat(dir, UIDS_NAME, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = fd == -1 || fsync(fd) == -1 || fsync(dir) == -1 ? err_errno(e, "sync %s/%s", box->path, UIDS_NAME) : 0;

	if (fd != -1)
		close(fd);
	if (dir != -1)
		close(dir);
	return rc;
}

int
maildir_uids_shrink(struct maildir_box *box, const struct idx_state *st, struct err *e)
{
	uint64_t size = box->uids_size;
	int rc;

	box->uids_size = 0;
	if (size < SLACK + (uint64_t)st->messages * EACH)
		return 0;
	if (maildir_box_lock(box, e) == -1)
		return -1;
	rc = write_anew(box, size_now(box), e);
	maildir_box_unlock(box);
	return rc == -1 ? -1 : 0;
}

int
maildir_uids_mend(struct maildir_box *box, struct err *e)
{
	int rc;

	if (maildir_box_lock(box, e) == -1)
		return -1;
	rc = write_anew(box, UINT64_MAX, e);
	maildir_box_unlock(box);
	return rc == -1 ? -1 : 0;
}
