/* SPDX-License-Identifier: MIT */
#include "lib-protocol/session.h"

#include "lib-storage/storage.h"

int
session_storage_open(const struct session_start *ss, const struct storage_params *p, struct storage **out, struct err *e)
{
	struct storage *st = ss->kept == NULL ? NULL : *ss->kept;

	if (st != NULL) {
		*ss->kept = NULL;
		if (storage_wake(st, p->notify_fd)) {
			*out = st;
			return 0;
		}
		/* It must go first: a process may open an index once. */
		storage_close(st);
	}
	return storage_open(p, out, e);
}

void
session_storage_close(const struct session_start *ss, struct storage *st)
{
	if (st != NULL && ss->kept != NULL && storage_rest(st))
		*ss->kept = st;
	else
		storage_close(st);
}
