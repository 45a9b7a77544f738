/* SPDX-License-Identifier: MIT */
/* date, currentdate (RFC 5260 sections 4 and 5). */
#include <stddef.h>
#include <time.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-mail/date.h"

#define MJD_OF_1970 40587	/* modified Julian day (RFC 5260 section 4.2) */

static const char *const parts[] = {
	"year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday",
};
enum part { YEAR, MONTH, DAY, DATE, JULIAN, HOUR, MINUTE, SECOND, TIME, ISO8601, STD11, ZONE, WEEKDAY, PARTS };

static enum part
part_find(struct span name)
{
	int i = 0;

	while (i < PARTS && !span_ieq(name, span_str(parts[i])))
		i++;
	return (enum part)i;
}

/* "+hhmm" (RFC 5322 section 3.3) in minutes east. */
static bool
zone_parse(struct span s, int32_t *out)
{
	uint32_t v;

	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') || !span_u32(span_from(s, 1), &v) || v % 100 > 59)
		return false;
	*out = (int32_t)(v / 100 * 60 + v % 100) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

static int32_t
zone_here(int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	return localtime_r(&t, &tm) == NULL ? 0 : (int32_t)(tm.tm_gmtoff / 60);
}

static void
put_part(struct buf *out, enum part part, struct mail_date d)
{
	int64_t local = d.time + (int64_t)d.tz * 60;
	int64_t days = local / 86400 - (local % 86400 < 0), secs = local - days * 86400;
	int year, month, day, hour = (int)(secs / 3600), minute = (int)(secs / 60 % 60), second = (int)(secs % 60);
	int zone = d.tz < 0 ? -d.tz : d.tz;
	char sign = d.tz < 0 ? '-' : '+';

	date_civil(days, &year, &month, &day);
	switch (part) {
	case YEAR:
		buf_addf(out, "%04d", year);
		break;
	case MONTH:
		buf_addf(out, "%02d", month);
		break;
	case DAY:
		buf_addf(out, "%02d", day);
		break;
	case DATE:
		buf_addf(out, "%04d-%02d-%02d", year, month, day);
		break;
	case JULIAN:
		buf_addf(out, "%lld", (long long)(days + MJD_OF_1970));
		break;
	case HOUR:
		buf_addf(out, "%02d", hour);
		break;
	case MINUTE:
		buf_addf(out, "%02d", minute);
		break;
	case SECOND:
		buf_addf(out, "%02d", second);
		break;
	case TIME:
		buf_addf(out, "%02d:%02d:%02d", hour, minute, second);
		break;
	case ISO8601:
		buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second);
		/* Of the two ways that RFC 3339 section 5.6 has for UTC, the one that other servers write. */
		if (zone == 0)
			buf_addc(out, 'Z');
		else
			buf_addf(out, "%c%02d:%02d", sign, zone / 60, zone % 60);
		break;
	case STD11:
		date_write(out, d);
		break;
	case ZONE:
		buf_addf(out, "%c%02d%02d", sign, zone / 60, zone % 60);
		break;
	case WEEKDAY:
		buf_addf(out, "%d", (int)(((days + 4) % 7 + 7) % 7));	/* 1970-01-01 was a Thursday */
		break;
	case PARTS:
		break;
	}
}

/* A test with its arguments, as its fields are looked at. */
struct date_test {
	struct sieve_matching x;
	enum part part;
	bool zone_given, original;
	int32_t zone;
};

static int
match_date(struct date_test *t, struct mail_date d)
{
	char room[64];
	struct buf text = { room, 0, sizeof(room), sizeof(room), false, false };
	struct span value;

	if (!t->original)
		d.tz = t->zone_given ? t->zone : zone_here(d.time);
	put_part(&text, t->part, d);
	if (sieve_run_dup(t->x.r, t->x.n, buf_span(&text), &value) == -1)
		return -1;
	return sieve_matching_value(&t->x, value);
}

