/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_DATE_H
#define CULVER_LIB_MAIL_DATE_H
/* Dates of mail and of IMAP.  No clock, no locale, no TZ: everything is in what is given. */
#include "lib/buf.h"

struct mail_date {
	int64_t time;		/* seconds since 1970-01-01 00:00:00 UTC */
	int32_t tz;		/* minutes east of UTC */
};

/* Years 0 to 9999 (proleptic Gregorian); day counts from 1970-01-01. */
int64_t date_days(int year, int month, int day);
void date_civil(int64_t days, int *year, int *month, int *day);

/*
 * RFC 5322 sections 3.3 and 4.3: with or without weekday and seconds, comments, years of two and three digits, zones by
 * number or name (unknown ones are UTC; a missing one too), the asctime form, names in any case.  False when there is
 * no date in it: value is not one, or has an impossible day, month or hour.
 */
bool date_parse(struct span value, struct mail_date *out);

/* "Sat, 21 Nov 2026 12:33:08 +0000": RFC 5322 section 3.3. */
void date_write(struct buf *out, struct mail_date d);

/* IMAP's date-time (RFC 3501 section 9) without its quotes, "dd-Mon-yyyy hh:mm:ss +zzzz"; a day may be " 1" or "01". */
bool date_imap_parse(struct span in, struct mail_date *out);
void date_imap_write(struct buf *out, struct mail_date d);	/* without quotes, always 26 octets */

/* A SEARCH date (RFC 3501 section 9, date-text: "1-Feb-1994", without its quotes), in days since 1970-01-01. */
bool date_search_parse(struct span in, int32_t *day_out);

/* The day on which d is in its own zone: what SENTBEFORE, SENTON and SENTSINCE compare (RFC 3501 section 6.4.4). */
int32_t date_day(struct mail_date d);
#endif
