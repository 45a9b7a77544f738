/* SPDX-License-Identifier: MIT */
/* Walks the lines of the configuration: blocks, filters, included files. */
#include <glob.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "lib-config/parse.h"
#include "lib/sys.h"

struct place
parser_place(const struct parser *p, unsigned line)
{
	return (struct place){ p->file, line };
}

static struct frame *
top_frame(struct parser *p)
{
	return &p->frames[p->depth - 1];
}

/* Blocks of Dovecot whose content means nothing here. */
static const struct {
	const char *type, *reason;
} ignored_blocks[] = {
	{ "dict", "there is no dictionary server" },
	{ "metric", "there are no configurable metrics" },
	{ "event_exporter", "events are not exported" },
};

static bool
parse_address(struct parser *p, struct place at, struct span text, struct netaddr *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	char *name;
	bool ok = netaddr_parse(text, out);

	if (ok || p->c->closed || text.n == 0 || span_chr(text, '/') < text.n)
		goto out;
	name = arena_cstr(p->c->arena, text);
	if (name != NULL && getaddrinfo(name, NULL, &hints, &found) == 0 &&
	    found->ai_addrlen <= sizeof(struct sockaddr_storage)) {
		struct sockaddr_storage sa = { 0 };

		memcpy(&sa, found->ai_addr, found->ai_addrlen);
		ok = netaddr_of(&sa, out);
	}
	if (found != NULL)
		freeaddrinfo(found);
out:
	if (!ok)
		config_error(p->c, at, "'%.*s' is neither an address nor a network", SPAN_ARG(text));
	return ok;
}

static const char *const known_protocols[] = {
	"imap", "pop3", "lmtp", "lda", "doveadm", "sieve", "submission", "auth",
};

static void
check_protocol_name(struct parser *p, struct place at, struct span name)
{
	struct nearest near;
	const char *reason;

	if (service_use(name, &reason) != SERVICE_UNKNOWN)
		return;
	nearest_init(&near, name);
	for (size_t i = 0; i < sizeof(known_protocols) / sizeof(known_protocols[0]); i++) {
		if (span_eq(name, span_str(known_protocols[i])))
			return;
		nearest_try(&near, known_protocols[i]);
	}
	if (near.best != NULL)
		config_error(p->c, at, "there is no protocol %.*s; did you mean %s?", SPAN_ARG(name), near.best);
	else if (config_warn_once(p->c, name))
		config_warning(p->c, at, "there is no protocol %.*s: the block has no effect", SPAN_ARG(name));
}

static bool
narrow_network(struct parser *p, struct place at, const char *type, struct span text, struct netaddr *net,
    struct span *text_out)
{
	struct netaddr wider = *net;

	if (!parse_address(p, at, text, net))
		return false;
	*text_out = arena_dup(p->c->arena, text);
	if (wider.family != 0 && !netaddr_in(net, &wider)) {
		config_error(p->c, at, "%s %.*s is outside of the %s block around it", type, SPAN_ARG(text), type);
		return false;
	}
	return text_out->p != NULL;
}

/* protocol, local, remote, local_name.  False when it is none of them; *scope_out NULL after an error. */
static bool
open_filter(struct parser *p, const struct frame *f, const struct line *line, struct place at, struct scope **scope_out)
{
	struct filter filter = f->scope->filter;
	struct span name = line->value;
	bool ok = true;

	*scope_out = NULL;
	if (span_eq(line->key, SPAN("protocol"))) {
		if (filter.protocol.n > 0) {
			config_error(p->c, at, "a protocol block can not be in another one");
			ok = false;
		}
		filter.not_protocol = name.n > 0 && name.p[0] == '!';
		filter.protocol = arena_dup(p->c->arena, span_from(name, filter.not_protocol));
		check_protocol_name(p, at, filter.protocol);
	} else if (span_eq(line->key, SPAN("local"))) {
		ok = narrow_network(p, at, "local", name, &filter.local, &filter.local_text);
	} else if (span_eq(line->key, SPAN("remote"))) {
		ok = narrow_network(p, at, "remote", name, &filter.remote, &filter.remote_text);
	} else if (span_eq(line->key, SPAN("local_name"))) {
		if (filter.local_name.n > 0) {
			config_error(p->c, at, "a local_name block can not be in another one");
			ok = false;
		}
		filter.local_name = arena_dup(p->c->arena, name);
	} else {
		*scope_out = f->scope;
		return false;
	}
	if (ok && name.n == 0) {
		config_error(p->c, at, "%.*s needs to be told for which", SPAN_ARG(line->key));
		ok = false;
	}
	if (ok)
		*scope_out = scope_for(p->c, f->scope, &filter);
	if (ok && *scope_out == NULL)
		config_error(p->c, at, "there are too many filter blocks");
	return true;
}

