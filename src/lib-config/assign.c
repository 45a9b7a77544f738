/* SPDX-License-Identifier: MIT */
/* Setting one value: finding what the key means, $names in the value, files in place of it, its type. */
#include <stdlib.h>
#include "lib-config/parse.h"
#include "lib/sys.h"

#define VALUE_MAX 65536

/* The value that $name has here: in the block, in the scope, in what the scope stands in. */
static bool
find_variable(const struct frame *f, struct span name, struct span *out)
{
	unsigned id = setting_find(name);

	if (f->type == FRAME_BLOCK) {
		const struct setting_def *defs = block_table[f->block->kind].settings;
		unsigned idx = block_setting_find(f->block->kind, name);

		if (defs[idx].name != NULL) {
			*out = value_text(&defs[idx], &f->block->values[idx]);
			return true;
		}
	}
	for (struct scope *s = f->scope; s != NULL; s = s->outer) {
		const struct plugin_value *pv = f->type == FRAME_PLUGIN ? plugin_for(s, name) : NULL;

		if (pv != NULL || (id < SETTINGS_COUNT && s->values[id].text.p != NULL)) {
			*out = pv != NULL ? pv->value.text : s->values[id].text;
			return true;
		}
	}
	if (id == SETTINGS_COUNT)
		return false;
	/* Each installed protocol adds itself, "protocols = $protocols imap": what is not installed is not served. */
	*out = id == SET_protocols ? SPAN("") : value_default(&setting_table[id]);
	return true;
}

/* Words that begin with a dollar sign are names of settings, or $ENV:NAME. */
static bool
expand(struct parser *p, const struct frame *f, struct place at, struct span text, struct buf *out)
{
	size_t i = 0;

	while (i < text.n) {
		size_t end = i;
		struct span word, found;

		while (end < text.n && !ascii_is_wsp(text.p[end]))
			end++;
		word = span_sub(text, i, end - i);
		if (word.n < 2 || word.p[0] != '$') {
			buf_add(out, word);
		} else if (span_starts(word, SPAN("$ENV:"))) {
			char *name = p->c->closed ? NULL : arena_cstr(p->c->arena, span_from(word, 5));

			buf_add(out, span_str(name == NULL ? NULL : getenv(name)));
		} else if (find_variable(f, span_from(word, 1), &found)) {
			buf_add(out, found);
		} else {
			config_error(p->c, at, "there is no setting %.*s", SPAN_ARG(word));
			return false;
		}
		while (end < text.n && ascii_is_wsp(text.p[end]))
			buf_addc(out, text.p[end++]);
		i = end;
	}
	return true;
}

char *
parser_path(struct parser *p, struct span path)
{
	const char *slash = p->file == NULL ? NULL : strrchr(p->file, '/');

	if (span_starts(path, SPAN("/")) || slash == NULL)
		return arena_cstr(p->c->arena, path);
	return arena_printf(p->c->arena, "%.*s/%.*s", (int)(slash - p->file), p->file, SPAN_ARG(path));
}

/* key = <file: the path for settings that are files (so that a key never gets in the image), else what is in it. */
static bool
value_of_file(struct parser *p, const struct setting_def *def, struct place at, struct span path, struct buf *out)
{
	struct err e = ERR_INIT;
	char *name = parser_path(p, path);

	if (name == NULL || path.n == 0) {
		config_error(p->c, at, "there is no file name behind '<'");
		return false;
	}
	if (def != NULL && def->type == TYPE_FILE) {
		buf_adds(out, name);
		return true;
	}
	if (p->c->closed) {
		config_error(p->c, at, "no files are read here");
		return false;
	}
	if (file_read(name, VALUE_MAX, out, &e) == -1) {
		config_error(p->c, at, "%s", e.log);
		return false;
	}
	while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
	if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL) {
		config_error(p->c, at, "there is a NUL in %s", name);
		return false;
	}
	return true;
}

static bool
check_file_value(struct parser *p, const struct setting_def *def, const struct line *line, struct place at)
{
	if (def->type != TYPE_FILE || line->type == LINE_SET_FILE || line->value.n == 0)
		return true;
	if (span_find(line->value, SPAN("-----BEGIN")) != SIZE_MAX)
		config_error(p->c, at, "%s: keys and certificates do not stand in the configuration: put it in a file "
		    "and write %s = </path/of/the/file", def->name, def->name);
	else if (line->value.p[0] == '/')
		config_error(p->c, at, "%s: the file is meant: write %s = <%.*s", def->name, def->name,
		    SPAN_ARG(line->value));
	else
		config_error(p->c, at, "%s is read from a file: write %s = </path/of/the/file", def->name, def->name);
	return false;
}

/* def is NULL in plugin {}: anything goes. */
static void
assign_value(struct parser *p, const struct frame *f, const struct line *line, const struct setting_def *def,
    struct value *v)
{
	struct buf text = BUF_INIT(VALUE_MAX);
	struct place at = parser_place(p, line->number);
	struct err e = ERR_INIT;
	uint64_t num = 0;
	bool ok;

	if (def != NULL && !check_file_value(p, def, line, at))
		return;
	if (line->type == LINE_SET_FILE) {
		ok = value_of_file(p, def, at, line->value, &text);
	} else if (line->quoted || p->built_in) {
		buf_add(&text, line->value);
		ok = true;
	} else {
		ok = expand(p, f, at, line->value, &text);
	}
	if (ok && text.failed) {
		config_error(p->c, at, "the value is too long");
		ok = false;
	}
	if (ok && def != NULL && value_parse(def, buf_span(&text), &num, &e) == -1) {
		config_error(p->c, at, "%s: %s", def->name, e.log);
		ok = false;
	}
	if (ok) {
		v->text = arena_dup(p->c->arena, buf_span(&text));
		v->num = num;
		v->file = line->type == LINE_SET_FILE ? span_str(parser_path(p, line->value)) : SPAN_NONE;
		v->is_set = !p->built_in;
		v->place = at;
		if (v->text.p == NULL)
			config_error(p->c, at, "the configuration takes too much memory");
	}
	buf_clear(&text);
}

