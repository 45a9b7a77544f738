/* SPDX-License-Identifier: MIT */
#ifndef CULVER_IMAP_SESSION_H
#define CULVER_IMAP_SESSION_H
/*
 * One IMAP session: its state, and what every command uses.  A command is a function that reads its arguments, does its
 * work, writes untagged responses to s->io and says in s->reply what the tagged one is to be; dispatch.c sends that,
 * after the changes that others made (sync.c).
 */
#include "lib/array.h"
#include "lib/stream.h"
#include "lib-config/settings.h"
#include "lib-mail/limits.h"
#include "lib-protocol/imap-literal.h"
#include "lib-protocol/imap-seqset.h"
#include "lib-protocol/imap-token.h"
#include "lib-protocol/session.h"
#include "lib-storage/mailbox.h"

/* Limits and ways of working, read from the settings once. */
struct imap_limits {
	size_t line, command, append_messages, nesting, search_keys, search_depth, set_ranges, fetch_items, list_patterns,
	    bad_commands, mailbox_name, notify_mailboxes;
	uint64_t literal;		/* of APPEND */
	int idle_ms, write_ms, notify_ms, poll_ms, hibernate_ms;	/* 0: never (notify, hibernate) */
	unsigned fetch_failure;		/* the index in imap_fetch_failure */
	bool literal_minus, strip_separator, delay_newmail, lsub_flags, acl, metadata;
};

struct imap_stats {
	uint64_t deleted, expunged, autoexpunged, header_count, header_octets, body_count, body_octets, appended, in, out;
};

/* Where the last partial fetch stopped, so that the next piece of a large part costs no walk from its start. */
struct partial_spot {
	uint32_t uid;
	char label[128];
	size_t offset, size;		/* of the section in the stored message */
	uint64_t virt;			/* its size as sent */
	uint64_t at_virt;		/* how far it was sent: as sent, */
	size_t at;			/* and in the stored message, from offset on */
	bool at_cr;
};

enum imap_end {
	IMAP_GO_ON,
	IMAP_END_LOGOUT,
	IMAP_END_EOF,
	IMAP_END_BYE,		/* BYE has been sent */
	IMAP_END_HIBERNATED,
};

struct imap_session {
	const struct session_start *start;
	struct imap_limits lim;
	struct stream io;
	struct storage *st;
	struct arena *arena;		/* of the command that is running */
	struct buf cmd;			/* its text */
	struct buf reply;		/* its tagged response, without tag */
	struct buf scratch;		/* for building one response */
	struct span tag, name;		/* "UID FETCH": name is FETCH and uid is set; in arena */
	bool uid;
	struct imap_literal pending;	/* APPEND: a message literal was announced, its octets are not read */
	bool has_pending;

	struct mailbox *box;		/* selected, or NULL */
	bool read_only;
	bool condstore, qresync;	/* enabled by the client */
	struct imap_events *events;	/* event.h; NULL: nothing follows from what commands do */
	bool quota;			/* imap_quota is among mail_plugins */
	const struct span *keywords;	/* of box */
	size_t keyword_count;
	struct imap_notify *notify;	/* notify.h; NULL: the client has not sent NOTIFY */
	bool between;			/* no command has begun */
	struct buf told_flags;		/* the last list of flags that was told to the client */
	struct partial_spot spot;

	/* For the sync at the end of a command: UIDs (ascending, in arena) whose flags this command changed itself. */
	struct uid_list own;
	struct uid_list added;		/* and UIDs that it brought into box */
	enum { OWN_NONE, OWN_TELL, OWN_SILENT, OWN_TOLD } own_how;	/* SILENT: MODSEQ is told if enabled */

	enum imap_end end;
	unsigned bad_in_row;
	bool (*told_to_end)(void);	/* SIGTERM came, and has closed the input; may be NULL */
	bool kicked, hub_gone, hub_new, parent_gone;
	bool checked;			/* what is written behind next is what CHECK asked for */
	const char *end_reason;		/* for the log: "Logged out", "Connection closed" */
	struct imap_stats stats;	/* in, out: what a hibernated session had before */
	int64_t last_input_ms;
};

/* The whole engine without the process around it: for serve.c and for tests.  io is made by the caller (moved in). */
int imap_session_new(const struct session_start *ss, struct storage *st, struct stream *io, struct imap_session **out,
    struct err *e);
