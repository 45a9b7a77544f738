/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_WORKER_PRIVATE_H
#define CULVER_LIB_PROTOCOL_WORKER_PRIVATE_H
/* What worker-parent.c, worker-rest.c, worker-hibernate.c and worker-homes.c share. */
#include "lib-protocol/auth-client.h"
#include "lib-protocol/children.h"
#include "lib-protocol/hub-client.h"
#include "lib-protocol/worker-child.h"
#include "lib-storage/storage.h"

struct parent;

/* Octets of what comes with a session; all of it together is less than a frame. */
#define WORKER_ADDRESS_MAX 64
#define WORKER_TAG_MAX 1024
#define WORKER_PREREAD_MAX 32768
#define WORKER_STATE_MAX 49152	/* of hibernation, instead of the preread */

/* A session between login's word and the fork. */
struct pending {
	struct pending *prev, *next;
	struct parent *parent;
	struct peer *login;		/* NULL: it has gone, and its client with it */
	uint32_t login_id;
	uint32_t auth_question, hub_question;
	struct arena *arena;		/* what ws points to */
	bool waits_for_hub;		/* it is away for a moment */
	bool is_waking;			/* from hibernation: no login process waits for it */
	struct running *given_to;	/* a worker that rested, and has not answered yet */
	struct worker_session ws;
	int hub_pair[2];		/* ours (the worker's later), hub's */
};

/* Over: it is about to end.  Who does not serve is not counted. */
enum rest { REST_NOT, REST_READY, REST_OVER };

/* A session that is being served; one piece of memory with its strings behind. */
struct running {
	struct running *prev, *next;
	struct parent *parent;
	pid_t pid;
	struct peer *channel;		/* the other end of the worker's parent_fd */
	struct peer *login;		/* where its client came from, and may go back to; NULL: nowhere any more */
	bool is_marker, killed;
	bool is_behind;			/* a process behind the session `owner' (NULL: that has ended) */
	struct running *owner;
	unsigned behind_count;		/* of a session: processes behind it */
	uint32_t hibernate_id;		/* asked of hibernate for it; 0: nothing */
	uint32_t hibernate_asked;	/* the worker's own number for the question */
	uint32_t home_question;		/* asked of auth for it; 0: nothing */
	uint32_t home_id;		/* the worker's own number for that */
	unsigned homes;			/* asked for so far */
	/* Between two sessions (worker-rest.c). */
	enum rest rest;
	bool may_rest;
	bool ended;			/* the process has, and is counted no more; what it said is yet to be heard */
	struct pending *taking;		/* given to it, and not answered yet */
	ev_tstamp rest_since;
	struct running *older, *newer;	/* of those that rest */
	struct running *rest_next;	/* of those of the same user */
	char session[SESSION_ID_MAX];	/* ws.session is here */
	struct worker_session ws;	/* what hub and a marker must know; descriptors are -1 */
	char strings[];
};

struct parent {
	struct service service;
	const struct worker_parent_options *o;
	struct auth_client *auth;
	struct hub_client *hub;
	struct children *children;
	struct priv_filter *filter;	/* for workers: what is left for them to put on */
	bool filter_always;		/* also where Landlock does all of Landlock's part: more is wanted than is inherited */
	struct worker_behind behind;
	struct pending *pending;
	size_t pending_count;
	struct running *running;
	struct running *rest_oldest, *rest_newest;
	struct hash *rest_by_user;	/* of struct running, the first of each user */
	ev_timer rest_timer;
	ev_timer hub_patience;
	struct peer *hibernate;		/* where sessions go to sleep; NULL: away, or not wanted */
	uint32_t next_hibernate_id;
	char seal[32];			/* the key that proves an identity came from a parent */
	bool has_seal;
};

/* Takes *client_fd over, also when memory is out (NULL). */
struct pending *worker_pending_new(struct parent *pa, struct peer *login, int *client_fd);
void worker_pending_free(struct pending *p);
void worker_ask_hub(struct pending *p);		/* with its identity at hand; goes on to the fork */
void worker_start(struct pending *p);		/* what comes after hub: a worker that rests, or a fork */
void worker_started(struct pending *p, struct running *r);	/* r has it: tells hub and login, and frees p */
void worker_running_name(struct running *r, struct span session);	/* r->ws.session is this from now on */

/* worker-rest.c */
int worker_rest_init(struct parent *pa);
/* Gives p to a worker that rests; false: there is none for it.  p may come back to worker_start(). */
bool worker_rest_give(struct pending *p);
void worker_rest_make_room(struct parent *pa);	/* the one that rests for longest ends */
void worker_rest_end_all(struct parent *pa);
void worker_rest_closed(struct running *r);	/* its channel has ended */
void worker_rest_ended(struct running *r);	/* it has ended itself, and is not among the children any more */
void worker_rest_heard(struct running *r);	/* then: nothing more can come from it */
peer_handler worker_rest;			/* MSG_REST of a worker */
peer_handler worker_serving;			/* MSG_SERVING of a worker */

/* What is kept of a process while it runs; a copy of ws is made.  NULL: out of memory. */
struct running *worker_running_new(struct parent *pa, const struct worker_session *ws);
void worker_running_free(struct running *r);
/* The parent's end of its worker's channel; *fd is taken. */
void worker_running_channel(struct running *r, int *fd);

/* worker-behind.c */
#define WORKER_BEHINDS 2		/* behind one session: one that ends while the next one begins */
peer_handler worker_behind_wanted;		/* MSG_BEHIND of a worker */
void worker_behind_forget(struct running *r);	/* it, or who asked for it, ends */

/* worker-homes.c */
#define WORKER_HOMES_MAX 200	/* a session asks for */
#define WORKER_HOME_MS 10000
peer_handler worker_home;			/* MSG_HOME of a worker */
void worker_home_forget(struct running *r);
/* In the worker, before it shuts itself in: homes of users, in a, as far as they are told; how many. */
size_t worker_homes_ask(int parent_fd, const struct span *users, size_t count, struct arena *a, struct user_home *out);

/* worker-hibernate.c */
void worker_hibernate_init(struct parent *pa);
void worker_hibernate_channel(struct parent *pa, int *fd);
void worker_hibernate_peer(struct parent *pa, int *fd);
peer_handler worker_hibernate;			/* MSG_HIBERNATE of a worker */
#endif