/* The date of a Received field is behind its last semicolon (RFC 5322 section 3.6.7). */
static int
on_field(struct sieve_matching *x, struct span value)
{
	struct mail_date d;
	size_t from = value.n;

	if (sieve_run_work(x->r, x->n, value.n / 64) == -1)
		return -1;
	while (from > 0 && value.p[from - 1] != ';')
		from--;
	if (!date_parse(span_from(value, from), &d))
		return 0;
	return match_date((struct date_test *)((char *)x - offsetof(struct date_test, x)), d);
}

/* 1: go on; 0: the test is false, whatever the date. */
static int
begin(struct date_test *t, struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *part,
    const struct sieve_arg *keys)
{
	const struct sieve_tagged *zone = sieve_tag_get(n, TAG_ZONE);
	struct span text;

	*t = (struct date_test){ .original = sieve_tag_get(n, TAG_ORIGINALZONE) != NULL, .zone_given = zone != NULL };
	if (sieve_matching_begin(&t->x, r, n, keys) == -1 || sieve_run_string(r, n, part->strings[0], &text) == -1)
		return -1;
	t->part = part_find(text);
	if (t->part == PARTS)
		return 0;
	if (zone == NULL)
		return 1;
	if (sieve_run_string(r, n, zone->value->strings[0], &text) == -1)
		return -1;
	return zone_parse(text, &t->zone);
}

static int
test_date(struct sieve_run *r, const struct sieve_node *n)
{
	struct date_test t;
	int rc = begin(&t, r, n, n->pos[1], n->pos[2]);

	if (rc <= 0)
		return rc;
	t.x.only_first = true;		/* RFC 5260 section 4 */
	rc = sieve_each_field(&t.x, n->pos[0], on_field);
	return rc != 0 ? rc : sieve_matching_end(&t.x);
}

static int
test_currentdate(struct sieve_run *r, const struct sieve_node *n)
{
	struct date_test t;
	int rc = begin(&t, r, n, n->pos[0], n->pos[1]);

	if (rc <= 0)
		return rc;
	rc = match_date(&t, (struct mail_date){ .time = sieve_run_now(r) });
	return rc != 0 ? rc : sieve_matching_end(&t.x);
}

static int
check_parts(struct sieve_checker *c, struct sieve_node *n, const struct sieve_arg *part)
{
	const struct sieve_tagged *zone = sieve_tag_get(n, TAG_ZONE);
	struct span name = part->strings[0];
	int32_t minutes;

	if (sieve_is_constant(c, name) && part_find(name) == PARTS)
		return sieve_fail(c, n, "a date has no \"%.*s\"", SPAN_ARG(span_sub(name, 0, 60)));
	if (zone != NULL && sieve_is_constant(c, zone->value->strings[0]) && !zone_parse(zone->value->strings[0], &minutes))
		return sieve_fail(c, n, "a zone is written as \"+0100\"");
	return sieve_check_match(c, n);
}

static int
check_date(struct sieve_checker *c, struct sieve_node *n)
{
	if (sieve_check_field_names(c, n, n->pos[0]) == -1 || sieve_check_index(c, n) == -1)
		return -1;
	return check_parts(c, n, n->pos[1]);
}

static int
check_currentdate(struct sieve_checker *c, struct sieve_node *n)
{
	return check_parts(c, n, n->pos[0]);
}

static const struct sieve_tag_use date_tags[] = {
	SIEVE_MATCH_TAGS, SIEVE_INDEX_TAGS, { TAG_ZONE, EXT_DATE }, { TAG_ORIGINALZONE, EXT_DATE }, { TAG_NONE, EXT_CORE }
};
static const struct sieve_tag_use currentdate_tags[] = { SIEVE_MATCH_TAGS, { TAG_ZONE, EXT_DATE }, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_date[] = {
	{ .name = "date", .is_test = true, .ext = EXT_DATE, .args = "SSL", .tags = date_tags, .check = check_date,
	    .run = test_date },
	{ .name = "currentdate", .is_test = true, .ext = EXT_DATE, .args = "SL", .tags = currentdate_tags,
	    .check = check_currentdate, .run = test_currentdate },
	{ .name = NULL },
};
