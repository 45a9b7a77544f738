/* SPDX-License-Identifier: MIT */
#include "managesieve/session.h"

#include <stdio.h>
#include "lib/log.h"
#include "lib-filter/sieve/script.h"
#include "lib-protocol/managesieve.h"

#define DISCARD_MAX ((size_t)256 << 20)	/* of a script that is too large anyway; more ends the connection */
#define ERRORS_OCTETS 16384

static void
put_string(struct msieve_session *m, struct span s)
{
	struct buf text = BUF_INIT(s.n * 2 + 64);

	msieve_put_string(&text, s);
	stream_put(m->s, buf_span(&text));
	buf_clear(&text);
}

/* word: "OK", "NO (QUOTA)". */
static void
say(struct msieve_session *m, const char *word, const char *text)
{
	stream_puts(m->s, word);
	stream_puts(m->s, " ");
	put_string(m, span_str(text));
	stream_puts(m->s, "\r\n");
}

static void
refuse(struct msieve_session *m, const char *text)
{
	m->bad++;
	say(m, "NO", text);
}

/* The only place where failures get ManageSieve words (RFC 5804 section 1.3). */
static void
say_error(struct msieve_session *m, const char *what, const struct err *e)
{
	static const struct {
		const char *word, *text;
	} answers[ERR_CODES] = {
		[ERR_NONE] = { "NO", "Internal error." },
		[ERR_TEMP] = { "NO (TRYLATER)", "Internal error; the log has the details." },
		[ERR_SYNTAX] = { "NO", "That can not be the name of a script." },
		[ERR_NOTFOUND] = { "NO (NONEXISTENT)", "There is no such script." },
		[ERR_EXISTS] = { "NO (ALREADYEXISTS)", "There is a script of that name." },
		[ERR_DENIED] = { "NO", "Permission denied." },
		[ERR_QUOTA] = { "NO (QUOTA)", "The disk is full." },
		[ERR_LIMIT] = { "NO (QUOTA/MAXSCRIPTS)", "There are too many scripts." },
		[ERR_INUSE] = { "NO (ACTIVE)", "The active script can not be deleted." },
		[ERR_OVERQUOTA] = { "NO (QUOTA)", "The scripts would be too large together." },
		[ERR_TOOBIG] = { "NO (QUOTA/MAXSIZE)", "The script is too large." },
	};
	bool known = e->code < ERR_CODES && answers[e->code].word != NULL;

	if (!known || e->code == ERR_TEMP || e->code == ERR_DENIED || e->code == ERR_QUOTA || e->code == ERR_NONE)
		log_error("%s: %s", what, e->log);
	say(m, known ? answers[e->code].word : answers[ERR_TEMP].word, known ? answers[e->code].text : answers[ERR_TEMP].text);
}

struct told {
	struct buf text;
	unsigned count, max;
	const char *between;
};

struct mistakes {
	struct told wrong, odd;
};

static void
add(struct told *t, const struct sieve_error *error)
{
	if (t->count++ < t->max || t->max == 0)
		buf_addf(&t->text, "%sline %u: %s", t->text.n > 0 ? t->between : "", error->line, error->text);
}

static void
on_mistake(void *ctx, const struct sieve_error *error)
{
	add(&((struct mistakes *)ctx)->wrong, error);
}

static void
on_warning(void *ctx, const struct sieve_error *error)
{
	add(&((struct mistakes *)ctx)->odd, error);
}

/* Warnings are one line: sieve-connect takes an OK with a literal of several lines for a failure. */
static void
mistakes_init(const struct msieve_session *m, struct mistakes *w)
{
	*w = (struct mistakes){ { BUF_INIT(ERRORS_OCTETS), 0, m->o->max_errors, "\r\n" },
		{ BUF_INIT(ERRORS_OCTETS), 0, m->o->max_errors, "; " } };
}

static void
mistakes_clear(struct mistakes *w)
{
	buf_clear(&w->wrong.text);
	buf_clear(&w->odd.text);
}

static void
say_mistakes(struct msieve_session *m, const char *word, struct told *t, const char *what)
{
	if (t->count > t->max && t->max > 0)
		buf_addf(&t->text, "%s%u more %s", t->between, t->count - t->max, what);
	stream_puts(m->s, word);
	stream_puts(m->s, " ");
	put_string(m, buf_span(&t->text));
	stream_puts(m->s, "\r\n");
}

