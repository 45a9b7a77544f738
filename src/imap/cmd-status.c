/* SPDX-License-Identifier: MIT */
/*
 * STATUS (RFC 3501 section 6.3.10; HIGHESTMODSEQ of RFC 7162, SIZE of RFC 8438, MAILBOXID of RFC 8474, DELETED and DELETED-STORAGE
 * of RFC 9208 section 4.1.4).
 */
#include "imap/session.h"

static const struct {
	struct span name;
	unsigned bit;
} status_items[] = {
	{ SPAN("MESSAGES"), STATUS_MESSAGES },
	{ SPAN("RECENT"), STATUS_RECENT },
	{ SPAN("UIDNEXT"), STATUS_UIDNEXT },
	{ SPAN("UIDVALIDITY"), STATUS_UIDVALIDITY },
	{ SPAN("UNSEEN"), STATUS_UNSEEN },
	{ SPAN("HIGHESTMODSEQ"), STATUS_HIGHESTMODSEQ },
	{ SPAN("SIZE"), STATUS_SIZE },
	{ SPAN("DELETED"), STATUS_DELETED },
	{ SPAN("DELETED-STORAGE"), STATUS_DELETED_STORAGE },
	{ SPAN("MAILBOXID"), STATUS_MAILBOXID },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool
imap_arg_status_items(struct imap_session *s, struct imap_in *in, unsigned *items_out)
{
	unsigned items = 0;

	if (!imap_take(in, '('))
		return false;
	while (!imap_peek(in, ')')) {
		struct span word;
		size_t i = 0;

		if (!imap_atom(in, &word))
			return false;
		while (i < COUNT(status_items) && !span_ieq(word, status_items[i].name))
			i++;
		if (i == COUNT(status_items))
			return imap_fail(in, "Unknown status item");
		items |= status_items[i].bit;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	imap_take(in, ')');
	if (items == 0)
		return imap_fail(in, "Empty list of status items");
	if ((items & STATUS_HIGHESTMODSEQ) != 0)
		imap_enable_condstore(s);
	*items_out = items;
	return true;
}

static uint64_t
value_of(const struct mailbox_status *st, unsigned item)
{
	switch (item) {
	case STATUS_MESSAGES:
		return st->messages;
	case STATUS_RECENT:
		return st->recent;
	case STATUS_UIDNEXT:
		return st->uidnext;
	case STATUS_UIDVALIDITY:
		return st->uidvalidity;
	case STATUS_UNSEEN:
		return st->unseen;
	case STATUS_HIGHESTMODSEQ:
		return st->highestmodseq;
	case STATUS_DELETED:
		return st->deleted;
	case STATUS_DELETED_STORAGE:
		return st->deleted_storage;
	}
	return st->size;
}

void
imap_put_status_of(struct imap_session *s, struct span mailbox, unsigned items, const struct mailbox_status *st)
{
	const char *before = " (";

	stream_put(&s->io, SPAN("* STATUS "));
	imap_put_mailbox(s, mailbox);
	for (size_t i = 0; i < COUNT(status_items); i++) {
		if ((items & status_items[i].bit) == 0)
			continue;
		stream_puts(&s->io, before);
		stream_put(&s->io, status_items[i].name);
		stream_put(&s->io, SPAN(" "));
		if (status_items[i].bit == STATUS_MAILBOXID)
			stream_putf(&s->io, "(%s)", st->id);
		else
			stream_put_u64(&s->io, value_of(st, status_items[i].bit));
		before = " ";
	}
	stream_put(&s->io, SPAN(")\r\n"));
}

int
imap_put_status(struct imap_session *s, struct span mailbox, unsigned items, struct err *e)
{
	struct mailbox_status st;

	if (storage_status(s->st, mailbox, items, &st, e) == -1)
		return -1;
	imap_put_status_of(s, mailbox, items, &st);
	return 0;
}

int
imap_cmd_status(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name;
	unsigned items;

	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!imap_sp(in) || !imap_arg_status_items(s, in, &items) || !imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (imap_put_status(s, name, items, e) == -1)
		return -1;
	imap_ok(s, "Status completed.");
	return 0;
}
