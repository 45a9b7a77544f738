/* SPDX-License-Identifier: MIT */
/* acl get, set, add, remove, delete, rights, debug, recalc.  An administrator needs no right himself. */
#include "adm/adm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib-storage/mailbox.h"

struct acl_args {
	struct span mailbox;
	struct acl_entry entry;
	enum acl_change how;
	bool mine;
};

static void
put_names(struct buf *out, unsigned rights, struct span extra, const char *sign)
{
	for (unsigned i = 0; i < ACL_RIGHTS; i++) {
		if ((rights & 1u << i) == 0)
			continue;
		buf_adds(out, out->n > 0 ? " " : "");
		buf_adds(out, sign);
		buf_adds(out, acl_right_names[i]);
	}
	if (extra.n > 0) {
		buf_adds(out, out->n > 0 ? " " : "");
		buf_add(out, extra);
	}
}

static struct format *
new_format(struct adm *a)
{
	return format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
}

/* Whether a line is about this user, as "-m" asks for. */
static bool
is_mine(const struct acl_entry *entry, struct span owner, struct span user)
{
	switch (entry->kind) {
	case ACL_ANYONE:
	case ACL_AUTHENTICATED:
		return true;
	case ACL_OWNER:
		return owner.n > 0 && span_eq(owner, user);
	case ACL_USER:
		return span_eq(entry->name, user);
	case ACL_GROUP:
	case ACL_GROUP_OVERRIDE:
	case ACL_KINDS:
		break;
	}
	return false;
}

static int
get_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct acl_args *x = data;
	struct acl_list list;
	struct span owner;
	struct err e = ERR_INIT;

	if (storage_acl(st, x->mailbox, 0, a->arena, &list, &owner, &e) == -1)
		return adm_fail_err(&e, "acl get");
	for (size_t i = 0; i < list.n; i++) {
		struct buf id = BUF_INIT(1024), names = BUF_INIT(65536);
		struct acl_entry entry = list.v[i];

		if (x->mine && !is_mine(&entry, owner, a->user))
			continue;
		entry.negative = false;
		acl_identifier_write(&id, &entry);
		put_names(&names, entry.rights, entry.extra, list.v[i].negative ? "-" : "");
		format_value(f, buf_span(&id));
		format_value(f, entry.global ? SPAN("global") : SPAN(""));
		format_value(f, names.n == 0 ? SPAN("") : buf_span(&names));
		buf_clear(&id);
		buf_clear(&names);
	}
	return ADM_OK;
}

static int
rights_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct acl_args *x = data;
	struct buf names = BUF_INIT(1024);
	unsigned rights = 0;
	struct err e = ERR_INIT;

	(void)a;
	if (!storage_has_acl(st))
		return adm_fail(ADM_CONFIG, "access control is not in use: mail_plugins = acl, plugin { acl = vfile }");
	if (storage_rights(st, x->mailbox, &rights, &e) == -1)
		return adm_fail_err(&e, "acl rights");
	put_names(&names, rights, SPAN_NONE, "");
	format_value(f, names.n == 0 ? SPAN("") : buf_span(&names));
	buf_clear(&names);
	return ADM_OK;
}

static int
change_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct acl_args *x = data;
	struct err e = ERR_INIT;

	(void)a;
	(void)f;
	return storage_acl_change(st, x->mailbox, 0, &x->entry, x->how, &e) == 0 ? ADM_OK : adm_fail_err(&e, "acl");
}

static int
debug_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct acl_args *x = data;
	struct buf names = BUF_INIT(1024);
	struct mailbox_info info;
	struct acl_list list;
	struct span owner;
	unsigned rights = 0;
	struct err e = ERR_INIT;

	(void)f;
	if (!storage_has_acl(st)) {
		puts("Access control is not in use: mail_plugins = acl, plugin { acl = vfile }");
		return ADM_OK;
	}
	if (storage_rights(st, x->mailbox, &rights, &e) == -1 || storage_acl(st, x->mailbox, 0, a->arena, &list, &owner, &e) == -1 ||
	    storage_mailbox_info(st, x->mailbox, &info, &e) == -1)
		return adm_fail_err(&e, "acl debug");
	if (owner.n > 0)
		printf("Owner: %.*s\n", SPAN_ARG(owner));
	else
		puts("Owner: nobody (a public mailbox)");
	put_names(&names, rights, SPAN_NONE, "");
	if (rights == 0)
		printf("User %.*s has no rights\n", SPAN_ARG(a->user));
	else
		printf("User %.*s has the rights: %.*s\n", SPAN_ARG(a->user), SPAN_ARG(buf_span(&names)));
	for (size_t i = 0; i < list.n; i++) {
		buf_reset(&names);
		acl_identifier_write(&names, &list.v[i]);
		buf_adds(&names, " ");
		acl_letters_write(&names, list.v[i].rights, false);
		printf("%s line: %.*s\n", list.v[i].global ? "Global" : "Its", SPAN_ARG(buf_span(&names)));
	}
	if ((rights & ACL_LOOKUP) == 0)
		puts("Without the right `lookup' it is not visible in LIST");
	else if ((info.attrs & MBOX_EXISTS) != 0)
		puts("It is visible in LIST");
	else
		puts("It is not visible in LIST: list = no, or the owner is not in acl_shared_dict (culveradm acl recalc)");
	buf_clear(&names);
	return ADM_OK;
}

