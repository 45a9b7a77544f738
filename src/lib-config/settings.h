/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_SETTINGS_H
#define CULVER_LIB_CONFIG_SETTINGS_H
/*
 * Settings as every process but the master and the tools sees them: one sealed memory file, mapped read-only.  Nothing
 * is parsed here: values were checked and brought into their final form when the image was made (config.h).
 *
 * A view is what is in effect for one protocol, connection and user: protocol, local, remote and local_name blocks of
 * the configuration are filters that the view has applied.  Making a view costs a walk over the overrides only.
 *
 * Spans given out point into the image (or into the view, for overrides) and live as long as the view.
 */
#include <sys/socket.h>
#include "lib/arena.h"
#include "lib/err.h"

/* SET_mail_location and so on: one for each line of settings.def, the one table of all settings. */
enum setting {
#define SETTING(name, type, def, doc) SET_##name,
#include "lib-config/settings.def"
#undef SETTING
	SETTINGS_COUNT
};

struct settings;

/* Maps an image (as sent by the master).  The descriptor stays the caller's.  ERR_CORRUPT for a wrong or old image. */
int settings_open(int fd, struct settings **out, struct err *e);
void settings_close(struct settings *s);

struct set_filter {
	const char *protocol;	/* "imap", "pop3", "lmtp", "lda", "doveadm"; NULL: none */
	const struct sockaddr_storage *local, *remote;	/* NULL: unknown */
	struct span local_name;	/* TLS SNI */
};

struct set_view;

/* The names of the local_name blocks, one block (with one or more names, separated by spaces) a call.  Start with
 * *pos = 0; false at the end. */
bool settings_local_names(const struct settings *s, size_t *pos, struct span *names_out);

/* A view with its own memory; f may be NULL.  NULL when memory is out. */
struct set_view *set_view_new(const struct settings *s, const struct set_filter *f);
void set_view_free(struct set_view *v);
/* Overrides a setting by its name ("mail_location", "plugin/quota_rule", "namespace/inbox/location"), as userdb fields
 * do.  ERR_NOTFOUND unknown name, ERR_SYNTAX a wrong value. */
int set_view_override(struct set_view *v, struct span name, struct span value, struct err *e);

/* The type must be that of settings.def (asserted). */
struct span set_str(const struct set_view *v, enum setting id);	/* STR, VARS (not expanded), FILE (a path), LIST text */
bool set_bool(const struct set_view *v, enum setting id);
uint64_t set_num(const struct set_view *v, enum setting id);	/* NUM, SIZE in octets, MODE */
uint64_t set_ms(const struct set_view *v, enum setting id);	/* TIME in milliseconds */
unsigned set_enum(const struct set_view *v, enum setting id);	/* index among the words of settings.def */
/* Whether word is among the space-separated words of a LIST setting. */
bool set_list_has(const struct set_view *v, enum setting id, struct span word);
/* Walks the words of a LIST (or of any words with spaces or commas between): start with rest = the text. */
bool set_list_next(struct span *rest, struct span *word_out);
/* plugin { name = value }; an empty span with p NULL when it is not set. */
struct span set_plugin(const struct set_view *v, const char *name);
/* The names in plugin {} that begin with prefix, one a call, some of them twice.  *pos is 0 at first; p NULL at the end. */
struct span set_plugin_next(const struct set_view *v, struct span prefix, size_t *pos);

/*
 * Blocks with a name: namespace, mailbox (in a namespace), passdb, userdb, service, unix_listener, fifo_listener,
 * inet_listener (in a service).  In the order of the configuration (services: built-in ones first).  Walk with *pos = 0.
 * parent NULL: blocks at the top level.
 */
struct set_block {
	const struct set_view *view;
	uint32_t idx;			/* for the implementation */
	struct span type, name;
};
bool set_block_next(const struct set_view *v, const struct set_block *parent, const char *type, size_t *pos,
    struct set_block *out);
/* The value of a setting in the block, or its default from the table of that kind of block.  Names that the kind does not
 * have are a programming error (asserted). */
struct span set_block_str(const struct set_block *b, const char *name);
bool set_block_bool(const struct set_block *b, const char *name);
uint64_t set_block_num(const struct set_block *b, const char *name);	/* of an ENUM: the index of the word */
uint64_t set_block_ms(const struct set_block *b, const char *name);
bool set_block_is_set(const struct set_block *b, const char *name);	/* by the configuration, not by default */
#endif
