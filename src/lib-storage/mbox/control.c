/* SPDX-License-Identifier: MIT */
/*
 * .culver-mailbox: what the mbox file does not tell, one in the control directory of each mailbox.  Lines of words:
 *	culver-mailbox 1
 *	uidvalidity 1763728000
 *	id 1763728001
 *	uid-reserved 1025
 *	modseq-reserved 1025
 * Replaced by rename, and synced, with the box locked.  Numbers are given out below the marks: after a loss of the index they
 * go on from there, where the file itself does not tell better.  Lines that are not known are passed over.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "lib/sys.h"

#define CONTROL_NAME ".culver-mailbox"
#define CONTROL_MAX 65536

int
mbox_control_parse(struct span text, struct mbox_control *out)
{
	size_t used = 0;
	struct span line;

	*out = (struct mbox_control){ 0 };
	if (!span_line(text, &used, &line) || !span_starts(line, SPAN("culver-mailbox ")))
		return 0;
	while (span_line(text, &used, &line)) {
		size_t sp = span_chr(line, ' ');
		struct span word = span_sub(line, 0, sp);
		uint64_t v;

		if (!span_u64(span_from(line, sp + 1), INT64_MAX, &v))
			continue;
		if (span_eq(word, SPAN("uidvalidity")) && v <= UINT32_MAX)
			out->uidvalidity = (uint32_t)v;
		else if (span_eq(word, SPAN("id")) && v <= UINT32_MAX)
			out->id = (uint32_t)v;
		else if (span_eq(word, SPAN("uid-reserved")) && v <= UINT32_MAX)
			out->uid_reserved = (uint32_t)v;
		else if (span_eq(word, SPAN("modseq-reserved")))
			out->modseq_reserved = v;
	}
	return out->uidvalidity != 0 && out->id != 0 && out->uid_reserved != 0 && out->modseq_reserved != 0;
}

bool
mbox_control_is_missing(const struct mbox_box *box)
{
	return box->control_fd != -1 && faccessat(box->control_fd, CONTROL_NAME, F_OK, 0) == -1 && errno == ENOENT;
}

int
mbox_control_read(struct mbox_box *box, struct mbox_control *out, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_MAX);
	int rc, fd = box->control_fd == -1 ? -1 : openat(box->control_fd, CONTROL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*out = (struct mbox_control){ 0 };
	if (fd == -1)
		return box->control_fd == -1 || errno == ENOENT ? 0 :
		    err_errno(e, "open %s/%s", box->control_path, CONTROL_NAME);
	rc = fd_read_all(fd, CONTROL_MAX, &text, e);
	close(fd);
	if (rc == 0)
		rc = mbox_control_parse(buf_span(&text), out);
	else if (e->code == ERR_LIMIT)
		rc = 0;			/* not ours */
	buf_clear(&text);
	return rc;
}

int
mbox_control_write(struct mbox_box *box, const struct mbox_control *c, bool sync, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_MAX);
	int rc;

	if (box->control_fd == -1)
		return err_set(e, ERR_DENIED, "there is no control directory %s", box->control_path);
	if (index_is_private(box->store->ix))
		return 0;
	buf_addf(&text, "culver-mailbox 1\nuidvalidity %u\nid %u\nuid-reserved %u\nmodseq-reserved %llu\n", c->uidvalidity,
	    c->id, c->uid_reserved, (unsigned long long)c->modseq_reserved);
	rc = file_replace(box->control_fd, CONTROL_NAME, buf_span(&text), 0600,
	    sync && box->store->p.fsync != FSYNC_NEVER, e);
	buf_clear(&text);
	return rc == 0 ? 0 : err_wrap(e, "%s", box->control_path);
}
