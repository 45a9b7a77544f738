/* SPDX-License-Identifier: MIT */
/* Where a user's scripts are, which of them run and in what order, and how a user's own are kept. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/sys.h"
#include "lib-filter/sieve/dict.h"
#include "lib-filter/sieve/sequence.h"
#include "lib-filter/sieve/shelf.h"
#include "lib-filter/sieve/store.h"
#include "testing.h"

struct fixture {
	char home[64];
	const char *const (*settings)[2];
	struct sieve_site site;
	struct arena *a;
	struct sieve_sequence *q;	/* that stays from one run to the next; NULL: each has its own */
};

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	const struct fixture *f = ctx;

	for (size_t i = 0; f->settings != NULL && f->settings[i][0] != NULL; i++) {
		if (strcmp(f->settings[i][0], name) == 0) {
			*out = span_str(f->settings[i][1]);
			return true;
		}
	}
	return false;
}

static void
begin(struct fixture *f)
{
	strcpy(f->home, "/tmp/culver-sieve-XXXXXX");
	assert_non_null(mkdtemp(f->home));
	f->settings = NULL;
	f->q = NULL;
	f->site = (struct sieve_site){ .ctx = f, .setting = on_setting, .user = SPAN("bob@example.com"), .home = span_str(f->home) };
	f->a = arena_new(1 << 24);
}

static void
end(struct fixture *f)
{
	char command[100];

	arena_free(f->a);
	snprintf(command, sizeof(command), "rm -rf %s", f->home);
	assert_int_equal(system(command), 0);
}

static void
put(const struct fixture *f, const char *name, const char *text)
{
	char path[300];
	char *slash;
	struct err e = ERR_INIT;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->home, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(dir_make(path, 0700, &e), 0);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* path, active and name of a location, with the home as "~"; or the code of the error. */
static const char *
where(struct fixture *f, const char *setting, struct buf *out)
{
	struct sieve_location loc = { .path = NULL };
	struct err e = ERR_INIT;
	size_t n = strlen(f->home);
	int rc = setting == NULL ? sieve_site_personal(&f->site, f->a, &loc, &e) :
	    sieve_site_location(&f->site, setting, f->a, &loc, &e);

	buf_reset(out);
	if (rc == -1)
		buf_addf(out, "code %d", (int)e.code);
	else
		buf_addf(out, "%s%s|%s%s|%.*s", strncmp(loc.path, f->home, n) == 0 ? "~" : "",
		    loc.path + (strncmp(loc.path, f->home, n) == 0 ? n : 0), loc.active != NULL && strncmp(loc.active, f->home, n) == 0 ? "~" : "",
		    loc.active == NULL ? "-" : loc.active + (strncmp(loc.active, f->home, n) == 0 ? n : 0), SPAN_ARG(loc.name));
	return buf_cstr(out);
}

static void
test_locations(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "file:~/sieve;active=~/.dovecot.sieve", "~/sieve|~/.dovecot.sieve|" },
		{ "file:/s/%d/%n/;active=/s/%u.active;bindir=/x;name=main", "/s/example.com/bob|/s/bob@example.com.active|main" },
		{ "/etc/x.sieve", "/etc/x.sieve|-|" },
		{ "~/a;", "~/a|-|" },
		{ "", "code 3" },
		{ "file:", "code 2" },
		{ "relative/path", "~/relative/path|-|" },		/* below the home */
		{ "file:scripts;active=x.sieve", "~/scripts|~/x.sieve|" },
		{ "dict:file:/x", "/x|-|default" },
		{ "dict:file:~/x.dict;name=mine;user=bob;bindir=/b", "~/x.dict|-|mine" },
		{ "dict:proxy::sieve;name=mine", "code 2" },
		{ "ldap:/etc/x", "code 2" },
		{ "/x;wrong=1", "code 2" },
		{ "/x;active=%{nothing", "code 2" },
		{ "/x;active=.y", "/x|~/.y|" },
		{ "%d", "~/example.com|-|" },
		{ "/%{nothing", "code 2" },
	};
	const char *settings[3][2] = { { "sieve_before", NULL }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096);
	struct fixture f;

	(void)state;
	begin(&f);
	f.settings = settings;
	for (size_t i = 0; i < COUNT(cases); i++) {
		settings[0][1] = cases[i].value;
		if (strcmp(where(&f, "sieve_before", &got), cases[i].want) != 0)
			fail_msg("%s: %s, not %s", cases[i].value, got.p, cases[i].want);
	}
	assert_string_equal(where(&f, NULL, &got), "~/sieve|~/.dovecot.sieve|");
	settings[0][0] = "sieve";
	settings[0][1] = "~/.my.sieve";
	assert_string_equal(where(&f, NULL, &got), "~/sieve|~/.my.sieve|");
	settings[1][0] = "sieve_dir";
	settings[1][1] = "~/scripts/";
	assert_string_equal(where(&f, NULL, &got), "~/scripts|~/.my.sieve|");
	put(&f, "all/x.sieve", "keep;");
	settings[0][1] = "~/all";
	assert_string_equal(where(&f, NULL, &got), "~/all|~/.dovecot.sieve|");
	/* With "file:" it is a directory before it is there; but a file stays one. */
	settings[0][1] = "file:~/none";
	assert_string_equal(where(&f, NULL, &got), "~/none|~/.dovecot.sieve|");
	settings[0][1] = "file:~/all/x.sieve";
	assert_string_equal(where(&f, NULL, &got), "~/scripts|~/all/x.sieve|");
	settings[0][1] = "file:~/.my.sieve";
	assert_string_equal(where(&f, NULL, &got), "~/scripts|~/.my.sieve|");
	settings[0][1] = "~/none";
	assert_string_equal(where(&f, NULL, &got), "~/scripts|~/none|");
	f.site.home = SPAN_NONE;
	assert_string_equal(where(&f, NULL, &got), "code 3");
	buf_clear(&got);
	end(&f);
}

