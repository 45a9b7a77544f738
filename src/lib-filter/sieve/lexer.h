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
	TOKEN_BAD,		/* error says why */
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
	struct sieve_error *error;
};

void sieve_lexer_init(struct sieve_lexer *l, struct span script, struct arena *a, struct sieve_error *error);
void sieve_lexer_next(struct sieve_lexer *l, struct sieve_token *out);
#endif
