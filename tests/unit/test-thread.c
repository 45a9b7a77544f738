/* SPDX-License-Identifier: MIT */
/* THREAD of mail that was made to be threaded badly: every message is in the answer once, and it takes no time. */
#include <stdio.h>
#include <stdlib.h>
#include "lib-storage/sort.h"
#include "lib-storage/thread.h"
#include "storage-fixture.h"
#include "testing.h"

#define RANDOM_MESSAGES 400
#define CHAIN 3000

static void
save_reply(struct mailbox *box, unsigned number, const char *subject, const char *references)
{
	char *text = NULL;

	assert_true(asprintf(&text, "Message-ID: <%u@example.org>\nSubject: %s\nDate: Mon, 2 Nov 2026 %02u:%02u:00 +0000\n"
	    "References: %s\n\ntext\n", number, subject, number / 60 % 24, number % 60, references) > 0);
	save_text(box, text, 0);
	free(text);
}

/* Each message once, below nodes that are there once; how deep the tree is. */
static size_t
check_tree(const struct thread_tree *tree, uint32_t count, struct arena *a)
{
	bool *seen = arena_alloc(a, count + 1, sizeof(*seen));
	uint32_t *stack = arena_alloc(a, 3 * count + 10, sizeof(*stack)), *depths = arena_alloc(a, 3 * count + 10, sizeof(*depths));
	size_t n = 1, deepest = 0, messages = 0;

	assert_non_null(seen);
	assert_non_null(stack);
	assert_non_null(depths);
	while (n > 0) {
		const struct thread_node *node = &tree->nodes[stack[--n]];
		uint32_t depth = depths[n];

		deepest = depth > deepest ? depth : deepest;
		if (node->seq != 0) {
			assert_in_range(node->seq, 1, count);
			assert_false(seen[node->seq]);
			seen[node->seq] = true;
			messages++;
		} else if (stack[n] != 0) {
			assert_true(node->count > 1);	/* nobody is held together by a dummy alone */
		}
		for (uint32_t i = 0; i < node->count; i++) {
			assert_true(n < 3 * count + 10);
			stack[n] = tree->order[node->first + i];
			depths[n++] = depth + 1;
		}
	}
	assert_int_equal(messages, count);
	return deepest;
}

static size_t
thread_all(struct fixture *f, struct mailbox *box, enum thread_algorithm how)
{
	uint32_t count = mailbox_count(box), *seqs = arena_alloc(f->a, count + 1, sizeof(*seqs));
	struct thread_tree tree;
	struct err e = ERR_INIT;

	assert_non_null(seqs);
	for (uint32_t i = 0; i < count; i++)
		seqs[i] = i + 1;
	MUST(thread_messages(box, how, seqs, count, f->a, &tree, &e), &e);
	return check_tree(&tree, count, f->a);
}

static void
test_random(void **state)
{
	static const char *const subjects[] = { "one", "Re: one", "two", "Re: two", "", "Fwd: three", "three" };
	struct view_changes vc;
	struct fixture f;
	struct mailbox *box;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	srand(4711);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= RANDOM_MESSAGES; i++) {
		char refs[512] = "";
		size_t n = 0;

		/* Of messages before and after, of none, of itself, in circles. */
		for (int k = rand() % 6; k > 0; k--)
			n += (size_t)snprintf(refs + n, sizeof(refs) - n, " <%u@example.org>", (unsigned)rand() % (RANDOM_MESSAGES + 100));
		save_reply(box, (unsigned)rand() % 10 == 0 ? 7 : i, subjects[(size_t)rand() % 7], refs);
	}
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), RANDOM_MESSAGES);
	thread_all(&f, box, THREAD_REFERENCES);
	assert_int_equal(thread_all(&f, box, THREAD_ORDEREDSUBJECT), 2);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_chain(void **state)
{
	struct view_changes vc;
	struct fixture f;
	struct mailbox *box;
	char refs[64];

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= CHAIN; i++) {
		snprintf(refs, sizeof(refs), "<%u@example.org>", i + 1);	/* the answer comes before what it answers */
		save_reply(box, i, "chain", refs);
	}
	sync_box(box, &vc);
	assert_int_equal(thread_all(&f, box, THREAD_REFERENCES), CHAIN);
	mailbox_close(box);
	fixture_clear(&f);
}

/* A header larger than a summary keeps: its fields come from the file. */
static void
test_long_header(void **state)
{
	static const struct sort_criterion by_subject = { SORT_SUBJECT, false };
	struct fixture f;
	struct mailbox *box;
	struct view_changes vc;
	struct err e = ERR_INIT;
	uint32_t seqs[2] = { 1, 2 };
	size_t count = 2;
	char *text = malloc(70000);

	(void)state;
	assert_non_null(text);
	strcpy(text, "Received: ");
	memset(text + 10, 'x', 60000);
	strcpy(text + 60010, "\nSubject: b\n\ntext\n");
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_text(box, text, 0);
	save_text(box, "Subject: a\n\ntext\n", 0);
	sync_box(box, &vc);
	MUST(sort_messages(box, &by_subject, 1, seqs, &count, 1 << 20, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(seqs[0], 2);
	/* The keys have a limit. */
	assert_int_equal(sort_messages(box, &by_subject, 1, seqs, &count, 100, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	free(text);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Files that nobody has looked at yet: when they came is in none of the records. */
static void
test_arrival_of_foreign_files(void **state)
{
	static const struct sort_criterion by[] = { { SORT_SUBJECT, false }, { SORT_ARRIVAL, false } };
	struct fixture f;
	struct mailbox *box;
	struct view_changes vc;
	struct err e = ERR_INIT;
	uint32_t seqs[3] = { 1, 2, 3 };
	size_t count = 3;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	mailbox_close(box_of(f.st, "INBOX", MAILBOX_WRITE));
	fixture_run(&f, "cd Maildir/cur; for i in 1 2 3; do printf 'Subject: same\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n\n\n' "
	    ">100$i.a.host:2,; touch -d @$((2000000 - i)) 100$i.a.host:2,; done");
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 3);
	MUST(sort_messages(box, by, 2, seqs, &count, 1 << 20, &e), &e);
	assert_int_equal(count, 3);
	assert_int_equal(seqs[0], 3);
	assert_int_equal(seqs[1], 2);
	assert_int_equal(seqs[2], 1);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_long_header),
		cmocka_unit_test(test_arrival_of_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
