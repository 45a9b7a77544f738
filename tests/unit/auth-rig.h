/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_AUTH_RIG_H
#define CULVER_TESTS_AUTH_RIG_H
/* An auth engine in a test: databases by hand, requests that are run to their end. */
#include "auth/auth.h"
#include "auth/request.h"

struct rig {
	struct ev_loop *loop;
	struct auth_conf conf;
	struct auth *auth;
	struct helper *helper;
	char dir[64], file[96];		/* a directory that is removed at the end; a passwd-file in it */
};

struct outcome {
	unsigned events;		/* how many came */
	enum request_event event;	/* the last one */
	bool ended;
	enum auth_fail fail;
	char user[256], home[256], challenge[256], text[256];
	uid_t uid;
	gid_t gid;
	struct buf fields;		/* of the identity */
	unsigned char token[AUTH_TOKEN_LEN];
	struct request *r;
};

void rig_init(struct rig *g);
void rig_file(struct rig *g, const char *content);	/* (re)writes the passwd-file */
/* Adds a database; "%FILE" in args becomes the path of the passwd-file. */
struct db_conf *rig_passdb(struct rig *g, const char *driver, const char *args);
struct db_conf *rig_userdb(struct rig *g, const char *driver, const char *args);
void rig_start(struct rig *g);				/* makes g->auth; asserts that it can */
void rig_done(struct rig *g);

struct request *rig_request(struct rig *g, struct outcome *o, const struct request_params *p);
void rig_wait(struct rig *g, struct outcome *o);	/* runs the loop until it has ended; asserts after 20 s */
void rig_outcome_clear(struct outcome *o);

/* A whole PLAIN login from 192.0.2.1; the outcome's code (AUTH_FAIL_NONE: yes). */
enum auth_fail rig_login(struct rig *g, struct outcome *o, const char *user, const char *password);
enum auth_fail rig_plain(struct rig *g, struct outcome *o, struct span response, const struct request_params *p);
enum auth_fail rig_lookup(struct rig *g, struct outcome *o, const char *user);
enum auth_fail rig_redeem(struct rig *g, struct outcome *o, const char *service, const unsigned char *token);

extern const struct request_params rig_params;
#endif
