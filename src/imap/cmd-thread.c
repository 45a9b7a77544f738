/* SPDX-License-Identifier: MIT */
/* THREAD and UID THREAD (RFC 5256 sections 3 and 4). */
#include "imap/search.h"
#include "lib-storage/thread.h"

#define TREE_MEMORY ((size_t)512 << 20)

struct frame {			/* children that are being written */
	uint32_t at, end;	/* in tree->order */
};

static void
put_number(struct imap_session *s, uint32_t seq)
{
	stream_put_u64(&s->io, s->uid ? mailbox_uid(s->box, seq) : seq);
}

/*
 * thread-members = nz-number *(SP nz-number) [SP thread-nested]: down the line of only children.  Where a node has
 * several, they are what follows, each a list of its own.  False: the line has come to its end.
 */
static bool
put_line(struct imap_session *s, const struct thread_tree *tree, uint32_t node, struct frame *next)
{
	for (bool first = true;; first = false) {
		const struct thread_node *n = &tree->nodes[node];

		if (n->seq != 0) {
			if (!first)
				stream_put(&s->io, SPAN(" "));
			put_number(s, n->seq);
		}
		if (n->count == 0)
			return false;
		if (n->count > 1) {
			if (n->seq != 0)
				stream_put(&s->io, SPAN(" "));
			*next = (struct frame){ n->first, n->first + n->count };
			return true;
		}
		node = tree->order[n->first];
	}
}

/* "* THREAD (2)(3 6 (4 23)(44 7 96))": without recursion, since a client's mail decides how deep it goes. */
static int
put_tree(struct imap_session *s, const struct thread_tree *tree, struct err *e)
{
	struct array stack = ARRAY_INIT(struct frame, UINT32_MAX);
	struct frame *f = array_push(&stack), next;
	int rc = 0;

	stream_put(&s->io, SPAN("* THREAD"));
	if (tree->nodes[0].count > 0)
		stream_put(&s->io, SPAN(" "));
	if (f != NULL)
		*f = (struct frame){ tree->nodes[0].first, tree->nodes[0].first + tree->nodes[0].count };
	while (stack.n > 0 && rc == 0) {
		f = array_at(&stack, stack.n - 1);
		if (f->at == f->end) {
			if (--stack.n > 0)
				stream_put(&s->io, SPAN(")"));
			continue;
		}
		stream_put(&s->io, SPAN("("));
		if (!put_line(s, tree, tree->order[f->at++], &next))
			stream_put(&s->io, SPAN(")"));
		else if ((f = array_push(&stack)) != NULL)
			*f = next;
		else
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	stream_put(&s->io, SPAN("\r\n"));
	array_clear(&stack);
	return rc;
}

int
imap_cmd_thread(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct array seqs = ARRAY_INIT(uint32_t, mailbox_count(s->box) + 1);
	enum thread_algorithm how;
	struct thread_tree tree;
	struct search_query q;
	struct arena *a;
	uint64_t modseq;
	int rc;

	if (imap_word(in, SPAN("REFERENCES"))) {
		how = THREAD_REFERENCES;
	} else if (imap_word(in, SPAN("ORDEREDSUBJECT"))) {
		how = THREAD_ORDEREDSUBJECT;
	} else {
		imap_bad(s, "Unknown thread algorithm");
		return 0;
	}
	if (!imap_arg_sort_query(s, in, &q))
		return 0;
	a = arena_new(TREE_MEMORY);
	rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : imap_search_seqs(s, &q, &seqs, &modseq, e);
	if (rc == 0)
		rc = thread_messages(s->box, how, seqs.p, seqs.n, a, &tree, e);
	if (rc == 0)
		rc = put_tree(s, &tree, e);
	if (rc == 0)
		imap_ok(s, "Thread completed.");
	arena_free(a);
	array_clear(&seqs);
	return rc;
}
