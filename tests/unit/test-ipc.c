/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include "lib/ipc.h"
#include "lib/sys.h"

enum { T_NAME = 1, T_COUNT, T_SIZE, T_EXTRA, T_LAST = IPC_FIELDS - 1 };

struct ends {
	int fd[2];
	struct ipc_msg m;
	struct err e;
};

static int
setup(void **state)
{
	struct ends *t = calloc(1, sizeof(*t));

	*state = t;
	return ipc_pair(t->fd, &t->e) == 0 && ipc_msg_init(&t->m, &t->e) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	struct ends *t = *state;

	ipc_msg_clear(&t->m);
	close(t->fd[0]);
	close(t->fd[1]);
	free(t);
	return 0;
}

static int
open_count(void)
{
	int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
test_round_trip(void **state)
{
	struct ends *t = *state;
	struct ipc_out o;

	ipc_begin(&o, 7);
	ipc_put_str(&o, T_NAME, "bob");
	ipc_put_u32(&o, T_COUNT, UINT32_MAX);
	ipc_put_u64(&o, T_SIZE, UINT64_MAX - 1);
	ipc_put_str(&o, T_EXTRA, NULL);
	ipc_put_bytes(&o, T_LAST, SPAN(""));
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
	assert_int_equal(t->m.type, 7);
	assert_false(ipc_end(&t->m));			/* nothing was looked at yet */
	assert_span(ipc_bytes(&t->m, T_NAME, 3), "bob");
	assert_true(ipc_u32(&t->m, T_COUNT) == UINT32_MAX);
	assert_true(ipc_u64(&t->m, T_SIZE) == UINT64_MAX - 1);
	assert_false(ipc_has(&t->m, T_EXTRA));
	assert_int_equal(ipc_opt_u32(&t->m, T_EXTRA, 5), 5);
	assert_null(ipc_opt_bytes(&t->m, T_EXTRA, 5).p);
	assert_false(ipc_end(&t->m));			/* T_LAST is left over */
	assert_true(ipc_has(&t->m, T_LAST));
	assert_non_null(ipc_opt_bytes(&t->m, T_LAST, 0).p);
	assert_true(ipc_end(&t->m));
	ipc_msg_reset(&t->m);
	assert_int_equal(t->m.type, 0);
	shutdown(t->fd[0], SHUT_RDWR);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 0);
}

static void
send_fields(struct ends *t)
{
	struct ipc_out o;

	ipc_begin(&o, 1);
	ipc_put_str(&o, T_NAME, "bob");
	ipc_put_u32(&o, T_COUNT, 5);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
}

/* What a handler asks for and does not find as it should be makes the message bad, for ipc_end to tell. */
static void
test_wrong_fields(void **state)
{
	struct ends *t = *state;

	send_fields(t);
	assert_span(ipc_bytes(&t->m, T_NAME, 2), "");	/* longer than its maximum */
	ipc_u32(&t->m, T_COUNT);
	assert_false(ipc_end(&t->m));
	send_fields(t);
	ipc_bytes(&t->m, T_NAME, 9);
	assert_true(ipc_u64(&t->m, T_COUNT) == 0);	/* another size */
	assert_false(ipc_end(&t->m));
	send_fields(t);
	assert_int_equal(ipc_u32(&t->m, T_NAME), 0);
	ipc_u32(&t->m, T_COUNT);
	assert_false(ipc_end(&t->m));
	send_fields(t);
	ipc_bytes(&t->m, T_NAME, 9);
	ipc_u32(&t->m, T_COUNT);
	assert_null(ipc_bytes(&t->m, T_SIZE, 9).p);	/* missing */
	assert_false(ipc_end(&t->m));
	send_fields(t);
	ipc_bytes(&t->m, T_NAME, 9);
	ipc_u32(&t->m, T_COUNT);
	assert_int_equal(ipc_fd(&t->m), -1);		/* a descriptor that is not there */
	assert_false(ipc_end(&t->m));
	send_fields(t);
	ipc_bytes(&t->m, T_NAME, 9);
	assert_int_equal(ipc_opt_u32(&t->m, T_COUNT, 9), 5);
	assert_true(ipc_end(&t->m));
}

