/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LDA_SCAN_H
#define CULVER_LDA_SCAN_H
/* The message is shown to the spam scanner, where one is set up, and gets its X-Spam fields, as it does in LMTP. */
#include "lib-deliver/spam-scan.h"

struct lda_scan {
	struct spam_scan scan;
	enum spam_fate fate;
	struct buf fields;		/* for the front of the message; CRLF */
	struct buf stripped;		/* the message without forged fields; empty: as it is */
};

/* Before privileges are dropped: names are looked up. */
void lda_scan_init(struct lda_scan *s, const struct set_view *view);
/*
 * By the mail user, before the process is shut in.  Whatever fails is in the log, and the mail goes on unscanned, or waits: what
 * spam_scanner_failure says.  A stripped message that there is no memory for is left as it is.
 */
void lda_scan_message(struct lda_scan *s, struct span text, struct span sender, struct span recipient, struct span user);
void lda_scan_clear(struct lda_scan *s);
#endif
