/* SPDX-License-Identifier: MIT */
/*
 * The process that stays root.  For each frame a child is forked, which asks PAM or the shadow file, sends the answer and
 * ends.  A child that crashes, or that is killed because it took too long, is answered for.
 */
#include "auth/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <shadow.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/sys.h"

#define CHILDREN_MAX 256
#define PASSWORD_LEN_MAX 4096
#define SERVICE_LEN_MAX 255

struct child {
	pid_t pid;
	int alive;		/* the read end of a pipe that it holds the other end of */
	uint32_t id;
	int64_t deadline_ms;
};

struct process {
	int fd;
	unsigned max, timeout_s;
	const char *confdir;
	struct child children[CHILDREN_MAX];
	unsigned count;
};

struct question {
	uint32_t id, flags;
	char service[SERVICE_LEN_MAX + 1], user[USER_NAME_MAX + 1], password[PASSWORD_LEN_MAX + 1], rip[64];
	char message[512];	/* the last one of the modules */
};

static void
send_full(int fd, uint32_t id, enum auth_fail code, const char *user, const char *text, const char *password,
    const char *message)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_CODE, code);
	ipc_put_str(&o, F_USER, user);
	ipc_put_str(&o, F_TEXT, text);
	ipc_put_str(&o, F_DETAIL, message);
	ipc_put_str(&o, F_PASSWORD, password);
	if (ipc_send(fd, &o, &e) == -1)
		log_error("auth helper: %s", e.log);
}

static void
send_answer(int fd, uint32_t id, enum auth_fail code, const char *user, const char *text, const char *password)
{
	send_full(fd, id, code, user, text, password, NULL);
}

/* Answers each hidden prompt with the password, each open one with the user's name. */
static int
converse(int count, const struct pam_message **msgs, struct pam_response **out, void *data)
{
	struct question *q = data;
	struct pam_response *r;

	if (count <= 0 || count > PAM_MAX_NUM_MSG || (r = calloc((size_t)count, sizeof(*r))) == NULL)
		return PAM_CONV_ERR;
	for (int i = 0; i < count; i++) {
		const char *text = msgs[i]->msg_style == PAM_PROMPT_ECHO_OFF ? q->password :
			msgs[i]->msg_style == PAM_PROMPT_ECHO_ON ? q->user : NULL;

		if (msgs[i]->msg_style == PAM_ERROR_MSG || msgs[i]->msg_style == PAM_TEXT_INFO)
			snprintf(q->message, sizeof(q->message), "%s", msgs[i]->msg);
		if (text != NULL && (r[i].resp = strdup(text)) == NULL) {
			while (i > 0)
				free(r[--i].resp);
			free(r);
			return PAM_CONV_ERR;
		}
	}
	*out = r;
	return PAM_SUCCESS;
}

static enum auth_fail
code_of(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return AUTH_FAIL_NONE;
	case PAM_USER_UNKNOWN:
		return AUTH_FAIL_NO_USER;
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_ACCT_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
		return AUTH_FAIL_EXPIRED;
	case PAM_AUTH_ERR:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
		return AUTH_FAIL_CREDENTIALS;
	default:
		return AUTH_FAIL_TEMP;
	}
}

static int
pam_steps(pam_handle_t *pam, const struct question *q, const char **where)
{
	int silent = (q->flags & PAM_FLAG_MESSAGES) != 0 ? 0 : PAM_SILENT, rc;

	*where = "pam_set_item";
	if (q->rip[0] != '\0' && (rc = pam_set_item(pam, PAM_RHOST, q->rip)) != PAM_SUCCESS)
		return rc;
	if ((rc = pam_set_item(pam, PAM_TTY, "culver")) != PAM_SUCCESS)
		return rc;
	*where = "pam_authenticate";
	if ((rc = pam_authenticate(pam, silent)) != PAM_SUCCESS)
		return rc;
	*where = "pam_acct_mgmt";
	if ((rc = pam_acct_mgmt(pam, silent)) != PAM_SUCCESS)
		return rc;
	*where = "pam_setcred";
	if ((q->flags & PAM_FLAG_SETCRED) != 0 && (rc = pam_setcred(pam, PAM_ESTABLISH_CRED | PAM_SILENT)) != PAM_SUCCESS)
		return rc;
	*where = "pam_open_session";
	if ((q->flags & PAM_FLAG_SESSION) != 0) {
		if ((rc = pam_open_session(pam, PAM_SILENT)) != PAM_SUCCESS)
			return rc;
		rc = pam_close_session(pam, PAM_SILENT);
	}
	return rc;
}

