/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <fcntl.h>
#include "hub/dirs.h"
#include "hub/registry.h"
#include "hub/watch.h"

static struct session
like(const char *service, const char *user, const char *rip, const char *id)
{
	return (struct session){ .service = span_str(service), .user = span_str(user), .rip = span_str(rip),
				 .id = span_str(id) };
}

static void
test_limits(void **state)
{
	/* For each: may it come in, with a limit of two? */
	static const struct {
		const char *service, *user, *rip, *id;
		enum registry_rc want;
	} cases[] = {
		{ "imap", "bob", "192.0.2.1", "1", REGISTRY_OK },
		{ "imap", "bob", "192.0.2.1", "2", REGISTRY_OK },
		{ "imap", "bob", "192.0.2.1", "3", REGISTRY_LIMIT },
		{ "imap", "bob", "192.0.2.2", "3", REGISTRY_OK },
		{ "pop3", "bob", "192.0.2.1", "4", REGISTRY_OK },
		{ "imap", "eve", "192.0.2.1", "5", REGISTRY_OK },
		{ "imap", "eve", "192.0.2.1", "5", REGISTRY_FULL },	/* that session is there */
	};
	struct registry r;
	struct session *s = NULL, again;

	(void)state;
	assert_true(registry_init(&r, 100));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct session l = like(cases[i].service, cases[i].user, cases[i].rip, cases[i].id);

		assert_int_equal(registry_add(&r, &l, 2, &s), cases[i].want);
	}
	assert_int_equal(r.count, 5);
	/* One goes, one may come. */
	registry_remove(&r, registry_find(&r, SPAN("1")));
	again = like("imap", "bob", "192.0.2.1", "6");
	assert_int_equal(registry_add(&r, &again, 2, &s), REGISTRY_OK);
	assert_span(s->user, "bob");
	/* No limit. */
	for (unsigned i = 0; i < 20; i++) {
		char id[8];

		snprintf(id, sizeof(id), "n%u", i);
		again = like("imap", "bob", "192.0.2.1", id);
		assert_int_equal(registry_add(&r, &again, 0, &s), REGISTRY_OK);
	}
	while (r.first != NULL)
		registry_remove(&r, r.first);
	assert_int_equal(hash_count(r.counts), 0);
	assert_int_equal(hash_count(r.by_id), 0);
	registry_clear(&r);
}

static void
test_full(void **state)
{
	struct registry r;
	struct session *s, one = like("imap", "a", "", "1"), two = like("imap", "b", "", "2");

	(void)state;
	assert_true(registry_init(&r, 1));
	assert_int_equal(registry_add(&r, &one, 0, &s), REGISTRY_OK);
	assert_int_equal(registry_add(&r, &two, 0, &s), REGISTRY_FULL);
	assert_int_equal(r.count, 1);
	registry_clear(&r);
}

static void
test_filters(void **state)
{
	static const struct {
		const char *user, *net;
		bool want;
	} cases[] = {
		{ "", "", true }, { "bob", "", true }, { "BOB", "", true }, { "b*", "", true }, { "*b", "", true },
		{ "b?b", "", true }, { "bo", "", false }, { "*a*", "", false }, { "**b**", "", true }, { "?", "", false },
		{ "", "192.0.2.0/24", true }, { "", "192.0.3.0/24", false }, { "bob", "192.0.2.7", true },
		{ "", "2001:db8::/32", false },
	};
	struct session s = like("imap", "bob", "192.0.2.7", "x");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct session_filter f = { .user = span_str(cases[i].user) };

		if (cases[i].net[0] != '\0')
			assert_true(netaddr_parse(span_str(cases[i].net), &f.net));
		assert_int_equal(session_matches(&s, &f), cases[i].want);
	}
}

struct ear {
	unsigned told[8];
	bool deaf;
};

static bool
hear(void *ctx, uint32_t id)
{
	struct ear *ear = ctx;

	if (ear->deaf)
		return false;
	ear->told[id]++;
	return true;
}

