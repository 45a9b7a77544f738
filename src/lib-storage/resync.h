/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_RESYNC_H
#define CULVER_LIB_STORAGE_RESYNC_H
/* For administrators: the index verified, made anew, compacted, counted.  A user's storage has an index for each location. */
#include "lib-index/check.h"
#include "lib-storage/storage.h"

/* Forgets all that the index knows of a mailbox's messages, and takes it from the mail again, with the same UIDs. */
int storage_rebuild(struct storage *st, struct span name, struct err *e);
/* index_verify() of one mailbox; name empty: of all. */
int storage_verify(struct storage *st, struct span name, index_finding_fn *on_finding, void *ctx, struct index_verdict *out,
    struct err *e);

size_t storage_index_count(const struct storage *st);
const char *storage_index_path(const struct storage *st, size_t i);
int storage_index_compact(struct storage *st, size_t i, uint64_t *before_out, uint64_t *after_out, struct err *e);
int storage_index_stats(struct storage *st, size_t i, struct index_stats *out, struct err *e);
#endif
