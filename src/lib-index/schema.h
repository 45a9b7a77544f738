/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_INDEX_SCHEMA_H
#define CULVER_LIB_INDEX_SCHEMA_H
/*
 * What the octets in the index mean.  Integers are big-endian, so that the order of keys is the order of numbers.  Every
 * value ends with a checksum of itself and its key, which index_put() sets and reading takes off (but for meta's "version",
 * which every version must be able to read), and is checked for its length and its ranges: a damaged one is ERR_CORRUPT,
 * never worse.
 *
 *	database	key					value
 *	meta		name					see index.c
 *	mailbox		name, its levels joined by '/'		mailbox id
 *	state		mailbox id				struct idx_state
 *	message		mailbox id, uid				struct idx_message
 *	change		mailbox id, modseq, uid			enum idx_change
 *	summary		mailbox id, uid				summary_pack() of lib-mail/summary.h
 *	keyword		mailbox id				names of the bits, each with a NUL behind it
 *
 * `change' holds one entry for a live message at most (that of its newest flag change), and one for each expunge.
 */
#include "lib/buf.h"
#include "lib/err.h"

/* 2: checksums; 3: physical sizes in states, a total; 4: IDX_BY_NAME; 5: packed summaries; 6: digests with LF line ends */
#define INDEX_VERSION 6
#define IDX_SUM_LEN 4
#define INDEX_NAME_MAX 480		/* octets of a mailbox name: LMDB's keys end at 511 */
#define INDEX_KEYWORDS 64		/* bits of a message's keyword mask */
#define INDEX_FILE_NAME_MAX 255

enum idx_db { DB_META, DB_MAILBOX, DB_STATE, DB_MESSAGE, DB_CHANGE, DB_SUMMARY, DB_KEYWORD, DB_COUNT };

/* Whether its keys begin with a mailbox id. */
static inline bool
idx_db_by_mailbox(enum idx_db db)
{
	return db != DB_META && db != DB_MAILBOX;
}

/* Message flags; the same bits as enum msg_flag of lib-storage/mailbox.h. */
enum { IDX_SEEN = 1, IDX_ANSWERED = 2, IDX_FLAGGED = 4, IDX_DELETED = 8, IDX_DRAFT = 16, IDX_PASSED = 32, IDX_FLAGS = 63 };

enum idx_message_bits {
	IDX_DIRTY = 1 << 0,	/* the stored file's name does not tell these flags yet */
	IDX_NEW = 1 << 1,	/* the driver's: the file is in new/ */
	IDX_CHANGED = 1 << 2,	/* `change' has an entry of it, under its modseq */
	IDX_DIGEST = 1 << 3,	/* digest is there */
	IDX_UIDL = 1 << 4,	/* pop3_uidl is there */
	IDX_MORE = 1 << 5,	/* the driver's: it keeps something of the message in a file beside the mail */
	IDX_BY_NAME = 1 << 6,	/* nobody has looked at the file: sizes are what its name says, internal_date is not known */
	IDX_MESSAGE_BITS = 127,
};

#define IDX_SIZE_UNKNOWN UINT64_MAX
#define IDX_DIGEST_LEN 16

struct idx_message {
	uint8_t flags, bits;
	uint64_t keywords, modseq;
	int64_t internal_date, save_date;
	uint64_t size, physical_size;	/* IDX_SIZE_UNKNOWN: nobody has looked */
	uint8_t digest[IDX_DIGEST_LEN];	/* of the content */
	struct span uidl;		/* what POP3 calls it, when that is not made from the UID; 255 octets at most */
	struct span name;		/* the driver's: a file name, or a place in a file */
};

struct idx_stamp {			/* a directory as it was when the index last agreed with it */
	int64_t sec;
	uint32_t nsec;
	uint64_t ino;
};

enum idx_state_bits {
	IDX_STATE_UNSCANNED = 1 << 0,	/* new or rebuilt: the first scan takes every UID that the names carry */
	IDX_STATE_COARSE = 1 << 1,	/* the file system's times are too coarse to trust */
	IDX_STATE_WINDOW = 1 << 2,	/* stamped behind changes of our own since the last scan: see maildir/scan.c */
	IDX_STATE_DOUBT = 1 << 3,	/* numbers may be behind what was told: the driver goes on from its marks, index_settle() */
	IDX_STATE_PRIVATE = 1 << 4,	/* UIDVALIDITY was made up for an index that is private (index_is_private) */
	IDX_STATE_BITS = 31,
};

