/* SPDX-License-Identifier: MIT */
/*
 * Our own changes to new/ and cur/, told from those of other programs.
 *
 * A change of ours gives its directory another time, so the index must note a new one (scan.c), which hides what anybody
 * else did between the last look and that.  The kernel tells: while we are at it, inotify counts the changes of the
 * directory, which are ours alone or the next sync reads it again.  A directory that is sealed under its lock has had each
 * change before counted, and each one later makes another time: nothing falls between.
 *
 * Where that can not be (file systems that other hosts change, no inotify instances left) what happens in these
 * microseconds is noticed by nobody: IDX_STATE_WINDOW remembers that this can have been, and maintenance scans again, when
 * that is cheap or some minutes have gone by.
 */
#include "lib-storage/maildir/listing.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lib/log.h"

#define CHANGES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define UNREAD_MOST 2048	/* events of ours that wait in the kernel, which holds 16,384 */
#define BLIND_MOST 128		/* events' worth of changes that are soon over */

/* One instance a process: a user has few of them, and closing one takes milliseconds. */
static struct {
	pid_t process;		/* a child of ours must not read the parent's */
	int fd;			/* -1: there is none to be had */
	struct maildir_own *first;
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

static int
instance(void)
{
	if (watching.process != getpid()) {
		watching.process = getpid();
		watching.first = NULL;
		watching.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (watching.fd == -1)
			log_debug("inotify: %s: directories are read again after changes", strerror(errno));
	}
	return watching.fd;
}

static void
count_event(const struct inotify_event *ev)
{
	for (struct maildir_own *o = watching.first; o != NULL; o = o->next) {
		for (int sub = 0; sub < 2; sub++) {
			if (ev->mask & IN_Q_OVERFLOW)
				o->lost = true;
			else if (ev->wd == o->wd[sub] && ev->mask & CHANGES)
				o->seen[sub]++;
		}
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

			count_event(ev);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
		/* A full read may have left some; an event is shorter than this. */
		if ((size_t)n < sizeof(room) - sizeof(struct inotify_event) - NAME_MAX - 1)
			break;
	}
}

void
maildir_own_begin(struct maildir_own *o, struct maildir_box *box, const struct idx_state *st)
{
	*o = (struct maildir_own){ .box = box, .st = st, .wd = { -1, -1 } };
}

static void
watch(struct maildir_own *o, int sub)
{
	struct maildir_box *box = o->box;
	char path[PATH_MAX];

	if (box->watchable == MAILDIR_WATCHABLE_UNKNOWN)
		box->watchable = is_shared_by_hosts(box->fd) ? MAILDIR_WATCHABLE_NOT : MAILDIR_WATCHABLE;
	if (box->watchable == MAILDIR_WATCHABLE_NOT || instance() == -1 ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s", box->path, maildir_subdirs[sub]) >= sizeof(path))
		return;
	if (!o->listed) {
		o->listed = true;
		o->next = watching.first;
		watching.first = o;
	}
	o->wd[sub] = inotify_add_watch(watching.fd, path, CHANGES | IN_ONLYDIR);
	/* A name that leads elsewhere now (a mailbox renamed) shows other changes than ours, or none: it is read again. */
}

void
maildir_own_will(struct maildir_own *o, int sub)
{
	if (o->begun[sub])
		return;
	o->begun[sub] = true;
	if (o->st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED))
		return;
	watch(o, sub);
	o->held[sub] = maildir_stamp_holds(o->box, o->st, sub);
}

void
maildir_own_did(struct maildir_own *o, int sub, unsigned events)
{
	o->events[sub] += events;
	o->unread += events;
	if (o->unread >= UNREAD_MOST && o->wd[sub] != -1) {
		o->unread = 0;
		read_events();
	}
}

static void
forget(struct maildir_own *o)
{
	for (struct maildir_own **p = &watching.first; *p != NULL; p = &(*p)->next) {
		if (*p == o) {
			*p = o->next;
			break;
		}
	}
	for (int sub = 0; sub < 2; sub++)
		if (o->wd[sub] != -1)
			inotify_rm_watch(watching.fd, o->wd[sub]);
	o->wd[SUB_NEW] = o->wd[SUB_CUR] = -1;
}

void
maildir_own_end(struct maildir_own *o, struct idx_state *st)
{
	if (o->box == NULL)
		return;
	for (int sub = 0; sub < 2 && st != NULL; sub++) {
		struct idx_stamp stamp;
		bool watched = o->wd[sub] != -1, fine;

		if (o->events[sub] == 0 || !o->held[sub])
			continue;
		fine = maildir_seal(o->box, sub, (st->bits & IDX_STATE_COARSE) != 0, &stamp);
		if (watched)
			read_events();
		if (watched ? o->lost || o->seen[sub] != o->events[sub] : o->events[sub] > BLIND_MOST)
			continue;
		st->stamp[sub] = stamp;
		if (!fine)
			st->bits |= IDX_STATE_COARSE;
		if (!watched)
			st->bits |= IDX_STATE_WINDOW;
	}
	forget(o);
	o->box = NULL;
}
