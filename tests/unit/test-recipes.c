/* SPDX-License-Identifier: MIT */
/* procmail's recipes in a delivery, over a real storage: what becomes of the message, and that nothing loses it. */
#include "sharing.h"

#include <stdio.h>
#include <unistd.h>
#include "lib-deliver/recipes.h"
#include "lib-deliver/sieve.h"

static const char conf[] =
    "mail_location = maildir:~/Maildir\nmail_fsync = never\nhostname = mx.example\nprocmail_rc = DIR/first ~/.procmailrc\n"
    "namespace inbox {\n inbox = yes\n separator = /\n}\n";

static const char head[] = "Return-Path: <eve@example.net>\r\nDelivered-To: bob@example.org\r\n";
static const char text[] = "From: eve@example.net\r\nSubject: Offer\r\nMessage-ID: <1@example.net>\r\n\r\nBuy\r and \nbuy!\r\n";

struct world {
	struct sharing s;
	struct storage *st;
	struct set_view *view;
	struct deliver_filter *filter;
	struct deliver_means means;
	struct deliver_request r;
	struct deliver_result out;
	struct program_helper helper;
	enum err_code code;		/* of the recipes' settings */
	char home[200];
	bool no_queue;
	unsigned sent;
	struct buf message;		/* the last that left */
};

static int
submit(void *ctx, const struct outgoing *o, struct err *e)
{
	struct world *w = ctx;

	if (w->no_queue)
		return err_set(e, ERR_TEMP, "the queue is not there");
	w->sent++;
	buf_reset(&w->message);
	for (size_t i = 0; i < o->part_count; i++)
		buf_add(&w->message, o->parts[i]);
	return 0;
}

static void
write_file(struct world *w, const char *name, const char *what)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->s.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(what, f);
	assert_int_equal(fclose(f), 0);
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
	snprintf(w->home, sizeof(w->home), "%s/home/bob", w->s.dir);
	w->means = (struct deliver_means){ .ctx = w, .submit = submit };
	w->filter = deliver_filter_new(w->view, SPAN("bob"), span_str(w->home), &e);
	assert_int_equal(e.code, ERR_NONE);
	MUST(deliver_recipes_start_helper(w->view, NULL, NULL, &w->helper, &e), &e);
	w->r = (struct deliver_request){ .storage = w->st, .view = w->view, .user = SPAN("bob"), .home = span_str(w->home),
		.session = SPAN("S"), .sender = SPAN("eve@example.net"), .recipient = SPAN("bob@example.org"), .header = span_str(head),
		.message = span_str(text), .filter = w->filter, .means = &w->means, .says_why = true };
	w->r.recipes = deliver_recipes_new(w->view, SPAN("bob"), span_str(w->home), &w->helper, &e);
	w->code = e.code;
}

static void
world_clear(struct world *w)
{
	deliver_recipes_free(w->r.recipes);
	deliver_filter_free(w->filter);
	program_helper_stop(&w->helper);
	set_view_free(w->view);
	storage_close(w->st);
	buf_clear(&w->message);
	sharing_clear(&w->s);
}

static unsigned
count(struct world *w, const char *name)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	return storage_status(w->st, span_str(name), STATUS_MESSAGES, &status, &e) == 0 ? status.messages : 0;
}

/* The octets of the newest message of a mailbox. */
static struct span
newest(struct world *w, const char *name)
{
	struct mailbox *box = sharing_box(w->st, name, MAILBOX_READ);
	struct err e = ERR_INIT;
	struct span body, out;

	MUST(mailbox_body(box, count(w, name), &body, &e), &e);
	out = arena_dup(w->s.a, body);
	mailbox_close(box);
	return out;
}

