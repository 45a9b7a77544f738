/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_METADATA_DICT_H
#define CULVER_LIB_STORAGE_METADATA_DICT_H
/*
 * Annotations as Dovecot keeps them in a dictionary (mail_attribute_dict = file:...): a line with the key, one with the value.
 * Pure.
 *
 *	priv/<guid of the mailbox>/comment			shared/ likewise; \n, \r, \t, NUL, \001 in values are
 *	the value						^A and n, r, t, 0, 1
 *	priv/<guid of INBOX>/vendor/vendor.dovecot/pvt/server/comment		the server's
 *
 * What a client could not have set here is left out.
 */
#include "lib-storage/metadata-file.h"

/* Those of the mailbox with that GUID, or (server) of the server where INBOX has it.  Spans are in a. */
int metadata_dict_parse(struct span text, struct span guid, bool server, struct arena *a, struct metadata_items *out, struct err *e);
#endif
