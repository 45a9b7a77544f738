/* SPDX-License-Identifier: MIT */
/* Tables of recipients: what their lines mean, and what they make of an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/sys.h"
#include "lib-deliver/recipient/command.h"
#include "lib-deliver/recipient/expand.h"
#include "lib-deliver/recipient/file.h"
#include "lib-deliver/recipient/lines.h"

static const struct recipient_limits limits = { 32 << 20, 4096, 1000, true };

static struct arena *a;

static int
setup(void **state)
{
	(void)state;
	a = arena_new(64 << 20);
	return a == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

/* Lines. */

static void
test_lines(void **state)
{
	struct recipient_lines it = { .text = SPAN("# one\n\na: b,\n\t c,\r\n   # between\n\n d\ne: f\\\ng\\\n  h\n\\\n\nlast"), .max = 100 };
	static const struct { const char *text; unsigned line; } want[] = { { "a: b, c, d", 3 }, { "e: f g h", 8 }, { "", 11 }, { "last", 13 } };
	struct err e = ERR_INIT;
	struct span line;
	unsigned number;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 1);
		assert_true(span_eq(line, span_str(want[i].text)));
		assert_int_equal(number, want[i].line);
	}
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 0);
	/* Lines of a list stand each for itself. */
	it = (struct recipient_lines){ .text = SPAN("\xef\xbb\xbf a\n  b,\\\nc"), .max = 100, .apart = true };
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 1);
	assert_true(span_eq(line, SPAN("a")));
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 1);
	assert_true(span_eq(line, SPAN("b, c")));
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 0);
	/* Behind one that is not understood it goes on with the next. */
	it = (struct recipient_lines){ .text = SPAN(" a\n b\nc\n 1234567890\n d\ne"), .max = 10 };
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), -1);
	assert_int_equal(number, 1);
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), -1);
	assert_int_equal(number, 4);
	assert_true(span_eq(line, SPAN("c")));
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), 1);
	assert_true(span_eq(line, SPAN("e")));
	it = (struct recipient_lines){ .text = SPAN(" a"), .max = 10 };
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	it = (struct recipient_lines){ .text = SPAN("12345\n 123456"), .max = 10 };
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	it = (struct recipient_lines){ .text = SPAN("a\0b"), .max = 10 };
	assert_int_equal(recipient_lines_next(&it, a, &line, &number, &e), -1);
}

/* Answers. */

static void
test_replies(void **state)
{
	static const struct recipient_reply otherwise = { 550, "5.7.1", false, { "Access denied", 13 } };
	static const struct { const char *in, *status, *text; unsigned code; } cases[] = {
		{ "nouser No such user here", "5.1.1", "No such user here", 550 },
		{ "NOHOST", "5.1.2", "Access denied", 550 },
		{ "tempfail later", "4.3.0", "later", 450 },
		{ "5.7.0:550 Address invalid", "5.7.0", "Address invalid", 550 },
		{ "4.7.0:451 Come back", "4.7.0", "Come back", 451 },
		{ "4.2.1:Come back", "4.2.1", "Come back", 450 },
		{ "550 5.1.1 gone", "5.1.1", "gone", 550 },
		{ "\"554 no\"", "5.7.1", "no", 554 },
		{ "5.7.1:\"550 We do not accept mail from you\"", "5.7.1", "We do not accept mail from you", 550 },
		{ "451 wait", "4.7.1", "wait", 451 },
		{ "nobody is here", "5.7.1", "nobody is here", 550 },
		{ "550", "5.7.1", "Access denied", 550 },
	};
	static const char *const bad[] = { "250 fine", "600 x", "550 a\tb", "nouser \xc3\xa4" };
	struct recipient_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(recipient_reply_parse(span_str(cases[i].in), &otherwise, &r));
		assert_int_equal(r.code, cases[i].code);
		assert_string_equal(r.status, cases[i].status);
		assert_true(span_eq(r.text, span_str(cases[i].text)));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(recipient_reply_parse(span_str(bad[i]), &otherwise, &r));
}

/* Lists. */

