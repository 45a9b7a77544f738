# SPDX-License-Identifier: MIT
"""Recipes and messages for which procmail(1) and our engine must do the same."""
import itertools
import re
import typing

import corners
import edges
import rare

FROM = "From ann@example.org Sat Nov 28 05:33:20 2026\n"

PLAIN = FROM + """From: Ann <ann@example.org>
Subject: hello
 folded\tline
To: bob@example.com, carl@example.net
Cc: list-request@example.org
X-Number: 17
X-Stars: ***

line one
From here
line three has a $ and a `
"""
DAEMON = FROM.replace("ann@example.org", "MAILER-DAEMON") + """From: Mail Delivery System <MAILER-DAEMON@example.org>
To: bob@example.com
Subject: Undelivered Mail
Precedence: bulk

It failed.

"""
LIST = FROM + """Received: from a by b
\tfor <bob@example.com>
From: "Dave (of Green)" <dave@example.org>
Sender: owner-talk@example.org
Resent-To: bob@example.com
Apparently-To: <bobby@example.com>
Subject: Re: [talk] a+b=c? (yes|no) {1} $5
List-Id: <talk.example.org>

> quoted
> more
> even more
original
:-) :-)
"""
EMPTY_BODY = FROM + "From: x@example.org\nSubject: nothing\n\n"
MANY = FROM + "From: x@example.org\nSubject: many\n\n" + "".join("line %d of many foo\n" % i for i in range(200))
MESSAGES = {"plain": PLAIN, "daemon": DAEMON, "list": LIST, "empty": EMPTY_BODY, "many": MANY}

# For formail alone.
HEADERS = {
    "local": "From root Sat Nov 28 05:33:20 2026\nFrom: root (Charlie Root)\nReply-To: <>\nSubject:x\n\n.\n",
    "null sender": "Return-Path: <>\nFrom: \"Last, First\" <first@example.org> (comment)\nSubject: Re: x\nX-Empty:\nX-Space:   \n\n",
    "resent": FROM + "Resent-From: r@example.org\nResent-To: s@example.org\nErrors-To: e@example.org\nSubject:   Re: x\n\nx\n",
    "thread": FROM + "Message-ID: <a@b>\nReferences: <1@b>\n\t<2@b>\nIn-Reply-To: <2@b>\nSubject: x\n y\nX-Loop: me\n\n>From x\n>>From y\nFrom z\n",
    "no end": "From: x@example.org\nTo: y@example.org\nX-A: 1\nX-B: 2",
    "no header": "this is no header\nFrom x\n\nbody\n",
    "group": FROM + "From: friends: a@example.org, b@example.org;\nReply-To: A <a@example.org>, b@example.org\nSubject:\n\nx",
}

