/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include "lib/encode.h"

static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} cases[] = {	/* RFC 4648 section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd\xfb", "//79+w==" },
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "Zg==Zg==", "Zh==", "Zm9=", "Zm8=\n", " Zm8", "Zm8\n", "====", "Z===", "Zm=8",
		"Zm9v=", "Zm9v====", "Zm\xff/", "Zm-_", "=m8=", "Z=8=",
	};
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&out);
		base64_encode(&out, span_str(cases[i].plain));
		assert_span(buf_span(&out), cases[i].coded);
		buf_reset(&out);
		assert_true(base64_decode(&out, span_str(cases[i].coded)));
		assert_span(buf_span(&out), cases[i].plain);
		buf_reset(&out);
		base64_decode_mime(&out, span_str(cases[i].coded));
		assert_span(buf_span(&out), cases[i].plain);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		buf_reset(&out);
		if (base64_decode(&out, span_str(bad[i])))
			fail_msg("taken: %s", bad[i]);
	}
	buf_reset(&out);
	assert_false(base64_decode(&out, SPAN("Zg\0=")));
	buf_clear(&out);
}

static void
test_base64_mime(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "Zm9v\r\nYmFy\r\n", "foobar" },
		{ "Z m\t9-v", "foo" },
		{ "Zm9vYg", "foob" },		/* no padding */
		{ "Zm9vY", "foo" },		/* a letter that is no octet */
		{ "Zg==Zm9v", "f" },		/* nothing counts behind the padding */
		{ "=Zg==", "" },
		{ "\xff\xff", "" },
		{ "Zm8\r\n=\r\n", "fo" },
	};
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&out);
		base64_decode_mime(&out, span_str(cases[i].in));
		assert_span(buf_span(&out), cases[i].want);
	}
	buf_clear(&out);
}

/* Long texts go in steps; their seams must not show, and the buffer's limit holds. */
static void
test_long(void **state)
{
	size_t n = 100001;
	char *text = malloc(n);
	struct buf coded = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20), small = BUF_INIT(50);

	(void)state;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 7919 >> 3);
	base64_encode(&coded, span_of(text, n));
	assert_int_equal(coded.n, (n + 2) / 3 * 4);
	assert_true(base64_decode(&plain, buf_span(&coded)));
	assert_true(span_eq(buf_span(&plain), span_of(text, n)));
	buf_reset(&plain);
	base64_decode_mime(&plain, buf_span(&coded));
	assert_true(span_eq(buf_span(&plain), span_of(text, n)));
	assert_false(base64_decode(&small, buf_span(&coded)));
	assert_true(small.failed);
	buf_reset(&coded);
	buf_reset(&plain);
	hex_encode(&coded, span_of(text, n));
	assert_true(hex_decode(&plain, buf_span(&coded)));
	assert_true(span_eq(buf_span(&plain), span_of(text, n)));
	buf_reset(&small);
	assert_false(hex_decode(&small, buf_span(&coded)));
	free(text);
	buf_clear(&coded);
	buf_clear(&plain);
	buf_clear(&small);
}

static void
test_hex(void **state)
{
	struct buf out = BUF_INIT(100);

	(void)state;
	hex_encode(&out, SPAN("\x00\x7f\xaf"));
	assert_span(buf_span(&out), "007faf");
	buf_reset(&out);
	assert_true(hex_decode(&out, SPAN("7fAFaf")));
	assert_span(buf_span(&out), "\x7f\xaf\xaf");
	assert_false(hex_decode(&out, SPAN("7")));
	assert_false(hex_decode(&out, SPAN("7g")));
	assert_false(hex_decode(&out, SPAN("g7")));
	assert_false(hex_decode(&out, SPAN("@`")));
	buf_clear(&out);
}

static void
test_qp_decode(void **state)
{
	static const struct {
		const char *in;
		bool header;
		const char *want;
	} cases[] = {
		{ "", false, "" },
		{ "a=3Db=c3=BC", false, "a=b\xc3\xbc" },
		{ "soft=\r\nbreak=\nend", false, "softbreakend" },
		{ "soft= \t\r\nbreak", false, "softbreak" },
		{ "trail \t\r\nline  \nend ", false, "trail\r\nline\nend" },
		{ "a b\tc", false, "a b\tc" },
		{ "x=", false, "x" },
		{ "x= ", false, "x" },
		{ "x=4", false, "x=4" },
		{ "x=zz=4g", false, "x=zz=4g" },
		{ "x==3D", false, "x==" },
		{ "cr\r=\rx", false, "cr\r=\rx" },
		{ "a_b", false, "a_b" },
		{ "a_b=5F=20c ", true, "a b_ c " },
		{ "x=\r\ny=", true, "x=\r\ny=" },
	};
	struct buf out = BUF_INIT(1000), small = BUF_INIT(3);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&out);
		qp_decode(&out, span_str(cases[i].in), cases[i].header);
		assert_span(buf_span(&out), cases[i].want);
	}
	qp_decode(&small, SPAN("=41=42=43=44"), false);
	assert_true(small.failed);
	buf_clear(&out);
	buf_clear(&small);
}