/* Octets that are no frame of ours, as a subverted process could send them. */
static void
test_hostile_frames(void **state)
{
	static const struct {
		struct span octets;
		bool ok;
	} cases[] = {
		{ SPAN("\0"), false },
		{ SPAN("\0\1"), true },
		{ SPAN("\0\1\0"), false },
		{ SPAN("\0\1\0\1\0\0\0"), false },			/* cut in the head of a field */
		{ SPAN("\0\1\0\1\0\0\0\0"), true },
		{ SPAN("\0\1\0\1\0\0\0\1"), false },			/* cut in the field */
		{ SPAN("\0\1\0\1\0\0\0\1xy"), false },
		{ SPAN("\0\1\0\1\xff\xff\xff\xffx"), false },
		{ SPAN("\0\1\0\0\0\0\0\1x"), false },			/* tag 0 */
		{ SPAN("\0\1\0\x40\0\0\0\1x"), false },			/* tag IPC_FIELDS */
		{ SPAN("\0\1\xff\xff\0\0\0\1x"), false },
		{ SPAN("\0\1\0\1\0\0\0\1x\0\1\0\0\0\1y"), false },	/* twice */
		{ SPAN("\0\1\0\1\0\0\0\1x\0\2\0\0\0\1y"), true },
		{ SPAN("\0\1\0\1\0\0\0\0\0\1\0\0\0\0"), false },	/* twice, though empty */
	};
	struct ends *t = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc;

		assert_int_equal(send(t->fd[0], cases[i].octets.p, cases[i].octets.n, 0), cases[i].octets.n);
		t->e.code = ERR_NONE;
		rc = ipc_recv(t->fd[1], &t->m, &t->e);
		assert_int_equal(rc, cases[i].ok ? 1 : -1);
		assert_int_equal(t->e.code, cases[i].ok ? ERR_NONE : ERR_SYNTAX);
	}
}

static void
test_sizes(void **state)
{
	struct ends *t = *state;
	char *big = calloc(1, IPC_FRAME_MAX + 1);
	struct ipc_out o;
	size_t most = IPC_FRAME_MAX - 2 - 6;

	ipc_begin(&o, 1);
	ipc_put_bytes(&o, T_NAME, span_of(big, most));
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
	assert_int_equal(ipc_bytes(&t->m, T_NAME, most).n, most);
	assert_true(ipc_end(&t->m));

	ipc_begin(&o, 1);
	ipc_put_bytes(&o, T_NAME, span_of(big, most + 1));
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	assert_int_equal(t->e.code, ERR_LIMIT);
	ipc_begin(&o, 1);
	ipc_put_bytes(&o, T_NAME, span_of(big, SIZE_MAX));
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	ipc_begin(&o, 1);
	ipc_put_u32(&o, 0, 1);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	ipc_begin(&o, 1);
	ipc_put_u32(&o, IPC_FIELDS, 1);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	ipc_begin(&o, 1);
	for (int i = 0; i <= IPC_FDS; i++)
		ipc_put_fd(&o, 0);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	assert_int_equal(t->e.code, ERR_LIMIT);

	/* one octet more than any frame has, from a peer that does not use ipc_send */
	assert_int_equal(send(t->fd[0], big, IPC_FRAME_MAX + 1, 0), IPC_FRAME_MAX + 1);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), -1);
	assert_int_equal(t->e.code, ERR_SYNTAX);
	free(big);
}

static void
test_descriptors(void **state)
{
	struct ends *t = *state;
	int before = open_count(), files[IPC_FDS], got;
	struct stat want, have;
	struct ipc_out o;

	for (int i = 0; i < IPC_FDS; i++)
		files[i] = memfd_sealed("x", SPAN("content"), &t->e);
	for (int round = 0; round < 3; round++) {
		ipc_begin(&o, 1);
		for (int i = 0; i < IPC_FDS; i++)
			ipc_put_fd(&o, files[i]);
		assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
		assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
		got = ipc_fd(&t->m);
		assert_int_equal(fstat(files[0], &want), 0);
		assert_int_equal(fstat(got, &have), 0);
		assert_true(want.st_ino == have.st_ino);
		assert_true((fcntl(got, F_GETFD) & FD_CLOEXEC) != 0);
		close(got);
		assert_false(ipc_end(&t->m));		/* three were not taken: the next receive closes them */
	}
	ipc_msg_reset(&t->m);
	assert_int_equal(open_count(), before + IPC_FDS);

	/* with a malformed frame: closed as well */
	ipc_begin(&o, 1);
	buf_addc(&o.b, 'x');
	ipc_put_fd(&o, files[0]);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), -1);
	ipc_msg_reset(&t->m);
	for (int i = 0; i < IPC_FDS; i++)
		close(files[i]);
	assert_int_equal(open_count(), before);
}

