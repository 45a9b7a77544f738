/* SPDX-License-Identifier: MIT */
/* Extensions that ask the host: what it answers, and what they make of it. */
#include <stdio.h>
#include <stdlib.h>

#include "lib-filter/sieve/match.h"
#include "lib-filter/sieve/script.h"
#include "lib-filter/sieve/setting.h"
#include "testing.h"

#define NOW 1700000000		/* Tue, 14 Nov 2023 22:13:20 +0000 */

static const char mail[] =
    "Received: from a by b; Tue, 14 Nov 2023 10:00:00 +0200\n"
    "Received: from c by a; Mon, 13 Nov 2023 23:59:59 -0500\n"
    "From: \"Ann, of Green\" <ann@example.org>\n"
    "To: Bob <bob@example.com>\n"
    "Date: Mon, 13 Nov 2023 22:30:00 -0500\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from home\n"
    "Message-ID: <m1@example.org>\n"
    "References: <r1@example.org> <r2@example.org>\n"
    "X-Tag: one\n"
    "X-Tag: two\n"
    "X-Tag: three\n"
    "\n"
    "Body.\n";

/* What the host is: each test sets what it needs. */
struct world {
	const char *const (*settings)[2];	/* up to { NULL } */
	const char *const (*scripts)[2];	/* name ("global:x" of the server), text */
	const char *marked;			/* what marks begin with that are known */
	char asked[300];			/* the last mark asked for, with its seconds */
};

static bool
on_mailbox(void *ctx, struct span name)
{
	(void)ctx;
	return span_eq(name, SPAN("INBOX")) || span_eq(name, SPAN("Work"));
}

static bool
on_use(void *ctx, struct span mailbox, struct span use)
{
	(void)ctx;
	return span_ieq(use, SPAN("\\Junk")) && (mailbox.n == 0 || span_eq(mailbox, SPAN("Spam")));
}

static bool
on_id(void *ctx, struct span id)
{
	(void)ctx;
	return span_eq(id, SPAN("F123"));
}

static bool
on_metadata(void *ctx, struct span mailbox, struct span name, struct arena *a, struct span *out)
{
	(void)ctx;
	(void)a;
	*out = mailbox.n == 0 ? SPAN("of the server") : SPAN("of the mailbox");
	return span_eq(name, SPAN("/private/comment"));
}

static bool
on_marked(void *ctx, struct span mark, int64_t seconds)
{
	struct world *w = ctx;

	snprintf(w->asked, sizeof(w->asked), "%.*s %lld", SPAN_ARG(mark), (long long)seconds);
	return w->marked != NULL && span_starts(mark, span_str(w->marked));
}

static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct world *w = ctx;

	for (size_t i = 0; w->scripts != NULL && w->scripts[i][0] != NULL; i++) {
		struct span have = span_str(w->scripts[i][0]);
		bool is_global = span_starts(have, SPAN("global:"));

		if (is_global != personal && span_eq(is_global ? span_from(have, 7) : have, name)) {
			*out = arena_dup(a, span_str(w->scripts[i][1]));
			return 0;
		}
	}
	return err_set(e, ERR_NOTFOUND, "no such script");
}

static bool
on_environment(void *ctx, struct span name, struct arena *a, struct span *out)
{
	(void)ctx;
	(void)a;
	*out = SPAN("192.0.2.1");
	return span_eq(name, SPAN("remote-ip"));
}

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	const struct world *w = ctx;

	for (size_t i = 0; w->settings != NULL && w->settings[i][0] != NULL; i++) {
		if (strcmp(w->settings[i][0], name) == 0) {
			*out = span_str(w->settings[i][1]);
			return true;
		}
	}
	return false;
}

static int64_t
on_now(void *ctx)
{
	(void)ctx;
	return NOW;
}

static void
put_actions(struct buf *out, const struct filter_action *actions)
{
	static const char *const names[] = { "save", "file", "redirect", "reject", "send", "send", "pipe", "mark" };
	size_t told = 0;

	for (const struct filter_action *x = actions; x != NULL; x = x->next) {
		if (x->kind == FILTER_DISCARD)
			continue;
		if (told++ > 0)
			buf_adds(out, "; ");
		buf_adds(out, x->keep ? "keep" : names[x->kind]);
		if (x->target.n > 0)
			buf_addf(out, " %.*s", SPAN_ARG(x->target));
		if (x->special_use.n > 0)
			buf_addf(out, " use %.*s", SPAN_ARG(x->special_use));
		if (x->mailbox_id.n > 0)
			buf_addf(out, " id %.*s", SPAN_ARG(x->mailbox_id));
		if (x->mark.n > 0)
			buf_addf(out, " for %lld", (long long)x->mark_seconds);
	}
	if (told == 0)
		buf_adds(out, "nothing");
}

