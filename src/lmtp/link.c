/* SPDX-License-Identifier: MIT */
#include "lmtp/link.h"

#include <stdio.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lmtp/recipient-worker.h"

#define AUTH_TIMEOUT_MS 30000
#define TOKEN_AGE_MS 30000	/* a token is good for a minute: an older one is asked for anew */
#define FITS_TIMEOUT_MS 30000
#define NOTICE_TIMEOUT_MS 60000
#define WINDOW 16		/* recipients that are delivered to at once */

int
lmtp_link_init(struct lmtp_link *k, struct err *e)
{
	return ipc_msg_init(&k->msg, e);
}

void
lmtp_link_clear(struct lmtp_link *k)
{
	ipc_msg_clear(&k->msg);
}

/* The next frame on sock before the deadline. */
static int
receive(struct lmtp_link *k, int sock, int64_t deadline, struct err *e)
{
	int64_t left = deadline - clock_ms();
	int rc = ipc_recv_wait(sock, &k->msg, left < 0 ? 0 : (int)left, e);

	if (rc == 0)
		rc = err_set(e, ERR_EOF, "the channel was closed");
	k->lost = k->lost || (rc == -1 && e->code != ERR_TIMEOUT);
	return rc;
}

static int
tell(struct lmtp_link *k, int sock, struct ipc_out *o, struct err *e)
{
	int rc = ipc_send(sock, o, e);

	k->lost = k->lost || rc == -1;
	return rc;
}

static int
ask_auth(struct lmtp_link *k, struct lmtp_transaction *t, struct span user, uint32_t id, struct err *e)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_LOOKUP);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_str(&o, F_SERVICE, "lmtp");
	ipc_put_bytes(&o, F_USER, user);
	ipc_put_bytes(&o, F_RIP, t->rip);
	ipc_put_bytes(&o, F_LIP, k->lip);
	ipc_put_str(&o, F_SESSION, t->session);
	if (k->proxy)
		ipc_put_u32(&o, F_PROXY, 1);
	return tell(k, k->auth_fd, &o, e);
}

/* What auth said; -1: nothing to be understood. */
static int
take_answer(struct lmtp_link *k, struct lmtp_transaction *t, struct lmtp_rcpt *r, enum lmtp_lookup *out, struct err *e)
{
	struct ipc_msg *m = &k->msg;

	if (m->type == MSG_AUTH_OK) {
		struct span user = ipc_bytes(m, F_USER, USER_NAME_MAX), token = ipc_bytes(m, F_TOKEN, AUTH_TOKEN_LEN);

		ipc_opt_bytes(m, F_DATA, IPC_FRAME_MAX);
		if (!ipc_end(m) || token.n != AUTH_TOKEN_LEN)
			return err_set(e, ERR_SYNTAX, "malformed answer of auth");
		memcpy(r->token, token.p, AUTH_TOKEN_LEN);
		r->token_ms = clock_ms();
		if (!span_eq(user, r->user))
			r->user = arena_dup(t->arena, user);
		*out = r->user.p == NULL ? LMTP_TEMP : LMTP_FOUND;
		return 0;
	}
	if (m->type == MSG_AUTH_PROXY) {
		struct span user = ipc_bytes(m, F_USER, USER_NAME_MAX), fields = ipc_bytes(m, F_FIELDS, IPC_FRAME_MAX);

		if (!ipc_end(m) || fields.n == 0)
			return err_set(e, ERR_SYNTAX, "malformed answer of auth");
		r->user = arena_dup(t->arena, user);
		r->proxy_fields = arena_dup(t->arena, fields);
		*out = r->user.p == NULL || r->proxy_fields.p == NULL ? LMTP_TEMP : LMTP_FOUND;
		return 0;
	}
	if (m->type == MSG_AUTH_FAIL) {
		enum auth_fail why = (enum auth_fail)ipc_u32(m, F_CODE);

		*out = why == AUTH_FAIL_NO_USER || why == AUTH_FAIL_CREDENTIALS ? LMTP_UNKNOWN
		    : why == AUTH_FAIL_DISABLED || why == AUTH_FAIL_EXPIRED ? LMTP_DISABLED : LMTP_TEMP;
		return 0;
	}
	return err_set(e, ERR_SYNTAX, "frame %u from auth", m->type);
}

