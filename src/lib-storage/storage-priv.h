/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_PRIV_H
#define CULVER_LIB_STORAGE_PRIV_H
/* Shared by the files of lib-storage above the drivers. */
#include "lib/array.h"
#include "lib/buf.h"
#include "lib-mail/limits.h"
#include "lib-storage/driver.h"
#include "lib-storage/list-match.h"
#include "lib-storage/location.h"
#include "lib-storage/mailbox.h"
#include "lib-storage/quota-priv.h"

/* The settings in plain form (storage-settings.c makes it from a view).  Spans are borrowed until storage_open_conf ends. */
struct special_conf {
	struct span name;		/* without the namespace's prefix, with its separator */
	unsigned use;			/* MBOX_USE_* */
	enum { AUTO_NO, AUTO_CREATE, AUTO_SUBSCRIBE } automatic;
	int64_t autoexpunge_s;		/* seconds; 0: never */
	uint64_t autoexpunge_max;	/* messages; 0: any number */
	struct span comment;		/* its annotation where none is set */
};

struct namespace_conf {
	struct span prefix, location;	/* location: variables expanded; empty: looked for */
	struct span alias_for;		/* with is_alias: the prefix of a namespace that has this one's mailboxes */
	char separator;			/* 0: the layout's */
	int type;			/* NS_PRIVATE ... */
	bool inbox, hidden, subscriptions, is_alias, is_template, ignore_on_failure;
	uint64_t order;
	enum { LIST_YES_ALL, LIST_NEVER, LIST_CHILDREN } list;	/* in the order of the setting's words */
	const struct special_conf *specials;
	size_t special_count;
};

struct acl_conf {
	bool on, defaults_from_inbox, globals_only, allow_anyone;
	struct span global, dict;	/* paths */
	struct span user;		/* whose rights count; empty: the user's */
	const struct span *groups;
	size_t group_count;
	const struct span *ignored;	/* patterns of prefixes: these namespaces know no access control */
	size_t ignored_count;
	int64_t cache_ms;
};

struct storage_conf {
	struct span user, home;
	struct span home_template;	/* with variables: homes of other users */
	const struct user_home *homes;	/* those that it does not tell */
	size_t home_count;
	bool shared_explicit_inbox;	/* shared/bob/INBOX, not shared/bob */
	struct acl_conf acl;
	const struct namespace_conf *namespaces;	/* none: one private with INBOX, of location */
	size_t namespace_count;
	struct span location;
	enum fsync_mode fsync;
	bool flags_immediate, copy_by_link, distrust_sizes;
	bool released_too;
	unsigned max_keywords, max_keyword_length, name_max, depth_max;
	size_t max_mailboxes;
	size_t metadata_value_max, metadata_count_max;	/* octets of an annotation; annotations of a mailbox */
	struct span server_comment, server_admin;
	struct span attribute_dict;	/* path; empty: none */
	size_t cache_least;		/* messages of which the UIDs are kept ready (view-cache.c): less in tests */
	uint64_t map_max, message_max;
	int64_t tmp_age_s, tmp_interval_s;
	enum pack_kind pack;		/* how new mail is stored */
	int pack_level;			/* 0: the usual one */
	struct mail_limits limits;
	struct quota_conf quota;
	struct mbox_params mbox;
};
#define MBOX_PARAMS_DEFAULT { .read_locks = { MBOX_LOCK_FCNTL }, .write_locks = { MBOX_LOCK_DOTLOCK, MBOX_LOCK_FCNTL }, \
	.lock_timeout_ms = 300000, .dotlock_change_ms = 120000, .lazy_writes = true, .dirty_syncs = true }
#define STORAGE_CONF_DEFAULT ((struct storage_conf){ .copy_by_link = true, .max_keywords = 512, .max_keyword_length = 50, \
	.metadata_value_max = 65536, .metadata_count_max = 200, .name_max = 255, .depth_max = 32, .max_mailboxes = 100000, .cache_least = 1000, .map_max = (uint64_t)16 << 30, \
	.message_max = 100 << 20, .tmp_age_s = 36 * 3600, .tmp_interval_s = 7 * 86400, .limits = MAIL_LIMITS_DEFAULT, \
	.mbox = MBOX_PARAMS_DEFAULT })

