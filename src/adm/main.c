/* SPDX-License-Identifier: MIT */
/* culveradm: administration of a Culver server.  Finds the command, gives it its arguments. */
#include "adm/adm.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib-config/config.h"

#define WORDS_MAX 3
#define OVERRIDES_MAX 64
#define SAID_MAX 65536

const struct adm_command adm_commands[] = {
	{ "reload", "", "read the configuration again; sessions go on", cmd_reload },
	{ "stop", "", "stop the server", cmd_stop },
	{ "log errors", "", "the last warnings and errors", cmd_log_errors },
	{ "service status", "", "the processes that run, and how many clients each has", cmd_service_status },
	{ "who", "[-1] [USER MASK] [IP[/BITS]]", "who is connected", cmd_who },
	{ "kick", "USER MASK | IP[/BITS] [...]", "end the sessions of users or addresses", cmd_kick },
	{ "config", "[ARGUMENTS OF culverconf]", "show the configuration in effect", cmd_config },
	{ "user", "[-f FIELD] USER [...] | MASK", "look users up, or list them", cmd_user },
	{ "auth test", "[-x rip=IP] [-x service=NAME] USER [PASSWORD]", "check a password", cmd_auth_test },
	{ "auth cache flush", "[USER]", "forget cached results", cmd_auth_cache_flush },
	{ "pw", "[-s SCHEME] [-p PASSWORD] [-t HASH] [-r ROUNDS] [-l]", "make or check a password hash", cmd_pw },
	{ "sieve test", "[-vx] FILE [...]", "run scripts that test Sieve scripts", cmd_sieve_test },
	{ "sieve compile", "FILE | DIRECTORY [...]", "make the binaries of the server's Sieve scripts", cmd_sieve_compile },
	{ "mailbox list", "[-s] [-8|-7] [PATTERN ...]", "list mailboxes", cmd_mailbox_list },
	{ "mailbox status", "[-t] FIELDS MAILBOX [...]", "counts and numbers of mailboxes", cmd_mailbox_status },
	{ "mailbox create", "[-s] MAILBOX [...]", "create mailboxes", cmd_mailbox_create },
	{ "mailbox delete", "[-r] [-s] MAILBOX [...]", "delete mailboxes", cmd_mailbox_delete },
	{ "mailbox rename", "[-s] OLD NEW", "rename a mailbox and its children", cmd_mailbox_rename },
	{ "mailbox subscribe", "MAILBOX [...]", "subscribe to mailboxes", cmd_mailbox_subscribe },
	{ "mailbox unsubscribe", "MAILBOX [...]", "undo a subscription", cmd_mailbox_unsubscribe },
	{ "mailbox metadata get", "[-s] MAILBOX NAME", "an annotation; with -s and \"\" of the server", cmd_metadata_get },
	{ "mailbox metadata set", "[-s] MAILBOX NAME VALUE", "set an annotation", cmd_metadata_set },
	{ "mailbox metadata unset", "[-s] MAILBOX NAME", "remove an annotation", cmd_metadata_unset },
	{ "mailbox metadata list", "[-s] MAILBOX [NAME]", "the names of annotations", cmd_metadata_list },
	{ "acl get", "[-m] MAILBOX", "who may do what with a mailbox", cmd_acl_get },
	{ "acl set", "MAILBOX ID RIGHT [...]", "give somebody these rights, and no others", cmd_acl_set },
	{ "acl add", "MAILBOX ID RIGHT [...]", "give somebody more rights", cmd_acl_add },
	{ "acl remove", "MAILBOX ID RIGHT [...]", "take rights from somebody", cmd_acl_remove },
	{ "acl delete", "MAILBOX ID", "remove somebody's line", cmd_acl_delete },
	{ "acl rights", "MAILBOX", "the rights of the user given with -u", cmd_acl_rights },
	{ "acl debug", "MAILBOX", "why a user sees a mailbox, or not", cmd_acl_debug },
	{ "acl recalc", "", "tell the shared dictionary anew what a user gives to others", cmd_acl_recalc },
	{ "fetch", "FIELDS SEARCH QUERY", "show messages, or parts of them", cmd_fetch },
	{ "search", "SEARCH QUERY", "the messages that match", cmd_search },
	{ "expunge", "SEARCH QUERY", "remove the messages that match", cmd_expunge },
	{ "flags add", "FLAGS SEARCH QUERY", "add flags to messages", cmd_flags_add },
	{ "flags remove", "FLAGS SEARCH QUERY", "remove flags from messages", cmd_flags_remove },
	{ "flags replace", "FLAGS SEARCH QUERY", "set the flags of messages", cmd_flags_replace },
	{ "save", "[-m MAILBOX] [FILE]", "put a message into a mailbox", cmd_save },
	{ "index", "MAILBOX MASK", "bring the index up to date, with all summaries", cmd_index },
	{ "index verify", "[MAILBOX MASK ...]", "look whether the index agrees with itself", cmd_index_verify },
	{ "index rebuild", "MAILBOX MASK ...", "forget the index of mailboxes, and make it anew from the mail", cmd_index_rebuild },
	{ "index compact", "", "give unused room of the index back", cmd_index_compact },
	{ "index stats", "", "sizes and counts of the index", cmd_index_stats },
	{ "scrub", "[--repair] [MAILBOX MASK ...]", "compare all that is stored: mail, index, digests, summaries", cmd_scrub },
	{ "quota get", "", "what a user has, and may have", cmd_quota_get },
	{ "filter why", "[[USER] MESSAGE-ID]", "what the filter decided about a message, and which rule it was", cmd_filter_why },
	{ "filter check", "[--strict] [-t sieve|procmail] USER | FILE [...]",
	    "what is wrong with Sieve scripts and procmail's rcfiles, or done otherwise", cmd_filter_check },
	{ "filter replay", "[--apply] [--changed] [-m MAILBOX] [-s SCRIPT] USER [SCRIPT] SEARCH QUERY",
	    "what the filter would make of mail that is there, as a difference", cmd_filter_replay },
	{ "recipient", "ADDRESS [-c CLIENT] [-f SENDER]", "what the tables of recipients make of an address, step by step", cmd_recipient },
	{ "queue list", "", "mail that waits to be sent", cmd_queue_list },
	{ "queue flush", "[ID ...]", "try to send it now", cmd_queue_flush },
	{ "queue delete", "ID ...", "throw messages away that wait to be sent", cmd_queue_delete },
	{ "quota recalc", "", "look at all mail, and count it anew", cmd_quota_recalc },
	{ "force-resync", "MAILBOX MASK", "compare the index of mailboxes with the mail, and mend it", cmd_force_resync },
	{ "adopt", "[-n]", "take mail over from another server, or back from Dovecot", cmd_adopt },
	{ "release", "[-n] [MAILBOX MASK ...]", "give mail to Dovecot, with its UIDs", cmd_release },
	{ NULL, NULL, NULL, NULL },
};

