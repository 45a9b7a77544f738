/* SPDX-License-Identifier: MIT */
/* "Login: user=<bob>, method=PLAIN, rip=192.0.2.1, ...": the lines that administrators and fail2ban look for. */
#include "login/server.h"

#include <stdio.h>
#include "lib-config/vars.h"

#define LINE_MAX_OCTETS 1024

/* Whether the word shows something: its variables must not all be empty.  The user name is shown even so. */
static bool
is_shown(struct span word, const struct var *vars, const struct var *empty, struct buf *full, struct buf *blank)
{
	struct err e = ERR_INIT;

	buf_reset(full);
	buf_reset(blank);
	if (vars_expand(full, word, vars, &e) == -1 || vars_expand(blank, word, empty, &e) == -1)
		return false;
	return span_find(word, SPAN("%u")) != SIZE_MAX || span_find(word, SPAN("%{user")) != SIZE_MAX ||
		span_chr(word, '%') == word.n || !span_eq(buf_span(full), buf_span(blank));
}

static void
put_elements(struct buf *out, struct span words, const struct var *vars, const struct var *empty)
{
	struct buf full = BUF_INIT(LINE_MAX_OCTETS), blank = BUF_INIT(LINE_MAX_OCTETS);
	struct span word;
	bool first = true;

	while (span_next(&words, ' ', &word)) {
		if (word.n == 0 || !is_shown(word, vars, empty, &full, &blank))
			continue;
		if (!first)
			buf_adds(out, ", ");
		first = false;
		buf_add(out, buf_span(&full));
	}
	buf_clear(&full);
	buf_clear(&blank);
}

void
login_log(struct client *c, const char *what)
{
	const struct login *l = &c->engine;
	struct buf elements = BUF_INIT(LINE_MAX_OCTETS), line = BUF_INIT(2 * LINE_MAX_OCTETS);
	struct span user = buf_span(&l->user), name = span_sub(user, 0, span_chr(user, '@'));
	char pid[16] = "", security[288] = "";
	struct err e = ERR_INIT;

	if (c->pid != 0)
		snprintf(pid, sizeof(pid), "%u", c->pid);
	if (c->handshaking)
		snprintf(security, sizeof(security), "TLS handshaking%s%s", c->tls_failure[0] == '\0' ? "" : ": ",
			 c->tls_failure);
	else if (c->ssl != NULL)
		snprintf(security, sizeof(security), "TLS");
	else if (l->secured)
		snprintf(security, sizeof(security), "secured");
	const struct var vars[] = {
		{ 'u', "user", user }, { 'n', "username", name }, { 'd', "domain", span_from(user, name.n + 1) },
		{ 'm', "mechanism", span_str(l->auth_attempts > 0 ? l->mech : "") }, { 'r', "rip", span_str(c->rip) },
		{ 'l', "lip", span_str(c->lip) }, { 'e', "mpid", span_str(pid) }, { 'c', "secured", span_str(security) },
		{ 'k', "ssl_security", span_str(c->tls_text) }, { 's', "service", span_str(l->protocol->name) },
		{ 0, "session", span_str(c->session) }, { 0, NULL, SPAN_NONE },
	};
	struct var empty[sizeof(vars) / sizeof(vars[0])];

	memcpy(empty, vars, sizeof(vars));
	for (size_t i = 0; empty[i].letter != 0 || empty[i].name != NULL; i++)
		empty[i].value = SPAN("");
	put_elements(&elements, set_str(c->view, SET_login_log_format_elements), vars, empty);
	const struct var outer[] = {
		{ '$', NULL, span_str(what) }, { 's', NULL, buf_span(&elements) }, { 0, NULL, SPAN_NONE },
	};

	if (vars_expand(&line, set_str(c->view, SET_login_log_format), outer, &e) == 0)
		log_info("%.*s", SPAN_ARG(buf_span(&line)));
	else
		log_info("%s: %.*s", what, SPAN_ARG(buf_span(&elements)));
	buf_clear(&elements);
	buf_clear(&line);
}

void
login_log_end(struct client *c, const char *reason)
{
	const struct login *l = &c->engine;
	unsigned seconds = (unsigned)(ev_now(c->server->service.loop) - c->since);
	char what[256], detail[96];

	if (l->plaintext_refused && l->auth_failures == 0)
		snprintf(detail, sizeof(detail), "tried to use disallowed plaintext auth");
	else if (l->auth_failures > 0)
		snprintf(detail, sizeof(detail), "auth failed, %u attempts in %u secs", l->auth_attempts, seconds);
	else if (l->auth_attempts == 0)
		snprintf(detail, sizeof(detail), "no auth attempts in %u secs", seconds);
	else
		snprintf(detail, sizeof(detail), "tried to login %u times in %u secs", l->auth_attempts, seconds);
	if (reason[0] == '\0')
		snprintf(what, sizeof(what), "Disconnected (%s)", detail);
	else
		snprintf(what, sizeof(what), "Disconnected: %s (%s)", reason, detail);
	login_log(c, what);
}
