/* SPDX-License-Identifier: MIT */
/* Scripts against one message: what they want done, or why they are refused. */
#include <stdlib.h>
#include <time.h>
#include "lib-filter/sieve/match.h"
#include "lib-filter/sieve/script.h"
#include "lib-storage/mailbox.h"
#include "sieve-rig.h"
#include "testing.h"

static const char mail[] =
    "Return-Path: <ann+list@example.org>\n"
    "Received: from a\n"
    "Received: from b\n"
    "From: \"Ann, of Green\" <ann+list@example.org>\n"
    "To: bob@Example.COM, Friends: c@example.net, d@example.net;\n"
    "Cc: not an address\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from\n home\n"
    "X-Number: 17\n"
    "X-Stars: ***\n"
    "X-Empty:\n"
    "\n"
    "Body.\n";

/* What a script does to the message, or "line N: why". */
static struct span
outcome(const char *text, struct arena *a, struct sieve_limits limits)
{
	struct buf out = BUF_INIT(65536);
	struct filter_host host = { .user = SPAN("bob") };
	struct sieve_script *script;
	struct sieve_extset all;
	struct sieve_error error;
	struct filter_message m;
	struct filter_action *actions;
	struct span bad, result;

	assert_true(sieve_extset_parse(&all, SPAN(""), &bad));
	filter_message_init(&m, span_str(mail));
	m.sender = SPAN("ann+list@example.org");
	m.recipient = SPAN("bob+work@example.com");
	script = sieve_compile(span_str(text), &all, &error);
	if (script == NULL) {
		buf_addf(&out, "line %u: %s", error.line, error.text);
	} else if (sieve_script_run(script, &m, &host, &limits, a, &actions, &error) == -1) {
		buf_addf(&out, "failed at line %u: %s: ", error.line, error.text);
		rig_put_actions(&out, actions);
	} else {
		rig_put_actions(&out, actions);
	}
	sieve_script_free(script);
	result = arena_dup(a, buf_span(&out));
	buf_clear(&out);
	return result;
}

/* A test that holds is "yes". */
#define IF(require, test) "require [\"fileinto\"" require "];\nif " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define YES "save yes"
#define NO "save no"
#define VAR ",\"variables\""
#define REL ",\"relational\",\"comparator-i;ascii-numeric\""

