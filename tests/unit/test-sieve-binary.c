/* SPDX-License-Identifier: MIT */
/* Binaries of scripts: they say what the script says, and nothing else is read as one; the file beside the script. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys.h"
#include "lib-filter/sieve/binary.h"
#include "lib-filter/sieve/cache.h"
#include "testing.h"

static const char *included = "require \"fileinto\"; fileinto \"In\";";

static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	(void)ctx;
	(void)personal;
	if (!span_eq(name, SPAN("in")) || included == NULL)
		return err_set(e, ERR_NOTFOUND, "none");
	*out = arena_dup(a, span_str(included));
	return 0;
}

static struct filter_host host = { .script = on_script };

static struct sieve_compile_options
options(void)
{
	struct sieve_compile_options o = { .host = &host };
	struct span bad;

	assert_true(sieve_extset_parse(&o.available, SPAN(""), &bad));
	o.available_global = o.available;
	return o;
}

/* The targets of what it does with one message. */
static void
outcome(const struct sieve_script *s, struct buf *out)
{
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct arena *a = arena_new(1 << 24);
	struct filter_message m;
	struct filter_action *actions;
	struct sieve_error error;

	buf_reset(out);
	filter_message_init(&m, SPAN("From: ann@example.org\nTo: bob@example.com\nSubject: x\n\nBody.\n"));
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob@example.com");
	if (sieve_script_run(s, &m, &host, &limits, a, &actions, &error) == -1)
		buf_addf(out, "failed: %s;", error.text);
	for (const struct filter_action *x = actions; x != NULL; x = x->next)
		if (x->kind != FILTER_DISCARD)
			buf_addf(out, "%d %.*s;", (int)x->kind, SPAN_ARG(x->target));
	arena_free(a);
}

static const char *const texts[] = {
	"",
	"keep;",
	"require [\"fileinto\",\"encoded-character\"]; fileinto \"${hex:24}{hex:41}\";",
	"require [\"variables\",\"fileinto\",\"relational\"]; set \"a\" \"x\"; if allof (header :matches \"subject\" \"*\", not anyof (false, "
	    "header :value \"gt\" \"subject\" [\"y\", \"z\"])) { fileinto \"${1}${a}\"; } elsif true { discard; } else { stop; }",
	"require [\"include\",\"ihave\"]; include \"in\"; include :optional \"none\"; if ihave \"nothing\" { nothing at all; }",
	"if size :over 4G { discard; }",
	"require \"reject\"; reject text:\nNo.\n..\n.\n;",
	"require \"ihave\"; error \"on purpose\";",
};

static void
test_same(void **state)
{
	struct sieve_compile_options o = options();
	struct sieve_stamp stamp = { .size = 7, .mtime_ns = -1, .written_ns = 1, .digest = "abc" }, got;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20), want = BUF_INIT(65536), have = BUF_INIT(65536);
		struct sieve_error error;
		struct sieve_script *s = sieve_compile_with(span_str(texts[i]), &o, &error), *loaded;

		assert_non_null(s);
		assert_int_equal(sieve_script_dump(s, &stamp, &first), 0);
		loaded = sieve_script_load(buf_span(&first), &o, &error);
		if (loaded == NULL)
			fail_msg("%s: %s", texts[i], error.text);
		assert_true(sieve_binary_stamp(buf_span(&first), &got));
		assert_memory_equal(&got, &stamp, sizeof(got));
		outcome(s, &want);
		outcome(loaded, &have);
		testing_assert_span(buf_span(&have), buf_span(&want), __FILE__, __LINE__);
		/* What is dumped of it is the same, but for the digests of texts that it does not have. */
		if (loaded->included == NULL) {
			assert_int_equal(sieve_script_dump(loaded, &stamp, &second), 0);
			testing_assert_span(buf_span(&second), buf_span(&first), __FILE__, __LINE__);
		}
		sieve_script_free(loaded);
		sieve_script_free(s);
		buf_clear(&first);
		buf_clear(&second);
		buf_clear(&want);
		buf_clear(&have);
	}
}

