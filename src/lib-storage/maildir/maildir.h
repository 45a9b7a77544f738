/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_H
#define CULVER_LIB_STORAGE_MAILDIR_H
/* Shared by the files of the Maildir driver alone. */
#include <sys/stat.h>
#include "lib-index/claim.h"
#include "lib-storage/driver.h"

#define MAILDIR_NAME_MAX 255
#define MAILDIR_LETTERS 26	/* keywords a file name can carry */
#define MAILDIR_LETTER_BITS (((uint64_t)1 << MAILDIR_LETTERS) - 1)
#define MAILDIR_PATH_MAX 4000
#define MAILDIR_METADATA "culver-metadata"
#define MAILDIR_TRASH "..culver-deleted."	/* what was deleted is called so until it is removed */
#define MAILDIR_RESERVE 1024	/* UIDs and MODSEQs are reserved in blocks of this */

/* What is made in or below a directory gets these (perm.c). */
struct maildir_perm {
	mode_t dir, file;
	gid_t gid;			/* that must be set; -1: none */
};

struct maildir_store {
	struct store_params p;
	char *root, *control;
	char *inbox;			/* NULL: a folder like others, with a dirname */
	char *dirname, *subscriptions;	/* NULL: none */
	struct index *ix;
	struct maildir_perm perm;	/* of the root */
	unsigned settling;		/* scans that claim.c has begun */
	struct packer *packer, *guard;	/* made when needed; guard: for mail that looks compressed itself */
};

/* culver-mailbox: see control.c. */
struct maildir_control {
	uint32_t uidvalidity, id;
	uint32_t uid_reserved;
	uint64_t modseq_reserved;
	char *keywords[INDEX_KEYWORDS];	/* NULL: the letter is free; those behind the letters have none */
	bool made_up;			/* not in the file: nothing told the UIDVALIDITY */
	/* Not in the file: where a state that must be made goes on from; 1 and 1 for a new mailbox. */
	uint32_t uid_start;
	uint64_t modseq_start;
};

enum { SUB_NEW, SUB_CUR };
extern const char *const maildir_subdirs[2];

struct maildir_list_file;
struct maildir_early;

struct maildir_box {
	struct maildir_store *store;
	char *name, *path, *control_path;	/* the directories; control_path NULL: path */
	struct maildir_perm perm;		/* use maildir_box_perm() */
	struct idx_stamp cur;			/* of cur/ when it was opened */
	bool cur_is_fresh;			/* nobody has used that yet */
	int fd, sub_fd[2];			/* sub_fd: opened when needed, -1 */
	uint32_t id;
	unsigned generation;			/* of the index that id is of */
	uint32_t dirty_first, dirty_last;	/* UIDs with flags to be written behind lie between; 0: none known */
	bool swept;
	bool blind;	/* it may not have seen everything: maildir_maintain() looks again */
	enum { MAILDIR_WATCHABLE_UNKNOWN, MAILDIR_WATCHABLE_NOT, MAILDIR_WATCHABLE } watchable;	/* own.c */
	unsigned resting;		/* finished stages that are open */
	struct maildir_list_file *facts;	/* facts.c: culver-uidlist; NULL: there is none, or it is not known yet */
	bool facts_known, warned;
	struct maildir_early *early;	/* listing.h */
	bool telling;			/* uids-file.c is at work */
	uint64_t uids_size;		/* of its file, when keywords have made it large; 0: not */
};

/* What a file name tells (filename.c). */
struct maildir_name {
	struct span base;		/* up to the ':' */
	struct span info;		/* behind the ":2," */
	uint64_t size, virtual_size;	/* IDX_SIZE_UNKNOWN */
	uint32_t uidvalidity, uid;	/* 0: none */
	int64_t sec;			/* 0: none */
	uint32_t usec;
	uint8_t flags;
	uint32_t keywords;		/* letters a.. as bits */
};
/* False: no message (empty, begins with '.', too long, a '/' inside). */
bool maildir_name_base(struct span name, struct span *base_out);
bool maildir_name_parse(struct span name, struct maildir_name *out);
/* base with ",U=<uidvalidity>.<uid>" in the place of any it had; NUL-terminated.  False: it would be too long. */
bool maildir_name_tag(char out[MAILDIR_NAME_MAX + 1], struct span base, uint32_t uidvalidity, uint32_t uid);
/* base without such a tag, as another program knew the file; its length. */
size_t maildir_name_plain(char out[MAILDIR_NAME_MAX + 1], struct span base);
bool maildir_hex32(struct span s, uint32_t *out);	/* one to eight digits, either case */
/* base ":2," flags, with what else is in old, the info of the name that it had; only base when in new/ (no flags).  False:
 * too long. */
