/* SPDX-License-Identifier: MIT */
/* What a session's commands tell the process behind it, and what that makes of it. */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "testing.h"
#include "imap-fixture.h"
#include "imap/behind.h"
#include "imap/kept-events.h"
#include "imap/react.h"
#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib-filter/sieve/imapsieve.h"
#include "lib-storage/mailbox.h"

struct world {
	struct imap_fixture f;
	struct storage *st;
	struct session_start ss;
	struct buf told;		/* events, a line each */
	struct imap_react *react;	/* what they lead to; NULL: nothing */
};

static void
set(struct world *w, const char *name, const char *value)
{
	struct err e = ERR_INIT;

	if (set_view_override(w->f.view, span_str(name), span_str(value), &e) == -1)
		fail_msg("%s: %s", name, e.log);
}

static void
world_init(struct world *w)
{
	struct err e = ERR_INIT;

	memset(w, 0, sizeof(*w));
	imap_fixture_make(&w->f);
	w->st = imap_fixture_storage(&w->f);
	imap_fixture_start(&w->f, -1, &w->ss);
	buf_init(&w->told, 1 << 20);
	assert_int_equal(storage_create(w->st, SPAN("Junk"), false, &e), 0);
	assert_int_equal(storage_create(w->st, SPAN("Trash"), false, &e), 0);
	assert_int_equal(storage_create(w->st, SPAN("Work"), false, &e), 0);
	for (int i = 0; i < 4; i++)
		imap_fixture_add(w->st, SPAN("INBOX"), SPAN("Subject: x\n\ny\n"), 0, NULL, 0, 1000000000);
	imap_fixture_add(w->st, SPAN("Junk"), SPAN("Subject: x\n\ny\n"), 0, NULL, 0, 1000000000);
	set(w, "spam_junk_mailbox", "Junk");
}

static void
world_clear(struct world *w)
{
	imap_react_free(w->react);
	storage_close(w->st);
	buf_clear(&w->told);
	imap_fixture_clear(&w->f);
}

static void
on_event(void *ctx, const struct imap_event *ev)
{
	struct world *w = ctx;

	buf_addf(&w->told, "%u %s%s %.*s<%.*s [%.*s]", ev->cause, ev->scripts ? "s" : "", ev->learn == SPAM_LEARN_SPAM ? "spam" :
	    ev->learn == SPAM_LEARN_HAM ? "ham" : "", SPAN_ARG(ev->mailbox), SPAN_ARG(ev->from), SPAN_ARG(ev->changed_flags));
	for (size_t i = 0; i < ev->count; i++)
		buf_addf(&w->told, " %u", ev->uids[i]);
	buf_addc(&w->told, '\n');
	if (w->react != NULL)
		imap_react_scripts(w->react, ev, &(size_t){ 0 });
}

/* A session of these commands; what was told. */
static void
play(struct world *w, const char *commands, struct buf *answers)
{
	struct imap_session *s;
	struct stream io;
	struct err e = ERR_INIT;

	stream_init_mem(&io, span_str(commands), 65536, 1 << 20);
	if (imap_session_new(&w->ss, w->st, &io, &s, &e) == -1)
		fail_msg("%s", e.log);
	buf_reset(&w->told);
	if (s->events != NULL)
		imap_events_to(s->events, on_event, w);
	imap_session_run(s);
	if (answers != NULL)
		buf_add(answers, buf_span(&s->io.out));
	imap_session_free(s);
}

static void
expect(struct world *w, const char *commands, const char *want)
{
	play(w, commands, NULL);
	if (!span_eq(buf_span(&w->told), span_str(want)))
		fail_msg("%s\nwanted:\n%s\ngot:\n%.*s", commands, want, SPAN_ARG(buf_span(&w->told)));
}

