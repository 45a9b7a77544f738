/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_TLS_PROXY_H
#define CULVER_LIB_PROTOCOL_TLS_PROXY_H
/*
 * Moves bytes between a TLS connection and a plain socket whose other end serves the client without knowing of TLS.
 * Memory is bounded in both directions: who does not take its bytes stops the other side from sending more.  An idle
 * connection has no buffers at all.
 */
#include <ev.h>
#include "lib-protocol/tls.h"

struct tls_proxy;

/*
 * Takes over ssl (its handshake done, its socket non-blocking) with *client_fd, and *plain_fd.  on_end is called once
 * when both directions have ended, from the loop, after which the proxy is gone.  NULL when memory is out: nothing was taken over.
 */
struct tls_proxy *tls_proxy_new(struct ev_loop *loop, SSL *ssl, int *client_fd, int *plain_fd,
    void (*on_end)(void *ctx), void *ctx);
void tls_proxy_free(struct tls_proxy *p);	/* closes both; on_end is not called */

/*
 * From here on a plain side that stops sending, but does not close its socket, gives the client back: instead of on_end,
 * on_return gets ssl and its socket, which are its own then.  What the client sent that nobody has read is thrown away with
 * the plain side.
 */
void tls_proxy_returns(struct tls_proxy *p, void (*on_return)(void *ctx, SSL *ssl, int fd));

/*
 * The same for a process that reads and writes with blocking calls: a forked child proxies, *fd becomes the plain end.
 * The child ends with its connection, or with its parent.
 */
int tls_proxy_fork(SSL *ssl, int *fd, struct err *e);
#endif