struct idx_state {
	uint32_t id;			/* from the key */
	uint32_t bits;
	uint32_t uidvalidity, uidnext;
	uint32_t recent_uid;		/* UIDs from here on are nobody's \Recent yet */
	uint32_t uid_reserved;		/* UIDs and modseqs are given out below these marks: the control file has them too */
	uint64_t modseq_reserved;
	uint64_t highestmodseq;
	uint64_t pruned_to;		/* `change' is complete above this modseq */
	uint32_t messages, unseen, deleted;
	uint32_t unsized;		/* messages whose size is unknown */
	uint32_t dirty;			/* messages with IDX_DIRTY */
	uint32_t tombstones;		/* expunges in `change' */
	uint32_t unseen_from;		/* no message with a lower UID lacks \Seen; 0: unknown */
	uint64_t bytes;			/* sum of the known sizes */
	uint64_t physical;		/* sum of the physical sizes */
	uint64_t unsized_bytes;		/* the part of it that is of messages whose size is unknown */
	uint64_t dev;
	int64_t scanned_at;		/* seconds since 1970 */
	struct idx_stamp stamp[2];
	uint16_t name_n;
	char name[INDEX_NAME_MAX];	/* of the mailbox: the way back from the id */
};

static inline struct span
idx_state_name(const struct idx_state *st)
{
	return span_of(st->name, st->name_n);
}

static inline void
idx_state_set_name(struct idx_state *st, struct span name)
{
	st->name_n = (uint16_t)(name.n > INDEX_NAME_MAX ? INDEX_NAME_MAX : name.n);
	if (st->name_n > 0)
		memcpy(st->name, name.p, st->name_n);
}

enum idx_change { IDX_CHANGE_FLAGS = 1, IDX_CHANGE_EXPUNGED = 2 };

#define IDX_KEY_ID 4
#define IDX_KEY_VIEW 8		/* in meta: "view", mailbox id */
#define IDX_KEY_MESSAGE 8
#define IDX_KEY_CHANGE 16
#define IDX_STATE_MAX (176 + INDEX_NAME_MAX)
#define IDX_MESSAGE_MAX (52 + IDX_DIGEST_LEN + 1 + 255 + INDEX_FILE_NAME_MAX)

static inline void
idx_key_message(char key[IDX_KEY_MESSAGE], uint32_t id, uint32_t uid)
{
	be32_put(key, id);
	be32_put(key + 4, uid);
}

static inline void
idx_key_view(char key[IDX_KEY_VIEW], uint32_t id)
{
	memcpy(key, "view", 4);
	be32_put(key + 4, id);
}

static inline void
idx_key_change(char key[IDX_KEY_CHANGE], uint32_t id, uint64_t modseq, uint32_t uid)
{
	be32_put(key, id);
	be64_put(key + 4, modseq);
	be32_put(key + 12, uid);
}

/*
 * The checksum of an entry: quick (a few octets a cycle), and sure of any damage within eight octets; no protection from
 * who wants to deceive.
 */
uint32_t idx_sum(enum idx_db db, struct span key, struct span value);
/* Takes the checksum off *value, as it is stored; false: damaged. */
bool idx_value_open(enum idx_db db, struct span key, struct span *value);

/* Into room of IDX_MESSAGE_MAX, IDX_STATE_MAX octets; the number of octets used.  Names must keep their limits. */
size_t idx_message_pack(char *room, const struct idx_message *m);
size_t idx_state_pack(char *room, const struct idx_state *st);
/* Spans of *out point into value.  False: damaged. */
bool idx_message_unpack(struct span value, struct idx_message *out);
/* Only flags and bits are set, from a value with or without its checksum. */
static inline bool
idx_message_peek(struct span value, struct idx_message *out)
{
	if (value.n < 52 || value.p[0] != 1)
		return false;
	out->flags = (uint8_t)value.p[1] & IDX_FLAGS;
	out->bits = (uint8_t)value.p[2];
	return true;
}
bool idx_state_unpack(struct span key, struct span value, struct idx_state *out);
/* Each NUL-terminated name of a keyword value, INDEX_KEYWORDS at most; the count, or -1 when damaged. */
int idx_keywords_unpack(struct span value, struct span names[INDEX_KEYWORDS]);
/* Whether key and value (without its checksum) of a database are well-formed: what verifying and salvaging look at. */
bool idx_entry_is_valid(enum idx_db db, struct span key, struct span value);
#endif