enum lmtp_lookup
lmtp_link_lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	struct lmtp_link *k = ctx;
	int64_t deadline = clock_ms() + AUTH_TIMEOUT_MS;
	uint32_t id = ++k->last_id;
	enum lmtp_lookup found = LMTP_TEMP;
	struct err e = ERR_INIT;

	if (ask_auth(k, t, r->asked, id, &e) == -1)
		goto fail;
	for (;;) {
		if (receive(k, k->auth_fd, deadline, &e) == -1)
			goto fail;
		/* The list of mechanisms is for login; an older id is an answer nobody waited for any more. */
		if (k->msg.type == MSG_AUTH_MECHS || ipc_u32(&k->msg, F_ID) != id)
			continue;
		if (take_answer(k, t, r, &found, &e) == -1)
			goto fail;
		return found;
	}
fail:
	log_error("looking up %.*s: auth: %s", SPAN_ARG(r->asked), e.log);
	return LMTP_TEMP;
}

enum lmtp_lookup
lmtp_link_fits(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	struct lmtp_link *k = ctx;
	int64_t deadline = clock_ms() + FITS_TIMEOUT_MS;
	uint32_t id = ++k->last_id;
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_FITS);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_bytes(&o, F_TOKEN, span_of(r->token, AUTH_TOKEN_LEN));
	ipc_put_str(&o, F_SESSION, t->session);
	ipc_put_bytes(&o, F_RECIPIENT, r->path.text);
	if (r->detail.n > 0)
		ipc_put_bytes(&o, F_DETAIL, r->detail);
	ipc_put_u64(&o, F_SIZE, t->declared_size);
	r->token_ms = INT64_MIN / 2;	/* used up: the delivery asks for another */
	if (tell(k, k->deliver_fd, &o, &e) == -1)
		goto fail;
	for (;;) {
		uint32_t answered, code;
		struct span text;

		if (receive(k, k->deliver_fd, deadline, &e) == -1)
			goto fail;
		answered = ipc_u32(&k->msg, F_ID);
		code = ipc_u32(&k->msg, F_CODE);
		text = ipc_bytes(&k->msg, F_TEXT, LMTP_REPLY_MAX);
		if (k->msg.type != MSG_DELIVERED || !ipc_end(&k->msg) || code < 200 || code > 599) {
			err_set(&e, ERR_SYNTAX, "malformed answer of deliver");
			goto fail;
		}
		if (answered != id)
			continue;	/* nobody waited for it any more */
		r->code = code;
		snprintf(r->reply, sizeof(r->reply), "%.*s", SPAN_ARG(text));
		return code < 300 ? LMTP_FOUND : LMTP_REFUSED;
	}
fail:
	log_error("quota of %.*s: deliver: %s", SPAN_ARG(r->user), e.log);
	return LMTP_TEMP;
}

