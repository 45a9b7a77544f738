/* SPDX-License-Identifier: MIT */
#include "lib-config/quota-rule.h"

#define KILO 1024
#define ROOTS_MAX 100
#define MATCH_STEPS 65536

int
quota_amount_parse(struct span text, int64_t unit, struct quota_amount *out, struct err *e)
{
	struct span s = span_trim(text);
	bool minus = s.n > 0 && s.p[0] == '-', percent = false;
	uint64_t n;
	size_t i = 0;
	char letter;

	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = span_from(s, 1);
	while (i < s.n && ascii_is_digit(s.p[i]))
		i++;
	if (!span_u64(span_sub(s, 0, i), (uint64_t)QUOTA_AMOUNT_MAX, &n))
		return err_set(e, ERR_SYNTAX, "%.*s is no amount", SPAN_ARG(text));
	s = span_trim(span_from(s, i));
	letter = s.n == 0 ? '\0' : ascii_lower(s.p[0]);
	switch (letter) {
	case '\0':
		break;
	case '%':
		percent = true;
		unit = 1;
		break;
	case 'b':
		unit = 1;
		break;
	case 'k':
		unit = KILO;
		break;
	case 'm':
		unit = (int64_t)KILO * KILO;
		break;
	case 'g':
		unit = (int64_t)KILO * KILO * KILO;
		break;
	case 't':
		unit = (int64_t)KILO * KILO * KILO * KILO;
		break;
	default:
		return err_set(e, ERR_SYNTAX, "%.*s: there is no unit %.*s", SPAN_ARG(text), SPAN_ARG(s));
	}
	/* "KB", "KiB"; "%%" */
	s = span_from(s, 1);
	if (!percent && letter != 'b' && letter != '\0' && s.n > 0 && ascii_lower(s.p[0]) == 'i')
		s = span_from(s, 1);
	if (s.n == 1 && (percent ? s.p[0] == '%' : letter != 'b' && ascii_lower(s.p[0]) == 'b'))
		s = span_from(s, 1);
	if (s.n > 0)
		return err_set(e, ERR_SYNTAX, "%.*s: there is no such unit", SPAN_ARG(text));
	if (percent && n > 1000000)
		return err_set(e, ERR_SYNTAX, "%.*s: that many percent are none", SPAN_ARG(text));
	if (n > (uint64_t)(QUOTA_AMOUNT_MAX / unit))
		return err_set(e, ERR_SYNTAX, "%.*s is too much", SPAN_ARG(text));
	*out = (struct quota_amount){ .n = (int64_t)n * unit * (minus ? -1 : 1), .is_set = true, .is_percent = percent };
	return 0;
}

int64_t
quota_amount_of(const struct quota_amount *a, int64_t base)
{
	int64_t n;

	if (!a->is_percent)
		return a->n;
	/* In two parts, so that it can not overflow: n is below 10^6 + 1, base below 2^60 + 1. */
	if (__builtin_mul_overflow(base / 100, a->n, &n) || __builtin_add_overflow(n, base % 100 * a->n / 100, &n))
		return a->n < 0 ? -QUOTA_AMOUNT_MAX : QUOTA_AMOUNT_MAX;
	return n > QUOTA_AMOUNT_MAX ? QUOTA_AMOUNT_MAX : n < -QUOTA_AMOUNT_MAX ? -QUOTA_AMOUNT_MAX : n;
}

