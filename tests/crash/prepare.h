/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_CRASH_PREPARE_H
#define CULVER_TESTS_CRASH_PREPARE_H
#include "crash.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Makes w->home and what the operation finds in it; fills in base, want, told. */
bool prepare(struct world *w, char *why, size_t why_n);
/* Puts all of it back. */
void prepare_again(struct world *w);
/* body(w) in a process of its own; false when it died or left an error, which is in why. */
bool in_child(struct world *w, void (*body)(void *), const char *what, char *why, size_t why_n);
#endif
