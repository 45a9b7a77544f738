/* SPDX-License-Identifier: MIT */
#include "lmtp/deliver-worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/array.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/filter-program.h"
#include "lib-deliver/forward.h"
#include "lib-deliver/queue-client.h"
#include "lib-deliver/recipes.h"
#include "lib-deliver/sieve.h"

#define IDENTITY_MEMORY (256 << 10)
#define STORAGE_IDLE_MS 30000		/* a storage that is not used is closed after this */
#define WORKER_IDLE_MS 60000		/* a worker without work ends after this */
#define ADDRESS_MAX 1024
#define HEADER_MAX 16384

/* One user's storage, kept open. */
struct cached {
	struct arena *arena;		/* of the identity */
	struct identity id;
	struct set_view *view;
	struct storage *storage;
	struct deliver_forward *forward;	/* NULL: none */
	struct deliver_recipes *recipes;	/* NULL: none */
	struct deliver_filter *filter;	/* NULL: none */
	int64_t used_ms;
};

/* What Landlock lets a process use is no path, but what had that path when it was shut in. */
struct reach {
	char *path;
	dev_t dev;
	ino_t ino;			/* 0: nothing was there */
};
#define REACH_MAX 1000

struct worker {
	struct service *service;
	struct array reach;		/* struct reach */
	bool confined;			/* to that */
	const struct deliver_worker_params *p;
	struct cached cache[DELIVER_STORAGES];
	struct program_helper helper;	/* for recipes' programs */
	bool ending;			/* it is gone, and nobody here can start another */
	struct program_helper forwards;	/* for those of .forward files */
	struct program_helper programs;	/* for those of Sieve scripts */
	struct sieve_shelf *shelf;	/* Sieve scripts of the server, compiled */
	int hub_fd;
	int64_t used_ms;
	struct ipc_msg msg;
	struct arena *arena;		/* of the identity in the message at hand */
};

static int log_fd = -1;

