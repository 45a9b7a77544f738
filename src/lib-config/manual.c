/* SPDX-License-Identifier: MIT */
/* The tables as the middle part of a manual page, in the language of man(7). */
#include <stdlib.h>
#include "lib-config/config-priv.h"

/* Text in which nothing is a command of roff. */
static void
put_roff(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			buf_adds(out, "\\e");
		else if (text.p[i] == '-')
			buf_adds(out, "\\-");
		else if (text.p[i] == '\'')
			buf_adds(out, "\\(aq");
		else if (text.p[i] == '.' && (i == 0 || text.p[i - 1] == '\n'))
			buf_adds(out, "\\&.");
		else
			buf_addc(out, text.p[i]);
	}
}

static void
put_values(struct buf *out, const struct setting_def *def)
{
	struct span word;

	if (def->type != TYPE_ENUM) {
		buf_adds(out, type_name(def->type));
		return;
	}
	for (unsigned i = 0; (word = enum_word(def->def, i)).n > 0; i++) {
		buf_adds(out, i > 0 ? " | " : "");
		put_roff(out, word);
	}
}

static void
put_setting(struct buf *out, const struct setting_def *def)
{
	struct span text = value_default(def);

	buf_adds(out, ".TP\n.BR ");
	put_roff(out, span_str(def->name));
	buf_adds(out, " \" = \\fI");
	put_values(out, def);
	buf_adds(out, "\\fR\"\n");
	put_roff(out, span_str(def->doc));
	buf_adds(out, ".\n");
	if (text.n > 0) {
		buf_adds(out, "Default:\n.B \"");
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] == '"')
				buf_adds(out, "\\(dq");
			else
				put_roff(out, span_sub(text, i, 1));
		}
		buf_adds(out, "\"\n");
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(setting_table[*(const unsigned *)a].name, setting_table[*(const unsigned *)b].name);
}

void
settings_manual(struct buf *out)
{
	unsigned ids[SETTINGS_COUNT];

	for (unsigned i = 0; i < SETTINGS_COUNT; i++)
		ids[i] = i;
	qsort(ids, SETTINGS_COUNT, sizeof(ids[0]), by_name);
	for (unsigned i = 0; i < SETTINGS_COUNT; i++)
		put_setting(out, &setting_table[ids[i]]);
}

void
blocks_manual(struct buf *out)
{
	for (unsigned k = 0; k < BLOCK_KINDS; k++) {
		const struct block_def *b = &block_table[k];

		buf_adds(out, ".SS \"");
		buf_adds(out, b->name);
		if (b->parent != BLOCK_NONE)
			buf_addf(out, " (in %s)", block_table[b->parent].name);
		buf_adds(out, "\"\n");
		put_roff(out, span_str(b->doc));
		buf_adds(out, ".\n");
		for (const struct setting_def *d = b->settings; d->name != NULL; d++)
			put_setting(out, d);
	}
}
