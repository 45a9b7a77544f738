/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-quote.h"

#include "lib/encode.h"
#include "lib-protocol/imap-token.h"

#define QUOTED_MAX 4096

void
imap_no_nuls(char *p, size_t n)
{
	char *end = p + n;

	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

static bool
can_be_quoted(struct span s)
{
	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\0' || c == '\r' || c == '\n' || c >= 0x80)
			return false;
	}
	return true;
}

void
imap_quoted_write(struct buf *out, struct span s)
{
	size_t start = out->n;

	if (!can_be_quoted(s)) {
		buf_addc(out, '{');
		buf_add_u64(out, s.n);
		buf_adds(out, "}\r\n");
		start = out->n;
		buf_add(out, s);
		if (!out->failed)
			imap_no_nuls(out->p + start, s.n);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

void
imap_astring_write(struct buf *out, struct span s)
{
	if (imap_is_atom(s) && !span_ieq(s, SPAN("NIL")))
		buf_add(out, s);
	else
		imap_quoted_write(out, s);
}

void
imap_mailbox_write(struct buf *out, struct span utf8)
{
	struct buf name = BUF_INIT(64 * 1024);

	if (mutf7_encode(&name, utf8))
		imap_astring_write(out, buf_span(&name));
	else
		imap_astring_write(out, utf8);	/* not UTF-8: octets from the disk, as a literal */
	buf_clear(&name);
}
