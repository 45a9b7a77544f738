/* SPDX-License-Identifier: MIT */
#include "fake-mailbox.h"

#include <stdlib.h>
#include "lib-mail/crlf.h"

void
fake_mailbox_add(struct mailbox *box, struct span text)
{
	char *copy = malloc(text.n + 1);

	if (copy == NULL || box->count == FAKE_MSGS)
		abort();
	memcpy(copy, text.p, text.n);
	box->msgs[box->count++].text = span_of(copy, text.n);
}

void
fake_mailbox_clear(struct mailbox *box)
{
	for (uint32_t i = 0; i < box->count; i++)
		free((char *)(uintptr_t)box->msgs[i].text.p);
	memset(box, 0, sizeof(*box));
}

static struct fake_msg *
get(struct mailbox *box, uint32_t uid, struct err *e)
{
	if (uid == 0 || uid > box->count || box->msgs[uid - 1].expunged) {
		err_set(e, ERR_GONE, "UID %u is gone", uid);
		return NULL;
	}
	return &box->msgs[uid - 1];
}

uint32_t
mailbox_count(const struct mailbox *box)
{
	return box->count;
}

uint32_t
mailbox_uid(const struct mailbox *box, uint32_t seq)
{
	return seq <= box->count ? seq : 0;
}

void
mailbox_view_state(struct mailbox *box, struct mailbox_view_state *out)
{
	*out = (struct mailbox_view_state){ .uidvalidity = 0x6b019429, .uidnext = box->count + 1 };
}

int
mailbox_get(struct mailbox *box, uint32_t uid, struct msg_rec *out, struct err *e)
{
	struct fake_msg *m = get(box, uid, e);

	if (m == NULL)
		return -1;
	*out = (struct msg_rec){ .uid = uid, .flags = m->flags, .keywords = m->keywords, .physical_size = m->text.n,
				 .has_uidl = m->uidl != NULL,
				 .size = m->size_unknown ? SIZE_UNKNOWN : crlf_size(m->text) };
	return 0;
}

int
mailbox_size(struct mailbox *box, uint32_t uid, uint64_t *out, struct err *e)
{
	struct fake_msg *m = get(box, uid, e);

	if (m != NULL)
		*out = crlf_size(m->text);
	return m == NULL ? -1 : 0;
}

int
mailbox_email_id(struct mailbox *box, uint32_t uid, char out[33], struct err *e)
{
	if (get(box, uid, e) == NULL)
		return -1;
	memset(out, 'a', 32);
	out[32] = '\0';
	return 0;
}

int
mailbox_names(struct mailbox *box, uint32_t uid, bool guid, struct mailbox_names *out, struct err *e)
{
	struct fake_msg *m = get(box, uid, e);

	(void)guid;
	*out = (struct mailbox_names){ "", "", "" };
	if (m != NULL && m->uidl != NULL)
		memcpy(out->uidl, m->uidl, strlen(m->uidl));
	if (m != NULL)
		memcpy(out->file, "1.file", 7);
	return m == NULL ? -1 : 0;
}

int
mailbox_save_uidls(struct mailbox *box, const struct mailbox_uidl *list, size_t count, struct err *e)
{
	(void)list;
	(void)e;
	box->saved_uidls += count;
	return 0;
}

void
mailbox_read_end(struct mailbox *box)
{
	if (box->gone > 0 && box->gone_after_reads > 0 && --box->gone_after_reads == 0)
		box->msgs[box->gone - 1].expunged = true;
}

int
mailbox_body(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct fake_msg *m = get(box, uid, e);

	if (m != NULL)
		*out = m->text;
	return m == NULL ? -1 : 0;
}

int
mailbox_header(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	return mailbox_body(box, uid, out, e);
}

int
mailbox_keyword_mask(struct mailbox *box, const struct span *names, size_t count, bool create, uint64_t *out,
    struct err *e)
{
	(void)e;
	if (create && box->keyword.n == 0)
		box->keyword = names[0];
	*out = count == 1 && span_eq(box->keyword, names[0]);
	return 0;
}

int
mailbox_store(struct mailbox *box, const uint32_t *uids, size_t count, const struct flag_change *fc, struct arena *a,
    struct uid_list *modified, struct uid_list *changed, struct err *e)
{
	struct err ignored = ERR_INIT;

	(void)a;
	(void)modified;
	(void)changed;
	(void)e;
	for (size_t i = 0; i < count; i++) {
		struct fake_msg *m = get(box, uids[i], &ignored);

		if (m != NULL) {
			m->flags |= fc->flags;
			m->keywords |= fc->keywords;
		}
	}
	return 0;
}

int
mailbox_expunge(struct mailbox *box, const uint32_t *uids, size_t count, bool any, struct err *e)
{
	if (box->expunge_fails || !any)
		return err_set(e, ERR_TEMP, "the test wants it to fail");
	for (size_t i = 0; i < count; i++)
		box->msgs[uids[i] - 1].expunged = true;
	return 0;
}

const struct mail_limits *
mailbox_limits(const struct mailbox *box)
{
	static const struct mail_limits limits = MAIL_LIMITS_DEFAULT;

	(void)box;
	return &limits;
}