/* For `culveradm log errors'; a parent that is busy misses a line there, the log file has it. */
static void
on_log_line(enum log_level level, const char *line)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, (uint32_t)level);
	ipc_put_str(&o, F_TEXT, line);
	if (ipc_send(log_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

static void
cached_close(struct cached *c)
{
	struct err e = ERR_INIT;
	uint64_t gone;

	/* The end of a session here: nobody waits for it. */
	if (c->storage != NULL && (storage_autoexpunge(c->storage, &gone, &e) == -1 || storage_maintain(c->storage, &e) == -1))
		log_error("%s", e.log);
	storage_close(c->storage);
	deliver_forward_free(c->forward);
	deliver_recipes_free(c->recipes);
	deliver_filter_free(c->filter);
	set_view_free(c->view);
	arena_free(c->arena);
	memset(c, 0, sizeof(*c));
}

static struct set_view *
user_view(struct worker *w, const struct identity *id, struct err *e)
{
	const struct set_filter f = { .protocol = "lmtp" };
	struct set_view *view = set_view_new(w->service->settings, &f);

	if (view == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	if (identity_apply(id, view, e) == -1) {
		set_view_free(view);
		return NULL;
	}
	return view;
}

static struct storage_params
params_of(const struct worker *w, const struct identity *id, const struct set_view *view)
{
	return (struct storage_params){ .view = view, .user = id->user, .home = id->home, .protocol = SPAN("lmtp"),
					.notify_fd = w->hub_fd };
}

static bool
is_same(const struct identity *a, const struct identity *b)
{
	return span_eq(a->user, b->user) && span_eq(a->home, b->home) && span_eq(a->fields, b->fields);
}

static int
cached_open(struct worker *w, struct cached *c, const struct identity *id, struct err *e)
{
	struct err filter_e = ERR_INIT;
	struct storage_params sp;

	c->arena = arena_new(IDENTITY_MEMORY);
	if (c->arena == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	c->id = *id;
	c->id.user = arena_dup(c->arena, id->user);
	c->id.home = arena_dup(c->arena, id->home);
	c->id.fields = arena_dup(c->arena, id->fields);
	if (c->id.user.p == NULL || c->id.home.p == NULL || c->id.fields.p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	c->view = user_view(w, &c->id, e);
	if (c->view == NULL)
		return -1;
	sp = params_of(w, &c->id, c->view);
	if (storage_open(&sp, &c->storage, e) == -1)
		return -1;
	/* Mail of a user whose filter can not be had goes to INBOX. */
	c->filter = deliver_filter_new(c->view, c->id.user, c->id.home, &filter_e);
	if (filter_e.code != ERR_NONE)
		log_error("filter of %.*s: %s", SPAN_ARG(c->id.user), filter_e.log);
	if (c->filter != NULL && (w->shelf != NULL || (w->shelf = sieve_shelf_new()) != NULL))
		deliver_filter_share(c->filter, w->shelf);
	filter_e = (struct err)ERR_INIT;
	/* Recipes write files: they run where other users' files can not be reached. */
	if (w->p->only_user)
		c->recipes = deliver_recipes_new(c->view, c->id.user, c->id.home, &w->helper, &filter_e);
	else if (deliver_recipes_are_on(c->view))
		err_set(&filter_e, ERR_DENIED, "not run in a process of several users");
	if (filter_e.code != ERR_NONE)
		log_error("recipes of %.*s: %s", SPAN_ARG(c->id.user), filter_e.log);
	if (w->p->only_user)
		c->forward = deliver_forward_new(c->view, c->id.user, c->id.home, &w->forwards, &filter_e);
	return 0;
}

/* The user's open storage, or the place of who was not used for longest. */
static struct cached *
cached_get(struct worker *w, const struct identity *id, struct err *e)
{
	struct cached *oldest = &w->cache[0];

	for (size_t i = 0; i < DELIVER_STORAGES; i++) {
		struct cached *c = &w->cache[i];

		if (c->storage != NULL && is_same(&c->id, id) && storage_is_current(c->storage))
			return c;
		/* The user's fields have changed: the old storage must go first, a process may open an index once. */
		if (c->storage != NULL && span_eq(c->id.user, id->user)) {
			oldest = c;
			break;
		}
		if (c->used_ms < oldest->used_ms)
			oldest = c;
	}
	cached_close(oldest);
	if (cached_open(w, oldest, id, e) == -1) {
		cached_close(oldest);
		return NULL;
	}
	return oldest;
}

/* Some MTAs write the field themselves, in front of all; ours says the same of the envelope (RFC 5321 section 4.4). */
static struct span
without_return_path(struct span message)
{
	size_t end = 0;

	if (!span_istarts(message, SPAN("Return-Path:")))
		return message;
	do {
		const char *lf = memchr(message.p + end, '\n', message.n - end);

		if (lf == NULL)
			return message;
		end = (size_t)(lf + 1 - message.p);
	} while (end < message.n && (message.p[end] == ' ' || message.p[end] == '\t'));
	return span_sub(message, end, message.n - end);
}

static void
answer(struct worker *w, uint32_t id, unsigned code, const char *text)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_DELIVERED);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_CODE, code);
	ipc_put_str(&o, F_TEXT, text);
	if (ipc_send(w->p->channel_fd, &o, &e) == -1)
		exit(0);	/* the parent has gone: storages close in order nowhere, the index stands that */
}

static ino_t
look_at(const char *path, dev_t *dev_out)
{
	struct stat sb;

	if (stat(path, &sb) == -1)
		return 0;
	*dev_out = sb.st_dev;
	return sb.st_ino;
}

static void
remember_reach(struct worker *w, const char *const *paths)
{
	for (size_t i = 0; paths != NULL && paths[i] != NULL; i++) {
		struct reach *r = array_push(&w->reach);

		if (r == NULL || (r->path = strdup(paths[i])) == NULL)
			log_fatal("out of memory");
		r->ino = look_at(r->path, &r->dev);
	}
}

/* A directory was removed or put back from a copy: for this process the new one is forbidden for good. */
static bool
has_lost_reach(const struct worker *w)
{
	for (size_t i = 0; i < w->reach.n; i++) {
		const struct reach *r = array_at(&w->reach, i);
		dev_t dev = r->dev;

		if (look_at(r->path, &dev) != r->ino || dev != r->dev)
			return true;
	}
	return false;
}

/* The parent gives it to a new process. */
static bool
decline(struct worker *w, uint32_t id)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	if (!w->confined || !has_lost_reach(w))
		return false;
	ipc_begin(&o, MSG_DECLINED);
	ipc_put_u32(&o, F_ID, id);
	if (ipc_send(w->p->channel_fd, &o, &e) == -1)
		exit(0);
	w->ending = true;
	return true;
}

/* fits: only asks, for a message of size octets. */
static int
deliver(struct worker *w, bool fits, uint64_t size, bool junk, struct deliver_request *r, const struct identity *id,
    struct deliver_result *out, struct err *e)
{
	struct cached *c = cached_get(w, id, e);
	struct deliver_means means = { .submit = queue_submit, .programs = w->programs.sock != -1 ? &w->programs : NULL };

	if (c == NULL)
		return -1;
	r->storage = c->storage;
	r->view = c->view;
	r->user = c->id.user;
	r->home = c->id.home;
	r->filter = c->filter;
	r->forward = c->forward;
	r->recipes = c->recipes;
	means.ctx = c->view;
	r->means = &means;
	if (junk)
		r->junk = deliver_junk_place(c->storage, c->view, w->arena);
	r->says_why = true;
	r->max_hops = set_num(c->view, SET_lmtp_max_hops);
	deliver_log_prefix(c->view, "lmtp", c->id.user, r->session);
	if (fits)
		deliver_fits(r, size, out);
	else
		deliver_message(r, out);
	c->used_ms = clock_ms();
	w->ending = deliver_recipes_lost_helper(c->recipes);
	/* A storage that failed is opened anew for the next one. */
	if (out->code == ERR_CORRUPT || out->code == ERR_TEMP)
		cached_close(c);
	return 0;
}

static void
on_deliver(struct worker *w)
{
	struct ipc_msg *m = &w->msg;
	struct deliver_request r = { .session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX), .began_ms = clock_ms() };
	struct deliver_result result;
	struct identity id;
	struct err e = ERR_INIT;
	uint32_t number = ipc_u32(m, F_ID);
	struct span mapped = SPAN("");
	int fd = ipc_fd(m), rc = -1;
	bool junk;

	r.sender = ipc_bytes(m, F_SENDER, ADDRESS_MAX);
	r.recipient = ipc_bytes(m, F_RECIPIENT, ADDRESS_MAX);
	r.detail = ipc_opt_bytes(m, F_DETAIL, ADDRESS_MAX);
	r.header = ipc_bytes(m, F_TEXT, HEADER_MAX);
	r.orig_recipient = ipc_opt_bytes(m, F_DSN_RECIPIENT, ADDRESS_MAX);
	r.notify = ipc_opt_bytes(m, F_DSN_NOTIFY, ADDRESS_MAX);
	r.envid = ipc_opt_bytes(m, F_DSN_ENVID, ADDRESS_MAX);
	r.ret = ipc_opt_bytes(m, F_DSN_RET, ADDRESS_MAX);
	r.origin = ipc_opt_bytes(m, F_ORIGIN, ADDRESS_MAX);
	junk = ipc_opt_u32(m, F_JUNK, 0) != 0;
	arena_reset(w->arena);
	if (identity_get(m, w->arena, &id, &e) == 0 && !ipc_end(m))
		err_set(&e, ERR_SYNTAX, "malformed delivery");
	if (e.code == ERR_NONE && decline(w, number)) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (e.code == ERR_NONE && memfd_map(fd, &mapped, &e) == 0) {
		r.message = without_return_path(mapped);
		rc = deliver(w, false, 0, junk, &r, &id, &result, &e);
	}
	if (fd != -1)
		close(fd);
	if (rc == -1) {
		log_error("delivery to %.*s: %s", SPAN_ARG(r.recipient), e.log);
		answer(w, number, 451, "4.3.0 Temporary internal error");
	} else
		answer(w, number, result.reply, result.text);
	if (mapped.n > 0)
		munmap((void *)(uintptr_t)mapped.p, mapped.n);
	w->used_ms = clock_ms();
}

