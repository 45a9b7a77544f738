/* SPDX-License-Identifier: MIT */
/*
 * Responses to PLAIN, and (lines) to LOGIN.  Property: the credentials are exactly the octets that were sent: nothing is
 * cut at a NUL, stripped or added (RFC 4616 section 2).
 */
#include <stdint.h>
#include <stdlib.h>
#include "auth/mech.h"
#include "lib/buf.h"

static void
check_plain(struct span in)
{
	struct buf b = BUF_INIT(MECH_RESPONSE_MAX * 2);
	struct err e = ERR_INIT;
	struct mech *m = mech_new(mech_find(SPAN("PLAIN"), SPAN("plain")), "fuzz", &e);
	struct span challenge;

	if (m == NULL)
		abort();
	if (mech_step(m, true, in, &challenge) == MECH_CREDENTIALS) {
		const struct mech_credentials *c = mech_credentials(m);
		size_t first = span_chr(in, '\0');

		/* An authzid that is the authcid again is left out. */
		buf_add(&b, c->authzid.n > 0 ? c->authzid : span_sub(in, 0, first));
		buf_addc(&b, '\0');
		buf_add(&b, c->authcid);
		buf_addc(&b, '\0');
		buf_add(&b, c->password);
		if (!span_eq(buf_span(&b), in))
			abort();
		if (c->authzid.n == 0 && first > 0 && !span_eq(span_sub(in, 0, first), c->authcid))
			abort();
	}
	buf_clear(&b);
	mech_free(m);
}

static void
check_login(struct span user, struct span password)
{
	struct err e = ERR_INIT;
	struct mech *m = mech_new(mech_find(SPAN("LOGIN"), SPAN("login")), "fuzz", &e);
	struct span challenge;

	if (m == NULL)
		abort();
	if (mech_step(m, false, SPAN_NONE, &challenge) == MECH_CHALLENGE &&
	    mech_step(m, true, user, &challenge) == MECH_CHALLENGE &&
	    mech_step(m, true, password, &challenge) == MECH_CREDENTIALS) {
		const struct mech_credentials *c = mech_credentials(m);

		if (!span_eq(c->authcid, user) || !span_eq(c->password, password) || c->authzid.n != 0)
			abort();
	}
	mech_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct span in = span_of(data, size);
	struct err e = ERR_INIT;
	size_t end = span_chr(in, '\n');

	if (!started && mech_init(&e) == -1)
		abort();
	started = true;
	check_plain(in);
	check_login(span_sub(in, 0, end), span_from(in, end + 1));
	return 0;
}
