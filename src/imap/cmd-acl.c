/* SPDX-License-Identifier: MIT */
/*
 * SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).  An identifier of a client is a user's name, "anyone",
 * "authenticated", "owner", "$group", "!group" (a group whose rights come before a user's own), or one of these with "-" in
 * front, which takes rights away.  "#..." is what the administrator has set for all, shown and not changed.
 */
#include "imap/session.h"
#include "lib/encode.h"
#include "lib-protocol/imap-quote.h"

/* False: s->reply is set. */
static bool
take_identifier(struct imap_session *s, struct imap_in *in, struct span *text_out, struct acl_entry *out)
{
	struct span id;

	if (!imap_sp(in) || !imap_astring(in, &id)) {
		imap_bad(s, in->why);
		return false;
	}
	*text_out = id;
	*out = (struct acl_entry){ .kind = ACL_USER, .negative = id.n > 0 && id.p[0] == '-' };
	if (out->negative)
		id = span_from(id, 1);
	if (id.n == 0 || id.n > ACL_NAME_MAX || !utf8_is_valid(id)) {
		imap_no(s, "[CANNOT] Invalid identifier.");
		return false;
	}
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < ' ' || id.p[i] == 0x7f) {
			imap_no(s, "[CANNOT] Invalid identifier.");
			return false;
		}
	if (id.p[0] == '#') {
		imap_no(s, "[CANNOT] Global ACLs can't be modified.");
		return false;
	}
	if (span_eq(id, SPAN("anyone")) || span_eq(id, SPAN("anonymous")))
		out->kind = ACL_ANYONE;
	else if (span_eq(id, SPAN("authenticated")))
		out->kind = ACL_AUTHENTICATED;
	else if (span_eq(id, SPAN("owner")))
		out->kind = ACL_OWNER;
	else if (id.n > 1 && id.p[0] == '$')
		out->kind = ACL_GROUP;
	else if (id.n > 1 && id.p[0] == '!')
		out->kind = ACL_GROUP_OVERRIDE;
	if (out->kind == ACL_USER)
		out->name = id;
	else if (out->kind == ACL_GROUP || out->kind == ACL_GROUP_OVERRIDE)
		out->name = span_from(id, 1);
	return true;
}

static bool
is_for_everybody(const struct acl_entry *entry)
{
	return !entry->negative && (entry->kind == ACL_ANYONE || entry->kind == ACL_AUTHENTICATED);
}

/* mailbox SP identifier SP [+-]rights */
int
imap_cmd_setacl(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name, id, rights;
	struct acl_entry change;
	enum acl_change how = ACL_REPLACE;

	if (!imap_arg_mailbox(s, in, &name) || !take_identifier(s, in, &id, &change))
		return 0;
	if (!imap_sp(in) || !imap_astring(in, &rights) || !imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (rights.n > 0 && (rights.p[0] == '+' || rights.p[0] == '-')) {
		how = rights.p[0] == '+' ? ACL_GIVE : ACL_TAKE;
		rights = span_from(rights, 1);
	}
	if (!acl_letters_parse(rights, &change.rights)) {
		imap_bad(s, "Invalid ACL right");
		return 0;
	}
	if (is_for_everybody(&change) && how != ACL_TAKE && change.rights != 0 && !storage_acl_anyone(s->st)) {
		imap_no(s, "[CANNOT] Rights for everybody are not given here.");
		return 0;
	}
	if (storage_acl_change(s->st, name, ACL_ADMIN, &change, how, e) == -1)
		return -1;
	imap_ok(s, "Setacl complete.");
	return 0;
}

int
imap_cmd_deleteacl(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name, id;
	struct acl_entry change;

	if (!imap_arg_mailbox(s, in, &name) || !take_identifier(s, in, &id, &change))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_acl_change(s->st, name, ACL_ADMIN, &change, ACL_REMOVE, e) == -1)
		return -1;
	imap_ok(s, "Deleteacl complete.");
	return 0;
}

static void
put_pair(struct buf *out, const struct acl_entry *entry)
{
	static const char *const words[ACL_KINDS] = {
		[ACL_ANYONE] = "anyone", [ACL_AUTHENTICATED] = "authenticated", [ACL_GROUP] = "$", [ACL_OWNER] = "owner",
		[ACL_USER] = "", [ACL_GROUP_OVERRIDE] = "!",
	};
	struct buf id = BUF_INIT(1024);

	if (entry->negative)
		buf_addc(&id, '-');
	if (entry->global)
		buf_addc(&id, '#');
	buf_adds(&id, words[entry->kind]);
	buf_add(&id, entry->name);
	buf_addc(out, ' ');
	imap_astring_write(out, buf_span(&id));
	buf_clear(&id);
	buf_addc(out, ' ');
	if (entry->rights == 0)
		buf_adds(out, "\"\"");
	acl_letters_write(out, entry->rights, true);
}

int
imap_cmd_getacl(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct acl_list list = { NULL, 0 };
	struct span name, owner = SPAN_NONE;
	bool has_owner = false;

	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_acl(s->st, name, ACL_ADMIN, s->arena, &list, &owner, e) == -1)
		return -1;
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* ACL ");
	imap_mailbox_write(&s->scratch, name);
	for (size_t i = 0; i < list.n; i++) {
		has_owner = has_owner || (list.v[i].kind == ACL_OWNER && !list.v[i].negative) ||
		    (list.v[i].kind == ACL_USER && !list.v[i].negative && span_eq(list.v[i].name, owner));
		put_pair(&s->scratch, &list.v[i]);
	}
	if (!has_owner && owner.n > 0)	/* whom no line names has all rights */
		put_pair(&s->scratch, &(struct acl_entry){ .kind = ACL_USER, .name = owner, .rights = ACL_ALL });
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
	imap_ok(s, "Getacl completed.");
	return 0;
}

/* Every right may be given or not by itself; c and d go with theirs. */
int
imap_cmd_listrights(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct acl_list list = { NULL, 0 };
	struct span name, id, owner;
	struct acl_entry entry;

	if (!imap_arg_mailbox(s, in, &name) || !take_identifier(s, in, &id, &entry))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_acl(s->st, name, ACL_ADMIN, s->arena, &list, &owner, e) == -1)
		return -1;
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* LISTRIGHTS ");
	imap_mailbox_write(&s->scratch, name);
	buf_addc(&s->scratch, ' ');
	imap_astring_write(&s->scratch, id);
	buf_adds(&s->scratch, " \"\" l r w s t p i e k x a c d\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
	imap_ok(s, "Listrights completed.");
	return 0;
}

int
imap_put_myrights(struct imap_session *s, struct span mailbox, struct err *e)
{
	unsigned rights = 0;

	if (storage_rights(s->st, mailbox, &rights, e) == -1)
		return -1;
	/* RFC 4314 section 6: who has none of these may not know that it is there. */
	if ((rights & (ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE | ACL_ADMIN)) == 0)
		return err_set(e, ERR_NOTFOUND, "%.*s: no rights", SPAN_ARG(mailbox));
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* MYRIGHTS ");
	imap_mailbox_write(&s->scratch, mailbox);
	buf_addc(&s->scratch, ' ');
	acl_letters_write(&s->scratch, rights, true);
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
	return 0;
}

int
imap_cmd_myrights(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span name;

	if (!imap_arg_mailbox(s, in, &name))
		return 0;
	if (!imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (imap_put_myrights(s, name, e) == -1)
		return -1;
	imap_ok(s, "Myrights completed.");
	return 0;
}