static void
test_lessons(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	expect(&w, "a SELECT INBOX\r\nb COPY 1 Junk\r\n", "");
	set(&w, "spam_learn_spam", "yes");
	expect(&w, "a SELECT INBOX\r\nb COPY 1 Junk\r\n", "");		/* nobody learns */
	set(&w, "spam_scanner", "spamd");
	expect(&w, "a SELECT INBOX\r\nb COPY 1:2 Junk\r\nc UID MOVE 2 Junk\r\nd COPY 1 Trash\r\ne COPY 1 INBOX\r\n",
	    "2 spam Junk<INBOX [] 4 5\n2 spam Junk<INBOX [] 6\n");
	expect(&w, "a SELECT Junk\r\nb COPY 1 INBOX\r\nc COPY 1 Junk\r\nd STORE 1 +FLAGS (\\Seen)\r\n"
	    "e APPEND Work {3+}\r\nx\r\n\r\n", "");
	expect(&w, "a APPEND Junk {3+}\r\nx\r\n {3+}\r\ny\r\n\r\n", "1 spam Junk< [] 8 9\n");
	set(&w, "spam_learn_ham", "yes");
	expect(&w, "a SELECT Junk\r\nb COPY 1 INBOX\r\nc COPY 1 Trash\r\nd COPY 1 Work\r\ne COPY 1 Nowhere\r\n",
	    "2 ham INBOX<Junk [] 7\n2 ham Work<Junk [] 2\n");
	/* A trash that has no special use, below another mailbox or in a namespace with a prefix. */
	expect(&w, "a CREATE Work/Trash\r\nb CREATE Work/Trashed\r\nc SELECT Junk\r\nd COPY 1 Work/Trash\r\ne COPY 1 Work/Trashed\r\n",
	    "2 ham Work/Trashed<Junk [] 1\n");
	/* What is no use or is no more is none of its business. */
	expect(&w, "a SELECT Work\r\nb COPY 5 Junk\r\nc UID COPY 17 Junk\r\n", "");
	world_clear(&w);
}

static void
test_events(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	set(&w, "mail_plugins", "imap_sieve");
	expect(&w, "a SELECT INBOX\r\nb COPY 1 Work\r\n", "");			/* no rules */
	set(&w, "plugin/imapsieve_mailbox1_name", "Work");
	set(&w, "plugin/imapsieve_mailbox1_before", "file:/x.sieve");
	set(&w, "plugin/imapsieve_mailbox2_name", "INBOX");
	set(&w, "plugin/imapsieve_mailbox2_causes", "FLAG");
	set(&w, "plugin/imapsieve_mailbox2_after", "file:/x.sieve");
	expect(&w, "a SELECT INBOX\r\nb COPY 1:2 Work\r\nc COPY 1 Trash\r\nd APPEND Work {1+}\r\nx {1+}\r\ny\r\n"
	    "e APPEND INBOX {1+}\r\nx\r\n", "2 s Work<INBOX [] 2 3\n1 s Work< [] 4 5\n");
	/* What did change, of each message. */
	expect(&w, "a SELECT INBOX\r\nb STORE 1 FLAGS (\\Seen odd)\r\nc STORE 1:3 +FLAGS (\\Seen \\Flagged)\r\n"
	    "d STORE 1:2 FLAGS ()\r\ne STORE 2 -FLAGS (\\Seen)\r\nf STORE 1 +FLAGS.SILENT ($Forwarded)\r\ng EXAMINE INBOX\r\n"
	    "h STORE 1 +FLAGS (\\Seen)\r\n",
	    "4 s INBOX< [\\Seen odd] 1\n4 s INBOX< [\\Flagged] 1\n4 s INBOX< [\\Flagged \\Seen] 2 3\n"
	    "4 s INBOX< [\\Flagged \\Seen odd] 1\n4 s INBOX< [\\Flagged \\Seen] 2\n4 s INBOX< [$Forwarded] 1\n");
	expect(&w, "a SELECT Work\r\nb STORE 1 +FLAGS (\\Seen)\r\nc STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)\r\n",
	    "4 s Work< [\\Seen] 1\n");
	/* A message that is seen because it is read has no event, nor have the flags that it comes with, nor its end. */
	expect(&w, "a SELECT INBOX\r\nb FETCH 4 BODY[]\r\nc APPEND INBOX (\\Seen) {1+}\r\nx\r\nd STORE 4 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\n"
	    "f APPEND Work (\\Flagged) {1+}\r\nx\r\ng MOVE 1 Work\r\n",
	    "4 s INBOX< [\\Deleted] 4\n1 s Work< [] 6\n2 s Work<INBOX [] 7\n");
	/* A rule that is wrong is the administrator's matter. */
	set(&w, "plugin/imapsieve_mailbox2_causes", "MOVE");
	expect(&w, "a SELECT INBOX\r\nb COPY 1 Work\r\n", "");
	world_clear(&w);
}