static void
test_refused(void **state)
{
	struct sieve_compile_options o = options(), less;
	struct sieve_stamp stamp = { .size = 1 };
	struct buf bin = BUF_INIT(1 << 20);
	struct sieve_error error;
	struct sieve_script *s = sieve_compile_with(span_str(texts[4]), &o, &error);
	struct span bad, whole;

	(void)state;
	assert_int_equal(sieve_script_dump(s, &stamp, &bin), 0);
	sieve_script_free(s);
	whole = buf_span(&bin);
	for (size_t i = 0; i < whole.n; i++) {
		assert_null(sieve_script_load(span_sub(whole, 0, i), &o, &error));
		bin.p[i] = (char)(bin.p[i] ^ 4);
		assert_null(sieve_script_load(whole, &o, &error));
		bin.p[i] = (char)(bin.p[i] ^ 4);
	}
	/* An extension that is not there any more; an included script that is another, or has gone. */
	less = o;
	assert_true(sieve_extset_parse(&less.available, SPAN("-ihave"), &bad));
	assert_null(sieve_script_load(whole, &less, &error));
	included = "keep;";
	assert_null(sieve_script_load(whole, &o, &error));
	included = NULL;
	assert_null(sieve_script_load(whole, &o, &error));
	included = "require \"fileinto\"; fileinto \"In\";";
	s = sieve_script_load(whole, &o, &error);
	assert_non_null(s);
	sieve_script_free(s);
	buf_clear(&bin);
}

