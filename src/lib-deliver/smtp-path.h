/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_DELIVER_SMTP_PATH_H
#define CULVER_LIB_DELIVER_SMTP_PATH_H
/* Addresses of an envelope, and the parameters behind them (RFC 5321 section 4.1.2). */
#include "lib/arena.h"

#define SMTP_PATH_MAX 512	/* octets of an address; RFC 5321 section 4.5.3.1 asks for 256 */

struct smtp_path {
	struct span text;	/* as it was written, without the angle brackets and a source route */
	struct span local;	/* the local part without its quotes */
	struct span domain;	/* empty: there was none */
};

enum {
	SMTP_PATH_NULL = 1 << 0,	/* <> is fine */
	SMTP_PATH_BARE = 1 << 1,	/* so is an address without angle brackets (mailbox-for-path) */
	SMTP_PATH_UTF8 = 1 << 2,	/* letters beyond ASCII too, in UTF-8 (RFC 6531 section 3.3) */
};

/*
 * The path at the start of in; *used_out is its length.  A source route is passed over (RFC 5321 appendix F.2).  Dots may
 * stand where they like in a local part: such addresses are in use.  -1: *why_out is a few words.  Results are spans of in,
 * a quoted local part is copied to the arena.
 */
int smtp_path_parse(struct span in, unsigned flags, struct arena *a, struct smtp_path *out, size_t *used_out,
    const char **why_out);

/* An address without angle brackets, whole: "bob@example.org", "bob".  For culver-lda. */
int smtp_address_parse(struct span in, struct arena *a, struct smtp_path *out, const char **why_out);

/* Whether it needs SMTPUTF8. */
bool smtp_path_is_utf8(const struct smtp_path *path);

struct smtp_param {
	struct span name, value;	/* value.p NULL: no "=" */
};

/* The octets of xtext (RFC 3461 section 4), in a; what is none stays as it is. */
struct span smtp_xtext_decode(struct span in, struct arena *a);
/* The other way; p NULL: out of memory. */
struct span smtp_xtext_encode(struct span in, struct arena *a);

/* Whether it is xtext, of printable ASCII and spaces, max octets at most. */
bool smtp_xtext_is_valid(struct span in, size_t max);

/* Values of RFC 3461's parameters: NOTIFY, RET, ENVID. */
bool smtp_notify_is_valid(struct span value);
bool smtp_ret_is_valid(struct span value);
bool smtp_envid_is_valid(struct span value);
/*
 * ORCPT: its type, and the address as it came (section 4.2).  An address of type utf-8 has escapes of its own, and with utf8 letters
 * beyond ASCII (RFC 6533 section 3).
 */
bool smtp_orcpt_split(struct span value, bool utf8, struct span *type_out, struct span *address_out);

/* Cuts " NAME=value" off the front of *rest; letters beyond ASCII are let through in a value.  1; 0 at the end; -1 a malformed one. */
int smtp_param_next(struct span *rest, struct smtp_param *out);

/*
 * Divides a local part at the first of the delimiter characters: bob+lists is bob and lists.  False, and nothing is set,
 * when there is none, or nothing before it.
 */
bool smtp_detail_split(struct span local, struct span delimiters, struct span *user_out, struct span *detail_out);
#endif
