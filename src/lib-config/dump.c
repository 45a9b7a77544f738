/* SPDX-License-Identifier: MIT */
/* Shows a configuration as text that can be read again. */
#include <stdlib.h>
#include "lib-config/config-priv.h"
#include "lib-config/filter.h"

struct dump {
	const struct config *c;
	const struct dump_options *o;
	struct buf *out;
	unsigned depth;			/* of blocks that are open */
	struct span path[CONFIG_DEPTH + 8];	/* of the simple form */
	unsigned path_n;
};

static bool
needs_quotes(struct span text)
{
	if (text.n == 0)
		return false;
	if (ascii_is_wsp(text.p[0]) || ascii_is_wsp(text.p[text.n - 1]) || text.p[0] == '<' ||
	    text.p[text.n - 1] == '\\')
		return true;
	for (size_t i = 0; i < text.n; i++) {
		if (memchr("\"'#", text.p[i], 3) != NULL)
			return true;
		/* Quotes keep $words as they are. */
		if (text.p[i] == '$' && (i == 0 || ascii_is_wsp(text.p[i - 1])) && i + 1 < text.n &&
		    !ascii_is_wsp(text.p[i + 1]))
			return true;
	}
	return false;
}

static void
put_quoted(struct buf *out, struct span text)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '"');
}

static void
put_text(struct dump *d, struct span text)
{
	if (!d->o->values_only && !d->o->simple && needs_quotes(text))
		put_quoted(d->out, text);
	else
		buf_add(d->out, text);
}

static void
put_indent(struct dump *d)
{
	for (unsigned i = 0; !d->o->simple && !d->o->values_only && i < d->depth; i++)
		buf_adds(d->out, "  ");
}

/* The words of a database's arguments, without the passwords. */
static void
put_args(struct dump *d, struct span text)
{
	static const struct span words[] = { SPAN("password="), SPAN("pass="), SPAN("dnpass=") };
	struct buf shown = BUF_INIT(65536);
	struct span rest = text, word;

	while (span_next(&rest, ' ', &word)) {
		size_t secret = 0;

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (span_istarts(word, words[i]) && word.n > words[i].n)
				secret = words[i].n;
		}
		buf_adds(&shown, shown.n > 0 ? " " : "");
		buf_add(&shown, secret > 0 ? span_sub(word, 0, secret) : word);
		if (secret > 0)
			buf_adds(&shown, "<hidden,-P-shows-it>");
	}
	put_text(d, buf_span(&shown));
	buf_clear(&shown);
}

static void
put_setting(struct dump *d, struct span name, const struct setting_def *def, const struct value *v)
{
	struct span text = def != NULL ? value_text(def, v) : v->text;

	put_indent(d);
	for (unsigned i = 0; d->o->simple && !d->o->values_only && i < d->path_n; i++) {
		buf_add(d->out, d->path[i]);
		buf_addc(d->out, '/');
	}
	if (!d->o->values_only) {
		buf_add(d->out, name);
		buf_adds(d->out, d->o->simple ? "=" : " = ");
	}
	/* What was read from a file stays there: the text may have several lines. */
	if (v->file.p != NULL || (def != NULL && def->type == TYPE_FILE && text.n > 0)) {
		buf_addc(d->out, '<');
		buf_add(d->out, v->file.p != NULL ? v->file : text);
	} else if (def != NULL && !d->o->secrets && span_eq(name, SPAN("args"))) {
		put_args(d, text);
	} else {
		put_text(d, text);
	}
	buf_addc(d->out, '\n');
}

static bool
is_wanted(const struct dump *d, const struct setting_def *def, const struct value *v)
{
	switch (d->o->what) {
	case DUMP_CHANGED:
		return v->is_set && !span_eq(v->text, value_default(def));
	case DUMP_SET:
		return v->is_set;
	case DUMP_ALL:
		break;
	}
	return true;
}

static void
open_section(struct dump *d, struct span type, struct span name)
{
	bool quoted = needs_quotes(name) || span_chr(name, ' ') < name.n || span_chr(name, '{') < name.n ||
	    span_chr(name, '\t') < name.n || span_chr(name, '\\') < name.n;

	if (!d->o->simple && !d->o->values_only) {
		put_indent(d);
		buf_add(d->out, type);
		buf_adds(d->out, name.n > 0 ? " " : "");
		if (quoted)
			put_quoted(d->out, name);
		else
			buf_add(d->out, name);
		buf_adds(d->out, " {\n");
	}
	d->depth++;
	d->path[d->path_n++] = type;
	d->path[d->path_n++] = name;
}

static void
close_section(struct dump *d)
{
	d->depth--;
	d->path_n -= 2;
	if (d->o->simple || d->o->values_only)
		return;
	put_indent(d);
	buf_adds(d->out, "}\n");
}

