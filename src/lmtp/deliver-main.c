/* SPDX-License-Identifier: MIT */
/*
 * The parent of the delivering processes: root, and nothing else.  It takes deliveries from the LMTP connections, each with
 * a token that auth gave for its recipient (so that who speaks with the network can not choose whose mail it is), and
 * hands them to a process of the mail user's.
 *
 * Processes are pooled by (uid, gid, groups).  As long as a pool has seen one user, its processes are confined to that
 * user's mail by Landlock; one of several users can not be.  Where procmail's recipes are run, which write files and start
 * programs, a process works for one user always.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-deliver/forward.h"
#include "lib-deliver/recipes.h"
#include "lib-protocol/auth-client.h"
#include "lib-protocol/children.h"
#include "lib-protocol/hub-client.h"
#include "lmtp/deliver-worker.h"
#include "lmtp/recipient-worker.h"

#define POOL_WORKERS 8		/* of one pool at most */
#define ALONE_WORKERS 32	/* the same, where each has one user */
#define JOBS_MAX 4096
#define JOB_MEMORY (128 << 10)
#define ADDRESS_MAX 1024
#define HEADER_MAX 16384
#define TARGET_MAX 8192
#define END_GRACE 30.		/* seconds that deliveries have to end */
#define PATIENCE_MS 1000	/* how long a delivery waits for others of its user, of which there are too many */
#define PATIENCE_LOOK .2	/* seconds between two looks at those */

struct parent;
struct pool;

#define DECLINED_MOST 100

struct job {
	struct job *prev, *next;	/* of all jobs, in the order of arrival */
	struct parent *parent;
	struct peer *lmtp;		/* NULL: nobody waits for the answer any more */
	uint32_t lmtp_id, id, question;
	struct arena *arena;
	struct span session, sender, recipient, detail, header, origin;
	struct span target;		/* of a table, no user's: what it says, */
	uint32_t target_kind;		/* and what that is */
	struct span dsn[4];		/* in the order of dsn_fields */
	struct identity identity;
	struct pool *pool;		/* NULL: the token is on its way to auth */
	struct worker *worker;		/* NULL: it waits */
	int fd;
	enum { JOB_DELIVER, JOB_FITS, JOB_TARGET } kind;	/* FITS: there is no message, only its size */
	bool alone;			/* its worker is confined to its user */
	bool junk;
	int64_t busy_ms;		/* since when its user has as many deliveries as there may be; 0: that was not seen */
	unsigned declined;		/* by so many workers that could not see the mail any more: a new one can */
	uint64_t size;
};

struct worker {
	struct parent *parent;
	struct worker *next;		/* in its pool */
	struct pool *pool;
	pid_t pid;
	struct peer *channel;
	bool ended;			/* the process; what it said last may still be in the channel */
	struct job *job;		/* NULL: idle */
	uint64_t users[DELIVER_STORAGES];	/* hashes of the users it served last, the newest first */
	char session[SESSION_ID_MAX];	/* its name at hub */
	uint32_t last_id;		/* of the last job it had */
	uint64_t only_user;		/* Landlock: the user it works for; 0: any */
};

struct pool {
	struct pool *next;
	struct buf key;
	struct worker *workers;
	size_t worker_count;
	uint64_t first_user;		/* hash */
	bool shared;			/* it has had several users */
	bool targets;			/* its workers do what tables say */
};

struct parent {
	struct service service;
	struct auth_client *auth;
	struct hub_client *hub;
	struct children *children;
	struct priv_filter *filter;
	struct pool *pools;
	struct job *first, *last;
	size_t job_count;
	uint32_t last_id;
	uint64_t user_limit;
	ev_timer patience;		/* jobs wait for others of their user */
	struct identity target_identity;	/* user.n 0: there are no tables */
	bool recipes;			/* mail_plugins has procmail */
	bool forwards;			/* recipient_forward */
	bool ending;
};

/* What may come with a delivery and goes on to its worker as it is. */
static const uint16_t dsn_fields[] = { F_DSN_RECIPIENT, F_DSN_NOTIFY, F_DSN_ENVID, F_DSN_RET };

