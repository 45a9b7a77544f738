/* SPDX-License-Identifier: MIT */
/*
 * subject-leader = (*subj-blob subj-refwd) / WSP;  subj-blob = "[" *BLOBCHAR "]" *WSP
 * subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":";  subj-trailer = "(fwd)" / WSP
 * subj-fwd = "[fwd:" subject "]"				(RFC 5256 section 5)
 */
#include "lib-mail/subject.h"

#include "lib-mail/encoded-word.h"
#include "lib/lane.h"

static struct span
skip_wsp(struct span s)
{
	while (s.n > 0 && ascii_is_wsp(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* "[...]" at the front of *s, with the white space behind it.  *no_close: there is no "]" any more, as found before. */
static bool
take_blob(struct span *s, bool *no_close)
{
	size_t i = 1;

	if (s->n == 0 || s->p[0] != '[' || *no_close)
		return false;
	while (i < s->n && s->p[i] != '[' && s->p[i] != ']')
		i++;
	if (i == s->n) {
		*no_close = true;
		return false;
	}
	if (s->p[i] != ']')
		return false;
	*s = skip_wsp(span_from(*s, i + 1));
	return true;
}

static bool
take_refwd(struct span *s, bool *no_close)
{
	struct span rest = *s;

	if (span_istarts(rest, SPAN("re")))
		rest = span_from(rest, 2);
	else if (span_istarts(rest, SPAN("fwd")))
		rest = span_from(rest, 3);
	else if (span_istarts(rest, SPAN("fw")))
		rest = span_from(rest, 2);
	else
		return false;
	rest = skip_wsp(rest);
	take_blob(&rest, no_close);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*s = span_from(rest, 1);
	return true;
}

/* Steps 3 to 5: leaders, and blobs that something follows. */
static void
strip_front(struct span *s, bool *is_reply)
{
	bool no_close = false;
	struct span blobs_end = *s;	/* behind the blobs that were looked at already: each once */
	const char *no_refwd = NULL;	/* where none was found: it is not looked for there again */

	for (;;) {
		struct span t;

		*s = skip_wsp(*s);
		t = blobs_end.p > s->p ? blobs_end : *s;
		while (take_blob(&t, &no_close))
			;
		blobs_end = t;
		if (t.p != no_refwd && take_refwd(&t, &no_close)) {
			*s = blobs_end = t;
			*is_reply = true;
			continue;
		}
		no_refwd = blobs_end.p;
		t = *s;
		if (!take_blob(&t, &no_close) || t.n == 0)
			return;
		*s = t;
	}
}

static struct span
base_of(struct span s, bool *is_reply)
{
	for (;;) {
		for (;;) {	/* step 2 */
			while (s.n > 0 && ascii_is_wsp(s.p[s.n - 1]))
				s.n--;
			if (s.n < 5 || !span_ieq(span_from(s, s.n - 5), SPAN("(fwd)")))
				break;
			s.n -= 5;
			*is_reply = true;
		}
		strip_front(&s, is_reply);
		/* step 6 */
		if (s.n < 6 || !span_istarts(s, SPAN("[fwd:")) || s.p[s.n - 1] != ']')
			return s;
		s = span_sub(s, 5, s.n - 6);
		*is_reply = true;
	}
}

/* Step 1 where there is something to do: words are decoded; runs of white space become one space, in place. */
static struct span
decode(struct charset_cache *cache, struct buf *room, struct span value)
{
	bool space = false;
	size_t n = 0;

	buf_reset(room);
	encoded_word_decode(cache, room, value);
	for (size_t i = 0; i < room->n; i++) {
		char c = room->p[i];

		if (ascii_is_wsp(c) || c == '\r' || c == '\n') {
			space = true;
			continue;
		}
		if (space && n > 0)
			room->p[n++] = ' ';
		space = false;
		room->p[n++] = c;
	}
	return span_of(room->p, n);
}

/* Sixteen octets at p, and the one behind them: no control, nothing of eight bits, no run of spaces, no "=?". */
static bool
is_plain_lane(const char *p)
{
	const lane v = lane_load(p), next = lane_load(p + 1);
	lane odd = (lane)(v - lane_of(' ') > lane_of('~' - ' '));

	odd |= (lane)(v == lane_of(' ')) & (lane)(next == lane_of(' '));
	odd |= (lane)(v == lane_of('=')) & (lane)(next == lane_of('?'));
	return !lane_any(odd);
}

/* Is step 1 nothing to it? */
static bool
is_plain(struct span s)
{
	char end[2 * sizeof(lane) + 1];
	size_t i = 0;

	for (; s.n - i > sizeof(lane); i += sizeof(lane))
		if (!is_plain_lane(s.p + i))
			return false;
	memset(end, '.', sizeof(end));
	if (s.n > 0)
		memcpy(end, s.p + i, s.n - i);
	return is_plain_lane(end);
}

struct span
subject_base(struct charset_cache *cache, struct buf *room, struct span value, bool *is_reply_out)
{
	*is_reply_out = false;
	return base_of(is_plain(value) ? value : decode(cache, room, value), is_reply_out);
}
