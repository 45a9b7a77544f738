/* SPDX-License-Identifier: MIT */
/*
 * IMAP before login (RFC 3501 section 6.1 and 6.2; RFC 2971 ID, RFC 4959 SASL-IR, RFC 5530 response codes, RFC 7888
 * non-synchronising literals).
 */
#include "config.h"
#include "login/login.h"

#include "lib/encode.h"

static void
put_capability(const struct login *l, struct buf *out)
{
	buf_adds(out, "CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE ");
	buf_adds(out, l->conf->literal_minus ? "LITERAL-" : "LITERAL+");
	if (l->conf->tls_available && !l->tls)
		buf_adds(out, " STARTTLS");
	if (!login_may_send_password(l) || !login_has_mech(l, SPAN("PLAIN")))
		buf_adds(out, " LOGINDISABLED");
	login_mechs_put(l, " AUTH=", out);
}

static void
imap_greet(struct login *l, struct buf *out)
{
	buf_adds(out, "* OK [");
	put_capability(l, out);
	buf_adds(out, "] ");
	buf_add(out, l->conf->greeting);
	buf_adds(out, "\r\n");
}

static void
reply(struct login *l, const char *text, struct buf *out)
{
	buf_add(out, buf_span(&l->tag));
	buf_addc(out, ' ');
	buf_adds(out, text);
	buf_adds(out, "\r\n");
}

static void
imap_bye(struct login *l, const char *text, struct buf *out)
{
	(void)l;
	buf_adds(out, "* BYE ");
	buf_adds(out, text);
	buf_adds(out, "\r\n");
}

static const char *
fail_code(enum auth_fail why)
{
	switch (why) {
	case AUTH_FAIL_NONE:
	case AUTH_FAIL_TEMP:
		return "NO [UNAVAILABLE] ";
	case AUTH_FAIL_CREDENTIALS:
	case AUTH_FAIL_NO_USER:
		return "NO [AUTHENTICATIONFAILED] ";
	case AUTH_FAIL_DISABLED:
		return "NO [CONTACTADMIN] ";
	case AUTH_FAIL_EXPIRED:
		return "NO [EXPIRED] ";
	case AUTH_FAIL_LIMIT:
		return "NO [LIMIT] ";
	case AUTH_FAIL_PLAINTEXT:
		return "NO [PRIVACYREQUIRED] ";
	case AUTH_FAIL_MECH:
		return "NO ";
	case AUTH_FAIL_PROTOCOL:
		return "BAD ";
	}
	return "NO [UNAVAILABLE] ";
}

static void
imap_fail(struct login *l, enum auth_fail why, struct span text, struct buf *out)
{
	if (why == AUTH_FAIL_PLAINTEXT)
		buf_adds(out, "* BAD [ALERT] This password went over the line in the clear, where others may have read it:"
			 " set your program to TLS, and change the password.\r\n");
	buf_add(out, buf_span(&l->tag));
	buf_addc(out, ' ');
	buf_adds(out, fail_code(why));
	if (text.n > 0)
		buf_add(out, text);
	else
		buf_adds(out, login_fail_text(why));
	buf_adds(out, "\r\n");
}

static void
imap_challenge(struct login *l, struct span data, struct buf *out)
{
	(void)l;
	buf_adds(out, "+ ");
	base64_encode(out, data);
	buf_adds(out, "\r\n");
}

/* literal = "{" number ["+"] "}" at the end of a line; a number that does not fit is SIZE_MAX. */
static bool
line_literal(struct span line, size_t *size_out, bool *nonsync_out)
{
	size_t i = line.n, size = 0, digits;

	*nonsync_out = false;
	if (i < 3 || line.p[i - 1] != '}')
		return false;
	i--;
	if (line.p[i - 1] == '+') {
		*nonsync_out = true;
		i--;
	}
	digits = i;
	while (i > 0 && ascii_is_digit(line.p[i - 1]))
		i--;
	if (i == 0 || i == digits || line.p[i - 1] != '{')
		return false;
	for (; i < digits; i++)
		size = size > LOGIN_LINE_LIMIT ? SIZE_MAX : size * 10 + (size_t)(line.p[i] - '0');
	*size_out = size;
	return true;
}

