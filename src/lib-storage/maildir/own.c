/* SPDX-License-Identifier: MIT */
/*
 * Our own changes to new/ and cur/, told from those of other programs.
 *
 * A change of ours gives its directory another time, so the index must note a new one (scan.c), which hides what anybody
 * else did between the last look and that.  The kernel tells: while we are at it, inotify counts the changes of the
 * directory, which are ours alone or the next sync reads it again.  A directory that is sealed under its lock has had each
 * change before counted, and each one later makes another time: nothing falls between.
 *
 * Where that can not be (file systems that other hosts change, no inotify instances left, a process that is over soon) what happens in these
 * microseconds is noticed by nobody: IDX_STATE_WINDOW remembers that this can have been, and maintenance scans again, when
 * that is cheap or some minutes have gone by.
 */
#include "lib-storage/maildir/listing.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lib/log.h"

#define CHANGES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
#define UNREAD_MOST 2048	/* events of ours that wait in the kernel, which holds 16,384 */
#define BLIND_MOST 128		/* events' worth of changes that are soon over */
#define DIRS 32			/* that stay watched when their change is over: what is used again costs next to nothing */

struct watched {
	dev_t dev;
	ino_t ino;
	int wd;			/* -1: free */
	unsigned count;		/* of changes */
	uint64_t used;		/* those of a change under way are the latest */
};

/* One instance a process: a user has few of them, and closing one takes ten milliseconds. */
static struct {
	bool wanted;
	pid_t process;		/* a child of ours must not read the parent's */
	int fd;			/* -1: there is none to be had */
	struct watched dirs[DIRS];
	uint64_t used;
	unsigned lost;		/* how often events were */
} watching;

/* Linux's numbers of the file systems that several hosts mount (linux/magic.h has some of them). */
static bool
is_shared_by_hosts(int fd)
{
	static const uint32_t types[] = {
		0x6969,		/* NFS */
		0x517b, 0xff534d42, 0xfe534d42,		/* SMB */
		0x65735546,	/* FUSE: nobody knows what is behind it */
		0x00c36400,	/* Ceph */
		0x01021997,	/* 9P */
		0x7461636f,	/* OCFS2 */
		0x01161970,	/* GFS2 */
		0x0bd00bd0,	/* Lustre */
		0x47504653,	/* GPFS */
		0x19830326,	/* BeeGFS */
		0x5346414f, 0x6b414653,		/* AFS */
		0x73757245,	/* Coda */
	};
	struct statfs s;

	if (fstatfs(fd, &s) == -1)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((uint32_t)s.f_type == types[i])
			return true;
	return false;
}

void
maildir_own_watch(void)
{
	watching.wanted = true;
}

static bool
is_watching(void)
{
	if (!watching.wanted)
		return false;
	if (watching.process != getpid()) {
		watching.process = getpid();
		for (size_t i = 0; i < DIRS; i++)
			watching.dirs[i] = (struct watched){ .wd = -1 };
		watching.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (watching.fd == -1)
			log_debug("inotify: %s: directories are read again after changes", strerror(errno));
	}
	return watching.fd != -1;
}

static void
take_event(const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW)
		watching.lost++;
	for (size_t i = 0; i < DIRS; i++) {
		struct watched *w = &watching.dirs[i];

		if (w->wd != ev->wd || w->wd == -1)
			continue;
		/* The directory is gone; its number may come again. */
		if (ev->mask & IN_IGNORED)
			w->wd = -1;
		w->count++;
		return;
	}
}

static void
read_events(void)
{
	_Alignas(struct inotify_event) char room[16384];
	ssize_t n;

	while ((n = read(watching.fd, room, sizeof(room))) > 0) {
		for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(const void *)(room + at);

			take_event(ev);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
		/* A full read may have left some; an event is shorter than this. */
		if ((size_t)n < sizeof(room) - sizeof(struct inotify_event) - NAME_MAX - 1)
			break;
	}
}

static void
unwatch(struct watched *w)
{
	if (w->wd != -1)
		inotify_rm_watch(watching.fd, w->wd);
	*w = (struct watched){ .wd = -1 };
}

