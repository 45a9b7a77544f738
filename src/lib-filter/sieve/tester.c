/* SPDX-License-Identifier: MIT */
/* The words of "vnd.dovecot.testsuite", and the run of a test script. */
#include "lib-filter/sieve/tester.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib-filter/sieve/binary.h"
#include "lib-filter/sieve/chain.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/path.h"
#include "lib-filter/sieve/setting.h"
#include "lib-filter/sieve/tester-world.h"

#define TESTER_MEMORY ((size_t)512 << 20)
#define TESTER_VARIABLES 10000		/* of a test script itself */

static struct sieve_tester *
tester_of(const struct sieve_run *r)
{
	return r->host->tester;
}

/* Outside of the tester these words have nothing to work on. */
static int
check_here(struct sieve_checker *c, struct sieve_node *n)
{
	return c->options->tests ? 0 : sieve_fail(c, n, "is for test scripts only");
}

static int
check_fail_here(struct sieve_checker *c, struct sieve_node *n)
{
	return c->options->test_fails ? 0 : check_here(c, n);
}

static int
check_match_here(struct sieve_checker *c, struct sieve_node *n)
{
	return check_here(c, n) == -1 || sieve_check_match(c, n) == -1 ? -1 : 0;
}

static int
string_at(struct sieve_run *r, const struct sieve_node *n, size_t at, struct span *out)
{
	return sieve_run_string(r, n, n->pos[at]->strings[0], out);
}

static int
no_memory(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_run_fail(r, n, "the test needs too much memory");
}

/* ---- test, test_fail ---- */

static void
report(struct sieve_tester *t)
{
	bool ok = t->why[0] == '\0';

	t->count.passed += ok;
	t->count.failed += !ok;
	t->io->report(t->io->ctx, t->test, t->line, span_str(t->why));
}

static int
run_test(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);

	if (string_at(r, n, 0, &t->test) == -1)
		return -1;
	t->why[0] = '\0';
	t->line = n->line;
	if (sieve_run_block(r, n->block) == -1) {
		t->line = r->error.line;
		memcpy(t->why, r->error.text, sizeof(t->why));
		r->error = (struct sieve_error){ 0 };
	}
	r->returned = false;
	report(t);
	t->test = SPAN_NONE;
	return 0;
}

static int
run_test_fail(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct span why;

	if (string_at(r, n, 0, &why) == -1)
		return -1;
	if (t->test.p == NULL)
		return sieve_run_fail(r, n, "%.*s", SPAN_ARG(why));
	snprintf(t->why, sizeof(t->why), "%.*s", SPAN_ARG(why.n == 0 ? SPAN("failed") : why));
	t->line = n->line;
	r->returned = true;
	return 0;
}

/* ---- the message ---- */

static int
run_test_set(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct span object, value;

	if (string_at(r, n, 0, &object) == -1 || string_at(r, n, 1, &value) == -1)
		return -1;
	if (span_ieq(object, SPAN("message"))) {
		value = tester_mail_lines(t, value);
		if (value.p == NULL || !tester_set_message(t, value))
			return no_memory(r, n);
		r->flags = SPAN_NONE;
		if (sieve_message_use(r, n, &t->message) == -1)
			return -1;
		return 0;
	}
	value = arena_dup(t->a, sieve_path_bare(value));
	if (value.p == NULL)
		return no_memory(r, n);
	if (span_ieq(object, SPAN("envelope.from")))
		t->message.sender = value;
	else if (span_ieq(object, SPAN("envelope.to")))
		t->message.recipient = value;
	else if (span_ieq(object, SPAN("envelope.orig_to")))
		t->message.orig_recipient = value;
	else if (span_ieq(object, SPAN("envelope.auth")))
		t->message.auth_user = value;
	else
		return sieve_run_fail(r, n, "\"%.*s\" can not be set", SPAN_ARG(span_sub(object, 0, 60)));
	if (sieve_message_use(r, n, &t->message) == -1)
		return -1;
	return 0;
}

