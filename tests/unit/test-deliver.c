/* SPDX-License-Identifier: MIT */
/* What becomes of a message that a filter decides about: performed over a real storage; what leaves is caught here. */
#include "sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/sieve.h"

static const char conf[] =
    "mail_location = maildir:~/Maildir\nmail_fsync = never\nmail_plugins = sieve\nhostname = mx.example\n"
    "namespace inbox {\n inbox = yes\n separator = /\n mailbox Junk {\n  auto = create\n  special_use = \\Junk\n }\n}\n"
    "plugin {\n sieve_before = DIR/before\n sieve_after = DIR/after.sieve\n sieve_default = DIR/default.sieve\n}\n";

static const char mail[] = "Return-Path: <eve@example.net>\r\nDelivered-To: bob@example.org\r\n";
static const char text[] = "From: eve@example.net\r\nSubject: Offer\r\nMessage-ID: <1@example.net>\r\n\r\nBuy!\r\n";

struct world {
	struct sharing s;
	struct storage *st;
	struct set_view *view;
	struct deliver_filter *filter;
	struct deliver_means means;
	struct deliver_request r;
	struct deliver_result out;
	bool no_queue;
	unsigned sent;			/* messages that left */
	enum outgoing_kind kind;
	char to[100], from[100];
	struct buf message;		/* the last of them */
};

static int
submit(void *ctx, const struct outgoing *o, struct err *e)
{
	struct world *w = ctx;

	if (w->no_queue)
		return err_set(e, ERR_TEMP, "the queue is not there");
	w->sent++;
	w->kind = o->kind;
	snprintf(w->to, sizeof(w->to), "%.*s", SPAN_ARG(o->recipient));
	snprintf(w->from, sizeof(w->from), "%.*s", SPAN_ARG(o->sender));
	buf_reset(&w->message);
	for (size_t i = 0; i < o->part_count; i++)
		buf_add(&w->message, o->parts[i]);
	assert_int_equal(w->message.n, outgoing_size(o));
	return 0;
}

static void
world_init(struct world *w, const char *extra)
{
	char whole[4096];
	struct err e = ERR_INIT;

	*w = (struct world){ .sent = 0 };
	snprintf(whole, sizeof(whole), "%s%s", conf, extra);
	sharing_init(&w->s, whole);
	w->st = sharing_open(&w->s, "bob");
	w->view = set_view_new(w->s.settings, NULL);
	buf_init(&w->message, 1 << 20);
	w->means = (struct deliver_means){ .ctx = w, .submit = submit };
	w->filter = deliver_filter_new(w->view, SPAN("bob"), span_str(arena_printf(w->s.a, "%s/home/bob", w->s.dir)), &e);
	assert_int_equal(e.code, ERR_NONE);
	assert_non_null(w->filter);
	w->r = (struct deliver_request){ .storage = w->st, .view = w->view, .user = SPAN("bob"), .session = SPAN("S"),
		.sender = SPAN("eve@example.net"), .recipient = SPAN("bob@example.org"), .header = span_str(mail),
		.message = span_str(text), .filter = w->filter, .means = &w->means, .says_why = true };
}

static void
world_clear(struct world *w)
{
	deliver_filter_free(w->filter);
	set_view_free(w->view);
	storage_close(w->st);
	buf_clear(&w->message);
	sharing_clear(&w->s);
}

static void
write_script(struct world *w, const char *name, const char *script)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->s.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(script, f);
	assert_int_equal(fclose(f), 0);
}

static void
deliver_with(struct world *w, const char *script)
{
	write_script(w, "home/bob/.dovecot.sieve", script);
	deliver_message(&w->r, &w->out);
}

static unsigned
count(struct world *w, const char *name)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	return storage_status(w->st, span_str(name), STATUS_MESSAGES, &status, &e) == 0 ? status.messages : 0;
}

