/* SPDX-License-Identifier: MIT */
#include "lib-deliver/event.h"

#include <stdlib.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/filter-list.h"
#include "lib-deliver/perform.h"
#include "lib-filter/sieve/sequence.h"
#include "lib-filter/sieve/setting.h"

#define RUN_MEMORY ((size_t)96 << 20)	/* as in a delivery */
#define RULES_MEMORY ((size_t)1 << 20)
#define WORDS_MAX 16384
#define LISTS_MAX 64
#define SCRIPTS_MAX (2 * IMAPSIEVE_RULES_MAX + 1)

struct deliver_events {
	struct deliver_event_user u;
	struct arena *a;		/* of the rules */
	struct imapsieve_rules rules;
	struct span url, email;
	bool expunges;			/* imapsieve_expunge_discarded */
	struct sieve_site site;
	struct sieve_sequence *sequence;
};

/* One message. */
struct run {
	struct deliver_events *d;
	struct deliver_host host;	/* first: the filter's ctx is this */
	struct imapsieve_event what;
	struct mailbox *box;
	struct msg_rec rec;
	struct filter_message message;
	struct arena *a;
};

static struct sieve_site
site_of(const struct set_view *view, struct span user, struct span home)
{
	return (struct sieve_site){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting, .user = user,
				    .home = home.n > 0 ? home : SPAN_NONE };
}

static struct filter_host
host_of(const struct set_view *view)
{
	return (struct filter_host){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting };
}

/* Where nobody has said it. */
static struct span
address_of(struct deliver_events *d)
{
	struct span host = set_str(d->u.view, SET_hostname);

	if (span_chr(d->u.user, '@') < d->u.user.n)
		return d->u.user;
	if (host.n == 0)
		host = span_str(host_name());
	return span_str(arena_printf(d->a, "%.*s@%.*s", SPAN_ARG(d->u.user), SPAN_ARG(host)));
}

int
deliver_events_open(const struct deliver_event_user *u, struct deliver_events **out, struct err *e)
{
	const struct filter_host host = host_of(u->view);
	struct deliver_events *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->a = arena_new(RULES_MEMORY)) == NULL) {
		free(d);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	d->u = *u;
	d->site = site_of(u->view, u->user, u->home);
	d->expunges = sieve_setting_bool(&host, "imapsieve_expunge_discarded", false);
	d->email = sieve_setting_text(&host, "sieve_user_email");
	if (d->email.n == 0)
		d->email = address_of(d);
	if (deliver_event_rules(u->view, d->a, &d->rules, &d->url, e) == 0 &&
	    sieve_sequence_open_steps(&d->site, &d->sequence, e) == 0) {
		*out = d;
		return 0;
	}
	deliver_events_close(d);
	return -1;
}

void
deliver_events_close(struct deliver_events *d)
{
	if (d == NULL)
		return;
	sieve_sequence_close(d->sequence);
	arena_free(d->a);
	free(d);
}

/* ---- which scripts ---- */

/* A wrong location is as if it were not there. */
static size_t
add_script(struct run *r, struct sieve_step *steps, size_t n, enum sieve_place place, struct span value)
{
	struct sieve_location where;
	struct err e = ERR_INIT;

	if (sieve_site_location_of(&r->d->site, "imapsieve_mailbox", value, r->a, &where, &e) == -1) {
		log_error("imapsieve: %s", e.log);
		return n;
	}
	if (where.dict) {
		log_error("imapsieve: %s: scripts for events are in files only", where.path);
		return n;
	}
	steps[n] = (struct sieve_step){ place, where.path };
	return n + 1;
}

/* What the mailbox's metadata names, or else the server's; one of the user's own. */
static size_t
add_user_script(struct run *r, struct sieve_step *steps, size_t n)
{
	const struct filter_host *host = &r->host.table;
	struct sieve_location where;
	struct err e = ERR_INIT;
	struct span name;
	char *path;

	if (r->d->url.n == 0 || host->metadata == NULL ||
	    (!host->metadata(host->ctx, r->what.mailbox, SPAN(DELIVER_EVENT_ENTRY), r->a, &name) &&
	     !host->metadata(host->ctx, SPAN(""), SPAN(DELIVER_EVENT_ENTRY), r->a, &name)))
		return n;
	name = span_trim(name);
	if (name.n == 0)
		return n;
	if (!sieve_name_is_valid(name) || sieve_site_personal(&r->d->site, r->a, &where, &e) == -1 ||
	    (path = arena_printf(r->a, "%s/%.*s.sieve", where.path, SPAN_ARG(name))) == NULL) {
		log_warning("imapsieve: mailbox %.*s: no script has the name that its metadata has", SPAN_ARG(r->what.mailbox));
		return n;
	}
	steps[n] = (struct sieve_step){ SIEVE_PERSONAL, path };
	return n + 1;
}