/* What is done with a message: "3 scripts: save A; keep", or the failure behind it. */
static const char *
run(struct fixture *f, struct buf *out)
{
	static const char *const names[] = { "save", "file", "redirect", "reject", "send", "send", "pipe", "mark" };
	struct filter_host host = { .user = SPAN("bob") };
	static const char *const places[] = { "before", "personal", "default", "after", "discard" };
	struct sieve_sequence *q = f->q;
	struct filter_message m;
	struct sieve_outcome o;
	struct err e = ERR_INIT;

	filter_message_init(&m, SPAN("From: ann@example.org\nTo: bob@example.com\nSubject: x\n\nBody.\n"));
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob@example.com");
	buf_reset(out);
	if ((q == NULL && sieve_sequence_open(&f->site, &q, &e) == -1) || sieve_sequence_run(q, &m, &host, f->a, &o, &e) == -1) {
		buf_addf(out, "code %d", (int)e.code);
		return buf_cstr(out);
	}
	if (f->q == NULL)
		sieve_sequence_close(q);
	buf_addf(out, "%zu:", o.scripts);
	for (const struct filter_action *x = o.actions; x != NULL; x = x->next) {
		if (x->kind == FILTER_DISCARD)
			continue;
		buf_addf(out, " %s%s%.*s", x->keep ? "keep" : names[x->kind], x->target.n > 0 ? " " : "", SPAN_ARG(x->target));
		for (size_t i = 0; i < x->flags.keyword_count; i++)
			buf_addf(out, "+%.*s", SPAN_ARG(x->flags.keywords[i]));
		buf_addc(out, ';');
	}
	for (const struct sieve_failure *x = o.failures; x != NULL; x = x->next)
		buf_addf(out, " failed: %s", places[x->place]);
	return buf_cstr(out);
}

static const char *const places[][2] = {
	{ "sieve_before", "~/before.sieve" }, { "sieve_before2", "~/before.d" }, { "sieve_before4", "~/never.sieve" },
	{ "sieve_default", "~/default.sieve" }, { "sieve_after", "~/after.sieve" }, { "sieve_after2", "~/nothing-here" },
	{ "sieve_discard", "~/discard.sieve" }, { "sieve_global", "~/global" }, { "sieve_global_extensions", "vacation-seconds" },
	{ NULL, NULL }
};

#define INTO(x) "require [\"fileinto\",\"copy\"]; fileinto :copy \"" x "\";"

static void
test_sequence(void **state)
{
	struct buf got = BUF_INIT(4096);
	struct fixture f;

	(void)state;
	begin(&f);
	assert_string_equal(run(&f, &got), "0: keep;");
	f.settings = places;
	assert_string_equal(run(&f, &got), "0: keep;");
	put(&f, "after.sieve", INTO("after"));
	put(&f, "default.sieve", INTO("default"));
	put(&f, "never.sieve", INTO("never"));
	assert_string_equal(run(&f, &got), "2: save default; save after; keep;");
	put(&f, ".dovecot.sieve", INTO("mine"));
	put(&f, "before.sieve", INTO("before"));
	put(&f, "before.d/20-b.sieve", INTO("b"));
	put(&f, "before.d/10-a.sieve", INTO("a"));
	put(&f, "before.d/README", "no script");
	put(&f, "before.d/.hidden.sieve", "no script");
	assert_string_equal(run(&f, &got), "5: save before; save a; save b; save mine; save after; keep;");
	/* The chain ends with the first that does not keep. */
	put(&f, "before.d/20-b.sieve", "require \"fileinto\"; fileinto \"b\";");
	assert_string_equal(run(&f, &got), "3: save before; save a; save b;");
	put(&f, "before.d/20-b.sieve", "stop;");
	assert_string_equal(run(&f, &got), "5: save before; save a; save mine; save after; keep;");
	put(&f, "before.d/20-b.sieve", INTO("before"));
	assert_string_equal(run(&f, &got), "5: save before; save a; save mine; save after; keep;");
	/* A keep of the script is carried on, with its flags. */
	put(&f, "before.sieve", "require \"imap4flags\"; keep :flags \"$Early\";");
	assert_string_equal(run(&f, &got), "5: save a; save before; save mine; save after; keep+$Early;");
	put(&f, "after.sieve", "require \"imap4flags\"; keep :flags \"$Late\";");
	assert_string_equal(run(&f, &got), "5: save a; save before; save mine; keep+$Late;");
	put(&f, "after.sieve", "discard;");
	assert_string_equal(run(&f, &got), "5: save a; save before; save mine;");
	/* Extensions of the server's scripts are not the user's. */
	put(&f, "after.sieve", "require \"vacation-seconds\"; keep;");
	assert_string_equal(run(&f, &got), "5: save a; save before; save mine; keep+$Early;");
	put(&f, ".dovecot.sieve", "require \"vacation-seconds\"; keep;");
	assert_string_equal(run(&f, &got), "4: save a; save before; keep+$Early; failed: personal");
	buf_clear(&got);
	end(&f);
}

