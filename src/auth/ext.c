/* SPDX-License-Identifier: MIT */
#include "auth/ext.h"

#include <stdlib.h>
#include <unistd.h>
#include "auth/client-proto.h"
#include "auth/request.h"
#include "auth/userdb.h"
#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define OUTPUT_MAX ((size_t)64 << 20)	/* a list of all users */
#define LINE_ARENA_MAX 65536

struct ext {
	struct auth *auth;
	enum ext_kind kind;
	void (*wake)(void *ctx);
	void *ctx;
	struct buf out;
	struct arena *arena;		/* of one line */
	struct hash *requests;		/* id, four octets big-endian -> struct request */
	bool in_input, said_version, done;
	bool is_restricted;
	uid_t only_uid;
};

static uint32_t connection_count;

enum ext_kind
ext_kind_of(struct span name)
{
	for (size_t slash; (slash = span_chr(name, '/')) < name.n;)
		name = span_from(name, slash + 1);
	if (span_eq(name, SPAN("mux")) || span_eq(name, SPAN("saslauthd")))
		return EXT_MUX;
	if (span_ends(name, SPAN("userdb")))
		return EXT_USERDB;
	return span_ends(name, SPAN("master")) ? EXT_MASTER : EXT_CLIENT;
}

static void
greet(struct ext *x)
{
	unsigned char cookie[16];
	const char *name;

	if (x->kind == EXT_MUX)
		return;
	if (x->kind != EXT_CLIENT) {
		buf_addf(&x->out, "VERSION\t1\t1\nSPID\t%ld\n", (long)getpid());
		return;
	}
	buf_adds(&x->out, "VERSION\t1\t2\n");
	for (size_t i = 0; (name = mech_at(i, x->auth->conf->mechanisms)) != NULL; i++)
		buf_addf(&x->out, "MECH\t%s\tplaintext\n", name);
	random_bytes(cookie, sizeof(cookie));
	buf_addf(&x->out, "SPID\t%ld\nCUID\t%u\nCOOKIE\t", (long)getpid(), ++connection_count);
	hex_encode(&x->out, span_of(cookie, sizeof(cookie)));
	buf_adds(&x->out, "\nDONE\n");
}

struct ext *
ext_new(struct auth *a, enum ext_kind kind, void (*wake)(void *ctx), void *ctx)
{
	struct ext *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->auth = a;
	x->kind = kind;
	x->wake = wake;
	x->ctx = ctx;
	buf_init(&x->out, OUTPUT_MAX);
	x->arena = arena_new(LINE_ARENA_MAX);
	x->requests = hash_new(EXT_REQUESTS_MAX);
	if (x->arena == NULL || x->requests == NULL) {
		ext_free(x);
		return NULL;
	}
	greet(x);
	return x;
}

void
ext_restrict(struct ext *x, uid_t uid)
{
	x->is_restricted = true;
	x->only_uid = uid;
}

void
ext_free(struct ext *x)
{
	struct span key;
	void *value;
	size_t pos = 0;

	if (x == NULL)
		return;
	while (x->requests != NULL && hash_next(x->requests, &pos, &key, &value))
		request_abort(value);
	hash_free(x->requests);
	arena_free(x->arena);
	buf_wipe(&x->out);
	free(x);
}

struct buf *
ext_output(struct ext *x)
{
	return &x->out;
}

bool
ext_is_done(const struct ext *x)
{
	return x->done || x->out.failed;
}

size_t
ext_requests(const struct ext *x)
{
	return hash_count(x->requests);
}

static void
add_field(struct ext *x, struct span name, struct span value)
{
	buf_addc(&x->out, '\t');
	client_escape(&x->out, name);
	if (value.n > 0) {
		buf_addc(&x->out, '=');
		client_escape(&x->out, value);
	}
}

static void
add_pass_fields(struct ext *x, const struct request *r)
{
	add_field(x, SPAN("user"), r->user);
	if (r->master_user.n > 0)
		add_field(x, SPAN("auth_user"), r->master_user);
	for (const struct field *f = r->pass_fields.first; f != NULL; f = f->next)
		if (!span_eq(f->name, SPAN("allow_nets")) && !span_eq(f->name, SPAN("nodelay")) &&
		    !span_eq(f->name, SPAN("nopassword")))
			add_field(x, f->name, f->value);
}

