/* SPDX-License-Identifier: MIT */
#include "master/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/priv.h"
#include "lib/sys.h"

#define LISTENERS_MAX 64
#define ADDRESSES_MAX 64
#define BACKLOG 511
#define RETRY_MS 20

void
listeners_init(struct array *a)
{
	*a = ARRAY_INIT(struct listener, LISTENERS_MAX);
}

void
listeners_clear(struct array *a, bool unlink_them)
{
	for (size_t i = 0; i < a->n; i++) {
		struct listener *l = array_at(a, i);

		if (l->fd != -1) {
			close(l->fd);
			if (unlink_them && l->path != NULL)
				unlink(l->path);
		}
		free(l->key);
		free(l->name);
		free(l->path);
	}
	array_clear(a);
}

static char *
cstr(struct span s)
{
	return strndup(s.n == 0 ? "" : s.p, s.n);
}

static struct listener *
push(struct array *a, struct span name, struct err *e)
{
	struct listener *l = array_push(a);

	if (l == NULL) {
		err_set(e, ERR_LIMIT, "more than %d listeners in one service", LISTENERS_MAX);
		return NULL;
	}
	l->fd = -1;
	l->uid = (uid_t)-1;
	l->gid = (gid_t)-1;
	l->name = cstr(name);
	return l;
}

static int
lookup_owner(struct listener *l, struct span user, struct span group, struct err *e)
{
	gid_t gid;
	char name[128];

	/* Without root there is only one owner. */
	if (geteuid() != 0)
		return 0;
	l->uid = 0;
	l->gid = 0;
	if (user.n > 0) {
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(user));
		if (priv_lookup_user(name, &l->uid, &gid, e) == -1)
			return -1;
	}
	if (group.n > 0) {
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(group));
		if (priv_lookup_group(name, &l->gid, e) == -1)
			return -1;
	}
	return 0;
}

static int
read_unix(struct array *a, const struct set_view *v, const struct set_block *b, struct err *e)
{
	struct sockaddr_un *un;
	struct listener *l;
	uint64_t mode = set_block_num(b, "mode");
	char path[4096];
	int n;

	if (mode == 0)
		return 0;
	if (b->name.n > 0 && b->name.p[0] == '/')
		n = snprintf(path, sizeof(path), "%.*s", SPAN_ARG(b->name));
	else
		n = snprintf(path, sizeof(path), "%.*s/%.*s", SPAN_ARG(set_str(v, SET_base_dir)), SPAN_ARG(b->name));
	if (n < 0 || (size_t)n >= sizeof(un->sun_path))
		return err_set(e, ERR_LIMIT, "unix_listener %.*s: the path is too long for a socket", SPAN_ARG(b->name));
	if ((l = push(a, b->name, e)) == NULL)
		return -1;
	l->mode = (mode_t)mode;
	l->path = strdup(path);
	if (asprintf(&l->key, "unix %s", path) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	un = (struct sockaddr_un *)&l->sa;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, (size_t)n + 1);
	l->sa_n = sizeof(*un);
	if (lookup_owner(l, set_block_str(b, "user"), set_block_str(b, "group"), e) == -1)
		return err_wrap(e, "unix_listener %.*s", SPAN_ARG(b->name));
	return 0;
}

static void
push_address(struct array *out, const void *sa, size_t n)
{
	struct sockaddr_storage *ss = array_push(out);

	if (ss != NULL)
		memcpy(ss, sa, n);
}