static const struct {
	const char *script, *want;
} cases[] = {
	/* RFC 5228 section 2.10.2: the implicit keep */
	{ "", "keep" },
	{ "# nothing", "keep" },
	{ "keep;", "keep" },
	{ "keep; keep;", "keep" },
	{ "discard;", "nothing" },
	{ "discard; keep;", "keep" },
	{ "stop; discard;", "keep" },
	{ "if true { stop; } discard;", "keep" },
	{ "redirect \"x@example.org\";", "redirect x@example.org" },
	{ "redirect \"x@example.org\"; redirect \"x@example.org\"; keep;", "redirect x@example.org; keep" },
	{ "require \"copy\"; redirect :copy \"x@example.org\";", "redirect x@example.org; keep" },
	{ "require \"fileinto\"; fileinto \"A\"; fileinto \"A\"; fileinto \"B\";", "save A; save B" },
	{ "require [\"fileinto\",\"copy\"]; fileinto :copy \"A\";", "save A; keep" },
	{ "require [\"fileinto\",\"mailbox\"]; fileinto :create \"A\";", "save A create" },
	{ "require \"reject\"; reject \"No.\";", "reject No." },
	{ "require \"ereject\"; ereject text:\nNo\n..\n.\n;", "reject No\r\n.\r\n" },
	{ "require \"reject\"; keep; reject \"No.\";", "failed at line 1: reject: a message can not be refused that another "
	    "action delivers or refuses: keep" },
	/* branches */
	{ "require \"fileinto\"; if false { fileinto \"a\"; } elsif true { fileinto \"b\"; } elsif true { fileinto \"c\"; } "
	    "else { fileinto \"d\"; }", "save b" },
	{ "require \"fileinto\"; if false {} elsif false {} else { fileinto \"d\"; }", "save d" },
	{ "require \"fileinto\"; if true { fileinto \"a\"; } else { fileinto \"b\"; } if false {} else { fileinto \"c\"; }",
	    "save a; save c" },
	{ IF("", "allof (true, not false, anyof (false, true))"), YES },
	{ IF("", "anyof (false, allof (true, false))"), NO },
	/* header: section 5.7 */
	{ IF("", "header \"subject\" \"gr\xc3\xbc\xc3\x9f" "e FROM home\""), YES },
	{ IF("", "header :is \"Subject\" [\"x\", \"Gr\xc3\xbc\xc3\x9f" "e from home\"]"), YES },
	{ IF("", "header :comparator \"i;octet\" \"subject\" \"gr\xc3\xbc\xc3\x9f" "e from home\""), NO },
	{ IF("", "header :contains [\"x-nothing\", \"subject\"] \"HOME\""), YES },
	{ IF("", "header :contains \"x-nothing\" \"\""), NO },
	{ IF("", "header :contains \"x-empty\" \"\""), YES },
	{ IF("", "header :is \"x-empty\" \"\""), YES },
	{ IF("", "header :matches \"subject\" \"gr??e*\""), YES },
	{ IF("", "header :matches \"subject\" \"gr?e*\""), NO },
	{ IF("", "header :matches :comparator \"i;octet\" \"subject\" \"Gr????e*\""), YES },
	{ IF("", "header :matches \"x-stars\" \"\\\\*\\\\*\\\\*\""), YES },
	{ IF("", "header :matches \"x-number\" \"\\\\*\\\\*\""), NO },
	{ IF(",\"comparator-i;unicode-casemap\"", "header :comparator \"i;unicode-casemap\" :contains \"subject\" \"GR\xc3\x9c\""), YES },
	/* relational: RFC 5231 */
	{ IF(REL, "header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-number\" \"3\""), YES },
	{ IF(REL, "header :value \"gt\" \"x-number\" \"3\""), NO },
	{ IF(REL, "header :value \"lt\" :comparator \"i;ascii-numeric\" \"subject\" \"99999999999999999999\""), NO },
	{ IF(REL, "header :count \"eq\" \"received\" \"2\""), YES },
	{ IF(REL, "header :count \"ge\" [\"received\",\"subject\"] [\"4\",\"3\"]"), YES },
	{ IF(REL, "address :count \"eq\" \"to\" \"3\""), YES },
	{ IF(REL, "header :comparator \"i;ascii-numeric\" \"x-number\" \"0017x\""), YES },
	/* address: section 5.1 */
	{ IF("", "address :domain \"to\" \"example.com\""), YES },
	{ IF("", "address :domain :is [\"to\",\"from\"] \"example.org\""), YES },
	{ IF("", "address :localpart \"from\" \"ann+list\""), YES },
	{ IF("", "address :all :contains \"to\" \"d@example.net\""), YES },
	{ IF("", "address \"to\" \"Friends\""), NO },
	{ IF(",\"subaddress\"", "address :user \"from\" \"ann\""), YES },
	{ IF(",\"subaddress\"", "address :detail \"from\" \"list\""), YES },
	{ IF(",\"subaddress\"", "address :detail \"to\" \"\""), NO },
	/* envelope: section 5.4 */
	{ IF(",\"envelope\"", "envelope \"from\" \"ANN+list@example.org\""), YES },
	{ IF(",\"envelope\",\"subaddress\"", "envelope :detail \"to\" \"work\""), YES },
	{ IF(",\"envelope\"", "envelope :domain \"to\" \"example.org\""), NO },
	/* exists, size */
	{ IF("", "exists [\"from\",\"x-empty\"]"), YES },
	{ IF("", "exists [\"from\",\"x-nothing\"]"), NO },
	{ IF("", "size :over 100"), YES },
	{ IF("", "size :under 1K"), YES },
	{ IF("", "size :over 1G"), NO },
	/* variables: RFC 5229 */
	{ IF(VAR, "header :matches \"subject\" \"* from *\"") " redirect \"${2}@${1}.x\";",
	    "failed at line 2: redirect: \"home@Gr\xc3\xbc\xc3\x9f" "e.x\" is no address: keep" },
	{ "require [\"variables\",\"fileinto\"]; set \"A\" \"x\"; fileinto \"${a}${b}.${a\";", "save x.${a" },
	{ "require [\"variables\",\"fileinto\"]; if header :matches \"x-number\" \"?*\" { fileinto \"${1}/${2}/${0}/${3}.\"; }", "save 1/7/17/." },
	{ "require [\"variables\",\"fileinto\"]; if header :matches \"subject\" \"*e*\" { fileinto \"${1}|${2}\"; }",
	    "save Gr\xc3\xbc\xc3\x9f| from home" },
	{ "require [\"variables\",\"fileinto\"]; if header :matches \"from\" \"*<*@*>*\" { fileinto \"${2}-${3}-${4}\"; }",
	    "save ann+list-example.org-" },
	{ "require [\"variables\",\"fileinto\"]; set :upper :lowerfirst \"x\" \"heLLo\"; fileinto \"${x}\";", "save hELLO" },
	{ "require [\"variables\",\"fileinto\"]; set :quotewildcard \"x\" \"a*?\\\\\"; fileinto \"${x}\";", "save a\\*\\?\\\\" },
	{ "require [\"variables\",\"fileinto\"]; set :length \"x\" \"gr\xc3\xbc\xc3\x9f\"; fileinto \"${x}\";", "save 4" },
	{ IF(VAR, "string :is \"${x}\" \"\""), YES },
	{ IF(VAR ",\"relational\"", "string :count \"eq\" [\"a\", \"\", \"b\"] \"2\""), YES },
	{ "require [\"variables\",\"fileinto\"]; set \"to\" \"to\"; if address :domain \"${to}\" \"example.com\" { fileinto \"yes\"; }", YES },
	/* encoded-character: RFC 5228 section 2.4.2.4 */
	{ "require [\"encoded-character\",\"fileinto\"]; fileinto \"a${hex:40 42}b${UNICODE:fc}${hex:}${hex:zz}$${hex:24}\";",
	    "save a@Bb\xc3\xbc${hex:}${hex:zz}$$" },
	{ "require [\"encoded-character\",\"fileinto\"];\n\nfileinto \"${unicode:d800}\";", "line 3: fileinto: ${unicode:} names no "
	    "character, or the script is too large" },
	/* imap4flags: RFC 5232 */
	{ "require \"imap4flags\"; setflag \"\\\\Seen\"; addflag [\"$Junk\", \"\\\\Flagged  $junk\"]; keep;", "keep flag1 flag4 $Junk" },
	{ "require \"imap4flags\"; setflag [\"\\\\seen\",\"a\"]; removeflag \"A\";", "keep flag1" },
	{ "require [\"imap4flags\",\"fileinto\"]; addflag \"a\"; fileinto :flags \"b \\\\Recent\" \"X\"; keep;", "save X b; keep a" },
	{ IF(",\"imap4flags\"", "hasflag \"a\""), NO },
	{ "require [\"imap4flags\",\"fileinto\"]; addflag [\"a\",\"bee\"]; if hasflag :contains \"ee\" { fileinto :flags \"\" \"yes\"; }", YES },
	{ "require [\"imap4flags\",\"variables\",\"fileinto\"]; addflag \"v\" \"a b\"; removeflag \"v\" \"a\"; fileinto \"${v}\";", "save b" },
	{ "require [\"imap4flags\",\"relational\",\"fileinto\"]; addflag \"a b c\"; if hasflag :count \"eq\" \"3\" { fileinto :flags \"\" \"yes\"; }", YES },
	/* what is refused, and where */
	{ "keep", "line 1: the script ends where \";\" or \"{\" is expected" },
	{ "\nfileinto \"x\";", "line 2: fileinto: needs require \"fileinto\"" },
	{ "require \"nothing\";", "line 1: require: there is no extension \"nothing\"" },
	{ "keep;\nrequire \"fileinto\";", "line 2: require: stands at the start of a script" },
	{ "jump;", "line 1: jump is no command" },
	{ "if jump {}", "line 1: jump is no test" },
	{ "if keep {}", "line 1: can not use command 'keep' as a test" },
	{ "else {}", "line 1: else: there is no if before it" },
	{ "if true {} keep; elsif true {}", "line 1: elsif: there is no if before it" },
	{ "if true {} else {} else {}", "line 1: else: there is no if before it" },
	{ "if true;", "line 1: if: takes a block" },
	{ "keep {}", "line 1: keep: takes no block" },
	{ "if (true) {}", "line 1: if: takes one test" },
	{ "if allof true {}", "line 1: allof: takes a list of tests in parentheses" },
	{ "if header \"a\" {}", "line 1: the header test requires 2 positional arguments, but 1 is specified" },
	{ "if header :is :contains \"a\" \"b\" {}", "line 1: header: :contains and :is can not be together" },
	{ "if header :over \"a\" \"b\" {}", "line 1: unknown tagged argument ':over' for the header test (it takes no such tag)" },
	{ "if header :count \"eq\" \"a\" \"b\" {}", "line 1: header: :count needs require \"relational\"" },
	{ "if header :comparator \"i;none\" \"a\" \"b\" {}", "line 1: header: there is no comparator \"i;none\"" },
	{ "if header \"a:\" \"b\" { discard; }", "keep" },
	{ "if address \"subject\" \"b\" {}", "line 1: the field 'subject' is not allowed in the address test: it holds no addresses" },
	{ "if size 10 {}", "line 1: size: takes :over or :under" },
	{ "if size :over \"10\" {}", "line 1: the size test expects a number as argument 1, but a string was found" },
	{ "if size :over 10X {}", "line 1: a number ends with K, M, G or its last digit" },
	{ "redirect \"nobody\";", "line 1: redirect: \"nobody\" is no address" },
	{ "redirect [\"a@b.c\"];", "line 1: the redirect command expects a string as argument 1, but a string list was found" },
	{ "keep \"x\";", "line 1: keep: there are too many arguments" },
	{ "/* x", "line 1: a comment has no end" },
	{ "keep;\n\"x", "line 2: a string has no end" },
	{ "require \"\xff\n\xc3\xa4\xc3\";", "line 1: require: there is no extension \"???\xc3\xa4?\"" },
	{ "require \"fileinto\"; fileinto \"a\xff\";", "line 1: fileinto: \"a?\" is an invalid folder name" },
	{ "require \"variables\"; set \"1\" \"x\";", "line 1: set: \"1\" is no name of a variable" },
	{ "keep; \x01", "line 1: an octet that can not be here" },
};

