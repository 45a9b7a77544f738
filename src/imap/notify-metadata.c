/* SPDX-License-Identifier: MIT */
/* Annotations as a client that watches them knows them (RFC 5465 sections 5.6 and 5.7): their names, and digests of values. */
#include <stdlib.h>

#include "imap/notify.h"
#include "lib/hash.h"
#include "lib-protocol/imap-quote.h"
#include "lib-storage/metadata.h"

#define READ_MEMORY ((size_t)32 << 20)

struct note {
	struct span name;
	uint64_t value;		/* hash_of() it */
};

struct imap_notes {
	size_t n;
	struct note v[];	/* behind them the names */
};

static struct imap_notes *
notes_of(const struct metadata *list, size_t count)
{
	struct imap_notes *notes;
	size_t octets = 0;
	char *at;

	for (size_t i = 0; i < count; i++)
		octets += list[i].name.n;
	notes = calloc(1, sizeof(*notes) + count * sizeof(struct note) + octets);
	if (notes == NULL)
		return NULL;
	at = (char *)&notes->v[count];
	for (size_t i = 0; i < count; i++) {
		if (list[i].value.p == NULL)
			continue;
		memcpy(at, list[i].name.p, list[i].name.n);
		notes->v[notes->n++] = (struct note){ span_of(at, list[i].name.n), hash_of(list[i].value) };
		at += list[i].name.n;
	}
	return notes;
}

struct imap_notes *
imap_notes_read(struct imap_session *s, struct span mailbox, struct err *e)
{
	static const struct span tops[] = { SPAN("/private"), SPAN("/shared") };
	struct arena *a = arena_new(READ_MEMORY);
	struct imap_notes *notes = NULL;
	struct metadata *list;
	size_t count;

	if (a == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else if (storage_metadata_get(s->st, mailbox, tops, 2, METADATA_ALL, a, &list, &count, e) == 0 &&
	    (notes = notes_of(list, count)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	arena_free(a);
	return notes;
}

static const struct note *
find(const struct imap_notes *notes, struct span name)
{
	for (size_t i = 0; i < notes->n; i++)
		if (span_eq(notes->v[i].name, name))
			return &notes->v[i];
	return NULL;
}

struct teller {
	struct imap_session *s;
	struct span mailbox;
	const struct imap_own_notes *own;
	bool begun;
};

/* RFC 5464 section 4.4.2: the names alone. */
static void
put_name(struct teller *t, struct span name)
{
	struct imap_session *s = t->s;

	for (size_t i = 0; i < t->own->count; i++)
		if (span_eq(t->own->list[i].name, name))
			return;
	if (!t->begun) {
		stream_put(&s->io, SPAN("* METADATA "));
		if (t->mailbox.n == 0)
			stream_put(&s->io, SPAN("\"\""));
		else
			imap_put_mailbox(s, t->mailbox);
	}
	t->begun = true;
	buf_reset(&s->scratch);
	buf_addc(&s->scratch, ' ');
	imap_astring_write(&s->scratch, name);
	stream_put(&s->io, buf_span(&s->scratch));
}

void
imap_notes_tell(struct imap_session *s, struct span mailbox, const struct imap_notes *before, const struct imap_notes *now,
    const struct imap_own_notes *own)
{
	struct teller t = { s, mailbox, own, false };

	for (size_t i = 0; i < now->n; i++) {
		const struct note *old = find(before, now->v[i].name);

		if (old == NULL || old->value != now->v[i].value)
			put_name(&t, now->v[i].name);
	}
	for (size_t i = 0; i < before->n; i++)
		if (find(now, before->v[i].name) == NULL)
			put_name(&t, before->v[i].name);
	if (t.begun)
		stream_put(&s->io, SPAN("\r\n"));
}
