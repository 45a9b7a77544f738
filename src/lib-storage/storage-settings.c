/* SPDX-License-Identifier: MIT */
/* From the settings in effect for a user to struct storage_conf: variables expanded, namespaces read. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "lib-config/vars.h"
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"

#define CONF_ARENA ((size_t)1 << 20)
#define BLOCKS_MAX 1000
#define GROUPS_MAX 1000
#define IGNORED_MAX 100		/* patterns of acl_ignore_namespace */
#define ACL_CACHE_MS 30000	/* cache_secs of Dovecot */
#define EXTRA_VARS 9

struct conf {
	struct storage_conf c;
	struct arena *a;
	const struct storage_params *p;
	struct var vars[VARS_USER_COUNT + EXTRA_VARS];
	struct array namespaces;	/* struct namespace_conf */
};

static void
make_vars(struct conf *k)
{
	const struct storage_params *p = k->p;
	struct var *v = k->vars;

	vars_for_user(v, p->user, p->home);
	v += VARS_USER_COUNT;
	/* The table that vars_for_user made may end with its own mark. */
	while (v > k->vars && v[-1].letter == 0 && v[-1].name == NULL)
		v--;
	*v++ = (struct var){ 's', "service", p->protocol };
	*v++ = (struct var){ 'r', "rip", p->rip };
	*v++ = (struct var){ 'l', "lip", p->lip };
	*v++ = (struct var){ 0, "session", p->session };
	*v = (struct var){ 0, NULL, SPAN_NONE };
}

static int
expand(struct conf *k, struct span in, struct span *out, struct err *e)
{
	struct buf text = BUF_INIT(8192);
	int rc = in.n == 0 ? 0 : vars_expand(&text, in, k->vars, e);

	if (rc == 0 && text.failed)
		rc = err_set(e, ERR_LIMIT, "a mail location is too long");
	if (rc == 0) {
		*out = text.n == 0 ? SPAN_NONE : arena_dup(k->a, buf_span(&text));
		if (text.n > 0 && out->p == NULL)
			rc = err_set(e, ERR_LIMIT, "the mail locations are too long");
	}
	buf_clear(&text);
	return rc;
}

static unsigned
special_use(struct span words)
{
	static const struct {
		struct span word;
		unsigned use;
	} uses[] = {
		{ { "\\All", 4 }, MBOX_USE_ALL }, { { "\\Archive", 8 }, MBOX_USE_ARCHIVE },
		{ { "\\Drafts", 7 }, MBOX_USE_DRAFTS }, { { "\\Flagged", 8 }, MBOX_USE_FLAGGED },
		{ { "\\Junk", 5 }, MBOX_USE_JUNK }, { { "\\Sent", 5 }, MBOX_USE_SENT },
		{ { "\\Trash", 6 }, MBOX_USE_TRASH },
	};
	struct span word;
	unsigned out = 0;

	while (span_next(&words, ' ', &word))
		for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
			if (span_ieq(word, uses[i].word))
				out |= uses[i].use;
	return out;
}

static int
word_index(struct span word, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
		if (span_ieq(word, span_str(words[i])))
			return i;
	return 0;
}

static int
read_specials(struct conf *k, const struct set_block *ns, struct namespace_conf *out, struct err *e)
{
	static const char *const automatic[] = { "no", "create", "subscribe", NULL };
	struct set_block box;
	size_t pos = 0, count = 0;
	struct special_conf *list;

	while (set_block_next(ns->view, ns, "mailbox", &pos, &box))
		count++;
	if (count > BLOCKS_MAX || (list = arena_alloc(k->a, count + 1, sizeof(*list))) == NULL)
		return err_set(e, ERR_LIMIT, "too many mailbox blocks in a namespace");
	out->specials = list;
	pos = 0;
	while (set_block_next(ns->view, ns, "mailbox", &pos, &box)) {
		struct special_conf *sp = &list[out->special_count++];

		sp->name = box.name;
		sp->use = special_use(set_block_str(&box, "special_use"));
		sp->autoexpunge_s = (int64_t)(set_block_ms(&box, "autoexpunge") / 1000);
		sp->autoexpunge_max = set_block_num(&box, "autoexpunge_max_mails");
		sp->comment = set_block_str(&box, "comment");
		switch (word_index(set_block_str(&box, "auto"), automatic)) {
		case 1:
			sp->automatic = AUTO_CREATE;
			break;
		case 2:
			sp->automatic = AUTO_SUBSCRIBE;
			break;
		default:
			sp->automatic = AUTO_NO;
			break;
		}
	}
	return 0;
}

