/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/site.h"

#include <sys/stat.h>

#include "lib/encode.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-filter/sieve/dict.h"
#include "lib-filter/sieve/setting.h"

#define PATH_OCTETS 4000
#define SCRIPT_MAX_DEFAULT ((uint64_t)1 << 20)
#define SCRIPT_MAX_EVER ((uint64_t)64 << 20)
#define VARIABLES_LEAST 128		/* what the settings can not forbid (RFC 5229 section 5) */
#define CPU_MOST 3600			/* seconds */
#define VARIABLES_MOST 10000
#define VARIABLE_LEAST 4000
#define VARIABLE_MOST ((uint64_t)1 << 20)
#define PERSONAL_DEFAULT "file:~/sieve;active=~/.dovecot.sieve"

bool
sieve_site_setting(void *view, const char *name, struct span *out)
{
	*out = set_plugin(view, name);
	return out->p != NULL;
}

/* sieve_setting_*() want a host. */
static struct filter_host
host_of(const struct sieve_site *site)
{
	return (struct filter_host){ .ctx = site->ctx, .setting = site->setting };
}

static struct span
text_of(const struct sieve_site *site, const char *name)
{
	struct filter_host host = host_of(site);

	return span_trim(sieve_setting_text(&host, name));
}

static int
expand_path(const struct sieve_site *site, const char *setting, struct span text, struct arena *a, const char **out,
    struct err *e)
{
	struct var vars[VARS_USER_COUNT + 1] = { { 0, NULL, SPAN_NONE } };
	struct buf path = BUF_INIT(PATH_OCTETS);
	struct span s = text;
	int rc = -1;

	vars_for_user(vars, site->user, site->home);
	vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	if (span_eq(text, SPAN("~")) || span_starts(text, SPAN("~/"))) {
		if (site->home.n == 0) {
			err_set(e, ERR_NOTFOUND, "%s: the user has no home", setting);
			goto out;
		}
		buf_add(&path, site->home);
		s = span_from(text, 1);
	}
	if (vars_expand(&path, s, vars, e) == -1) {
		err_wrap(e, "%s", setting);
		goto out;
	}
	if (path.n > 0 && path.p[0] != '/' && site->home.n > 0) {
		struct buf relative = path;

		buf_init(&path, PATH_OCTETS);
		buf_add(&path, site->home);
		buf_addc(&path, '/');
		buf_add(&path, buf_span(&relative));
		buf_clear(&relative);
	}
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.failed || path.n == 0 || path.p[0] != '/') {
		err_set(e, ERR_SYNTAX, "%s: \"%.*s\" is no whole path", setting, SPAN_ARG(span_sub(text, 0, 100)));
		goto out;
	}
	*out = arena_cstr(a, buf_span(&path));
	rc = *out == NULL ? err_set(e, ERR_SYNTAX, "%s: the path can not be used", setting) : 0;
out:
	buf_clear(&path);
	return rc;
}

static int
parse_option(const struct sieve_site *site, const char *setting, struct span option, struct arena *a, struct sieve_location *out,
    struct err *e)
{
	size_t eq = span_chr(option, '=');
	struct span name = span_trim(span_sub(option, 0, eq)), value = span_trim(span_from(option, eq + 1));

	if (span_eq(name, SPAN("active")))
		return expand_path(site, setting, value, a, &out->active, e);
	if (span_eq(name, SPAN("name")))
		out->name = value;
	else if (out->dict && span_eq(name, SPAN("user")))
		return 0;				/* a file has the same for all */
	else if (!span_eq(name, SPAN("bindir")) && name.n > 0)	/* binaries are beside their scripts */
		return err_set(e, ERR_SYNTAX, "%s: there is no option \"%.*s\"", setting, SPAN_ARG(span_sub(name, 0, 100)));
	return 0;
}

static int
parse_location(const struct sieve_site *site, const char *setting, struct span text, struct arena *a, struct sieve_location *out,
    struct err *e)
{
	struct span path, option;