bool maildir_name_info(char out[MAILDIR_NAME_MAX + 1], struct span base, struct span old, uint8_t flags, uint64_t keywords,
    bool cur);
/* For the name of a copy of n, whose file has so many octets: S= and W=, IDX_SIZE_UNKNOWN to leave them out. */
void maildir_name_sizes(const struct maildir_name *n, uint64_t file, uint64_t virtual_size, uint64_t *size_out,
    uint64_t *virtual_out);
/* A new base with size and tag. */
bool maildir_name_new(char out[MAILDIR_NAME_MAX + 1], uint64_t size, uint64_t virtual_size, uint32_t uidvalidity,
    uint32_t uid);

/* control.c.  1 read, 0 not there, -1. */
int maildir_control_parse(struct span text, struct maildir_control *out);
int maildir_control_read(struct maildir_box *box, struct maildir_control *out, struct err *e);
int maildir_control_write(struct maildir_box *box, const struct maildir_control *c, bool sync, struct err *e);
void maildir_control_clear(struct maildir_control *c);
/* Where it lies; make: and makes that.  -1 and errno; the caller's to close. */
int maildir_control_dir(struct maildir_box *box, bool make, struct err *e);
/* A small file replaced so that a crash leaves the old or the new one; synced. */
int maildir_replace(int dir, const char *name, struct span content, const struct maildir_perm *p, struct err *e);
/* Keyword names of c as the index's value. */
void maildir_control_keywords(const struct maildir_control *c, struct buf *out);

/* perm.c */
struct maildir_perm maildir_perm_of(const struct stat *sb);
/* 1 made, 0 it was there, -1. */
int maildir_perm_mkdir(int dir, const char *path, const struct maildir_perm *p, struct err *e);
/* openat() with O_CREAT. */
int maildir_perm_create(int dir, const char *path, int flags, const struct maildir_perm *p);
/* Makes the directory, and those above it that are missing. */
int maildir_perm_path(const char *root, const char *path, struct err *e);

/* names.c: between names and directories.  Paths are malloc'ed. */
char *maildir_path(const struct maildir_store *s, struct span name, struct err *e);		/* of new/ and cur/ */
char *maildir_folder_path(const struct maildir_store *s, struct span name, struct err *e);	/* the same, without dirname */
/* Directories that are no mailbox; top: in the root. */
bool maildir_is_reserved(const struct maildir_store *s, struct span disk, bool top);
/* One level of a name, from what it is called on disk; forms: 0 at first, what its levels are.  False: not to be shown. */
enum { MAILDIR_FORM_PROPER = 1, MAILDIR_FORM_RAW = 2 };
bool maildir_level_shown(const struct maildir_store *s, struct span disk, struct buf *out, unsigned *forms);

/* layout.c */
enum drv_rc maildir_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e);
int maildir_exists(void *store, struct span name);
/* Makes cur, new, tmp (and the directory); leaves what is there. */
int maildir_make_dirs(struct maildir_store *s, struct span name, struct err *e);
enum drv_rc maildir_box_make(struct maildir_store *s, struct span name, bool only_parent, struct err *e);
#define MAILDIR_TRASH_MAX 64
enum drv_rc maildir_box_delete(struct maildir_store *s, struct span name, char trash[MAILDIR_TRASH_MAX], struct err *e);
int maildir_foreign_guid(void *box, char out[65], struct err *e);	/* facts.c */
/* Removes what was deleted; trash NULL: whatever a crash left. */
void maildir_trash_empty(struct maildir_store *s, const char *trash);
enum drv_rc maildir_box_rename(struct maildir_store *s, struct span from, struct span to, struct err *e);
/* Behind those two, when no transaction is open: what became of the name survives a power cut. */
enum drv_rc maildir_sync_moved(struct maildir_store *s, struct span name, struct err *e);

/* numbers.c: begins a write in which numbers are given; a new index sees those of all mailboxes first. */
int maildir_numbers_begin(struct maildir_store *s, struct index_txn **t, struct err *e);

