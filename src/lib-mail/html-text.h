/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_HTML_TEXT_H
#define CULVER_LIB_MAIL_HTML_TEXT_H
/*
 * The text that a reader of an HTML part sees, roughly: without tags, comments, scripts and styles, with character
 * references decoded, white space made one space, and a line end where a block ends.  UTF-8 in and out.  Pure, one pass,
 * linear; never fails but for the buffer.  Not a sanitizer: the result is to be searched, not to be shown as HTML.
 */
#include "lib/buf.h"

void html_to_text(struct buf *out, struct span html);
#endif
