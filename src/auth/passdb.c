/* SPDX-License-Identifier: MIT */
#include "auth/passdb.h"

#include <stdio.h>
#include <stdlib.h>
#include "auth/user-name.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/netaddr.h"
#include "lib-protocol/password-scheme.h"

const struct passdb_driver *
passdb_driver_find(struct span name)
{
	static const struct passdb_driver *const drivers[] = { &passdb_passwd_file, &passdb_static, &passdb_pam,
		&passdb_shadow, &passdb_passwd };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (span_eq(name, span_str(drivers[i]->name)))
			return drivers[i];
	return NULL;
}

int
passdbs_open(struct auth *a, struct err *e)
{
	a->passdbs = arena_alloc(a->arena, CONF_DBS_MAX, sizeof(*a->passdbs));
	if (a->passdbs == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < a->conf->passdb_count; i++) {
		struct passdb *db = &a->passdbs[i];

		db->auth = a;
		db->conf = &a->conf->passdbs[i];
		db->driver = passdb_driver_find(db->conf->driver);
		if (db->driver == NULL)
			return err_set(e, ERR_NOTFOUND, "passdb: unknown driver %.*s", SPAN_ARG(db->conf->driver));
		if (db->driver->open != NULL && db->driver->open(db, e) == -1)
			return err_wrap(e, "passdb %s", db->driver->name);
	}
	return 0;
}

static const struct passdb *
current(const struct request *r)
{
	return &r->auth->passdbs[r->db_idx];
}

static bool
is_in_words(struct span words, struct span word)
{
	struct span it;

	while (span_next(&words, ' ', &it))
		if (span_ieq(span_trim(it), word))
			return true;
	return false;
}

static bool
applies(const struct passdb *db, const struct request *r)
{
	const struct db_conf *c = db->conf;

	if (c->master != r->master_phase)
		return false;
	if ((c->skip == SKIP_IF_OK && r->db_success) || (c->skip == SKIP_IF_NOT_OK && !r->db_success))
		return false;
	if (c->mechanisms.n > 0 && !is_in_words(c->mechanisms, r->lookup_only ? SPAN("lookup") : span_str(r->mech_name)))
		return false;
	return user_name_passes_filter(c->username_filter, r->user);
}

/* Only whether the user is there matters: for look-ups, deny databases, and after another passdb has said yes. */
static bool
is_lookup(const struct passdb *db, const struct request *r)
{
	return r->lookup_only || r->db_success || db->conf->deny;
}

/* raw is kept in the cache as "name=value" NUL. */
static void
pack(const struct fields *f, struct buf *out)
{
	for (const struct field *it = f->first; it != NULL; it = it->next) {
		buf_add(out, it->name);
		buf_addc(out, '=');
		buf_add(out, it->value);
		buf_addc(out, '\0');
	}
}

static bool
unpack(struct span packed, struct fields *f)
{
	struct err e = ERR_INIT;
	struct span one;

	while (span_next(&packed, '\0', &one)) {
		size_t eq = span_chr(one, '=');

		if (fields_set(f, span_sub(one, 0, eq), span_from(one, eq + 1), &e) == -1)
			return false;
	}
	return true;
}

/* True: *out is the answer. */
static bool
ask_cache(const struct passdb *db, struct request *r, enum db_result *out)
{
	struct span parts[3] = { span_of(&r->db_idx, sizeof(r->db_idx)), r->user };
	struct buf extra = BUF_INIT(16384);
	struct cache_hit hit;
	struct auth *a = r->auth;

	r->has_key = r->from_cache = false;
	if (a->conf->cache_size == 0 || db->driver->cache_key == NULL || db->driver->cache_key(db, r, &extra) == -1 ||
	    extra.failed) {
		buf_wipe(&extra);
		return false;
	}
	parts[2] = buf_span(&extra);
	r->has_key = cache_make_key(a->cache, parts, 3, &r->key);
	buf_wipe(&extra);
	if (!r->has_key || !cache_get(a->cache, clock_ms(), &r->key, buf_span(&r->password), &hit))
		return false;
	if (!hit.known) {
		*out = DB_UNKNOWN;
	} else {
		/* Another password than the remembered one: perhaps it was changed.  The database decides. */
		if ((!is_lookup(db, r) && !hit.password_right) || !unpack(hit.raw, &r->raw))
			return false;
		*out = DB_OK;
	}
	r->from_cache = true;
	return true;
}

