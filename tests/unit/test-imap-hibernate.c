/* SPDX-License-Identifier: MIT */
/* An idling session goes to sleep and wakes up, in another process, knowing what it knew: imap/hibernate.c. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include "testing.h"
#include "imap-fixture.h"
#include "imap/serve.h"
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib-storage/mailbox.h"

#define WAIT_MS 20000

struct sleeper {
	struct imap_fixture f;
	int client, parent;	/* this test's ends */
	int hub, hub_fd;	/* and of hub's channel; 0: there is none */
	pid_t pid;
	struct buf in, state;
};

static void
serve(struct sleeper *z, int client_fd, struct span state)
{
	int parent[2] = { -1, -1 };
	struct err e = ERR_INIT;

	assert_int_equal(ipc_pair(parent, &e), 0);
	fflush(NULL);
	z->pid = fork();
	assert_true(z->pid != -1);
	if (z->pid == 0) {
		struct session_start ss;

		close(parent[0]);
		close(z->client);
		imap_fixture_start(&z->f, client_fd, &ss);
		ss.parent_fd = parent[1];
		if (z->hub_fd != 0) {
			close(z->hub);
			ss.hub_fd = z->hub_fd;
		}
		ss.state = state;
		exit(imap_serve(&ss));
	}
	close(parent[1]);
	close(client_fd);
	z->parent = parent[0];
}

static void
expect(struct sleeper *z, const char *want)
{
	for (;;) {
		struct pollfd pfd = { .fd = z->client, .events = POLLIN };
		size_t i = span_chr(buf_span(&z->in), '\n');
		ssize_t n;

		if (i < z->in.n) {
			struct span line = span_trim(span_of(z->in.p, i));

			if (!span_starts(line, span_str(want)))
				fail_msg("wanted: %s\n   got: %.*s", want, SPAN_ARG(line));
			buf_drop(&z->in, i + 1);
			return;
		}
		assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
		assert_true(buf_grow(&z->in, z->in.n + 4096));
		n = read(z->client, z->in.p + z->in.n, 4096);
		if (n <= 0)
			fail_msg("wanted: %s; the connection is closed", want);
		z->in.n += (size_t)n;
	}
}

