/* SPDX-License-Identifier: MIT */
/*
 * The line of deliver_log_format.  Its default wants the Message-ID alone, which is looked up for every delivery; what a format of the
 * administrator's wants besides (a decoded subject, sizes) is only worked out then.
 */
#include "lib-deliver/deliver.h"

#include <stdio.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-mail/address.h"
#include "lib-mail/encoded-word.h"
#include "lib-mail/header.h"

#define VALUE_MAX 200	/* of a header field in the log */
#define DECODED_MAX 2048
#define ADDRESS_MEMORY 16384
#define DEFAULT_FORMAT "msgid=%m: %$"

static struct span
field(const struct deliver_request *r, struct span name)
{
	struct span value;

	return header_get(r->message, name, &value) ? span_trim(span_sub(value, 0, VALUE_MAX)) : SPAN("");
}

/* One that is missing has a name of its own, as in Dovecot: the line can be cut at spaces. */
static struct span
message_id(const struct deliver_request *r)
{
	struct span id = field(r, SPAN("message-id"));

	id.n = span_chr(id, '\n');
	id = span_trim(id);
	return id.n > 0 ? id : SPAN("unspecified");
}

static void
decode_subject(const struct deliver_request *r, struct buf *out)
{
	struct charset_cache *charsets = charset_cache_new();

	if (charsets != NULL)
		encoded_word_decode(charsets, out, field(r, SPAN("subject")));
	charset_cache_free(charsets);
}

/* The first address of From. */
static void
find_from(const struct deliver_request *r, struct buf *out)
{
	struct arena *a = arena_new(ADDRESS_MEMORY);
	struct address *list = NULL;
	const struct address *first;

	if (a != NULL && address_parse(a, field(r, SPAN("from")), 10, &list, NULL) == 0 && (first = address_first(list)) != NULL &&
	    (first->flags & ADDRESS_INVALID) == 0)
		address_write(out, first);
	arena_free(a);
}

/* Octets with LF as line ends, and with CR LF. */
static void
count(struct span s, uint64_t *lf_out, uint64_t *crlf_out)
{
	uint64_t lines = 0, with_cr = 0;

	for (const char *p = s.p, *end = s.p + s.n; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			break;
		lines++;
		with_cr += p > s.p && p[-1] == '\r';
	}
	*lf_out += s.n - with_cr;
	*crlf_out += s.n + lines - with_cr;
}

static int
expand(const struct deliver_request *r, struct span format, const char *what, struct buf *line, struct err *e)
{
	struct buf subject = BUF_INIT(DECODED_MAX), from = BUF_INIT(DECODED_MAX);
	char size[24], vsize[24], took[24] = "";
	uint64_t lf = 0, crlf = 0;
	int rc;

	if (r->header.n > 0)
		count(r->header, &lf, &crlf);
	count(r->message, &lf, &crlf);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)lf);
	snprintf(vsize, sizeof(vsize), "%llu", (unsigned long long)crlf);
	if (r->began_ms != 0)
		snprintf(took, sizeof(took), "%lld", (long long)(clock_ms() - r->began_ms));
	decode_subject(r, &subject);
	find_from(r, &from);
	rc = vars_expand(line, format, (struct var[]){
		{ '$', NULL, span_str(what) },
		{ 'm', "msgid", message_id(r) },
		{ 's', "subject", span_sub(buf_span(&subject), 0, VALUE_MAX) },
		{ 'f', "from", buf_span(&from) },
		{ 'e', "from_envelope", r->sender },
		{ 0, "to_envelope", r->recipient },
		{ 'p', "size", span_str(size) },
		{ 'w', "vsize", span_str(vsize) },
		{ 0, "delivery_time", span_str(took) },
		{ 0, "session_time", SPAN("") },	/* of a session with one message it says little more */
		{ 0, "storage_id", SPAN("") },
		{ 0, "session", r->session },
		{ 0, NULL, SPAN_NONE },
	}, e);
	buf_clear(&subject);
	buf_clear(&from);
	return rc;
}

void
deliver_log(const struct deliver_request *r, const char *by, const char *what)
{
	struct span format = set_str(r->view, SET_deliver_log_format);
	struct buf line = BUF_INIT(8192);
	struct err e = ERR_INIT;
	bool plain = span_eq(format, SPAN(DEFAULT_FORMAT));

	if (!plain && expand(r, format, what, &line, &e) == -1) {
		/* What was done must be told whatever the administrator has mistyped. */
		log_error("deliver_log_format: %s", e.log);
		plain = true;
	}
	if (plain) {
		buf_reset(&line);
		buf_addf(&line, "msgid=%.*s: %s", SPAN_ARG(message_id(r)), what);
	}
	log_info("%s%.*s", by, SPAN_ARG(buf_span(&line)));
	buf_clear(&line);
}
