/* SPDX-License-Identifier: MIT */
#include "lib-deliver/save.h"

#include "lib/log.h"
#include "lib-storage/quota.h"

#define ARENA_MAX (1 << 20)

static int
open_target(const struct deliver_request *r, struct span name, bool create_it, struct mailbox **out, struct err *e)
{
	struct err create = ERR_INIT;

	if (mailbox_open(r->storage, name, MAILBOX_POST, out, e) == 0)
		return 0;
	if (e->code != ERR_NOTFOUND || !(create_it || set_bool(r->view, SET_lda_mailbox_autocreate)))
		return -1;
	/* Another delivery may be quicker: then it is there, which is all that is wanted. */
	if (storage_create(r->storage, name, false, &create) == -1 && create.code != ERR_EXISTS) {
		*e = create;
		return -1;
	}
	if (set_bool(r->view, SET_lda_mailbox_autosubscribe) &&
	    storage_subscribe(r->storage, name, true, &create) == -1)
		log_error("subscribing to %.*s: %s", SPAN_ARG(name), create.log);
	return mailbox_open(r->storage, name, MAILBOX_POST, out, e);
}

/* Keywords that find no place are no reason to keep the message from its mailbox. */
static uint64_t
keyword_mask(struct mailbox *box, const struct filter_flags *f)
{
	struct err e = ERR_INIT;
	uint64_t mask = 0;

	if (f->keyword_count > 0 && mailbox_keyword_mask(box, f->keywords, f->keyword_count, true, &mask, &e) == -1) {
		log_warning("keywords for %.*s: %s", SPAN_ARG(mailbox_name(box)), e.log);
		return 0;
	}
	return mask;
}

/* The header that is put in front and the message are written one behind the other: nothing is copied together. */
static int
write_message(const struct deliver_request *r, const struct filter_action *a, struct saver *saver, struct err *e)
{
	if (a != NULL && a->message.p != NULL)
		return saver_write(saver, a->message, e);
	return saver_write(saver, r->header, e) == -1 ? -1 : saver_write(saver, r->message, e);
}

int
deliver_save(const struct deliver_request *r, struct span name, const struct filter_action *action, struct err *e)
{
	struct save_params params = { .internal_date = r->stays ? r->internal_date : INT64_MIN };
	struct arena *a = arena_new(ARENA_MAX);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	size_t octets = action != NULL && action->message.p != NULL ? action->message.n : r->header.n + r->message.n;
	uint32_t uidvalidity;
	int rc = -1;

	if (a == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		goto out;
	}
	/* What does not fit is not written first; what fits now is looked at again by the commit. */
	if (storage_quota_fits(r->storage, name, octets, e) == -1 ||
	    open_target(r, name, action != NULL && action->create, &box, e) == -1)
		goto out;
	if (action != NULL && action->flags.given) {
		params.flags = action->flags.flags;
		params.keywords = keyword_mask(box, &action->flags);
	}
	if (saver_new(box, &saver, e) == 0 && saver_begin(saver, &params, e) == 0 &&
	    write_message(r, action, saver, e) == 0 && saver_finish(saver, e) == 0 &&
	    saver_commit(saver, a, &uidvalidity, &uids, e) == 0)
		rc = 0;
out:
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
	return rc;
}

bool
deliver_is_about_mailbox(enum err_code code)
{
	return code == ERR_NOTFOUND || code == ERR_DENIED || code == ERR_SYNTAX || code == ERR_LIMIT ||
	    code == ERR_EXISTS;
}

int
deliver_save_or_inbox(const struct deliver_request *r, struct span name, const struct filter_action *a,
    struct span *place_out, struct err *e)
{
	struct err first = ERR_INIT;

	*place_out = name;
	if (deliver_save(r, name, a, &first) == 0)
		return 0;
	if (span_ieq(name, SPAN("INBOX")) || !deliver_is_about_mailbox(first.code)) {
		*e = first;
		return err_wrap(e, "saving to %.*s", SPAN_ARG(name));
	}
	/* An address that names no mailbox is everyday's business, a rule that does is its author's. */
	if (a != NULL && !a->keep)
		log_error("saving to %.*s: %s: INBOX is taken", SPAN_ARG(name), first.log);
	else if (r->junk.n > 0 && span_eq(name, r->junk))
		log_info("spam goes to INBOX: %.*s: %s", SPAN_ARG(name), first.log);
	else
		log_debug("saving to %.*s: %s: INBOX is taken", SPAN_ARG(name), first.log);
	*place_out = SPAN("INBOX");
	return deliver_save(r, SPAN("INBOX"), a, e) == 0 ? 0 : err_wrap(e, "saving to INBOX");
}