/* known.c: the records of a mailbox, for a scan. */
struct maildir_known_rec {
	const char *name;	/* in the index: not after the transaction has ended or changed something */
	uint32_t uid, order;	/* order: of the file that is as the record says, in the list; 0: none was seen */
	uint16_t len;
	uint8_t sub;
	bool tagged;		/* the name has this mailbox's tag with this UID */
	bool wanted;		/* a file with that tag and another name was seen */
};
struct maildir_known {
	struct maildir_known_rec *recs;		/* UIDs ascending */
	size_t count, cap;
	uint32_t *map;		/* by UID, from that of the first record: index + 1; NULL: there are too many gaps */
	uint32_t *table;	/* of those not tagged, by base: index + 1; NULL: there are none */
	size_t mask, untagged;
	char tag[12];		/* ",U=" uidvalidity "." */
};
int maildir_known_load(struct maildir_known *k, struct index_txn *t, const struct idx_state *st, struct err *e);
/* How names begin, as a set: what is asked for may be in it that was not put there, but not the other way about. */
struct maildir_heads {
	uint64_t *heads;	/* 0: a free place */
	size_t count, size;
	bool has_zero;
};
bool maildir_heads_add(struct maildir_heads *h, struct span name);	/* false: memory is out */
void maildir_heads_clear(struct maildir_heads *h);
/* Only the records of files in new/, and those in cur/ that may have a base of h. */
int maildir_known_load_near(struct maildir_known *k, struct index_txn *t, const struct idx_state *st,
    const struct maildir_heads *h, struct err *e);
void maildir_known_clear(struct maildir_known *k);
/* Whether a file is as its record says; then the record has its place in the list, which is not 0. */
bool maildir_known_match(struct maildir_known *k, int sub, struct span name, uint32_t order);
/* A file that did not match: the records of its tag, and of its base, are to be looked at. */
void maildir_known_want(struct maildir_known *k, struct span base);

/* box.c */
const struct maildir_perm *maildir_box_perm(struct maildir_box *box);	/* what is made in it gets */
/* Where the control files of a mailbox are, with CONTROL= alone; folder: without FULLDIRNAME's level.  malloc'ed. */
char *maildir_control_path(const struct maildir_store *s, struct span name, bool folder, struct err *e);
enum drv_rc maildir_box_open(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e);
void maildir_box_close(void *box);
/* Locks out others who change the control file; -1 and e.  Never within a write transaction. */
int maildir_box_lock(struct maildir_box *box, struct err *e);
void maildir_box_unlock(struct maildir_box *box);
/* Looks the box up again: when the index does not know it, or was opened anew. */
enum drv_rc maildir_find_again(struct maildir_box *box, struct err *e);
/* Begins a write in which uids UIDs and some modseqs may be taken. */
enum drv_rc maildir_begin(struct maildir_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st, struct err *e);
/* The same for changes of messages that are there: in a mailbox that has been scanned. */
enum drv_rc maildir_begin_known(struct maildir_box *box, struct index_txn **t, struct idx_state *st, struct err *e);
/* Within one that has begun: whether there are as many. */
bool maildir_has_room(const struct idx_state *st, uint32_t uids);
enum drv_rc maildir_reserve(struct maildir_box *box, uint32_t uids, struct err *e);
/* claim.c: within a write transaction, before the first of so many files is named with its UID.  When it is not DRV_OK the
 * transaction is over; DRV_CONFLICT: begin again. */
enum drv_rc maildir_claim(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, uint32_t uids,
    struct err *e);
/* The same for a scan, which finds what somebody left that died in this mailbox. */
struct maildir_claim {
	uint32_t left;		/* UIDs below it were claimed by one who died; 0: by nobody */
	uint32_t upto;		/* and below this one by us */
};
int maildir_claim_left(struct maildir_box *box, struct index_txn *t, struct maildir_claim *out, struct err *e);
enum drv_rc maildir_claim_more(struct maildir_box *box, struct index_txn *t, const struct idx_state *st, uint32_t uids,
    struct maildir_claim *c, struct err *e);
/* Before the scan is committed: st is the mailbox's as it was put. */
int maildir_claim_meet(struct index_txn *t, struct idx_state *st, const struct maildir_claim *c, struct err *e);
/* maildir_begin() and maildir_claim(). */
enum drv_rc maildir_begin_naming(struct maildir_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st,
    struct err *e);
int maildir_sub_fd(struct maildir_box *box, int sub);
enum drv_rc maildir_keywords_add(void *box, const struct span *names, size_t count, struct err *e);
unsigned maildir_keywords_max(void *box);
enum drv_rc drv_of(const struct err *e);	/* the enum drv_rc that says the same as e */

