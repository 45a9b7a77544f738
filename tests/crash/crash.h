/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_CRASH_CRASH_H
#define CULVER_TESTS_CRASH_CRASH_H
/*
 * An operation on a user's mail, what it promises, and whether a promise was broken.  Every message has a number, from
 * which all of its octets and its date follow.
 */
#include "lib-storage/storage-priv.h"
#include "trace.h"

#define MESSAGES 64
#define BOXES 12
#define STEPS 6
#define NUMBERS 6
#define ANNOUNCED 48
#define DATE_OF(number) ((int64_t)1000000000 + (number))
#define WORKS_NUMBER 9000	/* what the check that all works saves */

enum { KW_JUNK = 1, KW_LABEL = 2, KW_OTHER = 4, KEYWORDS_KNOWN = 3 };
extern const char *const keyword_names[KEYWORDS_KNOWN];

/* What a process found. */
struct seen_msg {
	uint32_t uid;
	unsigned number;
	uint8_t flags, keywords;
	uint64_t modseq;
};

struct seen_box {
	char name[48];		/* levels joined by '/' */
	uint32_t validity, uidnext, id;
	uint64_t modseq;
	unsigned note;		/* a number as its annotation; 0: none */
	unsigned count;
	struct seen_msg m[MESSAGES];
};

struct seen {
	unsigned count;
	struct seen_box box[BOXES];
	char subscribed[8][48];
	unsigned subscribed_count;
};

/* What must be there after so many steps. */
struct want_msg {
	unsigned number;
	uint8_t flags, keywords;
};

struct want_box {
	char name[48];
	unsigned origin;	/* which mailbox this is, whatever it is called */
	unsigned note;
	unsigned count;
	struct want_msg m[MESSAGES];
};

struct want {
	unsigned count;
	struct want_box box[BOXES];
	unsigned subscribed_count;
	char subscribed[8][48];
	unsigned origins;
};

enum step_kind {
	STEP_END, STEP_SAVE, STEP_STORE, STEP_COPY, STEP_MOVE, STEP_EXPUNGE, STEP_CREATE, STEP_DELETE, STEP_RENAME,
	STEP_SUBSCRIBE, STEP_UNSUBSCRIBE, STEP_ANNOTATE, STEP_LOOK, STEP_MAINTAIN, STEP_RESYNC, STEP_RELEASE, STEP_ADOPT
};

struct step {
	enum step_kind kind;
	const char *box, *to;
	unsigned numbers[NUMBERS];	/* of messages; 0 behind the last */
	unsigned flags, keywords;
	enum flag_op op;
};

enum preparation {
	PREP_BASE,		/* INBOX, Work, Work/Sub with some mail */
	PREP_EMPTY,		/* nothing at all */
	PREP_NO_INDEX,		/* the index was removed */
	PREP_BAD_INDEX,		/* it is garbage */
	PREP_FOREIGN,		/* other programs brought mail, renamed and removed some */
	PREP_MANY,		/* so much more that the files keep their names */
	PREP_MANY_LOST,		/* the same, seen and told of before the index was removed */
	PREP_DIRTY,		/* flags wait to be written behind, of a process that died */
	PREP_MARK,		/* the mark of reserved UIDs is next */
	PREP_DOVECOT,		/* Dovecot's: its lists of UIDs and keywords, and nothing of ours */
	PREP_RELEASED,		/* the same, with what `culveradm adopt' finds of us */
};

/* What belongs together when a step was not acknowledged: all of it, what is of one mailbox, each message. */
enum whole { WHOLE_STEP, WHOLE_BOX, WHOLE_MESSAGE };

struct op {
	const char *name;
	enum preparation prep;
	enum whole whole;
	struct step steps[STEPS];
	bool by_content;	/* COPY without links */
};

extern const struct op ops[];
/* The mail may be Dovecot's meanwhile, or afterwards: a fresh process takes it back. */
bool op_gives(const struct op *op);
extern const size_t op_count;

/* Shared with the children. */
struct shared {
	struct progress at;
	bool failed;			/* a step answered NO */
	struct seen_box announced[ANNOUNCED];	/* what clients may have been told */
	struct seen seen;
	char error[512];
};

struct world {
	const struct op *op;
	const struct format *format;
	enum fsync_mode fsync;
	char home[128], keep[128];	/* keep: see tree_keep() */
	struct storage_conf conf;
	struct shared *sh;
	struct tree base;		/* before the operation; files' inodes are not those on disk, unless they are kept */
	struct tree_node stale;		/* an old data.mdb */
	bool have_stale;
	struct want want[STEPS + 1];
	struct want before;		/* PREP_DIRTY: without the flags that wait in the index alone */
	unsigned steps;
	struct seen_box told[ANNOUNCED];	/* before the operation */
	unsigned told_count;
};

struct format {
	const char *name;
	const char *location;		/* mail_location */
	char separator;
	const char *index_dir;		/* below home */
	bool one_file;			/* for all messages of a mailbox */
	void (*foreign)(struct world *w);	/* what other programs do: see PREP_FOREIGN */
	bool released;			/* can be given to Dovecot */
	void (*many)(struct world *w);	/* for PREP_MANY; NULL: that would be nothing else than PREP_FOREIGN */
};
bool op_fits(const struct op *op, const struct format *f);
extern const struct format formats[];
extern const size_t format_count;

/* ops.c: these run in children; a failure is in sh->error. */
size_t message_text(unsigned number, char *out, size_t max);	/* LF line ends */
struct storage *world_open(struct world *w);
int world_release(struct storage *st, struct err *e);
int world_adopt(struct storage *st, struct err *e);
int run_step(struct world *w, struct storage *st, const struct step *s, struct err *e);
/* Those of its keywords that have a name here; the number that its summary tells. */
uint8_t known_keywords(struct mailbox *box, uint64_t mask);
int number_of_uid(struct mailbox *box, uint32_t uid, unsigned *out, struct err *e);
int announce(struct world *w, struct storage *st, const char *name, struct err *e);
void apply_step(struct want *w, const struct step *s);		/* the model's side */
void run_op(void *world);

/* verify.c: in a child as well. */
int observe(struct world *w, struct storage *st, struct seen *out, struct err *e);
int check_works(struct world *w, struct storage *st, struct err *e);
int check_told(struct world *w, struct storage *st, struct err *e);
/* All that is stored agrees: what `culveradm scrub' does. */
int check_scrub(struct storage *st, struct err *e);
/* Dovecot finds every message, under the UID that was told. */
int check_dovecot(struct world *w, struct err *e);
/* Nothing that was being written lies about; only when nobody was killed. */
int check_litter(struct world *w, struct err *e);

/* judge.c: whether what was seen is what may be. */
struct verdict_of {
	unsigned acked, begun;
	bool power, may_be_older;	/* flags, expunges: as they were some seconds before */
};
bool judge(const struct world *w, const struct verdict_of *v, char *why, size_t why_n);
/* The same again after the index was removed. */
bool judge_same(const struct seen *a, const struct seen *b, char *why, size_t why_n);
void want_from_seen(struct want *out, const struct seen *s);
const struct seen_box *seen_box(const struct seen *s, const char *name);
#endif
