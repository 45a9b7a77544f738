/* SPDX-License-Identifier: MIT */
/* \Seen of each user in mailboxes of several (INDEXPVT): the set, and what sessions see of it. */
#include "sharing.h"

#include <stdlib.h>
#include "lib-storage/seen-set.h"

static const char conf[] =
    "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
    "namespace inbox {\n inbox = yes\n separator = /\n}\n"
    "namespace public {\n type = public\n prefix = Public/\n separator = /\n"
    " location = maildir:DIR/public:INDEXPVT=~/public\n subscriptions = no\n list = children\n}\n";

/* Random changes against a table of bits. */
static void
test_set(void **state)
{
	enum { MOST = 300 };
	bool model[MOST + 1] = { false };
	struct seen_set set = SEEN_SET_INIT;

	(void)state;
	srand(7);
	for (int step = 0; step < 3000; step++) {
		struct buf text = BUF_INIT(65536);
		struct seen_set again = SEEN_SET_INIT;
		uint32_t uids[MOST], n = 0;
		bool on = rand() % 2;

		for (uint32_t uid = 1 + (uint32_t)(rand() % MOST); uid <= MOST && n < 40; uid += 1 + (uint32_t)(rand() % 3)) {
			uids[n++] = uid;
			model[uid] = on;
		}
		assert_true(seen_change(&set, uids, n, on));
		for (uint32_t uid = 0; uid <= MOST + 1; uid++)
			assert_int_equal(seen_has(&set, uid), uid >= 1 && uid <= MOST && model[uid]);
		seen_write(&text, &set);
		assert_true(seen_parse(&again, buf_span(&text)));
		assert_int_equal(again.ranges.n, set.ranges.n);
		seen_clear(&again);
		buf_clear(&text);
	}
	seen_clear(&set);
}

static void
test_text(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "culver-seen 1\n\n", true }, { "culver-seen 1\n1:5,7,9:20\n", true }, { "culver-seen 1\n1:4294967295\n", true },
		{ "", false }, { "culver-seen 1\n", false }, { "culver-seen 2\n1\n", false }, { "culver-seen 1\n1", false },
		{ "culver-seen 1\n1\nx", false }, { "culver-seen 1\n0\n", false }, { "culver-seen 1\n5:3\n", false },
		{ "culver-seen 1\n5,5\n", false }, { "culver-seen 1\n5,4\n", false }, { "culver-seen 1\n1:2:3\n", false },
		{ "culver-seen 1\n1,,2\n", false }, { "culver-seen 1\n4294967296\n", false }, { "culver-seen 1\n1:\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen_set set = SEEN_SET_INIT;

		if (seen_parse(&set, span_str(cases[i].text)) != cases[i].ok)
			fail_msg("case %zu: %s", i, cases[i].text);
		seen_clear(&set);
	}
}

static unsigned
flags(struct mailbox *box, uint32_t uid)
{
	struct msg_rec rec;
	struct err e = ERR_INIT;

	MUST(mailbox_get(box, uid, &rec, &e), &e);
	return rec.flags;
}

static unsigned
unseen(struct storage *st, const char *name)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	MUST(storage_status(st, span_str(name), STATUS_UNSEEN, &status, &e), &e);
	return status.unseen;
}

static void
store(struct sharing *s, struct mailbox *box, uint32_t uid, enum flag_op op, unsigned f)
{
	struct flag_change fc = { .op = op, .flags = f };
	struct err e = ERR_INIT;

	MUST(mailbox_store(box, &uid, 1, &fc, s->a, NULL, NULL, &e), &e);
}

