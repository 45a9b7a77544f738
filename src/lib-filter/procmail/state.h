/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_STATE_H
#define CULVER_LIB_FILTER_PROCMAIL_STATE_H
/* What the parts of the interpreter share: variables.c, condition.c, action.c, run.c.  No other file includes this. */
#include <limits.h>
#include "lib/array.h"
#include "lib-filter/procmail/cache.h"
#include "lib-filter/procmail/expand.h"
#include "lib-filter/procmail/rc.h"
#include "lib-filter/procmail/run.h"

#define EX_OK_CODE 0
#define EX_NOUSER_CODE 67
#define EX_CANTCREAT_CODE 73
#define EX_TEMPFAIL_CODE 75
#define SCORE_MAX 2147483647.0
#define PROCMAIL_NOT_RUN 2	/* $? of a program that is not there: what /bin/sh says, which procmail gives its name to */

struct variable {
	char *name, *value;
	size_t name_n, value_n;
};

/* A file or block that is being run. */
struct frame {
	const struct procmail_statement *next;
	bool is_rc;
	char *rc_name;		/* of is_rc; owned */
	bool matched, else_done;	/* of a block: as they were outside, for behind it */
};

/* What all clones of a run have in common. */
struct shared {
	const struct procmail_request *r;
	const struct procmail_host *host;
	struct procmail_limits left;
	struct procmail_cache *cache;
	size_t problems;
};

struct procmail_state {
	struct shared *sh;
	struct arena *scratch;	/* of one statement */
	struct array variables, frames;
	struct span text, header, body;
	char *owned;		/* text, when it is this clone's own: it came out of a filter */
	char *search;		/* the header with its continued lines put together; made when asked for */
	size_t search_n;
	struct buf dir;
	struct buf log_path;	/* of LOGFILE, as MAILDIR was when it was assigned */
	struct buf global_lock;	/* held now: directory, newline, name */
	struct procmail_expander expander;
	const struct span *args;
	size_t arg_count;
	/* What the recipes before came to.  A block begins with what is outside of it, and an included file goes on with it. */
	bool matched;		/* the last without A or a was executed */
	bool else_done;		/* the last, or one before it in its chain of E, was executed */
	bool succeeded;		/* the last action that was tried */
	double score;
	int exit_code;		/* of the last program: $? */
	bool stop;		/* the message is where it belongs, or the recipes have ended it */
	bool delivered;
	bool ended;		/* delivered, in that HOST said so */
	bool pretends;		/* DELIVERED was set: the exit code is 0 from then on */
	bool abandoned;		/* neither DEFAULT nor ORGMAIL is tried */
	unsigned clone_depth;
	struct span ran;	/* the last program, as it is told to users; in scratch */
	size_t last_octets;	/* of the last delivery */
	bool out_of_limits;
};

/* variables.c */
bool procmail_get(void *ctx, struct span name, struct span *out);
struct span procmail_value(struct procmail_state *s, const char *name);
long procmail_number(struct procmail_state *s, const char *name, long unset);
bool procmail_exit_number(struct span value, long *out);
unsigned procmail_umask(struct procmail_state *s);
bool procmail_is_on(struct procmail_state *s, const char *name, bool unset);
bool procmail_set_plain(struct procmail_state *s, struct span name, struct span value);
void procmail_unset(struct procmail_state *s, struct span name);
/* With what the variable does: MAILDIR, LOG, INCLUDERC...  False: the limits are used up. */
void procmail_assign(struct procmail_state *s, struct span name, struct span value, unsigned line);
bool procmail_variables_copy(struct procmail_state *to, const struct procmail_state *from);
void procmail_variables_clear(struct procmail_state *s);
/* The environment of a program, in scratch. */
int procmail_environment(struct procmail_state *s, const struct span **env_out, size_t *count_out);

/* condition.c */
bool procmail_conditions(struct procmail_state *s, const struct procmail_statement *recipe);
struct span procmail_search_header(struct procmail_state *s);

/* action.c */
enum procmail_done { PROCMAIL_DONE, PROCMAIL_FAILED };
enum procmail_done procmail_act(struct procmail_state *s, const struct procmail_statement *recipe);
enum procmail_done procmail_deliver(struct procmail_state *s, struct span folder, unsigned flags, bool locks, struct span lock);
/* Whether it ends like a directory's name and is a file. */
bool procmail_is_misnamed(struct procmail_state *s, struct span name);
void procmail_unlock_global(struct procmail_state *s);
void procmail_lock_global(struct procmail_state *s, struct span name);
/* text, with an empty line behind it: as programs get it.  In scratch. */
struct span procmail_end_empty(struct procmail_state *s, struct span text);
void procmail_backquote(void *ctx, struct span command, struct buf *out);
/* Runs a command line as it is written.  input_flags: h, b.  -1: it could not be run. */
int procmail_run_line(struct procmail_state *s, struct span line, struct span input, size_t output_max, bool ignore_write,
    struct buf *out, int *status);
void procmail_log_abstract(struct procmail_state *s, struct span folder, size_t octets);
bool procmail_set_text(struct procmail_state *s, struct span text);

/* run.c */
void procmail_log(struct procmail_state *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void procmail_verbose(struct procmail_state *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void procmail_log_text(struct procmail_state *s, struct span text);
bool procmail_open_rc(struct procmail_state *s, struct span name, bool instead, bool tell);
void procmail_end_rc(struct procmail_state *s);
/* A copy of all goes through the block and on behind it, to its own end; its exit code.  -1: there was none. */
int procmail_clone(struct procmail_state *s, const struct procmail_statement *recipe);
bool procmail_expand_one(struct procmail_state *s, enum procmail_expand_mode mode, struct span text, struct span *out);
bool procmail_expand_words(struct procmail_state *s, struct span text, struct procmail_words *out);
#endif
