/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_MASTER_H
#define CULVER_MASTER_MASTER_H
/*
 * The master: configuration, listening sockets, children; nothing from the network.  main.c is the command,
 * master.c start, reload and stop, process.c the children, broker.c who talks with whom, tool.c culveradm.
 *
 * A reload makes a new generation: its services are started with the new settings; when they serve, the old ones are
 * told to stop: first those that talk to clients before login, and the rest when nobody of their generation can ask
 * them any more.
 */
#include <ev.h>
#include "lib/peer.h"
#include "lib-config/config.h"
#include "lib-config/settings.h"
#include "master/backoff.h"
#include "master/kinds.h"
#include "master/listener.h"
#include "master/logs.h"

struct master;

/* One process of a service. */
struct proc {
	struct proc *prev, *next;
	struct master *master;
	enum kind kind;
	unsigned generation;
	pid_t pid;
	struct peer *control;		/* NULL: it has closed, its end is near */
	bool ready, told_to_stop, termed, full;
	uint32_t clients, limit;
	ev_tstamp started;
};

/* A service in the present configuration. */
struct svc {
	struct master *master;
	enum kind kind;
	bool enabled;
	struct array listeners;		/* of struct listener */
	uint32_t min_avail, process_limit;
	struct backoff backoff;
	ev_timer restart;
};

/* A question for a channel that waits for its service to run. */
struct want {
	struct want *next;
	struct peer *asker;		/* a process's control socket, or a tool */
	unsigned kind;
	enum kind target;
	unsigned generation;
};

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOP_WORKERS, PHASE_STOP_FRONT, PHASE_STOP_REST };

struct master {
	const char *config_path, *exe_dir;
	const char *const *overrides;	/* -o */
	struct ev_loop *loop;
	int image_fd;
	struct settings *settings;
	struct set_view *view;
	unsigned generation;
	enum phase phase;
	struct svc svc[KINDS];
	struct proc *procs;
	struct want *wants;
	struct logs logs;
	struct log_memory *memory;
	int lock_fd, ready_fd;		/* the pid file; the pipe to the waiting parent (-1: none) */
	int tool_fd;
	ev_io tool_accept;
	ev_signal sig_hup, sig_term, sig_int, sig_usr1;
	ev_child reaper;
	ev_timer phase_timer, retire_timer, ready_timer;
	bool reload_pending;		/* the new generation does not serve yet */
	bool reload_wanted;		/* while starting: as soon as that is done */
	char seal[32];			/* what the imap parents seal identities with */
	int exit_status;
};

/* master.c */
/* Settings from the text: *image_fd_out, *settings_out, *view_out; each note goes to say. */
int master_read_config(struct master *m, int *image_fd_out, struct settings **settings_out, struct set_view **view_out,
    void (*say)(bool is_error, const char *text), struct err *e);
int master_start(struct master *m, struct err *e);
int master_run(struct master *m);
int master_reload(struct master *m, struct err *e);
void master_stop(struct master *m);
void master_proc_ready(struct master *m);	/* some process serves now, or some has ended */

/* process.c */
void proc_ensure(struct svc *s);		/* starts what is missing */
void procs_init(struct master *m);
void proc_stop(struct proc *p);			/* MSG_STOP */
void proc_term(struct proc *p, int sig);
/* "/usr/libexec/culver/auth": from libexec_dir, the build tree, or the installation this program is in. */
int proc_program(const struct master *m, enum kind kind, char *out, size_t room, struct err *e);
bool proc_is_current(const struct proc *p);

/* broker.c */
void broker_want(struct master *m, struct peer *asker, unsigned kind, unsigned generation, struct span name);
void broker_forget(struct master *m, const struct peer *asker);
void broker_started(struct proc *p);		/* those who waited for it get their channels */

/* tool.c */
int tool_listen(struct master *m, struct err *e);
void tool_close(struct master *m);
#endif
