/* SPDX-License-Identifier: MIT */
#include "imap/hibernate.h"

#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib/sys.h"

#define STATE_VERSION 1
#define STATE_MAX 32768		/* of a frame of 65,536 octets, which has the identity as well */
#define ANSWER_MS 5000

enum { STATE_SELECTED = 1 << 0, STATE_READ_ONLY = 1 << 1, STATE_CONDSTORE = 1 << 2, STATE_QRESYNC = 1 << 3 };

static void
add_span(struct buf *b, struct span s)
{
	buf_add_be32(b, (uint32_t)s.n);
	buf_add(b, s);
}

/* The UIDs of the view: with few gaps a few ranges. */
static void
add_view(struct imap_session *s, struct buf *b)
{
	struct uid_range r[64];
	size_t at = b->n, n, total = 0;

	buf_add_be32(b, 0);
	while (!b->failed && (n = mailbox_view_runs(s->box, total, r, sizeof(r) / sizeof(r[0]))) > 0) {
		for (size_t i = 0; i < n; i++) {
			buf_add_be32(b, r[i].first);
			buf_add_be32(b, r[i].last);
		}
		total += n;
	}
	if (!b->failed)
		be32_put(b->p + at, (uint32_t)total);
}

bool
imap_state_save(struct imap_session *s, struct buf *out)
{
	struct mailbox_view_state vs = { .uidvalidity = 0 };
	unsigned flags = (s->condstore ? STATE_CONDSTORE : 0) | (s->qresync ? STATE_QRESYNC : 0);
	const uint64_t counters[] = {
		s->stats.in + s->io.in_octets, s->stats.out + s->io.out_octets, s->stats.deleted, s->stats.expunged,
		s->stats.header_count, s->stats.header_octets, s->stats.body_count, s->stats.body_octets, s->stats.appended,
	};

	if (s->box != NULL)
		flags |= STATE_SELECTED | (s->read_only ? STATE_READ_ONLY : 0);
	buf_add_be16(out, STATE_VERSION);
	buf_add_be16(out, (uint16_t)flags);
	add_span(out, s->tag);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		buf_add_be64(out, counters[i]);
	if (s->box != NULL) {
		mailbox_view_state(s->box, &vs);
		add_span(out, mailbox_name(s->box));
		buf_add_be32(out, vs.uidvalidity);
		buf_add_be32(out, vs.uidnext);
		buf_add_be64(out, vs.highestmodseq);
		buf_add_be64(out, imap_keywords_digest(s));
		add_view(s, out);
	}
	return !out->failed;
}

/* ---- reading: every take checks what is left ---- */

struct reader {
	struct span rest;
	bool bad;
};

static struct span
take(struct reader *r, size_t n)
{
	struct span piece = span_sub(r->rest, 0, n);

	if (piece.n < n)
		r->bad = true;
	r->rest = span_from(r->rest, n);
	return piece;
}

static uint16_t
take16(struct reader *r)
{
	struct span s = take(r, 2);

	return r->bad ? 0 : be16_get(s.p);
}

static uint32_t
take32(struct reader *r)
{
	struct span s = take(r, 4);

	return r->bad ? 0 : be32_get(s.p);
}

static uint64_t
take64(struct reader *r)
{
	struct span s = take(r, 8);

	return r->bad ? 0 : be64_get(s.p);
}

static int
load_mailbox(struct imap_session *s, struct reader *r, bool read_only, struct err *e)
{
	struct span name = take(r, take32(r));
	uint32_t uidvalidity = take32(r), uidnext = take32(r), ranges;
	uint64_t modseq = take64(r), digest = take64(r);
	struct mailbox_view_state vs;
	struct uid_range *old;

	ranges = take32(r);
	if (r->bad || r->rest.n != (uint64_t)ranges * 8)
		return err_set(e, ERR_SYNTAX, "malformed state");
	old = arena_alloc(s->arena, (size_t)ranges + 1, sizeof(*old));
	if (old == NULL)
		return err_set(e, ERR_LIMIT, "state too large");
	for (uint32_t i = 0; i < ranges; i++) {
		old[i].first = take32(r);
		old[i].last = take32(r);
	}
	if (mailbox_open(s->st, name, read_only ? MAILBOX_READ : MAILBOX_WRITE, &s->box, e) == -1)
		return -1;
	s->read_only = read_only || mailbox_is_readonly(s->box);
	mailbox_view_state(s->box, &vs);
	if (vs.uidvalidity != uidvalidity)
		return err_set(e, ERR_GONE, "UIDVALIDITY has changed");
	if (mailbox_view_restore(s->box, old, ranges, uidnext, modseq, e) == -1)
		return -1;
	if (imap_keywords_digest(s) != digest)
		imap_put_flag_lists(s);
	/* What happened while it slept is told as after any other command. */
	imap_sync(s, true);
	return 0;
}

