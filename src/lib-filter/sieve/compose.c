/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "lib-filter/sieve/compose.h"

#include <stdio.h>

#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/setting.h"
#include "lib-mail/address.h"
#include "lib-mail/date.h"
#include "lib-mail/encoded-word.h"

#define SUBJECT_MAX 4096
#define REPLY_MAX ((size_t)4 << 20)
#define LINE_MAX_OCTETS 900

struct span
sieve_owner(const struct sieve_run *r)
{
	return r->host->user_address.n > 0 ? r->host->user_address : r->message->recipient;
}

struct span
sieve_postmaster(const struct sieve_run *r)
{
	struct span set = sieve_setting_text(r->host, "postmaster_address");

	return set.n > 0 ? set : sieve_owner(r);
}

struct span
sieve_address_setting(const struct sieve_run *r, const char *name)
{
	struct span set = span_trim(sieve_setting_text(r->host, name));
	const struct filter_message *m = r->message;

	if (span_ieq(set, SPAN("sender")))
		return m->sender;
	if (span_ieq(set, SPAN("recipient")))
		return m->recipient;
	if (span_ieq(set, SPAN("orig_recipient")))
		return m->orig_recipient.n > 0 ? m->orig_recipient : m->recipient;
	if (span_ieq(set, SPAN("user_email")))
		return sieve_owner(r);
	if (span_ieq(set, SPAN("postmaster")))
		return sieve_postmaster(r);
	if (span_eq(set, SPAN("<>")))
		return SPAN("");
	if (set.n > 2 && set.p[0] == '<' && sieve_is_address(span_sub(set, 1, set.n - 2)))
		return span_sub(set, 1, set.n - 2);
	return SPAN_NONE;
}

int
sieve_compose_start(struct sieve_run *r, const struct sieve_node *n, struct buf *out, const char *kind, struct span to)
{
	struct span parts[4], id, host;
	char now[24];

	snprintf(now, sizeof(now), "%lld", (long long)sieve_run_now(r));
	parts[0] = span_str(now);
	parts[1] = to;
	parts[2] = r->message->header;
	parts[3] = span_of(&r->action_count, sizeof(r->action_count));
	if (sieve_run_mark(r, n, "id", parts, 4, &id) == -1)
		return -1;
	if (!sieve_environment_get(r, SPAN("host"), &host) || host.n == 0)
		host = span_str(host_name());
	buf_addf(out, "Message-ID: <%s-%.*s@%.*s>\r\nDate: ", kind, SPAN_ARG(span_sub(id, 3, 32)), SPAN_ARG(host));
	date_write(out, (struct mail_date){ .time = sieve_run_now(r) });
	buf_adds(out, "\r\nX-Sieve: Culver Sieve " PACKAGE_VERSION "\r\n");
	return 0;
}

void
sieve_compose_text(struct buf *out, const char *name, struct span text)
{
	struct buf plain = BUF_INIT(4 * SUBJECT_MAX);

	for (size_t i = 0; i < text.n; i++)
		buf_addc(&plain, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i]);
	buf_addf(out, "%s: ", name);
	encoded_word_encode(out, span_trim(buf_span(&plain)));
	buf_adds(out, "\r\n");
	buf_clear(&plain);
}

