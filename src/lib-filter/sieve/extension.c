/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/word.h"

const struct sieve_extension sieve_extensions[EXT_COUNT] = {
	[EXT_CORE] = { "", true },
#define EXTENSION(id, name, on) [EXT_##id] = { name, on },
#include "lib-filter/sieve/extension.def"
#undef EXTENSION
};

enum sieve_ext
sieve_extension_find(struct span name)
{
	for (int i = EXT_CORE + 1; i < EXT_COUNT; i++)
		if (span_eq(name, span_str(sieve_extensions[i].name)))
			return (enum sieve_ext)i;
	return EXT_CORE;
}

bool
sieve_extset_parse(struct sieve_extset *out, struct span text, struct span *bad_out)
{
	struct span rest = span_trim(text), word;
	bool ok = true, changes = rest.n == 0 || rest.p[0] == '+' || rest.p[0] == '-';

	*out = (struct sieve_extset){ 0 };
	for (int i = EXT_CORE + 1; i < EXT_COUNT && changes; i++)
		if (sieve_extensions[i].on)
			extset_add(out, (enum sieve_ext)i);
	while (span_next(&rest, ' ', &word)) {
		char sign = word.n > 0 ? word.p[0] : ' ';
		struct span name = sign == '+' || sign == '-' ? span_from(word, 1) : word;
		enum sieve_ext e = sieve_extension_find(name);

		if (word.n == 0)
			continue;
		if (e == EXT_CORE) {
			*bad_out = name;
			ok = false;
		} else if (sign == '-') {
			extset_remove(out, e);
		} else {
			extset_add(out, e);
		}
	}
	return ok;
}

const struct sieve_word *
sieve_word_find(struct span name, bool is_test, const struct sieve_extset *required)
{
	static const struct sieve_word *const tables[] = {
		sieve_words_control, sieve_words_action, sieve_words_test,
		sieve_words_variables, sieve_words_flags,
		sieve_words_body, sieve_words_extlists, sieve_words_editheader, sieve_words_mime,
		sieve_words_replace, sieve_words_notify, sieve_words_notify_old,
		sieve_words_spamtest, sieve_words_program, sieve_words_report,
		sieve_words_vacation, sieve_words_date, sieve_words_environment, sieve_words_include, sieve_words_mailbox,
		sieve_words_duplicate, sieve_words_tester,
	};
	const struct sieve_word *found = NULL;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct sieve_word *w = tables[i]; w->name != NULL; w++)
			/* The first letter tells most of them apart. */
			if (w->is_test == is_test && name.n > 0 && ascii_lower(name.p[0]) == w->name[0] &&
			    span_ieq(name, span_str(w->name)) && (found == NULL || extset_has(required, w->ext)))
				found = w;
	return found;
}