static void
test_capability(void **state)
{
	struct buf answers = BUF_INIT(1 << 20);
	struct world w;

	(void)state;
	world_init(&w);
	set(&w, "plugin/imapsieve_url", "sieve://mx.example");
	play(&w, "a CAPABILITY\r\n", &answers);
	assert_true(span_find(buf_span(&answers), SPAN("IMAPSIEVE")) == SIZE_MAX);
	set(&w, "mail_plugins", "imap_sieve");
	play(&w, "a CAPABILITY\r\n", &answers);
	assert_true(span_find(buf_span(&answers), SPAN("IMAPSIEVE")) == SIZE_MAX);		/* nobody could name a script */
	set(&w, "imap_metadata", "yes");
	play(&w, "a CAPABILITY\r\n", &answers);
	assert_true(span_find(buf_span(&answers), SPAN(" IMAPSIEVE=sieve://mx.example")) != SIZE_MAX);
	buf_clear(&answers);
	world_clear(&w);
}

/* Scripts of the user's own: the mailbox's, or the server's. */
static void
test_annotations(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	set(&w, "mail_plugins", "imap_sieve");
	set(&w, "imap_metadata", "yes");
	expect(&w, "a SETMETADATA Work (/shared/imapsieve/script \"mine\")\r\nb SELECT INBOX\r\nc COPY 1 Work\r\n", "");
	set(&w, "plugin/imapsieve_url", "sieve://mx.example");
	expect(&w, "b SELECT INBOX\r\nc COPY 1 Work\r\nd COPY 1 Trash\r\ne STORE 1 +FLAGS (\\Seen)\r\n", "2 s Work<INBOX [] 2\n");
	expect(&w, "a SETMETADATA \"\" (/shared/imapsieve/script \"other\")\r\nb SELECT INBOX\r\nc COPY 1 Work\r\nd COPY 1 Trash\r\n"
	    "e STORE 1 -FLAGS (\\Seen)\r\n",
	    "2 s Work<INBOX [] 3\n2 s Trash<INBOX [] 2\n4 s INBOX< [\\Seen] 1\n");
	world_clear(&w);
}