static void
put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
set_time(const char *path, time_t t)
{
	struct timespec times[2] = { { t, 0 }, { t, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* What the script of the file does now. */
static const char *
opened(const char *path, struct buf *out)
{
	struct sieve_compile_options o = options();
	struct sieve_error error;
	struct sieve_script *s;
	struct err e = ERR_INIT;

	if (sieve_cache_open(path, 65536, &o, &s, &error, &e) == -1) {
		buf_reset(out);
		buf_addf(out, "code %d", (int)e.code);
	} else {
		outcome(s, out);
		sieve_script_free(s);
	}
	return buf_cstr(out);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/culver-sieve-XXXXXX", path[100], link[100], bin[100], moved[100];
	struct buf got = BUF_INIT(65536), one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.sieve", dir);
	snprintf(link, sizeof(link), "%s/active", dir);
	snprintf(bin, sizeof(bin), "%s/x.csvbin", dir);
	snprintf(moved, sizeof(moved), "%s/y.csvbin", dir);
	assert_string_equal(opened(path, &got), "code 3");
	put_file(path, "discard;");
	assert_int_equal(symlink("x.sieve", link), 0);
	assert_string_equal(opened(link, &got), "");
	assert_int_equal(stat(bin, &st), 0);
	assert_string_equal(opened(path, &got), "");
	/* Within the clock's tick a change of the same size is seen by its digest. */
	assert_int_equal(stat(path, &st), 0);
	put_file(path, "keep;   ");
	set_time(path, st.st_mtim.tv_sec);
	opened(path, &got);
	put_file(path, "discard;");
	set_time(path, st.st_mtim.tv_sec);
	opened(path, &got);
	put_file(path, "stop;   ");
	set_time(path, st.st_mtim.tv_sec);
	assert_string_equal(opened(path, &got), "0 ;");
	/* An old script is known by its time: what the binary says counts. */
	put_file(path, "keep;   ");
	set_time(path, 1000000000);
	assert_string_equal(opened(path, &got), "0 ;");
	put_file(path, "discard;");
	set_time(path, 1000000000);
	assert_string_equal(opened(path, &got), "0 ;");
	set_time(path, 1000000001);
	assert_string_equal(opened(path, &got), "");
	/* A damaged binary is made again; one that others may write is not read. */
	put_file(bin, "CuSv and nothing else");
	assert_string_equal(opened(path, &got), "");
	assert_int_equal(file_read(bin, 1 << 20, &one, &e), 0);
	assert_true(one.n > 100);
	put_file(path, "keep;   ");
	set_time(path, 1000000001);
	assert_int_equal(chmod(bin, 0666), 0);
	assert_string_equal(opened(path, &got), "0 ;");
	assert_int_equal(rename(bin, moved), 0);
	assert_int_equal(symlink("y.csvbin", bin), 0);
	put_file(path, "discard;");
	set_time(path, 1000000001);
	assert_string_equal(opened(path, &got), "");
	/* What is wrong is told, and has no binary. */
	unlink(bin);
	put_file(path, "keep\n");
	assert_string_equal(opened(path, &got), "code 2");
	assert_int_equal(stat(bin, &st), -1);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_string_equal(opened(path, &got), "code 3");
	rmdir(path);
	unlink(link);
	unlink(moved);
	assert_int_equal(rmdir(dir), 0);
	buf_clear(&got);
	buf_clear(&one);
	buf_clear(&two);
}

/* A binary that the administrator makes: who may read the script may read it, and believes whom the script's owner is, or root. */
static void
test_made(void **state)
{
	static const struct {
		uid_t script, binary, reader;
		mode_t mode;
		bool believed;
	} cases[] = {
		{ 0, 0, 65534, 0644, true },
		{ 1000, 1000, 65534, 0644, true },
		{ 1000, 0, 65534, 0644, true },
		{ 1000, 65534, 65534, 0644, true },
		{ 1000, 1001, 65534, 0644, false },
		{ 0, 1001, 65534, 0644, false },
		{ 0, 0, 65534, 0664, false },
		{ 0, 0, 65534, 0646, false },
	};
	char dir[] = "/tmp/culver-sieve-XXXXXX", path[100], bin[100];
	struct sieve_compile_options o = { .no_binary = true };
	struct buf got = BUF_INIT(65536);
	struct sieve_error error;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/x.sieve", dir);
	snprintf(bin, sizeof(bin), "%s/x.csvbin", dir);
	put_file(path, "discard;");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(sieve_cache_make(path, 65536, &o, &error, &e), 0);
	assert_true(stat(bin, &st) == 0 && (st.st_mode & 0777) == 0644);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sieve_cache_make(path, 65536, &o, &error, &e), 0);
	assert_true(stat(bin, &st) == 0 && (st.st_mode & 0777) == 0640);
	assert_int_equal(sieve_cache_make(path, 4, &o, &error, &e), -1);
	assert_int_equal(e.code, ERR_TOOBIG);
	for (size_t i = 0; geteuid() == 0 && i < COUNT(cases); i++) {
		/* The script has changed since, which its time does not tell: what is done tells whether the binary was believed. */
		put_file(path, "discard;");
		set_time(path, 1000000000);
		assert_int_equal(sieve_cache_make(path, 65536, &o, &error, &e), 0);
		put_file(path, "keep;   ");
		set_time(path, 1000000000);
		assert_true(chmod(path, 0644) == 0 && chown(path, cases[i].script, 0) == 0);
		assert_true(chown(bin, cases[i].binary, 0) == 0 && chmod(bin, cases[i].mode) == 0);
		assert_int_equal(seteuid(cases[i].reader), 0);
		opened(path, &got);
		assert_int_equal(seteuid(0), 0);
		if (span_eq(buf_span(&got), SPAN("")) != cases[i].believed)
			fail_msg("case %zu: %.*s", i, SPAN_ARG(buf_span(&got)));
	}
	put_file(path, "keep");
	assert_int_equal(sieve_cache_make(path, 65536, &o, &error, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	unlink(path);
	assert_int_equal(sieve_cache_make(path, 65536, &o, &error, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	unlink(bin);
	assert_int_equal(rmdir(dir), 0);
	buf_clear(&got);
}

/* A user leads the path of a script to another directory all the time, while root makes its binary. */
static void
test_swapped(void **state)
{
	static const char *const names[] = { "bob", "site" }, *const scripts[] = { "redirect \"bob@x\";", "redirect \"all@x\";" };
	const struct sieve_compile_options o = { .no_binary = true };
	char dir[] = "/tmp/culver-binary-XXXXXX", path[100];
	struct sieve_error error = { 0 };
	struct buf binary = BUF_INIT(65536);
	unsigned made = 0, wrong = 0;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(mkdir(names[i], 0755), 0);
		snprintf(path, sizeof(path), "%s/b.sieve", names[i]);
		put_file(path, scripts[i]);
	}
	assert_int_equal(symlink("bob", "x"), 0);
	pid = fork();
	for (size_t i = 0; pid == 0; i ^= 1)
		if (symlink(names[i], "t") == -1 || rename("t", "x") == -1)
			_exit(1);
	for (size_t i = 0; i < 400; i++) {
		struct err e = ERR_INIT;

		made += sieve_cache_make("x/b.sieve", 65536, &o, &error, &e) == 0;
		for (size_t k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "%s/b.csvbin", names[k]);
			buf_reset(&binary);
			if (file_read(path, 65536, &binary, &e) == 0)
				wrong += span_find(buf_span(&binary), span_str(k == 0 ? "all@x" : "bob@x")) < binary.n;
		}
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(made > 0);
	assert_int_equal(wrong, 0);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/b.sieve", names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/b.csvbin", names[i]);
		unlink(path);
		assert_int_equal(rmdir(names[i]), 0);
	}
	unlink("t");
	unlink("x");
	assert_true(chdir("/") == 0 && rmdir(dir) == 0);
	buf_clear(&binary);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
