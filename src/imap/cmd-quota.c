/* SPDX-License-Identifier: MIT */
/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).  STORAGE is in units of 1024 octets, rounded up.  Only with imap_quota in
 * mail_plugins.
 */
#include "imap/session.h"
#include "lib-protocol/imap-quote.h"
#include "lib-storage/quota.h"

static uint64_t
kilo(uint64_t octets)
{
	return octets / 1024 + (octets % 1024 > 0);
}

static void
put_quota(struct imap_session *s, const struct quota_status *q)
{
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* QUOTA ");
	imap_astring_write(&s->scratch, q->root);
	buf_adds(&s->scratch, " (");
	if (q->bytes_limited)
		buf_addf(&s->scratch, "STORAGE %llu %llu", (unsigned long long)kilo(q->bytes),
		    (unsigned long long)kilo(q->bytes_limit));
	if (q->messages_limited)
		buf_addf(&s->scratch, "%sMESSAGE %llu %llu", q->bytes_limited ? " " : "", (unsigned long long)q->messages,
		    (unsigned long long)q->messages_limit);
	buf_adds(&s->scratch, ")\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

int
imap_cmd_getquotaroot(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct quota_status *list;
	struct span name;
	size_t count;

	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_quota(s->st, name, s->arena, &list, &count, e) == -1)
		return -1;
	stream_put(&s->io, SPAN("* QUOTAROOT "));
	imap_put_mailbox(s, name);
	for (size_t i = 0; i < count; i++) {
		if (list[i].hidden)
			continue;
		buf_reset(&s->scratch);
		buf_addc(&s->scratch, ' ');
		imap_astring_write(&s->scratch, list[i].root);
		stream_put(&s->io, buf_span(&s->scratch));
	}
	stream_put(&s->io, SPAN("\r\n"));
	for (size_t i = 0; i < count; i++)
		if (!list[i].hidden)
			put_quota(s, &list[i]);
	imap_ok(s, "Getquotaroot completed.");
	return 0;
}

int
imap_cmd_getquota(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct quota_status *list;
	struct span name;
	size_t count, i = 0;

	if (!imap_astring(in, &name) || !imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_quota(s->st, SPAN_NONE, s->arena, &list, &count, e) == -1)
		return -1;
	while (i < count && !span_eq(list[i].root, name))
		i++;
	if (i == count) {
		imap_no(s, "[NONEXISTENT] Quota root doesn't exist.");
		return 0;
	}
	put_quota(s, &list[i]);
	imap_ok(s, "Getquota completed.");
	return 0;
}

/* SP "(" [resource SP number *(SP resource SP number)] ")" */
static bool
take_limits(struct imap_in *in)
{
	struct span resource;
	uint64_t limit;

	if (!imap_sp(in) || !imap_take(in, '('))
		return false;
	while (!imap_peek(in, ')')) {
		if (!imap_atom(in, &resource) || !imap_sp(in) || !imap_number(in, INT64_MAX, &limit))
			return false;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	return imap_take(in, ')') && imap_end(in);
}

/* Limits are the administrator's: in the configuration and the user database. */
int
imap_cmd_setquota(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name;

	(void)e;
	if (!imap_astring(in, &name) || !take_limits(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	imap_no(s, "[NOPERM] Quota can be changed only by admin.");
	return 0;
}
