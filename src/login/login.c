/* SPDX-License-Identifier: MIT */
#include "login/login.h"

#include "lib/encode.h"

#define DATA_MAX 16384		/* of one SASL message, decoded */

void
login_init(struct login *l, const struct login_protocol *p, const struct login_conf *conf,
    const struct login_mechs *mechs, bool tls, bool secured)
{
	memset(l, 0, sizeof(*l));
	l->protocol = p;
	l->conf = conf;
	l->mechs = mechs;
	l->tls = tls;
	l->secured = secured;
	buf_init(&l->data, DATA_MAX);
	buf_init(&l->tag, LOGIN_LINE_LIMIT);
	buf_init(&l->user, USER_NAME_MAX);
	buf_init(&l->client_id, 2048);
}

void
login_clear(struct login *l)
{
	buf_wipe(&l->data);
	buf_clear(&l->tag);
	buf_clear(&l->user);
	buf_clear(&l->client_id);
}

void
login_greet(struct login *l, struct buf *out)
{
	l->protocol->greet(l, out);
}

size_t
login_step(struct login *l, struct span in, struct buf *out)
{
	size_t used = 0;

	while ((l->state == LOGIN_COMMAND || l->state == LOGIN_RESPONSE) && !out->failed) {
		size_t n = l->protocol->step(l, span_from(in, used), out);

		if (n == 0)
			break;
		used += n;
		l->scanned = l->line_start = 0;
		if (l->action != LOGIN_NOTHING)
			break;
	}
	return used;
}

void
login_challenge(struct login *l, struct span data, struct buf *out)
{
	l->state = LOGIN_RESPONSE;
	l->protocol->challenge(l, data, out);
}

/* Neither protocol carries data with its OK: it goes as one more challenge (RFC 4422 section 3.6). */
void
login_final(struct login *l, struct span data, struct buf *out)
{
	l->final = true;
	login_challenge(l, data, out);
}

void
login_fail(struct login *l, enum auth_fail why, struct span text, struct buf *out)
{
	l->state = LOGIN_COMMAND;
	l->final = false;
	l->has_user = false;
	buf_wipe(&l->data);
	if (why == AUTH_FAIL_CREDENTIALS || why == AUTH_FAIL_DISABLED || why == AUTH_FAIL_EXPIRED)
		l->auth_failures++;
	l->protocol->fail(l, why, text, out);
	buf_reset(&l->tag);
	if (why == AUTH_FAIL_PROTOCOL || why == AUTH_FAIL_MECH || why == AUTH_FAIL_PLAINTEXT)
		login_bad_command(l, out);
	if (l->auth_failures >= l->conf->fail_max)
		login_bye(l, "Too many failed logins.", "Too many failed logins", out);
}

/* All that was said in the clear is forgotten (RFC 2595 section 4). */
void
login_tls_started(struct login *l)
{
	l->tls = l->secured = true;
	l->state = LOGIN_COMMAND;
	l->has_user = false;
	buf_reset(&l->user);
	buf_reset(&l->client_id);
	l->scanned = l->line_start = 0;
}

void
login_bye(struct login *l, const char *text, const char *reason, struct buf *out)
{
	if (l->state == LOGIN_CLOSED)
		return;
	l->state = LOGIN_CLOSED;
	l->close_reason = reason;
	l->protocol->bye(l, text, out);
}

bool
login_may_send_password(const struct login *l)
{
	return l->secured || !l->conf->disable_plaintext;
}

bool
login_has_mech(const struct login *l, struct span name)
{
	for (size_t i = 0; i < l->mechs->count; i++)
		if (span_ieq(name, span_str(l->mechs->mech[i].name)))
			return true;
	return false;
}

const char *
login_fail_text(enum auth_fail why)
{
	switch (why) {
	case AUTH_FAIL_NONE:
	case AUTH_FAIL_TEMP:
		return "Temporary authentication failure.";
	case AUTH_FAIL_CREDENTIALS:
	case AUTH_FAIL_NO_USER:
		return "Authentication failed.";
	case AUTH_FAIL_DISABLED:
		return "Account is disabled.";
	case AUTH_FAIL_EXPIRED:
		return "Password expired.";
	case AUTH_FAIL_LIMIT:
		return "Too many connections.";
	case AUTH_FAIL_PLAINTEXT:
		return "Passwords are taken over TLS only.";
	case AUTH_FAIL_MECH:
		return "Unsupported authentication mechanism.";
	case AUTH_FAIL_PROTOCOL:
		return "Invalid authentication data.";
	}
	return "Temporary authentication failure.";
}