static void
test_cases(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new(1 << 24);
		struct span got = outcome(cases[i].script, a, SIEVE_LIMITS_DEFAULT);

		assert_non_null(a);
		if (!span_eq(got, span_str(cases[i].want))) {
			print_error("%s\n  have: %.*s\n  want: %s\n", cases[i].script, SPAN_ARG(got), cases[i].want);
			bad++;
		}
		arena_free(a);
	}
	assert_int_equal(bad, 0);
}

/* No script and no message makes work without end. */
static void
test_limits(void **state)
{
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct buf deep = BUF_INIT(65536);
	struct arena *a = arena_new((size_t)64 << 20);
	struct span got;

	(void)state;
	limits.actions = 2;
	limits.redirects = 1;
	got = outcome("require \"fileinto\"; fileinto \"a\"; fileinto \"b\"; fileinto \"c\";", a, limits);
	assert_span(got, "failed at line 1: fileinto: the total number of actions exceeds policy limit (2): keep");
	got = outcome("redirect \"a@b.c\"; redirect \"d@b.c\";", a, limits);
	assert_span(got, "failed at line 1: redirect: the number of redirect actions exceeds policy limit (1): keep");
	limits.steps = 10;
	got = outcome("keep; keep; keep; keep; keep; keep; keep; keep; keep; keep; keep;", a, limits);
	assert_span(got, "failed at line 1: keep: the script takes too much work: keep");
	got = outcome("require \"variables\"; set \"a\" \"aaaaaaaaaaaaaaaa\"; set \"a\" \"${a}${a}${a}${a}${a}${a}${a}${a}\"; set \"a\" "
	    "\"${a}${a}${a}${a}${a}${a}${a}${a}\"; set \"a\" \"${a}${a}${a}${a}${a}${a}${a}${a}\"; set \"a\" \"${a}${a}${a}${a}${a}"
	    "${a}${a}${a}\"; set \"b\" \"${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}\";", a,
	    SIEVE_LIMITS_DEFAULT);
	assert_true(span_starts(got, SPAN("failed at line 1: set: a string grows too long")));
	for (int i = 0; i < 100; i++)
		buf_adds(&deep, "if not not true { ");
	buf_addc(&deep, '\0');
	got = outcome(deep.p, a, SIEVE_LIMITS_DEFAULT);
	assert_span(got, "line 1: blocks are nested too deeply");
	buf_reset(&deep);
	buf_adds(&deep, "if ");
	for (int i = 0; i < 1000; i++)
		buf_adds(&deep, "not ");
	buf_addc(&deep, '\0');
	got = outcome(deep.p, a, SIEVE_LIMITS_DEFAULT);
	assert_span(got, "line 1: tests are nested too deeply");
	buf_clear(&deep);
	arena_free(a);
}

