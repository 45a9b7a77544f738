/* SPDX-License-Identifier: MIT */
/* body (RFC 5173), :regex, and the text of HTML. */
#include <sys/resource.h>
#include "lib-filter/sieve/regex.h"
#include "lib-mail/html-text.h"
#include "sieve-rig.h"
#include "testing.h"

static const char mail[] =
    "From: Ann <ann@example.org>\n"
    "To: bob@example.com\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from home\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=\"x\"\n"
    "\n"
    "The prologue.\n"
    "--x\n"
    "Content-Type: text/plain; charset=iso-8859-1\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "Sch=F6ne plain Gr=FC=DFe,\n"
    "a soft =\nbreak\n"
    "--x\n"
    "Content-Type: text/html; charset=utf-8\n"
    "Content-Transfer-Encoding: base64\n"
    "\n"
    "PGh0bWw+PHN0eWxlPmhpZGRlbjwvc3R5bGU+PHA+VGhlICYlMjY7IDxiPmJvbGQ8L2I+IHRhJmFtcDt4PC9wPjwvaHRtbD4=\n"
    "--x\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: inside\n"
    "\n"
    "Inner words.\n"
    "--x\n"
    "Content-Type: application/octet-stream\n"
    "Content-Transfer-Encoding: base64\n"
    "\n"
    "U0VDUkVU\n"
    "--x--\n"
    "The epilogue.\n";

#define SECOND 1000000		/* in microseconds */
#define IF(test) "require [\"fileinto\",\"body\",\"regex\",\"variables\",\"relational\",\"comparator-i;ascii-numeric\"," \
    "\"comparator-i;unicode-casemap\"];\nif " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define YES "save yes"
#define NO "save no"

static const struct rig_case bodies[] = {
	{ IF("body :raw :contains \"The prologue\""), YES },
	{ IF("body :raw :contains \"Sch=F6ne\""), YES },
	{ IF("body :raw :contains \"Subject: =?utf\""), NO },
	{ IF("body :contains \"sch\xc3\xb6ne plain\""), YES },
	{ IF("body :text :contains \"a soft break\""), YES },
	{ IF("body :contains \"the & bold\""), NO },
	{ IF("body :contains \"bold ta&x\""), YES },
	{ IF("body :contains \"hidden\""), NO },
	{ IF("body :contains \"<b>\""), NO },
	{ IF("body :contains \"inner words\""), YES },
	{ IF("body :contains \"SECRET\""), NO },
	{ IF("body :contains \"prologue\""), NO },
	{ IF("body :content \"text/html\" :contains \"<b>bold</b>\""), YES },
	{ IF("body :content \"text/html\" :contains \"plain\""), NO },
	{ IF("body :content \"text\" :contains [\"nothing\", \"hidden\"]"), YES },
	{ IF("body :content [\"image\", \"application/octet-stream\"] :is \"SECRET\""), YES },
	{ IF("body :content \"application\" :contains \"U0VD\""), NO },
	{ IF("body :content \"multipart\" :contains \"prologue\""), YES },
	{ IF("body :content \"multipart/mixed\" :contains \"epilogue\""), YES },
	{ IF("body :content \"multipart\" :contains \"plain\""), NO },
	{ IF("body :content \"message/rfc822\" :contains \"Subject: inside\""), YES },
	{ IF("body :content \"message\" :contains \"Inner words\""), NO },
	{ IF("body :content \"\" :contains \"secret\""), YES },
	{ IF("body :content [\"/\", \"text/\", \"/html\"] :contains \"\""), NO },
	{ IF("body :content \"te\" :contains \"\""), NO },
	{ IF("body :content \"${x}text\" :contains \"plain\""), YES },
	{ IF("body :count \"eq\" :comparator \"i;ascii-numeric\" :content \"text\" \"3\""), YES },
	{ IF("body :comparator \"i;unicode-casemap\" :contains \"SCH\xc3\x96NE\""), YES },
	{ IF("body :raw :regex \"^The [a-z]+\\\\.\""), YES },
	/* section 6: no ${1} */
	{ "require [\"body\",\"variables\",\"fileinto\"]; if header :matches \"subject\" \"* from*\" { if body :matches \"*plain*\" "
	    "{ fileinto \"${1}\"; } }", "save Gr\xc3\xbc\xc3\x9f" "e" },
	{ "if body \"a\" {}", "line 1: body: needs require \"body\"" },
	{ IF("body :raw :text \"a\""), "line 2: body: :text and :raw can not be together" },
	{ IF("body :content"), "line 2: body: :content takes a string list" },
};

