/* SPDX-License-Identifier: MIT */
#include "managesieve/serve.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "lib/ipc-types.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-filter/sieve/capability.h"
#include "lib-protocol/worker-parent.h"
#include "managesieve/session.h"

#define ARENA_MAX ((size_t)8 << 20)
#define PREREAD_MAX 32768	/* more than that nobody needs to say before it is answered */
#define GIVE_BACK_S 30	/* how long who logged the client in may take to have it back */
#define CAN_NOT_OPEN "NO (TRYLATER) \"Your scripts can not be opened now; the log has the details.\"\r\n"

static struct sieve_site
site_of(const struct set_view *view, struct span user, struct span home)
{
	return (struct sieve_site){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting, .user = user,
				    .home = home.n > 0 ? home : SPAN_NONE };
}

static const char *
directory_of(struct arena *a, const char *path)
{
	struct span s = span_str(path);

	while (s.n > 0 && s.p[s.n - 1] != '/')
		s.n--;
	return s.n > 1 ? arena_cstr(a, span_sub(s, 0, s.n - 1)) : "/";
}

/* What is not there when the sandbox closes could not be made any more. */
static const char *
wanted(const char *path)
{
	struct err e = ERR_INIT;

	/* Whoever may not make it is told when a script is to be stored. */
	if (path != NULL)
		(void)dir_make(path, 0700, &e);
	return path;
}

/* Where the scripts are, where the link to the active one is, and those that may be included. */
int
msieve_paths(const struct storage_params *p, struct arena *a, const char *const **rw_out, struct err *e)
{
	struct sieve_site site = site_of(p->view, p->user, p->home);
	struct sieve_location personal, global;
	struct err none = ERR_INIT;
	const char **paths = arena_alloc(a, 7, sizeof(*paths));
	size_t n = 0;

	if (paths == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (p->home.n > 0 && (paths[n] = arena_cstr(a, p->home)) != NULL)
		n++;
	if (sieve_site_personal(&site, a, &personal, &none) == 0) {
		paths[n++] = wanted(directory_of(a, personal.path));
		paths[n++] = wanted(directory_of(a, personal.active));
		paths[n++] = personal.path;		/* it may be a link to somewhere else */
	}
	if (sieve_site_location(&site, "sieve_global", a, &global, &none) == 0)
		paths[n++] = global.dict ? directory_of(a, global.path) : global.path;
	paths[n] = NULL;
	*rw_out = paths;
	return 0;
}

void
msieve_refuse_login(int fd, struct span tag)
{
	(void)tag;
	worker_say(fd, CAN_NOT_OPEN);
}

static const char *
reason_of(const struct err *e)
{
	if (worker_is_told_to_end())
		return "Disconnected by the server";
	switch (e->code) {
	case ERR_EOF:
		return "Disconnected: Connection closed";
	case ERR_TIMEOUT:
		return "Disconnected for inactivity";
	case ERR_LIMIT:
		return "Disconnected: Command too long";
	case ERR_SYNTAX:
		return "Disconnected: Too many bad commands";
	default:
		return "Disconnected: Internal error";
	}
}

/* Over TLS the client's socket is login's, and ours is one end of a pair. */
static bool
is_behind_tls(const struct session_start *ss)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr);

	return getsockname(ss->client_fd, (struct sockaddr *)&addr, &n) == 0 && addr.ss_family == AF_UNIX;
}

/* The socket itself goes back, with what has been read of it, by way of the parent. */
static void
give_back_plain(const struct session_start *ss, struct span preread)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	/* With a part of it the rest would be other commands than the client's. */
	if (preread.n > PREREAD_MAX) {
		log_info("the client said %zu octets behind UNAUTHENTICATE: it is not given back", preread.n);
		return;
	}
	ipc_begin(&o, MSG_SESSION_BACK);
	if (preread.n > 0)
		ipc_put_bytes(&o, F_PREREAD, preread);
	ipc_put_fd(&o, ss->client_fd);
	if (ipc_send(ss->parent_fd, &o, &e) == -1)
		log_error("giving the client back: %s", e.log);
}

/* A socket that we close would end the client: so only sending stops, until the other end is gone (tls-proxy.h). */
static void
give_back_tls(int fd)
{
	const struct timeval wait = { .tv_sec = GIVE_BACK_S };
	char unread[4096];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (shutdown(fd, SHUT_WR) == 0)
		while (read(fd, unread, sizeof(unread)) > 0)
			;
}

int
msieve_serve(const struct session_start *ss)
{
	struct sieve_site site = site_of(ss->view, ss->id.user, ss->id.home);
	struct buf capabilities = BUF_INIT(65536);
	struct msieve_options o = { .max_line = set_num(ss->view, SET_managesieve_max_line_length),
		.max_script = sieve_site_script_max(&site),
		.max_errors = (unsigned)set_num(ss->view, SET_managesieve_max_compile_errors),
		.max_bad = (unsigned)set_num(ss->view, SET_imap_max_bad_commands),
		/* A client of a socket of the file system has no address, and nothing to say who it is. */
		.goes_back = ss->rip.n > 0 && (is_behind_tls(ss) || ss->parent_fd != -1) };
	struct msieve_session m = { .site = &site, .o = &o, .arena = arena_new(ARENA_MAX) };
	struct stream stream;
	struct err e = ERR_INIT, end = ERR_INIT;

	m.s = &stream;
	stream_init_fd(&stream, ss->client_fd, o.max_line + o.max_script + 1, (int)set_ms(ss->view, SET_imap_idle_timeout));
	if (ss->preread.n > 0)
		stream_unread(&stream, ss->preread);
	if (m.arena == NULL || !sieve_capabilities(ss->view, &capabilities))
		log_fatal("out of memory");
	o.capabilities = buf_span(&capabilities);
	if (sieve_store_open(&site, &m.store, &e) == -1) {
		log_error("%s", e.log);
		m.store = NULL;
	}
	stream_puts(&stream, "OK \"Logged in.\"\r\n");
	if (msieve_session_run(&m, &e) == 0)
		log_info("Disconnected: %s in=%llu out=%llu", m.unauthenticated ? "Unauthenticated" : "Logged out", (unsigned long long)stream.in_octets,
		    (unsigned long long)stream.out_octets);
	else
		log_info("%s in=%llu out=%llu", reason_of(&e), (unsigned long long)stream.in_octets,
		    (unsigned long long)stream.out_octets);
	if (worker_is_told_to_end())
		stream_puts(&stream, "BYE (TRYLATER) \"The server ends the session.\"\r\n");
	if (stream_flush(&stream, &end) == 0 && m.unauthenticated && is_behind_tls(ss))
		give_back_tls(ss->client_fd);
	else if (end.code == ERR_NONE && m.unauthenticated)
		give_back_plain(ss, stream_in(&stream));
	sieve_store_close(m.store);
	stream_clear(&stream);
	buf_clear(&capabilities);
	arena_free(m.arena);
	return 0;
}