static void
test_sessions(void **state)
{
	struct sharing s;
	struct storage *alice, *bob, *again;
	struct mailbox *a, *b, *b2;
	struct mailbox_view_state vs;
	struct view_changes vc;
	struct uid_list modified, changed;
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN, .conditional = true };
	struct err e = ERR_INIT;
	uint32_t uids[3] = { 1, 2, 3 };
	struct msg_rec rec;

	(void)state;
	sharing_init(&s, conf);
	alice = sharing_open(&s, "alice");
	bob = sharing_open(&s, "bob");
	again = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(alice, "Public/News"), ERR_NONE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sharing_save(alice, "Public/News", MAILBOX_SAVE, i == 0 ? MSG_SEEN | MSG_FLAGGED : 0), ERR_NONE);
	a = sharing_box(alice, "Public/News", MAILBOX_WRITE);
	b = sharing_box(bob, "Public/News", MAILBOX_WRITE);
	b2 = sharing_box(again, "Public/News", MAILBOX_WRITE);
	assert_int_equal(flags(a, 1), MSG_SEEN | MSG_FLAGGED);
	assert_int_equal(flags(b, 1), MSG_FLAGGED);
	mailbox_view_state(a, &vs);
	assert_int_equal(vs.first_unseen, 2);
	mailbox_view_state(b, &vs);
	assert_int_equal(vs.first_unseen, 1);
	assert_int_equal(unseen(alice, "Public/News"), 2);
	assert_int_equal(unseen(bob, "Public/News"), 3);
	/* One's own changes, told to the other session. */
	store(&s, b, 2, FLAGS_SET, MSG_SEEN | MSG_ANSWERED);
	MUST(mailbox_sync(b2, true, &vc, &e), &e);
	assert_int_equal(vc.flags_count, 1);
	assert_int_equal(vc.flags[0], 2);
	assert_int_equal(flags(b2, 2), MSG_SEEN | MSG_ANSWERED);
	store(&s, b, 3, FLAGS_ADD, MSG_SEEN);
	MUST(mailbox_sync(b2, true, &vc, &e), &e);
	assert_int_equal(vc.flags_count, 1);
	assert_int_equal(flags(b2, 3), MSG_SEEN);
	MUST(mailbox_sync(a, true, &vc, &e), &e);
	assert_int_equal(flags(a, 2), MSG_ANSWERED);
	assert_int_equal(flags(a, 3), 0);
	/* Nothing changes: no new MODSEQ. */
	MUST(mailbox_get(b, 3, &rec, &e), &e);
	store(&s, b, 3, FLAGS_ADD, MSG_SEEN);
	fc.unchanged_since = rec.modseq;
	MUST(mailbox_get(b, 3, &rec, &e), &e);
	assert_int_equal(rec.modseq, fc.unchanged_since);
	/* UNCHANGEDSINCE counts for it. */
	store(&s, b, 3, FLAGS_REMOVE, MSG_SEEN);
	fc.unchanged_since = rec.modseq;
	MUST(mailbox_store(b, uids, 3, &fc, s.a, &modified, &changed, &e), &e);
	assert_int_equal(modified.count, 1);
	assert_int_equal(modified.uids[0], 3);
	assert_int_equal(changed.count, 1);
	assert_int_equal(changed.uids[0], 1);
	assert_int_equal(flags(b, 1), MSG_SEEN | MSG_FLAGGED);
	assert_int_equal(flags(b, 3), 0);
	MUST(mailbox_sync(b2, true, &vc, &e), &e);
	assert_int_equal(flags(b2, 1), MSG_SEEN | MSG_FLAGGED);
	/* What is expunged does not count. */
	MUST(mailbox_expunge(a, uids, 1, true, &e), &e);
	assert_int_equal(unseen(bob, "Public/News"), 1);
	mailbox_close(a);
	mailbox_close(b);
	mailbox_close(b2);
	storage_close(alice);
	storage_close(again);
	/* Under another name, and without the index. */
	MUST(storage_rename(bob, SPAN("Public/News"), SPAN("Public/Olds"), &e), &e);
	storage_close(bob);
	sharing_run(&s, "rm -rf public/culver.index && ls home/bob/public/ | grep -q culver-seen");
	bob = sharing_open(&s, "bob");
	assert_int_equal(unseen(bob, "Public/Olds"), 1);
	/* A file that is damaged: all is unseen, nothing worse. */
	sharing_run(&s, "for f in home/bob/public/culver-seen.*; do echo nonsense > $f; done");
	assert_int_equal(unseen(bob, "Public/Olds"), 2);
	storage_close(bob);
	sharing_clear(&s);
}

/* Copies take \Seen along: each user's own. */
static void
test_copy(void **state)
{
	struct sharing s;
	struct storage *bob, *alice;
	struct mailbox *from, *to;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint32_t uid = 1;

	(void)state;
	sharing_init(&s, conf);
	bob = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(bob, "Public/A"), ERR_NONE);
	assert_int_equal(sharing_create(bob, "Public/B"), ERR_NONE);
	assert_int_equal(sharing_save(bob, "Public/A", MAILBOX_SAVE, MSG_SEEN), ERR_NONE);
	from = sharing_box(bob, "Public/A", MAILBOX_WRITE);
	to = sharing_box(bob, "Public/B", MAILBOX_SAVE);
	MUST(mailbox_copy(from, &uid, 1, to, true, s.a, &r, &e), &e);
	mailbox_close(from);
	mailbox_close(to);
	from = sharing_box(bob, "Public/B", MAILBOX_WRITE);
	assert_int_equal(flags(from, 1), MSG_SEEN);
	to = sharing_box(bob, "INBOX", MAILBOX_SAVE);
	MUST(mailbox_copy(from, &uid, 1, to, false, s.a, &r, &e), &e);
	mailbox_close(to);
	mailbox_close(from);
	from = sharing_box(bob, "INBOX", MAILBOX_WRITE);
	assert_int_equal(flags(from, 1), MSG_SEEN);
	mailbox_close(from);
	alice = sharing_open(&s, "alice");
	from = sharing_box(alice, "Public/B", MAILBOX_WRITE);
	assert_int_equal(flags(from, 1), 0);
	mailbox_close(from);
	storage_close(alice);
	storage_close(bob);
	sharing_clear(&s);
}

