/* SPDX-License-Identifier: MIT */
/*
 * Saving: bytes are brought to LF line ends on their way to the driver's stage; sizes are counted, the summary is made from
 * memory, and all messages become visible in one commit.  "CR CR LF" keeps both CRs, so that every message whose lines end
 * in CRLF comes out octet for octet as it went in.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include "lib/log.h"
#include "lib-mail/crlf.h"
#include "lib-storage/storage-priv.h"

#define SAVE_MESSAGES_MAX 100000

struct saved {
	void *stage;
	struct save_params p;
	char *uidl;
	struct stage_result result;
	struct buf summary;
	bool finished;
};

struct saver {
	struct mailbox *box, *source;	/* source: where it is moved from, which is free; or NULL */
	struct array saved;
	uint64_t size, bare;	/* of the message that is being written */
	bool cr;		/* a CR is held back: an LF may follow */
	char last;		/* the octet before it */
};

int
saver_new(struct mailbox *target, struct saver **out, struct err *e)
{
	struct saver *s;

	if (target->mode == MAILBOX_READ)
		return err_set(e, ERR_DENIED, "%s is open for reading only", target->name);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->box = target;
	s->saved = ARRAY_INIT(struct saved, SAVE_MESSAGES_MAX);
	*out = s;
	return 0;
}

void
saver_moves_from(struct saver *s, struct mailbox *source)
{
	s->source = source;
}

static struct saved *
current(struct saver *s)
{
	return array_at(&s->saved, s->saved.n - 1);
}

int
saver_begin(struct saver *s, const struct save_params *p, struct err *e)
{
	struct saved *m = array_push(&s->saved);

	if (m == NULL)
		return err_set(e, ERR_LIMIT, "more than %d messages at once", SAVE_MESSAGES_MAX);
	m->p = *p;
	m->p.flags &= mailbox_flags_allowed(s->box);
	if ((s->box->rights & ACL_WRITE) == 0)
		m->p.keywords = 0;
	buf_init(&m->summary, (size_t)1 << 20);	/* a few KB in use */
	m->uidl = p->pop3_uidl == NULL ? NULL : strdup(p->pop3_uidl);
	s->size = s->bare = 0;
	s->cr = false;
	s->last = '\n';
	return s->box->drv->stage_open(s->box->handle, &m->stage, e) == DRV_OK ? 0 : -1;
}

static int
put(struct saver *s, struct span bytes, struct err *e)
{
	if (bytes.n == 0)
		return 0;
	if (bytes.n > s->box->st->conf.message_max || s->size > s->box->st->conf.message_max - bytes.n)
		return err_set(e, ERR_LIMIT, "the message is larger than %llu octets",
		    (unsigned long long)s->box->st->conf.message_max);
	s->size += bytes.n;
	s->last = bytes.p[bytes.n - 1];
	return s->box->drv->stage_write(current(s)->stage, bytes, e) == DRV_OK ? 0 : -1;
}

static void
count_lines(struct saver *s, struct span bytes)
{
	struct crlf_count count = { 0 };

	crlf_count(&count, bytes, s->last);
	s->bare += count.bare;
}

static int
put_counted(struct saver *s, struct span bytes, struct err *e)
{
	count_lines(s, bytes);
	return put(s, bytes, e);
}

int
saver_write(struct saver *s, struct span in, struct err *e)
{
	size_t start = 0, i;

	if (s->cr && in.n > 0) {
		s->cr = false;
		if ((in.p[0] != '\n' || s->last == '\r') && put_counted(s, SPAN("\r"), e) == -1)
			return -1;
	}
	for (i = 0; i < in.n; i++) {
		const char *cr = memchr(in.p + i, '\r', in.n - i);
		char before;

		if (cr == NULL)
			break;
		i = (size_t)(cr - in.p);
		before = i > start ? in.p[i - 1] : s->last;
		if (i + 1 < in.n && (in.p[i + 1] != '\n' || before == '\r'))
			continue;
		if (put_counted(s, span_sub(in, start, i - start), e) == -1)
			return -1;
		start = i + 1;
		s->cr = start == in.n;
	}
	return put_counted(s, span_from(in, start), e);
}

/* From memory, or from the file mapped for as long as it takes. */
static int
make_summary(struct saver *s, struct saved *m, struct err *e)
{
	struct storage *st = s->box->st;
	struct span content = m->result.content;
	struct buf made = BUF_INIT((size_t)1 << 20);
	void *map = NULL;
	int rc;

	if (content.p == NULL) {
		map = mmap(NULL, (size_t)m->result.size, PROT_READ, MAP_PRIVATE, m->result.fd, 0);
		if (map == MAP_FAILED)
			return err_errno(e, "map a new message");
		content = span_of(map, (size_t)m->result.size);
	}
	arena_reset(st->work);
	rc = summary_from_message(&made, st->work, content, &st->conf.limits);
	arena_reset(st->work);
	if (rc == 0)
		summary_pack(&m->summary, buf_span(&made));
	buf_clear(&made);
	if (map != NULL)
		munmap(map, (size_t)m->result.size);
	/* Without one the message is saved all the same: it is made when somebody asks. */
	if (rc == -1 || m->summary.failed)
		buf_reset(&m->summary);
	return 0;
}

