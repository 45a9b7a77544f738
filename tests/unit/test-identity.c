/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth/conf.h"
#include "lib/ipc-types.h"
#include "lib-config/config.h"
#include "lib-protocol/identity.h"

static struct settings *settings;

/* Settings as a service gets them, from a configuration of these lines. */
static struct set_view *
view_of(const char *text)
{
	char path[] = "/tmp/test-identity.XXXXXX";
	struct err e = ERR_INIT;
	struct config *c;
	int fd = mkstemp(path);

	assert_true(fd != -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	c = config_read(path, &e);
	unlink(path);
	assert_non_null(c);
	if (config_has_errors(c)) {
		const struct config_note *notes;
		size_t n = config_notes(c, &notes);

		for (size_t i = 0; i < n; i++)
			print_message("%s\n", notes[i].text);
		fail();
	}
	fd = config_image(c, &e);
	config_free(c);
	assert_true(fd != -1);
	assert_int_equal(settings_open(fd, &settings, &e), 0);
	close(fd);
	return set_view_new(settings, NULL);
}

static void
view_done(struct set_view *v)
{
	set_view_free(v);
	settings_close(settings);
}

static void
test_frames(void **state)
{
	static const struct {
		const char *fields;
		size_t n;
		int want;
	} cases[] = {
		{ "mail=maildir:~/M\0quota_rule=*:storage=1G\0", 41, 0 },
		{ "", 0, 0 },
		{ "x=\0", 3, 0 },
		{ "no end", 6, -1 },
		{ "no equals\0", 10, -1 },
		{ "=x\0", 3, -1 },
		{ "\0", 1, -1 },
	};
	struct arena *a = arena_new(65536);
	struct ipc_msg m;
	struct err e = ERR_INIT;
	int fds[2];

	(void)state;
	assert_int_equal(ipc_pair(fds, &e), 0);
	assert_int_equal(ipc_msg_init(&m, &e), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity id = { .user = SPAN("bob"), .home = SPAN("/home/bob"), .uid = 1000, .gid = 1001,
			.groups = { 5, 6 }, .group_count = 2, .fields = span_of(cases[i].fields, cases[i].n) }, got;
		struct ipc_out o;

		ipc_begin(&o, MSG_IDENTITY);
		identity_put(&o, &id);
		assert_int_equal(ipc_send(fds[0], &o, &e), 0);
		assert_int_equal(ipc_recv(fds[1], &m, &e), 1);
		assert_int_equal(identity_get(&m, a, &got, &e), cases[i].want);
		if (cases[i].want == -1)
			continue;
		assert_true(ipc_end(&m));
		assert_true(span_eq(got.user, id.user) && span_eq(got.home, id.home) && span_eq(got.fields, id.fields));
		assert_int_equal(got.uid, 1000);
		assert_int_equal(got.gid, 1001);
		assert_int_equal(got.group_count, 2);
		assert_int_equal(got.groups[1], 6);
	}
	ipc_msg_clear(&m);
	close(fds[0]);
	close(fds[1]);
	arena_free(a);
}

static void
test_check(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		int want;
	} cases[] = {
		{ 0, 0, -1 }, { 0, 1000, -1 }, { 499, 1000, -1 }, { 500, 1000, 0 }, { 600, 1000, 0 }, { 601, 1000, -1 },
		{ 500, 0, -1 }, { 500, 1, 0 }, { (uid_t)-1, 1000, -1 }, { 500, (gid_t)-1, -1 },
	};
	struct set_view *v = view_of("first_valid_uid = 500\nlast_valid_uid = 600\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity id = { .user = SPAN("bob"), .uid = cases[i].uid, .gid = cases[i].gid };
		struct err e = ERR_INIT;

		assert_int_equal(identity_check(&id, v, &e), cases[i].want);
	}
	view_done(v);
	/* Whatever the settings say. */
	v = view_of("first_valid_uid = 0\n");
	{
		struct identity id = { .user = SPAN("root"), .uid = 0, .gid = 1 };
		struct err e = ERR_INIT;

		assert_int_equal(identity_check(&id, v, &e), -1);
	}
	view_done(v);
}

