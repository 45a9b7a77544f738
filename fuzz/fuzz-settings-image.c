/* SPDX-License-Identifier: MIT */
/*
 * A damaged image of the settings is refused, or can be read in all its parts.  The input is a list of changes to a good
 * image, which depends on the build: three octets for the place, one to be mixed in.
 */
#include <stdlib.h>
#include <unistd.h>
#include "lib-config/config.h"
#include "lib-config/image.h"
#include "lib/sys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "mail_home = x\nmail_location = maildir:~/m\nplugin {\n  a = b\n}\n"
    "protocol imap {\n  mail_home = y\n  plugin {\n    a = c\n  }\n"
    "  namespace inbox {\n    prefix = z\n    mailbox New {\n      auto = create\n    }\n  }\n}\n"
    "remote 10.0.0.0/8 {\n  mail_debug = yes\n}\nlocal_name \"*.x y\" {\n}\n"
    "namespace inbox {\n  inbox = yes\n  mailbox Sent {\n    special_use = \\Sent\n  }\n}\npassdb {\n  driver = pam\n}\n";

static size_t seen;	/* so that no read is optimised away */

static void
look(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		seen += (unsigned char)s.p[i];
}

static void
walk(const struct set_view *v, const struct set_block *parent, enum block_kind at)
{
	for (unsigned k = 0; k < BLOCK_KINDS; k++) {
		struct set_block b;

		for (size_t pos = 0; block_table[k].parent == at && set_block_next(v, parent, block_table[k].name, &pos, &b);) {
			look(b.name);
			for (const struct setting_def *d = block_table[k].settings; d->name != NULL; d++) {
				look(set_block_str(&b, d->name));
				seen += set_block_is_set(&b, d->name);
			}
			walk(v, &b, (enum block_kind)k);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct buf good;
	struct set_filter imap = { .protocol = "imap", .local_name = SPAN("a.x") };
	struct buf image = BUF_INIT(IMAGE_MAX);
	struct err e = ERR_INIT;
	struct settings *s;
	int fd;

	if (good.p == NULL) {
		struct config *c = config_read_text(span_str(text), "fuzz", &e);

		fd = config_image(c, &e);
		buf_init(&good, IMAGE_MAX);
		if (fd == -1 || fd_read_all(fd, IMAGE_MAX, &good, &e) == -1)
			abort();
		close(fd);
		config_free(c);
	}
	buf_add(&image, buf_span(&good));
	for (size_t i = 0; i + 4 <= size; i += 4)
		image.p[((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % image.n] ^= (char)data[i + 3];
	fd = memfd_sealed("fuzz", buf_span(&image), &e);
	if (fd == -1)
		abort();
	if (settings_open(fd, &s, &e) == 0) {
		struct set_view *v = set_view_new(s, &imap);

		if (v == NULL)
			abort();
		for (unsigned id = 0; id < SETTINGS_COUNT; id++)
			look(set_str(v, (enum setting)id));
		look(set_plugin(v, "a"));
		walk(v, NULL, BLOCK_NONE);
		set_view_override(v, SPAN("namespace/inbox/prefix"), SPAN("q"), &e);
		walk(v, NULL, BLOCK_NONE);
		set_view_free(v);
		settings_close(s);
	}
	close(fd);
	buf_clear(&image);
	return 0;
}
