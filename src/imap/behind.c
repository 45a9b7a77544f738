/* SPDX-License-Identifier: MIT */
#include "imap/behind.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "imap/kept-events.h"
#include "imap/react.h"
#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-deliver/event.h"
#include "lib-deliver/filter-program.h"
#include "lib-deliver/queue-client.h"

#define WAITING_MAX 20000	/* events */
#define WAITING_OCTETS ((size_t)16 << 20)
#define IDLE_MS 30000		/* without work it ends after that */
#define PATHS_MEMORY (1 << 20)
#define END_MS 2000		/* for what is waiting when the server stops */

struct waiting {
	struct waiting *next;
	struct imap_event event;
	struct imap_lessons lessons;
	size_t scripts_next;	/* the first message on which they have not run */
	bool old;		/* of another process, which was told to end: nobody waits for it; b->work_fd has it */
	size_t at;		/* there */
	uint32_t tries;		/* processes that ended over its next message */
	bool kept;		/* for the next one */
	int64_t time;		/* when it happened, in seconds */
	size_t octets;
	char text[];		/* what the event points to */
};

struct behind {
	const struct session_start *ss;
	struct storage *st;
	struct imap_react *react;
	struct waiting *first, **tail;
	size_t count, octets;
	struct ipc_msg msg;
	bool closed;		/* nothing more comes */
	const struct waiting *at_work;	/* its scripts run; NULL: none do */
	int dir_fd, work_fd;	/* of what another process left (kept-events.h); -1: there is nothing */
	size_t old_count;	/* events of it */
	bool work_stays;	/* some of it is left for the next one */
};

/* A server that stops has patience for what is quickly done. */
static bool
is_over(void)
{
	static int64_t end_at;

	if (!worker_is_told_to_end())
		return false;
	if (end_at == 0)
		end_at = clock_ms() + END_MS;
	return clock_ms() >= end_at;
}

