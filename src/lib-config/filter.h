/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_FILTER_H
#define CULVER_LIB_CONFIG_FILTER_H
#include "lib-config/netaddr.h"
#include "lib-config/settings.h"

/* Empty protocol and local_name, and networks of family 0, stand for any; f may be NULL: nothing is known. */
bool filter_holds(struct span protocol, bool not_protocol, const struct netaddr *local, const struct netaddr *remote,
    struct span local_name, const struct set_filter *f);
#endif
