/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/encoded-word.h"
#include "lib-mail/header.h"
#include "lib/encode.h"

static const struct {
	const char *in, *want;
} words[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "a\r\n b\n\tc", "a b\tc" },
	{ "=?utf-8?q?a?=", "a" },
	{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },			/* RFC 2047 section 6.2 */
	{ "=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?a?= b", "a b" },
	{ "a =?utf-8?q?b?=", "a b" },
	{ "=?utf-8?q?a_b?=", "a b" },
	{ "=?UTF-8?B?w6Q=?=", "\xc3\xa4" },
	{ "=?iso-8859-1?Q?=E4?=", "\xc3\xa4" },
	{ "=?iso-8859-1*de?Q?=E4?=", "\xc3\xa4" },			/* RFC 2231 section 5 */
	{ "=?windows-1252?Q?=80?=", "\xe2\x82\xac" },
	{ "=?iso-8859-2?Q?=B1?=", "\xc4\x85" },
	{ "=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "=?utf-8?b?ww==?= =?utf-8?b?pA==?=", "\xc3\xa4" },		/* a character cut in two */
	{ "=?utf-8?q?=C3?= =?iso-8859-1?q?=E4?=", "\xef\xbf\xbd\xc3\xa4" },
	{ "=?utf-8?q?=E4x?=", "\xef\xbf\xbdx" },
	{ "=?nocharset?q?=E4?=", "\xc3\xa4" },
	{ "=?us-ascii?q?=C3=A4?=", "\xc3\xa4" },
	{ "=?utf-8?q?a b?=", "a b" },
	{ "(=?utf-8?q?a?=)", "(a)" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "=?utf-8?q?", "=?utf-8?q?" },
	{ "=?utf-8?q?" "?=", "" },
	{ "=?" "?q?a?=", "=?" "?q?a?=" },
	{ "=?", "=?" },
	{ "=", "=" },
	{ "=?=?utf-8?q?a?=", "=?a" },
	{ "\xe4 raw", "\xc3\xa4 raw" },
	{ "\xc3\xa4 raw", "\xc3\xa4 raw" },
	{ "=?iso-8859-1//TRANSLIT?q?a?=", "a" },
};

static void
test_decode(void **state)
{
	struct charset_cache *cache = charset_cache_new();

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(words) / sizeof(words[0]); i++) {
		struct buf got = BUF_INIT(1000);

		encoded_word_decode(i % 2 ? cache : NULL, &got, span_str(words[i / 2].in));
		if (!span_eq(buf_span(&got), span_str(words[i / 2].want)))
			fail_msg("%s gave %s", words[i / 2].in, buf_cstr(&got));
		buf_clear(&got);
	}
	charset_cache_free(cache);
}

/* What is encoded comes back, in words of 75 octets at most. */
static void
test_encode(void **state)
{
	static const char *const texts[] = { "a", "\xc3\xa4", "a=?b", "tab\tand space", "x\ny",
		"Gr\xc3\xbc\xc3\x9f" "e aus M\xc3\xbcnchen und noch viel mehr als in ein einziges Wort passt, mit \xf0\x9f\x95\x8a am Ende",
		"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5"
		"\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf coded = BUF_INIT(5000), back = BUF_INIT(5000);
		struct span rest, line;
		size_t used = 0;

		encoded_word_encode(&coded, span_str(texts[i]));
		encoded_word_decode(NULL, &back, buf_span(&coded));
		assert_true(span_eq(buf_span(&back), span_str(texts[i])));
		buf_addc(&coded, '\n');
		rest = buf_span(&coded);
		while (span_line(rest, &used, &line))
			assert_in_range(line.n, 1, 76);
		for (size_t k = 0; k < coded.n; k++)
			assert_true((unsigned char)coded.p[k] < 0x80);
		buf_clear(&coded);
		buf_clear(&back);
	}
	struct buf plain = BUF_INIT(100);

	encoded_word_encode(&plain, SPAN("plain text, as it is"));
	assert_string_equal(buf_cstr(&plain), "plain text, as it is");
	buf_clear(&plain);
}