int storage_open_conf(const struct storage_conf *c, int notify_fd, struct storage **out, struct err *e);

struct store {			/* a location: of one namespace or more */
	const struct driver *drv;
	void *handle;
	struct index *ix;
	char *root, *index_path;
	char *subscriptions;		/* name of the file */
	bool fs_layout, utf8;
	bool given_away;		/* all of it: the index goes when it is closed */
};

struct special {
	char *inner;		/* as drivers know it */
	unsigned use;
	int automatic;
	int64_t autoexpunge_s;
	uint64_t autoexpunge_max;
	char *comment;		/* NULL: none */
};

struct namespace {
	struct namespace_info info;
	char *prefix;
	struct store *store;
	struct namespace *alias;	/* whose mailboxes these are, too; NULL */
	char *owner;			/* of a shared one; NULL */
	bool explicit_inbox;		/* whose INBOX has that name, not the prefix's */
	char *pvt;			/* INDEXPVT: where \Seen is each user's own; NULL */
	/* One whose prefix has variables stands for those of other users (shared.c): it has no store itself. */
	char *template_prefix, *template_location;	/* NULL: none */
	const struct namespace *template_of;
	struct namespace *next;		/* of the open ones */
	int list;
	struct special *specials;
	size_t special_count;
};

struct acl_state;
struct private;

struct storage {
	struct storage_conf conf;	/* spans in it are not valid */
	struct quota *quota;		/* NULL: none */
	struct acl_state *acl;		/* NULL: no access control */
	struct namespace *shared;	/* opened for other users' mailboxes */
	size_t shared_count;
	char *home_template;		/* where homes are; NULL: not known */
	struct user_home *homes;	/* those that are known one by one; their strings are malloc'ed */
	size_t home_count;
	char *user, *home;
	char *server_comment, *server_admin;	/* NULL: none */
	char *attribute_dict;		/* the file of Dovecot's annotations; NULL: none */
	struct array stores;		/* struct store * */
	struct namespace *ns;
	struct namespace_info *infos;
	size_t ns_count;
	int notify_fd;
	uint32_t watch_id;
	struct mailbox *boxes;		/* open ones */
	int64_t dirty_since;		/* clock_ms; 0: nothing waits */
	struct arena *work;		/* for lib-mail; reset after use */
};

struct made {			/* found out about a message; written to the index in one go */
	uint32_t uid;
	unsigned what;		/* MADE_* */
	struct span summary;
	uint64_t size;
	struct file_facts facts;
	uint8_t digest[IDX_DIGEST_LEN];
};
enum { MADE_SUMMARY = 1, MADE_SIZE = 2, MADE_DIGEST = 4, MADE_FACTS = 8 };

struct view_run {
	uint32_t first, last;		/* UIDs */
	uint32_t seq;			/* of first */
};

struct view {
	struct view_run *runs;		/* ascending, not touching each other */
	size_t n, cap;
	uint32_t count;			/* messages */
	uint64_t modseq;
	uint32_t uidvalidity, uidnext, first_unseen;
	struct array pending;		/* uint32_t: expunged, still in runs; ascending */
	struct array recent;		/* struct uid_range: \Recent here */
	/* the answer of mailbox_sync */
	struct array flags;		/* uint32_t */
	struct array expunged;		/* struct view_change */
};

#define BODY_KEEP ((size_t)16 << 20)	/* memory for a body that stays from one to the next */

struct mailbox {
	struct mailbox *next;
	struct storage *st;
	struct namespace *ns;
	struct store *store;
	const struct driver *drv;
	void *handle;
	char *name, *inner;
	uint32_t id;
	enum mailbox_mode mode;
	unsigned rights;		/* enum acl_right */
	struct private *private;	/* \Seen is each user's own; NULL: it is in the index */
	int64_t rights_at;		/* clock_ms of when they were looked up */
	struct view view;
	struct buf keyword_text;	/* as in the index */
	struct span keywords[INDEX_KEYWORDS];
	size_t keyword_count;
	uint64_t forwarded;		/* the bit, without a name there, of a keyword that is MSG_PASSED */
	struct buf body;		/* a small message */
	void *map;			/* a large one */
	size_t map_n;
	uint32_t body_uid;		/* whose body that is: 0 none */
	bool body_whole;
	struct array made;		/* struct made */
	struct arena *made_arena;
	struct buf summary_room;	/* of the last one that was looked into */
	uint32_t watch_id;		/* 0: not watched */
	uint32_t marked[64];		/* UIDs that this session flagged \Deleted, the latest: where EXPUNGE looks first */
	size_t marked_count;		/* ever */
	bool told_full;			/* the log has it that nothing can be written */
};