static void
tell_cache(const struct passdb *db, struct request *r, enum db_result result)
{
	struct buf raw = BUF_INIT(65536);
	/* A look-up has proved no password. */
	struct span password = is_lookup(db, r) ? SPAN_NONE : span_of(r->password.p == NULL ? "" : r->password.p, r->password.n);

	if (!r->has_key || r->from_cache)
		return;
	if (result == DB_UNKNOWN) {
		cache_put(r->auth->cache, clock_ms(), &r->key, r->user, false, SPAN_NONE, SPAN_NONE);
	} else if (result == DB_OK && password.p != NULL) {
		pack(&r->raw, &raw);
		if (!raw.failed)
			cache_put(r->auth->cache, clock_ms(), &r->key, r->user, true, buf_span(&raw), password);
	}
	buf_wipe(&raw);
}

struct verify_job {
	struct job job;
	struct request *r;
	struct buf stored, password;
	struct span default_scheme;
	enum pw_verdict verdict;
	struct err e;
};

static void
run_verify(struct job *j)
{
	struct verify_job *v = (struct verify_job *)j;
	struct pw_hash h;

	v->verdict = PW_BROKEN;
	if (pw_parse(buf_span(&v->stored), v->default_scheme, &h, &v->e) == 0)
		v->verdict = pw_verify(&h, buf_span(&v->password), &v->e);
}

static enum db_result
of_verdict(struct request *r, enum pw_verdict verdict, const struct err *e)
{
	switch (verdict) {
	case PW_MATCH:
		return DB_OK;
	case PW_MISMATCH:
		return DB_MISMATCH;
	case PW_BROKEN:
		break;
	}
	request_reason(r, "%s", e->log);
	return DB_TEMP;
}

static void
done_verify(struct job *j)
{
	struct verify_job *v = (struct verify_job *)j;
	struct request *r = v->r;
	enum pw_verdict verdict = v->verdict;
	struct err e = v->e;

	buf_wipe(&v->stored);
	buf_wipe(&v->password);
	free(v);
	if (request_resumed(r))
		passdb_verified(r, of_verdict(r, verdict, &e));
}

static enum db_result
verify_in_thread(struct request *r, struct span default_scheme)
{
	struct verify_job *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return DB_TEMP;
	v->job.run = run_verify;
	v->job.done = done_verify;
	v->r = r;
	v->default_scheme = default_scheme;
	v->verdict = PW_BROKEN;
	buf_init(&v->stored, PW_STORED_MAX);
	buf_init(&v->password, MECH_RESPONSE_MAX);
	buf_add(&v->stored, r->db_password);
	buf_add(&v->password, buf_span(&r->password));
	if (!v->stored.failed && !v->password.failed && workers_submit(r->auth->hashers, &v->job)) {
		r->pending = true;
		return DB_PENDING;
	}
	buf_wipe(&v->stored);
	buf_wipe(&v->password);
	free(v);
	request_reason(r, "too many passwords wait to be checked");
	return DB_TEMP;
}

/* The user is there, with r->db_password and r->raw. */
static enum db_result
compare(const struct passdb *db, struct request *r)
{
	struct err e = ERR_INIT;
	struct pw_hash h;

	if (is_lookup(db, r) || fields_is_true(&r->raw, SPAN("nopassword")))
		return DB_OK;
	if (r->db_password.n == 0) {
		request_reason(r, "no password in the passdb");
		return DB_MISMATCH;
	}
	if (pw_parse(r->db_password, db->driver->default_scheme, &h, &e) == -1)
		return of_verdict(r, PW_BROKEN, &e);
	if (pw_is_slow(&h))
		return verify_in_thread(r, db->driver->default_scheme);
	return of_verdict(r, pw_verify(&h, buf_span(&r->password), &e), &e);
}