/* "text:" takes room for what is in it, however much of the script follows. */
static void
test_multiline(void **state)
{
	static const struct {
		const char *script, *want;
	} lines[] = {
		{ "require \"reject\"; reject text:\r\n..a\r\n.b\r\n\r\n.\r\n;", "reject .a\r\n.b\r\n\r\n" },
		{ "require \"reject\"; reject text: # why\n.\n;", "reject " },
		{ "require \"reject\"; reject text:\na\n. \n.\n;", "reject a\r\n. \r\n" },
		{ "require \"reject\"; reject text:\na\n.", "line 3: the script ends where \";\" or \"{\" is expected" },
		{ "require \"reject\"; reject text: a\n.\n;", "line 1: text: is followed by a new line" },
		{ "require \"reject\";\nreject text:\na\n..\n;", "line 2: a text: has no end" },
		{ "require \"reject\"; reject text:\na\n.\n;\nfrop;", "line 5: frop is no command" },
	};
	struct arena *a = arena_new((size_t)64 << 20);
	struct buf many = BUF_INIT((size_t)4 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct span got = outcome(lines[i].script, a, SIEVE_LIMITS_DEFAULT);

		assert_span(got, lines[i].want);
	}
	buf_adds(&many, "require \"reject\"; if false {");
	for (int i = 0; i < 20000; i++)
		buf_adds(&many, "reject text:\nab\n.\n;\n");
	buf_adds(&many, "}");
	buf_addc(&many, '\0');
	assert_false(many.failed);
	assert_span(outcome(many.p, a, SIEVE_LIMITS_DEFAULT), "keep");
	buf_clear(&many);
	arena_free(a);
}

