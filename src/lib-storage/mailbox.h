/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILBOX_H
#define CULVER_LIB_STORAGE_MAILBOX_H
/*
 * One mailbox as one session sees it.  The view (which message has which sequence number) changes only in
 * mailbox_sync(); the data behind a UID (flags, modseq) is always the newest committed.
 *
 * Reading (mailbox_get, mailbox_summary) happens in a read transaction that begins by itself.  Call mailbox_read_end()
 * before waiting for anything (the client, a lock): spans from the index are valid until then or until the next change.
 * Every changing call ends it itself.
 */
#include "lib-mail/summary.h"
#include "lib-storage/storage.h"

struct mailbox;

enum msg_flag {
	MSG_SEEN = 1 << 0,
	MSG_ANSWERED = 1 << 1,
	MSG_FLAGGED = 1 << 2,
	MSG_DELETED = 1 << 3,
	MSG_DRAFT = 1 << 4,
	MSG_PASSED = 1 << 5,	/* Maildir's P; the keyword $Forwarded */
};

#define SIZE_UNKNOWN UINT64_MAX
#define DATE_UNKNOWN INT64_MIN

struct msg_rec {
	uint32_t uid;
	unsigned flags;		/* enum msg_flag */
	uint64_t keywords;	/* bit i: mailbox_keyword(box, i) */
	uint64_t modseq;
	int64_t internal_date;	/* seconds since 1970; shown in the server's zone; DATE_UNKNOWN: mailbox_date() finds it */
	int64_t save_date;
	uint64_t size;		/* with CRLF line ends: RFC822.SIZE; SIZE_UNKNOWN: mailbox_size() finds it */
	uint64_t physical_size;	/* of the stored file */
	bool has_uidl;		/* mailbox_names() knows what POP3 called it before */
};

enum mailbox_mode {
	MAILBOX_READ = 0,	/* EXAMINE */
	MAILBOX_WRITE = 1,	/* SELECT: takes \Recent */
	MAILBOX_CHANGE = 2,	/* the same for who is no session: \Recent stays */
	MAILBOX_SAVE = 3,	/* a target of APPEND, COPY: no view is loaded */
	MAILBOX_POST = 4,	/* the same for delivery: needs another right */
};

/* ERR_NOTFOUND, ERR_DENIED, ERR_SYNTAX. */
int mailbox_open(struct storage *st, struct span name, enum mailbox_mode mode, struct mailbox **out, struct err *e);
void mailbox_close(struct mailbox *box);
struct span mailbox_name(const struct mailbox *box);
void mailbox_object_id(const struct mailbox *box, char out[MAILBOX_ID_MAX]);	/* MAILBOXID (RFC 8474) */
uint64_t mailbox_number(const struct mailbox *box);		/* as storage_mailbox_number() */
bool mailbox_is_readonly(const struct mailbox *box);
/* enum acl_right, as of the last sync.  Flags that may not be changed are left as they are; ERR_DENIED where nothing of what
 * was asked for may be done. */
unsigned mailbox_rights(const struct mailbox *box);
/* What PERMANENTFLAGS can promise: enum msg_flag; keywords too? */
unsigned mailbox_permanent_flags(const struct mailbox *box, bool *keywords_out);
/* As of the last sync of the view: messages = mailbox_count, first_unseen is a sequence number or 0. */
struct mailbox_view_state {
	uint32_t uidvalidity, uidnext, recent, first_unseen, mailbox_id;
	uint64_t highestmodseq;
};
void mailbox_view_state(struct mailbox *box, struct mailbox_view_state *out);

/* The view.  seq is 1..mailbox_count(). */
uint32_t mailbox_count(const struct mailbox *box);
uint32_t mailbox_uid(const struct mailbox *box, uint32_t seq);
uint32_t mailbox_seq(const struct mailbox *box, uint32_t uid);		/* 0: not in the view */
uint32_t mailbox_seq_from(const struct mailbox *box, uint32_t uid);	/* the first with that UID or above; count + 1: none */
bool mailbox_is_recent(const struct mailbox *box, uint32_t uid);	/* \Recent in this session */

/*
 * Changes since the view's modseq; brings the view up to date.  Looks for outside changes first (a stat or two when
 * nothing changed).
 */