static void
test_places(void **state)
{
	static const struct {
		const char *script;
		unsigned reply, inbox, junk, work, sent;
	} cases[] = {
		{ "keep;", 250, 1, 0, 0, 0 },
		{ "", 250, 1, 0, 0, 0 },
		{ "discard;", 250, 0, 0, 0, 0 },
		{ "require \"fileinto\"; fileinto \"Junk\";", 250, 0, 1, 0, 0 },
		{ "require \"fileinto\"; fileinto \"Junk\"; keep;", 250, 1, 1, 0, 0 },
		{ "require \"fileinto\"; fileinto \"INBOX\"; keep;", 250, 1, 0, 0, 0 },
		{ "require [\"fileinto\", \"copy\"]; fileinto :copy \"inbox\";", 250, 1, 0, 0, 0 },
		/* Not there, and not to be made: it is kept. */
		{ "require \"fileinto\"; fileinto \"Work\";", 250, 1, 0, 0, 0 },
		{ "require \"fileinto\"; fileinto \"../../etc\";", 250, 1, 0, 0, 0 },
		{ "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Work\";", 250, 0, 0, 1, 0 },
		{ "redirect \"carol@example.com\";", 250, 0, 0, 0, 1 },
		{ "require \"copy\"; redirect :copy \"carol@example.com\";", 250, 1, 0, 0, 1 },
		{ "require \"reject\"; reject \"No offers\nplease\";", 550, 0, 0, 0, 0 },
		{ "require \"ereject\"; ereject \"No\";", 550, 0, 0, 0, 0 },
		/* Scripts with errors never lose or bounce mail. */
		{ "fileinto \"Junk\";", 250, 1, 0, 0, 0 },
		{ "if true {", 250, 1, 0, 0, 0 },
		{ "redirect \"a@example.com\"; redirect \"b@example.com\"; redirect \"c@example.com\"; redirect \"d@example.com\";"
		  "redirect \"e@example.com\";", 250, 1, 0, 0, 0 },
		/* The header that is put in front is the filter's to see. */
		{ "require [\"fileinto\"]; if header \"delivered-to\" \"bob@example.org\" { fileinto \"Junk\"; }", 250, 0, 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_init(&w, "");
		deliver_with(&w, cases[i].script);
		if (w.out.reply != cases[i].reply || count(&w, "INBOX") != cases[i].inbox ||
		    count(&w, "Junk") != cases[i].junk || count(&w, "Work") != cases[i].work || w.sent != cases[i].sent) {
			print_error("%s: %u %s, INBOX %u Junk %u Work %u sent %u\n", cases[i].script, w.out.reply, w.out.text,
			    count(&w, "INBOX"), count(&w, "Junk"), count(&w, "Work"), w.sent);
			fail();
		}
		world_clear(&w);
	}
}

/* Mailboxes by their id (RFC 9042), which they keep when they are renamed. */
static void
test_mailbox_id(void **state)
{
	struct world w;
	struct mailbox_status status;
	struct err e = ERR_INIT;
	struct span name;
	char script[400];

	(void)state;
	world_init(&w, "namespace other {\n prefix = Other/\n separator = /\n location = maildir:~/Other\n}\n");
	assert_int_equal(storage_create(w.st, SPAN("Work"), false, &e), 0);
	assert_int_equal(storage_create(w.st, SPAN("Other/Box"), false, &e), 0);
	assert_int_equal(storage_status(w.st, SPAN("Other/Box"), STATUS_MAILBOXID, &status, &e), 0);
	assert_int_equal(strlen(status.id), 18);
	assert_int_equal(storage_mailbox_by_id(w.st, span_str(status.id), w.s.a, &name, &e), 0);
	assert_true(span_eq(name, SPAN("Other/Box")));
	assert_int_equal(storage_status(w.st, SPAN("Work"), STATUS_MAILBOXID, &status, &e), 0);
	assert_int_equal(strlen(status.id), 9);
	assert_int_equal(storage_rename(w.st, SPAN("Work"), SPAN("Play"), &e), 0);
	assert_int_equal(storage_mailbox_by_id(w.st, span_str(status.id), w.s.a, &name, &e), 0);
	assert_true(span_eq(name, SPAN("Play")));
	snprintf(script, sizeof(script), "require [\"fileinto\", \"mailboxid\"]; if mailboxidexists \"%s\" {"
	    "fileinto :mailboxid \"%s\" \"Work\"; }", status.id, status.id);
	deliver_with(&w, script);
	assert_int_equal(count(&w, "Play"), 1);
	/* Nobody's: the name counts. */
	deliver_with(&w, "require [\"fileinto\", \"mailboxid\"]; if not mailboxidexists \"M00000001\" { fileinto :mailboxid \"M00000001\" \"Play\"; }");
	assert_int_equal(count(&w, "Play"), 2);
	assert_int_equal(storage_delete(w.st, SPAN("Play"), &e), 0);
	assert_int_equal(storage_mailbox_by_id(w.st, span_str(status.id), w.s.a, &name, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "", "M", "Mxxxxxxxx", "M0000000", "M00000001-", "M00000001-0000000g" };

		assert_int_equal(storage_mailbox_by_id(w.st, span_str(bad[i]), w.s.a, &name, &e), -1);
	}
	world_clear(&w);
}

static void
test_lists(void **state)
{
	static const struct {
		const char *script;
		unsigned inbox, junk, sent;
	} cases[] = {
		{ "if header :list \"from\" \"friends\" { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"subject\" [\"friends\", \"tag:example.com,2026:Words\"] { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"subject\" \"friends\" { fileinto \"Junk\"; }", 1, 0, 0 },
		{ "if valid_ext_list [\"friends\", \":addrbook:default\", \"empty\"] { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if valid_ext_list \"urn:ietf:params:sieve:addrbook:default\" { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if not anyof (valid_ext_list \"none\", valid_ext_list \"\", valid_ext_list \"../x\") { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"from\" \"empty\" { fileinto \"Junk\"; }", 1, 0, 0 },
		/* One that is not there is an error: the message is kept. */
		{ "if not header :list \"from\" \"none\" { fileinto \"Junk\"; }", 1, 0, 0 },
		{ "redirect :list \"friends\";", 0, 0, 2 },
		{ "redirect :list \"empty\";", 1, 0, 0 },
		{ "redirect :list \"none\";", 1, 0, 0 },
		{ "redirect :list \"tag:example.com,2026:words\";", 1, 0, 0 },
		/* A dictionary: keys count, values do not. */
		{ "if header :list \"subject\" \"all\" { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"subject\" \"some\" { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"from\" \"some\" { fileinto \"Junk\"; }", 1, 0, 0 },
		{ "if header :list \"from\" \"all\" { fileinto \"Junk\"; }", 1, 0, 0 },
		{ "redirect :list \"people\";", 0, 0, 2 },
		{ "if valid_ext_list \"bad\" { fileinto \"Junk\"; }", 0, 1, 0 },
		{ "if header :list \"subject\" \"bad\" { fileinto \"Junk\"; }", 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char script[400];
		struct world w;

		world_init(&w, "plugin {\n sieve_extensions = +extlists\n sieve_list_friends = ~/friends\n"
		    " sieve_list_tag_example_com_2026_words = file:DIR/words\n sieve_list_addrbook_default = ~/none\n"
		    " sieve_list_empty = ~/empty/none\n sieve_list_all = dict:file:~/dict\n"
		    " sieve_list_some = dict:file:~/dict;prefix=shared/some/\n sieve_list_people = dict:file:~/dict;prefix=priv/x/\n sieve_list_bad = dict:file:~/dict;other=1\n}\n");
		write_script(&w, "home/bob/dict", "shared/some/OFFER\n1\npriv/x/eve@example.net\n1\npriv/x/a\\|b@example.net\n\nshared/offer\neve@example.net\n"
		    "shared/some/other\n0\nshared/some/cut");
		w.r.home = span_str(arena_printf(w.s.a, "%s/home/bob", w.s.dir));
		write_script(&w, "home/bob/friends", "# people\nEve@example.net\n\n  ann@example.org \r\neve@example.net\n");
		write_script(&w, "words", "offer\nno address\n");
		snprintf(script, sizeof(script), "require [\"fileinto\", \"extlists\"]; %s", cases[i].script);
		deliver_with(&w, script);
		if (w.out.reply != 250 || count(&w, "INBOX") != cases[i].inbox || count(&w, "Junk") != cases[i].junk ||
		    w.sent != cases[i].sent)
			fail_msg("%s: %u, INBOX %u Junk %u sent %u", cases[i].script, w.out.reply, count(&w, "INBOX"), count(&w, "Junk"),
			    w.sent);
		world_clear(&w);
	}
}

static void
test_reply(void **state)
{
	struct buf long_one = BUF_INIT((size_t)1 << 20);
	struct world w;

	(void)state;
	world_init(&w, "");
	deliver_with(&w, "require \"reject\"; reject \"No offers,\r\n\r\nplease.\";");
	assert_string_equal(w.out.text, "5.7.1 <bob@example.org> No offers, please.");
	assert_true(w.out.rejected && w.out.permanent);
	/* A reason that a reply can not have is sent, unless it is told nobody. */
	deliver_with(&w, "require \"reject\"; reject \"Ich mag keine Angebote \xc3\xbc N\";");
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.kind, OUTGOING_SEND);
	assert_string_equal(w.to, "eve@example.net");
	assert_string_equal(w.from, "");
	assert_true(span_find(buf_span(&w.message), SPAN("\r\nSubject: Rejected: Offer\r\n")) != SIZE_MAX);
	assert_true(span_find(buf_span(&w.message), SPAN("Auto-Submitted: auto-replied")) != SIZE_MAX);
	assert_true(span_find(buf_span(&w.message), SPAN("\xc3\xbc N\r\n")) != SIZE_MAX);
	deliver_with(&w, "require \"ereject\"; ereject \"\xc3\xbc\";");
	assert_int_equal(w.out.reply, 550);
	assert_string_equal(w.out.text, "5.7.1 <bob@example.org> ??");
	assert_int_equal(w.sent, 1);
	/* No machine is answered (RFC 3834 section 2): who hands the message over tells its sender. */
	w.r.message = SPAN("Subject: x\nAuto-Submitted: auto-replied\n\nbody\n");
	for (int i = 0; i < 2; i++) {
		w.r.says_why = i == 0;
		deliver_with(&w, "require \"reject\"; reject \"\xc3\xbc\";");
		assert_int_equal(w.out.reply, 550);
		assert_int_equal(w.sent, 1);
	}
	w.r.says_why = true;
	/* A subject of any length is told by its beginning. */
	for (buf_adds(&long_one, "Subject: "); long_one.n < 200000;)
		buf_adds(&long_one, "endless ");
	buf_adds(&long_one, "\n\nbody\n");
	w.r.message = buf_span(&long_one);
	deliver_with(&w, "require \"reject\"; reject \"\xc3\xbc\";");
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 2);
	assert_true(span_find(buf_span(&w.message), SPAN("\r\nSubject: Rejected: endless endless")) != SIZE_MAX);
	world_clear(&w);
	buf_clear(&long_one);
}