static void
test_body(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	assert_int_equal(rig_cases(&rig, bodies, COUNT(bodies)), 0);
	rig_clear(&rig);
	/* a message that is none of MIME, one without a body, one with NULs */
	rig_init(&rig, "Subject: x\n\nplain text\n");
	assert_span(rig_run(&rig, IF("body :contains \"in te\"")), YES);
	rig_clear(&rig);
	rig_init(&rig, "Subject: x\n");
	assert_span(rig_run(&rig, IF("body :is \"\"")), NO);
	assert_span(rig_run(&rig, IF("body :raw :contains \"\"")), NO);
	rig_clear(&rig);
	rig_init(&rig, "Subject: x\n\n");
	assert_span(rig_run(&rig, IF("body :is \"\"")), YES);
	assert_span(rig_run(&rig, IF("body :raw :is \"\"")), YES);
	rig_clear(&rig);
	rig_init(&rig, "Subject: x\n\na\0b\n");
	rig.mail_size = 16;
	assert_span(rig_run(&rig, IF("body :raw :contains \"b\"")), YES);
	assert_span(rig_run(&rig, IF("body :matches \"a?b*\"")), YES);
	rig_clear(&rig);
}

static const struct rig_case regexes[] = {
	{ IF("header :regex \"subject\" \"^gr..e\""), YES },
	{ IF("header :regex :comparator \"i;octet\" \"subject\" \"^gr\""), NO },
	{ IF("header :regex :comparator \"i;octet\" \"subject\" \"^Gr....e\""), YES },
	{ IF("header :regex :comparator \"i;unicode-casemap\" \"subject\" \"GR\xc3\x9c\""), YES },
	{ IF("header :regex \"subject\" \"GR\xc3\x9c\""), NO },
	{ IF("header :regex \"subject\" [\"nothing\", \"(home|work)$\"]"), YES },
	{ IF("address :regex :domain \"from\" \"^EXAMPLE\\\\.org$\""), YES },
	{ IF("header :regex \"subject\" \"[[:digit:]]\""), NO },
	{ IF("header :regex \"subject\" \"[^[:alpha:]]f\""), YES },
	{ IF("string :regex \"a]b\\\\c\" \"^a[]]b[\\\\]c$\""), YES },
	{ "require [\"regex\",\"variables\",\"fileinto\"]; if address :regex \"from\" \"^(.*)@(ex)?(none)?(.*)$\" { fileinto "
	    "\"${1}-${2}-${3}-${4}\"; }", "save ann-ex--ample.org" },
	/* the longest, not the first alternative */
	{ "require [\"regex\",\"variables\",\"fileinto\"]; if string :regex \"xabcd\" \"(a|ab)(c|bcd)?\" { fileinto \"${0}\"; }",
	    "save abcd" },
	{ "require [\"regex\",\"variables\",\"fileinto\"]; if string :regex \"foobar\" \"foo|foobar\" { fileinto \"${0}\"; }",
	    "save foobar" },
	{ "require [\"regex\",\"variables\",\"fileinto\"]; if string :regex \"abab-\" \"(ab)\\\\1\" { fileinto \"${0}\"; }", "save abab" },
	{ "require [\"regex\",\"variables\",\"fileinto\"]; set \"x\" \"h(o)me\"; if header :regex \"subject\" \"${x}\" { fileinto "
	    "\"${1}\"; }", "save o" },
	{ "require [\"regex\",\"variables\",\"fileinto\"]; set :quoteregex \"x\" \"a.b*[c]\"; fileinto \"${x}\";",
	    "save a\\.b\\*\\[c\\]" },
	{ "require [\"regex\",\"variables\"]; set :quoteregex :quotewildcard \"x\" \"a\";",
	    "line 1: set: :quotewildcard and :quoteregex can not be together" },
	{ "require [\"regex\",\"variables\"]; set \"x\" \"(\";\nif string :regex \"a\" \"${x}\" { discard; }", "keep" },
	{ "require [\"regex\",\"variables\"]; set \"x\" \"(\";\nif string :regex \"a\" [\"${x}\", \"a\"] { discard; }", "nothing" },
	{ IF("string :regex \"a\" \"(a\""), "line 2: string: \"(a\" is no regular expression: a group has no end" },
	{ IF("string :regex \"a\" \"*\""), "line 2: string: \"*\" is no regular expression: there is nothing to repeat" },
	{ IF("string :regex \"a\" \"[a\""), "line 2: string: \"[a\" is no regular expression: a bracket has no end" },
	{ IF("string :regex \"a\" \"a{2,1}\""), "line 2: string: \"a{2,1}\" is no regular expression: the numbers of a repetition are wrong" },
	{ IF("string :regex \"a\" \"a\\\\\""), "line 2: string: \"a\\\" is no regular expression: it ends with a backslash" },
	{ IF("string :regex \"a\" \"(?:a)\""), "line 2: string: \"(?:a)\" is no regular expression: there is nothing to repeat" },
	{ IF("header :regex :comparator \"i;ascii-numeric\" \"a\" \"b\""), "line 2: header: the comparator i;ascii-numeric knows no substrings" },
	{ "if header :regex \"a\" \"b\" {}", "line 1: header: :regex needs require \"regex\"" },
};

