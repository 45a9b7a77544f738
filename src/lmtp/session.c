/* SPDX-License-Identifier: MIT */
#include "lmtp/session.h"

#include <stdio.h>
#include "lib/log.h"
#include "lib/sys.h"

#define LINE_PASSED_OVER ((size_t)256 << 10)

static void
on_wait(void *ctx)
{
	struct lmtp_session *l = ctx;

	l->status->waiting_ms = clock_ms();
}

int
lmtp_session_init(struct lmtp_session *l, struct stream *s, const struct lmtp_options *o,
    const struct lmtp_backend *backend, struct lmtp_status *status, const char *id, struct err *e)
{
	*l = (struct lmtp_session){ .s = s, .o = o, .backend = backend, .status = status, .state = "GREETING",
				    .rip = SPAN(""), .proxy_ttl = LMTP_PROXY_TTL };
	snprintf(l->id, sizeof(l->id), "%.*s", LMTP_ID_MAX, id);
	s->on_wait = on_wait;
	s->ctx = l;
	return lmtp_transaction_init(&l->t, o, e);
}

void
lmtp_session_clear(struct lmtp_session *l)
{
	if (l->backend->end != NULL)
		l->backend->end(l->backend->ctx);
	message_free(&l->t.message);
	arena_free(l->t.arena);
	l->t.arena = NULL;
}

void
lmtp_reply(struct lmtp_session *l, const char *line)
{
	stream_puts(l->s, line);
	stream_puts(l->s, "\r\n");
}

void
lmtp_refuse(struct lmtp_session *l, const char *line)
{
	l->bad++;
	lmtp_reply(l, line);
}

bool
lmtp_is_helo(struct span s)
{
	if (s.n == 0 || s.n > LMTP_HELO_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("()<>@,;\\\"", s.p[i]) != NULL)
			return false;
	return true;
}

static int
cmd_lhlo(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)e;
	if (!lmtp_is_helo(args)) {
		lmtp_refuse(l, "501 5.5.4 LHLO needs a host name");
		return 0;
	}
	lmtp_transaction_reset(l);
	memcpy(l->helo, args.p, args.n);
	l->helo[args.n] = '\0';
	stream_putf(l->s, "250-%.*s\r\n", SPAN_ARG(l->o->hostname));
	if (l->backend->start_tls != NULL && !l->tls)
		lmtp_reply(l, "250-STARTTLS");
	stream_puts(l->s, "250-8BITMIME\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n");
	if (l->o->trusts_client)
		lmtp_reply(l, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT");
	stream_putf(l->s, "250 SIZE %llu\r\n", (unsigned long long)l->o->max_size);
	l->state = "READY";
	return 0;
}

static int
cmd_wrong_hello(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_refuse(l, "502 5.5.1 This is LMTP: say LHLO");
	return 0;
}

static int
cmd_starttls(struct lmtp_session *l, struct span args, struct err *e)
{
	if (l->backend->start_tls == NULL || l->tls) {
		lmtp_refuse(l, l->tls ? "503 5.5.1 TLS is there already" : "502 5.5.1 TLS is not offered");
		return 0;
	}
	if (args.n > 0) {
		lmtp_refuse(l, "501 5.5.4 STARTTLS takes no arguments");
		return 0;
	}
	/* What was sent behind it came without TLS, from whomever: it must not be taken for the client's words in TLS. */
	if (stream_in(l->s).n > 0) {
		lmtp_reply(l, "421 4.7.0 Nothing may be sent behind STARTTLS");
		return err_set(e, ERR_SYNTAX, "text behind STARTTLS");
	}
	lmtp_reply(l, "220 2.0.0 Begin TLS");
	if (stream_flush(l->s, e) == -1 || l->backend->start_tls(l->backend->ctx, l->s, e) == -1)
		return -1;
	l->tls = true;
	lmtp_transaction_reset(l);
	l->helo[0] = '\0';
	l->state = "STARTTLS";
	return 0;
}

static int
cmd_mail(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)e;
	lmtp_cmd_mail(l, args);
	return 0;
}

static int
cmd_rcpt(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)e;
	lmtp_cmd_rcpt(l, args);
	return 0;
}

static int
cmd_xclient(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)e;
	lmtp_cmd_xclient(l, args);
	return 0;
}

static int
cmd_rset(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_transaction_reset(l);
	lmtp_reply(l, "250 2.0.0 OK");
	return 0;
}

static int
cmd_noop(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_reply(l, "250 2.0.0 OK");
	return 0;
}

static int
cmd_vrfy(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_reply(l, "252 2.3.3 Try RCPT instead");
	return 0;
}

static int
cmd_help(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_reply(l, "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS XCLIENT QUIT");
	return 0;
}

static int
cmd_quit(struct lmtp_session *l, struct span args, struct err *e)
{
	(void)args;
	(void)e;
	lmtp_reply(l, "221 2.0.0 Bye");
	l->done = true;
	return 0;
}

#define WORD(lit) { lit, sizeof(lit) - 1 }

