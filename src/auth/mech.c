/* SPDX-License-Identifier: MIT */
#include "auth/mech.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdlib.h>
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/sys.h"

/* The library takes functions of all kinds through one type; each has the one that its callback is documented with. */
#define CALLBACK(function) ((int (*)(void))(void (*)(void))(function))

#define PLUGIN_NAME "culver"
#define LOGIN_RESPONSE_MAX 1000	/* LOGIN's plugin leaks the password when it finds a longer name at fault afterwards */

static const char *const names[] = { "PLAIN", "LOGIN" };

struct mech {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[4];
	const char *name;
	bool started, have_password;
	struct buf authcid, authzid, password;
	struct mech_credentials credentials;
};

static int
on_getopt(void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
	(void)context;
	(void)plugin;
	/* No other source of properties (sasldb), names or passwords than ours. */
	if (strcmp(option, "auxprop_plugin") == 0 || strcmp(option, "canon_user_plugin") == 0)
		*result = PLUGIN_NAME;
	else if (strcmp(option, "pwcheck_method") == 0)
		*result = "";
	else
		return SASL_FAIL;
	if (len != NULL)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

/* The library's own plugin strips names, and mistakes some for empty ones. */
static int
on_canon_server(void *context, sasl_server_params_t *params, const char *user, unsigned len, unsigned flags, char *out,
    unsigned out_max, unsigned *out_len)
{
	(void)context;
	(void)params;
	(void)flags;
	if (len >= out_max)
		return SASL_BUFOVER;
	memmove(out, user, len);	/* they may be the same */
	out[len] = '\0';
	*out_len = len;
	return SASL_OK;
}

static int
canon_init(const sasl_utils_t *utils, int max_version, int *version_out, sasl_canonuser_plug_t **plug_out,
    const char *name)
{
	static char plug_name[] = PLUGIN_NAME;
	static sasl_canonuser_plug_t plug = { .name = plug_name, .canon_user_server = on_canon_server };

	(void)utils;
	(void)name;
	if (max_version < SASL_CANONUSER_PLUG_VERSION)
		return SASL_BADVERS;
	*version_out = SASL_CANONUSER_PLUG_VERSION;
	*plug_out = &plug;
	return SASL_OK;
}

/* Whoever is asked about exists, as far as the library is concerned: it wants a source of properties for an authzid. */
static int
on_auxprop_lookup(void *context, sasl_server_params_t *params, unsigned flags, const char *user, unsigned len)
{
	(void)context;
	(void)params;
	(void)flags;
	(void)user;
	(void)len;
	return SASL_OK;
}

static int
auxprop_init(const sasl_utils_t *utils, int max_version, int *version_out, sasl_auxprop_plug_t **plug_out,
    const char *name)
{
	static char plug_name[] = PLUGIN_NAME;
	static sasl_auxprop_plug_t plug = { .auxprop_lookup = on_auxprop_lookup, .name = plug_name };

	(void)utils;
	(void)name;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version_out = SASL_AUXPROP_PLUG_VERSION;
	*plug_out = &plug;
	return SASL_OK;
}

static int
on_verifyfile(void *context, const char *file, sasl_verify_type_t type)
{
	const char *base = strrchr(file, '/');

	(void)context;
	base = base == NULL ? file : base + 1;
	if (type == SASL_VRFY_PLUGIN && (strncmp(base, "libplain.", 9) == 0 || strncmp(base, "liblogin.", 9) == 0))
		return SASL_OK;
	return SASL_CONTINUE;	/* passed over: other plugins, and all configuration files */
}

static int
on_log(void *context, int level, const char *message)
{
	(void)context;
	if (level <= SASL_LOG_ERR && message != NULL)
		log_debug("sasl: %s", message);
	return SASL_OK;
}

/* The name as the client sent it. */
static int
on_canon_user(sasl_conn_t *conn, void *context, const char *in, unsigned inlen, unsigned flags, const char *realm,
    char *out, unsigned out_max, unsigned *out_len)
{
	struct mech *m = context;

	(void)conn;
	(void)realm;
	if (inlen == 0)
		inlen = (unsigned)strlen(in);
	if (inlen >= out_max)
		return SASL_BUFOVER;
	if ((flags & SASL_CU_AUTHID) != 0) {
		buf_reset(&m->authcid);
		buf_add(&m->authcid, span_of(in, inlen));
	}
	if ((flags & SASL_CU_AUTHZID) != 0) {
		buf_reset(&m->authzid);
		buf_add(&m->authzid, span_of(in, inlen));
	}
	memcpy(out, in, inlen);
	out[inlen] = '\0';
	*out_len = inlen;
	return SASL_OK;
}

static int
on_checkpass(sasl_conn_t *conn, void *context, const char *user, const char *pass, unsigned passlen,
    struct propctx *props)
{
	struct mech *m = context;

	(void)conn;
	(void)user;
	(void)props;
	buf_reset(&m->password);
	buf_add(&m->password, span_of(pass, passlen));
	m->have_password = true;
	return m->password.failed ? SASL_NOMEM : SASL_OK;
}

static int
on_authorize(sasl_conn_t *conn, void *context, const char *requested_user, unsigned rlen, const char *auth_identity,
    unsigned alen, const char *def_realm, unsigned urlen, struct propctx *props)
{
	(void)conn;
	(void)context;
	(void)requested_user;
	(void)rlen;
	(void)auth_identity;
	(void)alen;
	(void)def_realm;
	(void)urlen;
	(void)props;
	return SASL_OK;
}

int
mech_init(struct err *e)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, CALLBACK(on_getopt), NULL },
		{ SASL_CB_VERIFYFILE, CALLBACK(on_verifyfile), NULL },
		{ SASL_CB_LOG, CALLBACK(on_log), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	int rc = sasl_server_init(callbacks, "culver");

	if (rc == SASL_OK)
		rc = sasl_auxprop_add_plugin(PLUGIN_NAME, auxprop_init);
	if (rc == SASL_OK)
		rc = sasl_canonuser_add_plugin(PLUGIN_NAME, canon_init);
	return rc == SASL_OK ? 0 : err_set(e, ERR_TEMP, "Cyrus SASL: %s", sasl_errstring(rc, NULL, NULL));
}

