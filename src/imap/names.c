/* SPDX-License-Identifier: MIT */
/* Mailbox names: modified UTF-7 outside (RFC 3501 section 5.1.3), UTF-8 inside. */
#include "imap/session.h"
#include "lib/encode.h"
#include "lib-protocol/imap-quote.h"

struct span
imap_mailbox_utf8(struct imap_session *s, struct span raw)
{
	struct buf b = BUF_INIT(s->lim.line);
	struct span out = SPAN_NONE;

	if (mutf7_decode(&b, raw))
		out = arena_dup(s->arena, buf_span(&b));
	buf_clear(&b);
	return out;
}

bool
imap_is_inbox(struct span name)
{
	return span_ieq(name, SPAN("INBOX"));
}

bool
imap_arg_mailbox(struct imap_session *s, struct imap_in *in, struct span *out)
{
	struct span raw, name;

	if (!imap_astring(in, &raw)) {
		imap_bad(s, in->why);
		return false;
	}
	if (raw.n > s->lim.mailbox_name * 4) {	/* no name of the longest kind takes more in modified UTF-7 */
		imap_no(s, "[LIMIT] Mailbox name is too long.");
		return false;
	}
	name = imap_mailbox_utf8(s, raw);
	if (name.p == NULL) {
		imap_no(s, "[CANNOT] Mailbox name is not valid modified UTF-7.");
		return false;
	}
	if (name.n > s->lim.mailbox_name) {
		imap_no(s, "[LIMIT] Mailbox name is too long.");
		return false;
	}
	/* Thunderbird before 2006 and its kin put a separator at the end (imap_client_workarounds). */
	if (s->lim.strip_separator && name.n > 1 && name.p[name.n - 1] == storage_separator(s->st, name))
		name.n--;
	*out = imap_is_inbox(name) ? SPAN("INBOX") : name;
	return true;
}

void
imap_put_mailbox(struct imap_session *s, struct span utf8)
{
	buf_reset(&s->scratch);
	imap_mailbox_write(&s->scratch, utf8);
	stream_put(&s->io, buf_span(&s->scratch));
}
