/* SPDX-License-Identifier: MIT */
/* SORT and UID SORT (RFC 5256 section 3; DISPLAYFROM and DISPLAYTO of RFC 5957; MODSEQ of RFC 7162 section 3.1.6). */
#include "imap/search.h"
#include "lib-storage/sort.h"

#define KEYS_MEMORY ((size_t)256 << 20)

/* sort-key = ["REVERSE" SP] ("ARRIVAL" / "CC" / "DATE" / ...) */
static bool
take_criterion(struct imap_in *in, struct sort_criterion *out)
{
	static const struct {
		struct span word;
		enum sort_type type;
	} words[] = {
		{ SPAN("ARRIVAL"), SORT_ARRIVAL },
		{ SPAN("CC"), SORT_CC },
		{ SPAN("DATE"), SORT_DATE },
		{ SPAN("DISPLAYFROM"), SORT_DISPLAYFROM },
		{ SPAN("DISPLAYTO"), SORT_DISPLAYTO },
		{ SPAN("FROM"), SORT_FROM },
		{ SPAN("SIZE"), SORT_SIZE },
		{ SPAN("SUBJECT"), SORT_SUBJECT },
		{ SPAN("TO"), SORT_TO },
	};
	struct span word;

	*out = (struct sort_criterion){ 0 };
	if (imap_word(in, SPAN("REVERSE"))) {
		out->reverse = true;
		if (!imap_sp(in))
			return false;
	}
	if (!imap_atom(in, &word))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (span_ieq(word, words[i].word)) {
			out->type = words[i].type;
			return true;
		}
	}
	return imap_fail(in, "Unknown sort key");
}

/* "(" sort-key *(SP sort-key) ")" */
static bool
take_criteria(struct imap_in *in, struct sort_criterion *list, size_t *count)
{
	*count = 0;
	if (!imap_take(in, '('))
		return imap_fail(in, "Missing sort criteria");
	do {
		if (*count == SORT_CRITERIA_MAX)
			return imap_fail(in, "Too many sort keys");
		if (!take_criterion(in, &list[(*count)++]))
			return false;
	} while (!imap_peek(in, ')') && imap_sp(in));
	return imap_take(in, ')');
}

bool
imap_arg_sort_query(struct imap_session *s, struct imap_in *in, struct search_query *out)
{
	struct search_limits lim = imap_search_limits(s);

	memset(out, 0, sizeof(*out));
	if (!imap_sp(in) || !imap_astring(in, &out->charset) || !imap_sp(in) || !imap_search_parse_keys(in, &lim, out)) {
		imap_bad(s, in->why);
		return false;
	}
	if (!charset_is_known(out->charset)) {
		imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] Unknown charset.");
		return false;
	}
	return true;
}

/* "* SORT 5 3 4 1 2 (MODSEQ 917)" */
static void
put_sorted(struct imap_session *s, const uint32_t *seqs, size_t count, uint64_t modseq)
{
	stream_put(&s->io, SPAN("* SORT"));
	for (size_t i = 0; i < count; i++) {
		char *start = stream_reserve(&s->io, 16), *p = start;

		if (p == NULL)
			return;
		*p++ = ' ';
		p = imap_format_u64(p, s->uid ? mailbox_uid(s->box, seqs[i]) : seqs[i]);
		stream_commit(&s->io, (size_t)(p - start));
	}
	if (modseq > 0 && count > 0)
		stream_putf(&s->io, " (MODSEQ %llu)", (unsigned long long)modseq);
	stream_put(&s->io, SPAN("\r\n"));
}

int
imap_cmd_sort(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct array seqs = ARRAY_INIT(uint32_t, mailbox_count(s->box) + 1);
	struct sort_criterion criteria[SORT_CRITERIA_MAX];
	struct search_query q;
	size_t criteria_count, count;
	uint64_t modseq;
	int rc;

	if (!take_criteria(in, criteria, &criteria_count)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (!imap_arg_sort_query(s, in, &q))
		return 0;
	rc = imap_search_seqs(s, &q, &seqs, &modseq, e);
	count = seqs.n;
	if (rc == 0)
		rc = sort_messages(s->box, criteria, criteria_count, seqs.p, &count, KEYS_MEMORY, e);
	if (rc == 0) {
		put_sorted(s, seqs.p, count, q.modseq ? modseq : 0);
		imap_ok(s, "Sort completed.");
	}
	array_clear(&seqs);
	return rc;
}
