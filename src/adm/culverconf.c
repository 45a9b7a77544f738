/* SPDX-License-Identifier: MIT */
/* culverconf: shows the configuration, and says what is wrong with it. */
#include "config.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib-config/config.h"
#include "lib-config/settings.h"
#include "lib/sys.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define EXIT_CONFIG 89	/* as the server itself ends over a wrong configuration */

struct options {
	const char *path;
	const char *template;	/* --man */
	struct dump_options dump;
	struct set_filter filter;
	struct sockaddr_storage local, remote;
	bool defaults, quiet;
};

static void __attribute__((noreturn))
usage(int status)
{
	fputs("Usage: culverconf [-adnNPSx] [-c FILE] [-f NAME=VALUE]... [-m MODULE]\n"
	    "       culverconf [-hHPS] [-c FILE] [-f NAME=VALUE]... SETTING_OR_BLOCK...\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

static void __attribute__((noreturn))
fail(const char *text)
{
	fprintf(stderr, "culverconf: %s\n", text);
	exit(EXIT_CONFIG);
}

static struct sockaddr_storage
parse_address(const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	struct sockaddr_storage sa = { 0 };

	if (getaddrinfo(text, NULL, &hints, &found) != 0 || found->ai_addrlen > sizeof(sa))
		fail("-f: this is no address and no name of a host");
	memcpy(&sa, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return sa;
}

static void
parse_filter(struct options *o, char *text)
{
	char *value = strchr(text, '=');

	if (value == NULL)
		fail("-f: expected NAME=VALUE");
	*value++ = '\0';
	o->dump.filter = &o->filter;
	if (strcmp(text, "protocol") == 0 || strcmp(text, "service") == 0) {
		o->filter.protocol = value;
	} else if (strcmp(text, "lname") == 0 || strcmp(text, "local_name") == 0) {
		o->filter.local_name = span_str(value);
	} else if (strcmp(text, "local") == 0 || strcmp(text, "lip") == 0) {
		o->local = parse_address(value);
		o->filter.local = &o->local;
	} else if (strcmp(text, "remote") == 0 || strcmp(text, "rip") == 0) {
		o->remote = parse_address(value);
		o->filter.remote = &o->remote;
	} else {
		fail("-f: the names are protocol, service, lname, local, lip, remote and rip");
	}
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, '?' },
		{ "man", required_argument, NULL, 'M' },
		{ NULL, 0, NULL, 0 }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+ac:df:hHm:nNPsSx", longs, NULL)) != -1) {
		switch (opt) {
		case 'a':
			o->dump.what = DUMP_ALL;
			break;
		case 'c':
			o->path = optarg;
			break;
		case 'd':
			o->defaults = true;
			o->dump.what = DUMP_ALL;
			break;
		case 'f':
			parse_filter(o, optarg);
			break;
		case 'h':
			o->dump.values_only = true;
			break;
		case 'H':
			o->quiet = true;
			break;
		case 'm':
			o->dump.module = span_str(optarg);
			break;
		case 'M':
			o->template = optarg;
			break;
		case 'n':
			o->dump.what = DUMP_CHANGED;
			break;
		case 'N':
			o->dump.what = DUMP_SET;
			break;
		case 'P':
			o->dump.secrets = true;
			break;
		case 'S':
			o->dump.simple = true;
			break;
		case 's':	/* no setting is hidden, */
		case 'x':	/* and what is shown is always expanded */
			break;
		default:
			usage(optopt == 0 ? 0 : 64);
		}
	}
}

/* The manual page: a template in which one line stands for all settings, and one for all blocks. */
static void
write_manual(const char *path, struct buf *out)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct span rest, line;

	if (file_read(path, text.max, &text, &e) == -1)
		fail(e.log);
	rest = buf_span(&text);
	while (span_next(&rest, '\n', &line)) {
		if (span_eq(line, SPAN("@SETTINGS@"))) {
			settings_manual(out);
		} else if (span_eq(line, SPAN("@BLOCKS@"))) {
			blocks_manual(out);
		} else {
			buf_add(out, line);
			buf_addc(out, '\n');
		}
	}
	buf_clear(&text);
}

static struct config *
load(const struct options *o)
{
	const char *path = o->path != NULL ? o->path : CULVER_SYSCONFDIR "/dovecot.conf";
	const struct config_note *notes;
	struct err e = ERR_INIT;
	struct config *c = o->defaults ? config_read_text(SPAN(""), "defaults", &e) : config_read(path, &e);
	size_t count;

	if (c == NULL)
		fail(e.log);
	count = o->defaults ? 0 : config_notes(c, &notes);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "culverconf: %s: %s\n", notes[i].is_error ? "Error" : "Warning", notes[i].text);
	if (config_has_errors(c))
		fail("the configuration has errors");
	if (!o->defaults && !o->quiet && !o->dump.values_only && !o->dump.simple)
		printf("# culver " PACKAGE_VERSION ": %s\n", path);
	return c;
}

int
main(int argc, char **argv)
{
	struct options o = { .dump = { .what = DUMP_CHANGED } };
	struct buf out = BUF_INIT(OUTPUT_MAX);
	struct config *c = NULL;
	struct err e = ERR_INIT;
	int rc = 0;

	parse_options(&o, argc, argv);
	if (o.template != NULL) {
		write_manual(o.template, &out);
	} else {
		o.quiet |= optind < argc;
		c = load(&o);
		if (optind == argc && config_dump(c, &o.dump, &out, &e) == -1)
			fail(e.log);
		for (int i = optind; i < argc; i++) {
			o.dump.what = DUMP_ALL;
			if (config_dump_name(c, &o.dump, span_str(argv[i]), &out, &e) == -1) {
				fprintf(stderr, "culverconf: %s\n", e.log);
				rc = EXIT_CONFIG;
			}
		}
	}
	if ((out.n > 0 && fwrite(out.p, 1, out.n, stdout) != out.n) || fflush(stdout) != 0)
		rc = 1;
	buf_clear(&out);
	config_free(c);
	return rc;
}
