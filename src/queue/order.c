/* SPDX-License-Identifier: MIT */
#include "queue/order.h"

#include <stdlib.h>
#include "queue/store.h"

/* Of those that are due at the same second the one that came first. */
static bool
is_before(const struct queue_item *x, const struct queue_item *y)
{
	return x->due != y->due ? x->due < y->due : x->number < y->number;
}

static void
set(struct queue_order *o, size_t i, struct queue_item *item)
{
	o->items[i] = item;
	item->place = i + 1;
}

static void
rise(struct queue_order *o, size_t i, struct queue_item *item)
{
	while (i > 0 && is_before(item, o->items[(i - 1) / 2])) {
		set(o, i, o->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	set(o, i, item);
}

static void
sink(struct queue_order *o, size_t i, struct queue_item *item)
{
	for (;;) {
		size_t least = 2 * i + 1;

		if (least + 1 < o->n && is_before(o->items[least + 1], o->items[least]))
			least++;
		if (least >= o->n || !is_before(o->items[least], item))
			break;
		set(o, i, o->items[least]);
		i = least;
	}
	set(o, i, item);
}

bool
queue_order_reserve(struct queue_order *o, size_t count)
{
	size_t room = o->room < 64 ? 64 : o->room;
	struct queue_item **more;

	while (room < count)
		room *= 2;
	if (room == o->room)
		return true;
	more = reallocarray(o->items, room, sizeof(*more));
	if (more == NULL)
		return false;
	o->items = more;
	o->room = room;
	return true;
}

void
queue_order_put(struct queue_order *o, struct queue_item *item)
{
	queue_order_take(o, item);
	rise(o, o->n++, item);
}

void
queue_order_take(struct queue_order *o, struct queue_item *item)
{
	size_t i = item->place - 1;
	struct queue_item *last;

	if (item->place == 0)
		return;
	item->place = 0;
	last = o->items[--o->n];
	if (last == item)
		return;
	if (i > 0 && is_before(last, o->items[(i - 1) / 2]))
		rise(o, i, last);
	else
		sink(o, i, last);
}

struct queue_item *
queue_order_first(const struct queue_order *o)
{
	return o->n == 0 ? NULL : o->items[0];
}

void
queue_order_clear(struct queue_order *o)
{
	free(o->items);
	*o = (struct queue_order){ .items = NULL };
}