static int
read_namespace(struct conf *k, const struct set_block *b, struct err *e)
{
	static const char *const types[] = { "private", "shared", "public", NULL };
	static const char *const lists[] = { "yes", "no", "children", NULL };
	struct namespace_conf *ns;
	struct span sep = set_block_str(b, "separator");

	if (set_block_bool(b, "disabled"))
		return 0;
	ns = array_push(&k->namespaces);
	if (ns == NULL)
		return err_set(e, ERR_LIMIT, "too many namespaces");
	*ns = (struct namespace_conf){ .type = word_index(set_block_str(b, "type"), types) };
	ns->list = word_index(set_block_str(b, "list"), lists);
	ns->separator = sep.n == 1 ? sep.p[0] : 0;
	ns->inbox = set_block_bool(b, "inbox");
	ns->hidden = set_block_bool(b, "hidden");
	ns->subscriptions = set_block_bool(b, "subscriptions");
	ns->ignore_on_failure = set_block_bool(b, "ignore_on_failure");
	ns->order = set_block_num(b, "order");
	ns->is_alias = set_block_is_set(b, "alias_for");
	ns->alias_for = set_block_str(b, "alias_for");
	if (expand(k, set_block_str(b, "prefix"), &ns->prefix, e) == -1 ||
	    expand(k, set_block_str(b, "location"), &ns->location, e) == -1)
		return -1;
	ns->is_template = ns->type == NS_SHARED && span_chr(ns->prefix, '%') != ns->prefix.n;
	if (ns->is_template && ns->location.n == 0)
		return err_set(e, ERR_SYNTAX, "a namespace of other users needs a location");
	return read_specials(k, b, ns, e);
}

/* Where homes of other users are: mail_home, or the home of a static userdb, with their variables. */
static struct span
find_home(const struct set_view *v)
{
	struct span home = set_str(v, SET_mail_home), args, word;
	struct set_block b;
	size_t pos = 0;

	while (home.n == 0 && set_block_next(v, NULL, "userdb", &pos, &b)) {
		if (!span_eq(set_block_str(&b, "driver"), SPAN("static")))
			continue;
		args = set_block_str(&b, "args");
		while (home.n == 0 && span_next(&args, ' ', &word))
			if (span_starts(word, SPAN("home=")))
				home = span_from(word, 5);
	}
	return home;
}

/* By `order', and as they are written where that is the same. */
static void
sort_namespaces(struct namespace_conf *ns, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t k = i; k > 0 && ns[k - 1].order > ns[k].order; k--) {
			struct namespace_conf tmp = ns[k];

			ns[k] = ns[k - 1];
			ns[k - 1] = tmp;
		}
	}
}

static size_t
at_most(uint64_t v, size_t max)
{
	return v < max ? (size_t)v : max;
}