/* 1: the message is there, and is the one at work now. */
static int
find_message(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *folder = sieve_tag_get(n, TAG_FOLDER);
	struct sieve_tester *t = tester_of(r);
	const struct tester_message *m = t->sent;
	uint64_t idx = n->pos[0]->number;
	struct span auth = t->message.auth_user, from = t->message.sender, to = t->message.recipient;

	if (folder != NULL) {
		struct tester_mailbox *box;
		struct span name;

		if (sieve_run_string(r, n, folder->value->strings[0], &name) == -1)
			return -1;
		box = tester_mailbox_get(t, name);
		m = box == NULL ? NULL : box->messages;
	}
	while (m != NULL && idx-- > 0)
		m = m->next;
	if (m == NULL)
		return 0;
	if (!tester_set_message(t, m->text))
		return no_memory(r, n);
	t->message.auth_user = auth;
	t->message.sender = folder != NULL ? from : m->from;
	t->message.recipient = folder != NULL ? to : m->to;
	if (sieve_message_use(r, n, &t->message) == -1)
		return -1;
	r->flags = m->flags;
	return 1;
}

static int
run_test_message(struct sieve_run *r, const struct sieve_node *n)
{
	int rc = find_message(r, n);

	return rc == 0 ? sieve_run_fail(r, n, "there is no such message") : rc == -1 ? -1 : 0;
}