/* The change that the script was checked for is done. */
static void
say_done(struct msieve_session *m, struct mistakes *w, const char *text)
{
	if (w->odd.text.n > 0)
		say_mistakes(m, "OK (WARNINGS)", &w->odd, "warnings");
	else
		say(m, "OK", text);
}

static int
find_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	return sieve_site_include(ctx, personal, name, a, out, e);
}

/* Whether text is a script; where it is none the client has been told why. */
static bool
is_script(struct msieve_session *m, struct span text, struct mistakes *mistakes)
{
	const struct filter_host host = { .ctx = (void *)(uintptr_t)m->site, .script = find_script };
	struct sieve_compile_options options = { .host = &host, .on_error = on_mistake, .on_warning = on_warning,
		.on_error_ctx = mistakes, .upload = true };
	struct sieve_error error = { .line = 0 };
	struct sieve_script *script;

	sieve_site_extensions(m->site, &options.available, &options.available_global, NULL);
	sieve_site_include_limits(m->site, &options);
	script = sieve_compile_with(text, &options, &error);
	if (script == NULL) {
		if (mistakes->wrong.text.n == 0)
			buf_addf(&mistakes->wrong.text, "line %u: %s", error.line, error.text);
		say_mistakes(m, "NO", &mistakes->wrong, "mistakes");
	}
	sieve_script_free(script);
	return script != NULL;
}

/* Commands. */

static void
cmd_capability(struct msieve_session *m, const struct msieve_command *c)
{
	(void)c;
	stream_put(m->s, m->o->capabilities);
	if (m->o->goes_back)
		stream_puts(m->s, "\"UNAUTHENTICATE\"\r\n");
	/* An empty SASL would say that there is STARTTLS (RFC 5804 section 1.7). */
	stream_puts(m->s, "\"OWNER\" ");
	put_string(m, m->site->user);
	stream_puts(m->s, "\r\n\"VERSION\" \"1.0\"\r\n");
	say(m, "OK", "Capabilities listed.");
}

static void
cmd_havespace(struct msieve_session *m, const struct msieve_command *c)
{
	struct err e = ERR_INIT;
	uint64_t size;

	if (!span_u64(c->args[1].text, UINT32_MAX, &size))
		say(m, "NO (QUOTA/MAXSIZE)", "The script is too large.");
	else if (sieve_store_has_space(m->store, c->args[0].text, size, &e) == -1)
		say_error(m, "HAVESPACE", &e);
	else
		say(m, "OK", "There is room for it.");
}

static void
cmd_putscript(struct msieve_session *m, const struct msieve_command *c)
{
	struct mistakes mistakes;
	struct err e = ERR_INIT;

	mistakes_init(m, &mistakes);
	if (sieve_store_has_space(m->store, c->args[0].text, c->args[1].text.n, &e) == -1)
		say_error(m, "PUTSCRIPT", &e);
	else if (!is_script(m, c->args[1].text, &mistakes))
		;
	else if (sieve_store_put(m->store, c->args[0].text, c->args[1].text, &e) == -1)
		say_error(m, "PUTSCRIPT", &e);
	else
		say_done(m, &mistakes, "The script is stored.");
	mistakes_clear(&mistakes);
}

static void
cmd_checkscript(struct msieve_session *m, const struct msieve_command *c)
{
	struct mistakes mistakes;

	mistakes_init(m, &mistakes);
	if (c->args[0].text.n > m->o->max_script)
		say(m, "NO (QUOTA/MAXSIZE)", "The script is too large.");
	else if (is_script(m, c->args[0].text, &mistakes))
		say_done(m, &mistakes, "That is a script.");
	mistakes_clear(&mistakes);
}

static void
cmd_listscripts(struct msieve_session *m, const struct msieve_command *c)
{
	struct sieve_stored *list = NULL;
	struct err e = ERR_INIT;

	(void)c;
	if (sieve_store_list(m->store, m->arena, &list, &e) == -1) {
		say_error(m, "LISTSCRIPTS", &e);
		return;
	}
	for (; list != NULL; list = list->next) {
		put_string(m, list->name);
		stream_puts(m->s, list->active ? " ACTIVE\r\n" : "\r\n");
	}
	say(m, "OK", "Scripts listed.");
}

