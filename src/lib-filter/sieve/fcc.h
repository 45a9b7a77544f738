/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_FCC_H
#define CULVER_LIB_FILTER_SIEVE_FCC_H
/* For the commands that send something: vacation, notify. */
#include "lib-filter/sieve/run.h"

struct sieve_checker;

#define SIEVE_FCC_TAGS                                                                                                 \
	{ TAG_FCC, EXT_FCC }, { TAG_CREATE, EXT_MAILBOX }, { TAG_FLAGS, EXT_IMAP4FLAGS }, { TAG_SPECIALUSE, EXT_SPECIAL_USE }, \
	{ TAG_MAILBOXID, EXT_MAILBOXID }

int sieve_check_fcc(struct sieve_checker *c, const struct sieve_node *n);
/* Adds the action that stores text, if :fcc asks for it. */
int sieve_fcc(struct sieve_run *r, const struct sieve_node *n, struct span text);
#endif
