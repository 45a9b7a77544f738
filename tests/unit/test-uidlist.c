/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib-storage/maildir/uidlist.h"
#include "lib-storage/subscription-file.h"

static const struct {
	const char *text;
	bool sound;
	uint32_t validity, next;
	size_t count, unsound;
	bool cut;
} lists[] = {
	{ "1 1234 10\n1 a.b.c\n3 d\n", true, 1234, 10, 2, 0, false },
	{ "3 V77 N4 Gabc\n1 :x,S=1\n2 P1 W3 :y\n", true, 77, 4, 2, 0, false },
	/* appended without a new head */
	{ "3 V77 N2 Gabc\n1 :x\n2 :y\n7 :z\n", true, 77, 8, 3, 0, false },
	{ "3 N4 V77\n", true, 77, 4, 0, 0, false },
	{ "3 V77\n1 :a\n", true, 77, 2, 1, 0, false },
	/* heads that are of no use */
	{ "", false, 0, 0, 0, 0, false },
	{ "3 V77 N4", false, 0, 0, 0, 0, false },
	{ "2 V77 N4\n", false, 0, 0, 0, 0, false },
	{ "4 V77 N4\n", false, 0, 0, 0, 0, false },
	{ "3 N4\n1 :a\n", false, 0, 0, 0, 0, false },
	{ "3 V0 N4\n", false, 0, 0, 0, 0, false },
	{ "1 0 4\n", false, 0, 0, 0, 0, false },
	{ "1 x y\n", false, 0, 0, 0, 0, false },
	{ "3 V77 N4294967290\n", false, 0, 0, 0, 0, false },
	/* lines that are not sound are left out */
	{ "3 V77 N4\n1 :a\nx :b\n0 :c\n2 d\n3\n4294967295 :e\n-1 :f\n2 :g/h\n\n", true, 77, 4, 1, 7, false },
	{ "3 V77 N4\n1 :a\n4000000000 :b\n", true, 77, 4, 1, 1, false },
	/* cut while it was written */
	{ "3 V77 N4\n1 :a\n2 :b.c", true, 77, 4, 1, 0, true },
	/* UIDs twice: the first name stands; not in order: sorted */
	{ "3 V77 N9\n1 :a\n1 :b\n", true, 77, 9, 1, 1, false },
	{ "3 V77 N9\n5 :e\n2 :b\n", true, 77, 9, 2, 0, false },
};

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct uidlist l;

		assert_int_equal(uidlist_parse(span_str(lists[i].text), &l), lists[i].sound);
		if (!lists[i].sound)
			continue;
		assert_int_equal(l.uidvalidity, lists[i].validity);
		assert_int_equal(l.next, lists[i].next);
		assert_int_equal(l.entries.n, lists[i].count);
		assert_int_equal(l.unsound, lists[i].unsound);
		assert_int_equal(l.cut, lists[i].cut);
		uidlist_clear(&l);
	}
}

static void
test_entries(void **state)
{
	static const char text[] = "3 V77 N1 Gg F99\n9 :late:2,S\n2 P W12 S11 :b,S=11\n3 Gx.y Pa-b :b,S=12:2,S\n3 Gx.y Pnew :\n9 :dup\n4 :b,S=11\n";
	const struct uidlist_entry *entry;
	struct uidlist l;
	struct span v;

	(void)state;
	assert_true(uidlist_parse(span_str(text), &l));
	assert_true(uidlist_index(&l));
	assert_int_equal(l.fence, 99);
	assert_int_equal(l.entries.n, 4);
	entry = uidlist_by_uid(&l, 9);
	assert_non_null(entry);
	assert_true(span_eq(uidlist_name(&l, entry), SPAN("late")));
	entry = uidlist_by_uid(&l, 2);
	assert_true(uidlist_field(&l, entry, UIDLIST_UIDL, &v) && v.n == 0);
	assert_true(uidlist_field(&l, entry, UIDLIST_VIRTUAL, &v) && span_eq(v, SPAN("12")));
	assert_false(uidlist_field(&l, entry, UIDLIST_GUID, &v));
	/* What was appended counts, the name is the first one's. */
	entry = uidlist_by_name(&l, SPAN("b,S=12"));
	assert_int_equal(entry->uid, 3);
	assert_true(uidlist_field(&l, entry, UIDLIST_UIDL, &v) && span_eq(v, SPAN("new")));
	/* One file under two UIDs: the newer. */
	assert_int_equal(uidlist_by_name(&l, SPAN("b,S=11"))->uid, 4);
	assert_null(uidlist_by_name(&l, SPAN("dup")));
	assert_null(uidlist_by_uid(&l, 5));
	uidlist_clear(&l);
}

static void
test_many(void **state)
{
	struct buf b = BUF_INIT((size_t)64 << 20);
	struct uidlist l;

	(void)state;
	uidlist_put_head(&b, 5, 1, SPAN("guid"), 0);
	for (uint32_t i = 300000; i > 0; i--) {
		char name[32];

		uidlist_put_uid(&b, i);
		uidlist_put_name(&b, span_of(name, (size_t)snprintf(name, sizeof(name), "file.%u", i)));
	}
	assert_true(uidlist_parse(buf_span(&b), &l));
	assert_true(uidlist_index(&l));
	assert_int_equal(l.entries.n, 300000);
	assert_int_equal(l.next, 300001);
	assert_int_equal(uidlist_by_name(&l, SPAN("file.77777"))->uid, 77777);
	uidlist_clear(&l);
	buf_clear(&b);
}

