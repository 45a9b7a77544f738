/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_NETADDR_H
#define CULVER_LIB_CONFIG_NETADDR_H
/* Networks: address, or address/bits.  v4-mapped IPv6 addresses are taken as IPv4. */
#include <sys/socket.h>
#include "lib/span.h"

struct netaddr {
	uint8_t octets[16];	/* the first 4 for IPv4 */
	uint8_t family;		/* 4, 6; 0: none */
	uint8_t bits;		/* of the network */
};

bool netaddr_parse(struct span text, struct netaddr *out);	/* "10.0.0.0/8", "[::1]", "2001:db8::/32" */
bool netaddr_of(const struct sockaddr_storage *sa, struct netaddr *out);	/* false for other families */
bool netaddr_in(const struct netaddr *addr, const struct netaddr *network);
/* Whether sa is in one of the networks of a list setting (login_trusted_networks, ...), separated by space or comma. */
bool netaddr_in_list(const struct sockaddr_storage *sa, struct span list);
#endif
