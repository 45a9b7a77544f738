/* SPDX-License-Identifier: MIT */
/* The engines before login, with a stand-in for auth that knows alice, whose password is "secret words". */
#include "testing.h"
#include "transcript.h"
#include "login/login.h"

struct rig {
	const struct login_protocol *protocol;
	struct login_conf conf;
	struct login_mechs mechs;
	struct login login;
	struct buf out;
	bool tls, local;
	unsigned rounds;	/* of mechanism LOGIN */
};

static void
start(void *ctx)
{
	struct rig *r = ctx;

	r->conf = (struct login_conf){ .greeting = SPAN("Culver ready."), .id_send = SPAN("name *"), .disable_plaintext = true,
				       .tls_available = true, .line_max = 1024, .bad_max = 5, .fail_max = 3 };
	r->tls = r->local = false;
	login_mechs_parse(&r->mechs, SPAN("PLAIN plaintext\nLOGIN plaintext\nX-DOWN\nX-FINAL\nX-LIMIT\n"));
	buf_init(&r->out, 1 << 20);
}

static void
option(void *ctx, struct span name, struct span value)
{
	struct rig *r = ctx;
	bool yes = span_eq(value, SPAN("yes"));

	if (span_eq(name, SPAN("tls")))
		r->tls = yes;
	else if (span_eq(name, SPAN("local")))
		r->local = yes;
	else if (span_eq(name, SPAN("tls_available")))
		r->conf.tls_available = yes;
	else if (span_eq(name, SPAN("disable_plaintext")))
		r->conf.disable_plaintext = yes;
	else if (span_eq(name, SPAN("id_send")))
		r->conf.id_send = value;
	else if (span_eq(name, SPAN("mechs")))
		login_mechs_default(&r->mechs, value);
	else
		fail_msg("unknown option %.*s", SPAN_ARG(name));
}

static void
answer(struct rig *r)
{
	struct login *l = &r->login;
	struct span data = buf_span(&l->data);

	if (strcmp(l->mech, "X-DOWN") == 0)
		login_fail(l, AUTH_FAIL_TEMP, SPAN_NONE, &r->out);
	else if (strcmp(l->mech, "X-LIMIT") == 0)
		login_fail(l, AUTH_FAIL_LIMIT, SPAN("Too many of you."), &r->out);
	else if (strcmp(l->mech, "X-FINAL") == 0)
		login_final(l, SPAN("v=proof"), &r->out);
	else if (strcmp(l->mech, "LOGIN") == 0 && r->rounds < 2)
		login_challenge(l, r->rounds++ == 0 ? SPAN("User Name") : SPAN("Password"), &r->out);
	else if (strcmp(l->mech, "PLAIN") == 0 && !l->has_data)
		login_challenge(l, SPAN(""), &r->out);
	else if (span_eq(data, SPAN("\0alice\0secret words")) || span_eq(data, SPAN("secret words")))
		buf_addf(&r->out, "<%.*s %.*s is logged in>\r\n", SPAN_ARG(buf_span(&l->tag)), SPAN_ARG(buf_span(&l->user)));
	else
		login_fail(l, AUTH_FAIL_CREDENTIALS, SPAN_NONE, &r->out);
	if (l->state != LOGIN_WAIT) {
		buf_wipe(&l->data);
		l->has_data = false;
	}
}

static void
act(struct rig *r)
{
	struct login *l = &r->login;
	enum login_action action = l->action;

	l->action = LOGIN_NOTHING;
	switch (action) {
	case LOGIN_NOTHING:
		break;
	case LOGIN_AUTH_START:
		r->rounds = 0;
		answer(r);
		break;
	case LOGIN_AUTH_CONT:
		answer(r);
		break;
	case LOGIN_AUTH_ABORT:
		login_fail(l, AUTH_FAIL_PROTOCOL, SPAN("Authentication aborted."), &r->out);
		break;
	case LOGIN_AUTH_DONE:
		buf_adds(&r->out, "<logged in after the last word>\r\n");
		break;
	}
}

static void
play(void *ctx, struct stream *s)
{
	struct rig *r = ctx;
	struct err e = ERR_INIT;

	login_init(&r->login, r->protocol, &r->conf, &r->mechs, r->tls, r->tls || r->local);
	login_greet(&r->login, &r->out);
	for (;;) {
		size_t used = login_step(&r->login, stream_in(s), &r->out);

		stream_drop(s, used);
		if (r->login.action != LOGIN_NOTHING) {
			act(r);
			continue;
		}
		if (r->login.state == LOGIN_TLS) {
			buf_adds(&r->out, "<handshake>\r\n");
			login_tls_started(&r->login);
			continue;
		}
		if (used > 0 && r->login.state != LOGIN_CLOSED)
			continue;
		if (r->login.state == LOGIN_WAIT || r->login.state == LOGIN_CLOSED || stream_fill(s, &e) == -1)
			break;
	}
	if (r->login.state == LOGIN_CLOSED)
		buf_addf(&r->out, "<closed: %s>\r\n", r->login.close_reason == NULL ? "" : r->login.close_reason);
	stream_put(s, buf_span(&r->out));
	login_clear(&r->login);
}

