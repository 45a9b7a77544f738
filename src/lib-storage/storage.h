/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_STORAGE_H
#define CULVER_LIB_STORAGE_STORAGE_H
/*
 * A user's mail: namespaces and the list of mailboxes.  What is in one mailbox: mailbox.h.  Used after the process has
 * become the mail user; blocking; not shared between threads.
 *
 * Mailbox names at this interface are UTF-8 with the namespace's prefix and separator, exactly as an IMAP client means
 * them after decoding of modified UTF-7.  "INBOX" is case-insensitive (as a whole name and as first component).
 * Names with control characters, empty or "." or ".." components, or longer than mail_max_mailbox_name_length are
 * ERR_SYNTAX (ERR_LIMIT) everywhere.
 */
#include "lib/arena.h"
#include "lib/err.h"
#include "lib-config/settings.h"
#include "lib-storage/acl.h"

struct storage;

struct user_home {
	struct span user, home;
};

struct storage_params {
	const struct set_view *view;	/* borrowed; mail_location etc. with %variables still in them */
	struct span user, home;		/* copied */
	struct span protocol, rip, lip, session;	/* for %variables; may be empty */
	bool released_too;		/* also mail that another server has now: to take it back */
	const struct user_home *homes;	/* of other users, copied: see storage_homes_wanted */
	size_t home_count;
	int notify_fd;			/* channel to hub (lib/ipc-types.h MSG_CHANGED, MSG_WATCH), or -1; borrowed */
};

/*
 * Opens the user's location(s): finds or makes the root directory and the index.  ERR_TEMP with the path in the text
 * when the place can not be used; a damaged index is rebuilt, not an error.  ERR_INUSE: all of it was released.
 */
int storage_open(const struct storage_params *p, struct storage **out, struct err *e);
/* False: an index has been taken away, as `culveradm release' does, or its directory is another one, of mail that was put
 * back from a copy: who keeps storages open for later opens it anew. */
bool storage_is_current(const struct storage *st);
/*
 * Between two sessions of the same user with the same settings: for others it is as if st were closed.  No mailbox is open.
 * False: close it.  storage_wake comes before anything else then; false: close it, what the next session should see is not
 * what is open here.
 */
bool storage_rest(struct storage *st);
bool storage_wake(struct storage *st, int notify_fd);
void storage_close(struct storage *st);		/* finishes what is written behind; NULL is fine */
/* What Landlock must allow for p: root, index, control directories.  NULL-terminated, in arena.  For before storage_open. */
int storage_paths(const struct storage_params *p, struct arena *a, const char *const **rw_out, struct err *e);
/* Whose homes must be known for the shared namespaces of p: those who give mailboxes to the user, where the settings do not
 * tell where homes are.  In arena; usually none. */
int storage_homes_wanted(const struct storage_params *p, struct arena *a, struct span **users_out, size_t *count_out,
    struct err *e);
/*
 * For a process that serves for a while: what other programs do to a mailbox while this one changes it is seen at once, for
 * which the kernel takes ten milliseconds at the process's end.
 */
void storage_stay(void);
/* Work that may be done when nobody waits: flag renames behind, sweep of tmp, pruning.  Call when idle and at the end. */
int storage_maintain(struct storage *st, struct err *e);
void storage_maintain_soon(struct storage *st);		/* it is due in a moment, whatever waits: a client that goes on is served first */
/* Milliseconds until maintenance is due (renames behind: within a second of the change), -1: nothing is waiting. */
int storage_maintain_due_ms(const struct storage *st);

/* The directory of the mail with INBOX, opened: for small files about the user's deliveries ("culver-filter...."). */
int storage_user_dir(struct storage *st, int *fd_out, struct err *e);

/* What the settings autoexpunge and autoexpunge_max_mails of mailboxes want removed; so much of it as is quickly done.  For
 * the end of a session.  count_out: messages. */
int storage_autoexpunge(struct storage *st, uint64_t *count_out, struct err *e);

