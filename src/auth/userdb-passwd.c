/* SPDX-License-Identifier: MIT */
/* The system's users.  Their database may be on the network (NSS): it is asked in a thread. */
#include "auth/userdb.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include "auth/user-name.h"

#define ENTRY_MAX (1 << 20)
#define LISTED_MAX 1000000

struct lookup_job {
	struct job job;
	struct request *r;
	char name[USER_NAME_MAX + 1];
	uid_t uid;
	gid_t gid;
	char *home;
	enum db_result result;
};

static void
run_lookup(struct job *j)
{
	struct lookup_job *l = (struct lookup_job *)j;
	struct passwd pw, *found = NULL;
	int rc = ERANGE;

	l->result = DB_TEMP;
	for (size_t room = 2048; rc == ERANGE && room <= ENTRY_MAX; room *= 4) {
		char *entry = malloc(room);

		rc = entry == NULL ? ENOMEM : getpwnam_r(l->name, &pw, entry, room, &found);
		if (rc == 0 && found != NULL) {
			l->uid = pw.pw_uid;
			l->gid = pw.pw_gid;
			l->home = strdup(pw.pw_dir);
		}
		free(entry);
	}
	/* glibc tells an unknown user by several codes. */
	if (found != NULL && rc == 0)
		l->result = l->home == NULL ? DB_TEMP : DB_OK;
	else if (rc == 0 || rc == ENOENT || rc == ESRCH)
		l->result = DB_UNKNOWN;
}

static void
done_lookup(struct job *j)
{
	struct lookup_job *l = (struct lookup_job *)j;
	struct request *r = l->r;
	enum db_result result = l->result;
	struct err e = ERR_INIT;
	char number[24];

	if (!request_resumed(r)) {
		free(l->home);
		free(l);
		return;
	}
	if (result == DB_OK) {
		snprintf(number, sizeof(number), "%lu", (unsigned long)l->uid);
		fields_set(&r->raw, SPAN("uid"), span_str(number), &e);
		snprintf(number, sizeof(number), "%lu", (unsigned long)l->gid);
		fields_set(&r->raw, SPAN("gid"), span_str(number), &e);
		fields_set(&r->raw, SPAN("system_groups_user"), span_str(l->name), &e);
		fields_set(&r->raw, SPAN("home"), span_str(l->home), &e);
		if (e.code != ERR_NONE)
			result = DB_TEMP;
	}
	if (result == DB_TEMP)
		request_reason(r, "%s", e.code == ERR_NONE ? "the system's user database fails" : e.log);
	free(l->home);
	free(l);
	userdb_looked_up(r, result);
}

static enum db_result
passwd_lookup(const struct userdb *db, struct request *r)
{
	struct lookup_job *l = calloc(1, sizeof(*l));

	if (l == NULL || r->user.n >= sizeof(l->name)) {
		free(l);
		return DB_TEMP;
	}
	memcpy(l->name, r->user.p, r->user.n);
	l->job.run = run_lookup;
	l->job.done = done_lookup;
	l->r = r;
	l->result = DB_TEMP;
	if (!workers_submit(db->auth->lookups, &l->job)) {
		free(l);
		request_reason(r, "too many look-ups wait");
		return DB_TEMP;
	}
	r->pending = true;
	return DB_PENDING;
}

static int
passwd_cache_key(const struct userdb *db, struct request *r, struct buf *out)
{
	(void)db;
	(void)r;
	(void)out;
	return 0;	/* nothing but the name */
}

static int
passwd_list(const struct userdb *db, struct span mask, void (*each)(void *ctx, struct span user), void *ctx)
{
	struct passwd *pw;
	size_t count = 0;

	(void)db;
	setpwent();
	while (count++ < LISTED_MAX && (pw = getpwent()) != NULL) {
		struct span user = span_str(pw->pw_name);

		if (pw->pw_uid != 0 && (mask.n == 0 || user_name_matches(mask, user)))
			each(ctx, user);
	}
	endpwent();
	return 0;
}

const struct userdb_driver userdb_passwd = {
	.name = "passwd",
	.lookup = passwd_lookup,
	.cache_key = passwd_cache_key,
	.list = passwd_list,
};