static void
unknown_block(struct parser *p, const struct frame *f, const struct line *line, struct place at)
{
	static const char *const others[] = { "protocol", "local", "remote", "local_name", "plugin" };
	enum block_kind kind = block_find(line->key), here = f->type == FRAME_BLOCK ? f->block->kind : BLOCK_NONE;
	struct nearest near;

	if (kind != BLOCK_KINDS) {
		config_error(p->c, at, "%.*s {} does not belong here, but %s%s", SPAN_ARG(line->key),
		    block_table[kind].parent == BLOCK_NONE ? "at the top level" : "in ",
		    block_table[kind].parent == BLOCK_NONE ? "" : block_table[block_table[kind].parent].name);
		return;
	}
	nearest_init(&near, line->key);
	for (unsigned k = 0; k < BLOCK_KINDS; k++) {
		if (block_table[k].parent == here)
			nearest_try(&near, block_table[k].name);
	}
	for (size_t i = 0; f->type == FRAME_SCOPE && i < sizeof(others) / sizeof(others[0]); i++)
		nearest_try(&near, others[i]);
	if (near.best != NULL)
		config_error(p->c, at, "there is no block %.*s; did you mean %s?", SPAN_ARG(line->key), near.best);
	else
		config_error(p->c, at, "there is no block %.*s%s", SPAN_ARG(line->key),
		    f->type == FRAME_BLOCK || f->type == FRAME_PLUGIN ? " in this one" : "");
}

/* A service that Culver does without has no effect, with a warning if anything is set in it. */
static bool
open_foreign_service(struct parser *p, const struct line *line, struct place at, struct frame *in)
{
	const char *reason = NULL;
	struct nearest near;

	switch (service_use(line->value, &reason)) {
	case SERVICE_OURS:
		return false;
	case SERVICE_IGNORED:
		break;
	case SERVICE_UNKNOWN:
		nearest_init(&near, line->value);
		services_nearest(&near);
		/* Names of one's own are none of ours, unless by a slip of the finger. */
		if (near.best != NULL && near.distance <= 2)
			config_error(p->c, at, "there is no service %.*s; did you mean %s?", SPAN_ARG(line->value),
			    near.best);
		else if (line->value.n == 0)
			config_error(p->c, at, "service needs a name");
		else
			return false;	/* one that runs a script: see check.c */
		break;
	}
	in->type = FRAME_IGNORED;
	in->reason = reason;
	return true;
}

