/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_TITLE_H
#define CULVER_LIB_TITLE_H
/*
 * What ps(1) shows of this process in the place of its command line.  Cut to the room that the command line and the
 * environment took at the start; nothing happens where a program's beginning is laid out in another way.
 */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
