/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth-rig.h"
#include "auth/fail-log.h"
#include "lib/log.h"
#include "lib/sys.h"

#define USERS "bob:{PLAIN}secret:1000:1001::/home/bob::userdb_mail=maildir:~/Mail userdb_quota_rule=\"*:storage=1 G\"\n" \
	"ann@example.org:{SSHA256}fwmuk4TNwFGnTeDXhH/NPuXB3cLAz0AvCZcuBWzzGbfYJUm5:1002:1002::/home/ann::\n" \
	"slow:{SHA512-CRYPT}$6$rounds=1000$saltsalt$acdVPmrSgFCufxEw9.1pQzgZYHLp6vmRWCfRL5YBumZrXb" \
	"NGmbqIHZewhjXD19byMHq3oIaXrHYR0L29Jex95/:1003:1003::/home/slow::\n" \
	"off:{PLAIN}x:1004:1004::/home/off::nologin=y reason=\"closed for \\\"you\\\"\"\n" \
	"near:{PLAIN}x:1005:1005::/home/near::allow_nets=192.0.2.0/24,2001:db8::/32\n" \
	"far:{PLAIN}x:1005:1005::/home/far::allow_nets=198.51.100.0/24\n" \
	"open::1006:1006::/home/open::nopassword=y\n" \
	"empty::1007:1007::/home/empty::\n" \
	"none\n" \
	"broken:{NOSUCH}x:1008:1008::/h::\n" \
	"renamed:{PLAIN}x:1009:1009::/home/%n::user=bob\n" \
	"evil:{PLAIN}x:1009:1009::/h::user=../bob\n"

static int
setup(void **state)
{
	static struct rig g;

	rig_init(&g);
	rig_file(&g, USERS);
	*state = &g;
	return 0;
}

static int
teardown(void **state)
{
	rig_done(*state);
	return 0;
}

static void
test_logins(void **state)
{
	static const struct {
		const char *user, *password;
		enum auth_fail want;
		const char *canonical;
	} cases[] = {
		{ "bob", "secret", AUTH_FAIL_NONE, "bob" },
		{ "BoB", "secret", AUTH_FAIL_NONE, "bob" },
		{ "bob", "Secret", AUTH_FAIL_CREDENTIALS, "bob" },
		{ "bob", "secre", AUTH_FAIL_CREDENTIALS, "bob" },
		{ "bob", "", AUTH_FAIL_CREDENTIALS, "bob" },
		{ "nobody-here", "secret", AUTH_FAIL_CREDENTIALS, "nobody-here" },
		{ "slow", "slowpass", AUTH_FAIL_NONE, "slow" },
		{ "slow", "slowpas", AUTH_FAIL_CREDENTIALS, "slow" },
		{ "off", "x", AUTH_FAIL_DISABLED, "off" },
		{ "near", "x", AUTH_FAIL_NONE, "near" },
		{ "far", "x", AUTH_FAIL_CREDENTIALS, "far" },
		{ "open", "whatever", AUTH_FAIL_NONE, "open" },
		{ "empty", "", AUTH_FAIL_CREDENTIALS, "empty" },
		{ "none", "", AUTH_FAIL_CREDENTIALS, "none" },
		{ "broken", "x", AUTH_FAIL_TEMP, "broken" },
		{ "renamed", "x", AUTH_FAIL_NONE, "bob" },
		{ "evil", "x", AUTH_FAIL_TEMP, "evil" },
		{ "..", "secret", AUTH_FAIL_CREDENTIALS, ".." },
		{ "../bob", "secret", AUTH_FAIL_CREDENTIALS, "../bob" },
		{ "a b", "secret", AUTH_FAIL_CREDENTIALS, "a b" },
	};
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum auth_fail got = rig_login(g, &o, cases[i].user, cases[i].password);

		if (got != cases[i].want || strcmp(o.user, cases[i].canonical) != 0)
			fail_msg("%s/%s: %d %s", cases[i].user, cases[i].password, got, o.user);
	}
	assert_int_equal(g->auth->request_count, 0);
}