static void
on_fits(struct worker *w)
{
	struct ipc_msg *m = &w->msg;
	struct deliver_request r = { .session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX) };
	struct deliver_result result;
	struct identity id;
	struct err e = ERR_INIT;
	uint32_t number = ipc_u32(m, F_ID);
	uint64_t size = ipc_u64(m, F_SIZE);

	r.recipient = ipc_bytes(m, F_RECIPIENT, ADDRESS_MAX);
	r.detail = ipc_opt_bytes(m, F_DETAIL, ADDRESS_MAX);
	arena_reset(w->arena);
	if (identity_get(m, w->arena, &id, &e) == 0 && !ipc_end(m))
		err_set(&e, ERR_SYNTAX, "malformed question");
	if (e.code == ERR_NONE && decline(w, number))
		return;
	if (e.code != ERR_NONE || deliver(w, true, size, false, &r, &id, &result, &e) == -1) {
		log_error("quota of %.*s: %s", SPAN_ARG(r.recipient), e.log);
		answer(w, number, 451, "4.3.0 Temporary internal error");
	} else
		answer(w, number, result.reply, result.text);
	w->used_ms = clock_ms();
}

/* A new hub's channel takes the number of the old one, which the open storages know. */
static void
on_channel(struct worker *w)
{
	struct span name = ipc_bytes(&w->msg, F_NAME, 16);
	int fd = ipc_fd(&w->msg);

	if (!ipc_end(&w->msg) || !span_eq(name, SPAN("hub"))) {
		close(fd);
		return;
	}
	if (w->hub_fd == -1) {
		/* Storages opened without hub would never tell it of anything. */
		for (size_t i = 0; i < DELIVER_STORAGES; i++)
			cached_close(&w->cache[i]);
		w->hub_fd = fd;
		return;
	}
	dup3(fd, w->hub_fd, O_CLOEXEC);
	close(fd);
}