static void
test_extset(void **state)
{
	struct sieve_extset s;
	struct span bad = SPAN_NONE;

	(void)state;
	assert_true(sieve_extset_parse(&s, SPAN("fileinto copy"), &bad));
	assert_true(extset_has(&s, EXT_FILEINTO) && extset_has(&s, EXT_COPY) && !extset_has(&s, EXT_VARIABLES));
	assert_true(sieve_extset_parse(&s, SPAN("-fileinto"), &bad));
	assert_true(!extset_has(&s, EXT_FILEINTO) && extset_has(&s, EXT_VARIABLES));
	assert_false(sieve_extset_parse(&s, SPAN("+nothing -copy"), &bad));
	assert_span(bad, "nothing");
	assert_true(!extset_has(&s, EXT_COPY));
}

/* A message that lies in a mailbox: its flags are what the script begins with, as RFC 6785 has it. */
static void
test_flags_of_before(void **state)
{
	static const struct {
		const char *script, *want;
	} changes[] = {
		{ "require \"imap4flags\"; keep;", "keep flag1 a" },
		{ "require \"imap4flags\"; addflag \"b\";", "keep flag1 a b" },
		{ "require \"imap4flags\"; removeflag \"a \\\\Seen\";", "keep" },
		{ "require \"imap4flags\"; setflag \"b\";", "keep b" },
		{ "require \"imap4flags\"; if hasflag \"\\\\Seen\" { discard; }", "nothing" },
		{ "keep;", "keep" },
	};
	const struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct filter_host host = { .user = SPAN("bob") };
	struct sieve_extset all;
	struct span bad;

	(void)state;
	assert_true(sieve_extset_parse(&all, SPAN(""), &bad));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct buf out = BUF_INIT(65536);
		struct filter_action *actions;
		struct filter_message m;
		struct sieve_error error;
		struct sieve_script *s = sieve_compile(span_str(changes[i].script), &all, &error);

		filter_message_init(&m, span_str(mail));
		m.flags = SPAN("\\Seen a");
		assert_int_equal(sieve_script_run(s, &m, &host, &limits, a, &actions, &error), 0);
		rig_put_actions(&out, actions);
		assert_span(buf_span(&out), changes[i].want);
		buf_clear(&out);
		sieve_script_free(s);
		arena_free(a);
	}
}

