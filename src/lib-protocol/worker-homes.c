/* SPDX-License-Identifier: MIT */
/*
 * Homes of other users, for the mailboxes that they give to the session's user: a worker asks its parent before it shuts
 * itself in, one at a time, and the parent asks auth.  Only of users who share uid or group with the session: the mail of
 * others it could not read, and where they are is none of its business.
 */
#include "lib-protocol/worker-private.h"

#include "lib/log.h"

static void
answer_home(struct running *r, struct span home)
{
	struct ipc_out o;

	if (r->channel == NULL)
		return;
	ipc_begin(&o, MSG_HOME);
	ipc_put_u32(&o, F_ID, r->home_id);
	ipc_put_bytes(&o, F_HOME, home.p == NULL ? SPAN("") : home);
	peer_send(r->channel, &o);
}

static void
on_identity(void *ctx, const struct auth_answer *a)
{
	struct running *r = ctx;

	r->home_question = 0;
	if (a->fail != AUTH_FAIL_NONE || a->id == NULL || (a->id->uid != r->ws.id.uid && a->id->gid != r->ws.id.gid))
		answer_home(r, SPAN_NONE);
	else
		answer_home(r, a->id->home);
}

static void
on_found(void *ctx, const struct auth_answer *a)
{
	struct running *r = ctx;
	struct parent *pa = r->parent;

	r->home_question = 0;
	if (a->fail == AUTH_FAIL_NONE)
		r->home_question = auth_client_redeem(pa->auth, span_str(worker_protocol(pa->o)), a->token, on_identity, r);
	if (r->home_question == 0)
		answer_home(r, SPAN_NONE);
}

int
worker_home(struct peer *p, struct ipc_msg *m, struct err *e)
{
	struct running *r = peer_data(p);
	struct parent *pa = r->parent;
	struct auth_client_lookup_params q = { .service = span_str(worker_protocol(pa->o)), .rip = SPAN(""), .lip = SPAN(""),
					       .session = r->ws.session };
	uint32_t id = ipc_u32(m, F_ID);

	q.user = ipc_bytes(m, F_USER, USER_NAME_MAX);
	if (!ipc_end(m) || r->home_question != 0 || r->homes++ >= WORKER_HOMES_MAX)
		return err_set(e, ERR_SYNTAX, "malformed question for a home");
	r->home_id = id;
	r->home_question = auth_client_lookup(pa->auth, &q, on_found, r);
	if (r->home_question == 0)
		answer_home(r, SPAN_NONE);
	return 0;
}

void
worker_home_forget(struct running *r)
{
	if (r->home_question != 0)
		auth_client_forget(r->parent->auth, r->home_question);
	r->home_question = 0;
}

/* In the worker. */
size_t
worker_homes_ask(int parent_fd, const struct span *users, size_t count, struct arena *a, struct user_home *out)
{
	struct ipc_msg m;
	struct err e = ERR_INIT;
	size_t n = 0;

	if (parent_fd == -1 || ipc_msg_init(&m, &e) == -1)
		return 0;
	if (count > WORKER_HOMES_MAX)
		count = WORKER_HOMES_MAX;
	for (size_t i = 0; i < count; i++) {
		struct ipc_out o;
		struct span home = SPAN_NONE;

		ipc_begin(&o, MSG_HOME);
		ipc_put_u32(&o, F_ID, (uint32_t)i + 1);
		ipc_put_bytes(&o, F_USER, users[i]);
		if (ipc_send(parent_fd, &o, &e) == -1) {
			ipc_out_clear(&o);
			break;
		}
		do {
			if (ipc_recv_wait(parent_fd, &m, WORKER_HOME_MS, &e) != 1) {
				log_warning("the home of %.*s was not told", SPAN_ARG(users[i]));
				goto out;
			}
		} while (m.type != MSG_HOME || ipc_u32(&m, F_ID) != i + 1);
		home = ipc_bytes(&m, F_HOME, 4096);
		if (m.bad || home.n == 0 || span_chr(home, '\0') != home.n)
			continue;
		out[n].user = users[i];
		out[n].home = arena_dup(a, home);
		if (out[n].home.p != NULL)
			n++;
	}
out:
	ipc_msg_clear(&m);
	return n;
}