static void
ask_pam(int fd, struct question *q, const char *confdir)
{
	struct pam_conv conv = { converse, q };
	pam_handle_t *pam = NULL;
	const char *where = "pam_start", *user = NULL;
	const void *item = NULL;
	char text[256];
	int rc;

	rc = confdir == NULL ? pam_start(q->service, q->user, &conv, &pam) :
		pam_start_confdir(q->service, q->user, &conv, confdir, &pam);
	if (rc == PAM_SUCCESS)
		rc = pam_steps(pam, q, &where);
	if (rc == PAM_SUCCESS && pam_get_item(pam, PAM_USER, &item) == PAM_SUCCESS)
		user = item;
	snprintf(text, sizeof(text), "%s() failed: %s%s", where, pam_strerror(pam, rc),
		 rc == PAM_AUTH_ERR ? " (Password mismatch?)" : "");
	send_full(fd, q->id, code_of(rc), user, rc == PAM_SUCCESS ? NULL : text, NULL,
		  (q->flags & PAM_FLAG_MESSAGES) != 0 && q->message[0] != '\0' ? q->message : NULL);
	if (pam != NULL)
		pam_end(pam, rc);
}

static void
ask_shadow(int fd, const struct question *q)
{
	struct spwd *sp;
	struct passwd *pw;
	long today = (long)(time(NULL) / 86400);

	errno = 0;
	pw = getpwnam(q->user);
	if (pw == NULL) {
		bool is_unknown = errno == 0 || errno == ENOENT || errno == ESRCH;

		send_answer(fd, q->id, is_unknown ? AUTH_FAIL_NO_USER : AUTH_FAIL_TEMP, NULL,
			    is_unknown ? NULL : "the system's user database fails", NULL);
		return;
	}
	sp = getspnam(q->user);
	if (sp != NULL && sp->sp_expire > 0 && today >= sp->sp_expire)
		send_answer(fd, q->id, AUTH_FAIL_EXPIRED, pw->pw_name, "the account has expired", NULL);
	else if (sp != NULL && sp->sp_max >= 0 && sp->sp_inact >= 0 && sp->sp_lstchg > 0 &&
		 today > sp->sp_lstchg + sp->sp_max + sp->sp_inact)
		send_answer(fd, q->id, AUTH_FAIL_EXPIRED, pw->pw_name, "the password has expired", NULL);
	else
		send_answer(fd, q->id, AUTH_FAIL_NONE, pw->pw_name, NULL, sp != NULL ? sp->sp_pwdp : pw->pw_passwd);
}

static bool
copy(struct span s, char *out, size_t room)
{
	if (s.n >= room || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL))
		return false;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

static bool
read_question(struct ipc_msg *m, struct question *q)
{
	bool ok;

	memset(q, 0, sizeof(*q));
	q->id = ipc_u32(m, F_ID);
	ok = copy(ipc_bytes(m, F_USER, USER_NAME_MAX), q->user, sizeof(q->user));
	if (m->type == MSG_PAM) {
		ok = copy(ipc_bytes(m, F_SERVICE, SERVICE_LEN_MAX), q->service, sizeof(q->service)) && ok;
		ok = copy(ipc_bytes(m, F_PASSWORD, PASSWORD_LEN_MAX), q->password, sizeof(q->password)) && ok;
		ok = copy(ipc_opt_bytes(m, F_RIP, sizeof(q->rip) - 1), q->rip, sizeof(q->rip)) && ok;
		q->flags = ipc_u32(m, F_FLAGS);
	}
	/* A service is a file below /etc/pam.d: its name comes from the configuration, but may hold variables. */
	return ipc_end(m) && ok && q->user[0] != '\0' && strchr(q->service, '/') == NULL && q->service[0] != '.';
}