/* Maintenance that is due, storages nobody uses; how long may be waited then. */
static int
keep_house(struct worker *w)
{
	int64_t now = clock_ms(), wait = w->used_ms + WORKER_IDLE_MS - now;

	for (size_t i = 0; i < DELIVER_STORAGES; i++) {
		struct cached *c = &w->cache[i];
		struct err e = ERR_INIT;
		int due;

		if (c->storage == NULL)
			continue;
		due = storage_maintain_due_ms(c->storage);
		if (due == 0 && storage_maintain(c->storage, &e) == -1)
			log_error("%s", e.log);
		if (due > 0 && due < wait)
			wait = due;
		if (now - c->used_ms >= STORAGE_IDLE_MS)
			cached_close(c);
		else if (c->used_ms + STORAGE_IDLE_MS - now < wait)
			wait = c->used_ms + STORAGE_IDLE_MS - now;
	}
	return wait < 0 ? 0 : (int)wait;
}

struct runner {
	const struct identity *id;
	const struct set_view *view;
};

static int
become_runner(void *ctx, struct err *e)
{
	const struct runner *x = ctx;

	return identity_become_runner(x->id, x->view, e);
}

static void
shut_in(struct worker *w)
{
	/* What the C library and iconv look at while running. */
	static const char *const system_paths[] = {
		"/usr/lib", "/usr/share/zoneinfo", "/etc/localtime", "/proc/sys/kernel/random/boot_id", NULL
	};
	const char *const *rw, *const *ro;
	struct err e = ERR_INIT;
	struct set_view *view = user_view(w, w->p->id, &e);
	struct storage_params sp;
	enum priv_confined active;

	if (view == NULL)
		log_fatal("user %.*s: %s", SPAN_ARG(w->p->id->user), e.log);
	/* What can not be run then is told when mail wants it. */
	if (w->p->only_user && deliver_recipes_start_helper(view, become_runner, &(struct runner){ w->p->id, view }, &w->helper, &e) == -1)
		log_error("user %.*s: a process for programs: %s", SPAN_ARG(w->p->id->user), e.log);
	if (identity_become(w->p->id, view, &e) == -1)
		log_fatal("user %.*s: %s", SPAN_ARG(w->p->id->user), e.log);
	if (deliver_programs_start(view, &w->programs, &e) == -1)
		log_error("programs of filters: %s", e.log);
	sp = params_of(w, w->p->id, view);
	/* What can not be run then is told when mail wants it. */
	if (w->p->only_user && deliver_forward_start_helper(view, &w->forwards, &e) == -1)
		log_error("a process for programs: %s", e.log);
	ro = deliver_filter_paths(view, w->p->id->user, w->p->id->home, system_paths, w->arena);
	if (ro == NULL)
		log_fatal("out of memory");
	if (w->p->only_user) {
		if (storage_paths(&sp, w->arena, &rw, &e) == -1 ||
		    deliver_forward_paths(view, w->p->id->home, w->arena, &rw, &ro, &e) == -1 ||
		    deliver_recipes_paths(view, w->p->id->user, w->p->id->home, w->arena, &rw, &ro, &e) == -1)
			log_fatal("user %.*s: %s", SPAN_ARG(w->p->id->user), e.log);
		/* Before: what is put in its place meanwhile is seen to be another. */
		remember_reach(w, rw);
		remember_reach(w, ro);
		if (priv_landlock(rw, ro, &active, &e) == -1)
			log_fatal("user %.*s: %s", SPAN_ARG(w->p->id->user), e.log);
		w->confined = active != PRIV_CONFINED_NOT;
	}
	set_view_free(view);
	if (priv_filter_apply(w->p->filter, &e) == -1)
		log_fatal("%s", e.log);
}

