/* SPDX-License-Identifier: MIT */
#ifndef CULVER_QUEUE_ORDER_H
#define CULVER_QUEUE_ORDER_H
/* Which message is due next: a heap, so that many that wait cost those that come and go next to nothing. */
#include <stdbool.h>
#include <stddef.h>

struct queue_item;

struct queue_order {
	struct queue_item **items;
	size_t n, room;
};

/* Makes room for so many in all, so that none of them can fail to be put in.  False: memory is out. */
bool queue_order_reserve(struct queue_order *o, size_t count);
/* Puts the item where its time of being due says; one that is there is moved. */
void queue_order_put(struct queue_order *o, struct queue_item *item);
void queue_order_take(struct queue_order *o, struct queue_item *item);	/* out; one that is not there is fine */
struct queue_item *queue_order_first(const struct queue_order *o);		/* NULL: there is none */
void queue_order_clear(struct queue_order *o);
#endif
