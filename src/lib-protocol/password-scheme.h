/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_PASSWORD_SCHEME_H
#define CULVER_LIB_PROTOCOL_PASSWORD_SCHEME_H
/*
 * Stored passwords: "{SCHEME}data", "{SCHEME.b64}data", "{SCHEME.hex}data"; without a scheme the database's default one.
 * All functions are pure and safe to call from any thread.
 */
#include "lib/buf.h"
#include "lib/err.h"

#define PW_STORED_MAX 4096	/* octets of a stored password, with its scheme */

struct pw_scheme;

enum pw_encoding { PW_ENC_USUAL, PW_ENC_B64, PW_ENC_HEX };

struct pw_hash {
	const struct pw_scheme *scheme;
	enum pw_encoding encoding;
	struct span data;	/* borrowed from the text that was parsed */
};

enum pw_verdict { PW_MATCH, PW_MISMATCH, PW_BROKEN };

/* ERR_NOTFOUND a scheme that is not known or not supported by this system, ERR_SYNTAX, ERR_LIMIT.  The text in e
 * holds the scheme's name, never the data. */
int pw_parse(struct span stored, struct span default_scheme, struct pw_hash *out, struct err *e);
/* Whether a verification takes long enough (crypt(3) hashes) to be no work for an event loop. */
bool pw_is_slow(const struct pw_hash *h);
/* Constant time in the stored data.  A password with a NUL inside never matches a crypt(3) hash (never cut short).
 * PW_BROKEN with e set: what is stored makes no sense. */
enum pw_verdict pw_verify(const struct pw_hash *h, struct span password, struct err *e);
/*
 * Appends "{SCHEME}data" with a random salt.  scheme may have a .b64 or .hex suffix; rounds 0: the usual number.
 * ERR_NOTFOUND, ERR_SYNTAX for a password that the scheme can not hold.
 */
int pw_generate(struct span scheme, struct span password, unsigned long rounds, struct buf *out, struct err *e);
/* The name of the scheme with this number, or NULL at the end of the list (`culveradm pw -l'). */
const char *pw_scheme_name(size_t idx);
#endif