int
imap_state_load(struct imap_session *s, struct span state, struct err *e)
{
	uint64_t *counters[] = {
		&s->stats.in, &s->stats.out, &s->stats.deleted, &s->stats.expunged, &s->stats.header_count,
		&s->stats.header_octets, &s->stats.body_count, &s->stats.body_octets, &s->stats.appended,
	};
	struct reader r = { state, false };
	unsigned flags;

	if (take16(&r) != STATE_VERSION)
		return err_set(e, ERR_SYNTAX, "state of another version");
	flags = take16(&r);
	s->tag = arena_dup(s->arena, take(&r, take32(&r)));
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counters[i] = take64(&r);
	s->condstore = (flags & STATE_CONDSTORE) != 0;
	s->qresync = (flags & STATE_QRESYNC) != 0;
	if (r.bad)
		return err_set(e, ERR_SYNTAX, "malformed state");
	if ((flags & STATE_SELECTED) != 0)
		return load_mailbox(s, &r, (flags & STATE_READ_ONLY) != 0, e);
	return r.rest.n == 0 ? 0 : err_set(e, ERR_SYNTAX, "malformed state");
}

/* The parent's answer; other messages come in between. */
static bool
is_taken(struct imap_session *s)
{
	int64_t until = clock_ms() + ANSWER_MS;
	struct err e = ERR_INIT;
	struct ipc_msg m;
	bool taken = false, done = false;

	if (ipc_msg_init(&m, &e) == -1)
		return false;
	while (!done) {
		int64_t left = until - clock_ms();
		int rc = ipc_recv_wait(s->start->parent_fd, &m, left < 0 ? 0 : (int)left, &e);

		if (rc != 1) {
			log_debug("hibernation: %s", rc == 0 ? "parent has gone" : e.log);
			s->parent_gone = s->parent_gone || rc == 0;
			break;
		}
		taken = m.type == MSG_HIBERNATED;
		done = taken || m.type == MSG_DONE;
		if (!done)
			imap_parent_message(s, &m);
	}
	ipc_msg_clear(&m);
	return taken;
}

/*
 * A change that came after the state was saved and before hibernate had its watch would be seen by nobody: it is announced
 * once more.
 */
static void
announce_late_change(struct imap_session *s, uint64_t modseq, struct span key)
{
	struct mailbox_status st;
	struct err e = ERR_INIT;
	struct ipc_out o;

	if (s->box == NULL || s->hub_gone || s->start->hub_fd == -1 ||
	    storage_status(s->st, mailbox_name(s->box), STATUS_HIGHESTMODSEQ, &st, &e) == -1 || st.highestmodseq == modseq)
		return;
	ipc_begin(&o, MSG_CHANGED);
	ipc_put_bytes(&o, F_KEY, key);
	if (ipc_send(s->start->hub_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

bool
imap_hibernate(struct imap_session *s)
{
	struct buf state = BUF_INIT(STATE_MAX);
	struct mailbox_view_state vs = { .highestmodseq = 0 };
	struct err e = ERR_INIT;
	struct ipc_out o;
	char key[WATCH_KEY_MAX];
	size_t key_n = 0;
	int dirs[2] = { -1, -1 };
	bool taken = false;

	if (s->parent_gone || storage_maintain(s->st, &e) == -1 || stream_flush(&s->io, &e) == -1 || stream_in(&s->io).n > 0)
		return false;
	if (!imap_state_save(s, &state))
		goto out;
	if (s->box != NULL) {
		mailbox_view_state(s->box, &vs);
		mailbox_read_end(s->box);
		mailbox_watch_key(s->box, key, &key_n, dirs);
	}
	ipc_begin(&o, MSG_HIBERNATE);
	ipc_put_u32(&o, F_ID, 1);
	ipc_put_bytes(&o, F_SESSION, s->start->session);
	ipc_put_bytes(&o, F_STATE, buf_span(&state));
	ipc_put_bytes(&o, F_KEY, span_of(key, key_n));
	ipc_put_bytes(&o, F_TAG, s->tag);
	ipc_put_fd(&o, s->start->client_fd);
	for (size_t i = 0; i < 2; i++)
		if (dirs[i] != -1)
			ipc_put_fd(&o, dirs[i]);
	if (ipc_send(s->start->parent_fd, &o, &e) == -1) {
		ipc_out_clear(&o);
		goto out;
	}
	taken = is_taken(s);
	if (taken) {
		announce_late_change(s, vs.highestmodseq, span_of(key, key_n));
		s->end = IMAP_END_HIBERNATED;
		s->end_reason = "Hibernated";
	}
out:
	buf_clear(&state);
	return taken;
}
