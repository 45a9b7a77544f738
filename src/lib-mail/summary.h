/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_SUMMARY_H
#define CULVER_LIB_MAIL_SUMMARY_H
/*
 * What the index keeps of each message, so that listing a mailbox opens no mail: ENVELOPE, BODYSTRUCTURE, the sent
 * date, sizes, and the header fields of header-name.def.  A summary is one string of octets with a checksum; looking
 * into it copies and allocates nothing.  What is missing (a flag says so) or damaged is made again from the mail.
 *
 * Writing:   summary_from_message(&buf, arena, message, &limits)  ->  buf is the index's value
 * Reading:   summary_view(value, &view) == true  ->  view.envelope ..., summary_body_write(), summary_fields_write()
 * In the index it is smaller: summary_pack(), summary_unpack().
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib-mail/date.h"
#include "lib-mail/header-name.h"
#include "lib-mail/limits.h"

enum {				/* what a summary holds */
	SUMMARY_ENVELOPE = 1 << 0,
	SUMMARY_STRUCTURE = 1 << 1,	/* BODYSTRUCTURE and, from it, BODY; SUMMARY_ATTACHMENT is meaningful */
	SUMMARY_FIELDS = 1 << 2,	/* all fields of the table that the message has */
	SUMMARY_SENT = 1 << 3,		/* the message has a Date that could be read */
	SUMMARY_SIZES = 1 << 4,		/* size, virtual_size and header sizes are of the whole message */
	SUMMARY_ATTACHMENT = 1 << 5,	/* mime_has_attachment() */
	SUMMARY_HAS_NUL = 1 << 6,	/* there is a NUL octet in the message */
};

struct summary_view {			/* spans into the value that was given to summary_view() */
	unsigned flags;
	struct mail_date sent;		/* all zero without SUMMARY_SENT */
	uint64_t size, virtual_size;	/* of the message, as stored and with CRLF line ends */
	uint64_t header_size, header_virtual;	/* of its header, with the empty line */
	struct span envelope;		/* "(...)", ready to send */
	struct span bodystructure;	/* "(...)", ready to send */
	struct span holes;		/* for summary_body_write() */
	struct span entries;		/* for summary_fields_write() */
	struct span fields;		/* the kept fields in the order of the mail, CRLF line ends, NULs as 0x80 */
};

/*
 * Both append one encoded summary to out and take working memory from the arena (about MAIL_ARENA_MAX at most; the
 * caller resets it).  A message of any kind has a summary: -1 only when the arena or out is exhausted. From the header
 * alone (it may be followed by more): SUMMARY_STRUCTURE and SUMMARY_SIZES are not set.
 */
int summary_from_header(struct buf *out, struct arena *a, struct span header, const struct mail_limits *lim);
int summary_from_message(struct buf *out, struct arena *a, struct span message, const struct mail_limits *lim);

/* Appends the encoding of v.  The spans holes and entries must come from summary_view(), or be empty. */
void summary_encode(struct buf *out, const struct summary_view *v);

/* False when value is empty, of another version, or damaged (its checksum or its lengths are wrong): make it anew. */
bool summary_view(struct span value, struct summary_view *out);
/* Only the numbers, from the first octets of value: the spans of *out are empty, and the rest of value is not looked at. */
bool summary_head(struct span value, struct summary_view *out);

/*
 * A summary as the index keeps it: a fraction of the octets, since ENVELOPE repeats the fields, and mails each other.  It has
 * checksums of its own, one of its head, one of the rest.
 */
void summary_pack(struct buf *out, struct span summary);	/* appends; out->failed when it is none */
/* As summary_view() and summary_head(); the spans of *out point into packed and room until either is used again.  room: BUF_INIT() of
 * SUMMARY_ROOM_MAX at first. */
#define SUMMARY_ROOM_MAX ((size_t)16 << 20)
bool summary_unpack(struct buf *room, struct span packed, struct summary_view *out);
/* The same, but of the spans only fields and entries, which point into packed: for summary_field_*(). */
bool summary_unpack_fields(struct span packed, struct summary_view *out);
bool summary_packed_head(struct span packed, struct summary_view *out);
bool summary_packed_is_sound(struct span packed);	/* by its checksums alone */

/* BODY: the BODYSTRUCTURE without its extension data.  Only with SUMMARY_STRUCTURE. */
void summary_body_write(struct buf *out, const struct summary_view *v);

/* A set of field names, made once for a FETCH of many messages. */
struct summary_fieldset {
	uint64_t bits[4];	/* by enum header_id */
};

/* False when a name is not in the table: then the fields must be read from the mail itself. */
bool summary_fieldset_init(struct summary_fieldset *set, const struct span *names, size_t count);

/*
 * BODY[HEADER.FIELDS (...)]: the fields of the set that the message has, in its order, and an empty line: octet for
 * octet what header_fields_write() gives from the mail.  Only with SUMMARY_FIELDS.
 */
void summary_fields_write(struct buf *out, const struct summary_view *v, const struct summary_fieldset *set);
/* How many octets that is, for a literal. */
size_t summary_fields_size(const struct summary_view *v, const struct summary_fieldset *set);

/* Steps through the kept fields; the cursor is all zero at first.  raw_out is the whole field with its CRLF.  False at
 * the end. */
struct summary_cursor {
	size_t entry, offset;
};
bool summary_field_next(const struct summary_view *v, struct summary_cursor *at, enum header_id *id_out,
	struct span *raw_out);

/* The first kept field of that name: its raw value (folded, behind the colon, trimmed).  False when there is none. */
bool summary_field_get(const struct summary_view *v, enum header_id id, struct span *value_out);
#endif
