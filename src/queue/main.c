/* SPDX-License-Identifier: MIT */
/*
 * service queue: mail that leaves.  Processes of the mail users hand messages in (what a filter passes on, answers it sends);
 * they are on disk before that is acknowledged, and are sent by processes forked for each try: to submission_host, or by
 * sendmail_path.  What can not be sent is tried again, less and less often, until queue_lifetime; then the user gets back what
 * he wanted passed on, and an answer is dropped with a line in the log.
 *
 * Its powers, in order: as root it makes its directory; then it is the internal user, with that directory and no other.  A
 * program such as sendmail may want more rights than its user has: no-new-privs is set only where mail leaves by SMTP.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "queue/attempt.h"
#include "queue/queue.h"

#define ATTEMPT_S 900.		/* one try takes no longer */
#define END_GRACE 5.		/* less than the master has patience with us: nothing is to outlive us then */
#define SAID_MAX 200
#define LOOK_AGAIN_S 30.	/* when something does not work here */
#define OTHERS_S 1200.		/* so long after a reload a process from before it may still be at work: one try, and some */

struct run {
	struct queue *queue;
	struct queue_item *item;
	int report_fd;
	int said_fd;		/* what sendmail_path says on standard error */
	int file_fd;		/* locked until the outcome is on disk: after a reload two of us may know the message */
	ev_timer timer;
};

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

int
queue_ready(struct queue *q, struct err *e)
{
	if (q->store.dir_fd != -1)
		return 0;
	return dir_make(q->dir, 0700, e) == -1 ? -1 : queue_store_open(&q->store, q->dir, e);
}

/* Tries get rarer with the age of a message: it doubles from one to the next. */
static int64_t
next_try(const struct queue *q, const struct queue_item *item, int64_t now)
{
	int64_t wait = now - item->created;

	if (wait < q->retry_first)
		wait = q->retry_first;
	if (wait > q->retry_most)
		wait = q->retry_most;
	return now + wait;
}

static void
done(struct queue *q, struct queue_item *item)
{
	struct err e = ERR_INIT;

	/* It would be sent once more: better twice than never, but not again and again. */
	if (queue_store_remove(&q->store, item, &e) == -1) {
		log_error("%s: %s", item->id, e.log);
		queue_store_put_off(&q->store, item, now_s() + q->retry_most);
	}
}

/* Where nobody is told: nobody is to be, or what told a sender has come back itself. */
static void
drop_item(struct queue *q, struct queue_item *item)
{
	if (item->failed)
		log_warning("%s: from=<%s> to=<%s>: its sender can not be told that it was given up: %s", item->id, item->sender,
		    item->recipient, item->why);
	else
		log_warning("%s: from=<%s> to=<%s>: given up: %s", item->id, item->sender, item->recipient, item->why);
	done(q, item);
}

/* For good. */
static void
give_up(struct queue *q, struct queue_item *item)
{
	bool for_user = item->keep_for[0] != '\0';
	struct err e = ERR_INIT;

	if (notice_recipient(item).n == 0 || (item->failed && !for_user)) {
		drop_item(q, item);
	} else if (!item->failed && queue_store_fail(&q->store, item, &e) == 0) {
		log_warning("%s: from=<%s> to=<%s>: given up, %s %s: %s", item->id, item->sender, item->recipient,
		    for_user ? item->keep_for : "its sender", for_user ? "gets it" : "is told", item->why);
		queue_store_put_off(&q->store, item, now_s());
	} else {
		/* It stays, for the administrator: `culveradm queue'. */
		log_error("%s: neither <%s> nor its user could be given it; it stays in the queue: %s", item->id, item->recipient,
		    e.code != ERR_NONE ? e.log : item->why);
		queue_store_put_off(&q->store, item, now_s() + q->lifetime);
	}
}

