/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_MAIL_LIMITS_H
#define CULVER_LIB_MAIL_LIMITS_H
/*
 * How much of one message is looked at.  Past a limit a message is not refused: what is beyond is left unparsed (a
 * header's later fields are not seen, a part is not divided further), in time linear in the size of the message.
 * The whole message can always be fetched.
 */
#include <stddef.h>

struct mail_limits {
	size_t header_fields;	/* fields seen in one header */
	size_t header_octets;	/* octets of one header in which fields are looked for */
	unsigned mime_depth;	/* nesting of parts; the message itself is at depth 0 */
	unsigned mime_parts;	/* parts in the whole message, itself included */
	size_t params;		/* Content-Type and Content-Disposition parameters in the whole message */
	size_t param_octets;	/* octets of their values that had to be written anew (unquoted, unfolded) */
	size_t addresses;	/* addresses (group marks included) taken from one field */
	size_t field_octets;	/* octets of one field that go into ENVELOPE or BODYSTRUCTURE */
	size_t summary_fields;	/* octets of header fields kept in a summary; more: SUMMARY_FIELDS is not set */
	size_t summary_structure; /* octets of BODYSTRUCTURE kept in a summary; more: SUMMARY_STRUCTURE is not set */
	size_t summary_envelope; /* octets of ENVELOPE kept in a summary; more: SUMMARY_ENVELOPE is not set */
};

#define MAIL_LIMITS_DEFAULT                                                                                            \
	((struct mail_limits){ .header_fields = 5000, .header_octets = 1 << 20, .mime_depth = 100,                     \
		.mime_parts = 10000, .params = 20000, .param_octets = 1 << 20, .addresses = 5000,                      \
		.field_octets = 256 * 1024, .summary_fields = 16384, .summary_structure = 65536,              \
		.summary_envelope = 65536 })

/* What mime_parse() and the writers take from their arena at most for these limits: arena_new(MAIL_ARENA_MAX). */
#define MAIL_ARENA_MAX ((size_t)32 << 20)
#endif