void imap_session_free(struct imap_session *s);		/* NULL is fine; st stays the caller's */
void imap_session_run(struct imap_session *s);		/* commands until s->end */

/* Input (input.c). */
/*
 * Waits until there is more input than `have' octets, answers SIGTERM, a kick and the end of the time with BYE.  0; -1:
 * s->end is set.
 */
int imap_more_input(struct imap_session *s);
bool imap_read_notices(struct imap_session *s);		/* of hub, those that are there; true: some were */
struct ipc_msg;
void imap_parent_message(struct imap_session *s, struct ipc_msg *m);	/* what came over parent_fd */
enum imap_wait { IMAP_WAIT_INPUT, IMAP_WAIT_CHANGE, IMAP_WAIT_TIME, IMAP_WAIT_END };
/* The same for IDLE: also returns for a change, or after timeout_ms. */
enum imap_wait imap_wait(struct imap_session *s, int timeout_ms);
/* A line of max octets at most, valid until the next call.  1; 0 too long (it is discarded); -1: s->end is set. */
int imap_read_line(struct imap_session *s, size_t max, struct span *out);
/* size octets of a literal, or the rest of it, thrown away.  -1: s->end is set. */
int imap_discard(struct imap_session *s, uint64_t size);
/*
 * The rest of a command: appends line after line and literal after literal to s->cmd, up to its end or (for APPEND) to the
 * literal of a message: s->pending.  1 a command; 0 it was refused, s->reply says why; -1: s->end is set.
 */
enum imap_read { IMAP_READ_PLAIN, IMAP_READ_APPEND, IMAP_READ_MESSAGE };
int imap_read_command(struct imap_session *s, struct span line, enum imap_read how);
/* line, which may end in a literal's head, begins or goes on with a command that is refused: reads what the client sends of
 * it without asking.  0; -1: s->end is set. */
int imap_refuse(struct imap_session *s, struct span line);
int imap_skip_literal(struct imap_session *s, struct imap_literal lit);	/* the same, from a literal's octets on */

