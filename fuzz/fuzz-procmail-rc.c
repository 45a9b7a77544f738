/* SPDX-License-Identifier: MIT */
/* Any rcfile on a message: it comes to an end within its limits, and one place has the message or it is said that none has. */
#include <stdlib.h>
#include "lib-filter/procmail/formail.h"
#include "lib-filter/procmail/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mail[] =
    "From ann@example.org Sat Nov 28 05:33:20 2026\nFrom: Ann <ann@example.org>\nTo: bob@example.com\nSubject: hello\n world\n\n"
    "one\nFrom two\nthree\n";

struct world {
	struct span rc;
	size_t saved, effects;
};

/* Every file that is included is the same one. */
static int
on_read(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	(void)dir;
	if (name.n > 8)
		return err_set(e, ERR_NOTFOUND, "none");
	buf_add(out, w->rc);
	return 0;
}

static bool
on_is_dir(void *ctx, struct span dir, struct span name)
{
	(void)ctx;
	(void)dir;
	return name.n % 3 == 0;
}

static int
on_deliver(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e)
{
	struct world *w = ctx;

	w->effects++;
	if (d->name_count == 0 || d->text.n > ((size_t)1 << 20))
		abort();
	if (d->names[0].n % 5 == 4)
		return err_set(e, ERR_DENIED, "no");
	buf_add(out, d->names[0]);
	w->saved++;
	return 0;
}

/* A program that gives its input back, with its name behind it. */
static int
on_run(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct world *w = ctx;

	w->effects++;
	if (p->argc == 0)
		abort();
	if (p->argv[0].n % 7 == 6)
		return err_set(e, ERR_NOTFOUND, "no");
	if (p->output_max > 0) {
		buf_add(out, p->input);
		buf_add(out, p->argv[p->argc - 1]);
	}
	buf_adds(said, "said\n");
	*status = (int)(p->argc % 3);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .rc = span_of(data, size) };
	struct procmail_limits limits = PROCMAIL_LIMITS_DEFAULT;
	struct procmail_host host = { .ctx = &w, .read = on_read, .is_dir = on_is_dir, .deliver = on_deliver, .run = on_run };
	struct span args[] = { SPAN("one"), SPAN("two words") };
	struct procmail_request r = { .text = span_of(mail, sizeof(mail) - 1), .rc_names = SPAN("rc"), .user = SPAN("bob"),
		.home = SPAN("/home/bob"), .host_name = SPAN("mx"), .inbox = SPAN("mailbox:INBOX"), .dir = SPAN("/home/bob"),
		.args = args, .arg_count = 2 };
	struct procmail_result result;
	struct err e = ERR_INIT;

	limits.steps = 3000;
	limits.match_work = 2000000;
	limits.memory = (size_t)16 << 20;
	limits.message = (size_t)1 << 19;
	limits.programs = 100;
	limits.deliveries = 50;
	limits.clones = 10;
	if (procmail_run(&r, &host, &limits, &result, &e) == -1)
		return 0;
	if (w.effects > 500 || result.exit_code < 0 || result.exit_code > 255)
		abort();
	buf_clear(&result.folder);
	return 0;
}