static size_t
find_scripts(struct run *r, struct sieve_step steps[SCRIPTS_MAX])
{
	struct span locations[SCRIPTS_MAX - 1];
	size_t before, count = imapsieve_select(&r->d->rules, &r->what, locations, SCRIPTS_MAX - 1, &before), n = 0;

	for (size_t i = 0; i < before; i++)
		n = add_script(r, steps, n, SIEVE_BEFORE, locations[i]);
	n = add_user_script(r, steps, n);
	for (size_t i = before; i < count; i++)
		n = add_script(r, steps, n, SIEVE_AFTER, locations[i]);
	return n;
}

/* ---- what they want ---- */

static bool
environment(void *ctx, struct span name, struct arena *a, struct span *out)
{
	struct deliver_host *host = ctx;
	struct run *r = (struct run *)(void *)((char *)host - offsetof(struct run, host));

	(void)a;
	return imapsieve_environment(&r->what, name, out);
}

static int
change_flags(struct run *r, enum flag_op op, unsigned flags, uint64_t keywords, struct err *e)
{
	const struct flag_change fc = { .op = op, .flags = flags, .keywords = keywords };

	if (flags == 0 && keywords == 0)
		return 0;
	return mailbox_store(r->box, &r->rec.uid, 1, &fc, r->a, NULL, NULL, e);
}

/* Only what the scripts have changed: others may have changed the rest meanwhile. */
static int
set_flags(struct run *r, const struct filter_flags *f, struct err *e)
{
	unsigned flags = f->flags;
	struct span *words = arena_alloc(r->a, f->keyword_count + 1, sizeof(*words));
	size_t count = 0;
	uint64_t keywords = 0;

	if (words == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < f->keyword_count; i++) {
		if (span_ieq(f->keywords[i], SPAN("$Forwarded")))
			flags |= MSG_PASSED;
		else
			words[count++] = f->keywords[i];
	}
	if (count > 0 && mailbox_keyword_mask(r->box, words, count, true, &keywords, e) == -1)
		return -1;
	return change_flags(r, FLAGS_ADD, flags & ~r->rec.flags, keywords & ~r->rec.keywords, e) == -1 ? -1 :
	    change_flags(r, FLAGS_REMOVE, r->rec.flags & ~flags, r->rec.keywords & ~keywords, e);
}

static int
remove_message(struct run *r, struct err *e)
{
	if (r->d->expunges)
		return mailbox_expunge(r->box, &r->rec.uid, 1, true, e);
	return change_flags(r, FLAGS_ADD, MSG_DELETED, 0, e);
}