/* Somebody's browser was made to talk to a mail server: no command of it may count. */
bool
login_is_http(struct span line)
{
	static const char *const methods[] = {
		"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "CONNECT ", "DELETE ", "PATCH ", "TRACE ", "PRI ",
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (span_starts(line, span_str(methods[i])))
			return span_find(line, SPAN(" HTTP/")) != SIZE_MAX;
	return false;
}

void
login_bad_command(struct login *l, struct buf *out)
{
	if (++l->bad_commands >= l->conf->bad_max)
		login_bye(l, "Too many invalid commands.", "Too many invalid commands", out);
}

/* The user whom a PLAIN message names, for the log alone (RFC 4616: authzid NUL authcid NUL password). */
static void
note_user(struct login *l)
{
	struct span data = buf_span(&l->data);
	size_t at = span_chr(data, '\0');

	buf_reset(&l->user);
	if (strcmp(l->mech, "PLAIN") != 0 || at == data.n)
		return;
	data = span_from(data, at + 1);
	buf_add(&l->user, span_sub(data, 0, span_chr(data, '\0')));
	if (l->user.failed)
		buf_reset(&l->user);
}

void
login_start(struct login *l, struct span mech, struct buf *out)
{
	size_t i;

	l->auth_attempts++;
	for (i = 0; i < l->mechs->count && !span_ieq(mech, span_str(l->mechs->mech[i].name)); i++)
		;
	if (i == l->mechs->count) {
		login_fail(l, AUTH_FAIL_MECH, SPAN_NONE, out);
		return;
	}
	if (l->mechs->mech[i].plaintext && !login_may_send_password(l)) {
		l->plaintext_refused = true;
		login_fail(l, AUTH_FAIL_PLAINTEXT, SPAN_NONE, out);
		return;
	}
	memcpy(l->mech, l->mechs->mech[i].name, sizeof(l->mech));
	note_user(l);
	l->state = LOGIN_WAIT;
	l->action = LOGIN_AUTH_START;
}

/* Room at once: growing would leave a copy of a password in freed memory. */
static bool
data_room(struct login *l, size_t n)
{
	buf_wipe(&l->data);
	return n <= l->data.max && buf_grow(&l->data, n);
}

bool
login_plain(struct login *l, struct span user, struct span password)
{
	if (span_chr(user, '\0') < user.n || span_chr(password, '\0') < password.n ||
	    !data_room(l, user.n + password.n + 2))
		return false;
	buf_addc(&l->data, '\0');
	buf_add(&l->data, user);
	buf_addc(&l->data, '\0');
	buf_add(&l->data, password);
	l->has_data = true;
	return !l->data.failed;
}

bool
login_set_data(struct login *l, struct span base64)
{
	l->has_data = true;
	if (!data_room(l, base64.n + 4))
		return false;
	if (span_eq(base64, SPAN("=")))
		return true;
	return base64_decode(&l->data, base64) && !l->data.failed;
}

bool
login_response(struct login *l, struct span line)
{
	if (span_eq(line, SPAN("*"))) {
		l->state = LOGIN_WAIT;
		l->action = LOGIN_AUTH_ABORT;
		return true;
	}
	if (!login_set_data(l, line)) {
		l->state = LOGIN_WAIT;
		l->action = LOGIN_AUTH_ABORT;
		return false;
	}
	l->state = LOGIN_WAIT;
	l->action = l->final ? LOGIN_AUTH_DONE : LOGIN_AUTH_CONT;
	return true;
}

static void
mech_add(struct login_mechs *m, struct span name, bool plaintext)
{
	if (name.n == 0 || name.n >= sizeof(m->mech[0].name) || m->count == LOGIN_MECHS_MAX)
		return;
	memset(m->mech[m->count].name, 0, sizeof(m->mech[0].name));
	for (size_t i = 0; i < name.n; i++)
		m->mech[m->count].name[i] = ascii_upper(name.p[i]);
	m->mech[m->count++].plaintext = plaintext;
}

void
login_mechs_parse(struct login_mechs *m, struct span text)
{
	struct span line, name;

	m->count = 0;
	while (span_next(&text, '\n', &line)) {
		if (!span_next(&line, ' ', &name))
			continue;
		mech_add(m, name, span_eq(line, SPAN("plaintext")));
	}
}

void
login_mechs_default(struct login_mechs *m, struct span words)
{
	struct span name;

	m->count = 0;
	while (span_next(&words, ' ', &name))
		mech_add(m, name, span_ieq(name, SPAN("plain")) || span_ieq(name, SPAN("login")));
}

void
login_mechs_put(const struct login *l, const char *before_each, struct buf *out)
{
	for (size_t i = 0; i < l->mechs->count; i++) {
		if (l->mechs->mech[i].plaintext && !login_may_send_password(l))
			continue;
		buf_adds(out, before_each);
		buf_adds(out, l->mechs->mech[i].name);
	}
}