/* scan.c */
enum drv_rc maildir_sync(void *box, bool thorough, struct err *e);
/* listing.c */
/* Whether the directory is as the index has it: asked before changing it. */
bool maildir_stamp_holds(struct maildir_box *box, const struct idx_state *st, int sub);
bool maildir_stamp_is(const struct idx_stamp *s, const struct stat *sb);

/*
 * own.c: changes of our own to new/ and cur/, within a write transaction, between a begin and an end.  Before the first one
 * to a directory maildir_own_will() is called, after each maildir_own_did() with the number of names that came and went
 * there (a rename within the directory: two).  The end notes in st the directories as they are now, where they were as
 * the index has them before and nobody else has changed them meanwhile; with NULL, after a failure, nothing: they will
 * be read again.
 */
struct maildir_own {
	struct maildir_box *box;
	const struct idx_state *st;
	struct watched *watched[2];	/* NULL: nobody counts the directory's changes */
	bool begun[2], held[2];
	unsigned events[2], before[2], lost, unread;
};
void maildir_own_begin(struct maildir_own *o, struct maildir_box *box, const struct idx_state *st);
void maildir_own_will(struct maildir_own *o, int sub);
void maildir_own_did(struct maildir_own *o, int sub, unsigned events);
void maildir_own_end(struct maildir_own *o, struct idx_state *st);

/* facts.c, release.c */
enum drv_rc maildir_names(void *box, uint32_t uid, struct span record_name, char file[256], char guid[256], struct err *e);
enum drv_rc maildir_uidls_save(void *box, const struct mailbox_uidl *list, size_t count, struct err *e);
enum drv_rc maildir_release(void *box, const struct release_params *p, struct release_report *out, struct err *e);
enum held_by maildir_held_by(void *store, struct span name, struct err *e);
enum drv_rc maildir_take_back(void *store, struct span name, struct err *e);

/* outcome.c, commit.c, copy.c, behind.c, stage.c */
enum drv_rc maildir_outcome(void *store, struct change_set *cs, bool *happened_out, struct err *e);
enum drv_rc maildir_commit(void *store, struct change_set *cs, struct err *e);
/* After a commit that added messages: writes behind what names can not tell of them. */
void maildir_added(struct maildir_box *box, const struct box_change *c);
enum drv_rc maildir_commit_copy(struct maildir_store *s, struct change_set *cs, struct err *e);
enum drv_rc maildir_maintain(void *box, struct err *e);
/* check.c */
enum drv_rc maildir_check(void *box, bool repair, driver_finding_fn *fn, void *ctx, struct err *e);
enum drv_rc maildir_write_behind(struct maildir_box *box, const uint32_t *uids, size_t count, struct err *e);
bool maildir_is_due(void *box);
void maildir_dirty(struct maildir_box *box, uint32_t first, uint32_t last);
/* Of those in which something changed. */
int maildir_dirs_sync(struct maildir_box *box, const unsigned events[2], struct err *e);

/* batch.c: several messages that come all or not at all. */
int maildir_batch_begin(struct maildir_box *box, size_t count, struct idx_batch *out, struct err *e);	/* one: nothing */
int maildir_batch_end(struct index_txn *t, const struct idx_batch *b, struct err *e);
/* After a failure, when all of it has been undone. */
void maildir_batch_forget(struct maildir_box *box, const struct idx_batch *b);
/* Whether a file was made in the course of it. */
bool maildir_batch_has(const struct idx_batch *b, const struct maildir_name *n);

struct maildir_stage {
	struct maildir_box *box;
	struct buf content;
	int fd;			/* of the file in tmp/, or -1 */
	int plain_fd;		/* the content of one that is compressed, no longer in a directory; -1 */
	char tmp[MAILDIR_NAME_MAX + 8];		/* "tmp/..."; empty: no file */
	uint64_t size;		/* of the content */
	bool resting;		/* finished, and counted in box->resting while it is open */
};
int maildir_stage_sync(struct maildir_stage *st, struct err *e);	/* and closes; once is enough */
enum drv_rc maildir_stage_rest(void *stage, struct err *e);
enum drv_rc maildir_stage_open(void *box, void **stage_out, struct err *e);
enum drv_rc maildir_stage_write(void *stage, struct span bytes, struct err *e);
enum drv_rc maildir_stage_finish(void *stage, int64_t internal_date, struct stage_result *out, struct err *e);
void maildir_stage_abort(void *stage);
enum drv_rc maildir_body_open(void *box, uint32_t uid, struct extent *out, struct err *e);
#endif