static void dispatch(struct parent *p);

static void
job_free(struct job *j)
{
	struct parent *p = j->parent;

	if (j->question != 0)
		auth_client_forget(p->auth, j->question);
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		p->first = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	else
		p->last = j->prev;
	p->job_count--;
	if (j->fd != -1)
		close(j->fd);
	arena_free(j->arena);
	free(j);
}

/* Answers, if somebody waits, and ends the job. */
static void
job_done(struct job *j, uint32_t code, struct span text)
{
	struct ipc_out o;

	if (j->lmtp != NULL) {
		ipc_begin(&o, MSG_DELIVERED);
		ipc_put_u32(&o, F_ID, j->lmtp_id);
		ipc_put_u32(&o, F_CODE, code);
		ipc_put_bytes(&o, F_TEXT, text);
		peer_send(j->lmtp, &o);
	}
	job_free(j);
}

static void
job_fail(struct job *j)
{
	job_done(j, 451, SPAN("4.3.0 Temporary internal error"));
}

/* Workers. */

static void
worker_free(struct worker *w)
{
	struct worker **at = &w->pool->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->pool->worker_count--;
	peer_free(w->channel);
	free(w);
}

/* It sees the end of its channel, and goes. */
static void
worker_dismiss(struct worker *w)
{
	peer_free(w->channel);
	w->channel = NULL;
}

static int
on_delivered(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct worker *w = peer_data(peer);
	struct parent *p = w->parent;
	uint32_t id = ipc_u32(m, F_ID), code = ipc_u32(m, F_CODE);
	struct span text = ipc_bytes(m, F_TEXT, 512);
	struct job *j = w->job;

	if (!ipc_end(m) || j == NULL || j->id != id)
		return err_set(e, ERR_SYNTAX, "malformed outcome of a delivery");
	w->job = NULL;
	job_done(j, code, text);
	if (p->service.stopping || p->ending)
		worker_dismiss(w);
	dispatch(p);
	return 0;
}

/* Its user's directories are others by now than those it may see.  It ends; a new one may see what is there. */
static int
on_declined(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct worker *w = peer_data(peer);
	struct parent *p = w->parent;
	uint32_t id = ipc_u32(m, F_ID);
	struct job *j = w->job;

	if (!ipc_end(m) || j == NULL || j->id != id)
		return err_set(e, ERR_SYNTAX, "malformed refusal of a delivery");
	w->job = NULL;
	j->worker = NULL;
	worker_dismiss(w);
	/* All that wait for this user's mail may be of before. */
	if (j->declined++ >= DECLINED_MOST)
		job_fail(j);
	dispatch(p);
	return 0;
}

static int
on_worker_log(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct worker *w = peer_data(peer);
	uint32_t level = ipc_u32(m, F_LEVEL);
	struct span text = ipc_bytes(m, F_TEXT, 2048);
	struct ipc_out o;

	if (!ipc_end(m) || level > LOG_LVL_FATAL)
		return err_set(e, ERR_SYNTAX, "malformed log line");
	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, level);
	ipc_put_bytes(&o, F_TEXT, text);
	peer_send(w->parent->service.master, &o);
	return 0;
}

static const struct ipc_rule worker_rules[] = {
	{ MSG_DELIVERED, PEER_WORKER, on_delivered },
	{ MSG_DECLINED, PEER_WORKER, on_declined },
	{ MSG_LOG_LINE, PEER_WORKER, on_worker_log },
	{ 0, 0, NULL },
};

/* It ends; SIGCHLD tells how. */
static void
on_worker_close(struct peer *peer)
{
	((struct worker *)peer_data(peer))->channel = NULL;
}

static void
on_child_end(void *ctx, pid_t pid, int status, void *data)
{
	struct worker *w = data;
	char how[64];

	/* It may have delivered, or declined, before it ended. */
	w->ended = true;
	peer_drain(w->channel);
	if (service_death(status, how, sizeof(how)))
		log_error("delivering process %ld was %s%s%.*s", (long)pid, how, w->job != NULL ? ", user " : "",
		    SPAN_ARG(w->job != NULL ? w->job->identity.user : SPAN("")));
	if (w->job != NULL)
		job_fail(w->job);
	worker_free(w);
	dispatch(ctx);
}

