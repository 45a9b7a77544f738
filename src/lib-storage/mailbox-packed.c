/* SPDX-License-Identifier: MIT */
/*
 * Bodies that are stored compressed.  What is one is told by its first octets, which have been read anyway.  Its size is
 * bounded by mail_max_message_size, or by what the file's name says, when it was taken in under another limit.
 */
#include <sys/mman.h>
#include "lib-storage/storage-priv.h"

#define PLAIN_MAX ((uint64_t)1 << 30)	/* what a name may ask for */
#define HEADER_FIRST 8192
#define RATIO_MAX 1100			/* more than this a file hardly grows: room for it is not taken beforehand */

static struct span
stored(const struct mailbox *box)
{
	return box->map != NULL ? span_of(box->map, box->map_n) : buf_span(&box->body);
}

bool
mailbox_is_packed(const struct mailbox *box)
{
	return box->drv->caps & DRV_PACKED_BODIES && pack_detect(stored(box)) != PACK_NONE;
}

/* The content takes the place of what was read. */
static void
take(struct mailbox *box, uint32_t uid, struct buf *content, bool whole)
{
	mailbox_body_drop(box);
	buf_clear(&box->body);
	box->body = *content;
	if (box->body.max < BODY_KEEP)
		box->body.max = BODY_KEEP;
	box->body_uid = uid;
	box->body_whole = whole;
}

static int
unpack(struct span in, struct buf *out, uint64_t most, struct err *e)
{
	struct unpacker *u;
	int rc = unpacker_new(pack_detect(in), &u, e);

	if (rc == -1)
		return -1;
	rc = unpacker_step(u, &in, out, (size_t)most + 1, e);
	if (rc == 1)
		rc = err_set(e, ERR_LIMIT, "more than %llu octets when it is decompressed", (unsigned long long)most);
	else if (rc == 0 && !unpacker_is_whole(u))
		rc = err_set(e, ERR_CORRUPT, "the compressed file is cut off");
	unpacker_free(u);
	return rc;
}

int
mailbox_unpack(struct mailbox *box, uint32_t uid, const struct extent *x, struct err *e)
{
	uint64_t most = x->plain_length < PLAIN_MAX ? x->plain_length : PLAIN_MAX;
	struct span in = stored(box);
	struct buf out;
	int rc = 0;

	if (most < box->st->conf.message_max)
		most = box->st->conf.message_max;
	if (most > SIZE_MAX / 4)
		most = SIZE_MAX / 4;
	buf_init(&out, (size_t)most + 1);
	if (x->plain_length < most && x->plain_length / RATIO_MAX <= in.n && !buf_grow(&out, (size_t)x->plain_length + 1))
		rc = err_set(e, ERR_TEMP, "out of memory");
	if (rc == 0)
		rc = unpack(in, &out, most, e);
	if (rc == -1) {
		buf_clear(&out);
		mailbox_body_drop(box);
		return err_wrap(e, "message %u of %s", uid, box->name);
	}
	take(box, uid, &out, true);
	return 0;
}

int
mailbox_unpack_header(struct mailbox *box, uint32_t uid, bool at_end, struct err *e)
{
	size_t max = box->st->conf.limits.header_octets, looked = 0, most = HEADER_FIRST;
	struct span in = stored(box);
	struct buf out = BUF_INIT(max);
	struct unpacker *u;
	bool found = false, whole;
	int rc;

	if (unpacker_new(pack_detect(in), &u, e) == -1)
		return err_wrap(e, "message %u of %s", uid, box->name);
	do {
		rc = unpacker_step(u, &in, &out, most < max ? most : max, e);
		/* A line end may have been cut in two: look again from a little before. */
		if (rc != -1)
			found = mailbox_has_header(buf_span(&out), looked) || out.n == max;
		looked = out.n > 4 ? out.n - 4 : 0;
		most *= 2;
	} while (rc == 1 && !found);
	whole = rc == 0 && at_end && unpacker_is_whole(u);
	unpacker_free(u);
	if (rc == 0 && at_end && !found && !whole)
		rc = err_set(e, ERR_CORRUPT, "the compressed file is cut off");
	if (rc != -1 && (found || whole)) {
		take(box, uid, &out, whole);
		return 1;
	}
	buf_clear(&out);
	if (rc == 0)
		return 0;
	mailbox_body_drop(box);
	return err_wrap(e, "message %u of %s", uid, box->name);
}