/* Over quota for good: who hands the message over tells the sender; else we do, where a message of ours may go (RFC 3834). */
static void
test_full(void **state)
{
	static const struct { const char *what, *sender, *field; bool says_why, no_queue; unsigned reply, sent; bool permanent; } cases[] = {
		{ "", "eve@example.net", "", true, false, 552, 0, true },
		{ "", "eve@example.net", "", false, false, 250, 1, false },
		{ "", "eve@example.net", "Auto-Submitted: no (a person)\n", false, false, 552, 0, true },
		{ "", "eve@example.net", "Auto-Submitted: NO; x=y\n", false, false, 250, 1, false },
		{ "", "eve@example.net", "Auto-Submitted: auto-generated\n", false, false, 552, 0, true },
		{ "", "", "", false, false, 552, 0, true },
		{ "", "eve@example.net", "", false, true, 451, 0, false },
		{ "quota_full_tempfail = yes\n", "eve@example.net", "", false, false, 452, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char extra[300], message[300];
		struct world w;

		snprintf(extra, sizeof(extra), "mail_plugins = sieve quota\n%splugin {\n quota = count:User\n quota_rule = *:bytes=10\n}\n",
		    cases[i].what);
		world_init(&w, extra);
		snprintf(message, sizeof(message), "Subject: big\nMessage-ID: <m@x>\n%s\nbody\n", cases[i].field);
		w.r.message = span_str(message);
		w.r.sender = span_str(cases[i].sender);
		w.r.says_why = cases[i].says_why;
		w.r.recipient = SPAN("bob");
		w.no_queue = cases[i].no_queue;
		deliver_message(&w.r, &w.out);
		if (w.out.reply != cases[i].reply || w.sent != cases[i].sent || w.out.permanent != cases[i].permanent ||
		    (w.out.code == ERR_NONE) != (w.out.reply == 250))
			fail_msg("case %zu: %u, sent %u", i, w.out.reply, w.sent);
		assert_int_equal(count(&w, "INBOX"), 0);
		if (w.sent > 0) {
			struct span m = buf_span(&w.message);

			assert_string_equal(w.to, "eve@example.net");
			assert_string_equal(w.from, "");
			assert_true(span_find(m, SPAN("report-type=delivery-status;\r\n")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("\r\nSubject: Rejected: big\r\n")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("\r\nIn-Reply-To: <m@x>\r\n")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("\r\n\r\nFinal-Recipient: rfc822; bob@")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("\r\nAction: failed\r\nStatus: 5.2.2\r\n")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("Quota exceeded (mailbox for user is full)\r\n")) != SIZE_MAX);
			assert_true(span_find(m, SPAN("\nbody")) == SIZE_MAX);
		}
		world_clear(&w);
	}
}

/* The line of deliver_log_format; what is not known there does not cost what was done. */
static void
test_log_line(void **state)
{
	static const struct { const char *format, *message, *want; } cases[] = {
		{ "msgid=%m: %$", "Message-ID: <1@x>\n\n", ": by: msgid=<1@x>: done\n" },
		{ "msgid=%m: %$", "Subject: none\n\n", ": by: msgid=unspecified: done\n" },
		{ "%m|%{msgid}|%s|%f", "Message-ID:\n <1@x>\nFrom: \"A, B\" <a@b>, c@d\nSubject: =?utf-8?q?=C3=BC?=\n x\n\n",
		    ": by: <1@x>|<1@x>|\xc3\xbc x|a@b\n" },
		{ "%s|%f|%e|%{to_envelope}|%$", "\n", ": by: ||eve@example.net|bob@example.org|done\n" },
		{ "%f", "From: nobody at all\n\n", ": by: \n" },
		{ "%p %w %{size} %{vsize}", "a: b\n\r\nx\n", ": by: 69 74 69 74\n" },
		{ "%{session_time}|%{storage_id}|%$", "\n", ": by: ||done\n" },
		{ "%{nonsense} %$", "\n", ": by: msgid=unspecified: done\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf got = BUF_INIT(10000);
		struct err e = ERR_INIT;
		char extra[300];
		struct world w;
		int fd = memfd_create("log", MFD_CLOEXEC);

		assert_int_not_equal(fd, -1);
		snprintf(extra, sizeof(extra), "deliver_log_format = %s\n", cases[i].format);
		world_init(&w, extra);
		w.r.message = span_str(cases[i].message);
		log_init(&(struct log_target){ .fd = fd, .info_fd = -1, .debug_fd = -1 });
		deliver_log(&w.r, "by: ", "done");
		log_init(&(struct log_target){ .fd = STDERR_FILENO, .info_fd = -1, .debug_fd = -1 });
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_read_all(fd, got.max, &got, &e), 0);
		if (!span_ends(buf_span(&got), span_str(cases[i].want)))
			fail_msg("case %zu: %.*s", i, SPAN_ARG(buf_span(&got)));
		buf_clear(&got);
		close(fd);
		world_clear(&w);
	}
}

static void
test_flags(void **state)
{
	struct world w;
	struct mailbox *box;
	struct msg_rec rec;
	struct err e = ERR_INIT;

	(void)state;
	world_init(&w, "");
	deliver_with(&w, "require [\"fileinto\", \"imap4flags\"]; fileinto :flags [\"\\\\Seen\", \"Offer\"] \"Junk\";");
	box = sharing_box(w.st, "Junk", MAILBOX_READ);
	MUST(mailbox_get(box, 1, &rec, &e), &e);
	assert_int_equal(rec.flags, MSG_SEEN);
	assert_int_equal(rec.keywords, 1);
	mailbox_read_end(box);
	mailbox_close(box);
	world_clear(&w);
}

static void
test_redirect(void **state)
{
	static const char loop[] = "Delivered-To: bob@example.org\r\nFrom: eve@example.net\r\n\r\nAgain\r\n";
	struct world w;

	(void)state;
	world_init(&w, "");
	deliver_with(&w, "redirect \"carol@example.com\";");
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.kind, OUTGOING_REDIRECT);
	assert_string_equal(w.to, "carol@example.com");
	assert_string_equal(w.from, "eve@example.net");
	assert_true(span_eq(buf_span(&w.message), SPAN("X-Sieve-Redirected-From: bob@example.org\r\n"
	    "Delivered-To: bob@example.org\r\n"
	    "From: eve@example.net\r\nSubject: Offer\r\nMessage-ID: <1@example.net>\r\n\r\nBuy!\r\n")));
	/* The same octets again are a message that was handed over twice. */
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 1);
	assert_int_equal(count(&w, "INBOX"), 0);
	/* It has been here before. */
	w.r.message = span_str(loop);
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 1);
	assert_int_equal(count(&w, "INBOX"), 1);
	/* Without a queue the message stays here. */
	w.no_queue = true;
	w.r.message = SPAN("From: x@example.net\r\n\r\nOther\r\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(count(&w, "INBOX"), 2);
	w.r.means = NULL;
	w.r.message = SPAN("From: x@example.net\r\n\r\nThird\r\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "INBOX"), 3);
	world_clear(&w);
}

/* postmaster_address is who notifies and complains; it may have a name. */
static void
test_postmaster(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "hostname = mx.example.net\npostmaster_address = Post <postmaster@%d%{hostname}>\n"
	    "plugin {\n sieve_extensions = +vnd.dovecot.report\n}\n");
	deliver_with(&w, "require \"enotify\"; notify \"mailto:carol@example.com\";");
	assert_int_equal(w.sent, 1);
	assert_string_equal(w.to, "carol@example.com");
	assert_string_equal(w.from, "postmaster@mx.example.net");
	assert_true(span_find(buf_span(&w.message), SPAN("\r\nFrom: Post <postmaster@mx.example.net>\r\n")) != SIZE_MAX);
	deliver_with(&w, "require \"vnd.dovecot.report\"; report \"abuse\" \"Spam.\" \"carol@example.com\";");
	assert_int_equal(w.sent, 2);
	assert_string_equal(w.from, "postmaster@mx.example.net");
	world_clear(&w);
	world_init(&w, "postmaster_address = post@example.org\nplugin {\n sieve_redirect_envelope_from = postmaster\n}\n");
	deliver_with(&w, "redirect \"carol@example.com\";");
	assert_string_equal(w.from, "post@example.org");
	world_clear(&w);
}