	*out = (struct sieve_location){ .path = NULL };
	if (span_starts(text, SPAN("dict:file:"))) {
		out->dict = true;
		out->name = SPAN(SIEVE_DICT_NAME);
		text = span_from(text, 10);
	} else if (span_starts(text, SPAN("dict:")) || span_starts(text, SPAN("ldap:"))) {
		return err_set(e, ERR_SYNTAX, "%s: scripts and lists are in files, or dict:file: dictionaries", setting);
	}
	if (span_starts(text, SPAN("file:"))) {
		out->storage = !out->dict;
		text = span_from(text, 5);
	}
	if (!span_next(&text, ';', &path) || span_trim(path).n == 0)
		return err_set(e, ERR_SYNTAX, "%s: there is no path", setting);
	while (span_next(&text, ';', &option))
		if (parse_option(site, setting, option, a, out, e) == -1)
			return -1;
	return expand_path(site, setting, span_trim(path), a, &out->path, e);
}

int
sieve_site_location(const struct sieve_site *site, const char *setting, struct arena *a, struct sieve_location *out, struct err *e)
{
	struct span text = text_of(site, setting);

	return text.n == 0 ? err_set(e, ERR_NOTFOUND, "%s is not set", setting) : parse_location(site, setting, text, a, out, e);
}

int
sieve_site_location_of(const struct sieve_site *site, const char *setting, struct span value, struct arena *a,
    struct sieve_location *out, struct err *e)
{
	return parse_location(site, setting, span_trim(value), a, out, e);
}

int
sieve_site_user_log(const struct sieve_site *site, struct arena *a, const char **out, struct err *e)
{
	struct span text = text_of(site, "sieve_user_log");

	*out = NULL;
	return text.n == 0 ? 0 : expand_path(site, "sieve_user_log", text, a, out, e);
}

int
sieve_site_personal(const struct sieve_site *site, struct arena *a, struct sieve_location *out, struct err *e)
{
	struct span text = text_of(site, "sieve"), dir = text_of(site, "sieve_dir");
	const char *file;
	struct stat st;
	bool is_there, is_dir;

	if (parse_location(site, "sieve", text.n == 0 ? SPAN(PERSONAL_DEFAULT) : text, a, out, e) == -1)
		return -1;
	if (out->dict)
		return err_set(e, ERR_NOTFOUND, "sieve: the scripts are in a dictionary");
	if (out->active != NULL)
		return 0;
	/* A path alone is the active script, unless there is a directory; with "file:" a directory may be yet to be made. */
	is_there = stat(out->path, &st) == 0;
	is_dir = is_there ? S_ISDIR(st.st_mode) : out->storage && !span_ends(span_str(out->path), SPAN(".sieve"));
	if (is_dir)
		return expand_path(site, "sieve", SPAN("~/.dovecot.sieve"), a, &out->active, e);
	file = out->path;
	out->active = file;
	return expand_path(site, "sieve_dir", dir.n == 0 ? SPAN("~/sieve") : dir, a, &out->path, e);
}

bool
sieve_site_personal_dict(const struct sieve_site *site, struct arena *a, struct sieve_location *out)
{
	struct span text = text_of(site, "sieve");
	struct err e = ERR_INIT;

	return span_starts(text, SPAN("dict:file:")) && parse_location(site, "sieve", text, a, out, &e) == 0;
}

void
sieve_site_extensions(const struct sieve_site *site, struct sieve_extset *personal, struct sieve_extset *global,
    struct span *bad_out)
{
	struct sieve_extset only = { .bits = { 0 } };
	struct span more = text_of(site, "sieve_global_extensions"), plugins = text_of(site, "sieve_plugins"), bad = SPAN(""), word;

	sieve_extset_parse(personal, text_of(site, "sieve_extensions"), &bad);
	while (span_next(&plugins, ' ', &word))
		if (span_eq(word, SPAN("sieve_imapsieve")))
			extset_add(personal, EXT_IMAPSIEVE);
	extset_remove(personal, EXT_TESTSUITE);
	*global = *personal;
	/* What is named here is for the server's scripts alone, whatever sieve_extensions says; "-name" takes that back. */
	while (span_next(&more, ' ', &word)) {
		bool back = word.n > 0 && word.p[0] == '-';
		struct span name = back || (word.n > 0 && word.p[0] == '+') ? span_from(word, 1) : word;
		enum sieve_ext x = sieve_extension_find(name);

		if (name.n == 0 || x == EXT_TESTSUITE)
			continue;
		if (x == EXT_CORE)
			bad = name;
		else if (back)
			extset_remove(&only, x);
		else
			extset_add(&only, x);
	}
	for (int x = EXT_CORE + 1; x < EXT_COUNT; x++)
		if (extset_has(&only, (enum sieve_ext)x)) {
			extset_add(global, (enum sieve_ext)x);
			extset_remove(personal, (enum sieve_ext)x);
		}
	if (bad_out != NULL)
		*bad_out = bad;
}