/* Hands one recipient's delivery over; its id is base and the recipient's index. */
static int
hand_over(struct lmtp_link *k, struct lmtp_transaction *t, size_t idx, uint32_t base, int fd, struct err *e)
{
	struct lmtp_rcpt *r = &t->rcpts[idx];
	struct ipc_out o;

	if (clock_ms() - r->token_ms > TOKEN_AGE_MS && (lmtp_link_lookup(k, t, r) != LMTP_FOUND || r->proxy_fields.n > 0))
		return err_set(e, ERR_TEMP, "the user could not be looked up again");
	ipc_begin(&o, MSG_DELIVER);
	ipc_put_u32(&o, F_ID, base + (uint32_t)idx);
	ipc_put_bytes(&o, F_TOKEN, span_of(r->token, AUTH_TOKEN_LEN));
	ipc_put_str(&o, F_SESSION, t->session);
	ipc_put_bytes(&o, F_SENDER, r->sender);
	ipc_put_bytes(&o, F_RECIPIENT, r->path.text);
	if (r->detail.n > 0)
		ipc_put_bytes(&o, F_DETAIL, r->detail);
	ipc_put_bytes(&o, F_TEXT, r->header);
	if (r->orcpt.n > 0)
		ipc_put_bytes(&o, F_DSN_RECIPIENT, r->orcpt);
	else if (r->changed && !span_eq(r->asked_for, r->path.text))
		ipc_put_bytes(&o, F_DSN_RECIPIENT, r->asked_for);
	if (r->notify.n > 0)
		ipc_put_bytes(&o, F_DSN_NOTIFY, r->notify);
	if (t->envid.n > 0)
		ipc_put_bytes(&o, F_DSN_ENVID, t->envid);
	if (t->ret.n > 0)
		ipc_put_bytes(&o, F_DSN_RET, t->ret);
	if (t->junk)
		ipc_put_u32(&o, F_JUNK, 1);
	if (r->once)
		ipc_put_bytes(&o, F_ORIGIN, r->asked_for);
	ipc_put_fd(&o, fd);
	r->token_ms = INT64_MIN / 2;	/* used up */
	return tell(k, k->deliver_fd, &o, e);
}

/* The same of what is no user's. */
static int
hand_out(struct lmtp_link *k, const struct lmtp_transaction *t, size_t idx, uint32_t base, int fd, struct err *e)
{
	const struct lmtp_rcpt *r = &t->rcpts[idx];
	struct ipc_out o;

	ipc_begin(&o, MSG_RECIPIENT);
	ipc_put_u32(&o, F_ID, base + (uint32_t)idx);
	ipc_put_str(&o, F_SESSION, t->session);
	ipc_put_bytes(&o, F_SENDER, r->sender);
	ipc_put_bytes(&o, F_RECIPIENT, r->asked_for);
	ipc_put_u32(&o, F_KIND, (uint32_t)r->out->end);
	ipc_put_bytes(&o, F_DATA, r->out->text);
	ipc_put_bytes(&o, F_TEXT, r->header);
	if (r->once)
		ipc_put_bytes(&o, F_ORIGIN, r->asked_for);
	ipc_put_fd(&o, fd);
	return tell(k, k->deliver_fd, &o, e);
}

/* Whether another end of the same address has to be tried again. */
static bool
is_put_off(const struct lmtp_transaction *t, size_t idx)
{
	size_t i = idx;

	while (i > 0 && t->rcpts[i - 1].number == t->rcpts[idx].number)
		i--;
	for (; i < t->rcpt_count && t->rcpts[i].number == t->rcpts[idx].number; i++)
		if (t->rcpts[i].leg == LMTP_LEG_USER && t->rcpts[i].code >= 400 && t->rcpts[i].code < 500)
			return true;
	return false;
}

/*
 * Mailboxes come first, and what leaves only when they have what they should: as far as it can be told, what is put off has not
 * been sent.
 */
static bool
is_due(const struct lmtp_transaction *t, size_t idx, enum lmtp_leg leg)
{
	return t->rcpts[idx].leg == leg && (leg == LMTP_LEG_USER || !is_put_off(t, idx));
}

/* One MSG_DELIVERED into its recipient.  1; 0: of an earlier transaction. */
static int
take_delivered(struct lmtp_link *k, struct lmtp_transaction *t, uint32_t base, size_t sent, struct err *e)
{
	struct ipc_msg *m = &k->msg;
	uint32_t idx = ipc_u32(m, F_ID) - base, code = ipc_u32(m, F_CODE);
	struct span text = ipc_bytes(m, F_TEXT, LMTP_REPLY_MAX);

	if (m->type != MSG_DELIVERED || !ipc_end(m) || code < 200 || code > 599)
		return err_set(e, ERR_SYNTAX, "malformed answer of deliver");
	if (idx >= sent)
		return 0;
	t->rcpts[idx].code = code;
	snprintf(t->rcpts[idx].reply, sizeof(t->rcpts[idx].reply), "%.*s", SPAN_ARG(text));
	return 1;
}

