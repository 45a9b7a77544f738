/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_FETCH_H
#define CULVER_IMAP_FETCH_H
/* One FETCH that is running: cmd-fetch.c decides and writes what the index has, fetch-body.c what the mail itself has. */
#include "imap/session.h"
#include "lib-mail/imap-mime.h"
#include "lib-mail/mime.h"
#include "lib-mail/summary.h"
#include "lib-protocol/imap-fetch-items.h"

/* Where the data of a section comes from: the cheaper ones first. */
enum fetch_source { FETCH_FROM_SUMMARY, FETCH_FROM_HEADER, FETCH_FROM_BODY };

struct fetch {
	struct imap_session *s;
	struct fetch_items items;
	struct summary_fieldset *sets;		/* a section each, where its source is the summary */
	enum fetch_source *sources;		/* a section each */
	unsigned summary_need;			/* NEED_HEADER | NEED_STRUCTURE */
	bool needs_header, needs_body;
	bool by_modseq;				/* CHANGEDSINCE */
	uint64_t changed_since;
	bool vanished;
	struct mail_limits limits;
	struct arena *mime_arena;		/* made when first needed */

	/* The message at hand. */
	uint32_t seq;
	struct msg_rec rec;
	char email_id[33];			/* where it was asked for */
	struct summary_view sum;
	bool has_sum;				/* sum's spans are good: no mailbox_read_end() since */
	struct span text;			/* the mail, or its header */
	bool has_body, has_header;
	const struct mime_part *root;		/* NULL: not parsed yet */

	bool gone, failed;			/* some message was expunged, could not be read */
	bool first;				/* nothing of this message's answer is behind the "(" yet */
};

/* Loads the mail (or its header alone) into f->text. */
int fetch_load_text(struct fetch *f, struct err *e);
/* The summary, with what f->summary_need says. */
int fetch_load_summary(struct fetch *f, struct err *e);
/* " BODY[...] {n} ..." */
void fetch_put_section(struct fetch *f, size_t idx);
/* ENVELOPE, BODY, BODYSTRUCTURE of a message whose summary has no room for it.  Into s->scratch. */
int fetch_make_envelope(struct fetch *f, struct err *e);
int fetch_make_structure(struct fetch *f, bool extended, struct err *e);
/* Puts bytes that come from the index, whose transaction must not be held while the output may block. */
void fetch_put_indexed(struct fetch *f, struct span bytes);
#endif
