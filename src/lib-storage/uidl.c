/* SPDX-License-Identifier: MIT */
#include "lib-storage/uidl.h"

#include <openssl/evp.h>
#include <stdio.h>
#include "lib/encode.h"
#include "lib-config/vars.h"
#include "lib-mail/header.h"

#define UIDL_MAX 70	/* RFC 1939 section 7 */
#define WHOLE_MAX 255
#define FIELDS_MAX 10000

/* Whether fmt has the variable of that letter, whatever width and modifiers stand before it, or by its long name. */
static bool
has_variable(struct span fmt, char letter, struct span name)
{
	for (size_t i = 0; i + 1 < fmt.n; i++) {
		if (fmt.p[i] != '%')
			continue;
		i++;
		if (fmt.p[i] == '%')
			continue;
		if (fmt.p[i] == '{') {
			struct span word = span_sub(fmt, i + 1, span_chr(span_from(fmt, i + 1), '}'));
			size_t at = span_find(word, name);

			if (at != SIZE_MAX && at + name.n == word.n)
				return true;
			continue;
		}
		while (i < fmt.n && (ascii_is_digit(fmt.p[i]) || fmt.p[i] == '-' || fmt.p[i] == '.' ||
		    memchr("LUEXRHNMDT", fmt.p[i], 10) != NULL))
			i++;
		if (i < fmt.n && fmt.p[i] == letter)
			return true;
	}
	return false;
}

bool
uidl_format_has_file(struct span format)
{
	return has_variable(format, 'f', SPAN("filename"));
}

/* The value as the field has it, without the space behind the colon and line ends. */
static void
digest_value(EVP_MD_CTX *ctx, struct span raw)
{
	size_t from = span_chr(raw, ':') + 1;

	if (from < raw.n && ascii_is_wsp(raw.p[from]))
		from++;
	for (size_t i = from; i < raw.n;) {
		size_t n = 0;

		while (i + n < raw.n && raw.p[i + n] != '\n' && raw.p[i + n] != '\r')
			n++;
		EVP_DigestUpdate(ctx, raw.p + i, n);
		i += n + 1;
	}
}

/*
 * %m: a digest of those fields that do not change while a message lies in an mbox, and tell it from others; the same as
 * Dovecot's of an mbox, so that clients see what they saw.
 */
static int
header_md5(struct mailbox *box, uint32_t uid, struct buf *out, struct err *e)
{
	static const struct span names[] = { { "date", 4 }, { "delivered-to", 12 }, { "message-id", 10 }, { "received", 8 },
		{ "x-delivery-id", 13 } };
	unsigned char digest[EVP_MAX_MD_SIZE];
	bool received = false;
	struct header_iter it;
	struct header_field f;
	struct span header;
	EVP_MD_CTX *ctx;
	unsigned n = 0;

	if (mailbox_header(box, uid, &header, e) == -1)
		return -1;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_md5(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return err_set(e, ERR_TEMP, "MD5 is not available");
	}
	header_begin(&it, header, FIELDS_MAX, SIZE_MAX);
	while (header_next(&it, &f)) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			/* The first Received is the newest; behind it what the sender wrote does not count. */
			if (!span_ieq(f.name, names[i]) || (received && (i == 0 || i == 2 || i == 3)))
				continue;
			received = received || i == 3;
			digest_value(ctx, f.raw);
		}
	}
	EVP_DigestFinal_ex(ctx, digest, &n);
	EVP_MD_CTX_free(ctx);
	hex_encode(out, span_of(digest, n));
	return 0;
}

static int
formatted(struct mailbox *box, uint32_t uid, const struct mailbox_names *names, struct span format, struct buf *out,
    struct err *e)
{
	char uid_text[16], validity_text[16], email_id[33] = "";
	struct buf md5 = BUF_INIT(64);
	struct mailbox_view_state vs;
	struct span guid = span_str(names->guid), file = span_str(names->file);
	bool wants_guid, digest;
	int rc = -1;

	mailbox_view_state(box, &vs);
	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	snprintf(validity_text, sizeof(validity_text), "%u", vs.uidvalidity);
	wants_guid = guid.n == 0 && has_variable(format, 'g', SPAN("guid"));
	/* In an mbox the digest is all three. */
	digest = has_variable(format, 'm', SPAN("md5")) ||
	    (file.n == 0 && (wants_guid || uidl_format_has_file(format)));
	if (digest && header_md5(box, uid, &md5, e) == -1)
		goto out;
	if (wants_guid && file.n == 0) {
		guid = buf_span(&md5);
	} else if (wants_guid) {
		if (mailbox_email_id(box, uid, email_id, e) == -1)
			goto out;
		guid = span_str(email_id);
	}
	if (file.n == 0)
		file = buf_span(&md5);
	rc = vars_expand(out, format, (struct var[]){
		{ 'u', "uid", span_str(uid_text) },
		{ 'v', "uidvalidity", span_str(validity_text) },
		{ 'm', "md5", buf_span(&md5) },
		{ 'f', "filename", file },
		{ 'g', "guid", guid },
		{ 0, NULL, SPAN_NONE },
	}, e);
out:
	buf_clear(&md5);
	return rc;
}

/* Only 0x21 to 0x7E may be in a UIDL. */
static void
make_legal(struct buf *b, size_t from, size_t most)
{
	if (b->n > from + most)
		b->n = from + most;
	for (size_t i = from; i < b->n; i++)
		if (b->p[i] <= ' ' || b->p[i] > '~')
			b->p[i] = '_';
	if (b->n == from)
		buf_addc(b, '-');
}

int
mailbox_uidl(struct mailbox *box, uint32_t uid, const struct uidl_rules *r, struct buf *out, struct err *e)
{
	struct mailbox_names names;
	struct span header, value;
	/* RFC 1939's 70 octets; but names of files are longer at times, and clients know them whole from before. */
	bool guid = has_variable(r->format, 'g', SPAN("guid"));
	bool whole = r->reuse_xuidl || guid || uidl_format_has_file(r->format);
	size_t from = out->n, most = whole ? WHOLE_MAX : UIDL_MAX;
	int rc = mailbox_names(box, uid, guid, &names, e);

	if (rc == -1)
		return -1;
	if (names.uidl[0] != '\0') {
		buf_adds(out, names.uidl);
		most = WHOLE_MAX;
	}
	if (out->n == from && r->reuse_xuidl) {
		rc = mailbox_header(box, uid, &header, e);
		if (rc == 0 && header_get(header, SPAN("x-uidl"), &value))
			buf_add(out, span_sub(value, 0, WHOLE_MAX));
	}
	if (rc == 0 && out->n == from)
		rc = formatted(box, uid, &names, r->format, out, e);
	if (rc == 0)
		make_legal(out, from, most);
	return rc == 0 && out->failed ? err_set(e, ERR_LIMIT, "a UIDL is too long") : rc;
}