/* Those of one kind.  -1: deliver is not to be had. */
static int
deliver_legs(struct lmtp_link *k, struct lmtp_transaction *t, enum lmtp_leg leg, uint32_t base, int fd, struct err *e)
{
	int64_t deadline = clock_ms() + k->delivery_timeout_ms;
	size_t sent = 0, done = 0;

	while (done < t->rcpt_count) {
		int rc;

		if (sent < t->rcpt_count && lmtp_rcpt_is_remote(&t->rcpts[sent])) {
			sent++;
			done++;
			continue;
		}
		if (sent < t->rcpt_count && sent - done < WINDOW) {
			struct err one = ERR_INIT;

			rc = !is_due(t, sent, leg) ? 0 : (leg == LMTP_LEG_USER ? hand_over(k, t, sent, base, fd, &one)
			    : hand_out(k, t, sent, base, fd, &one)) == 0 ? 1 : -1;
			if (rc == -1)
				log_error("delivery to %.*s: %s", SPAN_ARG(t->rcpts[sent].path.text), one.log);
			done += rc != 1;
			sent++;
			continue;
		}
		rc = receive(k, k->deliver_fd, deadline, e);
		if (rc != -1)
			rc = take_delivered(k, t, base, sent, e);
		if (rc == -1)
			return -1;
		done += (size_t)rc;
	}
	return 0;
}

void
lmtp_link_deliver(void *ctx, struct lmtp_transaction *t, int fd)
{
	struct lmtp_link *k = ctx;
	uint32_t base = k->last_id + 1;
	struct err e = ERR_INIT;

	k->last_id += (uint32_t)t->rcpt_count;
	/* Those without an answer keep the 451 that was there from the start. */
	if (deliver_legs(k, t, LMTP_LEG_USER, base, fd, &e) == -1 || deliver_legs(k, t, LMTP_LEG_OUT, base, fd, &e) == -1)
		log_error("delivery: %s", e.log);
}

int
lmtp_link_tell_owner(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed, int fd)
{
	struct lmtp_link *k = ctx;
	const struct lmtp_rcpt *r = &t->rcpts[idx];
	int64_t deadline = clock_ms() + NOTICE_TIMEOUT_MS;
	uint32_t id = ++k->last_id;
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_RECIPIENT);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_str(&o, F_SESSION, t->session);
	ipc_put_bytes(&o, F_SENDER, owner);
	ipc_put_bytes(&o, F_RECIPIENT, r->asked_for);
	ipc_put_u32(&o, F_KIND, RECIPIENT_NOTICE);
	ipc_put_bytes(&o, F_DATA, failed);
	ipc_put_bytes(&o, F_TEXT, r->header);
	ipc_put_fd(&o, fd);
	if (tell(k, k->deliver_fd, &o, &e) == -1)
		goto fail;
	for (;;) {
		uint32_t answered, code;

		if (receive(k, k->deliver_fd, deadline, &e) == -1)
			goto fail;
		answered = ipc_u32(&k->msg, F_ID);
		code = ipc_u32(&k->msg, F_CODE);
		ipc_bytes(&k->msg, F_TEXT, LMTP_REPLY_MAX);
		if (k->msg.type != MSG_DELIVERED || !ipc_end(&k->msg)) {
			err_set(&e, ERR_SYNTAX, "malformed answer of deliver");
			goto fail;
		}
		if (answered == id)
			return code < 300 ? 0 : -1;
	}
fail:
	log_error("notice to the owner of %.*s: deliver: %s", SPAN_ARG(r->asked_for), e.log);
	return -1;
}
