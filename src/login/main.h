/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LOGIN_MAIN_H
#define CULVER_LOGIN_MAIN_H
#include "login/login.h"

int login_main(const struct login_protocol *protocol);	/* the whole of main() of a login process */
#endif
