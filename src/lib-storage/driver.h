/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_DRIVER_H
#define CULVER_LIB_STORAGE_DRIVER_H
/*
 * What differs between kinds of storage.  A driver is reached through its table alone.  `sync' and `commit' own the write
 * transaction on the index: nobody above takes a UID or a MODSEQ, builds a path, or holds a lock over a call.
 *
 * Mailbox names down here: UTF-8, levels joined by '/', "INBOX" for the inbox; already checked (mailbox-name.h).
 */
#include <sys/types.h>
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/pack.h"
#include "lib-index/change.h"

enum drv_rc {
	DRV_OK,
	DRV_CONFLICT,		/* the state a change set names has moved: make it anew */
	DRV_GONE,		/* the message or mailbox is not there any more */
	DRV_FULL,
	DRV_UNAVAILABLE,
	DRV_UNKNOWN,		/* it may have happened or not: ask outcome() */
	DRV_CORRUPT,
	DRV_ERROR,		/* anything else: struct err tells */
};

enum driver_caps {
	DRV_OUTSIDE_CHANGES = 1 << 0,	/* other programs change the mail: sync looks */
	DRV_SHARED_BODIES = 1 << 1,	/* a copy can share the body */
	DRV_PACKED_BODIES = 1 << 2,	/* a body that begins like a compressed file is one (lib/pack.h) */
};

enum fsync_mode { FSYNC_OPTIMIZED, FSYNC_NEVER, FSYNC_ALWAYS };	/* in the order of mail_fsync's words */

/* Locks on mbox files: in the order in which they are taken, MBOX_LOCK_NONE behind the last. */
enum mbox_lock_method { MBOX_LOCK_NONE, MBOX_LOCK_DOTLOCK, MBOX_LOCK_DOTLOCK_TRY, MBOX_LOCK_FCNTL, MBOX_LOCK_FLOCK,
	MBOX_LOCK_LOCKF };
#define MBOX_LOCKS_MAX 5

struct mbox_params {
	enum mbox_lock_method read_locks[MBOX_LOCKS_MAX], write_locks[MBOX_LOCKS_MAX];
	unsigned lock_timeout_ms, dotlock_change_ms;
	bool lazy_writes, dirty_syncs, very_dirty_syncs;
};

struct store_params {
	const char *root, *inbox, *control;	/* absolute paths; inbox, control: NULL as root */
	const char *index;			/* NULL: the index is in the root */
	const char *dirname, *subscriptions;	/* NULL: none; of the file "subscriptions" */
	bool fs_layout;				/* folders are directories in directories */
	bool full_dirname, utf8, no_noselect;	/* see location.h */
	struct mbox_params mbox;
	enum fsync_mode fsync;
	bool flags_immediate, copy_by_link, distrust_sizes;	/* distrust_sizes: W= in names is not believed */
	unsigned max_keywords;
	int64_t tmp_age_s, tmp_interval_s;	/* left-over files of this age are removed, looked for that often; age 0: never */
	enum pack_kind pack;			/* how new mail is stored */
	int pack_level;
};

struct box_entry {
	struct span name;
	bool selectable;
	bool leaf;			/* can have no mailboxes below it */
};

/* What a record that was made of a file's name alone (IDX_BY_NAME) lacks. */
struct file_facts {
	int64_t internal_date;
	uint64_t octets;
};

/* Where the octets of one message are.  fd is the caller's to close. */
struct extent {
	int fd;
	uint64_t offset, length;
	uint64_t plain_length;		/* what the length is when it is not compressed, as far as that is told; 0: unknown */
	struct file_facts facts;
	bool facts_wanted;		/* the record has not got them */
};

struct stage_result {
	uint64_t size, virtual_size;	/* virtual_size: IDX_SIZE_UNKNOWN when the octets are stored as they came */
	uint64_t packed_size;		/* of the file, when it is compressed; else 0 */
	int64_t internal_date;
	struct span content;		/* all of it, when it is still in memory; else p is NULL */
	int fd;				/* else: a file of it (not compressed), borrowed */
};

struct mailbox_uidl;		/* mailbox.h */

/* Giving mailboxes to another server. */
struct release_params {
	bool dry_run;
	const struct mailbox_uidl *uidls;	/* what POP3 calls messages, where the other server would not know it; by UID */
	size_t count;
};
struct release_report {
	uint32_t messages, uidvalidity, uidnext;
	uint32_t bare;		/* messages that lose keywords, which the other server has no place for */
};
/* Whose a mailbox is: for all but HELD_HERE the first that opens it takes it over; what was released is refused. */
enum held_by { HELD_UNKNOWN, HELD_BY_NOBODY, HELD_HERE, HELD_RELEASED, HELD_BY_DOVECOT, HELD_BY_COURIER };
typedef void driver_finding_fn(void *ctx, const char *text);

