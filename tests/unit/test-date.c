/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/date.h"

static const struct {
	const char *in;
	bool ok;
	int64_t time;
	int tz;
} mail_dates[] = {
	{ "Sat, 21 Nov 2026 12:33:08 +0000", true, 1795264388, 0 },
	{ "Sat, 21 Nov 2026 12:33:08 +0530", true, 1795264388 - 19800, 330 },
	{ "21 Nov 2026 12:33 -0800", true, 1795264380 + 28800, -480 },
	{ "Thu, 1 Jan 1970 00:00:00 Z", true, 0, 0 },
	{ "  Thu ,\r\n 01 jAN 1970 (new (year) \\) ) 00 : 00 : 01 GMT (x)", true, 1, 0 },
	{ "Thu, 1 Jan 70 01:00:00 +0100", true, 0, 60 },
	{ "1 Jan 49 00:00 +0000", true, 2493072000, 0 },
	{ "1 Jan 50 00:00 +0000", true, -631152000, 0 },
	{ "1 Jan 126 00:00 +0000", true, 1767225600, 0 },	/* three digits count from 1900 */
	{ "Sat, 21 Nov 2026 12:33:08 EST", true, 1795264388 + 18000, -300 },
	{ "Sat, 21 Nov 2026 12:33:08 A", true, 1795264388, 0 },	/* military letters say nothing */
	{ "Sat, 21 Nov 2026 12:33:08", true, 1795264388, 0 },
	{ "Sat, 21 Nov 2026 12:33:08 +9999", true, 1795264388, 0 },
	{ "Sat, 21 Nov 2026 12:33:08 +000", true, 1795264388, 0 },
	{ "Sat, 21 Nov 2026", true, 1795219200, 0 },
	{ "Sat, 21 Nov 2026 12.33.08 +0000", true, 1795264388, 0 },
	{ "Saturday, 21-Nov-26 12:33:08 UT", true, 1795264388, 0 },
	{ "Sat Nov 21 12:33:08 2026", true, 1795264388, 0 },
	{ "Sat Nov 21 12:33:08 EST 2026", true, 1795264388 + 18000, -300 },
	{ "Nov 21 12:33:08 2026", true, 1795264388, 0 },
	{ "29 Feb 2024 23:59:60 +0000", true, 1709251200, 0 },
	{ "29 Feb 2023 00:00:00 +0000", false, 0, 0 },
	{ "29 Feb 1900 00:00:00 +0000", false, 0, 0 },
	{ "31 Apr 2026 00:00:00 +0000", false, 0, 0 },
	{ "0 Jan 2026 00:00:00 Z", false, 0, 0 },
	{ "1 Foo 2026 00:00 +0000", false, 0, 0 },
	{ "1 Jan 2026 24:00 +0000", false, 0, 0 },
	{ "1 Jan 2026 12:60 +0000", false, 0, 0 },
	{ "1 Jan 99999 00:00:00 +0000", false, 0, 0 },
	{ "", false, 0, 0 },
	{ "yesterday", false, 0, 0 },
	{ "((((", false, 0, 0 },
	{ "2026-11-21T12:33:08Z", false, 0, 0 },
};

static void
test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mail_dates) / sizeof(mail_dates[0]); i++) {
		struct mail_date d = { 77, 77 };

		assert_int_equal(date_parse(span_str(mail_dates[i].in), &d), mail_dates[i].ok);
		assert_true(d.time == (mail_dates[i].ok ? mail_dates[i].time : 77));
		assert_int_equal(d.tz, mail_dates[i].ok ? mail_dates[i].tz : 77);
	}
}

