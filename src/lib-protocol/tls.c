/* SPDX-License-Identifier: MIT */
#include "lib-protocol/tls.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/sys.h"

#define NAMES_MAX 1000
#define KEY_PASSWORD_MAX 1024

struct named {
	struct named *next;
	SSL_CTX *ctx;
	size_t n;
	char name[];		/* in lower case */
};

struct tls_server {
	SSL_CTX *ctx;
	struct named *names;
	unsigned name_count;
};

/* OpenSSL's buffers hold what clients send before and after login: nothing of it may be found in freed memory. */
static void *
wiping_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n == 0 ? NULL : malloc(n);
}

static void
wiping_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wiping_realloc(void *p, size_t n, const char *file, int line)
{
	size_t old = p == NULL ? 0 : malloc_usable_size(p);
	void *q;

	if (n == 0) {
		wiping_free(p, file, line);
		return NULL;
	}
	if (p != NULL && n <= old)
		return p;
	q = malloc(n);
	if (q != NULL && p != NULL) {
		memcpy(q, p, old);
		wiping_free(p, file, line);
	}
	return q;
}

void
tls_init(void)
{
	CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT, NULL);
}

void
tls_error(char *out, size_t room)
{
	unsigned long code = ERR_peek_last_error();

	if (code == 0)
		snprintf(out, room, "%s", errno == 0 ? "the connection was closed" : strerror(errno));
	else
		ERR_error_string_n(code, out, room);
	ERR_clear_error();
}

static int
fail(struct err *e, const char *what, struct span path)
{
	unsigned long first = ERR_peek_error();
	char text[160];

	errno = 0;
	tls_error(text, sizeof(text));
	/* The system's reason comes first, what OpenSSL makes of it last. */
	if (ERR_SYSTEM_ERROR(first))
		snprintf(text, sizeof(text), "%s", strerror(ERR_GET_REASON(first)));
	return err_set(e, ERR_TEMP, "%s %.*s: %s", what, SPAN_ARG(path), text);
}

/* A path of the settings as a C string; the settings can hold no NUL. */
static const char *
path_of(struct span s, char out[4096])
{
	snprintf(out, 4096, "%.*s", SPAN_ARG(s));
	return out;
}

/* PEM asks for the password of an encrypted key: the file's first line. */
static int
on_password(char *out, int room, int writing, void *data)
{
	struct buf *password = data;
	struct span s = span_trim(buf_span(password));

	(void)writing;
	if (s.n == 0 || s.n > (size_t)room)
		return -1;
	memcpy(out, s.p, s.n);
	return (int)s.n;
}

static int
use_pair(SSL_CTX *ctx, const struct set_view *v, enum setting cert_id, enum setting key_id, struct err *e)
{
	struct span cert = set_str(v, cert_id), key = set_str(v, key_id), file = set_str(v, SET_ssl_key_password);
	struct buf password = BUF_INIT(KEY_PASSWORD_MAX);
	char path[4096];
	int rc = -1;

	if (file.n > 0 && file_read(path_of(file, path), KEY_PASSWORD_MAX, &password, e) == -1)
		return err_wrap(e, "ssl_key_password");
	SSL_CTX_set_default_passwd_cb(ctx, on_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &password);
	if (SSL_CTX_use_certificate_chain_file(ctx, path_of(cert, path)) != 1)
		fail(e, "certificate", cert);
	else if (key.n == 0)
		err_set(e, ERR_TEMP, "certificate %.*s has no key (ssl_key)", SPAN_ARG(cert));
	else if (SSL_CTX_use_PrivateKey_file(ctx, path_of(key, path), SSL_FILETYPE_PEM) != 1)
		fail(e, "key", key);
	else if (SSL_CTX_check_private_key(ctx) != 1)
		fail(e, "certificate and key do not belong together:", cert);
	else
		rc = 0;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	buf_wipe(&password);
	return rc;
}

