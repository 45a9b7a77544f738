/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MAILDIR_UIDS_H
#define CULVER_LIB_STORAGE_MAILDIR_UIDS_H
/*
 * culver-uids: what names of files would tell and do not.  Pure: from octets to structures, and back.
 *
 *	culver-uids 1 <uidvalidity>
 *	<uid>:<name>/		the UID of the file that is so called, without its flags
 *	<uid>=<hexadecimal>/	the keywords of a message that have no letter: bit 0 is the first of them
 *
 * It is appended to: of lines about one name, or one UID's keywords, the last counts.  No name has a '/' in it: a line that
 * was cut does not end with one, and is passed over like everything that is not sound.
 */
#include "lib/array.h"
#include "lib/buf.h"

#define UIDS_OCTETS ((size_t)1 << 30)	/* of a file: more are not looked at */
#define UIDS_ENTRIES 20000000u

struct uids_name {
	uint32_t uid;
	uint32_t name;		/* offset into the text */
	uint16_t name_n;
};

struct uids_keywords {
	uint32_t uid, order;
	uint64_t bits;
};

struct uids {
	struct span text;		/* borrowed: must live as long */
	uint32_t uidvalidity;
	uint32_t highest;		/* UID of a name; 0: there is none */
	struct array names;		/* struct uids_name, in the order of the text */
	struct array keywords;		/* struct uids_keywords, by UID, each UID once */
	size_t unsound;			/* lines passed over */
	uint32_t *table;		/* by name: index + 1 */
	size_t mask;
};

/* False: no such file (or memory is out): *out holds nothing. */
bool uids_parse(struct span text, struct uids *out);
void uids_clear(struct uids *u);
/* Needed before uids_by_name.  False: memory is out. */
bool uids_index(struct uids *u);
uint32_t uids_by_name(const struct uids *u, struct span base);		/* 0: not there */
uint64_t uids_keywords(const struct uids *u, uint32_t uid);		/* 0: none */

void uids_put_head(struct buf *out, uint32_t uidvalidity);
/* False, and nothing is added: the name can not be in a line. */
bool uids_put_name(struct buf *out, uint32_t uid, struct span base);
void uids_put_keywords(struct buf *out, uint32_t uid, uint64_t bits);
#endif
