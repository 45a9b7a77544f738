/* SPDX-License-Identifier: MIT */
#ifndef CULVER_TESTS_FAULTY_DRIVER_H
#define CULVER_TESTS_FAULTY_DRIVER_H
/*
 * A driver that often does not answer as one would wish: it stands before the real one, and says at random that there was
 * a conflict, that it is not available, or that it does not know (having done it, or not).  Proves those who call drivers.
 */
#include "lib-storage/storage-priv.h"

/* From now on st's stores have it.  percent: of the calls that are spoilt. */
void faulty_driver_on(struct storage *st, unsigned percent, uint64_t seed);
void faulty_driver_off(struct storage *st);
/* How many answers of each kind it gave since it was put on. */
unsigned faulty_driver_count(enum drv_rc rc);
#endif