/* What every context has: kept small and quick, with passwords wiped behind each read. */
static SSL_CTX *
bare_context(const struct set_view *v)
{
	/* In the order of ssl_min_protocol's words in settings.def; LATEST is the newest there is. */
	static const int oldest[] = { TLS1_2_VERSION, TLS1_3_VERSION, TLS1_1_VERSION, TLS1_VERSION, 0, TLS1_3_VERSION };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned min = set_enum(v, SET_ssl_min_protocol);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT |
			    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (!set_bool(v, SET_ssl_prefer_server_ciphers))
		SSL_CTX_clear_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (set_list_has(v, SET_ssl_options, SPAN("no_ticket")))
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	/* Tickets resume a session without a memory of it here; one is enough for a mail program. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"culver", 6);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set_min_proto_version(ctx, min < sizeof(oldest) / sizeof(oldest[0]) ? oldest[min] : TLS1_2_VERSION);
	return ctx;
}

static int
use_dh(SSL_CTX *ctx, struct span path, struct err *e)
{
	char text[4096];
	BIO *in = BIO_new_file(path_of(path, text), "r");
	EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_Parameters(in, NULL);

	BIO_free(in);
	if (key == NULL || SSL_CTX_set0_tmp_dh_pkey(ctx, key) != 1) {
		EVP_PKEY_free(key);
		return fail(e, "ssl_dh", path);
	}
	return 0;
}

static int
use_ca(SSL_CTX *ctx, const struct set_view *v, struct err *e)
{
	struct span ca = set_str(v, SET_ssl_ca);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	char path[4096];

	if (SSL_CTX_load_verify_locations(ctx, path_of(ca, path), NULL) != 1)
		return fail(e, "ssl_ca", ca);
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(path));
	if (set_bool(v, SET_ssl_require_crl))
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

/* The handshake goes on without a valid certificate: what that means for the login is auth's decision. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static int
configure(SSL_CTX *ctx, const struct set_view *v, struct err *e)
{
	struct span ciphers = set_str(v, SET_ssl_cipher_list), suites = set_str(v, SET_ssl_cipher_suites);
	struct span curves = set_str(v, SET_ssl_curve_list), dh = set_str(v, SET_ssl_dh);
	char text[4096];

	if (ciphers.n > 0 && SSL_CTX_set_cipher_list(ctx, path_of(ciphers, text)) != 1)
		return fail(e, "ssl_cipher_list", ciphers);
	if (suites.n > 0 && SSL_CTX_set_ciphersuites(ctx, path_of(suites, text)) != 1)
		return fail(e, "ssl_cipher_suites", suites);
	if (curves.n > 0 && SSL_CTX_set1_groups_list(ctx, path_of(curves, text)) != 1)
		return fail(e, "ssl_curve_list", curves);
	if (dh.n > 0 && use_dh(ctx, dh, e) == -1)
		return -1;
	if (use_pair(ctx, v, SET_ssl_cert, SET_ssl_key, e) == -1)
		return -1;
	if (set_str(v, SET_ssl_alt_cert).n > 0 && use_pair(ctx, v, SET_ssl_alt_cert, SET_ssl_alt_key, e) == -1)
		return -1;
	if (set_str(v, SET_ssl_ca).n > 0 && use_ca(ctx, v, e) == -1)
		return -1;
	if (set_bool(v, SET_ssl_verify_client_cert))
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_verify);
	return 0;
}

static SSL_CTX *
context_new(const struct set_view *v, struct err *e)
{
	SSL_CTX *ctx = bare_context(v);

	if (ctx == NULL) {
		err_set(e, ERR_TEMP, "TLS context: out of memory");
		return NULL;
	}
	if (configure(ctx, v, e) == -1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* "*.example.org" stands for one level. */
static bool
name_matches(const struct named *n, struct span name)
{
	struct span pattern = span_of(n->name, n->n);

	if (span_ieq(name, pattern))
		return true;
	if (!span_starts(pattern, SPAN("*.")))
		return false;
	return span_ieq(span_from(name, span_chr(name, '.')), span_from(pattern, 1));
}

static int
on_server_name(SSL *ssl, int *alert, void *data)
{
	struct tls_server *t = data;
	struct span name = tls_local_name(ssl);

	(void)alert;
	if (name.n == 0)
		return SSL_TLSEXT_ERR_NOACK;
	for (struct named *n = t->names; n != NULL; n = n->next)
		if (name_matches(n, name)) {
			SSL_set_SSL_CTX(ssl, n->ctx);
			break;
		}
	return SSL_TLSEXT_ERR_OK;
}

struct tls_server *
tls_server_new(const struct set_view *v, struct err *e)
{
	struct tls_server *t;

	/* ssl = yes:no:required */
	if (set_enum(v, SET_ssl) == 1) {
		err_set(e, ERR_NOTFOUND, "ssl = no");
		return NULL;
	}
	if (set_str(v, SET_ssl_cert).n == 0) {
		err_set(e, ERR_NOTFOUND, "there is no certificate (ssl_cert)");
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	t->ctx = context_new(v, e);
	if (t->ctx == NULL) {
		free(t);
		return NULL;
	}
	SSL_CTX_set_tlsext_servername_callback(t->ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(t->ctx, t);
	return t;
}

int
tls_server_add_name(struct tls_server *t, struct span name, const struct set_view *v, struct err *e)
{
	struct named *n;

	if (t->name_count == NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d local_name certificates", NAMES_MAX);
	n = calloc(1, sizeof(*n) + name.n);
	if (n == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	n->ctx = context_new(v, e);
	if (n->ctx == NULL) {
		free(n);
		return err_wrap(e, "local_name %.*s", SPAN_ARG(name));
	}
	for (size_t i = 0; i < name.n; i++)
		n->name[i] = ascii_lower(name.p[i]);
	n->n = name.n;
	n->next = t->names;
	t->names = n;
	t->name_count++;
	return 0;
}

void
tls_server_free(struct tls_server *t)
{
	if (t == NULL)
		return;
	while (t->names != NULL) {
		struct named *n = t->names;

		t->names = n->next;
		SSL_CTX_free(n->ctx);
		free(n);
	}
	SSL_CTX_free(t->ctx);
	free(t);
}

SSL *
tls_server_accept(struct tls_server *t, int fd)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl != NULL && SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	if (ssl != NULL)
		SSL_set_accept_state(ssl);
	return ssl;
}

void
tls_describe(const SSL *ssl, char *out, size_t room)
{
	int bits = 0, used = SSL_CIPHER_get_bits(SSL_get_current_cipher(ssl), &bits);

	snprintf(out, room, "%s with cipher %s (%d/%d bits)", SSL_get_version(ssl), SSL_get_cipher_name(ssl), used, bits);
}

struct span
tls_local_name(const SSL *ssl)
{
	return span_str(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

bool
tls_client_user(const SSL *ssl, const char *field, struct buf *out)
{
	X509 *cert;
	int nid = OBJ_txt2nid(field), n = -1;
	char name[1024];

	if (SSL_get_verify_result(ssl) != X509_V_OK || nid == NID_undef ||
	    (cert = SSL_get1_peer_certificate(ssl)) == NULL)
		return false;
	n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), nid, name, sizeof(name));
	X509_free(cert);
	/* A NUL in the field would cut the name short. */
	if (n <= 0 || (size_t)n != strlen(name))
		return false;
	buf_add(out, span_of(name, (size_t)n));
	return !out->failed;
}

int
tls_handshake(SSL *ssl, int fd, int timeout_ms, struct err *e)
{
	int64_t deadline = clock_ms() + timeout_ms;
	char text[160];

	fd_nonblock(fd, true);
	for (;;) {
		struct pollfd pfd = { .fd = fd };
		int64_t left = deadline - clock_ms();
		int rc = SSL_accept(ssl), rc2;

		if (rc == 1)
			break;
		switch (SSL_get_error(ssl, rc)) {
		case SSL_ERROR_WANT_READ:
			pfd.events = POLLIN;
			break;
		case SSL_ERROR_WANT_WRITE:
			pfd.events = POLLOUT;
			break;
		default:
			tls_error(text, sizeof(text));
			fd_nonblock(fd, false);
			return err_set(e, ERR_EOF, "TLS handshake: %s", text);
		}
		rc2 = left <= 0 ? 0 : poll(&pfd, 1, (int)left);
		if (rc2 == 0) {
			fd_nonblock(fd, false);
			return err_set(e, ERR_TIMEOUT, "TLS handshake: timed out");
		}
	}
	fd_nonblock(fd, false);
	return 0;
}