# Conditions: each with each message; where it matches the mail is in "yes", and MATCH and the score are in the log.
CONDITIONS = r"""
^Subject:.*hello
^Subject:.*HELLO
^subject: hello  folded
! ^Subject:.*hello
!^X-No:
^From.*ann
^From:.*(ann|dave)@example\.(org|net)
^From ann
^^From
^^From:
^TObob
^TO_bob
^TObob@
^TO_bob@example\.com
^TO_bobby
^TO_ob
^TOcarl
^TO_list
^FROM_DAEMON
^FROM_MAILER
!^FROM_DAEMON
^Sender:.*owner
^Subject: \/.*
^Subject:.*\/[a-z]+
^Subject:\/.*$
^From:.*<\/[^>]+
^From:[ ]*\/[^ ].*
^(To|Cc):.*\/@[a-z.]+
^X-Number: *\/[0-9]+
^X-Stars: \/\*+
X-Stars: \*\*\*
^Subject:.*\[\/[^]]+
^Subject:.*\(yes\|no\)
^Subject:.*a\+b=c\?
^Subject:.*\$5
^Subject:.*\{1\}
^Subject: .*$To:
^Subject: .*$.*To:
^X-Number: 17$X-Stars
17$^X
^Received:.*for <bob
$To:
^
$
^^
^$
.
.*
(hello|nothing)
(he|she)l+o
h[aeiou]llo
h[^aeiou]llo
[h-i]ello
[^-a-d]ello
hel*o
hel+o
helx?lo
(hel)?lo
(a|b|c|)d
\<hello\>
[ ]\<hello
Re:\>
^Subject:.*\<re\>
x*
B ?? ^line
B ?? one$From
B ?? ^From here
B ?? ^^line
B ?? ^^$
B ?? ^>
B ?? original
B ?? three.*\$
B ?? `
H ?? line one
HB ?? line one
BH ?? hello
HB ?? ^$
B ?? ^^.*$.*\/.*
B ?? foo$line 199
B ?? many foo$^^
< 200
> 200
< 100000
! < 100
> 0
? true
? false
! ? false
? grep -q hello
? exit 1;
? test "$LOGNAME" = "root"
LOGNAME ?? r
LOGNAME ?? ^^root^^
NOSUCH ?? ^^^^
NOSUCH ?? .
LOGNAME ?? ! x
! LOGNAME ?? r
LOGNAME ?? < 5
LOGNAME ?? \/o+
$ ^Subject:.*${NOSUCH:-hello}
$ LOGNAME ?? $LOGNAME
$ ! ^Subject:.*$LOGNAME
$ $\LOGNAME
\$5
\? 
\!important
\<hello
a**b
1^1 e
1^0 e
2^.5 e
-1^1 e
-1^1 nothing
1^1 ^
1^0 ^
1^1 zzz
5^1 ! zzz
5^1 ! e
1^2 e
2^-1 e
.5^1 ^Subject:
-.5^1 ^Subject:
1^1 B ?? ^.*$
1^1 B ?? ^>
20^1 B ?? ^>
1^1 B ?? :-\)
1^1 B ?? foo
350^.9 B ?? :-\)
1^.5 x*
-3^.5 x*
1^1 > 100
100^1 > 1000
100^1 < 1000
100^2 < 100
-100^3 > 2000
3^5 ? true
3^-5 ? false
1^1 ! ? exit 3;
1^.5 ! ? exit 3;
1^1 ^TO_bob
1^1 \<[a-z]
1^1 [a-z]\>
1^1 [a-z]+\>
99999999999999999999^1 e
1^99999999999999999999 e
-1^99999999999 e
0^99999999999 e
1^-99999 e
100^999 < 1000
100^-999 > 1
1^0 > 0
1^1 < 0
-1^1 < 0
100^1 > 0
-1^1 > 0
1^0 > 0
1^1 NOSUCH ?? < 0
1^1 NOSUCH ?? > 0
1^1 NOSUCH ?? < 5
1^1 ^Subject: \/.*
2^.5 B ?? ^\/[a-z]+
1^1 (T|C)[oc]: *\/[a-z]
1^1 H ?? :\/
1^999999 ! ? exit 3;
1000^.9 ! ? exit 200;
-1^-1 ! ? exit 201;
^^From.*$From
(Subject
Subject)x
[a-c-f]ject
[z-a]
\/a\/.*
foo^^^
""".strip("\n").split("\n")

# Several conditions on one recipe.
LISTS = [
    ["^Subject", "^From"], ["^Subject", "^Nope"], ["1^0 ^Subject", "-2^0 ^From"], ["3^0 ^Subject", "-2^0 ^From"],
    ["-150^0", "1^1 B ?? ^.*$"], ["-2^0", "1^1 B ?? ^>"], ["! ^Precedence", "20^1 B ?? ^>", "-10^1 B ?? ^[^>]"],
    ["2147483647^0", "? false"], ["2147483647^0", "-1^0"], ["9876543210^0", "1^1 e"], ["^Subject: \\/.*", "MATCH ?? hello"],
    ["^Subject: \\/.*", "$ MATCH ?? ^^$\\MATCH^^"], ["1^0", "^Nope"], ["0^0"], [".3^0"], ["-1^0 ^Nope"],
    ["1^0 ^Nope", "1^0 ^Subject"], ["-2147483647^0 ^Subject", "^Subject: \\/.*"], ["1^1 ^", "^Subject: \\/.*"], ["1^1 ^", "^Nope"],
    ["1^1 ^", "-1^1 ^"], ["-1^1 ^", "1^1 ^"], ["99999999999^0", "-99999999999^0", "1^0"],
]

