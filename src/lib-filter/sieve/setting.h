/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_FILTER_SIEVE_SETTING_H
#define CULVER_LIB_FILTER_SIEVE_SETTING_H
/* The settings of plugin {} that words of Sieve have, asked of the host when they are needed.  A wrong value is the default. */
#include "lib-filter/filter.h"

bool sieve_setting_bool(const struct filter_host *host, const char *name, bool def);
/* Seconds, as "7d", "1h", "30" (seconds): s m h d w. */
uint64_t sieve_setting_time(const struct filter_host *host, const char *name, uint64_t def);
uint64_t sieve_setting_number(const struct filter_host *host, const char *name, uint64_t def);
/* Octets, as "1M": B K M G T. */
uint64_t sieve_setting_size(const struct filter_host *host, const char *name, uint64_t def);
/* Empty when it is not set. */
struct span sieve_setting_text(const struct filter_host *host, const char *name);

/* The parsers of the values: false when text is none. */
bool sieve_parse_time(struct span text, uint64_t *seconds_out);
bool sieve_parse_size(struct span text, uint64_t *octets_out);
bool sieve_parse_bool(struct span text, bool *out);
#endif