static void
outcome(struct queue *q, struct queue_item *item, unsigned word, const char *why)
{
	bool for_user = item->keep_for[0] != '\0';
	int64_t now = now_s(), next;

	if (word == 2) {
		log_info("%s: from=<%s> to=<%s>: %s (%s)", item->id, item->sender, item->recipient,
		    !item->failed ? "sent" : for_user ? "given back to its user" : "its sender is told", why);
		done(q, item);
		return;
	}
	if (!item->failed || item->why[0] == '\0')
		snprintf(item->why, sizeof(item->why), "%s", why);
	/* A mailbox that refuses the notice may take it later. */
	if ((word == 5 && !(item->failed && for_user)) || now - item->created > (item->failed ? 2 : 1) * q->lifetime) {
		item->expired = !item->failed && word != 5;
		give_up(q, item);
		return;
	}
	next = next_try(q, item, now);
	log_info("%s: from=<%s> to=<%s>: tried again in %lld seconds: %s", item->id, item->sender, item->recipient,
	    (long long)(next - now), why);
	queue_store_put_off(&q->store, item, next);
}

/* What the program has said, in a line: it may have said anything. */
static void
add_words(int fd, char *line, size_t size)
{
	char said[SAID_MAX + 1];
	ssize_t n = read(fd, said, SAID_MAX);
	size_t at = strlen(line);

	while (n > 0 && said[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	said[n] = '\0';
	for (char *p = said; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = *p == '\n' ? ' ' : '?';
	snprintf(line + at, size - at, ": %s", said);
}

/* At a stop by ourselves: by SIGTERM before the message went, by SIGKILL when its server has not answered for too long. */
static void
was_killed(struct queue *q, struct queue_item *item, int status)
{
	char how[64];

	if (!q->ending) {
		service_death(status, how, sizeof(how));
		log_error("%s: the process that sends it was %s", item->id, how);
		outcome(q, item, 4, "the process that sends it was killed");
		return;
	}
	if (WTERMSIG(status) == SIGKILL)
		log_warning("%s: it is not known whether it was taken: it may be sent twice", item->id);
	else
		log_info("%s: it is sent after the next start", item->id);
	queue_store_put_off(&q->store, item, now_s());
}

static void
on_child_end(void *ctx, pid_t pid, int status, void *data)
{
	struct queue *q = ctx;
	struct run *r = data;
	struct queue_item *item = r->item;
	char line[ATTEMPT_WORD_MAX + 1];
	ssize_t n = read(r->report_fd, line, sizeof(line) - 1);

	(void)pid;
	ev_timer_stop(q->service.loop, &r->timer);
	close(r->report_fd);
	item->pid = 0;
	q->running--;
	if (n >= 3) {
		line[n] = '\0';
		outcome(q, item, (unsigned)(line[0] - '0'), line + 2);
	} else if (WIFEXITED(status)) {
		snprintf(line, sizeof(line), "%s ended with status %d",
		    set_str(q->service.view, SET_submission_host).n > 0 ? "the process that sends it" : "sendmail_path", WEXITSTATUS(status));
		add_words(r->said_fd, line, sizeof(line));
		/* A status is the word of sendmail_path alone; what speaks SMTP reports. */
		outcome(q, item, set_str(q->service.view, SET_submission_host).n > 0 ? 4 : attempt_status(WEXITSTATUS(status)), line);
	} else {
		was_killed(q, item, status);
	}
	close(r->said_fd);
	close(r->file_fd);
	free(r);
	queue_look(q);
}

static void
on_too_long(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *r = w->data;

	(void)loop;
	(void)revents;
	log_warning("%s: sending takes too long", r->item->id);
	kill(-r->item->pid, SIGKILL);
	children_signal(r->queue->children, r->item->pid, SIGKILL);
}

/* Both ways from the child: its report, and what a program says. */
static int
open_pipes(int report[2], int said[2], struct err *e)
{
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) == -1)
		return err_errno(e, "pipe");
	/* Who says too much fails to say it, rather than wait for ever. */
	if (pipe2(said, O_CLOEXEC | O_NONBLOCK) == 0)
		return 0;
	err_errno(e, "pipe");
	close(report[0]);
	close(report[1]);
	return -1;
}

static int
start(struct queue *q, struct queue_item *item, struct err *e)
{
	int file = queue_store_open_file(&q->store, item, e), report[2], said[2], keep[3];
	struct run *r = calloc(1, sizeof(*r));
	pid_t pid;

	if (r == NULL && e->code == ERR_NONE)
		err_set(e, ERR_TEMP, "out of memory");
	if (file == -1 || r == NULL || open_pipes(report, said, e) == -1)
		goto fail;
	keep[0] = file;
	keep[1] = report[1];
	keep[2] = said[1];
	pid = children_fork(q->children, keep, 3, r, e);
	if (pid == 0)
		attempt_run(q->service.view, item, file, report[1], said[1]);
	close(report[1]);
	close(said[1]);
	if (pid == -1) {
		close(report[0]);
		close(said[0]);
		goto fail;
	}
	queue_store_sending(&q->store, item, pid);
	r->queue = q;
	r->item = item;
	r->report_fd = report[0];
	r->said_fd = said[0];
	r->file_fd = file;
	q->running++;
	ev_timer_init(&r->timer, on_too_long, ATTEMPT_S, 0.);
	r->timer.data = r;
	ev_timer_start(q->service.loop, &r->timer);
	return 0;
fail:
	if (file != -1)
		close(file);
	free(r);
	return -1;
}

void
queue_look_again(struct queue *q)
{
	struct err e = ERR_INIT;

	if (q->store.dir_fd != -1 && queue_store_look_again(&q->store, &e) == -1)
		log_error("%s", e.log);
}

static void
on_others(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct queue *q = w->data;

	(void)revents;
	if (ev_now(loop) - q->started > OTHERS_S)
		ev_timer_stop(loop, w);
	queue_look_again(q);
	queue_look(q);
}

/* Who was told to stop at a reload may have sent it, or given it up. */
static void
try_one(struct queue *q, struct queue_item *item, int64_t now)
{
	struct err e = ERR_INIT;

	if (start(q, item, &e) == 0)
		return;
	if (e.code == ERR_NOTFOUND) {
		if (!queue_store_was_failed(&q->store, item))
			done(q, item);
		return;
	}
	log_info("%s: %s", item->id, e.log);
	queue_store_put_off(&q->store, item, now + (int64_t)LOOK_AGAIN_S);
}

/* As many as may be sent at once, of what is due. */
void
queue_look(struct queue *q)
{
	int64_t now = now_s();
	struct queue_item *item;

	ev_timer_stop(q->service.loop, &q->due);
	if (q->service.stopping)
		return;
	while (q->running < q->processes && (item = queue_store_next(&q->store, now)) != NULL)
		try_one(q, item, now);
	item = queue_store_first(&q->store);
	/* Where all places are taken the end of one looks again. */
	if (item == NULL || q->running >= q->processes)
		return;
	ev_timer_set(&q->due, (double)(item->due - now), 0.);
	ev_timer_start(q->service.loop, &q->due);
}

/* What a clock that was wrong has put off too far waits no longer than others. */
static void
bring_nearer(struct queue *q)
{
	struct queue_item **all = queue_store_list(&q->store);
	int64_t last = now_s() + q->retry_most;

	for (size_t i = 0; all != NULL && i < q->store.count; i++)
		if (!all[i]->failed && all[i]->due > last)
			queue_store_put_off(&q->store, all[i], last);
	free(all);
}

static void
on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	ev_now_update(loop);
	queue_look(w->data);
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)loop;
	(void)revents;
	if (fd == -1)
		return;
	intake_accept(w->data, &fd);
	if (fd != -1)
		close(fd);
}