int
listen_addresses(struct span word, uint16_t port, struct array *out, struct err *e)
{
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list = NULL;
	char host[256], service[8];
	int rc;

	if (span_eq(word, SPAN("*"))) {
		push_address(out, &any4, sizeof(any4));
		return 0;
	}
	if (span_eq(word, SPAN("::")) || span_eq(word, SPAN("[::]"))) {
		push_address(out, &any6, sizeof(any6));
		return 0;
	}
	if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']')
		word = span_sub(word, 1, word.n - 2);
	snprintf(host, sizeof(host), "%.*s", SPAN_ARG(word));
	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return err_set(e, ERR_NOTFOUND, "listen: %s: %s", host, gai_strerror(rc));
	for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		push_address(out, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

static int
push_inet(struct array *a, const struct set_block *b, const struct sockaddr_storage *sa, struct err *e)
{
	struct listener *l = push(a, b->name, e);
	char text[64];
	uint16_t port;

	if (l == NULL)
		return -1;
	l->sa = *sa;
	l->sa_n = sa->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	l->ssl = set_block_bool(b, "ssl");
	addr_format(sa, text, &port);
	if (asprintf(&l->key, "inet %s %u", text, port) == -1)
		return err_set(e, ERR_TEMP, "out of memory");
	return 0;
}

/* The words of a list that is separated by commas or spaces. */
static bool
next_word(struct span *rest, struct span *out)
{
	while (rest->n > 0 && (rest->p[0] == ',' || rest->p[0] == ' '))
		*rest = span_from(*rest, 1);
	for (out->p = rest->p, out->n = 0; out->n < rest->n && rest->p[out->n] != ',' && rest->p[out->n] != ' ';)
		out->n++;
	*rest = span_from(*rest, out->n);
	return out->n > 0;
}

static int
read_inet(struct array *a, const struct set_view *v, const struct set_block *b, struct err *e)
{
	struct array addresses = ARRAY_INIT(struct sockaddr_storage, ADDRESSES_MAX);
	struct span words = set_block_str(b, "address"), word;
	uint64_t port = set_block_num(b, "port");
	int rc = 0;

	if (port == 0)
		return 0;
	if (port > 65535)
		return err_set(e, ERR_LIMIT, "inet_listener %.*s: there is no port %llu", SPAN_ARG(b->name),
			       (unsigned long long)port);
	if (words.n == 0)
		words = set_str(v, SET_listen);
	while (rc == 0 && next_word(&words, &word))
		rc = listen_addresses(word, (uint16_t)port, &addresses, e);
	for (size_t i = 0; i < addresses.n && rc == 0; i++)
		rc = push_inet(a, b, array_at(&addresses, i), e);
	array_clear(&addresses);
	return rc == 0 ? 0 : err_wrap(e, "inet_listener %.*s", SPAN_ARG(b->name));
}

int
listeners_read(struct array *a, const struct set_view *v, const struct set_block *service, struct err *e)
{
	struct set_block b;
	size_t pos = 0;

	while (set_block_next(v, service, "unix_listener", &pos, &b))
		if (read_unix(a, v, &b, e) == -1)
			return -1;
	pos = 0;
	while (set_block_next(v, service, "inet_listener", &pos, &b))
		if (read_inet(a, v, &b, e) == -1)
			return -1;
	return 0;
}

/* Whether somebody listens at this path; what is left of a server that was killed is removed. */
static int
clear_path(const struct listener *l, struct err *e)
{
	struct stat st;
	char *slash;
	char dir[4096];
	int fd, rc;

	snprintf(dir, sizeof(dir), "%s", l->path);
	slash = strrchr(dir, '/');
	if (slash != NULL && slash != dir) {
		*slash = '\0';
		if (access(dir, F_OK) == -1 && dir_make(dir, 0755, e) == -1)
			return -1;
	}
	if (lstat(l->path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_EXISTS, "%s is there and is no socket", l->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(e, "socket");
	rc = connect(fd, (const struct sockaddr *)&l->sa, l->sa_n);
	close(fd);
	if (rc == 0 || errno == EAGAIN)
		return err_set(e, ERR_INUSE, "%s: somebody listens there", l->path);
	if (unlink(l->path) == -1 && errno != ENOENT)
		return err_errno(e, "removing %s", l->path);
	return 0;
}

static int
finish_unix(const struct listener *l, struct err *e)
{
	if (chmod(l->path, l->mode) == -1)
		return err_errno(e, "chmod %s", l->path);
	if (l->uid != (uid_t)-1 && lchown(l->path, l->uid, l->gid) == -1)
		return err_errno(e, "chown %s", l->path);
	return 0;
}

static int
try_bind(struct listener *l, struct err *e)
{
	int one = 1, fd;
	mode_t old_mask;
	int rc;

	if (l->path != NULL && clear_path(l, e) == -1)
		return -1;
	fd = socket(l->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(e, "%s: socket", l->key);
	if (l->path == NULL)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	old_mask = umask(0177);	/* nobody gets in before the wanted owner and mode are there */
	rc = bind(fd, (const struct sockaddr *)&l->sa, l->sa_n);
	umask(old_mask);
	if (rc == 0 && l->path != NULL && finish_unix(l, e) == -1) {
		close(fd);
		return -1;
	}
	if (rc == -1 || listen(fd, BACKLOG) == -1) {
		if (errno == EADDRINUSE)
			err_set(e, ERR_INUSE, "%s: the address is in use", l->key);
		else
			err_errno(e, "%s: bind", l->key);
		close(fd);
		return -1;
	}
	l->fd = fd;
	return 0;
}

static const struct listener *
find(const struct array *a, const char *key)
{
	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct listener *l = array_at(a, i);

		if (l->fd != -1 && strcmp(l->key, key) == 0)
			return l;
	}
	return NULL;
}

/* A machine without IPv6 serves IPv4 alone when `listen' is the default of both. */
static bool
is_missing_family(const struct listener *l)
{
	return l->sa.ss_family == AF_INET6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) &&
		IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&l->sa)->sin6_addr);
}

static int
bind_one(struct listener *l, int patience_ms, struct err *e)
{
	int64_t deadline = clock_ms() + patience_ms;

	while (try_bind(l, e) == -1) {
		if (e->code != ERR_INUSE || clock_ms() >= deadline)
			return -1;
		poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

int
listeners_bind(struct array *a, const struct array *old, int patience_ms, struct err *e)
{
	for (size_t i = 0; i < a->n; i++) {
		struct listener *l = array_at(a, i);
		const struct listener *same;

		if (l->fd != -1)
			continue;
		same = find(old, l->key);
		if (same != NULL) {
			l->fd = fcntl(same->fd, F_DUPFD_CLOEXEC, 0);
			if (l->fd == -1)
				return err_errno(e, "dup");
			if (l->path != NULL && finish_unix(l, e) == -1)
				return -1;
			continue;
		}
		errno = 0;
		if (bind_one(l, patience_ms, e) == -1 && !is_missing_family(l))
			return -1;
	}
	for (size_t i = a->n; i > 0; i--) {
		struct listener *l = array_at(a, i - 1);

		if (l->fd != -1)
			continue;
		free(l->key);
		free(l->name);
		free(l->path);
		array_remove(a, i - 1, 1);
	}
	return 0;
}

void
listeners_unlink_gone(const struct array *old, const struct array *const *now, size_t count)
{
	for (size_t i = 0; i < old->n; i++) {
		const struct listener *l = array_at(old, i);
		bool stays = false;

		for (size_t j = 0; j < count && !stays; j++)
			stays = find(now[j], l->key) != NULL;
		if (!stays && l->path != NULL)
			unlink(l->path);
	}
}
