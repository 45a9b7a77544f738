/* SPDX-License-Identifier: MIT */
#include "lib-deliver/event.h"

#include "lib-filter/sieve/site.h"

bool
deliver_event_wanted(const struct set_view *view)
{
	return set_list_has(view, SET_mail_plugins, SPAN("imap_sieve"));
}

int
deliver_event_rules(const struct set_view *view, struct arena *a, struct imapsieve_rules *out, struct span *url, struct err *e)
{
	const struct filter_host host = { .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting };
	struct span text = set_plugin(view, "imapsieve_url");

	*url = text.p == NULL ? SPAN("") : span_trim(text);
	return imapsieve_rules_read(&host, a, out, e) == -1 ? err_wrap(e, "plugin") : 0;
}

void
deliver_event_flag_words(struct mailbox *box, const struct msg_rec *rec, struct buf *out)
{
	static const struct {
		const char *name;
		unsigned flag;
	} flags[] = {
		{ "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED }, { "\\Deleted", MSG_DELETED }, { "\\Seen", MSG_SEEN },
		{ "\\Draft", MSG_DRAFT }, { "$Forwarded", MSG_PASSED },
	};
	const struct span *names;
	size_t count = mailbox_keywords(box, &names);
	const char *before = out->n > 0 ? " " : "";

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if ((rec->flags & flags[i].flag) != 0) {
			buf_addf(out, "%s%s", before, flags[i].name);
			before = " ";
		}
	for (size_t i = 0; i < count; i++)
		if ((rec->keywords >> i & 1) != 0 && names[i].n > 0) {
			buf_addf(out, "%s%.*s", before, SPAN_ARG(names[i]));
			before = " ";
		}
}
