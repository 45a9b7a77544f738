/* SPDX-License-Identifier: MIT */
/*
 * IDLE (RFC 2177).  The order matters: watch, "+ idling", sync.  What comes before the watch is found by the sync, what comes
 * after it by the watch: nothing can be lost between the two, and all of it is told behind the "+".
 */
#include "imap/hibernate.h"
#include "imap/notify.h"
#include "lib/log.h"
#include "lib/sys.h"

#define POLL_ALONE_MS 1000	/* without hub's notices the index is asked this often: a stat and a read */

static int
sooner(int a, int64_t b)
{
	if (b < 0)
		b = 0;
	return a == -1 || b < a ? (int)b : a;
}

struct idle {
	int64_t told_ms, looked_ms, began_ms;	/* last sign of life, last sync, begin */
};

static int
next_event(struct imap_session *s, const struct idle *i, int64_t now)
{
	int t = -1, due = storage_maintain_due_ms(s->st);
	int poll_ms = s->lim.poll_ms, notify_ms = imap_notify_poll_ms(s);

	if (s->hub_gone || s->start->hub_fd == -1)
		poll_ms = POLL_ALONE_MS;
	if (s->box != NULL && poll_ms > 0)
		t = sooner(t, i->looked_ms + poll_ms - now);
	if (s->lim.notify_ms > 0)
		t = sooner(t, i->told_ms + s->lim.notify_ms - now);
	if (due >= 0)
		t = sooner(t, due);
	if (notify_ms != -1)
		t = sooner(t, notify_ms);
	if (s->lim.hibernate_ms > 0 && s->notify == NULL && s->start->parent_fd != -1)
		t = sooner(t, i->began_ms + s->lim.hibernate_ms - now);
	return t;
}

static void
maintain(struct imap_session *s)
{
	struct err e = ERR_INIT;

	if (storage_maintain_due_ms(s->st) == 0 && storage_maintain(s->st, &e) == -1)
		log_error("maintenance: %s", e.log);
}

/* The client sends one line: DONE.  1; 0 something else; -1 s->end is set. */
static int
take_done(struct imap_session *s)
{
	struct span line;
	int rc = imap_read_line(s, s->lim.line, &line);

	if (rc == -1)
		return -1;
	return rc == 1 && span_ieq(span_trim(line), SPAN("DONE"));
}

static void
watch(struct imap_session *s, bool on)
{
	struct err e = ERR_INIT;

	if (s->hub_new)
		imap_notify_new_hub(s);
	s->hub_new = false;
	if (!on && s->notify != NULL)
		return;		/* it goes on behind the IDLE */
	if (s->box == NULL || mailbox_watch(s->box, on, &e) == 0)
		return;
	log_debug("watch: %s", e.log);
	s->hub_gone = true;	/* polled instead */
}

static void
idle_loop(struct imap_session *s)
{
	int64_t now = clock_ms();
	struct idle i = { now, now, now };

	while (s->end == IMAP_GO_ON) {
		enum imap_wait w;
		int rc;

		if (s->hub_new)
			watch(s, true);
		imap_sync_wanted(s, true);
		imap_notify_tell(s);
		now = i.looked_ms = clock_ms();
		if (s->end != IMAP_GO_ON)
			return;
		w = imap_wait(s, next_event(s, &i, now));
		now = clock_ms();
		if (w == IMAP_WAIT_END)
			return;
		if (w == IMAP_WAIT_INPUT) {
			rc = take_done(s);
			if (rc == 1)
				imap_ok(s, "Idle completed.");
			else if (rc == 0)
				imap_bad(s, "Expected DONE");
			return;
		}
		maintain(s);
		if (s->lim.notify_ms > 0 && now - i.told_ms >= s->lim.notify_ms) {
			imap_untagged(s, "OK Still here");
			i.told_ms = now;
		}
		if (s->lim.hibernate_ms > 0 && s->notify == NULL && now - i.began_ms >= s->lim.hibernate_ms) {
			if (imap_hibernate(s))
				return;
			i.began_ms = now;	/* not possible now: try again after the same time */
		}
	}
}

void
imap_idle_go_on(struct imap_session *s)
{
	watch(s, true);
	idle_loop(s);
	if (s->end != IMAP_GO_ON)
		return;
	watch(s, false);
	imap_sync(s, true);
}

int
imap_cmd_idle(struct imap_session *s, struct imap_in *in, struct err *e)
{
	(void)e;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	watch(s, true);
	stream_put(&s->io, SPAN("+ idling\r\n"));
	idle_loop(s);
	if (s->end == IMAP_GO_ON) {
		watch(s, false);
		imap_sync_wanted(s, true);
	}
	return 0;
}