int
imap_behind_prepare(const struct set_view *view, struct worker_behind *out, struct err *e)
{
	struct spam_scan *scan = calloc(1, sizeof(*scan));
	struct err one = ERR_INIT;

	if (scan == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	/* A name that nobody knows now is no reason to keep users from their mail. */
	if (spam_learn_init(scan, view, &one) == -1) {
		log_error("nobody is taught: %s", one.log);
		*scan = (struct spam_scan){ .on = false };
	}
	/* A scanner that does not answer costs one of all processes its time, not each of them. */
	scan->memory = mmap(NULL, sizeof(*scan->memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scan->memory == MAP_FAILED) {
		free(scan);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	out->runs_programs = deliver_event_wanted(view) && deliver_programs_wanted(view);
	out->connects = scan->on && spam_scan_is_inet(scan);
	out->ctx = scan;
	return 0;
}

/* ---- what waits ---- */

static struct waiting *
waiting_new(const struct imap_event *event, int64_t time)
{
	size_t uids = event->count * sizeof(uint32_t), n = uids + event->mailbox.n + event->from.n + event->changed_flags.n;
	struct waiting *w = calloc(1, sizeof(*w) + n);
	struct span *spans[3];
	char *at;

	if (w == NULL)
		return NULL;
	w->event = *event;
	w->octets = sizeof(*w) + n;
	w->time = time;
	memcpy(w->text, event->uids, uids);
	w->event.uids = (const uint32_t *)(const void *)w->text;
	spans[0] = &w->event.mailbox;
	spans[1] = &w->event.from;
	spans[2] = &w->event.changed_flags;
	at = w->text + uids;
	for (size_t i = 0; i < 3; i++) {
		if (spans[i]->n > 0)
			memcpy(at, spans[i]->p, spans[i]->n);
		spans[i]->p = at;
		at += spans[i]->n;
	}
	if (event->learn == SPAM_CHECK)
		w->lessons.next = event->count;
	if (!event->scripts)
		w->scripts_next = event->count;
	return w;
}

static void
put_waiting(struct behind *b, struct waiting *w)
{
	*b->tail = w;
	b->tail = &w->next;
	b->count++;
	b->octets += w->octets;
}

/* The session has no business sending anything else: it is heard no more. */
static void
take_frame(struct behind *b)
{
	uint32_t room[IMAP_EVENT_UIDS];
	struct imap_event event;
	struct waiting *w;
	struct err e = ERR_INIT;

	if (b->msg.type != MSG_EVENT || imap_event_read(&b->msg, room, &event, &e) == -1) {
		log_error("the session sends what is no event");
		b->closed = true;
		return;
	}
	w = waiting_new(&event, clock_wall_us() / 1000000);
	if (w == NULL) {
		log_error("out of memory: %zu messages in %.*s are passed over", event.count, SPAN_ARG(event.mailbox));
		return;
	}
	put_waiting(b, w);
}

/* Takes in what is there; waits for it, if there is nothing else to do. */
static void
take_in(struct behind *b, int timeout_ms)
{
	struct err e = ERR_INIT;

	while (!b->closed && b->count < WAITING_MAX && b->octets < WAITING_OCTETS) {
		int rc = ipc_recv_wait(b->ss->client_fd, &b->msg, timeout_ms, &e);

		if (rc == -1 && e.code == ERR_TIMEOUT)
			return;
		if (rc == 1)
			take_frame(b);
		else if (rc == 0 || !worker_is_told_to_end())
			b->closed = true;
		timeout_ms = 0;
	}
}

/* ---- what is left for the next one ---- */

/* How far an old one is: it has either scripts or lessons. */
static size_t *
progress(struct waiting *w)
{
	return w->event.scripts ? &w->scripts_next : &w->lessons.next;
}

/* What is still to be done of it; *messages: of how many. */
static void
write_rest(struct buf *out, const struct waiting *w, size_t *messages)
{
	struct imap_event event = w->event;

	event.learn = SPAM_CHECK;
	event.uids = w->event.uids + w->scripts_next;
	event.count = w->event.count - w->scripts_next;
	if (event.count > 0)
		kept_events_write(out, &event, w->time);
	*messages = event.count;
	event.scripts = false;
	event.learn = w->event.learn;
	event.uids = w->event.uids + w->lessons.next;
	event.count = w->event.count - w->lessons.next;
	if (event.count > 0)
		kept_events_write(out, &event, w->time);
	if (event.count > *messages)
		*messages = event.count;
}

/*
 * Everything that waits goes to the file, or stays in the one that it came from.  So does a message on which a program is at
 * work, for who knows whether it will end in time: better that a lesson is given twice.
 */
static void
keep_for_later(struct behind *b)
{
	struct buf out = BUF_INIT(KEPT_EVENTS_MAX);
	struct err e = ERR_INIT;
	size_t messages = 0, one;
	int dir = -1;

	for (struct waiting *w = b->first; w != NULL; w = w->next) {
		if (w->kept)
			continue;
		if (w->old) {
			one = w->event.count - *progress(w);
			b->work_stays = true;
		} else {
			if (w->scripts_next > 0 && w == b->at_work)
				w->scripts_next--;
			write_rest(&out, w, &one);
		}
		w->kept = true;
		messages += one;
	}
	if (messages == 0)
		return;
	if (out.failed)
		err_set(&e, ERR_LIMIT, "too much is waiting");
	else if (out.n > 0 && storage_user_dir(b->st, &dir, &e) == 0)
		(void)kept_events_add(dir, buf_span(&out), &e);
	if (e.code == ERR_NONE)
		log_info("what is to be done with %zu messages waits for the next time: told to end", messages);
	else
		log_error("%zu messages are not learned, or their scripts do not run: told to end: %s", messages, e.log);
	if (dir != -1)
		close(dir);
	buf_clear(&out);
}

static void
put_kept(struct behind *b, struct span all)
{
	static uint32_t room[IMAP_EVENT_UIDS];
	const int64_t now = clock_wall_us() / 1000000;
	struct kept_event kept;
	size_t at = 0;

	while (kept_events_next(all, &at, now, &b->msg, room, &kept)) {
		struct waiting *w = waiting_new(&kept.event, kept.time);

		if (w == NULL) {
			b->work_stays = true;
			return;
		}
		w->old = true;
		w->at = kept.at;
		w->tries = kept.tries;
		*progress(w) = kept.next;
		put_waiting(b, w);
		b->old_count++;
	}
	if (at < all.n)
		log_error("what was left to be done: %zu octets are not understood", all.n - at);
}

/* When all of it is done others may have left more meanwhile. */
static void
take_kept(struct behind *b)
{
	struct buf all = BUF_INIT(KEPT_EVENTS_MAX + 1);
	struct err e = ERR_INIT;

	if (storage_user_dir(b->st, &b->dir_fd, &e) == -1) {
		b->dir_fd = -1;
		return;
	}
	while (e.code == ERR_NONE && b->old_count == 0 && !b->work_stays &&
	       kept_events_take(b->dir_fd, &all, &b->work_fd, &e) == 0 && b->work_fd != -1) {
		put_kept(b, buf_span(&all));
		buf_reset(&all);
		if (b->old_count == 0 && !b->work_stays)
			(void)kept_events_done(b->dir_fd, &b->work_fd, &e);
	}
	if (e.code != ERR_NONE)
		log_error("what was left to be done: %s", e.log);
	if (b->work_fd == -1) {
		close(b->dir_fd);
		b->dir_fd = -1;
	}
	buf_clear(&all);
}

/* The last of them is done, or will not be done by this process. */
static void
end_kept(struct behind *b)
{
	struct err e = ERR_INIT;

	if (b->work_stays)
		return;			/* with the lock, until this process ends */
	if (kept_events_done(b->dir_fd, &b->work_fd, &e) == -1)
		log_error("what was left to be done: %s", e.log);
	close(b->dir_fd);
	b->dir_fd = -1;
	if (e.code == ERR_NONE)
		take_kept(b);
}

/* While a scanner or a program takes its time the session goes on: it must not find the way here full. */
static void
on_waiting(void *ctx)
{
	take_in(ctx, 0);
	if (is_over())
		keep_for_later(ctx);
}

static bool
on_waiting_for_scanner(void *ctx)
{
	take_in(ctx, 0);
	return is_over();
}

/* ---- work ---- */

/* A session that waits no more does not listen either: then it may miss this. */
static void
tell_done(struct behind *b, uint32_t id)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	if (ipc_send(b->ss->client_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

static void
drop_first(struct behind *b)
{
	struct waiting *w = b->first;

	b->first = w->next;
	if (b->first == NULL)
		b->tail = &b->first;
	b->count--;
	b->octets -= w->octets;
	if (w->old && --b->old_count == 0)
		end_kept(b);
	free(w);
}

/*
 * The next message of an old event: the file is told before, so that one that ends process after process is given up, and afterwards,
 * so that none is worked off again.  A signal to end is no fault of a lesson's; what a script has done by then it may do again.
 */
static void
work_off_old(struct behind *b, struct waiting *w)
{
	size_t *next = progress(w), begun = *next, done = 0;
	const uint32_t tries = w->tries, uid = w->event.uids[begun];
	struct imap_event one = w->event;
	struct err e = ERR_INIT;

	if (tries >= KEPT_TRIES) {
		log_error("%.*s UID %u: %s: given up, %u processes have ended over it", SPAN_ARG(w->event.mailbox), uid,
		    w->event.scripts ? "its scripts do not run" : "it is not learned", tries);
		(*next)++;
	} else if (kept_events_mark(b->work_fd, w->at, (uint32_t)begun, ++w->tries, &e) == -1) {
		log_error("what was left to be done waits for the next time: %s", e.log);
		b->work_stays = true;
		*next = w->event.count;
		return;
	} else if (w->event.scripts) {
		one.uids += begun;
		one.count = 1;
		imap_react_scripts(b->react, &one, &done);
		*next += done;
	} else
		imap_react_teach(b->react, &w->event, &w->lessons);
	if (*next > begun)
		w->tries = 0;
	else if (!w->event.scripts)
		w->tries = tries;
	if (kept_events_mark(b->work_fd, w->at, (uint32_t)*next, w->tries, &e) == -1)
		log_error("what was left to be done: %s", e.log);
}

/* Scripts come first, whatever waits for the scanner.  False: there is nothing to do. */
static bool
work(struct behind *b)
{
	struct waiting *w = b->first;

	while (w != NULL && w->scripts_next == w->event.count)
		w = w->next;
	if (w != NULL) {
		if (w->old) {
			work_off_old(b, w);
			return true;
		}
		b->at_work = w;
		imap_react_scripts(b->react, &w->event, &w->scripts_next);
		b->at_work = NULL;
		if (w->scripts_next == w->event.count)
			tell_done(b, w->event.id);
		return true;
	}
	w = b->first;
	if (w == NULL)
		return false;
	if (w->lessons.next < w->event.count && w->old)
		work_off_old(b, w);
	else if (w->lessons.next < w->event.count)
		imap_react_teach(b->react, &w->event, &w->lessons);
	if (w->lessons.next == w->event.count) {
		imap_react_teach_end(&w->event, &w->lessons);
		drop_first(b);
	}
	return true;
}

static void
keep_house(struct behind *b)
{
	struct err e = ERR_INIT;

	if (storage_maintain_due_ms(b->st) == 0 && storage_maintain(b->st, &e) == -1)
		log_error("%s", e.log);
}

static void
run(struct behind *b)
{
	int64_t until = clock_ms() + IDLE_MS;

	for (;;) {
		int due;

		take_in(b, 0);
		if (b->first != NULL && is_over()) {
			shutdown(b->ss->client_fd, SHUT_RD);
			take_in(b, 0);
			keep_for_later(b);
			while (b->first != NULL) {
				imap_react_teach_end(&b->first->event, &b->first->lessons);
				drop_first(b);
			}
			return;
		}
		if (work(b)) {
			until = clock_ms() + IDLE_MS;
			continue;
		}
		if (b->closed)
			return;
		keep_house(b);
		if (clock_ms() >= until || worker_is_told_to_end()) {
			/* What was sent up to now is taken, what is sent later the session sends to the next one. */
			shutdown(b->ss->client_fd, SHUT_RD);
			take_in(b, 0);
			b->closed = true;
			continue;
		}
		due = storage_maintain_due_ms(b->st);
		take_in(b, due >= 0 && clock_ms() + due < until ? due : (int)(until - clock_ms()) + 1);
	}
}

/* ---- the process ---- */

static int
shut_in(const struct session_start *ss, const struct storage_params *sp, struct err *e)
{
	struct arena *a = arena_new(PATHS_MEMORY);
	enum priv_confined confined = PRIV_CONFINED_NOT;
	const char *const *rw, *const *ro;
	int rc = -1;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	ro = deliver_event_paths(ss->view, ss->id.user, ss->id.home, worker_system_paths, a);
	if (ro == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (storage_paths(sp, a, &rw, e) == 0 && priv_landlock(rw, ro, &confined, e) == 0 && priv_no_fork(e) == 0)
		rc = 0;
	arena_free(a);
	if (rc == 0 && (ss->behind->filter_always || confined != PRIV_CONFINED_FILES_AND_SIGNALS))
		rc = priv_filter_apply(ss->behind->filter, e);
	return rc;
}

int
imap_behind_serve(const struct session_start *ss)
{
	const struct storage_params sp = {
		.view = ss->view, .user = ss->id.user, .home = ss->id.home, .protocol = SPAN("imap"), .rip = ss->rip, .lip = ss->lip,
		.session = ss->session, .notify_fd = ss->hub_fd, .homes = ss->homes, .home_count = ss->home_count,
	};
	struct program_helper programs = { -1, -1 };
	struct spam_scan scan = *(const struct spam_scan *)ss->behind->ctx;
	struct deliver_means means = { .ctx = ss->view, .submit = queue_submit };
	struct imap_react_params rp = { .view = ss->view, .user = ss->id.user, .home = ss->id.home, .session = ss->session,
					.means = &means, .scan = &scan, .told_to_end = is_over };
	struct behind b = { .ss = ss, .dir_fd = -1, .work_fd = -1 };
	struct err e = ERR_INIT;

	b.tail = &b.first;
	scan.told_to_end = on_waiting_for_scanner;
	scan.told_ctx = &b;
	/* Where the whole service was not prepared for it a program would be killed. */
	if (ss->behind->runs_programs && deliver_programs_start(ss->view, &programs, &e) == -1)
		log_error("programs of scripts: %s", e.log);
	means.waiting = on_waiting;
	means.waiting_ctx = &b;
	means.programs = programs.sock != -1 ? &programs : NULL;
	if (fd_nonblock(ss->client_fd, true) == -1 || shut_in(ss, &sp, &e) == -1 || ipc_msg_init(&b.msg, &e) == -1 || storage_open(&sp, &b.st, &e) == -1) {
		log_error("the process behind the session: %s", e.log);
		return 1;
	}
	rp.storage = b.st;
	if (imap_react_new(&rp, &b.react, &e) == -1) {
		log_error("the process behind the session: %s", e.log);
		storage_close(b.st);
		return 1;
	}
	take_kept(&b);
	run(&b);
	if (b.work_fd != -1) {
		close(b.work_fd);
		close(b.dir_fd);
	}
	imap_react_free(b.react);
	storage_close(b.st);
	program_helper_stop(&programs);
	ipc_msg_clear(&b.msg);
	return 0;
}