static void
cmd_setactive(struct msieve_session *m, const struct msieve_command *c)
{
	struct buf text = BUF_INIT(m->o->max_script);
	struct span name = c->args[0].text;
	struct mistakes mistakes;
	struct err e = ERR_INIT;

	mistakes_init(m, &mistakes);
	/* One that was put there by other means may be none. */
	if (name.n > 0 && sieve_store_get(m->store, name, &text, &e) == -1)
		say_error(m, "SETACTIVE", &e);
	else if (name.n > 0 && !is_script(m, buf_span(&text), &mistakes))
		;
	else if (sieve_store_activate(m->store, name, &e) == -1)
		say_error(m, "SETACTIVE", &e);
	else
		say_done(m, &mistakes, name.n > 0 ? "The script is active." : "No script is active.");
	mistakes_clear(&mistakes);
	buf_clear(&text);
}

static void
cmd_getscript(struct msieve_session *m, const struct msieve_command *c)
{
	struct buf text = BUF_INIT(DISCARD_MAX);
	struct err e = ERR_INIT;

	if (sieve_store_get(m->store, c->args[0].text, &text, &e) == -1)
		say_error(m, "GETSCRIPT", &e);
	else {
		stream_putf(m->s, "{%zu}\r\n", text.n);
		stream_put(m->s, buf_span(&text));
		stream_puts(m->s, "\r\n");
		say(m, "OK", "Here it is.");
	}
	buf_clear(&text);
}

static void
cmd_deletescript(struct msieve_session *m, const struct msieve_command *c)
{
	struct err e = ERR_INIT;

	if (sieve_store_delete(m->store, c->args[0].text, &e) == -1)
		say_error(m, "DELETESCRIPT", &e);
	else
		say(m, "OK", "The script is deleted.");
}

static void
cmd_renamescript(struct msieve_session *m, const struct msieve_command *c)
{
	struct err e = ERR_INIT;

	if (sieve_store_rename(m->store, c->args[0].text, c->args[1].text, &e) == -1)
		say_error(m, "RENAMESCRIPT", &e);
	else
		say(m, "OK", "The script is renamed.");
}

static void
cmd_noop(struct msieve_session *m, const struct msieve_command *c)
{
	if (c->arg_count == 0) {
		say(m, "OK", "Nothing done.");
		return;
	}
	stream_puts(m->s, "OK (TAG ");
	put_string(m, c->args[0].text);
	stream_puts(m->s, ") \"Nothing done.\"\r\n");
}

static void
cmd_logout(struct msieve_session *m, const struct msieve_command *c)
{
	(void)c;
	say(m, "OK", "Logged out.");
	m->done = true;
}

/* Who has the client then answers: a client that has the answer may log in at once (RFC 5804 section 2.14). */
static void
cmd_unauthenticate(struct msieve_session *m, const struct msieve_command *c)
{
	(void)c;
	if (!m->o->goes_back) {
		refuse(m, "Only over TLS.");
		return;
	}
	m->done = m->unauthenticated = true;
}

static void
cmd_authenticated(struct msieve_session *m, const struct msieve_command *c)
{
	(void)c;
	refuse(m, "You are logged in already.");
}

static const struct {
	struct span name;
	const char *args;		/* S a string, N a number; ? in front: may be left out; *: whatever */
	bool needs_store;
	void (*run)(struct msieve_session *m, const struct msieve_command *c);
} commands[] = {
	{ SPAN("CAPABILITY"), "", false, cmd_capability },
	{ SPAN("CHECKSCRIPT"), "S", false, cmd_checkscript },
	{ SPAN("DELETESCRIPT"), "S", true, cmd_deletescript },
	{ SPAN("GETSCRIPT"), "S", true, cmd_getscript },
	{ SPAN("HAVESPACE"), "SN", true, cmd_havespace },
	{ SPAN("LISTSCRIPTS"), "", true, cmd_listscripts },
	{ SPAN("LOGOUT"), "", false, cmd_logout },
	{ SPAN("NOOP"), "?S", false, cmd_noop },
	{ SPAN("PUTSCRIPT"), "SS", true, cmd_putscript },
	{ SPAN("RENAMESCRIPT"), "SS", true, cmd_renamescript },
	{ SPAN("SETACTIVE"), "S", true, cmd_setactive },
	{ SPAN("UNAUTHENTICATE"), "", false, cmd_unauthenticate },
	{ SPAN("AUTHENTICATE"), "*", false, cmd_authenticated },
	{ SPAN("STARTTLS"), "*", false, cmd_authenticated },
};

