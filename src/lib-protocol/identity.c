/* SPDX-License-Identifier: MIT */
#include "lib-protocol/identity.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/ipc-types.h"
#include "lib/priv.h"

#define PATH_LEN_MAX 4096
#define FIELDS_LEN_MAX 32768

void
identity_put(struct ipc_out *o, const struct identity *id)
{
	struct buf groups = BUF_INIT(IDENTITY_GROUPS_MAX * 4);

	for (size_t i = 0; i < id->group_count && i < IDENTITY_GROUPS_MAX; i++)
		buf_add_be32(&groups, (uint32_t)id->groups[i]);
	ipc_put_bytes(o, F_USER, id->user);
	ipc_put_u32(o, F_UID, (uint32_t)id->uid);
	ipc_put_u32(o, F_GID, (uint32_t)id->gid);
	ipc_put_bytes(o, F_GROUPS, buf_span(&groups));
	ipc_put_bytes(o, F_HOME, id->home);
	ipc_put_bytes(o, F_FIELDS, id->fields);
	ipc_put_bytes(o, F_CHROOT, id->chroot_dir);
	if (groups.failed)
		o->b.failed = true;
	buf_clear(&groups);
}

static bool
has_nul(struct span s)
{
	return span_chr(s, '\0') != s.n;
}

/* name "=" value NUL, each: a name is not empty, the last NUL is there. */
static bool
fields_are_sound(struct span fields)
{
	if (fields.n > 0 && fields.p[fields.n - 1] != '\0')
		return false;
	while (fields.n > 0) {
		size_t end = span_chr(fields, '\0'), eq = span_chr(span_sub(fields, 0, end), '=');

		if (eq == 0 || eq == end)
			return false;
		fields = span_from(fields, end + 1);
	}
	return true;
}

int
identity_get(struct ipc_msg *m, struct arena *a, struct identity *out, struct err *e)
{
	struct span groups;

	memset(out, 0, sizeof(*out));
	out->user = ipc_bytes(m, F_USER, USER_NAME_MAX);
	out->uid = (uid_t)ipc_u32(m, F_UID);
	out->gid = (gid_t)ipc_u32(m, F_GID);
	groups = ipc_bytes(m, F_GROUPS, IDENTITY_GROUPS_MAX * 4);
	out->home = ipc_bytes(m, F_HOME, PATH_LEN_MAX);
	out->fields = ipc_bytes(m, F_FIELDS, FIELDS_LEN_MAX);
	out->chroot_dir = ipc_bytes(m, F_CHROOT, PATH_LEN_MAX);
	if (m->bad || out->user.n == 0 || groups.n % 4 != 0 || has_nul(out->user) || has_nul(out->home) ||
	    has_nul(out->chroot_dir) || !fields_are_sound(out->fields))
		return err_set(e, ERR_SYNTAX, "malformed identity");
	for (size_t i = 0; i < groups.n / 4; i++)
		out->groups[out->group_count++] = (gid_t)be32_get(groups.p + i * 4);
	out->user = arena_dup(a, out->user);
	out->home = arena_dup(a, out->home);
	out->fields = arena_dup(a, out->fields);
	out->chroot_dir = arena_dup(a, out->chroot_dir);
	if (out->user.p == NULL || out->home.p == NULL || out->fields.p == NULL || out->chroot_dir.p == NULL)
		return err_set(e, ERR_LIMIT, "no room for the identity of a user");
	return 0;
}

bool
identity_is_same(const struct identity *a, const struct identity *b)
{
	if (a->uid != b->uid || a->gid != b->gid || a->group_count != b->group_count)
		return false;
	for (size_t i = 0; i < a->group_count; i++)
		if (a->groups[i] != b->groups[i])
			return false;
	return span_eq(a->user, b->user) && span_eq(a->home, b->home) && span_eq(a->fields, b->fields) &&
		span_eq(a->chroot_dir, b->chroot_dir);
}

static bool
is_between(uint64_t v, uint64_t first, uint64_t last)
{
	return v >= first && (last == 0 || v <= last);
}

int
identity_check(const struct identity *id, const struct set_view *v, struct err *e)
{
	if (id->uid == 0 || id->uid == (uid_t)-1)
		return err_set(e, ERR_DENIED, "user %.*s: mail is not served as root", SPAN_ARG(id->user));
	if (!is_between(id->uid, set_num(v, SET_first_valid_uid), set_num(v, SET_last_valid_uid)))
		return err_set(e, ERR_DENIED, "user %.*s: uid %lu is outside first_valid_uid and last_valid_uid",
			       SPAN_ARG(id->user), (unsigned long)id->uid);
	if (id->gid == (gid_t)-1 || !is_between(id->gid, set_num(v, SET_first_valid_gid), set_num(v, SET_last_valid_gid)))
		return err_set(e, ERR_DENIED, "user %.*s: gid %lu is outside first_valid_gid and last_valid_gid",
			       SPAN_ARG(id->user), (unsigned long)id->gid);
	return 0;
}

