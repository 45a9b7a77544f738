/* SPDX-License-Identifier: MIT */
/*
 * Several messages are renamed into a mailbox one by one, and a process can die between two of them.  The index then has a
 * note (lib-index/batch.c), and a scan that finds some of the files, but not all, puts them back to tmp/, where they are
 * swept in time: nobody was told of them.  Which files: names tell when they were made, and by which process.
 */
#include "lib-storage/maildir/maildir.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/sys.h"

int
maildir_batch_begin(struct maildir_box *box, size_t count, struct idx_batch *out, struct err *e)
{
	*out = (struct idx_batch){ .id = box->id, .pid = (uint32_t)getpid(), .count = (uint32_t)count,
		.begun_us = clock_wall_us() };
	if (count < 2) {
		out->count = 0;
		return 0;
	}
	return index_batch_begin(box->store->ix, out, e);
}

int
maildir_batch_end(struct index_txn *t, const struct idx_batch *b, struct err *e)
{
	return b->count == 0 ? 0 : index_batch_end(t, b, e);
}

void
maildir_batch_forget(struct maildir_box *box, const struct idx_batch *b)
{
	struct err none = ERR_INIT;
	struct index_txn *t;

	/* Where that can not be done either, a scan finds nothing that belongs to it. */
	if (b->count == 0 || index_write(box->store->ix, &t, &none) == -1)
		return;
	if (index_batch_end(t, b, &none) == 0)
		index_commit(t, &none);
	else
		index_abort(t);
}

/* "...M<microseconds>P<pid>.<host>" */
static bool
is_of_process(struct span base, uint32_t pid)
{
	char want[24];
	int n = snprintf(want, sizeof(want), "P%u.", pid);
	size_t at = span_find(base, span_of(want, (size_t)n));

	return at != SIZE_MAX && at > 0 && base.p[at - 1] >= '0' && base.p[at - 1] <= '9';
}

bool
maildir_batch_has(const struct idx_batch *b, const struct maildir_name *n)
{
	return n->sec * 1000000 + n->usec >= b->begun_us && is_of_process(n->base, b->pid);
}