static bool
args_fit(const char *want, const struct msieve_command *c)
{
	bool optional = *want == '?';
	size_t n = strlen(want) - optional;

	if (*want == '*')
		return true;
	want += optional;
	if (c->arg_count != n && !(optional && c->arg_count == 0))
		return false;
	for (size_t i = 0; i < c->arg_count; i++)
		if ((want[i] == 'N') != c->args[i].is_number)
			return false;
	return true;
}

static void
command(struct msieve_session *m, const struct msieve_command *c)
{
	size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);
	unsigned bad = m->bad;

	while (i < count && !span_ieq(c->name, commands[i].name))
		i++;
	if (i == count)
		refuse(m, "There is no such command.");
	else if (!args_fit(commands[i].args, c))
		refuse(m, "Wrong arguments.");
	else if (commands[i].needs_store && m->store == NULL)
		say(m, "NO", "There is no place for your scripts.");
	else
		commands[i].run(m, c);
	if (m->bad == bad)
		m->bad = 0;
}

/* Passes over n octets, and what stands behind them in the line. */
static int
discard(struct msieve_session *m, size_t n, struct err *e)
{
	struct span line;

	while (n > 0) {
		size_t there = stream_in(m->s).n;

		if (there == 0 && stream_fill(m->s, e) == -1)
			return -1;
		there = stream_in(m->s).n;
		there = there < n ? there : n;
		stream_drop(m->s, there);
		n -= there;
	}
	return stream_line(m->s, m->o->max_line, &line, e);
}

/* A line is looked at once it is whole, and not with each octet that comes. */
static int
more_input(struct msieve_session *m, size_t need, struct err *e)
{
	size_t had = stream_in(m->s).n, most = m->o->max_line + m->o->max_script;
	bool wants_line = need == had + 1;
	struct span in;

	most = most - had < m->o->max_line ? most : had + m->o->max_line;
	do {
		if (stream_fill(m->s, e) == -1)
			return -1;
		in = stream_in(m->s);
	} while (in.n < need || (wants_line && in.n < most && span_chr(span_from(in, had), '\n') == in.n - had));
	return 0;
}

static int
step(struct msieve_session *m, struct err *e)
{
	struct msieve_parse p;

	arena_reset(m->arena);
	switch (msieve_parse(stream_in(m->s), m->o->max_line, m->o->max_script, m->arena, &p)) {
	case MSIEVE_MORE:
		return more_input(m, p.need, e);
	case MSIEVE_DONE:
		command(m, &p.command);
		stream_drop(m->s, p.used);
		return 0;
	case MSIEVE_BAD:
		refuse(m, p.why);
		stream_drop(m->s, p.used);
		return 0;
	case MSIEVE_TOO_LONG:
		break;
	}
	if (p.need == 0 || p.need > DISCARD_MAX) {
		say(m, "BYE", "Command too long.");
		return err_set(e, ERR_LIMIT, "a command is too long");
	}
	if (discard(m, p.need, e) == -1)
		return -1;
	say(m, "NO (QUOTA/MAXSIZE)", "The script is too large.");
	return 0;
}

int
msieve_session_run(struct msieve_session *m, struct err *e)
{
	while (!m->done) {
		if (step(m, e) == -1) {
			if (e->code == ERR_TIMEOUT)
				say(m, "BYE", "Disconnected for inactivity.");
			return -1;
		}
		if (m->o->max_bad > 0 && m->bad >= m->o->max_bad) {
			say(m, "BYE", "Too many bad commands.");
			return err_set(e, ERR_SYNTAX, "too many bad commands");
		}
	}
	return 0;
}