static const struct {
	const char *in;
	bool ok;
	int64_t time;
	int tz;
} imap_dates[] = {
	{ "21-Nov-2026 12:33:08 +0000", true, 1795264388, 0 },
	{ " 1-Jan-1970 01:00:00 +0100", true, 0, 60 },
	{ "01-jan-1970 00:00:00 -1259", true, 12 * 3600 + 59 * 60, -779 },
	{ "1-Jan-1970 00:00:00 +0000", false, 0, 0 },
	{ "01-Jan-1970 00:00:00 +00000", false, 0, 0 },
	{ "01-Jan-1970 00:00:00 0000", false, 0, 0 },
	{ "01-Jan-1970 00:00:0x +0000", false, 0, 0 },
	{ "31-Feb-1970 00:00:00 +0000", false, 0, 0 },
	{ "00-Jan-1970 00:00:00 +0000", false, 0, 0 },
	{ "01-Jan-1970 00:00:00 +2400", false, 0, 0 },
	{ "01-Jan-1970 00:00:00 +0060", false, 0, 0 },
	{ "", false, 0, 0 },
};

static void
test_imap(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(imap_dates) / sizeof(imap_dates[0]); i++) {
		struct mail_date d = { 77, 77 };

		assert_int_equal(date_imap_parse(span_str(imap_dates[i].in), &d), imap_dates[i].ok);
		assert_true(d.time == (imap_dates[i].ok ? imap_dates[i].time : 77));
		assert_int_equal(d.tz, imap_dates[i].ok ? imap_dates[i].tz : 77);
	}
}

static void
test_search(void **state)
{
	int32_t day = -1;

	(void)state;
	assert_true(date_search_parse(SPAN("1-Feb-1994"), &day));
	assert_int_equal(day, 8797);
	assert_true(date_search_parse(SPAN("01-feb-1994"), &day));
	assert_int_equal(day, 8797);
	assert_false(date_search_parse(SPAN("31-Feb-1994"), &day));
	assert_false(date_search_parse(SPAN("1-Feb-94"), &day));
	assert_false(date_search_parse(SPAN("1-Feb-1994 "), &day));
	assert_false(date_search_parse(SPAN(""), &day));
	assert_false(date_search_parse(SPAN("-"), &day));
	/* The day is that of the zone, whatever day it is elsewhere. */
	assert_int_equal(date_day((struct mail_date){ 0, 0 }), 0);
	assert_int_equal(date_day((struct mail_date){ 0, -60 }), -1);
	assert_int_equal(date_day((struct mail_date){ 86399, 60 }), 1);
}

/* Every day that can be written, there and back. */
static void
test_round_trip(void **state)
{
	struct buf text = BUF_INIT(100);

	(void)state;
	for (int64_t t = -62135510400; t < 253402214400; t += 86400LL * 97 + 3671) {
		struct mail_date d = { t, (int32_t)(t % 1440) }, back;

		buf_reset(&text);
		date_imap_write(&text, d);
		assert_int_equal(text.n, 26);
		assert_true(date_imap_parse(buf_span(&text), &back));
		assert_true(back.time == d.time && back.tz == d.tz);
		buf_reset(&text);
		date_write(&text, d);
		assert_true(date_parse(buf_span(&text), &back));
		assert_true(back.time == d.time && back.tz == d.tz);
	}
	buf_clear(&text);
}

static void
test_extremes(void **state)
{
	static const struct mail_date odd[] = { { INT64_MAX, 0 }, { INT64_MIN, 0 }, { 0, INT32_MAX },
		{ 0, INT32_MIN } };
	struct buf text = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct mail_date back;

		buf_reset(&text);
		date_imap_write(&text, odd[i]);
		assert_true(date_imap_parse(buf_span(&text), &back));
		date_day(odd[i]);
	}
	buf_reset(&text);
	date_write(&text, (struct mail_date){ 1795264388, 330 });
	assert_string_equal(buf_cstr(&text), "Sat, 21 Nov 2026 18:03:08 +0530");
	buf_clear(&text);
}

static void
test_civil(void **state)
{
	int y, m, d;

	(void)state;
	for (int64_t day = -719162; day < 2932896; day += 13) {
		date_civil(day, &y, &m, &d);
		assert_true(date_days(y, m, d) == day);
	}
	date_civil(11016, &y, &m, &d);
	assert_true(y == 2000 && m == 2 && d == 29);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_civil),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
