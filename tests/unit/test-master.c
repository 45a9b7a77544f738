/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "lib/sys.h"
#include "lib-config/config.h"
#include "lib-protocol/children.h"
#include "master/backoff.h"
#include "master/kinds.h"
#include "master/listener.h"
#include "master/logs.h"

static void
test_backoff(void **state)
{
	static const double waits[] = { 0., .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60., 60., 60. };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++)
		assert_float_equal(backoff_after(&b, 0.01), waits[i], 0.0001);
	/* Who lived for a while is started again at once. */
	assert_float_equal(backoff_after(&b, BACKOFF_LIVED), 0., 0.0001);
	assert_float_equal(backoff_after(&b, 0.01), .1, 0.0001);
	for (int i = 0; i < 100000; i++)
		assert_true(backoff_after(&b, 0.) <= BACKOFF_MAX);
}

static void
test_who_may_talk_with_whom(void **state)
{
	static const struct {
		unsigned asker;
		const char *name;
		bool want;
	} cases[] = {
		{ PEER_LOGIN, "auth", true }, { PEER_LOGIN, "imap", true }, { PEER_LOGIN, "hub", false },
		{ PEER_LOGIN, "deliver", false }, { PEER_LOGIN, "imap-login", false }, { PEER_IMAP, "auth", true },
		{ PEER_IMAP, "hub", true }, { PEER_POP3, "imap-hibernate", false }, { PEER_LMTP, "deliver", true },
		{ PEER_LMTP, "imap", false }, { PEER_DELIVER, "auth", true }, { PEER_AUTH, "hub", false },
		{ PEER_HUB, "auth", false }, { PEER_HIBERNATE, "auth", false }, { PEER_HIBERNATE, "imap", true },
		{ PEER_ADM, "hub", true }, { PEER_ADM, "auth", true }, { PEER_ADM, "imap", false },
		{ PEER_WORKER, "auth", false }, { PEER_ADM, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(kind_may_want(cases[i].asker, span_str(cases[i].name)), cases[i].want);
	for (enum kind k = 0; k < KINDS; k++)
		assert_int_equal(kind_find(span_str(kinds[k].name)), k);
	assert_int_equal(kind_find(SPAN("nobody")), KINDS);
}

/* Why no process is made is told as it is. */
static void
test_children(void **state)
{
	struct service s = { .loop = ev_default_loop(0) };
	struct children *c = children_new(&s, 0, NULL, NULL);
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(c);
	assert_int_equal(children_fork(c, NULL, 0, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.log, "process_limit (0) reached");
	children_finish(c, 1.);
	assert_int_equal(children_fork(c, NULL, 0, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	assert_string_equal(e.log, "the service is about to end");
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *word, *text;
		size_t count;
	} cases[] = {
		{ "*", "0.0.0.0", 1 }, { "::", "::", 1 }, { "[::]", "::", 1 }, { "127.0.0.1", "127.0.0.1", 1 },
		{ "[::1]", "::1", 1 }, { "::1", "::1", 1 }, { "no.such.host.invalid", NULL, 0 },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct array out = ARRAY_INIT(struct sockaddr_storage, 8);
		int rc = listen_addresses(span_str(cases[i].word), 143, &out, &e);
		char text[64];
		uint16_t port;

		assert_int_equal(rc == 0, cases[i].count > 0);
		assert_int_equal(out.n, cases[i].count);
		if (out.n > 0) {
			addr_format(array_at(&out, 0), text, &port);
			assert_string_equal(text, cases[i].text);
			assert_int_equal(port, 143);
		}
		array_clear(&out);
	}
}

struct server {
	char dir[64];
	struct settings *settings;
	struct set_view *view;
	struct set_block service;
};

/* The settings of a configuration with one service lmtp. */
static void
server_make(struct server *s, const char *listeners)
{
	char path[128];
	struct err e = ERR_INIT;
	struct config *c;
	size_t pos = 0;
	FILE *f;
	int fd;

	if (s->dir[0] == '\0')
		temp_dir_make(s->dir);
	snprintf(path, sizeof(path), "%s/dovecot.conf", s->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "base_dir = %s/run\nservice lmtp {\n  unix_listener lmtp {\n    mode = 0\n  }\n%s}\n", s->dir, listeners);
	fclose(f);
	c = config_read(path, &e);
	assert_non_null(c);
	assert_false(config_has_errors(c));
	fd = config_image(c, &e);
	assert_int_not_equal(fd, -1);
	config_free(c);
	assert_int_equal(settings_open(fd, &s->settings, &e), 0);
	close(fd);
	s->view = set_view_new(s->settings, NULL);
	while (set_block_next(s->view, NULL, "service", &pos, &s->service))
		if (span_eq(s->service.name, SPAN("lmtp")))
			return;
	fail();
}

static void
server_drop(struct server *s)
{
	set_view_free(s->view);
	settings_close(s->settings);
}

static const char unix_only[] = "  unix_listener a/lmtp {\n    mode = 0640\n  }\n";

static void
test_unix_listener(void **state)
{
	struct server s = { .dir = "" };
	struct array a, b;
	struct err e = ERR_INIT;
	struct listener *l;
	struct stat st;

	(void)state;
	server_make(&s, unix_only);
	listeners_init(&a);
	assert_int_equal(listeners_read(&a, s.view, &s.service, &e), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(listeners_bind(&a, NULL, 0, &e), 0);
	l = array_at(&a, 0);
	assert_string_equal(l->name, "a/lmtp");
	assert_int_equal(stat(l->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0640);
	/* A second server finds it alive. */
	listeners_init(&b);
	assert_int_equal(listeners_read(&b, s.view, &s.service, &e), 0);
	assert_int_equal(listeners_bind(&b, NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_INUSE);
	/* The same at a reload: taken over, still there when the old one is closed. */
	assert_int_equal(listeners_bind(&b, &a, 0, &e), 0);
	listeners_clear(&a, false);
	assert_int_equal(stat(((struct listener *)array_at(&b, 0))->path, &st), 0);
	/* A server that was killed leaves the file behind, with nobody at it. */
	listeners_clear(&b, false);
	listeners_init(&a);
	assert_int_equal(listeners_read(&a, s.view, &s.service, &e), 0);
	assert_int_equal(listeners_bind(&a, NULL, 0, &e), 0);
	listeners_clear(&a, true);
	server_drop(&s);
	temp_dir_remove(s.dir);
}

static void
test_foreign_file_is_left_alone(void **state)
{
	struct server s = { .dir = "" };
	struct array a;
	struct err e = ERR_INIT;
	char path[160];
	FILE *f;

	(void)state;
	server_make(&s, unix_only);
	snprintf(path, sizeof(path), "%s/run/a", s.dir);
	assert_int_equal(dir_make(path, 0755, &e), 0);
	snprintf(path, sizeof(path), "%s/run/a/lmtp", s.dir);
	f = fopen(path, "w");
	fputs("precious", f);
	fclose(f);
	listeners_init(&a);
	assert_int_equal(listeners_read(&a, s.view, &s.service, &e), 0);
	assert_int_equal(listeners_bind(&a, NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(access(path, F_OK), 0);
	listeners_clear(&a, true);
	assert_int_equal(access(path, F_OK), 0);
	server_drop(&s);
	temp_dir_remove(s.dir);
}

static uint16_t
free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static void
test_inet_listener(void **state)
{
	struct server s = { .dir = "" };
	struct array a, b;
	struct err e = ERR_INIT;
	char text[256];
	uint16_t port = free_port();

	(void)state;
	snprintf(text, sizeof(text), "  inet_listener x {\n    address = 127.0.0.1\n    port = %u\n    ssl = yes\n  }\n"
		 "  inet_listener off {\n    port = 0\n  }\n", port);
	server_make(&s, text);
	listeners_init(&a);
	assert_int_equal(listeners_read(&a, s.view, &s.service, &e), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(listeners_bind(&a, NULL, 1000, &e), 0);
	assert_true(((struct listener *)array_at(&a, 0))->ssl);
	listeners_init(&b);
	assert_int_equal(listeners_read(&b, s.view, &s.service, &e), 0);
	assert_int_equal(listeners_bind(&b, NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_INUSE);
	assert_int_equal(listeners_bind(&b, &a, 0, &e), 0);
	listeners_clear(&a, true);
	listeners_clear(&b, true);
	server_drop(&s);
	temp_dir_remove(s.dir);
}

static void
test_log_memory(void **state)
{
	struct log_memory *m = log_memory_new(3);
	char long_text[5000];
	enum log_level level;
	struct span text;
	time_t when;
	size_t pos = 0;

	(void)state;
	assert_false(log_memory_next(m, &pos, &level, &text, &when));
	memset(long_text, 'x', sizeof(long_text));
	log_memory_add(m, LOG_LVL_WARNING, "one", 3, 1);
	log_memory_add(m, LOG_LVL_WARNING, "two", 3, 2);
	log_memory_add(m, LOG_LVL_ERROR, "three", 5, 3);
	log_memory_add(m, LOG_LVL_ERROR, long_text, sizeof(long_text), 4);
	assert_true(log_memory_next(m, &pos, &level, &text, &when));
	assert_span(text, "two");
	assert_int_equal(when, 2);
	assert_true(log_memory_next(m, &pos, &level, &text, &when));
	assert_span(text, "three");
	assert_int_equal(level, LOG_LVL_ERROR);
	assert_true(log_memory_next(m, &pos, &level, &text, &when));
	assert_true(text.n < sizeof(long_text));
	assert_false(log_memory_next(m, &pos, &level, &text, &when));
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_who_may_talk_with_whom),
		cmocka_unit_test(test_children), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_unix_listener),
		cmocka_unit_test(test_foreign_file_is_left_alone),
		cmocka_unit_test(test_inet_listener),
		cmocka_unit_test(test_log_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