struct view_change {
	uint32_t uid;
	uint32_t seq;		/* expunged: the number it had at the moment of its EXPUNGE response (they are in that order) */
};
struct view_changes {
	const struct view_change *expunged;	/* descending seq: each number is right when sent in this order */
	size_t expunged_count;
	const uint32_t *flags;			/* UIDs whose flags changed, ascending, still in the view */
	size_t flags_count;
	uint32_t old_count;			/* before; EXISTS is due when count after expunges differs from mailbox_count() */
	bool exists_changed;			/* new messages came */
	bool keywords_changed;			/* FLAGS and PERMANENTFLAGS are due */
	bool gone;				/* the mailbox was deleted, or its UIDVALIDITY changed: close the session's view */
};
/* expunges: false leaves expunged messages in the view (FETCH, STORE, SEARCH by sequence number must not renumber).
 * *out lives until the next call. */
int mailbox_sync(struct mailbox *box, bool expunges, struct view_changes *out, struct err *e);

/* What happened after modseq, told from the view as it is: for a client that comes back (QRESYNC) or asks (CHANGEDSINCE). */
struct uid_list {
	uint32_t *uids;
	size_t count;
};
struct mailbox_since {
	struct uid_list changed;	/* in the view: came after it, or their flags were changed after it; ascending */
	struct uid_list expunged;	/* not in the view any more; ascending */
	bool complete;			/* false: the log has been pruned beyond modseq; expunged is empty, and every UID that
					 * is not in the view may have been (RFC 7162 section 3.2.5.2) */
};
int mailbox_since(struct mailbox *box, uint64_t modseq, struct arena *a, struct mailbox_since *out, struct err *e);

/*
 * A view that outlives its session (hibernation): its UIDs as ranges, from the at-th on into out, how many; and such a view
 * taken back, with the uidnext and highestmodseq that it had: the next mailbox_sync tells what happened since.  The caller
 * has compared UIDVALIDITY.
 */
struct uid_range {
	uint32_t first, last;
};
size_t mailbox_view_runs(const struct mailbox *box, size_t at, struct uid_range *out, size_t room);
int mailbox_view_restore(struct mailbox *box, const struct uid_range *uids, size_t count, uint32_t uidnext, uint64_t modseq,
    struct err *e);

/* Reading.  ERR_GONE: expunged (its uid may still be in the view). */
int mailbox_get(struct mailbox *box, uint32_t uid, struct msg_rec *out, struct err *e);	/* quick in ascending order */
/* What `need' names is there afterwards, made from the file if the index lacks it (and stored soon after).  Spans of *out are
 * valid until the next mailbox_summary, too. */
enum { NEED_HEADER = 1, NEED_STRUCTURE = 2, NEED_NUMBERS = 4, NEED_FIELDS = 8 };	/* NUMBERS, FIELDS: other spans of *out may be empty */
int mailbox_summary(struct mailbox *box, uint32_t uid, unsigned need, struct summary_view *out, struct err *e);
int mailbox_size(struct mailbox *box, uint32_t uid, uint64_t *out, struct err *e);	/* RFC822.SIZE */
int mailbox_date(struct mailbox *box, uint32_t uid, int64_t *out, struct err *e);	/* INTERNALDATE */
/* Whether what failed is this message's trouble alone: a file without rights, or damaged. */
static inline bool
mailbox_others_can_be_read(const struct err *e)
{
	return e->code == ERR_DENIED || e->code == ERR_CORRUPT || e->code == ERR_LIMIT || e->code == ERR_GONE;
}
/* A digest of a message, the same with LF and CRLF line ends; false: the library failed. */
#define MAILBOX_DIGEST_LEN 16
bool mailbox_digest(struct span text, uint8_t out[MAILBOX_DIGEST_LEN]);
/* EMAILID (RFC 8474): that digest, made when first asked for.  out: 32 octets of hex. */
int mailbox_email_id(struct mailbox *box, uint32_t uid, char out[33], struct err *e);
/* Other names of a message; each is empty where there is none. */
struct mailbox_names {
	char uidl[256];		/* POP3's, from another server or saved */
	char file[256];		/* the file it is in, as it was called before it got a UID; without flags */
	char guid[256];		/* as another server knows it; without one the file's name */
};
/* guid: whether that is wanted. */
int mailbox_names(struct mailbox *box, uint32_t uid, bool guid, struct mailbox_names *out, struct err *e);
/* Keeps what POP3 calls messages (pop3_save_uidl), whatever settings say later.  Those that have such a name keep it. */
struct mailbox_uidl {
	uint32_t uid;
	struct span uidl;	/* 255 octets at most */
};
int mailbox_save_uidls(struct mailbox *box, const struct mailbox_uidl *list, size_t count, struct err *e);
void mailbox_read_end(struct mailbox *box);
/* All octets of the stored message (LF or CRLF line ends as stored).  Valid until the next mailbox_body or close. */
int mailbox_body(struct mailbox *box, uint32_t uid, struct span *out, struct err *e);
/* Only its header (may give more): the first octets up to and with the empty line, max octets at most. */
int mailbox_header(struct mailbox *box, uint32_t uid, struct span *out, struct err *e);

