/* SPDX-License-Identifier: MIT */
#include "faulty-driver.h"

static const struct driver *real;
static struct driver faulty;
static unsigned percent, counts[DRV_ERROR + 1];
static uint64_t state;

static unsigned
random_below(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static bool
is_spoilt(void)
{
	return random_below(100) < percent;
}

static enum drv_rc
say(enum drv_rc rc, struct err *e)
{
	counts[rc]++;
	if (rc == DRV_FULL)
		err_set(e, ERR_QUOTA, "a test: the disk is full");
	else if (rc == DRV_GONE)
		err_set(e, ERR_GONE, "a test: it is gone");
	else if (rc != DRV_OK && rc != DRV_CONFLICT && rc != DRV_UNKNOWN)
		err_set(e, ERR_TEMP, "a test: not now");
	return rc;
}

static enum drv_rc
faulty_commit(void *store, struct change_set *cs, struct err *e)
{
	static const enum drv_rc before[] = { DRV_CONFLICT, DRV_CONFLICT, DRV_UNAVAILABLE, DRV_FULL, DRV_UNKNOWN };
	enum drv_rc rc;

	if (!is_spoilt())
		return real->commit(store, cs, e);
	if (random_below(2) == 0)
		return say(before[random_below(5)], e);
	rc = real->commit(store, cs, e);
	return rc == DRV_OK ? say(DRV_UNKNOWN, e) : rc;
}

static enum drv_rc
faulty_outcome(void *store, struct change_set *cs, bool *happened_out, struct err *e)
{
	if (is_spoilt())
		return say(DRV_UNAVAILABLE, e);
	return real->outcome(store, cs, happened_out, e);
}

static enum drv_rc
faulty_box_open(void *store, struct span name, void **box_out, uint32_t *id_out, struct err *e)
{
	return random_below(400) < percent ? say(DRV_UNAVAILABLE, e) : real->box_open(store, name, box_out, id_out, e);
}

static enum drv_rc
faulty_sync(void *box, bool thorough, struct err *e)
{
	return random_below(400) < percent ? say(DRV_UNAVAILABLE, e) : real->sync(box, thorough, e);
}

static enum drv_rc
faulty_list(void *store, struct arena *a, struct box_entry **out, size_t *count_out, struct err *e)
{
	return random_below(400) < percent ? say(DRV_UNAVAILABLE, e) : real->list(store, a, out, count_out, e);
}

static enum drv_rc
faulty_stage_open(void *box, void **stage_out, struct err *e)
{
	return random_below(400) < percent ? say(DRV_FULL, e) : real->stage_open(box, stage_out, e);
}

static enum drv_rc
faulty_stage_write(void *stage, struct span bytes, struct err *e)
{
	return random_below(400) < percent ? say(DRV_FULL, e) : real->stage_write(stage, bytes, e);
}

static enum drv_rc
faulty_stage_finish(void *stage, int64_t internal_date, struct stage_result *out, struct err *e)
{
	return random_below(400) < percent ? say(DRV_FULL, e) : real->stage_finish(stage, internal_date, out, e);
}

static enum drv_rc
faulty_body_open(void *box, uint32_t uid, struct extent *out, struct err *e)
{
	if (random_below(400) < percent)
		return say(random_below(2) == 0 ? DRV_UNAVAILABLE : DRV_GONE, e);
	return real->body_open(box, uid, out, e);
}

static enum drv_rc
faulty_blob_put(void *store, const char *name, struct span content, struct err *e)
{
	return is_spoilt() ? say(DRV_FULL, e) : real->blob_put(store, name, content, e);
}

static enum drv_rc
faulty_keywords_add(void *box, const struct span *names, size_t count, struct err *e)
{
	return is_spoilt() ? say(DRV_UNAVAILABLE, e) : real->keywords_add(box, names, count, e);
}

static enum drv_rc
faulty_maintain(void *box, struct err *e)
{
	return is_spoilt() ? say(DRV_UNAVAILABLE, e) : real->maintain(box, e);
}

static void
put_on(struct storage *st, const struct driver *drv)
{
	for (size_t i = 0; i < st->stores.n; i++)
		(*(struct store **)array_at(&st->stores, i))->drv = drv;
}

void
faulty_driver_on(struct storage *st, unsigned percent_spoilt, uint64_t seed)
{
	real = (*(struct store **)array_at(&st->stores, 0))->drv;
	faulty = *real;
	faulty.commit = faulty_commit;
	faulty.outcome = faulty_outcome;
	faulty.box_open = faulty_box_open;
	faulty.sync = faulty_sync;
	faulty.list = faulty_list;
	faulty.stage_open = faulty_stage_open;
	faulty.stage_write = faulty_stage_write;
	faulty.stage_finish = faulty_stage_finish;
	faulty.body_open = faulty_body_open;
	faulty.blob_put = faulty_blob_put;
	faulty.keywords_add = faulty_keywords_add;
	faulty.maintain = faulty_maintain;
	percent = percent_spoilt;
	state = seed;
	memset(counts, 0, sizeof(counts));
	put_on(st, &faulty);
}

void
faulty_driver_off(struct storage *st)
{
	put_on(st, real);
}

unsigned
faulty_driver_count(enum drv_rc rc)
{
	return counts[rc];
}
