/* SPDX-License-Identifier: MIT */
/* SEARCH and UID SEARCH (RFC 3501 section 6.4.4; ESEARCH RFC 4731; MODSEQ RFC 7162 section 3.1.5). */
#include "imap/search.h"

struct results {
	struct array found;		/* ranges of sequence numbers or UIDs */
	uint32_t first, last;		/* lowest and highest */
	uint64_t count;
	uint64_t modseq, first_modseq, last_modseq;
};

struct search_limits
imap_search_limits(struct imap_session *s)
{
	uint32_t count = mailbox_count(s->box);

	return (struct search_limits){ .keys = s->lim.search_keys, .depth = s->lim.search_depth,
		.ranges = s->lim.set_ranges, .last_seq = count, .last_uid = count == 0 ? 0 : mailbox_uid(s->box, count) };
}

static bool
add_result(struct results *r, uint32_t number, uint64_t modseq)
{
	if (r->count == 0) {
		r->first = number;
		r->first_modseq = modseq;
	}
	r->last = number;
	r->last_modseq = modseq;
	if (modseq > r->modseq)
		r->modseq = modseq;
	r->count++;
	return imap_set_add(&r->found, number, number);
}

/* found is called for each message that matches; it returns false to stop. */
typedef bool found_fn(void *ctx, uint32_t seq, uint64_t modseq);

static int
search(struct imap_session *s, struct search *se, found_fn *found, void *ctx, struct err *e)
{
	struct imap_set seqs = search_domain(se);
	size_t looked = 0;

	for (size_t i = 0; i < seqs.n; i++)
		for (uint32_t seq = seqs.r[i].first; seq <= seqs.r[i].last; seq++) {
			uint64_t modseq = 0;
			int rc = search_matches(se, seq, &modseq, e);

			/* Pages of the index can not be used again while the transaction is open. */
			if (++looked % 1000 == 0)
				mailbox_read_end(s->box);
			if (rc == -1)
				return -1;
			if (rc == 0)
				continue;
			if (!found(ctx, seq, modseq))
				return 0;
		}
	return 0;
}

struct adding {
	struct imap_session *s;
	struct results *r;
	bool only_first, failed;
};

static bool
on_found(void *ctx, uint32_t seq, uint64_t modseq)
{
	struct adding *a = ctx;

	a->failed = !add_result(a->r, a->s->uid ? mailbox_uid(a->s->box, seq) : seq, modseq);
	return !a->failed && !a->only_first;
}

struct listing {
	struct array *seqs;
	uint64_t modseq;
	bool failed;
};

static bool
on_listed(void *ctx, uint32_t seq, uint64_t modseq)
{
	struct listing *l = ctx;
	uint32_t *slot = array_push(l->seqs);

	if (slot == NULL)
		return !(l->failed = true);
	*slot = seq;
	if (modseq > l->modseq)
		l->modseq = modseq;
	return true;
}

int
imap_search_seqs(struct imap_session *s, const struct search_query *q, struct array *seqs, uint64_t *modseq_out,
    struct err *e)
{
	struct listing l = { .seqs = seqs };
	struct search se;
	int rc;

	if (q->modseq)
		imap_enable_condstore(s);
	rc = search_begin(&se, s->box, q->root, q->charset, s->lim.command, s->arena, e);
	if (rc == 0 && search_is_domain(&se)) {
		struct imap_set all = search_domain(&se);

		/* Messages that have gone are noticed by who looks at them. */
		for (size_t i = 0; i < all.n; i++)
			for (uint32_t seq = all.r[i].first; seq <= all.r[i].last && !l.failed; seq++)
				on_listed(&l, seq, 0);
	} else if (rc == 0) {
		rc = search(s, &se, on_listed, &l, e);
	}
	search_end(&se);
	mailbox_read_end(s->box);
	if (rc == 0 && l.failed)
		rc = err_set(e, ERR_LIMIT, "too many messages are found");
	*modseq_out = l.modseq;
	return rc;
}

static void
breathe(struct imap_session *s)
{
	struct err e = ERR_INIT;

	if (s->io.out.n >= 64 * 1024)
		stream_flush(&s->io, &e);
}

