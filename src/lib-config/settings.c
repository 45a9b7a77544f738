/* SPDX-License-Identifier: MIT */
/*
 * Opening an image, and the settings of a view.  Everything in the image that refers to something else is checked once,
 * when it is opened; after that it is sealed and can be trusted.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "lib-config/filter.h"
#include "lib-config/view.h"

static bool
range_ok(const struct settings *s, enum image_table t, struct img_range r)
{
	uint32_t count = s->head->tables[t].count;

	return r.first <= count && r.count <= count - r.first;
}

static bool
head_ok(const struct settings *s)
{
	const struct img_header *h = s->head;

	if (memcmp(h->magic, IMAGE_MAGIC, sizeof(h->magic)) != 0 || h->size != s->size ||
	    h->table_hash != image_table_hash())
		return false;
	for (unsigned t = 0; t < IMG_TABLES; t++) {
		uint64_t octets = (uint64_t)h->tables[t].count * image_record_size[t];

		if (h->tables[t].offset % 8 != 0 || h->tables[t].offset < sizeof(*h) || h->tables[t].offset > s->size ||
		    octets > s->size - h->tables[t].offset)
			return false;
	}
	return h->tables[IMG_VALUES].count == SETTINGS_COUNT && h->tables[IMG_SCOPES].count > 0;
}

static bool
value_ok(const struct settings *s, const struct img_value *v, const struct setting_def *def)
{
	if (!range_ok(s, IMG_TEXT, v->text))
		return false;
	if (def->type == TYPE_BOOL)
		return v->num <= 1;
	return def->type != TYPE_ENUM || enum_word(def->def, (unsigned)v->num).n > 0;
}

static bool
scope_ok(const struct settings *s, const struct img_scope *sc)
{
	for (uint32_t i = 0; i < sc->blocks.count; i++) {
		const struct img_block *b = image_at(s, IMG_BLOCKS, sc->blocks.first + i);

		if (b->parent != IMAGE_NONE && (b->parent < sc->blocks.first || b->parent >= sc->blocks.first + i))
			return false;
	}
	return sc->local.bits <= 128 && sc->remote.bits <= 128;
}

static bool
tables_ok(const struct settings *s)
{
	for (uint32_t i = 0; i < SETTINGS_COUNT; i++) {
		if (!value_ok(s, image_at(s, IMG_VALUES, i), &setting_table[i]))
			return false;
	}
	for (uint32_t i = 0; i < s->head->tables[IMG_OVERRIDES].count; i++) {
		const struct img_value *v = image_at(s, IMG_OVERRIDES, i);

		if (v->setting >= SETTINGS_COUNT || !value_ok(s, v, &setting_table[v->setting]))
			return false;
	}
	for (uint32_t i = 0; i < s->head->tables[IMG_PLUGIN].count; i++) {
		const struct img_plugin *p = image_at(s, IMG_PLUGIN, i);

		if (!range_ok(s, IMG_TEXT, p->key) || !range_ok(s, IMG_TEXT, p->value))
			return false;
	}
	for (uint32_t i = 0; i < s->head->tables[IMG_BLOCKS].count; i++) {
		const struct img_block *b = image_at(s, IMG_BLOCKS, i);
		unsigned count = b->kind < BLOCK_KINDS ? block_setting_count((enum block_kind)b->kind) : 0;

		if (count == 0 || !range_ok(s, IMG_TEXT, b->name) ||
		    !range_ok(s, IMG_BLOCK_VALUES, (struct img_range){ b->first_value, count }))
			return false;
		for (uint32_t k = 0; k < count; k++) {
			if (!value_ok(s, image_at(s, IMG_BLOCK_VALUES, b->first_value + k),
			    &block_table[b->kind].settings[k]))
				return false;
		}
	}
	for (uint32_t i = 0; i < s->head->tables[IMG_SCOPES].count; i++) {
		const struct img_scope *sc = image_at(s, IMG_SCOPES, i);

		if (!range_ok(s, IMG_TEXT, sc->protocol) || !range_ok(s, IMG_TEXT, sc->local_name) ||
		    !range_ok(s, IMG_OVERRIDES, sc->overrides) || !range_ok(s, IMG_PLUGIN, sc->plugin) ||
		    !range_ok(s, IMG_BLOCKS, sc->blocks) || !scope_ok(s, sc))
			return false;
	}
	/* The numbers of the top level's blocks are used for those of a view too. */
	return ((const struct img_scope *)image_at(s, IMG_SCOPES, 0))->blocks.first == 0;
}