static void
add_failure(struct ext *x, const struct request *r)
{
	static const char *const codes[] = {
		[AUTH_FAIL_TEMP] = "\ttemp\tcode=temp_fail", [AUTH_FAIL_DISABLED] = "\tuser_disabled\tcode=user_disabled",
		[AUTH_FAIL_EXPIRED] = "\tpass_expired\tcode=pass_expired", [AUTH_FAIL_LIMIT] = "\ttemp\tcode=temp_fail",
	};

	if (r->user.n > 0)
		add_field(x, SPAN("user"), r->user);
	if ((size_t)r->fail < sizeof(codes) / sizeof(codes[0]) && codes[r->fail] != NULL)
		buf_adds(&x->out, codes[r->fail]);
	if (r->fail_text.n > 0)
		add_field(x, SPAN("reason"), r->fail_text);
}

static void
client_answer(struct ext *x, const struct request *r, enum request_event event)
{
	switch (event) {
	case REQ_CHALLENGE:
		buf_addf(&x->out, "CONT\t%u\t", r->id);
		base64_encode(&x->out, r->challenge);
		break;
	case REQ_OK:
	case REQ_IDENTITY:
		buf_addf(&x->out, "OK\t%u", r->id);
		add_pass_fields(x, r);
		break;
	case REQ_FAIL:
		buf_addf(&x->out, "FAIL\t%u", r->id);
		add_failure(x, r);
		break;
	}
	buf_addc(&x->out, '\n');
}

static void
add_identity(struct ext *x, const struct request *r)
{
	buf_addf(&x->out, "USER\t%u\t", r->id);
	client_escape(&x->out, r->user);
	buf_addf(&x->out, "\tuid=%lu\tgid=%lu", (unsigned long)r->identity.uid, (unsigned long)r->identity.gid);
	if (r->identity.home.n > 0)
		add_field(x, SPAN("home"), r->identity.home);
	for (const struct field *f = r->user_fields.first; f != NULL; f = f->next)
		if (!span_eq(f->name, SPAN("uid")) && !span_eq(f->name, SPAN("gid")) && !span_eq(f->name, SPAN("home")) &&
		    !span_eq(f->name, SPAN("user")))
			add_field(x, f->name, f->value);
}

static void
master_answer(struct ext *x, const struct request *r, enum request_event event)
{
	if (event == REQ_IDENTITY && x->is_restricted && r->identity.uid != x->only_uid) {
		log_warning("uid %lu asked about %.*s, and may not: the socket lets everybody ask about themselves only",
			    (unsigned long)x->only_uid, SPAN_ARG(r->user));
		/* Not that there is nobody: an LDA that runs as the wrong user would send the mail back for good. */
		buf_addf(&x->out, "FAIL\t%u", r->id);
	} else if (event == REQ_IDENTITY) {
		add_identity(x, r);
	} else if (event == REQ_OK) {
		buf_addf(&x->out, "PASS\t%u", r->id);
		add_pass_fields(x, r);
	} else {
		buf_addf(&x->out, "%s\t%u", r->fail == AUTH_FAIL_NO_USER ? "NOTFOUND" : "FAIL", r->id);
	}
	buf_addc(&x->out, '\n');
}

static struct span
key_of(uint32_t id, char octets[4])
{
	be32_put(octets, id);
	return span_of(octets, 4);
}

static void
on_notify(struct request *r, enum request_event event)
{
	struct ext *x = r->owner;
	char octets[4];

	if (event != REQ_CHALLENGE)
		hash_remove(x->requests, key_of(r->id, octets));
	switch (x->kind) {
	case EXT_CLIENT:
		client_answer(x, r, event);
		break;
	case EXT_USERDB:
	case EXT_MASTER:
		master_answer(x, r, event);
		break;
	case EXT_MUX:
		if (event == REQ_OK)
			mux_answer(&x->out, SPAN("OK"));
		else if (r->fail == AUTH_FAIL_TEMP)
			mux_answer(&x->out, SPAN("NO temporary failure"));
		else
			mux_answer(&x->out, SPAN("NO authentication failed"));
		x->done = true;
		break;
	}
	if (!x->in_input)
		x->wake(x->ctx);
}