static size_t
within(uint64_t n, uint64_t least, uint64_t most)
{
	return n < least ? least : n > most ? most : n;
}

static size_t
variables_max(const struct filter_host *host)
{
	return within(sieve_setting_number(host, "sieve_variables_max_scope_size", SIEVE_LIMITS_DEFAULT.variables), VARIABLES_LEAST,
	    VARIABLES_MOST);
}

void
sieve_site_limits(const struct sieve_site *site, struct sieve_limits *out)
{
	struct filter_host host = host_of(site);
	uint64_t actions;

	*out = SIEVE_LIMITS_DEFAULT;
	actions = sieve_setting_number(&host, "sieve_max_actions", out->actions);
	/* As Dovecot has it: no actions is no limit, no redirects is none at all. */
	out->actions = actions == 0 ? 10000 : actions;
	out->redirects = sieve_setting_number(&host, "sieve_max_redirects", out->redirects);
	/* 0: no limit but that of the steps, which take seconds. */
	out->cpu_us = within(sieve_setting_time(&host, "sieve_max_cpu_time", out->cpu_us / 1000000), 0, CPU_MOST) * 1000000;
	out->variables = variables_max(&host);
	out->variable_octets = within(sieve_setting_size(&host, "sieve_variables_max_variable_size", out->variable_octets), VARIABLE_LEAST,
	    VARIABLE_MOST);
}

void
sieve_site_include_limits(const struct sieve_site *site, struct sieve_compile_options *out)
{
	struct filter_host host = host_of(site);

	out->includes = within(sieve_setting_number(&host, "sieve_include_max_includes", SIEVE_INCLUDES_MAX), 1, SIEVE_INCLUDES_MAX);
	out->include_depth = (unsigned)within(sieve_setting_number(&host, "sieve_include_max_nesting_depth", SIEVE_INCLUDE_DEPTH_MAX), 1,
	    SIEVE_INCLUDE_DEPTH_MAX);
	out->variables = variables_max(&host);
}

size_t
sieve_site_script_max(const struct sieve_site *site)
{
	struct filter_host host = host_of(site);
	uint64_t max = sieve_setting_size(&host, "sieve_max_script_size", SCRIPT_MAX_DEFAULT);

	return max == 0 || max > SCRIPT_MAX_EVER ? SCRIPT_MAX_EVER : max;
}

bool
sieve_name_is_valid(struct span name)
{
	size_t pos = 0;
	uint32_t cp;

	if (name.n == 0 || name.n > SIEVE_NAME_MAX || !utf8_is_valid(name))
		return false;
	while (utf8_next(name, &pos, &cp)) {
		if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029 || cp == '/' || cp == 0xfeff)
			return false;
		if (pos == name.n)
			break;
	}
	return true;
}

int
sieve_site_include(const struct sieve_site *site, bool personal, struct span name, struct arena *a, struct span *out,
    struct err *e)
{
	const char *setting = text_of(site, "sieve_global").n > 0 ? "sieve_global" : "sieve_global_dir";
	size_t max = sieve_site_script_max(site);
	struct buf text = BUF_INIT(max);
	struct sieve_location where;
	char *path;
	int rc = 0;

	if (!sieve_name_is_valid(name))
		return err_set(e, ERR_NOTFOUND, "no name of a script");
	if (!personal || !sieve_site_personal_dict(site, a, &where))
		rc = personal ? sieve_site_personal(site, a, &where, e) : sieve_site_location(site, setting, a, &where, e);
	if (rc == -1)
		return -1;
	if (where.dict)
		return sieve_dict_read(where.path, name, max, a, out, e);
	path = arena_printf(a, "%s/%.*s.sieve", where.path, SPAN_ARG(name));
	rc = path == NULL ? err_set(e, ERR_LIMIT, "out of memory") : file_read_plain(path, max, &text, e);
	if (rc == 0) {
		*out = arena_dup(a, buf_span(&text));
		rc = out->p == NULL ? err_set(e, ERR_LIMIT, "out of memory") : 0;
	}
	buf_clear(&text);
	return rc;
}