int
settings_open(int fd, struct settings **out, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS), wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct settings *s;
	struct stat st;

	/* Without the seals a page could go, or a checked offset change, under our hands. */
	if (seals == -1 || (seals & wanted) != wanted)
		return err_set(e, ERR_CORRUPT, "the settings are not a sealed memory file");
	if (fstat(fd, &st) == -1)
		return err_errno(e, "settings");
	if (st.st_size < (off_t)sizeof(struct img_header) || st.st_size > (off_t)IMAGE_MAX)
		return err_set(e, ERR_CORRUPT, "the settings have a wrong size");
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->size = (size_t)st.st_size;
	s->map = mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
	if (s->map == MAP_FAILED) {
		free(s);
		return err_errno(e, "mapping the settings");
	}
	s->head = (const struct img_header *)(const void *)s->map;
	if (!head_ok(s) || !tables_ok(s)) {
		settings_close(s);
		return err_set(e, ERR_CORRUPT, "the settings were written by another version of the server");
	}
	*out = s;
	return 0;
}

void
settings_close(struct settings *s)
{
	if (s == NULL)
		return;
	munmap((void *)(uintptr_t)s->map, s->size);
	free(s);
}

bool
settings_local_names(const struct settings *s, size_t *pos, struct span *names_out)
{
	while (*pos < s->head->tables[IMG_SCOPES].count) {
		const struct img_scope *sc = image_at(s, IMG_SCOPES, (uint32_t)(*pos)++);

		*names_out = image_text(s, sc->local_name);
		if (names_out->n > 0)
			return true;
	}
	return false;
}

struct set_view *
set_view_new(const struct settings *s, const struct set_filter *f)
{
	uint32_t count = s->head->tables[IMG_SCOPES].count;
	struct set_view *v = calloc(1, sizeof(*v));
	bool blocks = false;

	if (v == NULL)
		return NULL;
	v->s = s;
	v->scopes = calloc(count, sizeof(*v->scopes));
	if (v->scopes == NULL)
		goto fail;
	for (uint32_t i = 0; i < count; i++) {
		const struct img_scope *sc = image_at(s, IMG_SCOPES, i);

		if (i > 0 && !filter_holds(image_text(s, sc->protocol), sc->not_protocol != 0, &sc->local, &sc->remote,
		    image_text(s, sc->local_name), f))
			continue;
		v->scopes[v->scope_count++] = sc;
		blocks |= i > 0 && sc->blocks.count > 0;
		for (uint32_t k = 0; k < sc->overrides.count; k++) {
			const struct img_value *val = image_at(s, IMG_OVERRIDES, sc->overrides.first + k);

			v->img[val->setting] = val;
		}
	}
	if (blocks && !view_blocks_build(v))
		goto fail;
	return v;
fail:
	set_view_free(v);
	return NULL;
}

void
set_view_free(struct set_view *v)
{
	if (v == NULL)
		return;
	arena_free(v->arena);
	free(v->scopes);
	free(v->blocks);
	free(v);
}

bool
view_arena(struct set_view *v)
{
	if (v->arena == NULL)
		v->arena = arena_new(VIEW_MEMORY_MAX);
	return v->arena != NULL;
}

static int
override_plugin(struct set_view *v, struct span key, struct span value, struct err *e)
{
	struct own_plugin *p = arena_alloc(v->arena, 1, sizeof(*p));

	if (p == NULL || (p->key = arena_dup(v->arena, key)).p == NULL ||
	    (p->value = arena_dup(v->arena, value)).p == NULL)
		return err_set(e, ERR_LIMIT, "plugin/%.*s: too many settings for one user", SPAN_ARG(key));
	p->next = v->plugin;
	v->plugin = p;
	return 0;
}

