/* SPDX-License-Identifier: MIT */
#ifndef CULVER_HUB_WATCH_H
#define CULVER_HUB_WATCH_H
/*
 * Who wants to know of which mailbox's changes.  A watcher (a worker, or hibernate) has subscriptions by numbers of its
 * own choice; each has a key, the opaque name of a mailbox, and up to two directories that outside programs change.
 *
 * A change is told at once; those that follow within WATCH_QUIET are told together at its end.
 */
#include <ev.h>
#include "lib/hash.h"
#include "lib/ipc-types.h"

#define WATCH_QUIET 0.02	/* seconds */
#define WATCH_RETRY 0.5
#define WATCH_DIRS 2

struct watches;
struct watcher;
struct subscription;

struct link {			/* a subscription and a directory of it (dirs.c) */
	struct link *prev, *next;	/* of the same directory */
	struct subscription *sub;
	struct dir *dir;		/* NULL: unused */
};

struct watches *watches_new(struct ev_loop *loop, size_t max);
void watches_free(struct watches *w);		/* all watchers must have gone */

/* tell: called from the loop or from watches_changed.  False: not now; it is told again after WATCH_RETRY. */
typedef bool watcher_tell(void *ctx, uint32_t id);
struct watcher *watcher_new(struct watches *w, size_t max, watcher_tell *tell, void *ctx);
void watcher_free(struct watcher *w);
/* Replaces the subscription id.  The links are the caller's to fill; they are there until on_unlink.  NULL: too many. */
struct link *watcher_subscribe(struct watcher *w, uint32_t id, struct span key);
void watcher_unsubscribe(struct watcher *w, uint32_t id);
/* Called for each used link of a subscription that ends. */
void watches_on_unlink(struct watches *w, void (*on_unlink)(struct link *l));

void watches_changed(struct watches *w, struct span key, const struct watcher *but);	/* but: who changed it, or NULL */
void subscription_changed(struct subscription *s);
size_t watches_count(const struct watches *w);
#endif