/* A program that can not be run leaves the message, and all else that the script wants is done. */
static void
test_pipe(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "plugin {\n sieve_extensions = +vnd.dovecot.pipe\n}\n");
	deliver_with(&w, "require [\"vnd.dovecot.pipe\", \"copy\"]; pipe \"report\"; redirect :copy \"carol@example.com\"; discard;");
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 1);
	assert_int_equal(count(&w, "INBOX"), 1);
	world_clear(&w);
}

/* sieve_redirect_duplicate_period and sieve_enabled. */
static void
test_period(void **state)
{
	struct world w;
	struct err e = ERR_INIT;

	(void)state;
	world_init(&w, "plugin {\n sieve_redirect_duplicate_period = 0\n}\n");
	deliver_with(&w, "redirect \"carol@example.com\";");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.sent, 2);
	world_clear(&w);
	world_init(&w, "plugin {\n sieve_redirect_duplicate_period = 1h\n}\n");
	deliver_with(&w, "redirect \"carol@example.com\";");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.sent, 1);
	world_clear(&w);
	world_init(&w, "");
	assert_int_equal(set_view_override(w.view, SPAN("plugin/sieve_enabled"), SPAN("no"), &e), 0);
	assert_null(deliver_filter_new(w.view, SPAN("bob"), w.r.home, &e));
	assert_int_equal(e.code, ERR_NONE);
	world_clear(&w);
}

