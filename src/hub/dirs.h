/* SPDX-License-Identifier: MIT */
#ifndef CULVER_HUB_DIRS_H
#define CULVER_HUB_DIRS_H
/*
 * Directories that programs outside of Culver change, watched by inotify in one instance for the whole server
 * (instances are scarce: 128 a user by default).  Subscribers of the same directory share a watch.  What can not be
 * watched (no right to, too many, a file system without events) is looked at every few seconds.
 */
#include "hub/watch.h"
#include "lib/err.h"

struct dirs;

struct dirs *dirs_new(struct ev_loop *loop, size_t max, struct err *e);
/* Watches the directory of fd (borrowed) for the link's subscription. */
void dirs_link(struct dirs *d, struct link *l, int fd);
void dirs_unlink(struct link *l);
void dirs_free(struct dirs *d);		/* all links must have gone; NULL is fine */
#endif