static void
test_qp_encode(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" },
		{ "a=b\xc3\xbc", "a=3Db=C3=BC" },
		{ "trail \r\nx\t\ny ", "trail=20\r\nx=09\ny=20" },
		{ "\r", "=0D" },
		{ "a\rb", "a=0Db" },
		{ ".\r\n..\r\nFrom me\r\n From", "=2E\r\n..\r\n=46rom me\r\n From" },
		{ "\n\r\n", "\n\r\n" },
	};
	struct buf out = BUF_INIT(10000), small = BUF_INIT(100);
	char line[400];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&out);
		qp_encode(&out, span_str(cases[i].in));
		assert_span(buf_span(&out), cases[i].want);
	}
	/* 76 octets need no break, 77 do; an escape is never cut in two */
	memset(line, 'x', sizeof(line));
	buf_reset(&out);
	qp_encode(&out, span_of(line, 76));
	assert_int_equal(out.n, 76);
	buf_reset(&out);
	line[77] = '\n';
	qp_encode(&out, span_of(line, 78));
	assert_int_equal(out.n, 80);
	assert_memory_equal(out.p + 75, "=\nxx\n", 5);
	memset(line, '\xff', sizeof(line));
	buf_reset(&out);
	qp_encode(&out, span_of(line, sizeof(line)));
	for (struct span rest = buf_span(&out), piece; span_next(&rest, '\n', &piece);)
		assert_true(piece.n <= 77 && (rest.n == 0 || span_ends(piece, SPAN("FF=\r"))));
	qp_encode(&small, span_of(line, sizeof(line)));
	assert_true(small.failed);
	buf_clear(&out);
	buf_clear(&small);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		const char *repaired;
	} cases[] = {
		{ "", true, "" },
		{ "plain text that is long enough", true, "plain text that is long enough" },
		{ "\xc2\x80\xdf\xbf", true, "\xc2\x80\xdf\xbf" },
		{ "\xe0\xa0\x80\xef\xbf\xbf", true, "\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "\xed\x9f\xbf\xee\x80\x80", true, "\xed\x9f\xbf\xee\x80\x80" },
		{ "\x80", false, "\xef\xbf\xbd" },
		{ "\xc0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd" },			/* overlong NUL */
		{ "\xc1\xbf", false, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe0\x9f\xbf", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },	/* overlong */
		{ "\xed\xa0\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },	/* a surrogate */
		{ "\xf0\x8f\xbf\xbf", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf5", false, "\xef\xbf\xbd" },
		{ "\xff", false, "\xef\xbf\xbd" },
		{ "a\xc3", false, "a\xef\xbf\xbd" },
		{ "a\xe2\x82" "b", false, "a\xef\xbf\xbd\xef\xbf\xbd" "b" },
		{ "12345678\xc3\xbc" "1234567\xff", false, "12345678\xc3\xbc" "1234567\xef\xbf\xbd" },
		{ "\xc3(", false, "\xef\xbf\xbd(" },
	};
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span in = span_str(cases[i].in);
		bool ok = true;
		size_t pos = 0;
		uint32_t cp = 0;

		assert_int_equal(utf8_is_valid(in), cases[i].ok);
		buf_reset(&out);
		utf8_put_valid(&out, in);
		assert_span(buf_span(&out), cases[i].repaired);
		/* the third way of reading agrees */
		buf_reset(&out);
		while (pos < in.n) {
			bool good = utf8_next(in, &pos, &cp);

			ok = ok && good;
			utf8_put(&out, good ? cp : 0xfffd);
		}
		assert_int_equal(ok, cases[i].ok);
		assert_span(buf_span(&out), cases[i].repaired);
	}
	buf_reset(&out);
	utf8_put(&out, 0x110000);
	utf8_put(&out, 0xdfff);
	assert_span(buf_span(&out), "\xef\xbf\xbd\xef\xbf\xbd");
	buf_clear(&out);
}

static void
test_mutf7(void **state)
{
	static const struct {
		const char *coded, *utf8;
	} cases[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "a &- b", "a & b" },
		{ "&-&-", "&&" },
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
		{ "&2D3eAA-", "\xf0\x9f\x98\x80" },		/* a surrogate pair */
		{ "&APw-&-", "\xc3\xbc&" },
		{ "&AAk-", "\t" },
	};
	static const char *const bad[] = {
		"&", "&A", "&APw", "&A-", "&AP-", "&APx-", "&APwA-", "&AGE-", "&Jjo-&Jjo-", "&APw=-", "&AP/-", "\xc3\xbc",
		"a\tb", "&2D0-", "&3gA-", "&2D0AYQ-", "&2D3YPQ-", "& -", "&APwAYQ-", "a\x7f", "&AAAAAA-x&AAA-&AAA-",
	};
	struct buf out = BUF_INIT(1000), small = BUF_INIT(3);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_reset(&out);
		assert_true(mutf7_decode(&out, span_str(cases[i].coded)));
		assert_span(buf_span(&out), cases[i].utf8);
		buf_reset(&out);
		assert_true(mutf7_encode(&out, span_str(cases[i].utf8)));
		assert_span(buf_span(&out), cases[i].coded);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		buf_reset(&out);
		if (mutf7_decode(&out, span_str(bad[i])))
			fail_msg("taken: %s", bad[i]);
	}
	buf_reset(&out);
	assert_false(mutf7_encode(&out, SPAN("a\xff")));
	assert_false(mutf7_encode(&small, SPAN("\xc3\xbc")));
	buf_reset(&small);
	assert_false(mutf7_decode(&small, SPAN("abcd")));
	buf_clear(&out);
	buf_clear(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_mime),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_qp_decode),
		cmocka_unit_test(test_qp_encode),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_mutf7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