static void
test_sequence(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "");
	/* No script of the user's: the default one. */
	write_script(&w, "default.sieve", "require \"fileinto\"; fileinto \"Junk\";");
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "Junk"), 1);
	/* His own stands in its place; a broken one too. */
	deliver_with(&w, "keep;");
	assert_int_equal(count(&w, "INBOX"), 1);
	deliver_with(&w, "keep");
	assert_int_equal(count(&w, "INBOX"), 2);
	/* The script behind it decides about what was kept. */
	write_script(&w, "after.sieve", "require [\"fileinto\", \"mailbox\"]; fileinto :create \"After\";");
	deliver_with(&w, "keep;");
	assert_int_equal(count(&w, "After"), 1);
	deliver_with(&w, "require \"fileinto\"; fileinto \"Junk\";");
	assert_int_equal(count(&w, "Junk"), 2);
	assert_int_equal(count(&w, "After"), 1);
	assert_int_equal(count(&w, "INBOX"), 2);
	world_clear(&w);
}

static void
test_before(void **state)
{
	struct world w;
	struct err e = ERR_INIT;

	(void)state;
	world_init(&w, "");
	/* A directory: its scripts in the order of their names. */
	sharing_run(&w.s, "mkdir before");
	write_script(&w, "before/20.sieve", "discard;");
	write_script(&w, "before/10.sieve", "require \"fileinto\"; if header \"subject\" \"Offer\" { fileinto \"Junk\"; }");
	write_script(&w, "before/README", "no script");
	deliver_filter_free(w.filter);
	w.r.filter = w.filter = deliver_filter_new(w.view, SPAN("bob"), span_str(arena_printf(w.s.a, "%s/home/bob", w.s.dir)), &e);
	deliver_with(&w, "keep;");
	assert_int_equal(count(&w, "Junk"), 1);
	w.r.message = SPAN("Subject: Other\r\n\r\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(count(&w, "INBOX"), 0);
	world_clear(&w);
}

/* What one action could not do does not cost the copy of another; over quota without a copy the message goes back whole. */
static void
test_quota(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "mail_plugins = sieve quota\nplugin {\n quota = count:User\n quota_rule = *:messages=2\n}\n");
	deliver_with(&w, "require [\"fileinto\", \"copy\"]; fileinto \"Junk\"; keep; redirect :copy \"carol@example.com\";");
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 1);
	w.r.message = SPAN("Subject: Other\r\n\r\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 552);
	assert_int_equal(w.sent, 1);
	world_clear(&w);
}

