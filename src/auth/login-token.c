/* SPDX-License-Identifier: MIT */
#include "auth/login-token.h"

#include "lib/sys.h"

#define PAYLOAD_MAX 65536

static void
put(struct buf *b, struct span s)
{
	buf_add_be32(b, (uint32_t)s.n);
	buf_add(b, s);
}

static bool
get(struct request *r, struct span *rest, struct span *out)
{
	size_t n;

	if (rest->n < 4)
		return false;
	n = be32_get(rest->p);
	*rest = span_from(*rest, 4);
	if (n > rest->n)
		return false;
	*out = arena_dup(r->arena, span_sub(*rest, 0, n));
	*rest = span_from(*rest, n);
	return out->p != NULL;
}

bool
login_token_make(struct request *r, const struct fields *fields, bool is_resolved)
{
	struct buf b = BUF_INIT(PAYLOAD_MAX);
	bool ok;

	buf_addc(&b, is_resolved ? 'R' : 'L');
	put(&b, r->user);
	put(&b, r->login_user);
	put(&b, r->master_user);
	put(&b, r->params.rip);
	put(&b, r->params.lip);
	put(&b, r->params.session);
	put(&b, r->params.local_name);
	for (const struct field *f = fields->first; f != NULL; f = f->next) {
		put(&b, f->name);
		put(&b, f->value);
	}
	ok = !b.failed && token_make(r->auth->tokens, clock_ms(), r->params.service, buf_span(&b), r->token);
	buf_wipe(&b);
	return ok;
}

static bool
read_payload(struct request *r, struct span rest, bool *is_resolved_out)
{
	struct span *const parts[] = { &r->user, &r->login_user, &r->master_user, &r->params.rip, &r->params.lip,
		&r->params.session, &r->params.local_name };
	struct span name, value;
	struct err e = ERR_INIT;

	if (rest.n == 0)
		return false;
	*is_resolved_out = rest.p[0] == 'R';
	rest = span_from(rest, 1);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!get(r, &rest, parts[i]))
			return false;
	while (rest.n > 0)
		if (!get(r, &rest, &name) || !get(r, &rest, &value) ||
		    fields_set(*is_resolved_out ? &r->user_fields : &r->prefetch, name, value, &e) == -1)
			return false;
	return true;
}

bool
login_token_take(struct request *r, struct span token, bool *is_resolved_out)
{
	struct buf payload = BUF_INIT(PAYLOAD_MAX);
	bool ok = token_take(r->auth->tokens, clock_ms(), r->params.service, token, &payload) &&
		read_payload(r, buf_span(&payload), is_resolved_out);

	buf_wipe(&payload);
	return ok;
}