/* NULL: refused with FAIL; or *bad: the id is in use. */
static struct request *
new_request(struct ext *x, uint32_t id, const struct request_params *params, bool *bad)
{
	char octets[4];
	struct request *r;

	*bad = hash_get(x->requests, key_of(id, octets)) != NULL;
	if (*bad)
		return NULL;
	r = request_new(x->auth, params);
	if (r != NULL && !hash_set(x->requests, key_of(id, octets), r)) {
		request_abort(r);
		r = NULL;
	}
	if (r == NULL) {
		log_warning("too many authentications at once: one was refused");
		if (x->kind == EXT_MUX) {
			mux_answer(&x->out, SPAN("NO temporary failure"));
			x->done = true;
		} else {
			buf_addf(&x->out, "FAIL\t%u\ttemp\tcode=temp_fail\n", id);
		}
		return NULL;
	}
	r->owner = x;
	r->notify = on_notify;
	r->id = id;
	return r;
}

static void
read_params(const struct client_line *l, struct request_params *p)
{
	struct span port;

	p->service = client_param(l, "service");
	p->rip = span_sub(client_param(l, "rip"), 0, 64);
	p->lip = span_sub(client_param(l, "lip"), 0, 64);
	p->session = span_sub(client_param(l, "session"), 0, SESSION_ID_MAX);
	p->local_name = span_sub(client_param(l, "local_name"), 0, 255);
	p->secured = client_param(l, "secured").p != NULL;
	p->no_penalty = client_param(l, "no-penalty").p != NULL;
	port = client_param(l, "rport");
	if (!span_u32(port, &p->rport))
		p->rport = 0;
	port = client_param(l, "lport");
	if (!span_u32(port, &p->lport))
		p->lport = 0;
}

/* False: no base64. */
static bool
decode(struct span in, struct buf *out)
{
	return in.n == 0 || (base64_decode(out, in) && !out->failed);
}

static int
cmd_auth(struct ext *x, const struct client_line *l, struct err *e)
{
	struct request_params p = { .want_token = false };
	struct buf data = BUF_INIT(MECH_RESPONSE_MAX);
	struct request *r;
	bool bad;

	read_params(l, &p);
	if (!decode(l->resp, &data)) {
		buf_addf(&x->out, "FAIL\t%u\treason=Invalid base64 data in initial response\n", l->id);
		buf_wipe(&data);
		return 0;
	}
	r = new_request(x, l->id, &p, &bad);
	if (r != NULL)
		request_start_sasl(r, l->name, l->has_resp, buf_span(&data));
	buf_wipe(&data);
	return bad ? err_set(e, ERR_SYNTAX, "id %u is in use", l->id) : 0;
}

static int
cmd_cont(struct ext *x, const struct client_line *l, struct err *e)
{
	struct buf data = BUF_INIT(MECH_RESPONSE_MAX);
	char octets[4];
	struct request *r = hash_get(x->requests, key_of(l->id, octets));

	if (r == NULL)		/* it has ended meanwhile, or never was */
		return 0;
	if (!decode(l->name, &data)) {
		buf_wipe(&data);
		hash_remove(x->requests, key_of(l->id, octets));
		request_abort(r);
		buf_addf(&x->out, "FAIL\t%u\treason=Invalid base64 data in continued response\n", l->id);
		return 0;
	}
	(void)e;
	request_continue(r, buf_span(&data));
	buf_wipe(&data);
	return 0;
}

static int
cmd_cancel(struct ext *x, const struct client_line *l)
{
	char octets[4];
	struct request *r = hash_remove(x->requests, key_of(l->id, octets));

	if (r != NULL)
		request_abort(r);
	return 0;
}

static int
cmd_lookup(struct ext *x, const struct client_line *l, struct err *e)
{
	struct request_params p = { .no_penalty = true };
	struct request *r;
	bool bad;

	read_params(l, &p);
	p.no_penalty = true;
	r = new_request(x, l->id, &p, &bad);
	if (r == NULL)
		return bad ? err_set(e, ERR_SYNTAX, "id %u is in use", l->id) : 0;
	if (l->cmd == CMD_PASS)
		request_start_passdb_lookup(r, l->name);
	else
		request_start_lookup(r, l->name);
	return 0;
}

struct list {
	struct ext *x;
	uint32_t id;
};

static void
on_listed(void *ctx, struct span user)
{
	struct list *l = ctx;

	buf_addf(&l->x->out, "LIST\t%u\t", l->id);
	client_escape(&l->x->out, user);
	buf_addc(&l->x->out, '\n');
}

static int
cmd_list(struct ext *x, const struct client_line *l)
{
	struct list list = { x, l->id };
	int rc;

	if (x->is_restricted) {
		buf_addf(&x->out, "DONE\t%u\tfail\n", l->id);
		return 0;
	}
	rc = userdb_list(x->auth, client_param(l, "user"), on_listed, &list);
	buf_addf(&x->out, rc == 0 ? "DONE\t%u\n" : "DONE\t%u\tfail\n", l->id);
	return 0;
}