static void
read_limits(struct conf *k)
{
	const struct set_view *v = k->p->view;
	struct mail_limits *l = &k->c.limits;

	l->header_octets = at_most(set_num(v, SET_mail_max_header_size), (size_t)15 << 20);
	l->header_fields = at_most(set_num(v, SET_mail_max_header_count), 1000000);
	l->mime_depth = (unsigned)at_most(set_num(v, SET_mail_max_mime_depth), 1000);
	l->mime_parts = (unsigned)at_most(set_num(v, SET_mail_max_mime_parts), 100000);
	l->addresses = at_most(set_num(v, SET_mail_max_addresses), 100000);
	k->c.max_keywords = (unsigned)at_most(set_num(v, SET_mail_max_keywords), INDEX_KEYWORDS);
	k->c.max_keyword_length = (unsigned)at_most(set_num(v, SET_mail_max_keyword_length), 500);
	k->c.name_max = (unsigned)at_most(set_num(v, SET_mail_max_mailbox_name_length), INDEX_NAME_MAX);
	k->c.depth_max = (unsigned)at_most(set_num(v, SET_mail_max_mailbox_depth), 200);
	k->c.max_mailboxes = at_most(set_num(v, SET_mail_max_mailboxes), 1000000);
	k->c.metadata_value_max = at_most(set_num(v, SET_mail_attribute_max_size), (size_t)1 << 20);
	k->c.metadata_count_max = at_most(set_num(v, SET_mail_attribute_max_count), 10000);
	k->c.server_comment = set_str(v, SET_mail_server_comment);
	k->c.server_admin = set_str(v, SET_mail_server_admin);
	k->c.map_max = set_num(v, SET_mail_index_map_size);
	k->c.message_max = set_num(v, SET_mail_max_message_size);
	k->c.tmp_age_s = set_ms(v, SET_mail_temp_scan_interval) == 0 ? 0 : 36 * 3600;
	k->c.tmp_interval_s = (int64_t)(set_ms(v, SET_mail_temp_scan_interval) / 1000);
	k->c.fsync = (enum fsync_mode)set_enum(v, SET_mail_fsync);
	k->c.flags_immediate = set_enum(v, SET_maildir_flag_sync) == 1;
	k->c.distrust_sizes = set_bool(v, SET_maildir_broken_filename_sizes);
	k->c.copy_by_link = set_bool(v, SET_maildir_copy_with_hardlinks);
}

/* mail_compress, or what the same is called with Dovecot's zlib plugin. */
static void
read_compression(struct conf *k)
{
	static const enum pack_kind kinds[] = { PACK_NONE, PACK_GZIP, PACK_ZSTD };
	const struct set_view *v = k->p->view;
	struct span save = set_plugin(v, "zlib_save");
	uint64_t level;

	k->c.pack = kinds[set_enum(v, SET_mail_compress)];
	k->c.pack_level = (int)at_most(set_num(v, SET_mail_compress_level), 100);
	if (k->c.pack != PACK_NONE || !set_list_has(v, SET_mail_plugins, SPAN("zlib")))
		return;
	k->c.pack = span_ieq(save, SPAN("gz")) ? PACK_GZIP : span_ieq(save, SPAN("zstd")) ? PACK_ZSTD : PACK_NONE;
	if (span_u64(set_plugin(v, "zlib_save_level"), 100, &level))
		k->c.pack_level = (int)level;
}

static int
read_quota(struct conf *k, struct err *e)
{
	struct quota_conf *q = &k->c.quota;
	const struct set_view *v = k->p->view;

	if (!set_list_has(v, SET_mail_plugins, SPAN("quota")))
		return 0;
	if (quota_settings_read(v, k->vars, k->a, q, e) == -1)
		return err_wrap(e, "quota");
	q->is_delivery = span_eq(k->p->protocol, SPAN("lmtp")) || span_eq(k->p->protocol, SPAN("lda"));
	return 0;
}

static int
plugin_path(struct conf *k, const char *name, const char *scheme, struct span *out, struct err *e)
{
	struct span text = set_plugin(k->p->view, name);

	if (text.n == 0)
		return 0;
	if (!span_starts(text, span_str(scheme)))
		return err_set(e, ERR_SYNTAX, "plugin/%s: it begins with %s", name, scheme);
	text = span_from(text, strlen(scheme));
	if (expand(k, text, out, e) == -1)
		return err_wrap(e, "plugin/%s", name);
	return out->n > 0 && out->p[0] == '/' ? 0 : err_set(e, ERR_SYNTAX, "plugin/%s: a path begins with /", name);
}