static enum db_result
try_one(const struct passdb *db, struct request *r)
{
	enum db_result result;

	fields_init(&r->raw, r->arena);
	r->db_password = SPAN_NONE;
	r->reason[0] = '\0';
	if (ask_cache(db, r, &result))
		return result;
	if (is_lookup(db, r) && db->driver->lookup == NULL) {
		request_reason(r, "this passdb can not look users up without their password");
		return DB_NO_LOOKUP;
	}
	if (db->driver->verify != NULL && !is_lookup(db, r))
		return db->driver->verify(db, r);
	result = db->driver->lookup(db, r);
	return result == DB_OK ? compare(db, r) : result;
}

/* allow_nets: "192.0.2.0/24,2001:db8::/32,local". */
static bool
net_is_allowed(const struct request *r, struct span nets)
{
	struct netaddr addr, net;
	bool have_addr = r->params.rip.n > 0 && netaddr_parse(r->params.rip, &addr);
	struct span one;

	while (span_next(&nets, ',', &one)) {
		one = span_trim(one);
		if (span_eq(one, SPAN("local"))) {
			if (r->params.rip.n == 0)
				return true;
		} else if (have_addr && netaddr_parse(one, &net) && netaddr_in(&addr, &net)) {
			return true;
		}
	}
	return false;
}

static int
take_field(struct request *r, struct span name, struct span value, bool only_new, struct err *e)
{
	if (span_eq(name, SPAN("password")) || span_eq(name, SPAN("pass")))
		return 0;
	if (span_eq(name, SPAN("user")) || span_eq(name, SPAN("username"))) {
		struct span kept;

		if (only_new)
			return 0;
		if (user_name_check(value, r->auth->conf->max_user, e) == -1)
			return err_wrap(e, "field user");
		kept = arena_dup(r->arena, value);
		if (kept.p == NULL)
			return err_set(e, ERR_LIMIT, "no room for a user name");
		r->user = kept;
		return 0;
	}
	if (!r->wants_proxy && (span_istarts(name, SPAN("proxy")) || span_eq(name, SPAN("host")))) {
		/* A look-up is no login. */
		if (r->lookup_only)
			return 0;
		log_warning("field %.*s of a passdb is ignored: logins are not proxied", SPAN_ARG(name));
		return 0;
	}
	if (span_starts(name, SPAN("userdb_"))) {
		name = span_from(name, 7);
		return only_new && fields_get(&r->prefetch, name) != NULL ? 0 : fields_set(&r->prefetch, name, value, e);
	}
	return only_new && fields_get(&r->pass_fields, name) != NULL ? 0 : fields_set(&r->pass_fields, name, value, e);
}

static int
take_fields(struct request *r, const struct fields *f, bool expand, bool only_new, struct err *e)
{
	struct buf b = BUF_INIT(FIELD_VALUE_MAX);
	int rc = 0;

	for (const struct field *it = f->first; it != NULL && rc == 0; it = it->next) {
		struct span value = it->value;

		if (expand && span_chr(value, '%') < value.n) {
			buf_reset(&b);
			rc = request_expand(r, value, &b, e);
			value = buf_span(&b);
		}
		if (rc == 0)
			rc = take_field(r, it->name, value, only_new, e);
		if (rc == -1)
			err_wrap(e, "field %.*s", SPAN_ARG(span_sub(it->name, 0, 64)));
	}
	buf_wipe(&b);
	return rc;
}

static int
take_words(struct request *r, struct span words, bool only_new, struct err *e)
{
	struct fields f;

	if (words.n == 0)
		return 0;
	fields_init(&f, r->arena);
	if (request_add_words(r, words, &f, false, e) == -1)
		return -1;
	return take_fields(r, &f, false, only_new, e);
}

