# SPDX-License-Identifier: MIT
"""Whole rcfiles again: what is rare, and where two programs are most likely to differ."""

MAILER = "X=`printf '#!/bin/sh\\nfor a; do echo \"[$a]\"; done >args\\ncat >sent\\n' >mailer; chmod +x mailer`\nSENDMAIL=$D/mailer\n"

FORWARD = {
    "backquotes once": ":0w\n! `echo x >>ran; echo a@example.org`\n",
    "backquotes in flags": "SENDMAILFLAGS='`echo x >>ran; echo -q`'\n:0w\n! a@example.org\n",
    "backquotes in sendmail": "SENDMAIL=\"`echo x >>ran; echo $D/mailer`\"\n:0w\n! a@example.org\n",
    "backquotes kept in sendmail": "SENDMAIL='`echo x >>ran; echo $D/mailer`' LOGFILE=/dev/null\n:0w\n! a@example.org\n:0\nbox\n",
    "sendmail is one word": "SENDMAIL=\"$D/mailer -x -y\" LOGFILE=/dev/null\n:0w\n! a@example.org\n:0\nbox\n",
    "flags are words": "SENDMAILFLAGS=\"-x -y  -z\"\n:0w\n! a@example.org\n",
    "flags keep dollars": "SENDMAILFLAGS='$D'\n:0w\n! a@example.org\n",
    "no flags": "SENDMAILFLAGS=\n:0w\n! a@example.org\n",
    "flags unset": "SENDMAILFLAGS\n:0w\n! a@example.org\n",
    "no shell": ":0w\n! a@example.org; c@example.org >out <x *\n:0\nbox\n",
    "quotes": ":0w\n! \"a b\" 'c d' e\\ f\n",
    "comment": ":0w\n! a@example.org # c@example.org\n",
    "continued": ":0w\n! a@example.org \\\n  c@example.org\n",
    "nobody": ":0w\n!\n:0\nbox\n",
    "nobody in variable": ":0w\n! $NOPE\n:0\nbox\n",
    "empty word": ":0w\n! \"\"\n:0\nbox\n",
    "options": ":0w\n! -t -oi\n",
    "arguments": ":0w\n! \"$@\" $1\n",
    "fails": "SENDMAIL=/bin/false\n:0w\n! a\n:0\nbox\n",
    "fails unwatched": "SENDMAIL=/bin/false\n:0\n! a\n:0\nbox\n",
    "fails then e": "SENDMAIL=/bin/false\n:0w\n! a\n:0e\nbox\n",
    "body": ":0bw\n! a\n",
    "abstract": "LOGABSTRACT=all\n:0wc\n! a\n:0\nbox\n",
    "last folder": ":0wc\n! a b\nLOG=\"[$LASTFOLDER]\n\"\n:0\nbox\n",
    "implied lock": ":0w:\n! a\n",
    "named lock": ":0w: my.lock\n! a\n",
    "no sendmail": "SENDMAIL=\nLOGFILE=/dev/null\n:0w\n! /bin/echo a\n:0\nbox\n",
}

RECIPES = {"forward " + name: MAILER + rc for name, rc in FORWARD.items()}
