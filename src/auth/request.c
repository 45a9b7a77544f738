/* SPDX-License-Identifier: MIT */
#include "auth/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "auth/fail-log.h"
#include "auth/login-token.h"
#include "auth/passdb.h"
#include "auth/user-identity.h"
#include "auth/user-name.h"
#include "auth/userdb.h"
#include "lib/log.h"
#include "lib/sys.h"

#define ARENA_MAX 262144
#define TEXT_MAX 512

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents);

static struct span
keep(struct request *r, struct span s)
{
	return s.n == 0 ? span_of("", 0) : arena_dup(r->arena, s);
}

struct request *
request_new(struct auth *a, const struct request_params *p)
{
	struct request *r;

	if (a->request_count >= a->conf->max_requests || (r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->arena = arena_new(ARENA_MAX);
	if (r->arena == NULL) {
		free(r);
		return NULL;
	}
	r->auth = a;
	r->params = *p;
	r->params.service = keep(r, p->service);
	r->params.rip = keep(r, p->rip);
	r->params.lip = keep(r, p->lip);
	r->params.session = keep(r, p->session);
	r->params.local_name = keep(r, p->local_name);
	buf_init(&r->password, MECH_RESPONSE_MAX);
	fields_init(&r->raw, r->arena);
	fields_init(&r->pass_fields, r->arena);
	fields_init(&r->prefetch, r->arena);
	fields_init(&r->user_fields, r->arena);
	ev_timer_init(&r->timer, on_timer, 0., 0.);
	r->timer.data = r;
	a->request_count++;
	if (r->params.service.p == NULL || r->params.rip.p == NULL || r->params.lip.p == NULL ||
	    r->params.session.p == NULL || r->params.local_name.p == NULL) {
		request_abort(r);
		return NULL;
	}
	return r;
}

static void
undelay(struct request *r)
{
	if (r->at == NULL)
		return;
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	else
		r->auth->delayed_last = r->at;
	r->at = NULL;
	r->auth->delayed_count--;
}

static void
request_free(struct request *r)
{
	ev_timer_stop(r->auth->loop, &r->timer);
	undelay(r);
	if (r->state != REQ_DELAY)
		r->auth->request_count--;
	mech_free(r->mech);
	buf_wipe(&r->password);
	if (r->db_password.n > 0)
		explicit_bzero((char *)(uintptr_t)r->db_password.p, r->db_password.n);
	arena_free(r->arena);
	free(r);
}

void
request_abort(struct request *r)
{
	r->notify = NULL;
	r->aborted = true;
	if (!r->pending)
		request_free(r);
}

bool
request_resumed(struct request *r)
{
	r->pending = false;
	if (!r->aborted)
		return true;
	request_free(r);
	return false;
}

void
request_reason(struct request *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
}

/* The last word to the owner; r is gone after it. */
static void
end(struct request *r, enum request_event event)
{
	r->pending = true;	/* an abort from inside notify must not free it twice */
	ev_timer_stop(r->auth->loop, &r->timer);
	if (r->notify != NULL)
		r->notify(r, event);
	request_free(r);
}

static void
wait_for(struct request *r, uint64_t ms)
{
	/* From now, not from when the loop's turn began. */
	ev_now_update(r->auth->loop);
	ev_timer_stop(r->auth->loop, &r->timer);
	ev_timer_set(&r->timer, (double)ms / 1000, 0.);
	ev_timer_start(r->auth->loop, &r->timer);
}

/*
 * Holds a refusal back.  The password and the mechanism are freed first, and of too many the oldest is answered at once:
 * a flood of failures costs a bounded amount of memory and takes no place from honest logins.
 */
static void
delay(struct request *r, uint64_t ms)
{
	struct auth *a = r->auth;

	if (a->delayed_count >= a->conf->max_requests)
		end(a->delayed, REQ_FAIL);
	mech_free(r->mech);
	r->mech = NULL;
	buf_wipe(&r->password);
	r->state = REQ_DELAY;
	a->request_count--;
	r->next = NULL;
	r->at = a->delayed_last;
	*a->delayed_last = r;
	a->delayed_last = &r->next;
	a->delayed_count++;
	wait_for(r, ms);
}

static void
fail(struct request *r, enum auth_fail code)
{
	struct auth *a = r->auth;
	bool is_guess = code == AUTH_FAIL_CREDENTIALS || code == AUTH_FAIL_DISABLED || code == AUTH_FAIL_EXPIRED;

	r->fail = code;
	if (is_guess && !r->params.no_penalty)
		penalty_failed(a->penalty, clock_ms(), r->params.rip, r->user, buf_span(&r->password));
	if (is_guess && a->conf->failure_delay_ms > 0 && !fields_is_true(&r->pass_fields, SPAN("nodelay")) &&
	    !r->checks_existence)
		delay(r, a->conf->failure_delay_ms);
	else
		end(r, REQ_FAIL);
}

/* A failure that no database is named in. */
static void
fail_early(struct request *r, enum auth_fail code, const char *why)
{
	fail_log(r, "auth", why);
	fail(r, code);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct request *r = w->data;

	(void)loop;
	(void)revents;
	switch (r->state) {
	case REQ_SASL:
		fail_early(r, AUTH_FAIL_TEMP, "Timeout: the exchange was not finished within auth_timeout");
		break;
	case REQ_HELD:
		r->state = REQ_PASSDB;
		passdb_run(r);
		break;
	case REQ_DELAY:
		end(r, REQ_FAIL);
		break;
	case REQ_NEW:
	case REQ_PASSDB:
	case REQ_USERDB:
	case REQ_ENDED:
		break;
	}
}

/* The user is known and checked: on to the password databases, after what the address has earned itself. */
static void
begin_passdb(struct request *r)
{
	uint64_t held = r->params.no_penalty ? 0 : penalty_ms(r->auth->penalty, clock_ms(), r->params.rip);

	ev_timer_stop(r->auth->loop, &r->timer);
	r->worst = DB_UNKNOWN;
	if (held > 0) {
		r->state = REQ_HELD;
		wait_for(r, held);
		return;
	}
	r->state = REQ_PASSDB;
	passdb_run(r);
}

/*
 * Who wants to be whom: "user", "user*master" (auth_master_user_separator), or an authorization id besides the
 * authentication id, which only a master user may have.
 */
static int
set_names(struct request *r, struct span authcid, struct span authzid, struct err *e)
{
	const struct auth_conf *c = r->auth->conf;
	size_t at = c->master_separator == 0 ? authcid.n : span_chr(authcid, c->master_separator);

	r->login_user = keep(r, authcid);
	if (at < authcid.n) {
		if (authzid.n > 0)
			return err_set(e, ERR_SYNTAX, "both an authorization id and a master user's separator");
		authzid = span_sub(authcid, 0, at);
		authcid = span_from(authcid, at + 1);
	}
	if (user_name_make(c, authcid, r->arena, &r->user, e) == -1)
		return -1;
	if (authzid.n == 0)
		return 0;
	if (user_name_make(c, authzid, r->arena, &r->login_user, e) == -1)
		return err_wrap(e, "requested user");
	/* The same name in another spelling is no master login. */
	r->master_phase = !span_eq(r->login_user, r->user);
	return 0;
}

static void
have_credentials(struct request *r, struct span authcid, struct span authzid, struct span password)
{
	const struct auth_conf *c = r->auth->conf;
	struct err e = ERR_INIT;

	buf_add(&r->password, password);
	if (r->password.failed || password.n > c->max_password) {
		r->user = keep(r, span_sub(authcid, 0, c->max_user));
		fail_early(r, AUTH_FAIL_CREDENTIALS, "Password mismatch (longer than auth_max_password_length)");
	} else if (set_names(r, authcid, authzid, &e) == -1) {
		char why[300];

		snprintf(why, sizeof(why), "Invalid credentials (%s)", e.log);
		r->user = keep(r, span_sub(authcid, 0, c->max_user));
		fail_early(r, AUTH_FAIL_CREDENTIALS, why);
	} else {
		begin_passdb(r);
	}
}

static void
sasl_step(struct request *r, bool has_data, struct span data)
{
	const struct mech_credentials *cred;

	switch (mech_step(r->mech, has_data, data, &r->challenge)) {
	case MECH_CHALLENGE:
		if (!ev_is_active(&r->timer))
			wait_for(r, r->auth->conf->timeout_ms);
		r->notify(r, REQ_CHALLENGE);
		return;
	case MECH_CREDENTIALS:
		cred = mech_credentials(r->mech);
		have_credentials(r, cred->authcid, cred->authzid, cred->password);
		return;
	case MECH_BAD:
		fail_early(r, AUTH_FAIL_PROTOCOL, "Malformed SASL response");
		return;
	case MECH_TEMP:
		fail_early(r, AUTH_FAIL_TEMP, "Out of memory");
		return;
	}
}

void
request_start_sasl(struct request *r, struct span mech, bool has_data, struct span data)
{
	struct err e = ERR_INIT;

	r->mech_name = mech_find(mech, r->auth->conf->mechanisms);
	if (r->mech_name == NULL) {
		fail_early(r, AUTH_FAIL_MECH, "Mechanism is not offered");
		return;
	}
	if (r->params.refuse_plaintext && r->auth->conf->disable_plaintext && !r->params.secured &&
	    (r->params.rip.n == 0 || !span_eq(r->params.rip, r->params.lip))) {
		fail_early(r, AUTH_FAIL_PLAINTEXT, "Plaintext password without TLS refused (disable_plaintext_auth)");
		return;
	}
	r->mech = mech_new(r->mech_name, "culver", &e);
	if (r->mech == NULL) {
		fail_early(r, AUTH_FAIL_TEMP, e.log);
		return;
	}
	r->state = REQ_SASL;
	sasl_step(r, has_data, data);
}

void
request_continue(struct request *r, struct span data)
{
	/* An answer that nobody asked for: the credentials are being looked at already. */
	if (r->state != REQ_SASL)
		return;
	sasl_step(r, true, data);
}

void
request_start_plain(struct request *r, struct span user, struct span password)
{
	r->mech_name = "PLAIN";
	if (password.n > 0 && memchr(password.p, '\0', password.n) != NULL) {
		fail_early(r, AUTH_FAIL_PROTOCOL, "Password with a NUL");
		return;
	}
	have_credentials(r, user, SPAN_NONE, password);
}

static int
start_named(struct request *r, struct span user)
{
	struct err e = ERR_INIT;

	r->login_user = keep(r, user);
	if (user_name_make(r->auth->conf, user, r->arena, &r->user, &e) == 0)
		return 0;
	log_debug("look-up refused: %s", e.log);
	r->fail = AUTH_FAIL_NO_USER;
	end(r, REQ_FAIL);
	return -1;
}

static void
begin_userdb(struct request *r)
{
	r->state = REQ_USERDB;
	r->db_idx = 0;
	r->db_success = r->any_temp = false;
	r->worst = DB_UNKNOWN;
	userdb_run(r);
}

void
request_start_lookup(struct request *r, struct span user)
{
	if (start_named(r, user) == -1)
		return;
	if (!userdb_must_verify(r->auth)) {
		begin_userdb(r);
		return;
	}
	r->lookup_only = r->checks_existence = true;
	r->worst = DB_UNKNOWN;
	r->state = REQ_PASSDB;
	passdb_run(r);
}

void
request_start_passdb_lookup(struct request *r, struct span user)
{
	if (start_named(r, user) == -1)
		return;
	r->lookup_only = true;
	r->worst = DB_UNKNOWN;
	r->state = REQ_PASSDB;
	passdb_run(r);
}

void
request_start_redeem(struct request *r, struct span token)
{
	bool is_resolved = false;

	if (!login_token_take(r, token, &is_resolved)) {
		log_warning("a token was shown that is not known: too old, used already, or of another service");
		r->fail = AUTH_FAIL_TEMP;
		end(r, REQ_FAIL);
		return;
	}
	r->is_login = true;
	if (is_resolved)
		request_userdb_done(r, DB_OK);
	else
		begin_userdb(r);
}

/* The master user may: now it is about the user that was asked for. */
static void
become_requested(struct request *r, bool check_passdbs)
{
	r->master_phase = false;
	r->master_user = r->user;
	r->user = r->login_user;
	if (!check_passdbs) {
		request_passdb_done(r, DB_OK);
		return;
	}
	r->lookup_only = true;
	r->db_idx = 0;
	r->db_success = r->any_temp = false;
	r->worst = DB_UNKNOWN;
	passdb_run(r);
}

static void
passdb_failed(struct request *r, enum db_result result)
{
	static const struct {
		enum auth_fail code;
		const char *text;
	} map[] = {
		[DB_OK] = { AUTH_FAIL_TEMP, "" },
		[DB_UNKNOWN] = { AUTH_FAIL_CREDENTIALS, "unknown user" },
		[DB_MISMATCH] = { AUTH_FAIL_CREDENTIALS, "Password mismatch" },
		[DB_TEMP] = { AUTH_FAIL_TEMP, "Temporary failure" },
		[DB_DISABLED] = { AUTH_FAIL_DISABLED, "Login disabled" },
		[DB_EXPIRED] = { AUTH_FAIL_EXPIRED, "Password expired" },
		[DB_NO_LOOKUP] = { AUTH_FAIL_TEMP, "The passdb can not look users up" },
		[DB_PENDING] = { AUTH_FAIL_TEMP, "" },
	};

	if (r->checks_existence || r->lookup_only) {
		if (result == DB_UNKNOWN) {
			r->fail = AUTH_FAIL_NO_USER;
		} else {
			request_log(r, r->failed_db, r->why[0] != '\0' ? r->why : map[result].text);
			r->fail = result == DB_MISMATCH ? AUTH_FAIL_NO_USER : map[result].code;
		}
		if (r->master_user.n == 0) {
			end(r, REQ_FAIL);
			return;
		}
		fail_log(r, r->failed_db, "unknown user (requested by a master user)");
		fail(r, result == DB_TEMP ? AUTH_FAIL_TEMP : AUTH_FAIL_CREDENTIALS);
		return;
	}
	/* The failure of a database has had its line, as an error. */
	if (result != DB_TEMP && result != DB_NO_LOOKUP)
		fail_log_reason(r, r->failed_db, map[result].text, r->why);
	fail(r, map[result].code);
}

void
request_passdb_done(struct request *r, enum db_result result)
{
	struct err e = ERR_INIT;

	if (result != DB_OK) {
		passdb_failed(r, result);
		return;
	}
	if (r->checks_existence) {
		r->checks_existence = r->lookup_only = false;
		begin_userdb(r);
		return;
	}
	if (r->master_phase) {
		/* db_idx was left at the passdb that said yes. */
		become_requested(r, r->db_idx < r->auth->conf->passdb_count && r->auth->conf->passdbs[r->db_idx].pass);
		return;
	}
	if (r->mech_name != NULL && fields_is_true(&r->pass_fields, SPAN("nologin"))) {
		r->fail_text = keep(r, span_sub(fields_value(&r->pass_fields, SPAN("reason")), 0, TEXT_MAX));
		fail_early(r, AUTH_FAIL_DISABLED, "Login disabled (nologin)");
		return;
	}
	if (r->master_user.n > 0 && fields_set(&r->prefetch, SPAN("master_user"), r->master_user, &e) == -1) {
		fail_early(r, AUTH_FAIL_TEMP, e.log);
		return;
	}
	if (r->auth->conf->debug)
		log_debug("auth(%.*s,%.*s,<%.*s>): accepted for %.*s", SPAN_ARG(r->user), SPAN_ARG(r->params.rip),
			  SPAN_ARG(r->params.session), SPAN_ARG(r->params.service));
	penalty_ended(r->auth->penalty, r->params.rip);
	if (r->params.want_token && !login_token_make(r, &r->prefetch, false)) {
		fail_early(r, AUTH_FAIL_TEMP, "No room for a token");
		return;
	}
	end(r, REQ_OK);
}

void
request_userdb_done(struct request *r, enum db_result result)
{
	struct err e = ERR_INIT;

	if (result == DB_OK && user_identity_make(r, &r->identity, &e) == 0) {
		if (r->params.want_token && !login_token_make(r, &r->user_fields, true)) {
			request_log(r, "userdb", "no room for a token");
			r->fail = AUTH_FAIL_TEMP;
			end(r, REQ_FAIL);
			return;
		}
		end(r, REQ_IDENTITY);
		return;
	}
	if (result == DB_OK) {
		request_log(r, "userdb", e.log);
		r->fail = AUTH_FAIL_TEMP;
	} else if (result == DB_UNKNOWN) {
		/* A password was right: that there is no such user is the databases' fault, not the client's. */
		if (r->is_login)
			request_log(r, "userdb", "user is in a passdb, but in no userdb");
		r->fail = r->is_login ? AUTH_FAIL_TEMP : AUTH_FAIL_NO_USER;
	} else {
		request_log(r, r->failed_db, r->why[0] != '\0' ? r->why : "Temporary failure");
		r->fail = AUTH_FAIL_TEMP;
	}
	end(r, REQ_FAIL);
}
