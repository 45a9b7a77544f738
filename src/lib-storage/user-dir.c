/* SPDX-License-Identifier: MIT */
#include "lib-storage/storage-priv.h"

int
storage_user_dir(struct storage *st, int *fd_out, struct err *e)
{
	struct namespace *ns = NULL;

	for (size_t i = 0; i < st->ns_count && ns == NULL; i++)
		if (st->ns[i].info.inbox)
			ns = &st->ns[i];
	if (ns == NULL || ns->store == NULL || ns->store->drv->box_dir == NULL)
		return err_set(e, ERR_NOTFOUND, "there is no directory for the user's own files");
	return ns->store->drv->box_dir(ns->store->handle, SPAN(""), fd_out, e) == DRV_OK ? 0 : -1;
}
