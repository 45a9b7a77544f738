/* SPDX-License-Identifier: MIT */
#include "lib-deliver/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-deliver/perform.h"
#include "lib-deliver/recipient/command.h"
#include "lib-deliver/recipient/file.h"
#include "lib-deliver/smtp-path.h"

#define FILE_NAME ".forward"
#define FILE_OCTETS ((size_t)256 << 10)
#define INCLUDE_DEPTH 5
#define LINE_OCTETS ((size_t)64 << 10)
#define PATH_OCTETS 4096
#define WHY_MAX 400
#define READ_MEMORY ((size_t)16 << 20)
#define TEXT_MAX ((size_t)1 << 30)

struct deliver_forward {
	struct span user, home;
	const struct program_helper *helper;
};

/* One message. */
struct work {
	const struct deliver_forward *f;
	const struct deliver_request *r;
	struct deliver_host *host;
	deliver_rest *rest;
	struct deliver_result *out;
	const char *path;		/* of the file */
	const char *by;			/* of the log lines of what is behind it */
	bool kept;			/* the rest of the delivery is done */
};

bool
deliver_forward_is_on(const struct set_view *view)
{
	return set_bool(view, SET_recipient_forward);
}

int
deliver_forward_start_helper(const struct set_view *view, struct program_helper *out, struct err *e)
{
	const struct program_limits l = {
		.timeout = (unsigned)(set_ms(view, SET_recipient_program_timeout) / 1000),
		.memory = (uint64_t)1 << 30, .file_size = set_num(view, SET_lmtp_max_message_size) * 10, .processes = 200,
		.output = (size_t)64 << 10, .only_dir = set_str(view, SET_recipient_program_dir),
	};

	*out = (struct program_helper){ .sock = -1, .pid = -1 };
	return deliver_forward_is_on(view) && l.only_dir.n > 0 ? program_helper_start(out, &l, NULL, NULL, e) : 0;
}

struct deliver_forward *
deliver_forward_new(const struct set_view *view, struct span user, struct span home, const struct program_helper *helper,
    struct err *e)
{
	struct deliver_forward *f;

	if (!deliver_forward_is_on(view) || home.n == 0)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	f->user = user;
	f->home = home;
	f->helper = helper;
	return f;
}

void
deliver_forward_free(struct deliver_forward *f)
{
	free(f);
}

