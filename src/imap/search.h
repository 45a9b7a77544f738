/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_SEARCH_H
#define CULVER_IMAP_SEARCH_H
/* What SEARCH, SORT and THREAD share. */
#include "imap/session.h"
#include "lib-protocol/imap-search.h"

/* "*" in UID keys is the last UID of the view. */
struct search_limits imap_search_limits(struct imap_session *s);
/*
 * charset SP search-key *(SP search-key), as SORT and THREAD have them (RFC 5256 section 5).  False: s->reply says why.
 */
bool imap_arg_sort_query(struct imap_session *s, struct imap_in *in, struct search_query *out);
/* The sequence numbers (uint32_t, ascending) of what q finds, and their highest modseq. */
int imap_search_seqs(struct imap_session *s, const struct search_query *q, struct array *seqs, uint64_t *modseq_out,
    struct err *e);
#endif
