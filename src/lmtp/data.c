/* SPDX-License-Identifier: MIT */
#include "lmtp/data.h"

/*
 * The longest run from *p on that goes out as it is: up to a dot behind CR LF, or to the end.  Moves *p, and leaves the
 * state behind its last octet.
 */
static size_t
plain_run(struct smtp_data *d, const char **p, const char *end)
{
	const char *start = *p, *q = *p;

	while (q < end) {
		const char *lf = memchr(q, '\n', (size_t)(end - q));
		bool crlf;

		if (lf == NULL) {
			d->state = end[-1] == '\r' ? SMTP_DATA_CR : SMTP_DATA_LINE;
			q = end;
			break;
		}
		crlf = lf > start ? lf[-1] == '\r' : d->state == SMTP_DATA_CR;
		q = lf + 1;
		d->state = crlf ? SMTP_DATA_START : SMTP_DATA_LINE;
		if (crlf && q < end && *q == '.')
			break;
	}
	*p = q;
	return (size_t)(q - start);
}

size_t
smtp_data(struct smtp_data *d, struct span *in, char *out)
{
	const char *p = in->p, *end = in->p + in->n;
	size_t n = 0;

	while (p < end && d->state != SMTP_DATA_END) {
		switch (d->state) {
		case SMTP_DATA_START:
			if (*p == '.') {
				d->state = SMTP_DATA_DOT;
				p++;
				break;
			}
			d->state = SMTP_DATA_LINE;
			/* fallthrough */
		case SMTP_DATA_LINE:
		case SMTP_DATA_CR: {
			const char *from = p;
			size_t run = plain_run(d, &p, end);

			memcpy(out + n, from, run);
			n += run;
			break;
		}
		case SMTP_DATA_DOT:
			d->state = *p == '\r' ? SMTP_DATA_DOT_CR : SMTP_DATA_LINE;
			p += d->state == SMTP_DATA_DOT_CR;
			break;
		case SMTP_DATA_DOT_CR:
			if (*p == '\n') {
				d->state = SMTP_DATA_END;
				p++;
			} else {
				out[n++] = '\r';
				d->state = SMTP_DATA_CR;
			}
			break;
		case SMTP_DATA_END:
			break;
		}
	}
	*in = span_of(p, (size_t)(end - p));
	return n;
}