/* More descriptors than a frame may have: the frame is refused, and none stays open. */
static void
test_descriptor_flood(void **state)
{
	struct ends *t = *state;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * 50)];
	} control = { 0 };
	struct iovec iov = { (char[]){ 0, 1 }, 2 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			     .msg_controllen = sizeof(control.room) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int before = open_count(), zeros[50] = { 0 };

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(zeros));
	for (int i = 0; i < 50; i++)
		zeros[i] = t->fd[0];
	memcpy(CMSG_DATA(cm), zeros, sizeof(zeros));
	assert_int_equal(sendmsg(t->fd[0], &mh, 0), 2);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), -1);
	assert_int_equal(t->e.code, ERR_SYNTAX);
	ipc_msg_reset(&t->m);
	assert_int_equal(open_count(), before);
}

static void
test_full_and_gone(void **state)
{
	struct ends *t = *state;
	struct ipc_out o;
	int rc, sent = 0;

	fd_nonblock(t->fd[0], true);
	fd_nonblock(t->fd[1], true);
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), -1);
	assert_int_equal(t->e.code, ERR_INUSE);
	for (;;) {
		ipc_begin(&o, 3);
		ipc_put_u32(&o, T_COUNT, (uint32_t)sent);
		rc = ipc_send(t->fd[0], &o, &t->e);
		if (rc == -1)
			break;
		sent++;
	}
	assert_int_equal(t->e.code, ERR_INUSE);
	assert_true(sent > 1);
	for (int i = 0; i < sent; i++) {
		assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
		assert_int_equal(ipc_u32(&t->m, T_COUNT), i);
	}
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);	/* it was kept */
	assert_int_equal(ipc_recv(t->fd[1], &t->m, &t->e), 1);
	assert_int_equal(ipc_u32(&t->m, T_COUNT), sent);
	ipc_begin(&o, 3);
	shutdown(t->fd[1], SHUT_RDWR);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), -1);
	assert_int_equal(t->e.code, ERR_EOF);
	ipc_begin(&o, 3);
	assert_int_equal(ipc_send(-1, &o, &t->e), -1);
	assert_int_equal(t->e.code, ERR_TEMP);
	assert_int_equal(ipc_recv(-1, &t->m, &t->e), -1);
	assert_int_equal(t->e.code, ERR_TEMP);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* A wait ends in time though signals keep coming. */
static void
test_wait(void **state)
{
	struct ends *t = *state;
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct ipc_out o;
	int64_t start = clock_ms();

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(ipc_recv_wait(t->fd[1], &t->m, 60, &t->e), -1);
	assert_int_equal(t->e.code, ERR_TIMEOUT);
	assert_true(clock_ms() - start >= 60);
	setitimer(ITIMER_REAL, &never, NULL);
	ipc_begin(&o, 9);
	assert_int_equal(ipc_send(t->fd[0], &o, &t->e), 0);
	assert_int_equal(ipc_recv_wait(t->fd[1], &t->m, -1, &t->e), 1);
	assert_int_equal(t->m.type, 9);
}

int
main(void)
{
#define WITH_ENDS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_ENDS(test_round_trip),
		WITH_ENDS(test_wrong_fields),
		WITH_ENDS(test_hostile_frames),
		WITH_ENDS(test_sizes),
		WITH_ENDS(test_descriptors),
		WITH_ENDS(test_descriptor_flood),
		WITH_ENDS(test_full_and_gone),
		WITH_ENDS(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
