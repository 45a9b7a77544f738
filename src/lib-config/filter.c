/* SPDX-License-Identifier: MIT */
/* Whether a filter block holds for a connection. */
#include "lib-config/filter.h"

static bool
net_holds(const struct netaddr *net, const struct sockaddr_storage *sa)
{
	struct netaddr addr;

	if (net->family == 0)
		return true;
	return sa != NULL && netaddr_of(sa, &addr) && netaddr_in(&addr, net);
}

/* "*.example.com" stands for any one label in front. */
static bool
name_matches(struct span pattern, struct span name)
{
	if (span_starts(pattern, SPAN("*."))) {
		size_t dot = span_chr(name, '.');

		return dot > 0 && dot < name.n && span_ieq(span_from(pattern, 2), span_from(name, dot + 1));
	}
	return span_ieq(pattern, name);
}

static bool
local_name_holds(struct span patterns, struct span name)
{
	struct span pattern;

	if (patterns.n == 0)
		return true;
	if (span_ends(name, SPAN(".")))
		name.n--;
	while (name.n > 0 && span_next(&patterns, ' ', &pattern)) {
		if (pattern.n > 0 && name_matches(pattern, name))
			return true;
	}
	return false;
}

bool
filter_holds(struct span protocol, bool not_protocol, const struct netaddr *local, const struct netaddr *remote,
    struct span local_name, const struct set_filter *f)
{
	static const struct set_filter none;

	if (f == NULL)
		f = &none;
	if (protocol.n > 0 && f->protocol == NULL)
		return false;
	if (protocol.n > 0 && span_eq(protocol, span_str(f->protocol)) == not_protocol)
		return false;
	return net_holds(local, f->local) && net_holds(remote, f->remote) &&
	    local_name_holds(local_name, f->local_name);
}
