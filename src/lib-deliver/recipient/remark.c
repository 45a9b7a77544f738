/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/remark.h"

#include <stdio.h>
#include "lib/log.h"

static struct recipient_remark *
next(struct recipient_remarks *r, unsigned line, bool mistake)
{
	struct recipient_remark *m = r->count < RECIPIENT_REMARKS ? &r->list[r->count] : NULL;

	r->count++;
	r->mistakes += mistake;
	if (m != NULL) {
		m->line = line;
		m->mistake = mistake;
	}
	return m;
}

void
recipient_remarks_begin(struct recipient_remarks *r)
{
	r->count = r->mistakes = r->good = 0;
}

void
recipient_remark_doubt(struct recipient_remarks *r, unsigned line, struct span key, const char *what)
{
	struct recipient_remark *m = next(r, line, false);

	if (m != NULL)
		snprintf(m->what, sizeof(m->what), "%.*s %s", SPAN_ARG(span_sub(key, 0, 60)), what);
}

void
recipient_remark_mistake(struct recipient_remarks *r, unsigned line, const struct err *e)
{
	struct recipient_remark *m = next(r, line, true);

	if (m != NULL)
		snprintf(m->what, sizeof(m->what), "%.*s", (int)sizeof(m->what) - 1, e->log);
}

void
recipient_remarks_log(const struct recipient_remarks *r, const char *path, const char *then)
{
	for (size_t i = 0; i < r->count && i < RECIPIENT_REMARKS; i++) {
		const struct recipient_remark *m = &r->list[i];

		if (m->mistake)
			log_error("%s: line %u: %s: %s", path, m->line, m->what, then);
		else
			log_warning("%s: line %u: %s", path, m->line, m->what);
	}
	if (r->count > RECIPIENT_REMARKS)
		log_warning("%s: and %zu lines more", path, r->count - RECIPIENT_REMARKS);
}