/* hub's end of a new pair is on its way to hub; the other one is returned, or -1 when hub is not there. */
static int
hub_channel(struct parent *p, const char *session)
{
	struct hub_client_session hs = { .service = SPAN("deliver"), .user = SPAN(""), .rip = SPAN(""),
					 .session = span_str(session) };
	struct err e = ERR_INIT;
	int pair[2];
	uint32_t asked;

	if (ipc_pair(pair, &e) == -1)
		return -1;
	hs.fd = pair[1];
	asked = hub_client_connect(p->hub, &hs, NULL, NULL);
	close(pair[1]);
	if (asked != 0)
		return pair[0];
	close(pair[0]);
	return -1;
}

static struct worker *
worker_new(struct parent *p, struct pool *pool, const struct identity *id, bool alone, struct err *e)
{
	struct peer_options po = { .rules = worker_rules, .kind = PEER_WORKER, .on_close = on_worker_close };
	struct deliver_worker_params wp = { .id = id, .filter = p->filter, .only_user = alone };
	static uint32_t number;
	struct worker *w;
	int pair[2], keep[2];

	if (ipc_pair(pair, e) == -1)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		goto fail;
	}
	w->parent = p;
	snprintf(w->session, sizeof(w->session), "deliver-%ld-%u", (long)getpid(), ++number);
	w->only_user = alone ? hash_of(id->user) | 1 : 0;
	wp.channel_fd = keep[0] = pair[1];
	wp.hub_fd = keep[1] = hub_channel(p, w->session);
	w->pid = children_fork(p->children, keep, wp.hub_fd == -1 ? 1 : 2, w, e);
	if (w->pid == 0 && pool->targets)
		recipient_worker_run(&p->service, &wp);
	if (w->pid == 0)
		deliver_worker_run(&p->service, &wp);
	if (wp.hub_fd != -1)
		close(wp.hub_fd);
	if (w->pid == -1)
		goto fail;
	hub_client_started(p->hub, span_str(w->session), (uint32_t)w->pid);
	close(pair[1]);
	w->pool = pool;
	w->next = pool->workers;
	pool->workers = w;
	pool->worker_count++;
	po.data = w;
	w->channel = peer_new(p->service.loop, &pair[0], &po);
	if (pair[0] != -1)
		close(pair[0]);	/* without memory for the channel: the worker sees its end and goes */
	return w;
fail:
	free(w);
	close(pair[0]);
	close(pair[1]);
	return NULL;
}

static bool
has_user(const struct worker *w, uint64_t user)
{
	for (size_t i = 0; i < DELIVER_STORAGES; i++)
		if (w->users[i] == user)
			return true;
	return false;
}

static size_t
user_count(const struct worker *w)
{
	size_t n = 0;

	while (n < DELIVER_STORAGES && w->users[n] != 0)
		n++;
	return n;
}

/* An idle worker: one that has the user's storage open before others, then the one with the fewest. */
static struct worker *
idle_worker(const struct pool *pool, uint64_t user, bool alone)
{
	struct worker *best = NULL;

	for (struct worker *w = pool->workers; w != NULL; w = w->next) {
		if (w->job != NULL || w->channel == NULL || w->ended || (w->only_user == 0 ? alone : w->only_user != user))
			continue;
		if (has_user(w, user))
			return w;
		if (best == NULL || user_count(w) < user_count(best))
			best = w;
	}
	return best;
}

/* Lets idle workers go that can not be used: confined ones of a pool that has several users now, or the longest idle of
 * another pool when there are as many processes as there may be. */
static void
retire_one(struct parent *p, const struct pool *wanting, bool alone)
{
	struct worker *oldest = NULL;

	for (struct pool *pool = p->pools; pool != NULL; pool = pool->next)
		for (struct worker *w = pool->workers; w != NULL; w = w->next)
			if (w->job == NULL && w->channel != NULL && !w->ended && (pool != wanting || w->only_user != 0 || alone) &&
			    (oldest == NULL || w->last_id < oldest->last_id))
				oldest = w;
	if (oldest != NULL)
		worker_dismiss(oldest);
}