static void
say(struct sleeper *z, const char *text)
{
	assert_int_equal(send(z->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void
ended(struct sleeper *z)
{
	int status = -1;

	assert_int_equal(waitpid(z->pid, &status, 0), z->pid);
	assert_int_equal(status, 0);
	close(z->parent);
}

static void
begin_with_hub(struct sleeper *z, const char *timeout, const int hub[2])
{
	struct storage *st;
	struct mailbox_status status;
	struct err e = ERR_INIT;
	int fds[2];

	memset(z, 0, sizeof(*z));
	z->hub = hub[0];
	z->hub_fd = hub[1];
	buf_init(&z->in, 1 << 20);
	buf_init(&z->state, 65536);
	imap_fixture_make(&z->f);
	assert_int_equal(set_view_override(z->f.view, SPAN("imap_hibernate_timeout"), span_str(timeout), &e), 0);
	st = imap_fixture_storage(&z->f);
	assert_int_equal(storage_status(st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), 0);
	for (int i = 0; i < 5; i++)
		imap_fixture_add(st, SPAN("INBOX"), SPAN("Subject: x\n\ny\n"), 0, NULL, 0, 1000000000);
	storage_close(st);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	z->client = fds[0];
	serve(z, fds[1], SPAN_NONE);
	expect(z, "L OK [CAPABILITY ");
}

static void
begin(struct sleeper *z, const char *timeout)
{
	begin_with_hub(z, timeout, (const int[2]){ 0, 0 });
}

static void
end(struct sleeper *z)
{
	ended(z);
	close(z->client);
	buf_clear(&z->in);
	buf_clear(&z->state);
	imap_fixture_clear(&z->f);
}

/* The parent's part: takes the client, says yes (or no).  The client's descriptor. */
static int
take_session(struct sleeper *z, bool yes)
{
	struct ipc_msg m;
	struct ipc_out o;
	struct err e = ERR_INIT;
	int fd;

	assert_int_equal(ipc_msg_init(&m, &e), 0);
	assert_int_equal(ipc_recv_wait(z->parent, &m, WAIT_MS, &e), 1);
	assert_int_equal(m.type, MSG_HIBERNATE);
	ipc_u32(&m, F_ID);
	assert_span(ipc_bytes(&m, F_SESSION, 64), "test");
	assert_span(ipc_bytes(&m, F_TAG, 64), "i");
	ipc_bytes(&m, F_KEY, WATCH_KEY_MAX);
	buf_reset(&z->state);
	buf_add(&z->state, ipc_bytes(&m, F_STATE, IPC_FRAME_MAX));
	assert_false(m.bad);
	fd = ipc_fd(&m);
	assert_true(fd != -1);
	ipc_msg_clear(&m);
	ipc_begin(&o, yes ? MSG_HIBERNATED : MSG_DONE);
	ipc_put_u32(&o, F_ID, 1);
	assert_int_equal(ipc_send(z->parent, &o, &e), 0);
	return fd;
}

static void
select_inbox(struct sleeper *z)
{
	say(z, "s SELECT INBOX\r\n");
	expect(z, "* FLAGS");
	expect(z, "* OK [PERMANENTFLAGS");
	expect(z, "* 5 EXISTS");
	expect(z, "* 5 RECENT");
	expect(z, "* OK [UNSEEN");
	expect(z, "* OK [UIDVALIDITY");
	expect(z, "* OK [UIDNEXT");
	expect(z, "* OK [MAILBOXID (M");
	expect(z, "* OK [HIGHESTMODSEQ");
	expect(z, "s OK");
}

/* While it sleeps: two messages go, one gets a flag, one comes. */
static void
change(struct sleeper *z)
{
	static const uint32_t gone[] = { 2, 4 }, flagged[] = { 3 };
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_FLAGGED };
	struct storage *st = imap_fixture_storage(&z->f);
	struct mailbox *box = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(mailbox_open(st, SPAN("INBOX"), MAILBOX_WRITE, &box, &e), 0);
	assert_int_equal(mailbox_expunge(box, gone, 2, true, &e), 0);
	assert_int_equal(mailbox_store(box, flagged, 1, &fc, NULL, NULL, NULL, &e), 0);
	mailbox_close(box);
	imap_fixture_add(st, SPAN("INBOX"), SPAN("Subject: new\n\ny\n"), 0, NULL, 0, 1000000000);
	storage_close(st);
}

static void
test_sleep_and_wake(void **state)
{
	struct sleeper z;
	int fd;

	(void)state;
	begin(&z, "50 msecs");
	select_inbox(&z);
	say(&z, "i IDLE\r\n");
	expect(&z, "+ idling");
	fd = take_session(&z, true);
	ended(&z);
	change(&z);
	serve(&z, fd, buf_span(&z.state));
	expect(&z, "* 4 EXPUNGE");
	expect(&z, "* 2 EXPUNGE");
	expect(&z, "* 4 EXISTS");
	expect(&z, "* 1 RECENT");
	expect(&z, "* 2 FETCH (FLAGS (\\Flagged))");
	say(&z, "DONE\r\n");
	expect(&z, "i OK Idle completed.");
	say(&z, "f FETCH 1:* (UID)\r\nl LOGOUT\r\n");
	expect(&z, "* 1 FETCH (UID 1)");
	expect(&z, "* 2 FETCH (UID 3)");
	expect(&z, "* 3 FETCH (UID 5)");
	expect(&z, "* 4 FETCH (UID 6)");
	expect(&z, "f OK");
	expect(&z, "* BYE");
	expect(&z, "l OK");
	end(&z);
}

static void
test_wake_qresync(void **state)
{
	struct sleeper z;
	int fd;

	(void)state;
	begin(&z, "50 msecs");
	say(&z, "e ENABLE QRESYNC\r\n");
	expect(&z, "* ENABLED QRESYNC");
	expect(&z, "e OK");
	select_inbox(&z);
	say(&z, "i IDLE\r\n");
	expect(&z, "+ idling");
	fd = take_session(&z, true);
	ended(&z);
	change(&z);
	serve(&z, fd, buf_span(&z.state));
	expect(&z, "* VANISHED 2,4");
	expect(&z, "* 4 EXISTS");
	expect(&z, "* 1 RECENT");
	expect(&z, "* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (");
	say(&z, "DONE\r\nl LOGOUT\r\n");
	expect(&z, "i OK");
	expect(&z, "* BYE");
	expect(&z, "l OK");
	end(&z);
}

/* Nothing selected; and where hibernation is refused the session just goes on. */
static void
test_refused(void **state)
{
	struct sleeper z;

	(void)state;
	begin(&z, "50 msecs");
	say(&z, "i IDLE\r\n");
	expect(&z, "+ idling");
	close(take_session(&z, false));
	say(&z, "DONE\r\nl LOGOUT\r\n");
	expect(&z, "i OK");
	expect(&z, "* BYE");
	expect(&z, "l OK");
	end(&z);
}

/* A state that is cut or damaged is refused with BYE, whatever it is. */
static void
test_damaged_state(void **state)
{
	struct sleeper z;
	int fd;

	(void)state;
	begin(&z, "50 msecs");
	select_inbox(&z);
	say(&z, "i IDLE\r\n");
	expect(&z, "+ idling");
	fd = take_session(&z, true);
	ended(&z);
	for (size_t n = 1; n < z.state.n; n += 7) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		serve(&z, copy, span_of(z.state.p, n));
		expect(&z, "* BYE Session can not be taken up again");
		ended(&z);
	}
	serve(&z, fd, buf_span(&z.state));
	say(&z, "DONE\r\nl LOGOUT\r\n");
	expect(&z, "i OK");
	expect(&z, "* BYE");
	expect(&z, "l OK");
	end(&z);
}

/* It sees at once that the old hub has gone and that there is a new one, which has nothing to say yet. */
static void
test_new_hub(void **state)
{
	struct sleeper z;
	struct ipc_out o;
	struct err e = ERR_INIT;
	int hub[2] = { -1, -1 }, new[2] = { -1, -1 }, status;

	(void)state;
	assert_int_equal(ipc_pair(hub, &e), 0);
	assert_int_equal(ipc_pair(new, &e), 0);
	begin_with_hub(&z, "0", hub);
	close(hub[1]);
	assert_int_equal(kill(z.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(z.pid, &status, WUNTRACED), z.pid);
	assert_true(WIFSTOPPED(status));
	close(hub[0]);
	ipc_begin(&o, MSG_CHANNEL);
	ipc_put_str(&o, F_NAME, "hub");
	ipc_put_fd(&o, new[1]);
	assert_int_equal(ipc_send(z.parent, &o, &e), 0);
	assert_int_equal(kill(z.pid, SIGCONT), 0);
	say(&z, "a NOOP\r\n");
	expect(&z, "a OK");
	say(&z, "b LOGOUT\r\n");
	expect(&z, "* BYE");
	expect(&z, "b OK");
	close(new[0]);
	close(new[1]);
	end(&z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleep_and_wake),
		cmocka_unit_test(test_wake_qresync),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_new_hub),
		cmocka_unit_test(test_damaged_state),
	};

	log_init(&(struct log_target){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .info_fd = -1, .debug_fd = -1 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