/* mail_attribute_dict = file:PATH; another kind of dictionary was warned of. */
static int
read_attribute_dict(struct conf *k, struct err *e)
{
	struct span text = set_str(k->p->view, SET_mail_attribute_dict), *out = &k->c.attribute_dict;

	if (!span_starts(text, SPAN("file:")))
		return 0;
	if (expand(k, span_from(text, 5), out, e) == -1)
		return err_wrap(e, "mail_attribute_dict");
	return out->n > 0 && out->p[0] == '/' ? 0 : err_set(e, ERR_SYNTAX, "mail_attribute_dict: a path begins with /");
}

/* vfile[:path][:cache_secs=n] */
static int
read_acl_source(struct conf *k, struct span text, struct acl_conf *acl, struct err *e)
{
	struct span part, path = SPAN_NONE;
	uint64_t seconds;

	if (!span_next(&text, ':', &part) || !span_eq(part, SPAN("vfile")))
		return err_set(e, ERR_SYNTAX, "plugin/acl: only vfile is known");
	while (span_next(&text, ':', &part)) {
		if (span_starts(part, SPAN("cache_secs="))) {
			if (!span_u64(span_from(part, 11), 86400, &seconds))
				return err_set(e, ERR_SYNTAX, "plugin/acl: cache_secs is a number of seconds");
			acl->cache_ms = (int64_t)seconds * 1000;
		} else if (part.n > 0) {
			path = part;
		}
	}
	if (path.n == 0)
		return 0;
	if (path.p[0] != '/')
		return err_set(e, ERR_SYNTAX, "plugin/acl: a path begins with /");
	return expand(k, path, &acl->global, e);
}

/* acl_groups: names with commas between. */
static int
read_groups(struct conf *k, struct acl_conf *acl, struct err *e)
{
	struct span rest = set_plugin(k->p->view, "acl_groups"), name, *list;
	size_t most = 1;

	for (size_t i = 0; i < rest.n; i++)
		most += rest.p[i] == ',';
	list = most > GROUPS_MAX ? NULL : arena_alloc(k->a, most, sizeof(*list));
	if (list == NULL)
		return err_set(e, ERR_LIMIT, "acl_groups: more than %d", GROUPS_MAX);
	while (span_next(&rest, ',', &name)) {
		name = span_trim(name);
		if (name.n > 0)
			list[acl->group_count++] = name;
	}
	acl->groups = list;
	return 0;
}