static void
fork_child(struct process *p, struct ipc_msg *m)
{
	static struct question q;
	struct child *c = &p->children[p->count];
	int alive[2];

	if ((m->type != MSG_PAM && m->type != MSG_SHADOW) || !read_question(m, &q)) {
		send_answer(p->fd, q.id, AUTH_FAIL_TEMP, NULL, "malformed question", NULL);
		return;
	}
	if (pipe2(alive, O_CLOEXEC) == -1) {
		send_answer(p->fd, q.id, AUTH_FAIL_TEMP, NULL, strerror(errno), NULL);
		return;
	}
	c->id = q.id;
	c->alive = alive[0];
	c->deadline_ms = clock_ms() + (int64_t)p->timeout_s * 1000;
	c->pid = fork();
	if (c->pid == 0) {
		for (unsigned i = 0; i < p->count; i++)
			close(p->children[i].alive);
		close(alive[0]);
		if (m->type == MSG_PAM)
			ask_pam(p->fd, &q, p->confdir);
		else
			ask_shadow(p->fd, &q);
		explicit_bzero(&q, sizeof(q));
		_exit(0);
	}
	explicit_bzero(q.password, sizeof(q.password));
	close(alive[1]);
	if (c->pid == -1) {
		send_answer(p->fd, q.id, AUTH_FAIL_TEMP, NULL, strerror(errno), NULL);
		close(alive[0]);
	} else {
		p->count++;
	}
}

static void
reap(struct process *p, unsigned idx)
{
	struct child c = p->children[idx];
	int status = 0;

	p->children[idx] = p->children[--p->count];
	close(c.alive);
	while (waitpid(c.pid, &status, 0) == -1 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		send_answer(p->fd, c.id, AUTH_FAIL_TEMP, NULL, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ?
			    "the module took too long, or was killed" : "the module crashed", NULL);
}

/* Kills who is too late; the milliseconds until the next one is, or -1. */
static int
check_deadlines(struct process *p)
{
	int64_t now = clock_ms(), next = INT64_MAX;

	for (unsigned i = 0; i < p->count; i++) {
		if (p->children[i].deadline_ms <= now) {
			kill(p->children[i].pid, SIGKILL);
			p->children[i].deadline_ms = now + 1000;
		}
		if (p->children[i].deadline_ms < next)
			next = p->children[i].deadline_ms;
	}
	if (next == INT64_MAX)
		return -1;
	return next - now > 60000 ? 60000 : (int)(next - now);
}

int
helper_process(int fd, unsigned max_children, unsigned timeout_s, const char *pam_confdir)
{
	static struct process p;
	struct pollfd pfd[CHILDREN_MAX + 1];
	struct ipc_msg m;
	struct err e = ERR_INIT;
	int rc = 1;

	p.fd = fd;
	p.max = max_children == 0 ? 1 : max_children < CHILDREN_MAX ? max_children : CHILDREN_MAX;
	p.timeout_s = timeout_s;
	p.confdir = pam_confdir;
	if (ipc_msg_init(&m, &e) == -1)
		return 1;
	for (;;) {
		int wait_ms = check_deadlines(&p);
		unsigned watched = p.count;

		/* With all children busy, questions wait in the socket. */
		pfd[0] = (struct pollfd){ .fd = p.count < p.max ? fd : -1, .events = POLLIN };
		for (unsigned i = 0; i < watched; i++)
			pfd[i + 1] = (struct pollfd){ .fd = p.children[i].alive, .events = POLLIN };
		if (poll(pfd, watched + 1, wait_ms) == -1) {
			if (errno == EINTR)
				continue;
			break;
		}
		for (unsigned i = watched; i > 0; i--)
			if (pfd[i].revents != 0)
				reap(&p, i - 1);
		if (pfd[0].revents == 0)
			continue;
		rc = ipc_recv(fd, &m, &e);
		if (rc == 0)
			break;		/* auth has ended */
		if (rc == 1)
			fork_child(&p, &m);
		else if (e.code != ERR_INUSE)
			break;
	}
	ipc_msg_clear(&m);
	for (unsigned i = 0; i < p.count; i++)
		kill(p.children[i].pid, SIGKILL);
	while (p.count > 0)
		reap(&p, p.count - 1);
	return rc == 0 ? 0 : 1;
}

int
helper_fork(unsigned max_children, unsigned timeout_s, const char *pam_confdir, void (*in_child)(int fd), int *fd_out,
    struct err *e)
{
	int fds[2];
	pid_t pid;

	if (ipc_pair(fds, e) == -1)
		return -1;
	pid = fork();
	if (pid == -1) {
		err_errno(e, "fork of the auth helper");
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		if (in_child != NULL)
			in_child(fds[1]);
		signal(SIGPIPE, SIG_IGN);
		log_prefix("auth-helper");
		_exit(helper_process(fds[1], max_children, timeout_s, pam_confdir));
	}
	close(fds[1]);
	*fd_out = fds[0];
	return pid;
}