int
set_view_override(struct set_view *v, struct span name, struct span value, struct err *e)
{
	unsigned id = setting_find(name);
	struct own_value *own;

	if (!view_arena(v))
		return err_set(e, ERR_TEMP, "out of memory");
	if (span_starts(name, SPAN("plugin/")) && name.n > 7)
		return override_plugin(v, span_from(name, 7), value, e);
	if (span_chr(name, '/') < name.n)
		return view_block_override(v, name, value, e);
	if (id == SETTINGS_COUNT)
		return err_set(e, ERR_NOTFOUND, "there is no setting %.*s", SPAN_ARG(name));
	if (setting_table[id].type == TYPE_FILE)
		return err_set(e, ERR_SYNTAX, "%.*s can not be set for one user", SPAN_ARG(name));
	own = arena_alloc(v->arena, 1, sizeof(*own));
	if (own == NULL || (own->text = arena_dup(v->arena, value)).p == NULL)
		return err_set(e, ERR_LIMIT, "%.*s: too many settings for one user", SPAN_ARG(name));
	if (value_parse(&setting_table[id], own->text, &own->num, e) == -1)
		return err_wrap(e, "%.*s", SPAN_ARG(name));
	v->own[id] = own;
	return 0;
}

static const struct img_value *
image_value(const struct set_view *v, enum setting id)
{
	return v->img[id] != NULL ? v->img[id] : image_at(v->s, IMG_VALUES, id);
}

struct span
set_str(const struct set_view *v, enum setting id)
{
	return v->own[id] != NULL ? v->own[id]->text : image_text(v->s, image_value(v, id)->text);
}

static uint64_t
number(const struct set_view *v, enum setting id)
{
	return v->own[id] != NULL ? v->own[id]->num : image_value(v, id)->num;
}

bool
set_bool(const struct set_view *v, enum setting id)
{
	assert(setting_table[id].type == TYPE_BOOL);
	return number(v, id) != 0;
}

uint64_t
set_num(const struct set_view *v, enum setting id)
{
	assert(setting_table[id].type == TYPE_NUM || setting_table[id].type == TYPE_SIZE ||
	    setting_table[id].type == TYPE_MODE);
	return number(v, id);
}

uint64_t
set_ms(const struct set_view *v, enum setting id)
{
	assert(setting_table[id].type == TYPE_TIME);
	return number(v, id);
}

unsigned
set_enum(const struct set_view *v, enum setting id)
{
	assert(setting_table[id].type == TYPE_ENUM);
	return (unsigned)number(v, id);
}

bool
set_list_next(struct span *rest, struct span *word_out)
{
	size_t i = 0, end;

	while (i < rest->n && (ascii_is_wsp(rest->p[i]) || rest->p[i] == ','))
		i++;
	for (end = i; end < rest->n && !ascii_is_wsp(rest->p[end]) && rest->p[end] != ','; end++)
		;
	*word_out = span_sub(*rest, i, end - i);
	*rest = span_from(*rest, end);
	return word_out->n > 0;
}

bool
set_list_has(const struct set_view *v, enum setting id, struct span word)
{
	struct span rest = set_str(v, id), found;

	assert(setting_table[id].type == TYPE_LIST);
	while (set_list_next(&rest, &found)) {
		if (span_eq(found, word))
			return true;
	}
	return false;
}

struct span
set_plugin(const struct set_view *v, const char *name)
{
	struct span key = span_str(name);

	for (const struct own_plugin *p = v->plugin; p != NULL; p = p->next) {
		if (span_eq(p->key, key))
			return p->value;
	}
	for (size_t i = v->scope_count; i-- > 0;) {
		for (uint32_t k = 0; k < v->scopes[i]->plugin.count; k++) {
			const struct img_plugin *p = image_at(v->s, IMG_PLUGIN, v->scopes[i]->plugin.first + k);

			if (span_eq(image_text(v->s, p->key), key))
				return image_text(v->s, p->value);
		}
	}
	return SPAN_NONE;
}

struct span
set_plugin_next(const struct set_view *v, struct span prefix, size_t *pos)
{
	size_t at = 0;

	for (const struct own_plugin *p = v->plugin; p != NULL; p = p->next)
		if (at++ >= *pos && span_starts(p->key, prefix)) {
			*pos = at;
			return p->key;
		}
	for (size_t i = v->scope_count; i-- > 0;) {
		for (uint32_t k = 0; k < v->scopes[i]->plugin.count; k++) {
			const struct img_plugin *p = image_at(v->s, IMG_PLUGIN, v->scopes[i]->plugin.first + k);
			struct span key = image_text(v->s, p->key);

			if (at++ >= *pos && span_starts(key, prefix)) {
				*pos = at;
				return key;
			}
		}
	}
	return SPAN_NONE;
}