static void
write_script(struct world *w, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/x.sieve", w->f.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Number of messages in a mailbox, and the flags of the one with that UID as the client would see them. */
static void
look(struct world *w, const char *name, uint32_t uid, uint32_t *count, unsigned *flags, int64_t *date)
{
	struct mailbox *box;
	struct msg_rec rec = { .flags = 0 };
	struct err e = ERR_INIT;

	assert_int_equal(mailbox_open(w->st, span_str(name), MAILBOX_READ, &box, &e), 0);
	*count = mailbox_count(box);
	if (uid > 0)
		assert_int_equal(mailbox_get(box, uid, &rec, &e), 0);
	*flags = rec.flags;
	*date = rec.internal_date;
	mailbox_read_end(box);
	mailbox_close(box);
}

static void
test_scripts(void **state)
{
	static const struct {
		const char *script;
		uint32_t work, junk;
		unsigned flags;
	} cases[] = {
		{ "", 1, 1, 0 },
		{ "require \"imap4flags\"; addflag \"\\\\Flagged\";", 2, 1, MSG_FLAGGED },
		{ "discard;", 3, 1, MSG_DELETED },
		{ "require \"fileinto\"; fileinto \"Junk\";", 4, 2, MSG_DELETED },
		{ "require [\"fileinto\", \"imap4flags\"]; setflag \"\\\\Seen\"; fileinto \"Junk\"; keep;", 5, 3, MSG_SEEN },
		{ "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Bad\x01Name\";", 6, 3, 0 },
		{ "redirect \"a@example.org\";", 7, 3, 0 },		/* there is no queue */
		{ "require \"vnd.dovecot.pipe\"; pipe \"x.sh\";", 8, 3, 0 },
		{ "require \"envelope\"; discard;", 9, 3, 0 },		/* it means nothing here */
		{ "discard", 10, 3, 0 },
		{ "require \"vnd.dovecot.imapsieve\"; require \"imapsieve\"; discard;", 11, 3, MSG_DELETED },
	};
	struct imap_react_params rp;
	struct err e = ERR_INIT;
	struct world w;
	char path[128];

	(void)state;
	world_init(&w);
	snprintf(path, sizeof(path), "file:%s/x.sieve", w.f.dir);
	set(&w, "mail_plugins", "imap_sieve");
	set(&w, "plugin/imapsieve_mailbox1_name", "Work");
	set(&w, "plugin/imapsieve_mailbox1_before", path);
	set(&w, "plugin/sieve_global_extensions", "+vnd.dovecot.pipe");
	rp = (struct imap_react_params){ .storage = w.st, .view = w.f.view, .user = SPAN("tester"), .home = span_str(w.f.dir) };
	assert_int_equal(imap_react_new(&rp, &w.react, &e), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned flags, ignored;
		uint32_t work, junk;
		int64_t date;

		write_script(&w, cases[i].script);
		play(&w, "a SELECT INBOX\r\nb COPY 1 Work\r\n", NULL);
		assert_true(w.told.n > 0);
		look(&w, "Junk", 0, &junk, &ignored, &date);
		look(&w, "Work", cases[i].work, &work, &flags, &date);
		if (work != cases[i].work || junk != cases[i].junk || flags != cases[i].flags)
			fail_msg("%s: %u in Work, %u in Junk, flags %#x", cases[i].script, work, junk, flags);
	}
	/* A copy has the date of what it is a copy of. */
	{
		unsigned flags;
		uint32_t junk;
		int64_t date;

		look(&w, "Junk", 2, &junk, &flags, &date);
		assert_true(date == 1000000000);
		assert_int_equal(flags, 0);
	}
	world_clear(&w);
}

static struct imap_event
event_of(struct world *w, const char *name, const uint32_t *uids, size_t count)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	assert_int_equal(storage_status(w->st, span_str(name), STATUS_UIDVALIDITY, &status, &e), 0);
	return (struct imap_event){ .cause = IMAPSIEVE_COPY, .scripts = true, .mailbox = span_str(name), .from = SPAN("INBOX"),
				    .uidvalidity = status.uidvalidity, .uids = uids, .count = count };
}

static void
expect_kept(struct buf *all, size_t *at, int64_t now, struct kept_event *out)
{
	static uint32_t room[IMAP_EVENT_UIDS];
	struct err e = ERR_INIT;
	struct ipc_msg m;

	assert_int_equal(ipc_msg_init(&m, &e), 0);
	assert_true(kept_events_next(buf_span(all), at, now, &m, room, out));
	out->event.mailbox = out->event.from = SPAN("");	/* the message's */
	ipc_msg_clear(&m);
}

