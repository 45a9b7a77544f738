/* SPDX-License-Identifier: MIT */
/*
 * COPY and MOVE within one store: one write transaction for both mailboxes; files are linked or renamed, never read.
 * The summary and all that is known of a message is copied from record to record.
 */
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/sys.h"

struct copying {
	struct maildir_box *to, *from;
	struct change_set *cs;
	struct index_txn *t;
	struct idx_state to_st, from_st;
	struct arena *a;		/* names */
	char **from_paths, **to_paths;	/* of those done */
	size_t done;
	struct maildir_own own_to, own_from;
	bool renamed;			/* a file was not where the index has it */
	bool all_back;			/* what was done to files is undone */
	struct idx_batch batch;
};

/* Copies the octets where a link can not be made. */
static int
copy_file(struct copying *c, const char *from, const char *to, struct err *e)
{
	char tmp[64], room[65536];
	struct stat sb;
	int in = openat(c->from->fd, from, O_RDONLY | O_CLOEXEC), out, rc = 0;
	ssize_t n;

	if (in == -1)
		return errno == ENOENT ? 1 : err_errno(e, "open %s/%s", c->from->path, from);
	snprintf(tmp, sizeof(tmp), "tmp/%lld.P%dC.culver", (long long)clock_wall_us(), (int)getpid());
	out = maildir_perm_create(c->to->fd, tmp, O_WRONLY | O_EXCL, maildir_box_perm(c->to));
	if (out == -1) {
		err_errno(e, "make a file in %s/tmp", c->to->path);
		close(in);
		return -1;
	}
	while (rc == 0 && (n = read(in, room, sizeof(room))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		rc = n == -1 ? err_errno(e, "read %s/%s", c->from->path, from) : fd_write_all(out, span_of(room, (size_t)n), e);
	}
	if (rc == 0) {
		struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };

		/* The file's time is INTERNALDATE, should the index be lost. */
		rc = fstat(in, &sb);
		ts[1] = sb.st_mtim;
		if (rc == -1 || futimens(out, ts) == -1)
			rc = err_errno(e, "set the time of %s/%s", c->to->path, tmp);
	}
	if (rc == 0 && c->cs->durable && fsync(out) == -1)
		rc = err_errno(e, "sync %s/%s", c->to->path, tmp);
	if (rc == 0 && renameat(c->to->fd, tmp, c->to->fd, to) == -1) {
		rc = err_errno(e, "rename %s/%s", c->to->path, tmp);
		/* A server of files may have done it nonetheless. */
		unlinkat(c->to->fd, to, 0);
	}
	if (rc == -1)
		unlinkat(c->to->fd, tmp, 0);
	close(in);
	close(out);
	return rc;
}

/* 0, 1 when the file is not there, -1. */
static int
transfer(struct copying *c, const char *from, const char *to, struct err *e)
{
	int rc;

	if (c->cs->move)
		rc = renameat(c->from->fd, from, c->to->fd, to);
	else if (c->to->store->p.copy_by_link)
		rc = linkat(c->from->fd, from, c->to->fd, to, 0);
	else
		return copy_file(c, from, to, e);
	if (rc == 0)
		return 0;
	if (errno == ENOENT)
		return 1;
	if (!c->cs->move && (errno == EMLINK || errno == EPERM || errno == EXDEV || errno == EOPNOTSUPP))
		return copy_file(c, from, to, e);
	rc = errno;
	/* A server of files may have done it nonetheless. */
	if (c->cs->move)
		renameat(c->to->fd, to, c->from->fd, from);
	else if (rc != EEXIST)
		unlinkat(c->to->fd, to, 0);
	errno = rc;
	return err_errno(e, "%s %s/%s to %s", c->cs->move ? "move" : "copy", c->from->path, from, c->to->path);
}

static uint64_t
map_keywords(struct change_set *cs, uint64_t keywords)
{
	uint64_t out = 0;

	for (int i = 0; i < INDEX_KEYWORDS && keywords >> i != 0; i++) {
		if (!(keywords >> i & 1))
			continue;
		if (cs->keyword_map[i] < INDEX_KEYWORDS)
			out |= (uint64_t)1 << cs->keyword_map[i];
		else if (cs->keyword_map[i] == KEYWORD_UNKNOWN)
			cs->keyword_missed = true;
	}
	return out;
}

