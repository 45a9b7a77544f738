/* SPDX-License-Identifier: MIT */
/* Mail that leaves: heads, files, replies of servers, the client's side of SMTP against a server of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/sys.h"
#include "lib-protocol/smtp-client.h"
#include "queue/attempt.h"
#include "queue/store.h"

static void
test_head(void **state)
{
	static const struct {
		const char *in;
		int rc;
	} cases[] = {
		{ "CULVER-QUEUE 1\nkind redirect\nuser bob\nsender \nrecipient a@b\nkeep-for bob@c\nsize 3\n\nabc", 1 },
		{ "CULVER-QUEUE 1\nkind send\nuser bob\nsender x@y\nrecipient a@b\nsize 0\ncreated 5\n\n", 1 },
		{ "CULVER-QUEUE 1\nkind send\nrecipient a@b\nsize 0\n", 0 },
		{ "CULVER-Q", 0 },
		{ "", 0 },
		{ "GET /", -1 },
		{ "CULVER-QUEUE 2\n\n", -1 },
		{ "CULVER-QUEUE 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient -oQ/tmp\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b> SIZE=1\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nsender \"x \\\" y\"@z\nrecipient \"a b\"@c\nsize 1\n\n", 1 },
		{ "CULVER-QUEUE 1\nrecipient \"a\"@b SIZE=1\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient \"a> SIZE=1\"@b\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient \"a b@c\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient \"a\\\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nsize -1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nsize 1\nother x\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nnotify SUCCESS,DELAY\nret HDRS\norcpt rfc822;x+2By@z\nenvid QQ1\nby -5;NT\nsize 1\n\n", 1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nnotify SUCCESS ORCPT\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nret ALL\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\norcpt rfc822;a b\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nenvid a=b\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nby 5\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nby 5;X\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nrecipient a@b\nby 1000000000;R\nsize 1\n\n", -1 },
		{ "CULVER-QUEUE 1\nkind other\nrecipient a@b\nsize 1\n\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct queue_head h;
		size_t used = 0;
		int rc = queue_head_parse(span_str(cases[i].in), &h, &used);

		if (rc != cases[i].rc)
			print_error("%s\n", cases[i].in);
		assert_int_equal(rc, cases[i].rc);
		if (i == 0) {
			assert_true(h.kind == OUTGOING_REDIRECT && h.size == 3 && h.sender.n == 0);
			assert_true(span_eq(h.keep_for, SPAN("bob@c")));
			assert_string_equal(cases[i].in + used, "abc");
		}
	}
}

static void
test_reply(void **state)
{
	static const struct {
		const char *in;
		int rc;
		unsigned code;
	} cases[] = {
		{ "250 OK\r\n", 1, 250 }, { "250\r\n", 1, 250 }, { "250-a\r\n250 b\r\n", 1, 250 }, { "250-a\r\n", 0, 0 },
		{ "250 O", 0, 0 }, { "2500 OK\r\n", -1, 0 }, { "25\r\n", -1, 0 }, { "150 x\r\n", -1, 0 }, { "650 x\r\n", -1, 0 },
		{ "250-a\r\n251 b\r\n", -1, 0 }, { "SSH-2.0\r\n", -1, 0 }, { "354 go\n", 1, 354 },
	};
	struct smtp_reply r;
	struct span params;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = smtp_reply_parse(span_str(cases[i].in), &r, &used);

		if (rc != cases[i].rc)
			print_error("%s\n", cases[i].in);
		assert_int_equal(rc, cases[i].rc);
		if (rc == 1)
			assert_int_equal(r.code, cases[i].code);
	}
	assert_int_equal(smtp_reply_parse(SPAN("250-STARTTLS\r\n250-size 100\r\n250 8BITMIME\r\n"), &r, &used), 1);
	assert_false(smtp_reply_has(&r, SPAN("STARTTLS"), &params));	/* the first line is the host's name */
	assert_true(smtp_reply_has(&r, SPAN("SIZE"), &params) && span_eq(params, SPAN("100")));
	assert_true(smtp_reply_has(&r, SPAN("8bitmime"), &params) && params.n == 0);
}

