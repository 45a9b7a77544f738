/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_ADDRESS_SINGLE_H
#define CULVER_LIB_MAIL_ADDRESS_SINGLE_H
/*
 * One address as a user writes it in a rule: "ann@example.org", " Ann B. <ann @ example.org>".  Unlike address.h, which takes
 * what other people's mail has, this one refuses what is not exactly one address: mail is going to be sent there.
 */
#include "lib/arena.h"
#include "lib/buf.h"

#define ADDRESS_SINGLE_MAX 512		/* octets of local@domain: as many as an envelope may have (RFC 5321 asks for 256) */

/*
 * local@domain without name, comments and white space, in a; the local part loses quotes that it does not need.  Dots may
 * stand where they like in it: such addresses are in use.  -1: it is none, or the arena is exhausted.
 */
int address_single_parse(struct arena *a, struct span in, struct span *out);
#endif