/* A list with one more. */
static int
append(const char *const **list, struct span path, struct arena *a, struct err *e)
{
	const char **more;
	size_t n = 0;

	while ((*list)[n] != NULL)
		n++;
	more = arena_alloc(a, n + 2, sizeof(*more));
	if (more == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	memcpy(more, *list, n * sizeof(*more));
	more[n] = arena_cstr(a, path);
	*list = more;
	return more[n] != NULL ? 0 : err_set(e, ERR_TEMP, "out of memory");
}

int
deliver_forward_paths(const struct set_view *view, struct span home, struct arena *a, const char *const **rw,
    const char *const **ro, struct err *e)
{
	if (!deliver_forward_is_on(view) || home.n == 0)
		return 0;
	return append(set_bool(view, SET_recipient_files) ? rw : ro, home, a, e);
}

/* The file. */

/* Whether nobody but the user and root can put another file in its place. */
static int
check_dirs(const char *path, uid_t uid, struct err *e)
{
	char dir[PATH_OCTETS];
	size_t n = strlen(path);
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	do {
		while (n > 0 && dir[n - 1] != '/')
			n--;
		while (n > 1 && dir[n - 1] == '/')
			n--;
		dir[n] = '\0';
		if (stat(n == 0 ? "." : dir, &st) == -1)
			return err_errno(e, "%s", dir);
		if (st.st_uid != 0 && st.st_uid != uid)
			return err_set(e, ERR_DENIED, "%s belongs to another user", dir);
		if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
			return err_set(e, ERR_DENIED, "%s can be written by others", dir);
	} while (n > 1);
	return 0;
}

static int
read_file(const char *path, uid_t uid, struct buf *out, struct err *e)
{
	/* Not to wait for who might write into a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW), rc = -1;
	struct stat st;

	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd == -1 && errno == ELOOP)
		return err_set(e, ERR_DENIED, "a symbolic link");
	if (fd == -1)
		return err_errno(e, "open");
	if (fstat(fd, &st) == -1)
		err_errno(e, "fstat");
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_DENIED, "not a plain file");
	else if (st.st_uid != uid && st.st_uid != 0)
		err_set(e, ERR_DENIED, "it belongs to another user");
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		err_set(e, ERR_DENIED, "it can be written by others");
	else if (check_dirs(path, uid, e) == 0 && fd_read_all(fd, out->max, out, e) == 0)
		rc = 1;
	close(fd);
	return rc;
}

/* One file's list into *out, files that it includes among it. */
static int
read_list(const char *path, uid_t uid, size_t max, unsigned depth, struct arena *a, struct recipient_targets *out, unsigned *line_out,
    struct err *e)
{
	struct recipient_targets own = { NULL, 0 };
	struct buf text = BUF_INIT(FILE_OCTETS);
	int rc = read_file(path, uid, &text, e);
	struct span copy = arena_dup(a, buf_span(&text));

	buf_clear(&text);
	if (rc != 1)
		return rc;
	if (copy.p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (recipient_targets_read(copy, LINE_OCTETS, max, a, NULL, &own, line_out, e) == -1)
		return -1;
	for (size_t i = 0; i < own.count; i++) {
		const struct recipient_target *t = &own.list[i];
		const char *included = t->kind != RECIPIENT_INCLUDE ? NULL : arena_cstr(a, t->text);

		*line_out = t->line;
		if (t->kind != RECIPIENT_INCLUDE) {
			if (!recipient_targets_add(out, t, max, a, e))
				return -1;
			continue;
		}
		if (included == NULL || depth == INCLUDE_DEPTH)
			return err_set(e, ERR_LIMIT, "files include each other too deeply");
		rc = read_list(included, uid, max, depth + 1, a, out, line_out, e);
		*line_out = t->line;
		if (rc == -1)
			return err_wrap(e, "%s", included);
		if (rc == 0)
			return err_set(e, ERR_NOTFOUND, "%s is not there", included);
	}
	return 1;
}

int
deliver_forward_read(struct span home, struct span name, uid_t uid, size_t max_targets, struct arena *a,
    struct recipient_targets *out, unsigned *line_out, struct err *e)
{
	char *path = arena_printf(a, "%.*s/%.*s", SPAN_ARG(home), SPAN_ARG(name));
	int rc;

	*out = (struct recipient_targets){ NULL, 0 };
	*line_out = 0;
	if (path == NULL || strlen(path) >= PATH_OCTETS)
		return err_set(e, ERR_LIMIT, "the file's name is too long");
	rc = read_list(path, uid, max_targets, 0, a, out, line_out, e);
	return rc == 1 ? out->count > 0 : rc;
}

/* What is done. */

static struct filter_action
action_of(const struct work *w, const struct recipient_target *t)
{
	return (struct filter_action){ .script = span_str(w->path), .line = t->line, .sender = w->r->sender };
}

static void
say(struct work *w, const struct recipient_target *t, const char *did)
{
	struct filter_action a = action_of(w, t);
	char what[WHY_MAX];

	snprintf(what, sizeof(what), "%s %.*s", did, SPAN_ARG(span_sub(t->text, 0, 300)));
	deliver_log(w->r, w->host->by, what);
	deliver_host_note(w->host, &a, "%s", what);
}

static void
complain(struct work *w, unsigned line, const struct err *e)
{
	struct filter_action a = { .script = span_str(w->path), .line = line };

	if (line == 0)
		log_error("%s%s: %s", w->host->by, w->path, e->log);
	else
		log_error("%s%s: line %u: %s", w->host->by, w->path, line, e->log);
	deliver_host_note(w->host, &a, "failed: %s", e->log);
}

/* The rest of the delivery, once. */
static int
keep(struct work *w, struct err *e)
{
	const char *by = w->host->by;
	int rc;

	if (w->kept)
		return 0;
	w->host->by = w->by;
	rc = w->rest(w->r, w->host, w->out, e);
	w->host->by = by;
	w->kept = rc == 0;
	return rc;
}

static struct span
local_of(struct span address)
{
	return span_sub(address, 0, span_chr(address, '@'));
}

/* Whether all domains that are of this server have the same users: auth takes them off names. */
static bool
domains_are_one(const struct set_view *view)
{
	static const struct span names[] = { { "a@b", 3 }, { "a@c", 3 } };
	struct span format = set_str(view, SET_auth_username_format);
	struct buf made[2] = { BUF_INIT(4096), BUF_INIT(4096) };
	struct err e = ERR_INIT;
	bool same = format.n > 0;

	for (unsigned i = 0; i < 2; i++) {
		struct var vars[VARS_USER_COUNT + 1];

		vars_for_user(vars, names[i], SPAN_NONE);
		vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
		same = vars_expand(&made[i], format, vars, &e) == 0 && same;
	}
	same = same && span_eq(buf_span(&made[0]), buf_span(&made[1]));
	buf_clear(&made[0]);
	buf_clear(&made[1]);
	return same;
}

static bool
is_of_server(const struct set_view *view, struct span domain)
{
	struct span rest = set_str(view, SET_recipient_domains), hostname = set_str(view, SET_hostname), word;

	while (set_list_next(&rest, &word))
		if (span_ieq(word, domain))
			return true;
	return span_ieq(domain, hostname.n > 0 ? hostname : span_str(host_name())) || span_ieq(domain, SPAN("localhost"));
}

/* The user by another of his names: as the server knows him, or as the mail came for him, with a detail or without. */
static bool
is_users(const struct deliver_request *r, struct span user, struct span local)
{
	struct span asked = local_of(r->recipient), detail;

	if (span_ieq(local, local_of(user)) || span_ieq(local, asked))
		return true;
	return smtp_detail_split(asked, set_str(r->view, SET_recipient_delimiter), &asked, &detail) && span_ieq(local, asked);
}

/* What is passed on to himself comes back here, and all others in the file would have it twice. */
bool
deliver_forward_is_own(const struct deliver_request *r, struct span user, const struct recipient_target *t)
{
	struct span domain = span_from(user, span_chr(user, '@') + 1);

	if (t->kind > RECIPIENT_USER || !is_users(r, user, t->local))
		return false;
	if (t->domain.n == 0 || span_ieq(t->domain, domain) || span_ieq(t->domain, deliver_own_domain(r)))
		return true;
	return domains_are_one(r->view) && is_of_server(r->view, t->domain);
}

static bool
is_self(const struct work *w, const struct recipient_target *t)
{
	return deliver_forward_is_own(w->r, w->f->user, t);
}

static struct span
full_address(const struct work *w, const struct recipient_target *t)
{
	return t->domain.n > 0 ? t->text : recipient_address_text(t->local, deliver_own_domain(w->r), w->host->a);
}

static int
pass_on(struct work *w, const struct recipient_target *t, struct err *e)
{
	struct filter_action a = action_of(w, t);
	struct filter_message m;
	struct performed done;

	a.kind = FILTER_REDIRECT;
	a.target = full_address(w, t);
	if (a.target.p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	filter_message_init(&m, w->r->message);
	if (deliver_perform(w->r, &a, &m, w->host, &done, e) == -1)
		return -1;
	return done.failed == 0 ? 0 : err_set(e, done.first.code, "%s", done.first.log);
}

static int
run(struct work *w, const struct recipient_target *t, struct err *e)
{
	struct span argv[RECIPIENT_ARGUMENTS], env[8];
	struct arena *a = w->host->a;
	struct program_request p = { .argv = argv, .env = env, .dir = w->f->home, .umask = 077, .ignore_write_errors = true };
	struct buf text = BUF_INIT(TEXT_MAX), output = BUF_INIT(0), said = BUF_INIT(4096);
	int status = 0, rc;

	if (w->f->helper == NULL || w->f->helper->sock == -1)
		return err_set(e, ERR_DENIED, "programs are switched off (recipient_program_dir)");
	if (recipient_command_parse(t->text, a, argv, &p.argc, e) == -1)
		return -1;
	env[0] = SPAN("PATH=/usr/local/bin:/usr/bin:/bin");
	env[1] = SPAN("SHELL=/bin/sh");
	env[2] = span_str(arena_printf(a, "HOME=%.*s", SPAN_ARG(w->f->home)));
	env[3] = span_str(arena_printf(a, "USER=%.*s", SPAN_ARG(w->f->user)));
	env[4] = span_str(arena_printf(a, "LOGNAME=%.*s", SPAN_ARG(w->f->user)));
	env[5] = span_str(arena_printf(a, "SENDER=%.*s", SPAN_ARG(w->r->sender)));
	env[6] = span_str(arena_printf(a, "RECIPIENT=%.*s", SPAN_ARG(w->r->recipient)));
	/* culver-lda in it is what the file ends with: asked again, it would start itself without an end. */
	env[7] = SPAN(DELIVER_FORWARD_ENV "=1");
	p.env_count = 8;
	recipient_text_write(&text, w->r->sender, clock_wall_us() / 1000000, w->r->header, w->r->message, false);
	p.input = buf_span(&text);
	rc = text.failed || env[6].p == NULL ? err_set(e, ERR_TEMP, "out of memory")
	    : program_helper_run(w->f->helper, &p, &output, &said, &status, e);
	if (rc == 0 && status != 0)
		rc = err_set(e, ERR_TEMP, "%.*s ended with %d: %.*s", SPAN_ARG(span_sub(argv[0], 0, 80)), status,
		    SPAN_ARG(span_trim(span_sub(buf_span(&said), 0, 100))));
	buf_clear(&text);
	buf_clear(&output);
	buf_clear(&said);
	return rc;
}

static int
append_to_file(struct work *w, const struct recipient_target *t, struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const char *path = arena_cstr(w->host->a, t->text);
	int rc;

	if (!set_bool(w->r->view, SET_recipient_files))
		return err_set(e, ERR_DENIED, "files are switched off (recipient_files)");
	recipient_text_write(&text, w->r->sender, clock_wall_us() / 1000000, w->r->header, w->r->message, true);
	rc = text.failed || path == NULL ? err_set(e, ERR_TEMP, "out of memory") : recipient_file_append(path, buf_span(&text), e);
	buf_clear(&text);
	return rc;
}

static int
perform(struct work *w, const struct recipient_target *t, struct err *e)
{
	switch (t->kind) {
	case RECIPIENT_ADDRESS:
	case RECIPIENT_USER:
		return pass_on(w, t, e);	/* which tells the log itself */
	case RECIPIENT_PROGRAM:
		if (run(w, t, e) == -1)
			return -1;
		say(w, t, "piped message to program");
		return 0;
	case RECIPIENT_FILE:
		if (!span_eq(t->text, SPAN("/dev/null")) && append_to_file(w, t, e) == -1)
			return -1;
		say(w, t, "stored mail into");
		return 0;
	case RECIPIENT_INCLUDE:
	case RECIPIENT_ERROR:
		break;
	}
	return err_set(e, ERR_SYNTAX, "%.*s is nothing for a .forward", SPAN_ARG(span_sub(t->text, 0, 100)));
}

/* What stays comes before what goes, so that a message that has to come again has gone nowhere. */
static int
perform_all(struct work *w, const struct recipient_targets *list, struct err *e)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_self(w, &list->list[i]) && keep(w, e) == -1)
			return -1;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < list->count; i++) {
			const struct recipient_target *t = &list->list[i];
			struct err one = ERR_INIT;

			if (is_self(w, t) || (t->kind > RECIPIENT_USER) != (round == 0) || perform(w, t, &one) == 0)
				continue;
			complain(w, t->line, &one);
			if (keep(w, e) == -1)
				return -1;
		}
	return 0;
}

/* A detail that may be a part of a file's name. */
static bool
is_name(struct span detail)
{
	for (size_t i = 0; i < detail.n; i++)
		if (detail.p[i] == '/' || (detail.p[i] >= 0 && detail.p[i] <= ' '))
			return false;
	return detail.n > 0 && detail.n <= 100;
}

/* .forward+detail, or .forward; as deliver_forward_read(). */
static int
read_own(const struct deliver_forward *f, const struct deliver_request *r, struct arena *a, struct recipient_targets *out,
    const char **name_out, unsigned *line_out, struct err *e)
{
	size_t max = (size_t)set_num(r->view, SET_recipient_max_targets);
	struct span detail = deliver_detail(r);
	int rc = 0;

	*name_out = is_name(detail) ? arena_printf(a, FILE_NAME "+%.*s", SPAN_ARG(detail)) : NULL;
	if (*name_out != NULL)
		rc = deliver_forward_read(f->home, span_str(*name_out), geteuid(), max, a, out, line_out, e);
	if (rc != 0)
		return rc;
	*name_out = FILE_NAME;
	return deliver_forward_read(f->home, SPAN(FILE_NAME), geteuid(), max, a, out, line_out, e);
}

bool
deliver_forward_keeps(const struct deliver_forward *f, const struct deliver_request *r)
{
	struct work w = { .f = f, .r = r };
	struct arena *a = arena_new(READ_MEMORY);
	struct recipient_targets list;
	struct err e = ERR_INIT;
	const char *name;
	unsigned line;
	bool keeps = a == NULL || read_own(f, r, a, &list, &name, &line, &e) != 1;

	for (size_t i = 0; !keeps && i < list.count; i++)
		keeps = is_self(&w, &list.list[i]);
	arena_free(a);
	return keeps;
}

int
deliver_forward_run(struct deliver_forward *f, const struct deliver_request *r, struct deliver_host *host, deliver_rest *rest,
    struct deliver_result *out, struct err *e)
{
	struct work w = { .f = f, .r = r, .host = host, .rest = rest, .out = out, .by = host->by };
	struct recipient_targets list;
	struct err wrong = ERR_INIT;
	unsigned line;
	const char *name;
	int rc = read_own(f, r, host->a, &list, &name, &line, &wrong);

	w.path = arena_printf(host->a, "%.*s/%s", SPAN_ARG(f->home), name);
	if (w.path == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (rc != 1) {
		/* A file server that does not answer: what the file says is not known, and may be that nothing stays here. */
		if (rc == -1 && wrong.code == ERR_TEMP) {
			*e = wrong;
			return err_wrap(e, "%s", w.path);
		}
		host->by = "forward: ";
		if (rc == -1)
			complain(&w, line, &wrong);
		host->by = w.by;
		return rest(r, host, out, e);
	}
	host->by = "forward: ";
	rc = perform_all(&w, &list, e);
	host->by = w.by;
	return rc;
}
