/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_MANAGESIEVE_H
#define CULVER_LIB_PROTOCOL_MANAGESIEVE_H
/* Commands and strings of ManageSieve (RFC 5804 section 4): a word, then strings and numbers, up to the end of the line. */
#include "lib/arena.h"
#include "lib/buf.h"

#define MSIEVE_ARGS_MAX 4

struct msieve_command {
	struct span name;			/* empty: the line begins with a string (a client's answer in a SASL exchange) */
	struct msieve_arg {
		struct span text;
		bool is_number;			/* text is digits */
	} args[MSIEVE_ARGS_MAX];
	size_t arg_count;
};

enum msieve_result {
	MSIEVE_MORE,		/* it goes on: *need_out octets of input are needed at least */
	MSIEVE_DONE,		/* *used_out octets */
	MSIEVE_BAD,		/* *why_out says what is wrong; *used_out octets are to be passed over, 0: nobody knows where it ends */
	MSIEVE_TOO_LONG,	/* it is longer than max; *need_out: where its literal ends, 0: nobody knows */
};

struct msieve_parse {
	struct msieve_command command;
	size_t used, need;
	const char *why;
};

/* One command off the front of in.  max: octets that it may have, with its literals.  Strings point into in, or are in a. */
enum msieve_result msieve_parse(struct span in, size_t max, struct arena *a, struct msieve_parse *out);

/* Appends a string: quoted where that can be, else a literal. */
void msieve_put_string(struct buf *out, struct span s);
#endif
