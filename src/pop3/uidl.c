/* SPDX-License-Identifier: MIT */
#include "lib/hash.h"
#include "lib/log.h"
#include "lib-storage/uidl.h"
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

static int
other_uidl(struct pop3_session *p, struct pop3_msg *m, struct err *e)
{
	const struct uidl_rules rules = { .format = p->o->uidl_format, .reuse_xuidl = p->o->reuse_xuidl };
	struct buf b = BUF_INIT(4096);
	int rc = mailbox_uidl(p->box, m->uid, &rules, &b, e);

	if (rc == 0)
		m->uidl = arena_dup(p->arena, buf_span(&b));
	buf_clear(&b);
	return rc;
}

static int
make_uidl(struct pop3_session *p, struct pop3_msg *m, struct err *e)
{
	if (m->uidl.p != NULL)
		return 0;
	if (!m->has_uidl && !p->o->reuse_xuidl && span_eq(p->o->uidl_format, SPAN("%08Xu%08Xv")))
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

/* pop3_save_uidl: what a client was told stays, whatever the settings say later.  A failure costs nobody the answer. */
void
pop3_uidls_keep(struct pop3_session *p)
{
	struct mailbox_uidl *list;
	struct err e = ERR_INIT;
	size_t n = 0;

	if (!p->o->save_uidl || p->count == 0)
		return;
	list = arena_alloc(p->arena, p->count, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < p->count; i++) {
		struct pop3_msg *m = &p->msgs[i];

		if (m->has_uidl || m->deleted || m->uidl.p == NULL)
			continue;
		list[n++] = (struct mailbox_uidl){ .uid = m->uid, .uidl = m->uidl };
		m->has_uidl = true;
	}
	if (list == NULL || mailbox_save_uidls(p->box, list, n, &e) == -1)
		log_error("pop3_save_uidl: %s", list == NULL ? "out of memory" : e.log);
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
