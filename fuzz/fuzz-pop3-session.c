/* SPDX-License-Identifier: MIT */
/*
 * A whole POP3 session over a mailbox in memory.  The first octet says in what pieces the input arrives: the answers
 * must be those to the input in one piece.
 */
#include <stdlib.h>
#include "lib/log.h"
#include "pop3/session.h"
#include "tests/unit/fake-mailbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct span input, size_t step, struct stream *s)
{
	static struct mailbox box;
	const struct pop3_options o = { .uidl_format = SPAN("%u.%v"), .max_line = 512, .max_bad = 8, .enable_last = true };
	struct pop3_session p;
	struct err e = ERR_INIT;

	fake_mailbox_add(&box, SPAN("Subject: a\n\n.\n..x\nend\n"));
	fake_mailbox_add(&box, SPAN("Subject: b\r\n\r\n\0\r\n.\r\nx"));
	fake_mailbox_add(&box, SPAN(""));
	stream_init_mem(s, input, 4096, 1 << 22);
	s->script_step = step;
	if (pop3_session_init(&p, s, &box, &o, &e) == 0)
		pop3_session_run(&p, &e);
	pop3_session_clear(&p);
	fake_mailbox_clear(&box);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream whole, cut;
	struct span input;

	if (size < 1 || size > 4096)
		return 0;
	input = span_of(data + 1, size - 1);
	run(input, input.n + 1, &whole);
	run(input, (size_t)data[0] % 16 + 1, &cut);
	if (!span_eq(buf_span(&whole.out), buf_span(&cut.out)))
		abort();
	stream_clear(&whole);
	stream_clear(&cut);
	return 0;
}
