/* SPDX-License-Identifier: MIT */
/*
 * Delivers the message on standard input to one user: from Postfix's pipe(8), a ~/.forward, procmail, fetchmail.  It runs
 * as that user, or as root with -d, and then becomes the user before it opens any mail.  What it can not do now it says
 * with exit status 75, so that the mail is kept and tried again: also when the configuration is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include "lda/args.h"
#include "lda/scan.h"
#include "lda/userdb.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-config/config.h"
#include "lib-deliver/filter-program.h"
#include "lib-deliver/forward.h"
#include "lib-deliver/queue-client.h"
#include "lib-deliver/recipes.h"
#include "lib-deliver/sieve.h"
#include "lib-deliver/smtp-path.h"
#include "lib-mail/header.h"

#define ARENA_MAX (4 << 20)
#define HEADER_MAX 131072

static volatile sig_atomic_t delivering;	/* the message is there */

struct lda {
	struct lda_args args;
	struct arena *arena;
	struct settings *settings;
	struct set_view *view;
	struct identity id;
	struct buf message;
	struct span sender, recipient;
	bool knows_sender;
	bool forwarding;		/* ~/.forward is asked */
	struct lda_scan scan;
	struct program_helper helper;	/* for recipes' programs */
	struct program_helper programs;	/* for those of Sieve scripts */
	struct program_helper forwards;	/* for those of a .forward */
};

/* The last words: standard error is what an MTA puts into its log and into a bounce. */
static int
leave(int status, const char *text)
{
	fprintf(stderr, "culver-lda: %s\n", text);
	return status;
}

static int
usage(FILE *out)
{
	fprintf(out, "Usage: culver-lda [-d user] [-f sender] [-a original recipient] [-r recipient] [-m mailbox]\n"
		"                  [-p path] [-c configuration] [-o setting=value] [-e] [-k]\n"
		"Delivers the message on standard input; see culver-lda(1).\n");
	return EX_USAGE;
}

static void
init_log(const struct set_view *view)
{
	static char timestamp[128];
	struct log_target t = { .fd = -1, .info_fd = -1, .debug_fd = -1, .syslog_ident = "culver",
				.syslog_facility = LOG_MAIL, .timestamp = timestamp };
	struct span path = set_str(view, SET_info_log_path);
	char name[4096];

	snprintf(timestamp, sizeof(timestamp), "%.*s", SPAN_ARG(set_str(view, SET_log_timestamp)));
	if (path.n == 0)
		path = set_str(view, SET_log_path);
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(path));
	if (span_eq(path, SPAN("/dev/stderr")))
		t.fd = STDERR_FILENO;
	else if (path.n > 0 && !span_eq(path, SPAN("syslog")))
		/* A user who may not write the server's log uses the system's. */
		t.fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	t.debug = set_bool(view, SET_mail_debug);
	log_init(&t);
	log_prefix("lda");
}

static int
read_settings(struct lda *l)
{
	const char *path = l->args.config != NULL ? l->args.config : CULVER_SYSCONFDIR "/dovecot.conf";
	const struct set_filter filter = { .protocol = "lda" };
	const struct config_note *notes;
	struct err e = ERR_INIT;
	struct config *c = config_read(path, &e);
	int image = -1, rc = EX_TEMPFAIL;

	if (c == NULL)
		return leave(EX_TEMPFAIL, e.log);
	for (size_t i = 0; i < l->args.override_count; i++)
		if (config_override(c, span_str(l->args.overrides[i]), &e) == -1) {
			config_free(c);
			return leave(EX_TEMPFAIL, e.log);
		}
	for (size_t n = config_notes(c, &notes), i = 0; i < n; i++)
		if (notes[i].is_error)
			fprintf(stderr, "culver-lda: %s\n", notes[i].text);
	if (config_has_errors(c))
		leave(EX_TEMPFAIL, "the configuration is wrong");
	else if ((image = config_image(c, &e)) == -1 || settings_open(image, &l->settings, &e) == -1)
		leave(EX_TEMPFAIL, e.log);
	else
		rc = EX_OK;
	if (image != -1)
		close(image);
	config_free(c);
	if (rc != EX_OK)
		return rc;
	l->view = set_view_new(l->settings, &filter);
	return l->view == NULL ? leave(EX_TEMPFAIL, "out of memory") : EX_OK;
}