int
saver_finish(struct saver *s, struct err *e)
{
	struct saved *m = current(s);

	if (s->cr && put_counted(s, SPAN("\r"), e) == -1)
		return -1;
	s->cr = false;
	m->result.virtual_size = IDX_SIZE_UNKNOWN;
	if (s->box->drv->stage_finish(m->stage, m->p.internal_date, &m->result, e) != DRV_OK)
		return -1;
	if (m->result.virtual_size == IDX_SIZE_UNKNOWN)
		m->result.virtual_size = s->size + s->bare;
	if (s->box->st->quota != NULL && s->box->st->quota->conf.max_mail_size > 0 &&
	    m->result.virtual_size > s->box->st->quota->conf.max_mail_size)
		return err_set(e, ERR_TOOBIG, "a message of %llu octets", (unsigned long long)m->result.virtual_size);
	if (make_summary(s, m, e) == -1)
		return -1;
	/* The memory of one message at a time: MULTIAPPEND may bring many. */
	m->result.content = SPAN_NONE;
	if (s->box->drv->stage_rest(m->stage, e) != DRV_OK)
		return -1;
	m->finished = true;
	return 0;
}

static void
fill_add(const struct saved *m, bool private, struct change_add *add)
{
	*add = (struct change_add){
		.rec = {
			.flags = (uint8_t)(m->p.flags & IDX_FLAGS & (private ? ~(unsigned)IDX_SEEN : ~0u)),
			.keywords = m->p.keywords,
			.bits = m->uidl != NULL ? IDX_UIDL : 0,
			.uidl = span_str(m->uidl),
			.internal_date = m->result.internal_date,
			.save_date = m->result.internal_date,
			.size = m->result.virtual_size,
			.physical_size = m->result.packed_size != 0 ? m->result.packed_size : m->result.size,
		},
		.summary = buf_span(&m->summary),
		.stage = m->stage,
	};
}

/* \Seen of new messages where it is this user's own: they are saved already, and stay so. */
static int
keep_seen(struct saver *s, const uint32_t *uids, struct arena *a, struct err *e)
{
	uint32_t *seen = arena_alloc(a, s->saved.n + 1, sizeof(*seen));
	size_t n = 0;

	if (seen == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	for (size_t i = 0; i < s->saved.n; i++)
		if (((struct saved *)array_at(&s->saved, i))->p.flags & MSG_SEEN)
			seen[n++] = uids[i];
	return private_change(s->box, seen, n, true, e) == -1 ? -1 : private_touch(s->box, seen, n, e);
}

int
saver_commit(struct saver *s, struct arena *a, uint32_t *uidvalidity_out, struct uid_list *uids_out, struct err *e)
{
	struct mailbox *box = s->box;
	struct box_change c = { .id = box->id, .add_count = s->saved.n };
	struct change_set cs = { .box = { &c, NULL }, .driver_box = { box->handle, NULL },
		.durable = box->st->conf.fsync != FSYNC_NEVER };
	struct index_txn *t;
	struct idx_state st;
	int64_t now = (int64_t)time(NULL);
	struct err seen_e = ERR_INIT;
	int rc;

	uids_out->uids = arena_alloc(a, s->saved.n == 0 ? 1 : s->saved.n, sizeof(uint32_t));
	uids_out->count = s->saved.n;
	c.adds = arena_alloc(a, s->saved.n == 0 ? 1 : s->saved.n, sizeof(*c.adds));
	if (uids_out->uids == NULL || c.adds == NULL)
		return err_set(e, ERR_LIMIT, "too many messages at once");
	for (size_t i = 0; i < s->saved.n; i++) {
		struct saved *m = array_at(&s->saved, i);

		if (!m->finished)
			return err_set(e, ERR_TEMP, "a message that was not finished");
		fill_add(m, box->private != NULL, &c.adds[i]);
		c.adds[i].rec.save_date = now;
	}
	index_read_end(box->store->ix);
	if (s->saved.n > 0) {
		struct quota_guard guard;

		quota_guard_init(&guard, box, s->source, true);
		c.guard = quota_guard_of(&guard);
		rc = store_commit(box->store, &cs, e);
		quota_guard_done(&guard, rc == 0);
		if (rc == -1)
			return -1;
	}
	for (size_t i = 0; i < s->saved.n; i++)
		uids_out->uids[i] = c.adds[i].uid;
	/* The mail is saved: a mark that can not be is no reason to say otherwise. */
	if (box->private != NULL && keep_seen(s, uids_out->uids, a, &seen_e) == -1)
		log_error("%s", seen_e.log);
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	*uidvalidity_out = rc == 1 ? st.uidvalidity : 0;
	index_read_end(box->store->ix);
	if (c.modseq > 0)
		mailbox_announce(box, c.modseq);
	return 0;
}

void
saver_free(struct saver *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->saved.n; i++) {
		struct saved *m = array_at(&s->saved, i);

		s->box->drv->stage_abort(m->stage);
		buf_clear(&m->summary);
		free(m->uidl);
	}
	array_clear(&s->saved);
	free(s);
}