static void
test_apply(void **state)
{
	struct set_view *v = view_of("mail_location = mbox:~/m\n");
	struct identity id = { .user = SPAN("bob"),
		.fields = SPAN("mail=maildir:~/M\0quota_rule=*:storage=1G\0mail_max_userip_connections=3\0unknown_thing=x\0") };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(identity_apply(&id, v, &e), 0);
	assert_true(span_eq(set_str(v, SET_mail_location), SPAN("maildir:~/M")));
	assert_true(span_eq(set_plugin(v, "quota_rule"), SPAN("*:storage=1G")));
	assert_int_equal(set_num(v, SET_mail_max_userip_connections), 3);
	id.fields = SPAN("mail_max_userip_connections=many\0");
	assert_int_equal(identity_apply(&id, v, &e), -1);
	view_done(v);
}

/* Any difference makes another process of it (worker-rest.c). */
static void
test_is_same(void **state)
{
	const struct identity a = { .user = SPAN("bob"), .home = SPAN("/h/bob"), .fields = SPAN("mail=maildir:~/M\0"),
		.chroot_dir = SPAN(""), .uid = 1000, .gid = 1000, .groups = { 7, 8 }, .group_count = 2 };
	struct identity b = a;

	(void)state;
	assert_true(identity_is_same(&a, &b));
	b.groups[2] = 9;	/* behind the count */
	assert_true(identity_is_same(&a, &b));
	b.group_count = 3;
	assert_false(identity_is_same(&a, &b));
	for (int i = 0; i < 8; i++) {
		b = a;
		switch (i) {
		case 0: b.user = SPAN("bobo"); break;
		case 1: b.home = SPAN("/h/Bob"); break;
		case 2: b.fields = SPAN("mail=maildir:~/N\0"); break;
		case 3: b.fields = SPAN("mail=maildir:~/M\0x=y\0"); break;
		case 4: b.chroot_dir = SPAN("/h"); break;
		case 5: b.uid = 1001; break;
		case 6: b.gid = 0; break;
		case 7: b.groups[1] = 9; break;
		}
		assert_false(identity_is_same(&a, &b));
		assert_false(identity_is_same(&b, &a));
	}
}

/* What auth makes of the settings. */
static void
test_conf(void **state)
{
	struct set_view *v = view_of(
	    "auth_mechanisms = plain login\nauth_failure_delay = 3s\nauth_cache_size = 2M\nauth_master_user_separator = *\n"
	    "auth_verbose_passwords = sha1:6\nauth_username_chars = abc\n"
	    "passdb {\n driver = passwd-file\n args = /etc/x/deny\n deny = yes\n}\n"
	    "passdb {\n driver = pam\n args = %s\n result_failure = return-fail\n skip = authenticated\n}\n"
	    "userdb {\n driver = static\n args = uid=vmail gid=vmail home=/v/%d/%n\n}\n");
	struct auth_conf c;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(conf_load(&c, v, &e), 0);
	assert_int_equal(c.passdb_count, 2);
	assert_int_equal(c.userdb_count, 1);
	assert_true(c.passdbs[0].deny && !c.passdbs[1].deny);
	assert_int_equal(c.passdbs[0].on_failure, ACT_CONTINUE);
	assert_int_equal(c.passdbs[0].on_success, ACT_RETURN_OK);
	assert_int_equal(c.passdbs[1].on_failure, ACT_RETURN_FAIL);
	assert_int_equal(c.passdbs[1].skip, SKIP_IF_OK);
	assert_true(span_eq(c.userdbs[0].driver, SPAN("static")));
	assert_int_equal(c.failure_delay_ms, 3000);
	assert_int_equal(c.cache_size, 2 << 20);
	assert_int_equal(c.master_separator, '*');
	assert_int_equal(c.show_passwords, SHOW_SHA1);
	assert_int_equal(c.show_passwords_len, 6);
	assert_true(c.chars['a'] && !c.chars['d'] && !c.any_char);
	view_done(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames), cmocka_unit_test(test_check), cmocka_unit_test(test_apply),
		cmocka_unit_test(test_is_same), cmocka_unit_test(test_conf),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
