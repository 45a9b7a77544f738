/* SPDX-License-Identifier: MIT */
/* POP3 before login (RFC 1939 section 4 and 7; RFC 2449 CAPA, RFC 2595 STLS, RFC 5034 AUTH, RFC 3206 codes). */
#include "login/login.h"

#include "lib/encode.h"

static void
pop3_greet(struct login *l, struct buf *out)
{
	buf_adds(out, "+OK ");
	buf_add(out, l->conf->greeting);
	buf_adds(out, "\r\n");
}

static void
pop3_bye(struct login *l, const char *text, struct buf *out)
{
	(void)l;
	buf_adds(out, "-ERR ");
	buf_adds(out, text);
	buf_adds(out, "\r\n");
}

static const char *
fail_code(enum auth_fail why)
{
	switch (why) {
	case AUTH_FAIL_NONE:
	case AUTH_FAIL_TEMP:
		return "-ERR [SYS/TEMP] ";
	case AUTH_FAIL_CREDENTIALS:
	case AUTH_FAIL_NO_USER:
	case AUTH_FAIL_DISABLED:
	case AUTH_FAIL_EXPIRED:
	case AUTH_FAIL_PLAINTEXT:
		return "-ERR [AUTH] ";
	case AUTH_FAIL_LIMIT:
		return "-ERR [IN-USE] ";
	case AUTH_FAIL_MECH:
	case AUTH_FAIL_PROTOCOL:
		return "-ERR ";
	}
	return "-ERR [SYS/TEMP] ";
}

static void
pop3_fail(struct login *l, enum auth_fail why, struct span text, struct buf *out)
{
	(void)l;
	buf_adds(out, fail_code(why));
	if (text.n > 0)
		buf_add(out, text);
	else
		buf_adds(out, login_fail_text(why));
	buf_adds(out, "\r\n");
}

static void
pop3_challenge(struct login *l, struct span data, struct buf *out)
{
	(void)l;
	buf_adds(out, "+ ");
	base64_encode(out, data);
	buf_adds(out, "\r\n");
}

static void
bad(struct login *l, const char *text, struct buf *out)
{
	buf_adds(out, "-ERR ");
	buf_adds(out, text);
	buf_adds(out, "\r\n");
	login_bad_command(l, out);
}

static void
cmd_capa(struct login *l, struct buf *out)
{
	buf_adds(out, "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n");
	if (l->conf->tls_available && !l->tls)
		buf_adds(out, "STLS\r\n");
	if (login_may_send_password(l) && login_has_mech(l, SPAN("PLAIN")))
		buf_adds(out, "USER\r\n");
	buf_adds(out, "SASL");
	login_mechs_put(l, " ", out);
	buf_adds(out, "\r\n.\r\n");
}

static void
cmd_stls(struct login *l, struct buf *out)
{
	if (l->tls)
		bad(l, "TLS is active already.", out);
	else if (!l->conf->tls_available)
		bad(l, "TLS is not available.", out);
	else {
		buf_adds(out, "+OK Begin TLS negotiation now.\r\n");
		l->state = LOGIN_TLS;
	}
}

static void
cmd_user(struct login *l, struct span name, struct buf *out)
{
	l->has_user = false;
	buf_reset(&l->user);
	if (!login_may_send_password(l)) {
		l->plaintext_refused = true;
		pop3_fail(l, AUTH_FAIL_PLAINTEXT, SPAN_NONE, out);
		return;
	}
	buf_add(&l->user, name);
	if (name.n == 0 || l->user.failed) {
		buf_reset(&l->user);
		bad(l, "USER wants a name, of 255 octets at most.", out);
		return;
	}
	l->has_user = true;
	buf_adds(out, "+OK\r\n");
}

static void
cmd_pass(struct login *l, struct span password, struct buf *out)
{
	if (!l->has_user) {
		bad(l, "No user name given.", out);
		return;
	}
	if (!login_plain(l, buf_span(&l->user), password))
		bad(l, "The password is too long.", out);
	else
		login_start(l, SPAN("PLAIN"), out);
}

static void
cmd_auth(struct login *l, struct span args, struct buf *out)
{
	struct span mech;

	if (args.n == 0) {
		/* Older than RFC 5034, still used by some clients: the mechanisms, a line each. */
		buf_adds(out, "+OK");
		login_mechs_put(l, "\r\n", out);
		buf_adds(out, "\r\n.\r\n");
		return;
	}
	span_next(&args, ' ', &mech);
	l->has_data = false;
	buf_wipe(&l->data);
	if (args.n > 0 && !login_set_data(l, args)) {
		bad(l, "The initial response is not base64.", out);
		return;
	}
	login_start(l, mech, out);
}

static void
command(struct login *l, struct span line, struct buf *out)
{
	struct span rest = line, name = span_sub(line, 0, span_chr(line, ' '));

	rest = span_from(rest, name.n + 1);
	if (login_is_http(line))
		login_bye(l, "This is a POP3 server.", "HTTP request", out);
	else if (span_chr(line, '\0') < line.n)
		bad(l, "NUL in a command.", out);
	else if (span_ieq(name, SPAN("CAPA")) && rest.n == 0)
		cmd_capa(l, out);
	else if (span_ieq(name, SPAN("USER")))
		cmd_user(l, rest, out);
	else if (span_ieq(name, SPAN("PASS")))
		cmd_pass(l, rest, out);
	else if (span_ieq(name, SPAN("AUTH")))
		cmd_auth(l, rest, out);
	else if (span_ieq(name, SPAN("STLS")) && rest.n == 0)
		cmd_stls(l, out);
	else if (span_ieq(name, SPAN("QUIT")) && rest.n == 0) {
		/* The farewell is no failure, so it is not bye()'s. */
		buf_adds(out, "+OK Logging out\r\n");
		l->state = LOGIN_CLOSED;
		l->close_reason = "Logged out";
	} else if (span_ieq(name, SPAN("APOP")))
		bad(l, "APOP is not available.", out);
	else
		bad(l, "Unknown command.", out);
}

static size_t
pop3_step(struct login *l, struct span in, struct buf *out)
{
	struct span line;
	size_t used = 0;

	if (l->scanned < in.n && span_chr(span_from(in, l->scanned), '\n') + l->scanned >= l->conf->line_max) {
		login_bye(l, "Line too long.", "Line too long", out);
		return in.n;
	}
	if (l->scanned == in.n)
		return 0;
	if (span_chr(span_from(in, l->scanned), '\n') == in.n - l->scanned) {
		l->scanned = in.n;
		return 0;
	}
	span_line(in, &used, &line);
	if (l->state == LOGIN_RESPONSE)
		login_response(l, line);
	else
		command(l, line, out);
	return used;
}

const struct login_protocol login_pop3 = {
	.name = "pop3",
	.process = "pop3-login",
	.greet = pop3_greet,
	.step = pop3_step,
	.challenge = pop3_challenge,
	.fail = pop3_fail,
	.bye = pop3_bye,
};
