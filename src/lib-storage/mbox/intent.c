/* SPDX-License-Identifier: MIT */
/*
 * ".culver-append" in the control directory: the note of an append.  Before the first octet is written it says how long the
 * file was and how long it will be, which UIDs the messages get, how they begin, and how many NULs are in them.  Who locks the
 * box next, after a crash, takes half of an append away, and only that:
 *	- the index does not know its first UID.  It learns of an append when all of it is written and synced: what it knows was
 *	  whole, and what became of it since is not ours to undo;
 *	- what stands there begins as the note says (NULs, where a loss of power left no octets);
 *	- the file is shorter than it was to be, or has more NULs in it, or another message begins in the middle.
 * Mail that another program has put behind it meanwhile stays.
 *
 * The note is not synced when it is taken back, so it may come again with a loss of power.  By then the messages are whole;
 * and before octets of the file are moved it is taken back for good (mbox_intent_settle).
 */
#include "lib-storage/mbox/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define NAME ".culver-append"
#define HEAD 40
#define INTENT_LEN (HEAD + MBOX_BEGINS_MAX)
#define PIECE 65536
#define LINE_ENDS 4	/* that another program puts between messages, at most */
#define BACK 64		/* octets before a From line that tell whether it is quoted */

static int
intent_open(struct mbox_box *box, bool make)
{
	if (box->intent_fd == -1 && box->control_fd != -1)
		box->intent_fd = openat(box->control_fd, NAME, O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC | O_NOFOLLOW, 0600);
	return box->intent_fd;
}

int
mbox_intent_set(struct mbox_box *box, const struct mbox_intent *in, bool sync, struct err *e)
{
	char room[INTENT_LEN] = { 0 };
	bool made;

	if (box->control_fd == -1)
		return 0;
	made = intent_open(box, false) == -1;
	if (made && intent_open(box, true) == -1)
		return err_errno(e, "make %s/%s", box->control_path, NAME);
	be64_put(room, in->old);
	be64_put(room + 8, in->new);
	be64_put(room + 16, in->nuls);
	be64_put(room + 24, (uint64_t)in->uid << 32 | in->count);
	be64_put(room + 32, in->begins_n);
	memcpy(room + HEAD, in->begins, in->begins_n);
	/* A new file is found after a power cut only if its directory was synced. */
	if (made && sync && fsync(box->control_fd) == -1)
		return err_errno(e, "sync %s", box->control_path);
	if (mbox_pwrite(box->intent_fd, span_of(room, sizeof(room)), 0, NAME, e) == -1)
		return -1;
	return sync && fdatasync(box->intent_fd) == -1 ? err_errno(e, "sync %s/%s", box->control_path, NAME) : 0;
}

int
mbox_intent_clear(struct mbox_box *box, bool sync, struct err *e)
{
	static const struct mbox_intent none;

	return mbox_intent_set(box, &none, sync, e);
}

int
mbox_intent_settle(struct mbox_box *box, struct err *e)
{
	return intent_open(box, false) == -1 ? 0 : mbox_intent_clear(box, box->store->p.fsync != FSYNC_NEVER, e);
}

/* False: there is none. */
static bool
intent_get(struct mbox_box *box, struct mbox_intent *out)
{
	char room[INTENT_LEN];
	uint64_t n, uids;

	if (intent_open(box, false) == -1 || pread(box->intent_fd, room, sizeof(room), 0) != (ssize_t)sizeof(room))
		return false;
	uids = be64_get(room + 24);
	n = be64_get(room + 32);
	*out = (struct mbox_intent){ .old = be64_get(room), .new = be64_get(room + 8), .nuls = be64_get(room + 16),
		.uid = (uint32_t)(uids >> 32), .count = (uint32_t)uids };
	if (out->new <= out->old || n == 0 || n > MBOX_BEGINS_MAX)
		return false;
	out->begins_n = (size_t)n;
	memcpy(out->begins, room + HEAD, out->begins_n);
	return true;
}

/* Line ends that were to separate it from the mail before. */
static size_t
lead_of(const struct mbox_intent *in)
{
	size_t n = 0;

	while (n < in->begins_n && in->begins[n] == '\n')
		n++;
	return n;
}

/*
 * Whether what stands behind octet old is of that append: its beginning, or NULs where octets were lost; or some of it, and
 * then the mail of another program.
 */
static bool
is_ours(struct mbox_box *box, const struct mbox_intent *in, uint64_t size)
{
	char room[MBOX_BEGINS_MAX + MBOX_FROM_MAX + LINE_ENDS];
	size_t all = size - in->old < sizeof(room) ? (size_t)(size - in->old) : sizeof(room),
	    n = all < in->begins_n ? all : in->begins_n, i = 0, used;

	if (pread(box->fd, room, all, (off_t)in->old) != (ssize_t)all)
		return false;
	while (i < n && (room[i] == in->begins[i] || room[i] == '\0'))
		i++;
	if (i == n)
		return true;
	if (i <= lead_of(in) + 5)
		return false;		/* Every message begins so. */
	for (int k = 0; k < LINE_ENDS && i < all && room[i] == '\n'; k++)
		i++;
	return mbox_from_line(span_of(room + i, all - i), in->old + all == size, NULL, &used) == MBOX_YES;
}

/* Whether the index has the append: 1, 0, -1. */
static int
is_recorded(struct mbox_box *box, const struct mbox_intent *in, struct err *e)
{
	struct index_txn *t;
	struct idx_message m;
	uint32_t id;
	int rc = index_read(box->store->ix, &t, e);

	if (rc == 0)
		rc = index_message_get(t, box->id, in->uid, &m, e);
	/* While a box is opened it has no number yet. */
	if (rc == 0 && (rc = index_mailbox_find(t, span_str(box->name), &id, e)) == 1)
		rc = index_message_get(t, id, in->uid, &m, e);
	index_read_end(box->store->ix);
	return rc;
}