static void
test_failures(void **state)
{
	static const char *const wrong[][2] = { { "sieve_before", "dict:x" }, { NULL, NULL } };
	static const char *const few[][2] = { { "sieve_after", "~/after.sieve" }, { "sieve_max_actions", "2" },
		{ "sieve_max_redirects", "1" }, { "sieve_max_script_size", "100" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096);
	struct fixture f;

	(void)state;
	begin(&f);
	f.settings = places;
	put(&f, "before.sieve", INTO("before"));
	put(&f, ".dovecot.sieve", "fileinto \"x\"");
	put(&f, "after.sieve", INTO("after"));
	assert_string_equal(run(&f, &got), "2: save before; save after; keep; failed: personal");
	put(&f, ".dovecot.sieve", "require [\"ihave\",\"fileinto\"]; fileinto \"x\"; error \"no\";");
	assert_string_equal(run(&f, &got), "2: save before; save after; keep; failed: personal");
	put(&f, ".dovecot.sieve", "require \"reject\"; reject \"no\";");
	assert_string_equal(run(&f, &got), "2: save before; save after; keep; failed: personal");
	put(&f, "before.sieve", "keep;");
	assert_string_equal(run(&f, &got), "2: reject;");
	/* sieve_discard */
	put(&f, ".dovecot.sieve", "discard;");
	assert_string_equal(run(&f, &got), "2:");
	put(&f, "discard.sieve", "require \"fileinto\"; fileinto \"discarded\";");
	assert_string_equal(run(&f, &got), "3: save discarded;");
	put(&f, "discard.sieve", "if false { keep; }");
	assert_string_equal(run(&f, &got), "3:");
	put(&f, "discard.sieve", "keep;");
	assert_string_equal(run(&f, &got), "3: keep;");
	put(&f, "discard.sieve", "wrong");
	assert_string_equal(run(&f, &got), "2: keep; failed: discard");
	/* include */
	put(&f, ".dovecot.sieve", "require \"include\"; include \"p\"; include :global \"g\";");
	assert_string_equal(run(&f, &got), "2: save after; keep; failed: personal");
	put(&f, "sieve/p.sieve", INTO("p"));
	put(&f, "global/g.sieve", "require \"vacation-seconds\"; " "stop;");
	assert_string_equal(run(&f, &got), "3: save p; save after; keep;");
	/* limits are for all scripts together */
	f.settings = few;
	put(&f, ".dovecot.sieve", INTO("a") "redirect :copy \"a@example.org\";");
	assert_string_equal(run(&f, &got), "1: save a; redirect a@example.org; keep; failed: after");
	put(&f, ".dovecot.sieve", "require \"copy\"; redirect :copy \"a@example.org\"; redirect :copy \"b@example.org\";");
	assert_string_equal(run(&f, &got), "1: save after; keep; failed: personal");
	put(&f, ".dovecot.sieve", "#3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\nkeep;");
	assert_string_equal(run(&f, &got), "1: save after; keep; failed: personal");
	f.settings = wrong;
	assert_string_equal(run(&f, &got), "code 2");
	buf_clear(&got);
	end(&f);
}

/* Scripts of file dictionaries: run, included, and those that are not there. */
static void
test_dict(void **state)
{
	static const char *const settings[][2] = { { "sieve", "dict:file:~/own.dict;name=mine" },
		{ "sieve_before", "dict:file:~/all.dict;name=first" }, { "sieve_before2", "dict:file:~/none.dict" },
		{ "sieve_default", "~/default.sieve" }, { "sieve_global", "dict:file:~/all.dict" }, { NULL, NULL } };
	static const struct {
		const char *dict, *name, *want;
	} cases[] = {
		{ "priv/sieve/name/a\n1\npriv/sieve/data/1\nkeep;\n", "a", "keep;" },
		{ "priv/sieve/data/1\nkeep;\npriv/sieve/name/a\n1", "a", "keep;" },
		{ "priv/sieve/name/a\n1\npriv/sieve/data/1\nkeep;\npriv/sieve/data/1\nstop;\n", "a", "stop;" },
		{ "priv/sieve/name/a\\\\b\n1\npriv/sieve/data/1\nkeep;", "a\\b", "keep;" },
		{ "priv/sieve/name/a\\b\n1\npriv/sieve/data/1\nkeep;", "a\\b", NULL },
		{ "priv/sieve/name/ab\n1\npriv/sieve/data/1\nkeep;\n", "a", NULL },
		{ "priv/sieve/name/a\n1\npriv/sieve/data/1", "a", NULL },
		{ "\npriv/sieve/name/a\n1\npriv/sieve/data/1\nkeep;\n", "a", NULL },
		{ "", "a", NULL },
	};
	struct buf got = BUF_INIT(4096);
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span out = SPAN_NONE;

		if (sieve_dict_get(span_str(cases[i].dict), span_str(cases[i].name), &out) != (cases[i].want != NULL) ||
		    (cases[i].want != NULL && !span_eq(out, span_str(cases[i].want))))
			fail_msg("case %zu: %.*s", i, SPAN_ARG(out));
	}
	begin(&f);
	f.settings = settings;
	put(&f, "default.sieve", INTO("default"));
	assert_string_equal(run(&f, &got), "1: save default; keep;");
	put(&f, "own.dict", "priv/sieve/name/mine\n7\npriv/sieve/data/7\nrequire \"include\"; include \"second\"; include :global \"shared\";\n"
	    "priv/sieve/name/second\n8\npriv/sieve/data/8\n" INTO("own") "\n");
	put(&f, "all.dict", "priv/sieve/name/first\n1\npriv/sieve/data/1\n" INTO("before") "\n"
	    "priv/sieve/name/shared\n2\npriv/sieve/data/2\n" INTO("shared") "\n");
	assert_string_equal(run(&f, &got), "2: save before; save own; save shared; keep;");
	/* several lines, as other programs write them */
	put(&f, "own.dict", "priv/sieve/name/mine\n7\npriv/sieve/data/7\n# one\001r\001n" INTO("a\0011b") "\001n#\001t\0012\001\n");
	assert_string_equal(run(&f, &got), "2: save before; save a\001b; keep;");
	put(&f, "own.dict", "priv/sieve/name/mine\n7\npriv/sieve/data/7\nwrong\n");
	assert_string_equal(run(&f, &got), "1: save before; keep; failed: personal");
	put(&f, "own.dict", "priv/sieve/name/other\n7\npriv/sieve/data/7\nkeep;\n");
	assert_string_equal(run(&f, &got), "2: save before; save default; keep;");
	assert_string_equal(where(&f, NULL, &got), "code 3");
	buf_clear(&got);
	end(&f);
}

