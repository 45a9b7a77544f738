/* SPDX-License-Identifier: MIT */
#include "lib/err.h"
#include "hub/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"

#define POLL_EVERY 3.		/* seconds */
#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
#define EVENTS_FILE (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)	/* of an mbox */

struct dir {
	struct dirs *dirs;
	struct link *first;
	struct dir *poll_prev, *poll_next;
	int wd;			/* -1: polled */
	int fd;			/* of a polled one; -1 */
	struct { dev_t dev; ino_t ino; } key;
	struct timespec mtime;
};

struct dirs {
	struct ev_loop *loop;
	int inotify_fd;
	ev_io io;
	ev_timer timer;
	struct hash *by_wd, *polled_by_key;
	struct dir *polled;
	bool told;		/* the log knows that some are polled */
};

static void
dir_changed(struct dir *d)
{
	for (struct link *l = d->first; l != NULL; l = l->next)
		subscription_changed(l->sub);
}

static void
on_events(struct ev_loop *loop, ev_io *w, int revents)
{
	struct dirs *all = w->data;
	_Alignas(struct inotify_event) char room[65536];
	ssize_t n;

	(void)loop;
	(void)revents;
	n = read(all->inotify_fd, room, sizeof(room));
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *ev = (const struct inotify_event *)(const void *)(room + at);
		struct dir *d = hash_get(all->by_wd, span_of(&ev->wd, sizeof(ev->wd)));

		at += (ssize_t)(sizeof(*ev) + ev->len);
		if ((ev->mask & IN_Q_OVERFLOW) != 0) {
			/* Nobody knows what was lost: all look. */
			struct span key;
			void *value;
			size_t pos = 0;

			while (hash_next(all->by_wd, &pos, &key, &value))
				dir_changed(value);
		} else if (d != NULL)
			dir_changed(d);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dirs *all = w->data;

	(void)loop;
	(void)revents;
	for (struct dir *d = all->polled; d != NULL; d = d->poll_next) {
		struct stat st;

		if (fstat(d->fd, &st) == -1 ||
		    (st.st_mtim.tv_sec == d->mtime.tv_sec && st.st_mtim.tv_nsec == d->mtime.tv_nsec))
			continue;
		d->mtime = st.st_mtim;
		dir_changed(d);
	}
}

struct dirs *
dirs_new(struct ev_loop *loop, size_t max, struct err *e)
{
	struct dirs *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->by_wd = hash_new(max)) == NULL || (d->polled_by_key = hash_new(1 << 20)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	d->loop = loop;
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify_fd == -1)
		log_warning("inotify: %s: changes by other programs are looked for every %.0f seconds", strerror(errno),
			    POLL_EVERY);
	else {
		ev_io_init(&d->io, on_events, d->inotify_fd, EV_READ);
		d->io.data = d;
		ev_io_start(loop, &d->io);
	}
	ev_timer_init(&d->timer, on_timer, POLL_EVERY, POLL_EVERY);
	d->timer.data = d;
	return d;
}

static void
join(struct link *l, struct dir *d)
{
	l->dir = d;
	l->prev = NULL;
	l->next = d->first;
	if (l->next != NULL)
		l->next->prev = l;
	d->first = l;
}

/* A watched directory; NULL: it can not be watched. */
static struct dir *
watched(struct dirs *all, int fd)
{
	struct dir *d;
	struct stat st;
	char path[64];
	int wd;

	if (all->inotify_fd == -1 || fstat(fd, &st) == -1)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(all->inotify_fd, path, S_ISDIR(st.st_mode) ? EVENTS : EVENTS_FILE);
	if (wd == -1) {
		if (!all->told)
			log_warning("inotify: %s: some changes by other programs are looked for every %.0f seconds",
				    strerror(errno), POLL_EVERY);
		all->told = true;
		return NULL;
	}
	d = hash_get(all->by_wd, span_of(&wd, sizeof(wd)));
	if (d != NULL)
		return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL || !hash_set(all->by_wd, span_of(&wd, sizeof(wd)), d)) {
		inotify_rm_watch(all->inotify_fd, wd);
		free(d);
		return NULL;
	}
	d->dirs = all;
	d->wd = wd;
	d->fd = -1;
	return d;
}

static struct dir *
polled(struct dirs *all, int fd)
{
	struct dir *d, fresh;
	struct stat st;

	memset(&fresh, 0, sizeof(fresh));
	if (fstat(fd, &st) == -1)
		return NULL;
	fresh.key.dev = st.st_dev;
	fresh.key.ino = st.st_ino;
	d = hash_get(all->polled_by_key, span_of(&fresh.key, sizeof(fresh.key)));
	if (d != NULL)
		return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	*d = fresh;
	d->dirs = all;
	d->wd = -1;
	d->mtime = st.st_mtim;
	d->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (d->fd == -1 || !hash_set(all->polled_by_key, span_of(&d->key, sizeof(d->key)), d)) {
		if (d->fd != -1)
			close(d->fd);
		free(d);
		return NULL;
	}
	d->poll_next = all->polled;
	if (d->poll_next != NULL)
		d->poll_next->poll_prev = d;
	all->polled = d;
	if (!ev_is_active(&all->timer))
		ev_timer_again(all->loop, &all->timer);
	return d;
}

void
dirs_link(struct dirs *all, struct link *l, int fd)
{
	struct dir *d = watched(all, fd);

	if (d == NULL)
		d = polled(all, fd);
	if (d != NULL)
		join(l, d);
}

void
dirs_unlink(struct link *l)
{
	struct dir *d = l->dir;
	struct dirs *all = d->dirs;

	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		d->first = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	l->dir = NULL;
	if (d->first != NULL)
		return;
	if (d->wd != -1) {
		inotify_rm_watch(all->inotify_fd, d->wd);
		hash_remove(all->by_wd, span_of(&d->wd, sizeof(d->wd)));
	} else {
		hash_remove(all->polled_by_key, span_of(&d->key, sizeof(d->key)));
		if (d->poll_prev != NULL)
			d->poll_prev->poll_next = d->poll_next;
		else
			all->polled = d->poll_next;
		if (d->poll_next != NULL)
			d->poll_next->poll_prev = d->poll_prev;
		close(d->fd);
		if (all->polled == NULL)
			ev_timer_stop(all->loop, &all->timer);
	}
	free(d);
}

void
dirs_free(struct dirs *d)
{
	if (d == NULL)
		return;
	ev_timer_stop(d->loop, &d->timer);
	if (d->inotify_fd != -1) {
		ev_io_stop(d->loop, &d->io);
		close(d->inotify_fd);
	}
	hash_free(d->by_wd);
	hash_free(d->polled_by_key);
	free(d);
}