static int
read_message(struct lda *l)
{
	struct err e = ERR_INIT;
	size_t max = set_num(l->view, SET_mail_max_message_size);
	int fd = STDIN_FILENO, rc;

	if (l->args.path != NULL && (fd = open(l->args.path, O_RDONLY | O_CLOEXEC)) == -1)
		return leave(EX_TEMPFAIL, "the message can not be opened");
	buf_init(&l->message, max);
	rc = fd_read_all(fd, max, &l->message, &e);
	if (fd != STDIN_FILENO)
		close(fd);
	if (rc == -1)
		return leave(e.code == ERR_LIMIT ? EX_NOPERM : EX_TEMPFAIL,
		    e.code == ERR_LIMIT ? "the message is larger than mail_max_message_size" : e.log);
	return EX_OK;
}

/* Without -d: who runs it, with HOME. */
static int
identify_self(struct lda *l)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		return leave(EX_USAGE, "root needs -d with a user");
	if (pw == NULL)
		return leave(EX_NOUSER, "who runs this has no user name");
	if (home == NULL || home[0] != '/')
		home = pw->pw_dir;
	l->id = (struct identity){ .user = arena_dup(l->arena, span_str(pw->pw_name)),
				   .home = arena_dup(l->arena, span_str(home)), .fields = SPAN(""),
				   .chroot_dir = SPAN(""), .uid = geteuid(), .gid = getegid() };
	return EX_OK;
}

static int
identify(struct lda *l)
{
	struct span base = set_str(l->view, SET_base_dir), name = set_str(l->view, SET_auth_socket_path);
	struct err e = ERR_INIT;
	char path[4096];

	if (l->args.user == NULL)
		return identify_self(l);
	if (name.n > 0 && name.p[0] == '/')
		base = SPAN("");
	snprintf(path, sizeof(path), "%.*s%s%.*s", SPAN_ARG(base), base.n > 0 ? "/" : "", SPAN_ARG(name));
	if (userdb_ask(path, span_str(l->args.user), l->arena, &l->id, &e) == -1)
		return leave(e.code == ERR_NOTFOUND ? EX_NOUSER : EX_TEMPFAIL, e.log);
	if (geteuid() != 0 && l->id.uid != geteuid())
		return leave(EX_NOPERM, "only root may deliver to another user");
	return EX_OK;
}

static int
become_runner(void *ctx, struct err *e)
{
	const struct lda *l = ctx;

	return identity_become_runner(&l->id, l->view, e);
}

/* The scanner is asked by the mail user, who may still reach it, and never by root. */
static int
become_and_scan(struct lda *l, struct span message, struct err *e)
{
	lda_scan_init(&l->scan, l->view);
	if (identity_become(&l->id, l->view, e) == -1)
		return -1;
	lda_scan_message(&l->scan, message, l->sender, l->recipient.n > 0 ? l->recipient : l->id.user, l->id.user);
	return 0;
}