static void
test_places(void **state)
{
	static const struct {
		const char *rc;
		unsigned reply, inbox, work, sent;
		int exit_code;
	} cases[] = {
		{ "", 250, 1, 0, 0, 0 },
		{ "nonsense {{{\n:0\n", 250, 1, 0, 0, 0 },
		{ ":0\nmailbox:Work\n", 250, 0, 1, 0, 0 },
		{ ":0 c\nmailbox:Work\n", 250, 1, 1, 0, 0 },
		{ ":0\nmailbox:Work/\x01\xff\n\n:0\nmailbox:Work\n", 250, 0, 1, 0, 0 },
		{ "DEFAULT=mailbox:Work\n", 250, 0, 1, 0, 0 },
		{ ":0\n! carol@example.com dave@example.com\n", 250, 0, 0, 2, 0 },
		{ ":0\n! bob@example.org\n", 250, 0, 0, 1, 0 },
		{ ":0\n/dev/null\n", 250, 0, 0, 0, 0 },
		{ "EXITCODE=67\n:0\n/dev/null\n", 550, 0, 0, 0, 67 },
		{ "EXITCODE=75\n", 451, 1, 0, 0, 75 },
		{ ":0 fw\n| cat; false\n\n:0\nmailbox:Work\n", 250, 0, 1, 0, 0 },
		{ ":0\n* ? false\nmailbox:Work\n", 250, 1, 0, 0, 0 },
		{ ":0 w\n| false\n", 250, 1, 0, 0, 0 },
		{ ":0\n| cat > /dev/null\n", 250, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_init(&w, "mail_plugins = procmail\n");
		write_file(&w, "home/bob/.procmailrc", cases[i].rc);
		deliver_message(&w.r, &w.out);
		if (w.out.reply != cases[i].reply || count(&w, "INBOX") != cases[i].inbox || count(&w, "Work") != cases[i].work ||
		    w.sent != cases[i].sent || w.out.exit_code != cases[i].exit_code)
			fail_msg("%s: %u %s, INBOX %u, Work %u, sent %u, code %d", cases[i].rc, w.out.reply, w.out.text, count(&w, "INBOX"),
			    count(&w, "Work"), w.sent, w.out.exit_code);
		world_clear(&w);
	}
}

/* No file, or none that takes it: what is stored is the same, octet for octet. */
static void
test_unchanged(void **state)
{
	struct world w;
	struct span without, with, changed;

	(void)state;
	world_init(&w, "mail_plugins = procmail\n");
	deliver_message(&w.r, &w.out);
	without = newest(&w, "INBOX");
	write_file(&w, "first", "X=y\n");
	write_file(&w, "home/bob/.procmailrc", ":0\n* ^Subject: other\nmailbox:Other\n\n:0 c\nmailbox:Copy\n");
	deliver_message(&w.r, &w.out);
	with = newest(&w, "INBOX");
	assert_true(span_eq(without, with));
	assert_true(span_eq(newest(&w, "Copy"), without));
	write_file(&w, "home/bob/.procmailrc", ":0 fhw\n| formail -A 'X-Seen: yes'\n");
	deliver_message(&w.r, &w.out);
	changed = newest(&w, "INBOX");
	assert_true(span_starts(changed, SPAN("Return-Path: <eve@example.net>\nDelivered-To: bob@example.org\n")));
	assert_true(span_find(changed, SPAN("<1@example.net>\nX-Seen: yes\n\nBuy\r and \nbuy!\n")) < changed.n);
	world_clear(&w);
}

/* What can not be sent stays; a message that has been there is not sent again. */
static void
test_forward(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "mail_plugins = procmail\n");
	write_file(&w, "home/bob/.procmailrc", ":0 fhw\n| formail -A 'X-Loop: bob@example.org'\n\n:0\n! carol@example.com\n");
	w.no_queue = true;
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(count(&w, "INBOX"), 1);
	w.no_queue = false;
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "INBOX"), 1);
	assert_int_equal(w.sent, 1);
	assert_true(span_find(buf_span(&w.message), SPAN("Message-ID: <1@example.net>\r\nX-Loop: bob@example.org\r\n\r\nBuy")) < w.message.n);
	w.r.message = SPAN("X-Loop: carol@example.com\r\n\r\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "INBOX"), 2);
	world_clear(&w);
}

/* All are addresses, or it goes to none: the message stays then. */
static void
test_forward_bad(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "mail_plugins = procmail\n");
	write_file(&w, "home/bob/.procmailrc", ":0\n! carol@example.com no..body@@example.com\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(w.out.reply, 250);
	assert_int_equal(w.sent, 0);
	assert_int_equal(count(&w, "INBOX"), 1);
	world_clear(&w);
}

