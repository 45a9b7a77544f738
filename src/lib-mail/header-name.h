/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_HEADER_NAME_H
#define CULVER_LIB_MAIL_HEADER_NAME_H
/*
 * The header fields that Culver knows by name: those of ENVELOPE and BODYSTRUCTURE, and those that mail programs ask
 * for when they list a mailbox (the union of what Thunderbird, mutt, NeoMutt, Outlook, Apple Mail, K-9, Roundcube,
 * Evolution, Claws, alpine, mbsync, offlineimap and Delta Chat send).  The latter are kept in each summary.
 * Ids are stored: new ones go to the end of header-name.def.
 */
#include "lib/span.h"

enum header_id {
	HEADER_UNKNOWN,
#define FIELD(id, name) HEADER_##id,
#include "lib-mail/header-name.def"
#undef FIELD
	HEADER_IDS
};

enum header_id header_id(struct span name);	/* any case; HEADER_UNKNOWN when it is not in the table */
struct span header_id_name(enum header_id id);	/* in its usual spelling; empty for HEADER_UNKNOWN */
#endif
