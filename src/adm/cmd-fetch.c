/* SPDX-License-Identifier: MIT */
/* fetch: one row a message, a column a field that was asked for. */
#include "adm/mail.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "adm/progress.h"
#include "lib-mail/crlf.h"
#include "lib-mail/date.h"
#include "lib-mail/header.h"

#define FIELDS_MAX 60
#define TEXT_MAX (1u << 30)

/* What a field's writer may look at. */
struct fetched {
	struct mail_job *job;
	struct mailbox *box;
	uint32_t uid;
	struct span header;	/* NAME of hdr.NAME */
	struct buf *out;
};

struct fetch_field {
	const char *name;
	int (*write)(struct fetched *m, struct err *e);
	bool header;		/* "hdr." and a name behind it */
};

static int
write_user(struct fetched *m, struct err *e)
{
	(void)e;
	buf_add(m->out, m->job->user);
	return 0;
}

static int
write_mailbox(struct fetched *m, struct err *e)
{
	(void)e;
	buf_add(m->out, mailbox_name(m->box));
	return 0;
}

static int
write_uid(struct fetched *m, struct err *e)
{
	(void)e;
	buf_add_u64(m->out, m->uid);
	return 0;
}

static int
write_seq(struct fetched *m, struct err *e)
{
	(void)e;
	buf_add_u64(m->out, mailbox_seq(m->box, m->uid));
	return 0;
}

static int
write_flags(struct fetched *m, struct err *e)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = { { MSG_ANSWERED, "\\Answered" }, { MSG_FLAGGED, "\\Flagged" }, { MSG_DELETED, "\\Deleted" },
		{ MSG_SEEN, "\\Seen" }, { MSG_DRAFT, "\\Draft" }, { MSG_PASSED, "$Forwarded" } };
	const struct span *keywords;
	size_t count, start = m->out->n;
	struct msg_rec rec;

	if (mailbox_get(m->box, m->uid, &rec, e) == -1)
		return -1;
	count = mailbox_keywords(m->box, &keywords);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((rec.flags & names[i].flag) != 0)
			buf_addf(m->out, "%s%s", m->out->n > start ? " " : "", names[i].name);
	for (size_t i = 0; i < count && i < 64; i++)
		if ((rec.keywords >> i & 1) != 0)
			buf_addf(m->out, "%s%.*s", m->out->n > start ? " " : "", SPAN_ARG(keywords[i]));
	return 0;
}

static int
write_modseq(struct fetched *m, struct err *e)
{
	struct msg_rec rec;

	if (mailbox_get(m->box, m->uid, &rec, e) == -1)
		return -1;
	buf_add_u64(m->out, rec.modseq);
	return 0;
}

static void
put_time(struct buf *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) > 0)
		buf_adds(out, text);
}

static int
write_received(struct fetched *m, struct err *e)
{
	int64_t date;

	if (mailbox_date(m->box, m->uid, &date, e) == -1)
		return -1;
	put_time(m->out, date);
	return 0;
}

static int
write_saved(struct fetched *m, struct err *e)
{
	struct msg_rec rec;

	if (mailbox_get(m->box, m->uid, &rec, e) == -1)
		return -1;
	put_time(m->out, rec.save_date);
	return 0;
}

static int
write_sent(struct fetched *m, struct err *e)
{
	struct summary_view view;

	if (mailbox_summary(m->box, m->uid, NEED_HEADER, &view, e) == -1)
		return -1;
	if ((view.flags & SUMMARY_SENT) != 0)
		date_write(m->out, view.sent);
	return 0;
}

static int
write_physical(struct fetched *m, struct err *e)
{
	struct msg_rec rec;

	if (mailbox_get(m->box, m->uid, &rec, e) == -1)
		return -1;
	buf_add_u64(m->out, rec.physical_size);
	return 0;
}

static int
write_virtual(struct fetched *m, struct err *e)
{
	uint64_t size;

	if (mailbox_size(m->box, m->uid, &size, e) == -1)
		return -1;
	buf_add_u64(m->out, size);
	return 0;
}

static int
write_guid(struct fetched *m, struct err *e)
{
	char id[33];

	if (mailbox_email_id(m->box, m->uid, id, e) == -1)
		return -1;
	buf_adds(m->out, id);
	return 0;
}

static int
write_hdr(struct fetched *m, struct err *e)
{
	struct span text;

	if (mailbox_body(m->box, m->uid, &text, e) == -1)
		return -1;
	crlf_add(m->out, span_sub(text, 0, header_size(text)));
	return 0;
}

static int
write_body(struct fetched *m, struct err *e)
{
	struct span text;

	if (mailbox_body(m->box, m->uid, &text, e) == -1)
		return -1;
	crlf_add(m->out, span_from(text, header_size(text)));
	return 0;
}

static int
write_text(struct fetched *m, struct err *e)
{
	struct span text;

	if (mailbox_body(m->box, m->uid, &text, e) == -1)
		return -1;
	crlf_add(m->out, text);
	return 0;
}