static void
assign_plugin(struct parser *p, const struct frame *f, const struct line *line, struct span key)
{
	struct plugin_value *pv = plugin_for(f->scope, key);
	struct value v = { .text = SPAN_NONE };
	struct frame in_plugin = *f;

	in_plugin.type = FRAME_PLUGIN;
	assign_value(p, &in_plugin, line, NULL, &v);
	if (v.text.p == NULL)
		return;
	if (pv == NULL) {
		pv = array_push(&f->scope->plugin);
		if (pv == NULL) {
			config_error(p->c, v.place, "there are too many plugin settings");
			return;
		}
		pv->key = arena_dup(p->c->arena, key);
	}
	pv->value = v;
}

static void
unknown_setting(struct parser *p, const struct frame *f, struct place at, struct span key)
{
	struct nearest near;

	nearest_init(&near, key);
	if (f->type == FRAME_BLOCK) {
		for (const struct setting_def *d = block_table[f->block->kind].settings; d->name != NULL; d++)
			nearest_try(&near, d->name);
	} else {
		for (unsigned id = 0; id < SETTINGS_COUNT; id++)
			nearest_try(&near, setting_table[id].name);
	}
	if (near.best != NULL)
		config_error(p->c, at, "there is no setting %.*s; did you mean %s?", SPAN_ARG(key), near.best);
	else if (f->type == FRAME_BLOCK)
		config_error(p->c, at, "there is no setting %.*s in %s {}", SPAN_ARG(key),
		    block_table[f->block->kind].name);
	else
		config_error(p->c, at, "there is no setting %.*s", SPAN_ARG(key));
}

static void
assign_setting(struct parser *p, const struct frame *f, const struct line *line, struct span key)
{
	struct place at = parser_place(p, line->number);
	unsigned id = setting_find(key);
	const struct ignored_def *ign = id < SETTINGS_COUNT ? NULL : ignored_find(key);

	if (id < SETTINGS_COUNT)
		assign_value(p, f, line, &setting_table[id], &f->scope->values[id]);
	else if (ign != NULL && ign->harmless != NULL && !span_eq(line->value, span_str(ign->harmless)))
		config_error(p->c, at, "%.*s is not supported, and going on without it would not be safe: %s",
		    SPAN_ARG(key), ign->reason);
	else if (ign != NULL && ign->harmless == NULL && config_warn_once(p->c, key))
		config_warning(p->c, at, "%.*s has no effect: %s", SPAN_ARG(key), ign->reason);
	else if (ign == NULL)
		unknown_setting(p, f, at, key);
}

/* kind/name/... at the front of a key: moves *f into that block.  False when there is none such. */
static bool
enter_path(struct parser *p, struct frame *f, struct span *key, struct place at)
{
	size_t slash = span_chr(*key, '/');
	enum block_kind kind = block_find(span_sub(*key, 0, slash));
	struct block *parent = f->type == FRAME_BLOCK ? f->block : NULL;
	struct span rest = span_from(*key, slash + 1), name;

	if (kind == BLOCK_KINDS || block_table[kind].parent != (parent == NULL ? BLOCK_NONE : parent->kind))
		return false;
	/* A listener's name may have slashes in it: the setting is what follows the last one. */
	for (slash = kind == BLOCK_unix_listener || kind == BLOCK_fifo_listener ? rest.n : span_chr(rest, '/');
	    slash > 0 && (slash == rest.n || rest.p[slash] != '/'); slash--)
		;
	name = span_sub(rest, 0, slash);
	if (name.n == 0 || slash >= rest.n)
		return false;
	f->block = block_for(p->c, f->scope, parent, kind, name, at);
	f->type = FRAME_BLOCK;
	*key = span_from(rest, slash + 1);
	return f->block != NULL;
}

void
assign_line(struct parser *p, const struct frame *f, const struct line *line)
{
	struct place at = parser_place(p, line->number);
	struct frame in = *f;
	struct span key = line->key;
	bool is_path = span_chr(key, '/') < key.n;

	if (f->type == FRAME_IGNORED) {
		if (f->reason != NULL && config_warn_once(p->c, span_str(f->reason)))
			config_warning(p->c, at, "this has no effect: %s", f->reason);
		return;
	}
	if (f->type == FRAME_PLUGIN) {
		assign_plugin(p, f, line, key);
		return;
	}
	if (f->type == FRAME_SCOPE && span_starts(key, SPAN("plugin/")) && key.n > 7) {
		assign_plugin(p, f, line, span_from(key, 7));
		return;
	}
	while (is_path && span_chr(key, '/') < key.n) {
		if (!enter_path(p, &in, &key, at)) {
			config_error(p->c, at, "there is no setting %.*s", SPAN_ARG(line->key));
			return;
		}
	}
	if (in.type == FRAME_BLOCK) {
		const struct setting_def *defs = block_table[in.block->kind].settings;
		unsigned idx = block_setting_find(in.block->kind, key);

		/* Every kind of block may tell its name again. */
		if (defs[idx].name != NULL)
			assign_value(p, &in, line, &defs[idx], &in.block->values[idx]);
		else if (span_eq(key, SPAN("name")))
			in.block->name = arena_dup(p->c->arena, line->value);
		else
			unknown_setting(p, &in, at, key);
		return;
	}
	assign_setting(p, &in, line, key);
}
