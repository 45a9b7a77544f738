/* SPDX-License-Identifier: MIT */
/* save, index, force-resync. */
#include "adm/adm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "adm/progress.h"
#include "lib-storage/list-match.h"
#include "lib-storage/mailbox.h"

struct save {
	const char *mailbox;
	int fd;		/* opened before the process became the user: what root may read, root may deliver */
};

static int
copy_in(struct saver *s, int fd, struct err *e)
{
	const struct save_params p = { .internal_date = INT64_MIN };
	char room[65536];
	ssize_t n;

	if (saver_begin(s, &p, e) == -1)
		return -1;
	while ((n = read(fd, room, sizeof(room))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(e, "reading the message");
		if (saver_write(s, span_of(room, (size_t)n), e) == -1)
			return -1;
	}
	return saver_finish(s, e);
}

static int
save_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct save *sv = data;
	struct mailbox *box = NULL;
	struct saver *s = NULL;
	struct err e = ERR_INIT;
	struct uid_list uids;
	uint32_t uidvalidity;
	int rc = ADM_OK;

	(void)f;
	/* Each of several users gets the whole message. */
	if (lseek(sv->fd, 0, SEEK_SET) == -1 && errno != ESPIPE)
		return adm_fail(ADM_TEMP, "lseek: %s", strerror(errno));
	if (mailbox_open(st, span_str(sv->mailbox), MAILBOX_SAVE, &box, &e) == -1)
		return adm_fail_err(&e, sv->mailbox);
	if (saver_new(box, &s, &e) == -1 || copy_in(s, sv->fd, &e) == -1 ||
	    saver_commit(s, a->arena, &uidvalidity, &uids, &e) == -1)
		rc = adm_fail_err(&e, "saving");
	saver_free(s);
	mailbox_close(box);
	return rc;
}

int
cmd_save(struct adm *a)
{
	struct save sv = { "INBOX", STDIN_FILENO };
	struct format *f;
	int opt, rc;

	while ((opt = getopt(a->argc, a->argv, "+m:")) != -1) {
		if (opt != 'm')
			return adm_usage(a);
		sv.mailbox = optarg;
	}
	if (a->argc - optind > 1)
		return adm_usage(a);
	if (optind < a->argc) {
		sv.fd = open(a->argv[optind], O_RDONLY | O_CLOEXEC);
		if (sv.fd == -1)
			return adm_fail(ADM_NOT_FOUND, "%s: %s", a->argv[optind], strerror(errno));
	} else if ((a->all_users || a->user_file != NULL || (a->user_mask != NULL && strpbrk(a->user_mask, "*?") != NULL)) &&
	    lseek(sv.fd, 0, SEEK_CUR) == -1) {
		return adm_fail(ADM_USAGE, "a pipe can be read once only: for several users name a file");
	}
	f = format_new(FORMAT_FLOW, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = adm_for_users(a, f, save_work, &sv);
	format_free(f);
	return rc;
}

struct each_box {
	char **masks;
	int count;
	bool rebuild;
};

static bool
mask_matches(const struct each_box *x, const struct mailbox_info *info)
{
	for (int i = 0; i < x->count; i++)
		if (list_match(span_str(x->masks[i]), info->name, info->separator) == LIST_YES)
			return true;
	return false;
}

/* Every message's summary, and with it sizes, is there afterwards. */
static int
index_box(struct storage *st, struct span name, struct err *e)
{
	struct mailbox *box = NULL;
	struct progress p;
	int rc = 0;

	if (mailbox_open(st, name, MAILBOX_READ, &box, e) == -1)
		return -1;
	progress_begin(&p, "index", mailbox_count(box));
	for (uint32_t seq = 1; seq <= mailbox_count(box) && rc == 0; seq++) {
		struct summary_view view;
		uint64_t size;

		if ((mailbox_summary(box, mailbox_uid(box, seq), NEED_HEADER | NEED_STRUCTURE, &view, e) == -1 ||
		     mailbox_size(box, mailbox_uid(box, seq), &size, e) == -1) && e->code != ERR_GONE)
			rc = -1;
		if (seq % 256 == 0)
			mailbox_read_end(box);
		progress_step(&p, seq);
	}
	progress_end(&p);
	mailbox_close(box);
	return rc;
}

static int
boxes_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct each_box *x = data;
	struct mailbox_info *infos;
	struct err e = ERR_INIT;
	size_t count, found = 0;
	int rc = ADM_OK;

	(void)f;
	if (storage_list(st, a->arena, &infos, &count, &e) == -1)
		return adm_fail_err(&e, "listing the mailboxes");
	for (size_t i = 0; i < count; i++) {
		if ((infos[i].attrs & MBOX_EXISTS) == 0 || (infos[i].attrs & MBOX_NOSELECT) != 0 ||
		    !mask_matches(x, &infos[i]))
			continue;
		found++;
		if ((x->rebuild && storage_resync(st, infos[i].name, &e) == -1) ||
		    (!x->rebuild && index_box(st, infos[i].name, &e) == -1))
			rc = adm_fail_err(&e, arena_printf(a->arena, "%.*s", SPAN_ARG(infos[i].name)));
	}
	return found > 0 ? rc : adm_fail(ADM_NOT_FOUND, "there is no such mailbox");
}

static int
each_box(struct adm *a, bool rebuild)
{
	struct each_box x = { a->argv + 1, a->argc - 1, rebuild };
	struct format *f;
	int rc;

	if (x.count < 1)
		return adm_usage(a);
	f = format_new(FORMAT_FLOW, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = adm_for_users(a, f, boxes_work, &x);
	format_free(f);
	return rc;
}

int
cmd_index(struct adm *a)
{
	return each_box(a, false);
}

int
cmd_force_resync(struct adm *a)
{
	return each_box(a, true);
}
