/* SPDX-License-Identifier: MIT */
/*
 * subject-leader = (*subj-blob subj-refwd) / WSP;  subj-blob = "[" *BLOBCHAR "]" *WSP
 * subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":";  subj-trailer = "(fwd)" / WSP
 * subj-fwd = "[fwd:" subject "]"				(RFC 5256 section 5)
 */
#include "lib-mail/subject.h"

#include "lib-mail/encoded-word.h"

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

bool
subject_base(struct charset_cache *cache, struct buf *out, struct span value)
{
	struct buf text = BUF_INIT(8 * value.n + 64);
	struct span base;
	bool is_reply = false, space = false;
	size_t n = 0;

	encoded_word_decode(cache, &text, value);
	/* Step 1: runs of white space become one space; in place. */
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (ascii_is_wsp(c) || c == '\r' || c == '\n') {
			space = true;
			continue;
		}
		if (space && n > 0)
			text.p[n++] = ' ';
		space = false;
		text.p[n++] = c;
	}
	base = base_of(span_of(text.p, n), &is_reply);
	buf_add(out, base);
	out->failed |= text.failed;
	buf_clear(&text);
	return is_reply;
}
