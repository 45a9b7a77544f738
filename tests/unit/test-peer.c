/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "lib/log.h"
#include "lib/peer.h"
#include "lib/sys.h"

enum { MSG_ADD = 1, MSG_ECHO, MSG_REFUSED, MSG_FREE, MSG_FD, MSG_FLOOD, MSG_SELDOM };
enum { KIND_A = 1, KIND_B = 2 };
enum { F_NUMBER = 1, F_TEXT };

static struct ev_loop *loop;
static unsigned sum, closes;
static bool free_on_close;

static int
on_add(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t n = ipc_u32(m, F_NUMBER);

	(void)p;
	if (!ipc_end(m))
		return err_set(e, ERR_SYNTAX, "add: malformed");
	sum += n;
	return 0;
}

static int
on_echo(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct ipc_out o;

	(void)e;
	ipc_begin(&o, MSG_ECHO);
	ipc_put_bytes(&o, F_TEXT, ipc_bytes(m, F_TEXT, IPC_FRAME_MAX));
	peer_send(p, &o);
	return 0;
}

static int
on_free(struct peer *p, struct ipc_msg *m, struct err *e)
{
	(void)m;
	(void)e;
	peer_free(p);
	return 0;
}

static int
on_fd(struct peer *p, struct ipc_msg *m, struct err *e)
{
	(void)p;
	(void)m;	/* takes nothing: the descriptor must be closed for it */
	(void)e;
	sum++;
	return 0;
}

/* Many frames, more than the socket holds, with a descriptor each tenth. */
static int
on_flood(struct peer *p, struct ipc_msg *m, struct err *e)
{
	uint32_t count = ipc_u32(m, F_NUMBER);

	(void)e;
	for (uint32_t i = 0; i < count; i++) {
		struct ipc_out o;
		int fd = -1;

		ipc_begin(&o, MSG_FLOOD);
		ipc_put_u32(&o, F_NUMBER, i);
		if (i % 10 == 0) {
			fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
			ipc_put_fd(&o, fd);
		}
		peer_send(p, &o);
		if (fd != -1)
			close(fd);	/* a frame that waits has its own */
	}
	return 0;
}

static const struct ipc_rule rules[] = {
	{ MSG_ADD, KIND_A | KIND_B, on_add },
	{ MSG_ECHO, KIND_A, on_echo },
	{ MSG_FREE, KIND_A, on_free },
	{ MSG_FD, KIND_A, on_fd },
	{ MSG_FLOOD, KIND_A, on_flood },
	{ MSG_SELDOM, KIND_B, on_add },
	{ 0, 0, NULL }
};

static void
on_close(struct peer *p)
{
	assert_string_equal(peer_data(p), "data");
	closes++;
	if (free_on_close)
		peer_free(p);	/* needless, and harmless */
}

static struct peer *
make_peer(int *other_out, unsigned kind, size_t queue_max)
{
	static char data[] = "data";
	struct peer_options o = { .rules = rules, .kind = kind, .on_close = on_close, .data = data,
				  .queue_max = queue_max };
	struct err e = ERR_INIT;
	struct peer *p;
	int fds[2];

	assert_int_equal(ipc_pair(fds, &e), 0);
	p = peer_new(loop, &fds[0], &o);
	assert_non_null(p);
	assert_int_equal(fds[0], -1);
	assert_int_equal(peer_kind(p), kind);
	assert_ptr_equal(peer_loop(p), loop);
	assert_true(peer_fd(p) >= 0);
	*other_out = fds[1];
	sum = closes = 0;
	return p;
}

static void
send_number(int fd, uint16_t type, uint32_t n)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, type);
	ipc_put_u32(&o, F_NUMBER, n);
	assert_int_equal(ipc_send(fd, &o, &e), 0);
}

static void
turn(int times)
{
	while (times-- > 0)
		ev_run(loop, EVRUN_NOWAIT);
}

static void
test_dispatch(void **state)
{
	struct peer *p;
	int other;

	(void)state;
	p = make_peer(&other, KIND_A, 0);
	for (uint32_t i = 1; i <= 100; i++)
		send_number(other, MSG_ADD, i);
	turn(1);
	assert_int_equal(sum, 136);	/* sixteen a turn, then others have theirs */
	turn(10);
	assert_int_equal(sum, 5050);
	assert_int_equal(closes, 0);
	close(other);
	turn(2);
	assert_int_equal(closes, 1);
	(void)p;
}

/* What is not allowed, or malformed, ends that peer: once, and with on_close. */
static void
test_refused(void **state)
{
	static const struct {
		unsigned kind;
		uint16_t type;
		bool bad_field, free_in_close;
	} cases[] = {
		{ KIND_B, MSG_ECHO, false, false },	/* another kind's message */
		{ KIND_A, MSG_SELDOM, false, true },
		{ KIND_A, MSG_REFUSED, false, false },	/* in no rule */
		{ KIND_A, 0xffff, false, false },
		{ KIND_A, MSG_ADD, true, false },	/* the handler says no */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = ERR_INIT;
		struct ipc_out o;
		int other;

		make_peer(&other, cases[i].kind, 0);
		free_on_close = cases[i].free_in_close;
		ipc_begin(&o, cases[i].type);
		if (cases[i].bad_field)
			ipc_put_u64(&o, F_NUMBER, 1);
		else
			ipc_put_u32(&o, F_NUMBER, 1);
		assert_int_equal(ipc_send(other, &o, &e), 0);
		send_number(other, MSG_ADD, 5);		/* too late */
		turn(3);
		assert_int_equal(closes, 1);
		assert_int_equal(sum, 0);
		close(other);
	}
	free_on_close = false;
}

