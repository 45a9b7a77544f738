/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/tester-world.h"

#include <stdlib.h>

#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-filter/sieve/chain.h"
#include "lib-filter/sieve/dict.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/address.h"
#include "lib-mail/header.h"
#include "lib-storage/mailbox.h"

#define DEFAULT_SENDER "sender@example.com"
#define DEFAULT_RECIPIENT "recipient@example.com"
#define DEFAULT_POSTMASTER "postmaster@example.com"

struct tester_pair *
tester_pair_get(struct tester_pair *list, struct span mailbox, struct span name)
{
	while (list != NULL && (list->removed || !span_eq(list->mailbox, mailbox) || !span_eq(list->name, name)))
		list = list->next;
	return list;
}

bool
tester_pair_set(struct sieve_tester *t, struct tester_pair **list, struct span mailbox, struct span name, struct span value)
{
	struct tester_pair *p = tester_pair_get(*list, mailbox, name);

	if (p == NULL) {
		p = arena_alloc(t->a, 1, sizeof(*p));
		if (p == NULL)
			return false;
		p->mailbox = arena_dup(t->a, mailbox);
		p->name = arena_dup(t->a, name);
		p->next = *list;
		*list = p;
	}
	p->value = arena_dup(t->a, value);
	return p->value.p != NULL && p->name.p != NULL;
}

/* "INBOX" is the same in any case, also in front of a separator. */
static bool
is_same_mailbox(struct span a, struct span b)
{
	bool in_inbox = span_istarts(a, SPAN("INBOX")) && span_istarts(b, SPAN("INBOX"));

	if (in_inbox && (a.n == 5 || a.p[5] == '.' || a.p[5] == '/'))
		return span_eq(span_from(a, 5), span_from(b, 5));
	return span_eq(a, b);
}

struct tester_mailbox *
tester_mailbox_get(const struct sieve_tester *t, struct span name)
{
	struct tester_mailbox *m = t->mailboxes;

	while (m != NULL && (m->deleted || !is_same_mailbox(m->name, name)))
		m = m->next;
	return m;
}

/* What the mailboxes of a server can be called, with "/" or "." between levels. */
static bool
is_name(struct span name)
{
	struct span level, rest = name;

	if (name.n == 0 || !utf8_is_valid(name) || name.p[name.n - 1] == '/')
		return false;
	while (span_next(&rest, '/', &level))
		if (level.n == 0 || span_eq(level, SPAN(".")) || span_eq(level, SPAN("..")))
			return false;
	return true;
}

struct tester_mailbox *
tester_mailbox_add(struct sieve_tester *t, struct span name)
{
	struct tester_mailbox *m = tester_mailbox_get(t, name);

	if (m != NULL)
		return m;
	m = arena_alloc(t->a, 1, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->name = arena_dup(t->a, name);
	m->next = t->mailboxes;
	t->mailboxes = m;
	return m;
}

void
tester_error(struct sieve_tester *t, const char *text)
{
	if (t->error_count < TESTER_ERRORS_MAX)
		t->errors[t->error_count++] = arena_dup(t->a, span_str(text));
}

#define VARIABLE_OCTETS 4000
#define TESTER_MESSAGE_MAX ((size_t)256 << 20)

struct sieve_limits
tester_limits(const struct sieve_tester *t)
{
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;

	limits.actions = sieve_setting_number(&t->host, "sieve_max_actions", limits.actions);
	limits.redirects = sieve_setting_number(&t->host, "sieve_max_redirects", limits.redirects);
	limits.variables = sieve_setting_number(&t->host, "sieve_variables_max_scope_size", limits.variables);
	/* The least that a server grants (RFC 5229 section 6): what passes here passes anywhere. */
	limits.variable_octets = sieve_setting_size(&t->host, "sieve_variables_max_variable_size", VARIABLE_OCTETS);
	return limits;
}

/* ---- the host ---- */

static bool
on_mailbox(void *ctx, struct span name)
{
	return tester_mailbox_get(ctx, name) != NULL;
}

static bool
on_special_use(void *ctx, struct span mailbox, struct span use)
{
	const struct sieve_tester *t = ctx;

	for (const struct tester_mailbox *m = t->mailboxes; m != NULL; m = m->next)
		if (!m->deleted && span_ieq(m->special_use, use) && (mailbox.n == 0 || span_eq(m->name, mailbox)))
			return true;
	return false;
}

static bool
on_mailbox_id(void *ctx, struct span id)
{
	const struct sieve_tester *t = ctx;

	for (const struct tester_mailbox *m = t->mailboxes; m != NULL; m = m->next)
		if (!m->deleted && m->id.n > 0 && span_eq(m->id, id))
			return true;
	return false;
}

static bool
on_metadata(void *ctx, struct span mailbox, struct span name, struct arena *a, struct span *out)
{
	const struct sieve_tester *t = ctx;
	const struct tester_pair *p = tester_pair_get(t->metadata, mailbox, name);

	(void)a;
	if (p != NULL)
		*out = p->value;
	return p != NULL;
}

/* By default nothing is remembered: the tests of the field answer the same sender again and again. */
static bool
on_marked(void *ctx, struct span mark, int64_t seconds)
{
	struct sieve_tester *t = ctx;

	(void)seconds;
	return tester_pair_get(t->marks, SPAN(""), mark) != NULL;
}

/* As the tests of the field have them: personal scripts in included/, the server's in included-global/; or in a dictionary. */
static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct sieve_tester *t = ctx;
	struct span dict = sieve_setting_text(&t->host, personal ? "sieve" : "sieve_global");
	char *path;

	if (span_starts(dict, SPAN("dict:file:"))) {
		dict = span_sub(dict, 10, span_chr(span_from(dict, 10), ';'));
		if (t->io->read(t->io->ctx, dict, a, &dict, e) == -1)
			return -1;
		if (!sieve_dict_get(dict, name, out))
			return err_set(e, ERR_NOTFOUND, "there is no such script");
		*out = sieve_dict_text(a, *out);
		return out->p != NULL ? 0 : err_set(e, ERR_LIMIT, "out of memory");
	}
	path = arena_printf(a, "%s/%.*s.sieve", personal ? "included" : "included-global", SPAN_ARG(name));

	return path == NULL ? err_set(e, ERR_LIMIT, "out of memory") : t->io->read(t->io->ctx, span_str(path), a, out, e);
}

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	const struct sieve_tester *t = ctx;
	const struct tester_pair *p = tester_pair_get(t->settings, SPAN(""), span_str(name));

	if (p != NULL)
		*out = p->value;
	else if (strcmp(name, "postmaster_address") == 0)
		*out = SPAN(DEFAULT_POSTMASTER);
	else
		return false;
	return true;
}