# Whole rcfiles.  $D is the directory.
RECIPES = {
    "mbox": ":0\nbox\n",
    "mbox lock": ":0:\nbox\n",
    "mbox named lock": ":0: my.lock\nbox\n",
    "absolute": ":0:\n$D/box\n",
    "maildir": ":0\nmd/\n",
    "mh": ":0\nmh/.\n",
    "mh twice": ":0c\nmh/.\n:0\nmh/.\n",
    "dir": "X=`mkdir d`\n:0\nd\n",
    "dir prefix": "X=`mkdir d`\nMSGPREFIX=new-\n:0\nd\n",
    "several": ":0\nmd/ mh/. other/\n",
    "several from mh": ":0\nmh/. md/\n",
    "two words": ":0\none two\n",
    "quoted words": ":0\n\"one two\"\n",
    "dev null": ":0\n/dev/null\n",
    "header": ":0h\nbox\n", "body": ":0b\nbox\n", "both": ":0hb\nbox\n", "raw": ":0r\nbox\n", "body raw": ":0br\nbox\n",
    "header maildir": ":0h\nmd/\n", "body maildir": ":0b\nmd/\n", "body mh": ":0b\nmh/.\n",
    "copy": ":0c\none\n:0c\ntwo/\n:0\nthree\n",
    "default": "",
    "default changed": "DEFAULT=other\n",
    "default maildir": "DEFAULT=other/\n",
    "default fails": "DEFAULT=nodir/other\n",
    "both fail": "DEFAULT=nodir/other\nORGMAIL=nodir/more\n",
    "both fail delivered": "DEFAULT=nodir/other\nORGMAIL=nodir/more\nDELIVERED=yes\n",
    "fails then next": ":0\nnodir/box\n:0\nbox\n",
    "fails then e": ":0\nnodir/box\n:0e\nbox\n",
    "works not e": ":0c\nbox\n:0e\nbox2\n",
    "A": ":0\n* ^Subject: hello\n{ }\n:0A\nbox\n",
    "A chain": ":0c\n* ^Subject\none\n:0Ac\ntwo\n:0A\nthree\n",
    "A not": ":0c\n* ^Nope\none\n:0Ac\ntwo\n:0A\nthree\n",
    "a fails": ":0c\nnodir/x\n:0a\ntwo\n",
    "a works": ":0c\none\n:0a\ntwo\n",
    "a chain": ":0c\none\n:0ac\nnodir/x\n:0a\nthree\n",
    "A after fail": ":0c\none\n:0ac\nnodir/x\n:0A\nthree\n",
    "E": ":0c\n* ^Subject: hello\none\n:0Ec\n* ^Subject\ntwo\n:0E\nthree\n",
    "E chain": ":0c\n* ^Nope\none\n:0Ec\n* ^Nope\ntwo\n:0Ec\n* ^Subject\nthree\n:0Ec\nfour\n:0E\nfive\n",
    "E after first": ":0c\none\n:0Ec\ntwo\n:0Ec\nthree\n",
    "E after plain": ":0c\n* ^Nope\none\n:0c\n* ^Subject\ntwo\n:0E\nthree\n",
    "EA": ":0c\n* ^Subject\none\n:0AEc\ntwo\n:0Ac\nthree\n",
    "e after w": ":0wc\n| exit 3;\n:0ec\none\n:0a\ntwo\n",
    "e skipped then a": ":0c\none\n:0ec\ntwo\n:0a\nthree\n",
    "e skipped then e": ":0c\nnodir/x\n:0ec\none\n:0e\ntwo\n",
    "A in block": ":0\n* ^Subject\n{\n:0c\n* ^Nope\none\n:0Ac\ntwo\n}\n:0A\nthree\n",
    "a after block": ":0\n* ^Subject\n{\n:0c\nnodir/x\n}\n:0a\nthree\n",
    "e after block": ":0\n* ^Subject\n{\n:0c\nnodir/x\n}\n:0e\nthree\n",
    "E after block": ":0\n* ^Nope\n{\n:0c\none\n}\n:0E\n{\n:0c\ntwo\n}\n:0E\nthree\n",
    "nested": ":0\n* ^Subject\n{\n  X=1\n  :0\n  * ^From\n  {\n    X=2\n    :0\n    * X ?? 2\n    deep\n  }\n}\n",
    "block on one line": ":0\n* ^Subject\n{ X=yes }\n:0\n* X ?? yes\nbox\n",
    "block not entered": ":0\n* ^Nope\n{ X=yes\n:0\none\n}\n:0\n* X ?? yes\nbox\n",
    "clone": ":0c\n{\n:0fw\n| sed -e s/line/LINE/\n}\n:0\nout/\n",
    "clone delivers": ":0c\n{\n:0\none\n}\n:0\ntwo\n",
    "clone variables": "X=1\n:0c\n{\nX=2\n:0\none$X\n}\n:0\ntwo$X\n",
    "nested clone": ":0c\n{\n:0c\n{\n:0\none\n}\n:0\ntwo\n}\n:0\nthree\n",
    "filter": ":0fw\n| sed -e s/hello/bye/\n:0\nbox\n",
    "filter header": ":0fhw\n| sed -e s/hello/bye/ -e s/line/LINE/\n:0\nbox\n",
    "filter body": ":0fbw\n| tr a-z A-Z\n:0\nbox\n",
    "filter fails w": ":0fw\n| (cat; echo more; exit 1)\n:0\nbox\n",
    "filter fails W": ":0fW\n| (cat; exit 1)\n:0e\nfailed\n:0\nbox\n",
    "filter twice": ":0fw\n| sed -e s/one/two/\n:0fw\n| sed -e s/two/three/\n:0\nbox\n",
    "filter then match": ":0fhw\n| sed -e 's/^X-Number.*/X-Number: 42/'\n:0\n* ^X-Number: \\/.*\nbox$MATCH\n",
    "filter adds": ":0fhw\n| (cat - | sed -e '/^$/d'; echo 'X-Added: yes'; echo)\n:0\n* ^X-Added\nbox\n",
    "filter condition": ":0fw\n* ^Nope\n| sed -e s/a/b/\n:0\nbox\n",
    "pipe": ":0w\n| cat >out\n",
    "pipe append": ":0w:\n| cat >>out\n",
    "pipe no shell": ":0w\n| tee out\n",
    "pipe fails": ":0w\n| exit 1;\n:0\nbox\n",
    "pipe fails unwatched": ":0\n| cat >/dev/null; exit 1\n",
    "pipe body": ":0bw\n| cat >out\n",
    "pipe header raw": ":0hrw\n| cat >out\n",
    "pipe arguments": ":0w\n| sh -c 'cat >\"$0\"' \"a file\"\n",
    "pipe variable": "X=\"a b\"\n:0w\n| tee $X\n",
    "pipe quoted variable": "X=\"a b\"\n:0w\n| tee \"$X\"\n",
    "pipe environment": "X=\"a b\"\n:0w\n| echo \"$X\" >out; cat >/dev/null\n",
    "pipe continued": ":0w\n| cat \\\n  >out\n",
    "capture": "X=old\n:0\nX=| head -n 1\nLOG=\"[$X]\"\n",
    "capture lines": ":0\nX=| printf 'a\\n\\n\\n'\nLOG=\"[$X]\"\n",
    "capture header": ":0hw\nX=| grep -c :\nLOG=\"[$X]\"\n",
    "capture fails": "X=old\n:0w\nX=| (echo new; exit 1)\nLOG=\"[$X]\"\n:0e\nfailed\n",
    "capture goes on": ":0\nX=| echo foo\n:0\n* X ?? foo\nbox\n",
    "backquotes": "X=`grep -c ''`\nLOG=\"[$X]\"\n",
    "backquotes lines": "X=`printf 'a\\n\\nb\\n\\n'`\nLOG=\"[$X]\"\n",
    "backquotes in quotes": "X=\"a `echo  b  c` d\"\nLOG=\"[$X]\"\n",
    "backquotes words": ":0\n`echo box`\n",
    "status": "X=`exit 3;`\nLOG=\"[$?]\"\n",
    "assignments": "A=\"a b\" B=c\nC = \"$A\" D=\"x\"y\nE=$A\nLOG=\"[$A][$B][$C][$D][$E]\"\n",
    "quotes": "A='a$b\\' B=\"\\$x\\\"\\\\\\a\" C=a\\ b\\\"c D=a#b\nLOG=\"[$A][$B][$C][$D]\"\n",
    "defaults": "A=x\nE=\nLOG=\"[${A-1}${A:-2}${A+3}${A:+4}][${E-1}${E:-2}${E+3}${E:+4}][${U-1}${U:-2}${U+3}${U:+4}]\"\n",
    "nested defaults": "A=x\nLOG=\"[${U:-$A}][${U:-${V:-y}}][${A:+\"q q\"}]\"\n",
    "braces": "A=x\nLOG=\"[${A}b][$A.b][$Ab][a$A]\"\n",
    "disarmed": "A='a.b*c[d]e(f)|g^h$i+j?k'\nLOG=\"[$\\A]\"\n",
    "unset": "A=x\nA\nLOG=\"[${A-unset}]\"\n",
    "empty": "A=\nLOG=\"[${A-unset}]\"\n",
    "specials": "LOG=\"[$#][$-][$=]\"\n:0\n* 3^0\n{ }\nLOG=\"[$=]\"\n",
    "last folder": ":0c\nbox\nLOG=\"[$LASTFOLDER][$-]\"\n",
    "comments": "# one\nA=x # two\n:0 # three\n* ^Subject\n# four\nbox # five\n",
    "old form": ":1\n^Subject\nbox\n",
    "old form of two": ":2\n^Subject\n^From\nbox\n",
    "old form without number": ":\n^Subject\nbox\n",
    "flags without blank": ":0c:\nbox\n:0fw\n| cat\n",
    "blank lines": "\n\n:0\n\n* ^Subject\n\n* ^From\n\nbox\n\n",
    "indented": "  :0\n   * ^Subject\n  box\n",
    "continued condition": ":0\n* ^Subject:.*\\\n   (hello|nothing)\nbox\n",
    "maildir change": "X=`mkdir sub`\nMAILDIR=sub\n:0\nbox\n",
    "maildir relative": "X=`mkdir sub`\nMAILDIR=$D/sub\n:0\nbox\n",
    "maildir missing": "MAILDIR=nodir\n:0\nbox\n",
    "include": "X=`echo 'Y=included' >inc`\nINCLUDERC=inc\nLOG=\"[$Y]\"\n",
    "include delivers": "X=`printf ':0\\nbox\\n' >inc`\nINCLUDERC=inc\n:0\nother\n",
    "include missing": "INCLUDERC=nofile\n:0\nother\n",
    "include in block": "X=`printf ':0\\nbox\\n' >inc`\n:0\n* ^Subject\n{ INCLUDERC=inc }\n:0\nother\n",
    "switch": "X=`printf 'Y=1\\n' >inc`\nSWITCHRC=inc\n:0\nother\n",
    "switch missing": "SWITCHRC=nofile\n:0\nother\n",
    "switch off": ":0c\nbox\nSWITCHRC=\n:0\nother\n",
    "switch unset": ":0c\nbox\nSWITCHRC\n:0\nother\n",
    "host": "HOST=nowhere\n:0\nbox\n",
    "exitcode": "EXITCODE=42\n:0\nbox\n",
    "exitcode zero": "EXITCODE=0\n:0\nbox\n",
    "exitcode default": "EXITCODE=67\n",
    "trap": "TRAP='cat >trapped; exit 7'\n:0\nbox\n",
    "trap exitcode": "EXITCODE=\nTRAP='exit 7;'\n:0\nbox\n",
    "trap natural": "TRAP='echo $EXITCODE >code'\n:0\nbox\n",
    "trap failing": "TRAP='echo $EXITCODE >code'\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
    "umask": "UMASK=022\n:0\nbox\n",
    "shell metas off": "SHELLMETAS=\n:0w\n| tee a>b\n",
    "sendmail saves": "X=`printf '#!/bin/sh\\necho \"$@\" >args\\ncat >sent\\n' >mailer; chmod +x mailer`\nSENDMAIL=$D/mailer\n:0w\n! a@example.org b@example.org\n",
    "lock conflict": "LOCKEXT=.l\n:0:\nbox\n",
    "global lock": "LOCKFILE=$D/global\n:0\nbox\n",
    "missing action": ":0\n* ^Subject\n",
    "unknown words": "hello there = =\n:0\nbox\n",
    "linebuf": "LINEBUF=128\nA=%s\nLOG=\"[$A]\"\n:0\nbox\n" % ("x" * 100),
    "not executed block": ":0\n* ^Nope\n{\n:0\n{ }\n:0\n* ^X\n{\n}\nY=1 }\n:0\n* ! Y ?? 1\nbox\n",
    "shift": "SHIFT=1\n:0\nbox$1\n",
    "quotes in a condition": "S=plain\n:0\n* $ ^Subject: \"?$S\none\n:0 c\n* $ ^S\"ub'j'ect\": .*\ntwo\n"
                             ":0 c\n* $ ^S'ubject\nthree\n:0 c\n* $ S ?? ^^\"\\p\"la\\in^^\nfour\n"
                             ":0 c\n* $ ^Subject:\\\"* \"(\\.|[^'\"']+)$\nfive\n:0\nbox\n",
    "linebuf expansion": "LINEBUF=200\nA=%s\nB=$A$A$A\nLOG=\"[$B][$PROCMAIL_OVERFLOW]\n\"\n:0\n* $ $A$A$A\nno\n:0\n$A$A$A\n:0\nbox\n" % ("x" * 90),
    "linebuf backquotes": "LINEBUF=200\nA=`printf '%%0300d' 1`\nLOG=\"[${A:+set}][$PROCMAIL_OVERFLOW]\n\"\n:0\n* A ?? ^^00000\nbox\n",
    "linebuf literal": "LINEBUF=200\nA=%s\nAB=after\n:0\n* ^Subject.*(%s|)\nno\n:0\n* AB ?? after\nbox\n" % ("x" * 300, "y" * 300),
    "clone lock": ":0wc: my.lock\n{\nX=`ls my.lock`\nLOG=\"[$X]\n\"\n:0\none\n}\nX=`ls my.lock 2>/dev/null`\nLOG=\"[$X]\n\"\n:0\nbox\n",
    "clone fails": ":0wc\n{\nEXITCODE=3\n:0\none\n}\n:0e\n{ LOG=\"failed\n\" }\n:0wc\n{\n:0\none\n}\n:0a\nbox\n",
    "clone trap": "TRAP='cat >/dev/null; echo $EXITCODE >>traps'\n:0wc\n{\n:0\none\n}\n:0\nbox\n",
    "block lock": ":0: my.lock\n{\nX=`ls my.lock 2>/dev/null`\nLOG=\"[$X]\n\"\n}\n:0\nbox\n",
    "abstract all": "LOGABSTRACT=all\n:0c\none\n:0c\nmd/\n:0wc\n| cat >/dev/null\n:0wc\n| cat\n:0\nbox\n",
    "abstract no": "LOGABSTRACT=no\n:0c\none\n:0\nbox\n",
    "abstract odd": "LOGABSTRACT=yes\n:0c\none\n:0\nbox\n",
    "verbose off": "VERBOSE=on\nVERBOSE=off\n:0\nbox\n",
    "suspend": "SUSPEND=0\nLOCKSLEEP=1\nNORESRETRY=1\n:0:\nbox\n",
    "include shares the chain": "X=`printf ':0A\\n{ LOG=\"inc A\\n\" }\\n:0c\\n* ^Nope\\n{ }\\n' >inc`\n:0c\n/dev/null\nINCLUDERC=inc\n:0E\n{ LOG=\"E\n\" }\n:0\nbox\n",
    "block begins with the chain": ":0\n{\n:0A\n{ LOG=\"A\n\" }\n:0a\n{ LOG=\"a\n\" }\n:0E\n{ LOG=\"E\n\" }\n}\n:0A\nbox\n",
    "swapped and long": ":0\n* ^Subject:\\/.*\n{ M=$MATCH }\n:0w\n| cat \\\n  - \\\n  >out\n",
    "umask read": "UMASK=0\n:0c\none\nUMASK=027\n:0c\ntwo/\nUMASK=777\n:0c\nthree\nUMASK=077\n:0\nbox\n",
    "shellflags": "SHELLFLAGS=-xc\n:0w\n| cat >out 2>err\n",
    "quoted everything": "A='one two'\n:0c\n\"$A\"\n:0c\n'$A'\n:0c\n$A\n:0\nbox\n",
    "comment after action": ":0\n* ^Subject # not a comment\nno\n:0 # yes\nbox # yes\n",
    "crlf": ":0\r\n* ^Subject\r\nbox\r\n:0\nother\n",
    "dollar at end": "A=a$ B=$\nLOG=\"[$A][$B]\"\n",
    "condition program stdin": ":0\n* ? cat >stdin\n* B ?? ? cat >stdin2\n* HB ?? ? cat >stdin3\nbox\n",
    "condition program B flag": ":0B\n* ? cat >stdin\nbox\n",
    "flag B": ":0B\n* line one\nbox\n",
    "flag HB": ":0HB\n* line one\n* ^Subject\nbox\n",
    "flag D": ":0D\n* ^subject\nbox\n",
    "flag D equal": ":0D\n* ^Subject\nbox\n",
    "real world": """MAILDIR=$D
LOGFILE=log2
:0fhw
* ^Subject:.*hello
| formail -A "X-Seen: yes" -i "Reply-To: me@example.com"

:0
* ^X-Seen: yes
{
  :0c:
  copies

  :0
  * ^TO_bob@example.com
  * ! ^FROM_DAEMON
  lists/
}

:0 E:
* ^(From|Sender):.*owner-\\/[a-z]+
list-$MATCH
""",
}

