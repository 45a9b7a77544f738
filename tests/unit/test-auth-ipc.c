/* SPDX-License-Identifier: MIT */
/* The channels of Culver's own processes: who may send what, and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth-rig.h"
#include "auth/auth-ipc.h"
#include "lib/ipc.h"

static struct auth_peers *peers;
static struct ipc_msg m;

static int
setup(void **state)
{
	static struct rig g;
	struct err e = ERR_INIT;

	rig_init(&g);
	rig_file(&g, "bob:{PLAIN}secret:1000:1001::/home/bob::\n");
	rig_passdb(&g, "passwd-file", "%FILE");
	rig_userdb(&g, "passwd-file", "%FILE");
	rig_start(&g);
	peers = auth_peers_new(g.auth, NULL);
	assert_int_equal(ipc_msg_init(&m, &e), 0);
	*state = &g;
	return 0;
}

static int
teardown(void **state)
{
	auth_peers_free(peers);
	ipc_msg_clear(&m);
	rig_done(*state);
	return 0;
}

/* Our end of a new channel of this kind. */
static int
channel(unsigned kind)
{
	struct err e = ERR_INIT;
	int fds[2];

	assert_int_equal(ipc_pair(fds, &e), 0);
	auth_peers_add(peers, kind, &fds[1]);
	assert_int_equal(fds[1], -1);
	return fds[0];
}

/* Runs the loop until a frame comes: its type, or 0 for a closed channel. */
static unsigned
receive(struct rig *g, int fd)
{
	struct err e = ERR_INIT;

	for (int i = 0; i < 1000; i++) {
		int rc = ipc_recv_wait(fd, &m, 0, &e);

		if (rc != -1)
			return rc == 0 ? 0 : m.type;
		assert_int_equal(e.code, ERR_TIMEOUT);
		ev_run(g->loop, EVRUN_NOWAIT);
	}
	fail_msg("no frame came");
	return 0;
}

static void
send_start(int fd, uint32_t id, const char *mech, struct span data, bool secured)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_AUTH_START);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_str(&o, F_SERVICE, "imap");
	ipc_put_str(&o, F_MECH, mech);
	if (data.p != NULL)
		ipc_put_bytes(&o, F_DATA, data);
	ipc_put_u32(&o, F_SECURED, secured);
	ipc_put_str(&o, F_RIP, "192.0.2.1");
	ipc_put_u32(&o, F_RPORT, 1234);
	ipc_put_str(&o, F_LIP, "192.0.2.2");
	ipc_put_u32(&o, F_LPORT, 143);
	ipc_put_str(&o, F_SESSION, "abc");
	assert_int_equal(ipc_send(fd, &o, &e), 0);
}

static void
send_simple(int fd, unsigned type, uint32_t id, unsigned tag, struct span s, const char *service)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, (uint16_t)type);
	ipc_put_u32(&o, F_ID, id);
	if (s.p != NULL)
		ipc_put_bytes(&o, (uint16_t)tag, s);
	ipc_put_str(&o, F_SERVICE, service);
	assert_int_equal(ipc_send(fd, &o, &e), 0);
}

