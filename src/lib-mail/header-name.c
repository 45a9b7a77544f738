/* SPDX-License-Identifier: MIT */
#include "lib-mail/header-name.h"

/* A field name's length and three of its letters tell nearly all of the table apart: one probe, one comparison. */
enum { SLOTS = 1024, NAME_MAX_OCTETS = 40 };

static const struct span names[HEADER_IDS] = {
	[HEADER_UNKNOWN] = { "", 0 },
#define FIELD(id, name) [HEADER_##id] = { name, sizeof(name) - 1 },
#include "lib-mail/header-name.def"
#undef FIELD
};

static unsigned char slots[SLOTS];	/* ids; filled before main(), constant from then on */

_Static_assert(HEADER_IDS <= 256, "ids are stored in one octet");

static unsigned
slot_of(struct span name)
{
	unsigned a = (unsigned char)name.p[0] | 0x20u, b = (unsigned char)name.p[name.n - 1] | 0x20u;
	unsigned c = (unsigned char)name.p[name.n / 2] | 0x20u;

	return (a * 31 + b * 131 + c * 7 + (unsigned)name.n * 37) % SLOTS;
}

static void __attribute__((constructor))
slots_fill(void)
{
	for (unsigned id = 1; id < HEADER_IDS; id++) {
		unsigned s = slot_of(names[id]);

		while (slots[s] != 0)
			s = (s + 1) % SLOTS;
		slots[s] = (unsigned char)id;
	}
}

enum header_id
header_id(struct span name)
{
	if (name.n == 0 || name.n > NAME_MAX_OCTETS)
		return HEADER_UNKNOWN;
	for (unsigned s = slot_of(name); slots[s] != 0; s = (s + 1) % SLOTS) {
		if (names[slots[s]].n == name.n && span_ieq(names[slots[s]], name))
			return (enum header_id)slots[s];
	}
	return HEADER_UNKNOWN;
}

struct span
header_id_name(enum header_id id)
{
	return (unsigned)id < HEADER_IDS ? names[id] : names[HEADER_UNKNOWN];
}
