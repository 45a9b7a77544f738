/* SPDX-License-Identifier: MIT */
/* ManageSieve before login (RFC 5804 section 2: CAPABILITY, STARTTLS, AUTHENTICATE, NOOP, LOGOUT), and after UNAUTHENTICATE. */
#include "login/login.h"

#include "lib/encode.h"
#include "lib-protocol/managesieve.h"

#define ARENA_MAX ((size_t)64 << 10)

static void
say(struct buf *out, const char *word, const char *text)
{
	buf_adds(out, word);
	buf_addc(out, ' ');
	msieve_put_string(out, span_str(text));
	buf_adds(out, "\r\n");
}

static void
put_capability(struct buf *out, const char *name, struct span value)
{
	msieve_put_string(out, span_str(name));
	buf_addc(out, ' ');
	msieve_put_string(out, value);
	buf_adds(out, "\r\n");
}

static void
put_capabilities(struct login *l, struct buf *out)
{
	struct buf mechs = BUF_INIT(1024);

	buf_add(out, l->conf->capabilities);
	login_mechs_put(l, " ", &mechs);
	put_capability(out, "SASL", mechs.n > 0 ? span_from(buf_span(&mechs), 1) : SPAN(""));
	if (l->conf->tls_available && !l->tls)
		buf_adds(out, "\"STARTTLS\"\r\n");
	put_capability(out, "VERSION", SPAN("1.0"));
	buf_clear(&mechs);
}

static void
sieve_greet(struct login *l, struct buf *out)
{
	struct buf text = BUF_INIT(1024);

	put_capabilities(l, out);
	buf_adds(out, "OK ");
	buf_add(&text, l->conf->greeting);
	msieve_put_string(out, buf_span(&text));
	buf_adds(out, "\r\n");
	buf_clear(&text);
}

static void
sieve_bye(struct login *l, const char *text, struct buf *out)
{
	(void)l;
	say(out, "BYE", text);
}

static void
sieve_again(struct login *l, struct buf *out)
{
	(void)l;
	say(out, "OK", "Nobody is logged in.");
}

static void
sieve_fail(struct login *l, enum auth_fail why, struct span text, struct buf *out)
{
	bool later = why == AUTH_FAIL_TEMP || why == AUTH_FAIL_LIMIT;

	(void)l;
	buf_adds(out, why == AUTH_FAIL_PLAINTEXT ? "NO (ENCRYPT-NEEDED) " : later ? "NO (TRYLATER) " : "NO ");
	msieve_put_string(out, text.n > 0 ? text : span_str(login_fail_text(why)));
	buf_adds(out, "\r\n");
}

static void
sieve_challenge(struct login *l, struct span data, struct buf *out)
{
	struct buf text = BUF_INIT(LOGIN_LINE_LIMIT * 2);

	(void)l;
	base64_encode(&text, data);
	msieve_put_string(out, buf_span(&text));
	buf_adds(out, "\r\n");
	buf_wipe(&text);
}

static void
bad(struct login *l, const char *text, struct buf *out)
{
	say(out, "NO", text);
	login_bad_command(l, out);
}

static void
cmd_authenticate(struct login *l, const struct msieve_command *c, struct buf *out)
{
	l->has_data = false;
	buf_wipe(&l->data);
	if (c->arg_count == 0 || c->arg_count > 2 || c->args[0].is_number || c->args[0].text.n == 0)
		bad(l, "AUTHENTICATE needs a mechanism, and an initial response or nothing.", out);
	else if (c->arg_count == 2 && (c->args[1].is_number || !login_set_data(l, c->args[1].text)))
		bad(l, "The initial response is not base64.", out);
	else
		login_start(l, c->args[0].text, out);
}

static void
cmd_starttls(struct login *l, struct buf *out)
{
	if (l->tls)
		bad(l, "TLS is active already.", out);
	else if (!l->conf->tls_available)
		bad(l, "TLS is not available.", out);
	else {
		say(out, "OK", "Begin TLS negotiation now.");
		l->state = LOGIN_TLS;
	}
}

static void
command(struct login *l, const struct msieve_command *c, struct buf *out)
{
	if (span_ieq(c->name, SPAN("AUTHENTICATE")))
		cmd_authenticate(l, c, out);
	else if (span_ieq(c->name, SPAN("STARTTLS")) && c->arg_count == 0)
		cmd_starttls(l, out);
	else if (span_ieq(c->name, SPAN("CAPABILITY")) && c->arg_count == 0) {
		put_capabilities(l, out);
		say(out, "OK", "Capabilities listed.");
	} else if (span_ieq(c->name, SPAN("NOOP")) && c->arg_count == 0)
		say(out, "OK", "Nothing done.");
	else if (span_ieq(c->name, SPAN("NOOP")) && c->arg_count == 1) {
		buf_adds(out, "OK (TAG ");
		msieve_put_string(out, c->args[0].text);
		buf_adds(out, ") \"Nothing done.\"\r\n");
	} else if (span_ieq(c->name, SPAN("LOGOUT")) && c->arg_count == 0) {
		say(out, "OK", "Logged out.");
		l->state = LOGIN_CLOSED;
		l->close_reason = "Logged out";
	} else
		bad(l, "Log in first, or there is no such command.", out);
}

static size_t
sieve_step(struct login *l, struct span in, struct buf *out)
{
	struct msieve_parse p;
	struct arena *a;
	size_t used = 0;

	if (in.n == 0)
		return 0;
	if (l->state == LOGIN_COMMAND && login_is_http(span_sub(in, 0, span_chr(in, '\n')))) {
		login_bye(l, "This is a ManageSieve server.", "HTTP request", out);
		return in.n;
	}
	a = arena_new(ARENA_MAX);
	if (a == NULL) {
		login_bye(l, "Out of memory.", "Out of memory", out);
		return in.n;
	}
	switch (msieve_parse(in, l->conf->line_max, 0, a, &p)) {
	case MSIEVE_MORE:
		break;
	case MSIEVE_TOO_LONG:
		login_bye(l, "Command too long.", "Line too long", out);
		used = in.n;
		break;
	case MSIEVE_BAD:
		used = p.used;
		if (l->state == LOGIN_RESPONSE)
			login_response(l, SPAN("*"));
		else
			bad(l, p.why, out);
		break;
	case MSIEVE_DONE:
		used = p.used;
		if (l->state != LOGIN_RESPONSE)
			command(l, &p.command, out);
		else if (p.command.name.n > 0 || p.command.arg_count != 1 || p.command.args[0].is_number)
			login_response(l, SPAN("*"));
		else
			login_response(l, p.command.args[0].text);
		break;
	}
	arena_free(a);
	return used;
}

const struct login_protocol login_managesieve = {
	.name = "sieve",
	.process = "managesieve-login",
	.parent = "managesieve",
	.greets_again = true,
	.greet = sieve_greet,
	.step = sieve_step,
	.challenge = sieve_challenge,
	.fail = sieve_fail,
	.bye = sieve_bye,
	.again = sieve_again,
};
