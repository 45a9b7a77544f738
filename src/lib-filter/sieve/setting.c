/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/setting.h"

/* A number and the unit behind it, in lower case. */
static bool
parse_unit(struct span text, uint64_t max, uint64_t *number_out, struct span *unit_out)
{
	size_t digits = 0;

	text = span_trim(text);
	while (digits < text.n && ascii_is_digit(text.p[digits]))
		digits++;
	*unit_out = span_trim(span_from(text, digits));
	return span_u64(span_sub(text, 0, digits), max, number_out);
}

bool
sieve_parse_time(struct span text, uint64_t *seconds_out)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {
		{ "s", 1 }, { "sec", 1 }, { "secs", 1 }, { "m", 60 }, { "min", 60 }, { "mins", 60 }, { "h", 3600 }, { "hour", 3600 },
		{ "hours", 3600 }, { "d", 86400 }, { "day", 86400 }, { "days", 86400 }, { "w", 604800 }, { "week", 604800 },
		{ "weeks", 604800 }, { "", 1 },
	};
	uint64_t number;
	struct span unit;

	if (!parse_unit(text, UINT32_MAX, &number, &unit))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (span_ieq(unit, span_str(units[i].name))) {
			*seconds_out = number * units[i].seconds;
			return true;
		}
	}
	return false;
}

bool
sieve_parse_size(struct span text, uint64_t *octets_out)
{
	static const char letters[] = "bkmgt";
	uint64_t number;
	struct span unit;
	unsigned shift = 0;

	if (!parse_unit(text, (uint64_t)1 << 40, &number, &unit))
		return false;
	if (unit.n > 0) {
		const char *at = strchr(letters, ascii_lower(unit.p[0]));

		if (at == NULL || *at == '\0' || unit.n > 2 || (unit.n == 2 && ascii_lower(unit.p[1]) != 'b'))
			return false;
		shift = 10 * (unsigned)(at - letters);
	}
	if (number > (uint64_t)1 << 62 >> shift)
		return false;
	*octets_out = number << shift;
	return true;
}

bool
sieve_parse_bool(struct span text, bool *out)
{
	text = span_trim(text);
	if (span_ieq(text, SPAN("yes")) || span_ieq(text, SPAN("y")) || span_ieq(text, SPAN("true")) || span_eq(text, SPAN("1"))) {
		*out = true;
		return true;
	}
	*out = false;
	return span_ieq(text, SPAN("no")) || span_ieq(text, SPAN("n")) || span_ieq(text, SPAN("false")) || span_eq(text, SPAN("0"));
}

struct span
sieve_setting_text(const struct filter_host *host, const char *name)
{
	struct span text;

	return host->setting != NULL && host->setting(host->ctx, name, &text) ? text : SPAN("");
}

bool
sieve_setting_bool(const struct filter_host *host, const char *name, bool def)
{
	bool value;

	return sieve_parse_bool(sieve_setting_text(host, name), &value) ? value : def;
}

uint64_t
sieve_setting_time(const struct filter_host *host, const char *name, uint64_t def)
{
	uint64_t value;

	return sieve_parse_time(sieve_setting_text(host, name), &value) ? value : def;
}

uint64_t
sieve_setting_number(const struct filter_host *host, const char *name, uint64_t def)
{
	uint64_t value;

	return span_u64(span_trim(sieve_setting_text(host, name)), UINT32_MAX, &value) ? value : def;
}

uint64_t
sieve_setting_size(const struct filter_host *host, const char *name, uint64_t def)
{
	uint64_t value;

	return sieve_parse_size(sieve_setting_text(host, name), &value) ? value : def;
}