struct namespace_info {
	struct span prefix;	/* "" or "INBOX." ... */
	char separator;
	enum { NS_PRIVATE, NS_SHARED, NS_PUBLIC } type;
	bool hidden, list, inbox, subscriptions;
};
/* In the order of NAMESPACE's answer; *out lives as long as st.  Those whose ignore_on_failure was needed are left out. */
size_t storage_namespaces(const struct storage *st, const struct namespace_info **out);
char storage_separator(const struct storage *st, struct span name);

enum mailbox_attr {
	MBOX_EXISTS = 1 << 0,		/* can be selected; without it: NonExistent (a parent, or a subscription only) */
	MBOX_NOSELECT = 1 << 1,		/* exists as a name, holds no mail */
	MBOX_CHILDREN = 1 << 2,
	MBOX_NO_CHILDREN = 1 << 3,
	MBOX_NOINFERIORS = 1 << 4,
	MBOX_SUBSCRIBED = 1 << 5,
	MBOX_MARKED = 1 << 6,
	MBOX_UNMARKED = 1 << 7,
	MBOX_USE_ALL = 1 << 8,		/* special use (RFC 6154) */
	MBOX_USE_ARCHIVE = 1 << 9,
	MBOX_USE_DRAFTS = 1 << 10,
	MBOX_USE_FLAGGED = 1 << 11,
	MBOX_USE_JUNK = 1 << 12,
	MBOX_USE_SENT = 1 << 13,
	MBOX_USE_TRASH = 1 << 14,
	MBOX_USE_MASK = 0x7f00,
};

struct mailbox_info {
	struct span name;
	unsigned attrs;		/* enum mailbox_attr */
	char separator;
};

/*
 * All mailboxes of the listed namespaces, parents that do not exist, and subscribed names that do not exist; INBOX
 * first, then by name.  In arena.  What of it a client wants is list-match.h's business.
 */
int storage_list(struct storage *st, struct arena *a, struct mailbox_info **out, size_t *count_out, struct err *e);
/* The same, and what is in namespaces that are not listed, but whose prefix one of starts begins with. */
int storage_list_starting(struct storage *st, const struct span *starts, size_t start_count, struct arena *a,
    struct mailbox_info **out, size_t *count_out, struct err *e);
/* The name as lists have it: INBOX may be written in any case, as a first level too.  In room, or name as it is. */
struct span storage_listed_name(struct storage *st, struct span name, struct buf *room);
/* One name's attributes; not there at all: 0 and attrs 0. */
int storage_mailbox_info(struct storage *st, struct span name, struct mailbox_info *out, struct err *e);

/* ERR_EXISTS, ERR_DENIED (INBOX, a foreign namespace), ERR_LIMIT, ERR_SYNTAX, ERR_NOTFOUND, ERR_QUOTA. */
int storage_create(struct storage *st, struct span name, bool only_parent, struct err *e);	/* RFC 3501 6.3.3; "a/" */
int storage_delete(struct storage *st, struct span name, struct err *e);	/* with children: becomes \Noselect */
int storage_rename(struct storage *st, struct span from, struct span to, struct err *e);	/* children too; INBOX moves its mail */
/* False: both names are good, but in different stores, between which mailboxes are not renamed. */
bool storage_can_rename(struct storage *st, struct span from, struct span to);
int storage_subscribe(struct storage *st, struct span name, bool on, struct err *e);

/*
 * Access control (acl.h), where the settings switch it on (mail_plugins = acl): every function here and in mailbox.h then
 * asks for the rights it needs.  One that is missing is ERR_DENIED, or ERR_NOTFOUND where the user may not know that the
 * mailbox is there.
 */
bool storage_has_acl(const struct storage *st);
/* What the user may do with a mailbox that is there; all without access control. */
int storage_rights(struct storage *st, struct span name, unsigned *out, struct err *e);
/* The lines for a mailbox: its own, then global ones.  need: what is asked for (ACL_ADMIN for a client, 0 for an administrator).
 * owner_out: empty for a public mailbox. */
int storage_acl(struct storage *st, struct span name, unsigned need, struct arena *a, struct acl_list *out, struct span *owner_out,
    struct err *e);
/* Durable when it returns 0.  An owner keeps the right to administer; nothing left of a line: it goes. */
enum acl_change { ACL_REPLACE, ACL_GIVE, ACL_TAKE, ACL_REMOVE };
int storage_acl_change(struct storage *st, struct span name, unsigned need, const struct acl_entry *change, enum acl_change how,
    struct err *e);
