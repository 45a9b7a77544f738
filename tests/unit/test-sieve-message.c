/* SPDX-License-Identifier: MIT */
/* Scripts that change the message: what later tests see, and what is stored. */
#include "sieve-rig.h"
#include "testing.h"

static const char mail[] =
    "Received: from a\n"
    "Received: from b\n"
    "From: Ann <ann@example.org>\n"
    "Subject: Hello\n"
    "X-Tag: one\n"
    "X-Tag: two\n"
    "X-Tag: three\n"
    "\n"
    "Body.\n";

#define E "require [\"editheader\",\"fileinto\",\"variables\",\"index\",\"relational\",\"comparator-i;ascii-numeric\",\"copy\"," \
    "\"regex\"]; "

/* The script, and the header of what is stored by its last action. */
static const struct {
	const char *script, *actions, *header;
} edits[] = {
	{ E "addheader \"X-New\" \"value\";", "keep",
	    "X-New: value\nReceived: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n"
	    "X-Tag: one\nX-Tag: two\nX-Tag: three\n\n" },
	{ E "addheader :last \"X-New\" \"gr\xc3\xbc\xc3\x9f\";", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n"
	    "X-Tag: one\nX-Tag: two\nX-Tag: three\nX-New: =?UTF-8?B?Z3LDvMOf?=\n\n" },
	{ E "deleteheader \"x-tag\";", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n\n" },
	{ E "deleteheader :index 2 \"x-tag\"; deleteheader :index 1 :last \"x-tag\";", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\nX-Tag: one\n\n" },
	{ E "deleteheader :contains \"x-tag\" \"E\";", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\nX-Tag: two\n\n" },
	{ E "deleteheader :index 1 :is \"x-tag\" \"two\";", "keep", NULL },
	{ E "deleteheader :regex \"x-tag\" [\"^t\", \"none\"];", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\nX-Tag: one\n\n" },
	{ E "deleteheader :count \"ge\" :comparator \"i;ascii-numeric\" \"x-tag\" \"3\";", "keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n\n" },
	{ E "deleteheader :count \"ge\" :comparator \"i;ascii-numeric\" \"x-tag\" \"4\";", "keep", NULL },
	{ E "deleteheader \"received\"; deleteheader \"Auto-Submitted\"; deleteheader \"x-nothing\";", "keep", NULL },
	{ E "deleteheader :index 9 \"x-tag\";", "keep", NULL },
	/* later tests see it, and each action stores what was there when it was asked for */
	{ E "addheader \"X-A\" \"1\"; if header \"x-a\" \"1\" { fileinto \"A\"; } deleteheader \"X-A\"; if exists \"x-a\" { stop; } "
	    "deleteheader \"x-tag\"; keep;", "save A; keep",
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n\n" },
	/* no field can be smuggled in by a value */
	{ E "set \"x\" text:\na\nEvil: b\n.\n; addheader \"X-New\" \"${x}\"; deleteheader \"x-tag\";", "keep",
	    "X-New: a Evil: b\nReceived: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n\n" },
	{ E "addheader \"X-Long\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccc dd\"; "
	    "deleteheader \"x-tag\";", "keep",
	    "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n cccccccccccccccccccc dd\n"
	    "Received: from a\nReceived: from b\nFrom: Ann <ann@example.org>\nSubject: Hello\n\n" },
	{ E "set \"n\" \"a b\"; addheader \"${n}\" \"x\";", "failed at line 1: addheader: the field name \"a b\" is invalid: keep", NULL },
	{ E "addheader \"a:\" \"x\";", "line 1: addheader: the field name \"a:\" is invalid", NULL },
	{ E "deleteheader :last \"x\";", "line 1: deleteheader: :last needs :index", NULL },
	{ "addheader \"a\" \"x\";", "line 1: addheader: needs require \"editheader\"", NULL },
};

static size_t
last_action(const struct sieve_rig *rig)
{
	size_t n = 0;

	for (const struct filter_action *x = rig->actions; x != NULL && x->next != NULL; x = x->next)
		n++;
	return n;
}

static void
test_edits(void **state)
{
	struct sieve_rig rig;

	(void)state;
	for (size_t i = 0; i < COUNT(edits); i++) {
		struct span got;

		rig_init(&rig, mail);
		got = rig_run(&rig, edits[i].script);
		if (!span_eq(got, span_str(edits[i].actions)))
			fail_msg("%s: %.*s", edits[i].script, SPAN_ARG(got));
		if (rig.actions != NULL && edits[i].header == NULL) {
			assert_null(rig_action(&rig, last_action(&rig))->message.p);
		} else if (rig.actions != NULL) {
			struct span text = rig_message(&rig, last_action(&rig));
			struct span want = span_str(arena_printf(rig.a, "%sBody.\n", edits[i].header));

			if (!span_eq(text, want))
				fail_msg("%s:\n%.*s", edits[i].script, SPAN_ARG(text));
		}
		rig_clear(&rig);
	}
	rig_init(&rig, mail);
	assert_span(rig_run(&rig, E "addheader \"X-A\" \"1\"; fileinto \"A\"; deleteheader \"x-tag\"; redirect \"a@b.cd\";"),
	    "save A; redirect a@b.cd");
	assert_true(span_starts(rig_message(&rig, 0), SPAN("X-A: 1\nReceived: from a\n")));
	assert_true(span_find(rig_message(&rig, 0), SPAN("X-Tag")) != SIZE_MAX);
	assert_true(span_find(rig_message(&rig, 1), SPAN("X-Tag")) == SIZE_MAX);
	rig_clear(&rig);
}

/* Line ends as the message has them; odd ends of the header. */
static void
test_edit_ends(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, "A: b\r\n\r\nBody\r\n");
	rig_run(&rig, E "addheader \"X\" \"y\"; addheader :last \"Z\" \"z\";");
	assert_span(rig_message(&rig, 0), "X: y\r\nA: b\r\nZ: z\r\n\r\nBody\r\n");
	rig_clear(&rig);
	rig_init(&rig, "A: b");
	rig_run(&rig, E "addheader :last \"X\" \"y\";");
	assert_span(rig_message(&rig, 0), "A: b\nX: y\n");
	rig_clear(&rig);
	rig_init(&rig, "\nBody\n");
	rig_run(&rig, E "addheader \"X\" \"y\";");
	assert_span(rig_message(&rig, 0), "X: y\n\nBody\n");
	rig_clear(&rig);
	rig_init(&rig, "");
	rig_run(&rig, E "addheader \"X\" \"y\"; deleteheader \"X\";");
	assert_span(rig_message(&rig, 0), "");
	rig_clear(&rig);
}

static void
test_edit_settings(void **state)
{
	static const char *const settings[][2] = {
		{ "sieve_editheader_forbid_add", "Subject X-Virus" }, { "sieve_editheader_forbid_delete", "From Subject" },
		{ "sieve_editheader_protected", "X-Tag" }, { "sieve_editheader_max_header_size", "1k" }, { NULL, NULL },
	};
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	rig.settings = settings;
	assert_span(rig_run(&rig, E "addheader \"x-virus\" \"no\"; addheader \"x-tag\" \"four\"; deleteheader \"from\"; deleteheader "
	    "\"x-tag\";"), "keep");
	assert_null(rig_action(&rig, 0)->message.p);
	/* Subject always may be changed */
	rig_run(&rig, E "deleteheader \"subject\"; addheader \"Subject\" \"new\";");
	assert_true(span_starts(rig_message(&rig, 0), SPAN("Subject: new\nReceived")));
	assert_true(span_find(rig_message(&rig, 0), SPAN("Hello")) == SIZE_MAX);
	assert_true(span_starts(rig_run(&rig, E "set \"x\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; "
	    "set \"x\" \"${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}\"; addheader \"X\" \"${x}\";"),
	    SPAN("failed at line 1: addheader: the value of the field X is too long")));
	rig_clear(&rig);
}

/* ---- mime, foreverypart, extracttext, replace, enclose ---- */

static const char parts[] =
    "From: Ann <ann@example.org>\n"
    "To: bob@example.com\n"
    "Subject: parts\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=x\n"
    "\n"
    "--x\n"
    "Content-Type: text/plain; charset=iso-8859-1\n"
    "\n"
    "one \xfc\n"
    "--x\n"
    "Content-Type: multipart/alternative; boundary=y\n"
    "X-Part: outer\n"
    "\n"
    "--y\n"
    "Content-Type: text/html\n"
    "X-Part: inner\n"
    "\n"
    "<b>two</b>\n"
    "--y--\n"
    "--x\n"
    "Content-Type: application/x-exe; name*=utf-8''a%20b.exe\n"
    "Content-Disposition: attachment; filename=\"run me.exe\"\n"
    "X-Part: last\n"
    "\n"
    "MZ\n"
    "--x\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "From: carl@example.net\n"
    "Subject: inside\n"
    "Content-Type: text/plain\n"
    "\n"
    "three\n"
    "--x--\n";

#define M "require [\"mime\",\"foreverypart\",\"extracttext\",\"replace\",\"enclose\",\"fileinto\",\"variables\",\"relational\"," \
    "\"comparator-i;ascii-numeric\",\"editheader\",\"index\"]; "
#define IF(test) M "if " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define YES "save yes"
#define NO "save no"

static const struct rig_case mimes[] = {
	{ IF("header :mime :type \"content-type\" \"multipart\""), YES },
	{ IF("header :mime :subtype \"content-type\" \"MIXED\""), YES },
	{ IF("header :mime :contenttype \"content-type\" \"multipart/mixed\""), YES },
	{ IF("header :mime :param \"boundary\" \"content-type\" \"x\""), YES },
	{ IF("header :mime :param [\"none\",\"boundary\"] \"content-type\" \"y\""), NO },
	{ IF("header :mime :anychild :param \"boundary\" \"content-type\" \"y\""), YES },
	{ IF("header :mime :anychild :param \"filename\" :contains \"content-disposition\" \".exe\""), YES },
	{ IF("header :mime :anychild :param \"name\" \"content-type\" \"a b.exe\""), YES },
	{ IF("header :mime :anychild :type \"content-disposition\" \"attachment\""), YES },
	{ IF("header :mime :anychild :subtype \"content-disposition\" \"\""), YES },
	{ IF("header :mime :type \"subject\" \"parts\""), NO },
	{ IF("header :mime :anychild \"subject\" \"inside\""), YES },
	{ IF("header :mime \"subject\" \"inside\""), NO },
	{ IF("header :mime \"subject\" \"parts\""), YES },
	{ IF("header :mime :anychild :count \"eq\" \"x-part\" \"3\""), YES },
	{ IF("address :mime :anychild :domain \"from\" \"example.net\""), YES },
	{ IF("exists :mime :anychild [\"x-part\", \"subject\"]"), YES },
	{ IF("exists :mime :anychild [\"x-part\", \"x-nothing\"]"), NO },
	{ IF("exists :mime \"x-part\""), NO },
	{ IF("exists \"x-part\""), NO },
	{ IF("header :anychild \"a\" \"b\""), "line 1: header: :anychild, :type, :subtype, :contenttype and :param need :mime" },
	{ IF("header :mime :type :subtype \"a\" \"b\""), "line 1: header: :subtype and :type can not be together" },
	{ "if header :mime \"a\" \"b\" {}", "line 1: header: :mime needs require \"mime\"" },
	/* the order, and what a part is */
	{ M "foreverypart { if header :mime :contenttype :matches \"content-type\" \"*\" { set \"x\" \"${x} ${1}\"; } } "
	    "fileinto \"${x}\";", "save  multipart/mixed text/plain multipart/alternative text/html application/x-exe message/rfc822 "
	    "text/plain" },
	{ M "foreverypart { if header :mime \"x-part\" \"inner\" { fileinto \"a\"; break; } if header :mime \"x-part\" \"last\" "
	    "{ fileinto \"b\"; } }", "save a" },
	{ M "foreverypart { if header \"subject\" \"parts\" { set \"x\" \"${x}.\"; } } fileinto \"${x}\";", "save ......." },
	/* a loop in a loop is of the parts below */
	{ M "foreverypart :name \"a\" { if header :mime :subtype \"content-type\" \"alternative\" { foreverypart { if header :mime "
	    ":contenttype :matches \"content-type\" \"*\" { set \"x\" \"${x} ${1}\"; } } } } fileinto \"${x}\";", "save  text/html" },
	{ M "foreverypart :name \"a\" { foreverypart :name \"b\" { set \"x\" \"${x}.\"; if header :mime \"x-part\" \"outer\" { break "
	    ":name \"a\"; } } } fileinto \"${x}\";", "save .." },
	{ M "foreverypart { set \"x\" \"${x}.\"; stop; } fileinto \"${x}\";", "keep" },
	{ M "foreverypart { extracttext \"t\"; set \"x\" \"${x}[${t}]\"; } if string :is \"${x}\" \"[][one \xc3\xbc][][two][][][three]\" "
	    "{ fileinto \"yes\"; }", YES },
	{ M "foreverypart { extracttext :first 5 :upper \"t\"; set \"x\" \"${x}${t}\"; } fileinto \"${x}\";",
	    "save ONE \xc3\xbcTWOTHREE" },
	{ M "break;", "line 1: break: there is no foreverypart around it" },
	{ M "foreverypart :name \"a\" { break :name \"b\"; }", "line 1: break: there is no foreverypart \"b\" around it" },
	{ M "extracttext \"x\";", "line 1: extracttext: there is no foreverypart around it" },
	{ M "foreverypart { foreverypart { foreverypart { foreverypart { foreverypart {} } } } }",
	    "line 1: foreverypart: loops are nested too deeply" },
	{ M "foreverypart;", "line 1: foreverypart: takes a block" },
	{ "require [\"foreverypart\",\"extracttext\"]; foreverypart { extracttext \"x\"; }",
	    "line 1: \"extracttext\" needs require \"foreverypart\" and \"variables\"" },
	{ "require [\"extracttext\",\"variables\"];\nkeep;", "line 2: \"extracttext\" needs require \"foreverypart\" and \"variables\"" },
};

static void
test_mime(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, parts);
	assert_int_equal(rig_cases(&rig, mimes, COUNT(mimes)), 0);
	rig_clear(&rig);
}

static void
test_replace(void **state)
{
	struct sieve_rig rig;
	struct span text;

	(void)state;
	rig_init(&rig, parts);
	/* one part, and what is tested afterwards */
	assert_span(rig_run(&rig, M "foreverypart { if header :mime :param \"filename\" :matches \"content-disposition\" \"*.exe\" { "
	    "replace \"removed\"; if header :mime :contenttype \"content-type\" \"text/plain\" { set \"x\" \"y\"; } } } "
	    "if allof (string \"${x}\" \"y\", not header :mime :anychild \"x-part\" \"last\", header :mime :anychild \"x-part\" "
	    "\"inner\") { fileinto \"yes\"; }"), YES);
	text = rig_message(&rig, 0);
	assert_true(span_find(text, SPAN("--x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\nremoved\n"
	    "--x\nContent-Type: message/rfc822\n")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("MZ")) == SIZE_MAX);
	/* two parts; what is in a part that was replaced is not visited */
	assert_span(rig_run(&rig, M "foreverypart { if header :mime :subtype \"content-type\" \"alternative\" { replace :mime "
	    "\"Content-Type: text/x-new\r\n\r\nnew\"; } elsif header :mime \"x-part\" \"inner\" { fileinto \"wrong\"; } "
	    "elsif header :mime \"subject\" \"inside\" { replace \"--x\"; } } fileinto \"yes\";"), YES);
	text = rig_message(&rig, 0);
	assert_true(span_find(text, SPAN("--x\nContent-Type: text/x-new\n\nnew\n--x\nContent-Type: application/x-exe;")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("base64\n\nLS14\n\n--x--\n")) != SIZE_MAX);
	/* all of it */
	rig_run(&rig, M "replace :subject \"gone \xc3\xbc\" :from \"x@example.org\" \"text\";");
	assert_span(rig_message(&rig, 0), "Original-From: Ann <ann@example.org>\nTo: bob@example.com\nOriginal-Subject: parts\nSubject: "
	    "=?UTF-8?Q?gone_=C3=BC?=\nFrom: x@example.org\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 7bit\n\ntext");
	rig_run(&rig, M "replace :mime \"Content-Type: text/html\r\nX-Other: y\r\n\r\n<b>\"; if header :mime :subtype \"content-type\" "
	    "\"html\" { addheader \"X-Seen\" \"yes\"; }");
	assert_span(rig_message(&rig, 0), "X-Seen: yes\nFrom: Ann <ann@example.org>\nTo: bob@example.com\nSubject: parts\n"
	    "MIME-Version: 1.0\nContent-Type: text/html\n\n<b>");
	/* the header changes while the parts are walked through */
	assert_span(rig_run(&rig, M "foreverypart { if header :mime :matches \"x-part\" \"*\" { addheader :last \"X-P\" \"${1}\"; "
	    "replace \"r\"; } } if header :count \"eq\" \"x-p\" \"2\" { fileinto \"yes\"; }"), YES);
	assert_true(span_find(rig_message(&rig, 0), SPAN("boundary=x\nX-P: outer\nX-P: last\n\n--x\n")) != SIZE_MAX);
	rig_clear(&rig);
}

static void
test_enclose(void **state)
{
	struct sieve_rig rig;
	struct span text, boundary;

	(void)state;
	rig_init(&rig, mail);
	rig_run(&rig, M "enclose :subject \"Look\" :headers [\"x-tag\"] \"It is inside.\"; if header \"subject\" \"Look\" { addheader "
	    ":last \"X-In\" \"1\"; } foreverypart { if header :mime :subtype \"content-type\" \"rfc822\" { addheader :last \"X-In\" "
	    "\"2\"; } }");
	text = rig_message(&rig, 0);
	assert_true(span_starts(text, SPAN("X-Tag: one\nX-Tag: two\nX-Tag: three\nSubject: Look\nFrom: bob+work@example.com\nDate: Tue, "
	    "14 Nov 2023 22:13:20 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_")));
	assert_true(span_find(text, SPAN("X-In: 1\nX-In: 2\n\n--=_")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("\n\nIt is inside.\n--=_")) != SIZE_MAX);
	assert_true(span_find(text, SPAN("Content-Type: message/rfc822\nContent-Disposition: attachment\n\nReceived: from a\n")) != SIZE_MAX);
	boundary = span_from(text, span_find(text, SPAN("=_")));
	boundary = span_sub(boundary, 0, span_chr(boundary, '"'));
	assert_true(boundary.n > 20);
	assert_true(span_ends(text, span_str(arena_printf(rig.a, "Body.\n\n--%.*s--\n", SPAN_ARG(boundary)))));
	/* what is redirected is not enclosed */
	assert_span(rig_run(&rig, M "addheader \"X-A\" \"1\"; enclose \"a\"; addheader \"X-B\" \"2\"; redirect \"a@b.cd\"; fileinto \"A\";"),
	    "redirect a@b.cd; save A");
	assert_true(span_starts(rig_message(&rig, 0), SPAN("X-A: 1\nReceived: from a\n")));
	assert_true(span_starts(rig_message(&rig, 1), SPAN("X-B: 2\nSubject: parts\n")) || span_starts(rig_message(&rig, 1), SPAN("X-B: 2\n")));
	assert_true(span_find(rig_message(&rig, 1), SPAN("\n\nX-A: 1\nReceived: from a\n")) != SIZE_MAX);
	/* twice: one in the other; and what can not be after it in a loop */
	assert_span(rig_run(&rig, M "enclose \"a\"; enclose :subject \"b\" \"b\"; if header :mime :anychild :count \"eq\" "
	    "\"subject\" \"3\" { fileinto \"yes\"; }"), YES);
	assert_span(rig_run(&rig, M "foreverypart { enclose \"a\"; replace \"b\"; }"),
	    "failed at line 1: replace: the message has been replaced or enclosed meanwhile: keep");
	assert_null(rig_action(&rig, 0)->message.p);
	rig_clear(&rig);
}

/* Parts without end: depth, number, headers. */
static void
test_many_parts(void **state)
{
	struct buf text = BUF_INIT((size_t)64 << 20);
	struct sieve_rig rig;

	(void)state;
	buf_adds(&text, "MIME-Version: 1.0\n");
	for (int i = 0; i < 10000; i++)
		buf_addf(&text, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	buf_adds(&text, "\nlast words\n");
	rig_init(&rig, text.p);
	rig.mail_size = text.n;
	assert_span(rig_run(&rig, M "foreverypart { set \"x\" \"${x}.\"; } if header :mime :anychild \"x-nothing\" \"a\" { fileinto \"a\"; }"),
	    "keep");
	rig_clear(&rig);
	buf_reset(&text);
	buf_adds(&text, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "--b\n\nx\n");
	rig_init(&rig, text.p);
	rig.mail_size = text.n;
	assert_span(rig_run(&rig, "require [\"body\",\"fileinto\"]; if body :contains \"nothing\" { fileinto \"a\"; }"), "keep");
	assert_span(rig_run(&rig, M "foreverypart { replace \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"; break; }"), "keep");
	/* each replacement writes the message anew: the steps or the memory end it */
	assert_true(span_starts(rig_run(&rig, M "foreverypart { if header :mime :contenttype \"content-type\" \"none\" {} elsif exists :mime "
	    "\"mime-version\" {} else { replace \"y\"; } }"), SPAN("failed at line 1: replace: the script ")));
	rig_clear(&rig);
	buf_reset(&text);
	for (int i = 0; i < 1000000; i++)
		buf_adds(&text, "A: b\n");
	buf_adds(&text, "\nx\n");
	rig_init(&rig, text.p);
	rig.mail_size = text.n;
	assert_span(rig_run(&rig, M "addheader \"X\" \"y\"; deleteheader :is \"a\" \"b\"; if header \"x-nothing\" \"b\" { stop; }"), "keep");
	rig_clear(&rig);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mime),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_enclose),
		cmocka_unit_test(test_many_parts),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edit_ends),
		cmocka_unit_test(test_edit_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
