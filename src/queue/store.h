/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUEUE_STORE_H
#define CULVER_QUEUE_STORE_H
/*
 * Messages that wait to leave: a file each in one directory, its head (lib-deliver/queue-head.h) and its octets, made whole
 * and synced before anybody hears of it.  q.ID waits to be sent; f.ID could not be, and its user is to get it.  When a
 * message is due again is its file's time of change, so that nothing is written to say so, and nothing is lost by a crash but
 * an attempt's outcome.
 */
#include <sys/types.h>
#include "lib/hash.h"
#include "lib-deliver/queue-head.h"
#include "queue/order.h"

#define QUEUE_ID_MAX 40

struct queue_item {
	char id[QUEUE_ID_MAX];
	enum outgoing_kind kind;
	char *user, *sender, *recipient, *keep_for;
	struct outgoing_dsn dsn;	/* in dsn_text */
	char *dsn_text;
	uint64_t size, head;		/* octets of the message, and of what stands before it */
	int64_t created, due;		/* seconds since 1970 */
	uint64_t number;		/* it came behind all with a lower one */
	size_t place;			/* in the order of what is to be sent, from 1 on; 0: it is being sent */
	bool failed;			/* f.ID */
	bool tried;			/* to be sent, once at least */
	bool expired;			/* it failed because it was tried for too long */
	pid_t pid;			/* of the process that sends it; 0: none */
	char why[256];			/* of the last failure */
};

struct queue_store {
	int dir_fd;			/* -1: the directory is not there */
	struct hash *items;		/* by their ids */
	struct hash *users;		/* how many each has */
	struct hash *strange;		/* names of files that are none, so that each is told of once */
	struct queue_order fresh, tried;	/* those that are not being sent: not yet, or again */
	bool was_fresh;			/* the last that was sent */
	size_t count;
	uint64_t last_number;
};

/* Opens the directory and reads what is in it; files of messages that did not get whole are removed after a while. */
int queue_store_open(struct queue_store *s, const char *dir, struct err *e);
void queue_store_close(struct queue_store *s);
/*
 * Looks again for what is not known yet: a process that was told to stop at a reload still takes in what had begun, and may give
 * up what it was sending.
 */
int queue_store_look_again(struct queue_store *s, struct err *e);
struct queue_item *queue_store_find(struct queue_store *s, struct span id);
/* All, by their ids, which begin with the time at which they came; the caller's to free.  NULL: memory is out. */
struct queue_item **queue_store_list(const struct queue_store *s);
size_t queue_store_count_of(const struct queue_store *s, struct span user);

/* A message on its way in. */
struct queue_incoming {
	int fd;				/* -1: none */
	char name[QUEUE_ID_MAX];
	uint64_t left;			/* octets to come */
};
int queue_store_begin(struct queue_store *s, struct queue_incoming *in, struct queue_head *head, int64_t now, struct err *e);
int queue_store_write(struct queue_incoming *in, struct span octets, struct err *e);
/* On disk, whatever happens: *out is its item. */
int queue_store_finish(struct queue_store *s, struct queue_incoming *in, const struct queue_head *head,
    struct queue_item **out, struct err *e);
void queue_store_abort(struct queue_store *s, struct queue_incoming *in);

/* Locked: ERR_INUSE when another process has it, ERR_NOTFOUND when that has done with it. */
int queue_store_open_file(struct queue_store *s, const struct queue_item *item, struct err *e);
/* The one that is due first of those that are not being sent; NULL: there is none. */
struct queue_item *queue_store_first(const struct queue_store *s);
/*
 * The one to be sent now; NULL: none is due.  What has not been tried yet and what is tried again take turns: many that fail
 * slowly hold up nothing new for long, nor does much that is new hold them up.
 */
struct queue_item *queue_store_next(const struct queue_store *s, int64_t now);
/* It is being sent from now on, until it is put off or removed. */
void queue_store_sending(struct queue_store *s, struct queue_item *item, pid_t pid);
/* It is due again at that time. */
void queue_store_put_off(struct queue_store *s, struct queue_item *item, int64_t due);
/* Whether another process has given up what this one still takes for one to be sent: now it is about the notice, at once. */
bool queue_store_was_failed(struct queue_store *s, struct queue_item *item);
/* From q.ID to f.ID. */
int queue_store_fail(struct queue_store *s, struct queue_item *item, struct err *e);
/* Removed, and freed. */
int queue_store_remove(struct queue_store *s, struct queue_item *item, struct err *e);
#endif
