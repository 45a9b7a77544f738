/* SPDX-License-Identifier: MIT */
#include "auth/userdb.h"

#include "auth/passdb.h"
#include "auth/user-name.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define LISTED_MAX ((size_t)1 << 24)

static const struct userdb_driver *
driver_find(struct span name)
{
	static const struct userdb_driver *const drivers[] = { &userdb_static, &userdb_passwd_file, &userdb_passwd,
		&userdb_prefetch };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (span_eq(name, span_str(drivers[i]->name)))
			return drivers[i];
	return NULL;
}

int
userdbs_open(struct auth *a, struct err *e)
{
	a->userdbs = arena_alloc(a->arena, CONF_DBS_MAX, sizeof(*a->userdbs));
	if (a->userdbs == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < a->conf->userdb_count; i++) {
		struct userdb *db = &a->userdbs[i];

		db->auth = a;
		db->conf = &a->conf->userdbs[i];
		db->driver = driver_find(db->conf->driver);
		if (db->driver == NULL)
			return err_set(e, ERR_NOTFOUND, "userdb: unknown driver %.*s", SPAN_ARG(db->conf->driver));
		if (db->driver->open != NULL && db->driver->open(db, e) == -1)
			return err_wrap(e, "userdb %s", db->driver->name);
	}
	return 0;
}

static const struct userdb *
current(const struct request *r)
{
	return &r->auth->userdbs[r->db_idx];
}

/* The key also says that it is a userdb's. */
static bool
ask_cache(const struct userdb *db, struct request *r, enum db_result *out)
{
	struct span parts[4] = { SPAN("userdb"), span_of(&r->db_idx, sizeof(r->db_idx)), r->user };
	struct buf extra = BUF_INIT(16384);
	struct cache_hit hit;
	struct span packed, one;
	struct err e = ERR_INIT;

	r->has_key = r->from_cache = false;
	if (r->auth->conf->cache_size == 0 || db->driver->cache_key == NULL || db->driver->cache_key(db, r, &extra) == -1 ||
	    extra.failed) {
		buf_clear(&extra);
		return false;
	}
	parts[3] = buf_span(&extra);
	r->has_key = cache_make_key(r->auth->cache, parts, 4, &r->key);
	buf_clear(&extra);
	if (!r->has_key || !cache_get(r->auth->cache, clock_ms(), &r->key, SPAN_NONE, &hit))
		return false;
	packed = hit.raw;
	while (hit.known && span_next(&packed, '\0', &one)) {
		size_t eq = span_chr(one, '=');

		if (fields_set(&r->raw, span_sub(one, 0, eq), span_from(one, eq + 1), &e) == -1)
			return false;
	}
	*out = hit.known ? DB_OK : DB_UNKNOWN;
	r->from_cache = true;
	return true;
}

static void
tell_cache(struct request *r, enum db_result result)
{
	struct buf packed = BUF_INIT(65536);

	if (!r->has_key || r->from_cache || (result != DB_OK && result != DB_UNKNOWN))
		return;
	if (result == DB_OK)
		for (const struct field *f = r->raw.first; f != NULL; f = f->next) {
			buf_add(&packed, f->name);
			buf_addc(&packed, '=');
			buf_add(&packed, f->value);
			buf_addc(&packed, '\0');
		}
	if (!packed.failed)
		cache_put(r->auth->cache, clock_ms(), &r->key, r->user, result == DB_OK, buf_span(&packed), SPAN_NONE);
	buf_clear(&packed);
}

static int
take_raw(struct request *r, struct err *e)
{
	struct buf b = BUF_INIT(FIELD_VALUE_MAX);
	int rc = 0;

	for (const struct field *f = r->raw.first; f != NULL && rc == 0; f = f->next) {
		struct span value = f->value;

		if (span_chr(value, '%') < value.n) {
			buf_reset(&b);
			rc = request_expand(r, value, &b, e);
			value = buf_span(&b);
		}
		if (rc == 0)
			rc = fields_set(&r->user_fields, f->name, value, e);
		if (rc == -1)
			err_wrap(e, "field %.*s", SPAN_ARG(span_sub(f->name, 0, 64)));
	}
	buf_clear(&b);
	return rc;
}

static int
take_user(struct request *r, struct err *e)
{
	struct span user = fields_value(&r->user_fields, SPAN("user"));

	if (user.n == 0)
		return 0;
	if (user_name_check(user, r->auth->conf->max_user, e) == -1)
		return err_wrap(e, "field user");
	r->user = user;
	return 0;
}