static void
stop(void *ctx)
{
	struct rig *r = ctx;

	buf_clear(&r->out);
}

static void
test_imap(void **state)
{
	struct rig r = { .protocol = &login_imap };
	struct transcript_ops ops = { start, option, play, stop, &r };

	(void)state;
	transcript_dir("login-imap", &ops);
}

static void
test_pop3(void **state)
{
	struct rig r = { .protocol = &login_pop3 };
	struct transcript_ops ops = { start, option, play, stop, &r };

	(void)state;
	transcript_dir("login-pop3", &ops);
}

/* One input to a fresh engine on an open line; what is left in it stays. */
static size_t
step_once(struct rig *r, struct span in)
{
	start(r);
	r->conf.disable_plaintext = false;
	login_init(&r->login, r->protocol, &r->conf, &r->mechs, false, false);
	return login_step(&r->login, in, &r->out);
}

static void
test_starttls_ends_the_step(void **state)
{
	struct rig r = { .protocol = &login_imap };
	struct span in = SPAN("a STARTTLS\r\nb LOGIN mallory x\r\n");

	(void)state;
	/* What follows is not taken: the shell throws it away. */
	assert_int_equal(step_once(&r, in), 12);
	assert_int_equal(r.login.state, LOGIN_TLS);
	login_clear(&r.login);
	stop(&r);
	r.protocol = &login_pop3;
	assert_int_equal(step_once(&r, SPAN("USER mallory\r\nSTLS\r\nPASS x\r\n")), 20);
	assert_int_equal(r.login.state, LOGIN_TLS);
	/* A name that came in the clear does not count after it. */
	assert_true(r.login.has_user);
	login_tls_started(&r.login);
	assert_false(r.login.has_user);
	assert_int_equal(r.login.user.n, 0);
	login_clear(&r.login);
	stop(&r);
}

static void
test_nul_never_cuts(void **state)
{
	static const struct span cases[] = {
		SPAN("a LOGIN alice {13+}\r\nsecret words\0\r\n"), SPAN("a LOGIN {6+}\r\nalice\0 \"secret words\"\r\n"),
		SPAN("a LOGIN alice \"secret words\0\"\r\n"), SPAN("a LOGIN {7+}\r\nalice\0x {12+}\r\nsecret words\r\n"),
	};
	struct rig r = { .protocol = &login_imap };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(step_once(&r, cases[i]), cases[i].n);
		assert_int_equal(r.login.action, LOGIN_NOTHING);
		assert_true(span_starts(buf_span(&r.out), SPAN("a BAD ")));
		login_clear(&r.login);
		stop(&r);
	}
}

static void
test_password_is_gone(void **state)
{
	struct rig r = { .protocol = &login_imap };

	(void)state;
	step_once(&r, SPAN("a LOGIN alice \"secret words\"\r\n"));
	assert_int_equal(r.login.action, LOGIN_AUTH_START);
	assert_true(span_eq(buf_span(&r.login.data), SPAN("\0alice\0secret words")));
	login_fail(&r.login, AUTH_FAIL_CREDENTIALS, SPAN_NONE, &r.out);
	assert_null(r.login.data.p);
	login_clear(&r.login);
	stop(&r);
}

/* Every failure has words, and none of them tells a wrong user from a wrong password. */
static void
test_every_failure_has_words(void **state)
{
	static const struct login_protocol *const protocols[] = { &login_imap, &login_pop3 };

	(void)state;
	for (size_t p = 0; p < COUNT(protocols); p++) {
		struct buf unknown = BUF_INIT(1024);

		for (enum auth_fail why = AUTH_FAIL_CREDENTIALS; why <= AUTH_FAIL_PROTOCOL; why++) {
			struct rig r = { .protocol = protocols[p] };

			start(&r);
			login_init(&r.login, r.protocol, &r.conf, &r.mechs, true, true);
			r.login.state = LOGIN_WAIT;
			buf_adds(&r.login.tag, "t");
			login_fail(&r.login, why, SPAN_NONE, &r.out);
			assert_true(span_ends(buf_span(&r.out), SPAN(".\r\n")));
			if (why == AUTH_FAIL_CREDENTIALS)
				buf_add(&unknown, buf_span(&r.out));
			if (why == AUTH_FAIL_NO_USER)
				assert_true(span_eq(buf_span(&unknown), buf_span(&r.out)));
			login_clear(&r.login);
			stop(&r);
		}
		buf_clear(&unknown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_pop3),
		cmocka_unit_test(test_starttls_ends_the_step),
		cmocka_unit_test(test_nul_never_cuts),
		cmocka_unit_test(test_password_is_gone),
		cmocka_unit_test(test_every_failure_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
