/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_RECIPIENT_FILE_H
#define CULVER_LIB_DELIVER_RECIPIENT_FILE_H
/* Messages outside of mailboxes: as programs get them, and at the end of files. */
#include "lib/buf.h"
#include "lib/err.h"

/*
 * A message as Unix programs know it: a From line, the header that is put in front, the message, with LF at the line ends.
 * mbox: lines that would begin another message have a > in front, and an empty line ends it.
 */
void recipient_text_write(struct buf *out, struct span sender, int64_t now, struct span header, struct span message, bool mbox);

/*
 * Appends text (of recipient_text_write()) to a file, which is made when it is not there; a link, and what is no plain file, is
 * refused, and what may be executed.  Locked as mail programs lock: path.lock where the directory lets us make one, then
 * fcntl.  0: it is on disk.  What can not be written whole is taken away again.
 */
int recipient_file_append(const char *path, struct span text, struct err *e);
#endif
