/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_CRASH_TREE_H
#define CULVER_TESTS_CRASH_TREE_H
/*
 * A tree of files in memory: what is on disk, what would be there after a power cut.  Nodes are numbered and only added;
 * 0 is the root.  A file with two names is one node with two entries.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define NO_NODE UINT32_MAX

struct tree_entry {
	char *name;
	uint32_t node;
};

struct tree_node {
	bool dir;
	uint64_t ino;			/* on disk; 0: never there */
	mode_t mode;
	struct timespec mtime;
	char *data;			/* of a file */
	size_t n;
	struct tree_entry *entries;	/* of a directory */
	size_t count;
	char *stored;			/* while it is being written to disk: where it lies already */
};

struct tree {
	struct tree_node *nodes;
	size_t count, cap;
	const char *keep;		/* see tree_keep(); NULL */
};

/* All of these end the program when memory or the disk fails: this is a test. */
void tree_load(struct tree *t, const char *path);
/*
 * Another link of each file that was loaded, in the directory keep: tree_store() gives the file with its inode back.  For mail
 * that is changed in place, whose journal names the inode; keep stays the caller's.
 */
void tree_keep(struct tree *t, const char *path, const char *keep);
void tree_copy(struct tree *to, const struct tree *from);
void tree_clear(struct tree *t);
/*
 * Makes the disk be this.  Directories that are there already stay what they are (the index knows their inodes); false
 * when one had to be made anew.
 */
bool tree_store(struct tree *t, const char *path);

uint32_t tree_add(struct tree *t, bool dir, uint64_t ino, mode_t mode);
/* The node of a path below the root ("" is the root); NO_NODE: there is none. */
uint32_t tree_find(const struct tree *t, const char *path);
/* The directory of the last level, and where its name begins. */
uint32_t tree_parent(const struct tree *t, const char *path, const char **name_out);
uint32_t tree_entry(const struct tree *t, uint32_t dir, const char *name);
void tree_link(struct tree *t, uint32_t dir, const char *name, uint32_t node);	/* replaces */
void tree_unlink(struct tree *t, uint32_t dir, const char *name);		/* not there: nothing */
void tree_write(struct tree *t, uint32_t node, uint64_t at, const char *p, size_t n);
void tree_truncate(struct tree *t, uint32_t node, uint64_t n);

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void *must_alloc(size_t n);
char *must_dup(const char *s);
void remove_tree(const char *path);
#endif
