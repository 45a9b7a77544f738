/* SPDX-License-Identifier: MIT */
/* The auth process: what it opens, what it gives up, then the loop. */
#include <stdlib.h>
#include "auth/auth-ipc.h"
#include "auth/listeners.h"
#include "auth/mech.h"
#include "lib/log.h"
#include "lib-protocol/service.h"

#define HELPER_TIMEOUT_S 60

static struct auth_conf conf;
static struct auth_peers *peers;
static struct listeners *listeners;
static struct service service;

static void
on_peer(struct service *s, unsigned kind, int *fd)
{
	(void)s;
	auth_peers_add(peers, kind, fd);
}

static void
tell_busy(void)
{
	service_busy(&service, (uint32_t)(auth_peers_requests(peers) + listeners_clients(listeners)));
}

static void
on_stop(struct service *s)
{
	(void)s;
	listeners_stop(listeners);
	tell_busy();
}

static void
on_clients(size_t count)
{
	(void)count;
	tell_busy();
}

/* Logins end all the time: that matters only to who waits for the end of the last one. */
static void
on_idle(void)
{
	if (service.stopping)
		tell_busy();
}

/* Root can not be had back: the master starts a new auth, which makes a new helper. */
static void
on_helper_death(void)
{
	log_fatal("the helper process for PAM and shadow has gone");
}

static void
in_helper(int fd)
{
	service_child(&service, &fd, 1);
}

int
main(void)
{
	struct helper *helper = NULL;
	struct auth *auth;
	struct err e = ERR_INIT;
	int helper_fd = -1, rc;

	service_init(&service, "auth", NULL);
	if (conf_load(&conf, service.view, &e) == -1)
		log_fatal("%s", e.log);

	/* Still root: the helper that stays it. */
	if (auth_needs_helper(&conf) && helper_fork(conf.worker_max, HELPER_TIMEOUT_S, NULL, in_helper, &helper_fd, &e) == -1)
		log_fatal("%s", e.log);
	service_drop(&service, SERVICE_USER_INTERNAL, NULL, -1);

	/* The unprivileged user from here on.  Threads and the SASL library come after the drop. */
	if (helper_fd != -1) {
		helper = helper_new(service.loop, &helper_fd, conf.max_requests, (HELPER_TIMEOUT_S + 5) * 1000,
		    on_helper_death);
		if (helper == NULL)
			log_fatal("out of memory");
	}
	if (mech_init(&e) == -1)
		log_fatal("%s", e.log);
	auth = auth_new(service.loop, &conf, helper, &e);
	if (auth == NULL)
		log_fatal("%s", e.log);
	peers = auth_peers_new(auth, on_idle);
	listeners = listeners_new(auth, on_clients);
	if (peers == NULL || listeners == NULL)
		log_fatal("out of memory");
	for (size_t i = 0; i < service.listener_count; i++)
		listeners_add(listeners, &service.listeners[i], service.client_limit);
	service.on_peer = on_peer;
	service.on_stop = on_stop;
	service_ready(&service);
	rc = service_run(&service);

	listeners_free(listeners);
	auth_peers_free(peers);
	helper_free(helper);
	auth_free(auth);
	mech_done();
	return rc;
}
