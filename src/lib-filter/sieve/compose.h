/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_COMPOSE_H
#define CULVER_LIB_FILTER_SIEVE_COMPOSE_H
/* Pieces of the messages that scripts make: answers, notifications, reports.  CRLF line ends. */
#include "lib-filter/sieve/run.h"
#include "lib-mail/address.h"

/* What goes into an envelope: text as it is, or the address in it where there is more; a copy.  -1: no memory. */
int sieve_envelope_address(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out);
/* local@domain of what may have a name with it; empty: there is no address.  -1: no memory. */
int sieve_bare_address(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out);
/*
 * The address that a setting names: "sender", "recipient", "orig_recipient", "user_email", "postmaster", "<address>", or "<>",
 * which is empty.  p NULL: it is not set, or none of these.
 */
struct span sieve_address_setting(const struct sieve_run *r, const char *name);
struct span sieve_owner(const struct sieve_run *r);		/* the user's address, bare */
/* postmaster_address, which may have a name with it; the user's where the host knows none. */
struct span sieve_postmaster(const struct sieve_run *r);
/* A field of text that the script or the sender has made: no line ends get into it but those of folding. */
void sieve_compose_text(struct buf *out, const char *name, struct span text);
/* A list of addresses, with names in other than ASCII encoded.  -1: no memory. */
int sieve_compose_addresses(struct sieve_run *r, const struct sieve_node *n, struct buf *out, const char *name, struct span text);
void sieve_compose_list(struct sieve_run *r, struct buf *out, const char *name, const struct address *list);
/* One address, its name in quotes or encoded. */
void sieve_compose_address(struct sieve_run *r, struct buf *out, const char *name, const struct address *ad);
/* The fields of a text part, an empty line, the text. */
void sieve_compose_body(struct buf *out, struct span text);
/* The same as a part of a message that has its MIME-Version. */
void sieve_compose_part(struct buf *out, struct span text);
/* With CRLF line ends, also at the end. */
void sieve_compose_lines(struct buf *out, struct span text);
/* "Message-ID:" and "Date:" (and "X-Sieve:"), unlike those of any other message: kind is a word of the id. */
int sieve_compose_start(struct sieve_run *r, const struct sieve_node *n, struct buf *out, const char *kind, struct span to);
#endif
