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
	MSIEVE_MORE,		/* it goes on: need octets of input are needed at least; one more: up to the next line end */
	MSIEVE_DONE,		/* used octets */
	MSIEVE_BAD,		/* why says what is wrong; used octets are to be passed over */
	MSIEVE_TOO_LONG,	/* it is longer than it may be; need: where its literal ends, 0: nobody knows */
};

struct msieve_parse {
	struct msieve_command command;
	size_t used, need;
	const char *why;
};

/*
 * One command off the front of in.  It may have max_line octets, and max_literal more where it has literals.  Strings point into
 * in, or are in a.
 */
enum msieve_result msieve_parse(struct span in, size_t max_line, size_t max_literal, struct arena *a, struct msieve_parse *out);

/* Appends a string: quoted where that can be, else a literal. */
void msieve_put_string(struct buf *out, struct span s);
#endif