/* Words (reply.c). */
void imap_ok(struct imap_session *s, const char *text);		/* "Fetch completed." */
void imap_okf(struct imap_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_no(struct imap_session *s, const char *text);		/* "[TRYCREATE] ..." */
void imap_bad(struct imap_session *s, const char *why);		/* the client's mistake: counted */
void imap_bye(struct imap_session *s, const char *text, const char *reason);	/* and the end */
void imap_untagged(struct imap_session *s, const char *text);	/* "OK Still here" */
void imap_send_reply(struct imap_session *s);			/* tag, s->reply */
extern const char *const imap_err_text[ERR_CODES];
void imap_error(struct imap_session *s, const struct err *e);	/* s->reply from the table; ours are logged */
/* What CAPABILITY tells, with the changes of imap_capability; in arena. */
struct span imap_capability(struct imap_session *s);

/* Names of mailboxes (names.c). */
/* mailbox: astring, decoded to UTF-8.  False: s->reply is set. */
bool imap_arg_mailbox(struct imap_session *s, struct imap_in *in, struct span *out);
struct span imap_mailbox_utf8(struct imap_session *s, struct span raw);	/* SPAN_NONE: malformed; in arena */
bool imap_is_inbox(struct span name);
void imap_put_mailbox(struct imap_session *s, struct span utf8);

/* The selected mailbox (sync.c, select.c). */
void imap_sync(struct imap_session *s, bool expunges);
void imap_sync_wanted(struct imap_session *s, bool expunges);	/* the same, as far as NOTIFY lets it */
void imap_unselect(struct imap_session *s);
void imap_enable_condstore(struct imap_session *s);
/* VANISHED (EARLIER): what of known was expunged since.  When the log does not go back so far: every UID above `above'
 * that is not there. */
void imap_vanished_since(struct imap_session *s, const struct mailbox_since *since, const struct imap_set *known,
    uint32_t above);
void imap_put_vanished(struct imap_session *s, const char *earlier, const struct imap_set *set);
/* "* n FETCH (...)" with UID, FLAGS and MODSEQ as the session wants them. */
void imap_put_flags_fetch(struct imap_session *s, uint32_t seq, const struct msg_rec *rec, bool uid);

/* Sets of messages (sets.c). */
/* sequence-set, as the command has it (s->uid), as ranges of sequence numbers in the view.  False: s->reply is set. */
bool imap_arg_seqs(struct imap_session *s, struct imap_in *in, struct imap_set *out);
/* The UIDs of sequence ranges; in arena.  False: s->reply is set. */
bool imap_set_uids(struct imap_session *s, const struct imap_set *seqs, struct uid_list *out);
/* A UID set as it is; "*" is the last UID of the view. */
bool imap_arg_uid_set(struct imap_session *s, struct imap_in *in, struct imap_set *out);
/* The sequence numbers of UIDs. */
bool imap_uids_to_seqs(struct imap_session *s, const struct imap_set *uids, struct imap_set *out);

/* Flags and keywords (flags.c). */
struct imap_flags {
	unsigned flags;
	struct span *names;	/* of keywords */
	size_t name_count;
};
/* flag-list or flags without parentheses.  False: in->why. */
bool imap_arg_flags(struct imap_session *s, struct imap_in *in, bool bare, struct imap_flags *out);
/* Room for any message's flags in a response, and writes "(\Seen word)" there: returns the end. */
size_t imap_flags_room(const struct imap_session *s);
char *imap_flags_format(const struct imap_session *s, char *p, const struct msg_rec *rec);
void imap_keywords_load(struct imap_session *s);	/* the spans may have moved: after each sync */
void imap_keywords_tell(struct imap_session *s);	/* loads, and tells them if they are not as they were told */
/* For hibernation: the list, taken as told, in eight octets. */
uint64_t imap_keywords_digest(struct imap_session *s);
bool imap_keywords_stale(const struct imap_session *s, const struct msg_rec *rec);
void imap_put_flag_lists(struct imap_session *s);	/* FLAGS and PERMANENTFLAGS */
char *imap_format_u64(char *p, uint64_t v);

/* The commands: dispatch.c has the table.  Arguments come without the space in front of the first. */
typedef int imap_cmd(struct imap_session *s, struct imap_in *in, struct err *e);
imap_cmd imap_cmd_deleteacl, imap_cmd_getacl, imap_cmd_listrights, imap_cmd_myrights, imap_cmd_setacl;
imap_cmd imap_cmd_append, imap_cmd_capability, imap_cmd_check, imap_cmd_close, imap_cmd_copy, imap_cmd_create,
    imap_cmd_delete, imap_cmd_enable, imap_cmd_examine, imap_cmd_expunge, imap_cmd_fetch, imap_cmd_id, imap_cmd_idle,
    imap_cmd_getmetadata, imap_cmd_getquota, imap_cmd_getquotaroot, imap_cmd_list, imap_cmd_login, imap_cmd_logout, imap_cmd_lsub, imap_cmd_move,
    imap_cmd_namespace, imap_cmd_noop, imap_cmd_notify, imap_cmd_rename, imap_cmd_search, imap_cmd_select, imap_cmd_setmetadata, imap_cmd_setquota, imap_cmd_sort,
    imap_cmd_status, imap_cmd_store, imap_cmd_subscribe, imap_cmd_thread, imap_cmd_unselect, imap_cmd_unsubscribe;

int imap_put_myrights(struct imap_session *s, struct span mailbox, struct err *e);
/* STATUS items: parsed for STATUS and LIST's RETURN; sent for a mailbox. */
bool imap_arg_status_items(struct imap_session *s, struct imap_in *in, unsigned *items_out);
int imap_put_status(struct imap_session *s, struct span mailbox, unsigned items, struct err *e);
void imap_put_status_of(struct imap_session *s, struct span mailbox, unsigned items, const struct mailbox_status *st);
/* "* LIST" of one name, unasked for, with \Subscribed; old_name: what it was called before, or SPAN_NONE. */
void imap_put_list(struct imap_session *s, const struct mailbox_info *info, bool no_access, struct span old_name);
/* FETCH responses, unasked for, of the messages from first on; but: UIDs that are passed over.  False: too many items. */
struct fetch_items;
bool imap_fetch_news(struct imap_session *s, const struct fetch_items *items, uint32_t first, const struct uid_list *but);
#endif
