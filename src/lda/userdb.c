/* SPDX-License-Identifier: MIT */
#include "lda/userdb.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/ipc-types.h"
#include "lib/stream.h"

#define TIMEOUT_MS 60000
#define LINE_MAX_OCTETS 65536

/* 0x01 and a letter stand for what can not be in a field. */
static struct span
unescape(struct arena *a, struct span s)
{
	static const char letters[] = "01trn", octets[] = "\0\1\t\r\n";
	char *out = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;

	if (out == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < s.n; i++) {
		const char *at = s.p[i] == 1 && i + 1 < s.n ? memchr(letters, s.p[i + 1], sizeof(letters) - 1) : NULL;

		out[n++] = at == NULL ? s.p[i] : octets[at - letters];
		i += at != NULL;
	}
	return span_of(out, n);
}

/* USER <id> <name> *(<field>=<value>), with tabs between. */
static int
take_user(struct span rest, struct arena *a, struct identity *out, struct err *e)
{
	struct buf fields = BUF_INIT(32768);
	uint32_t uid = UINT32_MAX, gid = UINT32_MAX;
	struct span word;

	if (!span_next(&rest, '\t', &word))
		return err_set(e, ERR_SYNTAX, "userdb: an answer without a user");
	out->user = unescape(a, word);
	while (span_next(&rest, '\t', &word)) {
		size_t eq = span_chr(word, '=');
		struct span name = span_sub(word, 0, eq), value = unescape(a, span_from(word, eq + 1));

		if (span_eq(name, SPAN("uid")))
			span_u32(value, &uid);
		else if (span_eq(name, SPAN("gid")))
			span_u32(value, &gid);
		else if (span_eq(name, SPAN("home")))
			out->home = value;
		else if (eq > 0 && eq < word.n && span_chr(value, '\0') == value.n) {
			buf_add(&fields, name);
			buf_addc(&fields, '=');
			buf_add(&fields, value);
			buf_addc(&fields, '\0');
		}
	}
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	out->fields = arena_dup(a, buf_span(&fields));
	buf_clear(&fields);
	if (uid == UINT32_MAX || gid == UINT32_MAX)
		return err_set(e, ERR_TEMP, "userdb: user %.*s has no uid or no gid", SPAN_ARG(out->user));
	if (out->user.n == 0 || out->user.n > USER_NAME_MAX || out->fields.p == NULL)
		return err_set(e, ERR_TEMP, "userdb: malformed answer");
	return 1;
}

int
userdb_line(struct span line, struct arena *a, struct identity *out, struct err *e)
{
	struct span rest = line, word, id;

	*out = (struct identity){ .home = SPAN(""), .chroot_dir = SPAN("") };
	if (!span_next(&rest, '\t', &word))
		return 0;
	if (span_eq(word, SPAN("VERSION")) || span_eq(word, SPAN("SPID")) || span_eq(word, SPAN("CUID")))
		return 0;
	span_next(&rest, '\t', &id);
	if (span_eq(word, SPAN("USER")))
		return take_user(rest, a, out, e);
	if (span_eq(word, SPAN("NOTFOUND")))
		return err_set(e, ERR_NOTFOUND, "there is no such user");
	if (span_eq(word, SPAN("FAIL")))
		return err_set(e, ERR_TEMP, "userdb: the look-up failed, the server's log says why");
	return 0;
}

static int
connect_to(const char *path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_TEMP, "%s: the path is too long for a socket", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(e, "socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		err_errno(e, "connecting to %s", path);
		/* No socket is no word about the user. */
		if (e->code == ERR_NOTFOUND)
			e->code = ERR_TEMP;
		close(fd);
		return -1;
	}
	return fd;
}

int
userdb_ask(const char *path, struct span user, struct arena *a, struct identity *out, struct err *e)
{
	struct stream s;
	struct span line;
	int fd, rc = -1;

	/* It goes into a line of fields. */
	for (size_t i = 0; i < user.n; i++)
		if ((unsigned char)user.p[i] < ' ')
			return err_set(e, ERR_NOTFOUND, "there is no user with control characters");
	fd = connect_to(path, e);
	if (fd == -1)
		return -1;
	stream_init_fd(&s, fd, LINE_MAX_OCTETS, TIMEOUT_MS);
	stream_putf(&s, "VERSION\t1\t1\nUSER\t1\t%.*s\tservice=lda\n", SPAN_ARG(user));
	while ((rc = stream_line(&s, LINE_MAX_OCTETS, &line, e)) == 0)
		if ((rc = userdb_line(line, a, out, e)) != 0)
			break;
	if (rc == -1 && e->code != ERR_NOTFOUND) {
		e->code = ERR_TEMP;
		err_wrap(e, "userdb at %s", path);
	}
	stream_clear(&s);
	close(fd);
	return rc == 1 ? 0 : -1;
}
