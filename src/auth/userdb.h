/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_USERDB_H
#define CULVER_AUTH_USERDB_H
/* User databases and their chain; as passdb.h. */
#include "auth/auth.h"
#include "auth/request.h"

struct userdb {
	struct auth *auth;
	const struct db_conf *conf;
	const struct userdb_driver *driver;
	void *priv;
};

struct userdb_driver {
	const char *name;
	int (*open)(struct userdb *db, struct err *e);
	/* DB_OK: r->raw has the fields. */
	enum db_result (*lookup)(const struct userdb *db, struct request *r);
	int (*cache_key)(const struct userdb *db, struct request *r, struct buf *out);	/* NULL: never remembered */
	int (*list)(const struct userdb *db, struct span mask, void (*each)(void *ctx, struct span user), void *ctx);
};

extern const struct userdb_driver userdb_static, userdb_passwd_file, userdb_passwd, userdb_prefetch;

int userdbs_open(struct auth *a, struct err *e);
/* Whether a look-up must ask the passdbs first whether the user exists (static, without allow_all_users). */
bool userdb_must_verify(const struct auth *a);
/* Runs the chain over r; ends with request_userdb_done(). */
void userdb_run(struct request *r);
void userdb_looked_up(struct request *r, enum db_result result);
/* All users that the databases can list. */
int userdb_list(struct auth *a, struct span mask, void (*each)(void *ctx, struct span user), void *ctx);
#endif