static void
test_regex(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	assert_int_equal(rig_cases(&rig, regexes, COUNT(regexes)), 0);
	rig_clear(&rig);
}

/* What the C library's own regcomp says of the same: POSIX's meaning. */
static const struct {
	const char *re, *value, *want;	/* the match; NULL: none */
} posix[] = {
	{ "a*?", "aaa", "aaa" }, { "a+?b", "aab", "aab" }, { "a**", "aa", "aa" }, { "(a*)+", "aa", "aa" }, { "a++a", "aaa", "aaa" },
	{ "x*", "aaa", "" }, { "a|ab|abc", "abc", "abc" }, { "(a|b)*c", "xababc", "ababc" }, { "a{2}", "aaa", "aa" },
	{ "a{1,2}", "aaa", "aa" }, { "a{0,1}b", "aab", "ab" }, { "a{,2}b", "aaab", "aab" }, { "a{2,}", "aaaa", "aaaa" },
	{ "^a$", "a", "a" }, { "^a$", "a\n", NULL }, { "a.b", "a\nb", "a\nb" }, { "[a-c]+", "xxabcx", "abc" },
	{ "[]a]+", "x]a]", "]a]" }, { "[^]a]+", "]xy]", "xy" }, { "[a-]+", "b-a-", "-a-" }, { "[\\.]+", "a\\.", "\\." },
	{ "[[:alpha:]_]+", "1ab_2", "ab_" }, { "[[.a.]]", "a", "a" }, { "[[=a=]b]+", "cab", "ab" }, { "a)", "a)", "a)" },
	{ "a\\|b", "a|b", "a|b" }, { "\\(a\\)", "(a)", "(a)" }, { "()", "a", "" }, { "a||b", "b", "b" }, { "\\<b", "a b", "b" },
	{ "a\\>", "ab a", "a" }, { "\\bb\\w*", "ab bcd", "bcd" }, { "#x y", "#x y", "#x y" }, { "\\Qa", "Qa", "Qa" }, { "\\d", "d", "d" },
	{ "[A-Z]+", "abc", "abc" }, { "[[:upper:]]", "a", "a" }, { "[x-z]", "Y", "Y" }, { "[^a]", "A", NULL },
};

static void
test_posix(void **state)
{
	struct arena *a = arena_new(1 << 24);
	char why[120];

	(void)state;
	for (size_t i = 0; i < COUNT(posix); i++) {
		const struct sieve_regex *re = sieve_regex_compile(a, span_str(posix[i].re), SIEVE_CASEMAP, why, sizeof(why));
		struct sieve_captures c = { .count = 0 };
		int rc;

		if (re == NULL)
			fail_msg("%s: %s", posix[i].re, why);
		rc = sieve_regex_match(re, a, span_str(posix[i].value), SECOND, &c);
		if (rc != (posix[i].want != NULL) || (rc == 1 && !span_eq(c.part[0], span_str(posix[i].want))))
			fail_msg("%s on %s: %d, %.*s", posix[i].re, posix[i].value, rc, SPAN_ARG(c.part[0]));
	}
	/* what is not UTF-8 matches as far as it is */
	const struct sieve_regex *re = sieve_regex_compile(a, SPAN("a.b"), SIEVE_CASEMAP, why, sizeof(why));

	assert_int_equal(sieve_regex_match(re, a, SPAN("xa\xff" "b"), SECOND, NULL), 1);
	arena_free(a);
}