#ifdef __SANITIZE_ADDRESS__
#define REFERENCES 10000	/* its memmem() looks at all that is left each time */
#else
#define REFERENCES 250000
#endif

/* Each ${ is looked for its } in what is left: that must not cost the square of it. */
static void
test_references(void **state)
{
	static const char head[] = "require [\"variables\",\"encoded-character\"]; if string :is \"", tail[] = "}\" \"\" { discard; }";
	const size_t count = REFERENCES;
	char *text = malloc(sizeof(head) + 2 * count + sizeof(tail));
	struct sieve_rig rig;
	clock_t before;

	(void)state;
	assert_non_null(text);
	memcpy(text, head, sizeof(head));
	for (size_t i = 0; i < count; i++)
		memcpy(text + sizeof(head) - 1 + 2 * i, "${", 2);
	memcpy(text + sizeof(head) - 1 + 2 * count, tail, sizeof(tail));
	rig_init(&rig, mail);
	before = clock();
	assert_span(rig_run(&rig, text), "keep");
	assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
	assert_span(rig_run(&rig, "require \"variables\"; set \"a\" \"x\"; if string :matches \"${${a}}${a\" \"?{x}?{a\" { discard; }"),
	    "nothing");
	rig_clear(&rig);
	free(text);
}

/* A mistake that does not end the script is told, but not for every time that it is met. */
static void
test_complaints(void **state)
{
	struct buf text = BUF_INIT(65536);
	struct sieve_rig rig;
	size_t lines = 0;

	(void)state;
	buf_adds(&text, "require [\"variables\",\"regex\"]; set \"a\" \"(\";");
	for (unsigned i = 0; i < 100; i++)
		buf_adds(&text, "if header :regex \"x-number\" \"${a}\" { discard; }");
	buf_addc(&text, '\0');
	rig_init(&rig, mail);
	assert_span(rig_run(&rig, text.p), "keep");
	for (size_t at = 0; (at = span_find(rig.logged, SPAN("no regular expression"))) != SIZE_MAX; lines++)
		rig.logged = span_from(rig.logged, at + 1);
	assert_int_equal(lines, 20);
	rig_clear(&rig);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_flags_of_before),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_multiline),
		cmocka_unit_test(test_extset),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_complaints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
