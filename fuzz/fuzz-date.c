/* SPDX-License-Identifier: MIT */
/* A date that was read is written as one that reads the same. */
#include <stdlib.h>

#include "lib-mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct mail_date d)
{
	struct buf text = BUF_INIT(100);
	struct mail_date back;

	date_imap_write(&text, d);
	if (!date_imap_parse(buf_span(&text), &back))
		abort();
	/* At the ends of what four digits can say, the zone moves the year out: then the nearest is written. */
	if (d.time > -62135000000 && d.time < 253402000000 && (back.time != d.time || back.tz != d.tz))
		abort();
	buf_reset(&text);
	date_write(&text, d);
	if (!date_parse(buf_span(&text), &back))
		abort();
	date_day(d);
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct mail_date d;
	int32_t day;

	if (date_parse(in, &d))
		check(d);
	if (date_imap_parse(in, &d))
		check(d);
	if (date_search_parse(in, &day)) {
		d = (struct mail_date){ (int64_t)day * 86400, 0 };
		check(d);
	}
	return 0;
}
