/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include "imap-fixture.h"
#include "lib-config/config.h"
#include "lib-storage/mailbox.h"

#ifndef IMAP_FIXTURE_DRIVER
#define IMAP_FIXTURE_DRIVER "maildir"
#define IMAP_FIXTURE_OPTIONS ""
#endif

static const char namespaces[] =
    "namespace inbox {\n inbox = yes\n separator = /\n mailbox Drafts {\n special_use = \\Drafts\n }\n"
    " mailbox Sent {\n special_use = \\Sent\n }\n mailbox Trash {\n special_use = \\Trash\n }\n}\n";

void
imap_fixture_make(struct imap_fixture *f)
{
	char path[128];
	struct config *config;
	struct err e = ERR_INIT;
	FILE *file;
	int fd;

	temp_dir_make(f->dir);
	snprintf(path, sizeof(path), "%s/culver.conf", f->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "mail_location = " IMAP_FIXTURE_DRIVER ":%s/mail" IMAP_FIXTURE_OPTIONS "\nmail_home = %s\nfirst_valid_uid = 1\n%s", f->dir, f->dir, namespaces);
	assert_int_equal(fclose(file), 0);
	config = config_read(path, &e);
	assert_non_null(config);
	if (config_has_errors(config)) {
		const struct config_note *notes;

		config_notes(config, &notes);
		fail_msg("%s", notes[0].text);
	}
	fd = config_image(config, &e);
	assert_true(fd != -1);
	assert_int_equal(settings_open(fd, &f->settings, &e), 0);
	close(fd);
	config_free(config);
	f->view = set_view_new(f->settings, &(struct set_filter){ .protocol = "imap" });
	assert_non_null(f->view);
}

void
imap_fixture_clear(struct imap_fixture *f)
{
	set_view_free(f->view);
	settings_close(f->settings);
	temp_dir_remove(f->dir);
}

void
imap_fixture_start(const struct imap_fixture *f, int client_fd, struct session_start *out)
{
	*out = (struct session_start){
		.settings = f->settings, .view = f->view, .client_fd = client_fd, .hub_fd = -1, .parent_fd = -1,
		.session = SPAN("test"), .tag = SPAN("L"), .secured = true,
		.id = { .user = SPAN("tester"), .home = span_str(f->dir), .uid = getuid(), .gid = getgid() },
	};
}

struct storage *
imap_fixture_storage(const struct imap_fixture *f)
{
	struct storage_params params = { .view = f->view, .user = SPAN("tester"), .home = span_str(f->dir),
					 .protocol = SPAN("imap"), .notify_fd = -1 };
	struct storage *st = NULL;
	struct err e = ERR_INIT;

	if (storage_open(&params, &st, &e) == -1)
		fail_msg("%s", e.log);
	return st;
}

void
imap_fixture_add(struct storage *st, struct span mailbox, struct span text, unsigned flags,
    const struct span *keywords, size_t keyword_count, int64_t internal_date)
{
	struct save_params params = { .flags = flags, .internal_date = internal_date };
	struct arena *a = arena_new(1 << 20);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	struct err e = ERR_INIT;
	uint32_t validity;

	if (mailbox_open(st, mailbox, MAILBOX_SAVE, &box, &e) == -1 ||
	    mailbox_keyword_mask(box, keywords, keyword_count, true, &params.keywords, &e) == -1 ||
	    saver_new(box, &saver, &e) == -1 || saver_begin(saver, &params, &e) == -1 ||
	    saver_write(saver, text, &e) == -1 || saver_finish(saver, &e) == -1 ||
	    saver_commit(saver, a, &validity, &uids, &e) == -1)
		fail_msg("%s", e.log);
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
}