static struct worker *
worker_for(struct parent *p, struct pool *pool, struct job *j, uint64_t user)
{
	struct worker *w = idle_worker(pool, user, j->alone);
	struct err e = ERR_INIT;

	if (w != NULL)
		return w;
	if (children_full(p->children) || pool->worker_count >= (j->alone ? ALONE_WORKERS : POOL_WORKERS)) {
		retire_one(p, pool, j->alone);
		return NULL;
	}
	w = worker_new(p, pool, &j->identity, j->alone || !pool->shared, &e);
	if (w == NULL)
		log_error("delivery to %.*s: %s", SPAN_ARG(j->identity.user), e.log);
	return w;
}

/* What stands in all of them. */
static void
put_envelope(struct ipc_out *o, const struct job *j)
{
	ipc_put_bytes(o, F_SENDER, j->sender);
	ipc_put_bytes(o, F_TEXT, j->header);
	if (j->origin.n > 0)
		ipc_put_bytes(o, F_ORIGIN, j->origin);
	ipc_put_fd(o, j->fd);
}

static void
hand_over(struct worker *w, struct job *j, uint64_t user)
{
	static const uint16_t types[] = { [JOB_DELIVER] = MSG_DELIVER, [JOB_FITS] = MSG_FITS, [JOB_TARGET] = MSG_RECIPIENT };
	size_t at = 0;
	struct ipc_out o;

	while (at < DELIVER_STORAGES - 1 && w->users[at] != user)
		at++;
	memmove(w->users + 1, w->users, at * sizeof(w->users[0]));
	w->users[0] = user;
	w->job = j;
	w->last_id = j->id;
	j->worker = w;
	ipc_begin(&o, types[j->kind]);
	ipc_put_u32(&o, F_ID, j->id);
	if (j->kind != JOB_TARGET)
		identity_put(&o, &j->identity);
	ipc_put_bytes(&o, F_SESSION, j->session);
	ipc_put_bytes(&o, F_RECIPIENT, j->recipient);
	if (j->detail.n > 0)
		ipc_put_bytes(&o, F_DETAIL, j->detail);
	switch (j->kind) {
	case JOB_FITS:
		ipc_put_u64(&o, F_SIZE, j->size);
		break;
	case JOB_TARGET:
		ipc_put_u32(&o, F_KIND, j->target_kind);
		ipc_put_bytes(&o, F_DATA, j->target);
		put_envelope(&o, j);
		break;
	case JOB_DELIVER:
		put_envelope(&o, j);
		for (size_t i = 0; i < 4; i++)
			if (j->dsn[i].n > 0)
				ipc_put_bytes(&o, dsn_fields[i], j->dsn[i]);
		if (j->junk)
			ipc_put_u32(&o, F_JUNK, 1);
		break;
	}
	peer_send(w->channel, &o);
}

/*
 * lmtp_user_concurrency_limit.  Short deliveries are soon over, and are waited for; but one user's mail must not take all the
 * connections of an MTA, in which others' mail comes too.
 */
static bool
is_user_busy(struct parent *p, struct job *j)
{
	uint64_t n = 0;

	/* What tables say is no user's, though one does it all. */
	if (p->user_limit == 0 || j->kind == JOB_TARGET)
		return false;
	for (const struct worker *w = j->pool->workers; w != NULL; w = w->next)
		n += w->job != NULL && span_eq(w->job->identity.user, j->identity.user);
	if (n < p->user_limit)
		j->busy_ms = 0;
	else if (j->busy_ms == 0)
		j->busy_ms = clock_ms();
	return n >= p->user_limit;
}