/* Writes anew what the user gives to others, for LIST (acl_shared_dict): storage_acl_change does it by itself. */
int storage_shared_update(struct storage *st, struct err *e);
bool storage_acl_anyone(const struct storage *st);	/* whether users may give rights to anyone */

enum status_item {
	STATUS_MESSAGES = 1 << 0,
	STATUS_RECENT = 1 << 1,
	STATUS_UIDNEXT = 1 << 2,
	STATUS_UIDVALIDITY = 1 << 3,
	STATUS_UNSEEN = 1 << 4,
	STATUS_HIGHESTMODSEQ = 1 << 5,
	STATUS_SIZE = 1 << 6,		/* sum of RFC822.SIZE: may have to read files of outside programs once */
	STATUS_DELETED = 1 << 7,
	STATUS_MAILBOXID = 1 << 8,
	STATUS_DELETED_STORAGE = 1 << 9,	/* octets that an EXPUNGE would set free, as quota counts them */
};

#define MAILBOX_ID_MAX 20

struct mailbox_status {
	uint32_t messages, recent, unseen, deleted, uidnext, uidvalidity;
	uint64_t highestmodseq, size, deleted_storage;
	uint32_t mailbox_id;
	char id[MAILBOX_ID_MAX];	/* MAILBOXID (RFC 8474) */
};
/* Compares the index of one mailbox with the mail whatever the time stamps say, mends it, counts anew, and forgets
 * summaries: `culveradm force-resync'.  UIDs stay.  ERR_NOTFOUND. */
int storage_resync(struct storage *st, struct span name, struct err *e);
/* Brings the index up to date first (cheap when nothing changed).  ERR_NOTFOUND. */
int storage_status(struct storage *st, struct span name, unsigned items, struct mailbox_status *out, struct err *e);
/* MAILBOXID of one that is there, whatever the user may do with it: of what was just made.  ERR_NOTFOUND. */
int storage_mailbox_id(struct storage *st, struct span name, char out[MAILBOX_ID_MAX], struct err *e);
/* The same for as long as the mailbox is there, whatever it is called, and no other's in this process.  0: not known (yet: who
 * opens it gives it one).  Cheap: nothing is opened. */
uint64_t storage_mailbox_number(struct storage *st, struct span name);
/*
 * Notices of hub about mailboxes that are not open, and about the list of them, as they are wanted by a client that watches many
 * (RFC 5465).  All of it is a hint: the storage is asked what there is.  Without a hub nothing comes, and that is no error.
 *
 * storage_watch: *id_out stands for the mailbox in notices from then on, whatever it is called later.  Watched first, then looked
 * at: what comes behind *out makes a notice.
 */
int storage_watch(struct storage *st, struct span name, unsigned items, uint32_t *id_out, struct mailbox_status *out,
    struct err *e);
void storage_unwatch(struct storage *st, uint32_t id);
/* The same for its annotations (metadata.h), or with an empty name for those of the server. */
int storage_watch_metadata(struct storage *st, struct span name, uint32_t *id_out, struct err *e);
/* Notices with STORAGE_LIST_CHANGED for an id when mailboxes came, went, were renamed or subscribed to, or rights changed, in all
 * that is open.  Again after storage_list, which may open more. */
void storage_watch_lists(struct storage *st, bool on);
#define STORAGE_LIST_CHANGED UINT32_C(0xffffffff)

struct storage_notices {
	void (*changed)(void *ctx, uint32_t id);	/* may be NULL: ids of storage_watch, and of mailbox_watch (mailbox.h) */
	void *ctx;
	bool any, gone, kicked;		/* gone: the channel to hub has ended */
};
void storage_read_notices(struct storage *st, struct storage_notices *n);	/* what is there; waits for nothing */
/* The mailbox that has this MAILBOXID, in the user's namespaces and those that are public; in a.  ERR_NOTFOUND. */
int storage_mailbox_by_id(struct storage *st, struct span id, struct arena *a, struct span *name_out, struct err *e);
#endif