# Arguments of formail; each with each message, in a filter.
FORMAIL = [
    '-A "X-New: 1"', '-a "Subject: no" -a "X-New: yes"', '-i "Subject: new"', '-I "Subject: new"', "-I Subject:", "-i Subject:", "-I X-",
    "-R Subject: X-Subject:", "-R X- Y-", "-u X-Number:", "-U Received:", "-c", "-z", "-b", "-f", '-A "Z: 1" -i "Y: 2" -I "X: 3" -a "W: 4"',
    '-x Subject:', '-X Subject:', '-zx Subject:', '-cx Subject:', '-xSubject: -xFrom:', '-x X-', '-X ""', '-k -x Subject:', '-I ""', '-r', '-rt',
    '-rtk', '-rtkb', '-r -A "X-Loop: me"', '-rt -i "Subject: other" -A "X-Loop: me"', '-r -I To: -I "To: x@example.com"', '-rI References:',
    '-p "| " -rk', '-I "From "', '-R "From " X-From_:', '-bfi "To: x"', '-q- -A "X: y"', '-e -A "X: y"', '-Y -A "X: y"',
]


KNOWN = {
    # What differs on purpose, by name; doc/procmail.md has each.
    r"recipe/filter fails unwatched/.*": "a filter that fails leaves the message as it was",
    r"recipe/linebuf literal/.*": "a condition may be longer than LINEBUF",
    r"recipe/crlf/.*": "lines may end with CR LF",
    r"formail/-x X-/(daemon|list|empty|many|local|resent|no header|group)": "a filter without output leaves the message as it was",
    r"formail/(-(x|X|zx|cx) Subject:|-xSubject: -xFrom:)/no header": "a filter without output leaves the message as it was",
    r"formail/-(x|X|zx|cx) Subject:/no end": "a filter without output leaves the message as it was",
    r"formail/-zx Subject:/group": "a filter without output leaves the message as it was",
}

