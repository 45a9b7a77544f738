/* SPDX-License-Identifier: MIT */
/*
 * Connections to the queue.  Who delivers hands a message in: its head, its octets, and gets "OK id" when it is on disk.  The
 * administrator's tool says LIST, FLUSH [id] or DELETE id.  The socket is open to all users of the system, as that of any mail
 * submission is; what they may take is limited, each of them and all together.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "queue/attempt.h"
#include "queue/queue.h"

#define CONNECTIONS_MAX 200
#define USER_CONNECTIONS_MAX (CONNECTIONS_MAX / 2)
#define PATIENCE_S 60.		/* from the connection to the whole message */
#define READ_OCTETS 65536
#define ANSWER_MAX ((size_t)256 << 20)	/* a list of all: it grows as it must */
#define USER_SHARE 4		/* one user may fill a part of the queue */

struct conn {
	struct queue *q;
	int fd;
	ev_io io;
	ev_timer timer;
	struct buf in, out;
	bool taking, answered;		/* the head was read; the answer is on its way */
	struct queue_head head;		/* its spans are of in */
	size_t head_n;
	struct queue_incoming incoming;
	bool is_administrator;
	uid_t uid;
};

/* How many connections a user of the system has: the value of the table is the number itself. */
static size_t
count_of(const struct queue *q, uid_t uid)
{
	return (size_t)(uintptr_t)hash_get(q->crowd, span_of(&uid, sizeof(uid)));
}

static bool
count(struct queue *q, uid_t uid, size_t n)
{
	struct span key = span_of(&uid, sizeof(uid));

	if (n > 0)
		return hash_set(q->crowd, key, (void *)(uintptr_t)n);
	hash_remove(q->crowd, key);
	return true;
}

