/* SPDX-License-Identifier: MIT */
/* Writes the image. */
#include <stdlib.h>
#include "lib-config/config-priv.h"
#include "lib-config/image.h"
#include "lib/sys.h"

const size_t image_record_size[IMG_TABLES] = {
	[IMG_VALUES] = sizeof(struct img_value),
	[IMG_SCOPES] = sizeof(struct img_scope),
	[IMG_OVERRIDES] = sizeof(struct img_value),
	[IMG_PLUGIN] = sizeof(struct img_plugin),
	[IMG_BLOCKS] = sizeof(struct img_block),
	[IMG_BLOCK_VALUES] = sizeof(struct img_value),
	[IMG_TEXT] = 1,
};

static void
hash_add(uint64_t *hash, const char *text)
{
	/* FNV-1a: an accident is to be noticed, not an attack. */
	do
		*hash = (*hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++ != '\0');
}

static void
hash_add_defs(uint64_t *hash, const struct setting_def *defs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		hash_add(hash, defs[i].name);
		hash_add(hash, type_name(defs[i].type));
		hash_add(hash, defs[i].def);
	}
}

uint64_t
image_table_hash(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash_add_defs(&hash, setting_table, SETTINGS_COUNT);
	for (unsigned k = 0; k < BLOCK_KINDS; k++) {
		hash_add(&hash, block_table[k].name);
		hash_add_defs(&hash, block_table[k].settings, block_setting_count((enum block_kind)k));
	}
	return hash;
}

struct writer {
	const struct config *c;
	struct buf tables[IMG_TABLES];
};

static uint32_t
count_of(const struct writer *w, enum image_table t)
{
	return (uint32_t)(w->tables[t].n / image_record_size[t]);
}

static void
put(struct writer *w, enum image_table t, const void *record)
{
	buf_add(&w->tables[t], span_of(record, image_record_size[t]));
}

static struct img_range
put_text(struct writer *w, struct span text)
{
	struct img_range r = { count_of(w, IMG_TEXT), (uint32_t)text.n };

	buf_add(&w->tables[IMG_TEXT], text);
	buf_addc(&w->tables[IMG_TEXT], '\0');
	return r;
}

/* With its final text and number, whether it was set or not. */
static void
put_value(struct writer *w, enum image_table t, const struct setting_def *def, const struct value *v, uint32_t setting)
{
	struct img_value img = { 0 };
	struct span text = value_text(def, v);
	struct err e = ERR_INIT;

	if (!v->is_set)
		text = config_resolve(w->c, text);
	if (value_parse(def, text, &img.num, &e) == -1)
		abort();	/* it was checked when it was set; defaults are checked by a test */
	img.text = put_text(w, text);
	img.is_set = v->is_set;
	img.setting = setting;
	put(w, t, &img);
}

/* Numbers of a service that stand for one of the default_* settings. */
static void
resolve_service(struct writer *w, const struct img_block *block)
{
	static const struct {
		const char *name;
		enum setting otherwise;
	} rules[] = {
		{ "client_limit", SET_default_client_limit }, { "process_limit", SET_default_process_limit },
		{ "idle_kill", SET_default_idle_kill },
	};
	struct img_value *values = (struct img_value *)(void *)w->tables[IMG_BLOCK_VALUES].p;
	const struct img_value *all = (const struct img_value *)(const void *)w->tables[IMG_VALUES].p;

	if (w->tables[IMG_BLOCK_VALUES].failed)
		return;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct img_value *v = &values[block->first_value +
		    block_setting_find(BLOCK_service, span_str(rules[i].name))];

		if (v->num == 0)
			v->num = all[rules[i].otherwise].num;
	}
}

static void
put_block(struct writer *w, const struct scope *s, const struct block *b, uint32_t first_block)
{
	const struct setting_def *defs = block_table[b->kind].settings;
	struct img_block img = { .kind = b->kind, .parent = IMAGE_NONE };

	for (size_t i = 0; b->parent != NULL && i < s->blocks.n; i++) {
		if (*(struct block **)array_at(&s->blocks, i) == b->parent)
			img.parent = first_block + (uint32_t)i;
	}
	img.name = put_text(w, b->name);
	img.first_value = count_of(w, IMG_BLOCK_VALUES);
	for (unsigned i = 0; defs[i].name != NULL; i++)
		put_value(w, IMG_BLOCK_VALUES, &defs[i], &b->values[i], i);
	if (b->kind == BLOCK_service)
		resolve_service(w, &img);
	put(w, IMG_BLOCKS, &img);
}