static void
wait_for_others(struct parent *p, struct job *j)
{
	char text[300];

	if (clock_ms() - j->busy_ms < PATIENCE_MS) {
		if (!ev_is_active(&p->patience))
			ev_timer_again(p->service.loop, &p->patience);
		return;
	}
	snprintf(text, sizeof(text), "4.3.0 <%.*s> Too many concurrent deliveries for user", SPAN_ARG(span_sub(j->recipient, 0, 150)));
	log_info("%.*s: delivery to %.*s is put off: lmtp_user_concurrency_limit (%llu)", SPAN_ARG(j->session),
	    SPAN_ARG(j->identity.user), (unsigned long long)p->user_limit);
	job_done(j, 451, span_str(text));
}

static void
on_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_stop(loop, w);
	dispatch(w->data);
}

/* Gives waiting jobs to idle workers, oldest first. */
static void
dispatch(struct parent *p)
{
	struct job *j, *next;

	for (j = p->first; j != NULL; j = next) {
		struct worker *w;
		uint64_t user;

		next = j->next;
		if (j->pool == NULL || j->worker != NULL)
			continue;
		if (j->lmtp == NULL) {
			job_free(j);	/* who sent it has gone without an answer, and will send it again */
			continue;
		}
		if (is_user_busy(p, j)) {
			wait_for_others(p, j);
			continue;
		}
		user = hash_of(j->identity.user) | 1;
		w = worker_for(p, j->pool, j, user);
		if (w != NULL)
			hand_over(w, j, user);
	}
}

/* Jobs. */

static struct pool *
pool_of(struct parent *p, const struct identity *id, bool targets)
{
	struct buf key = BUF_INIT(8192);
	struct pool *pool;

	buf_add_be32(&key, (uint32_t)id->uid);
	buf_add_be32(&key, (uint32_t)id->gid);
	for (size_t i = 0; i < id->group_count; i++)
		buf_add_be32(&key, (uint32_t)id->groups[i]);
	buf_addc(&key, targets ? '|' : '/');
	buf_add(&key, id->chroot_dir);
	for (pool = p->pools; pool != NULL && !span_eq(buf_span(&pool->key), buf_span(&key)); pool = pool->next)
		;
	if (pool == NULL && (pool = calloc(1, sizeof(*pool))) != NULL) {
		pool->key = key;
		pool->targets = targets;
		pool->next = p->pools;
		p->pools = pool;
		return pool;
	}
	buf_clear(&key);
	return pool;
}

/* Where its workers are is known: it waits for one. */
static void
place(struct job *j)
{
	struct parent *p = j->parent;
	uint64_t user;

	j->pool = pool_of(p, &j->identity, j->kind == JOB_TARGET);
	if (j->pool == NULL) {
		job_fail(j);
		return;
	}
	user = hash_of(j->identity.user) | 1;
	if (j->pool->first_user == 0)
		j->pool->first_user = user;
	else if (j->pool->first_user != user)
		j->pool->shared = true;
	dispatch(p);
}

static void
on_redeemed(void *ctx, const struct auth_answer *a)
{
	struct job *j = ctx;
	struct parent *p = j->parent;
	struct err e = ERR_INIT;

	j->question = 0;
	if (a->fail != AUTH_FAIL_NONE || a->id == NULL) {
		job_fail(j);
		return;
	}
	j->identity = *a->id;
	j->identity.user = arena_dup(j->arena, a->id->user);
	j->identity.home = arena_dup(j->arena, a->id->home);
	j->identity.fields = arena_dup(j->arena, a->id->fields);
	j->identity.chroot_dir = arena_dup(j->arena, a->id->chroot_dir);
	if (identity_check(&j->identity, p->service.view, &e) == -1) {
		log_error("%s", e.log);
		job_fail(j);
		return;
	}
	/* A user of whom the user database says something of procmail counts as one who has it: that is the safe side. */
	j->alone = p->recipes || p->forwards || span_find(j->identity.fields, SPAN("procmail")) != SIZE_MAX;
	place(j);
}

