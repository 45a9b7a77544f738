/* SPDX-License-Identifier: MIT */
#include "hub/watch.h"

#include <stdlib.h>

struct subscription {
	struct subscription *prev, *next;	/* of the same key */
	struct subscription *dirty_prev, *dirty_next;
	struct subscription *own_prev, *own_next;	/* of the same watcher */
	struct watcher *watcher;
	struct key *key;
	uint32_t id;
	bool dirty, has_told;
	ev_tstamp told;
	struct link links[WATCH_DIRS];
};

struct key {
	struct subscription *first;
	size_t n;
	char octets[WATCH_KEY_MAX];
};

struct watcher {
	struct watches *watches;
	struct hash *by_id;
	struct subscription *first;
	watcher_tell *tell;
	void *ctx;
};

struct watches {
	struct ev_loop *loop;
	struct hash *keys;
	struct subscription *dirty;
	ev_timer timer;
	void (*on_unlink)(struct link *l);
	size_t count, max;
};

static bool
tell(struct subscription *s)
{
	if (!s->watcher->tell(s->watcher->ctx, s->id))
		return false;
	s->told = ev_now(s->watcher->watches->loop);
	s->has_told = true;
	return true;
}

static void
make_clean(struct subscription *s)
{
	struct watches *w = s->watcher->watches;

	if (!s->dirty)
		return;
	s->dirty = false;
	if (s->dirty_prev != NULL)
		s->dirty_prev->dirty_next = s->dirty_next;
	else
		w->dirty = s->dirty_next;
	if (s->dirty_next != NULL)
		s->dirty_next->dirty_prev = s->dirty_prev;
	if (w->dirty == NULL)
		ev_timer_stop(w->loop, &w->timer);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watches *w = timer->data;
	struct subscription *next;

	(void)revents;
	for (struct subscription *s = w->dirty; s != NULL; s = next) {
		next = s->dirty_next;
		if (tell(s))
			make_clean(s);
	}
	if (w->dirty != NULL) {		/* of those who do not read what they are told */
		ev_timer_set(timer, WATCH_RETRY, 0.);
		ev_timer_start(loop, timer);
	}
}

void
subscription_changed(struct subscription *s)
{
	struct watches *w = s->watcher->watches;

	if (s->dirty)
		return;
	if ((!s->has_told || ev_now(w->loop) - s->told >= WATCH_QUIET) && tell(s))
		return;
	s->dirty = true;
	s->dirty_prev = NULL;
	s->dirty_next = w->dirty;
	if (s->dirty_next != NULL)
		s->dirty_next->dirty_prev = s;
	w->dirty = s;
	if (!ev_is_active(&w->timer)) {
		ev_timer_set(&w->timer, WATCH_QUIET, 0.);
		ev_timer_start(w->loop, &w->timer);
	}
}

struct watches *
watches_new(struct ev_loop *loop, size_t max)
{
	struct watches *w = calloc(1, sizeof(*w));

	if (w == NULL || (w->keys = hash_new(max)) == NULL) {
		free(w);
		return NULL;
	}
	w->loop = loop;
	w->max = max;
	ev_timer_init(&w->timer, on_timer, 0., 0.);
	w->timer.data = w;
	return w;
}

void
watches_free(struct watches *w)
{
	if (w == NULL)
		return;
	ev_timer_stop(w->loop, &w->timer);
	hash_free(w->keys);
	free(w);
}

void
watches_on_unlink(struct watches *w, void (*on_unlink)(struct link *l))
{
	w->on_unlink = on_unlink;
}

size_t
watches_count(const struct watches *w)
{
	return w->count;
}

struct watcher *
watcher_new(struct watches *w, size_t max, watcher_tell *on_tell, void *ctx)
{
	struct watcher *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->by_id = hash_new(max)) == NULL) {
		free(r);
		return NULL;
	}
	r->watches = w;
	r->tell = on_tell;
	r->ctx = ctx;
	return r;
}

static void
subscription_free(struct subscription *s)
{
	struct watches *w = s->watcher->watches;
	struct key *k = s->key;

	make_clean(s);
	for (size_t i = 0; i < WATCH_DIRS; i++)
		if (s->links[i].dir != NULL && w->on_unlink != NULL)
			w->on_unlink(&s->links[i]);
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		k->first = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	if (k->first == NULL) {
		hash_remove(w->keys, span_of(k->octets, k->n));
		free(k);
	}
	if (s->own_prev != NULL)
		s->own_prev->own_next = s->own_next;
	else
		s->watcher->first = s->own_next;
	if (s->own_next != NULL)
		s->own_next->own_prev = s->own_prev;
	hash_remove(s->watcher->by_id, span_of(&s->id, sizeof(s->id)));
	w->count--;
	free(s);
}

void
watcher_free(struct watcher *w)
{
	if (w == NULL)
		return;
	while (w->first != NULL)
		subscription_free(w->first);
	hash_free(w->by_id);
	free(w);
}

static struct key *
key_get(struct watches *w, struct span octets)
{
	struct key *k = hash_get(w->keys, octets);

	if (k != NULL || octets.n > WATCH_KEY_MAX || (k = calloc(1, sizeof(*k))) == NULL)
		return k;
	k->n = octets.n;
	if (octets.n > 0)
		memcpy(k->octets, octets.p, octets.n);
	if (!hash_set(w->keys, octets, k)) {
		free(k);
		return NULL;
	}
	return k;
}

struct link *
watcher_subscribe(struct watcher *w, uint32_t id, struct span octets)
{
	struct watches *all = w->watches;
	struct subscription *s;
	struct key *k;

	watcher_unsubscribe(w, id);
	if (all->count >= all->max || (k = key_get(all, octets)) == NULL)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL || !hash_set(w->by_id, span_of(&id, sizeof(id)), s)) {
		free(s);
		if (k->first == NULL) {
			hash_remove(all->keys, octets);
			free(k);
		}
		return NULL;
	}
	s->watcher = w;
	s->key = k;
	s->id = id;
	s->next = k->first;
	if (s->next != NULL)
		s->next->prev = s;
	k->first = s;
	s->own_next = w->first;
	if (s->own_next != NULL)
		s->own_next->own_prev = s;
	w->first = s;
	for (size_t i = 0; i < WATCH_DIRS; i++)
		s->links[i].sub = s;
	all->count++;
	return s->links;
}

void
watcher_unsubscribe(struct watcher *w, uint32_t id)
{
	struct subscription *s = hash_get(w->by_id, span_of(&id, sizeof(id)));

	if (s != NULL)
		subscription_free(s);
}

void
watches_changed(struct watches *w, struct span key, const struct watcher *but)
{
	struct key *k = hash_get(w->keys, key);

	if (k == NULL)
		return;
	for (struct subscription *s = k->first; s != NULL; s = s->next)
		if (s->watcher != but)
			subscription_changed(s);
}
