/* SPDX-License-Identifier: MIT */
/* The blocks of a view: those of the top level, merged with those of the filters that hold, and with overrides. */
#include <assert.h>
#include <stdlib.h>
#include "lib-config/view.h"

static const struct img_block *
block_img(const struct set_view *v, uint32_t idx)
{
	return v->blocks != NULL ? v->blocks[idx].img : image_at(v->s, IMG_BLOCKS, idx);
}

static uint32_t
block_parent(const struct set_view *v, uint32_t idx)
{
	return v->blocks != NULL ? v->blocks[idx].parent : block_img(v, idx)->parent;
}

static uint32_t
block_count(const struct set_view *v)
{
	return v->blocks != NULL ? (uint32_t)v->block_count : v->scopes[0]->blocks.count;
}

/* The block with this kind, parent and name; IMAGE_NONE when there is none. */
static uint32_t
find_block(const struct set_view *v, uint32_t kind, uint32_t parent, struct span name)
{
	for (uint32_t i = 0; name.n > 0 && i < block_count(v); i++) {
		const struct img_block *b = block_img(v, i);

		if (b->kind == kind && block_parent(v, i) == parent && span_eq(image_text(v->s, b->name), name))
			return i;
	}
	return IMAGE_NONE;
}

static bool
merge_values(struct set_view *v, struct view_block *into, const struct img_block *from)
{
	unsigned count = block_setting_count((enum block_kind)from->kind);

	for (unsigned i = 0; i < count; i++) {
		const struct img_value *val = image_at(v->s, IMG_BLOCK_VALUES, from->first_value + i);
		struct block_set *set;

		if (!val->is_set)
			continue;
		set = arena_alloc(v->arena, 1, sizeof(*set));
		if (set == NULL)
			return false;
		set->idx = i;
		set->value.text = image_text(v->s, val->text);
		set->value.num = val->num;
		set->next = into->sets;
		into->sets = set;
	}
	return true;
}

static bool
merge_scope(struct set_view *v, const struct img_scope *sc)
{
	/* Where each of the scope's blocks went, for the parents of those that follow. */
	uint32_t *went = calloc(sc->blocks.count + 1, sizeof(*went));
	bool ok = went != NULL;

	for (uint32_t i = 0; ok && i < sc->blocks.count; i++) {
		const struct img_block *b = image_at(v->s, IMG_BLOCKS, sc->blocks.first + i);
		uint32_t parent = b->parent == IMAGE_NONE ? IMAGE_NONE : went[b->parent - sc->blocks.first];

		went[i] = find_block(v, b->kind, parent, image_text(v->s, b->name));
		if (went[i] != IMAGE_NONE) {
			ok = merge_values(v, &v->blocks[went[i]], b);
		} else {
			assert(v->block_count < v->block_cap);
			went[i] = (uint32_t)v->block_count++;
			v->blocks[went[i]] = (struct view_block){ b, parent, NULL };
		}
	}
	free(went);
	return ok;
}

bool
view_blocks_build(struct set_view *v)
{
	uint32_t top = v->scopes[0]->blocks.count;
	struct view_block *table;

	if (v->blocks != NULL)
		return true;
	v->block_cap = 1;
	for (size_t i = 0; i < v->scope_count; i++)
		v->block_cap += v->scopes[i]->blocks.count;
	table = calloc(v->block_cap, sizeof(*table));
	if (table == NULL || !view_arena(v)) {
		free(table);
		return false;
	}
	for (uint32_t i = 0; i < top; i++) {
		const struct img_block *b = image_at(v->s, IMG_BLOCKS, i);

		table[i] = (struct view_block){ b, b->parent, NULL };
	}
	v->blocks = table;
	v->block_count = top;
	for (size_t i = 1; i < v->scope_count; i++) {
		if (!merge_scope(v, v->scopes[i]))
			return false;
	}
	return true;
}