KNOWN.update({
    r"edge/end lost exitcode zero": "mail that could not be stored is not acknowledged",
    r"edge/formail (twice )?(-I To: -x To:|-i To: -x To:|-R To: X-T: -x To:)": "a filter without output leaves the message as it was",
    r"edge/formail -A Message-ID: -x Message-ID:": "a filter without output leaves the message as it was",
    r"edge/option (variable|quoted variable|match|backquotes)": "a variable's value is no option for sendmail",
    r"edge/block (one line(?! (false|star)).*|brace flag|nested one line)": "a recipe whose action is missing is passed over",
    r"edge/formail (twice )?(-ru To:|-r -u Subject:|-ru To: -a \"To: y\")": "-u has no effect on what -r makes",
})
KNOWN.update({re.escape("corner/extract " + x): "the end of another way of the left part's" for x in corners.OTHER_MATCH})

PRESENT = "From old@example.org Sat Nov 28 05:33:20 2026\n\nold mail\n\n"
BOXES = ("box", "default", "one", "three", "other")
CHUNK = 30      # conditions in one rcfile


class Case(typing.NamedTuple):
    group: str
    name: str
    rc: str
    message: str
    present: tuple = ()     # mbox files that there are already


def conditions(lists):
    """Each list of conditions tells what became of it in the log, with MATCH and the score."""
    return "".join("MATCH=none\nYES=no\n:0%s\n" % flags + "".join("* %s\n" % line for line in lines) +
                   "{ YES=yes }\nLOG=\"%d [$YES][$=][$MATCH]\n\"\n" % i for i, (flags, lines) in enumerate(lists))