struct outcome {
	struct span text;		/* "save A; keep", or "line N: why" */
	struct filter_action *actions;
};

static struct outcome
outcome_of(struct world *w, const char *text, const char *message, const char *sender, struct arena *a)
{
	static const struct span aliases[] = { { "robert@example.com", 18 } };
	struct filter_host host = {
		.ctx = w, .mailbox_exists = on_mailbox, .special_use_exists = on_use, .mailbox_id_exists = on_id,
		.metadata = on_metadata, .is_marked = on_marked, .script = on_script, .environment = on_environment,
		.now = on_now, .setting = on_setting, .user = SPAN("bob"), .aliases = aliases, .alias_count = 1,
	};
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct sieve_compile_options options = { .host = &host };
	struct buf out = BUF_INIT(65536);
	struct sieve_script *script;
	struct outcome o = { .actions = NULL };
	struct sieve_error error;
	struct filter_message m;
	struct span bad;

	assert_true(sieve_extset_parse(&options.available, SPAN("+vacation-seconds +mboxmetadata +servermetadata +vnd.dovecot.duplicate"), &bad));
	options.available_global = options.available;
	filter_message_init(&m, span_str(message));
	m.sender = span_str(sender);
	m.recipient = SPAN("bob@example.com");
	m.orig_recipient = SPAN("all@example.com");
	script = sieve_compile_with(span_str(text), &options, &error);
	if (script == NULL) {
		buf_addf(&out, "line %u: %s", error.line, error.text);
	} else if (sieve_script_run(script, &m, &host, &limits, a, &o.actions, &error) == -1) {
		buf_addf(&out, "failed at line %u: %s: ", error.line, error.text);
		put_actions(&out, o.actions);
	} else {
		put_actions(&out, o.actions);
	}
	sieve_script_free(script);
	o.text = arena_dup(a, buf_span(&out));
	buf_clear(&out);
	return o;
}

struct script_case {
	const char *script, *want;
};

static void
run_cases(struct world *w, const struct script_case *cases, size_t count)
{
	size_t bad = 0;

	for (size_t i = 0; i < count; i++) {
		struct arena *a = arena_new(1 << 24);
		struct outcome got = outcome_of(w, cases[i].script, mail, "ann@example.org", a);

		if (!span_eq(got.text, span_str(cases[i].want))) {
			print_error("%s\n  have: %.*s\n  want: %s\n", cases[i].script, SPAN_ARG(got.text), cases[i].want);
			bad++;
		}
		arena_free(a);
	}
	assert_int_equal(bad, 0);
}

#define IF(require, test) "require [\"fileinto\"," require "];\nif " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define YES "save yes"
#define NO "save no"
#define DATE "\"date\",\"index\",\"relational\",\"variables\""