static const struct adm_command *current;

void
adm_say(FILE *out, const char *fmt, ...)
{
	bool is_terminal = isatty(fileno(out)) == 1;
	struct buf text = BUF_INIT(SAID_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_terminal && (c < ' ' || c == 0x7f) && c != '\t' && c != '\n')
			fprintf(out, "^%c", c ^ 0x40);
		else
			fputc(c, out);
	}
	buf_clear(&text);
}

int
adm_fail(enum adm_exit status, const char *fmt, ...)
{
	char text[SAID_MAX / 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	adm_say(stderr, "culveradm: %s\n", text);
	return (int)status;
}

int
adm_fail_err(const struct err *e, const char *what)
{
	static const enum adm_exit statuses[ERR_CODES] = {
		[ERR_NOTFOUND] = ADM_NOT_FOUND, [ERR_DENIED] = ADM_NO_PERM, [ERR_SYNTAX] = ADM_DATA,
		[ERR_EXISTS] = ADM_DATA, [ERR_LIMIT] = ADM_DATA, [ERR_GONE] = ADM_NOT_FOUND, [ERR_OVERQUOTA] = ADM_NO_PERM, [ERR_TOOBIG] = ADM_NO_PERM,
	};
	enum adm_exit status = statuses[e->code];

	return adm_fail(status == ADM_OK ? ADM_TEMP : status, "%s: %s", what, e->log);
}

int
adm_usage(const struct adm *a)
{
	(void)a;
	fprintf(stderr, "usage: culveradm [GLOBAL OPTIONS] %s %s\n", current->name, current->usage);
	return ADM_USAGE;
}

int
adm_settings(struct adm *a)
{
	const struct set_filter filter = { .protocol = "doveadm" };
	const struct config_note *notes;
	struct err e = ERR_INIT;
	struct config *c;
	size_t n;
	int fd, rc = ADM_OK;

	if (a->view != NULL)
		return ADM_OK;
	c = config_read(a->config_path, &e);
	if (c == NULL)
		return adm_fail(ADM_CONFIG, "%s", e.log);
	for (size_t i = 0; i < a->override_count; i++)
		if (config_override(c, span_str(a->overrides[i]), &e) == -1)
			rc = adm_fail(ADM_USAGE, "-o %s: %s", a->overrides[i], e.log);
	n = config_notes(c, &notes);
	for (size_t i = 0; i < n; i++)
		if (notes[i].is_error || a->verbose)
			fprintf(stderr, "culveradm: %s%s\n", notes[i].is_error ? "" : "Warning: ", notes[i].text);
	if (config_has_errors(c))
		rc = ADM_CONFIG;
	if (rc == ADM_OK && (fd = config_image(c, &e)) != -1) {
		if (settings_open(fd, &a->settings, &e) == -1)
			rc = adm_fail(ADM_CONFIG, "%s", e.log);
		else if ((a->view = set_view_new(a->settings, &filter)) == NULL)
			rc = adm_fail(ADM_TEMP, "out of memory");
		close(fd);
	} else if (rc == ADM_OK) {
		rc = adm_fail(ADM_CONFIG, "%s", e.log);
	}
	config_free(c);
	return rc;
}

static void
help(FILE *out)
{
	fputs("usage: culveradm [-c FILE] [-o NAME=VALUE] [-f FORMAT] [-v] [-D] COMMAND [ARGUMENTS]\n"
	      "FORMAT: flow tab table pager json\n"
	      "Commands about mail take -u USER (or a mask), -A (all users), -F FILE (of user names)\n\n", out);
	for (const struct adm_command *c = adm_commands; c->name != NULL; c++)
		fprintf(out, "  %-22s %s\n", c->name, c->help);
	fputs("\n\"culveradm help COMMAND\" tells a command's arguments; culveradm(1) tells all.\n", out);
}

/* How many of argv's words are the command's name; 0: they are not. */
static int
name_words(const struct adm_command *c, int argc, char **argv)
{
	struct span rest = span_str(c->name), word;
	int n = 0;

	while (span_next(&rest, ' ', &word)) {
		if (n == argc || !span_eq(word, span_str(argv[n])))
			return 0;
		n++;
	}
	return n;
}

static const struct adm_command *
find_command(int argc, char **argv, int *words_out)
{
	const struct adm_command *best = NULL;

	*words_out = 0;
	for (const struct adm_command *c = adm_commands; c->name != NULL; c++) {
		int n = name_words(c, argc, argv);

		if (n > *words_out) {
			best = c;
			*words_out = n;
		}
	}
	return best;
}

static int
cannot_find(int argc, char **argv)
{
	bool shown = false;

	/* "culveradm mailbox": a word that begins commands shows those. */
	for (const struct adm_command *c = adm_commands; argc > 0 && c->name != NULL; c++) {
		struct span first = span_of(c->name, span_chr(span_str(c->name), ' '));

		if (span_eq(first, span_str(argv[0]))) {
			fprintf(stderr, "usage: culveradm %s %s\n", c->name, c->usage);
			shown = true;
		}
	}
	if (!shown) {
		if (argc > 0)
			adm_fail(ADM_USAGE, "there is no command \"%s\"", argv[0]);
		help(stderr);
	}
	return ADM_USAGE;
}

/* -u USER, -A, -F FILE, -S (accepted: there is one socket) may stand behind the command, before its own arguments. */
static void
take_user_options(struct adm *a)
{
	int from = 1;

	while (from < a->argc) {
		const char *arg = a->argv[from];

		if (strcmp(arg, "-u") == 0 && from + 1 < a->argc) {
			a->user_mask = a->argv[from + 1];
			from += 2;
		} else if (strcmp(arg, "-F") == 0 && from + 1 < a->argc) {
			a->user_file = a->argv[from + 1];
			from += 2;
		} else if (strcmp(arg, "-A") == 0) {
			a->all_users = true;
			from++;
		} else {
			break;
		}
	}
	a->argv[from - 1] = a->argv[0];
	a->argc -= from - 1;
	a->argv += from - 1;
}

static int
run(struct adm *a, int argc, char **argv)
{
	int words;

	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		current = find_command(argc - 1, argv + 1, &words);
		if (current == NULL) {
			help(stdout);
			return argc > 1 ? ADM_USAGE : ADM_OK;
		}
		printf("usage: culveradm [GLOBAL OPTIONS] %s %s\n%s\n", current->name, current->usage, current->help);
		return ADM_OK;
	}
	current = find_command(argc, argv, &words);
	if (current == NULL)
		return cannot_find(argc, argv);
	a->argc = argc - words + 1;
	a->argv = argv + words - 1;
	/* pw -u, and commands that do not touch mail, read their own options. */
	if (current->run != cmd_config && current->run != cmd_pw && current->run != cmd_user)
		take_user_options(a);
	optind = 0;	/* glibc: begin anew, for the command's own options */
	return current->run(a);
}

