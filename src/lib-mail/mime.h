/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_MIME_H
#define CULVER_LIB_MAIL_MIME_H
/*
 * The structure of a message (RFC 2045, 2046): a tree of parts in an arena, with spans into the message.  The whole
 * message must be in memory (mapped), and stay there as long as the tree is used.  One pass; time linear in its size.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib-mail/header-name.h"
#include "lib-mail/header.h"
#include "lib-mail/limits.h"
#include "lib-mail/param.h"

enum {
	MIME_MULTIPART = 1 << 0,	/* its children are its parts */
	MIME_MESSAGE = 1 << 1,		/* message/rfc822: its one child is the message inside */
	MIME_TEXT = 1 << 2,		/* text/something, or no type given */
	MIME_HAS_NUL = 1 << 3,		/* there is a NUL in its header or body (in its own, not in a child's header) */
	MIME_HEADER_TRUNCATED = 1 << 4,	/* a header limit was met */
	MIME_CUT = 1 << 5,		/* not divided, or not to its end, because of a limit */
};

/* A piece of the message. */
struct mime_extent {
	size_t offset, size;	/* in the file */
	size_t virt;		/* size with CRLF line ends: what IMAP calls its size */
	size_t lines;		/* line ends in it */
};

/* The values of all fields of one name, in their order; MIME_VALUES_MAX at most. */
enum { MIME_VALUES_MAX = 64 };
struct mime_value {
	struct mime_value *next;
	struct span text;
};

/*
 * The fields of ENVELOPE as raw values (folded).  Of several fields the last counts (p == NULL where there is none),
 * but the addresses of several fields are one list.
 */
struct mime_envelope {
	struct span date, subject, in_reply_to, message_id;
	struct mime_value *from, *sender, *reply_to, *to, *cc, *bcc;
};

struct mime_part {
	struct mime_part *parent, *next, *child;
	unsigned flags, depth;
	unsigned children;		/* how many are in the list that begins at child */
	struct span type, subtype;	/* as written, or the default: never empty */
	struct params params;		/* of Content-Type */
	struct span disposition;	/* the rest: p == NULL where the field is missing */
	struct params disposition_params;
	struct span encoding;		/* without comments */
	struct span id, description, language, location, md5;	/* raw values, folded as they are */
	struct mime_envelope *envelope;	/* of the message itself and of the child of a MIME_MESSAGE; else NULL */
	struct mime_extent header;	/* with the empty line */
	struct mime_extent body;	/* of a MIME_MESSAGE: the whole message inside */
};

/* Called for each field of the message's own header (not those of parts), before the body is looked at. */
typedef void (*mime_on_field)(void *ctx, enum header_id id, const struct header_field *f);

/*
 * *root_out is the message itself: its header and body extents make up the whole of `message`.  on_field may be NULL.
 * Returns -1 only when the arena has not even room for the first part; later it is as any other limit (MIME_CUT).
 */
int mime_parse(struct arena *a, struct span message, const struct mail_limits *lim, mime_on_field on_field, void *ctx,
	struct mime_part **root_out);

/* What of a part a section means (RFC 3501 section 6.4.5). */
enum mime_section {
	MIME_SECTION_ALL,	/* BODY[], BODY[1.2] */
	MIME_SECTION_HEADER,	/* BODY[HEADER], BODY[1.HEADER]; HEADER.FIELDS select from it */
	MIME_SECTION_TEXT,	/* BODY[TEXT], BODY[1.TEXT] */
	MIME_SECTION_MIME,	/* BODY[1.MIME] */
};

/* The part at a path of part numbers (1 is the first); NULL: there is none.  An empty path is the message itself. */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t depth);

/* The extent of a section; false when there is no such thing (IMAP then sends an empty string or NIL). */
bool mime_section(const struct mime_part *root, const uint32_t *path, size_t depth, enum mime_section what,
	struct mime_extent *out);

/* The part's content without its transfer encoding (IMAP's BINARY): false when the encoding is unknown. */
bool mime_decode(struct buf *out, struct span message, const struct mime_part *part);

/* Whether a mail program would show a paper clip: a part is neither text shown inline nor a picture in HTML. */
bool mime_has_attachment(const struct mime_part *root);
#endif
