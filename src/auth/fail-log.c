/* SPDX-License-Identifier: MIT */
#include "auth/fail-log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include "lib/encode.h"
#include "lib/log.h"

#define LINE_MAX_OCTETS 2048

/* What a client names itself must not look like another address, or like the end of the parenthesis. */
static void
add_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.n && i < 255; i++) {
		unsigned char c = (unsigned char)name.p[i];

		buf_addc(out, c <= ' ' || c == 127 || strchr(",()<>", c) != NULL ? '?' : (char)c);
	}
}

static void
add_password(const struct request *r, struct buf *out)
{
	const struct auth_conf *c = r->auth->conf;
	struct span password = buf_span(&r->password);
	unsigned char md[EVP_MAX_MD_SIZE];
	struct buf hex = BUF_INIT(EVP_MAX_MD_SIZE * 2);
	unsigned n = 0;

	switch (c->show_passwords) {
	case SHOW_NO:
		return;
	case SHOW_PLAIN:
		buf_adds(out, " (given password: ");
		buf_add(out, span_sub(password, 0, c->show_passwords_len));
		buf_addc(out, ')');
		return;
	case SHOW_SHA1:
		if (EVP_Digest(password.p, password.n, md, &n, EVP_sha1(), NULL) != 1)
			return;
		hex_encode(&hex, span_of(md, n));
		buf_adds(out, " (SHA1 of given password: ");
		buf_add(out, span_sub(buf_span(&hex), 0, c->show_passwords_len));
		buf_addc(out, ')');
		buf_clear(&hex);
		return;
	}
}

static void
add_head(const struct request *r, const char *db, struct buf *out)
{
	buf_adds(out, db == NULL ? "auth" : db);
	buf_addc(out, '(');
	add_name(out, r->master_phase ? r->login_user : r->user);
	if (r->params.rip.n > 0) {
		buf_addc(out, ',');
		add_name(out, r->params.rip);
	}
	if (r->master_user.n > 0 || r->master_phase) {
		buf_adds(out, ",master=");
		add_name(out, r->master_phase ? r->user : r->master_user);
	}
	if (r->params.session.n > 0) {
		buf_adds(out, ",<");
		add_name(out, r->params.session);
		buf_addc(out, '>');
	}
	buf_adds(out, "): ");
}

void
fail_log_line(const struct request *r, const char *db, const char *text, struct buf *out)
{
	add_head(r, db, out);
	buf_adds(out, text);
	add_password(r, out);
}

void
fail_log(const struct request *r, const char *db, const char *text)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);

	fail_log_line(r, db, text, &line);
	log_info("%.*s", SPAN_ARG(buf_span(&line)));
	buf_wipe(&line);
}

void
fail_log_reason(const struct request *r, const char *db, const char *text, const char *reason)
{
	char both[400];

	if (reason[0] == '\0') {
		fail_log(r, db, text);
		return;
	}
	snprintf(both, sizeof(both), "%s (%s)", text, reason);
	fail_log(r, db, both);
}

/* Failures of databases: errors, without any password. */
void
request_log(const struct request *r, const char *db, const char *text)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);

	add_head(r, db, &line);
	buf_adds(&line, text);
	log_error("%.*s", SPAN_ARG(buf_span(&line)));
	buf_clear(&line);
}
