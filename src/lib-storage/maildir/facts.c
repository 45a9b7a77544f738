/* SPDX-License-Identifier: MIT */
/*
 * culver-uidlist, as it goes on after a mailbox was taken over: what POP3 calls messages, and GUIDs that another server gave.
 * UIDLs that are to be kept (pop3_save_uidl) are appended to it; the last entry of a UID counts.
 */
#include "lib-storage/maildir/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-storage/mailbox.h"
#include "lib/log.h"
#include "lib/sys.h"

#define APPEND_SLACK 65536	/* octets that entries of messages that are gone may take, and these many a message */
#define APPEND_EACH 300

bool
maildir_facts_tag_fits(const struct uidlist *l, const struct maildir_name *n)
{
	const struct uidlist_entry *entry = n->uid >= l->next ? NULL : uidlist_by_uid(l, n->uid);
	char mine[MAILDIR_NAME_MAX + 1], listed[MAILDIR_NAME_MAX + 1], tagged[MAILDIR_NAME_MAX + 1];

	/* A UID below those that the list had free belongs to the file that the list has it for, under the name it had then. */
	if (n->uid >= l->next || entry == NULL)
		return n->uid >= l->next;
	maildir_name_plain(mine, n->base);
	maildir_name_plain(listed, uidlist_name(l, entry));
	/* A name that had no room for the UID was replaced by another. */
	return strcmp(mine, listed) == 0 || !maildir_name_tag(tagged, uidlist_name(l, entry), n->uidvalidity, n->uid);
}

bool
maildir_facts_uidl(const struct uidlist *l, uint32_t uid, struct span base, char room[MAILDIR_NAME_MAX + 1],
    struct span *out)
{
	const struct uidlist_entry *entry = uidlist_by_uid(l, uid);

	if (entry == NULL || !uidlist_field(l, entry, UIDLIST_UIDL, out))
		return false;
	if (out->n == 0)
		*out = span_of(room, maildir_name_plain(room, base));
	return out->n > 0 && out->n <= 255;
}

uint64_t
maildir_facts_size(const struct uidlist *l, uint32_t uid, uint64_t file_size)
{
	const struct uidlist_entry *entry = uidlist_by_uid(l, uid);
	struct span v;
	uint64_t size;

	if (entry != NULL && uidlist_field(l, entry, UIDLIST_PHYSICAL, &v) && span_u64(v, INT64_MAX, &size) &&
	    size == file_size && uidlist_field(l, entry, UIDLIST_VIRTUAL, &v) && span_u64(v, INT64_MAX, &size))
		return size;
	return IDX_SIZE_UNKNOWN;
}

uint32_t
maildir_facts_keywords(const struct uidlist *l, struct span base)
{
	const struct uidlist_entry *entry = uidlist_by_name(l, base);
	uint32_t mask = 0;
	struct span v;

	if (entry == NULL || !uidlist_field(l, entry, UIDLIST_KEYWORDS, &v))
		return 0;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 'a' && v.p[i] <= 'z')
			mask |= (uint32_t)1 << (v.p[i] - 'a');
	return mask;
}

void
maildir_facts_forget(struct maildir_box *box)
{
	if (box->facts != NULL)
		maildir_list_file_clear(box->facts);
	free(box->facts);
	box->facts = NULL;
	box->facts_known = false;
}