/* "storage=1G:messages=1000" */
static int
limits_parse(struct span text, struct quota_limits *out, struct err *e)
{
	struct span piece;

	while (span_next(&text, ':', &piece)) {
		struct span value = span_from(piece, span_chr(piece, '=') + 1);
		int rc;

		if (span_starts(piece, SPAN("storage=")))
			rc = quota_amount_parse(value, KILO, &out->bytes, e);
		else if (span_starts(piece, SPAN("bytes=")))
			rc = quota_amount_parse(value, 1, &out->bytes, e);
		else if (span_starts(piece, SPAN("messages=")))
			rc = quota_amount_parse(value, 1, &out->messages, e);
		else
			rc = err_set(e, ERR_SYNTAX, "there is no limit %.*s: it is storage=, bytes= or messages=",
			    SPAN_ARG(piece));
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
quota_rule_parse(struct span text, struct quota_rule *out, struct err *e)
{
	size_t colon = span_chr(text, ':');
	struct span limits = span_from(text, colon + 1);

	memset(out, 0, sizeof(*out));
	if (colon == 0 || colon == text.n)
		return err_set(e, ERR_SYNTAX, "a rule is mailbox:limits, as *:storage=1G");
	out->mailbox = span_sub(text, 0, colon);
	out->yields = span_eq(out->mailbox, SPAN("?"));
	out->is_default = out->yields || span_eq(out->mailbox, SPAN("*"));
	if (span_eq(limits, SPAN("ignore"))) {
		out->ignore = true;
		return out->is_default ? err_set(e, ERR_SYNTAX, "the default rule can not ignore all there is") : 0;
	}
	if (limits_parse(limits, &out->limits, e) == -1)
		return -1;
	if (out->is_default && (out->limits.bytes.is_percent || out->limits.messages.is_percent))
		return err_set(e, ERR_SYNTAX, "the default rule has nothing to be a percentage of");
	if (out->is_default && (out->limits.bytes.n < 0 || out->limits.messages.n < 0))
		return err_set(e, ERR_SYNTAX, "the default rule can not be negative");
	return 0;
}

int
quota_warning_parse(struct span text, struct quota_warning *out, struct err *e)
{
	size_t space = span_chr(text, ' ');

	memset(out, 0, sizeof(*out));
	out->command = span_trim(span_from(text, space));
	if (out->command.n == 0)
		return err_set(e, ERR_SYNTAX, "a warning is limits, a space, and a command");
	text = span_sub(text, 0, space);
	if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
		out->falls = text.p[0] == '-';
		text = span_from(text, 1);
	}
	if (limits_parse(text, &out->limits, e) == -1)
		return -1;
	if (!out->limits.bytes.is_set && !out->limits.messages.is_set)
		return err_set(e, ERR_SYNTAX, "a warning without a limit");
	if (out->limits.bytes.n < 0 || out->limits.messages.n < 0)
		return err_set(e, ERR_SYNTAX, "a warning at less than nothing");
	return 0;
}

static int
root_parameters(struct span text, struct quota_root_def *out, struct err *e)
{
	struct span word;

	while (span_next(&text, ':', &word)) {
		if (span_eq(word, SPAN("hidden")))
			out->hidden = true;
		else if (span_eq(word, SPAN("noenforcing")))
			out->noenforcing = true;
		else if (span_eq(word, SPAN("ignoreunlimited")))
			out->ignoreunlimited = true;
		else if (span_starts(word, SPAN("ns=")))
			out->ns = span_from(word, 3);
		else if (word.n > 0 && (out->backend == QUOTA_COUNT || out->backend == QUOTA_MAILDIR))
			return err_set(e, ERR_SYNTAX, "there is no parameter %.*s", SPAN_ARG(word));
	}
	return 0;
}

int
quota_root_parse(struct span text, struct quota_root_def *out, struct err *e)
{
	static const struct {
		struct span word;
		enum quota_backend backend;
	} backends[] = {
		{ { "count", 5 }, QUOTA_COUNT }, { { "maildir", 7 }, QUOTA_MAILDIR }, { { "dict", 4 }, QUOTA_DICT },
		{ { "fs", 2 }, QUOTA_FS }, { { "imapc", 5 }, QUOTA_IMAPC },
	};
	size_t colon = span_chr(text, ':'), n = sizeof(backends) / sizeof(backends[0]), i = 0;
	struct span word = span_sub(text, 0, colon), rest = span_from(text, colon + 1);

	memset(out, 0, sizeof(*out));
	while (i < n && !span_eq(word, backends[i].word))
		i++;
	if (i == n)
		return err_set(e, ERR_SYNTAX, "there is no quota backend %.*s: it is count, or maildir", SPAN_ARG(word));
	out->backend = backends[i].backend;
	colon = span_chr(rest, ':');
	out->name = span_sub(rest, 0, colon);
	for (size_t k = 0; k < out->name.n; k++)
		if ((unsigned char)out->name.p[k] < ' ' || out->name.p[k] == 0x7f)
			return err_set(e, ERR_SYNTAX, "a control character in the name of a quota");
	return root_parameters(span_from(rest, colon + 1), out, e);
}

bool
quota_mailbox_matches(struct span mask, struct span name)
{
	size_t m = 0, n = 0, star = SIZE_MAX, from = 0;

	if (span_ieq(mask, SPAN("INBOX")) && span_ieq(name, SPAN("INBOX")))
		return true;
	/* Back to the last star alone: quadratic at worst, and bounded. */
	for (size_t steps = 0; n < name.n; steps++) {
		if (steps > MATCH_STEPS)
			return false;
		if (m < mask.n && mask.p[m] == '*') {
			star = ++m;
			from = n;
		} else if (m < mask.n && (mask.p[m] == '?' || mask.p[m] == name.p[n])) {
			m++;
			n++;
		} else if (star != SIZE_MAX) {
			m = star;
			n = ++from;
		} else {
			return false;
		}
	}
	while (m < mask.n && mask.p[m] == '*')
		m++;
	return m == mask.n;
}

/* Takes a number off the front: "" is 1, else 2 to ROOTS_MAX. */
static bool
take_number(struct span *s)
{
	size_t i = 0;
	uint64_t n;

	while (i < s->n && ascii_is_digit(s->p[i]))
		i++;
	if (i > 0 && (!span_u64(span_sub(*s, 0, i), ROOTS_MAX, &n) || n < 2 || s->p[0] == '0'))
		return false;
	*s = span_from(*s, i);
	return true;
}

static int
root_check(struct span value, struct err *e)
{
	struct quota_root_def def;

	if (value.n == 0)
		return 0;
	if (quota_root_parse(value, &def, e) == -1)
		return -1;
	switch (def.backend) {
	case QUOTA_DICT:
		return err_set(e, ERR_DENIED, "is counted in the index, as with count: there are no dictionaries");
	case QUOTA_FS:
		return err_set(e, ERR_DENIED, "has no effect: the limits of the file system are for it to tell");
	case QUOTA_IMAPC:
		return err_set(e, ERR_DENIED, "has no effect: mail is not fetched from other IMAP servers");
	case QUOTA_COUNT:
	case QUOTA_MAILDIR:
		break;
	}
	return 0;
}

static bool
is_one_of(struct span s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (span_eq(s, span_str(*words)))
			return true;
	return false;
}

int
quota_setting_check(struct span key, struct span value, bool *known_out, struct err *e)
{
	static const char *const plain[] = { "exceeded_message", "vsizes", "status_success", "status_nouser",
					     "status_overquota", "status_toolarge", NULL };
	static const char *const idle[] = { "set", "over_flag", "over_flag_value", "over_flag_lazy_check", "over_script",
					    "mailbox_count", "mailbox_message_count", "clone_dict", NULL };
	struct quota_amount amount;
	struct quota_warning warning;
	struct quota_rule rule;
	struct span rest;

	*known_out = false;
	if (!span_starts(key, SPAN("quota")))
		return 0;
	*known_out = true;
	rest = span_from(key, 5);
	if (!take_number(&rest))
		goto unknown;
	if (rest.n == 0)
		return root_check(value, e);
	if (rest.p[0] != '_')
		goto unknown;
	rest = span_from(rest, 1);
	if (is_one_of(rest, plain))
		return 0;
	if (is_one_of(rest, idle))
		return err_set(e, ERR_DENIED, span_eq(rest, SPAN("set")) ?
		    "has no effect: limits are in the configuration and the user database, clients can not set them" :
		    "has no effect: quota_warning runs a program when a limit is crossed");
	if (span_eq(rest, SPAN("grace")) || span_eq(rest, SPAN("max_mail_size")))
		return value.n == 0 ? 0 : quota_amount_parse(value, 1, &amount, e);
	if (span_starts(rest, SPAN("rule")) && (rest = span_from(rest, 4), take_number(&rest)) && rest.n == 0)
		return value.n == 0 ? 0 : quota_rule_parse(value, &rule, e);
	if (span_starts(rest, SPAN("warning")) && (rest = span_from(rest, 7), take_number(&rest)) && rest.n == 0)
		return value.n == 0 ? 0 : quota_warning_parse(value, &warning, e);
unknown:
	return err_set(e, ERR_DENIED, "has no effect: there is no such quota setting");
}
