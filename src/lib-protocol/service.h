/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_SERVICE_H
#define CULVER_LIB_PROTOCOL_SERVICE_H
/*
 * The frame of every service process: what the master hands over at exec, and the control socket to it.
 * Descriptor 3: the settings image; 4: the control socket; 5 and on: listening sockets, described by the environment
 * variable CULVER_LISTENERS ("<kind> <ssl> <name>" a line, in the order of the descriptors).  Log: CULVER_LOG.
 */
#include <ev.h>
#include "lib/ipc-types.h"
#include "lib/peer.h"
#include "lib-config/settings.h"

#define SERVICE_LISTENERS_MAX 64

struct service_listener {
	int fd;
	bool is_unix, ssl;
	const char *name;	/* "imaps", "auth-userdb", ... */
};

struct service {
	const char *name;		/* "imap-login" */
	struct settings *settings;
	struct set_view *view;		/* with the filter protocol of the service */
	struct set_block block;		/* the service {} block */
	struct ev_loop *loop;
	struct peer *master;
	struct service_listener listeners[SERVICE_LISTENERS_MAX];
	size_t listener_count;
	bool stopping;			/* MSG_STOP came: listeners are closed */
	uint32_t client_limit, process_limit, process_min_avail, service_count;	/* after defaults */
	uint64_t idle_kill_ms;
	uint32_t clients;		/* as service_busy() was told last */
	ev_timer status_timer;		/* the frame's own */
	uint32_t told_clients;
	ev_signal term;
	void *data;
	/* Called by the frame; any may be NULL. */
	void (*on_peer)(struct service *s, unsigned kind, int *fd);			/* MSG_PEER */
	void (*on_channel)(struct service *s, struct span name, int *fd);		/* MSG_CHANNEL */
	void (*on_term)(struct service *s);	/* SIGTERM: end soon, whoever is being served; NULL: ends at once */
	void (*on_stop)(struct service *s);	/* after it the process ends when service_busy() says 0 clients */
	void (*on_logs)(struct service *s);	/* the log files are others now: forked children have the old ones */
};

/* First thing in main(): settings, log, control socket.  Exits with a line in the log when it can not. */
void service_init(struct service *s, const char *name, const char *protocol);
/* Gives up root: to the user of the service block, or the default for the service (enum below); locked in the block's
 * chroot below base_dir, or in chroot_dir (NULL: not at all). */
enum service_user { SERVICE_USER_INTERNAL, SERVICE_USER_LOGIN, SERVICE_USER_ROOT };
void service_drop(struct service *s, enum service_user user, const char *chroot_dir, int keep_capability);
void service_ready(struct service *s);				/* MSG_READY */
void service_want(struct service *s, const char *name);		/* MSG_WANT */
void service_busy(struct service *s, uint32_t clients);		/* how many now; ends the process when it stops and has none */
/* As if the master had said stop, and tells it that another process is needed (service_count is reached). */
void service_retire(struct service *s);
/* Runs the loop until the service ends; returns the exit status. */
int service_run(struct service *s);
/*
 * In a forked child: forgets the loop and every descriptor but standard error, the log's and the count ones of keep:
 * neither the control socket, nor channels of the parent, nor other sessions' sockets reach a worker.  SIGCHLD,
 * SIGTERM and SIGUSR1 have their default action; SIGPIPE, SIGHUP and SIGINT stay ignored.
 */
void service_child(struct service *s, const int *keep, size_t count);
/* Makes the line for the log: "Killed by signal 11 (core dumped)"; false when the process ended by itself with 0. */
bool service_death(int status, char *out, size_t room);
#endif