int
view_block_override(struct set_view *v, struct span path, struct span value, struct err *e)
{
	uint32_t at = IMAGE_NONE;
	struct span rest = path, type, name;
	struct block_set *set;
	unsigned idx;
	enum block_kind kind;

	do {
		if (!span_next(&rest, '/', &type) || !span_next(&rest, '/', &name) ||
		    (kind = block_find(type)) == BLOCK_KINDS ||
		    (at = find_block(v, kind, at, name)) == IMAGE_NONE)
			return err_set(e, ERR_NOTFOUND, "there is no block for %.*s", SPAN_ARG(path));
	} while (span_chr(rest, '/') < rest.n);
	idx = block_setting_find(kind, rest);
	if (block_table[kind].settings[idx].name == NULL)
		return err_set(e, ERR_NOTFOUND, "there is no setting %.*s", SPAN_ARG(path));
	set = view_blocks_build(v) ? arena_alloc(v->arena, 1, sizeof(*set)) : NULL;
	if (set == NULL || (set->value.text = arena_dup(v->arena, value)).p == NULL)
		return err_set(e, ERR_LIMIT, "%.*s: too many settings for one user", SPAN_ARG(path));
	if (value_parse(&block_table[kind].settings[idx], set->value.text, &set->value.num, e) == -1)
		return err_wrap(e, "%.*s", SPAN_ARG(path));
	set->idx = idx;
	set->next = v->blocks[at].sets;
	v->blocks[at].sets = set;
	return 0;
}

bool
set_block_next(const struct set_view *v, const struct set_block *parent, const char *type, size_t *pos,
    struct set_block *out)
{
	enum block_kind kind = block_find(span_str(type));
	uint32_t parent_idx = parent == NULL ? IMAGE_NONE : parent->idx;

	assert(kind != BLOCK_KINDS);
	while (*pos < block_count(v)) {
		uint32_t i = (uint32_t)(*pos)++;
		const struct img_block *b = block_img(v, i);

		if (b->kind == (uint32_t)kind && block_parent(v, i) == parent_idx) {
			*out = (struct set_block){ v, i, span_str(type), image_text(v->s, b->name) };
			return true;
		}
	}
	return false;
}

static struct own_value
block_value(const struct set_block *b, const char *name, bool *is_set_out, const struct setting_def **def_out)
{
	const struct img_block *img = block_img(b->view, b->idx);
	unsigned idx = block_setting_find((enum block_kind)img->kind, span_str(name));
	const struct img_value *val;

	*def_out = &block_table[img->kind].settings[idx];
	assert((*def_out)->name != NULL);
	*is_set_out = true;
	for (const struct block_set *set = b->view->blocks == NULL ? NULL : b->view->blocks[b->idx].sets; set != NULL;
	    set = set->next) {
		if (set->idx == idx)
			return set->value;
	}
	val = image_at(b->view->s, IMG_BLOCK_VALUES, img->first_value + idx);
	*is_set_out = val->is_set != 0;
	return (struct own_value){ image_text(b->view->s, val->text), val->num };
}

struct span
set_block_str(const struct set_block *b, const char *name)
{
	const struct setting_def *def;
	bool is_set;

	return block_value(b, name, &is_set, &def).text;
}

bool
set_block_bool(const struct set_block *b, const char *name)
{
	const struct setting_def *def;
	bool is_set;
	struct own_value v = block_value(b, name, &is_set, &def);

	assert(def->type == TYPE_BOOL);
	return v.num != 0;
}

uint64_t
set_block_num(const struct set_block *b, const char *name)
{
	const struct setting_def *def;
	bool is_set;
	struct own_value v = block_value(b, name, &is_set, &def);

	assert(def->type == TYPE_NUM || def->type == TYPE_SIZE || def->type == TYPE_MODE || def->type == TYPE_ENUM);
	return v.num;
}

uint64_t
set_block_ms(const struct set_block *b, const char *name)
{
	const struct setting_def *def;
	bool is_set;
	struct own_value v = block_value(b, name, &is_set, &def);

	assert(def->type == TYPE_TIME);
	return v.num;
}

bool
set_block_is_set(const struct set_block *b, const char *name)
{
	const struct setting_def *def;
	bool is_set;

	block_value(b, name, &is_set, &def);
	return is_set;
}