static int
cmd_flush(struct ext *x, const struct client_line *l)
{
	size_t count = 0;

	if (l->param_count == 0)
		count = auth_flush_cache(x->auth, SPAN_NONE);
	for (size_t i = 0; i < l->param_count; i++)
		count += l->params[i].n == 0 ? 0 : auth_flush_cache(x->auth, l->params[i]);
	buf_addf(&x->out, "OK\t%u\t%zu\n", l->id, count);
	return 0;
}

static int
command(struct ext *x, const struct client_line *l, struct err *e)
{
	bool is_client = x->kind == EXT_CLIENT;

	if (l->cmd == CMD_UNKNOWN)
		return 0;
	if (l->cmd == CMD_VERSION) {
		x->said_version = true;
		return 0;
	}
	if (!x->said_version)
		return err_set(e, ERR_SYNTAX, "no VERSION line");
	switch (l->cmd) {
	case CMD_VERSION:
	case CMD_CPID:
	case CMD_UNKNOWN:
		return 0;
	case CMD_AUTH:
		return is_client ? cmd_auth(x, l, e) : err_set(e, ERR_DENIED, "AUTH is not for this socket");
	case CMD_CONT:
		return is_client ? cmd_cont(x, l, e) : err_set(e, ERR_DENIED, "CONT is not for this socket");
	case CMD_CANCEL:
		return cmd_cancel(x, l);
	case CMD_USER:
		return is_client ? err_set(e, ERR_DENIED, "USER is not for this socket") : cmd_lookup(x, l, e);
	case CMD_LIST:
		return is_client ? err_set(e, ERR_DENIED, "LIST is not for this socket") : cmd_list(x, l);
	case CMD_PASS:
		return x->kind == EXT_MASTER ? cmd_lookup(x, l, e) : err_set(e, ERR_DENIED, "PASS is not for this socket");
	case CMD_CACHE_FLUSH:
		return x->kind == EXT_MASTER ? cmd_flush(x, l) :
			err_set(e, ERR_DENIED, "CACHE-FLUSH is not for this socket");
	}
	return 0;
}

static size_t
mux_input(struct ext *x, struct span in, bool *bad_out)
{
	struct request_params p = { .secured = true };
	struct buf user = BUF_INIT(MUX_STRING_MAX * 2 + 1);
	struct mux_request q;
	struct request *r;
	size_t used = 0;
	bool bad;

	if (x->done || hash_count(x->requests) > 0)
		return 0;
	switch (mux_parse(in, &q, &used)) {
	case PARSE_MORE:
		return 0;
	case PARSE_BAD:
		log_warning("saslauthd client: too long a string");
		*bad_out = true;
		return 0;
	case PARSE_DONE:
		break;
	}
	p.service = q.service;
	r = new_request(x, 1, &p, &bad);
	if (r != NULL) {
		buf_add(&user, q.user);
		if (q.realm.n > 0 && span_chr(q.user, '@') == q.user.n) {
			buf_addc(&user, '@');
			buf_add(&user, q.realm);
		}
		request_start_plain(r, buf_span(&user), q.password);
	}
	buf_clear(&user);
	return used;
}

size_t
ext_input(struct ext *x, struct span in, bool *bad_out)
{
	struct err e = ERR_INIT;
	struct client_line l;
	struct span line;
	size_t used = 0;

	*bad_out = false;
	x->in_input = true;
	if (x->kind == EXT_MUX) {
		used = mux_input(x, in, bad_out);
		x->in_input = false;
		return used;
	}
	while (!*bad_out && span_line(in, &used, &line)) {
		arena_reset(x->arena);
		if (line.n > CLIENT_LINE_MAX)
			err_set(&e, ERR_LIMIT, "line of %zu octets", line.n);
		else if (client_line_parse(line, x->arena, &l, &e) == 0)
			command(x, &l, &e);
		*bad_out = e.code != ERR_NONE;
	}
	if (!*bad_out && in.n - used > CLIENT_LINE_MAX) {
		err_set(&e, ERR_LIMIT, "line without end");
		*bad_out = true;
	}
	if (*bad_out)
		log_warning("auth client closed: %s", e.log);
	x->in_input = false;
	return used;
}
