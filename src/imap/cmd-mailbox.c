/* SPDX-License-Identifier: MIT */
/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 sections 6.3.3 to 6.3.7), NAMESPACE (RFC 2342). */
#include <stdio.h>
#include "imap/notify.h"
#include "lib-protocol/imap-quote.h"

static bool
one_mailbox(struct imap_session *s, struct imap_in *in, struct span *out)
{
	if (!imap_arg_mailbox(s, in, out))
		return false;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return false;
	}
	return true;
}

int
imap_cmd_create(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name;
	bool strip = s->lim.strip_separator, only_parent, ok;
	char separator, id[MAILBOX_ID_MAX], text[MAILBOX_ID_MAX + 40];
	struct err none = ERR_INIT;

	s->lim.strip_separator = false;
	ok = one_mailbox(s, in, &name);
	s->lim.strip_separator = strip;
	if (!ok)
		return 0;
	if (imap_is_inbox(name)) {
		imap_no(s, "[ALREADYEXISTS] INBOX always exists.");
		return 0;
	}
	/* "a/": mailboxes will be made below it (RFC 3501 section 6.3.3). */
	separator = storage_separator(s->st, name);
	only_parent = name.n > 1 && name.p[name.n - 1] == separator;
	if (only_parent)
		name.n--;
	if (storage_create(s->st, name, only_parent, e) == -1)
		return -1;
	imap_notify_own(s, name, SPAN_NONE);
	/* A name that only others will be below is no mailbox yet. */
	if (!only_parent && storage_mailbox_id(s->st, name, id, &none) == 0)
		snprintf(text, sizeof(text), "[MAILBOXID (%s)] Create completed.", id);
	else
		snprintf(text, sizeof(text), "Create completed.");
	imap_ok(s, text);
	return 0;
}

/* The selected mailbox is going under the client's own command: the view ends first. */
static void
leave(struct imap_session *s, struct span name)
{
	if (s->box == NULL || !span_eq(mailbox_name(s->box), name))
		return;
	imap_unselect(s);
	imap_untagged(s, "OK [CLOSED] Selected mailbox is closed.");
}

int
imap_cmd_delete(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name;

	if (!one_mailbox(s, in, &name))
		return 0;
	if (imap_is_inbox(name)) {
		imap_no(s, "[CANNOT] INBOX can't be deleted.");
		return 0;
	}
	leave(s, name);
	if (storage_delete(s->st, name, e) == -1)
		return -1;
	imap_notify_own(s, name, SPAN_NONE);
	imap_ok(s, "Delete completed.");
	return 0;
}

int
imap_cmd_rename(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span from, to;

	if (!imap_arg_mailbox(s, in, &from))
		return 0;
	if (!imap_sp(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (!one_mailbox(s, in, &to))
		return 0;
	if (to.n > 1 && to.p[to.n - 1] == storage_separator(s->st, to))
		to.n--;
	if (!storage_can_rename(s->st, from, to)) {
		imap_no(s, "[CANNOT] Renaming not supported across namespaces with different storage.");
		return 0;
	}
	if (!imap_is_inbox(from))	/* INBOX stays; its mail moves, and a view of it sees that */
		leave(s, from);
	if (storage_rename(s->st, from, to, e) == -1)
		return -1;
	imap_notify_own(s, from, to);
	imap_ok(s, "Rename completed.");
	return 0;
}

static int
subscribe(struct imap_session *s, struct imap_in *in, bool on, struct err *e)
{
	struct mailbox_info info;
	struct span name;

	if (!one_mailbox(s, in, &name))
		return 0;
	if (on) {
		if (storage_mailbox_info(s->st, name, &info, e) == -1)
			return -1;
		if ((info.attrs & (MBOX_EXISTS | MBOX_NOSELECT)) == 0) {
			imap_no(s, "[NONEXISTENT] Mailbox doesn't exist.");
			return 0;
		}
	}
	if (storage_subscribe(s->st, name, on, e) == -1)
		return -1;
	imap_notify_own(s, name, SPAN_NONE);
	imap_ok(s, on ? "Subscribe completed." : "Unsubscribe completed.");
	return 0;
}

int
imap_cmd_subscribe(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return subscribe(s, in, true, e);
}

int
imap_cmd_unsubscribe(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return subscribe(s, in, false, e);
}

/* "* NAMESPACE" personal other-users shared, each NIL or a list of ("prefix" "separator"). */
int
imap_cmd_namespace(struct imap_session *s, struct imap_in *in, struct err *e)
{
	const struct namespace_info *ns = NULL;
	size_t count = storage_namespaces(s->st, &ns);

	(void)e;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* NAMESPACE");
	for (unsigned type = NS_PRIVATE; type <= NS_PUBLIC; type++) {
		size_t listed = 0;

		buf_addc(&s->scratch, ' ');
		for (size_t i = 0; i < count; i++) {
			if ((unsigned)ns[i].type != type || ns[i].hidden)
				continue;
			buf_adds(&s->scratch, listed++ == 0 ? "((" : "(");
			imap_quoted_write(&s->scratch, ns[i].prefix);
			buf_addc(&s->scratch, ' ');
			imap_quoted_write(&s->scratch, span_of(&ns[i].separator, 1));
			buf_addc(&s->scratch, ')');
		}
		buf_adds(&s->scratch, listed == 0 ? "NIL" : ")");
	}
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
	imap_ok(s, "Namespace completed.");
	return 0;
}
