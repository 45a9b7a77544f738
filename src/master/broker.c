/* SPDX-License-Identifier: MIT */
#include "master/master.h"

#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"

/*
 * A process talks with its own generation as long as that is there: tokens made by an auth are good at that auth only.
 */
static struct proc *
find_target(struct master *m, enum kind target, unsigned generation)
{
	struct proc *best = NULL;

	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (p->kind != target || p->control == NULL || p->termed)
			continue;
		if (p->generation == generation && !p->told_to_stop)
			return p;
		if (best == NULL || p->generation > best->generation)
			best = p;
	}
	return best != NULL && proc_is_current(best) ? best : NULL;
}

static void
connect_peers(struct peer *asker, unsigned kind, struct proc *target)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	int pair[2];

	if (ipc_pair(pair, &e) == -1) {
		log_error("channel to %s: %s", kinds[target->kind].name, e.log);
		return;
	}
	ipc_begin(&o, MSG_PEER);
	ipc_put_u32(&o, F_KIND, kind);
	ipc_put_fd(&o, pair[0]);
	peer_send(target->control, &o);
	ipc_begin(&o, MSG_CHANNEL);
	ipc_put_str(&o, F_NAME, kinds[target->kind].name);
	ipc_put_fd(&o, pair[1]);
	peer_send(asker, &o);
	close(pair[0]);
	close(pair[1]);
}

void
broker_want(struct master *m, struct peer *asker, unsigned kind, unsigned generation, struct span name)
{
	enum kind target = kind_find(name);
	struct proc *p;
	struct want *w;

	if (target == KINDS || !m->svc[target].enabled)
		return;
	p = find_target(m, target, generation);
	if (p != NULL) {
		connect_peers(asker, kind, p);
		return;
	}
	for (w = m->wants; w != NULL; w = w->next)
		if (w->asker == asker && w->target == target)
			return;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return;
	w->asker = asker;
	w->kind = kind;
	w->target = target;
	w->generation = generation;
	w->next = m->wants;
	m->wants = w;
}

void
broker_forget(struct master *m, const struct peer *asker)
{
	struct want **at = &m->wants;

	while (*at != NULL) {
		struct want *w = *at;

		if (w->asker == asker) {
			*at = w->next;
			free(w);
		} else
			at = &w->next;
	}
}

void
broker_started(struct proc *p)
{
	struct master *m = p->master;
	struct want **at = &m->wants;

	while (*at != NULL) {
		struct want *w = *at;

		if (w->target != p->kind) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		connect_peers(w->asker, w->kind, p);
		free(w);
	}
}
