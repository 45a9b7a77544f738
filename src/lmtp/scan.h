/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LMTP_SCAN_H
#define CULVER_LMTP_SCAN_H
/* A message on its way in is shown to the spam scanner, once for all recipients, and gets its X-Spam fields. */
#include "lib-deliver/spam-scan.h"
#include "lmtp/session.h"

/*
 * Asks the scanner about the sealed message, and makes another with the fields that the settings want (and without those that
 * they do not want), which takes the place of fd; the old one is the caller's still.  Where nothing is to be changed *fd_out is
 * fd.  Whatever fails, the mail goes on unscanned, or waits: what spam_scanner_failure says.
 */
enum spam_fate lmtp_scan(const struct spam_scan *s, const struct lmtp_session *l, int fd, int *fd_out);
/*
 * The text as it goes on: fields in front, and those of the header that only a scanner may write left out.  Memory as with
 * message_seal.  -1: ERR_TEMP.
 */
int lmtp_scan_rewrite(struct span text, struct span fields, bool strip, int *fd_out, struct err *e);
#endif
