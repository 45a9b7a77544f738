/* SPDX-License-Identifier: MIT */
/* What is announced to hub, and what reaches a session that watches: hub itself is a table of keys here. */
#include "storage-fixture.h"

#include <sys/socket.h>
#include <unistd.h>
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib-storage/metadata.h"

#define WATCHES_MAX 16

struct desk {
	struct fixture f;
	struct storage *watcher, *changer;
	int hub[2];			/* hub's ends: of the watcher, of the changer */
	struct {
		uint32_t id;		/* 0: unused */
		char key[WATCH_KEY_MAX];
		size_t n;
		size_t fds;
	} watches[WATCHES_MAX];
	uint32_t told[WATCHES_MAX];
	size_t told_count;
};

static struct storage *
open_at(struct desk *d, int i)
{
	struct storage *st;
	struct err e = ERR_INIT;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	d->hub[i] = fds[0];
	MUST(storage_open_conf(&d->f.conf, fds[1], &st, &e), &e);
	return st;
}

static void
open_desk(struct desk *d)
{
	memset(d, 0, sizeof(*d));
	fixture_init(&d->f);
	d->f.conf.home = span_str(d->f.home);
	d->watcher = open_at(d, 0);
	d->changer = open_at(d, 1);
}

static void
close_desk(struct desk *d)
{
	int fds[2] = { d->watcher->notify_fd, d->changer->notify_fd };

	storage_close(d->watcher);
	storage_close(d->changer);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(d->hub[i]);
	}
	fixture_clear(&d->f);
}

static void
take_watch(struct desk *d, struct ipc_msg *m)
{
	uint32_t id = ipc_u32(m, F_ID);
	struct span key = m->type == MSG_WATCH ? ipc_bytes(m, F_KEY, WATCH_KEY_MAX) : SPAN_NONE;
	size_t i = 0;
	int fd;

	while (i < WATCHES_MAX && d->watches[i].id != id)
		i++;
	if (m->type == MSG_WATCH && i == WATCHES_MAX)
		for (i = 0; d->watches[i].id != 0; i++)
			assert_true(i + 1 < WATCHES_MAX);
	if (i == WATCHES_MAX)
		return;
	d->watches[i].id = m->type == MSG_WATCH ? id : 0;
	d->watches[i].n = key.n;
	d->watches[i].fds = 0;
	if (key.n > 0)
		memcpy(d->watches[i].key, key.p, key.n);
	while (m->fd_taken < m->fd_count && (fd = ipc_fd(m)) != -1) {
		d->watches[i].fds++;
		close(fd);
	}
}

static void
pass_on(struct desk *d, struct ipc_msg *m)
{
	struct span key = ipc_bytes(m, F_KEY, WATCH_KEY_MAX);
	struct err e = ERR_INIT;
	struct ipc_out o;

	for (size_t i = 0; i < WATCHES_MAX; i++) {
		if (d->watches[i].id == 0 || !span_eq(span_of(d->watches[i].key, d->watches[i].n), key))
			continue;
		ipc_begin(&o, MSG_CHANGED);
		ipc_put_u32(&o, F_ID, d->watches[i].id);
		MUST(ipc_send(d->hub[0], &o, &e), &e);
	}
}

static void
on_notice(void *ctx, uint32_t id)
{
	struct desk *d = ctx;

	for (size_t i = 0; i < d->told_count; i++)
		if (d->told[i] == id)
			return;
	assert_true(d->told_count < WATCHES_MAX);
	d->told[d->told_count++] = id;
}

/* What hub would do with all that was sent; how many different notices the watcher has of it. */
static size_t
turn(struct desk *d)
{
	struct storage_notices n = { .changed = on_notice, .ctx = d };
	struct err e = ERR_INIT;
	struct ipc_msg m;

	MUST(ipc_msg_init(&m, &e), &e);
	d->told_count = 0;
	while (ipc_recv_wait(d->hub[0], &m, 0, &e) == 1)
		if (m.type != MSG_CHANGED)
			take_watch(d, &m);
	while (ipc_recv_wait(d->hub[1], &m, 0, &e) == 1)
		if (m.type == MSG_CHANGED)
			pass_on(d, &m);
	ipc_msg_clear(&m);
	storage_read_notices(d->watcher, &n);
	assert_false(n.gone);
	assert_false(n.kicked);
	assert_int_equal(n.any, d->told_count > 0);
	return d->told_count;
}

static void
save(struct desk *d, const char *name)
{
	struct mailbox *box = box_of(d->changer, name, MAILBOX_SAVE);

	save_text(box, "a: b\n\nc\n", 0);
	mailbox_close(box);
}