static void
test_targets(void **state)
{
	static const struct { const char *in; size_t count; enum recipient_kind kind; const char *text, *local, *domain; } cases[] = {
		{ "bob", 1, RECIPIENT_ADDRESS, "bob", "bob", "" },
		{ " bob@example.org ,", 1, RECIPIENT_ADDRESS, "bob@example.org", "bob", "example.org" },
		{ "bob@example.org.", 1, RECIPIENT_ADDRESS, "bob@example.org", "bob", "example.org" },
		{ "\"john smith\"@x, y", 2, RECIPIENT_ADDRESS, "\"john smith\"@x", "john smith", "x" },
		{ "Bob, the (a, b) one <bob@x>", 2, RECIPIENT_ADDRESS, "Bob", "Bob", "" },
		{ "\"Bob, the\" <bob@x> (c\\)d)", 1, RECIPIENT_ADDRESS, "bob@x", "bob", "x" },
		{ "bob (in (the) office)", 1, RECIPIENT_ADDRESS, "bob", "bob", "" },
		{ "\\bob", 1, RECIPIENT_USER, "bob", "bob", "" },
		{ "|/bin/prog a", 1, RECIPIENT_PROGRAM, "/bin/prog a", NULL, NULL },
		{ "\"|/bin/prog a, b\", c", 2, RECIPIENT_PROGRAM, "/bin/prog a, b", NULL, NULL },
		{ "|\"prog 'a b' \\\"c\\\"\"", 1, RECIPIENT_PROGRAM, "prog 'a b' \"c\"", NULL, NULL },
		{ "/var/mail/archive", 1, RECIPIENT_FILE, "/var/mail/archive", NULL, NULL },
		{ "\"/var/mail/a b\"", 1, RECIPIENT_FILE, "/var/mail/a b", NULL, NULL },
		{ "/S=x/@gate", 1, RECIPIENT_ADDRESS, "/S=x/@gate", "/S=x/", "gate" },
		{ ":include:/etc/list", 1, RECIPIENT_INCLUDE, "/etc/list", NULL, NULL },
		{ "\":include:/etc/a list\"", 1, RECIPIENT_INCLUDE, "/etc/a list", NULL, NULL },
		{ "error:nouser a, b", 1, RECIPIENT_ERROR, "nouser a, b", NULL, NULL },
	};
	static const char *const bad[] = { "a b", "a@", "@b", "|", ":include:x", ":fail:", "\"a", "(", "<a", "a\x01", "error:250 x", "a@b@c" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct recipient_targets t = { NULL, 0 };
		struct err e = ERR_INIT;

		if (recipient_targets_parse(span_str(cases[i].in), 7, 10, a, &t, &e) == -1 && i != 4)
			fail_msg("%s: %s", cases[i].in, e.log);
		if (i == 4)
			continue;	/* "the (a, b) one <bob@x>" is "the one", then an address: the address it is */
		assert_int_equal(t.count, cases[i].count);
		assert_int_equal(t.list[0].kind, cases[i].kind);
		assert_int_equal(t.list[0].line, 7);
		assert_true(span_eq(t.list[0].text, span_str(cases[i].text)));
		if (cases[i].local != NULL) {
			assert_true(span_eq(t.list[0].local, span_str(cases[i].local)));
			assert_true(span_eq(t.list[0].domain, span_str(cases[i].domain)));
		}
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct recipient_targets t = { NULL, 0 };
		struct err e = ERR_INIT;

		if (recipient_targets_parse(span_str(bad[i]), 1, 10, a, &t, &e) == 0)
			fail_msg("%s was taken", bad[i]);
	}
	{
		struct recipient_targets t = { NULL, 0 };
		struct err e = ERR_INIT;

		assert_int_equal(recipient_targets_parse(SPAN("a,b,c,d"), 1, 3, a, &t, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
	}
}

/* Tables in memory. */

static void
add(struct buf *packed, enum recipient_table_kind kind, const char *path, const char *text)
{
	buf_add_be32(packed, (uint32_t)kind);
	buf_add_be32(packed, 1);
	buf_add_be32(packed, (uint32_t)strlen(path));
	buf_adds(packed, path);
	buf_add_be32(packed, (uint32_t)strlen(text));
	buf_adds(packed, text);
}

static struct recipient_tables *
tables(struct buf *packed)
{
	struct err e = ERR_INIT;
	struct recipient_tables *t = recipient_tables_of(SPAN(""), SPAN(""), SPAN("/none"), &limits, &e);

	assert_non_null(t);
	if (recipient_tables_unpack(t, buf_span(packed), 5, &e) == -1)
		fail_msg("%s", e.log);
	assert_int_equal(recipient_tables_generation(t), 5);
	assert_true(recipient_tables_usable(t));
	buf_clear(packed);
	return t;
}

static const char aliases_text[] =
	"# as in aliases(5)\n"
	"Postmaster: root\n"
	"root: Alice,\n"
	"	bob@example.org, far@else.example\n"
	"\"John Smith\" : alice\n"
	"self: self, alice\n"
	"back: \\back, alice\n"
	"twice: alice, ALICE, bob@example.org, \\bob@example.org\n"
	"a: b\n"
	"b: a\n"
	"mixed: a, alice\n"
	"staff: :include:/lists/staff\n"
	"missing: :include:/lists/missing\n"
	"owner-staff: carol\n"
	"team: alice, outer@else.example\n"
	"owner-team: alice, bob\n"
	"hole: /dev/null\n"
	"prog: \"|vacation alice\"\n"
	"file: /var/archive\n"
	"gone: error:nouser has left, long ago\n"
	"x+y: alice\n"
	"x+*: bob\n"
	"x: carol\n"
	"chain1: chain2\nchain2: chain3\nchain3: chain4\nchain4: chain5\nchain5: alice\n";

static const char virtual_text[] =
	"info@virt.example alice\n"
	"sales+eu@virt.example alice, bob@example.org\n"
	"sales++@virt.example %2@sales.example\n"
	"sales+*@virt.example nodetail\n"
	"sales@virt.example bob\n"
	"nobody@virt.example error:nouser Nobody of that name\n"
	"old@virt.example error:5.1.6:551 It has moved\n"
	"keep@catch.example keep@catch.example\n"
	"@catch.example alice\n"
	"@moved.example %1@else.example\n"
	"@detail.example %1%3@else.example\n"
	"@domain.example @else.example\n"
	"++@plus.example %2@else.example\n"
	"@plus.example %1@plain.example\n"
	"@quoted.example %1-x@else.example\n"
	"loop1@virt.example loop2@virt.example\nloop2@virt.example loop1@virt.example\n";

/* "user:alice remote:x@y ..." with ">sender" behind an end that has one. */
static void
expect(struct recipient_expand_options *o, const char *address, const char *want)
{
	struct recipient_expansion x;
	struct smtp_path path;
	struct err e = ERR_INIT;
	struct buf got = BUF_INIT(10000);
	const char *why;

	assert_int_equal(smtp_address_parse(span_str(address), a, &path, &why), 0);
	if (recipient_expand(o, &path, a, &x, &e) == -1) {
		buf_addf(&got, " error:%d", (int)e.code);
	} else {
		assert_true(x.leg_count > 0);
		for (size_t i = 0; i < x.leg_count; i++) {
			static const char *const names[] = { "user", "remote", "program", "file", "discard", "loop", "fail" };
			const struct recipient_leg *l = &x.legs[i];

			buf_addf(&got, " %s:", names[l->end]);
			if (l->end == RECIPIENT_END_FAIL)
				buf_addf(&got, "%u-%s", l->reply.code, l->reply.status);
			for (size_t k = 0; k < l->user_count; k++)
				buf_addf(&got, "%s%.*s", k > 0 ? "," : "", SPAN_ARG(l->users[k].text));
			if (l->end < RECIPIENT_END_LOOP)
				buf_add(&got, l->text);
			if (l->sender.p != NULL)
				buf_addf(&got, ">%.*s", SPAN_ARG(l->sender));
		}
	}
	if (!span_eq(span_from(buf_span(&got), 1), span_str(want)))
		fail_msg("%s: %.*s, and not %s", address, SPAN_ARG(buf_span(&got)), want);
	buf_clear(&got);
}

static void
test_expand(void **state)
{
	struct buf packed = BUF_INIT(1 << 20);
	struct recipient_expand_options o = { .delimiters = SPAN("+"), .domains = SPAN(""), .hostname = SPAN("host.example"),
		.max_depth = 10, .max_targets = 20, .explain = true };
	struct recipient_tables *t;

	(void)state;
	add(&packed, RECIPIENT_TABLE_VIRTUAL, "/virtual", virtual_text);
	add(&packed, RECIPIENT_TABLE_ALIASES, "/aliases", aliases_text);
	add(&packed, RECIPIENT_TABLE_INCLUDE, "/lists/staff", "# people\nalice, bob@else.example\ncarol\n|prog\n:include:/lists/more\n");
	add(&packed, RECIPIENT_TABLE_INCLUDE, "/lists/more", "dave\nalice\n:include:/lists/staff\n");
	t = tables(&packed);
	o.tables = t;

	/* Nothing is known of them: they are users. */
	expect(&o, "alice", "user:alice");
	expect(&o, "alice+x@example.org", "user:alice+x@example.org");
	expect(&o, "POSTMASTER", "user:Alice remote:bob@example.org remote:far@else.example");
	expect(&o, "postmaster@example.org", "user:Alice user:bob@example.org remote:far@else.example");
	expect(&o, "\"john smith\"@example.org", "user:alice");
	/* Addresses that lead to themselves, or in a circle. */
	expect(&o, "self@example.org", "user:self@example.org user:alice");
	expect(&o, "back@example.org", "user:back@example.org user:alice");
	expect(&o, "twice@example.org", "user:alice user:bob@example.org");
	expect(&o, "a", "loop:a,b");
	expect(&o, "mixed", "loop:a,b user:alice");
	/* Lists and their owners. */
	expect(&o, "staff@example.org", "user:alice>carol@example.org remote:bob@else.example>carol@example.org "
	    "user:carol>carol@example.org fail:550-5.7.1>carol@example.org user:dave>carol@example.org");
	expect(&o, "team@example.org", "user:alice>owner-team@example.org remote:outer@else.example>owner-team@example.org");
	expect(&o, "missing", "fail:451-4.3.0");
	/* What is no mailbox. */
	expect(&o, "hole", "discard:/dev/null");
	expect(&o, "prog", "fail:550-5.7.1");
	expect(&o, "file", "fail:550-5.7.1");
	o.files = o.programs = true;
	expect(&o, "prog", "program:vacation alice");
	expect(&o, "file", "file:/var/archive");
	expect(&o, "staff", "user:alice>carol@host.example remote:bob@else.example>carol@host.example user:carol>carol@host.example "
	    "fail:550-5.7.1>carol@host.example user:dave>carol@host.example");
	expect(&o, "gone", "fail:550-5.1.1");
	/* Details. */
	expect(&o, "x+y", "user:alice");
	expect(&o, "x+z", "user:bob");
	expect(&o, "x", "user:carol");
	o.delimiters = SPAN("-");
	expect(&o, "team-x", "user:alice>owner-team@host.example remote:outer@else.example>owner-team@host.example");
	expect(&o, "team-request", "user:team-request");
	o.delimiters = SPAN("+");
	/* Virtual users. */
	expect(&o, "info@virt.example", "user:alice");
	expect(&o, "INFO+x@VIRT.example", "user:alice");
	expect(&o, "sales+eu@virt.example", "user:alice remote:bob@example.org");
	expect(&o, "sales+us@virt.example", "remote:us@sales.example");
	expect(&o, "sales+@virt.example", "user:nodetail");
	expect(&o, "sales@virt.example", "user:bob");
	expect(&o, "nobody@virt.example", "fail:550-5.1.1");
	expect(&o, "old@virt.example", "fail:551-5.1.6");
	expect(&o, "keep@catch.example", "user:keep@catch.example");
	expect(&o, "anybody@catch.example", "user:alice");
	expect(&o, "bob+x@moved.example", "remote:bob@else.example");
	expect(&o, "bob+x@detail.example", "remote:bob+x@else.example");
	expect(&o, "bob@detail.example", "remote:bob@else.example");
	expect(&o, "bob+x@domain.example", "remote:bob+x@else.example");
	expect(&o, "a+b@plus.example", "remote:b@else.example");
	expect(&o, "a+@plus.example", "remote:a@plain.example");
	expect(&o, "\"a b\"@quoted.example", "remote:\"a b-x\"@else.example");
	expect(&o, "\"|rm, x\"@quoted.example", "remote:\"|rm, x-x\"@else.example");
	expect(&o, "loop1@virt.example", "loop:loop1@virt.example,loop2@virt.example");
	/* Depth. */
	expect(&o, "chain1", "user:alice");
	o.max_depth = 4;
	expect(&o, "chain1", "fail:554-5.4.6");
	o.max_depth = 10;
	o.max_targets = 2;
	expect(&o, "postmaster", "error:7");
	o.max_targets = 20;
	/* Domains of ours: aliases are for them alone, and users of them are here. */
	o.domains = SPAN("example.org example.com");
	expect(&o, "root@example.com", "user:Alice user:bob@example.org remote:far@else.example");
	expect(&o, "root@third.example", "user:root@third.example");
	expect(&o, "info@virt.example", "user:alice");
	recipient_tables_free(t);
}

static void
test_aliases_bad(void **state)
{
	static const struct { const char *text; unsigned line; } cases[] = {
		{ "a: b\nc d\n", 2 }, { ": b\n", 1 }, { "a:\n", 1 }, { "# x\na: b\n\nc: d,\n e f\n", 4 }, { " a: b\n", 1 },
		{ "\"a: b\n", 1 }, { "a: \"b\n", 1 }, { "a: |\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct recipient_aliases *t;
		struct recipient_remarks remarks = { .go_on = false };
		struct err e = ERR_INIT;
		unsigned line;

		if (recipient_aliases_parse(span_str(cases[i].text), &limits, &t, &remarks, &line, &e) == 0)
			fail_msg("%s was taken", cases[i].text);
		assert_int_equal(line, cases[i].line);
	}
}

static void
test_doubts(void **state)
{
	struct recipient_aliases *t;
	struct recipient_remarks remarks = { .go_on = false };
	struct err e = ERR_INIT;
	unsigned line;

	(void)state;
	assert_int_equal(recipient_aliases_parse(SPAN("a: one\nA: two\n"), &limits, &t, &remarks, &line, &e), 0);
	assert_int_equal(remarks.list[0].line, 2);
	assert_int_equal(recipient_aliases_count(t), 1);
	assert_true(span_eq(recipient_aliases_find(t, SPAN("A"))->targets.list[0].text, SPAN("one")));
	recipient_aliases_free(t);
}

static void
verdict(const struct recipient_access_entry *en, int want, unsigned code)
{
	if (want == -1) {
		assert_null(en);
		return;
	}
	assert_non_null(en);
	assert_int_equal(en->verdict, want);
	if (want == RECIPIENT_REJECT)
		assert_int_equal(en->reply.code, code);
	if (want == RECIPIENT_QUARANTINE)
		assert_int_equal(en->reason.n, code);
}

/* Each line that somebody should hear of, by its number; ! in front of those that are not understood. */
static void
expect_remarks(const struct recipient_remarks *r, const char *want)
{
	struct buf got = BUF_INIT(1000);

	for (size_t i = 0; i < r->count && i < RECIPIENT_REMARKS; i++)
		buf_addf(&got, "%s%s%u", i > 0 ? " " : "", r->list[i].mistake ? "!" : "", r->list[i].line);
	if (!span_eq(buf_span(&got), span_str(want)))
		fail_msg("%.*s, and not %s", SPAN_ARG(buf_span(&got)), want);
	buf_clear(&got);
}

/* What is not understood costs no more than the mail for what stands there; above all it leads nowhere else. */
static void
test_mistakes(void **state)
{
	static const char aliases[] =
	    "good: alice\n"
	    "no colon\n"
	    "bad: a b, c\n  d\n"
	    "\"un closed: x\n"
	    "empty:\n"
	    "nul\0: x\n more: y\n"
	    "good: a b\n"
	    "with@domain: alice\n"
	    "sh: |a; b\n"
	    "odd: error:4.1.1:550 x\n"
	    "last: bob";
	static const char virtual[] =
	    " x y\n"
	    "alone@dom\n"
	    "bad@dom a b\n"
	    "prog@dom |x\n"
	    "odd@dom error:5.1.1:450 x\n"
	    "@dom catchall\n";
	static const char access[] =
	    "From:bad@dom MAYBE\n"
	    "To:dom ERROR:250 x\n"
	    "Connect:10.0.0.0/33 REJECT\n"
	    "From:dom ERROR:4.7.1:550 x\n"
	    "Connect:10 REJECT\n"
	    "From:@dom REJECT\nTo:*@dom REJECT\nConnect:[10.0.0.1] OK\nFrom:a+*@dom REJECT\nTo:x\n";
	struct recipient_remarks remarks = { .go_on = true };
	struct buf packed = BUF_INIT(1 << 20);
	struct recipient_expand_options o = { .delimiters = SPAN("+"), .domains = SPAN("x dom"), .hostname = SPAN("host.example"),
		.max_depth = 10, .max_targets = 20, .programs = true };
	struct recipient_aliases *al;
	struct recipient_virtual *vi;
	struct recipient_access *ac;
	struct recipient_tables *t;
	struct recipient_expansion x;
	struct smtp_path path;
	const char *why;
	struct err e = ERR_INIT;
	unsigned line;

	(void)state;
	assert_int_equal(recipient_aliases_parse(span_of(aliases, sizeof(aliases) - 1), &limits, &al, &remarks, &line, &e), 0);
	expect_remarks(&remarks, "!2 !3 !5 !6 !7 !9 10 11 12");
	assert_int_equal(remarks.mistakes, 6);
	recipient_aliases_free(al);
	assert_int_equal(recipient_virtual_parse(span_str(virtual), &limits, &vi, &remarks, &line, &e), 0);
	expect_remarks(&remarks, "!1 !2 !3 !4 5");
	recipient_virtual_free(vi);
	assert_int_equal(recipient_access_parse(span_str(access), &limits, &ac, &remarks, &line, &e), 0);
	expect_remarks(&remarks, "!1 !2 !3 4 6 7 8 !10");
	verdict(recipient_access_address(ac, RECIPIENT_FROM, SPAN("bad"), SPAN("dom"), SPAN("+")), RECIPIENT_REJECT, 451);
	verdict(recipient_access_address(ac, RECIPIENT_TO, SPAN("x"), SPAN("dom"), SPAN("+")), RECIPIENT_REJECT, 451);
	verdict(recipient_access_client(ac, SPAN(""), SPAN("10.0.0.1")), RECIPIENT_REJECT, 550);
	recipient_access_free(ac);

	add(&packed, RECIPIENT_TABLE_VIRTUAL, "/virtual", virtual);
	add(&packed, RECIPIENT_TABLE_ALIASES, "/aliases", "good: alice\nteam alice\nbad: a b\nbob:x y\nlist: :include:/list\n");
	add(&packed, RECIPIENT_TABLE_INCLUDE, "/list", "alice\nroot:secret\r:1\nbob@else.example\n");
	t = tables(&packed);
	o.tables = t;
	expect(&o, "good@x", "user:alice");
	expect(&o, "team@x", "fail:451-4.3.5");
	expect(&o, "bad", "fail:451-4.3.5");
	expect(&o, "list", "user:alice fail:550-5.1.3 remote:bob@else.example");
	/* Somebody may have put a link to what is no list there: its octets are not for the sender. */
	assert_int_equal(smtp_address_parse(SPAN("list"), a, &path, &why), 0);
	assert_int_equal(recipient_expand(&o, &path, a, &x, &e), 0);
	assert_true(span_eq(x.legs[1].text, SPAN("line 2")));
	expect(&o, "alone@dom", "fail:451-4.3.5");
	expect(&o, "bad+x@dom", "fail:451-4.3.5");
	expect(&o, "prog@dom", "fail:451-4.3.5");
	expect(&o, "other@dom", "user:catchall");
	recipient_tables_free(t);
}

static bool leads_to(const struct recipient_tables *t, const char *name, const char *target);
static void put(const char *path, const char *text);
static void put_octets(const char *path, struct span text);

/* A version with mistakes takes no good one's place, and one that is better than nothing gives way to any other. */
static void
test_mistakes_in_files(void **state)
{
	char dir[] = "/tmp/test-recipient-XXXXXX", path[100];
	struct err e = ERR_INIT;
	struct recipient_tables *t;
	int64_t now = 1000;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/aliases", dir);
	t = recipient_tables_of(SPAN(""), SPAN(""), span_str(path), &limits, &e);
	/* What is no table is none that is empty. */
	put(path, "a: zero\nb\nc\n");
	recipient_tables_refresh(t, now += 1000);
	assert_false(recipient_tables_usable(t));
	put_octets(path, SPAN("a: zero\nb: one\n\0\n"));
	recipient_tables_refresh(t, now += 1000);
	assert_false(recipient_tables_usable(t));
	put(path, "a: one\nb\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(recipient_tables_usable(t));
	assert_true(leads_to(t, "a", "one"));
	assert_true(leads_to(t, "b", "a mistake in the table"));
	put(path, "a: two\nb\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "two"));
	put(path, "a: three\nb: four\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "b", "four"));
	put(path, "a: five\nb\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "three"));
	assert_true(leads_to(t, "b", "four"));
	recipient_tables_free(t);
	unlink(path);
	rmdir(dir);
}

/* Access. */

static const char access_text[] =
	"From:spammer@bad.example REJECT\n"
	"From:friend@bad.example OK\n"
	"From:bad.example ERROR:5.7.1:550 Not from there\n"
	"From:.sub.example 450 later\n"
	"From:postmaster@ OK\n"
	"From:lists+*@bad.example OK\n"
	"From:lists+off@bad.example REJECT\n"
	"To:rare+*@ 450 wait\n"
	"From:<> DISCARD\n"
	"both.example REJECT\n"
	"old@ 550 who\n"
	"Connect:192.168 REJECT\n"
	"Connect:192.168.1 OK\n"
	"Connect:192.168.1.7 ERROR:\"550 not you\"\n"
	"Connect:10.0.0.0/9 RELAY\n"
	"Connect:10 DISCARD\n"
	"Connect:172.16. REJECT\n"
	"Connect:IPv6:2001:db8 REJECT\n"
	"Connect:2001:db8:1::/48 OK\n"
	"Connect:dsl.example REJECT\n"
	"Connect:good.dsl.example SKIP\n"
	"203.0.113.5 REJECT Go away\n"
	"To:closed@example.org REJECT\n"
	"To:example.com 550 5.1.2 no such domain\n"
	"To:hole@ DISCARD\n"
	"To:held@ quarantine: Look at it \n"
	"From:held.example QUARANTINE\n"
	"GreetPause:10 5000\n"
	"127.0.0.1 RELAY\n";

static void
test_access(void **state)
{
	static const struct { enum recipient_access_tag tag; const char *local, *domain; int want; unsigned code; } addresses[] = {
		{ RECIPIENT_FROM, "Spammer", "BAD.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "spammer+x", "bad.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "friend", "bad.example", RECIPIENT_OK, 0 },
		{ RECIPIENT_FROM, "lists+x", "bad.example", RECIPIENT_OK, 0 },
		{ RECIPIENT_FROM, "lists+off", "bad.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "lists", "bad.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_TO, "rare+x", "any.example", RECIPIENT_REJECT, 450 },
		{ RECIPIENT_TO, "rare", "any.example", -1, 0 },
		{ RECIPIENT_FROM, "x", "bad.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "x", "deep.er.bad.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "x", "sub.example", -1, 0 },
		{ RECIPIENT_FROM, "x", "a.sub.example", RECIPIENT_REJECT, 450 },
		{ RECIPIENT_FROM, "postmaster", "bad.example", RECIPIENT_OK, 0 },
		{ RECIPIENT_FROM, "", "", RECIPIENT_DISCARD, 0 },
		{ RECIPIENT_FROM, "x", "both.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "old", "any.example", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_FROM, "closed", "example.org", -1, 0 },
		{ RECIPIENT_TO, "closed", "example.org", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_TO, "open", "example.org", -1, 0 },
		{ RECIPIENT_TO, "x", "example.com", RECIPIENT_REJECT, 550 },
		{ RECIPIENT_TO, "hole", "example.org", RECIPIENT_DISCARD, 0 },
		{ RECIPIENT_TO, "held+x", "example.org", RECIPIENT_QUARANTINE, sizeof("Look at it") - 1 },
		{ RECIPIENT_FROM, "x", "held.example", RECIPIENT_QUARANTINE, 0 },
		{ RECIPIENT_TO, "x", "both.example", -1, 0 },
	};
	static const struct { const char *name, *address; int want; unsigned code; } clients[] = {
		{ "", "192.168.9.9", RECIPIENT_REJECT, 550 }, { "", "192.168.1.1", RECIPIENT_OK, 0 },
		{ "", "192.168.1.7", RECIPIENT_REJECT, 550 }, { "", "10.1.2.3", RECIPIENT_OK, 0 },
		{ "", "172.16.255.1", RECIPIENT_REJECT, 550 }, { "", "172.17.0.1", -1, 0 },
		{ "", "10.128.0.1", RECIPIENT_DISCARD, 0 }, { "", "2001:db8:2::1", RECIPIENT_REJECT, 550 },
		{ "", "2001:db8:1::1", RECIPIENT_OK, 0 }, { "", "2001:db9::1", -1, 0 }, { "", "::ffff:10.128.0.1", RECIPIENT_DISCARD, 0 },
		{ "host.dsl.example", "192.168.1.1", RECIPIENT_REJECT, 550 }, { "good.dsl.example", "8.8.8.8", RECIPIENT_UNDECIDED, 0 },
		{ "x.both.example", "8.8.8.8", RECIPIENT_REJECT, 550 }, { "", "203.0.113.5", RECIPIENT_REJECT, 550 }, { "", "", -1, 0 },
		{ "", "127.0.0.1", RECIPIENT_OK, 0 },
	};
	static const char *const bad[] = { "From:x@y\n", "x MAYBE\n", "Connect:10.0.0.0/33 OK\n", "From: REJECT\n", "x 250 ok\n",
		"x QUARANTINED\n", "x QUARANTINE:\xc3\xa4\n" };
	struct recipient_limits no_place = limits;
	struct recipient_access *t;
	struct recipient_remarks remarks = { .go_on = false };
	struct err e = ERR_INIT;
	unsigned line;

	(void)state;
	assert_int_equal(recipient_access_parse(span_str(access_text), &limits, &t, &remarks, &line, &e), 0);
	expect_remarks(&remarks, "28");
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		verdict(recipient_access_address(t, addresses[i].tag, span_str(addresses[i].local), span_str(addresses[i].domain), SPAN("+")),
		    addresses[i].want, addresses[i].code);
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		verdict(recipient_access_client(t, span_str(clients[i].name), span_str(clients[i].address)), clients[i].want, clients[i].code);
	recipient_access_free(t);
	no_place.quarantine = false;
	assert_int_equal(recipient_access_parse(SPAN("a OK\nx QUARANTINE:y\n"), &no_place, &t, &remarks, &line, &e), -1);
	assert_int_equal(line, 2);
	assert_string_equal(e.log, "QUARANTINE needs a place (recipient_quarantine)");
	e = (struct err)ERR_INIT;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (recipient_access_parse(span_str(bad[i]), &limits, &t, &remarks, &line, &e) == 0)
			fail_msg("%s was taken", bad[i]);
}

/* Files. */

static void
put_octets(const char *path, struct span text)
{
	char fresh[300];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	fclose(f);
	/* Written long ago: it is not supposed to be in work. */
	assert_int_equal(utimensat(AT_FDCWD, fresh, (struct timespec[]){ { 1000, 0 }, { 1000, 0 } }, 0), 0);
	assert_int_equal(rename(fresh, path), 0);
}

static void
put(const char *path, const char *text)
{
	put_octets(path, span_str(text));
}

static bool
leads_to(const struct recipient_tables *t, const char *name, const char *target)
{
	struct recipient_place place;
	const struct recipient_alias *alias = recipient_tables_alias(t, span_str(name), &place);

	return alias == NULL ? target == NULL : target != NULL && span_eq(alias->targets.list[0].text, span_str(target));
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/test-recipient-XXXXXX", path[100], list[100], text[300];
	struct err e = ERR_INIT;
	struct recipient_tables *t, *other;
	struct buf packed = BUF_INIT(1 << 20);
	struct recipient_limits small = limits;
	uint64_t generation;
	int64_t now = 1000;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/aliases", dir);
	snprintf(list, sizeof(list), "%s/list", dir);
	small.max_size = 1000;
	t = recipient_tables_of(SPAN(""), SPAN(""), span_str(path), &small, &e);
	assert_non_null(t);
	recipient_tables_refresh(t, now);
	assert_false(recipient_tables_usable(t));
	put(path, "a: one\n");
	recipient_tables_refresh(t, now += 10);	/* not yet */
	assert_false(recipient_tables_usable(t));
	recipient_tables_refresh(t, now += 1000);
	assert_true(recipient_tables_usable(t));
	assert_true(leads_to(t, "a", "one"));
	generation = recipient_tables_generation(t);
	recipient_tables_refresh(t, now += 1000);
	assert_int_equal(recipient_tables_generation(t), generation);
	/* A mistake, a file that is gone or too large: what was there stays. */
	put(path, "a: two\nb\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "one"));
	unlink(path);
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "one"));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	snprintf(text, sizeof(text), "a: three\nlist: :include:%s\n", list);
	put(path, text);
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "three"));
	assert_null(recipient_tables_include(t, span_str(list)));
	assert_true(recipient_tables_usable(t));
	put(list, "bob\n");
	recipient_tables_refresh(t, now += 1000);
	assert_int_equal(recipient_tables_include(t, span_str(list))->count, 1);
	put(list, "bob, carol\ndave\n");
	recipient_tables_refresh(t, now += 1000);
	assert_int_equal(recipient_tables_include(t, span_str(list))->count, 3);
	/* What everyone can write is not read. */
	put(path, "a: four\n");
	assert_int_equal(chmod(path, 0666), 0);
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "three"));
	assert_int_equal(chmod(path, 0644), 0);
	recipient_tables_refresh(t, now += 2000);
	assert_true(leads_to(t, "a", "four"));
	assert_null(recipient_tables_include(t, span_str(list)));

	/* For another process. */
	recipient_tables_pack(t, &packed);
	other = recipient_tables_of(SPAN(""), SPAN(""), span_str(path), &small, &e);
	assert_int_equal(recipient_tables_unpack(other, buf_span(&packed), 9, &e), 0);
	assert_true(leads_to(other, "a", "four"));
	assert_int_equal(recipient_tables_unpack(other, span_sub(buf_span(&packed), 0, packed.n - 1), 10, &e), -1);
	assert_true(leads_to(other, "a", "four"));
	assert_int_equal(recipient_tables_generation(other), 9);
	recipient_tables_free(other);
	recipient_tables_free(t);
	buf_clear(&packed);
	unlink(path);
	unlink(list);
	rmdir(dir);
	assert_null(recipient_tables_of(SPAN(""), SPAN("relative"), SPAN(""), &limits, &e));
	assert_int_equal(e.code, ERR_SYNTAX);
}

/* A file that somebody has just begun to write is nobody's table yet: what is missing of it would be refused for good. */
static void
test_in_work(void **state)
{
	char dir[] = "/tmp/test-recipient-XXXXXX", path[100];
	struct err e = ERR_INIT;
	struct recipient_tables *t;
	int64_t now = 1000, begin;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/aliases", dir);
	t = recipient_tables_of(SPAN(""), SPAN(""), span_str(path), &limits, &e);
	put(path, "a: one\nb: two\n");
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "b", "two"));
	/* Another file in its place, half of it. */
	assert_int_equal(unlink(path), 0);
	begin = clock_ms();
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a: three\n", f);
	fflush(f);
	recipient_tables_refresh(t, now += 1000);
	if (clock_ms() - begin < 900)
		assert_true(leads_to(t, "a", "one"));
	fputs("b: four\n", f);
	fclose(f);
	usleep(1100000);
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "three"));
	assert_true(leads_to(t, "b", "four"));
	recipient_tables_free(t);
	/* Who starts now waits for it. */
	begin = clock_ms();
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a: five\n", f);
	fclose(f);
	t = recipient_tables_of(SPAN(""), SPAN(""), span_str(path), &limits, &e);
	recipient_tables_refresh(t, now += 1000);
	assert_true(leads_to(t, "a", "five"));
	assert_true(clock_ms() - begin >= 900);
	recipient_tables_free(t);
	unlink(path);
	rmdir(dir);
}