static void
on_sigterm(int sig)
{
	(void)sig;
	end_wanted();
}

void
deliver_worker_run(struct service *s, const struct deliver_worker_params *p)
{
	static struct worker w;
	const struct sigaction sa = { .sa_handler = on_sigterm, .sa_flags = SA_RESTART };
	struct err e = ERR_INIT;
	int rc;

	w.service = s;
	w.p = p;
	w.reach = ARRAY_INIT(struct reach, REACH_MAX);
	w.hub_fd = p->hub_fd;
	w.helper = w.forwards = w.programs = (struct program_helper){ .sock = -1, .pid = -1 };
	w.used_ms = clock_ms();
	w.arena = arena_new(1 << 20);
	log_prefix("lmtp(%ld)", (long)getpid());
	if (w.arena == NULL || ipc_msg_init(&w.msg, &e) == -1)
		log_fatal("out of memory");
	log_fd = p->channel_fd;
	log_hook(on_log_line);
	/* The end of the channel ends it, never in the middle of a delivery; but one that waits for a lock waits no longer. */
	sigaction(SIGTERM, &sa, NULL);
	tzset();
	storage_stay();
	shut_in(&w);
	while (!w.ending) {
		/* With more work waiting the house can wait. */
		rc = ipc_recv_wait(p->channel_fd, &w.msg, 0, &e);
		if (rc == -1 && e.code == ERR_TIMEOUT) {
			int wait = keep_house(&w);

			if (clock_ms() - w.used_ms >= WORKER_IDLE_MS)
				break;
			rc = ipc_recv_wait(p->channel_fd, &w.msg, wait, &e);
		}
		if (rc == -1 && e.code == ERR_TIMEOUT)
			continue;
		if (rc != 1)
			break;
		if (w.msg.type == MSG_DELIVER)
			on_deliver(&w);
		else if (w.msg.type == MSG_FITS)
			on_fits(&w);
		else if (w.msg.type == MSG_CHANNEL)
			on_channel(&w);
		if (deliver_programs_gone(&w.programs))
			break;
	}
	for (size_t i = 0; i < DELIVER_STORAGES; i++)
		cached_close(&w.cache[i]);
	sieve_shelf_free(w.shelf);
	program_helper_stop(&w.programs);
	exit(0);
}