static bool
block_is_wanted(const struct dump *d, const struct scope *s, const struct block *b)
{
	if (d->o->what == DUMP_ALL || !b->built_in)
		return true;
	for (unsigned i = 0; i < block_setting_count(b->kind); i++) {
		if (is_wanted(d, &block_table[b->kind].settings[i], &b->values[i]))
			return true;
	}
	for (size_t i = 0; i < s->blocks.n; i++) {
		const struct block *child = *(struct block **)array_at(&s->blocks, i);

		if (child->parent == b && block_is_wanted(d, s, child))
			return true;
	}
	return false;
}

static void
put_block(struct dump *d, const struct scope *s, const struct block *b)
{
	const struct setting_def *defs = block_table[b->kind].settings;

	open_section(d, span_str(block_table[b->kind].name), b->name);
	for (unsigned i = 0; defs[i].name != NULL; i++) {
		if (is_wanted(d, &defs[i], &b->values[i]))
			put_setting(d, span_str(defs[i].name), &defs[i], &b->values[i]);
	}
	for (size_t i = 0; i < s->blocks.n; i++) {
		const struct block *child = *(struct block **)array_at(&s->blocks, i);

		if (child->parent == b && block_is_wanted(d, s, child))
			put_block(d, s, child);
	}
	close_section(d);
}

static void
put_plugins(struct dump *d, const struct scope *s)
{
	if (s->plugin.n == 0)
		return;
	open_section(d, SPAN("plugin"), SPAN(""));
	d->path_n--;	/* the block has no name, and so no place for one in a path */
	for (size_t i = 0; i < s->plugin.n; i++) {
		const struct plugin_value *pv = array_at(&s->plugin, i);

		put_setting(d, pv->key, NULL, &pv->value);
	}
	d->path_n++;
	close_section(d);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(setting_table[*(const unsigned *)a].name, setting_table[*(const unsigned *)b].name);
}

static void
put_scope(struct dump *d, const struct scope *s, bool is_top)
{
	unsigned ids[SETTINGS_COUNT];

	for (unsigned i = 0; i < SETTINGS_COUNT; i++)
		ids[i] = i;
	qsort(ids, SETTINGS_COUNT, sizeof(ids[0]), by_name);
	for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
		const struct setting_def *def = &setting_table[ids[i]];
		const struct value *v = &s->values[ids[i]];

		/* In a filter a value counts even if it is the default: the top level may have another. */
		if (span_starts(span_str(def->name), d->o->module) &&
		    (is_top ? is_wanted(d, def, v) : v->text.p != NULL))
			put_setting(d, span_str(def->name), def, v);
	}
	if (d->o->module.n > 0)
		return;
	put_plugins(d, s);
	for (size_t i = 0; i < s->blocks.n; i++) {
		const struct block *b = *(struct block **)array_at(&s->blocks, i);

		if (b->parent == NULL && block_is_wanted(d, s, b))
			put_block(d, s, b);
	}
}

static void
put_filtered(struct dump *d, const struct scope *s)
{
	const struct filter *f = &s->filter;
	struct buf name = BUF_INIT(1000);
	unsigned opened = 0;
	size_t set = s->plugin.n + s->blocks.n;

	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		set += s->values[id].text.p != NULL;
	if (set == 0)
		return;	/* Debian's files open blocks for what one might put there */
	buf_adds(&name, f->not_protocol ? "!" : "");
	buf_add(&name, f->protocol);
	if (f->local.family != 0 && ++opened)
		open_section(d, SPAN("local"), f->local_text);
	if (f->local_name.n > 0 && ++opened)
		open_section(d, SPAN("local_name"), f->local_name);
	if (f->remote.family != 0 && ++opened)
		open_section(d, SPAN("remote"), f->remote_text);
	if (f->protocol.n > 0 && ++opened)
		open_section(d, SPAN("protocol"), buf_span(&name));
	put_scope(d, s, false);
	while (opened-- > 0)
		close_section(d);
	buf_clear(&name);
}

static struct block *
merged_block(struct config *c, struct scope *into, struct block *parent, const struct block *b)
{
	struct block *to = block_for(c, into, parent, b->kind, b->name, b->place);

	for (unsigned i = 0; to != NULL && i < block_setting_count(b->kind); i++) {
		if (b->values[i].text.p != NULL)
			to->values[i] = b->values[i];
	}
	return to;
}