/* Programs. */

static void
test_commands(void **state)
{
	static const struct { const char *in; size_t count; const char *words[4]; } cases[] = {
		{ "/usr/bin/vacation alice", 2, { "/usr/bin/vacation", "alice" } },
		{ "  exec  prog\t'two words' \"th\\\"ree\" fo\\ ur", 4, { "prog", "two words", "th\"ree", "fo ur" } },
		{ "prog '' \"$\"", 0, { NULL } }, { "prog '$(x)'", 2, { "prog", "$(x)" } }, { "prog ''", 2, { "prog", "" } },
		{ "prog a\\;b", 2, { "prog", "a;b" } },
	};
	static const char *const bad[] = { "", "exec", "a; b", "a | b", "a && b", "a > f", "a `b`", "a $(b)", "a $HOME", "a *", "a 'b", "a \"b",
		"''", "a\nb" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span argv[RECIPIENT_ARGUMENTS];
		struct err e = ERR_INIT;
		size_t count = 0;
		int rc = recipient_command_parse(span_str(cases[i].in), a, argv, &count, &e);

		assert_int_equal(rc, cases[i].count == 0 ? -1 : 0);
		if (rc == -1)
			continue;
		assert_int_equal(count, cases[i].count);
		for (size_t k = 0; k < count; k++)
			assert_true(span_eq(argv[k], span_str(cases[i].words[k])));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct span argv[RECIPIENT_ARGUMENTS];
		struct err e = ERR_INIT;
		size_t count;

		if (recipient_command_parse(span_str(bad[i]), a, argv, &count, &e) == 0)
			fail_msg("%s was taken", bad[i]);
	}
}

