/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_SUBJECT_H
#define CULVER_LIB_MAIL_SUBJECT_H
/*
 * The base subject of RFC 5256 section 2.1: what SORT (SUBJECT) and THREAD compare.  UTF-8 in upper/lower case as it was
 * (compare through charset_fold()); a part of value, or in room, where that has to be written: valid as long as both.  What
 * room has not room for is left out.  *is_reply_out: the subject was that of a reply or forward.
 */
#include "lib/buf.h"
#include "lib-mail/charset.h"

struct span subject_base(struct charset_cache *cache, struct buf *room, struct span value, bool *is_reply_out);
#endif
