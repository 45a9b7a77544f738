/* SPDX-License-Identifier: MIT */
/*
 * A whole session over a storage in memory.  The first octet says in what pieces the input arrives: the answers must be those
 * to the input in one piece.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "imap/session.h"
#include "lib/log.h"
#include "lib-config/config.h"
#include "tests/unit/memory-storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings_text[] =
    "imap_max_line_length = 1k\nimap_max_command_size = 2k\nimap_max_literal_size = 1k\nimap_max_bad_commands = 50\nmail_location = maildir:/nonexistent\nnamespace inbox {\n inbox = yes\n}\n"
    "imap_max_search_depth = 8\nimap_max_set_ranges = 50\nmail_max_mailbox_name_length = 40\n";

static struct set_view *
make_view(void)
{
	char path[] = "/tmp/culver-fuzz-XXXXXX";
	struct settings *settings = NULL;
	struct config *config;
	struct err e = ERR_INIT;
	int fd = mkstemp(path), image;

	if (fd == -1 || write(fd, settings_text, sizeof(settings_text) - 1) != (ssize_t)sizeof(settings_text) - 1)
		abort();
	close(fd);
	config = config_read(path, &e);
	unlink(path);
	if (config != NULL && config_has_errors(config)) {
		const struct config_note *notes;

		config_notes(config, &notes);
		fprintf(stderr, "%s\n", notes[0].text);
		abort();
	}
	if (config == NULL || (image = config_image(config, &e)) == -1 ||
	    settings_open(image, &settings, &e) == -1)
		abort();
	close(image);
	config_free(config);
	return set_view_new(settings, &(struct set_filter){ .protocol = "imap" });
}

static void
add(struct storage *st, struct span text, unsigned flags)
{
	struct save_params p = { .flags = flags, .internal_date = 1000000000 };
	struct arena *a = arena_new(65536);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	struct err e = ERR_INIT;
	uint32_t v;

	if (mailbox_open(st, SPAN("INBOX"), MAILBOX_SAVE, &box, &e) == -1 || saver_new(box, &saver, &e) == -1 ||
	    saver_begin(saver, &p, &e) == -1 || saver_write(saver, text, &e) == -1 ||
	    saver_commit(saver, a, &v, &uids, &e) == -1)
		abort();
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
}

static void
run(const struct session_start *ss, struct span input, size_t step, struct buf *out)
{
	const struct storage_params params = { .view = ss->view, .notify_fd = -1 };
	struct imap_session *s = NULL;
	struct storage *st = NULL;
	struct stream io;
	struct err e = ERR_INIT;

	memory_storage_reset();
	if (storage_open(&params, &st, &e) == -1)
		abort();
	add(st, SPAN("From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\none\n--y\n"
	    "Content-Type: message/rfc822\n\nSubject: in\n\ntwo\n--y--\n"), MSG_SEEN);
	add(st, SPAN("Subject: nul\r\n\r\n\0\r\nx"), MSG_DELETED);
	add(st, SPAN("no header"), 0);
	stream_init_mem(&io, input, 65536, 1 << 24);
	io.script_step = step;
	if (imap_session_new(ss, st, &io, &s, &e) == -1)
		abort();
	imap_session_run(s);
	buf_add(out, buf_span(&s->io.out));
	imap_session_free(s);
	storage_close(st);
	memory_storage_reset();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_start ss = { .hub_fd = -1, .parent_fd = -1, .client_fd = -1 };
	struct buf whole = BUF_INIT(1 << 24), cut = BUF_INIT(1 << 24);
	struct span input;

	if (size < 1 || size > 8192)
		return 0;
	if (ss.view == NULL) {
		log_init(&(struct log_target){ .fd = dup(2), .info_fd = -1, .debug_fd = -1 });
		log_prefix("fuzz");
		ss.view = make_view();
		ss.id.user = SPAN("fuzz");
	}
	input = span_of(data + 1, size - 1);
	run(&ss, input, input.n + 1, &whole);
	run(&ss, input, (size_t)data[0] % 16 + 1, &cut);
	if (!span_eq(buf_span(&whole), buf_span(&cut)))
		abort();
	buf_clear(&whole);
	buf_clear(&cut);
	return 0;
}