/* The mail user's process from here on, shut in like the server's own. */
static int
become_user(struct lda *l, const struct storage_params *sp, struct span message, struct err *e)
{
	/* What the C library and iconv look at while running. */
	static const char *const system_paths[] = {
		"/usr/lib", "/lib", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache", NULL
	};
	struct priv_filter *filter = priv_filter_new(PRIV_MAIL, e);
	const char *const *rw, *const *ro;
	enum priv_confined active;
	struct err no_helper = ERR_INIT;
	int rc = -1;

	if (filter == NULL)
		return -1;
	/* What can not be run then is told when the recipes want it. */
	if (deliver_recipes_start_helper(l->view, become_runner, l, &l->helper, &no_helper) == -1)
		log_error("a process for programs: %s", no_helper.log);
	ro = deliver_filter_paths(l->view, l->id.user, l->id.home, system_paths, l->arena);
	if (ro == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (become_and_scan(l, message, e) == 0 && deliver_programs_start(l->view, &l->programs, e) == 0 &&
	    (!l->forwarding || deliver_forward_start_helper(l->view, &l->forwards, e) == 0) &&
	    storage_paths(sp, l->arena, &rw, e) == 0 &&
	    deliver_forward_paths(l->view, l->id.home, l->arena, &rw, &ro, e) == 0 &&
	    deliver_recipes_paths(l->view, l->id.user, l->id.home, l->arena, &rw, &ro, e) == 0 &&
	    priv_landlock(rw, ro, &active, e) == 0 && priv_filter_apply(filter, e) == 0)
		rc = 0;
	priv_filter_free(filter);
	return rc;
}

static bool
has_field(struct span message, struct span name)
{
	struct span value;

	return header_get(message, name, &value);
}

/* What the MTA has not put there itself. */
static struct span
make_header(struct lda *l, struct span message)
{
	struct buf b = BUF_INIT(HEADER_MAX);
	struct span out;

	if (l->knows_sender && !has_field(message, SPAN("return-path")))
		buf_addf(&b, "Return-Path: <%.*s>\r\n", SPAN_ARG(l->sender));
	if (l->recipient.n > 0 && !has_field(message, SPAN("delivered-to")))
		buf_addf(&b, "Delivered-To: %.*s\r\n", SPAN_ARG(l->recipient));
	buf_add(&b, buf_span(&l->scan.fields));
	out = b.failed ? SPAN_NONE : arena_dup(l->arena, buf_span(&b));
	buf_clear(&b);
	return out;
}

/* -f; or the "From " line; or the field that the MTA has put there. */
static void
find_sender(struct lda *l, struct span from, struct span message)
{
	struct span value = SPAN_NONE, sender = SPAN_NONE;
	const char *why;

	if (l->args.sender != NULL)
		value = span_str(l->args.sender);
	else if (from.p != NULL)
		value = from;
	else if (header_get(message, SPAN("return-path"), &value))
		value = span_trim(value);
	l->knows_sender = value.p != NULL && lda_sender(value, l->arena, &sender, &why) && sender.p != NULL;
	l->sender = l->knows_sender ? sender : SPAN("");
}

/* -r; or -a; or the field of lda_original_recipient_header; or -d, or who runs it, where that is an address. */
static void
find_recipient(struct lda *l, struct span message)
{
	struct span name = set_str(l->view, SET_lda_original_recipient_header), value = SPAN_NONE;
	const char *why;

	l->recipient = SPAN("");
	if (l->args.recipient != NULL)
		value = span_str(l->args.recipient);
	else if (l->args.original != NULL)
		value = span_str(l->args.original);
	else if (name.n > 0 && header_get(message, name, &value))
		value = span_trim(value);
	if (value.p != NULL && lda_address(value, l->arena, &l->recipient, &why))
		return;
	if (l->args.user != NULL)
		lda_address(span_str(l->args.user), l->arena, &l->recipient, &why);
}

static int
check_address(struct lda *l, char option, const char *text)
{
	struct span ignored;
	const char *why;
	char line[200];

	if (text == NULL || (option == 'f' ? lda_sender : lda_address)(span_str(text), l->arena, &ignored, &why))
		return EX_OK;
	snprintf(line, sizeof(line), "-%c is no address: %s", option, why);
	return leave(EX_USAGE, line);
}

static int
check_addresses(struct lda *l)
{
	int rc;

	if ((rc = check_address(l, 'f', l->args.sender)) != EX_OK || (rc = check_address(l, 'a', l->args.original)) != EX_OK)
		return rc;
	return check_address(l, 'r', l->args.recipient);
}

static int
deliver(struct lda *l)
{
	struct storage_params sp = { .view = l->view, .user = l->id.user, .home = l->id.home, .protocol = SPAN("lda"),
				     .notify_fd = -1 };
	struct deliver_request r = { .view = l->view, .user = l->id.user, .home = l->id.home, .session = SPAN("lda"),
				     .message = buf_span(&l->message), .max_hops = set_num(l->view, SET_lmtp_max_hops), .began_ms = clock_ms() };
	struct deliver_means means = { .ctx = l->view, .submit = queue_submit };
	struct deliver_result result;
	uint64_t gone;
	struct err e = ERR_INIT;
	struct span from = lda_from_line(&r.message);
	const char *why;

	find_sender(l, from, r.message);
	find_recipient(l, r.message);
	r.sender = l->sender;
	r.recipient = l->recipient.n > 0 ? l->recipient : l->id.user;
	r.orig_recipient = SPAN("");
	if (l->args.original != NULL)
		lda_address(span_str(l->args.original), l->arena, &r.orig_recipient, &why);
	r.mailbox = span_str(l->args.mailbox);
	r.means = &means;
	r.says_why = l->args.tells_rejection;
	/* A program that the file itself runs ends in the mailbox. */
	l->forwarding = getenv(DELIVER_FORWARD_ENV) == NULL;
	if (become_user(l, &sp, r.message, &e) == -1)
		return leave(EX_TEMPFAIL, e.log);
	deliver_log_prefix(l->view, "lda", l->id.user, SPAN(""));
	if (l->scan.fate == SPAM_FATE_REJECT)
		return leave(EX_NOPERM, "5.7.1 Refused as spam");
	if (l->scan.fate == SPAM_FATE_DEFER)
		return leave(EX_TEMPFAIL, "4.7.1 the spam scanner can not be asked");
	r.header = make_header(l, r.message);
	if (l->scan.stripped.n > 0)
		r.message = buf_span(&l->scan.stripped);
	if (storage_open(&sp, &r.storage, &e) == -1)
		return leave(EX_TEMPFAIL, e.log);
	if (l->scan.fate == SPAM_FATE_JUNK)
		r.junk = deliver_junk_place(r.storage, l->view, l->arena);
	means.programs = l->programs.sock != -1 ? &l->programs : NULL;
	/* Mail of a user whose filter can not be had goes to INBOX. */
	r.filter = deliver_filter_new(l->view, l->id.user, l->id.home, &e);
	if (e.code != ERR_NONE)
		log_error("filter: %s", e.log);
	e = (struct err)ERR_INIT;
	if (l->forwarding)
		r.forward = deliver_forward_new(l->view, l->id.user, l->id.home, &l->forwards, &e);
	if (e.code != ERR_NONE)
		log_error("forward: %s", e.log);
	e = (struct err)ERR_INIT;
	r.recipes = deliver_recipes_new(l->view, l->id.user, l->id.home, &l->helper, &e);
	if (e.code != ERR_NONE)
		log_error("recipes: %s", e.log);
	deliver_message(&r, &result);
	deliver_forward_free(r.forward);
	deliver_recipes_free(r.recipes);
	deliver_filter_free(r.filter);
	program_helper_stop(&l->programs);
	program_helper_stop(&l->forwards);
	if (storage_autoexpunge(r.storage, &gone, &e) == -1)
		log_error("%s", e.log);
	storage_close(r.storage);
	if (result.code == ERR_NONE)
		return EX_OK;
	if (result.exit_code != 0)
		return leave(result.exit_code, result.text);
	return leave(result.permanent ? EX_NOPERM : EX_TEMPFAIL, result.text);
}

static int
run(struct lda *l)
{
	struct err e = ERR_INIT;
	int rc;

	if ((rc = check_addresses(l)) != EX_OK || (rc = read_settings(l)) != EX_OK)
		return rc;
	init_log(l->view);
	if ((rc = read_message(l)) != EX_OK || (rc = identify(l)) != EX_OK)
		return rc;
	delivering = 1;
	if (identity_check(&l->id, l->view, &e) == -1)
		return leave(EX_NOPERM, e.log);
	if (identity_apply(&l->id, l->view, &e) == -1)
		return leave(EX_TEMPFAIL, e.log);
	return deliver(l);
}

/*
 * Who ends the mail system means to have the mail again: an end by a signal is a failure for good to some MTAs.  What has begun is
 * done, only waits for locks are cut short.
 */
static void
on_signal(int sig)
{
	(void)sig;
	if (!delivering)
		_exit(EX_TEMPFAIL);
	end_wanted();
}

static void
handle_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct sigaction end = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction before;

		/* nohup(1), and shells for what runs in the background, have some ignored. */
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &end, NULL);
	}
	/* Nobody may be there any more to read why it failed. */
	signal(SIGPIPE, SIG_IGN);
}

