/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MBOX_H
#define CULVER_LIB_STORAGE_MBOX_H
/* Shared by the files of the mbox driver alone.  How it works: sync.c; how the file is changed: rewrite.c and journal.c. */
#include <sys/stat.h>
#include "lib/array.h"
#include "lib-storage/driver.h"
#include "lib-storage/mbox/parse.h"

#define MBOX_RESERVE 1024	/* UIDs and MODSEQs are reserved in blocks of this */
#define MBOX_MESSAGES_MAX 50000000u
#define MBOX_METADATA ".culver-metadata"
#define MBOX_PATH_MAX 4000

struct mbox_store {
	struct store_params p;		/* its strings are copies */
	char *root, *inbox, *control;	/* control: the directory of what is kept about mailboxes, one each */
	char *dirname, *subscriptions;
	bool control_given;
	struct index *ix;
	mode_t dir_mode, file_mode;
	gid_t privileged;		/* taken for lock files alone; -1: none */
};

/* What no mbox file can carry: see control.c. */
struct mbox_control {
	uint32_t uidvalidity, id;
	uint32_t uid_reserved;
	uint64_t modseq_reserved;
	bool made_up;			/* not in the file: nothing told the UIDVALIDITY */
};

enum mbox_lock_kind { MBOX_UNLOCKED, MBOX_READ, MBOX_WRITE };

struct mbox_box {
	struct mbox_store *store;
	char *name, *path, *control_path;
	uint32_t id;
	int fd;				/* the file, or -1: it is opened with the lock, again when another stands there */
	bool fd_writable;
	int control_fd;			/* the directory, flock()ed by whoever changes anything; -1: it can not be made */
	int intent_fd, watch_fd;	/* see append.c, driver.c; -1 */
	enum mbox_lock_kind locked;
	char *dotlock;			/* the lock file that is ours */
	struct stat dotlock_sb;
	int64_t dotlock_touched;
	bool readonly;			/* the file can not be changed: flags stay in the index */
	bool due;			/* flags, UIDs or \Recent wait to be written into the file */
	bool synced;			/* since it was opened */
};

/* One message as it stands in the file. */
struct mbox_msg {
	uint64_t off, body_len;		/* of the From line; octets of the body */
	uint32_t from_len, hdr_len;
	uint8_t blank;			/* octets of the blank line behind it */
	bool unended;			/* the last line of the file has no end: one is shown */
	bool old, has_status;
	uint8_t flags;
	uint32_t uid;			/* as the file says, 0 none; later: as it is */
	uint64_t keywords;
	uint32_t keywords_at, keywords_n;	/* the text of X-Keywords in mbox_reading.text */
	uint64_t size, virtual_size;	/* as clients see it */
	uint64_t digest;
	int64_t date;
};

struct mbox_reading {
	struct array msgs;		/* struct mbox_msg */
	struct buf text;
	uint64_t end;			/* where the last message ends: the file's size */
	bool crlf;			/* the file's lines end so */
	/* Of the file's first message; a pseudo message is not in msgs. */
	bool has_first, pseudo;
	struct mbox_msg first;		/* the pseudo message */
	uint32_t uidvalidity, last_uid;
	uint64_t last_uid_at;		/* where it stands in the file, with ten digits; 0 */
	uint32_t base_at, base_n;	/* keyword names in text */
};
void mbox_reading_init(struct mbox_reading *r);
void mbox_reading_clear(struct mbox_reading *r);
/* read.c: messages from `from' (0, or where one begins) to size. */
int mbox_read(struct mbox_box *box, uint64_t from, uint64_t size, struct mbox_reading *r, struct err *e);
/* Only what the first message's header says. */
int mbox_read_base(struct mbox_box *box, uint64_t size, struct mbox_reading *r, struct err *e);
/* pread() of exactly n octets; less: ERR_CORRUPT. */
int mbox_pread(struct mbox_box *box, char *room, size_t n, uint64_t at, struct err *e);
int mbox_pwrite(int fd, struct span s, uint64_t at, const char *what, struct err *e);
uint64_t mbox_msg_end(const struct mbox_msg *m);

/* The record's name: where the message is. */
#define MBOX_PLACE_MAX 96
struct span mbox_place_write(char room[MBOX_PLACE_MAX], const struct mbox_msg *m);
bool mbox_place_parse(struct span name, struct mbox_msg *out);

