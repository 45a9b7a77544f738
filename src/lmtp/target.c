/* SPDX-License-Identifier: MIT */
#include "lmtp/target.h"

#define HOST_MAX 255
#define TIMEOUT_MAX_MS 3600000

static bool
is_no(struct span value)
{
	return span_ieq(value, SPAN("n")) || span_ieq(value, SPAN("no")) || span_ieq(value, SPAN("0")) || span_ieq(value, SPAN("false"));
}

/* A number is seconds; or with its unit: 500ms, 30s, 2mins. */
static int
take_timeout(struct span value, int *out, struct err *e)
{
	static const struct {
		struct span unit;
		uint64_t ms;
	} units[] = {
		{ { "", 0 }, 1000 }, { { "ms", 2 }, 1 }, { { "msecs", 5 }, 1 }, { { "s", 1 }, 1000 }, { { "sec", 3 }, 1000 },
		{ { "secs", 4 }, 1000 }, { { "m", 1 }, 60000 }, { { "min", 3 }, 60000 }, { { "mins", 4 }, 60000 },
	};
	size_t digits = 0;
	struct span unit;
	uint64_t n;

	while (digits < value.n && ascii_is_digit(value.p[digits]))
		digits++;
	unit = span_trim(span_from(value, digits));
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!span_ieq(unit, units[i].unit) || !span_u64(span_sub(value, 0, digits), TIMEOUT_MAX_MS, &n) ||
		    n * units[i].ms > TIMEOUT_MAX_MS || n == 0)
			continue;
		*out = (int)(n * units[i].ms);
		return 0;
	}
	return err_set(e, ERR_SYNTAX, "proxy_timeout=%.*s is no time", SPAN_ARG(span_sub(value, 0, 40)));
}

static int
take_tls(struct lmtp_target *t, enum lmtp_target_tls how, struct span value)
{
	if (is_no(value))
		return 0;
	t->tls = how;
	t->verify = !span_eq(value, SPAN("any-cert"));
	return 0;
}

static bool
is_host(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '/')
			return false;
	return s.n > 0 && s.n <= HOST_MAX;
}

static int
take(struct lmtp_target *t, struct span name, struct span value, struct err *e)
{
	uint64_t port;

	if (span_eq(name, SPAN("host"))) {
		if (!is_host(value))
			return err_set(e, ERR_SYNTAX, "host=%.*s is none", SPAN_ARG(span_sub(value, 0, 60)));
		t->host = value;
	} else if (span_eq(name, SPAN("hostip"))) {
		if (!is_host(value))
			return err_set(e, ERR_SYNTAX, "hostip=%.*s is none", SPAN_ARG(span_sub(value, 0, 60)));
		t->ip = value;
	} else if (span_eq(name, SPAN("port"))) {
		if (!span_u64(value, 65535, &port) || port == 0)
			return err_set(e, ERR_SYNTAX, "port=%.*s is none", SPAN_ARG(span_sub(value, 0, 40)));
		t->port = (uint16_t)port;
	} else if (span_eq(name, SPAN("proxy_timeout"))) {
		return take_timeout(value, &t->timeout_ms, e);
	} else if (span_eq(name, SPAN("destuser"))) {
		t->user = value;
	} else if (span_eq(name, SPAN("proxy_maybe"))) {
		t->maybe = !is_no(value);
	} else if (span_eq(name, SPAN("ssl"))) {
		return take_tls(t, LMTP_TLS_FIRST, value);
	} else if (span_eq(name, SPAN("starttls"))) {
		return take_tls(t, LMTP_TLS_STARTTLS, value);
	} else if (span_eq(name, SPAN("protocol"))) {
		t->smtp = span_eq(value, SPAN("smtp"));
		if (!t->smtp && !span_eq(value, SPAN("lmtp")))
			return err_set(e, ERR_SYNTAX, "protocol=%.*s is neither lmtp nor smtp", SPAN_ARG(span_sub(value, 0, 40)));
	}
	return 0;
}

int
lmtp_target_parse(struct span fields, struct lmtp_target *out, struct err *e)
{
	struct span one;

	*out = (struct lmtp_target){ .port = LMTP_TARGET_PORT, .timeout_ms = LMTP_TARGET_TIMEOUT_MS, .user = SPAN(""), .ip = SPAN("") };
	while (span_next(&fields, '\0', &one)) {
		size_t eq = span_chr(one, '=');

		if (take(out, span_sub(one, 0, eq), span_from(one, eq + 1), e) == -1)
			return -1;
	}
	return out->host.n > 0 ? 0 : err_set(e, ERR_SYNTAX, "proxy without host");
}

struct span
lmtp_target_address(const struct lmtp_target *t)
{
	return t->ip.n > 0 ? t->ip : t->host;
}

bool
lmtp_target_is_same_server(const struct lmtp_target *x, const struct lmtp_target *y)
{
	return span_ieq(x->host, y->host) && span_ieq(x->ip, y->ip) && x->port == y->port && x->tls == y->tls && x->smtp == y->smtp && x->verify == y->verify;
}
