/* SPDX-License-Identifier: MIT */
/*
 * IMAP sessions over a driver that answers conflict, unavailable and unknown at random: every command has its answer, a
 * message whose APPEND, COPY or MOVE was answered with OK is there once, and none is there twice.
 */
#include <fcntl.h>
#include "testing.h"
#include "faulty-driver.h"
#include "imap-fixture.h"
#include "imap/session.h"
#include "lib/log.h"

#define SESSIONS 120
#define FAULTS 25	/* percent */

static void
command(struct buf *script, unsigned *tag, const char *fmt, ...)
{
	va_list ap;

	buf_addf(script, "t%u ", ++*tag);
	va_start(ap, fmt);
	buf_addv(script, fmt, ap);
	va_end(ap);
	buf_adds(script, "\r\n");
}

static unsigned
append(struct buf *script, unsigned *tag, unsigned number)
{
	char text[100];
	int n = snprintf(text, sizeof(text), "Subject: Number %u\r\n\r\nText\r\n", number);

	command(script, tag, "APPEND INBOX (\\Flagged) {%d+}\r\n%s", n, text);
	return *tag;
}

/* 1 OK, 0 NO, 2 BAD (a message that is not there, when an APPEND was refused), -1 nothing. */
static int
answer(struct span out, unsigned tag)
{
	size_t used = 0;
	struct span line;
	char ok[24], no[24], bad[24];

	snprintf(ok, sizeof(ok), "t%u OK ", tag);
	snprintf(no, sizeof(no), "t%u NO ", tag);
	snprintf(bad, sizeof(bad), "t%u BAD ", tag);
	while (span_line(out, &used, &line)) {
		if (span_starts(line, span_str(ok)))
			return 1;
		if (span_starts(line, span_str(no)))
			return 0;
		if (span_starts(line, span_str(bad)))
			return 2;
	}
	return -1;
}

static unsigned
count_of(struct storage *st, const char *name, unsigned number)
{
	struct mailbox *box;
	struct err e = ERR_INIT;
	char want[60];
	unsigned n = 0;

	snprintf(want, sizeof(want), "Subject: Number %u\n", number);
	if (mailbox_open(st, span_str(name), MAILBOX_READ, &box, &e) == -1)
		fail_msg("%s", e.log);
	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		struct span body;

		if (mailbox_body(box, mailbox_uid(box, seq), &body, &e) == -1)
			fail_msg("%s", e.log);
		n += span_starts(body, span_str(want));
	}
	mailbox_close(box);
	return n;
}

static void
play(const struct imap_fixture *f, struct span script, uint64_t seed, struct buf *out)
{
	struct storage *st = imap_fixture_storage(f);
	struct session_start ss;
	struct imap_session *s;
	struct stream io;
	struct err e = ERR_INIT;

	imap_fixture_start(f, -1, &ss);
	stream_init_mem(&io, script, 65536, 1 << 24);
	if (imap_session_new(&ss, st, &io, &s, &e) == -1)
		fail_msg("%s", e.log);
	faulty_driver_on(st, FAULTS, seed);
	imap_session_run(s);
	buf_add(out, buf_span(&s->io.out));
	imap_session_free(s);
	faulty_driver_off(st);
	storage_close(st);
}

static void
test_commands(void **state)
{
	struct imap_fixture f;
	struct storage *clean;
	unsigned ok = 0, no = 0;

	(void)state;
	log_init(&(struct log_target){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .info_fd = -1, .debug_fd = -1 });
	imap_fixture_make(&f);
	clean = imap_fixture_storage(&f);
	for (unsigned i = 0; i < SESSIONS; i++) {
		struct buf script = BUF_INIT(65536), out = BUF_INIT(1 << 24);
		unsigned tag = 0, first = i * 4, appends[4], select, copy, move, last;
		char work[32];

		snprintf(work, sizeof(work), "Work%u", i);
		for (unsigned k = 0; k < 4; k++)
			appends[k] = append(&script, &tag, first + k);
		command(&script, &tag, "CREATE %s", work);
		command(&script, &tag, "SUBSCRIBE %s", work);
		command(&script, &tag, "LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT))");
		command(&script, &tag, "SELECT INBOX");
		select = tag;
		command(&script, &tag, "FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[TEXT])");
		command(&script, &tag, "STORE 1:* +FLAGS (\\Seen Label%u)", i);
		command(&script, &tag, "COPY 1 %s", work);
		copy = tag;
		command(&script, &tag, "MOVE 2 %s", work);
		move = tag;
		command(&script, &tag, "SEARCH TEXT Text");
		command(&script, &tag, "STORE 2 +FLAGS (\\Deleted)");
		command(&script, &tag, "EXPUNGE");
		command(&script, &tag, "NOOP");
		command(&script, &tag, "STATUS %s (MESSAGES HIGHESTMODSEQ)", work);
		command(&script, &tag, "CLOSE");
		command(&script, &tag, "LOGOUT");
		last = tag;
		play(&f, buf_span(&script), i, &out);

		for (unsigned t = 1; t <= last; t++) {
			int rc = answer(buf_span(&out), t);

			/* A body that can not be read in the middle of an answer ends the session. */
			if (rc == -1 && span_find(buf_span(&out), SPAN("* BYE FETCH failed")) != SIZE_MAX)
				break;
			if (rc == -1 || (rc == 2 && t <= select)) {
				print_error("%.*s", SPAN_ARG(buf_span(&out)));
				fail_msg("t%u has no answer", t);
			}
			ok += rc == 1;
			no += rc == 0;
		}
		unsigned kept = 0, acked = 0, in_work = 0;

		for (unsigned k = 0; k < 4; k++) {
			unsigned inbox = count_of(clean, "INBOX", first + k);
			struct mailbox_info info;
			struct err e = ERR_INIT;
			unsigned there = 0;

			if (storage_mailbox_info(clean, span_str(work), &info, &e) == 0 && info.attrs & MBOX_EXISTS)
				there = count_of(clean, work, first + k);
			if (inbox > 1 || there > 1)
				fail_msg("number %u: %u in INBOX, %u in %s", first + k, inbox, there, work);
			acked += answer(buf_span(&out), appends[k]) == 1;
			kept += answer(buf_span(&out), appends[k]) == 1 && inbox + there > 0;
			in_work += there;
		}
		/* One may have been expunged. */
		if (kept + 1 < acked)
			fail_msg("%u of %u are lost", acked - kept, acked);
		if (in_work < (answer(buf_span(&out), copy) == 1) + (unsigned)(answer(buf_span(&out), move) == 1) || in_work > 2)
			fail_msg("%u were copied or moved:\n%.*s", in_work, SPAN_ARG(buf_span(&out)));
		/* The next begins with an empty INBOX. */
		struct mailbox *box;
		struct err e = ERR_INIT;
		struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_DELETED };

		if (mailbox_open(clean, SPAN("INBOX"), MAILBOX_WRITE, &box, &e) == -1)
			fail_msg("%s", e.log);
		for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
			uint32_t uid = mailbox_uid(box, seq);

			if (mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, &e) == -1)
				fail_msg("%s", e.log);
		}
		if (mailbox_expunge(box, NULL, 0, false, &e) == -1)
			fail_msg("%s", e.log);
		mailbox_close(box);
		buf_clear(&script);
		buf_clear(&out);
	}
	assert_true(ok > SESSIONS * 8);
	assert_true(no > SESSIONS);
	storage_close(clean);
	imap_fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
