/* SPDX-License-Identifier: MIT */
#include "auth/token.h"

#include <stdlib.h>
#include "lib/hash.h"
#include "lib/sys.h"

struct token {
	struct token *next, *prev;	/* oldest first */
	unsigned char id[AUTH_TOKEN_LEN];
	int64_t expires_ms;
	size_t service_len, payload_len;
	char data[];			/* service, payload */
};

struct tokens {
	struct token *first, *last;
	struct hash *by_id;
	size_t max;
};

struct tokens *
tokens_new(size_t max)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->max = max == 0 ? 1 : max;
	t->by_id = hash_new(t->max);
	if (t->by_id == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

static void
drop(struct tokens *t, struct token *it)
{
	hash_remove(t->by_id, span_of(it->id, sizeof(it->id)));
	*(it->prev == NULL ? &t->first : &it->prev->next) = it->next;
	*(it->next == NULL ? &t->last : &it->next->prev) = it->prev;
	explicit_bzero(it->data, it->service_len + it->payload_len);
	free(it);
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	while (t->first != NULL)
		drop(t, t->first);
	hash_free(t->by_id);
	free(t);
}

void
tokens_sweep(struct tokens *t, int64_t now_ms)
{
	while (t->first != NULL && t->first->expires_ms <= now_ms)
		drop(t, t->first);
}

size_t
tokens_count(const struct tokens *t)
{
	return hash_count(t->by_id);
}

bool
token_make(struct tokens *t, int64_t now_ms, struct span service, struct span payload,
    unsigned char out[AUTH_TOKEN_LEN])
{
	struct token *it;

	tokens_sweep(t, now_ms);
	if (hash_count(t->by_id) >= t->max)
		drop(t, t->first);
	it = malloc(sizeof(*it) + service.n + payload.n);
	if (it == NULL)
		return false;
	random_bytes(it->id, sizeof(it->id));
	it->expires_ms = now_ms + TOKEN_LIFE_MS;
	it->service_len = service.n;
	it->payload_len = payload.n;
	if (service.n > 0)
		memcpy(it->data, service.p, service.n);
	if (payload.n > 0)
		memcpy(it->data + service.n, payload.p, payload.n);
	if (!hash_set(t->by_id, span_of(it->id, sizeof(it->id)), it)) {
		free(it);
		return false;
	}
	it->next = NULL;
	it->prev = t->last;
	*(t->last == NULL ? &t->first : &t->last->next) = it;
	t->last = it;
	memcpy(out, it->id, AUTH_TOKEN_LEN);
	return true;
}

bool
token_take(struct tokens *t, int64_t now_ms, struct span service, struct span token, struct buf *out)
{
	struct token *it;

	tokens_sweep(t, now_ms);
	if (token.n != AUTH_TOKEN_LEN)
		return false;
	/* The table's hash is keyed and the token random: the time of this look-up tells nothing. */
	it = hash_get(t->by_id, token);
	if (it == NULL || !span_eq(service, span_of(it->data, it->service_len)))
		return false;
	buf_add(out, span_of(it->data + it->service_len, it->payload_len));
	drop(t, it);
	return !out->failed;
}
