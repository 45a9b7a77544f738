/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_SCAN_H
#define CULVER_LIB_STORAGE_MAILDIR_SCAN_H
/* One scan of a mailbox's directories; shared by scan.c, scan-match.c and scan-new.c alone. */
#include "lib-storage/maildir/listing.h"
#include "lib-storage/maildir/uids-file.h"

struct scan_file {
	size_t name;		/* offset in names */
	uint64_t hash;		/* of the base */
	uint32_t order;		/* in the list */
	uint16_t len, base_len;
	uint8_t sub;
	uint32_t twin;		/* another with the same base: its index + 1; 0: none */
	bool known, skip;
	bool regular;		/* the directory says that it is a plain file */
	bool shared;		/* another file has the same base */
	/* of those that are new: */
	uint32_t uid;		/* it keeps, or 0 */
	uint32_t usec;
	int64_t sec;
};

struct scan {
	struct maildir_box *box;
	struct maildir_known recs;
	uint32_t listed;	/* files seen */
	struct buf names;
	struct scan_file *files;	/* those that are not as the index has them */
	size_t count, cap;
	uint32_t *table;	/* open addressing: index of a file + 1 */
	size_t mask;
	struct maildir_seal seal;
	bool exact, was_coarse;
	bool first;		/* nobody had looked, or the index is made anew */
	bool may_be_near, new_alone;	/* only new/ need be read; was */
	struct buf near;		/* what was in it */
	struct maildir_heads heads;
	/* What came out of it. */
	struct buf seen, gone, adds, text;
	size_t fresh;		/* files that are new */
	/* Lists of UIDs, only while the index is made anew: of other servers, and of files that kept their names. */
	struct maildir_list_file facts;
	struct maildir_uids uids;
	bool has_facts, has_uids;
	bool many;		/* new files keep their names */
	struct maildir_own own;		/* renames of ours, while it is taken in */
	uint32_t uidvalidity;
	uint64_t untold;	/* the state's dev, once the scan is committed */
};

/* NUL-terminated. */
static inline struct span
scan_file_name(const struct scan *s, const struct scan_file *f)
{
	return span_of(s->names.p + f->name, f->len);
}

static inline struct span
scan_file_base(const struct scan *s, const struct scan_file *f)
{
	return span_of(s->names.p + f->name, f->base_len);
}

/* scan-match.c: the files against the records: fills in seen, gone and fresh. */
int scan_match(struct scan *s, struct index_txn *t, struct err *e);

/* scan-new.c: gives UIDs to the files that are new, and names that carry them: fills in adds.  Afterwards the text moves no
 * more, and adds and seen point into it. */
int scan_take_new(struct scan *s, struct index_txn *t, struct idx_state *st, struct err *e);
#endif
