/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_MBOX_PARSE_H
#define CULVER_LIB_STORAGE_MBOX_PARSE_H
/*
 * The octets of an mbox file.  Pure: no file, no clock.  Whoever reads gives what he has, and says whether the file ends
 * there; MBOX_MORE means that more of it must be shown, and nothing has been decided.
 *
 *	file = *(junk-newline) *message
 *	message = from-line header [blank-line] body [blank-line]
 *
 * A From line is "From ", whatever names the sender, a date as ctime() writes it (with a zone or without) or as in RFC 5322,
 * and whatever follows.  A line that only looks like one is text.
 */
#include "lib/buf.h"

#define MBOX_FROM_MAX 1000		/* octets of a From line; what is longer is none */
#define MBOX_HEADER_MAX ((size_t)1 << 20)	/* what is looked through for the end of a header */

enum mbox_verdict { MBOX_MORE, MBOX_YES, MBOX_NO };

struct mbox_date {
	int year, month, day, hour, minute, second;	/* month: 1 to 12 */
	bool has_zone;
	int zone;		/* minutes east of UTC */
};

/* Whether in begins with a From line; *used_out: its octets, with the line's end.  date_out may be NULL. */
enum mbox_verdict mbox_from_line(struct span in, bool end, struct mbox_date *date_out, size_t *used_out);

struct mbox_header {
	size_t length;		/* octets, the blank line among them */
	bool ended;		/* by a blank line */
	bool crlf;		/* its first line ends in CRLF */
	size_t visible, bare;	/* octets that clients see; LFs without CR in them */
	uint64_t digest;	/* of what they see, but for "Lines", which mail programs write as they like */
	/* From the fields that clients do not see.  Spans are parts of what was given. */
	uint8_t flags;		/* IDX_* */
	bool old;		/* O in Status: not \Recent any more */
	bool has_status;
	uint32_t uid;		/* X-UID; 0: none */
	uint32_t uidvalidity, last_uid;	/* X-IMAPbase or X-IMAP; 0: none */
	size_t last_uid_at;	/* where last_uid stands, if it does with ten digits; 0 */
	bool pseudo;		/* X-IMAP: no message, but where a file without messages keeps these numbers */
	struct span base_keywords, keywords;
	bool has_length;
	uint64_t content_length;
};

/* in: from behind the From line.  MBOX_YES always in the end. */
enum mbox_verdict mbox_header_parse(struct span in, bool end, struct mbox_header *out);

/*
 * The next From line in text of a body; bol: text begins a line.  MBOX_YES: *at_out is where it stands.  MBOX_MORE: all before
 * *at_out is text (and a From line may follow).  MBOX_NO, at the end of the file: there is none.
 */
enum mbox_verdict mbox_body_scan(struct span text, bool bol, bool end, size_t *at_out);

/*
 * Whether a message may end here, as its Content-Length says: *blank_out newlines, one (two when its last line had no end:
 * unended) at most, and then a From line or the end of the file.
 */
enum mbox_verdict mbox_is_boundary(struct span text, bool unended, bool end, size_t *blank_out);

/* Appends the fields that clients see, and the blank line, to out. */
void mbox_header_visible(struct span header, struct buf *out);
/* Whether the field, of which line is the first line, is one that clients do not see. */
bool mbox_is_hidden(struct span line);
/* Octets of the first field in header, with its folded lines; 0 when header is empty or begins with the blank line. */
size_t mbox_field_length(struct span header);

/* What clients do not see: the same text always takes the same room, so that it can be changed where it stands. */
struct mbox_fields {
	uint32_t uidvalidity, last_uid;	/* 0: no X-IMAPbase */
	const struct span *keyword_names;	/* all of the mailbox */
	size_t keyword_count;
	uint32_t uid;
	uint8_t flags;
	uint64_t keywords;	/* bits of keyword_names */
	bool old, crlf, pseudo;	/* pseudo: of no message, with X-IMAP and without X-UID */
	bool has_length;
	uint64_t content_length;
};
#define MBOX_PADDING 50		/* spaces for flags and keywords that come later */
/* At least room octets, by spaces; without room (0), with MBOX_PADDING of them. */
void mbox_fields_write(struct buf *out, const struct mbox_fields *f, size_t room);
#endif
