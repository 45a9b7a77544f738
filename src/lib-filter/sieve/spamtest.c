/* SPDX-License-Identifier: MIT */
/*
 * spamtest, spamtestplus, virustest (RFC 5235): what a scanner has written into the header, as a number.  Where and how it
 * did is said by the settings sieve_spamtest_* and sieve_virustest_* (as Dovecot has them):
 *
 *	status_type	score (a number), strlen (the length of a row of stars), text (words)
 *	status_header	Name[: regular expression, whose first group is the status]
 *	max_value	the score that is spam for certain, or
 *	max_header	Name[: regular expression]: where the message itself has it
 *	text_valueN	the word that means the value N
 */
#include <stdio.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/regex.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/header.h"

#define STATUS_MAX 256
#define STATUS_US 1000000	/* that the expression of a setting may take */

struct scanner {
	const char *name;		/* "spamtest", "virustest" */
	unsigned max;			/* of RFC 5235: 10, 5 */
};

static struct span
setting(const struct sieve_run *r, const struct scanner *s, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "sieve_%s_%s", s->name, what);
	return span_trim(sieve_setting_text(r->host, name));
}

/* What the field and the expression of a setting find in the header.  1; 0: nothing; -1. */
static int
find_status(struct sieve_run *r, const struct sieve_node *n, struct span where, struct span *out)
{
	struct span name = span_trim(span_sub(where, 0, span_chr(where, ':'))), re = span_trim(span_from(where, span_chr(where, ':') + 1));
	struct sieve_captures c = { .count = 0 };
	const struct sieve_regex *compiled;
	char why[120];
	struct span raw;

	if (name.n == 0 || !header_get(r->message->header, name, &raw))
		return 0;
	if (sieve_run_decode(r, n, raw, out) == -1)
		return -1;
	if (re.n == 0)
		return 1;
	compiled = sieve_regex_compile(r->a, re, SIEVE_CASEMAP, why, sizeof(why));
	if (compiled == NULL)
		return sieve_run_fail(r, n, "the expression of a setting is none: %s", why);
	switch (sieve_regex_match(compiled, r->a, span_sub(*out, 0, STATUS_MAX), STATUS_US, &c)) {
	case 1:
		*out = c.count > 1 ? c.part[1] : c.part[0];
		return 1;
	case 0:
		return 0;
	default:
		return sieve_run_fail(r, n, "the expression of a setting takes too much work");
	}
}

/* "-1.5", "12": the part of a text that is a number, in thousandths.  False: it is none. */
static bool
parse_score(struct span s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	int64_t v = 0, unit = 1000;
	size_t digits = 0;

	s = span_trim(span_from(s, negative || (s.n > 0 && s.p[0] == '+')));
	for (; s.n > 0 && ascii_is_digit(s.p[0]) && digits < 12; digits++, s = span_from(s, 1))
		v = v * 10 + (s.p[0] - '0') * 1000;
	if (s.n > 0 && (s.p[0] == '.' || s.p[0] == ','))
		for (s = span_from(s, 1); s.n > 0 && ascii_is_digit(s.p[0]); digits++, s = span_from(s, 1)) {
			unit /= 10;
			v += (s.p[0] - '0') * unit;
		}
	*out = negative ? -v : v;
	return digits > 0;
}

/* The status and the largest it can be, both in thousandths.  1; 0: not scanned; -1. */
static int
scores(struct sieve_run *r, const struct sieve_node *n, const struct scanner *s, struct span status, int64_t *score, int64_t *max)
{
	struct span limit = setting(r, s, "max_value"), from = setting(r, s, "max_header");

	if (from.n > 0) {
		int rc = find_status(r, n, from, &limit);

		if (rc != 1)
			return rc;
	}
	if (!parse_score(limit, max) || *max <= 0)
		return 0;
	if (span_ieq(setting(r, s, "status_type"), SPAN("strlen")))
		*score = (int64_t)status.n * 1000;
	else if (!parse_score(status, score))
		return 0;
	return 1;
}

/* Of words the value is what the setting says; -1: none has that word. */
static int
word_value(const struct sieve_run *r, const struct scanner *s, struct span status)
{
	for (unsigned v = 0; v <= s->max; v++) {
		char name[32];

		snprintf(name, sizeof(name), "text_value%u", v);
		if (setting(r, s, name).n > 0 && span_ieq(setting(r, s, name), status))
			return (int)v;
	}
	return -1;
}

/* RFC 5235: 0 is "not scanned", 1 the best, max the worst; with percent 0 to 100, where "not scanned" is as good as clean. */
static int
value_of(struct sieve_run *r, const struct sieve_node *n, const struct scanner *s, bool percent, unsigned *out)
{
	int64_t score, max;
	struct span status;
	int rc = find_status(r, n, setting(r, s, "status_header"), &status), word;

	*out = 0;
	if (rc != 1)
		return rc == -1 ? -1 : 0;
	if (span_ieq(setting(r, s, "status_type"), SPAN("text"))) {
		word = word_value(r, s, status);
		if (word > 0)
			*out = percent ? (unsigned)(word - 1) * 100 / (s->max - 1) : (unsigned)word;
		return 0;
	}
	rc = scores(r, n, s, status, &score, &max);
	if (rc != 1)
		return rc;
	if (score < 0)
		score = 0;
	if (score > max)
		score = max;
	*out = percent ? (unsigned)(score * 100 / max) : (unsigned)(1 + score * (s->max - 1) / max);
	return 0;
}

static int
test_scanner(struct sieve_run *r, const struct sieve_node *n, const struct scanner *s)
{
	struct sieve_matching x;
	unsigned value;
	char *text;
	int rc;

	if (sieve_matching_begin(&x, r, n, n->pos[0]) == -1 || value_of(r, n, s, sieve_tag_get(n, TAG_PERCENT) != NULL, &value) == -1)
		return -1;
	text = arena_printf(r->a, "%u", value);
	if (text == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	rc = sieve_matching_value(&x, span_str(text));
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static int
test_spam(struct sieve_run *r, const struct sieve_node *n)
{
	return test_scanner(r, n, &(struct scanner){ "spamtest", 10 });
}

static int
test_virus(struct sieve_run *r, const struct sieve_node *n)
{
	return test_scanner(r, n, &(struct scanner){ "virustest", 5 });
}

static const struct sieve_tag_use spam_tags[] = { SIEVE_MATCH_TAGS, { TAG_PERCENT, EXT_SPAMTESTPLUS }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use virus_tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

#define SPAMTEST(required) { .name = "spamtest", .is_test = true, .ext = required, .args = "S", .tags = spam_tags, \
	.check = sieve_check_match, .run = test_spam }

const struct sieve_word sieve_words_spamtest[] = {
	SPAMTEST(EXT_SPAMTEST),
	SPAMTEST(EXT_SPAMTESTPLUS),	/* which says more than "spamtest", and needs it not */
	{ .name = "virustest", .is_test = true, .ext = EXT_VIRUSTEST, .args = "S", .tags = virus_tags, .check = sieve_check_match,
	    .run = test_virus },
	{ .name = NULL },
};
