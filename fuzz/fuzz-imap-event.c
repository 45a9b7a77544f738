/* SPDX-License-Identifier: MIT */
/* Events that a session tells the process behind it: what is read is written again as the same frame. */
#include <stdlib.h>
#include "imap/kept-events.h"
#include "lib/ipc-types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The file of them. */
static void
read_kept(struct span all)
{
	static uint32_t room[IMAP_EVENT_UIDS];
	struct kept_event kept;
	struct err e = ERR_INIT;
	struct ipc_msg m;
	size_t at = 0, before = 0;

	if (ipc_msg_init(&m, &e) == -1)
		return;
	while (kept_events_next(all, &at, 1700000000, &m, room, &kept)) {
		if (at <= before || at > all.n || kept.at < before || kept.at >= at || kept.next >= kept.event.count ||
		    kept.event.scripts == (kept.event.learn != SPAM_CHECK))
			abort();
		before = at;
	}
	if (at > all.n)
		abort();
	ipc_msg_clear(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint32_t room[IMAP_EVENT_UIDS];
	struct imap_event event, again;
	struct err e = ERR_INIT;
	struct ipc_msg m;
	struct ipc_out o;

	if (ipc_msg_init(&m, &e) == -1)
		return 0;
	if (ipc_parse(&m, span_of(data, size), &e) == 1 && imap_event_read(&m, room, &event, &e) == 0) {
		struct ipc_msg second;

		if (event.count == 0 || event.count > IMAP_EVENT_UIDS || event.mailbox.n == 0)
			abort();
		imap_event_write(&o, &event);
		if (o.b.failed || ipc_msg_init(&second, &e) == -1)
			abort();
		if (ipc_parse(&second, buf_span(&o.b), &e) != 1 || imap_event_read(&second, room, &again, &e) == -1 ||
		    again.count != event.count || !span_eq(again.mailbox, event.mailbox) || again.learn != event.learn)
			abort();
		ipc_out_clear(&o);
		ipc_msg_clear(&second);
	}
	ipc_msg_clear(&m);
	read_kept(span_of(data, size));
	return 0;
}
