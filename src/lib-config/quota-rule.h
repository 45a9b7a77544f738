/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_QUOTA_RULE_H
#define CULVER_LIB_CONFIG_QUOTA_RULE_H
/*
 * The small language of the quota settings in plugin {}: pure functions from text to structs.  Spans in results point into
 * the text.
 *
 *	quota = backend [":" name [":" parameters]]
 *	quota_rule = mailbox ":" ("ignore" / limit *(":" limit))
 *	limit = ("storage=" / "bytes=" / "messages=") amount
 *	amount = ["+" / "-"] digits [unit]	unit: b k m g t, or % (%% where the text has been through no expansion)
 *	quota_warning = ["+" / "-"] limit *(":" limit) " " command
 *
 * storage counts kilobytes where it has no unit.  The mailbox * (or ?) makes the default rule: the limits of the quota.  What
 * other rules say is added to those when mail is saved to their mailbox; a percentage is of the default.
 */
#include "lib/err.h"
#include "lib/span.h"

struct quota_amount {
	int64_t n;
	bool is_set, is_percent;
};

struct quota_limits {
	struct quota_amount bytes, messages;
};

struct quota_rule {
	struct span mailbox;		/* with * and ? as wildcards */
	bool is_default;
	bool yields;			/* "?": a limit that the mail itself names (maildirsize) is taken instead */
	bool ignore;			/* what is in it does not count */
	struct quota_limits limits;
};

struct quota_warning {
	bool falls;			/* when the usage goes below, not above */
	struct quota_limits limits;
	struct span command;		/* a service's name, and its arguments */
};

enum quota_backend { QUOTA_COUNT, QUOTA_MAILDIR, QUOTA_DICT, QUOTA_FS, QUOTA_IMAPC };

struct quota_root_def {
	enum quota_backend backend;
	struct span name;
	bool hidden, noenforcing, ignoreunlimited;
	struct span ns;			/* prefix of the namespace it is for; p NULL: all of the user's own */
};

#define QUOTA_AMOUNT_MAX ((int64_t)1 << 60)

/* All: 0, or ERR_SYNTAX with what is wrong. */
int quota_root_parse(struct span text, struct quota_root_def *out, struct err *e);
int quota_rule_parse(struct span text, struct quota_rule *out, struct err *e);
int quota_warning_parse(struct span text, struct quota_warning *out, struct err *e);
/* quota_grace, quota_max_mail_size: an amount in octets. */
int quota_amount_parse(struct span text, int64_t unit, struct quota_amount *out, struct err *e);

/* In octets or messages; base is what 100% are.  Within plus and minus QUOTA_AMOUNT_MAX. */
int64_t quota_amount_of(const struct quota_amount *a, int64_t base);
/* Whether a name matches: * is any text, ? any character; INBOX in any case. */
bool quota_mailbox_matches(struct span mask, struct span name);

/*
 * Whether a setting of plugin {} is one of quota's, and what is to be said of it: ERR_SYNTAX wrong, ERR_DENIED it is
 * accepted, with a word of warning ("has no effect: ..."), 0.  *known_out false: its name is none of quota's.
 */
int quota_setting_check(struct span key, struct span value, bool *known_out, struct err *e);
#endif