/* control.c.  1 read, 0 not there, -1. */
bool mbox_control_is_missing(const struct mbox_box *box);	/* of a directory that is there */
int mbox_control_parse(struct span text, struct mbox_control *out);
int mbox_control_read(struct mbox_box *box, struct mbox_control *out, struct err *e);
int mbox_control_write(struct mbox_box *box, const struct mbox_control *c, bool sync, struct err *e);

/* layout.c */
char *mbox_path(const struct mbox_store *s, struct span name, struct err *e);
char *mbox_control_path(const struct mbox_store *s, struct span name, struct err *e);
enum drv_rc mbox_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e);
int mbox_exists(void *store, struct span name);
enum drv_rc mbox_make(struct mbox_store *s, struct span name, bool only_parent, struct err *e);
enum drv_rc mbox_delete(struct mbox_store *s, struct span name, struct err *e);
enum drv_rc mbox_rename(struct mbox_store *s, struct span from, struct span to, struct err *e);
/* Behind mbox_rename and mbox_delete, when no transaction is open: what became of the name survives a power cut. */
enum drv_rc mbox_sync_moved(struct mbox_store *s, struct span name, struct err *e);
/* An empty file, with the rights that its directory asks for. */
int mbox_make_file(const struct mbox_store *s, const char *path, struct err *e);

/* lock.c */
gid_t mbox_privileged_group(void);
/* Within: the privileged group's rights, for what is done in the directory of a mailbox. */
void mbox_privileges_up(const struct mbox_store *s);
void mbox_privileges_down(const struct mbox_store *s);
/*
 * The box's own lock, then those of the settings on the file, which is opened.  What a crash left is put right first.
 * No lock may be waited for within a write transaction.  ERR_INUSE when others keep it for timeout_ms (-1: as
 * mbox_lock_timeout says), ERR_NOTFOUND without a file.
 */
int mbox_lock(struct mbox_box *box, enum mbox_lock_kind kind, int timeout_ms, struct err *e);
void mbox_unlock(struct mbox_box *box);
void mbox_lock_touch(struct mbox_box *box);	/* a lock file that is held for long must not look forgotten */
int mbox_lock_own(struct mbox_box *box, struct err *e);	/* the box's own alone */
void mbox_unlock_own(struct mbox_box *box);
/* Only the file's lock for reading, for one who looks at one message. */
int mbox_lock_reader(struct mbox_box *box, struct err *e);
void mbox_unlock_reader(struct mbox_box *box);

/* box.c */
enum drv_rc mbox_box_open(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e);
void mbox_box_close(void *box);
enum drv_rc mbox_find_again(struct mbox_box *box, struct err *e);
/* The file has another UIDVALIDITY than the state: another mailbox stands there.  With the lock. */
enum drv_rc mbox_replaced(struct mbox_box *box, uint32_t uidvalidity, struct err *e);
enum drv_rc mbox_reserve(struct mbox_box *box, uint32_t uids, struct err *e);
bool mbox_has_room(const struct idx_state *st, uint32_t uids);
/* Begins a write in which uids UIDs and some MODSEQs may be taken. */
enum drv_rc mbox_begin(struct mbox_box *box, uint32_t uids, struct index_txn **t, struct idx_state *st, struct err *e);
enum drv_rc mbox_keywords_add(void *box, const struct span *names, size_t count, struct err *e);
unsigned mbox_keywords_max(void *box);
enum drv_rc mbox_rc(const struct err *e);

/* The names of keyword bits, loaded from the index; names are added while a file is taken in. */
struct mbox_keywords {
	struct buf text;
	struct span name[INDEX_KEYWORDS];
	size_t count;
	unsigned max;
	bool changed;
};
int mbox_keywords_load(struct mbox_keywords *k, struct mbox_box *box, struct index_txn *t, struct err *e);
void mbox_keywords_clear(struct mbox_keywords *k);
/* The mask of the words in text; unknown ones are added while there is room.  *passed_out: $Forwarded is among them. */
uint64_t mbox_keywords_mask(struct mbox_keywords *k, struct span text, bool *passed_out);
int mbox_keywords_store(const struct mbox_keywords *k, struct mbox_box *box, struct index_txn *t, struct err *e);