static int
write_header_field(struct fetched *m, struct err *e)
{
	struct header_field field;
	struct header_iter it;
	struct span text;
	size_t start = m->out->n;

	if (mailbox_body(m->box, m->uid, &text, e) == -1)
		return -1;
	header_begin(&it, text, 100000, 16u << 20);
	while (header_next(&it, &field)) {
		if (!span_ieq(field.name, m->header))
			continue;
		if (m->out->n > start)
			buf_addc(m->out, '\n');
		header_unfold(m->out, field.value);
	}
	return 0;
}

static int
write_envelope(struct fetched *m, struct err *e)
{
	struct summary_view view;

	if (mailbox_summary(m->box, m->uid, NEED_HEADER, &view, e) == -1)
		return -1;
	buf_add(m->out, view.envelope);
	return 0;
}

static int
write_imap_body(struct fetched *m, struct err *e)
{
	struct summary_view view;

	if (mailbox_summary(m->box, m->uid, NEED_STRUCTURE, &view, e) == -1)
		return -1;
	summary_body_write(m->out, &view);
	return 0;
}

static int
write_bodystructure(struct fetched *m, struct err *e)
{
	struct summary_view view;

	if (mailbox_summary(m->box, m->uid, NEED_STRUCTURE, &view, e) == -1)
		return -1;
	buf_add(m->out, view.bodystructure);
	return 0;
}

static const struct fetch_field fields[] = {
	{ "user", write_user, false }, { "mailbox", write_mailbox, false }, { "uid", write_uid, false },
	{ "seq", write_seq, false }, { "flags", write_flags, false }, { "modseq", write_modseq, false },
	{ "date.received", write_received, false }, { "date.saved", write_saved, false },
	{ "date.sent", write_sent, false }, { "size.physical", write_physical, false },
	{ "size.virtual", write_virtual, false }, { "guid", write_guid, false }, { "hdr", write_hdr, false },
	{ "body", write_body, false }, { "text", write_text, false }, { "imap.envelope", write_envelope, false },
	{ "imap.body", write_imap_body, false }, { "imap.bodystructure", write_bodystructure, false },
	{ "hdr.", write_header_field, true },
};

static int
fetch_work(struct adm *a, struct mailbox *box, const struct uid_list *found, struct arena *arena, struct format *f,
    struct mail_job *job)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct fetched m = { .job = job, .box = box, .out = &out };
	struct progress p;
	int rc = ADM_OK;

	(void)arena;
	progress_begin(&p, "fetch", found->count);
	if (isatty(STDOUT_FILENO) == 1)
		p.on = false;	/* the rows themselves show how it goes on */
	for (size_t i = 0; i < found->count && rc == ADM_OK; i++) {
		m.uid = found->uids[i];
		for (size_t k = 0; k < job->field_count && rc == ADM_OK; k++) {
			struct err e = ERR_INIT;

			buf_reset(&out);
			m.header = job->headers[k];
			if (job->fields[k]->write(&m, &e) == -1 && e.code != ERR_GONE)
				rc = adm_fail_err(&e, arena_printf(a->arena, "%.*s, UID %u", SPAN_ARG(mailbox_name(box)), m.uid));
			format_value(f, buf_span(&out));
		}
		mailbox_read_end(box);
		progress_step(&p, i + 1);
	}
	progress_end(&p);
	buf_clear(&out);
	return rc;
}

static const struct fetch_field *
find_field(struct span name, struct span *header_out)
{
	*header_out = SPAN("");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct span known = span_str(fields[i].name);

		if (!fields[i].header && span_ieq(name, known))
			return &fields[i];
		if (fields[i].header && span_istarts(name, known) && name.n > known.n) {
			*header_out = span_from(name, known.n);
			return &fields[i];
		}
	}
	return NULL;
}

static int
parse_fields(struct adm *a, struct span words, struct mail_job *job, struct format *f)
{
	const struct fetch_field **list = arena_alloc(a->arena, FIELDS_MAX, sizeof(*list));
	struct span *headers = arena_alloc(a->arena, FIELDS_MAX, sizeof(*headers));
	struct span word;

	if (list == NULL || headers == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	while (span_next(&words, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (job->field_count == FIELDS_MAX)
			return adm_fail(ADM_USAGE, "more than %d fields", FIELDS_MAX);
		list[job->field_count] = find_field(word, &headers[job->field_count]);
		if (list[job->field_count] == NULL)
			return adm_fail(ADM_USAGE, "there is no field \"%.*s\"", SPAN_ARG(word));
		job->field_count++;
		format_column(f, arena_cstr(a->arena, word), arena_cstr(a->arena, word), 0);
	}
	if (job->field_count == 0)
		return adm_fail(ADM_USAGE, "which fields? \"uid flags hdr.subject\", say");
	job->fields = list;
	job->headers = headers;
	return ADM_OK;
}

int
cmd_fetch(struct adm *a)
{
	struct mail_job job = { .work = fetch_work, .mode = MAILBOX_READ };
	struct format *f;
	int rc;

	if (a->argc < 3)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_PAGER, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = parse_fields(a, span_str(a->argv[1]), &job, f);
	if (rc == ADM_OK)
		rc = mail_job_run(a, 2, &job, f);
	format_end(f);
	format_free(f);
	return rc;
}
