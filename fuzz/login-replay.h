/* SPDX-License-Identifier: MIT */
#ifndef CULVER_FUZZ_LOGIN_REPLAY_H
#define CULVER_FUZZ_LOGIN_REPLAY_H
/* Plays bytes against a login engine, whole and in pieces, and aborts when the answers differ. */
#include <stdint.h>
#include <stdlib.h>
#include "login/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
login_replay_act(struct login *l, unsigned *turn, struct buf *out)
{
	enum login_action action = l->action;

	l->action = LOGIN_NOTHING;
	switch (action) {
	case LOGIN_NOTHING:
		break;
	case LOGIN_AUTH_START:
	case LOGIN_AUTH_CONT:
		/* What came is shown, so that a difference in it is seen. */
		buf_add(out, buf_span(&l->data));
		buf_wipe(&l->data);
		l->has_data = false;
		switch ((*turn)++ % 3) {
		case 0:
			login_challenge(l, SPAN("more"), out);
			break;
		case 1:
			login_final(l, SPAN("yes"), out);
			break;
		default:
			login_fail(l, AUTH_FAIL_CREDENTIALS, SPAN_NONE, out);
		}
		break;
	case LOGIN_AUTH_ABORT:
		login_fail(l, AUTH_FAIL_PROTOCOL, SPAN_NONE, out);
		break;
	case LOGIN_AUTH_DONE:
		login_fail(l, AUTH_FAIL_TEMP, SPAN_NONE, out);
		break;
	}
}

static inline void
login_replay_play(const struct login_protocol *p, struct span in, size_t piece, struct buf *out)
{
	struct login_conf conf = { .greeting = SPAN("hello"), .id_send = SPAN("name * version 1 os"), .tls_available = true,
				   .line_max = 512, .bad_max = 8, .fail_max = 4 };
	struct login_mechs mechs;
	struct login l;
	size_t from = 0, to = 0;
	unsigned turn = 0;

	login_mechs_parse(&mechs, SPAN("PLAIN plaintext\nX-OTHER\n"));
	login_init(&l, p, &conf, &mechs, false, false);
	login_greet(&l, out);
	while (l.state != LOGIN_CLOSED && !out->failed) {
		size_t used = login_step(&l, span_sub(in, from, to - from), out);

		from += used;
		if (l.action != LOGIN_NOTHING)
			login_replay_act(&l, &turn, out);
		else if (l.state == LOGIN_TLS)
			login_tls_started(&l);
		else if (used == 0) {
			if (to == in.n)
				break;
			to = in.n - to > piece ? to + piece : in.n;
		}
	}
	login_clear(&l);
}

static inline void
login_replay(const struct login_protocol *p, const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 7, 100 };
	struct buf whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);

	if (size > 4096)
		return;
	login_replay_play(p, span_of(data, size), SIZE_MAX, &whole);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		buf_reset(&cut);
		login_replay_play(p, span_of(data, size), pieces[i], &cut);
		if (!span_eq(buf_span(&whole), buf_span(&cut)))
			abort();
	}
	buf_clear(&whole);
	buf_clear(&cut);
}
#endif
