/* SPDX-License-Identifier: MIT */
#ifndef CULVER_AUTH_HELPER_H
#define CULVER_AUTH_HELPER_H
/*
 * PAM and the shadow file need root, and PAM blocks.  The helper is a process that stays root: it reads frames, forks a
 * child for each question (which so has a time limit, and takes a leaking or crashing PAM module with it), and parses
 * nothing else.
 */
#include <ev.h>
#include "lib/err.h"
#include "lib/ipc-types.h"
#include "lib/span.h"

enum pam_flag { PAM_FLAG_SESSION = 1, PAM_FLAG_SETCRED = 2, PAM_FLAG_MESSAGES = 4 };

struct helper;

struct helper_answer {
	enum auth_fail code;	/* AUTH_FAIL_NONE: yes */
	struct span user;	/* PAM's name of the user; may be empty */
	struct span text;	/* for the log */
	struct span message;	/* PAM_FLAG_MESSAGES: what the modules said, for the client */
	struct span password;	/* shadow: the stored one */
};

typedef void helper_done(void *ctx, const struct helper_answer *answer);

/* on_death: the helper process has gone (after all calls were answered AUTH_FAIL_TEMP).  Takes *fd over. */
struct helper *helper_new(struct ev_loop *loop, int *fd, size_t max_calls, uint64_t timeout_ms, void (*on_death)(void));
void helper_free(struct helper *h);
/* False: too many calls wait. */
bool helper_pam(struct helper *h, struct span service, struct span user, struct span password, struct span rip,
    unsigned flags, helper_done *done, void *ctx);
bool helper_shadow(struct helper *h, struct span user, helper_done *done, void *ctx);

/* Forks the helper process; in_child (may be NULL) gives up there what is the parent's, all but fd.  *fd_out is our end.
 * Its pid, or -1. */
int helper_fork(unsigned max_children, unsigned timeout_s, const char *pam_confdir, void (*in_child)(int fd), int *fd_out,
    struct err *e);
/* The process itself; returns its exit status when our end closes.  pam_confdir NULL: the system's. */
int helper_process(int fd, unsigned max_children, unsigned timeout_s, const char *pam_confdir);
#endif
