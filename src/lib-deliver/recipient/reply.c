/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/reply.h"

const struct recipient_reply recipient_reply_mistake = { 451, "4.3.5", false, { "The table has a mistake here", 28 } };

#define WORD(lit, code, status) { { lit, sizeof(lit) - 1 }, code, status }

static const struct word {
	struct span name;
	unsigned code;
	const char *status;
} words[] = {
	WORD("nouser", 550, "5.1.1"), WORD("nohost", 550, "5.1.2"), WORD("unavailable", 554, "5.3.0"),
	WORD("usage", 501, "5.5.4"), WORD("protocol", 554, "5.5.0"), WORD("config", 554, "5.3.5"),
	WORD("tempfail", 450, "4.3.0"), WORD("software", 554, "5.3.0"), WORD("noperm", 550, "5.7.1"),
};

static void
set_status(struct recipient_reply *r, struct span status)
{
	size_t n = status.n < sizeof(r->status) - 1 ? status.n : sizeof(r->status) - 1;

	memcpy(r->status, status.p, n);
	r->status[n] = '\0';
}

/* "D.S.N" at the start; the length, or 0. */
static size_t
status_length(struct span in)
{
	size_t i = 1;

	if (in.n < 5 || (in.p[0] != '4' && in.p[0] != '5'))
		return 0;
	for (unsigned part = 0; part < 2; part++) {
		size_t digits = 0;

		if (i == in.n || in.p[i] != '.')
			return 0;
		for (i++; i < in.n && ascii_is_digit(in.p[i]) && digits < 3; i++)
			digits++;
		if (digits == 0)
			return 0;
	}
	return i == in.n || in.p[i] == ' ' || in.p[i] == ':' || in.p[i] == '\t' ? i : 0;
}

/* Three digits at the start, with nothing or white space behind them. */
static bool
take_code(struct span *in, unsigned *code)
{
	if (in->n < 3 || !ascii_is_digit(in->p[0]) || !ascii_is_digit(in->p[1]) || !ascii_is_digit(in->p[2]) ||
	    (in->n > 3 && !ascii_is_wsp(in->p[3])))
		return false;
	*code = (unsigned)((in->p[0] - '0') * 100 + (in->p[1] - '0') * 10 + in->p[2] - '0');
	*in = span_trim(span_from(*in, 3));
	return true;
}

static struct span
unquoted(struct span in)
{
	in = span_trim(in);
	return in.n >= 2 && in.p[0] == '"' && in.p[in.n - 1] == '"' ? span_trim(span_sub(in, 1, in.n - 2)) : in;
}

static bool
take_word(struct span *in, struct recipient_reply *out)
{
	size_t n = 0;

	while (n < in->n && ascii_is_alpha(in->p[n]))
		n++;
	if (n < in->n && !ascii_is_wsp(in->p[n]) && in->p[n] != ':')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_ieq(span_sub(*in, 0, n), words[i].name)) {
			out->code = words[i].code;
			set_status(out, span_str(words[i].status));
			*in = unquoted(span_from(*in, n < in->n && in->p[n] == ':' ? n + 1 : n));
			return true;
		}
	return false;
}

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

bool
recipient_reply_parse(struct span in, const struct recipient_reply *otherwise, struct recipient_reply *out)
{
	struct recipient_reply r = *otherwise;
	bool coded = false, told = false;
	size_t n;

	in = unquoted(in);
	if (!take_word(&in, &r)) {
		n = status_length(in);
		if (n > 0) {
			told = true;
			set_status(&r, span_sub(in, 0, n));
			in = unquoted(span_from(in, n < in.n && in.p[n] == ':' ? n + 1 : n));
		}
		coded = take_code(&in, &r.code);
		n = coded && !told ? status_length(in) : 0;
		if (n > 0) {
			told = true;
			set_status(&r, span_sub(in, 0, n));
			in = span_trim(span_from(in, n));
		}
		if (coded && (r.code < 400 || r.code > 599))
			return false;
		/* One of the two tells what the other is. */
		if (told && !coded)
			r.code = r.status[0] == '4' ? 450 : 550;
		r.mended = told && r.status[0] != (char)('0' + r.code / 100);
		r.status[0] = (char)('0' + r.code / 100);
		in = unquoted(in);
	}
	r.text = in.n == 0 ? otherwise->text : span_sub(in, 0, RECIPIENT_REPLY_TEXT);
	if (!is_printable(r.text))
		return false;
	*out = r;
	return true;
}
