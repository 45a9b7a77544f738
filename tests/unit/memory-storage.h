/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_MEMORY_STORAGE_H
#define CULVER_TESTS_MEMORY_STORAGE_H
/*
 * lib-storage's interface over plain memory, in place of the library: for engines that are tested or fuzzed alone.  One user,
 * one store for the whole process; storage_open() is another session of it.  INBOX is always there.
 */
#include "lib-storage/list-match.h"
#include "lib-storage/mailbox.h"

void memory_storage_reset(void);	/* as new; no session may be open */
#endif