/*
 * Two sessions of one user and one of another, at random: what a session was told of (new messages, changed flags, expunges) is
 * all that it needs to know the flags of every message.
 */
#define MESSAGES_MAX 400

struct client {
	struct storage *st;
	struct mailbox *box;
	unsigned known[MESSAGES_MAX];	/* by UID */
};

static void
client_open(struct sharing *s, struct client *c, const char *user)
{
	c->st = sharing_open(s, user);
	c->box = sharing_box(c->st, "Public/News", MAILBOX_WRITE);
	for (uint32_t seq = 1; seq <= mailbox_count(c->box); seq++)
		c->known[mailbox_uid(c->box, seq)] = flags(c->box, mailbox_uid(c->box, seq));
	mailbox_read_end(c->box);
}

static void
client_sync(struct client *c, bool check)
{
	struct view_changes vc;
	struct err e = ERR_INIT;
	uint32_t old = mailbox_count(c->box);

	MUST(mailbox_sync(c->box, true, &vc, &e), &e);
	assert_false(vc.gone);
	for (uint32_t seq = old - (uint32_t)vc.expunged_count + 1; seq <= mailbox_count(c->box); seq++)
		c->known[mailbox_uid(c->box, seq)] = flags(c->box, mailbox_uid(c->box, seq));
	for (size_t i = 0; i < vc.flags_count; i++)
		c->known[vc.flags[i]] = flags(c->box, vc.flags[i]);
	for (uint32_t seq = 1; check && seq <= mailbox_count(c->box); seq++) {
		uint32_t uid = mailbox_uid(c->box, seq);

		assert_int_equal(flags(c->box, uid), c->known[uid]);
	}
	mailbox_read_end(c->box);
}

static void
client_act(struct sharing *s, struct client *c, bool model[], uint32_t *last)
{
	static const unsigned some[] = { MSG_SEEN, MSG_FLAGGED, MSG_SEEN | MSG_FLAGGED, MSG_SEEN | MSG_ANSWERED };
	uint32_t count = mailbox_count(c->box), uid = count == 0 ? 0 : mailbox_uid(c->box, 1 + (uint32_t)rand() % count);
	struct flag_change fc = { .op = (enum flag_op)(rand() % 3), .flags = some[rand() % 4] };
	struct err e = ERR_INIT;
	int what = rand() % 20;

	if (what < 3 && *last + 1 < MESSAGES_MAX) {
		bool seen = rand() % 2;

		assert_int_equal(sharing_save(c->st, "Public/News", MAILBOX_SAVE, seen ? MSG_SEEN : 0), ERR_NONE);
		model[++*last] = seen;
	} else if (what == 3 && uid != 0) {
		MUST(mailbox_expunge(c->box, &uid, 1, true, &e), &e);
		client_sync(c, false);
	} else if (uid != 0) {
		MUST(mailbox_store(c->box, &uid, 1, &fc, s->a, NULL, NULL, &e), &e);
		if (fc.op == FLAGS_SET || fc.flags & MSG_SEEN)
			model[uid] = fc.op == FLAGS_REMOVE ? false : (fc.flags & MSG_SEEN) != 0;
	}
}

static void
test_random(void **state)
{
	struct sharing s;
	struct client c[3];
	bool bob[MESSAGES_MAX] = { false }, alice[MESSAGES_MAX] = { false };
	uint32_t last = 0;

	(void)state;
	srand(11);
	memset(c, 0, sizeof(c));
	sharing_init(&s, conf);
	struct storage *first = sharing_open(&s, "bob");

	assert_int_equal(sharing_create(first, "Public/News"), ERR_NONE);
	storage_close(first);
	client_open(&s, &c[0], "bob");
	client_open(&s, &c[1], "bob");
	client_open(&s, &c[2], "alice");
	for (int step = 0; step < 1500; step++) {
		int who = rand() % 3;

		arena_reset(s.a);
		if (rand() % 3 == 0)
			client_sync(&c[who], false);
		client_act(&s, &c[who], who == 2 ? alice : bob, &last);
		if (step % 25 != 0)
			continue;
		for (int i = 0; i < 3; i++)
			client_sync(&c[i], true);
		for (uint32_t seq = 1; seq <= mailbox_count(c[0].box); seq++) {
			uint32_t uid = mailbox_uid(c[0].box, seq);

			assert_int_equal((c[0].known[uid] & MSG_SEEN) != 0, bob[uid]);
			assert_int_equal(c[1].known[uid], c[0].known[uid]);
			assert_int_equal((c[2].known[uid] & MSG_SEEN) != 0, alice[uid]);
			assert_int_equal(c[2].known[uid] & ~(unsigned)MSG_SEEN, c[0].known[uid] & ~(unsigned)MSG_SEEN);
		}
	}
	for (int i = 0; i < 3; i++) {
		mailbox_close(c[i].box);
		storage_close(c[i].st);
	}
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
