/* SPDX-License-Identifier: MIT */
#include <openssl/evp.h>
#include <stdio.h>
#include "lib/encode.h"
#include "lib/hash.h"
#include "lib-config/vars.h"
#include "lib-mail/header.h"
#include "pop3/session.h"

#define UIDL_MAX 70	/* RFC 1939 section 7 */

static const char hex_digits[] = "0123456789abcdef";

/* "%08Xu%08Xv", which everybody has: eight hex digits of each. */
static struct span
usual_uidl(struct pop3_session *p, uint32_t uid)
{
	uint64_t v = (uint64_t)uid << 32 | p->uidvalidity;
	char text[16];

	for (size_t i = sizeof(text); i > 0; i--, v >>= 4)
		text[i - 1] = hex_digits[v & 15];
	return arena_dup(p->arena, span_of(text, sizeof(text)));
}

/* The lower-case hex of the MD5 of the message's header as it is stored. */
static int
header_md5(struct pop3_session *p, uint32_t uid, struct buf *out, struct err *e)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct span header;
	unsigned n = 0;

	if (mailbox_header(p->box, uid, &header, e) == -1)
		return -1;
	header = span_sub(header, 0, header_size(header));
	if (EVP_Digest(header.n == 0 ? "" : header.p, header.n, digest, &n, EVP_md5(), NULL) != 1)
		return err_set(e, ERR_TEMP, "MD5 is not available");
	hex_encode(out, span_of(digest, n));
	return 0;
}

static int
formatted_uidl(struct pop3_session *p, uint32_t uid, struct buf *out, struct err *e)
{
	char uid_text[16], validity_text[16], guid[33] = "";
	struct buf md5 = BUF_INIT(64);
	int rc = -1;

	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	snprintf(validity_text, sizeof(validity_text), "%u", p->uidvalidity);
	if (span_find(p->o->uidl_format, SPAN("g")) != SIZE_MAX && mailbox_email_id(p->box, uid, guid, e) == -1)
		return -1;
	if (span_find(p->o->uidl_format, SPAN("m")) != SIZE_MAX && header_md5(p, uid, &md5, e) == -1)
		goto out;
	rc = vars_expand(out, p->o->uidl_format, (struct var[]){
		{ 'u', "uid", span_str(uid_text) },
		{ 'v', "uidvalidity", span_str(validity_text) },
		{ 'm', "md5", buf_span(&md5) },
		{ 'g', "guid", span_str(guid) },
		{ 0, NULL, SPAN_NONE },
	}, e);
out:
	buf_clear(&md5);
	return rc;
}

/* Only 0x21 to 0x7E may be in a UIDL, and 70 of them. */
static void
make_legal(struct buf *b)
{
	if (b->n > UIDL_MAX)
		b->n = UIDL_MAX;
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] <= ' ' || b->p[i] > '~')
			b->p[i] = '_';
	if (b->n == 0)
		buf_addc(b, '-');
}

static int
other_uidl(struct pop3_session *p, struct pop3_msg *m, struct err *e)
{
	struct buf b = BUF_INIT(4096);
	struct span header, value;
	int rc = 0;

	if (p->o->reuse_xuidl) {
		rc = mailbox_header(p->box, m->uid, &header, e);
		if (rc == 0 && header_get(header, SPAN("x-uidl"), &value))
			buf_add(&b, span_sub(value, 0, UIDL_MAX));
	}
	if (rc == 0 && b.n == 0)
		rc = formatted_uidl(p, m->uid, &b, e);
	if (rc == 0) {
		make_legal(&b);
		m->uidl = arena_dup(p->arena, buf_span(&b));
	}
	buf_clear(&b);
	return rc;
}

static int
make_uidl(struct pop3_session *p, struct pop3_msg *m, struct err *e)
{
	if (m->uidl.p != NULL)
		return 0;
	if (!p->o->reuse_xuidl && span_eq(p->o->uidl_format, SPAN("%08Xu%08Xv")))
		m->uidl = usual_uidl(p, m->uid);
	else if (other_uidl(p, m, e) == -1)
		return -1;
	return m->uidl.p == NULL ? err_set(e, ERR_LIMIT, "UIDLs need too much memory") : 0;
}

/* The second of two equal ones gets "-2" at its end, and so on. */
static int
rename_one(struct pop3_session *p, struct hash *seen, struct pop3_msg *m, struct err *e)
{
	struct span base = span_sub(m->uidl, 0, UIDL_MAX - 11);
	struct pop3_msg *first = hash_get(seen, m->uidl);

	for (unsigned n = 2; first != NULL; n++) {
		char *text = arena_printf(p->arena, "%.*s-%u", SPAN_ARG(base), n);

		if (text == NULL)
			return err_set(e, ERR_LIMIT, "UIDLs need too much memory");
		m->uidl = span_str(text);
		first = hash_get(seen, m->uidl);
		/* With thousands of equal ones the search for a free number would be quadratic: the UID is free at once. */
		if (first != NULL && n < m->uid)
			n = m->uid - 1;
	}
	return hash_set(seen, m->uidl, m) ? 0 : err_set(e, ERR_TEMP, "out of memory");
}

static int
rename_duplicates(struct pop3_session *p, struct err *e)
{
	struct hash *seen = hash_new((size_t)p->count + 1);
	int rc = seen == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	for (uint32_t i = 0; rc == 0 && i < p->count; i++) {
		rc = make_uidl(p, &p->msgs[i], e);
		if (rc == -1 && e->code == ERR_GONE)
			rc = 0;
		else if (rc == 0)
			rc = rename_one(p, seen, &p->msgs[i], e);
	}
	hash_free(seen);
	return rc;
}

int
pop3_uidl(struct pop3_session *p, struct pop3_msg *m, struct span *out, struct err *e)
{
	if (p->o->rename_duplicates && !p->uidls_known) {
		if (rename_duplicates(p, e) == -1)
			return -1;
		p->uidls_known = true;
	}
	if (make_uidl(p, m, e) == -1)
		return -1;
	*out = m->uidl;
	return 0;
}
