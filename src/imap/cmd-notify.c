/* SPDX-License-Identifier: MIT */
/* NOTIFY (RFC 5465). */
#include "imap/notify.h"

#define GROUPS_MAX 50

static bool
take_name(struct imap_session *s, struct arena *a, struct span *name)
{
	struct span utf8 = name->n > s->lim.mailbox_name * 4 ? SPAN_NONE : imap_mailbox_utf8(s, *name);

	if (utf8.p == NULL || utf8.n > s->lim.mailbox_name) {
		imap_no(s, name->n > s->lim.mailbox_name * 4 || utf8.p != NULL ? "[LIMIT] Mailbox name is too long." :
		    "[CANNOT] Mailbox name is not valid modified UTF-7.");
		return false;
	}
	if (utf8.n > 1 && utf8.p[utf8.n - 1] == storage_separator(s->st, utf8))
		utf8.n--;
	*name = imap_is_inbox(utf8) ? SPAN("INBOX") : arena_dup(a, imap_notify_name(s, utf8, a));
	if (name->p == NULL)
		imap_no(s, "[LIMIT] Too long command.");
	return name->p != NULL;
}

static bool
take_names(struct imap_session *s, struct arena *a, struct imap_notify_request *r)
{
	for (size_t i = 0; i < r->group_count; i++)
		for (size_t j = 0; j < r->groups[i].name_count; j++)
			if (!take_name(s, a, &r->groups[i].names[j]))
				return false;
	return true;
}

/* RFC 5465 section 3.1: a NO, and it names those that are supported. */
static void
refuse_events(struct imap_session *s, unsigned supported)
{
	struct buf b = BUF_INIT(1024);

	buf_adds(&b, "[BADEVENT (");
	imap_notify_events_write(&b, supported);
	buf_adds(&b, ")] Not all of these events are supported.");
	imap_no(s, buf_cstr(&b));
	buf_clear(&b);
}

static int
notify(struct imap_session *s, struct imap_in *in, struct arena **a, struct err *e)
{
	const struct imap_notify_limits lim = { GROUPS_MAX, s->lim.notify_mailboxes,
						{ s->lim.fetch_items, set_num(s->start->view, SET_mail_max_mime_depth) + 1 } };
	struct imap_in kept = { arena_dup(*a, in->s), *a, NULL };
	unsigned supported = NOTIFY_SUPPORTED | (s->lim.metadata ? NOTIFY_SUPPORTED_METADATA : 0);
	struct imap_notify_request r;

	if (!imap_notify_parse(&kept, &lim, &r)) {
		imap_bad(s, kept.why);
		return 0;
	}
	if ((r.events & ~supported) != 0) {
		refuse_events(s, supported);
		return 0;
	}
	if (!take_names(s, *a, &r))
		return 0;
	/* What has come up to now is told, whatever is wanted from now on (RFC 5465 section 3.1). */
	if (!r.none)
		imap_sync(s, true);
	if (s->end != IMAP_GO_ON)
		return 0;
	if (imap_notify_set(s, &r, a, e) == -1) {
		if (e->code != ERR_LIMIT)
			return -1;
		imap_no(s, "[NOTIFICATIONOVERFLOW] More mailboxes than may be watched.");
		return 0;
	}
	imap_ok(s, "NOTIFY completed.");
	return 0;
}

int
imap_cmd_notify(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct arena *a = arena_new(4 * s->lim.command + (64 << 10));
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : notify(s, in, &a, e);

	arena_free(a);
	return rc;
}