int
main(int argc, char **argv)
{
	static const char *overrides[OVERRIDES_MAX];
	struct adm a = { .config_path = CULVER_SYSCONFDIR "/dovecot.conf", .overrides = overrides };
	int opt, rc;

	log_prefix("culveradm");
	signal(SIGXFSZ, SIG_IGN);	/* a limit on the size of files is an error like a full disk */
	while ((opt = getopt(argc, argv, "+c:o:f:vDh")) != -1) {
		switch (opt) {
		case 'c':
			a.config_path = optarg;
			break;
		case 'o':
			if (a.override_count == OVERRIDES_MAX)
				return adm_fail(ADM_USAGE, "too many -o");
			overrides[a.override_count++] = optarg;
			break;
		case 'f':
			if (!format_kind_parse(span_str(optarg), &a.format))
				return adm_fail(ADM_USAGE, "there is no format \"%s\"", optarg);
			a.format_given = true;
			break;
		case 'v':
			a.verbose = true;
			break;
		case 'D':
			a.verbose = a.debug = true;
			break;
		case 'h':
			help(stdout);
			return ADM_OK;
		default:
			help(stderr);
			return ADM_USAGE;
		}
	}
	a.arena = arena_new(256u << 20);
	if (a.arena == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	rc = run(&a, argc - optind, argv + optind);
	set_view_free(a.view);
	settings_close(a.settings);
	arena_free(a.arena);
	return rc;
}
