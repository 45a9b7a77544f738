/* SPDX-License-Identifier: MIT */
#include "login/main.h"

int
main(void)
{
	return login_main(&login_pop3);
}
