/* SPDX-License-Identifier: MIT */
/* The directory, the control file and the index side by side: what scrub asks the driver. */
#include "lib-storage/maildir/uids-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct look {
	struct maildir_box *box;
	driver_finding_fn *fn;		/* NULL: only counted */
	void *ctx;
	size_t found;
	/* The lists of UIDs. */
	struct maildir_uids uids;
	struct maildir_list_file facts;
	bool has_uids, has_facts, is_ours;
};

static void tell(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
tell(struct look *l, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	l->found++;
	if (l->fn == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->fn(l->ctx, text);
}

/* What the name of a file can not tell, a list must. */
static void
look_at_lists(struct look *l, const struct idx_state *st, uint32_t uid, const struct idx_message *m)
{
	struct span base = span_sub(m->name, 0, span_chr(m->name, ':'));
	const struct uidlist_entry *entry;

	if (!(m->bits & IDX_DIRTY) &&
	    m->keywords >> MAILDIR_LETTERS != (l->has_uids ? uids_keywords(&l->uids.list, uid) : 0) && l->is_ours)
		tell(l, "message %u: its keywords are not those in %s", uid, UIDS_NAME);
	if (maildir_is_tagged(base, st->uidvalidity, uid) || st->dev != 0 || !l->is_ours)
		return;
	entry = l->has_facts ? uidlist_by_name(&l->facts.list, base) : NULL;
	if ((entry == NULL || entry->uid != uid) && !(l->has_uids && uids_by_name(&l->uids.list, base) == uid))
		tell(l, "message %u: neither its file's name nor a list says that it is this one: %.*s", uid, SPAN_ARG(m->name));
}

/* A record against its file. */
static void
look_at_record(struct look *l, const struct idx_state *st, uint32_t uid, const struct idx_message *m)
{
	const char *sub = maildir_subdirs[m->bits & IDX_NEW ? SUB_NEW : SUB_CUR];
	char path[MAILDIR_NAME_MAX + 8];
	struct maildir_name n;
	struct stat sb;

	snprintf(path, sizeof(path), "%s/%.*s", sub, SPAN_ARG(m->name));
	if (!maildir_name_parse(m->name, &n)) {
		tell(l, "message %u: \"%s\" is no name of a file", uid, path);
		return;
	}
	if (fstatat(l->box->fd, path, &sb, AT_SYMLINK_NOFOLLOW) == -1) {
		tell(l, "message %u: its file %s is not there", uid, path);
		return;
	}
	if (!(m->bits & IDX_BY_NAME) && m->physical_size != IDX_SIZE_UNKNOWN && m->physical_size != (uint64_t)sb.st_size)
		tell(l, "message %u: its file %s has %lld octets, and the index says %llu", uid, path, (long long)sb.st_size,
		    (unsigned long long)m->physical_size);
	if (n.uid != 0 && n.uidvalidity == st->uidvalidity && n.uid != uid)
		tell(l, "message %u: its file says that it is %u: %s", uid, n.uid, path);
	if (!(m->bits & IDX_DIRTY) && (n.flags != m->flags || n.keywords != (m->keywords & MAILDIR_LETTER_BITS)))
		tell(l, "message %u: its flags are not those of its file %s", uid, path);
}

static int
look_at_files(struct look *l, struct maildir_known *known, int sub, struct err *e)
{
	int fd = openat(l->box->fd, maildir_subdirs[sub], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL) {
		err_errno(e, "open %s/%s", l->box->path, maildir_subdirs[sub]);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while ((d = readdir(dir)) != NULL) {
		struct maildir_name n;

		if ((d->d_type == DT_REG || d->d_type == DT_UNKNOWN) && maildir_name_parse(span_str(d->d_name), &n) &&
		    !maildir_known_match(known, sub, span_str(d->d_name), 1))
			tell(l, "the file %s/%s is not in the index", maildir_subdirs[sub], d->d_name);
	}
	closedir(dir);
	return 0;
}

/* A name that the control file has and the index has not yet is of a process that died before anybody used it. */
static bool
keywords_agree(struct span in_index, struct span in_file)
{
	struct span is[INDEX_KEYWORDS], told[INDEX_KEYWORDS];
	int n = idx_keywords_unpack(in_index, is), m = idx_keywords_unpack(in_file, told);

	for (int i = 0; i < n; i++)
		if (is[i].n > 0 && (i >= m || !span_eq(is[i], told[i])))
			return false;
	return true;
}

static int
look_at_control(struct look *l, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct buf keywords = BUF_INIT(65536);
	struct span value = SPAN_NONE;
	struct maildir_control c;
	int rc = maildir_control_read(l->box, &c, e);

	if (rc == -1)
		return -1;
	if (rc == 0) {
		tell(l, "the control file is missing or damaged");
		return 0;
	}
	if (c.uidvalidity != st->uidvalidity)
		tell(l, "UIDVALIDITY is %u in the control file, and %u in the index", c.uidvalidity, st->uidvalidity);
	if (c.id != st->id)
		tell(l, "the mailbox's id is %u in the control file, and %u in the index", c.id, st->id);
	if (c.uid_reserved < st->uidnext || c.uid_reserved < st->uid_reserved)
		tell(l, "UIDs are reserved up to %u in the control file; uidnext is %u, and the index goes up to %u", c.uid_reserved,
		    st->uidnext, st->uid_reserved);
	if (c.modseq_reserved < st->highestmodseq || c.modseq_reserved < st->modseq_reserved)
		tell(l, "modseqs are reserved up to %llu in the control file; the highest is %llu, and the index goes up to %llu",
		    (unsigned long long)c.modseq_reserved, (unsigned long long)st->highestmodseq,
		    (unsigned long long)st->modseq_reserved);
	maildir_control_keywords(&c, &keywords);
	rc = index_keywords_get(t, l->box->id, &value, e);
	if (rc != -1 && !keywords_agree(value, buf_span(&keywords)))
		tell(l, "the names of keywords in the control file and in the index are not the same");
	maildir_control_clear(&c);
	buf_clear(&keywords);
	return rc == -1 ? -1 : 0;
}

static int
look_within(struct look *l, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct maildir_known known = { NULL };
	struct index_walk w;
	int rc;

	if (look_at_control(l, t, st, e) == -1 || index_walk_begin(&w, t, l->box->id, 1, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1) {
		look_at_record(l, st, w.uid, &w.m);
		look_at_lists(l, st, w.uid, &w.m);
	}
	index_walk_end(&w);
	if (rc != -1)
		rc = maildir_known_load(&known, t, st, e);
	for (int sub = 0; sub < 2 && rc != -1; sub++)
		rc = look_at_files(l, &known, sub, e);
	maildir_known_clear(&known);
	return rc;
}

static int
look(struct look *l, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc = index_read(l->box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, l->box->id, &st, e);

	index_read_end(l->box->store->ix);
	if (rc != 1)
		return rc;
	/* Where nothing may be written the index alone knows some things. */
	l->is_ours = faccessat(l->box->fd, "cur", W_OK, 0) == 0 && !index_is_private(l->box->store->ix);
	l->has_uids = (rc = maildir_uids_read(l->box, st.uidvalidity, &l->uids, e)) == 1;
	if (rc != -1)
		l->has_facts = (rc = maildir_facts_read(l->box, st.uidvalidity, &l->facts, e)) == 1;
	if (rc != -1)
		rc = index_read(l->box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, l->box->id, &st, e);
	if (rc == 1)
		rc = look_within(l, t, &st, e);
	index_read_end(l->box->store->ix);
	if (l->has_uids)
		maildir_uids_clear(&l->uids);
	if (l->has_facts)
		maildir_list_file_clear(&l->facts);
	return rc;
}

/* The control file gives the names: what it said is in the names of files. */
static int
mend_keywords(struct maildir_box *box, struct err *e)
{
	struct buf keywords = BUF_INIT(65536);
	struct maildir_control c;
	struct index_txn *t;
	int rc;

	if (maildir_box_lock(box, e) == -1)
		return -1;
	rc = maildir_control_read(box, &c, e);
	maildir_control_keywords(&c, &keywords);
	if (rc == 1)
		rc = index_write(box->store->ix, &t, e);
	if (rc == 0 && index_keywords_put(t, box->id, buf_span(&keywords), e) == 0) {
		rc = index_commit(t, e);
	} else if (rc == 0) {
		index_abort(t);
		rc = -1;
	}
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	buf_clear(&keywords);
	return rc;
}

enum drv_rc
maildir_check(void *b, bool repair, driver_finding_fn *fn, void *ctx, struct err *e)
{
	struct maildir_box *box = b;
	struct look l = { .box = box };

	if (look(&l, e) == -1)
		return drv_of(e);
	if (l.found == 0)
		return DRV_OK;
	/* Somebody may just be changing things: it counts when it is still so after a look at the directory. */
	if (maildir_sync(box, false, e) != DRV_OK)
		return drv_of(e);
	l = (struct look){ .box = box, .fn = fn, .ctx = ctx };
	if (look(&l, e) == -1)
		return drv_of(e);
	if (l.found == 0 || !repair)
		return DRV_OK;
	/* Files are a matter of the sync that follows; the control file is written here, with marks above all. */
	if (maildir_uids_mend(box, e) == -1)
		return drv_of(e);

	enum drv_rc drc = maildir_reserve(box, 0, e);

	return drc == DRV_OK && mend_keywords(box, e) == -1 ? drv_of(e) : drc;
}