static bool
on_environment(void *ctx, struct span name, struct arena *a, struct span *out)
{
	const struct sieve_tester *t = ctx;

	(void)a;
	if (span_ieq(name, SPAN("vnd.dovecot.username")))
		*out = t->host.user;
	else if (span_ieq(name, SPAN("location")))
		*out = SPAN("MS");
	else if (span_ieq(name, SPAN("phase")))
		*out = SPAN("post");
	else
		return false;
	return true;
}

/* A program gets what it gets in a delivery. */
static int
on_run(void *ctx, const struct filter_program *p, struct span input, struct arena *a, struct span *out, int *status, struct err *e)
{
	const struct sieve_tester *t = ctx;
	const struct {
		const char *name;
		struct span value;
	} list[] = {
		{ "USER", t->host.user }, { "HOME", t->host.home }, { "HOST", span_str(host_name()) }, { "SENDER", t->message.sender },
		{ "RECIPIENT", t->message.recipient }, { "ORIG_RECIPIENT", t->message.orig_recipient }, { "PATH", SPAN("/usr/bin:/bin") },
	};
	struct span env[sizeof(list) / sizeof(list[0])];

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		char *text = arena_printf(a, "%s=%.*s", list[i].name, SPAN_ARG(list[i].value));

		if (text == NULL)
			return err_set(e, ERR_LIMIT, "out of memory");
		env[i] = span_str(text);
	}
	return t->io->run(t->io->ctx, p, env, sizeof(env) / sizeof(env[0]), input, a, out, status, e);
}

bool
tester_variable(const struct sieve_tester *t, struct span name, struct span *out)
{
	if (!span_ieq(name, SPAN("path")))
		return false;
	*out = t->io->dir;
	return true;
}

void
tester_world_init(struct sieve_tester *t)
{
	t->host = (struct filter_host){
		.ctx = t, .mailbox_exists = on_mailbox, .special_use_exists = on_special_use, .mailbox_id_exists = on_mailbox_id,
		.metadata = on_metadata, .is_marked = on_marked, .script = on_script, .environment = on_environment,
		.setting = on_setting, .tester = t, .user = SPAN("user"), .home = SPAN("/nonexistent"),
		.keep_mailbox = SPAN("INBOX"),
		.run = t->io->run == NULL ? NULL : on_run,
	};
	for (int i = EXT_CORE + 1; i < EXT_COUNT; i++)
		if (i != EXT_TESTSUITE)
			extset_add(&t->available, (enum sieve_ext)i);
	tester_mailbox_add(t, SPAN("INBOX"));
	tester_set_message(t, SPAN("From: " DEFAULT_SENDER "\nTo: " DEFAULT_RECIPIENT "\nSubject: Test\n\nTest.\n"));
}