def chunked(group, name, lists, message, label):
    for at in range(0, len(lists), CHUNK):
        yield Case(group, "%s/%s/%d-%d" % (name, label, at, at + CHUNK - 1), conditions(lists[at:at + CHUNK]) + ":0\nbox\n",
                   message, ("box",))


def cases():
    for label, message in MESSAGES.items():
        yield from chunked("conditions", "condition", [("", [c]) for c in CONDITIONS], message, label)
        yield from chunked("conditions", "conditions", [("", c) for c in LISTS], message, label)
    for label, message in itertools.chain(MESSAGES.items(), HEADERS.items()):
        for arguments in FORMAIL:
            # procmail's abstract of what is no message any more has what happens to be in its memory
            rc = "LOGABSTRACT=no\n:0fw\n| formail %s\n:0r\nbox\n" % arguments
            yield Case("formail", "formail/%s/%s" % (arguments, label), rc, message, BOXES)
    for recipe, text in RECIPES.items():
        for label in ("plain", "list", "empty"):
            yield Case("recipes", "recipe/%s/%s" % (recipe, label), text, MESSAGES[label], () if label == "plain" else BOXES)
    for recipe, text in corners.RECIPES.items():
        yield Case("recipes", "corner/" + recipe, text, PLAIN, BOXES)
    for recipe, text in edges.RECIPES.items():
        yield Case("recipes", "edge/" + recipe, text, PLAIN, BOXES)
    for name, text, message in rare.cases():
        yield Case("recipes", "rare/" + name, text, message or PLAIN, BOXES)