static void
test_duplicates(void **state)
{
	struct world w;

	(void)state;
	for (int filter = 0; filter < 2; filter++) {
		world_init(&w, "deliver_duplicate_period = 1 hour\n");
		if (filter == 0)
			w.r.filter = NULL;
		deliver_message(&w.r, &w.out);
		deliver_message(&w.r, &w.out);
		assert_int_equal(w.out.reply, 250);
		assert_int_equal(count(&w, "INBOX"), 1);
		/* Another recipient of the same user, another message, one without a name. */
		w.r.recipient = SPAN("sales@example.org");
		deliver_message(&w.r, &w.out);
		assert_int_equal(count(&w, "INBOX"), 2);
		w.r.message = SPAN("Subject: x\r\n\r\n");
		deliver_message(&w.r, &w.out);
		deliver_message(&w.r, &w.out);
		assert_int_equal(count(&w, "INBOX"), 4);
		world_clear(&w);
	}
}

static void
test_detail(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "lmtp_save_to_detail_mailbox = yes\nlda_mailbox_autocreate = yes\n");
	w.r.detail = SPAN("lists");
	deliver_with(&w, "keep;");
	assert_int_equal(count(&w, "lists"), 1);
	w.r.filter = NULL;
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "lists"), 2);
	assert_int_equal(w.out.reply, 250);
	world_clear(&w);
}

