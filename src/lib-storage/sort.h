/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SORT_H
#define CULVER_LIB_STORAGE_SORT_H
/*
 * SORT (RFC 5256 section 3, RFC 5957) and what THREAD needs of the same fields.  Everything comes from the index where it
 * is there; text is compared in the caseless form of charset_fold(), of its first SORT_TEXT_MAX octets.
 */
#include "lib-mail/charset.h"
#include "lib-storage/mailbox.h"

#define SORT_TEXT_MAX 500
#define SORT_CRITERIA_MAX 20

enum sort_type {
	SORT_ARRIVAL,		/* INTERNALDATE */
	SORT_CC, SORT_FROM, SORT_TO,		/* the local part of the first address */
	SORT_DATE,		/* the Date field in UTC; INTERNALDATE where there is none */
	SORT_SIZE,
	SORT_SUBJECT,		/* the base subject */
	SORT_DISPLAYFROM, SORT_DISPLAYTO,	/* the display name, or the address */
};

struct sort_criterion {
	enum sort_type type;
	bool reverse;
};

/* The fields of one message, from its summary or else its header.  Spans are valid until the next call on the mailbox. */
struct sort_message {
	struct mailbox *box;
	struct msg_rec rec;
	struct summary_view sum;
	struct span header;		/* where the summary does not have all fields; else p is NULL */
};
/* What of it is needed, added up: internal date and size; when it was sent; the fields. */
enum sort_need { SORT_RECORD = 1, SORT_SENT = 2, SORT_FIELDS = 4 };
/* 0; -1: ERR_GONE (expunged meanwhile), or it can not be read. */
int sort_message_get(struct mailbox *box, uint32_t uid, unsigned need, struct sort_message *out, struct err *e);
/* False: there is no such field. */
bool sort_message_field(const struct sort_message *m, enum header_id id, struct span name, struct span *value_out);
struct span sort_field_value(struct span raw);	/* of a field with its name, as sort_message_field() gives it */
int64_t sort_message_date(const struct sort_message *m);
/*
 * Appends the base subject of a Subject field, folded, as it is compared; true when it is that of a reply or a forward.
 * room is for the call alone.
 */
bool sort_subject(struct charset_cache *charsets, struct buf *room, struct span value, struct buf *out);

/*
 * Sorts the sequence numbers in place; those that are gone meanwhile are taken out (*count).  Equal messages are in the
 * order of their sequence numbers.  ERR_LIMIT: the keys need more than memory_max octets.
 */
int sort_messages(struct mailbox *box, const struct sort_criterion *criteria, size_t criteria_count, uint32_t *seqs,
    size_t *count, size_t memory_max, struct err *e);
#endif