static const struct script_case dates[] = {
	{ IF(DATE, "date :originalzone \"date\" \"hour\" \"22\""), YES },
	{ IF(DATE, "date :zone \"+0000\" \"date\" \"hour\" \"03\""), YES },
	{ IF(DATE, "date :zone \"+0000\" \"date\" \"date\" \"2023-11-14\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"date\" \"2023-11-13\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"julian\" \"60261\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"iso8601\" \"2023-11-13T22:30:00-05:00\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"std11\" \"Mon, 13 Nov 2023 22:30:00 -0500\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"zone\" \"-0500\""), YES },
	{ IF(DATE, "date :zone \"+0530\" \"date\" \"time\" \"09:00:00\""), YES },
	{ IF(DATE, "date :zone \"+0530\" \"date\" \"zone\" \"+0530\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"weekday\" \"1\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"year\" \"2023\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"month\" \"11\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"day\" \"13\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"minute\" \"30\""), YES },
	{ IF(DATE, "date :originalzone \"date\" \"second\" \"00\""), YES },
	{ IF(DATE, "date :originalzone \"subject\" \"year\" \"2023\""), NO },
	{ IF(DATE, "date :originalzone \"received\" \"hour\" \"10\""), YES },
	{ IF(DATE, "date :originalzone \"received\" \"hour\" \"23\""), NO },
	{ IF(DATE, "date :index 1 :originalzone \"received\" \"hour\" \"23\""), NO },
	{ IF(DATE, "date :index 1 :last :originalzone \"received\" \"hour\" \"23\""), YES },
	{ IF(DATE, "date :index 2 :originalzone \"received\" \"hour\" \"23\""), YES },
	{ IF(DATE, "date :index 3 :originalzone \"received\" \"hour\" \"23\""), NO },
	{ IF(DATE, "date :value \"ge\" :originalzone \"date\" \"hour\" \"22\""), YES },
	{ IF(DATE, "date :count \"eq\" \"received\" \"hour\" \"1\""), YES },
	{ IF(DATE, "currentdate :zone \"+0000\" \"iso8601\" \"2023-11-14T22:13:20Z\""), YES },
	{ IF(DATE, "currentdate :zone \"-1130\" \"time\" \"10:43:20\""), YES },
	{ IF(DATE, "currentdate :zone \"+0200\" :value \"ge\" \"date\" \"2023-11-15\""), YES },
	{ IF(DATE, "currentdate :zone \"+0000\" \"julian\" \"60262\""), YES },
	{ IF(DATE, "currentdate :zone \"${x}\" \"year\" \"2023\""), NO },
	{ IF(DATE, "date \"date\" \"week\" \"1\""), "line 2: date: a date has no \"week\"" },
	{ IF(DATE, "date :zone \"CET\" \"date\" \"year\" \"1\""), "line 2: date: a zone is written as \"+0100\"" },
	{ IF(DATE, "date :zone \"+0000\" :originalzone \"date\" \"year\" \"1\""), "line 2: date: :originalzone and :zone can not be together" },
	{ IF(DATE, "currentdate :originalzone \"year\" \"1\""), 
	    "line 2: unknown tagged argument ':originalzone' for the currentdate test (it takes no such tag)" },
	{ IF(DATE, "currentdate \"date\" \"year\" \"1\""), "line 2: currentdate: there are too many arguments" },
	/* index: RFC 5260 section 6 */
	{ IF(DATE, "header :index 2 \"x-tag\" \"two\""), YES },
	{ IF(DATE, "header :index 2 \"x-tag\" \"one\""), NO },
	{ IF(DATE, "header :index 1 :last \"x-tag\" \"three\""), YES },
	{ IF(DATE, "header :last :index 3 \"x-tag\" \"one\""), YES },
	{ IF(DATE, "header :index 4 \"x-tag\" \"three\""), NO },
	{ IF(DATE, "header :index 4 :last \"x-tag\" \"one\""), NO },
	{ IF(DATE, "header :index 4 [\"x-tag\", \"subject\"] [\"two\", \"gr\xc3\xbc\xc3\x9f" "e from home\"]"), YES },
	{ IF(DATE, "address :index 1 :last :localpart [\"from\", \"to\"] \"bob\""), YES },
	{ IF(DATE, "header :last \"x-tag\" \"one\""), "line 2: header: :last needs :index" },
	{ IF(DATE, "header :index 0 \"x-tag\" \"one\""), "line 2: header: :index counts from 1" },
	{ IF("\"date\"", "header :index 1 \"x-tag\" \"one\""), "line 2: header: :index needs require \"index\"" },
};

static void
test_dates(void **state)
{
	struct world w = { .settings = NULL };

	(void)state;
	run_cases(&w, dates, COUNT(dates));
}

#define ENV "\"environment\",\"relational\",\"variables\""
#define META "\"mailbox\",\"mboxmetadata\",\"servermetadata\",\"special-use\",\"mailboxid\""