/* Whoever starts it without standard descriptors must not find words about a failure in a mailbox.  Nothing can be read from them. */
static void
hold_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_WRONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

/*
 * Postfix limits the size of files that its commands write to that of a mailbox, 50 MB, which an index of some 40,000 messages
 * has: the limit is lifted as far as it may be, and what it still refuses is an error like a full disk.
 */
static void
lift_file_limit(void)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &limit) == -1 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

int
main(int argc, char **argv)
{
	static struct lda l = { .helper = { .sock = -1, .pid = -1 }, .programs = { .sock = -1, .pid = -1 },
		.forwards = { .sock = -1, .pid = -1 } };
	char why[200];
	int rc;

	hold_descriptors();
	if (lda_args_parse(argc, argv, &l.args, why, sizeof(why)) == -1) {
		leave(EX_USAGE, why);
		return usage(stderr);
	}
	if (l.args.help) {
		usage(stdout);
		return EX_OK;
	}
	handle_signals();
	tzset();
	lift_file_limit();
	l.arena = arena_new(ARENA_MAX);
	rc = l.arena == NULL ? leave(EX_TEMPFAIL, "out of memory") : run(&l);
	lda_scan_clear(&l.scan);
	buf_clear(&l.message);
	set_view_free(l.view);
	settings_close(l.settings);
	arena_free(l.arena);
	return rc;
}