/* The namespace of a configuration that has none for the user's own mail. */
static void
put_own_namespace(struct writer *w)
{
	struct value values[64] = { { .text = SPAN_NONE } };
	struct block b = { .kind = BLOCK_namespace, .name = SPAN("inbox"), .values = values };
	static const struct scope none;

	values[block_setting_find(BLOCK_namespace, SPAN("inbox"))].text = SPAN("yes");
	put_block(w, &none, &b, 0);
}

static void
put_scope(struct writer *w, const struct scope *s, bool is_top)
{
	struct img_scope img = { .local = s->filter.local, .remote = s->filter.remote };

	img.not_protocol = s->filter.not_protocol;
	img.protocol = put_text(w, s->filter.protocol);
	img.local_name = put_text(w, s->filter.local_name);
	img.overrides.first = count_of(w, IMG_OVERRIDES);
	for (uint32_t id = 0; id < SETTINGS_COUNT; id++) {
		if (is_top)
			put_value(w, IMG_VALUES, &setting_table[id], &s->values[id], id);
		else if (s->values[id].text.p != NULL)
			put_value(w, IMG_OVERRIDES, &setting_table[id], &s->values[id], id);
	}
	img.overrides.count = count_of(w, IMG_OVERRIDES) - img.overrides.first;
	img.plugin.first = count_of(w, IMG_PLUGIN);
	for (size_t i = 0; i < s->plugin.n; i++) {
		const struct plugin_value *pv = array_at(&s->plugin, i);
		struct img_plugin p;

		p.key = put_text(w, pv->key);
		p.value = put_text(w, pv->value.text);
		put(w, IMG_PLUGIN, &p);
	}
	img.plugin.count = count_of(w, IMG_PLUGIN) - img.plugin.first;
	img.blocks.first = count_of(w, IMG_BLOCKS);
	for (size_t i = 0; i < s->blocks.n; i++)
		put_block(w, s, *(struct block **)array_at(&s->blocks, i), img.blocks.first);
	if (is_top && config_needs_namespace(w->c))
		put_own_namespace(w);
	img.blocks.count = count_of(w, IMG_BLOCKS) - img.blocks.first;
	put(w, IMG_SCOPES, &img);
}

static void
put_scopes(struct writer *w)
{
	struct scope *sorted[CONFIG_SCOPES_MAX];
	size_t count = scopes_sorted(w->c, sorted);

	for (size_t i = 0; i < count; i++)
		put_scope(w, sorted[i], i == 0);
}

static void
assemble(struct writer *w, struct buf *out)
{
	struct img_header head = { .magic = IMAGE_MAGIC, .table_hash = image_table_hash() };
	uint64_t at = sizeof(head);

	for (unsigned t = 0; t < IMG_TABLES; t++) {
		head.tables[t].offset = (uint32_t)at;
		head.tables[t].count = count_of(w, (enum image_table)t);
		at += (w->tables[t].n + 7) & ~(uint64_t)7;
	}
	head.size = at;
	buf_add(out, span_of(&head, sizeof(head)));
	for (unsigned t = 0; t < IMG_TABLES; t++) {
		static const char zeros[8];

		out->failed |= w->tables[t].failed;
		buf_add(out, buf_span(&w->tables[t]));
		buf_add(out, span_of(zeros, -w->tables[t].n & 7));
	}
}

int
config_image(struct config *c, struct err *e)
{
	struct writer w = { .c = c };
	struct buf out = BUF_INIT(IMAGE_MAX);
	int fd = -1;

	if (config_has_errors(c))
		return err_set(e, ERR_SYNTAX, "the configuration has errors");
	for (unsigned t = 0; t < IMG_TABLES; t++)
		buf_init(&w.tables[t], IMAGE_MAX);
	put_scopes(&w);
	assemble(&w, &out);
	if (out.failed)
		err_set(e, ERR_LIMIT, "the configuration takes too much memory");
	else
		fd = memfd_sealed("culver-settings", buf_span(&out), e);
	for (unsigned t = 0; t < IMG_TABLES; t++)
		buf_clear(&w.tables[t]);
	buf_clear(&out);
	return fd;
}