static void
open_block(struct parser *p, const struct line *line)
{
	const struct frame *f = top_frame(p);
	struct place at = parser_place(p, line->number);
	enum block_kind kind = block_find(line->key);
	struct frame in = *f;
	struct block *parent = f->type == FRAME_BLOCK ? f->block : NULL;

	in.place = at;
	if (f->type == FRAME_IGNORED)
		goto push;
	for (size_t i = 0; f->type == FRAME_SCOPE && i < sizeof(ignored_blocks) / sizeof(ignored_blocks[0]); i++) {
		if (span_eq(line->key, span_str(ignored_blocks[i].type))) {
			in.type = FRAME_IGNORED;
			in.reason = ignored_blocks[i].reason;
			goto push;
		}
	}
	if (f->type == FRAME_SCOPE && span_eq(line->key, SPAN("plugin"))) {
		in.type = FRAME_PLUGIN;
	} else if (f->type == FRAME_SCOPE && open_filter(p, f, line, at, &in.scope)) {
		if (in.scope == NULL) {
			in = *f;
			in.type = FRAME_IGNORED;
			in.reason = NULL;
		}
	} else if (f->type == FRAME_PLUGIN || kind == BLOCK_KINDS ||
	    block_table[kind].parent != (parent == NULL ? BLOCK_NONE : parent->kind)) {
		unknown_block(p, f, line, at);
		in.type = FRAME_IGNORED;
		in.reason = NULL;
	} else if (kind == BLOCK_service && f->scope != scope_top(p->c)) {
		config_error(p->c, at, "service {} belongs at the top level, not in a filter");
		in.type = FRAME_IGNORED;
		in.reason = NULL;
	} else if (kind != BLOCK_service || !open_foreign_service(p, line, at, &in)) {
		in.type = FRAME_BLOCK;
		in.block = block_for(p->c, f->scope, parent, kind, line->value, at);
		if (in.block == NULL) {
			config_error(p->c, at, "there are too many blocks");
			in.type = FRAME_IGNORED;
			in.reason = NULL;
		}
	}
push:
	in.place = at;
	p->frames[p->depth++] = in;
}

static bool parse_file(struct parser *p, const char *path, struct place at, bool may_fail);

static bool
include(struct parser *p, const struct line *line)
{
	struct place at = parser_place(p, line->number);
	bool try = line->type == LINE_INCLUDE_TRY, ok = true;
	char *pattern = parser_path(p, line->value);
	struct stat st;
	glob_t found;
	int rc;

	if (p->c->closed || pattern == NULL) {
		config_error(p->c, at, "no files are read here");
		return true;
	}
	if (p->includes >= CONFIG_INCLUDE_DEPTH) {
		config_error(p->c, at, "files include each other more than %d deep", CONFIG_INCLUDE_DEPTH);
		return false;
	}
	rc = glob(pattern, GLOB_BRACE, NULL, &found);
	if (rc == GLOB_NOMATCH) {
		if (!try)
			config_error(p->c, at, "there is no file %s", pattern);
		return true;
	}
	if (rc != 0) {
		config_error(p->c, at, "%s can not be looked for: %s", pattern, rc == GLOB_NOSPACE ? "out of memory" :
		    "a directory is not readable");
		return true;
	}
	for (size_t i = 0; ok && i < found.gl_pathc; i++) {
		char *path = arena_printf(p->c->arena, "%s", found.gl_pathv[i]);

		/* A directory among the matches of conf.d/?* is nobody's mistake. */
		if (path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && found.gl_pathc > 1)
			continue;
		ok = path != NULL && parse_file(p, path, at, try);
	}
	globfree(&found);
	return ok;
}

static bool
parse_lines(struct parser *p, struct span text)
{
	unsigned base = p->depth;
	struct line_reader reader;
	struct line line;

	line_reader_init(&reader, text);
	while (line_next(&reader, p->c->arena, &line)) {
		struct place at = parser_place(p, line.number);

		if (line.hash_ambiguous)
			config_warning(p->c, at,
			    "'#' begins a comment; put white space before it, or the value in quotes");
		switch (line.type) {
		case LINE_SET:
		case LINE_SET_FILE:
			assign_line(p, top_frame(p), &line);
			break;
		case LINE_OPEN:
			if (p->depth == CONFIG_DEPTH) {
				config_error(p->c, at, "blocks are more than %d deep", CONFIG_DEPTH);
				return false;
			}
			open_block(p, &line);
			break;
		case LINE_CLOSE:
			if (p->depth == base)
				config_error(p->c, at, "'}' without a block that it could close");
			else
				p->depth--;
			break;
		case LINE_INCLUDE:
		case LINE_INCLUDE_TRY:
			if (!include(p, &line))
				return false;
			break;
		case LINE_BAD:
			config_error(p->c, at, "%s", line.problem);
			break;
		}
	}
	if (p->depth > base)
		config_error(p->c, top_frame(p)->place, "this block is not closed: '}' is missing");
	p->depth = base;
	return true;
}

