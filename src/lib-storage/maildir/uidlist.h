/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_UIDLIST_H
#define CULVER_LIB_STORAGE_MAILDIR_UIDLIST_H
/*
 * Lists of UIDs that other servers keep beside a Maildir, and those of ours that hold what was taken from them.  Pure: from
 * octets to structures, and back.
 *
 *	version 1	"1 <uidvalidity> <nextuid>", then "<uid> <name>": Dovecot's first, and courierimapuiddb
 *	version 3	"3 V<uidvalidity> N<nextuid> G<guid>", then "<uid> [<letter><value> ...] :<name>": dovecot-uidlist
 *
 * What is not sound is left out and counted; nothing of it is an error but a head that names no UIDVALIDITY, or leaves no
 * UIDs to go on with.
 */
#include "lib/array.h"
#include "lib/buf.h"

#define UIDLIST_OCTETS ((size_t)1 << 30)	/* of a list: more are not looked at */
#define UIDLIST_ENTRIES 20000000u

/* What may stand with a message in version 3. */
enum uidlist_field {
	UIDLIST_UIDL = 'P',	/* POP3's name of it; empty: the file's */
	UIDLIST_GUID = 'G',
	UIDLIST_ORDER = 'O',	/* its place in POP3 */
	UIDLIST_PHYSICAL = 'S',
	UIDLIST_VIRTUAL = 'W',
	UIDLIST_KEYWORDS = 'K',	/* ours alone: letters, of a server that keeps them outside of names */
};

struct uidlist_entry {		/* offsets into the text */
	uint32_t uid;
	uint32_t name, fields;
	uint16_t name_n, fields_n;
};

struct uidlist {
	struct span text;		/* borrowed: must live as long */
	unsigned version;
	uint32_t uidvalidity;
	uint32_t next;			/* above every UID of an entry with a name */
	uint32_t fence;			/* "F" of ours: the UIDVALIDITY of the empty list that was left for others; 0: none */
	struct span guid;		/* of the mailbox; may be empty */
	struct array entries;		/* struct uidlist_entry, by UID, each UID once */
	size_t unsound;			/* lines left out */
	bool cut;			/* the last line was not whole, or there were more than UIDLIST_ENTRIES */
	uint32_t *table;		/* by name: index + 1 */
	size_t mask;
};

/* False: no such list (or memory is out): *out holds nothing.  Fields of a UID that comes again replace those before. */
bool uidlist_parse(struct span text, struct uidlist *out);
void uidlist_clear(struct uidlist *l);
/* Needed before uidlist_by_name.  False: memory is out. */
bool uidlist_index(struct uidlist *l);
const struct uidlist_entry *uidlist_by_uid(const struct uidlist *l, uint32_t uid);	/* NULL: not there */
const struct uidlist_entry *uidlist_by_name(const struct uidlist *l, struct span base);
/* The file's name without its flags; empty where there was none. */
struct span uidlist_name(const struct uidlist *l, const struct uidlist_entry *entry);
bool uidlist_field(const struct uidlist *l, const struct uidlist_entry *entry, enum uidlist_field f, struct span *out);

/* Writing version 3.  fence 0, guid empty: left out. */
void uidlist_put_head(struct buf *out, uint32_t uidvalidity, uint32_t next, struct span guid, uint32_t fence);
/* A field: "P<value> "; a value that can not be in one (a space, an octet below it) is left out: false. */
bool uidlist_put_field(struct buf *out, enum uidlist_field f, struct span value);
/* An entry is uidlist_put_uid, fields, uidlist_put_name. */
void uidlist_put_uid(struct buf *out, uint32_t uid);
void uidlist_put_name(struct buf *out, struct span name);

/* dovecot-keywords: "<number> <name>" a line.  names[i] is empty where there is none that can be a keyword. */
#define KEYWORD_LETTERS 26
void dovecot_keywords_parse(struct span text, struct span names[KEYWORD_LETTERS], size_t *unsound_out);
/* Whether IMAP can show it: an atom (RFC 3501 section 9) of 200 octets at most. */
bool keyword_is_legal(struct span name);

/*
 * courierpop3dsizelist: "/3 <next> <uidvalidity>", then "<name> <size> <number>:<uidvalidity>:<utf8>"; "/2" the same
 * without the last; "/1 <next>" and "<number>"; before that no head and "<name> <size>".  Each entry's UIDL into *uidl.
 * False at the end.  Lines that are not sound are passed over and counted.
 */
struct courier_pop3 {
	struct span text;
	size_t used, unsound;
	unsigned version;
};
void courier_pop3_begin(struct courier_pop3 *c, struct span text);
bool courier_pop3_next(struct courier_pop3 *c, struct span *base_out, char uidl[512]);

/*
 * courierimapkeywords/:list: names a line, an empty line, then "<name of file>:<index> <index> ...".  mask: bits of names.
 */
struct courier_keywords {
	struct span text;
	size_t used, unsound;
	struct span names[KEYWORD_LETTERS];
	size_t count;
};
void courier_keywords_begin(struct courier_keywords *c, struct span text);
bool courier_keywords_next(struct courier_keywords *c, struct span *base_out, uint32_t *mask_out);
/* The bit of a name, taken when it is new; 0: it can be none, or there is no letter left. */
uint32_t courier_keyword_bit(struct courier_keywords *c, struct span name);
#endif