static void
test_login(void **state)
{
	struct rig *g = *state;
	int login = channel(PEER_LOGIN), imap = channel(PEER_IMAP);
	unsigned char token[AUTH_TOKEN_LEN];

	assert_int_equal(receive(g, login), MSG_AUTH_MECHS);
	assert_true(span_eq(ipc_bytes(&m, F_TEXT, 100), SPAN("PLAIN plaintext\nLOGIN plaintext\n")));
	send_start(login, 7, "PLAIN", SPAN("\0bob\0secret"), true);
	assert_int_equal(receive(g, login), MSG_AUTH_OK);
	assert_int_equal(ipc_u32(&m, F_ID), 7);
	assert_true(span_eq(ipc_bytes(&m, F_USER, 100), SPAN("bob")));
	memcpy(token, ipc_bytes(&m, F_TOKEN, AUTH_TOKEN_LEN).p, sizeof(token));
	assert_true(ipc_end(&m));
	send_simple(imap, MSG_REDEEM, 1, F_TOKEN, span_of(token, sizeof(token)), "imap");
	assert_int_equal(receive(g, imap), MSG_IDENTITY);
	assert_int_equal(ipc_u32(&m, F_UID), 1000);
	send_simple(imap, MSG_REDEEM, 2, F_TOKEN, span_of(token, sizeof(token)), "imap");
	assert_int_equal(receive(g, imap), MSG_AUTH_FAIL);
	assert_int_equal(ipc_u32(&m, F_CODE), AUTH_FAIL_TEMP);
	/* A mechanism with steps; a wrong password; given up. */
	send_start(login, 8, "LOGIN", SPAN_NONE, true);
	assert_int_equal(receive(g, login), MSG_AUTH_CHALLENGE);
	send_simple(login, MSG_AUTH_CONT, 8, F_DATA, SPAN("bob"), NULL);
	assert_int_equal(receive(g, login), MSG_AUTH_CHALLENGE);
	send_simple(login, MSG_AUTH_CONT, 8, F_DATA, SPAN("wrong"), NULL);
	assert_int_equal(receive(g, login), MSG_AUTH_FAIL);
	assert_int_equal(ipc_u32(&m, F_CODE), AUTH_FAIL_CREDENTIALS);
	send_start(login, 9, "LOGIN", SPAN_NONE, true);
	assert_int_equal(receive(g, login), MSG_AUTH_CHALLENGE);
	assert_int_equal(auth_peers_requests(peers), 1);
	send_simple(login, MSG_AUTH_ABORT, 9, 0, SPAN_NONE, NULL);
	send_simple(login, MSG_AUTH_CONT, 9, F_DATA, SPAN("bob"), NULL);	/* too late: passed over */
	send_start(login, 10, "PLAIN", SPAN("\0bob\0x"), true);
	ev_run(g->loop, EVRUN_NOWAIT);
	assert_int_equal(receive(g, login), MSG_AUTH_FAIL);
	assert_int_equal(auth_peers_requests(peers), 0);
	close(login);
	close(imap);
}

static void
test_lookup_and_tools(void **state)
{
	struct rig *g = *state;
	int lmtp = channel(PEER_LMTP), deliver = channel(PEER_DELIVER), adm = channel(PEER_ADM);
	unsigned char token[AUTH_TOKEN_LEN];

	send_simple(lmtp, MSG_LOOKUP, 1, F_USER, SPAN("bob"), "lmtp");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_OK);
	memcpy(token, ipc_bytes(&m, F_TOKEN, AUTH_TOKEN_LEN).p, sizeof(token));
	send_simple(deliver, MSG_REDEEM, 1, F_TOKEN, span_of(token, sizeof(token)), "lmtp");
	assert_int_equal(receive(g, deliver), MSG_IDENTITY);
	send_simple(lmtp, MSG_LOOKUP, 2, F_USER, SPAN("joe"), "lmtp");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_FAIL);
	assert_int_equal(ipc_u32(&m, F_CODE), AUTH_FAIL_NO_USER);
	send_simple(adm, MSG_LOOKUP, 3, F_USER, SPAN("bob"), "doveadm");
	assert_int_equal(receive(g, adm), MSG_IDENTITY);
	send_simple(adm, MSG_AUTH_USERS, 4, 0, SPAN_NONE, NULL);
	assert_int_equal(receive(g, adm), MSG_AUTH_USER);
	assert_true(span_eq(ipc_bytes(&m, F_USER, 100), SPAN("bob")));
	assert_int_equal(receive(g, adm), MSG_DONE);
	assert_int_equal(ipc_u32(&m, F_COUNT), 1);
	send_simple(adm, MSG_AUTH_FLUSH, 5, 0, SPAN_NONE, NULL);
	assert_int_equal(receive(g, adm), MSG_DONE);
	close(lmtp);
	close(deliver);
	close(adm);
}

static void
ask_proxy(int fd, uint32_t id, const char *user)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_LOOKUP);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_str(&o, F_SERVICE, "lmtp");
	ipc_put_str(&o, F_USER, user);
	ipc_put_u32(&o, F_PROXY, 1);
	assert_int_equal(ipc_send(fd, &o, &e), 0);
}

