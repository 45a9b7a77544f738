/* SPDX-License-Identifier: MIT */
#include "lib-storage/mailbox.h"

#include <openssl/evp.h>
#include <string.h>

/*
 * SHA-256 of the text with LF line ends, which stands for what clients see: a copy in a store that keeps line ends in the other
 * way has the same.
 */
bool
mailbox_digest(struct span text, uint8_t out[MAILBOX_DIGEST_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t from = 0, at = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	while (ok && at < text.n) {
		const char *cr = memchr(text.p + at, '\r', text.n - at);

		at = cr == NULL ? text.n : (size_t)(cr - text.p) + 1;
		if (cr != NULL && (at == text.n || text.p[at] != '\n'))
			continue;	/* no line end */
		ok = EVP_DigestUpdate(ctx, text.p + from, (cr == NULL ? at : at - 1) - from) == 1;
		from = at;
	}
	ok = ok && EVP_DigestUpdate(ctx, text.p + from, text.n - from) == 1 && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	if (ok)
		memcpy(out, digest, MAILBOX_DIGEST_LEN);
	EVP_MD_CTX_free(ctx);
	return ok;
}