static void
test_mailboxes(void **state)
{
	struct desk d;
	struct mailbox_status st;
	struct err e = ERR_INIT;
	uint32_t one = 0, two = 0, again;
	struct mailbox *box;

	(void)state;
	open_desk(&d);
	MUST(storage_create(d.changer, SPAN("One"), false, &e), &e);
	MUST(storage_create(d.changer, SPAN("Two"), false, &e), &e);
	turn(&d);
	MUST(storage_watch(d.watcher, SPAN("One"), STATUS_MESSAGES, &one, &st, &e), &e);
	assert_int_equal(st.messages, 0);
	MUST(storage_watch(d.watcher, SPAN("Two"), STATUS_MESSAGES, &two, &st, &e), &e);
	assert_true(one != 0 && two != 0 && one != two);
	assert_int_equal(turn(&d), 0);
	assert_int_equal(d.watches[0].fds, 2);
	save(&d, "One");
	save(&d, "INBOX");
	assert_int_equal(turn(&d), 1);
	assert_int_equal(d.told[0], one);
	/* The number is the mailbox's, whatever it is called. */
	MUST(storage_rename(d.changer, SPAN("Two"), SPAN("Three"), &e), &e);
	turn(&d);
	save(&d, "Three");
	assert_int_equal(turn(&d), 1);
	assert_int_equal(d.told[0], two);
	/* The same watch anew, as for a new hub. */
	again = one;
	MUST(storage_watch(d.watcher, SPAN("One"), STATUS_MESSAGES, &again, &st, &e), &e);
	assert_int_equal(again, one);
	assert_int_equal(st.messages, 1);
	turn(&d);
	storage_unwatch(d.watcher, one);
	/* One that is open has a number of its own. */
	box = box_of(d.watcher, "One", MAILBOX_READ);
	MUST(mailbox_watch(box, true, &e), &e);
	turn(&d);
	save(&d, "One");
	assert_int_equal(turn(&d), 1);
	assert_int_equal(d.told[0], mailbox_watch_id(box));
	mailbox_close(box);
	turn(&d);
	save(&d, "One");
	assert_int_equal(turn(&d), 0);
	assert_int_equal(storage_watch(d.watcher, SPAN("Nothing"), STATUS_MESSAGES, &again, &st, &e), -1);
	close_desk(&d);
}

static void
test_lists(void **state)
{
	struct desk d;
	struct err e = ERR_INIT;

	(void)state;
	open_desk(&d);
	storage_watch_lists(d.watcher, true);
	assert_int_equal(turn(&d), 0);
	for (int i = 0; i < 5; i++) {
		switch (i) {
		case 0:
			MUST(storage_create(d.changer, SPAN("One"), false, &e), &e);
			break;
		case 1:
			MUST(storage_rename(d.changer, SPAN("One"), SPAN("Two"), &e), &e);
			break;
		case 2:
			MUST(storage_subscribe(d.changer, SPAN("Two"), true, &e), &e);
			break;
		case 3:
			MUST(storage_subscribe(d.changer, SPAN("Two"), false, &e), &e);
			break;
		case 4:
			MUST(storage_delete(d.changer, SPAN("Two"), &e), &e);
			break;
		}
		assert_int_equal(turn(&d), 1);
		assert_int_equal(d.told[0], STORAGE_LIST_CHANGED);
	}
	save(&d, "INBOX");
	assert_int_equal(turn(&d), 0);
	storage_watch_lists(d.watcher, false);
	MUST(storage_create(d.changer, SPAN("One"), false, &e), &e);
	assert_int_equal(turn(&d), 0);
	close_desk(&d);
}

static void
test_annotations(void **state)
{
	const struct metadata set = { SPAN("/shared/comment"), SPAN("x") }, own = { SPAN("/private/vendor/a/b"), SPAN("x") };
	struct desk d;
	struct err e = ERR_INIT;
	uint32_t box = 0, server = 0, none = 0;

	(void)state;
	open_desk(&d);
	MUST(storage_create(d.changer, SPAN("One"), false, &e), &e);
	MUST(storage_watch_metadata(d.watcher, SPAN("One"), &box, &e), &e);
	MUST(storage_watch_metadata(d.watcher, SPAN(""), &server, &e), &e);
	assert_int_equal(storage_watch_metadata(d.watcher, SPAN("Nothing"), &none, &e), -1);
	turn(&d);
	MUST(storage_metadata_set(d.changer, SPAN("One"), &set, 1, &e), &e);
	assert_int_equal(turn(&d), 1);
	assert_int_equal(d.told[0], box);
	MUST(storage_metadata_set(d.changer, SPAN(""), &own, 1, &e), &e);
	assert_int_equal(turn(&d), 1);
	assert_int_equal(d.told[0], server);
	/* Mail is none of their business. */
	save(&d, "One");
	assert_int_equal(turn(&d), 0);
	close_desk(&d);
}

static void
test_numbers(void **state)
{
	struct desk d;
	struct mailbox_status st;
	struct err e = ERR_INIT;
	uint64_t number;

	(void)state;
	open_desk(&d);
	assert_int_equal(storage_mailbox_number(d.watcher, SPAN("One")), 0);
	MUST(storage_create(d.changer, SPAN("One"), false, &e), &e);
	MUST(storage_status(d.changer, SPAN("One"), STATUS_MESSAGES, &st, &e), &e);
	number = storage_mailbox_number(d.watcher, SPAN("One"));
	assert_true(number != 0);
	assert_true(storage_mailbox_number(d.watcher, SPAN("INBOX")) != number);
	MUST(storage_rename(d.changer, SPAN("One"), SPAN("Two"), &e), &e);
	assert_int_equal(storage_mailbox_number(d.watcher, SPAN("Two")), number);
	assert_int_equal(storage_mailbox_number(d.watcher, SPAN("One")), 0);
	MUST(storage_delete(d.changer, SPAN("Two"), &e), &e);
	MUST(storage_create(d.changer, SPAN("Two"), false, &e), &e);
	MUST(storage_status(d.changer, SPAN("Two"), STATUS_MESSAGES, &st, &e), &e);
	assert_true(storage_mailbox_number(d.watcher, SPAN("Two")) != number);
	close_desk(&d);
}

/* A storage without hub: nothing is sent, and that is no failure. */
static void
test_alone(void **state)
{
	struct fixture f;
	struct storage_notices n = { .changed = NULL };
	struct mailbox_status st;
	struct err e = ERR_INIT;
	uint32_t id = 0;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	MUST(storage_watch(f.st, SPAN("INBOX"), STATUS_MESSAGES, &id, &st, &e), &e);
	storage_watch_lists(f.st, true);
	storage_unwatch(f.st, id);
	storage_read_notices(f.st, &n);
	assert_true(n.gone && !n.any);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
