/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_PROCMAIL_FOLDER_H
#define CULVER_LIB_DELIVER_PROCMAIL_FOLDER_H
/* Files of mail that recipes name by a path: mbox, a directory, MH, Maildir. */
#include "lib-deliver/procmail-host.h"

#define PROCMAIL_PATH 4096

/* dir and name as a path; an absolute name is one already. */
int procmail_path(struct span dir, struct span name, char out[PROCMAIL_PATH], struct err *e);

/*
 * Writes d->text there, whole or not at all: an mbox file is cut to its former size again.  Several directories get links
 * to one file.  *out: the files' names, with spaces between.  0: it is on disk.
 */
int procmail_folder_save(struct procmail_files *f, const struct procmail_delivery *d, struct buf *out, struct err *e);
#endif