static void
test_store(void **state)
{
	char dir[] = "/tmp/culver-queue.XXXXXX", command[200];
	struct queue_store s = { .dir_fd = -1 }, again = { .dir_fd = -1 };
	struct queue_incoming in = { .fd = -1 };
	struct queue_head head = { .kind = OUTGOING_REDIRECT, .user = SPAN("bob"), .sender = SPAN("x@y"),
				   .recipient = SPAN("a@b"), .keep_for = SPAN("bob@c"), .size = 6,
				   .dsn = { .notify = SPAN("NEVER"), .by = SPAN("60;R") } };
	struct queue_item *item, *other;
	struct buf text = BUF_INIT(1000);
	struct err e = ERR_INIT;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(queue_store_open(&s, dir, &e), 0);
	assert_int_equal(queue_store_begin(&s, &in, &head, 1000, &e), 0);
	assert_int_equal(queue_store_write(&in, SPAN("abc"), &e), 0);
	assert_int_equal(queue_store_write(&in, SPAN("defg"), &e), -1);
	assert_int_equal(queue_store_write(&in, SPAN("def"), &e), 0);
	assert_int_equal(queue_store_finish(&s, &in, &head, &item, &e), 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(queue_store_count_of(&s, SPAN("bob")), 1);
	queue_store_put_off(&s, item, 2000);
	/* Half a message, and what is none. */
	assert_int_equal(queue_store_begin(&s, &in, &head, 1000, &e), 0);
	snprintf(command, sizeof(command), "cd %s && echo nonsense > q.1.2 && ls t.* > /dev/null", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(queue_store_open(&again, dir, &e), 0);
	assert_int_equal(again.count, 1);
	other = queue_store_find(&again, span_str(item->id));
	assert_non_null(other);
	assert_int_equal(other->due, 2000);
	assert_int_equal(other->created, 1000);
	assert_string_equal(other->keep_for, "bob@c");
	assert_int_equal(other->head, item->head);
	fd = queue_store_open_file(&again, other, &e);
	assert_int_equal(fd_read_all(fd, 1000, &text, &e), 0);
	close(fd);
	assert_true(span_eq(span_from(buf_span(&text), other->head), SPAN("abcdef")));
	assert_int_equal(queue_store_fail(&again, other, &e), 0);
	assert_int_equal(queue_store_remove(&again, other, &e), 0);
	assert_int_equal(again.count, 0);
	assert_int_equal(queue_store_open_file(&s, item, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(queue_store_remove(&s, item, &e), 0);
	queue_store_abort(&s, &in);
	queue_store_close(&s);
	queue_store_close(&again);
	buf_clear(&text);
	snprintf(command, sizeof(command), "cd %s && ls t.* 2> /dev/null; rm -r %s", dir, dir);
	assert_int_equal(system(command), 0);
}

/* What is due first comes first, whatever is put off, taken out and put back in between. */
static void
test_order(void **state)
{
	enum { MANY = 2000 };
	static struct queue_item items[MANY];
	struct queue_order o = { .items = NULL };
	int64_t last = -1;
	size_t n = 0;

	(void)state;
	assert_null(queue_order_first(&o));
	assert_true(queue_order_reserve(&o, MANY));
	for (size_t i = 0; i < MANY; i++) {
		items[i] = (struct queue_item){ .due = (int64_t)(i * 7919 % 100), .number = i };
		queue_order_put(&o, &items[i]);
	}
	for (size_t i = 0; i < MANY; i += 3)
		queue_order_take(&o, &items[i]);
	for (size_t i = 0; i < MANY; i += 5) {
		items[i].due = (int64_t)(i * 104729 % 200);
		queue_order_put(&o, &items[i]);
	}
	for (const struct queue_item *item, *before = NULL; (item = queue_order_first(&o)) != NULL; before = item, n++) {
		assert_true(item->due >= last);
		assert_true(before == NULL || before->due != item->due || before->number < item->number);
		last = item->due;
		queue_order_take(&o, &items[item->number]);
	}
	/* Every third was taken out, every fifth put in again. */
	assert_int_equal(n, MANY - MANY / 3 - 1 + MANY / 15 + 1);
	queue_order_clear(&o);
}

/* What is new and what is tried again take turns, each in the order of being due. */
static void
test_turns(void **state)
{
	static const char *const want = "nonono nn";
	char dir[] = "/tmp/culver-queue.XXXXXX", command[400], got[16] = "";
	struct queue_store s = { .dir_fd = -1 };
	struct queue_item *item;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	/* Three that have been tried (their file's time is later than they came), five that are new. */
	snprintf(command, sizeof(command), "cd %s && for i in 1 2 3 4 5 6 7 8; do printf 'CULVER-QUEUE 1\nkind send\nuser bob\nsender x@y\n"
	    "recipient a@b\nsize 1\ncreated 1000\n\nx' > q.$i; done && touch -d @2000 q.1 q.2 q.3 && touch -d @1000 q.[4-8]", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(queue_store_open(&s, dir, &e), 0);
	assert_int_equal(s.count, 8);
	assert_null(queue_store_next(&s, 999));
	while ((item = queue_store_next(&s, 2000)) != NULL) {
		strcat(got, item->tried ? "o" : "n");
		if (strlen(got) == 6)
			strcat(got, " ");
		queue_store_sending(&s, item, 4711);
	}
	assert_string_equal(got, want);
	queue_store_close(&s);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Many that wait are read, found and counted without looking at all of them each time. */
static void
test_many(void **state)
{
	enum { MANY = 3000 };
	char dir[] = "/tmp/culver-queue.XXXXXX", command[200], path[200];
	const char *text = "CULVER-QUEUE 1\nkind send\nuser bob\nsender x@y\nrecipient a@b\nsize 1\ncreated 5\n\nx";
	struct queue_store s = { .dir_fd = -1 };
	struct queue_item **all, *first;
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < MANY; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/q.%zu.a", dir, i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(fd_write_all(fd, span_str(text), &e), 0);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/q.strange", dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(queue_store_open(&s, dir, &e), 0);
	assert_int_equal(queue_store_look_again(&s, &e), 0);
	assert_int_equal(hash_count(s.strange), 1);
	assert_int_equal(s.count, MANY);
	assert_int_equal(queue_store_count_of(&s, SPAN("bob")), MANY);
	assert_int_equal(queue_store_count_of(&s, SPAN("bo")), 0);
	first = queue_store_find(&s, SPAN("777.a"));
	queue_store_put_off(&s, first, 1);
	assert_ptr_equal(queue_store_first(&s), first);
	queue_store_sending(&s, first, 4711);
	assert_ptr_not_equal(queue_store_first(&s), first);
	queue_store_put_off(&s, first, 1);		/* an order to send it, while it is sent */
	assert_ptr_not_equal(queue_store_first(&s), first);
	all = queue_store_list(&s);
	for (size_t i = 1; i < MANY; i++)
		assert_true(strcmp(all[i - 1]->id, all[i]->id) < 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(queue_store_remove(&s, all[i], &e), 0);
	free(all);
	assert_int_equal(s.count, 0);
	assert_null(queue_store_first(&s));
	assert_int_equal(queue_store_count_of(&s, SPAN("bob")), 0);
	queue_store_close(&s);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static bool
has(const struct buf *text, const char *words)
{
	return span_find(buf_span(text), span_str(words)) != SIZE_MAX;
}

static void
test_notice(void **state)
{
	char keep[] = "bob@example.org", to[] = "carol@example.com", user[] = "bob", sender[] = "";
	const struct queue_item item = { .id = "1.abc", .user = user, .sender = sender, .recipient = to, .keep_for = keep };
	const struct notice n = { .from = SPAN("postmaster@example.org"), .hostname = SPAN("mx.example"), .date = SPAN("DATE"),
				  .arrival = SPAN("ARRIVAL"), .why = SPAN("550\r\nno") };
	struct buf head = BUF_INIT(16384), tail = BUF_INIT(1000);

	(void)state;
	notice_write(&head, &tail, &item, &n);
	assert_false(head.failed || tail.failed);
	/* No filter passes it on. */
	assert_true(outgoing_is_loop(buf_span(&head), SPAN("bob@example.org")));
	assert_true(has(&head, "    550  no\r\n"));
	assert_true(has(&head, "\r\nFinal-Recipient: rfc822; carol@example.com\r\nAction: failed\r\nStatus: 5.0.0\r\nLast-"));
	assert_false(has(&head, "Original-Recipient") || has(&head, "Diagnostic-Code"));
	assert_true(has(&head, "\r\nTo: <bob@example.org>\r\n") && has(&head, "From: Mail delivery <postmaster@example.org>\r\n"));
	buf_clear(&head);
	buf_clear(&tail);
	assert_int_equal(attempt_status(0), 2);
	assert_int_equal(attempt_status(67), 5);
	assert_int_equal(attempt_status(75), 4);
	assert_int_equal(attempt_status(1), 4);
}

/* What is no user's: its sender is told, unless he is nobody or wants no report. */
static void
test_report(void **state)
{
	static const struct {
		const char *why;
		bool expired;
		const char *status;
	} cases[] = {
		{ "RCPT: 550 5.1.1 no such user", false, "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n" },
		{ "mx: RCPT: 452 4.2.2 full", true, "Status: 4.2.2\r\nDiagnostic-Code: smtp; 452 4.2.2 full\r\n" },
		{ "RCPT: 550 4.1.1 lies", false, "Status: 5.0.0\r\n" }, { "RCPT: 550", false, "Status: 5.0.0\r\nDiagnostic-Code: smtp; 550\r\n" },
		{ "message: 554 5.7.1234 x", false, "Status: 5.0.0\r\n" }, { "message: 554 5.7.1", false, "Status: 5.7.1\r\n" },
		{ "message: 554 5..1 x", false, "Status: 5.0.0\r\n" }, { "the server does not answer", true, "Status: 4.4.7\r\nLast" },
		{ "x: 55", true, "Status: 4.4.7\r\nLast" }, { "status 67", false, "Status: 5.0.0\r\nLast" }, { ": 5500 x", false, "Status: 5.0.0\r\nLast" },
	};
	char keep[] = "", to[] = "carol@example.com", user[] = "list@example.org", sender[] = "s@example.net";
	struct queue_item item = { .id = "1.abc", .user = user, .sender = sender, .recipient = to, .keep_for = keep };

	(void)state;
	assert_true(span_eq(notice_recipient(&item), SPAN("s@example.net")));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct notice n = { .from = SPAN("Post <p@example.org>"), .hostname = SPAN("mx.example"), .date = SPAN("DATE"),
					  .arrival = SPAN("ARRIVAL"), .why = span_str(cases[i].why), .eight_bit = i == 1 };
		struct buf head = BUF_INIT(16384), tail = BUF_INIT(1000);

		item.expired = cases[i].expired;
		notice_write(&head, &tail, &item, &n);
		if (!has(&head, cases[i].status))
			print_error("%s: %.*s\n", cases[i].why, SPAN_ARG(buf_span(&head)));
		assert_true(has(&head, cases[i].status));
		assert_true(has(&head, "Original-Recipient: rfc822; list@example.org\r\n"));
		assert_true(has(&head, "Arrival-Date: ARRIVAL\r\n\r\n"));
		assert_true(span_starts(buf_span(&head), SPAN("From: Post <p@example.org>\r\nTo: <s@example.net>\r\n")));
		/* A part that has such octets and one that holds it say so both (RFC 2045 section 6.4). */
		assert_int_equal(has(&head, "\"\r\nContent-Transfer-Encoding: 8bit\r\n"), i == 1);
		assert_int_equal(has(&head, "8bit"), i == 1);
		buf_clear(&head);
		buf_clear(&tail);
	}
	assert_true(notice_returns_all(&item));
	item.dsn.ret = SPAN("HDRS");
	assert_false(notice_returns_all(&item));
	item.dsn.notify = SPAN("success,failure");
	assert_true(notice_recipient(&item).n > 0);
	item.dsn.notify = SPAN("SUCCESS");
	assert_int_equal(notice_recipient(&item).n, 0);
	item.dsn.notify = SPAN("NEVER");
	assert_int_equal(notice_recipient(&item).n, 0);
	item.dsn.notify = SPAN("");
	sender[0] = '\0';
	assert_int_equal(notice_recipient(&item).n, 0);
	item.kind = OUTGOING_SEND;
	sender[0] = 's';
	assert_int_equal(notice_recipient(&item).n, 0);
}

/* A server that answers from a list, and keeps what it was sent. */
struct server {
	int fd;
	pid_t pid;
	struct smtp_client c;
};

static void
server_start(struct server *s, const char *const *answers)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s->pid = fork();
	if (s->pid == 0) {
		char line[4096];
		FILE *f = fdopen(pair[1], "r+");

		close(pair[0]);
		for (bool data = false; *answers != NULL; answers++) {
			fputs(*answers, f);
			fflush(f);
			if (answers[1] == NULL)
				break;
			data = strncmp(*answers, "354", 3) == 0;
			do
				if (fgets(line, sizeof(line), f) == NULL)
					_exit(1);
			while (data && strcmp(line, ".\r\n") != 0);
		}
		_exit(0);
	}
	close(pair[1]);
	s->c = (struct smtp_client){ .fd = pair[0], .timeout_ms = 5000 };
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	buf_init(&s->c.in, SMTP_REPLY_OCTETS + 8192);
}

static void
test_client(void **state)
{
	static const char *const good[] = { "220 mx\r\n", "250-mx\r\n250-SIZE\r\n250 8BITMIME\r\n", "250 ok\r\n", "250 ok\r\n",
					    "354 go\r\n", "250 2.0.0 taken\r\n", NULL };
	static const char *const old[] = { "220 mx\r\n", "502 no\r\n", "250 mx\r\n", "250 ok\r\n", "550-5.1.1 no\r\n550 such\r\n",
					   NULL };
	static const char *const late[] = { "220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", NULL };
	static const struct {
		const char *const *answers;
		int rc;
		unsigned code;
	} cases[] = { { good, 0, 250 }, { old, -1, 550 }, { late, -1, 0 } };
	const struct smtp_target t = { .host = "mx", .hello = "me" };
	const struct span parts[] = { SPAN("Subject: x\n\n.dot\n"), SPAN("..\r\nend") };
	const struct smtp_mail m = { .sender = SPAN("a@b"), .recipient = SPAN("c@d"), .parts = parts, .part_count = 2 };

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_outcome out;
		struct server s;
		struct err e = ERR_INIT;
		int rc;

		server_start(&s, cases[i].answers);
		assert_int_equal(smtp_client_greet(&t, &s.c, &e), 0);
		rc = smtp_client_send(&s.c, &m, &out, &e);
		if (rc != cases[i].rc)
			print_error("%zu: %s\n", i, e.log);
		assert_int_equal(rc, cases[i].rc);
		assert_int_equal(out.code, cases[i].code);
		smtp_client_close(&s.c);
		waitpid(s.pid, NULL, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head), cmocka_unit_test(test_reply), cmocka_unit_test(test_store),
		cmocka_unit_test(test_order), cmocka_unit_test(test_turns), cmocka_unit_test(test_many),
		cmocka_unit_test(test_notice), cmocka_unit_test(test_report), cmocka_unit_test(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