void
sieve_compose_address(struct sieve_run *r, struct buf *out, const char *name, const struct address *ad)
{
	struct buf encoded = BUF_INIT(SUBJECT_MAX), plain = BUF_INIT(SUBJECT_MAX);

	buf_addf(out, "%s: ", name);
	encoded_word_decode(r->charsets, &plain, ad->name);
	encoded_word_encode(&encoded, buf_span(&plain));
	if (ad->name.n > 0 && span_starts(buf_span(&encoded), SPAN("=?"))) {
		buf_add(out, buf_span(&encoded));
		buf_addc(out, ' ');
	} else if (ad->name.n > 0) {
		buf_addc(out, '"');
		for (size_t i = 0; i < ad->name.n; i++) {
			char c = ad->name.p[i];

			if (c == '"' || c == '\\')
				buf_addc(out, '\\');
			buf_addc(out, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
		}
		buf_adds(out, "\" ");
	}
	buf_addc(out, '<');
	address_write(out, ad);
	buf_adds(out, ">\r\n");
	buf_clear(&encoded);
	buf_clear(&plain);
}

void
sieve_compose_list(struct sieve_run *r, struct buf *out, const char *name, const struct address *list)
{
	bool first = true;

	buf_addf(out, "%s: ", name);
	for (const struct address *ad = list; ad != NULL; ad = ad->next) {
		struct buf encoded = BUF_INIT(SUBJECT_MAX), plain = BUF_INIT(SUBJECT_MAX);
		struct address one = *ad;

		if (address_is_group_start(ad) || address_is_group_end(ad))
			continue;
		one.next = NULL;
		if (!first)
			buf_adds(out, ", ");
		first = false;
		encoded_word_decode(r->charsets, &plain, ad->name);
		encoded_word_encode(&encoded, buf_span(&plain));
		if (ad->name.n > 0 && span_starts(buf_span(&encoded), SPAN("=?"))) {
			buf_add(out, buf_span(&encoded));
			buf_adds(out, " <");
			address_write(out, &one);
			buf_addc(out, '>');
		} else {
			address_write_list(out, &one);
		}
		buf_clear(&encoded);
		buf_clear(&plain);
	}
	buf_adds(out, "\r\n");
}

int
sieve_compose_addresses(struct sieve_run *r, const struct sieve_node *n, struct buf *out, const char *name, struct span text)
{
	struct address *list = NULL;

	if (address_parse(r->a, text, 10, &list, NULL) == -1)
		return sieve_run_fail(r, n, "the script needs too much memory");
	sieve_compose_list(r, out, name, list);
	return 0;
}

static bool
is_plain(struct span text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.n; i++) {
		line = text.p[i] == '\n' ? 0 : line + 1;
		if ((unsigned char)text.p[i] >= 0x7f || text.p[i] == '\0' || line > LINE_MAX_OCTETS)
			return false;
	}
	return true;
}

void
sieve_compose_lines(struct buf *out, struct span text)
{
	size_t used = 0;
	struct span line;

	while (span_line(text, &used, &line)) {
		buf_add(out, line);
		buf_adds(out, "\r\n");
	}
	if (used < text.n) {
		buf_add(out, span_from(text, used));
		buf_adds(out, "\r\n");
	}
}

void
sieve_compose_body(struct buf *out, struct span text)
{
	buf_adds(out, "MIME-Version: 1.0\r\n");
	sieve_compose_part(out, text);
}

void
sieve_compose_part(struct buf *out, struct span reason)
{
	struct buf encoded = BUF_INIT(REPLY_MAX);
	bool plain = is_plain(reason);

	buf_adds(out, "Content-Type: text/plain; charset=utf-8\r\n");
	buf_addf(out, "Content-Transfer-Encoding: %s\r\n\r\n", plain ? "7bit" : "quoted-printable");
	if (!plain)
		qp_encode(&encoded, reason);
	sieve_compose_lines(out, plain ? reason : buf_span(&encoded));
	out->failed = out->failed || encoded.failed;
	buf_clear(&encoded);
}

int
sieve_bare_address(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out)
{
	struct buf bare = BUF_INIT(1000);
	struct address *list = NULL;
	int rc;

	if (address_parse(r->a, text, 2, &list, NULL) == -1)
		return sieve_run_fail(r, n, "the script needs too much memory");
	if (address_first(list) != NULL)
		address_write(&bare, address_first(list));
	rc = sieve_run_dup(r, n, bare.failed ? SPAN("") : buf_span(&bare), out);
	buf_clear(&bare);
	return rc;
}

int
sieve_envelope_address(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out)
{
	/* What stands around an address: a name, comments, white space, line ends of a text:. */
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || strchr("<(,", text.p[i]) != NULL)
			return sieve_bare_address(r, n, text, out);
	return sieve_run_dup(r, n, text, out);
}
