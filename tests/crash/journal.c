/* SPDX-License-Identifier: MIT */
/*
 * What a power cut leaves.  Two things are certain: the content of a file as it was at its last fsync, and the entries
 * of a directory as they were at its last fsync.  Of what came behind, the file system may have written all, nothing, or
 * some: of a directory's entries a prefix (all of ext4, xfs and btrfs keep their order within one directory), of
 * a file's content any part, with zeros where only its size was written.  A rename is whole or not at all.  An fsync of a
 * file promises nothing of its name.  The index is never synced, so of it anything can be there: each page as it is, or as
 * it once was.
 */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define SECTOR 512	/* is written whole or not at all */

uint64_t
random_next(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void
journal_clear(struct journal *j)
{
	for (size_t i = 0; i < j->count; i++) {
		free(j->events[i].name);
		free(j->events[i].name_to);
		free(j->events[i].data);
	}
	free(j->events);
	tree_clear(&j->base);
	tree_clear(&j->now);
	*j = (struct journal){ 0 };
}

struct cut {
	const struct journal *j;
	const struct choice *c;
	size_t end;		/* events before it happened */
	size_t *synced;		/* of each node: events before it are safe */
	size_t *kept;		/* of each directory: entries before it are there */
	size_t prefix, last;	/* ENTRIES_PREFIX; the last entry that was not safe */
	bool *in_index;		/* of each node */
	uint64_t seed;
	struct tree *out;
};

static bool
is_safe(const struct cut *k, size_t i)
{
	const struct event *ev = &k->j->events[i];

	return (ev->dir != NO_NODE && i < k->synced[ev->dir]) || (ev->dir_to != NO_NODE && i < k->synced[ev->dir_to]);
}

static bool
is_of_index(const struct cut *k, const struct event *ev)
{
	return k->c->index != INDEX_AS_FILES && ((ev->dir != NO_NODE && k->in_index[ev->dir]) ||
	    (ev->dir_to != NO_NODE && k->in_index[ev->dir_to]));
}

static bool
entry_survives(const struct cut *k, size_t i)
{
	const struct event *ev = &k->j->events[i];

	if (is_safe(k, i) || is_of_index(k, ev))
		return true;
	switch (k->c->entries) {
	case ENTRIES_SYNCED:
		return false;
	case ENTRIES_ALL:
		return true;
	case ENTRIES_BUT_LAST:
		return i != k->last;
	case ENTRIES_PREFIX:
		return i < k->prefix;
	case ENTRIES_RANDOM:
		return (ev->dir != NO_NODE && i < k->kept[ev->dir]) || (ev->dir_to != NO_NODE && i < k->kept[ev->dir_to]);
	}
	return false;
}

/* Where the randomness of the entries lies, all of it decided before. */
static void
choose_entries(struct cut *k)
{
	size_t safe = 0;

	k->last = SIZE_MAX;
	for (size_t i = 0; i < k->end; i++) {
		if (k->j->events[i].kind != EV_ENTRY)
			continue;
		if (is_safe(k, i))
			safe = i + 1;
		else if (!is_of_index(k, &k->j->events[i]))
			k->last = i;
	}
	k->prefix = safe + random_next(&k->seed) % (k->end - safe + 1);
	for (size_t d = 0; d < k->j->now.count; d++) {
		size_t from = k->synced[d];

		/* Often all or nothing: what is in between is found as well. */
		switch (random_next(&k->seed) % 3) {
		case 0:
			k->kept[d] = from;
			break;
		case 1:
			k->kept[d] = k->end;
			break;
		default:
			k->kept[d] = from + random_next(&k->seed) % (k->end - from + 1);
		}
	}
}

static void
apply_entries(struct cut *k)
{
	bool *behind = must_alloc(k->j->now.count * sizeof(*behind));	/* directories of which an entry was lost */

	for (size_t i = 0; i < k->end; i++) {
		const struct event *ev = &k->j->events[i];

		if (ev->kind == EV_TIME && k->out->nodes[ev->node].dir && !behind[ev->node])
			k->out->nodes[ev->node].mtime = ev->time;
		if (ev->kind != EV_ENTRY)
			continue;
		if (!entry_survives(k, i)) {
			if (ev->dir != NO_NODE)
				behind[ev->dir] = true;
			if (ev->dir_to != NO_NODE)
				behind[ev->dir_to] = true;
			continue;
		}
		if (ev->dir != NO_NODE) {
			tree_unlink(k->out, ev->dir, ev->name);
			if (!behind[ev->dir])
				k->out->nodes[ev->dir].mtime = ev->dir_time;
		}
		if (ev->dir_to != NO_NODE && ev->node != NO_NODE) {
			tree_link(k->out, ev->dir_to, ev->name_to, ev->node);
			if (!behind[ev->dir_to])
				k->out->nodes[ev->dir_to].mtime = ev->dir_to_time;
		}
	}
	free(behind);
}

static void
apply_one(struct cut *k, const struct event *ev)
{
	if (ev->kind == EV_WRITE)
		tree_write(k->out, ev->node, ev->at, ev->data, ev->n);
	else if (ev->kind == EV_SIZE)
		tree_truncate(k->out, ev->node, ev->at);
	else if (ev->kind == EV_TIME)
		k->out->nodes[ev->node].mtime = ev->time;
}

static void
apply_some(struct cut *k, const struct event *ev)
{
	size_t n = ev->n, had;

	unsigned how = k->c->data == DATA_RANDOM ? (unsigned)(random_next(&k->seed) % 4) : k->c->data == DATA_ALL ? 2 :
	    k->c->data == DATA_ZEROS;

	if (k->c->no_zeros && how == 1)
		how = 3;
	if (k->c->whole_writes && how != 0)
		how = 2;
	/* What is written over keeps its old octets; zeros, or half a sector, can only be where there was nothing. */
	had = k->out->nodes[ev->node].n;
	if (how != 2 && how != 0 && ev->kind == EV_WRITE && ev->at < had) {
		size_t over = had - ev->at < n ? (size_t)(had - ev->at) : n;
		uint64_t end = how == 1 ? ev->at : (ev->at + random_next(&k->seed) % (n + 1)) / SECTOR * SECTOR;

		if (end > ev->at)
			tree_write(k->out, ev->node, ev->at, ev->data, end - ev->at < over ? (size_t)(end - ev->at) : over);
		if (over < n && how == 1)
			tree_truncate(k->out, ev->node, ev->at + n);
		return;
	}
	switch (how) {
	case 0:		/* lost */
		return;
	case 1:		/* the size, not the data */
		if (ev->kind != EV_WRITE)
			apply_one(k, ev);
		else
			tree_truncate(k->out, ev->node, ev->at + n > had ? ev->at + n : had);
		return;
	case 2:
		apply_one(k, ev);
		return;
	default:	/* the beginning */
		if (ev->kind == EV_WRITE && n > 1)
			tree_write(k->out, ev->node, ev->at, ev->data, random_next(&k->seed) % n);
	}
}

static void
apply_data(struct cut *k)
{
	for (size_t i = 0; i < k->end; i++) {
		const struct event *ev = &k->j->events[i];

		if (ev->kind == EV_ENTRY || ev->kind == EV_SYNC || k->out->nodes[ev->node].dir)
			continue;
		if (i < k->synced[ev->node] || (k->in_index[ev->node] && k->c->index != INDEX_AS_FILES))
			apply_one(k, ev);
		else
			apply_some(k, ev);
	}
}

static void
set_data(struct tree_node *f, const char *p, size_t n)
{
	free(f->data);
	f->data = must_alloc(n);
	f->n = n;
	if (n > 0)
		memcpy(f->data, p, n);
}

/* Each page as it is now or as it was in the old content. */
static void
tear(struct cut *k, struct tree_node *f, const struct tree_node *old)
{
	for (size_t at = 0; at < f->n; at += PAGE) {
		size_t n = f->n - at < PAGE ? f->n - at : PAGE;

		if (random_next(&k->seed) % 3 != 0)
			continue;
		if (at + n <= old->n)
			memcpy(f->data + at, old->data + at, n);
		else
			memset(f->data + at, 0, n);
	}
}

static void
apply_index(struct cut *k, const char *index_dir, const struct tree_node *stale)
{
	const char *name;
	uint32_t dir = tree_find(k->out, index_dir), parent = tree_parent(k->out, index_dir, &name), data, base;

	if (dir == NO_NODE || k->c->index == INDEX_AS_FILES || k->c->index == INDEX_LATEST)
		return;
	if (k->c->index == INDEX_MISSING) {
		tree_unlink(k->out, parent, name);
		return;
	}
	data = tree_entry(k->out, dir, "data.mdb");
	if (data == NO_NODE)
		return;
	base = data < k->j->base.count ? data : NO_NODE;
	if (k->c->index == INDEX_STALE && stale != NULL)
		set_data(&k->out->nodes[data], stale->data, stale->n);
	else if (k->c->index == INDEX_BASE && base != NO_NODE)
		set_data(&k->out->nodes[data], k->j->base.nodes[base].data, k->j->base.nodes[base].n);
	else if (k->c->index == INDEX_TORN && (base != NO_NODE || stale != NULL))
		tear(k, &k->out->nodes[data], base == NO_NODE || (stale != NULL && random_next(&k->seed) % 2 == 0) ? stale :
		    &k->j->base.nodes[base]);
}

static void
mark_index(struct cut *k, const char *index_dir)
{
	uint32_t dir = tree_find(&k->j->now, index_dir);

	if (dir == NO_NODE)
		return;
	k->in_index[dir] = true;
	/* What was in it for a time counts as well. */
	for (size_t i = 0; i < k->j->count; i++)
		if (k->j->events[i].dir_to == dir && k->j->events[i].node != NO_NODE)
			k->in_index[k->j->events[i].node] = true;
	for (size_t i = 0; i < k->j->now.nodes[dir].count; i++)
		k->in_index[k->j->now.nodes[dir].entries[i].node] = true;
}

void
journal_cut(const struct journal *j, unsigned call, const struct choice *c, const char *index_dir,
    const struct tree_node *stale, struct tree *out)
{
	struct cut k = { .j = j, .c = c, .seed = c->seed, .out = out };

	while (k.end < j->count && j->events[k.end].call < call)
		k.end++;
	k.synced = must_alloc(j->now.count * sizeof(*k.synced));
	k.kept = must_alloc(j->now.count * sizeof(*k.kept));
	k.in_index = must_alloc(j->now.count * sizeof(*k.in_index));
	for (size_t i = 0; i < k.end; i++)
		if (j->events[i].kind == EV_SYNC && j->events[i].node != NO_NODE)
			k.synced[j->events[i].node] = i;
	mark_index(&k, index_dir);
	tree_copy(out, &j->base);
	for (size_t i = j->base.count; i < j->now.count; i++) {
		tree_add(out, j->now.nodes[i].dir, j->now.nodes[i].ino, j->now.nodes[i].mode);
		out->nodes[i].mtime = j->now.nodes[i].mtime;
	}
	choose_entries(&k);
	apply_data(&k);
	apply_entries(&k);
	apply_index(&k, index_dir, stale);
	free(k.synced);
	free(k.kept);
	free(k.in_index);
}