/* Matching takes nothing of the arena that the expression is in: a compiled script is used for mail after mail. */
static void
test_again_and_again(void **state)
{
	struct arena *a = arena_new(1 << 16);
	char why[120];
	const struct sieve_regex *re = sieve_regex_compile(a, SPAN("(a|b)*(c|d)$"), SIEVE_CASEMAP, why, sizeof(why));
	size_t used = arena_used(a);

	(void)state;
	assert_non_null(re);
	for (unsigned i = 0; i < 20000; i++) {
		struct sieve_captures c = { .count = 0 };

		assert_int_equal(sieve_regex_match(re, a, i % 2 == 0 ? SPAN("xabc") : SPAN("x"), SECOND,
		    i % 4 < 2 ? &c : NULL), i % 2 == 0);
	}
	assert_int_equal(arena_used(a), used);
	arena_free(a);
}

/* No expression and no value takes more than its share. */
static void
test_hostile(void **state)
{
	static const char *const evil[] = { "(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)*(.*)*(.*)*x", "((a+)+)+!", "(a?){50}a{50}b",
		"(([a-z])+.)+[A-Z]([a-z])+$", "^(([a-z])+.)+1$" };
	struct buf text = BUF_INIT(1 << 20);
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	for (size_t i = 0; i < COUNT(evil); i++) {
		struct span got;

		buf_reset(&text);
		buf_addf(&text, "require [\"regex\",\"variables\",\"fileinto\"];\n\nif string :regex \"");
		for (int k = 0; k < 5000; k++)
			buf_addc(&text, 'a');
		buf_addf(&text, "\" \"%s\" { fileinto \"yes\"; }", evil[i]);
		got = rig_run(&rig, buf_cstr(&text));
		if (!span_starts(got, SPAN("failed at line 3: string: matching")) && !span_eq(got, SPAN("keep")) &&
		    !span_eq(got, SPAN("save yes")))
			fail_msg("%s: %.*s", evil[i], SPAN_ARG(got));
	}
	/* expressions that become too large */
	assert_true(span_starts(rig_run(&rig, IF("string :regex \"a\" \"((a{255}){255}){255}\"")), SPAN("line 2: string: \"((a{255}")));
	buf_reset(&text);
	buf_adds(&text, "require [\"regex\",\"variables\"]; if string :regex \"a\" \"");
	for (int k = 0; k < 5000; k++)
		buf_addc(&text, '(');
	buf_adds(&text, "\" {}");
	assert_true(span_ends(rig_run(&rig, buf_cstr(&text)), SPAN("is no regular expression: it is too long")));
	/* a large body, again and again: the steps end it */
	buf_reset(&text);
	for (int k = 0; k < 200; k++)
		buf_adds(&text, k == 0 ? "require [\"regex\",\"variables\"]; set \"x\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\";"
		    : "if string :regex \"${x}\" \"(a*)*(a*)*(a|b)*[cd]\" {} ");
	rig.limits.steps = 1000000;
	assert_true(span_starts(rig_run(&rig, buf_cstr(&text)), SPAN("failed at line 1: string: ")));
	buf_clear(&text);
	rig_clear(&rig);
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

/* Keys and messages that are made for each other: comparing them octet by octet would take minutes. */
static void
test_made_for_each_other(void **state)
{
	static const char *const tests[] = {
		"body :contains \"KEY\"", "body :comparator \"i;unicode-casemap\" :contains \"KEY\"", "body :matches \"*KEY\"",
		"body :matches [\"*KEY*KEY\", \"*?KEY?*?KEY\"]", "body :regex \"(a|b){0,250}(a|b){0,250}[cd]\"",
		"body :raw :regex \"((a|b)*(a|b)*)*[cd]e*\"",
	};
	struct buf text = BUF_INIT((size_t)16 << 20), script = BUF_INIT((size_t)1 << 20);
	struct sieve_rig rig;

	(void)state;
	buf_adds(&text, "From: ann@example.org\n\n");
	while (text.n < (size_t)4 << 20)
		buf_adds(&text, "aaaaaaaaaaaaaaaa");
	rig_init(&rig, text.p);
	rig.mail_size = text.n;
	rig.limits.steps /= 10;		/* all of them would only take as long */
	for (size_t i = 0; i < COUNT(tests); i++) {
		double begin = cpu_seconds(), most = 8.0;
		struct span got;

		buf_reset(&script);
		buf_adds(&script, "require [\"body\", \"regex\", \"comparator-i;unicode-casemap\"];\nif ");
		for (struct span rest = span_str(tests[i]), piece; span_next(&rest, 'K', &piece);) {
			buf_add(&script, piece);
			if (!span_starts(rest, SPAN("EY")))
				continue;
			for (int k = 0; k < 1000; k++)
				buf_adds(&script, "aaaaaaaaaaaaaaaa");
			buf_addc(&script, 'b');
			rest = span_from(rest, 2);
		}
		buf_adds(&script, " { discard; }");
		got = rig_run(&rig, buf_cstr(&script));
		if (!span_starts(got, SPAN("failed at line 2: body: ")) || span_find(got, SPAN("too much work: keep")) == SIZE_MAX ||
		    cpu_seconds() - begin > most)
			fail_msg("%s: %.1f s, %.*s", tests[i], cpu_seconds() - begin, SPAN_ARG(got));
	}
	rig_clear(&rig);
	buf_clear(&text);
	buf_clear(&script);
}

/* The CPU time that a script may take ends one long match as it ends many short ones. */
static void
test_cpu_time(void **state)
{
	struct buf text = BUF_INIT((size_t)16 << 20), script = BUF_INIT((size_t)1 << 20);
	struct sieve_rig rig;

	(void)state;
	buf_adds(&text, "From: ann@example.org\n\n");
	while (text.n < (size_t)4 << 20)
		buf_adds(&text, "aaaaaaaaaaaaaaaa");
	rig_init(&rig, text.p);
	rig.mail_size = text.n;
	rig.limits.steps *= 1000;
	rig.limits.cpu_us = 300000;
	for (int many = 0; many < 2; many++) {
		double begin = cpu_seconds();
		struct span got;

		buf_reset(&script);
		buf_adds(&script, "require \"body\";\n");
		for (int i = 0; i < (many ? 5000 : 1); i++) {
			buf_adds(&script, "if body :contains \"");
			for (int k = 0; k < (many ? 1 : 1000); k++)
				buf_adds(&script, "aaaaaaaaaaaaaaaa");
			buf_adds(&script, "b\" { discard; }");
		}
		got = rig_run(&rig, buf_cstr(&script));
		if (!span_eq(got, SPAN("failed at line 2: body: the script takes more than 300 ms of CPU time: keep")) || cpu_seconds() - begin > 5)
			fail_msg("%d: %.1f s, %.*s", many, cpu_seconds() - begin, SPAN_ARG(got));
	}
	rig_clear(&rig);
	buf_clear(&text);
	buf_clear(&script);
}

static void
test_html(void **state)
{
	static const struct {
		const char *html, *want;
	} cases[] = {
		{ "plain", "plain" },
		{ "<p>a<p>b", "a\nb" },
		{ "a<br>b<br/>c", "a\nb\nc" },
		{ "a  \r\n\t b", "a b" },
		{ "a<b>b</b>c", "abc" },
		{ "<td>a</td><td>b</td>", "a b" },
		{ "x<!-- a > b -->y", "xy" },
		{ "x<!-- never", "x" },
		{ "a<script>if (a < b) {}</script>b", "ab" },
		{ "a<STYLE type='x'>p{}</style >b", "ab" },
		{ "a<script>", "a" },
		{ "<a href=\"x>y\" title='>'>t</a>", "t" },
		{ "1 < 2 &amp;&amp; 3 > 2", "1 < 2 && 3 > 2" },
		{ "&auml;&#228;&#xE4;&#XE4", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" },
		{ "&nothing; &; & &#; &#x;", "&nothing; &; & &#; &#x;" },
		{ "a&nbsp;b&#160;c", "a b c" },
		{ "V&shy;i&zwnj;agra", "Viagra" },
		{ "&#1114112;&#55555555555;", "\xef\xbf\xbd&#55555555555;" },
		{ "<!DOCTYPE html><html><head><title>T</title></head><body>B", "T\nB" },
		{ "<", "<" },
		{ "</", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = BUF_INIT(1000);

		html_to_text(&out, span_str(cases[i].html));
		if (!span_eq(buf_span(&out), span_str(cases[i].want)))
			fail_msg("%s: %.*s", cases[i].html, SPAN_ARG(buf_span(&out)));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_posix), cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_made_for_each_other),
		cmocka_unit_test(test_cpu_time),
		cmocka_unit_test(test_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