/* Fills in add and the two paths.  1, 0 the message has gone, -1.  Nothing of it points into the index. */
static int
prepare(struct copying *c, struct change_add *add, uint32_t uid, char **from_out, char **to_out, struct err *e)
{
	char base[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
	struct idx_message *m = &add->rec;
	struct span summary = SPAN_NONE;
	struct maildir_name old;
	uint64_t size, virtual_size;
	bool cur;
	int rc = index_message_get(c->t, c->from->id, add->source_uid, m, e);

	if (rc != 1)
		return rc;
	maildir_name_parse(m->name, &old);
	maildir_name_sizes(&old, m->physical_size, m->size, &size, &virtual_size);
	if (index_summary_get(c->t, c->from->id, add->source_uid, &summary, e) == -1)
		return -1;
	*from_out = arena_printf(c->a, "%s/%.*s", maildir_subdirs[m->bits & IDX_NEW ? SUB_NEW : SUB_CUR], SPAN_ARG(m->name));
	m->keywords = map_keywords(c->cs, m->keywords);
	if (c->cs->keyword_missed)
		return -1;
	cur = m->flags != 0 || m->keywords != 0 || old.info.n > 0;
	if (!maildir_name_new(base, size, virtual_size, c->to_st.uidvalidity, uid) ||
	    !maildir_name_info(name, span_str(base), old.info, m->flags, m->keywords, cur))
		return err_set(e, ERR_LIMIT, "%s: no name for a file", c->to->path);
	*to_out = arena_printf(c->a, "%s/%s", maildir_subdirs[cur ? SUB_CUR : SUB_NEW], name);
	add->uid = uid;
	add->summary = summary.n == 0 ? SPAN_NONE : arena_dup(c->a, summary);
	/* What the name can not tell is written behind. */
	m->bits = (uint8_t)((m->bits & (IDX_DIGEST | IDX_BY_NAME)) | (cur ? 0 : IDX_NEW) | (m->keywords >> MAILDIR_LETTERS != 0 ? IDX_DIRTY : 0));
	m->uidl = SPAN_NONE;
	m->save_date = time(NULL);
	if (*from_out == NULL || *to_out == NULL)
		return err_set(e, ERR_LIMIT, "too many messages to copy at once");
	m->name = span_str(*to_out + 4);
	return 1;
}

static bool
is_same_box(const struct copying *c)
{
	return c->to == c->from || c->to->id == c->from->id;
}

static int
transfer_all(struct copying *c, struct err *e)
{
	struct box_change *add = c->cs->box[0];
	struct maildir_own *own_from = is_same_box(c) ? &c->own_to : &c->own_from;
	size_t kept = 0;

	for (size_t i = 0; i < add->add_count; i++) {
		struct change_add *a = &add->adds[i];
		char *from = NULL, *to = NULL;
		int sub_from, sub_to;
		int rc = prepare(c, a, c->to_st.uidnext + (uint32_t)kept, &from, &to, e);

		if (rc == -1)
			return -1;
		if (rc == 0)
			continue;
		sub_from = from[0] == 'n' ? SUB_NEW : SUB_CUR;
		sub_to = to[0] == 'n' ? SUB_NEW : SUB_CUR;
		maildir_own_will(&c->own_to, sub_to);
		if (c->cs->move)
			maildir_own_will(own_from, sub_from);
		rc = transfer(c, from, to, e);
		if (rc == -1)
			return -1;
		if (rc == 1) {
			c->renamed = true;
			return -1;
		}
		c->from_paths[kept] = from;
		c->to_paths[kept] = to;
		c->done = kept + 1;
		maildir_own_did(&c->own_to, sub_to, 1);
		if (c->cs->move)
			maildir_own_did(own_from, sub_from, 1);
		add->adds[kept++] = *a;
	}
	add->add_count = kept;
	return 0;
}

static void
undo(struct copying *c)
{
	for (size_t i = c->done; i-- > 0;) {
		int rc = c->cs->move ? renameat(c->to->fd, c->to_paths[i], c->from->fd, c->from_paths[i]) :
		    unlinkat(c->to->fd, c->to_paths[i], 0);

		c->all_back = c->all_back && (rc == 0 || errno == ENOENT);
	}
	c->done = 0;
}

static int
apply_both(struct copying *c, struct err *e)
{
	struct box_change *add = c->cs->box[0], *gone = c->cs->box[1];

	if (index_apply(c->t, add, &c->to_st, e) == -1 || maildir_batch_end(c->t, &c->batch, e) == -1)
		return -1;
	if (!c->cs->move)
		return 0;
	uint32_t *uids = arena_alloc(c->a, add->add_count, sizeof(*uids));

	if (uids == NULL)
		return err_set(e, ERR_LIMIT, "too many messages to move at once");
	for (size_t i = 0; i < add->add_count; i++)
		uids[i] = add->adds[i].source_uid;
	gone->expunges = uids;
	gone->expunge_count = add->add_count;
	return index_apply(c->t, gone, is_same_box(c) ? &c->to_st : &c->from_st, e);
}

static enum drv_rc
copy_once(struct copying *c, struct err *e)
{
	size_t count = c->cs->box[0]->add_count;
	enum drv_rc drc;
	int rc;

	/* A move is one message after the other: each is in one of the two mailboxes. */
	if (maildir_batch_begin(c->to, c->cs->move ? 0 : count, &c->batch, e) == -1)
		return drv_of(e);
	drc = maildir_begin(c->to, (uint32_t)count, &c->t, &c->to_st, e);
	if (drc != DRV_OK)
		return drc;
	c->done = 0;
	c->renamed = false;
	c->all_back = true;
	rc = c->from->generation == index_generation(index_txn_index(c->t)) ?
	    index_state_get(c->t, c->from->id, &c->from_st, e) : 0;
	if (rc == 0) {
		index_abort(c->t);
		drc = maildir_find_again(c->from, e);
		return drc == DRV_OK ? DRV_CONFLICT : drc;
	}
	if (rc == 1 && c->from_st.bits & IDX_STATE_UNSCANNED) {
		index_abort(c->t);
		c->renamed = true;
		return DRV_CONFLICT;
	}
	if (rc == 1 && c->cs->move && !maildir_has_room(&c->from_st, 0)) {
		index_abort(c->t);
		drc = maildir_reserve(c->from, 0, e);
		return drc == DRV_OK ? DRV_CONFLICT : drc;
	}
	if (rc == 1) {
		drc = maildir_claim(c->to, c->t, &c->to_st, (uint32_t)count, e);
		if (drc != DRV_OK)
			return drc;
	}
	maildir_own_begin(&c->own_to, c->to, &c->to_st);
	maildir_own_begin(&c->own_from, c->from, &c->from_st);
	rc = rc != 1 ? -1 : transfer_all(c, e);
	maildir_own_end(&c->own_to, rc == 0 ? &c->to_st : NULL);
	maildir_own_end(&c->own_from, rc == 0 ? &c->from_st : NULL);
	if (rc == 0)
		rc = apply_both(c, e);
	/* Some were gone, perhaps. */
	if (rc == 0 && c->cs->box[0]->add_count != count)
		rc = index_claim_put(c->t, c->to->id, c->to_st.uidnext, e);
	if (rc == 0) {
		rc = index_commit(c->t, e);
	} else {
		struct err none = ERR_INIT;

		/* With the lock in hand: nobody is to find the names. */
		undo(c);
		if (c->all_back)
			index_claim_put(c->t, 0, 0, &none);
		index_abort(c->t);
	}
	if (rc == 0 && c->cs->durable &&
	    (maildir_dirs_sync(c->to, c->own_to.events, e) == -1 ||
	    /* A rename lost from the source alone would leave the message in both: only `always' waits for that, too. */
	    (c->cs->move && c->to->store->p.fsync == FSYNC_ALWAYS && maildir_dirs_sync(c->from, c->own_from.events, e) == -1)))
		return drv_of(e);	/* a move is not undone: the mail is in one of the two */
	if (rc == 0)
		return DRV_OK;
	undo(c);
	if (!c->all_back && !c->cs->move)
		c->batch.count = 0;	/* the note stays: a scan will see to it */
	maildir_batch_forget(c->to, &c->batch);
	return c->renamed || c->cs->keyword_missed ? DRV_CONFLICT : drv_of(e);
}

/* A try that failed may have closed the gaps of messages that are gone. */
static void
restore_adds(struct box_change *add, const uint32_t *sources, size_t count)
{
	add->add_count = sources == NULL ? 0 : count;
	for (size_t i = 0; i < add->add_count; i++)
		add->adds[i].source_uid = sources[i];
}

enum drv_rc
maildir_commit_copy(struct maildir_store *s, struct change_set *cs, struct err *e)
{
	struct copying c = { .to = cs->driver_box[0], .from = cs->driver_box[1], .cs = cs };
	size_t count = cs->box[0]->add_count;
	uint32_t *sources = calloc(count + 1, sizeof(*sources));
	enum drv_rc drc = DRV_CONFLICT;

	(void)s;
	c.a = arena_new(SIZE_MAX / 2);
	c.from_paths = calloc(count + 1, sizeof(char *));
	c.to_paths = calloc(count + 1, sizeof(char *));
	if (sources == NULL || c.a == NULL || c.from_paths == NULL || c.to_paths == NULL)
		drc = (err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR);
	for (size_t i = 0; i < count && drc == DRV_CONFLICT; i++)
		sources[i] = cs->box[0]->adds[i].source_uid;
	for (int try = 0; try < 4 && drc == DRV_CONFLICT && !cs->keyword_missed; try++) {
		arena_reset(c.a);
		restore_adds(cs->box[0], sources, count);
		drc = copy_once(&c, e);
		/* A file that another program has renamed: the scan finds it, or its message gone. */
		if (drc == DRV_CONFLICT && c.renamed) {
			enum drv_rc scan = maildir_sync(c.from, true, e);

			if (scan != DRV_OK)
				drc = scan;
		}
	}
	if (drc == DRV_CONFLICT && !cs->keyword_missed)
		err_set(e, ERR_TEMP, "%s: other programs rename its files all the time", c.from->path);
	if (drc != DRV_OK)
		restore_adds(cs->box[0], sources, count);
	else
		maildir_added(c.to, cs->box[0]);
	for (size_t i = 0; i < cs->box[0]->add_count; i++) {
		cs->box[0]->adds[i].rec.name = SPAN_NONE;
		cs->box[0]->adds[i].summary = SPAN_NONE;
		if (drc != DRV_OK)
			cs->box[0]->adds[i].uid = 0;
	}
	cs->box[1]->expunges = NULL;
	arena_free(c.a);
	free(c.from_paths);
	free(c.to_paths);
	free(sources);
	return drc;
}