/* acl_ignore_namespace, acl_ignore_namespace2 ... up to the first that is not there. */
static int
read_ignored(struct conf *k, struct acl_conf *acl, struct err *e)
{
	struct span *list = arena_alloc(k->a, IGNORED_MAX, sizeof(*list));
	char key[40] = "acl_ignore_namespace";

	if (list == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	for (struct span value; (value = set_plugin(k->p->view, key)).n > 0; acl->ignored_count++) {
		if (acl->ignored_count == IGNORED_MAX)
			return err_set(e, ERR_LIMIT, "plugin/acl_ignore_namespace: more than %d", IGNORED_MAX);
		if (expand(k, value, &list[acl->ignored_count], e) == -1)
			return err_wrap(e, "plugin/%s", key);
		snprintf(key, sizeof(key), "acl_ignore_namespace%zu", acl->ignored_count + 2);
	}
	acl->ignored = list;
	return 0;
}

static bool
is_yes(struct span value)
{
	return value.n > 0 && !span_ieq(value, SPAN("no")) && !span_ieq(value, SPAN("n")) && !span_ieq(value, SPAN("0"));
}

static int
read_acl(struct conf *k, struct err *e)
{
	const struct set_view *v = k->p->view;
	struct acl_conf *acl = &k->c.acl;
	struct span source = set_plugin(v, "acl"), user = set_plugin(v, "acl_user");

	if (source.n == 0 || !set_list_has(v, SET_mail_plugins, SPAN("acl")))
		return 0;
	*acl = (struct acl_conf){ .on = true, .cache_ms = ACL_CACHE_MS };
	if (user.n == 0)
		user = set_plugin(v, "master_user");
	acl->defaults_from_inbox = is_yes(set_plugin(v, "acl_defaults_from_inbox"));
	acl->globals_only = is_yes(set_plugin(v, "acl_globals_only"));
	acl->allow_anyone = span_eq(set_plugin(v, "acl_anyone"), SPAN("allow"));
	if (expand(k, user, &acl->user, e) == -1)
		return err_wrap(e, "plugin/acl_user");
	if (read_acl_source(k, source, acl, e) == -1 || read_groups(k, acl, e) == -1 || read_ignored(k, acl, e) == -1)
		return -1;
	return plugin_path(k, "acl_shared_dict", "file:", &acl->dict, e);
}

static int
read_locks(struct span words, const char *setting, enum mbox_lock_method out[MBOX_LOCKS_MAX], struct err *e)
{
	static const char *const names[] = { "dotlock", "dotlock_try", "fcntl", "flock", "lockf", NULL };
	struct span word;
	size_t n = 0;

	memset(out, 0, MBOX_LOCKS_MAX * sizeof(*out));
	while (span_next(&words, ' ', &word)) {
		int i = 0;

		word = span_trim(word);
		if (word.n > 0 && word.p[word.n - 1] == ',')
			word.n--;
		if (word.n == 0)
			continue;
		while (names[i] != NULL && !span_eq(word, span_str(names[i])))
			i++;
		if (names[i] == NULL || n == MBOX_LOCKS_MAX)
			return err_set(e, ERR_SYNTAX, "%s: %.*s is no way to lock, or one too many", setting, SPAN_ARG(word));
		out[n++] = (enum mbox_lock_method)(MBOX_LOCK_DOTLOCK + i);
	}
	return 0;
}

static unsigned
at_most_ms(uint64_t v)
{
	return v < INT32_MAX ? (unsigned)v : INT32_MAX;
}

static int
read_mbox(struct conf *k, struct err *e)
{
	const struct set_view *v = k->p->view;
	struct mbox_params *m = &k->c.mbox;

	m->lock_timeout_ms = at_most_ms(set_ms(v, SET_mbox_lock_timeout));
	m->dotlock_change_ms = at_most_ms(set_ms(v, SET_mbox_dotlock_change_timeout));
	m->lazy_writes = set_bool(v, SET_mbox_lazy_writes);
	m->dirty_syncs = set_bool(v, SET_mbox_dirty_syncs) || set_bool(v, SET_mbox_very_dirty_syncs);
	m->very_dirty_syncs = set_bool(v, SET_mbox_very_dirty_syncs);
	return read_locks(set_str(v, SET_mbox_read_locks), "mbox_read_locks", m->read_locks, e) == 0 ?
	    read_locks(set_str(v, SET_mbox_write_locks), "mbox_write_locks", m->write_locks, e) : -1;
}

static int
conf_read(struct conf *k, struct err *e)
{
	struct set_block b;
	size_t pos = 0;
	bool inbox = false;

	k->c = STORAGE_CONF_DEFAULT;
	k->c.user = k->p->user;
	k->c.home = k->p->home;
	k->namespaces = ARRAY_INIT(struct namespace_conf, BLOCKS_MAX);
	k->a = arena_new(CONF_ARENA);
	if (k->a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	make_vars(k);
	read_limits(k);
	if (read_mbox(k, e) == -1)
		return -1;
	read_compression(k);
	if (expand(k, set_str(k->p->view, SET_mail_location), &k->c.location, e) == -1)
		return err_wrap(e, "mail_location");
	k->c.home_template = find_home(k->p->view);
	k->c.homes = k->p->homes;
	k->c.home_count = k->p->home_count;
	k->c.shared_explicit_inbox = set_bool(k->p->view, SET_mail_shared_explicit_inbox);
	if (read_attribute_dict(k, e) == -1 || read_quota(k, e) == -1 || read_acl(k, e) == -1)
		return -1;
	while (set_block_next(k->p->view, NULL, "namespace", &pos, &b))
		if (read_namespace(k, &b, e) == -1)
			return err_wrap(e, "namespace %.*s", SPAN_ARG(b.name));
	sort_namespaces(k->namespaces.p, k->namespaces.n);
	k->c.namespaces = k->namespaces.p;
	k->c.namespace_count = k->namespaces.n;
	for (size_t i = 0; i < k->c.namespace_count; i++)
		inbox = inbox || k->c.namespaces[i].inbox;
	/* One namespace alone has INBOX whatever it says; of several one must say so. */
	if (k->c.namespace_count == 1)
		((struct namespace_conf *)k->namespaces.p)[0].inbox = true;
	else if (k->c.namespace_count > 1 && !inbox)
		return err_set(e, ERR_TEMP, "none of the namespaces has inbox = yes");
	return 0;
}

static void
conf_clear(struct conf *k)
{
	array_clear(&k->namespaces);
	arena_free(k->a);
}

int
storage_open(const struct storage_params *p, struct storage **out, struct err *e)
{
	struct conf k = { .p = p };
	int rc = conf_read(&k, e);

	k.c.released_too = p->released_too;
	if (rc == 0)
		rc = storage_open_conf(&k.c, p->notify_fd, out, e);
	conf_clear(&k);
	return rc;
}

struct paths {
	struct arena *a;
	const char **v;
	size_t n, max;
};

static int
add_path(struct paths *ps, const char *path, bool make, struct err *e)
{
	struct stat sb;

	if (path == NULL)
		return 0;
	/* What is not there when the sandbox closes could not be made any more. */
	if (make && dir_make(path, 0700, e) == -1)
		return -1;
	if (!make && stat(path, &sb) == -1)
		return 0;
	if (ps->n == ps->max)
		return err_set(e, ERR_LIMIT, "too many mail locations");
	ps->v[ps->n++] = path;
	return 0;
}

/* An mbox and its lock file come and go in their directory. */
static const char *
inbox_path(struct paths *ps, const struct location *loc)
{
	const char *slash = loc->inbox == NULL ? NULL : strrchr(loc->inbox, '/');

	if (slash == NULL || slash == loc->inbox || !span_eq(loc->driver, SPAN("mbox")))
		return loc->inbox;
	return arena_cstr(ps->a, span_of(loc->inbox, (size_t)(slash - loc->inbox)));
}

/* Other users' mail: what is above the first name with a variable. */
static const char *
static_part(struct paths *ps, const char *path)
{
	size_t n = path == NULL ? 0 : shared_static_part(span_str(path));

	/* Not the root of everything. */
	return n <= 1 ? NULL : arena_cstr(ps->a, span_sub(span_str(path), 0, n));
}

/* text with the home of one user, or with where homes are. */
static int
add_template_at(struct conf *k, struct paths *ps, struct span text, struct span home, struct err *e)
{
	struct buf location = BUF_INIT(8192);
	struct location loc;
	int rc;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '%' && i + 1 < text.n && text.p[i + 1] == 'h') {
			buf_add(&location, home);
			i++;
		} else {
			buf_addc(&location, text.p[i]);
		}
	}
	rc = location_parse(buf_span(&location), k->p->home, ps->a, &loc, e);
	buf_clear(&location);
	if (rc == -1 || add_path(ps, static_part(ps, loc.root), false, e) == -1 ||
	    add_path(ps, static_part(ps, loc.inbox), false, e) == -1 || add_path(ps, static_part(ps, loc.index), false, e) == -1 ||
	    add_path(ps, static_part(ps, loc.control), false, e) == -1)
		return -1;
	return add_path(ps, static_part(ps, loc.index_pvt), true, e);
}

