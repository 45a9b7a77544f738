/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_SHARING_H
#define CULVER_TESTS_SHARING_H
/* Several users with one configuration, below one directory.  Every failure fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib-storage/storage-priv.h"
#include "lib-config/settings.h"

struct sharing {
	char dir[64];		/* homes are dir/home/USER */
	struct settings *settings;
	struct arena *a;
};

/* A configuration in which DIR stands for the directory. */
void sharing_init(struct sharing *s, const char *conf);
void sharing_clear(struct sharing *s);
struct storage *sharing_open(struct sharing *s, const char *user);
struct storage *sharing_try(struct sharing *s, const char *user, struct err *e);
void sharing_run(struct sharing *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The names that have any of attrs, with a space behind each. */
const char *sharing_names(struct sharing *s, struct storage *st, unsigned attrs);
unsigned sharing_attrs(struct sharing *s, struct storage *st, const char *name);
enum err_code sharing_create(struct storage *st, const char *name);
/* Opens and closes. */
enum err_code sharing_can(struct storage *st, const char *name, enum mailbox_mode mode);
struct mailbox *sharing_box(struct storage *st, const char *name, enum mailbox_mode mode);
enum err_code sharing_save(struct storage *st, const char *name, enum mailbox_mode mode, unsigned flags);
#define MUST(call, e) sharing_must((call), (e), #call)
void sharing_must(int rc, const struct err *e, const char *what);
#endif
