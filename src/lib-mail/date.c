/* SPDX-License-Identifier: MIT */
#include "lib-mail/date.h"

#include "lib-mail/lex.h"

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "ThuFriSatSunMonTueWed";	/* 1970-01-01 was a Thursday */

int64_t
date_days(int year, int month, int day)
{
	/* Years begin in March here, so that the leap day is the last; 400 years have 146,097 days. */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

void
date_civil(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (yoe * 365 + yoe / 4 - yoe / 100), m = (doy * 5 + 2) / 153;

	*day = (int)(doy - (m * 153 + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static bool
is_day(int year, int month, int day)
{
	static const signed char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (month == 2 && leap);
}

/* 1 to 12 for a name that begins with three letters of a month; 0 otherwise. */
static int
month_of(struct span word)
{
	for (int m = 0; word.n >= 3 && m < 12; m++) {
		if (span_ieq(span_of(word.p, 3), span_of(month_names + m * 3, 3)))
			return m + 1;
	}
	return 0;
}

static bool
is_weekday(struct span word)
{
	for (int d = 0; word.n >= 3 && d < 7; d++) {
		if (span_ieq(span_of(word.p, 3), span_of(day_names + d * 3, 3)))
			return true;
	}
	return false;
}

/* Between min and max digits; -1 when they are not there. */
static int
take_number(struct span *s, size_t min, size_t max)
{
	size_t n = 0;
	int v = 0;

	lex_cfws(s);
	for (; n < max && n < s->n && ascii_is_digit(s->p[n]); n++)
		v = v * 10 + (s->p[n] - '0');
	if (n < min || (n < s->n && ascii_is_digit(s->p[n])))
		return -1;
	*s = span_from(*s, n);
	return v;
}

static struct span
take_word(struct span *s)
{
	size_t n = 0;
	struct span word;

	lex_cfws(s);
	while (n < s->n && ascii_is_alpha(s->p[n]))
		n++;
	word = span_of(s->p, n);
	*s = span_from(*s, n);
	return word;
}

/* RFC 5322 section 4.3: two digits are 1950 to 2049, three count from 1900. */
static int
take_year(struct span *s)
{
	size_t had;
	int y;

	lex_cfws(s);
	had = s->n;
	y = take_number(s, 2, 4);
	if (y < 0)
		return -1;
	had -= s->n;
	if (had == 4)
		return y;
	return y + (had == 2 && y < 50 ? 2000 : 1900);
}

static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "GMT", 0 }, { "UT", 0 }, { "UTC", 0 }, { "Z", 0 },
	{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
	{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
};

/*
 * Zone letters other than Z were defined with the wrong sign in RFC 822, so that they say nothing: UTC, as unknown
 * names (RFC 5322 section 4.3).  A number that can not be one is UTC too.
 */
static int
take_zone(struct span *s)
{
	struct span word;
	bool west;
	int v;

	lex_cfws(s);
	if (s->n > 0 && (s->p[0] == '+' || s->p[0] == '-')) {
		west = s->p[0] == '-';
		*s = span_from(*s, 1);
		v = take_number(s, 4, 4);
		if (v < 0 || v % 100 > 59 || v / 100 > 23)
			return 0;
		v = v / 100 * 60 + v % 100;
		return west ? -v : v;
	}
	word = take_word(s);
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (span_ieq(word, span_str(zones[i].name)))
			return zones[i].minutes;
	}
	return 0;
}

static bool
take_time(struct span *s, int *secs_out)
{
	int hour = take_number(s, 1, 2), minute, second = 0;

	/* Some programs write the time with dots. */
	if (hour < 0 || (!lex_char(s, ':') && !lex_char(s, '.')))
		return false;
	minute = take_number(s, 1, 2);
	if (lex_char(s, ':') || lex_char(s, '.'))
		second = take_number(s, 1, 2);
	if (hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	*secs_out = hour * 3600 + minute * 60 + second;
	return true;
}

static bool
date_make(struct mail_date *out, int year, int month, int day, int secs, int tz)
{
	if (!is_day(year, month, day))
		return false;
	out->time = date_days(year, month, day) * 86400 + secs - (int64_t)tz * 60;
	out->tz = tz;
	return true;
}

/* "Thu Nov 21 12:33:08 2026", perhaps with a zone before or after the year: behind the weekday. */
static bool
parse_asctime(struct span s, struct mail_date *out)
{
	int month = month_of(take_word(&s)), day = take_number(&s, 1, 2), secs, year, tz = 0;

	if (month == 0 || day < 0 || !take_time(&s, &secs))
		return false;
	lex_cfws(&s);
	if (s.n > 0 && !ascii_is_digit(s.p[0]))
		tz = take_zone(&s);
	year = take_year(&s);
	lex_cfws(&s);
	if (s.n > 0)
		tz = take_zone(&s);
	return year >= 0 && date_make(out, year, month, day, secs, tz);
}

bool
date_parse(struct span value, struct mail_date *out)
{
	struct span s = value, word;
	int day, month, year, secs = 0, tz = 0;

	word = take_word(&s);
	if (word.n > 0) {
		if (month_of(word) != 0 && !is_weekday(word))
			return parse_asctime(value, out);
		if (!is_weekday(word))
			return false;
		lex_char(&s, '.');
		lex_char(&s, ',');
		lex_cfws(&s);
		if (s.n > 0 && ascii_is_alpha(s.p[0]))
			return parse_asctime(s, out);
	}
	day = take_number(&s, 1, 2);
	lex_char(&s, '-');
	month = month_of(take_word(&s));
	lex_char(&s, '.');
	lex_char(&s, '-');
	year = take_year(&s);
	if (day < 0 || month == 0 || year < 0)
		return false;
	lex_cfws(&s);
	lex_char(&s, ',');
	lex_cfws(&s);
	if (s.n > 0 && ascii_is_digit(s.p[0])) {
		if (!take_time(&s, &secs))
			return false;
		tz = take_zone(&s);
	}
	return date_make(out, year, month, day, secs, tz);
}

struct civil {
	int year, month, day, hour, minute, second, weekday;
};

static struct civil
civil_of(struct mail_date d)
{
	int64_t local = d.time + (int64_t)d.tz * 60, days = local / 86400, secs = local % 86400;
	struct civil c;

	if (secs < 0) {
		secs += 86400;
		days--;
	}
	date_civil(days, &c.year, &c.month, &c.day);
	c.hour = (int)(secs / 3600);
	c.minute = (int)(secs / 60 % 60);
	c.second = (int)(secs % 60);
	c.weekday = (int)((days % 7 + 7) % 7);
	return c;
}

/* What can be written: years of four digits, zones of less than a day.  Anything else is moved to the nearest. */
static struct mail_date
writable(struct mail_date d)
{
	const int64_t first = -62135596800 + 86400, last = 253402300799 - 86400;

	if (d.tz <= -1440 || d.tz >= 1440)
		d.tz = 0;
	if (d.time < first)
		d.time = first;
	if (d.time > last)
		d.time = last;
	return d;
}

static void
put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
}

/* "+zzzz" */
static void
put_zone(char *p, int tz)
{
	int abs = tz < 0 ? -tz : tz;

	p[0] = tz < 0 ? '-' : '+';
	put2(p + 1, abs / 60);
	put2(p + 3, abs % 60);
}

static void
put_time(char *p, const struct civil *c)
{
	put2(p, c->hour);
	p[2] = ':';
	put2(p + 3, c->minute);
	p[5] = ':';
	put2(p + 6, c->second);
}

void
date_write(struct buf *out, struct mail_date d)
{
	struct civil c;
	char text[] = "Thu, 01 Jan 1970 00:00:00 +0000";

	d = writable(d);
	c = civil_of(d);
	memcpy(text, day_names + c.weekday * 3, 3);
	put2(text + 5, c.day);
	memcpy(text + 8, month_names + (c.month - 1) * 3, 3);
	put2(text + 12, c.year / 100);
	put2(text + 14, c.year);
	put_time(text + 17, &c);
	put_zone(text + 26, d.tz);
	buf_add(out, span_of(text, sizeof(text) - 1));
}

void
date_imap_write(struct buf *out, struct mail_date d)
{
	struct civil c;
	char text[] = "01-Jan-1970 00:00:00 +0000";

	d = writable(d);
	c = civil_of(d);
	put2(text, c.day);
	memcpy(text + 3, month_names + (c.month - 1) * 3, 3);
	put2(text + 7, c.year / 100);
	put2(text + 9, c.year);
	put_time(text + 12, &c);
	put_zone(text + 21, d.tz);
	buf_add(out, span_of(text, sizeof(text) - 1));
}

static int
digits_at(struct span in, size_t pos, size_t n)
{
	int v = 0;

	for (size_t i = pos; i < pos + n; i++) {
		if (i >= in.n || !ascii_is_digit(in.p[i]))
			return -1;
		v = v * 10 + (in.p[i] - '0');
	}
	return v;
}

bool
date_imap_parse(struct span in, struct mail_date *out)
{
	int day, month, year, hour, minute, second, zone;

	/* dd-Mon-yyyy hh:mm:ss +zzzz: nothing in it is of variable length. */
	if (in.n != 26 || in.p[2] != '-' || in.p[6] != '-' || in.p[11] != ' ' || in.p[14] != ':' || in.p[17] != ':' ||
		in.p[20] != ' ' || (in.p[21] != '+' && in.p[21] != '-'))
		return false;
	day = in.p[0] == ' ' ? digits_at(in, 1, 1) : digits_at(in, 0, 2);
	month = month_of(span_of(in.p + 3, 3));
	year = digits_at(in, 7, 4);
	hour = digits_at(in, 12, 2);
	minute = digits_at(in, 15, 2);
	second = digits_at(in, 18, 2);
	zone = digits_at(in, 22, 4);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || year < 0 || zone < 0 ||
		zone % 100 > 59 || zone / 100 > 23)
		return false;
	zone = zone / 100 * 60 + zone % 100;
	return date_make(out, year, month, day, hour * 3600 + minute * 60 + second, in.p[21] == '-' ? -zone : zone);
}

bool
date_search_parse(struct span in, int32_t *day_out)
{
	size_t n = in.n > 1 && in.p[1] == '-' ? 1 : 2;
	int day = digits_at(in, 0, n), month, year;

	if (in.n != n + 9 || in.p[n] != '-' || in.p[n + 4] != '-')
		return false;
	month = month_of(span_of(in.p + n + 1, 3));
	year = digits_at(in, n + 5, 4);
	if (year < 0 || day < 0 || !is_day(year, month, day))
		return false;
	*day_out = (int32_t)date_days(year, month, day);
	return true;
}

int32_t
date_day(struct mail_date d)
{
	int64_t local, days;

	d = writable(d);
	local = d.time + (int64_t)d.tz * 60;
	days = local / 86400;
	return (int32_t)(local % 86400 < 0 ? days - 1 : days);
}