/* ---- messages ---- */

static struct span
first_address(struct sieve_tester *t, struct span header, struct span field, struct span def)
{
	struct buf bare = BUF_INIT(1000);
	struct address *list = NULL;
	struct span value, out = def;

	if (header_get(header, field, &value) && address_parse(t->a, value, 10, &list, NULL) == 0 && address_first(list) != NULL) {
		address_write(&bare, address_first(list));
		if (!bare.failed)
			out = arena_dup(t->a, buf_span(&bare));
	}
	buf_clear(&bare);
	return out;
}

struct span
tester_mail_lines(struct sieve_tester *t, struct span text)
{
	struct buf b = BUF_INIT(2 * text.n + 1);
	struct span out;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			buf_addc(&b, '\r');
		buf_addc(&b, text.p[i]);
	}
	out = b.failed ? SPAN_NONE : arena_dup(t->a, buf_span(&b));
	buf_clear(&b);
	return out;
}

bool
tester_set_message(struct sieve_tester *t, struct span text)
{
	struct span copy = arena_dup(t->a, text);

	if (copy.p == NULL)
		return false;
	filter_message_init(&t->message, copy);
	t->message.sender = first_address(t, t->message.header, SPAN("From"), SPAN(DEFAULT_SENDER));
	t->message.recipient = first_address(t, t->message.header, SPAN("To"), SPAN(DEFAULT_RECIPIENT));
	return true;
}

static struct tester_message *
add_message(struct sieve_tester *t, struct tester_message **list, struct span text)
{
	struct tester_message *m = arena_alloc(t->a, 1, sizeof(*m));

	while (*list != NULL)
		list = &(*list)->next;
	if (m == NULL)
		return NULL;
	m->text = arena_dup(t->a, text);
	*list = m;
	return m;
}

static bool
send_message(struct sieve_tester *t, struct span text, struct span from, struct span to)
{
	struct tester_message *m = add_message(t, &t->sent, text);

	if (m == NULL)
		return false;
	m->from = arena_dup(t->a, from);
	m->to = arena_dup(t->a, to);
	return true;
}