/* What stays compiled is not what a changed file says. */
static void
test_held(void **state)
{
	struct buf got = BUF_INIT(4096);
	struct fixture f;
	struct err e = ERR_INIT;
	char path[200];
	const char *const *paths;

	(void)state;
	begin(&f);
	f.settings = places;
	put(&f, ".dovecot.sieve", INTO("one"));
	snprintf(path, sizeof(path), "%s/.dovecot.sieve", f.home);
	assert_int_equal(sieve_sequence_open(&f.site, &f.q, &e), 0);
	assert_string_equal(run(&f, &got), "1: save one; keep;");
	sleep(3);
	assert_string_equal(run(&f, &got), "1: save one; keep;");
	assert_string_equal(run(&f, &got), "1: save one; keep;");
	put(&f, ".dovecot.sieve", INTO("two"));
	assert_string_equal(run(&f, &got), "1: save two; keep;");
	put(&f, ".dovecot.sieve", "wrong");
	assert_string_equal(run(&f, &got), "0: keep; failed: personal");
	unlink(path);
	put(&f, "default.sieve", INTO("default"));
	assert_string_equal(run(&f, &got), "1: save default; keep;");
	/* What is wrong is beside the script, for its author. */
	buf_reset(&got);
	snprintf(path, sizeof(path), "%s/.dovecot.sieve.log", f.home);
	assert_int_equal(file_read(path, 4096, &got, &e), 0);
	assert_true(span_ends(buf_span(&got), SPAN(".dovecot.sieve: line 2: error: the script ends where \";\" or \"{\" is expected\n")) ||
	    span_ends(buf_span(&got), SPAN(".dovecot.sieve: line 1: error: the script ends where \";\" or \"{\" is expected\n")));
	paths = sieve_sequence_paths(f.q, f.a);
	assert_non_null(paths);
	snprintf(path, sizeof(path), "%s/sieve", f.home);
	assert_string_equal(paths[0], path);
	assert_string_equal(paths[1], f.home);
	sieve_sequence_close(f.q);
	buf_clear(&got);
	end(&f);
}