static const struct script_case asks[] = {
	{ IF(ENV, "environment \"remote-ip\" \"192.0.2.1\""), YES },
	{ IF(ENV, "environment :matches \"location\" \"M?A\""), YES },
	{ IF(ENV, "environment \"name\" \"Culver\""), YES },
	{ IF(ENV, "environment :contains \"version\" \".\""), YES },
	{ IF(ENV, "environment \"phase\" \"during\""), YES },
	{ IF(ENV, "environment :contains \"nothing\" \"\""), NO },
	{ IF(ENV, "environment :count \"eq\" \"name\" \"1\""), YES },
	{ IF(META, "mailboxexists \"Work\""), YES },
	{ IF(META, "mailboxexists [\"Work\", \"Play\"]"), NO },
	{ IF(META, "mailboxexists [\"Work\", \"INBOX\"]"), YES },
	{ IF(META, "metadata \"Work\" \"/private/comment\" \"of the mailbox\""), YES },
	{ IF(META, "metadata \"Work\" \"/private/other\" \"\""), NO },
	{ IF(META, "metadata :contains \"Work\" \"/comment\" \"\""), NO },
	{ IF(META, "metadataexists \"Work\" [\"/private/comment\"]"), YES },
	{ IF(META, "metadataexists \"Work\" [\"/private/comment\", \"/private/x\"]"), NO },
	{ IF(META, "servermetadata :contains \"/private/comment\" \"server\""), YES },
	{ IF(META, "servermetadataexists \"/private/comment\""), YES },
	{ IF(META, "servermetadataexists \"/private//comment\""), NO },
	{ "require [\"fileinto\",\"mailboxid\",\"special-use\"]; fileinto :mailboxid \"x\" :specialuse \"\\\\Junk\" \"Work\";",
	    "line 1: fileinto: :specialuse and :mailboxid can not be together" },
	{ IF(META, "specialuse_exists \"\\\\Junk\""), YES },
	{ IF(META, "specialuse_exists \"Spam\" \"\\\\junk\""), YES },
	{ IF(META, "specialuse_exists \"Work\" \"\\\\Junk\""), NO },
	{ IF(META, "specialuse_exists [\"\\\\Junk\", \"\\\\Trash\"]"), NO },
	{ IF(META, "mailboxidexists \"F123\""), YES },
	{ IF(META, "mailboxidexists [\"F123\", \"F9\"]"), NO },
	{ IF("\"fileinto\"", "mailboxexists \"Work\""), "line 2: mailboxexists: needs require \"mailbox\"" },
	{ "require [\"fileinto\"," META "]; fileinto :specialuse \"\\\\Junk\" :create \"Spam\"; fileinto :mailboxid \"F1\" \"Work\";",
	    "save Spam use \\Junk; save Work id F1" },
	/* ihave: RFC 5463 */
	{ IF("\"ihave\"", "ihave \"fileinto\""), YES },
	{ IF("\"ihave\"", "ihave \"unheard-of\""), NO },
	{ IF("\"ihave\"", "ihave [\"fileinto\", \"unheard-of\"]"), NO },
	{ "require \"ihave\"; if ihave \"unheard-of\" { jump :high \"up\"; } else { discard; }", "nothing" },
	{ "require \"ihave\"; if allof (ihave \"unheard-of\", jumping \"x\") { jump; } discard;", "nothing" },
	{ "require \"ihave\"; if anyof (ihave \"copy\", jumping \"x\") { redirect :copy \"a@example.org\"; } else { jump; }",
	    "redirect a@example.org; keep" },
	{ "require \"ihave\"; if not ihave \"copy\" { jump; } elsif ihave \"fileinto\" { fileinto \"x\"; } else { jump; }", "save x" },
	{ "require \"ihave\"; if ihave \"unheard-of\" { jump; } jump;", "line 1: jump is no command" },
	{ "require \"ihave\"; if ihave \"copy\" {} redirect :copy \"a@example.org\";", "redirect a@example.org; keep" },
	{ "require \"ihave\"; redirect :copy \"a@example.org\";", "line 1: redirect: :copy needs require \"copy\"" },
	{ "require \"ihave\"; if true { error \"It is not for me.\"; }", "failed at line 1: error: It is not for me.: keep" },
	{ "error \"x\";", "line 1: error: needs require \"ihave\"" },
	/* duplicate: RFC 7352 */
	{ IF("\"duplicate\"", "duplicate"), "mark for 43200; save no" },
	{ IF("\"duplicate\"", "anyof (duplicate, duplicate)"), "mark for 43200; save no" },
	{ IF("\"duplicate\"", "duplicate :seconds 60"), "mark for 60; save no" },
	{ IF("\"duplicate\"", "duplicate :seconds 10000000"), "mark for 172800; save no" },
	{ IF("\"duplicate\"", "duplicate :header \"x-nothing\""), "save no" },
	{ IF("\"duplicate\"", "anyof (duplicate :header \"x-tag\", duplicate :handle \"a\" :uniqueid \"b\")"),
	    "mark for 43200; mark for 43200; save no" },
	{ IF("\"duplicate\"", "duplicate :header \"a\" :uniqueid \"b\""), "line 2: duplicate: :uniqueid and :header can not be together" },
	{ IF("\"vnd.dovecot.duplicate\"", "duplicate :handle \"h\" :seconds 60"), "mark for 60; save no" },
	{ IF("\"vnd.dovecot.duplicate\"", "duplicate :handle \"h\" :value \"v\""), "mark for 43200; save no" },
	{ IF("\"vnd.dovecot.duplicate\"", "duplicate :header \"a\" :value \"v\""), "line 2: duplicate: :value and :header can not be together" },
	{ IF("\"duplicate\", \"vnd.dovecot.duplicate\"", "duplicate"),
	    "line 1: require: \"vnd.dovecot.duplicate\" and \"duplicate\" can not be together" },
	{ IF("\"duplicate\"", "duplicate :header \"a b\""), "line 2: duplicate: the field name \"a b\" is invalid" },
};