/* What recipes have put into a message is no trace of a loop for Sieve behind them, nor is the header that they have moved. */
static void
test_sieve_redirect(void **state)
{
	static const struct {
		const char *rc, *message;
		unsigned inbox, sent;
	} cases[] = {
		{ "", text, 0, 1 },
		{ ":0 fhw\n| formail -A 'X-Loop: bob@example.org'\n", text, 0, 1 },
		{ ":0 fhw\n| formail -A 'X-Loop: carol@example.com'\n", text, 0, 1 },
		{ ":0 fhw\n| formail -I 'Return-Path: <other@example.net>'\n", text, 0, 1 },
		{ ":0 fw\n| (echo 'X-First: yes'; cat)\n", text, 0, 1 },
		{ ":0 fhw\n| formail -I 'X-Loop:'\n", "X-Loop: bob@example.org\r\n\r\nBuy\r\n", 1, 0 },
		{ ":0 fhw\n| formail -A 'X-Seen: yes'\n", "Delivered-To: carol@example.com\r\n\r\nBuy\r\n", 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_init(&w, "mail_plugins = procmail sieve\n");
		write_file(&w, "home/bob/.dovecot.sieve", "redirect \"carol@example.com\";\n");
		write_file(&w, "home/bob/.procmailrc", cases[i].rc);
		w.r.message = span_str(cases[i].message);
		for (unsigned round = 1; round <= 2; round++) {	/* a message that comes again is passed on once */
			deliver_message(&w.r, &w.out);
			if (w.out.reply != 250 || count(&w, "INBOX") != cases[i].inbox * round || w.sent != cases[i].sent)
				fail_msg("%s: %u %s, INBOX %u, sent %u", cases[i].rc, w.out.reply, w.out.text, count(&w, "INBOX"), w.sent);
		}
		if (cases[i].sent > 0 && (!span_starts(buf_span(&w.message), SPAN("X-Sieve-Redirected-From: bob@example.org\r\n")) ||
		    span_find(buf_span(&w.message), SPAN("\r\nDelivered-To: bob@example.org\r\n")) == w.message.n))
			fail_msg("%s: %.*s", cases[i].rc, SPAN_ARG(buf_span(&w.message)));
		world_clear(&w);
	}
}

/* Sieve has what recipes leave for INBOX, as they have changed it, and nothing else. */
static void
test_sieve(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "mail_plugins = procmail sieve\n");
	write_file(&w, "home/bob/.dovecot.sieve", "require [\"fileinto\", \"mailbox\"];\n"
	    "if header \"x-seen\" \"yes\" { fileinto :create \"Sieve\"; }");
	write_file(&w, "home/bob/.procmailrc", ":0 c\nmailbox:Work\n\n:0 fhw\n| formail -A 'X-Seen: yes'\n");
	deliver_message(&w.r, &w.out);
	assert_int_equal(count(&w, "Work"), 1);
	assert_int_equal(count(&w, "Sieve"), 1);
	assert_int_equal(count(&w, "INBOX"), 0);
	world_clear(&w);
}

/* Settings that are wrong: nothing is run, and that is told. */
static void
test_settings(void **state)
{
	static const struct {
		const char *settings;
		enum err_code code;
		bool helper;
	} cases[] = {
		{ "mail_plugins = procmail\nprocmail_rc = %{user}/relative\n", ERR_SYNTAX, true },
		{ "mail_plugins = procmail\nprocmail_programs = no\n", ERR_NONE, false },
		{ "mail_plugins = procmail\nprocmail_programs = /bin\n", ERR_NONE, true },
		{ "procmail_programs = yes\n", ERR_NONE, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;

		world_init(&w, cases[i].settings);
		assert_int_equal(w.code, cases[i].code);
		assert_int_equal(w.helper.sock != -1, cases[i].helper);
		write_file(&w, "home/bob/.procmailrc", ":0 w\n| true\n");
		deliver_message(&w.r, &w.out);
		assert_int_equal(w.out.reply, 250);
		assert_int_equal(count(&w, "INBOX"), cases[i].code == ERR_NONE && cases[i].helper ? 0 : 1);
		world_clear(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_unchanged), cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_bad),
		cmocka_unit_test(test_sieve_redirect), cmocka_unit_test(test_sieve), cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