/* Limits of parsing (mail_max_header_size and so on); live as long as the box. */
const struct mail_limits *mailbox_limits(const struct mailbox *box);

/* Keywords.  The names of bits 0..count-1; an unused bit has an empty name.  $Forwarded is none of them, but MSG_PASSED. */
size_t mailbox_keywords(struct mailbox *box, const struct span **names_out);
/* The bit mask of names; create makes those that are missing.  ERR_LIMIT: no more keywords fit (PERMANENTFLAGS has no \*
 * then), or a name is too long; without create unknown names are passed over. */
int mailbox_keyword_mask(struct mailbox *box, const struct span *names, size_t count, bool create, uint64_t *out,
    struct err *e);
bool mailbox_keywords_full(struct mailbox *box);

/* Changing.  UIDs ascending; those not there any more are passed over. */
enum flag_op { FLAGS_ADD, FLAGS_REMOVE, FLAGS_SET };
struct flag_change {
	enum flag_op op;
	unsigned flags;
	uint64_t keywords;
	bool conditional;		/* UNCHANGEDSINCE (RFC 7162 section 3.1.3) */
	uint64_t unchanged_since;
};
/* Decided and made in one transaction.  modified: UIDs that failed UNCHANGEDSINCE, in arena (may be NULL when not
 * conditional).  changed: UIDs that really changed; may be NULL. */
int mailbox_store(struct mailbox *box, const uint32_t *uids, size_t count, const struct flag_change *fc, struct arena *a,
    struct uid_list *modified, struct uid_list *changed, struct err *e);
/* Those of uids that carry \Deleted (any: all of them); uids NULL: all with \Deleted. */
int mailbox_expunge(struct mailbox *box, const uint32_t *uids, size_t count, bool any, struct err *e);
/*
 * COPY and MOVE to an open MAILBOX_SAVE box; source and target UIDs in the same order, in arena.  A copy is all or nothing.  Of
 * a move of many messages some may have moved when it fails (-1): those that *out names.
 */
struct copy_result {
	uint32_t uidvalidity;
	struct uid_list from, to;
};
int mailbox_copy(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e);

/*
 * Saving: begin, write, finish for each message (finish: durable, not visible), then one commit for all of them
 * (MULTIAPPEND, RFC 3502: all or none), or abort.  Line ends may be CRLF or LF; stored as mail_save_crlf says.
 */
struct save_params {
	unsigned flags;
	uint64_t keywords;
	int64_t internal_date;		/* INT64_MIN: now */
	const char *pop3_uidl;		/* NULL: none */
};
struct saver;
int saver_new(struct mailbox *target, struct saver **out, struct err *e);
int saver_begin(struct saver *s, const struct save_params *p, struct err *e);
int saver_write(struct saver *s, struct span bytes, struct err *e);	/* after an error: saver_free */
int saver_finish(struct saver *s, struct err *e);
/* 0 means that all would survive a power cut (mail_fsync).  UIDs in order, in arena. */
int saver_commit(struct saver *s, struct arena *a, uint32_t *uidvalidity_out, struct uid_list *uids_out, struct err *e);
void saver_free(struct saver *s);	/* what was not committed is removed */

/*
 * Notification (hub): announce changes happens by itself.  watch: after it, the storage's notify_fd becomes readable when
 * the mailbox may have changed, by whomever; mailbox_watch_read() takes the notice in.  Watch first, then sync: nothing is
 * lost between the two.
 */
int mailbox_watch(struct mailbox *box, bool on, struct err *e);
uint32_t mailbox_watch_id(const struct mailbox *box);	/* as storage_read_notices tells it; 0: not watched */
/* Reads what is there on notify_fd: true when a sync is due (or the channel has gone: then *gone_out, poll instead). */
bool mailbox_watch_read(struct mailbox *box, bool *gone_out, bool *kicked_out);
/* For hibernation: the hub's key of this mailbox, and directories to watch (borrowed; -1: none). */
void mailbox_watch_key(const struct mailbox *box, char key_out[32], size_t *n_out, int dirs_out[2]);
#endif
