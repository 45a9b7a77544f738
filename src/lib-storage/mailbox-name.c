/* SPDX-License-Identifier: MIT */
/* Between the names that clients use and those of the drivers. */
#include "lib/encode.h"
#include "lib-storage/storage-priv.h"

static int
check_octets(const struct storage *st, struct span name, struct err *e)
{
	if (name.n == 0)
		return err_set(e, ERR_SYNTAX, "an empty mailbox name");
	if (name.n > st->conf.name_max)
		return err_set(e, ERR_LIMIT, "a mailbox name of %zu octets", name.n);
	if (!utf8_is_valid(name))
		return err_set(e, ERR_SYNTAX, "a mailbox name is not UTF-8");
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return err_set(e, ERR_SYNTAX, "a mailbox name has a control character");
	return 0;
}

static bool
is_inbox_or_below(struct span name, char separator)
{
	return name.n >= 5 && span_ieq(span_sub(name, 0, 5), SPAN("INBOX")) && (name.n == 5 || name.p[5] == separator);
}

/* The namespace with the longest prefix that fits; *skip_out octets of name are its prefix. */
static struct namespace *
find_namespace(struct storage *st, struct span name, size_t *skip_out)
{
	struct namespace *best = NULL;

	*skip_out = 0;
	for (size_t i = 0; i < st->ns_count; i++) {
		struct namespace *ns = &st->ns[i];
		struct span prefix = ns->info.prefix;
		bool fits = span_starts(name, prefix);

		/* "INBOX." as a prefix fits in any case, as INBOX itself does. */
		if (!fits && prefix.n >= 6 && is_inbox_or_below(prefix, ns->info.separator) && name.n >= prefix.n)
			fits = span_ieq(span_sub(name, 0, 5), SPAN("INBOX")) &&
			    span_eq(span_sub(name, 5, prefix.n - 5), span_from(prefix, 5));
		if (fits && (best == NULL || prefix.n > best->info.prefix.n)) {
			best = ns;
			*skip_out = prefix.n;
		}
	}
	return best;
}

int
storage_resolve(struct storage *st, struct span name, struct namespace **ns_out, struct buf *inner, struct err *e)
{
	struct namespace *ns = NULL;
	size_t skip, start = inner->n;
	unsigned depth = 0;
	struct span rest, level;

	if (check_octets(st, name, e) == -1)
		return -1;
	if (span_ieq(name, SPAN("INBOX"))) {
		for (size_t i = 0; i < st->ns_count; i++)
			if (st->ns[i].info.inbox)
				ns = &st->ns[i];
		if (ns == NULL)
			return err_set(e, ERR_NOTFOUND, "no namespace has INBOX");
		*ns_out = ns;
		buf_adds(inner, "INBOX");
		return 0;
	}
	ns = find_namespace(st, name, &skip);
	if (ns == NULL)
		return err_set(e, ERR_NOTFOUND, "no namespace for %.*s", SPAN_ARG(name));
	rest = span_from(name, skip);
	if (namespace_is_template(ns) && (ns = shared_resolve(st, ns, name, &rest, e)) == NULL)
		return -1;
	if (rest.n == 0 || rest.p[rest.n - 1] == ns->info.separator)
		return err_set(e, ERR_SYNTAX, "%.*s: a level of the name is empty", SPAN_ARG(name));
	while (span_next(&rest, ns->info.separator, &level)) {
		if (level.n == 0 || span_eq(level, SPAN(".")) || span_eq(level, SPAN("..")))
			return err_set(e, ERR_SYNTAX, "%.*s: a level of the name is empty or dots", SPAN_ARG(name));
		if (span_chr(level, '/') != level.n)
			return err_set(e, ERR_SYNTAX, "%.*s: a '/' can not be in a name", SPAN_ARG(name));
		if (++depth > st->conf.depth_max)
			return err_set(e, ERR_LIMIT, "%.*s: too many levels", SPAN_ARG(name));
		if (depth > 1)
			buf_addc(inner, '/');
		/* As the first level of what a client says it is INBOX in any case; behind a prefix it is a name like another. */
		if (depth == 1 && skip == 0 && span_ieq(level, SPAN("INBOX")))
			buf_adds(inner, "INBOX");
		else
			buf_add(inner, level);
	}
	if (inner->failed)
		return err_set(e, ERR_LIMIT, "a mailbox name is too long");
	/* Behind the prefix of INBOX's own namespace it is INBOX once more, as old scripts and subscriptions have it. */
	if (!ns->info.inbox && ns->alias == NULL && ns->owner == NULL && span_eq(span_from(buf_span(inner), start), SPAN("INBOX")))
		return err_set(e, ERR_SYNTAX, "%.*s: the name of INBOX is taken", SPAN_ARG(name));
	*ns_out = ns;
	return 0;
}

bool
storage_visible(const struct namespace *ns, struct span inner, struct buf *out)
{
	char sep = ns->info.separator;
	size_t start = out->n;
	bool first = true;
	struct span level;

	if (span_eq(inner, SPAN("INBOX"))) {
		if (ns->owner != NULL) {
			struct span prefix = ns->info.prefix;

			if (!ns->explicit_inbox && prefix.n > 0 && prefix.p[prefix.n - 1] == sep)
				prefix.n--;
			buf_add(out, prefix);
			if (ns->explicit_inbox)
				buf_adds(out, "INBOX");
			return !out->failed;
		}
		if (ns->alias != NULL)
			buf_add(out, ns->info.prefix);
		buf_adds(out, "INBOX");
		return (ns->info.inbox || (ns->alias != NULL && ns->alias->info.inbox)) && !out->failed;
	}
	buf_add(out, ns->info.prefix);
	while (span_next(&inner, '/', &level)) {
		if (span_chr(level, sep) != level.n)
			return false;
		/* It would lead to INBOX, or to what is below INBOX. */
		if (first && out->n == start && span_ieq(level, SPAN("INBOX")) && !span_eq(level, SPAN("INBOX")))
			return false;
		if (!first)
			buf_addc(out, sep);
		first = false;
		buf_add(out, level);
	}
	return !out->failed;
}

const struct special *
storage_special(const struct namespace *ns, struct span inner)
{
	if (ns->alias != NULL)
		ns = ns->alias;
	for (size_t i = 0; i < ns->special_count; i++)
		if (span_eq(span_str(ns->specials[i].inner), inner))
			return &ns->specials[i];
	return NULL;
}
