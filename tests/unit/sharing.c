/* SPDX-License-Identifier: MIT */
#include "sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib-config/config.h"

void
sharing_must(int rc, const struct err *e, const char *what)
{
	if (rc < 0) {
		print_error("%s: %s\n", what, e->log);
		fail();
	}
}

void
sharing_run(struct sharing *s, const char *fmt, ...)
{
	char what[2048], cmd[2200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", s->dir, what);
	if (system(cmd) != 0) {
		print_error("%s failed\n", cmd);
		fail();
	}
}

static void
write_conf(struct sharing *s, const char *conf, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (const char *p = conf; *p != '\0'; p++) {
		if (strncmp(p, "DIR", 3) == 0) {
			fputs(s->dir, f);
			p += 2;
		} else {
			fputc(*p, f);
		}
	}
	assert_int_equal(fclose(f), 0);
}

void
sharing_init(struct sharing *s, const char *conf)
{
	const char *tmp = getenv("TMPDIR");
	struct config *c;
	struct err e = ERR_INIT;
	char path[128];
	int fd;

	snprintf(s->dir, sizeof(s->dir), "%.40s/culver-test.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(s->dir));
	s->a = arena_new((size_t)64 << 20);
	assert_non_null(s->a);
	snprintf(path, sizeof(path), "%s/dovecot.conf", s->dir);
	write_conf(s, conf, path);
	c = config_read(path, &e);
	assert_non_null(c);
	assert_false(config_has_errors(c));
	fd = config_image(c, &e);
	MUST(fd, &e);
	MUST(settings_open(fd, &s->settings, &e), &e);
	close(fd);
	config_free(c);
	sharing_run(s, "mkdir home");
}

void
sharing_clear(struct sharing *s)
{
	settings_close(s->settings);
	arena_free(s->a);
	sharing_run(s, "cd / && rm -rf '%s'", s->dir);
}

struct storage *
sharing_try(struct sharing *s, const char *user, struct err *e)
{
	struct set_view *v = set_view_new(s->settings, NULL);
	struct storage_params p = { .view = v, .user = span_str(user), .notify_fd = -1 };
	struct storage *st = NULL;
	char home[128];

	assert_non_null(v);
	snprintf(home, sizeof(home), "%s/home/%s", s->dir, user);
	p.home = span_str(home);
	if (storage_open(&p, &st, e) == -1)
		st = NULL;
	set_view_free(v);
	return st;
}

struct storage *
sharing_open(struct sharing *s, const char *user)
{
	struct err e = ERR_INIT;
	struct storage *st = sharing_try(s, user, &e);

	MUST(st == NULL ? -1 : 0, &e);
	return st;
}

const char *
sharing_names(struct sharing *s, struct storage *st, unsigned attrs)
{
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	size_t count;
	struct buf out = BUF_INIT(4096);
	const char *text;

	MUST(storage_list(st, s->a, &list, &count, &e), &e);
	for (size_t i = 0; i < count; i++) {
		if ((list[i].attrs & attrs) == 0)
			continue;
		buf_add(&out, list[i].name);
		buf_addc(&out, ' ');
	}
	text = out.n == 0 ? "" : arena_cstr(s->a, buf_span(&out));
	buf_clear(&out);
	return text;
}

unsigned
sharing_attrs(struct sharing *s, struct storage *st, const char *name)
{
	struct mailbox_info info;
	struct err e = ERR_INIT;

	(void)s;
	MUST(storage_mailbox_info(st, span_str(name), &info, &e), &e);
	return info.attrs;
}

enum err_code
sharing_create(struct storage *st, const char *name)
{
	struct err e = ERR_INIT;

	return storage_create(st, span_str(name), false, &e) == 0 ? ERR_NONE : e.code;
}

enum err_code
sharing_can(struct storage *st, const char *name, enum mailbox_mode mode)
{
	struct mailbox *box;
	struct err e = ERR_INIT;

	if (mailbox_open(st, span_str(name), mode, &box, &e) == -1)
		return e.code;
	mailbox_close(box);
	return ERR_NONE;
}

struct mailbox *
sharing_box(struct storage *st, const char *name, enum mailbox_mode mode)
{
	struct mailbox *box = NULL;
	struct err e = ERR_INIT;

	MUST(mailbox_open(st, span_str(name), mode, &box, &e), &e);
	return box;
}

enum err_code
sharing_save(struct storage *st, const char *name, enum mailbox_mode mode, unsigned flags)
{
	const struct save_params p = { .flags = flags, .internal_date = INT64_MIN };
	struct arena *a = arena_new(1 << 20);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	struct err e = ERR_INIT;
	uint32_t validity;
	enum err_code code = ERR_NONE;

	if (mailbox_open(st, span_str(name), mode, &box, &e) == -1 || saver_new(box, &saver, &e) == -1 ||
	    saver_begin(saver, &p, &e) == -1 || saver_write(saver, SPAN("Subject: x\n\nhello\n"), &e) == -1 ||
	    saver_finish(saver, &e) == -1 || saver_commit(saver, a, &validity, &uids, &e) == -1)
		code = e.code;
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
	return code;
}