static void
test_asks(void **state)
{
	static const struct script_case again[] = {
		{ IF("\"duplicate\"", "duplicate"), "save yes" },
		{ IF("\"duplicate\"", "duplicate :last"), "mark for 43200; save yes" },
	};
	struct world w = { .settings = NULL };

	(void)state;
	run_cases(&w, asks, COUNT(asks));
	w.marked = "duplicate ";
	run_cases(&w, again, COUNT(again));
}

/* RFC 6609 */
static const char *const scripts[][2] = {
	{ "file", "require \"fileinto\"; fileinto \"file\";" },
	{ "global:file", "require \"fileinto\"; fileinto \"server's\";" },
	{ "return", "require [\"fileinto\", \"include\"]; if true { return; } fileinto \"never\";" },
	{ "stop", "stop;" },
	{ "self", "require \"include\"; include \"self\";" },
	{ "a", "require \"include\"; include \"b\";" },
	{ "b", "require \"include\"; include \"a\";" },
	{ "wrong", "keep;\njump;" },
	{ "torn", "keep" },
	{ "setter", "require [\"include\", \"variables\"]; global [\"X\"]; set \"x\" \"out\"; set \"y\" \"in\"; set \"global.z\" \"deep\";" },
	{ "deep1", "require \"include\"; include \"deep2\";" }, { "deep2", "require \"include\"; include \"deep3\";" },
	{ "deep3", "require \"include\"; include \"deep4\";" }, { "deep4", "require \"include\"; include \"deep5\";" },
	{ "deep5", "require \"include\"; include \"deep6\";" }, { "deep6", "require \"include\"; include \"deep7\";" },
	{ "deep7", "require \"include\"; include \"deep8\";" }, { "deep8", "require \"include\"; include \"deep9\";" },
	{ "deep9", "require \"include\"; include \"deep10\";" }, { "deep10", "require \"include\"; include \"deep11\";" },
	{ "deep11", "keep;" },
	{ NULL, NULL },
};

static const struct script_case includes[] = {
	{ "require \"include\"; include \"file\";", "save file" },
	{ "require \"include\"; include :personal \"file\";", "save file" },
	{ "require \"include\"; include :global \"file\"; include \"file\";", "save server's; save file" },
	{ "require \"include\"; include \"file\"; include \"file\"; keep;", "save file; keep" },
	{ "require \"include\"; include :global \"stop\";", "line 1: include: there is no script \"stop\"" },
	{ "require \"include\"; include :global :optional \"stop\";", "keep" },
	{ "require \"include\"; include \"return\"; discard;", "nothing" },
	{ "require \"include\"; include \"stop\"; discard;", "keep" },
	{ "require \"include\"; return; discard;", "keep" },
	{ "require \"include\"; include \"self\";", "line 1: in the included script \"self\": include: \"self\" includes itself" },
	{ "require \"include\"; include \"a\";", "line 1: in the included script \"b\": include: \"a\" includes itself" },
	{ "require \"include\"; include \"wrong\";", "line 2: in the included script \"wrong\": jump is no command" },
	{ "require \"include\"; include \"torn\";", "line 1: in the included script \"torn\": the script ends where \";\" or \"{\" is expected" },
	{ "require \"include\"; include \"../x\";", "line 1: include: \"../x\" is no name of a script" },
	{ "require [\"include\",\"variables\"]; include \"${x}\";", "line 1: include: the name of a script has no variables" },
	{ "require [\"include\",\"variables\",\"fileinto\"]; global \"x\"; set \"y\" \"mine\"; include \"setter\"; "
	    "fileinto \"${x} ${y} ${global.z}.\";", "save out mine deep." },
	{ "require [\"include\",\"variables\",\"fileinto\"]; include \"setter\"; fileinto \"${x}${global.x}.\";", "save out." },
	{ "require [\"include\",\"variables\"]; global \"1\";", "line 1: global: \"1\" is no name of a variable" },
	{ "require \"include\"; global \"x\";", "line 1: global: needs require \"variables\"" },
	{ "require \"variables\"; set \"global.x\" \"1\";", "line 1: set: \"global.x\" is no name of a variable" },
	{ "require [\"include\",\"fileinto\",\"variables\"]; if header :matches \"x-tag\" \"*\" { include \"file\"; fileinto \"${1}\"; }",
	    "save file; save one" },
	{ "require [\"imap4flags\",\"variables\"]; addflag \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" "
	    "\"x\";", "line 1: addflag: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is no name of a variable" },
};