static struct job *
job_new(struct parent *p, struct peer *lmtp, struct ipc_msg *m, int kind)
{
	struct job *j = p->job_count >= JOBS_MAX ? NULL : calloc(1, sizeof(*j));

	if (j == NULL || (j->arena = arena_new(JOB_MEMORY)) == NULL) {
		free(j);
		return NULL;
	}
	j->parent = p;
	j->lmtp = lmtp;
	j->fd = -1;
	j->id = ++p->last_id;
	j->session = arena_dup(j->arena, ipc_bytes(m, F_SESSION, SESSION_ID_MAX));
	j->kind = kind;
	if (kind == JOB_FITS) {
		j->size = ipc_u64(m, F_SIZE);
	} else {
		j->sender = arena_dup(j->arena, ipc_bytes(m, F_SENDER, ADDRESS_MAX));
		j->header = arena_dup(j->arena, ipc_bytes(m, F_TEXT, HEADER_MAX));
		j->origin = arena_dup(j->arena, ipc_opt_bytes(m, F_ORIGIN, ADDRESS_MAX));
	}
	if (kind == JOB_DELIVER) {
		for (size_t i = 0; i < 4; i++)
			j->dsn[i] = arena_dup(j->arena, ipc_opt_bytes(m, dsn_fields[i], ADDRESS_MAX));
		j->junk = ipc_opt_u32(m, F_JUNK, 0) != 0;
	}
	if (kind == JOB_TARGET) {
		j->target_kind = ipc_u32(m, F_KIND);
		j->target = arena_dup(j->arena, ipc_bytes(m, F_DATA, TARGET_MAX));
	}
	j->recipient = arena_dup(j->arena, ipc_bytes(m, F_RECIPIENT, ADDRESS_MAX));
	j->detail = arena_dup(j->arena, ipc_opt_bytes(m, F_DETAIL, ADDRESS_MAX));
	j->prev = p->last;
	if (p->last != NULL)
		p->last->next = j;
	else
		p->first = j;
	p->last = j;
	p->job_count++;
	return j;
}

static int
take_job(struct peer *lmtp, struct ipc_msg *m, int kind, struct err *e)
{
	struct parent *p = peer_data(lmtp);
	struct job *j = job_new(p, lmtp, m, kind);
	uint32_t id = ipc_u32(m, F_ID);
	struct span token = kind == JOB_TARGET ? SPAN("") : ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN);
	struct ipc_out o;

	if (j == NULL) {
		log_warning("more than %d deliveries are waiting: one is put off", JOBS_MAX);
		ipc_begin(&o, MSG_DELIVERED);
		ipc_put_u32(&o, F_ID, id);
		ipc_put_u32(&o, F_CODE, 451);
		ipc_put_str(&o, F_TEXT, "4.3.2 Too many deliveries at once");
		peer_send(lmtp, &o);
		return 0;
	}
	j->lmtp_id = id;
	j->fd = kind == JOB_FITS ? -1 : ipc_fd(m);
	if (!ipc_end(m) || (kind == JOB_TARGET && p->target_identity.user.n == 0)) {
		job_free(j);
		return err_set(e, ERR_SYNTAX, "malformed delivery");
	}
	if (kind == JOB_TARGET) {
		j->identity = p->target_identity;
		place(j);
		return 0;
	}
	j->question = auth_client_redeem(p->auth, SPAN("lmtp"), token, on_redeemed, j);
	if (j->question == 0)
		job_fail(j);
	return 0;
}

static int
on_deliver(struct peer *lmtp, struct ipc_msg *m, struct err *e)
{
	return take_job(lmtp, m, JOB_DELIVER, e);
}

static int
on_fits(struct peer *lmtp, struct ipc_msg *m, struct err *e)
{
	return take_job(lmtp, m, JOB_FITS, e);
}

static int
on_target(struct peer *lmtp, struct ipc_msg *m, struct err *e)
{
	return take_job(lmtp, m, JOB_TARGET, e);
}

static const struct ipc_rule lmtp_rules[] = {
	{ MSG_RECIPIENT, PEER_LMTP, on_target },
	{ MSG_DELIVER, PEER_LMTP, on_deliver },
	{ MSG_FITS, PEER_LMTP | PEER_POLICY, on_fits },
	{ 0, 0, NULL },
};

static void
on_lmtp_close(struct peer *lmtp)
{
	struct parent *p = peer_data(lmtp);

	for (struct job *j = p->first; j != NULL; j = j->next)
		if (j->lmtp == lmtp)
			j->lmtp = NULL;
	dispatch(p);
}