/* Where the directory is watched, or can be from now on; the one that was not used for longest goes. */
static struct watched *
place_of(const struct stat *sb)
{
	struct watched *oldest = &watching.dirs[0];

	for (size_t i = 0; i < DIRS; i++) {
		struct watched *w = &watching.dirs[i];

		if (w->wd != -1 && w->ino == sb->st_ino && w->dev == sb->st_dev)
			return w;
		if (w->used < oldest->used)
			oldest = w;
	}
	unwatch(oldest);
	oldest->dev = sb->st_dev;
	oldest->ino = sb->st_ino;
	return oldest;
}

/* The directory's changes are counted from now on; sb: as it is.  NULL: they are not. */
static struct watched *
watch(struct maildir_box *box, int sub, struct stat *sb)
{
	char path[PATH_MAX];
	struct watched *w;

	if (box->watchable == MAILDIR_WATCHABLE_UNKNOWN)
		box->watchable = is_shared_by_hosts(box->fd) ? MAILDIR_WATCHABLE_NOT : MAILDIR_WATCHABLE;
	if (box->watchable == MAILDIR_WATCHABLE_NOT || !is_watching())
		return NULL;
	read_events();
	if (fstatat(box->fd, maildir_subdirs[sub], sb, 0) == -1)
		return NULL;
	w = place_of(sb);
	w->used = ++watching.used;
	if (w->wd != -1)
		return w;
	/* A path that leads elsewhere now (a mailbox renamed) shows other changes than ours: that is noticed in the end. */
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", box->path, maildir_subdirs[sub]) < sizeof(path))
		w->wd = inotify_add_watch(watching.fd, path, CHANGES);
	if (w->wd == -1 || fstatat(box->fd, maildir_subdirs[sub], sb, 0) == -1 || sb->st_ino != w->ino) {
		unwatch(w);
		return NULL;
	}
	return w;
}

void
maildir_own_begin(struct maildir_own *o, struct maildir_box *box, const struct idx_state *st)
{
	*o = (struct maildir_own){ .box = box, .st = st };
}

void
maildir_own_will(struct maildir_own *o, int sub)
{
	struct watched *w;
	struct stat sb;

	if (o->begun[sub])
		return;
	o->begun[sub] = true;
	if (o->st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED))
		return;
	w = watch(o->box, sub, &sb);
	if (w == NULL) {
		o->held[sub] = maildir_stamp_holds(o->box, o->st, sub);
		return;
	}
	o->watched[sub] = w;
	o->before[sub] = w->count;
	if (o->watched[!sub] == NULL)	/* else what was lost since then would be forgotten */
		o->lost = watching.lost;
	o->held[sub] = maildir_stamp_is(&o->st->stamp[sub], &sb);
}

void
maildir_own_did(struct maildir_own *o, int sub, unsigned events)
{
	o->events[sub] += events;
	o->unread += events;
	if (o->unread >= UNREAD_MOST && o->watched[sub] != NULL) {
		o->unread = 0;
		read_events();
	}
}

/* Whether nobody else has changed the directory, which has been sealed. */
static bool
was_alone(struct maildir_own *o, int sub)
{
	struct watched *w = o->watched[sub];

	if (w == NULL)
		return o->events[sub] <= BLIND_MOST;
	read_events();
	if (w->wd != -1 && o->lost == watching.lost && w->count - o->before[sub] == o->events[sub])
		return true;
	unwatch(w);
	return false;
}

void
maildir_own_end(struct maildir_own *o, struct idx_state *st)
{
	for (int sub = 0; sub < 2 && st != NULL; sub++) {
		struct idx_stamp stamp;
		bool fine;

		if (o->events[sub] == 0 || !o->held[sub])
			continue;
		fine = maildir_seal(o->box, sub, (st->bits & IDX_STATE_COARSE) != 0, &stamp);
		if (!was_alone(o, sub))
			continue;
		st->stamp[sub] = stamp;
		if (!fine)
			st->bits |= IDX_STATE_COARSE;
		if (o->watched[sub] == NULL)
			st->bits |= IDX_STATE_WINDOW;
	}
}