static void
test_includes(void **state)
{
	struct world w = { .scripts = scripts };
	struct arena *a = arena_new(1 << 24);
	struct outcome o;

	(void)state;
	run_cases(&w, includes, COUNT(includes));
	o = outcome_of(&w, "require \"include\"; include \"deep2\";", mail, "ann@example.org", a);
	assert_span(o.text, "keep");
	o = outcome_of(&w, "require \"include\"; include \"deep1\";", mail, "ann@example.org", a);
	assert_span(o.text, "line 1: in the included script \"deep10\": include: scripts include each other too deeply");
	arena_free(a);
}

/* ---- vacation ---- */

/* The text of the answer, or why there is none ("keep"). */
static struct span
answer(struct world *w, const char *script, const char *message, const char *sender, struct arena *a)
{
	struct outcome o = outcome_of(w, script, message, sender, a);

	for (const struct filter_action *x = o.actions; x != NULL; x = x->next)
		if (x->kind == FILTER_ANSWER)
			return x->text;
	return o.text;
}

#define V "require [\"vacation\",\"vacation-seconds\",\"variables\"]; "

static void
test_vacation_text(void **state)
{
	struct world w = { .settings = NULL };
	struct arena *a = arena_new(1 << 24);
	struct outcome o = outcome_of(&w, V "vacation \"Away.\nReally.\";", mail, "ann@example.org", a);
	struct span text;

	(void)state;
	assert_span(o.text, "send ann@example.org for 604800; keep");
	assert_int_equal(o.actions->sender.n, 0);
	text = o.actions->text;
	assert_true(span_starts(text, SPAN("Message-ID: <vacation-")));
	assert_true(span_find(text, SPAN("\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: bob@example.com\r\nTo: <ann@example.org>\r\n"
	    "Subject: =?utf-8?")) != SIZE_MAX || span_find(text, SPAN("Subject: =?UTF-8?")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("\r\nIn-Reply-To: <m1@example.org>\r\nReferences: <r1@example.org>\r\n <r2@example.org>\r\n "
	    "<m1@example.org>\r\nAuto-Submitted: auto-replied (vacation)\r\n")) != SIZE_MAX);
	assert_true(span_ends(text, SPAN("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	    "Away.\r\nReally.\r\n")));
	text = answer(&w, V "vacation :subject \"Not\there\r\nBcc: x@example.org\" :from \"Bob <robert@example.net>\" \"Caf\xc3\xa9\";", mail,
	    "ann@example.org", a);
	assert_true(span_find(text, SPAN("\r\nFrom: Bob <robert@example.net>\r\n")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("\r\nSubject: Not hereBcc: x@example.org\r\n")) != SIZE_MAX);
	assert_true(span_ends(text, SPAN("quoted-printable\r\n\r\nCaf=C3=A9\r\n")));
	text = answer(&w, V "vacation :mime text:\nContent-Type: text/html\nTo: other@example.org\nContent-Language: en\n\n<p>Away\n.\n;", mail,
	    "ann@example.org", a);
	assert_true(span_ends(text, SPAN("\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\nContent-Language: en\r\n\r\n<p>Away\r\n")));
	assert_true(span_find(text, SPAN("other@example.org")) == SIZE_MAX);
	text = answer(&w, V "vacation :from \"\\\"B\xc3\xb6" "b\\\" <bob@example.net>\" \"x\";", mail, "ann@example.org", a);
	assert_true(span_find(text, SPAN("\r\nFrom: =?")) != SIZE_MAX && span_find(text, SPAN("?= <bob@example.net>\r\n")) != SIZE_MAX);
	arena_free(a);
}

#define TO "From: ann@example.org\nTo: bob@example.com\nSubject: x\n"

/* RFC 3834 section 2, RFC 5230 sections 4.5, 4.6 */
static void
test_vacation_rules(void **state)
{
	static const struct {
		const char *message, *sender, *script;
		bool answered;
	} rules[] = {
		{ TO "\n", "ann@example.org", NULL, true },
		{ TO "\n", "", NULL, false },
		{ TO "\n", "mailer-daemon@example.org", NULL, false },
		{ TO "\n", "MAILER-DAEMON@example.org", NULL, false },
		{ TO "\n", "owner-list@example.org", NULL, false },
		{ TO "\n", "list-request@example.org", NULL, false },
		{ TO "\n", "listserv@example.org", NULL, false },
		{ TO "\n", "requester@example.org", NULL, true },
		{ TO "\n", "bob@example.com", NULL, false },
		{ TO "\n", "BOB@example.com", NULL, false },
		{ TO "\n", "robert@example.com", NULL, false },
		{ TO "\n", "bob@example.net", "vacation :addresses \"bob@example.net\" \"x\";", false },
		{ TO "List-Id: <x.example.org>\n\n", "ann@example.org", NULL, false },
		{ TO "List-Unsubscribe: <mailto:x@example.org>\n\n", "ann@example.org", NULL, false },
		{ TO "Precedence: bulk\n\n", "ann@example.org", NULL, false },
		{ TO "Precedence: LIST\n\n", "ann@example.org", NULL, false },
		{ TO "Precedence: junk\n\n", "ann@example.org", NULL, false },
		{ TO "Precedence: normal\n\n", "ann@example.org", NULL, true },
		{ TO "Auto-Submitted: auto-generated\n\n", "ann@example.org", NULL, false },
		{ TO "Auto-Submitted: auto-replied (vacation)\n\n", "ann@example.org", NULL, false },
		{ TO "Auto-Submitted: no\n\n", "ann@example.org", NULL, true },
		{ TO "X-Auto-Response-Suppress: DR, OOF\n\n", "ann@example.org", NULL, false },
		{ TO "X-Auto-Response-Suppress: DR\n\n", "ann@example.org", NULL, true },
		{ "To: all@example.com\n\n", "ann@example.org", NULL, false },
		{ "To: all@example.com\nCc: x@y.z, Bob <Bob@EXAMPLE.com>\n\n", "ann@example.org", NULL, true },
		{ "To: all@example.com\nResent-To: robert@example.com\n\n", "ann@example.org", NULL, true },
		{ "Bcc: bob@example.com\n\n", "ann@example.org", NULL, true },
		{ "X-To: bob@example.com\n\n", "ann@example.org", NULL, false },
		{ "To: all@example.com\n\n", "ann@example.org", "vacation :addresses [\"All <all@example.com>\"] \"x\";", true },
	};
	struct world w = { .settings = NULL };
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		struct arena *a = arena_new(1 << 24);
		char script[200];
		struct span got;

		snprintf(script, sizeof(script), V "%s", rules[i].script != NULL ? rules[i].script : "vacation \"x\";");
		got = answer(&w, script, rules[i].message, rules[i].sender, a);
		if (rules[i].answered == span_eq(got, SPAN("keep"))) {
			print_error("%s from %s: %.*s\n", rules[i].message, rules[i].sender, SPAN_ARG(got));
			bad++;
		}
		arena_free(a);
	}
	assert_int_equal(bad, 0);
}

static void
test_vacation_settings(void **state)
{
	static const char *const set[][2] = {
		{ "sieve_vacation_min_period", "10s" }, { "sieve_vacation_max_period", "2d" },
		{ "sieve_vacation_default_period", "1d" }, { "sieve_vacation_use_original_recipient", "yes" },
		{ "sieve_vacation_send_from_recipient", "yes" }, { "sieve_vacation_to_header_ignore_envelope", "yes" },
		{ "sieve_vacation_default_subject_template", "Away: %{subject} %$ 100%%" },
		{ "sieve_vacation_default_subject", "Gone" }, { "sieve_vacation_max_subject_codepoints", "20" }, { NULL, NULL },
	};
	static const char *const any[][2] = { { "sieve_vacation_dont_check_recipient", "yes" }, { "sieve_vacation_min_period", "0" },
		{ NULL, NULL } };
	static const struct script_case periods[] = {
		{ V "vacation :days 1 \"x\";", "send ann@example.org for 86400; keep" },
		{ V "vacation :days 400 \"x\";", "send ann@example.org for 172800; keep" },
		{ V "vacation :seconds 1 \"x\";", "send ann@example.org for 10; keep" },
		{ V "vacation :seconds 1800 \"x\";", "send ann@example.org for 1800; keep" },
		{ V "vacation \"x\"; discard;", "send ann@example.org for 86400" },
		{ V "vacation \"x\"; vacation \"y\";", "failed at line 1: vacation: there is one answer to a message: keep" },
		{ "require [\"reject\",\"vacation\"]; reject \"x\"; vacation \"y\";",
		    "failed at line 1: vacation: a message that is refused is not answered: keep" },
		{ V "vacation :days 1 :seconds 1 \"x\";", "line 1: vacation: :seconds and :days can not be together" },
		{ V "vacation :from \"x\" \"x\";", "line 1: vacation: :from takes one address" },
		{ V "vacation :from \"a@b.c, d@e.f\" \"x\";", "line 1: vacation: :from takes one address" },
		{ V "vacation :addresses \"x\" \"x\";", "line 1: vacation: \"x\" is no address" },
		{ V "vacation :from \"${x}\" \"x\";", "failed at line 1: vacation: \"\" is no address: keep" },
		{ "require \"vacation\"; vacation :seconds 1 \"x\";", "line 1: vacation: :seconds needs require \"vacation-seconds\"" },
	};
	struct world w = { .settings = set };
	struct arena *a = arena_new(1 << 24);
	char first[300];
	struct outcome o;

	(void)state;
	run_cases(&w, periods, COUNT(periods));
	o = outcome_of(&w, V "vacation \"x\";", "From: Ann <ann@example.org>\nTo: all@example.com\nSubject: abcdefghij\n\n", "bounces@example.org", a);
	assert_span(o.text, "send bounces@example.org for 86400; keep");
	assert_span(o.actions->sender, "bob@example.com");
	assert_true(span_find(o.actions->text, SPAN("\r\nTo: \"Ann\" <ann@example.org>\r\n")) != SIZE_MAX);
	assert_true(span_find(o.actions->text, SPAN("\r\nFrom: all@example.com\r\n")) != SIZE_MAX);
	assert_true(span_find(o.actions->text, SPAN("\r\nSubject: =?UTF-8?Q?Away=3A_abcdefghij_ab=E2=80=A6?=\r\n")) != SIZE_MAX);
	o = outcome_of(&w, V "vacation \"x\";", "From: Ann <ann@example.org>\nTo: all@example.com\n\n", "ann@example.org", a);
	assert_true(span_find(o.actions->text, SPAN("\r\nSubject: Gone\r\n")) != SIZE_MAX);
	/* The same answer to the same sender is the same mark; another one is another. */
	memcpy(first, w.asked, sizeof(first));
	outcome_of(&w, V "vacation \"x\";", mail, "Ann@Example.org", a);
	assert_string_equal(first, w.asked);
	outcome_of(&w, V "vacation \"y\";", mail, "ann@example.org", a);
	assert_string_not_equal(first, w.asked);
	outcome_of(&w, V "vacation :handle \"h\" \"y\";", mail, "ann@example.org", a);
	memcpy(first, w.asked, sizeof(first));
	outcome_of(&w, V "vacation :handle \"h\" \"z\";", mail, "ann@example.org", a);
	assert_string_equal(first, w.asked);
	w.marked = "vacation ";
	o = outcome_of(&w, V "vacation \"x\";", mail, "ann@example.org", a);
	assert_span(o.text, "keep");
	w.settings = any;
	o = outcome_of(&w, V "vacation :seconds 0 \"x\";", "To: x@example.org\n\n", "ann@example.org", a);
	assert_span(o.text, "send ann@example.org; keep");
	arena_free(a);
}

static void
test_setting_values(void **state)
{
	uint64_t v;
	bool b;

	(void)state;
	assert_true(sieve_parse_time(SPAN("7d"), &v) && v == 604800);
	assert_true(sieve_parse_time(SPAN(" 2 hours "), &v) && v == 7200);
	assert_true(sieve_parse_time(SPAN("30"), &v) && v == 30);
	assert_false(sieve_parse_time(SPAN("d"), &v) || sieve_parse_time(SPAN("1y"), &v) || sieve_parse_time(SPAN("-1"), &v));
	assert_true(sieve_parse_size(SPAN("1M"), &v) && v == 1 << 20);
	assert_true(sieve_parse_size(SPAN("10kB"), &v) && v == 10240);
	assert_false(sieve_parse_size(SPAN("1x"), &v) || sieve_parse_size(SPAN("1kbb"), &v) ||
	    sieve_parse_size(SPAN("9999999999999t"), &v));
	assert_true(sieve_parse_bool(SPAN("Yes"), &b) && b);
	assert_true(sieve_parse_bool(SPAN("no"), &b) && !b);
	assert_false(sieve_parse_bool(SPAN("maybe"), &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_vacation_text),
		cmocka_unit_test(test_vacation_rules),
		cmocka_unit_test(test_vacation_settings),
		cmocka_unit_test(test_setting_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