/* The database has said yes: its fields become the request's. */
static enum db_result
accept_fields(const struct passdb *db, struct request *r)
{
	struct err e = ERR_INIT;
	struct span nets;

	if (take_words(r, db->conf->default_fields, true, &e) == -1 || take_fields(r, &r->raw, true, false, &e) == -1 ||
	    take_words(r, db->conf->override_fields, false, &e) == -1) {
		request_reason(r, "%s", e.log);
		return DB_TEMP;
	}
	nets = fields_value(&r->pass_fields, SPAN("allow_nets"));
	if (nets.p != NULL && !is_lookup(db, r) && !net_is_allowed(r, nets)) {
		request_reason(r, "allow_nets: the address is not in the allowed networks");
		return DB_MISMATCH;
	}
	return DB_OK;
}

static int
rank(enum db_result result)
{
	switch (result) {
	case DB_UNKNOWN:
		return 0;
	case DB_MISMATCH:
		return 1;
	case DB_EXPIRED:
		return 2;
	case DB_DISABLED:
		return 3;
	case DB_NO_LOOKUP:
		return 4;
	case DB_TEMP:
		return 5;
	case DB_OK:
	case DB_PENDING:
		break;
	}
	return -1;
}

static void
note_failure(const struct passdb *db, struct request *r, enum db_result result)
{
	if (r->failed_db == NULL || rank(result) >= rank(r->worst)) {
		r->worst = result;
		r->failed_db = db->driver->name;
		memcpy(r->why, r->reason, sizeof(r->why));
	}
}

/* Whether the chain ends here; *success is what it has come to. */
static bool
act(enum db_action action, bool *success)
{
	switch (action) {
	case ACT_RETURN_OK:
		*success = true;
		return true;
	case ACT_RETURN:
		return true;
	case ACT_RETURN_FAIL:
		*success = false;
		return true;
	case ACT_CONTINUE:
		return false;
	case ACT_CONTINUE_OK:
		*success = true;
		return false;
	case ACT_CONTINUE_FAIL:
		*success = false;
		return false;
	}
	return true;
}

/* What follows from one database's answer.  True: the chain has ended, and the request been told. */
static bool
conclude(struct request *r, enum db_result result)
{
	const struct passdb *db = current(r);
	bool stop;

	tell_cache(db, r, result);
	if (db->conf->deny) {
		/* A list of the banned that can not be read must not let everybody in. */
		if (result == DB_UNKNOWN)
			return false;
		r->failed_db = db->driver->name;
		if (result == DB_OK)
			snprintf(r->why, sizeof(r->why), "user is in a passdb with deny=yes");
		else
			memcpy(r->why, r->reason, sizeof(r->why));
		request_passdb_done(r, result == DB_OK ? DB_MISMATCH : DB_TEMP);
		return true;
	}
	if (result == DB_OK)
		result = accept_fields(db, r);
	if (result == DB_OK) {
		stop = act(db->conf->on_success, &r->db_success);
	} else {
		note_failure(db, r, result);
		if (result == DB_TEMP || result == DB_NO_LOOKUP) {
			request_log(r, db->driver->name, r->reason[0] == '\0' ? "Temporary failure" : r->reason);
			stop = act(db->conf->on_internal_failure, &r->db_success);
		} else {
			stop = act(db->conf->on_failure, &r->db_success);
		}
	}
	if (stop)
		request_passdb_done(r, r->db_success ? DB_OK : r->worst);
	return stop;
}

void
passdb_run(struct request *r)
{
	enum db_result result;

	for (; r->db_idx < r->auth->conf->passdb_count; r->db_idx++) {
		if (!applies(current(r), r))
			continue;
		result = try_one(current(r), r);
		if (result == DB_PENDING || conclude(r, result))
			return;
	}
	request_passdb_done(r, r->db_success ? DB_OK : r->worst);
}

void
passdb_verified(struct request *r, enum db_result result)
{
	if (conclude(r, result))
		return;
	r->db_idx++;
	passdb_run(r);
}

void
passdb_looked_up(struct request *r, enum db_result result)
{
	if (result == DB_OK)
		result = compare(current(r), r);
	if (result != DB_PENDING)
		passdb_verified(r, result);
}