void
mech_done(void)
{
	sasl_server_done();
}

static bool
is_offered(const char *name, struct span offered)
{
	struct span word;

	while (span_next(&offered, ' ', &word))
		if (span_ieq(span_trim(word), span_str(name)))
			return true;
	return false;
}

const char *
mech_find(struct span name, struct span offered)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_ieq(name, span_str(names[i])))
			return is_offered(names[i], offered) ? names[i] : NULL;
	return NULL;
}

const char *
mech_at(size_t idx, struct span offered)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_offered(names[i], offered) && idx-- == 0)
			return names[i];
	return NULL;
}

struct mech *
mech_new(const char *name, const char *service, struct err *e)
{
	struct mech *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	m->name = name;
	buf_init(&m->authcid, MECH_RESPONSE_MAX);
	buf_init(&m->authzid, MECH_RESPONSE_MAX);
	buf_init(&m->password, MECH_RESPONSE_MAX);
	m->callbacks[0] = (sasl_callback_t){ SASL_CB_CANON_USER, CALLBACK(on_canon_user), m };
	m->callbacks[1] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(on_checkpass), m };
	m->callbacks[2] = (sasl_callback_t){ SASL_CB_PROXY_POLICY, CALLBACK(on_authorize), m };
	m->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	rc = sasl_server_new(service, host_name(), NULL, NULL, NULL, m->callbacks, 0, &m->conn);
	if (rc != SASL_OK) {
		err_set(e, ERR_TEMP, "Cyrus SASL: %s", sasl_errstring(rc, NULL, NULL));
		mech_free(m);
		return NULL;
	}
	return m;
}

void
mech_free(struct mech *m)
{
	if (m == NULL)
		return;
	if (m->conn != NULL)
		sasl_dispose(&m->conn);
	buf_wipe(&m->authcid);
	buf_wipe(&m->authzid);
	buf_wipe(&m->password);
	free(m);
}

/*
 * The plugins copy with C's string functions.  Where a NUL is no separator of the mechanism it would cut a name or a
 * password short: refused before they see it.
 */
static bool
nuls_are_sound(const struct mech *m, struct span data)
{
	size_t count = 0;

	for (size_t i = 0; i < data.n; i++)
		count += data.p[i] == '\0';
	return m->name == names[0] ? count == 2 || data.n == 0 : count == 0;
}

static enum mech_step
finish(struct mech *m)
{
	if (!m->have_password || m->authcid.n == 0 || m->authcid.failed || m->authzid.failed)
		return MECH_BAD;
	m->credentials.authcid = buf_span(&m->authcid);
	m->credentials.password = buf_span(&m->password);
	m->credentials.authzid = buf_span(&m->authzid);
	if (span_eq(m->credentials.authzid, m->credentials.authcid))
		m->credentials.authzid = SPAN_NONE;
	return MECH_CREDENTIALS;
}

enum mech_step
mech_step(struct mech *m, bool has_data, struct span data, struct span *challenge_out)
{
	char *copy = NULL;
	const char *out = NULL;
	unsigned out_len = 0;
	int rc;

	if (data.n > (m->name == names[0] ? MECH_RESPONSE_MAX : LOGIN_RESPONSE_MAX) || !nuls_are_sound(m, data))
		return MECH_BAD;
	if (has_data) {
		/* With a NUL behind it: some plugin reads it as a C string. */
		copy = calloc(1, data.n + 1);
		if (copy == NULL)
			return MECH_TEMP;
		if (data.n > 0)
			memcpy(copy, data.p, data.n);
	}
	if (!m->started)
		rc = sasl_server_start(m->conn, m->name, copy, (unsigned)data.n, &out, &out_len);
	else
		rc = sasl_server_step(m->conn, copy, (unsigned)data.n, &out, &out_len);
	m->started = true;
	if (copy != NULL)
		explicit_bzero(copy, data.n);
	free(copy);
	if (rc == SASL_CONTINUE) {
		*challenge_out = span_of(out, out == NULL ? 0 : out_len);
		return MECH_CHALLENGE;
	}
	if (rc == SASL_NOMEM)
		return MECH_TEMP;
	return rc == SASL_OK ? finish(m) : MECH_BAD;
}

const struct mech_credentials *
mech_credentials(const struct mech *m)
{
	return &m->credentials;
}