/* mailbox-name.c: from a client's name to a namespace and the drivers' name, in inner. */
int storage_resolve(struct storage *st, struct span name, struct namespace **ns_out, struct buf *inner, struct err *e);
/* The other way; false when it can not be shown. */
bool storage_visible(const struct namespace *ns, struct span inner, struct buf *out);
const struct special *storage_special(const struct namespace *ns, struct span inner);
/* Whose file of subscriptions a namespace's names are in, and what they are called there: see subscriptions.c. */
struct namespace *storage_subscriber(struct storage *st, struct namespace *ns);
bool storage_subscribed_name(const struct namespace *keeper, const struct namespace *ns, struct span inner, struct buf *out);
/* The other way: the namespace of a name in keeper's file, and the name that clients see.  False: it can not be shown. */
bool storage_subscribed_visible(struct storage *st, struct namespace *keeper, struct span inner, struct namespace **ns_out,
    struct buf *out);

/* mailbox-id.c */
void mailbox_id_write(const struct storage *st, const struct namespace *ns, uint32_t id, char out[MAILBOX_ID_MAX]);

/* One loop for all: makes cs true, again while it conflicts. */
int store_commit(struct store *s, struct change_set *cs, struct err *e);
/*
 * The driver's sync; an index that is damaged is mended first.  Where there is no room to write down what is new, the answer is
 * what the index knows: DRV_OK, with a line in the log.
 */
enum drv_rc mailbox_driver_sync(struct mailbox *box, bool thorough, struct err *e);
int storage_index_rename(struct store *s, struct span from, struct span to, struct err *e);
int storage_ensure_auto(struct storage *st, struct namespace *ns, struct span inner, struct err *e);
/* subscriptions.c: names as drivers know them. */
int subscriptions_read(struct store *s, struct arena *a, struct span **out, size_t *count_out, struct err *e);
int subscriptions_change(struct store *s, struct span inner, bool on, struct err *e);

/* storage.c: storage_resolve for a change: reads of the index end first, and a separator behind the name counts for nothing. */
int storage_with_name(struct storage *st, struct span name, struct namespace **ns, struct buf *inner, struct err *e);
struct store *storage_store_get(struct storage *st, const struct location *loc, struct err *e);
void namespace_clear(struct namespace *ns);
static inline bool
namespace_is_template(const struct namespace *ns)
{
	return ns->template_prefix != NULL;
}

/* private.c: \Seen of this user alone, of an open mailbox with box->private. */
int private_open(struct mailbox *box, struct err *e);
void private_close(struct mailbox *box);
int private_refresh(struct mailbox *box, struct err *e);
bool private_seen(const struct mailbox *box, uint32_t uid);
int private_change(struct mailbox *box, const uint32_t *uids, size_t count, bool on, struct err *e);
/* Commits cs, whose flags are f, with \Seen taken out of it and done here. */
int private_store(struct mailbox *box, struct change_flags *f, struct change_set *cs, struct err *e);
/* A new MODSEQ for these. */
int private_touch(struct mailbox *box, const uint32_t *uids, size_t count, struct err *e);
int private_unseen(struct mailbox *box, uint32_t *out, struct err *e);

/* shared.c: the namespace of one user.  ERR_NOTFOUND. */
struct namespace *shared_open(struct storage *st, const struct namespace *template, struct span user, struct err *e);
/* The same from a name; *rest_out: behind the prefix. */
struct namespace *shared_resolve(struct storage *st, const struct namespace *template, struct span name, struct span *rest_out,
    struct err *e);
