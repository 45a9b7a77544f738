/* SPDX-License-Identifier: MIT */
/*
 * culver-mailbox: what no file name can carry.  Lines of words:
 *	culver-mailbox 1
 *	uidvalidity 1763728000
 *	id 1763728001
 *	uid-reserved 1025
 *	modseq-reserved 1025
 *	keyword a $Junk
 *	keyword 26 Later
 * Replaced by rename, and synced, with the box locked.  Numbers are given out below the marks, so that after a loss of the
 * index they go on from there: no UID comes twice, MODSEQ never runs back.  Keywords behind z are in no name of a file, but in
 * culver-uids.  Lines that are not known are passed over.
 */
#include "lib-storage/maildir/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/sys.h"

#define CONTROL_NAME "culver-mailbox"
#define CONTROL_MAX 65536

void
maildir_control_clear(struct maildir_control *c)
{
	for (int i = 0; i < INDEX_KEYWORDS; i++)
		free(c->keywords[i]);
	*c = (struct maildir_control){ 0 };
}

static void
parse_line(struct span line, struct maildir_control *out)
{
	size_t sp = span_chr(line, ' ');
	struct span word = span_sub(line, 0, sp), arg = span_from(line, sp + 1);
	uint64_t v;

	if (span_eq(word, SPAN("keyword"))) {
		size_t n = span_chr(arg, ' ');
		uint32_t k = INDEX_KEYWORDS;

		if (n == 1 && arg.p[0] >= 'a' && arg.p[0] <= 'z')
			k = (uint32_t)(arg.p[0] - 'a');
		else if (n == 2 && (!span_u32(span_sub(arg, 0, n), &k) || k < MAILDIR_LETTERS))
			return;
		if (k >= INDEX_KEYWORDS || n + 1 >= arg.n || out->keywords[k] != NULL || span_chr(arg, '\0') != arg.n)
			return;
		out->keywords[k] = strndup(arg.p + n + 1, arg.n - n - 1);
	} else if (span_eq(word, SPAN("uidvalidity"))) {
		if (span_u64(arg, UINT32_MAX, &v))
			out->uidvalidity = (uint32_t)v;
	} else if (span_eq(word, SPAN("id"))) {
		if (span_u64(arg, UINT32_MAX, &v))
			out->id = (uint32_t)v;
	} else if (span_eq(word, SPAN("uid-reserved"))) {
		if (span_u64(arg, UINT32_MAX, &v))
			out->uid_reserved = (uint32_t)v;
	} else if (span_eq(word, SPAN("modseq-reserved"))) {
		if (span_u64(arg, INT64_MAX, &v))
			out->modseq_reserved = v;
	}
}

int
maildir_control_parse(struct span text, struct maildir_control *out)
{
	size_t used = 0;
	struct span line;

	*out = (struct maildir_control){ 0 };
	if (!span_line(text, &used, &line) || !span_starts(line, SPAN("culver-mailbox ")))
		return 0;
	while (span_line(text, &used, &line))
		parse_line(line, out);
	if (out->uidvalidity == 0 || out->id == 0 || out->uid_reserved == 0 || out->modseq_reserved == 0) {
		maildir_control_clear(out);
		return 0;
	}
	return 1;
}

int
maildir_control_dir(struct maildir_box *box, bool make, struct err *e)
{
	if (box->control_path == NULL)
		return dup(box->fd);
	if (make && dir_make(box->control_path, maildir_box_perm(box)->dir & 0777, e) == -1)
		return -1;
	return open(box->control_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
maildir_control_read(struct maildir_box *box, struct maildir_control *out, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_MAX);
	int rc, dir = maildir_control_dir(box, false, e), fd = dir == -1 ? -1 : openat(dir, CONTROL_NAME, O_RDONLY | O_CLOEXEC);

	*out = (struct maildir_control){ 0 };
	if (dir != -1)
		close(dir);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open %s/%s", box->path, CONTROL_NAME);
	rc = fd_read_all(fd, CONTROL_MAX, &text, e);
	close(fd);
	if (rc == 0)
		rc = maildir_control_parse(buf_span(&text), out);
	else if (e->code == ERR_LIMIT)
		rc = 0;			/* not ours */
	buf_clear(&text);
	return rc;
}

/* file_replace() without waiting for the disk. */
static int
replace_unsynced(int dir, struct span content, const struct maildir_perm *p, struct err *e)
{
	char tmp[64];
	int fd, rc;

	snprintf(tmp, sizeof(tmp), ".%s.%d", CONTROL_NAME, (int)getpid());
	fd = maildir_perm_create(dir, tmp, O_WRONLY | O_TRUNC, p);
	if (fd == -1)
		return err_errno(e, "make a new %s", CONTROL_NAME);
	rc = fd_write_all(fd, content, e);
	close(fd);
	if (rc == 0 && renameat(dir, tmp, dir, CONTROL_NAME) == -1)
		rc = err_errno(e, "rename a new %s", CONTROL_NAME);
	if (rc == -1)
		unlinkat(dir, tmp, 0);
	return rc;
}

int
maildir_replace(int dir, const char *name, struct span content, const struct maildir_perm *p, struct err *e)
{
	bool group = p->gid != (gid_t)-1;

	if (file_replace(dir, name, content, group ? p->file & 0600 : p->file, true, e) == -1)
		return -1;
	/* Where that is not allowed it stays its owner's alone. */
	if (group && fchownat(dir, name, (uid_t)-1, p->gid, 0) == 0 && fchmodat(dir, name, p->file, 0) == -1)
		return err_errno(e, "change the mode of %s", name);
	return 0;
}

int
maildir_control_write(struct maildir_box *box, const struct maildir_control *c, bool sync, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_MAX);
	int rc, dir;

	if (index_is_private(box->store->ix))
		return 0;
	buf_addf(&text, "culver-mailbox 1\nuidvalidity %u\nid %u\nuid-reserved %u\nmodseq-reserved %llu\n", c->uidvalidity,
	    c->id, c->uid_reserved, (unsigned long long)c->modseq_reserved);
	for (int i = 0; i < INDEX_KEYWORDS; i++) {
		if (c->keywords[i] != NULL && i < MAILDIR_LETTERS)
			buf_addf(&text, "keyword %c %s\n", 'a' + i, c->keywords[i]);
		else if (c->keywords[i] != NULL)
			buf_addf(&text, "keyword %d %s\n", i, c->keywords[i]);
	}
	dir = maildir_control_dir(box, true, e);
	if (dir == -1) {
		buf_clear(&text);
		return err_errno(e, "open the control directory of %s", box->path);
	}
	if (text.failed)
		rc = err_set(e, ERR_LIMIT, "%s/%s would be too large", box->path, CONTROL_NAME);
	else if (sync && box->store->p.fsync != FSYNC_NEVER)
		rc = maildir_replace(dir, CONTROL_NAME, buf_span(&text), maildir_box_perm(box), e);
	else
		rc = replace_unsynced(dir, buf_span(&text), maildir_box_perm(box), e);
	close(dir);
	buf_clear(&text);
	return rc;
}

void
maildir_control_keywords(const struct maildir_control *c, struct buf *out)
{
	int last = INDEX_KEYWORDS;

	while (last > 0 && c->keywords[last - 1] == NULL)
		last--;
	for (int i = 0; i < last; i++) {
		if (c->keywords[i] != NULL)
			buf_adds(out, c->keywords[i]);
		buf_addc(out, '\0');
	}
}
