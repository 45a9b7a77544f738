/* SPDX-License-Identifier: MIT */
/*
 * Ids of mailboxes and UIDVALIDITY are numbers that are given once: the time, or more when many mailboxes are made in one
 * second.  So an index that was made anew must not give any before it has seen those that are in use.
 */
#include "lib-storage/maildir/maildir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/array.h"

#define LIST_ARENA ((size_t)256 << 20)
#define NUMBERS_MAX 1000000
#define BEGIN_TRIES 4
#define KNOWN SPAN("numbers-known")

/* The numbers of one mailbox; one that can not be read has none. */
static bool
note_box(struct maildir_store *s, struct span name, struct array *numbers)
{
	struct maildir_box box = { .store = s, .fd = -1 };
	struct maildir_control c = { 0 };
	struct err e = ERR_INIT;
	bool fits = true;

	box.path = maildir_path(s, name, &e);
	if (s->control != NULL)
		box.control_path = maildir_control_path(s, name, false, &e);
	if (box.path != NULL)
		box.fd = open(box.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (box.fd != -1 && maildir_control_read(&box, &c, &e) == 1) {
		const uint32_t found[] = { c.id, c.uidvalidity };

		for (size_t i = 0; i < 2 && fits; i++) {
			uint32_t *slot = array_push(numbers);

			fits = slot != NULL;
			if (fits)
				*slot = found[i];
		}
		maildir_control_clear(&c);
	}
	if (box.fd != -1)
		close(box.fd);
	free(box.path);
	free(box.control_path);
	return fits;
}

static int
learn(struct maildir_store *s, struct err *e)
{
	struct array numbers = ARRAY_INIT(uint32_t, NUMBERS_MAX);
	struct box_entry *list;
	struct index_txn *t;
	struct arena *a = arena_new(LIST_ARENA);
	size_t count = 0;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	rc = maildir_list(s, a, &list, &count, e) == DRV_OK ? 0 : -1;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (list[i].selectable && !note_box(s, list[i].name, &numbers))
			rc = err_set(e, ERR_LIMIT, "%s: too many mailboxes", s->root);
	arena_free(a);
	if (rc == 0)
		rc = index_write(s->ix, &t, e);
	if (rc == 0) {
		for (size_t i = 0; i < numbers.n && rc == 0; i++)
			rc = index_number_seen(t, *(uint32_t *)array_at(&numbers, i), e);
		if (rc == 0)
			rc = index_put(t, DB_META, KNOWN, SPAN("1"), e);
		if (rc == 0)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	array_clear(&numbers);
	return rc;
}

int
maildir_numbers_begin(struct maildir_store *s, struct index_txn **t, struct err *e)
{
	for (int try = 0; try < BEGIN_TRIES; try++) {
		struct span value;
		int rc;

		/* Asked within: beginning to write is what opens a new index in the place of one that was removed. */
		if (index_write(s->ix, t, e) == -1)
			return -1;
		rc = index_get(*t, DB_META, KNOWN, &value, e);
		if (rc == 1)
			return 0;
		index_abort(*t);
		if (rc == -1 || learn(s, e) == -1)
			return -1;
	}
	return err_set(e, ERR_TEMP, "%s: its index is replaced all the time", s->root);
}