/* The list, read once for as long as the box is open; NULL in *out: there is none. */
static int
facts_of(struct maildir_box *box, const struct maildir_list_file **out, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	int rc;

	*out = box->facts;
	if (box->facts_known)
		return 0;
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	if (rc != 1)
		return rc == -1 ? -1 : err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	box->facts = calloc(1, sizeof(*box->facts));
	if (box->facts == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	rc = maildir_facts_read(box, st.uidvalidity, box->facts, e);
	if (rc != 1) {
		free(box->facts);
		box->facts = NULL;
	}
	box->facts_known = rc != -1;
	*out = box->facts;
	return rc == -1 ? -1 : 0;
}

/* The head of the list tells it: the rest may be large. */
int
maildir_foreign_guid(void *b, char out[65], struct err *e)
{
	struct maildir_box *box = b;
	int dir = maildir_control_dir(box, false, e), fd;
	struct uidlist head;
	char text[512];
	ssize_t n = 0;

	out[0] = '\0';
	if (dir == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open the control directory of %s", box->path);
	fd = openat(dir, FACTS_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(dir);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open %s of %s", FACTS_NAME, box->path);
	do
		n = read(fd, text, sizeof(text));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		err_errno(e, "read %s of %s", FACTS_NAME, box->path);
	close(fd);
	if (n > 0 && uidlist_parse(span_of(text, (size_t)n), &head)) {
		if (head.guid.n < 65) {
			memcpy(out, head.guid.n == 0 ? "" : head.guid.p, head.guid.n);
			out[head.guid.n] = '\0';
		}
		uidlist_clear(&head);
	}
	return n == -1 ? -1 : 0;
}

static void
copy_name(char out[256], struct span s)
{
	size_t n = s.n < 255 ? s.n : 255;

	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

enum drv_rc
maildir_names(void *b, uint32_t uid, struct span record_name, char file[256], char guid[256], struct err *e)
{
	struct maildir_box *box = b;
	const struct maildir_list_file *facts;
	const struct uidlist_entry *entry;
	struct span v;

	maildir_name_plain(file, span_sub(record_name, 0, span_chr(record_name, ':')));
	if (guid == NULL)
		return DRV_OK;
	if (facts_of(box, &facts, e) == -1)
		return drv_of(e);
	entry = facts == NULL ? NULL : uidlist_by_uid(&facts->list, uid);
	if (entry != NULL && uidlist_field(&facts->list, entry, UIDLIST_GUID, &v) && v.n > 0)
		copy_name(guid, v);
	else
		copy_name(guid, span_str(file));
	return DRV_OK;
}

/* named: as the UID's only entry; without the name it replaces the fields of the one that is there. */
static void
put_uidl(struct buf *out, const struct uidlist *l, const struct mailbox_uidl *m, bool named)
{
	static const enum uidlist_field others[] = { UIDLIST_GUID, UIDLIST_ORDER };
	const struct uidlist_entry *entry = l == NULL ? NULL : uidlist_by_uid(l, m->uid);
	struct span v;

	uidlist_put_uid(out, m->uid);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (entry != NULL && uidlist_field(l, entry, others[i], &v))
			uidlist_put_field(out, others[i], v);
	uidlist_put_field(out, UIDLIST_UIDL, m->uidl);
	uidlist_put_name(out, entry == NULL || !named ? SPAN_NONE : uidlist_name(l, entry));
}

/* The list without messages that are gone. */
static int
write_anew(struct maildir_box *box, int dir, const struct uidlist *l, const struct mailbox_uidl *list, size_t count,
    struct err *e)
{
	struct buf text = BUF_INIT(UIDLIST_OCTETS);
	struct index_txn *t;
	struct idx_message m;
	size_t k = 0;
	int rc = index_read(box->store->ix, &t, e);

	uidlist_put_head(&text, l->uidvalidity, l->next, l->guid, l->fence);
	for (size_t i = 0; i < l->entries.n && rc != -1; i++) {
		const struct uidlist_entry *entry = array_at(&l->entries, i);

		while (k < count && list[k].uid < entry->uid)
			k++;
		if (k < count && list[k].uid == entry->uid)
			continue;	/* is written below */
		rc = index_message_get(t, box->id, entry->uid, &m, e);
		if (rc != 1)
			continue;
		uidlist_put_uid(&text, entry->uid);
		buf_add(&text, span_sub(l->text, entry->fields, entry->fields_n));
		if (entry->fields_n > 0)
			buf_addc(&text, ' ');
		uidlist_put_name(&text, uidlist_name(l, entry));
	}
	index_read_end(box->store->ix);
	for (size_t i = 0; i < count; i++)
		put_uidl(&text, l, &list[i], true);
	if (rc != -1 && text.failed)
		rc = err_set(e, ERR_LIMIT, "%s: %s is too large", box->path, FACTS_NAME);
	if (rc != -1)
		rc = maildir_replace(dir, FACTS_NAME, buf_span(&text), maildir_box_perm(box), e);
	buf_clear(&text);
	return rc == -1 ? -1 : 0;
}

static int
append(struct maildir_box *box, int dir, uint32_t uidvalidity, const struct uidlist *l, const struct mailbox_uidl *list,
    size_t count, struct err *e)
{
	struct buf text = BUF_INIT(UIDLIST_OCTETS);
	int rc, fd;

	for (size_t i = 0; i < count; i++)
		put_uidl(&text, l, &list[i], false);
	if (l == NULL) {
		struct buf whole = BUF_INIT(UIDLIST_OCTETS);

		/* All UIDs are above it: names tell which is whose. */
		uidlist_put_head(&whole, uidvalidity, 1, SPAN_NONE, 0);
		buf_add(&whole, buf_span(&text));
		rc = text.failed || whole.failed ? err_set(e, ERR_LIMIT, "too many UIDLs") :
		    maildir_replace(dir, FACTS_NAME, buf_span(&whole), maildir_box_perm(box), e);
		buf_clear(&whole);
		buf_clear(&text);
		return rc;
	}
	fd = openat(dir, FACTS_NAME, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	rc = fd == -1 ? err_errno(e, "open %s/%s", box->path, FACTS_NAME) : 0;
	/* Behind a line that was cut by a crash. */
	if (rc == 0 && l->text.n > 0 && l->text.p[l->text.n - 1] != '\n')
		rc = fd_write_all(fd, SPAN("\n"), e);
	if (rc == 0)
		rc = text.failed ? err_set(e, ERR_LIMIT, "too many UIDLs") : fd_write_all(fd, buf_span(&text), e);
	if (rc == 0 && box->store->p.fsync != FSYNC_NEVER && fsync(fd) == -1)
		rc = err_errno(e, "sync %s/%s", box->path, FACTS_NAME);
	if (fd != -1)
		close(fd);
	buf_clear(&text);
	return rc;
}

enum drv_rc
maildir_uidls_save(void *b, const struct mailbox_uidl *list, size_t count, struct err *e)
{
	struct maildir_box *box = b;
	struct maildir_list_file facts;
	struct index_txn *t;
	struct idx_state st;
	int dir, have, rc;

	if (maildir_box_lock(box, e) == -1)
		return drv_of(e);
	rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
	index_read_end(box->store->ix);
	if (rc == 0)
		rc = err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	have = rc == -1 ? -1 : maildir_facts_read(box, st.uidvalidity, &facts, e);
	dir = have == -1 ? -1 : maildir_control_dir(box, false, e);
	if (have == -1)
		rc = -1;
	else if (dir == -1)
		rc = err_errno(e, "open the control directory of %s", box->path);
	else if (have == 1 && facts.text.n > APPEND_SLACK + (size_t)st.messages * APPEND_EACH)
		rc = write_anew(box, dir, &facts.list, list, count, e);
	else
		rc = append(box, dir, st.uidvalidity, have == 1 ? &facts.list : NULL, list, count, e);
	if (have == 1)
		maildir_list_file_clear(&facts);
	if (dir != -1)
		close(dir);
	maildir_facts_forget(box);
	maildir_box_unlock(box);
	return rc == -1 ? drv_of(e) : DRV_OK;
}
