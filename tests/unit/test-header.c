/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/header-name.h"
#include "lib-mail/header.h"

static const struct {
	const char *in;
	const char *want;	/* name=value| of each field */
	size_t size;		/* of the header */
	bool blank;
} cases[] = {
	{ "", "", 0, false },
	{ "\n", "", 1, true },
	{ "\r\n", "", 2, true },
	{ "A: b\n\nbody", "A=b|", 6, true },
	{ "A: b\r\n\r\nbody", "A=b|", 8, true },
	{ "A: b\nC:d\n", "A=b|C=d|", 9, false },
	{ "A: b", "A=b|", 4, false },
	{ "A: b\r", "A=b|", 5, false },
	{ "A : b\n\n", "A=b|", 7, true },
	{ "A:\n\n", "A=|", 4, true },
	{ "A:  b  \n\n", "A=b|", 9, true },
	{ "A:\n b\n\n", "A=b|", 7, true },
	{ "A: b\n c\r\n\td\n\n", "A=b\n c\r\n\td|", 13, true },
	{ "A: b\n \n\n", "A=b|", 8, true },
	{ "no colon\nA: b\n\n", "=no colon|A=b|", 15, true },
	{ " leading\nA: b\n\n", "=leading|A=b|", 15, true },
	{ ": x\n\n", "=: x|", 5, true },
	{ "From x Thu: y\nA: b\n\n", "From x Thu=y|A=b|", 20, true },
	{ "A: b\n\r\nx", "A=b|", 7, true },
	{ "A: b\r\n\nx", "A=b|", 7, true },
	{ "A: b\n\rX: c\n\n", "A=b|\rX=c|", 12, true },
	{ "A: b:c\n\n", "A=b:c|", 8, true },
};

static void
test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = span_str(cases[i].in), raw = SPAN_NONE;
		struct buf got = BUF_INIT(1000);
		struct header_iter it;
		struct header_field f;

		header_begin(&it, in, 100, 10000);
		while (header_next(&it, &f)) {
			buf_add(&got, f.name);
			buf_addc(&got, '=');
			buf_add(&got, f.value);
			buf_addc(&got, '|');
			/* The fields follow each other without a gap. */
			assert_ptr_equal(f.raw.p, raw.p == NULL ? in.p : raw.p + raw.n);
			raw = f.raw;
		}
		assert_false(header_next(&it, &f));
		assert_string_equal(buf_cstr(&got), cases[i].want);
		assert_int_equal(it.pos, cases[i].size);
		assert_int_equal(it.blank, cases[i].blank);
		assert_false(it.truncated);
		assert_int_equal(header_size(in), cases[i].size);
		buf_clear(&got);
	}
}

static void
test_limits(void **state)
{
	struct span in = SPAN("A: 1\nB: 2\nC: 3\n\nbody");
	struct header_iter it;
	struct header_field f;

	(void)state;
	header_begin(&it, in, 2, 1000);
	assert_true(header_next(&it, &f) && header_next(&it, &f));
	assert_false(header_next(&it, &f));
	assert_true(it.truncated);
	header_begin(&it, in, 3, 1000);
	assert_true(header_next(&it, &f) && header_next(&it, &f) && header_next(&it, &f));
	assert_false(header_next(&it, &f));
	assert_false(it.truncated);	/* just as many as there may be */
	header_begin(&it, in, 100, 5);
	assert_true(header_next(&it, &f));
	assert_false(header_next(&it, &f));
	assert_true(it.truncated);
}

