/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_SCRIPT_REQUEST_H
#define CULVER_LIB_CONFIG_SCRIPT_REQUEST_H
/*
 * What a `script' service is told: which arguments its program shall have, and nothing else.
 *
 *	request = "VERSION" TAB "script" TAB "4" TAB minor LF "noreply" LF *(argument LF) LF
 *
 * In an argument \001 begins an escape: \0011 is \001, t TAB, n LF, r CR.  There is no answer.
 */
#include "lib/buf.h"
#include "lib/err.h"

#define SCRIPT_REQUEST_MAX 8192
#define SCRIPT_ARGUMENTS_MAX 64

/* executable = script /PROGRAM ARGUMENT ...; *command_out: what stands behind the first word.  False: it is no such thing. */
bool script_command(struct span executable, struct span *command_out);

void script_request_begin(struct buf *out);
void script_request_add(struct buf *out, struct span argument);
void script_request_end(struct buf *out);

enum script_parse { SCRIPT_MORE, SCRIPT_DONE, SCRIPT_BAD };

/*
 * SCRIPT_DONE: in held one request; *count_out arguments, their escapes undone, in room (SCRIPT_REQUEST_MAX octets), each
 * ended by a NUL, of which none is inside.
 */
enum script_parse script_request_parse(struct span in, char *room, const char *arguments_out[SCRIPT_ARGUMENTS_MAX],
    size_t *count_out);
#endif
