/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_LEXER_H
#define CULVER_LIB_FILTER_SIEVE_LEXER_H
/* Tokens of Sieve (RFC 5228 section 8.1).  Pure: spans into the script, or into the arena where octets had to be changed. */
#include "lib-filter/sieve/ast.h"

enum sieve_token_type {
	TOKEN_END,
	TOKEN_IDENTIFIER,
	TOKEN_TAG,		/* text without the colon */
	TOKEN_NUMBER,
	TOKEN_STRING,		/* quoted or multi-line, what it stands for */
	TOKEN_MARK,		/* one of ( ) [ ] { } , ; in text */
	TOKEN_BAD,		/* it has been told why */
};

struct sieve_token {
	enum sieve_token_type type;
	unsigned line;
	struct span text;
	uint64_t number;
};

struct sieve_lexer {
	struct span in;		/* what is left */
	struct arena *a;
	unsigned line;
	struct sieve_mistakes *mistakes;
	bool quiet;		/* what is wrong is not told: it is being skipped */
	bool lost;		/* a string or comment without end has taken the rest: TOKEN_END comes early */
	bool no_dot;		/* no line of what is left ends a text: */
};

/* What is wrong is told, and gone on behind: a number, or a string, stays one. */
void sieve_lexer_init(struct sieve_lexer *l, struct span script, struct arena *a, struct sieve_mistakes *mistakes);
void sieve_lexer_next(struct sieve_lexer *l, struct sieve_token *out);
#endif