static void
test_malformed(void **state)
{
	int other;

	(void)state;
	make_peer(&other, KIND_A, 0);
	assert_int_equal(write(other, "x", 1), 1);
	turn(2);
	assert_int_equal(closes, 1);
	close(other);
}

static void
test_freeing(void **state)
{
	struct peer *p;
	int other;

	(void)state;
	make_peer(&other, KIND_A, 0);
	send_number(other, MSG_FREE, 0);
	send_number(other, MSG_ADD, 1);
	turn(2);
	assert_int_equal(sum, 0);
	assert_int_equal(closes, 0);	/* who frees knows */
	close(other);
	p = make_peer(&other, KIND_A, 0);
	peer_set_data(p, NULL);
	assert_null(peer_data(p));
	peer_free(p);
	peer_free(NULL);
	close(other);
	turn(1);
	assert_int_equal(closes, 0);
}

static int
open_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
test_descriptor_left(void **state)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	int other, before;

	(void)state;
	make_peer(&other, KIND_A, 0);
	before = open_count();
	ipc_begin(&o, MSG_FD);
	ipc_put_fd(&o, 0);
	assert_int_equal(ipc_send(other, &o, &e), 0);
	turn(1);
	assert_int_equal(sum, 1);
	assert_int_equal(open_count(), before);
	close(other);
	turn(2);
}

/* More than the socket takes at once: it waits in order, with its descriptors. */
static void
test_queue(void **state)
{
	struct err e = ERR_INIT;
	struct ipc_msg m;
	uint32_t got = 0;
	int other, before;

	(void)state;
	make_peer(&other, KIND_A, 64 << 20);
	fd_nonblock(other, true);
	assert_int_equal(ipc_msg_init(&m, &e), 0);
	before = open_count();
	send_number(other, MSG_FLOOD, 2000);
	for (int idle = 0; got < 2000 && idle < 1000;) {
		int rc;

		turn(1);
		rc = ipc_recv(other, &m, &e);
		if (rc != 1) {
			assert_int_equal(e.code, ERR_INUSE);
			idle++;
			continue;
		}
		assert_int_equal(ipc_u32(&m, F_NUMBER), got);
		if (got % 10 == 0) {
			int fd = ipc_fd(&m);

			assert_true(fd >= 0);
			close(fd);
		}
		assert_true(ipc_end(&m));
		got++;
	}
	assert_int_equal(got, 2000);
	turn(1);
	assert_int_equal(closes, 0);
	assert_int_equal(open_count(), before);
	ipc_msg_clear(&m);
	close(other);
	turn(2);
	assert_int_equal(closes, 1);
}

/* Who never reads is closed at the queue's limit, and its queue goes with it; so is who leaves with a queue waiting. */
static void
test_queue_limit(void **state)
{
	int other, before = open_count();

	(void)state;
	make_peer(&other, KIND_A, 1 << 20);
	send_number(other, MSG_FLOOD, 200000);
	turn(3);
	assert_int_equal(closes, 1);
	close(other);
	make_peer(&other, KIND_A, 64 << 20);
	send_number(other, MSG_FLOOD, 2000);
	turn(1);
	assert_int_equal(closes, 0);
	close(other);
	turn(5);
	assert_int_equal(closes, 1);
	assert_int_equal(open_count(), before);
}

/* A frame too large to be sent breaks the peer from the loop, never from inside peer_send. */
static void
test_send_too_large(void **state)
{
	struct peer *p;
	struct ipc_out o;
	char big[IPC_FRAME_MAX] = { 0 };
	int other;

	(void)state;
	p = make_peer(&other, KIND_A, 0);
	ipc_begin(&o, MSG_ECHO);
	ipc_put_bytes(&o, F_TEXT, span_of(big, sizeof(big)));
	peer_send(p, &o);
	assert_int_equal(closes, 0);
	ipc_begin(&o, MSG_ECHO);
	peer_send(p, &o);		/* dropped */
	turn(2);
	assert_int_equal(closes, 1);
	close(other);
	/* and to one that has gone */
	p = make_peer(&other, KIND_A, 0);
	close(other);
	ipc_begin(&o, MSG_ECHO);
	peer_send(p, &o);
	assert_int_equal(closes, 0);
	turn(2);
	assert_int_equal(closes, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dispatch),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_freeing),
		cmocka_unit_test(test_descriptor_left),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_send_too_large),
	};
	struct log_target quiet = { .info_fd = -1, .debug_fd = -1 };
	int rc;

	quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_init(&quiet);
	loop = ev_loop_new(EVFLAG_AUTO);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return rc;
}
