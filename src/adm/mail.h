/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_MAIL_H
#define CULVER_ADM_MAIL_H
/* Commands on the messages that a query finds, mailbox by mailbox. */
#include "adm/adm.h"
#include "adm/query.h"

struct mail_job;

/* What happens with one mailbox's matches (never none); arena is the mailbox's. */
typedef int mail_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena,
    struct format *f, struct mail_job *job);

struct mail_job {
	mail_work *work;
	/* Before a user's first mailbox and after the last, in the user's process; may be NULL.  An exit status. */
	int (*begin)(struct adm *a, struct storage *st, struct mail_job *job);
	int (*end)(struct adm *a, struct storage *st, struct mail_job *job);
	void *data;
	enum mailbox_mode mode;
	struct query query;
	/* flags */
	enum flag_op op;
	unsigned flags;
	struct span *keywords;
	size_t keyword_count;
	/* fetch */
	const struct fetch_field *const *fields;
	const struct span *headers;	/* the NAME of each "hdr.NAME" field; else empty */
	size_t field_count;
	struct span user;
};

/* The query is argv[first_word] and on. */
int mail_job_run(struct adm *a, int first_word, struct mail_job *job, struct format *f);
#endif
