/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_USER_IDENTITY_H
#define CULVER_AUTH_USER_IDENTITY_H
/* From the fields of a userdb to the identity that a worker becomes. */
#include "auth/request.h"

/* Reads r->user_fields; mail_uid, mail_gid and mail_home where the userdb gives none.  Spans are in r's arena. */
int user_identity_make(struct request *r, struct identity *out, struct err *e);
#endif