/* sync.c */
enum drv_rc mbox_sync(void *box, bool thorough, struct err *e);
/* With the lock held: the index is as the file then, and *st its state. */
enum drv_rc mbox_sync_locked(struct mbox_box *box, bool thorough, struct idx_state *st, struct err *e);
bool mbox_stamp_holds(const struct idx_state *st, const struct stat *sb);
bool mbox_stamp_is(const struct idx_state *st, const struct stat *sb);	/* whatever the times are worth */
/* The file as it is now, after a change of our own, with its lock. */
int mbox_stamp_set(struct mbox_box *box, struct idx_state *st, struct err *e);

/* append.c, rewrite.c, commit.c, body.c, stage.c */
struct mbox_stage {
	struct mbox_box *box;
	struct buf content;		/* as it is stored, without what clients do not see */
	int fd;				/* what did not fit into memory: a file without a name; -1 */
	uint64_t size, bare, nuls;	/* of content */
	uint64_t header;		/* octets of its header */
	bool in_body, in_line, dropping;	/* where the writing stands */
	char last;
	struct buf line;		/* the beginning of a line, of which it must be told what it is */
	int64_t date;
};
enum drv_rc mbox_stage_open(void *box, void **stage_out, struct err *e);
enum drv_rc mbox_stage_write(void *stage, struct span bytes, struct err *e);
enum drv_rc mbox_stage_finish(void *stage, int64_t internal_date, struct stage_result *out, struct err *e);
enum drv_rc mbox_stage_rest(void *stage, struct err *e);
void mbox_stage_abort(void *stage);
/* Octets of a staged message from `at' on. */
int mbox_stage_read(struct mbox_stage *st, uint64_t at, char *room, size_t n, struct err *e);
uint64_t mbox_count_nuls(struct span s);
int mbox_temp_file(struct mbox_box *box, struct err *e);

enum drv_rc mbox_append(struct mbox_box *box, struct change_set *cs, struct err *e);

/* intent.c: the note of an append that goes on, before its first octet is written. */
#define MBOX_BEGINS_MAX 1024
struct mbox_intent {
	uint64_t old, new;		/* size of the file; new 0: none */
	uint64_t nuls;			/* octets NUL in what is written */
	uint32_t uid, count;		/* of the first message; of messages */
	size_t begins_n;
	char begins[MBOX_BEGINS_MAX];	/* what is written, from octet old on: lines that come first, From line, our fields */
};
int mbox_intent_set(struct mbox_box *box, const struct mbox_intent *in, bool sync, struct err *e);
int mbox_intent_clear(struct mbox_box *box, bool sync, struct err *e);
/* Undoes what a crash left of an append.  With the lock for writing. */
int mbox_intent_recover(struct mbox_box *box, bool *needed_out, bool may_write, struct err *e);
/* Before octets of the file are moved: no note of an append comes again with a loss of power. */
int mbox_intent_settle(struct mbox_box *box, struct err *e);

/*
 * Writes what waits into the file, and takes the expunged ones out of it; then the index.  With the lock for writing, synced.
 * expunges: ascending UIDs; *modseq_out, *expunged_out may be NULL.
 */
enum drv_rc mbox_rewrite(struct mbox_box *box, struct box_change *c, struct err *e);
enum drv_rc mbox_write_behind(struct mbox_box *box, int wait_ms, struct err *e);	/* -1: however long it takes */
#define MBOX_TOMBSTONES_MAX 20000

enum drv_rc mbox_commit(void *store, struct change_set *cs, struct err *e);
enum drv_rc mbox_copy(struct mbox_store *s, struct change_set *cs, struct err *e);
enum drv_rc mbox_maintain(void *box, struct err *e);
enum drv_rc mbox_check(void *box, bool repair, driver_finding_fn *fn, void *ctx, struct err *e);	/* check.c */
bool mbox_is_due(void *box);
enum drv_rc mbox_body_open(void *box, uint32_t uid, struct extent *out, struct err *e);

/* journal.c: see there. */
struct mbox_segment {
	uint64_t to, n;			/* where it goes */
	uint64_t from;			/* of a piece of the file */
	uint32_t data_at;		/* of a piece of mbox_plan.data */
	bool is_data;
};
struct mbox_plan {
	struct array segs;		/* struct mbox_segment, `to' ascending, gaps are left as they are */
	struct buf data;
	uint64_t old_size, new_size;
};
int mbox_plan_run(struct mbox_box *box, struct mbox_plan *p, struct err *e);
/* Whether a plan was left in the middle; with may_write it is brought to its end. */
int mbox_journal_recover(struct mbox_box *box, bool *needed_out, bool may_write, struct err *e);
bool mbox_journal_is_there(struct mbox_box *box);
#endif