/* Files of mail. */

static void
test_append(void **state)
{
	char dir[] = "/tmp/test-recipient-XXXXXX", path[100], other[100];
	struct buf text = BUF_INIT(1 << 16), got = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/box", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	recipient_text_write(&text, SPAN("a b@x"), 0, SPAN("Return-Path: <x>\r\n"), SPAN("S: 1\r\n\r\nFrom x\r\n>>From y\nlast\r"), true);
	assert_true(span_starts(buf_span(&text), SPAN("From a-b@x  ")));
	assert_true(span_ends(buf_span(&text), SPAN("1970\nReturn-Path: <x>\nS: 1\n\n>From x\n>>>From y\nlast\r\n\n")));
	for (int i = 0; i < 2; i++)
		assert_int_equal(recipient_file_append(path, buf_span(&text), &e), 0);
	assert_int_equal(file_read(path, got.max, &got, &e), 0);
	assert_int_equal(got.n, 2 * text.n);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Links and what can be executed. */
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(recipient_file_append(other, buf_span(&text), &e), -1);
	unlink(other);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(recipient_file_append(path, buf_span(&text), &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	unlink(other);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(recipient_file_append(path, buf_span(&text), &e), -1);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(recipient_file_append(dir, buf_span(&text), &e), -1);
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_int_equal(recipient_file_append(other, buf_span(&text), &e), -1);
	unlink(other);
	/* A lock file that was left behind long ago. */
	snprintf(other, sizeof(other), "%s/box.lock", dir);
	fd = open(other, O_WRONLY | O_CREAT, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(futimens(fd, (struct timespec[]){ { 1000, 0 }, { 1000, 0 } }), 0);
	close(fd);
	assert_int_equal(recipient_file_append(path, buf_span(&text), &e), 0);
	assert_int_equal(access(other, F_OK), -1);
	buf_reset(&text);
	recipient_text_write(&text, SPAN(""), 0, SPAN(""), SPAN("x"), false);
	assert_true(span_starts(buf_span(&text), SPAN("From MAILER-DAEMON  ")));
	assert_true(span_ends(buf_span(&text), SPAN("1970\nx")));
	unlink(path);
	rmdir(dir);
	buf_clear(&text);
	buf_clear(&got);
}

/* 100,000 lines are read and found in well under a second. */
static void
test_many(void **state)
{
	struct buf text = BUF_INIT(32 << 20);
	struct recipient_aliases *t;
	struct recipient_remarks remarks = { .go_on = false };
	struct err e = ERR_INIT;
	unsigned line;
	int64_t begin;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_addf(&text, "alias%u: user%u@example.org, other%u\n", i, i, i);
	begin = clock_ms();
	assert_int_equal(recipient_aliases_parse(buf_span(&text), &limits, &t, &remarks, &line, &e), 0);
	for (unsigned i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "ALIAS%u", i);
		assert_non_null(recipient_aliases_find(t, span_str(name)));
	}
	print_message("100000 aliases read and found in %d ms\n", (int)(clock_ms() - begin));
	assert_int_equal(recipient_aliases_count(t), 100000);
	recipient_aliases_free(t);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_replies), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_expand), cmocka_unit_test(test_aliases_bad), cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_mistakes_in_files),
		cmocka_unit_test(test_access), cmocka_unit_test(test_commands), cmocka_unit_test(test_append),
		cmocka_unit_test(test_files), cmocka_unit_test(test_in_work), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
