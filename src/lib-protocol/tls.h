/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_PROTOCOL_TLS_H
#define CULVER_LIB_PROTOCOL_TLS_H
/*
 * The server's side of TLS, from the ssl_* settings.  Certificates and keys are read once, while the process is root;
 * afterwards keys are in OpenSSL's memory only.
 *
 * What went through OpenSSL is wiped when it is freed (passwords come through here): tls_init() comes before any other
 * use of OpenSSL in a process.
 */
#include <openssl/ssl.h>
#include "lib/buf.h"
#include "lib/err.h"
#include "lib-config/settings.h"

struct tls_server;

void tls_init(void);
/* NULL with ERR_NOTFOUND: ssl = no, or there is no certificate: TLS is not offered.  NULL with another code: an error. */
struct tls_server *tls_server_new(const struct set_view *v, struct err *e);
/* Another certificate for clients that ask for a name ("example.org", "*.example.org"), from a view with local_name
 * applied. */
int tls_server_add_name(struct tls_server *t, struct span name, const struct set_view *v, struct err *e);
void tls_server_free(struct tls_server *t);

/* A connection over fd (borrowed), which may be blocking or not.  NULL when memory is out. */
SSL *tls_server_accept(struct tls_server *t, int fd);

/* What SSL_* left in OpenSSL's queue, as one line; empties the queue. */
void tls_error(char *out, size_t room);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)" */
void tls_describe(const SSL *ssl, char *out, size_t room);
/* The name the client asked for (SNI); empty when none.  Valid as long as ssl. */
struct span tls_local_name(const SSL *ssl);
/* The verified client certificate's user name (ssl_cert_username_field = field, as a name of OpenSSL's); false: none. */
bool tls_client_user(const SSL *ssl, const char *field, struct buf *out);

/* Blocking: the handshake on a blocking fd, timeout_ms for the whole of it. */
int tls_handshake(SSL *ssl, int fd, int timeout_ms, struct err *e);
#endif
