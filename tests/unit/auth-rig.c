/* SPDX-License-Identifier: MIT */
#include "auth-rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "auth/mech.h"

const struct request_params rig_params = {
	.service = { "imap", 4 }, .rip = { "192.0.2.1", 9 }, .lip = { "192.0.2.2", 9 }, .session = { "sess1", 5 },
	.local_name = { "", 0 }, .rport = 1234, .lport = 143, .secured = true, .want_token = true,
};

void
rig_init(struct rig *g)
{
	struct err e = ERR_INIT;

	memset(g, 0, sizeof(*g));
	conf_defaults(&g->conf);
	g->loop = ev_loop_new(0);
	snprintf(g->dir, sizeof(g->dir), "/tmp/test-auth.XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	snprintf(g->file, sizeof(g->file), "%s/users", g->dir);
	assert_int_equal(mech_init(&e), 0);
}

void
rig_file(struct rig *g, const char *content)
{
	char next[128];
	FILE *f;

	snprintf(next, sizeof(next), "%s.new", g->file);
	f = fopen(next, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(next, g->file), 0);
}

static struct db_conf *
add(struct rig *g, struct db_conf *db, const char *driver, const char *args)
{
	const char *at = strstr(args, "%FILE");
	static char texts[CONF_DBS_MAX * 2][512];
	static unsigned used;
	char *text = texts[used++ % (CONF_DBS_MAX * 2)];

	if (at != NULL)
		snprintf(text, sizeof(texts[0]), "%.*s%s%s", (int)(at - args), args, g->file, at + 5);
	else
		snprintf(text, sizeof(texts[0]), "%s", args);
	memset(db, 0, sizeof(*db));
	db->driver = span_str(driver);
	db->args = span_str(text);
	db->on_success = ACT_RETURN_OK;
	db->on_failure = db->on_internal_failure = ACT_CONTINUE;
	return db;
}

struct db_conf *
rig_passdb(struct rig *g, const char *driver, const char *args)
{
	return add(g, &g->conf.passdbs[g->conf.passdb_count++], driver, args);
}

struct db_conf *
rig_userdb(struct rig *g, const char *driver, const char *args)
{
	return add(g, &g->conf.userdbs[g->conf.userdb_count++], driver, args);
}

void
rig_start(struct rig *g)
{
	struct err e = ERR_INIT;

	g->auth = auth_new(g->loop, &g->conf, g->helper, &e);
	if (g->auth == NULL)
		fail_msg("auth_new: %s", e.log);
}

void
rig_done(struct rig *g)
{
	helper_free(g->helper);
	auth_free(g->auth);
	mech_done();
	ev_loop_destroy(g->loop);
	unlink(g->file);
	assert_int_equal(rmdir(g->dir), 0);
}

static void
copy(char *out, size_t room, struct span s)
{
	snprintf(out, room, "%.*s", SPAN_ARG(s));
}

static void
on_notify(struct request *r, enum request_event event)
{
	struct outcome *o = r->owner;

	assert_false(o->ended);
	o->events++;
	o->event = event;
	o->ended = event != REQ_CHALLENGE;
	if (o->ended)
		o->r = NULL;
	o->fail = event == REQ_FAIL ? r->fail : AUTH_FAIL_NONE;
	copy(o->user, sizeof(o->user), r->user);
	copy(o->text, sizeof(o->text), r->fail_text);
	memcpy(o->token, r->token, sizeof(o->token));
	if (event == REQ_CHALLENGE)
		copy(o->challenge, sizeof(o->challenge), r->challenge);
	if (event == REQ_IDENTITY) {
		copy(o->home, sizeof(o->home), r->identity.home);
		o->uid = r->identity.uid;
		o->gid = r->identity.gid;
		buf_add(&o->fields, r->identity.fields);
	}
}

struct request *
rig_request(struct rig *g, struct outcome *o, const struct request_params *p)
{
	memset(o, 0, sizeof(*o));
	buf_init(&o->fields, 65536);
	o->r = request_new(g->auth, p);
	if (o->r == NULL)
		return NULL;
	o->r->notify = on_notify;
	o->r->owner = o;
	return o->r;
}

void
rig_outcome_clear(struct outcome *o)
{
	buf_clear(&o->fields);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("no answer within 20 s");
}

void
rig_wait(struct rig *g, struct outcome *o)
{
	ev_timer deadline;

	ev_timer_init(&deadline, on_deadline, 20., 0.);
	ev_timer_start(g->loop, &deadline);
	/* Threads keep no loop alive, the timer does. */
	while (!o->ended)
		ev_run(g->loop, EVRUN_ONCE);
	ev_timer_stop(g->loop, &deadline);
}

enum auth_fail
rig_plain(struct rig *g, struct outcome *o, struct span response, const struct request_params *p)
{
	struct request *r = rig_request(g, o, p);

	assert_non_null(r);
	request_start_sasl(r, SPAN("PLAIN"), true, response);
	rig_wait(g, o);
	buf_clear(&o->fields);
	return o->fail;
}

enum auth_fail
rig_login(struct rig *g, struct outcome *o, const char *user, const char *password)
{
	struct buf b = BUF_INIT(4096);
	enum auth_fail fail;

	buf_addc(&b, '\0');
	buf_adds(&b, user);
	buf_addc(&b, '\0');
	buf_adds(&b, password);
	fail = rig_plain(g, o, buf_span(&b), &rig_params);
	buf_clear(&b);
	return fail;
}

enum auth_fail
rig_lookup(struct rig *g, struct outcome *o, const char *user)
{
	struct request_params p = rig_params;
	struct request *r;

	p.service = SPAN("lmtp");
	p.no_penalty = true;
	r = rig_request(g, o, &p);
	assert_non_null(r);
	request_start_lookup(r, span_str(user));
	rig_wait(g, o);
	return o->fail;
}

enum auth_fail
rig_redeem(struct rig *g, struct outcome *o, const char *service, const unsigned char *token)
{
	struct request_params p = { .service = span_str(service) };
	unsigned char kept[AUTH_TOKEN_LEN];
	struct request *r;

	memcpy(kept, token, sizeof(kept));	/* it may be o's own */
	r = rig_request(g, o, &p);
	assert_non_null(r);
	request_start_redeem(r, span_of(kept, sizeof(kept)));
	rig_wait(g, o);
	return o->fail;
}
