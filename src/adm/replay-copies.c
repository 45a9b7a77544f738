/* SPDX-License-Identifier: MIT */
#include "adm/replay-copies.h"

#include "lib-storage/storage.h"

#define KNOWN_MAX 2000000
#define KEY_MAX 4096
#define READ_ALREADY "-"	/* in an EMAILID's place: that the mailbox has been read */

bool
replay_copies_init(struct replay_copies *c, struct storage *st)
{
	*c = (struct replay_copies){ .storage = st, .known = hash_new(KNOWN_MAX) };
	return c->known != NULL;
}

void
replay_copies_clear(struct replay_copies *c)
{
	hash_free(c->known);
	c->known = NULL;
}

static void
key_of(struct buf *key, struct span mailbox, struct span email_id)
{
	buf_add(key, email_id);
	buf_addc(key, ' ');
	buf_add(key, mailbox);
}

static void
add(struct replay_copies *c, struct span mailbox, struct span email_id)
{
	struct buf key = BUF_INIT(KEY_MAX);

	key_of(&key, mailbox, email_id);
	if (!key.failed)
		(void)hash_set(c->known, buf_span(&key), c);
	buf_clear(&key);
}

static bool
is_known(const struct replay_copies *c, struct span mailbox, struct span email_id)
{
	struct buf key = BUF_INIT(KEY_MAX);
	bool known;

	key_of(&key, mailbox, email_id);
	known = !key.failed && hash_get(c->known, buf_span(&key)) != NULL;
	buf_clear(&key);
	return known;
}

static void
read_mailbox(struct replay_copies *c, struct span name)
{
	struct mailbox *box = NULL;
	struct err e = ERR_INIT;

	add(c, name, SPAN(READ_ALREADY));
	if (mailbox_open(c->storage, name, MAILBOX_READ, &box, &e) == 0) {
		for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
			char id[33];

			if (mailbox_email_id(box, mailbox_uid(box, seq), id, &e) == 0)
				add(c, name, span_str(id));
		}
		mailbox_read_end(box);
	}
	mailbox_close(box);
}

bool
replay_copies_has(struct replay_copies *c, struct span mailbox, struct span email_id)
{
	if (!is_known(c, mailbox, SPAN(READ_ALREADY)))
		read_mailbox(c, mailbox);
	return is_known(c, mailbox, email_id);
}