static void
test_token_to_identity(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	unsigned char token[AUTH_TOKEN_LEN];

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_NONE);
	memcpy(token, o.token, sizeof(token));
	/* Of another service it is not good, and stays. */
	assert_int_equal(rig_redeem(g, &o, "pop3", token), AUTH_FAIL_TEMP);
	assert_int_equal(rig_redeem(g, &o, "imap", token), AUTH_FAIL_NONE);
	assert_string_equal(o.user, "bob");
	assert_string_equal(o.home, "/home/bob");
	assert_int_equal(o.uid, 1000);
	assert_int_equal(o.gid, 1001);
	assert_true(span_eq(buf_span(&o.fields), SPAN("mail=maildir:~/Mail\0quota_rule=*:storage=1 G\0")));
	rig_outcome_clear(&o);
	assert_int_equal(rig_redeem(g, &o, "imap", token), AUTH_FAIL_TEMP);
	assert_int_equal(tokens_count(g->auth->tokens), 0);
}

static void
test_lookup(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	unsigned char token[AUTH_TOKEN_LEN];

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "static", "uid=5000 gid=5001 home=/var/vmail/%d/%n mail=maildir:/m/%{user}");
	rig_start(g);
	assert_int_equal(rig_lookup(g, &o, "Ann@Example.ORG"), AUTH_FAIL_NONE);
	assert_int_equal(o.event, REQ_IDENTITY);
	assert_string_equal(o.home, "/var/vmail/example.org/ann");
	assert_true(span_eq(buf_span(&o.fields), SPAN("mail=maildir:/m/ann@example.org\0")));
	memcpy(token, o.token, sizeof(token));
	rig_outcome_clear(&o);
	assert_int_equal(rig_redeem(g, &o, "lmtp", token), AUTH_FAIL_NONE);
	assert_string_equal(o.home, "/var/vmail/example.org/ann");
	assert_int_equal(o.uid, 5000);
	rig_outcome_clear(&o);
	/* static asks the passdb whether there is such a user. */
	assert_int_equal(rig_lookup(g, &o, "joe"), AUTH_FAIL_NO_USER);
	assert_int_equal(rig_lookup(g, &o, "../joe"), AUTH_FAIL_NO_USER);
	assert_int_equal(rig_lookup(g, &o, ""), AUTH_FAIL_NO_USER);
	unlink(g->file);
	assert_int_equal(rig_lookup(g, &o, "ann@example.org"), AUTH_FAIL_TEMP);
}

static void
test_allow_all_users(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "static", "nopassword=y");
	rig_userdb(g, "static", "uid=5000 gid=5001 home=/v/%u allow_all_users=yes");
	rig_start(g);
	assert_int_equal(rig_lookup(g, &o, "joe"), AUTH_FAIL_NONE);
	assert_string_equal(o.home, "/v/joe");
	rig_outcome_clear(&o);
}

static void
test_static(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "static", "password={PLAIN}pw-%n userdb_uid=7 userdb_gid=8 userdb_home=/p/%u");
	rig_userdb(g, "prefetch", "");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "joe@d", "pw-joe"), AUTH_FAIL_NONE);
	assert_int_equal(rig_redeem(g, &o, "imap", o.token), AUTH_FAIL_NONE);
	assert_int_equal(o.uid, 7);
	assert_string_equal(o.home, "/p/joe@d");
	rig_outcome_clear(&o);
	assert_int_equal(rig_login(g, &o, "joe@d", "pw-%n"), AUTH_FAIL_CREDENTIALS);
	/* A look-up gets nothing from prefetch. */
	assert_int_equal(rig_lookup(g, &o, "joe@d"), AUTH_FAIL_NO_USER);
}

/* What a client may choose is not expanded a second time. */
static void
test_no_second_expansion(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	conf_username_chars(&g->conf, SPAN_NONE);
	g->conf.username_format = SPAN_NONE;
	rig_passdb(g, "static", "nopassword=y userdb_uid=7 userdb_gid=8 userdb_home=/p/%u");
	rig_userdb(g, "prefetch", "");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "x%{rip}%w", "pw"), AUTH_FAIL_NONE);
	assert_int_equal(rig_redeem(g, &o, "imap", o.token), AUTH_FAIL_NONE);
	assert_string_equal(o.home, "/p/x%{rip}%w");
	rig_outcome_clear(&o);
}

