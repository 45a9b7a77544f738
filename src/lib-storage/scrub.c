/* SPDX-License-Identifier: MIT */
#include "lib-storage/scrub.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib-index/check.h"
#include "lib-mail/crlf.h"
#include "lib-storage/storage-priv.h"

#define BATCH 256	/* messages after which the reading transaction ends */

struct scrub {
	struct storage *st;
	struct mailbox *box;		/* NULL: the index as a whole */
	struct span name;
	bool repair;
	scrub_fn *on_problem;
	void *ctx;
	struct scrub_result *out;
	bool found;			/* something that one of the repairs below is for */
};

/* What is missing of a mailbox that somebody deletes meanwhile is no problem. */
static bool
is_gone(const struct scrub *s)
{
	return s->box != NULL && strcmp(s->box->inner, "INBOX") != 0 &&
	    s->box->drv->exists(s->box->store->handle, span_str(s->box->inner)) == 0;
}

static void
problem(struct scrub *s, struct span name, const char *text, bool repaired)
{
	if (is_gone(s))
		return;
	s->out->problems++;
	s->out->repaired += repaired;
	s->found = true;
	if (s->on_problem != NULL)
		s->on_problem(s->ctx, name, text, repaired);
}

static void problemf(struct scrub *s, bool repaired, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
problemf(struct scrub *s, bool repaired, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem(s, s->name, text, repaired);
}

static void
on_finding(void *ctx, struct span name, const char *text)
{
	struct scrub *s = ctx;

	problem(s, s->name.n > 0 ? s->name : name, text, s->repair);
}

static void
on_check(void *ctx, const char *text)
{
	struct scrub *s = ctx;

	problem(s, s->name, text, s->repair);
}

static int
index_part(struct scrub *s, struct index *ix, uint32_t id, struct err *e)
{
	struct index_verdict v;

	s->found = false;
	if (index_verify(ix, id, on_finding, s, &v, e) == -1)
		return -1;
	if (!s->found || !s->repair)
		return 0;
	err_set(e, ERR_NONE, "found by scrub");
	return index_mend(ix, id, e);
}

/* 1: the summary is what the message says, or there is none. */
static int
summary_is_right(struct scrub *s, uint32_t uid, struct span text, struct err *e)
{
	struct buf fresh = BUF_INIT((size_t)1 << 20), packed = BUF_INIT(SUMMARY_ROOM_MAX);
	struct summary_view view;
	struct index_txn *t;
	struct span value;
	int rc;

	if (index_read(s->box->store->ix, &t, e) == -1)
		return -1;
	rc = index_summary_get(t, s->box->id, uid, &value, e);
	if (rc != 1)
		return rc == 0 ? 1 : -1;
	if (!summary_unpack(&s->box->summary_room, value, &view))
		return 0;
	arena_reset(s->st->work);
	rc = view.flags & (SUMMARY_STRUCTURE | SUMMARY_SIZES) ?
	    summary_from_message(&fresh, s->st->work, text, &s->st->conf.limits) :
	    summary_from_header(&fresh, s->st->work, text, &s->st->conf.limits);
	/* Limits may have been others when it was made: what can not be made now proves nothing. */
	if (rc != -1 && !fresh.failed)
		summary_pack(&packed, buf_span(&fresh));
	rc = rc == -1 || fresh.failed || packed.failed || span_eq(buf_span(&packed), value);
	arena_reset(s->st->work);
	buf_clear(&fresh);
	buf_clear(&packed);
	return rc;
}

/* Makes right what the index says of one message. */
static int
rewrite(struct scrub *s, uint32_t uid, bool size, uint64_t virtual_size, bool summary, struct err *e)
{
	char key[IDX_KEY_MESSAGE], name[INDEX_FILE_NAME_MAX], uidl[256];
	struct index_txn *t;
	struct idx_state st;
	struct idx_message m;
	int rc = index_write(s->box->store->ix, &t, e);

	if (rc == -1)
		return -1;
	rc = index_state_get(t, s->box->id, &st, e);
	if (rc == 1)
		rc = index_message_get(t, s->box->id, uid, &m, e);
	if (rc == 1 && summary) {
		idx_key_message(key, s->box->id, uid);
		rc = index_del(t, DB_SUMMARY, span_of(key, sizeof(key)), e) == -1 ? -1 : 1;
	}
	if (rc == 1 && size) {
		memcpy(name, m.name.p, m.name.n);
		m.name.p = name;
		if (m.bits & IDX_UIDL) {
			memcpy(uidl, m.uidl.p, m.uidl.n);
			m.uidl.p = uidl;
		}
		m.size = virtual_size;
		if (index_message_put(t, s->box->id, uid, &m, e) == -1 || index_recount(t, &st, e) == -1 ||
		    index_state_put(t, &st, e) == -1)
			rc = -1;
	}
	if (rc == 1)
		return index_commit(t, e);
	index_abort(t);
	return rc;
}

/* Why a message could not be read: 0 it has been told, or there is nothing to tell; -1 the index is why. */
static int
unreadable(struct scrub *s, uint32_t uid, struct err *e)
{
	struct err why = *e;
	struct index_txn *t;
	struct idx_message m;

	*e = (struct err)ERR_INIT;
	/* Expunged meanwhile, or a record without a file: the driver's check has said so. */
	if (why.code == ERR_GONE)
		return 0;
	/* Damage is that of a compressed file, when the record is sound. */
	if (why.code != ERR_TEMP &&
	    (why.code != ERR_CORRUPT || (index_read(s->box->store->ix, &t, e) == 0 &&
	    index_message_get(t, s->box->id, uid, &m, e) == 1))) {
		problemf(s, false, "message %u: it can not be read: %s", uid, why.log);
		return 0;
	}
	*e = why;
	return -1;
}

/* What the index says of one message against its octets. */
static int
message_part(struct scrub *s, uint32_t uid, struct err *e)
{
	uint8_t digest[IDX_DIGEST_LEN];
	bool size_wrong = false, summary_wrong;
	struct index_txn *t;
	struct idx_message m;
	struct span text;
	uint64_t size;
	int rc;

	if (mailbox_body(s->box, uid, &text, e) == -1)
		return unreadable(s, uid, e);
	if (index_read(s->box->store->ix, &t, e) == -1)
		return -1;
	rc = index_message_get(t, s->box->id, uid, &m, e);
	if (rc != 1)
		return rc;
	s->out->messages++;
	size = crlf_size(text);
	size_wrong = m.size != IDX_SIZE_UNKNOWN && m.size != size;
	if (m.bits & IDX_DIGEST && (!mailbox_digest(text, digest) || memcmp(digest, m.digest, IDX_DIGEST_LEN) != 0))
		problemf(s, false, "message %u: its content is not what it was: the digest is another", uid);
	rc = summary_is_right(s, uid, text, e);
	if (rc == -1)
		return -1;
	summary_wrong = rc == 0;
	if (!size_wrong && !summary_wrong)
		return 0;
	if (size_wrong)
		problemf(s, s->repair, "message %u: RFC822.SIZE is %llu, and the index says %llu", uid, (unsigned long long)size,
		    (unsigned long long)m.size);
	if (summary_wrong)
		problemf(s, s->repair, "message %u: its summary is not that of the message", uid);
	return s->repair ? rewrite(s, uid, size_wrong, size, summary_wrong, e) : 0;
}

static int
messages_part(struct scrub *s, struct err *e)
{
	if (view_load(s->box, e) == -1)
		return -1;
	for (uint32_t seq = 1, last = 0; seq <= mailbox_count(s->box); seq++) {
		uint32_t uid = mailbox_uid(s->box, seq);

		if (uid <= last)
			problemf(s, false, "UIDs do not ascend: %u behind %u", uid, last);
		last = uid;
		if (message_part(s, uid, e) == -1)
			return -1;
		if (seq % BATCH == 0)
			index_read_end(s->box->store->ix);
	}
	mailbox_body_drop(s->box);
	index_read_end(s->box->store->ix);
	return 0;
}

int
storage_scrub(struct storage *st, struct span name, bool repair, scrub_fn *on_problem, void *ctx,
    struct scrub_result *out, struct err *e)
{
	struct scrub s = { .st = st, .name = name, .repair = repair, .on_problem = on_problem, .ctx = ctx, .out = out };
	int rc;

	if (mailbox_open(st, name, MAILBOX_SAVE, &s.box, e) == -1)
		return -1;
	out->mailboxes++;
	/* What others did is no problem: first the index learns of it. */
	rc = mailbox_driver_sync(s.box, false, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = index_part(&s, s.box->store->ix, s.box->id, e);
	s.found = false;
	if (rc == 0 && s.box->drv->check != NULL)
		rc = s.box->drv->check(s.box->handle, repair, on_check, &s, e) == DRV_OK ? 0 : -1;
	if (rc == 0 && s.found && repair)
		rc = mailbox_driver_sync(s.box, true, e) == DRV_OK ? 0 : -1;
	if (rc == 0)
		rc = messages_part(&s, e);
	mailbox_close(s.box);
	/* What is too damaged to be compared has been told above. */
	if (rc == -1 && e->code == ERR_CORRUPT && out->problems > 0 && !repair) {
		*e = (struct err)ERR_INIT;
		return 0;
	}
	return rc == -1 ? err_wrap(e, "scrub %.*s", SPAN_ARG(name)) : 0;
}

int
storage_scrub_index(struct storage *st, bool repair, scrub_fn *on_problem, void *ctx, struct scrub_result *out,
    struct err *e)
{
	struct scrub s = { .st = st, .repair = repair, .on_problem = on_problem, .ctx = ctx, .out = out };

	for (size_t i = 0; i < st->stores.n; i++)
		if (index_part(&s, (*(struct store **)array_at(&st->stores, i))->ix, 0, e) == -1)
			return -1;
	return 0;
}
