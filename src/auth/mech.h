/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_MECH_H
#define CULVER_AUTH_MECH_H
/*
 * SASL mechanisms, spoken by Cyrus SASL up to the point where it has the credentials.  Its callbacks can not wait, our
 * databases must be able to: so its password check only writes down what the client sent, and says yes; whether the
 * password is right is then our own chain's business, and nothing is answered before.
 */
#include "lib/err.h"
#include "lib/span.h"

#define MECH_RESPONSE_MAX 4096	/* octets of one decoded response */

struct mech;

enum mech_step { MECH_CHALLENGE, MECH_CREDENTIALS, MECH_BAD, MECH_TEMP };

struct mech_credentials {
	struct span authcid, authzid;	/* authzid is empty when the client gave none, or the same */
	struct span password;
};

/* Once a process.  Needs no configuration of Cyrus SASL, and reads none. */
int mech_init(struct err *e);
void mech_done(void);
/* The canonical name of a mechanism that is there and in the list of auth_mechanisms, or NULL. */
const char *mech_find(struct span name, struct span offered);
const char *mech_at(size_t idx, struct span offered);	/* walks; NULL at the end */
struct mech *mech_new(const char *name, const char *service, struct err *e);
void mech_free(struct mech *m);		/* wipes; NULL is fine */
/* has_data false: no initial response (an empty one is something else).  challenge_out, and the credentials, are good
 * until the next step. */
enum mech_step mech_step(struct mech *m, bool has_data, struct span data, struct span *challenge_out);
const struct mech_credentials *mech_credentials(const struct mech *m);
#endif