bool
parse_text(struct parser *p, struct span text)
{
	/* Values point into the text: it stays as long as the configuration. */
	struct span copy = arena_dup(p->c->arena, text);

	if (copy.p == NULL) {
		config_error(p->c, parser_place(p, 1), "the configuration takes too much memory");
		return false;
	}
	return parse_lines(p, copy);
}

static bool
parse_file(struct parser *p, const char *path, struct place at, bool may_fail)
{
	const char *outer = p->file;
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct err e = ERR_INIT;
	bool ok = true;

	if (p->c->files++ == CONFIG_FILES_MAX) {
		config_error(p->c, at, "more than %d files are included", CONFIG_FILES_MAX);
		return false;
	}
	if (file_read(path, CONFIG_FILE_MAX, &text, &e) == -1) {
		/* Snippets that only root may read are the use of !include_try with tools that others run. */
		if (!may_fail)
			config_error(p->c, at, "%s", e.log);
		else if (e.code != ERR_NOTFOUND)
			config_warning(p->c, at, "%s", e.log);
	} else {
		p->file = path;
		p->includes++;
		ok = parse_text(p, buf_span(&text));
		p->includes--;
		p->file = outer;
	}
	buf_clear(&text);
	return ok;
}

static void
parser_init(struct parser *p, struct config *c)
{
	memset(p, 0, sizeof(*p));
	p->c = c;
	p->depth = 1;
	p->frames[0].type = FRAME_SCOPE;
	p->frames[0].scope = scope_top(c);
}

static struct config *
config_new(struct err *e)
{
	struct config *c = calloc(1, sizeof(*c));
	struct filter all = { .protocol = SPAN_NONE };
	struct parser p;

	if (c == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	c->arena = arena_new(CONFIG_MEMORY_MAX);
	c->scopes = ARRAY_INIT(struct scope *, CONFIG_SCOPES_MAX);
	c->notes = ARRAY_INIT(struct config_note, CONFIG_NOTES_MAX);
	c->warned = ARRAY_INIT(struct span, CONFIG_NOTES_MAX);
	if (c->arena == NULL || scope_for(c, NULL, &all) == NULL) {
		config_free(c);
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	parser_init(&p, c);
	p.built_in = true;
	parse_text(&p, span_str(services_text));
	return c;
}

struct config *
config_read(const char *path, struct err *e)
{
	struct config *c = config_new(e);
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct parser p;

	if (c == NULL)
		return NULL;
	parser_init(&p, c);
	p.file = arena_printf(c->arena, "%s", path);
	p.includes = 1;
	c->files = 1;
	if (p.file == NULL || file_read(path, CONFIG_FILE_MAX, &text, e) == -1) {
		config_free(c);
		c = NULL;
	} else {
		parse_text(&p, buf_span(&text));
		config_check(c);
	}
	buf_clear(&text);
	return c;
}

struct config *
config_read_text(struct span text, const char *name, struct err *e)
{
	struct config *c = config_new(e);
	struct parser p;

	if (c == NULL)
		return NULL;
	c->closed = true;
	parser_init(&p, c);
	p.file = name;
	parse_text(&p, text);
	config_check(c);
	return c;
}

int
config_override(struct config *c, struct span assignment, struct err *e)
{
	struct parser p;
	struct line line;
	struct line_reader reader;
	unsigned errors = c->errors;

	parser_init(&p, c);
	p.file = "command line";
	line_reader_init(&reader, arena_dup(c->arena, assignment));
	if (!line_next(&reader, c->arena, &line) || (line.type != LINE_SET && line.type != LINE_SET_FILE) ||
	    reader.rest.n > 0)
		return err_set(e, ERR_SYNTAX, "'%.*s' is not setting=value", SPAN_ARG(assignment));
	assign_line(&p, top_frame(&p), &line);
	if (c->errors == errors)
		return 0;
	/* Told here, and not again among the notes. */
	c->errors = errors;
	if (c->notes.n > 0) {
		err_set(e, ERR_SYNTAX, "%s", ((struct config_note *)array_at(&c->notes, c->notes.n - 1))->text);
		c->notes.n--;
		return -1;
	}
	return err_set(e, ERR_SYNTAX, "%.*s is wrong", SPAN_ARG(assignment));
}