/* The frame of the service. */

static void
on_peer(struct service *s, unsigned kind, int *fd)
{
	struct peer_options po = { .rules = lmtp_rules, .kind = kind, .on_close = on_lmtp_close, .data = s->data };

	if ((kind == PEER_LMTP || kind == PEER_POLICY) && peer_new(s->loop, fd, &po) == NULL)
		log_error("out of memory");
}

static void
on_channel(struct service *s, struct span name, int *fd)
{
	struct parent *p = s->data;

	if (span_eq(name, SPAN("auth")))
		auth_client_channel(p->auth, fd);
	else if (span_eq(name, SPAN("hub")))
		hub_client_channel(p->hub, fd);
}

/* A hub that was started anew: each worker gets a channel to it. */
static void
on_hub_start(void *ctx)
{
	struct parent *p = ctx;

	for (struct pool *pool = p->pools; pool != NULL; pool = pool->next)
		for (struct worker *w = pool->workers; w != NULL; w = w->next) {
			struct ipc_out o;
			int fd;

			if (w->channel == NULL || (fd = hub_channel(p, w->session)) == -1)
				continue;
			hub_client_started(p->hub, span_str(w->session), (uint32_t)w->pid);
			ipc_begin(&o, MSG_CHANNEL);
			ipc_put_str(&o, F_NAME, "hub");
			ipc_put_fd(&o, fd);
			peer_send(w->channel, &o);
			close(fd);
		}
}

/* No kicks here: a delivery is nobody's session. */
static void
on_kick(void *ctx, uint32_t pid)
{
	(void)ctx;
	log_debug("delivering process %u is not ended by a kick", pid);
}

/* Workers end when their channel closes, with the delivery at hand done. */
static void
on_stop(struct service *s)
{
	struct parent *p = s->data;

	for (struct pool *pool = p->pools; pool != NULL; pool = pool->next)
		for (struct worker *w = pool->workers; w != NULL; w = w->next)
			if (w->job == NULL)
				worker_dismiss(w);
}

static void
on_term(struct service *s)
{
	struct parent *p = s->data;

	p->ending = true;
	on_stop(s);
	children_finish(p->children, END_GRACE);
}

int
main(void)
{
	static struct parent p;
	struct hub_client_options ho = { .on_kick = on_kick, .on_start = on_hub_start, .ctx = &p };
	struct err e = ERR_INIT;

	p.service.data = &p;
	p.service.on_peer = on_peer;
	p.service.on_channel = on_channel;
	p.service.on_stop = on_stop;
	p.service.on_term = on_term;
	service_init(&p.service, "deliver", "lmtp");
	service_drop(&p.service, SERVICE_USER_ROOT, NULL, -1);
	/* Workers are processes of this one: the master needs to start no second parent. */
	p.service.client_limit = UINT32_MAX;
	p.recipes = deliver_recipes_are_on(p.service.view);
	if (p.recipes && !priv_landlock_is_there())
		log_warning("the kernel has no Landlock: procmail's recipes of users with the same uid are not kept apart");
	p.forwards = deliver_forward_is_on(p.service.view);
	p.user_limit = set_num(p.service.view, SET_lmtp_user_concurrency_limit);
	p.filter = priv_filter_new(PRIV_MAIL, &e);
	if (p.filter == NULL)
		log_fatal("%s", e.log);
	if (recipient_worker_identity(p.service.view, &p.target_identity, &e) == -1)
		log_fatal("%s", e.log);
	ev_init(&p.patience, on_patience);
	p.patience.repeat = PATIENCE_LOOK;
	p.patience.data = &p;
	p.children = children_new(&p.service, p.service.process_limit, on_child_end, &p);
	p.auth = auth_client_new(&p.service);
	p.hub = hub_client_new(&p.service, &ho);
	if (p.children == NULL || p.auth == NULL || p.hub == NULL)
		log_fatal("out of memory");
	service_ready(&p.service);
	return service_run(&p.service);
}