static int
add_template(struct conf *k, struct paths *ps, struct span text, struct err *e)
{
	if (span_find(text, SPAN("%h")) != SIZE_MAX)
		for (size_t i = 0; i < k->c.home_count; i++)
			if (add_template_at(k, ps, text, k->c.homes[i].home, e) == -1)
				return -1;
	return add_template_at(k, ps, text, k->c.home_template, e);
}

static int
add_namespace(struct conf *k, struct paths *ps, const struct namespace_conf *ns, struct err *e)
{
	struct span text = ns != NULL && ns->location.n > 0 ? ns->location : k->c.location;
	const struct storage_params *p = k->p;
	struct location loc;
	int rc;

	if (ns != NULL && ns->is_alias)
		return 0;
	if (ns != NULL && ns->is_template)
		return add_template(k, ps, ns->location, e);
	rc = text.n > 0 ? location_parse(text, p->home, ps->a, &loc, e) : location_find(p->user, p->home, ps->a, &loc, e);
	if (rc == -1 || add_path(ps, loc.root, true, e) == -1 || add_path(ps, inbox_path(ps, &loc), true, e) == -1 ||
	    add_path(ps, loc.index, true, e) == -1 || add_path(ps, loc.control, true, e) == -1)
		return -1;
	return add_path(ps, loc.index_pvt, true, e);
}

