/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_ADM_H
#define CULVER_ADM_ADM_H
/*
 * What the commands of culveradm share: the settings, the running server (asked over its administration socket), and
 * the way to a user's mail: a process of its own that has become that user before it opens anything.
 */
#include <stdio.h>
#include "adm/format.h"
#include "lib/arena.h"
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib-config/settings.h"
#include "lib-protocol/identity.h"
#include "lib-storage/storage.h"

/* Exit statuses as in <sysexits.h>, and what administrators' scripts know from doveadm. */
enum adm_exit {
	ADM_OK = 0,
	ADM_FAILED = 1,
	ADM_USAGE = 64,
	ADM_DATA = 65,
	ADM_NO_USER = 67,
	ADM_NOT_FOUND = 68,
	ADM_TEMP = 75,
	ADM_NO_PERM = 77,
	ADM_CONFIG = 78,
};

struct adm {
	const char *config_path;
	const char *const *overrides;	/* -o name=value */
	size_t override_count;
	struct settings *settings;	/* NULL until adm_settings() */
	struct set_view *view;		/* with protocol doveadm */
	struct arena *arena;		/* of the whole run */
	enum format_kind format;
	bool format_given, verbose, debug;
	int argc;			/* the command's own arguments: argv[0] is its first word's last */
	char **argv;
	/* -u, -A, -F of mail commands */
	const char *user_mask, *user_file;
	bool all_users;
	bool released_too;		/* the command is about mail that another server has */
	struct span user;		/* in a user's process: its name */
	const struct identity *identity;	/* the same: all that is known of the user */
};

struct adm_command {
	const char *name;	/* "mailbox list" */
	const char *usage;	/* its arguments */
	const char *help;	/* a line */
	int (*run)(struct adm *a);
};

extern const struct adm_command adm_commands[];		/* ends with a NULL name */

int adm_settings(struct adm *a);	/* reads the configuration; says what is wrong, exit status */
int adm_usage(const struct adm *a);	/* the current command's usage on stderr; ADM_USAGE */
/*
 * What quotes names of files, or texts of others: on a terminal control characters are shown (^[), not obeyed.  Cut where a line
 * would be larger than 64 kB.
 */
void adm_say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int adm_fail(enum adm_exit status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* returns status */
int adm_fail_err(const struct err *e, const char *what);	/* with the status that fits e's code */

#define ADM_PASSWORD_MAX 1024
/* A password: asked for on the terminal without echo, or a line of standard input.  0, or an exit status. */
int adm_ask_password(const char *prompt, char out[ADM_PASSWORD_MAX]);

/* The running server (server.c).  All exit statuses; messages are on stderr already. */
int adm_connect(struct adm *a, int *sock_out);			/* the master */
int adm_channel(struct adm *a, const char *service, int *sock_out);	/* through it to "auth" or "hub" */
/* The next answer; checks the wait and the end.  0, or an exit status. */
int adm_receive(int sock, struct ipc_msg *m);
int adm_send(int sock, struct ipc_out *o);
/* Waits for MSG_DONE: 0 and its F_COUNT, or an exit status and its text on stderr. */
int adm_done(int sock, uint32_t *count_out);

/* Users (user.c). */
typedef int adm_user_work(struct adm *a, struct storage *st, struct format *f, void *data);
/*
 * Runs work for each user that -u, -A or -F names (the user who runs the program when none), each in a forked process
 * that has become that user.  The worst exit status.
 */
int adm_for_users(struct adm *a, struct format *f, adm_user_work *work, void *data);
/* One user's identity from auth (or the own one, when name is that of who runs the program and the server is down). */
int adm_identity(struct adm *a, struct span name, struct identity *out);

int cmd_reload(struct adm *a);
int cmd_stop(struct adm *a);
int cmd_log_errors(struct adm *a);
int cmd_service_status(struct adm *a);
int cmd_who(struct adm *a);
int cmd_kick(struct adm *a);
int cmd_user(struct adm *a);
int cmd_auth_test(struct adm *a);
int cmd_auth_cache_flush(struct adm *a);
int cmd_pw(struct adm *a);
int cmd_config(struct adm *a);
int cmd_acl_get(struct adm *a);
int cmd_acl_set(struct adm *a);
int cmd_acl_add(struct adm *a);
int cmd_acl_remove(struct adm *a);
int cmd_acl_delete(struct adm *a);
int cmd_acl_rights(struct adm *a);
int cmd_acl_debug(struct adm *a);
int cmd_acl_recalc(struct adm *a);
int cmd_mailbox_list(struct adm *a);
int cmd_mailbox_status(struct adm *a);
int cmd_metadata_get(struct adm *a);
int cmd_metadata_set(struct adm *a);
int cmd_metadata_unset(struct adm *a);
int cmd_metadata_list(struct adm *a);
int cmd_mailbox_create(struct adm *a);
int cmd_mailbox_delete(struct adm *a);
int cmd_mailbox_rename(struct adm *a);
int cmd_mailbox_subscribe(struct adm *a);
int cmd_mailbox_unsubscribe(struct adm *a);
int cmd_fetch(struct adm *a);
int cmd_sieve_test(struct adm *a);
int cmd_sieve_compile(struct adm *a);
int cmd_filter_why(struct adm *a);
int cmd_filter_replay(struct adm *a);
int cmd_filter_check(struct adm *a);
int cmd_recipient(struct adm *a);
int cmd_queue_list(struct adm *a);
int cmd_queue_flush(struct adm *a);
int cmd_queue_delete(struct adm *a);
int cmd_quota_get(struct adm *a);
int cmd_quota_recalc(struct adm *a);
int cmd_search(struct adm *a);
int cmd_expunge(struct adm *a);
int cmd_flags_add(struct adm *a);
int cmd_flags_remove(struct adm *a);
int cmd_flags_replace(struct adm *a);
int cmd_save(struct adm *a);
int cmd_index(struct adm *a);
int cmd_release(struct adm *a);
int cmd_adopt(struct adm *a);
int cmd_force_resync(struct adm *a);
int cmd_index_verify(struct adm *a);
int cmd_index_rebuild(struct adm *a);
int cmd_index_compact(struct adm *a);
int cmd_index_stats(struct adm *a);
int cmd_scrub(struct adm *a);
#endif
