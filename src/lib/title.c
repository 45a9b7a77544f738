/* SPDX-License-Identifier: MIT */
#include "lib/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *area;
static size_t room;

/* The C library hands its initializers what main() gets. */
static void __attribute__((constructor))
find_area(int argc, char **argv, char **envp)
{
	char *end;

	if (argc < 1 || argv[0] == NULL)
		return;
	end = argv[0] + strlen(argv[0]) + 1;
	for (int i = 1; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	for (; *envp != NULL && *envp == end; envp++)
		end += strlen(end) + 1;
	area = argv[0];
	room = (size_t)(end - area);
}

/* The environment lies where the title goes. */
static int
move_environment(void)
{
	size_t count = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		if ((copy[i] = strdup(environ[i])) == NULL) {
			while (i > 0)
				free(copy[--i]);
			free(copy);
			return -1;
		}
	environ = copy;	/* for the rest of the process's life */
	return 0;
}

void
title_set(const char *fmt, ...)
{
	static int moved;
	char text[512];
	va_list ap;

	if (area == NULL || (!moved && move_environment() == -1))
		return;
	moved = 1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memset(area, 0, room);
	/* A last octet that is not NUL makes the kernel show all of it, not the length of the first command line alone. */
	snprintf(area, room, "%s", text);
}