size_t shared_static_part(struct span path);	/* octets of the directory above the first name with a variable; all without */
/* shared-dict.c: who gives this user mailboxes; what ns's owner gives is written. */
int shared_dict_users(struct storage *st, struct arena *a, struct span **out, size_t *count_out, struct err *e);
int shared_dict_find(const char *path, struct span me, const struct acl_conf *acl, struct arena *a, struct span **out,
    size_t *count_out, struct err *e);
int shared_dict_update(struct storage *st, const struct namespace *ns, struct err *e);

/* save.c: what is saved is moved from there: it costs no quota where that is counted, too. */
void saver_moves_from(struct saver *s, struct mailbox *source);
/* acl-box.c */
int acl_list_of(const struct namespace *ns, struct span inner, struct arena *a, struct acl_list *out, struct err *e);
int acl_open(struct storage *st, const struct acl_conf *c, struct err *e);
void acl_close(struct storage *st);
struct span acl_user(const struct storage *st);
size_t acl_groups(const struct storage *st, const struct span **out);
struct span acl_owner(const struct storage *st, const struct namespace *ns);	/* empty: nobody */
const char *acl_dict_path(const struct storage *st);				/* NULL: none */
int64_t acl_cache_ms(const struct storage *st);
/* All rights without access control.  inner may be a name that is not there: what its defaults are. */
int acl_rights(struct storage *st, const struct namespace *ns, struct span inner, unsigned *out, struct err *e);
int acl_check(unsigned rights, unsigned need, struct span name, struct err *e);
int acl_require(struct storage *st, const struct namespace *ns, struct span inner, unsigned need, struct err *e);
int acl_require_create(struct storage *st, const struct namespace *ns, struct span inner, struct err *e);
/* A mailbox that was just made gets the lines of the one it is below. */
int acl_inherit(struct storage *st, const struct namespace *ns, struct span inner, struct err *e);

/* mailbox.c: as mailbox_open, but with these rights needed. */
int mailbox_open_needing(struct storage *st, struct span name, enum mailbox_mode mode, unsigned need, struct mailbox **out,
    struct err *e);
/* What of flags and keywords the rights let be changed. */
unsigned mailbox_flags_allowed(const struct mailbox *box);

/* view.c */
int view_load(struct mailbox *box, struct err *e);
void view_clear(struct view *v);
bool view_reserve(struct view *v, size_t more);	/* room for more runs */
bool view_push(struct view *v, uint32_t first, uint32_t last);	/* both above all that it has; false: out of memory */
/*
 * view-cache.c: the runs, uidvalidity, uidnext and modseq of v, as they were once.  1, 0 there is nothing (v may have
 * changed), -1.
 */
int view_cache_get(struct index_txn *t, uint32_t id, struct view *v, struct err *e);
int view_cache_put(struct index_txn *t, uint32_t id, const struct view *v, struct err *e);
/* mailbox.c */
#define FORWARDED SPAN("$Forwarded")
int mailbox_load_keywords(struct mailbox *box, bool *changed_out, struct err *e);
/* mailbox-packed.c: box->body holds the first octets of a compressed body (or box->map all of it); afterwards, the content. */
bool mailbox_is_packed(const struct mailbox *box);
int mailbox_unpack(struct mailbox *box, uint32_t uid, const struct extent *x, struct err *e);
/* As far as the header goes.  1 done, 0 it takes more octets of the body; at_end: there are no more. */
int mailbox_unpack_header(struct mailbox *box, uint32_t uid, bool at_end, struct err *e);
/* mailbox-read.c */
bool mailbox_has_header(struct span s, size_t from);	/* looked at from there on: whether the empty line is in it */
void mailbox_body_drop(struct mailbox *box);
int mailbox_made_flush(struct mailbox *box, struct err *e);
/* notify.c */
void mailbox_announce(struct mailbox *box, uint64_t modseq);
void store_announce_list(struct storage *st, const struct store *store);	/* names, subscriptions or rights in it */
void storage_announce_metadata(struct storage *st, struct span mailbox);
/* storage.c: what STATUS tells of a mailbox, brought up to date first. */
int mailbox_status_get(struct mailbox *box, unsigned items, struct mailbox_status *out, struct err *e);
#endif
