/* SPDX-License-Identifier: MIT */
#include "auth/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct workers {
	struct ev_loop *loop;
	ev_async wake;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *first, **last;	/* waiting */
	struct job *ended;
	size_t queued, queue_max;
	unsigned count, idle, max;
	bool stop;
	pthread_t threads[];
};

static void *
worker_main(void *arg)
{
	struct workers *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct job *j = w->first;

		if (j == NULL) {
			w->idle++;
			pthread_cond_wait(&w->work, &w->lock);
			w->idle--;
			continue;
		}
		w->first = j->next;
		if (w->first == NULL)
			w->last = &w->first;
		w->queued--;
		pthread_mutex_unlock(&w->lock);
		j->run(j);
		pthread_mutex_lock(&w->lock);
		j->next = w->ended;
		w->ended = j;
		ev_async_send(w->loop, &w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void
deliver(struct workers *w)
{
	struct job *j;

	pthread_mutex_lock(&w->lock);
	j = w->ended;
	w->ended = NULL;
	pthread_mutex_unlock(&w->lock);
	while (j != NULL) {
		struct job *next = j->next;

		j->done(j);
		j = next;
	}
}

static void
on_wake(struct ev_loop *loop, ev_async *a, int revents)
{
	(void)loop;
	(void)revents;
	deliver(a->data);
}

struct workers *
workers_new(struct ev_loop *loop, unsigned max, size_t queue_max)
{
	struct workers *w;

	if (max == 0)
		max = 1;
	w = calloc(1, sizeof(*w) + max * sizeof(w->threads[0]));
	if (w == NULL)
		return NULL;
	w->loop = loop;
	w->max = max;
	w->queue_max = queue_max;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	ev_async_init(&w->wake, on_wake);
	w->wake.data = w;
	ev_async_start(loop, &w->wake);
	ev_unref(loop);		/* threads that wait keep no loop alive */
	return w;
}

void
workers_free(struct workers *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->threads[i], NULL);
	deliver(w);
	while (w->first != NULL) {
		struct job *j = w->first;

		w->first = j->next;
		j->done(j);
	}
	ev_ref(w->loop);
	ev_async_stop(w->loop, &w->wake);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Signals are the loop's business: a thread is started with all of them blocked. */
static void
start_thread(struct workers *w)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&w->threads[w->count], NULL, worker_main, w) == 0)
		w->count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool
workers_submit(struct workers *w, struct job *j)
{
	bool taken = false;

	pthread_mutex_lock(&w->lock);
	if (w->queued < w->queue_max) {
		if (w->idle <= w->queued && w->count < w->max)
			start_thread(w);
		if (w->count > 0) {
			j->next = NULL;
			*w->last = j;
			w->last = &j->next;
			w->queued++;
			taken = true;
			pthread_cond_signal(&w->work);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}

size_t
workers_queued(struct workers *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->queued;
	pthread_mutex_unlock(&w->lock);
	return n;
}