static void
on_stop(struct service *s)
{
	struct queue *q = s->data;

	for (size_t i = 0; i < s->listener_count; i++)
		ev_io_stop(s->loop, &q->accept[i]);
	ev_timer_stop(s->loop, &q->due);
	ev_timer_stop(s->loop, &q->others);
}

static void
on_term(struct service *s)
{
	struct queue *q = s->data;

	on_stop(s);
	q->ending = true;
	children_finish(q->children, END_GRACE);
}

/* The owner of a server that was started by root. */
static void
lookup_owner(const struct queue *q, char name[128], uid_t *uid, gid_t *gid)
{
	struct span user = q->service.block.view == NULL ? SPAN_NONE : set_block_str(&q->service.block, "user");
	struct err e = ERR_INIT;

	if (user.n == 0 || span_eq(user, SPAN("root")))
		user = set_str(q->service.view, SET_default_internal_user);
	snprintf(name, 128, "%.*s", SPAN_ARG(user));
	if (priv_lookup_user(name, uid, gid, &e) == -1)
		log_fatal("%s", e.log);
}

static void
drop(struct queue *q)
{
	struct span state = set_str(q->service.view, SET_state_dir);
	struct err e = ERR_INIT;
	char name[128], path[4096];
	uid_t uid;
	gid_t gid;

	snprintf(q->dir, sizeof(q->dir), "%.*s/queue", SPAN_ARG(state));
	if (geteuid() != 0) {
		service_drop(&q->service, SERVICE_USER_INTERNAL, NULL, -1);
		return;
	}
	lookup_owner(q, name, &uid, &gid);
	snprintf(path, sizeof(path), "%.*s", SPAN_ARG(state));
	if (dir_make(path, 0755, &e) == -1 || dir_make(q->dir, 0700, &e) == -1 || lchown(q->dir, uid, gid) == -1)
		log_warning("%s: %s", q->dir, e.code != ERR_NONE ? e.log : strerror(errno));
	if (set_str(q->service.view, SET_submission_host).n > 0) {
		service_drop(&q->service, SERVICE_USER_INTERNAL, NULL, -1);
		return;
	}
	if (initgroups(name, gid) == -1 || setgid(gid) == -1 || setuid(uid) == -1 || (uid != 0 && setuid(0) == 0))
		log_fatal("becoming %s: %s", name, strerror(errno));
}

