/* SPDX-License-Identifier: MIT */
/*
 * One message, as clients see it: a copy, in memory or (a large one) in a file without a name, since the lock can not be kept
 * while a client reads, and the file may be rewritten then.
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/sys.h"

#define TRIES 4
#define IN_MEMORY ((uint64_t)16 << 20)
#define PIECE ((size_t)1 << 20)

/* 1: place and state; 0: it has gone. */
static int
find(struct mbox_box *box, uint32_t uid, struct mbox_msg *place, struct idx_state *st, struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	int rc = index_read(box->store->ix, &t, e);

	if (rc == 0)
		rc = index_state_get(t, box->id, st, e);
	if (rc == 1)
		rc = index_message_get(t, box->id, uid, &m, e);
	if (rc == 1 && !mbox_place_parse(m.name, place))
		rc = err_set(e, ERR_CORRUPT, "index: the place of message %u of %s is damaged", uid, box->name);
	index_read_end(box->store->ix);
	return rc;
}

static int
copy_out(struct mbox_box *box, const struct mbox_msg *m, int fd, uint64_t *length_out, struct err *e)
{
	struct buf raw = BUF_INIT(MBOX_HEADER_MAX + PIECE), out = BUF_INIT(MBOX_HEADER_MAX + PIECE + 2);
	uint64_t at = m->off, end = mbox_msg_end(m) - m->blank;
	size_t n = m->from_len + m->hdr_len + (size_t)(m->body_len < 65536 ? m->body_len : 65536);
	int rc = 0;

	*length_out = 0;
	if (!buf_grow(&raw, n + 1)) {
		rc = err_set(e, ERR_TEMP, "out of memory");
	} else if ((rc = mbox_pread(box, raw.p, n, at, e)) == 0) {
		raw.n = n;
		if (!span_starts(buf_span(&raw), SPAN("From ")))
			rc = err_set(e, ERR_CORRUPT, "%s: message is not where it was", box->path);
		mbox_header_visible(span_sub(buf_span(&raw), m->from_len, m->hdr_len), &out);
		buf_add(&out, span_from(buf_span(&raw), m->from_len + m->hdr_len));
		at += n;
	}
	while (rc == 0) {
		if (at == end && m->unended)
			buf_addc(&out, '\n');
		if (out.failed)
			rc = err_set(e, ERR_TEMP, "out of memory");
		else
			rc = fd_write_all(fd, buf_span(&out), e);
		*length_out += out.n;
		if (rc == -1 || at == end)
			break;
		buf_reset(&out);
		n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		if (!buf_grow(&out, n + 1))
			rc = err_set(e, ERR_TEMP, "out of memory");
		else
			rc = mbox_pread(box, out.p, n, at, e);
		out.n = n;
		at += n;
	}
	buf_clear(&raw);
	buf_clear(&out);
	return rc;
}

/* 1: done; 0: the file is not as the index has it. */
static int
read_locked(struct mbox_box *box, const struct mbox_msg *m, const struct idx_state *st, struct extent *out, struct err *e)
{
	struct stat sb;
	int rc;

	if (fstat(box->fd, &sb) == -1)
		return err_errno(e, "stat %s", box->path);
	if (!mbox_stamp_is(st, &sb))
		return 0;
	out->fd = m->body_len < IN_MEMORY ? memfd_create("mail", MFD_CLOEXEC) : mbox_temp_file(box, e);
	if (out->fd == -1)
		return err_errno(e, "make a copy of a message");
	out->offset = out->plain_length = 0;
	rc = copy_out(box, m, out->fd, &out->length, e);
	/* A program that does not lock may have been at it meanwhile. */
	if (rc == 0 && fstat(box->fd, &sb) == 0 && mbox_stamp_is(st, &sb))
		return 1;
	close(out->fd);
	return rc == -1 && e->code != ERR_CORRUPT ? -1 : 0;
}

enum drv_rc
mbox_body_open(void *b, uint32_t uid, struct extent *out, struct err *e)
{
	struct mbox_box *box = b;

	for (int try = 0; try < TRIES; try++) {
		struct mbox_msg m;
		struct idx_state st;
		enum drv_rc drc;
		int rc = find(box, uid, &m, &st, e);

		if (rc == 0)
			err_set(e, ERR_GONE, "message %u of %s was expunged", uid, box->name);
		if (rc != 1)
			return mbox_rc(e);
		if (mbox_lock_reader(box, e) == -1)
			return mbox_rc(e);
		rc = read_locked(box, &m, &st, out, e);
		mbox_unlock_reader(box);
		if (rc != 0)
			return rc == 1 ? DRV_OK : mbox_rc(e);
		e->code = ERR_NONE;
		drc = mbox_sync(box, try > 1, e);
		if (drc != DRV_OK)
			return drc;
	}
	return err_set(e, ERR_TEMP, "%s: other programs change it all the time", box->path), DRV_UNAVAILABLE;
}
