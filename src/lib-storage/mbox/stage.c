/* SPDX-License-Identifier: MIT */
/*
 * Writing a body, without any lock: into memory, or into a file without a name when it is large.  On its way the fields that
 * clients do not see are left out of the header (they are ours to write), "From " at the beginning of a line becomes ">From ",
 * and a header that nothing ends gets its blank line.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "lib-mail/crlf.h"
#include "lib/sys.h"

#define STAGE_MEMORY ((size_t)1 << 20)
#define LINE_LOOK 24		/* octets of a line that tell what it is */

enum drv_rc
mbox_stage_open(void *box, void **stage_out, struct err *e)
{
	struct mbox_stage *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	st->box = box;
	st->fd = -1;
	st->last = '\n';
	buf_init(&st->content, STAGE_MEMORY);
	buf_init(&st->line, LINE_LOOK + 1);
	*stage_out = st;
	return DRV_OK;
}

/* A file that goes with its last descriptor, beside what is kept about the mailbox. */
int
mbox_temp_file(struct mbox_box *box, struct err *e)
{
	static unsigned counter;
	char name[64];
	int fd = openat(box->control_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT && errno != EBADF))
		return fd != -1 ? fd : err_errno(e, "make a file in %s", box->control_path);
	if (box->control_fd == -1) {
		fd = memfd_create("mail", MFD_CLOEXEC);
		return fd != -1 ? fd : err_errno(e, "make a memory file");
	}
	snprintf(name, sizeof(name), ".culver-tmp.%d.%u", (int)getpid(), counter++);
	fd = openat(box->control_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_errno(e, "make %s/%s", box->control_path, name);
	unlinkat(box->control_fd, name, 0);
	return fd;
}

uint64_t
mbox_count_nuls(struct span s)
{
	uint64_t n = 0;

	for (size_t at; (at = span_chr(s, '\0')) < s.n; s = span_from(s, at + 1))
		n++;
	return n;
}

static int
put(struct mbox_stage *st, struct span s, struct err *e)
{
	struct crlf_count c = { 0 };

	if (s.n == 0)
		return 0;
	crlf_count(&c, s, st->last);
	st->bare += c.bare;
	st->nuls += mbox_count_nuls(s);
	st->size += s.n;
	if (!st->in_body)
		st->header += s.n;
	st->last = s.p[s.n - 1];
	if (s.n > STAGE_MEMORY - st->content.n) {
		if (st->fd == -1 && (st->fd = mbox_temp_file(st->box, e)) == -1)
			return -1;
		if (fd_write_all(st->fd, buf_span(&st->content), e) == -1)
			return -1;
		buf_reset(&st->content);
		if (s.n > STAGE_MEMORY)
			return fd_write_all(st->fd, s, e);
	}
	buf_add(&st->content, s);
	return st->content.failed ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

/* What is known of a line suffices to say what becomes of it. */
static bool
is_told(const struct mbox_stage *st)
{
	struct span l = buf_span(&st->line);

	if (l.n == 0)
		return false;
	if (l.p[l.n - 1] == '\n' || l.n >= LINE_LOOK)
		return true;
	if (st->in_body)
		return l.n >= 5 || !span_starts(SPAN("From "), l);
	/* "From me: x" is no field that is hidden, and "From " is looked for first. */
	return ascii_is_wsp(l.p[0]) || span_chr(l, ':') != l.n;
}

static int
line_begin(struct mbox_stage *st, struct err *e)
{
	struct span l = buf_span(&st->line);
	int rc = 0;

	if (!st->in_body && (span_eq(l, SPAN("\n")) || span_eq(l, SPAN("\r\n")))) {
		rc = put(st, l, e);
		st->in_body = true;
		buf_reset(&st->line);
		return rc;
	}
	if (!st->in_body && !(ascii_is_wsp(l.p[0]) && st->size > 0))
		st->dropping = mbox_is_hidden(l);
	if (st->in_body || !st->dropping) {
		if (span_starts(l, SPAN("From ")))
			rc = put(st, SPAN(">"), e);
		if (rc == 0)
			rc = put(st, l, e);
	}
	st->in_line = l.p[l.n - 1] != '\n';
	buf_reset(&st->line);
	return rc;
}

enum drv_rc
mbox_stage_write(void *stage, struct span bytes, struct err *e)
{
	struct mbox_stage *st = stage;

	while (bytes.n > 0) {
		size_t n;

		if (st->in_line) {
			n = span_chr(bytes, '\n');
			st->in_line = n == bytes.n;
			n += n < bytes.n;
			if ((st->in_body || !st->dropping) && put(st, span_sub(bytes, 0, n), e) == -1)
				return mbox_rc(e);
			bytes = span_from(bytes, n);
			continue;
		}
		/* In a body most lines begin with something else: no copy of them is made. */
		if (st->in_body && st->line.n == 0 && bytes.p[0] != 'F') {
			st->in_line = true;
			continue;
		}
		buf_add(&st->line, span_sub(bytes, 0, 1));
		bytes = span_from(bytes, 1);
		if (is_told(st) && line_begin(st, e) == -1)
			return mbox_rc(e);
	}
	return DRV_OK;
}

enum drv_rc
mbox_stage_finish(void *stage, int64_t internal_date, struct stage_result *out, struct err *e)
{
	struct mbox_stage *st = stage;
	int rc = st->line.n > 0 ? line_begin(st, e) : 0;

	if (rc == 0 && !st->in_body && st->last != '\n')
		rc = put(st, SPAN("\n"), e);
	if (rc == 0 && !st->in_body) {
		rc = put(st, SPAN("\n"), e);
		st->in_body = true;
	}
	if (rc == 0 && st->fd != -1) {
		rc = fd_write_all(st->fd, buf_span(&st->content), e);
		buf_reset(&st->content);
	}
	if (rc == -1)
		return mbox_rc(e);
	st->date = internal_date != INT64_MIN ? internal_date : (int64_t)time(NULL);
	out->size = st->size;
	out->virtual_size = st->size + st->bare;
	out->internal_date = st->date;
	out->content = st->fd == -1 ? buf_span(&st->content) : SPAN_NONE;
	out->fd = st->fd;
	return DRV_OK;
}

/* Many may wait for one commit: what is in memory is small, but a thousand of them are not. */
enum drv_rc
mbox_stage_rest(void *stage, struct err *e)
{
	struct mbox_stage *st = stage;
	char *less = st->content.n == 0 ? NULL : realloc(st->content.p, st->content.n);

	(void)e;
	if (less != NULL) {
		st->content.p = less;
		st->content.cap = st->content.n;
	}
	return DRV_OK;
}

int
mbox_stage_read(struct mbox_stage *st, uint64_t at, char *room, size_t n, struct err *e)
{
	if (st->fd == -1) {
		memcpy(room, st->content.p + at, n);
		return 0;
	}
	while (n > 0) {
		ssize_t got = pread(st->fd, room, n, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_errno(e, "read a message that waits to be saved");
		room += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

void
mbox_stage_abort(void *stage)
{
	struct mbox_stage *st = stage;

	if (st == NULL)
		return;
	if (st->fd != -1)
		close(st->fd);
	buf_clear(&st->content);
	buf_clear(&st->line);
	free(st);
}
