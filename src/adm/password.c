/* SPDX-License-Identifier: MIT */
#include "adm/adm.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

int
adm_ask_password(const char *prompt, char out[ADM_PASSWORD_MAX])
{
	struct termios old, quiet;
	bool tty = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &old) == 0;
	char *line;

	if (tty) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		fputs(prompt, stderr);
	}
	line = fgets(out, ADM_PASSWORD_MAX, stdin);
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (line == NULL)
		return adm_fail(ADM_USAGE, "no password was given");
	out[strcspn(out, "\n")] = '\0';
	return ADM_OK;
}