/* Of a directory the script that is named; where the user's mistakes are told. */
static void
test_named(void **state)
{
	static const char *const named[][2] = { { "sieve_before", "~/all/;name=second" }, { "sieve_default", "file:all;name=first" },
		{ "sieve_after", "~/all;name=none" }, { "sieve_user_log", "~/logs/%n.log" }, { NULL, NULL } };
	static const char *const wrong[][2] = { { "sieve_before", "~/all;name=../x" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096);
	struct err e = ERR_INIT;
	struct fixture f;
	char path[200];

	(void)state;
	begin(&f);
	f.settings = named;
	put(&f, "all/first.sieve", INTO("first"));
	put(&f, "all/second.sieve", INTO("second"));
	put(&f, "all/third.sieve", INTO("third"));
	put(&f, "logs/x", "");
	assert_string_equal(run(&f, &got), "2: save second; save first; keep;");
	put(&f, ".dovecot.sieve", "wrong");
	assert_string_equal(run(&f, &got), "1: save second; keep; failed: personal");
	buf_reset(&got);
	snprintf(path, sizeof(path), "%s/logs/bob.log", f.home);
	assert_int_equal(file_read(path, 4096, &got, &e), 0);
	assert_true(span_find(buf_span(&got), SPAN(".dovecot.sieve: line ")) != SIZE_MAX);
	snprintf(path, sizeof(path), "%s/.dovecot.sieve.log", f.home);
	assert_int_equal(access(path, F_OK), -1);
	f.settings = wrong;
	assert_string_equal(run(&f, &got), "code 2");
	buf_clear(&got);
	end(&f);
}

/* What a process that is walled in may write: the file beside a script that is new, or the directory of sieve_user_log. */
static void
test_log_path(void **state)
{
	static const char *const set[][2] = { { "sieve_user_log", "~/logs/%n.log" }, { NULL, NULL } };
	const struct timeval old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	char script[200], log[200];
	struct err e = ERR_INIT;
	struct fixture f;

	(void)state;
	begin(&f);
	snprintf(script, sizeof(script), "%s/.dovecot.sieve", f.home);
	snprintf(log, sizeof(log), "%s/.dovecot.sieve.log", f.home);
	assert_int_equal(sieve_sequence_open(&f.site, &f.q, &e), 0);
	assert_null(sieve_sequence_log_path(f.q, f.a));
	put(&f, ".dovecot.sieve", "wrong");
	assert_int_equal(utimes(script, old), 0);
	assert_null(sieve_sequence_log_path(f.q, f.a));
	assert_int_equal(access(log, F_OK), -1);
	put(&f, ".dovecot.sieve", "wrong");
	assert_string_equal(sieve_sequence_log_path(f.q, f.a), log);
	assert_int_equal(access(log, F_OK), 0);
	assert_int_equal(utimes(script, old), 0);
	assert_string_equal(sieve_sequence_log_path(f.q, f.a), log);
	assert_int_equal(unlink(log), 0);
	assert_int_equal(symlink("elsewhere", log), 0);
	assert_null(sieve_sequence_log_path(f.q, f.a));
	sieve_sequence_close(f.q);
	f.q = NULL;
	f.settings = set;
	put(&f, "logs/x", "");
	assert_int_equal(sieve_sequence_open(&f.site, &f.q, &e), 0);
	snprintf(log, sizeof(log), "%s/logs", f.home);
	assert_string_equal(sieve_sequence_log_path(f.q, f.a), log);
	sieve_sequence_close(f.q);
	f.q = NULL;
	end(&f);
}

/* Names and limits that Dovecot's settings have besides. */
static void
test_limits(void **state)
{
	static const char *const old[][2] = { { "sieve_global_path", "~/default.sieve" }, { NULL, NULL } };
	static const char *const both[][2] = { { "sieve_global_path", "~/other.sieve" }, { "sieve_default", "~/default.sieve" }, { NULL, NULL } };
	static const char *const few[][2] = { { "sieve_include_max_includes", "2" }, { "sieve_variables_max_variable_size", "5000" },
		{ "sieve_variables_max_scope_size", "1" }, { "sieve_max_cpu_time", "2s" }, { NULL, NULL } };
	static const char *const flat[][2] = { { "sieve_include_max_nesting_depth", "1" }, { NULL, NULL } };
	static const char *const most[][2] = { { "sieve_include_max_includes", "0" }, { "sieve_include_max_nesting_depth", "99" },
		{ "sieve_variables_max_variable_size", "1G" }, { NULL, NULL } };
	struct sieve_compile_options o = { .includes = 0 };
	struct buf got = BUF_INIT(4096);
	struct sieve_limits limits;
	struct fixture f;

	(void)state;
	begin(&f);
	put(&f, "default.sieve", INTO("default"));
	f.settings = old;
	assert_string_equal(run(&f, &got), "1: save default; keep;");
	f.settings = both;
	assert_string_equal(run(&f, &got), "1: save default; keep;");
	put(&f, "sieve/a.sieve", "require \"include\"; include \"b\";");
	put(&f, "sieve/b.sieve", INTO("b"));
	put(&f, "sieve/c.sieve", INTO("c"));
	put(&f, ".dovecot.sieve", "require \"include\"; include \"b\"; include \"c\";");
	f.settings = few;
	assert_string_equal(run(&f, &got), "1: save b; save c; keep;");
	sieve_site_limits(&f.site, &limits);
	assert_int_equal(limits.variables, 128);
	assert_int_equal(limits.variable_octets, 5000);
	assert_int_equal(limits.cpu_us, 2000000);
	put(&f, ".dovecot.sieve", "require \"include\"; include \"a\"; include \"c\";");
	assert_string_equal(run(&f, &got), "0: keep; failed: personal");
	f.settings = NULL;
	assert_string_equal(run(&f, &got), "1: save b; save c; keep;");
	/* The binary that there is now is none where less is allowed. */
	f.settings = few;
	assert_string_equal(run(&f, &got), "0: keep; failed: personal");
	f.settings = flat;
	assert_string_equal(run(&f, &got), "0: keep; failed: personal");
	f.settings = most;
	sieve_site_limits(&f.site, &limits);
	sieve_site_include_limits(&f.site, &o);
	assert_true(o.includes == 1 && o.include_depth == SIEVE_INCLUDE_DEPTH_MAX);
	assert_int_equal(limits.variable_octets, 1 << 20);
	buf_clear(&got);
	end(&f);
}

/* Scripts of the server are compiled once for all users of a process; what they include is looked at each time. */
static void
test_shelf(void **state)
{
	static const char *const settings[][2] = { { "sieve_before", "~/before.sieve" }, { "sieve_global", "~/global" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096);
	struct fixture f;
	struct err e = ERR_INIT;
	struct sieve_sequence *one, *two;

	(void)state;
	begin(&f);
	f.settings = settings;
	f.site.shelf = sieve_shelf_new();
	assert_non_null(f.site.shelf);
	put(&f, "global/g.sieve", INTO("g"));
	put(&f, "before.sieve", "require [\"include\", \"fileinto\", \"copy\"]; include :global \"g\"; include :optional \"mine\";");
	sleep(3);
	assert_int_equal(sieve_sequence_open(&f.site, &one, &e), 0);
	assert_int_equal(sieve_sequence_open(&f.site, &two, &e), 0);
	for (unsigned round = 0; round < 3; round++) {
		f.q = one;
		assert_string_equal(run(&f, &got), "1: save g; keep;");
		f.q = two;
		assert_string_equal(run(&f, &got), "1: save g; keep;");
	}
	assert_int_equal(sieve_shelf_reads(f.site.shelf), 1);
	put(&f, "global/g.sieve", INTO("other"));
	assert_string_equal(run(&f, &got), "1: save other; keep;");
	assert_int_equal(sieve_shelf_reads(f.site.shelf), 2);
	/* What was missing is there, and goes again. */
	put(&f, "sieve/mine.sieve", INTO("mine"));
	assert_string_equal(run(&f, &got), "1: save other; save mine; keep;");
	assert_string_equal(run(&f, &got), "1: save other; save mine; keep;");
	assert_int_equal(sieve_shelf_reads(f.site.shelf), 3);
	snprintf(got.p, got.cap, "%s/sieve/mine.sieve", f.home);
	unlink(got.p);
	assert_string_equal(run(&f, &got), "1: save other; keep;");
	sieve_sequence_close(one);
	sieve_sequence_close(two);
	sieve_shelf_free(f.site.shelf);
	buf_clear(&got);
	end(&f);
}

/* ---- the user's own scripts ---- */

static const char *
listed(struct sieve_store *st, struct arena *a, struct buf *out)
{
	struct sieve_stored *list;
	struct err e = ERR_INIT;

	buf_reset(out);
	assert_int_equal(sieve_store_list(st, a, &list, &e), 0);
	for (; list != NULL; list = list->next)
		buf_addf(out, "%.*s%s%s", SPAN_ARG(list->name), list->active ? "*" : "", list->next != NULL ? " " : "");
	return buf_cstr(out);
}

static void
assert_code(int rc, struct err *e, enum err_code want)
{
	assert_int_equal(rc, want == ERR_NONE ? 0 : -1);
	if (want != ERR_NONE)
		assert_int_equal(e->code, want);
	*e = (struct err)ERR_INIT;
}

static void
test_store(void **state)
{
	static const char *const quota[][2] = { { "sieve_quota_max_scripts", "3" }, { "sieve_quota_max_storage", "100B" },
		{ "sieve_max_script_size", "60" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096), text = BUF_INIT(4096);
	char path[200], target[200];
	struct sieve_store *st;
	struct fixture f;
	struct err e = ERR_INIT;
	struct span name;
	ssize_t n;

	(void)state;
	begin(&f);
	f.settings = quota;
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "");
	assert_code(sieve_store_get(st, SPAN("one"), &text, &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_activate(st, SPAN(""), &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("one"), SPAN("keep;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("two"), SPAN("discard;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("one"), SPAN("stop;"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "one two");
	assert_code(sieve_store_get(st, SPAN("one"), &text, &e), &e, ERR_NONE);
	assert_span(buf_span(&text), "stop;");
	assert_false(sieve_store_active(st, f.a, &name));
	assert_code(sieve_store_activate(st, SPAN("three"), &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_activate(st, SPAN("two"), &e), &e, ERR_NONE);
	assert_true(sieve_store_active(st, f.a, &name));
	assert_span(name, "two");
	assert_string_equal(run(&f, &got), "1:");
	snprintf(path, sizeof(path), "%s/.dovecot.sieve", f.home);
	n = readlink(path, target, sizeof(target));
	assert_span(span_of(target, (size_t)n), "sieve/two.sieve");
	assert_string_equal(listed(st, f.a, &got), "one two*");
	assert_code(sieve_store_delete(st, SPAN("two"), &e), &e, ERR_INUSE);
	assert_code(sieve_store_rename(st, SPAN("two"), SPAN("one"), &e), &e, ERR_EXISTS);
	assert_code(sieve_store_rename(st, SPAN("none"), SPAN("x"), &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_rename(st, SPAN("two"), SPAN("zwei \xc3\xa4"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "one zwei \xc3\xa4*");
	assert_string_equal(run(&f, &got), "1:");
	assert_code(sieve_store_rename(st, SPAN("one"), SPAN("eins"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "eins zwei \xc3\xa4*");
	assert_code(sieve_store_activate(st, SPAN(""), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "eins zwei \xc3\xa4");
	assert_code(sieve_store_delete(st, SPAN("zwei \xc3\xa4"), &e), &e, ERR_NONE);
	assert_code(sieve_store_delete(st, SPAN("zwei \xc3\xa4"), &e), &e, ERR_NOTFOUND);
	/* A script where the link belongs is not lost. */
	put(&f, ".dovecot.sieve", "redirect \"old@example.org\";");
	assert_false(sieve_store_active(st, f.a, &name));
	assert_code(sieve_store_activate(st, SPAN("eins"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "dovecot.orig eins*");
	buf_reset(&text);
	assert_code(sieve_store_get(st, SPAN("dovecot.orig"), &text, &e), &e, ERR_NONE);
	assert_span(buf_span(&text), "redirect \"old@example.org\";");
	/* limits */
	assert_code(sieve_store_put(st, SPAN("long"), SPAN("#123456789012345678901234567890123456789012345678901234567890"), &e), &e, ERR_TOOBIG);
	assert_code(sieve_store_has_space(st, SPAN("x"), 60, &e), &e, ERR_NONE);
	assert_code(sieve_store_has_space(st, SPAN("x"), 61, &e), &e, ERR_TOOBIG);
	assert_code(sieve_store_put(st, SPAN("x"), SPAN("#12345678901234567890123456789012345678901234567890"), &e), &e, ERR_NONE);
	assert_code(sieve_store_has_space(st, SPAN("y"), 5, &e), &e, ERR_LIMIT);
	assert_code(sieve_store_has_space(st, SPAN("eins"), 59, &e), &e, ERR_OVERQUOTA);
	assert_code(sieve_store_has_space(st, SPAN("x"), 60, &e), &e, ERR_NONE);
	/* names */
	assert_code(sieve_store_put(st, SPAN("../x"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_has_space(st, SPAN("/.x"), 5, &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN(""), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("a\nb"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("a\0b"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("a\xff"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("a\xc2\x85"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("a\xe2\x80\xa8"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	sieve_store_close(st);
	f.site.home = SPAN_NONE;
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NOTFOUND);
	buf_clear(&got);
	buf_clear(&text);
	end(&f);
}

/* Each script that stands in the link's place is kept, also the second one. */
static void
test_originals(void **state)
{
	static const char *const texts[] = { "redirect \"a@example.org\";", "redirect \"b@example.org\";", "discard;" };
	static const char *const names[] = { "dovecot.orig", "dovecot.orig-2", "dovecot.orig-3" };
	struct buf got = BUF_INIT(4096), text = BUF_INIT(4096);
	struct sieve_store *st;
	struct fixture f;
	struct err e = ERR_INIT;
	char path[200];

	(void)state;
	begin(&f);
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("one"), SPAN("keep;"), &e), &e, ERR_NONE);
	snprintf(path, sizeof(path), "%s/.dovecot.sieve", f.home);
	for (size_t i = 0; i < 3; i++) {
		unlink(path);
		put(&f, ".dovecot.sieve", texts[i]);
		/* The last one goes without another taking its place. */
		assert_code(sieve_store_activate(st, i < 2 ? SPAN("one") : SPAN(""), &e), &e, ERR_NONE);
		for (size_t k = 0; k <= i; k++) {
			buf_reset(&text);
			assert_code(sieve_store_get(st, span_str(names[k]), &text, &e), &e, ERR_NONE);
			assert_span(buf_span(&text), texts[k]);
		}
	}
	assert_string_equal(listed(st, f.a, &got), "dovecot.orig dovecot.orig-2 dovecot.orig-3 one");
	sieve_store_close(st);
	buf_clear(&got);
	buf_clear(&text);
	end(&f);
}

/* Names with a dot in front are names too; what is no plain file is no script. */
static void
test_odd_files(void **state)
{
	struct buf got = BUF_INIT(4096), text = BUF_INIT(4096);
	struct sieve_store *st;
	struct fixture f;
	struct err e = ERR_INIT;
	char path[200];

	(void)state;
	begin(&f);
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN(".x"), SPAN("keep;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN(".."), SPAN("stop;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_activate(st, SPAN(".x"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), ".. .x*");
	assert_string_equal(run(&f, &got), "1: keep;");
	snprintf(path, sizeof(path), "%s/sieve/fifo.sieve", f.home);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/sieve/dir.sieve", f.home);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sieve/link.sieve", f.home);
	assert_int_equal(symlink(".x.sieve", path), 0);
	for (size_t i = 0; i < 3; i++) {
		const struct span name = span_str(((const char *[]){ "fifo", "dir", "link" })[i]);

		assert_code(sieve_store_get(st, name, &text, &e), &e, ERR_NOTFOUND);
		assert_code(sieve_store_activate(st, name, &e), &e, ERR_NOTFOUND);
		assert_code(sieve_store_delete(st, name, &e), &e, ERR_NOTFOUND);
		assert_code(sieve_store_rename(st, name, SPAN("y"), &e), &e, ERR_NOTFOUND);
		assert_code(sieve_store_rename(st, SPAN(".."), name, &e), &e, ERR_EXISTS);
	}
	assert_string_equal(listed(st, f.a, &got), ".. .x*");
	sieve_store_close(st);
	buf_clear(&got);
	buf_clear(&text);
	end(&f);
}

/* A link among the scripts: its name is no script's, and it can be moved with them. */
static void
test_link_inside(void **state)
{
	static const char *const set[][2] = { { "sieve", "file:~/s;active=~/s/active.sieve" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096), text = BUF_INIT(4096);
	struct sieve_store *st;
	struct fixture f;
	struct err e = ERR_INIT;
	char path[200], target[200];
	ssize_t n;

	(void)state;
	begin(&f);
	f.settings = set;
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("active"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_put(st, SPAN("one"), SPAN("discard;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_activate(st, SPAN("active"), &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_rename(st, SPAN("one"), SPAN("active"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_activate(st, SPAN("one"), &e), &e, ERR_NONE);
	snprintf(path, sizeof(path), "%s/s/active.sieve", f.home);
	n = readlink(path, target, sizeof(target));
	assert_span(span_of(target, (size_t)n), "one.sieve");
	assert_code(sieve_store_put(st, SPAN("active"), SPAN("keep;"), &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_has_space(st, SPAN("active"), 5, &e), &e, ERR_SYNTAX);
	assert_code(sieve_store_get(st, SPAN("active"), &text, &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_delete(st, SPAN("active"), &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_rename(st, SPAN("active"), SPAN("two"), &e), &e, ERR_NOTFOUND);
	assert_code(sieve_store_rename(st, SPAN("one"), SPAN("two"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "two*");
	assert_string_equal(run(&f, &got), "1:");
	/* A file in its place is saved as ever. */
	assert_int_equal(unlink(path), 0);
	put(&f, "s/active.sieve", "redirect \"old@example.org\";");
	assert_string_equal(listed(st, f.a, &got), "two");
	assert_code(sieve_store_activate(st, SPAN("two"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "dovecot.orig two*");
	sieve_store_close(st);
	buf_clear(&got);
	buf_clear(&text);
	end(&f);
}

/* The link's directory is made as the scripts' is. */
static void
test_link_far(void **state)
{
	static const char *const set[][2] = { { "sieve", "file:~/a/b;active=~/c/d/act" }, { NULL, NULL } };
	struct buf got = BUF_INIT(4096);
	struct sieve_store *st;
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	begin(&f);
	f.settings = set;
	assert_code(sieve_store_open(&f.site, &st, &e), &e, ERR_NONE);
	assert_code(sieve_store_put(st, SPAN("one"), SPAN("keep;"), &e), &e, ERR_NONE);
	assert_code(sieve_store_activate(st, SPAN(""), &e), &e, ERR_NONE);
	assert_code(sieve_store_activate(st, SPAN("one"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "one*");
	assert_code(sieve_store_rename(st, SPAN("one"), SPAN("two"), &e), &e, ERR_NONE);
	assert_string_equal(listed(st, f.a, &got), "two*");
	sieve_store_close(st);
	buf_clear(&got);
	end(&f);
}

static void
test_extensions(void **state)
{
	static const char *const set[][2] = { { "sieve_extensions", "-copy +mboxmetadata +nonsense" },
		{ "sieve_global_extensions", "+vacation-seconds mboxmetadata fileinto +body -body vnd.dovecot.testsuite" }, { NULL, NULL } };
	struct sieve_extset personal, global;
	struct fixture f;
	struct span bad;

	(void)state;
	begin(&f);
	f.settings = set;
	sieve_site_extensions(&f.site, &personal, &global, &bad);
	assert_span(bad, "nonsense");
	assert_true(!extset_has(&personal, EXT_MBOXMETADATA) && !extset_has(&personal, EXT_COPY));
	assert_true(!extset_has(&personal, EXT_FILEINTO) && !extset_has(&personal, EXT_VACATION_SECONDS));
	assert_true(extset_has(&personal, EXT_BODY) && extset_has(&global, EXT_BODY) && extset_has(&global, EXT_FILEINTO));
	assert_true(extset_has(&global, EXT_VACATION_SECONDS) && extset_has(&global, EXT_MBOXMETADATA));
	assert_false(extset_has(&global, EXT_TESTSUITE));
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locations),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_dict), cmocka_unit_test(test_held), cmocka_unit_test(test_limits), cmocka_unit_test(test_named), cmocka_unit_test(test_log_path), cmocka_unit_test(test_shelf),
		cmocka_unit_test(test_store), cmocka_unit_test(test_originals),
		cmocka_unit_test(test_odd_files), cmocka_unit_test(test_link_inside), cmocka_unit_test(test_link_far),
		cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
