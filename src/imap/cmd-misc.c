/* SPDX-License-Identifier: MIT */
/* CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, and the commands of before the login. */
#include "imap/session.h"
#include "lib/log.h"
#include "lib-protocol/imap-quote.h"

static bool
no_arguments(struct imap_session *s, struct imap_in *in)
{
	if (imap_end(in))
		return true;
	imap_bad(s, in->why);
	return false;
}

int
imap_cmd_capability(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (!no_arguments(s, in))
		return 0;
	stream_put(&s->io, SPAN("* CAPABILITY "));
	stream_put(&s->io, imap_capability(s));
	stream_put(&s->io, SPAN("\r\n"));
	imap_ok(s, "Capability completed.");
	return 0;
}

int
imap_cmd_noop(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (no_arguments(s, in))
		imap_ok(s, "NOOP completed.");
	return 0;
}

int
imap_cmd_check(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (!no_arguments(s, in))
		return 0;
	/* What is kept already is written behind at once; the client need not wait for that (RFC 3501 section 6.4.1). */
	storage_maintain_soon(s->st);
	s->checked = true;
	imap_ok(s, "Check completed.");
	return 0;
}

int
imap_cmd_logout(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (!no_arguments(s, in))
		return 0;
	imap_untagged(s, "BYE Logging out");
	s->end = IMAP_END_LOGOUT;
	s->end_reason = "Logged out";
	imap_ok(s, "Logout completed.");
	return 0;
}

/* LOGIN, AUTHENTICATE, STARTTLS: the arguments are not looked at, and not kept. */
int
imap_cmd_login(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)in;
	(void)e;
	buf_wipe(&s->cmd);
	imap_bad(s, "Already logged in");
	return 0;
}

/* ENABLE (RFC 5161): what is unknown is passed over. */
int
imap_cmd_enable(struct imap_session *s, struct imap_in *in, struct err *e)
{
	bool condstore = false, qresync = false;
	struct span word;

	(void)e;
	do {
		if (!imap_atom(in, &word)) {
			imap_bad(s, in->s.n == 0 ? "Missing arguments" : in->why);
			return 0;
		}
		condstore = condstore || span_ieq(word, SPAN("CONDSTORE"));
		qresync = qresync || span_ieq(word, SPAN("QRESYNC"));
	} while (imap_sp(in) && in->s.n > 0);
	if (!no_arguments(s, in))
		return 0;
	if (condstore || qresync)
		imap_enable_condstore(s);	/* QRESYNC has it in it (RFC 7162 section 3.2.3) */
	s->qresync = s->qresync || qresync;
	stream_put(&s->io, SPAN("* ENABLED"));
	if (condstore)
		stream_put(&s->io, SPAN(" CONDSTORE"));
	if (qresync)
		stream_put(&s->io, SPAN(" QRESYNC"));
	stream_put(&s->io, SPAN("\r\n"));
	imap_ok(s, "Enabled.");
	return 0;
}

static bool
is_listed(struct span list, struct span word)
{
	struct span piece;

	while (span_next(&list, ' ', &piece))
		if (span_eq(piece, SPAN("*")) || span_ieq(piece, word))
			return true;
	return false;
}

/* params_list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil (RFC 2971 section 4): 30 pairs at most. */
static bool
take_id(struct imap_session *s, struct imap_in *in, struct buf *log)
{
	struct span wanted = set_str(s->start->view, SET_imap_id_log), name, value;

	if (imap_word(in, SPAN("NIL")))
		return imap_end(in);
	if (!imap_take(in, '('))
		return false;
	for (size_t pairs = 0; !imap_peek(in, ')'); pairs++) {
		if (pairs == 30)
			return imap_fail(in, "Too many fields");
		if (!imap_string(in, &name) || !imap_sp(in) || !imap_nstring(in, &value))
			return false;
		if (is_listed(wanted, name)) {
			buf_add(log, log->n > 0 ? SPAN(", ") : SPAN(""));
			buf_add(log, span_sub(name, 0, 30));
			buf_addc(log, '=');
			buf_add(log, span_sub(value, 0, 1024));
		}
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	return imap_take(in, ')') && imap_end(in);
}

/* imap_id_send: pairs of a name and a value, "*" for the usual one. */
static void
put_id(struct imap_session *s)
{
	struct span rest = set_str(s->start->view, SET_imap_id_send), name, value;
	bool any = false;

	buf_reset(&s->scratch);
	while (span_next(&rest, ' ', &name)) {
		if (name.n == 0)
			continue;
		if (!span_next(&rest, ' ', &value))
			break;
		buf_adds(&s->scratch, any ? " " : "* ID (");
		any = true;
		imap_quoted_write(&s->scratch, name);
		buf_addc(&s->scratch, ' ');
		if (!span_eq(value, SPAN("*")))
			imap_quoted_write(&s->scratch, value);
		else if (span_ieq(name, SPAN("name")))
			buf_adds(&s->scratch, "\"Culver\"");
		else
			buf_adds(&s->scratch, "NIL");
	}
	buf_adds(&s->scratch, any ? ")\r\n" : "* ID NIL\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

int
imap_cmd_id(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct buf log = BUF_INIT(32768);

	(void)e;
	if (!take_id(s, in, &log))
		imap_bad(s, in->why);
	else {
		if (log.n > 0)
			log_info("ID sent: %.*s", SPAN_ARG(buf_span(&log)));
		put_id(s);
		imap_ok(s, "ID completed.");
	}
	buf_clear(&log);
	return 0;
}
