/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_IMAP_FIXTURE_H
#define CULVER_TESTS_IMAP_FIXTURE_H
/* A user with an empty Maildir in a temporary directory, and settings, for tests of the IMAP worker. */
#include "lib-protocol/session.h"
#include "lib-storage/storage.h"

struct imap_fixture {
	char dir[64];
	struct settings *settings;
	struct set_view *view;	/* may be changed with set_view_override() */
};

void imap_fixture_make(struct imap_fixture *f);		/* fails the running test when it can not */
void imap_fixture_clear(struct imap_fixture *f);
void imap_fixture_start(const struct imap_fixture *f, int client_fd, struct session_start *out);
struct storage *imap_fixture_storage(const struct imap_fixture *f);
/* A message in mailbox. */
void imap_fixture_add(struct storage *st, struct span mailbox, struct span text, unsigned flags,
    const struct span *keywords, size_t keyword_count, int64_t internal_date);
#endif