/* Copies into other mailboxes have the message's flags, if the script says nothing of flags. */
static int
take_flags(struct run *r, struct filter_action *a, struct err *e)
{
	struct span rest = r->message.flags, word;

	if (a->kind != FILTER_SAVE || a->own || a->flags.given)
		return 0;
	a->flags = (struct filter_flags){ .given = true, .flags = r->rec.flags & ~(unsigned)MSG_DELETED };
	a->flags.keywords = arena_alloc(r->a, 64 + 1, sizeof(*a->flags.keywords));
	if (a->flags.keywords == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	while (span_next(&rest, ' ', &word) && a->flags.keyword_count < 64)
		if (word.n > 0 && word.p[0] != '\\' && !span_eq(word, SPAN("$Forwarded")))
			a->flags.keywords[a->flags.keyword_count++] = word;
	return 0;
}

static bool
is_here(struct run *r, const struct filter_action *a)
{
	struct span place = deliver_place_of(&r->host, a);

	return span_eq(place, r->what.mailbox) || (span_ieq(place, SPAN("INBOX")) && span_ieq(r->what.mailbox, SPAN("INBOX")));
}

/* All but keeping; *stays_out: whether the message stays, also because something failed. */
static int
perform(struct run *r, struct filter_action *actions, struct filter_action **keep_out, bool *stays_out, struct err *e)
{
	struct filter_action *first = NULL, **tail = &first, *next;
	struct performed done = { .stored = false };

	*keep_out = NULL;
	*stays_out = false;
	for (struct filter_action *a = actions; a != NULL; a = next) {
		next = a->next;
		a->next = NULL;
		/* What is filed where it is, is kept. */
		if (a->kind == FILTER_SAVE && (a->keep || (!a->own && is_here(r, a)))) {
			*keep_out = a;
			continue;
		}
		if (take_flags(r, a, e) == -1)
			return -1;
		*tail = a;
		tail = &a->next;
	}
	if (first != NULL) {
		struct err failed = ERR_INIT;

		if (deliver_perform(r->host.r, first, &r->message, &r->host, &done, &failed) == -1)
			done.must_keep = true;
	}
	*stays_out = *keep_out != NULL || done.must_keep;
	return 0;
}

static void
complain(struct run *r, const struct sieve_failure *x)
{
	if (x->line == 0)
		log_error("imapsieve: %s: %s", x->path, x->why);
	else
		log_error("imapsieve: %s: line %u: %s", x->path, x->line, x->why);
	deliver_host_note(&r->host, NULL, "%s line %u: error: %s", x->path, x->line, x->why);
}

static int
run_scripts(struct run *r, const struct sieve_step *steps, size_t count, struct err *e)
{
	struct sieve_outcome o;
	struct filter_action *keep;
	bool stays;

	if (sieve_sequence_run_steps(r->d->sequence, steps, count, &r->message, &r->host.table, r->a, &o, e) == -1)
		return -1;
	for (const struct sieve_failure *x = o.failures; x != NULL; x = x->next)
		complain(r, x);
	if (perform(r, o.actions, &keep, &stays, e) == -1)
		return -1;
	if (!stays)
		return remove_message(r, e);
	return keep != NULL && keep->flags.given ? set_flags(r, &keep->flags, e) : 0;
}

static int
with_message(struct run *r, struct span text, struct err *e)
{
	struct deliver_request request = {
		.storage = r->d->u.storage, .view = r->d->u.view, .user = r->d->u.user, .home = r->d->u.home,
		.session = r->d->u.session, .recipient = r->d->email, .message = text,
		.means = r->d->u.means, .stays = true, .internal_date = r->rec.internal_date,
	};
	struct sieve_step steps[SCRIPTS_MAX];
	struct buf words = BUF_INIT(WORDS_MAX);
	size_t count;
	int rc = 0;

	filter_message_init(&r->message, text);
	r->message.recipient = request.recipient;
	r->message.has_flags = true;
	deliver_event_flag_words(r->box, &r->rec, &words);
	r->message.flags = arena_dup(r->a, buf_span(&words));
	buf_clear(&words);
	if (r->message.flags.p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	deliver_host_begin(&r->host, &request, r->a);
	r->host.by = "imapsieve: ";
	r->host.table.environment = environment;
	count = find_scripts(r, steps);
	if (count > 0)
		rc = run_scripts(r, steps, count, e);
	deliver_host_end(&r->host);
	return rc;
}

int
deliver_events_run(struct deliver_events *d, const struct imapsieve_event *what, struct mailbox *box, uint32_t uid, struct err *e)
{
	struct run r = { .d = d, .what = *what, .box = box };
	struct span text;
	int rc = -1;

	r.what.user = d->u.user;
	r.what.email = d->email;
	r.a = arena_new(RUN_MEMORY);
	if (r.a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (mailbox_get(box, uid, &r.rec, e) == 0 && mailbox_date(box, uid, &r.rec.internal_date, e) == 0 &&
	    mailbox_body(box, uid, &text, e) == 0) {
		mailbox_read_end(box);
		rc = with_message(&r, text, e);
	}
	mailbox_read_end(box);
	arena_free(r.a);
	return rc;
}

/* ---- where they are ---- */

static const char *
directory_of(const char *path, struct arena *a)
{
	const char *slash = strrchr(path, '/');

	return arena_printf(a, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *const *
deliver_event_paths(const struct set_view *view, struct span user, struct span home, const char *const *first, struct arena *a)
{
	struct sieve_site site = site_of(view, user, home);
	struct imapsieve_rules rules = { .n = 0 };
	struct sieve_sequence *q = NULL;
	const char *const *more = NULL;
	struct sieve_location where;
	const char *lists[LISTS_MAX];
	struct err e = ERR_INIT;
	size_t count = 2, n = 0, list_count = filter_list_dirs(view, user, home, a, lists, LISTS_MAX);
	struct span url;
	const char **out;

	if (!deliver_event_wanted(view))
		return first;
	/* Wrong settings are told when something happens: here they allow nothing. */
	if (deliver_event_rules(view, a, &rules, &url, &e) == -1)
		rules.n = 0;
	if (sieve_sequence_open_steps(&site, &q, &e) == 0)
		more = sieve_sequence_paths(q, a);
	for (size_t i = 0; first[i] != NULL; i++)
		count++;
	for (size_t i = 0; more != NULL && more[i] != NULL; i++)
		count++;
	out = arena_alloc(a, count + list_count + 2 * rules.n, sizeof(*out));
	for (size_t i = 0; out != NULL && first[i] != NULL; i++)
		out[n++] = first[i];
	if (out != NULL && home.n > 0 && (out[n++] = arena_cstr(a, home)) == NULL)
		out = NULL;
	for (size_t i = 0; out != NULL && more != NULL && more[i] != NULL; i++)
		out[n++] = more[i];
	for (size_t i = 0; out != NULL && i < list_count; i++)
		out[n++] = lists[i];
	for (size_t i = 0; out != NULL && i < 2 * rules.n; i++) {
		struct span value = i % 2 == 0 ? rules.v[i / 2].before : rules.v[i / 2].after;

		if (value.n > 0 && sieve_site_location_of(&site, "imapsieve_mailbox", value, a, &where, &e) == 0 &&
		    (out[n++] = directory_of(where.path, a)) == NULL)
			out = NULL;
	}
	sieve_sequence_close(q);
	return out;
}
