/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_PROCMAIL_RUN_H
#define CULVER_LIB_FILTER_PROCMAIL_RUN_H
/*
 * Recipes on a message.  With procmail a delivery happens where it stands in the file, and its failure makes the next recipe
 * run; so what has an effect outside is done at once, through the host.  Nothing else leaves this module.
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

struct procmail_cache;

struct procmail_limits {
	size_t steps;		/* statements and conditions that are carried out */
	uint64_t match_work;	/* of regular expressions, in steps of their automata */
	size_t rc_depth;	/* of INCLUDERC in each other */
	size_t programs;	/* that are run */
	size_t deliveries;	/* tried */
	size_t clones;		/* :0 c with a block */
	size_t variables;
	size_t values;		/* octets of them all together, clones' too */
	size_t memory;		/* of rcfiles, and of messages that came out of filters */
	size_t message;		/* of a message that comes out of a filter */
	size_t line;		/* the most that LINEBUF can be set to */
	unsigned pauses;	/* seconds in all, of waiting for room to run programs */
};
#define PROCMAIL_LIMITS_DEFAULT ((struct procmail_limits){ .steps = 200000, .match_work = 500000000u, .rc_depth = 32, \
	.programs = 500, .deliveries = 200, .clones = 50, .variables = 2000, .values = (size_t)32 << 20, .memory = (size_t)512 << 20, \
	.message = (size_t)256 << 20, .line = (size_t)1 << 20, \
	.pauses = 120 })

enum procmail_place {
	PROCMAIL_PLACE_FILE,	/* mbox; /dev/null is one too */
	PROCMAIL_PLACE_DIR,	/* a file with $MSGPREFIX in front */
	PROCMAIL_PLACE_MH,	/* the name ends in "/." */
	PROCMAIL_PLACE_MAILDIR,	/* the name ends in "/" */
	PROCMAIL_PLACE_MAILBOX,	/* mailbox:Name, one of the user's mailboxes */
};

struct procmail_delivery {
	enum procmail_place place;
	struct span dir;		/* the current directory, absolute */
	const struct span *names;	/* as written, several for directories: the message is linked there */
	size_t name_count;
	struct span text;		/* ready to be written */
	struct span prefix;		/* MSGPREFIX */
	unsigned umask;
};

struct procmail_program {
	struct span dir;
	const struct span *argv;
	size_t argc;
	const struct span *env;		/* NAME=value */
	size_t env_count;
	struct span input;
	size_t output_max;		/* 0: nobody wants the output */
	unsigned timeout;		/* seconds; 0: the host's */
	unsigned umask;
	bool ignore_write_errors;	/* it need not read all of its input */
};

struct procmail_lock {
	struct span dir, name;
	unsigned sleep, timeout, suspend;	/* seconds */
};

/* What happens outside.  All return 0, or -1 with e.  NULL: it can not be done, an error. */
struct procmail_host {
	void *ctx;
	int (*read)(void *ctx, struct span dir, struct span name, struct buf *out, struct err *e);	/* an rcfile */
	int (*enter)(void *ctx, struct span dir, struct err *e);	/* whether dir can be the current directory */
	bool (*is_dir)(void *ctx, struct span dir, struct span name);
	bool (*is_file)(void *ctx, struct span dir, struct span name);	/* whether it is there and no directory */
	/* Saves; *out: the names of the files, for LASTFOLDER.  On success it survives a power cut. */
	int (*deliver)(void *ctx, const struct procmail_delivery *d, struct buf *out, struct err *e);
	/* The message goes on to these addresses.  NULL: $SENDMAIL is run as a program. */
	int (*forward)(void *ctx, const struct span *addresses, size_t count, struct span text, struct err *e);
	/* *status: the exit code, or minus the signal that it died of. */
	/* ERR_TEMP: the system has no room for it now; it is tried again NORESRETRY times, SUSPEND seconds apart. */
	int (*run)(void *ctx, const struct procmail_program *p, struct buf *out, struct buf *said, int *status, struct err *e);
	int (*lock)(void *ctx, const struct procmail_lock *l, struct err *e);
	void (*unlock)(void *ctx, struct span dir, struct span name);
	/* Whether LOGFILE can be written; it is made, with what umask leaves of rw for everyone.  NULL: it can. */
	int (*open_log)(void *ctx, struct span dir, struct span name, unsigned umask, struct err *e);
	/* name: of $LOGFILE, empty when there is none. */
	void (*log)(void *ctx, struct span dir, struct span name, struct span text);
	/*
	 * What goes wrong, whether there is a LOGFILE that has it too or not: one line without its end.  Where:
	 * procmail_request.where.  NULL: the log has it.
	 */
	void (*problem)(void *ctx, struct span text);
	/* The message is thrown away on purpose: into "/dev/null", or by a "HOST" that is another's.  NULL: nobody wants to know. */
	void (*dropped)(void *ctx, struct span by);
	int64_t (*now)(void *ctx);	/* seconds since 1970 */
	void (*pause)(void *ctx, unsigned seconds);	/* NULL: nothing is tried again */
};

/* The statement that is being run, for the host: kept up to date while it is called. */
struct procmail_where {
	struct span rc;		/* the file, as it was named; empty: none, the end of all is reached (DEFAULT) */
	unsigned line;
};

struct procmail_request {
	struct span text;		/* the message, lines end with LF; with its From_ line, if it has one */
	struct span rc_names;		/* files, separated by newlines: the first that can be read is run */
	struct span global_rc;		/* files too: all of them are run before it; empty: none */
	struct span user, home, shell, host_name, dir;	/* dir: MAILDIR at first */
	struct span inbox;		/* ORGMAIL and DEFAULT at first */
	struct span sendmail;
	const struct span *settings;	/* NAME=value, set before the first rcfile is read */
	size_t setting_count;
	const struct span *args;	/* $1 ... */
	size_t arg_count;
	unsigned process;		/* $$ */
	bool soft;			/* a failure is EX_TEMPFAIL, not EX_CANTCREAT */
	struct procmail_cache *cache;	/* cache.h; NULL: nothing is kept for the next message */
	struct procmail_where *where;	/* NULL: nobody asks */
	bool keep_when_failed;		/* DEFAULT and ORGMAIL failed: the caller saves the message */
};

struct procmail_result {
	bool delivered;			/* or given up on purpose (HOST, SWITCHRC and /dev/null) */
	int exit_code;			/* sysexits, or what EXITCODE and TRAP said */
	bool exit_code_set;		/* by EXITCODE or TRAP */
	size_t problems;		/* that were logged */
	struct buf folder;		/* LASTFOLDER; buf_clear() it */
};

/* Runs the rcfiles, then DEFAULT and ORGMAIL.  -1 only without memory: nothing is known then, and the message is the caller's. */
int procmail_run(const struct procmail_request *r, const struct procmail_host *host, const struct procmail_limits *limits,
    struct procmail_result *out, struct err *e);

#define PROCMAIL_MAILBOX_PREFIX "mailbox:"
#endif