static const struct command {
	struct span name;
	int (*run)(struct lmtp_session *l, struct span args, struct err *e);
} commands[] = {
	{ WORD("MAIL"), cmd_mail }, { WORD("RCPT"), cmd_rcpt }, { WORD("DATA"), lmtp_cmd_data },
	{ WORD("BDAT"), lmtp_cmd_bdat }, { WORD("RSET"), cmd_rset }, { WORD("NOOP"), cmd_noop },
	{ WORD("LHLO"), cmd_lhlo }, { WORD("QUIT"), cmd_quit }, { WORD("VRFY"), cmd_vrfy },
	{ WORD("STARTTLS"), cmd_starttls }, { WORD("XCLIENT"), cmd_xclient }, { WORD("HELP"), cmd_help },
	{ WORD("EHLO"), cmd_wrong_hello }, { WORD("HELO"), cmd_wrong_hello },
};

static const struct command *
find_command(struct span name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (span_ieq(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* A web browser that was led here by a page: what it sends in its header and body must not be run as commands. */
static bool
is_foreign(struct span name)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE",
					       "CONNECT", "PRI" };

	if (name.n == 0 || !ascii_is_alpha(name.p[0]) || name.p[name.n - 1] == ':')
		return true;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (span_ieq(name, span_str(methods[i])))
			return true;
	return false;
}

static int
run_line(struct lmtp_session *l, struct span line, struct err *e)
{
	size_t n = span_chr(line, ' ');
	struct span name = span_sub(line, 0, n), args = span_trim(span_from(line, n));
	const struct command *c = find_command(name);
	unsigned bad = l->bad;
	int rc;

	l->commands++;
	if (c == NULL && (l->commands == 1 || is_foreign(name))) {
		lmtp_reply(l, "421 4.7.0 This is an LMTP server");
		return err_set(e, ERR_SYNTAX, "the client does not speak LMTP");
	}
	if (c == NULL) {
		lmtp_refuse(l, "500 5.5.1 Unknown command");
		return 0;
	}
	rc = c->run(l, args, e);
	if (l->bad == bad)
		l->bad = 0;
	return rc;
}

/* The last words on a connection that the server ends. */
static void
say_end(struct lmtp_session *l, const struct err *e)
{
	struct err ignored = ERR_INIT;

	switch (e->code) {
	case ERR_TIMEOUT:
		stream_putf(l->s, "421 4.4.2 %.*s Disconnected for inactivity\r\n", SPAN_ARG(l->o->hostname));
		break;
	case ERR_LIMIT:
		lmtp_reply(l, "500 5.5.2 Line too long");
		break;
	case ERR_INUSE:
		stream_putf(l->s, "421 4.3.2 %.*s This connection ends here, come back\r\n", SPAN_ARG(l->o->hostname));
		break;
	default:
		break;
	}
	stream_flush(l->s, &ignored);
}

/* A line that is too long is passed over, if it ends soon: one recipient with an odd address must not cost the others their mail. */
static int
pass_over(struct lmtp_session *l, struct err *e)
{
	size_t n = 0;

	/* What does not begin as this protocol does is none of it. */
	if (l->commands == 0)
		return -1;
	for (;;) {
		struct span in = stream_in(l->s);
		size_t i = span_chr(in, '\n');

		n += i;
		if (n > LINE_PASSED_OVER)
			return -1;
		stream_drop(l->s, i < in.n ? i + 1 : in.n);
		if (i < in.n)
			break;
		if (stream_fill(l->s, e) == -1)
			return -1;
	}
	l->commands++;
	lmtp_refuse(l, "500 5.5.2 Line too long");
	e->code = ERR_NONE;
	return 0;
}

int
lmtp_session_run(struct lmtp_session *l, struct err *e)
{
	struct span line;
	int rc = 0;

	stream_putf(l->s, "220 %.*s Culver ready.\r\n", SPAN_ARG(l->o->hostname));
	while (rc == 0 && !l->done) {
		rc = stream_line(l->s, l->o->max_line, &line, e);
		l->status->waiting_ms = 0;
		if (rc == 0)
			rc = run_line(l, line, e);
		else if (e->code == ERR_LIMIT)
			rc = pass_over(l, e);
		if (rc == 0 && l->o->max_bad > 0 && l->bad >= l->o->max_bad) {
			lmtp_reply(l, "421 4.7.0 Too many bad commands");
			rc = err_set(e, ERR_SYNTAX, "too many bad commands");
		}
		/* An MTA keeps a connection for long, and would have all it sends over this one put off. */
		if (rc == 0 && !l->done && !l->t.open && l->backend->is_lost != NULL && l->backend->is_lost(l->backend->ctx))
			rc = err_set(e, ERR_INUSE, "a service behind has gone");
		l->status->busy = l->t.open;
	}
	if (rc == -1 && e->code == ERR_EOF && l->is_told_to_end != NULL && l->is_told_to_end())
		err_set(e, ERR_INUSE, "Disconnected by the server");
	if (rc == -1)
		say_end(l, e);
	else
		rc = stream_flush(l->s, e);
	return rc;
}