static int
recalc_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct err e = ERR_INIT;

	(void)a;
	(void)f;
	(void)data;
	return storage_shared_update(st, &e) == 0 ? ADM_OK : adm_fail_err(&e, "acl recalc");
}

static int
run(struct adm *a, struct format *f, adm_user_work *work, struct acl_args *x)
{
	int rc;

	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = adm_for_users(a, f, work, x);
	format_end(f);
	format_free(f);
	return rc;
}

/* Only a mailbox. */
static int
one_mailbox(struct adm *a, struct acl_args *x)
{
	int opt;

	while ((opt = getopt(a->argc, a->argv, x->mine ? "+m" : "+")) != -1)
		if (opt == '?')
			return adm_usage(a);
	if (a->argc - optind != 1)
		return adm_usage(a);
	x->mailbox = span_str(a->argv[optind]);
	return ADM_OK;
}

int
cmd_acl_get(struct adm *a)
{
	struct acl_args x = { .mine = false };
	struct format *f;
	int opt;

	while ((opt = getopt(a->argc, a->argv, "+m")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		x.mine = true;
	}
	if (a->argc - optind != 1)
		return adm_usage(a);
	x.mailbox = span_str(a->argv[optind]);
	f = new_format(a);
	if (f != NULL) {
		format_column(f, "id", "ID", 0);
		format_column(f, "global", "Global", 0);
		format_column(f, "rights", "Rights", 0);
	}
	return run(a, f, get_work, &x);
}

int
cmd_acl_rights(struct adm *a)
{
	struct acl_args x = { .mine = false };
	struct format *f;
	int rc = one_mailbox(a, &x);

	if (rc != ADM_OK)
		return rc;
	f = new_format(a);
	if (f != NULL)
		format_column(f, "rights", "Rights", 0);
	return run(a, f, rights_work, &x);
}

int
cmd_acl_debug(struct adm *a)
{
	struct acl_args x = { .mine = false };
	int rc = one_mailbox(a, &x);

	return rc != ADM_OK ? rc : run(a, new_format(a), debug_work, &x);
}

int
cmd_acl_recalc(struct adm *a)
{
	struct acl_args x = { .mine = false };

	if (a->argc != 1)
		return adm_usage(a);
	return run(a, new_format(a), recalc_work, &x);
}

/* mailbox, identifier, rights by name ("all": each). */
static int
change(struct adm *a, enum acl_change how)
{
	struct acl_args x = { .how = how };

	/* An identifier may begin with "-": there are no options. */
	optind = 1;
	if (optind < a->argc && strcmp(a->argv[optind], "--") == 0)
		optind++;
	if (how == ACL_REMOVE ? a->argc - optind != 2 : a->argc - optind < 3)
		return adm_usage(a);
	x.mailbox = span_str(a->argv[optind]);
	if (!acl_identifier_parse(span_str(a->argv[optind + 1]), &x.entry))
		return adm_fail(ADM_USAGE, "\"%s\" is no identifier: anyone, authenticated, owner, user=NAME, group=NAME, "
		    "group-override=NAME, with - in front to take rights away", a->argv[optind + 1]);
	for (int i = optind + 2; i < a->argc; i++) {
		struct span word = span_str(a->argv[i]);
		unsigned right = span_ieq(word, SPAN("all")) ? ACL_ALL : acl_right_by_name(word);

		if (right == 0)
			return adm_fail(ADM_USAGE, "there is no right \"%s\": lookup read write write-seen write-deleted insert post "
			    "expunge create delete admin", a->argv[i]);
		x.entry.rights |= right;
	}
	return run(a, new_format(a), change_work, &x);
}

int
cmd_acl_set(struct adm *a)
{
	return change(a, ACL_REPLACE);
}

int
cmd_acl_add(struct adm *a)
{
	return change(a, ACL_GIVE);
}

int
cmd_acl_remove(struct adm *a)
{
	return change(a, ACL_TAKE);
}

int
cmd_acl_delete(struct adm *a)
{
	return change(a, ACL_REMOVE);
}