/* "* SEARCH 2 84 882 (MODSEQ 917)" */
static void
put_numbers(struct imap_session *s, const struct search_query *q, const struct results *r)
{
	struct imap_set found = imap_set_made(&r->found);

	stream_put(&s->io, SPAN("* SEARCH"));
	for (size_t i = 0; i < found.n; i++)
		for (uint64_t v = found.r[i].first; v <= found.r[i].last; v++) {
			char *start = stream_reserve(&s->io, 16), *p = start;

			if (p == NULL)
				return;
			*p++ = ' ';
			p = imap_format_u64(p, v);
			stream_commit(&s->io, (size_t)(p - start));
			breathe(s);
		}
	if (q->modseq && r->count > 0) {
		stream_put(&s->io, SPAN(" (MODSEQ "));
		stream_put_u64(&s->io, r->modseq);
		stream_put(&s->io, SPAN(")"));
	}
	stream_put(&s->io, SPAN("\r\n"));
}

static void
put_item(struct imap_session *s, const char *name, uint64_t value)
{
	stream_puts(&s->io, name);
	stream_put_u64(&s->io, value);
}

/* "* ESEARCH (TAG "A1") UID MIN 2 COUNT 5 ALL 2,10:13 MODSEQ 917" */
static void
put_esearch(struct imap_session *s, const struct search_query *q, const struct results *r)
{
	struct imap_set found = imap_set_made(&r->found);
	uint64_t modseq = r->modseq;

	stream_put(&s->io, SPAN("* ESEARCH (TAG \""));
	for (size_t i = 0; i < s->tag.n; i++) {
		if (s->tag.p[i] == '"' || s->tag.p[i] == '\\')
			stream_put(&s->io, SPAN("\\"));
		stream_put(&s->io, span_of(&s->tag.p[i], 1));
	}
	stream_puts(&s->io, s->uid ? "\") UID" : "\")");
	if (r->count > 0) {
		if ((q->returns & SEARCH_RETURN_MIN) != 0)
			put_item(s, " MIN ", r->first);
		if ((q->returns & SEARCH_RETURN_MAX) != 0)
			put_item(s, " MAX ", r->last);
		if ((q->returns & SEARCH_RETURN_ALL) != 0) {
			stream_put(&s->io, SPAN(" ALL "));
			imap_set_put(&s->io, &found);
		}
	}
	if ((q->returns & SEARCH_RETURN_COUNT) != 0)
		put_item(s, " COUNT ", r->count);
	/* RFC 7162 section 3.1.10: of MIN or MAX alone it is that message's; of both the higher. */
	if (q->returns == SEARCH_RETURN_MIN)
		modseq = r->first_modseq;
	else if (q->returns == SEARCH_RETURN_MAX)
		modseq = r->last_modseq;
	else if (q->returns == (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX))
		modseq = r->first_modseq > r->last_modseq ? r->first_modseq : r->last_modseq;
	if (q->modseq && r->count > 0)
		put_item(s, " MODSEQ ", modseq);
	stream_put(&s->io, SPAN("\r\n"));
}

int
imap_cmd_search(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct search_limits lim = imap_search_limits(s);
	struct results r = { .found = IMAP_SET_MAKER(mailbox_count(s->box) + 1) };
	struct adding adding = { .s = s, .r = &r };
	struct search_query q;
	struct search se;
	int rc;

	if (!imap_search_parse(in, &lim, &q)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (q.charset.n > 0 && !charset_is_known(q.charset)) {
		imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] Unknown charset.");
		return 0;
	}
	if (q.modseq)
		imap_enable_condstore(s);
	adding.only_first = q.esearch && q.returns == SEARCH_RETURN_MIN;
	rc = search_begin(&se, s->box, q.root, q.charset, s->lim.command, s->arena, e);
	if (rc == 0)
		rc = search(s, &se, on_found, &adding, e);
	search_end(&se);
	mailbox_read_end(s->box);
	if (rc == 0 && adding.failed)
		rc = err_set(e, ERR_LIMIT, "SEARCH: too many results");
	if (rc == 0) {
		if (q.esearch)
			put_esearch(s, &q, &r);
		else
			put_numbers(s, &q, &r);
		imap_ok(s, "Search completed.");
	}
	array_clear(&r.found);
	return rc;
}