static int64_t
seconds(const struct queue *q, enum setting id)
{
	int64_t n = (int64_t)(set_ms(q->service.view, id) / 1000);

	return n < 1 ? 1 : n;
}

int
main(void)
{
	static struct queue q;
	struct err e = ERR_INIT;

	q.service.data = &q;
	q.service.on_stop = on_stop;
	q.service.on_term = on_term;
	q.store.dir_fd = -1;
	service_init(&q.service, "queue", NULL);
	q.service.client_limit = UINT32_MAX;
	drop(&q);
	umask(0077);
	q.max_size = set_num(q.service.view, SET_mail_max_message_size) + QUEUE_HEAD_MAX;
	q.max_count = set_num(q.service.view, SET_queue_max_messages);
	q.processes = (uint32_t)set_num(q.service.view, SET_queue_max_processes);
	q.retry_first = seconds(&q, SET_queue_retry_interval);
	q.retry_most = seconds(&q, SET_queue_retry_max_interval);
	q.lifetime = seconds(&q, SET_queue_lifetime);
	if (q.processes == 0)
		q.processes = 1;
	q.children = children_new(&q.service, q.processes, on_child_end, &q);
	q.crowd = hash_new(SIZE_MAX);
	if (q.children == NULL || q.crowd == NULL)
		log_fatal("out of memory");
	children_tell_all(q.children);		/* an exit status of 0 says that a message was taken */
	/* Without a directory there is nothing to send; it is made when it is needed, and whose mail waits for it is told. */
	if (queue_store_open(&q.store, q.dir, &e) == -1 && e.code != ERR_NOTFOUND)
		log_error("%s", e.log);
	ev_timer_init(&q.due, on_due, 0., 0.);
	q.due.data = &q;
	q.started = ev_now(q.service.loop);
	ev_timer_init(&q.others, on_others, LOOK_AGAIN_S, LOOK_AGAIN_S);
	q.others.data = &q;
	ev_timer_start(q.service.loop, &q.others);
	for (size_t i = 0; i < q.service.listener_count; i++) {
		ev_io_init(&q.accept[i], on_accept, q.service.listeners[i].fd, EV_READ);
		q.accept[i].data = &q;
		ev_io_start(q.service.loop, &q.accept[i]);
	}
	service_ready(&q.service);
	bring_nearer(&q);
	queue_look(&q);
	return service_run(&q.service);
}
