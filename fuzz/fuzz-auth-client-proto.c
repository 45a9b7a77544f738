/* SPDX-License-Identifier: MIT */
/*
 * Lines of the auth client and master protocols, and saslauthd's requests.  Properties: what is escaped comes back; no
 * field is outside the line; cutting a request of saslauthd's delays the verdict and never changes it.
 */
#include <stdint.h>
#include <stdlib.h>
#include "auth/client-proto.h"

static void
check_line(struct span line)
{
	static struct arena *a;
	struct err e = ERR_INIT;
	struct client_line l;

	if (a == NULL)
		a = arena_new(65536);
	arena_reset(a);
	if (client_line_parse(line, a, &l, &e) == -1)
		return;
	if (l.param_count > CLIENT_PARAMS_MAX)
		abort();
	for (size_t i = 0; i < l.param_count; i++)
		if (l.params[i].n > line.n)
			abort();
	if (l.has_resp && l.resp.n > line.n)
		abort();
	client_param(&l, "service");
}

static void
check_escapes(struct span in)
{
	struct buf out = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);

	client_escape(&out, in);
	if (span_chr(buf_span(&out), '\t') != out.n || span_chr(buf_span(&out), '\n') != out.n)
		abort();
	if (!client_unescape(&back, buf_span(&out)) || !span_eq(buf_span(&back), in))
		abort();
	buf_clear(&out);
	buf_clear(&back);
}

static void
check_mux(struct span in)
{
	struct mux_request q;
	size_t used = 0, part = 0;
	enum parse whole = mux_parse(in, &q, &used);

	if (whole == PARSE_DONE && used > in.n)
		abort();
	for (size_t n = 0; n < in.n && n < 300; n++) {
		enum parse cut = mux_parse(span_sub(in, 0, n), &q, &part);

		if (cut != PARSE_MORE && (cut != whole || (cut == PARSE_DONE && part != used)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), line;
	size_t used = 0;

	if (size > CLIENT_LINE_MAX)
		return 0;
	while (span_line(in, &used, &line))
		check_line(line);
	check_line(span_from(in, used));
	check_escapes(in);
	check_mux(in);
	return 0;
}
