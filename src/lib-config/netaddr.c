/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "lib-config/netaddr.h"

static void
unmap_v4(struct netaddr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (a->family != 6 || a->bits < 96 || memcmp(a->octets, mapped, sizeof(mapped)) != 0)
		return;
	memmove(a->octets, a->octets + 12, 4);
	memset(a->octets + 4, 0, 12);
	a->family = 4;
	a->bits = (uint8_t)(a->bits - 96);
}

bool
netaddr_parse(struct span text, struct netaddr *out)
{
	struct netaddr a = { { 0 }, 0, 0 };
	size_t slash = span_chr(text, '/');
	struct span host = span_sub(text, 0, slash);
	char name[INET6_ADDRSTRLEN + 1];
	uint64_t bits;

	if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_sub(host, 1, host.n - 2);
	if (host.n == 0 || host.n >= sizeof(name) || memchr(host.p, '\0', host.n) != NULL)
		return false;
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	if (inet_pton(AF_INET, name, a.octets) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, name, a.octets) == 1)
		a.family = 6;
	else
		return false;
	bits = a.family == 4 ? 32 : 128;
	if (slash < text.n && !span_u64(span_from(text, slash + 1), bits, &bits))
		return false;
	a.bits = (uint8_t)bits;
	unmap_v4(&a);
	*out = a;
	return true;
}

bool
netaddr_of(const struct sockaddr_storage *sa, struct netaddr *out)
{
	struct netaddr a = { { 0 }, 0, 0 };

	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		memcpy(a.octets, &in->sin_addr, 4);
		a.family = 4;
		a.bits = 32;
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		memcpy(a.octets, &in6->sin6_addr, 16);
		a.family = 6;
		a.bits = 128;
		unmap_v4(&a);
	} else {
		return false;
	}
	*out = a;
	return true;
}

bool
netaddr_in(const struct netaddr *addr, const struct netaddr *network)
{
	size_t whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (addr->family != network->family || addr->bits < network->bits)
		return false;
	if (memcmp(addr->octets, network->octets, whole) != 0)
		return false;
	return rest == 0 || ((addr->octets[whole] ^ network->octets[whole]) >> (8 - rest)) == 0;
}

bool
netaddr_in_list(const struct sockaddr_storage *sa, struct span list)
{
	struct netaddr addr, network;

	if (!netaddr_of(sa, &addr))
		return false;
	for (size_t i = 0; i < list.n;) {
		size_t end = i;

		while (end < list.n && list.p[end] != ' ' && list.p[end] != ',' && list.p[end] != '\t')
			end++;
		if (netaddr_parse(span_sub(list, i, end - i), &network) && netaddr_in(&addr, &network))
			return true;
		i = end + 1;
	}
	return false;
}