static const struct {
	const char *name, *in, *want;
	bool known;
} charsets[] = {
	{ "utf-8", "\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac", true },
	{ "UTF-8", "\xff" "a\xc3", "\xef\xbf\xbd" "a\xef\xbf\xbd", true },
	{ "utf-8", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true },	/* a surrogate */
	{ "iso-8859-1", "\xe4\x80", "\xc3\xa4\xe2\x82\xac", true },
	{ "ISO-8859-15", "\xa4", "\xe2\x82\xac", true },
	{ "big5", "\xa7\x41\xa6\x6e", "\xe4\xbd\xa0\xe5\xa5\xbd", true },
	{ "shift_jis", "\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac", true },
	{ "gb2312", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd", true },
	{ "ks_c_5601-1987", "\xbe\xc8", "\xec\x95\x88", true },
	{ "euc-jp", "\xc6\xfc\xcb\xdc", "\xe6\x97\xa5\xe6\x9c\xac", true },
	{ "big5", "\xa7", "\xef\xbf\xbd", true },
	{ "euc-jp", "\xff" "a", "\xef\xbf\xbd" "a", true },
	{ "nonsense", "\xe4", "\xc3\xa4", false },
	{ "nonsense", "\xc3\xa4", "\xc3\xa4", false },
	{ "", "a", "a", false },
	{ "utf-8//IGNORE", "\xff", "\xc3\xbf", false },
	{ "../../x", "a", "a", false },
};

/* Whole, octet by octet, and cut in two anywhere. */
static void
test_charsets(void **state)
{
	struct charset_cache *cache = charset_cache_new();

	(void)state;
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
		struct span in = span_str(charsets[i].in), name = span_str(charsets[i].name);
		struct buf got = BUF_INIT(1000);

		assert_int_equal(charset_is_known(name), charsets[i].known);
		assert_int_equal(charset_to_utf8(NULL, &got, name, in), charsets[i].known);
		assert_string_equal(buf_cstr(&got), charsets[i].want);
		for (size_t cut = 0; cut <= in.n + 1; cut++) {
			struct charset *cs = charset_open(cache, name);

			buf_reset(&got);
			if (cut > in.n) {
				for (size_t k = 0; k < in.n; k++)
					charset_add(cs, &got, span_sub(in, k, 1));
			} else {
				charset_add(cs, &got, span_sub(in, 0, cut));
				charset_add(cs, &got, span_from(in, cut));
			}
			charset_finish(cs, &got);
			charset_close(cs);
			assert_string_equal(buf_cstr(&got), charsets[i].want);
		}
		buf_clear(&got);
	}
	charset_cache_free(cache);
}

/* More charsets at once, and more over time, than the cache has room for. */
static void
test_cache(void **state)
{
	static const char *const names[] = { "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7",
		"iso-8859-8", "iso-8859-10", "iso-8859-13", "iso-8859-14", "koi8-r", "koi8-u" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	struct charset_cache *cache = charset_cache_new();
	struct charset *open[COUNT];
	struct buf got = BUF_INIT(100);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			open[i] = charset_open(cache, span_str(names[i]));
			assert_false(charset_is_unknown(open[i]));
		}
		for (size_t i = 0; i < COUNT; i++) {
			buf_reset(&got);
			charset_add(open[i], &got, SPAN("x\xd0"));
			assert_int_equal(got.p[0], 'x');
			charset_close(open[i]);
		}
	}
	charset_close(NULL);
	charset_cache_free(cache);
	charset_cache_free(NULL);
	buf_clear(&got);
}

static const struct {
	const char *a, *b;	/* the same, but for case */
} folds[] = {
	{ "Hello World, this is more than sixteen octets", "hELLO wORLD, THIS IS MORE THAN SIXTEEN OCTETS" },
	{ "\xc3\x84", "\xc3\xa4" },
	{ "\xc3\xa4", "a\xcc\x88" },
	{ "Stra\xc3\x9f" "e", "STRASSE" },
	{ "\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83" },
	{ "\xef\xac\x81x", "FIX" },
	{ "a\r\nb", "A\nB" },
	{ "\xd0\x9f\xd0\xa0\xd0\x98", "\xd0\xbf\xd1\x80\xd0\xb8" },
	{ "\xff", "\xef\xbf\xbd" },
	{ "@[`{~", "@[`{~" },
};

static void
test_fold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		struct buf a = BUF_INIT(1000), b = BUF_INIT(1000), parts = BUF_INIT(1000);
		struct span in = span_str(folds[i].a);
		size_t pos = 0;
		uint32_t cp;

		charset_fold(&a, in);
		charset_fold(&b, span_str(folds[i].b));
		assert_true(span_eq(buf_span(&a), buf_span(&b)));
		/* The fold of the whole is that of its characters, one after the other. */
		while (pos < in.n) {
			size_t start = pos;

			utf8_next(in, &pos, &cp);
			charset_fold(&parts, span_sub(in, start, pos - start));
		}
		assert_true(span_eq(buf_span(&a), buf_span(&parts)));
		buf_clear(&a);
		buf_clear(&b);
		buf_clear(&parts);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
