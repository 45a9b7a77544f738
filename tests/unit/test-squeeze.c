/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include <stdlib.h>

#include "lib/squeeze.h"

static const char known[] = "This is known: From: To: Subject: ";
#define KNOWN (sizeof(known) - 1)

static struct squeezer s;

static size_t
both_ways(struct span text)
{
	struct buf all = BUF_INIT((size_t)1 << 20), out = BUF_INIT((size_t)1 << 20);
	char *room = malloc(KNOWN + text.n + SQUEEZE_SLACK);
	size_t n;

	assert_non_null(room);
	memcpy(room, known, KNOWN);
	buf_add(&all, span_of(known, KNOWN));
	buf_add(&all, text);
	squeeze(&out, &s, buf_span(&all), KNOWN);
	assert_false(out.failed);
	assert_true(unsqueeze(room, KNOWN, text.n, buf_span(&out)));
	assert_true(span_eq(span_of(room + KNOWN, text.n), text));
	/* Of another size, and with an end cut off or added. */
	if (text.n > 0)
		assert_false(unsqueeze(room, KNOWN, text.n - 1, buf_span(&out)));
	for (size_t i = 0; i < out.n; i++)
		assert_false(unsqueeze(room, KNOWN, text.n, span_of(out.p, i)));
	n = out.n;
	buf_addc(&out, 0);
	assert_false(unsqueeze(room, KNOWN, text.n, buf_span(&out)));
	free(room);
	buf_clear(&all);
	buf_clear(&out);
	return n;
}

static void
test_texts(void **state)
{
	static const struct { const char *text; size_t most; } cases[] = {
		{ "", 0 },
		{ "a", 2 },
		{ "From: ", 3 },
		{ "From: From: From: From: ", 9 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 7 },
		{ "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc", 9 },
		{ "nothing here at all is twice", 30 },
		{ "Subject: 0123456789abcdefghijklmnopqrstuvwxyz Subject: ", 45 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(both_ways(span_str(cases[i].text)) <= cases[i].most);
}

/* Of every length about the places where numbers get longer; and more than can be reached. */
static void
test_lengths(void **state)
{
	char *text = malloc(200000);
	unsigned x = 1;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 200000; i++) {
		x = x * 1103515245 + 12345;
		text[i] = (char)('a' + (x >> 16) % 3);
	}
	for (size_t n = 0; n < 300; n++)
		both_ways(span_of(text, n));
	for (size_t i = 0; i < 600; i++)
		text[i] = (char)(i * 7 + i / 256);
	for (size_t n = 250; n < 600; n += 7)
		both_ways(span_of(text, n));
	memcpy(text + 150000, text, 40000);
	struct buf all = BUF_INIT((size_t)1 << 20), out = BUF_INIT((size_t)1 << 20);
	char *room = malloc(KNOWN + 200000 + SQUEEZE_SLACK);

	assert_non_null(room);
	memcpy(room, known, KNOWN);
	buf_add(&all, span_of(known, KNOWN));
	buf_add(&all, span_of(text, 200000));
	squeeze(&out, &s, buf_span(&all), KNOWN);
	assert_true(unsqueeze(room, KNOWN, 200000, buf_span(&out)));
	assert_true(span_eq(span_of(room + KNOWN, 200000), span_of(text, 200000)));
	free(room);
	free(text);
	buf_clear(&all);
	buf_clear(&out);
}

/* What nobody squeezed. */
static void
test_unsound(void **state)
{
	static const struct { struct span in; size_t n; } cases[] = {
		{ { "\x04", 1 }, 4 },				/* no literals, no distance */
		{ { "\x00\x00\x00", 3 }, 4 },			/* no distance */
		{ { "\x00\x00\xff", 3 }, 4 },			/* before all that is there */
		{ { "\x00\x00\x04", 3 }, 3 },			/* more than there is room for */
		{ { "\x0f\x00\x04\xff\xff\xff\xff\xff\xff\x01", 10 }, 30 },
		{ { "\xf0\xff\xff\xff\xff\xff\xff\x01""abc", 11 }, 30 },
		{ { "\x50""ab", 3 }, 5 },
		{ { "\x11""a", 2 }, 1 },			/* ends behind its literals, and says more */
	};
	char room[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(room, known, KNOWN);
		assert_false(unsqueeze(room, KNOWN, cases[i].n, cases[i].in));
		assert_memory_equal(room, known, KNOWN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_unsound),
	};

	squeezer_init(&s, span_of(known, KNOWN));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