/* Runs the loop until *what is at least wanted; a generous end. */
static void
run_until(struct ev_loop *loop, const unsigned *what, unsigned wanted)
{
	ev_tstamp end = ev_time() + 20.;

	while (*what < wanted && ev_time() < end)
		ev_run(loop, EVRUN_ONCE);
	assert_true(*what >= wanted);
}

static void
test_watches(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct watches *w = watches_new(loop, 4);
	struct ear a = { .told = { 0 } }, b = { .told = { 0 } };
	struct watcher *wa = watcher_new(w, 10, hear, &a), *wb = watcher_new(w, 10, hear, &b);

	(void)state;
	assert_non_null(watcher_subscribe(wa, 1, SPAN("inbox")));
	assert_non_null(watcher_subscribe(wb, 2, SPAN("inbox")));
	assert_non_null(watcher_subscribe(wb, 3, SPAN("other")));
	/* Everybody but who changed it; nobody of another key. */
	watches_changed(w, SPAN("inbox"), wa);
	assert_int_equal(a.told[1], 0);
	assert_int_equal(b.told[2], 1);
	assert_int_equal(b.told[3], 0);
	watches_changed(w, SPAN("nobody's"), NULL);
	/* A burst is told once at its start and once at its end. */
	for (int i = 0; i < 1000; i++)
		watches_changed(w, SPAN("inbox"), wa);
	run_until(loop, &b.told[2], 2);
	assert_int_equal(b.told[2], 2);
	/* Who can not listen now is told once when he can. */
	b.deaf = true;
	for (int i = 0; i < 3; i++)
		watches_changed(w, SPAN("other"), NULL);
	assert_int_equal(b.told[3], 0);
	b.deaf = false;
	run_until(loop, &b.told[3], 1);
	assert_int_equal(b.told[3], 1);
	b.told[3] = 0;
	/* Who unsubscribes while a telling is due hears nothing more. */
	watches_changed(w, SPAN("inbox"), NULL);
	watcher_unsubscribe(wb, 2);
	/* The same number again is another subscription. */
	assert_non_null(watcher_subscribe(wb, 3, SPAN("third")));
	watches_changed(w, SPAN("other"), NULL);
	assert_int_equal(b.told[3], 0);
	watches_changed(w, SPAN("third"), NULL);
	assert_int_equal(b.told[3], 1);
	/* max is for all watchers together. */
	assert_int_equal(watches_count(w), 2);
	assert_non_null(watcher_subscribe(wa, 4, SPAN("x")));
	assert_non_null(watcher_subscribe(wa, 5, SPAN("y")));
	assert_null(watcher_subscribe(wa, 6, SPAN("z")));
	watcher_free(wa);
	watcher_free(wb);
	assert_int_equal(watches_count(w), 0);
	watches_free(w);
	ev_loop_destroy(loop);
}

static void
test_directories(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct watches *w = watches_new(loop, 10);
	struct err e = ERR_INIT;
	struct dirs *d = dirs_new(loop, 10, &e);
	struct ear a = { .told = { 0 } };
	struct watcher *wa = watcher_new(w, 10, hear, &a);
	char dir[64], path[128];
	struct link *one, *two;
	int fd, file;

	(void)state;
	watches_on_unlink(w, dirs_unlink);
	temp_dir_make(dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	one = watcher_subscribe(wa, 1, SPAN("k1"));
	two = watcher_subscribe(wa, 2, SPAN("k2"));
	dirs_link(d, &one[0], fd);
	dirs_link(d, &two[1], fd);
	assert_non_null(one[0].dir);
	assert_ptr_equal(one[0].dir, two[1].dir);	/* one watch for both */
	close(fd);
	snprintf(path, sizeof(path), "%s/new-mail", dir);
	file = open(path, O_CREAT | O_WRONLY, 0600);
	close(file);
	run_until(loop, &a.told[1], 1);
	run_until(loop, &a.told[2], 1);
	/* With the last subscriber the watch goes. */
	watcher_unsubscribe(wa, 1);
	watcher_unsubscribe(wa, 2);
	watcher_free(wa);
	dirs_free(d);
	watches_free(w);
	ev_loop_destroy(loop);
	temp_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_watches),
		cmocka_unit_test(test_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
