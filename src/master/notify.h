/* SPDX-License-Identifier: MIT */
#ifndef CULVER_MASTER_NOTIFY_H
#define CULVER_MASTER_NOTIFY_H
/* Tells systemd how we are (sd_notify(3)'s protocol): a datagram to $NOTIFY_SOCKET, if there is one. */
void notify_system(const char *state);
#endif