static int
run_test_mailbox(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *use = sieve_tag_get(n, TAG_SPECIALUSE), *id = sieve_tag_get(n, TAG_MAILBOXID);
	struct sieve_tester *t = tester_of(r);
	struct tester_mailbox *box;
	struct span name;

	if (string_at(r, n, 0, &name) == -1)
		return -1;
	if (span_ieq(n->name, SPAN("test_mailbox_delete")) || sieve_tag_get(n, TAG_DELETE) != NULL) {
		box = tester_mailbox_get(t, name);
		if (box == NULL)
			return sieve_run_fail(r, n, "there is no mailbox \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
		box->deleted = true;
		return 0;
	}
	box = tester_mailbox_add(t, name);
	if (box == NULL)
		return no_memory(r, n);
	if (use != NULL)
		box->special_use = use->value->strings[0];
	if (id != NULL)
		box->id = id->value->strings[0];
	return 0;
}

static int
run_metadata_set(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *mailbox = sieve_tag_get(n, TAG_MAILBOX);
	struct sieve_tester *t = tester_of(r);
	struct span box = SPAN(""), name, value;

	if (string_at(r, n, 0, &name) == -1 || string_at(r, n, 1, &value) == -1 ||
	    (mailbox != NULL && sieve_run_string(r, n, mailbox->value->strings[0], &box) == -1))
		return -1;
	return tester_pair_set(t, &t->metadata, box, name, value) ? 0 : no_memory(r, n);
}

/* ---- settings ---- */

static int
run_config_set(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	const struct span here = SPAN("${tst.path}");
	struct span name, value;

	if (string_at(r, n, 0, &name) == -1 || string_at(r, n, 1, &value) == -1)
		return -1;
	/* Also in a test without "variables". */
	if (span_starts(value, here)) {
		value = span_from(value, here.n);
		value = span_str(arena_printf(t->a, "%.*s%.*s", SPAN_ARG(t->io->dir), SPAN_ARG(value)));
	}
	return value.p != NULL && tester_pair_set(t, &t->settings, SPAN(""), name, value) ? 0 : no_memory(r, n);
}

static int
run_config_unset(struct sieve_run *r, const struct sieve_node *n)
{
	struct tester_pair *p;
	struct span name;

	if (string_at(r, n, 0, &name) == -1)
		return -1;
	p = tester_pair_get(tester_of(r)->settings, SPAN(""), name);
	if (p != NULL)
		p->removed = true;
	return 0;
}

/* Settings are looked at when they are needed: all but the set of extensions, the size of this script's variables, the user's address. */
static int
run_config_reload(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct tester_pair *p = tester_pair_get(t->settings, SPAN(""), SPAN("sieve_extensions"));
	struct span bad;

	if (p != NULL && !sieve_extset_parse(&t->available, p->value, &bad))
		return sieve_run_fail(r, n, "there is no extension \"%.*s\"", SPAN_ARG(span_sub(bad, 0, 60)));
	extset_remove(&t->available, EXT_TESTSUITE);
	r->limits.variable_octets = tester_limits(t).variable_octets;
	t->host.user_address = sieve_setting_text(&t->host, "sieve_user_email");
	return 0;
}

/* ---- scripts and results ---- */

static void
reset_result(struct sieve_run *r)
{
	struct sieve_tester *t = tester_of(r);

	t->result = NULL;
	t->has_result = false;
	t->done = NULL;
	t->kept = false;
	r->actions = NULL;
	r->tail = &r->actions;
	r->action_count = r->redirect_count = 0;
	r->keep = true;
	r->vacation = false;
	r->notes = NULL;
	r->reports = NULL;
}

static struct sieve_compile_options
options_of(struct sieve_tester *t)
{
	struct sieve_extset available = t->available;

	/* A script may say that its test has failed. */
	extset_add(&available, EXT_TESTSUITE);
	return (struct sieve_compile_options){
		.available = available, .available_global = available, .host = &t->host, .test_fails = true,
		.includes = sieve_setting_number(&t->host, "sieve_include_max_includes", 0),
		.include_depth = (unsigned)sieve_setting_number(&t->host, "sieve_include_max_nesting_depth", 0),
		.variables = tester_limits(t).variables,
	};
}

static void
on_error(void *ctx, const struct sieve_error *error)
{
	tester_error(ctx, error->text);
}

static int
compile(struct sieve_run *r, const struct sieve_node *n, struct span name, struct sieve_script **out)
{
	struct sieve_tester *t = tester_of(r);
	struct sieve_compile_options options = options_of(t);
	struct sieve_error error;
	struct err e = ERR_INIT;
	struct span text;

	if (t->io->read(t->io->ctx, name, t->a, &text, &e) == -1)
		return sieve_run_fail(r, n, "\"%.*s\" can not be read", SPAN_ARG(span_sub(name, 0, 100)));
	t->error_count = 0;
	options.on_error = on_error;
	options.on_error_ctx = t;
	*out = sieve_compile_with(text, &options, &error);
	if (*out == NULL) {
		if (t->error_count == 0)
			tester_error(t, error.text);
		tester_error(t, "the script is not valid");
	}
	return *out != NULL;
}

static int
test_script_compile(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct span name;

	if (string_at(r, n, 0, &name) == -1)
		return -1;
	sieve_script_free(t->script);
	t->script = NULL;
	return compile(r, n, name, &t->script);
}

/* The script that was compiled, to a binary and back; binaries have names, and are in memory. */
static int
run_binary(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct sieve_compile_options options = options_of(t);
	struct buf out = BUF_INIT(SIEVE_BINARY_MAX);
	struct sieve_stamp stamp = { .size = 0 };
	const struct tester_pair *p;
	struct sieve_script *loaded;
	struct sieve_error error;
	struct span name;
	int rc;

	if (string_at(r, n, 0, &name) == -1)
		return -1;
	if (span_ieq(n->name, SPAN("test_binary_save")) || sieve_tag_get(n, TAG_SAVE) != NULL) {
		if (t->script == NULL)
			return sieve_run_fail(r, n, "no script was compiled");
		rc = sieve_script_dump(t->script, &stamp, &out) == 0 && tester_pair_set(t, &t->binaries, SPAN(""), name, buf_span(&out)) ?
		    0 : sieve_run_fail(r, n, "the binary can not be made");
		buf_clear(&out);
		return rc;
	}
	p = tester_pair_get(t->binaries, SPAN(""), name);
	if (p == NULL)
		return sieve_run_fail(r, n, "there is no binary \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
	loaded = sieve_script_load(p->value, &options, &error);
	if (loaded == NULL)
		return sieve_run_fail(r, n, "%s", error.text);
	sieve_script_free(t->script);
	t->script = loaded;
	return 0;
}

static int
run_one(struct sieve_run *r, const struct sieve_script *s, struct filter_action **out)
{
	struct sieve_tester *t = tester_of(r);
	struct sieve_limits limits = tester_limits(t);
	struct sieve_error error = { 0 };

	if (sieve_script_run(s, r->message, &t->host, &limits, t->a, out, &error) == 0)
		return 1;
	tester_error(t, error.text);
	return 0;
}

/* As in a sequence of scripts: what was wanted before is not wanted again.  What saves where a keep does is called a keep. */
static void
add_result(struct sieve_tester *t, struct filter_action *actions)
{
	struct filter_action **tail = &t->result, *next;

	while (*tail != NULL)
		tail = &(*tail)->next;
	for (struct filter_action *x = actions; x != NULL; x = next) {
		struct filter_action *known = sieve_action_known(t->result, x, t->host.keep_mailbox);

		next = x->next;
		x->next = NULL;
		if (known == NULL) {
			*tail = x;
			tail = &x->next;
		} else if (x->keep && x->verb != NULL) {
			known->verb = x->verb;
		}
	}
	t->has_result = true;
}

static int
test_script_run(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct filter_action *actions;

	if (t->script == NULL)
		return sieve_run_fail(r, n, "no script was compiled");
	if (sieve_tag_get(n, TAG_APPEND_RESULT) == NULL)
		reset_result(r);
	t->error_count = 0;
	if (run_one(r, t->script, &actions) == 0)
		return 0;
	add_result(t, actions);
	return 1;
}

/* What there is to do: of the script that was run, or of the test itself, whose implicit keep is not in its list. */
static int
execute(struct sieve_run *r)
{
	static const struct filter_action keep = { .kind = FILTER_SAVE, .keep = true };
	struct sieve_tester *t = tester_of(r);
	struct filter_action *from = t->has_result ? t->result : r->actions, *last;
	bool rest = !t->has_result && r->keep;
	int rc;

	for (last = from; last != NULL && last->next != NULL; last = last->next)
		;
	/* What was done already is not done again. */
	for (struct filter_action *x = from; x != NULL && t->done != NULL; x = x->next)
		if (x == t->done) {
			from = x->next;
			break;
		}
	rc = tester_execute(t, from);
	t->done = last != NULL ? last : t->done;
	if (rc != -1 && rest && !t->kept) {
		struct filter_action implicit = keep;

		if (sieve_run_implicit_keep(r, &implicit) == -1 || tester_execute(t, &implicit) == -1)
			return -1;
	}
	return rc;
}

static int
test_result_execute(struct sieve_run *r, const struct sieve_node *n)
{
	int rc = execute(r);

	return rc == -1 ? no_memory(r, n) : rc;
}

static int
test_multiscript(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_tester *t = tester_of(r);
	struct sieve_limits limits = tester_limits(t);
	struct sieve_chain chain;
	int rc = 1;

	reset_result(r);
	sieve_chain_begin(&chain, r->message, &t->host, &limits, t->a);
	for (size_t i = 0; i < n->pos[0]->count && rc == 1; i++) {
		struct sieve_script *script = NULL;
		struct sieve_error error;
		struct span name;

		rc = sieve_run_string(r, n, n->pos[0]->strings[i], &name) == -1 ? -1 : compile(r, n, name, &script);
		if (rc == 1 && sieve_chain_run(&chain, script, &error) == -1) {
			tester_error(t, error.text);
			rc = 0;
		}
		sieve_script_free(script);
	}
	if (rc == -1 || sieve_chain_end(&chain, &t->result) == -1)
		return rc == -1 ? -1 : no_memory(r, n);
	t->has_result = true;
	return rc == 1 ? test_result_execute(r, n) : rc;
}

static int
run_result_reset(struct sieve_run *r, const struct sieve_node *n)
{
	reset_result(r);
	tester_of(r)->sent = NULL;
	/* What the test's own actions have made of the message is a result, too. */
	return sieve_message_use(r, n, &tester_of(r)->message);
}

static int
run_result_print(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return 0;
}

/* ---- test_error, test_result_action ---- */

/* The values at :index, or all. */
static int
match_values(struct sieve_run *r, const struct sieve_node *n, const struct span *values, size_t count)
{
	const struct sieve_tagged *index = sieve_tag_get(n, TAG_INDEX);
	struct sieve_matching x;
	int rc = 0;

	if (sieve_matching_begin(&x, r, n, n->pos[0]) == -1)
		return -1;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (index == NULL || index->value->number == i + 1)
			rc = sieve_matching_value(&x, values[i]);
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static int
test_test_error(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tester *t = tester_of(r);

	return match_values(r, n, t->errors, t->error_count);
}

static int
test_result_action(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tester *t = tester_of(r);
	const struct filter_action *before = NULL;
	struct span names[256];
	size_t count = 0;

	/* A notification to several is one action. */
	for (const struct filter_action *x = t->has_result ? t->result : r->actions; x != NULL && count < 256; before = x, x = x->next)
		if (x->verb != NULL && !filter_does_nothing(x->kind) &&
		    (before == NULL || x->kind != FILTER_SEND || before->kind != FILTER_SEND || before->text.p != x->text.p))
			names[count++] = strcmp(x->verb, "fileinto") == 0 ? SPAN("store") : span_str(x->verb);
	return match_values(r, n, names, count);
}

/* ---- words ---- */

static const struct sieve_tag_use message_tags[] = {
	{ TAG_SMTP, EXT_TESTSUITE }, { TAG_FOLDER, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use mailbox_tags[] = {
	{ TAG_CREATE, EXT_TESTSUITE }, { TAG_DELETE, EXT_TESTSUITE }, { TAG_SPECIALUSE, EXT_TESTSUITE },
	{ TAG_MAILBOXID, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use metadata_tags[] = { { TAG_MAILBOX, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use reload_tags[] = { { TAG_EXTENSION, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use binary_tags[] = {
	{ TAG_LOAD, EXT_TESTSUITE }, { TAG_SAVE, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use run_tags[] = { { TAG_APPEND_RESULT, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use match_tags[] = { SIEVE_MATCH_TAGS, { TAG_INDEX, EXT_TESTSUITE }, { TAG_NONE, EXT_CORE } };

#define WORD(word, arguments) .name = word, .ext = EXT_TESTSUITE, .args = arguments, .check = check_here
#define TEST(word, arguments) WORD(word, arguments), .is_test = true
#define MATCH(word) .name = word, .is_test = true, .ext = EXT_TESTSUITE, .args = "L", .tags = match_tags, .check = check_match_here

const struct sieve_word sieve_words_tester[] = {
	{ WORD("test", "S"), .block = true, .run = run_test },
	{ .name = "test_fail", .ext = EXT_TESTSUITE, .args = "S", .check = check_fail_here, .run = run_test_fail },
	{ WORD("test_set", "SS"), .run = run_test_set },
	{ WORD("test_message", "N"), .tags = message_tags, .run = run_test_message },
	{ TEST("test_message", "N"), .tags = message_tags, .run = find_message },
	{ WORD("test_mailbox", "S"), .tags = mailbox_tags, .run = run_test_mailbox },
	{ WORD("test_mailbox_create", "S"), .tags = mailbox_tags, .run = run_test_mailbox },
	{ WORD("test_mailbox_delete", "S"), .run = run_test_mailbox },
	{ WORD("test_imap_metadata_set", "SS"), .tags = metadata_tags, .run = run_metadata_set },
	{ WORD("test_config_set", "SS"), .run = run_config_set },
	{ WORD("test_config_unset", "S"), .run = run_config_unset },
	{ WORD("test_config_reload", ""), .tags = reload_tags, .run = run_config_reload },
	{ TEST("test_script_compile", "S"), .run = test_script_compile },
	{ WORD("test_binary", "S"), .tags = binary_tags, .run = run_binary },
	{ WORD("test_binary_save", "S"), .run = run_binary },
	{ WORD("test_binary_load", "S"), .run = run_binary },
	{ TEST("test_script_run", ""), .tags = run_tags, .run = test_script_run },
	{ TEST("test_multiscript", "L"), .run = test_multiscript },
	{ TEST("test_result_execute", ""), .run = test_result_execute },
	{ WORD("test_result_reset", ""), .run = run_result_reset },
	{ WORD("test_result_print", ""), .run = run_result_print },
	{ MATCH("test_result_action"), .run = test_result_action },
	{ MATCH("test_result"), .run = test_result_action },
	{ MATCH("test_error"), .run = test_test_error },
	{ .name = NULL },
};

/* ---- a whole test script ---- */

int
sieve_tester_run(struct span text, const struct sieve_tester_io *io, struct sieve_tester_result *out, struct sieve_error *error)
{
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct sieve_compile_options options = { .tests = true, .variables = TESTER_VARIABLES };
	struct sieve_tester *t = calloc(1, sizeof(*t));
	struct sieve_script *script = NULL;
	struct filter_action *actions;
	int rc = -1;

	limits.actions = limits.redirects = 1000;
	limits.steps = UINT64_MAX / 2;
	limits.variables = TESTER_VARIABLES;
	if (t == NULL || (t->a = arena_new(TESTER_MEMORY)) == NULL) {
		free(t);
		return sieve_error_set(error, 0, "out of memory");
	}
	t->io = io;
	tester_world_init(t);
	limits.variable_octets = tester_limits(t).variable_octets;
	options.host = &t->host;
	options.available = options.available_global = t->available;
	extset_add(&options.available, EXT_TESTSUITE);
	extset_add(&options.available_global, EXT_TESTSUITE);
	script = sieve_compile_with(text, &options, error);
	if (script != NULL)
		rc = sieve_script_run(script, &t->message, &t->host, &limits, t->a, &actions, error);
	*out = t->count;
	sieve_script_free(script);
	sieve_script_free(t->script);
	arena_free(t->a);
	free(t);
	return rc;
}