static void
test_journal(void **state)
{
	struct world w;
	struct buf journal = BUF_INIT(JOURNAL_MAX);
	struct journal_entry entry;
	struct err e = ERR_INIT;
	struct span line;
	size_t used = 0;
	int dir;

	(void)state;
	world_init(&w, "filter_journal_size = 4 k\n");
	deliver_with(&w, "require \"fileinto\";\nfileinto \"Junk\";\nfileinto \"None\";");
	deliver_with(&w, "require;");
	MUST(storage_user_dir(w.st, &dir, &e), &e);
	MUST(journal_read(dir, &journal, &e), &e);
	assert_true(span_line(buf_span(&journal), &used, &line));
	assert_true(journal_parse(line, w.s.a, &entry));
	assert_true(span_eq(entry.message_id, SPAN("<1@example.net>")));
	assert_true(span_eq(entry.recipient, SPAN("bob@example.org")));
	assert_int_equal(entry.step_count, 3);
	assert_true(span_ends(entry.steps[0], SPAN(".dovecot.sieve line 2: stored mail into mailbox 'Junk'")));
	assert_true(span_ends(entry.steps[1], SPAN(".dovecot.sieve line 3: stored mail into mailbox 'INBOX'")));
	assert_true(span_ends(entry.steps[2], SPAN("None could not be had")));
	assert_true(span_line(buf_span(&journal), &used, &line));
	assert_true(journal_parse(line, w.s.a, &entry));
	assert_true(span_find(entry.steps[0], SPAN(".dovecot.sieve line 1: error: ")) != SIZE_MAX);
	assert_true(span_eq(entry.steps[1], SPAN("kept: stored mail into mailbox 'INBOX'")));
	for (int i = 0; i < 60; i++)
		deliver_message(&w.r, &w.out);
	buf_reset(&journal);
	MUST(journal_read(dir, &journal, &e), &e);
	assert_true(journal.n <= 4096 && journal.n > 1000);
	for (used = 0; span_line(buf_span(&journal), &used, &line);)
		assert_true(journal_parse(line, w.s.a, &entry));
	assert_int_equal(used, journal.n);
	close(dir);
	buf_clear(&journal);
	world_clear(&w);
}