/* A user of another server; one of this; none; and who may ask. */
static void
test_proxy(void **state)
{
	struct rig *g = *state;
	int lmtp = channel(PEER_LMTP), imap = channel(PEER_IMAP);
	struct span fields;

	rig_file(g, "bob:{PLAIN}secret:1000:1001::/home/bob::\namy:{PLAIN}x::::::proxy=y host=192.0.2.1 port=24\n"
		    "eve:{PLAIN}x:1000:1001::/home/eve::proxy=n host=192.0.2.1\n");
	ask_proxy(lmtp, 1, "amy");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_PROXY);
	assert_int_equal(ipc_u32(&m, F_ID), 1);
	assert_true(span_eq(ipc_bytes(&m, F_USER, 100), SPAN("amy")));
	fields = ipc_bytes(&m, F_FIELDS, IPC_FRAME_MAX);
	assert_true(span_find(fields, SPAN("host=192.0.2.1\0")) != SIZE_MAX && span_find(fields, SPAN("port=24\0")) != SIZE_MAX);
	assert_true(span_find(fields, SPAN("PLAIN")) == SIZE_MAX);
	ask_proxy(lmtp, 2, "bob");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_OK);
	assert_int_equal(ipc_u32(&m, F_ID), 2);
	ask_proxy(lmtp, 3, "eve");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_OK);
	ask_proxy(lmtp, 4, "joe");
	assert_int_equal(receive(g, lmtp), MSG_AUTH_FAIL);
	assert_int_equal(ipc_u32(&m, F_CODE), AUTH_FAIL_NO_USER);
	ask_proxy(imap, 5, "amy");
	assert_int_equal(receive(g, imap), 0);
	close(lmtp);
	close(imap);
}

/* What a peer may not send ends it, and only it. */
static void
test_forbidden(void **state)
{
	static const struct {
		unsigned kind, type;
	} cases[] = {
		{ PEER_LOGIN, MSG_LOOKUP }, { PEER_LOGIN, MSG_REDEEM }, { PEER_LOGIN, MSG_AUTH_USERS },
		{ PEER_IMAP, MSG_AUTH_START }, { PEER_IMAP, MSG_LOOKUP }, { PEER_LMTP, MSG_REDEEM },
		{ PEER_WORKER, MSG_REDEEM }, { PEER_LMTP, MSG_AUTH_FLUSH }, { PEER_ADM, MSG_REDEEM }, { PEER_ADM, MSG_PAM },
		{ PEER_IMAP, MSG_REDEEM },	/* its own, but malformed */
	};
	struct rig *g = *state;
	int other = channel(PEER_ADM);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = channel(cases[i].kind);

		if (cases[i].kind == PEER_LOGIN)
			assert_int_equal(receive(g, fd), MSG_AUTH_MECHS);
		send_simple(fd, cases[i].type, 1, F_TEXT, SPAN("x"), "imap");
		assert_int_equal(receive(g, fd), 0);
		close(fd);
	}
	send_simple(other, MSG_AUTH_FLUSH, 5, 0, SPAN_NONE, NULL);
	assert_int_equal(receive(g, other), MSG_DONE);
	close(other);
}

/* A login process that dies takes its requests along. */
static void
test_death(void **state)
{
	struct rig *g = *state;
	int login = channel(PEER_LOGIN);

	assert_int_equal(receive(g, login), MSG_AUTH_MECHS);
	for (uint32_t i = 0; i < 5; i++) {
		send_start(login, i, "LOGIN", SPAN_NONE, true);
		assert_int_equal(receive(g, login), MSG_AUTH_CHALLENGE);
	}
	assert_int_equal(g->auth->request_count, 5);
	close(login);
	for (int i = 0; i < 100 && g->auth->request_count > 0; i++)
		ev_run(g->loop, EVRUN_NOWAIT);
	assert_int_equal(g->auth->request_count, 0);
	assert_int_equal(auth_peers_requests(peers), 0);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_login), CASE(test_lookup_and_tools), CASE(test_proxy), CASE(test_forbidden), CASE(test_death),
	};

	return cmocka_run_group_tests_name("auth ipc", tests, NULL, NULL);
}
