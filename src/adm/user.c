/* SPDX-License-Identifier: MIT */
/*
 * Work on users' mail.  Root never maps a file that a user can write: each user's work is done by a forked process that
 * has become that user first.
 */
#include "adm/adm.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"

#define USERS_FILE_MAX (64u << 20)

static int
identity_own(struct adm *a, struct span name, struct identity *out)
{
	struct passwd *pw = getpwuid(geteuid());

	if (pw == NULL)
		return adm_fail(ADM_NO_USER, "uid %lu has no name", (unsigned long)geteuid());
	memset(out, 0, sizeof(*out));
	out->user = arena_dup(a->arena, name.n == 0 ? span_str(pw->pw_name) : name);
	out->home = arena_dup(a->arena, span_str(getenv("HOME") != NULL ? getenv("HOME") : pw->pw_dir));
	out->uid = geteuid();
	out->gid = getegid();
	return ADM_OK;
}

int
adm_identity(struct adm *a, struct span name, struct identity *out)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	struct ipc_msg m;
	int sock = -1, rc = adm_channel(a, "auth", &sock);

	if (rc != ADM_OK)
		return rc;
	if (ipc_msg_init(&m, &e) == -1) {
		close(sock);
		return adm_fail(ADM_TEMP, "%s", e.log);
	}
	ipc_begin(&o, MSG_LOOKUP);
	ipc_put_u32(&o, F_ID, 1);
	ipc_put_str(&o, F_SERVICE, "doveadm");
	ipc_put_bytes(&o, F_USER, name);
	rc = adm_send(sock, &o);
	do	/* the channel begins with the list of mechanisms, which is for others */
		rc = rc == ADM_OK ? adm_receive(sock, &m) : rc;
	while (rc == ADM_OK && m.type == MSG_AUTH_MECHS);
	if (rc == ADM_OK && m.type == MSG_IDENTITY) {
		ipc_u32(&m, F_ID);
		if (identity_get(&m, a->arena, out, &e) == -1)
			rc = adm_fail(ADM_TEMP, "%s", e.log);
	} else if (rc == ADM_OK) {
		uint32_t code = ipc_opt_u32(&m, F_CODE, AUTH_FAIL_TEMP);

		if (code == AUTH_FAIL_NO_USER || code == AUTH_FAIL_CREDENTIALS)
			rc = adm_fail(ADM_NO_USER, "there is no user \"%.*s\"", SPAN_ARG(name));
		else
			rc = adm_fail(ADM_TEMP, "looking up \"%.*s\" failed; the log has the details", SPAN_ARG(name));
	}
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

/* In the child: become the user, open the mail, work.  The exit status. */
static int
work_as(struct adm *a, const struct identity *id, struct format *f, adm_user_work *work, void *data)
{
	struct storage_params p = { .view = a->view, .user = id->user, .home = id->home, .protocol = SPAN("doveadm"),
		.session = SPAN(""), .notify_fd = -1, .released_too = a->released_too };
	struct storage *st = NULL;
	struct err e = ERR_INIT;
	int rc;

	log_prefix("culveradm(%.*s)", SPAN_ARG(id->user));
	a->user = id->user;
	a->identity = id;
	if (identity_apply(id, a->view, &e) == -1 || identity_check(id, a->view, &e) == -1)
		return adm_fail(ADM_CONFIG, "user %.*s: %s", SPAN_ARG(id->user), e.log);
	if (identity_become(id, a->view, &e) == -1)
		return adm_fail(ADM_NO_PERM, "becoming user %.*s: %s", SPAN_ARG(id->user), e.log);
	if (storage_open(&p, &st, &e) == -1)
		return adm_fail_err(&e, "opening the mail");
	rc = work(a, st, f, data);
	format_flush(f);
	storage_close(st);
	return rc;
}

static int
work_forked(struct adm *a, const struct identity *id, struct format *f, adm_user_work *work, void *data)
{
	pid_t pid;
	int status;

	fflush(stdout);
	format_flush(f);
	pid = fork();
	if (pid == -1)
		return adm_fail(ADM_TEMP, "fork: %s", strerror(errno));
	if (pid == 0) {
		int rc = work_as(a, id, f, work, data);

		fflush(stdout);
		_exit(rc);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return adm_fail(ADM_TEMP, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return adm_fail(ADM_TEMP, "the work for user %.*s ended by signal %d", SPAN_ARG(id->user), WTERMSIG(status));
}

static int
one_user(struct adm *a, struct span name, struct format *f, adm_user_work *work, void *data)
{
	struct identity id;
	int rc = adm_identity(a, name, &id);

	return rc == ADM_OK ? work_forked(a, &id, f, work, data) : rc;
}

/* All names that auth lists for the mask, gathered before the work begins: auth's list must not wait for it. */
static int
names_from_auth(struct adm *a, const char *mask, struct buf *names)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	struct ipc_msg m;
	int sock = -1, rc = adm_channel(a, "auth", &sock);

	if (rc != ADM_OK)
		return rc;
	if (ipc_msg_init(&m, &e) == -1) {
		close(sock);
		return adm_fail(ADM_TEMP, "%s", e.log);
	}
	ipc_begin(&o, MSG_AUTH_USERS);
	ipc_put_u32(&o, F_ID, 1);
	ipc_put_str(&o, F_TEXT, mask);
	rc = adm_send(sock, &o);
	while (rc == ADM_OK && (rc = adm_receive(sock, &m)) == ADM_OK && m.type != MSG_DONE) {
		if (m.type != MSG_AUTH_USER)
			continue;
		buf_add(names, ipc_bytes(&m, F_USER, USER_NAME_MAX));
		buf_addc(names, '\n');
	}
	if (rc == ADM_OK && ipc_opt_u32(&m, F_CODE, 0) != 0)
		rc = adm_fail(ADM_TEMP, "listing the users failed; the log has the details");
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

int
adm_for_users(struct adm *a, struct format *f, adm_user_work *work, void *data)
{
	struct buf names = BUF_INIT(USERS_FILE_MAX);
	struct err e = ERR_INIT;
	struct span name;
	size_t used = 0;
	int rc = adm_settings(a), worst;

	if (rc != ADM_OK)
		return rc;
	if (!a->all_users && a->user_file == NULL && (a->user_mask == NULL || strpbrk(a->user_mask, "*?") == NULL)) {
		struct identity id;

		if (a->user_mask != NULL)
			return one_user(a, span_str(a->user_mask), f, work, data);
		if (getenv("USER") != NULL && geteuid() == 0)
			return adm_fail(ADM_USAGE, "whose mail? Say -u USER, -A or -F FILE");
		rc = identity_own(a, span_str(getenv("USER")), &id);
		return rc == ADM_OK ? work_forked(a, &id, f, work, data) : rc;
	}
	if (a->user_file != NULL) {
		if (file_read(a->user_file, USERS_FILE_MAX, &names, &e) == -1)
			worst = adm_fail_err(&e, a->user_file);
		else
			worst = ADM_OK;
		buf_addc(&names, '\n');
	} else {
		worst = names_from_auth(a, a->user_mask, &names);
	}
	while (worst == ADM_OK && span_line(buf_span(&names), &used, &name)) {
		if (name.n == 0)
			continue;
		rc = one_user(a, name, f, work, data);
		if (rc != ADM_OK && rc != ADM_NOT_FOUND)
			worst = rc;
	}
	buf_clear(&names);
	return worst;
}
