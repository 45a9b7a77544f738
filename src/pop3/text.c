/* SPDX-License-Identifier: MIT */
#include "pop3/text.h"

/* Copies n octets; they hold no LF. */
static void
copy(const struct pop3_text *t, char *to, const char *from, size_t n)
{
	memcpy(to, from, n);
	if (!t->no_nuls)
		return;
	for (char *nul = memchr(to, '\0', n); nul != NULL; nul = memchr(nul, '\0', n - (size_t)(nul - to)))
		*nul = (char)0x80;
}

size_t
pop3_text(struct pop3_text *t, struct span *in, char *room, size_t size)
{
	const char *p = in->p, *end = in->n == 0 ? in->p : in->p + in->n;
	size_t done = 0;

	while (p < end && size - done >= POP3_TEXT_ROOM) {
		const char *lf;
		size_t n = (size_t)(end - p);

		if (!t->in_line && *p == '.') {
			room[done++] = '.';
			t->dots++;
		}
		/* two octets of the room are kept for CR LF */
		if (n > size - done - 2)
			n = size - done - 2;
		lf = memchr(p, '\n', n);
		if (lf != NULL)
			n = (size_t)(lf - p);
		if (n > 0) {
			copy(t, room + done, p, n);
			done += n;
			p += n;
			t->cr = p[-1] == '\r';
			t->in_line = true;
		}
		if (lf == NULL)
			continue;
		if (!t->cr)
			room[done++] = '\r';
		room[done++] = '\n';
		p++;
		t->cr = t->in_line = false;
	}
	*in = span_of(p, (size_t)(end - p));
	return done;
}

struct span
pop3_top(struct span message, uint64_t lines, bool *has_end_out)
{
	struct span line;
	size_t pos = 0;

	*has_end_out = false;
	while (!*has_end_out && span_line(message, &pos, &line))
		*has_end_out = line.n == 0;
	if (!*has_end_out)
		return message;
	while (lines > 0 && span_line(message, &pos, &line))
		lines--;
	return lines > 0 ? message : span_sub(message, 0, pos);
}
