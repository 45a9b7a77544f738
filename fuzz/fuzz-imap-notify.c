/* SPDX-License-Identifier: MIT */
/* Limits hold; what is taken has no combination of events that RFC 5465 forbids. */
#include <stdlib.h>
#include "lib-protocol/imap-notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_group(const struct imap_notify_group *g)
{
	unsigned both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;
	bool named = g->filter == NOTIFY_SUBTREE || g->filter == NOTIFY_MAILBOXES;
	bool selected = g->filter == NOTIFY_SELECTED || g->filter == NOTIFY_SELECTED_DELAYED;

	if (named != (g->name_count > 0) || (g->fetches && !selected))
		abort();
	if ((g->events & NOTIFY_MESSAGE_EVENTS) != 0 && (g->events & both) != both)
		abort();
	if (selected && (g->events & (NOTIFY_MAILBOX_NAME | NOTIFY_SUBSCRIPTION_CHANGE | NOTIFY_MAILBOX_METADATA |
	    NOTIFY_SERVER_METADATA)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_notify_limits lim = { 5, 8, { 20, 10 } };
	struct arena *a = arena_new(1 << 20);
	struct imap_in in = { span_of(data, size), a, NULL };
	struct imap_notify_request r;
	size_t names = 0, selected = 0;

	if (imap_notify_parse(&in, &lim, &r)) {
		if (in.s.n != 0 || r.none == (r.group_count > 0) || r.group_count > lim.groups)
			abort();
		for (size_t i = 0; i < r.group_count; i++) {
			check_group(&r.groups[i]);
			names += r.groups[i].name_count;
			selected += r.groups[i].filter <= NOTIFY_SELECTED_DELAYED;
		}
		if (names > lim.names || selected > 1)
			abort();
	} else if (in.why == NULL)
		abort();
	arena_free(a);
	return 0;
}
