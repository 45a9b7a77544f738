/* SPDX-License-Identifier: MIT */
/* The %variables of a request. */
#include "auth/request.h"

#include "lib-config/vars.h"

#define VARS_MAX (VARS_USER_COUNT + 48 + FIELDS_MAX * 2)

static void
add(struct var *vars, size_t *n, char letter, const char *name, struct span value)
{
	vars[(*n)++] = (struct var){ letter, name, value.p == NULL ? span_of("", 0) : value };
}

static struct span
number(struct request *r, uint32_t v)
{
	return v == 0 ? span_of("", 0) : span_str(arena_printf(r->arena, "%u", v));
}

static void
add_fields(struct request *r, struct var *vars, size_t *n, const char *prefix, const struct fields *f)
{
	for (const struct field *it = f->first; it != NULL && *n + 1 < VARS_MAX; it = it->next) {
		char *name = arena_printf(r->arena, "%s%.*s", prefix, SPAN_ARG(it->name));

		if (name != NULL)
			add(vars, n, 0, name, it->value);
	}
}

static struct span
part(struct span user, bool domain)
{
	size_t at = span_chr(user, '@');

	return domain ? span_from(user, at + 1) : span_sub(user, 0, at);
}

int
request_expand(struct request *r, struct span in, struct buf *out, struct err *e)
{
	struct var vars[VARS_MAX];
	struct span home = fields_value(&r->user_fields, SPAN("home"));
	size_t n = VARS_USER_COUNT;

	if (span_chr(in, '%') == in.n) {
		buf_add(out, in);
		return out->failed ? err_set(e, ERR_LIMIT, "value too long") : 0;
	}
	vars_for_user(vars, r->user, home);
	add(vars, &n, 's', "service", r->params.service);
	add(vars, &n, 'l', "lip", r->params.lip);
	add(vars, &n, 'r', "rip", r->params.rip);
	add(vars, &n, 'a', "lport", number(r, r->params.lport));
	add(vars, &n, 'b', "rport", number(r, r->params.rport));
	add(vars, &n, 'm', "mech", span_str(r->mech_name));
	add(vars, &n, 'w', "password", buf_span(&r->password));
	add(vars, &n, 'c', "secured", r->params.secured ? SPAN("secured") : SPAN_NONE);
	add(vars, &n, 0, "session", r->params.session);
	add(vars, &n, 0, "real_lip", r->params.lip);
	add(vars, &n, 0, "real_rip", r->params.rip);
	add(vars, &n, 0, "local_name", r->params.local_name);
	add(vars, &n, 0, "orig_user", r->login_user);
	add(vars, &n, 0, "orig_username", part(r->login_user, false));
	add(vars, &n, 0, "orig_domain", part(r->login_user, true));
	add(vars, &n, 0, "auth_user", r->master_user.n > 0 ? r->master_user : r->user);
	add(vars, &n, 0, "auth_username", part(r->master_user.n > 0 ? r->master_user : r->user, false));
	add(vars, &n, 0, "auth_domain", part(r->master_user.n > 0 ? r->master_user : r->user, true));
	add(vars, &n, 0, "master_user", r->master_user);
	add(vars, &n, 0, "login_user", r->master_phase ? r->login_user : SPAN_NONE);
	add(vars, &n, 0, "login_username", r->master_phase ? part(r->login_user, false) : SPAN_NONE);
	add(vars, &n, 0, "login_domain", r->master_phase ? part(r->login_user, true) : SPAN_NONE);
	if (span_find(in, SPAN("passdb:")) != SIZE_MAX)
		add_fields(r, vars, &n, "passdb:", &r->pass_fields);
	if (span_find(in, SPAN("userdb:")) != SIZE_MAX)
		add_fields(r, vars, &n, "userdb:", &r->user_fields);
	vars[n] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(out, in, vars, e) == -1)
		return -1;
	return out->failed ? err_set(e, ERR_LIMIT, "value too long") : 0;
}

int
request_add_words(struct request *r, struct span words, struct fields *f, bool only_new, struct err *e)
{
	struct buf b = BUF_INIT(FIELD_VALUE_MAX);
	struct span name, value;
	int rc;

	while ((rc = fields_next_word(&words, r->arena, &name, &value, e)) == 1) {
		if (only_new && fields_get(f, name) != NULL)
			continue;
		buf_reset(&b);
		if (request_expand(r, value, &b, e) == -1 || fields_set(f, name, buf_span(&b), e) == -1) {
			rc = err_wrap(e, "field %.*s", SPAN_ARG(span_sub(name, 0, 64)));
			break;
		}
	}
	buf_wipe(&b);
	return rc;
}