static void
test_master(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	struct db_conf *master;

	g->conf.master_separator = '*';
	conf_username_chars(&g->conf, SPAN("abcdefghijklmnopqrstuvwxyzBO@."));
	master = rig_passdb(g, "static", "password=master-pw");
	master->master = true;
	master->pass = true;
	master->username_filter = SPAN("root*");
	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "bob*rooty", "master-pw"), AUTH_FAIL_NONE);
	assert_string_equal(o.user, "bob");
	assert_int_equal(rig_redeem(g, &o, "imap", o.token), AUTH_FAIL_NONE);
	assert_int_equal(o.uid, 1000);
	rig_outcome_clear(&o);
	assert_int_equal(rig_login(g, &o, "bob*rooty", "secret"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "bob*bob", "secret"), AUTH_FAIL_NONE);	/* oneself */
	assert_int_equal(rig_login(g, &o, "bob*ann", "master-pw"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "gone*rooty", "master-pw"), AUTH_FAIL_CREDENTIALS);	/* pass=yes */
	assert_int_equal(rig_login(g, &o, "rooty", "master-pw"), AUTH_FAIL_CREDENTIALS);
	/* authzid: the same without a separator; only for masters. */
	assert_int_equal(rig_plain(g, &o, SPAN("bob\0rooty\0master-pw"), &rig_params), AUTH_FAIL_NONE);
	assert_string_equal(o.user, "bob");
	assert_int_equal(rig_plain(g, &o, SPAN("open\0bob\0secret"), &rig_params), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_plain(g, &o, SPAN("bob\0bob\0secret"), &rig_params), AUTH_FAIL_NONE);
	assert_int_equal(rig_plain(g, &o, SPAN("BOB\0bob\0secret"), &rig_params), AUTH_FAIL_NONE);
}

static void
test_malformed(void **state)
{
	static const struct {
		struct span in;
		enum auth_fail want;
	} cases[] = {
		{ { "", 0 }, AUTH_FAIL_PROTOCOL },
		{ { "bob", 3 }, AUTH_FAIL_PROTOCOL },
		{ { "\0bob", 4 }, AUTH_FAIL_PROTOCOL },
		{ { "\0\0secret", 8 }, AUTH_FAIL_PROTOCOL },
		{ { "\0bob\0secret\0", 12 }, AUTH_FAIL_PROTOCOL },
		{ { "\0bob\0secret\0more", 16 }, AUTH_FAIL_PROTOCOL },
		{ { "\0bob\0", 5 }, AUTH_FAIL_CREDENTIALS },
		{ { "\0bob\0secret", 11 }, AUTH_FAIL_NONE },
	};
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request *r = rig_request(g, &o, &rig_params);

		request_start_sasl(r, SPAN("PLAIN"), true, cases[i].in);
		/* An empty initial response may be answered by asking again. */
		if (!o.ended && o.event == REQ_CHALLENGE)
			request_continue(o.r, SPAN("nonsense"));
		rig_wait(g, &o);
		if (o.fail != cases[i].want)
			fail_msg("case %zu: %d", i, o.fail);
	}
}

static void
test_login_mechanism(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("login"), false, SPAN_NONE);
	assert_int_equal(o.event, REQ_CHALLENGE);
	assert_string_equal(o.challenge, "Username:");
	request_continue(o.r, SPAN("bob"));
	assert_string_equal(o.challenge, "Password:");
	request_continue(o.r, SPAN("secret"));
	assert_true(o.ended);
	assert_int_equal(o.fail, AUTH_FAIL_NONE);
	/* With an initial response. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("LOGIN"), true, SPAN("bob"));
	assert_string_equal(o.challenge, "Password:");
	/* A NUL must not cut the password short. */
	request_continue(o.r, SPAN("secret\0and more"));
	rig_wait(g, &o);
	assert_int_equal(o.fail, AUTH_FAIL_PROTOCOL);
	/* PLAIN without an initial response: an empty challenge. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("PLAIN"), false, SPAN_NONE);
	assert_int_equal(o.event, REQ_CHALLENGE);
	assert_string_equal(o.challenge, "");
	request_continue(o.r, SPAN("\0bob\0secret"));
	assert_true(o.ended);
	assert_int_equal(o.fail, AUTH_FAIL_NONE);
	/* Given up in the middle. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("LOGIN"), false, SPAN_NONE);
	request_abort(o.r);
	assert_int_equal(g->auth->request_count, 0);
	/* Names that are none. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("LOGIN"), false, SPAN_NONE);
	request_continue(o.r, SPAN(" \t"));
	request_continue(o.r, SPAN("x"));
	assert_int_equal(o.fail, AUTH_FAIL_CREDENTIALS);
	{
		char longest[1001];

		memset(longest, 'a', sizeof(longest));
		rig_request(g, &o, &rig_params);
		request_start_sasl(o.r, SPAN("LOGIN"), true, span_of(longest, sizeof(longest)));
		assert_int_equal(o.fail, AUTH_FAIL_PROTOCOL);
	}
	/* Not offered. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("CRAM-MD5"), false, SPAN_NONE);
	assert_int_equal(o.fail, AUTH_FAIL_MECH);
}

static void
test_plaintext_refused(void **state)
{
	struct rig *g = *state;
	struct request_params p = rig_params;
	struct outcome o;

	g->conf.disable_plaintext = true;
	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	p.refuse_plaintext = true;
	assert_int_equal(rig_plain(g, &o, SPAN("\0bob\0secret"), &p), AUTH_FAIL_NONE);
	p.secured = false;
	assert_int_equal(rig_plain(g, &o, SPAN("\0bob\0secret"), &p), AUTH_FAIL_PLAINTEXT);
	p.rip = p.lip;		/* this host itself */
	assert_int_equal(rig_plain(g, &o, SPAN("\0bob\0secret"), &p), AUTH_FAIL_NONE);
}

