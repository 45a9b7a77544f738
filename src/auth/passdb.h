/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_PASSDB_H
#define CULVER_AUTH_PASSDB_H
/*
 * Password databases and their chain.  A driver either looks a user up (then the chain compares the password), or checks
 * the password itself.  A function that gives DB_PENDING has kept the request, and calls passdb_looked_up() or
 * passdb_verified() later from the loop, exactly once.
 */
#include "auth/auth.h"
#include "auth/request.h"

struct passdb {
	struct auth *auth;
	const struct db_conf *conf;
	const struct passdb_driver *driver;
	void *priv;		/* the driver's, in the arena of auth */
};

struct passdb_driver {
	const char *name;
	bool needs_helper;
	struct span default_scheme;
	int (*open)(struct passdb *db, struct err *e);
	/* DB_OK: r->db_password and r->raw are what the database has.  NULL: this database can not look users up. */
	enum db_result (*lookup)(const struct passdb *db, struct request *r);
	enum db_result (*verify)(const struct passdb *db, struct request *r);
	/* Appends what the answer depends on besides the user name; -1: this one is not to be remembered.  NULL: never. */
	int (*cache_key)(const struct passdb *db, struct request *r, struct buf *out);
	/* Calls each() with the user names that match; NULL: can not. */
	int (*list)(const struct passdb *db, struct span mask, void (*each)(void *ctx, struct span user), void *ctx);
};

extern const struct passdb_driver passdb_passwd_file, passdb_static, passdb_pam, passdb_shadow, passdb_passwd;

const struct passdb_driver *passdb_driver_find(struct span name);
int passdbs_open(struct auth *a, struct err *e);
/* Runs the chain over r; ends with request_passdb_done(). */
void passdb_run(struct request *r);
void passdb_looked_up(struct request *r, enum db_result result);
void passdb_verified(struct request *r, enum db_result result);
#endif