/* Of access control: the file or directory that holds for all, which its permissions protect; the dictionary's directory. */
static int
add_acl(struct conf *k, struct paths *ps, struct err *e)
{
	struct span dict = k->c.acl.dict;
	size_t n = dict.n;

	while (n > 0 && dict.p[n - 1] != '/')
		n--;
	if (k->c.acl.global.n > 0 && add_path(ps, arena_cstr(ps->a, k->c.acl.global), false, e) == -1)
		return -1;
	return n > 1 ? add_path(ps, arena_cstr(ps->a, span_sub(dict, 0, n - 1)), false, e) : 0;
}

int
storage_paths(const struct storage_params *p, struct arena *a, const char *const **rw_out, struct err *e)
{
	struct conf k = { .p = p };
	struct paths ps = { .a = a };
	int rc = conf_read(&k, e);

	if (rc == 0) {
		ps.max = k.c.namespace_count * 5 * (1 + k.c.home_count) + 9;
		ps.v = arena_alloc(a, ps.max + 1, sizeof(*ps.v));
		if (ps.v == NULL)
			rc = err_set(e, ERR_LIMIT, "too many mail locations");
	}
	if (rc == 0 && k.c.namespace_count == 0)
		rc = add_namespace(&k, &ps, NULL, e);
	/* The one with INBOX is the first: where it is tells whose mail this is. */
	for (int others = 0; others < 2; others++) {
		for (size_t i = 0; i < k.c.namespace_count && rc == 0; i++) {
			const struct namespace_conf *ns = &k.c.namespaces[i];

			if (ns->inbox == (others == 1))
				continue;
			rc = add_namespace(&k, &ps, ns, e);
			if (rc == -1 && ns->ignore_on_failure) {
				*e = (struct err)ERR_INIT;
				rc = 0;
			}
		}
	}
	if (rc == 0)
		rc = add_acl(&k, &ps, e);
	if (rc == 0 && k.c.attribute_dict.n > 0)
		rc = add_path(&ps, arena_cstr(a, k.c.attribute_dict), false, e);
	if (rc == 0)
		*rw_out = ps.v;
	conf_clear(&k);
	return rc;
}

int
storage_homes_wanted(const struct storage_params *p, struct arena *a, struct span **users_out, size_t *count_out, struct err *e)
{
	struct conf k = { .p = p };
	bool wanted = false;
	const char *path;
	int rc;

	*users_out = NULL;
	*count_out = 0;
	if (set_plugin(p->view, "acl_shared_dict").n == 0)
		return 0;
	rc = conf_read(&k, e);
	for (size_t i = 0; rc == 0 && i < k.c.namespace_count; i++)
		wanted = wanted || (k.c.namespaces[i].is_template && span_find(k.c.namespaces[i].location, SPAN("%h")) != SIZE_MAX);
	if (wanted && k.c.home_template.n == 0 && k.c.acl.on && k.c.acl.dict.n > 0) {
		path = arena_cstr(a, k.c.acl.dict);
		rc = path == NULL ? err_set(e, ERR_LIMIT, "too long a path") :
		    shared_dict_find(path, p->user, &k.c.acl, a, users_out, count_out, e);
	}
	conf_clear(&k);
	return rc;
}
