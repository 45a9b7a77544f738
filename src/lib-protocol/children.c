/* SPDX-License-Identifier: MIT */
#include "lib-protocol/children.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/hash.h"
#include "lib/log.h"

#define CHILDREN_MAX 1000000

struct child {
	pid_t pid;
	void *data;
};

struct children {
	struct service *service;
	uint32_t limit;
	children_end *on_end;
	void *ctx;
	struct hash *by_pid;	/* of struct child */
	size_t resting;
	uint32_t besides;
	bool finishing, tell_all;
	ev_child reaper;
	ev_timer grace;
};

static void
tell(struct children *c)
{
	service_busy(c->service, (uint32_t)children_count(c) + c->besides);
}

static void
on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct children *c = w->data;
	pid_t pid = w->rpid;
	int status = w->rstatus;
	struct child *child;
	void *data;

	(void)revents;
	if (!WIFEXITED(status) && !WIFSIGNALED(status))
		return;
	child = hash_remove(c->by_pid, span_of(&pid, sizeof(pid)));
	if (child == NULL)
		return;
	data = child->data;
	free(child);
	/* Whoever we told to end has done as he was told, however he did it. */
	if (c->finishing && !c->tell_all && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		status = 0;
	if (c->on_end != NULL)
		c->on_end(c->ctx, pid, status, data);
	tell(c);
	if (c->finishing && hash_count(c->by_pid) == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
signal_all(struct children *c, int sig)
{
	struct span key;
	void *value;
	size_t pos = 0;

	while (hash_next(c->by_pid, &pos, &key, &value))
		kill(((struct child *)value)->pid, sig);
}

static void
on_grace(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct children *c = w->data;

	(void)loop;
	(void)revents;
	log_warning("%zu sessions did not end in time and are killed", hash_count(c->by_pid));
	signal_all(c, SIGKILL);
}

struct children *
children_new(struct service *s, uint32_t limit, children_end *on_end, void *ctx)
{
	struct children *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->by_pid = hash_new(CHILDREN_MAX)) == NULL) {
		free(c);
		return NULL;
	}
	c->service = s;
	c->limit = limit;
	c->on_end = on_end;
	c->ctx = ctx;
	ev_child_init(&c->reaper, on_child, 0, 0);
	c->reaper.data = c;
	ev_child_start(s->loop, &c->reaper);
	ev_timer_init(&c->grace, on_grace, 0., 0.);
	c->grace.data = c;
	return c;
}

size_t
children_count(const struct children *c)
{
	return hash_count(c->by_pid) - c->resting;
}

size_t
children_resting(const struct children *c)
{
	return c->resting;
}

void
children_tell_all(struct children *c)
{
	c->tell_all = true;
}

void
children_besides(struct children *c, uint32_t count)
{
	c->besides = count;
	tell(c);
}

void
children_rest(struct children *c, int change)
{
	c->resting += (size_t)change;
	tell(c);
}

bool
children_full(const struct children *c)
{
	return children_count(c) >= c->limit;
}

pid_t
children_fork(struct children *c, const int *keep, size_t count, void *data, struct err *e)
{
	struct child *child;
	sigset_t term, before;
	pid_t pid;

	if (c->finishing)
		return err_set(e, ERR_TEMP, "the service is about to end");
	if (children_full(c))
		return err_set(e, ERR_LIMIT, "process_limit (%u) reached", c->limit);
	child = calloc(1, sizeof(*child));
	/* Told to end before it is itself, a child would take that for the parent's and forget it. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	pid = child == NULL ? -1 : fork();
	if (pid == 0)
		service_child(c->service, keep, count);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid == -1) {
		free(child);
		return err_errno(e, "fork");
	}
	if (pid == 0) {
		free(child);	/* it is the parent's */
		return 0;
	}
	child->pid = pid;
	child->data = data;
	if (!hash_set(c->by_pid, span_of(&pid, sizeof(pid)), child)) {
		/* It must not run unknown: nobody would see its end. */
		free(child);
		kill(pid, SIGKILL);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	tell(c);
	return pid;
}

bool
children_signal(struct children *c, pid_t pid, int sig)
{
	if (hash_get(c->by_pid, span_of(&pid, sizeof(pid))) == NULL)
		return false;
	return kill(pid, sig) == 0;
}

void
children_finish(struct children *c, double grace)
{
	if (c->finishing)
		return;
	c->finishing = true;
	if (hash_count(c->by_pid) == 0) {
		ev_break(c->service->loop, EVBREAK_ALL);
		return;
	}
	signal_all(c, SIGTERM);
	ev_timer_set(&c->grace, grace, 0.);
	ev_timer_start(c->service->loop, &c->grace);
}
