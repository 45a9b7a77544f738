/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_ACL_H
#define CULVER_LIB_STORAGE_ACL_H
/*
 * Who may do what with a mailbox: rights, the entries of a `dovecot-acl' file, and what follows from them.  Pure: files are
 * acl-box.c's business.
 *
 * A line of a file is
 *	[pattern] ["-"] identifier [rights] [":" named rights]
 * with a pattern of mailbox names in a global file alone.  Identifiers are anyone (anonymous is the same), authenticated,
 * group=x, owner, user=x, group-override=x: in this order, and each that fits the user takes the place of those before it.
 * Entries of one kind that fit (several groups) are added up.  A line with "-" takes rights away from what the others gave.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

enum acl_right {
	ACL_LOOKUP = 1 << 0,	/* l: it is there */
	ACL_READ = 1 << 1,	/* r */
	ACL_WRITE = 1 << 2,	/* w: flags but those of s and t */
	ACL_SEEN = 1 << 3,	/* s */
	ACL_DELETED = 1 << 4,	/* t */
	ACL_INSERT = 1 << 5,	/* i: APPEND, COPY */
	ACL_POST = 1 << 6,	/* p: delivery */
	ACL_EXPUNGE = 1 << 7,	/* e */
	ACL_CREATE = 1 << 8,	/* k: mailboxes below it */
	ACL_DELETE = 1 << 9,	/* x: the mailbox */
	ACL_ADMIN = 1 << 10,	/* a */
	ACL_ALL = (1 << 11) - 1,
};
#define ACL_RIGHTS 11
#define ACL_CHANGES (ACL_WRITE | ACL_SEEN | ACL_DELETED | ACL_INSERT | ACL_EXPUNGE)	/* without any of them: read-only */

enum acl_kind { ACL_ANYONE, ACL_AUTHENTICATED, ACL_GROUP, ACL_OWNER, ACL_USER, ACL_GROUP_OVERRIDE, ACL_KINDS };

#define ACL_NAME_MAX 255	/* octets of a user's or group's name */
#define ACL_ENTRIES_MAX 1000
#define ACL_FILE_MAX 65536

struct acl_entry {
	enum acl_kind kind;
	bool negative;		/* takes rights away */
	bool global;
	unsigned rights;
	struct span name;	/* of user and groups */
	struct span extra;	/* named rights that are not ours, kept for others */
	struct span pattern;	/* of a global file */
};

struct acl_list {
	struct acl_entry *v;
	size_t n;
};

/*
 * The text of a file.  Spans are in the arena.  A line that is not understood is ERR_SYNTAX, with its number: a list that is
 * not understood must not be guessed at.
 */
int acl_parse(struct span text, bool with_patterns, struct arena *a, struct acl_list *out, struct err *e);
/* The other way, in the order of kinds; lines of out are as acl_parse reads them. */
void acl_write(struct buf *out, const struct acl_list *list);

struct acl_who {
	struct span user;
	const struct span *groups;
	size_t group_count;
	bool owner;		/* of the mailbox */
};

/* What the lists so far gave and took. */
struct acl_sum {
	unsigned given, taken;
};
static inline unsigned
acl_sum_rights(struct acl_sum s)
{
	return s.given & ~s.taken;
}
/*
 * Adds a list to the sum.  implied: an owner for whom no line gives rights has all.  name: of the mailbox, for entries with a
 * pattern; separator for its '%'.
 */
void acl_add(struct acl_sum *sum, const struct acl_list *list, const struct acl_who *who, bool implied, struct span name,
    char separator);

/* "lrws": RFC 4314's letters, and c (kx) and d (et) of RFC 2086.  False: one that is none. */
bool acl_letters_parse(struct span letters, unsigned *out);
void acl_letters_write(struct buf *out, unsigned rights, bool obsolete);	/* obsolete: with c and d */
/* "write-seen"; ACL_RIGHTS of them, for the bits in their order. */
extern const char *const acl_right_names[ACL_RIGHTS];
extern const char acl_right_letters[ACL_RIGHTS + 1];
unsigned acl_right_by_name(struct span name);	/* 0: none */

/* "user=bob", "-group=x", "anyone": as in a file, without quotes.  False: none. */
bool acl_identifier_parse(struct span text, struct acl_entry *out);
void acl_identifier_write(struct buf *out, const struct acl_entry *entry);
bool acl_same_identifier(const struct acl_entry *a, const struct acl_entry *b);
#endif