static void
test_unfold(void **state)
{
	static const struct { const char *in, *want; } folds[] = {
		{ "", "" }, { "a", "a" }, { "a\n b", "a b" }, { "a\r\n b", "a b" }, { "a\r\n\t b\n c", "a\t b c" }, { "a\rb", "a\rb" },
		{ "a\n", "a" }, { "a\r", "a\r" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		struct buf got = BUF_INIT(100);

		header_unfold(&got, span_str(folds[i].in));
		assert_true(span_eq(buf_span(&got), span_str(folds[i].want)));
		buf_clear(&got);
	}
}

static void
test_get(void **state)
{
	struct span v;

	(void)state;
	assert_true(header_get(SPAN("a: 1\nSUBJECT : x\nSubject: y\n\nSender: z\n"), SPAN("Subject"), &v));
	assert_true(span_eq(v, SPAN("x")));
	assert_false(header_get(SPAN("a: 1\n\nSender: z\n"), SPAN("Sender"), &v));
	assert_false(header_get(SPAN("no colon\n\n"), SPAN(""), &v));
}

static const struct {
	const char *in, *names, *with, *without;
} selections[] = {
	{ "A: 1\nB: 2\n\nbody", "a", "A: 1\r\n\r\n", "B: 2\r\n\r\n" },
	{ "A: 1\r\nB: 2\r\n\r\n", "b", "B: 2\r\n\r\n", "A: 1\r\n\r\n" },
	{ "B: 1\nA: 2\nb: 3\n\n", "a b", "B: 1\r\nA: 2\r\nb: 3\r\n\r\n", "\r\n" },
	{ "A: 1\n 2\nB: 3", "a", "A: 1\r\n 2\r\n\r\n", "B: 3\r\n\r\n" },
	{ "A: 1\r", "a", "A: 1\r\n\r\n", "\r\n" },
	{ "junk\nA: 1\n\n", "a", "A: 1\r\n\r\n", "junk\r\n\r\n" },
	{ "A : 1\n\n", "A", "A : 1\r\n\r\n", "\r\n" },
	{ "", "A", "\r\n", "\r\n" },
};

static void
test_select(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
		struct span rest = span_str(selections[i].names), names[4];
		size_t count = 0;

		while (span_next(&rest, ' ', &names[count]))
			count++;
		for (int invert = 0; invert <= 1; invert++) {
			struct buf got = BUF_INIT(1000);

			header_fields_write(&got, span_str(selections[i].in), names, count, invert, 100, 1000);
			assert_string_equal(buf_cstr(&got), invert ? selections[i].without : selections[i].with);
			buf_clear(&got);
		}
	}
}

/* What is past the limit is withheld from nobody: it is in the fields "not" named. */
static void
test_select_truncated(void **state)
{
	struct span name = SPAN("a");
	struct buf got = BUF_INIT(1000);

	(void)state;
	header_fields_write(&got, SPAN("A: 1\nB: 2\nA: 3\nC: 4\n\nbody"), &name, 1, true, 2, 1000);
	assert_string_equal(buf_cstr(&got), "B: 2\r\nA: 3\r\nC: 4\r\n\r\n");
	buf_reset(&got);
	header_fields_write(&got, SPAN("A: 1\nB: 2\nA: 3\nC: 4"), &name, 1, false, 2, 1000);
	assert_string_equal(buf_cstr(&got), "A: 1\r\n\r\n");
	buf_clear(&got);
}

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(header_id(SPAN("from")), HEADER_FROM);
	assert_int_equal(header_id(SPAN("MESSAGE-id")), HEADER_MESSAGE_ID);
	assert_int_equal(header_id(SPAN("list-ID")), HEADER_LIST_ID);
	assert_int_equal(header_id(SPAN("")), HEADER_UNKNOWN);
	assert_int_equal(header_id(SPAN("Fron")), HEADER_UNKNOWN);
	assert_int_equal(header_id(SPAN("Message\rID")), HEADER_UNKNOWN);
	for (unsigned id = 1; id < HEADER_IDS; id++)
		assert_int_equal(header_id(header_id_name(id)), id);
	/* Stored in summaries: these may never change. */
	assert_int_equal(HEADER_FROM, 1);
	assert_int_equal(HEADER_DATE, 6);
	assert_int_equal(HEADER_RECEIVED, 21);
	assert_int_equal(HEADER_X_GITHUB_REASON, 117);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_unfold),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_select_truncated),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
