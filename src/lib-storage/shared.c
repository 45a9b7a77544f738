/* SPDX-License-Identifier: MIT */
/*
 * Namespaces of other users' mailboxes: a prefix such as "shared/%u/" stands for one namespace a user.  It is opened when a
 * name in it is used, and kept.  %u %n %d in the prefix tell who it is; the same and %h (of that user) in the location tell
 * where his mail is.  "~" in a location is the session's user's, for INDEXPVT.
 *
 * A home is made from mail_home, or from the home of a static userdb; those of other databases are asked for before a session
 * shuts itself in (storage_homes_wanted).  Without access control nobody is let in.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include "lib-config/vars.h"
#include "lib-storage/storage-priv.h"

#define USERS_MOST 200		/* opened in one session */
#define USER_MAX 255

struct owner {
	struct span user, local, domain;	/* local, domain: as the prefix gave them */
};

/* A part of a path: nothing that could lead elsewhere. */
static bool
is_sound(struct span s)
{
	if (s.n == 0 || s.n > USER_MAX || span_eq(s, SPAN(".")) || span_eq(s, SPAN("..")))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '/' || s.p[i] == '%' || (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* The octets of name that a variable stands for: up to what follows it in the prefix, or to the separator. */
static struct span
take_value(struct span *name, char next, char separator)
{
	size_t n = 0;
	struct span value;

	while (n < name->n && name->p[n] != next && name->p[n] != separator)
		n++;
	value = span_sub(*name, 0, n);
	*name = span_from(*name, n);
	return value;
}

/*
 * Reads name by the prefix.  1: it is within, *rest_out what comes behind the prefix (empty, *is_root: the name of the
 * prefix itself); 0: no.
 */
static int
match_prefix(struct span prefix, struct span name, char separator, struct owner *out, struct span *rest_out, bool *is_root)
{
	*out = (struct owner){ SPAN_NONE, SPAN_NONE, SPAN_NONE };
	*is_root = false;
	while (prefix.n > 0) {
		struct span *to;

		if (prefix.p[0] != '%' || prefix.n < 2) {
			if (name.n == 0 && prefix.n == 1 && prefix.p[0] == separator) {
				*is_root = true;
				break;
			}
			if (name.n == 0 || name.p[0] != prefix.p[0])
				return 0;
			prefix = span_from(prefix, 1);
			name = span_from(name, 1);
			continue;
		}
		to = prefix.p[1] == 'u' ? &out->user : prefix.p[1] == 'n' ? &out->local : prefix.p[1] == 'd' ? &out->domain : NULL;
		prefix = span_from(prefix, 2);
		if (to == NULL)
			return 0;
		*to = take_value(&name, prefix.n > 0 ? prefix.p[0] : separator, separator);
		if (!is_sound(*to))
			return 0;
	}
	*rest_out = name;
	return 1;
}

/* The full name of the user; where the prefix has no domain it is the session's. */
static bool
full_name(const struct storage *st, const struct owner *o, struct buf *out)
{
	struct span me = span_str(st->user);
	size_t at = span_chr(me, '@');

	if (o->user.n > 0) {
		buf_add(out, o->user);
	} else {
		if (o->local.n == 0)
			return false;
		buf_add(out, o->local);
		if (o->domain.n > 0 || at < me.n) {
			buf_addc(out, '@');
			buf_add(out, o->domain.n > 0 ? o->domain : span_from(me, at + 1));
		}
	}
	at = span_chr(buf_span(out), '@');
	return !out->failed && is_sound(buf_span(out)) && is_sound(span_sub(buf_span(out), 0, at)) &&
	    (at == out->n || is_sound(span_from(buf_span(out), at + 1)));
}

static int
expand_for(const struct storage *st, struct span text, struct span user, struct buf *out, struct err *e)
{
	struct var vars[VARS_USER_COUNT + 1];
	struct buf home = BUF_INIT(4096);
	struct span known = SPAN_NONE;
	int rc = 0;

	for (size_t i = 0; i < st->home_count; i++)
		if (span_eq(st->homes[i].user, user))
			known = st->homes[i].home;
	if (known.n == 0 && st->home_template == NULL && span_find(text, SPAN("%h")) != SIZE_MAX)
		return err_set(e, ERR_NOTFOUND, "the home of %.*s is not known", SPAN_ARG(user));
	vars_for_user(vars, user, known);
	vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	if (known.n == 0 && st->home_template != NULL) {
		rc = vars_expand(&home, span_str(st->home_template), vars, e);
		vars_for_user(vars, user, buf_span(&home));
		vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	}
	if (rc == 0)
		rc = vars_expand(out, text, vars, e);
	if (rc == 0 && (out->failed || home.failed))
		rc = err_set(e, ERR_LIMIT, "a mail location is too long");
	buf_clear(&home);
	return rc;
}

static struct namespace *
find_open(struct storage *st, const struct namespace *template, struct span user)
{
	for (struct namespace *ns = st->shared; ns != NULL; ns = ns->next)
		if (ns->template_of == template && span_eq(span_str(ns->owner), user))
			return ns;
	return NULL;
}

static int
open_for(struct storage *st, const struct namespace *template, struct namespace *ns, struct span user, struct err *e)
{
	struct buf prefix = BUF_INIT(4096), location = BUF_INIT(4096);
	struct arena *a = arena_new(65536);
	struct location loc;
	struct stat sb;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	if (rc == 0 && (expand_for(st, span_str(template->template_prefix), user, &prefix, e) == -1 ||
	    expand_for(st, span_str(template->template_location), user, &location, e) == -1 ||
	    location_parse(buf_span(&location), span_str(st->home), a, &loc, e) == -1))
		rc = -1;
	/* Nothing is made for who is not there. */
	if (rc == 0 && (stat(loc.root, &sb) == -1 || !S_ISDIR(sb.st_mode)))
		rc = err_set(e, ERR_NOTFOUND, "there is no mail of %.*s", SPAN_ARG(user));
	if (rc == 0 && (ns->store = storage_store_get(st, &loc, e)) == NULL)
		rc = -1;
	if (rc == 0) {
		ns->prefix = strndup(prefix.p, prefix.n);
		ns->owner = strndup(user.p, user.n);
		ns->pvt = loc.index_pvt == NULL ? NULL : strdup(loc.index_pvt);
		if (ns->prefix == NULL || ns->owner == NULL || (loc.index_pvt != NULL && ns->pvt == NULL))
			rc = err_set(e, ERR_TEMP, "out of memory");
		ns->info = template->info;
		ns->info.prefix = span_str(ns->prefix);
		ns->info.subscriptions = false;
		ns->list = LIST_CHILDREN;
		ns->template_of = template;
		ns->explicit_inbox = st->conf.shared_explicit_inbox;
	}
	arena_free(a);
	buf_clear(&prefix);
	buf_clear(&location);
	return rc;
}

struct namespace *
shared_open(struct storage *st, const struct namespace *template, struct span user, struct err *e)
{
	struct namespace *ns = find_open(st, template, user);

	if (ns != NULL)
		return ns;
	if (st->acl == NULL) {
		err_set(e, ERR_NOTFOUND, "other users' mailboxes need access control (mail_plugins = acl)");
		return NULL;
	}
	if (st->shared_count == USERS_MOST) {
		err_set(e, ERR_LIMIT, "mail of more than %d other users in one session", USERS_MOST);
		return NULL;
	}
	ns = calloc(1, sizeof(*ns));
	if (ns == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	if (open_for(st, template, ns, user, e) == -1) {
		namespace_clear(ns);
		free(ns);
		/* Whether somebody is there, and where, is not for others to know. */
		if (e->code == ERR_DENIED)
			e->code = ERR_NOTFOUND;
		return NULL;
	}
	ns->next = st->shared;
	st->shared = ns;
	st->shared_count++;
	return ns;
}

struct namespace *
shared_resolve(struct storage *st, const struct namespace *template, struct span name, struct span *rest_out, struct err *e)
{
	struct buf user = BUF_INIT(USER_MAX + 1);
	struct namespace *ns = NULL;
	struct owner owner;
	bool is_root;

	if (match_prefix(span_str(template->template_prefix), name, template->info.separator, &owner, rest_out, &is_root) == 1 &&
	    full_name(st, &owner, &user))
		ns = shared_open(st, template, buf_span(&user), e);
	else
		err_set(e, ERR_NOTFOUND, "%.*s names no user", SPAN_ARG(name));
	if (ns != NULL && is_root && !st->conf.shared_explicit_inbox)
		*rest_out = SPAN("INBOX");
	buf_clear(&user);
	return ns;
}

size_t
shared_static_part(struct span path)
{
	size_t n = span_chr(path, '%');

	if (n == path.n)
		return n;
	while (n > 0 && path.p[n - 1] != '/')
		n--;
	return n > 1 ? n - 1 : n;
}