int
identity_apply(const struct identity *id, struct set_view *v, struct err *e)
{
	struct span rest = id->fields;

	while (rest.n > 0) {
		size_t end = span_chr(rest, '\0');
		struct span field = span_sub(rest, 0, end);
		size_t eq = span_chr(field, '=');
		struct span name = span_sub(field, 0, eq);
		struct err why = ERR_INIT;

		rest = span_from(rest, end + 1);
		if (span_eq(name, SPAN("mail")))
			name = SPAN("mail_location");
		if (set_view_override(v, name, span_from(field, eq + 1), &why) == 0)
			continue;
		/* Databases hold fields of all kinds: one that is no setting is none of ours, as with plugin settings. */
		if (why.code == ERR_NOTFOUND) {
			char plugin[128];
			struct buf b = BUF_INIT(sizeof(plugin));

			buf_adds(&b, "plugin/");
			buf_add(&b, name);
			if (!b.failed && set_view_override(v, buf_span(&b), span_from(field, eq + 1), &why) == 0)
				why.code = ERR_NONE;
			buf_clear(&b);
		}
		if (why.code != ERR_NONE && why.code != ERR_NOTFOUND) {
			*e = why;
			return err_wrap(e, "user %.*s: field %.*s", SPAN_ARG(id->user), SPAN_ARG(name));
		}
	}
	return 0;
}

/* mail_access_groups behind the user's own groups. */
static int
add_access_groups(const struct set_view *v, gid_t *groups, size_t *count, size_t max, struct err *e)
{
	struct span rest = set_str(v, SET_mail_access_groups), word;

	while (span_next(&rest, ' ', &word)) {
		char name[128];

		word = span_trim(word);
		if (word.n > 0 && word.p[word.n - 1] == ',')
			word.n--;
		if (word.n == 0)
			continue;
		if (word.n >= sizeof(name) || *count == max)
			return err_set(e, ERR_LIMIT, "too many groups, or too long a name, in mail_access_groups");
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		if (priv_lookup_group(name, &groups[*count], e) == -1)
			return err_wrap(e, "mail_access_groups");
		(*count)++;
	}
	return 0;
}

static bool
is_mbox(struct span location)
{
	return span_istarts(location, SPAN("mbox:")) || location.n == 0;	/* empty: it may be found to be */
}

/* mail_privileged_group, when there are mbox files: it is for their lock files.  0: none. */
static int
privileged_group(const struct set_view *v, gid_t *out, struct err *e)
{
	struct span group = set_str(v, SET_mail_privileged_group), location;
	struct set_block b;
	size_t pos = 0;
	bool wanted = is_mbox(set_str(v, SET_mail_location));
	char name[128];

	*out = 0;
	while (!wanted && set_block_next(v, NULL, "namespace", &pos, &b)) {
		location = set_block_str(&b, "location");
		wanted = location.n > 0 && is_mbox(location);
	}
	if (group.n == 0 || !wanted)
		return 0;
	if (group.n >= sizeof(name))
		return err_set(e, ERR_LIMIT, "mail_privileged_group is too long a name");
	memcpy(name, group.p, group.n);
	name[group.n] = '\0';
	return priv_lookup_group(name, out, e) == 0 ? 0 : err_wrap(e, "mail_privileged_group");
}

static int
become(const struct identity *id, const struct set_view *v, bool runner, struct err *e)
{
	gid_t groups[IDENTITY_GROUPS_MAX * 2];
	char path[PATH_LEN_MAX], home[PATH_LEN_MAX];
	struct priv_user u = { .uid = id->uid, .gid = id->gid, .groups = groups };

	if (identity_check(id, v, e) == -1)
		return -1;
	if (id->chroot_dir.n >= sizeof(path) || id->home.n >= sizeof(home))
		return err_set(e, ERR_LIMIT, "user %.*s: home or chroot is too long", SPAN_ARG(id->user));
	memcpy(groups, id->groups, id->group_count * sizeof(groups[0]));
	u.group_count = id->group_count;
	if (add_access_groups(v, groups, &u.group_count, sizeof(groups) / sizeof(groups[0]), e) == -1)
		return -1;
	if (!runner && privileged_group(v, &u.saved_gid, e) == -1)
		return -1;
	if (id->chroot_dir.n > 0) {
		memcpy(path, id->chroot_dir.p, id->chroot_dir.n);
		path[id->chroot_dir.n] = '\0';
		u.chroot_dir = path;
	}
	if ((runner ? priv_become(&u, e) : priv_drop(&u, e)) == -1)
		return err_wrap(e, "user %.*s", SPAN_ARG(id->user));
	umask(0077);
	if (id->home.n == 0)
		return 0;
	memcpy(home, id->home.p, id->home.n);
	home[id->home.n] = '\0';
	/* A home that is not there yet is made with the first mailbox. */
	if (chdir(home) == -1 && errno != ENOENT && errno != EACCES && errno != ENOTDIR)
		return err_errno(e, "user %.*s: chdir to the home", SPAN_ARG(id->user));
	return 0;
}

int
identity_become(const struct identity *id, const struct set_view *v, struct err *e)
{
	return become(id, v, false, e);
}

int
identity_become_runner(const struct identity *id, const struct set_view *v, struct err *e)
{
	return become(id, v, true, e);
}