static void
take_tag(struct login *l, struct span *rest)
{
	struct span tag = span_sub(*rest, 0, span_chr(*rest, ' '));
	bool ok = tag.n > 0 && tag.n <= 256;

	for (size_t i = 0; i < tag.n && ok; i++)
		ok = tag.p[i] > ' ' && tag.p[i] < 0x7f && memchr("(){%*\"\\+", tag.p[i], 8) == NULL;
	buf_reset(&l->tag);
	buf_add(&l->tag, ok ? tag : SPAN("*"));
	*rest = span_from(*rest, tag.n + 1);
}

static struct span
line_at(struct span in, size_t from, size_t lf)
{
	struct span line = span_sub(in, from, lf - from);

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

enum found { FOUND_MORE, FOUND_WHOLE, FOUND_REFUSED };

/*
 * Where the command ends: a command is lines joined by the literals that they announce.  Invites a literal once.
 * FOUND_REFUSED: answered already, *end_out bytes go.
 */
static enum found
find_command(struct login *l, struct span in, size_t *end_out, struct buf *out)
{
	for (;;) {
		struct span line, first;
		size_t lf, size;
		bool nonsync;

		if (in.n <= l->scanned)
			return FOUND_MORE;
		lf = l->scanned + span_chr(span_from(in, l->scanned), '\n');
		if (lf >= l->conf->line_max) {
			login_bye(l, "Command line too long.", "Command line too long", out);
			*end_out = in.n;
			return FOUND_REFUSED;
		}
		if (lf == in.n) {
			l->scanned = in.n;
			return FOUND_MORE;
		}
		line = line_at(in, l->line_start, lf);
		if (!line_literal(line, &size, &nonsync)) {
			*end_out = lf + 1;
			return FOUND_WHOLE;
		}
		if (size > l->conf->line_max || lf + 1 + size >= l->conf->line_max) {
			first = in;
			take_tag(l, &first);
			if (nonsync)
				login_bye(l, "Literal too large.", "Literal too large", out);
			else {
				reply(l, "BAD [TOOBIG] Literal too large.", out);
				login_bad_command(l, out);
			}
			*end_out = nonsync ? in.n : lf + 1;
			return FOUND_REFUSED;
		}
		if (!nonsync)
			buf_adds(out, "+ OK\r\n");
		l->line_start = l->scanned = lf + 1 + size;
	}
}

/*
 * astring = 1*ASTRING-CHAR / quoted / literal (RFC 3501 section 9), from the front of *rest.  An escape in a quoted
 * string is undone in place of the copy: buf is where.  A literal may hold any octet.
 */
static bool
take_astring(struct span *rest, struct buf *copy, struct span *out)
{
	struct span s = *rest;
	size_t n;

	if (s.n == 0)
		return false;
	if (s.p[0] == '{') {
		size_t lf = span_chr(s, '\n'), size;
		bool nonsync;

		if (lf == s.n || !line_literal(line_at(s, 0, lf), &size, &nonsync) || s.p[0] != '{' ||
		    span_chr(span_sub(s, 1, lf - 1), '{') < lf - 1 || size > s.n - lf - 1)
			return false;
		*out = span_sub(s, lf + 1, size);
		*rest = span_from(s, lf + 1 + size);
		return true;
	}
	if (s.p[0] == '"') {
		if (!buf_grow(copy, s.n))
			return false;
		for (n = 1; n < s.n && s.p[n] != '"'; n++) {
			if (s.p[n] == '\\' && ++n == s.n)
				return false;
			if (s.p[n] == '\0' || s.p[n] == '\r' || s.p[n] == '\n')
				return false;
			buf_addc(copy, s.p[n]);
		}
		if (n == s.n)
			return false;
		*out = buf_span(copy);
		*rest = span_from(s, n + 1);
		return true;
	}
	for (n = 0; n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != 0x7f; n++)
		if (memchr("(){%*\"\\", s.p[n], 7) != NULL)
			return false;
	*out = span_sub(s, 0, n);
	*rest = span_from(s, n);
	return n > 0;
}

static bool
take_space(struct span *rest)
{
	if (rest->n == 0 || rest->p[0] != ' ')
		return false;
	*rest = span_from(*rest, 1);
	return true;
}

static void
bad(struct login *l, const char *text, struct buf *out)
{
	buf_add(out, buf_span(&l->tag));
	buf_adds(out, " BAD ");
	buf_adds(out, text);
	buf_adds(out, "\r\n");
	login_bad_command(l, out);
}

static void
cmd_login(struct login *l, struct span args, struct buf *out)
{
	struct buf user_copy = BUF_INIT(LOGIN_LINE_LIMIT), password_copy = BUF_INIT(LOGIN_LINE_LIMIT);
	struct span user, password;

	if (!take_astring(&args, &user_copy, &user) || !take_space(&args) ||
	    !take_astring(&args, &password_copy, &password) || args.n > 0)
		bad(l, "LOGIN wants a user name and a password.", out);
	else if (!login_plain(l, user, password))
		bad(l, "NUL in a user name or password, or too long.", out);
	else
		login_start(l, SPAN("PLAIN"), out);
	buf_clear(&user_copy);
	buf_wipe(&password_copy);
}

static void
cmd_authenticate(struct login *l, struct span args, struct buf *out)
{
	struct span mech;

	if (!span_next(&args, ' ', &mech) || mech.n == 0) {
		bad(l, "AUTHENTICATE wants a mechanism.", out);
		return;
	}
	l->has_data = false;
	buf_wipe(&l->data);
	if (args.n > 0 && !login_set_data(l, args)) {
		bad(l, "The initial response is not base64.", out);
		return;
	}
	login_start(l, mech, out);
}

static void
cmd_starttls(struct login *l, struct buf *out)
{
	if (l->tls)
		bad(l, "TLS is active already.", out);
	else if (!l->conf->tls_available)
		bad(l, "TLS is not available.", out);
	else {
		reply(l, "OK Begin TLS negotiation now.", out);
		l->state = LOGIN_TLS;
	}
}

/* What ID tells of the server: imap_id_send's pairs, where * is the usual value (RFC 2971 section 3.2). */
static void
put_id(struct span pairs, struct buf *out)
{
	struct span name, value;
	bool first = true;

	if (span_trim(pairs).n == 0) {
		buf_adds(out, "* ID NIL\r\n");
		return;
	}
	buf_adds(out, "* ID (");
	while (span_next(&pairs, ' ', &name)) {
		if (name.n == 0)
			continue;
		if (!span_next(&pairs, ' ', &value))
			value = SPAN_NONE;
		if (!first)
			buf_addc(out, ' ');
		first = false;
		buf_addc(out, '"');
		buf_add(out, name);
		buf_adds(out, "\" ");
		if (span_eq(value, SPAN("*")))
			value = span_ieq(name, SPAN("name")) ? SPAN("Culver") :
				span_ieq(name, SPAN("version")) ? span_str(PACKAGE_VERSION) : SPAN_NONE;
		if (value.n == 0)
			buf_adds(out, "NIL");
		else {
			buf_addc(out, '"');
			buf_add(out, value);
			buf_addc(out, '"');
		}
	}
	buf_adds(out, ")\r\n");
}

/* id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil), 30 pairs at most. */
static bool
parse_id(struct login *l, struct span args)
{
	struct buf name_copy = BUF_INIT(LOGIN_LINE_LIMIT), value_copy = BUF_INIT(LOGIN_LINE_LIMIT);
	struct span name, value;
	bool ok = true;

	buf_reset(&l->client_id);
	if (span_ieq(args, SPAN("NIL")))
		return true;
	if (args.n < 2 || args.p[0] != '(')
		return false;
	args = span_from(args, 1);
	for (int i = 0; i < 30 && ok && args.n > 0 && args.p[0] != ')'; i++) {
		buf_reset(&name_copy);
		buf_reset(&value_copy);
		ok = (i == 0 || take_space(&args)) && take_astring(&args, &name_copy, &name) && take_space(&args) &&
			take_astring(&args, &value_copy, &value);
		if (ok && l->client_id.n + name.n + value.n + 4 < l->client_id.max) {
			if (l->client_id.n > 0)
				buf_adds(&l->client_id, ", ");
			buf_add(&l->client_id, name);
			buf_addc(&l->client_id, '=');
			buf_add(&l->client_id, value);
		}
	}
	buf_clear(&name_copy);
	buf_clear(&value_copy);
	return ok && span_eq(args, SPAN(")"));
}

static void
cmd_id(struct login *l, struct span args, struct buf *out)
{
	if (!parse_id(l, args)) {
		buf_reset(&l->client_id);
		bad(l, "ID wants NIL or a list of strings.", out);
		return;
	}
	put_id(l->conf->id_send, out);
	reply(l, "OK ID completed.", out);
}

static void
command(struct login *l, struct span line, struct buf *out)
{
	struct span name, rest = line;

	if (login_is_http(line)) {
		login_bye(l, "This is an IMAP server.", "HTTP request", out);
		return;
	}
	take_tag(l, &rest);
	name = span_sub(rest, 0, span_chr(rest, ' '));
	rest = span_from(rest, name.n + 1);
	if (span_eq(buf_span(&l->tag), SPAN("*")))
		bad(l, "Invalid tag.", out);
	else if (span_ieq(name, SPAN("CAPABILITY")) && rest.n == 0) {
		buf_adds(out, "* ");
		put_capability(l, out);
		buf_adds(out, "\r\n");
		reply(l, "OK CAPABILITY completed.", out);
	} else if (span_ieq(name, SPAN("NOOP")) && rest.n == 0)
		reply(l, "OK NOOP completed.", out);
	else if (span_ieq(name, SPAN("LOGOUT")) && rest.n == 0) {
		login_bye(l, "Logging out", "Logged out", out);
		reply(l, "OK Logout completed.", out);
	} else if (span_ieq(name, SPAN("ID")))
		cmd_id(l, rest, out);
	else if (span_ieq(name, SPAN("STARTTLS")) && rest.n == 0)
		cmd_starttls(l, out);
	else if (span_ieq(name, SPAN("LOGIN")))
		cmd_login(l, rest, out);
	else if (span_ieq(name, SPAN("AUTHENTICATE")))
		cmd_authenticate(l, rest, out);
	else
		bad(l, "Unknown command, or one for after the login.", out);
}

/* Outside of literals there is no NUL (RFC 3501 section 9, CHAR). */
static bool
has_bare_nul(struct span line)
{
	while (line.n > 0) {
		size_t lf = span_chr(line, '\n'), size;
		bool nonsync;

		if (span_chr(span_sub(line, 0, lf), '\0') < (lf < line.n ? lf : line.n))
			return true;
		if (lf == line.n || !line_literal(line_at(line, 0, lf), &size, &nonsync))
			return false;
		line = span_from(line, lf + 1 + size);
	}
	return false;
}

static size_t
imap_step(struct login *l, struct span in, struct buf *out)
{
	struct span line;
	size_t end;

	if (l->state == LOGIN_RESPONSE) {
		size_t used = 0;

		if (l->scanned < in.n && span_chr(span_from(in, l->scanned), '\n') + l->scanned >= l->conf->line_max) {
			login_bye(l, "Line too long.", "Line too long", out);
			return in.n;
		}
		l->scanned = in.n;
		if (!span_line(in, &used, &line))
			return 0;
		login_response(l, line);
		return used;
	}
	switch (find_command(l, in, &end, out)) {
	case FOUND_MORE:
		return 0;
	case FOUND_REFUSED:
		return end;
	case FOUND_WHOLE:
		break;
	}
	/* Without the line end of its last line. */
	line = line_at(in, 0, end - 1);
	if (line.n == 0)
		login_bad_command(l, out);	/* an empty line gets no answer, but it counts */
	else if (has_bare_nul(line)) {
		struct span rest = line;

		take_tag(l, &rest);
		bad(l, "NUL in a command.", out);
	} else
		command(l, line, out);
	return end;
}

const struct login_protocol login_imap = {
	.name = "imap",
	.process = "imap-login",
	.greet = imap_greet,
	.step = imap_step,
	.challenge = imap_challenge,
	.fail = imap_fail,
	.bye = imap_bye,
};