static void
test_chain(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	struct db_conf *deny, *first;

	deny = rig_passdb(g, "static", "nopassword=y");
	deny->deny = true;
	deny->username_filter = SPAN("far, off");
	first = rig_passdb(g, "static", "password=first");
	first->override_fields = SPAN("userdb_home=/first");
	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "far", "first"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "bob", "first"), AUTH_FAIL_NONE);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_NONE);
	assert_int_equal(rig_login(g, &o, "bob", "third"), AUTH_FAIL_CREDENTIALS);
	/* A wrong password here is the end. */
	first->on_failure = ACT_RETURN_FAIL;
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_CREDENTIALS);
	first->on_failure = ACT_CONTINUE_OK;
	assert_int_equal(rig_login(g, &o, "bob", "third"), AUTH_FAIL_NONE);
	first->on_failure = ACT_CONTINUE;
	first->skip = SKIP_IF_NOT_OK;
	assert_int_equal(rig_login(g, &o, "bob", "first"), AUTH_FAIL_CREDENTIALS);
	first->skip = SKIP_NEVER;
	first->mechanisms = SPAN("LOGIN");
	assert_int_equal(rig_login(g, &o, "bob", "first"), AUTH_FAIL_CREDENTIALS);
	first->mechanisms = SPAN("LOGIN PLAIN");
	assert_int_equal(rig_login(g, &o, "bob", "first"), AUTH_FAIL_NONE);
}

static void
test_missing_file(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	unlink(g->file);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_TEMP);
	rig_file(g, "bob:{PLAIN}changed:1:1::/h::\n");
	assert_int_equal(rig_login(g, &o, "bob", "changed"), AUTH_FAIL_NONE);
	rig_file(g, "bob:{PLAIN}changes:1:1::/h::\n");		/* of the same size */
	assert_int_equal(rig_login(g, &o, "bob", "changed"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "bob", "changes"), AUTH_FAIL_NONE);
}

static void
test_cache(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	g->conf.cache_size = 1 << 20;
	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "slow", "slowpass"), AUTH_FAIL_NONE);
	assert_true(cache_used(g->auth->cache) > 0);
	/* From the cache: nothing is handed to a thread, so the answer is there at once. */
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("PLAIN"), true, SPAN("\0slow\0slowpass"));
	assert_true(o.ended);
	assert_int_equal(o.fail, AUTH_FAIL_NONE);
	assert_int_equal(rig_login(g, &o, "slow", "other"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "near", "x"), AUTH_FAIL_NONE);
	assert_int_equal(rig_login(g, &o, "renamed", "x"), AUTH_FAIL_NONE);
	assert_int_equal(rig_login(g, &o, "renamed", "x"), AUTH_FAIL_NONE);
	assert_string_equal(o.user, "bob");
	/* What a remembered answer does not decide is decided anew: the address. */
	{
		struct request_params p = rig_params;

		p.rip = SPAN("203.0.113.9");
		assert_int_equal(rig_plain(g, &o, SPAN("\0near\0x"), &p), AUTH_FAIL_CREDENTIALS);
	}
	/* A changed file counts at once. */
	rig_file(g, "slow:{PLAIN}new:1:1::/h::\nnear:{PLAIN}x:1:1::/h::\n");
	assert_int_equal(rig_login(g, &o, "slow", "slowpass"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_login(g, &o, "slow", "new"), AUTH_FAIL_NONE);
	assert_true(auth_flush_cache(g->auth, SPAN("slow")) > 0);
	assert_int_equal(auth_flush_cache(g->auth, SPAN("slow")), 0);
	assert_int_equal(rig_login(g, &o, "slow", "new"), AUTH_FAIL_NONE);
	unlink(g->file);
	assert_int_equal(rig_login(g, &o, "slow", "new"), AUTH_FAIL_TEMP);
}