/*
 * Whether a message of another program begins at octet i of text, which stands at octet `at' of the file.  In what is ours
 * no line begins with "From " but the first of a message; another program that puts its message behind half of a line does
 * not care.
 */
static bool
is_foreign(struct mbox_box *box, const struct mbox_intent *in, struct span text, size_t i, uint64_t at, uint64_t size)
{
	char room[PIECE];
	struct err e = ERR_INIT;
	struct mbox_header h;
	size_t used, n, k = i;

	if (mbox_from_line(span_from(text, i), at + text.n == size, NULL, &used) != MBOX_YES)
		return false;
	while (k > 0 && text.p[k - 1] == '>')
		k--;
	if (k > 0 && text.p[k - 1] == '\n' && k < i)
		return false;
	if (i == 0 || text.p[i - 1] != '\n')
		return true;
	at += i + used;
	n = size - at < sizeof(room) ? (size_t)(size - at) : sizeof(room);
	if (mbox_pread(box, room, n, at, &e) == -1)
		return true;
	mbox_header_parse(span_of(room, n), true, &h);
	return h.uid <= in->uid || h.uid - in->uid >= in->count;
}

/*
 * Where the first message of another program begins behind the octet `from'; *out is size when there is none.  lines: only
 * one that begins a line, which is none of ours for sure; else one in the middle of a line, too.
 */
static int
find_foreign(struct mbox_box *box, const struct mbox_intent *in, uint64_t from, uint64_t size, bool lines, uint64_t *out,
    struct err *e)
{
	char room[PIECE];

	*out = size;
	for (uint64_t next = from + 1; next < size;) {
		uint64_t at = next - from < BACK ? from : next - BACK;
		size_t n = size - at < sizeof(room) ? (size_t)(size - at) : sizeof(room), i = (size_t)(next - at), found,
		    sure = at + n == size ? n : n - MBOX_FROM_MAX - 8;
		struct span text = span_of(room, n);

		if (mbox_pread(box, room, n, at, e) == -1)
			return -1;
		while (i < sure && (found = span_find(span_from(text, i), SPAN("From "))) < sure - i) {
			i += found;
			if ((!lines || (i > 0 && text.p[i - 1] == '\n')) && is_foreign(box, in, text, i, at, size)) {
				*out = at + i;
				return 0;
			}
			i++;
		}
		next = at + sure;
	}
	return 0;
}

/* 1 it is not whole, 0, -1. */
static int
is_torn(struct mbox_box *box, const struct mbox_intent *in, uint64_t size, struct err *e)
{
	uint64_t nuls = 0, foreign;
	char room[PIECE];

	if (size < in->new)
		return 1;
	if (find_foreign(box, in, in->old + lead_of(in), size, true, &foreign, e) == -1)
		return -1;
	if (foreign < in->new)
		return 1;
	for (uint64_t at = in->old; at < in->new && nuls <= in->nuls;) {
		size_t n = in->new - at < sizeof(room) ? (size_t)(in->new - at) : sizeof(room);

		if (mbox_pread(box, room, n, at, e) == -1)
			return -1;
		nuls += mbox_count_nuls(span_of(room, n));
		at += n;
	}
	return nuls > in->nuls;
}

/* Mail of another program stands behind the half: it moves to where that began. */
static int
move_foreign(struct mbox_box *box, uint64_t from, uint64_t to, uint64_t size, struct err *e)
{
	struct mbox_plan p = { .segs = ARRAY_INIT(struct mbox_segment, 4), .data = BUF_INIT(16), .old_size = size,
		.new_size = to + (size - from) };
	struct mbox_segment *s = array_push(&p.segs);
	int rc;

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*s = (struct mbox_segment){ .from = from, .to = to, .n = size - from };
	rc = mbox_plan_run(box, &p, e);
	array_clear(&p.segs);
	if (rc == 0 || mbox_journal_is_there(box))
		return rc;
	/* No room for the journal, it may be.  The half stays, as a message; it is in nobody's way. */
	log_error("%s: half of a message can not be taken away: %s", box->path, e->log);
	e->code = ERR_NONE;
	return 0;
}

static int
take_away(struct mbox_box *box, const struct mbox_intent *in, uint64_t size, struct err *e)
{
	uint64_t begins = in->old + lead_of(in), foreign = size;

	if (begins < size && find_foreign(box, in, begins, size, false, &foreign, e) == -1)
		return -1;
	log_info("%s: half of a message, of a process that died, is taken away", box->path);
	if (foreign < size)
		return move_foreign(box, foreign, begins, size, e);
	return ftruncate(box->fd, (off_t)in->old) == -1 ? err_errno(e, "cut %s", box->path) : 0;
}

int
mbox_intent_recover(struct mbox_box *box, bool *needed_out, bool may_write, struct err *e)
{
	struct mbox_intent in;
	struct stat sb;
	uint64_t size;
	int rc = 0;

	if (!intent_get(box, &in))
		return 0;
	*needed_out = true;
	if (!may_write)
		return 0;
	if (fstat(box->fd, &sb) == -1)
		return err_errno(e, "stat %s", box->path);
	size = (uint64_t)sb.st_size;
	if (size > in.old && is_ours(box, &in, size) && (rc = is_recorded(box, &in, e)) == 0 &&
	    (rc = is_torn(box, &in, size, e)) == 1)
		rc = take_away(box, &in, size, e);
	return rc == -1 ? -1 : mbox_intent_clear(box, false, e);
}