static struct span
flags_text(struct sieve_tester *t, const struct filter_flags *f)
{
	static const struct {
		const char *name;
		unsigned flag;
	} system[] = {
		{ "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED }, { "\\Deleted", MSG_DELETED }, { "\\Seen", MSG_SEEN },
		{ "\\Draft", MSG_DRAFT },
	};
	struct buf out = BUF_INIT(65536);
	struct span text;

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		if (f->flags & system[i].flag)
			buf_addf(&out, "%s%s", out.n > 0 ? " " : "", system[i].name);
	for (size_t i = 0; i < f->keyword_count; i++)
		buf_addf(&out, "%s%.*s", out.n > 0 ? " " : "", SPAN_ARG(f->keywords[i]));
	text = arena_dup(t->a, buf_span(&out));
	buf_clear(&out);
	return text;
}

/* The mailbox of a FILTER_SAVE; NULL: there is none. */
static struct tester_mailbox *
mailbox_of(struct sieve_tester *t, const struct filter_action *x)
{
	for (struct tester_mailbox *m = t->mailboxes; m != NULL; m = m->next)
		if (!m->deleted && ((x->mailbox_id.n > 0 && span_eq(m->id, x->mailbox_id)) ||
		    (x->special_use.n > 0 && span_ieq(m->special_use, x->special_use))))
			return m;
	if (x->keep)
		return tester_mailbox_add(t, SPAN("INBOX"));
	return x->create ? tester_mailbox_add(t, x->target) : tester_mailbox_get(t, x->target);
}

static bool
refuse(struct sieve_tester *t, const struct filter_action *x)
{
	struct buf text = BUF_INIT(1 << 20);
	bool ok = true;

	/* A refusal of a bounce goes nowhere (RFC 5429 section 2.1). */
	if (t->message.sender.n > 0) {
		buf_addf(&text, "From: Mail Delivery Subsystem <postmaster@%s>\r\nTo: <%.*s>\r\nSubject: Rejected\r\n"
		    "Auto-Submitted: auto-replied (rejected)\r\n\r\n%.*s\r\n", host_name(), SPAN_ARG(t->message.sender),
		    SPAN_ARG(x->text));
		ok = send_message(t, buf_span(&text), SPAN(""), t->message.sender);
	}
	buf_clear(&text);
	return ok;
}

static int
save(struct sieve_tester *t, const struct filter_action *x, struct span text, bool *fallback)
{
	struct tester_mailbox *box = x->keep || is_name(x->target) ? mailbox_of(t, x) : NULL;
	struct tester_message *m;

	if (box == NULL) {
		char *why = arena_printf(t->a, "failed to store into mailbox '%.*s': %s", SPAN_ARG(x->target),
		    is_name(x->target) ? "it does not exist" : "no mailbox can have that name");

		if (why == NULL)
			return -1;
		tester_error(t, why);
		*fallback = true;
		return 0;
	}
	t->kept = t->kept || sieve_action_keeps(x, t->host.keep_mailbox);
	m = add_message(t, &box->messages, text);
	if (m == NULL)
		return -1;
	m->flags = flags_text(t, &x->flags);
	return 1;
}

/* False: the program could not be run, or failed, and the message is to be kept. */
static bool
pipe_to(struct sieve_tester *t, const struct filter_action *x, struct span text)
{
	const struct filter_program p = { .path = x->target, .socket = x->socket, .args = x->args, .arg_count = x->arg_count,
		.timeout = x->timeout };
	struct err e = ERR_INIT;
	struct span out;
	int status = -1;

	if (t->host.run == NULL)
		tester_error(t, "no programs are run here");
	else if (p.path.n == 0 && p.socket.n == 0)
		tester_error(t, "no directory of programs is configured");
	else if (t->host.run(t, &p, text, t->a, &out, &status, &e) == 0 && status == 0)
		return true;
	else if (e.code == ERR_TIMEOUT)
		tester_error(t, e.log);
	tester_error(t, "failed to pipe the message to a program");
	return false;
}

/* A message that this address has passed on before is in a loop: it is kept. */
static bool
has_been_at(const struct sieve_tester *t, struct span text, struct span address)
{
	struct header_iter it;
	struct header_field f;

	header_begin(&it, text, SIZE_MAX, SIZE_MAX);
	while (header_next(&it, &f))
		if ((span_ieq(f.name, SPAN("x-sieve-redirected-from")) || span_ieq(f.name, SPAN("delivered-to"))) &&
		    (span_ieq(span_trim(f.value), t->message.recipient) || span_ieq(span_trim(f.value), address)))
			return true;
	return false;
}

/* 1: sent; 0: to be kept; -1: no room. */
static int
redirect(struct sieve_tester *t, const struct filter_action *x, struct span text)
{
	struct span me = t->host.user_address.n > 0 ? t->host.user_address : t->message.recipient;
	struct buf out = BUF_INIT(TESTER_MESSAGE_MAX);
	bool ok;

	if (has_been_at(t, text, me))
		return 0;
	buf_addf(&out, "X-Sieve-Redirected-From: %.*s\r\n", SPAN_ARG(me));
	buf_add(&out, text);
	ok = !out.failed && send_message(t, buf_span(&out), x->sender, x->target);
	buf_clear(&out);
	return ok ? 1 : -1;
}

static bool
remember(struct sieve_tester *t, const struct filter_action *x)
{
	return x->mark.n == 0 || !sieve_setting_bool(&t->host, "test_remember", false) ||
	    tester_pair_set(t, &t->marks, SPAN(""), x->mark, SPAN(""));
}

int
tester_execute(struct sieve_tester *t, struct filter_action *actions)
{
	static const struct filter_action keep = { .kind = FILTER_SAVE, .keep = true };
	bool fallback = false, ok = true;
	int sent;

	for (struct filter_action *x = actions; x != NULL && ok; x = x->next) {
		struct span text = x->message.p != NULL ? x->message : t->message.text;

		if (x->kind == FILTER_SAVE && sieve_action_known(actions, x, t->host.keep_mailbox) != NULL)
			continue;
		switch (x->kind) {
		case FILTER_SAVE:
			if (save(t, x, text, &fallback) == -1)
				return -1;
			break;
		case FILTER_REDIRECT:
			sent = redirect(t, x, text);
			ok = sent != -1;
			if (sent == 0 && !t->kept && save(t, &keep, t->message.text, &(bool){ false }) == -1)
				return -1;
			break;
		case FILTER_REJECT:
			ok = refuse(t, x);
			break;
		case FILTER_SEND:
		case FILTER_ANSWER:
			ok = send_message(t, x->text, x->sender, x->target);
			break;
		case FILTER_PIPE:
			if (!pipe_to(t, x, text))
				fallback = fallback || x->or_keep;
			break;
		case FILTER_FILE:
		case FILTER_MARK:
		case FILTER_DISCARD:
			break;
		}
		ok = ok && remember(t, x);
	}
	if (fallback && !t->kept)
		save(t, &keep, t->message.text, &(bool){ false });
	return !ok ? -1 : !fallback;
}