struct driver {
	const char *name;
	unsigned caps;
	/* A user's location; ix is the caller's and outlives the store. */
	enum drv_rc (*open)(const struct store_params *p, struct index *ix, void **store_out, struct err *e);
	void (*close)(void *store);
	/* What there is, in no order; in arena.  Names that can not be shown are left out. */
	enum drv_rc (*list)(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e);
	/* One name: 1 holds mail, 2 a name alone, 0 not there. */
	int (*exists)(void *store, struct span name);

	/* DRV_GONE: there is no such mailbox.  INBOX is made when it is missing. */
	enum drv_rc (*box_open)(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e);
	void (*box_close)(void *box);
	/* Bring the index up to what others did to the mail: cheap when that is nothing; thorough: whatever it costs. */
	enum drv_rc (*sync)(void *box, bool thorough, struct err *e);
	/* Make cs true, whole or not at all.  Fills in UIDs and MODSEQ. */
	enum drv_rc (*commit)(void *store, struct change_set *cs, struct err *e);
	enum drv_rc (*outcome)(void *store, struct change_set *cs, bool *happened_out, struct err *e);

	/* A place to write a body: bytes as they are to be stored. */
	enum drv_rc (*stage_open)(void *box, void **stage_out, struct err *e);
	enum drv_rc (*stage_write)(void *stage, struct span bytes, struct err *e);
	/* Whole, not yet visible; commit makes it durable (as fsync says) first.  internal_date INT64_MIN: now. */
	enum drv_rc (*stage_finish)(void *stage, int64_t internal_date, struct stage_result *out, struct err *e);
	/* What *out of stage_finish holds is not needed any more: many may wait for one commit. */
	enum drv_rc (*stage_rest)(void *stage, struct err *e);
	void (*stage_abort)(void *stage);	/* frees; also after a commit, when it has become a message */

	/* Writes what the other server needs to go on, and gives the mailbox up: the handle may only be closed then.  NULL, all
	 * three: there is nothing to give, or to take. */
	enum drv_rc (*release)(void *box, const struct release_params *p, struct release_report *out, struct err *e);
	enum held_by (*held_by)(void *store, struct span name, struct err *e);	/* HELD_UNKNOWN: e says why */
	/* What was released may be opened again, and is taken over then. */
	enum drv_rc (*take_back)(void *store, struct span name, struct err *e);
	/* What the file name in the message's record, and other servers, call it: both "" where there is nothing such; guid NULL: not
	 * wanted.  NULL: no message has such names. */
	enum drv_rc (*names)(void *box, uint32_t uid, struct span record_name, char file[256], char guid[256], struct err *e);
	/* Keeps POP3's names durably; the index is the caller's.  NULL: there is no place for them. */
	enum drv_rc (*uidls_save)(void *box, const struct mailbox_uidl *list, size_t count, struct err *e);
	enum drv_rc (*body_open)(void *box, uint32_t uid, struct extent *out, struct err *e);
	/* Without opening it.  NULL: there is no IDX_BY_NAME. */
	enum drv_rc (*look)(void *box, uint32_t uid, struct file_facts *out, struct err *e);
	/* Small files of the user by name: "subscriptions".  Replaced whole. */
	enum drv_rc (*blob_get)(void *store, const char *name, size_t max, struct buf *out, struct err *e);
	enum drv_rc (*blob_put)(void *store, const char *name, struct span content, struct err *e);
	/* The directory of one mailbox for small files about it (its access control list), opened; name empty: of the store.
	 * DRV_GONE: there is none.  NULL: there never is. */
	enum drv_rc (*box_dir)(void *store, struct span name, int *fd_out, struct err *e);
	/* What the file of annotations is called there; with "-server" behind it, that of the server's.  NULL: none is kept. */
	const char *metadata;
	/* What the server that the mailbox was taken over from called it (a GUID); empty: it was not, or that is not known.  NULL:
	 * it never is. */
	int (*foreign_guid)(void *box, char out[65], struct err *e);
	/* Keyword names of bits; create adds those missing.  After it the index knows them. */
	enum drv_rc (*keywords_add)(void *box, const struct span *names, size_t count, struct err *e);
	unsigned (*keywords_max)(void *box);

	/* Work behind: flags into file names, sweep of left-over files. */
	enum drv_rc (*maintain)(void *box, struct err *e);
	bool (*is_due)(void *box);		/* whether flags wait to be written behind */
	/*
	 * Compares the mail, what the driver keeps beside it, and the index, and tells what does not agree (NULL: nothing to
	 * compare).  repair: puts its own files right; a thorough sync follows.
	 */
	enum drv_rc (*check)(void *box, bool repair, driver_finding_fn *fn, void *ctx, struct err *e);
	void (*watch_dirs)(void *box, int dirs_out[2]);	/* directories, or a file; borrowed, -1: none */
};

extern const struct driver maildir_driver, mbox_driver;
void maildir_own_watch(void);	/* storage_stay() */
#endif
