/* SPDX-License-Identifier: MIT */
/* A name that is a message gets a name that says the same, with the UID it was given; and a control file is read or refused. */
#include <stdlib.h>
#include "lib-storage/maildir/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	char tagged[MAILDIR_NAME_MAX + 1], whole[MAILDIR_NAME_MAX + 1];
	struct maildir_control c;
	struct maildir_name n, again;

	if (maildir_control_parse(in, &c) == 1) {
		if (c.uidvalidity == 0 || c.id == 0 || c.uid_reserved == 0 || c.modseq_reserved == 0)
			abort();
		maildir_control_clear(&c);
	}
	if (!maildir_name_parse(in, &n))
		return 0;
	if (n.base.n == 0 || n.base.n > in.n || (n.uid == 0) != (n.uidvalidity == 0) || (n.flags & ~IDX_FLAGS) != 0)
		abort();
	if (!maildir_name_tag(tagged, n.base, 0x1234, 77) ||
	    !maildir_name_info(whole, span_str(tagged), n.info, n.flags, n.keywords, true))
		return 0;
	if (!maildir_name_parse(span_str(whole), &again))
		abort();
	if (again.uid != 77 || again.uidvalidity != 0x1234 || again.flags != n.flags || again.keywords != n.keywords ||
	    again.size != n.size || again.virtual_size != n.virtual_size || again.sec != n.sec || again.usec != n.usec)
		abort();
	return 0;
}
