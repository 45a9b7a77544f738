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
	{ E "set \"n\" \"a b\"; addheader \"${n}\" \"x\";", "failed at line 1: addheader: \"a b\" is no name of a header field: keep", NULL },
	{ E "addheader \"a:\" \"x\";", "line 1: addheader: \"a:\" is no name of a header field", NULL },
	{ E "deleteheader :last \"x\";", "line 1: deleteheader: :last needs :index", NULL },
	{ E "deleteheader :contains \"x\";", "line 1: deleteheader: a match type needs values to match", NULL },
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edit_ends),
		cmocka_unit_test(test_edit_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