static void
test_keywords(void **state)
{
	struct span names[KEYWORD_LETTERS];
	size_t unsound;

	(void)state;
	dovecot_keywords_parse(SPAN("0 foo\n2 $Bar\n1 FOO\n3 with space\n25 z\n26 above\n4 a(b\n4 b\n4 again\nx y\n"), names, &unsound);
	assert_true(span_eq(names[0], SPAN("foo")));
	assert_int_equal(names[1].n, 0);
	assert_true(span_eq(names[2], SPAN("$Bar")));
	assert_int_equal(names[3].n, 0);
	assert_true(span_eq(names[4], SPAN("b")));
	assert_true(span_eq(names[25], SPAN("z")));
	assert_int_equal(unsound, 5);
}

static void
test_courier_pop3(void **state)
{
	static const struct { const char *text; const char *base, *uidl; } cases[] = {
		{ "/3 7 1234\n1.a,S=5:2,S 99 3:1234:0\n", "1.a,S=5", "UID3-1234" },
		{ "/2 7 1234\n1.a:2,S 99 3:1234\n", "1.a", "UID3-1234" },
		{ "/1 7\n1.a:2,S 99 3\n", "1.a", "UID3" },
		{ "/3 7 1234\nname with space 99 3:0:0\n", "name with space", "UID3" },
		{ "/3 7 1234\n1.a 99 0:0:0\n", "1.a", "1.a" },
		{ "1.a+b'c 99\n", "1.a+b'c", "1.a+2Bb+27c" },
		{ "/3 7 1234\nbroken\n1.b x 3:4:0\n 9 9\na/b 1 2:3:0\n1.c 1 z:3:0\n1.a 5 6:7:0\n", "1.a", "UID6-7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct courier_pop3 c;
		struct span base;
		char uidl[512];

		courier_pop3_begin(&c, span_str(cases[i].text));
		assert_true(courier_pop3_next(&c, &base, uidl));
		assert_true(span_eq(base, span_str(cases[i].base)));
		assert_string_equal(uidl, cases[i].uidl);
		assert_false(courier_pop3_next(&c, &base, uidl));
	}
}

static void
test_courier_keywords(void **state)
{
	struct courier_keywords c;
	struct span base;
	uint32_t mask;

	(void)state;
	courier_keywords_begin(&c, SPAN("Junk\nnot legal\n$Label1\n\n1.a:0 2\n2.b:\n3.c:1 9 2\nbroken\n"));
	assert_int_equal(c.count, 3);
	assert_true(courier_keywords_next(&c, &base, &mask));
	assert_true(span_eq(base, SPAN("1.a")) && mask == 5);
	assert_true(courier_keywords_next(&c, &base, &mask) && mask == 0);
	assert_true(courier_keywords_next(&c, &base, &mask) && mask == 4);
	assert_false(courier_keywords_next(&c, &base, &mask));
	assert_int_equal(c.unsound, 1);
	assert_int_equal(courier_keyword_bit(&c, SPAN("junk")), 1);
	assert_int_equal(courier_keyword_bit(&c, SPAN("New")), 8);
	assert_int_equal(courier_keyword_bit(&c, SPAN("a b")), 0);
}

static const struct {
	const char *text;
	char separator;
	bool utf8, courier;
	const char *names;	/* joined by '|' */
} subscriptions[] = {
	{ "V\t2\n\nINBOX\nEntw&APw-rfe\tx\nb\n", '.', false, false, "INBOX|Entw\303\274rfe/x|b" },
	{ "V\t2\n\nEntw\303\274rfe\tx\n", '.', false, false, "Entw\303\274rfe/x" },
	{ "V\t2\n\nA &- B\n", '.', false, false, "A & B" },
	{ "V\t2\n\nA & B\n", '.', true, false, "A & B" },
	{ "inbox\nWork.2026\nEntw&APw-rfe", '.', false, false, "INBOX|Work/2026|Entw\303\274rfe" },
	{ "a/b\nc.d\n", '/', false, false, "a/b|c.d" },
	{ "INBOX\nINBOX.Sent\nINBOX.a.b\nother\n", '/', false, true, "INBOX|Sent|a/b|other" },
	{ "V\t2\n\na\t\tb\n\ta\nx\001ty\n\nc\n", '.', false, false, "c" },
	{ "", '.', false, false, "" },
};

static void
test_subscriptions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(subscriptions) / sizeof(subscriptions[0]); i++) {
		struct subscription_reader r;
		struct buf name = BUF_INIT(4096), all = BUF_INIT(4096);

		subscriptions_begin(&r, span_str(subscriptions[i].text), subscriptions[i].separator, subscriptions[i].utf8,
		    subscriptions[i].courier);
		while (subscriptions_next(&r, &name)) {
			if (all.n > 0)
				buf_addc(&all, '|');
			buf_add(&all, buf_span(&name));
		}
		assert_string_equal(all.n == 0 ? "" : buf_cstr(&all), subscriptions[i].names);
		buf_clear(&name);
		buf_clear(&all);
	}
}

static void
test_subscription_put(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	subscription_put(&b, SPAN("Entw\303\274rfe/a & b"), false);
	subscription_put(&b, SPAN("Entw\303\274rfe"), true);
	assert_string_equal(buf_cstr(&b), "Entw&APw-rfe\ta &- b\nEntw\303\274rfe\n");
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_courier_pop3),
		cmocka_unit_test(test_courier_keywords),
		cmocka_unit_test(test_subscriptions),
		cmocka_unit_test(test_subscription_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