/* What is in effect for a filter, as one scope; NULL: out of memory. */
static struct scope *
merge(struct config *c, const struct set_filter *f)
{
	struct scope *sorted[CONFIG_SCOPES_MAX], *m;
	size_t count = scopes_sorted(c, sorted);
	static uint8_t serial;
	/* No configuration can have such a filter: so it is a new scope, which config_free() knows. */
	struct filter unlike = { .protocol = SPAN("\n"), .local = { .octets = { ++serial } } };

	m = scope_for(c, NULL, &unlike);
	for (size_t i = 0; m != NULL && i < count; i++) {
		const struct scope *s = sorted[i];
		struct array parents = ARRAY_INIT(struct block *, CONFIG_BLOCKS_MAX);

		if (!filter_holds(s->filter.protocol, s->filter.not_protocol, &s->filter.local, &s->filter.remote,
		    s->filter.local_name, f))
			continue;
		for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
			if (s->values[id].text.p != NULL)
				m->values[id] = s->values[id];
		}
		for (size_t k = 0; k < s->plugin.n; k++) {
			const struct plugin_value *pv = array_at(&s->plugin, k);
			struct plugin_value *to = plugin_for(m, pv->key);

			if (to == NULL)
				to = array_push(&m->plugin);
			if (to != NULL)
				*to = *pv;
		}
		for (size_t k = 0; k < s->blocks.n; k++) {
			const struct block *b = *(struct block **)array_at(&s->blocks, k);
			struct block **slot = array_push(&parents), *parent = NULL;

			for (size_t q = 0; b->parent != NULL && q < k; q++) {
				if (*(struct block **)array_at(&s->blocks, q) == b->parent)
					parent = *(struct block **)array_at(&parents, q);
			}
			if (slot != NULL)
				*slot = merged_block(c, m, parent, b);
		}
		array_clear(&parents);
	}
	return m;
}

int
config_dump(struct config *c, const struct dump_options *o, struct buf *out, struct err *e)
{
	struct dump d = { .c = c, .o = o, .out = out };
	struct scope *sorted[CONFIG_SCOPES_MAX], *m;
	size_t count = scopes_sorted(c, sorted);

	if (o->filter == NULL) {
		put_scope(&d, sorted[0], true);
		for (size_t i = 1; i < count; i++)
			put_filtered(&d, sorted[i]);
	} else if ((m = merge(c, o->filter)) != NULL) {
		put_scope(&d, m, true);
	} else {
		return err_set(e, ERR_LIMIT, "out of memory");
	}
	return out->failed ? err_set(e, ERR_LIMIT, "the configuration is too long") : 0;
}

static void
not_found(struct span name, struct err *e)
{
	struct nearest near;

	nearest_init(&near, name);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		nearest_try(&near, setting_table[id].name);
	if (near.best != NULL)
		err_set(e, ERR_NOTFOUND, "there is no setting %.*s; did you mean %s?", SPAN_ARG(name), near.best);
	else
		err_set(e, ERR_NOTFOUND, "there is no setting %.*s", SPAN_ARG(name));
}

/* The part of a path below the blocks: kind, or kind/name, or kind/name/setting, or deeper. */
static bool
put_path(struct dump *d, const struct scope *s, const struct block *parent, struct span path, struct span whole)
{
	size_t slash = span_chr(path, '/');
	enum block_kind kind = block_find(span_sub(path, 0, slash));
	struct span rest = span_from(path, slash + 1);
	bool found = false;

	for (size_t i = 0; kind != BLOCK_KINDS && i < s->blocks.n; i++) {
		const struct block *b = *(struct block **)array_at(&s->blocks, i);
		struct span inner;
		unsigned idx;

		if (b->kind != kind || b->parent != parent)
			continue;
		if (slash == path.n || span_eq(rest, b->name)) {
			put_block(d, s, b);
			found = true;
			continue;
		}
		if (!span_starts(rest, b->name) || rest.p[b->name.n] != '/')
			continue;
		inner = span_from(rest, b->name.n + 1);
		idx = block_setting_find(kind, inner);
		if (block_table[kind].settings[idx].name != NULL) {
			put_setting(d, whole, &block_table[kind].settings[idx], &b->values[idx]);
			found = true;
		} else {
			found |= put_path(d, s, b, inner, whole);
		}
	}
	return found;
}

int
config_dump_name(struct config *c, const struct dump_options *o, struct span name, struct buf *out, struct err *e)
{
	struct dump d = { .c = c, .o = o, .out = out };
	const struct scope *s = o->filter == NULL ? scope_top(c) : merge(c, o->filter);
	unsigned id = setting_find(name);
	bool found = true;

	if (s == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	if (id < SETTINGS_COUNT) {
		put_setting(&d, name, &setting_table[id], &s->values[id]);
	} else if (span_eq(name, SPAN("plugin"))) {
		put_plugins(&d, s);
	} else if (span_starts(name, SPAN("plugin/"))) {
		const struct plugin_value *pv = plugin_for((struct scope *)(uintptr_t)s, span_from(name, 7));

		found = pv != NULL;
		if (found)
			put_setting(&d, name, NULL, &pv->value);
	} else {
		found = put_path(&d, s, NULL, name, name);
	}
	if (!found) {
		not_found(name, e);
		return -1;
	}
	return out->failed ? err_set(e, ERR_LIMIT, "the configuration is too long") : 0;
}
