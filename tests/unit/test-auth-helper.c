/* SPDX-License-Identifier: MIT */
/* PAM through the helper process, with services of our own in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth-rig.h"

static char confdir[64];
static pid_t helper_pid;

static const struct {
	const char *name, *content;
} services[] = {
	{ "permit", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n" },
	{ "deny", "auth required pam_deny.so\naccount required pam_deny.so\n" },
	{ "noaccount", "auth required pam_permit.so\naccount required pam_deny.so\n" },
	{ "imap", "auth required pam_permit.so\naccount required pam_permit.so\n" },
	{ "talks", "auth required pam_echo.so go away\nauth required pam_deny.so\naccount required pam_deny.so\n" },
	{ "sleeper", "auth required pam_exec.so quiet /bin/sleep 4\naccount required pam_permit.so\n" },
};

static int
setup(void **state)
{
	static struct rig g;
	struct err e = ERR_INIT;
	int fd = -1;

	rig_init(&g);
	snprintf(confdir, sizeof(confdir), "%s/pam", g.dir);
	assert_int_equal(mkdir(confdir, 0700), 0);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		char path[128];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", confdir, services[i].name);
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(services[i].content, f);
		fclose(f);
	}
	helper_pid = helper_fork(2, 1, confdir, NULL, &fd, &e);
	assert_true(helper_pid > 0);
	g.helper = helper_new(g.loop, &fd, 100, 15000, NULL);
	assert_non_null(g.helper);
	rig_userdb(&g, "static", "uid=1000 gid=1000 home=/h/%u");
	*state = &g;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *g = *state;
	int status;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", confdir, services[i].name);
		unlink(path);
	}
	rmdir(confdir);
	rig_done(g);
	/* The helper ends when our end closes. */
	assert_int_equal(waitpid(helper_pid, &status, 0), helper_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static void
test_pam(void **state)
{
	static const struct {
		const char *args;
		enum auth_fail want;
	} cases[] = {
		{ "permit", AUTH_FAIL_NONE },
		{ "session=yes setcred=yes max_requests=5 permit", AUTH_FAIL_NONE },
		{ "deny", AUTH_FAIL_CREDENTIALS },
		{ "noaccount", AUTH_FAIL_CREDENTIALS },
		{ "%s", AUTH_FAIL_NONE },
		{ "*", AUTH_FAIL_NONE },
		{ "../permit", AUTH_FAIL_TEMP },
		{ "sleeper", AUTH_FAIL_TEMP },		/* killed after its second */
	};
	struct rig *g = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o;
		enum auth_fail got;

		g->conf.passdb_count = 0;
		rig_passdb(g, "pam", cases[i].args);
		rig_start(g);
		got = rig_login(g, &o, "bob", "secret");
		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].args, got);
		auth_free(g->auth);
		g->auth = NULL;
	}
}

static void
test_message(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "pam", "failure_show_msg=yes talks");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_CREDENTIALS);
	assert_string_equal(o.text, "go away");
	auth_free(g->auth);
	g->conf.passdb_count = 0;
	rig_passdb(g, "pam", "talks");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_CREDENTIALS);
	assert_string_equal(o.text, "");
}

/* More at once than children; one whose owner goes meanwhile. */
static void
test_many(void **state)
{
	struct rig *g = *state;
	struct outcome o[12];

	rig_passdb(g, "pam", "permit");
	rig_start(g);
	for (int i = 0; i < 12; i++) {
		rig_request(g, &o[i], &rig_params);
		request_start_sasl(o[i].r, SPAN("PLAIN"), true, SPAN("\0bob\0secret"));
		assert_false(o[i].ended);
	}
	request_abort(o[0].r);
	for (int i = 1; i < 12; i++) {
		rig_wait(g, &o[i]);
		assert_int_equal(o[i].fail, AUTH_FAIL_NONE);
	}
	while (g->auth->request_count > 0)
		ev_run(g->loop, EVRUN_ONCE);
}

static void
test_cache_key(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	g->conf.cache_size = 1 << 20;
	rig_passdb(g, "pam", "cache_key=%u%s permit");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "bob", "secret"), AUTH_FAIL_NONE);
	rig_request(g, &o, &rig_params);
	request_start_sasl(o.r, SPAN("PLAIN"), true, SPAN("\0bob\0secret"));
	assert_true(o.ended);		/* from the cache: PAM was not asked */
	assert_int_equal(rig_login(g, &o, "bob", "other"), AUTH_FAIL_NONE);	/* pam_permit takes any */
}

static void
test_lookups(void **state)
{
	struct rig *g = *state;
	struct outcome o;

	rig_passdb(g, "shadow", "");
	rig_start(g);
	assert_int_equal(rig_login(g, &o, "no-such-user-here", "x"), AUTH_FAIL_CREDENTIALS);
	assert_int_equal(rig_lookup(g, &o, "no-such-user-here"), AUTH_FAIL_NO_USER);
	assert_int_equal(rig_lookup(g, &o, "root"), AUTH_FAIL_NONE);
	rig_outcome_clear(&o);
	auth_free(g->auth);
	g->conf.userdb_count = 0;
	rig_userdb(g, "passwd", "");
	rig_start(g);
	assert_int_equal(rig_lookup(g, &o, "root"), AUTH_FAIL_NONE);
	assert_int_equal(o.uid, 0);	/* whether it may have mail is the worker's check */
	rig_outcome_clear(&o);
	assert_int_equal(rig_lookup(g, &o, "no-such-user-here"), AUTH_FAIL_NO_USER);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { CASE(test_pam), CASE(test_message), CASE(test_many), CASE(test_cache_key), CASE(test_lookups) };

	return cmocka_run_group_tests_name("auth helper", tests, NULL, NULL);
}