static enum db_result
accept_fields(const struct userdb *db, struct request *r)
{
	struct err e = ERR_INIT;

	if (request_add_words(r, db->conf->default_fields, &r->user_fields, true, &e) == -1 || take_raw(r, &e) == -1 ||
	    request_add_words(r, db->conf->override_fields, &r->user_fields, false, &e) == -1 || take_user(r, &e) == -1) {
		request_reason(r, "%s", e.log);
		return DB_TEMP;
	}
	if (fields_get(&r->user_fields, SPAN("tempfail")) != NULL) {
		request_reason(r, "the database says tempfail");
		return DB_TEMP;
	}
	return DB_OK;
}

static bool
act(enum db_action action, bool *success)
{
	if (action == ACT_RETURN_OK || action == ACT_CONTINUE_OK)
		*success = true;
	if (action == ACT_RETURN_FAIL || action == ACT_CONTINUE_FAIL)
		*success = false;
	return action == ACT_RETURN_OK || action == ACT_RETURN || action == ACT_RETURN_FAIL;
}

static enum db_result
outcome(const struct request *r)
{
	if (r->db_success)
		return DB_OK;
	return r->any_temp ? DB_TEMP : DB_UNKNOWN;
}

/* True: the chain has ended, and the request been told. */
static bool
conclude(struct request *r, enum db_result result)
{
	const struct userdb *db = current(r);
	bool stop;

	tell_cache(r, result);
	if (result == DB_OK)
		result = accept_fields(db, r);
	if (result == DB_OK) {
		stop = act(db->conf->on_success, &r->db_success);
	} else if (result == DB_UNKNOWN) {
		stop = act(db->conf->on_failure, &r->db_success);
	} else {
		r->any_temp = true;
		r->failed_db = db->driver->name;
		memcpy(r->why, r->reason, sizeof(r->why));
		stop = act(db->conf->on_internal_failure, &r->db_success);
	}
	if (stop)
		request_userdb_done(r, outcome(r));
	return stop;
}

static bool
applies(const struct userdb *db, const struct request *r)
{
	return !(db->conf->skip == SKIP_IF_OK && r->db_success) && !(db->conf->skip == SKIP_IF_NOT_OK && !r->db_success);
}

void
userdb_run(struct request *r)
{
	enum db_result result;

	for (; r->db_idx < r->auth->conf->userdb_count; r->db_idx++) {
		const struct userdb *db = current(r);

		if (!applies(db, r))
			continue;
		fields_init(&r->raw, r->arena);
		r->reason[0] = '\0';
		if (!ask_cache(db, r, &result))
			result = db->driver->lookup(db, r);
		if (result == DB_PENDING || conclude(r, result))
			return;
	}
	request_userdb_done(r, outcome(r));
}

void
userdb_looked_up(struct request *r, enum db_result result)
{
	if (conclude(r, result))
		return;
	r->db_idx++;
	userdb_run(r);
}

/* Each user once, whichever databases have it. */
struct lister {
	struct hash *seen;
	void (*each)(void *ctx, struct span user);
	void *ctx;
};

static void
on_listed(void *ctx, struct span user)
{
	struct lister *l = ctx;
	static char mark;

	if (hash_get(l->seen, user) == NULL && hash_set(l->seen, user, &mark))
		l->each(l->ctx, user);
}

int
userdb_list(struct auth *a, struct span mask, void (*each)(void *ctx, struct span user), void *ctx)
{
	struct lister l = { hash_new(LISTED_MAX), each, ctx };
	int rc = 0;

	if (l.seen == NULL)
		return -1;
	for (size_t i = 0; i < a->conf->userdb_count; i++)
		if (a->userdbs[i].driver->list != NULL && a->userdbs[i].driver->list(&a->userdbs[i], mask, on_listed, &l) == -1)
			rc = -1;
	/* A static userdb knows nobody by name: there the password files tell. */
	if (userdb_must_verify(a) || (a->conf->userdb_count > 0 && hash_count(l.seen) == 0))
		for (size_t i = 0; i < a->conf->passdb_count; i++) {
			const struct passdb_driver *d;

			d = a->passdbs[i].driver;
			if (d->list != NULL && !a->conf->passdbs[i].master && !a->conf->passdbs[i].deny &&
			    d->list(&a->passdbs[i], mask, on_listed, &l) == -1)
				rc = -1;
		}
	hash_free(l.seen);
	return rc;
}
