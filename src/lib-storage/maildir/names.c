/* SPDX-License-Identifier: MIT */
/*
 * Between the names of mailboxes and those of directories.  Maildir++: INBOX is the root, "Work/2026" the directory
 * ".Work.2026" in it; LAYOUT=fs: "Work/2026".  On disk names are in modified UTF-7, or as they are (UTF-8).
 *
 * Directories that other programs have made may be no modified UTF-7, or not the form that a name has.  Where their octets
 * are UTF-8, these are the name: "raw".  A client's name leads to such a directory when the one in its proper form is not
 * there.  What could not be said back to us is not shown at all.
 */
#include "lib-storage/maildir/maildir.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib/encode.h"

#define LEVEL_MAX 255

static bool
is_inbox(struct span name)
{
	return span_eq(name, SPAN("INBOX"));
}

static bool
decodes(struct span disk)
{
	struct buf text = BUF_INIT(4 * LEVEL_MAX);
	bool ok = mutf7_decode(&text, disk) && !text.failed;

	buf_clear(&text);
	return ok;
}

bool
maildir_is_reserved(const struct maildir_store *s, struct span disk, bool top)
{
	static const char *const names[] = { "culver-mailbox", "culver-uids", "culver-uidlist", "courierimapkeywords",
		"courierimaphieracl", MAILDIR_METADATA, MAILDIR_METADATA "-server" };
	static const char *const subs[] = { "cur", "new", "tmp" };

	for (size_t i = 0; i < 3; i++)
		if (s->dirname == NULL && s->p.fs_layout && span_eq(disk, span_str(subs[i])))
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (s->p.fs_layout && span_eq(disk, span_str(names[i])))
			return true;
	return (s->dirname != NULL && span_eq(disk, span_str(s->dirname))) || span_starts(disk, SPAN(MAILDIR_TRASH)) ||
	    (s->p.fs_layout && span_starts(disk, SPAN("culver.index"))) ||
	    (top && s->subscriptions != NULL && span_eq(disk, span_str(s->subscriptions)));
}

static int
add_level(const struct maildir_store *s, struct buf *path, struct span level, bool raw, struct err *e)
{
	size_t start = path->n;
	struct span disk;

	if (raw || s->p.utf8)
		buf_add(path, level);
	else if (!mutf7_encode(path, level))
		return err_set(e, ERR_SYNTAX, "a mailbox name is not UTF-8");
	if (path->failed)
		return err_set(e, ERR_LIMIT, "a mailbox name is too long");
	disk = span_from(buf_span(path), start);
	if (raw && decodes(level))
		return err_set(e, ERR_NOTFOUND, "no such directory");
	if (!s->p.fs_layout && span_chr(disk, '.') != disk.n)
		return err_set(e, ERR_SYNTAX, "a name with a '.' can not be a Maildir++ folder");
	if (disk.n == 0 || span_eq(disk, SPAN(".")) || span_eq(disk, SPAN("..")) || span_chr(disk, '/') != disk.n ||
	    maildir_is_reserved(s, disk, start == strlen(s->root) + 1))
		return err_set(e, ERR_SYNTAX, "a mailbox can not be called %.*s", SPAN_ARG(disk));
	if (disk.n > LEVEL_MAX)
		return err_set(e, ERR_LIMIT, "a mailbox name is too long for the file system");
	return 0;
}

static char *
path_in_form(const struct maildir_store *s, struct span name, bool raw, struct err *e)
{
	struct buf path = BUF_INIT(MAILDIR_PATH_MAX);
	struct span level;
	char *out = NULL;

	buf_adds(&path, s->root);
	if (!s->p.fs_layout)
		buf_addc(&path, '/');
	while (span_next(&name, '/', &level)) {
		buf_addc(&path, s->p.fs_layout ? '/' : '.');
		if (add_level(s, &path, level, raw && !span_eq(level, SPAN("INBOX")), e) == -1)
			goto out;
	}
	if (!s->p.fs_layout && path.n - strlen(s->root) - 1 > LEVEL_MAX)
		err_set(e, ERR_LIMIT, "a mailbox name is too long for the file system");
	else if (!s->p.fs_layout && maildir_is_reserved(s, span_from(buf_span(&path), strlen(s->root) + 1), true))
		err_set(e, ERR_SYNTAX, "a mailbox can not be called so");
	else if (path.failed || buf_cstr(&path) == NULL)
		err_set(e, ERR_LIMIT, "a mailbox name is too long");
	else if ((out = strdup(path.p)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
out:
	buf_clear(&path);
	return out;
}

/* Whether the name's octets on disk may be others than its own. */
static bool
is_encoded(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '&' || (unsigned char)name.p[i] >= 0x7f)
			return true;
	return false;
}

char *
maildir_folder_path(const struct maildir_store *s, struct span name, struct err *e)
{
	struct err none = ERR_INIT;
	char *path, *raw;
	struct stat sb;

	if (is_inbox(name) && s->inbox != NULL)
		return strdup(s->inbox);
	path = path_in_form(s, name, false, e);
	if (path == NULL || s->p.utf8 || !is_encoded(name) || stat(path, &sb) == 0)
		return path;
	raw = path_in_form(s, name, true, &none);
	if (raw == NULL || stat(raw, &sb) == -1) {
		free(raw);
		return path;
	}
	free(path);
	return raw;
}

char *
maildir_path(const struct maildir_store *s, struct span name, struct err *e)
{
	char *folder = maildir_folder_path(s, name, e), *path = NULL;

	if (folder == NULL || s->dirname == NULL || (is_inbox(name) && s->inbox != NULL))
		return folder;
	if (asprintf(&path, "%s/%s", folder, s->dirname) == -1) {
		path = NULL;
		err_set(e, ERR_TEMP, "out of memory");
	}
	free(folder);
	return path;
}

bool
maildir_level_shown(const struct maildir_store *s, struct span disk, struct buf *out, unsigned *forms)
{
	size_t start = out->n;
	struct span level;
	bool ok;

	if (s->p.utf8) {
		buf_add(out, disk);
		return !out->failed && utf8_is_valid(disk);
	}
	ok = mutf7_decode(out, disk) && !out->failed;
	level = ok ? span_from(buf_span(out), start) : SPAN_NONE;
	/* A separator inside a level could not be told from one between two. */
	if (ok && span_chr(level, '/') == level.n && (s->p.fs_layout || span_chr(level, '.') == level.n)) {
		if (!span_eq(level, disk))
			*forms |= MAILDIR_FORM_PROPER;
	} else if (!out->failed && !ok && utf8_is_valid(disk)) {
		out->n = start;
		buf_add(out, disk);
		*forms |= MAILDIR_FORM_RAW;
	} else {
		return false;
	}
	/* Of one form, or the path can not be found again. */
	return !out->failed && *forms != (MAILDIR_FORM_PROPER | MAILDIR_FORM_RAW);
}
