/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_SUBJECT_H
#define CULVER_LIB_MAIL_SUBJECT_H
/*
 * The base subject of RFC 5256 section 2.1: what SORT (SUBJECT) and THREAD compare.  Appended as UTF-8 in upper/lower
 * case as it was; compare through charset_fold().  Returns whether the subject was that of a reply or forward.
 */
#include "lib/buf.h"
#include "lib-mail/charset.h"

bool subject_base(struct charset_cache *cache, struct buf *out, struct span value);
#endif