static void
test_marks(void **state)
{
	struct world w;
	struct marks *m;
	struct err e = ERR_INIT;
	char name[32];
	int dir;

	(void)state;
	world_init(&w, "");
	MUST(storage_user_dir(w.st, &dir, &e), &e);
	MUST(marks_open(dir, &m, &e), &e);
	assert_false(marks_has(m, SPAN("a"), 1000, 100));
	MUST(marks_add(m, SPAN("a"), 1000, 50, &e), &e);
	assert_true(marks_has(m, SPAN("a"), 1040, 100));
	assert_false(marks_has(m, SPAN("a"), 1040, 30));	/* set longer ago than is asked for */
	assert_false(marks_has(m, SPAN("a"), 1050, 100));	/* run out */
	assert_false(marks_has(m, SPAN("b"), 1000, 100));
	marks_close(m);
	/* Half a record, as a crash leaves it: what comes behind it is found. */
	sharing_run(&w.s, "printf xyz >> home/bob/Maildir/culver-filter.marks");
	MUST(marks_open(dir, &m, &e), &e);
	MUST(marks_add(m, SPAN("b"), 1000, 50, &e), &e);
	marks_close(m);
	MUST(marks_open(dir, &m, &e), &e);
	assert_true(marks_has(m, SPAN("a"), 1010, 100));
	assert_true(marks_has(m, SPAN("b"), 1010, 100));
	/* What has run out is thrown away when there is much of it. */
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "mark %d", i);
		MUST(marks_add(m, span_str(name), 2000 + i, i % 100 == 0 ? 100000 : 10, &e), &e);
	}
	assert_true(marks_has(m, SPAN("mark 0"), 5000, 100000));
	assert_true(marks_has(m, SPAN("mark 2900"), 5000, 100000));
	assert_false(marks_has(m, SPAN("mark 2901"), 5000, 100000));
	marks_close(m);
	sharing_run(&w.s, "test $(stat -c %%s home/bob/Maildir/culver-filter.marks) -lt 64000");
	close(dir);
	world_clear(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_mailbox_id), cmocka_unit_test(test_lists), cmocka_unit_test(test_reply), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_redirect), cmocka_unit_test(test_postmaster), cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_period), cmocka_unit_test(test_sequence), cmocka_unit_test(test_before),
		cmocka_unit_test(test_quota), cmocka_unit_test(test_full), cmocka_unit_test(test_log_line), cmocka_unit_test(test_detail), cmocka_unit_test(test_journal),
		cmocka_unit_test(test_marks), cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