static void
expect_no_kept(struct span all, size_t at, size_t end)
{
	static uint32_t room[IMAP_EVENT_UIDS];
	struct kept_event kept;
	struct err e = ERR_INIT;
	struct ipc_msg m;

	assert_int_equal(ipc_msg_init(&m, &e), 0);
	assert_false(kept_events_next(all, &at, 1700000000, &m, room, &kept));
	assert_int_equal(at, end);
	ipc_msg_clear(&m);
}

/* What is left when the process behind a session is told to end. */
static void
test_kept(void **state)
{
	static const uint32_t uids[] = { 3, 5, 7 };
	struct buf records = BUF_INIT(KEPT_EVENTS_MAX), all = BUF_INIT(KEPT_EVENTS_MAX + 1), large = BUF_INIT(2 * KEPT_EVENTS_MAX);
	struct imap_event event = { .cause = IMAPSIEVE_COPY, .learn = SPAM_LEARN_HAM, .mailbox = SPAN("INBOX"), .from = SPAN("Junk"),
				    .uidvalidity = 9, .uids = uids, .count = 3 };
	const int64_t now = 1700000000;
	struct err e = ERR_INIT;
	struct kept_event got;
	struct world w;
	size_t at = 0, first;
	int dir, work;

	(void)state;
	world_init(&w);
	assert_int_equal(storage_user_dir(w.st, &dir, &e), 0);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_true(all.n == 0 && work == -1);
	kept_events_write(&records, &event, now);
	first = records.n;
	event.count = 1;
	kept_events_write(&records, &event, now - 2 * KEPT_SCRIPTS_S);
	event.scripts = true;
	event.learn = SPAM_CHECK;
	kept_events_write(&records, &event, now - 2 * KEPT_SCRIPTS_S);
	kept_events_write(&records, &event, now + 100);
	assert_int_equal(kept_events_add(dir, buf_span(&records), &e), 0);
	assert_int_equal(kept_events_add(dir, SPAN(""), &e), 0);
	assert_int_equal(kept_events_add(dir, buf_span(&records), &e), 0);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_int_equal(all.n, 2 * records.n);
	for (int i = 0; i < 2; i++) {
		expect_kept(&all, &at, now, &got);
		assert_true(got.event.count == 3 && got.event.uids[2] == 7 && got.event.uidvalidity == 9 &&
		    got.event.learn == SPAM_LEARN_HAM && !got.event.scripts && got.next == 0 && got.tries == 0);
		assert_int_equal(got.time, now);
		assert_int_equal(got.at, i == 0 ? 0 : records.n);
		/* Too old for a script, not for a lesson. */
		expect_kept(&all, &at, now, &got);
		assert_true(got.event.count == 1 && got.event.learn == SPAM_LEARN_HAM && !got.event.scripts);
		assert_int_equal(got.time, now - 2 * KEPT_SCRIPTS_S);
		expect_kept(&all, &at, now, &got);
		assert_true(got.event.count == 1 && got.event.learn == SPAM_CHECK && got.event.scripts);
		assert_int_equal(got.time, now + 100);
	}
	expect_no_kept(buf_span(&all), at, all.n);
	/* They are gone when they are done; what is damaged ends it. */
	assert_int_equal(kept_events_done(dir, &work, &e), 0);
	assert_int_equal(work, -1);
	buf_reset(&all);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_true(all.n == 0 && work == -1);
	for (size_t n = 0; n < first; n++)
		expect_no_kept(span_sub(buf_span(&records), 0, n), 0, 0);
	/* More done than there is; what is both. */
	records.p[15] = 4;
	expect_no_kept(buf_span(&records), 0, 0);
	event.learn = SPAM_LEARN_HAM;
	kept_events_write(&large, &event, now);
	expect_no_kept(buf_span(&large), 0, 0);
	/* There is a limit. */
	while (large.n <= KEPT_EVENTS_MAX - 10)
		buf_add(&large, buf_span(&records));
	assert_int_equal(kept_events_add(dir, span_sub(buf_span(&large), 0, KEPT_EVENTS_MAX), &e), 0);
	assert_int_equal(kept_events_add(dir, SPAN("x"), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_int_equal(all.n, KEPT_EVENTS_MAX);
	assert_int_equal(kept_events_done(dir, &work, &e), 0);
	assert_int_equal(kept_events_add(dir, buf_span(&large), &e), large.n > KEPT_EVENTS_MAX ? -1 : 0);
	close(dir);
	buf_clear(&records);
	buf_clear(&all);
	buf_clear(&large);
	world_clear(&w);
}

/* A process that takes them, writes down how far it comes, and is killed. */
static void
take_and_die(int dir, size_t at, uint32_t next, uint32_t tries)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0) {
		struct buf all = BUF_INIT(KEPT_EVENTS_MAX + 1);
		struct err e = ERR_INIT;
		int work;

		if (kept_events_take(dir, &all, &work, &e) == 0 && work != -1 && kept_events_mark(work, at, next, tries, &e) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Who is killed over them has an heir, who knows how far it came; who is alive has none. */
static void
test_kept_taken_over(void **state)
{
	static const uint32_t uids[] = { 3, 5, 7 };
	struct buf records = BUF_INIT(KEPT_EVENTS_MAX), all = BUF_INIT(KEPT_EVENTS_MAX + 1), other = BUF_INIT(KEPT_EVENTS_MAX + 1);
	const struct imap_event event = { .cause = IMAPSIEVE_COPY, .learn = SPAM_LEARN_HAM, .mailbox = SPAN("INBOX"),
					  .from = SPAN("Junk"), .uidvalidity = 9, .uids = uids, .count = 3 };
	const int64_t now = 1700000000;
	struct err e = ERR_INIT;
	struct kept_event got;
	struct world w;
	size_t at = 0, second;
	int dir, work, none;

	(void)state;
	world_init(&w);
	assert_int_equal(storage_user_dir(w.st, &dir, &e), 0);
	kept_events_write(&records, &event, now);
	second = records.n;
	kept_events_write(&records, &event, now);
	assert_int_equal(kept_events_add(dir, buf_span(&records), &e), 0);
	take_and_die(dir, 0, 3, 0);
	/* What is added meanwhile waits for its turn. */
	assert_int_equal(kept_events_add(dir, SPAN("later"), &e), 0);
	take_and_die(dir, second, 1, 2);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_true(work != -1 && all.n == records.n);
	expect_kept(&all, &at, now, &got);
	assert_true(got.at == second && got.next == 1 && got.tries == 2 && got.event.count == 3);
	expect_no_kept(buf_span(&all), at, all.n);
	/* Others leave it alone, and do not wait. */
	assert_int_equal(kept_events_take(dir, &other, &none, &e), 0);
	assert_true(none == -1 && other.n == 0);
	assert_int_equal(kept_events_add(dir, SPAN("still"), &e), 0);
	assert_int_equal(kept_events_done(dir, &work, &e), 0);
	assert_int_equal(kept_events_take(dir, &other, &work, &e), 0);
	assert_true(span_eq(buf_span(&other), SPAN("laterstill")));
	assert_int_equal(kept_events_done(dir, &work, &e), 0);
	/* No plain file: nobody is held up by it. */
	assert_int_equal(mkfifoat(dir, KEPT_EVENTS_WORK, 0600), 0);
	assert_int_equal(kept_events_take(dir, &other, &none, &e), -1);
	assert_int_equal(unlinkat(dir, KEPT_EVENTS_WORK, 0), 0);
	close(dir);
	buf_clear(&records);
	buf_clear(&all);
	buf_clear(&other);
	world_clear(&w);
}

static volatile sig_atomic_t lock_holder;

static void
on_alarm(int sig)
{
	(void)sig;
	close(lock_holder);
}

/* They are kept by who was told to end, by a signal; and on a disk that may be full. */
static void
test_kept_anyhow(void **state)
{
	const struct itimerval soon = { .it_value.tv_usec = 50000 };
	const struct sigaction on = { .sa_handler = on_alarm }, usual = { .sa_handler = SIG_DFL }, never = { .sa_handler = SIG_IGN };
	struct buf all = BUF_INIT(KEPT_EVENTS_MAX + 1);
	struct err e = ERR_INIT;
	struct rlimit were, few;
	struct world w;
	int dir, fd, work;

	(void)state;
	world_init(&w);
	assert_int_equal(storage_user_dir(w.st, &dir, &e), 0);
	assert_int_equal(kept_events_add(dir, SPAN("first"), &e), 0);
	fd = openat(dir, KEPT_EVENTS_FILE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	lock_holder = fd;
	assert_int_equal(sigaction(SIGALRM, &on, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(kept_events_add(dir, SPAN("second"), &e), 0);
	assert_int_equal(sigaction(SIGALRM, &usual, NULL), 0);
	/* Half a record is taken back. */
	assert_int_equal(sigaction(SIGXFSZ, &never, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &were), 0);
	few = were;
	few.rlim_cur = 14;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	assert_int_equal(kept_events_add(dir, SPAN("too long"), &e), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &were), 0);
	assert_int_equal(sigaction(SIGXFSZ, &usual, NULL), 0);
	e = (struct err)ERR_INIT;
	assert_int_equal(kept_events_add(dir, SPAN("third"), &e), 0);
	assert_int_equal(kept_events_take(dir, &all, &work, &e), 0);
	assert_true(span_eq(buf_span(&all), SPAN("firstsecondthird")));
	assert_int_equal(kept_events_done(dir, &work, &e), 0);
	close(dir);
	buf_clear(&all);
	world_clear(&w);
}

/* What has gone, or is another mailbox now, is left alone. */
static void
test_too_late(void **state)
{
	static const uint32_t uids[] = { 1, 99 };
	struct imap_react_params rp;
	struct imap_event event;
	struct imap_lessons lessons = { .next = 0 };
	struct spam_scan scan = { .on = true, .max_size = 5 };
	struct err e = ERR_INIT;
	struct world w;
	char path[128];
	unsigned flags;
	uint32_t count;
	int64_t date;

	(void)state;
	world_init(&w);
	snprintf(path, sizeof(path), "file:%s/x.sieve", w.f.dir);
	write_script(&w, "discard;");
	set(&w, "mail_plugins", "imap_sieve");
	set(&w, "plugin/imapsieve_mailbox1_name", "*");
	set(&w, "plugin/imapsieve_mailbox1_before", path);
	rp = (struct imap_react_params){ .storage = w.st, .view = w.f.view, .user = SPAN("tester"), .home = span_str(w.f.dir),
					 .scan = &scan };
	assert_int_equal(imap_react_new(&rp, &w.react, &e), 0);
	event = event_of(&w, "Junk", uids, 2);
	event.uidvalidity++;
	imap_react_scripts(w.react, &event, &(size_t){ 0 });
	look(&w, "Junk", 1, &count, &flags, &date);
	assert_int_equal(flags, 0);
	event.uidvalidity--;
	event.learn = SPAM_LEARN_SPAM;
	/* Neither what is too large nor what has gone is a failure of the scanner. */
	imap_react_teach(w.react, &event, &lessons);
	imap_react_teach(w.react, &event, &lessons);
	assert_int_equal(lessons.next, 2);
	assert_int_equal(lessons.learned + lessons.missed, 0);
	scan.on = false;
	lessons.next = 0;
	imap_react_teach(w.react, &event, &lessons);
	assert_int_equal(lessons.missed, 1);
	imap_react_scripts(w.react, &event, &(size_t){ 0 });
	look(&w, "Junk", 1, &count, &flags, &date);
	assert_int_equal(flags, MSG_DELETED);
	event.mailbox = SPAN("Gone");
	imap_react_scripts(w.react, &event, &(size_t){ 0 });
	world_clear(&w);
}

static void
test_teacher(void **state)
{
	static const struct {
		const char *scanner, *address, *learn_address;
		int error;
		bool inet;
		unsigned port;
	} cases[] = {
		{ "spamd", "", "", 0, true, 783 },
		{ "spamd", "unix:/run/spamd.sock", "", 0, false, 0 },
		{ "spamd", "unix:/run/spamd.sock", "inet:127.0.0.1:784", 0, true, 784 },
		{ "rspamd", "inet:127.0.0.1:11333", "", 0, true, 11334 },
		{ "rspamd", "", "inet:127.0.0.1:9", 0, true, 9 },
		{ "rspamd", "", "127.0.0.1:9", -1, false, 0 },
	};
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spam_scan scan;
		struct err e = ERR_INIT;

		set(&w, "spam_scanner", cases[i].scanner);
		set(&w, "spam_scanner_address", cases[i].address);
		set(&w, "spam_learn_address", cases[i].learn_address);
		set(&w, "spam_learn_ham", "no");
		assert_int_equal(spam_learn_init(&scan, w.f.view, &e), 0);
		assert_false(scan.on);
		set(&w, "spam_learn_ham", "yes");
		assert_int_equal(spam_learn_init(&scan, w.f.view, &e), cases[i].error);
		if (cases[i].error == -1)
			continue;
		assert_true(scan.on);
		assert_int_equal(spam_scan_is_inet(&scan), cases[i].inet);
		if (cases[i].inet)
			assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&scan.addresses[0].sa)->sin_port), cases[i].port);
	}
	world_clear(&w);
}

static void
test_frames(void **state)
{
	static const uint32_t uids[] = { 1, 7, 4294967295u };
	const struct imap_event in = { .id = 5, .cause = IMAPSIEVE_FLAG, .scripts = true, .learn = SPAM_LEARN_HAM, .mailbox = SPAN("A/b"),
				       .from = SPAN("x"), .changed_flags = SPAN("\\Seen y"), .uidvalidity = 77, .uids = uids, .count = 3 };
	uint32_t room[IMAP_EVENT_UIDS];
	struct imap_event out;
	struct err e = ERR_INIT;
	struct ipc_msg m;
	struct ipc_out o;

	(void)state;
	assert_int_equal(ipc_msg_init(&m, &e), 0);
	imap_event_write(&o, &in);
	assert_int_equal(ipc_parse(&m, buf_span(&o.b), &e), 1);
	assert_int_equal(imap_event_read(&m, room, &out, &e), 0);
	assert_true(out.id == 5 && out.cause == IMAPSIEVE_FLAG && out.scripts && out.learn == SPAM_LEARN_HAM);
	assert_true(span_eq(out.mailbox, in.mailbox) && span_eq(out.from, in.from) && span_eq(out.changed_flags, in.changed_flags));
	assert_true(out.uidvalidity == 77 && out.count == 3 && memcmp(out.uids, uids, sizeof(uids)) == 0);
	ipc_out_clear(&o);
	/* Without messages, of no cause, without a name. */
	for (int i = 0; i < 3; i++) {
		struct imap_event bad = in;

		if (i == 0)
			bad.count = 0;
		else if (i == 1)
			bad.cause = 3;
		else
			bad.mailbox = SPAN("");
		imap_event_write(&o, &bad);
		assert_int_equal(ipc_parse(&m, buf_span(&o.b), &e), 1);
		assert_int_equal(imap_event_read(&m, room, &out, &e), -1);
		ipc_out_clear(&o);
	}
	ipc_msg_clear(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames), cmocka_unit_test(test_lessons), cmocka_unit_test(test_events),
		cmocka_unit_test(test_capability), cmocka_unit_test(test_annotations), cmocka_unit_test(test_scripts), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_kept_taken_over), cmocka_unit_test(test_kept_anyhow), cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_teacher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