static void
test_delay(void **state)
{
	struct rig *g = *state;
	struct outcome o[4];
	int64_t start;

	g->conf.failure_delay_ms = 200;
	g->conf.max_requests = 2;
	rig_file(g, "bob:{PLAIN}x:1:1::/h::\nfast:{PLAIN}x:1:1::/h::nodelay=y\n");
	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	start = clock_ms();
	assert_int_equal(rig_login(g, &o[0], "bob", "wrong"), AUTH_FAIL_CREDENTIALS);
	assert_true(clock_ms() - start >= 190);
	/* Delayed refusals take no place, and of too many the oldest ends. */
	for (int i = 0; i < 3; i++) {
		struct request_params p = rig_params;

		p.rip = span_of("", 0);
		assert_non_null(rig_request(g, &o[i], &p));
		request_start_sasl(o[i].r, SPAN("PLAIN"), true, SPAN("\0bob\0wrong"));
		assert_int_equal(o[0].ended, i == 2);
		assert_false(o[i].ended);
		assert_int_equal(g->auth->request_count, 0);
	}
	assert_non_null(rig_request(g, &o[0], &rig_params));
	assert_non_null(rig_request(g, &o[3], &rig_params));
	assert_null(request_new(g->auth, &rig_params));		/* auth_max_requests */
	request_abort(o[0].r);
	request_abort(o[3].r);
	request_abort(o[1].r);		/* while it is delayed */
	rig_wait(g, &o[2]);
	assert_int_equal(g->auth->request_count, 0);
	assert_int_equal(g->auth->delayed_count, 0);
}

static void
test_log_line(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	struct buf line = BUF_INIT(4096);
	struct request *r;

	rig_passdb(g, "static", "password=x");
	rig_userdb(g, "static", "uid=1 gid=1");
	rig_start(g);
	r = rig_request(g, &o, &rig_params);
	r->user = SPAN("bob,1.2.3.4): x");
	buf_adds(&r->password, "hunter2");
	fail_log_line(r, "passwd-file", "Password mismatch", &line);
	assert_true(span_eq(buf_span(&line), SPAN("passwd-file(bob?1.2.3.4?:?x,192.0.2.1,<sess1>): Password mismatch")));
	buf_reset(&line);
	conf_show_passwords(&g->conf, SPAN("sha1:6"));
	fail_log_line(r, NULL, "unknown user", &line);
	assert_true(span_eq(buf_span(&line),
	    SPAN("auth(bob?1.2.3.4?:?x,192.0.2.1,<sess1>): unknown user (SHA1 of given password: f3bbbd)")));
	buf_reset(&line);
	conf_show_passwords(&g->conf, SPAN("plain:3"));
	fail_log_line(r, NULL, "unknown user", &line);
	assert_true(span_ends(buf_span(&line), SPAN(" (given password: hun)")));
	buf_clear(&line);
	request_abort(r);
}

/* Logins with a plain password cost the loop little: the bound is far below what is measured, for slow machines. */
static void
test_rate(void **state)
{
	struct rig *g = *state;
	struct outcome o;
	const char *count_text = getenv("AUTH_RATE_COUNT");
	int count = count_text == NULL ? 2000 : atoi(count_text);
	int64_t start;

	rig_passdb(g, "passwd-file", "%FILE");
	rig_userdb(g, "passwd-file", "%FILE");
	rig_start(g);
	start = clock_us();
	for (int i = 0; i < count; i++) {
		rig_request(g, &o, &rig_params);
		request_start_sasl(o.r, SPAN("PLAIN"), true, SPAN("\0bob\0secret"));
		assert_true(o.ended && o.fail == AUTH_FAIL_NONE);
	}
	print_message("%d logins in %lld us\n", count, (long long)(clock_us() - start));
	assert_true(clock_us() - start < 20000000);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_logins), CASE(test_token_to_identity), CASE(test_lookup), CASE(test_allow_all_users),
		CASE(test_static), CASE(test_no_second_expansion), CASE(test_master), CASE(test_malformed),
		CASE(test_login_mechanism), CASE(test_plaintext_refused), CASE(test_chain), CASE(test_missing_file),
		CASE(test_cache), CASE(test_delay), CASE(test_log_line), CASE(test_rate),
	};

	return cmocka_run_group_tests_name("auth request", tests, NULL, NULL);
}