static void
conn_free(struct conn *c)
{
	ev_io_stop(c->q->service.loop, &c->io);
	ev_timer_stop(c->q->service.loop, &c->timer);
	queue_store_abort(&c->q->store, &c->incoming);
	close(c->fd);
	buf_clear(&c->in);
	buf_clear(&c->out);
	c->q->conns--;
	count(c->q, c->uid, count_of(c->q, c->uid) - 1);
	children_besides(c->q->children, c->q->conns);
	free(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	conn_free(w->data);
}

static void
answer(struct conn *c)
{
	c->answered = true;
	ev_io_stop(c->q->service.loop, &c->io);
	ev_io_set(&c->io, c->fd, EV_WRITE);
	ev_io_start(c->q->service.loop, &c->io);
}

static void
refuse(struct conn *c, const char *why)
{
	log_warning("a message was not taken: %s", why);
	buf_addf(&c->out, "NO %s\n", why);
	answer(c);
}

/* The administrator's words. */

static void
list(struct conn *c)
{
	struct queue_item **all = queue_store_list(&c->q->store);

	if (all == NULL) {
		buf_adds(&c->out, "NO out of memory\n");
		return;
	}
	for (size_t n = 0; n < c->q->store.count; n++) {
		const struct queue_item *i = all[n];

		buf_addf(&c->out, "%s\t%s\t%s\t%s\t%s\t%llu\t%lld\t%lld\t%s\n", i->id,
		    i->failed ? "failed" : i->kind == OUTGOING_REDIRECT ? "redirect" : "send", i->user, i->sender, i->recipient,
		    (unsigned long long)i->size, (long long)i->created, (long long)i->due, i->why);
	}
	free(all);
	buf_addf(&c->out, "OK %zu\n", c->q->store.count);
}

static void
flush(struct conn *c, struct span id)
{
	struct queue_item *one = queue_store_find(&c->q->store, id), **all = NULL;
	int64_t now = clock_wall_us() / 1000000;
	size_t n = 0;

	if (id.n > 0 && one == NULL) {
		buf_adds(&c->out, "NO there is no such message\n");
		return;
	}
	if (one == NULL)
		all = queue_store_list(&c->q->store);
	for (; all != NULL && n < c->q->store.count; n++)
		queue_store_put_off(&c->q->store, all[n], now);
	free(all);
	if (one != NULL) {
		queue_store_put_off(&c->q->store, one, now);
		n = 1;
	}
	buf_addf(&c->out, "OK %zu\n", n);
	queue_look(c->q);
}

static void
delete(struct conn *c, struct span id)
{
	struct queue_item *i = queue_store_find(&c->q->store, id);
	struct err e = ERR_INIT;

	if (i == NULL)
		buf_adds(&c->out, "NO there is no such message\n");
	else if (i->pid != 0)
		buf_adds(&c->out, "NO the message is being sent\n");
	else if (queue_store_remove(&c->q->store, i, &e) == -1)
		buf_addf(&c->out, "NO %s\n", e.log);
	else
		buf_adds(&c->out, "OK 1\n");
}

/* True: it was an order. */
static bool
take_order(struct conn *c)
{
	struct span line, word, id;
	size_t used = 0, n;

	if (!span_line(buf_span(&c->in), &used, &line))
		return false;
	n = span_chr(line, ' ');
	word = span_sub(line, 0, n);
	id = span_from(line, n + 1);
	if (!span_eq(word, SPAN("LIST")) && !span_eq(word, SPAN("FLUSH")) && !span_eq(word, SPAN("DELETE")))
		return false;
	if (!c->is_administrator) {
		buf_adds(&c->out, "NO that is the administrator's\n");
		answer(c);
		return true;
	}
	queue_look_again(c->q);
	if (span_eq(word, SPAN("LIST")))
		list(c);
	else if (span_eq(word, SPAN("FLUSH")))
		flush(c, id);
	else
		delete(c, id);
	answer(c);
	return true;
}

/* A message. */

static void
begin(struct conn *c)
{
	struct queue *q = c->q;
	struct err e = ERR_INIT;

	/* It would wait for its whole lifetime: whose it is does better to have it at once. */
	if (!attempt_has_way(q->service.view))
		refuse(c, "there is no submission_host, nor can sendmail_path be run");
	else if (c->head.size > q->max_size)
		refuse(c, "the message is too large");
	else if (q->store.count >= q->max_count || queue_store_count_of(&q->store, c->head.user) >= q->max_count / USER_SHARE + 1)
		refuse(c, "too many messages are waiting");
	else if (queue_ready(q, &e) == -1 ||
	    queue_store_begin(&q->store, &c->incoming, &c->head, clock_wall_us() / 1000000, &e) == -1)
		refuse(c, e.log);
	else
		c->taking = true;
}

static void
finish(struct conn *c)
{
	struct queue_item *item;
	struct err e = ERR_INIT;

	if (queue_store_finish(&c->q->store, &c->incoming, &c->head, &item, &e) == -1) {
		refuse(c, e.log);
		return;
	}
	log_info("%s: taken from %s: from=<%s> to=<%s> size=%llu (%s)", item->id, item->user, item->sender, item->recipient,
	    (unsigned long long)item->size, item->kind == OUTGOING_REDIRECT ? "redirect" : "send");
	buf_addf(&c->out, "OK %s\n", item->id);
	answer(c);
	queue_look(c->q);
}

static void
take(struct conn *c, struct span octets)
{
	struct err e = ERR_INIT;

	if (queue_store_write(&c->incoming, octets, &e) == -1)
		refuse(c, e.log);
	else if (c->incoming.left == 0)
		finish(c);
}

static void
step(struct conn *c)
{
	int rc;

	if (take_order(c))
		return;
	rc = queue_head_parse(buf_span(&c->in), &c->head, &c->head_n);
	if (rc == -1)
		refuse(c, "what came is no message for the queue");
	if (rc != 1)
		return;
	begin(c);
	if (c->taking)
		take(c, span_from(buf_span(&c->in), c->head_n));
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	static char octets[READ_OCTETS];
	struct conn *c = w->data;
	ssize_t n;

	(void)loop;
	(void)revents;
	if (c->answered) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buf_drop(&c->out, (size_t)n);
		if (c->out.n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			conn_free(c);
		return;
	}
	n = recv(c->fd, octets, sizeof(octets), MSG_DONTWAIT);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		conn_free(c);
		return;
	}
	if (n == -1)
		return;
	if (c->taking) {
		take(c, span_of(octets, (size_t)n));
		return;
	}
	buf_add(&c->in, span_of(octets, (size_t)n));
	if (c->in.failed)
		conn_free(c);
	else
		step(c);
}

void
intake_accept(struct queue *q, int *fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t who_n = sizeof(who);
	bool is_administrator;
	struct conn *c;

	getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &who, &who_n);
	is_administrator = who.uid == 0 || who.uid == geteuid();
	/* Who waits for an answer sees the end, and keeps the message. */
	if (q->conns >= CONNECTIONS_MAX || (!is_administrator && count_of(q, who.uid) >= USER_CONNECTIONS_MAX))
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL || !count(q, who.uid, count_of(q, who.uid) + 1)) {
		free(c);
		return;
	}
	c->q = q;
	c->uid = who.uid;
	c->is_administrator = is_administrator;
	c->fd = *fd;
	*fd = -1;
	c->incoming.fd = -1;
	buf_init(&c->in, QUEUE_HEAD_MAX + READ_OCTETS);
	buf_init(&c->out, ANSWER_MAX);
	ev_io_init(&c->io, on_io, c->fd, EV_READ);
	c->io.data = c;
	ev_io_start(q->service.loop, &c->io);
	ev_timer_init(&c->timer, on_timer, PATIENCE_S, 0.);
	c->timer.data = c;
	ev_timer_start(q->service.loop, &c->timer);
	q->conns++;
	children_besides(q->children, q->conns);
}
